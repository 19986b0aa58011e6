//! Colours and attributes as the terminal can show them, and the shortest SGR sequence from one look to the next.
//!
//! Invariant: after `Pen::turn` the terminal writes in exactly the look asked for.

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

use crate::shell::caps::Colors;

/// What can be seen of an attribute on a blank.
const ON_BLANK: Modifier =
    Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT).union(Modifier::SLOW_BLINK);

/// How a character is written: colours already brought down to what the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Foreground.
    pub fg: Color,
    /// Background.
    pub bg: Color,
    /// Attributes.
    pub mods: Modifier,
}

impl Look {
    /// The terminal's own colours, no attribute.
    pub const PLAIN: Self = Self { fg: Color::Reset, bg: Color::Reset, mods: Modifier::empty() };

    /// The look of a cell on a terminal with these colours.
    pub fn of(cell: &Cell, colors: Colors) -> Self {
        Self { fg: adapt(cell.fg, colors), bg: adapt(cell.bg, colors), mods: cell.modifier }
    }

    /// Whether a blank in `other` looks the same as a blank in this look.
    pub fn same_blank(self, other: Self) -> bool {
        let seen = self.mods & ON_BLANK;
        seen == other.mods & ON_BLANK && self.bg == other.bg && (seen.is_empty() || self.fg == other.fg)
    }
}

/// A colour as the terminal can show it.
fn adapt(color: Color, colors: Colors) -> Color {
    match (colors, color) {
        (Colors::None, _) => Color::Reset,
        (Colors::Indexed, Color::Rgb(r, g, b)) => Color::Indexed(to_256(r, g, b)),
        (Colors::Ansi, Color::Rgb(r, g, b)) => to_16(r, g, b),
        (Colors::Ansi, Color::Indexed(n)) if n >= 16 => {
            let (r, g, b) = from_256(n);
            to_16(r, g, b)
        }
        (_, color) => color,
    }
}

/// The nearest of the 6x6x6 cube and the grey ramp.
fn to_256(r: u8, g: u8, b: u8) -> u8 {
    let level = |v: u8| if v < 48 { 0 } else { ((u16::from(v) - 35) / 40) as u8 };
    let cube = 16 + 36 * level(r) + 6 * level(g) + level(b);
    let mean = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let grey = if mean > 238 { 255 } else { 232 + (mean.saturating_sub(3) / 10) as u8 };
    let wanted = (r, g, b);
    if distance(from_256(grey), wanted) < distance(from_256(cube), wanted) { grey } else { cube }
}

fn from_256(n: u8) -> (u8, u8, u8) {
    match n {
        0..=15 => ANSI.iter().find(|(i, _, _)| *i == n).map_or((0, 0, 0), |(_, _, rgb)| *rgb),
        16..=231 => {
            let step = |v: u8| if v == 0 { 0 } else { 55 + 40 * v };
            let i = n - 16;
            (step(i / 36), step(i / 6 % 6), step(i % 6))
        }
        232..=255 => {
            let v = 8 + 10 * (n - 232);
            (v, v, v)
        }
    }
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    square(a.0, b.0) + square(a.1, b.1) + square(a.2, b.2)
}

fn to_16(r: u8, g: u8, b: u8) -> Color {
    let near = ANSI.iter().min_by_key(|(_, _, rgb)| distance(*rgb, (r, g, b)));
    near.map_or(Color::Reset, |(_, color, _)| *color)
}

/// The sixteen colours with their usual values (xterm's).
const ANSI: [(u8, Color, (u8, u8, u8)); 16] = [
    (0, Color::Black, (0, 0, 0)),
    (1, Color::Red, (205, 0, 0)),
    (2, Color::Green, (0, 205, 0)),
    (3, Color::Yellow, (205, 205, 0)),
    (4, Color::Blue, (0, 0, 238)),
    (5, Color::Magenta, (205, 0, 205)),
    (6, Color::Cyan, (0, 205, 205)),
    (7, Color::Gray, (229, 229, 229)),
    (8, Color::DarkGray, (127, 127, 127)),
    (9, Color::LightRed, (255, 0, 0)),
    (10, Color::LightGreen, (0, 255, 0)),
    (11, Color::LightYellow, (255, 255, 0)),
    (12, Color::LightBlue, (92, 92, 255)),
    (13, Color::LightMagenta, (255, 0, 255)),
    (14, Color::LightCyan, (0, 255, 255)),
    (15, Color::White, (255, 255, 255)),
];

/// The look the terminal is in.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    now: Look,
}

impl Default for Pen {
    fn default() -> Self {
        Self { now: Look::PLAIN }
    }
}

impl Pen {
    /// The look the terminal is in.
    pub fn look(self) -> Look {
        self.now
    }

    /// Brings the terminal to `to`, by the changes alone or by a reset and all of it, whichever is shorter.
    pub fn turn(&mut self, to: Look, out: &mut Vec<u8>) {
        if self.now != to {
            out.extend(shortest(self.now, to).bytes());
            self.now = to;
        }
    }
}

impl Look {
    /// Bytes it takes to go from this look to another.
    pub fn price(self, to: Self) -> usize {
        if self == to { 0 } else { shortest(self, to).len }
    }
}

/// An SGR sequence. The longest has nine attributes and two colours of 24 bits, 58 bytes.
struct Sequence {
    bytes: [u8; Self::LONGEST],
    len: usize,
}

impl Sequence {
    const LONGEST: usize = 64;

    fn of(codes: &Codes) -> Self {
        let mut sequence = Self { bytes: [0; Self::LONGEST], len: 0 };
        sequence.push(b'\x1b');
        sequence.push(b'[');
        for (i, code) in codes.list().iter().enumerate() {
            if i > 0 {
                sequence.push(b';');
            }
            for (unit, least) in [(100, 100), (10, 10), (1, 0)] {
                if *code >= least {
                    sequence.push(b'0' + code / unit % 10);
                }
            }
        }
        sequence.push(b'm');
        sequence
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

fn shortest(from: Look, to: Look) -> Sequence {
    if to == Look::PLAIN {
        return Sequence::of(&Codes::default());
    }
    let change = Sequence::of(&codes(from, to, Codes::default()));
    let mut reset = Codes::default();
    reset.push(0);
    let anew = Sequence::of(&codes(Look::PLAIN, to, reset));
    if anew.len < change.len { anew } else { change }
}

/// Codes of one SGR sequence: nine attributes and two colours of five at most, and a reset.
#[derive(Default)]
struct Codes {
    codes: [u8; 24],
    len: usize,
}

impl Codes {
    fn push(&mut self, code: u8) {
        if let Some(place) = self.codes.get_mut(self.len) {
            *place = code;
            self.len += 1;
        }
    }

    fn list(&self) -> &[u8] {
        self.codes.get(..self.len).unwrap_or_default()
    }
}

/// Attributes with the codes that set and clear them. Bold and dim share the clearing code.
const ATTRIBUTES: [(Modifier, u8, u8); 8] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

fn codes(from: Look, to: Look, mut codes: Codes) -> Codes {
    let gone = from.mods - to.mods;
    for (attribute, _, clear) in ATTRIBUTES {
        if gone.contains(attribute) && codes.list().last() != Some(&clear) {
            codes.push(clear);
        }
    }
    let both_cleared = gone.intersects(Modifier::BOLD | Modifier::DIM);
    for (attribute, set, clear) in ATTRIBUTES {
        let lost = both_cleared && clear == 22;
        if to.mods.contains(attribute) && (lost || !from.mods.contains(attribute)) {
            codes.push(set);
        }
    }
    if from.fg != to.fg {
        color_codes(to.fg, 30, &mut codes);
    }
    if from.bg != to.bg {
        color_codes(to.bg, 40, &mut codes);
    }
    codes
}

fn color_codes(color: Color, base: u8, codes: &mut Codes) {
    match color {
        Color::Reset => codes.push(base + 9),
        Color::Rgb(r, g, b) => [base + 8, 2, r, g, b].into_iter().for_each(|code| codes.push(code)),
        Color::Indexed(n @ 0..=7) => codes.push(base + n),
        Color::Indexed(n @ 8..=15) => codes.push(base + 60 + n - 8),
        Color::Indexed(n) => [base + 8, 5, n].into_iter().for_each(|code| codes.push(code)),
        named => match ANSI.iter().find(|(_, color, _)| *color == named) {
            Some((n @ 0..=7, _, _)) => codes.push(base + n),
            Some((n, _, _)) => codes.push(base + 60 + n - 8),
            None => codes.push(base + 9),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(from: Look, to: Look) -> String {
        let mut pen = Pen { now: from };
        let mut out = Vec::new();
        pen.turn(to, &mut out);
        String::from_utf8(out).unwrap().replace('\x1b', "")
    }

    #[test]
    fn a_change_of_look_sends_what_changed() {
        let plain = Look::PLAIN;
        let red = Look { fg: Color::Red, ..plain };
        let bold_red = Look { mods: Modifier::BOLD, ..red };
        let dim_red = Look { mods: Modifier::DIM, ..red };
        let on_blue = Look { bg: Color::Rgb(1, 2, 3), ..bold_red };
        for (from, to, want) in [
            (plain, plain, ""),
            (plain, red, "[31m"),
            (red, bold_red, "[1m"),
            (bold_red, dim_red, "[22;2m"),
            (bold_red, plain, "[m"),
            (on_blue, bold_red, "[49m"),
            (on_blue, red, "[0;31m"),
            (bold_red, on_blue, "[48;2;1;2;3m"),
            (plain, Look { fg: Color::LightRed, ..plain }, "[91m"),
            (plain, Look { bg: Color::Indexed(200), ..plain }, "[48;5;200m"),
        ] {
            assert_eq!(turned(from, to), want, "{from:?} {to:?}");
        }
    }

    #[test]
    fn colours_come_down_to_what_the_terminal_has() {
        for (color, colors, want) in [
            (Color::Rgb(255, 0, 0), Colors::True, Color::Rgb(255, 0, 0)),
            (Color::Rgb(255, 0, 0), Colors::Indexed, Color::Indexed(196)),
            (Color::Rgb(128, 128, 128), Colors::Indexed, Color::Indexed(244)),
            (Color::Rgb(250, 10, 10), Colors::Ansi, Color::LightRed),
            (Color::Indexed(196), Colors::Ansi, Color::LightRed),
            (Color::Indexed(3), Colors::Ansi, Color::Indexed(3)),
            (Color::Red, Colors::None, Color::Reset),
        ] {
            assert_eq!(adapt(color, colors), want, "{color:?} {colors:?}");
        }
    }
}
