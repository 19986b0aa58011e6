//! A message in words: what happened, how many, why, and what to do, short enough for a telephone's lock screen.
//!
//! Invariant: text from outside passes [`show`] here; nothing of it is taken for markup by the receiver.

use std::fmt::Write;

use serde_json::{Value, json};

use super::watch::{Item, What};
use crate::domain::bill::Slot;
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
    let mark = if production { tongue.t(" PRODUCTION", "（生产）") } else { "" };
    let title = match (tongue, items.len()) {
        (Language::En, n) => {
            let alerts = if n == 1 { "alert" } else { "alerts" };
            format!("Skydeck{mark}: {n} {alerts} ({failed} failed, {unknown} unknown)")
        }
        (Language::Zh, n) => format!("Skydeck{mark}：{n} 条告警，失败 {failed}，未知 {unknown}"),
    };
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
            more.insert(0, format!("{}{}", tongue.t("unresolved: ", "遗留："), words.join(tongue.t(", ", "、"))));
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
                "In skydeck open the Ledger, fix the cause, and press R to retry exactly these",
                "打开 skydeck 遗留清单，处理原因后按 R 重试",
            ),
        ),
        What::CollectFailed => (
            tongue.t("the query failed, nothing was written", "查询失败，未写入任何内容"),
            tongue.t("Start it again when the server answers", "服务器恢复后重新运行"),
        ),
        What::Stopped if item.ended => (
            tongue.t("stopped by itself and ended", "已自动停止，运行结束"),
            tongue.t(
                "Fix the cause, then run the plan again: it reads again what was not reached",
                "处理原因后重新运行方案：未轮到的单据会再次读取",
            ),
        ),
        What::Stopped => (
            tongue.t("paused by itself", "已自动暂停"),
            tongue.t("Fix the cause, then press p in skydeck to resume", "处理原因后在 skydeck 中按 p 继续"),
        ),
        What::Interrupted => (
            tongue.t("was interrupted: its process ended", "被中断：进程已结束"),
            tongue.t(
                "Unknown bills are read back; press p in skydeck to resume",
                "结果未知的单据会回查；在 skydeck 中按 p 继续",
            ),
        ),
        What::Waits => (
            tongue.t("waits for an approval", "等待批准"),
            tongue.t("Review the set in skydeck and approve it with a", "在 skydeck 中按 a 查看并批准"),
        ),
        What::UnknownLong => (
            tongue.t("has bills that stay unknown", "有单据结果长时间未知"),
            tongue.t("Check that the server answers; v verifies them", "检查服务器是否正常；按 v 核实"),
        ),
    };
    let s = &item.sum;
    let production = if item.production { tongue.t(" (PRODUCTION)", "（生产）") } else { "" };
    let again = if item.times > 1 { format!(" ×{}", item.times) } else { String::new() };
    let words = operation_words::in_sum(&item.op);
    let op = if item.op.is_audit() { String::new() } else { format!(" {}", show(item.op.as_str(), REASON).as_str()) };
    let since = item.since.map(|since| format!("{}{}", tongue.t(", ", "，"), since_words(tongue, since)));
    let head = format!(
        "{}{production} · {}{}{what}{again}{} ·{op} {} {}",
        show(item.env.as_str(), REASON).as_str(),
        show(&item.name, REASON).as_str(),
        tongue.t(": ", "："),
        since.unwrap_or_default(),
        tongue.t("found", "共"),
        s.found,
    );
    if item.untold {
        return (head, advice);
    }
    let always = [Slot::Done, Slot::Already, Slot::Skipped, Slot::Failed, Slot::Unknown];
    let seldom = [Slot::NotReached, Slot::Waiting].into_iter().filter(|slot| s.get(*slot) > 0);
    let column = |slot| format!("{} {}", words.column(tongue, slot), s.get(slot));
    let columns: Vec<String> = always.into_iter().chain(seldom).map(column).collect();
    (format!("{head} = {}", columns.join(" + ")), advice)
}
