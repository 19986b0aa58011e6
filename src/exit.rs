//! Exit codes, the table of the README, and the code a run's end leads to.
//!
//! Invariant: one run has one code, whichever door it is asked through; of several the one is given that must be looked at
//! first.

use std::fmt;

use crate::domain::command::Refusal;
use crate::domain::language::Language;
use crate::domain::run::{RunEnd, RunKind, RunRow, RunState, Tally};
use crate::domain::system_words;

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All settled well.
    Ok,
    /// Some bills failed.
    Failed,
    /// Usage, configuration, or a plan that cannot be used.
    Usage,
    /// Unknown bills are left.
    Unknown,
    /// Refused: read-only, locked, not confirmed; a set still waits.
    Refused,
    /// The terminal cannot be used.
    Terminal,
    /// A run stopped by itself, or did not reach all of its bills.
    Stopped,
    /// What was to be written out is lost, or has a gap.
    Output,
    /// Store or log do not verify.
    Unsound,
    /// Interrupted by the operator.
    Interrupted,
}

impl Exit {
    /// All of them, the one first that must be looked at first. Of a run's own: unknown, then stopped, failed, output lost.
    const ALL: [Self; 10] = [
        Self::Interrupted,
        Self::Terminal,
        Self::Unsound,
        Self::Unknown,
        Self::Stopped,
        Self::Refused,
        Self::Usage,
        Self::Failed,
        Self::Output,
        Self::Ok,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unknown => 3,
            Self::Refused => 4,
            Self::Terminal => 5,
            Self::Stopped => 6,
            Self::Output => 7,
            Self::Unsound => 8,
            Self::Interrupted => 130,
        }
    }

    /// The exit of this number; anything else is a refusal.
    pub fn from_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Refused)
    }

    /// The one of two that must be looked at first.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::ALL.into_iter().find(|exit| *exit == self || *exit == other).unwrap_or(self)
    }

    /// The exit a sum line leads to.
    pub fn of(tally: &Tally) -> Self {
        let all = [(tally.unknown, Self::Unknown), (tally.not_reached, Self::Stopped), (tally.failed, Self::Failed)];
        all.into_iter().filter(|(n, _)| *n > 0).fold(Self::Ok, |worst, (_, exit)| worst.or(exit))
    }

    /// The exit a refused order leads to.
    pub fn of_refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NotFound(_) | Refusal::BadPlan(_) => Self::Usage,
            Refusal::Nothing(_) => Self::Ok,
            Refusal::Denied(_)
            | Refusal::SecondPerson(_)
            | Refusal::Busy(_)
            | Refusal::NotConfirmed(_)
            | Refusal::WrongState(_)
            | Refusal::Store(_) => Self::Refused,
        }
    }

    /// The exit a run leads to as it stands; `None` while it is at work.
    pub fn of_run(row: &RunRow) -> Option<Self> {
        // What a verify run did not come to read stays what it was: unknown, or refused and perhaps done all the same.
        let verifies = row.head.kind == RunKind::Verify;
        let unread = if verifies { Self::Unknown } else { Self::Stopped };
        let told = Self::of(&row.tally);
        let told = if row.tally.not_reached > 0 { told.or(unread) } else { told };
        let early = told.or(unread);
        let exit = match &row.state {
            RunState::Collecting | RunState::Working | RunState::Settling => return None,
            RunState::AwaitingApproval => Self::Refused,
            RunState::Paused(_) | RunState::Interrupted => early,
            RunState::Closed(end) => match end {
                RunEnd::Completed => told,
                RunEnd::Empty | RunEnd::Collected => Self::Ok,
                RunEnd::Declined => Self::Refused,
                RunEnd::CollectFailed(why) if why.is_plan_fault() && !verifies => Self::Usage,
                // Nothing was left over where the order came too late.
                RunEnd::Cancelled if row.collected.is_some() && row.tally.waiting == 0 => told,
                RunEnd::CollectFailed(_) | RunEnd::Stopped(_) | RunEnd::Cancelled => early,
            },
        };
        // A sum that does not close tells nothing of the bills that are missing in it.
        Some(if row.tally.closes() { exit } else { Self::Unknown })
    }
}

/// An error with the exit code it leads to.
#[derive(Debug)]
pub struct Stop {
    /// Code.
    pub exit: Exit,
    /// What happened and what to do next.
    pub message: String,
    /// The same in Chinese, where it was made where nobody knew who reads it; [`Stop::spoken`] settles that.
    pub zh: Option<String>,
}

impl Stop {
    /// A stop with this code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), zh: None }
    }

    /// A stop in both languages.
    pub fn both(exit: Exit, en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { zh: Some(zh.into()), ..Self::new(exit, en) }
    }

    /// In the language of whoever reads it.
    #[must_use]
    pub fn spoken(self, lang: Language) -> Self {
        match self.zh {
            Some(zh) if lang == Language::Zh => Self { message: zh, zh: None, ..self },
            _ => Self { zh: None, ..self },
        }
    }

    /// What could not be done, and what the system says of it.
    pub fn system(exit: Exit, en: impl fmt::Display, zh: impl fmt::Display, why: &dyn fmt::Display) -> Self {
        let why = why.to_string();
        let why = system_words::without_made_file(&why);
        Self::both(exit, format!("{en}: {why}"), format!("{zh}：{}", system_words::chinese(why)))
    }

    /// With what to do, in the languages it is said in.
    #[must_use]
    pub fn advising(self, en: &str, zh: &str) -> Self {
        let zh = self.zh.map(|said| format!("{said}；{zh}"));
        Self { message: format!("{}; {en}", self.message), zh, ..self }
    }

    /// The engine answered another question than was asked.
    pub fn odd_answer() -> Self {
        let en = "the engine gave an answer to another question; restart skydeck";
        Self::both(Exit::Usage, en, "引擎返回了意外内容，请重启 skydeck")
    }

    /// Wrong usage or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl From<crate::engine::api::LinkError> for Stop {
    fn from(error: crate::engine::api::LinkError) -> Self {
        let (en, zh) = (error.to_string(), error.zh());
        Self::both(Exit::Refused, en, zh)
    }
}

impl From<std::io::Error> for Stop {
    /// Output could not be written: a closed pipe, a full disk.
    fn from(error: std::io::Error) -> Self {
        Self::both(
            Exit::Output,
            format!("output could not be written: {error}"),
            format!("输出无法写出：{}", system_words::chinese(&error.to_string())),
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::bill::Failure;
    use crate::domain::cause::Cause;
    use crate::domain::ids::{EnvId, FormId, PlanId, PlanRev, RunId, SetHash};
    use crate::domain::reason::Reason;
    use crate::domain::run::{Collected, PauseWhy, Revision, RunHead};
    use crate::domain::time::Ts;
    use crate::domain::who::Who;

    #[test]
    fn every_exit_has_a_number_of_its_own() {
        let codes = Exit::ALL.map(Exit::code);
        let mut sorted = codes;
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]);
        for exit in Exit::ALL {
            assert_eq!(Exit::from_code(exit.code()), exit);
        }
        assert_eq!(Exit::from_code(99), Exit::Refused);
        for (exit, code) in [
            (Exit::Ok, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::Unknown, 3),
            (Exit::Refused, 4),
            (Exit::Terminal, 5),
            (Exit::Stopped, 6),
            (Exit::Output, 7),
            (Exit::Unsound, 8),
            (Exit::Interrupted, 130),
        ] {
            assert_eq!(exit.code(), code);
        }
    }

    #[test]
    fn of_any_two_exits_the_one_stays_that_must_be_looked_at_first() {
        let order = [130, 5, 8, 3, 6, 4, 2, 1, 7, 0].map(Exit::from_code);
        for (i, first) in order.iter().enumerate() {
            for second in order.iter().skip(i) {
                assert_eq!((first.or(*second), second.or(*first)), (*first, *first), "{first:?} {second:?}");
            }
        }
    }

    #[test]
    fn a_stop_is_spoken_in_the_language_of_whoever_reads_it() {
        let both = || Stop::both(Exit::Unsound, "it is damaged", "已损坏");
        for (stop, lang, message) in [
            (both(), Language::En, "it is damaged"),
            (both(), Language::Zh, "已损坏"),
            (Stop::usage("a name"), Language::Zh, "a name"),
            (both().spoken(Language::Zh), Language::En, "已损坏"),
        ] {
            let spoken = stop.spoken(lang);
            assert_eq!((spoken.message.as_str(), spoken.zh), (message, None));
        }
        assert_eq!(both().spoken(Language::Zh).exit, Exit::Unsound);
        let gone = Stop::from(crate::engine::api::LinkError::Gone(crate::engine::api::Gone::Lost));
        assert_eq!((gone.exit, gone.zh.as_deref()), (Exit::Refused, Some("与引擎的连接已断")));
    }

    #[test]
    fn unknown_comes_before_stopped_before_failed_before_lost_output() {
        let order = [Exit::Unknown, Exit::Stopped, Exit::Failed, Exit::Output, Exit::Ok];
        for (i, first) in order.iter().enumerate() {
            for second in order.iter().skip(i) {
                assert_eq!((first.or(*second), second.or(*first)), (*first, *first));
            }
        }
        let tally = |failed, unknown, not_reached| Tally { failed, unknown, not_reached, ..Tally::default() };
        for (sum, exit) in [
            (tally(0, 0, 0), Exit::Ok),
            (tally(1, 0, 0), Exit::Failed),
            (tally(0, 1, 0), Exit::Unknown),
            (tally(0, 0, 1), Exit::Stopped),
            (tally(1, 0, 1), Exit::Stopped),
            (tally(1, 1, 0), Exit::Unknown),
            (tally(1, 1, 1), Exit::Unknown),
        ] {
            assert_eq!(Exit::of(&sum), exit, "{sum:?}");
        }
    }

    pub(crate) fn row(state: RunState, tally: Tally) -> RunRow {
        let head = RunHead {
            id: RunId(ulid::Ulid::nil()),
            kind: RunKind::Fresh,
            plan: PlanId::new("p"),
            name: "p".into(),
            rev: PlanRev::new("r"),
            env: EnvId::new("e"),
            production: false,
            form: FormId::new("f"),
            columns: Vec::new(),
            by: Who::of_person(1, "li", None),
            opened: Ts(0),
            of: None,
            filter: String::new(),
            revision: Revision::Newest,
            op: crate::domain::ids::OpId::default(),
            server: None,
            range: None,
            headless: true,
            due: None,
            text: None,
        };
        let collected = Some(Collected {
            unchanged: None,
            probes: Vec::new(),
            sights: Vec::new(),
            unmade: 0,
            doubles: Vec::new(),
            not_compared: Vec::new(),
            listed: None,
            upto: None,
            will: Vec::new(),
            hash: SetHash::new("ab"),
            by_status: Vec::new(),
            callable: 0,
            pages: 1,
            seen: None,
            sweep: false,
            carried: 0,
            absent: 0,
            absent_first: Vec::new(),
            unknown: 0,
            clock: None,
        });
        let (closed, consent) = (None, None);
        RunRow {
            head,
            state,
            tally,
            collected,
            closed,
            flags: Vec::new(),
            consent,
            pruned: 0,
            op_unknown: false,
            labels: Vec::new(),
        }
    }

    /// A sum that closes: done, failed, unknown, not reached, waiting.
    pub(crate) fn sum(audited: u64, failed: u64, unknown: u64, not_reached: u64, waiting: u64) -> Tally {
        let found = audited + failed + unknown + not_reached + waiting;
        Tally { found, audited, failed, unknown, waiting, not_reached, ..Tally::default() }
    }

    #[test]
    fn every_end_of_a_run_has_its_exit() {
        let why = || Reason::BreakerUnknown { n: 3 };
        let refused = |cause: &str| Reason::QueryRefused {
            failure: Failure { cause: Cause::new(cause), msg_code: None, field: None, message: "m".into() },
        };
        let closed = RunState::Closed;
        let (good, all) = (sum(3, 0, 0, 0, 0), sum(1, 1, 1, 1, 0));
        for (state, tally, exit) in [
            (closed(RunEnd::Completed), good, Some(Exit::Ok)),
            (closed(RunEnd::Completed), sum(2, 1, 0, 0, 0), Some(Exit::Failed)),
            (closed(RunEnd::Completed), sum(1, 1, 1, 0, 0), Some(Exit::Unknown)),
            (closed(RunEnd::Empty), Tally::default(), Some(Exit::Ok)),
            (closed(RunEnd::Collected), sum(0, 0, 0, 0, 3), Some(Exit::Ok)),
            (closed(RunEnd::Declined), sum(0, 0, 0, 0, 3), Some(Exit::Refused)),
            (closed(RunEnd::CollectFailed(Reason::Interrupted {})), sum(0, 0, 0, 0, 3), Some(Exit::Stopped)),
            (closed(RunEnd::CollectFailed(Reason::legacy("x"))), Tally::default(), Some(Exit::Stopped)),
            (closed(RunEnd::CollectFailed(refused("permission"))), Tally::default(), Some(Exit::Stopped)),
            (closed(RunEnd::CollectFailed(refused("parameter"))), Tally::default(), Some(Exit::Usage)),
            (closed(RunEnd::Cancelled), good, Some(Exit::Ok)),
            (closed(RunEnd::Cancelled), sum(1, 1, 0, 0, 0), Some(Exit::Failed)),
            (closed(RunEnd::Cancelled), sum(1, 1, 0, 1, 0), Some(Exit::Stopped)),
            (closed(RunEnd::Cancelled), all, Some(Exit::Unknown)),
            (closed(RunEnd::Cancelled), sum(0, 0, 0, 0, 3), Some(Exit::Stopped)),
            (closed(RunEnd::Stopped(why())), good, Some(Exit::Stopped)),
            (closed(RunEnd::Stopped(why())), sum(1, 1, 0, 0, 0), Some(Exit::Stopped)),
            (closed(RunEnd::Stopped(why())), all, Some(Exit::Unknown)),
            (RunState::Paused(PauseWhy::Operator), sum(1, 0, 0, 0, 2), Some(Exit::Stopped)),
            (RunState::Paused(PauseWhy::Breaker(why())), sum(0, 0, 3, 0, 2), Some(Exit::Unknown)),
            (RunState::Interrupted, sum(1, 0, 0, 0, 2), Some(Exit::Stopped)),
            (RunState::AwaitingApproval, sum(0, 0, 0, 0, 3), Some(Exit::Refused)),
            (RunState::Collecting, Tally::default(), None),
            (RunState::Working, sum(1, 0, 0, 0, 2), None),
            (RunState::Settling, sum(1, 0, 1, 0, 0), None),
        ] {
            assert!(tally.closes());
            assert_eq!(Exit::of_run(&row(state.clone(), tally)), exit, "{state:?} {tally:?}");
        }
        // What a verify run did not read is as unknown as it was.
        for (state, tally, exit) in [
            (closed(RunEnd::CollectFailed(refused("parameter"))), Tally::default(), Exit::Unknown),
            (closed(RunEnd::CollectFailed(why())), Tally::default(), Exit::Unknown),
            (closed(RunEnd::Cancelled), sum(1, 0, 0, 2, 0), Exit::Unknown),
            (closed(RunEnd::Stopped(why())), sum(1, 1, 0, 0, 0), Exit::Unknown),
            (closed(RunEnd::Completed), sum(1, 1, 0, 0, 0), Exit::Failed),
            (closed(RunEnd::Completed), good, Exit::Ok),
        ] {
            let mut verify = row(state.clone(), tally);
            verify.head.kind = RunKind::Verify;
            assert_eq!(Exit::of_run(&verify), Some(exit), "{state:?} {tally:?}");
        }
        let early = RunRow { collected: None, ..row(RunState::Closed(RunEnd::Cancelled), Tally::default()) };
        assert_eq!(Exit::of_run(&early), Some(Exit::Stopped), "stopped before all was read");
        let broken = Tally { found: 4, ..good };
        assert_eq!(Exit::of_run(&row(RunState::Closed(RunEnd::Completed), broken)), Some(Exit::Unknown));
    }

    #[test]
    fn an_error_has_the_exit_of_its_kind() {
        assert_eq!(Stop::usage("m").exit, Exit::Usage);
        assert_eq!(Stop::from(std::io::Error::other("full")).exit, Exit::Output);
    }
}
