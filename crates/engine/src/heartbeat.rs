//! The pulse: pace, breaker and session of the environments, for whoever watches.
//!
//! Invariant: at most four a second while something runs; none while idle or unwatched.

use std::sync::Arc;
use std::time::Duration;

use crate::api::Notice;
use skydeck_core::domain::forecast::Due;
use skydeck_core::domain::ids::{EnvId, PlanId, RunId};
use skydeck_core::domain::live::Pulse;
use skydeck_core::domain::run::RunState;

use super::control::Shared;
use super::tasks::Tasks;

/// Shortest time between two pulses.
const BEAT: Duration = Duration::from_millis(250);
/// Calls that may go at once, whatever the pace.
const AT_ONCE: u64 = 5;
/// Milliseconds of a minute.
const MINUTE: f64 = 60_000.0;
/// Beats after which an unchanged pulse is sent all the same, so that times on the screen move.
const UNCHANGED: u32 = 4;

/// When the calls of the runs at work are done, as far as that is known: never sooner than their pace allows.
fn due(shared: &Shared) -> Vec<Due> {
    let now = shared.clock.now();
    let working = shared.ledger.live(|live| {
        let working = live.runs.values().filter(|run| run.row.state == RunState::Working);
        working
            .map(|run| (run.row.head.id, run.row.head.env.clone(), run.row.head.plan.clone(), run.row.to_call()))
            .collect::<Vec<_>>()
    });
    let plans = shared.plans();
    let each = |(run, env, plan, bills): (RunId, EnvId, PlanId, u64)| {
        let pace =
            shared.envs.iter().find(|dispatch| dispatch.env.id == env).map(|dispatch| dispatch.pulse().per_minute)?;
        let known = plans.iter().filter_map(|(entry, _)| entry.as_ref().ok()).find(|entry| entry.id == plan);
        let calls = bills.div_ceil(u64::from(known.map_or(1, |plan| plan.policy.batch).max(1)));
        let calls = calls.saturating_sub(AT_ONCE);
        let least = calls as f64 * MINUTE / f64::from(pace.max(1));
        shared.watched.with(|following| following.folder.due(run, least, now)).flatten()
    };
    working.into_iter().filter_map(each).collect()
}

/// Beats for as long as the engine lives.
pub async fn beat(shared: Arc<Shared>, tasks: Arc<Tasks>) {
    loop {
        tasks.stirred.notified().await;
        let (mut last, mut same) = (None, 0);
        loop {
            let runs = shared.ledger.live(|live| {
                let active = |s: &RunState| matches!(s, RunState::Collecting | RunState::Working | RunState::Settling);
                live.runs.values().any(|r| active(&r.row.state))
            });
            let envs: Vec<_> = shared.envs.iter().map(|d| d.pulse()).collect();
            same += 1;
            if last.as_ref() != Some(&envs) || same >= UNCHANGED {
                shared.ledger.tell(&Notice::Pulse(Pulse {
                    envs: envs.clone(),
                    due: due(&shared),
                    at: shared.clock.now(),
                }));
                (last, same) = (Some(envs), 0);
            }
            if !runs || !shared.ledger.is_watched() {
                break;
            }
            tokio::time::sleep(BEAT).await;
        }
    }
}
