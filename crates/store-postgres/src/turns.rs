//! What the machines of a store share of an environment: the turn to make a call, the pause its server asked for, and why none are made.
//!
//! Invariant: a place is given back whenever whoever has it is gone; one that cannot be given back is free after the server's limit.

use std::time::Duration;

use skydeck_core::domain::ids::EnvId;
use skydeck_store::StoreError;
use skydeck_store::hosts::{CallTurn, Pace, Place};

use crate::fault::PgFault;
use crate::hosts::Members;
use crate::io::{Value, Way};
use crate::tables::column;

/// A place among the calls in flight.
struct Held {
    way: Way,
    no: i64,
    host: i32,
    is_unused: bool,
}

impl Place for Held {
    fn unused(mut self: Box<Self>) {
        self.is_unused = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (no, host, is_unused) = (self.no, self.host, self.is_unused);
        self.way.begin(move |inner| async move {
            let values: Vec<Value> = vec![Box::new(no), Box::new(host), Box::new(is_unused)];
            if let Err(fault) = inner.rows_now("select skydeck.call_over_v1($1, $2, $3)", &values).await {
                tracing::warn!(%fault, "a call's place is not given back before its limit has passed");
            }
        });
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn odd(error: &StoreError) -> PgFault {
    PgFault::Said(error.to_string())
}

impl Members {
    pub(crate) async fn turn(&self, env: &EnvId, pace: Pace) -> Result<CallTurn, StoreError> {
        let closed = || StoreError::Read("the store is closed".to_owned());
        let (host, way, env) = (self.host, self.io.way().ok_or_else(closed)?, env.as_str().to_owned());
        let concurrency = i32::try_from(pace.concurrency).unwrap_or(i32::MAX);
        let turn = self.io.ask(move |inner| async move {
            let values: Vec<Value> = vec![
                Box::new(host),
                Box::new(env),
                Box::new(pace.per_minute),
                Box::new(pace.burst),
                Box::new(concurrency),
                Box::new(millis(pace.settle)),
            ];
            let sql = "select no, wait_ms, held from skydeck.call_turn_v1($1, $2, $3, $4, $5, $6)";
            let rows = inner.rows_now(sql, &values).await?;
            let row = rows.first().ok_or_else(|| PgFault::Said("no turn was given".to_owned()))?;
            let no: Option<i64> = column(row, 0).map_err(|e| odd(&e))?;
            let wait: Option<i64> = column(row, 1).map_err(|e| odd(&e))?;
            let held: Option<String> = column(row, 2).map_err(|e| odd(&e))?;
            // Made here: where nobody waits for the answer any more it is dropped, and the place with it.
            Ok(match (no, held) {
                (Some(no), _) => CallTurn::Now(Box::new(Held { way, no, host, is_unused: false })),
                (None, Some(held)) => CallTurn::Held(held),
                (None, None) => CallTurn::Wait(Duration::from_millis(wait.unwrap_or_default().max(1).unsigned_abs())),
            })
        });
        Ok(turn.await?)
    }

    /// Tells the others something of an environment; nobody waits for it.
    pub(crate) fn tell(&self, sql: &'static str, values: Vec<Value>) {
        self.io.begin(move |inner| async move {
            // As long as the database is away nobody calls: it is asked again until it has been told.
            while let Err(fault) = inner.rows(sql, &values).await {
                tracing::warn!(%fault, "the other machines are not told yet that no calls are to be made");
                tokio::time::sleep(AGAIN).await;
            }
        });
    }

    pub(crate) fn pause(&self, env: &EnvId, span: Duration) {
        let values: Vec<Value> = vec![Box::new(env.as_str().to_owned()), Box::new(millis(span))];
        self.tell("select skydeck.calls_pause_v1($1, $2)", values);
    }

    pub(crate) fn hold(&self, env: &EnvId, why: String) {
        self.tell("select skydeck.calls_held_v1($1, $2)", vec![Box::new(env.as_str().to_owned()), Box::new(why)]);
    }

    pub(crate) async fn held(&self, env: &EnvId) -> Result<Option<String>, StoreError> {
        let sql = "select held from skydeck.env_turns where env = $1";
        let rows = self.ask(sql, vec![Box::new(env.as_str().to_owned())]).await?;
        rows.first().map_or(Ok(None), |row| column(row, 0))
    }

    pub(crate) async fn let_go_on(&self, env: &EnvId) -> Result<(), StoreError> {
        let sql = "select skydeck.calls_held_v1($1, null)";
        self.ask(sql, vec![Box::new(env.as_str().to_owned())]).await.map(drop)
    }
}

/// Until a database that was away is told again.
const AGAIN: Duration = Duration::from_secs(1);
