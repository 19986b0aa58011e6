//! The run engine over a world in memory: start, approve, work, settle, close; and every order's guards.

mod calls;
mod collect;
mod ordered;
mod readers;

use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, Refusal, StartParams};
use skydeck::domain::ids::PlanId;

fn started(bench: &Bench, n: u64) -> Command {
    let _ = (bench, n);
    Command::Start { plan: PlanId::new("p"), params: StartParams::default() }
}

fn refusal(receipt: Receipt) -> Refusal {
    match receipt {
        Receipt::Refused(why) => why,
        Receipt::Accepted { .. } => panic!("it was accepted"),
    }
}
