//! A run that a person cut by hand: which part of its plan's query it read, and by which field.

use serde::{Deserialize, Serialize};

/// What was cut. A run without one read what its plan says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The column that the dates are compared with: the mark's. `None`: the plan uses LAST_SYNC_TIME in another way.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// From this date on, in server time, as it was given.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Up to this date, in server time, as it was given; a bare date is that whole day.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Only so many bills, named by number; 0: all.
    #[serde(rename = "n", default)]
    pub numbers: u64,
    /// The compensation query in place of the plan's own.
    #[serde(rename = "m", default)]
    pub remedy: bool,
}

impl Range {
    /// `FModifyDate 2026-11-01 … 2026-11-02, a list of 3 numbers`. Not made safe to show.
    pub fn en(&self) -> String {
        let numbers = (self.numbers > 0).then(|| format!("a list of {} numbers", self.numbers));
        let remedy = self.remedy.then(|| "compensation query".to_owned());
        let all: Vec<String> = self.dates("from", "up to").into_iter().chain(numbers).chain(remedy).collect();
        all.join(", ")
    }

    /// The same in Chinese.
    pub fn zh(&self) -> String {
        let numbers = (self.numbers > 0).then(|| format!("清单中的 {} 个单号", self.numbers));
        let remedy = self.remedy.then(|| "补偿查询".to_owned());
        let all: Vec<String> = self.dates("自", "至").into_iter().chain(numbers).chain(remedy).collect();
        all.join("，")
    }

    fn dates(&self, from: &str, to: &str) -> Option<String> {
        let field = self.field.as_deref().unwrap_or("LAST_SYNC_TIME");
        match (&self.since, &self.until) {
            (None, None) => None,
            (Some(since), None) => Some(format!("{field} {from} {since}")),
            (None, Some(until)) => Some(format!("{field} {to} {until}")),
            (Some(since), Some(until)) => Some(format!("{field} {since} … {until}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(since: Option<&str>, until: Option<&str>, numbers: u64, remedy: bool) -> Range {
        let field = Some("FModifyDate".to_owned());
        Range { field, since: since.map(str::to_owned), until: until.map(str::to_owned), numbers, remedy }
    }

    #[test]
    fn a_range_names_its_field_and_its_ends_in_both_languages() {
        for (range, en, zh) in [
            (range(Some("2026-11-01"), None, 0, false), "FModifyDate from 2026-11-01", "FModifyDate 自 2026-11-01"),
            (
                range(None, Some("2026-11-02"), 2, false),
                "FModifyDate up to 2026-11-02, a list of 2 numbers",
                "FModifyDate 至 2026-11-02，清单中的 2 个单号",
            ),
            (range(None, None, 3, false), "a list of 3 numbers", "清单中的 3 个单号"),
            (range(None, None, 0, true), "compensation query", "补偿查询"),
            (
                Range { field: None, ..range(Some("2026-11-01"), Some("2026-11-02"), 0, false) },
                "LAST_SYNC_TIME 2026-11-01 … 2026-11-02",
                "LAST_SYNC_TIME 2026-11-01 … 2026-11-02",
            ),
        ] {
            assert_eq!((range.en().as_str(), range.zh().as_str()), (en, zh));
        }
    }
}
