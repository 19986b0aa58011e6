//! Two runs merged into classes: newly failing, still failing, newly passing, and failures the newer run did not judge.
//!
//! Invariant: both runs are read page by page in the order of their ids and nothing of them is kept but counts and at
//! most [`KEPT`] rows a class.

use std::cmp::Ordering;
use std::collections::VecDeque;

use skydeck_core::domain::bill::{Outcome, Slot};
use skydeck_core::domain::ids::{Fid, WorkKey};
use skydeck_core::domain::query::{Cursor, Page, PageRequest};
use skydeck_core::domain::run::BillRow;

/// Rows a class keeps.
pub(super) const KEPT: usize = 100;
/// Rows a page.
const PAGE: u32 = 500;

/// What became of a bill between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    NewlyFailing,
    StillFailing,
    NewlyPassing,
    /// It failed in the older run; the newer one did not find it, left it out, or has not settled it.
    NotJudged,
}

pub(super) const CLASSES: [Class; 4] =
    [Class::NewlyFailing, Class::StillFailing, Class::NewlyPassing, Class::NotJudged];

/// A bill in a class.
pub(super) struct Row {
    pub key: WorkKey,
    pub no: String,
    pub was: Option<Outcome>,
    pub is: Option<Outcome>,
}

/// One class: all of them counted, the first of them kept.
#[derive(Default)]
pub(super) struct Found {
    pub count: u64,
    rows: Vec<Row>,
}

/// What is known of one of the two runs.
#[derive(Default)]
pub(super) struct Side {
    rows: VecDeque<BillRow>,
    next: Option<Cursor>,
    asked: bool,
    ended: bool,
    last: Option<Fid>,
    read: u64,
}

impl Side {
    /// The page to ask for, if the merge cannot go on without; asked for once.
    pub fn question(&mut self) -> Option<PageRequest> {
        if !self.is_dry() || self.asked {
            return None;
        }
        self.asked = true;
        Some(PageRequest { cursor: self.next.clone(), back: false, limit: PAGE })
    }

    /// Wants a page before the merge can go on.
    fn is_dry(&self) -> bool {
        self.rows.is_empty() && !self.ended
    }

    pub fn take(&mut self, page: Page<BillRow>) -> Result<(), &'static str> {
        self.asked = false;
        self.next = page.stopped_at.or_else(|| page.rows.last().map(|(cursor, _)| cursor.clone()));
        self.ended = !page.more || self.next.is_none();
        for (_, row) in page.rows {
            // The merge is true only for rising ids.
            if self.last.as_ref().is_some_and(|last| last >= row.fid()) {
                return Err("a run's bills came out of order");
            }
            self.last = Some(row.fid().clone());
            self.read += 1;
            self.rows.push_back(row);
        }
        Ok(())
    }
}

/// The older and the newer run, as far as they were read.
#[derive(Default)]
pub(super) struct Merge {
    pub was: Side,
    pub is: Side,
    pub found: [Found; 4],
}

fn is_bad(outcome: Option<&Outcome>) -> bool {
    outcome.is_some_and(|o| matches!(o.slot(), Slot::Failed | Slot::Unknown))
}

impl Merge {
    /// Bills read of both.
    pub fn read(&self) -> u64 {
        self.was.read + self.is.read
    }

    pub fn is_done(&self) -> bool {
        self.was.ended && self.is.ended && self.was.rows.is_empty() && self.is.rows.is_empty()
    }

    fn put(&mut self, class: Class, was: Option<BillRow>, is: Option<BillRow>) {
        let Some(found) = self.found.get_mut(class as usize) else { return };
        found.count += 1;
        let Some(any) = is.as_ref().or(was.as_ref()) else { return };
        if found.rows.len() < KEPT {
            let (key, no) = (any.key.clone(), any.no.clone());
            let of = |row: Option<BillRow>| row.and_then(|row| row.state.outcome().cloned());
            found.rows.push(Row { key, no, was: of(was), is: of(is) });
        }
    }

    /// Goes on as far as both sides reach.
    pub fn merge(&mut self) {
        while !self.was.is_dry() && !self.is.is_dry() {
            let order = match (self.was.rows.front(), self.is.rows.front()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(was), Some(is)) => was.fid().cmp(is.fid()),
            };
            let was = if order == Ordering::Greater { None } else { self.was.rows.pop_front() };
            let is = if order == Ordering::Less { None } else { self.is.rows.pop_front() };
            let judged = is.as_ref().and_then(|row| row.state.outcome());
            let class = match (was.is_some(), judged.map(Outcome::slot)) {
                (true, _) if is_bad(judged) => Class::StillFailing,
                (true, Some(Slot::Done | Slot::Already)) => Class::NewlyPassing,
                (true, _) => Class::NotJudged,
                (false, _) if is_bad(judged) => Class::NewlyFailing,
                (false, _) => continue,
            };
            self.put(class, was, is);
        }
    }

    pub fn rows(&self) -> impl Iterator<Item = (Class, &Row)> {
        CLASSES.into_iter().zip(&self.found).flat_map(|(class, found)| found.rows.iter().map(move |row| (class, row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::bill::{BillState, Failure, Rev, Skip, Status};
    use skydeck_core::domain::cause::Cause;
    use skydeck_core::domain::ids::{EnvId, FormId, OpId, PlanId, RecordKey, RunId};
    use skydeck_core::domain::time::Ts;

    fn bill(fid: u64, outcome: impl Into<Option<Outcome>>) -> (Cursor, BillRow) {
        let record = RecordKey { env: EnvId::new("e"), form: FormId::new("f"), fid: Fid::from(fid) };
        let key = record.under(&OpId::default());
        let row = BillRow {
            run: RunId(ulid::Ulid::from_parts(1, 1)),
            plan: PlanId::new("p"),
            key,
            no: fid.to_string(),
            attempts: 1,
            state: outcome.into().map_or(BillState::Waiting, BillState::Settled),
            rev: Rev { status: Status::Submitted, modified: None, state: None },
            at: Ts(0),
            columns: vec![],
            found: None,
            heard: None,
            open_since: None,
            made: None,
            untold: false,
            resolved_before: None,
            will: None,
        };
        (Cursor(fid.to_string()), row)
    }

    fn failed() -> Outcome {
        let cause = Cause::new("stock");
        Outcome::Failed(Failure { cause, msg_code: None, field: None, message: String::new() })
    }

    fn passed() -> Outcome {
        Outcome::Done { verified: false }
    }

    /// Serves both runs in pages of `size` until the comparison is done.
    fn compared(was: &[(Cursor, BillRow)], is: &[(Cursor, BillRow)], size: usize) -> Merge {
        let mut compare = Merge::default();
        let (mut a, mut b) = (was.chunks(size), is.chunks(size));
        while !compare.is_done() {
            let page = |chunk: Option<&[(Cursor, BillRow)]>, left: usize| Page {
                rows: chunk.unwrap_or_default().to_vec(),
                more: left > 0,
                ..Page::default()
            };
            if compare.was.is_dry() {
                let chunk = a.next();
                compare.was.take(page(chunk, a.len())).unwrap();
            }
            if compare.is.is_dry() {
                let chunk = b.next();
                compare.is.take(page(chunk, b.len())).unwrap();
            }
            compare.merge();
        }
        compare
    }

    #[test]
    fn every_bill_that_failed_in_either_run_is_in_exactly_one_class_whatever_the_pages() {
        let was: Vec<_> = (1..=300).map(|n| bill(n, failed())).collect();
        let is: Vec<_> = (1..=900)
            .filter(|n| n % 7 != 0)
            .map(|n| {
                let outcome = match n % 4 {
                    0 => Some(failed()),
                    1 => Some(passed()),
                    2 => Some(Outcome::Skipped(Skip::Draft)),
                    _ => None,
                };
                bill(n, outcome)
            })
            .collect();
        let count =
            |test: &dyn Fn(u64) -> bool, upto: std::ops::RangeInclusive<u64>| upto.filter(|n| test(*n)).count() as u64;
        let still = count(&|n| n % 7 != 0 && n % 4 == 0, 1..=300);
        let passing = count(&|n| n % 7 != 0 && n % 4 == 1, 1..=300);
        let newly = count(&|n| n % 7 != 0 && n % 4 == 0, 301..=900);
        for size in [1, 3, 64, 1000] {
            let compare = compared(&was, &is, size);
            let counts = compare.found.each_ref().map(|f| f.count);
            assert_eq!(counts, [newly, still, passing, 300 - still - passing], "pages of {size}");
            assert!(compare.found.iter().all(|f| f.rows.len() <= KEPT));
        }
    }

    #[test]
    fn bills_out_of_order_are_refused_instead_of_compared_wrongly() {
        let mut side = Side::default();
        let rows = vec![bill(10, passed()), bill(9, passed())];
        assert!(side.take(Page { rows, ..Page::default() }).is_err());
    }
}
