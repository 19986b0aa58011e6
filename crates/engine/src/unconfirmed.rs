//! Successes that no read has shown yet.

use skydeck_core::domain::bill::Rev;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::step::Step;
use skydeck_core::domain::time::Ts;

/// A call that was answered as done.
#[derive(Clone, Debug)]
pub(super) struct Success {
    /// Bill.
    pub fid: Fid,
    /// Its number.
    pub no: String,
    /// Step that was called.
    pub step: Step,
    /// Revision it was called in.
    pub rev: Rev,
    /// When the call left.
    pub sent: Ts,
}

/// What is not believed yet.
#[derive(Default)]
pub(super) struct Unconfirmed {
    /// Oldest first.
    pub open: Vec<Success>,
    /// One of them was seen without effect: it is read again before anything else is done.
    pub doubted: bool,
    /// Successes this task has read back.
    pub confirmed: u32,
    /// What an earlier task of the run left has been taken up.
    pub taken_up: bool,
}

impl Unconfirmed {
    /// Takes note of calls that were answered as done.
    pub fn add(&mut self, successes: impl IntoIterator<Item = Success>) {
        self.open.extend(successes);
    }

    /// Whether one is to be read again before anything else.
    pub fn is_doubted(&self) -> bool {
        self.doubted
    }

    /// Takes note of one that a look has just shown without effect.
    pub fn doubt(&mut self, success: Success) {
        self.open.push(success);
        self.doubted = true;
    }
}
