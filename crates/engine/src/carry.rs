//! Which bills a fresh run leaves as they are: what only a person can cure, and what a person closed, is not called again as
//! long as nothing about it changed.
//!
//! Invariant: a bill is left alone only where the store tells that it was tried, in the revision it has now, by the call this
//! run would make. Whatever is not told so is taken.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use skydeck_core::domain::bill::{Found, Outcome, Rev, Skip, UnknownWhy, Will};
use skydeck_core::domain::cause::{Cause, CauseTable, Repeat, known};
use skydeck_core::domain::command::StartParams;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{Fid, RunId, WorkKey};
use skydeck_core::domain::listed::known_as;
use skydeck_core::domain::plan::{Plan, RetryUnchanged};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, RunKind};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::zone::Zone;
use skydeck_store::{LedgerEntry, Store, StoreError};

use super::bill_history::{BillHistory, key_sent};
use super::control::MOST;
use super::decide::QUARANTINE;
use super::pages::Failed;
use super::runner::Runner;
use super::scope::Scope;
use super::select::Matching;
use super::watched::Periods;

/// What a run has to know of the ledger to leave bills alone.
pub(super) struct Carry {
    plan: Arc<Plan>,
    causes: Arc<CauseTable>,
    /// The operator named the bills: that is a retry of theirs.
    named: bool,
    /// One bill of each cause of the environment that is due for its probe.
    probes: BTreeSet<Fid>,
    /// When a bill that a cause of the environment had kept back went through as it was.
    cured: BTreeMap<Cause, Ts>,
    /// The clock started the run, and a cause of the environment that stops the plan stands: what was not reached because of
    /// it would meet the same refusal, and follows the probe.
    barred: bool,
    /// The clock started the run: nobody says that the cause is gone.
    by_clock: bool,
    /// Whether a run called as this one would.
    same: HashMap<RunId, bool>,
    /// Bills that the run did not find by their id either: it tells that.
    gone: BTreeSet<Fid>,
    /// The reads of the run show bills, so that one they do not show is not there.
    pub shows: bool,
    /// What tells whether a bill of the ledger is still one that the plan's filter finds.
    scope: Scope,
    /// Periods of the environment that were refused as closed.
    periods: Periods,
}

/// Bills of a query or of the ledger, once it is known which of them are to be tried.
pub(super) struct Changed {
    /// What the ledger tells, for the next ones.
    pub carry: Carry,
    /// The bills that come into the set.
    pub taken: Vec<Found>,
    /// Those that stay as they are, because nothing about them changed.
    pub left: Vec<Found>,
    /// How many of the taken ones the query did not find.
    pub carried: u64,
}

/// The unresolved bills of one cause of the environment.
struct Group {
    /// The last of them was tried then.
    tried: Ts,
    /// The one whose last try is the oldest.
    oldest: (Ts, Fid),
}

impl Carry {
    /// Reads what the plan's own unresolved bills tell.
    async fn of(
        store: &dyn Store,
        mut carry: Self,
        rows: &[BillRow],
        today: impl Fn(Ts) -> bool,
    ) -> Result<Self, StoreError> {
        let mut groups: BTreeMap<Cause, Group> = BTreeMap::new();
        let mut stops: Vec<(Cause, Ts)> = Vec::new();
        for row in rows {
            let Some(Outcome::Failed(failure)) = row.state.outcome() else { continue };
            if !carry.causes.of_environment(&failure.cause) || !carry.calls_the_same(store, row.run).await? {
                continue;
            }
            let tried = Self::tried(store, row).await?;
            let this = (tried, row.fid().clone());
            let group = groups.entry(failure.cause.clone()).or_insert(Group { tried, oldest: this.clone() });
            group.tried = group.tried.max(tried);
            group.oldest = this.min(group.oldest.clone());
            // What a run did not reach was never called. It is taken up, unless the daily probe is about to tell.
            if carry.by_clock && carry.causes.repeat(&failure.cause) == Repeat::StopPlan {
                stops.push((failure.cause.clone(), tried));
            }
        }
        for (cause, group) in groups {
            if carry.plan.policy.retry_unchanged == RetryUnchanged::Probe {
                carry.cured.extend(store.cured(&carry.plan.id, &cause).await?.map(|at| (cause.clone(), at)));
                if !today(group.tried) {
                    carry.probes.insert(group.oldest.1);
                }
            }
        }
        carry.barred = stops.iter().any(|(cause, at)| !carry.is_cured(cause, *at));
        Ok(carry)
    }

    fn is_cured(&self, cause: &Cause, tried: Ts) -> bool {
        self.cured.get(cause).is_some_and(|cured| *cured > tried)
    }

    /// When a bill was tried last, as far as its row tells: a run that only looked at it made no call.
    async fn tried(store: &dyn Store, row: &BillRow) -> Result<Ts, StoreError> {
        let looked = store.run(row.run).await?.is_some_and(|run| run.head.kind == RunKind::Verify);
        Ok(if looked { Ts(0) } else { row.at })
    }

    /// Whether an earlier run made the call that this one would make: the same plan in the same revision, or another plan
    /// with the same target, and no rule waved through.
    async fn calls_the_same(&mut self, store: &dyn Store, run: RunId) -> Result<bool, StoreError> {
        if let Some(same) = self.same.get(&run) {
            return Ok(*same);
        }
        let same = match store.run(run).await? {
            Some(row) if !row.flags.is_empty() => false,
            Some(row) if row.head.plan == self.plan.id => row.head.rev == self.plan.rev,
            Some(row) => store
                .plan_of(&row.head.rev)
                .await?
                .is_some_and(|plan| plan.target == self.plan.target && plan.policy.submit == self.plan.policy.submit),
            None => false,
        };
        self.same.insert(run, same);
        Ok(same)
    }

    /// Whether a bill is left as it is.
    async fn leaves(&mut self, store: &dyn Store, key: &WorkKey, rev: &Rev) -> Result<bool, StoreError> {
        let fid = &key.record.fid;
        if self.gone.contains(fid) {
            return Ok(!self.shows && Self::is_told_missing(store, key).await?);
        }
        if let Some(closed) = store.resolved_entry(key).await? {
            return Ok(closed.row.rev == *rev);
        }
        if self.named || self.plan.policy.retry_unchanged == RetryUnchanged::Always {
            return Ok(false);
        }
        let Some(entry) = store.ledger_entry(key).await? else { return Ok(false) };
        if waits_for_a_person(&entry) {
            return Ok(store.bill(key).await?.is_some_and(|row| row.rev == *rev && says_that_it_waits(&row)));
        }
        let tried = Self::tried(store, &entry.row).await?;
        // Of what is made, the row tells how the made bill was read last; the record is as it was found.
        let makes = self.plan.target.make.is_some();
        let was = if makes { entry.row.found.as_ref().unwrap_or(&entry.row.rev) } else { &entry.row.rev };
        Ok(*was == *rev && self.calls_the_same(store, entry.row.run).await? && self.stands(fid, &entry.row, tried))
    }

    /// Why a bill that is taken will be refused all the same, where that is certain. What lies in the environment may be gone by
    /// now, so that of it only the period counts, which nobody has posted into since.
    async fn refuses(&mut self, store: &dyn Store, key: &WorkKey, found: &Found) -> Result<Option<Will>, StoreError> {
        if found.probe.is_some() {
            return Ok(None);
        }
        if let Some(upto) = self.periods.closes(&self.plan.source.columns, &found.columns) {
            return Ok(Some(Will::Closed { upto: upto.to_string() }));
        }
        let Some(entry) = store.ledger_entry(key).await?.filter(|entry| entry.row.rev == found.rev) else {
            return Ok(None);
        };
        let Some(Outcome::Failed(failure)) = entry.row.state.outcome() else { return Ok(None) };
        let stays = self.causes.refuses_again(&failure.cause);
        let cause = failure.cause.clone();
        Ok((stays && self.calls_the_same(store, entry.row.run).await?).then_some(Will::Again(cause)))
    }

    /// Whether it is known already that the bill was not found, and that is all.
    async fn is_told_missing(store: &dyn Store, key: &WorkKey) -> Result<bool, StoreError> {
        let entry = store.ledger_entry(key).await?;
        Ok(entry.is_some_and(|entry| entry.row.state.outcome() == Some(&Outcome::Skipped(Skip::Missing))))
    }

    /// The cause that a bill is tried for, where it is taken as the probe of it.
    async fn probed(&self, store: &dyn Store, key: &WorkKey, rev: &Rev) -> Result<Option<Cause>, StoreError> {
        if !self.probes.contains(&key.record.fid) {
            return Ok(None);
        }
        let entry = store.ledger_entry(key).await?.filter(|entry| entry.row.rev == *rev);
        Ok(entry.and_then(|entry| match entry.row.state.outcome() {
            Some(Outcome::Failed(failure)) => Some(failure.cause.clone()),
            _ => None,
        }))
    }

    /// Whether what was told last of a bill is still all there is to say, where neither the bill nor the call changed.
    fn stands(&self, fid: &Fid, row: &BillRow, tried: Ts) -> bool {
        match row.state.outcome() {
            // Calls that left and did nothing: the way to the server may be whole again.
            Some(Outcome::Failed(failure)) if failure.cause.as_str() == known::NOT_APPLIED => false,
            Some(Outcome::Failed(failure)) => match self.causes.repeat(&failure.cause) {
                Repeat::Delayed | Repeat::VerifyFirst | Repeat::Singly => false,
                Repeat::AfterFix | Repeat::StopPlan | Repeat::Done => {
                    !self.probes.contains(fid) && !self.is_cured(&failure.cause, tried)
                }
            },
            Some(Outcome::Skipped(why)) => match why {
                Skip::Draft | Skip::Created | Skip::Reaudit | Skip::OtherStatus(_) | Skip::Differs | Skip::Partly => {
                    true
                }
                Skip::NotReached => self.barred,
                Skip::Changed
                | Skip::Missing
                | Skip::Gone
                | Skip::Held(_)
                | Skip::Outside
                | Skip::Excluded
                | Skip::Quarantined
                | Skip::UnknownElsewhere => false,
            },
            Some(Outcome::Unknown(_) | Outcome::Done { .. } | Outcome::Already { .. }) | None => false,
        }
    }
}

/// Whether nothing but a person's word lets the bill be called again.
fn waits_for_a_person(entry: &LedgerEntry) -> bool {
    entry.deaths >= QUARANTINE
        || matches!(entry.row.state.outcome(), Some(Outcome::Unknown(unknown)) if unknown.why.needs_operator())
}

/// Whether a run has told of a bill that it waits for a person.
fn says_that_it_waits(row: &BillRow) -> bool {
    matches!(row.state.outcome(), Some(Outcome::Skipped(Skip::Quarantined | Skip::UnknownElsewhere)))
}

impl Runner {
    /// Before the ledger was read.
    fn no_carry(&self, named: bool, scope: Scope) -> Carry {
        let head = &self.run.head;
        Carry {
            plan: Arc::clone(&self.run.plan),
            causes: Arc::clone(&self.run.shared.causes),
            named,
            probes: BTreeSet::new(),
            cured: BTreeMap::new(),
            barred: false,
            by_clock: head.by.is_schedule(),
            same: HashMap::new(),
            gone: BTreeSet::new(),
            shows: false,
            scope,
            periods: self.run.shared.watched.periods(&head.env, &head.form),
        }
    }

    /// Says of entries of the ledger that are tried again which of them will be refused, where that is certain.
    pub(super) async fn foretell(&mut self, taken: &mut [Found]) -> Result<(), Failed> {
        let store = Arc::clone(&self.run.shared.store);
        let scope = Scope { from: Arc::clone(&self.run.env), contexts: Vec::new() };
        let mut carry = self.no_carry(true, scope);
        for found in taken {
            let key = self.run.key(&found.fid).under(&self.run.op.id);
            found.will = carry.refuses(store.as_ref(), &key, found).await?.map(Box::new);
        }
        Ok(())
    }

    /// That the form did not keep the number of a bill, where an entry of the ledger says so.
    async fn not_honoured_before(&self, rows: &[BillRow]) -> Result<Option<Reason>, StoreError> {
        let told = rows.iter().find_map(|row| match row.state.outcome() {
            Some(Outcome::Unknown(unknown)) if unknown.why == UnknownWhy::KeyNotHonoured => Some((row, unknown)),
            _ => None,
        });
        let told = told.filter(|_| self.run.op.key.makes());
        let Some((row, unknown)) = told else { return Ok(None) };
        let sent = key_sent(self.run.shared.store.as_ref(), &row.key).await?;
        Ok(Some(Reason::KeyNotHonoured { sent: sent.unwrap_or_else(|| row.no.clone()), got: unknown.detail.clone() }))
    }

    /// What the ledger tells, and the bills of it that the run reads beside its query; `ranged`: none, as the query is one of a
    /// range.
    pub(super) async fn carry(
        &mut self,
        params: &StartParams,
        scope: Scope,
        ranged: bool,
    ) -> Result<(Carry, BTreeMap<Fid, Found>), Failed> {
        let carry = self.no_carry(!params.numbers.is_empty(), scope);
        let (plan, env, form) = (self.run.head.plan.clone(), self.run.head.env.clone(), self.run.head.form.clone());
        let (now, run, numbers) = (
            self.run.shared.clock.now(),
            self.run.head.id,
            params.numbers.iter().map(|no| known_as(no)).collect::<HashSet<_>>(),
        );
        let op = self.run.op.id.clone();
        let zone: Option<Zone> = self.run.env.env.server_zone.parse().ok();
        let day = move |ts: Ts| {
            let utc = chrono::DateTime::from_timestamp_millis(ts.0).unwrap_or_default();
            zone.as_ref().map_or(utc.date_naive(), |zone| utc.with_timezone(zone).date_naive())
        };
        let store = Arc::clone(&self.run.shared.store);
        let (filter, mut rows) = (Filter::default(), Vec::new());
        let mut matching = Matching::new(store.as_ref(), &filter, now);
        // What an earlier revision of the plan wanted done is another thing to do.
        let ours = |row: &BillRow| {
            row.plan == plan && row.record().env == env && row.record().form == form && row.key.op == op
        };
        while let Some(page) = matching.next().await? {
            rows.extend(page.into_iter().filter(ours));
            rows.truncate(MOST);
        }
        // The form gave one of our bills another number, and nobody has closed that yet: it would do so again.
        if let Some(why) = self.not_honoured_before(&rows).await? {
            return Err(Failed::Erp(why));
        }
        let mut carry = Carry::of(store.as_ref(), carry, &rows, |tried| day(tried) == day(now)).await?;
        let all = carry.plan.policy.carry_over;
        let mut wanted = Vec::new();
        for row in rows.into_iter().filter(|_| !ranged) {
            let asked = numbers.is_empty() || numbers.contains(&known_as(&row.no));
            if asked && (all || carry.probes.contains(row.fid())) {
                let past = BillHistory::of(store.as_ref(), &row.key, run).await?;
                // These wait for a person; a run of the plan does not touch them.
                if past.deaths < QUARANTINE && !past.needs_operator() {
                    wanted.push(row);
                }
            }
        }
        let (found, gone) = self.read_rows(wanted).await?;
        carry.shows = found.len() > gone.len();
        carry.gone = gone;
        Ok((carry, found))
    }

    /// Sorts out what is to be tried from what has not changed, and stays as it is. `from_ledger`: those the query did not find.
    pub(super) async fn changed(
        &mut self,
        mut carry: Carry,
        rows: BTreeMap<Fid, Found>,
        from_ledger: &BTreeSet<Fid>,
    ) -> Result<Changed, Failed> {
        let store = Arc::clone(&self.run.shared.store);
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for (fid, found) in rows {
            let key = self.run.key(&fid).under(&self.run.op.id);
            if carry.leaves(store.as_ref(), &key, &found.rev).await? {
                left.push(found);
            } else {
                let probe = carry.probed(store.as_ref(), &key, &found.rev).await?;
                let absent = carry.shows && carry.gone.contains(&found.fid) && from_ledger.contains(&found.fid);
                let found = Found { probe, absent, ..found };
                let will = carry.refuses(store.as_ref(), &key, &found).await?;
                taken.push(Found { will: will.map(Box::new), ..found });
            }
        }
        let (taken, outside) = self.outside(&carry.scope, taken, from_ledger).await?;
        left.extend(outside);
        let carried = taken.iter().filter(|found| from_ledger.contains(&found.fid)).count() as u64;
        Ok(Changed { carry, taken, left, carried })
    }
}
