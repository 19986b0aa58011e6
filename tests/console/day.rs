//! Today and where its rows lead; the ledger's cursor while groups arrive.

use crate::world::*;
use skydeck::domain::command::{Command, Receipt};
use skydeck::domain::forecast::{Named, What};
use skydeck::domain::ids::PlanId;
use skydeck::domain::query::Query;
use skydeck::domain::time::Ts;
use skydeck::ui::msg::{Effect, Msg};
use skydeck::ui::{Lang, Start, UiConfig, update};

#[test]
fn the_runs_of_a_plan_lead_to_its_runs_of_the_span_also_after_another_number_led_to_bills() {
    let mut c = Console::new(World::new(false).after_a_night(), Lang::En, (120, 36));
    // The first plan's failed bills of the span, and nothing older.
    c.keys("0jjjjjlll<Enter>");
    let screen = text(&c);
    assert!(screen.contains("plan:sal-outstock-audit") && screen.contains("status:failed ran:>="), "{screen}");
    c.keys("0hh<Enter>");
    let screen = text(&c);
    assert!(screen.contains("plan:sal-outstock-audit ran:>=") && !screen.contains("status:failed"), "{screen}");
    // Runs of that plan alone, by days, and none of before the span.
    assert!(
        screen.contains("2026-11-23") && screen.contains("found nothing") && !screen.contains("2026-11-16"),
        "{screen}"
    );
    assert!(!screen.contains("采购入库单审核"), "{screen}");
    c.keys("<Enter>");
    assert!(text(&c).contains("▌5 History") || text(&c).contains("▌3 Results"), "{}", text(&c));
}

#[test]
fn as_long_as_nobody_moved_it_the_cursor_of_the_ledger_stands_on_the_first_group() {
    let mut world = World::new(false);
    let all = std::mem::take(&mut world.groups);
    world.groups = all[all.len() - 1..].to_vec();
    let mut c = Console::new(world, Lang::En, (120, 36));
    c.keys("4");
    c.world.groups.clone_from(&all);
    c.send(Msg::Resync(Box::default()));
    let screen = text(&c);
    let marked = screen.lines().position(|line| line.starts_with('▌')).unwrap();
    let titles = screen.lines().position(|line| line.contains("what to do")).unwrap();
    assert_eq!(marked, titles + 1, "{screen}");
}

#[test]
fn a_day_that_is_not_here_yet_is_refused_and_one_of_another_year_is_told_with_its_year() {
    for (lang, refused, since) in [
        (Lang::En, "`2999-01-01` is not here yet; expected a day up to today", "since 1999-01-01 00:00"),
        (Lang::Zh, "“2999-01-01”还没有到：请写今天或以前的日期", "自 1999-01-01 00:00 起"),
    ] {
        let mut c = Console::new(World::new(false).after_a_night(), lang, (120, 36));
        c.keys("0d2999-01-01");
        c.wait(500);
        c.keys("<Enter>");
        assert!(text(&c).contains(refused), "{}", text(&c));
        c.keys("<Esc>");
        c.keys("0d1999-01-01");
        c.wait(500);
        c.keys("<Enter>");
        assert!(text(&c).contains(since), "{}", text(&c));
    }
}

#[test]
fn a_hand_over_from_a_time_to_come_is_refused() {
    let mut c = Console::new(World::new(false).after_a_night(), Lang::En, (120, 36));
    c.keys("0e<Tab><Tab>");
    c.keys(&"<Backspace>".repeat(16));
    c.keys("2999-01-01 18:00");
    c.wait(500);
    c.keys("<Enter>");
    assert!(text(&c).contains("`2999-01-01 18:00` is not here yet"), "{}", text(&c));
}

#[test]
fn a_thousand_numbers_are_looked_for_at_once_and_of_more_it_is_said_how_many() {
    let numbers = |n: usize| (1..=n).map(|n| format!("XSCKD{n:07}\r\n")).collect::<Vec<_>>().concat();
    for (n, lang, said) in [
        (1_000, Lang::En, "of these numbers were never read"),
        (1_000, Lang::Zh, "个单号从未读取"),
        (1_001, Lang::En, "1,001 numbers: the first 1,000 were looked for"),
        (5_000, Lang::Zh, "共 5,000 个单号，只查前 1,000 个"),
    ] {
        let mut c = Console::new(World::new(false).after_a_night(), lang, (120, 36));
        c.keys("b");
        c.send(Msg::Paste(numbers(n)));
        c.wait(500);
        assert!(text(&c).contains(said), "{said}\n{}", text(&c));
        let last = format!("XSCKD{n:07}");
        assert!(text(&c).contains(&last), "the end of what is typed is in view: {last}\n{}", text(&c));
    }
}

fn denied(c: &Console) -> Vec<Named> {
    let orders = c.effects.iter().filter_map(|effect| match effect {
        Effect::Submit(_, Command::Deny { alarm }) => Some(alarm.clone()),
        _ => None,
    });
    orders.collect()
}

#[test]
fn what_is_only_likely_is_said_to_be_no_alarm_on_its_row_and_on_the_page_and_nothing_certain_is() {
    for page in [false, true] {
        let mut world = World::new(false);
        world.quiet = true;
        let mut c = Console::new(world, Lang::En, (120, 36));
        c.keys("0g");
        // The first row is a broken plan's: a fact.
        c.keys("!");
        assert_eq!(denied(&c), [], "{}", text(&c));
        assert!(text(&c).contains("is certain, or no alarm"), "{}", text(&c));
        c.keys(if page { "jF!" } else { "j!" });
        let named = Named { plan: PlanId::new("sal-outstock-audit"), what: What::Quiet, group: None };
        assert_eq!(denied(&c), [named], "{page}: {}", text(&c));
    }
}

#[test]
fn what_was_said_to_be_no_alarm_goes_from_the_page_once_the_engine_took_it() {
    let mut world = World::new(false);
    world.quiet = true;
    let mut c = Console::new(world, Lang::En, (120, 36));
    c.keys("0gjF!");
    let ticket = c.effects.iter().rev().find_map(|effect| match effect {
        Effect::Submit(ticket, Command::Deny { .. }) => Some(*ticket),
        _ => None,
    });
    assert!(text(&c).contains("> quiet") && text(&c).contains("what is marked is no alarm"), "{}", text(&c));
    c.world.quiet = false;
    c.send(Msg::Receipt(ticket.unwrap(), Ok(Receipt::Accepted { run: None, more: Vec::new(), bills: 0 })));
    assert!(!text(&c).contains("> quiet"), "{}", text(&c));
    assert!(!text(&c).contains("what is marked is no alarm"), "nothing is marked\n{}", text(&c));
}

#[test]
fn a_year_whose_holidays_nobody_wrote_down_is_named_on_the_page_with_what_to_do() {
    for (lang, words) in
        [(Lang::En, ["holidays of 2027", "newer Skydeck"]), (Lang::Zh, ["2027 年的节假日", "新版 Skydeck"])]
    {
        let page = |unknown_year| {
            let mut world = World::new(false);
            (world.quiet, world.unknown_year) = (true, unknown_year);
            let mut c = Console::new(world, lang, (120, 36));
            c.keys("0gjF");
            text(&c)
        };
        let (known, unknown) = (page(None), page(Some(2027)));
        for word in words {
            assert!(unknown.contains(word) && !known.contains(word), "{word}: {unknown}");
        }
    }
}

#[test]
fn a_plan_that_has_run_is_not_said_to_have_no_run_yet_where_none_is_in_view() {
    let config = UiConfig { lang: Lang::Zh, size: (80, 24), start: Start::Today, ..UiConfig::default() };
    let mut c = Console::with(World::new(false), config);
    let screen = text(&c);
    assert!(screen.contains("未选中运行") && !screen.contains("还没有运行"), "{screen}");
    c.keys("3");
    assert!(!text(&c).contains("未选中运行"), "3 brings the newest into view: {}", text(&c));
}

/// An engine that is gone, or cannot read: the picture gets old, and asking for it again and again would keep a processor busy.
#[test]
fn a_picture_that_cannot_be_made_again_is_asked_for_once_in_five_minutes() {
    let mut c = Console::new(World::new(false), Lang::En, (120, 36));
    c.keys("0");
    c.send(Msg::EngineGone(Some("the engine ended".into())));
    let mut asked = 0;
    for _ in 0..11 {
        c.now = Ts(c.now.0 + 60_000);
        let mut effects = update(&mut c.model, Msg::Now(c.now));
        for _ in 0..100 {
            let today = effects.iter().find_map(|effect| match effect {
                Effect::Ask(ticket, Query::Today(_)) => Some(*ticket),
                _ => None,
            });
            let Some(ticket) = today else { break };
            asked += 1;
            effects = update(&mut c.model, Msg::Answered(ticket, Err("the engine ended".into())));
        }
    }
    assert!((1..=3).contains(&asked), "asked {asked} times in 11 minutes");
}
