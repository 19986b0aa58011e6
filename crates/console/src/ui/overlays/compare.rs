//! Two runs beside each other: newly failing, still failing, newly passing, and failures the newer run did not judge.
//!
//! Invariant: both runs are read page by page in the order of their ids and nothing of them is kept but counts and at
//! most [`KEPT`] rows a class; what is not kept is said.

use std::collections::VecDeque;

use crate::ui::act;
use crate::ui::cells::{Cell, Pen};
use crate::ui::format::{self, fill};
use crate::ui::model::{Asked, Model, Pane};
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::bill::{Outcome, Slot};
use skydeck_core::domain::filter::{Filter, Key as FilterKey, Term, Test};
use skydeck_core::domain::ids::{Fid, OpId, RunId, WorkKey};
use skydeck_core::domain::query::{Cursor, Page, PageRequest, Query, Scope};
use skydeck_core::domain::run::{BillRow, RunRow};

use super::{Overlay, draw_keys, middle};

/// Rows a class keeps.
const KEPT: usize = 100;
/// Rows a page.
const PAGE: u32 = 500;

/// What became of a bill between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    NewlyFailing,
    StillFailing,
    NewlyPassing,
    /// It failed in the older run; the newer one did not find it, left it out, or has not settled it.
    NotJudged,
}

const CLASSES: [Class; 4] = [Class::NewlyFailing, Class::StillFailing, Class::NewlyPassing, Class::NotJudged];

/// A bill in a class.
struct Row {
    key: WorkKey,
    no: String,
    was: Option<Outcome>,
    is: Option<Outcome>,
}

/// One class: all of them counted, the first of them kept.
#[derive(Default)]
struct Found {
    count: u64,
    rows: Vec<Row>,
}

/// What is known of one of the two runs.
#[derive(Default)]
struct Side {
    rows: VecDeque<BillRow>,
    next: Option<Cursor>,
    asked: bool,
    ended: bool,
    last: Option<Fid>,
    read: u64,
}

impl Side {
    /// Wants a page before the merge can go on.
    fn is_dry(&self) -> bool {
        self.rows.is_empty() && !self.ended
    }

    fn take(&mut self, page: Page<BillRow>) -> Result<(), &'static str> {
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

/// The comparison.
pub(crate) struct Compare {
    new: Box<RunRow>,
    old: Box<RunRow>,
    was: Side,
    is: Side,
    found: [Found; 4],
    error: Option<String>,
    at: usize,
    top: usize,
}

/// Compares the run under the cursor with the next older one of its plan.
pub(crate) fn open(model: &mut Model) -> Option<Compare> {
    let new = model.history.current()?.clone();
    // What found nothing, or what nobody approved, judged nothing. One that was cut is compared when it is asked for, and says
    // what it was cut to.
    if new.is_untold() || new.tally.found == 0 {
        let state = words::run_word(model.lang, &new.state, &new.tally);
        let text = fill(model.t().compare_nothing, &[state]);
        model.note(false, text);
        return None;
    }
    let Some(old) = other(model, &new, None, false) else {
        let text = model.t().compare_none;
        model.note(false, text);
        return None;
    };
    Some(Compare::new(new, old))
}

/// The run of the same plan and form that stands next to `from` in the list, older or newer; never newer than `new`, and
/// one that speaks for all bills of its plan.
fn other(model: &Model, new: &RunRow, from: Option<RunId>, newer: bool) -> Option<RunRow> {
    let from = from.unwrap_or(new.head.id);
    let (n, mut runs) = (&new.head, model.history.rows().collect::<Vec<_>>());
    runs.retain(|r| {
        let h = &r.head;
        h.id < n.id && r.is_whole() && (&h.env, &h.form, &h.plan) == (&n.env, &n.form, &n.plan)
    });
    if newer {
        runs.into_iter().rev().find(|r| r.head.id > from).cloned()
    } else {
        runs.into_iter().find(|r| r.head.id < from).cloned()
    }
}

fn is_bad(outcome: Option<&Outcome>) -> bool {
    outcome.is_some_and(|o| matches!(o.slot(), Slot::Failed | Slot::Unknown))
}

impl Compare {
    fn new(new: RunRow, old: RunRow) -> Self {
        Self {
            new: Box::new(new),
            old: Box::new(old),
            was: Side::default(),
            is: Side::default(),
            found: Default::default(),
            error: None,
            at: 0,
            top: 0,
        }
    }

    fn is_done(&self) -> bool {
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
    fn merge(&mut self) {
        use std::cmp::Ordering;
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

    fn rows(&self) -> impl Iterator<Item = (Class, &Row)> {
        CLASSES.into_iter().zip(&self.found).flat_map(|(class, found)| found.rows.iter().map(move |row| (class, row)))
    }
}

/// The pages wanted now: of the older run only what failed, of the newer one everything.
pub(crate) fn questions(model: &mut Model, effects: &mut Vec<Effect>) {
    if !matches!(model.overlay, Some(Overlay::Compare(_))) {
        return;
    }
    let Some(Overlay::Compare(mut compare)) = model.overlay.take() else { return };
    let bad = Term { not: false, test: Test::Is(FilterKey::Status, vec!["failed".to_owned(), "unknown".to_owned()]) };
    let runs = (compare.old.head.id, compare.new.head.id);
    for (side, run, filter, what) in [
        (&mut compare.was, runs.0, Filter { terms: vec![bad] }, Asked::CompareOld),
        (&mut compare.is, runs.1, Filter::default(), Asked::CompareNew),
    ] {
        if side.is_dry() && !side.asked && compare.error.is_none() {
            side.asked = true;
            let page = PageRequest { cursor: side.next.clone(), back: false, limit: PAGE };
            model.ask(Query::Bills { scope: Scope::Run(run), filter, page }, what, effects);
        }
    }
    model.overlay = Some(Overlay::Compare(compare));
}

/// A page of the older or of the newer run came.
pub(crate) fn take(model: &mut Model, older: bool, page: Result<Page<BillRow>, String>) {
    let Some(Overlay::Compare(compare)) = &mut model.overlay else { return };
    let side = if older { &mut compare.was } else { &mut compare.is };
    match page.and_then(|page| side.take(page).map_err(str::to_owned)) {
        Ok(()) => compare.merge(),
        Err(why) => compare.error = Some(why),
    }
}

pub(crate) fn key(model: &mut Model, mut compare: Compare, key: Key) -> Option<Overlay> {
    let page = usize::from(model.size.1.saturating_sub(12)).max(1);
    let last = compare.rows().count().saturating_sub(1);
    match key.code {
        Code::Esc | Code::Char('q') => return None,
        Code::Char('j') | Code::Down => compare.at = (compare.at + 1).min(last),
        Code::Char('k') | Code::Up => compare.at = compare.at.saturating_sub(1),
        Code::PageDown => compare.at = (compare.at + page).min(last),
        Code::PageUp => compare.at = compare.at.saturating_sub(page),
        Code::Char('g') | Code::Home => compare.at = 0,
        Code::Char('G') | Code::End => compare.at = last,
        Code::Enter => {
            if let Some(key) = compare.rows().nth(compare.at).map(|(_, row)| row.key.clone()) {
                model.bill.open(key);
                act::go(model, Pane::Bill);
                return None;
            }
        }
        Code::Char(c @ ('[' | ']')) => {
            if let Some(old) = other(model, &compare.new, Some(compare.old.head.id), c == ']') {
                model.asks.retain(|_, what| !matches!(what, Asked::CompareOld | Asked::CompareNew));
                compare = Compare::new(*compare.new, old);
            }
        }
        _ => {}
    }
    if compare.at < compare.top {
        compare.top = compare.at;
    } else if compare.at >= compare.top + page {
        compare.top = compare.at + 1 - page;
    }
    Some(Overlay::Compare(compare))
}

fn look(model: &Model, class: Class) -> (&'static str, Role) {
    let t = model.t();
    match class {
        Class::NewlyFailing => (t.compare_newly, Role::Failed),
        Class::StillFailing => (t.compare_still, Role::Unknown),
        Class::NewlyPassing => (t.compare_passing, Role::Ok),
        Class::NotJudged => (t.compare_unjudged, Role::Skipped),
    }
}

fn named(model: &Model, row: &RunRow) -> String {
    let when = format::local(row.head.opened, model.zone, "%m-%d %H:%M");
    let range = words::range(model.lang, &row.head);
    let range = if range.is_empty() { range } else { format!(" [{range}]") };
    format!("{when} {}{range} {}", words::kind_of(model.lang, &row.head), format::count(row.tally.found))
}

fn what(model: &Model, op: &OpId, outcome: Option<&Outcome>) -> String {
    let Some(outcome) = outcome else { return "-".to_owned() };
    let reason = words::outcome_reason(&model.causes, model.lang, op, outcome);
    match outcome.slot() {
        Slot::Failed | Slot::Unknown if !reason.is_empty() => reason,
        // The column says it.
        Slot::NotReached => words::slot(model.lang, op, Slot::NotReached).to_owned(),
        slot => format!("{} {reason}", words::slot(model.lang, op, slot)),
    }
}

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, compare: &Compare) {
    let t = model.t();
    let area = middle(pen, model.size.0.saturating_sub(4), model.size.1.saturating_sub(4));
    let name = words::plan_name(model, &compare.new.head.plan, &compare.new.head.name);
    let area = pen.window(area, Role::Accent, &fill(t.compare_title, &[&name]));
    if area.height < 5 {
        return;
    }
    let (x, w) = (area.x, area.width);
    let runs = [
        (Role::Dim, format!("{} ", t.compare_older)),
        (Role::Text, named(model, &compare.old)),
        (Role::Dim, format!("  {}  {} ", pen.glyphs.arrow, t.compare_newer)),
        (Role::Text, named(model, &compare.new)),
    ];
    pen.pieces(x, area.y, w, &runs);
    let mut sums = Vec::new();
    for (class, found) in CLASSES.into_iter().zip(&compare.found) {
        let (label, role) = look(model, class);
        let role = if found.count == 0 { Role::Dim } else { role };
        sums.push((role, format!("{label} {}   ", format::count(found.count))));
    }
    pen.pieces(x, area.y + 1, w, &sums);
    let state = match &compare.error {
        Some(why) => (Role::Error, words::shown(why)),
        None if !compare.is_done() => {
            (Role::Accent, fill(t.scanning, &[&format::count(compare.was.read + compare.is.read)]))
        }
        None if compare.found.iter().any(|f| f.count > KEPT as u64) => {
            (Role::Warning, fill(t.compare_cut, &[&KEPT.to_string()]))
        }
        None if compare.rows().next().is_none() => (Role::Ok, t.compare_same.to_owned()),
        None => (Role::Dim, String::new()),
    };
    pen.pieces(x, area.y + 2, w, &[state]);
    let body = ratatui::layout::Rect { y: area.y + 3, height: area.height - 5, ..area };
    let label = if model.lang == crate::ui::Lang::Zh { 8 } else { 13 };
    for (i, (class, row)) in compare.rows().enumerate().skip(compare.top).take(usize::from(body.height)) {
        let (word, role) = look(model, class);
        let change = {
            let what = |outcome| what(model, &row.key.op, outcome);
            format!("{} {} {}", what(row.was.as_ref()), pen.glyphs.arrow, what(row.is.as_ref()))
        };
        let cells = [
            Cell::new(label, role, word),
            Cell::new(14, Role::Text, words::shown(&row.no)).key(),
            Cell::new(0, role, change),
        ];
        pen.row(body, body.y + (i - compare.top) as u16, i == compare.at, &cells);
    }
    let keys =
        [("Enter".to_owned(), t.compare_open), ("[ ]".to_owned(), t.compare_other), ("Esc".to_owned(), t.close_it)];
    draw_keys(pen, x, area.bottom() - 1, w, &keys);
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::bill::{BillState, Failure, Rev, Skip, Status};
    use skydeck_core::domain::cause::Cause;
    use skydeck_core::domain::ids::{EnvId, FormId, PlanId, RecordKey};
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
            untold: false,
            resolved_before: None,
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

    fn run(id: u64) -> RunRow {
        use skydeck_core::domain::ids::PlanRev;
        use skydeck_core::domain::run::{Revision, RunHead, RunKind, RunState, Tally};
        use skydeck_core::domain::who::Who;
        let head = RunHead {
            id: RunId(ulid::Ulid::from_parts(id, 1)),
            kind: RunKind::Fresh,
            plan: PlanId::new("p"),
            name: "p".into(),
            rev: PlanRev::new("r"),
            env: EnvId::new("e"),
            production: false,
            form: FormId::new("f"),
            columns: vec![],
            by: Who { uid: 0, login: String::new(), from: None, name: None, origin: None, person: None },
            opened: Ts(0),
            of: None,
            filter: String::new(),
            revision: Revision::Newest,
            text: None,
            op: OpId::default(),
            server: None,
            range: None,
            headless: false,
        };
        let (state, tally) = (RunState::Collecting, Tally::default());
        let (collected, closed, flags, consent) = (None, None, vec![], None);
        RunRow { head, state, tally, collected, closed, flags, consent, pruned: 0, op_unknown: false }
    }

    /// Serves both runs in pages of `size` until the comparison is done.
    fn compared(was: &[(Cursor, BillRow)], is: &[(Cursor, BillRow)], size: usize) -> Compare {
        let mut compare = Compare::new(run(2), run(1));
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
