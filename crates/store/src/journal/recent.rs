//! The newest facts of a journal that nobody of this process has opened: for suggestions, where no index is asked.
//!
//! Invariant: it only reads, takes no lock, and opens no index; what cannot be read is left out, because nothing is decided
//! by it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::frame;
use super::sealed::{Table, sealed_path};
use super::segment::{HEADER, plain_path};
use super::tail::{ROTATE, files};
use crate::file;
use skydeck_core::domain::event::Fact;

/// So many times the bytes that are wanted are read of a segment that grows: heads stand between payloads, and an append or two
/// may be large.
const AHEAD: usize = 4;

/// Facts of the last appends, newest append first, of at most `budget` bytes of the journal.
pub fn recent(dir: &Path, budget: usize) -> Vec<Fact> {
    let (mut out, mut left) = (Vec::new(), budget);
    for (no, (plain, _)) in files(dir).unwrap_or_default().into_iter().rev() {
        if plain {
            if let Some(bytes) = grown(&plain_path(dir, no), left) {
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

/// The last frames of a plain segment, as far as it has grown: so much that `budget` bytes of payload are among them, and all
/// of it where one append is larger than that.
fn grown(path: &Path, budget: usize) -> Option<Vec<u8>> {
    let mut file = file::open(path).ok()?;
    let len = file.metadata().ok()?.len();
    let wanted = budget.saturating_mul(AHEAD) as u64;
    if let Some(skip) = len.checked_sub(wanted).filter(|skip| *skip > HEADER as u64) {
        let mut bytes = read_from(&mut file, skip, wanted)?;
        if let Some(first) = first_whole(&bytes) {
            bytes.drain(..first);
            return Some(bytes);
        }
    }
    // One append may go beyond the size at which a segment is closed.
    read_from(&mut file, HEADER as u64, 2 * ROTATE)
}

fn read_from(file: &mut File, at: u64, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at)).ok()?;
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Where the first whole frame begins in bytes that begin anywhere.
fn first_whole(bytes: &[u8]) -> Option<usize> {
    let marked = bytes.windows(frame::MARK.len()).enumerate().filter(|(_, four)| *four == frame::MARK);
    marked.map(|(at, _)| at).find(|at| {
        let rest = bytes.get(*at..).unwrap_or_default();
        let Some(head) = frame::head(rest) else { return false };
        let payload = rest.get(frame::HEAD..frame::HEAD.saturating_add(head.len));
        payload.is_some_and(|payload| frame::whole(&head, payload))
    })
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

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;
    use skydeck_core::domain::event::Event;
    use skydeck_core::domain::ids::{RunId, Seq};
    use skydeck_core::domain::run::RunEnd;
    use skydeck_core::domain::time::Ts;

    fn fact(n: u64, runs: usize) -> Vec<Fact> {
        let event = |i| Event::RunClosed { run: RunId(Ulid::from_parts(n, i)), end: RunEnd::Empty };
        (0..runs as u64).map(|i| Fact { seq: Seq(n + i), at: Ts(n as i64), event: event(u128::from(i)) }).collect()
    }

    /// A plain segment of these appends, and what was cut off its end.
    fn segment(dir: &Path, appends: &[Vec<Fact>], cut: usize) {
        let (mut bytes, mut chain) = (vec![0; HEADER], frame::Chain::default());
        for facts in appends {
            chain = frame::write(facts, &chain, &mut bytes).unwrap();
        }
        bytes.truncate(bytes.len() - cut);
        std::fs::write(plain_path(dir, 1), bytes).unwrap();
    }

    #[test]
    fn the_newest_facts_of_a_long_segment_are_those_that_reading_all_of_it_gives() {
        let dir = tempfile::tempdir().unwrap();
        let small: Vec<Vec<Fact>> = (1..4_000).map(|n| fact(n, 1)).collect();
        let mut with_large = small.clone();
        with_large.push(fact(5_000, 2_000));
        for (appends, cut) in [(&small, 0), (&small, 7), (&with_large, 0), (&with_large, 7)] {
            segment(dir.path(), appends, cut);
            let all = recent(dir.path(), usize::MAX);
            for budget in [1, 100, 5_000, 40_000] {
                let some = recent(dir.path(), budget);
                assert!(!some.is_empty() && some.len() < all.len(), "{budget} {cut}");
                assert!(all.starts_with(&some), "{budget} {cut}");
            }
        }
    }
}
