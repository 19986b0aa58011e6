//! The verbs without the screen: arguments, human tables and JSON lines. Every verb speaks to the engine through
//! [`crate::link::Link`], as a console does, and never decides anything by itself.

pub mod args;
pub mod bench;
pub mod bills;
pub mod console;
pub mod demo;
mod dispatch;
pub mod doctor;
pub mod drive;
pub mod environments;
pub mod exit;
pub mod json;
pub mod out;
pub mod plans;
pub mod serve;

pub use dispatch::main;
