//! The run engine: one writer of facts (the ledger), one runner a run, one dispatcher an environment.
//!
//! Invariants: no write leaves before its intent is durable; nothing repeats an unknown bill before it was read back.

use std::sync::Arc;

use crate::domain::cause::CauseTable;
use crate::domain::env::Environment;
use crate::domain::plan::Plan;
use crate::domain::query::PlanProblem;
use crate::domain::time::Clock;
use crate::erp::Erp;
use crate::store::Store;

/// Where plans come from; the boot file gives one that reads the plan directory.
pub trait PlanSource: Send + Sync {
    /// Reads all plans anew: each one, or why it cannot be used; with the number of hazards lint found.
    fn load(&self) -> Vec<(Result<Plan, PlanProblem>, u32)>;
}

/// What an engine is made of.
pub struct Parts {
    /// Facts.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Causes with repeat policy.
    pub causes: Arc<CauseTable>,
    /// Environments with their clients; the first is the default.
    pub envs: Vec<(Environment, Arc<dyn Erp>)>,
    /// Plans.
    pub plans: Arc<dyn PlanSource>,
}
