//! Who gave an order.

use serde::{Deserialize, Serialize};

/// The person or schedule behind an action. `uid` is a fact told by the kernel; the rest are hints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Numeric user id of the process, or of the peer on the socket.
    pub uid: u32,
    /// Login name, or `schedule`.
    pub login: String,
    /// Address of the SSH client, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Login of what the clock starts.
pub const SCHEDULE: &str = "schedule";

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.from {
            Some(from) => write!(f, "{}@{from}", self.login),
            None => f.write_str(&self.login),
        }
    }
}
