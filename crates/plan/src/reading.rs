//! Reading a plan file: JSON, then the source, the target and the policy, each naming what it cannot take.
//!
//! Invariant: [`read`] gives a plan only when every part of the file that would reach the ERP is understood.

use serde_json::Value;

use skydeck_core::domain::ids::{EnvId, FormId, PlanId, PlanRev};
use skydeck_core::domain::plan::{Plan, Policy, Source, Target, WriteOptions};
use skydeck_core::domain::step::Verb;

use super::make::{Alone, Beside};
use super::place::{self, Places};
use super::policy::PolicyRead;
use super::problem::Problem;
use super::vendor::Side;
use super::{Note, PlanError, PlanFile, effect, make, policy, rev, source, target};

/// What reading found beside the plan itself.
pub(super) struct Findings {
    pub places: Places,
    pub notes: Vec<Note>,
    pub blocking: Vec<PlanError>,
}

impl Findings {
    /// For looking at a file a second time: findings that nobody reads.
    pub fn deaf() -> Self {
        Self { places: Places::default(), notes: Vec::new(), blocking: Vec::new() }
    }

    /// The plan must not run: why.
    pub fn refuse(&mut self, field: impl Into<String>, problem: impl Into<Problem>) {
        let field = field.into();
        let (line, column) = self.places.of(&field);
        self.blocking.push(PlanError { line, column, field, problem: problem.into() });
    }

    /// The plan may run, but something is read otherwise than it is written.
    pub fn note(&mut self, field: impl Into<String>, message: impl Into<String>) {
        let field = field.into();
        let (line, column) = self.places.of(&field);
        self.notes.push(Note { line, column, field, message: message.into() });
    }
}

/// Reads a plan that can run.
///
/// # Errors
/// Malformed JSON with line and column; otherwise the first thing (by place) that keeps the plan from running. All of
/// them are in [`PlanFile::blocking`] of [`inspect`].
pub fn read(id: PlanId, text: &str) -> Result<PlanFile, PlanError> {
    read_beside(id, text, &Alone)
}

/// The same of a plan whose mapping tables can be read.
///
/// # Errors
/// As [`read`]; also the first thing that keeps a table from being used, with its line.
pub fn read_beside(id: PlanId, text: &str, beside: &dyn Beside) -> Result<PlanFile, PlanError> {
    let file = inspect_beside(id, text, beside)?;
    match file.blocking.first() {
        Some(first) => Err(first.clone()),
        None => Ok(file),
    }
}

/// Reads a plan file as far as it can be understood, for lint, render, diff and show.
///
/// # Errors
/// Only when the text is no JSON object.
pub fn inspect(id: PlanId, text: &str) -> Result<PlanFile, PlanError> {
    inspect_beside(id, text, &Alone)
}

/// The same of a plan whose mapping tables can be read.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_beside(id: PlanId, text: &str, beside: &dyn Beside) -> Result<PlanFile, PlanError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (raw, places) = place::parse(text)?;
    let Value::Object(top) = &raw else {
        return Err(PlanError { line: 1, column: 1, field: String::new(), problem: Problem::NotAnObject });
    };
    let mut findings = Findings { places, notes: Vec::new(), blocking: Vec::new() };

    let (source_raw, target_raw) = sides(top);
    for (key, read) in [("source", &source_raw), ("target", &target_raw)] {
        if read.is_none() && top.get(key).is_some_and(|v| !v.is_null()) {
            findings.refuse(key, Problem::SideNotAnObject { side: key });
        }
    }

    let policy_read = policy::read(top, &mut findings);
    let source_side = source_raw.map(|(raw, at)| Side::read(raw, at, &mut findings));
    let source = if let Some(side) = &source_side {
        source::read(side, (&policy_read, takes_view_names(target_raw, &policy_read)), &mut findings)
    } else {
        findings.refuse("source", Problem::NoSource);
        source::nothing()
    };
    let target = match target_raw {
        Some((raw, at)) => {
            let side = Side::read(raw, at, &mut findings);
            (calls(&side, &source.source, (&policy_read, beside, &id), &mut findings), side.name)
        }
        None if policy_read.collect && !top.contains_key("target") => {
            (target::collecting(&source.source, &policy_read, &mut findings), None)
        }
        None => {
            findings.refuse("target", Problem::NoTarget);
            (nowhere(), None)
        }
    };

    makes_of_records(&target.0, &policy_read, &mut findings);
    pushes_whole_bills(&target.0.verb, (source_side.as_ref(), &source), &mut findings);

    let mut policy = policy_read.policy;
    if policy_read.page_size.is_none() {
        policy.page_size = source.page_size.unwrap_or(policy.page_size);
    }
    policy.remedy = source.remedy;
    let name = text_at(top.get("name")).unwrap_or_else(|| named([source_side.and_then(|s| s.name), target.1], &id));
    let mut plan = Plan {
        id,
        name,
        rev: PlanRev::new(""),
        env: policy_read.env.map(EnvId::new),
        target_env: policy_read.target_env.map(EnvId::new),
        source: Source { ..source.source },
        target: target.0,
        policy: Policy { ..policy },
    };
    plan.rev = rev::of(&plan);
    findings.blocking.sort_by_key(|e| (e.line, e.column));
    findings.notes.sort_by_key(|n| (n.line, n.column));
    Ok(PlanFile {
        plan,
        notes: findings.notes,
        blocking: findings.blocking,
        text: text.to_owned(),
        places: findings.places,
        raw,
    })
}

/// Refuses what a plan cannot do with records that are none of the ERP's.
fn makes_of_records(target: &Target, policy: &PolicyRead, findings: &mut Findings) {
    if policy.take.is_some() {
        source::check_handed_in(target, policy, findings);
    }
    if policy.list.is_some() {
        source::check_list(target, policy, findings);
    }
}

/// Refuses to push a part of what a bill is.
fn pushes_whole_bills(verb: &Verb, (side, source): (Option<&Side<'_>>, &source::SourceRead), findings: &mut Findings) {
    if let (Verb::Push, Some(side)) = (verb, side) {
        let remedy = source.remedy.as_ref().and_then(|remedy| remedy.filter.as_deref());
        make::whole_bills(side, (&source.source, remedy), findings);
    }
}

/// A plan's name by those of its sides.
fn named(sides: [Option<String>; 2], id: &PlanId) -> String {
    let names: Vec<String> = sides.into_iter().flatten().collect();
    if names.is_empty() { id.to_string() } else { names.join(" → ") }
}

/// Whether names of fields are taken as View gives them: where a bill is made of them, or they are kept. Of a plan that calls
/// something they stay unread, as ever: its revision would be another one.
fn takes_view_names(target: RawSide<'_>, policy: &PolicyRead) -> bool {
    target.is_none_or(|(raw, at)| {
        let side = Side::read(raw, at, &mut Findings::deaf());
        make::is_making(&side, &policy.send) || target::is_collecting(&side)
    })
}

/// What a target calls, makes or leaves alone.
fn calls(
    side: &Side<'_>,
    source: &Source,
    (policy, beside, id): (&PolicyRead, &dyn Beside, &PlanId),
    findings: &mut Findings,
) -> Target {
    if target::is_collecting(side) {
        return target::collecting(source, policy, findings);
    }
    let target = if make::is_making(side, &policy.send) {
        make::read(side, source, (&policy.make, &policy.send, beside), findings)
    } else {
        make::refuse_policy(&policy.make, findings);
        make::refuse_send_policy(&policy.send, findings);
        target::read(side, source, findings)
    };
    target::refuse_collect(side, policy, findings);
    effect::check(side, &target.verb, policy, id, findings);
    target
}

type Object = serde_json::Map<String, Value>;

/// A side's object with its path in the file.
type RawSide<'a> = Option<(&'a Object, &'static str)>;

/// Source and target of a file: the pair, or one bare object.
pub(super) fn sides(top: &Object) -> (RawSide<'_>, RawSide<'_>) {
    let of = |key: &'static str| top.get(key).and_then(Value::as_object).map(|map| (map, key));
    if top.contains_key("api") && !top.contains_key("source") && !top.contains_key("target") {
        return if source::is_query(top) { (Some((top, "")), None) } else { (None, Some((top, ""))) };
    }
    (of("source"), of("target"))
}

/// A non-empty text.
pub(super) fn text_at(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
}

/// What stands for a target that is not there: an operation no environment can allow.
pub(super) fn nowhere() -> Target {
    Target {
        verb: Verb::Operation(String::new()),
        form: FormId::new(""),
        options: WriteOptions::default(),
        stripped_flags: Vec::new(),
        make: None,
        collects: false,
    }
}
