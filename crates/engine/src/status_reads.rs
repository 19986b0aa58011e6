//! Reading calls with bounded repeats: what may be asked again, and what stops a run.
//!
//! Invariant: a read changes nothing, so it may be repeated; every repeat is bounded and backs off.

use std::time::Duration;

use crate::ports::{Fault, FaultKind};
use skydeck_core::domain::bill::Failure;
use skydeck_core::domain::cause::{CauseTable, Repeat};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::PauseWhy;

use super::control::back_off;

/// Bills one status read asks for, at most (`Erp::read_bills`).
pub const READ_BATCH: usize = 200;
/// Times a read is tried before its run pauses.
pub const READ_TRIES: u32 = 5;
/// First wait between tries.
pub const READ_BASE: Duration = Duration::from_secs(1);
/// Longest wait between tries.
pub const READ_CAP: Duration = Duration::from_secs(30);

/// Whether a failed read may be asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// Yes, after a while.
    Again,
    /// No: a person must act.
    Stop(PauseWhy),
}

/// What a failed read means for its run.
pub fn on_fault(fault: &Fault, causes: &CauseTable) -> ReadFault {
    let stop = || ReadFault::Stop(PauseWhy::Stopped(reason_of(fault)));
    match &fault.kind {
        FaultKind::NotConnected | FaultKind::NoAnswer | FaultKind::Http(_) | FaultKind::Unreadable => ReadFault::Again,
        FaultKind::TooLarge
        | FaultKind::Redirected
        | FaultKind::Credentials
        | FaultKind::AccountSet
        | FaultKind::SessionLost
        | FaultKind::Config => stop(),
        FaultKind::Refused { cause, .. } => match causes.repeat(cause) {
            Repeat::Delayed | Repeat::VerifyFirst => ReadFault::Again,
            Repeat::AfterFix | Repeat::Singly | Repeat::StopPlan | Repeat::Done => stop(),
        },
    }
}

/// Why a query gave no set.
pub fn why_not_collected(fault: &Fault) -> Reason {
    let said = fault.message.clone();
    match &fault.kind {
        FaultKind::NotConnected | FaultKind::NoAnswer | FaultKind::Http(_) => Reason::Unreachable { said },
        FaultKind::Credentials | FaultKind::AccountSet => Reason::SignInRefused { said },
        FaultKind::Refused { msg_code, cause } => {
            let failure = Failure { cause: cause.clone(), msg_code: *msg_code, field: None, message: said };
            Reason::QueryRefused { failure }
        }
        FaultKind::Unreadable
        | FaultKind::TooLarge
        | FaultKind::Redirected
        | FaultKind::SessionLost
        | FaultKind::Config => Reason::QueryFailed { said },
    }
}

/// Why a run pauses after the last try of a read: a server that answers, and whose answers cannot be used, is reached.
pub fn unread(fault: &Fault) -> Reason {
    match &fault.kind {
        FaultKind::NotConnected | FaultKind::NoAnswer | FaultKind::Http(_) => {
            Reason::Unreachable { said: fault.message.clone() }
        }
        FaultKind::Unreadable
        | FaultKind::TooLarge
        | FaultKind::Redirected
        | FaultKind::Credentials
        | FaultKind::AccountSet
        | FaultKind::SessionLost
        | FaultKind::Refused { .. }
        | FaultKind::Config => reason_of(fault),
    }
}

/// Why a run stops after a read that repeating cannot cure.
fn reason_of(fault: &Fault) -> Reason {
    let said = fault.message.clone();
    match &fault.kind {
        FaultKind::Credentials | FaultKind::AccountSet => Reason::SignInRefused { said },
        FaultKind::NotConnected
        | FaultKind::NoAnswer
        | FaultKind::Http(_)
        | FaultKind::Unreadable
        | FaultKind::TooLarge
        | FaultKind::Redirected
        | FaultKind::SessionLost
        | FaultKind::Refused { .. }
        | FaultKind::Config => Reason::ReadFailed { said },
    }
}

/// How long to wait before try `n` (from 0) after this fault.
pub fn pause_before(fault: &Fault, n: u32) -> Duration {
    let wished = fault.retry_after.unwrap_or_default().min(super::rate_limiter::LONGEST_HOLD);
    back_off(READ_BASE, n, READ_CAP).max(wished)
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::cause::Cause;

    #[test]
    fn only_what_may_pass_is_asked_again() {
        let causes: CauseTable = toml::from_str(skydeck_core::domain::cause::BUILT_IN).unwrap();
        let refused = |cause: &str| FaultKind::Refused { msg_code: None, cause: Cause::new(cause) };
        for (kind, again) in [
            (FaultKind::NotConnected, true),
            (FaultKind::NoAnswer, true),
            (FaultKind::Http(503), true),
            (FaultKind::Unreadable, true),
            (refused("call_limit"), true),
            (refused("database"), true),
            (refused("permission"), false),
            (refused("parameter"), false),
            (FaultKind::TooLarge, false),
            (FaultKind::Redirected, false),
            (FaultKind::Credentials, false),
            (FaultKind::AccountSet, false),
            (FaultKind::SessionLost, false),
            (FaultKind::Config, false),
        ] {
            let fault = Fault { kind, message: "m".into(), retry_after: None, evidence: None };
            assert_eq!(on_fault(&fault, &causes) == ReadFault::Again, again, "{fault:?}");
            let reached = !matches!(fault.kind, FaultKind::NotConnected | FaultKind::NoAnswer | FaultKind::Http(_));
            assert_eq!(matches!(unread(&fault), Reason::Unreachable { .. }), !reached, "{fault:?}");
        }
    }
}
