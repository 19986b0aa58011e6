//! An engine that only looks: another machine writes to the store, and what it adds is followed and published.
//!
//! Invariant: nothing is ever appended here, and no call leaves; whoever orders something is told who writes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::feed;
use crate::ledger::{Ledger, Present, Request};
use skydeck_core::domain::ids::Seq;
use skydeck_store::{Store, StoreError};

/// Until a store that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Follows a store: [`Follower::run`] it on a task.
pub(crate) struct Follower {
    store: Arc<dyn Store>,
    present: Arc<Present>,
    /// Closed when nobody needs the present state any more.
    queue: mpsc::Receiver<Request>,
    /// How far the store is.
    far: watch::Receiver<Seq>,
}

impl Follower {
    /// Reads the present state, and what follows it. `why`: what whoever orders something is told.
    pub async fn open(
        store: &Arc<dyn Store>,
        far: watch::Receiver<Seq>,
        why: StoreError,
    ) -> Result<(Ledger, Self), StoreError> {
        let (ledger, present, queue) = Ledger::to_look(store, why).await?;
        Ok((ledger, Self { store: Arc::clone(store), present, queue, far }))
    }

    /// Follows until every [`Ledger`] handle is gone.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                // Nothing is ever put in: what is asked for is refused before.
                request = self.queue.recv() => if request.is_none() {
                    return;
                },
                moved = self.far.changed() => {
                    if moved.is_err() {
                        // Whoever says how far the store is has ended: it is asked now and then.
                        tokio::time::sleep(AGAIN).await;
                    }
                    feed::catch_up(self.store.as_ref(), self.present.as_ref(), None).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Notice;
    use skydeck_core::domain::event::{ActionEntry, Event};
    use skydeck_core::domain::time::{Clock, Ts};
    use skydeck_core::domain::who::Who;
    use skydeck_store::memory::MemoryStore;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Ts {
            Ts(1)
        }

        fn mono(&self) -> Duration {
            Duration::ZERO
        }
    }

    fn event(verb: &str) -> Event {
        let by = Who { uid: 1, login: "op".into(), from: None, name: None, origin: None, person: None, host: None };
        Event::ActionTaken(Box::new(ActionEntry {
            by,
            verb: verb.into(),
            order: None,
            run: None,
            plan: None,
            bills: 0,
            reason: None,
            result: "accepted".into(),
            line: None,
            why: None,
        }))
    }

    #[tokio::test]
    async fn what_another_machine_adds_is_shown_and_nothing_is_added_here() {
        let writes = Arc::new(MemoryStore::new(Arc::new(Still)));
        writes.append(vec![event("before")].into()).await.unwrap();
        let store: Arc<dyn Store> = writes.clone();
        let (told, far) = watch::channel(Seq(1));
        let why = StoreError::Taken { host: "bastion1".into(), until: "soon".into() };
        let (ledger, follower) = Follower::open(&store, far, why).await.unwrap();
        let follows = tokio::spawn(follower.run());
        let mut watch = ledger.watch(None);
        assert_eq!(watch.live.seq, Seq(1));
        let refused = ledger.append(vec![event("here")]).await.unwrap_err();
        assert!(refused.to_string().contains("bastion1"), "{refused}");
        for n in 2..=4 {
            writes.append(vec![event("there")].into()).await.unwrap();
            told.send_replace(Seq(n));
            let Some(Notice::Facts(facts)) = watch.notices.recv().await else { panic!("no facts") };
            assert_eq!(facts.iter().map(|fact| fact.seq).collect::<Vec<_>>(), [Seq(n)]);
        }
        assert_eq!(ledger.live(|live| live.seq), Seq(4));
        drop(ledger);
        follows.await.unwrap();
    }
}
