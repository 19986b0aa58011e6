//! The product's nouns and rules, pure: no I/O, no clock, no async. Everything else speaks these types.
//!
//! Invariant: a run's [`run::Tally`] always adds up, and state changes only by applying [`event::Fact`]s.

pub mod access;
pub mod action_log;
pub mod action_words;
pub mod bill;
pub mod bounds;
pub mod cause;
pub mod command;
pub mod confirm;
pub mod cursor;
pub mod detail_words;
pub mod env;
pub mod erp_clock;
pub mod erp_status;
pub mod event;
pub mod feed;
pub mod filter;

pub mod folded;
pub mod forecast;
pub mod forecast_words;
pub mod group_words;
pub mod handed_in;
pub mod hours;
pub mod ids;
pub mod language;
pub mod ledger_group;
pub mod listed;
pub mod live;
pub mod making_words;
pub mod mapping;
pub mod operation;
pub mod operation_words;
pub mod plan;
pub mod plan_problem;
pub mod query;
pub mod range;
pub mod reach;
pub mod reached;
pub mod reason;
pub mod run;
pub mod run_list;
pub mod sending;
pub mod server;
pub mod sort;
pub mod spelled;
pub mod step;
pub mod story;
pub mod suggest;
pub mod system_words;
pub mod time;
pub mod today;
pub mod transition;
pub mod who;
pub mod zone;
