//! Plan files: what is read from them, and what is said of what cannot be.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

mod effect;
mod golden;
mod import_props;
mod read;
mod size;
mod tools;
mod words;
