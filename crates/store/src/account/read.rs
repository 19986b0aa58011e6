//! Reads the action log's file from its beginning and checks its chain, a line at a time.
//!
//! Invariant: what a crash tore at the end is no fault and no line; the first line that is not as it was written ends the
//! reading.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::actions::{Line, Phase, VERSION, line_hash};
use crate::{file, hex};
use skydeck_core::domain::action_log::{Flaw, LogFault, LogPlace, LogWitness};
use skydeck_core::domain::time::Ts;

/// Longest line that is read, bytes. Lines of ours are far shorter (`domain::bounds`); those of earlier programs could hold
/// what one order held.
const LONGEST: u64 = 8 << 20;
/// A clock that is kept true by the network steps by less than this.
pub const CLOCK_STEP: Duration = Duration::from_secs(1);

/// What the comparison needs of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Place and hash.
    pub at: LogPlace,
    /// At which moment of its action it was written.
    pub phase: Phase,
    /// The order's id.
    pub order: Option<String>,
    /// What it is about.
    pub action: String,
    /// The run.
    pub run: Option<String>,
    /// Why it was refused, for programs.
    pub code: Option<String>,
}

/// What reading a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Whether there is a file.
    pub exists: bool,
    /// Good lines, in their order.
    pub rows: Vec<Row>,
    /// The first line that is not good. Nothing is read after it.
    pub fault: Option<LogFault>,
    /// Bytes up to the end of the last line.
    pub whole: u64,
    /// Bytes behind it that a crash left of a line nobody was told of.
    pub torn: u64,
    /// Actions begun (phase `before`) of which no `after` follows: cut short by a crash.
    pub unfinished: Vec<u64>,
    /// Lines whose time is before that of the line before them: place, the time before, the time there.
    pub back: Vec<(u64, String, String)>,
}

impl Reading {
    /// The newest line; place 0 where there is none.
    pub fn head(&self) -> LogPlace {
        self.rows.last().map(|row| row.at.clone()).unwrap_or_default()
    }
}

/// Reads one line: what it says, and its own hash where that fits its bytes.
fn parse(text: &str) -> Result<(Line, String), Flaw> {
    let (body, rest) = text.rsplit_once(",\"h\":\"").ok_or(Flaw::Unreadable)?;
    let hash = rest.strip_suffix("\"}").ok_or(Flaw::Unreadable)?;
    if line_hash(body) != hash {
        return Err(Flaw::Hash);
    }
    let line: Line = serde_json::from_str(&format!("{body}}}")).map_err(|_| Flaw::Unreadable)?;
    if line.v == VERSION { Ok((line, hash.to_owned())) } else { Err(Flaw::Version) }
}

/// Lines that a person accepted as they were, and what came of comparing them.
struct Accepted<'a> {
    witness: &'a LogWitness,
    left: u64,
    hash: Sha256,
}

/// Reads lines one after the other; `each` is given the good ones.
struct Reader<'a, F> {
    each: F,
    out: Reading,
    tip: LogPlace,
    accepted: Option<Accepted<'a>>,
    begun: BTreeMap<String, u64>,
    said: String,
}

/// Reads a log and checks its chain; each good line is given to `each`. `accepted`: the newest witness by which a person
/// accepted what the file held.
pub fn read(
    path: &Path,
    accepted: Option<&LogWitness>,
    each: impl FnMut(&str, &Line) -> std::io::Result<()>,
) -> std::io::Result<Reading> {
    let accepted = accepted.and_then(|witness| {
        let left = witness.accepted.as_ref()?.bytes;
        Some(Accepted { witness, left, hash: Sha256::new() })
    });
    let mut reader = Reader {
        each,
        out: Reading::default(),
        tip: LogPlace::default(),
        accepted,
        begun: BTreeMap::new(),
        said: String::new(),
    };
    let file = match file::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            reader.pass_accepted();
            return Ok(reader.out);
        }
        Err(e) => return Err(e),
    };
    reader.out.exists = true;
    let mut from = BufReader::with_capacity(256 * 1024, file);
    let (mut bytes, mut number) = (Vec::new(), 0);
    reader.pass_accepted();
    while reader.out.fault.is_none() {
        bytes.clear();
        let got = (&mut from).take(LONGEST).read_until(b'\n', &mut bytes)? as u64;
        number += 1;
        match bytes.split_last() {
            None => break,
            Some((b'\n', text)) => reader.line(number, text, got)?,
            Some(_) if got == LONGEST => {
                reader.out.fault = Some(LogFault::Broken { line: number, flaw: Flaw::TooLong });
            }
            Some(_) => {
                reader.out.torn = got;
                break;
            }
        }
    }
    if let (Some(accepted), None) = (&reader.accepted, &reader.out.fault) {
        // The file ends within the part that was accepted.
        reader.out.fault = Some(LogFault::AcceptedPart { line: accepted.witness.at.seq });
    }
    reader.out.unfinished = reader.begun.into_values().collect();
    reader.out.unfinished.sort_unstable();
    Ok(reader.out)
}

impl<F: FnMut(&str, &Line) -> std::io::Result<()>> Reader<'_, F> {
    /// Once the accepted part is passed, compares it and goes on from its end.
    fn pass_accepted(&mut self) {
        let Some(accepted) = self.accepted.take_if(|accepted| accepted.left == 0) else { return };
        let is = hex(&accepted.hash.finalize());
        if accepted.witness.accepted.as_ref().is_some_and(|file| file.sha256 != is) {
            self.out.fault = Some(LogFault::AcceptedPart { line: accepted.witness.at.seq });
        }
        self.tip = accepted.witness.at.clone();
    }

    fn line(&mut self, number: u64, text: &[u8], bytes: u64) -> std::io::Result<()> {
        let read = std::str::from_utf8(text).map_err(|_| Flaw::Unreadable).and_then(|text| Ok((text, parse(text)?)));
        if let Some(accepted) = &mut self.accepted {
            accepted.hash.update(text);
            accepted.hash.update(b"\n");
            match accepted.left.checked_sub(bytes) {
                Some(left) => accepted.left = left,
                None => self.out.fault = Some(LogFault::AcceptedPart { line: accepted.witness.at.seq }),
            }
            if let Ok((text, (line, hash))) = read {
                self.good(text, line, hash)?;
            }
            self.out.whole += bytes;
            self.pass_accepted();
            return Ok(());
        }
        let flaw = match &read {
            Err(flaw) => Some(*flaw),
            Ok((_, (line, _))) if line.seq != self.tip.seq + 1 => Some(Flaw::Place),
            Ok((_, (line, _))) if line.prev != self.tip.hash => Some(Flaw::Order),
            Ok(_) => None,
        };
        match (flaw, read) {
            (None, Ok((text, (line, hash)))) => {
                self.tip = LogPlace::new(line.seq, hash.clone());
                self.good(text, line, hash)?;
                self.out.whole += bytes;
            }
            (flaw, _) => {
                let flaw = flaw.unwrap_or(Flaw::Unreadable);
                self.out.fault = Some(LogFault::Broken { line: number, flaw });
            }
        }
        Ok(())
    }

    fn good(&mut self, text: &str, line: Line, hash: String) -> std::io::Result<()> {
        (self.each)(text, &line)?;
        self.note_time(&line);
        let Line { seq, deed, .. } = line;
        match (deed.phase, &deed.order) {
            (Phase::Before, Some(order)) => drop(self.begun.insert(order.clone(), seq)),
            (Phase::After, Some(order)) => drop(self.begun.remove(order)),
            (Phase::Before | Phase::After | Phase::Refused | Phase::End, _) => {}
        }
        let at = LogPlace::new(seq, hash);
        let (phase, order, action, run, code) = (deed.phase, deed.order, deed.action, deed.run, deed.code);
        self.out.rows.push(Row { at, phase, order, action, run, code });
        Ok(())
    }

    /// Notes where the clock went back; the chain is whole all the same.
    fn note_time(&mut self, line: &Line) {
        let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| Ts(at.timestamp_millis()));
        if let (Some(before), Some(now)) = (at(&self.said), at(&line.ts))
            && before.since(now) > CLOCK_STEP
        {
            self.out.back.push((line.seq, self.said.clone(), line.ts.clone()));
        }
        self.said.clone_from(&line.ts);
    }
}
