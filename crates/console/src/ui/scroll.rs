//! Which part of a list is on the screen: the one way in which all lists of the console scroll.

/// First row on the screen, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scroll {
    top: usize,
    height: usize,
}

impl Default for Scroll {
    fn default() -> Self {
        Self { top: 0, height: 1 }
    }
}

impl Scroll {
    /// The first row on the screen.
    pub fn top(self) -> usize {
        self.top
    }

    /// Rows on the screen.
    pub fn height(self) -> usize {
        self.height
    }

    /// The screen has so many rows for it; one at least.
    pub fn set_height(&mut self, height: usize) {
        self.height = height.max(1);
    }

    /// Puts this row first.
    pub fn set_top(&mut self, top: usize) {
        self.top = top;
    }

    /// The same room, from the first row on.
    pub fn at_top(self) -> Self {
        Self { top: 0, ..self }
    }

    /// Scrolls as little as is needed to have a row on the screen.
    pub fn follow(&mut self, at: usize) {
        if at < self.top {
            self.top = at;
        } else if at >= self.top + self.height {
            self.top = at + 1 - self.height;
        }
    }

    /// Leaves no row blank while there are rows above to fill it.
    pub fn fill(&mut self, len: usize) {
        self.top = self.top.min(len.saturating_sub(self.height));
    }
}

/// The place of a cursor so many rows further, within a list.
pub(crate) fn moved(at: usize, by: i64, len: usize) -> usize {
    let last = len.saturating_sub(1) as i64;
    (at as i64).saturating_add(by).clamp(0, last) as usize
}
