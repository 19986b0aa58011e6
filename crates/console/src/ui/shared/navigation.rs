//! Which pane is shown, and the way back.
//!
//! Invariant: a pane stands on the way back once at most.

use super::list_view::ListViews;
use crate::ui::config::Start;
use crate::ui::keymap::{PANES, Scope};
use crate::ui::lists::KeptList;

/// Where the operator is. A pane is named by its place in the key table.
pub(crate) struct Navigation {
    here: Scope,
    came_from: Vec<Scope>,
    /// The list takes the room of tabs and preview.
    pub zoom: bool,
    /// How far one looks sideways in lists of bills: from 1 on the plan's columns begin with this one.
    pub shift: usize,
    /// How the lists of bills are shown.
    pub views: ListViews,
}

impl Navigation {
    /// At the start.
    pub fn begin(start: Start, lists: Vec<KeptList>) -> Self {
        let here = match start {
            Start::Today => Scope::Today,
            Start::Plans => Scope::Plans,
        };
        Self { here, came_from: Vec::new(), zoom: false, shift: 0, views: ListViews::kept(lists) }
    }

    /// The pane that is shown.
    pub fn here(&self) -> Scope {
        self.here
    }

    /// Shows a pane; `false` where it was shown already.
    pub fn go(&mut self, pane: Scope) -> bool {
        if self.here == pane {
            return false;
        }
        self.came_from.retain(|from| *from != pane);
        self.came_from.push(self.here);
        self.here = pane;
        true
    }

    /// The next pane in the order of the tabs, or the one before, round and round.
    pub fn turned(&self, forward: bool) -> Scope {
        let at = PANES.iter().position(|pane| *pane == self.here).unwrap_or(0);
        let by = if forward { 1 } else { PANES.len() - 1 };
        PANES.get((at + by) % PANES.len()).copied().unwrap_or(self.here)
    }

    /// There is no way back from here.
    pub fn forget(&mut self) {
        self.came_from.clear();
    }

    /// Shows the pane before; `false` where there is none.
    pub fn back(&mut self) -> bool {
        let before = self.came_from.pop();
        self.here = before.unwrap_or(self.here);
        before.is_some()
    }
}
