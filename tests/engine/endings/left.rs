//! What an end leaves behind: bills for the next run, words of what stopped it, nothing of runs that nobody approved.

use std::time::Duration;

use super::{Sender, bench, give, lose, minutes, put_to_work, start, stopped_runs};
use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, StartParams};
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{PlanId, RunId};
use skydeck::domain::query::{Answer, Look, PageRequest, PlanProblem, Query, Scope};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{BillRow, RunEnd, RunState};
use skydeck::domain::time::Clock;
use skydeck::engine::ports::FaultKind;
use skydeck::store::Store as _;
use skydeck::store::actions::Line;

#[tokio::test(start_paused = true)]
async fn an_end_by_itself_is_remembered_until_a_later_run_goes_through_or_a_person_starts_one() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    let first = put_to_work(&mut bench, Sender::Clock).await;
    bench.closed(first).await;
    assert_eq!(stopped_runs(&bench), [first]);
    // A query that fails takes its place; a set that is declined, a verb that begins: none of them mends it.
    bench.world.with(|s| s.read_faults.push_back(FaultKind::TooLarge));
    let failed = start(&mut bench, Sender::Clock).await;
    assert!(matches!(bench.closed(failed).await.state, RunState::Closed(RunEnd::CollectFailed(_))));
    let declined = start(&mut bench, Sender::Verb).await;
    bench.awaiting(declined).await;
    give(&mut bench, Sender::Verb, Command::Decline { run: declined }).await;
    bench.closed(declined).await;
    assert_eq!(stopped_runs(&bench), [failed]);
    bench.crash().await;
    bench.try_start().await.unwrap();
    assert_eq!(stopped_runs(&bench), [failed], "over a restart, too");
    let stands = &bench.store.stopped_runs().unwrap()[0];
    assert_eq!((stands.since, stands.times), (bench.run(first).closed.unwrap(), 2), "since the first of the row");
    let through = put_to_work(&mut bench, Sender::Verb).await;
    assert_eq!(bench.closed(through).await.state, RunState::Closed(RunEnd::Completed));
    assert!(stopped_runs(&bench).is_empty());
    // And by a person at a console, as soon as one starts.
    bench.world.submitted(10..=13);
    lose(&bench, 3);
    let again = put_to_work(&mut bench, Sender::Clock).await;
    bench.closed(again).await;
    assert_eq!(stopped_runs(&bench), [again]);
    start(&mut bench, Sender::Console).await;
    assert!(stopped_runs(&bench).is_empty());
}

/// A refusal that concerns the whole plan stops it after one call; the others were never called.
async fn stopped_by(cause: i64, words: &'static str, sender: Sender) -> (Bench, RunId) {
    let mut bench = bench(0, 5).await;
    bench.world.with(|s| s.trouble.push_back(Trouble::Refused(cause, words)));
    let run = put_to_work(&mut bench, sender).await;
    let row = bench.closed(run).await;
    assert!(matches!(row.state, RunState::Closed(RunEnd::Stopped(Reason::PlanWide { .. }))), "{:?}", row.state);
    assert_eq!((row.tally.failed, row.tally.not_reached), (1, 4));
    (bench, run)
}

#[tokio::test(start_paused = true)]
async fn what_was_not_reached_is_taken_up_by_the_next_run() {
    for sender in [Sender::Verb, Sender::Clock] {
        let (mut bench, stopped) = stopped_by(8, "参数错误", sender).await;
        assert_eq!(stopped_runs(&bench), [stopped]);
        let next = put_to_work(&mut bench, sender).await;
        let row = bench.closed(next).await;
        assert_eq!((row.tally.found, row.tally.audited), (4, 4), "{sender:?}: {row:?}");
        assert!(stopped_runs(&bench).is_empty());
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_missing_permission_kept_from_being_called_waits_for_its_probe_and_is_not_told_as_well() {
    let denied = "没有该功能的操作权限";
    let (mut bench, stopped) = stopped_by(11, denied, Sender::Clock).await;
    let empty = start(&mut bench, Sender::Clock).await;
    assert_eq!(bench.closed(empty).await.state, RunState::Closed(RunEnd::Empty), "asked today");
    assert_eq!(stopped_runs(&bench), [stopped], "it called nothing and shows nothing");
    // The next day one bill asks; then the others follow.
    minutes(24 * 60).await;
    for (found, left) in [(1, 1), (4, 0)] {
        let run = put_to_work(&mut bench, Sender::Clock).await;
        let row = bench.closed(run).await;
        assert_eq!((row.tally.found, row.tally.audited), (found, found), "{row:?}");
        assert!(stopped_runs(&bench).len() <= left);
    }
    // Somebody who starts the plan says that it can be done now.
    let (mut bench, _) = stopped_by(11, denied, Sender::Clock).await;
    let run = put_to_work(&mut bench, Sender::Verb).await;
    assert_eq!(bench.closed(run).await.tally.audited, 4);
    assert!(stopped_runs(&bench).is_empty());
    bench.check();
}

fn rows(bench: &Bench, scope: Scope, filter: &str) -> Vec<BillRow> {
    let filter = Filter::parse(filter).unwrap();
    let page = bench.store.bills(scope.asked(&filter, &PageRequest::first(500), bench.clock.now())).unwrap();
    assert!(page.total.is_none_or(|total| total == page.rows.len() as u64), "{scope:?} {filter}: {:?}", page.total);
    page.rows.into_iter().map(|(_, row)| row).collect()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_the_bills_of_a_run_that_nobody_approved() {
    let mut bench = bench(0, 3).await;
    bench.world.with(|s| s.trouble.push_back(Trouble::Refused(11, "库存不足")));
    let first = put_to_work(&mut bench, Sender::Console).await;
    bench.closed(first).await;
    bench.world.submitted(10..=14);
    let before = (rows(&bench, Scope::History, ""), rows(&bench, Scope::Ledger, ""));
    for end in ["declined", "cancelled", "collect_failed"] {
        if end == "collect_failed" {
            bench.world.with(|s| {
                s.between = Some(Box::new(|s, _| s.read_faults.push_back(FaultKind::TooLarge)));
            });
        }
        let run = start(&mut bench, Sender::Console).await;
        match end {
            "declined" => {
                bench.awaiting(run).await;
                bench.accepted(Command::Decline { run }).await;
            }
            "cancelled" => {
                bench.awaiting(run).await;
                bench.accepted(Command::Cancel { run }).await;
            }
            _ => {}
        }
        let row = bench.closed(run).await;
        let RunState::Closed(how) = &row.state else { panic!() };
        assert_eq!(how.word(), end);
        assert!(row.is_untold() && row.tally.waiting == row.tally.found && row.tally.found > 0, "{row:?}");
        let told = (rows(&bench, Scope::History, ""), rows(&bench, Scope::Ledger, ""));
        assert_eq!(told, before, "{end}: the history and the ledger are as they were");
        assert!(rows(&bench, Scope::History, "status:waiting").is_empty(), "{end}");
        let of_run = rows(&bench, Scope::Run(run), "");
        assert!(of_run.len() as u64 == row.tally.found && of_run.iter().all(|row| row.untold), "{end}: {of_run:?}");
        assert!(rows(&bench, Scope::Run(run), "status:waiting").is_empty(), "{end}: they wait for nothing");
        // The bill that failed before is what it was, and a bill nobody ever did anything about says so.
        let failed = bench.store.bill_of_run(first, &fid(1)).unwrap().unwrap();
        assert_eq!(bench.store.bill(&failed.key).unwrap(), Some(failed.clone()));
        assert_eq!(bench.store.reads().find_number(&failed.no, 9).await.unwrap()[0], failed);
        let never = bench.store.bill_of_run(run, &fid(10)).unwrap().unwrap();
        assert!(bench.store.bill(&never.key).unwrap().unwrap().untold);
        bench.world.with(|s| s.between = None);
    }
    let end = bench.actions.lines().iter().rev().find(|l| l.contains("collect_failed")).cloned().unwrap();
    let line: Line = serde_json::from_str(&end).unwrap();
    assert!(line.deed.result.starts_with("the query failed, nothing was written: "), "{}", line.deed.result);
    assert!(!line.deed.result.contains("waiting") && !line.deed.result.contains("not reached"), "{}", line.deed.result);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_collecting_leaves_nothing_that_could_be_resumed_unapproved() {
    let mut bench = bench(0, 3).await;
    bench.world.with(|s| s.between = Some(Box::new(|_, _| panic!("a poison page"))));
    let run = start(&mut bench, Sender::Console).await;
    let row = bench.closed(run).await;
    assert_eq!(row.state, RunState::Closed(RunEnd::CollectFailed(Reason::TaskDied { said: None })));
    assert_eq!(bench.world.state.lock().map_or_else(|e| e.into_inner().posts.len(), |s| s.posts.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_preview_opens_no_run_and_says_what_a_run_would_find() {
    let mut bench = bench(0, 25).await;
    bench.world.add(30, "A");
    let before = (bench.facts(), bench.actions.lines());
    let query =
        Query::Preview { plan: PlanId::new("p"), sweep: false, text: None, tables: Vec::new(), numbers: Vec::new() };
    let look = |bench: &Bench| {
        let engine = bench.engine.clone().unwrap();
        let query = query.clone();
        async move {
            let Answer::Preview(look) = engine.ask(query).await.unwrap() else { panic!("another answer") };
            look
        }
    };
    let Look::Found(seen) = look(&bench).await else { panic!("nothing found") };
    assert_eq!((seen.found, seen.collected.callable, seen.env.as_str()), (26, 25, "test"));
    assert_eq!((bench.facts(), bench.actions.lines()), before, "no fact, no line in the action log");
    let run = start(&mut bench, Sender::Console).await;
    let row = bench.awaiting(run).await;
    assert_eq!(row.collected.as_ref().unwrap().hash, seen.collected.hash, "the set it would have frozen");
    assert_eq!(row.head.filter, seen.filter);
    let numbers = vec!["XSCKD3".to_owned(), "NO-SUCH".to_owned()];
    let list = Query::Preview { plan: PlanId::new("p"), sweep: false, text: None, tables: Vec::new(), numbers };
    let Answer::Preview(Look::Found(listed)) = bench.engine.clone().unwrap().ask(list).await.unwrap() else {
        panic!("nothing found")
    };
    let told = listed.collected.listed.as_ref().unwrap();
    assert_eq!((listed.found, told.asked, told.unknown), (1, 2, 1), "a list of numbers, and no other");
    // Beside an open run of the plan, too: it is in nobody's way.
    assert!(matches!(look(&bench).await, Look::Found(_)));
    bench.world.with(|s| s.read_faults.push_back(FaultKind::Credentials));
    assert!(matches!(look(&bench).await, Look::Failed(Reason::SignInRefused { .. })));
    let Answer::Preview(look) = bench
        .engine
        .clone()
        .unwrap()
        .ask(Query::Preview {
            plan: PlanId::new("nope"),
            sweep: false,
            text: None,
            tables: Vec::new(),
            numbers: Vec::new(),
        })
        .await
        .unwrap()
    else {
        panic!("another answer")
    };
    assert!(matches!(look, Look::Refused(_)), "{look:?}");
    assert!(bench.world.with(|s| s.posts.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn refusals_and_ends_stand_in_the_action_log_as_words_for_programs_too() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    let run = put_to_work(&mut bench, Sender::Verb).await;
    bench.closed(run).await;
    let refused = give(&mut bench, Sender::Verb, Command::Resume { run }).await;
    assert!(matches!(refused, Receipt::Refused(_)));
    let lines: Vec<Line> = bench.actions.lines().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    let end = lines.iter().find(|l| l.deed.action == "run").unwrap();
    let args = end.deed.args.clone().unwrap();
    assert_eq!(end.deed.code.as_deref(), Some("stopped"));
    assert_eq!((&args["reason"], &args["reason_args"]["n"]), (&"breaker_unknown".into(), &3.into()));
    assert_eq!((&args["sum"]["not_reached"], &args["sum"]["failed"]), (&3.into(), &3.into()));
    assert_eq!(
        end.deed.result,
        "stopped by itself: 3 calls in a row without a usable answer; found 6 = audited 0 + already 0 + skipped 0 + \
         failed 3 + unknown 0 + not reached 3"
    );
    let refusal = &lines.last().unwrap().deed;
    assert_eq!(
        (refusal.code.as_deref(), refusal.args.as_ref().unwrap()["run"].as_str()),
        (Some("closed"), Some(run.to_string().as_str()))
    );
    assert!(refusal.result.contains("is closed"), "{}", refusal.result);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ended_by_itself_is_told_for_a_week_where_its_plan_is_gone_and_for_ever_where_it_is_not() {
    let mut bench = Bench::started().await;
    bench.plans.0.lock().unwrap().push(plan("other"));
    let unread = |bench: &Bench| bench.world.with(|s| s.read_faults.push_back(FaultKind::TooLarge));
    unread(&bench);
    let run = start(&mut bench, Sender::Clock).await;
    bench.closed(run).await;
    let day = Duration::from_secs(24 * 60 * 60);
    let told = async |bench: &Bench| match bench.engine.as_ref().unwrap().ask(Query::Stopped).await.unwrap() {
        Answer::Stopped(runs) => runs.into_iter().map(|run| (run.row.head.id, run.until)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    bench.accepted(Command::ReloadPlans).await;
    tokio::time::sleep(30 * day).await;
    assert_eq!(told(&bench).await, [(run, None)]);
    // The first run of another plan, whose file goes.
    unread(&bench);
    let command = Command::Start { plan: PlanId::new("other"), params: StartParams::default() };
    let Receipt::Accepted { run: Some(other), .. } = give(&mut bench, Sender::Clock, command).await else { panic!() };
    let closed = bench.closed(other).await.closed.unwrap();
    bench.plans.0.lock().unwrap().retain(|plan| plan.id.as_str() == "p");
    bench.accepted(Command::ReloadPlans).await;
    let until = Some(closed.plus(7 * day));
    assert_eq!(told(&bench).await.into_iter().find(|(id, _)| *id == other), Some((other, until)));
    tokio::time::sleep(Duration::from_secs(7 * 24 * 60 * 60 - 60)).await;
    assert!(told(&bench).await.iter().any(|(id, _)| *id == other));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(told(&bench).await, [(run, None)]);
    // A file that is there and cannot be read is not gone, and where none can be read nothing is known.
    *bench.plans.1.lock().unwrap() = vec![PlanProblem::new(PlanId::new("other"), "no JSON".to_owned())];
    bench.accepted(Command::ReloadPlans).await;
    assert_eq!(told(&bench).await.len(), 2);
    bench.plans.0.lock().unwrap().clear();
    bench.plans.1.lock().unwrap().clear();
    bench.accepted(Command::ReloadPlans).await;
    assert_eq!(told(&bench).await.len(), 2);
    assert!(told(&bench).await.iter().all(|(_, until)| until.is_none()));
}
