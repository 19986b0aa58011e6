//! What came of an order, as a line of the action log keeps it, for Chinese readers. English readers get the sentence itself.
//!
//! Invariant: what is ours is translated, what is not recognised is quoted; nothing is left out.

use super::cause::Cause;
use super::event::ActionEntry;
use super::reason::LeftOut;

/// What an order is called, by its verb ([`super::command::Command::verb`]).
pub struct Verb {
    /// As the log has it.
    name: &'static str,
    /// In English.
    pub en: &'static str,
    /// In Chinese.
    pub zh: &'static str,
}

const fn named(name: &'static str, en: &'static str, zh: &'static str) -> Verb {
    Verb { name, en, zh }
}

const VERBS: [Verb; 19] = [
    named("start", "run", "运行"),
    named("retry", "retry", "重试"),
    named("verify", "verify", "核实"),
    named("approve", "approve", "批准"),
    named("decline", "decline", "放弃"),
    named("pause", "pause", "暂停"),
    named("resume", "resume", "继续"),
    named("cancel", "stop", "停止"),
    named("set_pace", "pace", "更改速率"),
    named("resolve", "resolve", "办结"),
    named("reopen", "re-open", "撤销办结"),
    named("adopt_server", "adopt server", "确认服务器"),
    named("accept_log", "accept log", "接受日志"),
    named("evict", "show out", "移出主机"),
    named("unlock", "unlock", "解锁"),
    named("lock", "lock", "恢复只读"),
    named("reload_plans", "reload", "重读方案"),
    named("take", "take", "接收记录"),
    named("deny", "no alarm", "记为误报"),
];

/// The words of a verb; `None` for one of a later program.
pub fn verb(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// What came of the order of an entry. `label`: what people call a cause.
pub fn zh(entry: &ActionEntry, label: &dyn Fn(&Cause) -> String) -> String {
    let said = &entry.result;
    match (said.strip_prefix("accepted"), &entry.why) {
        (Some(""), _) => "已受理".to_owned(),
        (Some(note), _) => format!("已受理：{}", notes(note.trim_start_matches("; "))),
        (None, Some(why)) if said.starts_with("nothing to do") => format!("无事可做：{}", why.zh_with(label)),
        (None, Some(why)) => format!("未执行：{}", why.zh_with(label)),
        // Of an earlier program, or no refusal.
        (None, None) => format!("未执行：“{said}”"),
    }
}

fn notes(all: &str) -> String {
    all.split("; ").map(note).collect::<Vec<_>>().join("；")
}

fn note(one: &str) -> String {
    if one == "waits for a second person" {
        return "还需另一批准人".to_owned();
    }
    if let Some(host) = one.strip_prefix("handed to ") {
        return format!("已转交 {host}");
    }
    if let Some(left) = one.strip_prefix("left out: ").and_then(|left| all_of(left, left_out)) {
        return format!("未计入：{left}");
    }
    if let Some((plan, rev)) = one.split_once(" under its original revision ") {
        return format!("{plan} 按原版本 {rev}");
    }
    if let Some((env, pace)) = one.split_once(": ").and_then(|(env, rest)| Some((env, all_of(rest, pace)?))) {
        return format!("{env}：{pace}");
    }
    all_of(one, parameter).unwrap_or_else(|| {
        // A name or an address stands as it is; a sentence is quoted.
        if one.contains(' ') && !one.contains('→') { format!("“{one}”") } else { one.to_owned() }
    })
}

/// Parts between commas, where all of them are known.
fn all_of(parts: &str, one: impl Fn(&str) -> Option<String>) -> Option<String> {
    let parts: Option<Vec<String>> = parts.split(", ").map(one).collect();
    parts.map(|parts| parts.join("，"))
}

fn left_out(part: &str) -> Option<String> {
    let (n, words) = part.split_once(' ')?;
    let why = LeftOut::ALL.into_iter().find(|why| why.en() == words)?;
    Some(format!("{n} 张{}", why.zh()))
}

fn pace(part: &str) -> Option<String> {
    let (n, words) = part.split_once(' ')?;
    let n: u32 = n.parse().ok()?;
    match words {
        "a minute" => Some(format!("每分钟 {n} 次")),
        "at a time" => Some(format!("并发 {n}")),
        _ => None,
    }
}

/// A parameter of a run ([`super::command::StartParams::words`]).
fn parameter(part: &str) -> Option<String> {
    match part.split_once(' ') {
        None if part == "sweep" => Some("全量读取".to_owned()),
        None if part == "omissionRemedy" => Some("补偿查询".to_owned()),
        Some(("since", at)) => Some(format!("自 {at}")),
        Some(("until", at)) => Some(format!("至 {at}")),
        Some((n, "numbers")) => Some(format!("{} 个单号", n.parse::<u64>().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::StartParams;
    use crate::domain::ids::{PlanId, RunId};
    use crate::domain::reason::Reason;
    use crate::domain::who::Who;

    fn entry(result: &str, why: Option<Reason>) -> ActionEntry {
        ActionEntry {
            by: Who::of_person(1, "li", None),
            verb: "start".into(),
            order: None,
            run: None,
            plan: None,
            bills: 0,
            reason: None,
            result: result.into(),
            line: None,
            why,
        }
    }

    #[test]
    fn every_order_has_words_and_no_two_have_the_same() {
        let said: std::collections::BTreeSet<_> = VERBS.iter().flat_map(|verb| [verb.en, verb.zh]).collect();
        assert_eq!(said.len(), 2 * VERBS.len());
        // Reading one of a later program names all that are known here.
        let known = serde_json::from_str::<crate::domain::command::Command>("\"of_tomorrow\"").unwrap_err().to_string();
        let known: Vec<&str> = known.split('`').skip(3).step_by(2).collect();
        assert_eq!(known.len(), VERBS.len(), "{known:?}");
        assert!(known.iter().all(|name| verb(name).is_some()), "{known:?}");
    }

    #[test]
    fn everything_that_a_run_can_be_given_is_said_in_chinese() {
        let params = StartParams {
            sweep: true,
            numbers: vec!["A".into(), "B".into()],
            since: Some("2026-11-01".into()),
            until: Some("2026-11-30 08:00:00".into()),
            remedy: true,
            due: None,
        };
        let said = zh(&entry(&format!("accepted; {}", params.words()), None), &|_| String::new());
        assert_eq!(said, "已受理：自 2026-11-01，至 2026-11-30 08:00:00，2 个单号，全量读取，补偿查询");
    }

    #[test]
    fn notes_are_translated_one_by_one_and_what_is_somebody_elses_stays() {
        let left: Vec<String> = LeftOut::ALL.iter().map(|why| format!("2 {}", why.en())).collect();
        let said = notes(&format!("p under its original revision ab12; left out: {}", left.join(", ")));
        assert!(
            said.starts_with("p 按原版本 ab12；未计入：2 张其间已有结果，2 张已隔离") && !said.contains("left"),
            "{said}"
        );
        for (note, words) in [
            ("waits for a second person", "还需另一批准人"),
            ("test: 30 a minute, 2 at a time", "test：每分钟 30 次，并发 2"),
            ("prod", "prod"),
            (
                "https://a.invalid:443/k3cloud → https://b.invalid:443/k3cloud",
                "https://a.invalid:443/k3cloud → https://b.invalid:443/k3cloud",
            ),
            ("something of tomorrow", "“something of tomorrow”"),
            ("7 things", "“7 things”"),
        ] {
            assert_eq!(notes(note), words);
        }
    }

    #[test]
    fn a_refusal_is_said_by_its_reason_and_quoted_where_none_was_kept() {
        let label = |_: &Cause| String::new();
        let busy = Reason::Busy { plan: PlanId::new("p"), run: RunId(ulid::Ulid::nil()) };
        let said = zh(&entry("plan p already has an open run", Some(busy)), &label);
        assert!(said.starts_with("未执行：方案 p 的运行") && !said.contains("open"), "{said}");
        let nothing = zh(&entry("nothing to do: none", Some(Reason::NotResolved {})), &label);
        assert_eq!(nothing, "无事可做：所指单据均未办结，没有可撤销的办结");
        assert_eq!(zh(&entry("plan p is busy", None), &label), "未执行：“plan p is busy”");
    }
}
