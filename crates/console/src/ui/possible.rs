//! What can be done now, and which bills an order is about.
//!
//! Invariant: one function, [`possible`], says what can be done; footer, help, palette and keys all ask it.

use skydeck_core::domain::command::Selection;
use skydeck_core::domain::query::Scope as ListScope;
use skydeck_core::domain::run::RunState;

use super::desk::Desk;
use super::format::fill;
use super::keymap::{self, Action, TABLE};

/// Whether an action can be done now.
pub(crate) fn possible(desk: &Desk, action: Action) -> bool {
    let (shared, pane) = (&desk.shared, desk.pane());
    let run = shared.run_live();
    let state = run.map(|r| &r.row.state);
    let chosen = || !shared.selection.is_empty() || pane.bill(shared).is_some() || pane.group(shared).is_some();
    match action {
        Action::Approve => matches!(state, Some(RunState::AwaitingApproval)),
        Action::Pause => {
            matches!(state, Some(RunState::Working | RunState::Settling | RunState::Paused(_) | RunState::Interrupted))
        }
        Action::Stop => state.is_some_and(|s| !s.is_closed()),
        Action::Pace => desk.env().is_some(),
        Action::Unlock => desk.env().is_some_and(|env| env.read_only),
        Action::Retry | Action::Verify | Action::Resolve => chosen(),
        Action::Mark => pane.bill(shared).is_some(),
        Action::MarkAll => pane.lists(shared).is_some() && !shared.selection.is_all(),
        Action::Unmark => !shared.selection.is_empty(),
        Action::ClearFilter => pane.filter().is_some_and(|filter| !filter.is_empty()),
        Action::ColumnsLeft => shared.nav.shift > 0,
        Action::Columns | Action::ColumnsRight => pane.bills().next().is_some(),
        Action::Export => pane.lists(shared).is_some(),
        Action::Copy => pane.copy(shared).is_some(),
        Action::Count => pane.copy(shared).is_some() || pane.group(shared).is_some(),
        Action::NextRun | Action::PrevRun => desk.known_runs().iter().any(|run| Some(*run) != shared.run),
        Action::Freeze => run.is_some() || shared.present.is_frozen(),
        Action::Into => pane.possible(shared, Action::Open),
        _ => pane.possible(shared, action),
    }
}

/// Rows of the table for a place, with whether they are possible now.
pub(crate) fn commands(desk: &Desk) -> impl Iterator<Item = (&'static keymap::Row, bool)> {
    let place = desk.shared.nav.here();
    TABLE.iter().filter(move |row| keymap::reaches(row, place)).map(|row| (row, possible(desk, row.action)))
}

/// The word in the footer: what the key would do now.
pub(crate) fn label(desk: &Desk, action: Action) -> &'static str {
    let (shared, t) = (&desk.shared, desk.shared.t());
    let state = shared.run_live().map(|run| &run.row.state);
    match (action, state) {
        (Action::Pause, Some(RunState::Paused(_) | RunState::Interrupted)) => t.resume_short,
        (Action::Stop, Some(RunState::AwaitingApproval)) => t.decline_short,
        (Action::Freeze, _) if shared.present.is_frozen() => t.thaw_short,
        (Action::JumpDate, _) if shared.nav.here() == keymap::Scope::Today => t.from_day_short,
        (Action::Unlock, _) if desk.env().is_some_and(|env| shared.unlocked_for(&env.id).is_some()) => t.lock_short,
        _ => shared.lang.action(action).0,
    }
}

/// Which bills an order is about, and how that is said: all that match, the selected ones, the group, the one under the
/// cursor.
pub(crate) fn bills_meant(desk: &Desk) -> Option<(Selection, String)> {
    let (shared, pane, t) = (&desk.shared, desk.pane(), desk.shared.t());
    let matching = |run, filter| Selection::Matching { plan: None, run, filter };
    if shared.selection.is_all() {
        let run = match pane.lists(shared) {
            Some(ListScope::Run(run)) => Some(run),
            Some(ListScope::Ledger | ListScope::History) | None => None,
        };
        let filter = pane.matching()?;
        let said = if filter.is_empty() { t.all_unresolved.to_owned() } else { shared.said(&filter) };
        return Some((matching(run, shared.asked(&filter)), said));
    }
    if let Some(bills) = shared.selection.bills() {
        let said = fill(t.n_marked, &[&bills.len().to_string()]);
        return Some((Selection::Bills(bills.keys().cloned().collect()), said));
    }
    if let Some((filter, said)) = pane.group(shared) {
        return Some((matching(None, shared.asked(&filter)), said));
    }
    let (key, no) = pane.bill(shared)?;
    Some((Selection::Bills(vec![key]), skydeck_core::text::show(&no, 200).as_str().to_owned()))
}
