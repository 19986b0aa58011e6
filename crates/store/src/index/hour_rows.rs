//! Rows of the hours as they stand in the index, and those that are being worked out beside the changes of an append.
//!
//! Invariant: a row is read once and written once a batch, and stands in the batch of the last fact that is counted in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use super::key::{self, DictNo, Key, u64_at};
use super::kv::Batch;
use crate::StoreError;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::hours::{Counts, Phase, Told};
use skydeck_core::domain::ids::{RunId, Seq};
use skydeck_core::domain::run::RunKind;
use skydeck_core::domain::time::Ts;

/// Number of what is counted, and how. Whoever counts otherwise raises it: the hours are then counted anew from the journal,
/// and nothing else is.
pub(super) const FORM: u32 = 2;
/// Runs whose hours are kept at hand.
const RUNS: usize = 1024;
/// Key under which the form and the place of the hours are kept.
pub(super) fn place_key() -> Vec<u8> {
    Key::new(key::META).raw(b"hours").done()
}

/// Form and place as they are kept.
pub(super) fn place_value(seq: Seq) -> Vec<u8> {
    Key::default().u32(FORM).u64(seq.0).done()
}

/// Whether an entry of the index is one of theirs.
pub(crate) fn is_of_hours(key: &[u8]) -> bool {
    key.first() == Some(&key::HOUR) || key == place_key()
}

/// Where the facts of a run are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Plan.
    pub plan: DictNo,
    /// When its hours begin.
    pub phase: Phase,
    /// Kind of run.
    pub kind: RunKind,
}

impl Place {
    /// The row of a moment.
    pub fn at(self, at: Ts) -> Row {
        let kind = match self.kind {
            RunKind::Fresh => 0,
            RunKind::Retry => 1,
            RunKind::Verify => 2,
        };
        Row { plan: self.plan, hour: self.phase.hour_of(at), kind }
    }
}

/// The kind of run of a byte of a key.
pub(super) fn kind_of(byte: u8) -> Option<RunKind> {
    match byte {
        0 => Some(RunKind::Fresh),
        1 => Some(RunKind::Retry),
        2 => Some(RunKind::Verify),
        _ => None,
    }
}

/// One row of the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    plan: DictNo,
    hour: Ts,
    kind: u8,
}

impl Row {
    /// Its key.
    pub fn key(self) -> Vec<u8> {
        Key::new(key::HOUR).u16(self.plan).ts(self.hour).byte(self.kind).done()
    }
}

/// Marks an entry of outcomes that hold no more.
const WITHDRAWN: u8 = 0x80;
/// Marks entries that came into the ledger.
const ENTERED: u8 = 0x40;
/// Marks entries that left it.
const LEFT: u8 = WITHDRAWN | ENTERED;
/// Bytes of the numbers in front of the lists.
const NUMBERS: usize = 48;

fn pack(counts: &Counts) -> Vec<u8> {
    let mut key = Key::default()
        .u64(counts.runs)
        .u64(counts.found)
        .u64(counts.calls)
        .u64(counts.answers)
        .u64(counts.call_ms)
        .u64(counts.regrouped);
    let lists = [(&counts.told, 0), (&counts.withdrawn, WITHDRAWN), (&counts.entered, ENTERED), (&counts.left, LEFT)];
    for (list, mark) in lists {
        for told in list {
            key = key.byte(key::slot_byte(told.slot) | mark).u64(told.bills).text(&told.group);
        }
    }
    key.done()
}

/// Reads a row.
pub fn unpack(bytes: &[u8]) -> Result<Counts, StoreError> {
    let damaged = || StoreError::Read("an hour in the index cannot be read".to_owned());
    let number = |at| u64_at(bytes, at).ok_or_else(damaged);
    let mut counts = Counts {
        runs: number(0)?,
        found: number(8)?,
        calls: number(16)?,
        answers: number(24)?,
        call_ms: number(32)?,
        regrouped: number(40)?,
        ..Counts::default()
    };
    let mut rest = bytes.get(NUMBERS..).unwrap_or_default();
    while let Some((mark, after)) = rest.split_first() {
        let slot: Slot = key::slot_of(mark & !LEFT).ok_or_else(damaged)?;
        let bills = u64_at(after, 0).ok_or_else(damaged)?;
        let text = after.get(8..).unwrap_or_default();
        let (group, after) = key::read_text(text).ok_or_else(damaged)?;
        let list = match mark & LEFT {
            0 => &mut counts.told,
            WITHDRAWN => &mut counts.withdrawn,
            ENTERED => &mut counts.entered,
            _ => &mut counts.left,
        };
        list.push(Told { slot, group, bills });
        rest = after;
    }
    Ok(counts)
}

/// Where the facts of runs are counted, as it was looked up: it never changes.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<RunId, Place>>);

impl Known {
    /// Of a run.
    pub fn get(&self, run: RunId) -> Option<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&run).copied()
    }

    fn put(&self, places: impl Iterator<Item = (RunId, Place)>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (run, place) in places {
            if known.len() >= RUNS {
                known.clear();
            }
            known.insert(run, place);
        }
    }
}

/// Counts that are being worked out beside the changes of a [`WriteBatch`]: each row is read once and written once a batch, however
/// many bills are counted in it.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Rows as they are with what was accepted.
    pub rows: BTreeMap<Row, Counts>,
    /// Those of them that stand in no batch yet.
    dirty: BTreeSet<Row>,
    /// What the append that is being tried adds.
    pub trial: BTreeMap<Row, Counts>,
    /// Runs it looked up or opened.
    pub runs: HashMap<RunId, Place>,
}

impl Pending {
    /// Rows that stand in no batch yet.
    pub fn unwritten(&self) -> usize {
        self.dirty.len()
    }

    /// Puts into a batch what was accepted and stands in none.
    pub fn write(&mut self, batch: &mut Batch) {
        for row in std::mem::take(&mut self.dirty) {
            if let Some(counts) = self.rows.get(&row) {
                batch.insert(row.key(), Some(pack(counts)));
            }
        }
    }

    /// Puts into a batch of the append that is being tried what it counted so far.
    pub fn write_trial(&self, batch: &mut Batch) {
        for (row, counts) in &self.trial {
            let mut sum = self.rows.get(row).cloned().unwrap_or_default();
            sum.add(counts);
            batch.insert(row.key(), Some(pack(&sum)));
        }
    }

    /// Takes what the append that was tried counted.
    pub fn accept(&mut self, known: &Known) {
        known.put(self.runs.drain());
        for (row, counts) in std::mem::take(&mut self.trial) {
            self.rows.entry(row).or_default().add(&counts);
            self.dirty.insert(row);
        }
    }

    /// Drops it.
    pub fn reject(&mut self) {
        self.runs.clear();
        self.trial.clear();
    }

    /// Forgets rows that stand in batches which were taken away and applied.
    pub fn forget(&mut self) {
        self.rows.clear();
    }
}
