//! What only a person can cure is not called again unchanged, and what changed is called in the next run. What such runs cost
//! over weeks is measured by `engine_costs`.

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::command::{Command, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::ids::{EnvId, FormId, OpId, PlanId, PlanRev, RecordKey, RunId};
use skydeck::domain::plan::RetryUnchanged;
use skydeck::domain::query::RunColumn;
use skydeck::domain::run::{Revision, RunEnd, RunRow, RunState};

const MISSING: &str = "字段“客户”是必填项";
const CLOSED: &str = "单据所属会计期间已关账";

/// Bills `1..=n` refused once with these words.
async fn refused(n: u64, words: &'static str, code: i64) -> Bench {
    refused_with(Bench::new(), n, words, code).await
}

async fn refused_with(mut bench: Bench, n: u64, words: &'static str, code: i64) -> Bench {
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=n);
    refuse(&bench, n, words, code);
    assert_eq!(bench.whole_run().await.tally.failed, n);
    bench
}

fn refuse(bench: &Bench, n: u64, words: &'static str, code: i64) {
    bench.world.with(|s| (0..n).for_each(|_| s.trouble.push_back(Trouble::Refused(code, words))));
}

fn calls(bench: &Bench) -> usize {
    bench.world.with(|s| s.posts.len())
}

fn unchanged(row: &RunRow) -> u64 {
    row.collected.as_ref().and_then(|c| c.unchanged.as_ref()).map_or(0, |left| left.bills)
}

/// Facts of a run that are about single bills.
fn facts_a_bill(bench: &Bench, run: RunId) -> usize {
    let about_run = |event: &Event| {
        matches!(
            event,
            Event::RunOpened(_)
                | Event::RunCollected { .. }
                | Event::RunClosed { .. }
                | Event::MarkMoved { .. }
                | Event::ActionTaken(_)
        )
    };
    bench.facts().iter().filter(|f| f.event.run() == Some(run) && !about_run(&f.event)).count()
}

async fn hours(n: u64) {
    tokio::time::sleep(Duration::from_secs(n * 3600)).await;
}

#[tokio::test(start_paused = true)]
async fn what_only_a_person_can_cure_is_called_again_when_it_changed_and_not_before() {
    let mut bench = refused(3, MISSING, 11).await;
    let before = calls(&bench);
    for _ in 0..3 {
        hours(30).await;
        let row = bench.whole_run().await;
        assert_eq!((row.state.clone(), unchanged(&row)), (RunState::Closed(RunEnd::Empty), 3));
        assert_eq!((calls(&bench), facts_a_bill(&bench, row.head.id)), (before, 0));
    }
    assert_eq!(bench.store.unresolved(None).unwrap(), 3, "they stay in the ledger");
    bench.world.change(2, |_| {});
    let row = bench.whole_run().await;
    assert_eq!((row.tally.found, row.tally.audited, unchanged(&row)), (1, 1, 2));
    let hash = |row: &RunRow| row.collected.clone().unwrap().unchanged.unwrap().hash;
    let again = bench.whole_run().await;
    assert_eq!(hash(&row), hash(&again), "the hash names the bills");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_retry_a_new_revision_and_named_bills_call_what_is_unchanged() {
    let mut bench = refused(3, MISSING, 11).await;
    let named = StartParams { numbers: vec!["XSCKD1".into()], ..StartParams::default() };
    let run = bench.accepted(Command::Start { plan: PlanId::new("p"), params: named }).await.unwrap();
    assert_eq!(bench.awaiting(run).await.tally.found, 1);
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 1);
    refuse(&bench, 2, MISSING, 11);
    let retry = Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest };
    let run = bench.accepted(retry).await.unwrap();
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.failed, 2);
    bench.plans.0.lock().unwrap()[0].rev = PlanRev::new("fedcba9876543210");
    bench.accepted(Command::ReloadPlans).await;
    let row = bench.whole_run().await;
    assert_eq!((row.tally.audited, unchanged(&row)), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_time_cures_is_called_in_each_run() {
    let bench = Bench::new();
    bench.policy(|policy| policy.max_attempts = 0);
    let mut bench = refused_with(bench, 2, "网控", 13).await;
    let row = bench.whole_run().await;
    assert_eq!((row.tally.audited, unchanged(&row)), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn one_bill_a_day_asks_whether_a_cause_of_the_environment_is_gone_and_the_others_follow() {
    let mut bench = refused(4, CLOSED, 11).await;
    assert_eq!(unchanged(&bench.whole_run().await), 4, "it was asked today");
    hours(24).await;
    refuse(&bench, 1, CLOSED, 11);
    let row = bench.whole_run().await;
    assert_eq!((row.tally.found, row.tally.failed, unchanged(&row)), (1, 1, 3));
    // Said with the set, and with the bill.
    let probes = &row.collected.as_ref().unwrap().probes;
    assert_eq!((probes.len(), probes[0].cause.as_str()), (1, "period"));
    let run = row.head.id;
    let found = bench.facts().into_iter().find_map(|fact| match fact.event {
        Event::BillsFound { run: of, bills } if of == run => bills.into_iter().next(),
        _ => None,
    });
    let found = found.unwrap();
    assert_eq!((&found.no, found.probe.as_ref()), (&probes[0].no, Some(&probes[0].cause)));
    let first = row.head.id;
    assert_eq!(unchanged(&bench.whole_run().await), 4, "one a day");
    hours(24).await;
    let row = bench.whole_run().await;
    assert_eq!((row.tally.found, row.tally.audited, unchanged(&row)), (1, 1, 3));
    let asked =
        |run| bench.store.bills_in(RunColumn { run, slot: skydeck::domain::bill::Slot::Done }, None, 9).unwrap();
    assert!(asked(first).is_empty());
    let row = bench.whole_run().await;
    assert_eq!((row.tally.audited, unchanged(&row)), (3, 0), "the others follow");
}

#[tokio::test(start_paused = true)]
async fn the_plan_says_whether_unchanged_bills_are_asked_about_at_all() {
    for (policy, called) in [(RetryUnchanged::Never, 0), (RetryUnchanged::Probe, 1), (RetryUnchanged::Always, 3)] {
        let bench = Bench::new();
        bench.policy(|p| p.retry_unchanged = policy);
        let mut bench = refused_with(bench, 3, CLOSED, 11).await;
        hours(24).await;
        let row = bench.whole_run().await;
        assert_eq!((row.tally.found, unchanged(&row)), (called, 3 - called), "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_person_resolved_stays_resolved_until_the_bill_changes() {
    let mut bench = refused(2, MISSING, 11).await;
    bench.accepted(Command::Resolve { selection: Bench::all_matching(), reason: "written off".into() }).await;
    let before = calls(&bench);
    let sweep = || StartParams { sweep: true, ..StartParams::default() };
    for params in [sweep(), StartParams { until: Some("2030-01-01".into()), ..StartParams::default() }] {
        let run = bench.accepted(Command::Start { plan: PlanId::new("p"), params }).await.unwrap();
        let row = bench.closed(run).await;
        assert_eq!((row.state.clone(), unchanged(&row)), (RunState::Closed(RunEnd::Empty), 2));
    }
    assert_eq!((calls(&bench), bench.store.unresolved(None).unwrap()), (before, 0));
    bench.world.change(1, |_| {});
    refuse(&bench, 1, MISSING, 11);
    let run = bench.accepted(Command::Start { plan: PlanId::new("p"), params: sweep() }).await.unwrap();
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.closed(run).await;
    assert_eq!((row.tally.found, row.tally.failed, unchanged(&row)), (1, 1, 1));
    assert_eq!(bench.store.unresolved(None).unwrap(), 1, "changed, it is an entry again");
}

fn swept(row: &RunRow) -> bool {
    row.collected.as_ref().is_some_and(|c| c.sweep)
}

/// Who closed a bill before it changed, and why, as its ledger entry tells.
fn closed_before(bench: &Bench, n: u64) -> Option<(skydeck::domain::who::Who, String)> {
    let key = bench.facts().into_iter().find_map(|fact| match fact.event {
        Event::LedgerResolved { key, .. } if key.record.fid == fid(n) => Some(key),
        _ => None,
    })?;
    let entry = bench.store.ledger_entry(&key).unwrap()?;
    entry.row.resolved_before.map(|before| (before.by, before.reason))
}

#[tokio::test(start_paused = true)]
async fn an_unresolved_bill_that_changes_outside_the_querys_window_is_called_in_the_next_ordinary_run() {
    let bench = Bench::new();
    bench.policy(|p| p.overlap = Duration::from_secs(60));
    let mut bench = refused_with(bench, 3, MISSING, 11).await;
    hours(2).await;
    bench.world.add(9, "B");
    assert_eq!(bench.whole_run().await.tally.audited, 1);
    hours(2).await;
    bench.world.change(2, |_| {});
    let row = bench.whole_run().await;
    assert!(!swept(&row), "the query did not reach back to it");
    assert_eq!((row.tally.found, row.tally.audited, row.collected.unwrap().carried), (1, 1, 1));
    bench.check();
}

/// Two bills refused and resolved, hours ago, by a plan that compares this column with the mark.
async fn resolved_long_ago(column: &str) -> Bench {
    let bench = Bench::new();
    bench.policy(|p| p.overlap = Duration::from_secs(60));
    {
        let source = &mut bench.plans.0.lock().unwrap()[0].source;
        source.filter = source.filter.replace("FCreateDate", column);
        source.mark_column = Some(column.to_owned());
    }
    let mut bench = refused_with(bench, 2, MISSING, 11).await;
    bench.accepted(Command::Resolve { selection: Bench::all_matching(), reason: "written off".into() }).await;
    hours(2).await;
    bench.world.add(9, "B");
    bench.whole_run().await;
    hours(2).await;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_resolved_bill_that_changes_is_an_entry_again_which_says_who_closed_it_and_why() {
    let mut bench = resolved_long_ago("FModifyDate").await;
    bench.world.change(1, |_| {});
    refuse(&bench, 1, MISSING, 11);
    let row = bench.whole_run().await;
    assert!(!swept(&row), "the date of its change brought it into the query");
    assert_eq!((row.tally.found, row.tally.failed), (1, 1));
    let (by, why) = closed_before(&bench, 1).expect("an entry that says so");
    assert_eq!((by.uid, why.as_str()), (who("someone").uid, "written off"));
    assert_eq!(closed_before(&bench, 2), None, "unchanged, it is no entry");
    // Refused once more, it still says so; put right, it is no entry; closed anew, the newer reason stands.
    bench.world.change(1, |_| {});
    refuse(&bench, 1, MISSING, 11);
    bench.whole_run().await;
    assert_eq!(closed_before(&bench, 1).unwrap().1, "written off");
    bench.accepted(Command::Resolve { selection: Bench::all_matching(), reason: "sent back".into() }).await;
    bench.world.change(1, |_| {});
    refuse(&bench, 1, MISSING, 11);
    bench.whole_run().await;
    assert_eq!(closed_before(&bench, 1).unwrap().1, "sent back");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_resolved_bill_whose_change_the_query_does_not_see_waits_for_the_next_sweep_and_no_longer() {
    let mut bench = resolved_long_ago("FCreateDate").await;
    bench.world.change(1, |_| {});
    refuse(&bench, 1, MISSING, 11);
    let row = bench.whole_run().await;
    assert!(!swept(&row));
    assert_eq!(row.tally.found, 0, "a person closed it: no run reads it beside its query");
    hours(24).await;
    let row = bench.whole_run().await;
    assert!(swept(&row));
    assert_eq!((row.tally.found, row.tally.failed), (1, 1));
    assert_eq!(closed_before(&bench, 1).unwrap().1, "written off");
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_a_person_puts_back_no_longer_says_that_it_was_closed() {
    let mut bench = resolved_long_ago("FCreateDate").await;
    let keys = bench.facts().into_iter().filter_map(|fact| match fact.event {
        Event::LedgerResolved { key, .. } => Some(key),
        _ => None,
    });
    let keys = keys.collect();
    bench.accepted(Command::Reopen { keys, reason: "not yet".into() }).await;
    assert_eq!(bench.store.unresolved(None).unwrap(), 2);
    assert_eq!(closed_before(&bench, 1), None);
    assert_eq!(unchanged(&bench.whole_run().await), 2, "unchanged, they are left as they are");
    bench.world.change(1, |_| {});
    let row = bench.whole_run().await;
    assert!(!swept(&row));
    assert_eq!((row.tally.found, row.tally.audited), (1, 1), "changed, it is called in the next run");
}

#[tokio::test(start_paused = true)]
async fn when_a_person_retries_one_bill_after_a_period_was_re_opened_the_others_follow_in_the_next_run() {
    let mut bench = refused(4, CLOSED, 11).await;
    assert_eq!(bench.whole_run().await.tally.found, 0, "asked today already");
    let named = StartParams { numbers: vec!["XSCKD3".into()], ..StartParams::default() };
    let run = bench.accepted(Command::Start { plan: PlanId::new("p"), params: named }).await.unwrap();
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 1);
    let row = bench.whole_run().await;
    assert_eq!((row.tally.found, row.tally.audited, unchanged(&row)), (3, 3, 0));
    assert_eq!(bench.store.unresolved(None).unwrap(), 0);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn two_plans_with_one_target_do_not_call_each_others_refused_bills_for_ever() {
    let bench = Bench::new();
    let again = skydeck::domain::plan::Plan { rev: PlanRev::new("a9a1a9a1a9a1a9a1"), ..plan("again") };
    bench.plans.0.lock().unwrap().push(again);
    let mut bench = refused_with(bench, 2, MISSING, 11).await;
    let before = calls(&bench);
    for plan in ["again", "p", "again"] {
        assert_eq!(unchanged(&bench.whole_run_of(plan).await), 2, "{plan}");
    }
    assert_eq!(calls(&bench), before);
}

/// What the last run of the bench told of a bill, and whether the ledger holds it.
fn told(bench: &Bench, row: &RunRow, n: u64) -> (String, bool) {
    let key = RecordKey { env: EnvId::new("test"), form: FormId::new(FORM), fid: fid(n) }.under(&OpId::default());
    (bench.word(row.head.id, n), bench.store.ledger_entry(&key).unwrap().is_some())
}

#[tokio::test(start_paused = true)]
async fn a_bill_that_two_runs_do_not_find_is_told_as_gone() {
    let mut bench = refused(2, MISSING, 11).await;
    bench.world.change(1, |doc| doc.gone = true);
    let first = bench.whole_run().await;
    assert_eq!((first.tally.found, first.tally.skipped, unchanged(&first)), (1, 1, 1));
    assert_eq!(told(&bench, &first, 1), ("skipped:missing".to_owned(), true));
    let second = bench.whole_run().await;
    assert_eq!(told(&bench, &second, 1), ("skipped:gone".to_owned(), false));
    assert_eq!(bench.store.unresolved(None).unwrap(), 1);
    assert_eq!(bench.whole_run().await.state, RunState::Closed(RunEnd::Empty));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_shows_nothing_forgets_no_bill() {
    for by in [1, 2] {
        let mut bench = Bench::started().await;
        bench.world.submitted(1..=4);
        let run = bench.start_plan().await;
        bench.awaiting(run).await;
        bench.world.with(|s| s.blind = Some(by));
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        let row = bench.closed(run).await;
        let hidden = 4 / by;
        assert_eq!((row.tally.skipped, row.tally.audited), (hidden, 4 - hidden), "{by}");
        assert_eq!(bench.store.unresolved(None).unwrap(), hidden);
        let next = bench.whole_run().await;
        assert_eq!((next.tally.audited, next.tally.closes()), (hidden, true), "{by}");
        assert_eq!(bench.store.unresolved(None).unwrap(), 0);
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn reads_that_show_nothing_at_all_do_not_prove_that_a_bill_is_gone() {
    let mut bench = refused(2, MISSING, 11).await;
    // The user may not see them any more.
    for n in [1, 2] {
        bench.world.change(n, |doc| doc.gone = true);
    }
    let first = bench.whole_run().await;
    assert_eq!((first.tally.skipped, unchanged(&first)), (2, 0));
    for _ in 0..3 {
        let row = bench.whole_run().await;
        assert_eq!((row.state.clone(), unchanged(&row)), (RunState::Closed(RunEnd::Empty), 2));
    }
    assert_eq!(bench.store.unresolved(None).unwrap(), 2);
    for n in [1, 2] {
        bench.world.change(n, |doc| doc.gone = false);
    }
    let seen = bench.whole_run().await;
    assert_eq!((seen.tally.audited, bench.store.unresolved(None).unwrap()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_bill_of_the_ledger_that_the_filter_no_longer_finds_is_not_called() {
    let mut bench = refused(3, MISSING, 11).await;
    // Somebody cured them; one went to an organisation that is not the plan's.
    hours(1).await;
    for n in [1, 2] {
        bench.world.change(n, |_| {});
    }
    bench.world.change(1, |doc| doc.elsewhere = true);
    let run = bench.start_plan().await;
    let waiting = bench.awaiting(run).await;
    assert_eq!(waiting.collected.as_ref().unwrap().callable, 1, "the approval is told what would be called");
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.closed(run).await;
    assert_eq!((row.tally.found, row.tally.audited, row.tally.skipped, unchanged(&row)), (2, 1, 1, 1));
    assert_eq!(told(&bench, &row, 1), ("skipped:outside_filter".to_owned(), true));
    assert_eq!(bench.world.posts_of(1), 1, "the call of the first run, and no other");
    // Told once, it costs nothing more.
    let again = bench.whole_run().await;
    assert_eq!((again.state.clone(), unchanged(&again)), (RunState::Closed(RunEnd::Empty), 2));
    // Back where the filter finds it, it is called.
    hours(1).await;
    bench.world.change(1, |doc| doc.elsewhere = false);
    let back = bench.whole_run().await;
    assert_eq!((back.tally.audited, bench.store.unresolved(None).unwrap()), (1, 1));
    bench.check();
}

/// A lost call keeps every plan from the record: what came of it is told, whatever the filter says by then.
#[tokio::test(start_paused = true)]
async fn a_lost_call_on_a_bill_that_the_filter_no_longer_finds_is_told_of_and_not_made_again() {
    for (trouble, word) in [(Trouble::LostBefore, "failed:not_applied"), (Trouble::LostAfter, "audited:verified")] {
        let mut bench = Bench::started().await;
        bench.world.submitted(1..=1);
        bench.world.with(|s| s.trouble.push_back(trouble));
        let run = bench.start_plan().await;
        bench.awaiting(run).await;
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        bench.until(run, "settling", |s| *s == RunState::Settling).await;
        bench.world.with(|s| s.reads_down = true);
        assert_eq!(bench.closed(run).await.tally.unknown, 1);
        bench.world.with(|s| s.reads_down = false);
        bench.world.change(1, |doc| doc.elsewhere = true);
        hours(1).await;
        let next = bench.whole_run().await;
        assert_eq!(bench.word(next.head.id, 1), word);
        assert_eq!(bench.world.posts_of(1), 1);
        // Told once. What is left is that the filter leaves the bill out.
        bench.whole_run().await;
        let last = bench.whole_run().await;
        assert_eq!((last.state.clone(), facts_a_bill(&bench, last.head.id)), (RunState::Closed(RunEnd::Empty), 0));
        assert_eq!(bench.world.posts_of(1), 1);
        bench.check();
    }
}

/// A success that reads contradicted is a person's to decide, also where the filter no longer finds the bill.
#[tokio::test(start_paused = true)]
async fn a_contradicted_success_outside_the_filter_stays_unknown() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=1);
    bench.world.with(|s| s.hollow_from = Some(1));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.paused(run).await;
    bench.accepted(Command::Cancel { run }).await;
    bench.closed(run).await;
    assert_eq!(bench.word(run, 1), "unknown:contradicted");
    bench.world.with(|s| s.hollow_from = None);
    bench.world.change(1, |doc| doc.elsewhere = true);
    hours(1).await;
    let next = bench.whole_run().await;
    assert_eq!(bench.word(next.head.id, 1), "skipped:unknown_elsewhere");
    // Back where the filter finds it, no run calls it by itself.
    bench.world.change(1, |doc| doc.elsewhere = false);
    hours(1).await;
    bench.whole_run().await;
    assert_eq!(bench.world.posts_of(1), 1);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_run_did_not_reach_keeps_the_cause_it_was_refused_for() {
    let mut bench = refused(4, MISSING, 11).await;
    hours(1).await;
    for n in 1..=4 {
        bench.world.change(n, |_| {});
    }
    bench.world.submitted(5..=6);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    bench.world.with(|s| (0..4).for_each(|_| s.trouble.push_back(Trouble::Slow(Duration::from_secs(30)))));
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.accepted(Command::Cancel { run }).await;
    let row = bench.closed(run).await;
    assert!(row.tally.not_reached >= 2, "{:?}", row.tally);
    let mut kept = 0;
    for n in 1..=6 {
        let key = RecordKey { env: EnvId::new("test"), form: FormId::new(FORM), fid: fid(n) }.under(&OpId::default());
        let Some(entry) = bench.store.ledger_entry(&key).unwrap() else { continue };
        let group = entry.row.state.outcome().unwrap().group();
        if n <= 4 {
            kept += 1;
            assert_eq!(group.as_deref(), Some("validation"), "{n}");
        } else {
            assert_eq!(group.as_deref(), Some("not_reached"), "{n}: nothing else is known of it");
        }
    }
    assert!(kept > 0);
    // Not reached is not tried: what changed is called in the next run, also what this one froze as it is now.
    let next = bench.whole_run().await;
    assert_eq!((next.tally.closes(), bench.store.unresolved(None).unwrap()), (true, 0), "{:?}", next.tally);
    bench.check();
}
