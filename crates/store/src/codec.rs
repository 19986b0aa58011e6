//! Values on disk: one version byte, then MessagePack with field names.
//!
//! Invariant: fields are only ever added (with defaults); a value of an unknown version is refused, never guessed.

use serde::{Deserialize, Serialize};

use super::{StoreError, msgpack};

/// Version written in front of every value.
pub const VERSION: u8 = 1;

/// Packs a value behind its version byte.
pub fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    // Most values are smaller: they grow in one piece.
    let mut out = Vec::with_capacity(256);
    out.push(VERSION);
    pack_into(value, &mut out)?;
    Ok(out)
}

/// Packs a value without a version byte at the end of a buffer.
pub fn pack_into<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), StoreError> {
    rmp_serde::encode::write_named(out, value).map_err(|e| StoreError::Write(format!("cannot encode a value: {e}")))
}

/// Reads what [`pack`] wrote.
pub fn unpack<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            msgpack::read(rest).map_err(|e| StoreError::Read(format!("a stored value does not decode: {e}")))
        }
        Some((other, _)) => Err(StoreError::Read(format!("a stored value has version {other}, known is {VERSION}"))),
        None => Err(StoreError::Read("a stored value is empty".to_owned())),
    }
}
