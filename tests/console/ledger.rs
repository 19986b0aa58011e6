//! The ledger's detail and its filter: who had closed a bill that changed since, and values that no key has.

use skydeck::domain::command::Selection;
use skydeck::domain::query::Query;
use skydeck::domain::story::Closing;
use skydeck::domain::time::Ts;
use skydeck::ui::msg::{Code, Effect, Key, Msg};
use skydeck::ui::{Lang, View};

use crate::world::{Console, World, console, key_of, other, text};

#[test]
fn the_detail_of_an_entry_says_who_had_closed_it_and_why() {
    for (lang, words) in [
        (Lang::En, "changed since; resolved before by wang (says zhao)@10.0.3.9: sent back"),
        (Lang::Zh, "此前已办结，由 wang（自称 zhao）@10.0.3.9：sent back"),
    ] {
        let mut world = World::new(false);
        let by = skydeck::domain::who::Who { name: Some("wang".into()), ..other() };
        let closed = key_of("demo", 2);
        let bill = world.bills.iter_mut().find(|bill| bill.key == closed).unwrap();
        bill.resolved_before = Some(Box::new(Closing { by, reason: "sent back".into(), at: Ts(0) }));
        let mut c = Console::new(world, lang, (120, 36)).working();
        // Unknown bills stand above the failed ones; the bill is the first of its group.
        c.keys("4j<Enter>");
        for _ in 0..12 {
            if text(&c).contains("XSCKD000002 ·") {
                break;
            }
            c.keys("j");
        }
        assert!(text(&c).contains(words), "{}", text(&c));
        c.keys("k");
        assert!(!text(&c).contains(words), "of another line: {}", text(&c));
    }
}

#[test]
fn a_value_that_no_key_has_is_refused_at_its_place_with_the_nearest_one() {
    for (lang, typed, said) in [
        (Lang::En, "cause:stok", "no cause is called `stok`"),
        (Lang::Zh, "cause:stok", "没有名为 `stok` 的原因"),
        (Lang::Zh, "status:faild", "`faild`"),
    ] {
        let mut c = Console::new(World::new(false), lang, (100, 30)).working();
        c.keys(&format!("3/{typed}<Enter>"));
        assert!(text(&c).contains(said), "{}", text(&c));
        c.keys("<Esc>");
        assert!(!text(&c).contains(&format!("/{typed}")), "it filters nothing: {}", text(&c));
    }
    let mut c = console().working();
    c.keys("3/cause:stock<Enter>");
    assert!(text(&c).contains("/cause:stock"));
}

/// What stands first on the line of each group: how many bills it has.
fn counts(screen: &str) -> Vec<String> {
    let group = |line: &str| line.trim_start_matches([' ', '▌']).strip_prefix(['▸', '▾']).map(str::to_owned);
    let first = |line: String| line.split_whitespace().next().unwrap_or_default().to_owned();
    screen.lines().filter_map(group).map(first).filter(|word| *word == "-" || word.parse::<u64>().is_ok()).collect()
}

#[test]
fn the_groups_of_the_ledger_are_those_that_the_filter_leaves_and_count_what_it_leaves() {
    for (lang, said) in [(Lang::En, " 1 bill "), (Lang::Zh, " 1 张 ")] {
        let mut c = Console::new(World::new(false), lang, (120, 36)).working();
        c.keys("4");
        let whole = counts(&text(&c));
        assert!(
            whole.len() > 1 && whole.iter().all(|n| n.parse::<u64>().is_ok_and(|n| n > 0)),
            "{whole:?} {}",
            text(&c)
        );
        c.keys("/XSCKD000002<Enter>");
        assert_eq!(counts(&text(&c)), ["1"], "{}", text(&c));
        assert!(text(&c).contains(said), "{}", text(&c));
        c.keys("j<Enter>");
        assert_eq!(counts(&text(&c)), ["1"], "unfolded it has the one: {}", text(&c));
        // Nothing is left: that is said, and the order has nobody.
        c.keys("/XSCKD999999<Enter>");
        assert_eq!(counts(&text(&c)), [] as [&str; 0], "{}", text(&c));
        assert!(text(&c).contains(if lang == Lang::En { "Nothing matches" } else { "没有匹配的单据" }), "{}", text(&c));
        c.keys("\\");
        assert_eq!(counts(&text(&c)), whole, "without a filter the whole ledger again");
    }
}

#[test]
fn a_filter_is_typed_and_read_in_the_operators_words() {
    let mut c = Console::new(World::new(false), Lang::Zh, (120, 36)).working();
    c.keys("4/原因：库存不足<Enter>");
    assert!(text(&c).contains("/原因:库存不足"), "{}", text(&c));
    c.keys("/");
    assert!(text(&c).contains("/ 原因:库存不足"), "it is edited as it was read: {}", text(&c));
    c.keys("<C-u>日期：昨天..今天 首次：>=上周<Enter>");
    assert!(text(&c).contains("/日期:昨天..今天 首次:>=上周"), "words stay words: {}", text(&c));
    let asked = c.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask(_, Query::LedgerCounts { selection: Selection::Matching { filter, .. }, .. }) => {
            Some(filter.to_string())
        }
        _ => None,
    });
    let asked = asked.expect("the groups are counted");
    assert_eq!(asked, "date:2026-11-22..2026-11-23 since:>=2026-11-15T16:00:00Z", "the store is asked for days");
    for (typed, said) in [
        ("日期:2026-11-31", "没有 2026-11-31 这一天：该月只有 30 天"),
        ("日期:2026-02-29", "只有 28 天"),
        ("日期:..", "`..` 不是日期"),
        ("日期:昨日天", "不是日期"),
        ("运行时间:2026-11-10..2026-11-09", "结束早于开始"),
        ("日期:今天..昨天", "结束早于开始"),
        ("客护:K1", "是不是 `客户`？"),
        ("环境:没有的", "没有名为 `没有的` 的环境"),
        ("操作:审合", "没有名为 `审合` 的操作"),
        ("方案:nobody", "没有名为 `nobody` 的方案"),
    ] {
        c.keys(&format!("/<C-u>{typed}<Enter>"));
        assert!(text(&c).contains(said), "{typed}: {}", text(&c));
        c.keys("<Esc>");
        assert!(text(&c).contains("/日期:昨天..今天"), "what was set stays: {}", text(&c));
    }
}

#[test]
fn a_view_has_a_name_and_a_letter_and_one_of_something_gone_says_so() {
    let alt = |c: char| Msg::Key(Key { code: Code::Char(c), ctrl: false, alt: true });
    let mut c = Console::new(World::new(false), Lang::Zh, (120, 36)).working();
    c.keys("4/原因:库存不足<C-s>月末");
    c.send(alt('m'));
    assert!(text(&c).contains("[Alt-m]"), "{}", text(&c));
    c.keys("<Enter><Esc>");
    let saved = c.effects.iter().rev().find_map(|effect| match effect {
        Effect::SaveFilters(views) => Some(views.clone()),
        _ => None,
    });
    let view = View { name: "月末".into(), key: Some('m'), text: "原因:库存不足".into() };
    assert_eq!(saved, Some(vec![view.clone()]));
    // From a list of bills to the same list, from elsewhere to the ledger.
    c.send(alt('m'));
    assert!(text(&c).contains("/原因:库存不足"), "{}", text(&c));
    c.keys("1");
    c.send(alt('m'));
    assert!(text(&c).contains("/原因:库存不足") && text(&c).contains("▌4"), "{}", text(&c));
    // The letter goes to the one that gets it last; a view is forgotten where its filter stands in the line.
    c.keys("/<C-u>方案:月结<C-s>旧");
    c.send(alt('m'));
    c.keys("<Enter><Esc>");
    c.send(alt('m'));
    let screen = text(&c);
    assert!(screen.contains("未显示视图 旧") && screen.contains("没有名为 `月结` 的方案"), "{screen}");
    assert!(screen.contains("Ctrl-R"), "{screen}");
    assert!(text(&c).contains("/原因:库存不足"), "what was set stays");
    c.keys("/<C-u>方案:月结<C-x>");
    let left = c.effects.iter().rev().find_map(|effect| match effect {
        Effect::SaveFilters(views) => Some(views.clone()),
        _ => None,
    });
    assert_eq!(left, Some(vec![View { key: None, ..view }]));
    c.keys("<Esc>");
    c.send(alt('m'));
    assert!(!text(&c).contains("未显示视图"), "no view has the letter now: {}", text(&c));
}
