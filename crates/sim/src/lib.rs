//! A Kingdee simulator: a real HTTP server with its own reading of the protocol. Shares no code with the client.
//!
//! Invariant: [`world::World`] is the whole server without the network; [`server`] only carries its answers.

mod admin;
mod args;
mod body;
mod config;
mod data;
pub mod faults;
pub mod filter;
mod form;
mod login;
mod masters;
mod operate;
mod query;
mod record;
mod reply;
mod restore;
mod rng;
mod save;
pub mod server;
mod service;
mod session;
pub mod sign;
mod spoil;
mod states;
mod table;
mod tally;
mod texts;
pub mod value;
pub mod world;

pub use admin::Stats;
pub use args::{NotStarted, SimArgs, run};
pub use config::{AuthMode, Credentials, User, WorldConfig, demo_credentials};
pub use masters::{BaseData, base_data};
pub use record::{Applied, Record};
pub use reply::{Reply, RequestParts, Transport};
pub use server::{SimConfig, SimHandle, start};
pub use states::State;
pub use tally::Counts;
pub use world::World;
