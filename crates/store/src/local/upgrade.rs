//! An index of another layout: the new one is built beside the old one and takes its place when it is whole.
//!
//! Invariant: what stands under the index's own name is never half built, and never of a layout that the program of the
//! directory's version does not know. An attempt that was cut off is gone on with; a disk that fills up costs the old
//! index at most, never a fact.

use std::cell::Cell;
use std::path::Path;

use super::Progress;
use super::disk::{Disk, Op};
use super::folding::{Folded, Folding, catch_up};
use super::place::Place;
use super::sledkv::{OpenFault, SledKv};
use super::writer::{LOW, is_full};
use crate::index::{Index, LAYOUT};
use crate::journal::{Journal, sync_dir};
use crate::{StoreError, fault, file};

/// Room that stays free when the new index is built beside the old one.
const RESERVE: u64 = 16 * 1024 * 1024;
/// How the name of an index begins that has been replaced and is about to be removed.
const OLD: &str = "sled.old-";

/// Builds the new index.
pub(super) struct Build<'a> {
    pub place: &'a Place,
    pub journal: &'a Journal,
    pub disk: &'a dyn Disk,
    /// Layout of the index that is there; `None` where none is.
    pub from: Option<u32>,
    /// Part of the names of what is put aside.
    pub now: &'a str,
    pub progress: &'a dyn Fn(Progress),
}

impl Build<'_> {
    /// Builds it, or what an earlier attempt left to be done, and makes it durable beside the old one.
    pub fn run(&self) -> Result<(), StoreError> {
        self.make_room()?;
        loop {
            let full = Cell::new(false);
            let (index, begun) = self.open().map_err(|error| {
                let is_short = self.is_short(&full, &error);
                self.said(error, is_short)
            })?;
            let built = self.fold(&index, &full).and_then(|()| self.finish(&index, &full).map_err(Folded::Stopped));
            drop(index);
            let Err(fault) = built else {
                fault::point("upgrade_folded");
                return Ok(());
            };
            // What an earlier attempt left may not fit this journal.
            let is_misfit = begun && matches!(fault, Folded::Misfit(_));
            let error = fault.error();
            match self.is_short(&full, &error) {
                true if self.place.index().exists() => self.remove_old()?,
                false if is_misfit => self.remove(&self.place.new_index())?,
                is_short => return Err(self.said(error, is_short)),
            }
        }
    }

    /// Gives up the old index where both do not fit: it can always be built again.
    fn make_room(&self) -> Result<(), StoreError> {
        let old = file::size_of(&self.place.index());
        let built = file::size_of(&self.place.new_index());
        let free = self.disk.free(&self.place.dir).unwrap_or(u64::MAX);
        if old > 0 && free.saturating_add(built) < old.saturating_add(RESERVE) { self.remove_old() } else { Ok(()) }
    }

    fn remove_old(&self) -> Result<(), StoreError> {
        let old = self.place.dir.join(format!("{OLD}{}", self.now));
        let moved = std::fs::rename(self.place.index(), &old);
        moved.map_err(|e| self.place.refused("the old index cannot be removed", &e))?;
        self.remove(&old)?;
        fault::point("upgrade_made_room");
        Ok(())
    }

    fn remove(&self, dir: &Path) -> Result<(), StoreError> {
        std::fs::remove_dir_all(dir).map_err(|e| self.place.refused(&dir.display().to_string(), &e))
    }

    /// The new index, and whether an earlier attempt began it.
    fn open(&self) -> Result<(Index<SledKv>, bool), StoreError> {
        let path = self.place.new_index();
        for _ in 0..2 {
            let kv = match SledKv::open(&path) {
                Ok(kv) => kv,
                Err(OpenFault::Disk(e)) => return Err(self.place.refused("the new index cannot be made", &e)),
                Err(OpenFault::Damaged(_) | OpenFault::Unblocked) => {
                    self.remove(&path)?;
                    continue;
                }
            };
            let index = Index::new(kv);
            match index.layout()? {
                None => {
                    index.begin()?;
                    return Ok((index, false));
                }
                Some(LAYOUT) if index.applied()? <= self.journal.last() => return Ok((index, true)),
                Some(_) => {
                    drop(index);
                    self.remove(&path)?;
                }
            }
        }
        Err(self.place.say("the new index does not open"))
    }

    fn fold(&self, index: &Index<SledKv>, full: &Cell<bool>) -> Result<(), Folded> {
        let told = |done, of| {
            (self.progress)(match self.from {
                Some(from) => Progress::Upgrading { from, to: LAYOUT, done, of },
                None => Progress::Folding { done, of },
            });
        };
        let before = || self.disk.before(Op::Build).inspect_err(|e| full.set(is_full(e)));
        let after = || fault::point("upgrade_folding");
        catch_up(self.journal, index, &Folding { told: &told, before: &before, after: &after })
    }

    fn finish(&self, index: &Index<SledKv>, full: &Cell<bool>) -> Result<(), StoreError> {
        let synced = self.disk.before(Op::BuildSync).and_then(|()| index.kv.sync());
        let synced = synced.and_then(|()| sync_files(&self.place.new_index()));
        synced.inspect_err(|e| full.set(full.get() || is_full(e))).map_err(|e| StoreError::Write(e.to_string()))
    }

    /// Whether the disk is what stopped the building. sled says it in many ways, also when it reads.
    fn is_short(&self, full: &Cell<bool>, error: &StoreError) -> bool {
        let words = error.to_string();
        full.get()
            || ["StorageFull", "No space left"].iter().any(|word| words.contains(word))
            || self.disk.free(&self.place.dir).is_ok_and(|free| free < LOW)
    }

    /// Why the new index could not be built, and what a person does about it.
    fn said(&self, error: StoreError, is_short: bool) -> StoreError {
        match error {
            StoreError::Write(what) | StoreError::Read(what) if is_short => self.place.say(&format!(
                "the disk is full while the index is built anew ({what}): free some space, then start again, and it goes \
                 on from there; no fact is lost"
            )),
            error => error,
        }
    }
}

/// Makes a directory's files and their names durable.
fn sync_files(dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::File::open(entry.path())?.sync_all()?;
        }
    }
    std::fs::File::open(dir)?.sync_all()
}

/// Puts an index that is whole, durable and closed in the place of the old one, and removes that.
pub(crate) fn put_in_place(place: &Place, disk: &dyn Disk, new: &Path, now: &str) -> Result<(), StoreError> {
    let failed = |e: std::io::Error| {
        let first = if is_full(&e) { "free some space, then start again" } else { "start again" };
        place.say(&format!("the new index cannot take its place ({e}): {first}, and it goes on from there"))
    };
    disk.before(Op::Swap).and_then(|()| sync_files(new)).map_err(failed)?;
    let old = place.dir.join(format!("{OLD}{now}"));
    if place.index().exists() {
        std::fs::rename(place.index(), &old).map_err(failed)?;
    }
    std::fs::rename(new, place.index()).map_err(failed)?;
    sync_dir(&place.dir)?;
    fault::point("upgrade_swapped");
    let _ = std::fs::remove_dir_all(&old);
    fault::point("upgrade_done");
    Ok(())
}

/// Removes indexes that were replaced by somebody who was ended before he could remove them.
pub(super) fn sweep(place: &Place) {
    for entry in std::fs::read_dir(&place.dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(OLD) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
