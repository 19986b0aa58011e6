//! The time of day where an environment's server stands.

use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::reason::Reason;

use super::dispatch::Dispatch;

/// Our wall time in the server's zone, and how far that zone is ahead of UTC.
pub(super) fn server_time(
    env: &Dispatch,
    now: skydeck_core::domain::time::Ts,
) -> Result<(chrono::NaiveDateTime, i32), Refusal> {
    use chrono::Offset as _;
    let zone: skydeck_core::domain::zone::Zone = env.env.server_zone.parse().map_err(|_| {
        Refusal::BadPlan(Reason::UnknownZone { env: env.env.id.clone(), zone: env.env.server_zone.clone() })
    })?;
    let utc = chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default();
    let local = utc.with_timezone(&zone);
    Ok((local.naive_local(), local.offset().fix().local_minus_utc() / 60))
}
