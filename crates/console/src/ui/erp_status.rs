//! A bill's status in the ERP in words: what it is after what was done, what it was before, and by whose clock.

use skydeck_core::domain::bill::{Rev, Status};
use skydeck_core::domain::erp_status::{After, Ground};
use skydeck_core::domain::time::Ts;

use super::config::Lang;
use super::format::fill;
use super::words;

/// `audited C`, safe to show.
fn named(lang: Lang, status: &Status) -> String {
    words::shown(&status.told(lang.language()))
}

fn beside(lang: Lang, text: &str, note: &str) -> String {
    match lang {
        Lang::En => format!("{text} ({note})"),
        Lang::Zh => format!("{text}（{note}）"),
    }
}

/// The status after what was done, with what it is known by: `audited C (answered 10:03:03)`. `clock` writes our time.
pub fn after_words(lang: Lang, after: &After, clock: impl Fn(Ts) -> String) -> String {
    let t = lang.texts();
    let at = after.at.map(clock).unwrap_or_default();
    let status = after.status.as_ref().map(|status| named(lang, status)).unwrap_or_default();
    match after.ground {
        Ground::Found => beside(lang, &status, t.status_as_found),
        Ground::Before => beside(lang, &status, t.status_before_call),
        Ground::Answer => beside(lang, &status, &fill(t.status_answer, &[&at])),
        Ground::Read => beside(lang, &status, &fill(t.status_read, &[&at])),
        Ground::Gone => fill(t.status_gone, &[&at]),
        Ground::Unread => t.status_unread.to_owned(),
        Ground::Open => fill(t.status_open, &[&at]),
    }
}

/// The status before, with the date of the last change by the ERP's own clock, where the form tells it.
pub fn before_words(lang: Lang, rev: &Rev) -> String {
    let changed = rev.modified.as_ref().map(|at| words::shown(&at.as_str().replace('T', " ")));
    let status = named(lang, &rev.status);
    changed.map_or(status.clone(), |at| beside(lang, &status, &format!("ERP {at}")))
}
