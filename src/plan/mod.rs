//! The vendor's plan files ⇄ [`crate::domain::plan::Plan`]: reading, templates, conditions, lint, render, import.

pub mod condition;
pub mod render;
