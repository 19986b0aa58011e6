//! Who is signed in: once for all that found the session lost, and never by itself after a refusal.

use std::time::Duration;

use super::Dispatch;
use crate::ports::Fault;
use skydeck_core::domain::reason::Reason;

/// Session losses within [`LOSS_WINDOW`], without a call done between them, after which signing in again is given up.
const LOSSES: usize = 3;
/// See [`LOSSES`].
const LOSS_WINDOW: Duration = Duration::from_secs(600);

/// What signing in again led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// Signed in (by us, or by somebody while we waited for the lock).
    Back,
    /// Lost too often, or signing in failed.
    Lost(Reason),
}

impl Dispatch {
    /// Which sign-in is in force; to be read before a call and given to [`Self::session_lost`] after it.
    pub fn signed_in(&self) -> u64 {
        self.lock().signed_in
    }

    /// Signs in once for all who found the session lost under the same sign-in.
    pub async fn session_lost(&self, under: u64) -> Result<Session, Fault> {
        let _one = self.signing.lock().await;
        let too_often = {
            let mut state = self.lock();
            if state.signed_in != under {
                return Ok(Session::Back);
            }
            let now = self.clock.mono();
            while state.losses.front().is_some_and(|at| now.saturating_sub(*at) > LOSS_WINDOW) {
                state.losses.pop_front();
            }
            state.losses.push_back(now);
            state.losses.len() >= LOSSES
        };
        // Refused here, or its user from another environment: signing in again is a person's order.
        if self.erp.refused() {
            return Ok(Session::Lost(Reason::SignInRefused { said: self.erp.session() }));
        }
        if too_often {
            return Ok(Session::Lost(Reason::SessionLost {
                times: LOSSES as u32,
                minutes: (LOSS_WINDOW.as_secs() / 60) as u32,
            }));
        }
        self.erp.sign_in().await?;
        self.lock().signed_in += 1;
        Ok(Session::Back)
    }

    /// A call was answered as done under the present sign-in: losses before it were cured.
    pub fn session_holds(&self) {
        self.lock().losses.clear();
    }

    /// Somebody orders work after the server had refused us (a password was mended, a licence freed): one sign-in, on
    /// purpose. Another refusal is said by the first call of the work.
    pub async fn knock(&self) {
        let _one = self.signing.lock().await;
        if self.erp.refused()
            && let Err(fault) = self.erp.sign_in().await
        {
            tracing::warn!(env = %self.env.id, %fault, "signing in again was refused");
        }
    }
}
