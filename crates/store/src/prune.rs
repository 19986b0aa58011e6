//! Pruning: a new journal without the bills a retention rule no longer keeps, in the old one's place. Every fact that is kept
//! keeps its place; where one is forgotten, [`Event::Forgotten`] stands in its place. What the prune adds comes behind,
//! [`Event::Pruned`] first, so that whoever remembers a place, or the head of the chain before, can still be answered.
//!
//! Invariants: the directory is exchanged in one step, after the new one was compared with the old one: same ledger, same
//! open runs, same marks, same sum of every run; whatever fails before that step has changed nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::account::PRUNE;
use super::actions::{ActionLog, Deed, FileLog, Phase};
use super::backup::{Damage, MANIFEST};
use super::index::forget::Forgetting;
use super::journal::sync_dir;
use super::journal::tail::{self, Pending, ROTATE, Tail};
use super::local::disk::{Disk, RealDisk};
use super::local::place::{Place, stamp};
use super::local::{LocalStore, Options, Progress, Raise, SledKv};
use super::{Store, StoreError, file};
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::event::{self, ActionEntry, Event, Fact};
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{EnvId, PlanId, RunId, Seq};
use skydeck_core::domain::query::{PageRequest, Retention, Scope};
use skydeck_core::domain::run::{RunRow, Tally};
use skydeck_core::domain::step::Step;
use skydeck_core::domain::time::{Clock, Ts};
use skydeck_core::domain::who::Who;

/// Facts read, and facts written together.
const STEP: usize = 1000;
/// Facts of one append.
const GROUP: usize = 100;
/// Rows compared at once.
const PAGE: u32 = 500;
/// Files that are not taken over: made anew, or of no use to another directory.
const OWN: [&str; 4] = ["owner.lock", "owner.sock", "ballast", "version"];

/// What was forgotten, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Facts before and after.
    pub facts: (u64, u64),
    /// Bytes of the directory before and after; after is 0 where nothing was done.
    pub bytes: (u64, u64),
    /// Bills of runs that are kept no longer, by column.
    pub gone: Tally,
    /// Whether bills of another operation than Audit are among them.
    pub others: bool,
    /// Bills whose body is kept no longer, while they are.
    pub bodies: u64,
}

/// What pruning is told.
pub struct Order<'a> {
    /// Data directory; nobody may hold it.
    pub data: &'a Path,
    /// The rule.
    pub rule: Retention,
    /// Who ordered it.
    pub by: &'a Who,
    /// Whether to do it, or only to count.
    pub act: bool,
}

/// Counts what the rule forgets, and forgets it.
pub async fn prune(
    order: &Order<'_>,
    clock: &Arc<dyn Clock>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Pruned, StoreError> {
    let place = Place::new(order.data);
    let by = order.by.to_string();
    // Forgetting is no occasion to raise a directory: that has a verb of its own, which makes a backup first.
    let options = Options::raising(Raise::Never);
    let old = LocalStore::open_with(order.data, Arc::clone(clock), &by, &|_: Progress| {}, options)?;
    let now = clock.now();
    let pruning = Pruning { order, old: &old, now, progress };
    if !order.act {
        let counted = pruning.run(&mut |_| Ok(()))?;
        old.close()?;
        return Ok(counted);
    }
    let new_dir = beside(order.data, "pruning", now);
    let made = pruning.build(&new_dir, clock).await;
    let last = old.last();
    let closed = old.close();
    // Lets go of the index too: its files go with the old directory.
    drop(old);
    let result = made.and_then(|pruned| closed.map(|()| pruned)).and_then(|pruned| {
        let _lock = place.take(now, &by)?;
        // Nobody used the directory between our letting go of it and this lock.
        if place.known_durable() != last.0 {
            return Err(StoreError::Directory(
                "somebody used the data directory meanwhile; nothing was changed".into(),
            ));
        }
        exchange(order.data, &new_dir)?;
        Ok((pruned, keep_backups(&new_dir, order.data)))
    });
    // The new directory where something failed, the old one where all went well; not one that still holds a backup.
    if !matches!(result, Ok((_, Err(_)))) {
        let _ = std::fs::remove_dir_all(&new_dir);
    }
    let (mut pruned, kept) = result?;
    kept?;
    pruned.bytes.1 = file::size_of(order.data);
    Ok(pruned)
}

fn beside(data: &Path, what: &str, now: Ts) -> PathBuf {
    let name = data.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    data.with_file_name(format!("{name}.{what}-{}", stamp(now)))
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |e| StoreError::Directory(format!("{}: {e}; nothing was changed", path.display()))
}

/// Swaps the two directories' names in one step of the file system.
fn exchange(data: &Path, new_dir: &Path) -> Result<(), StoreError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, data, CWD, new_dir, RenameFlags::EXCHANGE).map_err(|e| io(data)(e.into()))?;
    data.parent().map_or(Ok(()), sync_dir)
}

/// Takes backups that lie in the old directory over into the new one.
fn keep_backups(old: &Path, new: &Path) -> Result<(), StoreError> {
    let failed = |e: std::io::Error| {
        StoreError::Directory(format!("it was pruned, but a backup stayed behind in {}: {e}", old.display()))
    };
    for entry in std::fs::read_dir(old).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().join(MANIFEST).exists() {
            std::fs::rename(entry.path(), new.join(entry.file_name())).map_err(failed)?;
        }
    }
    Ok(())
}

/// Copies the files beside journal and index: the action log, and what others keep there.
fn copy_files(data: &Path, new_dir: &Path) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(data).map_err(io(data))? {
        let entry = entry.map_err(io(data))?;
        let name = entry.file_name();
        let is_file = entry.file_type().map_err(io(data))?.is_file();
        if is_file && !OWN.iter().any(|own| *own == name) {
            let to = new_dir.join(&name);
            let copied = file::open(&entry.path()).and_then(|mut from| {
                let mut copy = file::create(&to)?;
                std::io::copy(&mut from, &mut copy)?;
                copy.sync_all()
            });
            copied.map_err(io(&to))?;
        }
    }
    Ok(())
}

/// A journal that is written anew without what is forgotten.
struct Pruning<'a> {
    order: &'a Order<'a>,
    /// The store that is read.
    old: &'a LocalStore,
    /// The moment the rule is asked for.
    now: Ts,
    /// Told of the facts read.
    progress: &'a (dyn Fn(u64) + Sync),
}

impl Pruning<'_> {
    /// Makes the directory without what is forgotten, and compares it with the old one.
    async fn build(&self, new_dir: &Path, clock: &Arc<dyn Clock>) -> Result<Pruned, StoreError> {
        let (order, old) = (self.order, self.old);
        let place = Place::new(new_dir);
        place.prepare()?;
        place.write_version(&RealDisk)?;
        place.make(&place.journal())?;
        let mut pruned = {
            let mut writer = Rewriter::open(&place, self.now)?;
            let pruned = self.run(&mut |fact| writer.put(fact))?;
            writer.flush()?;
            pruned
        };
        copy_files(order.data, new_dir)?;
        let new = LocalStore::open(new_dir, Arc::clone(clock), &order.by.to_string(), &|_: Progress| {})?;
        // What was learned from facts that are forgotten now cannot be learned again.
        if let Some(kept) = old.index().kept()? {
            new.index().keep(&kept)?;
        }
        let result = compare(old, &new).and_then(|()| told(order, &pruned));
        if let Err(error) = &result {
            tracing::error!(%error, "nothing was pruned");
        }
        let deed = result?;
        let log = FileLog::open(new_dir, Arc::clone(clock), &new).await?;
        let faults = log.faults();
        if !faults.is_empty() {
            let damage = Box::new(Damage { log: faults, ..Damage::default() });
            return Err(StoreError::Unverified { dir: order.data.display().to_string(), damage });
        }
        if let Some(adopted) = log.adopted.clone() {
            new.append(vec![Event::LogWitnessed(Box::new(adopted))].into()).await?;
            pruned.facts.1 += 1;
        }
        let line = log.write(deed.clone()).await?;
        let entry = ActionEntry {
            order: None,
            by: order.by.clone(),
            verb: deed.action,
            run: None,
            plan: None,
            bills: deed.n,
            reason: deed.reason,
            result: deed.result,
            line: Some(line),
            why: None,
        };
        new.append(vec![Event::ActionTaken(Box::new(entry))].into()).await?;
        pruned.facts.1 += 1;
        if let Some(witness) = log.close(&new).await? {
            new.append(vec![Event::LogWitnessed(Box::new(witness))].into()).await?;
            pruned.facts.1 += 1;
        }
        new.close()?;
        sync_dir(new_dir)?;
        Ok(pruned)
    }

    /// Reads the whole journal and gives on what is kept, then what is added.
    fn run(&self, keep: &mut dyn FnMut(Fact) -> Result<(), StoreError>) -> Result<Pruned, StoreError> {
        let (order, old, now) = (self.order, self.old, self.now);
        let index = old.index();
        let forgetting = Forgetting { index, rule: &order.rule, now };
        let mut pruned = Pruned { bytes: (file::size_of(old.dir()), 0), ..Pruned::default() };
        let mut sums: HashMap<RunId, Tally> = HashMap::new();
        let mut at = Seq(0);
        loop {
            let facts = old.facts(at, STEP)?;
            let Some(last) = facts.last() else { break };
            at = last.seq;
            for fact in facts {
                let (seq, stamp) = (fact.seq, fact.at);
                let was_there = fact.event != Event::Forgotten;
                let kept = without(fact, &forgetting, &mut sums)?;
                let kept = kept.map(|fact| bare(fact, &forgetting, &mut pruned.bodies)).transpose()?;
                pruned.facts.0 += u64::from(was_there);
                pruned.facts.1 += u64::from(was_there && kept.is_some());
                keep(kept.unwrap_or(Fact { seq, at: stamp, event: Event::Forgotten }))?;
            }
            if at.0.is_multiple_of(50 * STEP as u64) {
                (self.progress)(at.0);
            }
        }
        let mut sums: Vec<(RunId, Tally)> = sums.into_iter().collect();
        sums.sort_by_key(|(run, _)| *run);
        let added = std::iter::once(Event::Pruned(Box::new(mark(order, old)?)));
        for event in added.chain(sums.iter().map(|(run, gone)| Event::RunPruned { run: *run, gone: *gone })) {
            pruned.facts.1 += 1;
            keep(Fact { seq: Seq(0), at: now, event })?;
        }
        for (run, gone) in &sums {
            pruned.gone.add(gone);
            pruned.others |= index.run(*run)?.is_some_and(|row| !row.head.op.is_audit());
        }
        Ok(pruned)
    }
}

/// The action's line.
fn told(order: &Order<'_>, pruned: &Pruned) -> Result<Deed, StoreError> {
    let rule = rule_text(&order.rule)?;
    Ok(Deed {
        phase: Phase::After,
        order: None,
        by: order.by.clone(),
        action: PRUNE.to_owned(),
        env: None,
        plan: None,
        plan_rev: None,
        run: None,
        set_hash: None,
        n: pruned.gone.found,
        ids: Vec::new(),
        reason: Some(rule),
        code: None,
        args: None,
        result: "accepted".to_owned(),
    })
}

/// The new journal's writing end.
struct Rewriter {
    tail: Tail,
    held: Vec<Fact>,
    next: Seq,
}

impl Rewriter {
    fn open(place: &Place, now: Ts) -> Result<Self, StoreError> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let (_, tail, _) = tail::open(&place.journal(), disk, ROTATE, Seq(0), &stamp(now))?;
        Ok(Self { next: tail.next(), tail, held: Vec::new() })
    }

    /// Takes one fact. One that was there before keeps its place; one that is added gets the next.
    fn put(&mut self, fact: Fact) -> Result<(), StoreError> {
        if fact.seq != Seq(0) && fact.seq != self.next {
            return Err(StoreError::Contradiction(format!("fact {} would stand at {}", fact.seq, self.next)));
        }
        self.held.push(Fact { seq: self.next, ..fact });
        self.next = Seq(self.next.0 + 1);
        if self.held.len() >= STEP { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let mut pending = Pending::default();
        // The facts of one append share their time.
        for same in self.held.chunk_by(|a, b| a.at == b.at) {
            for group in same.chunks(GROUP) {
                self.tail.add(group, &mut pending)?;
            }
        }
        self.tail.write(&pending).map_err(|e| StoreError::Write(e.to_string()))?;
        self.held.clear();
        if self.tail.is_full() {
            self.tail.rotate()?;
        }
        Ok(())
    }
}

/// What the new journal says of the old one.
fn mark(order: &Order<'_>, old: &LocalStore) -> Result<event::Pruned, StoreError> {
    let (old_last, old_head) = old.head();
    Ok(event::Pruned { old_head, old_last, rule: rule_text(&order.rule)?, by: order.by.clone() })
}

fn rule_text(rule: &Retention) -> Result<String, StoreError> {
    serde_json::to_string(rule).map_err(|e| StoreError::Write(e.to_string()))
}

/// A fact without what is forgotten; `None` when nothing is left of it.
fn without(
    mut fact: Fact,
    forgetting: &Forgetting<'_, SledKv>,
    sums: &mut HashMap<RunId, Tally>,
) -> Result<Option<Fact>, StoreError> {
    match &mut fact.event {
        Event::BillsFound { run, bills } => {
            let mut kept = Vec::with_capacity(bills.len());
            for bill in std::mem::take(bills) {
                match forgetting.bill(*run, &bill.fid)? {
                    Some(slot) => sums.entry(*run).or_default().count(slot),
                    None => kept.push(bill),
                }
            }
            *bills = kept;
            Ok((!bills.is_empty()).then_some(fact))
        }
        Event::StepTried { run, fid, .. }
        | Event::StepAnswered { run, fid, .. }
        | Event::BillRead { run, fid, .. }
        | Event::BillDeferred { run, fid, .. }
        | Event::BillSettled { run, fid, .. } => Ok(forgetting.bill(*run, fid)?.is_none().then_some(fact)),
        Event::LedgerResolved { key, .. } | Event::LedgerReopened { key, .. } => {
            Ok((!forgetting.resolution(key, fact.seq)?).then_some(fact))
        }
        Event::HandedIn(record) => Ok((!forgetting.handed_in(record, (fact.seq, fact.at))?).then_some(fact)),
        _ => Ok(Some(fact)),
    }
}

/// A fact that is kept, without the bodies of bills that are kept no longer. What an answer said stays.
fn bare(mut fact: Fact, forgetting: &Forgetting<'_, SledKv>, bodies: &mut u64) -> Result<Fact, StoreError> {
    match &mut fact.event {
        Event::BillsFound { run, bills } => {
            for bill in bills {
                if let Some(made) = bill.body.as_mut().filter(|made| made.body.is_some())
                    && forgetting.body(*run, &bill.fid)?
                {
                    made.body = None;
                    *bodies += 1;
                }
            }
        }
        Event::StepAnswered {
            run, fid, step: Step::Save | Step::Push | Step::Send, evidence: Some(evidence), ..
        } if forgetting.body(*run, fid)? => {
            evidence.request.forget();
        }
        _ => {}
    }
    Ok(fact)
}

/// Refuses a copy that would forget or change anything an operator still has to do with.
fn compare(old: &LocalStore, new: &LocalStore) -> Result<(), StoreError> {
    let differs = |what: &str| StoreError::Contradiction(format!("{what} would not be the same; nothing was pruned"));
    if old.index().ledger_groups(None)? != new.index().ledger_groups(None)? {
        return Err(differs("the ledger's groups"));
    }
    if old.index().open_runs()? != new.index().open_runs()? {
        return Err(differs("the open runs"));
    }
    let ledger = |store: &LocalStore, page: &PageRequest| {
        store.index().bills(Scope::Ledger.asked(&Filter::default(), page, Ts(0)))
    };
    let (mut ours, mut theirs) = (PageRequest::first(PAGE), PageRequest::first(PAGE));
    loop {
        let (a, b) = (ledger(old, &ours)?, ledger(new, &theirs)?);
        if !a.rows.iter().map(|(_, row)| row).eq(b.rows.iter().map(|(_, row)| row)) {
            return Err(differs("the ledger"));
        }
        let (Some((cursor_a, _)), Some((cursor_b, _))) = (a.rows.last(), b.rows.last()) else { break };
        if !a.more {
            break;
        }
        (ours.cursor, theirs.cursor) = (Some(cursor_a.clone()), Some(cursor_b.clone()));
    }
    let same = |a: &RunRow, b: &RunRow| *a == RunRow { pruned: a.pruned, ..b.clone() };
    let mut marks: Vec<(PlanId, EnvId)> = Vec::new();
    let (mut ours, mut theirs) = (PageRequest::first(PAGE), PageRequest::first(PAGE));
    loop {
        let (a, b) = (old.index().runs(None, &ours)?, new.index().runs(None, &theirs)?);
        if a.rows.len() != b.rows.len() || !a.rows.iter().zip(&b.rows).all(|((_, a), (_, b))| same(a, b)) {
            return Err(differs("the sum of a run"));
        }
        for (_, row) in &a.rows {
            let pair = (row.head.plan.clone(), row.head.env.clone());
            if !marks.contains(&pair) {
                marks.push(pair);
            }
        }
        let (Some((cursor_a, _)), Some((cursor_b, _))) = (a.rows.last(), b.rows.last()) else { break };
        if !a.more {
            break;
        }
        (ours.cursor, theirs.cursor) = (Some(cursor_a.clone()), Some(cursor_b.clone()));
    }
    for (plan, env) in marks {
        if old.index().mark(&plan, &env)? != new.index().mark(&plan, &env)? {
            return Err(differs("a mark"));
        }
    }
    Ok(())
}

/// Columns of what was forgotten, for people.
pub fn columns(gone: &Tally) -> impl Iterator<Item = (Slot, u64)> + '_ {
    Slot::ALL.into_iter().map(|slot| (slot, gone.get(slot))).filter(|(_, n)| *n > 0)
}
