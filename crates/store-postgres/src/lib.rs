//! PostgreSQL as a store: facts in a chain of the database's own, and tables that every question is read from.
//!
//! Invariant: a fact and what follows from it are stored by one call in one transaction; nobody but that call writes a table.
//! What follows from a fact is worked out by the fold of the data directory, and questions are answered by its reading, so
//! that both stores say the same.

pub mod admin;
mod append;
mod body;
mod cache;
pub mod check;
pub mod connect;
pub mod copy;
mod effects;
pub mod fault;
mod feed;
mod hosts;
mod io;
mod line;
mod lists;
mod pen;
mod rows;
mod seen;
mod span;
mod tables;
mod turns;
mod view;
mod writer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::query::PageRequest;
use skydeck_core::domain::run::RunRow;
use skydeck_core::domain::time::Clock;
use skydeck_store::hosts::Host;
use skydeck_store::index::Index;
use skydeck_store::index::row::run_row;
use skydeck_store::{AppendError, Appended, Batch, Embedded, Inside, Pace, Snapshot, StoreError, codec};
use tokio::sync::{Semaphore, oneshot, watch};

pub use connect::Settings;
pub use fault::PgFault;

use crate::hosts::{Members, Signs};
use crate::io::Io;
use crate::tables::{Tables, column};
use crate::writer::{Beginning, Job};

/// Appends that wait at once, at most.
const WAITING: usize = 1024;

/// What questions are asked of.
pub struct Shared {
    io: Arc<Io>,
    index: Index<Arc<Tables>>,
}

/// The way to the thread that appends.
struct Pen {
    jobs: Mutex<Option<SyncSender<Job>>>,
    permits: Semaphore,
    thread: Mutex<Option<JoinHandle<()>>>,
    turn: pen::Pen,
    laid_down: Arc<AtomicBool>,
    io: Arc<Io>,
}

/// Whose turn it is to write.
pub enum Turn {
    /// Ours: the store is open.
    Ours(PgStore),
    /// Another machine's: which, and until when.
    Theirs(PgFault),
}

/// The store.
pub struct PgStore {
    shared: Arc<Shared>,
    pace: Pace,
    pen: Option<Pen>,
    members: Option<Box<Members>>,
}

impl PgStore {
    /// Opens a store to look at: nothing is ever written through it.
    pub fn look(settings: Settings) -> Result<Self, StoreError> {
        let io = Arc::new(Io::start(settings)?);
        io.wait(check::usable)?;
        let tables = Arc::new(Tables::new(Arc::clone(&io)));
        let shared = Arc::new(Shared { io, index: Index::new(tables) });
        Ok(Self { shared, pace: Pace::far(), pen: None, members: None })
    }

    /// Opens a store to write to; refuses while another machine does.
    pub fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        match Self::take_turn(settings, clock)? {
            Turn::Ours(store) => Ok(store),
            Turn::Theirs(fault) => Err(fault.into()),
        }
    }

    /// Opens a store to write to, where nobody else does.
    pub fn take_turn(settings: Settings, clock: Arc<dyn Clock>) -> Result<Turn, StoreError> {
        Self::begin(settings, clock, false)
    }

    /// Opens a store to write to, beside other machines.
    pub fn join(settings: Settings, clock: Arc<dyn Clock>) -> Result<Turn, StoreError> {
        Self::begin(settings, clock, true)
    }

    fn begin(settings: Settings, clock: Arc<dyn Clock>, together: bool) -> Result<Turn, StoreError> {
        let (lease, name) = (settings.lease, settings.host.clone());
        let mut store = Self::look(settings)?;
        let signs = Signs::default();
        let (io, tables) = (&store.shared.io, &store.shared.index.kv);
        io.wait(check::writable)?;
        let how = Beginning { clock, together, signs: signs.clone() };
        let writer = match writer::begin(io, tables, how)? {
            Ok(writer) => writer,
            Err(taken) => return Ok(Turn::Theirs(taken)),
        };
        let (jobs, waiting) = sync_channel(WAITING);
        let turn = writer.pen;
        store.members = turn
            .host
            .map(|host| Box::new(Members::new(Arc::clone(&store.shared.io), (host, name), lease, signs.heard)));
        let thread = std::thread::Builder::new().name("skydeck-pg-append".to_owned());
        let thread = thread.spawn(move || writer.run(&waiting));
        let thread = thread.map_err(|e| StoreError::Write(format!("the writer cannot start: {e}")))?;
        let pen = Pen {
            jobs: Mutex::new(Some(jobs)),
            permits: Semaphore::new(WAITING),
            thread: Mutex::new(Some(thread)),
            turn,
            laid_down: signs.left,
            io: Arc::clone(&store.shared.io),
        };
        Ok(Turn::Ours(Self { pen: Some(pen), ..store }))
    }

    /// The machines that write together: those that count, and those that still have runs.
    pub async fn machines(&self) -> Result<Vec<Host>, StoreError> {
        Ok(self.shared.io.ask(|inner| async move { hosts::machines(&inner).await }).await?)
    }

    /// The hash of the chain after a fact, as hex digits; none where there is no such fact.
    pub async fn chained(&self, seq: Seq) -> Result<Option<String>, StoreError> {
        let sql = "select encode(hash, 'hex') from skydeck.fact where seq = $1";
        let at = i64::try_from(seq.0).unwrap_or(i64::MAX);
        let rows =
            self.shared.io.ask(move |inner| async move { inner.rows(sql, &[Box::new(at) as io::Value]).await }).await?;
        rows.first().map(|row| tables::column(row, 0)).transpose()
    }

    /// The people behind the users of the machines, each with what he is called, by name: (person, machine, user).
    pub async fn people(&self) -> Result<Vec<(String, String, u32)>, StoreError> {
        Ok(self.shared.io.ask(|inner| async move { hosts::people(&inner).await }).await?)
    }

    /// Stores what is waiting and lays the pen down: whoever else writes need not wait. Later appends are refused; reads go on.
    pub fn close(&self) {
        if let Some(pen) = &self.pen {
            pen.lay_down();
        }
    }

    async fn send(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<Appended, AppendError>>) -> Job,
    ) -> Result<Appended, AppendError> {
        let closed = || AppendError::Write("it is closed".to_owned());
        let Some(pen) = &self.pen else { return Err(AppendError::Write("it was opened to look only".to_owned())) };
        let Ok(_permit) = pen.permits.acquire().await else { return Err(closed()) };
        let (reply, answer) = oneshot::channel();
        {
            let jobs = pen.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(jobs) = jobs.as_ref() else { return Err(closed()) };
            // Never full: there are as many permits as places.
            match jobs.try_send(job(reply)) {
                Ok(()) => {}
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return Err(closed()),
            }
        }
        answer.await.unwrap_or_else(|_| Err(AppendError::Write("the writer ended; reopen the store".to_owned())))
    }

    /// How far the store is, whoever writes: changes when facts were added. Follows it for as long as somebody looks.
    pub fn follow(&self) -> watch::Receiver<Seq> {
        let (told, seen) = watch::channel(Seq(0));
        self.shared.io.begin(move |inner| feed::follow(inner, told, None));
        seen
    }

    /// Adds facts of another store with the moments they have; their places follow the last one here.
    pub async fn copy(&self, facts: Vec<Fact>) -> Result<Appended, AppendError> {
        self.send(|reply| Job::Copy(facts, reply)).await
    }
}

impl Pen {
    fn lay_down(&self) {
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        if !self.laid_down.swap(true, Ordering::SeqCst) {
            let turn = self.turn;
            // Where this fails the turn ends by itself.
            let _ = self.io.wait(move |inner| async move {
                match turn.host {
                    Some(host) => hosts::part(inner, host).await,
                    None => pen::leave(inner, turn.fence).await,
                }
            });
        }
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.lay_down();
    }
}

impl Shared {
    fn facts(&self, sql: &str, values: Vec<io::Value>) -> Result<Vec<Fact>, StoreError> {
        self.io.rows(sql.to_owned(), values)?.iter().map(body::fact).collect()
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Inside for Shared {
    type Kv = Arc<Tables>;

    fn index(&self) -> &Index<Arc<Tables>> {
        Tables::begin();
        &self.index
    }

    fn last_seq(&self) -> Result<Seq, StoreError> {
        let rows = self.io.rows("select seq from skydeck.head where book = 1".to_owned(), Vec::new())?;
        let seq: i64 = column(rows.first().ok_or(PgFault::NoStore)?, 0)?;
        Ok(Seq(seq.cast_unsigned()))
    }

    fn facts_after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        let sql = "select seq, at, body from skydeck.fact where seq > $1 order by seq limit $2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let facts = self.facts(sql, vec![Box::new(signed(after.0)), Box::new(limit)])?;
        // Places are dense: a hole is damage, never something that comes later.
        match facts.iter().zip(after.0 + 1..).find(|(fact, due)| fact.seq.0 != *due) {
            Some((_, due)) => Err(StoreError::Damaged(format!("fact {due} is missing in the store's database"))),
            None => Ok(facts),
        }
    }

    fn facts_at(&self, places: &[Seq]) -> Result<Vec<Fact>, StoreError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<i64> = places.iter().map(|seq| signed(seq.0)).collect();
        self.facts("select seq, at, body from skydeck.fact where seq = any($1) order by seq", vec![Box::new(places)])
    }

    fn snapshot(&self, newest: u32) -> Result<Snapshot, StoreError> {
        // One statement sees one state of the database.
        let sql = "select (select seq from skydeck.head where book = 1), h.rec, r.live from skydeck.run r \
                   join skydeck.run_head h on h.no = r.no \
                   where r.closed is null or r.no in (select no from skydeck.run order by no desc limit $1) \
                   union all select seq, null, null from skydeck.head where book = 1";
        let newest = PageRequest::first(newest).limit;
        let rows = self.io.rows(sql.to_owned(), vec![Box::new(i64::from(newest))])?;
        let (mut at, mut runs): (i64, Vec<RunRow>) = (0, Vec::new());
        for row in &rows {
            at = column(row, 0)?;
            let (head, live): (Option<Vec<u8>>, Option<Vec<u8>>) = (column(row, 1)?, column(row, 2)?);
            if let (Some(head), Some(live)) = (head, live) {
                runs.push(run_row(codec::unpack(&head)?, &codec::unpack(&live)?));
            }
        }
        runs.sort_by_key(|row| row.head.id);
        Ok(Snapshot { at: Seq(at.cast_unsigned()), runs })
    }
}

impl Embedded for PgStore {
    type Inside = Shared;

    fn inside(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn pace(&self) -> Option<&Pace> {
        Some(&self.pace)
    }

    fn hosts(&self) -> Option<&dyn skydeck_store::hosts::Hosts> {
        self.members.as_deref().map(|members| members as _)
    }

    async fn store(&self, batch: Batch) -> Result<Appended, AppendError> {
        self.send(|reply| Job::Append(batch, reply)).await
    }
}
