//! What is usual for a plan and what stands out from it, in words of the screen.
//!
//! Invariant: all of it is dim, and none of it is in a column of outcomes.

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::forecast::Found;
use skydeck_core::domain::forecast_words::{self, Says};
use skydeck_core::domain::time::Ts;

use super::format;
use super::shared::Shared;
use super::words;

/// A moment: today the time, else the date with it.
pub(crate) fn moment(shared: &Shared, at: Ts) -> String {
    let zone = shared.setup.zone;
    let day = |at| format::local(at, zone, "%Y-%m-%d");
    if day(at) == day(shared.now) { format::local(at, zone, "%H:%M") } else { format::when(at, shared.now, zone) }
}

/// A finding in a sentence; `whole`: with who says it and how often that was wrong.
pub(crate) fn finding(shared: &Shared, found: &Found, whole: bool) -> String {
    let time = |at| moment(shared, at);
    let cause = |name: &str| words::group(&shared.setup.causes, shared.lang, Slot::Failed, name);
    let says = Says { lang: shared.lang.language(), time: &time, cause: &cause };
    if whole { forecast_words::found(&says, found) } else { forecast_words::finding(&says, &found.finding) }
}
