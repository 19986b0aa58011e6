//! A client of systems that speak JSON over HTTP, behind [`skydeck_engine::ports::Erp`]. What is called, and what an answer means,
//! is data of plans; who we are is data of environments.
//!
//! Invariant: only a connect error is "not sent"; only an answer that a plan's tests take and that names the key sent is
//! "done"; a record that no look can tell apart is never called absent.

mod access;
mod answer;
pub mod auth;
mod client;
pub mod config;
mod feed;
mod judge;
mod look;
pub mod network;
pub mod outgoing;
mod said;
pub mod sign;
mod token;
pub mod tree;

pub use client::HttpErp;
