//! What the process that owns the engine does beside it, as one more reader and giver of orders of the link.
//!
//! Invariant: nothing here knows the engine; whatever it wants it asks for as a console does, under the same rules.

pub mod alerts;
pub mod health;
pub mod metrics;
pub mod missed;
pub mod schedule;
