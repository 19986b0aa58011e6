//! The action log's file and the journal, compared both ways.
//!
//! Every line of an order, of a refusal and of what the engine did by itself has an entry in the journal with the line's
//! hash; a result follows only where its order has one; a run's last line only where the journal closed the run. A process
//! that is killed leaves at most one line of an order without its entry. How far the file reached stands in the journal
//! when a process begins to write lines ([`LogWitness::open`]) and when it ends in order, so that what a crash may leave and
//! what nobody may leave are told apart.
//!
//! Invariant: comparing changes nothing.

pub mod directory;
pub mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use crate::actions::Phase;
use crate::{Store, StoreError};
use skydeck_core::domain::action_log::{LogFault, LogPlace, LogWitness};
use skydeck_core::domain::event::{Event, Fact, Pruned};
use skydeck_core::domain::ids::{RunId, Seq};
use skydeck_core::domain::query::PageRequest;

pub use self::directory::{Head, Verified, each_fact, of_database, of_directory, told_by};
use self::read::{Reading, Row};

/// Codes of refusals whose entries may never have come into the journal: the store took no writes, or the engine was ending and
/// its writer had gone. As many as there were orders.
const WITHOUT_ENTRY: [&str; 2] = ["disk", "engine_ends"];
/// What the log calls a prune: the one thing outside of an engine that has both a line and an entry.
pub const PRUNE: &str = "prune";
/// Entries asked of the index at once.
const PAGE: u32 = 500;
/// Facts between a witness and an entry before it that tells of a later line, at most.
const ENTRIES_ASTRAY: u64 = 1000;

/// What the journal tells of the action log.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Lines that entries tell of, with the entry's place.
    pub entries: Vec<(Seq, LogPlace)>,
    /// Entries that tell of no line.
    pub silent: u64,
    /// Witnesses in their order; of those before the newest perhaps only the one by which a person accepted the file.
    pub witnesses: Vec<(Seq, LogWitness)>,
    /// Runs that are closed.
    pub closed: BTreeSet<String>,
    /// Prunes, in their order.
    pub pruned: Vec<Pruned>,
    /// Last fact.
    pub last: Seq,
    /// Which of several machines' files it is about.
    pub file: Option<String>,
    /// Only what came after the newest witness is told here.
    pub since_witness: bool,
    /// Facts whose time is before that of the fact before them, entries alone: place, the time before, the time there.
    pub back: Vec<(Seq, skydeck_core::domain::time::Ts, skydeck_core::domain::time::Ts)>,
    at: Option<skydeck_core::domain::time::Ts>,
}

/// What came of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Where the two disagree, the first line first.
    pub faults: Vec<LogFault>,
    /// Lines whose entries a crash can have kept from the journal.
    pub loose: Vec<u64>,
}

impl Told {
    /// Takes one fact of the journal, in order.
    pub fn note(&mut self, fact: &Fact) {
        self.last = fact.seq;
        match &fact.event {
            Event::ActionTaken(entry) => {
                if let Some(before) = self.at.replace(fact.at).filter(|at| at.since(fact.at) > read::CLOCK_STEP) {
                    self.back.push((fact.seq, before, fact.at));
                }
                match &entry.line {
                    Some(line) if line.file != self.file => {}
                    Some(line) => self.entries.push((fact.seq, line.clone())),
                    None => self.silent += 1,
                }
            }
            Event::LogWitnessed(witness) if witness.at.file != self.file => {}
            Event::LogWitnessed(witness) => self.witnesses.push((fact.seq, (**witness).clone())),
            Event::RunClosed { run, .. } => drop(self.closed.insert(run.to_string())),
            Event::Pruned(pruned) => self.pruned.push((**pruned).clone()),
            _ => {}
        }
    }

    /// What is needed to compare the file with an opened store, whose index is trusted to hold what the journal tells.
    pub async fn of_store(store: &dyn Store, file: Option<&str>) -> Result<Self, StoreError> {
        let (mut witnesses, last) = (store.log_witnesses(file).await?, store.last_seq().await?);
        for (_, witness) in &mut witnesses {
            witness.at.file = None;
        }
        let file = file.map(str::to_owned);
        let mut told = Self { witnesses, last, file, ..Self::default() };
        let since = told.newest().map(|(seq, witness)| (*seq, witness.at.seq));
        told.since_witness = since.is_some();
        let mut next = Some(PageRequest::first(PAGE));
        while let Some(request) = next.take() {
            let page = store.actions(&request).await?;
            // Entries do not come in the order of their lines where two were written at once.
            let is_far = |seq: Seq| since.is_some_and(|(since, _)| seq.0 + ENTRIES_ASTRAY < since.0);
            let more = page.more && page.rows.last().is_some_and(|(_, (seq, ..))| !is_far(*seq));
            next = page.rows.last().filter(|_| more).map(|(cursor, _)| PageRequest {
                cursor: Some(cursor.clone()),
                back: false,
                limit: PAGE,
            });
            for (_, (seq, _, entry)) in page.rows {
                match entry.line {
                    Some(line) if line.file != told.file => {}
                    Some(line) if since.is_none_or(|(_, at)| line.seq > at) => {
                        told.entries.push((seq, LogPlace::new(line.seq, line.hash)));
                    }
                    Some(_) => {}
                    None => told.silent += 1,
                }
            }
        }
        told.entries.reverse();
        Ok(told)
    }

    fn newest(&self) -> Option<&(Seq, LogWitness)> {
        self.witnesses.last()
    }

    /// The newest witness by which a person accepted the file.
    pub fn accepted(&self) -> Option<&LogWitness> {
        self.witnesses.iter().rev().map(|(_, witness)| witness).find(|witness| witness.accepted.is_some())
    }

    /// The last line that a person accepted.
    fn base(&self) -> u64 {
        self.accepted().map_or(0, |witness| witness.at.seq)
    }

    /// The newest line that is told of, or that was witnessed.
    pub fn newest_line(&self) -> LogPlace {
        let entries = self.entries.iter().map(|(_, line)| line);
        let all = entries.chain(self.witnesses.iter().map(|(_, witness)| &witness.at));
        all.max_by_key(|line| line.seq).cloned().unwrap_or_default()
    }
}

/// Compares the file with a store that is open. `file`: how the journal calls it, where several machines have one each.
pub async fn of_store(
    path: &Path,
    store: &dyn Store,
    file: Option<&str>,
) -> Result<(Told, Reading, Account), StoreError> {
    let mut told = Told::of_store(store, file).await?;
    let failed = |e: std::io::Error| StoreError::Directory(format!("{}: {e}", path.display()));
    let (file, accepted) = (path.to_path_buf(), told.accepted().cloned());
    // The file may be long.
    let reading = tokio::task::spawn_blocking(move || read::read(&file, accepted.as_ref(), |_, _| Ok(()))).await;
    let log = reading.map_err(|e| StoreError::Read(e.to_string()))?.map_err(failed)?;
    let floor = told.newest().map_or(0, |(_, witness)| witness.at.seq);
    let ended = log.rows.iter().filter(|row| row.phase == Phase::End && row.at.seq > floor);
    for run in ended.filter_map(|row| row.run.as_ref()) {
        let id = run.parse::<RunId>().ok();
        if let Some(id) = id
            && store.run(id).await?.is_some_and(|row| row.state.is_closed())
        {
            told.closed.insert(run.clone());
        }
    }
    let account = compare(&log, &told);
    Ok((told, log, account))
}

/// Compares what was read with what the journal tells.
pub fn compare(log: &Reading, told: &Told) -> Account {
    if let Some(fault) = &log.fault {
        return Account { faults: vec![fault.clone()], loose: Vec::new() };
    }
    let mut faults = forward(log, told);
    let (backward, loose) = Backward::new(log, told).faults(log);
    faults.extend(backward);
    Account { faults, loose }
}

/// What the journal tells of and the file does not hold.
fn forward(log: &Reading, told: &Told) -> Vec<LogFault> {
    let base = told.base();
    let places = told.entries.iter().map(|(_, line)| line).chain(told.witnesses.iter().map(|(_, w)| &w.at));
    let places: Vec<&LogPlace> = places.filter(|place| place.seq > base).collect();
    let newest = places.iter().map(|place| place.seq).max().unwrap_or_default();
    if !log.exists {
        return if newest > 0 { vec![LogFault::Missing { told: newest }] } else { Vec::new() };
    }
    let mut faults = Vec::new();
    let last = log.head().seq;
    if newest > last.max(base) {
        faults.push(LogFault::Cut { last, told: newest });
    }
    let held: HashMap<u64, &str> = log.rows.iter().map(|row| (row.at.seq, row.at.hash.as_str())).collect();
    let replaced = places.iter().filter(|place| held.get(&place.seq).is_some_and(|hash| *hash != place.hash));
    if let Some(line) = replaced.map(|place| place.seq).min() {
        faults.push(LogFault::Replaced { line });
    }
    faults
}

/// What the file holds and the journal does not tell of.
struct Backward<'a> {
    told: &'a Told,
    lines: BTreeSet<u64>,
    /// Lines up to here are not looked at: a person accepted them, or the newest witness vouches for them.
    floor: u64,
    /// Lines up to here were witnessed: what no entry tells of must stand among the loose ones.
    witnessed: u64,
    /// A process may have been killed since the newest witness.
    open: bool,
    /// Whether there was any witness; before there were, more than one crash can have left its line.
    is_counted: bool,
    begun: BTreeMap<&'a str, u64>,
}

impl<'a> Backward<'a> {
    fn new(log: &'a Reading, told: &'a Told) -> Self {
        let newest = told.newest().map(|(_, witness)| witness);
        let witnessed = newest.map_or(0, |witness| witness.at.seq);
        let mut lines: BTreeSet<u64> = told.entries.iter().map(|(_, line)| line.seq).collect();
        lines.extend(told.witnesses.iter().flat_map(|(_, witness)| &witness.loose));
        let begun = log.rows.iter().filter(|row| row.phase == Phase::Before);
        Self {
            told,
            lines,
            floor: if told.since_witness { witnessed } else { told.base() },
            witnessed,
            open: newest.is_none_or(|witness| witness.open),
            is_counted: newest.is_some(),
            begun: begun.filter_map(|row| Some((row.order.as_deref()?, row.at.seq))).collect(),
        }
    }

    fn faults(&self, log: &'a Reading) -> (Vec<LogFault>, Vec<u64>) {
        if self.told.last == Seq(0) && log.rows.len() > 1 {
            return (vec![LogFault::JournalEmpty { lines: log.rows.len() as u64 }], Vec::new());
        }
        let (mut wrong, mut loose): (Vec<&Row>, Vec<u64>) = (Vec::new(), Vec::new());
        let (mut ended, mut of_orders) = (BTreeSet::new(), 0_u32);
        for row in &log.rows {
            let is_first_end = row.phase != Phase::End || ended.insert(row.run.as_deref());
            if row.at.seq <= self.floor || self.is_told(row, is_first_end) {
                continue;
            }
            let excused = self.may_be_loose(row);
            // One order at a time: a crash keeps one of its lines from the journal.
            of_orders += u32::from(excused && is_of_order(row, log));
            if excused && (of_orders <= 1 || !self.is_counted) {
                loose.push(row.at.seq);
            } else {
                wrong.push(row);
            }
        }
        let newest = self.lines.iter().next_back().copied().unwrap_or_default();
        let fault = wrong.first().map(|row| {
            let (line, action) = (row.at.seq, row.action.clone());
            if line > newest {
                LogFault::JournalOlder { line, action, last: self.told.last }
            } else {
                LogFault::Untold { line, action }
            }
        });
        (fault.into_iter().collect(), loose)
    }

    /// Whether the journal has what must stand there before such a line is written.
    fn is_told(&self, row: &Row, is_first_end: bool) -> bool {
        match (row.phase, &row.order) {
            (Phase::Before | Phase::Refused, _) | (Phase::After, None) => self.lines.contains(&row.at.seq),
            (Phase::After, Some(order)) => {
                self.begun.get(order.as_str()).is_some_and(|line| *line <= self.floor || self.lines.contains(line))
            }
            (Phase::End, _) => is_first_end && row.run.as_ref().is_some_and(|run| self.told.closed.contains(run)),
        }
    }

    /// Whether a process that was killed can have left a line without its entry.
    fn may_be_loose(&self, row: &Row) -> bool {
        let is_tail = row.at.seq > self.witnessed && self.open;
        match (row.phase, &row.order) {
            (Phase::Before | Phase::Refused, _) => is_tail,
            (Phase::After, None) => is_tail && row.action != PRUNE,
            // Written after the entry, never without it.
            (Phase::After, Some(_)) | (Phase::End, _) => false,
        }
    }
}

/// Whether a line is one of those that a crash leaves one of: an order whose entry is missing, and not one that was refused
/// because nothing could be stored.
fn is_of_order(row: &Row, log: &Reading) -> bool {
    let refused = |row: &Row| {
        row.phase == Phase::Refused && row.code.as_deref().is_some_and(|code| WITHOUT_ENTRY.contains(&code))
    };
    let Some(order) = &row.order else { return false };
    !refused(row) && !log.rows.iter().any(|other| refused(other) && other.order.as_ref() == Some(order))
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::action_log::AcceptedFile;

    fn hash(seq: u64) -> String {
        format!("h{seq}")
    }

    fn at(seq: u64) -> LogPlace {
        LogPlace::new(seq, hash(seq))
    }

    fn row(seq: u64, phase: Phase, order: &str) -> Row {
        let order = (!order.is_empty()).then(|| order.to_owned());
        let (run, code) = ((phase == Phase::End).then(|| "r".to_owned()), None);
        Row { at: at(seq), phase, order, action: "start".into(), run, code }
    }

    fn log(rows: Vec<Row>) -> Reading {
        Reading { exists: true, rows, ..Reading::default() }
    }

    fn told(lines: &[u64], witness: Option<(u64, bool)>) -> Told {
        let entries = lines.iter().map(|line| (Seq(*line), at(*line))).collect();
        let witness = witness.map(|(seq, open)| LogWitness { at: at(seq), open, loose: Vec::new(), accepted: None });
        let witnesses = witness.into_iter().map(|witness| (Seq(1), witness)).collect();
        Told { entries, witnesses, last: Seq(9), ..Told::default() }
    }

    use Phase::{After, Before, End, Refused};

    #[test]
    fn a_crash_leaves_one_line_of_an_order_and_a_witness_in_order_leaves_none() {
        let killed = log(vec![row(1, Before, "a"), row(2, After, "a"), row(3, Before, "b")]);
        let account = compare(&killed, &told(&[1], Some((0, true))));
        assert_eq!((account.faults, account.loose), (vec![], vec![3]));
        for (name, rows, told, fault) in [
            (
                "two orders",
                vec![row(1, Before, "a"), row(2, Before, "b")],
                told(&[], Some((0, true))),
                LogFault::JournalOlder { line: 2, action: "start".into(), last: Seq(9) },
            ),
            (
                "a result without its entry",
                vec![row(1, Before, "a"), row(2, After, "a")],
                told(&[], Some((0, true))),
                LogFault::JournalOlder { line: 2, action: "start".into(), last: Seq(9) },
            ),
            (
                "behind an end in order",
                vec![row(1, Before, "a"), row(2, After, "a"), row(3, Before, "b")],
                told(&[1], Some((2, false))),
                LogFault::JournalOlder { line: 3, action: "start".into(), last: Seq(9) },
            ),
            (
                "in the middle of what was witnessed",
                vec![row(1, Before, "a"), row(2, Refused, "x"), row(3, After, "a")],
                told(&[1, 3], Some((3, false))),
                LogFault::Untold { line: 2, action: "start".into() },
            ),
            (
                "the end of a run that is not closed",
                vec![row(1, Before, "a"), row(2, End, "")],
                told(&[1], Some((0, true))),
                LogFault::JournalOlder { line: 2, action: "start".into(), last: Seq(9) },
            ),
        ] {
            assert_eq!(compare(&log(rows), &told).faults, [fault], "{name}");
        }
    }

    #[test]
    fn a_run_ends_once_and_what_the_store_refused_has_no_entry() {
        let mut told = told(&[1], Some((0, true)));
        told.closed.insert("r".into());
        let once = vec![row(1, Before, "a"), row(2, After, "a"), row(3, End, "")];
        assert_eq!(compare(&log(once.clone()), &told).faults, []);
        let twice = log(once.into_iter().chain([row(4, End, "")]).collect());
        assert!(matches!(compare(&twice, &told).faults[..], [LogFault::JournalOlder { line: 4, .. }]));
        for code in WITHOUT_ENTRY {
            let refused = |seq, order| Row { code: Some(code.into()), ..row(seq, Refused, order) };
            let full =
                vec![row(1, Before, "a"), row(2, Before, "b"), refused(3, "b"), refused(4, "c"), refused(5, "d")];
            let account = compare(&log(full), &told);
            assert_eq!((account.faults, account.loose), (vec![], vec![2, 3, 4, 5]), "{code}");
        }
        let others = vec![row(1, Before, "a"), row(2, Refused, "b"), row(3, Refused, "c")];
        assert_eq!(compare(&log(others), &told).faults.len(), 1, "refused for another reason, each had its entry");
    }

    #[test]
    fn what_a_person_accepted_is_not_asked_about_again() {
        let mut told = told(&[1, 2, 5], None);
        told.entries[1].1.hash = "other".into();
        let rows = vec![row(1, Before, "a"), row(2, Before, "b"), row(3, After, "z"), row(5, Before, "c")];
        assert_eq!(compare(&log(rows.clone()), &told).faults.len(), 2);
        let accepted = Some(AcceptedFile { bytes: 1, sha256: String::new() });
        told.witnesses = vec![(Seq(5), LogWitness { at: at(4), open: true, loose: Vec::new(), accepted })];
        assert_eq!(compare(&log(rows), &told).faults, []);
    }
}
