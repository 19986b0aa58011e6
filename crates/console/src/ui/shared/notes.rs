//! Messages to the operator: the newest on the status line until a key is pressed, the last ones kept to be read again.

use std::collections::VecDeque;

use skydeck_core::domain::time::Ts;

/// Notes kept.
const KEPT: usize = 50;

/// A message to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub at: Ts,
    pub bad: bool,
    pub text: String,
}

/// The messages.
#[derive(Default)]
pub(crate) struct Notes {
    /// Newest first.
    list: VecDeque<Note>,
    /// A key was pressed since the newest came.
    read: bool,
}

impl Notes {
    /// A new one.
    pub fn say(&mut self, at: Ts, bad: bool, text: String) {
        self.list.push_front(Note { at, bad, text });
        self.list.truncate(KEPT);
        self.read = false;
    }

    /// A key was pressed: what stands on the status line was seen.
    pub fn seen(&mut self) {
        self.read = true;
    }

    /// The newest, whether or not it was seen.
    pub fn newest(&self) -> Option<&Note> {
        self.list.front()
    }

    /// The newest while nobody has pressed a key since.
    pub fn unseen(&self) -> Option<&Note> {
        self.newest().filter(|_| !self.read)
    }

    /// All that are kept, newest first.
    pub fn all(&self) -> &VecDeque<Note> {
        &self.list
    }
}
