//! Named places where a crash test may end the process: while a data directory is raised, and between a call's intent and its
//! outcome.
//!
//! Invariant: inert unless `SKYDECK_FAULT=point[:n]` names one of these points before the first call; then the n-th
//! passing aborts, as `kill -9` would.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The points, in the order an upgrade passes them.
pub const UPGRADE: [&str; 10] = [
    "upgrade_begun",     // before the backup
    "upgrade_copying",   // a segment is in the backup
    "upgrade_copied",    // the backup is whole
    "upgrade_made_room", // on a small disk the old index is gone before the new one is begun
    "upgrade_folding",   // a batch is in the new index
    "upgrade_folded",    // the new index is whole and durable beside the old one
    "upgrade_marking",   // the new `version` is written under another name
    "upgrade_marked",    // the directory is of the new version, its index is still the old one
    "upgrade_swapped",   // the new index is in its place, the old one is still there
    "upgrade_done",      // the old index is gone
];

/// The points, in the order a bill passes them.
pub const CALL: [&str; 9] = [
    "before_intent",
    "after_intent",
    "before_send",
    "after_send",
    "before_outcome",
    "after_outcome",
    "before_settle",
    "after_settle_read",
    "after_settle",
];

struct Armed {
    point: String,
    left: AtomicU32,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Passes a point.
pub fn point(name: &str) {
    let armed = ARMED.get_or_init(|| parse(&std::env::var("SKYDECK_FAULT").ok()?));
    let Some(armed) = armed else { return };
    if armed.point == name && armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        std::process::abort();
    }
}

fn parse(text: &str) -> Option<Armed> {
    let (point, n) = text.split_once(':').unwrap_or((text, "1"));
    let n: u32 = n.trim().parse().ok().filter(|n| *n > 0)?;
    let is_known = UPGRADE.contains(&point) || CALL.contains(&point);
    is_known.then(|| Armed { point: point.to_owned(), left: AtomicU32::new(n) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_point_with_a_positive_count_arms() {
        for (text, armed) in [
            ("upgrade_copied", true),
            ("upgrade_folding:3", true),
            ("upgrade_folding:0", false),
            ("after_intent", true),
            ("after_intent:3", true),
            ("after_intent:0", false),
            ("x", false),
            ("", false),
        ] {
            assert_eq!(parse(text).is_some(), armed, "{text}");
        }
        point("upgrade_begun");
        point("after_intent");
    }
}
