//! A window over a list of any length: at most three keyset pages in memory, the cursor bound to its record.
//!
//! Invariant: the row under the cursor stays the same record when rows change around it; an answer to any but the
//! newest question is dropped.

use std::collections::VecDeque;

use skydeck_core::domain::event::ActionEntry;
use skydeck_core::domain::ids::{RunId, Seq, WorkKey};
use skydeck_core::domain::query::{Cursor, Page, PageRequest};
use skydeck_core::domain::run::{BillRow, RunRow};
use skydeck_core::domain::time::Ts;

use super::msg::Ticket;

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
    top: usize,
    height: usize,
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
            top: 0,
            height: 1,
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
        self.rows.iter().enumerate().skip(self.top).take(self.height).map(|(i, (_, row))| (i == self.cursor, row))
    }

    /// The row before the first visible one.
    pub fn above(&self) -> Option<&T> {
        self.top.checked_sub(1).and_then(|i| self.rows.get(i)).map(|(_, row)| row)
    }

    /// Position of the first visible row.
    pub fn first(&self) -> u64 {
        u64::try_from(self.base + self.top as i64 + i64::from(i32::MAX)).unwrap_or(0)
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

    /// Whether it waits to be read again.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Whether it was read, and has to be read again.
    pub fn waits(&self) -> bool {
        self.stale && self.loaded
    }

    /// Forgets everything: another list from now on.
    pub fn reset(&mut self) {
        *self = Self { height: self.height, epoch: self.epoch + 1, ..Self::default() };
    }

    /// Rows the screen has for it.
    pub fn set_height(&mut self, height: usize) {
        self.height = height.max(1);
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

    /// To row number `n` from 1, page by page where it is not in memory: from here, or from the first row where that is
    /// nearer or where the place of the cursor is not known.
    pub fn go(&mut self, n: u64) {
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
                self.top = at;
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

    /// Rows a page move takes.
    pub fn page(&self) -> i64 {
        self.height.max(1) as i64
    }

    /// Puts the cursor on the visible row number `n`.
    pub fn click(&mut self, n: usize) -> bool {
        let to = self.top + n;
        if n < self.height && to < self.rows.len() {
            self.place(to);
            return true;
        }
        false
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
        if self.cursor < self.top {
            self.top = self.cursor;
        }
        if self.cursor >= self.top + self.height {
            self.top = self.cursor + 1 - self.height;
        }
        let most = if self.more_after { self.rows.len() } else { self.rows.len().saturating_sub(self.height) };
        self.top = self.top.min(most);
    }

    /// The question this window has now, if any. The newest replaces one that still waits.
    pub fn question(&mut self, ticket: impl FnOnce() -> Ticket) -> Option<(Ticket, PageRequest)> {
        let near_end = self.cursor + 2 * self.height.max(20) >= self.rows.len();
        let want = match self.asked {
            Some((Ticket(0), want)) => want,
            // What was asked for anew may not be overtaken; a page further may.
            Some((_, Want::Start | Want::End | Want::Same)) => return None,
            _ if self.stale => self.fresh(),
            None if self.error.is_some() || self.halted => return None,
            None if self.more_after && near_end => Want::Forward,
            None if self.more_before && self.cursor < self.height.max(20) => Want::Back,
            _ => return None,
        };
        let at = |row: Option<&(Cursor, T)>| row.map(|(c, _)| c.clone());
        let (cursor, back) = match want {
            Want::Start => (None, false),
            Want::End => (None, true),
            Want::Same => (self.top.checked_sub(1).and_then(|i| at(self.rows.get(i))), false),
            Want::Forward => (self.resume.clone().or_else(|| at(self.rows.back())), false),
            Want::Back => (self.resume_back.clone().or_else(|| at(self.rows.front())), true),
        };
        self.stale = false;
        self.error = None;
        let ticket = ticket();
        self.asked = Some((ticket, want));
        let limit = match want {
            Want::Start | Want::End => (self.height + 4).clamp(FIRST, PAGE as usize) as u32,
            Want::Same | Want::Forward | Want::Back => PAGE,
        };
        Some((ticket, PageRequest { cursor, back, limit }))
    }

    fn fresh(&self) -> Want {
        if self.loaded { Want::Same } else { Want::Start }
    }

    /// Takes an answer; `false` when it was not asked for (any more).
    pub fn answer(&mut self, ticket: Ticket, page: Result<Page<T>, String>) -> bool {
        let Some((_, want)) = self.asked.filter(|(t, _)| *t == ticket) else { return false };
        self.asked = None;
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                self.error = Some(error);
                return true;
            }
        };
        self.loaded = true;
        let more = page.more || page.stopped_at.is_some();
        self.scanned = match want {
            Want::Forward | Want::Back => self.scanned.saturating_add(page.scanned),
            _ => page.scanned,
        };
        match want {
            Want::Back | Want::End => self.resume_back = page.stopped_at,
            _ => self.resume = page.stopped_at,
        }
        self.told = page.total.or(self.told);
        let n = page.rows.len();
        match want {
            Want::Start | Want::End => {
                if want == Want::Start {
                    self.resume_back = None;
                } else {
                    self.resume = None;
                }
                self.rows = page.rows.into();
                self.epoch += 1;
                let start = want == Want::Start;
                (self.more_before, self.more_after) = if start { (false, more) } else { (more, false) };
                let end = page.total.map_or(i64::from(i32::MIN), |all| (all as i64).saturating_sub(n as i64));
                self.base = if start || !more { 0 } else { end };
                self.top = 0;
                self.place(if start { 0 } else { n.saturating_sub(1) });
                self.top = if start { 0 } else { n.saturating_sub(self.height) };
            }
            Want::Same => self.replace(page.rows, more),
            Want::Forward => {
                self.rows.extend(page.rows);
                self.more_after = more;
                let drop = self.rows.len().saturating_sub(KEPT);
                if drop > 0 {
                    self.resume_back = None;
                    self.rows.drain(..drop);
                    self.more_before = true;
                    self.base += drop as i64;
                    self.cursor = self.cursor.saturating_sub(drop);
                    self.top = self.top.saturating_sub(drop);
                }
            }
            Want::Back => {
                for row in page.rows.into_iter().rev() {
                    self.rows.push_front(row);
                }
                self.more_before = more;
                self.base -= n as i64;
                if !more && self.base < 0 {
                    self.base = 0;
                }
                self.cursor += n;
                self.top += n;
                if self.rows.len() > KEPT {
                    self.rows.truncate(KEPT);
                    self.more_after = true;
                    self.resume = None;
                }
            }
        }
        let owed = std::mem::take(&mut self.owed);
        if owed != 0 {
            self.step(owed);
        }
        self.scroll();
        true
    }

    /// New rows from the top of the screen on; what is above stays only while nothing else is known.
    fn replace(&mut self, rows: Vec<(Cursor, T)>, more: bool) {
        let kept = self.top;
        let offset = self.cursor.saturating_sub(self.top);
        self.rows.truncate(kept);
        self.rows.extend(rows);
        self.more_after = more;
        let found = self.id.as_ref().and_then(|id| self.rows.iter().position(|(_, row)| row.id() == *id));
        let last = self.rows.len().saturating_sub(1);
        self.place(found.unwrap_or((kept + offset).min(last)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::who::Who;

    type Row = (Seq, Ts, ActionEntry);

    fn rows(of: std::ops::Range<u64>) -> Vec<(Cursor, Row)> {
        let entry = ActionEntry {
            order: None,
            by: Who { uid: 0, login: String::new(), from: None, name: None, origin: None, person: None },
            verb: String::new(),
            run: None,
            plan: None,
            bills: 0,
            reason: None,
            result: String::new(),
            line: None,
            why: None,
        };
        of.map(|n| (Cursor(format!("{n:08}")), (Seq(n), Ts(0), entry.clone()))).collect()
    }

    /// A list of `n` rows that answers like a store.
    fn serve(n: u64, ask: &PageRequest) -> Page<Row> {
        let at = ask.cursor.as_ref().map(|c| c.0.parse::<u64>().unwrap());
        let limit = u64::from(ask.limit);
        let (from, to) = match (at, ask.back) {
            (None, false) => (0, limit.min(n)),
            (Some(c), false) => (c + 1, (c + 1 + limit).min(n)),
            (None, true) => (n.saturating_sub(limit), n),
            (Some(c), true) => (c.saturating_sub(limit), c),
        };
        Page { rows: rows(from..to.max(from)), more: if ask.back { from > 0 } else { to < n }, ..Page::default() }
    }

    fn settle(w: &mut Window<Row>, n: u64, next: &mut u64) {
        while let Some((ticket, ask)) = w.question(|| {
            *next += 1;
            Ticket(*next)
        }) {
            assert!(w.answer(ticket, Ok(serve(n, &ask))));
            assert!(w.rows.len() <= KEPT);
        }
    }

    #[test]
    fn a_walk_over_everything_sees_each_row_once_with_three_pages_in_memory() {
        let (n, mut next, mut w) = (2_345, 0, Window::<Row>::default());
        w.set_height(20);
        settle(&mut w, n, &mut next);
        for want in 0..n {
            assert_eq!(w.current().unwrap().0, Seq(want));
            assert_eq!(w.position(), Some(want + 1));
            w.step(1);
            settle(&mut w, n, &mut next);
        }
        assert_eq!(w.total(), Some(n));
        for want in (0..n).rev() {
            assert_eq!(w.current().unwrap().0, Seq(want));
            w.step(-1);
            settle(&mut w, n, &mut next);
        }
        w.end();
        settle(&mut w, n, &mut next);
        assert_eq!(w.current().unwrap().0, Seq(n - 1));
        w.home();
        settle(&mut w, n, &mut next);
        assert_eq!((w.current().unwrap().0, w.first()), (Seq(0), u64::try_from(i32::MAX).unwrap()));
    }

    #[test]
    fn a_place_is_sought_over_pages_in_both_directions() {
        let (n, mut next, mut w) = (2_345, 0, Window::<Row>::default());
        w.set_height(20);
        for goal in [0, 1_500, 1_501, 30, 2_344, 9_999] {
            let mut found = Seek::Waiting;
            for _ in 0..50 {
                found = w.seek(|row| row.0.0 >= goal);
                if found != Seek::Waiting {
                    break;
                }
                settle(&mut w, n, &mut next);
            }
            let want = if goal < n { (Seek::Found, goal) } else { (Seek::End, n - 1) };
            assert_eq!((found, w.current().unwrap().0.0), want);
        }
    }

    #[test]
    fn a_move_past_the_page_is_made_when_the_page_comes() {
        let (mut next, mut w) = (0, Window::<Row>::default());
        w.set_height(10);
        let (ticket, ask) = w.question(|| Ticket(1)).unwrap();
        w.answer(ticket, Ok(serve(1000, &ask)));
        w.step(250);
        settle(&mut w, 1000, &mut next);
        assert_eq!(w.current().unwrap().0, Seq(250));
    }

    #[test]
    fn a_row_is_reached_by_its_number_from_anywhere_and_the_way_can_be_stopped() {
        let (n, mut next, mut w) = (2_345, 0, Window::<Row>::default());
        w.set_height(20);
        settle(&mut w, n, &mut next);
        for (to, want) in [(1_500, 1_500), (3, 3), (2_344, 2_344), (2_000, 2_000), (9_999, 2_345), (1, 1), (0, 1)] {
            w.go(to);
            settle(&mut w, n, &mut next);
            assert_eq!((w.current().unwrap().0, w.position()), (Seq(want - 1), Some(want)), "{to}");
        }
        w.end();
        settle(&mut w, n, &mut next);
        assert_eq!(w.position(), None, "how many there are was not counted");
        w.go(700);
        settle(&mut w, n, &mut next);
        assert_eq!(w.current().unwrap().0, Seq(699));
        w.go(2_300);
        assert!(w.is_busy());
        w.halt();
        assert!(!w.is_busy());
        settle(&mut w, n, &mut next);
        assert!(w.current().unwrap().0 < Seq(2_299), "stopped on the way");
    }

    #[test]
    fn stale_answers_are_dropped_and_the_cursor_stays_on_its_record() {
        let (mut next, mut w) = (10, Window::<Row>::default());
        w.set_height(10);
        settle(&mut w, 50, &mut next);
        w.step(7);
        w.spoil();
        let (_, _) = w.question(|| Ticket(99)).unwrap();
        assert!(!w.answer(Ticket(98), Ok(serve(0, &PageRequest::first(1)))));
        // Three rows before the cursor are gone.
        let mut page = serve(50, &PageRequest::first(PAGE));
        page.rows.drain(2..5);
        assert!(w.answer(Ticket(99), Ok(page)));
        assert_eq!(w.current().unwrap().0, Seq(7));
        assert_eq!(w.position(), Some(5));
    }

    #[test]
    fn an_error_is_kept_and_not_asked_again_for_ever() {
        let mut w = Window::<Row>::default();
        let (ticket, _) = w.question(|| Ticket(1)).unwrap();
        w.answer(ticket, Err("disk".into()));
        assert_eq!(w.error(), Some("disk"));
        assert!(w.question(|| Ticket(2)).is_none());
        w.spoil();
        assert!(w.question(|| Ticket(3)).is_some());
    }

    #[test]
    fn a_bounded_scan_goes_on_where_it_stopped_and_can_be_halted() {
        let mut w = Window::<Row>::default();
        let empty =
            |at: &str| Page { more: true, scanned: 5000, stopped_at: Some(Cursor(at.into())), ..Page::default() };
        let (t, ask) = w.question(|| Ticket(1)).unwrap();
        assert_eq!(ask.cursor, None);
        w.answer(t, Ok(empty("a")));
        let (t, ask) = w.question(|| Ticket(2)).unwrap();
        assert_eq!(ask.cursor, Some(Cursor("a".into())));
        w.answer(t, Ok(empty("b")));
        assert!(w.is_scanning());
        assert_eq!(w.scanned(), 10_000);
        let (t, ask) = w.question(|| Ticket(3)).unwrap();
        assert_eq!(ask.cursor, Some(Cursor("b".into())));
        w.halt();
        assert!(!w.answer(t, Ok(empty("c"))) && w.question(|| Ticket(4)).is_none());
        w.step(1);
        assert!(w.question(|| Ticket(5)).is_some());
    }
}
