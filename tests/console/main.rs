//! What the console does with keys, facts and answers; the key table; and every screen as it was looked at.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that fails says where"
)]

mod world;

mod columns;
mod counts;
mod day;
mod finding;
mod flags;
mod fresh;
mod keys;
mod ledger;
mod lists;
mod mouse;
mod news;
mod orders;
mod screens;
mod traps;
mod typed;
mod wide;
