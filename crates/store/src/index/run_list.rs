//! A page of the list of runs as people read it: days with their sums, and runs of a plan that found nothing folded into a line.
//!
//! Invariant: a page is the same stretch of one list whichever way it is read; a call reads at most [`WORK`] runs, the last
//! line it gives aside. A run's place says where a line stands: what comes or goes elsewhere moves nothing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use super::Index;
use super::key::{self, DictNo, Key, RunNo, u32_at, u64_at};
use super::kv::Kv;
use super::list;
use super::row::{RunLiveRec, run_row};
use super::run_sorts::{Source, Stream};
use crate::StoreError;
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::query::{Cursor, Page, PageRequest};
use skydeck_core::domain::run::{RunEnd, RunKind, RunRow, RunState, Tally};
use skydeck_core::domain::run_list::{DayOfRuns, EmptyRuns, RunLine, RunsAsked};
use skydeck_core::domain::time::Ts;

/// Runs that one call reads, at most: some tens of milliseconds.
const WORK: usize = 4_000;
/// Runs that are counted for one line, at most; the line says that there are more.
const COUNTED: u64 = 2_000;
/// What the cursors of this list begin with.
const TAG: u8 = b'y';
const DAY: i64 = 86_400_000;

/// What is needed of a run to place it.
#[derive(Clone, Copy)]
struct Seen {
    plan: DictNo,
    id: RunId,
    opened: Ts,
    day: i64,
    passes: bool,
    /// It found nothing and may stand in a line with others.
    folds: bool,
    tally: Tally,
}

/// Runs that stand in one line.
struct Streak {
    oldest: RunId,
    since: Ts,
    runs: u64,
    more: bool,
    open: bool,
}

/// What was read of the next newer run of a plan.
#[derive(Clone, Copy)]
enum Within {
    /// Nothing yet.
    Unread,
    /// It stands in a line that is not opened.
    Folded,
    /// It was shown by itself, of a line that was opened.
    Opened(RunId),
}

/// Where a page goes on: beyond a run, and which line was the last one.
#[derive(Clone, Copy)]
struct Place {
    at: RunNo,
    /// The line of the day stands before the run of this number: the run itself is still to come.
    heading: bool,
    /// The last line and its day.
    line: Option<(RunNo, i64)>,
}

/// One page in the making.
struct Lines<'k, K: Kv> {
    index: &'k Index<K>,
    asked: &'k RunsAsked,
    source: Source,
    zone: i64,
    now: Ts,
    limit: usize,
    seen: RefCell<HashMap<RunNo, Option<Seen>>>,
    work: Cell<usize>,
    page: RefCell<Page<RunLine>>,
}

impl<K: Kv> Index<K> {
    /// Runs as people read them, newest first.
    pub fn run_lines(&self, asked: &RunsAsked, request: &PageRequest, now: Ts) -> Result<Page<RunLine>, StoreError> {
        if !asked.filter.asks_runs() {
            return Ok(Page::default());
        }
        let zone = asked.folded.as_ref().map_or(0, |folded| i64::from(folded.zone) * 60_000);
        let lines = Lines {
            index: self,
            asked,
            source: self.runs_asked(&asked.filter, now)?,
            zone,
            now,
            limit: request.limit as usize,
            seen: RefCell::default(),
            work: Cell::new(0),
            page: RefCell::default(),
        };
        let from = request.cursor.as_ref().map(open).transpose()?;
        if request.back {
            lines.newer(from)?
        } else {
            lines.older(from)?
        }
        let mut page = lines.page.into_inner();
        if request.back {
            page.rows.reverse();
        }
        Ok(page)
    }
}

impl<K: Kv> Lines<'_, K> {
    fn seen(&self, no: RunNo) -> Result<Option<Seen>, StoreError> {
        if let Some(seen) = self.seen.borrow().get(&no) {
            return Ok(*seen);
        }
        self.work.set(self.work.get() + 1);
        let seen = self.read(no)?;
        self.seen.borrow_mut().insert(no, seen);
        Ok(seen)
    }

    fn read(&self, no: RunNo) -> Result<Option<Seen>, StoreError> {
        let live: Option<RunLiveRec> = self.index.value(&super::entries::live_key(no))?;
        let (Some(rec), Some(live)) = (self.index.run_rec(no)?, live) else { return Ok(None) };
        let row = run_row(rec, &live);
        let passes = self.asked.filter.matches_run(&row, self.now);
        let nothing = matches!(row.state, RunState::Closed(RunEnd::Empty)) && row.tally.found == 0;
        let plain = row.head.kind == RunKind::Fresh && row.head.range.is_none();
        Ok(Some(Seen {
            plan: live.p,
            id: row.head.id,
            opened: row.head.opened,
            day: row.head.opened.0.saturating_add(self.zone).div_euclid(DAY),
            passes,
            folds: passes && nothing && plain && self.asked.folded.is_some(),
            tally: row.tally,
        }))
    }

    fn row(&self, no: RunNo) -> Result<RunRow, StoreError> {
        self.index.run_by_no(no)?.ok_or_else(|| StoreError::Read(format!("run number {no} is lost")))
    }

    /// Numbers between which all runs lie that the filter may let pass, by the time they were opened.
    fn between(&self) -> Result<(RunNo, RunNo), StoreError> {
        self.index.runs_opened(self.asked.filter.runs_between(self.now))
    }

    fn of_plan(plan: DictNo) -> Vec<u8> {
        Key::new(key::RUN_OF_PLAN).u16(plan).done()
    }

    /// Whether the next newer run of its plan stands in one line with it.
    fn has_newer(&self, no: RunNo, seen: &Seen) -> Result<bool, StoreError> {
        let Some(newer) = self.index.run_numbers(&Self::of_plan(seen.plan), Some((no, false)), false).next() else {
            return Ok(false);
        };
        Ok(self.seen(newer?)?.is_some_and(|newer| newer.folds && newer.day == seen.day))
    }

    /// The runs from this one on that stand in one line with it.
    fn streak(&self, no: RunNo, seen: &Seen) -> Result<Streak, StoreError> {
        let mut streak = Streak { oldest: seen.id, since: seen.opened, runs: 0, more: false, open: false };
        for older in self.index.run_numbers(&Self::of_plan(seen.plan), Some((no, true)), true) {
            let Some(older) = self.seen(older?)?.filter(|older| older.folds && older.day == seen.day) else { break };
            if streak.runs >= COUNTED {
                streak.more = true;
                break;
            }
            (streak.oldest, streak.since, streak.runs) = (older.id, older.opened, streak.runs + 1);
        }
        streak.open = self.asked.folded.as_ref().is_some_and(|folded| folded.open.contains(&streak.oldest));
        Ok(streak)
    }

    /// The sum of the day whose newest run is this one; `older`: the runs before it.
    fn day(&self, no: RunNo, seen: &Seen, older: &mut Stream<'_>) -> Result<DayOfRuns, StoreError> {
        let begins = Ts(seen.day * DAY - self.zone);
        let mut day = DayOfRuns { begins, newest: seen.opened, runs: 0, sum: Tally::default(), more: false };
        let mut next = Some(no);
        for n in 0.. {
            let Some(no) = next else { break };
            next = older.peek(n)?;
            let Some(older) = self.seen(no)? else { continue };
            if older.day != seen.day {
                break;
            }
            if n as u64 >= COUNTED {
                day.more = true;
                break;
            }
            if older.passes {
                day.runs += 1;
                day.sum.add(&older.tally);
            }
        }
        Ok(day)
    }

    /// Whether one more line fits; else the page says that there is more.
    fn has_room(&self) -> bool {
        let mut page = self.page.borrow_mut();
        let room = page.rows.len() < self.limit;
        page.more |= !room;
        room
    }

    fn push(&self, place: Place, line: RunLine) {
        self.page.borrow_mut().rows.push((close(place), line));
    }

    /// The page stops before it is full; it goes on from here.
    fn stop_at(&self, place: Place) {
        let mut page = self.page.borrow_mut();
        (page.more, page.stopped_at) = (true, Some(close(place)));
    }

    fn is_tired(&self) -> bool {
        self.work.get() >= WORK
    }

    /// The line of a run; `None` where it stands in that of a newer one. `within`: what is known of the next newer run of its
    /// plan, of the same day.
    fn line(&self, no: RunNo, seen: &Seen, within: Within) -> Result<Option<RunLine>, StoreError> {
        let run = |fold| Ok(Some(RunLine::Run { row: Box::new(self.row(no)?), fold }));
        match within {
            _ if !seen.folds => return run(None),
            Within::Folded => return Ok(None),
            Within::Opened(fold) => return run(Some(fold)),
            Within::Unread => {}
        }
        let newer = self.has_newer(no, seen)?;
        let Streak { oldest, since, runs, more, open } = self.streak(no, seen)?;
        match (newer, open) {
            (false, _) if runs == 1 => run(None),
            (_, true) => run(Some(oldest)),
            (true, false) => Ok(None),
            (false, false) => {
                let newest = self.row(no)?;
                Ok(Some(RunLine::Nothing(Box::new(EmptyRuns { newest, oldest, since, runs, more }))))
            }
        }
    }

    /// Whether the next newer run of its plan is this one.
    fn follows(&self, no: RunNo, plan: DictNo, newer: RunNo) -> Result<bool, StoreError> {
        let next = self.index.run_numbers(&Self::of_plan(plan), Some((no, false)), false).next();
        Ok(next.transpose()? == Some(newer))
    }

    /// Down the list.
    fn older(&self, from: Option<Place>) -> Result<(), StoreError> {
        let (first, newest) = self.between()?;
        let mut last = from.and_then(|place| place.line);
        // Of each plan: its last run read here that stands in a line, with the day.
        let mut within: HashMap<DictNo, (RunNo, i64, Within)> = HashMap::new();
        let from = from.map_or((newest, true), |place| (place.at, place.heading));
        let mut runs = self.index.run_stream(&self.source, from, true);
        while let Some(no) = runs.take()? {
            if no < first {
                return Ok(());
            }
            let Some(seen) = self.seen(no)? else { continue };
            self.page.borrow_mut().scanned += 1;
            let known = match within.get(&seen.plan).filter(|(_, day, _)| seen.folds && *day == seen.day) {
                // Between two runs of a source lie others of the plan that are not in it.
                Some((newer, _, of)) if self.source.is_all() || self.follows(no, seen.plan, *newer)? => *of,
                _ => Within::Unread,
            };
            let line = if seen.passes { self.line(no, &seen, known)? } else { None };
            match &line {
                _ if !seen.folds => within.remove(&seen.plan),
                Some(RunLine::Run { fold: Some(fold), .. }) => {
                    within.insert(seen.plan, (no, seen.day, Within::Opened(*fold)))
                }
                // One that stands alone has no older one beside it.
                Some(RunLine::Run { fold: None, .. }) => within.remove(&seen.plan),
                Some(RunLine::Nothing(_) | RunLine::Day(_)) | None => {
                    within.insert(seen.plan, (no, seen.day, Within::Folded))
                }
            };
            if let Some(line) = line {
                let is_new_day = self.asked.folded.is_some() && last.is_none_or(|(_, day)| day != seen.day);
                last = Some((no, seen.day));
                if is_new_day {
                    if !self.has_room() {
                        return Ok(());
                    }
                    let day = RunLine::Day(Box::new(self.day(no, &seen, &mut runs)?));
                    self.push(Place { at: no, heading: true, line: last }, day);
                }
                if !self.has_room() {
                    return Ok(());
                }
                self.push(Place { at: no, heading: false, line: last }, line);
            }
            if self.is_tired() {
                self.stop_at(Place { at: no, heading: false, line: last });
                return Ok(());
            }
        }
        Ok(())
    }

    /// Up the list; the rows come in the order in which they are read.
    fn newer(&self, from: Option<Place>) -> Result<(), StoreError> {
        // The line that is the first of its day unless a newer one follows; a line of a day has told its own.
        let mut first = from.filter(|place| !place.heading).and_then(|place| place.line);
        let (oldest, newest) = self.between()?;
        let from = from.map_or((oldest, true), |place| (place.at, false));
        let mut runs = self.index.run_stream(&self.source, from, false);
        while let Some(no) = runs.take()? {
            if no > newest {
                break;
            }
            let Some(seen) = self.seen(no)? else { continue };
            self.page.borrow_mut().scanned += 1;
            if seen.passes
                && let Some(line) = self.line(no, &seen, Within::Unread)?
            {
                if let Some((newest, _)) = first.filter(|(_, day)| *day != seen.day)
                    && !self.push_day(newest)?
                {
                    return Ok(());
                }
                if !self.has_room() {
                    return Ok(());
                }
                first = Some((no, seen.day));
                self.push(Place { at: no, heading: false, line: first }, line);
            }
            if self.is_tired() {
                self.stop_at(Place { at: no, heading: false, line: first });
                return Ok(());
            }
        }
        if let Some((newest, _)) = first {
            self.push_day(newest)?;
        }
        Ok(())
    }

    /// Puts the line of a day above its newest run; `false` where the page is full.
    fn push_day(&self, newest: RunNo) -> Result<bool, StoreError> {
        let Some(seen) = self.seen(newest)?.filter(|_| self.asked.folded.is_some()) else { return Ok(true) };
        if !self.has_room() {
            return Ok(false);
        }
        let place = Place { at: newest, heading: true, line: Some((newest, seen.day)) };
        // Where many walks would be begun for it the runs of the day are fewer.
        let all = if self.source.is_wide() { Some(self.index.runs_of_plan_asked(&self.asked.filter)?) } else { None };
        let mut older = self.index.run_stream(all.as_ref().unwrap_or(&self.source), (newest, false), true);
        self.push(place, RunLine::Day(Box::new(self.day(newest, &seen, &mut older)?)));
        Ok(true)
    }
}

/// A place as a cursor.
fn close(place: Place) -> Cursor {
    let key = Key::default().u32(place.at).byte(u8::from(place.heading));
    let key = match place.line {
        Some((no, day)) => key.u32(no).u64(day.cast_unsigned()),
        None => key,
    };
    list::cursor(&[TAG], &key.done())
}

fn open(cursor: &Cursor) -> Result<Place, StoreError> {
    let bytes = list::open_cursor(cursor, &[TAG])?;
    let wrong = || StoreError::Cursor("its cursor belongs to another list; start from the beginning".to_owned());
    let (at, heading) = u32_at(&bytes, 0).zip(bytes.get(4)).ok_or_else(wrong)?;
    let line = u32_at(&bytes, 5).zip(u64_at(&bytes, 9)).map(|(no, day)| (no, day.cast_signed()));
    Ok(Place { at, heading: *heading == 1, line })
}
