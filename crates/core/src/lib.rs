//! What every floor speaks: the nouns and rules of the product ([`domain`]), and the one choke point from outside bytes to
//! shown text ([`text`]). No I/O, no clock.

pub mod domain;
pub mod text;
