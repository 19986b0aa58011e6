//! The shortest way of the terminal's cursor from one cell to another.
//!
//! Invariant: what [`Cursor::bytes`] writes is exactly as long as [`Cursor::cost`] says, and ends at the cell asked for.

use std::io::Write as _;

/// A cell: column and row from 0.
pub type At = (usize, usize);

/// What the terminal understands of cursor motion.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    /// Moves to a column by its number (`CHA`), which a real VT100 has not.
    pub columns: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    Stay,
    /// Line feeds keep the column: output is raw.
    Feeds(usize),
    Down(usize),
    Up(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Across {
    Stay,
    Back(usize),
    Left(usize),
    Right(usize),
    /// To the first column, then right.
    Return(usize),
    Column(usize),
}

impl Cursor {
    /// Bytes [`Cursor::bytes`] writes.
    pub fn cost(self, from: Option<At>, to: At) -> usize {
        let absolute = absolute_cost(to);
        let Some((x, y)) = from else { return absolute };
        let relative = Rows::from(y, to.1).cost() + self.across(x, to.0).cost();
        relative.min(absolute)
    }

    /// Writes the way; `from`: where the cursor stands, when that is known.
    pub fn bytes(self, from: Option<At>, to: At, out: &mut Vec<u8>) {
        let absolute = absolute_cost(to);
        if let Some((x, y)) = from {
            let (down, across) = (Rows::from(y, to.1), self.across(x, to.0));
            if down.cost() + across.cost() <= absolute {
                across.write(out);
                down.write(out);
                return;
            }
        }
        // Writing to a Vec cannot fail.
        let _ = match to {
            (0, 0) => out.write_all(b"\x1b[H"),
            (0, y) => write!(out, "\x1b[{}H", y + 1),
            (x, 0) => write!(out, "\x1b[;{}H", x + 1),
            (x, y) => write!(out, "\x1b[{};{}H", y + 1, x + 1),
        };
    }

    fn across(self, from: usize, to: usize) -> Across {
        let shorter = |a: Across, b: Across| if b.cost() < a.cost() { b } else { a };
        let direct = match from.cmp(&to) {
            std::cmp::Ordering::Equal => return Across::Stay,
            std::cmp::Ordering::Less => Across::Right(to - from),
            std::cmp::Ordering::Greater => shorter(Across::Left(from - to), Across::Back(from - to)),
        };
        let best = shorter(direct, Across::Return(to));
        if self.columns { shorter(best, Across::Column(to)) } else { best }
    }
}

fn digits(n: usize) -> usize {
    match n {
        0..=9 => 1,
        10..=99 => 2,
        100..=999 => 3,
        1000..=9999 => 4,
        _ => 5,
    }
}

/// `CSI n c`, where a count of one need not be said.
fn counted(n: usize) -> usize {
    if n == 1 { 3 } else { 3 + digits(n) }
}

fn absolute_cost(to: At) -> usize {
    match to {
        (0, 0) => 3,
        (0, y) => 3 + digits(y + 1),
        (x, 0) => 4 + digits(x + 1),
        (x, y) => 4 + digits(y + 1) + digits(x + 1),
    }
}

fn count(n: usize, letter: char, out: &mut Vec<u8>) {
    let _ = if n == 1 { write!(out, "\x1b[{letter}") } else { write!(out, "\x1b[{n}{letter}") };
}

impl Rows {
    fn from(from: usize, to: usize) -> Self {
        match to.cmp(&from) {
            std::cmp::Ordering::Equal => Self::Stay,
            std::cmp::Ordering::Less => Self::Up(from - to),
            std::cmp::Ordering::Greater if to - from < 4 => Self::Feeds(to - from),
            std::cmp::Ordering::Greater => Self::Down(to - from),
        }
    }

    fn cost(self) -> usize {
        match self {
            Self::Stay => 0,
            Self::Feeds(n) => n,
            Self::Down(n) | Self::Up(n) => counted(n),
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Stay => {}
            Self::Feeds(n) => out.extend(std::iter::repeat_n(b'\n', n)),
            Self::Down(n) => count(n, 'B', out),
            Self::Up(n) => count(n, 'A', out),
        }
    }
}

impl Across {
    fn cost(self) -> usize {
        match self {
            Self::Stay => 0,
            Self::Back(n) => n,
            Self::Left(n) | Self::Right(n) => counted(n),
            Self::Return(0) => 1,
            Self::Return(n) => 1 + counted(n),
            Self::Column(x) => 3 + digits(x + 1),
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Stay => {}
            Self::Back(n) => out.extend(std::iter::repeat_n(b'\x08', n)),
            Self::Left(n) => count(n, 'D', out),
            Self::Right(n) => count(n, 'C', out),
            Self::Return(n) => {
                out.push(b'\r');
                if n > 0 {
                    count(n, 'C', out);
                }
            }
            Self::Column(x) => drop(write!(out, "\x1b[{}G", x + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_ends_where_it_should_and_costs_what_it_says() {
        for columns in [true, false] {
            let cursor = Cursor { columns };
            let mut terminal = vt100::Parser::new(40, 120, 0);
            for n in 0..4000_usize {
                let spread = |n: usize, prime: usize, size: usize| n.wrapping_mul(prime) / 7 % size;
                let from = (spread(n, 7919, 120), spread(n, 104_729, 40));
                let near = n.is_multiple_of(2);
                let to = if near {
                    ((from.0 + n / 2 % 9).min(119), (from.1 + n / 3 % 5).min(39))
                } else {
                    (spread(n, 1_299_709, 120), spread(n, 15_485_863, 40))
                };
                for known in [Some(from), None] {
                    terminal.process(format!("\x1b[{};{}H", from.1 + 1, from.0 + 1).as_bytes());
                    let mut out = Vec::new();
                    cursor.bytes(known, to, &mut out);
                    assert_eq!(out.len(), cursor.cost(known, to), "{known:?} {to:?} {out:?}");
                    terminal.process(&out);
                    let (y, x) = terminal.screen().cursor_position();
                    assert_eq!((usize::from(x), usize::from(y)), to, "from {known:?} by {out:?}");
                }
            }
        }
    }

    #[test]
    fn near_is_short() {
        let cursor = Cursor { columns: true };
        for (from, to, want) in [
            ((5, 5), (5, 5), 0),
            ((1, 5), (0, 6), 2),
            ((9, 5), (0, 6), 2),
            ((9, 5), (9, 7), 2),
            ((10, 5), (8, 5), 2),
            ((10, 5), (11, 5), 3),
            ((10, 5), (30, 5), 5),
            ((100, 5), (0, 5), 1),
        ] {
            assert_eq!(cursor.cost(Some(from), to), want, "{from:?} {to:?}");
        }
    }
}
