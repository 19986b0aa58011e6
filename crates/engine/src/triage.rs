//! What to do about a page of bills: by their past, then by the status just read.
//!
//! Invariant: every bill of a page leaves settled, put off, or as a candidate whose status is known.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use skydeck_core::domain::bill::{Found, Outcome, Skip, Unknown};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::operation::Seen;
use skydeck_core::domain::run::{BillRow, PauseWhy, RunKind};

use super::bill_history::BillHistory;
use super::call_context::Candidate;
use super::control::Stop;
use super::decide::{Case, Judgement, Moment, QUARANTINE, judge};
use super::known::Known;
use super::runner::{Runner, SETTLE_GROUP};
use super::settle::not_applied;
use super::status_reads::{self, READ_BATCH, READ_TRIES, ReadFault};
use super::work::Told;

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

impl Runner {
    /// Reads the status of at most [`READ_BATCH`] bills and decides: settles those that need no call, returns the others.
    pub(super) async fn evaluate(&mut self, mut rows: Vec<BillRow>) -> Result<VecDeque<Candidate>, Stop> {
        // What does not fit one read stays in the store and comes with the next pass.
        rows.truncate(READ_BATCH);
        let known = self.know(rows).await?;
        let left = self.sort_out(known, self.shared.clock.mono()).await?;
        if left.is_empty() {
            return Ok(VecDeque::new());
        }
        let fids: Vec<Fid> = left.iter().map(|k| k.row.fid().clone()).collect();
        let (seen, read_at) = self.statuses(&fids).await?;
        self.decide(left, &seen, read_at).await
    }

    /// Settles bills whose past forbids a call; puts off those with a call still open when their status was asked for,
    /// because such a read proves nothing; gives the others.
    pub(super) async fn sort_out(&mut self, all: Vec<Known>, asked: Duration) -> Result<Vec<Known>, Stop> {
        let mut left = Vec::new();
        let mut events = Vec::new();
        for known in all {
            let fid = known.row.fid().clone();
            if known.past.deaths >= QUARANTINE {
                events.push(self.settled(&known.row, Outcome::Skipped(Skip::Quarantined)));
                continue;
            }
            if known.past.needs_operator() && self.head.kind != RunKind::Retry {
                events.push(self.settled(&known.row, Outcome::Skipped(Skip::UnknownElsewhere)));
                continue;
            }
            let open = known.past.open.iter().chain(&known.past.elsewhere);
            if let Some(due) = open.map(|open| self.settle_at(&fid, open)).max().filter(|due| *due > asked) {
                self.mind.due.insert(fid, due);
                continue;
            }
            // Another operation's call on this record is unknown still: it is read back before anything touches the record.
            if known.past.elsewhere.is_some() {
                events.push(self.settled(&known.row, Outcome::Skipped(Skip::UnknownElsewhere)));
                continue;
            }
            left.push(known);
        }
        self.append_in_groups(events).await?;
        Ok(left)
    }

    /// Decides by the status read: settles bills that need no call, gives the others.
    pub(super) async fn decide(
        &mut self,
        left: Vec<Known>,
        seen: &HashMap<Fid, Found>,
        read_at: Duration,
    ) -> Result<VecDeque<Candidate>, Stop> {
        let mut candidates = VecDeque::new();
        // Held until what is told of them is stored.
        let mut held = Vec::new();
        let mut told = Vec::new();
        for known in left {
            let now = seen.get(known.row.fid());
            if let Some(success) = now.and_then(|now| self.step_in_doubt(&known, now)) {
                self.mind.in_hand.insert(success.fid.clone());
                self.mind.unconfirmed.doubt(success);
                continue;
            }
            let Known { row, found, absent, outside, past } = known;
            let approved = past.approved(&found);
            let case = Case {
                approved: Some(&approved),
                canary_look: absent && past.was_missing(),
                ..self.case(Seen::of(now), &past, Moment::Before)
            };
            let next = match next_of(judge(&case), &row, &past) {
                // Reads contradicted an answer: nothing but a person's retry takes it out of unknown.
                Next::Call(_) if past.is_contradicted() && self.head.kind != RunKind::Retry => {
                    Next::Settle(Outcome::Skipped(Skip::UnknownElsewhere))
                }
                // A call that was lost is told of whatever the filter says now: this look comes after the server's limit.
                Next::Call(_) if outside && past.open.is_some() => {
                    let words = past.unknown.as_ref().map(|unknown| unknown.detail.clone()).unwrap_or_default();
                    Next::Settle(Outcome::Failed(not_applied(words)))
                }
                Next::Call(_) if outside => Next::Settle(Outcome::Skipped(Skip::Outside)),
                next => next,
            };
            match next {
                Next::Settle(outcome) => {
                    let Some(claim) = self.hold(row.fid()) else { continue };
                    held.push(claim);
                    let read = Event::bill_read(self.head.id, row.fid().clone(), now);
                    let events = [read, self.settled(&row, outcome)];
                    self.mind.due.remove(row.fid());
                    told.push(Told { fid: row.fid().clone(), last: past.last, events });
                }
                // Nothing was seen of it: its turn comes again.
                Next::Wait => {}
                Next::Call(at) => candidates.push_back(Candidate {
                    fid: row.fid().clone(),
                    no: row.no.clone(),
                    at,
                    rev: now.map_or_else(|| approved.clone(), |f| f.rev.clone()),
                    past,
                    read_at,
                }),
            }
        }
        while !told.is_empty() {
            let rest = told.split_off(told.len().min(SETTLE_GROUP));
            self.tell(std::mem::replace(&mut told, rest)).await?;
        }
        drop(held);
        Ok(candidates)
    }

    /// What a look at a bill of this run is judged by.
    pub(super) fn case<'a>(&'a self, seen: Seen<'a>, past: &'a BillHistory, moment: Moment<'a>) -> Case<'a> {
        Case {
            op: &self.op,
            seen,
            approved: None,
            open: past.open.as_ref(),
            refused: past.refused_call.as_ref(),
            // Asked after a refusal alone.
            earlier: false,
            forestalled: past.forestalled,
            anothers: past.is_anothers(),
            moment,
            user: &self.env.env.user,
            repeats: past.auto_repeats,
            deaths: past.deaths,
            may_write: self.head.kind != RunKind::Verify,
            canary_look: false,
            age_secs: 0,
        }
    }

    pub(super) async fn append_in_groups(&self, events: Vec<Event>) -> Result<(), Stop> {
        for group in events.chunks(SETTLE_GROUP * 2) {
            self.append(group.to_vec()).await?;
        }
        Ok(())
    }

    /// Status of bills, with bounded repeats; a server that stays silent pauses the run.
    pub(super) async fn statuses(&mut self, fids: &[Fid]) -> Result<(HashMap<Fid, Found>, Duration), Stop> {
        let mut n = 0;
        loop {
            // Counted from before the request: the answer may have been true for that long already.
            let at = self.shared.clock.mono();
            let fault = match status_reads::statuses(&self.env, &self.plan.source, &self.op, fids).await {
                Ok(seen) => return Ok((seen, at)),
                Err(fault) => fault,
            };
            match status_reads::on_fault(&fault, &self.shared.causes) {
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
