//! Faults of what the program is made of, as ends of a verb.

use std::io;

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

/// Refuses a host that gives no random numbers: ids of runs, keys of connections and every table in memory are made with them,
/// and what makes those knows no way out but to end the process.
///
/// # Errors
/// The kernel knows no call for them, and neither `/dev/random` nor `/dev/urandom` is there.
pub fn has_random_numbers() -> Result<(), Stop> {
    getrandom::fill(&mut [0; 1]).map_err(|error| {
        let (en, zh) = (
            "this host gives no random numbers (/dev/random, /dev/urandom)",
            "本机无法提供随机数（/dev/random、/dev/urandom）",
        );
        Stop::system(Exit::Usage, en, zh, &io::Error::from(error)).advising(
            "in a root or container of its own, mount /dev there first; nothing was changed",
            "自建的根目录或容器请先挂载 /dev；未作任何更改",
        )
    })
}

/// A secret that cannot be had, as an end of the verb.
#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
pub fn secret_stop(error: SecretError) -> Stop {
    Stop::both(Exit::Usage, error.en(), error.zh())
}
