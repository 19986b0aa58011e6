//! What server text costs on its way to the screen, and what a frame costs: `cargo bench --bench text`.
//!
//! Bars: 64 kB shown in a detail pane well under a frame (16 ms); the sweep of 200x60 cells under 100 µs; a moved bar
//! in 120x36 under 400 µs, widgets included.
#![allow(missing_docs)]

use divan::{Bencher, black_box};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use skydeck::shell::screen::{Screen, sweep};
use skydeck::shell::{Caps, Colors, Through};
use skydeck::text::{DETAIL, Measure, TABLE, pad, show, width};
use skydeck::ui::msg::{Drawn, ListHint};

fn main() {
    divan::main();
}

const CAPS: Caps =
    Caps { colors: Colors::True, unicode: true, xterm: true, measure: Measure::Narrow, through: Through::Nothing };

#[divan::bench(args = ["错误 error \u{1b}[31m", "字段“基本单位”是必填项，", "plain ascii text, nothing else. "])]
fn show_ten_megabytes(bencher: Bencher<'_, '_>, unit: &str) {
    let raw = unit.repeat(10_000_000 / unit.len());
    bencher.bench_local(|| show(black_box(&raw), DETAIL));
}

#[divan::bench]
fn show_one_cell(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| show(black_box("销售出库单“XSCKD000123”的字段“基本单位”是必填项"), TABLE));
}

#[divan::bench]
fn width_of_one_cell() -> usize {
    width(black_box("销售出库单“XSCKD000123”的字段“基本单位”是必填项"))
}

fn picture(buffer: &mut Buffer, top: u64, chosen: u64) -> Drawn {
    let columns = usize::from(buffer.area.width);
    for y in 0..buffer.area.height {
        let row = top + u64::from(y);
        let line = format!("{row:>8} XSCKD{:07} 字段“基本单位”是必填项", row * 31 % 10_000_000);
        let style = if row == chosen { Style::new().bg(Color::Blue) } else { Style::new() };
        buffer.set_stringn(0, y, pad(show(&line, TABLE).as_str(), columns), columns, style);
    }
    Drawn { caret: None, list: Some(ListHint { id: 1, top: 0, bottom: buffer.area.height, first: top }) }
}

#[divan::bench]
fn sweep_200x60(bencher: Bencher<'_, '_>) {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 200, 60));
    picture(&mut buffer, 0, 5);
    bencher.bench_local(|| sweep(black_box(&mut buffer), Measure::Narrow));
}

#[divan::bench]
fn bar_moves_a_row(bencher: Bencher<'_, '_>) {
    let mut screen = Screen::new(CAPS, 120, 36);
    let mut chosen = 0;
    bencher.bench_local(|| {
        chosen = (chosen + 1) % 30;
        screen.frame(|buffer| picture(buffer, 0, chosen))
    });
}

#[divan::bench]
fn list_scrolls_a_row(bencher: Bencher<'_, '_>) {
    let mut screen = Screen::new(CAPS, 120, 36);
    let mut top = 0;
    bencher.bench_local(|| {
        top += 1;
        screen.frame(|buffer| picture(buffer, top, top + 10))
    });
}
