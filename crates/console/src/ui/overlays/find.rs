//! A bill from anywhere: its number, a part of it, or many of them, found while it is typed; of one that no run has read, what
//! each plan says of it.
//!
//! Invariant: what is listed is about the text that stands in the line, never about an older one.

use tui_input::Input;

use crate::ui::cells::{Cell, Pen};
use crate::ui::desk::Desk;
use crate::ui::format::{self, fill};
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::panes::{Goto, Subject};
use crate::ui::scroll::{Scroll, moved};
use crate::ui::shared::Shared;
use crate::ui::shared::outbox::Asked;
use crate::ui::skin::Role;
use crate::ui::targets::Target;
use crate::ui::words;
use ratatui::layout::Rect;
use skydeck_core::domain::filter::{Filter, Key as FilterKey, Term, Test};
use skydeck_core::domain::query::{Answer, Cursor, MOST_NUMBERS, PageRequest, Query, Scope as ListScope};
use skydeck_core::domain::reach::{PlanReach, Reach};
use skydeck_core::domain::run::BillRow;

use super::dialog::{draw_keys, middle};
use super::line::{draw_input, edit, insert};
use super::overlay::{Next, Overlay, picked};

/// Bills that are listed, at most.
const MOST: usize = 200;
/// Shortest part of a number that is looked for in the middle of numbers.
const PART: usize = 3;
/// Rows that are looked through for a part of a number.
const LOOKED_THROUGH: u64 = 200_000;

/// What is known about the text in the line.
#[derive(Default)]
struct Found {
    /// Bills, those whose number begins with the text first.
    rows: Vec<BillRow>,
    /// Whole numbers that no run has read.
    missing: Vec<String>,
    /// Numbers that begin with the text were looked for.
    began: bool,
    /// Where looking for the text in the middle of numbers goes on; `None` before it began.
    next: Option<PageRequest>,
    scanned: u64,
    /// All there is was looked through.
    done: bool,
    /// What the plans say of a number that no run has read.
    reach: Option<Vec<PlanReach>>,
    /// The number that the ERP is asked about: of several, the first that no run has read.
    asked: Option<String>,
    error: Option<String>,
}

/// The line, and what it found.
#[derive(Default)]
pub(super) struct Find {
    input: Input,
    found: Found,
    waits: bool,
    /// Enter was pressed before there was anything to open.
    entered: bool,
    at: usize,
    scroll: Scroll,
}

/// The numbers in a text: as they are typed, pasted from a sheet, or scanned.
fn numbers(text: &str) -> Vec<String> {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '，' | '；' | '、' | '|');
    text.split(ends).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

impl Find {
    fn changed(&mut self, shared: &mut Shared) {
        shared.outbox.give_up(&[Asked::Find, Asked::Reach]);
        (self.found, self.waits, self.at, self.scroll) = (Found::default(), false, 0, Scroll::default());
        self.entered = false;
    }

    /// The row that an Enter pressed early meant: the bill of that very number, or the only one there is.
    fn meant(&self) -> Option<usize> {
        let number = self.number()?;
        let is_it = |no: &str| no.eq_ignore_ascii_case(&number);
        let exact = self.found.rows.iter().position(|row| is_it(&row.no) || row.made_no().is_some_and(is_it));
        exact.or((self.found.done && self.found.rows.len() == 1).then_some(0))
    }

    /// The one number that is looked for, where it is one.
    fn number(&self) -> Option<String> {
        let mut all = numbers(self.input.value());
        (all.len() == 1).then(|| all.swap_remove(0))
    }

    /// The next question about the text, if there is one.
    fn next(&self) -> Option<Query> {
        let found = &self.found;
        let all = numbers(self.input.value());
        if self.waits || found.done || found.error.is_some() || all.is_empty() {
            return None;
        }
        let [one] = all.as_slice() else {
            let all = all.into_iter().take(MOST_NUMBERS).collect();
            return Some(Query::FindBills(all));
        };
        if !found.began {
            return Some(Query::FindBill { number: one.clone(), limit: MOST as u32 });
        }
        let page = found.next.clone()?;
        let filter =
            Filter { terms: vec![Term { not: false, test: Test::Is(FilterKey::No, vec![format!("*{one}*")]) }] };
        Some(Query::Bills { scope: ListScope::History, filter, page })
    }

    fn take_rows(&mut self, rows: impl Iterator<Item = BillRow>, most: usize) {
        for row in rows {
            // One line a bill and operation: its newest row is told first.
            if self.found.rows.len() < most && !self.found.rows.iter().any(|known| known.key == row.key) {
                self.found.rows.push(row);
            }
        }
    }

    fn take(&mut self, answer: Answer) -> bool {
        let number = self.number().unwrap_or_default();
        match answer {
            Answer::Found { rows, missing } => {
                self.take_rows(rows.into_iter(), usize::MAX);
                (self.found.missing, self.found.done) = (missing, true);
            }
            Answer::Bills(page) if !self.found.began => {
                self.found.began = true;
                self.take_rows(page.rows.into_iter().map(|(_, row)| row), MOST);
                self.found.done = self.found.rows.len() >= MOST || number.chars().count() < PART;
                self.found.next = Some(PageRequest::first(MOST as u32));
            }
            Answer::Bills(page) => {
                let last: Option<Cursor> = page.rows.last().map(|(cursor, _)| cursor.clone());
                let cursor = page.stopped_at.or(last.filter(|_| page.more));
                self.found.scanned += page.scanned;
                self.take_rows(page.rows.into_iter().map(|(_, row)| row), MOST);
                let enough = self.found.rows.len() >= MOST || self.found.scanned >= LOOKED_THROUGH;
                self.found.done = cursor.is_none() || enough;
                self.found.next = Some(PageRequest { cursor, ..PageRequest::first(MOST as u32) });
            }
            Answer::Reach(rows) => self.found.reach = Some(rows),
            _ => return false,
        }
        true
    }

    /// What is above the list: how many, how far, what is not there.
    fn said(&self, shared: &Shared) -> (Role, String) {
        let (t, found) = (shared.t(), &self.found);
        if let Some(error) = &found.error {
            return (Role::Error, words::shown(error));
        }
        if self.input.value().trim().is_empty() {
            return (Role::Dim, t.find_hint.to_owned());
        }
        let typed = numbers(self.input.value()).len();
        if typed > MOST_NUMBERS && found.done {
            let (typed, most, n) = (typed as u64, MOST_NUMBERS as u64, found.rows.len() as u64);
            let (typed, most, n) = (format::count(typed), format::count(most), format::count(n));
            return (Role::Warning, fill(t.find_many, &[&typed, &most, &n]));
        }
        if !found.missing.is_empty() {
            let first = found.missing.iter().take(3).map(|no| words::shown(no)).collect::<Vec<_>>().join(" ");
            let more = if found.missing.len() > 3 { " …" } else { "" };
            let (n, missing) = (found.rows.len() as u64, found.missing.len() as u64);
            let (n, missing) = (format::count(n), format::count(missing));
            return (Role::Warning, fill(t.find_missing, &[&n, &missing, &format!("{first}{more}")]));
        }
        match (found.rows.len(), found.done) {
            (_, false) if self.entered => (Role::Accent, t.find_waits.to_owned()),
            (0, true) => (Role::Warning, t.find_none.to_owned()),
            (n, true) if found.scanned >= LOOKED_THROUGH => {
                (Role::Dim, fill(t.find_partly, &[&n.to_string(), &format::count(found.scanned)]))
            }
            (n, true) => (Role::Dim, words::bills(shared.lang, &n.to_string())),
            (n, false) if found.scanned > 0 => {
                (Role::Accent, fill(t.find_scanning, &[&n.to_string(), &format::count(found.scanned)]))
            }
            (_, false) => (Role::Dim, t.reading.to_owned()),
        }
    }

    /// The number that a row was found by: where that is the made bill's, both.
    fn number_of(&self, row: &BillRow) -> String {
        let is_typed = |no: &str| {
            let no = no.to_lowercase();
            numbers(&self.input.value().to_lowercase()).iter().any(|part| no.contains(part))
        };
        match row.made_no().filter(|no| is_typed(no) && !is_typed(&row.no)) {
            Some(no) => format!("{} < {}", words::shown(no), words::shown(&row.no)),
            None => words::shown(&row.no),
        }
    }

    fn draw_rows(&self, shared: &Shared, pen: &mut Pen<'_>, area: Rect) {
        let rows = self.found.rows.iter().enumerate().skip(self.scroll.top()).take(usize::from(area.height));
        for (i, row) in rows {
            let (glyph, word, role) = words::row_state(shared, row);
            let cells = [
                Cell::new(20, Role::Text, self.number_of(row)).key(),
                Cell::new(14, role, format!("{glyph} {word}")),
                Cell::new(16, Role::Text, words::reason(&shared.setup.causes, shared.lang, &row.key.op, &row.state)),
                Cell::new(0, Role::Dim, words::shown(row.plan.as_str())).named(),
                Cell::new(11, Role::Dim, format::when(row.at, shared.now, shared.setup.zone)),
            ];
            let y = area.y + (i - self.scroll.top()) as u16;
            pen.targets.offer(Rect { y, height: 1, ..area }, &Target::Row(i));
            pen.row(Rect { y, height: 1, ..area }, y, i == self.at, &cells);
        }
    }

    fn draw_reach(&self, shared: &Shared, pen: &mut Pen<'_>, area: Rect, rows: &[PlanReach]) {
        let mut y = area.y;
        for row in rows.iter().skip(self.scroll.top()) {
            let (role, said) = reach_said(shared, &row.reach);
            let name = words::plan_name(shared, &row.plan, &row.name);
            let lines = pen.glyphs.wrap(&said, usize::from(area.width.saturating_sub(24)), 4);
            for (i, line) in lines.iter().enumerate() {
                if y >= area.bottom() {
                    return;
                }
                if i == 0 {
                    pen.text(area.x, y, 22, Role::Text, &pen.glyphs.clip_name(&name, 22));
                }
                pen.text(area.x + 23, y, area.width.saturating_sub(24), role, line);
                y += 1;
            }
        }
    }
}

/// What a plan says of a number, in words.
fn reach_said(shared: &Shared, reach: &Reach) -> (Role, String) {
    let plain = || words::reach_words(shared.lang, reach);
    match reach {
        Reach::Finds => (Role::Ok, plain()),
        Reach::LeavesOut { .. } => (Role::Warning, plain()),
        Reach::NotThere => (Role::Dim, plain()),
        Reach::Failed(why) => (Role::Error, words::reason_words(shared, why)),
        Reach::Refused(why) => (Role::Error, words::refusal(shared, why)),
    }
}

impl Overlay for Find {
    fn key(&mut self, desk: &mut Desk, key: Key, effects: &mut Vec<Effect>) -> Next {
        let shown = self.found.reach.as_ref().map_or(self.found.rows.len(), Vec::len);
        match (key.code, key.ctrl) {
            (Code::Esc, _) | (Code::Char('c'), true) => return Next::Close,
            (Code::Down | Code::Tab, _) | (Code::Char('n'), true) => self.at = moved(self.at, 1, shown),
            (Code::Up | Code::BackTab, _) | (Code::Char('p'), true) => self.at = moved(self.at, -1, shown),
            (Code::PageDown, _) => self.at = moved(self.at, 10, shown),
            (Code::PageUp, _) => self.at = moved(self.at, -10, shown),
            (Code::Enter, _) => {
                if let Some(row) = self.found.rows.get(self.at) {
                    desk.go(Goto { pane: Scope::Bill, what: Subject::Bill(row.key.clone()) });
                    return Next::Close;
                }
                self.entered = !self.found.done && self.number().is_some();
                let missing = self.found.missing.first().cloned();
                let number =
                    missing.or_else(|| self.number()).filter(|_| self.found.done && self.found.asked.is_none());
                if let Some(number) = number {
                    self.found.asked = Some(number.clone());
                    desk.shared.ask(Query::Reach(number), Asked::Reach, effects);
                }
            }
            _ => {
                let before = self.input.value().to_owned();
                edit(&mut self.input, key);
                if self.input.value() != before {
                    self.changed(&mut desk.shared);
                }
            }
        }
        let height = desk.shared.size.1.saturating_sub(10).clamp(1, 30);
        self.scroll.set_height(usize::from(height));
        self.scroll.follow(self.at);
        Next::Stay
    }

    fn pick(&mut self, row: usize) -> Option<Key> {
        picked(&mut self.at, row)
    }

    fn scroll(&mut self, rows: i64) {
        let shown = self.found.reach.as_ref().map_or(self.found.rows.len(), Vec::len);
        self.at = moved(self.at, rows, shown);
        self.scroll.follow(self.at);
    }

    fn takes_text(&self, _shared: &Shared) -> bool {
        true
    }

    fn paste(&mut self, _desk: &Desk, text: &str) -> bool {
        insert(&mut self.input, text);
        (self.found, self.waits, self.entered, self.at) = (Found::default(), false, false, 0);
        true
    }

    fn late(&mut self) -> Option<Key> {
        if !self.entered {
            return None;
        }
        // What is to be chosen from is for the person to choose.
        self.entered = !self.found.done;
        self.at = self.meant()?;
        Some(Key::plain(Code::Enter))
    }

    fn questions(&mut self, shared: &mut Shared, effects: &mut Vec<Effect>) {
        if let Some(query) = self.next() {
            self.waits = true;
            shared.ask(query, Asked::Find, effects);
        }
    }

    fn answer(&mut self, _shared: &Shared, what: Asked, answer: Result<Answer, String>) -> bool {
        if what == Asked::Find {
            self.waits = false;
        }
        match answer {
            Ok(answer) => self.take(answer),
            Err(error) => {
                (self.found.error, self.found.done) = (Some(error), true);
                true
            }
        }
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let (shared, t) = (&desk.shared, desk.shared.t());
        let (w, h) = (shared.size.0.saturating_sub(4).min(120), shared.size.1.saturating_sub(4).min(36));
        let inside = pen.window(middle(pen, w, h), Role::Accent, t.find_title);
        if inside.height < 5 {
            return None;
        }
        let caret = draw_input(pen, inside.x, inside.y, inside.width, &self.input);
        let (role, said) = self.said(shared);
        let list = Rect { y: inside.y + 3, height: inside.height.saturating_sub(5), ..inside };
        match &self.found.reach {
            Some(rows) => {
                let asked = words::shown(self.found.asked.as_deref().unwrap_or_default());
                let title = pen.glyphs.clip(&fill(t.reach_title, &[&asked]), usize::from(inside.width));
                pen.text(inside.x, inside.y + 1, inside.width, Role::Title, &title);
                self.draw_reach(shared, pen, list, rows);
            }
            None if self.found.asked.is_some() => {
                pen.text(inside.x, inside.y + 1, inside.width, Role::Accent, t.reach_asks);
            }
            None => {
                pen.text(
                    inside.x,
                    inside.y + 1,
                    inside.width,
                    role,
                    &pen.glyphs.clip(&said, usize::from(inside.width)),
                );
                self.draw_rows(shared, pen, list);
            }
        }
        let asks = self.found.done && self.found.rows.is_empty() && self.found.asked.is_none();
        let enter = if asks { t.reach_ask } else { shared.lang.action(Action::Open).0 };
        let back = shared.lang.action(Action::Back).0;
        let keys = [("Enter".to_owned(), enter), ("Esc".to_owned(), back)];
        // Once the ERP was asked, Enter has nothing left to do.
        let keys = if self.found.asked.is_some() { &keys[1..] } else { &keys[..] };
        draw_keys(pen, inside.x, inside.bottom() - 1, inside.width, keys);
        caret
    }
}
