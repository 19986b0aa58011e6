//! The program as scripts and people call it, against a small ERP on loopback.
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
#[path = "../support/erp.rs"]
mod erp;
#[path = "../support/place.rs"]
mod place;
#[path = "../support/pty.rs"]
mod pty;
#[path = "../support/style.rs"]
mod style;

mod cli;
mod clock;
mod ended;
mod endings;
mod forecast;
mod handed;
mod history_verb;
mod ledger_verb;
mod output;
mod pairs;
mod pairs_expected;
mod plan_operations;
mod plan_run;
mod self_check;
mod shipped_plans;
mod status_after;
mod store_words;
mod take;
mod verb_orders;
mod verb_words;
mod words;
