//! The machines of one store that would send the same alerts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::host::alerts::tellers::{Tellers, Whose};
use crate::store::Store;
use crate::store::hosts::Teller;

/// The machines of a store.
struct OfStore {
    store: Arc<dyn Store>,
    /// What was told longer ago is told again.
    fresh: Duration,
}

/// Those of a store that several machines write to; none of any other.
pub fn tellers(store: &Arc<dyn Store>, fresh: Duration) -> Option<Arc<dyn Tellers>> {
    store.hosts()?;
    Some(Arc::new(OfStore { store: Arc::clone(store), fresh }))
}

#[async_trait]
impl Tellers for OfStore {
    async fn whose(&self, keys: &[String]) -> Vec<Whose> {
        let Some(hosts) = self.store.hosts() else { return vec![Whose::Ours; keys.len()] };
        match hosts.claim_alerts(keys, self.fresh).await {
            Ok(tellers) => tellers
                .into_iter()
                .map(|teller| match teller {
                    Teller::This => Whose::Ours,
                    Teller::Another => Whose::Others,
                    Teller::Told => Whose::Nobodys,
                })
                .collect(),
            Err(error) => {
                tracing::warn!(%error, "whose it is to send alerts is not known now; they wait");
                vec![Whose::Others; keys.len()]
            }
        }
    }

    async fn told(&self, keys: &[String]) {
        let Some(hosts) = self.store.hosts() else { return };
        if let Err(error) = hosts.sent_alerts(keys).await {
            tracing::warn!(%error, "another machine may send the same alerts once more");
        }
    }
}
