//! A link whose engine is still being opened: whoever asks, waits; the console paints meanwhile.
//!
//! Invariant: nothing is answered before the engine is there, and an engine that never comes ends every wait.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use skydeck_core::domain::command::{Order, Receipt};
use skydeck_core::domain::query::{Answer, Query};
use skydeck_engine::api::{Gone, Link, LinkError, Watch};

type Slot = Option<Arc<dyn Link>>;

/// The waiting side.
pub struct PendingLink {
    engine: watch::Receiver<Slot>,
    progress: watch::Receiver<String>,
}

/// The opening side.
pub struct Opening {
    engine: watch::Sender<Slot>,
    progress: watch::Sender<String>,
}

/// Both sides.
pub fn pending() -> (Opening, PendingLink) {
    let ((engine, slot), (progress, told)) = (watch::channel(None), watch::channel(String::new()));
    (Opening { engine, progress }, PendingLink { engine: slot, progress: told })
}

impl Opening {
    /// What opening does now.
    pub fn say(&self) -> impl Fn(&str) + Send + 'static {
        let progress = self.progress.clone();
        move |text| {
            progress.send_replace(text.to_owned());
        }
    }

    /// The engine is there.
    pub fn ready(&self, link: Arc<dyn Link>) {
        self.engine.send_replace(Some(link));
    }
}

impl PendingLink {
    async fn engine(&self) -> Result<Arc<dyn Link>, LinkError> {
        let mut engine = self.engine.clone();
        let there = engine.wait_for(Option::is_some).await.ok().and_then(|link| link.clone());
        there.ok_or(LinkError::Gone(Gone::Lost))
    }
}

#[async_trait]
impl Link for PendingLink {
    async fn submit(&self, order: Order) -> Result<Receipt, LinkError> {
        self.engine().await?.submit(order).await
    }

    async fn ask(&self, query: Query) -> Result<Answer, LinkError> {
        self.engine().await?.ask(query).await
    }

    async fn watch(&self) -> Result<Watch, LinkError> {
        self.engine().await?.watch().await
    }

    fn progress(&self) -> Option<watch::Receiver<String>> {
        Some(self.progress.clone())
    }
}
