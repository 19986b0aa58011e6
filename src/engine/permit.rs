//! The permission to write: the only place that issues a `WriteToken`.
//!
//! Invariant: no token for a read-only environment that is not unlocked now, nor for an operation its owner did not allow.

use std::time::Duration;

use crate::domain::command::Refusal;
use crate::domain::env::Environment;
use crate::domain::reason::Reason;
use crate::domain::step::Verb;
use crate::erp::WriteToken;

/// How long an unlock of a read-only environment lasts (reliability.md §8.2).
pub const UNLOCK: Duration = Duration::from_secs(15 * 60);

/// Checks one writing verb. `unlocked`: the environment's unlock has not run out.
pub fn allow(env: &Environment, unlocked: bool, verb: &Verb) -> Result<WriteToken, Refusal> {
    if env.read_only && !unlocked {
        return Err(Refusal::Denied(Reason::ReadOnly { env: env.id.clone() }));
    }
    match verb {
        Verb::Submit | Verb::Audit => Ok(WriteToken::issue(env.id.clone())),
        Verb::Operation(name) if env.allow_operations.iter().any(|allowed| allowed == name) => {
            Ok(WriteToken::issue(env.id.clone()))
        }
        Verb::Operation(name) => {
            Err(Refusal::BadPlan(Reason::OperationNotAllowed { env: env.id.clone(), operation: name.clone() }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::env::Limits;
    use crate::domain::ids::EnvId;

    #[test]
    fn a_token_needs_a_writable_environment_and_an_allowed_verb() {
        let env = |read_only: bool| Environment {
            id: EnvId::new("e"),
            address: String::new(),
            account_set: String::new(),
            user: String::new(),
            production: true,
            read_only,
            second_person: false,
            server_zone: "Asia/Shanghai".into(),
            allow_operations: vec!["Close".into()],
            limits: Limits::default(),
            server: Default::default(),
        };
        let operation = |name: &str| Verb::Operation(name.to_owned());
        for (read_only, unlocked, verb, allowed) in [
            (false, false, Verb::Audit, true),
            (false, false, Verb::Submit, true),
            (true, false, Verb::Audit, false),
            (true, true, Verb::Audit, true),
            (false, false, operation("Close"), true),
            (false, true, operation("UnAudit"), false),
            (true, false, operation("Close"), false),
        ] {
            let got = allow(&env(read_only), unlocked, &verb);
            assert_eq!(got.is_ok(), allowed, "{read_only} {unlocked} {verb:?}");
        }
    }
}
