//! Two runs beside each other: what fails newly, still, no more, and what the newer run did not judge.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::desk::Desk;
use crate::ui::format::{self, fill};
use crate::ui::keymap::Scope as Place;
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::panes::{Goto, Subject};
use crate::ui::run_words;
use crate::ui::scroll::{Scroll, moved};
use crate::ui::shared::Shared;
use crate::ui::shared::outbox::Asked;
use crate::ui::skin::Role;
use crate::ui::targets::Target;
use crate::ui::words;
use skydeck_core::domain::bill::{Outcome, Slot};
use skydeck_core::domain::filter::{Filter, Key as FilterKey, Term, Test};
use skydeck_core::domain::ids::{OpId, RunId};
use skydeck_core::domain::query::{Answer, Query, Scope};
use skydeck_core::domain::run::RunRow;

use super::class::{CLASSES, Class, KEPT, Merge};
use super::dialog::{draw_keys, middle};
use super::overlay::{Next, Overlay, picked};

/// The comparison.
pub(super) struct Compare {
    new: Box<RunRow>,
    old: Box<RunRow>,
    merge: Merge,
    error: Option<String>,
    at: usize,
    scroll: Scroll,
}

/// The run of the same plan and form that stands next to `from` in the list, older or newer; never newer than `new`, and
/// one that speaks for all bills of its plan.
fn other(desk: &Desk, new: &RunRow, from: Option<RunId>, newer: bool) -> Option<RunRow> {
    let from = from.unwrap_or(new.head.id);
    let (n, mut runs) = (&new.head, desk.listed_runs().collect::<Vec<_>>());
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

impl Compare {
    /// Compares the run under the cursor with the next older one of its plan.
    pub fn open(desk: &mut Desk) -> Option<Self> {
        let new = desk.pane().run()?.clone();
        // What found nothing, or what nobody approved, judged nothing. One that was cut is compared when it is asked for,
        // and says what it was cut to.
        if new.is_untold() || new.tally.found == 0 {
            let state = run_words::run_word(desk.shared.lang, &new.state, &new.tally);
            let text = fill(desk.shared.t().compare_nothing, &[state]);
            desk.shared.note(false, text);
            return None;
        }
        let Some(old) = other(desk, &new, None, false) else {
            let text = desk.shared.t().compare_none;
            desk.shared.note(false, text);
            return None;
        };
        Some(Self::new(new, old))
    }

    fn new(new: RunRow, old: RunRow) -> Self {
        let (new, old) = (Box::new(new), Box::new(old));
        Self { new, old, merge: Merge::default(), error: None, at: 0, scroll: Scroll::default() }
    }

    /// The counts of the classes, and how far the comparison is.
    fn sums(&self, shared: &Shared) -> [Vec<(Role, String)>; 2] {
        let t = shared.t();
        let mut sums = Vec::new();
        for (class, found) in CLASSES.into_iter().zip(&self.merge.found) {
            let (label, role) = look(shared, class);
            let role = if found.count == 0 { Role::Dim } else { role };
            sums.push((role, format!("{label} {}   ", format::count(found.count))));
        }
        let state = match &self.error {
            Some(why) => (Role::Error, words::shown(why)),
            None if !self.merge.is_done() => (Role::Accent, fill(t.scanning, &[&format::count(self.merge.read())])),
            None if self.merge.found.iter().any(|f| f.count > KEPT as u64) => {
                (Role::Warning, fill(t.compare_cut, &[&KEPT.to_string()]))
            }
            None if self.merge.rows().next().is_none() => (Role::Ok, t.compare_same.to_owned()),
            None => (Role::Dim, String::new()),
        };
        [sums, vec![state]]
    }
}

impl Overlay for Compare {
    fn key(&mut self, desk: &mut Desk, key: Key, _effects: &mut Vec<Effect>) -> Next {
        let page = usize::from(desk.shared.size.1.saturating_sub(12)).max(1);
        let last = self.merge.rows().count().saturating_sub(1);
        match key.code {
            Code::Esc | Code::Char('q') => return Next::Close,
            Code::Char('j') | Code::Down => self.at = (self.at + 1).min(last),
            Code::Char('k') | Code::Up => self.at = self.at.saturating_sub(1),
            Code::PageDown => self.at = (self.at + page).min(last),
            Code::PageUp => self.at = self.at.saturating_sub(page),
            Code::Char('g') | Code::Home => self.at = 0,
            Code::Char('G') | Code::End => self.at = last,
            Code::Enter => {
                if let Some(key) = self.merge.rows().nth(self.at).map(|(_, row)| row.key.clone()) {
                    desk.go(Goto { pane: Place::Bill, what: Subject::Bill(key) });
                    return Next::Close;
                }
            }
            Code::Char(c @ ('[' | ']')) => {
                if let Some(old) = other(desk, &self.new, Some(self.old.head.id), c == ']') {
                    desk.shared.outbox.give_up(&[Asked::CompareOld, Asked::CompareNew]);
                    *self = Self::new((*self.new).clone(), old);
                }
            }
            _ => {}
        }
        self.scroll.set_height(page);
        self.scroll.follow(self.at);
        Next::Stay
    }

    fn pick(&mut self, row: usize) -> Option<Key> {
        picked(&mut self.at, row)
    }

    fn scroll(&mut self, rows: i64) {
        self.at = moved(self.at, rows, self.merge.rows().count());
        self.scroll.follow(self.at);
    }

    /// The pages wanted now: of the older run only what failed, of the newer one everything.
    fn questions(&mut self, shared: &mut Shared, effects: &mut Vec<Effect>) {
        if self.error.is_some() {
            return;
        }
        let bad =
            Term { not: false, test: Test::Is(FilterKey::Status, vec!["failed".to_owned(), "unknown".to_owned()]) };
        let (old, new) = (self.old.head.id, self.new.head.id);
        for (side, run, filter, what) in [
            (&mut self.merge.was, old, Filter { terms: vec![bad] }, Asked::CompareOld),
            (&mut self.merge.is, new, Filter::default(), Asked::CompareNew),
        ] {
            if let Some(page) = side.question() {
                shared.ask(Query::Bills { scope: Scope::Run(run), filter, page }, what, effects);
            }
        }
    }

    fn answer(&mut self, _shared: &Shared, what: Asked, answer: Result<Answer, String>) -> bool {
        let side = match what {
            Asked::CompareOld => &mut self.merge.was,
            Asked::CompareNew => &mut self.merge.is,
            // The question of an overlay before this one.
            _ => return true,
        };
        let page = match answer {
            Ok(Answer::Bills(page)) => Ok(page),
            Ok(_) => return false,
            Err(error) => Err(error),
        };
        match page.and_then(|page| side.take(page).map_err(str::to_owned)) {
            Ok(()) => self.merge.merge(),
            Err(why) => self.error = Some(why),
        }
        true
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let (shared, t) = (&desk.shared, desk.shared.t());
        let area = middle(pen, shared.size.0.saturating_sub(4), shared.size.1.saturating_sub(4));
        let name = words::plan_name(shared, &self.new.head.plan, &self.new.head.name);
        let area = pen.window(area, Role::Accent, &fill(t.compare_title, &[&name]));
        if area.height < 5 {
            return None;
        }
        let (x, w) = (area.x, area.width);
        let runs = [
            (Role::Dim, format!("{} ", t.compare_older)),
            (Role::Text, named(shared, &self.old)),
            (Role::Dim, format!("  {}  {} ", pen.glyphs.arrow, t.compare_newer)),
            (Role::Text, named(shared, &self.new)),
        ];
        pen.pieces(x, area.y, w, &runs);
        let [sums, state] = self.sums(shared);
        pen.pieces(x, area.y + 1, w, &sums);
        pen.pieces(x, area.y + 2, w, &state);
        let body = Rect { y: area.y + 3, height: area.height - 5, ..area };
        let label = if shared.lang == crate::ui::Lang::Zh { 8 } else { 13 };
        for (i, (class, row)) in self.merge.rows().enumerate().skip(self.scroll.top()).take(usize::from(body.height)) {
            let (word, role) = look(shared, class);
            let change = {
                let what = |outcome| what(shared, &row.key.op, outcome);
                format!("{} {} {}", what(row.was.as_ref()), pen.glyphs.arrow, what(row.is.as_ref()))
            };
            let cells = [
                Cell::new(label, role, word),
                Cell::new(14, Role::Text, words::shown(&row.no)).key(),
                Cell::new(0, role, change),
            ];
            pen.targets.offer(Rect { y: body.y + (i - self.scroll.top()) as u16, height: 1, ..body }, &Target::Row(i));
            pen.row(body, body.y + (i - self.scroll.top()) as u16, i == self.at, &cells);
        }
        let keys =
            [("Enter".to_owned(), t.compare_open), ("[ ]".to_owned(), t.compare_other), ("Esc".to_owned(), t.close_it)];
        draw_keys(pen, x, area.bottom() - 1, w, &keys);
        None
    }
}

fn look(shared: &Shared, class: Class) -> (&'static str, Role) {
    let t = shared.t();
    match class {
        Class::NewlyFailing => (t.compare_newly, Role::Failed),
        Class::StillFailing => (t.compare_still, Role::Unknown),
        Class::NewlyPassing => (t.compare_passing, Role::Ok),
        Class::NotJudged => (t.compare_unjudged, Role::Skipped),
    }
}

fn named(shared: &Shared, row: &RunRow) -> String {
    let when = format::when(row.head.opened, shared.now, shared.setup.zone);
    let range = run_words::range(shared.lang, &row.head);
    let range = if range.is_empty() { range } else { format!(" [{range}]") };
    format!("{when} {}{range} {}", run_words::kind_of(shared.lang, &row.head), format::count(row.tally.found))
}

fn what(shared: &Shared, op: &OpId, outcome: Option<&Outcome>) -> String {
    let Some(outcome) = outcome else { return "-".to_owned() };
    let reason = words::outcome_reason(&shared.setup.causes, shared.lang, op, outcome);
    match outcome.slot() {
        Slot::Failed | Slot::Unknown if !reason.is_empty() => reason,
        // The column says it.
        Slot::NotReached => words::slot(shared.lang, op, Slot::NotReached).to_owned(),
        slot => format!("{} {reason}", words::slot(shared.lang, op, slot)),
    }
}
