//! What happens on each day: which plans the clock starts, what people start, retry and resolve, and what is wrong meanwhile.
//!
//! Invariant: days are told in their order, each from what the days before left.

use chrono::{DateTime, NaiveDate, Utc};
use fastrand::Rng;

use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::CommandId;
use skydeck_core::domain::range::Range;
use skydeck_core::domain::run::RunKind;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;

use super::bill::DAY;
use super::calendar::{self, HOUR};
use super::desk::{Desk, Start};
use super::entered::Entered;
use super::incidents::{Incident, What};
use super::pen::Step;
use super::run::{About, Begun, House, Said, ordered, ulid_at};
use super::weather::Weather;

const REASONS: [&str; 4] =
    ["已在 ERP 中人工审核", "单据作废，客户取消", "已由业务重新开单", "与财务确认，本期不再处理"];

/// What begins at a moment of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Begins {
    Clock,
    Hand,
    Range,
    Person,
}

/// The office.
pub struct Week {
    house: House,
    desks: Vec<Desk>,
    incidents: Vec<Incident>,
    people: Vec<Who>,
    rng: Rng,
}

impl Week {
    pub fn new(house: House, desks: Vec<Desk>, incidents: Vec<Incident>, people: Vec<Who>, rng: Rng) -> Self {
        Self { house, desks, incidents, people, rng }
    }

    /// Bills that were entered, and those that are unresolved.
    pub fn count(&self) -> (u64, u64) {
        let open = self.desks.iter().flat_map(|desk| &desk.left.open).filter(|open| open.since.0 > 0).count() as u64;
        (self.desks.iter().map(Desk::entered).sum(), open)
    }

    /// The bills as they stand at the end.
    pub fn entered(&self, now: Ts) -> Vec<Entered> {
        self.desks.iter().flat_map(|desk| desk.kept(now)).collect()
    }

    fn person(&mut self) -> Who {
        let n = self.rng.usize(0..self.people.len().max(1));
        self.people.get(n).cloned().unwrap_or_else(|| Who::engine(self.house.owner))
    }

    /// All that begins on a day before `end`.
    pub fn day(&mut self, day: NaiveDate, end: Ts) -> Vec<Step> {
        let mut steps = Vec::new();
        for n in 0..self.desks.len() {
            let begins = self.begins(n, day);
            for (at, what) in begins.into_iter().filter(|(at, _)| *at < end) {
                if self.is_down(at) {
                    continue;
                }
                let (free, silent) =
                    self.desks.get(n).map(|desk| (desk.free, desk.character.silent)).unwrap_or_default();
                // The engine would refuse it: a run of the plan is open.
                if free > at || silent.is_some_and(|from| at >= from && what == Begins::Clock) {
                    continue;
                }
                steps.extend(self.begin(n, at, what));
            }
        }
        steps
    }

    fn is_down(&self, at: Ts) -> bool {
        self.incidents.iter().any(|incident| incident.what == What::Down && incident.is_at(at))
    }

    /// What begins at a plan's desk on a day, in its order.
    fn begins(&mut self, n: usize, day: NaiveDate) -> Vec<(Ts, Begins)> {
        let mut all = Vec::new();
        let workday = calendar::is_workday(day);
        let Some(desk) = self.desks.get(n) else { return all };
        match &desk.plan.policy.schedule {
            // A day on which the plan was forgotten, or its cron commented out.
            Some(_) if self.rng.u16(0..250) == 0 => {}
            Some(schedule) => {
                let midnight = calendar::at(day, 0, 0);
                let mut after = utc(Ts(midnight.0 - 1));
                while let Ok(Some(next)) = skydeck_plan::schedule::next(schedule, after) {
                    let at = Ts(next.timestamp_millis());
                    if at.0 >= midnight.0 + DAY {
                        break;
                    }
                    all.push((Ts(at.0 + self.rng.i64(20..900)), Begins::Clock));
                    after = next;
                }
            }
            None if workday => {
                let minutes = |rng: &mut Rng| rng.i64(0..50 * 60_000);
                all.push((calendar::at(day, 9, minutes(&mut self.rng)), Begins::Hand));
                all.push((calendar::at(day, 16, minutes(&mut self.rng)), Begins::Hand));
            }
            None => {}
        }
        if workday {
            if self.rng.u8(0..100) < 22 {
                all.push((calendar::at(day, self.rng.u32(10..12), self.rng.i64(0..HOUR)), Begins::Person));
            }
            if self.rng.u8(0..100) < 12 {
                all.push((calendar::at(day, self.rng.u32(14..18), self.rng.i64(0..HOUR)), Begins::Person));
            }
            if self.rng.u8(0..100) < 2 {
                all.push((calendar::at(day, 17, self.rng.i64(0..HOUR)), Begins::Range));
            }
        }
        all.sort_unstable();
        all
    }

    fn begin(&mut self, n: usize, at: Ts, what: Begins) -> Vec<Step> {
        let (clock, person) = (Who::schedule(self.house.owner), self.person());
        let weather = self.weather(at, what, &person);
        let (by, range) = match what {
            Begins::Person => return self.person_works(n, at, &person, &weather),
            Begins::Clock => (&clock, None),
            Begins::Hand => (&person, None),
            Begins::Range => (&person, Some(at)),
        };
        let declines = (what != Begins::Clock && self.rng.u8(0..100) < 3).then_some(&person);
        let Some(desk) = self.desks.get_mut(n) else { return Vec::new() };
        let range = range.map(|at| yesterday(desk, at));
        // In production a person approves what the clock started.
        let approver = if what == Begins::Clock && !self.house.production { &clock } else { &person };
        let headless = what == Begins::Range;
        desk.fresh(&self.house, &Start { at, by, approver, declines, headless, range }, &weather)
    }

    fn weather(&mut self, at: Ts, what: Begins, person: &Who) -> Weather {
        let mut weather = Weather::default();
        for incident in self.incidents.iter().filter(|incident| incident.is_at(at)) {
            match incident.what {
                What::Refuses(trouble) => weather.refuses = Some(trouble),
                What::Away => weather.is_away = true,
                What::Down => {}
            }
        }
        // A process that is down tomorrow died in the middle of its last run.
        let down = self.incidents.iter().find(|i| i.what == What::Down && at < i.from && i.from.0 - at.0 < 3 * HOUR);
        weather.dies = down.map(|incident| (Ts(incident.to.0 + 8 * HOUR), person.clone()));
        if what == Begins::Hand && weather.dies.is_none() {
            match self.rng.u8(0..100) {
                0..2 => weather.pauses = Some(person.clone()),
                2..4 => weather.cancels = Some(person.clone()),
                _ => {}
            }
        }
        weather
    }

    /// Somebody looks at what is open of a plan: retries a cause, has unknown ones read back, resolves the oldest.
    fn person_works(&mut self, n: usize, at: Ts, person: &Who, weather: &Weather) -> Vec<Step> {
        let (house, rng) = (&self.house, &mut self.rng);
        let Some(desk) = self.desks.get_mut(n) else { return Vec::new() };
        if weather.is_away {
            return Vec::new();
        }
        let (retry, unknown) = desk.left.to_retry();
        let mut steps = Vec::new();
        if retry.len() >= 2 {
            steps.extend(desk.again(house, Begun { kind: RunKind::Retry, by: person, at }, &retry, weather));
        }
        if !unknown.is_empty() {
            steps.extend(desk.again(house, Begun { kind: RunKind::Verify, by: person, at }, &unknown, weather));
        }
        let old = desk.left.to_resolve(at);
        if !old.is_empty() {
            let reason = rng.choice(&REASONS).copied().unwrap_or_default();
            let at = Ts(at.max(desk.free).0 + rng.i64(30_000..600_000));
            steps.extend(resolve(house, desk, person, at, &old, reason, rng));
            desk.free = at;
        }
        steps
    }
}

/// Facts that one order stores at once.
const GROUP: usize = 100;

fn resolve(house: &House, desk: &mut Desk, by: &Who, at: Ts, fids: &[u64], reason: &str, rng: &mut Rng) -> Vec<Step> {
    let events: Vec<Event> = fids
        .iter()
        .map(|fid| Event::LedgerResolved { key: desk.key(house, *fid), by: by.clone(), reason: reason.to_owned() })
        .collect();
    desk.left.resolved(fids);
    let ids = fids.iter().map(u64::to_string).collect();
    let mut groups = events.chunks(GROUP).map(<[Event]>::to_vec);
    let about = About { at, order: CommandId(ulid_at(at, rng)), env: &house.env, head: None, set: None };
    let said = Said { ids, reason: Some(reason), ..Said::new("resolve", by, fids.len() as u64) };
    let step = ordered(said, &about, groups.next().unwrap_or_default());
    let more = groups.map(|events| Step { at, events, ..Step::default() });
    std::iter::once(step).chain(more).collect()
}

fn yesterday(desk: &Desk, at: Ts) -> Range {
    let day = |back: i64| calendar::local(Ts(at.0 - back * DAY)).date().to_string();
    let field = desk.plan.source.mark_column.clone();
    Range { field, since: Some(day(1)), until: Some(day(0)), numbers: 0, remedy: false }
}

fn utc(at: Ts) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap_or_default()
}
