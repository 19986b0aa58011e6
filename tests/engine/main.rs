//! The run engine over a world in memory: each file one of its promises.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that fails says where"
)]

#[path = "../engine_support/mod.rs"]
mod engine_support;
#[path = "../histories/mod.rs"]
mod histories;
#[allow(dead_code, reason = "its healthy answers alone are used here")]
#[path = "../support/stub.rs"]
mod stub;

mod ahead;
mod append;
mod carry;
mod changes;
mod confirm;
mod endings;
mod filters;
mod flow;
mod foretold;
mod guard;
mod interaction;
mod operation;
mod orders;
mod pace;
mod recover;
mod retry;
mod revision;
mod said;
mod schedule;
mod servers;
mod settle;
mod today;
mod trail;
mod two_plans;
mod unusual;
