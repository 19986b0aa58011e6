//! The writer's own connection, with the one call that it makes prepared.
//!
//! Invariant: a connection on which an answer did not come is not used again.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_postgres::{Client, Statement};

use crate::connect::{LIMIT, Settings, connect};
use crate::fault::PgFault;

const CALL: &str = "select skydeck.append_v2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
                    $19, $20, $21)";

/// The writer's connection, made when it is first used.
#[derive(Default)]
pub(crate) struct Line(Mutex<Option<Arc<(Client, Statement)>>>);

impl Line {
    /// The connection as it is, or a new one.
    pub async fn get(&self, settings: &Settings) -> Result<Arc<(Client, Statement)>, PgFault> {
        let mut held = self.0.lock().await;
        if let Some(line) = held.as_ref().filter(|line| !line.0.is_closed()) {
            return Ok(Arc::clone(line));
        }
        let client = connect(settings).await?;
        let prepared = tokio::time::timeout(LIMIT, client.prepare(CALL)).await.map_err(|_| PgFault::Slow)??;
        let line = Arc::new((client, prepared));
        *held = Some(Arc::clone(&line));
        Ok(line)
    }

    /// The connection is not used again.
    pub async fn hang_up(&self) {
        *self.0.lock().await = None;
    }
}
