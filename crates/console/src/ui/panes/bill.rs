//! Bill: one bill's whole life over runs and plans, every call with its request and answer.
//!
//! Invariant: lines are made when an answer or a fold changes, never while drawing.

use std::collections::BTreeSet;

use crate::ui::bill_rows;
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
use skydeck_core::domain::story;
use skydeck_core::domain::transition::{BillChange, Change};

use super::bill_lines::{self, Line};
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
    open: BTreeSet<Seq>,
    lines: Vec<Line>,
    at: usize,
    scroll: Scroll,
}

impl Bill {
    /// Makes the lines anew, keeping the cursor on its fact.
    fn relayout(&mut self, shared: &Shared) {
        let here = self.fact_here().map(|f| f.seq);
        self.lines =
            self.key.as_ref().map(|key| bill_lines::of(&self.facts, key, &self.open, shared)).unwrap_or_default();
        let to = here.and_then(|seq| {
            let fact = self.facts.iter().position(|f| f.seq == seq)?;
            self.lines.iter().position(|l| l.fact == fact)
        });
        self.place(to.unwrap_or(self.at).min(self.lines.len().saturating_sub(1)));
    }

    fn fact_here(&self) -> Option<&Fact> {
        self.lines.get(self.at).and_then(|l| self.facts.get(l.fact))
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

    /// Unfolds everything, or folds everything.
    fn toggle_all(&mut self, shared: &Shared) {
        if self.open.is_empty() {
            self.open = self.facts.iter().map(|f| f.seq).collect();
        } else {
            self.open.clear();
        }
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

    fn take(&mut self, shared: &Shared, row: Option<Box<BillRow>>, facts: Vec<Fact>, cut: bool) {
        let first = !self.loaded;
        (self.row, self.facts, self.cut, self.loaded) = (row, facts, cut, true);
        self.relayout(shared);
        if first {
            // The latest is what one came for.
            self.place(self.lines.len().saturating_sub(1));
        }
    }

    /// The bill, where it stands, and what was resolved.
    fn headline(&self, shared: &Shared, row: &BillRow) -> [(Role, String); 6] {
        let t = shared.t();
        let (glyph, word, role) = words::row_state(shared, row);
        let op = if row.key.op.is_audit() { String::new() } else { format!(" {}", words::operation(&row.key.op)) };
        let resolved = story::resolution(&self.facts).map_or_else(String::new, |resolution| {
            let what = if resolution.stands { t.ev_resolved } else { t.resolved_before };
            format!("{what} {}{}{}  ", words::who(shared, resolution.by), t.colon, words::shown(resolution.reason))
        });
        [
            (Role::Title, words::shown(&row.no)),
            (
                Role::Dim,
                format!(
                    "  FID {}  {}{op}  ",
                    words::shown(row.fid().as_str()),
                    words::shown(row.record().form.as_str())
                ),
            ),
            (
                role,
                format!(
                    "{glyph} {word} {}  ",
                    words::reason(&shared.setup.causes, shared.lang, &row.key.op, &row.state)
                ),
            ),
            (Role::Notice, resolved),
            (Role::Dim, format!("{} ", bill_rows::statuses(shared, row).first().cloned().unwrap_or_default())),
            (Role::Warning, if self.cut { format!(" {}", t.older_left_out) } else { String::new() }),
        ]
    }
}

impl Pane for Bill {
    fn scope(&self) -> Scope {
        Scope::Bill
    }

    fn shown_by(&self) -> Action {
        Action::Bill
    }

    fn arrange(&mut self, _shared: &Shared, parts: &Parts) {
        self.scroll.set_height(parts.rows());
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
        let head = self.headline(shared, row);
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

    /// The line under the cursor.
    fn copy(&self, _shared: &Shared) -> Option<String> {
        let line = self.lines.get(self.at)?;
        Some(line.pieces.iter().map(|(_, text)| text.trim()).collect::<Vec<_>>().join(" "))
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
            Action::Raw => self.toggle_all(shared),
            _ => return Done::NotMine,
        }
        Done::Here
    }

    fn show(&mut self, what: &Subject) {
        if let Subject::Bill(key) = what
            && self.key.as_ref() != Some(key)
        {
            *self = Self { key: Some(key.clone()), scroll: self.scroll.at_top(), stale: true, ..Self::default() };
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
            Ok(Answer::Bill { row, facts, cut }) => self.take(shared, row, facts, cut),
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
