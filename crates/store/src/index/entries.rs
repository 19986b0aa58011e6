//! Where each entry of the index stands: the key of one thing.
//!
//! Invariant: a key is made here and nowhere else, from [`super::key`]'s spaces.

use super::key::{self, Dict, DictNo, Key, RunNo};
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::ids::{EnvId, Fid, FormId, PlanRev, RunId};

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
