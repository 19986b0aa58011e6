//! The engine in this process, behind [`skydeck_engine::api::Link`].
//!
//! Invariant: adds nothing and hides nothing; what the engine says is what the reader gets.

use async_trait::async_trait;

use skydeck_core::domain::command::{Order, Receipt};
use skydeck_core::domain::query::{Answer, Query};
use skydeck_core::domain::who::Who;
use skydeck_engine::Engine;
use skydeck_engine::api::{Link, LinkError, Watch};

/// A link to an engine of this process.
#[derive(Clone)]
pub struct LocalLink {
    engine: Engine,
    /// Who sits there, where a console talks through it.
    console: Option<Who>,
}

impl LocalLink {
    /// Wraps an engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine, console: None }
    }

    /// The same for a console: whoever sits there is there for the engine, too.
    pub fn of_console(engine: Engine, who: Who) -> Self {
        Self { engine, console: Some(who) }
    }
}

#[async_trait]
impl Link for LocalLink {
    async fn submit(&self, order: Order) -> Result<Receipt, LinkError> {
        Ok(self.engine.submit(order).await)
    }

    async fn ask(&self, query: Query) -> Result<Answer, LinkError> {
        Ok(self.engine.ask(query).await?)
    }

    async fn watch(&self) -> Result<Watch, LinkError> {
        Ok(match &self.console {
            Some(who) => self.engine.watch_at_console(who.clone()),
            None => self.engine.watch(),
        })
    }
}
