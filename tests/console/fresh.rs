//! What the screen shows is read again without another fact having to come, and ages follow the clock.

use std::sync::Arc;
use std::time::Duration;

use skydeck::domain::bill::{Outcome, Slot};
use skydeck::domain::command::Receipt;
use skydeck::domain::event::Event;
use skydeck::domain::ids::Fid;
use skydeck::domain::query::{Answer, Query, Scope};
use skydeck::ui::msg::{Effect, Key, Msg};
use skydeck::ui::{Lang, update};

use crate::world::{Console, NOW, World, console, fact, interrupted, run_id, text};

/// Lets the clock tick as often as the console wants it, up to so many seconds.
fn rest(c: &mut Console, seconds: i64) {
    let until = c.now.0 + seconds * 1000;
    while let Some(every) = c.model.wants_tick() {
        let every = i64::try_from(every.as_millis()).unwrap();
        if c.now.0 + every > until {
            break;
        }
        c.wait(every);
    }
}

fn read_back() -> Msg {
    let outcome = Outcome::Done { verified: true };
    let (fid, no) = (Fid::from(100_012), "XSCKD000012".to_owned());
    let event = Event::BillSettled { run: run_id(9), fid, no, was: Slot::Unknown, outcome };
    Msg::Facts(Arc::from(vec![fact(20_000, NOW, event)]))
}

#[test]
fn a_bill_that_a_new_engine_read_back_leaves_the_ledger_though_no_other_fact_comes() {
    let mut c = console();
    c.keys("4");
    assert!(text(&c).contains("4 Ledger 13"), "{}", text(&c));
    // The engine died in a call; the next one left the run interrupted, and reads the bill back at once.
    c.send(Msg::EngineGone(Some("the engine ended".into())));
    let live = interrupted(&c.world);
    c.send(Msg::EngineGone(None));
    c.send(Msg::Resync(Box::new(live)));
    c.keys("n");
    c.world.groups.retain(|group| group.slot != Slot::Unknown);
    c.send(read_back());
    assert!(c.model.wants_tick().is_some_and(|every| every <= Duration::from_secs(1)), "something waits to be read");
    rest(&mut c, 5);
    let screen = text(&c);
    assert!(screen.contains("4 Ledger 12") && !screen.contains("timed"), "{screen}");
}

#[test]
fn a_list_that_is_open_is_read_again_after_a_resync_whichever_it_is() {
    for (keys, what) in [("3", "results"), ("4<Enter>", "ledger"), ("5", "history"), ("3<Enter>", "bill"), ("7", "log")]
    {
        let mut c = console().working();
        c.keys(keys);
        c.effects.clear();
        let live = interrupted(&c.world);
        c.send(Msg::Resync(Box::new(live)));
        rest(&mut c, 3);
        let asked = |wanted: &dyn Fn(&Query) -> bool| {
            c.effects.iter().any(|effect| matches!(effect, Effect::Ask(_, query) if wanted(query)))
        };
        let again = match what {
            "results" => asked(&|query| matches!(query, Query::Bills { scope: Scope::Run(_), .. })),
            "ledger" => asked(&|query| matches!(query, Query::Bills { scope: Scope::Ledger, .. })),
            "history" => asked(&|query| matches!(query, Query::RunLines { .. })),
            "bill" => asked(&|query| matches!(query, Query::Bill(_))),
            _ => asked(&|query| matches!(query, Query::Actions(_))),
        };
        assert!(again, "{what}");
        // The counts of the tabs, on every pane.
        assert!(asked(&|query| matches!(query, Query::Plans)), "{what}");
        assert!(asked(&|query| matches!(query, Query::LedgerGroups { .. })), "{what}");
    }
}

#[test]
fn entries_of_an_unfolded_group_are_read_again_when_a_run_ends() {
    let mut c = console().working();
    c.keys("4<Enter>");
    rest(&mut c, 5);
    c.effects.clear();
    let end = skydeck::domain::run::RunEnd::Completed;
    c.send(Msg::Facts(Arc::from(vec![fact(20_000, NOW, Event::RunClosed { run: run_id(9), end })])));
    rest(&mut c, 5);
    let entries = |effect: &Effect| matches!(effect, Effect::Ask(_, Query::Bills { scope: Scope::Ledger, .. }));
    assert!(c.effects.iter().any(entries));
}

#[test]
fn ages_on_the_ledger_grow_while_nothing_happens() {
    let mut c = Console::new(World::new(false), Lang::En, (110, 30));
    c.send(Msg::Resync(Box::default()));
    c.keys("4");
    assert!(text(&c).contains("1m"), "{}", text(&c));
    c.model.drawn();
    rest(&mut c, 600);
    assert!(c.model.needs_draw());
    let screen = text(&c);
    assert!(screen.lines().any(|line| line.contains("unknown") && line.contains("11m")), "{screen}");
    // Said on every pane once it has waited for long, though nobody presses a key.
    c.keys("1");
    assert!(text(&c).contains("11 minutes"), "{}", text(&c));
}

#[test]
fn a_key_of_other_panes_says_where_it_works_and_one_that_is_not_possible_says_so() {
    use skydeck::ui::keymap::{Action, Keymap, PANES, TABLE, key_name};
    let keymap = Keymap::standard();
    for (lang, on) in [(Lang::En, "on "), (Lang::Zh, "页可用")] {
        for (i, pane) in PANES.into_iter().enumerate() {
            let elsewhere = TABLE.iter().filter(|row| row.scopes.iter().any(|scope| PANES.contains(scope)));
            for row in elsewhere.filter(|row| !row.scopes.contains(&pane)) {
                for key in keymap.keys(row.action).iter().filter(|key| keymap.action(pane, **key).is_none()) {
                    let mut c = Console::new(World::new(false), lang, (110, 30)).working();
                    c.send(Msg::Key(skydeck::ui::msg::Key::char(char::from(b'0' + i as u8))));
                    let before = (c.orders.len(), c.effects.len());
                    c.send(Msg::Key(*key));
                    let screen = text(&c);
                    let foot = screen.lines().rev().nth(1).unwrap();
                    assert!(foot.contains(on), "{} on {pane:?}: {foot}", key_name(*key));
                    assert_eq!(before, (c.orders.len(), c.effects.len()), "{}", key_name(*key));
                }
            }
        }
    }
    // One that is known here and has nothing to do.
    let mut c = Console::new(World::new(false), Lang::En, (110, 30));
    for key in ["3h", "5h", "6t", "1h"] {
        c.keys(key);
        assert!(text(&c).lines().rev().nth(1).unwrap().contains("Not done: "), "{key}: {}", text(&c));
    }
    assert_eq!(
        keymap.elsewhere(skydeck::ui::keymap::Scope::Plans, skydeck::ui::msg::Key::char('R')).unwrap().0,
        Action::Retry
    );
}

#[test]
fn a_plan_that_never_ran_does_not_say_that_nothing_did_and_the_other_runs_are_walked_through() {
    for (lang, words, end) in [
        (Lang::En, "No run of this plan yet", "No other run is known"),
        (Lang::Zh, "该方案还没有运行", "此方向没有其他已知运行"),
    ] {
        let mut world = World::new(false);
        // The first plan by name is a new one.
        world.plans.swap(0, 1);
        let known: Vec<_> = world.plans.iter().flat_map(|plan| &plan.last).map(|row| row.head.id).collect();
        assert!(known.len() > 1, "runs of other plans");
        let mut c = Console::new(world, lang, (110, 30));
        assert!(text(&c).contains(words), "{}", text(&c));
        c.keys("3");
        assert!(!text(&c).contains(words), "the newest of the other runs is shown: {}", text(&c));
        let newest = text(&c);
        c.keys("[");
        assert_ne!(text(&c).lines().nth(2), newest.lines().nth(2), "an older one");
        c.keys("]");
        assert_eq!(text(&c).lines().nth(2), newest.lines().nth(2));
        c.keys("]");
        assert!(text(&c).lines().rev().nth(1).unwrap().contains(end), "{}", text(&c));
    }
}

#[test]
fn a_comparison_is_with_a_run_that_speaks_for_its_plan_not_with_a_verify_or_a_retry() {
    use skydeck::domain::run::RunKind;
    for kind in [RunKind::Verify, RunKind::Retry] {
        let mut world = World::new(false);
        let newest = world.runs[0].head.clone();
        // The next older run of the plan is over entries of the ledger alone.
        let older: Vec<usize> = (1..world.runs.len())
            .filter(|n| world.runs[*n].head.plan == newest.plan && world.runs[*n].is_whole())
            .collect();
        assert!(!older.is_empty());
        let mut entries = world.runs[older[0]].clone();
        entries.head.kind = kind;
        entries.head.id = skydeck::domain::ids::RunId(ulid::Ulid::from_parts(newest.id.0.timestamp_ms() - 1, 5));
        entries.tally = skydeck::domain::run::Tally { found: 1, audited: 1, ..Default::default() };
        let id = entries.head.id;
        world.runs.insert(1, entries);
        let mut c = Console::new(world, Lang::En, (110, 30));
        c.keys("5");
        c.effects.clear();
        c.keys("=");
        let compared = c.effects.iter().filter_map(|effect| match effect {
            Effect::Ask(_, Query::Bills { scope: Scope::Run(run), .. }) => Some(*run),
            _ => None,
        });
        let compared: Vec<_> = compared.collect();
        assert!(compared.len() > 1 && !compared.contains(&id), "{kind:?}: {compared:?}");
    }
}

#[test]
fn a_run_that_cannot_be_found_is_looked_up_once_until_there_is_news() {
    for answer in [Ok(Answer::Run(None)), Err("disk on fire".to_owned())] {
        let mut c = console();
        c.keys("4jR");
        c.wait(500);
        c.keys("y");
        let order = c.effects.iter().rev().find_map(|effect| match effect {
            Effect::Submit(ticket, _) => Some(*ticket),
            _ => None,
        });
        let receipt = Receipt::Accepted { run: Some(run_id(77)), more: Vec::new(), bills: 0 };
        let mut effects = update(&mut c.model, Msg::Receipt(order.unwrap(), Ok(receipt)));
        let mut asked = 0;
        // As many answers as a console that asks at once again would want for ever.
        for _ in 0..20 {
            let run = effects.iter().find_map(|effect| match effect {
                Effect::Ask(ticket, Query::Run(run)) => Some((*ticket, *run)),
                _ => None,
            });
            let Some((ticket, run)) = run else { break };
            assert_eq!(run, run_id(77));
            asked += 1;
            effects = update(&mut c.model, Msg::Answered(ticket, answer.clone()));
        }
        assert_eq!(asked, 1, "{answer:?}");
        // After a break of the connection it may be there.
        let again = update(&mut c.model, Msg::Resync(Box::default()));
        assert!(again.iter().any(|effect| matches!(effect, Effect::Ask(_, Query::Run(run)) if *run == run_id(77))));
    }
}

#[test]
fn an_answer_to_a_dialog_that_was_left_touches_nothing_that_was_opened_after_it() {
    for (leave_and_open, what) in [
        ("n:", "palette"),
        ("n/cause:", "filter line"),
        ("n?", "help"),
        ("nR", "retry of the same bills"),
        ("nuR", "retry of another bill"),
        ("nuv", "read-back of another bill"),
        ("nq", "quit"),
    ] {
        for key in ['R', 'v'] {
            let mut c = console().working();
            c.keys("3*");
            let late = update(&mut c.model, Msg::Key(Key::char(key)));
            c.keys(leave_and_open);
            let before = text(&c);
            for effect in late {
                let Effect::Ask(ticket, query) = effect else { continue };
                let answer = c.world.answer(&query);
                c.send(Msg::Answered(ticket, Ok(answer)));
            }
            assert_eq!(text(&c), before, "{key}: {what}");
        }
    }
}
