//! What a plan wants done to one record, how the record is found again, and what "done" looks like when it is read.
//!
//! Invariant: an [`Operation`] is derived from the plan and never stored, so a newer program reads an old plan as it means
//! it now. What is stored is the plan, and the operation's [`OpId`] as part of [`super::ids::WorkKey`].

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::bill::{APPROVER_PATH, Found, Rev, STATUS_PATH, Status};
use super::ids::{COLLECT, OpId};
use super::plan::{Keyed, Plan, Target};
use super::step::{Step, Verb};

/// What shows three well-known operations: name, field, and the field's value afterwards. Proposed to who writes a plan, and
/// never assumed for one that declares nothing: a form may show it elsewhere.
const SHOWN: [(&str, &str, &str); 3] =
    [("BillClose", "FCloseStatus", "B"), ("Forbid", "FForbidStatus", "B"), ("Enable", "FForbidStatus", "A")];

/// How the name of what makes bills begins; the form they are of follows.
pub const SAVE: &str = "Save:";

/// The same where they are made by a conversion of the ERP.
pub const PUSH: &str = "Push:";

/// The same of records that are sent to another system.
pub const SEND: &str = "Send:";

/// The field that shows an operation of this name as a rule, and its value afterwards.
pub fn shown_by(operation: &str) -> Option<(&'static str, &'static str)> {
    SHOWN.iter().find(|(name, ..)| name.eq_ignore_ascii_case(operation)).map(|(_, field, value)| (*field, *value))
}

/// What a plan writes to declare the effect of an operation; with stand-ins where its name does not tell.
pub fn declaration(operation: &str) -> String {
    let (field, value) = shown_by(operation).unwrap_or(("FIELD", "VALUE"));
    format!("\"skydeck\": {{\"done\": [[\"{field}\", \"in\", \"{value}\"]]}}")
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name in keys.
    pub id: OpId,
    /// How a record is found again after a lost answer.
    pub key: Key,
    /// Its steps, in order. Done is who passed the last one.
    pub steps: Vec<StepSpec>,
}

/// One step of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSpec {
    /// The word in the journal.
    pub step: Step,
    /// The call.
    pub verb: Verb,
    /// What shows that it is done.
    pub effect: Effect,
}

/// What can be read of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// All hold: the step is done.
    pub done: Vec<Test>,
    /// All hold: the step may be called.
    pub ready: Vec<Test>,
    /// Path of who did it, where the form tells.
    pub mine: Option<String>,
}

/// One test of what was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// The field holds one of these values, letter case and blanks at the ends ignored.
    In(String, Vec<String>),
    /// The record is there.
    Exists,
    /// So many records are there.
    Count(u32),
}

/// How a record is found again. It decides what may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Acts on a record that is there, by its id.
    Identity,
    /// A number chosen by us, unique in the target when the plan says so.
    Number {
        /// Field of the target.
        field: String,
        /// The form enforces that it is unique.
        unique: bool,
    },
    /// Our id in a field of theirs, which nothing enforces to be unique.
    Source {
        /// Field of the target.
        field: String,
    },
    /// Made by a conversion: found by its source.
    Link {
        /// Form of what is made.
        form: String,
        /// Path of the source's number in it.
        source_no: String,
        /// The conversion.
        rule: String,
    },
    /// A token that the target documents, beside a look and never in its place.
    Token {
        /// Field of the target that what was made is found by.
        field: String,
        /// Where it stands in the request.
        place: String,
        /// How long the target keeps it.
        keeps_secs: u32,
    },
}

impl Key {
    /// Whether our call makes the record: before it, nothing is there.
    pub fn makes(&self) -> bool {
        match self {
            Self::Identity => false,
            Self::Number { .. } | Self::Source { .. } | Self::Link { .. } | Self::Token { .. } => true,
        }
    }

    /// The field of the target that what was made is found by.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Number { field, .. } | Self::Source { field } | Self::Token { field, .. } => Some(field),
            Self::Link { source_no, .. } => Some(source_no),
            Self::Identity => None,
        }
    }

    /// Whether a call whose effect is not there may be repeated without a person. A number that is not enforced, and a
    /// token older than it is kept, prove nothing. `age_secs`: since the call left.
    pub fn repeats_alone(&self, age_secs: u32) -> bool {
        match self {
            Self::Identity => true,
            Self::Number { unique, .. } => *unique,
            Self::Token { keeps_secs, .. } => age_secs < *keeps_secs,
            Self::Source { .. } | Self::Link { .. } => false,
        }
    }
}

/// What one look showed. `Many` and `Unreadable` are never `Absent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Nothing is there.
    Absent,
    /// One record.
    One(&'a Found),
    /// Several records under one key. By id there is never more than one.
    Many(&'a [Found]),
    /// The look failed.
    Unreadable,
}

impl<'a> Seen<'a> {
    /// What a read by id or by key showed.
    pub fn of(found: Option<&'a Found>) -> Self {
        match found {
            None => Self::Absent,
            Some(found) if found.looked.as_ref().is_some_and(|looked| looked.count > 1) => {
                Self::Many(std::slice::from_ref(found))
            }
            Some(found) => Self::One(found),
        }
    }
}

impl Test {
    /// Whether it holds for a record. A count is of records, not of one.
    pub fn holds(&self, found: &Found) -> bool {
        match self {
            Self::In(path, values) => {
                let is = found.field(path).trim();
                values.iter().any(|value| value.trim().eq_ignore_ascii_case(is))
            }
            Self::Exists => true,
            Self::Count(n) => *n == 1,
        }
    }

    /// The field it reads.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::In(path, _) => Some(path),
            Self::Exists | Self::Count(_) => None,
        }
    }
}

/// As a person reads it: `FCloseStatus in B`.
impl std::fmt::Display for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::In(path, values) => write!(f, "{path} in {}", values.join(",")),
            Self::Exists => f.write_str("exists"),
            Self::Count(n) => write!(f, "count {n}"),
        }
    }
}

impl Effect {
    /// Whether the step is done for this record.
    pub fn is_done(&self, found: &Found) -> bool {
        !self.done.is_empty() && self.done.iter().all(|test| test.holds(found))
    }

    /// Whether the step may be called for this record.
    pub fn is_ready(&self, found: &Found) -> bool {
        self.ready.iter().all(|test| test.holds(found))
    }
}

fn status(codes: &[&str]) -> Vec<Test> {
    vec![Test::In(STATUS_PATH.to_owned(), codes.iter().map(|code| (*code).to_owned()).collect())]
}

/// Submit. As a step before Audit, B is all it leads to; alone, a bill that went on to C by a workflow is done, too.
fn submit(alone: bool) -> StepSpec {
    let done = status(if alone { &["B", "C"] } else { &["B"] });
    let effect = Effect { done, ready: status(&["Z", "A", "D"]), mine: None };
    StepSpec { step: Step::Submit, verb: Verb::Submit, effect }
}

fn audit() -> StepSpec {
    let effect = Effect { done: status(&["C"]), ready: status(&["B"]), mine: Some(APPROVER_PATH.to_owned()) };
    StepSpec { step: Step::Audit, verb: Verb::Audit, effect }
}

/// Save. It is called where nothing is there, and never for a record that is.
fn save() -> StepSpec {
    let effect = Effect { done: vec![Test::Exists], ready: vec![Test::Count(0)], mine: None };
    StepSpec { step: Step::Save, verb: Verb::Save, effect }
}

/// Push. It is called where nothing was made of the record yet.
fn push() -> StepSpec {
    StepSpec { step: Step::Push, verb: Verb::Push, ..save() }
}

/// Send. It is called where nothing is there, as a save is.
fn send() -> StepSpec {
    StepSpec { step: Step::Send, verb: Verb::Send, ..save() }
}

/// What a plan makes, and the steps after.
fn making(plan: &Plan) -> Operation {
    let make = plan.target.make.as_deref();
    let then = make.map(|make| make.then.as_slice()).unwrap_or_default();
    let conversion = make.and_then(|make| make.push.as_ref());
    let mut steps = vec![match plan.target.verb {
        Verb::Push => push(),
        Verb::Send => send(),
        Verb::Save | Verb::Submit | Verb::Audit | Verb::Operation(_) => save(),
    }];
    let audits = then.contains(&Step::Audit);
    if then.contains(&Step::Submit) || audits {
        steps.push(submit(!audits));
    }
    if audits {
        steps.push(audit());
    }
    let field = make.map(|make| make.key.clone()).unwrap_or_default();
    let token = make.and_then(|make| make.send.as_ref()).and_then(|send| send.token.as_ref());
    let key = match (conversion, token, make.map(|make| make.keyed)) {
        (None, Some(token), _) => Key::Token { field, place: token.place.to_string(), keeps_secs: token.keeps_secs },
        (Some(conversion), ..) => {
            Key::Link { form: plan.target.form.to_string(), source_no: field, rule: conversion.rule.clone() }
        }
        (None, None, Some(Keyed::Unique)) => Key::Number { field, unique: true },
        (None, None, Some(Keyed::Open) | None) => Key::Source { field },
    };
    Operation { id: Operation::id_of(&plan.target), key, steps }
}

impl Operation {
    /// The operation of a plan.
    pub fn of(plan: &Plan) -> Self {
        if plan.target.verb.makes() {
            return making(plan);
        }
        if plan.target.collects {
            return Self { id: Self::id_of(&plan.target), key: Key::Identity, steps: Vec::new() };
        }
        let steps = match (&plan.target.verb, plan.policy.submit) {
            (Verb::Audit, false) => vec![audit()],
            (Verb::Audit, true) => vec![submit(false), audit()],
            (Verb::Submit, _) => vec![submit(true)],
            (Verb::Operation(_), _) => {
                let effect =
                    Effect { done: plan.policy.done.clone(), ready: Vec::new(), mine: plan.policy.mine.clone() };
                vec![StepSpec { step: Step::Operate, verb: plan.target.verb.clone(), effect }]
            }
            (Verb::Save | Verb::Push | Verb::Send, _) => Vec::new(),
        };
        Self { id: Self::id_of(&plan.target), key: Key::Identity, steps }
    }

    /// How many of the bills found are submitted before the call that the plan is for; `None` where it submits none first.
    pub fn submitted_first(&self, found: &[(Status, u64)]) -> Option<u64> {
        let (first, rest) = self.steps.split_first()?;
        if first.step != Step::Submit || rest.is_empty() {
            return None;
        }
        let names = |test: &Test, status: &Status| match test {
            Test::In(_, codes) => codes.iter().any(|code| code == status.code()),
            Test::Exists | Test::Count(_) => false,
        };
        let is_ready = |status: &Status| first.effect.ready.iter().any(|test| names(test, status));
        Some(found.iter().filter(|(status, _)| is_ready(status)).map(|(_, n)| n).sum())
    }

    /// The name in keys of what a target does. Of what makes a bill, the form is part of it: one record may have to become a
    /// bill of one form and another of a second.
    pub fn id_of(target: &Target) -> OpId {
        match &target.verb {
            _ if target.collects => OpId::new(COLLECT),
            Verb::Audit => OpId::default(),
            Verb::Submit => OpId::new("Submit"),
            Verb::Operation(name) => OpId::new(name.clone()),
            Verb::Save => OpId::new(format!("{SAVE}{}", target.form)),
            Verb::Push => OpId::new(format!("{PUSH}{}", target.form)),
            Verb::Send => OpId::new(format!("{SEND}{}", target.form)),
        }
    }

    /// The name of an operation whose effect nothing shows: a call of it that is lost could never be settled.
    pub fn blind(&self) -> Option<&str> {
        self.steps.iter().find(|s| s.effect.done.is_empty()).map(|s| match &s.verb {
            Verb::Operation(name) => name.as_str(),
            Verb::Submit => "Submit",
            Verb::Audit => "Audit",
            Verb::Save => "Save",
            Verb::Push => "Push",
            Verb::Send => "Send",
        })
    }

    /// Place of a step. The call of a plan of 0.1.0 stands in the journal as `audit`, whatever it executed.
    pub fn place_of(&self, step: Step) -> usize {
        let last = self.steps.len().saturating_sub(1);
        self.steps.iter().position(|s| s.step == step).unwrap_or(last)
    }

    /// Fields beside the status that a look must bring.
    pub fn looked_at(&self) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        let effects = self.steps.iter().map(|s| &s.effect);
        for effect in effects {
            let tested = effect.done.iter().chain(&effect.ready).filter_map(Test::path);
            for path in tested.chain(effect.mine.as_deref()) {
                let brought = path.eq_ignore_ascii_case(STATUS_PATH) || path.eq_ignore_ascii_case(APPROVER_PATH);
                if !brought && !paths.iter().any(|known| known.eq_ignore_ascii_case(path)) {
                    paths.push(path.to_owned());
                }
            }
        }
        paths
    }

    /// The revision with the state of the fields looked at, for operations that look at others than the status: an
    /// approval is bound to what they held.
    #[must_use]
    pub fn with_state(&self, mut found: Found) -> Found {
        if !found.fields.is_empty() {
            let mut hash = Sha256::new();
            for (path, value) in &found.fields {
                for part in [path.as_str(), value.as_str()] {
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part.as_bytes());
                }
            }
            let state = hash.finalize().iter().take(8).fold(0_u64, |n, byte| (n << 8) | u64::from(*byte));
            found.rev = Rev { state: Some(state), ..found.rev };
        }
        found
    }
}
