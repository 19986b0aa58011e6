//! The second made-up world: customers who order, clerks who enter, lorries, stock and a queue at the server. By a seed.
//!
//! Written from the rules of `docs/design/second-world.md`, whose numbers stand in brackets here; it knows nothing of how anything is
//! forecast.

use std::collections::VecDeque;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use fastrand::Rng;

use crate::office::{DAY, HOUR, Run, begins, is_holiday, is_workday, normal};

const MINUTE: i64 = 60_000;
const WEEKDAYS: [Weekday; 5] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
/// Names of materials (16).
const MATERIALS: usize = 25;

fn log_normal(middle: f64, sigma: f64, rng: &mut Rng) -> f64 {
    middle * (sigma * normal(rng)).exp()
}

/// A geometric number of this mean.
fn geometric(mean: f64, rng: &mut Rng) -> u64 {
    let stop = 1.0 / (1.0 + mean);
    (rng.f64().max(1e-12).ln() / (1.0 - stop).ln()) as u64
}

/// One of so many, of sizes that fall as 1/rank.
fn by_rank(many: usize, rng: &mut Rng) -> usize {
    let sum: f64 = (1..=many).map(|rank| 1.0 / rank as f64).sum();
    let mut left = rng.f64() * sum;
    for rank in 1..=many {
        left -= 1.0 / rank as f64;
        if left <= 0.0 {
            return rank - 1;
        }
    }
    many - 1
}

fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

fn ahead(day: NaiveDate, days: i64) -> NaiveDate {
    let by = Days::new(days.unsigned_abs());
    if days < 0 { day.checked_sub_days(by) } else { day.checked_add_days(by) }.unwrap()
}

/// Working days of the month before a day, and after it.
fn in_month(day: NaiveDate) -> (usize, usize) {
    let same = |other: &NaiveDate| other.month() == day.month();
    let before = (1..32).map(|n| ahead(day, -n)).take_while(same).filter(|d| is_workday(*d)).count();
    let after = (1..32).map(|n| ahead(day, n)).take_while(same).filter(|d| is_workday(*d)).count();
    (before, after)
}

/// When a customer orders (2).
enum Rhythm {
    OfWeek(Weekday),
    OfMonth(u32),
    Chance(f64),
}

struct Customer {
    rhythm: Rhythm,
    /// Bills of an order beyond the first, in the mean (3).
    bills: f64,
}

impl Customer {
    fn new(rank: usize, rng: &mut Rng) -> Self {
        let rhythm = match rng.u8(0..10) {
            0..5 => Rhythm::OfWeek(WEEKDAYS[rng.usize(0..5)]),
            5..7 => Rhythm::OfMonth(rng.u32(1..29)),
            _ => Rhythm::Chance(1.0 / rng.f64().mul_add(17.0, 3.0)),
        };
        Self { rhythm, bills: rng.f64().mul_add(4.0, 1.0) * (20.0 / (rank as f64 + 1.0)).max(0.3) }
    }

    fn orders(&self, day: NaiveDate, rng: &mut Rng) -> bool {
        match self.rhythm {
            Rhythm::OfWeek(on) => day.weekday() == on && rng.u8(0..6) > 0,
            Rhythm::OfMonth(on) => day.day() == on,
            Rhythm::Chance(chance) => is_workday(day) && rng.f64() < chance,
        }
    }
}

struct Clerk {
    begins: i64,
    ends: i64,
    lunch: i64,
    /// Minutes a bill takes, in the middle.
    each: f64,
    /// Days on which he is not there.
    away: Vec<NaiveDate>,
}

/// A company and its year.
pub struct Company {
    pub volume: f64,
    /// Hours at which its plan runs.
    pub hours: Vec<u32>,
    pub runs: Vec<Run>,
}

/// What is known of a year before it begins.
struct Year {
    first: NaiveDate,
    days: i64,
    /// More orders: from, to, how many times as much (5).
    sales: Vec<(NaiveDate, NaiveDate, f64)>,
    /// Half days without the ERP: begin and end (13).
    down: Vec<(i64, i64)>,
    storm: NaiveDate,
}

impl Year {
    fn new(first: NaiveDate, days: i64, rng: &mut Rng) -> Self {
        let workday = |rng: &mut Rng| loop {
            let day = ahead(first, rng.i64(0..days));
            if is_workday(day) && !is_weekend(day) {
                return day;
            }
        };
        let mut sales = Vec::new();
        for year in [first.year(), first.year() + 1] {
            for (month, on) in [(6, 18), (11, 11)] {
                let on = NaiveDate::from_ymd_opt(year, month, on).unwrap();
                let days = rng.i64(3..10);
                sales.push((ahead(on, -days / 2), ahead(on, days / 2), rng.f64() + 2.0));
            }
        }
        let mut down = Vec::new();
        for _ in 0..4 {
            let day = begins(workday(rng));
            down.push(if rng.bool() { (day, day + 13 * HOUR) } else { (day + 13 * HOUR, day + DAY) });
        }
        Self { first, days, sales, down, storm: workday(rng) }
    }

    fn sale(&self, day: NaiveDate) -> f64 {
        self.sales.iter().find(|(from, to, _)| (*from..=*to).contains(&day)).map_or(1.0, |(.., times)| *times)
    }

    fn is_down(&self, at: i64) -> bool {
        self.down.iter().any(|(from, to)| (*from..*to).contains(&at))
    }
}

fn clerks(many: usize, each: f64, year: &Year, rng: &mut Rng) -> Vec<Clerk> {
    (0..many)
        .map(|_| {
            let mut away = Vec::new();
            // Away for five working days, twice (8).
            for _ in 0..2 {
                let from = ahead(year.first, rng.i64(0..year.days));
                away.extend((0..20).map(|n| ahead(from, n)).filter(|day| is_workday(*day)).take(5));
            }
            for n in 0..year.days {
                if rng.u8(0..80) == 0 {
                    away.extend([ahead(year.first, n), ahead(year.first, n + 1)]);
                }
            }
            // Half leave early before the longest holiday (12).
            if rng.bool() {
                let longest = NaiveDate::from_ymd_opt(2026, 2, 15).unwrap();
                away.extend((1..=rng.i64(1..5)).map(|n| ahead(longest, -n)));
            }
            Clerk {
                begins: 8 * 60 + rng.i64(0..91),
                ends: 17 * 60 + rng.i64(0..91),
                lunch: 11 * 60 + 30 + rng.i64(0..61),
                each: each * rng.f64().mul_add(0.6, 0.7),
                away,
            }
        })
        .collect()
}

impl Company {
    /// A company, with a year from a day on.
    pub fn new(first: NaiveDate, days: i64, rng: &mut Rng) -> Self {
        let year = Year::new(first, days, rng);
        let many = 20 + rng.usize(0..131);
        let mut customers: Vec<Customer> = (0..many).map(|rank| Customer::new(rank, rng)).collect();
        let usual = usual(&customers, first, rng);
        // Minutes a bill takes, so that one to nine clerks do the work of a usual day and a quarter more (6).
        let people = rng.usize(1..10);
        let each = (people as f64 * 480.0 / (1.25 * usual)).clamp(0.3, 15.0);
        let clerks = clerks(people, each, &year, rng);
        let mut waiting: VecDeque<NaiveDate> = VecDeque::new();
        let mut entered = Vec::new();
        for n in 0..days {
            let day = ahead(first, n);
            if day.day() == 1 {
                come_and_go(&mut customers, many, rng);
            }
            let sale = year.sale(day);
            for customer in &customers {
                let share = match () {
                    () if is_holiday(day) => 0.25,
                    () if is_weekend(day) && is_workday(day) => 0.5,
                    () if is_weekend(day) => 0.0,
                    () => 1.0,
                };
                if customer.orders(day, rng) && rng.f64() < share {
                    let bills = 1 + geometric(customer.bills * sale, rng);
                    waiting.extend((0..bills).map(|_| day));
                }
            }
            if day != year.storm {
                entered.extend(entering(day, &clerks, &mut waiting, &year, rng));
            }
        }
        entered.sort_unstable();
        let (hours, runs) = runs(&entered, &year, rng);
        Self { volume: entered.len() as f64 / days as f64 * 7.0 / 5.0, hours, runs }
    }
}

/// Bills of a usual day.
fn usual(customers: &[Customer], first: NaiveDate, rng: &mut Rng) -> f64 {
    let days: Vec<NaiveDate> = (0..60).map(|n| ahead(first, n)).filter(|day| is_workday(*day)).collect();
    let of = |day: &NaiveDate, rng: &mut Rng| {
        customers.iter().filter(|c| c.orders(*day, rng)).map(|c| 1.0 + c.bills).sum::<f64>()
    };
    days.iter().map(|day| of(day, rng)).sum::<f64>() / days.len() as f64
}

/// One leaves, and one comes (4).
fn come_and_go(customers: &mut Vec<Customer>, many: usize, rng: &mut Rng) {
    if rng.u8(0..10) == 0 && customers.len() > 1 {
        customers.swap_remove(rng.usize(0..customers.len()));
    }
    if rng.u8(0..8) == 0 {
        customers.push(Customer::new(rng.usize(0..many), rng));
    }
}

/// Moments at which the bills of a day are entered (6, 7, 9 to 12).
fn entering(
    day: NaiveDate,
    clerks: &[Clerk],
    waiting: &mut VecDeque<NaiveDate>,
    year: &Year,
    rng: &mut Rng,
) -> Vec<i64> {
    let saturday = day.weekday() == Weekday::Sat && !is_workday(day) && !is_holiday(day);
    let alone = saturday && day.iso_week().week().is_multiple_of(2);
    if !is_workday(day) && !alone {
        return Vec::new();
    }
    let (before, after) = in_month(day);
    let stays = !alone && after <= 1;
    let there: Vec<&Clerk> = clerks.iter().filter(|clerk| !clerk.away.contains(&day)).collect();
    let mut moments = Vec::new();
    for clerk in there.iter().take(if alone { 1 } else { usize::MAX }) {
        let begins_at = if before == 0 && !alone { clerk.begins.max(10 * 60 + 30) } else { clerk.begins };
        let ends_at = match () {
            () if alone => 12 * 60,
            () if stays => 22 * 60,
            () => clerk.ends,
        };
        let mut now = begins_at as f64;
        while (now as i64) < ends_at && !waiting.is_empty() {
            let minute = now as i64;
            if (clerk.lunch..clerk.lunch + 60).contains(&minute) {
                now = (clerk.lunch + 60) as f64;
                continue;
            }
            if year.is_down(begins(day) + minute * MINUTE) {
                now += 5.0;
                continue;
            }
            now += log_normal(clerk.each, 0.6, rng);
            if (now as i64) < ends_at {
                waiting.pop_front();
                moments.push(begins(day) + (lorry(now, rng) * MINUTE as f64) as i64);
            }
        }
    }
    moments
}

/// A third of what is ready waits for the lorry (9): the minute at which a bill is entered.
fn lorry(now: f64, rng: &mut Rng) -> f64 {
    let leaves = if now < 690.0 { 690.0 } else { 990.0 };
    if (540.0..990.0).contains(&now) && rng.u8(0..3) == 0 { leaves + rng.f64() * 6.0 } else { now }
}

/// What each run of the plan finds (15), and what of it is refused (16).
fn runs(entered: &[i64], year: &Year, rng: &mut Rng) -> (Vec<u32>, Vec<Run>) {
    let many = rng.usize(6..13);
    let (always, weekdays_only) = (rng.u8(0..3) == 0, rng.u8(0..5) == 0);
    let (from, to) = if always { (0, 24) } else { (8, 21) };
    let hours: Vec<u32> = (0..many).map(|n| (from + (to - from) * n / many) as u32).collect();
    let mut stock = Stock::new(entered.len() as f64 / year.days as f64, rng);
    let (mut at, mut all) = (0, Vec::new());
    let mut wander = 0.0;
    for n in 0..year.days {
        let day = ahead(year.first, n);
        stock.comes(day);
        if weekdays_only && is_weekend(day) {
            continue;
        }
        for hour in &hours {
            if rng.u16(0..300) == 0 {
                continue;
            }
            let now = begins(day) + i64::from(*hour) * HOUR + rng.i64(5_000..240_000);
            let mut run = Run { at: now, found: 0, failed: 0, bad: 0.0, ms: 0.0 };
            while entered.get(at).is_some_and(|moment| *moment < now) {
                at += 1;
                run.found += 1;
                run.failed += u64::from(!stock.has(rng));
            }
            wander = 0.9 * wander + 0.1 * normal(rng);
            run.ms = (350.0 * slow(*hour)).ln() + wander + 0.08 * normal(rng);
            all.push(run);
        }
    }
    // Stock runs out when it does: what is refused in the mean is the year's share.
    let (found, failed) = all.iter().fold((0, 0), |(found, failed), run| (found + run.found, failed + run.failed));
    let bad = failed as f64 / (found as f64).max(1.0);
    for run in &mut all {
        run.bad = bad;
    }
    (hours, all)
}

/// How much slower the server is at an hour (17).
fn slow(hour: u32) -> f64 {
    match hour {
        9 | 10 | 14 | 15 => 1.4,
        12 => 2.0,
        _ => 1.0,
    }
}

/// Materials (16).
struct Stock {
    left: Vec<f64>,
    week: Vec<f64>,
    on: Vec<Weekday>,
}

impl Stock {
    fn new(a_day: f64, rng: &mut Rng) -> Self {
        let sum: f64 = (1..=MATERIALS).map(|rank| 1.0 / rank as f64).sum();
        let week: Vec<f64> = (1..=MATERIALS).map(|rank| 1.2 * 7.0 * a_day / rank as f64 / sum).collect();
        Self { left: week.clone(), week, on: (0..MATERIALS).map(|_| WEEKDAYS[rng.usize(0..5)]).collect() }
    }

    fn comes(&mut self, day: NaiveDate) {
        for (left, (week, on)) in self.left.iter_mut().zip(self.week.iter().zip(&self.on)) {
            if day.weekday() == *on {
                *left = (*left + week).min(2.0 * week);
            }
        }
    }

    fn has(&mut self, rng: &mut Rng) -> bool {
        let left = &mut self.left[by_rank(MATERIALS, rng)];
        *left -= 1.0;
        if *left < 0.0 {
            *left += 1.0;
            return false;
        }
        true
    }
}

/// A server that runs are worked off at (17 to 20).
pub struct Server {
    each: f64,
}

impl Server {
    pub fn new(rng: &mut Rng) -> Self {
        Self { each: log_normal(900.0, 0.7, rng) }
    }

    /// Moments of a run that begins at one: of bills that are settled, and until when of those that are put off then.
    pub fn run(&self, at: i64, rng: &mut Rng) -> Vec<(i64, Option<i64>)> {
        let bills = (20.0 * (rng.f64() * 40.0_f64.ln()).exp()) as usize;
        let mut pause = (rng.u8(0..15) == 0).then(|| (rng.usize(0..bills), rng.i64(120_000..1_200_000)));
        let (mut now, mut load) = (at as f64, 0.25 * normal(rng));
        let (mut moments, mut open) = (Vec::new(), Vec::new());
        let call = |now: &mut f64, load: &mut f64, rng: &mut Rng| {
            let hour = ((*now as i64).rem_euclid(DAY) / HOUR) as u32;
            let mut ms = log_normal(self.each * slow(hour) * load.exp(), 0.4, rng);
            if rng.u16(0..400) == 0 {
                ms += 1000.0 * rng.f64().mul_add(70.0, 20.0);
            }
            *now += ms;
            let keep = (-ms / 1_800_000.0).exp();
            *load = *load * keep + 0.25 * (1.0 - keep * keep).sqrt() * normal(rng);
        };
        for n in 0..bills {
            if let Some((_, ms)) = pause.take_if(|(at, _)| *at == n) {
                now += ms as f64;
            }
            call(&mut now, &mut load, rng);
            if rng.u8(0..60) == 0 {
                let closed = now - 180_000.0 * rng.f64().max(1e-9).ln();
                moments.push((now as i64, Some(now as i64 + 30_000)));
                open.push((now + 30_000.0, closed));
            } else {
                moments.push((now as i64, None));
            }
        }
        // Who is still looked at is put off again (18).
        while !open.is_empty() {
            open.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (due, closed) = open.remove(0);
            now = now.max(due);
            call(&mut now, &mut load, rng);
            if now < closed {
                moments.push((now as i64, Some(now as i64 + 30_000)));
                open.push((now + 30_000.0, closed));
            } else {
                moments.push((now as i64, None));
            }
        }
        moments
    }
}
