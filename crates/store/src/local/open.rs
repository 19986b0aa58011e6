//! Opening a store: journal and index are brought together, whatever the last owner left of them.
//!
//! Invariant: the index is trusted only as far as the journal confirms it. A damaged one is put aside and one of another
//! layout replaced, and nothing is written under its name before the directory is of this program's version.

use std::path::Path;
use std::sync::Arc;

use super::folding::{Folded, Folding, catch_up};
use super::place::{Place, VERSION, stamp};
use super::sledkv::{OpenFault, SledKv};
use super::upgrade::{self, Build};
use super::writer::is_full;
use super::{Options, Progress};
use crate::index::{Index, LAYOUT};
use crate::journal::tail::{self, Tail};
use crate::journal::{Journal, Torn};
use crate::{StoreError, fault};
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::time::Ts;

/// A store's parts, opened.
pub(super) struct Parts {
    pub journal: Arc<Journal>,
    pub tail: Tail,
    pub index: Index<SledKv>,
    /// Set when the disk was too full to open without the ballast.
    pub full: Option<String>,
}

/// What is opened, and how.
pub(super) struct Opening<'a> {
    pub place: &'a Place,
    /// Version the directory is of.
    pub version: u32,
    pub options: &'a Options,
    pub now: Ts,
    pub progress: &'a dyn Fn(Progress),
}

/// An index, and why nothing new may be written where it only opened with the ballast given up.
type Opened = (Index<SledKv>, Option<String>);

/// The index as it was found.
enum Found {
    /// Of this layout, or empty.
    Current(Box<Opened>),
    /// Of another one.
    Other { layout: u32, applied: Seq },
    /// None is there.
    Nothing,
}

impl Opening<'_> {
    /// The moment, as a part of names.
    fn stamp(&self) -> String {
        stamp(self.now)
    }

    /// Opens the parts, and raises the directory where it is of an earlier version.
    pub fn parts(&self) -> Result<Parts, StoreError> {
        let place = self.place;
        (self.progress)(Progress::OpeningIndex);
        upgrade::sweep(place);
        let found = self.find()?;
        let applied = match &found {
            Found::Current(opened) => opened.0.applied()?,
            Found::Other { applied, .. } => *applied,
            Found::Nothing => Seq::default(),
        };
        (self.progress)(Progress::ReadingJournal);
        let (journal, tail) = self.journal(applied)?;
        let is_raised = self.version < VERSION;
        let (index, full) = match found {
            Found::Current(opened) if !is_raised || opened.0.layout()?.is_some() => {
                self.mark()?;
                // What an earlier attempt left beside it is of no use any more.
                let _ = std::fs::remove_dir_all(place.new_index());
                *opened
            }
            Found::Nothing if !is_raised && !place.new_index().exists() => self.create()?,
            Found::Current(empty) => {
                drop(empty);
                self.upgraded(&journal, None)?
            }
            Found::Other { layout, .. } => self.upgraded(&journal, Some(layout))?,
            Found::Nothing => self.upgraded(&journal, None)?,
        };
        let (index, full) = self.caught_up(&journal, index, full)?;
        Ok(Parts { journal, tail, index, full })
    }

    fn journal(&self, applied: Seq) -> Result<(Arc<Journal>, Tail), StoreError> {
        let witness = Seq(applied.0.max(self.place.known_durable()));
        let disk = Arc::clone(&self.options.disk);
        let opened = tail::open(&self.place.journal(), disk, self.options.rotate, witness, &self.stamp())?;
        let (journal, tail, torn): (_, _, Option<Torn>) = opened;
        if let Some(torn) = torn {
            (self.progress)(Progress::TornTail(torn));
        }
        Ok((journal, tail))
    }

    /// The index that is there. A damaged one is put aside.
    fn find(&self) -> Result<Found, StoreError> {
        if !self.place.index().exists() {
            return Ok(Found::Nothing);
        }
        let opened = match self.open_at(&self.place.index()) {
            Ok(opened) => opened,
            Err(OpenFault::Unblocked) => return Ok(Found::Other { layout: 0, applied: Seq::default() }),
            Err(OpenFault::Damaged(why)) => {
                self.put_aside(why)?;
                return Ok(Found::Nothing);
            }
            Err(OpenFault::Disk(e)) => return Err(self.place.refused("the index cannot be opened", &e)),
        };
        match opened.0.layout()? {
            Some(layout) if layout != LAYOUT => Ok(Found::Other { layout, applied: opened.0.applied()? }),
            _ => Ok(Found::Current(Box::new(opened))),
        }
    }

    /// A new index under its own name, for a directory of this version.
    fn create(&self) -> Result<Opened, StoreError> {
        match self.open_at(&self.place.index()) {
            Ok(opened) => Ok(opened),
            Err(OpenFault::Disk(e)) => Err(self.place.refused("the index cannot be made", &e)),
            Err(OpenFault::Damaged(_) | OpenFault::Unblocked) => Err(self.place.say("the index does not open")),
        }
    }

    /// Opens or creates an index. On a full disk the ballast is given up for it.
    fn open_at(&self, path: &Path) -> Result<Opened, OpenFault> {
        let mut full = None;
        loop {
            match SledKv::open(path) {
                Ok(kv) => return Ok((Index::new(kv), full)),
                Err(OpenFault::Disk(e)) if is_full(&e) && full.is_none() && self.place.drop_ballast() => {
                    full = Some(format!(
                        "{e}; outcomes are still stored, new work is not taken: free some space, then reopen"
                    ));
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    fn put_aside(&self, why: String) -> Result<(), StoreError> {
        let kept = self.place.dir.join(format!("sled.bad-{}", self.stamp()));
        let moved = std::fs::rename(self.place.index(), &kept);
        moved.map_err(|e| self.place.refused("the damaged index cannot be put aside", &e))?;
        (self.progress)(Progress::IndexDamaged { kept, why });
        Ok(())
    }

    /// Makes the directory one of this program's version. From here on 0.1.0 refuses it.
    fn mark(&self) -> Result<(), StoreError> {
        if self.version < VERSION {
            self.place.write_version(self.options.disk.as_ref())?;
            fault::point("upgrade_marked");
        }
        Ok(())
    }

    /// Builds an index of this layout, raises the directory, and only then puts the index in the old one's place: until
    /// the file `version` is replaced, the earlier program finds everything as it left it.
    fn upgraded(&self, journal: &Journal, from: Option<u32>) -> Result<Opened, StoreError> {
        let (place, disk) = (self.place, self.options.disk.as_ref());
        Build { place, journal, disk, from, now: &self.stamp(), progress: self.progress }.run()?;
        self.mark()?;
        upgrade::put_in_place(place, disk, &place.new_index(), &self.stamp())?;
        self.create()
    }

    fn caught_up(
        &self,
        journal: &Journal,
        mut index: Index<SledKv>,
        full: Option<String>,
    ) -> Result<Opened, StoreError> {
        let told = |done, of| (self.progress)(Progress::Folding { done, of });
        let steps = Folding { told: &told, before: &|| Ok(()), after: &|| {} };
        let is_new = index.layout()?.is_none();
        if is_new {
            index.begin()?;
        }
        match catch_up(journal, &index, &steps) {
            Ok(()) => {}
            // The journal read well and yet does not fit what the index holds: the index lost something silently.
            Err(Folded::Misfit(why)) if !is_new => {
                drop(index);
                self.put_aside(why.to_string())?;
                (index, _) = self.create()?;
                index.begin()?;
                catch_up(journal, &index, &steps).map_err(Folded::error)?;
            }
            Err(e) => return Err(e.error()),
        }
        Ok((index, full))
    }
}
