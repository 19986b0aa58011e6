//! Who may order what, two persons for what is grave, unlocks that end, and the lines every order leaves.

mod roles;
mod second_person;

use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, StartParams};
use skydeck::domain::ids::{EnvId, PlanId, RunId, SessionId};
use skydeck::domain::query::{Answer, Query};
use skydeck::store::actions::Line;

fn session(n: u128) -> SessionId {
    SessionId(ulid::Ulid::from_parts(9, n))
}

fn start() -> Command {
    Command::Start { plan: PlanId::new("p"), params: StartParams::default() }
}

fn unlock() -> Command {
    Command::Unlock { env: EnvId::new("test"), reason: "month end".into() }
}

async fn unlocked(bench: &Bench) -> bool {
    let Answer::Environments(rows) = bench.engine.as_ref().unwrap().ask(Query::Environments).await.unwrap() else {
        panic!("no rows")
    };
    rows[0].unlocked_until.is_some()
}

fn lines(bench: &Bench) -> Vec<Line> {
    bench.actions.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn production(submitted: u64) -> Bench {
    let mut bench = Bench::new();
    bench.env.production = true;
    bench.env.second_person = true;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=submitted);
    bench
}

/// A collected run of user 2.
async fn collected(bench: &mut Bench) -> RunId {
    let Receipt::Accepted { run: Some(run), .. } = bench.order_of(2, None, start()).await else { panic!("not taken") };
    bench.awaiting(run).await;
    run
}
