//! A Kingdee simulator: a real HTTP server with its own reading of the protocol. Shares no code with the client.
//!
//! Invariant: [`world::World`] is the whole server without the network; [`server`] only carries its answers.

mod admin;
mod adopt;
mod args;
mod body;
mod cell;
mod config;
mod convert;
mod data;
mod dec;
mod doc;
pub mod faults;
pub mod filter;
mod form;
mod kind;
mod login;
mod made;
mod masters;
mod model;
mod named;
mod operate;
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
pub use args::{NotStarted, SimArgs, run};
pub use config::{AuthMode, Credentials, User, WorldConfig, demo_credentials};
pub use masters::{BaseData, base_data};
pub use record::{Applied, Record};
pub use reply::{Reply, RequestParts, Transport};
pub use server::{SimConfig, SimHandle, start};
pub use state::State;
pub use tally::Counts;
pub use world::World;
