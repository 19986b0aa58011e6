//! The retry and verify dialog: what matches, what will be tried, what is left out and why.
//!
//! Invariant: the numbers are a preview; what is tried is resolved by the engine from the store.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::ui::act;
use crate::ui::cells::Pen;
use crate::ui::format::{self, fill};
use crate::ui::keymap::Action;
use crate::ui::model::{Asked, Model, Sent};
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::skin::Role;
use crate::ui::update::submit;
use crate::ui::words;
use skydeck_core::domain::bill::{Outcome, Slot};
use skydeck_core::domain::cause::Repeat;
use skydeck_core::domain::command::{Command, Selection};
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{OpId, PlanId, WorkKey};
use skydeck_core::domain::query::{Page, PageRequest, Query, RevisionRow, Scope};
use skydeck_core::domain::run::{BillRow, Revision};
use skydeck_core::domain::time::Ts;

use super::{Overlay, answer, dialog};

/// Rows looked at for the preview.
const LOOK: u32 = 1000;
/// Groups shown; the dialog fits on 24 rows with all else it says.
const GROUPS: usize = 8;

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
    /// Plans of the bills counted.
    plans: BTreeSet<PlanId>,
    /// Their operations.
    ops: BTreeSet<OpId>,
    matched: u64,
    more: bool,
    counted: bool,
    error: Option<String>,
    opened: Ts,
    revision: Revision,
    /// Revisions the bills were tried under, where they are not the newest of their plan.
    older: Vec<RevisionRow>,
}

/// Opens the dialog and asks for what it counts.
pub(crate) fn open(model: &mut Model, verify: bool, effects: &mut Vec<Effect>) -> Option<Retry> {
    let (selection, said) = act::selection(model)?;
    let mut retry = Retry {
        verify,
        said,
        counts: BTreeMap::new(),
        plans: BTreeSet::new(),
        ops: BTreeSet::new(),
        matched: 0,
        more: false,
        counted: false,
        error: None,
        opened: model.now,
        revision: Revision::Newest,
        older: Vec::new(),
        selection,
    };
    // A read-back calls nothing that a plan could word in another way.
    if !verify {
        model.ask(Query::Revisions(retry.selection.clone()), Asked::Revisions, effects);
    }
    let page = PageRequest::first(LOOK);
    match &retry.selection {
        Selection::Matching { run, filter, .. } => {
            let scope = run.map_or(Scope::Ledger, Scope::Run);
            model.ask(Query::Bills { scope, filter: filter.clone(), page }, Asked::Counting, effects);
        }
        Selection::Bills(keys) => {
            let rows = known(model, keys);
            if rows.len() == keys.len() {
                let rows = rows.into_iter().map(|r| (skydeck_core::domain::query::Cursor(String::new()), r)).collect();
                retry.add(model, &Page { rows, ..Page::default() });
            } else {
                let ids = keys.iter().map(|k| k.record.fid.as_str().to_owned()).collect();
                let term = skydeck_core::domain::filter::Term {
                    not: false,
                    test: skydeck_core::domain::filter::Test::Is(skydeck_core::domain::filter::Key::Fid, ids),
                };
                let filter = Filter { terms: vec![term] };
                model.ask(Query::Bills { scope: Scope::Ledger, filter, page }, Asked::Counting, effects);
            }
        }
    }
    Some(retry)
}

/// Rows of these bills that are in memory.
fn known(model: &Model, keys: &[WorkKey]) -> Vec<BillRow> {
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

/// The revisions there are to choose from. Without them the newest is taken, as before there was a choice.
pub(crate) fn revisions(model: &mut Model, rows: Vec<RevisionRow>) {
    if let Some(Overlay::Retry(retry)) = &mut model.overlay {
        retry.older = rows.into_iter().filter(RevisionRow::differs).collect();
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
            if !self.ops.contains(&row.key.op) {
                self.ops.insert(row.key.op.clone());
            }
            if !self.plans.contains(&row.plan) {
                self.plans.insert(row.plan.clone());
            }
        }
    }

    fn fate(&self, model: &Model, outcome: &Outcome) -> (Fate, Slot, String) {
        let group = outcome.group().unwrap_or_default();
        let fate = match outcome {
            Outcome::Unknown(_) | Outcome::Failed(_) if self.verify => Fate::ReadAgain,
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

    /// The word of a column without groups: the operation's own, where all bills are of one.
    fn settled_word(&self, model: &Model, slot: Slot) -> &'static str {
        match self.ops.iter().next() {
            Some(op) if self.ops.len() == 1 => words::slot(model.lang, op, slot),
            _ => words::general(model.lang, slot),
        }
    }

    /// Counted, and nothing of it can be tried.
    fn is_void(&self) -> bool {
        self.counted && self.error.is_none() && self.eligible() == 0 && !self.more
    }

    fn eligible(&self) -> u64 {
        self.counts.iter().filter(|((fate, ..), _)| *fate != Fate::LeftOut).map(|(_, n)| n).sum()
    }
}

pub(crate) fn key(model: &mut Model, mut retry: Retry, key: Key, effects: &mut Vec<Effect>) -> Option<Overlay> {
    match answer(model, retry.opened, key) {
        Some(Action::Yes) => {}
        Some(Action::No) => return None,
        Some(Action::Revision) if retry.older.iter().any(|row| row.kept) => {
            retry.revision = retry.revision.other();
            return Some(Overlay::Retry(retry));
        }
        _ if key.code == Code::Enter && model.now.since(retry.opened) >= super::UNREAD => return None,
        _ => return Some(Overlay::Retry(retry)),
    }
    if retry.is_void() {
        return Some(Overlay::Retry(retry));
    }
    let (selection, revision) = (retry.selection, retry.revision);
    let command = if retry.verify { Command::Verify { selection } } else { Command::Retry { selection, revision } };
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
        let mut counts: Vec<_> = retry.counts.iter().collect();
        // What is tried before what is left out, the most bills first.
        counts.sort_by_key(|((fate, ..), n)| (*fate, Reverse(**n)));
        for ((fate, slot, group), n) in counts.into_iter().take(GROUPS) {
            let slot = Slot::ALL.iter().copied().find(|s| *s as u8 == *slot).unwrap_or(Slot::Failed);
            let (role, what) = match fate {
                Fate::Tried => (words::role(slot), t.fate_tried),
                Fate::VerifiedFirst => (Role::Unknown, t.fate_verified),
                Fate::ReadAgain => (words::role(slot), t.fate_read),
                Fate::LeftOut => (Role::Dim, t.fate_out),
            };
            let label = if group.is_empty() {
                retry.settled_word(model, slot).to_owned()
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
        if let Some(left) = retry.counts.len().checked_sub(GROUPS).filter(|left| *left > 0) {
            lines.push(vec![(Role::Dim, fill(t.more_groups, &[&left.to_string()]))]);
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
        lines.extend(revision_lines(model, retry));
        // Said here, not by a refusal after the Yes.
        if retry.plans.iter().any(|plan| model.live.open_run_of(plan).is_some()) {
            let (pause, stop) = (model.keymap.key(Action::Pause), model.keymap.key(Action::Stop));
            lines.push(vec![(Role::Warning, fill(t.retry_busy, &[&pause, &stop]))]);
        }
        lines.push(vec![(Role::Text, if retry.verify { t.verify_what } else { t.retry_what }.to_owned())]);
        let does = if retry.verify { t.verify_do } else { t.retry_do };
        let mut keys = vec![(model.keymap.key(Action::Yes), does), (model.keymap.all_keys(Action::No), t.no_default)];
        if retry.older.iter().any(|row| row.kept) {
            keys.push((model.keymap.key(Action::Revision), model.lang.action(Action::Revision).0));
        }
        keys
    };
    let title = if retry.verify { t.verify_title } else { t.retry_title };
    dialog(model, pen, Role::Accent, title, &lines, &keys, 1);
}

/// The two revisions and which one is chosen; nothing while they are the same.
fn revision_lines(model: &Model, retry: &Retry) -> Vec<Vec<(Role, String)>> {
    let t = model.t();
    let Some(first) = retry.older.first() else { return Vec::new() };
    let line = |revision: Revision, rev: &str, what: String| {
        let chosen = retry.revision == revision;
        let (on, off) = (model.glyphs.on, model.glyphs.off);
        let role = if chosen { Role::Accent } else { Role::Dim };
        let word = words::revision(model.lang, revision);
        let other = words::revision(model.lang, revision.other());
        let gap = " ".repeat(model.glyphs.width(other).saturating_sub(model.glyphs.width(word)) + 1);
        vec![(role, format!("{} {word}{gap}{rev}", if chosen { on } else { off })), (Role::Dim, format!("  {what}"))]
    };
    let newest = first.newest.as_ref().map_or("", |rev| rev.short());
    let bills: u64 = retry.older.iter().map(|row| row.bills).sum();
    let others = retry.older.len() - 1;
    let original = match others {
        0 => first.original.short().to_owned(),
        more => format!("{} +{more}", first.original.short()),
    };
    let lost = !retry.older.iter().any(|row| row.kept);
    let what = if lost { t.revision_lost.to_owned() } else { fill(t.revision_original_is, &[&format::count(bills)]) };
    vec![
        vec![(Role::Title, t.revision_which.to_owned())],
        line(Revision::Newest, newest, t.revision_newest_is.to_owned()),
        line(Revision::Original, &original, what),
    ]
}
