//! Lists: filters, cursors, counts and marks, and what is copied of them.

use crate::world::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use skydeck::domain::bill::{BillState, Outcome, Unknown, UnknownWhy};
use skydeck::domain::command::Command;
use skydeck::text::Measure;
use skydeck::ui::msg::{Effect, Msg};
use skydeck::ui::{Lang, UiConfig, view};

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
    assert!(dump(&buf, Measure::Narrow).0.contains("^ `>2y` is not an age"));
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

/// No answer came, so that no server said anything: what our own client says of it stands in the operator's language, and in
/// no quotation marks.
#[test]
fn what_went_wrong_on_the_way_is_not_told_as_the_words_of_the_erp() {
    let detail = "error sending request: client error (SendRequest): connection error: Connection reset (os error 104)";
    let broken = Outcome::Unknown(Unknown { why: UnknownWhy::Broken, sent: before(70), detail: detail.into() });
    for (lang, words) in [(Lang::Zh, "连接被重置（系统错误 104）"), (Lang::En, "Connection reset (os error 104)")]
    {
        let mut c = Console::new(World::new(false), lang, (200, 60)).working();
        c.world.bills[0].state = BillState::Settled(broken.clone());
        for keys in ["3", "<Enter>"] {
            c.keys(keys);
            let shown = text(&c);
            assert!(shown.contains(words) && !shown.contains("“error sending"), "{shown}");
            assert!(!shown.contains("ERP 返回    连接") && !shown.contains("ERP said   error"), "{shown}");
        }
    }
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
    assert!(text(&c).contains("5 selected"), "{}", text(&c));
    c.keys("u#38G#9<Space>");
    assert!(text(&c).contains("3 of 9 selected: the list ends here"), "{}", text(&c));
    // A digit alone is still a pane, and a pane is none while a count is typed.
    c.keys("#4jy1");
    assert!(text(&c).contains("sal-outstock-audit") || c.orders.is_empty());
}

#[test]
fn the_values_of_a_key_are_offered_before_their_absence_is_a_fault() {
    let mut c = console();
    c.keys("4/cau<Tab>");
    assert!(text(&c).contains("/ cause:") && text(&c).contains("Tab timed_out  stock"), "{}", text(&c));
    c.keys("<Enter>");
    assert!(text(&c).contains("needs a value"), "{}", text(&c));
    c.keys("<Tab><Enter>");
    assert!(text(&c).contains("/cause:timed_out"), "{}", text(&c));
}

#[test]
fn a_count_before_a_key_that_takes_none_does_nothing() {
    let mut c = console();
    c.keys("#2r");
    assert!(c.orders.is_empty() && text(&c).contains("“run” takes no count"), "{}", text(&c));
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
