//! What an overlay is to the rest of the console.

use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::query::Answer;
use skydeck_core::domain::run::RunState;
use skydeck_core::domain::time::Ts;

use crate::ui::cells::Pen;
use crate::ui::desk::Desk;
use crate::ui::keymap::Action;
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::shared::Shared;
use crate::ui::shared::outbox::Asked;

/// What comes after a key.
pub(crate) enum Next {
    Stay,
    Close,
    /// Another one in its place.
    Open(Box<dyn Overlay>),
    /// It closes, and this is done.
    Do(Action),
}

/// Something over the pane that takes the keys: a dialog, a form, a line, a page.
pub(crate) trait Overlay {
    /// A key.
    fn key(&mut self, desk: &mut Desk, key: Key, effects: &mut Vec<Effect>) -> Next;

    /// Draws it; gives where the caret stands.
    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, parts: &Parts) -> Option<(u16, u16)>;

    /// It stands in the lower lines and leaves the list in view.
    fn is_line(&self) -> bool {
        false
    }

    /// Ctrl-C is a key of its own here; elsewhere it closes like Esc.
    fn takes_interrupt(&self) -> bool {
        false
    }

    /// Whether what is typed now is text.
    fn takes_text(&self, _shared: &Shared) -> bool {
        false
    }

    /// Takes a pasted text into its line; `false` where it has none. What asks for a confirmation has none.
    fn paste(&mut self, _desk: &Desk, _text: &str) -> bool {
        false
    }

    /// A click on one of its rows: the cursor stands there; the key that it is the same as besides.
    fn pick(&mut self, _row: usize) -> Option<Key> {
        None
    }

    /// A key that was pressed before there was anything for it, now that there is.
    fn late(&mut self) -> Option<Key> {
        None
    }

    /// The wheel.
    fn scroll(&mut self, _rows: i64) {}

    /// The run it asks about.
    fn run(&self) -> Option<RunId> {
        None
    }

    /// Whether the question stands while the run is in this state.
    fn stands(&self, _state: &RunState) -> bool {
        true
    }

    /// It comes back from behind another one: what is typed is meant for it only once it was read again.
    fn back(&mut self, _now: Ts) {}

    /// What it shows may have changed: it asks again.
    fn spoil(&mut self) {}

    /// What it asks the store now.
    fn questions(&mut self, _shared: &mut Shared, _effects: &mut Vec<Effect>) {}

    /// Takes an answer; `false` where it is none to the question.
    fn answer(&mut self, _shared: &Shared, _what: Asked, _answer: Result<Answer, String>) -> bool {
        true
    }
}

/// Puts a cursor on a row that was clicked; one that stood there already opens it.
pub(super) fn picked(at: &mut usize, row: usize) -> Option<Key> {
    let again = *at == row;
    *at = row;
    again.then_some(Key::plain(Code::Enter))
}
