//! Records that are handed in (`skydeck take`): what an order carries of them, and the fact that each of them becomes.
//!
//! Invariant: a record that was handed in is a fact before anybody is told so, and is never changed: another body under the same
//! id is another fact, and the newer one counts.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ids::{PlanId, RecordKey, Seq};
use super::time::Ts;
use crate::text::hex;

/// Records of one order, at most.
pub const MOST_RECORDS: usize = 500;
/// Bytes of the bodies of one order, at most: an order goes to the engine in one piece.
pub const MOST_ORDER: usize = 448 << 10;

/// The fact of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedIn {
    /// For which plan.
    #[serde(rename = "p")]
    pub plan: PlanId,
    /// Environment, the name that the plan gives such records, and the record's own id.
    #[serde(rename = "k")]
    pub key: RecordKey,
    /// SHA-256 of the body, hex digits.
    #[serde(rename = "h")]
    pub hash: String,
    /// The record, as JSON without blanks between its parts.
    #[serde(rename = "b")]
    pub body: String,
}

impl HandedIn {
    /// A record under its key.
    pub fn new(plan: PlanId, key: RecordKey, body: String) -> Self {
        Self { plan, key, hash: hash_of(&body), body }
    }
}

/// The hash of a body.
pub fn hash_of(body: &str) -> String {
    hex(&Sha256::digest(body))
}

/// The newest body of a record, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Place of its fact.
    pub seq: Seq,
    /// When it was handed in, our time.
    pub at: Ts,
    /// The record.
    pub record: HandedIn,
}
