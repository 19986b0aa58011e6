//! Faults of what is watched beside volume: refusals, the time of a call, the growth of the ledger; and a simple rule for each.
//!
//! What is done wrong, what the rules are and what counts as better was written down in `docs/design/forecast-gate.md` before the
//! gate was run.

use std::collections::VecDeque;

use chrono::Datelike;
use fastrand::Rng;

use skydeck_core::domain::forecast::Forecaster;
use skydeck_core::domain::ids::PlanId;
use skydeck_forecast::{Folder, State};

use crate::feed::Feed;
use crate::office::{DAY, Run, begins, date, day_of, is_workday, poisson, ts};
use crate::{DAYS, MONTHS, PLANS, World, Year, folder, ledger};

/// Runs that a rule wants before it says anything, as many as the forecasters beside it.
const RIPE: usize = 30;
/// Fewer refused bills in a run, or fewer more than a week ago, are nothing to anybody.
const FEW: u64 = 4;
/// Days that the rules look back over.
const BACK: i64 = 30;

/// What can go wrong, with a forecaster and a rule that should tell it.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Refused,
    Slow,
    Growing,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Refused, Self::Slow, Self::Growing];

    fn by(self) -> Forecaster {
        match self {
            Self::Refused => Forecaster::FailureRate,
            Self::Slow => Forecaster::CallTime,
            Self::Growing => Forecaster::Ledger,
        }
    }

    /// The bars a rule is tried with; the first one is the rule as it is written down.
    fn bars(self) -> &'static [f64] {
        match self {
            Self::Refused => &[3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0],
            Self::Slow => &[2.0, 1.4, 1.6, 1.8, 2.5, 3.0],
            Self::Growing => &[1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 40.0],
        }
    }

    fn rule(self, bar: f64) -> String {
        match self {
            Self::Refused => format!("last run above mean + {bar} sd of 30 days, and {FEW} refused"),
            Self::Slow => format!("last run above {bar} × the mean of 30 days"),
            Self::Growing => format!("unresolved above {bar} × a week ago, and {FEW} more"),
        }
    }

    /// The large fault, and the small one.
    fn faults(self) -> [&'static str; 2] {
        match self {
            Self::Refused => ["refusals × 3 for 5 days", "refusals × 2 for 5 days"],
            Self::Slow => ["calls × 3 for 2 days", "calls × 1.5 for 2 days"],
            Self::Growing => ["a usual day's bills more, 10 working days", "half as many more"],
        }
    }
}

/// After how many runs (or days of a ledger) and hours something was told.
type After = (u32, f64);

/// How one that tells did.
#[derive(Default, Clone)]
struct Teller {
    cried: u32,
    this_year: u32,
    worst: u32,
    of: [u32; 2],
    caught: [Vec<After>; 2],
}

impl Teller {
    fn cries(&mut self) {
        self.cried += 1;
        self.this_year += 1;
        self.worst = self.worst.max(self.this_year);
    }

    fn add(&mut self, size: usize, after: Option<After>) {
        self.of[size] += 1;
        self.caught[size].extend(after);
    }

    fn share(&self, size: usize) -> f64 {
        self.caught[size].len() as f64 / f64::from(self.of[size].max(1))
    }

    fn median(&self, size: usize) -> Option<After> {
        let mut all = self.caught[size].clone();
        all.sort_by(|a, b| a.1.total_cmp(&b.1));
        all.get(all.len() / 2).copied()
    }

    fn words(&self, size: usize, unit: &str) -> String {
        let median = self.median(size).map_or("-".to_owned(), |(n, hours)| format!("{unit} {n}, {hours:.0} h"));
        format!("{:.3} of {}, median {median}", self.share(size), self.of[size])
    }
}

/// All that is counted of one kind.
#[derive(Clone)]
struct Counted {
    kind: Kind,
    ours: Teller,
    rules: Vec<Teller>,
}

/// All that is counted.
pub struct Sums {
    kinds: Vec<Counted>,
    plans: u32,
}

impl Default for Sums {
    fn default() -> Self {
        let counted =
            |kind: Kind| Counted { kind, ours: Teller::default(), rules: vec![Teller::default(); kind.bars().len()] };
        Self { kinds: Kind::ALL.map(counted).into(), plans: 0 }
    }
}

/// What a rule remembers: numbers of the last 30 days, and which of its bars they are above now.
#[derive(Clone)]
struct Rule {
    kind: Kind,
    seen: VecDeque<(i64, f64)>,
    above: Vec<bool>,
}

impl Rule {
    fn new(kind: Kind) -> Self {
        Self { kind, seen: VecDeque::new(), above: vec![false; kind.bars().len()] }
    }

    /// What a run or the end of a day shows; gives the bars it is above.
    fn see(&mut self, at: i64, value: f64, few: bool) -> Vec<bool> {
        self.seen.retain(|(then, _)| at - then <= BACK * DAY);
        let score = match self.kind {
            Kind::Growing => self.grown(at, value),
            Kind::Refused | Kind::Slow if self.seen.len() < RIPE => None,
            Kind::Refused => {
                let (mean, sd) = self.mean();
                Some((value - mean) / sd.max(0.01))
            }
            Kind::Slow => Some(value / self.mean().0),
        };
        self.seen.push_back((at, value));
        self.above = self.kind.bars().iter().map(|bar| !few && score.is_some_and(|score| score > *bar)).collect();
        self.above.clone()
    }

    fn grown(&self, at: i64, value: f64) -> Option<f64> {
        let (_, then) = self.seen.iter().find(|(then, _)| at - then == 7 * DAY)?;
        Some(if value - then < FEW as f64 { 0.0 } else { value / then.max(1.0) })
    }

    fn mean(&self) -> (f64, f64) {
        let n = self.seen.len() as f64;
        let mean = self.seen.iter().map(|(_, value)| value).sum::<f64>() / n;
        let square = self.seen.iter().map(|(_, value)| (value - mean).powi(2)).sum::<f64>() / n;
        (mean, square.sqrt())
    }

    /// What begins: the bars it is above and was not.
    fn begins(&mut self, at: i64, (value, few): (f64, bool)) -> Vec<bool> {
        let was = self.above.clone();
        self.see(at, value, few).into_iter().zip(was).map(|(is, was)| is && !was).collect()
    }
}

/// What a rule looks at in a run, and whether that is too little to be anything.
fn value(kind: Kind, run: &Run) -> (f64, bool) {
    match kind {
        Kind::Refused => (run.failed as f64 / run.found.max(1) as f64, run.failed < FEW),
        Kind::Slow | Kind::Growing => (run.ms.exp(), false),
    }
}

/// Unresolved bills as they stand: until when each stays, and by which chance.
#[derive(Clone)]
struct Open {
    until: Vec<i64>,
    chance: Rng,
    /// Of a fault: they stay.
    more: u64,
}

/// A plan up to a morning: what was learned, what the rules remember, what lies open.
struct Morning<'a> {
    plan: &'a PlanId,
    feed: &'a Feed,
    state: &'a State,
    rules: &'a [Rule; 3],
    open: &'a Open,
    /// Runs of the days that come, and how many bills are refused on a usual working day.
    days: &'a [Vec<Run>],
    first: i64,
    usual: f64,
}

/// When the forecaster told a fault, and when each bar of the rule did.
struct Told(Option<After>, Vec<Option<After>>);

impl Told {
    fn new(kind: Kind) -> Self {
        Self(None, vec![None; kind.bars().len()])
    }

    fn note(&mut self, after: After, ours: bool, bars: &[bool]) {
        if ours {
            self.0.get_or_insert(after);
        }
        for (bar, above) in self.1.iter_mut().zip(bars) {
            if *above {
                bar.get_or_insert(after);
            }
        }
    }

    fn count(self, size: usize, into: &mut Counted) {
        into.ours.add(size, self.0);
        into.rules.iter_mut().zip(self.1).for_each(|(rule, after)| rule.add(size, after));
    }
}

impl Morning<'_> {
    /// Runs of so many days, each changed.
    fn runs(&self, kind: Kind, days: usize, change: &mut dyn FnMut(Run) -> Run) -> Told {
        let (mut fold, mut rule) = (folder(self.state.clone()), self.rules[kind as usize].clone());
        let mut told = Told::new(kind);
        let runs = self.days.iter().take(days).flatten().filter(|run| run.found > 0);
        let mut began = None;
        for (n, run) in (1..).zip(runs) {
            let run = change(*run);
            let alarms = self.feed.run(&mut fold, self.plan, &run);
            let ours = alarms.iter().any(|alarm| alarm.by == kind.by());
            let hours = (run.at - *began.get_or_insert(run.at)) as f64 / 3_600_000.0;
            let (value, few) = value(kind, &run);
            told.note((n, hours), ours, &rule.see(run.at, value, few));
        }
        told
    }

    /// The ledger over ten working days on each of which so many more come and stay.
    fn grows(&self, more: u64) -> Told {
        let kind = Kind::Growing;
        let (mut fold, mut rule) = (folder(self.state.clone()), self.rules[kind as usize].clone());
        let (mut open, mut told, mut working) = (self.open.clone(), Told::new(kind), 0);
        for (n, runs) in (0..).zip(self.days) {
            let day = day_of(begins(date(FIRST)) + (self.first + n) * DAY);
            let works = is_workday(day);
            working += u32::from(works);
            let (ours, bars) =
                ends(&mut fold, &mut rule, &mut open, self.plan, self.first + n, runs, u64::from(works) * more);
            told.note((n as u32 + 1, 24.0 * (n + 1) as f64), ours, &bars);
            if working == 10 {
                break;
            }
        }
        told
    }

    fn wrong(&self, kind: Kind, rng: &mut Rng, into: &mut Counted) {
        for size in 0..2 {
            let mut chance = rng.fork();
            let told = match kind {
                Kind::Refused => {
                    let times = [3.0, 2.0][size];
                    self.runs(kind, 5, &mut |run| {
                        let bad = (times * run.bad).min(0.9);
                        Run { failed: poisson(run.found as f64 * bad, &mut chance).min(run.found), ..run }
                    })
                }
                Kind::Slow => self.runs(kind, 2, &mut |run| Run { ms: run.ms + [3.0_f64, 1.5][size].ln(), ..run }),
                Kind::Growing => self.grows((self.usual / [1.0, 2.0][size]).round().max([4.0, 2.0][size]) as u64),
            };
            told.count(size, into);
        }
    }
}

/// The day on which the made-up year begins.
const FIRST: &str = "2025-08-04";

/// A day of the ledger is over: whether the forecaster tells a growth, and the bars that the rule is above.
fn ends(
    fold: &mut Folder,
    rule: &mut Rule,
    open: &mut Open,
    plan: &PlanId,
    number: i64,
    runs: &[Run],
    more: u64,
) -> (bool, Vec<bool>) {
    let failed = runs.iter().map(|run| run.failed).sum();
    let mut moved = ledger(&mut open.until, failed, number, &mut open.chance);
    moved.entered += more;
    open.more += more;
    let over = begins(date(FIRST)) + (number + 1) * DAY;
    let alarms = fold.ledger_day(plan, ts(over), &[moved]);
    let stand = open.until.len() as u64 + open.more;
    (!alarms.is_empty(), rule.see(over, stand as f64, false))
}

/// One company, with and without faults.
pub fn company(world: World, seed: u64, sums: &mut Sums, feed: &Feed) {
    let mut rng = Rng::with_seed(seed ^ 0xfa17);
    for n in 0..PLANS {
        let year = Year::new(world, seed, n, &mut rng);
        sums.plans += 1;
        for counted in &mut sums.kinds {
            counted.ours.this_year = 0;
            counted.rules.iter_mut().for_each(|rule| rule.this_year = 0);
        }
        plan(&year, &mut rng, sums, feed);
    }
}

fn plan(year: &Year, rng: &mut Rng, sums: &mut Sums, feed: &Feed) {
    let mut days = vec![Vec::new(); DAYS as usize];
    for run in &year.runs {
        days[((run.at - begins(date(FIRST))) / DAY) as usize].push(*run);
    }
    let working = days.iter().flatten().map(|run| day_of(run.at)).filter(|day| is_workday(*day));
    let working = working.collect::<std::collections::BTreeSet<_>>().len().max(1);
    // A third is tried again at once and goes through.
    let usual = year.runs.iter().map(|run| run.failed).sum::<u64>() as f64 / working as f64 * 2.0 / 3.0;
    let mut fold = folder(State::default());
    let mut rules = Kind::ALL.map(Rule::new);
    let mut open = Open { until: Vec::new(), chance: rng.fork(), more: 0 };
    let mut next_wrong = rng.i64(60..75);
    for (number, runs) in (0_i64..).zip(&days) {
        let day = day_of(begins(date(FIRST)) + number * DAY);
        let usable = is_workday(day) && day.weekday().num_days_from_monday() < 5 && !runs.is_empty();
        if number >= next_wrong && number < DAYS - 15 && usable {
            next_wrong = number + rng.i64(6..12);
            let stands = fold.say(&year.plan, None).map(|said| said.found).unwrap_or_default();
            let (state, rules, open) = (&fold.state, &rules, &open);
            let days = &days[number as usize..];
            let morning = Morning { plan: &year.plan, feed, state, rules, open, days, first: number, usual };
            for counted in &mut sums.kinds {
                if !stands.iter().any(|found| found.by == counted.kind.by()) {
                    morning.wrong(counted.kind, rng, counted);
                }
            }
        }
        clean(year, (&mut fold, &mut rules, &mut open), number, runs, sums, feed);
    }
}

/// A day on which nothing is wrong: whoever tells something, cries.
fn clean(
    year: &Year,
    (fold, rules, open): (&mut Folder, &mut [Rule; 3], &mut Open),
    number: i64,
    runs: &[Run],
    sums: &mut Sums,
    feed: &Feed,
) {
    let cries = |teller: &mut Teller, does: bool| (0..u32::from(does)).for_each(|_| teller.cries());
    for run in runs {
        let alarms = feed.run(fold, &year.plan, run);
        for kind in [Kind::Refused, Kind::Slow] {
            let counted = &mut sums.kinds[kind as usize];
            cries(&mut counted.ours, alarms.iter().any(|alarm| alarm.by == kind.by()));
            if run.found > 0 {
                let began = rules[kind as usize].begins(run.at, value(kind, run));
                counted.rules.iter_mut().zip(began).for_each(|(rule, began)| cries(rule, began));
            }
        }
    }
    let (counted, rule) = (&mut sums.kinds[Kind::Growing as usize], &mut rules[Kind::Growing as usize]);
    let was = rule.above.clone();
    let (ours, above) = ends(fold, rule, open, &year.plan, number, runs, 0);
    cries(&mut counted.ours, ours);
    let began = above.iter().zip(was).map(|(is, was)| *is && !was);
    counted.rules.iter_mut().zip(began).for_each(|(rule, began)| cries(rule, began));
}

/// How two compare at one size of a fault.
fn compare(ours: &Teller, rule: &Teller, size: usize) -> i32 {
    let by = ours.share(size) - rule.share(size);
    if by.abs() > 0.02 {
        return if by > 0.0 { 1 } else { -1 };
    }
    let hours = |teller: &Teller| teller.median(size).map_or(f64::INFINITY, |(_, hours)| hours);
    hours(rule).partial_cmp(&hours(ours)).map_or(0, |order| order as i32)
}

impl Counted {
    /// Of the bars with which the rule cries no more often than the forecaster, the one that does best; where there is none, the
    /// strictest.
    fn best(&self, size: usize) -> usize {
        let all = 0..self.rules.len();
        let fits: Vec<usize> = all.clone().filter(|n| self.rules[*n].cried <= self.ours.cried).collect();
        let better = |one: &usize, other: &usize| compare(&self.rules[*one], &self.rules[*other], size).cmp(&0);
        let strictest = all.min_by_key(|n| self.rules[*n].cried);
        fits.into_iter().rev().max_by(better).or(strictest).unwrap_or_default()
    }

    fn print(&self, plans: u32) {
        let (kind, months) = (self.kind, f64::from(plans) * MONTHS);
        let unit = if kind == Kind::Growing { "day" } else { "run" };
        let [large, small] = kind.faults();
        println!("\n| {} | false alarms a plan and 30 days (worst plan) | {large} | {small} |", kind.by().word());
        println!("|---|---|---|---|");
        let row = |name: &str, teller: &Teller| {
            let (all, worst) = (f64::from(teller.cried) / months, f64::from(teller.worst) / MONTHS);
            println!("| {name} | {all:.3} ({worst:.2}) | {} | {} |", teller.words(0, unit), teller.words(1, unit));
        };
        row("forecaster", &self.ours);
        kind.bars().iter().zip(&self.rules).for_each(|(bar, rule)| row(&kind.rule(*bar), rule));
        let against = [0, 1].map(|size| (self.best(size), compare(&self.ours, &self.rules[self.best(size)], size)));
        let word = |by: i32| ["worse", "as good", "better"][(by + 1) as usize];
        let said: Vec<String> =
            against.iter().map(|(n, by)| format!("{} than “{}”", word(*by), kind.rule(kind.bars()[*n]))).collect();
        let beats = against.iter().any(|(_, by)| *by > 0) && against.iter().all(|(_, by)| *by >= 0);
        println!(
            "\nlarge fault: {}; small fault: {}: {}",
            said[0],
            said[1],
            if beats { "beats its rule" } else { "does NOT beat its rule" }
        );
    }
}

impl Sums {
    pub fn print(&self) {
        println!("\n{} plan years, faults of rates and of the ledger", self.plans);
        self.kinds.iter().for_each(|counted| counted.print(self.plans));
    }
}
