//! The Kingdee client behind [`skydeck_engine::ports::Erp`]. Kingdee's field names stop here.
//!
//! Invariant: only a connect error is "not sent"; only a shape-perfect answer naming the ids asked is "done".

mod address;
mod by_key;
mod centres;
pub mod classify;
mod client;
mod columns;
pub mod config;
mod config_words;
pub mod evidence;
pub mod files;
mod form;
pub mod http;
mod login;
mod pem_fault;
mod reach;
mod redact;
pub mod refusals;
mod request;
mod rights;
mod session;
pub mod sign;
mod tls;
pub mod transport;
pub mod wire;

pub use centres::{DataCentre, data_centres};
pub use client::KingdeeErp;
