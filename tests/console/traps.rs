//! No traps and no silence: whatever is pressed something happens or is said, and where rows are a cursor stands on one of them.

use std::time::Duration;

use skydeck::domain::event::Event;
use skydeck::domain::ids::Seq;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{Consent, PauseWhy};
use skydeck::text::Measure;
use skydeck::ui::keymap::{Action, Keymap, PANES, Scope, TABLE, name_of, reaches};
use skydeck::ui::msg::{Effect, Msg};
use skydeck::ui::{Lang, UiConfig};

use crate::world::*;

type Make = fn(Lang) -> Console;

const SIZE: (u16, u16) = (80, 24);

fn keyed(mut console: Console, keys: &str) -> Console {
    console.keys(keys);
    console
}

fn calm(lang: Lang) -> Console {
    Console::new(World::new(false), lang, SIZE)
}

/// The states in which the world can be.
const STATES: &[(&str, Make)] = &[
    ("calm", calm),
    ("working", |l| calm(l).working()),
    ("empty", |l| {
        let mut world = World::new(false);
        world.empty = true;
        Console::new(world, l, SIZE)
    }),
    ("collected", |l| keyed(calm(l).collected(), "<Esc>")),
    ("production", |l| Console::new(World::new(true), l, SIZE)),
    ("interrupted", |l| {
        let world = World::new(false);
        let live = interrupted(&world);
        keyed(Console::with(world, UiConfig { lang: l, size: SIZE, live, ..UiConfig::default() }), "<Esc>")
    }),
    ("nothing matches", |l| keyed(calm(l).working(), "3/no:nope<Enter>4/no:nope<Enter>5/no:nope<Enter>")),
    ("selected, sorted, zoomed", |l| keyed(calm(l).working(), "3 |j<Enter><Esc>z")),
    ("paused by itself", |l| paused(l)),
];

fn paused(lang: Lang) -> Console {
    let mut console = calm(lang).working();
    let why = PauseWhy::Breaker(Reason::Unreachable { said: "connection refused".into() });
    tell(&mut console, Event::RunPaused { run: run_id(9), why, by: None });
    console
}

fn tell(console: &mut Console, event: Event) {
    let at = console.now;
    console.send(Msg::Facts(std::sync::Arc::from(vec![skydeck::domain::event::Fact { seq: Seq(9000), at, event }])));
}

/// Moves stand still at the ends of a list, and nobody wants to be told.
fn is_move(action: Action) -> bool {
    use Action as A;
    matches!(action, A::Down | A::Up | A::HalfDown | A::HalfUp | A::PageDown | A::PageUp | A::First | A::Last)
}

/// The picture without the lines that notes are in, and what was said.
fn seen(console: &Console) -> String {
    let (text, roles) = dump(&console.draw().0, Measure::Narrow);
    format!("{text}{roles}")
}

#[test]
fn every_key_of_every_pane_does_something_or_says_why_not() {
    let map = Keymap::standard();
    let mut silent = Vec::new();
    for (state, make) in STATES {
        for pane in PANES {
            for row in TABLE.iter().filter(|row| reaches(row, pane) && !is_move(row.action)) {
                let lang = if row.name.len() % 2 == 0 { Lang::En } else { Lang::Zh };
                let mut console = make(lang);
                let shows = TABLE.iter().find(|row| row.name == pane_name(pane)).unwrap();
                console.send(Msg::Key(map.keys(shows.action)[0]));
                // What was said until now was seen.
                console.send(Msg::Click { x: 0, y: 23 });
                let (before, effects) = (seen(&console), console.effects.len());
                console.send(Msg::Key(map.keys(row.action)[0]));
                let same_pane = row.action == shows.action;
                if seen(&console) == before && console.effects.len() == effects && !same_pane {
                    silent.push(format!("{state}: {pane:?}: {}", row.name));
                }
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

fn pane_name(pane: Scope) -> &'static str {
    match pane {
        Scope::Today => "today",
        Scope::Plans => "plans",
        Scope::Queue => "queue",
        Scope::Results => "results",
        Scope::Ledger => "ledger",
        Scope::History => "history",
        Scope::Bill => "bill",
        Scope::Log => "log",
        other => panic!("{other:?} is no pane"),
    }
}

#[test]
fn a_key_that_cannot_be_done_says_why_and_what_leads_on() {
    for (keys, en, zh) in [
        ("1p", "the run has ended; its bills are in Results (3)", "本次运行已结束；单据见结果页（3）"),
        ("4\\", "no filter is set; / sets one", "没有设置过滤；按 / 设置"),
        ("4u", "nothing is selected; Space selects a bill", "没有勾选；按 Space 勾选单据"),
        ("6t", "no bill is open; b finds one", "没有打开单据；按 b 按单号查找"),
        ("1Gr", "the plan's file cannot be used", "方案文件不可用"),
        ("4C", "nothing was resolved here", "此处没有办结过"),
        ("4Q", "Q means nothing here; ? lists the keys", "Q 在此没有作用；按 ? 查看按键"),
    ] {
        for (lang, said) in [(Lang::En, en), (Lang::Zh, zh)] {
            let mut console = Console::new(World::new(false), lang, (140, 30));
            console.keys(keys);
            assert!(text(&console).contains(said), "{keys}: {}", text(&console));
            let last = text(&console).lines().last().unwrap().to_owned();
            assert!(last.contains(" q "), "the keys are still there: {last}");
        }
    }
}

/// The entries of an unfolded group are set in.
fn is_marked(line: &str) -> bool {
    line.trim_start().starts_with('▌')
}

/// The list rows on which the cursor's marker stands; the tab line has one of its own.
fn marked(console: &Console) -> Vec<String> {
    text(console).lines().skip(2).filter(|line| is_marked(line)).map(str::to_owned).collect()
}

#[test]
fn the_queue_has_a_cursor_from_the_beginning_and_keeps_it_when_its_bill_is_gone() {
    let mut console = keyed(calm(Lang::En).working(), "2");
    assert_eq!(marked(&console).len(), 1, "{}", text(&console));
    console.keys("jj");
    let (before, screen) = (marked(&console), text(&console));
    assert_eq!(before.len(), 1, "{screen}");
    let row = |screen: &str| screen.lines().skip(2).position(is_marked);
    // Another present, in which the bill is shown no more.
    console.world.bills.retain(|bill| !before[0].contains(&bill.no));
    let mut live = skydeck::domain::live::Live::default();
    console.world.run_facts().iter().for_each(|fact| live.apply(fact));
    console.send(Msg::Resync(Box::new(live)));
    let after = marked(&console);
    assert!(after.len() == 1 && after != before, "{}", text(&console));
    assert_eq!(row(&text(&console)), row(&screen), "it stays in its row");
    console.keys(" ");
    assert!(text(&console).contains("1 selected"), "{}", text(&console));
}

#[test]
fn the_ledgers_cursor_stays_on_the_list_when_its_group_is_emptied_or_was_never_there() {
    let mut console = keyed(calm(Lang::En).working(), "4jj<Enter>jj");
    assert_eq!(marked(&console).len(), 1, "{}", text(&console));
    // The group that it is in is gone.
    console.world.groups.remove(2);
    tell(&mut console, Event::LedgerResolved { key: key_of("demo", 2), by: other(), reason: "done by hand".into() });
    console.wait(2000);
    assert_eq!(marked(&console).len(), 1, "{}", text(&console));
    // No hit, and back.
    for keys in ["/XSCKD999999<Enter>", "j", "\\", "j", "k"] {
        console.keys(keys);
        let expected = usize::from(!text(&console).contains("Nothing matches"));
        assert_eq!(marked(&console).len(), expected, "{keys}: {}", text(&console));
    }
    // From Today to a cause that the ledger has no longer, with a filter in force that would hide it.
    let mut console = keyed(calm(Lang::En).working(), "4/XSCKD000002<Enter>0");
    console.keys("jjj<Enter>");
    if text(&console).contains("▌4") {
        assert!(!text(&console).contains("/XSCKD000002"), "all of the cause are meant: {}", text(&console));
        assert_eq!(marked(&console).len(), 1, "{}", text(&console));
    }
}

#[test]
fn an_unfolded_group_without_bills_lets_the_cursor_through() {
    let mut world = World::new(false);
    world.bills.retain(|bill| bill.state.outcome().is_none_or(skydeck::domain::bill::Outcome::is_resolved));
    let mut console = keyed(Console::new(world, Lang::En, SIZE), "4<Enter>");
    for key in ["j", "j", "k", "k", "k"] {
        assert_eq!(marked(&console).len(), 1, "{}", text(&console));
        console.keys(key);
    }
    console.keys("g");
    let first = marked(&console);
    console.keys("j");
    assert_ne!(marked(&console), first, "it moves on: {}", text(&console));
}

#[test]
fn what_is_run_is_the_plan_under_the_cursor_also_when_the_one_before_is_gone() {
    let mut console = keyed(calm(Lang::En), "1j");
    console.world.plans.remove(1);
    console.send(Msg::PlansReloaded);
    console.wait(2000);
    assert!(marked(&console)[0].contains("broken"), "{}", text(&console));
    console.keys("r");
    assert!(text(&console).contains("file cannot be used"), "{}", text(&console));
    assert_eq!(orders(&console), [] as [&str; 0], "nothing is ordered for a plan that is not seen");
}

#[test]
fn todays_cursor_stays_where_it_was_when_its_row_is_gone() {
    let mut console = keyed(calm(Lang::En), "0jjj");
    let line = |console: &Console| text(console).lines().skip(2).position(is_marked);
    let (before, was) = (line(&console), marked(&console));
    let group = console.world.groups.iter().position(|g| was[0].contains(&format!(" {} ", g.count))).unwrap_or(0);
    console.world.groups.remove(group);
    console.send(Msg::Resync(Box::default()));
    console.wait(2000);
    assert_eq!(marked(&console).len(), 1, "{}", text(&console));
    assert!(line(&console).unwrap().abs_diff(before.unwrap()) <= 1, "{}", text(&console));
}

#[test]
fn a_pause_by_the_breaker_is_not_hidden_by_what_came_before_or_after_it_and_is_among_the_notices() {
    for (lang, said, next) in [(Lang::En, "paused by itself", "goes on"), (Lang::Zh, "已自动暂停", "继续")] {
        let mut console = calm(lang).working();
        console.send(Msg::Done(Ok("green".into())));
        let why = PauseWhy::Breaker(Reason::Unreachable { said: "connection refused".into() });
        tell(&mut console, Event::RunPaused { run: run_id(9), why, by: None });
        console.send(Msg::Done(Ok("green again".into())));
        let screen = text(&console);
        let line = screen.lines().find(|line| line.contains(said) && line.contains('!')).unwrap_or_default();
        assert!(line.contains(next) && !screen.contains("green again"), "{screen}");
        assert!(screen.lines().last().unwrap().contains(" q "), "{screen}");
        console.keys("n");
        let screen = text(&console);
        for part in [said, next, "green again"] {
            assert!(screen.contains(part), "{part}: {screen}");
        }
        // One that was paused before anybody looked is told, too.
        let mut live = skydeck::domain::live::Live::default();
        let world = World::new(false);
        world.run_facts().iter().for_each(|fact| live.apply(fact));
        let why = PauseWhy::Breaker(Reason::Unreachable { said: "connection refused".into() });
        live.apply(&fact(9999, before(10), Event::RunPaused { run: run_id(9), why, by: None }));
        let mut late = Console::with(world, UiConfig { lang, size: SIZE, live, ..UiConfig::default() });
        late.keys("n");
        assert!(text(&late).contains(said), "{}", text(&late));
    }
}

fn consented(lang: Lang, from: &str) -> Console {
    let mut console = Console::new(World::new(true), lang, (110, 30));
    let facts: Vec<_> = console.world.run_facts().into_iter().take(3).collect();
    console.keys(from);
    console.send(Msg::Facts(std::sync::Arc::from(facts)));
    let hash = console.world.collected().hash;
    let at = console.now;
    let consent = Consent { by: other(), hash, flags: vec![], reason: None, at, left: None };
    tell(&mut console, Event::RunConsented { run: run_id(9), consent });
    console
}

#[test]
fn the_second_approver_sees_request_and_time_left_wherever_he_is_and_one_key_from_today_opens_it() {
    for (lang, head, note) in
        [(Lang::En, "2nd approver 9:5", "one more person within"), (Lang::Zh, "待第二人批准 9:5", "还须第二人批准")]
    {
        for from in ["0", "4", "7"] {
            let mut console = consented(lang, from);
            assert!(text(&console).contains(note), "{}", text(&console));
            console.wait(3000);
            let first = text(&console).lines().next().unwrap().to_owned();
            assert!(first.contains(head), "{first}");
            console.keys("0");
            assert!(text(&console).contains("zhao"), "Today names who asks: {}", text(&console));
            console.keys("a");
            let asked = if lang == Lang::En { "Approve this set?" } else { "批准本批清单？" };
            assert!(text(&console).contains(asked), "{}", text(&console));
        }
    }
}

#[test]
fn the_approval_says_what_can_be_ignored_and_why_not() {
    let mut console = calm(Lang::En).collected();
    let plan = console.world.plans[0].plan.clone().unwrap();
    let flags = &plan.target.stripped_flags;
    assert!(
        !flags.is_empty() && text(&console).contains("i ignores in this run, with a reason:"),
        "{}",
        text(&console)
    );
    for (lang, said) in [(Lang::En, "i can ignore nothing here"), (Lang::Zh, "按 i 无可忽略")] {
        let mut world = World::new(false);
        if let Ok(plan) = &mut world.plans[0].plan {
            plan.target.stripped_flags.clear();
        }
        console = Console::new(world, lang, SIZE).collected();
        console.wait(500);
        console.keys("i");
        assert!(text(&console).contains(said), "{}", text(&console));
    }
}

#[test]
fn an_unlock_of_another_console_is_said_to_be_shared_and_when_it_ends() {
    for (lang, head, dialog) in
        [(Lang::En, "shared: zhao", "Writing was unlocked by zhao"), (Lang::Zh, "共用：zhao", "写入由 zhao")]
    {
        let mut world = World::new(true);
        world.envs[0].unlocked_until = Some(NOW.plus(Duration::from_secs(700)));
        world.envs[0].unlocked_by = Some(other());
        let mut console = Console::new(world, lang, (110, 30));
        assert!(text(&console).lines().next().unwrap().contains(head), "{}", text(&console));
        console = console.collected();
        assert!(text(&console).contains(dialog), "{}", text(&console));
        // The console's own says the time alone.
        let mut console = Console::new(World::new(true), lang, (110, 30));
        console.keys("w");
        console.wait(500);
        console.keys("month end<Enter>");
        assert_eq!(orders(&console), ["unlock"]);
        console.world.envs[0].unlocked_until = Some(NOW.plus(Duration::from_secs(900)));
        console.world.envs[0].unlocked_by = Some(who());
        console.send(Msg::Pulse(console.world.pulse()));
        let first = text(&console).lines().next().unwrap().to_owned();
        assert!(first.contains("14:59") && !first.contains(head.split(['：', ':']).next().unwrap()), "{first}");
    }
}

#[test]
fn what_was_resolved_is_counted_asked_and_can_be_put_back() {
    let mut console = keyed(calm(Lang::En).working(), "4jc");
    assert!(text(&console).contains("bills"), "the number stands before the reason: {}", text(&console));
    console.wait(500);
    console.keys("sent back<Enter>");
    assert_eq!(orders(&console), ["resolve"]);
    let keys = [key_of("demo", 2), key_of("demo", 6)];
    for (i, key) in keys.iter().enumerate() {
        let resolved = Event::LedgerResolved { key: key.clone(), by: who(), reason: "sent back".into() };
        tell(&mut console, resolved);
        // Somebody else's are not ours to put back by the way.
        let theirs = Event::LedgerResolved { key: key_of("demo", 20 + i as u64), by: other(), reason: "other".into() };
        tell(&mut console, theirs);
    }
    let ticket = console.effects.iter().rev().find_map(|e| match e {
        Effect::Submit(ticket, _) => Some(*ticket),
        _ => None,
    });
    let taken = skydeck::domain::command::Receipt::Accepted { run: None, more: vec![], bills: 2 };
    console.send(Msg::Receipt(ticket.unwrap(), Ok(taken)));
    assert!(text(&console).contains("Resolved 2 bills; C re-opens them"), "{}", text(&console));
    console.keys("C");
    assert!(text(&console).contains("2 bills that you resolved last"), "{}", text(&console));
    console.wait(500);
    console.keys("not yet<Enter>");
    let mut reopened: Vec<_> = match console.orders.last() {
        Some(skydeck::domain::command::Command::Reopen { keys, reason }) if reason == "not yet" => keys.clone(),
        other => panic!("{other:?}"),
    };
    reopened.sort();
    let mut expected = keys.to_vec();
    expected.sort();
    assert_eq!(reopened, expected);
    assert_eq!(name_of(Action::Reopen), "reopen");
}

/// A store that is being opened, or whose index is made anew: nobody knows yet what is in it.
#[test]
fn nothing_is_said_of_what_is_not_read_yet_while_the_store_is_being_opened() {
    for (lang, none, said) in [
        (Lang::En, "No unfinished run", "the records are being opened"),
        (Lang::Zh, "没有进行中的运行", "正在打开记录"),
    ] {
        let mut world = World::new(false);
        world.empty = true;
        let mut c = Console::new(world, lang, SIZE);
        c.keys("2");
        assert!(text(&c).contains(none), "{}", text(&c));
        c.send(Msg::Opening("rebuilding".into()));
        for pane in ["2", "3"] {
            c.keys(pane);
            assert!(!text(&c).contains(none), "{pane}: {}", text(&c));
            for key in ["a", "R"] {
                c.keys(key);
                assert!(text(&c).contains(said), "{pane} {key}: {}", text(&c));
            }
        }
    }
}
