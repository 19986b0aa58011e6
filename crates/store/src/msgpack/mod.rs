//! Reads MessagePack back into our types.
//!
//! Written by `rmp_serde`, which reads it too, and faster: the facts of an audited bill in 0.87 µs, where ours takes 1.27 of
//! some 75 µs that storing them takes. But its reader puts every way a value could be written into the code of every type,
//! where ours asks for what the type expects: reading events alone makes a program larger by 2.0 MB with it and by 0.9 MB
//! with ours (docs/measured.md#stored-values). Ours also gives a value's bytes as they stand, by which facts of a newer
//! program are kept.
//!
//! Invariant: every byte is looked at within bounds, so no input makes it panic, and nothing is taken for what it is not.

mod items;
mod types;

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Visitor};

use self::items::Reader;

/// Values within values, at most.
const DEPTH: u16 = 1_024;

/// Why bytes are no value of the type asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misread {
    /// They end too early.
    #[error("it ends too early")]
    Short,
    /// More follows behind the value.
    #[error("{0} bytes too many")]
    Long(usize),
    /// Another kind of value stands there.
    #[error("expected {0}, found {1}")]
    Kind(&'static str, &'static str),
    /// A text that is none.
    #[error("a text is not UTF-8")]
    Text,
    /// Values within values within values.
    #[error("more than {DEPTH} values within each other")]
    Deep,
    /// A list or map has other elements than the type takes.
    #[error("{0} elements too many")]
    Left(u32),
    /// The type's own word.
    #[error("{0}")]
    Type(String),
}

impl de::Error for Misread {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::Type(words.to_string())
    }
}

/// Name under which a type asks for a value's bytes as they stand.
const RAW: &str = "skydeck raw value";

/// The bytes of one value, not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'de>(pub &'de [u8]);

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Raw<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Raw<'de>, E> {
                Ok(Raw(bytes))
            }
        }
        d.deserialize_newtype_struct(RAW, V)
    }
}

/// Reads one value from all of `bytes`.
pub fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Misread> {
    let mut reader = Reader { left: bytes, depth: DEPTH };
    let value = T::deserialize(&mut reader)?;
    match reader.left.len() {
        0 => Ok(value),
        n => Err(Misread::Long(n)),
    }
}

#[cfg(test)]
mod tests;
