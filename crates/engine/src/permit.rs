//! The permission to write: the only place that issues a `WriteToken`.
//!
//! Invariant: no token for an environment that is read-only (and not unlocked now), whose records are on another server,
//! or that shares its server with another one that writes; nor for an operation its owner did not allow.

use std::time::Duration;

use crate::ports::WriteToken;
use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::env::Environment;
use skydeck_core::domain::ids::EnvId;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::step::Verb;

/// How long an unlock of a read-only environment lasts (docs/design/access.md#write-tokens).
pub const UNLOCK: Duration = Duration::from_secs(15 * 60);

/// How an environment stands now.
#[derive(Default)]
pub struct Standing {
    /// Its unlock has not run out.
    pub unlocked: bool,
    /// Why its server is not the one its records are on, where it is not.
    pub strayed: Option<Reason>,
    /// Another environment that writes to the same server and account set.
    pub twin: Option<EnvId>,
}

/// Checks one writing verb.
pub fn allow(env: &Environment, standing: Standing, verb: &Verb) -> Result<WriteToken, Refusal> {
    let id = || env.id.clone();
    if env.always_read_only {
        return Err(Refusal::Denied(Reason::AlwaysReadOnly { env: id() }));
    }
    if let Some(why) = standing.strayed {
        return Err(Refusal::Denied(why));
    }
    if let Some(other) = standing.twin {
        return Err(Refusal::Denied(Reason::SameServer { env: id(), other }));
    }
    if env.read_only && !standing.unlocked {
        return Err(Refusal::Denied(Reason::ReadOnly { env: id() }));
    }
    env.allows(verb).map_err(Refusal::BadPlan)?;
    Ok(WriteToken::issue(env.id.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::env::Limits;
    use skydeck_core::domain::server::Server;

    fn env() -> Environment {
        Environment {
            id: EnvId::new("e"),
            address: String::new(),
            system: skydeck_core::domain::env::System::default(),
            account_set: String::new(),
            user: String::new(),
            production: true,
            read_only: false,
            always_read_only: false,
            second_person: false,
            server_zone: "Asia/Shanghai".into(),
            allow_operations: Vec::new(),
            limits: Limits::default(),
            server: Server::default(),
        }
    }

    #[test]
    fn a_token_needs_a_writable_environment_and_an_allowed_verb() {
        let operation = |name: &str| Verb::Operation(name.to_owned());
        let (none, one, two) = (&[][..], &["Close"][..], &["Close", "Open"][..]);
        for (read_only, unlocked, operations, verb, allowed) in [
            (false, false, one, Verb::Audit, true),
            (false, false, one, Verb::Submit, true),
            (true, false, one, Verb::Audit, false),
            (true, true, one, Verb::Audit, true),
            (false, false, one, operation("Close"), true),
            (false, true, one, operation("UnAudit"), false),
            (true, false, one, operation("Close"), false),
            // Nothing is allowed that nobody wrote down, whatever else was.
            (false, true, none, operation("Close"), false),
            (false, false, none, Verb::Audit, true),
            (false, true, two, operation("Close"), true),
            (false, true, two, operation("Open"), true),
            (false, true, two, operation("UnAudit"), false),
        ] {
            let allow_operations = operations.iter().map(|name| (*name).to_owned()).collect();
            let env = Environment { read_only, allow_operations, ..env() };
            let got = allow(&env, Standing { unlocked, ..Standing::default() }, &verb);
            assert_eq!(got.is_ok(), allowed, "{read_only} {unlocked} {operations:?} {verb:?}");
        }
    }

    #[test]
    fn a_token_needs_the_right_server_which_nobody_else_writes_to() {
        let unknown = Reason::ServerUnknown { env: EnvId::new("e"), is: Server::default() };
        let open = || Standing { unlocked: true, ..Standing::default() };
        let refused = |env: &Environment, standing: Standing| match allow(env, standing, &Verb::Audit) {
            Err(Refusal::Denied(why)) => Some(why),
            Err(other) => panic!("{other:?}"),
            Ok(_) => None,
        };
        assert_eq!(refused(&env(), open()), None);
        assert_eq!(refused(&env(), Standing { strayed: Some(unknown.clone()), ..open() }), Some(unknown));
        let same = Reason::SameServer { env: EnvId::new("e"), other: EnvId::new("f") };
        assert_eq!(refused(&env(), Standing { twin: Some(EnvId::new("f")), ..open() }), Some(same));
        let always = Environment { read_only: true, always_read_only: true, ..env() };
        assert_eq!(refused(&always, open()), Some(Reason::AlwaysReadOnly { env: EnvId::new("e") }));
    }

    #[test]
    fn of_several_hindrances_the_one_is_told_that_nothing_else_cures() {
        assert_eq!(UNLOCK, Duration::from_secs(900));
        let e = || EnvId::new("e");
        let unknown = Reason::ServerUnknown { env: e(), is: Server::default() };
        let close = || Verb::Operation("Close".to_owned());
        let locked = Environment { read_only: true, ..env() };
        let always = Environment { always_read_only: true, ..locked.clone() };
        let told = |env: &Environment, strayed: bool, twin: bool, unlocked: bool, verb: Verb| {
            let strayed = strayed.then(|| unknown.clone());
            allow(env, Standing { unlocked, strayed, twin: twin.then(|| EnvId::new("f")) }, &verb).err()
        };
        let denied = |why| Some(Refusal::Denied(why));
        let same = Reason::SameServer { env: e(), other: EnvId::new("f") };
        assert_eq!(told(&always, true, true, true, close()), denied(Reason::AlwaysReadOnly { env: e() }));
        assert_eq!(told(&locked, true, true, false, close()), denied(unknown.clone()));
        assert_eq!(told(&locked, false, true, false, close()), denied(same));
        assert_eq!(told(&locked, false, false, false, close()), denied(Reason::ReadOnly { env: e() }));
        let not_allowed = Reason::OperationNotAllowed { env: e(), operation: "Close".into() };
        assert_eq!(told(&locked, false, false, true, close()), Some(Refusal::BadPlan(not_allowed)));
        assert_eq!(told(&locked, false, false, true, Verb::Submit), None);
        // A switch that says "always" needs no other beside it.
        let alone = Environment { always_read_only: true, ..env() };
        assert_eq!(told(&alone, false, false, true, Verb::Audit), denied(Reason::AlwaysReadOnly { env: e() }));
    }
}
