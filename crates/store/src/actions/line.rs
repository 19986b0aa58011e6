//! One line of the action log, and how each holds on to the one before it.
//!
//! Invariant: the hash covers every byte of a line but itself, and with them the hash of the line before.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Deed;
use crate::{StoreError, hex};
use skydeck_core::domain::action_log::LogPlace;
use skydeck_core::domain::time::Ts;
use skydeck_core::text::json_safe;

/// Version of a line.
pub const VERSION: u32 = 1;
/// Longest line written, bytes: of a longer one fewer ids are written out.
pub(super) const LONGEST: usize = 256 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Version.
    pub v: u32,
    /// Place, from 1, without holes.
    pub seq: u64,
    /// When, UTC.
    pub ts: String,
    /// On which machine.
    pub host: String,
    /// What.
    #[serde(flatten)]
    pub deed: Deed,
    /// Hash of the line before; empty in the first one.
    pub prev: String,
}

/// Hash of a line's bytes before its own hash.
pub fn line_hash(body: &str) -> String {
    hex(&Sha256::digest(body.as_bytes()))
}

/// The newest line of a log, behind which the next one is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Tip {
    /// Place of the newest line.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl Tip {
    /// The next line's text without its line feed, and the tip after it. The hash covers every byte before `,"h":`.
    pub fn next(&self, deed: Deed, now: Ts, host: &str) -> Result<(String, Self), StoreError> {
        let ts = chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default();
        let mut line = Line {
            v: VERSION,
            seq: self.seq + 1,
            ts: ts.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            host: host.to_owned(),
            deed,
            prev: self.hash.clone(),
        };
        let mut text = line_text(&line)?;
        while text.len() > LONGEST && !line.deed.ids.is_empty() {
            line.deed.ids.truncate(line.deed.ids.len() / 2);
            text = line_text(&line)?;
        }
        text.pop(); // the closing brace
        let hash = line_hash(&text);
        text = format!("{text},\"h\":\"{hash}\"}}");
        Ok((text, Self { seq: line.seq, hash }))
    }

    /// Where the newest line stands.
    pub fn place(&self) -> LogPlace {
        LogPlace::new(self.seq, self.hash.clone())
    }
}

/// People print the file as it is: a name or reason in it moves no cursor and turns no text around.
fn line_text(line: &Line) -> Result<String, StoreError> {
    let text = serde_json::to_string(line).map_err(|e| StoreError::Write(format!("action log: {e}")))?;
    Ok(json_safe(&text).into_owned())
}
