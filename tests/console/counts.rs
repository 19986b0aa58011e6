//! Comparisons, ranges, counts and estimates: what a screen says of several runs, and of one that is going on.

use std::sync::Arc;
use std::time::Duration;

use skydeck::domain::bill::{Outcome, Skip, Slot};
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::ids::Seq;
use skydeck::domain::live::Live;
use skydeck::domain::query::Query;
use skydeck::domain::range::Range;
use skydeck::domain::run::{Collected, RunEnd, RunState, Tally};
use skydeck::ui::msg::{Effect, Msg};
use skydeck::ui::{Lang, run_word};

use crate::world::*;

fn range() -> Range {
    Range {
        field: Some("FModifyDate".to_owned()),
        since: Some("2026-11-01".to_owned()),
        until: Some("2026-11-02".to_owned()),
        numbers: 0,
        remedy: false,
    }
}

#[test]
fn a_run_is_compared_with_the_next_older_one_that_speaks_for_all_bills_of_the_plan() {
    // Run 2 found nothing, run 1 is whole.
    let mut world = World::new(false);
    world.runs[1].state = RunState::Closed(RunEnd::Empty);
    world.runs[1].tally = Tally::default();
    let mut c = Console::new(world, Lang::En, (120, 36));
    c.keys("5=");
    assert!(text(&c).contains("older 11-14"), "{}", text(&c));
    // Run 2 was cut by a person, run 1 was declined: nothing is left.
    let mut world = World::new(false);
    world.runs[1].head.range = Some(range());
    world.runs[2].state = RunState::Closed(RunEnd::Declined);
    let mut c = Console::new(world, Lang::En, (120, 36));
    c.keys("5=");
    assert!(text(&c).contains("No older run of this plan to compare with"), "{}", text(&c));
    // One that found nothing has nothing to compare, and says so.
    let mut world = World::new(false);
    world.runs[0].state = RunState::Closed(RunEnd::Empty);
    world.runs[0].tally = Tally::default();
    let mut c = Console::new(world, Lang::Zh, (120, 36));
    c.keys("5=");
    assert!(text(&c).contains("没有可比较的内容：无单据"), "{}", text(&c));
    // One that was cut is compared where it is asked for, and says what it was cut to.
    let mut world = World::new(false);
    world.runs[0].head.kind = skydeck::domain::run::RunKind::Fresh;
    world.runs[0].head.range = Some(range());
    let mut c = Console::new(world, Lang::En, (120, 36));
    c.keys("5");
    assert!(
        text(&c).contains(" range ") && text(&c).contains("range FModifyDate 2026-11-01 … 2026-11-02"),
        "{}",
        text(&c)
    );
    c.keys("=");
    assert!(text(&c).contains("range [FModifyDate 2026-11-01 … 2026-11-02]"), "{}", text(&c));
}

#[test]
fn a_form_says_on_which_field_a_range_acts() {
    let mut c = console();
    c.keys("o");
    let shown = text(&c);
    assert!(shown.contains("FCreateDate >= ") && shown.contains("FCreateDate <= "), "{shown}");
}

#[test]
fn whatever_changes_the_ledger_reads_the_plans_and_the_ledger_together() {
    let key = World::new(false).bills[1].key.clone();
    let by = skydeck::domain::who::Who::of_person(7, "wang", None);
    let resolved = Event::LedgerResolved { key: key.clone(), by: by.clone(), reason: "counted".to_owned() };
    let reopened = Event::LedgerReopened { key, since: NOW, by, reason: "was wrong".to_owned() };
    for event in [resolved, reopened] {
        let mut c = console();
        c.wait(1_000);
        c.effects.clear();
        c.send(Msg::Facts(Arc::from([Fact { seq: Seq(900), at: NOW, event }])));
        c.wait(2_000);
        let asked = |wanted: &dyn Fn(&Query) -> bool| {
            c.effects.iter().any(|effect| matches!(effect, Effect::Ask(_, query) if wanted(query)))
        };
        assert!(asked(&|query| matches!(query, Query::LedgerGroups { .. })), "the ledger's badge");
        assert!(asked(&|query| matches!(query, Query::Plans)), "and the plans' own numbers");
    }
}

#[test]
fn a_run_that_left_bills_behind_is_never_called_complete() {
    let done = |tally: Tally| run_word(Lang::Zh, &RunState::Closed(RunEnd::Completed), &tally);
    let sum = Tally { found: 10, audited: 9, already: 1, ..Tally::default() };
    assert_eq!(done(sum), "已完成");
    assert_eq!(done(Tally { found: 11, skipped: 1, ..sum }), "有跳过");
    assert_eq!(done(Tally { found: 11, failed: 1, ..sum }), "有失败");
    assert_eq!(done(Tally { found: 12, failed: 1, unknown: 1, ..sum }), "有未知");
}

/// 400 bills, of which 390 are settled without a call in the first second: they are no speed, and those that are left are
/// no calls to come.
#[test]
fn an_estimate_counts_calls_and_not_what_is_skipped() {
    let mut live = Live::default();
    let facts = World::new(false).run_facts();
    let (mut live_facts, run) = (facts[..2].to_vec(), facts[0].event.run().unwrap());
    let Event::BillsFound { bills, .. } = &facts[1].event else { panic!("the second fact finds the bills") };
    let collected = Collected { callable: 12, ..World::new(false).collected() };
    let began = facts[2].at;
    live_facts.push(Fact { event: Event::RunCollected { run, collected }, ..facts[2].clone() });
    live_facts.push(Fact { seq: Seq(4), at: began, ..facts[3].clone() });
    let mut seq = 4;
    let mut push = |at, event| {
        seq += 1;
        live_facts.push(Fact { seq: Seq(seq), at, event });
    };
    for (i, bill) in bills.iter().enumerate() {
        let (fid, no, was) = (bill.fid.clone(), bill.no.clone(), Slot::Waiting);
        match i {
            0..28 => {
                push(began, Event::BillSettled { run, fid, no, was, outcome: Outcome::Skipped(Skip::Draft) });
            }
            28..34 => {
                let at = began.plus(Duration::from_secs(5 * (i as u64 - 27)));
                let tried = &facts.iter().find(|f| matches!(f.event, Event::StepAnswered { .. })).unwrap().event;
                let Event::StepAnswered { step, attempt, call, ms, verdict, .. } = tried.clone() else {
                    unreachable!()
                };
                let (side, evidence, made) = (Vec::new(), None, None);
                push(
                    at,
                    Event::StepAnswered {
                        run,
                        fid: fid.clone(),
                        step,
                        attempt,
                        call,
                        ms,
                        verdict,
                        side,
                        evidence,
                        made,
                    },
                );
                push(at, Event::BillSettled { run, fid, no, was, outcome: Outcome::Done { verified: false } });
            }
            _ => {}
        }
    }
    for fact in &live_facts {
        live.apply(fact);
    }
    let run = &live.runs[&run];
    let now = began.plus(Duration::from_secs(30));
    assert!((run.per_second(now, 30) - 0.2).abs() < f64::EPSILON, "six calls in 30 s");
    assert_eq!((run.row.tally.waiting, run.row.to_call()), (bills.len() as u64 - 34, 6));
}
