//! What a plan's runs left unresolved: which of it the next run takes up, and what people retry and resolve.
//!
//! Invariant: a bill is here as long as the ledger has it; one of a declined set waits here for the next query, with no time.

use std::collections::BTreeMap;

use skydeck_core::domain::bill::Found;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::run::Probe;
use skydeck_core::domain::time::Ts;

use super::bill::{Bill, Fate, Names, Trouble};
use super::calendar::HOUR;
use super::incidents::is_same_day;

/// Bills kept open of one plan, at most: beyond that people resolve the oldest.
const OPEN: usize = 400;
/// Why a bill is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Refused(Trouble),
    NotSubmitted,
    NotReached,
    Unknown,
}

impl Left {
    /// What it was refused for.
    pub fn trouble(self) -> Option<Trouble> {
        match self {
            Self::Refused(trouble) => Some(trouble),
            Self::NotSubmitted | Self::NotReached | Self::Unknown => None,
        }
    }
}

/// A bill of the ledger.
#[derive(Clone, Debug)]
pub struct Open {
    pub bill: Bill,
    pub left: Left,
    /// When it came into the ledger, and when it was tried last.
    pub since: Ts,
    pub tried: Ts,
}

/// What a run takes up.
pub struct Taken {
    pub bill: Bill,
    /// When it came into the ledger, where it was there.
    pub since: Option<Ts>,
    /// What it was refused for last.
    pub was: Option<Trouble>,
    pub found: Found,
}

/// What is left over of one plan.
#[derive(Debug, Default)]
pub struct LeftOver {
    /// The bills.
    pub open: Vec<Open>,
    /// When a bill that a cause of the environment had kept back last went through.
    cured: BTreeMap<Trouble, Ts>,
}

impl LeftOver {
    /// A bill of this cause went through as it was: its like follow.
    pub fn note_cured(&mut self, trouble: Trouble, at: Ts) {
        self.cured.insert(trouble, at);
    }

    /// Which bills the run takes: new ones, and of the open ones those that changed, or that are due for a probe.
    pub fn take_up(
        &mut self,
        new: Vec<Bill>,
        at: Ts,
        (plan, names): (&Plan, &Names),
        by_clock: bool,
    ) -> (Vec<Taken>, u64, Vec<Probe>) {
        let probes = self.probes(at);
        let (mut taken, mut left, mut named) = (Vec::new(), Vec::new(), Vec::new());
        for open in std::mem::take(&mut self.open) {
            let probe = probes.values().any(|fid| *fid == open.bill.fid);
            let mended = |cure: Option<Ts>| cure.is_some_and(|cure| cure <= at);
            let takes = match (open.left, &open.bill.fate) {
                (Left::Refused(trouble), _) if trouble.of_environment() => {
                    probe || self.cured.get(&trouble).is_some_and(|cured| *cured > open.tried)
                }
                (Left::Refused(_), Fate::Refused(_, cure)) => mended(*cure),
                (Left::Refused(_), _) => !by_clock || at.0 - open.tried.0 > HOUR,
                (Left::NotSubmitted, _) => mended(open.bill.submitted),
                (Left::NotReached, _) => true,
                (Left::Unknown, _) => false,
            };
            if !takes {
                left.push(open);
                continue;
            }
            let Open { mut bill, since, left: why, .. } = open;
            let was = why.trouble();
            let tried = was.filter(|_| probe);
            named.extend(tried.map(|trouble| Probe { no: bill.no.clone(), cause: trouble.cause() }));
            if let (Left::Refused(trouble), Fate::Refused(_, Some(cure))) = (why, &bill.fate)
                && !trouble.of_environment()
            {
                bill.modified = *cure;
            }
            taken.push((bill, Some(since).filter(|since| since.0 > 0), was, tried));
        }
        let unchanged = left.len() as u64;
        self.open = left;
        taken.extend(new.into_iter().map(|bill| (bill, None, None, None)));
        let mut taken: Vec<Taken> = taken
            .into_iter()
            .map(|(bill, since, was, probe)| {
                let found = Found { probe: probe.map(Trouble::cause), ..bill.found(&plan.source, names, at) };
                Taken { bill, since, was, found }
            })
            .collect();
        taken.sort_by_key(|taken| taken.bill.fid);
        (taken, unchanged, named)
    }

    /// The bill whose last try is the oldest of each cause of the environment that was not tried today.
    fn probes(&self, at: Ts) -> BTreeMap<Trouble, u64> {
        let mut groups: BTreeMap<Trouble, (Ts, (Ts, u64))> = BTreeMap::new();
        for open in &self.open {
            let Left::Refused(trouble) = open.left else { continue };
            let this = (open.tried, open.bill.fid);
            let group = groups.entry(trouble).or_insert((open.tried, this));
            group.0 = group.0.max(open.tried);
            group.1 = group.1.min(this);
        }
        let due =
            groups.into_iter().filter(|(trouble, (tried, _))| trouble.of_environment() && !is_same_day(*tried, at));
        due.map(|(trouble, (_, (_, fid)))| (trouble, fid)).collect()
    }

    pub fn put_back(&mut self, taken: Vec<Taken>) {
        for Taken { bill, since, .. } in taken {
            match since {
                Some(since) => {
                    let left = match &bill.fate {
                        Fate::Refused(trouble, _) => Left::Refused(*trouble),
                        _ => Left::NotReached,
                    };
                    self.open.push(Open { bill, left, since, tried: since });
                }
                // Found again by the next query: the mark did not move.
                None => self.open.push(Open { left: Left::NotReached, since: Ts(0), tried: Ts(0), bill }),
            }
        }
    }

    /// Bills that a person may take off the ledger: the oldest, and whatever is too many.
    pub fn to_resolve(&self, at: Ts) -> Vec<u64> {
        let mut old: Vec<(Ts, u64)> =
            self.open.iter().filter(|open| open.since.0 > 0).map(|open| (open.since, open.bill.fid)).collect();
        old.sort_unstable();
        let many = self.open.len().saturating_sub(OPEN);
        let aged = old.iter().filter(|(since, _)| at.0 - since.0 > 25 * 24 * HOUR).count().min(5);
        old.into_iter().take(many.max(aged)).map(|(_, fid)| fid).collect()
    }

    /// Takes bills off the ledger.
    pub fn resolved(&mut self, fids: &[u64]) {
        self.open.retain(|open| !fids.contains(&open.bill.fid));
    }

    /// The unresolved bills of one cause, the most frequent, that a person retries; and those nobody knows the outcome of.
    pub fn to_retry(&self) -> (Vec<u64>, Vec<u64>) {
        let mut groups: BTreeMap<Trouble, Vec<u64>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for open in &self.open {
            match open.left {
                Left::Refused(trouble) => groups.entry(trouble).or_default().push(open.bill.fid),
                Left::Unknown => unknown.push(open.bill.fid),
                Left::NotSubmitted | Left::NotReached => {}
            }
        }
        let most = groups.into_values().max_by_key(Vec::len).unwrap_or_default();
        (most.into_iter().take(60).collect(), unknown.into_iter().take(60).collect())
    }
}
