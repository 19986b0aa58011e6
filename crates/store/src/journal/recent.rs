//! The newest facts of a journal that nobody of this process has opened: for suggestions, where no index is asked.
//!
//! Invariant: it only reads, takes no lock, and opens no index; what cannot be read is left out, because nothing is decided
//! by it.

use std::io::Read as _;
use std::path::Path;

use super::frame;
use super::sealed::{Table, sealed_path};
use super::segment::{HEADER, plain_path};
use super::tail::{ROTATE, files};
use crate::file;
use skydeck_core::domain::event::Fact;

/// Facts of the last appends, newest append first, of at most `budget` bytes of the journal.
pub fn recent(dir: &Path, budget: usize) -> Vec<Fact> {
    let (mut out, mut left) = (Vec::new(), budget);
    for (no, (plain, _)) in files(dir).unwrap_or_default().into_iter().rev() {
        if plain {
            if let Some(bytes) = grown(&plain_path(dir, no)) {
                newest(&bytes, &mut left, &mut out);
            }
        } else {
            sealed(dir, no, &mut left, &mut out);
        }
        if left == 0 {
            break;
        }
    }
    out
}

/// The frames of a plain segment, as far as it has grown.
fn grown(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    // One append may go beyond the size at which a segment is closed.
    file::open(path).ok()?.take(2 * ROTATE).read_to_end(&mut bytes).ok()?;
    bytes.drain(..HEADER.min(bytes.len()));
    Some(bytes)
}

fn sealed(dir: &Path, no: u32, left: &mut usize, out: &mut Vec<Fact>) {
    let path = sealed_path(dir, no);
    let Ok(table) = Table::read(&path, no) else { return };
    for block in table.blocks.iter().rev() {
        if *left == 0 {
            return;
        }
        if let Ok(bytes) = table.open(&path, block) {
            newest(&bytes, left, out);
        }
    }
}

/// Adds the facts of the last frames. Frames before them are passed by their heads alone.
fn newest(bytes: &[u8], left: &mut usize, out: &mut Vec<Fact>) {
    let (mut frames, mut rest) = (Vec::new(), bytes);
    while let Some(head) = frame::head(rest) {
        let Some(payload) = rest.get(frame::HEAD..frame::HEAD + head.len) else { break };
        frames.push((head, payload));
        rest = rest.get(frame::HEAD + head.len..).unwrap_or_default();
    }
    for (head, payload) in frames.into_iter().rev() {
        if *left == 0 {
            return;
        }
        *left = left.saturating_sub(payload.len());
        if frame::whole(&head, payload) {
            out.extend(frame::facts(payload).unwrap_or_default());
        }
    }
}
