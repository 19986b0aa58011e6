//! From a data directory into a database, and back: every fact with its place and its moment, then both are compared.
//!
//! Invariant: a copy goes only into a store without facts; it counts as made when everything that both answer is the same.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use skydeck_core::domain::event::Fact;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{EnvId, PlanId, Seq};
use skydeck_core::domain::query::{PageRequest, Scope};
use skydeck_core::domain::time::{Clock, Ts};
use skydeck_store::local::disk::{Disk, Op};
use skydeck_store::local::{LocalStore, Options};
use skydeck_store::{Reads, Store as _, StoreError};

use crate::PgStore;

/// Facts that are read at once.
const PIECE: usize = 1_000;
/// Facts of one append into a directory, and into the database.
const TOGETHER: usize = 64;
const AT_ONCE: usize = 500;
/// Rows that are compared at once.
const PAGE: u32 = 500;
/// Pages of bills that are compared.
const PAGES: usize = 20;

/// What was copied and compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Facts.
    pub facts: u64,
    /// Runs, whose sums are the same.
    pub runs: u64,
    /// Entries of the ledger.
    pub unresolved: u64,
    /// Rows of bills that were compared.
    pub rows: u64,
}

/// A clock that says the moments of facts that have them already.
struct Turned(AtomicI64);

impl Clock for Turned {
    fn now(&self) -> Ts {
        Ts(self.0.load(Ordering::SeqCst))
    }

    fn mono(&self) -> Duration {
        Duration::ZERO
    }
}

/// A disk that makes nothing durable by the append: what is written is flushed once, at the end.
struct Unflushed;

impl Disk for Unflushed {
    fn sync(&self, _: &std::fs::File) -> std::io::Result<()> {
        Ok(())
    }

    fn before(&self, _: Op) -> std::io::Result<()> {
        Ok(())
    }
}

fn not_empty(what: &str, last: Seq) -> StoreError {
    StoreError::Database {
        en: format!("{what} holds {last} facts already: copy into a store without facts"),
        zh: format!("{what}中已有 {last} 条记录：请复制到没有记录的存储"),
    }
}

fn differs(what: &str) -> StoreError {
    StoreError::Database {
        en: format!(
            "the copy is not the same: {what} differs; leave it aside, and copy again into a store without facts"
        ),
        zh: format!("复制结果不一致：{what} 不同；请弃用该副本，重新复制到没有记录的存储"),
    }
}

/// Copies every fact of another store into the database, then compares. `tick`: facts so far.
pub async fn import(from: &dyn Reads, to: &PgStore, tick: &(dyn Fn(u64) + Sync)) -> Result<Copied, StoreError> {
    let there = to.last_seq().await?;
    if there > Seq(0) {
        return Err(not_empty("the store's database", there));
    }
    let mut at = Seq(0);
    loop {
        let facts = from.facts_after(at, PIECE).await?;
        let Some(last) = facts.last() else { break };
        at = last.seq;
        for piece in facts.chunks(AT_ONCE) {
            let first = piece.first().map(|fact| fact.seq);
            let stored = to.copy(piece.to_vec()).await?;
            if stored.facts.first().map(|fact| fact.seq) != first {
                return Err(differs("the place of a fact"));
            }
        }
        tick(at.0);
    }
    compare(from, to.reads()).await
}

/// Copies every fact of the database into a new data directory, then compares. `tick`: facts so far.
pub async fn export(
    from: &dyn Reads,
    dir: &Path,
    who: &str,
    tick: &(dyn Fn(u64) + Sync),
) -> Result<Copied, StoreError> {
    let clock = Arc::new(Turned(AtomicI64::new(0)));
    let options = Options { disk: Arc::new(Unflushed), ..Options::default() };
    let to = LocalStore::open_with(dir, Arc::clone(&clock) as Arc<dyn Clock>, who, &|_| {}, options)?;
    if to.last() > Seq(0) {
        return Err(not_empty(&dir.display().to_string(), to.last()));
    }
    let mut at = Seq(0);
    loop {
        let facts = from.facts_after(at, PIECE).await?;
        let Some(last) = facts.last() else { break };
        at = last.seq;
        let mut rest = facts.as_slice();
        while let Some(first) = rest.first() {
            let same = rest.iter().take(TOGETHER).take_while(|fact| fact.at == first.at).count();
            let (piece, after) = rest.split_at(same);
            clock.0.store(first.at.0, Ordering::SeqCst);
            to.append(piece.iter().map(|fact| fact.event.clone()).collect::<Vec<_>>().into()).await?;
            rest = after;
        }
        tick(at.0);
    }
    let copied = compare(from, to.reads()).await?;
    to.close()?;
    durable(dir).map_err(|e| StoreError::Write(format!("{}: {e}", dir.display())))?;
    Ok(copied)
}

/// Makes durable what was only written.
fn durable(dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            durable(&path)?;
        } else if path.is_file() {
            std::fs::File::open(&path)?.sync_all()?;
        }
    }
    std::fs::File::open(dir)?.sync_all()
}

fn same<T: PartialEq + Debug>(what: &str, a: &T, b: &T) -> Result<(), StoreError> {
    if a == b { Ok(()) } else { Err(differs(what)) }
}

/// Compares what two stores answer: all facts, all runs with their sums, the ledger, the marks, the hours, the newest bills.
pub async fn compare(a: &dyn Reads, b: &dyn Reads) -> Result<Copied, StoreError> {
    let mut copied = Copied { facts: facts(a, b).await?, ..Copied::default() };
    let (mut page, mut plans): (PageRequest, BTreeSet<(PlanId, EnvId)>) = (PageRequest::first(PAGE), BTreeSet::new());
    loop {
        let (one, two) = (a.runs(None, &page).await?, b.runs(None, &page).await?);
        let rows = |page: &skydeck_core::domain::query::Page<_>| -> Vec<skydeck_core::domain::run::RunRow> {
            page.rows.iter().map(|(_, row): &(_, skydeck_core::domain::run::RunRow)| row.clone()).collect()
        };
        same("the list of runs", &rows(&one), &rows(&two))?;
        copied.runs += one.rows.len() as u64;
        plans.extend(one.rows.iter().map(|(_, row)| (row.head.plan.clone(), row.head.env.clone())));
        match one.rows.last() {
            Some((cursor, _)) if one.more => page.cursor = Some(cursor.clone()),
            _ => break,
        }
    }
    copied.unresolved = a.unresolved(None).await?;
    same("the number of unresolved bills", &copied.unresolved, &b.unresolved(None).await?)?;
    same("the ledger", &a.ledger_groups(None).await?, &b.ledger_groups(None).await?)?;
    for (plan, env) in &plans {
        same("the ledger of a plan", &a.ledger_groups(Some(plan)).await?, &b.ledger_groups(Some(plan)).await?)?;
        same("the mark of a plan", &a.mark(plan, env).await?, &b.mark(plan, env).await?)?;
        same("the server of an environment", &a.server_of(env).await?, &b.server_of(env).await?)?;
        let all = Ts(0)..Ts(i64::MAX);
        same("the hours of a plan", &a.hourly(plan, all.clone()).await?, &b.hourly(plan, all).await?)?;
    }
    let page = PageRequest::first(PAGE);
    same("the action log", &a.actions(&page).await?.rows, &b.actions(&page).await?.rows)?;
    for scope in [Scope::Ledger, Scope::History] {
        copied.rows += bills(a, b, scope).await?;
    }
    Ok(copied)
}

async fn facts(a: &dyn Reads, b: &dyn Reads) -> Result<u64, StoreError> {
    let mut at = Seq(0);
    loop {
        let (one, two): (Vec<Fact>, Vec<Fact>) = (a.facts_after(at, PIECE).await?, b.facts_after(at, PIECE).await?);
        same(&format!("a fact after {at}"), &one, &two)?;
        match one.last() {
            Some(last) => at = last.seq,
            None => return Ok(at.0),
        }
    }
}

async fn bills(a: &dyn Reads, b: &dyn Reads, scope: Scope) -> Result<u64, StoreError> {
    let (mut page, mut rows, all) = (PageRequest::first(PAGE), 0, Filter::default());
    for _ in 0..PAGES {
        let (one, two) =
            (a.bills(scope.asked(&all, &page, Ts(0))).await?, b.bills(scope.asked(&all, &page, Ts(0))).await?);
        same("the list of bills", &one.rows, &two.rows)?;
        rows += one.rows.len() as u64;
        match one.rows.last() {
            Some((cursor, _)) if one.more => page.cursor = Some(cursor.clone()),
            _ => break,
        }
    }
    Ok(rows)
}
