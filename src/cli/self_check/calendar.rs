//! Whether the holidays are known of the year that it is, and from December on of the next one.
//!
//! Invariant: nothing keeps the program from working for it; ranges alone are wider of the mark.

use chrono::NaiveDate;

use super::Check;
use crate::boot::{self, Paths};
use crate::cli::out::Out;
use crate::config::Config;
use crate::domain::forecast_words;
use crate::engine::{Calendar, unknown_year};

/// Looks at the calendar of the configuration; `today` by the clock of this machine.
pub fn check(out: &Out, paths: &Paths, config: &Config, today: NaiveDate) -> Check {
    match boot::calendar(config, &paths.config_dir(), out.lang) {
        Ok(calendar) => known(out, &calendar, today),
        Err(stop) => {
            let said = stop.zh.as_ref().filter(|_| out.is_zh()).unwrap_or(&stop.message);
            let next = out.t("correct it, or take calendar out of [forecast]", "请改正，或删去 [forecast] 的 calendar");
            Check::bars("calendar", said, next)
        }
    }
}

fn known(out: &Out, calendar: &Calendar, today: NaiveDate) -> Check {
    if let Some(year) = unknown_year(calendar, today) {
        let next = out.t(
            "docs/forecast.md, Settings: how holidays are written down",
            "见 docs/forecast.zh.md“设置”：如何写节假日",
        );
        return Check::lacks("calendar", forecast_words::unknown_year(out.lang, year), next);
    }
    let last = calendar.last_year().unwrap_or_default();
    Check::good(
        "calendar",
        if out.is_zh() { format!("节假日已知至 {last} 年") } else { format!("holidays are known up to {last}") },
    )
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::domain::language::Language;

    #[test]
    fn the_next_year_is_missed_from_december_on_and_not_before() {
        let calendar = Calendar::parse("[2026]\noff = [\"10-01..10-07\"]").unwrap();
        for lang in [Language::En, Language::Zh] {
            let out = Out {
                json: false,
                lang,
                views: std::path::PathBuf::new(),
                causes: std::sync::Arc::new(boot::causes(&Config::default(), std::path::Path::new(""), lang).unwrap()),
                beside: false,
            };
            let on = |day: &str| known(&out, &calendar, day.parse().unwrap());
            let november = on("2026-11-30");
            assert!(november.state == State::Good && november.found.contains("2026"), "{}", november.found);
            for day in ["2026-12-01", "2027-01-04", "2027-11-30"] {
                let check = on(day);
                assert!(check.state == State::Lacks && check.found.contains("2027"), "{day}: {}", check.found);
                assert!(check.next.is_some_and(|next| next.contains("forecast")));
            }
        }
    }
}
