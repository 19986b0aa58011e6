//! Numbered places where a crash test may end the process between intent and outcome.
//!
//! Invariant: inert unless `SKYDECK_FAULT=point[:n]` is set before the first call; then the n-th passing aborts.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The points, in the order a bill passes them.
pub const POINTS: [&str; 9] = [
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

/// Passes a point; ends the process at once, as `kill -9` would, when it is the armed one and its turn has come.
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
    POINTS.contains(&point).then(|| Armed { point: point.to_owned(), left: AtomicU32::new(n) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_point_with_a_positive_count_arms() {
        for (text, armed) in
            [("after_intent", true), ("after_intent:3", true), ("after_intent:0", false), ("x", false), ("", false)]
        {
            assert_eq!(parse(text).is_some(), armed, "{text}");
        }
        point("after_intent");
    }
}
