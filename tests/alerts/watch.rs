//! What is worth an alert, when it is told again, and in which words.

use std::time::Duration;

use crate::store_kit::{self, closed, failed, found, opened, run_id, settled, unknown};
use skydeck::domain::bill::{Slot, UnknownWhy};
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::ids::Seq;
use skydeck::domain::live::Live;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, RunEnd};
use skydeck::domain::time::Ts;
use skydeck::domain::who::Who;
use skydeck::host::alerts::watch::{Times, Watchman, What};

const MINUTE: i64 = 60_000;

struct World {
    watchman: Watchman,
    seq: u64,
    now: i64,
}

impl World {
    fn new() -> Self {
        let times = Times {
            merge: Duration::from_secs(60),
            quiet: Duration::from_secs(1800),
            unknown_after: Duration::from_secs(1800),
        };
        Self { watchman: Watchman::new(times, Live::default(), Ts(0)), seq: 0, now: 0 }
    }

    fn facts(&mut self, events: Vec<Event>) {
        let facts: Vec<Fact> = events
            .into_iter()
            .map(|event| {
                self.seq += 1;
                Fact { seq: Seq(self.seq), at: Ts(self.now), event }
            })
            .collect();
        self.watchman.facts(&facts, Ts(self.now));
    }

    /// A run that ends with these outcomes.
    fn run(&mut self, n: u64, plan: &str, outcomes: Vec<skydeck::domain::bill::Outcome>) {
        let fids: Vec<u64> = (1..=outcomes.len() as u64).collect();
        let mut events = vec![opened(n, plan), found(n, &fids)];
        events.extend(fids.iter().zip(outcomes).map(|(fid, outcome)| settled(n, *fid, Slot::Waiting, outcome)));
        events.push(closed(n));
        self.facts(events);
    }

    /// Everything told until then, with its minute: the clock goes only where something can become due.
    fn until(&mut self, minutes: i64) -> Vec<(i64, Vec<(What, u32)>)> {
        let mut told = Vec::new();
        let end = minutes * MINUTE;
        loop {
            let items = self.watchman.due(Ts(self.now));
            if !items.is_empty() {
                told.push((self.now / MINUTE, items.iter().map(|item| (item.what, item.times)).collect()));
                continue;
            }
            match self.watchman.idle_for(Ts(self.now)) {
                Some(nap) if self.now + nap.as_millis() as i64 <= end => self.now += (nap.as_millis() as i64).max(1),
                _ => break,
            }
        }
        self.now = end;
        told
    }
}

#[test]
fn failures_left_over_are_told_once_and_again_only_when_the_quiet_time_is_over() {
    let mut world = World::new();
    world.run(1, "p", vec![failed("stock"), failed("period")]);
    world.run(2, "q", vec![failed("stock")]);
    assert_eq!(world.until(10), [(1, vec![(What::Left, 1), (What::Left, 1)])], "one message for both, after a minute");
    world.run(3, "p", vec![failed("stock")]);
    world.run(4, "p", vec![failed("stock")]);
    assert_eq!(world.until(30), [], "held back");
    assert_eq!(world.until(40), [(31, vec![(What::Left, 2)])], "and told at the end, with how often");
    world.run(5, "p", vec![failed("stock"), unknown(UnknownWhy::TimedOut)]);
    assert_eq!(world.until(60), [(41, vec![(What::Left, 1)])], "an unknown bill is something else than a failed one");
}

#[test]
fn a_run_that_ended_by_itself_is_told_with_its_reason_and_what_to_do() {
    use skydeck::domain::language::Language;
    use skydeck::host::alerts::words::message;
    let mut world = World::new();
    world.facts(vec![opened(1, "p"), found(1, &[1, 2])]);
    world.facts(vec![store_kit::collected(1), store_kit::approved(1)]);
    let rest = store_kit::skipped(skydeck::domain::bill::Skip::NotReached);
    world.facts(vec![settled(1, 1, Slot::Waiting, rest.clone()), settled(1, 2, Slot::Waiting, rest)]);
    let end = RunEnd::Stopped(Reason::Canary { cause: skydeck::domain::cause::Cause::new("stock"), n: 2 });
    world.facts(vec![Event::RunClosed { run: run_id(1), end }]);
    world.now += 2 * MINUTE;
    let items = world.watchman.due(Ts(world.now));
    assert_eq!(items.iter().map(|item| (item.what, item.ended)).collect::<Vec<_>>(), [(What::Stopped, true)]);
    let label = |name: &str| if name == "stock" { "库存不足".to_owned() } else { name.to_owned() };
    let zh = message(Language::Zh, &items, &[], &label, "host");
    assert!(zh.text.contains("已自动停止") && zh.text.contains("首批试审中 2 张被拒绝：库存不足"), "{}", zh.text);
    assert!(zh.text.contains("未轮到 2") && !zh.text.contains("按 p 继续"), "it cannot be resumed: {}", zh.text);
    let item = &message(Language::En, &items, &[], &label, "host").json["items"][0];
    assert_eq!(
        (&item["what"], &item["reason"], &item["reason_args"]["n"]),
        (&"stopped".into(), &"canary".into(), &2.into())
    );
    assert_eq!(item["detail"], "among the first bills, 2 were refused: stock");
}

#[test]
fn what_is_well_or_in_hand_is_not_told() {
    let mut world = World::new();
    world.run(1, "p", vec![store_kit::audited(), store_kit::skipped(skydeck::domain::bill::Skip::Draft)]);
    world.facts(vec![opened(2, "p"), Event::RunClosed { run: run_id(2), end: RunEnd::Declined }]);
    world.facts(vec![opened(3, "p"), Event::RunPaused { run: run_id(3), why: PauseWhy::Operator, by: None }]);
    assert_eq!(world.until(500), []);
    assert_eq!(world.watchman.idle_for(Ts(world.now)), None, "and nothing wakes up for it");
    // Stopped by itself, and somebody was quicker than the alert.
    world.facts(vec![Event::RunPaused {
        run: run_id(3),
        why: PauseWhy::Breaker(Reason::legacy("3 unknown")),
        by: None,
    }]);
    world.facts(vec![Event::RunResumed { run: run_id(3), by: store_kit::who(), boot: None }]);
    assert_eq!(world.until(600), []);
}

#[test]
fn a_run_that_stops_fails_to_read_waits_for_a_person_or_stays_unknown_is_told() {
    let mut world = World::new();
    world.facts(vec![
        opened(1, "p"),
        Event::RunPaused { run: run_id(1), why: PauseWhy::Breaker(Reason::legacy("x")), by: None },
    ]);
    assert_eq!(world.until(5), [(1, vec![(What::Stopped, 1)])]);
    world.facts(vec![
        opened(2, "q"),
        Event::RunClosed { run: run_id(2), end: RunEnd::CollectFailed(Reason::legacy("503")) },
    ]);
    assert_eq!(world.until(10), [(6, vec![(What::CollectFailed, 1)])]);
    let Event::RunOpened(mut head) = opened(3, "r") else { panic!() };
    head.by = Who::schedule(1);
    world.facts(vec![Event::RunOpened(head), found(3, &[1]), store_kit::collected(3)]);
    assert_eq!(world.until(15), [(11, vec![(What::Waits, 1)])], "started by the clock");
    world.facts(vec![opened(4, "s"), found(4, &[1]), store_kit::collected(4)]);
    assert_eq!(world.until(20), [], "started by a person, who sits there");
    world.facts(vec![settled(4, 1, Slot::Waiting, unknown(UnknownWhy::TimedOut))]);
    assert_eq!(world.until(100), [(51, vec![(What::UnknownLong, 1)])]);
}

#[test]
fn a_night_without_the_server_is_told_once_and_again_when_it_is_another_night() {
    let mut world = World::new();
    let unread = |world: &mut World, n: u64, why: Reason| {
        let Event::RunOpened(mut head) = opened(n, "p") else { panic!() };
        head.by = Who::schedule(1);
        world.facts(vec![Event::RunOpened(head), Event::RunClosed { run: run_id(n), end: RunEnd::CollectFailed(why) }]);
    };
    let gone = || Reason::Unreachable { said: "connection refused".into() };
    let mut told = Vec::new();
    // Every quarter of an hour, for ten hours.
    for n in 1..=40 {
        unread(&mut world, n, gone());
        let until = world.now / MINUTE + 15;
        told.extend(world.until(until));
    }
    assert_eq!(told, [(1, vec![(What::CollectFailed, 1)])]);
    // Another reason is another thing to tell.
    unread(&mut world, 41, Reason::SignInRefused { said: "password".into() });
    assert_eq!(world.until(700), [(601, vec![(What::CollectFailed, 1)])]);
    // It went through, and the next night begins.
    let Event::RunOpened(mut head) = opened(42, "p") else { panic!() };
    head.by = Who::schedule(1);
    world.facts(vec![Event::RunOpened(head), Event::RunClosed { run: run_id(42), end: RunEnd::Empty }]);
    assert_eq!(world.until(710), []);
    unread(&mut world, 43, Reason::SignInRefused { said: "password".into() });
    unread(&mut world, 44, Reason::SignInRefused { said: "password".into() });
    assert_eq!(world.until(720), [(711, vec![(What::CollectFailed, 2)])]);
    // A person at a console knows of it: what comes to nothing after that is told.
    world.facts(vec![opened(45, "p"), closed(45)]);
    unread(&mut world, 46, gone());
    assert_eq!(world.until(800), [(741, vec![(What::CollectFailed, 1)])], "not sooner than the quiet time");
}

#[test]
fn falling_behind_loses_no_alert_and_repeats_none() {
    let mut world = World::new();
    world.facts(vec![
        opened(1, "p"),
        Event::RunPaused { run: run_id(1), why: PauseWhy::Breaker(Reason::legacy("x")), by: None },
    ]);
    assert_eq!(world.until(5), [(1, vec![(What::Stopped, 1)])]);
    // Unseen: another run of another plan opened and ended with a failure.
    let mut live = Live::default();
    let missed = [
        opened(1, "p"),
        Event::RunPaused { run: run_id(1), why: PauseWhy::Breaker(Reason::legacy("x")), by: None },
        opened(2, "q"),
        found(2, &[1]),
        settled(2, 1, Slot::Waiting, failed("stock")),
        closed(2),
    ];
    for (i, event) in missed.into_iter().enumerate() {
        live.apply(&Fact { seq: Seq(i as u64 + 1), at: Ts(world.now), event });
    }
    // And one that ended so long ago that the state does not have it any more.
    let mut gone = Live::default();
    let events = [opened(3, "r"), found(3, &[1]), settled(3, 1, Slot::Waiting, failed("stock")), closed(3)];
    for (i, event) in events.into_iter().enumerate() {
        gone.apply(&Fact { seq: Seq(i as u64 + 1), at: Ts(world.now), event });
    }
    let ended = [gone.runs[&run_id(3)].row.clone()];
    world.watchman.resync(live, &ended, Ts(world.now));
    let told = vec![(What::Left, 1), (What::Left, 1)];
    assert_eq!(world.until(120), [(6, told)], "the ended ones, and the stopped one not again");
}

#[test]
fn a_run_of_another_operation_is_told_by_its_name_and_in_general_words() {
    use skydeck::domain::ids::OpId;
    use skydeck::domain::language::Language;
    use skydeck::domain::run::{RunHead, RunKind};
    use skydeck::host::alerts::words::message;
    let mut world = World::new();
    let head = RunHead { op: OpId::new("BillClose"), ..store_kit::head(1, "p", RunKind::Fresh) };
    let begun = store_kit::begun(1, "p", &[1, 2, 3, 4]).split_off(1);
    world.facts(vec![Event::RunOpened(Box::new(head))]);
    world.facts(begun);
    let outcomes = [store_kit::audited(), failed("stock"), store_kit::skipped(skydeck::domain::bill::Skip::NotReached)];
    for (fid, outcome) in (1..).zip(outcomes) {
        world.facts(vec![store_kit::settled(1, fid, skydeck::domain::bill::Slot::Waiting, outcome)]);
    }
    world.facts(vec![Event::RunClosed { run: run_id(1), end: RunEnd::Completed }]);
    world.now += 2 * 60_000;
    let items = world.watchman.due(Ts(world.now));
    for (tongue, said) in [
        (
            Language::En,
            "BillClose found 4 = done 1 + already done 0 + skipped 0 + failed 1 + unknown 0 + not reached 1 + waiting 1",
        ),
        (Language::Zh, "BillClose 共 4 = 已完成 1 + 此前已完成 0 + 跳过 0 + 失败 1 + 未知 0 + 未轮到 1 + 待处理 1"),
    ] {
        let told = message(tongue, &items, &[], &str::to_owned, "host");
        assert!(told.text.contains(said), "{}", told.text);
        assert_eq!(told.json["items"][0]["operation"], "BillClose");
    }
}
