//! `[forecast]`: what is borne of false alarms, and the calendar of the office.

use std::path::PathBuf;

use serde::Deserialize;

use super::said::Said;

/// False alarms that are borne where nothing is said of it, a plan and 30 days.
pub const FALSE_ALARMS: f64 = 1.0;
/// What may be said of it, at least and at most.
const BORNE: std::ops::RangeInclusive<f64> = 0.1..=30.0;

/// `[forecast]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecastConfig {
    /// False alarms that are borne, a plan and 30 days.
    #[serde(default, deserialize_with = "borne")]
    pub false_alarms: Option<f64>,
    /// Holidays and worked weekend days on top of those that come with the program; relative to the configuration file.
    pub calendar: Option<PathBuf>,
}

// A number that was read is one.
impl Eq for ForecastConfig {}

fn borne<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    let alarms = toml::Value::deserialize(d)?;
    let number = alarms.as_float().or_else(|| alarms.as_integer().map(|n| n as f64));
    match number.filter(|number| BORNE.contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(serde::de::Error::custom(Said::new(
            format!("false_alarms is a number of alarms a plan and 30 days from 0.1 to 30, not {alarms}"),
            format!("false_alarms 是每个方案每 30 天可承受的误报次数，应为 0.1 到 30，不能是 {alarms}"),
        ))),
    }
}

impl ForecastConfig {
    /// False alarms that are borne, a plan and 30 days.
    pub fn borne(&self) -> f64 {
        self.false_alarms.unwrap_or(FALSE_ALARMS)
    }
}
