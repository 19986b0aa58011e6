//! A success that changed nothing: it is read back, the run stops, and what was told as done without effect is unknown.
use std::collections::HashSet;
use std::time::Duration;

use crate::engine_support::world::Late;
use crate::engine_support::*;
use fastrand::Rng;
use skydeck::domain::bill::{Outcome, UnknownWhy};
use skydeck::domain::command::Command;
use skydeck::domain::event::Event;
use skydeck::domain::ids::{Fid, RunId};
use skydeck::domain::plan::Policy;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, Revision, RunEnd, RunRow, RunState};
use skydeck::domain::step::Verb;
use skydeck::domain::time::Clock;

/// Milliseconds of the clock at the beginning of the tests' time.
const BASE: i64 = 1_790_000_000_000;

fn why_it_stopped(row: &RunRow) -> &Reason {
    match &row.state {
        RunState::Paused(PauseWhy::Stopped(why)) | RunState::Closed(RunEnd::Stopped(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// Starts and approves a run.
async fn begin(bench: &mut Bench, plan: &str) -> RunId {
    let run = bench.start_of(plan).await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    run
}

fn is_contradicted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown(unknown) if unknown.why == UnknownWhy::Contradicted)
}

/// Bills told as done at some time that were never done, and when bills were told as contradicted.
fn told(bench: &Bench) -> (HashSet<Fid>, HashSet<Fid>, Vec<i64>) {
    let effects: HashSet<Fid> = bench.world.with(|s| s.effects.iter().map(|e| e.fid.clone()).collect());
    let (mut done, mut unknown, mut at) = (HashSet::new(), HashSet::new(), Vec::new());
    for fact in bench.facts() {
        let Event::BillSettled { fid, outcome, .. } = &fact.event else { continue };
        match outcome {
            Outcome::Done { .. } if !effects.contains(fid) => drop(done.insert(fid.clone())),
            outcome if is_contradicted(outcome) => {
                unknown.insert(fid.clone());
                at.push(fact.at.0 - BASE);
            }
            _ => {}
        }
    }
    (done, unknown, at)
}

/// One run against a server whose successes are hollow from call `k` on.
async fn lies_from(k: u64) {
    let mut rng = Rng::with_seed(k);
    let mut bench = Bench::new();
    let concurrency = rng.u32(1..=4);
    bench.env.limits.concurrency = concurrency;
    bench.env.limits.canary = if rng.bool() { 5 } else { 0 };
    bench.env.limits.per_minute = if rng.bool() { 600 } else { 60_000 };
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=k + 70);
    bench.world.with(|s| s.hollow_from = Some(k as usize));
    let run = begin(&mut bench, "p").await;
    let row = bench.paused(run).await;
    assert!(matches!(why_it_stopped(&row), Reason::SuccessWithoutEffect { .. }), "k = {k}");
    let (done, unknown, at) = told(&bench);
    let most = if k <= 5 { 5 } else { 50 } + concurrency as usize;
    assert!((1..=most).contains(&done.len()), "k = {k}, {concurrency} in flight: {} told done", done.len());
    assert_eq!(done, unknown, "k = {k}");
    assert_eq!((row.tally.audited, row.tally.unknown), (k - 1, done.len() as u64), "k = {k}");
    // From the first read to the second one nothing left, and nothing after it.
    let second = *at.first().unwrap();
    let left = bench.world.with(|s| s.posts.iter().filter(|p| p.at.as_millis() as i64 > second - 5000).count());
    assert_eq!(left, 0, "k = {k}");
    // What is not there after the server's limit either stays unknown; a person decides.
    tokio::time::sleep(Duration::from_secs(400)).await;
    for fid in &done {
        let row = bench.store.bill_of_run(run, fid).unwrap().unwrap();
        assert!(row.state.outcome().is_some_and(is_contradicted), "k = {k}: {:?}", row.state);
    }
    assert_eq!(bench.world.with(|s| s.posts.len()), k as usize - 1 + done.len(), "k = {k}");
    bench.check();
}

#[test]
fn a_server_that_changes_nothing_from_any_call_on_is_found_out() {
    for k in 1..=200 {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap().block_on(lies_from(k));
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_is_read_back_by_what_shows_that_it_is_done() {
    let submits = Policy { submit: true, ..plan("both").policy };
    let both = skydeck::domain::plan::Plan { policy: submits, ..plan("both") };
    for (plan, status) in [(close_plan("close", true), "B"), (submit_plan("submit"), "A"), (both, "A")] {
        let mut bench = Bench::new();
        let name = plan.id.to_string();
        bench.plans.0.lock().unwrap().push(plan);
        bench.env.allow_operations = vec![CLOSE.into()];
        bench.try_start().await.unwrap();
        for n in 1..=20 {
            bench.world.add(n, status);
        }
        bench.world.with(|s| (s.closes_any, s.hollow_from) = (true, Some(1)));
        let run = begin(&mut bench, &name).await;
        let row = bench.paused(run).await;
        assert!(matches!(why_it_stopped(&row), Reason::SuccessWithoutEffect { .. }), "{name}: {:?}", row.state);
        let calls = bench.world.with(|s| s.posts.len()) as u64;
        assert!(calls <= 3, "{name}: {calls}");
        assert_eq!((row.tally.audited, row.tally.unknown), (0, calls), "{name}: {:?}", row.tally);
        // A person goes on once the server does what it says: what is unknown stays with the person.
        bench.world.with(|s| s.hollow_from = None);
        bench.accepted(Command::Resume { run }).await;
        let row = bench.closed(run).await;
        assert_eq!((row.tally.audited, row.tally.unknown), (20 - calls, calls), "{name}: {:?}", row.tally);
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_behind_for_a_moment_stops_nothing() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=9);
    bench.world.with(|s| s.hollow_from = Some(1));
    let run = begin(&mut bench, "p").await;
    while bench.world.posts_of(1) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The effect of the calls that have left shows after two seconds.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let due = bench.world.now() + Duration::from_secs(2);
    bench.world.with(|s| {
        s.hollow_from = None;
        let late: Vec<Late> = s
            .posts
            .iter()
            .map(|p| Late { due, fid: p.fid.clone(), verb: Verb::Audit, version: s.docs[&p.fid].version })
            .collect();
        s.late.extend(late);
    });
    let row = bench.closed(run).await;
    assert_eq!(row.state, RunState::Closed(RunEnd::Completed));
    assert_eq!((row.tally.audited, row.tally.unknown), (9, 0));
    assert_eq!(told(&bench).1.len(), 0);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_comes_within_the_servers_limit_is_told_as_done() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=3);
    bench.world.with(|s| s.hollow_from = Some(1));
    let run = begin(&mut bench, "p").await;
    bench.paused(run).await;
    assert_eq!(bench.word(run, 1), "unknown:contradicted");
    let at = bench.world.server_now();
    bench.world.with(|s| s.apply(&fid(1), &Verb::Audit, at));
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(bench.word(run, 1), "audited:verified");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_contradicted_bill_is_called_again_by_a_persons_retry_and_by_nothing_else() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=3);
    bench.world.with(|s| s.hollow_from = Some(1));
    let run = begin(&mut bench, "p").await;
    bench.paused(run).await;
    bench.accepted(Command::Cancel { run }).await;
    bench.closed(run).await;
    let lied = bench.world.with(|s| s.posts.len());
    let (_, unknown, _) = told(&bench);
    assert_eq!(unknown.len(), lied);
    bench.world.with(|s| s.hollow_from = None);
    tokio::time::sleep(Duration::from_secs(400)).await;
    // A run of the plan calls the others.
    let row = bench.whole_run().await;
    assert_eq!(row.tally.audited as usize, 3 - lied, "{:?}", row.tally);
    assert_eq!(bench.word(row.head.id, 1), "skipped:unknown_elsewhere");
    assert_eq!(bench.world.posts_of(1), 1);
    // A verify run says what it sees.
    let run = bench.accepted(Command::Verify { selection: Bench::all_matching() }).await.unwrap();
    bench.closed(run).await;
    assert_eq!(bench.word(run, 1), "failed:not_applied");
    let retry = Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest };
    let run = bench.accepted(retry).await.unwrap();
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.closed(run).await;
    assert_eq!((bench.word(run, 1).as_str(), bench.world.posts_of(1)), ("audited", 2));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_had_not_read_back_is_read_back_by_the_next() {
    for (wait, resumes) in [(0, false), (3, true)] {
        let mut bench = Bench::new();
        bench.env.limits.concurrency = 1;
        bench.env.limits.per_minute = 60_000;
        bench.try_start().await.unwrap();
        bench.world.submitted(1..=100);
        bench.world.with(|s| s.hollow_from = Some(20));
        let run = begin(&mut bench, "p").await;
        while bench.world.with(|s| s.posts.len()) < 40 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bench.crash().await;
        assert!(bench.run(run).tally.audited >= 38, "told as done, and not read back");
        bench.try_start().await.unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        if resumes {
            bench.accepted(Command::Resume { run }).await;
        }
        tokio::time::sleep(Duration::from_secs(300)).await;
        let row = bench.run(run);
        assert_eq!(row.tally.audited, 19, "{:?}", row.tally);
        assert!(row.tally.unknown >= 19, "{:?}", row.tally);
        bench.check();
    }
}

/// The audit is held against the revision that our submit led to, not against the one that was frozen.
#[tokio::test(start_paused = true)]
async fn what_a_dead_process_submitted_and_had_not_read_back_is_read_back_as_it_was_called() {
    // The next process closes what has nothing left to call by itself; with another bill waiting, a person resumes it.
    for (hollow, bills) in [(true, 1), (true, 2), (false, 2)] {
        let mut bench = Bench::new();
        bench.env.limits.concurrency = 1;
        bench.try_start().await.unwrap();
        bench.plans.0.lock().unwrap()[0].policy.submit = true;
        bench.accepted(Command::ReloadPlans).await;
        (1..=bills).for_each(|n| bench.world.add(n, "A"));
        // The submit takes though it is refused, the audit after it does not.
        let audit = if hollow { Trouble::Hollow } else { Trouble::None };
        let troubles = [Trouble::RefusedAfter(11, "后续服务失败"), audit];
        bench.world.with(|s| {
            s.submit_keeps_date = true;
            s.trouble_of.insert(fid(1), troubles.into());
        });
        let run = begin(&mut bench, "p").await;
        for _ in 0..20_000 {
            if bench.run(run).tally.audited > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(bench.run(run).tally.audited, 1, "{:?}", bench.run(run));
        bench.crash().await;
        bench.try_start().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        if bills > 1 {
            bench.accepted(Command::Resume { run }).await;
        }
        tokio::time::sleep(Duration::from_secs(300)).await;
        let word = if hollow { "unknown:contradicted" } else { "audited" };
        assert_eq!((bench.word(run, 1).as_str(), bench.world.posts_of(1)), (word, 2));
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_who_cancels_is_told_of_the_last_successes_too() {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=100);
    bench.world.with(|s| s.hollow_from = Some(20));
    let run = begin(&mut bench, "p").await;
    while bench.world.with(|s| s.posts.len()) < 40 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bench.accepted(Command::Cancel { run }).await;
    let row = bench.closed(run).await;
    assert_eq!(row.state, RunState::Closed(RunEnd::Cancelled));
    assert_eq!(row.tally.audited, 19, "{:?}", row.tally);
    assert_eq!(row.tally.unknown, row.tally.found - 19 - row.tally.not_reached);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_after_how_many_successes_they_are_read_back() {
    for (every, most) in [(1, 1), (10, 10)] {
        let mut bench = Bench::new();
        bench.env.limits.concurrency = 1;
        bench.policy(|policy| policy.confirm_every = every);
        bench.try_start().await.unwrap();
        bench.world.submitted(1..=100);
        bench.world.with(|s| s.hollow_from = Some(26));
        let run = begin(&mut bench, "p").await;
        bench.paused(run).await;
        let (done, unknown, _) = told(&bench);
        assert!((1..=most).contains(&done.len()), "{every}: {done:?}");
        assert_eq!(done, unknown);
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_undid_since_is_not_held_against_the_server() {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=40);
    let run = begin(&mut bench, "p").await;
    while bench.world.with(|s| s.effects.len()) < 20 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One is un-audited, one is un-audited and submitted again, one is gone.
    let back = |status: &str| skydeck::domain::bill::Status::from(status.to_owned());
    bench.world.change(17, |doc| (doc.status, doc.approver) = (back("D"), None));
    bench.world.change(18, |doc| (doc.status, doc.approver) = (back("B"), None));
    bench.world.change(19, |doc| doc.gone = true);
    let row = bench.closed(run).await;
    assert_eq!(row.state, RunState::Closed(RunEnd::Completed), "{:?}", row.state);
    let words: Vec<String> = [17, 18, 19, 20].map(|n| bench.word(run, n)).into();
    // That the second was ever done nobody can tell any more.
    assert_eq!(words, ["audited", "unknown:changed_since", "audited", "audited"]);
    assert!(bench.clock.now().0 > BASE);
    bench.check();
}

/// A look that does not show the bill neither confirms its success nor speaks against it, the first look or the second.
#[tokio::test(start_paused = true)]
async fn a_success_that_a_look_does_not_show_is_looked_at_again() {
    for (hollow, word) in [(true, "unknown:contradicted"), (false, "audited")] {
        for looks_before in if hollow { 0..2 } else { 0..1 } {
            let mut bench = Bench::new();
            bench.env.limits.concurrency = 1;
            bench.try_start().await.unwrap();
            bench.world.submitted(1..=4);
            bench.world.with(|s| s.hollow_from = hollow.then_some(1));
            let run = begin(&mut bench, "p").await;
            while bench.world.with(|s| s.posts.is_empty()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let called = bench.world.with(|s| s.calls);
            while bench.world.with(|s| s.calls) < called + looks_before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // The read that was just asked is answered first.
            tokio::time::sleep(Duration::from_millis(25 * u64::from(looks_before))).await;
            bench.world.with(|s| s.blind = Some(1));
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert_eq!(bench.world.with(|s| s.blind), None, "a look was blind");
            assert_eq!(bench.word(run, 1), word, "{hollow} {looks_before}");
            assert_eq!(bench.world.with(|s| s.posts.len()), if hollow { 1 } else { 4 }, "{hollow} {looks_before}");
        }
    }
}

/// Closing is judged by a field of its own: that somebody audits the bill before it is read back makes no success of it.
#[tokio::test(start_paused = true)]
async fn a_closing_that_changed_nothing_is_seen_whatever_became_of_the_status() {
    for audited_meanwhile in [false, true] {
        let mut bench = Bench::new();
        bench.env.allow_operations = vec![CLOSE.into()];
        *bench.plans.0.lock().unwrap() = vec![close_plan("close", true)];
        bench.try_start().await.unwrap();
        bench.world.submitted(1..=1);
        bench.world.with(|s| s.hollow_from = Some(1));
        let run = begin(&mut bench, "close").await;
        while bench.world.with(|s| s.posts.is_empty()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if audited_meanwhile {
            bench.world.change(1, |doc| doc.status = "C".to_owned().into());
        }
        let contradicted = async {
            while !told(&bench).1.contains(&fid(1)) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(60), contradicted).await;
        assert!(seen.is_ok(), "audited meanwhile: {audited_meanwhile}, {:?}", bench.run(run).state);
        assert!(is_contradicted(&bench.outcome(run, 1)) && !bench.world.closed(1));
    }
}
