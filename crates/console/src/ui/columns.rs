//! The plan's own columns in lists of bills: which there are, what they are called, how wide they are, and how many of them
//! the width takes.
//!
//! Invariants: a value stands under the label that its own run's plan gave it; of a run whose columns are not known nothing is
//! guessed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::cells::Glyphs;
use super::format::fill;
use super::shared::Shared;
use super::words;
use skydeck_core::domain::ids::{PlanId, RunId};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::run::{BillRow, RunRow};

/// Rows whose values tell how wide a column is.
const LOOKED_AT: usize = 40;
/// Narrowest and widest column.
const WIDTHS: (usize, usize) = (4, 18);
/// Room that the server's words keep before a column takes it.
const MESSAGE: u16 = 30;
/// The same once somebody looks sideways.
const MESSAGE_LEAST: u16 = 6;

/// One column of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// What people call it.
    pub label: String,
    pub width: u16,
    /// Its values are numbers.
    pub right: bool,
}

/// The columns of a list, as far as they are on the screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// Those on the screen.
    pub shown: Vec<Column>,
    /// More of them to the left and to the right.
    pub hidden: (usize, usize),
    /// Room that is left for the server's words.
    pub message: u16,
    /// The label of each column of a run's rows; none where it says nothing new.
    of_runs: BTreeMap<RunId, Vec<Option<String>>>,
    /// Names of each label.
    names: BTreeMap<String, BTreeSet<String>>,
}

impl Columns {
    /// The columns of these rows. `room`: cells beside the columns that every list has.
    pub fn of(shared: &Shared, rows: &[&BillRow], room: u16) -> Self {
        let mut columns = Self::default();
        let mut all = columns.ordered(shared, rows);
        let view = shared.nav.views.here();
        all.retain(|column| !view.hidden.contains(&column.label));
        let shift = shared.nav.shift.min(all.len());
        let (first, message) = if shift == 0 { (0, MESSAGE) } else { (shift - 1, MESSAGE_LEAST) };
        let mut left = room.saturating_sub(message);
        let (before, from) = all.split_at(first.min(all.len()));
        for column in from {
            let Some(rest) = left.checked_sub(column.width + 1) else { break };
            left = rest;
            columns.shown.push(column.clone());
        }
        columns.message = left + message.min(room);
        columns.hidden = (before.len(), from.len() - columns.shown.len());
        columns
    }

    /// How many columns these rows have in all.
    pub fn count(shared: &Shared, rows: &[&BillRow]) -> usize {
        Self::default().all(shared, rows).len()
    }

    /// All columns by label, with the names that runs have for each.
    pub fn choices(shared: &Shared, rows: &[&BillRow]) -> Vec<(String, Vec<String>)> {
        let mut columns = Self::default();
        let all = columns.ordered(shared, rows);
        all.into_iter().map(|column| (column.label.clone(), columns.names_of(&column.label))).collect()
    }

    /// The names that the rows' runs have for a label.
    pub fn names_of(&self, label: &str) -> Vec<String> {
        self.names.get(label).map(|names| names.iter().cloned().collect()).unwrap_or_default()
    }

    /// All columns, those that were put first before the others.
    fn ordered(&mut self, shared: &Shared, rows: &[&BillRow]) -> Vec<Column> {
        let (mut all, order) = (self.all(shared, rows), shared.nav.views.here().order);
        all.sort_by_key(|column| order.iter().position(|label| *label == column.label).unwrap_or(usize::MAX));
        all
    }

    /// All columns: those that all plans of the rows have, then the others, each plan's in its order.
    fn all(&mut self, shared: &Shared, rows: &[&BillRow]) -> Vec<Column> {
        let (mut order, mut seen): (Vec<String>, BTreeMap<String, Seen>) = (Vec::new(), BTreeMap::new());
        let mut plans: Vec<&PlanId> = Vec::new();
        for row in rows {
            if let Entry::Vacant(place) = self.of_runs.entry(row.run) {
                let labels = labels(shared, row);
                for (label, name) in labels.iter().filter_map(|(label, name)| Some((label.clone()?, name))) {
                    self.names.entry(label).or_default().insert(name.clone());
                }
                place.insert(labels.into_iter().map(|(label, _)| label).collect());
            }
            if !plans.contains(&&row.plan) {
                plans.push(&row.plan);
            }
        }
        for row in rows.iter().take(LOOKED_AT) {
            for (label, value) in self.values(row) {
                let column = seen.entry(label.to_owned()).or_insert_with(|| {
                    order.push(label.to_owned());
                    Seen::default()
                });
                column.note(&row.plan, value, shared.setup.glyphs);
            }
        }
        let told: Vec<&String> = order.iter().filter(|label| seen.get(*label).is_some_and(|c| c.told)).collect();
        let common = |label: &&&String| seen.get(**label).is_some_and(|column| column.plans.len() == plans.len());
        let (first, then): (Vec<&String>, Vec<&String>) = told.iter().partition(|label| common(label));
        let column = |label: &String| {
            let seen = seen.get(label)?;
            let wide = shared.setup.glyphs.width(label).max(seen.width).clamp(WIDTHS.0, WIDTHS.1);
            Some(Column { label: label.clone(), width: u16::try_from(wide).unwrap_or(u16::MAX), right: seen.numbers })
        };
        first.into_iter().chain(then).filter_map(column).collect()
    }

    /// The values of a row with their labels.
    fn values<'a>(&'a self, row: &'a BillRow) -> impl Iterator<Item = (&'a str, &'a str)> {
        let labels = self.of_runs.get(&row.run).map_or(&[][..], Vec::as_slice);
        labels.iter().zip(&row.columns).filter_map(|(label, value)| Some((label.as_deref()?, value.as_str())))
    }

    /// What a row has in a column, as it is shown.
    pub fn value(&self, row: &BillRow, column: &Column) -> String {
        let mut values = self.values(row);
        values.find(|(label, _)| *label == column.label).map_or_else(String::new, |(_, value)| shown(value))
    }
}

/// What the rows tell of a column.
struct Seen {
    width: usize,
    /// Some row has a value.
    told: bool,
    numbers: bool,
    plans: Vec<PlanId>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { width: 0, told: false, numbers: true, plans: Vec::new() }
    }
}

impl Seen {
    fn note(&mut self, plan: &PlanId, value: &str, glyphs: &Glyphs) {
        if !self.plans.contains(plan) {
            self.plans.push(plan.clone());
        }
        let text = shown(value);
        if text.is_empty() {
            return;
        }
        self.told = true;
        self.width = self.width.max(glyphs.width(&text));
        // An amount has its cents; a number without them may be a code, which is read from its left.
        self.numbers &= text.contains('.') && text.parse::<f64>().is_ok();
    }
}

/// A value as a list shows it: a date without its midnight.
pub(crate) fn shown(value: &str) -> String {
    let value = value.trim();
    match value.split_once('T') {
        Some((day, "00:00:00" | "00:00:00.000")) if is_day(day) => words::shown(day),
        Some((day, time)) if is_day(day) => words::shown(&format!("{day} {}", time.get(..5).unwrap_or(time))),
        _ => words::shown(value),
    }
}

fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| if matches!(i, 4 | 7) { b == b'-' } else { b.is_ascii_digit() })
}

/// Names of a row's columns.
pub(crate) fn names<'a>(shared: &'a Shared, row: &BillRow) -> &'a [String] {
    run_of(shared, row).map_or(&[], |r| r.head.columns.as_slice())
}

/// A row's run, where it is at hand.
fn run_of<'a>(shared: &'a Shared, row: &BillRow) -> Option<&'a RunRow> {
    let live = shared.present.live().runs.get(&row.run).map(|r| &r.row);
    live.or_else(|| shared.stored.as_deref().filter(|r| r.head.id == row.run))
        .or_else(|| shared.plans.rows().iter().flat_map(|p| &p.last).find(|r| r.head.id == row.run))
}

/// The label of each column of a row's run; none for number, id and status, which the list shows by itself, and for all of
/// them where it is not known which they are.
fn labels(shared: &Shared, row: &BillRow) -> Vec<(Option<String>, String)> {
    let plan = shared.plans.rows().iter().filter_map(|p| p.plan.as_ref().ok()).find(|plan| plan.id == row.plan);
    let known = names(shared, row);
    let names: Vec<&str> = match plan {
        _ if !known.is_empty() => known.iter().map(String::as_str).collect(),
        Some(plan) if fits(plan, row) => plan.source.columns.iter().map(|column| column.key.as_str()).collect(),
        Some(_) | None => return Vec::new(),
    };
    // What a column was called that the plan has lost since.
    let labels = run_of(shared, row).map_or(&[][..], |run| run.labels.as_slice());
    let was = |at: usize| labels.get(at).map(String::as_str);
    let label = |at: usize, name: &str, value: &String| {
        let column = plan.and_then(|plan| plan.source.columns.iter().find(|column| column.key == name));
        let path = column.map_or(name, |column| column.path.as_str());
        let own = *value == row.no || value == row.fid().as_str() || path.eq_ignore_ascii_case("FDocumentStatus");
        let shows = |label: &&str| !label.is_empty() && (shared.setup.unicode || label.is_ascii());
        (!own).then(|| words::shown(column.map(|c| c.label.as_str()).or(was(at)).filter(shows).unwrap_or(name)))
    };
    let values = names.iter().zip(&row.columns).enumerate();
    values.map(|(at, (name, value))| (label(at, name, value), (*name).to_owned())).collect()
}

/// Whether a row of a run that is not at hand has the columns that its plan has now: as many, with number and id where they
/// stand.
fn fits(plan: &Plan, row: &BillRow) -> bool {
    let source = &plan.source;
    let at = |path: &str| source.columns.iter().position(|column| column.path.eq_ignore_ascii_case(path));
    let holds = |path: &str, value: &str| at(path).map(|at| row.columns.get(at).is_some_and(|is| is == value));
    let (no, id) = (holds(&source.number_path, &row.no), holds(&source.id_path, row.fid().as_str()));
    row.columns.len() == source.columns.len() && [no, id].iter().flatten().all(|holds| *holds) && (no.or(id)).is_some()
}

impl Shared {
    /// Columns that the plans have lost are taken out of the lists, with a word.
    pub fn drop_lost_columns(&mut self) {
        for (column, plan) in self.nav.views.settle(self.plans.rows()) {
            let plan = if plan.is_empty() { self.t().all_plans.to_owned() } else { words::shown(&plan) };
            let text = fill(self.t().column_lost, &[&words::shown(&column), &plan]);
            self.note(false, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_shown_without_its_midnight_and_other_texts_as_they_are() {
        for (value, is) in [
            ("2026-11-17T00:00:00", "2026-11-17"),
            ("2026-11-17T00:00:00.000", "2026-11-17"),
            ("2026-11-17T08:05:59.120", "2026-11-17 08:05"),
            ("2026-11-17", "2026-11-17"),
            ("T2026", "T2026"),
            ("MAT-T-00001", "MAT-T-00001"),
            (" 客户自提 ", "客户自提"),
            ("", ""),
        ] {
            assert_eq!(shown(value), is, "{value}");
        }
    }
}
