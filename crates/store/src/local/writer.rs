//! The one thread that writes: it groups what is waiting, makes it durable in the journal, then applies it to
//! the index, then answers.
//!
//! Invariant: an answer of success is given after the journal's fdatasync and the index batch, never before;
//! after the first failed write or flush nothing more is written.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::disk::{Disk, Op};
use super::place::Place;
use super::sledkv::SledKv;
use crate::batch::{BatchId, Stored};
use crate::index::Index;
use crate::index::fold::fold;
use crate::index::kv::Kv;
use crate::index::unmoved::unmoved;
use crate::index::write_batch::WriteBatch;
use crate::journal::tail::{Pending, Tail};
use crate::journal::{Journal, sealed};
use crate::{AppendError, Appended, Batch, StoreError, limited};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::time::Clock;

/// Records taken into one flush.
const GROUP: usize = 256;
/// How long a group waits for an append that is already on its way.
const GATHER: Duration = Duration::from_millis(5);
/// Bytes of journal after which the index is made durable.
const SYNC_EVERY: u64 = 16 * 1024 * 1024;
/// Quiet time after which the index is made durable.
const IDLE: Duration = Duration::from_secs(1);
/// Journal bytes between two looks at the free space.
const LOOK_EVERY: u64 = 1024 * 1024;
/// Free bytes below which no new work is taken.
pub(super) const LOW: u64 = 4 * 1024 * 1024;

/// Said where a file may not grow.
const FILE_LIMIT: &str = ": a limit on the size of files (`ulimit -f`) is in the way: raise it, then start again";

/// What the thread is asked.
pub enum Job {
    /// Store these.
    Append(Batch, oneshot::Sender<Result<Appended, AppendError>>),
    /// Make everything durable and end.
    Close,
}

/// What writing may do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    Open,
    /// The disk is nearly full: outcomes of what was begun, nothing new.
    Draining(String),
    /// Nothing, until the store is opened again.
    Stopped(String),
}

/// What the thread shares with the store.
pub struct Shared {
    /// Readers' side of the journal.
    pub journal: Arc<Journal>,
    /// The index.
    pub index: Index<SledKv>,
    /// What may be written.
    pub mode: RwLock<Mode>,
    /// Appends announced and not yet taken.
    pub announced: AtomicUsize,
    /// Set when sealing should give up.
    pub closing: AtomicBool,
}

impl Shared {
    fn stop(&self, why: String) -> AppendError {
        let mut mode = self.mode.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*mode, Mode::Stopped(_)) {
            *mode = Mode::Stopped(why.clone());
        }
        AppendError::Write(why)
    }

    /// What may be written now.
    pub fn mode(&self) -> Mode {
        self.mode.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Waiting {
    batch: Batch,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
}

/// The thread's own things.
pub struct Writer {
    shared: Arc<Shared>,
    tail: Tail,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    place: Place,
    unsynced: u64,
    unlooked: u64,
    dirty: bool,
    sealer: Option<JoinHandle<()>>,
    stored: Stored,
}

impl Writer {
    /// A writer that has written nothing yet, and looks at the disk before it does.
    pub fn new(shared: Arc<Shared>, tail: Tail, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, place: Place) -> Self {
        let (unsynced, unlooked, stored) = (0, u64::MAX / 2, Stored::default());
        Self { shared, tail, disk, clock, place, unsynced, unlooked, dirty: true, sealer: None, stored }
    }

    /// Runs until closed.
    pub fn run(mut self, jobs: &Receiver<Job>) {
        self.start_sealing();
        loop {
            let job = if self.dirty {
                match jobs.recv_timeout(IDLE) {
                    Ok(job) => job,
                    Err(RecvTimeoutError::Timeout) => {
                        self.sync_index();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            } else {
                match jobs.recv() {
                    Ok(job) => job,
                    Err(_) => break,
                }
            };
            match job {
                Job::Close => break,
                Job::Append(batch, reply) => {
                    let (group, close) = self.gather(Waiting { batch, reply }, jobs);
                    self.store(group);
                    if close {
                        break;
                    }
                }
            }
        }
        self.end();
    }

    fn gather(&self, first: Waiting, jobs: &Receiver<Job>) -> (Vec<Waiting>, bool) {
        self.shared.announced.fetch_sub(1, Ordering::AcqRel);
        let mut records = weight(&first.batch.events);
        let mut group = vec![first];
        let since = self.clock.mono();
        while records < GROUP {
            let job = match jobs.try_recv() {
                Ok(job) => job,
                Err(TryRecvError::Disconnected) => return (group, true),
                Err(TryRecvError::Empty) => {
                    // Wait only for one that has announced itself and is a moment away.
                    let waited = self.clock.mono().saturating_sub(since);
                    if self.shared.announced.load(Ordering::Acquire) == 0 || waited >= GATHER {
                        break;
                    }
                    match jobs.recv_timeout(GATHER.saturating_sub(waited)) {
                        Ok(job) => job,
                        Err(RecvTimeoutError::Timeout) => break,
                        Err(RecvTimeoutError::Disconnected) => return (group, true),
                    }
                }
            };
            match job {
                Job::Close => return (group, true),
                Job::Append(batch, reply) => {
                    self.shared.announced.fetch_sub(1, Ordering::AcqRel);
                    records += weight(&batch.events);
                    group.push(Waiting { batch, reply });
                }
            }
        }
        (group, false)
    }

    fn store(&mut self, group: Vec<Waiting>) {
        // Twice at most: the second time with new work refused and the ballast's space to write in.
        for second in [false, true] {
            match self.try_store(&group) {
                Ok(answers) => {
                    for (waiting, answer) in group.into_iter().zip(answers) {
                        // Whoever stopped waiting does not need the answer.
                        let _ = waiting.reply.send(answer);
                    }
                    self.after();
                    return;
                }
                Err(e) if !second && is_full(&e) && self.shared.mode() == Mode::Open => self.drain(&e.to_string()),
                Err(e) => {
                    let advice = if e.kind() == std::io::ErrorKind::FileTooLarge { FILE_LIMIT } else { "" };
                    let fault = self.shared.stop(format!("the journal: {e}{advice}"));
                    for waiting in group {
                        let _ = waiting.reply.send(Err(fault.clone()));
                    }
                    return;
                }
            }
        }
    }

    fn drain(&self, why: &str) {
        self.place.drop_ballast();
        let mut mode = self.shared.mode.write().unwrap_or_else(PoisonError::into_inner);
        if *mode == Mode::Open {
            *mode = Mode::Draining(format!(
                "{why}; outcomes are still stored, new work is not taken: free some space, then reopen"
            ));
        }
    }

    /// Tries the whole group; `Err` when the journal could not be written, and then nothing was.
    fn try_store(&mut self, group: &[Waiting]) -> std::io::Result<Vec<Result<Appended, AppendError>>> {
        let mode = self.shared.mode();
        let at = self.clock.now();
        let mut writes = WriteBatch::new(&self.shared.index);
        let mut pending = Pending::default();
        let mut next = self.tail.next().0;
        let mut answers = Vec::with_capacity(group.len());
        // Batches that are new, to be remembered once they are durable, with the place before and their facts.
        let mut new: Vec<(BatchId, Seq, Arc<[Fact]>)> = Vec::with_capacity(group.len());
        for waiting in group {
            let batch = &waiting.batch;
            if let Some((before, facts)) = self.stored.find(batch.id) {
                let facts = self.shared.journal.after(before, facts).map_err(AppendError::from);
                answers.push(facts.map(|facts| Appended { facts: facts.into() }));
                continue;
            }
            if let Some((_, _, facts)) = new.iter().find(|(id, ..)| *id == batch.id) {
                answers.push(Ok(Appended { facts: Arc::clone(facts) }));
                continue;
            }
            let answer = admit(&mode, &batch.events).and_then(|()| {
                unmoved(&writes, &batch.unmoved)?;
                let facts: Arc<[Fact]> = (next..)
                    .zip(batch.events.iter())
                    .map(|(seq, event)| Fact { seq: Seq(seq), at, event: limited(event) })
                    .collect();
                for fact in facts.iter() {
                    fold(fact, &mut writes)?;
                }
                self.tail.add(&facts, &mut pending)?;
                Ok(Appended { facts })
            });
            match &answer {
                Ok(appended) => {
                    new.push((batch.id, Seq(next - 1), Arc::clone(&appended.facts)));
                    if let Some(last) = appended.facts.last() {
                        writes.accept(last.seq);
                        next = last.seq.0 + 1;
                    }
                }
                Err(_) => writes.reject(),
            }
            answers.push(answer);
        }
        if pending.is_empty() {
            return Ok(answers);
        }
        let batches = writes.finish();
        let before = self.tail.end().1;
        self.tail.write(&pending)?;
        let written = self.tail.end().1.saturating_sub(before);
        self.unsynced += written;
        self.unlooked += written;
        self.dirty = true;
        for batch in batches {
            let applied = self.disk.before(Op::Index).map_err(|e| StoreError::Write(format!("the index: {e}")));
            if let Err(e) = applied.and_then(|()| self.shared.index.kv.apply(batch)) {
                // The facts are durable, but readers would not see them: nobody may build on them before a
                // reopening folds them in.
                let fault = self.shared.stop(e.to_string());
                return Ok(answers.into_iter().map(|answer| answer.and(Err(fault.clone()))).collect());
            }
        }
        self.shared.journal.publish(Seq(self.tail.next().0 - 1));
        for (id, before, facts) in new {
            self.stored.note(id, before, facts.len());
        }
        Ok(answers)
    }

    /// What follows a group: rotation, index flush, a look at the space left.
    fn after(&mut self) {
        if matches!(self.shared.mode(), Mode::Stopped(_)) {
            return;
        }
        if self.unlooked >= LOOK_EVERY {
            self.unlooked = 0;
            if let Ok(free) = self.disk.free(&self.place.dir)
                && free < LOW
            {
                self.drain(&format!("only {} KiB are free on the disk", free / 1024));
            }
        }
        if self.tail.is_full() {
            self.sync_index();
            match self.tail.rotate() {
                Ok(_) => self.start_sealing(),
                Err(e) => {
                    self.shared.stop(e.to_string());
                }
            }
        } else if self.unsynced >= SYNC_EVERY {
            self.sync_index();
        }
    }

    fn sync_index(&mut self) {
        self.dirty = false;
        self.unsynced = 0;
        let synced = self.disk.before(Op::IndexSync).and_then(|()| self.shared.index.kv.sync());
        if let Err(e) = synced {
            self.shared.stop(if is_full(&e) {
                format!("the index cannot be made durable, the disk is full ({e}): free some space, then start again; no fact is lost")
            } else {
                format!("the index cannot be made durable: {e}")
            });
        }
    }

    fn start_sealing(&mut self) {
        if self.sealer.as_ref().is_some_and(|s| !s.is_finished()) || self.shared.journal.unsealed().is_empty() {
            return;
        }
        let (shared, dir) = (Arc::clone(&self.shared), self.place.journal());
        let work = move || {
            while let Some(no) = shared.journal.unsealed().first().copied() {
                // A segment that cannot be sealed stays plain: it takes more space, nothing else.
                match sealed::seal(&dir, no, &shared.closing) {
                    Ok(Some(table)) => {
                        if shared.journal.sealed(no, table).is_err() {
                            return;
                        }
                    }
                    Ok(None) | Err(_) => return,
                }
            }
        };
        self.sealer = std::thread::Builder::new().name("skydeck-seal".to_owned()).spawn(work).ok();
    }

    fn end(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        if let Some(sealer) = self.sealer.take() {
            let _ = sealer.join();
        }
        if matches!(self.shared.mode(), Mode::Stopped(_)) {
            return;
        }
        // What a reader kept came past this thread.
        if self.dirty || !self.shared.index.kv.is_spilled() {
            self.sync_index();
        }
        let _ = self.place.note_durable(self.tail.next().0 - 1);
        self.shared.stop("it is closed".to_owned());
    }
}

/// Records of an append: bills found together count each.
fn weight(events: &[Event]) -> usize {
    let one = |event: &Event| match event {
        Event::BillsFound { bills, .. } => bills.len(),
        _ => 1,
    };
    events.iter().map(one).sum()
}

/// Whether an operation failed because the disk, or what this user may use of it, is full.
pub(super) fn is_full(e: &std::io::Error) -> bool {
    matches!(e.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// Whether an append may be written now.
fn admit(mode: &Mode, events: &[Event]) -> Result<(), AppendError> {
    match mode {
        Mode::Stopped(why) => Err(AppendError::Write(why.clone())),
        Mode::Draining(why) if events.iter().any(begins_work) => Err(AppendError::Full(why.clone())),
        Mode::Open | Mode::Draining(_) => Ok(()),
    }
}

/// Whether an event leads to calls, and so to more that must be stored.
fn begins_work(event: &Event) -> bool {
    matches!(
        event,
        Event::RunOpened(_)
            | Event::BillsFound { .. }
            | Event::RunCollected { .. }
            | Event::RunApproved { .. }
            | Event::MarkMoved { .. }
            | Event::RunResumed { .. }
            | Event::StepTried { .. }
            | Event::HandedIn(_)
    )
}

/// The way to the thread, bounded by the store's permits.
pub type Jobs = SyncSender<Job>;
