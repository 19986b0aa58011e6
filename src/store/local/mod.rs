//! The store of one machine: a journal that is the truth and an index that can always be rebuilt from it.
//!
//! Invariant: one process, one writer thread; the index is never ahead of the journal.

pub mod disk;
pub mod place;
mod sledkv;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot};

use self::disk::{Disk, RealDisk};
use self::place::{Place, stamp};
pub use self::sledkv::{OpenFault, SledKv};
use self::writer::{Job, Jobs, Mode, Shared, Writer};
use super::index::Index;
use super::index::fold::fold;
use super::index::kv::Kv;
use super::index::scratch::Scratch;
use super::journal::tail::{self, ROTATE, Tail};
use super::journal::{Journal, Torn};
use super::{Appended, Store, StoreError, trim_to_bill};
use crate::domain::event::{Event, Fact};
use crate::domain::ids::{RecordKey, Seq, WorkKey};
use crate::domain::time::Clock;

/// Appends waiting for the writer, at most; more callers wait outside.
const QUEUE: usize = 256;
/// Facts folded between two words about progress.
const PROGRESS: u64 = 2_000;

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
}

impl Default for Options {
    fn default() -> Self {
        Self { disk: Arc::new(RealDisk), rotate: ROTATE }
    }
}

/// The store.
pub struct LocalStore {
    shared: Arc<Shared>,
    jobs: Mutex<Option<Jobs>>,
    permits: Semaphore,
    thread: Mutex<Option<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
    dir: PathBuf,
}

impl LocalStore {
    /// Opens or creates the store of a directory. `who`: login of the owner, for the second one who comes.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>, who: &str, progress: &dyn Fn(Progress)) -> Result<Self, StoreError> {
        Self::open_with(dir, clock, who, progress, Options::default())
    }

    /// Opens with a disk of one's own.
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
        place.settle_version()?;
        let fresh = !place.index().exists();
        place.make(&place.journal())?;
        let opened = open_parts(&place, clock.as_ref(), &options, progress)?;
        let ballast = opened.full.is_none() && place.fill_ballast();
        if !ballast {
            progress(Progress::NoBallast);
        }
        if fresh {
            place.sync_all()?;
        }
        let mode = match opened.index.later()? {
            // What a newer program did is not guessed at, and nothing is written beside it.
            Some((seq, tag)) => Mode::Stopped(format!(
                "fact {seq} was written by a newer program (`{tag}`) and is not understood here: look only, or use the newer \
                 program"
            )),
            None => opened.full.map_or(Mode::Open, Mode::Draining),
        };
        let shared = Arc::new(Shared {
            journal: opened.journal,
            index: opened.index,
            mode: RwLock::new(mode),
            announced: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        });
        let (jobs, queue) = sync_channel(QUEUE);
        let writer = Writer {
            shared: Arc::clone(&shared),
            tail: opened.tail,
            disk: options.disk,
            clock,
            place: place.clone(),
            unsynced: 0,
            unlooked: u64::MAX / 2,
            dirty: true,
            sealer: None,
        };
        let spawned = std::thread::Builder::new().name("skydeck-store".to_owned()).spawn(move || writer.run(&queue));
        let thread = spawned.map_err(|e| place.refused("the writer cannot start", &e))?;
        progress(Progress::Ready);
        Ok(Self {
            shared,
            jobs: Mutex::new(Some(jobs)),
            permits: Semaphore::new(QUEUE),
            thread: Mutex::new(Some(thread)),
            lock: Mutex::new(Some(lock)),
            dir: dir.to_path_buf(),
        })
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

    /// The index, for what only this store can do.
    pub(super) fn index(&self) -> &Index<SledKv> {
        &self.shared.index
    }

    /// The data directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Why nothing, or nothing new, is written, if so.
    pub fn trouble(&self) -> Option<String> {
        match self.shared.mode() {
            Mode::Open => None,
            Mode::Draining(why) | Mode::Stopped(why) => Some(why),
        }
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn append(&self, events: Vec<Event>) -> Result<Appended, StoreError> {
        let closed = || StoreError::Write("it is closed".to_owned());
        let Ok(_permit) = self.permits.acquire().await else { return Err(closed()) };
        let (reply, answer) = oneshot::channel();
        {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(jobs) = jobs.as_ref() else { return Err(closed()) };
            self.shared.announced.fetch_add(1, Ordering::AcqRel);
            // Never full: there are as many permits as places.
            if jobs.try_send(Job::Append(events, reply)).is_err() {
                self.shared.announced.fetch_sub(1, Ordering::AcqRel);
                return Err(closed());
            }
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Write("the writer ended; reopen the store".to_owned())))
    }

    fn last_seq(&self) -> Seq {
        self.shared.journal.last()
    }

    fn facts_after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        self.shared.journal.after(after, limit)
    }

    fn facts_of(&self, key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, bool), StoreError> {
        let places = self.shared.index.places_of(key, limit)?;
        let facts = self.shared.journal.at(&places.all)?;
        Ok((facts.into_iter().map(|fact| trim_to_bill(fact, &key.record.fid)).collect(), places.cut))
    }

    fn deeds_of(&self, key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, Seq), StoreError> {
        let places = self.shared.index.places_of(key, limit)?;
        let last = places.all.last().copied().unwrap_or_default();
        let done: Vec<Seq> = places.all.into_iter().filter(|seq| !places.found.contains(seq)).collect();
        Ok((self.shared.journal.at(&done)?, last))
    }

    fn newest_of(&self, key: &RecordKey) -> Result<Seq, StoreError> {
        self.shared.index.newest_of(key)
    }

    super::index_reads!(self => self.shared.index);
}

/// A store's parts, opened.
pub(super) struct Parts {
    pub journal: Arc<Journal>,
    pub tail: Tail,
    pub index: Index<SledKv>,
    /// Set when the disk was too full to open without the ballast.
    pub full: Option<String>,
}

fn open_parts(
    place: &Place,
    clock: &dyn Clock,
    options: &Options,
    progress: &dyn Fn(Progress),
) -> Result<Parts, StoreError> {
    progress(Progress::OpeningIndex);
    let now = stamp(clock.now());
    let (kv, full) = open_index(place, &now, progress)?;
    let mut index = Index::new(kv);
    let applied = index.applied()?;
    progress(Progress::ReadingJournal);
    let witness = Seq(applied.0.max(place.known_durable()));
    let (journal, tail, torn) = tail::open(&place.journal(), Arc::clone(&options.disk), options.rotate, witness, &now)?;
    if let Some(torn) = torn {
        progress(Progress::TornTail(torn));
    }
    match catch_up(&journal, &index, progress) {
        Ok(()) => {}
        // The journal read well and yet does not fit what the index holds: the index lost something silently.
        Err(Folded::Misfit(why)) if !index.kv.is_empty() => {
            drop(index);
            put_aside(place, &now, why.to_string(), progress)?;
            let (kv, _) = open_index(place, &now, progress)?;
            index = Index::new(kv);
            catch_up(&journal, &index, progress).map_err(Folded::error)?;
        }
        Err(e) => return Err(e.error()),
    }
    Ok(Parts { journal, tail, index, full })
}

fn put_aside(place: &Place, now: &str, why: String, progress: &dyn Fn(Progress)) -> Result<(), StoreError> {
    let kept = place.dir.join(format!("sled.bad-{now}"));
    let moved = std::fs::rename(place.index(), &kept);
    moved.map_err(|e| place.refused("the damaged index cannot be put aside", &e))?;
    progress(Progress::IndexDamaged { kept, why });
    Ok(())
}

/// Opens the index; a damaged one is put aside and begun anew.
fn open_index(place: &Place, now: &str, progress: &dyn Fn(Progress)) -> Result<(SledKv, Option<String>), StoreError> {
    let path = place.index();
    let mut full = None;
    for _ in 0..3 {
        match SledKv::open(&path) {
            Ok(kv) => return Ok((kv, full)),
            Err(OpenFault::Disk(e)) => {
                let is_full = e.kind() == std::io::ErrorKind::StorageFull;
                if is_full && full.is_none() && place.drop_ballast() {
                    full = Some(format!(
                        "{e}; outcomes are still stored, new work is not taken: free some space, then reopen"
                    ));
                    continue;
                }
                return Err(place.refused("the index cannot be opened", &e));
            }
            Err(OpenFault::Damaged(why)) => put_aside(place, now, why, progress)?,
        }
    }
    Err(StoreError::Directory(format!("data directory {}: the index does not open", place.dir.display())))
}

/// Why the journal could not be folded in.
pub(super) enum Folded {
    /// What the index holds and what the journal tells do not fit.
    Misfit(StoreError),
    /// The journal does not read, or the disk does not take.
    Stopped(StoreError),
}

impl Folded {
    /// As the store says it.
    pub fn error(self) -> StoreError {
        match self {
            Self::Misfit(StoreError::Contradiction(what)) => StoreError::Damaged(what),
            Self::Misfit(e) | Self::Stopped(e) => e,
        }
    }
}

/// Folds into the index what it has not seen.
pub(super) fn catch_up<K: Kv>(journal: &Journal, index: &Index<K>, progress: &dyn Fn(Progress)) -> Result<(), Folded> {
    let from = index.applied().map_err(Folded::Misfit)?;
    let last = journal.last();
    let of = last.0.saturating_sub(from.0);
    if of == 0 {
        return Ok(());
    }
    progress(Progress::Folding { done: 0, of });
    let mut fault = None;
    let mut scratch = Scratch::new(&index.kv);
    let mut done = 0;
    let read = journal.each_from(Seq(from.0 + 1), &mut |fact| {
        if let Err(e) = fold(&fact, &mut scratch) {
            fault = Some(Folded::Misfit(match e {
                StoreError::Contradiction(what) => StoreError::Contradiction(format!("fact {}: {what}", fact.seq)),
                other => other,
            }));
            return false;
        }
        scratch.accept(fact.seq);
        for batch in scratch.take_full() {
            if let Err(e) = index.kv.apply(batch) {
                fault = Some(Folded::Stopped(e));
                return false;
            }
        }
        done += 1;
        if done % PROGRESS == 0 {
            progress(Progress::Folding { done, of });
        }
        true
    });
    if let Some(fault) = fault {
        return Err(fault);
    }
    read.map_err(Folded::Stopped)?;
    for batch in scratch.finish() {
        index.kv.apply(batch).map_err(Folded::Stopped)?;
    }
    progress(Progress::Folding { done, of });
    if done != of {
        return Err(Folded::Stopped(StoreError::Damaged(format!("{of} facts were to be folded, {done} were read"))));
    }
    Ok(())
}
