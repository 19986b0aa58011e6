//! What other machines stored is read in order, and shown.
//!
//! Invariant: facts are shown in their places, none left out: what is asked for is always what comes after the last one shown.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::Seq;
use skydeck_store::Store;

/// Facts that are read at once.
const PIECE: usize = 500;
/// Until a store that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// Times it is asked for what is known to be there.
const READS: u32 = 5;

/// Where facts are shown.
pub(crate) trait Shows {
    /// The last one that is.
    fn at(&self) -> Seq;
    /// Shows those that come next.
    fn show(&self, facts: &Arc<[Fact]>);
}

/// Shows what other machines stored: up to a place, which is there, or as far as the store is.
pub(crate) async fn catch_up(store: &dyn Store, present: &impl Shows, to: Option<Seq>) {
    let mut tries = 0;
    loop {
        let at = present.at();
        if to.is_some_and(|to| at >= to) {
            return;
        }
        match store.facts_after(at, PIECE).await {
            Ok(facts) if facts.is_empty() => return,
            Ok(facts) => present.show(&facts.into()),
            Err(error) => {
                tracing::warn!(%error, "the store does not answer; what is shown is of before");
                tries += 1;
                tokio::time::sleep(AGAIN).await;
                if to.is_none() || tries > READS {
                    return;
                }
            }
        }
    }
}

/// Waits until other machines may have stored something; for ever where there is none.
pub(crate) async fn moved(far: &mut Option<watch::Receiver<Seq>>) {
    match far {
        Some(far) => {
            if far.changed().await.is_err() {
                // Whoever says how far the store is has ended: it is asked now and then.
                tokio::time::sleep(AGAIN).await;
            }
        }
        None => std::future::pending().await,
    }
}
