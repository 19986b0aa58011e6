//! Writes steps into a data directory in the order of their moments: lines of the action log and facts, as an engine would
//! have written them, with the clock turned to each.
//!
//! Invariant: an entry's line is in the file before the entry is in the journal; both are durable when the pen is put down.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use skydeck_core::domain::event::{ActionEntry, Event};
use skydeck_core::domain::time::{Clock, Ts};
use skydeck_store::actions::{ActionLog as _, Deed, FileLog};
use skydeck_store::local::disk::{Disk, Op};
use skydeck_store::local::{LocalStore, Options};
use skydeck_store::{AppendError, Store as _, StoreError};

/// What happened at one moment.
#[derive(Debug, Default)]
pub struct Step {
    /// When.
    pub at: Ts,
    /// The order that began it: its line, and its entry, which comes before the facts.
    pub order: Option<(Deed, ActionEntry)>,
    /// Facts.
    pub events: Vec<Event>,
    /// A line that follows them.
    pub after: Option<Deed>,
}

/// A clock that is turned to the moment that is told of.
struct Turned {
    now: AtomicI64,
    real: Arc<dyn Clock>,
}

impl Clock for Turned {
    fn now(&self) -> Ts {
        Ts(self.now.load(Ordering::SeqCst))
    }

    fn mono(&self) -> Duration {
        self.real.mono()
    }
}

/// A disk that makes nothing durable by the append: what is written is flushed once, at the end.
struct Unflushed;

impl Disk for Unflushed {
    fn sync(&self, _: &File) -> io::Result<()> {
        Ok(())
    }

    fn before(&self, _: Op) -> io::Result<()> {
        Ok(())
    }
}

/// A data directory that is being written.
pub struct Pen {
    dir: PathBuf,
    clock: Arc<Turned>,
    store: LocalStore,
    log: FileLog,
    /// Nothing is told of a later moment.
    last: Ts,
    /// Facts and lines so far.
    pub facts: u64,
}

impl Pen {
    /// Opens a directory in which there is nothing yet. `first`: a moment before everything that is told;
    /// `last`: the newest that may be told of.
    pub async fn open(
        dir: &Path,
        real: Arc<dyn Clock>,
        who: &str,
        (first, last): (Ts, Ts),
    ) -> Result<Self, StoreError> {
        let clock = Arc::new(Turned { now: AtomicI64::new(first.0), real });
        let options = Options { disk: Arc::new(Unflushed), ..Options::default() };
        let clock_of = Arc::clone(&clock) as Arc<dyn Clock>;
        let store = LocalStore::open_with(dir, Arc::clone(&clock_of), who, &|_| {}, options)?;
        if store.last().0 > 0 {
            let dir = dir.display();
            return Err(StoreError::Directory(format!("{dir}: work is kept there already; name an empty directory")));
        }
        let log = FileLog::open(dir, clock_of, &store).await?;
        let pen = Self { dir: dir.to_path_buf(), clock, store, log, last, facts: 0 };
        if let Some(begins) = pen.log.begins() {
            pen.append(vec![Event::LogWitnessed(Box::new(begins))]).await?;
        }
        Ok(pen)
    }

    async fn append(&self, events: Vec<Event>) -> Result<(), AppendError> {
        self.store.append(events.into()).await.map(|_| ())
    }

    /// Writes what happened in a stretch of time, in the order of its moments.
    pub async fn write(&mut self, mut steps: Vec<Step>) -> Result<(), StoreError> {
        steps.sort_by_key(|step| step.at);
        // What is in the middle at the end is told to its own end, in the last moment.
        for step in &mut steps {
            step.at = step.at.min(self.last);
        }
        let mut lines = Vec::new();
        for step in &mut steps {
            lines.extend(step.order.as_ref().map(|(deed, _)| (step.at, deed.clone())));
            lines.extend(step.after.take().map(|deed| (step.at, deed)));
        }
        let wanted: Vec<bool> = lines.iter().map(|(_, deed)| is_told_with_its_line(deed)).collect();
        let places = self.log.write_past(lines)?;
        let mut places = places.into_iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(place, _)| place);
        for step in steps {
            self.clock.now.store(step.at.0, Ordering::SeqCst);
            let entry = step.order.map(|(_, entry)| ActionEntry { line: places.next(), ..entry });
            let told = entry.map(|entry| Event::ActionTaken(Box::new(entry)));
            let events: Vec<Event> = told.into_iter().chain(step.events).collect();
            self.facts += events.len() as u64;
            if !events.is_empty() {
                self.append(events).await?;
            }
        }
        Ok(())
    }

    /// Puts the pen down: the journal tells how far the log reached, and all of it is durable.
    pub async fn close(self) -> Result<(), StoreError> {
        if let Some(witness) = self.log.close(&self.store).await? {
            self.append(vec![Event::LogWitnessed(Box::new(witness))]).await?;
        }
        self.store.close()?;
        flush(&self.dir).map_err(|e| StoreError::Write(format!("{}: {e}", self.dir.display())))
    }
}

/// Whether an entry of the journal tells of a line by its place.
fn is_told_with_its_line(deed: &Deed) -> bool {
    use skydeck_store::actions::Phase;
    match deed.phase {
        Phase::Before | Phase::Refused => true,
        Phase::After | Phase::End => false,
    }
}

fn flush(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            flush(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}
