//! A made-up past: dated facts over many days, as an engine would have written them, so that a demo, a bench or a test has a
//! history to look at.
//!
//! Weekdays, month ends and holidays, hours of the office, a slow trend, causes that keep a bill back until it is cured, days
//! on which something goes wrong, runs of the clock and of people, resolves. Invariant: equal wishes give equal facts; every
//! fact passes the store's own door, and journal and action log agree.

mod bill;
mod calendar;
mod desk;
mod entered;
mod incidents;
mod left_over;
mod pen;
pub mod plans;
mod run;
mod weather;
mod week;
mod work;

use std::path::Path;
use std::sync::Arc;

use chrono::Days;
use fastrand::Rng;

use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::EnvId;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::server::{Server, ServerBound};
use skydeck_core::domain::time::{Clock, Ts};
use skydeck_core::domain::transition::{Change, transition};
use skydeck_core::domain::who::Who;
use skydeck_store::StoreError;

use self::bill::{DAY, Names};
use self::desk::{Character, Desk};
pub use self::entered::Entered;
use self::pen::Pen;
use self::run::House;
use self::week::Week;

/// Days whose calls keep request and answer, where they went through.
const EVIDENCE_DAYS: i64 = 30;

/// Days since a plan that is quiet found something.
const QUIET_DAYS: i64 = 2;

/// Number and name of base data.
pub type Named = Vec<(String, String)>;

/// What past is wanted.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Equal seeds give equal facts.
    pub seed: u64,
    /// How many days back from `now`.
    pub days: u32,
    /// Where it ends.
    pub now: Ts,
    /// The plans; one without a schedule is started by people.
    pub plans: Vec<Plan>,
    /// About so many bills in all; `None`: as many as some offices have.
    pub bills: Option<u64>,
    /// So many of the plans that are due by the clock do not run any more.
    pub silent: usize,
    /// So many of the others that are due by the clock run as ever and find nothing any more: nobody enters their bills.
    pub quiet: usize,
    /// Whether nearly every bill of the newest night and day is refused, so that plans end by themselves and stay so.
    pub stuck: bool,
    /// Environment.
    pub env: EnvId,
    /// Whether it is marked production.
    pub production: bool,
    /// Its server.
    pub server: Server,
    /// User id of the process.
    pub owner: u32,
    /// Customers of the server.
    pub customers: Named,
    /// Suppliers of the server.
    pub suppliers: Named,
    /// People who enter bills there.
    pub users: Named,
    /// Whether the bills are wanted, too: they take memory.
    pub keeps: bool,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Facts.
    pub facts: u64,
    /// Runs.
    pub runs: u64,
    /// Bills that were entered.
    pub bills: u64,
    /// Bills that are unresolved at the end.
    pub unresolved: u64,
    /// The bills, where they were asked for.
    pub entered: Vec<Entered>,
}

/// Writes a past into a data directory in which there is nothing yet. `real`: the machine's clock, for waits only; `tick` is
/// told how many days are done.
pub async fn write(dir: &Path, wish: &Wish, real: Arc<dyn Clock>, tick: impl Fn(u32)) -> Result<Written, StoreError> {
    let last = calendar::local(wish.now).date();
    let first = last.checked_sub_days(Days::new(u64::from(wish.days))).unwrap_or(last);
    let begun = calendar::at(first, 0, 0);
    let mut rng = Rng::with_seed(wish.seed);
    let house = House {
        env: wish.env.clone(),
        production: wish.production,
        server: wish.server.clone(),
        owner: wish.owner,
        evidence_from: Ts(wish.now.0 - EVIDENCE_DAYS * DAY),
    };
    let mut pen = Pen::open(dir, real, "skydeck", (begun, wish.now)).await?;
    let mut incidents = incidents::draw(first, wish.days, &mut rng);
    if wish.stuck {
        incidents.insert(0, incidents::newest_night(wish.now));
    }
    let desks = desks(wish, begun, &mut rng);
    let mut week = Week::new(house, desks, incidents, people(), rng);
    let mut written = Written::default();
    let mut kept = vec![bound(wish, begun)];
    for n in 0..=wish.days {
        let day = first.checked_add_days(Days::new(u64::from(n))).unwrap_or(last);
        let until = Ts(calendar::at(day, 0, 0).0 + DAY).min(wish.now);
        kept.extend(week.day(day, wish.now));
        // What goes on beyond midnight waits for its day; nothing is told of what is yet to come.
        let (now, later): (Vec<_>, Vec<_>) = kept.into_iter().partition(|step| step.at < until);
        kept = later;
        let opens = |event: &&Event| matches!(transition(event), Change::Opened(_));
        written.runs += now.iter().flat_map(|step| &step.events).filter(opens).count() as u64;
        pen.write(now).await?;
        tick(n);
    }
    // Runs that began before the end are told to theirs.
    pen.write(kept).await?;
    written.facts = pen.facts;
    (written.bills, written.unresolved) = week.count();
    written.entered = week.entered(wish.now);
    pen.close().await?;
    Ok(written)
}

/// The engine binds the environment to its server before the first run.
fn bound(wish: &Wish, begun: Ts) -> pen::Step {
    let by = Who::engine(wish.owner);
    let bound = ServerBound { env: wish.env.clone(), server: wish.server.clone(), was: None, by, reason: None };
    pen::Step { at: begun, events: vec![Event::ServerBound(Box::new(bound))], ..pen::Step::default() }
}

/// Who works there.
fn people() -> Vec<Who> {
    [(1001, "zhang"), (1002, "li"), (1003, "wang")].map(|(uid, login)| Who::of_person(uid, login, None)).to_vec()
}

fn desks(wish: &Wish, begun: Ts, rng: &mut Rng) -> Vec<Desk> {
    let names = Names {
        customers: wish.customers.clone(),
        suppliers: wish.suppliers.clone(),
        users: wish.users.clone(),
        ..Names::default()
    };
    let mut characters: Vec<Character> = wish.plans.iter().map(|_| character(rng)).collect();
    if let Some(bills) = wish.bills {
        let days = (0..wish.days).filter_map(|n| incidents::day_of(begun).checked_add_days(Days::new(u64::from(n))));
        let work: f64 = days.map(calendar::of_day).sum::<f64>();
        let all: f64 = characters.iter().map(|c| c.volume * (1.0 + c.trend * f64::from(wish.days) / 730.0)).sum();
        let scale = bills as f64 / (work * all).max(1e-9);
        for character in &mut characters {
            character.volume *= scale;
        }
    }
    let scheduled = wish.plans.iter().zip(&mut characters).filter(|(plan, _)| plan.policy.schedule.is_some());
    let mut scheduled: Vec<&mut Character> = scheduled.map(|(_, character)| character).collect();
    let apart = (scheduled.len() / wish.silent.max(1)).max(1);
    for (n, character) in scheduled.iter_mut().step_by(apart).take(wish.silent).enumerate() {
        character.silent = Some(Ts(wish.now.0 - (n as i64 * 2 + 2) * DAY));
    }
    if let Some(character) = scheduled.iter_mut().rev().find(|character| character.silent.is_none()) {
        character.growing = Some(Ts(wish.now.0 - 18 * DAY));
    }
    // Whose silence is felt soonest: those that have the most bills.
    scheduled.retain(|character| character.silent.is_none() && character.growing.is_none());
    scheduled.sort_by(|a, b| b.volume.total_cmp(&a.volume));
    for character in scheduled.into_iter().take(wish.quiet) {
        character.quiet = Some(Ts(wish.now.0 - QUIET_DAYS * DAY));
    }
    let all = wish.plans.iter().zip(characters).enumerate();
    all.map(|(n, (plan, character))| Desk::new(plan.clone(), n as u64, &names, (character, wish.keeps), begun, rng))
        .collect()
}

fn character(rng: &mut Rng) -> Character {
    Character {
        volume: 4.0 + rng.f64() * rng.f64() * 60.0,
        trend: rng.f64() * 0.7 - 0.2,
        temper: 0.4 + rng.f64() * rng.f64() * 2.2,
        silent: None,
        growing: None,
        quiet: None,
    }
}
