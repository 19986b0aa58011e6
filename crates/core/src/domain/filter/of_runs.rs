//! What a filter asks of a run: the keys that are about runs.
//!
//! Invariant: a key means the same of a run and of a bill of that run.

use super::keys::{Key, begins_with};
use super::runs::{is_kind, stands};
use super::{Filter, Moment, Test, like};
use crate::domain::operation_words;
use crate::domain::run::RunRow;
use crate::domain::time::Ts;

impl Key {
    /// Whether a run answers it, without its bills.
    pub fn is_about_runs(self) -> bool {
        match self {
            Self::Operation | Self::Plan | Self::Run | Self::Who | Self::Env | Self::State | Self::Kind => true,
            Self::Cause
            | Self::Status
            | Self::No
            | Self::Made
            | Self::Fid
            | Self::Org
            | Self::Customer
            | Self::Likely
            | Self::Code => false,
        }
    }

    fn holds_of_run(self, word: &str, row: &RunRow) -> bool {
        let head = &row.head;
        match self {
            // What 0.1.0 called Audit without saying what it was is found by no operation.
            Self::Operation => !row.op_unknown && operation_words::names_of_op(&head.op).any(|name| like(name, word)),
            Self::Plan => like(head.plan.as_str(), word),
            Self::Run => begins_with(&head.id.to_string(), word),
            Self::Who => head.by.names().iter().any(|name| like(name, word)),
            Self::Env => like(head.env.as_str(), word),
            Self::State => stands(&row.state, &row.tally, word),
            Self::Kind => is_kind(head, word),
            Self::Cause
            | Self::Status
            | Self::No
            | Self::Made
            | Self::Fid
            | Self::Org
            | Self::Customer
            | Self::Likely
            | Self::Code => false,
        }
    }
}

impl Test {
    /// Whether a run answers it for its bills, too. Not the operation: a bill has one where the head of its run, of 0.1.0,
    /// names none.
    fn is_told_by_run(&self) -> bool {
        self.is_about_runs() && !matches!(self, Self::Is(Key::Operation, _))
    }

    fn is_about_runs(&self) -> bool {
        match self {
            Self::Is(key, _) => key.is_about_runs(),
            Self::When(of, _) => *of == Moment::Run,
            Self::Column(..) | Self::Age { .. } | Self::Attempts(..) | Self::Message(_) | Self::Text(_) => false,
        }
    }

    fn holds_of_run(&self, row: &RunRow, now: Ts) -> bool {
        match self {
            Self::Is(key, words) => words.iter().any(|word| key.holds_of_run(word, row)),
            Self::When(Moment::Run, spans) => spans.iter().any(|span| span.holds(row.head.opened, now)),
            Self::When(Moment::Bill | Moment::Since, _)
            | Self::Column(..)
            | Self::Age { .. }
            | Self::Attempts(..)
            | Self::Message(_)
            | Self::Text(_) => false,
        }
    }
}

impl Filter {
    /// Whether all it asks is answered by runs: then runs are listed, not bills. An empty one asks nothing of bills, either.
    pub fn asks_runs(&self) -> bool {
        self.terms.iter().all(|term| term.test.is_about_runs())
    }

    /// Whether the state of a bill's run is needed to tell what passes.
    pub fn asks_state(&self) -> bool {
        self.words_of(Key::State).next().is_some()
    }

    /// Whether it asks what many runs have in common (state, kind, who, environment, operation), not only of which plan they
    /// are, when they began and which they are. `plan_is_known`: the plan it names is one of those that there are.
    pub fn asks_sorts(&self, plan_is_known: bool) -> bool {
        self.terms.iter().any(|term| match &term.test {
            Test::Is(Key::Run, _) => false,
            Test::Is(Key::Plan, _) => term.not || !plan_is_known,
            Test::Is(..) => true,
            _ => false,
        })
    }

    /// Whether runs like this one may pass, whenever they began and whichever they are.
    pub fn may_pass_run_like(&self, row: &RunRow, now: Ts) -> bool {
        let of_one = |test: &Test| matches!(test, Test::When(..) | Test::Is(Key::Run, _));
        self.terms.iter().all(|term| of_one(&term.test) || term.test.holds_of_run(row, now) != term.not)
    }

    /// Whether a run passes; one that asks about bills lets none pass.
    pub fn matches_run(&self, row: &RunRow, now: Ts) -> bool {
        self.terms.iter().all(|term| term.test.is_about_runs() && term.test.holds_of_run(row, now) != term.not)
    }

    /// Whether it asks something of a bill's run that is answered without the bill.
    pub fn asks_of_runs(&self) -> bool {
        self.terms.iter().any(|term| term.test.is_told_by_run())
    }

    /// Whether bills of this run may pass, by what is asked of their run.
    pub fn may_pass_bills_of(&self, row: &RunRow, now: Ts) -> bool {
        self.terms.iter().all(|term| !term.test.is_told_by_run() || term.test.holds_of_run(row, now) != term.not)
    }

    /// The moments between which every entry of the ledger that passes came into it, both among them; `None` where it leaves
    /// that open.
    pub fn since_between(&self, now: Ts) -> (Option<Ts>, Option<Ts>) {
        let ages = self.terms.iter().filter_map(|term| match &term.test {
            Test::Age { over, than } => Some((*over != term.not, now.minus(*than))),
            _ => None,
        });
        let (mut from, mut to) = self.between(Moment::Since, now);
        for (is_older, moment) in ages {
            if is_older { to = to.into_iter().chain([moment]).min() } else { from = from.max(Some(moment)) }
        }
        (from, to)
    }

    /// The moments between which every run that passes began; `None` where it leaves that open.
    pub fn runs_between(&self, now: Ts) -> (Option<Ts>, Option<Ts>) {
        self.between(Moment::Run, now)
    }

    fn between(&self, moment: Moment, now: Ts) -> (Option<Ts>, Option<Ts>) {
        let spans = |test: &Test| match test {
            Test::When(of, spans) if *of == moment => spans.clone(),
            _ => Vec::new(),
        };
        let terms = self.terms.iter().filter(|term| !term.not).map(|term| spans(&term.test));
        let (mut from, mut to) = (None, None);
        for spans in terms.filter(|spans| !spans.is_empty()) {
            let begins = spans.iter().map(|span| span.instants(now).0).min().flatten();
            let ends: Option<Vec<Ts>> = spans.iter().map(|span| span.instants(now).1).collect();
            from = from.max(begins);
            to = ends.and_then(|ends| ends.into_iter().max()).into_iter().chain(to).min();
        }
        (from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filter::runs::every_state;
    use crate::domain::filter::values::Stray;
    use crate::domain::ids::{EnvId, FormId, OpId, PlanId, PlanRev, RunId};
    use crate::domain::range::Range;
    use crate::domain::reason::Reason;
    use crate::domain::run::{RunEnd, RunHead, RunKind, RunState, Tally};
    use crate::domain::who::Who;

    fn run(state: RunState, tally: Tally, by: Who) -> RunRow {
        let head = RunHead {
            id: RunId(ulid::Ulid::from_parts(1, 7)),
            kind: RunKind::Fresh,
            plan: PlanId::new("p"),
            name: "P".into(),
            rev: PlanRev("0".repeat(64)),
            env: EnvId::new("demo"),
            production: false,
            form: FormId::new("F"),
            columns: vec![],
            by,
            opened: Ts(1_000),
            of: None,
            filter: String::new(),
            revision: crate::domain::run::Revision::Newest,
            op: OpId::default(),
            server: None,
            range: None,
            headless: false,
            due: None,
            text: None,
        };
        RunRow {
            head,
            state,
            tally,
            collected: None,
            closed: None,
            flags: vec![],
            consent: None,
            pruned: 0,
            op_unknown: false,
            labels: vec![],
        }
    }

    fn passes(row: &RunRow, text: &str) -> bool {
        let filter = Filter::parse(text).unwrap();
        assert!(filter.asks_runs(), "{text}");
        filter.matches_run(row, Ts(5_000))
    }

    #[test]
    fn a_run_is_found_by_plan_state_kind_and_time_in_both_languages() {
        let failed = Tally { found: 3, audited: 1, failed: 1, unknown: 1, ..Tally::default() };
        let done = RunState::Closed(RunEnd::Completed);
        let clock = run(done.clone(), failed, Who::schedule(7));
        for text in [
            "plan:p who:schedule kind:scheduled state:some_failed",
            "方案:P 操作人:定时 运行类型:定时 运行状态:有失败,无单据",
            "state:unknown_left -kind:manual,range,重试 env:demo operation:audit",
            "运行状态:\"unknown left\" run:0000 state:completed",
            "ran:1970-01-01T00:00:01Z..1970-01-01T00:00:02Z -state:empty,已停止",
        ] {
            assert!(passes(&clock, text), "{text}");
        }
        for text in ["kind:manual", "state:complete", "plan:q", "-state:*", "ran:<1970-01-01T00:00:01Z", "类型:重试"]
        {
            assert!(!passes(&clock, text), "{text}");
        }
        let range = Range { field: None, since: None, until: Some("2026-11-01".into()), numbers: 0, remedy: false };
        let mut hand = run(
            RunState::Closed(RunEnd::Stopped(Reason::Legacy { said: "x".into() })),
            Tally::default(),
            Who::of_person(1, "li", None),
        );
        hand.head.range = Some(range);
        assert!(passes(&hand, "kind:range state:stopped") && passes(&hand, "运行类型:范围 运行状态:已自动停止"));
        assert!(!passes(&hand, "kind:normal") && !passes(&hand, "state:cancelled") && passes(&hand, "操作人:li"));
    }

    #[test]
    fn a_filter_that_asks_of_bills_lists_no_runs() {
        for text in ["plan:p no:*", "state:empty cause:stock", "XSCKD1", "客户:K1", "date:2026-11", "age:>1d"] {
            let filter = Filter::parse(text).unwrap();
            assert!(!filter.asks_runs(), "{text}");
            assert!(
                !filter.matches_run(&run(RunState::Collecting, Tally::default(), Who::schedule(1)), Ts(0)),
                "{text}"
            );
        }
        assert!(Filter::default().asks_runs());
    }

    #[test]
    fn the_moments_of_a_filter_are_those_that_all_its_terms_allow() {
        let from = |text: &str| Filter::parse(text).unwrap().runs_between(Ts(0)).0;
        let to = |text: &str| Filter::parse(text).unwrap().runs_between(Ts(0)).1;
        assert_eq!(to("ran:<1970-01-01T00:00:05Z,1970-01-01T00:00:02Z"), Some(Ts(5_000)));
        assert_eq!(to("ran:<1970-01-01T00:00:05Z ran:<1970-01-01T00:00:03Z plan:p"), Some(Ts(3_000)));
        assert_eq!(to("ran:<1970-01-01T00:00:05Z,>=1970-01-01T00:00:09Z"), None);
        assert_eq!((to("-ran:<1970-01-01T00:00:05Z"), to("ran:>=1970-01-01T00:00:05Z")), (None, None));
        assert_eq!(from("ran:>=1970-01-01T00:00:05Z"), Some(Ts(5_000)));
        assert_eq!(from("ran:>=1970-01-01T00:00:05Z ran:1970-01-01T00:00:02Z"), Some(Ts(5_000)));
        assert_eq!(from("ran:>=1970-01-01T00:00:05Z,1970-01-01T00:00:02Z"), Some(Ts(2_000)));
        assert_eq!(from("ran:<1970-01-01T00:00:05Z,>=1970-01-01T00:00:05Z"), None);
        assert_eq!((from("-ran:>=1970-01-01T00:00:05Z"), from("plan:p")), (None, None));
    }

    #[test]
    fn a_word_that_no_run_is_called_has_a_neighbour() {
        let all: Vec<String> = every_state().map(str::to_owned).collect();
        let near = |word: &str| Stray::of(Key::State, word, &all);
        assert_eq!(near("emty").near.as_deref(), Some("empty"));
        assert_eq!(near("有失误").zh(), "没有名为 `有失误` 的运行状态；是不是 `有失败`？");
    }
}
