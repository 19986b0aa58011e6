//! One plan's past: the bills that come, the runs that take them up, what is left over and how it is cured.
//!
//! Invariant: what stays open here is what the ledger holds for the plan; a run begins only after the one before has ended.

use std::collections::HashMap;

use fastrand::Rng;

use skydeck_core::domain::bill::{Found, Outcome, Status, Unknown, UnknownWhy};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{Fid, RecordKey, SetHash, WorkKey};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::run::{Collected, Mark, Probe, RunEnd, RunHead, RunKind, Unchanged};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;

use super::bill::{Bill, Names};
use super::calendar::{self, HOUR};
use super::entered::Entered;
use super::left_over::{Left, LeftOver, Open, Taken};
use super::pen::Step;
use super::run::{self, Begun, House, Telling, by_status};
use super::weather::Weather;
use super::work::{self, Ended};

/// Part of a year.
const YEAR_MS: f64 = 365.0 * 86_400_000.0;

/// What makes a plan differ from others.
#[derive(Clone, Copy, Debug)]
pub struct Character {
    /// Bills of an ordinary Wednesday.
    pub volume: f64,
    /// Growth over a year, as a share.
    pub trend: f64,
    /// How much trouble it has beside others.
    pub temper: f64,
    /// From here on it does not run, though it is due.
    pub silent: Option<Ts>,
    /// From here on more and more is refused for stock.
    pub growing: Option<Ts>,
    /// From here on nobody enters a bill of it.
    pub quiet: Option<Ts>,
}

/// A plan's desk.
pub struct Desk {
    pub plan: Plan,
    /// The plan as it was before a day.
    pub older: Option<(Ts, Plan)>,
    pub character: Character,
    pub left: LeftOver,
    /// No run before this moment.
    pub free: Ts,
    names: Names,
    prefix: String,
    next_fid: u64,
    bills: u64,
    /// Bills up to here have been entered.
    entered: Ts,
    /// All bills, where they are wanted.
    all: Option<Vec<Bill>>,
    begun: Ts,
    swept: Option<Ts>,
    told: Vec<String>,
    rng: Rng,
}

impl Desk {
    /// A desk whose first bills come after `begun`. `keeps`: they are wanted at the end.
    pub fn new(
        plan: Plan,
        n: u64,
        names: &Names,
        (character, keeps): (Character, bool),
        begun: Ts,
        rng: &mut Rng,
    ) -> Self {
        let names = names.of_filter(&plan.source.filter);
        let prefix = match plan.source.form.as_str() {
            "SAL_OUTSTOCK" => "XSCKD",
            "SAL_SaleOrder" => "XSDD",
            "AR_receivable" => "AR",
            "STK_InStock" => "CGRK",
            "PUR_PriceCategory" => "CGJM",
            _ => "DJ",
        };
        let rng = rng.fork();
        Self {
            plan,
            older: None,
            character,
            left: LeftOver::default(),
            free: begun,
            names,
            // Above the numbers of the simulator's own bills.
            prefix: format!("{prefix}{}", n + 10),
            bills: 0,
            next_fid: 10_000_001 + n * 50_000_000,
            entered: begun,
            all: keeps.then(Vec::new),
            begun,
            swept: None,
            told: Vec::new(),
            rng,
        }
    }

    /// Bills that were entered.
    pub fn entered(&self) -> u64 {
        self.bills
    }

    /// The plan as it was at a moment.
    pub fn plan_at(&self, at: Ts) -> &Plan {
        match &self.older {
            Some((until, plan)) if at < *until => plan,
            Some(_) | None => &self.plan,
        }
    }

    /// Bills that were entered since the last look.
    fn enter(&mut self, until: Ts) -> Vec<Bill> {
        let mut new = Vec::new();
        while self.entered < until {
            let end = Ts(((self.entered.0 / HOUR + 1) * HOUR).min(until.0));
            let now = calendar::local(self.entered);
            let share = (end.0 - self.entered.0) as f64 / HOUR as f64;
            let grown = 1.0 + self.character.trend * (self.entered.0 - self.begun.0) as f64 / YEAR_MS;
            let hour = calendar::of_hour(now.date(), chrono::Timelike::hour(&now));
            let is_quiet = self.character.quiet.is_some_and(|from| self.entered >= from);
            let mean = if is_quiet { 0.0 } else { self.character.volume * hour * share * grown };
            for _ in 0..drawn(mean, &mut self.rng) {
                let at = Ts(self.rng.i64(self.entered.0..end.0));
                new.push(at);
            }
            self.entered = end;
        }
        new.sort_unstable();
        new.into_iter().map(|at| self.bill(at)).collect()
    }

    fn bill(&mut self, at: Ts) -> Bill {
        self.bills += 1;
        let no = format!("{}{:05}", self.prefix, self.bills);
        // Other documents draw from the same counter.
        self.next_fid += 1 + self.rng.u64(0..3);
        let grows = self.character.growing.is_some_and(|from| at > from);
        let temper = self.character.temper * if grows { 2.5 } else { 1.0 };
        let bill = Bill::new(self.next_fid, no, at, temper, &mut self.rng);
        if let Some(all) = &mut self.all {
            all.push(bill.clone());
        }
        bill
    }

    /// Its bills as they stand at the end: what the ledger does not hold any more is audited.
    pub fn kept(&self, now: Ts) -> Vec<Entered> {
        let open: HashMap<u64, &Bill> = self.left.open.iter().map(|open| (open.bill.fid, &open.bill)).collect();
        let form = self.plan.source.form.as_str();
        let partner = if matches!(form, "STK_InStock" | "PUR_PriceCategory") { "supplier" } else { "cust" };
        let entered = |bill: &Bill| {
            let left = open.get(&bill.fid);
            let rev = left.unwrap_or(&bill).rev(now);
            let status = if left.is_some() { rev.status.clone() } else { Status::Audited };
            let cell = |path: &str| bill.cell(path, &self.names, &rev);
            Entered {
                form: form.to_owned(),
                fid: bill.fid,
                no: bill.no.clone(),
                status,
                kind: self.names.kind.clone(),
                org: cell("forg.fnumber"),
                partner: cell(&format!("{partner}.fnumber")),
                created: bill.created,
                modified: left.unwrap_or(&bill).modified,
                date: calendar::at(bill.date, 0, 0),
            }
        };
        self.all.iter().flatten().map(entered).collect()
    }

    /// A run of the plan's own query.
    pub fn fresh(&mut self, house: &House, start: &Start<'_>, weather: &Weather) -> Vec<Step> {
        let at = Ts(start.at.0.max(self.free.0 + 2_000));
        let plan = self.plan_at(at).clone();
        let head = self.head(house, &plan, start, at);
        if weather.is_away {
            return self.unreachable(house, &head);
        }
        let new = self.enter(at);
        let (taken, unchanged, probes) = self.left.take_up(new, at, (&plan, &self.names), start.by.is_schedule());
        let sweep = head.range.is_none() && self.swept.is_none_or(|swept| at.0 - swept.0 > 24 * HOUR);
        let mut rng = self.rng.fork();
        let mut told = Telling::open(house, &mut rng, &head, 0, if sweep { "sweep" } else { "" });
        if taken.is_empty() && unchanged == 0 {
            told.wait(400, 1_500);
            self.free = told.now;
            return told.close(Vec::new(), RunEnd::Empty);
        }
        let found: Vec<Found> = taken.iter().map(|taken| taken.found.clone()).collect();
        told.find(&found);
        let callable = callable(&taken, &plan);
        let seen = found.iter().filter_map(|bill| bill.marked.clone()).max().filter(|_| told.head.range.is_none());
        let carried = taken.iter().filter(|taken| taken.since.is_some()).count() as u64;
        let collected = collected(&found, callable, seen.clone(), sweep, (carried, unchanged, probes));
        told.freeze(collected);
        let clock = Some(told.head.opened).filter(|_| sweep);
        self.swept = clock.or(self.swept);
        let mark = seen.map(|seen| Mark { seen, run: told.head.id, swept: self.swept, clock: None, upto: None });
        if taken.is_empty() {
            let moved = mark.filter(|_| sweep).map(|mark| told.mark(mark));
            self.free = told.now;
            return told.close(moved.into_iter().collect(), RunEnd::Empty);
        }
        if let Some(no) = start.declines {
            told.wait(20_000, 180_000);
            told.ordered("decline", no, Vec::new());
            self.left.put_back(taken);
            self.free = told.now;
            return told.close(Vec::new(), RunEnd::Declined);
        }
        let wait = if start.approver.is_schedule() { (200, 900) } else { (5_000, 90_000) };
        told.wait(wait.0, wait.1);
        told.approve(start.approver, callable, &found, mark);
        self.works(told, taken, &plan, weather)
    }

    fn head(&mut self, house: &House, plan: &Plan, start: &Start<'_>, at: Ts) -> RunHead {
        let since = calendar::erp(Ts(self.entered.0 - 600_000)).as_str().replace('T', " ");
        let filter = &plan.source.filter;
        let filter = ["{{LAST_SYNC_TIME|datetime}}", "{{LAST_SYNC_TIME|dateTime}}"]
            .iter()
            .fold(filter.clone(), |filter, template| filter.replace(template, &since));
        let (headless, range) = (start.headless, start.range.clone());
        let plain = run::head(house, plan, Begun { kind: RunKind::Fresh, by: start.by, at }, &mut self.rng);
        let mut head = RunHead { headless, range, filter, ..plain };
        self.introduce(&mut head, plan);
        head
    }

    /// The first run of a revision keeps the plan itself.
    fn introduce(&mut self, head: &mut RunHead, plan: &Plan) {
        if !self.told.iter().any(|rev| rev == plan.rev.as_str()) {
            self.told.push(plan.rev.to_string());
            head.text = Some(Box::new(plan.clone()));
        }
    }

    fn unreachable(&mut self, house: &House, head: &RunHead) -> Vec<Step> {
        let mut rng = self.rng.fork();
        let mut told = Telling::open(house, &mut rng, head, 0, "");
        told.wait(30_000, 90_000);
        self.free = told.now;
        let said = "error sending request: connection refused (os error 111)".to_owned();
        told.close(Vec::new(), RunEnd::CollectFailed(skydeck_core::domain::reason::Reason::Unreachable { said }))
    }

    fn works(&mut self, told: Telling<'_>, taken: Vec<Taken>, plan: &Plan, weather: &Weather) -> Vec<Step> {
        let Ended { steps, at, sweeps } = work::work(told, taken, plan, weather, (&mut self.left, &mut self.rng));
        self.free = at;
        if sweeps {
            self.swept = None;
        }
        steps
    }

    /// The key of a bill.
    pub fn key(&self, house: &House, fid: u64) -> WorkKey {
        let record = RecordKey { env: house.env.clone(), form: self.plan.source.form.clone(), fid: Fid::from(fid) };
        WorkKey { record, op: skydeck_core::domain::operation::Operation::id_of(&self.plan.target) }
    }

    /// Chosen bills of the ledger, tried again or read back by a person.
    pub fn again(&mut self, house: &House, begun: Begun<'_>, chosen: &[u64], weather: &Weather) -> Vec<Step> {
        let at = Ts(begun.at.0.max(self.free.0 + 2_000));
        let plan = self.plan_at(at).clone();
        let (of_them, rest): (Vec<Open>, Vec<Open>) =
            std::mem::take(&mut self.left.open).into_iter().partition(|open| chosen.contains(&open.bill.fid));
        self.left.open = rest;
        let unknown = of_them.iter().filter(|open| open.left == Left::Unknown).count() as u64;
        let mut head = run::head(house, &plan, Begun { at, ..begun }, &mut self.rng);
        self.introduce(&mut head, &plan);
        let mut taken: Vec<Taken> = of_them
            .into_iter()
            .map(|open| {
                let found = Found { marked: None, ..open.bill.found(&plan.source, &self.names, at) };
                Taken { was: open.left.trouble(), bill: open.bill, since: Some(open.since), found }
            })
            .collect();
        taken.sort_by_key(|taken| taken.bill.fid);
        let found: Vec<Found> = taken.iter().map(|taken| taken.found.clone()).collect();
        let n = found.len() as u64;
        let mut rng = self.rng.fork();
        let mut told = Telling::open(house, &mut rng, &head, n, "");
        told.find(&found);
        let callable = if begun.kind == RunKind::Verify { 0 } else { callable(&taken, &plan) };
        let collected = Collected { unknown, ..collected(&found, callable, None, false, (n, 0, Vec::new())) };
        told.freeze(collected);
        if begun.kind == RunKind::Verify {
            return self.verify(told, taken);
        }
        told.wait(4_000, 40_000);
        told.approve(begun.by, callable, &found, None);
        self.works(told, taken, &plan, weather)
    }

    /// What no answer came for is read back.
    fn verify(&mut self, mut told: Telling<'_>, taken: Vec<Taken>) -> Vec<Step> {
        let run = told.head.id;
        told.fact(Event::RunSettling { run });
        for one in taken {
            told.wait(200, 900);
            let settled = self.rng.u8(0..100) < 70;
            let mut rev = one.found.rev.clone();
            rev.status = if settled { Status::Audited } else { Status::Created };
            told.read(&one.found.fid, &rev, settled.then_some("李娜"));
            let outcome = if settled {
                Outcome::Done { verified: true }
            } else {
                let why = UnknownWhy::ChangedSince(Status::Created);
                Outcome::Unknown(Unknown { why, sent: one.bill.created, detail: String::new() })
            };
            told.settle(&one.found, skydeck_core::domain::bill::Slot::Waiting, outcome);
            if !settled {
                let since = one.since.unwrap_or(told.now);
                self.left.open.push(Open { bill: one.bill, left: Left::Unknown, since, tried: told.now });
            }
        }
        self.free = told.now;
        told.close(Vec::new(), RunEnd::Completed)
    }
}

/// How a fresh run begins.
pub struct Start<'a> {
    pub at: Ts,
    pub by: &'a Who,
    /// Who approves what it collects.
    pub approver: &'a Who,
    /// Who declines it instead.
    pub declines: Option<&'a Who>,
    pub headless: bool,
    pub range: Option<skydeck_core::domain::range::Range>,
}

fn callable(taken: &[Taken], plan: &Plan) -> u64 {
    let calls = |taken: &&Taken| plan.policy.submit || taken.found.rev.status == Status::Submitted;
    taken.iter().filter(calls).count() as u64
}

fn collected(
    found: &[Found],
    callable: u64,
    seen: Option<skydeck_core::domain::time::ErpDate>,
    sweep: bool,
    (carried, unchanged, probes): (u64, u64, Vec<Probe>),
) -> Collected {
    Collected {
        hash: SetHash::new(""),
        by_status: by_status(found),
        callable,
        pages: 1 + (found.len() / 500) as u32,
        seen,
        sweep,
        carried,
        absent: 0,
        absent_first: Vec::new(),
        unknown: 0,
        clock: None,
        unchanged: (unchanged > 0).then(|| Unchanged { bills: unchanged, hash: SetHash::new("5a".repeat(32)) }),
        probes,
        sights: Vec::new(),
        unmade: 0,
        doubles: Vec::new(),
        not_compared: Vec::new(),
        listed: None,
        upto: None,
        will: Vec::new(),
    }
}

/// A number of a Poisson distribution.
fn drawn(mean: f64, rng: &mut Rng) -> u64 {
    if mean > 40.0 {
        // Near enough to normal.
        let normal: f64 = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        return (mean + normal * mean.sqrt()).round().max(0.0) as u64;
    }
    let (limit, mut product, mut n) = ((-mean).exp(), 1.0, 0);
    loop {
        product *= rng.f64();
        if product <= limit {
            return n;
        }
        n += 1;
    }
}
