//! Plans that push: a conversion of the ERP makes the bill, and the record's number in it is how it is found again.
//!
//! Invariant: one whole record a call, by the rule that the plan names; a conversion whose result nobody could find again is
//! never asked for.

use std::sync::LazyLock;

use serde::Deserialize;

use skydeck_core::domain::ids::{Fid, FormId};
use skydeck_core::domain::mapping::Mapping;
use skydeck_core::domain::plan::{Conversion, Keyed, Make, Quantity, Source, Target};
use skydeck_core::domain::step::{Step, Verb};
use skydeck_core::domain::suggest::nearest;

use super::json::Json;
use super::policy::MakePolicy;
use crate::filter_text;
use crate::problem::Problem;
use crate::problem::make::{Control, MakeProblem};
use crate::reading::{Findings, nowhere};
use crate::render;
use crate::source::{is_entry_level, is_name};
use crate::template::{self, Part};
use crate::vendor::{Entry, Side, truth};

/// What is known of a conversion.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    rule: String,
    from: String,
    to: String,
    field: String,
    #[serde(default)]
    quantity: Option<(String, String)>,
}

#[derive(Debug, Default, Deserialize)]
struct Written {
    link: Vec<Link>,
}

/// The links that are known without a plan naming them.
static LINKS: LazyLock<Vec<Link>> =
    // A file of ours that cannot be read is found by the test below.
    LazyLock::new(|| toml::from_str::<Written>(include_str!("links.toml")).unwrap_or_default().link);

/// Controls of the call.
const CONTROLS: [&str; 14] = [
    "FormId",
    "Ids",
    "Numbers",
    "EntryIds",
    "RuleId",
    "TargetFormId",
    "TargetOrgId",
    "TargetBillTypeId",
    "IsEnableDefaultRule",
    "IsDraftWhenSaveFail",
    "Operation",
    "IsAutoSubmitAndAudit",
    "CustomParams",
    "IsVerifyProcInst",
];

/// Whether a target pushes.
pub(super) fn is_push(side: &Side<'_>) -> bool {
    side.api.as_ref().is_some_and(|api| api.eq_ignore_ascii_case("push"))
}

/// What the controls of a call say.
#[derive(Default)]
struct Said {
    rule: Option<String>,
    to: Option<String>,
    org: Option<i64>,
    bill_type: Option<String>,
    then: Vec<Step>,
    /// Whether the audit looks for a running workflow.
    verify_proc_inst: Option<bool>,
}

/// Reads the target of a plan that pushes.
pub(super) fn read(side: &Side<'_>, source: &Source, policy: &MakePolicy, findings: &mut Findings) -> Target {
    let mut out = Target { verb: Verb::Push, ..nowhere() };
    side.refuse_contradictions(&CONTROLS, findings);
    let said = controls(side, source, findings);
    let given =
        [("key", policy.key.is_some()), ("compare", !policy.compare.is_empty()), ("tables", !policy.tables.is_empty())];
    for (key, given) in given {
        if given {
            findings.refuse(format!("skydeck.{key}"), MakeProblem::NotForPush { key });
        }
    }
    if policy.first == Some(Step::Save) {
        findings.refuse("skydeck.steps", MakeProblem::StepOrder);
    }
    if !source.has_own_number() {
        findings.refuse("skydeck.number", MakeProblem::PushedByNumber { number: source.number_path.clone() });
    }
    let link = said.rule.as_ref().and_then(|rule| LINKS.iter().find(|link| link.rule.eq_ignore_ascii_case(rule)));
    if said.rule.is_none() {
        findings.refuse(side.path("otherRequest"), MakeProblem::NoRule);
    }
    out.form = FormId::new(target_form(side, source, (&said, link), findings));
    let key = policy.link.as_ref().and_then(|link| link.field.clone()).or_else(|| link.map(|link| link.field.clone()));
    if let (None, Some(rule)) = (&key, &said.rule) {
        let known: Vec<&str> = LINKS.iter().map(|link| link.rule.as_str()).collect();
        let near = nearest(rule, &known).map(str::to_owned);
        findings.refuse("skydeck.link", MakeProblem::UnknownLink { rule: rule.clone(), near });
    }
    out.options.verify_proc_inst = said.verify_proc_inst;
    let conversion = Conversion {
        rule: said.rule.clone().unwrap_or_default(),
        quantity: quantity(source, policy, link, findings),
        org: said.org,
        bill_type: said.bill_type,
    };
    out.make = Some(Box::new(Make {
        mapping: Mapping::default(),
        key: key.unwrap_or_default(),
        keyed: Keyed::Open,
        then: policy.then.clone().unwrap_or(said.then),
        compare: Vec::new(),
        probe: policy.probe.clone(),
        id_path: crate::fresh::id_of(out.form.as_str()).unwrap_or("FID").to_owned(),
        number_path: crate::fresh::number_of(out.form.as_str()).to_owned(),
        push: Some(conversion),
        send: None,
    }));
    out
}

/// The form of what is made.
fn target_form(
    side: &Side<'_>,
    source: &Source,
    (said, link): (&Said, Option<&Link>),
    findings: &mut Findings,
) -> String {
    if let Some(link) = link {
        if !link.from.eq_ignore_ascii_case(source.form.as_str()) {
            let (rule, form) = (link.rule.clone(), link.from.clone());
            findings.refuse(side.path("otherRequest"), MakeProblem::RuleOfOtherForm { rule, form });
        }
        if let Some(to) = said.to.as_ref().filter(|to| !to.eq_ignore_ascii_case(&link.to)) {
            let at = side.control("TargetFormId").map_or_else(|| side.path("otherRequest"), |entry| entry.at.clone());
            let (rule, form) = (link.rule.clone(), format!("{}, {to}", link.to));
            findings.refuse(at, MakeProblem::RuleOfOtherForm { rule, form });
        }
        return link.to.clone();
    }
    if said.to.is_none() && said.rule.is_some() {
        findings.refuse(side.path("otherRequest"), MakeProblem::NoTargetForm);
    }
    said.to.clone().unwrap_or_default()
}

/// What is compared of what is there: as the plan says; else as the link says, where the source asks for its column.
fn quantity(source: &Source, policy: &MakePolicy, link: Option<&Link>, findings: &mut Findings) -> Option<Quantity> {
    let of = |(column, made): &(String, String)| {
        let known =
            source.columns.iter().find(|c| c.key.eq_ignore_ascii_case(column) || c.path.eq_ignore_ascii_case(column));
        known.map(|known| Quantity { source: known.key.clone(), made: made.clone() })
    };
    if let Some(given) = policy.link.as_ref().and_then(|link| link.quantity.as_ref()) {
        if of(given).is_none() {
            let keys: Vec<&str> = source.columns.iter().map(|c| c.key.as_str()).collect();
            let near = nearest(&given.0, &keys).map(str::to_owned);
            findings.refuse("skydeck.link.quantity", MakeProblem::Hole { name: given.0.clone(), near });
        }
        return of(given);
    }
    let given = link.and_then(|link| link.quantity.as_ref())?;
    let found = of(given);
    if found.is_none() {
        findings.note(
            "source.request",
            format!("without the column {} nothing tells whether what is there is the whole quantity", given.0),
        );
    }
    found
}

/// Refuses to select bills by their lines: whole bills are pushed, and what is made would be compared with a part of the quantity.
pub(crate) fn whole_bills(side: &Side<'_>, (source, remedy): (&Source, Option<&str>), findings: &mut Findings) {
    let of_lines = |filter: &str| {
        let tokens = filter_text::tokens(&render::visible(filter)).unwrap_or_default();
        let mut fields = filter_text::predicates(&tokens).into_iter().map(|predicate| predicate.field);
        fields.find(|path| is_entry_level(path))
    };
    let at = |control: &str, list: &str| {
        side.control(control).map_or_else(|| side.path(list), |entry: &Entry| entry.at.clone())
    };
    if let Some(field) = of_lines(&source.filter) {
        findings.refuse(at("FilterString", "otherRequest"), MakeProblem::PartOfBills { field });
    }
    if let Some(field) = remedy.and_then(of_lines) {
        findings.refuse(side.path("omissionRemedy.takeOverRequest"), MakeProblem::PartOfBills { field });
    }
    // The comparisons of a condition name columns by their keys.
    let keys: Vec<&str> = source.condition.iter().flatten().map(|condition| condition.field.as_str()).collect();
    let mut columns = source.columns.iter().filter(|column| keys.contains(&column.key.as_str()));
    if let Some(column) = columns.find(|column| is_entry_level(&column.path)) {
        findings.refuse(side.path("condition"), MakeProblem::PartOfBills { field: column.path.clone() });
    }
}

/// Reads the controls of the call.
fn controls(side: &Side<'_>, source: &Source, findings: &mut Findings) -> Said {
    let mut said = Said::default();
    for entry in side.asked.iter().filter(|entry| !entry.container) {
        let Some(text) = entry.text().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else {
            continue;
        };
        let refuse = |findings: &mut Findings, why: Control| {
            let (field, value) = (entry.field.clone(), text.clone());
            findings.refuse(entry.at.clone(), MakeProblem::Control { field, value, why });
        };
        let known = CONTROLS.iter().find(|control| control.eq_ignore_ascii_case(&entry.field)).copied();
        match known {
            Some("FormId") if !text.eq_ignore_ascii_case(source.form.as_str()) => {
                findings.refuse(entry.at.clone(), Problem::OtherForm { text, source: source.form.to_string() });
            }
            Some("Ids") => own(entry, &text, (&source.id_path, source), findings),
            Some("Numbers") => own(entry, &text, (&source.number_path, source), findings),
            Some("EntryIds") => findings.refuse(entry.at.clone(), MakeProblem::WholeBills),
            Some("RuleId") if is_rule(&text) => said.rule = Some(text),
            Some("TargetFormId") if is_name(&text) => said.to = Some(text),
            Some("TargetBillTypeId") if is_rule(&text) => said.bill_type = Some(text),
            Some("TargetOrgId") if text.parse::<i64>().is_ok_and(|org| org >= 0) => {
                said.org = text.parse().ok().filter(|org| *org > 0);
            }
            Some("IsDraftWhenSaveFail") if truth(&text) != Some(false) => {
                findings.refuse(entry.at.clone(), MakeProblem::PushedDraft);
            }
            Some("CustomParams") if text != "{}" => refuse(findings, Control::Unknown),
            Some("IsVerifyProcInst") if truth(&text).is_some() => said.verify_proc_inst = truth(&text),
            Some("IsAutoSubmitAndAudit") if truth(&text) == Some(true) => said.then = vec![Step::Submit, Step::Audit],
            Some("Operation") => match text.to_ascii_lowercase().as_str() {
                "audit" => said.then = vec![Step::Submit, Step::Audit],
                "submit" => said.then = vec![Step::Submit],
                "push" | "save" => {}
                _ => refuse(findings, Control::Unknown),
            },
            // What these say is so anyway: the rule is named, so that no default one is asked for.
            Some(
                "FormId" | "IsEnableDefaultRule" | "IsDraftWhenSaveFail" | "CustomParams" | "IsAutoSubmitAndAudit",
            ) => {}
            Some(_) | None => refuse(findings, Control::Unknown),
        }
    }
    said
}

/// The name of a conversion, or the id of a bill type: one word that says nothing else.
fn is_rule(text: &str) -> bool {
    (1..=120).contains(&text.chars().count())
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Holds what the file says of the record against the record itself: it is pushed by its own id.
fn own(entry: &Entry, text: &str, (path, source): (&String, &Source), findings: &mut Findings) {
    let hole = match template::parts(text).as_deref() {
        Ok([Part::Hole(hole)]) if hole.format.is_none() => hole.name.to_owned(),
        _ => String::new(),
    };
    let column = source.columns.iter().find(|c| c.key == hole);
    if column.is_none_or(|column| column.path != *path) && hole != *path {
        findings.refuse(entry.at.clone(), MakeProblem::NotTheRecord { text: text.to_owned(), want: path.clone() });
    }
}

/// What is sent for one record: the data of the call.
pub(super) fn data(conversion: &Conversion, to: &FormId, fid: &Fid) -> String {
    let text = |text: &str| Json::Text(text.to_owned());
    let raw = |text: String| Json::Raw(text);
    let fields = [
        ("Ids", text(fid.as_str())),
        ("Numbers", Json::List(Vec::new())),
        ("EntryIds", text("")),
        ("RuleId", text(&conversion.rule)),
        ("TargetBillTypeId", text(conversion.bill_type.as_deref().unwrap_or_default())),
        ("TargetOrgId", raw(conversion.org.unwrap_or(0).to_string())),
        ("TargetFormId", text(to.as_str())),
        ("IsEnableDefaultRule", raw("false".to_owned())),
        // A draft has no number, and nobody would find it again.
        ("IsDraftWhenSaveFail", raw("false".to_owned())),
        ("CustomParams", Json::Object(Vec::new())),
    ];
    let mut out = String::new();
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()).write(&mut out);
    out
}

/// Rule, form of the sources, form of what is made, and the field that names the source, of every conversion that is known.
#[cfg(test)]
pub(super) fn known() -> Vec<(String, String, String, String)> {
    LINKS.iter().map(|link| (link.rule.clone(), link.from.clone(), link.to.clone(), link.field.clone())).collect()
}
