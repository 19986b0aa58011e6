//! A stretch of time as hours of days in the plan's zone: what a run's query looked back over.
//!
//! Invariant: the pieces add up to the stretch, over changes of the clock too.

use chrono::{DateTime, Datelike, NaiveDate};

use skydeck_core::domain::hours::HOUR;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::zone::Zone;

use crate::calendar::{Calendar, HOLIDAY, WEEKEND};

/// Milliseconds of a day.
pub(crate) const DAY: i64 = 24 * HOUR;
/// No query looks back over more.
const LONGEST: i64 = 21 * DAY;

/// A piece of an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece {
    /// Cell of the hour: 0–23 on days with work, 24–47 on others.
    pub hour: usize,
    /// Cell of the day of the week, Monday first; on a weekend day with work it is nobody's.
    pub weekday: Option<usize>,
    /// Cell of the kind of day.
    pub kind: usize,
    /// How much of the hour.
    pub part: f64,
}

/// The local day of a moment, and the milliseconds of it that are over.
pub(crate) fn local(zone: &Zone, at: Ts) -> (NaiveDate, i64) {
    let wall = at.0.saturating_add(i64::from(zone.ahead_of_utc(at.0.div_euclid(1000))) * 1000);
    let day = DateTime::from_timestamp_millis(wall).map(|wall| wall.date_naive()).unwrap_or_default();
    (day, wall.rem_euclid(DAY))
}

/// The pieces of a stretch.
pub(crate) fn pieces(calendar: &Calendar, zone: &Zone, from: Ts, to: Ts) -> Vec<Piece> {
    let mut at = from.max(Ts(to.0.saturating_sub(LONGEST)));
    let mut pieces = Vec::new();
    let mut known: Option<(NaiveDate, usize, bool)> = None;
    while at < to {
        let (day, over) = local(zone, at);
        let next = Ts(at.0 + HOUR - over.rem_euclid(HOUR)).min(to);
        let (kind, moved) = match known {
            Some((same, kind, moved)) if same == day => (kind, moved),
            _ => (calendar.cell(day), calendar.is_moved(day)),
        };
        known = Some((day, kind, moved));
        let free = usize::from(kind == WEEKEND || kind == HOLIDAY);
        let of_week = day.weekday().num_days_from_monday() as usize;
        pieces.push(Piece {
            hour: free * 24 + usize::try_from(over / HOUR).unwrap_or(0).min(23),
            weekday: (!moved && kind != HOLIDAY).then_some(of_week),
            kind,
            part: (next.0 - at.0) as f64 / HOUR as f64,
        });
        at = next;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_a_clock_change_has_its_hours() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let at = |text: &str| Ts(text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis());
        for (from, to, hours) in [
            ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23.0),
            ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25.0),
        ] {
            let pieces = pieces(Calendar::china(), &berlin, at(from), at(to));
            assert!((pieces.iter().map(|piece| piece.part).sum::<f64>() - hours).abs() < 1e-9);
            assert_eq!(
                (pieces.first().unwrap().hour, pieces.last().unwrap().hour),
                (24, 47),
                "a Sunday from end to end"
            );
        }
    }

    #[test]
    fn a_piece_of_an_hour_counts_by_its_part() {
        let zone: Zone = "Asia/Kolkata".parse().unwrap();
        let from = Ts("2026-11-25T03:45:00Z".parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis());
        let pieces = pieces(Calendar::china(), &zone, from, Ts(from.0 + HOUR));
        let parts: Vec<(usize, f64)> = pieces.iter().map(|piece| (piece.hour, piece.part)).collect();
        assert_eq!(parts, [(9, 0.75), (10, 0.25)]);
    }
}
