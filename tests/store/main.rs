//! The store: what is kept, what is found again, and what a damaged or an older directory is told as.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

#[path = "../store_kit/mod.rs"]
mod store_kit;

mod blocks;
mod golden;
mod later;
mod local;
mod model;
mod prune;
mod size;
mod sorted;
