//! Steps on a bill, the verbs that may go on the wire, and the evidence a call leaves behind.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::bill::{Failure, UnknownWhy};
use super::ids::{Fid, FormId};

/// A step of a bill's way through a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Found by the query.
    Fetch,
    /// `Submit` call.
    Submit,
    /// `Audit` call. Under a plan of 0.1.0 that executes another operation, the call of that one.
    Audit,
    /// Status read back.
    Verify,
    /// `Save` call.
    Save,
    /// `Push` call.
    Push,
    /// `ExecuteOperation` call.
    Operate,
    /// A call of a system that speaks JSON over HTTP.
    Send,
}

impl Step {
    /// The word used in JSON and exports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Submit => "submit",
            Self::Audit => "audit",
            Self::Verify => "verify",
            Self::Save => "save",
            Self::Push => "push",
            Self::Operate => "operate",
            Self::Send => "send",
        }
    }

    /// Whether its call changes something in the target.
    pub fn writes(self) -> bool {
        match self {
            Self::Fetch | Self::Verify => false,
            Self::Submit | Self::Audit | Self::Save | Self::Push | Self::Operate | Self::Send => true,
        }
    }
}

/// What stands beside an intent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The value the record is found by, for keys that are chosen.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub key_value: Option<String>,
    /// Hex SHA-256 of the request, for operations with a body of their own.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// When, by a clock that a restart does not set anew.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
}

impl Intent {
    /// Nothing stands there: what 0.1.0 wrote.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A moment that outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Left {
    /// Milliseconds since the machine started, suspended time included; which start it was stands with the run.
    #[serde(rename = "b")]
    Boot(u64),
    /// Milliseconds by the clock of a shared store. Nothing writes it yet.
    #[serde(rename = "s")]
    Store(i64),
}

/// A bill that a call made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its internal id.
    #[serde(rename = "i")]
    pub id: Fid,
    /// Its number.
    #[serde(rename = "n")]
    pub no: String,
    /// Its form.
    #[serde(rename = "f")]
    pub form: FormId,
}

/// What was made last of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastMade {
    /// The value it is found by.
    #[serde(rename = "k")]
    pub key: String,
    /// Its internal id.
    #[serde(rename = "i")]
    pub id: Fid,
    /// Its number.
    #[serde(rename = "n")]
    pub no: String,
}

/// The writing verbs this program can name on the wire. Nothing that un-does is among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// `Submit`: Z, A, D → B.
    Submit,
    /// `Audit`: B → C.
    Audit,
    /// `ExecuteOperation` with an operation the environment's owner allowed by name.
    Operation(String),
    /// `Save` of a bill that is not there yet: one that is there is never changed.
    Save,
    /// `Push`: a new bill made of one that is there, by a conversion rule of the ERP.
    Push,
    /// A record sent to a system that speaks JSON over HTTP, where it is not there yet.
    Send,
}

impl Verb {
    /// The name under which an environment's owner must allow it; `None` for what every plan may call.
    pub fn allowed_by(&self) -> Option<&str> {
        match self {
            Self::Submit | Self::Audit => None,
            Self::Operation(name) => Some(name),
            Self::Save => Some("Save"),
            Self::Push => Some("Push"),
            Self::Send => Some("Send"),
        }
    }

    /// Whether its call makes a bill.
    pub fn makes(&self) -> bool {
        match self {
            Self::Submit | Self::Audit | Self::Operation(_) => false,
            Self::Save | Self::Push | Self::Send => true,
        }
    }
}

/// What one call said about one bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The bill stands among the successes.
    #[serde(rename = "d")]
    Done,
    /// The ERP refused it.
    #[serde(rename = "r")]
    Rejected(Failure),
    /// Proven not sent (connect failed); may be repeated.
    #[serde(rename = "n")]
    NotSent(String),
    /// Anything else.
    #[serde(rename = "u")]
    Unknown(UnknownWhy, String),
}

/// Bytes as they went over the wire, with the hash of the whole when only a part is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The bytes, cut at the keeper's limit.
    #[serde(rename = "b")]
    pub bytes: Blob,
    /// Length of the whole.
    #[serde(rename = "l")]
    pub len: u64,
    /// Hex SHA-256 of the whole, when cut.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Body {
    /// Leaves the length and the hash of what is kept no longer. Gives whether anything was left out by it.
    pub fn forget(&mut self) -> bool {
        if self.bytes.0.is_empty() {
            return false;
        }
        let bytes = std::mem::take(&mut self.bytes.0);
        self.sha256.get_or_insert_with(|| crate::text::hex(&Sha256::digest(&bytes)));
        true
    }

    /// Whether its bytes were kept once and are kept no longer.
    pub fn is_forgotten(&self) -> bool {
        self.bytes.0.is_empty() && self.sha256.is_some()
    }
}

/// Raw bytes: text in JSON (lossy), bytes in the store.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.serialize_str(&String::from_utf8_lossy(&self.0))
        } else {
            s.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl serde::de::Visitor<'_> for V {
            type Value = Blob;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes or text")
            }
            fn visit_bytes<E>(self, v: &[u8]) -> Result<Blob, E> {
                Ok(Blob(v.to_vec()))
            }
            fn visit_str<E>(self, v: &str) -> Result<Blob, E> {
                Ok(Blob(v.as_bytes().to_vec()))
            }
        }
        d.deserialize_any(V)
    }
}

/// What a call leaves behind for people to read later. Never holds a secret: headers are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Request body.
    #[serde(rename = "q")]
    pub request: Body,
    /// HTTP status, when one came.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub http: Option<u16>,
    /// Response body, as far as it came.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Body>,
    /// The transport's error, without URL or headers.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
