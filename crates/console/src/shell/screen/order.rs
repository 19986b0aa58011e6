//! In which order the changed pieces of a picture are written: a change of colour costs up to forty bytes, a jump of the
//! cursor from three to eight, so pieces of one look go together wherever they stand.
//!
//! Invariant: every piece comes exactly once. Pieces do not overlap, so any order gives the same picture.

use super::go::{At, Cursor};
use super::paint::Look;

/// More pieces than this go row by row: then hardly a colour is wanted only once, and choosing would take longer than
/// it saves.
const CHOSEN: usize = 96;

/// What a piece asks of the look it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Characters: this look and no other.
    Exact(Look),
    /// Blanks: any look in which a blank looks the same.
    Blank(Look),
}

impl Need {
    /// The look to write in when the terminal is in `now`.
    pub fn look(self, now: Look) -> Look {
        match self {
            Self::Blank(look) if look.same_blank(now) => now,
            Self::Exact(look) | Self::Blank(look) => look,
        }
    }

    /// The need of both together; `None` when they cannot be written in one look.
    pub fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => (a == b).then_some(self),
            (Self::Exact(a), Self::Blank(b)) => b.same_blank(a).then_some(self),
            (Self::Blank(a), Self::Exact(b) | Self::Blank(b)) => a.same_blank(b).then_some(other),
        }
    }
}

/// How a piece is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its characters.
    Text,
    /// So many cells are erased; the cursor stays.
    Blanks,
    /// Everything to the end of the row is erased; the cursor stays.
    Rest,
}

/// A stretch of one row.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Row.
    pub y: usize,
    /// First column.
    pub from: usize,
    /// Column after the last.
    pub to: usize,
    /// What look it wants.
    pub need: Need,
    /// How it is written.
    pub kind: Kind,
    /// Whether the cursor's place is known afterwards.
    pub known: bool,
}

impl Piece {
    /// Where the cursor is afterwards.
    fn leaves(&self) -> Option<At> {
        let x = if self.kind == Kind::Text { self.to } else { self.from };
        self.known.then_some((x, self.y))
    }
}

/// Looks with the price of each change, worked out once.
struct Prices {
    looks: Vec<Look>,
    known: Vec<Option<usize>>,
}

impl Prices {
    fn new(looks: Vec<Look>) -> Self {
        let known = vec![None; looks.len() * looks.len()];
        Self { looks, known }
    }

    fn place(&self, look: Look) -> usize {
        self.looks.iter().position(|l| *l == look).unwrap_or(0)
    }

    fn of(&mut self, from: usize, to: usize) -> usize {
        let (Some(a), Some(b)) = (self.looks.get(from).copied(), self.looks.get(to).copied()) else { return 0 };
        let at = from * self.looks.len() + to;
        match self.known.get_mut(at) {
            Some(price) => *price.get_or_insert_with(|| a.price(b)),
            None => a.price(b),
        }
    }
}

/// State of the terminal while the order is chosen.
#[derive(Clone, Copy)]
struct Pen {
    at: Option<At>,
    look: usize,
}

/// A piece with its need as a place among the looks.
struct Asked<'p> {
    piece: &'p Piece,
    look: usize,
}

impl Asked<'_> {
    /// Price and what the terminal is like afterwards.
    fn after(&self, pen: Pen, cursor: Cursor, prices: &mut Prices) -> (usize, Pen) {
        let now = prices.looks.get(pen.look).copied().unwrap_or(Look::PLAIN);
        let stays = matches!(self.piece.need, Need::Blank(look) if look.same_blank(now));
        let look = if stays { pen.look } else { self.look };
        let price = cursor.cost(pen.at, (self.piece.from, self.piece.y)) + prices.of(pen.look, look);
        (price, Pen { at: self.piece.leaves(), look })
    }
}

/// Puts pieces into the cheapest order known: the nearest next one each time, or as they come where that is shorter.
pub fn order(pieces: &[Piece], at: Option<At>, look: Look, cursor: Cursor) -> Vec<usize> {
    let natural: Vec<usize> = (0..pieces.len()).collect();
    if pieces.len() > CHOSEN || pieces.len() < 3 {
        return natural;
    }
    let mut looks = vec![look];
    for piece in pieces {
        let (Need::Exact(look) | Need::Blank(look)) = piece.need;
        if !looks.contains(&look) {
            looks.push(look);
        }
    }
    let mut prices = Prices::new(looks);
    let asked: Vec<Asked<'_>> = pieces
        .iter()
        .map(|piece| {
            let (Need::Exact(look) | Need::Blank(look)) = piece.need;
            Asked { piece, look: prices.place(look) }
        })
        .collect();
    let begin = Pen { at, look: 0 };
    let (mut pen, mut whole) = (begin, 0);
    for asked in &asked {
        let (price, next) = asked.after(pen, cursor, &mut prices);
        whole += price;
        pen = next;
    }
    let mut left = natural.clone();
    let mut chosen = Vec::with_capacity(left.len());
    let (mut pen, mut total) = (begin, 0);
    while !left.is_empty() {
        let mut best: Option<(usize, usize, Pen)> = None;
        for (place, i) in left.iter().enumerate() {
            let Some(asked) = asked.get(*i) else { continue };
            let (price, next) = asked.after(pen, cursor, &mut prices);
            if best.is_none_or(|(held, _, _)| price < held) {
                best = Some((price, place, next));
            }
        }
        let Some((price, place, next)) = best else { break };
        chosen.push(left.remove(place));
        total += price;
        pen = next;
    }
    if total < whole { chosen } else { natural }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Color;

    use super::*;

    #[test]
    fn pieces_of_one_look_go_together() {
        let look = |fg| Look { fg, ..Look::PLAIN };
        let piece = |y, look| Piece { y, from: 3, to: 9, need: Need::Exact(look), kind: Kind::Text, known: true };
        let (red, grey) = (look(Color::Rgb(200, 30, 30)), look(Color::Rgb(127, 135, 148)));
        let pieces = [piece(1, red), piece(2, grey), piece(3, red), piece(4, grey)];
        let cursor = Cursor { columns: true };
        assert_eq!(order(&pieces, None, Look::PLAIN, cursor), [0, 2, 3, 1]);
        assert_eq!(order(&pieces, None, grey, cursor), [1, 3, 0, 2]);
    }

    #[test]
    fn blanks_take_the_look_that_is_there() {
        let red = Look { fg: Color::Red, ..Look::PLAIN };
        let on_blue = Look { bg: Color::Blue, ..Look::PLAIN };
        assert_eq!(Need::Blank(Look::PLAIN).look(red), red);
        assert_eq!(Need::Blank(Look::PLAIN).look(on_blue), Look::PLAIN);
        assert_eq!(Need::Blank(Look::PLAIN).join(Need::Exact(red)), Some(Need::Exact(red)));
        assert_eq!(Need::Exact(red).join(Need::Exact(on_blue)), None);
    }
}
