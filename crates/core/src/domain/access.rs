//! Who may order what: three roles, and what each order asks for.
//!
//! Invariant: the role comes from the user id the kernel tells, never from a name somebody says.

use serde::{Deserialize, Serialize};

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
