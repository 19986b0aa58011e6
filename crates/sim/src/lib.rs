//! Simulated systems: a Kingdee server, and a generic JSON one. Real HTTP with their own reading of the protocols; no code is
//! shared with the clients.
//!
//! Invariant: [`world::World`] and [`json::JsonWorld`] are the whole servers without the network; [`server`] only carries their
//! answers.

mod admin;
mod adopt;
mod args;
mod backend;
mod body;
mod cell;
mod config;
mod convert;
mod data;
mod dec;
mod doc;
mod extras;
pub mod faults;
mod files;
pub mod filter;
mod form;
pub mod json;
mod kept;
mod kind;
mod login;
mod made;
mod masters;
mod model;
mod named;
mod operate;
mod parking;
mod presets;
mod push;
mod query;
mod record;
mod reply;
mod restore;
mod rng;
mod save;
pub mod server;
mod service;
mod session;
pub mod settings;
pub mod sign;
mod spoil;
mod state;
mod states;
mod table;
mod tally;
mod texts;
pub mod value;
mod view;
pub mod world;

pub use admin::Stats;
pub use adopt::Adopted;
pub use args::{NotStarted, SimArgs, SimKind, bills_parser, delay_parser, run};
pub use backend::Backend;
pub use config::{AuthMode, Credentials, User, WorldConfig, demo_credentials};
pub use masters::{BaseData, base_data};
pub use record::{Applied, Record};
pub use reply::{Reply, RequestParts, Transport};
pub use server::{SimConfig, SimHandle, start, start_as};
pub use state::State;
pub use tally::Counts;
pub use world::World;
