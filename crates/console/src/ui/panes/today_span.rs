//! Spans of time that Today sums up.

use crate::ui::format::{self, days_before, fill};
use crate::ui::looked::Looked;
use crate::ui::shared::Shared;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::today::Span;

/// Days of the chart.
const DAYS: i64 = 14;
const HOUR: i64 = 3_600_000;

/// From when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// Since the last look.
    Looked,
    /// Since 18:00 of the day before.
    Evening,
    /// Since the day began.
    Midnight,
    /// The last seven days.
    Week,
    /// Since a moment that the operator named.
    From(Ts),
}

impl Range {
    /// The next one in turn.
    pub fn next(self, looked: bool) -> Self {
        match self {
            Self::Evening => Self::Midnight,
            Self::Midnight => Self::Week,
            Self::Week | Self::From(_) if looked => Self::Looked,
            Self::Looked | Self::Week | Self::From(_) => Self::Evening,
        }
    }

    /// Its first moment.
    pub fn since(self, shared: &Shared, looked: Option<&Looked>) -> Ts {
        let (now, zone) = (shared.now, shared.setup.zone);
        match self {
            Self::Looked => looked.map_or(now, |looked| looked.at),
            Self::Evening => Ts(days_before(now, zone, 1).0 + 18 * HOUR),
            Self::Midnight => days_before(now, zone, 0),
            Self::Week => days_before(now, zone, 6),
            Self::From(at) => at,
        }
    }

    /// What is asked of the store.
    pub fn span(self, shared: &Shared, looked: Option<&Looked>) -> Span {
        let days = (0..DAYS).rev().map(|n| days_before(shared.now, shared.setup.zone, n)).collect();
        Span { since: self.since(shared, looked), until: None, days }
    }

    /// In words, with its first moment.
    pub fn said(self, shared: &Shared, looked: Option<&Looked>) -> String {
        let (t, since) = (shared.t(), self.since(shared, looked));
        let midnight = days_before(shared.now, shared.setup.zone, 0);
        let time = |fmt| format::local(since, shared.setup.zone, fmt);
        let at = match () {
            () if since >= midnight => fill(t.at_today, &[&time("%H:%M")]),
            () if since >= days_before(shared.now, shared.setup.zone, 1) => fill(t.at_yesterday, &[&time("%H:%M")]),
            () if format::is_far(since, shared.now) => time("%Y-%m-%d %H:%M"),
            () => time("%m-%d %H:%M"),
        };
        fill(if self == Self::Looked { t.today_looked } else { t.today_since }, &[&at])
    }
}
