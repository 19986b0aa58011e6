//! Exit codes, the table of the README.

use crate::domain::run::Tally;

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All settled well.
    Ok,
    /// Some bills failed.
    Failed,
    /// Usage or configuration.
    Usage,
    /// Unknown bills are left.
    Unknown,
    /// Refused: read-only, locked, not confirmed.
    Refused,
    /// The terminal cannot be used.
    Terminal,
    /// Interrupted by the operator.
    Interrupted,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unknown => 3,
            Self::Refused => 4,
            Self::Terminal => 5,
            Self::Interrupted => 130,
        }
    }

    /// The exit of this number; anything else is a refusal.
    pub fn from_code(code: u8) -> Self {
        let all =
            [Self::Ok, Self::Failed, Self::Usage, Self::Unknown, Self::Refused, Self::Terminal, Self::Interrupted];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Refused)
    }

    /// The exit a run's sum line leads to. Unknown outranks failed: it must be looked at first.
    pub fn of(tally: &Tally) -> Self {
        match (tally.unknown, tally.failed) {
            (1.., _) => Self::Unknown,
            (0, 1..) => Self::Failed,
            (0, 0) => Self::Ok,
        }
    }
}

/// An error with the exit code it leads to.
#[derive(Debug)]
pub struct Stop {
    /// Code.
    pub exit: Exit,
    /// What happened and what to do next.
    pub message: String,
}

impl Stop {
    /// A stop with this code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Wrong usage or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl From<crate::link::LinkError> for Stop {
    fn from(error: crate::link::LinkError) -> Self {
        Self::new(Exit::Refused, error.to_string())
    }
}

impl From<std::io::Error> for Stop {
    /// Output could not be written: a closed pipe, a full disk.
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, format!("output could not be written: {error}"))
    }
}
