//! Blocks: many small entries kept as one value of the ordered bytes below, keys written as what differs from the one before.
//!
//! sled keeps sixteen entries to a page, and holds a record of every page in memory and a header of every page on
//! disk. A bill has five small entries: alone they cost more in pages than in bytes. In blocks the pages are a
//! fiftieth in number, which is what memory, disk and opening time follow (docs/performance.md).
//!
//! Invariant: block `s` holds exactly the entries from `s` up to the next block's key; a reader never sees half of a
//! change, also when it moves entries between blocks.

use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use super::kv::{Batch, Entry, Known, Kv, ReadCache, Stretch};
use crate::StoreError;

/// Bytes of a block, at most, unless one entry alone is longer. Larger ones make an append rewrite more, smaller
/// ones make more pages. 2 KiB were tried: 1.4 times the bytes a bill.
const BLOCK: usize = 1024;
/// Below this a block joins the one before it.
const SPARSE: usize = BLOCK / 4;
/// Key of the first block: below every key of the index, whose first byte is a letter.
const FIRST: &[u8] = &[0];
/// Written in front of every block.
const VERSION: u8 = 1;

/// Ordered bytes kept in blocks.
#[derive(Debug, Default)]
pub struct Blocks<K> {
    below: K,
    // Held while a change is put below, so that no scan meets entries between two blocks.
    moving: RwLock<()>,
    // A change reads the blocks it will write: one at a time.
    writing: Mutex<()>,
    /// Counts changes, so that what a reader keeps is never older than the last one.
    changes: AtomicU64,
}

/// Blocks a reader keeps: calls in flight together settle their bills in another order than they stand in.
const HELD: usize = 8;

impl Known {
    fn new((from, bytes): Entry) -> Result<Self, StoreError> {
        let mut entries = Entries::new(&bytes)?;
        while entries.step()?.is_some() {}
        Ok(Self { from, to: entries.key, bytes })
    }

    fn reaches(&self, key: &[u8]) -> bool {
        self.from.as_slice() <= key && key <= self.to.as_slice()
    }

    fn find(&self, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        let mut entries = Entries::new(&self.bytes)?;
        while let Some((at, value)) = entries.step()? {
            match at.cmp(key) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Some(value)),
                std::cmp::Ordering::Greater => break,
            }
        }
        Ok(None)
    }
}

impl<K: Kv> Blocks<K> {
    /// Keeps blocks in what is given; `None` gives it back when it holds entries that are no blocks.
    pub fn new(below: K) -> Result<Option<Self>, StoreError> {
        let first = below.scan(Stretch::all(false).at_most(1))?;
        let ours = first.first().is_none_or(|(key, _)| key == FIRST);
        Ok(ours.then(|| Self { below, moving: RwLock::new(()), writing: Mutex::new(()), changes: AtomicU64::new(0) }))
    }

    /// What holds the blocks.
    pub fn below(&self) -> &K {
        &self.below
    }

    /// The block that holds, or would hold, a key.
    fn block_of(&self, key: &[u8]) -> Result<Entry, StoreError> {
        let found = self.below.scan(Stretch::last_before(Bound::Included(key)))?;
        Ok(found.into_iter().next().unwrap_or_else(|| (FIRST.to_vec(), vec![VERSION])))
    }

    /// The block before another, as it will be once the changes are made.
    fn before(&self, key: &[u8], changes: &Batch) -> Result<Option<Entry>, StoreError> {
        let mut high = key.to_vec();
        loop {
            let found = self.below.scan(Stretch::last_before(Bound::Excluded(&high)))?.into_iter().next();
            let low = found.as_ref().map_or(Bound::Unbounded, |(at, _)| Bound::Included(at.clone()));
            let pending = changes.range((low, Bound::Excluded(high.clone()))).next_back();
            match (pending, found) {
                (Some((at, Some(bytes))), _) => return Ok(Some((at.clone(), bytes.clone()))),
                (Some((at, None)), _) => high.clone_from(at),
                (None, found) => return Ok(found),
            }
        }
    }

    /// Puts the entries of one block among the changes: as a block, as several, joined to the one before, or gone.
    fn write(&self, at: Vec<u8>, entries: Vec<Entry>, appended: bool, changes: &mut Batch) -> Result<(), StoreError> {
        let size: usize = entries.iter().map(|(k, v)| k.len() + v.len() + 4).sum();
        let whole = encode(&entries);
        if whole.len() < SPARSE && at != FIRST {
            if entries.is_empty() {
                changes.insert(at, None);
                return Ok(());
            }
            // The newest block of a list is sparse because it is new.
            if !appended
                && let Some((before, bytes)) = self.before(&at, changes)?
                && bytes.len() + whole.len() <= BLOCK * 3 / 4
            {
                let mut joined = decode(&bytes)?;
                joined.extend(entries);
                changes.insert(before, Some(encode(&joined)));
                changes.insert(at, None);
                return Ok(());
            }
        }
        if whole.len() <= BLOCK {
            changes.insert(at, Some(whole));
            return Ok(());
        }
        // What grows at its end leaves full blocks behind; what grows in its middle is halved, to have room in both.
        let room = if appended { BLOCK } else { size.div_ceil(size.div_ceil(BLOCK).max(2)) };
        let (mut at, mut held) = (at, 0);
        let mut part: Vec<Entry> = Vec::new();
        for entry in entries {
            let len = entry.0.len() + entry.1.len() + 4;
            if held + len > room
                && let Some((last, _)) = part.last()
            {
                let next = shortest_between(last, &entry.0);
                changes.insert(std::mem::replace(&mut at, next), Some(encode(&part)));
                part.clear();
                held = 0;
            }
            held += len;
            part.push(entry);
        }
        changes.insert(at, Some(encode(&part)));
        Ok(())
    }
}

impl<K: Kv> Kv for Blocks<K> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let _still = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        let (_, bytes) = self.block_of(key)?;
        let mut entries = Entries::new(&bytes)?;
        while let Some((at, value)) = entries.step()? {
            match at.cmp(key) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Some(value.to_vec())),
                std::cmp::Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    fn scan(&self, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
        let mut out = Vec::new();
        if stretch.is_empty() {
            return Ok(out);
        }
        let Stretch { low, back, max, .. } = stretch;
        let _still = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        // The block in which the range begins may begin before it.
        let first = match low {
            Bound::Included(key) | Bound::Excluded(key) => self.block_of(key)?.0,
            Bound::Unbounded => FIRST.to_vec(),
        };
        let blocks_of = Stretch { low: Bound::Included(first.as_slice()), ..stretch };
        let mut edge: Option<Vec<u8>> = None;
        let mut step = 1;
        loop {
            let rest = edge.as_ref().map_or(blocks_of, |seen| blocks_of.behind(seen));
            let blocks = self.below.scan(rest.at_most(step))?;
            let done = blocks.len() < step;
            edge = blocks.last().map(|(at, _)| at.clone());
            for (_, bytes) in &blocks {
                let mut held = Vec::new();
                let mut entries = Entries::new(bytes)?;
                while let Some((key, value)) = entries.step()? {
                    if stretch.holds(key) {
                        held.push((key.to_vec(), value.to_vec()));
                        if !back && out.len() + held.len() >= max {
                            break;
                        }
                    }
                }
                if back {
                    held.reverse();
                }
                held.truncate(max - out.len());
                out.append(&mut held);
                if out.len() >= max {
                    return Ok(out);
                }
            }
            if done {
                return Ok(out);
            }
            step = (step * 2).min(32);
        }
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = Batch::new();
        let mut rest = batch.into_iter().peekable();
        while let Some((key, _)) = rest.peek() {
            let (at, bytes) = self.block_of(key)?;
            let next = self.below.scan(Stretch::first(Bound::Excluded(&at), Bound::Unbounded))?.into_iter().next();
            let end = next.map(|(at, _)| at);
            let held = decode(&bytes)?;
            let last = held.last().map(|(key, _)| key.clone());
            let appended = last.is_none_or(|last| *key > last);
            let mut entries = Vec::with_capacity(held.len() + 8);
            let mut held = held.into_iter().peekable();
            while let Some((key, value)) = rest.next_if(|(key, _)| end.as_ref().is_none_or(|end| key < end)) {
                while let Some(before) = held.next_if(|(at, _)| *at < key) {
                    entries.push(before);
                }
                held.next_if(|(at, _)| *at == key);
                if let Some(value) = value {
                    entries.push((key, value));
                }
            }
            entries.extend(held);
            self.write(at, entries, appended, &mut changes)?;
        }
        let _moving = self.moving.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.below.apply(changes)
    }

    fn get_cached<'n>(&self, key: &[u8], cache: &'n mut ReadCache) -> Result<Option<&'n [u8]>, StoreError> {
        let _still = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        let (held, changes) = (&mut cache.blocks, self.changes.load(Ordering::SeqCst));
        if held.changes != changes {
            held.blocks.clear();
            held.changes = changes;
        }
        match held.blocks.iter().position(|block| block.reaches(key)) {
            Some(0) => {}
            Some(place) => held.blocks.swap(0, place),
            None => {
                cache.loads += 1;
                held.blocks.truncate(HELD - 1);
                held.blocks.push_front(Known::new(self.block_of(key)?)?);
            }
        }
        held.blocks.front().map_or(Ok(None), |block| block.find(key))
    }
}

/// The shortest key that lies after `last` and not after `next`, which follows it.
fn shortest_between(last: &[u8], next: &[u8]) -> Vec<u8> {
    let same = last.iter().zip(next).take_while(|(a, b)| a == b).count();
    next.get(..=same).unwrap_or(next).to_vec()
}

fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = vec![VERSION];
    let mut before: &[u8] = &[];
    for (key, value) in entries {
        let same = before.iter().zip(key).take_while(|(a, b)| a == b).count();
        let rest = key.get(same..).unwrap_or_default();
        for n in [same, rest.len(), value.len()] {
            put(n, &mut out);
        }
        out.extend_from_slice(rest);
        out.extend_from_slice(value);
        before = key;
    }
    out
}

fn decode(bytes: &[u8]) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Entries::new(bytes)?;
    let mut out = Vec::new();
    while let Some((key, value)) = entries.step()? {
        out.push((key.to_vec(), value.to_vec()));
    }
    Ok(out)
}

/// Seven bits a byte, the lowest first.
fn put(mut n: usize, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A key with its value, or the end.
type Step<'k, 'b> = Option<(&'k [u8], &'b [u8])>;

/// Entries of a block, one after the other.
struct Entries<'b> {
    rest: &'b [u8],
    key: Vec<u8>,
}

impl<'b> Entries<'b> {
    fn new(block: &'b [u8]) -> Result<Self, StoreError> {
        match block.split_first() {
            Some((&VERSION, rest)) => Ok(Self { rest, key: Vec::with_capacity(48) }),
            _ => Err(broken()),
        }
    }

    fn number(&mut self) -> Option<usize> {
        let mut n = 0_usize;
        for shift in (0..u32::BITS).step_by(7) {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            n |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    fn bytes(&mut self, len: usize) -> Option<&'b [u8]> {
        let (part, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(part)
    }

    fn step(&mut self) -> Result<Step<'_, 'b>, StoreError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let read = (|| {
            let (same, rest, value) = (self.number()?, self.number()?, self.number()?);
            let (rest, value) = (self.bytes(rest)?, self.bytes(value)?);
            if same > self.key.len() {
                return None;
            }
            self.key.truncate(same);
            self.key.extend_from_slice(rest);
            Some(value)
        })();
        read.map(|value| Some((self.key.as_slice(), value))).ok_or_else(broken)
    }
}

fn broken() -> StoreError {
    StoreError::Read("a block of the index does not read; reopen to have it rebuilt".to_owned())
}
