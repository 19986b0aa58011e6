//! What the owner of the data directory runs beside the engine: schedules, alerts, metrics. Each one is a reader
//! of the [`crate::link::Link`] like every console, with the same guards.
//!
//! Invariant: nothing here can slow the engine or write past its permission check.
