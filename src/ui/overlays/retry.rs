//! The retry and verify dialog: what matches, what will be tried, what is left out and why.
//!
//! Invariant: the numbers are a preview; what is tried is resolved by the engine from the store.

use std::collections::BTreeMap;

use crate::domain::bill::{Outcome, Slot};
use crate::domain::cause::Repeat;
use crate::domain::command::{Command, Selection};
use crate::domain::filter::Filter;
use crate::domain::ids::BillKey;
use crate::domain::query::{Page, PageRequest, Query, Scope};
use crate::domain::run::BillRow;
use crate::domain::time::Ts;
use crate::ui::act;
use crate::ui::cells::Pen;
use crate::ui::format::{self, fill};
use crate::ui::keymap::Action;
use crate::ui::model::{Asked, Model, Sent};
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::skin::Role;
use crate::ui::update::submit;
use crate::ui::words;

use super::{Overlay, answer, dialog};

/// Rows looked at for the preview.
const LOOK: u32 = 1000;

/// What will happen to a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Tried,
    VerifiedFirst,
    ReadAgain,
    LeftOut,
}

/// The dialog.
pub(crate) struct Retry {
    pub verify: bool,
    pub selection: Selection,
    said: String,
    counts: BTreeMap<(Fate, u8, String), u64>,
    matched: u64,
    more: bool,
    counted: bool,
    error: Option<String>,
    opened: Ts,
}

/// Opens the dialog and asks for what it counts.
pub(crate) fn open(model: &mut Model, verify: bool, effects: &mut Vec<Effect>) -> Option<Retry> {
    let (selection, said) = act::selection(model)?;
    let mut retry = Retry {
        verify,
        said,
        counts: BTreeMap::new(),
        matched: 0,
        more: false,
        counted: false,
        error: None,
        opened: model.now,
        selection,
    };
    let page = PageRequest::first(LOOK);
    match &retry.selection {
        Selection::Matching { run, filter, .. } => {
            let scope = run.map_or(Scope::Ledger, Scope::Run);
            model.ask(Query::Bills { scope, filter: filter.clone(), page }, Asked::Counting, effects);
        }
        Selection::Bills(keys) => {
            let rows = known(model, keys);
            if rows.len() == keys.len() {
                let rows = rows.into_iter().map(|r| (crate::domain::query::Cursor(String::new()), r)).collect();
                retry.add(model, &Page { rows, ..Page::default() });
            } else {
                let ids = keys.iter().map(|k| k.fid.as_str().to_owned()).collect();
                let term = crate::domain::filter::Term {
                    not: false,
                    test: crate::domain::filter::Test::Is(crate::domain::filter::Key::Fid, ids),
                };
                let filter = Filter { terms: vec![term] };
                model.ask(Query::Bills { scope: Scope::Ledger, filter, page }, Asked::Counting, effects);
            }
        }
    }
    Some(retry)
}

/// Rows of these bills that are in memory.
fn known(model: &Model, keys: &[BillKey]) -> Vec<BillRow> {
    let rows = || {
        let bill = model.bill.row.iter().map(|b| &**b);
        model.results.rows().chain(model.ledger.rows()).chain(model.found.rows()).chain(bill)
    };
    keys.iter().filter_map(|key| rows().find(|r| r.key == *key).cloned()).collect()
}

/// The answer to what was asked at the opening.
pub(crate) fn count(model: &mut Model, page: &Page<BillRow>) {
    if let Some(Overlay::Retry(mut retry)) = model.overlay.take() {
        retry.add(model, page);
        model.overlay = Some(Overlay::Retry(retry));
    }
}

/// The question failed.
pub(crate) fn failed(model: &mut Model, error: String) {
    if let Some(Overlay::Retry(retry)) = &mut model.overlay {
        retry.counted = true;
        retry.error = Some(error);
    }
}

impl Retry {
    fn add(&mut self, model: &Model, page: &Page<BillRow>) {
        self.counted = true;
        self.more = page.more || page.stopped_at.is_some();
        for (_, row) in &page.rows {
            let Some(outcome) = row.state.outcome() else { continue };
            self.matched += 1;
            let (fate, slot, group) = self.fate(model, outcome);
            *self.counts.entry((fate, slot as u8, group)).or_default() += 1;
        }
    }

    fn fate(&self, model: &Model, outcome: &Outcome) -> (Fate, Slot, String) {
        let group = outcome.group().unwrap_or_default();
        let fate = match outcome {
            Outcome::Unknown(_) if self.verify => Fate::ReadAgain,
            _ if self.verify => Fate::LeftOut,
            Outcome::Unknown(_) => Fate::VerifiedFirst,
            Outcome::Failed(f) if model.causes.repeat(&f.cause) == Repeat::Done => Fate::LeftOut,
            Outcome::Failed(f) if model.causes.repeat(&f.cause) == Repeat::VerifyFirst => Fate::VerifiedFirst,
            Outcome::Failed(_) => Fate::Tried,
            Outcome::Skipped(_) if !outcome.is_resolved() => Fate::ReadAgain,
            _ => Fate::LeftOut,
        };
        (fate, outcome.slot(), group)
    }

    /// Counted, and nothing of it can be tried.
    fn is_void(&self) -> bool {
        self.counted && self.error.is_none() && self.eligible() == 0 && !self.more
    }

    fn eligible(&self) -> u64 {
        self.counts.iter().filter(|((fate, ..), _)| *fate != Fate::LeftOut).map(|(_, n)| n).sum()
    }
}

pub(crate) fn key(model: &mut Model, retry: Retry, key: Key, effects: &mut Vec<Effect>) -> Option<Overlay> {
    match answer(model, retry.opened, key) {
        Some(Action::Yes) => {}
        Some(Action::No) => return None,
        _ if key.code == Code::Enter && model.now.since(retry.opened) >= super::UNREAD => return None,
        _ => return Some(Overlay::Retry(retry)),
    }
    if retry.is_void() {
        return Some(Overlay::Retry(retry));
    }
    let selection = retry.selection;
    let command = if retry.verify { Command::Verify { selection } } else { Command::Retry { selection } };
    model.marks.clear();
    model.all_marked = false;
    submit(model, command, Sent::Opens, effects);
    None
}

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, retry: &Retry) {
    let t = model.t();
    let mut lines: Vec<Vec<(Role, String)>> =
        vec![vec![(Role::Dim, format!("{} ", t.which)), (Role::Title, words::shown(&retry.said))]];
    if let Some(error) = &retry.error {
        lines.push(vec![(Role::Error, words::shown(error))]);
    } else if !retry.counted {
        lines.push(vec![(Role::Dim, t.counting.to_owned())]);
    } else {
        let plus = if retry.more { "+" } else { "" };
        lines.push(vec![
            (Role::Dim, format!("{} ", t.matched)),
            (Role::Title, format!("{}{plus}", format::count(retry.matched))),
            (Role::Dim, format!("   {} ", t.eligible)),
            (Role::Accent, format!("{}{plus}", format::count(retry.eligible()))),
        ]);
        lines.push(Vec::new());
        for ((fate, slot, group), n) in retry.counts.iter().take(9) {
            let slot = Slot::ALL.iter().copied().find(|s| *s as u8 == *slot).unwrap_or(Slot::Failed);
            let (role, what) = match fate {
                Fate::Tried => (words::role(slot), t.fate_tried),
                Fate::VerifiedFirst => (Role::Unknown, t.fate_verified),
                Fate::ReadAgain => (words::role(slot), t.fate_read),
                Fate::LeftOut => (Role::Dim, t.fate_out),
            };
            let label = if group.is_empty() {
                words::slot(model.lang, slot).to_owned()
            } else {
                words::group(&model.causes, model.lang, slot, group)
            };
            lines.push(vec![
                (role, format!("{:>6}  ", format::count(*n))),
                (role, format!("{} ", words::glyph(slot, model.glyphs))),
                (role, label),
                (Role::Dim, format!("  {what}")),
            ]);
        }
        if retry.more {
            lines.push(vec![(Role::Dim, fill(t.counted_first, &[&LOOK.to_string()]))]);
        }
    }
    lines.push(Vec::new());
    let keys = if retry.is_void() {
        let said = if retry.verify { t.verify_nothing } else { t.retry_nothing };
        lines.push(vec![(Role::Warning, said.to_owned())]);
        vec![(model.keymap.all_keys(Action::No), t.close_it)]
    } else {
        lines.push(vec![(Role::Text, if retry.verify { t.verify_what } else { t.retry_what }.to_owned())]);
        let does = if retry.verify { t.verify_do } else { t.retry_do };
        vec![(model.keymap.key(Action::Yes), does), (model.keymap.all_keys(Action::No), t.no_default)]
    };
    let title = if retry.verify { t.verify_title } else { t.retry_title };
    dialog(model, pen, Role::Accent, title, &lines, &keys, 1);
}
