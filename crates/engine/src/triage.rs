//! What to do about a page of bills: by their past, then by the status just read.
//!
//! Invariant: every bill of a page leaves settled, put off, or as a candidate whose status is known.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use skydeck_core::domain::bill::{Failure, Found, Outcome, Rendered, Rev, Skip, Status, Unknown};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::operation::Seen;
use skydeck_core::domain::run::{BillRow, PauseWhy, RunKind};
use skydeck_core::domain::step::Verb;

use super::bill_history::BillHistory;
use super::bodies::same_key;
use super::confirm;
use super::control::Stop;
use super::decide::{Case, Judgement, Moment, QUARANTINE, judge};
use super::known::{Candidate, Known};
use super::run_context::{RunContext, SETTLE_GROUP};
use super::run_memory::{Change, RunMemory};
use super::runner::{Runner, Told};
use super::settle::{limit, not_applied};
use super::status_reads::{self, READ_TRIES, ReadFault};

/// What to do with a bill after a look.
enum Next {
    /// Call this step.
    Call(usize),
    /// No call: this is its outcome.
    Settle(Outcome),
    /// Its turn comes again.
    Wait,
}

/// What a judgement before a call leads to.
fn next_of(judgement: Judgement, row: &BillRow, past: &BillHistory) -> Next {
    Next::Settle(match judgement {
        // Only a settling look continues or repeats; before a call the step to take is called.
        Judgement::Call(at) | Judgement::Continue(at, _) => return Next::Call(at),
        Judgement::Repeat => return Next::Call(0),
        Judgement::Look => return Next::Wait,
        Judgement::Done { verified } => Outcome::Done { verified },
        Judgement::Already(by, on) => Outcome::Already { by, on },
        Judgement::Skip(why) => Outcome::Skipped(why),
        Judgement::Fail(failure) => Outcome::Failed(failure),
        Judgement::Operator(why) => {
            let sent = past.open.as_ref().map_or(row.at, |open| open.sent);
            Outcome::Unknown(Unknown { why, sent, detail: String::new() })
        }
    })
}

/// What is read of the records of a page.
#[derive(Clone, Copy)]
enum Of {
    /// The bills that the plan acts on or makes.
    Bills,
    /// The records themselves.
    Sources,
}

/// What the pasts of a page's bills came to.
struct Sorted {
    /// Those whose status decides.
    left: Vec<Known>,
    /// Outcomes of those that are not called.
    events: Vec<Event>,
    changes: Vec<Change>,
}

/// Sorts bills by their past: some forbid a call, and where one is still open since before their status was `asked` for, such
/// a read proves nothing.
fn sort(run: &RunContext, memory: &RunMemory, all: Vec<Known>, asked: Duration) -> Sorted {
    let mut sorted = Sorted { left: Vec::new(), events: Vec::new(), changes: Vec::new() };
    for known in all {
        let skip = |why: Skip| run.settled(&known.row, Outcome::Skipped(why));
        if known.past.deaths >= QUARANTINE {
            sorted.events.push(skip(Skip::Quarantined));
            continue;
        }
        if known.past.needs_operator() && run.head.kind != RunKind::Retry {
            sorted.events.push(skip(Skip::UnknownElsewhere));
            continue;
        }
        // One moment a bill: the first call that is open tells it.
        if let Some(open) = known.past.open.as_ref().or(known.past.elsewhere.as_ref()) {
            let fid = known.row.fid();
            let (due, change) = limit(run, memory, fid, open);
            sorted.changes.push(change);
            if due > asked {
                sorted.changes.push(Change::DueAt(fid.clone(), due));
                continue;
            }
        }
        // Another operation's call on this record is unknown still: it is read back before anything touches the record.
        if known.past.elsewhere.is_some() {
            sorted.events.push(skip(Skip::UnknownElsewhere));
            continue;
        }
        sorted.left.push(known);
    }
    sorted
}

/// What a look at a page's bills came to.
struct Judged {
    /// Those to be called.
    candidates: VecDeque<Candidate>,
    /// What is told of those that need no call.
    told: Vec<Told>,
    changes: Vec<Change>,
}

/// Judges bills by their status, which was read at `read_at`. `moved`: records that are not as they were approved, and why no
/// bill is pushed from them.
fn judge_all(
    run: &RunContext,
    left: Vec<Known>,
    (seen, moved): (&HashMap<Fid, Found>, &HashMap<Fid, Skip>),
    read_at: Duration,
) -> Judged {
    let mut judged = Judged { candidates: VecDeque::new(), told: Vec::new(), changes: Vec::new() };
    for known in left {
        let now = seen.get(known.row.fid());
        let doubted = match now {
            Some(now) => confirm::step_in_doubt(run, &known, now),
            None => confirm::step_unseen(run, &known),
        };
        if let Some(success) = doubted {
            judged.changes.push(Change::Doubted(success));
            continue;
        }
        let Known { row, found, body, absent, outside, past } = known;
        // What was found is of another form than what is made: there the content is compared, and then nothing but a step of
        // ours may have gone on with it.
        let approved = past.approved(now.filter(|_| run.op.key.makes()).map_or(&found, |now| &now.rev));
        let case = Case {
            approved: Some(&approved),
            canary_look: run.op.key.makes() || (absent && past.was_missing()),
            body: body.as_deref(),
            ..run.case(Seen::of(now), &past, Moment::Before)
        };
        let next = match body.as_ref().and_then(|body| not_to_be_made(run, body)) {
            Some(failure) => Next::Settle(Outcome::Failed(failure)),
            None => pushed_as_approved(allowed(run, next_of(judge(&case), &row, &past), &past, outside), moved, &row),
        };
        match next {
            Next::Settle(outcome) => {
                let read = Event::bill_read(run.head.id, row.fid().clone(), now);
                let events = [read, run.settled(&row, outcome)];
                judged.told.push(Told { fid: row.fid().clone(), last: past.last, events });
            }
            // Nothing was seen of it: its turn comes again.
            Next::Wait => {}
            Next::Call(at) => judged.candidates.push_back(Candidate {
                fid: row.fid().clone(),
                no: row.no.clone(),
                at,
                rev: called_in(run, now, &approved),
                made: now.and_then(|f| f.looked.as_ref()).map(|looked| (looked.id.clone(), looked.no.clone())),
                body,
                past,
                read_at,
            }),
        }
    }
    judged
}

/// What a look leads to, unless something else than the bill stands against a call. `outside`: the plan's filter leaves the bill
/// out as it is now.
fn allowed(run: &RunContext, next: Next, past: &BillHistory, outside: bool) -> Next {
    match next {
        // Reads contradicted an answer: nothing but a person's retry takes it out of unknown.
        Next::Call(_) if past.is_contradicted() && run.head.kind != RunKind::Retry => {
            Next::Settle(Outcome::Skipped(Skip::UnknownElsewhere))
        }
        // A call that was lost is told of whatever the filter says now: this look comes after the server's limit.
        Next::Call(_) if outside && past.open.is_some() => {
            let words = past.unknown.as_ref().map(|unknown| unknown.detail.clone()).unwrap_or_default();
            Next::Settle(Outcome::Failed(not_applied(words)))
        }
        Next::Call(_) if outside => Next::Settle(Outcome::Skipped(Skip::Outside)),
        next => next,
    }
}

/// What a conversion makes is what the record holds when it is pushed: it must still be what was approved.
fn pushed_as_approved(next: Next, moved: &HashMap<Fid, Skip>, row: &BillRow) -> Next {
    match (next, moved.get(row.fid())) {
        (Next::Call(0), Some(why)) => Next::Settle(Outcome::Skipped(why.clone())),
        (next, Some(_) | None) => next,
    }
}

/// Why nothing is sent for a record that is to be made.
fn not_to_be_made(run: &RunContext, body: &Rendered) -> Option<Failure> {
    let shared = run.making.get().is_some_and(|making| making.doubles.contains(&body.key.trim().to_lowercase()));
    body.fault.as_deref().cloned().or_else(|| shared.then(|| same_key(&body.key)))
}

/// The revision that a call is made in: of what is not there yet, none.
fn called_in(run: &RunContext, now: Option<&Found>, approved: &Rev) -> Rev {
    match now {
        Some(found) => found.rev.clone(),
        None if run.op.key.makes() => Rev::new(Status::Other(String::new()), None),
        None => approved.clone(),
    }
}

impl Runner {
    /// Reads the status of at most [`RunContext::looked_at_once`] bills and decides: settles those that need no call, returns the others.
    pub(super) async fn evaluate(&mut self, mut rows: Vec<BillRow>) -> Result<VecDeque<Candidate>, Stop> {
        // What does not fit one read stays in the store and comes with the next pass.
        rows.truncate(self.run.looked_at_once());
        let known = self.run.know(rows).await?;
        let left = self.sort_out(known, self.run.shared.clock.mono()).await?;
        if left.is_empty() {
            return Ok(VecDeque::new());
        }
        let fids: Vec<Fid> = left.iter().map(|k| k.row.fid().clone()).collect();
        let (seen, read_at) = self.statuses(&fids).await?;
        self.decide(left, &seen, read_at).await
    }

    /// Settles bills whose past forbids a call; puts off those with a call still open when their status was asked for; gives
    /// the others.
    pub(super) async fn sort_out(&mut self, all: Vec<Known>, asked: Duration) -> Result<Vec<Known>, Stop> {
        let sorted = sort(&self.run, &self.memory, all, asked);
        self.take(sorted.changes, sorted.events).await?;
        Ok(sorted.left)
    }

    /// Decides by the status read: settles bills that need no call, gives the others.
    pub(super) async fn decide(
        &mut self,
        left: Vec<Known>,
        seen: &HashMap<Fid, Found>,
        read_at: Duration,
    ) -> Result<VecDeque<Candidate>, Stop> {
        let moved = self.moved(&left, seen).await?;
        let judged = judge_all(&self.run, left, (seen, &moved), read_at);
        self.memory.take(judged.changes);
        // Held until what is told of them is stored.
        let (mut told, held) = self.claim_all(judged.told, |told| &told.fid);
        self.memory.take(told.iter().map(|told| Change::Due(told.fid.clone())));
        while !told.is_empty() {
            let rest = told.split_off(told.len().min(SETTLE_GROUP));
            self.tell(std::mem::replace(&mut told, rest)).await?;
        }
        drop(held);
        Ok(judged.candidates)
    }

    /// Of the records that a bill would be pushed from: those that are not as they were approved.
    async fn moved(&mut self, left: &[Known], seen: &HashMap<Fid, Found>) -> Result<HashMap<Fid, Skip>, Stop> {
        let pushes = self.run.plan.target.verb == Verb::Push;
        let asked = left.iter().filter(|known| pushes && !seen.contains_key(known.row.fid()));
        let fids: Vec<Fid> = asked.clone().map(|known| known.row.fid().clone()).collect();
        if fids.is_empty() {
            return Ok(HashMap::new());
        }
        let (now, _) = self.read_with_patience(&fids, Of::Sources).await?;
        let moved = asked.filter_map(|known| {
            let (fid, was) = (known.row.fid(), &known.found);
            match now.get(fid) {
                None => Some((fid.clone(), Skip::Missing)),
                Some(found) => {
                    let same = found.rev.status == was.status && found.rev.modified == was.modified;
                    (!same).then(|| (fid.clone(), Skip::Changed))
                }
            }
        });
        Ok(moved.collect())
    }

    /// Status of bills, with bounded repeats; a server that stays silent pauses the run.
    pub(super) async fn statuses(&mut self, fids: &[Fid]) -> Result<(HashMap<Fid, Found>, Duration), Stop> {
        self.read_with_patience(fids, Of::Bills).await
    }

    async fn read_with_patience(&mut self, fids: &[Fid], of: Of) -> Result<(HashMap<Fid, Found>, Duration), Stop> {
        let mut n = 0;
        loop {
            // Counted from before the request: the answer may have been true for that long already.
            let at = self.run.shared.clock.mono();
            let read = match of {
                Of::Bills => self.run.read(fids).await,
                Of::Sources => self.run.looking().of_source(fids.to_vec()).await,
            };
            let fault = match read {
                Ok(seen) => return Ok((seen, at)),
                Err(fault) => fault,
            };
            match status_reads::on_fault(&fault, &self.run.shared.causes) {
                ReadFault::Stop(why) => return Err(Stop::Pause(why, None)),
                ReadFault::Again if n + 1 >= READ_TRIES => {
                    return Err(Stop::Pause(PauseWhy::Unreachable(status_reads::unread(&fault)), None));
                }
                ReadFault::Again => self.wait(status_reads::pause_before(&fault, n)).await?,
            }
            n += 1;
        }
    }
}
