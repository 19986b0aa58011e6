//! How a record is sent to a system that speaks JSON over HTTP, how its answer is read, and how the record is found there again.
//!
//! Invariant: data of the plan, and part of its revision; nothing here is a secret, and no address: those are the environment's.
//! Paths are RFC 9535 paths from the root of an answer, or of one record in it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// All that a plan says of the other system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// What is sent for one record.
    pub call: Request,
    /// All hold: the system took the call.
    pub ok: Vec<Check>,
    /// Path of the system's words where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// What the answer names of the record.
    pub answer: Names,
    /// How the record is looked for: before a call, after a refusal, and when an answer was lost.
    pub look: Search,
    /// A token by which the system knows a call that it had before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
}

/// One request. Its texts may hold `{{key}}`, the value that the record is found by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// Path below the environment's address.
    pub path: String,
    /// Parameters of the query string, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    /// Headers beside those that say who we are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body, JSON; of a call it holds the text `{{body}}` once, where the body of the record goes. `None`: a call sends the
    /// record's body alone, a look sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Sent as a form: each field of the body is a parameter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub form: bool,
}

impl Request {
    /// The request in words: method, path, parameters, body.
    pub fn shown(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut text = format!("{} {}", self.method, self.path);
        if !query.is_empty() {
            text = format!("{text}?{}", query.join("&"));
        }
        self.body.as_ref().map_or(text.clone(), |body| format!("{text} {body}"))
    }
}

/// Where an answer names a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Path of the records: of a list, or of each of them.
    pub rows: String,
    /// In a record: path of the value that it is found by.
    pub key: String,
    /// In a record: path of the system's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// In a record: path of the number that people know it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no: Option<String>,
}

/// How a record is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// What is asked.
    pub request: Request,
    /// All hold: the answer can be read.
    pub ok: Vec<Check>,
    /// All hold, where there are any: the system says that nothing is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Check>,
    /// HTTP statuses by which it says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent_status: Vec<u16>,
    /// What an answer names.
    pub names: Names,
    /// The records are listed page by page, and not asked for by their key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
    /// Seconds after which a record that was made is found at the latest.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lag_secs: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// How a list is read page by page: its request holds `{{page}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages {
    /// The number of the first page.
    pub first: u32,
    /// Records of a full page: behind one, a page with fewer is the last.
    pub size: u32,
    /// Pages that are read at most. Where more follow, nothing is known of what is not found.
    pub most: u32,
}

/// A token by which a system knows a call that it had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Where it stands.
    pub place: Place,
    /// How long the system keeps it.
    pub keeps_secs: u32,
}

/// Where a value stands in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A header.
    Header(String),
    /// A parameter of the query string.
    Query(String),
    /// A field at the root of the body.
    Field(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header {name}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Field(name) => write!(f, "field {name}"),
        }
    }
}

/// One test of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Path from the root of the answer.
    pub path: String,
    /// What must be so.
    pub is: Is,
    /// Values; none where it is only asked whether something is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What a [`Check`] asks. Values are compared as texts: a system may write `0` or `"0"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Is {
    /// It is one of the values.
    In,
    /// It is there, and none of the values.
    NotIn,
    /// Something is there.
    Exists,
    /// Nothing is there.
    Absent,
}

/// The hole for the value that a record is found by.
pub const KEY_HOLE: &str = "{{key}}";
/// The hole for the body of a record.
pub const BODY_HOLE: &str = "{{body}}";
/// The hole for the number of a page.
pub const PAGE_HOLE: &str = "{{page}}";
