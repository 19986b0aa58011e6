//! Whatever is typed, pasted or sent: no size panics, nothing is painted outside, full-width keys mean their twins.

use crate::world::*;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use skydeck::domain::bill::*;
use skydeck::text::Measure;
use skydeck::ui::msg::{Msg, PASTE, Unpasted};
use skydeck::ui::{Lang, UiConfig, view};

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
    assert!(shown.contains("longer than 100000 characters") && !shown.contains("abx"), "{shown}");
    c.send(Msg::Unpasted(Unpasted::Cut));
    assert!(text(&c).contains("The end of the pasted text never came"), "{}", text(&c));
    c.send(Msg::Paste("cd".to_owned()));
    assert!(text(&c).contains("abcd"), "one that is whole is taken: {}", text(&c));
    // Where nothing takes text, a paste was never of use.
    let mut c = console();
    c.send(Msg::Paste("r".repeat(PASTE + 1)));
    assert!(!text(&c).contains("characters"), "{}", text(&c));
}
