//! The orders that keys and dialogs give: to the set that was shown, with what was typed, and none by a key too many.

use std::sync::Arc;

use crate::world::*;
use skydeck::domain::command::{Command, Selection, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::*;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::Revision;
use skydeck::domain::server::{Server, ServerBound};
use skydeck::domain::step::Made;
use skydeck::domain::who::Who;
use skydeck::ui::Lang;
use skydeck::ui::msg::{Effect, Export, ExportFormat, Msg};

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
    assert!(c.orders.is_empty() && text(&c).contains("Nothing here can be retried"));
}

#[test]
fn a_list_of_bill_numbers_is_pasted_and_one_that_cannot_be_asked_for_is_named_and_opens_nothing() {
    let mut c = console();
    c.keys("o");
    c.wait(500);
    c.keys("<Tab><Tab>");
    c.send(Msg::Paste("XS1\r\n\u{201c}XS2\u{201d}\nxs1\nA--B\n".into()));
    c.keys("<Enter>");
    assert!(c.orders.is_empty() && text(&c).contains("cannot be asked for"), "{}", text(&c));
    c.keys("<C-u>");
    c.send(Msg::Paste("XS1\r\n\u{201c}XS2\u{201d}\nxs1\n".into()));
    c.keys("<Enter>");
    let asked = ["XS1", "XS2"].map(str::to_owned).to_vec();
    assert!(matches!(&c.orders[0], Command::Start { params, .. } if params.numbers == asked), "{:?}", c.orders);
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
        due: None,
    };
    assert!(matches!(&c.orders[0], Command::Start { params: p, .. } if *p == params), "{:?}", c.orders);
    c.keys("P");
    c.wait(500);
    c.keys("<C-u>0<Enter>");
    assert!(text(&c).contains("`0` is not a number"));
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
    let want = Export {
        scope,
        filter: Filter::default(),
        format: ExportFormat::JsonLines,
        path: "ledger-2026-11-23-2152.jsonl".into(),
        force: false,
    };
    assert_eq!(export, Some(want));
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
fn what_would_be_sent_and_what_is_there_is_looked_at_from_the_approval_which_approves_nothing_meanwhile() {
    for (lang, size, words) in [
        (Lang::En, (80, 24), ["looked for by key", "not there yet", "there with other content", "is no date"]),
        (Lang::Zh, (200, 60), ["按键字段查找", "尚不存在", "已存在且内容不同", "is no date"]),
    ] {
        let mut world = World::new(false);
        world.makes = true;
        let mut c = Console::new(world, lang, size).collected();
        let dialog = text(&c);
        assert!(dialog.contains(words[0]) && dialog.contains("3fa9c1d2"), "{dialog}");
        c.wait(500);
        c.keys("<Down>");
        let mut pages = String::new();
        for _ in 0..4 {
            pages.push_str(&text(&c));
            c.keys(" ");
        }
        assert!(words[1..].iter().all(|words| pages.contains(words)), "{pages}");
        // Every digit as it is sent, and nothing that turns the line around.
        assert!(pages.contains("12345678901234567890.1234567890") && !pages.contains('\u{202e}'), "{pages}");
        c.keys("<Esc>");
        assert!(text(&c).contains(words[0]) && orders(&c) == ["start"], "the approval is back: {}", text(&c));
        c.keys("y");
        assert_eq!(orders(&c), ["start"], "and it was not read yet");
        c.wait(500);
        c.keys("y");
        assert_eq!(orders(&c), ["start", "approve"]);
    }
}

#[test]
fn a_retry_of_bills_that_are_made_names_the_step_it_begins_with() {
    let op = OpId::new("Save:STK_InStock");
    for (keys, lang, words) in [
        ("4jR", Lang::En, ["begins with", "submit"]),
        ("4jR", Lang::Zh, ["从此步骤开始", "提交"]),
        ("3jR", Lang::En, ["begins with", "submit 1"]),
    ] {
        let mut world = World::new(false);
        world.op = op.clone();
        for bill in &mut world.bills {
            bill.key = bill.key.record.clone().under(&op);
            let made = Made { id: Fid::from(900), no: format!("IN-{}", bill.no), form: FormId::new("STK_InStock") };
            bill.made = Some(Box::new(made));
        }
        let mut c = Console::new(world, lang, (120, 40)).working();
        c.keys(keys);
        c.wait(500);
        let seen = text(&c);
        assert!(words.iter().all(|words| seen.contains(words)), "{keys}: {seen}");
    }
    let mut c = console().working();
    c.keys("3jR");
    assert!(!text(&c).contains("begins with"), "of one step there is nothing to say: {}", text(&c));
}
