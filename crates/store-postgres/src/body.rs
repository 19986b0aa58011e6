//! A fact as a row: its event behind a byte that says how it is packed.
//!
//! Invariant: a fact of a newer program is kept, given back and copied with its bytes as they were.

use sha2::{Digest, Sha256};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::time::Ts;
use skydeck_store::journal::later;
use skydeck_store::{StoreError, codec};
use tokio_postgres::Row;

use crate::tables::column;

const PLAIN: u8 = 0;
const PACKED: u8 = 1;
/// Bytes from which packing is tried.
const WORTH: usize = 160;
/// What a body may unpack to: more than any append takes.
const LARGEST: usize = 64 * 1024 * 1024;

/// Packs an event.
pub(crate) fn pack(event: &Event) -> Result<Vec<u8>, StoreError> {
    let mut plain = vec![PLAIN];
    match event {
        Event::Later(later) => plain.extend_from_slice(&later.raw.0),
        event => codec::pack_into(event, &mut plain)?,
    }
    if plain.len() >= WORTH {
        let bytes = plain.get(1..).unwrap_or_default();
        let packed =
            zstd::bulk::compress(bytes, 3).map_err(|e| StoreError::Write(format!("cannot pack a fact: {e}")))?;
        if packed.len() + 1 < plain.len() {
            return Ok([&[PACKED], packed.as_slice()].concat());
        }
    }
    Ok(plain)
}

/// Reads what [`pack`] wrote.
pub(crate) fn unpack(seq: i64, body: &[u8]) -> Result<Event, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("fact {seq} of the store's database: {what}"));
    let event = match body.split_first() {
        Some((&PLAIN, rest)) => later::read(rest),
        Some((&PACKED, rest)) => {
            let bytes = zstd::bulk::decompress(rest, size(rest)).map_err(|e| damaged(&e.to_string()))?;
            later::read(&bytes)
        }
        _ => return Err(damaged("it is packed in a way that is not known")),
    };
    event.ok_or_else(|| damaged("it is no fact"))
}

/// What a packed body unpacks to, as it says itself.
fn size(packed: &[u8]) -> usize {
    let said = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
    said.and_then(|n| usize::try_from(n).ok()).unwrap_or(LARGEST).min(LARGEST)
}

/// What the chain holds of a fact.
pub(crate) fn digest(body: &[u8]) -> Vec<u8> {
    Sha256::digest(body).to_vec()
}

/// The hash of a fact: that of the one before it, its place, its digest.
pub(crate) fn link(before: &[u8], seq: i64, digest: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(seq.to_be_bytes());
    hash.update(digest);
    hash.finalize().to_vec()
}

/// A fact from a row of place, moment and body.
pub(crate) fn fact(row: &Row) -> Result<Fact, StoreError> {
    let (seq, at, body): (i64, i64, Vec<u8>) = (column(row, 0)?, column(row, 1)?, column(row, 2)?);
    Ok(Fact { seq: Seq(seq.cast_unsigned()), at: Ts(at), event: unpack(seq, &body)? })
}
