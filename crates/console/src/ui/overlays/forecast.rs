//! What is usual for one plan: what its next run usually finds, what stands out, and of each forecaster whether it speaks, why
//! not, and how it did in the last 30 days.
//!
//! Invariant: nothing here is about an outcome; what somebody says is no alarm is said of the row under the cursor.

use skydeck_core::domain::command::Command;
use skydeck_core::domain::forecast::{Forecasts, Named, PlanForecast};
use skydeck_core::domain::forecast_words;
use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::query::{Answer, Query};

use crate::ui::cells::Pen;
use crate::ui::desk::Desk;
use crate::ui::format::{count, fill};
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::shared::outbox::{Asked, Sent};
use crate::ui::shared::{Shared, plan_id};
use crate::ui::skin::Role;
use crate::ui::usual;
use crate::ui::words;

use super::dialog::middle;
use super::help::{roll, turn};
use super::overlay::{Next, Overlay};

/// Lines of one sentence at most.
const WRAPPED: usize = 3;

/// The page.
pub(super) struct Forecast {
    plan: PlanId,
    title: String,
    said: Option<Result<Box<Forecasts>, String>>,
    /// Whether what is said now was asked for.
    asked: bool,
    /// The finding under the cursor.
    at: usize,
    /// The first line on the screen.
    top: usize,
}

/// One line.
type Line = (Role, String);

impl Forecast {
    /// Of the plan under the cursor.
    pub fn open(desk: &Desk) -> Option<Self> {
        let shared = &desk.shared;
        let row = shared.plan_row()?;
        let name = row.plan.as_ref().ok().map(|plan| plan.name.clone())?;
        let plan = plan_id(row).clone();
        let title = fill(shared.t().forecast_title, &[&words::plan_name(shared, &plan, &name)]);
        Some(Self { plan, title, said: None, asked: false, at: 0, top: 0 })
    }

    fn plan(&self) -> Option<&PlanForecast> {
        self.said.as_ref()?.as_ref().ok()?.plans.first()
    }

    fn findings(&self) -> usize {
        self.plan().map_or(0, |plan| plan.found.len())
    }

    /// What is under the cursor is no alarm.
    fn deny(&mut self, shared: &mut Shared, effects: &mut Vec<Effect>) {
        let found = self.plan().and_then(|plan| plan.found.get(self.at));
        let Some(alarm) = found.map(|found| Named::of(&self.plan, &found.finding)) else {
            let text = shared.t().forecast_no_alarm;
            return shared.note(false, text);
        };
        let said = Sent::Said(shared.t().denied);
        // What stands out then is asked for once the order was taken: sooner it would stand here still.
        shared.submit(Command::Deny { alarm }, said, effects);
    }

    fn lines(&self, shared: &Shared) -> Vec<Line> {
        let (t, lang) = (shared.t(), shared.lang.language());
        let said = match &self.said {
            None => return vec![(Role::Dim, t.reading.to_owned())],
            Some(Err(error)) => return vec![(Role::Error, words::shown(error))],
            Some(Ok(said)) => said,
        };
        let mut lines = Vec::new();
        if let Some((done, of)) = said.behind {
            lines.push((Role::Notice, fill(t.forecast_behind, &[&count(done), &count(of)])));
        }
        if let Some(year) = said.unknown_year {
            lines.push((Role::Notice, forecast_words::unknown_year(lang, year)));
        }
        let Some(plan) = said.plans.first() else { return lines };
        match &plan.next {
            Some((at, what)) => {
                let text = format!("{} {}  {}", t.next, usual::moment(shared, *at), forecast_words::usual(lang, what));
                lines.push((Role::Text, text));
            }
            None => lines.push((Role::Dim, t.forecast_none.to_owned())),
        }
        if let Some(missed) = plan.missed {
            let since = usual::moment(shared, missed.since);
            let text = format!(
                "{} {since}  {}",
                t.today_silent,
                fill(t.today_silent_why, &[&shared.lang.language().times(missed.times)])
            );
            lines.push((Role::Failed, text));
        }
        for (n, found) in plan.found.iter().enumerate() {
            let alert = forecast_words::alert(lang, &found.finding);
            let mark = if n == self.at { ">" } else { " " };
            let text = format!("{mark} {alert}{}{}", t.colon, usual::finding(shared, found, true));
            lines.push((if n == self.at { Role::Text } else { Role::Dim }, text));
        }
        lines.push((Role::Text, String::new()));
        if plan.lines.is_empty() {
            lines.push((Role::Dim, forecast_words::nothing_yet(lang).to_owned()));
        }
        for line in &plan.lines {
            let (by, standing) =
                (forecast_words::forecaster(lang, line.by), forecast_words::standing(lang, line.standing));
            let role = if line.standing.speaks() { Role::Text } else { Role::Dim };
            lines.push((role, format!("{by}{}{standing}", t.colon)));
            if let Some(did) = forecast_words::record(lang, line.by, &line.record) {
                lines.push((Role::Dim, format!("  {did}")));
            }
        }
        lines
    }
}

impl Overlay for Forecast {
    fn key(&mut self, desk: &mut Desk, key: Key, effects: &mut Vec<Effect>) -> Next {
        let many = self.findings();
        if desk.shared.setup.keymap.action(Scope::Today, key) == Some(Action::Deny) {
            self.deny(&mut desk.shared, effects);
            return Next::Stay;
        }
        match key.code {
            Code::Char('j') | Code::Down if self.at + 1 < many => self.at += 1,
            Code::Char('k') | Code::Up if self.at > 0 && self.top == 0 => self.at -= 1,
            _ => return turn(&mut self.top, key),
        }
        Next::Stay
    }

    fn scroll(&mut self, rows: i64) {
        roll(&mut self.top, rows);
    }

    fn spoil(&mut self) {
        self.asked = false;
    }

    fn questions(&mut self, shared: &mut Shared, effects: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.asked, true) {
            shared.ask(Query::Forecast(Some(self.plan.clone())), Asked::Forecast, effects);
        }
    }

    fn answer(&mut self, _shared: &Shared, what: Asked, answer: Result<Answer, String>) -> bool {
        match (what, answer) {
            (Asked::Forecast, Ok(Answer::Forecast(said))) => self.said = Some(Ok(said)),
            (Asked::Forecast, Err(error)) => self.said = Some(Err(error)),
            (Asked::Forecast, Ok(_)) => return false,
            // The question of an overlay before this one.
            _ => {}
        }
        self.at = self.at.min(self.findings().saturating_sub(1));
        true
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let shared = &desk.shared;
        let (w, h) = (shared.size.0.saturating_sub(4).min(100), shared.size.1.saturating_sub(2).min(30));
        let area = middle(pen, w, h);
        let inside = pen.window(area, Role::Accent, &self.title);
        let lines = self.lines(shared);
        let mut y = inside.y;
        for (role, text) in lines.iter().skip(self.top.min(lines.len().saturating_sub(1))) {
            if text.is_empty() {
                y += 1;
            }
            for line in pen.glyphs.wrap(text, usize::from(inside.width), WRAPPED) {
                if y + 1 >= inside.bottom() {
                    break;
                }
                pen.text(inside.x, y, inside.width, *role, &line);
                y += 1;
            }
        }
        let keys = match self.findings() {
            0 => shared.t().forecast_close.to_owned(),
            _ => fill(shared.t().forecast_keys, &[&shared.setup.keymap.key(Action::Deny)]),
        };
        pen.text(inside.x, inside.bottom().saturating_sub(1), inside.width, Role::Dim, &keys);
        None
    }
}
