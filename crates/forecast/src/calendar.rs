//! Which days an office works, and what kind of day each is.
//!
//! Invariant: nothing is guessed; of a year that the table does not name only the weekends are known, and that is said.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde::Deserialize;

use skydeck_core::domain::forecast::DayKind;

/// The table that comes with the program.
const CHINA: &str = include_str!("calendar.toml");

/// Days looked at to find a month's first and last working days, and a stretch of days off.
const LOOK: u64 = 16;

/// What cannot be read in a calendar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// It is no TOML, or not of this form.
    #[error("not a calendar: {0}; write `[2027]`, then `off = [\"01-01\", \"02-06..02-12\"]` and `work = [\"02-20\"]`")]
    Form(String),
    /// A year is no number.
    #[error("`[{0}]` is not a year; write `[2027]`")]
    Year(String),
    /// A day does not exist.
    #[error("`{day}` is not a day of {year}; write `MM-DD`, or `MM-DD..MM-DD` for a stretch of days")]
    Day {
        /// As it stands there.
        day: String,
        /// Of which year.
        year: i32,
    },
}

impl CalendarError {
    /// In Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Form(said) => format!(
                "不是日历：{said}；请写 `[2027]`，其下写 `off = [\"01-01\", \"02-06..02-12\"]` 和 `work = [\"02-20\"]`"
            ),
            Self::Year(year) => format!("`[{year}]` 不是年份；请写 `[2027]`"),
            Self::Day { day, year } => {
                format!("`{day}` 不是 {year} 年的日期；请写 `MM-DD`，连续多日写 `MM-DD..MM-DD`")
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Year {
    #[serde(default)]
    off: Vec<String>,
    #[serde(default)]
    work: Vec<String>,
}

/// Holidays, and weekend days with work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    off: BTreeSet<NaiveDate>,
    work: BTreeSet<NaiveDate>,
    years: BTreeSet<i32>,
}

impl Calendar {
    /// Reads a table.
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        let form = |e: toml::de::Error| CalendarError::Form(e.message().to_owned());
        let table: std::collections::BTreeMap<String, Year> = toml::from_str(text).map_err(form)?;
        let mut calendar = Self::default();
        for (name, days) in table {
            let year: i32 = name.parse().map_err(|_| CalendarError::Year(name.clone()))?;
            calendar.years.insert(year);
            for (list, into) in [(&days.off, &mut calendar.off), (&days.work, &mut calendar.work)] {
                for text in list {
                    into.extend(stretch(year, text)?);
                }
            }
        }
        Ok(calendar)
    }

    /// Holidays of China, with the weekend days on which people work in exchange.
    pub fn china() -> &'static Self {
        static READ: LazyLock<Calendar> = LazyLock::new(|| Calendar::parse(CHINA).unwrap_or_default());
        &READ
    }

    /// This table with another on top: of the years that the other names it alone counts.
    #[must_use]
    pub fn overridden_by(mut self, other: Self) -> Self {
        let keeps = |day: &NaiveDate| !other.years.contains(&day.year());
        self.off.retain(keeps);
        self.work.retain(keeps);
        self.off.extend(other.off);
        self.work.extend(other.work);
        self.years.extend(other.years);
        self
    }

    /// Whether the table says something of a year.
    pub fn knows(&self, year: i32) -> bool {
        self.years.contains(&year)
    }

    /// The last year it says something of.
    pub fn last_year(&self) -> Option<i32> {
        self.years.last().copied()
    }

    /// Whether people work.
    pub fn is_working(&self, day: NaiveDate) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        !self.off.contains(&day) && (!weekend || self.work.contains(&day))
    }

    /// Whether people work although it is Saturday or Sunday.
    pub fn is_moved(&self, day: NaiveDate) -> bool {
        self.work.contains(&day)
    }

    /// Working days of the same month before this one, or after it, at most three.
    fn working(&self, day: NaiveDate, step: fn(NaiveDate, Days) -> Option<NaiveDate>) -> u32 {
        let days = (1..=LOOK).map_while(|n| step(day, Days::new(n)));
        days.take_while(|other| other.month() == day.month()).filter(|other| self.is_working(*other)).take(3).count()
            as u32
    }

    /// How many days in a row before this one nobody worked.
    fn break_before(&self, day: NaiveDate) -> usize {
        let days = (1..=LOOK).map_while(|n| day.checked_sub_days(Days::new(n)));
        days.take_while(|other| !self.is_working(*other)).count()
    }

    /// The cell of a day in a table of factors, below [`CELLS`].
    pub(crate) fn cell(&self, day: NaiveDate) -> usize {
        if !self.is_working(day) {
            return if self.off.contains(&day) { HOLIDAY } else { WEEKEND };
        }
        let yesterday = day.pred_opt().unwrap_or(day);
        let second = self.is_working(yesterday) && self.break_before(yesterday) >= 3;
        if second || self.break_before(day) >= 3 {
            return AFTER;
        }
        let (before, after) =
            (self.working(day, NaiveDate::checked_sub_days), self.working(day, NaiveDate::checked_add_days));
        match (before, after) {
            (_, 0) => END,
            (_, 1) => END + 1,
            (_, 2) => END + 2,
            (0, _) => START,
            (1, _) => START + 1,
            _ => WORKING,
        }
    }

    /// What kind of day it is.
    pub fn kind(&self, day: NaiveDate) -> DayKind {
        match self.cell(day) {
            WORKING => DayKind::Working,
            START..END => DayKind::MonthStart,
            END..WEEKEND => DayKind::MonthEnd,
            WEEKEND => DayKind::Weekend,
            HOLIDAY => DayKind::Holiday,
            _ => DayKind::AfterBreak,
        }
    }
}

/// Cells of a table of factors: an ordinary working day.
pub(crate) const WORKING: usize = 0;
const START: usize = 1;
const END: usize = 3;
/// A weekend day without work.
pub(crate) const WEEKEND: usize = 6;
/// A holiday.
pub(crate) const HOLIDAY: usize = 7;
const AFTER: usize = 8;
/// How many there are.
pub(crate) const CELLS: usize = 9;

fn stretch(year: i32, text: &str) -> Result<Vec<NaiveDate>, CalendarError> {
    let wrong = || CalendarError::Day { day: text.to_owned(), year };
    let day = |text: &str| NaiveDate::parse_from_str(&format!("{year}-{}", text.trim()), "%Y-%m-%d").ok();
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (day(first).ok_or_else(wrong)?, day(last).ok_or_else(wrong)?);
    let days = u64::try_from((last - first).num_days()).map_err(|_| wrong())?;
    Ok((0..=days).filter_map(|n| first.checked_add_days(Days::new(n))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(day: &str) -> DayKind {
        Calendar::china().kind(day.parse().unwrap())
    }

    #[test]
    fn a_chinese_year_with_its_moved_working_days() {
        use DayKind::{AfterBreak, Holiday, MonthEnd, MonthStart, Weekend, Working};
        for (day, is) in [
            ("2026-01-01", Holiday),
            ("2026-01-04", AfterBreak), // a Sunday, worked in exchange
            ("2026-01-06", Working),
            ("2026-02-14", Working), // a Saturday, worked in exchange
            ("2026-02-16", Holiday),
            ("2026-02-24", AfterBreak),
            ("2026-02-25", AfterBreak),
            ("2026-02-26", MonthEnd),
            ("2026-02-28", MonthEnd), // a Saturday, worked in exchange
            ("2026-03-01", Weekend),
            ("2026-03-02", MonthStart),
            ("2026-03-03", MonthStart),
            ("2026-03-04", Working),
            ("2026-03-26", Working),
            ("2026-03-27", MonthEnd),
            ("2026-10-10", Working),
            ("2026-10-11", Weekend),
        ] {
            assert_eq!(kind(day), is, "{day}");
        }
        assert_eq!(kind("2031-10-01"), MonthStart, "of a year that it does not name it knows only weekends");
        assert!(!Calendar::china().knows(2031) && Calendar::china().knows(2026));
    }

    #[test]
    fn a_table_on_top_counts_alone_for_the_years_it_names() {
        let theirs = Calendar::parse("[2026]\noff = [\"10-01..10-03\"]\n[2031]\noff = [\"10-01\"]").unwrap();
        let both = Calendar::china().clone().overridden_by(theirs);
        let works = |day: &str| both.is_working(day.parse().unwrap());
        assert_eq!((works("2026-10-02"), works("2026-10-05")), (false, true), "2026 is theirs");
        assert!(!works("2026-02-14"), "a Saturday that they do not name as worked");
        assert!(!works("2025-10-02") && works("2025-09-28"), "2025 is as it comes");
        assert!(both.knows(2031) && !works("2031-10-01"));
    }

    #[test]
    fn what_is_no_calendar_says_what_to_write() {
        for (text, word) in [
            ("[2027]\noff = [\"02-30\"]", "02-30"),
            ("[2027]\noff = [\"02-06..02-01\"]", "02-06..02-01"),
            ("[next]\noff = []", "not a year"),
            ("[2027]\nholidays = []", "unknown field"),
            ("off = 3", "not a calendar"),
        ] {
            let error = Calendar::parse(text).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert!(!error.zh().is_empty());
        }
    }
}
