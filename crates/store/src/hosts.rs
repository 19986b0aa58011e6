//! A store that several machines write to: whose runs are in whose hands, and whether this machine still counts.
//!
//! Invariant: who is not heard of for a lease may lose its runs to another one, and sends nothing meanwhile; a run that was taken
//! is gone on with by nobody else.

use std::time::Duration;

use async_trait::async_trait;
use skydeck_core::domain::access::Role;
use skydeck_core::domain::command::{Order, Receipt};
use skydeck_core::domain::ids::{CommandId, EnvId, PlanId, RunId, Seq};
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
    /// It has not left, and was not shown out.
    pub counts: bool,
}

/// What became of an order about a run that another machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// No machine has the run.
    Nobody,
    /// This is what the machine says to it.
    Answered {
        /// Its name.
        host: String,
        /// Its receipt.
        receipt: Receipt,
    },
    /// It did not take the order in time, and cannot any more: nothing is done.
    NotTaken {
        /// Its name.
        host: String,
    },
    /// It took the order, and did not say what became of it.
    Unanswered {
        /// Its name.
        host: String,
    },
}

/// An order that was given on another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromAfar {
    /// Its id.
    pub id: CommandId,
    /// The order, with the role that its sender has on his machine; none where this program cannot read it.
    pub order: Option<(Order, Role)>,
}

/// How fast a machine may call, as far as it knows by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Calls a minute.
    pub per_minute: f64,
    /// Calls that may go at once after a pause.
    pub burst: f64,
    /// Calls in flight, at most.
    pub concurrency: u32,
    /// How long the server may be at work on a call of which nothing more is heard.
    pub settle: Duration,
}

/// What machines that call one server say of the next call.
pub enum CallTurn {
    /// It may be made now. Dropped, it is over.
    Now(Box<dyn Place>),
    /// Nothing is to be had for so long.
    Wait(Duration),
    /// Nobody calls before a person says so; why, as it was given.
    Held(String),
}

/// A place among the calls in flight; free when it is dropped.
pub trait Place: Send {
    /// The call was not made: it does not count.
    fn unused(self: Box<Self>);
}

/// Whose it is to tell something to people elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// This machine's.
    This,
    /// Another one's, which has not told it yet.
    Another,
    /// Nobody's: it was told.
    Told,
}

/// What a store says of the machines that write to it.
#[async_trait]
pub trait Hosts: Send + Sync {
    /// How people call this machine.
    fn name(&self) -> &str;

    /// The person behind a user of this machine, where an administrator named one.
    async fn person(&self, uid: u32) -> Result<Option<u32>, StoreError>;

    /// Gives an order to the machine that has a run, with the role that its sender has here, and waits for what it says.
    async fn forward(&self, run: RunId, order: &Order, role: Role) -> Result<Forwarded, StoreError>;

    /// Waits for orders about runs that this machine has, and takes them: no other one does, and no earlier machine of this name did.
    async fn orders(&self) -> Result<Vec<FromAfar>, StoreError>;

    /// Says what became of an order that was taken.
    async fn answer(&self, order: CommandId, receipt: &Receipt) -> Result<(), StoreError>;

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

    /// The turn to make one call in an environment, among the calls of all machines. Dropping the future takes nothing.
    async fn call_turn(&self, env: &EnvId, pace: Pace) -> Result<CallTurn, StoreError>;

    /// The server of an environment asked for a pause: nobody calls for so long.
    fn pause_calls(&self, env: &EnvId, span: Duration);

    /// Nobody calls in an environment before a person says so: why, which [`Self::call_turn`] gives to all.
    fn hold_calls(&self, env: &EnvId, why: String);

    /// Why nobody calls in an environment.
    async fn held_calls(&self, env: &EnvId) -> Result<Option<String>, StoreError>;

    /// A person says that calls are made again.
    async fn let_calls(&self, env: &EnvId) -> Result<(), StoreError>;

    /// Whose it is to tell each of these; what was told longer ago than `fresh` is told again.
    async fn claim_alerts(&self, keys: &[String], fresh: Duration) -> Result<Vec<Teller>, StoreError>;

    /// This machine told these.
    async fn sent_alerts(&self, keys: &[String]) -> Result<(), StoreError>;

    /// This machine's number.
    fn number(&self) -> i32;

    /// The machines that count, and those that still have runs.
    async fn machines(&self) -> Result<Vec<Host>, StoreError>;

    /// Shows a machine out: nothing more is stored for it, and its runs are taken over.
    async fn evict(&self, host: i32) -> Result<(), StoreError>;

    /// Whether a due time of a plan was started, by whichever machine.
    async fn is_started(&self, plan: &PlanId, due: DueTime) -> Result<bool, StoreError>;
}
