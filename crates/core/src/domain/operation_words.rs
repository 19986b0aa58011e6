//! What an operation and its outcomes are called: for people in both languages, and for scripts.
//!
//! Invariant: the words come from the operation of the run and the column of the sum line, and stand here alone. What
//! Audit is called never changes; scripts know its words from 0.1.0 on.

use super::bill::Slot;
use super::ids::{COLLECT, OpId};
use super::language::Language;
use super::operation::{PUSH, SAVE, SEND};
use super::run::Tally;

/// The name of Audit, whose name in keys is empty.
const AUDIT: &str = "Audit";
/// The name of Submit.
const SUBMIT: &str = "Submit";

/// The words of one operation.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// Its name; empty where the words stand for any operation that has none of its own.
    name: &'static str,
    /// What scripts call the two columns that differ by operation.
    pub script: Script,
    /// English.
    pub en: Tongue,
    /// 中文.
    pub zh: Tongue,
}

/// Words of programs.
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say what they are")]
pub struct Script {
    pub done: &'static str,
    pub already: &'static str,
}

/// Words of one language, from long to short.
#[derive(Debug, PartialEq, Eq)]
pub struct Tongue {
    /// What is done to a bill.
    pub verb: &'static str,
    /// The same while it is being done; in English alone another word.
    doing: &'static str,
    /// Done by our call.
    pub done: &'static str,
    /// The same where it is narrow.
    pub done_short: &'static str,
    /// The shortest that still says which outcome is meant.
    pub done_least: &'static str,
    /// Done before any call of ours.
    pub already: &'static str,
    /// The same in a column of the console.
    pub already_list: &'static str,
    /// The same where it is narrow.
    pub already_short: &'static str,
    /// The shortest that still says which outcome is meant.
    pub already_least: &'static str,
}

/// English words of an operation that is not Audit: beside its own word all are alike.
const fn english(verb: &'static str, doing: &'static str, done: &'static str, already: &'static str) -> Tongue {
    Tongue {
        verb,
        doing,
        done,
        done_short: done,
        done_least: done,
        already,
        already_list: "already",
        already_short: "already",
        already_least: "alr",
    }
}

const fn chinese(verb: &'static str, done: &'static str, already: &'static str) -> Tongue {
    Tongue {
        verb,
        doing: verb,
        done,
        done_short: done,
        done_least: done,
        already,
        already_list: already,
        already_short: already,
        already_least: already,
    }
}

const OF_AUDIT: Words = Words {
    name: AUDIT,
    script: Script { done: "audited", already: "already_audited" },
    en: Tongue { done_least: "aud", ..english("audit", "auditing", "audited", "already audited") },
    zh: Tongue {
        done_short: "已审",
        done_least: "已审",
        already_list: "此前已审",
        already_short: "此前已审",
        already_least: "此前",
        ..chinese("审核", "已审核", "此前已审核")
    },
};

/// Words of every operation that has none of its own; and of the sum line of all but Audit.
const OF_ANY: Words = Words {
    name: "",
    script: Script { done: "done", already: "already" },
    en: english("execute", "executing", "done", "already done"),
    zh: Tongue {
        done_short: "完成",
        done_least: "完成",
        already_short: "此前完成",
        already_least: "此前完成",
        ..chinese("执行", "已完成", "此前已完成")
    },
};

const OWN: [Words; 9] = [
    OF_AUDIT,
    Words {
        name: SUBMIT,
        script: Script { done: "submitted", already: "already_submitted" },
        en: english("submit", "submitting", "submitted", "already submitted"),
        zh: chinese("提交", "已提交", "此前已提交"),
    },
    Words {
        name: "BillClose",
        script: Script { done: "closed", already: "already_closed" },
        en: english("close", "closing", "closed", "already closed"),
        zh: chinese("关闭", "已关闭", "此前已关闭"),
    },
    Words {
        name: "Forbid",
        script: Script { done: "forbidden", already: "already_forbidden" },
        en: english("forbid", "forbidding", "forbidden", "already forbidden"),
        zh: chinese("禁用", "已禁用", "此前已禁用"),
    },
    Words {
        name: "Enable",
        script: Script { done: "enabled", already: "already_enabled" },
        en: english("enable", "enabling", "enabled", "already enabled"),
        zh: chinese("启用", "已启用", "此前已启用"),
    },
    Words {
        name: "Save",
        script: Script { done: "created", already: "already_there" },
        en: english("create", "creating", "created", "already there"),
        zh: chinese("新建", "已新建", "此前已有"),
    },
    Words {
        name: "Push",
        script: Script { done: "pushed", already: "already_pushed" },
        en: english("push", "pushing", "pushed", "already pushed"),
        zh: chinese("下推", "已下推", "此前已下推"),
    },
    Words {
        name: "Send",
        script: Script { done: "sent", already: "already_there" },
        en: english("send", "sending", "sent", "already there"),
        zh: chinese("发送", "已发送", "此前已有"),
    },
    Words {
        name: COLLECT,
        script: Script { done: "collected", already: "already_collected" },
        en: english("collect", "collecting", "collected", "already collected"),
        zh: chinese("读取", "已读取", "此前已读取"),
    },
];

/// The form of what an operation makes, where it makes anything.
pub fn made_form(op: &OpId) -> Option<&str> {
    [SAVE, PUSH, SEND].iter().find_map(|makes| op.as_str().strip_prefix(makes))
}

/// What stands in brackets behind what is done: the form that is made, else the operation's name.
fn beside(op: &OpId) -> &str {
    made_form(op).unwrap_or_else(|| name(op))
}

/// The name of what an operation does, without the form that is made.
fn verb_of(op: &OpId) -> &str {
    name(op).split(':').next().unwrap_or_default()
}

/// The words of an operation, where a list or a sentence speaks of one bill.
pub fn words(op: &OpId) -> &'static Words {
    let name = verb_of(op);
    OWN.iter().find(|own| own.name.eq_ignore_ascii_case(name)).unwrap_or(&OF_ANY)
}

/// The words of its sum line: those of Audit, or those of any other operation.
pub fn in_sum(op: &OpId) -> &'static Words {
    if op.is_audit() { &OF_AUDIT } else { &OF_ANY }
}

/// Words for bills of several operations.
pub fn of_any() -> &'static Words {
    &OF_ANY
}

/// What an operation is called where it is named, in JSON too. Audit has no name in keys.
pub fn name(op: &OpId) -> &str {
    if op.is_audit() { AUDIT } else { op.as_str() }
}

impl Words {
    /// Whether the operation has words of its own.
    fn is_own(&self) -> bool {
        !self.name.is_empty()
    }

    /// The words of one language.
    pub fn tongue(&self, lang: Language) -> &Tongue {
        lang.t(&self.en, &self.zh)
    }

    /// The word of people for a column of a sum.
    pub fn column(&self, lang: Language, slot: Slot) -> &'static str {
        let words = self.tongue(lang);
        match slot {
            Slot::Done => words.done,
            Slot::Already => words.already,
            Slot::Waiting => lang.t("waiting", "待处理"),
            Slot::Skipped => lang.t("skipped", "跳过"),
            Slot::Failed => lang.t("failed", "失败"),
            Slot::Unknown => lang.t("unknown", "未知"),
            Slot::NotReached => lang.t("not reached", "未轮到"),
        }
    }

    /// The word of programs for a column.
    pub fn script_of(&self, slot: Slot) -> &'static str {
        match slot {
            Slot::Done => self.script.done,
            Slot::Already => self.script.already,
            Slot::Waiting | Slot::Skipped | Slot::Failed | Slot::Unknown | Slot::NotReached => slot.word(),
        }
    }
}

/// What an outcome is called in JSON and exports: the words of 0.1.0 for Audit, for any other operation the column's.
pub fn code(op: &OpId, slot: Slot) -> &'static str {
    in_sum(op).script_of(slot)
}

/// `Audit 24 bills`, `Close 24 bills (BillClose)`, `Execute Foo on 24 bills`. `op`: already safe to show.
pub fn deed_en(op: &OpId, n: &str) -> String {
    let said = on_bills(op, words(op).en.verb, n);
    said.split_at_checked(1).map_or_else(String::new, |(head, tail)| head.to_ascii_uppercase() + tail)
}

/// `will audit 24 bills`. `op`: already safe to show.
pub fn will_en(op: &OpId, n: &str) -> String {
    format!("will {}", on_bills(op, words(op).en.verb, n))
}

/// `auditing 24 bills`. `op`: already safe to show.
pub fn doing_en(op: &OpId, n: &str) -> String {
    on_bills(op, words(op).en.doing, n)
}

fn on_bills(op: &OpId, verb: &str, n: &str) -> String {
    let (own, name, bills) = (words(op), name(op), bills_en(n));
    match (own.is_own(), own.name) {
        (true, AUDIT | SUBMIT | COLLECT) => format!("{verb} {bills}"),
        (true, _) => format!("{verb} {bills} ({})", beside(op)),
        (false, _) => format!("{verb} {name} on {bills}"),
    }
}

/// `1 bill`, `24 bills`. `n`: the number as it is written.
pub fn bills_en(n: &str) -> String {
    format!("{n} {}", if n == "1" { "bill" } else { "bills" })
}

/// Who did it, where the ERP did not tell.
pub fn nobody(op: &OpId, lang: Language) -> &'static str {
    if op.is_audit() {
        lang.t("auditor not returned by the ERP", "ERP 未返回审核人")
    } else {
        lang.t("person not returned by the ERP", "ERP 未返回处理人")
    }
}

/// `审核 24 张单据`, `关闭 24 张单据（BillClose）`, `对 24 张单据执行 Foo`. `op`: already safe to show.
pub fn deed_zh(op: &OpId, n: &str) -> String {
    let (own, name) = (words(op), name(op));
    let verb = own.zh.verb;
    match (own.is_own(), own.name) {
        (true, AUDIT | SUBMIT | COLLECT) => format!("{verb} {n} 张单据"),
        (true, _) => format!("{verb} {n} 张单据（{}）", beside(op)),
        (false, _) => format!("对 {n} 张单据{verb} {name}"),
    }
}

/// The call, as a step of a bill's way: `audit`, `submit`, else the operation's name.
pub fn call_en(op: &OpId) -> &str {
    let own = words(op);
    if matches!(own.name, AUDIT | SUBMIT) { own.en.verb } else { name(op) }
}

/// The same in Chinese: `审核`, `关闭（BillClose）`, `执行操作 Foo`.
pub fn call_zh(op: &OpId) -> String {
    let (own, name) = (words(op), name(op));
    match (own.is_own(), own.name) {
        (true, AUDIT | SUBMIT) => own.zh.verb.to_owned(),
        (true, _) => format!("{}（{name}）", own.zh.verb),
        (false, _) => format!("{}操作 {name}", own.zh.verb),
    }
}

/// The same where it is narrow: `关闭`, `Foo`.
pub fn call_zh_short(op: &OpId) -> &str {
    let own = words(op);
    if own.is_own() { own.zh.verb } else { name(op) }
}

/// `None of the 24 bills can be closed now`.
pub fn none_en(op: &OpId, n: &str) -> String {
    let own = words(op);
    let done = if own.is_own() { own.en.done.to_owned() } else { format!("called with {}", name(op)) };
    match n {
        "1" => format!("The one bill cannot be {done} now"),
        n => format!("None of the {n} bills can be {done} now"),
    }
}

/// `本批 24 张现在都不能关闭`.
pub fn none_zh(op: &OpId, n: &str) -> String {
    let own = words(op);
    if own.is_own() {
        format!("本批 {n} 张现在都不能{}", own.zh.verb)
    } else {
        format!("本批 {n} 张现在都不能执行 {}", name(op))
    }
}

/// The sum line as the action log tells it: columns that are seldom filled only where they are.
pub fn sum_en(op: &OpId, tally: &Tally) -> String {
    let words = &in_sum(op).en;
    let already = if op.is_audit() { words.already_list } else { words.already };
    let always = [(words.done, tally.audited), (already, tally.already), ("skipped", tally.skipped)];
    let always = always.into_iter().chain([("failed", tally.failed), ("unknown", tally.unknown)]);
    let seldom = [("not reached", tally.not_reached), ("waiting", tally.waiting)].into_iter().filter(|(_, n)| *n > 0);
    let parts: Vec<String> = always.chain(seldom).map(|(word, n)| format!("{word} {n}")).collect();
    format!("found {} = {}", tally.found, parts.join(" + "))
}

/// Names of a column in filters, whatever the operation. `audited` and `already_audited` are among them: scripts of 0.1.0
/// mean the column by them.
pub fn column_names(slot: Slot) -> &'static [&'static str] {
    match slot {
        Slot::Waiting => &["waiting", "待处理", "等待"],
        Slot::Done => &["done", "audited", "已完成", "完成"],
        Slot::Already => &["already", "already_audited", "already_done", "此前已完成", "此前完成"],
        Slot::Skipped => &["skipped", "跳过"],
        Slot::Failed => &["failed", "失败"],
        Slot::Unknown => &["unknown", "未知", "结果未知"],
        Slot::NotReached => &["not_reached", "未轮到"],
    }
}

/// What people read in Chinese for the name that scripts have for a column.
pub fn column_zh(name: &str) -> Option<&'static str> {
    let slots =
        [Slot::Waiting, Slot::Done, Slot::Already, Slot::Skipped, Slot::Failed, Slot::Unknown, Slot::NotReached];
    let names = slots.into_iter().map(column_names).find(|names| names.first() == Some(&name))?;
    names.iter().copied().find(|name| !name.is_ascii())
}

fn own_names(words: &Words, slot: Slot) -> [&'static str; 3] {
    match slot {
        Slot::Done => [words.script.done, words.zh.done, words.zh.done_short],
        Slot::Already => [words.script.already, words.zh.already, words.zh.already_list],
        Slot::Waiting | Slot::Skipped | Slot::Failed | Slot::Unknown | Slot::NotReached => [slot.word(); 3],
    }
}

/// Whether a name of a column, or the operation's own word for it, is meant.
pub fn is_called(op: &OpId, slot: Slot, mut means: impl FnMut(&str) -> bool) -> bool {
    column_names(slot).iter().any(|name| means(name)) || own_names(words(op), slot).iter().any(|name| means(name))
}

/// Names of a bill that is being called, of the waiting ones.
pub const TRYING: &[&str] = &["trying", "处理中", "执行中"];
/// Names of a bill that the program repeats at its time, of the waiting ones.
pub const RETRY_AT: &[&str] = &["retry_at", "待重试"];

/// What an operation is called in filters: its name, and what it does in both languages.
pub fn names_of_op(op: &OpId) -> impl Iterator<Item = &str> {
    let own = words(op);
    let verbs = [own.en.verb, own.zh.verb].into_iter().filter(|_| own.is_own());
    std::iter::once(name(op)).chain(verbs)
}

/// The operations that have words of their own.
pub fn known_ops() -> impl Iterator<Item = OpId> {
    OWN.iter().map(|own| if own.name == AUDIT { OpId::default() } else { OpId::new(own.name) })
}

/// Whether a column is called so by any operation.
pub fn is_ever_called(slot: Slot, mut means: impl FnMut(&str) -> bool) -> bool {
    (slot == Slot::Waiting && TRYING.iter().chain(RETRY_AT).any(|name| means(name)))
        || column_names(slot).iter().any(|name| means(name))
        || OWN.iter().any(|own| own_names(own, slot).iter().any(|name| means(name)))
}

/// All names that any column has under any operation.
pub fn every_name() -> Vec<&'static str> {
    let of_columns = Slot::ALL.iter().flat_map(|slot| column_names(*slot).iter().copied());
    of_columns.chain(OWN.iter().flat_map(|own| Slot::ALL.iter().flat_map(|slot| own_names(own, *slot)))).collect()
}

/// Words that a filter offers for a column: those that hold for every operation, then those of the operations at hand.
pub fn offered<'a>(slot: Slot, ops: impl IntoIterator<Item = &'a OpId>) -> Vec<&'static str> {
    let mut out = vec![slot.word()];
    if slot.code() != slot.word() {
        out.push(slot.code());
    }
    for op in ops {
        let word = words(op).script_of(slot);
        if !out.contains(&word) {
            out.push(word);
        }
    }
    out
}

#[cfg(test)]
mod tests;
