//! A short list that is asked for as a whole, and asked for again when facts may have changed it.

/// The list, and whether it is still true.
pub(crate) struct Fetched<T> {
    rows: Vec<T>,
    loaded: bool,
    stale: bool,
}

impl<T> Default for Fetched<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), loaded: false, stale: true }
    }
}

impl<T> Fetched<T> {
    /// The rows of the last answer.
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// Whether it was answered at least once.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Whether it waits to be asked for again.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// It is asked for again when there is time.
    pub fn spoil(&mut self) {
        self.stale = true;
    }

    /// Takes an answer; gives the rows before.
    pub fn take(&mut self, rows: Vec<T>) -> Vec<T> {
        self.loaded = true;
        std::mem::replace(&mut self.rows, rows)
    }

    /// Whether to ask now: while much happens only for the first time. Who hears yes asks.
    pub fn wants(&mut self, quiet: bool) -> bool {
        let now = self.stale && (quiet || !self.loaded);
        self.stale &= !now;
        now
    }
}
