//! A page of help in lines that fit: the library breaks lines at blanks, of which Chinese has none.
//!
//! Invariant: nothing of a line is lost or changed by folding but blanks at a break; what goes on stands under its own column.

use crate::text::width;

/// Widest line of a page.
const WIDEST: usize = 100;
/// Narrowest room that is folded into.
const NARROWEST: usize = 20;
/// What no line begins with.
const NEVER_FIRST: &str = "，。；：、）”」』》？！］…";
/// What no line ends with.
const NEVER_LAST: &str = "（“「『《［";

/// Cells of the terminal, else what the environment says; never more than are read with ease.
pub(super) fn cells() -> usize {
    let of_terminal =
        || rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok().map(|size| usize::from(size.ws_col));
    let of_environment = || std::env::var("COLUMNS").ok().and_then(|said| said.trim().parse().ok());
    of_terminal().filter(|cells| *cells > 0).or_else(of_environment).unwrap_or(WIDEST).min(WIDEST)
}

/// A line in as many as it needs.
pub(super) fn folded(line: &str, cells: usize) -> Vec<String> {
    let hang = hang(line);
    if width(line) <= cells || cells < hang + NARROWEST {
        return vec![line.to_owned()];
    }
    let mut out = Vec::new();
    let mut rest = line.to_owned();
    while width(&rest) > cells {
        let Some(at) = break_of(&rest, hang, cells) else { break };
        let (head, tail) = rest.split_at(at);
        let tail = format!("{}{}", " ".repeat(hang), tail.trim_start());
        out.push(head.trim_end().to_owned());
        rest = tail;
    }
    out.push(rest);
    out
}

/// Where what goes on of a line begins: under its explanation, else under its first sign.
fn hang(line: &str) -> usize {
    let first = line.len() - line.trim_start().len();
    let body = line.get(first..).unwrap_or_default();
    // A name and its explanation stand at least two blanks apart.
    let column = body.find("  ").filter(|_| first > 0).map(|gap| {
        let explained = body.get(gap..).unwrap_or_default();
        let blanks = explained.len() - explained.trim_start().len();
        first + width(body.get(..gap).unwrap_or_default()) + blanks
    });
    column.unwrap_or(first)
}

/// The last place at which a line may be broken and still fits, behind its hanging part.
fn break_of(line: &str, hang: usize, cells: usize) -> Option<usize> {
    let (mut used, mut found, mut before) = (0, None, ' ');
    for (at, c) in line.char_indices() {
        if used > hang && may_break(before, c) {
            found = Some(at);
        }
        used += width(c.encode_utf8(&mut [0; 4]));
        if used > cells && found.is_some() {
            return found;
        }
        before = c;
    }
    found.filter(|_| used > cells)
}

/// Whether a line may end between these two.
fn may_break(before: char, c: char) -> bool {
    if before == ' ' || c == ' ' {
        return before == ' ' && c != ' ';
    }
    let is_wide = |c: char| width(c.encode_utf8(&mut [0; 4])) > 1;
    (is_wide(before) || is_wide(c)) && !NEVER_FIRST.contains(c) && !NEVER_LAST.contains(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_stands_under_its_column_and_no_line_is_wider() {
        for (line, cells) in [
            (
                "  --owner <USER>     --attach 处的引擎应属于哪个用户，写用户名或编号；他人可在该处放置套接字时须写明",
                80,
            ),
            (
                "不带命令：打开控制台。退出码：0 全部处理妥当，1 有失败，2 用法、配置或方案有误，3 仍有结果未知，4 被拒绝",
                60,
            ),
            ("          数据目录：流水、索引、日志［默认：$XDG_STATE_HOME/skydeck］", 50),
        ] {
            let folded = folded(line, cells);
            assert!(folded.len() > 1 && folded.iter().all(|line| width(line) <= cells), "{folded:#?}");
            let without = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            assert_eq!(without(&folded.concat()), without(line), "nothing is lost");
            for more in &folded[1..] {
                assert!(more.starts_with(&" ".repeat(hang(line))), "{folded:#?}");
                assert!(!more.trim_start().starts_with(|c| NEVER_FIRST.contains(c)), "{folded:#?}");
            }
        }
        assert_eq!(folded("  run  运行", 80), ["  run  运行"]);
        assert_eq!(hang("  --owner <USER>     --attach 处"), 21);
    }
}
