//! What a call is made for and with: the bills that may be called, and what it needs of its run.

use std::sync::Arc;
use std::time::Duration;

use skydeck_core::domain::bill::Rev;
use skydeck_core::domain::ids::{Fid, FormId, RecordKey, RunId};
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::run::Flag;

use super::bill_history::BillHistory;
use super::control::Shared;
use super::dispatch::Dispatch;

/// A bill that a call may be made for.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Bill.
    pub fid: Fid,
    /// Its number.
    pub no: String,
    /// Place of the step to call.
    pub at: usize,
    /// Revision that was read.
    pub rev: Rev,
    /// Its past when it was read.
    pub past: BillHistory,
    /// When its status was read, monotonic.
    pub read_at: Duration,
}

/// What a call needs of its run.
#[derive(Clone)]
pub struct CallContext {
    /// The engine.
    pub shared: Arc<Shared>,
    /// Environment.
    pub env: Arc<Dispatch>,
    /// Run.
    pub run: RunId,
    /// Form of its bills, as it stands in their keys.
    pub form: FormId,
    /// Plan.
    pub plan: Arc<Plan>,
    /// What the plan wants done.
    pub op: Arc<Operation>,
    /// Flags chosen for this run.
    pub flags: Vec<Flag>,
}

impl CallContext {
    /// One of the run's records.
    pub fn key(&self, fid: &Fid) -> RecordKey {
        RecordKey { env: self.env.env.id.clone(), form: self.form.clone(), fid: fid.clone() }
    }
}
