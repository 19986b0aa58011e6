//! An Enter that comes before the number was found, and a page over the approval that only shows.

use skydeck::domain::query::Query;
use skydeck::ui::msg::{Code, Effect, Key, Msg};
use skydeck::ui::{Lang, update};

use crate::world::{Console, World, orders, text};

fn console() -> Console {
    Console::new(World::new(false), Lang::Zh, (100, 30))
}

/// Presses a key; what it asks is answered later.
fn held(c: &mut Console, key: Key) -> Vec<Effect> {
    update(&mut c.model, Msg::Key(key))
}

fn answer(c: &mut Console, effects: Vec<Effect>) {
    for effect in effects {
        if let Effect::Ask(ticket, query) = effect {
            let answer = c.world.answer(&query);
            c.send(Msg::Answered(ticket, Ok(answer)));
        }
    }
}

/// Types a number of which only the last sign asks, and Enter before the answer.
fn hasty(c: &mut Console, number: &str) -> Vec<Effect> {
    let (last, first) = number.chars().next_back().zip(number.get(..number.len() - 1)).unwrap();
    c.keys("b").keys(first);
    let mut asked = held(c, Key::char(last));
    asked.extend(held(c, Key::plain(Code::Enter)));
    assert!(text(c).contains("查到此单号即打开"), "{}", text(c));
    asked
}

#[test]
fn an_enter_before_the_answer_opens_the_bill_once_it_is_found() {
    let mut c = console();
    let asked = hasty(&mut c, "XSCKD000001");
    answer(&mut c, asked);
    let screen = text(&c);
    assert!(screen.contains("▌6 单据") && screen.contains("XSCKD000001") && !screen.contains("查找单据"), "{screen}");
}

#[test]
fn an_enter_before_the_answer_opens_nothing_where_several_may_be_meant_and_asks_no_erp() {
    for (number, said) in [("XSCKD00000", "XSCKD000002"), ("NOBODY-1", "没有运行读取过此单号")] {
        let mut c = console();
        let asked = hasty(&mut c, number);
        answer(&mut c, asked);
        let screen = text(&c);
        assert!(screen.contains("查找单据") && screen.contains(said), "{number}: {screen}");
        assert!(!screen.contains("查到此单号即打开"), "{number}: it waits no longer: {screen}");
        let reach = |effect: &&Effect| matches!(effect, Effect::Ask(_, Query::Reach(_)));
        assert_eq!(c.effects.iter().filter(reach).count(), 0, "{number}");
    }
}

#[test]
fn a_change_of_the_text_calls_an_early_enter_off() {
    let mut c = console();
    let asked = hasty(&mut c, "XSCKD000001");
    let again = held(&mut c, Key::plain(Code::Backspace));
    assert!(!text(&c).contains("查到此单号即打开"), "{}", text(&c));
    answer(&mut c, asked);
    answer(&mut c, again);
    assert!(text(&c).contains("查找单据"), "{}", text(&c));
}

#[test]
fn nothing_is_decided_on_the_page_that_shows_what_would_be_sent() {
    let mut world = World::new(false);
    world.makes = true;
    let mut c = Console::new(world, Lang::Zh, (100, 30)).collected();
    let before = orders(&c).len();
    c.wait(500);
    c.keys("<Down>");
    let page = text(&c);
    for key in ["y", "n", "y"] {
        c.wait(900);
        c.keys(key);
        let screen = text(&c);
        assert!(screen.contains("这里只供查看") && orders(&c).len() == before, "{key}: {screen}");
        let body = |screen: &str| screen.lines().nth(3).map(str::to_owned);
        assert_eq!(body(&screen), body(&page), "the page stays");
    }
    c.keys("<Esc>");
    c.wait(900);
    c.keys("y");
    assert_eq!(orders(&c).len(), before + 1, "{}", text(&c));
}

#[test]
fn of_several_numbers_it_is_said_how_many_were_found_and_which_one_the_erp_was_asked_about() {
    for (lang, found, asked) in [
        (Lang::Zh, "找到 0 张；4 个单号从未读取：NO-1 NO-2 NO-3 …", "各方案对 NO-1 的说明"),
        (
            Lang::En,
            "0 bills found; 4 of these numbers were never read: NO-1 NO-2 NO-3 …",
            "What each plan says of NO-1,",
        ),
    ] {
        let mut c = Console::new(World::new(false), lang, (100, 30));
        c.keys("b");
        c.send(Msg::Paste("NO-1\nNO-2\nNO-3\nNO-4".to_owned()));
        c.wait(500);
        assert!(text(&c).contains(found), "{}", text(&c));
        c.keys("<Enter>");
        c.wait(500);
        assert!(text(&c).contains(asked), "{}", text(&c));
    }
}
