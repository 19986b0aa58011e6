//! The one writer: every fact goes through here, is made durable, applied to the present state, then published.
//!
//! Invariant: persist, then publish; after a failed write nothing more is taken until the engine starts anew. A store that
//! is nearly full still takes the outcomes of calls that were made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::api::{Notice, Watch};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::live::{Live, RunLive};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{PauseWhy, RunRow, RunState};
use skydeck_core::domain::who::Who;
use skydeck_store::{Store, StoreError};

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
/// Closed runs shown beside the open ones after a start.
const CLOSED_SHOWN: u32 = 8;

struct Request {
    events: Vec<Event>,
    /// May wait for [`COMPANY`].
    patient: bool,
    done: oneshot::Sender<Result<(), StoreError>>,
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

struct Present {
    live: Mutex<Live>,
    watchers: Mutex<Vec<Watcher>>,
    /// Rings when a watcher falls behind.
    lagging: Notify,
}

/// The writer's own half: [`Writer::run`] it on a task.
pub struct Writer {
    store: Arc<dyn Store>,
    queue: mpsc::Receiver<Request>,
    present: Arc<Present>,
    failed: watch::Sender<Option<StoreError>>,
}

impl Ledger {
    /// Reads the present state from the store and makes both halves.
    pub fn open(store: &Arc<dyn Store>) -> Result<(Self, Writer), StoreError> {
        let mut live = Live { seq: store.last_seq(), ..Live::default() };
        let closed = store.runs(None, &skydeck_core::domain::query::PageRequest::first(CLOSED_SHOWN))?;
        for row in closed.rows.into_iter().map(|(_, row)| row).chain(store.open_runs()?) {
            live.runs.insert(row.head.id, RunLive::from_row(row));
        }
        let (queue, requests) = mpsc::channel(QUEUE_BOUND);
        let (fail, failed) = watch::channel(None);
        let present =
            Arc::new(Present { live: Mutex::new(live), watchers: Mutex::new(Vec::new()), lagging: Notify::new() });
        let writer = Writer { store: Arc::clone(store), queue: requests, present: Arc::clone(&present), failed: fail };
        Ok((Self { queue, present, failed }, writer))
    }

    /// Makes events durable, all or none, and publishes them. They are visible in [`Self::live`] on return.
    pub async fn append(&self, events: Vec<Event>) -> Result<(), StoreError> {
        self.request(events, false).await
    }

    /// The same for what no call waits for: it is kept a moment, so that it and the next call's intent share a flush.
    pub async fn append_with_the_next(&self, events: Vec<Event>) -> Result<(), StoreError> {
        self.request(events, true).await
    }

    async fn request(&self, events: Vec<Event>, patient: bool) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        if let Some(failed) = self.failed().filter(is_final) {
            return Err(failed);
        }
        let gone = || StoreError::Write("the writer has ended".to_owned());
        let (done, answer) = oneshot::channel();
        self.queue.send(Request { events, patient, done }).await.map_err(|_| gone())?;
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
        tracing::error!(%run, %error, "the end of the run could not be stored");
        self.present.show_failure(error, |row| row.head.id == run && !row.state.is_closed());
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
            run.row.state = RunState::Paused(PauseWhy::Store(Reason::Disk { said: error.to_string() }));
            run.calls_are_lost();
        }
        self.send(|| Notice::Resync(Box::new(live.clone())), &live);
    }

    fn catch_up(&self) -> bool {
        let live = self.live();
        let mut watchers = self.watchers();
        watchers.retain_mut(|w| !w.behind || w.catch_up(&live));
        watchers.iter().any(|w| w.behind)
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
        let mut behind = false;
        loop {
            let first = tokio::select! {
                biased;
                first = self.queue.recv() => first,
                () = self.present.lagging.notified() => {
                    behind = true;
                    continue;
                }
                () = tokio::time::sleep(LAG_LOOK), if behind => {
                    behind = self.present.catch_up();
                    continue;
                }
            };
            let Some(first) = first else { return };
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
                size += next.events.len();
                patient &= next.patient;
                group.push(next);
            }
            self.write(group).await;
        }
    }

    async fn write(&mut self, group: Vec<Request>) {
        if group.len() == 1 {
            for request in group {
                let answer = self.append(request.events).await;
                let _ = request.done.send(answer);
            }
            return;
        }
        let all: Vec<Event> = group.iter().flat_map(|r| r.events.iter().cloned()).collect();
        match self.append(all).await {
            // One caller's contradiction, or new work that finds no room, must not sink its neighbours: nothing was written,
            // so each goes alone.
            Err(StoreError::Contradiction(_) | StoreError::Full(_)) => {
                for request in group {
                    let answer = self.append(request.events).await;
                    let _ = request.done.send(answer);
                }
            }
            answer => {
                for request in group {
                    let _ = request.done.send(answer.clone());
                }
            }
        }
    }

    async fn append(&mut self, events: Vec<Event>) -> Result<(), StoreError> {
        let failed = self.failed.borrow().clone().filter(is_final);
        if let Some(failed) = failed {
            return Err(failed);
        }
        match self.store.append(events).await {
            Ok(appended) => {
                self.publish(&appended.facts);
                Ok(())
            }
            Err(StoreError::Contradiction(what)) => {
                tracing::error!(%what, "the store refused a contradiction");
                Err(StoreError::Contradiction(what))
            }
            // Calls in flight end, and are told; then each run says durably that it stopped.
            Err(StoreError::Full(why)) => {
                tracing::error!(%why, "the store is nearly full; nothing more is sent");
                let full = StoreError::Full(why);
                self.failed.send_replace(Some(full.clone()));
                Err(full)
            }
            Err(error) => {
                tracing::error!(%error, "the store failed; nothing more is sent");
                self.failed.send_replace(Some(error.clone()));
                let at_work =
                    |row: &RunRow| matches!(row.state, RunState::Collecting | RunState::Working | RunState::Settling);
                self.present.show_failure(&error, at_work);
                Err(error)
            }
        }
    }

    fn publish(&self, facts: &Arc<[Fact]>) {
        let mut live = self.present.live();
        for fact in facts.iter() {
            live.apply(fact);
        }
        self.present.send(|| Notice::Facts(Arc::clone(facts)), &live);
    }
}

/// Whether a store that failed so takes nothing at all any more.
fn is_final(error: &StoreError) -> bool {
    !matches!(error, StoreError::Full(_))
}
