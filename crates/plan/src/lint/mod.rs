//! The known hazards of a plan that queries bills and calls an operation on them, each with its line, its reason and a proposed mend.
//!
//! Invariant: lint never changes a plan and never keeps it from running; what does is repeated here as
//! [`Severity::Refuses`], so that one list says everything. The numbers: docs/plans.md#hazards.

mod call;
mod effect;
mod query;
mod signs;

use super::PlanFile;
use super::reading::{self, Findings};
use super::vendor::{Entry, Side};
use skydeck_core::domain::plan::Origin;

/// The number of the hazard that the plan's id is not the one that is used.
pub const ID_PASSED_OVER: u8 = 19;

/// How much a hazard matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; Skydeck deals with it, or nothing can be done in the plan.
    Info,
    /// The plan can leave bills out, touch bills it should not, or hide a rule; mend it.
    Warning,
    /// The plan does not run.
    Refuses,
}

impl Severity {
    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Refuses => "refuses",
        }
    }
}

/// One hazard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hazard {
    /// As docs/plans.md#hazards numbers them; 0: the plan refuses to run.
    pub number: u8,
    /// Line in the file, from 1.
    pub line: usize,
    /// Path such as `source.otherRequest[3].value`.
    pub field: String,
    /// How much it matters.
    pub severity: Severity,
    /// What can happen and why, in English.
    pub message_en: String,
    /// The same in Chinese.
    pub message_zh: String,
    /// What to write instead, where something can be written.
    pub mend: Option<String>,
    /// The same in Chinese, where it is said in words.
    pub mend_zh: Option<String>,
}

impl Hazard {
    /// What to write instead, in the language that is asked for.
    pub fn mend_in(&self, zh: bool) -> Option<&str> {
        self.mend_zh.as_deref().filter(|_| zh).or(self.mend.as_deref())
    }
}

/// All hazards of a plan file, by line.
pub fn lint(file: &PlanFile) -> Vec<Hazard> {
    let mut found = Found { file, out: Vec::new() };
    for problem in &file.blocking {
        let (en, zh) = (problem.problem.words(false), problem.problem.words(true));
        found.out.push(Hazard {
            number: 0,
            line: problem.line,
            field: problem.field.clone(),
            severity: Severity::Refuses,
            message_en: format!("refuses to run: {}", en.message),
            message_zh: format!("方案拒绝运行：{}", zh.message),
            mend: Some(en.hint).filter(|h| !h.is_empty()),
            mend_zh: Some(zh.hint).filter(|h| !h.is_empty()),
        });
    }
    if let Some(top) = file.raw.as_object() {
        let mut unheard = Findings::deaf();
        let (source, target) = reading::sides(top);
        let asks = file.plan.source.origin == Origin::Query;
        if let Some((raw, at)) = source.filter(|_| asks) {
            query::look(&Side::read(raw, at, &mut unheard), &mut found);
        }
        if let Some((raw, at)) = target {
            call::look(&Side::read(raw, at, &mut unheard), &mut found);
        }
    }
    found.out.sort_by(|a, b| (a.line, a.number, &a.field).cmp(&(b.line, b.number, &b.field)));
    found.out
}

/// How many hazards ask for somebody to act: warnings and refusals.
pub fn urgent(hazards: &[Hazard]) -> u32 {
    u32::try_from(hazards.iter().filter(|h| h.severity > Severity::Info).count()).unwrap_or(u32::MAX)
}

/// The list being filled.
struct Found<'a> {
    file: &'a PlanFile,
    out: Vec<Hazard>,
}

impl Found<'_> {
    fn add(
        &mut self,
        number: u8,
        severity: Severity,
        at: &str,
        en: impl Into<String>,
        zh: impl Into<String>,
    ) -> &mut Self {
        let line = self.file.places.of(at).0;
        self.out.push(Hazard {
            number,
            line,
            field: at.to_owned(),
            severity,
            message_en: en.into(),
            message_zh: zh.into(),
            mend: None,
            mend_zh: None,
        });
        self
    }

    /// The mend of the hazard just added.
    fn mend(&mut self, text: impl Into<String>) {
        if let Some(last) = self.out.last_mut() {
            last.mend = Some(text.into());
        }
    }

    /// The same, where it is said in words.
    fn mend_in_both(&mut self, en: impl Into<String>, zh: impl Into<String>) {
        if let Some(last) = self.out.last_mut() {
            (last.mend, last.mend_zh) = (Some(en.into()), Some(zh.into()));
        }
    }
}

/// Where a control stands, or where it would be written.
fn place(side: &Side<'_>, control: &str, list: &str) -> String {
    side.control(control).map_or_else(|| side.path(list), |entry: &Entry| entry.at.clone())
}
