//! Where each entry of the index stands: the key of one thing.
//!
//! Invariant: a key is made here and nowhere else, from [`super::key`]'s spaces.

use super::key::{self, Dict, DictNo, Key, RunNo};
use super::row::{RunLiveRec, RunRec, run_row};
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::ids::{EnvId, Fid, FormId, PlanRev, RunId};
use skydeck_core::domain::run::{RunEnd, RunKind, RunState};
use skydeck_core::domain::who::Origin;

/// Key of a run's number.
pub fn run_id_key(run: RunId) -> Vec<u8> {
    Key::new(key::RUN_ID).run_id(run).done()
}

/// Key of a run's head.
pub fn run_key(no: RunNo) -> Vec<u8> {
    Key::new(key::RUN).u32(no).done()
}

/// Key of a dictionary entry.
pub fn dict_key(kind: Dict, text: &str) -> Vec<u8> {
    Key::new(key::DICT).byte(kind as u8).raw(text.as_bytes()).done()
}

/// Key of a plan's revision.
pub fn plan_key(rev: &PlanRev) -> Vec<u8> {
    Key::new(key::PLAN).raw(rev.as_str().as_bytes()).done()
}

/// Key of the run of a plan that ended by itself.
pub fn stopped_key(plan: DictNo) -> Vec<u8> {
    Key::new(key::STOPPED).u16(plan).done()
}

/// Key of the last cure of a cause in a plan.
pub fn cured_key(plan: DictNo, cause: &Cause) -> Vec<u8> {
    Key::new(key::CURED).u16(plan).raw(cause.as_str().as_bytes()).done()
}

/// Key of what was made last of a form.
pub fn made_key(env: &EnvId, form: &FormId) -> Vec<u8> {
    Key::new(key::META).raw(b"made").raw(env.as_str().as_bytes()).raw(b"\0").raw(form.as_str().as_bytes()).done()
}

/// Key of a run's state.
pub fn live_key(no: RunNo) -> Vec<u8> {
    Key::new(key::RUN_LIVE).u32(no).done()
}

/// Where a closed run stands among those of its sort. All that [`skydeck_core::domain::filter::Filter::may_pass_run_like`] reads of a run tells its sort.
pub fn sort_key(no: RunNo, rec: RunRec, live: &RunLiveRec) -> Vec<u8> {
    let row = run_row(rec, live);
    let kind = match row.head.kind {
        RunKind::Fresh => 0,
        RunKind::Retry => 1,
        RunKind::Verify => 2,
    };
    let end = match &row.state {
        RunState::Closed(RunEnd::Completed) => 0,
        RunState::Closed(RunEnd::Empty) => 1,
        RunState::Closed(RunEnd::Collected) => 2,
        RunState::Closed(RunEnd::Cancelled) => 3,
        RunState::Closed(RunEnd::Declined) => 4,
        RunState::Closed(RunEnd::Stopped(_)) => 5,
        RunState::Closed(RunEnd::CollectFailed(_)) => 6,
        RunState::Collecting
        | RunState::AwaitingApproval
        | RunState::Working
        | RunState::Settling
        | RunState::Paused(_)
        | RunState::Interrupted => 7,
    };
    let t = &row.tally;
    let left = [t.failed > 0, t.unknown > 0, t.skipped > 0, t.skipped == t.found];
    let asked = [row.head.range.is_some(), row.op_unknown];
    let bits = left.into_iter().chain(asked).enumerate().fold(0, |bits, (n, is)| bits | (u8::from(is) << n));
    let origin = match row.head.by.origin() {
        Origin::Person => 0,
        Origin::Schedule => 1,
        Origin::Engine => 2,
    };
    let names = row.head.by.names();
    let key = Key::new(key::RUN_SORT).u16(live.p).u16(live.f).byte(kind).byte(end).byte(bits);
    let key = key.byte(origin).byte(u8::try_from(names.len()).unwrap_or(u8::MAX));
    names.iter().fold(key, |key, name| key.text(name)).u32(no).done()
}

/// Key of a bill in a run.
pub fn bill_key(no: RunNo, fid: &Fid) -> Vec<u8> {
    Key::new(key::BILL).u32(no).fid(fid).done()
}

/// Key of a bill over all runs.
pub fn known_key(family: DictNo, fid: &Fid) -> Vec<u8> {
    Key::new(key::KNOWN).u16(family).fid(fid).done()
}

/// Key of a bill in its column of the sum line.
pub fn slot_key(no: RunNo, slot: Slot, fid: &Fid) -> Vec<u8> {
    Key::new(key::SLOT).u32(no).slot(slot).fid(fid).done()
}

/// Key of an unanswered intent.
pub fn trying_key(no: RunNo, fid: &Fid) -> Vec<u8> {
    Key::new(key::TRYING).u32(no).fid(fid).done()
}

/// Key of a bill by number.
pub fn number_key(number: &str, family: DictNo, fid: &Fid) -> Vec<u8> {
    Key::new(key::NUMBER).text(&number.to_lowercase()).u16(family).fid(fid).done()
}

/// Key of a change in the history.
pub fn history_key(place: (u64, u16)) -> Vec<u8> {
    Key::new(key::HISTORY).u64(place.0).u16(place.1).done()
}

/// Key of a change in the history of one slot.
pub fn history_slot_key(slot: Slot, place: (u64, u16)) -> Vec<u8> {
    Key::new(key::HISTORY_SLOT).slot(slot).u64(place.0).u16(place.1).done()
}

/// Which bill of which run a history entry means.
pub fn history_value(no: RunNo, fid: &Fid) -> Vec<u8> {
    Key::default().u32(no).fid(fid).done()
}
