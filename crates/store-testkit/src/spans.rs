//! What lists promise where a filter says of which runs, or since when: the same rows as without any short cut, and no walk
//! over the rest of the history.

use fastrand::Rng;

use skydeck_core::domain::bill::{Skip, Slot, UnknownWhy};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::filter::{About, Filter, Point, Span};
use skydeck_core::domain::query::{PageRequest, Scope};
use skydeck_core::domain::run::{BillRow, RunEnd, RunHead, RunKind};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;

use crate::facts::{
    T0, approved, audited, closed, collected, failed, found, head, resolved, run_id, settled, skipped, unknown,
};
use crate::{Bench, block};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A run that is open, with its bills that have no outcome yet, and those whose outcome is unknown.
struct Open {
    n: u64,
    waiting: Vec<u64>,
    unknown: Vec<u64>,
}

/// A history in which runs overlap, stop, go on after later ones, and in which the clock is set back now and then.
struct Past<'a> {
    bench: &'a Bench,
    rng: Rng,
    at: i64,
    runs: u64,
    open: Vec<Open>,
    settled: Vec<u64>,
}

impl Past<'_> {
    fn begin(&mut self) {
        self.at += match self.rng.u8(0..20) {
            0 => -self.rng.i64(0..9 * DAY),
            1 => 20 * DAY,
            _ => self.rng.i64(0..9 * HOUR),
        };
        self.runs += 1;
        let n = self.runs;
        let by = if self.rng.bool() { Who::schedule(7) } else { Who::of_person(7, "li", None) };
        let plan = ["a", "b"][self.rng.usize(0..2)];
        let opened = RunHead { opened: Ts(T0 + self.at), by, ..head(n, plan, RunKind::Fresh) };
        self.bench.ok(vec![Event::RunOpened(Box::new(opened))]);
        let fids: Vec<u64> = (0..self.rng.u64(0..6)).map(|i| self.rng.u64(0..30) * 6 + i).collect();
        if !fids.is_empty() {
            self.bench.ok(vec![found(n, &fids), collected(n)]);
        }
        if self.rng.u8(0..8) == 0 {
            self.bench.ok(vec![Event::RunClosed { run: run_id(n), end: RunEnd::Declined }]);
            return;
        }
        if !fids.is_empty() {
            self.bench.ok(vec![approved(n)]);
        }
        self.open.push(Open { n, waiting: fids, unknown: Vec::new() });
    }

    fn go_on(&mut self) {
        let Some(at) = self.rng.choice(0..self.open.len()) else { return };
        let mut run = self.open.swap_remove(at);
        let (n, outcome) = (run.n, self.rng.u8(0..6));
        if let Some(fid) = run.waiting.pop() {
            let said = match outcome {
                0 => unknown(UnknownWhy::TimedOut),
                1 => skipped(Skip::Draft),
                2 => audited(),
                _ => failed(["stock", "period"][self.rng.usize(0..2)]),
            };
            self.bench.ok(vec![settled(n, fid, Slot::Waiting, said)]);
            if outcome == 0 { run.unknown.push(fid) } else { self.settled.push(fid) }
        } else if let Some(fid) = run.unknown.pop() {
            self.bench.ok(vec![settled(n, fid, Slot::Unknown, audited())]);
        } else if outcome < 3 {
            self.bench.ok(vec![closed(n)]);
            return;
        } else {
            self.bench.ok(vec![Event::RunInterrupted { run: run_id(n) }]);
        }
        if let Some(fid) = self.rng.choice(0..self.settled.len()).filter(|_| outcome == 5) {
            self.bench.ok(vec![resolved(self.settled.swap_remove(fid))]);
        }
        self.open.push(run);
    }

    /// A stretch of time, open at an end now and then.
    fn some_span(&mut self) -> Span {
        let point = |at: i64| Point::At(Ts(T0 + at));
        let from = self.rng.i64(-DAY..self.at + DAY);
        match self.rng.u8(0..4) {
            0 => Span::From(point(from)),
            1 => Span::Under(point(from)),
            _ => Span::Between(point(from), point(from + self.rng.i64(0..6 * DAY))),
        }
    }
}

/// All rows of a list that a filter lets pass, a page at a time.
fn walked(b: &Bench, scope: Scope, filter: &Filter, (back, limit): (bool, u32)) -> Vec<BillRow> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest { cursor, back, limit };
        let mut page = block(b.store.bills(scope.asked(filter, &page, Ts(T0)))).unwrap();
        if back {
            page.rows.reverse();
        }
        cursor = page.stopped_at.or(page.rows.last().map(|(cursor, _)| cursor.clone()));
        rows.extend(page.rows.into_iter().map(|(_, row)| row));
        if !page.more {
            break;
        }
    }
    if back {
        rows.reverse();
    }
    rows
}

/// The rows of all that the filter itself lets pass.
fn defined(b: &Bench, all: &[BillRow], filter: &Filter) -> Vec<BillRow> {
    let passes = |row: &&BillRow| {
        let run = block(b.store.run(row.run)).unwrap().unwrap();
        let about = About { state: Some((&run.state, &run.tally)), ..About::run(&run.head, &[]) };
        filter.matches(row, &about, Ts(T0))
    };
    all.iter().filter(passes).cloned().collect()
}

pub(super) fn a_filter_by_runs_or_since_when_gives_the_rows_that_pass_it_and_no_others(b: &Bench) {
    let mut past = Past { bench: b, rng: Rng::with_seed(52), at: 0, runs: 0, open: Vec::new(), settled: Vec::new() };
    for _ in 0..700 {
        if past.rng.u8(0..7) == 0 && past.open.len() < 5 { past.begin() } else { past.go_on() }
    }
    let runs = past.runs;
    let every = Filter::default();
    let (history, ledger) =
        (walked(b, Scope::History, &every, (false, 90)), walked(b, Scope::Ledger, &every, (false, 90)));
    assert!(runs > 60 && history.len() > 150 && ledger.len() > 20, "{runs} {} {}", history.len(), ledger.len());
    let mut hits = 0;
    for _ in 0..120 {
        let (span, since) = (past.some_span(), past.some_span());
        let run = run_id(past.rng.u64(1..=runs)).to_string();
        let asked = match past.rng.u8(0..9) {
            0 => format!("ran:{span}"),
            1 => format!("ran:{span},{since} status:failed"),
            2 => format!("ran:{span} -ran:{since} plan:a"),
            3 => format!("run:{run}"),
            4 => format!("run:{} status:failed,unknown", &run[..24]),
            5 => format!("who:schedule ran:{span} 客户3"),
            6 => format!("since:{since} cause:stock"),
            7 => format!("ran:{span} state:complete -kind:manual"),
            _ => format!("since:{since} age:>{}h -age:>400d", past.rng.u8(1..99)),
        };
        let filter = Filter::parse(&asked).unwrap();
        for (scope, all) in [(Scope::History, &history), (Scope::Ledger, &ledger)] {
            let want = defined(b, all, &filter);
            hits += want.len();
            for back in [false, true] {
                let got = walked(b, scope, &filter, (back, past.rng.u32(1..9)));
                assert_eq!(got, want, "{} {scope:?} `{asked}` back {back}", b.name);
            }
        }
    }
    assert!(hits > 1_000, "{hits}");
}

pub(super) fn a_filter_by_runs_or_since_when_walks_over_nothing_else(b: &Bench) {
    // A run a day with ten failed bills; the one of day 20 is interrupted and goes on when the next two are over.
    for n in 1..=60_u64 {
        let opened = RunHead { opened: Ts(T0 + n as i64 * DAY), ..head(n, "a", RunKind::Fresh) };
        let fids: Vec<u64> = (0..10).map(|i| n * 10 + i).collect();
        b.ok(vec![Event::RunOpened(Box::new(opened)), found(n, &fids), collected(n), approved(n)]);
        let settle = |n: u64, fids: &[u64]| {
            b.ok(fids.iter().map(|fid| settled(n, *fid, Slot::Waiting, failed("stock"))).collect());
        };
        if n == 20 {
            settle(n, &fids[..5]);
            b.ok(vec![Event::RunInterrupted { run: run_id(n) }]);
            continue;
        }
        settle(n, &fids);
        b.ok(vec![closed(n)]);
        if n == 22 {
            settle(20, &(205..210).collect::<Vec<u64>>());
            b.ok(vec![closed(20)]);
        }
    }
    let span = |from: i64, to: i64| {
        Span::Between(Point::At(Ts(T0 + from * DAY)), Point::At(Ts(T0 + to * DAY + HOUR))).to_string()
    };
    let id = run_id(33).to_string();
    for (scope, asked, rows, most) in [
        (Scope::History, format!("ran:{} status:failed", span(30, 31)), 20, 20),
        (Scope::History, format!("ran:{}", span(30, 31)), 20, 20),
        (Scope::History, format!("ran:{} 客户0", span(30, 31)), 3, 20),
        // Its bills lie among those of the two that came between.
        (Scope::History, format!("ran:{} status:failed", span(20, 20)), 10, 30),
        (Scope::History, format!("ran:{}", span(70, 80)), 0, 0),
        (Scope::History, format!("ran:{}", span(-9, 0)), 0, 0),
        (Scope::History, format!("run:{id}"), 10, 10),
        (Scope::History, "run:7ZZZ".to_owned(), 0, 0),
        (Scope::Ledger, format!("since:{}", Span::Under(Point::At(Ts(T0 - 1)))), 0, 0),
    ] {
        for back in [false, true] {
            let page = PageRequest { back, ..PageRequest::first(100) };
            let filter = Filter::parse(&asked).unwrap();
            let page = block(b.store.bills(scope.asked(&filter, &page, Ts(T0)))).unwrap();
            assert_eq!((page.rows.len(), page.more), (rows, false), "{} `{asked}` {back}", b.name);
            assert!(page.scanned <= most, "{} `{asked}` {back}: {} rows", b.name, page.scanned);
        }
    }
}
