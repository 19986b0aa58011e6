//! Lines of text into tables of cells, with the words that stood above each.
//!
//! Invariant: a row begins or ends with a `|`, or holds two of them or a tab; a `|` inside `{{…}}` does not end a cell, and what a page does to a cell's text is undone here alone.

/// A table with what stood above it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Line of its first row, from 1.
    pub line: usize,
    /// Lines of prose since the table before.
    pub above: Vec<String>,
    /// Rows of cells, the header first when there is one; rule lines are gone.
    pub rows: Vec<Vec<String>>,
    /// Line of each row.
    pub lines: Vec<usize>,
}

/// Cuts a text into tables; prose after the last one comes with an empty table.
pub fn tables(text: &str) -> Vec<Table> {
    let mut out = Vec::new();
    let mut now = Table::default();
    for (index, line) in text.lines().enumerate() {
        if let Some(cells) = row(line) {
            if now.rows.is_empty() {
                now.line = index + 1;
            }
            let rule = |c: &String| !c.is_empty() && c.chars().all(|c| matches!(c, '-' | ':' | '=' | ' '));
            if !cells.iter().all(rule) {
                now.rows.push(cells);
                now.lines.push(index + 1);
            }
        } else {
            if !now.rows.is_empty() {
                out.push(std::mem::take(&mut now));
            }
            if !line.trim().is_empty() {
                now.above.push(line.trim().to_owned());
            }
        }
    }
    if !now.rows.is_empty() || !now.above.is_empty() {
        out.push(now);
    }
    out
}

/// The cells of a table line; `None` for prose.
fn row(line: &str) -> Option<Vec<String>> {
    if line.contains('\t') && !line.trim_start().starts_with('|') {
        return Some(line.split('\t').map(clean).collect());
    }
    let inner = line.trim();
    let leads = inner.starts_with('|');
    let mut bars = 0;
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut depth = 0usize;
    let mut chars = inner.chars().skip(usize::from(leads)).peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'|') => {
                chars.next();
                cell.push('|');
            }
            '{' if chars.peek() == Some(&'{') => {
                depth = 1;
                cell.push(c);
            }
            '}' if chars.peek() == Some(&'}') => {
                depth = 0;
                cell.push(c);
            }
            '|' if depth == 0 => {
                bars += 1;
                cells.push(clean(&std::mem::take(&mut cell)));
            }
            c => cell.push(c),
        }
    }
    if !leads && bars < 2 && !(bars == 1 && cell.is_empty()) {
        return None;
    }
    if !cell.trim().is_empty() {
        cells.push(clean(&cell));
    }
    Some(cells)
}

/// Undoes what Markdown and HTML do to a cell.
pub fn clean(cell: &str) -> String {
    let mut text = cell.to_owned();
    for (from, to) in [
        ("&nbsp;", " "),
        ("&gt;", ">"),
        ("&lt;", "<"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&#124;", "|"),
        ("&amp;", "&"),
        ("\u{a0}", " "),
        ("\u{3000}", " "),
        ("\u{200b}", ""),
        ("<br>", " "),
        ("<br/>", " "),
        ("<br />", " "),
        ("\\_", "_"),
        ("\\*", "*"),
        ("\\<", "<"),
        ("\\>", ">"),
        ("**", ""),
    ] {
        text = text.replace(from, to);
    }
    text.trim().trim_matches('`').trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_and_tabs_give_the_same_cells() {
        let markdown = "# 标题\n| 字段 | 值 |\n|:---|---|\n| FilterString | FDate&gt;='{{LAST_SYNC_TIME|date}}' |\n| FID | `FID` |\n\n尾";
        let tabs = "# 标题\n字段\t值\nFilterString\tFDate>='{{LAST_SYNC_TIME|date}}'\nFID\tFID\n\n尾";
        let read = tables(markdown);
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].above, ["# 标题"]);
        assert_eq!(read[0].rows[1], ["FilterString", "FDate>='{{LAST_SYNC_TIME|date}}'"]);
        assert_eq!(read[0].rows, tables(tabs)[0].rows);
        assert_eq!(tables("| a \\| b | |")[0].rows[0], ["a | b", ""]);
    }

    #[test]
    fn a_row_needs_no_bar_before_its_first_cell() {
        let printed = "请求参数\n字段 | 名称 | 值 |\nTopRowCount | 返回总行数 | |\nFilterString | 过滤 | '{{LAST_SYNC_TIME|date}}' |";
        let read = tables(printed);
        assert_eq!((read[0].above.as_slice(), read[0].rows.len()), (["请求参数".to_owned()].as_slice(), 3));
        assert_eq!(read[0].rows[1], ["TopRowCount", "返回总行数", ""]);
        assert_eq!(read[0].rows[2][2], "'{{LAST_SYNC_TIME|date}}'");
        assert_eq!(tables("字段 | 名称 | 值")[0].rows[0], ["字段", "名称", "值"], "nor one behind the last");
        assert!(tables("A | B: either will do. '{{LAST_SYNC_TIME|date}}'")[0].rows.is_empty(), "prose");
    }
}
