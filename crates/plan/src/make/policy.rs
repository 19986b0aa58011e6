//! What the `skydeck` object of a plan says of the bills that the plan makes.
//!
//! Invariant: a key of another shape is refused where it stands; nothing is assumed in its place.

use serde_json::Value;

use skydeck_core::domain::step::Step;

use super::table;
use crate::problem::make::MakeProblem;
use crate::reading::Findings;
use crate::source::is_name;

/// What the policy says of a plan that makes bills.
#[derive(Clone, Debug, Default)]
pub(crate) struct MakePolicy {
    /// The key field, whether it is the form's own number, and whether the form lets a number stand once.
    pub key: Option<(String, bool)>,
    /// The making itself, where the policy names steps.
    pub first: Option<Step>,
    /// Steps after the making, where the policy names any.
    pub then: Option<Vec<Step>>,
    /// Where the bills that a conversion makes name the record they were made of.
    pub link: Option<LinkPolicy>,
    /// Paths to compare.
    pub compare: Vec<String>,
    /// A number that is known to be there.
    pub probe: Option<String>,
    /// Mapping tables: name and file of each.
    pub tables: Vec<(String, String)>,
}

impl MakePolicy {
    /// Reads one of its keys; false where it is none of them.
    pub(crate) fn take(&mut self, (key, value): (&str, &Value), at: &str, findings: &mut Findings) -> bool {
        let shown = || value.to_string();
        match key {
            "key" => match key_of(value) {
                Some(read) => self.key = Some(read),
                None => findings.refuse(at, MakeProblem::KeyShape { value: shown() }),
            },
            "steps" => (self.first, self.then) = steps(value, at, findings).unzip(),
            "link" => match link_of(value) {
                Some(read) => self.link = Some(read),
                None => findings.refuse(at, MakeProblem::LinkShape { value: shown() }),
            },
            "compare" => match value.as_array().map(|all| all.iter().map(text).collect::<Option<Vec<_>>>()) {
                Some(Some(paths)) if paths.iter().all(|p| crate::source::is_path(p)) => self.compare = paths,
                _ => findings.refuse(at, MakeProblem::KeyShape { value: shown() }),
            },
            "probe" => match text(value).filter(|no| !no.is_empty()) {
                Some(no) => self.probe = Some(no),
                None => findings.refuse(at, MakeProblem::ProbeShape { value: shown() }),
            },
            "tables" => self.tables = table::named(value, at, findings),
            _ => return false,
        }
        true
    }

    /// The keys that only a plan that makes bills has, as far as they are given.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let all = [
            ("key", self.key.is_some()),
            ("steps", self.then.is_some()),
            ("link", self.link.is_some()),
            ("compare", !self.compare.is_empty()),
            ("probe", self.probe.is_some()),
            ("tables", !self.tables.is_empty()),
        ];
        all.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(|text| text.trim().to_owned())
}

/// `{"number": "FBillNo", "unique": true}` or `{"source": "F_QEB_SrcNo"}`; whether a value stands there once.
fn key_of(value: &Value) -> Option<(String, bool)> {
    let map = value.as_object()?;
    let known = map.keys().all(|key| matches!(key.as_str(), "number" | "source" | "unique"));
    let unique = match map.get("unique") {
        None => false,
        Some(value) => value.as_bool()?,
    };
    let (number, source) = (map.get("number"), map.get("source"));
    let field = match (number, source) {
        (Some(field), None) => field,
        (None, Some(field)) if !unique => field,
        _ => return None,
    };
    let field = text(field).filter(|field| known && is_name(field))?;
    Some((field, unique))
}

fn steps(value: &Value, at: &str, findings: &mut Findings) -> Option<(Step, Vec<Step>)> {
    let mut all = Vec::new();
    for item in value.as_array().map(Vec::as_slice).unwrap_or_default() {
        all.push(match item.as_str().map(str::to_lowercase).as_deref() {
            Some("save") => Step::Save,
            Some("push") => Step::Push,
            Some("submit") => Step::Submit,
            Some("audit") => Step::Audit,
            _ => {
                findings.refuse(at, MakeProblem::StepName { value: item.to_string() });
                return None;
            }
        });
    }
    match all.as_slice() {
        [first @ (Step::Save | Step::Push), then @ ..]
            if matches!(then, [] | [Step::Submit] | [Step::Submit, Step::Audit]) =>
        {
            Some((*first, then.to_vec()))
        }
        _ => {
            findings.refuse(at, MakeProblem::StepOrder);
            None
        }
    }
}

/// `skydeck.link`: where the bills that a conversion makes name the record they were made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkPolicy {
    pub field: Option<String>,
    /// A column of the source, and the field of what is made.
    pub quantity: Option<(String, String)>,
}

/// Reads `{"field": "FSourceBillNo", "quantity": ["FRealQty", "FPriceQty"]}`; `None`: it is of another shape.
fn link_of(value: &Value) -> Option<LinkPolicy> {
    let map = value.as_object()?;
    if !map.keys().all(|key| matches!(key.as_str(), "field" | "quantity")) {
        return None;
    }
    let name = |value: &Value| value.as_str().map(str::trim).filter(|name| is_name(name)).map(str::to_owned);
    let field = match map.get("field") {
        None => None,
        Some(value) => Some(name(value)?),
    };
    let quantity = match map.get("quantity") {
        None => None,
        Some(value) => match value.as_array()?.as_slice() {
            [source, made] => Some((name(source)?, name(made)?)),
            _ => return None,
        },
    };
    Some(LinkPolicy { field, quantity })
}
