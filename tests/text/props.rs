//! Properties of `text`: whatever comes in, what goes out is safe, measured right, and complete.
//!
//! `SKYDECK_CASES=20000 cargo test --test text props::` runs as many cases as asked; 1000 by default.
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use skydeck::text::{DETAIL, clip, clip_start, hexdump, hostile, osc52, pad, show, show_bytes, width};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

fn cases() -> ProptestConfig {
    let cases = std::env::var("SKYDECK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Characters that fuse, hide, reorder or drive a terminal, among harmless ones.
const NASTY: &[char] = &[
    '\x1b',
    '\u{9b}',
    '\u{9d}',
    '\u{90}',
    '\x07',
    '\r',
    '\n',
    '\t',
    '\0',
    '\x08',
    '\x7f',
    '\u{202e}',
    '\u{2067}',
    '\u{200b}',
    '\u{200d}',
    '\u{200e}',
    '\u{2028}',
    '\u{feff}',
    '\u{ad}',
    '\u{fe0f}',
    '\u{fe0e}',
    '\u{301}',
    '\u{20dd}',
    '\u{1100}',
    '\u{1161}',
    '\u{11a8}',
    '가',
    '각',
    '\u{1f1e8}',
    '\u{1f1f3}',
    '👨',
    '👩',
    '👍',
    '\u{1f3fd}',
    '❤',
    '单',
    '，',
    'ｶ',
    '\u{ff9e}',
    '\u{600}',
    '\u{e33}',
    'ก',
    '\u{903}',
    'क',
    '\u{94d}',
    'ष',
    '\u{d4e}',
    '\u{111c2}',
    '\u{e0041}',
    '\u{e0100}',
    '\u{3164}',
    '\u{2800}',
    '\u{e000}',
    '\u{fdd0}',
    '\u{10ffff}',
    'ل',
    'ا',
    '…',
    '⟨',
    '⟩',
    '␛',
    '⏎',
    '1',
];

fn nasty() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        3 => any::<char>(),
        4 => prop::sample::select(NASTY),
        2 => prop::sample::select(vec!['[', ']', '2', 'J', ';', 'a', '0', ' ', '<', '=']),
    ];
    prop::collection::vec(c, 0..80).prop_map(|v| v.into_iter().collect())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn shown_text_is_safe_and_stays_so(raw in nasty()) {
        let once = show(&raw, DETAIL);
        prop_assert!(!once.as_str().chars().any(hostile), "{once:?}");
        for cluster in once.as_str().graphemes(true) {
            prop_assert!(matches!(cluster.width(), 1 | 2), "{cluster:?} in {once:?}");
            prop_assert!(cluster.chars().count() <= 4 && cluster.len() <= 16, "{cluster:?} in {once:?}");
        }
        let twice = show(once.as_str(), usize::MAX);
        prop_assert_eq!(twice.as_str(), once.as_str());
        prop_assert!(!twice.changed());
        prop_assert_eq!(once.changed(), once.as_str() != raw);
    }

    #[test]
    fn nothing_is_dropped(raw in nasty()) {
        // Each scalar is there as itself, as its sign, or counted in the end mark of its cluster.
        let raw = raw.replace(['⟨', '⟩', '…'], "");
        let shown = show(&raw, DETAIL);
        let mut counted = 0;
        for part in shown.as_str().split("…⟨+").skip(1) {
            counted += part.split('⟩').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
        }
        let visible = signs_and_letters(shown.as_str());
        prop_assert!(visible + counted >= raw.chars().count(), "{visible} + {counted} of {} in {shown:?}", raw.chars().count());
    }

    #[test]
    fn cutting_keeps_to_the_limit_and_says_so(raw in nasty(), max in 0usize..200) {
        let shown = show(&raw, max);
        prop_assert_eq!(shown.cut() > 0, shown.as_str().ends_with(&format!("…⟨+{} bytes⟩", shown.cut())) && raw.len() > max);
        prop_assert!(raw.len() - shown.cut() <= max);
    }

    #[test]
    fn widths_are_what_the_cells_take(raw in nasty(), cells in 0usize..60) {
        let shown = show(&raw, DETAIL);
        let text = shown.as_str();
        let mut row = Buffer::empty(Rect::new(0, 0, 4000, 1));
        let (end, _) = row.set_stringn(0, 0, text, 4000, Style::new());
        prop_assert_eq!(usize::from(end), width(text), "{}", text);
        prop_assert!(width(&clip(text, cells)) <= cells);
        prop_assert!(width(&clip_start(text, cells)) <= cells);
        prop_assert_eq!(width(&pad(text, cells)), cells);
        prop_assert_eq!(clip(text, cells) == text, width(text) <= cells);
    }

    #[test]
    fn bytes_are_shown_as_safely_as_text(raw in prop::collection::vec(any::<u8>(), 0..200), max in 0usize..250) {
        let shown = show_bytes(&raw, max);
        prop_assert!(!shown.as_str().chars().any(hostile));
        let again = show(shown.as_str(), usize::MAX);
        prop_assert_eq!(again.as_str(), shown.as_str());
        if let Ok(text) = std::str::from_utf8(&raw) {
            prop_assert_eq!(show_bytes(&raw, usize::MAX), show(text, usize::MAX));
        }
        let dump = hexdump(&raw, usize::MAX);
        let hex: Vec<u8> = dump.iter().flat_map(|l| l.get(10..59).unwrap().split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect::<Vec<_>>()).collect();
        prop_assert_eq!(hex, raw);
        prop_assert!(dump.iter().all(|l| l.len() <= 77 && l.is_ascii()));
    }

    #[test]
    fn the_clipboard_sequence_is_one_sequence(raw in nasty()) {
        let sequence = osc52(&raw).unwrap();
        let inner = sequence.strip_prefix("\x1b]52;c;").unwrap().strip_suffix('\x07').unwrap();
        prop_assert!(inner.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')));
    }
}

/// Scalars of a shown text with each `⟨…⟩` counted once.
fn signs_and_letters(text: &str) -> usize {
    let mut n = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        n += 1;
        let hex = rest.strip_prefix('⟨').and_then(|r| r.split_once('⟩')).map(|(h, _)| h);
        rest = match hex {
            Some(h) if !h.is_empty() && h.len() <= 6 && h.bytes().all(|b| b.is_ascii_hexdigit()) => {
                &rest[h.len() + 6..]
            }
            _ => &rest[c.len_utf8()..],
        };
    }
    n
}
