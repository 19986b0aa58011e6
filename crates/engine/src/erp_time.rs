//! What follows when the ERP's clock turns out to have gone back while a run collected.
//!
//! Invariant: a query that began too late for that clock is followed by one that begins at the beginning.

use std::time::Duration;

use skydeck_core::domain::erp_clock::ErpClock;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::run::Mark;

use super::control::Stop;
use super::runner::Runner;

/// Two readings of one clock differ by less than this as long as nobody sets it.
const AGREE: Duration = Duration::from_secs(60);

impl Runner {
    /// Compares the ERP's clock with the mark's: the first answer of a process is the first to tell it, after the query was
    /// made. Where it went back, bills may have been changed under dates that this query did not ask for, and the next run
    /// reads everything.
    pub(super) async fn compare_clocks(&self, is: Option<ErpClock>, sweep: bool) -> Result<(), Stop> {
        let Some(is) = is.filter(|_| !sweep) else { return Ok(()) };
        let (plan, env) = (self.run.head.plan.clone(), self.run.head.env.clone());
        let mark = {
            let (plan, env) = (plan.clone(), env.clone());
            self.run.shared.store.mark(&plan, &env).await?
        };
        let Some(mark) = mark.filter(|m| m.clock.as_ref().is_some_and(|was| is.back_since(was) > AGREE)) else {
            return Ok(());
        };
        tracing::warn!(run = %self.run.head.id, %plan, %env, ahead = is.ahead, "the ERP's clock went back: the next run reads everything");
        let to = Mark { run: self.run.head.id, swept: None, clock: Some(is), ..mark };
        self.run.append(vec![Event::MarkMoved { plan, env, to }]).await
    }
}
