//! What the look-ups of a plan find.
//!
//! Invariant: a look-up gives the value of exactly one row, or a fault of the record; it never guesses between two.

use std::collections::HashMap;

use skydeck_core::domain::mapping::{Field, Table};
use skydeck_core::domain::plan::{Make, Source};

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

/// What is found under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    One(String),
    Several(usize),
}

/// The rows of one table by the values of some columns.
type Index = HashMap<Vec<String>, Row>;

/// What the look-ups of a plan find.
#[derive(Clone, Debug, Default)]
pub struct Lookups(HashMap<Wanted, Index>);

impl Lookups {
    /// In the mapping tables of a plan.
    pub fn of(make: &Make, source: &Source) -> Self {
        let mut all = Self::default();
        let names = Names { source, tables: &make.mapping.tables };
        for wanted in wanted(&make.mapping.fields, None, names) {
            let table = make.mapping.tables.iter().find(|table| table.name == wanted.from);
            let index = table.and_then(|table| index(table, &wanted)).unwrap_or_default();
            all.0.insert(wanted, index);
        }
        all
    }

    /// The value of a field.
    ///
    /// # Errors
    /// No row has these values, or several have.
    pub(super) fn find(&self, field: &str, wanted: &Wanted, by: &[String]) -> Result<String, BodyFault> {
        let said = || {
            let pairs = wanted.by.iter().zip(by).map(|(column, value)| format!("{column}=`{}`", value.escape_debug()));
            (field.to_owned(), wanted.from.clone(), pairs.collect::<Vec<_>>().join(", "))
        };
        match self.0.get(wanted).and_then(|index| index.get(by)) {
            Some(Row::One(value)) => Ok(value.clone()),
            Some(Row::Several(n)) => {
                let (field, table, by) = said();
                Err(BodyFault::SeveralRows { field, table, by, n: *n })
            }
            None => {
                let (field, table, by) = said();
                Err(BodyFault::NoRow { field, table, by })
            }
        }
    }
}

/// Rows by the values of some columns, each with the value that is wanted.
fn index(table: &Table, wanted: &Wanted) -> Option<Index> {
    let place = |column: &String| table.columns.iter().position(|known| known == column);
    let by: Vec<usize> = wanted.by.iter().map(place).collect::<Option<_>>()?;
    let at = place(&wanted.column)?;
    let mut index = Index::with_capacity(table.rows.len());
    for row in &table.rows {
        let cell = |at: &usize| row.get(*at).cloned().unwrap_or_default();
        let row = index.entry(by.iter().map(cell).collect());
        row.and_modify(|row| {
            *row = Row::Several(match row {
                Row::One(_) => 2,
                Row::Several(n) => *n + 1,
            });
        })
        .or_insert_with(|| Row::One(cell(&at)));
    }
    Some(index)
}
