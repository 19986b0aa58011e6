//! A data directory of version 1 becomes one of version 2: at every place where the process can die, on every write that
//! can meet a full disk, and with too little room; the facts and the answers of the index stay what they were, and as
//! long as the directory is of version 1 the program that wrote it finds everything as it left it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

#[path = "../support/earlier.rs"]
mod earlier;
#[path = "../store_kit/mod.rs"]
mod store_kit;

mod damaged;
mod deaths;
mod directory;
mod room;
