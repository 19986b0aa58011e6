//! The vendor's plan files ⇄ [`skydeck_core::domain::plan::Plan`]: reading, templates, conditions, lint, render, import.
//!
//! Invariants: text in, values out (no file, no clock); what cannot be done as written is named with its place and
//! [`read`] then gives no plan; keys that are not understood stay in [`PlanFile::raw`] untouched.

pub mod condition;
pub mod import;
pub mod lint;
pub mod make;
pub mod place;
pub mod problem;
pub mod record;
pub mod render;
pub mod rev;
pub mod schedule;
pub mod template;

mod effect;
mod filter_array;
mod filter_text;
mod fresh;
mod function;
mod keys;
mod policy;
#[cfg(test)]
mod properties;
mod reading;
mod schema;
mod show;
mod source;
mod target;
mod vendor;

pub use effect::written_all as done_as_written;
pub use fresh::{Known, new_operation, new_plan, new_plan_of};
pub use import::{Guess, ImportError, Imported, import};
pub use lint::lint;
pub use reading::{inspect, inspect_beside, read, read_beside};
pub use schema::SCHEMA;
pub use show::{Change, diff, effective, text, write_back};
pub use target::undoes;

use std::fmt;

use serde_json::Value;

use skydeck_core::domain::plan::Plan;

use place::Places;
use problem::{Problem, Words};

/// A plan file as it was read.
#[derive(Clone, Debug)]
pub struct PlanFile {
    /// The plan as the engine runs it. Only to be run when [`PlanFile::blocking`] is empty.
    pub plan: Plan,
    /// The whole file, keys in their order, unknown ones included.
    pub raw: Value,
    /// What was read otherwise than it is written, or is not used, each with its place.
    pub notes: Vec<Note>,
    /// Why the plan refuses to run, in order of place; always empty in what [`read`] returns.
    pub blocking: Vec<PlanError>,
    /// The text it was read from, without a byte order mark.
    pub text: String,
    /// Where each value of the text stands.
    pub(crate) places: Places,
}

impl PlanFile {
    /// The plan, or the first reason why it refuses to run.
    pub fn runnable(&self) -> Result<&Plan, &PlanError> {
        self.blocking.first().map_or(Ok(&self.plan), Err)
    }
}

/// A remark about one place of a plan file that does not stop it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Path such as `source.request[3].value`.
    pub field: String,
    /// What was done.
    pub message: String,
}

/// Why a plan file cannot be used: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PlanError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Path such as `source.request[3].value`; empty for the file as a whole.
    pub field: String,
    /// What is wrong.
    pub problem: Problem,
}

impl PlanError {
    /// What is wrong, in English.
    pub fn message(&self) -> String {
        self.problem.words(false).message
    }

    /// What to do about it, in English; may be empty.
    pub fn hint(&self) -> String {
        self.problem.words(false).hint
    }

    /// The whole finding in Chinese.
    pub fn in_chinese(&self) -> String {
        let field = if self.field.is_empty() { String::new() } else { format!("{}：", self.field) };
        format!("第 {} 行第 {} 列：{field}{}", self.line, self.column, self.said_in_chinese())
    }

    /// What is wrong and what to do, in Chinese, without the place.
    pub fn said_in_chinese(&self) -> String {
        let Words { message, hint } = self.problem.words(true);
        if hint.is_empty() {
            message
        } else if hint == self.hint() {
            format!("{message}，例如 {hint}")
        } else {
            format!("{message}，{hint}")
        }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        let Words { message, hint } = self.problem.words(false);
        f.write_str(&message)?;
        if !hint.is_empty() {
            write!(f, " — {hint}")?;
        }
        Ok(())
    }
}
