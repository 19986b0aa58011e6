//! A terminal that makes ambiguous characters wide: whatever is shown there, no row is shifted and no cell is wrong;
//! and where the operator's setting is wrong, each character still stands in its column.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use skydeck::domain::bill::{BillState, Outcome};
use skydeck::shell::screen::Screen;
use skydeck::shell::{Caps, Colors, Through};
use skydeck::text::Measure;
use skydeck::ui::{Lang, UiConfig, view};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::world::{Console, World};

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq)]
enum Spot {
    Text(String),
    /// The right half of the character before.
    Half,
}

/// As much of a terminal as the screen writer uses; its own reading of the sequences, with its own width of ambiguous
/// characters.
struct Terminal {
    measure: Measure,
    cells: Vec<Vec<Spot>>,
    at: (usize, usize),
    /// The last column was written: the next character wraps.
    full: bool,
    region: (usize, usize),
}

impl Terminal {
    fn new(measure: Measure, (columns, rows): (u16, u16)) -> Self {
        let row = vec![Spot::Text(" ".into()); usize::from(columns)];
        let rows = usize::from(rows);
        Self { measure, cells: vec![row; rows], at: (0, 0), full: false, region: (0, rows) }
    }

    fn columns(&self) -> usize {
        self.cells[0].len()
    }

    fn feed(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).unwrap();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("\x1b[") {
                let end = after.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                self.sequence(&after[..end], after.as_bytes()[end]);
                rest = &after[end + 1..];
                continue;
            }
            if c.is_control() {
                self.full = false;
                match c {
                    '\x08' => self.at.0 = self.at.0.saturating_sub(1),
                    '\r' => self.at.0 = 0,
                    '\n' => self.at.1 = (self.at.1 + 1).min(self.cells.len() - 1),
                    other => panic!("{other:?} was sent"),
                }
                rest = &rest[c.len_utf8()..];
                continue;
            }
            let cluster = rest.graphemes(true).next().unwrap();
            self.put(cluster);
            rest = &rest[cluster.len()..];
        }
    }

    fn put(&mut self, cluster: &str) {
        let width = self.measure.cluster(cluster);
        assert!(matches!(width, 1 | 2), "{cluster:?}");
        assert!(!self.full && self.at.0 + width <= self.columns(), "{cluster:?} wraps at {:?}", self.at);
        let (x, y) = self.at;
        for column in x..x + width {
            self.tear(column, y);
        }
        self.cells[y][x] = Spot::Text(cluster.into());
        if width == 2 {
            self.cells[y][x + 1] = Spot::Half;
        }
        self.full = x + width == self.columns();
        self.at.0 = (x + width).min(self.columns() - 1);
    }

    /// Half of a wide character is overwritten: the other half goes too.
    fn tear(&mut self, x: usize, y: usize) {
        let blank = Spot::Text(" ".into());
        if self.cells[y][x] == Spot::Half {
            self.cells[y][x - 1] = blank.clone();
        }
        if self.cells[y].get(x + 1) == Some(&Spot::Half) {
            self.cells[y][x + 1] = blank.clone();
        }
        self.cells[y][x] = blank;
    }

    fn sequence(&mut self, parameters: &str, last: u8) {
        let numbers: Vec<usize> = parameters.split(';').map(|n| n.parse().unwrap_or(0)).collect();
        let number = |i: usize| numbers.get(i).copied().unwrap_or(0).max(1);
        let (columns, rows) = (self.columns(), self.cells.len());
        match last {
            b'm' | b'h' | b'l' => return,
            b'H' => self.at = (number(1) - 1, number(0) - 1),
            b'A' => self.at.1 = self.at.1.saturating_sub(number(0)),
            b'B' => self.at.1 = (self.at.1 + number(0)).min(rows - 1),
            b'C' => self.at.0 = (self.at.0 + number(0)).min(columns - 1),
            b'D' => self.at.0 = self.at.0.saturating_sub(number(0)),
            b'G' => self.at.0 = (number(0) - 1).min(columns - 1),
            b'X' => {
                let (x, y) = self.at;
                (x..(x + number(0)).min(columns)).for_each(|column| self.tear(column, y));
            }
            b'J' => self.cells.iter_mut().flatten().for_each(|spot| *spot = Spot::Text(" ".into())),
            b'K' => {
                let (x, y) = self.at;
                (x..columns).for_each(|column| self.tear(column, y));
            }
            b'r' => {
                self.region = if parameters.is_empty() { (0, rows) } else { (number(0) - 1, number(1)) };
                self.at = (0, 0);
            }
            b'S' | b'T' => {
                let region = &mut self.cells[self.region.0..self.region.1];
                let blank = vec![Spot::Text(" ".into()); columns];
                let n = number(0).min(region.len());
                let kept = region.len() - n;
                if last == b'S' {
                    region.rotate_left(n);
                    region[kept..].fill(blank);
                } else {
                    region.rotate_right(n);
                    region[..n].fill(blank);
                }
            }
            other => panic!("{} was sent", char::from(other)),
        }
        self.full = false;
    }

    /// Where the terminal differs from the picture.
    fn differences(&self, picture: &Buffer) -> Vec<String> {
        let mut found = Vec::new();
        for y in 0..picture.area.height {
            let mut x = 0;
            while x < picture.area.width {
                let symbol = picture[(x, y)].symbol();
                let room = usize::from(picture.area.width - x);
                let takes = Measure::Wide.cluster(symbol).min(room);
                let want = if takes < Measure::Wide.cluster(symbol) { " " } else { symbol };
                let got = &self.cells[usize::from(y)][usize::from(x)];
                if *got != Spot::Text(want.into()) {
                    found.push(format!("({x},{y}): want {want:?}, got {got:?}"));
                }
                if takes == 2 {
                    // Where this terminal makes it narrow after all, its second cell is blank.
                    let half = if self.measure.cluster(symbol) == 2 { Spot::Half } else { Spot::Text(" ".into()) };
                    let got = &self.cells[usize::from(y)][usize::from(x) + 1];
                    if *got != half {
                        found.push(format!("({x},{y}): after {symbol:?} stands {got:?}"));
                    }
                }
                x += takes.max(1) as u16;
            }
        }
        found
    }
}

/// Text full of characters whose width terminals disagree about.
fn ambiguous() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "①②③",
        "±5°",
        "×2",
        "Ω",
        "Склад",
        "“库存”",
        "…",
        "—",
        "→",
        "½",
        "§",
        "库",
        "ab",
        " ",
        "e\u{301}",
        "α\u{301}",
        "■",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

const KEYS: &[&str] = &["j", "k", "<C-d>", "3", "4", "<Enter>", "<Esc>", "z", "/①", "5", "G", "g", "7", "?", "*R", "L"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_row_is_shifted_on_the_way_from_picture_to_picture(
        texts in prop::collection::vec(ambiguous(), 6), keys in prop::collection::vec(0..KEYS.len(), 1..9),
        size in (60u16..130, 15u16..40), zh: bool, unicode in prop::bool::weighted(0.8),
    ) {
        let mut world = World::new(false);
        for (bill, text) in world.bills.iter_mut().zip(texts.iter().cycle()) {
            if let BillState::Settled(Outcome::Failed(f)) = &mut bill.state {
                f.message.clone_from(text);
            }
            bill.columns[1].clone_from(text);
            bill.no = format!("{}{}", &text, bill.no);
        }
        let lang = if zh { Lang::Zh } else { Lang::En };
        let config = UiConfig { lang, measure: Measure::Wide, size, ..UiConfig::default() };
        let mut console = Console::with(world, config).working();
        let caps = Caps { colors: Colors::True, unicode, xterm: true, measure: Measure::Wide, through: Through::Nothing };
        let mut screen = Screen::new(caps, size.0, size.1);
        let mut terminals = [Terminal::new(Measure::Wide, size), Terminal::new(Measure::Narrow, size)];
        for key in keys {
            console.keys(KEYS[key]);
            let mut painted = Buffer::empty(Rect::new(0, 0, size.0, size.1));
            view(&console.model, &mut painted);
            let bytes = screen.frame(|buffer| view(&console.model, buffer));
            for terminal in &mut terminals {
                terminal.feed(&bytes);
                if unicode {
                    let found = terminal.differences(&painted);
                    let sent = String::from_utf8_lossy(&bytes);
                    prop_assert!(found.is_empty(), "{:?}: {}\nfrom {:?}", terminal.measure, found.join("\n"), sent);
                }
            }
        }
        // ASCII stand-ins have one width everywhere.
        prop_assert!(unicode || terminals[0].cells == terminals[1].cells);
        prop_assert_eq!(screen.hostile_cells(), 0);
    }
}

#[test]
fn a_narrow_picture_on_such_a_terminal_is_what_the_setting_is_for() {
    let caps =
        Caps { colors: Colors::None, unicode: true, xterm: true, measure: Measure::Narrow, through: Through::Nothing };
    let mut screen = Screen::new(caps, 20, 1);
    let draw = |buffer: &mut Buffer| {
        buffer.set_stringn(0, 0, "±5 ok", 20, ratatui::style::Style::new());
        skydeck::ui::msg::Drawn::default()
    };
    let mut terminal = Terminal::new(Measure::Wide, (20, 1));
    terminal.feed(&screen.frame(draw));
    let mut painted = Buffer::empty(Rect::new(0, 0, 20, 1));
    draw(&mut painted);
    assert_eq!(terminal.cells[0][2], Spot::Text("5".into()), "without the setting the row is shifted");
}
