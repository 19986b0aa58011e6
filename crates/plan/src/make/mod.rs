//! Plans that make bills: the request tree of the vendor's file, and the body of one record.
//!
//! Invariant: a template with a hole that names no column of the source never becomes part of a mapping; what cannot be
//! made for a record is a fault of that record, said with field and value, and nothing is sent for it.

mod body;
mod compare;
mod find;
mod json;
mod number;
mod policy;
mod push;
mod read;
pub(crate) mod send;
mod table;
mod template;
mod tree;

pub use body::{Bodies, MOST_BYTES, MOST_ROWS};
pub use compare::{differs, lines_differ};
pub use find::{Lookups, Record, looks_in, unresolved};
pub use number::{Held, held_of};
pub(crate) use policy::MakePolicy;
pub(crate) use push::whole_bills;
pub(crate) use read::{is_making, read, refuse_policy};
pub(crate) use send::{SendPolicy, refuse_policy as refuse_send_policy};
pub(crate) use table::Alone;
pub use table::{Beside, is_beside};

pub use super::problem::body::BodyFault;
pub use super::problem::make::{MOST_TABLE, NotRead};

#[cfg(test)]
mod lookup_tests;
#[cfg(test)]
mod push_tests;
#[cfg(test)]
mod tests;
