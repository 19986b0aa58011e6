//! An environment: one Kingdee server, account set and user, with its limits. Holds no secret.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::EnvId;
use super::plan::Origin;
use super::reason::Reason;
use super::server::{Same, Server};
use super::step::Verb;

/// What the engine and the screen need to know of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Name.
    pub id: EnvId,
    /// Server address without credentials, for showing.
    pub address: String,
    /// What kind of system it is.
    #[serde(default)]
    pub system: System,
    /// Account set id (账套); of another system the id that the site gives it.
    pub account_set: String,
    /// The server its records are on, as the configuration names it.
    #[serde(default)]
    pub server: Server,
    /// ERP user name: a bill approved by it after our call was audited by us.
    pub user: String,
    /// Production: warning role in the frame, read-only by default, steeper confirm ladder.
    pub production: bool,
    /// No write leaves, until somebody unlocks it.
    pub read_only: bool,
    /// No write leaves, and nobody can unlock it: `read_only = "always"`.
    #[serde(default)]
    pub always_read_only: bool,
    /// Grave approvals need two persons.
    #[serde(default)]
    pub second_person: bool,
    /// Zone the server's dates are in, e.g. `Asia/Shanghai`.
    pub server_zone: String,
    /// Operations beside Submit and Audit that the environment's owner allows plans to execute.
    #[serde(default)]
    pub allow_operations: Vec<String>,
    /// Limits.
    pub limits: Limits,
}

/// What an environment speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// The WebAPI of K/3Cloud.
    #[default]
    Kingdee,
    /// JSON over HTTP, as plans say.
    Http,
}

impl System {
    /// Whether a verb is one of its own.
    fn knows(self, verb: &Verb) -> bool {
        (self == Self::Http) == (*verb == Verb::Send)
    }

    /// Whether records come from there as a plan says.
    pub fn gives(self, origin: &Origin) -> bool {
        match origin {
            Origin::Query => self == Self::Kingdee,
            Origin::List(_) => self == Self::Http,
            Origin::HandedIn => true,
        }
    }
}

impl Environment {
    /// Whether both could write to the records of one server and account set: two paces, two limits and two claims on one
    /// bill. One that is read-only for good writes nowhere.
    pub fn writes_with(&self, other: &Self) -> bool {
        self.may_write_beside(other) && self.server.same(&other.server) == Same::Yes
    }

    /// Whether both write anywhere at all.
    pub fn may_write_beside(&self, other: &Self) -> bool {
        !self.always_read_only && !other.always_read_only
    }

    /// Whether its owner allows plans to call a verb there at all.
    ///
    /// # Errors
    /// An operation that is not among [`Self::allow_operations`], or that its system does not know.
    pub fn allows(&self, verb: &Verb) -> Result<(), Reason> {
        if !self.system.knows(verb) {
            return Err(Reason::OtherSystem { env: self.id.clone(), sends: *verb == Verb::Send });
        }
        match verb.allowed_by() {
            None => Ok(()),
            Some(name) if self.allow_operations.iter().any(|allowed| allowed == name) => Ok(()),
            Some(name) => Err(Reason::OperationNotAllowed { env: self.id.clone(), operation: name.to_owned() }),
        }
    }
}

/// Pace and time limits of one environment, shared by all its plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Writing calls a minute.
    pub per_minute: u32,
    /// Writing calls in flight.
    pub concurrency: u32,
    /// Limit of one call.
    pub call_timeout: Duration,
    /// How long after sending an unknown bill is read back: at least the server's own request limit.
    pub settle: Duration,
    /// How long calls in flight may take after a request to stop.
    pub drain: Duration,
    /// Stop after so many unknown outcomes in a row; 0 never.
    pub breaker_unknown: u32,
    /// Stop when this share (percent) of the last 20 bills were refused; 0 never. Once 60 bills before those are known, a
    /// change of one cause's share stops instead.
    pub breaker_failed_percent: u32,
    /// That share was written by the site: it holds for good, and not only until it is known what is usual.
    #[serde(default)]
    pub breaker_ceiling: bool,
    /// First bills of a run tried singly and watched; 0 none.
    pub canary: u32,
}

impl Limits {
    /// Most calls a minute that can be asked for.
    pub const MOST_PER_MINUTE: u32 = 600_000;
    /// Most calls in flight: far more than any server takes, and few enough to count with.
    pub const MOST_CONCURRENCY: u32 = 1000;
    /// Most bills of a run that are watched, and most unknown outcomes in a row.
    pub const MOST_BILLS: u32 = 1_000_000;
    /// The longest of its spans of time.
    pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

    /// Whether a pace is one that can be kept.
    pub fn is_pace(per_minute: Option<u32>, concurrency: Option<u32>) -> bool {
        per_minute.is_none_or(|n| (1..=Self::MOST_PER_MINUTE).contains(&n))
            && concurrency.is_none_or(|n| (1..=Self::MOST_CONCURRENCY).contains(&n))
    }
}

impl Default for Limits {
    /// Cautious ones: 60 a minute, one in flight, settle 130 s (docs/design/reliability.md#settling).
    fn default() -> Self {
        Self {
            per_minute: 60,
            concurrency: 1,
            call_timeout: Duration::from_secs(60),
            settle: Duration::from_secs(130),
            drain: Duration::from_secs(30),
            breaker_unknown: 3,
            breaker_failed_percent: 0,
            breaker_ceiling: false,
            canary: 0,
        }
    }
}
