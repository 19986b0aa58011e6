//! Log: who ordered what, when, why, and what came of it.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::config::Lang;
use crate::ui::format;
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::{self, Parts};
use crate::ui::list::{List, heading, nothing};
use crate::ui::msg::Ticket;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::window::Window;
use crate::ui::words;
use skydeck_core::domain::action_words;
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::event::{ActionEntry, Event, Fact};
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::query::{Answer, Query};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::Change;

use super::pane::{Asking, Pane};

/// The pane.
#[derive(Default)]
pub(super) struct Log {
    window: Window<(Seq, Ts, ActionEntry)>,
}

impl Pane for Log {
    fn scope(&self) -> Scope {
        Scope::Log
    }

    fn shown_by(&self) -> Action {
        Action::Log
    }

    fn list(&self) -> Option<&dyn List> {
        Some(&self.window)
    }

    fn list_mut(&mut self) -> Option<&mut dyn List> {
        Some(&mut self.window)
    }

    fn split(&self, _shared: &Shared, body: Rect) -> (Rect, Rect) {
        if body.height >= 14 { layout::below(body, 4) } else { layout::whole(body) }
    }

    fn copy(&self, _shared: &Shared) -> Option<String> {
        self.window.current().map(|(_, _, entry)| entry.result.clone())
    }

    fn question(&mut self, _shared: &mut Shared, mut asking: Asking<'_>) -> Option<(Ticket, Query)> {
        let (ticket, page) = asking.page(&mut self.window)?;
        Some((ticket, Query::Actions(page)))
    }

    fn answer(&mut self, _shared: &mut Shared, ticket: Ticket, answer: Result<Answer, String>) {
        let page = match answer {
            Ok(Answer::Actions(page)) => Ok(page),
            Ok(_) => return,
            Err(error) => Err(error),
        };
        self.window.answer(ticket, page);
    }

    fn fact(&mut self, _shared: &Shared, fact: &Fact, _change: &Change<'_>) {
        if matches!(fact.event, Event::ActionTaken(_)) {
            self.window.spoil();
        }
    }

    fn draw(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        let t = shared.t();
        let area = parts.list;
        let who = if area.width >= 100 { 22 } else { 14 };
        let cell = |w, text| Cell::new(w, Role::Dim, text);
        let zone = format::zone(shared.setup.zone);
        let titles = [
            Cell::new(14, Role::Dim, zone),
            cell(who, t.col_by),
            cell(10, t.col_what),
            cell(6, t.col_count).right(),
            cell(0, t.col_result),
        ];
        pen.row(area, area.y, false, &titles);
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        if nothing(shared, pen, body, &self.window, &[t.log_none]) {
            return None;
        }
        for (i, (here, (_, at, entry))) in self.window.visible().enumerate().take(usize::from(body.height)) {
            let taken = entry.result.starts_with("accepted");
            let result = result(shared, entry);
            let about = entry
                .reason
                .as_deref()
                .or(entry.plan.as_ref().map(skydeck_core::domain::ids::PlanId::as_str))
                .map(words::shown);
            let text = about.map_or(result.clone(), |about| format!("{result} {} {about}", pen.glyphs.dot));
            let bills = if entry.bills > 0 { format::count(entry.bills) } else { String::new() };
            let cells = [
                Cell::new(14, Role::Dim, format::when_in_list(*at, shared.now, shared.setup.zone)).key(),
                Cell::new(who, Role::Text, words::who(shared, &entry.by)),
                Cell::new(
                    10,
                    Role::Accent,
                    shared.lang.verb(&entry.verb).map_or_else(|| words::shown(&entry.verb), str::to_owned),
                )
                .key(),
                Cell::new(6, Role::Text, bills).right(),
                Cell::new(0, if taken { Role::Text } else { Role::Failed }, text),
            ];
            pen.row(body, body.y + i as u16, here, &cells);
        }
        if let Some((seq, _, entry)) = self.window.current() {
            preview(shared, pen, parts.detail, *seq, entry);
        }
        Some(self.window.first())
    }
}

/// What came of an order, in the operator's language where it was taken.
fn result(shared: &Shared, entry: &ActionEntry) -> String {
    let t = shared.t();
    if shared.lang == Lang::Zh {
        let label = |cause: &Cause| words::cause(&shared.setup.causes, shared.lang, cause);
        return words::shown(&action_words::zh(entry, &label));
    }
    match entry.result.strip_prefix("accepted").map(|rest| rest.trim_start_matches("; ")) {
        Some("") => t.accepted.to_owned(),
        Some(rest) => format!("{} {} {}", t.accepted, shared.setup.glyphs.dot, words::shown(rest)),
        None => words::shown(&entry.result),
    }
}

/// The whole line under the cursor: the list has no room for a long reason or result.
fn preview(shared: &Shared, pen: &mut Pen<'_>, area: Rect, seq: Seq, entry: &ActionEntry) {
    if area.height < 2 {
        return;
    }
    let t = shared.t();
    let verb = shared.lang.verb(&entry.verb).map_or_else(|| words::shown(&entry.verb), str::to_owned);
    heading(pen, area, &format!("{verb} {} {}", pen.glyphs.dot, words::who(shared, &entry.by)));
    let mut facts = vec![result(shared, entry)];
    facts.extend(
        entry
            .reason
            .as_ref()
            .map(|reason| format!("{} {}{}{}", t.reason, t.quote_open, words::shown(reason), t.quote_close)),
    );
    facts.extend(entry.plan.as_ref().map(|plan| format!("{} {}", t.plan, words::shown(plan.as_str()))));
    facts.extend(entry.run.map(|run| format!("{} {run}", t.run)));
    let place = entry.line.as_ref().map_or(seq.0, |line| line.seq);
    facts.push(format!("{} {place}", t.log_line));
    let (x, w) = (area.x + 1, area.width.saturating_sub(2));
    let lines = pen.glyphs.flow(&facts, usize::from(w), usize::from(area.height - 1));
    for (i, line) in lines.iter().enumerate() {
        pen.text(x, area.y + 1 + i as u16, w, Role::Text, line);
    }
}
