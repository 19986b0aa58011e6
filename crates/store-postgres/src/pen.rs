//! Whose turn it is to write: one machine at a time has the pen, or several have it together ([`crate::hosts`]), and a writer
//! that lost it writes nothing more.
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
/// The name that stands for several machines.
pub(crate) const TOGETHER: &str = "*";
/// Between two signs of life.
const RENEW: Duration = Duration::from_secs(5);
/// Between two looks whether another's turn is over.
const LOOK: Duration = Duration::from_millis(500);

/// A turn, and the end of the chain as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pen {
    /// Which of several machines that write; `None`: the only one.
    pub host: Option<i32>,
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
            return Ok(Pen { host: None, fence: read(0)?, seq: read(1)? });
        }
        last = holder(&inner).await?;
        if !matches!(&last, PgFault::Taken { host: holder, .. } if *holder == crate::fault::said(&host)) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(last)
}

/// Whose turn it is, as a fault: its machine, or those that write together, and until when.
pub(crate) async fn holder(inner: &Inner) -> Result<PgFault, PgFault> {
    let sql = "select coalesce(case when h.boot = '*' then (select string_agg(m.name, ', ' order by m.no) from skydeck.host m \
               where m.gone is null) else h.host end, '?'), coalesce(to_char(h.until, 'YYYY-MM-DD HH24:MI:SS TZ'), '?') \
               from skydeck.head h where h.book = 1";
    let rows = inner.rows(sql, &[]).await?;
    let text = |at| rows.first().and_then(|row| column::<String>(row, at).ok()).unwrap_or_default();
    Ok(PgFault::Taken { host: crate::fault::said(&text(0)), until: crate::fault::said(&text(1)) })
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
