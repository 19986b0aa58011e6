//! What the console costs: a key to the picture's bytes, each pane drawn, facts folded into the live state. `cargo bench --bench console`.
//!
//! Bars: a key to its bytes at 120x36 under 400 µs; `limit_diff` is the diff of two equal buffers of the same size.
#![allow(
    clippy::wildcard_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs
)]

#[path = "../tests/console/world/mod.rs"]
mod world;

use divan::{Bencher, black_box, counter::ItemsCount};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use skydeck::domain::live::Live;
use skydeck::shell::screen::Screen;
use skydeck::shell::{Caps, Colors, Through};
use skydeck::text::Measure;
use skydeck::ui::{Lang, view};
use world::{Console, World};

fn main() {
    divan::main();
}

const SIZE: (u16, u16) = (120, 36);
const PANES: [&str; 7] = ["1 plans", "2 queue", "3 results", "4 ledger", "5 history", "3<Enter> bill", "7 log"];

fn console(pane: &str) -> Console {
    let mut console = Console::new(World::new(false), Lang::Zh, SIZE).working();
    console.keys(pane.split(' ').next().unwrap());
    console
}

#[divan::bench]
fn limit_diff(bencher: Bencher<'_, '_>) {
    let (before, _) = console("3").draw();
    let after = before.clone();
    bencher.bench_local(|| black_box(&before).diff(black_box(&after)).len());
}

#[divan::bench(args = PANES)]
fn pane_drawn(bencher: Bencher<'_, '_>, pane: &str) {
    let console = console(pane);
    let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    bencher.bench_local(|| {
        buffer.reset();
        view(black_box(&console.model), &mut buffer)
    });
}

#[divan::bench(args = ["3 results", "4<Enter> ledger", "5 history"])]
fn key_to_bytes(bencher: Bencher<'_, '_>, pane: &str) {
    let mut console = console(pane);
    let mut screen = Screen::new(
        Caps { colors: Colors::True, unicode: true, xterm: true, measure: Measure::Narrow, through: Through::Nothing },
        SIZE.0,
        SIZE.1,
    );
    screen.frame(|buffer| view(&console.model, buffer));
    let mut down = false;
    bencher.bench_local(|| {
        down = !down;
        console.keys(if down { "j" } else { "k" });
        console.effects.clear();
        screen.frame(|buffer| view(&console.model, buffer)).len()
    });
}

#[divan::bench]
fn facts_folded_into_live(bencher: Bencher<'_, '_>) {
    let facts = World::new(false).run_facts();
    bencher.counter(ItemsCount::new(facts.len())).with_inputs(Live::default).bench_local_refs(|live| {
        for fact in &facts {
            live.apply(black_box(fact));
        }
    });
}
