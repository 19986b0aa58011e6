//! The confirm ladder: what an operator must type grows with the number of bills and the environment.
//!
//! Invariant: the engine checks the same level the screen shows, whatever door the order came through.

use serde::{Deserialize, Serialize};

/// What must be given to approve a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmationLevel {
    /// The key `y`.
    Yes,
    /// Type the number of bills.
    TypeCount(u64),
    /// Type the environment's name.
    TypeEnvironment(String),
}

/// The level for a set (docs/design/access.md#approvals). `grave`: flags are waved through, or unknown bills are
/// retried by hand.
pub fn confirmation_level(bills: u64, production: bool, environment: &str, grave: bool) -> ConfirmationLevel {
    match (production, bills) {
        (true, 201..) => ConfirmationLevel::TypeEnvironment(environment.to_owned()),
        (true, _) if grave => ConfirmationLevel::TypeEnvironment(environment.to_owned()),
        (true, 21..=200) | (false, 1001..) => ConfirmationLevel::TypeCount(bills),
        (false, _) if grave => ConfirmationLevel::TypeCount(bills),
        _ => ConfirmationLevel::Yes,
    }
}

/// Why a set in production asks for two persons, where the environment wants that (docs/design/access.md#approvals).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RiskFactors {
    /// Bills a call would be made for.
    pub callable: u64,
    /// Rules are waved through.
    pub flags: bool,
    /// Bills whose last outcome was unknown are tried again.
    pub unknown: bool,
    /// This revision of the plan never wrote here.
    pub first_of_revision: bool,
}

impl RiskFactors {
    /// Calls above which two persons approve.
    pub const MANY: u64 = 1000;

    /// Whether two persons must approve.
    pub fn needs_two(self) -> bool {
        self.callable > 0 && (self.callable > Self::MANY || self.flags || self.unknown || self.first_of_revision)
    }
}

impl ConfirmationLevel {
    /// What satisfies it, as it is typed.
    pub fn answer(&self) -> Option<String> {
        match self {
            Self::Yes => None,
            Self::TypeCount(n) => Some(n.to_string()),
            Self::TypeEnvironment(name) => Some(name.clone()),
        }
    }

    /// Whether what was typed satisfies it.
    pub fn satisfied_by(&self, typed: Option<&str>) -> bool {
        match self {
            Self::Yes => true,
            Self::TypeCount(n) => typed.is_some_and(|t| t.trim() == n.to_string()),
            Self::TypeEnvironment(name) => typed.is_some_and(|t| t.trim() == name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_grows_with_number_and_environment() {
        let environment = || ConfirmationLevel::TypeEnvironment("e".into());
        for (bills, production, grave, expected) in [
            (0, false, false, ConfirmationLevel::Yes),
            (1000, false, false, ConfirmationLevel::Yes),
            (1001, false, false, ConfirmationLevel::TypeCount(1001)),
            (1, false, true, ConfirmationLevel::TypeCount(1)),
            (20, true, false, ConfirmationLevel::Yes),
            (21, true, false, ConfirmationLevel::TypeCount(21)),
            (200, true, false, ConfirmationLevel::TypeCount(200)),
            (201, true, false, environment()),
            (1, true, true, environment()),
            (21, true, true, environment()),
        ] {
            assert_eq!(confirmation_level(bills, production, "e", grave), expected, "{bills} {production} {grave}");
        }
    }

    #[test]
    fn only_what_is_asked_for_satisfies_it() {
        let (yes, count, name) =
            (ConfirmationLevel::Yes, ConfirmationLevel::TypeCount(21), ConfirmationLevel::TypeEnvironment("e".into()));
        for (typed, fits) in [
            (None, [true, false, false]),
            (Some(""), [true, false, false]),
            (Some(" 21 "), [true, true, false]),
            (Some("12"), [true, false, false]),
            (Some(" e "), [true, false, true]),
            (Some("E"), [true, false, false]),
        ] {
            assert_eq!([&yes, &count, &name].map(|level| level.satisfied_by(typed)), fits, "{typed:?}");
        }
        assert_eq!([yes, count, name].map(|level| level.answer()), [None, Some("21".into()), Some("e".into())]);
    }

    #[test]
    fn two_persons_are_asked_for_what_is_grave() {
        let calm = RiskFactors { callable: 1000, ..RiskFactors::default() };
        assert!(!calm.needs_two());
        for grave in [
            RiskFactors { callable: 1001, ..calm },
            RiskFactors { flags: true, ..calm },
            RiskFactors { unknown: true, ..calm },
            RiskFactors { first_of_revision: true, ..calm },
        ] {
            assert!(grave.needs_two(), "{grave:?}");
            assert!(!RiskFactors { callable: 0, ..grave }.needs_two(), "nothing is called: {grave:?}");
        }
    }
}
