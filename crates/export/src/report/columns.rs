//! The columns of a report, and what a bill has in them.
//!
//! Invariant: the columns of all plans stand under the plans' own labels, each label once; a value never stands under a label
//! that its own run's plan did not give it.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use skydeck_core::domain::bill::BillState;
use skydeck_core::domain::group_words;
use skydeck_core::domain::language::Language;
use skydeck_core::domain::operation_words;
use skydeck_core::domain::query::Scope;
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::time::{ErpDate, Ts};
use skydeck_core::domain::zone::Zone;

use super::gather::Group;
use crate::heads::Head;
use crate::row::{Field, Row};
use crate::style::Style;

/// Columns of plans that stand for themselves; what is beyond shares the last one.
const OWN: usize = 200;
/// Columns of plans that a line for a chat has.
const IN_SHORT: usize = 4;
/// What the labels of those hold that come first there.
const FIRST_IN_SHORT: [&str; 8] = ["日期", "组织", "客户", "供应商", "date", "organi", "customer", "supplier"];

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Text as it came.
    Text(String),
    /// A date and time, of the zone that the report names, or of the ERP.
    Date(NaiveDateTime),
    /// A number of something.
    Count(u64),
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// One that every bill has.
    Own(Field),
    /// One of plans, by its label.
    Plan(String),
    /// What a plan has beyond [`OWN`].
    Rest,
    /// Whether it came since the last report.
    New,
}

/// All columns of a report.
pub(crate) struct Columns {
    all: Vec<Column>,
    /// Where those of plans begin.
    first: usize,
    /// Of each head: where each of its columns stands.
    places: Vec<Vec<Place>>,
    /// When the last report was made.
    last: Option<Ts>,
}

/// Where a plan's column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Every report has it without the plan.
    Elsewhere,
    At(usize),
    Rest,
}

impl Columns {
    /// Of bills of one cause, which are of some of these heads.
    pub fn of(scope: Scope, (heads, group): (&[Arc<Head>], &Group), codes: bool, last: Option<Ts>) -> Self {
        let mut columns = Self::begin(last, group.made);
        for (n, head) in heads.iter().enumerate() {
            columns.take(head, group.told.get(&n).map_or(&[], Vec::as_slice));
        }
        columns.end(scope, codes)
    }

    /// What every bill has, before and behind the columns of its plan.
    fn begin(last: Option<Ts>, made: bool) -> Self {
        let mut all = vec![Column::Own(Field::No)];
        all.extend(made.then_some(Column::Own(Field::Made)));
        all.extend(last.map(|_| Column::New));
        Self { first: all.len(), all, places: Vec::new(), last }
    }

    /// The columns of a head that say anything.
    fn take(&mut self, head: &Head, told: &[bool]) {
        let mut seen: Vec<String> = Vec::new();
        let mut places = Vec::with_capacity(head.labels.len());
        for ((name, label), told) in head.names.iter().zip(&head.labels).zip(told) {
            let label = numbered(label, &mut seen);
            places.push(if *told && !is_shown_elsewhere(name) {
                self.place(Column::Plan(label))
            } else {
                Place::Elsewhere
            });
        }
        self.places.push(places);
    }

    fn place(&mut self, column: Column) -> Place {
        match self.all.iter().position(|known| *known == column) {
            Some(at) => Place::At(at),
            None if self.all.len() - self.first >= OWN => Place::Rest,
            None => {
                self.all.push(column);
                Place::At(self.all.len() - 1)
            }
        }
    }

    fn end(mut self, scope: Scope, codes: bool) -> Self {
        let rest = self.places.iter().flatten().any(|place| *place == Place::Rest);
        self.all.extend(rest.then_some(Column::Rest));
        self.all.extend([Field::Outcome, Field::Cause, Field::Message, Field::Status].map(Column::Own));
        self.all.extend((scope == Scope::Ledger).then_some(Column::Own(Field::OpenSince)));
        self.all.extend([Field::At, Field::Attempts, Field::Plan, Field::Env, Field::Run].map(Column::Own));
        if codes {
            self.all.extend([Field::Fid, Field::OutcomeCode, Field::CauseCode, Field::Code].map(Column::Own));
        }
        self
    }

    pub fn all(&self) -> &[Column] {
        &self.all
    }

    /// Headings as people read them.
    pub fn headings(&self, lang: Language) -> Vec<String> {
        self.all.iter().map(|column| column.heading(lang)).collect()
    }

    /// Those of a bill's cells that say which it is and what is wrong with it.
    pub fn in_short<'a>(&self, cells: &'a [Cell]) -> Vec<&'a Cell> {
        let told = self.told_in_short();
        let tells = |at: usize, column: &Column| match column {
            Column::Own(Field::No | Field::Made | Field::Message | Field::OpenSince) | Column::New => true,
            Column::Plan(_) => told.contains(&at),
            Column::Own(_) | Column::Rest => false,
        };
        let all = self.all.iter().enumerate().zip(cells);
        all.filter(|((at, column), _)| tells(*at, column)).map(|(_, cell)| cell).collect()
    }

    /// The columns of plans that a line for a chat has: whose bill it is, of which day and organisation, before all others.
    fn told_in_short(&self) -> Vec<usize> {
        let plans = self.all.iter().enumerate().filter_map(|(at, column)| match column {
            Column::Plan(label) => Some((at, label.to_lowercase())),
            Column::Own(_) | Column::Rest | Column::New => None,
        });
        let (first, others): (Vec<_>, Vec<_>) =
            plans.partition(|(_, label)| FIRST_IN_SHORT.iter().any(|word| label.contains(word)));
        first.into_iter().chain(others).take(IN_SHORT).map(|(at, _)| at).collect()
    }

    /// A bill's cells, in the order of the columns.
    pub fn cells(&self, bill: &BillRow, (n, head): (usize, &Head), style: &Style) -> Vec<Cell> {
        let since = bill.open_since.unwrap_or(bill.at);
        let is_new = self.last.is_some_and(|last| since > last);
        let row = Row { bill: bill.clone(), names: Vec::new(), zone: style.zone.clone() };
        let mut cells: Vec<Cell> = self.all.iter().map(|column| column.cell(&row, &head.plan, is_new, style)).collect();
        let mut rest: Vec<String> = Vec::new();
        let places = self.places.get(n).map_or(&[][..], Vec::as_slice);
        for (place, (label, value)) in places.iter().zip(head.labels.iter().zip(&bill.columns)) {
            match place {
                Place::Elsewhere => {}
                Place::Rest => rest.push(format!("{label}={value}")),
                Place::At(at) => {
                    if let Some(cell) = cells.get_mut(*at) {
                        *cell = value_cell(value);
                    }
                }
            }
        }
        if let Some(at) = self.all.iter().position(|column| *column == Column::Rest)
            && let Some(cell) = cells.get_mut(at)
        {
            *cell = Cell::Text(rest.join("; "));
        }
        cells
    }
}

/// Whether a column of a plan is one that every report has.
fn is_shown_elsewhere(name: &str) -> bool {
    ["FBillNo", "FID", "FDocumentStatus"].iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// A label that the plan gives several columns is numbered from the second on.
pub(crate) fn numbered(label: &str, seen: &mut Vec<String>) -> String {
    let before = seen.iter().filter(|known| *known == label).count();
    seen.push(label.to_owned());
    if before == 0 { label.to_owned() } else { format!("{label} ({})", before + 1) }
}

impl Column {
    fn heading(&self, lang: Language) -> String {
        match self {
            Self::Own(field) => heading(field, lang).to_owned(),
            Self::Plan(label) => label.clone(),
            Self::Rest => lang.t("more columns", "其余字段").to_owned(),
            Self::New => lang.t("since the last report", "自上次报告").to_owned(),
        }
    }

    fn cell(&self, row: &Row, plan: &str, is_new: bool, style: &Style) -> Cell {
        let text = |text: &str| Cell::Text(text.to_owned());
        match self {
            Self::Own(field) => own(field, row, plan, style),
            Self::New => text(if is_new { style.lang.t("new", "新") } else { "" }),
            Self::Plan(_) | Self::Rest => text(""),
        }
    }
}

/// Headings of the columns that every bill has.
fn heading(field: &Field, lang: Language) -> &str {
    let en = match field {
        Field::No => "bill",
        Field::Made => "made bill",
        Field::Message => "ERP message",
        Field::Status => "ERP status",
        Field::OpenSince => "unresolved since",
        Field::At => "last change",
        Field::Env => "environment",
        Field::Fid => "FID",
        Field::Code => "MsgCode",
        Field::OutcomeCode => "outcome (code)",
        Field::CauseCode => "cause (code)",
        other => other.key(),
    };
    lang.t(en, field.heading(Language::Zh))
}

fn own(field: &Field, row: &Row, plan: &str, style: &Style) -> Cell {
    let (bill, lang) = (&row.bill, style.lang);
    let moment =
        |at: Option<Ts>| at.and_then(|at| local(at, &style.zone)).map_or(Cell::Text(String::new()), Cell::Date);
    match field {
        Field::Outcome => Cell::Text(outcome(bill, lang).to_owned()),
        Field::Cause => Cell::Text(match row.value(field) {
            none if none.is_empty() => none,
            group => group_words::label(&style.causes, lang, bill.state.slot(), &group),
        }),
        Field::Status | Field::StatusBefore => Cell::Text(row.status(field, lang)),
        Field::Message => Cell::Text(row.message(lang)),
        Field::OpenSince => moment(bill.open_since),
        Field::At => moment(Some(bill.at)),
        Field::Attempts => Cell::Count(u64::from(bill.attempts)),
        Field::Plan if !plan.is_empty() => Cell::Text(plan.to_owned()),
        field => Cell::Text(row.value(field)),
    }
}

/// Where a bill stands, in words.
pub(super) fn outcome(bill: &BillRow, lang: Language) -> &'static str {
    match &bill.state {
        _ if bill.untold => lang.t("not approved", "未批准"),
        BillState::RetryAt { .. } => lang.t("retry at", "待重试"),
        state => operation_words::words(&bill.key.op).column(lang, state.slot()),
    }
}

/// A value of a plan's column. A date that is written as the ERP writes dates is one; anything else stays the text it is:
/// numbers of customers and bills begin with zeros and have twenty digits.
fn value_cell(value: &str) -> Cell {
    let tail = value.get(19..).unwrap_or_default();
    let millis = match tail.strip_prefix('.') {
        _ if tail.is_empty() => Some(0),
        Some(digits) if (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{digits:0<3}").parse::<i64>().ok()
        }
        _ => None,
    };
    let date = millis.and_then(|millis| ErpDate::written(value)?.checked_add_signed(TimeDelta::milliseconds(millis)));
    date.map_or_else(|| Cell::Text(value.to_owned()), Cell::Date)
}

/// A moment as clocks of the zone show it.
pub(crate) fn local(at: Ts, zone: &Zone) -> Option<NaiveDateTime> {
    DateTime::<Utc>::from_timestamp_millis(at.0).map(|at| at.with_timezone(zone).naive_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_once_each_and_values_under_their_own() {
        let head = |labels: &[&str]| {
            let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
            Head { plan: "p".into(), names: labels.clone(), labels }
        };
        let mut columns = Columns::begin(None, false);
        columns.take(&head(&["FBillNo", "客户", "备注", "日期", "客户"]), &[true, true, false, true, true]);
        columns.take(&head(&["日期", "仓库", "客户"]), &[true, true, true]);
        let labels = |columns: &Columns| -> Vec<String> {
            let plans = columns.all().iter();
            plans
                .filter_map(|column| if let Column::Plan(label) = column { Some(label.clone()) } else { None })
                .collect()
        };
        assert_eq!(labels(&columns), ["客户", "日期", "客户 (2)", "仓库"]);
        let at = |n: usize| Place::At(n);
        let first = vec![Place::Elsewhere, at(1), Place::Elsewhere, at(2), at(3)];
        assert_eq!(columns.places, [first, vec![at(2), at(4), at(1)]]);

        let mut columns = Columns::begin(None, false);
        let plan = head(&["FBillNo", "类型", "仓库", "备注", "库存组织", "单据日期", "部门"]);
        columns.take(&plan, &[true; 7]);
        let columns = columns.end(Scope::Ledger, false);
        let told: Vec<&Column> = columns.told_in_short().into_iter().map(|at| &columns.all[at]).collect();
        let own = |label: &str| Column::Plan(label.to_owned());
        assert_eq!(told, [&own("库存组织"), &own("单据日期"), &own("类型"), &own("仓库")]);

        let many: Vec<String> = (0..300).map(|n| format!("c{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut columns = Columns::begin(Some(Ts(0)), true);
        columns.take(&head(&many), &[true; 300]);
        let columns = columns.end(Scope::Ledger, true);
        assert_eq!(labels(&columns).len(), OWN);
        assert!(columns.all().contains(&Column::Rest) && columns.all().contains(&Column::New));
    }

    #[test]
    fn dates_are_dates_and_numbers_stay_text() {
        for (value, date) in [
            ("2026-11-01T08:30:00", Some("2026-11-01 08:30:00")),
            ("2026-11-01T00:00:00.123", Some("2026-11-01 00:00:00.123")),
            ("2026-11-01", Some("2026-11-01 00:00:00")),
            ("2026-11-01 08:30:00.5", Some("2026-11-01 08:30:00.500")),
            ("2026-11-01T08:30:00Z?", None),
            ("2026-13-01", None),
            ("2026-11-01-7", None),
            ("00123456789012345678", None),
            ("1e5", None),
            ("=cmd|' /C calc'!A0", None),
            ("", None),
        ] {
            match (value_cell(value), date) {
                (Cell::Date(at), Some(date)) => assert_eq!(at.to_string(), date),
                (Cell::Text(text), None) => assert_eq!(text, value),
                (cell, _) => panic!("{value}: {cell:?}"),
            }
        }
    }
}
