//! The one thread that appends: it groups what is waiting, works out what it changes, and has the database store both in one call.
//!
//! Invariant: an answer of success is given after the commit; where nobody knows whether there was one, the answer says so,
//! and the same batches are asked for by name before anything else is added.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::{Fid, RecordKey, RunId, Seq};
use skydeck_core::domain::time::{Clock, Ts};
use skydeck_core::domain::transition::{Change, transition};
use skydeck_store::index::Index;
use skydeck_store::index::entries::run_id_key;
use skydeck_store::index::fold::fold;
use skydeck_store::index::key::{Key, u32_at};
use skydeck_store::index::kv::{Batch as Changes, Kv};
use skydeck_store::index::row::RunLiveRec;
use skydeck_store::index::unmoved::unmoved;
use skydeck_store::index::write_batch::WriteBatch;
use skydeck_store::{AppendError, Appended, Batch, BatchId, StoreError, codec, limited};
use tokio::sync::oneshot;
use ulid::Ulid;

use crate::append::{Answer, append};
use crate::body::{digest, pack};
use crate::cache::Cache;
use crate::effects::{Families, record_row, rows_of};
use crate::fault::{PgFault, Refused};
use crate::hosts::{self, Signs};
use crate::io::Io;
use crate::pen::{self, Pen};
use crate::rows::{BatchIn, FactIn, KnownIn, Rows};
use crate::seen::Seen;
use crate::tables::{Tables, bill_key, column, known_key, live_key};

/// Records taken into one append.
const GROUP: usize = 256;
/// Times a group is worked out anew where others wrote, or parts of it were stored before.
const TRIES: u32 = 16;
/// Times others may be first before a machine asks for the next append to itself.
const PATIENCE: u32 = 2;
/// How long it then has, in milliseconds, and how long others wait before they look again.
const TURN: i32 = 500;
const LOOK: Duration = Duration::from_millis(5);
/// How long others' turns are waited out.
const WAITED: Duration = Duration::from_secs(30);

/// What the thread is asked.
pub(crate) enum Job {
    /// Store these.
    Append(Batch, oneshot::Sender<Result<Appended, AppendError>>),
    /// Store facts of another store, as they are.
    Copy(Vec<Fact>, oneshot::Sender<Result<Appended, AppendError>>),
}

struct Waiting {
    batch: Batch,
    /// Moments of facts that have them already.
    at: Option<Vec<Ts>>,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
}

impl From<Job> for Waiting {
    fn from(job: Job) -> Self {
        match job {
            Job::Append(batch, reply) => Self { batch, at: None, reply },
            Job::Copy(facts, reply) => {
                let at = facts.iter().map(|fact| fact.at).collect();
                let events: Vec<Event> = facts.into_iter().map(|fact| fact.event).collect();
                Self { batch: Batch::new(events), at: Some(at), reply }
            }
        }
    }
}

/// Facts of a batch that is to be stored.
type New = (BatchId, Arc<[Fact]>);

/// A group that was worked out.
struct Worked {
    answers: Vec<Result<Appended, AppendError>>,
    /// Those of the group that are to be stored.
    new: Vec<New>,
    changes: Changes,
    rows: Rows,
}

/// The thread's own things.
pub(crate) struct Writer {
    pub io: Arc<Io>,
    pub index: Index<Cache>,
    pub clock: Arc<dyn Clock>,
    pub pen: Pen,
    /// The pen was lost.
    pub lost: Arc<AtomicBool>,
    /// What the tables say may be otherwise than what is held of them.
    pub in_doubt: bool,
    pub families: Families,
    pub seen: Seen,
    /// Why nothing more is written.
    pub stopped: Arc<RwLock<Option<String>>>,
}

impl Writer {
    /// Runs until nobody can ask any more.
    pub fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let mut group = vec![Waiting::from(job)];
            let mut records = weight(&group);
            while records < GROUP {
                match jobs.recv_timeout(Duration::ZERO) {
                    Ok(job) => group.push(job.into()),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
                records = weight(&group);
            }
            self.store(group);
        }
    }

    fn stop(&self, why: &str) {
        let mut stopped = self.stopped.write().unwrap_or_else(PoisonError::into_inner);
        stopped.get_or_insert_with(|| why.to_owned());
    }

    fn store(&mut self, group: Vec<Waiting>) {
        let answers = self.answers(&group);
        for (waiting, answer) in group.into_iter().zip(answers) {
            // Whoever stopped waiting does not need the answer.
            let _ = waiting.reply.send(answer);
        }
    }

    fn answers(&mut self, group: &[Waiting]) -> Vec<Result<Appended, AppendError>> {
        let all = |error: &dyn Fn(BatchId) -> AppendError| group.iter().map(|w| Err(error(w.batch.id))).collect();
        let (mut tries, since) = (0, Instant::now());
        while tries < TRIES && since.elapsed() < WAITED {
            let stopped = self.stopped.read().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(why) = stopped {
                return all(&|_| AppendError::Write(why.clone()));
            }
            let worked = self.settle().and_then(|()| self.work(group));
            let is_plain = worked.as_ref().is_ok_and(|worked| worked.answers.iter().all(Result::is_ok));
            // What was read while others wrote is of two states: nothing follows from it.
            if !is_plain && self.is_behind() {
                self.in_doubt = true;
                tries += 1;
                continue;
            }
            let worked = match worked {
                Ok(worked) => worked,
                Err(error) => {
                    self.in_doubt = true;
                    return all(&|_| told(&error));
                }
            };
            if worked.new.is_empty() {
                return worked.answers;
            }
            match append(&self.io, self.pen, worked.rows) {
                Answer::Stored => return self.stored(worked.answers, worked.new, worked.changes),
                Answer::Refused(Refused::Wait) => std::thread::sleep(LOOK),
                Answer::Refused(refused) => {
                    self.in_doubt = true;
                    if let Some(answers) = self.refused(&refused, group) {
                        return answers;
                    }
                    tries += 1;
                    if tries >= PATIENCE {
                        self.ask_for_a_turn();
                    }
                }
            }
        }
        all(&|_| AppendError::Away("others write to the store all the time".to_owned()))
    }

    /// Whether others wrote since the group was begun. Not being answered is no yes: what was worked out says what is wrong.
    fn is_behind(&self) -> bool {
        self.pen.host.is_some() && self.end().is_ok_and(|(seq, _)| seq != self.pen.seq)
    }

    /// The end of the chain, and the fence.
    fn end(&self) -> Result<(i64, i64), StoreError> {
        let rows = self.io.rows("select seq, fence from skydeck.head where book = 1".to_owned(), Vec::new())?;
        let row = rows.first().ok_or(PgFault::NoStore)?;
        Ok((column(row, 0)?, column(row, 1)?))
    }

    /// Asks for the next append to itself; where another machine has it, that one's is waited for.
    fn ask_for_a_turn(&self) {
        let Some(host) = self.pen.host else { return };
        if let Err(fault) =
            self.io.rows("select skydeck.turn_v1($1, $2)".to_owned(), vec![Box::new(host), Box::new(TURN)])
        {
            tracing::debug!(%fault, "no turn");
        }
    }

    /// Takes in what became durable.
    fn stored(
        &mut self,
        answers: Vec<Result<Appended, AppendError>>,
        new: Vec<New>,
        changes: Changes,
    ) -> Vec<Result<Appended, AppendError>> {
        // Never an error: it only holds them.
        let _ = self.index.kv.apply(changes);
        for (id, facts) in new {
            self.pen.seq += i64::try_from(facts.len()).unwrap_or_default();
            self.seen.note(id, facts);
        }
        answers
    }

    /// What a refusal means; `None`: the group is to be worked out anew.
    fn refused(&mut self, refused: &Refused, group: &[Waiting]) -> Option<Vec<Result<Appended, AppendError>>> {
        match refused {
            Refused::Behind | Refused::Wait | Refused::Moved => return None,
            Refused::Seen(names) => return self.recall(names).err().map(|e| all_of(group, &e)),
            Refused::Fenced(why) => {
                self.lost.store(true, Ordering::SeqCst);
                self.stop(why);
            }
            Refused::Final(fault) => self.stop(&fault.en()),
            Refused::Unsure(fault) => tracing::warn!(%fault, "it is not known whether facts were stored"),
            Refused::Contradiction(_) | Refused::Elsewhere(_) | Refused::Away(_) => {}
        }
        Some(group.iter().map(|waiting| Err(refused.told(waiting.batch.id))).collect())
    }

    /// Batches that were stored before: their facts are the answer.
    fn recall(&mut self, names: &str) -> Result<(), AppendError> {
        for name in names.split(' ') {
            let facts = stored_before(&self.io, name).map_err(|error| told(&error))?;
            if let (Ok(id), Some(facts)) = (name.parse(), facts) {
                self.seen.note(BatchId(id), facts);
            }
        }
        Ok(())
    }

    /// Makes sure of what the tables say, where that is in doubt.
    fn settle(&mut self) -> Result<(), StoreError> {
        if self.lost.load(Ordering::SeqCst) {
            return Err(StoreError::Write("another machine has taken over writing to the store".to_owned()));
        }
        if !self.in_doubt && self.pen.host.is_none() {
            return Ok(());
        }
        let (seq, fence) = self.end()?;
        if !self.in_doubt && (seq, fence) == (self.pen.seq, self.pen.fence) {
            return Ok(());
        }
        self.index.kv.clear();
        if fence != self.pen.fence {
            self.lost.store(true, Ordering::SeqCst);
            return Err(StoreError::Write("another machine has taken over writing to the store".to_owned()));
        }
        self.pen.seq = seq;
        self.families = families(&self.io)?;
        self.in_doubt = false;
        Ok(())
    }

    /// Works out a group: who of it may be stored, and what that changes.
    fn work(&mut self, group: &[Waiting]) -> Result<Worked, StoreError> {
        self.fetch(group)?;
        let (mut writes, now) = (WriteBatch::new(&self.index), self.clock.now());
        let (mut next, mut rows, mut answers) = (self.pen.seq + 1, Rows::default(), Vec::with_capacity(group.len()));
        let (mut new, mut all): (Vec<New>, Vec<Fact>) = (Vec::new(), Vec::new());
        for waiting in group {
            let batch = &waiting.batch;
            let twin = new.iter().find(|(id, _)| *id == batch.id).map(|(_, facts)| Arc::clone(facts));
            if let Some(facts) = twin.or_else(|| self.seen.find(batch.id)) {
                answers.push(Ok(Appended { facts }));
                continue;
            }
            match try_one(&mut writes, waiting, next, now) {
                Ok(facts) => {
                    if let Some(last) = facts.last() {
                        writes.accept(last.seq);
                        let before = self.pen.seq;
                        rows.known.extend(batch.unmoved.iter().filter_map(|(record, at)| known(record, *at, before)));
                        next += i64::try_from(facts.len()).unwrap_or_default();
                        all.extend_from_slice(&facts);
                        new.push((batch.id, Arc::clone(&facts)));
                    }
                    answers.push(Ok(Appended { facts }));
                }
                // A read that failed is nobody's contradiction: the whole group waits.
                Err(AppendError::Write(why)) => return Err(StoreError::Write(why)),
                Err(error) => {
                    writes.reject();
                    // One that was stored before this process began is asked for by its name: that its conditions hold no
                    // more changes nothing.
                    let before = stored_before(&self.io, &batch.id.to_string())?;
                    answers.push(before.map_or(Err(error), |facts| Ok(Appended { facts })));
                }
            }
        }
        let mut changes = Changes::new();
        for batch in writes.finish() {
            changes.extend(batch);
        }
        if !new.is_empty() {
            let made = rows_of(&changes, &all, &self.index.kv, &mut self.families)?;
            rows = Rows { known: rows.known, ..made };
            for (id, facts) in &new {
                let n = i32::try_from(facts.len()).unwrap_or(i32::MAX);
                rows.batches.push(BatchIn { batch: id.to_string(), n });
                for fact in facts.iter() {
                    let body = pack(&fact.event)?;
                    let run = fact.event.run().map(|run| run.to_string());
                    rows.facts.push(FactIn { at: fact.at.0, run, digest: digest(&body), body });
                    rows.in_hand(&fact.event);
                }
            }
        }
        Ok(Worked { answers, new, changes, rows })
    }

    /// Asks at once for the entries of the bills that a group is about.
    fn fetch(&self, group: &[Waiting]) -> Result<(), StoreError> {
        let mut by_run: Vec<(RunId, Vec<&Fid>)> = Vec::new();
        for event in group.iter().flat_map(|waiting| waiting.batch.events.iter()) {
            let (run, fids): (RunId, Vec<&Fid>) = match transition(event) {
                Change::Found { run, bills } => (run, bills.iter().map(|bill| &bill.fid).collect()),
                Change::Bill { run, fid, .. } => (run, vec![fid]),
                _ => continue,
            };
            match by_run.iter_mut().find(|(of, _)| *of == run) {
                Some((_, known)) => known.extend(fids),
                None => by_run.push((run, fids)),
            }
        }
        for (run, fids) in by_run {
            let no = self.index.kv.get(&run_id_key(run))?.and_then(|bytes| u32_at(&bytes, 0));
            let Some(no) = no.and_then(|no| i32::try_from(no).ok()) else { continue };
            let Some(live) = self.index.kv.get(&live_key(no))? else { continue };
            let live: RunLiveRec = codec::unpack(&live)?;
            let fks: Vec<Vec<u8>> = fids.into_iter().map(|fid| Key::default().fid(fid).done()).collect();
            self.fetch_rows(no, &fks)?;
            self.fetch_known(i32::from(live.f), &fks)?;
        }
        Ok(())
    }

    fn fetch_rows(&self, run: i32, fks: &[Vec<u8>]) -> Result<(), StoreError> {
        let missing: Vec<Vec<u8>> = fks.iter().filter(|fk| !self.index.kv.has(&bill_key(run, fk))).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        for fk in &missing {
            self.index.kv.hold(bill_key(run, fk), None);
        }
        let sql = "select fk, rec from skydeck.bill_row where run = $1 and fk = any($2)";
        for row in self.io.rows(sql.to_owned(), vec![Box::new(run), Box::new(missing)])? {
            let fk: Vec<u8> = column(&row, 0)?;
            self.index.kv.hold(bill_key(run, &fk), Some(column(&row, 1)?));
        }
        Ok(())
    }

    fn fetch_known(&self, family: i32, fks: &[Vec<u8>]) -> Result<(), StoreError> {
        let missing: Vec<Vec<u8>> =
            fks.iter().filter(|fk| !self.index.kv.has(&known_key(family, fk))).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        for fk in &missing {
            self.index.kv.hold(known_key(family, fk), None);
        }
        let sql = "select fk, rec from skydeck.bill where family = $1 and fk = any($2)";
        for row in self.io.rows(sql.to_owned(), vec![Box::new(family), Box::new(missing)])? {
            let fk: Vec<u8> = column(&row, 0)?;
            self.index.kv.hold(known_key(family, &fk), Some(column(&row, 1)?));
        }
        Ok(())
    }
}

/// The facts of a batch that was stored, asked for by its name.
fn stored_before(io: &Io, name: &str) -> Result<Option<Arc<[Fact]>>, StoreError> {
    let sql = "select f.seq, f.at, f.body from skydeck.batch_seen b \
               join skydeck.fact f on f.seq > b.seq and f.seq <= b.seq + b.n where b.batch = $1 order by f.seq";
    let rows = io.rows(sql.to_owned(), vec![Box::new(name.to_owned())])?;
    let facts: Vec<Fact> = rows.iter().map(crate::body::fact).collect::<Result<_, _>>()?;
    Ok((!facts.is_empty()).then(|| facts.into()))
}

/// Tries one batch on top of those before it; gives its facts.
fn try_one(
    writes: &mut WriteBatch<'_, Cache>,
    waiting: &Waiting,
    next: i64,
    now: Ts,
) -> Result<Arc<[Fact]>, AppendError> {
    unmoved(writes, &waiting.batch.unmoved)?;
    let moment = |n: usize| waiting.at.as_ref().and_then(|at| at.get(n)).copied().unwrap_or(now);
    let facts: Arc<[Fact]> = (next.cast_unsigned()..)
        .zip(waiting.batch.events.iter())
        .enumerate()
        .map(|(n, (seq, event))| Fact { seq: Seq(seq), at: moment(n), event: limited(event) })
        .collect();
    for fact in facts.iter() {
        fold(fact, writes)?;
    }
    Ok(facts)
}

/// What the database compares by itself: a condition about what was there before the group.
fn known(record: &RecordKey, at: Seq, before: i64) -> Option<KnownIn> {
    let last = i64::try_from(at.0).ok().filter(|at| *at <= before)?;
    let (env, form, fk) = record_row(record);
    Some(KnownIn { env, form, fk, last })
}

fn weight(group: &[Waiting]) -> usize {
    let one = |event: &Event| match transition(event) {
        Change::Found { bills, .. } => bills.len(),
        _ => 1,
    };
    group.iter().flat_map(|waiting| waiting.batch.events.iter()).map(one).sum()
}

fn all_of(group: &[Waiting], error: &AppendError) -> Vec<Result<Appended, AppendError>> {
    group.iter().map(|_| Err(error.clone())).collect()
}

/// A read that failed while an append was worked out: nothing was sent.
fn told(error: &StoreError) -> AppendError {
    match error {
        StoreError::Database { en, .. } => AppendError::Away(en.clone()),
        other => AppendError::Write(other.to_string()),
    }
}

/// Environment and form of every family.
pub(crate) fn families(io: &Io) -> Result<Families, StoreError> {
    let rows = io.rows("select no, env, form from skydeck.family".to_owned(), Vec::new())?;
    rows.iter().map(|row| Ok((column(row, 0)?, (column(row, 1)?, column(row, 2)?)))).collect()
}

/// How a writer begins.
pub(crate) struct Beginning {
    pub clock: Arc<dyn Clock>,
    /// One of several; else alone.
    pub together: bool,
    /// Its signs of life.
    pub signs: Signs,
}

/// A writer that has written nothing yet; the fault, where it is another machine's turn.
pub(crate) fn begin(io: &Arc<Io>, tables: &Arc<Tables>, how: Beginning) -> Result<Result<Writer, PgFault>, StoreError> {
    let boot = Ulid::generate().to_string();
    let Beginning { clock, together, signs } = how;
    let told = Arc::clone(&signs.heard);
    let taken = io.wait(move |inner| async move {
        if together { hosts::join(inner, boot, told).await } else { pen::take(inner, boot).await }
    });
    let pen = match taken {
        Ok(pen) => pen,
        Err(taken @ PgFault::Taken { .. }) => return Ok(Err(taken)),
        Err(fault) => return Err(fault.into()),
    };
    let (lost, stopped) = (Arc::clone(&signs.lost), Arc::default());
    io.begin(move |inner| async move {
        inner.be_patient();
        if pen.host.is_some() {
            hosts::stay(inner, pen, signs).await;
        } else {
            pen::keep(inner, pen.fence, signs.lost, signs.left).await;
        }
    });
    let index = Index::new(Cache::new(Arc::clone(tables)));
    let (io, families) = (Arc::clone(io), families(io)?);
    Ok(Ok(Writer { io, index, clock, pen, lost, in_doubt: false, families, seen: Seen::default(), stopped }))
}
