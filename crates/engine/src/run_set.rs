//! What is known of a run's set while it is collected.
//!
//! Invariant: it grows by whole parts, in the order of their bills, so that its hash is that of the set.

use std::collections::BTreeMap;
use std::sync::Arc;

use skydeck_core::domain::bill::{Found, Status};
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::erp_clock::ErpClock;
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::listed::Listed;
use skydeck_core::domain::query::Sample;
use skydeck_core::domain::run::{Collected, Probe, RunHead, RunKind, Unchanged};
use skydeck_core::domain::time::ErpDate;

use super::bodies::ToMake;
use super::carry::Changed;
use super::dispatch::Dispatch;
use super::set_hash::SetHasher;

/// Records whose bodies a preview shows.
const SAMPLES: usize = 5;
/// Numbers the target does not hold that are kept by name.
const NAMED: usize = 20;

/// What is known of the set so far.
#[derive(Default)]
pub(super) struct Set {
    hash: SetHasher,
    pub found: u64,
    callable: u64,
    pub carried: u64,
    pub pages: u32,
    by_status: BTreeMap<Status, u64>,
    pub seen: Option<ErpDate>,
    /// Of records that are handed in: the place of the last one that was read.
    pub upto: Option<Seq>,
    /// The plan's own limit of rows ended the query.
    pub cut: bool,
    /// Entries of the ledger whose outcome was unknown.
    unknown: u64,
    /// The environment that was queried, for its clock.
    queried: Option<Arc<Dispatch>>,
    /// Numbers of the source that the target does not hold exactly once.
    pub absent: u64,
    pub absent_first: Vec<String>,
    /// Bills that nothing changed about since they were refused, or closed by a person.
    pub left: u64,
    left_hash: SetHasher,
    /// Bills that are tried although nothing about them changed.
    pub probes: Vec<Probe>,
    /// What is to be made.
    made: ToMake,
    /// The first of it, for a preview.
    samples: Vec<Sample>,
    /// Bills that will be refused, by cause.
    will: BTreeMap<Cause, u64>,
    /// Of a list of bill numbers: which of them it has no bill of.
    pub listed: Option<Listed>,
}

impl Set {
    /// Of a query to this environment.
    pub fn of(queried: &Arc<Dispatch>) -> Self {
        Self { queried: Some(Arc::clone(queried)), ..Self::default() }
    }

    /// Of entries of the ledger, so many of them unknown.
    pub fn of_entries(unknown: u64) -> Self {
        Self { unknown, ..Self::default() }
    }

    /// The clock of the ERP that was queried, when the run was opened.
    pub fn clock(&self, head: &RunHead) -> Option<ErpClock> {
        self.queried.as_ref()?.erp_clock(head.opened)
    }

    /// Adds bills that come into the set.
    pub fn count(&mut self, bills: &[Found], may_call: impl Fn(&Found) -> bool) {
        for bill in bills {
            self.hash.add(&bill.fid, &bill.rev);
            if let Some(body) = &bill.body {
                self.hash.add_body(&body.hash);
                self.made.count(body);
                if self.samples.len() < SAMPLES {
                    self.samples.push(Sample { no: bill.no.clone(), made: body.as_ref().clone() });
                }
            }
            self.found += 1;
            if let Some(will) = &bill.will {
                *self.will.entry(will.cause()).or_insert(0) += 1;
            }
            *self.by_status.entry(bill.rev.status.clone()).or_insert(0) += 1;
            self.callable += u64::from(!bill.outside && may_call(bill));
        }
        self.callable = self.callable.saturating_sub(self.made.note(bills));
    }

    /// Adds what is to be tried, and counts what is left as it is.
    pub fn take(&mut self, changed: &Changed, may_call: impl Fn(&Found) -> bool) {
        for found in &changed.left {
            self.left += 1;
            self.left_hash.add(&found.fid, &found.rev);
        }
        let probe = |found: &Found| Some(Probe { no: found.no.clone(), cause: found.probe.clone()? });
        self.probes.extend(changed.taken.iter().filter_map(probe));
        self.carried += changed.carried;
        self.count(&changed.taken, may_call);
    }

    /// What would be made of the first records.
    pub fn samples(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.samples)
    }

    /// Fields that are sent and cannot be compared.
    pub fn leaves_uncompared(&mut self, fields: Vec<String>) {
        self.made.not_compared = fields;
    }

    /// The target does not hold this number exactly once.
    pub fn misses(&mut self, no: &str) {
        self.absent += 1;
        if self.absent_first.len() < NAMED {
            self.absent_first.push(no.to_owned());
        }
    }

    /// The set as an operator approves it.
    pub fn frozen(self, head: &RunHead, sweep: bool) -> Collected {
        let clock = self.clock(head);
        Collected {
            hash: self.hash.finish(),
            by_status: self.by_status.into_iter().collect(),
            callable: if head.kind == RunKind::Verify { 0 } else { self.callable },
            pages: self.pages,
            seen: self.seen,
            sweep,
            carried: self.carried,
            absent: self.absent,
            absent_first: self.absent_first,
            unchanged: (self.left > 0).then(|| Unchanged { bills: self.left, hash: self.left_hash.finish() }),
            unknown: self.unknown,
            clock,
            probes: self.probes,
            sights: self.made.sights.into_iter().collect(),
            unmade: self.made.unmade,
            doubles: self.made.doubles,
            not_compared: self.made.not_compared,
            listed: self.listed.map(Box::new),
            upto: self.upto,
            will: self.will.into_iter().collect(),
        }
    }
}
