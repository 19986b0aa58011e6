//! The pages for operators: both languages say the same, what they name is there, and their commands are run.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

#[path = "../support/english.rs"]
mod english;
#[path = "../support/literals.rs"]
mod literals;
#[path = "../support/pty.rs"]
mod pty;
#[path = "../support/style.rs"]
mod style;

mod blocks;
mod pages;
mod pairs;
mod tables;
