//! How far the store is, for whoever follows it: told by the database where it can, asked for again and again anyway.
//!
//! Invariant: nothing depends on being told; a place that is given is one whose facts can be read.

use std::sync::Arc;
use std::time::Duration;

use skydeck_core::domain::ids::Seq;
use tokio::sync::{Notify, mpsc, watch};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, NoTls};

use crate::connect::hear;
use crate::fault::PgFault;
use crate::io::{Inner, Value};
use crate::tables::column;

/// Between two questions where nothing is told.
const ASK: Duration = Duration::from_secs(1);
/// Between two while something moves.
const MOVING: Duration = Duration::from_millis(50);

/// How far the store is, for one that only looks.
const HOW_FAR: &str = "select h.seq, false from skydeck.head h where h.book = 1";
/// The same, and whether orders wait for a machine.
const HOW_FAR_AND_ORDERS: &str = "select h.seq, exists (select from skydeck.forwarded_order f where f.holder = $1 and f.taken is null \
                       and not f.withdrawn) from skydeck.head h where h.book = 1";

/// Follows the store until nobody looks any more; says how far it is, and when orders of other machines wait for this one.
pub(crate) async fn follow(inner: Arc<Inner>, told: watch::Sender<Seq>, of: Option<(i32, Arc<Notify>)>) {
    let (mut ear, mut wait) = (None, MOVING);
    while !told.is_closed() {
        if ear.is_none() {
            ear = listen(&inner).await.ok();
        }
        let answer = match &of {
            Some((host, _)) => inner.rows(HOW_FAR_AND_ORDERS, &[Box::new(*host) as Value]).await,
            None => inner.rows(HOW_FAR, &[]).await,
        };
        let moved = match answer {
            Ok(rows) => rows.first().is_some_and(|row| {
                if let Some((_, orders)) = of.as_ref().filter(|_| column(row, 1).unwrap_or(false)) {
                    orders.notify_one();
                }
                column::<i64>(row, 0).is_ok_and(|seq| {
                    let seq = Seq(seq.cast_unsigned());
                    told.send_if_modified(|last| {
                        seq > *last && {
                            *last = seq;
                            true
                        }
                    })
                })
            }),
            Err(fault) => {
                tracing::debug!(%fault, "the store does not say how far it is");
                false
            }
        };
        wait = if moved { MOVING } else { (wait * 2).min(ASK) };
        let heard = async {
            match &mut ear {
                Some((_, notes)) => notes.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            note = heard => {
                if note.is_none() {
                    ear = None;
                }
            }
            () = tokio::time::sleep(wait) => {}
            () = told.closed() => return,
        }
    }
}

/// A connection that is told of news.
async fn listen(inner: &Inner) -> Result<(Client, mpsc::UnboundedReceiver<()>), PgFault> {
    let config = inner.settings.config()?;
    let (heard, notes) = mpsc::unbounded_channel();
    let client = if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await?;
        hear(connection, heard);
        client
    } else {
        let (client, connection) = config.connect(inner.settings.tls()?).await?;
        hear(connection, heard);
        client
    };
    client.batch_execute("listen skydeck").await?;
    Ok((client, notes))
}
