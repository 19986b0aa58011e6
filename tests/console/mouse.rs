//! The mouse: rows, tabs, column heads, keys and rows of dialogs, in every pane; and nothing where nothing is.

use skydeck::domain::query::Query;
use skydeck::domain::sort::By;
use skydeck::text::Measure;
use skydeck::ui::Lang;
use skydeck::ui::msg::{Effect, Msg};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::world::*;

/// The cell at which a text begins, in the line that `passes`.
fn place(console: &Console, what: &str, passes: impl Fn(&str) -> bool) -> (u16, u16) {
    let screen = text(console);
    let (y, line) = screen
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains(what) && passes(line))
        .unwrap_or_else(|| panic!("{what} is not on the screen: {screen}"));
    let before: usize = line[..line.find(what).unwrap()].graphemes(true).map(|g| Measure::Narrow.cluster(g)).sum();
    (before as u16, y as u16)
}

fn click(console: &mut Console, what: &str, passes: impl Fn(&str) -> bool) {
    let (x, y) = place(console, what, passes);
    console.send(Msg::Click { x, y });
}

fn sorted(console: &Console) -> Option<(By, bool)> {
    console.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask(_, Query::Sorted { sort, .. }) => Some((sort.by.clone(), sort.descending)),
        _ => None,
    })
}

fn marked(console: &Console) -> String {
    text(console).lines().skip(2).find(|line| line.trim_start().starts_with('▌')).unwrap_or_default().to_owned()
}

#[test]
fn a_row_takes_the_cursor_and_a_second_click_opens_it_in_every_pane() {
    for (keys, row, opened) in [
        ("1", "采购入库单审核", "▌2"),
        ("2", "XSCKD000005", "▌6"),
        ("3", "XSCKD000007", "▌6"),
        ("5", "some failed", "▌3"),
        ("7", "21:45:20", "▌7"),
    ] {
        let mut console = Console::new(World::new(false), Lang::En, (120, 36)).working();
        console.keys(keys);
        let is_row = |line: &str| !line.contains('─') && !line.starts_with('▌');
        click(&mut console, row, is_row);
        assert!(marked(&console).contains(row), "{keys}: {}", text(&console));
        let before = marked(&console);
        click(&mut console, row, |line| line == before);
        assert!(text(&console).contains(opened), "{keys}: {}", text(&console));
    }
}

#[test]
fn the_ledger_is_clicked_through_to_the_bill() {
    let mut console = Console::new(World::new(false), Lang::Zh, (120, 36)).working();
    console.keys("4");
    click(&mut console, "库存不足", |line| line.contains('▸'));
    assert!(marked(&console).contains("库存不足"), "{}", text(&console));
    click(&mut console, "库存不足", |line| line.contains('▸'));
    assert!(text(&console).contains('▾'), "{}", text(&console));
    click(&mut console, "XSCKD0", |line| !line.contains('▌') && !line.contains('─'));
    let before = marked(&console);
    assert!(before.contains("XSCKD0"), "{}", text(&console));
    // The group's own columns have heads of their own.
    click(&mut console, "单据编号", |line| !line.contains('─'));
    assert_eq!(sorted(&console), Some((By::Number, false)), "{}", text(&console));
}

#[test]
fn a_columns_head_sorts_and_sorts_the_other_way_when_it_is_clicked_again() {
    for (lang, head) in [(Lang::En, "bill no."), (Lang::Zh, "单据编号")] {
        let mut console = Console::new(World::new(false), lang, (120, 36)).working();
        console.keys("3");
        let titles = text(&console).lines().nth(4).unwrap_or_default().to_owned();
        let head =
            if titles.contains(head) { head.to_owned() } else { titles.split_whitespace().nth(1).unwrap().to_owned() };
        let is_title = |line: &str| !line.contains('─') && !line.contains("XSCKD0");
        click(&mut console, &head, is_title);
        assert_eq!(sorted(&console), Some((By::Number, false)), "{}", text(&console));
        click(&mut console, &head, is_title);
        assert_eq!(sorted(&console), Some((By::Number, true)), "{}", text(&console));
    }
    // A column of the plan, and a list whose columns sort nothing.
    let mut console = Console::new(World::new(false), Lang::Zh, (200, 60)).working();
    console.keys("3");
    let (x, y) = place(&console, "客户", |line| !line.contains('─'));
    console.send(Msg::Click { x, y });
    assert!(matches!(sorted(&console), Some((By::Column(_), false))), "{}", text(&console));
    console.keys("1");
    click(&mut console, "近期运行", |_| true);
    assert!(text(&console).contains("此处不能排序"), "{}", text(&console));
}

#[test]
fn tabs_keys_and_rows_of_dialogs_are_clicked_and_a_dialog_wants_its_time_all_the_same() {
    let mut console = Console::new(World::new(false), Lang::En, (120, 36));
    click(&mut console, "Ledger", |line| line.contains("Results"));
    assert!(text(&console).contains("▌4"), "{}", text(&console));
    // A key of the footer.
    click(&mut console, "/ filter", |_| true);
    assert!(text(&console).contains("/ "), "{}", text(&console));
    console.keys("<Esc>");
    // A row of the palette, twice.
    console.keys(":notices");
    click(&mut console, "recent notices", |_| true);
    if !text(&console).contains("Nothing to report") && text(&console).contains("recent notices") {
        click(&mut console, "recent notices", |_| true);
    }
    assert!(text(&console).contains("Nothing to report"), "{}", text(&console));
    // Nothing beneath a dialog hears a click, and its Yes only once it has stood.
    let mut console = Console::new(World::new(false), Lang::En, (120, 36)).collected();
    click(&mut console, "Ledger", |line| line.contains("Results"));
    assert!(!text(&console).contains("▌4"), "{}", text(&console));
    let (x, y) = place(&console, "y ", |line| line.contains("n decline") || line.contains("later"));
    console.send(Msg::Click { x, y });
    assert!(!orders(&console).contains(&"approve"), "it was not read yet");
    console.wait(500);
    console.send(Msg::Click { x, y });
    assert!(orders(&console).contains(&"approve"), "{}", text(&console));
}

#[test]
fn a_click_on_any_cell_of_any_screen_orders_nothing_by_itself() {
    for keys in ["0", "1", "2", "3", "4<Enter>", "5", "6", "7", "3?", "3:", "4c", "3|", "3/", "b", "n", "3e", "5="] {
        let mut console = Console::new(World::new(false), Lang::Zh, (80, 24)).working();
        for (x, y) in (0..24).flat_map(|y| (0..80).step_by(7).map(move |x| (x, y))) {
            console.keys(keys);
            console.send(Msg::Click { x, y });
            console.send(Msg::Wheel(3));
            assert_eq!(console.draw().0.area.width, 80);
            // Back to where it was: out of whatever opened.
            console.keys("<Esc><Esc>");
        }
        let asked: Vec<_> = orders(&console)
            .into_iter()
            .filter(|order| !["pause", "start", "reload_plans", "lock"].contains(order))
            .collect();
        assert_eq!(asked, [] as [&str; 0], "{keys}: a question stands before every order");
    }
}

#[test]
fn looks_on_the_command_line_are_checked_before_anything_is_opened() {
    use std::process::Command;
    for (args, lang, said) in [
        (&["--theme", "lihgt"][..], "en", "no theme `lihgt`; did you mean `light`?"),
        (&["demo", "--theme", "Hafen"], "zh", "没有主题 `Hafen`"),
        (&["--theme", "high-contrats", "demo"], "zh", "是不是 `high-contrast`？"),
        (&["--mouse", "history"], "en", "--mouse is about the console's looks"),
        (&["--ascii", "ledger"], "zh", "--ascii 只用于控制台的外观"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut skydeck = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        let output = skydeck.args(["--lang", lang]).args(args).env("XDG_STATE_HOME", dir.path()).output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(words.contains(said), "{args:?}: {words}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{args:?}: nothing was made");
    }
}
