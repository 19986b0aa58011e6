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

    /// In Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Viewer => "查看人",
            Self::Operator => "操作员",
            Self::Approver => "批准人",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{Selection, StartParams};
    use crate::domain::ids::{EnvId, PlanId, RunId, SetHash};
    use crate::domain::run::Revision;

    #[test]
    fn every_order_asks_for_its_role_here_and_in_production() {
        let (env, run, none) = (|| EnvId::new("e"), RunId(ulid::Ulid::nil()), || Selection::Bills(Vec::new()));
        let reason = || "r".to_owned();
        let approve = Command::Approve { run, hash: SetHash::new("h"), typed: None, flags: Vec::new(), reason: None };
        let (operator, approver) = (Role::Operator, Role::Approver);
        for (command, usual, production) in [
            (Command::Start { plan: PlanId::new("p"), params: StartParams::default() }, operator, operator),
            (Command::Retry { selection: none(), revision: Revision::Newest }, operator, operator),
            (Command::Verify { selection: none() }, operator, operator),
            (approve, operator, approver),
            (Command::Decline { run }, operator, operator),
            (Command::Pause { run }, operator, operator),
            (Command::Resume { run }, operator, operator),
            (Command::Cancel { run }, operator, operator),
            (Command::SetPace { env: env(), per_minute: Some(1), concurrency: None }, operator, operator),
            (Command::Resolve { selection: none(), reason: reason() }, operator, operator),
            (Command::Reopen { keys: Vec::new(), reason: reason() }, operator, operator),
            (Command::Unlock { env: env(), reason: reason() }, operator, approver),
            (Command::Lock { env: env() }, operator, operator),
            (Command::ReloadPlans, operator, operator),
            (Command::AdoptServer { env: env(), reason: reason() }, approver, approver),
            (Command::AcceptLog { reason: reason() }, approver, approver),
        ] {
            assert_eq!((needed(&command, false), needed(&command, true)), (usual, production), "{command:?}");
        }
    }

    #[test]
    fn a_role_includes_the_one_before_and_is_called_as_it_is_configured() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Approver);
        for (role, name) in [(Role::Viewer, "viewer"), (Role::Operator, "operator"), (Role::Approver, "approver")] {
            assert_eq!((role.name(), role.to_string().as_str()), (name, name));
            assert_eq!(serde_json::to_value(role).unwrap(), name);
        }
        let access = |uid: u32| (uid == 7).then_some(Role::Viewer);
        assert_eq!((Access::role(&access, 7), Access::role(&access, 8)), (Some(Role::Viewer), None));
    }
}
