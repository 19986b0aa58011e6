//! Random hostile histories against the real engine: late commits, submits, closes, un-audits, edits and deletes by others,
//! clock steps, crashes, other starts of the machine, lost and late answers, changes between pages, and a server that is
//! another one for a while. One plan or several work on the same bills. The world's own journal is the oracle: no bill
//! missed, none repeated blindly, no two calls on one record at a time, nothing told that is not so, sums that always close.
//!
//! One seed is one history and is printed on failure. `SKYDECK_HISTORIES=20000` runs more, `SKYDECK_SEED=7` runs one.
//! Equal seeds give equal journals: `cargo xtask journals` prints one hash over them, to be compared with that of the commit
//! before a change that must not alter what is done.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

mod engine_support;
mod histories;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine_support::rules::{OPS, is_done, is_ready};
use engine_support::world::matches;
use engine_support::*;
use fastrand::Rng;
use histories::harness::{self, Sums};
use histories::oracle::{self, Found, Real, Truth, Witness, Wrong};
use histories::{Around, Mix, Story};
use skydeck::domain::bill::Status;
use skydeck::domain::ids::{Fid, OpId, Seq};
use skydeck::domain::step::Verb;
use skydeck::engine::ports::{Erp, FaultKind};

/// Histories in an ordinary test run.
const HISTORIES: u64 = 200;

/// The world, the people in it, and the other server.
struct People {
    world: Arc<World>,
    bills: u64,
    copies: Vec<Arc<World>>,
    /// Its server may answer success where nothing happened.
    lies: bool,
}

impl People {
    fn trouble_of_a_call(rng: &mut Rng, hollow: bool) -> Trouble {
        match rng.u32(0..16) {
            0 => Trouble::NotSent,
            1 | 2 => Trouble::LostBefore,
            3 | 4 => Trouble::LostAfter,
            5 => Trouble::Late(Duration::from_secs(rng.u64(1..120))),
            6 => Trouble::NotNamed,
            7 => Trouble::Refused(13, "网控"),
            8 => Trouble::Refused(11, "库存不足"),
            9 => Trouble::Slow(Duration::from_secs(rng.u64(1..60))),
            10 => Trouble::Overtaken,
            11 => Trouble::SlowDown,
            12 => Trouble::RefusedAfter([11, 8, 500][rng.usize(0..3)], "后续服务失败"),
            13 if hollow => Trouble::Hollow,
            _ => Trouble::None,
        }
    }

    /// Others audit between the pages of a query.
    fn between(&self, rng: &mut Rng) {
        let seed = rng.u64(..);
        self.world.with(|s| {
            let mut rng = Rng::with_seed(seed);
            s.between = Some(Box::new(move |s, _| {
                let fids: Vec<_> = s.docs.keys().cloned().collect();
                if let Some(fid) = rng.choice(&fids)
                    && s.docs[fid].status == Status::Submitted
                {
                    let now = s.docs[fid].modified;
                    s.others(fid, now, |doc| (doc.status, doc.approver) = (Status::Audited, Some("li".into())));
                }
            }));
        });
    }
}

impl Around for People {
    fn others(&mut self, rng: &mut Rng, mix: &Mix) -> Option<String> {
        let what = rng.u32(0..14);
        if what <= 3 || self.bills == 0 {
            self.bills += 1;
            let n = self.bills;
            let status = ["B", "B", "B", "A", "Z"][rng.usize(0..5)];
            let late = if rng.bool() { 0 } else { rng.i64(0..110) };
            self.world.add_late(n, status, late);
            return Some(format!("bill {n} is created as {status}, committed {late} s later"));
        }
        let n = rng.u64(1..=self.bills);
        let world = &self.world;
        let (status, closed) = (world.status(n), world.closed(n));
        let zhang = || Some("zhang".to_owned());
        match (what, status.as_str()) {
            (4 | 5, "Z" | "A" | "D") => world.change(n, |d| d.status = Status::Submitted),
            (6, "B") => world.change(n, |d| (d.status, d.approver) = (Status::Audited, zhang())),
            (7, "C") if !mix.ordinary => world.change(n, |d| (d.status, d.approver) = (Status::Reaudit, None)),
            (8, "B" | "A" | "D") => world.change(n, |_| {}),
            (9, "A" | "Z" | "D" | "B") if rng.u32(0..4) == 0 => world.change(n, |d| d.gone = true),
            (10, _) if !mix.ordinary => {
                let skew = rng.i64(-3600..3600);
                world.with(|s| s.skew = skew);
                return Some(format!("the server's clock stands {skew} s off"));
            }
            (11 | 12, _) if !closed && mix.has(CLOSE) => world.change(n, |d| (d.closed, d.closer) = (true, zhang())),
            (13, _) if closed && !mix.ordinary => world.change(n, |d| (d.closed, d.closer) = (false, None)),
            _ => return None,
        }
        let (now, open) = (world.status(n), if world.closed(n) { "closed" } else { "open" });
        Some(format!("bill {n} changes from {status} to {now}, {open}"))
    }

    fn trouble(&mut self, rng: &mut Rng, _: &Mix) -> Vec<String> {
        let mut said = Vec::new();
        // Some servers lie, for a run: a share of 20 to 60 in a hundred successes is hollow, or of calls refused.
        let share = rng.f64() * 0.4 + 0.2;
        let bad = match rng.u32(0..8) {
            0 => Some(Trouble::Hollow),
            1 => Some(Trouble::Refused(11, "库存不足")),
            _ => None,
        };
        if let Some(bad) = bad.filter(|bad| self.lies || !matches!(bad, Trouble::Hollow)) {
            said.push(format!("{:.0} of a hundred calls: {bad:?}", share * 100.0));
            let calls = (0..40).map(|_| if rng.f64() < share { bad.clone() } else { Trouble::None });
            let calls: Vec<Trouble> = calls.collect();
            self.world.with(|s| s.trouble.extend(calls));
            return said;
        }
        for _ in 0..rng.u32(0..6) {
            let trouble = Self::trouble_of_a_call(rng, self.lies);
            said.push(format!("next call: {trouble:?}"));
            self.world.with(|s| s.trouble.push_back(trouble));
        }
        if rng.u32(0..6) == 0 {
            self.world.with(|s| s.read_faults.push_back(FaultKind::NoAnswer));
            said.push("the next read fails".to_owned());
        }
        if rng.u32(0..6) == 0 {
            let by = rng.u64(1..=3);
            self.world.with(|s| s.blind = Some(by));
            said.push(format!("the next look shows no bill whose number {by} divides"));
        }
        if rng.u32(0..4) == 0 {
            self.between(rng);
            said.push("others audit between the pages".to_owned());
        }
        said
    }

    fn calm(&mut self) {
        self.world.with(|s| {
            s.trouble.clear();
            s.read_faults.clear();
            s.blind = None;
            s.between = None;
        });
    }

    fn client(&mut self) -> Option<Arc<dyn Erp>> {
        None
    }

    fn client_elsewhere(&mut self) -> Arc<dyn Erp> {
        let copy = self.world.copied();
        self.copies.push(Arc::clone(&copy));
        copy
    }

    fn bills(&self) -> Vec<Fid> {
        (1..=self.bills).map(fid).collect()
    }
}

impl Real for World {
    fn truth(&self, op: &OpId, fid: &Fid) -> Truth {
        self.catch_up();
        let op = OPS.into_iter().find(|known| *known == op.as_str()).unwrap();
        self.with(|s| {
            let there = !s.docs[fid].gone && is_done(op, &s.docs[fid]);
            let (came, by_us) = s.came.get(&(fid.clone(), op)).copied().unwrap_or_default();
            let ours = s.effects.iter().filter(|e| e.fid == *fid && e.op == op).count() as u64;
            // A submit before an audit belongs to that; its refusal tells nothing of the audit.
            let last =
                s.posts.iter().rev().find(|p| p.fid == *fid && (rules::op_of(&p.verb) == CLOSE) == (op == CLOSE));
            let last = last.filter(|p| rules::op_of(&p.verb) == op);
            Truth {
                there,
                by_us: there && by_us,
                ours,
                // Nothing comes later than the server's own limit here.
                overdue: 0,
                came,
                refused_as_done: last.is_some_and(|p| p.was_done),
                hollow: last.is_some_and(|p| p.hollow),
                gone: s.docs[fid].gone,
            }
        })
    }
}

/// Bills that a plan still means, and that nobody but a person keeps it from.
fn missed(story: &Story<People>, sums: &mut Sums) -> Found {
    let world = &story.around.world;
    let mut wrong = Vec::new();
    for fid in story.around.bills() {
        let doc = world.with(|s| s.docs[&fid].clone());
        let works = story.mix.ops().into_iter().map(|op| (op, oracle::record(&fid).under(&OpId::new(op))));
        // A call of one operation that only a person can settle keeps the others from the record, too.
        let waits = works.clone().filter(|(_, key)| oracle::waits_for_operator(&story.bench, key)).count();
        sums.operator += waits as u64;
        if doc.gone || waits > 0 {
            continue;
        }
        for (op, key) in works {
            let verbs = match op {
                CLOSE => vec![Verb::Operation(CLOSE.into())],
                SUBMIT => vec![Verb::Submit],
                _ if story.mix.submits_first() => vec![Verb::Submit, Verb::Audit],
                _ => vec![Verb::Audit],
            };
            let closes_any = world.with(|s| s.closes_any);
            let meant = matches(story.mix.filter(op), &doc);
            if meant && verbs.iter().any(|verb| is_ready(verb, &doc.status, doc.closed, closes_any)) {
                if oracle::is_carried(&story.bench, &key, |rev| {
                    rev.status == doc.status && rev.modified == Some(engine_support::world::date(doc.modified))
                }) {
                    sums.operator += 1;
                    continue;
                }
                let entry = story.bench.store.ledger_entry(&key);
                wrong.push((Wrong::Missed, format!("bill {fid}, {op:?}, was missed: {doc:?}, ledger {entry:?}")));
            }
        }
    }
    wrong
}

/// What must be true at the end.
fn judge(story: &Story<People>, witness: &Mutex<Witness>) -> Sums {
    let people = &story.around;
    let mut sums = Sums { bills: people.bills, happened: story.happened, ..Sums::default() };
    let (rules, effects, calls) = people.world.with(|s| (s.broken_rules.clone(), s.effects.clone(), s.posts.len()));
    sums.wrong.extend(rules.into_iter().map(|rule| (Wrong::of_rule(&rule), rule)));
    sums.calls = calls as u64;
    for effect in effects {
        *sums.done.entry(harness::deed(effect.op)).or_default() += 1;
    }
    let missed = missed(story, &mut sums);
    sums.wrong.extend(missed);
    let mut witness = witness.lock().unwrap();
    witness.end();
    sums.wrong.append(&mut witness.found);
    sums.wrong.extend(oracle::approvals(&story.bench));
    if story.mix.plans.len() > 1 {
        sums.wrong.extend(oracle::entries_stand_alone(&story.bench, &story.mix.ops(), &people.bills()));
    }
    for copy in &people.copies {
        let posts = copy.with(|s| s.posts.clone());
        sums.wrong.extend(posts.iter().map(|post| (Wrong::Elsewhere, format!("called elsewhere: {post:?}"))));
    }
    story.check();
    sums
}

async fn history(seed: u64, said: &Mutex<Vec<String>>) -> Sums {
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let bench = histories::any_bench(&mut rng);
    let ordinary = rng.u32(0..3) == 0;
    let crashes = !ordinary && rng.u32(0..4) != 0;
    let mix = Mix::of(seed, &mut rng, ordinary, crashes);
    bench.world.with(|s| {
        s.closes_any = rng.bool();
        s.closes_again = rng.u32(0..4) == 0;
        s.submit_keeps_date = rng.bool();
    });
    let nobody = mix.plans.iter().filter(|p| p.target.verb != Verb::Audit && p.policy.mine.is_none());
    let nobody = nobody.map(|p| skydeck::domain::operation::Operation::id_of(&p.target)).collect();
    let witness = Witness::new(Arc::clone(&bench.world) as Arc<dyn Real>, nobody);
    Witness::listen(&witness, &bench);
    let people = People { world: Arc::clone(&bench.world), bills: 0, copies: Vec::new(), lies: rng.u32(0..2) == 0 };
    let steps = rng.u32(15..40);
    let mut story = Story::begin(rng, bench, mix, people).await.unwrap();
    for _ in 0..story.rng.u32(4..20) {
        story.others();
    }
    for _ in 0..steps {
        match story.rng.u32(0..6) {
            0 | 1 => story.run_step().await,
            2 => {
                let wait = story.rng.u64(1..900);
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
            _ => story.others(),
        }
        said.lock().unwrap().clone_from(&story.said);
        story.check();
    }
    story.quiet_days().await;
    let sums = judge(&story, &witness);
    harness::note_journal(seed, &story.bench.store.facts_after(Seq(0), usize::MAX).unwrap());
    story.said.extend(oracle::trails(&story.bench, &sums.wrong));
    said.lock().unwrap().clone_from(&story.said);
    sums
}

#[test]
fn no_bill_is_missed_none_is_repeated_blindly_in_random_hostile_histories() {
    harness::run(|seed, said| harness::in_virtual_time(history(seed, said)), HISTORIES);
}
