//! The simulator, which stands for the ERP in all the other tests.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

#[path = "../sim_bench/mod.rs"]
mod sim_bench;

mod filter;
mod operations;
mod queries;
mod server;
mod sessions;
mod troubles;
mod wire;
mod world;
