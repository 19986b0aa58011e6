//! What an auditor is given of a run: its appends as they stand in the journal, what they say in words of JSON, and the lines of
//! the action log about it.
//!
//! Invariants: it only reads. Every line holds the hash of the line before it under its own, so that no byte of the file can be
//! changed and nothing taken out unseen; the hash of the last line is the seal. What is told beside an append is in it: whoever
//! reads the file derives it again (docs/handed-on.md, contrib/check-evidence.py).

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::account::{Told, read};
use super::actions::FILE;
use super::journal::frame::{self, Chain};
use super::journal::{sealed, segment, tail};
use super::local::place::Place;
use super::{StoreError, hex};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::{RunId, Seq};
use skydeck_core::domain::step::{Body, Evidence};
use skydeck_core::text::json_safe;

/// Version of the file.
const VERSION: u32 = 1;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Appends of the run.
    pub appends: u64,
    /// Calls with request and answer.
    pub calls: u64,
    /// Lines of the action log.
    pub lines: u64,
    /// Hash of the last line: whoever keeps it elsewhere knows the file again.
    pub seal: String,
}

/// Why there is no evidence.
#[derive(Debug)]
pub enum Unwritten {
    /// The journal or the log cannot be read or is damaged.
    Store(StoreError),
    /// The file cannot be written: nothing is wrong with what the directory holds.
    File(std::io::Error),
}

/// Writes the evidence of a run of a directory, in use or not; `made`: when, and by which program.
///
/// # Errors
/// See [`Unwritten`].
pub fn write(dir: &Path, run: RunId, made: &Value, out: &mut dyn Write) -> Result<Sealed, Unwritten> {
    let mut lines = Lines { out, before: String::new(), fault: None };
    let sealed = all(dir, run, made, &mut lines);
    match lines.fault {
        Some(error) => Err(Unwritten::File(error)),
        None => sealed.map_err(Unwritten::Store),
    }
}

fn all(dir: &Path, run: RunId, made: &Value, lines: &mut Lines<'_>) -> Result<Sealed, StoreError> {
    let place = Place::new(dir);
    place.known_version()?;
    lines.add(&json!({"type": "evidence", "version": VERSION, "run": run.to_string(), "made": made}))?;
    let mut sealed = Sealed::default();
    let mut orders = BTreeSet::new();
    // What the whole journal says of the log, of whichever run: it is read once.
    let mut of_log = Told::default();
    let mut chain = Chain::default();
    payloads(&place.journal(), &mut |first, payload| {
        let before = chain;
        chain = frame::link(&before, first, payload);
        let facts = frame::facts(payload)?;
        for fact in &facts {
            of_log.note(fact);
        }
        if facts.iter().all(|fact| fact.event.run() != Some(run)) {
            return Ok(());
        }
        sealed.appends += 1;
        lines.add(&json!({
            "type": "append", "place": first.0, "facts": facts.len(), "before": hex(&before), "chain": hex(&chain),
            "payload": base64::engine::general_purpose::STANDARD.encode(payload),
        }))?;
        for fact in facts.iter().filter(|fact| fact.event.run() == Some(run)) {
            if let Event::ActionTaken(entry) = &fact.event {
                orders.extend(entry.order.as_ref().map(ToString::to_string));
            }
            let Some(told) = told(fact) else { continue };
            sealed.calls += u64::from(told.get("type").is_some_and(|kind| kind == "call"));
            lines.add(&told)?;
        }
        Ok(())
    })?;
    sealed.lines = log(dir, &of_log, run, &orders, lines)?;
    lines.add(&json!({"type": "end", "appends": sealed.appends, "calls": sealed.calls, "log": sealed.lines}))?;
    sealed.seal.clone_from(&lines.before);
    Ok(sealed)
}

/// Lines that hold on to one another.
struct Lines<'a> {
    out: &'a mut dyn Write,
    before: String,
    /// Why the file takes no more.
    fault: Option<std::io::Error>,
}

impl Lines<'_> {
    /// The hash covers the one of the line before, and every byte up to `,"h":`.
    fn add(&mut self, value: &Value) -> Result<(), StoreError> {
        let text = value.to_string();
        let body = json_safe(text.strip_suffix('}').unwrap_or(&text)).into_owned();
        let hash = hex(&Sha256::new().chain_update(&self.before).chain_update(&body).finalize());
        if let Err(error) = writeln!(self.out, "{body},\"h\":\"{hash}\"}}") {
            let said = StoreError::Write(format!("the evidence: {error}"));
            self.fault = Some(error);
            return Err(said);
        }
        self.before = hash;
        Ok(())
    }
}

/// Takes an append: its first place, and its payload.
type Each<'a> = dyn FnMut(Seq, &[u8]) -> Result<(), StoreError> + 'a;

/// Gives every append of a journal as it stands, with its first place.
fn payloads(dir: &Path, each: &mut Each<'_>) -> Result<(), StoreError> {
    let files = tail::files(dir)?;
    let last = files.keys().next_back().copied();
    for (no, (plain, _)) in files {
        if !plain {
            sealed::walk(&sealed::sealed_path(dir, no), no, |_, first, payload| each(first, payload))?;
            continue;
        }
        let path = segment::plain_path(dir, no);
        let read = segment::scan(&path, no, true, |_, first, payload| each(first, payload))?;
        if let Some(rest) = read.rest.filter(|rest| rest.whole_behind || Some(no) != last) {
            return Err(segment::damaged(no, rest.offset, read.next, rest.what));
        }
    }
    Ok(())
}

fn sha256(body: &Body) -> String {
    body.sha256.clone().unwrap_or_else(|| hex(&Sha256::digest(&body.bytes.0)))
}

/// What a fact says that an auditor asks for first. The numbers of calls and hashes are those that its bytes hold.
fn told(fact: &Fact) -> Option<Value> {
    let (place, at) = (fact.seq.0, fact.at.0);
    Some(match &fact.event {
        Event::RunOpened(head) => json!({
            "type": "opened", "place": place, "at_ms": at, "plan": head.plan, "revision": head.rev, "environment": head.env,
            "by": head.by.to_string(), "filter": head.filter,
        }),
        Event::RunCollected { collected, .. } => {
            json!({"type": "set", "place": place, "at_ms": at, "hash": collected.hash, "callable": collected.callable})
        }
        Event::RunConsented { consent, .. } => json!({
            "type": "first_approval", "place": place, "at_ms": at, "by": consent.by.to_string(), "hash": consent.hash,
            "reason": consent.reason,
        }),
        Event::RunApproved { by, hash, reason, .. } => json!({
            "type": "approved", "place": place, "at_ms": at, "by": by.to_string(), "hash": hash, "reason": reason,
        }),
        Event::StepAnswered { fid, attempt, ms, evidence: Some(evidence), .. } => {
            let Evidence { request, http, response, error } = &**evidence;
            json!({
                "type": "call", "place": place, "at_ms": at, "fid": fid, "attempt": attempt, "ms": ms, "http": http,
                "request_sha256": sha256(request), "answer_sha256": response.as_ref().map(sha256), "error": error,
            })
        }
        Event::BillRead { fid, rev, .. } => json!({
            "type": "read_back", "place": place, "at_ms": at, "fid": fid,
            "status": rev.as_ref().map(|rev| rev.status.code().to_owned()),
        }),
        Event::BillSettled { fid, no, outcome, .. } => json!({
            "type": "outcome", "place": place, "at_ms": at, "fid": fid, "no": no, "outcome": outcome.slot().code(),
        }),
        Event::RunClosed { .. } => json!({"type": "closed", "place": place, "at_ms": at}),
        _ => return None,
    })
}

/// The lines of the action log about a run, as they stand.
fn log(
    dir: &Path,
    told: &Told,
    run: RunId,
    orders: &BTreeSet<String>,
    lines: &mut Lines<'_>,
) -> Result<u64, StoreError> {
    let path = dir.join(FILE);
    let failed = |e: std::io::Error| StoreError::Directory(format!("{}: {e}", path.display()));
    let run = run.to_string();
    let mut written = 0;
    let mut fault = None;
    let read = read::read(&path, told.accepted(), |text, line| {
        let of_run = line.deed.run.as_ref() == Some(&run);
        if fault.is_none() && (of_run || line.deed.order.as_ref().is_some_and(|order| orders.contains(order))) {
            written += 1;
            fault = lines.add(&json!({"type": "log", "line": text})).err();
        }
        Ok(())
    });
    let read = read.map_err(failed)?;
    match (fault, read.fault) {
        (Some(error), _) => Err(error),
        (None, Some(flaw)) => Err(StoreError::Damaged(flaw.en())),
        (None, None) => Ok(written),
    }
}
