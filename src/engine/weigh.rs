//! What to do about a page of bills: by their past, then by the status just read.
//!
//! Invariant: every bill of a page leaves settled, put off, or as a candidate whose status is known.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::domain::bill::{Found, Outcome, Skip};
use crate::domain::event::Event;
use crate::domain::ids::Fid;
use crate::domain::run::{BillRow, PauseWhy, RunKind};

use super::call::Candidate;
use super::control::Stop;
use super::decide::{self, Next, QUARANTINE};
use super::reading::{self, READ_BATCH, READ_TRIES, ReadFault};
use super::runner::{Known, Runner, SETTLE_GROUP};

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
        self.judge(left, &seen, read_at).await
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
            if let Some(open) = &known.past.open {
                let due = self.settle_at(&fid, open.sent);
                if due > asked {
                    self.mind.due.insert(fid, due);
                    continue;
                }
            }
            left.push(known);
        }
        self.append_in_groups(events).await?;
        Ok(left)
    }

    /// Decides by the status read: settles bills that need no call, gives the others.
    pub(super) async fn judge(
        &mut self,
        left: Vec<Known>,
        seen: &HashMap<Fid, Found>,
        read_at: Duration,
    ) -> Result<VecDeque<Candidate>, Stop> {
        let mut candidates = VecDeque::new();
        let mut events = Vec::new();
        for Known { row, found, past } in left {
            let now = seen.get(row.fid());
            let approved = past.approved(&found);
            let user = &self.env.env.user;
            match decide::on_read(now, &approved, self.plan.policy.submit, past.open.as_ref(), user) {
                Next::Settle(outcome) => {
                    events.push(Event::BillRead {
                        run: self.head.id,
                        fid: row.fid().clone(),
                        rev: now.map(|f| f.rev.clone()),
                        approver: now.and_then(|f| f.approver.clone()),
                    });
                    events.push(self.settled(&row, outcome));
                    self.mind.due.remove(row.fid());
                }
                Next::Call(step) => candidates.push_back(Candidate {
                    fid: row.fid().clone(),
                    no: row.no.clone(),
                    step,
                    rev: now.map_or_else(|| approved.clone(), |f| f.rev.clone()),
                    past,
                    read_at,
                }),
            }
        }
        self.append_in_groups(events).await?;
        Ok(candidates)
    }

    pub(super) async fn append_in_groups(&self, events: Vec<Event>) -> Result<(), Stop> {
        for group in events.chunks(SETTLE_GROUP * 2) {
            self.append(group.to_vec()).await?;
        }
        Ok(())
    }

    /// Status of bills, with bounded repeats; a server that stays silent pauses the run.
    async fn statuses(&mut self, fids: &[Fid]) -> Result<(HashMap<Fid, Found>, Duration), Stop> {
        let mut n = 0;
        loop {
            // Counted from before the request: the answer may have been true for that long already.
            let at = self.shared.clock.mono();
            let fault = match reading::statuses(self.env.erp.as_ref(), &self.plan.source, fids).await {
                Ok(seen) => return Ok((seen, at)),
                Err(fault) => fault,
            };
            match reading::on_fault(&fault, &self.shared.causes) {
                ReadFault::Stop(why) => return Err(Stop::Pause(why, None)),
                ReadFault::Again if n + 1 >= READ_TRIES => {
                    return Err(Stop::Pause(PauseWhy::Unreachable(fault.message), None));
                }
                ReadFault::Again => self.wait(reading::pause_before(&fault, n)).await?,
            }
            n += 1;
        }
    }
}
