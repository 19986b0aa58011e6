//! What becomes of the bills of an approved run, one after the other, in good and in bad weather.
//!
//! Invariant: every bill that was found has an outcome before the run closes.

use fastrand::Rng;

use skydeck_core::domain::bill::{Failure, Found, Outcome, Rev, Skip, Slot, Status, Unknown, UnknownWhy};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{Mark, PauseWhy, RunEnd};
use skydeck_core::domain::step::{Step as Call, Verdict};
use skydeck_core::domain::time::Ts;

use super::bill::{Fate, Trouble};
use super::calendar;
use super::left_over::{Left, LeftOver, Open, Taken};
use super::pen::Step;
use super::run::Telling;
use super::weather::Weather;

/// Refusals of one cause after which a run stops.
const BREAKER: u32 = 12;
/// Calls that are looked at for it.
const LAST: u32 = 20;

/// A run at work.
struct Shift<'a, 'b> {
    left: &'a mut LeftOver,
    rng: &'a mut Rng,
    told: Telling<'b>,
    weather: &'a Weather,
    again: Vec<Taken>,
    unknown: Vec<Taken>,
    calls: u32,
    refused: u32,
    submits: bool,
}

/// A run that was worked through.
pub struct Ended {
    /// What is told of it.
    pub steps: Vec<Step>,
    /// When.
    pub at: Ts,
    /// It stopped by itself, and the next one reads everything.
    pub sweeps: bool,
}

/// Works through an approved set and closes the run.
pub fn work(
    told: Telling<'_>,
    taken: Vec<Taken>,
    plan: &Plan,
    weather: &Weather,
    (left, rng): (&mut LeftOver, &mut Rng),
) -> Ended {
    let (again, unknown, submits) = (Vec::new(), Vec::new(), plan.policy.submit);
    let half = taken.len() / 2;
    let mut shift = Shift { left, rng, told, weather, again, unknown, calls: 0, refused: 0, submits };
    let mut rest = taken.into_iter();
    let mut done = 0;
    while let Some(one) = rest.next() {
        if done == half && done > 0 {
            if weather.cancels.is_some() {
                return shift.cancel(std::iter::once(one).chain(rest).collect());
            }
            done += 1;
            let Some(one) = shift.breaks_off(one) else { continue };
            let skip = skips(&one.found, plan);
            shift.bill(one, skip);
            continue;
        }
        done += 1;
        let skip = skips(&one.found, plan);
        shift.bill(one, skip);
        if shift.refused >= BREAKER {
            return shift.stop(rest.collect());
        }
    }
    shift.end()
}

impl Shift<'_, '_> {
    /// What breaks a run off in its middle: a death of the process, a pause. Gives the bill where it is still to be worked.
    fn breaks_off(&mut self, one: Taken) -> Option<Taken> {
        let run = self.told.head.id;
        if let Some((back, by)) = &self.weather.dies {
            let in_flight = one.found.rev.status == Status::Submitted;
            if in_flight {
                self.told.tried(&one.found, Call::Audit);
            }
            self.told.now = self.told.now.max(*back);
            self.told.fact(Event::RunInterrupted { run });
            let left = if in_flight {
                self.not_known(one, UnknownWhy::ProcessDied);
                None
            } else {
                Some(one)
            };
            self.told.wait(40_000, 400_000);
            let resumed = Event::RunResumed { run, by: by.clone(), boot: None };
            self.told.ordered("resume", by, vec![resumed]);
            return left;
        }
        if let Some(by) = &self.weather.pauses {
            self.told.ordered("pause", by, Vec::new());
            self.told.wait(400, 2_000);
            self.told.fact(Event::RunPaused { run, why: PauseWhy::Operator, by: Some(by.clone()) });
            self.told.wait(120_000, 1_500_000);
            let resumed = Event::RunResumed { run, by: by.clone(), boot: None };
            self.told.ordered("resume", by, vec![resumed]);
        }
        Some(one)
    }

    fn bill(&mut self, one: Taken, skip: Option<Skip>) {
        self.told.wait(120, 420);
        if let Some(skip) = skip {
            self.told.read(&one.found.fid, &one.found.rev, None);
            self.told.settle(&one.found, Slot::Waiting, Outcome::Skipped(skip));
            return self.keep(one, Left::NotSubmitted);
        }
        if one.bill.fate == Fate::Audited && one.since.is_none() {
            let rev = Rev { status: Status::Audited, ..one.found.rev.clone() };
            self.told.read(&one.found.fid, &rev, Some("王芳"));
            let on = Some(calendar::erp(self.told.now));
            return self.told.settle(&one.found, Slot::Waiting, Outcome::Already { by: Some("王芳".to_owned()), on });
        }
        let mut one = one;
        if self.submits && one.found.rev.status == Status::Created {
            let ms = self.ms();
            self.told.call(&one.found, Call::Submit, 1, Verdict::Done, ms);
            one.bill.submitted = Some(self.told.now);
            one.found.rev = Rev { status: Status::Submitted, ..one.found.rev };
        }
        self.calls += 1;
        if let Some(trouble) = self.weather.refuses.filter(|_| self.rng.u8(0..100) < 85) {
            self.refused += 1;
            return self.refuse(one, trouble);
        }
        let now = self.told.now;
        match one.bill.fate.clone() {
            Fate::Refused(trouble, cure) if cure.is_none_or(|cure| cure > now) => self.refuse(one, trouble),
            Fate::Locked(tries) => self.locked(one, tries),
            Fate::Lost => self.lose(one),
            Fate::Clean | Fate::Audited | Fate::Refused(..) => self.done(&one, 1),
        }
    }

    fn ms(&mut self) -> u32 {
        let slow = self.rng.u8(0..100) < 3;
        if slow { self.rng.u32(1_500..6_000) } else { self.rng.u32(60..480) }
    }

    fn done(&mut self, one: &Taken, attempt: u32) {
        let ms = self.ms();
        self.told.call(&one.found, Call::Audit, attempt, Verdict::Done, ms);
        self.told.settle(&one.found, Slot::Waiting, Outcome::Done { verified: false });
        if let Some(trouble) = one.was.filter(|trouble| trouble.of_environment()) {
            self.left.note_cured(trouble, self.told.now);
        }
    }

    fn rejected(&mut self, one: &Taken, trouble: Trouble, attempt: u32) -> Failure {
        let failure = trouble.failure(&one.bill);
        let ms = self.ms();
        self.told.call(&one.found, Call::Audit, attempt, Verdict::Rejected(failure.clone()), ms);
        if trouble.is_read_back() {
            self.told.wait(80, 300);
            self.told.read(&one.found.fid, &one.found.rev, None);
        }
        failure
    }

    fn refuse(&mut self, one: Taken, trouble: Trouble) {
        let failure = self.rejected(&one, trouble, 1);
        self.told.settle(&one.found, Slot::Waiting, Outcome::Failed(failure));
        self.keep(one, Left::Refused(trouble));
    }

    /// Put off once; the second time it is tried behind the others.
    fn locked(&mut self, mut one: Taken, tries: u8) {
        let failure = self.rejected(&one, Trouble::Lock, 1);
        let until = Ts(self.told.now.0 + 60_000);
        self.told.defer(&one.found, &failure, until);
        one.bill.fate = if tries > 1 { Fate::Locked(tries - 1) } else { Fate::Clean };
        self.again.push(one);
    }

    fn lose(&mut self, one: Taken) {
        self.told.call(
            &one.found,
            Call::Audit,
            1,
            Verdict::Unknown(UnknownWhy::TimedOut, "timed out".to_owned()),
            30_000,
        );
        self.not_known(one, UnknownWhy::TimedOut);
    }

    fn not_known(&mut self, one: Taken, why: UnknownWhy) {
        let outcome = Outcome::Unknown(Unknown { why, sent: self.told.now, detail: String::new() });
        self.told.settle(&one.found, Slot::Waiting, outcome);
        self.unknown.push(one);
    }

    fn keep(&mut self, one: Taken, left: Left) {
        let (since, tried) = (one.since.unwrap_or(self.told.now), self.told.now);
        self.left.open.push(Open { bill: one.bill, left, since, tried });
    }

    /// The second pass, what is unknown, and the end.
    fn end(mut self) -> Ended {
        if !self.again.is_empty() {
            self.told.wait(60_000, 70_000);
        }
        for mut one in std::mem::take(&mut self.again) {
            self.told.wait(120, 420);
            if let Fate::Locked(_) = one.bill.fate {
                let failure = self.rejected(&one, Trouble::Lock, 2);
                self.told.settle(&one.found, Slot::Waiting, Outcome::Failed(failure));
                one.bill.fate = Fate::Clean;
                self.keep(one, Left::Refused(Trouble::Lock));
            } else {
                self.done(&one, 2);
            }
        }
        self.read_back();
        self.close(RunEnd::Completed, false)
    }

    fn close(self, end: RunEnd, sweeps: bool) -> Ended {
        let at = self.told.now;
        Ended { steps: self.told.close(Vec::new(), end), at, sweeps }
    }

    fn read_back(&mut self) {
        if self.unknown.is_empty() {
            return;
        }
        let run = self.told.head.id;
        self.told.wait(100, 400);
        self.told.fact(Event::RunSettling { run });
        self.told.wait(55_000, 75_000);
        for one in std::mem::take(&mut self.unknown) {
            self.told.wait(100, 500);
            let settles = self.rng.u8(0..100) < 80;
            let status = if settles { Status::Audited } else { Status::Created };
            let rev = Rev { status, ..one.found.rev.clone() };
            self.told.read(&one.found.fid, &rev, settles.then_some("demo"));
            if settles {
                self.told.settle(&one.found, Slot::Unknown, Outcome::Done { verified: true });
            } else {
                let why = UnknownWhy::ChangedSince(Status::Created);
                let outcome = Outcome::Unknown(Unknown { why, sent: self.told.now, detail: String::new() });
                self.told.settle(&one.found, Slot::Unknown, outcome);
                self.keep(one, Left::Unknown);
            }
        }
    }

    /// What was not reached when the run ends early.
    fn leave(&mut self, rest: Vec<Taken>) {
        for one in rest {
            self.told.settle(&one.found, Slot::Waiting, Outcome::Skipped(Skip::NotReached));
            self.keep(one, Left::NotReached);
        }
        for one in std::mem::take(&mut self.again) {
            let failure = Trouble::Lock.failure(&one.bill);
            self.told.settle(&one.found, Slot::Waiting, Outcome::Failed(failure));
            self.keep(one, Left::Refused(Trouble::Lock));
        }
    }

    fn cancel(mut self, rest: Vec<Taken>) -> Ended {
        if let Some(by) = &self.weather.cancels {
            self.told.ordered("cancel", by, Vec::new());
        }
        self.told.wait(300, 900);
        self.read_back();
        self.leave(rest);
        self.close(RunEnd::Cancelled, false)
    }

    /// The run ends by itself, and the next one reads everything.
    fn stop(mut self, rest: Vec<Taken>) -> Ended {
        let cause = self.weather.refuses.map(Trouble::cause);
        let why = Reason::Breaker { cause, n: self.refused, of: self.calls.min(LAST) };
        if let Some(seen) = self.told.head.range.is_none().then(|| calendar::erp(self.told.head.opened)) {
            let mark = Mark { seen, run: self.told.head.id, swept: None, clock: None, upto: None };
            let moved = self.told.mark(mark);
            self.told.fact(moved);
        }
        self.read_back();
        self.leave(rest);
        self.close(RunEnd::Stopped(why), true)
    }
}

/// Whether a bill is not called as the plan stands.
fn skips(found: &Found, plan: &Plan) -> Option<Skip> {
    match &found.rev.status {
        Status::Submitted => None,
        Status::Created | Status::Draft | Status::Reaudit if plan.policy.submit => None,
        other => Some(Skip::of_status(other)),
    }
}
