//! The client of the ERP: what it sends, what it makes of an answer, and what it does when there is none.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

#[path = "../support/mod.rs"]
mod support;

mod classify;
mod client;
mod fault_switches;
mod judged;
mod read;
mod scenarios;
mod sign;
mod sim;
mod tls;
