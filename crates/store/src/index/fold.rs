//! One fact becomes changes of the index. Memory and disk, live and replay, all fold here.
//!
//! Invariant: a fact that contradicts what is stored is refused before the journal sees it.

use super::bills::{found, on_bill};
use super::changing::Moment;
use super::key::{self, Dict, Key};
use super::kv::Kv;
use super::ledger;
use super::names::dict;
use super::runs::{change_rec, enter, gone, open_run, open_run_of};
use super::write_batch::WriteBatch;
use super::{handed_in, hours, refuse};
use crate::StoreError;
use skydeck_core::domain::action_log::LogWitness;
use skydeck_core::domain::event::{Event, Fact, Later};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::run::RunState;
use skydeck_core::domain::story::Closing;
use skydeck_core::domain::transition::{Change, transition};

/// Folds one fact into the changes.
pub fn fold<K: Kv + ?Sized>(fact: &Fact, s: &mut WriteBatch<'_, K>) -> Result<(), StoreError> {
    let now = Moment::of(fact);
    let Moment { seq, at } = now;
    if let Some(run) = fact.event.run()
        && s.raw(&Key::new(key::META).raw(LATER).done())?.is_some()
        && s.raw(&later_key(run))?.is_some()
    {
        // A run with a fact that is not understood is shown as it stood before: what came after may rest on that fact.
        s.end_of_fact(fact.seq);
        return Ok(());
    }
    keep(s, fact)?;
    let change = transition(&fact.event);
    match &change {
        Change::Nothing => {}
        Change::Opened(head) => open_run(s, head, seq)?,
        Change::Found { run, bills } => found(s, *run, bills, now)?,
        Change::Run { run, to, approves } => enter(s, *run, to.clone(), *approves, at)?,
        Change::Bill { run, fid, change } => on_bill(s, (*run, fid), change, now)?,
        Change::Gone { run, gone: sum } => gone(s, *run, sum)?,
        Change::Resolved { key, by, reason } => {
            let closing = Closing { by: (*by).clone(), reason: (*reason).to_owned(), at };
            ledger::resolved(s, key, closing, seq)?;
        }
        Change::Reopened { key, since } => ledger::reopened(s, key, (*since, at), seq)?,
        Change::NotUnderstood(later) => not_understood(s, later, seq)?,
    }
    hours::count(s, &change, at)?;
    s.end_of_fact(fact.seq);
    Ok(())
}

/// Keeps what a fact carries besides: it moves neither column nor state.
fn keep<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, fact: &Fact) -> Result<(), StoreError> {
    let seq = fact.seq.0;
    match &fact.event {
        Event::RunCollected { run, collected } => {
            let (no, _) = open_run_of(s, *run)?;
            change_rec(s, no, |rec| rec.c = Some(collected.clone()))
        }
        Event::RunApproved { run, flags, boot, .. } if !flags.is_empty() || boot.is_some() => {
            let (no, _) = open_run_of(s, *run)?;
            change_rec(s, no, |rec| {
                rec.f.clone_from(flags);
                rec.b.extend(boot.iter().map(|boot| (seq, boot.clone())));
            })
        }
        Event::RunConsented { run, consent } => {
            let (no, live) = open_run_of(s, *run)?;
            if live.s != RunState::AwaitingApproval {
                return refuse(format!("run {run} does not wait for an approval"));
            }
            change_rec(s, no, |rec| rec.k = Some(consent.clone()))
        }
        Event::RunResumed { run, boot: Some(boot), .. } => {
            let (no, _) = open_run_of(s, *run)?;
            change_rec(s, no, |rec| rec.b.push((seq, boot.clone())))
        }
        Event::MarkMoved { plan, env, to } => {
            let plan = dict(s, Dict::Plan, plan.as_str())?;
            let env = dict(s, Dict::Env, env.as_str())?;
            s.put(Key::new(key::MARK).u16(plan).u16(env).done(), to)
        }
        Event::ServerBound(bound) => {
            let env = dict(s, Dict::Env, bound.env.as_str())?;
            s.put(Key::new(key::SERVER).u16(env).done(), bound)
        }
        Event::LogWitnessed(witness) => witnessed(s, witness, seq),
        Event::HandedIn(record) => handed_in::keep(s, record, seq),
        Event::ActionTaken(entry) => s.put(Key::new(key::ACTION).u64(seq).done(), &(fact.at, entry)),
        Event::RunOpened(_)
        | Event::BillsFound { .. }
        | Event::RunApproved { .. }
        | Event::StepTried { .. }
        | Event::StepAnswered { .. }
        | Event::BillRead { .. }
        | Event::BillDeferred { .. }
        | Event::BillSettled { .. }
        | Event::RunPaused { .. }
        | Event::RunResumed { .. }
        | Event::RunSettling { .. }
        | Event::RunInterrupted { .. }
        | Event::RunClosed { .. }
        | Event::RunPruned { .. }
        | Event::LedgerResolved { .. }
        | Event::LedgerReopened { .. }
        | Event::Pruned(_)
        | Event::Later(_)
        | Event::AlarmDenied { .. }
        | Event::Forgotten => Ok(()),
    }
}

/// Names in [`key::META`] of the newest witness of the action log's file, and of the newest by which a person accepted it.
pub const WITNESS: &[u8] = b"log";
/// See [`WITNESS`].
pub const ACCEPTED: &[u8] = b"log+";

fn witnessed<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, witness: &LogWitness, seq: u64) -> Result<(), StoreError> {
    let file = witness.at.file.as_deref();
    s.put(witness_key(WITNESS, file), &(seq, witness))?;
    if witness.accepted.is_some() {
        s.put(witness_key(ACCEPTED, file), &(seq, witness))?;
    }
    Ok(())
}

/// Where a witness of a file is kept; of several machines each has a file of its own.
pub fn witness_key(name: &[u8], file: Option<&str>) -> Vec<u8> {
    let key = Key::new(key::META).raw(name);
    match file {
        Some(file) => key.raw(b"/").raw(file.as_bytes()).done(),
        None => key.done(),
    }
}

/// Name in [`key::META`] of the first fact that is not understood.
pub const LATER: &[u8] = b"later";

fn later_key(run: RunId) -> Vec<u8> {
    Key::new(key::META).raw(LATER).run_id(run).done()
}

/// A fact of a newer program that may move anything: it stops what it belongs to.
fn not_understood<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, later: &Later, seq: u64) -> Result<(), StoreError> {
    let first = Key::new(key::META).raw(LATER).done();
    if s.raw(&first)?.is_none() {
        s.put(first, &(seq, &later.tag))?;
    }
    if let Some(run) = later.run {
        s.put_raw(later_key(run), Vec::new());
    }
    Ok(())
}
