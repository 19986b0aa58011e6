//! A store that several machines write to: whose runs are in whose hands, and whether this machine still counts.
//!
//! Invariant: who is not heard of for a lease may lose its runs to another one, and sends nothing meanwhile; a run that was taken
//! is gone on with by nobody else.

use std::time::Duration;

use async_trait::async_trait;
use skydeck_core::domain::ids::{EnvId, PlanId, RunId, Seq};
use skydeck_core::domain::run::DueTime;
use tokio::sync::watch;

use super::StoreError;

/// A machine that writes, as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its number: of one start of its program, never of its name.
    pub no: i32,
    /// How people call it.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// Seconds since it was heard of as it must be; below zero: it still counts for as long.
    pub silent_secs: i64,
    /// Open runs in its hands.
    pub runs: u64,
}

/// What a store says of the machines that write to it.
#[async_trait]
pub trait Hosts: Send + Sync {
    /// For how long this machine may still send: the others take its runs no earlier. Zero: not at all. Counts on while the machine
    /// sleeps.
    fn may_send_for(&self) -> Duration;

    /// How often this machine gives a sign of life and is to look for what others left.
    fn looks_every(&self) -> Duration;

    /// How far the store is, whoever writes: changes when facts were added.
    fn follow(&self) -> watch::Receiver<Seq>;

    /// Open runs in other hands, each with the name of its machine; an empty name: nobody has it.
    async fn elsewhere(&self) -> Result<Vec<(RunId, String)>, StoreError>;

    /// Takes the open runs in these environments that nobody has any more; gives those that are in this machine's hands from now on. A machine that was
    /// not heard of loses its runs only where it was silent at two looks, a lease apart, with every look between answered.
    async fn take_over(&self, envs: &[EnvId]) -> Result<Vec<RunId>, StoreError>;

    /// Whether a due time of a plan was started, by whichever machine.
    async fn is_started(&self, plan: &PlanId, due: DueTime) -> Result<bool, StoreError>;
}
