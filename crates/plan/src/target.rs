//! The call side: from the vendor's entries to [`Target`].
//!
//! Invariant: only Submit, Audit and named operations come out of here; what un-does is refused by name, and a bill is
//! always called by its own id, never by a number or a value fixed in the file.

use serde_json::Value;

use skydeck_core::domain::ids::FormId;
use skydeck_core::domain::plan::{Source, Target};
use skydeck_core::domain::run::Flag;
use skydeck_core::domain::step::Verb;

use super::policy::PolicyRead;
use super::problem::make::MakeProblem;
use super::problem::{Key, Problem, Suggest};
use super::reading::{Findings, nowhere, text_at};
use super::source::is_name;
use super::template::{self, Part};
use super::vendor::{Entry, Side, truth};
use skydeck_core::domain::suggest::nearest;

/// Fields of a target that are understood.
pub const FIELDS: [&str; 12] = [
    "FormId",
    "Operation",
    "Numbers",
    "Ids",
    "IgnoreInterationFlag",
    "IsVerifyProcInst",
    "InterationFlags",
    "NetworkCtrl",
    "CreateOrgId",
    "UseOrgId",
    "UseBatControlTimes",
    "SelectedPostId",
];

/// Whether an operation takes back what another did, as far as its name tells.
pub fn undoes(name: &str) -> bool {
    let lower = name.trim().to_lowercase();
    let words = [
        "cancel",
        "delete",
        "remove",
        "revoke",
        "reverse",
        "rollback",
        "withdraw",
        "recall",
        "void",
        "discard",
        "reject",
        "terminate",
        "undo",
        "unaudit",
        "unclose",
        "unforbid",
        "unfreeze",
        "unlock",
        "unsubmit",
        "backaudit",
        "reopen",
        "反",
        "撤",
        "取消",
        "删除",
        "作废",
        "驳回",
        "终止",
        "退回",
    ];
    // `BillUnClose`: the word may stand anywhere in a name whose words begin with capitals.
    let capital = name.split("Un").skip(1).any(|rest| rest.starts_with(char::is_uppercase));
    lower.starts_with("un") || capital || words.iter().any(|w| lower.contains(w))
}

/// The vendor's name of a target that does nothing.
const EMPTY: &str = "写入空操作";

/// Whether a target does nothing, as the vendor writes it.
pub(crate) fn is_collecting(side: &Side<'_>) -> bool {
    let is = |name: &Option<String>| name.as_ref().is_some_and(|name| name.trim() == EMPTY);
    is(&side.api) || (is(&side.name) && side.api.is_none())
}

/// The target of a plan that only collects. What says how something is called has no place in it.
pub(crate) fn collecting(source: &Source, policy: &PolicyRead, findings: &mut Findings) -> Target {
    let given = [
        ("done", policy.declares_done),
        ("mine", policy.policy.mine.is_some()),
        ("submit", policy.policy.submit),
        ("target_env", policy.target_env.is_some()),
    ];
    let given = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key);
    for key in given.chain(policy.make.given()).chain(policy.send.given().iter().copied()) {
        findings.refuse(format!("skydeck.{key}"), MakeProblem::NotForCollecting { key: key.to_owned() });
    }
    Target { form: source.form.clone(), collects: true, ..nowhere() }
}

/// Refuses a plan that is said to collect only and calls something.
pub(crate) fn refuse_collect(side: &Side<'_>, policy: &PolicyRead, findings: &mut Findings) {
    if policy.collect {
        let api = side.api.clone().unwrap_or_default();
        findings.refuse("skydeck.collect", MakeProblem::CollectsAndCalls { api });
    }
}

/// Reads the call side.
pub fn read(side: &Side<'_>, source: &Source, findings: &mut Findings) -> Target {
    let mut out = nowhere();
    side.refuse_contradictions(&FIELDS, findings);
    out.form = form(side, source, findings);
    out.verb = verb(side, findings);
    for entry in side.asked.iter().filter(|e| !e.container) {
        let known = FIELDS.iter().find(|f| f.eq_ignore_ascii_case(&entry.field)).copied();
        let Some(text) = entry.text() else {
            if known.is_none() {
                findings
                    .note(entry.at.clone(), format!("`{}` is not known here and has no value: not sent", entry.field));
            }
            continue;
        };
        if text.contains("_function ") || text.contains("_findCollection ") {
            findings.refuse(entry.at.clone(), Problem::FunctionInTarget);
            continue;
        }
        match known {
            Some("Numbers") => bill_value(entry, &text, source, false, findings),
            Some("Ids") => bill_value(entry, &text, source, true, findings),
            Some("IgnoreInterationFlag") => out.options.ignore_interaction = flag(entry, &text, findings),
            Some("IsVerifyProcInst") => out.options.verify_proc_inst = flag(entry, &text, findings),
            Some("NetworkCtrl") => out.options.network_ctrl = flag(entry, &text, findings),
            Some("InterationFlags") => strip_flags(entry, &text, &mut out, findings),
            Some("CreateOrgId") => out.options.create_org = org(entry, &text, true, findings),
            Some("UseOrgId") => out.options.use_org = org(entry, &text, false, findings),
            Some("UseBatControlTimes" | "SelectedPostId") => {
                if !matches!(truth(&text), Some(false)) {
                    findings.refuse(entry.at.clone(), Problem::NotSent { field: entry.field.clone() });
                }
            }
            Some(_) => {}
            None => {
                let suggest = Suggest { near: nearest(&entry.field, &FIELDS), known: &FIELDS };
                findings.refuse(entry.at.clone(), Problem::UnknownField { field: entry.field.clone(), suggest });
            }
        }
    }
    batch_note(side, findings);
    if let Some(cron) = text_at(side.raw.get("crontab")) {
        match super::schedule::check(&cron) {
            Ok(()) => findings.note(side.path("crontab"), "kept, not obeyed: Skydeck calls right after it has read"),
            Err(fault) => findings.refuse(side.path("crontab"), fault),
        }
    }
    out
}

fn form(side: &Side<'_>, source: &Source, findings: &mut Findings) -> FormId {
    match side.control("FormId").and_then(|e| Some((e, e.text()?))) {
        Some((entry, text)) if !text.eq_ignore_ascii_case(source.form.as_str()) => {
            findings.refuse(entry.at.clone(), Problem::OtherForm { text, source: source.form.to_string() });
            source.form.clone()
        }
        _ => source.form.clone(),
    }
}

fn verb(side: &Side<'_>, findings: &mut Findings) -> Verb {
    let none = Verb::Operation(String::new());
    let Some(api) = &side.api else {
        findings.refuse(side.path("api"), Problem::TargetWithoutApi);
        return none;
    };
    if api.eq_ignore_ascii_case("audit") {
        return Verb::Audit;
    }
    if api.eq_ignore_ascii_case("submit") {
        return Verb::Submit;
    }
    if undoes(api) {
        refuse_undo(&side.path("api"), api, findings);
        return none;
    }
    if !api.eq_ignore_ascii_case("excuteOperation") && !api.eq_ignore_ascii_case("executeOperation") {
        findings.refuse(side.path("api"), Problem::TargetApi { api: api.clone() });
        return none;
    }
    let named = ["Operation", "opNumber"].iter().find_map(|n| side.control(n));
    let Some((entry, name)) = named.and_then(|e| Some((e, e.text()?))) else {
        let at = named.map_or_else(|| side.path("request"), |e| e.at.clone());
        findings.refuse(at, Problem::NoOperationNamed);
        return none;
    };
    if undoes(&name) {
        refuse_undo(&entry.at, &name, findings);
        return none;
    }
    if !is_name(&name) {
        findings.refuse(entry.at.clone(), Problem::OperationName { name });
        return none;
    }
    match name.to_ascii_lowercase().as_str() {
        "audit" => Verb::Audit,
        "submit" => Verb::Submit,
        _ => {
            findings.note(
                entry.at.clone(),
                format!("the environment must allow `{name}` by name before this plan can run"),
            );
            Verb::Operation(name)
        }
    }
}

fn refuse_undo(at: &str, name: &str, findings: &mut Findings) {
    findings.refuse(at, Problem::TakesBack { name: name.to_owned() });
}

/// Checks that Numbers and Ids mean the bill itself: Skydeck sends ids whatever the file says.
fn bill_value(entry: &Entry, text: &str, source: &Source, ids: bool, findings: &mut Findings) {
    let (want, key) = if ids { (&source.id_path, Key::Id) } else { (&source.number_path, Key::Number) };
    let hole = match template::parts(text.trim()) {
        Err(e) => {
            findings.refuse(entry.at.clone(), e.fault);
            return;
        }
        Ok(parts) => match parts.as_slice() {
            [Part::Hole(hole)] if hole.format.is_none() => hole.name.to_owned(),
            _ => {
                let problem = Problem::NotTheBill { text: text.to_owned(), key, want: want.clone() };
                findings.refuse(entry.at.clone(), problem);
                return;
            }
        },
    };
    let last = hole.rsplit('.').next().unwrap_or_default();
    let column = source.columns.iter().find(|c| c.key == hole || c.key == last);
    let path = column.map_or(last, |c| c.path.as_str());
    if path != want && hole != *want {
        findings.refuse(entry.at.clone(), Problem::NotTheColumn { hole, key, want: want.clone() });
    } else if !ids {
        findings.note(entry.at.clone(), "Numbers is understood; the bill's id is sent instead, because it is unique");
    }
}

fn flag(entry: &Entry, text: &str, findings: &mut Findings) -> Option<bool> {
    let read = truth(text);
    if read.is_none() {
        findings.refuse(entry.at.clone(), Problem::NoTruth { text: text.to_owned() });
    }
    read
}

fn strip_flags(entry: &Entry, text: &str, out: &mut Target, findings: &mut Findings) {
    for name in text.split([';', ',', '，', '；']).map(str::trim).filter(|f| !f.is_empty()) {
        if !is_name(name) {
            findings.refuse(entry.at.clone(), Problem::FlagName { name: name.to_owned() });
        } else if !out.stripped_flags.iter().any(|f| f.0 == name) {
            out.stripped_flags.push(Flag(name.to_owned()));
        }
    }
    let names: Vec<&str> = out.stripped_flags.iter().map(|f| f.0.as_str()).collect();
    findings.note(
        entry.at.clone(),
        format!("not sent by itself: {}; the operator may choose it for one run, with a reason", names.join(", ")),
    );
}

fn org(entry: &Entry, text: &str, may_be_left_out: bool, findings: &mut Findings) -> Option<i64> {
    if let Ok(n) = text.trim().parse::<i64>() {
        return (n != 0).then_some(n);
    }
    if may_be_left_out {
        findings.note(entry.at.clone(), "not sent: an organisation is only needed beside Numbers, and ids are sent");
    } else {
        findings.refuse(entry.at.clone(), Problem::OrganisationId { text: text.to_owned() });
    }
    None
}

fn batch_note(side: &Side<'_>, findings: &mut Findings) {
    let direct = side.raw.get("operation").map(|v| (side.path("operation"), v));
    let factory = side.raw.get("buildFactory").and_then(|f| f.get("operation"));
    let Some((at, operation)) = direct.or_else(|| factory.map(|v| (side.path("buildFactory.operation"), v))) else {
        return;
    };
    let rows = operation.get("rows").and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok())).unwrap_or(1);
    if rows > 1 && operation.get("method").and_then(Value::as_str).is_some_and(|m| m != "none") {
        findings.note(
            format!("{at}.rows"),
            format!("{rows} bills a call are not taken over: skydeck.batch says how many (1)"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::undoes;

    #[test]
    fn a_name_that_takes_something_back_says_so_anywhere_in_it() {
        for name in [
            "UnAudit",
            "unclose",
            "BillUnClose",
            "RowUnClose",
            "MRPUnClose",
            "EntryUnFreeze",
            "billunclose",
            "BackAudit",
            "Reopen",
            "CancelAssign",
            "反关闭",
            "整单反审核",
        ] {
            assert!(undoes(name), "{name}");
        }
        for name in
            ["BillClose", "Forbid", "Enable", "Audit", "RunMRP", "BatchFund", "整单关闭", "FundClose", "SETUNIT"]
        {
            assert!(!undoes(name), "{name}");
        }
    }
}
