//! What the list of runs as people read it promises: days with their sums, folded lines, filters, pages both ways.

use fastrand::Rng;

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::query::{Cursor, PageRequest};
use skydeck_core::domain::range::Range;
use skydeck_core::domain::run::{RunEnd, RunHead, RunKind, RunRow, RunState, Tally};
use skydeck_core::domain::run_list::{DayOfRuns, EmptyRuns, Folding, RunLine, RunsAsked};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;

use crate::facts::{T0, approved, audited, closed, collected, failed, found, head, run_id, settled};
use crate::{Bench, block};

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
/// Days begin here, not at universal midnight.
const ZONE: i32 = 480;

/// A run that finds nothing, or one bill; of one of three plans.
fn run(n: u64, at: i64, rng: &mut Rng) -> Vec<Event> {
    let kind = if rng.u8(0..12) == 0 { RunKind::Retry } else { RunKind::Fresh };
    let by = if rng.bool() { Who::schedule(7) } else { Who::of_person(7, "li", None) };
    let range = Range { field: None, since: None, until: Some("2026-01-01".into()), numbers: 0, remedy: false };
    let plan = ["a", "b", "c"][rng.usize(0..3)];
    let opened = RunHead {
        opened: Ts(T0 + at),
        by,
        range: (kind == RunKind::Fresh && rng.u8(0..12) == 0).then_some(range),
        ..head(n, plan, kind)
    };
    let opened = Event::RunOpened(Box::new(opened));
    match rng.u8(0..20) {
        0 => vec![opened],
        1..=3 => vec![opened, Event::RunClosed { run: run_id(n), end: RunEnd::Declined }],
        4..=7 => {
            let outcome = if rng.bool() { audited() } else { failed("stock") };
            let done = settled(n, n, Slot::Waiting, outcome);
            vec![opened, found(n, &[n]), collected(n), approved(n), done, closed(n)]
        }
        _ => vec![opened, Event::RunClosed { run: run_id(n), end: RunEnd::Empty }],
    }
}

fn day(row: &RunRow, zone: i32) -> i64 {
    (row.head.opened.0 + i64::from(zone) * 60_000).div_euclid(DAY)
}

/// The list by its definition, of all runs at once. `rows`: newest first.
pub fn defined(rows: &[RunRow], asked: &RunsAsked) -> Vec<RunLine> {
    let Some(Folding { zone, open }) = asked.folded.clone() else { return Vec::new() };
    let day = |row: &RunRow| day(row, zone);
    let passes = |row: &RunRow| asked.filter.matches_run(row, Ts(T0));
    let folds = |row: &RunRow| {
        let empty = matches!(row.state, RunState::Closed(RunEnd::Empty));
        passes(row) && empty && row.head.kind == RunKind::Fresh && row.head.range.is_none()
    };
    let mut out = Vec::new();
    let mut last = None;
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| passes(row)) {
        let of_plan = |other: &&RunRow| other.head.plan == row.head.plan;
        let with = |other: &&RunRow| folds(other) && day(other) == day(row);
        let is_newest = !rows[..i].iter().rev().find(of_plan).is_some_and(|newer| with(&newer));
        let streak: Vec<&RunRow> = rows[i..].iter().filter(of_plan).take_while(with).collect();
        let run = |fold| RunLine::Run { row: Box::new(row.clone()), fold };
        let line = match streak.last() {
            Some(oldest) if folds(row) => {
                let id = oldest.head.id;
                match (is_newest, open.contains(&id)) {
                    (true, _) if streak.len() == 1 => run(None),
                    (_, true) => run(Some(id)),
                    (true, false) => RunLine::Nothing(Box::new(EmptyRuns {
                        newest: row.clone(),
                        oldest: id,
                        since: oldest.head.opened,
                        runs: streak.len() as u64,
                        more: false,
                    })),
                    (false, false) => continue,
                }
            }
            _ => run(None),
        };
        if last != Some(day(row)) {
            last = Some(day(row));
            let of_day: Vec<&RunRow> = rows.iter().filter(|other| day(other) == day(row) && passes(other)).collect();
            let mut sum = Tally::default();
            for row in &of_day {
                sum.add(&row.tally);
            }
            let begins = Ts(day(row) * DAY - i64::from(zone) * 60_000);
            let (newest, runs) = (row.head.opened, of_day.len() as u64);
            out.push(RunLine::Day(Box::new(DayOfRuns { begins, newest, runs, sum, more: false })));
        }
        out.push(line);
    }
    out
}

pub(super) fn runs_are_listed_by_days_and_empty_ones_in_one_line_whichever_way_pages_go(b: &Bench) {
    let mut rng = Rng::with_seed(31);
    let mut at = 0;
    for n in 1..=160 {
        at += rng.i64(0..3 * HOUR);
        b.ok(run(n, at, &mut rng));
    }
    let all = block(b.store.runs(None, &PageRequest::first(1000))).unwrap();
    let rows: Vec<RunRow> = all.rows.into_iter().map(|(_, row)| row).collect();
    let some = |rng: &mut Rng| rows[rng.usize(0..rows.len())].head.id;
    let id = |n: usize| rows[n].head.id.to_string();
    let named = format!("run:{},{},{} state:empty", id(3), id(4), &id(40)[..25]);
    for filter in [
        "",
        "plan:a",
        "plan:a,b",
        "who:schedule",
        "state:empty",
        "kind:manual -kind:range",
        "state:some_failed",
        "plan:z",
        "no:*",
        "-state:empty",
        "state:empty who:li",
        "kind:retry,range state:empty,declined -plan:c",
        "state:complete,open kind:normal",
        "-plan:b",
        named.as_str(),
        "run:zz",
    ] {
        let parsed = Filter::parse(filter).unwrap();
        let open: Vec<RunId> = (0..40).map(|_| some(&mut rng)).collect();
        for open in [Vec::new(), open] {
            let asked = RunsAsked { filter: parsed.clone(), folded: Some(Folding { zone: ZONE, open }) };
            let want = defined(&rows, &asked);
            let page = |cursor: Option<Cursor>, back, limit| {
                block(b.store.run_lines(&asked, &PageRequest { cursor, back, limit }, Ts(T0))).unwrap()
            };
            let mut cursors = Vec::new();
            for back in [false, true] {
                let (mut got, mut cursor) = (Vec::new(), None);
                loop {
                    let mut found = page(cursor.take(), back, rng.u32(1..9));
                    if back {
                        found.rows.reverse();
                    }
                    cursor = found.stopped_at.or(found.rows.last().map(|(cursor, _)| cursor.clone()));
                    cursors.extend(found.rows.iter().map(|(cursor, _)| cursor.clone()).filter(|_| !back));
                    got.extend(found.rows.into_iter().map(|(_, line)| line));
                    if !found.more {
                        break;
                    }
                }
                if back {
                    got.reverse();
                }
                assert_eq!(got, want, "{} `{filter}` back {back}", b.name);
            }
            // From any line on, both ways.
            for (i, cursor) in cursors.iter().enumerate() {
                let after = page(Some(cursor.clone()), false, 2);
                let before = page(Some(cursor.clone()), true, 2);
                let lines = |rows: &[(Cursor, RunLine)]| rows.iter().map(|(_, line)| line.clone()).collect::<Vec<_>>();
                assert_eq!(lines(&after.rows), want[i + 1..(i + 3).min(want.len())], "{} `{filter}` {i}", b.name);
                assert_eq!(lines(&before.rows), want[i.saturating_sub(2)..i], "{} `{filter}` {i}", b.name);
            }
        }
    }
}

pub(super) fn a_filter_that_few_runs_pass_reads_few_however_many_there_are(b: &Bench) {
    for n in 1..=400 {
        let by = if n % 2 == 0 { Who::schedule(7) } else { Who::of_person(7, "li", None) };
        let opened =
            RunHead { opened: Ts(T0 + n as i64 * HOUR), by, ..head(n, ["a", "b"][n as usize % 2], RunKind::Fresh) };
        let mut events = vec![Event::RunOpened(Box::new(opened))];
        match n {
            7 | 190 => events.push(Event::RunClosed { run: run_id(n), end: RunEnd::Declined }),
            90 => {}
            _ => events.push(Event::RunClosed { run: run_id(n), end: RunEnd::Empty }),
        }
        b.ok(events);
    }
    let id = run_id(33).to_string();
    for (filter, hits, most) in [
        ("state:stopped", 0, 1),
        ("运行状态:有失败", 0, 1),
        ("who:nobody", 0, 1),
        ("kind:verify,range", 0, 1),
        ("plan:c", 0, 1),
        ("-plan:a,b", 0, 1),
        ("env:nowhere", 0, 1),
        ("operation:push state:*", 0, 1),
        ("plan:a state:declined who:li", 0, 1),
        ("state:declined", 2, 3),
        ("-state:empty", 3, 3),
        ("state:open", 1, 1),
        ("run:zz", 0, 0),
        (&format!("run:{id}"), 1, 1),
        (&format!("run:{} state:declined", &id[..25]), 0, 40),
    ] {
        for back in [false, true] {
            let asked = RunsAsked { filter: Filter::parse(filter).unwrap(), folded: None };
            let page =
                block(b.store.run_lines(&asked, &PageRequest { back, ..PageRequest::first(50) }, Ts(T0))).unwrap();
            assert_eq!((page.rows.len(), page.more), (hits, false), "{} `{filter}` {back}", b.name);
            assert!(page.scanned <= most, "{} `{filter}` {back}: {}", b.name, page.scanned);
        }
    }
}

pub(super) fn a_filter_by_time_reads_no_run_of_another_and_one_that_is_not_folded_gives_runs_alone(b: &Bench) {
    for n in 0..90 {
        let opened = RunHead { opened: Ts(T0 + n as i64 * DAY), ..head(n + 1, "a", RunKind::Fresh) };
        b.ok(vec![Event::RunOpened(Box::new(opened)), Event::RunClosed { run: run_id(n + 1), end: RunEnd::Empty }]);
    }
    let day = |n: i64| skydeck_core::domain::filter::Point::At(Ts(T0 + n * DAY));
    let from = skydeck_core::domain::filter::Span::From(day(80));
    let within = skydeck_core::domain::filter::Span::Between(day(30), day(39));
    for (span, runs) in [(from, 81..=90), (within, 31..=40)] {
        for (filter, back) in [("", false), ("plan:a", false), ("", true), ("plan:a", true)] {
            let filter = Filter::parse(&format!("ran:{span} {filter}")).unwrap();
            let asked = RunsAsked { filter, folded: None };
            let page = PageRequest { back, ..PageRequest::first(50) };
            let page = block(b.store.run_lines(&asked, &page, Ts(T0))).unwrap();
            let run = |line: &RunLine| match line {
                RunLine::Run { row, fold: None } => Some(row.head.id),
                RunLine::Run { .. } | RunLine::Day(_) | RunLine::Nothing(_) => None,
            };
            let got: Vec<RunId> = page.rows.iter().filter_map(|(_, line)| run(line)).collect();
            assert_eq!(got, runs.clone().rev().map(run_id).collect::<Vec<_>>(), "{} {span} {back}", b.name);
            assert!(page.rows.len() == 10 && !page.more && page.scanned < 16, "{} {span}: {}", b.name, page.scanned);
        }
    }
}
