//! Faults of what the program is made of, as ends of a verb.

use crate::exit::{Exit, Stop};
use crate::secret::SecretError;
use crate::store::StoreError;

/// A store that cannot be used, with its exit code.
#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
pub fn store_stop(error: StoreError) -> Stop {
    let exit = match &error {
        StoreError::Directory(_) | StoreError::TooNew { .. } | StoreError::NoVersion { .. } => Exit::Usage,
        StoreError::Damaged(_) | StoreError::Unverified { .. } => Exit::Unsound,
        StoreError::Held { .. }
        | StoreError::Write(_)
        | StoreError::Full(_)
        | StoreError::Read(_)
        | StoreError::Cursor(_)
        | StoreError::Database { .. }
        | StoreError::Taken { .. }
        | StoreError::Fenced(_)
        | StoreError::Contradiction(_) => Exit::Refused,
    };
    Stop::both(exit, error.to_string(), error.zh())
}

/// A secret that cannot be had, as an end of the verb.
#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
pub fn secret_stop(error: SecretError) -> Stop {
    Stop::both(Exit::Usage, error.en(), error.zh())
}
