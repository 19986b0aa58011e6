//! What can be said and done about a store that nobody holds: check, rebuild, compact, export.
//!
//! Invariant: a check changes nothing but a scratch index beside the real one; nothing here ever writes to the
//! journal but the sealing of segments that no longer grow.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::account::{self, Told, read};
use super::index::fold::fold;
use super::index::key;
use super::index::kv::{Batch, Entry, Kv, Walk};
use super::index::write_batch::WriteBatch;
use super::index::{Index, LAYOUT};
use super::index::{is_of_forecast, is_of_hours};
pub use super::journal::walk::JournalReport;
use super::journal::walk::walk;
use super::journal::{sealed, segment, tail};
use super::local::disk::{Disk, RealDisk};
use super::local::place::{Place, VERSION, stamp};
use super::local::upgrade::put_in_place;
use super::local::{OpenFault, Progress, SledKv};
use super::{StoreError, actions, file};
use skydeck_core::domain::action_log::LogFault;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::time::Clock;

/// Differences named one by one; the rest is counted.
const NAMED: usize = 20;
/// Keys copied or applied together.
const BATCH: usize = 400;

/// What a comparison of the index with the journal found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexReport {
    /// Why it does not open, if it does not.
    pub broken: Option<String>,
    /// Its layout, where that is another than this program's: nothing is wrong with it, it is not compared, and the
    /// next opening builds it anew.
    pub layout: Option<u32>,
    /// Facts the journal has and the index has not seen yet; the next opening folds them in.
    pub behind: u64,
    /// Entries compared.
    pub entries: u64,
    /// Entries that are missing, too many or other than the journal says.
    pub wrong: u64,
    /// The first of them, by key.
    pub examples: Vec<String>,
    /// Bytes on disk.
    pub bytes: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Version of the directory; an earlier one is raised by the next console or writing verb.
    pub version: u32,
    /// The journal.
    pub journal: JournalReport,
    /// The index; not compared when the journal is damaged.
    pub index: IndexReport,
    /// Runs ever opened.
    pub runs: u64,
    /// Runs not closed.
    pub open_runs: u64,
    /// Bills in runs.
    pub bills: u64,
    /// Unresolved bills.
    pub unresolved: u64,
    /// Of these, unknown.
    pub unknown: u64,
    /// Intents without an answer.
    pub in_flight: u64,
    /// Bytes free where the store lies.
    pub free: u64,
    /// Whether space is set aside for a full disk.
    pub ballast: bool,
    /// Damaged indexes put aside earlier, and torn ends kept.
    pub kept: Vec<PathBuf>,
    /// Whether index and action log were compared and bills counted: not where the journal is damaged.
    pub compared: bool,
    /// Lines of the action log.
    pub log_lines: u64,
    /// Where the action log and the journal disagree.
    pub log: Vec<LogFault>,
}

impl Report {
    /// Whether nothing is wrong. A torn end and an index that is merely behind are no faults.
    pub fn is_sound(&self) -> bool {
        self.journal.damage.is_empty() && self.index.broken.is_none() && self.index.wrong == 0 && self.log.is_empty()
    }
}

/// Walks the journal's chain and compares every entry of the index with a fold of it. The store must be free.
pub fn check(dir: &Path, clock: &dyn Clock, progress: &dyn Fn(Progress)) -> Result<Report, StoreError> {
    let place = Place::new(dir);
    place.check()?;
    let _lock = place.take(clock.now(), "doctor")?;
    let mut report = Report {
        version: place.known_version()?,
        free: RealDisk.free(dir).unwrap_or(0),
        ballast: place.has_ballast(),
        kept: kept(dir),
        ..Report::default()
    };
    let scratch_dir = dir.join(format!("sled.check-{}", stamp(clock.now())));
    let opened = match SledKv::open(&place.index()) {
        Ok(kv) => Some(Index::new(kv)),
        Err(OpenFault::Disk(e)) => return Err(place.refused("the index cannot be opened", &e)),
        Err(OpenFault::Damaged(why)) => {
            report.index.broken = Some(why);
            None
        }
        Err(OpenFault::Unblocked) => {
            report.index.layout = Some(0);
            None
        }
    };
    let applied = opened.as_ref().map_or(Ok(Seq(u64::MAX)), Index::applied)?;
    if let Some(index) = &opened {
        report.index.layout = index.layout()?.filter(|layout| *layout != LAYOUT);
    }
    let witness = Seq(place.known_durable().max(if applied.0 == u64::MAX { 0 } else { applied.0 }));
    let fresh = fresh(&place, &scratch_dir)?;
    // An index that is of this layout and empty names none yet.
    if opened.as_ref().is_none_or(|index| index.layout().is_ok_and(|layout| layout.is_some())) {
        fresh.begin()?;
    }
    let mut told = Told::default();
    let folded = fold_all(&place.journal(), witness, applied, &fresh, &mut told, progress);
    let compared = folded.and_then(|journal| {
        report.journal = journal;
        if !report.journal.damage.is_empty() {
            return Ok(());
        }
        report.compared = true;
        count(&fresh.kv, &mut report)?;
        let log = dir.join(actions::FILE);
        let found = read::read(&log, told.accepted(), |_, _| Ok(()));
        let found = found.map_err(|e| StoreError::Directory(format!("{}: {e}", log.display())))?;
        report.log = account::compare(&found, &told).faults;
        report.log_lines = found.rows.len() as u64;
        if let Some(index) = &opened {
            report.index.behind = report.journal.last.0.saturating_sub(applied.0);
            if report.index.layout.is_none() {
                // Where hours are not counted yet, the next start does it.
                let hours = index.hours_counted()? == applied;
                compare(
                    &fresh.kv,
                    &index.kv,
                    &|key| (hours || !is_of_hours(key)) && !is_of_forecast(key),
                    &mut report.index,
                )?;
            }
        }
        Ok(())
    });
    drop(fresh);
    let _ = std::fs::remove_dir_all(&scratch_dir);
    report.index.bytes = file::size_of(&place.index());
    compared.map(|()| report)
}

/// Builds the index anew from the journal and puts it in the old one's place. Gives the facts folded.
pub fn rebuild(dir: &Path, clock: &dyn Clock, progress: &dyn Fn(Progress)) -> Result<u64, StoreError> {
    let place = Place::new(dir);
    place.check()?;
    let _lock = place.take(clock.now(), "doctor")?;
    raised(&place)?;
    let new_dir = dir.join("sled.new");
    // The index that goes is a witness, too: a journal that ends before what it holds was cut.
    let held = SledKv::open(&place.index()).ok().map_or(Ok(Seq(0)), |kv| Index::new(kv).applied()).unwrap_or_default();
    let witness = held.max(Seq(place.known_durable()));
    let fresh = fresh(&place, &new_dir)?;
    fresh.begin()?;
    let journal = fold_all(&place.journal(), witness, Seq(u64::MAX), &fresh, &mut Told::default(), progress)?;
    if let Some(first) = journal.damage.first() {
        drop(fresh);
        let _ = std::fs::remove_dir_all(&new_dir);
        return Err(StoreError::Damaged(first.clone()));
    }
    swap(&place, fresh, &new_dir, clock)?;
    Ok(journal.facts)
}

/// Refuses a directory of an earlier version: its program must not meet an index of this layout.
fn raised(place: &Place) -> Result<(), StoreError> {
    match place.known_version()? {
        VERSION => Ok(()),
        found => Err(place.say(&format!(
            "it is of version {found}, and this is for version {VERSION}: `{}` raises it, after a backup, and builds the \
             index anew",
            place.command("upgrade")
        ))),
    }
}

/// Copies the index in key order into a smaller one and seals segments that no longer grow. Gives the bytes of
/// index and journal before and after.
pub fn compact(dir: &Path, clock: &dyn Clock) -> Result<(u64, u64), StoreError> {
    let place = Place::new(dir);
    place.check()?;
    let _lock = place.take(clock.now(), "doctor")?;
    place.known_version()?;
    let before = file::size_of(&place.index()) + file::size_of(&place.journal());
    let old = open_index(&place)?;
    let new_dir = dir.join("sled.new");
    let fresh = fresh(&place, &new_dir)?;
    let mut batch = Batch::new();
    for entry in Walk::prefix(&old, Vec::new(), false) {
        let (key, value) = entry?;
        batch.insert(key, Some(value));
        if batch.len() >= BATCH {
            fresh.kv.apply(std::mem::take(&mut batch))?;
        }
    }
    fresh.kv.apply(batch)?;
    drop(old);
    swap(&place, fresh, &new_dir, clock)?;
    let files = tail::files(&place.journal())?;
    let last = files.keys().next_back().copied();
    for (no, (plain, is_sealed)) in files {
        if plain
            && !is_sealed
            && Some(no) != last
            && sealed::seal(&place.journal(), no, &AtomicBool::new(false))?.is_some()
        {
            let path = segment::plain_path(&place.journal(), no);
            std::fs::remove_file(&path).map_err(|e| StoreError::Write(format!("{}: {e}", path.display())))?;
        }
    }
    Ok((before, file::size_of(&place.index()) + file::size_of(&place.journal())))
}

/// Writes every fact that can be read as a line of JSON. Takes no lock and changes nothing, so it serves on a
/// read-only disk too. What cannot be read is told in the report.
pub fn export(dir: &Path, out: &mut dyn Write) -> Result<JournalReport, StoreError> {
    let place = Place::new(dir);
    place.known_version()?;
    walk(&place.journal(), Seq(place.known_durable()), &mut |fact| {
        if fact.event == Event::Forgotten {
            return Ok(());
        }
        let failed = |e: String| StoreError::Write(format!("the export: {e}"));
        serde_json::to_writer(&mut *out, &fact).map_err(|e| failed(e.to_string()))?;
        out.write_all(b"\n").map_err(|e| failed(e.to_string()))
    })
}

fn open_index(place: &Place) -> Result<SledKv, StoreError> {
    SledKv::open(&place.index()).map_err(|fault| match fault {
        OpenFault::Disk(e) => place.refused("the index cannot be opened", &e),
        OpenFault::Damaged(why) => StoreError::Read(format!("the index is damaged: {why}; rebuild it first")),
        OpenFault::Unblocked => {
            StoreError::Read("the index is of an earlier layout; the next start upgrades it".into())
        }
    })
}

fn fresh(place: &Place, dir: &Path) -> Result<Index<SledKv>, StoreError> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(|e| place.refused(&dir.display().to_string(), &e))?;
    }
    match SledKv::open(dir) {
        Ok(kv) => Ok(Index::new(kv)),
        Err(OpenFault::Disk(e)) => Err(place.refused("a scratch index cannot be made", &e)),
        Err(OpenFault::Damaged(why)) => Err(StoreError::Write(format!("a scratch index cannot be made: {why}"))),
        Err(OpenFault::Unblocked) => Err(StoreError::Write("a scratch index cannot be made".to_owned())),
    }
}

fn swap(place: &Place, fresh: Index<SledKv>, new_dir: &Path, clock: &dyn Clock) -> Result<(), StoreError> {
    fresh.kv.sync().map_err(|e| place.refused("the new index cannot take its place", &e))?;
    drop(fresh);
    put_in_place(place, &RealDisk, new_dir, &stamp(clock.now()))
}

fn fold_all<K: Kv>(
    dir: &Path,
    witness: Seq,
    up_to: Seq,
    index: &Index<K>,
    told: &mut Told,
    progress: &dyn Fn(Progress),
) -> Result<JournalReport, StoreError> {
    let mut work = WriteBatch::new(index);
    let mut misfit = Vec::new();
    let mut report = walk(dir, witness, &mut |fact| {
        told.note(&fact);
        if fact.seq > up_to || !misfit.is_empty() {
            return Ok(());
        }
        match fold(&fact, &mut work) {
            Ok(()) => work.accept(fact.seq),
            Err(StoreError::Contradiction(what)) => misfit.push((fact.seq, format!("fact {}: {what}", fact.seq))),
            Err(e) => return Err(e),
        }
        for batch in work.take_full() {
            index.kv.apply(batch)?;
        }
        if fact.seq.0 % 2_000 == 0 {
            progress(Progress::Folding { done: fact.seq.0, of: fact.seq.0.max(witness.0) });
        }
        Ok(())
    })?;
    for batch in work.finish() {
        index.kv.apply(batch)?;
    }
    // Behind damage nothing fits; what counts is the damage.
    if let (true, Some((seq, what))) = (report.damage.is_empty(), misfit.pop()) {
        report.whole = Seq(seq.0 - 1);
        report.damage.push(what);
    }
    Ok(report)
}

fn compare<A: Kv, B: Kv>(
    right: &A,
    held: &B,
    asked: &dyn Fn(&[u8]) -> bool,
    report: &mut IndexReport,
) -> Result<(), StoreError> {
    let is_asked = |entry: &Result<Entry, StoreError>| entry.as_ref().map_or(true, |(key, _)| asked(key));
    let mut right = Walk::prefix(right, Vec::new(), false).filter(is_asked);
    let mut held = Walk::prefix(held, Vec::new(), false).filter(is_asked);
    let (mut a, mut b): (Option<Entry>, Option<Entry>) = (right.next().transpose()?, held.next().transpose()?);
    loop {
        let (what, key, step_a, step_b) = match (&a, &b) {
            (None, None) => return Ok(()),
            (Some((ka, va)), Some((kb, vb))) if ka == kb => {
                report.entries += 1;
                ((va != vb).then_some("other than the journal says"), ka, true, true)
            }
            (Some((ka, _)), Some((kb, _))) if ka < kb => (Some("missing"), ka, true, false),
            (Some((ka, _)), None) => (Some("missing"), ka, true, false),
            (_, Some((kb, _))) => (Some("too many"), kb, false, true),
        };
        if let Some(what) = what {
            report.wrong += 1;
            if report.examples.len() < NAMED {
                let space = key.first().copied().map_or('?', char::from);
                let hex = super::hex(key.get(1..).unwrap_or_default());
                report.examples.push(format!("{space} {hex}: {what}"));
            }
        }
        if step_a {
            a = right.next().transpose()?;
        }
        if step_b {
            b = held.next().transpose()?;
        }
    }
}

fn count<K: Kv>(kv: &K, report: &mut Report) -> Result<(), StoreError> {
    let mut spaces: BTreeMap<u8, u64> = BTreeMap::new();
    for entry in Walk::prefix(kv, Vec::new(), false) {
        let (at, value) = entry?;
        let Some(space) = at.first().copied() else { continue };
        *spaces.entry(space).or_default() += 1;
        let of_all = key::u16_at(&at, 1) == Some(0);
        if space == key::GROUP_COUNT && of_all && at.get(3) == Some(&key::slot_byte(Slot::Unknown)) {
            report.unknown += key::u64_at(&value, 0).unwrap_or(0);
        }
    }
    let of = |space: u8| spaces.get(&space).copied().unwrap_or(0);
    report.runs = of(key::RUN);
    report.open_runs = of(key::OPEN);
    report.bills = of(key::BILL);
    report.unresolved = of(key::LEDGER);
    report.in_flight = of(key::TRYING);
    Ok(())
}

fn kept(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in [dir.to_path_buf(), dir.join("journal")] {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("sled.bad-") || name.contains(".torn-") {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
