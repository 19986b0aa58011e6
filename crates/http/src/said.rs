//! What a system says, for people: its words, cut, and what concerns more than one record.

use serde_json::Value;

use skydeck_core::domain::bounds;
use skydeck_kingdee::transport::HttpReply;

use super::tree::{One, one};

/// The words of a refusal: where the plan says they are, else the whole answer's beginning.
pub(super) fn words(tree: &Value, said: Option<&str>) -> String {
    let named = said.map(|path| one(tree, path));
    let words = match named {
        Some(One::Value(words)) => words,
        Some(One::None | One::Unclear) | None => tree.to_string(),
    };
    bounds::words(words)
}

/// The beginning of an answer that is no tree.
pub(super) fn excerpt(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

/// Seconds that the system's clock is ahead of ours.
pub(super) fn ahead(reply: &HttpReply, now: skydeck_core::domain::time::Ts) -> Option<i64> {
    let date = chrono::DateTime::parse_from_rfc2822(reply.header("date")?).ok()?;
    Some(date.timestamp() - now.0.div_euclid(1000))
}
