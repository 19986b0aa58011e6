//! A window over a list of any length: at most three keyset pages in memory, the cursor bound to its record.
//!
//! Invariant: the row under the cursor stays the same record when rows change around it; an answer to any but the
//! newest question is dropped.

use std::collections::VecDeque;

use skydeck_core::domain::event::ActionEntry;
use skydeck_core::domain::ids::{RunId, Seq, WorkKey};
use skydeck_core::domain::query::Cursor;
use skydeck_core::domain::run::{BillRow, RunRow};
use skydeck_core::domain::run_list::RunLine;
use skydeck_core::domain::time::Ts;

use super::msg::Ticket;
use super::scroll::Scroll;

mod paging;

/// Rows a page.
pub const PAGE: u32 = 200;
/// Rows of a page that the screen waits for, at least: what it shows comes first, the rest follows unseen.
const FIRST: usize = 40;
/// Rows kept.
const KEPT: usize = 600;

/// A row knows its record.
pub trait Record {
    /// What the record is bound by.
    type Id: Clone + PartialEq;
    /// Its identity.
    fn id(&self) -> Self::Id;
}

impl Record for BillRow {
    type Id = (RunId, WorkKey);
    fn id(&self) -> Self::Id {
        (self.run, self.key.clone())
    }
}

impl Record for RunRow {
    type Id = RunId;
    fn id(&self) -> RunId {
        self.head.id
    }
}

/// What a line of the list of runs is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineId {
    /// A day, by its beginning.
    Day(Ts),
    /// A run.
    Run(RunId),
    /// Runs that found nothing, by the oldest.
    Nothing(RunId),
}

impl Record for RunLine {
    type Id = LineId;
    fn id(&self) -> LineId {
        match self {
            Self::Day(day) => LineId::Day(day.begins),
            Self::Run { row, .. } => LineId::Run(row.head.id),
            Self::Nothing(empty) => LineId::Nothing(empty.oldest),
        }
    }
}

impl Record for (Seq, Ts, ActionEntry) {
    type Id = Seq;
    fn id(&self) -> Seq {
        self.0
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// The beginning, anew.
    Start,
    /// The end, anew.
    End,
    /// What is shown, anew.
    Same,
    /// One page further.
    Forward,
    /// One page back.
    Back,
}

/// How far a search for a place in the list has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// A page has to come first.
    Waiting,
    /// The cursor stands on the first row that passes.
    Found,
    /// None passes: the cursor stands on the last row.
    End,
}

/// The window.
#[derive(Clone, Debug)]
pub struct Window<T: Record> {
    rows: VecDeque<(Cursor, T)>,
    /// Position of the first row in the list; a guess once the end was jumped to.
    base: i64,
    more_before: bool,
    more_after: bool,
    cursor: usize,
    id: Option<T::Id>,
    scroll: Scroll,
    asked: Option<(Ticket, Want)>,
    /// Moves that wait for a page.
    owed: i64,
    /// Whether anything was ever answered.
    loaded: bool,
    stale: bool,
    scanned: u64,
    /// Rows of the whole list, where the store told them.
    told: Option<u64>,
    /// Where a bounded scan stopped before it filled its page.
    resume: Option<Cursor>,
    resume_back: Option<Cursor>,
    /// The operator stopped the scan.
    halted: bool,
    error: Option<String>,
    /// Counts new beginnings, so that a scroll hint never joins two lists.
    pub epoch: u64,
}

impl<T: Record> Default for Window<T> {
    fn default() -> Self {
        Self {
            rows: VecDeque::new(),
            base: 0,
            more_before: false,
            more_after: false,
            cursor: 0,
            id: None,
            scroll: Scroll::default(),
            asked: None,
            owed: 0,
            loaded: false,
            stale: true,
            scanned: 0,
            told: None,
            resume: None,
            resume_back: None,
            halted: false,
            error: None,
            epoch: 0,
        }
    }
}

impl<T: Record> Window<T> {
    /// The row under the cursor.
    pub fn current(&self) -> Option<&T> {
        self.rows.get(self.cursor).map(|(_, row)| row)
    }

    /// Rows on the screen with whether the cursor stands there.
    pub fn visible(&self) -> impl Iterator<Item = (bool, &T)> {
        self.rows
            .iter()
            .enumerate()
            .skip(self.scroll.top())
            .take(self.scroll.height())
            .map(|(i, (_, row))| (i == self.cursor, row))
    }

    /// Position of the first visible row.
    pub fn first(&self) -> u64 {
        u64::try_from(self.base + self.scroll.top() as i64 + i64::from(i32::MAX)).unwrap_or(0)
    }

    /// Position of the cursor from 1, when it is known.
    pub fn position(&self) -> Option<u64> {
        let at = self.base + self.cursor as i64 + 1;
        if self.rows.is_empty() || self.base < 0 { None } else { u64::try_from(at).ok() }
    }

    /// How many there are: counted when the end is in sight and the beginning was, else as the store told.
    pub fn total(&self) -> Option<u64> {
        if self.loaded && !self.more_after && self.base >= 0 {
            u64::try_from(self.base + self.rows.len() as i64).ok()
        } else {
            self.told
        }
    }

    /// No rows in memory.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the list was read at least once.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Rows looked at by the last answer, when its filter had no index.
    pub fn scanned(&self) -> u64 {
        self.scanned
    }

    /// What the last question failed with.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// All rows in memory.
    pub fn rows(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().map(|(_, row)| row)
    }

    /// Rows in memory, to be changed in place by facts.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.iter_mut().map(|(_, row)| row)
    }

    /// The list changed somewhere; it is read again when somebody looks.
    pub fn spoil(&mut self) {
        self.stale = true;
    }

    /// The rows that pass become one, which is known by this: they are read again, and the cursor goes to it.
    pub fn regroup(&mut self, passes: impl Fn(&T) -> bool, id: T::Id) {
        match self.rows.iter().position(|(_, row)| passes(row)) {
            // What is before them is not at hand.
            Some(0) if self.more_before => self.reset(),
            Some(at) => {
                self.owed = 0;
                self.place(at);
                self.id = Some(id);
            }
            None => {}
        }
        self.stale = true;
    }

    /// Whether it was read, and has to be read again.
    pub fn waits(&self) -> bool {
        self.stale && self.loaded
    }

    /// Forgets everything: another list from now on.
    pub fn reset(&mut self) {
        *self = Self { scroll: self.scroll.at_top(), epoch: self.epoch + 1, ..Self::default() };
    }

    /// Rows the screen has for it.
    pub fn set_height(&mut self, height: usize) {
        self.scroll.set_height(height);
        self.scroll();
    }

    /// Whether a scan without an index goes on by itself.
    pub fn is_scanning(&self) -> bool {
        !self.halted && self.resume.is_some() && self.more_after
    }

    /// Whether it goes on by itself: such a scan, or a move over many pages.
    pub fn is_busy(&self) -> bool {
        self.is_scanning() || self.owed != 0
    }

    /// Whether such a scan was stopped before its end: an empty list says nothing about the rest then.
    pub fn is_halted(&self) -> bool {
        self.halted && self.resume.is_some() && self.more_after
    }

    /// Stops that until the cursor moves.
    pub fn halt(&mut self) {
        self.halted = true;
        self.owed = 0;
        if matches!(self.asked, Some((_, Want::Forward | Want::Back))) {
            self.asked = None;
        }
    }

    /// The same where it goes on by itself; tells whether it did.
    pub fn halt_if_busy(&mut self) -> bool {
        let busy = self.is_busy();
        if busy {
            self.halt();
        }
        busy
    }

    /// Moves the cursor.
    pub fn step(&mut self, by: i64) {
        self.halted = false;
        let to = self.cursor as i64 + by;
        let last = self.rows.len() as i64 - 1;
        self.owed = 0;
        if to < 0 && self.more_before {
            self.owed = to;
        } else if to > last && self.more_after {
            self.owed = to - last;
        }
        self.place(to.clamp(0, last.max(0)) as usize);
    }

    /// Whether so many rows further there is one, as far as that is known.
    pub fn holds(&self, by: i64) -> bool {
        let at = self.position().and_then(|at| i64::try_from(at).ok()).map(|at| at.saturating_add(by));
        let all = self.total().and_then(|all| i64::try_from(all).ok());
        at.is_some_and(|at| at >= 1 && all.is_some_and(|all| at <= all))
    }

    /// To row number `n` from 1, page by page where it is not in memory: from here, or from the first row where that is
    /// nearer or where the place of the cursor is not known.
    pub fn go_to(&mut self, n: u64) {
        let to = i64::try_from(n.max(1) - 1).unwrap_or(i64::MAX);
        match self.position().map(|at| to - (at as i64 - 1)) {
            Some(by) if by.abs() <= to || !self.more_before => self.step(by),
            _ if self.more_before => {
                self.restart(Want::Start);
                self.owed = to;
            }
            _ => {
                self.home();
                self.step(to);
            }
        }
    }

    /// To the first row.
    pub fn home(&mut self) {
        if self.more_before {
            self.restart(Want::Start);
        } else {
            self.owed = 0;
            self.place(0);
        }
    }

    /// To the last row.
    pub fn end(&mut self) {
        if self.more_after {
            self.restart(Want::End);
        } else {
            self.owed = 0;
            self.place(self.rows.len().saturating_sub(1));
        }
    }

    /// To the first or the last row.
    pub fn go_to_end(&mut self, last: bool) {
        if last { self.end() } else { self.home() }
    }

    /// Puts the cursor on the first row of the list that passes, where all rows after it pass too; asked again after
    /// each answer until it is not [`Seek::Waiting`].
    pub fn seek(&mut self, passes: impl Fn(&T) -> bool) -> Seek {
        if self.error.is_some() {
            return Seek::End;
        }
        if self.asked.is_some() || !self.loaded {
            return Seek::Waiting;
        }
        match self.rows.iter().position(|(_, row)| passes(row)) {
            Some(0) if self.more_before => {
                self.home();
                Seek::Waiting
            }
            Some(at) => {
                self.halted = false;
                self.owed = 0;
                self.place(at);
                // The row sought is the first on the screen, so that what follows it is in view.
                self.scroll.set_top(at);
                self.scroll();
                Seek::Found
            }
            None if self.more_after => {
                self.step(self.rows.len() as i64);
                Seek::Waiting
            }
            None => {
                self.end();
                Seek::End
            }
        }
    }

    /// Puts the cursor on the visible row number `n`; whether it stood there already, `None` where there is no such row.
    pub fn click(&mut self, n: usize) -> Option<bool> {
        let (to, was) = (self.scroll.top() + n, self.cursor);
        if n >= self.scroll.height() || to >= self.rows.len() {
            return None;
        }
        self.place(to);
        Some(to == was)
    }

    fn restart(&mut self, want: Want) {
        self.owed = 0;
        self.stale = false;
        self.asked = Some((Ticket(0), want));
    }

    fn place(&mut self, at: usize) {
        self.cursor = at;
        self.id = self.current().map(Record::id);
        self.scroll();
    }

    fn scroll(&mut self) {
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.scroll.follow(self.cursor);
        // While more is to come a blank row below is not the end of the list.
        if !self.more_after {
            self.scroll.fill(self.rows.len());
        }
    }
}

#[cfg(test)]
mod tests;
