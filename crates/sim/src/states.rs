//! The states of a row that operations move: its document status, closed or not, forbidden or not.
//!
//! Invariant: moving one state never moves another; date and person beside a mark are those of its last `B`, or none.

use super::form::FORMS;
use super::kind::Kind;
use super::operate::Operation;
use super::record::Applied;
use super::state::State;
use super::table::NOBODY;
use super::world::World;

/// How a state of a row moves: to which letter, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Moved<'a> {
    pub state: State,
    pub to: u8,
    pub by: &'a str,
}

impl World {
    /// Moves one state of a row and keeps the columns that follow from it true.
    pub(super) fn move_state(&mut self, form: usize, id: u32, Moved { state, to: letter, by: user }: Moved<'_>) {
        let at = self.local_seconds();
        let who = self.masters.position(Kind::User, user).map_or(NOBODY, |p| p as u8);
        let moved = state == State::Document && matches!(letter, b'C' | b'D');
        if let Some(trouble) = self.troubles.get_mut(&(form, id)).filter(|_| moved) {
            trouble.workflow = false;
        }
        let Some(table) = self.tables.get_mut(form) else { return };
        let Some(bill) = table.get_mut(i64::from(id)) else { return };
        bill.modified = at;
        bill.modifier = who;
        if state == State::Document {
            bill.status = letter;
            (bill.approved, bill.approver) = if letter == b'C' { (at, who) } else { (0, NOBODY) };
        } else {
            table.mark(id, state, (letter == b'B').then_some((at, who)));
        }
    }

    /// Somebody else moves a state of a row.
    pub(super) fn outside(&mut self, form: usize, id: u32, moved: Moved<'_>) {
        let Moved { state, to: letter, by: who } = moved;
        let before = self.letter(form, id, state);
        let number = self.number(form, id);
        self.move_state(form, id, moved);
        self.note(Applied {
            seq: 0,
            at_ms: self.now_ms,
            call: self.call_count,
            verb: "Outside",
            form,
            id,
            number: number.into(),
            state,
            before: char::from(before),
            after: char::from(letter),
            user: who.into(),
            refused: None,
        });
    }

    /// Somebody else takes back what an operation does to a row, where it was done. Without an operation: the audit.
    pub(super) fn take_back(&mut self, operation: Option<Operation>, form: usize, id: u32) {
        let (state, done, undone) = match operation {
            Some(Operation::BillClose) => (State::Close, b'B', b'A'),
            Some(Operation::Forbid) => (State::Forbid, b'B', b'A'),
            Some(Operation::Enable) => (State::Forbid, b'A', b'B'),
            _ => (State::Document, b'C', b'D'),
        };
        let known = FORMS.get(form).is_some_and(|form| form.has(state));
        if known && self.letter(form, id, state) == done {
            self.outside(form, id, Moved { state, to: undone, by: "王芳" });
        }
    }

    /// The letter a state of a row has; `-` for a row that is not there.
    pub(super) fn letter(&self, form: usize, id: u32, state: State) -> u8 {
        let bill = self.tables.get(form).and_then(|table| table.get(i64::from(id)));
        bill.map_or(super::table::DELETED, |bill| bill.letter(state))
    }
}
