//! What the look-ups of a plan find.
//!
//! Invariant: a look-up gives the value of exactly one row, or a fault of the record; it never guesses between two.

use std::collections::{BTreeMap, HashMap};

use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::mapping::Field;
use skydeck_core::domain::plan::{Make, Plan, Source};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::suggest::nearest;
use skydeck_core::text::show;

use super::template::{self, BEGINS, Names, Piece, Wanted};
use super::tree::inner_list;
use crate::problem::body::BodyFault;

/// What the fields of a body look up, as far as their templates can be read.
pub(super) fn wanted(fields: &[Field], list: Option<&str>, names: Names<'_>) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for field in fields {
        for text in [&field.value, &field.default].into_iter().filter(|text| text.contains(BEGINS)) {
            let read = template::compile(text, list, names).unwrap_or_default();
            all.extend(read.pieces.into_iter().filter_map(|piece| match piece {
                Piece::Find(find) => Some(find.wanted),
                Piece::Text(_) | Piece::Column { .. } | Piece::Variable(..) => None,
            }));
        }
        all.extend(wanted(&field.children, inner_list(field).or(list), names));
    }
    all
}

/// The plans whose records a plan looks in.
pub fn looks_in(plan: &Plan) -> Vec<PlanId> {
    let Some(make) = plan.target.make.as_deref() else { return Vec::new() };
    Lookups::of(make, &plan.source).plans.into_keys().collect()
}

/// What keeps the look-ups of a plan from being made, as far as other plans tell. `others`: the plans that are known, those that
/// cannot be read without what they say.
pub fn unresolved(plan: &Plan, others: &[(PlanId, Option<&Plan>)]) -> Option<Reason> {
    let known = |id: &PlanId| others.iter().find(|(other, _)| other == id).map(|(_, plan)| *plan);
    let looks = looks_in(plan);
    if let Some(plans) = circle(plan, &looks, &known) {
        return Some(Reason::LookupCircle { plans });
    }
    looks.into_iter().find_map(|other| match known(&other) {
        None => {
            let ids: Vec<&str> = others.iter().map(|(id, _)| id.as_str()).collect();
            let near = nearest(other.as_str(), &ids).map(PlanId::new);
            Some(Reason::LookupUnknown { plan: plan.id.clone(), other, near })
        }
        Some(Some(is)) if !is.target.collects => Some(Reason::LookupCalls { plan: plan.id.clone(), other }),
        Some(_) => None,
    })
}

/// The way from a plan over the plans it looks in back to itself.
fn circle<'p>(
    plan: &'p Plan,
    looks: &[PlanId],
    known: &impl Fn(&PlanId) -> Option<Option<&'p Plan>>,
) -> Option<Vec<PlanId>> {
    let mut seen: Vec<PlanId> = Vec::new();
    let mut ways: Vec<Vec<PlanId>> = looks.iter().map(|next| vec![plan.id.clone(), next.clone()]).collect();
    while let Some(way) = ways.pop() {
        let Some(last) = way.last() else { continue };
        if *last == plan.id {
            return Some(way);
        }
        if seen.contains(last) {
            continue;
        }
        seen.push(last.clone());
        for next in known(last).flatten().map(looks_in).unwrap_or_default() {
            ways.push(way.iter().cloned().chain([next]).collect());
        }
    }
    None
}

/// What is found under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    One(String),
    Several(usize),
}

/// Rows by the values of some columns.
type Index = HashMap<Vec<String>, Row>;

/// A record of another plan: its rows, each with the columns asked for.
pub type Record = Vec<Vec<String>>;

/// What the look-ups of a plan find.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    found: HashMap<Wanted, Index>,
    /// The plans that are looked in, each with the columns asked of it.
    plans: BTreeMap<PlanId, Vec<String>>,
}

impl Lookups {
    /// In the mapping tables of a plan; what other plans collected is yet to be filled in.
    pub fn of(make: &Make, source: &Source) -> Self {
        let mut all = Self::default();
        let names = Names { source, tables: &make.mapping.tables };
        for wanted in wanted(&make.mapping.fields, None, names) {
            let mut index = Index::new();
            if let Some(table) = make.mapping.tables.iter().find(|table| table.name == wanted.from) {
                for row in &table.rows {
                    add(&mut index, &wanted, &table.columns, [row]);
                }
            } else {
                let columns = all.plans.entry(PlanId::new(wanted.from.clone())).or_default();
                for column in wanted.columns() {
                    if !columns.iter().any(|known| known == column) {
                        columns.push(column.to_owned());
                    }
                }
            }
            all.found.insert(wanted, index);
        }
        all
    }

    /// The plans that are looked in, each with the columns asked of it.
    pub fn plans(&self) -> &BTreeMap<PlanId, Vec<String>> {
        &self.plans
    }

    /// Takes what a plan collected: records whose rows have the columns asked for, in their order.
    pub fn fill(&mut self, plan: &PlanId, records: &[Record]) {
        let Some(columns) = self.plans.get(plan) else { return };
        for (wanted, index) in self.found.iter_mut().filter(|(wanted, _)| wanted.from == plan.as_str()) {
            for record in records {
                add(index, wanted, columns, record);
            }
        }
    }

    /// The value of a field.
    ///
    /// # Errors
    /// No row has these values, or several have.
    pub(super) fn find(&self, field: &str, wanted: &Wanted, by: &[String]) -> Result<String, BodyFault> {
        let n = match self.found.get(wanted).and_then(|index| index.get(by)) {
            Some(Row::One(value)) => return Ok(value.clone()),
            Some(Row::Several(n)) => *n,
            None => 0,
        };
        let pairs = wanted.by.iter().zip(by).map(|(column, value)| format!("{column}=`{}`", show(value, 200)));
        let (field, from, by) = (field.to_owned(), wanted.from.clone(), pairs.collect::<Vec<_>>().join(", "));
        Err(match (self.plans.contains_key(&PlanId::new(from.clone())), n) {
            (false, 0) => BodyFault::NoRow { field, table: from, by },
            (false, n) => BodyFault::SeveralRows { field, table: from, by, n },
            (true, 0) => BodyFault::NoRecord { field, plan: from, by },
            (true, n) => BodyFault::SeveralRecords { field, plan: from, by, n },
        })
    }
}

/// Adds the rows of one record: equal ones are one, as where a column of the head stands in every line.
fn add<'r>(index: &mut Index, wanted: &Wanted, columns: &[String], rows: impl IntoIterator<Item = &'r Vec<String>>) {
    let place = |column: &String| columns.iter().position(|known| known == column);
    let (Some(by), Some(at)) = (wanted.by.iter().map(place).collect::<Option<Vec<_>>>(), place(&wanted.column)) else {
        return;
    };
    let mut told: Vec<(Vec<String>, String)> = Vec::new();
    for row in rows {
        let cell = |at: usize| row.get(at).map(|cell| cell.trim().to_owned()).unwrap_or_default();
        let pair = (by.iter().map(|at| cell(*at)).collect(), cell(at));
        if !told.contains(&pair) {
            told.push(pair);
        }
    }
    for (key, value) in told {
        let row = index.entry(key).and_modify(|row| {
            *row = Row::Several(match row {
                Row::One(_) => 2,
                Row::Several(n) => *n + 1,
            });
        });
        row.or_insert(Row::One(value));
    }
}
