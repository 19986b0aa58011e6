//! What an order may do now: while a run closes, reads or rests, by the clock, and on entries of the ledger.
use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::command::{Command, Order, Receipt, Refusal, Selection, StartParams};
use skydeck::domain::event::{ActionEntry, Event};
use skydeck::domain::ids::{CommandId, EnvId, PlanId, RunId, SetHash, WorkKey};
use skydeck::domain::plan::{Approver, Missed, Schedule};
use skydeck::domain::query::PlanProblem;
use skydeck::domain::reason::{LeftOut, Reason};
use skydeck::domain::run::{PauseWhy, RunEnd, RunState};
use skydeck::engine::api::{Notice, Watch};

const SECOND: Duration = Duration::from_secs(1);

fn env() -> EnvId {
    EnvId::new("test")
}

fn start(plan: &str) -> Command {
    Command::Start { plan: PlanId::new(plan), params: StartParams::default() }
}

async fn collected(bench: &mut Bench, plan: &str) -> RunId {
    let run = bench.start_of(plan).await;
    bench.awaiting(run).await;
    run
}

async fn at_work(bench: &mut Bench) -> RunId {
    let run = collected(bench, "p").await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    run
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_closing_takes_no_order() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    for (cancel, which) in (0..8).map(|n| (n % 2 == 0, n / 2)) {
        let run = collected(&mut bench, "p").await;
        let end = if cancel { RunEnd::Cancelled } else { RunEnd::Declined };
        let close = if cancel { Command::Cancel { run } } else { Command::Decline { run } };
        // The end is on its way to the store, which takes its time over it.
        *bench.store.slow.lock().unwrap() = SECOND * 10;
        bench.accepted(close.clone()).await;
        tokio::time::sleep(SECOND).await;
        *bench.store.slow.lock().unwrap() = Duration::ZERO;
        assert_eq!(bench.run(run).state, RunState::AwaitingApproval);
        let order = match which {
            0 => bench.approval(run),
            1 => Command::Decline { run },
            2 => Command::Resume { run },
            _ => Command::Cancel { run },
        };
        assert_eq!(bench.refused(order.clone()).await, Refusal::WrongState(Reason::Closing { run }), "{order:?}");
        assert_eq!(bench.closed(run).await.state, RunState::Closed(end));
        assert_eq!(bench.refused(close).await, Refusal::WrongState(Reason::Closed { run }));
    }
    assert_eq!(bench.world.with(|s| s.posts.len()), 0);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_run_cancelled_while_it_reads_reads_no_further() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=300);
    let run = bench.start_plan().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(bench.run(run).state, RunState::Collecting);
    assert_eq!(bench.refused(Command::Pause { run }).await, Refusal::WrongState(Reason::NotWriting { run }));
    assert_eq!(bench.refused(Command::Decline { run }).await, Refusal::WrongState(Reason::NotAwaiting { run }));
    let approve = Command::Approve { run, hash: SetHash::new(""), typed: None, flags: Vec::new(), reason: None };
    assert_eq!(bench.refused(approve).await, Refusal::WrongState(Reason::NotAwaiting { run }));
    bench.accepted(Command::Cancel { run }).await;
    assert_eq!(bench.closed(run).await.state, RunState::Closed(RunEnd::Cancelled));
    tokio::time::sleep(SECOND * 60).await;
    let pages = bench.world.with(|s| s.pages);
    assert!(pages < 10, "{pages}");
    assert_eq!(bench.run(run).state, RunState::Closed(RunEnd::Cancelled));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_reads_only_is_not_paused() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=1);
    bench.world.with(|s| s.trouble.push_back(Trouble::LostAfter));
    let run = at_work(&mut bench).await;
    while bench.run(run).tally.unknown == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bench.world.with(|s| s.reads_down = true);
    bench.accepted(Command::Cancel { run }).await;
    bench.closed(run).await;
    bench.world.with(|s| s.reads_down = false);
    let verify = bench.accepted(Command::Verify { selection: Bench::all_matching() }).await.unwrap();
    bench.until(verify, "settling", |s| *s == RunState::Settling).await;
    let not_writing = Refusal::WrongState(Reason::NotWriting { run: verify });
    assert_eq!(bench.refused(Command::Pause { run: verify }).await, not_writing);
    assert_eq!(bench.closed(verify).await.tally.audited, 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_bill_that_waits_is_not_called_where_writing_is_locked() {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=2);
    bench.world.with(|s| s.trouble.push_back(Trouble::Slow(SECOND * 5)));
    let run = at_work(&mut bench).await;
    tokio::time::sleep(SECOND).await;
    bench.accepted(Command::Pause { run }).await;
    assert_eq!(bench.paused(run).await.tally.waiting, 1);
    bench.crash().await;
    bench.env.read_only = true;
    bench.try_start().await.unwrap();
    let locked = Refusal::Denied(Reason::ReadOnly { env: env() });
    assert_eq!(bench.refused(Command::Resume { run }).await, locked);
    assert_eq!(bench.world.with(|s| s.posts.len()), 1);
    bench.accepted(Command::Unlock { env: env(), reason: "month end".into() }).await;
    bench.accepted(Command::Resume { run }).await;
    assert_eq!(bench.closed(run).await.tally.audited, 2);
    // A set of which nothing would be called asks for no key.
    bench.crash().await;
    bench.try_start().await.unwrap();
    bench.world.add(3, "Z");
    let run = collected(&mut bench, "p").await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.closed(run).await;
    assert_eq!((row.state, row.tally.skipped), (RunState::Closed(RunEnd::Completed), 1));
    bench.world.submitted(4..=4);
    let run = collected(&mut bench, "p").await;
    let approve = bench.approval(run);
    assert_eq!(bench.refused(approve).await, locked);
}

/// What is unknown is read back, and nothing is called.
#[tokio::test(start_paused = true)]
async fn a_run_of_which_no_bill_waits_is_resumed_where_writing_is_locked() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    bench.world.with(|s| s.trouble.extend([Trouble::LostAfter, Trouble::LostAfter]));
    let run = at_work(&mut bench).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    bench.accepted(Command::Pause { run }).await;
    let row = bench.paused(run).await;
    assert_eq!((row.tally.waiting, row.tally.unknown), (0, 2));
    bench.crash().await;
    bench.env.read_only = true;
    bench.try_start().await.unwrap();
    bench.accepted(Command::Resume { run }).await;
    let row = bench.closed(run).await;
    assert_eq!((row.state, row.tally.audited), (RunState::Closed(RunEnd::Completed), 2));
    assert_eq!(bench.world.with(|s| s.posts.len()), 2);
    bench.check();
}

/// As many orders are remembered over a restart as before it, and the oldest goes first.
#[tokio::test(start_paused = true)]
async fn after_a_restart_the_oldest_order_is_forgotten_first() {
    const REMEMBERED: u128 = 1024;
    let mut bench = Bench::new();
    let order = |n: u128| CommandId(ulid::Ulid::from_parts(7, n));
    let run = |n: u128| RunId(ulid::Ulid::from_parts(8, n));
    let taken: Vec<Event> = (1..=REMEMBERED)
        .map(|n| {
            Event::ActionTaken(Box::new(ActionEntry {
                by: who("li"),
                verb: "start".into(),
                order: Some(order(n)),
                run: Some(run(n)),
                plan: Some(PlanId::new("p")),
                bills: 0,
                reason: None,
                result: "accepted".into(),
                line: None,
                why: None,
            }))
        })
        .collect();
    bench.store.append_inside(taken.into()).await.unwrap();
    bench.try_start().await.unwrap();
    // One more than are remembered.
    bench.accepted(Command::ReloadPlans).await;
    let again = async |n: u128| {
        let order = Order { id: order(n), by: who("li"), session: None, headless: false, command: start("p") };
        match bench.engine.as_ref().unwrap().submit(order).await {
            Receipt::Accepted { run: Some(run), .. } => run,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(again(REMEMBERED).await, run(REMEMBERED), "the newest does nothing twice");
    assert_eq!(again(2).await, run(2), "nor does the second");
    assert_ne!(again(1).await, run(1), "the oldest was forgotten");
}

/// Paused by the breaker after three lost answers.
async fn paused_by_the_breaker(production: bool) -> (Bench, RunId) {
    let mut bench = Bench::new();
    bench.env.production = production;
    (bench.env.limits.concurrency, bench.env.limits.breaker_unknown) = (1, 3);
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=6);
    bench.world.with(|s| s.trouble.extend(std::iter::repeat_n(Trouble::LostBefore, 3)));
    let run = at_work(&mut bench).await;
    let row = bench.paused(run).await;
    assert!(matches!(row.state, RunState::Paused(PauseWhy::Breaker(_))), "{:?}", row.state);
    (bench, run)
}

#[tokio::test(start_paused = true)]
async fn the_breaker_of_production_is_closed_by_a_person() {
    let (mut bench, run) = paused_by_the_breaker(true).await;
    let why = Box::new(Reason::BreakerUnknown { n: 3 });
    let open = Refusal::WrongState(Reason::BreakerOpen { env: env(), why });
    assert_eq!(bench.order_of_clock(Command::Resume { run }).await, Receipt::Refused(open));
    assert_eq!(bench.world.with(|s| s.posts.len()), 3);
    bench.accepted(Command::Resume { run }).await;
    assert_eq!(bench.closed(run).await.tally.audited, 6);
    let (mut bench, run) = paused_by_the_breaker(false).await;
    assert!(matches!(bench.order_of_clock(Command::Resume { run }).await, Receipt::Accepted { .. }));
    assert_eq!(bench.closed(run).await.tally.audited, 6);
}

#[tokio::test(start_paused = true)]
async fn the_clock_starts_in_production_what_is_planned_there_and_approves_nothing() {
    let scheduled = |production| Schedule {
        cron: "0 3 * * *".into(),
        zone: "UTC".into(),
        missed: Missed::Skip,
        approve: Approver::Person,
        production,
    };
    let mut bench = Bench::new();
    bench.env.production = true;
    bench.policy(|policy| policy.schedule = Some(scheduled(false)));
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=1);
    let off = Refusal::BadPlan(Reason::OffInProduction { plan: PlanId::new("p") });
    assert_eq!(bench.order_of_clock(start("p")).await, Receipt::Refused(off.clone()));
    bench.crash().await;
    bench.policy(|policy| policy.schedule = None);
    bench.try_start().await.unwrap();
    assert_eq!(bench.order_of_clock(start("p")).await, Receipt::Refused(off));
    bench.crash().await;
    bench.policy(|policy| policy.schedule = Some(scheduled(true)));
    bench.try_start().await.unwrap();
    let Receipt::Accepted { run: Some(run), .. } = bench.order_of_clock(start("p")).await else { panic!("not taken") };
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    let not_its = Refusal::NotConfirmed(Reason::ScheduleApproves {});
    assert_eq!(bench.order_of_clock(approve.clone()).await, Receipt::Refused(not_its));
    assert_eq!(bench.world.with(|s| s.posts.len()), 0);
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 1);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_order_that_means_nothing_is_refused() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    let run = bench.refused_in("p", &[1]).await.head.id;
    let key = |n: u64| bench.store.bill_of_run(run, &fid(n)).unwrap().unwrap().key;
    let (failed, done) = (key(1), key(2));
    let nothing = |left_out| Refusal::Nothing(Reason::NothingMatches { left_out });
    let reopen = |keys: Vec<WorkKey>| Command::Reopen { keys, reason: "sent back".into() };
    let open = Refusal::Nothing(Reason::NotResolved {});
    assert_eq!(bench.refused(reopen(vec![failed.clone(), done.clone()])).await, open);
    let resolve =
        |key: &WorkKey| Command::Resolve { selection: Selection::Bills(vec![key.clone()]), reason: "x".into() };
    let meanwhile = vec![(LeftOut::ResolvedMeanwhile, 1)];
    assert_eq!(bench.refused(resolve(&done)).await, nothing(meanwhile.clone()));
    assert_eq!(bench.store.unresolved(None).unwrap(), 1);
    bench.accepted(resolve(&failed)).await;
    assert_eq!(bench.store.unresolved(None).unwrap(), 0);
    assert_eq!(bench.refused(resolve(&failed)).await, nothing(meanwhile));
    bench.accepted(reopen(vec![failed, done])).await;
    assert_eq!(bench.store.unresolved(None).unwrap(), 1, "what a person closed, and no other");
}

#[tokio::test(start_paused = true)]
async fn every_entry_of_a_large_selection_is_closed_and_put_back() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=205);
    let bills: Vec<u64> = (1..=205).collect();
    let run = bench.refused_in("p", &bills).await.head.id;
    let keys: Vec<WorkKey> =
        bills.iter().map(|n| bench.store.bill_of_run(run, &fid(*n)).unwrap().unwrap().key).collect();
    bench.accepted(Command::Resolve { selection: Bench::all_matching(), reason: "written off".into() }).await;
    assert_eq!(bench.store.unresolved(None).unwrap(), 0);
    bench.accepted(Command::Reopen { keys, reason: "sent back".into() }).await;
    assert_eq!(bench.store.unresolved(None).unwrap(), 205);
}

#[tokio::test(start_paused = true)]
async fn a_resumed_run_is_watched_bill_by_bill_no_more() {
    let mut bench = Bench::new();
    (bench.env.limits.concurrency, bench.env.limits.canary) = (1, 5);
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=8);
    let refused = || Trouble::Refused(11, "库存不足");
    bench.world.with(|s| s.trouble.extend([refused(), Trouble::None, refused()]));
    let run = at_work(&mut bench).await;
    let row = bench.paused(run).await;
    assert!(matches!(row.state, RunState::Paused(PauseWhy::Canary(_))), "{:?}", row.state);
    bench.world.with(|s| s.trouble.extend([refused(), Trouble::None, refused()]));
    bench.accepted(Command::Resume { run }).await;
    let row = bench.closed(run).await;
    assert_eq!((row.state, row.tally.failed, row.tally.audited), (RunState::Closed(RunEnd::Completed), 4, 4));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_reads_nothing_back_after_its_end() {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=3);
    bench.world.with(|s| s.trouble.extend([Trouble::LostAfter, Trouble::Slow(SECOND * 5)]));
    let run = at_work(&mut bench).await;
    tokio::time::sleep(SECOND).await;
    bench.accepted(Command::Pause { run }).await;
    assert_eq!(bench.paused(run).await.tally.unknown, 1);
    bench.accepted(Command::Cancel { run }).await;
    let row = bench.closed(run).await;
    let calls = bench.world.with(|s| s.calls);
    tokio::time::sleep(SECOND * 600).await;
    assert_eq!((bench.run(run).tally, bench.world.with(|s| s.calls)), (row.tally, calls));
    bench.check();
}

/// Pulses that came since, until a second passes without any notice.
async fn pulses(watch: &mut Watch) -> usize {
    let mut heard = 0;
    while let Ok(Some(notice)) = tokio::time::timeout(SECOND, watch.notices.recv()).await {
        heard += usize::from(matches!(notice, Notice::Pulse(_)));
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn who_watches_sees_at_once_what_an_order_made_of_an_environment() {
    let mut bench = Bench::new();
    bench.env.read_only = true;
    bench.try_start().await.unwrap();
    let mut watch = bench.engine.as_ref().unwrap().watch();
    pulses(&mut watch).await;
    let unlock = || Command::Unlock { env: env(), reason: "month end".into() };
    let pace = Command::SetPace { env: env(), per_minute: Some(1), concurrency: None };
    for order in [pace, unlock(), Command::Lock { env: env() }, unlock()] {
        bench.accepted(order.clone()).await;
        assert_eq!(pulses(&mut watch).await, 1, "{order:?}");
    }
    // It runs out by itself, with nobody ordering anything.
    tokio::time::sleep(SECOND * 60 * 16).await;
    assert_eq!(pulses(&mut watch).await, 1);
}

#[tokio::test(start_paused = true)]
async fn who_watches_hears_that_the_plans_were_read_again() {
    let mut bench = Bench::started().await;
    let mut watch = bench.engine.as_ref().unwrap().watch();
    bench.accepted(Command::ReloadPlans).await;
    let mut heard = false;
    while let Ok(Some(notice)) = tokio::time::timeout(SECOND, watch.notices.recv()).await {
        heard |= matches!(notice, Notice::PlansReloaded);
    }
    assert!(heard);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_be_used_is_refused_in_its_readers_words_and_hides_no_other() {
    let mut bench = Bench::started().await;
    let problem = PlanProblem {
        id: PlanId::new("bad"),
        message: "bad.json:3:7: `FormId` is missing".into(),
        zh: None,
        reason: None,
    };
    let worded = Reason::NoEnvironment { env: EnvId::new("nope") };
    let other =
        PlanProblem { id: PlanId::new("worse"), message: "x".into(), zh: None, reason: Some(Box::new(worded.clone())) };
    *bench.plans.1.lock().unwrap() = vec![problem, other];
    bench.accepted(Command::ReloadPlans).await;
    let said = "bad.json:3:7: `FormId` is missing".to_owned();
    assert_eq!(bench.refused(start("bad")).await, Refusal::BadPlan(Reason::PlanProblem { said, zh: None }));
    assert_eq!(bench.refused(start("worse")).await, Refusal::BadPlan(worded));
    let none = Reason::NoPlan { plan: PlanId::new("none") };
    assert_eq!(bench.refused(start("none")).await, Refusal::NotFound(none));
    bench.start_plan().await;
}

#[tokio::test(start_paused = true)]
async fn moments_in_a_query_are_the_servers_wall_time_and_the_worlds_seconds() {
    let mut bench = Bench::new();
    let filter = "FX>={{CURRENT_TIME}} and FY>='{{CURRENT_TIME|dateTime}}' and FDocumentStatus<>'C'";
    bench.plans.0.lock().unwrap()[0].source.filter = filter.into();
    bench.try_start().await.unwrap();
    let run = bench.start_plan().await;
    // 2026-09-21 14:13:20 in Greenwich is eight hours later in Shanghai.
    let told = "FX>=1790000000 and FY>='2026-09-21 22:13:20' and FDocumentStatus<>'C'";
    assert_eq!(bench.run(run).head.filter, told);
}

#[tokio::test(start_paused = true)]
async fn only_a_sweep_moves_when_all_was_last_looked_at() {
    let mut bench = Bench::started().await;
    let swept = |bench: &Bench| bench.store.mark(&PlanId::new("p"), &env()).unwrap().unwrap().swept;
    bench.world.submitted(1..=1);
    let first = bench.whole_run().await;
    assert_eq!(swept(&bench), Some(first.head.opened), "the first look is at all");
    tokio::time::sleep(SECOND * 60).await;
    bench.world.submitted(2..=2);
    let second = bench.whole_run().await;
    assert_eq!((second.tally.audited, swept(&bench)), (1, Some(first.head.opened)));
    tokio::time::sleep(SECOND * 60).await;
    bench.world.submitted(3..=3);
    let params = StartParams { sweep: true, ..StartParams::default() };
    let run = bench.accepted(Command::Start { plan: PlanId::new("p"), params }).await.unwrap();
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    assert_eq!(swept(&bench), Some(bench.closed(run).await.head.opened));
}
