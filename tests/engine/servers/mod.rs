//! Which server an environment's records are on: bound once, adopted by a person, never another account set; and what two
//! environments of one engine owe each other.

mod data_centre;
mod home;
mod of_before;
mod sign_ins;
mod two_environments;

use std::sync::Arc;
use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, Refusal, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::ids::{EnvId, PlanId, RunId};
use skydeck::domain::query::{Answer, EnvRow, Query};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::Revision;
use skydeck::domain::server::ServerBound;
use skydeck::engine::ports::Erp;

const HOME: &str = "http://erp.invalid/k3cloud";
const NEW_HOME: &str = "http://erp2.invalid/k3cloud";

fn start(plan: &str) -> Command {
    Command::Start { plan: PlanId::new(plan), params: StartParams::default() }
}

fn retry() -> Command {
    Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest }
}

fn verify() -> Command {
    Command::Verify { selection: Bench::all_matching() }
}

fn adopt(reason: &str) -> Command {
    Command::AdoptServer { env: EnvId::new("test"), reason: reason.into() }
}

/// The reason of a denied order.
fn denied(receipt: Receipt) -> Reason {
    match receipt {
        Receipt::Refused(Refusal::Denied(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// The process ends, and starts again with the environment on another server: another world, with other bills.
async fn moved(bench: &mut Bench, address: &str, account_set: &str) -> Arc<World> {
    bench.crash().await;
    let other = World::new(&bench.clock);
    bench.erp = Some(Arc::clone(&other) as Arc<dyn Erp>);
    bench.env.server = server(address, account_set);
    bench.try_start().await.unwrap();
    other
}

/// The process ends, and starts again with everything as it was.
async fn back(bench: &mut Bench) {
    bench.crash().await;
    (bench.env.server, bench.erp) = (server(HOME, "0"), None);
    bench.try_start().await.unwrap();
}

fn bound(bench: &Bench) -> Vec<ServerBound> {
    let bound = |event| if let Event::ServerBound(bound) = event { Some(*bound) } else { None };
    bench.facts().into_iter().filter_map(|fact| bound(fact.event)).collect()
}

async fn rows(bench: &Bench) -> Vec<EnvRow> {
    match bench.engine.as_ref().unwrap().ask(Query::Environments).await.unwrap() {
        Answer::Environments(rows) => rows,
        other => panic!("{other:?}"),
    }
}

fn calls(world: &World) -> u32 {
    world.with(|s| s.calls + s.pages)
}

/// A run with one bill whose answer was lost, and the process at its end before it was read back.
async fn died_with_one_unknown(bench: &mut Bench) -> RunId {
    bench.env.limits.concurrency = 1;
    bench.env.limits.per_minute = 60;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=20);
    bench.world.with(|s| {
        s.trouble_of.insert(fid(1), [Trouble::LostAfter].into());
    });
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    while bench.run(run).tally.unknown == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // In order, so that no other call is open.
    bench.engine.as_ref().unwrap().drain(Duration::from_secs(30)).await;
    run
}
