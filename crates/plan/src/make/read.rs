//! The request tree of a plan that makes bills, as the vendor writes it: nested in `children`, or flat with `parent`.

use skydeck_core::domain::ids::FormId;
use skydeck_core::domain::mapping::{Field, Kind, Mapping, Table};
use skydeck_core::domain::plan::{Keyed, Make, Source, Target};
use skydeck_core::domain::run::Flag;
use skydeck_core::domain::step::{Step, Verb};

use super::find;
use super::policy::MakePolicy;
use super::push;
use super::send::{self, SendPolicy};
use super::table::{self, Beside};
use super::template::{self, Names};
use super::tree::{CONTROLS, inner_list, tree};
use crate::function;
use crate::problem::make::{Control, MakeProblem};
use crate::problem::{FunctionFault as F, Problem};
use crate::reading::{Findings, nowhere};
use crate::source::is_name;
use crate::vendor::{Entry, List, Side, truth};

/// Whether a target makes bills.
pub(crate) fn is_making(side: &Side<'_>, policy: &SendPolicy) -> bool {
    let says = |word: &str| side.api.as_ref().is_some_and(|api| api.eq_ignore_ascii_case(word));
    says("batchSave") || says("save") || says("draft") || push::is_push(side) || send::is_sending(side, policy)
}

/// Refuses the keys of a plan that makes bills where the plan makes none.
pub(crate) fn refuse_policy(policy: &MakePolicy, findings: &mut Findings) {
    for key in policy.given() {
        findings.refuse(format!("skydeck.{key}"), MakeProblem::OnlyForMaking { key: key.to_owned() });
    }
}

/// Reads the target of a plan that makes bills.
pub(crate) fn read(
    side: &Side<'_>,
    source: &Source,
    (policy, send, beside): (&MakePolicy, &SendPolicy, &dyn Beside),
    findings: &mut Findings,
) -> Target {
    if send::is_sending(side, send) {
        return send::read(side, source, (policy, send, beside), findings);
    }
    send::refuse_policy(send, findings);
    if push::is_push(side) {
        return push::read(side, source, policy, findings);
    }
    if policy.first == Some(Step::Push) {
        findings.refuse("skydeck.steps", MakeProblem::StepOrder);
    }
    if policy.link.is_some() {
        findings.refuse("skydeck.link", MakeProblem::OnlyForPush);
    }
    let mut out = Target { verb: Verb::Save, ..nowhere() };
    out.form = form(side, findings);
    if side.api.as_ref().is_some_and(|api| api.eq_ignore_ascii_case("draft")) {
        findings.refuse(side.path("api"), MakeProblem::Draft);
    }
    let then = controls(side, policy, &mut out, findings);
    let id_path = crate::fresh::id_of(out.form.as_str()).unwrap_or("FID");
    let fields = tree(side, Some((&CONTROLS, id_path)), findings);
    if fields.is_empty() {
        findings.refuse(side.path("request"), MakeProblem::NoFields);
    }
    let before = findings.blocking.len();
    let sheets = table::read(&policy.tables, beside, findings);
    // Of a table that cannot be read nothing more can be told.
    let unread = findings.blocking.len() > before;
    let tables: Vec<Table> = sheets.iter().map(|sheet| sheet.table.clone()).collect();
    let names = Names { source, tables: &tables };
    let mut check = Check { names, unread, findings };
    check.all(&fields, None);
    let tables = table::used(sheets, &find::wanted(&fields, None, names), findings);
    let (key, keyed) = key(side, &fields, policy, findings);
    out.make = Some(Box::new(Make {
        mapping: Mapping { fields, tables },
        key,
        keyed,
        then: policy.then.clone().unwrap_or(then),
        compare: policy.compare.clone(),
        probe: policy.probe.clone(),
        id_path: id_path.to_owned(),
        number_path: crate::fresh::number_of(out.form.as_str()).to_owned(),
        push: None,
        send: None,
    }));
    out
}

fn form(side: &Side<'_>, findings: &mut Findings) -> FormId {
    match side.control("FormId").and_then(|e| Some((e, e.text()?))) {
        Some((_, text)) if is_name(text.trim()) => FormId::new(text.trim()),
        Some((entry, text)) => {
            findings.refuse(entry.at.clone(), Problem::FormId { text });
            FormId::new("")
        }
        None => {
            findings.refuse(side.path("otherRequest"), MakeProblem::NoForm);
            FormId::new("")
        }
    }
}

pub(super) fn key(side: &Side<'_>, fields: &[Field], policy: &MakePolicy, findings: &mut Findings) -> (String, Keyed) {
    let Some((key, unique)) = &policy.key else {
        findings.refuse(side.path("request"), MakeProblem::NoKey);
        return (String::new(), Keyed::Open);
    };
    match fields.iter().find(|field| field.name.eq_ignore_ascii_case(key)) {
        None => findings.refuse("skydeck.key", MakeProblem::KeyNotSent { key: key.clone() }),
        Some(field) if field.kind != Kind::Text || field.parser.is_some() => {
            findings.refuse("skydeck.key", MakeProblem::KeyInList { key: key.clone() });
        }
        Some(_) => {}
    }
    (key.clone(), if *unique { Keyed::Unique } else { Keyed::Open })
}

/// Reads the controls; gives the steps after the making that they ask for.
fn controls(side: &Side<'_>, policy: &MakePolicy, out: &mut Target, findings: &mut Findings) -> Vec<Step> {
    let mut then = Vec::new();
    let given: Vec<&Entry> = side.asked.iter().filter(|e| is_control(e) && !e.container).collect();
    for entry in given {
        let Some(text) = entry.text() else { continue };
        let yes = truth(&text);
        let known = CONTROLS.iter().find(|c| c.eq_ignore_ascii_case(&entry.field)).copied();
        let mut refuse = |why: Control| {
            let (field, value) = (entry.field.clone(), text.clone());
            findings.refuse(entry.at.clone(), MakeProblem::Control { field, value, why });
        };
        match known {
            Some("IsVerifyBaseDataField") if yes == Some(false) => findings.note(
                entry.at.clone(),
                "sent as true: otherwise the ERP leaves a field empty whose number it does not know",
            ),
            Some("IsDeleteEntry") if yes == Some(true) => {
                findings.note(entry.at.clone(), "sent as false: nothing that is there is ever deleted");
            }
            Some("ValidateFlag") if yes != Some(true) => refuse(Control::Unchecked),
            Some("IsAutoAdjustField" | "Creator") if yes != Some(false) => refuse(Control::Changes),
            Some("NeedUpDateFields" | "Model") => refuse(Control::Changes),
            Some("BatchCount") if text.trim() != "0" && text.trim() != "1" => refuse(Control::Threads),
            Some("InterationFlags") => flags(entry, &text, out, findings),
            Some("IgnoreInterationFlag") => out.options.ignore_interaction = yes,
            Some("IsVerifyProcInst") => out.options.verify_proc_inst = yes,
            Some("IsAutoSubmitAndAudit") if yes == Some(true) => then = vec![Step::Submit, Step::Audit],
            Some("Operation") => match text.trim().to_ascii_lowercase().as_str() {
                "audit" => then = vec![Step::Submit, Step::Audit],
                "submit" => then = vec![Step::Submit],
                "save" | "batchsave" => {}
                "draft" => findings.refuse(entry.at.clone(), MakeProblem::Draft),
                _ => refuse(Control::Unknown),
            },
            // What these say is so anyway, or says nothing about the bill.
            Some(_) => {}
            None => refuse(Control::Unknown),
        }
    }
    if !then.is_empty() && policy.then.is_none() {
        let entry = ["Operation", "IsAutoSubmitAndAudit"].iter().find_map(|name| side.control(name));
        let at = entry.map_or_else(|| side.path("otherRequest"), |e| e.at.clone());
        findings.note(at, "taken apart: each bill is saved, then submitted, then audited, each by a call of its own");
    }
    then
}

/// Whether an entry says how the call is made, and not what is in the bill.
fn is_control(entry: &Entry) -> bool {
    entry.list == List::OtherRequest || CONTROLS.iter().any(|c| c.eq_ignore_ascii_case(&entry.field))
}

fn flags(entry: &Entry, text: &str, out: &mut Target, findings: &mut Findings) {
    for name in text.split([';', ',', '，', '；']).map(str::trim).filter(|name| !name.is_empty()) {
        if is_name(name) {
            out.stripped_flags.push(Flag(name.to_owned()));
        } else {
            findings.refuse(entry.at.clone(), Problem::FlagName { name: name.to_owned() });
        }
    }
    findings.note(entry.at.clone(), "not sent by itself; the operator may choose it for one run, with a reason");
}

/// Reads every template of the tree, and names what it cannot read.
pub(super) struct Check<'a, 'b> {
    pub names: Names<'a>,
    /// A table of the plan could not be read: what is not found in it may be there.
    pub unread: bool,
    pub findings: &'b mut Findings,
}

impl Check<'_, '_> {
    pub(super) fn all(&mut self, fields: &[Field], list: Option<&str>) {
        for field in fields {
            if field.kind == Kind::List && !field.children.is_empty() {
                if let (Some(outer), Some(inner)) = (list, inner_list(field)) {
                    let (name, list, inner) = (field.name.clone(), outer.to_owned(), inner.to_owned());
                    self.findings.refuse(field.at.clone(), MakeProblem::ListInList { name, list, inner });
                }
                self.all(&field.children, inner_list(field).or(list));
                continue;
            }
            for text in [&field.value, &field.default] {
                match template::compile(text, list, self.names) {
                    Err(MakeProblem::NoTable { .. } | MakeProblem::NoTableColumn { .. }) if self.unread => {}
                    Err(problem) => self.findings.refuse(field.at.clone(), problem),
                    Ok(read) if read.is_expression => self.expression(field, &read),
                    Ok(_) => {}
                }
            }
            self.all(&field.children, list);
        }
    }

    /// An expression is evaluated with a made-up value in each hole, so that a word it does not know is found before any run.
    fn expression(&mut self, field: &Field, read: &template::Template) {
        let mut text = String::new();
        for piece in &read.pieces {
            match piece {
                template::Piece::Text(part) => text.push_str(part),
                template::Piece::Column { .. } | template::Piece::Variable(..) | template::Piece::Find(_) => {
                    text.push('1');
                }
            }
        }
        match function::compute(&text, 480) {
            // These depend on the values.
            Ok(_)
            | Err(
                F::NoDate { .. }
                | F::NoMoment { .. }
                | F::Endless
                | F::Null
                | F::MixedKinds
                | F::Collation { .. }
                | F::NoCondition { .. }
                | F::OutOfRange
                | F::Reckoning
                | F::Locate
                | F::TextOrder,
            ) => {}
            Err(fault) => self.findings.refuse(field.at.clone(), MakeProblem::Function(fault)),
        }
    }
}
