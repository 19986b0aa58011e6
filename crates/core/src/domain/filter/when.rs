//! Dates of a filter: a day, a month, a stretch between two of them, and the words of a calendar, in both languages.
//!
//! Invariant: a word stays a word in what is shown and saved; only [`Span::resolved`] puts days in its place.

use std::fmt;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone, Utc};

use super::FilterFault;
use crate::domain::language::Language;
use crate::domain::time::Ts;
use crate::domain::zone::Zone;

/// Years that are dates; any other number is a slip of the pen.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2999;

/// Which time of a bill is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// The bill's own date, as the ERP has it.
    Bill,
    /// When its run began.
    Run,
    /// Since when it has been unresolved.
    Since,
}

/// A stretch of time, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// Within it.
    In(Point),
    /// After its end.
    Over(Point),
    /// From its beginning on.
    From(Point),
    /// Before its beginning.
    Under(Point),
    /// Up to its end.
    UpTo(Point),
    /// From the beginning of one to the end of another.
    Between(Point, Point),
}

/// A date, as exact as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A word of the calendar.
    Word(Word),
    /// `2026`.
    Year(i32),
    /// `2026-11`.
    Month(i32, u32),
    /// `2026-11-23`.
    Day(NaiveDate),
    /// `2026-11-23T10:30`, on the clock of whoever writes it.
    Minute(NaiveDateTime),
    /// `2026-11-23T02:30:00Z`: what the others come to where an instant is meant.
    At(Ts),
}

/// A word of the calendar. Weeks begin on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// This day.
    Today,
    /// The day before.
    Yesterday,
    /// From Monday to Sunday.
    ThisWeek,
    /// The seven days before that.
    LastWeek,
    /// From the first to the last.
    ThisMonth,
    /// The month before.
    LastMonth,
    /// The last day of this month.
    MonthEnd,
}

/// What a word is called: as it is written back, then its other names.
type Names = &'static [&'static str];

const WORDS: [(Word, Names, Names); 7] = [
    (Word::Today, &["today"], &["今天", "今日"]),
    (Word::Yesterday, &["yesterday"], &["昨天", "昨日"]),
    (Word::ThisWeek, &["this-week"], &["本周", "这周"]),
    (Word::LastWeek, &["last-week"], &["上周"]),
    (Word::ThisMonth, &["this-month"], &["本月", "这个月"]),
    (Word::LastMonth, &["last-month"], &["上月", "上个月"]),
    (Word::MonthEnd, &["month-end"], &["月末", "月底"]),
];

/// First and last day.
type DaysOf = (NaiveDate, NaiveDate);

impl Word {
    /// The words of one language, as they are offered.
    pub fn offered(lang: Language) -> impl Iterator<Item = &'static str> {
        WORDS.iter().filter_map(move |(_, en, zh)| lang.t(en, zh).first().copied())
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.to_lowercase().replace([' ', '_'], "-");
        let named = |(_, en, zh): &&(Self, Names, Names)| en.iter().chain(*zh).any(|name| *name == text);
        WORDS.iter().find(named).map(|(word, ..)| *word)
    }

    /// The word, in one language.
    pub fn name(self, lang: Language) -> &'static str {
        let row = WORDS.iter().find(|(word, ..)| *word == self);
        row.and_then(|(_, en, zh)| lang.t(en, zh).first().copied()).unwrap_or_default()
    }

    fn days(self, today: NaiveDate) -> DaysOf {
        let back = |days: u64| today.checked_sub_days(Days::new(days)).unwrap_or(today);
        let monday = back(u64::from(today.weekday().num_days_from_monday()));
        let week = |first: NaiveDate| (first, first.checked_add_days(Days::new(6)).unwrap_or(first));
        let first = today.with_day(1).unwrap_or(today);
        match self {
            Self::Today => (today, today),
            Self::Yesterday => (back(1), back(1)),
            Self::ThisWeek => week(monday),
            Self::LastWeek => week(monday.checked_sub_days(Days::new(7)).unwrap_or(monday)),
            Self::ThisMonth => month_from(first),
            Self::LastMonth => month_from(first.checked_sub_months(Months::new(1)).unwrap_or(first)),
            Self::MonthEnd => (month_from(first).1, month_from(first).1),
        }
    }
}

fn month_from(first: NaiveDate) -> DaysOf {
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    (first, next.pred_opt().unwrap_or(first))
}

fn days_in(year: i32, month: u32) -> Option<u32> {
    NaiveDate::from_ymd_opt(year, month, 1).map(|first| month_from(first).1.day())
}

/// Digits and signs of the full width, and what a Chinese keyboard gives for the signs of a date.
pub(super) fn half_width(text: &str) -> String {
    let half = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '。' => '.',
        '》' | '〉' => '>',
        '《' | '〈' => '<',
        '\u{3000}' => ' ',
        c => c,
    };
    text.chars().map(half).collect()
}

impl Point {
    fn parse(text: &str) -> Result<Self, FilterFault> {
        let text = text.trim();
        let wrong = || FilterFault::NoDate(text.to_owned());
        if let Some(word) = Word::parse(text) {
            return Ok(Self::Word(word));
        }
        if let Some((date, time)) = text.split_once(['T', ' ']) {
            if time.ends_with('Z') || time.contains('+') || time.contains('-') {
                let at = DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?;
                return Ok(Self::At(Ts(at.timestamp_millis())));
            }
            let Self::Day(date) = Self::parse(date)? else { return Err(wrong()) };
            let time =
                NaiveTime::parse_from_str(time, "%H:%M:%S").or_else(|_| NaiveTime::parse_from_str(time, "%H:%M"));
            return Ok(Self::Minute(date.and_time(time.map_err(|_| wrong())?)));
        }
        let plain = text.replace(['年', '月', '/'], "-").replace(['日', '号'], "");
        let mut parts = plain.trim_end_matches('-').split('-');
        let mut number = |longest: usize| -> Result<Option<u32>, FilterFault> {
            let Some(part) = parts.next() else { return Ok(None) };
            let digits = (1..=longest).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            if digits { part.parse().map(Some).map_err(|_| wrong()) } else { Err(wrong()) }
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let is_last = parts.next().is_none();
        let year = year.and_then(|year| i32::try_from(year).ok()).filter(|_| is_last).ok_or_else(wrong)?;
        if !YEARS.contains(&year) {
            return Err(if month.is_some() && year > 999 { FilterFault::NoYear(text.to_owned()) } else { wrong() });
        }
        let Some(month) = month else { return Ok(Self::Year(year)) };
        let days = days_in(year, month).ok_or_else(wrong)?;
        let Some(day) = day else { return Ok(Self::Month(year, month)) };
        let date = NaiveDate::from_ymd_opt(year, month, day);
        date.map(Self::Day).ok_or(FilterFault::NoDay { date: text.to_owned(), days })
    }

    /// What is left of a word: its days, as one or as two.
    fn without_words(self, today: NaiveDate) -> (Self, Self) {
        match self {
            Self::Word(word) => {
                let (first, last) = word.days(today);
                (Self::Day(first), Self::Day(last))
            }
            other => (other, other),
        }
    }

    /// From its beginning to before the beginning of what follows, on a calendar.
    fn stretch(self, today: NaiveDate) -> (NaiveDateTime, NaiveDateTime) {
        let days = |(first, last): DaysOf| {
            let next = last.succ_opt().unwrap_or(last);
            (first.and_time(NaiveTime::MIN), next.and_time(NaiveTime::MIN))
        };
        let day = |date: Option<NaiveDate>| date.unwrap_or(today);
        match self {
            Self::Word(word) => days(word.days(today)),
            Self::Year(year) => {
                days((day(NaiveDate::from_ymd_opt(year, 1, 1)), day(NaiveDate::from_ymd_opt(year, 12, 31))))
            }
            Self::Month(year, month) => days(month_from(day(NaiveDate::from_ymd_opt(year, month, 1)))),
            Self::Day(date) => days((date, date)),
            Self::Minute(at) => (at, at + chrono::Duration::minutes(1)),
            Self::At(at) => {
                let at = instant(at);
                (at, at + chrono::Duration::milliseconds(1))
            }
        }
    }
}

/// A moment as universal time shows it.
fn instant(at: Ts) -> NaiveDateTime {
    DateTime::from_timestamp_millis(at.0).unwrap_or_default().naive_utc()
}

/// The day that it is in a zone.
fn day_of(zone: &Zone, now: Ts) -> NaiveDate {
    zone.from_utc_datetime(&instant(now)).date_naive()
}

/// A span with both ends on a calendar, the second one no longer within; absent where it has none.
type Ends = (Option<NaiveDateTime>, Option<NaiveDateTime>);

impl Span {
    /// Reads one span.
    pub(super) fn parse(text: &str, of: Moment) -> Result<Self, FilterFault> {
        let text = half_width(text);
        let text = text.trim();
        let sign = [(">=", Self::From as fn(Point) -> Self), ("<=", Self::UpTo), (">", Self::Over), ("<", Self::Under)];
        let signed = sign.iter().find_map(|(sign, span)| Some((text.strip_prefix(sign)?, *span)));
        let span = match (signed, text.split_once("..")) {
            (Some((rest, span)), None) => span(Point::parse(rest)?),
            (None, Some((from, to))) => match (from.trim(), to.trim()) {
                ("", "") => return Err(FilterFault::NoDate(text.to_owned())),
                ("", to) => Self::UpTo(Point::parse(to)?),
                (from, "") => Self::From(Point::parse(from)?),
                (from, to) => Self::Between(Point::parse(from)?, Point::parse(to)?),
            },
            (None, None) => Self::In(Point::parse(text)?),
            (Some(_), Some(_)) => return Err(FilterFault::NoDate(text.to_owned())),
        };
        let exact = |point: &Point| matches!(point, Point::At(_));
        if of == Moment::Bill && span.points().iter().any(exact) {
            return Err(FilterFault::NoDate(text.to_owned()));
        }
        if span.points().iter().all(|point| !matches!(point, Point::Word(_))) && span.is_reversed(NaiveDate::MIN) {
            return Err(FilterFault::Reversed(text.to_owned()));
        }
        Ok(span)
    }

    fn points(&self) -> Vec<Point> {
        match *self {
            Self::In(p) | Self::Over(p) | Self::From(p) | Self::Under(p) | Self::UpTo(p) => vec![p],
            Self::Between(a, b) => vec![a, b],
        }
    }

    fn has_words(&self) -> bool {
        self.points().iter().any(|point| matches!(point, Point::Word(_)))
    }

    /// Whether it ends before it begins.
    fn is_reversed(&self, today: NaiveDate) -> bool {
        matches!(self, Self::Between(a, b) if b.stretch(today).1 <= a.stretch(today).0)
    }

    /// Whether it ends before it begins, now.
    pub(super) fn is_reversed_now(&self, zone: &Zone, now: Ts) -> bool {
        self.is_reversed(day_of(zone, now))
    }

    fn ends(&self, today: NaiveDate) -> Ends {
        match self {
            Self::In(p) => (Some(p.stretch(today).0), Some(p.stretch(today).1)),
            Self::Over(p) => (Some(p.stretch(today).1), None),
            Self::From(p) => (Some(p.stretch(today).0), None),
            Self::Under(p) => (None, Some(p.stretch(today).0)),
            Self::UpTo(p) => (None, Some(p.stretch(today).1)),
            Self::Between(a, b) => (Some(a.stretch(today).0), Some(b.stretch(today).1)),
        }
    }

    /// The same without words, and where an instant is meant without the clock of a place.
    pub(super) fn resolved(&self, of: Moment, zone: &Zone, now: Ts) -> Self {
        let today = day_of(zone, now);
        if of == Moment::Bill {
            return self.on_calendar(today);
        }
        if self.points().iter().all(|point| matches!(point, Point::At(_))) {
            return *self;
        }
        let at = |shown| zone.moment(shown);
        match self.ends(today) {
            (Some(from), Some(to)) => Self::Between(Point::At(at(from)), Point::At(Ts(at(to).0.saturating_sub(1)))),
            (Some(from), None) => Self::From(Point::At(at(from))),
            (None, Some(to)) => Self::Under(Point::At(at(to))),
            (None, None) => *self,
        }
    }

    fn on_calendar(&self, today: NaiveDate) -> Self {
        match *self {
            Self::In(p) => match p.without_words(today) {
                (a, b) if a == b => Self::In(a),
                (a, b) => Self::Between(a, b),
            },
            Self::Over(p) => Self::Over(p.without_words(today).1),
            Self::From(p) => Self::From(p.without_words(today).0),
            Self::Under(p) => Self::Under(p.without_words(today).0),
            Self::UpTo(p) => Self::UpTo(p.without_words(today).1),
            Self::Between(a, b) => Self::Between(a.without_words(today).0, b.without_words(today).1),
        }
    }

    /// Whether a date of the ERP lies in it. `now`: for words that nobody put days in the place of.
    pub(super) fn holds_date(&self, at: NaiveDateTime, now: Ts) -> bool {
        let today = if self.has_words() { instant(now).date() } else { NaiveDate::MIN };
        let (from, to) = self.ends(today);
        from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to)
    }

    /// Whether an instant lies in it; on the clock of universal time where nobody resolved it.
    pub(super) fn holds(&self, at: Ts, now: Ts) -> bool {
        self.holds_date(instant(at), now)
    }

    /// The instants at which it begins and is over; `None` where it has no such end.
    pub(super) fn instants(&self, now: Ts) -> (Option<Ts>, Option<Ts>) {
        let (from, to) = self.ends(if self.has_words() { instant(now).date() } else { NaiveDate::MIN });
        let at = |shown: NaiveDateTime| Ts(shown.and_utc().timestamp_millis());
        (from.map(at), to.map(at))
    }

    /// What every date in it begins with, as the ERP writes it; `None` where that is not one text.
    pub fn beginning(&self) -> Option<String> {
        match self {
            Self::In(point @ (Point::Year(_) | Point::Month(..) | Point::Day(_))) => Some(point.said(Language::En)),
            _ => None,
        }
    }

    /// As it is written in one language.
    pub(super) fn said(&self, lang: Language) -> String {
        let p = |point: &Point| point.said(lang);
        match self {
            Self::In(point) => p(point),
            Self::Over(point) => format!(">{}", p(point)),
            Self::From(point) => format!(">={}", p(point)),
            Self::Under(point) => format!("<{}", p(point)),
            Self::UpTo(point) => format!("<={}", p(point)),
            Self::Between(a, b) => format!("{}..{}", p(a), p(b)),
        }
    }
}

impl Point {
    fn said(self, lang: Language) -> String {
        match self {
            Self::Word(word) => word.name(lang).to_owned(),
            Self::Year(year) => format!("{year:04}"),
            Self::Month(year, month) => format!("{year:04}-{month:02}"),
            Self::Day(date) => date.format("%Y-%m-%d").to_string(),
            Self::Minute(at) if chrono::Timelike::second(&at) == 0 => at.format("%Y-%m-%dT%H:%M").to_string(),
            Self::Minute(at) => at.format("%Y-%m-%dT%H:%M:%S").to_string(),
            Self::At(at) => {
                let at: DateTime<Utc> = instant(at).and_utc();
                at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
            }
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said(Language::En))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    /// 2026-11-26, a Thursday, 23:30 in universal time: in Shanghai it is the 27th.
    const NOW: Ts = Ts(1_795_735_800_000);

    fn resolved(text: &str, of: Moment, zone: &Zone) -> String {
        Span::parse(text, of).unwrap().resolved(of, zone, NOW).to_string()
    }

    #[test]
    fn a_word_is_a_span_of_the_calendar_of_the_place() {
        for (word, zh, days) in [
            ("today", "今天", "2026-11-27"),
            ("yesterday", "昨天", "2026-11-26"),
            ("this week", "本周", "2026-11-23..2026-11-29"),
            ("last-week", "上周", "2026-11-16..2026-11-22"),
            ("this-month", "这个月", "2026-11-01..2026-11-30"),
            ("last_month", "上月", "2026-10-01..2026-10-31"),
            ("month-end", "月末", "2026-11-30"),
            (">=last-week", ">=上周", ">=2026-11-16"),
            (">last-week", "＞上周", ">2026-11-22"),
            ("<Yesterday", "《昨天", "<2026-11-26"),
            ("<=this-month", "<=本月", "<=2026-11-30"),
            ("yesterday..today", "昨天。。今天", "2026-11-26..2026-11-27"),
        ] {
            for text in [word, zh] {
                assert_eq!(resolved(text, Moment::Bill, &zone("Asia/Shanghai")), days, "{text}");
            }
            assert_eq!(Span::parse(word, Moment::Bill), Span::parse(zh, Moment::Bill));
        }
        assert_eq!(resolved("today", Moment::Bill, &Zone::utc()), "2026-11-26");
    }

    #[test]
    fn an_instant_is_meant_by_the_clock_of_the_place_also_where_that_changes() {
        for (text, place, want) in [
            ("2026-11-26", "Asia/Shanghai", "2026-11-25T16:00:00Z..2026-11-26T15:59:59.999Z"),
            ("2026-11", "UTC", "2026-11-01T00:00:00Z..2026-11-30T23:59:59.999Z"),
            (">=昨天", "Asia/Shanghai", ">=2026-11-25T16:00:00Z"),
            (">2026-11-26", "Asia/Shanghai", ">=2026-11-26T16:00:00Z"),
            ("<2026-11-26T08:30", "Asia/Shanghai", "<2026-11-26T00:30:00Z"),
            // The clocks go forward over midnight, or back; a day has 23 hours, or 25.
            ("2026-03-29", "Asia/Beirut", "2026-03-28T22:00:00Z..2026-03-29T20:59:59.999Z"),
            ("2026-10-25", "Europe/Berlin", "2026-10-24T22:00:00Z..2026-10-25T22:59:59.999Z"),
            ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30:00Z..2026-03-29T01:30:59.999Z"),
            // Half an hour is left out there, and a whole day once was here.
            ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:45:00Z..2026-10-03T15:45:59.999Z"),
            (">=2011-12-30", "Pacific/Apia", ">=2011-12-30T10:00:00Z"),
            ("2026-01-01T00:00:00Z..2026-01-02T00:00:00+08:00", "UTC", "2026-01-01T00:00:00Z..2026-01-01T16:00:00Z"),
        ] {
            let first = resolved(text, Moment::Run, &zone(place));
            assert_eq!(first, want, "{text} {place}");
            assert_eq!(resolved(&first, Moment::Run, &zone("Asia/Tokyo")), want, "once resolved it stays");
        }
    }

    #[test]
    fn what_is_no_date_says_what_would_be_one() {
        let day = |date: &str, days| FilterFault::NoDay { date: date.to_owned(), days };
        for (text, want) in [
            ("2026-02-29", day("2026-02-29", 28)),
            ("2024-02-30", day("2024-02-30", 29)),
            ("2026-11-31", day("2026-11-31", 30)),
            ("2026-11-00", day("2026-11-00", 30)),
            ("2026-11-10..2026-11-09", FilterFault::Reversed("2026-11-10..2026-11-09".to_owned())),
            ("2027..2026-12", FilterFault::Reversed("2027..2026-12".to_owned())),
        ] {
            assert_eq!(Span::parse(text, Moment::Bill), Err(want), "{text}");
        }
        for text in [
            "..",
            "",
            "...",
            "2026-13",
            "26-11-01",
            "2026-11-1-1",
            "1899",
            "yesterdya",
            ">..",
            ">=",
            "2026-11-01T25:00",
        ] {
            assert!(matches!(Span::parse(text, Moment::Run), Err(FilterFault::NoDate(_))), "{text}");
        }
        for (text, same) in [
            ("2024-2-29", "2024-02-29"),
            ("２０２６－１１", "2026-11"),
            ("2026年11月23日", "2026-11-23"),
            ("2026/1/2", "2026-01-02"),
            ("2026-11-01..", ">=2026-11-01"),
            ("..2026年", "<=2026"),
            ("2026-11..2026-11-09", "2026-11..2026-11-09"),
        ] {
            assert_eq!(Span::parse(text, Moment::Bill).unwrap().to_string(), same, "{text}");
        }
    }
}
