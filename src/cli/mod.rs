//! The verbs without the screen: arguments, human tables and JSON lines. Every verb speaks to the engine through
//! [`crate::engine::api::Link`], as a console does, and never decides anything by itself.

mod alerts;
mod approval;
pub mod args;
mod asked;
mod backup;
pub mod bill;
mod bills;
mod complete;
pub mod console;
mod console_modes;
mod context;
pub mod demo;
mod demo_headless;
mod demo_other;
pub mod demo_past;
mod dispatch;
pub mod doctor;
pub mod drive;
mod elsewhere;
mod end_words;
pub mod environments;
mod files;
mod follow;
mod forecast;
mod fresh;
mod health;
mod help;
mod help_words;
mod history;
pub mod json;
mod leave;
mod lines;
pub mod log;
pub mod man;
mod named_data;
mod numbers;
pub mod out;
pub mod output;
pub mod plans;
mod prune;
mod rights;
mod select;
mod self_check;
pub mod serve;
mod set_words;
mod setup;
mod slips;
#[cfg(feature = "postgres")]
mod store;
mod take;
mod unread;
pub mod upgrade;
mod verb_kinds;
mod write;

pub use dispatch::main;
