//! The ledger's detail and its filter: who had closed a bill that changed since, and values that no key has.

use skydeck::domain::story::Closing;
use skydeck::domain::time::Ts;
use skydeck::ui::Lang;

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
fn the_groups_of_the_ledger_count_what_the_filter_leaves_or_nothing() {
    for lang in [Lang::En, Lang::Zh] {
        let mut c = Console::new(World::new(false), lang, (120, 36)).working();
        c.keys("4");
        let whole = counts(&text(&c));
        assert!(
            whole.len() > 1 && whole.iter().all(|n| n.parse::<u64>().is_ok_and(|n| n > 0)),
            "{whole:?} {}",
            text(&c)
        );
        c.keys("/XSCKD000002<Enter>");
        let filtered = counts(&text(&c));
        assert!(filtered.iter().all(|n| n == "-"), "nobody counted the folded ones: {}", text(&c));
        // Unfolded, a group is counted: the bill is one of the second.
        c.keys("j<Enter>");
        assert_eq!(counts(&text(&c)), ["-", "1", "-", "-"], "{}", text(&c));
    }
}
