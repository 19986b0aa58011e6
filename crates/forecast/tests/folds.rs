//! What every forecaster keeps to: it is small, it is pure, it looks at nothing that is yet to come, and it can be put down and
//! taken up again.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, dead_code)]

#[path = "../examples/world/feed.rs"]
mod feed;
#[path = "../examples/world/office.rs"]
mod office;

use fastrand::Rng;
use proptest::prelude::*;

use skydeck_core::domain::forecast::{Finding, Named, Standing};
use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::time::Ts;
use skydeck_forecast::{Alarm, Calendar, Folder, Moved, Scoring, State};

use self::feed::Feed;
use self::office::{DAY, Office, Queue, Run, begins, date, day_of, is_workday};

/// How far a run was, what was predicted of its end, and its range.
type Predicted = (f64, f64, Option<(f64, f64)>);

fn folder(state: State) -> Folder {
    Folder::new(Calendar::china().clone(), 1.0, state)
}

fn some_year(seed: u64, days: i64, most: f64) -> (PlanId, Vec<Run>) {
    let mut rng = Rng::with_seed(seed);
    let mut office = Office::new(0, &mut rng);
    // A smaller office is as good here, and sooner done.
    office.volume = office.volume.min(most);
    let runs = office.year(date("2025-09-01"), days, &mut rng);
    (office.plan.clone(), runs)
}

fn fold_all(folder: &mut Folder, plan: &PlanId, runs: &[Run]) -> Vec<Alarm> {
    let feed = Feed::new();
    let mut alarms = Vec::new();
    let mut today = runs.first().map(|run| day_of(run.at));
    for run in runs {
        if today != Some(day_of(run.at)) {
            today = Some(day_of(run.at));
            let moved = Moved { group: "stock".to_owned(), entered: run.failed, left: run.failed / 2 };
            alarms.extend(folder.ledger_day(plan, Ts(begins(day_of(run.at))), &[moved]));
        }
        alarms.extend(feed.run(folder, plan, run));
    }
    alarms
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn what_comes_later_changes_nothing_that_was_said(seed in 0_u64..1_000_000, at in 20_usize..400, shuffle in any::<u64>()) {
        let (plan, runs) = some_year(seed, 90, 60.0);
        let at = at.min(runs.len() - 1);
        let mut other = runs.clone();
        // Other counts behind `at`, in their own order of time.
        let mut counts: Vec<(u64, u64)> = other[at..].iter().map(|run| (run.found, run.failed)).collect();
        Rng::with_seed(shuffle).shuffle(&mut counts);
        for (run, (found, failed)) in other[at..].iter_mut().zip(counts) {
            (run.found, run.failed) = (found, failed);
        }
        let told = |runs: &[Run]| {
            let mut folder = folder(State::default());
            let alarms = fold_all(&mut folder, &plan, &runs[..at]);
            let said = folder.say(&plan, Some(Ts(runs[at].at)));
            let mut later = fold_all(&mut folder, &plan, &runs[at..]);
            later.retain(|alarm| alarm.at.0 < runs[at].at);
            (alarms, said, later)
        };
        let (one, two) = (told(&runs), told(&other));
        prop_assert_eq!((&one.0, &one.1), (&two.0, &two.1));
        prop_assert!(one.2.is_empty(), "nothing is told of a moment that was over");
    }

    #[test]
    fn what_a_run_is_expected_to_find_does_not_depend_on_what_it_finds(seed in 0_u64..1_000_000, at in 250_usize..400, other in 0_u64..500) {
        let (plan, runs) = some_year(seed, 90, 60.0);
        let at = at.min(runs.len() - 1);
        let mut before = folder(State::default());
        fold_all(&mut before, &plan, &runs[..at]);
        let said = before.say(&plan, Some(Ts(runs[at].at))).and_then(|said| said.next);
        let expected = |found: u64| {
            let mut folder = folder(before.state.clone()).scoring();
            Feed::new().collect(&mut folder, &plan, runs[at].at, found);
            let scores = folder.take_scores();
            scores.into_iter().find_map(|score| match score.what {
                Scoring::Found { mean, .. } => Some(mean),
                Scoring::Done(_) => None,
            })
        };
        let (one, two) = (expected(runs[at].found), expected(other));
        prop_assert_eq!(one, two, "the mean it is scored by");
        prop_assert!(said.is_none() || said.map(|(_, usual)| usual.mean) == one.map(|mean| mean.round() as u64), "{:?} {:?}", said, one);
    }

    #[test]
    fn when_calls_are_done_is_said_by_the_calls_that_are_over(seed in 0_u64..1_000_000, slower in 2_i64..9) {
        let mut rng = Rng::with_seed(seed);
        let (queue, plan, feed) = (Queue::new(&mut rng), PlanId::new("queue"), Feed::new());
        let mut before = folder(State::default()).scoring();
        for n in 0..30 {
            let at = begins(date("2026-03-02")) + n * DAY;
            feed.queue(&mut before, &plan, at, &queue.run(at, &mut rng));
        }
        let at = begins(date("2026-05-04"));
        let settled: Vec<(i64, Option<i64>)> = (1..=200).map(|n| (at + n * 900, None)).collect();
        // From the hundred and first call on everything takes longer.
        let slow = |(n, (now, until)): (i64, &(i64, Option<i64>))| (now + (n - 100).max(0) * 900 * slower, *until);
        let later: Vec<(i64, Option<i64>)> = (1..).zip(&settled).map(slow).collect();
        let predicted = |settled: &[(i64, Option<i64>)]| -> Vec<Predicted> {
            let mut folder = folder(before.state.clone()).scoring();
            feed.queue(&mut folder, &plan, at, settled);
            let done = |score: skydeck_forecast::Score| match score.what {
                Scoring::Done(one) if one.at <= 0.5 => Some((one.at, one.predicted, one.range)),
                Scoring::Done(_) | Scoring::Found { .. } => None,
            };
            folder.take_scores().into_iter().filter_map(done).collect()
        };
        let (one, two) = (predicted(&settled), predicted(&later));
        prop_assert_eq!(one.len(), 5, "five marks up to the middle");
        prop_assert_eq!(one, two);
    }

    #[test]
    fn a_state_that_is_put_down_and_taken_up_goes_on_as_if_nothing_was(seed in 0_u64..1_000_000, at in 1_usize..300) {
        let (plan, runs) = some_year(seed, 60, 60.0);
        let at = at.min(runs.len());
        let mut whole = folder(State::default());
        let alarms = fold_all(&mut whole, &plan, &runs);
        let mut first = folder(State::default());
        let mut told = fold_all(&mut first, &plan, &runs[..at]);
        let kept = rmp_serde::to_vec_named(&first.state).unwrap();
        let mut second = folder(rmp_serde::from_slice(&kept).unwrap());
        // The day that ends between the two is told by whoever goes on.
        if runs.get(at).is_some_and(|run| day_of(run.at) != day_of(runs[at - 1].at)) {
            let run = &runs[at];
            let moved = Moved { group: "stock".to_owned(), entered: run.failed, left: run.failed / 2 };
            told.extend(second.ledger_day(&plan, Ts(begins(day_of(run.at))), &[moved]));
        }
        told.extend(fold_all(&mut second, &plan, &runs[at..]));
        prop_assert_eq!(&alarms, &told);
        prop_assert_eq!(&whole.state, &second.state);
        prop_assert_eq!(rmp_serde::to_vec_named(&whole.state).unwrap(), rmp_serde::to_vec_named(&second.state).unwrap());
    }
}

#[test]
fn a_plan_is_as_large_after_a_year_as_after_half_of_it_and_small() {
    let size = |days| {
        let (plan, runs) = some_year(11, days, 60.0);
        let mut folder = folder(State::default());
        let feed = Feed::new();
        let mut rng = Rng::with_seed(3);
        for (n, run) in (0..).zip(&runs) {
            feed.collect(&mut folder, &plan, run.at, run.found);
            // More causes than a ledger shows.
            let group = format!("cause{}", rng.u16(..));
            folder.ledger_day(&plan, Ts(run.at), &[Moved { group, entered: n % 5, left: n % 4 }]);
        }
        (rmp_serde::to_vec_named(&folder.state.plans).unwrap().len(), folder.state.open.len())
    };
    let (one, two) = (size(150).0, size(2 * 150));
    assert!(two.0 < 64 * 1024 && two.0 < one + 2048, "{one} bytes, then {}", two.0);
    assert!(two.1 <= 512, "{} runs are open: whoever never closes is let go", two.1);
}

#[test]
fn what_is_kept_reads_back_as_it_was_at_every_moment_in_the_middle_of_a_run_too() {
    let (plan, runs) = some_year(7, 120, 60.0);
    let (feed, mut folder) = (Feed::new(), folder(State::default()));
    let mut empty = 0;
    for (n, run) in (0..).zip(&runs) {
        // One in three waits for its approval, which never comes.
        if n % 3 == 0 {
            feed.collect(&mut folder, &plan, run.at, run.found);
        } else {
            feed.run(&mut folder, &plan, run);
        }
        let moved = Moved { group: "stock".to_owned(), entered: run.failed, left: run.failed / 2 };
        folder.ledger_day(&plan, Ts(run.at), &[moved]);
        empty += u32::from(run.found == 0);
        let read: State = rmp_serde::from_slice(&rmp_serde::to_vec_named(&folder.state).unwrap()).unwrap();
        assert!(read == folder.state, "after run {n}");
    }
    assert!(empty > 20 && folder.state.open.len() > 20, "{empty} found nothing, {} are open", folder.state.open.len());
}

#[test]
fn a_silent_plan_is_told_once_with_its_numbers_and_nothing_before_it_is_ripe() {
    let (plan, runs) = some_year(5, 120, 400.0);
    let feed = Feed::new();
    let mut folder = folder(State::default());
    for run in &runs[..40] {
        feed.run(&mut folder, &plan, run);
    }
    let learning = folder.state.plans[&plan].standing(skydeck_core::domain::forecast::Forecaster::Found);
    assert!(
        matches!(learning, Standing::Learning { runs: 40, of: 60, .. } | Standing::Learning { runs: 39, of: 60, .. }),
        "{learning:?}"
    );
    assert_eq!(folder.say(&plan, Some(Ts(runs[40].at))).unwrap().next, None, "silent while it learns");
    for run in &runs[40..400] {
        feed.run(&mut folder, &plan, run);
    }
    let next: Vec<&Run> = runs[400..].iter().filter(|run| is_workday(day_of(run.at))).take(8).collect();
    let (at, usual) = folder.say(&plan, Some(Ts(next[0].at))).unwrap().next.unwrap();
    assert!(at == Ts(next[0].at) && usual.low <= usual.mean && usual.mean <= usual.high, "{usual:?}");
    let mut alarms = Vec::new();
    for run in &next {
        alarms.extend(feed.collect(&mut folder, &plan, run.at, 0).1);
    }
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    let said = folder.say(&plan, None).unwrap();
    let [found] = &said.found[..] else { panic!("{said:?}") };
    let Finding::Quiet { found: 0, expected, runs: empty, .. } = found.finding else { panic!("{found:?}") };
    assert!(expected > 0 && empty >= 1, "{found:?}");
    let alarm = Named::of(&plan, &found.finding);
    assert!(folder.deny(&alarm, Ts(next[7].at)));
    assert_eq!(folder.say(&plan, None).unwrap().found, [], "a person said that it is none");
    assert!(!folder.deny(&alarm, Ts(next[7].at)), "once");
    // As usual again: it ends by itself.
    let back = next[7].at + DAY;
    for run in runs[400..].iter().filter(|run| run.at > back).take(6) {
        feed.collect(&mut folder, &plan, run.at, run.found);
    }
    assert_eq!(folder.state.plans[&plan].standing(skydeck_core::domain::forecast::Forecaster::Found), Standing::Speaks);
}

#[test]
fn a_declined_set_is_expected_again() {
    use skydeck_core::domain::run::{RunEnd, RunState};
    use skydeck_core::domain::transition::Change;
    let (plan, runs) = some_year(5, 120, 400.0);
    let feed = Feed::new();
    let mut folder = folder(State::default());
    for run in &runs[..300] {
        feed.run(&mut folder, &plan, run);
    }
    let due = Some(Ts(runs[301].at));
    let before = folder.say(&plan, due).unwrap().next.unwrap().1;
    let (id, _) = feed.collect(&mut folder, &plan, runs[300].at, 12);
    let between = folder.say(&plan, due).unwrap().next.unwrap().1;
    let to = RunState::Closed(RunEnd::Declined);
    folder.fold(&Change::Run { run: id, to, approves: false }, Ts(runs[300].at + 60_000));
    let after = folder.say(&plan, due).unwrap().next.unwrap().1;
    assert!(between.mean < before.mean, "what was read is not expected again: {between:?} {before:?}");
    assert!(after.mean > between.mean, "the mark did not move: {after:?} {between:?}");
}

#[test]
fn rows_that_changed_make_the_same_state_as_the_whole() {
    let mut folder = folder(State::default());
    let mut kept = std::collections::BTreeMap::new();
    for n in 0..3 {
        let (_, runs) = some_year(n, 20, 30.0);
        let plan = PlanId::new(format!("p{n}"));
        fold_all(&mut folder, &plan, &runs);
        let rows = folder.take_rows();
        assert_eq!(rows.len(), 3, "the plan that changed, the runs that are open, and closed periods");
        kept.extend(rows);
    }
    let rows: Vec<_> = kept.into_iter().collect();
    assert_eq!(State::of_rows(&rows).as_ref(), Some(&folder.state));
    let mut torn = rows;
    torn[1].1.truncate(9);
    assert_eq!(State::of_rows(&torn), None, "what does not read is made anew");
}

#[test]
fn rows_that_are_taken_between_any_two_steps_make_the_same_state_as_the_whole() {
    use skydeck_core::domain::run::{RunEnd, RunState};
    use skydeck_core::domain::transition::Change;
    let (plan, runs) = some_year(5, 40, 60.0);
    let (feed, mut folder, mut kept) = (Feed::new(), folder(State::default()), std::collections::BTreeMap::new());
    let mut is_whole = |folder: &mut Folder, step: &str| {
        kept.extend(folder.take_rows());
        let rows: Vec<_> =
            kept.iter().map(|(name, bytes): (&String, &Vec<u8>)| (name.clone(), bytes.clone())).collect();
        assert!(State::of_rows(&rows).as_ref() == Some(&folder.state), "after {step}");
    };
    for run in &runs {
        let (id, _) = feed.collect(&mut folder, &plan, run.at, run.found);
        is_whole(&mut folder, "its query");
        let to = RunState::Closed(RunEnd::Declined);
        folder.fold(&Change::Run { run: id, to, approves: false }, Ts(run.at + 60_000));
        is_whole(&mut folder, "its end");
        let moved = Moved { group: "stock".to_owned(), entered: run.found, left: 1 };
        folder.ledger_day(&plan, Ts(run.at + 70_000), &[moved]);
        is_whole(&mut folder, "a day of the ledger");
    }
}

#[test]
fn of_a_run_whose_bills_are_kept_no_longer_nothing_is_learned() {
    use skydeck_core::domain::run::{RunEnd, RunState};
    use skydeck_core::domain::transition::Change;
    let (plan, runs) = some_year(5, 60, 400.0);
    let (feed, ends) = (Feed::new(), 224);
    let mut whole = folder(State::default());
    for run in &runs[..200] {
        feed.run(&mut whole, &plan, run);
    }
    let mut folder = folder(whole.state.clone());
    // What is left of their bills after a prune is nothing, and that is no silence, however many there are.
    for run in &runs[200..ends] {
        let head = feed::head(&plan, run.at);
        folder.fold(&Change::Opened(&head), Ts(run.at));
        folder.forgotten();
        for (to, after) in [(RunState::AwaitingApproval, 1000), (RunState::Closed(RunEnd::Completed), 2000)] {
            let alarms = folder.fold(&Change::Run { run: head.id, to, approves: false }, Ts(run.at + after));
            assert_eq!(alarms, [], "at {}", run.at);
        }
        feed.run(&mut whole, &plan, run);
    }
    let mean = |folder: &Folder| folder.say(&plan, Some(Ts(runs[ends].at))).unwrap().next.map(|(_, usual)| usual.mean);
    let (with_gap, whole) = (mean(&folder).unwrap(), mean(&whole).unwrap());
    let near = with_gap.abs_diff(whole) <= 3 + whole / 4;
    assert!(near, "{with_gap} {whole}: the level stays, and only until when was looked is known");
}
