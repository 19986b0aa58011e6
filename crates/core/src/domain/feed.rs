//! How the records of a system that speaks JSON over HTTP are listed, page by page, and how one of them is read again.
//!
//! Invariant: data of the plan, and part of its revision; nothing here is a secret, and no address. Paths of answers are RFC
//! 9535 paths from the root of an answer.

use serde::{Deserialize, Serialize};

use super::sending::{Check, Request};

/// All that a plan says of the list its records are read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// What is asked for a page. Its texts may hold the system variables of plans and the holes below.
    pub request: Request,
    /// All hold: the answer can be read.
    pub ok: Vec<Check>,
    /// Path of the system's words where they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// Path of the records: of a list, or of each of them.
    pub rows: String,
    /// How it goes on to the next page. `None`: one answer shows all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Paging>,
    /// How one record is asked for by its id. `None`: the whole list is read to find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one: Option<Single>,
}

/// How a list goes on to its next page, and how it is known that there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paging {
    /// What the next page is asked for by.
    pub by: Turn,
    /// Records that a page is asked to have.
    pub size: u32,
    /// Pages of one reading, at most: beyond them the list counts as not read.
    pub most: u32,
    /// Path of a truth: there is another page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<String>,
    /// Path of a number: so many records are in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
}

/// What a page is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Its number, in the hole `{{page}}`.
    Page {
        /// The number of the first one.
        first: u32,
    },
    /// So many records before it, in the hole `{{offset}}`.
    Offset,
    /// What the answer before named, in the hole `{{cursor}}`.
    Cursor {
        /// Where an answer names it: nothing, `null` or an empty text is the end.
        next: String,
        /// What the first page is asked for by. `None`: the parameter is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start: Option<String>,
    },
}

/// How one record is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Single {
    /// What is asked; `{{key}}` is the id.
    pub request: Request,
    /// All hold, where there are any: the system says that nothing is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Check>,
    /// HTTP statuses by which it says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent_status: Vec<u16>,
    /// Path of the records.
    pub rows: String,
}

/// The hole for how many records come before a page.
pub const OFFSET_HOLE: &str = "{{offset}}";
/// The hole for what the answer before named.
pub const CURSOR_HOLE: &str = "{{cursor}}";
/// The hole for how many records a page is asked to have.
pub const SIZE_HOLE: &str = "{{size}}";

/// Records of one reading, at most.
pub const MOST_RECORDS: usize = 200_000;
/// Bytes of what is kept of them, at most.
pub const MOST_BYTES: usize = 256 << 20;
