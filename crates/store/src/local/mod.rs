//! The store of one machine: a journal that is the truth and an index that can always be rebuilt from it.
//!
//! Invariant: one process, one writer thread; the index is never ahead of the journal.

pub mod disk;
mod folding;
mod open;
pub mod place;
mod raise;
mod sledkv;
pub(crate) mod upgrade;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use tokio::sync::{Semaphore, oneshot};

use self::disk::{Disk, RealDisk};
use self::open::{Opening, Parts};
use self::place::{Place, VERSION};
pub use self::raise::{Outlook, Raise};
pub use self::sledkv::{OpenFault, SledKv};
use self::writer::{Job, Jobs, Mode, Shared, Writer};
use super::index::Index;
use super::journal::Torn;
use super::journal::tail::ROTATE;
use super::reads::{Embedded, Inside, Pace};
use super::{AppendError, Appended, Batch, StoreError};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::time::Clock;

/// Appends waiting for the writer, at most; more callers wait outside.
const QUEUE: usize = 256;

/// What opening does, told while it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The index is being opened; after a long session without a clean end this takes seconds.
    OpeningIndex,
    /// The journal is being read to its end.
    ReadingJournal,
    /// The end of the journal was torn by a crash and was cut; nobody had been told of it.
    TornTail(Torn),
    /// The index was damaged: put aside here, and rebuilt.
    IndexDamaged {
        /// Where the damaged one is.
        kept: PathBuf,
        /// What was wrong.
        why: String,
    },
    /// The directory is of an earlier version: before it is raised, a backup of it is made.
    BackingUp {
        /// Where.
        to: PathBuf,
        /// How much.
        bytes: u64,
    },
    /// The backup's copy is read again, from its first fact to its last.
    BackupRead {
        /// So many facts so far.
        facts: u64,
    },
    /// The index is of another layout: it is built anew, beside the old one.
    Upgrading {
        /// Layout of the old one.
        from: u32,
        /// Layout of the new one.
        to: u32,
        /// Facts that are in it.
        done: u64,
        /// Facts that are to come into it.
        of: u64,
    },
    /// The directory was of an earlier version and is of this program's now.
    Raised {
        /// Its version before.
        from: u32,
        /// Its version now.
        to: u32,
        /// Where the backup is, if one was wanted.
        backup: Option<PathBuf>,
    },
    /// Facts are folded into the index.
    Folding {
        /// So many.
        done: u64,
        /// Of so many.
        of: u64,
    },
    /// No space could be set aside for a full disk.
    NoBallast,
    /// It is open.
    Ready,
}

/// How a store is opened; the defaults are right outside tests.
#[derive(Clone)]
pub struct Options {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// Size at which a segment is sealed.
    pub rotate: u64,
    /// What becomes of a directory of an earlier version.
    pub raise: Raise,
}

impl Options {
    /// The defaults, for a directory of an earlier version as it is told.
    pub fn raising(raise: Raise) -> Self {
        Self { raise, ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { disk: Arc::new(RealDisk), rotate: ROTATE, raise: Raise::Backup(None) }
    }
}

/// The store.
pub struct LocalStore {
    shared: Arc<Shared>,
    jobs: Mutex<Option<Jobs>>,
    permits: Semaphore,
    thread: Mutex<Option<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
    pace: Pace,
    dir: PathBuf,
}

impl LocalStore {
    /// Opens or creates the store of a directory. `who`: login of the owner, for the second one who comes.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>, who: &str, progress: &dyn Fn(Progress)) -> Result<Self, StoreError> {
        Self::open_with(dir, clock, who, progress, Options::default())
    }

    /// Opens as it is told.
    pub fn open_with(
        dir: &Path,
        clock: Arc<dyn Clock>,
        who: &str,
        progress: &dyn Fn(Progress),
        options: Options,
    ) -> Result<Self, StoreError> {
        let place = Place::new(dir);
        place.prepare()?;
        let lock = place.take(clock.now(), who)?;
        let version = place.settle_version()?;
        let opening = Opening { place: &place, version, options: &options, now: clock.now(), progress };
        let backup = if version < VERSION { raise::back_up(&opening)? } else { None };
        super::backup::sweep(dir);
        let fresh = !place.index().exists();
        place.make(&place.journal())?;
        let opened = opening.parts()?;
        if version < VERSION {
            progress(Progress::Raised { from: version, to: VERSION, backup });
        }
        let ballast = opened.full.is_none() && place.fill_ballast();
        if !ballast {
            progress(Progress::NoBallast);
        }
        if fresh {
            place.sync_all()?;
        }
        let shared = Arc::new(Shared {
            mode: RwLock::new(mode(&opened, &place)?),
            journal: opened.journal,
            index: opened.index,
            announced: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        });
        let (jobs, queue) = sync_channel(QUEUE);
        let writer = Writer::new(Arc::clone(&shared), opened.tail, options.disk, clock, place.clone());
        let spawned = std::thread::Builder::new().name("skydeck-store".to_owned()).spawn(move || writer.run(&queue));
        let thread = spawned.map_err(|e| place.refused("the writer cannot start", &e))?;
        progress(Progress::Ready);
        Ok(Self {
            shared,
            jobs: Mutex::new(Some(jobs)),
            permits: Semaphore::new(QUEUE),
            thread: Mutex::new(Some(thread)),
            lock: Mutex::new(Some(lock)),
            pace: Pace::default(),
            dir: dir.to_path_buf(),
        })
    }

    /// Notes durably that the facts go on elsewhere: opened again it is for looking only.
    pub fn mark_moved(&self, where_to: &str) -> Result<(), StoreError> {
        Place::new(&self.dir).mark_moved(where_to)
    }

    /// Stores what is waiting, makes everything durable and lets go of the directory. Later appends are
    /// refused; reads go on. `Err` when the store had stopped writing before, with the reason.
    pub fn close(&self) -> Result<(), StoreError> {
        let before = self.shared.mode();
        if let Some(jobs) = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The thread may have ended already.
            let _ = jobs.send(Job::Close);
        }
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
            self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Mode::Stopped(why) = before {
                return Err(StoreError::Write(why));
            }
        }
        Ok(())
    }

    /// The index, to be asked on a thread that may wait.
    pub fn index(&self) -> &Index<SledKv> {
        &self.shared.index
    }

    /// Last durable place.
    pub fn last(&self) -> Seq {
        self.shared.journal.last()
    }

    /// Facts after a place, at most `limit`; asked on a thread that may wait.
    pub fn facts(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        self.shared.journal.after(after, limit)
    }

    /// The data directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The journal's last place and the hash of its chain there, as hex digits.
    pub fn head(&self) -> (Seq, String) {
        let chain = self.shared.journal.segments().last().map(|segment| segment.chain).unwrap_or_default();
        (self.shared.journal.last(), crate::hex(&chain))
    }

    /// Why nothing, or nothing new, is written, if so.
    pub fn trouble(&self) -> Option<String> {
        match self.shared.mode() {
            Mode::Open => None,
            Mode::Draining(why) | Mode::Stopped(why) => Some(why),
        }
    }
}

/// What an opened store takes.
fn mode(opened: &Parts, place: &Place) -> Result<Mode, StoreError> {
    if let Some(where_to) = place.moved()? {
        return Ok(Mode::Stopped(format!(
            "its facts were moved to {where_to} and go on there: look only, or name the database in `[store] url`"
        )));
    }
    Ok(match opened.index.later()? {
        // What a newer program did is not guessed at, and nothing is written beside it.
        Some((seq, tag)) => Mode::Stopped(format!(
            "fact {seq} was written by a newer program (`{tag}`) and is not understood here: look only, or use the newer \
             program"
        )),
        None => opened.full.clone().map_or(Mode::Open, Mode::Draining),
    })
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

impl Inside for Shared {
    type Kv = SledKv;

    fn index(&self) -> &Index<SledKv> {
        &self.index
    }

    fn last_seq(&self) -> Result<Seq, StoreError> {
        Ok(self.journal.last())
    }

    fn facts_after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        self.journal.after(after, limit)
    }

    fn facts_at(&self, places: &[Seq]) -> Result<Vec<Fact>, StoreError> {
        self.journal.at(places)
    }
}

impl Embedded for LocalStore {
    type Inside = Shared;

    fn inside(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn pace(&self) -> Option<&Pace> {
        Some(&self.pace)
    }

    async fn store(&self, batch: Batch) -> Result<Appended, AppendError> {
        let closed = || AppendError::Write("it is closed".to_owned());
        let Ok(_permit) = self.permits.acquire().await else { return Err(closed()) };
        let (reply, answer) = oneshot::channel();
        {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(jobs) = jobs.as_ref() else { return Err(closed()) };
            self.shared.announced.fetch_add(1, Ordering::AcqRel);
            // Never full: there are as many permits as places.
            if jobs.try_send(Job::Append(batch, reply)).is_err() {
                self.shared.announced.fetch_sub(1, Ordering::AcqRel);
                return Err(closed());
            }
        }
        answer.await.unwrap_or_else(|_| Err(AppendError::Write("the writer ended; reopen the store".to_owned())))
    }
}
