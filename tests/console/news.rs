//! What facts, answers and refusals do to what is shown: rows in their places, dialogs that close, sums that add up.

use std::sync::Arc;
use std::time::Duration;

use crate::world::*;
use skydeck::domain::bill::*;
use skydeck::domain::command::Receipt;
use skydeck::domain::event::Event;
use skydeck::domain::ids::*;
use skydeck::domain::query::{Answer, Page, Query};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::RunEnd;
use skydeck::ui::msg::{Effect, Msg, Ticket};
use skydeck::ui::{Lang, UiConfig};

#[test]
fn only_the_newest_question_is_answered() {
    let mut c = console().working();
    c.keys("3");
    let asked: Vec<Ticket> = c
        .effects
        .iter()
        .filter_map(|e| match e {
            Effect::Ask(t, Query::Bills { .. }) => Some(*t),
            _ => None,
        })
        .collect();
    let before = text(&c);
    c.send(Msg::Answered(asked[0], Ok(Answer::Bills(Page::default()))));
    assert_eq!(text(&c), before);
}

#[test]
fn facts_change_rows_in_place_and_the_sum_line_always_adds_up() {
    let mut c = console().working();
    c.keys("3");
    assert!(text(&c).contains("found 40 = audited 7 + already 3 + skip 4 + fail 7 + unk 2 + wait 17"), "{}", text(&c));
    let (fid, no) = (Fid::from(100_012), "XSCKD000012".to_owned());
    let outcome = Outcome::Done { verified: false };
    let event = Event::BillSettled { run: run_id(9), fid, no, was: Slot::Waiting, outcome };
    c.send(Msg::Facts(Arc::from(vec![fact(9000, NOW, event)])));
    let screen = text(&c);
    assert!(screen.contains("audited 8") && screen.contains("wait 16"));
    assert!(screen.lines().any(|l| l.contains("audited") && l.contains("XSCKD000012")));
}

#[test]
fn an_idle_console_wants_no_tick_and_draws_nothing() {
    let mut world = World::new(true);
    world.envs[0].unlocked_until = None;
    // An unknown bill ages on every pane.
    let mut waiting = World::new(true);
    waiting.envs[0].unlocked_until = None;
    let unsettled = Console::new(waiting, Lang::En, (80, 24));
    assert_eq!(unsettled.model.wants_tick(), Some(Duration::from_secs(60)));
    world.groups.retain(|group| group.slot != Slot::Unknown);
    let mut c = Console::new(world, Lang::En, (80, 24));
    assert_eq!(c.model.wants_tick(), None);
    c.model.drawn();
    c.wait(5000);
    c.send(Msg::Pulse(c.world.pulse()));
    assert!(!c.model.needs_draw());
    let mut c = c.working();
    assert_eq!(c.model.wants_tick(), Some(Duration::from_secs(1)));
    c.model.drawn();
    c.wait(100);
    assert!(!c.model.needs_draw(), "within the same second nothing changes");
    c.wait(1000);
    assert!(c.model.needs_draw());
}

#[test]
fn quit_asks_only_while_a_run_is_at_work() {
    let mut c = console();
    c.keys("q");
    assert!(c.effects.contains(&Effect::Quit));
    let mut c = console().working();
    c.keys("q");
    assert!(!c.effects.contains(&Effect::Quit));
    let closed = Event::RunClosed { run: run_id(9), end: RunEnd::Cancelled };
    c.keys("<Esc>");
    c.send(Msg::Facts(Arc::from(vec![fact(9001, NOW, closed)])));
    c.keys("q");
    assert!(c.effects.contains(&Effect::Quit));
}

#[test]
fn a_run_that_ends_by_itself_says_so_with_its_reason_and_one_nobody_approved_tells_nothing_of_its_bills() {
    for (lang, stopped, why, untold, waiting) in [
        (
            Lang::En,
            "! stopped by itself",
            "3 calls in a row without a usable answer",
            "not approved, nothing was done",
            "waiting 31",
        ),
        (Lang::Zh, "! 已自动停止", "连续 3 次调用没有可用的响应", "未批准，未做任何处理", "待处理 31"),
    ] {
        let ends = |c: &mut Console, end| {
            c.send(Msg::Facts(Arc::from(vec![fact(9001, NOW, Event::RunClosed { run: run_id(9), end })])));
            // A wide character leaves a blank cell behind it.
            let squeezed: String = text(c).split_whitespace().collect();
            squeezed
        };
        let has = |screen: &str, words: &str| screen.contains(&words.split_whitespace().collect::<String>());
        let mut c = Console::new(World::new(false), lang, (120, 36)).working();
        let screen = ends(&mut c, RunEnd::Stopped(Reason::BreakerUnknown { n: 3 }));
        assert!(has(&screen, stopped) && has(&screen, why), "{}", text(&c));
        assert!(!screen.contains("cancelled") && !screen.contains("已取消"), "{}", text(&c));
        let mut c = Console::new(World::new(false), lang, (120, 36)).collected();
        let screen = ends(&mut c, RunEnd::Declined);
        assert!(has(&screen, untold) && !has(&screen, waiting), "{}", text(&c));
    }
}

#[test]
fn an_interrupted_run_is_asked_about_once() {
    let world = World::new(false);
    let live = interrupted(&world);
    let mut c = Console::with(world, UiConfig { lang: Lang::En, live, ..UiConfig::default() });
    assert!(text(&c).contains("A run was interrupted"));
    c.wait(500);
    c.keys("n");
    assert!(c.orders.is_empty() && !text(&c).contains("A run was interrupted"));
    c.keys("p");
    assert_eq!(orders(&c), ["resume"]);
}

#[test]
fn a_refusal_says_what_to_do_next_and_a_lost_engine_takes_no_order() {
    let mut c = console();
    c.send(Msg::EngineGone(Some("broken pipe".into())));
    c.keys("r");
    assert!(c.orders.is_empty() && text(&c).contains("engine gone: broken pipe"));
    c.send(Msg::EngineGone(None));
    c.keys("r");
    assert_eq!(orders(&c), ["start"]);
    c.send(Msg::Receipt(Ticket(77_777), Ok(Receipt::Accepted { run: None, more: Vec::new(), bills: 0 })));
}

#[test]
fn a_dialog_closes_when_somebody_else_has_dealt_with_its_run_and_says_who() {
    let world = World::new(false);
    let live = interrupted(&world);
    let mut c = Console::with(world, UiConfig { lang: Lang::En, live, ..UiConfig::default() });
    assert!(text(&c).contains("A run was interrupted"));
    // A bill of it that is read back changes nothing about the question.
    let read = Event::bill_read(run_id(9), Fid::from(100_012), None);
    c.send(Msg::Facts(Arc::from(vec![fact(10_000, NOW, read)])));
    assert!(text(&c).contains("A run was interrupted"));
    c.send(Msg::Facts(Arc::from(vec![fact(
        10_001,
        NOW,
        Event::RunResumed { run: run_id(9), by: other(), boot: None },
    )])));
    let screen = text(&c);
    assert!(
        !screen.contains("A run was interrupted") && screen.contains("already started by zhao@10.0.3.9"),
        "{screen}"
    );
}

#[test]
fn a_second_approval_that_is_asked_shows_on_another_console_with_the_time_left() {
    use skydeck::domain::run::Consent;
    let mut c = Console::new(World::new(false), Lang::En, (100, 30)).collected();
    c.keys("<Esc>");
    let consent =
        Consent { by: other(), hash: c.world.collected().hash, flags: vec![], reason: None, at: NOW, left: None };
    c.send(Msg::Facts(Arc::from(vec![fact(20_000, NOW, Event::RunConsented { run: run_id(9), consent })])));
    let words = |left: &str| format!("zhao@10.0.3.9 approved, one more within {left}");
    assert!(text(&c).contains(&words("10:00")), "{}", text(&c));
    assert_eq!(c.model.wants_tick(), Some(Duration::from_secs(1)));
    c.wait(61_000);
    assert!(text(&c).contains(&words("8:59")), "{}", text(&c));
    let head = |c: &Console| text(c).lines().next().unwrap_or_default().contains("8:59");
    assert!(head(&c), "{}", text(&c));
    c.wait(540_000);
    assert!(!text(&c).contains("a second person within"), "{}", text(&c));
    // Once the second one has approved, nobody is waited for.
    let mut c = Console::new(World::new(false), Lang::En, (100, 30)).collected();
    let hash = c.world.collected().hash;
    let consent = Consent { by: other(), hash: hash.clone(), flags: vec![], reason: None, at: NOW, left: None };
    let by = skydeck::domain::who::Who::of_person(1001, "qian", None);
    let approved = Event::RunApproved { run: run_id(9), by, hash, flags: vec![], reason: None, boot: None };
    let events = [Event::RunConsented { run: run_id(9), consent }, approved];
    let facts = events.into_iter().enumerate().map(|(i, event)| fact(20_000 + i as u64, NOW, event));
    c.send(Msg::Facts(facts.collect()));
    assert!(!text(&c).lines().next().unwrap_or_default().contains("10:00"), "{}", text(&c));
}

#[test]
fn a_run_that_left_everything_as_it_was_says_how_much_and_what_calls_it() {
    use skydeck::domain::run::{Collected, RunEnd, Unchanged};
    for (lang, words) in [
        (Lang::Zh, "86 张未变化，不再调用；在遗留页按 R 重试"),
        (Lang::En, "86 unchanged: not called again; R on the ledger retries"),
    ] {
        let mut c = Console::new(World::new(false), lang, (80, 24));
        let opened = c.world.run_facts().into_iter().next().unwrap();
        c.keys("r");
        let unchanged = Some(Unchanged { bills: 86, hash: c.world.collected().hash });
        let collected = Collected { unchanged, callable: 0, carried: 0, by_status: Vec::new(), ..c.world.collected() };
        let events = [
            Event::RunCollected { run: run_id(9), collected },
            Event::RunClosed { run: run_id(9), end: RunEnd::Empty },
        ];
        let facts = events.into_iter().enumerate().map(|(i, event)| fact(20_000 + i as u64, NOW, event));
        c.send(Msg::Facts(std::iter::once(opened).chain(facts).collect()));
        c.keys("<Esc>");
        let screen = text(&c);
        assert!(screen.contains(words), "{screen}");
    }
}

#[test]
fn a_second_approver_sees_who_was_first_and_for_which_rules_and_a_third_is_told_it_is_done() {
    use skydeck::domain::run::{Consent, Flag};
    let mut c = Console::new(World::new(false), Lang::En, (100, 30)).collected();
    c.wait(500);
    let at = 20_000;
    let hash = c.world.collected().hash;
    let flags = vec![Flag("STK_InvCheckResult".into())];
    let consent = Consent { by: other(), hash, flags, reason: Some("counted tomorrow".into()), at: NOW, left: None };
    c.send(Msg::Facts(Arc::from(vec![fact(at, NOW, Event::RunConsented { run: run_id(9), consent })])));
    c.keys("<Esc>a");
    let screen = text(&c);
    assert!(screen.contains("zhao@10.0.3.9 approved at") && screen.contains("one more is needed"), "{screen}");
    assert!(screen.contains("ignored in this run: STK_InvCheckResult"), "the same rules: {screen}");
    // Ten minutes later it is a first word again.
    c.keys("<Esc>");
    c.wait(601_000);
    c.keys("a");
    let screen = text(&c);
    assert!(!screen.contains("approved at") && !screen.contains("ignored in this run: STK_InvCheckResult"), "{screen}");
    let approved = Event::RunApproved {
        run: run_id(9),
        by: other(),
        hash: c.world.collected().hash,
        flags: vec![],
        reason: None,
        boot: None,
    };
    c.send(Msg::Facts(Arc::from(vec![fact(at + 1, NOW, approved)])));
    assert!(!text(&c).contains("Approve this set?") && text(&c).contains("already started by"), "{}", text(&c));
}

#[test]
fn the_summary_of_a_run_is_in_the_words_of_its_operation_and_names_what_was_not_reached() {
    for (op, lang, said) in [
        ("", Lang::En, "found 40 = audited 7 + already 3 + skipped 4 + failed 7 + unknown 2 + not reached 17"),
        (
            "BillClose",
            Lang::En,
            "found 40 = done 7 + already done 3 + skipped 4 + failed 7 + unknown 2 + not reached 17",
        ),
        ("BillClose", Lang::Zh, "共 40 = 已完成 7 + 此前已完成 3 + 跳过 4 + 失败 7 + 未知 2 + 未轮到 17"),
    ] {
        let world = if op.is_empty() { World::new(false) } else { World::executing(op) };
        let mut c = Console::new(world.stopped(), lang, (160, 40)).collected();
        let facts: Vec<_> = c.world.run_facts().into_iter().skip(3).collect();
        c.send(Msg::Facts(Arc::from(facts)));
        assert!(
            text(&c).contains(&format!("{}{said}", if lang == Lang::En { ": " } else { "：" })),
            "{op}: {}",
            text(&c)
        );
    }
}
