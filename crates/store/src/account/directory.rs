//! A directory that nobody has to hold, verified: its journal walked, its action log read, both compared with each other and
//! with a head that was kept elsewhere.
//!
//! Invariant: nothing is changed and no lock is taken.

use std::path::Path;
use std::time::Duration;

use super::read::{self, Reading};
use super::{Account, Backward, Told, compare, forward};
use crate::actions::FILE;
use crate::journal::walk::{JournalReport, walk, walk_past};
use crate::local::place::Place;
use crate::{Store, StoreError};
use skydeck_core::domain::action_log::{LogFault, LogPlace};
use skydeck_core::domain::event::{Fact, Pruned};
use skydeck_core::domain::ids::Seq;

/// A place of both files that was kept elsewhere: `line:hash:fact:chain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// A line of the action log.
    pub line: LogPlace,
    /// A fact of the journal.
    pub fact: Seq,
    /// Hash of the journal's chain after it, as hex digits.
    pub chain: String,
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}:{}", self.line.seq, self.line.hash, self.fact, self.chain)
    }
}

impl std::str::FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a head is what `skydeck log head` prints: line:hash:fact:chain".to_owned();
        let is_hex = |part: &str| part.chars().all(|c| c.is_ascii_hexdigit());
        let [line, hash, fact, chain] = text.trim().split(':').collect::<Vec<_>>()[..] else { return Err(wrong()) };
        let (seq, fact) = (line.parse().map_err(|_| wrong())?, fact.parse().map_err(|_| wrong())?);
        if !is_hex(hash) || !is_hex(chain) {
            return Err(wrong());
        }
        let hex = |part: &str| part.to_ascii_lowercase();
        Ok(Self { line: LogPlace::new(seq, hex(hash)), fact: Seq(fact), chain: hex(chain) })
    }
}

/// What verifying a directory found.
pub struct Verified {
    /// What the journal tells.
    pub told: Told,
    /// The file.
    pub log: Reading,
    /// Where they disagree.
    pub account: Account,
    /// The head of both, to be kept elsewhere.
    pub head: Head,
    /// The prune after which the journal can no longer be compared with the head that was kept: only the file was.
    pub pruned: Option<Pruned>,
}

/// Times a directory in use is read again, because what was being written looked as if something was missing.
const READINGS: u32 = 3;
/// Until one of a database is.
const MOMENT: Duration = Duration::from_millis(500);
/// Facts that are read at once.
const FACTS: usize = 2000;

/// Walks the journal of a directory, in use or not, and compares it with the file; both with a head that was kept. Changes
/// nothing and takes no lock.
///
/// # Errors
/// A directory of another program's version, a journal that is damaged, a file that cannot be read.
pub fn of_directory(dir: &Path, kept: Option<&Head>) -> Result<Verified, StoreError> {
    let mut readings = 1;
    loop {
        match verified(dir, kept) {
            Ok(found) if found.account.faults.is_empty() || readings == READINGS => return Ok(found),
            // A segment was sealed between the look and the reading.
            Err(e) if !matches!(e, StoreError::Read(_)) || readings == READINGS => return Err(e),
            Ok(_) | Err(_) => readings += 1,
        }
    }
}

/// What the journal of a directory tells of the log.
pub fn told_by(dir: &Path) -> Result<Told, StoreError> {
    let mut told = Told::default();
    walk(&Place::new(dir).journal(), Seq(0), &mut |fact| {
        told.note(&fact);
        Ok(())
    })?;
    Ok(told)
}

/// Gives on each fact of a directory's journal, in use or not. Changes nothing and takes no lock.
///
/// # Errors
/// A directory of another program's version, a journal that is damaged.
pub fn each_fact(dir: &Path, take: &mut dyn FnMut(Fact)) -> Result<(), StoreError> {
    let place = Place::new(dir);
    place.known_version()?;
    if !place.journal().exists() {
        return Ok(());
    }
    let report = walk(&place.journal(), Seq(0), &mut |fact| {
        take(fact);
        Ok(())
    })?;
    report.damage.into_iter().next().map_or(Ok(()), |damage| Err(StoreError::Damaged(damage)))
}

fn verified(dir: &Path, kept: Option<&Head>) -> Result<Verified, StoreError> {
    let place = Place::new(dir);
    // What a newer program wrote is not understood here, and must not be called whole.
    place.known_version()?;
    // Read first: a process that holds the directory only ever goes on from there.
    let durable = Seq(place.known_durable());
    let path = dir.join(FILE);
    let failed = |e: std::io::Error| StoreError::Directory(format!("{}: {e}", path.display()));
    let mut told = Told::default();
    let walk = |told: &mut Told| {
        let note = &mut |fact: Fact| {
            told.note(&fact);
            Ok(())
        };
        let journal = place.journal();
        if !journal.exists() {
            return Ok(JournalReport::default());
        }
        walk_past(&journal, durable, kept.map(|head| head.fact), note)
    };
    let mut report = walk(&mut told)?;
    let log = read::read(&path, told.accepted(), |_, _| Ok(())).map_err(failed)?;
    let mut account = compare(&log, &told);
    if !account.faults.is_empty() && log.fault.is_none() {
        // Lines that were written after the journal was read are told by now. What it told before is not asked again of a
        // file that was read before it tells more.
        let before = std::mem::take(&mut told);
        report = walk(&mut told)?;
        let mut faults = forward(&log, &before);
        let (backward, loose) = Backward::new(&log, &told).faults(&log);
        faults.extend(backward);
        account = Account { faults, loose };
    }
    if let Some(damage) = report.damage.into_iter().next() {
        return Err(StoreError::Damaged(damage));
    }
    let head = Head { line: log.head(), fact: told.last, chain: report.head };
    let mut pruned = None;
    if let Some(kept) = kept {
        account.faults.extend(against_line(&log, kept));
        pruned = told.pruned.iter().rev().find(|pruned| kept.fact < pruned.old_last).cloned();
        let at_prune = told.pruned.iter().find(|pruned| kept.fact == pruned.old_last).map(|pruned| &pruned.old_head);
        if kept.fact > told.last {
            account.faults.push(LogFault::JournalCut { last: told.last, head: kept.fact });
        } else if pruned.is_none() && kept.fact > Seq(0) && at_prune.or(report.asked.as_ref()) != Some(&kept.chain) {
            account.faults.push(LogFault::JournalReplaced { head: kept.fact });
        }
    }
    Ok(Verified { told, log, account, head, pruned })
}

/// The same of a store in a database, whose chain somebody else verifies: all its facts are read, and compared with the file, which it
/// calls by a name. `hash_of`: the hash of the chain after a fact, as hex digits.
///
/// # Errors
/// The store does not answer, or the file cannot be read.
pub async fn of_database(
    path: &Path,
    (store, name): (&dyn Store, &str),
    kept: Option<&Head>,
    hash_of: impl AsyncFn(Seq) -> Result<Option<String>, StoreError>,
) -> Result<Verified, StoreError> {
    let failed = |e: std::io::Error| StoreError::Directory(format!("{}: {e}", path.display()));
    let mut readings = 1;
    let (told, log, mut account) = loop {
        let accepted = Told::of_store(store, Some(name)).await?.accepted().cloned();
        let log = read::read(path, accepted.as_ref(), |_, _| Ok(())).map_err(failed)?;
        let mut told = Told { file: Some(name.to_owned()), ..Told::default() };
        loop {
            let facts = store.facts_after(told.last, FACTS).await?;
            if facts.is_empty() {
                break;
            }
            for fact in &facts {
                told.note(fact);
            }
        }
        for (_, witness) in &mut told.witnesses {
            witness.at.file = None;
        }
        let account = compare(&log, &told);
        if account.faults.is_empty() || readings == READINGS {
            break (told, log, account);
        }
        // A line that was just being written is told a moment later.
        readings += 1;
        tokio::time::sleep(MOMENT).await;
    };
    let head = Head { line: log.head(), fact: told.last, chain: hash_of(told.last).await?.unwrap_or_default() };
    if let Some(kept) = kept {
        account.faults.extend(against_line(&log, kept));
        if kept.fact > told.last {
            account.faults.push(LogFault::JournalCut { last: told.last, head: kept.fact });
        } else if kept.fact > Seq(0) && hash_of(kept.fact).await?.as_ref() != Some(&kept.chain) {
            account.faults.push(LogFault::JournalReplaced { head: kept.fact });
        }
    }
    Ok(Verified { told, log, account, head, pruned: None })
}

/// What the file does not hold of a head that was kept.
fn against_line(log: &Reading, kept: &Head) -> Option<LogFault> {
    if kept.line.seq == 0 || log.fault.is_some() {
        return None;
    }
    let held = log.rows.iter().rev().find(|row| row.at.seq == kept.line.seq);
    match held {
        Some(row) if row.at.hash == kept.line.hash => None,
        Some(_) => Some(LogFault::Replaced { line: kept.line.seq }),
        None => Some(LogFault::Cut { last: log.head().seq, told: kept.line.seq }),
    }
}
