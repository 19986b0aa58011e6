//! The JSON system, on the core without a network and over a socket.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

mod bench;
mod faults;
mod gate;
mod making;
mod reading;
mod wire;
