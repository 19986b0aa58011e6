//! Reads a journal from its first segment to its last, as far as each of them can be read.
//!
//! Invariant: it only reads; damage in one segment does not hide the next.

use std::path::Path;

use crate::StoreError;
use crate::journal::{frame, sealed, segment, tail};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::Seq;

/// What a walk of the journal found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalReport {
    /// Segments.
    pub segments: u32,
    /// How many of them are sealed.
    pub sealed: u32,
    /// Facts read.
    pub facts: u64,
    /// Last place read.
    pub last: Seq,
    /// Bytes on disk.
    pub bytes: u64,
    /// Damage, each with segment, offset, fact and what it is.
    pub damage: Vec<String>,
    /// Last fact before the first damage: up to here the chain is whole.
    pub whole: Seq,
    /// The torn end of a write that nobody was told of; the next opening cuts it.
    pub torn: Option<String>,
    /// Hash of the chain after the last fact, as hex digits.
    pub head: String,
    /// The same at the place that was asked for, where an append ends there.
    pub asked: Option<String>,
}

impl JournalReport {
    /// Notes damage behind a fact.
    fn damaged(&mut self, behind: Seq, what: String) {
        if self.damage.is_empty() {
            self.whole = behind;
        }
        self.damage.push(what);
    }
}

/// Reads every segment as far as it can be read; damage in one does not hide the next.
pub(crate) fn walk(
    dir: &Path,
    witness: Seq,
    each: &mut dyn FnMut(Fact) -> Result<(), StoreError>,
) -> Result<JournalReport, StoreError> {
    walk_past(dir, witness, None, each)
}

/// As [`walk`]; tells the hash of the chain at a place, too.
pub(crate) fn walk_past(
    dir: &Path,
    witness: Seq,
    asked: Option<Seq>,
    each: &mut dyn FnMut(Fact) -> Result<(), StoreError>,
) -> Result<JournalReport, StoreError> {
    let files = tail::files(dir)?;
    let last_no = files.keys().next_back().copied();
    let mut report = JournalReport::default();
    let mut expected = Some((Seq(1), frame::Chain::default()));
    let (mut no_before, mut running) = (0, frame::Chain::default());
    for (no, (plain, _)) in files {
        if no != no_before + 1 {
            report.damaged(report.last, format!("segment {:08}: it is missing", no_before + 1));
            expected = None;
        }
        no_before = no;
        report.segments += 1;
        let path = if plain { segment::plain_path(dir, no) } else { sealed::sealed_path(dir, no) };
        report.sealed += u32::from(!plain);
        report.bytes += std::fs::metadata(&path).map_or(0, |m| m.len());
        let before = report.last;
        let mut fault = None;
        let mut seen = 0;
        let mut on = |_: u64, first: Seq, payload: &[u8]| {
            let facts = frame::facts(payload).map_err(|e| segment::damaged(no, 0, first, &e.to_string()))?;
            if asked.is_some() {
                running = frame::link(&running, first, payload);
                if facts.last().map(|fact| fact.seq) == asked {
                    report.asked = Some(crate::hex(&running));
                }
            }
            for fact in facts {
                seen += 1;
                report.last = fact.seq;
                if let Err(e) = each(fact) {
                    fault = Some(e);
                    return Err(StoreError::Read("stopped".to_owned()));
                }
            }
            Ok(())
        };
        let ended = if plain {
            segment::scan(&path, no, true, &mut on).map(|s| (s.header, s.next, s.chain, s.rest))
        } else {
            sealed::walk(&path, no, &mut on).map(|t| (t.header, t.next, t.chain, None))
        };
        if let Some(fault) = fault {
            return Err(fault);
        }
        report.facts += seen;
        let is_last = Some(no) == last_no;
        match ended {
            Ok((header, next, chain, rest)) => {
                if expected.is_some_and(|e| e != (header.first, header.before)) {
                    report.damaged(before, format!("segment {no:08}: it does not continue the segment before it"));
                }
                expected = Some((next, chain));
                report.head = crate::hex(&chain);
                if let Some(rest) = rest {
                    let told = format!("segment {no:08}, offset {}, fact {next}: {}", rest.offset, rest.what);
                    if is_last && !rest.whole_behind && next > witness {
                        report.torn = Some(told);
                    } else {
                        report.damaged(report.last, told);
                        expected = None;
                    }
                }
            }
            Err(StoreError::Damaged(what)) => {
                report.damaged(report.last, what);
                expected = None;
            }
            Err(e) => return Err(e),
        }
    }
    if report.damage.is_empty() && report.last < witness {
        let what = format!("the journal ends at fact {}, but facts up to {witness} were stored", report.last);
        report.damaged(report.last, what);
    }
    if report.damage.is_empty() {
        report.whole = report.last;
    }
    Ok(report)
}
