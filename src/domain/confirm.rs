//! The confirm ladder: what an operator must type grows with the number of bills and the environment.
//!
//! Invariant: the engine checks the same rung the screen shows, whatever door the order came through.

use serde::{Deserialize, Serialize};

/// What must be given to approve a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// The key `y`.
    Yes,
    /// Type the number of bills.
    TypeCount(u64),
    /// Type the environment's name.
    TypeEnvironment(String),
}

/// The rung for a set (reliability.md §8.4). `grave`: flags are waved through, or unknown bills are retried by hand.
pub fn rung(bills: u64, production: bool, environment: &str, grave: bool) -> Rung {
    match (production, bills) {
        (true, 201..) => Rung::TypeEnvironment(environment.to_owned()),
        (true, _) if grave => Rung::TypeEnvironment(environment.to_owned()),
        (true, 21..=200) | (false, 1001..) => Rung::TypeCount(bills),
        (false, _) if grave => Rung::TypeCount(bills),
        _ => Rung::Yes,
    }
}

impl Rung {
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
        assert_eq!(rung(300, false, "test", false), Rung::Yes);
        assert_eq!(rung(1001, false, "test", false), Rung::TypeCount(1001));
        assert_eq!(rung(1, false, "test", true), Rung::TypeCount(1));
        assert_eq!(rung(20, true, "prod", false), Rung::Yes);
        assert_eq!(rung(21, true, "prod", false), Rung::TypeCount(21));
        assert_eq!(rung(201, true, "prod", false), Rung::TypeEnvironment("prod".into()));
        assert!(!Rung::TypeCount(21).satisfied_by(Some("12")));
        assert!(Rung::TypeCount(21).satisfied_by(Some(" 21 ")));
        assert!(!Rung::TypeEnvironment("prod".into()).satisfied_by(None));
    }
}
