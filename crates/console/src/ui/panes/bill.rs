//! Bill: one bill as it is read out on the phone, and its whole life over runs and plans, every call with request and answer.
//!
//! Invariant: lines are made when an answer, a fold or the width changes, never while drawing.

use std::collections::BTreeSet;

use crate::ui::cells::Pen;
use crate::ui::format;
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::Parts;
use crate::ui::list::{self, empty};
use crate::ui::msg::Ticket;
use crate::ui::obstacle::Obstacle;
use crate::ui::scroll::{Scroll, moved};
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::{Seq, WorkKey};
use skydeck_core::domain::query::{Answer, Query};
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::story::{self, RunOfBill};
use skydeck_core::domain::transition::{BillChange, Change};

use super::bill_lines::{self, Life, Line};
use super::bill_page;
use super::pane::{Asking, Click, Done, Pane, Subject};

/// The pane.
#[derive(Default)]
pub(super) struct Bill {
    key: Option<WorkKey>,
    row: Option<Box<BillRow>>,
    facts: Vec<Fact>,
    cut: bool,
    loaded: bool,
    stale: bool,
    asked: Option<Ticket>,
    runs: Vec<RunOfBill>,
    open: BTreeSet<Seq>,
    /// All facts are shown as they are, not the page.
    raw: bool,
    /// Cells of a line.
    width: usize,
    lines: Vec<Line>,
    at: usize,
    scroll: Scroll,
}

impl Bill {
    /// Makes the lines anew, keeping the cursor on its fact, or on its line where it is about none.
    fn relayout(&mut self, shared: &Shared) {
        let here = self.fact_here().map(|f| f.seq);
        let life = self.key.as_ref().map(|key| Life { facts: &self.facts, key, open: &self.open, shared });
        let mut lines = match (&self.row, life) {
            (Some(row), Some(life)) if !self.raw => {
                bill_page::of(&bill_page::Known { row, life, runs: &self.runs }, self.width)
            }
            (_, Some(life)) => life.raw(),
            (_, None) => Vec::new(),
        };
        if self.cut {
            lines.push(Line::of_page(vec![(Role::Warning, shared.t().older_left_out.to_owned())]));
        }
        self.lines = lines;
        let to = here.and_then(|seq| {
            let fact = self.facts.iter().position(|f| f.seq == seq)?;
            self.lines.iter().position(|l| l.fact == Some(fact))
        });
        self.place(to.unwrap_or(self.at).min(self.lines.len().saturating_sub(1)));
    }

    fn fact_here(&self) -> Option<&Fact> {
        self.lines.get(self.at).and_then(|l| self.facts.get(l.fact?))
    }

    fn place(&mut self, at: usize) {
        self.at = at;
        self.scroll();
    }

    fn scroll(&mut self) {
        self.scroll.follow(self.at);
        self.scroll.fill(self.lines.len());
    }

    /// Unfolds or folds the request and answer under the cursor; folds alone where `fold` says so.
    fn toggle(&mut self, shared: &Shared, fold: bool) {
        let Some(seq) = self.fact_here().map(|f| f.seq) else { return };
        let was_open = self.open.remove(&seq);
        if !was_open && !fold {
            self.open.insert(seq);
        }
        if was_open || !fold {
            self.relayout(shared);
        }
    }

    /// The facts as they are, each call with request and answer; or the page again.
    fn toggle_raw(&mut self, shared: &Shared) {
        self.raw = !self.raw;
        self.open = if self.raw { self.facts.iter().map(|f| f.seq).collect() } else { BTreeSet::new() };
        self.at = 0;
        self.lines.clear();
        self.relayout(shared);
    }

    /// Whether a change adds a line to the bill's life that is to be seen at once.
    fn concerns(&self, change: &Change<'_>) -> bool {
        let Some(key) = &self.key else { return false };
        match change {
            Change::Bill { fid, change, .. } => match change {
                BillChange::Answered { .. } | BillChange::Deferred { .. } | BillChange::Settled { .. } => {
                    **fid == key.record.fid
                }
                BillChange::Tried { .. } | BillChange::Read { .. } => false,
            },
            Change::Resolved { key: of, .. } | Change::Reopened { key: of, .. } => *of == key,
            _ => false,
        }
    }
}

/// The bill and where it stands.
fn headline(shared: &Shared, row: &BillRow) -> [(Role, String); 3] {
    let (glyph, word, role) = words::row_state(shared, row);
    let op = if row.key.op.is_audit() { String::new() } else { format!(" {}", words::operation(&row.key.op)) };
    let reason = words::row_reason(shared, row);
    let form = words::shown(row.record().form.as_str());
    [
        (Role::Title, format!("{}  ", words::numbers(shared, row))),
        (role, format!("{glyph} {word} {reason}  ")),
        (Role::Dim, format!("FID {}  {form}{op}", words::shown(row.fid().as_str()))),
    ]
}

impl Pane for Bill {
    fn scope(&self) -> Scope {
        Scope::Bill
    }

    fn shown_by(&self) -> Action {
        Action::Bill
    }

    fn arrange(&mut self, shared: &Shared, parts: &Parts) {
        self.scroll.set_height(parts.rows());
        let width = usize::from(parts.body().width.saturating_sub(2));
        if std::mem::replace(&mut self.width, width) != width {
            self.relayout(shared);
        }
        self.scroll();
    }

    fn draw(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        let t = shared.t();
        let area = parts.list;
        if self.key.is_none() {
            empty(pen, area, &[t.bill_none, t.bill_none_2]);
            return None;
        }
        if !self.loaded {
            empty(pen, area, &[t.reading]);
            return None;
        }
        let Some(row) = &self.row else {
            empty(pen, area, &[t.bill_unknown]);
            return None;
        };
        let head = headline(shared, row);
        let zone = format::zone(shared.setup.zone);
        let right = pen.text_right(area.x, area.right() - 1, area.y, Role::Dim, &zone);
        pen.pieces(area.x + 1, area.y, right.saturating_sub(area.x + 2), &head);
        let body = parts.body();
        for (i, line) in self.lines.iter().enumerate().skip(self.scroll.top()).take(usize::from(body.height)) {
            let y = body.y + (i - self.scroll.top()) as u16;
            if i == self.at {
                pen.text(body.x, y, 1, Role::Marker, pen.glyphs.marker);
            }
            let width: usize = line.pieces.iter().map(|(_, t)| pen.glyphs.width(t)).sum();
            let room = body.width.saturating_sub(1);
            let used = pen.pieces(body.x + 1, y, room, &line.pieces);
            if width > usize::from(room) && used == room {
                pen.text(body.right() - 1, y, 1, Role::Dim, pen.glyphs.cut);
            }
        }
        Some(self.scroll.top() as u64)
    }

    fn position(&self, _shared: &Shared) -> String {
        list::place(self.at, self.lines.len())
    }

    fn step(&mut self, _shared: &mut Shared, by: i64) {
        self.place(moved(self.at, by, self.lines.len()));
    }

    fn go_to(&mut self, shared: &mut Shared, n: u64) {
        self.ends(shared, false);
        self.step(shared, n as i64 - 1);
    }

    fn click(&mut self, _shared: &mut Shared, row: usize, _parts: &Parts) -> Click {
        let (to, was) = (self.scroll.top() + row, self.at);
        if to >= self.lines.len() {
            return Click::Missed;
        }
        self.place(to);
        Click::of(Some(to == was))
    }

    fn bill_row(&self) -> Option<&BillRow> {
        self.row.as_deref()
    }

    fn resolved(&self) -> Option<(WorkKey, String)> {
        let stands = story::resolution(&self.facts).is_some_and(|resolution| resolution.stands);
        self.row.as_ref().filter(|_| stands).map(|row| (row.key.clone(), row.no.clone()))
    }

    /// The line under the cursor; of one that goes on over several all of it.
    fn copy(&self, _shared: &Shared) -> Option<String> {
        let line = self.lines.get(self.at)?;
        let shown = || line.pieces.iter().map(|(_, text)| text.trim()).collect::<Vec<_>>().join(" ");
        Some(line.whole.clone().unwrap_or_else(shown))
    }

    fn bills(&self) -> Box<dyn Iterator<Item = &BillRow> + '_> {
        Box::new(self.bill_row().into_iter())
    }

    fn possible(&self, _shared: &Shared, action: Action) -> bool {
        match action {
            Action::Raw => !self.lines.is_empty(),
            Action::Open | Action::Fold => self.fact_here().is_some_and(bill_lines::unfolds),
            _ => true,
        }
    }

    fn obstacle(&self, _shared: &Shared, _action: Action) -> Obstacle {
        if self.lines.is_empty() { Obstacle::NoBillOpen } else { Obstacle::NoCallHere }
    }

    fn perform(&mut self, shared: &mut Shared, action: Action) -> Done {
        match action {
            Action::Open => self.toggle(shared, false),
            Action::Fold => self.toggle(shared, true),
            Action::Raw => self.toggle_raw(shared),
            _ => return Done::NotMine,
        }
        Done::Here
    }

    fn show(&mut self, what: &Subject) {
        if let Subject::Bill(key) = what
            && self.key.as_ref() != Some(key)
        {
            let (scroll, width) = (self.scroll.at_top(), self.width);
            *self = Self { key: Some(key.clone()), scroll, width, stale: true, ..Self::default() };
        }
    }

    /// Asked for wherever one is: it is there when one comes back.
    fn question(&mut self, _shared: &mut Shared, asking: Asking<'_>) -> Option<(Ticket, Query)> {
        if !self.stale || (self.loaded && !asking.quiet) {
            return None;
        }
        self.stale = false;
        let key = self.key.clone()?;
        let ticket = (asking.ticket)();
        self.asked = Some(ticket);
        Some((ticket, Query::Bill(key)))
    }

    fn is_asked(&self, ticket: Ticket) -> bool {
        self.asked == Some(ticket)
    }

    fn answer(&mut self, shared: &mut Shared, _ticket: Ticket, answer: Result<Answer, String>) {
        self.asked = None;
        match answer {
            Ok(Answer::Bill { row, facts, cut, runs }) => {
                (self.row, self.facts, self.cut, self.runs, self.loaded) = (row, facts, cut, runs, true);
                self.relayout(shared);
            }
            Ok(_) => {
                let text = shared.t().odd_answer;
                shared.note(true, text);
            }
            Err(error) => shared.note(true, error),
        }
    }

    fn fact(&mut self, _shared: &Shared, _fact: &Fact, change: &Change<'_>) {
        if self.concerns(change) {
            self.stale = true;
        }
    }

    fn spoil(&mut self) {
        self.stale = true;
    }

    fn reword(&mut self, shared: &Shared) {
        self.relayout(shared);
    }

    fn waits(&self, _shared: &Shared, _shown: bool) -> bool {
        self.stale && self.loaded && self.key.is_some()
    }
}
