//! Who makes bills of what is asked, in the third made-up world: rules 12 to 22 of `docs/design/third-world.md`.

use chrono::Datelike;
use fastrand::Rng;

use super::chance::{between, count, group, happens, lognormal, one_of, some};
use super::demand::{Demand, HOUR, Kind, STEPS, Workdays, day};

/// Steps of the day at which an office opens, has lunch, goes on and closes.
const OFFICE: [usize; 4] = [8 * HOUR + 6, 12 * HOUR, 13 * HOUR + 6, 18 * HOUR];

/// Whether an office is at work at a step of a working day.
pub fn is_office(step: usize) -> bool {
    (OFFICE[0]..OFFICE[1]).contains(&step) || (OFFICE[2]..OFFICE[3]).contains(&step)
}

/// Days, of working days, on which somebody is away by a chance a day.
fn away(days: &Workdays, chance: impl Fn(usize) -> f64, long: impl Fn(&mut Rng) -> usize, rng: &mut Rng) -> Vec<bool> {
    let (mut all, mut left) = (Vec::new(), 0);
    for (n, works) in days.works.iter().enumerate() {
        if *works && left == 0 && happens(chance(n), rng) {
            left = long(rng);
        }
        all.push(left > 0);
        left -= usize::from(*works && left > 0);
    }
    all
}

/// One who keys bills.
struct Clerk {
    away: Vec<bool>,
    /// From when to when in shifts; none in an office.
    shift: Option<(usize, usize)>,
    at_once: bool,
    /// When drafts are submitted, always and today.
    usual: [usize; 4],
    today: [usize; 4],
    pile: usize,
    most: usize,
    /// How many of today's are filled in wrongly.
    wrong: usize,
}

impl Clerk {
    fn new(days: &Workdays, shift: Option<(usize, usize)>, rng: &mut Rng) -> Self {
        let winter = |n: usize| matches!(days.dates[n].month(), 12 | 1 | 2);
        let mut away = away(days, |n| if winter(n) { 0.016 } else { 0.008 }, |rng| group(2.5, rng), rng);
        let mut leave = 10;
        while leave > 0 {
            let (from, block) = (rng.usize(0..away.len()), rng.usize(1..=5).min(leave));
            (1..=block).for_each(|worked| away[days.after(from, worked)] = true);
            leave -= block;
        }
        let near = |minutes: usize| (minutes / 5 + rng.usize(0..=6)).saturating_sub(3);
        let minutes = match shift {
            None => [630, 710, 930, 1065],
            Some((from, _)) => [120, 200, 330, 465].map(|after| from * 5 + after),
        };
        let usual = minutes.map(near);
        let (at_once, most) = (happens(0.2, rng), rng.usize(8..=30));
        Self { away, shift, at_once, usual, today: usual, pile: 0, most, wrong: 0 }
    }

    /// How fast it goes at a step, where 1 is usual.
    fn pace(&self, step: usize, until: usize) -> f64 {
        let (from, to) = self.shift.unwrap_or((OFFICE[0], OFFICE[3]));
        match step {
            _ if step < from || step >= to.max(if self.shift.is_none() { until } else { 0 }) => 0.0,
            _ if step >= to => 1.0,
            _ if self.shift.is_none() && !is_office(step) => 0.0,
            _ if step < from + HOUR / 2 => 0.7,
            _ if step >= to - HOUR => 1.1,
            _ if self.shift.is_none() && (OFFICE[2]..OFFICE[2] + HOUR).contains(&step) => 0.85,
            _ => 1.0,
        }
    }
}

/// Where a company's clerks sit.
struct Desk {
    clerks: Vec<Clerk>,
    queue: usize,
    /// Bills a clerk keys in five minutes, and what lies there on a plain day.
    pace: f64,
    daily: f64,
    /// Until when they stay today.
    until: usize,
}

impl Desk {
    fn new(demand: &Demand, keyed: f64, rng: &mut Rng) -> Self {
        let daily = demand.size * keyed;
        let many = if daily > 0.0 { (daily / 60.0).ceil() as usize } else { 0 };
        let shifts = demand.kind == Kind::Dock && demand.size > 200.0;
        let of = |n: usize| if n.is_multiple_of(2) { (7 * HOUR, 15 * HOUR) } else { (15 * HOUR, 23 * HOUR) };
        let clerks = (0..many).map(|n| Clerk::new(&demand.days, shifts.then(|| of(n)), rng)).collect();
        let pace = daily / 0.8 / many.max(1) as f64 / (8 * HOUR) as f64;
        Self { clerks, queue: 0, pace, daily, until: 0 }
    }

    fn morning(&mut self, n: usize, rng: &mut Rng) {
        self.until = 0;
        for clerk in &mut self.clerks {
            clerk.today = clerk.usual.map(|at| (at + rng.usize(0..=2)).saturating_sub(1));
            clerk.wrong = if !clerk.away[n] && happens(0.01, rng) { rng.usize(8..=30) } else { 0 };
        }
    }

    /// Keys for five minutes; gives what is submitted, and how much of it is wrong.
    fn step(&mut self, (n, step): (usize, usize), demand: &Demand, rng: &mut Rng) -> (usize, usize) {
        let (days, level) = (&demand.days, demand.level[n]);
        if step == OFFICE[3] {
            let (_, last) = days.in_month(n);
            let much = self.queue as f64 > 0.6 * level * self.daily;
            self.until = match last {
                1 | 2 => 21 * HOUR,
                _ if much && happens(0.6, rng) => 20 * HOUR,
                _ => 0,
            };
        }
        let none = self.clerks.iter().all(|clerk| clerk.away[n]);
        let hurry = if self.queue as f64 > level * self.daily { 1.25 } else { 1.0 };
        let (mut submitted, mut wrong) = (0, 0);
        let first = rng.usize(0..self.clerks.len().max(1));
        for at in 0..self.clerks.len() {
            let at = (first + at) % self.clerks.len();
            let clerk = &mut self.clerks[at];
            let there = match (none && at == 0, clerk.away[n]) {
                (true, _) => 0.5,
                (_, true) => continue,
                _ => 1.0,
            };
            let keyed = count(there * hurry * level * self.pace * clerk.pace(step, self.until), rng).min(self.queue);
            self.queue -= keyed;
            clerk.pile += keyed;
            if clerk.at_once || clerk.pile >= clerk.most || clerk.today.contains(&step) {
                let bad = clerk.wrong.min(clerk.pile);
                clerk.wrong -= bad;
                wrong += bad;
                submitted += std::mem::take(&mut clerk.pile);
            }
        }
        (submitted, wrong)
    }
}

/// Another system that hands bills over.
struct Import {
    queue: usize,
    /// Every so many steps, or at these hours.
    every: usize,
    hours: [usize; 3],
    /// Whether it goes on with what was too much at once.
    more: bool,
}

impl Import {
    fn new(rng: &mut Rng) -> Self {
        let every = one_of(&[(0.4, 2), (0.25, 6), (0.2, 12), (0.15, 0)], rng);
        let mut hours: Vec<usize> = (6..23).collect();
        rng.shuffle(&mut hours);
        Self { queue: 0, every, hours: [hours[0] * HOUR, hours[1] * HOUR, hours[2] * HOUR], more: false }
    }

    fn step(&mut self, step: usize) -> usize {
        let due = if self.every > 0 { step.is_multiple_of(self.every) } else { self.hours.contains(&step) };
        if !due && !self.more {
            return 0;
        }
        let handed = self.queue.min(200);
        self.queue -= handed;
        self.more = self.queue > 0 && handed == 200;
        handed
    }
}

/// A manager's list in another system, and the director's behind it.
struct Consent {
    list: usize,
    upper: usize,
    /// Steps at work until the manager looks again.
    next: usize,
    away: Vec<bool>,
    deputy: bool,
    director: Option<usize>,
}

impl Consent {
    fn new(days: &Workdays, rng: &mut Rng) -> Self {
        let away = away(days, |_| 0.04, |rng| rng.usize(1..=5), rng);
        Self { list: 0, upper: 0, next: HOUR, away, deputy: rng.bool(), director: None }
    }

    /// Five minutes of a working day; gives what is consented to.
    fn step(&mut self, (n, step): (usize, usize), rng: &mut Rng) -> usize {
        let mut taken = 0;
        if self.away[n] {
            if self.deputy && step == 17 * HOUR {
                taken = std::mem::take(&mut self.list);
            }
        } else if is_office(step) {
            self.next = self.next.saturating_sub(1);
            if self.next == 0 {
                taken = if happens(0.7, rng) { self.list } else { some(self.list, 0.5, rng) };
                self.list -= taken;
                self.next = lognormal(3.0 * HOUR as f64, 0.8, rng).round().max(1.0) as usize;
            }
        }
        let higher = some(taken, 0.08, rng);
        self.upper += higher;
        let looked = if self.director == Some(step) { std::mem::take(&mut self.upper) } else { 0 };
        taken - higher + looked
    }
}

/// When machines are down, step by step of the year.
pub struct Outages {
    pub erp: Vec<bool>,
    pub interface: Vec<bool>,
}

impl Outages {
    fn new(days: &Workdays, rng: &mut Rng) -> Self {
        let (len, months) = (days.dates.len() * STEPS, days.dates.len() as f64 / 30.0);
        let mut all = Self { erp: vec![false; len], interface: vec![false; len] };
        for _ in 0..count(0.5 * months, rng) {
            let from = rng.usize(0..len);
            let hours = lognormal(2.0, 1.2, rng).min(40.0);
            let mut to = from + (hours * HOUR as f64).ceil() as usize;
            // Repaired when somebody is there.
            while !(8 * HOUR + 6..20 * HOUR).contains(&(to % STEPS)) {
                to += 1;
            }
            all.interface[from..to.min(len)].fill(true);
        }
        for _ in 0..count(0.2 * months, rng) {
            let from = rng.usize(0..len);
            let to = from + (between(0.5, 4.0, rng) * HOUR as f64) as usize;
            all.erp[from..to.min(len)].fill(true);
        }
        for (n, date) in days.dates.iter().enumerate() {
            if date.weekday().num_days_from_monday() == 5 && date.day() <= 7 {
                let from = n * STEPS + 22 * HOUR;
                all.erp[from..(from + 6 * HOUR).min(len)].fill(true);
            }
        }
        all
    }
}

/// Everything between a request and a bill that stands submitted.
pub struct Desks {
    desk: Desk,
    /// The share of requests that is keyed; the others are imported.
    keyed: f64,
    import: Import,
    consent: Option<Consent>,
    pub outages: Outages,
    /// Deliveries that wait for goods, the days on which goods come, and what is submitted at which step.
    waits: usize,
    goods: Vec<bool>,
    released: Vec<usize>,
    /// When nothing may be submitted, and what waits for its end.
    closed: Vec<bool>,
    held: usize,
    requests: Vec<usize>,
}

impl Desks {
    pub fn new(demand: &Demand, rng: &mut Rng) -> Self {
        let imported = demand.kind.of_goods() && happens(0.3, rng);
        let keyed = match demand.kind {
            Kind::Shop => 0.1,
            _ if imported => 0.0,
            _ => 1.0,
        };
        let asks = match demand.kind {
            Kind::Invoices | Kind::Claims => true,
            Kind::Deliveries => happens(0.3, rng),
            Kind::Shop | Kind::Dock => false,
        };
        let days = &demand.days;
        Self {
            desk: Desk::new(demand, keyed, rng),
            keyed,
            import: Import::new(rng),
            consent: asks.then(|| Consent::new(days, rng)),
            outages: Outages::new(days, rng),
            waits: 0,
            goods: goods(days, rng),
            released: vec![0; (days.dates.len() + 1) * STEPS],
            closed: closing(demand, rng),
            held: 0,
            requests: Vec::new(),
        }
    }

    pub fn is_imported(&self) -> bool {
        self.keyed < 1.0
    }

    pub fn morning(&mut self, n: usize, demand: &Demand, rng: &mut Rng) {
        self.requests = demand.of_day(n, rng);
        self.desk.morning(n, rng);
        if let Some(consent) = &mut self.consent {
            consent.director = happens(0.6, rng).then(|| rng.usize(11 * HOUR..17 * HOUR));
        }
    }

    /// Five minutes; gives what stands submitted now, and how many that were keyed are wrong.
    pub fn step(&mut self, (n, step): (usize, usize), demand: &Demand, rng: &mut Rng) -> (usize, usize) {
        let (days, at) = (&demand.days, n * STEPS + step);
        let keyed = some(self.requests[step], self.keyed, rng);
        self.desk.queue += keyed;
        self.import.queue += self.requests[step] - keyed;
        if self.outages.erp[at] {
            // What was promised for now is done when it is back.
            self.released[at + 1] += std::mem::take(&mut self.released[at]);
            return (0, 0);
        }
        let (mut made, mut wrong) = (0, 0);
        if days.works[n] || demand.kind == Kind::Shop {
            (made, wrong) = self.desk.step((n, step), demand, rng);
        }
        if !self.outages.interface[at] {
            made += self.import.step(step);
        }
        if let Some(consent) = &mut self.consent {
            consent.list += made;
            made = if days.works[n] { consent.step((n, step), rng) } else { 0 };
        }
        if demand.kind == Kind::Deliveries {
            let waits = some(made, 0.12, rng);
            self.waits += waits;
            made -= waits;
            if self.goods[n] && step == 15 * HOUR {
                let comes = some(self.waits, 0.85, rng);
                self.waits -= comes;
                (0..comes).for_each(|_| self.released[at + rng.usize(0..2 * HOUR)] += 1);
            }
            made += std::mem::take(&mut self.released[at]);
        }
        self.held += made;
        let stands = if self.closed[at] { 0 } else { std::mem::take(&mut self.held) };
        (stands, wrong)
    }
}

/// Rule 21.
fn goods(days: &Workdays, rng: &mut Rng) -> Vec<bool> {
    let mut all = vec![false; days.dates.len()];
    for (n, date) in days.dates.iter().enumerate() {
        if days.works[n] && matches!(date.weekday().num_days_from_monday(), 1 | 4) {
            let late = happens(0.15, rng);
            all[if late { days.after(n, 1) } else { n }] = true;
        }
    }
    all
}

/// Rule 22.
fn closing(demand: &Demand, rng: &mut Rng) -> Vec<bool> {
    let days = &demand.days;
    let mut all = vec![false; days.dates.len() * STEPS];
    let (on, closes) = (rng.usize(1..=4), rng.bool());
    if !demand.kind.of_goods() {
        return all;
    }
    for (n, date) in days.dates.iter().enumerate() {
        if closes && days.works[n] && days.in_month(n).0 == on {
            let (from, to) = (n * STEPS + 14 * HOUR, (n + 1) * STEPS + 10 * HOUR);
            let to = to.min(all.len());
            all[from..to].fill(true);
        }
        if *date == day(6, 30) || *date == day(12, 31) {
            all[n * STEPS..(n + 1) * STEPS].fill(true);
        }
    }
    all
}
