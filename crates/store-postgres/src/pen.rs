//! Whose turn it is to write: one machine at a time has the pen, and a writer that lost it writes nothing more.
//!
//! Invariant: only the database's clock says whether a turn is over, and an append names the turn it stands under.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::connect::LIMIT;
use crate::fault::PgFault;
use crate::io::{Inner, Value};
use crate::tables::column;

/// Seconds a turn lasts after a sign of life.
pub(crate) const TURN: i32 = 15;
/// Between two signs of life.
const RENEW: Duration = Duration::from_secs(5);
/// Between two looks whether another's turn is over.
const LOOK: Duration = Duration::from_millis(500);

/// A turn, and the end of the chain when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pen {
    /// How often writing was taken over.
    pub fence: i64,
    /// Place of the last fact.
    pub seq: i64,
}

/// Takes the pen. Where this machine itself had it and ended without laying it down, waits until that turn is over.
pub(crate) async fn take(inner: Arc<Inner>, boot: String) -> Result<Pen, PgFault> {
    let host = inner.settings.host.clone();
    // A turn that is not over after this is renewed by somebody.
    let looks =
        (Duration::from_secs(TURN.unsigned_abs().into()) + Duration::from_secs(2)).as_millis() / LOOK.as_millis();
    let mut last = PgFault::Slow;
    for _ in 0..=looks {
        let sql = "select fence, seq from skydeck.take_pen_v1($1, $2, $3)";
        let values: Vec<Value> = vec![Box::new(host.clone()), Box::new(boot.clone()), Box::new(TURN)];
        if let Some(row) = inner.rows(sql, &values).await?.first() {
            let read = |at| column::<i64>(row, at).map_err(|e| PgFault::Said(e.to_string()));
            return Ok(Pen { fence: read(0)?, seq: read(1)? });
        }
        let sql = "select coalesce(host, '?'), coalesce(to_char(until, 'YYYY-MM-DD HH24:MI:SS TZ'), '?') from skydeck.head where book = 1";
        let rows = inner.rows(sql, &[]).await?;
        let said = |at| rows.first().and_then(|row| column::<String>(row, at).ok()).unwrap_or_default();
        let holder = said(0);
        last = PgFault::Taken { host: crate::fault::said(&holder), until: crate::fault::said(&said(1)) };
        if holder != host {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(last)
}

/// Gives signs of life until the pen is laid down or lost.
pub(crate) async fn keep(inner: Arc<Inner>, fence: i64, lost: Arc<AtomicBool>, laid_down: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(RENEW).await;
        if laid_down.load(Ordering::SeqCst) {
            return;
        }
        let values: Vec<Value> = vec![Box::new(fence), Box::new(TURN)];
        match inner.rows("select skydeck.keep_pen_v1($1, $2)", &values).await {
            Ok(rows) => {
                if !rows.first().is_some_and(|row| column::<bool>(row, 0).unwrap_or(false)) {
                    lost.store(true, Ordering::SeqCst);
                    tracing::error!(fence, "another machine has taken over writing to the store");
                    return;
                }
            }
            // Whoever takes the pen meanwhile is met by the next append.
            Err(fault) => tracing::warn!(%fault, "the store's database does not answer a sign of life"),
        }
    }
}

/// Lays the pen down, so that nobody has to wait for the end of the turn.
pub(crate) async fn leave(inner: Arc<Inner>, fence: i64) -> Result<(), PgFault> {
    let values: Vec<Value> = vec![Box::new(fence)];
    let left = tokio::time::timeout(LIMIT, inner.rows("select skydeck.leave_pen_v1($1)", &values)).await;
    left.unwrap_or(Err(PgFault::Slow)).map(drop)
}
