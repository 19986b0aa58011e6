//! What the console does with keys, facts and answers: orders given, cursors kept, dialogs that cannot be slipped through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[path = "console/counts.rs"]
mod counts;
#[path = "console/flags.rs"]
mod flags;
#[path = "console/fresh.rs"]
mod fresh;
#[path = "console/ledger.rs"]
mod ledger;
#[path = "console/wide.rs"]
mod wide;
#[path = "screens/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use skydeck::domain::bill::*;
use skydeck::domain::command::{Command, Receipt, Selection, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::*;
use skydeck::domain::query::{Answer, Page, Query};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{Revision, RunEnd};
use skydeck::domain::server::{Server, ServerBound};
use skydeck::domain::who::Who;
use skydeck::text::Measure;
use skydeck::ui::msg::{Effect, Export, ExportFormat, Msg, PASTE, Ticket, Unpasted};
use skydeck::ui::{Lang, UiConfig, view};
use world::*;

fn console() -> Console {
    Console::new(World::new(false), Lang::En, (80, 24))
}

fn text(console: &Console) -> String {
    dump(&console.draw().0, Measure::Narrow).0
}

fn production() -> Console {
    Console::new(World::new(true), Lang::En, (80, 24)).collected()
}

fn orders(console: &Console) -> Vec<&'static str> {
    console.orders.iter().map(Command::verb).collect()
}

#[test]
fn r_starts_the_plan_under_the_cursor_and_the_set_is_approved_with_its_hash() {
    let mut c = console().collected();
    let plan = PlanId::new("sal-outstock-audit");
    assert_eq!(c.orders, [Command::Start { plan, params: StartParams::default() }]);
    assert!(text(&c).contains("Approve this set?"));
    c.wait(500);
    c.keys("y");
    let hash = SetHash::new("3fa9c1d27b00");
    assert_eq!(c.orders[1], Command::Approve { run: run_id(9), hash, typed: None, flags: vec![], reason: None });
}

#[test]
fn keys_typed_ahead_pasted_text_and_enter_never_approve() {
    let mut c = console().collected();
    c.keys("yy<Enter>");
    assert_eq!(orders(&c), ["start"], "the dialog was not read yet");
    assert!(text(&c).contains("Approve this set?"));
    c.wait(399);
    c.keys("y");
    assert_eq!(orders(&c), ["start"]);
    c.wait(1);
    c.send(Msg::Paste("y".into()));
    assert_eq!(orders(&c), ["start"]);
    c.keys("<Enter>");
    assert_eq!(orders(&c), ["start"], "the default is No");
    assert!(!text(&c).contains("Approve this set?"), "Enter leaves it for later");
    c.keys("a");
    c.wait(500);
    c.keys("n");
    assert_eq!(orders(&c), ["start", "decline"]);
}

#[test]
fn production_wants_the_number_typed() {
    let mut c = production();
    c.wait(500);
    c.send(Msg::Paste("31".into()));
    c.keys("<Enter>");
    assert_eq!(orders(&c), ["start"], "paste is ignored");
    c.keys("y13<Enter>");
    assert_eq!(orders(&c), ["start"]);
    c.keys("<C-u>31<Enter>");
    assert!(matches!(&c.orders[1], Command::Approve { typed: Some(t), .. } if t == "31"));
}

#[test]
fn an_environment_that_writes_nothing_is_said_on_every_screen_and_in_the_approval() {
    let address = |host: &str| Server { address: format!("https://{host}.invalid:443/k3cloud"), ..Server::default() };
    let env = EnvId::new("demo");
    let (was, is) = (address("old"), address("new"));
    let mut world = World::new(false);
    world.envs[0].home = Some(was.clone());
    world.envs[0].held = Some(Reason::WrongServer { env: env.clone(), was, is: is.clone() });
    let mut c = Console::new(world, Lang::En, (110, 30));
    let shown = text(&c);
    assert!(shown.contains("WRITES NOTHING") && !shown.contains("WRITE 1"), "{shown}");
    assert!(shown.contains("environment demo is https://new.invalid:443/k3cloud"), "said once, by itself: {shown}");
    c = c.collected();
    let shown = text(&c);
    assert!(shown.contains("Approve this set?") && shown.contains("https://old.invalid:443/k3cloud"), "{shown}");
    assert!(shown.contains("skydeck env adopt demo"), "with what to do: {shown}");
    // Somebody adopts the new address: everybody sees it.
    c.world.envs[0].held = None;
    c.world.envs[0].home = Some(is.clone());
    let bound = ServerBound { env, server: is, was: None, by: Who::of_person(1, "li", None), reason: None };
    let seq = c.world.run_facts().len() as u64 + 1;
    c.send(Msg::Facts(Arc::from(vec![fact(seq, NOW, Event::ServerBound(Box::new(bound)))])));
    let shown = text(&c);
    assert!(!shown.contains("WRITES NOTHING") && shown.contains("https://new.invalid:443/k3cloud"), "{shown}");
    for (lang, mode, said) in
        [(Lang::En, "READ-ONLY FOR GOOD", "read-only by its configuration"), (Lang::Zh, "永久只读", "配置中为永久只读")]
    {
        let mut world = World::new(false);
        world.envs[0].env.always_read_only = true;
        world.envs[0].unlocked_until = None;
        let mut c = Console::new(world, lang, (110, 30));
        c.keys("w");
        let shown = text(&c);
        assert!(shown.contains(mode) && shown.contains(said), "{shown}");
        assert!(c.orders.is_empty());
    }
}

#[test]
fn retry_is_about_all_that_match_then_the_marked_then_the_group_then_the_bill() {
    let retried = |c: &mut Console| {
        c.wait(500);
        c.keys("y");
        match c.orders.last() {
            Some(Command::Retry { selection, .. }) => selection.clone(),
            other => panic!("{other:?}"),
        }
    };
    let mut c = console().working();
    c.keys("3/status:failed<Enter>*R");
    let filter = Filter::parse("status:failed").unwrap();
    assert_eq!(retried(&mut c), Selection::Matching { plan: None, run: Some(run_id(9)), filter });
    let mut c = console().working();
    c.keys("3j<Space>jj<Space>R");
    assert_eq!(retried(&mut c), Selection::Bills(vec![key_of("demo", 2), key_of("demo", 5)]));
    let mut c = console();
    c.keys("4jR");
    let filter = Filter::parse("status:failed cause:stock").unwrap();
    assert_eq!(retried(&mut c), Selection::Matching { plan: None, run: None, filter });
    let mut c = console().working();
    c.keys("3jR");
    assert_eq!(retried(&mut c), Selection::Bills(vec![key_of("demo", 2)]));
}

#[test]
fn what_cannot_be_retried_gives_no_order() {
    let mut c = console().working();
    c.keys("3/status:already_audited<Enter>*R");
    assert!(text(&c).contains("eligible 0"));
    c.wait(500);
    c.keys("y");
    assert!(c.orders.is_empty() && text(&c).contains("nothing here can be retried"));
}

#[test]
fn the_filter_is_kept_after_an_action_and_a_fault_is_shown_at_its_place() {
    let mut c = console().working();
    c.keys("3/cause:stock<Enter>jc");
    c.wait(500);
    c.keys("counted again<Enter>");
    assert!(matches!(&c.orders[0], Command::Resolve { reason, .. } if reason == "counted again"));
    assert!(text(&c).contains("/cause:stock"));
    c.keys("/<C-u>age:>2y<Enter>");
    let (buf, drawn) = c.draw();
    assert_eq!(drawn.caret, Some((2 + 4, 22)), "the caret stands at the fault");
    assert!(dump(&buf, Measure::Narrow).0.contains("^ `>2y` is no age"));
    c.keys("<Esc>");
    assert!(text(&c).contains("/cause:stock"));
    c.keys("/<C-u>cau<Tab>sto<Tab><Enter>");
    assert!(text(&c).contains("/cause:stock"), "keys and values are completed");
    for word in ["原因:库存不足", "cause:stock"] {
        c.keys(&format!("/<C-u>{word}<Enter>"));
        assert!(text(&c).contains("/cause:stock"), "the word that is shown is as good as the name: {}", text(&c));
    }
}

#[test]
fn the_cursor_stays_on_its_bill_when_the_list_changes_under_it() {
    let mut c = console().working();
    c.keys("3jjjj");
    let marked = |c: &Console| text(c).lines().find(|l| l.starts_with('▌')).unwrap().to_owned();
    assert!(marked(&c).contains("XSCKD000005"));
    c.world.bills.drain(0..3);
    c.send(Msg::Resync(Box::new({
        let mut live = skydeck::domain::live::Live::default();
        for f in c.world.run_facts() {
            live.apply(&f);
        }
        live
    })));
    assert!(marked(&c).contains("XSCKD000005"), "{}", text(&c));
}

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
        (Lang::Zh, "! 自行停止", "连续 3 次调用没有可用的响应", "未批准，未做任何处理", "待处理 31"),
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
fn forms_give_the_orders_they_say() {
    let mut c = console();
    c.keys("o");
    c.wait(500);
    c.keys("2026-11-01<Tab>2026-11-30<Tab>XS1 XS2，XS3<Tab> <Enter>");
    let params = StartParams {
        sweep: true,
        numbers: ["XS1", "XS2", "XS3"].map(str::to_owned).to_vec(),
        since: Some("2026-11-01".into()),
        until: Some("2026-11-30".into()),
        remedy: false,
    };
    assert!(matches!(&c.orders[0], Command::Start { params: p, .. } if *p == params), "{:?}", c.orders);
    c.keys("P");
    c.wait(500);
    c.keys("<C-u>0<Enter>");
    assert!(text(&c).contains("`0` is no number"));
    c.keys("<C-u>120<Enter>");
    let env = EnvId::new("demo");
    assert_eq!(c.orders[1], Command::SetPace { env: env.clone(), per_minute: Some(120), concurrency: Some(1) });
    c.keys("w");
    assert_eq!(c.orders[2], Command::Lock { env });
    c.keys("4e");
    c.wait(500);
    c.keys("<BackTab> <Enter>");
    let export = c.effects.iter().find_map(|e| match e {
        Effect::Export(x) => Some(x.clone()),
        _ => None,
    });
    let scope = skydeck::domain::query::Scope::Ledger;
    let want =
        Export { scope, filter: Filter::default(), format: ExportFormat::JsonLines, path: "ledger.jsonl".into() };
    assert_eq!(export, Some(want));
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
fn numbers_before_a_move_repeat_it_and_copy_takes_the_number() {
    use skydeck::ui::msg::{Code, Key};
    let mut c = console().working();
    c.keys("3");
    for d in ['1', '2'] {
        c.send(Msg::Key(Key { code: Code::Char(d), ctrl: false, alt: true }));
    }
    c.keys("jy");
    assert!(c.effects.contains(&Effect::Copy("XSCKD000013".into())), "{}", text(&c));
}

#[test]
fn a_count_begins_with_its_sign_is_seen_and_moves_aims_and_marks() {
    let mut c = console().working();
    c.keys("3#12");
    assert!(text(&c).contains("count 12_"), "{}", text(&c));
    c.keys("jy");
    assert!(c.effects.contains(&Effect::Copy("XSCKD000013".into())), "{}", text(&c));
    for (keys, no) in
        [("#20Gy", 20), ("#5gy", 5), ("#3#2jy", 7), ("#9<Backspace>jy", 8), ("#4<Esc>jy", 9), ("#0jy", 10)]
    {
        c.effects.clear();
        c.keys(keys);
        assert!(c.effects.contains(&Effect::Copy(format!("XSCKD{no:06}"))), "{keys}: {}", text(&c));
    }
    c.keys("#999Gy");
    assert!(c.effects.contains(&Effect::Copy("XSCKD000040".into())), "the last row, where there are fewer");
    c.keys("#1G#5<Space>");
    assert!(text(&c).contains("5 marked"), "{}", text(&c));
    c.keys("u#38G#9<Space>");
    assert!(text(&c).contains("3 of 9 marked: the list ends here"), "{}", text(&c));
    // A digit alone is still a pane, and a pane is none while a count is typed.
    c.keys("#4jy1");
    assert!(text(&c).contains("sal-outstock-audit") || c.orders.is_empty());
}

#[test]
fn the_values_of_a_key_are_offered_before_their_absence_is_a_fault() {
    let mut c = console();
    c.keys("4/cau<Tab>");
    assert!(text(&c).contains("cause:timed_out"), "{}", text(&c));
    c.keys("<Enter>");
    assert!(text(&c).contains("wants a value"), "{}", text(&c));
    c.keys("<Tab><Enter>");
    assert!(text(&c).contains("/cause:timed_out"), "{}", text(&c));
}

#[test]
fn a_count_before_a_key_that_takes_none_does_nothing() {
    let mut c = console();
    c.keys("#2r");
    assert!(c.orders.is_empty() && text(&c).contains("run takes no count: nothing was done"), "{}", text(&c));
    c.keys("r");
    assert_eq!(orders(&c), ["start"]);
}

#[test]
fn plain_digits_are_counts_where_the_operator_says_so() {
    use skydeck::ui::Digits;
    use skydeck::ui::msg::{Code, Key};
    let config = UiConfig { lang: Lang::En, digits: Digits::Counts, ..UiConfig::default() };
    let mut c = Console::with(World::new(false), config).working();
    c.send(Msg::Key(Key { code: Code::Char('3'), ctrl: false, alt: true }));
    c.keys("12jy");
    assert!(c.effects.contains(&Effect::Copy("XSCKD000013".into())), "{}", text(&c));
    c.send(Msg::Resize(120, 36));
    let mut buf = Buffer::empty(Rect::new(0, 0, 120, 36));
    view(&c.model, &mut buf);
    assert!(dump(&buf, Measure::Narrow).0.contains("Alt-3 Results"), "the tabs name the keys in force");
}

#[test]
fn the_revision_is_chosen_in_the_dialog_and_goes_with_the_order() {
    let chosen = |rows: Vec<skydeck::domain::query::RevisionRow>, keys: &str| {
        let mut world = World::new(false);
        world.revisions = rows;
        let mut c = Console::new(world, Lang::En, (80, 24));
        c.keys("4jR");
        c.wait(500);
        c.keys(keys);
        let seen = text(&c);
        c.keys("y");
        match c.orders.last() {
            Some(Command::Retry { revision, .. }) => (*revision, seen),
            other => panic!("{other:?}\n{seen}"),
        }
    };
    let (revision, seen) = chosen(vec![older("41b0c7e2f5", true, 9)], "");
    assert_eq!(revision, Revision::Newest);
    assert!(seen.contains("9f2c01d4") && seen.contains("41b0c7e2"), "both are seen: {seen}");
    assert_eq!(chosen(vec![older("41b0c7e2f5", true, 9)], "o").0, Revision::Original);
    assert_eq!(chosen(vec![older("41b0c7e2f5", true, 9)], "oo").0, Revision::Newest);
    let (revision, seen) = chosen(vec![older("41b0c7e2f5", false, 9)], "o");
    assert_eq!(revision, Revision::Newest, "what is not kept cannot be chosen");
    assert!(seen.contains("not kept here"), "{seen}");
    let (revision, seen) = chosen(vec![older("9f2c01d4aa", true, 9)], "o");
    assert_eq!(revision, Revision::Newest);
    assert!(!seen.contains("9f2c01d4"), "no choice where there is none: {seen}");
}

#[test]
fn the_list_hint_lets_a_move_of_the_list_become_a_scroll() {
    let mut c = console().working();
    c.keys("3z");
    let first = c.draw().1.list.unwrap();
    assert_eq!((first.top, first.bottom), (4, 22));
    c.keys("<C-d><C-d><C-d>");
    let second = c.draw().1.list.unwrap();
    assert_eq!(first.id, second.id);
    assert!(second.first > first.first);
    c.keys("?");
    assert_eq!(c.draw().1.list, None, "nothing may scroll under a dialog");
}

/// Keys that walk through everything.
const WALK: &[&str] = &[
    "",
    "2j",
    "3jj",
    "3z",
    "4",
    "4jl",
    "5",
    "5j",
    "3j<Enter>t",
    "7",
    "?",
    ":re",
    "3/cau",
    "3*R",
    "3e",
    "P",
    "o",
    "q",
    "x",
    "n",
];

/// Text as an ERP might send it: wide, combining, ambiguous, hostile.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("库存"),
        Just("①±—…"),
        Just("e\u{301}\u{301}"),
        Just("👨‍👩‍👧"),
        Just("👨\u{ff9e}"),
        Just("\u{202e}abc"),
        Just("\u{1b}[2J"),
        Just("\u{200b}"),
        Just("ｱﾞ"),
        Just("\u{1100}\u{1161}\u{11a8}"),
        Just("한국"),
        Just("🇨🇳🇨"),
        Just("a b"),
        Just("\t"),
        Just("\u{feff}"),
        Just("½"),
        Just("\u{0e33}"),
        Just("\u{fe0f}❤\u{fe0f}"),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|p| p.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn no_size_panics_and_nothing_is_painted_outside(
        w in 0u16..=300, h in 0u16..=100, walk in 0..WALK.len(), text in nasty(), ascii: bool, zh: bool, wide: bool,
    ) {
        let mut world = World::new(false);
        for (i, bill) in world.bills.iter_mut().enumerate() {
            if let BillState::Settled(Outcome::Failed(f)) = &mut bill.state {
                f.message = text.clone();
            }
            if i % 3 == 0 {
                bill.no = format!("{text}{i}");
                bill.columns[1] = text.clone();
            }
        }
        let Ok(plan) = &mut world.plans[0].plan else { unreachable!() };
        plan.name = text.clone();
        world.envs[0].env.account_set = text;
        let lang = if zh { Lang::Zh } else { Lang::En };
        let measure = if wide { Measure::Wide } else { Measure::Narrow };
        let config = UiConfig { lang, ascii, measure, size: (w, h), ..UiConfig::default() };
        let mut c = Console::with(world, config).working();
        c.keys(WALK[walk]);
        let mut buf = Buffer::empty(Rect::new(0, 0, w, h));
        let drawn = view(&c.model, &mut buf);
        if let Some((x, y)) = drawn.caret {
            prop_assert!(x <= w && y < h);
        }
        for y in 0..h {
            let mut x = 0;
            while x < w {
                let symbol = buf[(x, y)].symbol();
                let width = measure.cluster(symbol);
                prop_assert!(width <= 2 && symbol.len() <= 32, "{symbol:?}");
                prop_assert!(!symbol.chars().any(|c| c.is_control() || matches!(c, '\u{200b}' | '\u{202e}' | '\u{feff}')), "{symbol:?}");
                x += width.max(1) as u16;
            }
            prop_assert_eq!(x, w, "a wide character stands across the edge of line {}", y);
        }
        // A second size, as after a resize, and back to life.
        c.send(Msg::Resize(80, 24));
        let mut buf = Buffer::empty(Rect::new(0, 0, 80, 24));
        view(&c.model, &mut buf);
    }
}

fn other() -> skydeck::domain::who::Who {
    skydeck::domain::who::Who {
        uid: 1005,
        login: "zhao".into(),
        from: Some("10.0.3.9".into()),
        name: None,
        origin: None,
        person: None,
    }
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
    assert!(!screen.contains("A run was interrupted") && screen.contains("zhao@10.0.3.9 was quicker"), "{screen}");
}

#[test]
fn a_second_approval_that_is_asked_shows_on_another_console_with_the_time_left() {
    use skydeck::domain::run::Consent;
    let mut c = Console::new(World::new(false), Lang::En, (100, 30)).collected();
    c.keys("<Esc>");
    let consent =
        Consent { by: other(), hash: c.world.collected().hash, flags: vec![], reason: None, at: NOW, left: None };
    c.send(Msg::Facts(Arc::from(vec![fact(20_000, NOW, Event::RunConsented { run: run_id(9), consent })])));
    let words = |left: &str| format!("zhao@10.0.3.9 approved, a second person within {left}");
    assert!(text(&c).contains(&words("10:00")), "{}", text(&c));
    assert_eq!(c.model.wants_tick(), Some(Duration::from_secs(1)));
    c.wait(61_000);
    assert!(text(&c).contains(&words("8:59")), "{}", text(&c));
    c.wait(540_000);
    assert!(!text(&c).contains("a second person within"), "{}", text(&c));
}

#[test]
fn a_run_that_left_everything_as_it_was_says_how_much_and_what_calls_it() {
    use skydeck::domain::run::{Collected, RunEnd, Unchanged};
    for (lang, words) in [
        (Lang::Zh, "86 张未变化，不再调用；在未结页按 R 重试"),
        (Lang::En, "86, unchanged: not called again; R on the ledger retries"),
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
    assert!(
        screen.contains("zhao@10.0.3.9 approved at") && screen.contains("another approver confirms here"),
        "{screen}"
    );
    assert!(screen.contains("waved through in this run: STK_InvCheckResult"), "the same rules: {screen}");
    // Ten minutes later it is a first word again.
    c.keys("<Esc>");
    c.wait(601_000);
    c.keys("a");
    let screen = text(&c);
    assert!(
        !screen.contains("approved at") && !screen.contains("waved through in this run: STK_InvCheckResult"),
        "{screen}"
    );
    let approved = Event::RunApproved {
        run: run_id(9),
        by: other(),
        hash: c.world.collected().hash,
        flags: vec![],
        reason: None,
        boot: None,
    };
    c.send(Msg::Facts(Arc::from(vec![fact(at + 1, NOW, approved)])));
    assert!(!text(&c).contains("Approve this set?") && text(&c).contains("was quicker"), "{}", text(&c));
}

#[test]
fn several_groups_of_the_ledger_stay_unfolded_and_the_cursor_walks_through_them() {
    let mut console = Console::new(World::new(false), Lang::En, (120, 36)).working();
    let unfolded = |console: &Console| text(console).matches('▾').count();
    console.keys("4<Enter>");
    assert_eq!(unfolded(&console), 1);
    console.keys("kG<Enter>");
    assert_eq!(unfolded(&console), 2);
    // Up, out of the last group's entries and through the others, to the top, and down again.
    console.keys("kkkkkkkkkkkkkkkkkkkk");
    let top = text(&console);
    console.keys("jjjjjjjjjjjjjjjjjjjj");
    let bottom = text(&console);
    let bar = |screen: &str| screen.lines().skip(4).position(|line| line.contains('▌'));
    let (first, last) = (bar(&top), bar(&bottom));
    assert!(first.is_some() && first < last, "{top}\n{bottom}");
    console.keys("gg");
    assert_eq!(unfolded(&console), 2);
    // The group under the cursor folds alone; on a folded one, all do.
    console.keys("<Esc>");
    assert_eq!(unfolded(&console), 1, "{}", text(&console));
    console.keys("k<Esc>");
    assert_eq!(unfolded(&console), 0, "{}", text(&console));
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

#[test]
fn full_width_keys_are_their_twins_in_lists_and_dialogs_and_themselves_in_texts() {
    let mut c = console();
    c.keys("？");
    assert!(text(&c).contains("Help"), "{}", text(&c));
    c.keys("<Esc>ｒ");
    assert_eq!(orders(&c), ["start"]);
    let mut c = console().collected();
    c.wait(500);
    c.keys("ｙ");
    assert_eq!(orders(&c), ["start", "approve"], "the key of a person who reads the dialog");
    // An input method writes the ideographic comma with the key of the slash.
    let mut c = console();
    c.keys("３、ｒ１？");
    assert!(text(&c).contains("ｒ１？"), "a text is what was written: {}", text(&c));
    assert!(orders(&c).is_empty());
}

#[test]
fn a_paste_that_is_not_whole_changes_nothing_and_is_said() {
    let mut c = console();
    c.keys("3/ab");
    c.send(Msg::Paste("x".repeat(PASTE + 1)));
    let shown = text(&c);
    assert!(shown.contains("longer than 10000 characters") && !shown.contains("abx"), "{shown}");
    c.send(Msg::Unpasted(Unpasted::Cut));
    assert!(text(&c).contains("the end of the pasted text never came"), "{}", text(&c));
    c.send(Msg::Paste("cd".to_owned()));
    assert!(text(&c).contains("abcd"), "one that is whole is taken: {}", text(&c));
    // Where nothing takes text, a paste was never of use.
    let mut c = console();
    c.send(Msg::Paste("r".repeat(PASTE + 1)));
    assert!(!text(&c).contains("characters"), "{}", text(&c));
}
