//! What a task remembers of its run in this process; all of it can be worked out anew from the store.
//!
//! Invariant: it changes by a [`Change`] that a phase found, or by the end of a call, and nowhere else. The task takes a
//! change before it appends the facts that belong to it, unless the change says that they are durable: an append that ends
//! in a stop loses nothing that was found out.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::PauseWhy;

use super::call_end::CallEnd;
use super::control::{Stop, back_off};
use super::unconfirmed::{Success, Unconfirmed};

/// Read-backs of one bill that may fail before it is left unknown for this run.
pub(super) const TRIES: u32 = 5;
/// Calls in a row that could not be sent before the run pauses (docs/design/reliability.md#first-calls-and-breaker).
const UNSENT: u32 = 5;
/// First wait after a call that could not be sent.
const UNSENT_BASE: Duration = Duration::from_secs(1);
/// Longest wait after a call that could not be sent.
const UNSENT_CAP: Duration = Duration::from_secs(60);
/// Clean single calls in a row before bills go in batches.
const CLEAN_FOR_BATCH: u32 = 5;
/// Refusals of one class among the watched first calls that stop the run.
const CANARY_REFUSED: u32 = 2;

/// What a phase found out about a bill. Moments are monotonic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Its turn does not come before this moment.
    DueAt(Fid, Duration),
    /// The same where nothing newer is known: an earlier process put it off, and only wall time tells until when.
    DueAtUnlessKnown(Fid, Duration),
    /// It waits for no moment any more.
    Due(Fid),
    /// The server's own limit of its open call passes then. The first moment found stands: looking again proves no less.
    LimitAt(Fid, Duration),
    /// It was read back, and what that showed is durable.
    ReadBack(Fid),
    /// The same, and another read would show nothing else: this task reads it no more.
    ReadForGood(Fid),
    /// It could not be read back, for the `tries`-th time; after [`TRIES`] of them this task reads it no more.
    Unread { fid: Fid, tries: u32, due: Duration },
    /// A call for it leaves now.
    Called(Fid),
    /// The call that had it in hand died.
    LetGo(Fid),
    /// A look shows nothing of what its earlier step was answered with; it stays in hand until it was read again.
    Doubted(Success),
    /// What an earlier task of the run had left unconfirmed was looked up; it is once a task.
    TakenUp(Vec<Success>),
    /// So many successes, the oldest, were read back.
    Confirmed(usize),
}

/// The first calls of a run, watched (docs/design/reliability.md#first-calls-and-breaker).
#[derive(Default)]
struct Canary {
    seen: u32,
    refused: HashMap<Cause, u32>,
}

/// See the module.
#[derive(Default)]
pub(super) struct RunMemory {
    /// When bills are due again.
    due: HashMap<Fid, Duration>,
    /// When the server's limit of open calls has passed.
    limits: HashMap<Fid, Duration>,
    /// Failed read-backs of unknown bills.
    tries: HashMap<Fid, u32>,
    /// Bills whose batch sank.
    singly: HashSet<Fid>,
    /// Bills of the calls in flight, and of successes that are doubted.
    in_hand: HashSet<Fid>,
    /// Clean single calls in a row, for batches.
    clean: u32,
    /// Calls watched so far at the beginning of the run; `None` when the watch is over.
    canary: Option<Canary>,
    /// Calls in a row that were not sent.
    unsent: u32,
    /// No call before this.
    hold: Duration,
    /// Bills we submitted, to be audited next.
    submitted: VecDeque<Fid>,
    /// Successes that were not read back yet.
    unconfirmed: Unconfirmed,
    /// What an earlier task of the run left has been taken up.
    taken_up: bool,
}

impl RunMemory {
    /// Of a task that has done nothing yet. `watched`: its first calls are.
    pub fn new(watched: bool) -> Self {
        Self { canary: watched.then(Canary::default), ..Self::default() }
    }

    /// Takes what a phase found, in its order.
    pub fn take(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            self.take_one(change);
        }
    }

    fn take_one(&mut self, change: Change) {
        match change {
            Change::DueAt(fid, at) => {
                self.due.insert(fid, at);
            }
            Change::DueAtUnlessKnown(fid, at) => {
                self.due.entry(fid).or_insert(at);
            }
            Change::Due(fid) => {
                self.due.remove(&fid);
            }
            Change::LimitAt(fid, at) => {
                self.limits.entry(fid).or_insert(at);
            }
            Change::ReadBack(fid) => {
                self.limits.remove(&fid);
                self.due.remove(&fid);
                self.tries.remove(&fid);
            }
            Change::ReadForGood(fid) => {
                self.limits.remove(&fid);
                self.due.remove(&fid);
                self.tries.insert(fid, TRIES);
            }
            Change::Unread { fid, tries, due } => {
                self.tries.insert(fid.clone(), tries);
                self.due.insert(fid, due);
            }
            Change::Called(fid) => {
                self.due.remove(&fid);
                self.in_hand.insert(fid);
            }
            Change::LetGo(fid) => {
                self.in_hand.remove(&fid);
            }
            Change::Doubted(success) => {
                self.in_hand.insert(success.fid.clone());
                self.unconfirmed.doubt(success);
            }
            Change::TakenUp(successes) => {
                self.taken_up = true;
                self.unconfirmed.add(successes);
            }
            Change::Confirmed(n) => {
                for fid in self.unconfirmed.read_back(n) {
                    self.in_hand.remove(&fid);
                }
            }
        }
    }

    /// When a bill is due again; `None`: at any time.
    pub fn due(&self, fid: &Fid) -> Option<Duration> {
        self.due.get(fid).copied()
    }

    /// When the limit of a bill's open call passes, where that was found out before.
    pub fn limit(&self, fid: &Fid) -> Option<Duration> {
        self.limits.get(fid).copied()
    }

    /// Read-backs of a bill that failed so far.
    pub fn tries(&self, fid: &Fid) -> u32 {
        self.tries.get(fid).copied().unwrap_or(0)
    }

    /// Whether a bill's batch sank, so that it goes alone.
    pub fn goes_alone(&self, fid: &Fid) -> bool {
        self.singly.contains(fid)
    }

    /// Whether a bill is in hand.
    pub fn has_in_hand(&self, fid: &Fid) -> bool {
        self.in_hand.contains(fid)
    }

    /// How many bills are in hand.
    pub fn in_hand(&self) -> usize {
        self.in_hand.len()
    }

    /// Whether the run's first calls are still watched, one by one.
    pub fn is_watched(&self) -> bool {
        self.canary.is_some()
    }

    /// Bills of one call, at most: as many as the plan's `batch` allows, once enough calls for one bill went well.
    pub fn group_size(&self, batch: u32) -> u32 {
        let allowed = self.clean >= CLEAN_FOR_BATCH && !self.is_watched();
        if allowed { batch.max(1) } else { 1 }
    }

    /// No call leaves before this moment.
    pub fn hold(&self) -> Duration {
        self.hold
    }

    /// Successes that were not read back yet.
    pub fn unconfirmed(&self) -> &Unconfirmed {
        &self.unconfirmed
    }

    /// Whether what an earlier task of the run left unconfirmed has been taken up.
    pub fn has_taken_up(&self) -> bool {
        self.taken_up
    }

    /// The bills we submitted, whose next step is due now; each is given once.
    pub fn take_submitted(&mut self) -> Vec<Fid> {
        let fids: Vec<Fid> = self.submitted.drain(..).collect();
        for fid in &fids {
            self.due.remove(fid);
        }
        fids
    }

    /// Takes note of an ended call, all of what it brought, and then says why the run must stop, if it must. `canary`: first
    /// calls of a run that are watched.
    pub fn call_ended(&mut self, end: CallEnd, now: Duration, canary: u32) -> Result<(), Stop> {
        for fid in &end.fids {
            self.in_hand.remove(fid);
        }
        let alone = !end.singly.is_empty();
        self.due.extend(end.due);
        self.singly.extend(end.singly);
        self.submitted.extend(end.submitted);
        self.unconfirmed.add(end.succeeded);
        if let Some(error) = end.store {
            return Err(Stop::Store(error));
        }
        if end.unmade {
            return Ok(());
        }
        let unknown = !end.unknown.is_empty();
        let clean = !unknown && end.refused.is_empty() && !alone && end.unsent.is_none();
        self.clean = match (clean, end.fids.len()) {
            (true, _) => self.clean.saturating_add(1),
            // Refusals of single members of a batch are their own; unknown ones and a sunk batch are the batch's.
            (false, n) if n > 1 && !unknown && !alone => self.clean,
            (false, _) => 0,
        };
        if let Some(why) = end.stop {
            return Err(Stop::Pause(why, None));
        }
        self.could_send(end.unsent, now)?;
        self.watch(unknown, end.refused, canary)
    }

    /// Calls that cannot be sent hold the next ones back, longer each time, and stop the run at last.
    fn could_send(&mut self, unsent: Option<String>, now: Duration) -> Result<(), Stop> {
        let Some(said) = unsent else {
            self.unsent = 0;
            return Ok(());
        };
        self.unsent += 1;
        if self.unsent >= UNSENT {
            return Err(Stop::Pause(PauseWhy::Unreachable(Reason::Unreachable { said }), None));
        }
        self.hold = now + back_off(UNSENT_BASE, self.unsent - 1, UNSENT_CAP);
        Ok(())
    }

    /// Counts a call among the watched ones; the watch ends after `canary` of them.
    fn watch(&mut self, unknown: bool, refused: Vec<Cause>, canary: u32) -> Result<(), Stop> {
        let Some(Canary { seen, refused: counts }) = &mut self.canary else { return Ok(()) };
        *seen += 1;
        for cause in refused {
            *counts.entry(cause).or_insert(0) += 1;
        }
        let bad = counts
            .iter()
            .find(|(_, n)| **n >= CANARY_REFUSED)
            .map(|(cause, n)| Reason::Canary { cause: cause.clone(), n: *n });
        let over = *seen >= canary;
        if unknown {
            return Err(Stop::Pause(PauseWhy::Canary(Reason::CanaryUnknown {}), None));
        }
        if let Some(bad) = bad {
            return Err(Stop::Pause(PauseWhy::Canary(bad), None));
        }
        if over {
            self.canary = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::bill::{Rev, Status};
    use skydeck_core::domain::step::Step;
    use skydeck_core::domain::time::Ts;
    use skydeck_store::StoreError;

    const SECOND: Duration = Duration::from_secs(1);

    fn fid(n: u64) -> Fid {
        Fid::from(n)
    }

    fn success(n: u64) -> Success {
        let rev = Rev::new(Status::Submitted, None);
        Success { fid: fid(n), no: format!("N{n}"), step: Step::Audit, rev, sent: Ts(1) }
    }

    fn called(fids: &[u64]) -> CallEnd {
        CallEnd { fids: fids.iter().copied().map(fid).collect(), ..CallEnd::default() }
    }

    #[test]
    fn the_first_moment_of_a_limit_stands_until_the_bill_is_read_back() {
        let mut memory = RunMemory::default();
        memory.take([Change::LimitAt(fid(1), SECOND), Change::LimitAt(fid(1), SECOND * 9)]);
        assert_eq!(memory.limit(&fid(1)), Some(SECOND));
        memory.take([Change::ReadBack(fid(1)), Change::LimitAt(fid(1), SECOND * 9)]);
        assert_eq!(memory.limit(&fid(1)), Some(SECOND * 9));
    }

    #[test]
    fn what_this_task_knows_of_a_bills_turn_is_newer_than_what_an_earlier_process_left() {
        let mut memory = RunMemory::default();
        memory.take([Change::DueAtUnlessKnown(fid(1), SECOND), Change::DueAtUnlessKnown(fid(1), SECOND * 2)]);
        assert_eq!(memory.due(&fid(1)), Some(SECOND));
        memory.take([Change::DueAt(fid(1), SECOND * 3), Change::DueAtUnlessKnown(fid(1), SECOND)]);
        assert_eq!(memory.due(&fid(1)), Some(SECOND * 3));
        memory.take([Change::Due(fid(1))]);
        assert_eq!(memory.due(&fid(1)), None);
    }

    #[test]
    fn a_bill_that_was_read_for_good_has_no_try_left_and_one_that_was_read_back_has_all() {
        let mut memory = RunMemory::default();
        memory.take([Change::Unread { fid: fid(1), tries: 3, due: SECOND }]);
        assert_eq!((memory.tries(&fid(1)), memory.due(&fid(1))), (3, Some(SECOND)));
        memory.take([Change::ReadBack(fid(1)), Change::ReadForGood(fid(2))]);
        assert_eq!((memory.tries(&fid(1)), memory.due(&fid(1))), (0, None));
        assert!(memory.tries(&fid(2)) >= TRIES);
    }

    #[test]
    fn a_doubted_success_stays_in_hand_until_it_was_read_again() {
        let mut memory = RunMemory::default();
        memory.take([Change::TakenUp(vec![success(1)]), Change::Doubted(success(2))]);
        assert!(memory.has_taken_up() && memory.unconfirmed().is_doubted() && memory.has_in_hand(&fid(2)));
        memory.take([Change::Confirmed(2)]);
        let unconfirmed = memory.unconfirmed();
        assert_eq!((unconfirmed.len(), unconfirmed.confirmed(), unconfirmed.is_doubted()), (0, 2, false));
        assert_eq!(memory.in_hand(), 0);
    }

    #[test]
    fn all_that_a_call_brought_is_kept_whatever_stops_the_run_then() {
        let stop = PauseWhy::Stopped(Reason::TaskDied { said: None });
        for (ends, stops) in [
            (CallEnd::unstored(StoreError::Read("gone".into())), true),
            (CallEnd::stopped(stop), true),
            (CallEnd { unmade: true, ..CallEnd::default() }, false),
            (CallEnd::default(), false),
        ] {
            let mut memory = RunMemory::default();
            memory.take([1, 2, 3, 4].map(|n| Change::Called(fid(n))));
            let brought = CallEnd {
                due: vec![(fid(1), SECOND)],
                singly: vec![fid(2)],
                submitted: vec![fid(3)],
                succeeded: vec![success(4)],
                ..called(&[1, 2, 3, 4])
            };
            let ended = memory.call_ended(brought.and(ends), Duration::ZERO, 0);
            assert_eq!(ended.is_err(), stops, "{ended:?}");
            assert_eq!((memory.in_hand(), memory.due(&fid(1)), memory.goes_alone(&fid(2))), (0, Some(SECOND), true));
            assert_eq!((memory.take_submitted(), memory.unconfirmed().len()), (vec![fid(3)], 1));
            assert_eq!(memory.take_submitted(), [], "each is given once");
        }
    }

    #[test]
    fn calls_that_cannot_be_sent_hold_the_next_ones_back_and_stop_the_run_at_the_fifth() {
        let mut memory = RunMemory::default();
        let unsent = || CallEnd { unsent: Some("no route".into()), ..called(&[1]) };
        let mut holds = Vec::new();
        for _ in 1..UNSENT {
            memory.call_ended(unsent(), SECOND, 0).unwrap();
            holds.push(memory.hold().checked_sub(SECOND).unwrap());
        }
        // Back-off is spread by a half to either side.
        for (n, hold) in holds.iter().enumerate() {
            let full = SECOND * 2_u32.pow(n as u32);
            assert!(*hold >= full / 2 && *hold <= full * 3 / 2, "{holds:?}");
        }
        let stopped = memory.call_ended(unsent(), SECOND, 0);
        assert!(matches!(stopped, Err(Stop::Pause(PauseWhy::Unreachable(_), None))), "{stopped:?}");
        // One that could be sent begins the count anew.
        memory.call_ended(called(&[1]), SECOND, 0).unwrap();
        memory.call_ended(unsent(), SECOND, 0).unwrap();
    }

    #[test]
    fn five_clean_calls_allow_batches_until_one_goes_wrong_as_a_whole() {
        let mut memory = RunMemory::default();
        for n in 0..CLEAN_FOR_BATCH {
            assert_eq!(memory.group_size(4), 1, "after {n}");
            memory.call_ended(called(&[1]), SECOND, 0).unwrap();
        }
        assert_eq!((memory.group_size(4), memory.group_size(0)), (4, 1));
        // A refusal of one member of a batch is its own; one of a single call is not.
        let refused = |fids: &[u64]| CallEnd { refused: vec![Cause::new("stock")], ..called(fids) };
        memory.call_ended(refused(&[1, 2]), SECOND, 0).unwrap();
        assert_eq!(memory.group_size(4), 4);
        memory.call_ended(CallEnd { unknown: vec![fid(1)], ..called(&[1, 2]) }, SECOND, 0).unwrap();
        assert_eq!(memory.group_size(4), 1);
        (0..CLEAN_FOR_BATCH).for_each(|_| memory.call_ended(called(&[1]), SECOND, 0).unwrap());
        memory.call_ended(refused(&[1]), SECOND, 0).unwrap();
        assert_eq!(memory.group_size(4), 1);
    }

    #[test]
    fn the_first_calls_are_watched_and_two_refusals_of_one_cause_stop_the_run() {
        let refused = |cause: &str| CallEnd { refused: vec![Cause::new(cause)], ..called(&[1]) };
        let mut memory = RunMemory::new(true);
        memory.call_ended(refused("stock"), SECOND, 3).unwrap();
        memory.call_ended(refused("period"), SECOND, 3).unwrap();
        assert!(memory.is_watched());
        let stopped = memory.call_ended(refused("stock"), SECOND, 3);
        let Err(Stop::Pause(PauseWhy::Canary(Reason::Canary { cause, n: 2 }), None)) = stopped else {
            panic!("{stopped:?}")
        };
        assert_eq!(cause, Cause::new("stock"));
        // An unknown one stops it at once; after the last of them nothing is watched.
        let mut memory = RunMemory::new(true);
        let unknown = CallEnd { unknown: vec![fid(1)], ..called(&[1]) };
        assert!(memory.call_ended(unknown.clone(), SECOND, 3).is_err());
        let mut memory = RunMemory::new(true);
        (0..3).for_each(|_| memory.call_ended(called(&[1]), SECOND, 3).unwrap());
        assert!(!memory.is_watched());
        memory.call_ended(unknown, SECOND, 3).unwrap();
    }
}
