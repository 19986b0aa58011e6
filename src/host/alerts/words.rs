//! A message in words: what happened, how many, why, and what to do, short enough for a telephone's lock screen.
//!
//! Invariant: text from outside passes [`show`] here; nothing of it is taken for markup by the receiver.

use std::fmt::Write;

use serde_json::{Value, json};

use super::watch::{Item, What};
use crate::domain::cause::Cause;
use crate::domain::language::Language;
use crate::domain::operation_words;
use crate::domain::query::LedgerGroup;
use crate::domain::time::Ts;
use crate::text::{markdown_safe, show};

/// Longest reason quoted, bytes.
const REASON: usize = 300;
/// Groups of the ledger named.
const GROUPS: usize = 3;

/// One message, ready for every kind of target.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// One line.
    pub title: String,
    /// Lines of plain text.
    pub text: String,
    /// The same as Markdown.
    pub markdown: String,
    /// For programs.
    pub json: Value,
}

/// Makes a message of what is due. `groups`: the present ledger of each plan named.
pub fn message(
    tongue: Language,
    items: &[Item],
    groups: &[(crate::domain::ids::PlanId, Vec<LedgerGroup>)],
    label: &dyn Fn(&str) -> String,
    host: &str,
) -> Message {
    let failed: u64 = items.iter().map(|item| item.sum.failed).sum();
    let unknown: u64 = items.iter().map(|item| item.sum.unknown).sum();
    let production = items.iter().any(|item| item.production);
    let mark = if production { tongue.t(" PRODUCTION", " 生产") } else { "" };
    let title = format!(
        "Skydeck{mark}: {} {}, {} {failed}, {} {unknown}",
        items.len(),
        tongue.t("alerts", "条告警"),
        tongue.t("failed", "失败"),
        tongue.t("unknown", "未知")
    );
    let (mut text, mut markdown) = (format!("{title}\n"), format!("### {title}\n"));
    let mut told = Vec::new();
    for item in items {
        let (line, advice) = said(tongue, item);
        let mut more = vec![advice.to_owned()];
        let top = groups.iter().find(|(plan, _)| *plan == item.plan).map_or(&[][..], |(_, groups)| groups);
        let named = !told.contains(&&item.plan);
        if named && !top.is_empty() && matches!(item.what, What::Left | What::Stopped | What::UnknownLong) {
            told.push(&item.plan);
            let words: Vec<String> = top
                .iter()
                .take(GROUPS)
                .map(|g| format!("{} {}", show(&label(&g.group), REASON).as_str(), g.count))
                .collect();
            more.insert(
                0,
                format!("{}{}", tongue.t("unresolved by cause: ", "未结原因："), words.join(tongue.t(", ", "，"))),
            );
        }
        if let Some(why) = &item.why {
            let of = |cause: &Cause| label(cause.as_str());
            let words = match tongue {
                Language::En => why.en_with(&of),
                Language::Zh => why.zh_with(&of),
            };
            let detail = show(&words, REASON);
            more.insert(0, format!("{}“{}”", tongue.t("reason: ", "原因："), detail.as_str()));
        }
        let _ = writeln!(text, "\n{line}");
        let _ = writeln!(markdown, "\n**{}**\n", markdown_safe(&line));
        for words in more {
            let _ = writeln!(text, "  {words}");
            let _ = writeln!(markdown, "- {}", markdown_safe(&words));
        }
    }
    let _ = writeln!(text, "\n{} {host}", tongue.t("host", "主机"));
    let _ = writeln!(markdown, "\n{} {}", tongue.t("host", "主机"), markdown_safe(host));
    // In the text of a chat `<at …>` calls people: words from outside call nobody.
    let text = text.replace('<', "＜");
    let json = json!({"version": 1, "product": "skydeck", "host": host, "title": title, "text": text, "items": items});
    Message { title, text, markdown, json }
}

/// A message that says that messages arrive.
pub fn trial(tongue: Language, host: &str) -> Message {
    let title = tongue.t("Skydeck: a trial message", "Skydeck：测试消息").to_owned();
    let words = tongue.t("Alerts of this host arrive here.", "本机的告警会发送到这里。");
    let text = format!("{title}\n\n{words}\n{} {host}\n", tongue.t("host", "主机"));
    let markdown = format!("### {title}\n\n{words}\n\n{} {}\n", tongue.t("host", "主机"), markdown_safe(host));
    let json = json!({"version": 1, "product": "skydeck", "host": host, "title": title, "text": text, "items": []});
    Message { title, text, markdown, json }
}

/// Since when, in the zone of this machine: the message is read elsewhere, so the zone stands beside it.
fn since_words(tongue: Language, since: Ts) -> String {
    let local = chrono::DateTime::from_timestamp_millis(since.0).map(|utc| utc.with_timezone(&chrono::Local));
    let at = local.map(|at| at.format("%m-%d %H:%M %:z").to_string()).unwrap_or_default();
    format!("{} {at}", tongue.t("since", "自"))
}

/// The line of one item, and what to do about it.
fn said(tongue: Language, item: &Item) -> (String, &'static str) {
    let (what, advice) = match item.what {
        What::Left => (
            tongue.t("ended and left bills over", "已结束，有单据未成功"),
            tongue.t(
                "skydeck: Ledger, mend the cause, R retries exactly these",
                "打开 skydeck 未结清单，处理原因后按 R 重试",
            ),
        ),
        What::CollectFailed => (
            tongue.t("the query failed, nothing was written", "查询失败，未写入任何内容"),
            tongue.t("start it again when the server answers", "服务器恢复后重新运行"),
        ),
        What::Stopped if item.ended => (
            tongue.t("stopped by itself and ended", "自行停止，已结束"),
            tongue.t(
                "mend the reason, then run the plan again: it takes up what was not reached",
                "处理原因后重新运行方案：未轮到的单据会再次读取",
            ),
        ),
        What::Stopped => (
            tongue.t("paused by itself", "已自动暂停"),
            tongue.t("mend the reason, then resume it in skydeck (p)", "处理原因后在 skydeck 中按 p 继续"),
        ),
        What::Interrupted => (
            tongue.t("was interrupted: its process ended", "被中断：进程已结束"),
            tongue.t(
                "unknown bills are read back; resume it in skydeck (p)",
                "未知单据会回读核实；在 skydeck 中按 p 继续",
            ),
        ),
        What::Waits => (
            tongue.t("waits for an approval", "等待批准"),
            tongue.t("look at the set and approve it in skydeck (a)", "在 skydeck 中按 a 查看并批准"),
        ),
        What::UnknownLong => (
            tongue.t("has bills that stay unknown", "有单据长时间未知"),
            tongue.t("see whether the server answers; v reads them back", "检查服务器是否正常；按 v 回读核实"),
        ),
    };
    let s = &item.sum;
    let production = if item.production { tongue.t(" (PRODUCTION)", "（生产）") } else { "" };
    let again = if item.times > 1 { format!(" ×{}", item.times) } else { String::new() };
    let words = operation_words::in_sum(&item.op);
    let already = if item.op.is_audit() { words.en.already_list } else { words.en.already };
    let op = if item.op.is_audit() { String::new() } else { format!(" {}", show(item.op.as_str(), REASON).as_str()) };
    let since = item.since.map(|since| format!(", {}", since_words(tongue, since))).unwrap_or_default();
    let head = format!(
        "{}{production} · {}: {what}{again}{since} ·{op} {} {}",
        show(item.env.as_str(), REASON).as_str(),
        show(&item.name, REASON).as_str(),
        tongue.t("found", "共"),
        s.found,
    );
    if item.untold {
        return (head, advice);
    }
    let line = format!(
        "{head} = {} {} + {} {} + {} {} + {} {} + {} {}",
        tongue.t(words.en.done, words.zh.done),
        s.audited,
        tongue.t(already, words.zh.already),
        s.already,
        tongue.t("skipped", "跳过"),
        s.skipped,
        tongue.t("failed", "失败"),
        s.failed,
        tongue.t("unknown", "未知"),
        s.unknown,
    );
    let more = |word: &str, n: u64| if n > 0 { format!(" + {word} {n}") } else { String::new() };
    let not_reached = more(tongue.t("not reached", "未轮到"), s.not_reached);
    (line + &not_reached + &more(tongue.t("waiting", "等待"), s.waiting), advice)
}
