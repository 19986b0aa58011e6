//! What a saved or pushed bill holds beyond the columns every row has: fields of its head and the lines of its entries.
//!
//! Invariant: a cell is read back as it was written; which field it belongs to is the form's affair, not the document's.

use super::dec::Dec;

/// One field of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Emptied.
    Null,
    /// Characters.
    Text(Box<str>),
    /// A decimal.
    Dec(Dec),
    /// A whole number.
    Int(i64),
    /// Server-local seconds since 1970.
    Time(i64),
    /// Yes or no.
    Flag(bool),
    /// Position in a list of base data.
    Row(u32),
    /// The number of base data of a list that is not kept here.
    Named(Box<str>),
}

impl Cell {
    /// Nothing anybody would call filled in.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) | Self::Named(text) => text.trim().is_empty(),
            Self::Dec(number) => *number == Dec::ZERO,
            _ => false,
        }
    }

    /// Memory it takes beside itself.
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Named(text) => text.len(),
            _ => 0,
        }
    }
}

/// Fields of a head or of a line, in the order they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cells(Vec<(u16, Cell)>);

impl Cells {
    /// A field; `None` when it was never written.
    pub fn get(&self, def: u16) -> Option<&Cell> {
        self.0.iter().find(|(of, _)| *of == def).map(|(_, cell)| cell)
    }

    /// Writes a field.
    pub fn set(&mut self, def: u16, cell: Cell) {
        match self.0.iter_mut().find(|(of, _)| *of == def) {
            Some((_, slot)) => *slot = cell,
            None => self.0.push((def, cell)),
        }
    }

    /// Every field.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Cell)> {
        self.0.iter().map(|(def, cell)| (*def, cell))
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(_, cell)| size_of::<(u16, Cell)>() + cell.bytes()).sum()
    }
}

/// Where a pushed line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Position of the source's form.
    pub form: usize,
    /// The source.
    pub bill: u32,
    /// Its line.
    pub line: i64,
    /// Position of the conversion rule.
    pub rule: usize,
}

/// A line of entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Entry id.
    pub id: i64,
    /// Its fields.
    pub cells: Cells,
    /// The line it was pushed from.
    pub origin: Option<Origin>,
}

/// A document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doc {
    /// Fields of the head and of its parts.
    pub head: Cells,
    /// Lines, by the place of their entity.
    pub lists: Vec<Vec<Line>>,
}

impl Doc {
    /// A document for a form with so many entities.
    pub fn empty(entities: usize) -> Self {
        Self { head: Cells::default(), lists: vec![Vec::new(); entities] }
    }

    /// The lines of an entity, by its place from 1.
    pub fn list(&self, place: u8) -> &[Line] {
        usize::from(place).checked_sub(1).and_then(|i| self.lists.get(i)).map_or(&[], Vec::as_slice)
    }

    /// The same, to be changed.
    pub fn list_mut(&mut self, place: u8) -> Option<&mut Vec<Line>> {
        usize::from(place).checked_sub(1).and_then(|i| self.lists.get_mut(i))
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let lines = self.lists.iter().flatten();
        size_of::<Self>() + self.head.bytes() + lines.map(|line| size_of::<Line>() + line.cells.bytes()).sum::<usize>()
    }
}
