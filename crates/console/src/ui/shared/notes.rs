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
    /// What leads on; empty where the text says it.
    pub next: String,
}

/// The messages.
#[derive(Default)]
pub(crate) struct Notes {
    /// Newest first.
    list: VecDeque<Note>,
    /// How many came since a key was pressed.
    unread: usize,
}

impl Notes {
    /// A new one.
    pub fn say(&mut self, note: Note) {
        self.list.push_front(note);
        self.list.truncate(KEPT);
        self.unread = (self.unread + 1).min(self.list.len());
    }

    /// What was said last is no longer so: it leaves the status line, where it stands alone.
    pub fn is_over(&mut self, text: &str) {
        let stands = self.unread == 1 && self.list.front().is_some_and(|note| !note.bad && note.text == text);
        if stands {
            self.unread = 0;
        }
    }

    /// A key was pressed: what stands on the status line was seen.
    pub fn seen(&mut self) {
        self.unread = 0;
    }

    /// What is to be seen of those that came since a key was pressed, and how many more there are: what went wrong is not
    /// hidden by what came after it.
    pub fn unseen(&self) -> Option<(&Note, usize)> {
        let unread = || self.list.iter().take(self.unread);
        let note = unread().find(|note| note.bad).or(unread().next())?;
        Some((note, self.unread - 1))
    }

    /// All that are kept, newest first.
    pub fn all(&self) -> &VecDeque<Note> {
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bad: bool, text: &str) -> Note {
        Note { at: Ts(1), bad, text: text.to_owned(), next: String::new() }
    }

    #[test]
    fn what_is_no_longer_so_leaves_the_line_and_what_is_not_seen_yet_stays() {
        let mut notes = Notes::default();
        notes.say(of(false, "collecting"));
        notes.is_over("something else");
        assert!(notes.unseen().is_some());
        notes.is_over("collecting");
        assert!(notes.unseen().is_none() && notes.all().len() == 1);
        notes.say(of(true, "paused by itself"));
        notes.say(of(false, "collecting"));
        notes.is_over("collecting");
        assert_eq!(notes.unseen().unwrap().0.text, "paused by itself");
    }

    #[test]
    fn what_went_wrong_is_not_hidden_by_what_came_after_it() {
        let mut notes = Notes::default();
        assert_eq!(notes.unseen(), None);
        for (bad, text) in [(false, "approved"), (true, "paused by itself"), (false, "exported")] {
            notes.say(of(bad, text));
        }
        let (note, more) = notes.unseen().unwrap();
        assert_eq!((note.text.as_str(), more), ("paused by itself", 2));
        notes.seen();
        assert_eq!(notes.unseen(), None);
        notes.say(of(false, "copied"));
        let (note, more) = notes.unseen().unwrap();
        assert_eq!((note.text.as_str(), more), ("copied", 0), "one that was seen does not come back");
    }
}
