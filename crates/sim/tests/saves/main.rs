//! Saving and pushing bills, on the core without a network. The requests and answers here are those of the wire.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

mod bench;
mod clients;
mod extras;
mod hostile;
mod pushing;
mod restart;
mod saving;
mod spoiled;
mod wire;
