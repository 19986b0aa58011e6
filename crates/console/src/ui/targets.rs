//! What a click means: the places that a picture offers, found by painting it once more when somebody clicks.
//!
//! Invariant: what is drawn and what is clicked are one description; a place means at most one thing, that of what lies on top.

use ratatui::layout::Rect;
use skydeck_core::domain::sort::By;

use super::msg::Key;

/// What a place means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The same as this key.
    Key(Key),
    /// The list is sorted by this column.
    Sort(By),
    /// A row of what lies over the pane.
    Row(usize),
}

/// The places of a picture; none where nobody asks.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    wanted: bool,
    places: Vec<(Rect, Target)>,
}

impl Targets {
    /// Places are kept.
    pub fn wanted() -> Self {
        Self { wanted: true, places: Vec::new() }
    }

    /// This place means this.
    pub fn offer(&mut self, place: Rect, target: &Target) {
        if self.wanted {
            self.places.push((place, target.clone()));
        }
    }

    /// Something lies over all of it.
    pub fn cover(&mut self) {
        self.places.clear();
    }

    /// What a cell means.
    pub fn at(&self, x: u16, y: u16) -> Option<Target> {
        let found = self.places.iter().rev().find(|(place, _)| place.contains((x, y).into()));
        found.map(|(_, target)| target.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::msg::Code;

    #[test]
    fn the_last_one_painted_is_meant_and_nothing_beneath_what_lies_over_it() {
        let (enter, esc) = (Target::Key(Key::plain(Code::Enter)), Target::Key(Key::plain(Code::Esc)));
        let mut targets = Targets::wanted();
        targets.offer(Rect::new(0, 0, 10, 1), &enter);
        targets.offer(Rect::new(4, 0, 2, 1), &esc);
        assert_eq!(
            [3, 4, 6, 10].map(|x| targets.at(x, 0)),
            [Some(enter.clone()), Some(esc), Some(enter.clone()), None]
        );
        targets.cover();
        assert_eq!(targets.at(3, 0), None);
        let mut asked_by_nobody = Targets::default();
        asked_by_nobody.offer(Rect::new(0, 0, 10, 1), &enter);
        assert_eq!(asked_by_nobody.at(3, 0), None);
    }
}
