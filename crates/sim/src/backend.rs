//! What the server and record files ask of a simulated system.
//!
//! Invariant: a system knows nothing of sockets and files; whoever carries its answers does.

use serde::Serialize;
use serde_json::Value as Json;

use super::reply::{Reply, RequestParts};

/// A simulated system, without a network.
pub trait Backend: std::fmt::Debug + Send + Sized + 'static {
    /// What it is made from.
    type Config: Clone + std::fmt::Debug;
    /// Its counts.
    type Stats: Serialize;
    /// The path that clients are given behind the address.
    const HOME: &'static str;

    /// A new one, at `now_ms` (Unix milliseconds).
    fn begin(config: &Self::Config, now_ms: i64) -> Self;
    /// Answers a request that arrived at `now_ms`. [`Transport`](super::Transport) says what becomes of the answer on the wire.
    fn answer(&mut self, request: RequestParts, now_ms: i64) -> Reply;
    /// The answer to a parked call.
    fn answer_parked(&mut self, ticket: u64, now_ms: i64) -> Reply;
    /// Counts, as `/admin/stats` gives them.
    fn counts(&self) -> Self::Stats;
    /// How many lines its record has.
    fn recorded(&self) -> u64;
    /// The lines of the record after so many, as its file keeps them.
    fn lines_after(&self, seq: u64) -> Vec<Json>;
    /// What a record file says of the data it was begun with; it goes on only on the same.
    fn data_of(config: &Self::Config) -> Json;
    /// Does again what a line says was done.
    fn redo(&mut self, line: &Json);
}
