//! Successes that no read has shown yet.
//!
//! Invariant: a success leaves the list only by a read that was made of it, oldest first.

use skydeck_core::domain::bill::Rev;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::step::Step;
use skydeck_core::domain::time::Ts;

/// A call that was answered as done.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    open: Vec<Success>,
    /// One of them was seen without effect: it is read again before anything else is done.
    doubted: bool,
    /// Successes this task has read back.
    confirmed: u32,
}

impl Unconfirmed {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether every success has been read back.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Successes this task has read back.
    pub fn confirmed(&self) -> u32 {
        self.confirmed
    }

    /// Whether one is to be read again before anything else.
    pub fn is_doubted(&self) -> bool {
        self.doubted
    }

    /// The oldest ones, at most so many: what is read back next.
    pub fn oldest(&self, most: usize) -> Vec<Success> {
        self.open.iter().take(most).cloned().collect()
    }

    /// Takes note of calls that were answered as done.
    pub fn add(&mut self, successes: impl IntoIterator<Item = Success>) {
        self.open.extend(successes);
    }

    /// Takes note of one that a look has just shown without effect.
    pub fn doubt(&mut self, success: Success) {
        self.open.push(success);
        self.doubted = true;
    }

    /// The `n` oldest were read back, whatever that showed; gives their bills.
    pub fn read_back(&mut self, n: usize) -> Vec<Fid> {
        let n = n.min(self.open.len());
        self.confirmed += n as u32;
        self.doubted = false;
        self.open.drain(..n).map(|success| success.fid).collect()
    }
}
