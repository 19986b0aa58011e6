//! Skydeck: a terminal operations console for Kingdee K/3Cloud integration plans.

pub mod cli;
pub mod domain;
pub mod engine;
pub mod erp;
pub mod link;
pub mod plan;
pub mod shell;
pub mod sim;
pub mod store;
pub mod text;
pub mod ui;
