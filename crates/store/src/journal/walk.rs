//! Reads a journal from its first segment to its last, as far as each of them can be read.
//!
//! Invariant: it only reads; damage in one segment does not hide the next.

use std::path::Path;

use super::frame::{self, Chain};
use super::segment::{self, Header, Rest};
use super::{sealed, tail};
use crate::StoreError;
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
    let mut walk = Walk {
        dir,
        witness,
        asked,
        report: JournalReport::default(),
        expected: Some((Seq(1), Chain::default())),
        running: Chain::default(),
    };
    let mut no_before = 0;
    for (no, (plain, _)) in files {
        if no != no_before + 1 {
            walk.damaged(format!("segment {:08}: it is missing", no_before + 1));
        }
        no_before = no;
        walk.segment(Walked { no, plain, is_last: Some(no) == last_no }, each)?;
    }
    let mut report = walk.report;
    if report.damage.is_empty() && report.last < witness {
        let what = format!("the journal ends at fact {}, but facts up to {witness} were stored", report.last);
        report.damaged(report.last, what);
    }
    if report.damage.is_empty() {
        report.whole = report.last;
    }
    Ok(report)
}

/// A walk on its way.
struct Walk<'a> {
    dir: &'a Path,
    /// Facts up to here were stored.
    witness: Seq,
    asked: Option<Seq>,
    report: JournalReport,
    /// With what the next segment must begin; nothing is known of it behind damage.
    expected: Option<(Seq, Chain)>,
    /// The chain's hash so far, where a place was asked for.
    running: Chain,
}

/// A segment that is walked: its number, whether its plain file is there, and whether it is the journal's last one.
#[derive(Clone, Copy)]
struct Walked {
    no: u32,
    plain: bool,
    is_last: bool,
}

/// How a segment ended: its header, the place and the chain behind it, and what of it could not be read.
type Ended = (Header, Seq, Chain, Option<Rest>);

impl Walk<'_> {
    /// Notes damage behind the last fact; what comes next need not continue it.
    fn damaged(&mut self, what: String) {
        self.report.damaged(self.report.last, what);
        self.expected = None;
    }

    fn segment(
        &mut self,
        walked: Walked,
        each: &mut dyn FnMut(Fact) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Walked { no, plain, .. } = walked;
        let path = if plain { segment::plain_path(self.dir, no) } else { sealed::sealed_path(self.dir, no) };
        self.report.segments += 1;
        self.report.sealed += u32::from(!plain);
        self.report.bytes += std::fs::metadata(&path).map_or(0, |m| m.len());
        let before = self.report.last;
        match self.facts(&path, walked, each)? {
            Ok(ended) => self.ended(walked, before, ended),
            Err(StoreError::Damaged(what)) => self.damaged(what),
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// Gives the facts of a segment on. The outer error is that of whoever takes them, the inner one the segment's.
    fn facts(
        &mut self,
        path: &Path,
        Walked { no, plain, .. }: Walked,
        each: &mut dyn FnMut(Fact) -> Result<(), StoreError>,
    ) -> Result<Result<Ended, StoreError>, StoreError> {
        let (report, running, asked) = (&mut self.report, &mut self.running, self.asked);
        let mut fault = None;
        let mut on = |_: u64, first: Seq, payload: &[u8]| {
            let facts = frame::facts(payload).map_err(|e| segment::damaged(no, 0, first, &e.to_string()))?;
            if asked.is_some() {
                *running = frame::link(running, first, payload);
                if facts.last().map(|fact| fact.seq) == asked {
                    report.asked = Some(crate::hex(&*running));
                }
            }
            for fact in facts {
                report.facts += 1;
                report.last = fact.seq;
                if let Err(e) = each(fact) {
                    fault = Some(e);
                    return Err(StoreError::Read("stopped".to_owned()));
                }
            }
            Ok(())
        };
        let ended = if plain {
            segment::scan(path, no, true, &mut on).map(|s| (s.header, s.next, s.chain, s.rest))
        } else {
            sealed::walk(path, no, &mut on).map(|t| (t.header, t.next, t.chain, None))
        };
        fault.map_or(Ok(ended), Err)
    }

    /// Compares a segment that was read with the one before it, and tells a torn end from damage.
    fn ended(&mut self, Walked { no, is_last, .. }: Walked, before: Seq, (header, next, chain, rest): Ended) {
        if self.expected.is_some_and(|expected| expected != (header.first, header.before)) {
            self.report.damaged(before, format!("segment {no:08}: it does not continue the segment before it"));
        }
        self.expected = Some((next, chain));
        self.report.head = crate::hex(&chain);
        let Some(rest) = rest else { return };
        let told = format!("segment {no:08}, offset {}, fact {next}: {}", rest.offset, rest.what);
        if is_last && !rest.whole_behind && next > self.witness {
            self.report.torn = Some(told);
        } else {
            self.damaged(told);
        }
    }
}
