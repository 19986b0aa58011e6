//! Who may order what: three roles, and what each order asks for.
//!
//! Invariant: the role comes from the user id the kernel tells, never from a name somebody says.

use serde::{Deserialize, Serialize};

use super::command::Command;

/// What a person may do. Each includes the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks: sees everything, orders nothing.
    Viewer,
    /// Works: starts, approves, retries, resolves; in production approves nothing and unlocks nothing.
    Operator,
    /// Answers for production: approves and unlocks there too.
    Approver,
}

impl Role {
    /// As it stands in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The role an order asks for. `production`: it concerns a production environment.
pub fn needed(command: &Command, production: bool) -> Role {
    match command {
        // Whose records these are decides about everything that is still open.
        // Nor is what is accepted in the log asked about again.
        Command::AdoptServer { .. } | Command::AcceptLog { .. } => Role::Approver,
        Command::Approve { .. } | Command::Unlock { .. } if production => Role::Approver,
        Command::Start { .. }
        | Command::Retry { .. }
        | Command::Verify { .. }
        | Command::Approve { .. }
        | Command::Decline { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Cancel { .. }
        | Command::SetPace { .. }
        | Command::Resolve { .. }
        | Command::Reopen { .. }
        | Command::Unlock { .. }
        | Command::Lock { .. }
        | Command::ReloadPlans => Role::Operator,
    }
}

/// Tells a user's role.
pub trait Access: Send + Sync {
    /// `None`: may not even look.
    fn role(&self, uid: u32) -> Option<Role>;
}

impl<F: Fn(u32) -> Option<Role> + Send + Sync> Access for F {
    fn role(&self, uid: u32) -> Option<Role> {
        self(uid)
    }
}
