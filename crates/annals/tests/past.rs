//! A made-up past, looked at through the store that holds it.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use skydeck_annals::{Wish, plans, write};
use skydeck_core::domain::bill::Status;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{EnvId, PlanId, Seq};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{PageRequest, Scope};
use skydeck_core::domain::run::{RunKind, RunRow, RunState};
use skydeck_core::domain::server::Server;
use skydeck_core::domain::time::{Clock, Ts};
use skydeck_core::domain::who::Origin;
use skydeck_store::Reads as _;
use skydeck_store::account;
use skydeck_store::local::LocalStore;

struct Real(Instant);

impl Clock for Real {
    fn now(&self) -> Ts {
        Ts(1_795_600_000_000)
    }
    fn mono(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A directory that is to be made.
fn room() -> (tempfile::TempDir, std::path::PathBuf) {
    let room = tempfile::tempdir().unwrap();
    let dir = room.path().join("data");
    (room, dir)
}

fn real() -> Arc<dyn Clock> {
    Arc::new(Real(Instant::now()))
}

/// 2026-11-26 16:40 of the office, a Thursday.
const NOW: Ts = Ts(1_795_682_400_000);

fn wish(days: u32, plans: usize, silent: usize) -> Wish {
    let mut all: Vec<Plan> = plans::demo(plans)
        .into_iter()
        .map(|(id, text)| skydeck_plan::read(PlanId::new(id), &text).unwrap().plan)
        .collect();
    // One that people start.
    all[0].policy.schedule = None;
    let named = |no: &str| vec![(no.to_owned(), "宁波恒远".to_owned())];
    Wish {
        seed: 7,
        days,
        now: NOW,
        plans: all,
        bills: None,
        silent,
        quiet: 0,
        stuck: false,
        env: EnvId::new("demo"),
        production: false,
        server: Server::default(),
        owner: 0,
        customers: named("CUST0001"),
        suppliers: named("VEN00001"),
        users: named("lina"),
        keeps: false,
    }
}

async fn runs(store: &LocalStore) -> Vec<RunRow> {
    let (mut all, mut page) = (Vec::new(), PageRequest::first(500));
    loop {
        let answer = store.runs(None, &page).await.unwrap();
        let last = answer.rows.last().map(|(cursor, _)| cursor.clone());
        all.extend(answer.rows.into_iter().map(|(_, row)| row));
        if !answer.more {
            return all;
        }
        page.cursor = last;
    }
}

#[tokio::test]
async fn a_past_agrees_with_itself_in_journal_index_and_action_log() {
    let (_room, dir) = room();
    let written = write(&dir, &wish(60, 6, 2), real(), |_| {}).await.unwrap();
    let store = LocalStore::open(&dir, real(), "test", &|_| {}).unwrap();
    let (told, log, found) = account::of_store(&dir.join(skydeck_store::actions::FILE), &store, None).await.unwrap();
    assert_eq!((found.faults, told.silent, log.unfinished.len(), log.back.len()), (vec![], 0, 0, 0));
    assert!(log.rows.len() > 500 && found.loose.is_empty(), "{} lines", log.rows.len());
    let facts = store.facts(Seq(0), usize::MAX).unwrap();
    assert!(facts.is_sorted_by_key(|fact| fact.at), "time never goes back");
    assert!(facts.last().unwrap().at <= NOW);
    let runs = runs(&store).await;
    assert_eq!(runs.len() as u64, written.runs);
    for run in &runs {
        assert!(run.tally.closes() && run.state.is_closed(), "{run:?}");
        assert!(run.tally.waiting == 0 || run.is_untold(), "{run:?}");
    }
    assert_eq!(store.unresolved(None).await.unwrap(), written.unresolved);
    assert!(written.unresolved > 20, "{written:?}");
}

#[tokio::test]
async fn equal_wishes_give_equal_facts_and_another_seed_gives_others() {
    let facts = async |seed: u64| {
        let (_room, dir) = room();
        write(&dir, &Wish { seed, ..wish(12, 3, 0) }, real(), |_| {}).await.unwrap();
        LocalStore::open(&dir, real(), "test", &|_| {}).unwrap().facts(Seq(0), usize::MAX).unwrap()
    };
    let first = facts(1).await;
    assert!(first.len() > 300, "{}", first.len());
    assert!(first == facts(1).await, "a seed gives its facts again");
    assert!(first != facts(2).await);
}

#[tokio::test]
async fn every_kind_of_day_is_in_a_year_of_some_plans() {
    let (_room, dir) = room();
    write(&dir, &wish(150, 3, 1), real(), |_| {}).await.unwrap();
    let store = LocalStore::open(&dir, real(), "test", &|_| {}).unwrap();
    let runs = runs(&store).await;
    let ends: BTreeSet<&str> = runs
        .iter()
        .filter_map(|run| match &run.state {
            RunState::Closed(end) => Some(end.word()),
            _ => None,
        })
        .collect();
    let all = ["cancelled", "collect_failed", "completed", "declined", "empty", "stopped"];
    assert_eq!(ends.into_iter().collect::<Vec<_>>(), all);
    for kind in [RunKind::Fresh, RunKind::Retry, RunKind::Verify] {
        assert!(runs.iter().any(|run| run.head.kind == kind), "{kind:?}");
    }
    for origin in [Origin::Person, Origin::Schedule] {
        assert!(runs.iter().any(|run| run.head.by.origin() == origin), "{origin:?}");
    }
    assert!(runs.iter().any(|run| run.head.range.is_some()) && runs.iter().any(RunRow::is_whole));
    let facts = store.facts(Seq(0), usize::MAX).unwrap();
    let mut kinds = BTreeMap::new();
    for fact in &facts {
        let name = format!("{:?}", fact.event);
        *kinds.entry(name.split(['(', ' ', '{']).next().unwrap().to_owned()).or_insert(0) += 1;
    }
    for kind in
        ["LedgerResolved", "RunInterrupted", "RunResumed", "RunPaused", "RunSettling", "BillDeferred", "BillRead"]
    {
        assert!(kinds.contains_key(kind), "{kind}: {kinds:?}");
    }
    // A bill that fails for stock fails again, until it is cured.
    let filter = skydeck_core::domain::filter::Filter { terms: Vec::new() };
    let open = store.bills(Scope::Ledger.asked(&filter, &PageRequest::first(500), NOW)).await.unwrap();
    let mut again = false;
    for (_, row) in &open.rows {
        let tries = store.facts_of(&row.key, 200).await.unwrap().0;
        again |= tries.iter().filter(|fact| matches!(fact.event, Event::StepTried { .. })).count() > 1;
    }
    assert!(again, "nothing open was tried twice");
}

#[tokio::test]
async fn plans_that_are_silent_do_not_run_any_more_and_the_others_do() {
    let (_room, dir) = room();
    let wish = wish(30, 9, 3);
    write(&dir, &wish, real(), |_| {}).await.unwrap();
    let store = LocalStore::open(&dir, real(), "test", &|_| {}).unwrap();
    let mut newest: BTreeMap<PlanId, Ts> = BTreeMap::new();
    for run in runs(&store).await.into_iter().filter(|run| run.head.by.is_schedule()) {
        let at = newest.entry(run.head.plan.clone()).or_default();
        *at = (*at).max(run.head.opened);
    }
    let missed = wish.plans.iter().filter_map(|plan| {
        let schedule = plan.policy.schedule.as_ref()?;
        let last = DateTime::from_timestamp_millis(newest.get(&plan.id)?.0)?;
        let next = skydeck_plan::schedule::next(schedule, last).ok()??;
        (next.timestamp_millis() < NOW.0 - 86_400_000).then_some(plan.id.clone())
    });
    assert_eq!(missed.count(), 3);
}

#[tokio::test]
async fn a_plan_that_is_quiet_runs_as_ever_and_finds_nothing_in_its_last_two_days() {
    let (_room, dir) = room();
    write(&dir, &Wish { quiet: 1, ..wish(30, 9, 1) }, real(), |_| {}).await.unwrap();
    let store = LocalStore::open(&dir, real(), "test", &|_| {}).unwrap();
    let since = NOW.0 - 2 * 86_400_000 + 3_600_000;
    let mut found: BTreeMap<PlanId, (u64, u64)> = BTreeMap::new();
    for run in runs(&store).await.into_iter().filter(|run| run.head.by.is_schedule() && run.head.opened.0 > since) {
        let (runs, fresh) = found.entry(run.head.plan.clone()).or_default();
        *runs += 1;
        *fresh += run.tally.found - run.collected.map_or(0, |collected| collected.carried);
    }
    let quiet: Vec<_> = found.iter().filter(|(_, (runs, fresh))| *runs > 3 && *fresh == 0).collect();
    assert_eq!(quiet.len(), 1, "{found:?}");
}

#[tokio::test]
async fn as_many_bills_come_as_are_wished_and_a_directory_with_work_in_it_is_left_alone() {
    let (_room, dir) = room();
    let wish = Wish { bills: Some(5_000), ..wish(40, 4, 0) };
    let written = write(&dir, &wish, real(), |_| {}).await.unwrap();
    assert!((4_200..5_800).contains(&written.bills), "{written:?}");
    let before = LocalStore::open(&dir, real(), "test", &|_| {}).unwrap().last();
    assert!(write(&dir, &wish, real(), |_| {}).await.is_err());
    assert_eq!(LocalStore::open(&dir, real(), "test", &|_| {}).unwrap().last(), before);
}

#[tokio::test]
async fn the_bills_are_told_as_the_ledger_has_them_where_they_are_wanted() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("data");
    let written = write(&dir, &Wish { keeps: true, ..wish(20, 4, 0) }, real(), |_| {}).await.unwrap();
    assert_eq!(written.entered.len() as u64, written.bills);
    let store = LocalStore::open(&dir, real(), "test", &|_| {}).unwrap();
    let mut open = 0;
    for bill in &written.entered {
        assert!(!bill.org.is_empty() && !bill.partner.is_empty() && bill.created <= NOW, "{bill:?}");
        let found = store.find_number(&bill.no, 1).await.unwrap();
        let Some(row) = found.first().filter(|row| row.no == bill.no) else { continue };
        assert_eq!(row.fid().as_str(), bill.fid.to_string());
        let unresolved = store.ledger_entry(&row.key).await.unwrap().is_some();
        open += u64::from(unresolved);
        assert!(!unresolved || bill.status != Status::Audited, "{bill:?}");
    }
    assert_eq!(open, written.unresolved);
}

#[tokio::test]
async fn a_night_on_which_nearly_all_is_refused_leaves_runs_that_ended_by_themselves() {
    let (_room, dir) = room();
    write(&dir, &Wish { stuck: true, bills: Some(8_000), ..wish(20, 6, 0) }, real(), |_| {}).await.unwrap();
    let store = LocalStore::open(&dir, real(), "test", &|_| {}).unwrap();
    let stopped = store.stopped_runs().await.unwrap();
    assert!(!stopped.is_empty(), "at least one of the plans has ended by itself and not run well since");
}
