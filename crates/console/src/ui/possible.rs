//! What can be done now, and which bills an order is about.
//!
//! Invariant: one function, [`obstacle`], says what can be done; footer, help, palette and keys all ask it.

use skydeck_core::domain::command::Selection;
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::live::RunLive;
use skydeck_core::domain::query::Scope as ListScope;
use skydeck_core::domain::run::RunState;

use super::desk::Desk;
use super::format::fill;
use super::keymap::{self, Action, TABLE};
use super::obstacle::Obstacle;
use super::run_words::consent;

/// Whether an action can be done now.
pub(crate) fn possible(desk: &Desk, action: Action) -> bool {
    obstacle(desk, action).is_none()
}

/// What is in the way of an action now; `None` where it can be done.
pub(crate) fn obstacle(desk: &Desk, action: Action) -> Option<Obstacle> {
    let opening = desk.shared.connection.opening().is_some();
    // Nothing is known before the store is open: neither that no run waits, nor that no plan is there.
    in_the_way(desk, action).map(|why| if opening { Obstacle::Opening } else { why })
}

fn in_the_way(desk: &Desk, action: Action) -> Option<Obstacle> {
    use Obstacle as O;
    let (shared, pane) = (&desk.shared, desk.pane());
    let run = shared.run_live();
    let state = run.map(|r| &r.row.state);
    let unless = |can: bool, why: Obstacle| (!can).then_some(why);
    let chosen = || !shared.selection.is_empty() || pane.bill(shared).is_some() || pane.group(shared).is_some();
    match action {
        Action::Approve => unless(awaiting(desk).is_some(), O::NothingWaits),
        Action::Pause => match state {
            Some(RunState::Working | RunState::Settling | RunState::Paused(_) | RunState::Interrupted) => None,
            Some(RunState::Collecting | RunState::AwaitingApproval) => Some(O::CannotPauseYet),
            Some(RunState::Closed(_)) => Some(O::RunEnded),
            None => Some(if shared.run.is_some() { O::RunEnded } else { O::NoRun }),
        },
        Action::Stop => match state {
            Some(state) => unless(!state.is_closed(), O::RunEnded),
            None => Some(if shared.run.is_some() { O::RunEnded } else { O::NoRun }),
        },
        Action::Forecast => unless(shared.plan_row().is_some_and(|row| row.plan.is_ok()), O::NoPlan),
        Action::Pace => unless(desk.env().is_some(), O::NoEnvironment),
        Action::Unlock => match desk.env() {
            None => Some(O::NoEnvironment),
            Some(env) => unless(env.read_only || env.always_read_only, O::NotReadOnly),
        },
        Action::Retry | Action::Verify | Action::Resolve => unless(chosen(), O::NothingChosen),
        Action::Reopen => unless(pane.resolved().is_some() || !shared.own.to_reopen().is_empty(), O::NothingResolved),
        Action::Mark => unless(pane.bill(shared).is_some(), O::NoBillHere),
        Action::MarkAll if pane.lists(shared).is_none() => Some(O::NothingToSelect),
        Action::MarkAll => unless(!shared.selection.is_all(), O::AllSelected),
        Action::Unmark => unless(!shared.selection.is_empty(), O::NothingSelected),
        Action::ClearFilter => unless(pane.filter().is_some_and(|filter| !filter.is_empty()), O::NoFilter),
        Action::Columns | Action::ColumnsLeft | Action::ColumnsRight if pane.bills().next().is_none() => {
            Some(O::NoColumns)
        }
        Action::ColumnsLeft => unless(shared.nav.shift > 0, O::FirstColumns),
        Action::Export => unless(pane.lists(shared).is_some(), O::NothingListed),
        Action::Copy => unless(pane.copy(shared).is_some(), O::NothingToCopy),
        Action::Count => unless(pane.copy(shared).is_some() || pane.group(shared).is_some(), O::NothingToCopy),
        Action::NextRun | Action::PrevRun => {
            unless(desk.known_runs().iter().any(|run| Some(*run) != shared.run), O::NoOtherRun)
        }
        Action::Freeze => unless(run.is_some() || shared.present.is_frozen(), O::NoRun),
        Action::Into => obstacle(desk, Action::Open),
        _ => unless(pane.possible(shared, action), pane.obstacle(shared, action)),
    }
}

/// The run that is approved here: the one in view; in Today, where what waits is listed, else the first that waits, one that
/// wants a second person before all others.
pub(crate) fn awaiting(desk: &Desk) -> Option<RunId> {
    let shared = &desk.shared;
    let waits = |run: &&RunLive| run.row.state == RunState::AwaitingApproval;
    let here = shared.run_live().filter(waits).map(|run| run.row.head.id);
    let any = || {
        let second = |run: &&RunLive| consent(&run.row, shared.now).is_none();
        shared.present.live().open().filter(waits).min_by_key(second).map(|run| run.row.head.id)
    };
    here.or_else(|| any().filter(|_| shared.nav.here() == keymap::Scope::Today))
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
