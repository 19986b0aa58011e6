//! Text that people read: what may never reach a screen, and what an export looks like.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that fails says where"
)]

mod export;
mod hostile;
mod props;
mod report;
