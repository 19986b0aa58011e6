//! What is asked of a company of the third made-up world: rules 1 to 11 of `docs/design/third-world.md`.

use chrono::{Datelike, Days, NaiveDate};
use fastrand::Rng;

use super::chance::{between, count, group, lognormal, normal, one_of, some};

/// Steps of five minutes: of an hour, and of a day.
pub const HOUR: usize = 12;
pub const STEPS: usize = 288;

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Shop,
    Dock,
    Deliveries,
    Invoices,
    Claims,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Shop, Self::Dock, Self::Deliveries, Self::Invoices, Self::Claims];

    pub fn word(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Dock => "dock",
            Self::Deliveries => "deliveries",
            Self::Invoices => "invoices",
            Self::Claims => "claims",
        }
    }

    /// Whether goods move by it.
    pub fn of_goods(self) -> bool {
        matches!(self, Self::Dock | Self::Deliveries)
    }

    fn median(self) -> f64 {
        match self {
            Self::Shop => 350.0,
            Self::Dock => 120.0,
            Self::Deliveries => 160.0,
            Self::Invoices => 70.0,
            Self::Claims => 25.0,
        }
    }

    fn of_weekday(self, weekday: usize) -> f64 {
        let week: &[f64] = match self {
            Self::Shop => &[1.05, 1.0, 1.0, 1.0, 1.05, 1.1, 1.1],
            Self::Dock => &[1.1, 1.0, 1.0, 1.0, 0.9],
            Self::Deliveries => &[1.15, 1.05, 1.0, 1.0, 0.8],
            Self::Invoices => &[1.2, 1.0, 1.0, 0.95, 0.85],
            Self::Claims => &[1.6, 1.0, 0.9, 0.8, 0.7],
        };
        week.get(weekday).copied().unwrap_or(1.0)
    }
}

pub fn day(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(if month >= 8 { 2025 } else { 2026 }, month, day).unwrap()
}

fn is_within(date: NaiveDate, from: (u32, u32), to: (u32, u32)) -> bool {
    (day(from.0, from.1)..=day(to.0, to.1)).contains(&date)
}

fn is_spring(date: NaiveDate) -> bool {
    is_within(date, (2, 15), (2, 23))
}

fn is_holiday(date: NaiveDate) -> bool {
    let others = [((10, 1), (10, 8)), ((1, 1), (1, 3)), ((4, 4), (4, 6)), ((5, 1), (5, 5)), ((6, 19), (6, 21))];
    is_spring(date) || others.iter().any(|(from, to)| is_within(date, *from, *to))
}

fn is_exchanged(date: NaiveDate) -> bool {
    [(9, 28), (10, 11), (1, 4), (2, 14), (2, 28), (5, 9)].iter().any(|(month, on)| day(*month, *on) == date)
}

/// Which Saturdays are worked.
#[derive(Clone, Copy, PartialEq)]
enum Saturdays {
    None,
    EverySecond,
    All,
}

/// The days of a company.
pub struct Workdays {
    pub dates: Vec<NaiveDate>,
    pub works: Vec<bool>,
    saturdays: Saturdays,
}

impl Workdays {
    fn new(begins: NaiveDate, days: usize, rng: &mut Rng) -> Self {
        let saturdays = one_of(&[(0.55, Saturdays::None), (0.3, Saturdays::EverySecond), (0.15, Saturdays::All)], rng);
        let dates: Vec<NaiveDate> = (0..days as u64).map(|n| begins + Days::new(n)).collect();
        let mut all = Self { dates, works: Vec::new(), saturdays };
        all.works = all.dates.iter().map(|date| all.is_worked(*date)).collect();
        all
    }

    fn is_worked(&self, date: NaiveDate) -> bool {
        let of_week = date.weekday().num_days_from_monday();
        let saturday = match self.saturdays {
            Saturdays::None => false,
            Saturdays::EverySecond => date.iso_week().week().is_multiple_of(2),
            Saturdays::All => true,
        };
        is_exchanged(date) || !is_holiday(date) && (of_week < 5 || of_week == 5 && saturday)
    }

    /// Which working day of its month it is, from the first on and back from the last, beginning with 1.
    pub fn in_month(&self, n: usize) -> (usize, usize) {
        let date = self.dates[n];
        let step = |ahead: bool| {
            let mut at = date;
            let mut seen = 0;
            while at.month() == date.month() {
                seen += usize::from(self.is_worked(at));
                at = if ahead { at + Days::new(1) } else { at - Days::new(1) };
            }
            seen
        };
        (step(false), step(true))
    }

    /// The working day that is so many after this one, or the last there is.
    pub fn after(&self, n: usize, worked: usize) -> usize {
        let later = (n + 1..self.works.len()).filter(|day| self.works[*day]);
        later.take(worked).last().unwrap_or(self.works.len() - 1)
    }

    /// The working days before a day, the last one first.
    fn before(&self, date: NaiveDate, worked: usize) -> Vec<usize> {
        let earlier = (0..self.dates.len()).rev().filter(|n| self.dates[*n] < date && self.works[*n]);
        earlier.take(worked).collect()
    }
}

/// What comes in, day by day.
pub struct Demand {
    pub kind: Kind,
    /// Bills of a plain working day.
    pub size: f64,
    pub days: Workdays,
    /// Bills of each day in the mean.
    pub mean: Vec<f64>,
    /// What partners that came and left have made of it, day by day.
    pub level: Vec<f64>,
    /// Days of weather.
    pub weather: Vec<usize>,
    /// Steps of the day at which lorries have an hour of their own.
    hours: Vec<usize>,
}

impl Demand {
    pub fn new(begins: NaiveDate, days: usize, rng: &mut Rng) -> Self {
        let kinds = [
            (0.25, Kind::Shop),
            (0.25, Kind::Dock),
            (0.2, Kind::Deliveries),
            (0.15, Kind::Invoices),
            (0.15, Kind::Claims),
        ];
        let kind = one_of(&kinds, rng);
        let size = lognormal(kind.median(), 0.8, rng).clamp(6.0, 2500.0);
        let lorries = (size / 12.0).round().max(1.0) as usize;
        let hours = (0..lorries).map(|_| rng.usize(8 * HOUR..17 * HOUR)).collect();
        let days = Workdays::new(begins, days, rng);
        let level = levels(days.dates.len(), rng);
        let mut demand = Self { kind, size, days, mean: Vec::new(), level, weather: Vec::new(), hours };
        demand.mean = demand.plain();
        let parts = [
            demand.restless(rng),
            demand.partners(rng),
            demand.level.clone(),
            demand.of_month(),
            demand.of_festivals(rng),
            demand.campaigns(rng),
        ];
        for part in parts {
            demand.mean.iter_mut().zip(part).for_each(|(mean, factor)| *mean *= factor);
        }
        demand.weather(rng);
        demand
    }

    fn len(&self) -> usize {
        self.days.dates.len()
    }

    /// Rules 2, 6 and 8.
    fn plain(&self) -> Vec<f64> {
        let of = |n: usize| {
            let (date, works) = (self.days.dates[n], self.days.works[n]);
            let weekday = date.weekday().num_days_from_monday() as usize;
            let counted = (date.month(), date.day());
            if self.kind.of_goods() && [(6, 30), (12, 31)].contains(&counted) {
                return 0.0;
            }
            match (self.kind, works) {
                (Kind::Shop, _) => self.size * self.kind.of_weekday(weekday),
                (Kind::Invoices, false) => 0.05 * self.size,
                (_, false) => 0.0,
                (kind, true) if weekday == 5 && !is_exchanged(date) => 0.6 * self.size * kind.of_weekday(5),
                (kind, true) => self.size * kind.of_weekday(weekday),
            }
        };
        (0..self.len()).map(of).collect()
    }

    /// Rule 3.
    fn restless(&self, rng: &mut Rng) -> Vec<f64> {
        let mut of_week = 0.06 / (1.0_f64 - 0.81).sqrt() * normal(rng);
        let mut of_day = 0.2 * normal(rng);
        let mut all = Vec::new();
        for date in &self.days.dates {
            if date.weekday().num_days_from_monday() == 0 {
                of_week = 0.9 * of_week + 0.06 * normal(rng);
            }
            of_day = 0.3 * of_day + 0.2 * (1.0_f64 - 0.09).sqrt() * normal(rng);
            all.push((of_week + of_day).exp());
        }
        all
    }

    /// Rule 4: the large partner's days.
    fn partners(&self, rng: &mut Rng) -> Vec<f64> {
        let mut all = vec![1.0; self.len()];
        if rng.bool() {
            let week = if self.kind == Kind::Shop { 7 } else { 5 };
            let first = rng.u32(0..week);
            let second = (first + rng.u32(1..week)) % week;
            for (factor, date) in all.iter_mut().zip(&self.days.dates) {
                let on = date.weekday().num_days_from_monday();
                let its_own = on == first || on == second;
                *factor = if its_own { 0.75 + 0.25 * f64::from(week) / 2.0 } else { 0.75 };
            }
        }
        all
    }

    /// Rule 7.
    fn of_month(&self) -> Vec<f64> {
        let cut_off = |date: NaiveDate| {
            let on = date.with_day(25).unwrap();
            let mut near = self.days.before(on, 2);
            near.extend(self.days.dates.iter().position(|day| *day == on));
            near
        };
        let of = |n: usize| {
            let date = self.days.dates[n];
            let (first, last) = self.days.in_month(n);
            let peak = match self.kind {
                Kind::Deliveries => 1.5,
                Kind::Invoices => 1.6,
                Kind::Dock => 1.2,
                Kind::Claims if cut_off(date).contains(&n) => return 2.5,
                Kind::Claims if (26..=30).contains(&date.day()) => return 0.5,
                Kind::Shop | Kind::Claims => return 1.0,
            };
            let quarter = if date.month().is_multiple_of(3) { 2.0 } else { 1.0 };
            let sent = if self.kind == Kind::Invoices && (date.day() >= 25 || date.day() <= 5) { 1.6 } else { 1.0 };
            let of_close = match (first, last) {
                (_, 1..=3) => 1.0 + quarter * (peak - 1.0),
                (1..=2, _) => 0.7,
                _ => 1.0,
            };
            sent * of_close
        };
        (0..self.len()).map(of).collect()
    }

    /// Rule 9.
    fn of_festivals(&self, rng: &mut Rng) -> Vec<f64> {
        let dates = &self.days.dates;
        if self.kind == Kind::Shop {
            let of = |date: &NaiveDate| match (is_spring(*date), is_holiday(*date)) {
                (true, _) => 0.3,
                (_, true) => 0.8,
                _ => 1.0,
            };
            return dates.iter().map(of).collect();
        }
        let closes = day(2, 15) - Days::new(rng.u64(2..=6));
        let opens = day(2, 24) + Days::new(rng.u64(0..=7));
        let mut all: Vec<f64> =
            dates.iter().map(|date| if (closes..opens).contains(date) { 0.15 } else { 1.0 }).collect();
        self.days.before(closes, 5).into_iter().for_each(|n| all[n] *= 1.3);
        self.days.before(day(10, 1), 2).into_iter().for_each(|n| all[n] *= 1.25);
        let first = (0..dates.len()).filter(|n| dates[*n] >= opens && self.days.works[*n]).take(8);
        for (worked, n) in first.enumerate() {
            all[n] *= 0.4 + 0.6 * worked as f64 / 8.0;
        }
        all
    }

    /// Rule 10.
    fn campaigns(&self, rng: &mut Rng) -> Vec<f64> {
        let mut all = vec![1.0; self.len()];
        let at = |date: NaiveDate| self.days.dates.iter().position(|day| *day == date);
        let mut windows: Vec<(Option<usize>, usize, f64)> = Vec::new();
        match self.kind {
            Kind::Shop => {
                let known = [((11, 1), 3, 2.5), ((11, 9), 4, 4.0), ((12, 11), 2, 2.5), ((6, 16), 3, 3.0)].into_iter();
                windows.extend(known.map(|((month, on), days, factor)| (at(day(month, on)), days, factor)));
                for month in 1..=12 {
                    let from = at(day(month, rng.u32(1..=28)));
                    windows.push((from, rng.usize(1..=3), between(1.5, 2.5, rng)));
                }
            }
            Kind::Deliveries => {
                for _ in 0..4 {
                    let from = rng.usize(0..self.len());
                    (1..=3).for_each(|worked| all[self.days.after(from, worked)] *= 1.4);
                }
            }
            Kind::Dock | Kind::Invoices | Kind::Claims => {}
        }
        for (from, days, factor) in windows {
            let Some(from) = from else { continue };
            for (n, of) in all.iter_mut().enumerate().skip(from).take(2 * days) {
                *of *= if n < from + days { factor } else { 0.8 };
            }
        }
        all
    }

    /// Rule 11.
    fn weather(&mut self, rng: &mut Rng) {
        if !self.kind.of_goods() {
            return;
        }
        for _ in 0..count(self.len() as f64 / 365.0, rng) {
            let on = self.days.after(rng.usize(0..self.len()), 1);
            let missing = 0.8 * self.mean[on];
            self.mean[on] -= missing;
            for later in 1..=2 {
                let later = self.days.after(on, later);
                self.mean[later] += missing / 2.0;
            }
            self.weather.push(on);
        }
    }

    /// Rule 5: bills at each step of a day.
    pub fn of_day(&self, n: usize, rng: &mut Rng) -> Vec<usize> {
        let (mut all, mean) = (vec![0; STEPS], self.mean[n]);
        match self.kind {
            Kind::Shop => {
                let weight = |step: usize| match step / HOUR {
                    2..=5 => 0.1,
                    10 | 11 | 14 | 15 | 20..=22 => 2.0,
                    _ => 1.0,
                };
                let sum: f64 = (0..STEPS).map(weight).sum();
                all.iter_mut().enumerate().for_each(|(step, n)| *n = count(mean * weight(step) / sum, rng));
            }
            Kind::Dock => {
                let own = (mean / 12.0 + rng.f64()).floor() as usize;
                let skip = rng.usize(0..self.hours.len());
                for hour in self.hours.iter().cycle().skip(skip).take(own) {
                    all[(hour + rng.usize(0..=6)).saturating_sub(3)] += group(6.0, rng);
                }
                scatter(&mut all, (8 * HOUR, 17 * HOUR), (mean / 2.0, 6.0), rng);
            }
            Kind::Deliveries => scatter(&mut all, (8 * HOUR + 6, 18 * HOUR), (mean, 2.0), rng),
            Kind::Claims => scatter(&mut all, (9 * HOUR, 18 * HOUR), (mean, 1.5), rng),
            Kind::Invoices => {
                // Without work there is no post, and the mean is that of the mails.
                let post = if self.days.works[n] { count(mean / 2.0, rng) } else { 0 };
                let early = some(post, 0.5, rng);
                all[10 * HOUR] += early;
                all[15 * HOUR] += post - early;
                let mails = if self.days.works[n] { mean / 2.0 } else { mean };
                scatter(&mut all, (8 * HOUR, 19 * HOUR), (mails, 1.0), rng);
            }
        }
        all
    }
}

/// Groups that come at any time of these steps.
fn scatter(all: &mut [usize], steps: (usize, usize), bills: (f64, f64), rng: &mut Rng) {
    for _ in 0..count(bills.0 / bills.1, rng) {
        all[rng.usize(steps.0..steps.1)] += group(bills.1, rng);
    }
}

/// Rule 4: partners that come and leave.
fn levels(days: usize, rng: &mut Rng) -> Vec<f64> {
    let mut all = vec![1.0; days];
    for (a_year, low, high) in [(0.8, 1.1, 1.4), (0.5, 0.75, 0.9)] {
        for _ in 0..count(a_year * days as f64 / 365.0, rng) {
            let (from, level) = (rng.usize(0..days), between(low, high, rng));
            for (n, factor) in all.iter_mut().enumerate().skip(from) {
                *factor *= 1.0 + (level - 1.0) * ((n - from) as f64 / 14.0).min(1.0);
            }
        }
    }
    all
}
