//! Attachments and messages that were sent to the server.
//!
//! Invariant: [`Files::bytes`] is what all files take together.

use std::collections::BTreeMap;

/// Files, by the id that an upload answers.
#[derive(Debug, Default)]
pub struct Files {
    /// The files.
    pub by_id: BTreeMap<String, File>,
    /// What they take.
    pub bytes: usize,
    /// Messages that were sent.
    pub messages: u64,
}

/// An attachment.
#[derive(Debug)]
pub struct File {
    /// Its id among the attachments of bills.
    pub id: u32,
    /// With its ending.
    pub name: String,
    /// What came of it so far.
    pub bytes: Vec<u8>,
}
