//! The one writer: every fact goes through here, is made durable, applied to the present state, then published.
//!
//! Invariant: persist, then publish; after a failed write nothing more is taken until the engine starts anew. A store that
//! is nearly full still takes the outcomes of calls that were made; one that does not answer is sent the same batch again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::api::{Notice, Watch};
use crate::feed::{self, Shows};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::{Fid, RecordKey, RunId, Seq};
use skydeck_core::domain::live::Live;
use skydeck_core::domain::run::{PauseWhy, RunRow, RunState};
use skydeck_core::domain::transition::{Change, transition};
use skydeck_core::domain::who::Who;
use skydeck_store::hosts::Hosts;
use skydeck_store::{AppendError, Appended, Batch, Store, StoreError};

/// Appends that may wait for the writer.
const QUEUE_BOUND: usize = 256;
/// Events in one durable append, at most, unless one caller brings more.
const GROUP: usize = 256;
/// How long an append that nobody waits for is kept for one that somebody does: they then share a flush.
const COMPANY: Duration = Duration::from_millis(2);
/// Notices a watcher may be behind before it is told to start again.
const WATCH_BOUND: usize = 256;
/// How often a watcher that fell behind is looked at again.
const LAG_LOOK: Duration = Duration::from_millis(100);
/// Runs shown after a start, beside those that are open.
const NEWEST_SHOWN: u32 = 8;

/// First wait before a batch is sent again that the store did not answer for.
const AGAIN_BASE: Duration = Duration::from_millis(100);
/// Longest wait before it is sent again.
const AGAIN_CAP: Duration = Duration::from_secs(5);
/// How long it is sent again to a store that this machine has to itself; after that the store counts as failed, and only a new
/// start asks what was stored.
const AGAIN_FOR: Duration = Duration::from_secs(120);

pub(crate) struct Request {
    events: Vec<Event>,
    /// See [`Batch::unmoved`].
    unmoved: Vec<(RecordKey, Seq)>,
    /// May wait for [`COMPANY`].
    patient: bool,
    done: oneshot::Sender<Result<(), AppendError>>,
}

impl Request {
    /// Whether a condition of this one is about a bill that the other one tells of: in one batch it would be looked at
    /// before that is told.
    fn rests_on(&self, other: &Self) -> bool {
        !self.unmoved.is_empty() && other.events.iter().any(|event| self.asks_for(event))
    }

    fn asks_for(&self, event: &Event) -> bool {
        let asks = |fid: &Fid| self.unmoved.iter().any(|(record, _)| record.fid == *fid);
        match transition(event) {
            Change::Found { bills, .. } => bills.iter().any(|bill| asks(&bill.fid)),
            Change::Bill { fid, .. } => asks(fid),
            Change::Resolved { key, .. } | Change::Reopened { key, .. } => asks(&key.record.fid),
            Change::Nothing
            | Change::Opened(_)
            | Change::Run { .. }
            | Change::Gone { .. }
            | Change::NotUnderstood(_) => false,
        }
    }
}

struct Watcher {
    notices: mpsc::Sender<Notice>,
    behind: bool,
    /// Who sits there, where it is a console.
    console: Option<Who>,
}

/// The handle everybody appends through.
pub struct Ledger {
    queue: mpsc::Sender<Request>,
    present: Arc<Present>,
    failed: watch::Receiver<Option<StoreError>>,
}

pub(crate) struct Present {
    live: Mutex<Live>,
    watchers: Mutex<Vec<Watcher>>,
    /// Rings when a watcher falls behind.
    lagging: Notify,
    /// Rings when facts were stored, for the one who reads them from the store.
    stored: Notify,
}

/// The writer's own half: [`Writer::run`] it on a task.
pub struct Writer {
    store: Arc<dyn Store>,
    queue: mpsc::Receiver<Request>,
    /// Taken from the queue, for the next group.
    next: Option<Request>,
    /// Some watcher is behind.
    lag: bool,
    /// How far the store is, where other machines write to it, too.
    far: Option<watch::Receiver<Seq>>,
    present: Arc<Present>,
    failed: watch::Sender<Option<StoreError>>,
}

impl Ledger {
    /// Reads the present state from the store and makes both halves.
    pub async fn open(store: &Arc<dyn Store>) -> Result<(Self, Writer), StoreError> {
        let live = store.snapshot(NEWEST_SHOWN).await?.live();
        let (queue, requests) = mpsc::channel(QUEUE_BOUND);
        let (fail, failed) = watch::channel(None);
        let present = Arc::new(Present {
            live: Mutex::new(live),
            watchers: Mutex::new(Vec::new()),
            lagging: Notify::new(),
            stored: Notify::new(),
        });
        let writer = Writer {
            store: Arc::clone(store),
            queue: requests,
            next: None,
            lag: false,
            far: store.hosts().map(Hosts::follow),
            present: Arc::clone(&present),
            failed: fail,
        };
        Ok((Self { queue, present, failed }, writer))
    }

    /// The handle of an engine that only looks, with what a follower keeps: nothing is ever written. `why`: what whoever orders
    /// something is told.
    pub(crate) async fn to_look(
        store: &Arc<dyn Store>,
        why: StoreError,
    ) -> Result<(Self, Arc<Present>, mpsc::Receiver<Request>), StoreError> {
        let (ledger, writer) = Self::open(store).await?;
        writer.failed.send_replace(Some(why));
        Ok((ledger, writer.present, writer.queue))
    }

    /// Makes events durable, all or none, and publishes them. They are visible in [`Self::live`] on return.
    pub async fn append(&self, events: Vec<Event>) -> Result<(), StoreError> {
        Ok(self.request(events, Vec::new(), false).await?)
    }

    /// The same, only where nothing was added to what is known about these records; else [`AppendError::Moved`] names those
    /// that went on, and nothing is stored.
    pub async fn append_if_unmoved(
        &self,
        events: Vec<Event>,
        unmoved: Vec<(RecordKey, Seq)>,
    ) -> Result<(), AppendError> {
        self.request(events, unmoved, false).await
    }

    /// The same for what no call waits for: it is kept a moment, so that it and the next call's intent share a flush.
    pub async fn append_with_the_next(&self, events: Vec<Event>) -> Result<(), StoreError> {
        Ok(self.request(events, Vec::new(), true).await?)
    }

    async fn request(
        &self,
        events: Vec<Event>,
        unmoved: Vec<(RecordKey, Seq)>,
        patient: bool,
    ) -> Result<(), AppendError> {
        if events.is_empty() {
            return Ok(());
        }
        if let Some(failed) = self.failed().filter(is_final) {
            return Err(failed.into());
        }
        let gone = || AppendError::Write("the writer has ended".to_owned());
        let (done, answer) = oneshot::channel();
        self.queue.send(Request { events, unmoved, patient, done }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Why the store takes no writes any more, or nothing that leads to a call, if so.
    pub fn failed(&self) -> Option<StoreError> {
        self.failed.borrow().clone()
    }

    /// Changes when the store fails.
    pub fn failure(&self) -> watch::Receiver<Option<StoreError>> {
        self.failed.clone()
    }

    /// Waits until facts were stored since this was waited for last. One task at a time may.
    pub async fn stored(&self) {
        self.present.stored.notified().await;
    }

    /// Looks at the present state.
    pub fn live<T>(&self, look: impl FnOnce(&Live) -> T) -> T {
        look(&self.present.live())
    }

    /// The state now, and everything after it. `console`: who sits there, where a console watches.
    pub fn watch(&self, console: Option<Who>) -> Watch {
        let (notices, receiver) = mpsc::channel(WATCH_BOUND);
        let live = self.present.live();
        self.present.watchers().push(Watcher { notices, behind: false, console });
        Watch { live: live.clone(), notices: receiver }
    }

    /// Sends something that is no fact.
    pub fn tell(&self, notice: &Notice) {
        self.present.send(|| notice.clone(), &self.present.live());
    }

    /// The end or the pause of a run could not be stored: whoever waits for it gets a pause with the reason, as when the
    /// store fails. The next start finds the run as it was and says the rest durably.
    pub fn show_unstored(&self, run: RunId, error: &StoreError) {
        if matches!(error, StoreError::Fenced(_)) {
            tracing::warn!(%run, "another machine has taken the run over and tells what becomes of it");
            return;
        }
        tracing::error!(%run, %error, "the end of the run could not be stored");
        self.present.show_failure(error, |row| row.head.id == run && !row.state.is_closed());
    }

    /// What became of the runs that an earlier process left at work could not be stored. Nobody works on them: readers get a
    /// pause with the reason, and the next start that can write says the rest durably.
    pub fn show_unrecovered(&self, error: &StoreError) {
        self.present.show_failure(error, |row| row.state.is_at_work());
    }

    /// Whether a console is there whose user passes.
    pub fn has_console(&self, passes: impl Fn(&Who) -> bool) -> bool {
        let here = |w: &Watcher| !w.notices.is_closed() && w.console.as_ref().is_some_and(&passes);
        self.present.watchers().iter().any(here)
    }

    /// Whether anybody watches.
    pub fn is_watched(&self) -> bool {
        !self.present.watchers().is_empty()
    }
}

impl Present {
    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watchers(&self) -> MutexGuard<'_, Vec<Watcher>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, notice: impl Fn() -> Notice, live: &Live) {
        self.watchers().retain_mut(|watcher| {
            if watcher.behind {
                return watcher.catch_up(live);
            }
            match watcher.notices.try_reserve() {
                Ok(place) => {
                    place.send(notice());
                    true
                }
                Err(mpsc::error::TrySendError::Full(())) => {
                    watcher.behind = true;
                    self.lagging.notify_one();
                    true
                }
                Err(mpsc::error::TrySendError::Closed(())) => false,
            }
        });
    }

    /// The pause cannot become a fact, because the store takes none; readers get the state itself. What comes of a call in
    /// flight cannot be stored either: it is unknown from here on.
    fn show_failure(&self, error: &StoreError, stops: impl Fn(&RunRow) -> bool) {
        let mut live = self.live();
        for run in live.runs.values_mut().filter(|run| stops(&run.row)) {
            run.row.state = RunState::Paused(PauseWhy::Store(error.reason()));
            run.calls_are_lost();
        }
        self.send(|| Notice::Resync(Box::new(live.clone())), &live);
    }

    /// Applies facts, then shows them to everybody who watches.
    fn publish(&self, facts: &Arc<[Fact]>) {
        self.stored.notify_one();
        let mut live = self.live();
        for fact in facts.iter() {
            live.apply(fact);
        }
        self.send(|| Notice::Facts(Arc::clone(facts)), &live);
    }

    fn catch_up(&self) -> bool {
        let live = self.live();
        let mut watchers = self.watchers();
        watchers.retain_mut(|w| !w.behind || w.catch_up(&live));
        watchers.iter().any(|w| w.behind)
    }
}

impl Shows for Present {
    fn at(&self) -> Seq {
        self.live().seq
    }

    fn show(&self, facts: &Arc<[Fact]>) {
        self.publish(facts);
    }
}

impl Watcher {
    /// Once its queue has drained by half, gives it the whole state; false when it is gone.
    fn catch_up(&mut self, live: &Live) -> bool {
        if self.notices.is_closed() {
            return false;
        }
        if self.notices.capacity() >= WATCH_BOUND / 2
            && let Ok(place) = self.notices.try_reserve()
        {
            place.send(Notice::Resync(Box::new(live.clone())));
            self.behind = false;
        }
        true
    }
}

impl Writer {
    /// Writes until every [`Ledger`] handle is gone.
    pub async fn run(mut self) {
        while let Some(first) = self.first().await {
            let group = self.gather(first).await;
            self.write(group).await;
        }
    }

    /// The next request; watchers that fell behind are looked after meanwhile.
    async fn first(&mut self) -> Option<Request> {
        if let Some(kept) = self.next.take() {
            return Some(kept);
        }
        loop {
            tokio::select! {
                biased;
                first = self.queue.recv() => return first,
                () = self.present.lagging.notified() => self.lag = true,
                () = feed::moved(&mut self.far) => feed::catch_up(self.store.as_ref(), self.present.as_ref(), None).await,
                () = tokio::time::sleep(LAG_LOOK), if self.lag => self.lag = self.present.catch_up(),
            }
        }
    }

    /// Shows what was stored, behind what other machines stored before it.
    async fn show(&mut self, facts: &Arc<[Fact]>) {
        let (Some(first), Some(last)) = (facts.first(), facts.last()) else { return };
        let at = self.present.at();
        if self.far.is_none() || first.seq.0 == at.0 + 1 {
            self.present.publish(facts);
        } else if last.seq > at {
            feed::catch_up(self.store.as_ref(), self.present.as_ref(), Some(last.seq)).await;
        }
    }

    /// Takes what waits and may stand in one batch.
    async fn gather(&mut self, first: Request) -> Vec<Request> {
        let (mut size, mut patient) = (first.events.len(), first.patient);
        let mut group = vec![first];
        let company = tokio::time::sleep(COMPANY);
        tokio::pin!(company);
        while size < GROUP {
            let next = match self.queue.try_recv() {
                Ok(next) => next,
                Err(_) if patient => tokio::select! {
                    biased;
                    next = self.queue.recv() => match next {
                        Some(next) => next,
                        None => break,
                    },
                    () = &mut company => break,
                },
                Err(_) => break,
            };
            if group.iter().any(|earlier| next.rests_on(earlier)) {
                self.next = Some(next);
                break;
            }
            size += next.events.len();
            patient &= next.patient;
            group.push(next);
        }
        group
    }

    async fn write(&mut self, group: Vec<Request>) {
        if group.len() == 1 {
            return self.write_each(group).await;
        }
        let all = group.iter().flat_map(|r| r.events.iter().cloned()).collect();
        let unmoved = group.iter().flat_map(|r| r.unmoved.iter().cloned()).collect();
        match self.append(Batch::new(all).if_unmoved(unmoved)).await {
            // One caller's contradiction, a record of one that went on, a run that was taken over, or new work that finds no
            // room, must not sink its neighbours: nothing was written, so each goes alone.
            Err(
                AppendError::Contradiction(_) | AppendError::Full(_) | AppendError::Moved(_) | AppendError::Fenced(_),
            ) => {
                self.write_each(group).await;
            }
            answer => {
                for request in group {
                    let _ = request.done.send(answer.clone());
                }
            }
        }
    }

    async fn write_each(&mut self, group: Vec<Request>) {
        for request in group {
            let answer = self.append(Batch::new(request.events).if_unmoved(request.unmoved)).await;
            let _ = request.done.send(answer);
        }
    }

    async fn append(&mut self, batch: Batch) -> Result<(), AppendError> {
        let failed = self.failed.borrow().clone().filter(is_final);
        if let Some(failed) = failed {
            return Err(failed.into());
        }
        match self.send(batch).await {
            Ok(appended) => {
                self.show(&appended.facts).await;
                Ok(())
            }
            Err(AppendError::Contradiction(what)) => {
                tracing::error!(%what, "the store refused a contradiction");
                Err(AppendError::Contradiction(what))
            }
            Err(error @ (AppendError::Moved(_) | AppendError::Fenced(_))) => Err(error),
            // Calls in flight end, and are told; then each run says durably that it stopped.
            Err(AppendError::Full(why)) => {
                tracing::error!(%why, "the store is nearly full; nothing more is sent");
                self.failed.send_replace(Some(StoreError::Full(why.clone())));
                Err(AppendError::Full(why))
            }
            Err(error @ (AppendError::Write(_) | AppendError::Away(_) | AppendError::Unsure(_))) => {
                tracing::error!(%error, "the store failed; nothing more is sent");
                let failed = StoreError::from(error.clone());
                self.failed.send_replace(Some(failed.clone()));
                self.present.show_failure(&failed, |row| row.state.is_at_work());
                Err(error)
            }
        }
    }

    /// Sends a batch, and where the store does not answer for it, the same one again: under its name it is stored once.
    /// Nothing else is sent meanwhile, so no call leaves.
    async fn send(&self, batch: Batch) -> Result<Appended, AppendError> {
        let (since, mut wait) = (tokio::time::Instant::now(), AGAIN_BASE);
        loop {
            match self.store.append(batch.clone()).await {
                // Where others may write, too, the store says under the batch's name whatever came of it, however late, and a run
                // that was taken over meanwhile is refused: nothing is gained by giving up.
                Err(error @ (AppendError::Away(_) | AppendError::Unsure(_)))
                    if self.far.is_some() || since.elapsed() < AGAIN_FOR =>
                {
                    tracing::warn!(%error, ?wait, "the store is asked again");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(AGAIN_CAP);
                }
                answer => return answer,
            }
        }
    }
}

/// Whether a store that failed so takes nothing at all any more.
fn is_final(error: &StoreError) -> bool {
    !matches!(error, StoreError::Full(_))
}
