//! The way from one picture to the next: whatever two pictures, the terminal shows the second one, in few bytes.
//!
//! The terminal is an emulator (`vt100`) fed with the screen's bytes. `SKYDECK_CASES` sets the number of cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use proptest::prelude::*;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use skydeck::shell::screen::Screen;
use skydeck::shell::{Caps, Colors, Through};
use skydeck::text::{Measure, clip, pad, show};
use skydeck::ui::msg::{Drawn, ListHint};
use unicode_width::UnicodeWidthStr;

const CAPS: Caps =
    Caps { colors: Colors::True, unicode: true, xterm: true, measure: Measure::Narrow, through: Through::Nothing };

fn cases() -> ProptestConfig {
    let cases = std::env::var("SKYDECK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Something painted at a place.
#[derive(Clone, Debug)]
struct Stroke {
    x: u16,
    y: u16,
    text: String,
    style: Style,
}

#[derive(Clone, Debug)]
struct Picture {
    strokes: Vec<Stroke>,
    list: Option<(u64, u64)>,
    caret: Option<(u16, u16)>,
}

fn style() -> impl Strategy<Value = Style> {
    let color = prop::sample::select(vec![
        Color::Reset,
        Color::Red,
        Color::LightBlue,
        Color::Indexed(100),
        Color::Rgb(1, 2, 3),
    ]);
    let mods = prop::sample::select(vec![
        Modifier::empty(),
        Modifier::BOLD,
        Modifier::DIM,
        Modifier::BOLD | Modifier::UNDERLINED,
        Modifier::REVERSED,
        Modifier::ITALIC | Modifier::REVERSED,
    ]);
    (color.clone(), color, mods).prop_map(|(fg, bg, mods)| Style::new().fg(fg).bg(bg).add_modifier(mods))
}

fn stroke() -> impl Strategy<Value = Stroke> {
    let word =
        prop::sample::select(vec!["单", "据", "a", "b", " ", "   ", "│", "é", "…", "e\u{301}", "👍", "┌", "①", "x1"]);
    let text = prop::collection::vec(word, 1..14).prop_map(|w| w.concat());
    (0u16..24, 0u16..10, text, style()).prop_map(|(x, y, text, style)| Stroke { x, y, text, style })
}

fn picture() -> impl Strategy<Value = Picture> {
    let list = prop::option::weighted(0.7, (0u64..2, 0u64..12));
    let caret = prop::option::weighted(0.2, (0u16..24, 0u16..10));
    (prop::collection::vec(stroke(), 0..14), list, caret).prop_map(|(strokes, list, caret)| Picture {
        strokes,
        list,
        caret,
    })
}

const TOP: u16 = 2;
const BOTTOM: u16 = 9;

fn paint(picture: &Picture, buffer: &mut Buffer) -> Drawn {
    let area = buffer.area;
    for stroke in &picture.strokes {
        if stroke.x < area.width && stroke.y < area.height {
            buffer.set_stringn(stroke.x, stroke.y, &stroke.text, usize::from(area.width - stroke.x), stroke.style);
        }
    }
    let mut hint = None;
    if let Some((id, first)) = picture.list
        && area.height >= BOTTOM
    {
        for y in TOP..BOTTOM {
            let entry = first + u64::from(y - TOP);
            let style = if entry % 3 == 0 { Style::new().fg(Color::Red) } else { Style::new() };
            let line = pad(&format!("{entry:>3} 销售出库{id} row"), usize::from(area.width));
            buffer.set_stringn(0, y, line, usize::from(area.width), style);
        }
        hint = Some(ListHint { id, top: TOP, bottom: BOTTOM, first });
    }
    Drawn { caret: picture.caret, list: hint }
}

fn color(c: Color) -> vt100::Color {
    match c {
        Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
        Color::Indexed(n) => vt100::Color::Idx(n),
        Color::Red => vt100::Color::Idx(1),
        Color::LightBlue => vt100::Color::Idx(12),
        Color::Reset => vt100::Color::Default,
        Color::Blue => vt100::Color::Idx(4),
        Color::Green => vt100::Color::Idx(2),
        other => panic!("{other:?} is not used here"),
    }
}

/// Where the terminal differs from the picture.
fn differences(terminal: &vt100::Screen, picture: &Buffer) -> Vec<String> {
    let mut found = Vec::new();
    let width = picture.area.width;
    for y in 0..picture.area.height {
        let mut x = 0;
        while x < width {
            let want: &Cell = &picture[(x, y)];
            let got = terminal.cell(y, x).unwrap();
            let wide = want.symbol().width() == 2 && x + 1 < width;
            let symbol = if want.symbol().width() == 2 && !wide { " " } else { want.symbol() };
            let text = if got.contents().is_empty() { " " } else { got.contents() };
            let blank = symbol == " ";
            let seen = if blank { Modifier::REVERSED | Modifier::UNDERLINED } else { Modifier::all() };
            let mods = want.modifier & seen;
            // The emulator keeps only one of bold and dim.
            let both = mods.contains(Modifier::BOLD | Modifier::DIM);
            let same_mods = got.inverse() == mods.contains(Modifier::REVERSED)
                && got.underline() == mods.contains(Modifier::UNDERLINED)
                && (blank || both || got.bold() == mods.contains(Modifier::BOLD))
                && (blank || both || got.dim() == mods.contains(Modifier::DIM))
                && (blank || got.italic() == mods.contains(Modifier::ITALIC));
            let fg_seen = !blank || mods.contains(Modifier::REVERSED) || mods.contains(Modifier::UNDERLINED);
            let same_colors = got.bgcolor() == color(want.bg) && (!fg_seen || got.fgcolor() == color(want.fg));
            if text != symbol || !same_mods || !same_colors {
                found.push(format!("({x},{y}): want {symbol:?} {want:?}, got {text:?} {got:?}"));
            }
            x += if wide { 2 } else { 1 };
        }
    }
    found
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_terminal_shows_the_picture(pictures in prop::collection::vec(picture(), 1..6), size in (1u16..26, 1u16..12)) {
        let (columns, rows) = (size.0.max(2), size.1);
        let mut screen = Screen::new(CAPS, columns, rows);
        let mut terminal = vt100::Parser::new(rows, columns, 0);
        for picture in &pictures {
            let mut painted = Buffer::empty(Rect::new(0, 0, columns, rows));
            paint(picture, &mut painted);
            let bytes = screen.frame(|buffer| paint(picture, buffer));
            terminal.process(&bytes);
            let found = differences(terminal.screen(), &painted);
            prop_assert!(found.is_empty(), "{}\nfrom {:?}", found.join("\n"), String::from_utf8_lossy(&bytes));
            let caret = picture.caret.filter(|(x, y)| *x < columns && *y < rows);
            if let Some((x, y)) = caret {
                prop_assert_eq!(terminal.screen().cursor_position(), (y, x));
            }
            // The same picture again costs nothing.
            let again = screen.frame(|buffer| paint(picture, buffer));
            prop_assert!(again.is_empty(), "{:?}", String::from_utf8_lossy(&again));
        }
        prop_assert_eq!(screen.hostile_cells(), 0);
    }

    #[test]
    fn a_list_with_a_marker_moves(
        steps in prop::collection::vec((-3i64..12, 0u64..9, 0u64..3), 1..8), columns in 20u16..90, xterm in any::<bool>(), seed in 0u64..1000,
    ) {
        let rows = 14;
        let mut screen = Screen::new(Caps { xterm, ..CAPS }, columns, rows);
        let mut terminal = vt100::Parser::new(rows, columns, 0);
        let mut first = 20i64;
        for (by, chosen, filter) in steps {
            first = (first + by).max(0);
            let paint = |buffer: &mut Buffer| marked(buffer, u64::try_from(first).unwrap(), chosen, seed + filter / 2);
            let mut painted = Buffer::empty(Rect::new(0, 0, columns, rows));
            paint(&mut painted);
            let bytes = screen.frame(paint);
            terminal.process(&bytes);
            let found = differences(terminal.screen(), &painted);
            prop_assert!(found.is_empty(), "{}\nfrom {:?}", found.join("\n"), String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn raw_text_in_a_cell_never_reaches_the_terminal(symbol in any::<String>(), x in 0u16..10) {
        let mut screen = Screen::new(CAPS, 10, 1);
        let bytes = screen.frame(|buffer| {
            buffer[(x, 0)].set_symbol(&symbol);
            Drawn::default()
        });
        // What is left after our own sequences is printable.
        let text = String::from_utf8(bytes).unwrap();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("\x1b[") {
            prop_assert!(!before.chars().any(skydeck::text::hostile), "{text:?}");
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == '?');
            prop_assert!(rest.starts_with(['H', 'J', 'K', 'X', 'm', 'C', 'D', 'G', 'h', 'l']), "{text:?}");
            rest = &rest[1..];
        }
        prop_assert!(!rest.chars().any(skydeck::text::hostile), "{text:?}");
    }
}

/// A list with a marker before the chosen row and a preview below; rows of any length, holes in them, wide characters at
/// their ends.
fn marked(buffer: &mut Buffer, first: u64, chosen: u64, seed: u64) -> Drawn {
    let (top, bottom, width) = (2, 10, buffer.area.width);
    let dim = Style::new().fg(Color::Indexed(100));
    buffer.set_stringn(0, 0, "单".repeat(usize::from(width)), usize::from(width), Style::new().fg(Color::Red));
    for y in top..bottom {
        let entry = first + u64::from(y - top);
        let draw = |n: u64| entry.wrapping_mul(0x9e37_79b9).wrapping_add(seed * 31 + n * 77) >> 3;
        let here = u64::from(y - top) == chosen;
        if here {
            buffer.set_stringn(0, y, "▌", 1, Style::new().fg(Color::LightBlue).add_modifier(Modifier::BOLD));
        }
        let key = if here { dim.fg(Color::LightBlue).add_modifier(Modifier::BOLD) } else { dim };
        buffer.set_stringn(2, y, format!("{entry:04}"), usize::from(width - 2), key);
        let state = if draw(1).is_multiple_of(5) { ("✗ 失败", Color::Red) } else { ("✓ ok", Color::Green) };
        buffer.set_stringn(8, y, state.0, usize::from(width - 8), Style::new().fg(state.1));
        let message =
            ["", "库存不足", "更新库存时出现异常", "a", "x y", "单据“XSCKD1”正被编辑…"][(draw(2) % 6) as usize];
        let at = 15 + (draw(3) % 3) as u16;
        buffer.set_stringn(at, y, message, usize::from(width - at), Style::new());
        match draw(4) % 4 {
            0 => drop(buffer.set_stringn(width - 2, y, "末", 2, dim)),
            1 => drop(buffer.set_stringn(width - 1, y, "z", 1, dim)),
            2 => buffer.set_style(Rect::new(width - 4, y, 4, 1), Style::new().bg(Color::Blue)),
            _ => {}
        }
    }
    let preview = format!("{} 审核 {}", first + chosen, "=".repeat((first % 9) as usize));
    buffer.set_stringn(1, bottom + 1, preview, usize::from(width - 1), dim);
    buffer.set_stringn(width - 6, bottom + 3, format!("{:>6}", first + chosen), 6, dim);
    Drawn { caret: None, list: Some(ListHint { id: seed, top, bottom, first }) }
}

/// A table as the console has it: 120x36, coloured state column, Chinese message, a bar on the chosen row.
fn table(top: u64, chosen: u64, full_bar: bool) -> impl Fn(&mut Buffer) -> Drawn {
    move |buffer| {
        let width = usize::from(buffer.area.width);
        let rows = buffer.area.height;
        buffer.set_stringn(0, 0, "Skydeck  plans  queue  results  history", width, Style::new().fg(Color::Green));
        for y in 3..rows - 2 {
            let row = top + u64::from(y - 3);
            let number = format!("{} XSCKD{:07}  {:>4}  ", row, row * 31 % 10_000_000, 100 + row % 37);
            let state = if row.is_multiple_of(97) { "failed " } else { "audited" };
            let message = if row.is_multiple_of(3) { "字段“基本单位”是必填项" } else { "ok" };
            let line =
                pad(&format!("{number}{state}  2026-01-01 00:{:02}:{:02}  {message}", row / 60 % 60, row % 60), width);
            buffer.set_stringn(0, y, show(&line, 1024).as_str(), width, Style::new());
            let at = u16::try_from(number.len()).unwrap();
            let state_style = Style::new().fg(if row.is_multiple_of(97) { Color::Red } else { Color::Green });
            buffer.set_stringn(at, y, state, 7, state_style);
            if row == chosen && full_bar {
                buffer.set_style(Rect::new(0, y, buffer.area.width, 1), Style::new().bg(Color::Blue));
            } else if row == chosen {
                buffer.set_style(Rect::new(0, y, 20, 1), Style::new().add_modifier(Modifier::REVERSED));
            }
        }
        buffer.set_stringn(0, rows - 1, clip(&format!("row {chosen}/1000000"), width), width, Style::new());
        Drawn { caret: None, list: Some(ListHint { id: 7, top: 3, bottom: rows - 2, first: top }) }
    }
}

#[test]
fn a_move_costs_what_it_must() {
    let mut screen = Screen::new(CAPS, 120, 36);
    let first = screen.frame(table(1_000, 1_000, true)).len();
    let bar = screen.frame(table(1_000, 1_001, true)).len();
    let scrolled = screen.frame(table(1_001, 1_001, true)).len();
    let page = screen.frame(table(1_030, 1_031, true)).len();
    screen.frame(table(1_000, 1_000, false));
    let marker = screen.frame(table(1_000, 1_001, false)).len();
    let marker_scroll = screen.frame(table(1_001, 1_002, false)).len();
    let figures = format!(
        "first {first}, bar {bar}, scrolled {scrolled}, page {page}, marker {marker}, marker scroll {marker_scroll}"
    );
    assert!(
        first <= 6_000 && bar <= 350 && scrolled <= 250 && page <= 2_500 && marker <= 120 && marker_scroll <= 260,
        "{figures}"
    );
    println!("{figures}");
}

#[test]
fn a_poorer_terminal_gets_what_it_can_show() {
    let paint = |buffer: &mut Buffer| {
        buffer.set_string(0, 0, "┌─单据…▶é┐", Style::new().fg(Color::Rgb(255, 0, 0)).bg(Color::Blue).bold());
        Drawn::default()
    };
    let text = |caps| String::from_utf8(Screen::new(caps, 20, 1).frame(paint)).unwrap();
    assert_eq!(
        text(Caps {
            colors: Colors::None,
            unicode: false,
            xterm: false,
            measure: Measure::Narrow,
            through: Through::Nothing
        }),
        "\x1b[m\x1b[H\x1b[2J\x1b[1m+-????~>?+"
    );
    assert!(
        text(Caps {
            colors: Colors::Ansi,
            unicode: true,
            xterm: false,
            measure: Measure::Narrow,
            through: Through::Nothing
        })
        .contains("\x1b[1;91;44m┌─单据…")
    );
    assert!(
        text(Caps {
            colors: Colors::Indexed,
            unicode: true,
            xterm: true,
            measure: Measure::Narrow,
            through: Through::Nothing
        })
        .contains("38;5;196")
    );
}
