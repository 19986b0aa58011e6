//! The call that adds facts: one statement, its own transaction, on a connection that has nothing else to do.
//!
//! Invariant: no lock is held between this program and the database: what is locked is locked and let go within the call.

use tokio_postgres::types::ToSql;

use crate::connect::LIMIT;
use crate::fault::{PgFault, Refused};
use crate::io::{Inner, Io};
use crate::pen::Pen;
use crate::rows::Rows;

/// What became of an append.
pub(crate) enum Answer {
    Stored,
    Refused(Refused),
}

/// Adds facts with what follows from them.
pub(crate) fn append(io: &Io, pen: Pen, rows: Rows) -> Answer {
    let answer = io.wait(move |inner| async move { Ok(call(&inner, pen, rows).await) });
    answer.unwrap_or_else(|fault| Answer::Refused(Refused::Unsure(fault)))
}

async fn call(inner: &Inner, pen: Pen, rows: Rows) -> Answer {
    let line = match inner.line.get(&inner.settings).await {
        Ok(line) => line,
        Err(fault) if fault.is_away() => return Answer::Refused(Refused::Away(fault)),
        Err(fault) => return Answer::Refused(Refused::Final(fault)),
    };
    let values: [&(dyn ToSql + Sync); 21] = [
        &pen.host,
        &rows.held,
        &rows.opened,
        &rows.slots,
        &pen.fence,
        &pen.seq,
        &rows.batches,
        &rows.facts,
        &rows.known,
        &rows.names,
        &rows.revs,
        &rows.runs,
        &rows.heads,
        &rows.in_runs,
        &rows.bills,
        &rows.records,
        &rows.numbers,
        &rows.places,
        &rows.hours,
        &rows.actions,
        &rows.kept,
    ];
    let (client, prepared) = &*line;
    let refused = match tokio::time::timeout(LIMIT, client.query_one(prepared, &values)).await {
        Ok(Ok(_)) => return Answer::Stored,
        Ok(Err(error)) => Refused::of(error),
        // It may still be at work there.
        Err(_) => Refused::Unsure(PgFault::Slow),
    };
    if matches!(refused, Refused::Unsure(_) | Refused::Away(_) | Refused::Final(_)) {
        inner.line.hang_up().await;
    }
    Answer::Refused(refused)
}
