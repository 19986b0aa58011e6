//! Where to go on in a list.

use serde::{Deserialize, Serialize};

/// An opaque key into a list (hex of the last key).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);
