//! The simulator, which stands for the ERP in all the other tests.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

mod filter;
mod operations;
mod queries;
mod server;
mod sessions;
mod sim_bench;
mod troubles;
mod wire;
mod world;
