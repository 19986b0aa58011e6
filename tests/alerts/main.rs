//! Alerts: what is worth one, and how it arrives, at a receiver on loopback that speaks as the robots do; figures beside them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

#[path = "../support/place.rs"]
mod place;
#[path = "../support/pty.rs"]
mod pty;
#[path = "../store_kit/mod.rs"]
mod store_kit;

mod figures;
mod robots;
mod watch;
