//! What every order leaves: each line of the action log whole, and the journal's entry beside it.

mod environments;
mod log;
mod runs;

use std::sync::Arc;
use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::event::{ActionEntry, Event};
use skydeck::domain::ids::{EnvId, RunId};
use skydeck::domain::run::RunRow;
use skydeck::domain::who::{Origin, Who};
use skydeck::engine::ports::Erp;
use skydeck::store::actions::{Deed, Line};

/// Number of an order, in the bench's own count.
fn nth(order: &str) -> u128 {
    ulid::Ulid::from_string(order).unwrap().random()
}

fn told_by(by: &Who) -> String {
    let Who { uid, login, from, name, origin, person, host } = by;
    assert_eq!((from, name, person, host), (&None, &None, &None, &None));
    let origin = match origin {
        None => "",
        Some(Origin::Person) => " person",
        Some(Origin::Schedule) => " clock",
        Some(Origin::Engine) => " engine",
    };
    format!("{login}/{uid}{origin}")
}

fn field(name: &str, value: Option<&impl std::fmt::Display>) -> String {
    value.map(|value| format!(" {name}={value}")).unwrap_or_default()
}

/// All that a line says.
fn of_line(deed: &Deed) -> String {
    let Deed { phase, order, by, action, env, plan, plan_rev, run, set_hash, n, ids, reason, code, args, result } =
        deed;
    let phase = serde_json::to_value(phase).unwrap();
    [
        format!("{} {action}", phase.as_str().unwrap()),
        field("order", order.as_deref().map(nth).as_ref()),
        format!(" by={}", told_by(by)),
        field("env", env.as_ref()),
        field("plan", plan.as_ref()),
        field("rev", plan_rev.as_ref()),
        field("run", run.as_ref()),
        field("set", set_hash.as_ref()),
        format!(" n={n}"),
        if ids.is_empty() { String::new() } else { format!(" ids={}", ids.join("+")) },
        field("reason", reason.as_ref()),
        field("code", code.as_ref()),
        field("args", args.as_ref()),
        if result.is_empty() { String::new() } else { format!(": {result}") },
    ]
    .concat()
}

/// All that an entry of the journal says.
fn of_entry(entry: &ActionEntry) -> String {
    let ActionEntry { by, verb, order, run, plan, bills, reason, result, line, why: _ } = entry;
    [
        format!("{} {verb}", line.as_ref().map_or(0, |line| line.seq)),
        field("order", order.map(|order| order.0.random()).as_ref()),
        format!(" by={}", told_by(by)),
        field("plan", plan.as_ref()),
        field("run", run.as_ref()),
        format!(" n={bills}"),
        field("reason", reason.as_ref()),
        format!(": {result}"),
    ]
    .concat()
}

/// The trail of a bench, with short names for runs and their sets.
struct Trail<'a>(&'a Bench, Vec<RunId>);

impl Trail<'_> {
    fn named(&self, mut text: String) -> String {
        for (at, run) in self.1.iter().enumerate() {
            text = text.replace(&run.to_string(), &format!("R{}", at + 1));
            if let Some(collected) = self.0.run(*run).collected {
                text = text.replace(&collected.hash.to_string(), &format!("S{}", at + 1));
                text = text.replace(collected.hash.short(), &format!("s{}", at + 1));
            }
        }
        text
    }

    fn lines(&self) -> Vec<String> {
        let lines = self.0.actions.lines();
        let read = lines.iter().map(|line| serde_json::from_str::<Line>(line).unwrap());
        read.map(|line| self.named(of_line(&line.deed))).collect()
    }

    fn entries(&self) -> Vec<String> {
        let taken = self.0.facts().into_iter().filter_map(|fact| match fact.event {
            Event::ActionTaken(entry) => Some(of_entry(&entry)),
            _ => None,
        });
        taken.map(|entry| self.named(entry)).collect()
    }
}

fn env() -> EnvId {
    EnvId::new("test")
}

/// An environment that is not the first one, in production, with two persons for what is grave.
async fn bench() -> Bench {
    let mut bench = Bench::new();
    let other = World::of(&bench.clock, "first");
    bench.before.push((other_environment("first"), other as Arc<dyn Erp>));
    bench.plans.0.lock().unwrap()[0].env = Some(env());
    bench.env.production = true;
    bench.env.second_person = true;
    bench.try_start().await.unwrap();
    bench
}

/// The run is closed, and the line of its end is written.
async fn closed(bench: &Bench, run: RunId) -> RunRow {
    let row = bench.closed(run).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    row
}
