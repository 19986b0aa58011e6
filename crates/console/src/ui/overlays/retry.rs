//! The retry and verify dialog: what matches, what will be tried, what is left out and why.
//!
//! Invariant: the numbers are a preview; what is tried is resolved by the engine from the store.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::ui::cells::Pen;
use crate::ui::counter::Counter;
use crate::ui::desk::Desk;
use crate::ui::format::{self, fill};
use crate::ui::keymap::Action;
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::panes::Pane;
use crate::ui::possible::bills_meant;
use crate::ui::run_words;
use crate::ui::shared::Shared;
use crate::ui::shared::outbox::{Asked, Sent};
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::bill::{Outcome, Slot};
use skydeck_core::domain::cause::{Cause, Repeat};
use skydeck_core::domain::command::{Command, Selection};
use skydeck_core::domain::filter::{Filter, Key as FilterKey, Term, Test};
use skydeck_core::domain::ids::{OpId, PlanId, WorkKey};
use skydeck_core::domain::operation_words;
use skydeck_core::domain::query::{Answer, PageRequest, Query, RevisionRow, Scope};
use skydeck_core::domain::reached;
use skydeck_core::domain::run::{BillRow, Revision};
use skydeck_core::domain::step::Step;
use skydeck_core::domain::time::Ts;

use super::dialog::{UNREAD, answer, dialog};
use super::overlay::{Next, Overlay};

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
pub(super) struct Retry {
    verify: bool,
    selection: Selection,
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
    /// Of bills that are made: the step that each begins with, by its place, and how many begin there.
    begins: BTreeMap<usize, (Step, u64)>,
    /// Not all of them were looked at for that.
    begins_more: bool,
    /// Counts what an order of the same selection means.
    counter: Option<Counter>,
    /// Where the first rows of that selection are asked for, to see which step each begins with.
    looks: bool,
    /// Revisions the bills were tried under, where they are not the newest of their plan.
    older: Vec<RevisionRow>,
}

/// Rows of these bills that are in memory; none where one of them is not.
fn known(desk: &Desk, keys: &[WorkKey]) -> Option<Vec<BillRow>> {
    let find = |key: &WorkKey| desk.panes.all().flat_map(Pane::bills).find(|row| row.key == *key).cloned();
    keys.iter().map(find).collect()
}

impl Retry {
    /// The dialog for the bills that are meant; asks for what it counts.
    pub fn open(desk: &mut Desk, verify: bool, effects: &mut Vec<Effect>) -> Option<Self> {
        let (selection, said) = bills_meant(desk)?;
        let mut retry = Self {
            verify,
            said,
            counts: BTreeMap::new(),
            plans: BTreeSet::new(),
            ops: BTreeSet::new(),
            matched: 0,
            more: false,
            counted: false,
            error: None,
            opened: desk.shared.now,
            revision: Revision::Newest,
            older: Vec::new(),
            begins: BTreeMap::new(),
            begins_more: false,
            counter: None,
            looks: false,
            selection,
        };
        // A read-back calls nothing that a plan could word in another way.
        if !verify {
            desk.shared.ask(Query::Revisions(retry.selection.clone()), Asked::Revisions, effects);
        }
        let (scope, filter) = match &retry.selection {
            Selection::Matching { run: Some(run), filter, .. } => (Scope::Run(*run), filter.clone()),
            Selection::Matching { run: None, .. } => {
                retry.counter = Some(Counter::new(retry.selection.clone()));
                return Some(retry);
            }
            Selection::Bills(keys) => {
                if let Some(rows) = known(desk, keys) {
                    retry.add(&desk.shared, rows.iter(), false);
                    return Some(retry);
                }
                let ids = keys.iter().map(|k| k.record.fid.as_str().to_owned()).collect();
                (Scope::Ledger, Filter { terms: vec![Term { not: false, test: Test::Is(FilterKey::Fid, ids) }] })
            }
        };
        let page = PageRequest::first(LOOK);
        desk.shared.ask(Query::Bills { scope, filter, page }, Asked::Counting, effects);
        Some(retry)
    }

    fn add<'a>(&mut self, shared: &Shared, rows: impl Iterator<Item = &'a BillRow>, more: bool) {
        self.counted = true;
        self.more = more;
        self.begins_more = more;
        for row in rows {
            self.begin(shared, row);
            let Some(outcome) = row.state.outcome() else { continue };
            self.matched += 1;
            let (fate, slot, group) = self.fate(shared, outcome);
            *self.counts.entry((fate, slot as u8, group)).or_default() += 1;
            if !self.ops.contains(&row.key.op) {
                self.ops.insert(row.key.op.clone());
            }
            if !self.plans.contains(&row.plan) {
                self.plans.insert(row.plan.clone());
            }
        }
    }

    /// Counts the step that a bill begins with.
    fn begin(&mut self, shared: &Shared, row: &BillRow) {
        let Some(outcome) = row.state.outcome().filter(|_| !self.verify) else { return };
        let tried = matches!(self.fate(shared, outcome).0, Fate::Tried | Fate::ReadAgain);
        if let Some((at, step)) = reached::begins_with(row).filter(|_| tried) {
            self.begins.entry(at).or_insert((step, 0)).1 += 1;
        }
    }

    /// The first rows of a selection that was counted by the store alone, once it is known that bills of it are made.
    fn first_rows(&mut self) -> Option<Query> {
        let makes = self.ops.iter().any(|op| operation_words::made_form(op).is_some());
        if self.looks || self.verify || !makes || !self.counter.as_ref().is_some_and(Counter::is_done) {
            return None;
        }
        let Selection::Matching { run: None, filter, .. } = &self.selection else { return None };
        self.looks = true;
        Some(Query::Bills { scope: Scope::Ledger, filter: filter.clone(), page: PageRequest::first(LOOK) })
    }

    /// The steps that bills begin with, where they are made.
    fn begins_line(&self, shared: &Shared) -> Option<Vec<(Role, String)>> {
        if self.begins.is_empty() {
            return None;
        }
        let lang = shared.lang.language();
        let steps =
            self.begins.values().map(|(step, n)| format!("{} {}", reached::does(*step, lang), format::count(*n)));
        let steps: Vec<String> = steps.collect();
        let plus = if self.begins_more { "+" } else { "" };
        let t = shared.t();
        Some(vec![(Role::Dim, format!("{} ", t.begins_with)), (Role::Text, format!("{}{plus}", steps.join(" · ")))])
    }

    /// Takes what was counted so far. An entry of the ledger is one that nothing resolved.
    fn recount(&mut self, shared: &Shared) {
        let Some(counter) = &self.counter else { return };
        let counts = counter.counts();
        self.more = !counter.is_done();
        self.matched = counts.total();
        self.plans = counts.plans.iter().cloned().collect();
        self.ops = counts.operations.iter().cloned().collect();
        let groups = counts.groups.clone();
        self.counted = true;
        self.counts.clear();
        for group in groups {
            let fate = self.fate_of_entry(shared, group.slot, &group.group);
            *self.counts.entry((fate, group.slot as u8, group.group)).or_default() += group.count;
        }
    }

    /// What will become of an entry of the ledger.
    fn fate_of_entry(&self, shared: &Shared, slot: Slot, group: &str) -> Fate {
        match slot {
            Slot::Unknown | Slot::Failed if self.verify => Fate::ReadAgain,
            _ if self.verify => Fate::LeftOut,
            Slot::Unknown => Fate::VerifiedFirst,
            Slot::Failed => match shared.setup.causes.repeat(&Cause::new(group)) {
                Repeat::Done => Fate::LeftOut,
                Repeat::VerifyFirst => Fate::VerifiedFirst,
                Repeat::Delayed | Repeat::AfterFix | Repeat::Singly | Repeat::StopPlan => Fate::Tried,
            },
            Slot::Skipped | Slot::NotReached => Fate::ReadAgain,
            Slot::Waiting | Slot::Done | Slot::Already => Fate::LeftOut,
        }
    }

    fn fate(&self, shared: &Shared, outcome: &Outcome) -> (Fate, Slot, String) {
        let (slot, group) = (outcome.slot(), outcome.group().unwrap_or_default());
        let fate = if outcome.is_resolved() { Fate::LeftOut } else { self.fate_of_entry(shared, slot, &group) };
        (fate, slot, group)
    }

    /// The word of a column without groups: the operation's own, where all bills are of one.
    fn settled_word(&self, shared: &Shared, slot: Slot) -> &'static str {
        match self.ops.iter().next() {
            Some(op) if self.ops.len() == 1 => words::slot(shared.lang, op, slot),
            _ => words::general(shared.lang, slot),
        }
    }

    /// Counted, and nothing of it can be tried.
    fn is_void(&self) -> bool {
        self.counted && self.error.is_none() && self.eligible() == 0 && !self.more
    }

    fn eligible(&self) -> u64 {
        self.counts.iter().filter(|((fate, ..), _)| *fate != Fate::LeftOut).map(|(_, n)| n).sum()
    }

    /// What will become of the bills, by reason.
    fn count_lines(&self, shared: &Shared) -> Vec<Vec<(Role, String)>> {
        let t = shared.t();
        let mut lines = vec![Vec::new()];
        let mut counts: Vec<_> = self.counts.iter().collect();
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
                self.settled_word(shared, slot).to_owned()
            } else {
                words::group(&shared.setup.causes, shared.lang, slot, group)
            };
            lines.push(vec![
                (role, format!("{:>6}  ", format::count(*n))),
                (role, format!("{} ", words::glyph(slot, shared.setup.glyphs))),
                (role, label),
                (Role::Dim, format!("  {what}")),
            ]);
        }
        if let Some(left) = self.counts.len().checked_sub(GROUPS).filter(|left| *left > 0) {
            lines.push(vec![(Role::Dim, fill(t.more_groups, &[&left.to_string()]))]);
        }
        if self.more && self.counter.is_none() {
            lines.push(vec![(Role::Dim, fill(t.counted_first, &[&LOOK.to_string()]))]);
        }
        lines
    }

    /// The two revisions and which one is chosen; nothing while they are the same.
    fn revision_lines(&self, shared: &Shared) -> Vec<Vec<(Role, String)>> {
        let t = shared.t();
        let Some(first) = self.older.first() else { return Vec::new() };
        let line = |revision: Revision, rev: &str, what: String| {
            let chosen = self.revision == revision;
            let (on, off) = (shared.setup.glyphs.on, shared.setup.glyphs.off);
            let role = if chosen { Role::Accent } else { Role::Dim };
            let word = run_words::revision(shared.lang, revision);
            let other = run_words::revision(shared.lang, revision.other());
            let gap = " ".repeat(shared.setup.glyphs.width(other).saturating_sub(shared.setup.glyphs.width(word)) + 1);
            vec![
                (role, format!("{} {word}{gap}{rev}", if chosen { on } else { off })),
                (Role::Dim, format!("  {what}")),
            ]
        };
        let newest = first.newest.as_ref().map_or("", |rev| rev.short());
        let bills: u64 = self.older.iter().map(|row| row.bills).sum();
        let others = self.older.len() - 1;
        let original = match others {
            0 => first.original.short().to_owned(),
            more => format!("{} +{more}", first.original.short()),
        };
        let lost = !self.older.iter().any(|row| row.kept);
        let what =
            if lost { t.revision_lost.to_owned() } else { fill(t.revision_original_is, &[&format::count(bills)]) };
        vec![
            vec![(Role::Title, t.revision_which.to_owned())],
            line(Revision::Newest, newest, t.revision_newest_is.to_owned()),
            line(Revision::Original, &original, what),
        ]
    }
}

impl Overlay for Retry {
    fn key(&mut self, desk: &mut Desk, key: Key, effects: &mut Vec<Effect>) -> Next {
        let shared = &mut desk.shared;
        match answer(shared, self.opened, key) {
            Some(Action::Yes) if self.is_void() => return Next::Stay,
            Some(Action::Yes) => {}
            Some(Action::No) => return Next::Close,
            Some(Action::Revision) if self.older.iter().any(|row| row.kept) => {
                self.revision = self.revision.other();
                return Next::Stay;
            }
            _ if key.code == Code::Enter && shared.now.since(self.opened) >= UNREAD => return Next::Close,
            _ => return Next::Stay,
        }
        let (selection, revision) = (self.selection.clone(), self.revision);
        let command = if self.verify { Command::Verify { selection } } else { Command::Retry { selection, revision } };
        shared.selection.clear();
        shared.submit(command, Sent::Opens, effects);
        Next::Close
    }

    fn questions(&mut self, shared: &mut Shared, effects: &mut Vec<Effect>) {
        if let Some(query) = self.counter.as_mut().and_then(Counter::query) {
            shared.ask(query, Asked::Counting, effects);
        }
        if let Some(query) = self.first_rows() {
            shared.ask(query, Asked::Begins, effects);
        }
    }

    fn answer(&mut self, shared: &Shared, what: Asked, answer: Result<Answer, String>) -> bool {
        match (what, answer) {
            (Asked::Counting, Ok(Answer::LedgerCounts(more))) => {
                if let Some(counter) = &mut self.counter {
                    counter.take(more);
                }
                self.recount(shared);
            }
            (Asked::Counting, Ok(Answer::Bills(page))) => {
                let more = page.more || page.stopped_at.is_some();
                self.add(shared, page.rows.iter().map(|(_, row)| row), more);
            }
            (Asked::Begins, Ok(Answer::Bills(page))) => {
                self.begins.clear();
                self.begins_more = page.more || page.stopped_at.is_some();
                for (_, row) in &page.rows {
                    self.begin(shared, row);
                }
            }
            (Asked::Counting, Err(error)) => {
                self.counted = true;
                self.error = Some(error);
            }
            (Asked::Revisions, Ok(Answer::Revisions(rows))) => {
                self.older = rows.into_iter().filter(RevisionRow::differs).collect();
            }
            (Asked::Counting | Asked::Revisions | Asked::Begins, Ok(_)) => return false,
            // The question of an overlay before this one; or one for revisions that failed: without an answer there is no
            // choice, the newest is taken, and nothing is said about them.
            _ => {}
        }
        true
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let (shared, t) = (&desk.shared, desk.shared.t());
        let mut lines: Vec<Vec<(Role, String)>> =
            vec![vec![(Role::Dim, format!("{} ", t.which)), (Role::Title, words::shown(&self.said))]];
        if let Some(error) = &self.error {
            lines.push(vec![(Role::Error, words::shown(error))]);
        } else if !self.counted {
            lines.push(vec![(Role::Dim, t.counting.to_owned())]);
        } else {
            let plus = if self.more { "+" } else { "" };
            lines.push(vec![
                (Role::Dim, format!("{} ", t.matched)),
                (Role::Title, format!("{}{plus}", format::count(self.matched))),
                (Role::Dim, format!("   {} ", t.eligible)),
                (Role::Accent, format!("{}{plus}", format::count(self.eligible()))),
            ]);
            lines.extend(self.count_lines(shared));
            lines.extend(self.begins_line(shared));
        }
        lines.push(Vec::new());
        let keys = if self.is_void() {
            let said = if self.verify { t.verify_nothing } else { t.retry_nothing };
            lines.push(vec![(Role::Warning, said.to_owned())]);
            vec![(shared.setup.keymap.all_keys(Action::No), t.close_it)]
        } else {
            lines.extend(self.revision_lines(shared));
            // Said here, not by a refusal after the Yes.
            if self.plans.iter().any(|plan| shared.present.live().open_run_of(plan).is_some()) {
                let (pause, stop) = (shared.setup.keymap.key(Action::Pause), shared.setup.keymap.key(Action::Stop));
                lines.push(vec![(Role::Warning, fill(t.retry_busy, &[&pause, &stop]))]);
            }
            lines.push(vec![(Role::Text, if self.verify { t.verify_what } else { t.retry_what }.to_owned())]);
            let does = if self.verify { t.verify_do } else { t.retry_do };
            let mut keys = vec![
                (shared.setup.keymap.key(Action::Yes), does),
                (shared.setup.keymap.all_keys(Action::No), t.no_default),
            ];
            if self.older.iter().any(|row| row.kept) {
                keys.push((shared.setup.keymap.key(Action::Revision), shared.lang.action(Action::Revision).0));
            }
            keys
        };
        let title = if self.verify { t.verify_title } else { t.retry_title };
        dialog(shared, pen, Role::Accent, title, &lines, &keys, 1);
        None
    }
}
