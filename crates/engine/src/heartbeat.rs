//! The pulse: pace, breaker and session of the environments, for whoever watches.
//!
//! Invariant: at most four a second while something runs; none while idle or unwatched.

use std::sync::Arc;
use std::time::Duration;

use crate::api::Notice;
use skydeck_core::domain::live::Pulse;
use skydeck_core::domain::run::RunState;

use super::control::Shared;
use super::tasks::Tasks;

/// Shortest time between two pulses.
const BEAT: Duration = Duration::from_millis(250);
/// Beats after which an unchanged pulse is sent all the same, so that times on the screen move.
const UNCHANGED: u32 = 4;

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
                shared.ledger.tell(&Notice::Pulse(Pulse { envs: envs.clone(), at: shared.clock.now() }));
                (last, same) = (Some(envs), 0);
            }
            if !runs || !shared.ledger.is_watched() {
                break;
            }
            tokio::time::sleep(BEAT).await;
        }
    }
}
