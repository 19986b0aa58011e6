//! What skips and ways of not knowing are called, where bills are grouped by them.
//!
//! Invariant: every name that a fact can hold has a row, so that people never read the name itself.

use super::bill::Slot;
use super::cause::{Cause, CauseTable};
use super::language::Language;

/// Name, English, Chinese; and what it was called before, which filters still take.
const WORDS: [(&str, &str, &str, &[&str]); 33] = [
    ("draft", "draft", "暂存", &[]),
    ("created", "not submitted", "未提交", &[]),
    ("reaudit", "to be re-audited", "重新审核", &["taken back"]),
    ("other_status", "other status", "其他状态", &["odd status", "状态未知"]),
    ("changed", "changed since it was read", "读取后被改", &["changed since", "批准后被改"]),
    ("gone", "deleted", "已被删除", &["gone", "已不存在"]),
    ("missing", "missing", "未读到", &[]),
    ("held", "held by a rule", "按规则不处理", &["held", "挂起"]),
    ("outside_filter", "outside the filter", "不符合过滤条件", &[]),
    ("excluded", "excluded", "已排除", &[]),
    ("not_reached", "not reached", "未轮到", &[]),
    ("quarantined", "set aside", "已隔离", &["quarantined"]),
    ("unknown_elsewhere", "unknown in another run", "其他运行中结果未知", &["unknown before", "先前未知"]),
    ("timed_out", "timed out", "超时", &[]),
    ("broken", "connection lost", "连接中断", &["connection broke"]),
    ("http_status", "HTTP", "HTTP", &[]),
    ("unreadable", "unreadable response", "响应无法解析", &["unreadable answer", "答复无法读取"]),
    ("too_large", "response too large", "响应过大", &["answer too large", "答复过大"]),
    ("redirected", "redirected", "被重定向", &[]),
    ("not_named", "bill not named", "响应未提及该单据", &["not named", "答复未提及"]),
    ("wrong_ids", "other bill named", "响应的单据不符", &["wrong ids", "答复单据不符"]),
    ("session_lost", "session lost", "登录会话失效", &["会话丢失"]),
    ("server_fault", "server fault", "服务器异常", &[]),
    ("process_died", "process died", "进程中断", &[]),
    ("store_failed", "journal not written", "流水写入失败", &["store failed", "存储失败"]),
    ("changed_since", "changed at read-back", "回查时已变", &["changed since", "其后被改"]),
    ("gone_since", "deleted at read-back", "回查时已删除", &["gone since", "其后消失"]),
    ("differs", "other content there", "已有但内容不同", &[]),
    ("partly", "partly there", "已有一部分", &[]),
    ("contradicted", "read-back contradicts", "回查不符", &[]),
    ("key_not_honoured", "other number given", "编号不符", &[]),
    ("many", "several found", "查到多张", &[]),
    ("absent", "not found", "没有查到", &[]),
];

/// All names, as facts and filters have them.
pub fn names() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(name, ..)| *name)
}

/// The word for a name; `None` for the cause of a failure.
pub fn word(lang: Language, name: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, ..)| *known == name).map(|(_, en, zh, _)| lang.t(*en, *zh))
}

/// All that people may call a name: its word in each language, and those of before.
pub fn words(name: &str) -> Vec<&'static str> {
    let row = WORDS.iter().find(|(known, ..)| *known == name);
    row.map_or_else(Vec::new, |(_, en, zh, was)| [*en, *zh].into_iter().chain(was.iter().copied()).collect())
}

/// Who acts, by the name that a table of causes has.
pub fn who(lang: Language, name: &str) -> &'static str {
    match name {
        "finance" => lang.t("finance", "财务"),
        "warehouse" => lang.t("warehouse", "仓库"),
        "owner" => lang.t("creator", "创建人"),
        "administrator" => lang.t("administrator", "管理员"),
        _ => lang.t("operator", "操作员"),
    }
}

/// What to do about a group of bills, and who does it.
pub fn advice(causes: &CauseTable, lang: Language, slot: Slot, name: &str) -> (String, &'static str) {
    let operator = |en: &str, zh: &str| (lang.t(en, zh).to_owned(), who(lang, "operator"));
    match slot {
        Slot::Failed => match causes.info_failed(&Cause::new(name)) {
            Some(info) => (lang.t(&info.advice_en, &info.advice_zh).clone(), who(lang, &info.who)),
            None => operator("read the ERP message; correct the bill, then retry", "按返回信息更正后重试"),
        },
        Slot::Unknown if matches!(name, "changed_since" | "gone_since") => operator(
            "it changed since the call: look at it in the ERP, then resolve or retry",
            "单据已被改动：到 ERP 中查看，再办结或重试",
        ),
        Slot::Unknown => operator(
            "verify first: its status is read back, it is never sent again blindly",
            "先核实：回查状态，不盲目重发",
        ),
        _ if matches!(name, "draft" | "created") => {
            (lang.t("ask the creator to submit it", "请创建人提交").to_owned(), who(lang, "owner"))
        }
        _ => operator("look at it in the ERP; the next run reads it again", "到 ERP 中查看；下次运行会重新读取"),
    }
}

/// The label of a group of bills: of refused ones their cause, else the word. The site's own causes may be among them: not
/// safe to show as it is.
pub fn label(causes: &CauseTable, lang: Language, slot: Slot, name: &str) -> String {
    let cause = Cause::new(name);
    let info = if slot == Slot::Failed { causes.info_failed(&cause) } else { None };
    let word = word(lang, name).filter(|_| slot != Slot::Failed);
    let label = info.or_else(|| causes.info(&cause)).map(|info| lang.t(&info.en, &info.zh));
    word.map(str::to_owned).or_else(|| label.cloned()).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn every_skip_and_way_of_not_knowing_has_a_word() {
        use crate::domain::bill::{Skip, Status, UnknownWhy as U};
        let skips = [
            Skip::Draft,
            Skip::Created,
            Skip::Reaudit,
            Skip::OtherStatus(String::new()),
            Skip::Changed,
            Skip::Gone,
            Skip::Missing,
            Skip::Held(String::new()),
            Skip::Outside,
            Skip::Excluded,
            Skip::NotReached,
            Skip::Quarantined,
            Skip::UnknownElsewhere,
            Skip::Differs,
            Skip::Partly,
        ];
        let unknowns = [
            U::TimedOut,
            U::Broken,
            U::HttpStatus(500),
            U::Unreadable,
            U::TooLarge,
            U::Redirected,
            U::NotNamed,
            U::WrongIds,
            U::SessionLost,
            U::ServerFault,
            U::ProcessDied,
            U::StoreFailed,
            U::ChangedSince(Status::Draft),
            U::GoneSince,
            U::Contradicted,
            U::KeyNotHonoured,
            U::Many,
            U::Absent,
        ];
        let all: Vec<&str> = skips.iter().map(Skip::word).chain(unknowns.iter().map(U::word)).collect();
        for name in &all {
            assert!(Language::ALL.iter().all(|(_, lang)| word(*lang, name).is_some()), "{name}");
        }
        assert!(names().all(|name| all.contains(&name)), "a name that nothing has");
    }
}
