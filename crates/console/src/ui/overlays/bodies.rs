//! What would be sent for the first records of a set, and what a look found of each: over the approval, which comes back.
//!
//! Invariant: it approves nothing; whatever closes it leads back to the dialog, to be read anew.

use skydeck_core::domain::bill::{Sight, laid_out};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::making_words;
use skydeck_core::domain::query::{Answer, Sample};
use skydeck_core::domain::run::RunState;

use crate::ui::cells::Pen;
use crate::ui::desk::Desk;
use crate::ui::format::{count, fill};
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::shared::Shared;
use crate::ui::shared::outbox::Asked;
use crate::ui::skin::Role;
use crate::ui::words;

use super::dialog::middle;
use super::help::{roll, turn};
use super::overlay::{Next, Overlay};

/// Lines of one value at most.
const WRAPPED: usize = 4;

/// The page; `top` is its first line on the screen.
pub(super) struct Bodies {
    run: RunId,
    behind: Option<Box<dyn Overlay>>,
    lines: Option<Vec<(Role, String)>>,
    top: usize,
    /// Somebody meant to decide here.
    refused: bool,
}

impl Bodies {
    /// Of a run, over what comes back then.
    pub fn new(run: RunId, behind: Box<dyn Overlay>) -> Self {
        Self { run, behind: Some(behind), lines: None, top: 0, refused: false }
    }
}

/// A record: its number, the key and what is there, then the body with one field a line.
fn lines_of(shared: &Shared, sample: &Sample) -> Vec<(Role, String)> {
    let made = &sample.made;
    let head = if let Some(fault) = &made.fault {
        let said = making_words::ours(fault, shared.lang.language()).unwrap_or_else(|| fault.message.clone());
        (Role::Error, format!("{}  {}", words::shown(&sample.no), words::shown(&said)))
    } else {
        let role = if made.sight == Sight::Absent { Role::Title } else { Role::Warning };
        let said = made.sight.words(shared.lang.language());
        (role, format!("{} → {}  {said}", words::shown(&sample.no), words::shown(&made.key)))
    };
    let body = made.body.as_deref().map(laid_out).unwrap_or_default();
    let body = body.lines().map(|line| (Role::Text, format!("  {}", words::shown(line))));
    std::iter::once(head).chain(body).chain([(Role::Text, String::new())]).collect()
}

impl Overlay for Bodies {
    fn key(&mut self, desk: &mut Desk, key: Key, _effects: &mut Vec<Effect>) -> Next {
        let last = self.lines.as_ref().map_or(0, |lines| lines.len().saturating_sub(1));
        if key.code == Code::Char('G') || key.code == Code::End {
            self.top = last;
            return Next::Stay;
        }
        // Whoever means to decide here has not read the dialog again.
        let action = desk.shared.setup.keymap.action(Scope::Dialog, key);
        self.refused = matches!(action, Some(Action::Yes | Action::No)) && key.code != Code::Esc;
        if self.refused {
            return Next::Stay;
        }
        match turn(&mut self.top, key) {
            Next::Stay => {
                self.top = self.top.min(last);
                Next::Stay
            }
            _ => self.behind.take().map_or(Next::Close, |mut behind| {
                behind.back(desk.shared.now);
                Next::Open(behind)
            }),
        }
    }

    fn scroll(&mut self, rows: i64) {
        roll(&mut self.top, rows);
    }

    fn run(&self) -> Option<RunId> {
        Some(self.run)
    }

    fn stands(&self, state: &RunState) -> bool {
        self.behind.as_ref().is_none_or(|behind| behind.stands(state))
    }

    fn answer(&mut self, shared: &Shared, what: Asked, answer: Result<Answer, String>) -> bool {
        let t = shared.t();
        self.lines = Some(match (what, answer) {
            (Asked::Bodies, Ok(Answer::Bodies(all))) if all.is_empty() => vec![(Role::Dim, t.bodies_none.to_owned())],
            (Asked::Bodies, Ok(Answer::Bodies(all))) => {
                let first = (Role::Dim, fill(t.bodies_first, &[&count(all.len() as u64)]));
                std::iter::once(first).chain(all.iter().flat_map(|sample| lines_of(shared, sample))).collect()
            }
            (Asked::Bodies, Err(error)) => vec![(Role::Error, words::shown(&error))],
            (Asked::Bodies, Ok(_)) => return false,
            // The question of an overlay before this one.
            _ => return true,
        });
        true
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let (shared, t) = (&desk.shared, desk.shared.t());
        let run = shared.present.live().runs.get(&self.run)?;
        let title = fill(t.bodies_title, &[&words::plan_name(shared, &run.row.head.plan, &run.row.head.name)]);
        let (w, h) = (shared.size.0.saturating_sub(4).min(110), shared.size.1.saturating_sub(2));
        let area = middle(pen, w, h);
        let inside = pen.window(area, Role::Warning, &title);
        let Some(lines) = &self.lines else {
            pen.text(inside.x, inside.y, inside.width, Role::Dim, t.reading);
            return None;
        };
        let (mut y, mut bottom) = (inside.y, inside.bottom());
        if self.refused && inside.height > 1 {
            bottom -= 1;
            pen.text(inside.x, bottom, inside.width, Role::Warning, t.bodies_only);
        }
        for (role, text) in lines.iter().skip(self.top.min(lines.len().saturating_sub(1))) {
            if text.is_empty() {
                y += 1;
            }
            for line in pen.glyphs.wrap(text, usize::from(inside.width), WRAPPED) {
                if y >= bottom {
                    return None;
                }
                pen.text(inside.x, y, inside.width, *role, &line);
                y += 1;
            }
        }
        None
    }
}
