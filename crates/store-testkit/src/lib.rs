//! What every store must do, as checks that the tests of any store can run: [`conformance`] with a [`Home`] of one's own.
//!
//! Invariant: a check asks through the trait alone, so that it says nothing of how a store is built; each has a store of its
//! own, without facts.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a check that does not hold panics: that is how a test fails"
)]

mod again;
pub mod answers;
mod append;
mod bills;
pub mod facts;
mod feed;
mod handed_in;
pub mod hours;
mod ledger;
mod pages;
pub mod run_lines;
mod runs;
mod spans;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use skydeck_core::domain::event::Event;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{PlanId, Seq};
use skydeck_core::domain::query::{PageRequest, Scope};
use skydeck_core::domain::time::{Clock, Ts};
use skydeck_store::{AppendError, Store};

use self::facts::{T0, TestClock};

/// Where a store keeps what it was given: a directory, a schema of a database, nothing but memory.
pub trait Home {
    /// Opens the store that lives here, or makes it.
    fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store>;
    /// Whether what was stored is there when it is opened again.
    fn lasts(&self) -> bool;
    /// Throws away all that the store can make anew from its facts; it is not open.
    fn forget_what_is_derived(&self) {}
}

/// A store under test.
pub struct Bench {
    /// How it is called where a check does not hold.
    pub name: &'static str,
    /// The store.
    pub store: Arc<dyn Store>,
    clock: Arc<TestClock>,
    home: Box<dyn Home>,
}

/// What is there when a store is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// All that it left.
    AsItWas,
    /// Its facts: the rest is made anew.
    FromFacts,
}

impl Bench {
    fn new(name: &'static str, home: Box<dyn Home>) -> Self {
        let clock = TestClock::new();
        Self { name, store: home.open(clock.clone()), clock, home }
    }

    /// Ends the store and opens it again; `None` where nothing outlives it.
    fn again(self, how: Again) -> Option<Self> {
        let Self { name, store, clock, home } = self;
        drop(store);
        if !home.lasts() {
            return None;
        }
        if how == Again::FromFacts {
            home.forget_what_is_derived();
        }
        Some(Self { name, store: home.open(clock.clone()), clock, home })
    }

    fn append(&self, events: Vec<Event>) -> Result<Vec<Seq>, AppendError> {
        block(self.store.append(events.into())).map(|a| a.facts.iter().map(|f| f.seq).collect())
    }

    fn ok(&self, events: Vec<Event>) {
        self.append(events).unwrap_or_else(|e| panic!("{}: {e}", self.name));
    }

    fn refuses(&self, what: &str, events: Vec<Event>) {
        let before = block(self.store.last_seq()).unwrap();
        match self.append(events) {
            Err(AppendError::Contradiction(_)) => {}
            other => panic!("{}: {what}: {other:?}", self.name),
        }
        assert_eq!(block(self.store.last_seq()).unwrap(), before, "{}: {what} left something", self.name);
    }

    fn fids(&self, scope: Scope, filter: &str) -> Vec<String> {
        let page = PageRequest::first(1000);
        let got = block(self.store.bills(scope.asked(&Filter::parse(filter).unwrap(), &page, Ts(T0)))).unwrap();
        got.rows.iter().map(|(_, row)| row.fid().to_string()).collect()
    }

    fn groups(&self, plan: Option<&str>) -> Vec<(String, u64)> {
        let plan = plan.map(PlanId::new);
        block(self.store.ledger_groups(plan.as_ref())).unwrap().into_iter().map(|g| (g.group, g.count)).collect()
    }
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
}

/// Waits for an answer of a store, outside of any runtime.
pub fn block<F: Future>(f: F) -> F::Output {
    RUNTIME.with(|runtime| runtime.block_on(f))
}

/// A check: with a store that stays open, or with one that is opened again.
enum Check {
    Open(fn(&Bench)),
    Reopened(fn(Bench)),
}

/// A check under its own name.
macro_rules! promise {
    ($area:ident::$name:ident) => {
        (stringify!($name), Check::Open($area::$name))
    };
    ($area:ident::$name:ident, reopened) => {
        (stringify!($name), Check::Reopened($area::$name))
    };
}

/// What a store promises. The compiler warns of a check that is not in it.
const PROMISES: &[(&str, Check)] = &[
    promise!(handed_in::the_newest_body_of_each_record_is_told_in_the_order_in_which_they_came),
    promise!(handed_in::records_that_were_handed_in_are_there_after_a_start, reopened),
    promise!(append::facts_are_stamped_without_holes_and_read_back_in_order),
    promise!(append::contradictions_are_refused_and_leave_nothing),
    promise!(append::a_batch_is_taken_only_where_nothing_was_added_to_what_is_known_of_its_records),
    promise!(append::the_same_batch_twice_is_stored_once),
    promise!(append::the_same_batch_twice_at_the_same_time_is_stored_once),
    promise!(append::a_condition_sees_what_is_stored_before_it_in_the_same_flush),
    promise!(feed::a_snapshot_is_what_folding_the_facts_up_to_its_place_gives),
    promise!(feed::the_facts_after_a_snapshot_bring_it_to_the_present),
    promise!(feed::a_snapshot_is_of_one_place_while_facts_are_added),
    promise!(runs::the_sum_line_and_the_columns_follow_the_facts),
    promise!(runs::marks_actions_and_runs_are_listed),
    promise!(runs::a_head_that_neither_names_its_operation_nor_has_a_kept_plan_is_marked),
    promise!(runs::runs_that_nobody_saw_come_to_nothing_stand_with_since_when_until_one_goes_through),
    promise!(run_lines::runs_are_listed_by_days_and_empty_ones_in_one_line_whichever_way_pages_go),
    promise!(run_lines::a_filter_that_few_runs_pass_reads_few_however_many_there_are),
    promise!(run_lines::a_filter_by_time_reads_no_run_of_another_and_one_that_is_not_folded_gives_runs_alone),
    promise!(bills::our_own_submit_moves_the_revision_and_nothing_else_does),
    promise!(bills::a_bill_is_found_by_number_and_tells_its_whole_life),
    promise!(bills::a_bill_with_very_many_facts_keeps_them_all),
    promise!(bills::a_call_that_leaves_makes_void_what_was_read_of_the_status_before),
    promise!(ledger::the_ledger_keeps_what_is_unresolved_over_runs),
    promise!(ledger::a_group_is_as_old_as_the_oldest_bill_that_is_still_in_it),
    promise!(ledger::a_run_nobody_approved_leaves_the_ledger_alone_and_a_verify_run_does_not),
    promise!(ledger::a_read_back_lets_a_later_skip_replace_the_unknown),
    promise!(ledger::deaths_are_counted_once_a_call_and_forgotten_when_resolved),
    promise!(ledger::an_unknown_bill_leaves_the_ledger_by_what_says_something_about_it_and_by_nothing_else),
    promise!(ledger::a_closed_entry_comes_back_as_it_was_unless_an_outcome_came_meanwhile),
    promise!(ledger::a_refusal_is_cured_where_the_bill_went_through_as_it_was_refused),
    promise!(pages::pages_go_both_ways_from_any_row),
    promise!(pages::a_scan_without_an_index_is_bounded_and_says_how_far_it_got),
    promise!(pages::the_first_page_tells_how_many_there_are_where_the_sum_lines_know),
    promise!(pages::bills_are_found_by_the_words_of_their_operations),
    promise!(spans::a_filter_by_runs_or_since_when_gives_the_rows_that_pass_it_and_no_others),
    promise!(spans::a_filter_by_runs_or_since_when_walks_over_nothing_else),
    promise!(pages::a_page_is_closed_by_bytes_too_and_a_long_message_of_before_is_cut_when_it_is_read),
    promise!(again::what_was_stored_is_answered_alike_when_the_store_is_opened_again, reopened),
    promise!(hours::hours_are_what_counting_the_facts_gives_also_after_they_were_made_anew, reopened),
    promise!(hours::what_was_refused_or_came_twice_counts_in_no_hour),
    promise!(hours::a_long_append_counts_like_many_short_ones),
    promise!(hours::hours_begin_as_the_clocks_of_the_plans_zone_say),
    promise!(hours::a_span_of_hours_is_answered_and_of_very_many_the_first),
];

/// Promises that are checked beside each other: a check mostly waits for its store.
const WORKERS: usize = 4;

/// Checks all that a store promises, each promise with a new home. Panics with the names of those that do not hold.
pub fn conformance(name: &'static str, home: &(dyn Fn() -> Box<dyn Home> + Sync)) {
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::SeqCst);
            let Some((promise, check)) = PROMISES.get(at) else { return };
            let kept = catch_unwind(AssertUnwindSafe(|| match check {
                Check::Open(check) => check(&Bench::new(name, home())),
                Check::Reopened(check) => check(Bench::new(name, home())),
            }));
            if kept.is_err() {
                broken.lock().unwrap_or_else(PoisonError::into_inner).push((at, *promise));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let mut broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_unstable();
    let broken: Vec<&str> = broken.into_iter().map(|(_, promise)| promise).collect();
    assert!(broken.is_empty(), "{name} breaks {} of {} promises: {}", broken.len(), PROMISES.len(), broken.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_store::memory::MemoryStore;
    use skydeck_store::{Appended, Batch, Embedded, Pace};

    /// A store that takes every batch, whatever its conditions.
    struct Careless(MemoryStore);

    impl Embedded for Careless {
        type Inside = <MemoryStore as Embedded>::Inside;

        fn inside(&self) -> &Arc<Self::Inside> {
            self.0.inside()
        }

        fn pace(&self) -> Option<&Pace> {
            None
        }

        async fn store(&self, batch: Batch) -> Result<Appended, AppendError> {
            self.0.append_now(&Batch { unmoved: Vec::new(), ..batch })
        }
    }

    impl Home for Careless {
        fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
            Arc::new(Self(MemoryStore::new(clock)))
        }

        fn lasts(&self) -> bool {
            false
        }
    }

    #[test]
    fn promises_that_a_store_breaks_are_named_and_no_others() {
        let careless = || -> Box<dyn Home> { Box::new(Careless(MemoryStore::new(TestClock::new()))) };
        let said = catch_unwind(|| conformance("careless", &careless)).unwrap_err();
        let said = said.downcast_ref::<String>().unwrap();
        assert!(said.starts_with("careless breaks 3 of "), "{said}");
        let broken = [
            "a_batch_is_taken_only_where_nothing_was_added_to_what_is_known_of_its_records",
            "a_condition_sees_what_is_stored_before_it_in_the_same_flush",
            "what_was_refused_or_came_twice_counts_in_no_hour",
        ];
        assert!(said.ends_with(&broken.join(", ")), "{said}");
    }
}
