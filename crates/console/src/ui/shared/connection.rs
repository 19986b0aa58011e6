//! Whether there is an engine: being opened, here, or gone.

/// How the engine is reached.
#[derive(Default)]
pub(crate) struct Connection {
    opening: Option<String>,
    gone: Option<String>,
}

impl Connection {
    /// Why there is no engine; `None` while there is one.
    pub fn gone(&self) -> Option<&str> {
        self.gone.as_deref()
    }

    /// What the engine does while it is being opened.
    pub fn opening(&self) -> Option<&str> {
        self.opening.as_deref()
    }

    /// It is gone, or back; tells whether it came back.
    pub fn lost(&mut self, why: Option<String>) -> bool {
        let back = why.is_none() && self.gone.is_some();
        self.gone = why;
        back
    }

    /// It is being opened.
    pub fn opens(&mut self, doing: String) {
        self.opening = Some(doing);
    }

    /// It is open.
    pub fn opened(&mut self) {
        self.opening = None;
    }
}
