//! Random hostile histories against the real engine: late commits, submits, un-audits, edits and deletes by others,
//! clock steps, crashes, lost and late answers, changes between pages. The world's own journal is the oracle:
//! no bill missed, none repeated blindly, none called that was not read as submitted, sums that always close.
//!
//! One seed is one history and is printed on failure. `SKYDECK_HISTORIES=20000` runs more, `SKYDECK_SEED=7` runs one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

mod engine_support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine_support::*;
use fastrand::Rng;
use skydeck::domain::bill::{Outcome, Status};
use skydeck::domain::command::{Command, Receipt, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::ids::{EnvId, FormId, OpId, PlanId, RecordKey, RunId};
use skydeck::domain::run::{Revision, RunState};
use skydeck::domain::step::Step;
use skydeck::erp::FaultKind;
use skydeck::store::Store;

/// Histories in an ordinary test run.
const HISTORIES: u64 = 200;
/// Quiet days at the end, in which everything that can be done must get done.
const QUIET_DAYS: u32 = 8;

struct Story {
    rng: Rng,
    bench: Bench,
    bills: u64,
    crashes: bool,
    /// No sweep, no clock steps, nothing un-audited: overlap, carry-over and the server's mark must do alone.
    ordinary: bool,
    said: Vec<String>,
}

#[derive(Default)]
struct Sums {
    posts: u64,
    audits: u64,
    crashes: u64,
    operator: u64,
    bills: u64,
}

impl Story {
    fn say(&mut self, what: impl Into<String>) {
        let at = self.bench.clock.start_elapsed();
        self.said.push(format!("{:>8.1} s  {}", at.as_secs_f64(), what.into()));
    }

    fn any_bill(&mut self) -> Option<u64> {
        (self.bills > 0).then(|| self.rng.u64(1..=self.bills))
    }

    fn trouble(&mut self) -> Trouble {
        match self.rng.u32(0..14) {
            0 => Trouble::NotSent,
            1 | 2 => Trouble::LostBefore,
            3 | 4 => Trouble::LostAfter,
            5 => Trouble::Late(Duration::from_secs(self.rng.u64(1..120))),
            6 => Trouble::NotNamed,
            7 => Trouble::Refused(13, "网控"),
            8 => Trouble::Refused(11, "库存不足"),
            9 => Trouble::Slow(Duration::from_secs(self.rng.u64(1..60))),
            10 => Trouble::Overtaken,
            11 => Trouble::SlowDown,
            _ => Trouble::None,
        }
    }

    /// One thing somebody else does.
    fn world_step(&mut self) {
        let what = self.rng.u32(0..12);
        if what <= 3 || self.bills == 0 {
            self.bills += 1;
            let n = self.bills;
            let status = ["B", "B", "B", "A", "Z"][self.rng.usize(0..5)];
            let late = if self.rng.bool() { 0 } else { self.rng.i64(0..110) };
            self.bench.world.add_late(n, status, late);
            self.say(format!("bill {n} is created as {status}, committed {late} s later"));
            return;
        }
        let Some(n) = self.any_bill() else { return };
        let status = self.bench.world.status(n);
        let world = std::sync::Arc::clone(&self.bench.world);
        match (what, status.as_str()) {
            (4 | 5, "Z" | "A" | "D") => world.change(n, |d| d.status = Status::Submitted),
            (6, "B") => world.change(n, |d| (d.status, d.approver) = (Status::Audited, Some("zhang".into()))),
            (7, "C") if !self.ordinary => world.change(n, |d| (d.status, d.approver) = (Status::Reaudit, None)),
            (8, "B" | "A" | "D") => world.change(n, |_| {}),
            (9, "A" | "Z" | "D" | "B") if self.rng.u32(0..4) == 0 => world.change(n, |d| d.gone = true),
            (10, _) if !self.ordinary => {
                let skew = self.rng.i64(-3600..3600);
                world.with(|s| s.skew = skew);
                self.say(format!("the server's clock stands {skew} s off"));
                return;
            }
            (11, _) if !self.crashes => {
                let step = self.rng.i64(-3_600_000..3_600_000);
                self.bench.clock.step.store(step, Ordering::SeqCst);
                self.say(format!("our clock stands {step} ms off"));
                return;
            }
            _ => return,
        }
        let now = self.bench.world.status(n);
        self.say(format!("bill {n} changes from {status} to {now}"));
    }

    fn queue_trouble(&mut self) {
        for _ in 0..self.rng.u32(0..6) {
            let trouble = self.trouble();
            self.say(format!("next call: {trouble:?}"));
            self.bench.world.with(|s| s.trouble.push_back(trouble));
        }
        if self.rng.u32(0..6) == 0 {
            self.bench.world.with(|s| s.read_faults.push_back(FaultKind::NoAnswer));
            self.say("the next read fails");
        }
        if self.rng.u32(0..4) == 0 {
            let seed = self.rng.u64(..);
            self.bench.world.with(|s| {
                let mut rng = Rng::with_seed(seed);
                s.between = Some(Box::new(move |s, _| {
                    let fids: Vec<_> = s.docs.keys().cloned().collect();
                    if let Some(doc) = rng.choice(&fids).and_then(|f| s.docs.get_mut(f))
                        && doc.status == Status::Submitted
                    {
                        s.versions += 1;
                        doc.version = s.versions;
                        doc.modified += 1;
                        (doc.status, doc.approver) = (Status::Audited, Some("li".into()));
                    }
                }));
            });
            self.say("others audit between the pages");
        }
    }

    async fn crash(&mut self) {
        self.say("the process dies");
        self.bench.crash().await;
        if self.rng.bool() {
            let rest = self.rng.u64(0..400);
            tokio::time::sleep(Duration::from_secs(rest)).await;
        }
        self.bench.try_start().await.unwrap();
        self.say("and starts again");
    }

    /// A run with whatever comes in its way.
    async fn run_step(&mut self) {
        self.queue_trouble();
        let command = match self.rng.u32(0..8) {
            0 => Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest },
            1 => Command::Verify { selection: Bench::all_matching() },
            _ => {
                let sweep = !self.ordinary && self.rng.u32(0..10) == 0;
                let params = StartParams { sweep, ..StartParams::default() };
                Command::Start { plan: PlanId::new("p"), params }
            }
        };
        let verb = command.verb();
        let receipt = self.bench.order(command).await;
        self.say(format!("{verb}: {receipt:?}"));
        let run = match receipt {
            Receipt::Accepted { run: Some(run), .. } => run,
            _ => match self.bench.store.open_runs().unwrap().first() {
                Some(row) => row.head.id,
                None => return,
            },
        };
        if self.crashes && self.rng.u32(0..8) == 0 {
            tokio::time::sleep(Duration::from_millis(self.rng.u64(0..200))).await;
            self.crash().await;
        }
        self.rest(run).await;
        for _ in 0..self.rng.u32(0..3) {
            self.world_step();
        }
        let row = self.bench.run(run);
        let order = match row.state {
            RunState::AwaitingApproval if self.rng.u32(0..10) == 0 => Command::Decline { run },
            RunState::AwaitingApproval => self.bench.approval(run),
            RunState::Paused(_) | RunState::Interrupted if self.rng.u32(0..6) == 0 => Command::Cancel { run },
            RunState::Paused(_) | RunState::Interrupted => Command::Resume { run },
            _ => return,
        };
        let verb = order.verb();
        let receipt = self.bench.order(order).await;
        self.say(format!("{verb}: {receipt:?}"));
        for _ in 0..self.rng.u32(0..4) {
            let wait = self.rng.u64(0..self.rng.clone().u64(1..3000));
            tokio::time::sleep(Duration::from_millis(wait)).await;
            match self.rng.u32(0..8) {
                0 if self.crashes => self.crash().await,
                1 => drop(self.bench.order(Command::Pause { run }).await),
                2 => drop(self.bench.order(Command::Resume { run }).await),
                3 if self.rng.bool() => drop(self.bench.order(Command::Cancel { run }).await),
                _ => {}
            }
            self.bench.check();
        }
        self.rest(run).await;
    }

    async fn rest(&mut self, run: RunId) {
        // A settling run may be left to itself; the next steps then happen beside it.
        let patience = self.rng.u32(20..2000);
        for _ in 0..patience {
            let row = self.bench.run(run);
            assert!(row.tally.closes(), "{:?}", row.tally);
            if !matches!(row.state, RunState::Collecting | RunState::Working | RunState::Settling) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn quiet_day(&mut self) {
        self.bench.world.with(|s| {
            s.trouble.clear();
            s.read_faults.clear();
            s.between = None;
        });
        tokio::time::sleep(Duration::from_secs(25 * 3600)).await;
        for _ in 0..6 {
            let Some(row) = self.bench.store.open_runs().unwrap().into_iter().next() else { break };
            let run = row.head.id;
            let order = match row.state {
                RunState::AwaitingApproval => Command::Decline { run },
                RunState::Paused(_) | RunState::Interrupted => Command::Resume { run },
                _ => Command::ReloadPlans,
            };
            self.bench.order(order).await;
            for _ in 0..4000 {
                if !matches!(
                    self.bench.run(run).state,
                    RunState::Working | RunState::Settling | RunState::AwaitingApproval
                ) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        let row = self.bench.whole_run().await;
        self.said.push(format!("quiet run: {:?} {:?}", row.state, row.tally));
    }

    /// Every audit call was for the revision the run was approved with, or for the one our own submit led to.
    fn approvals(&self) -> Result<(), String> {
        let mut submitted = HashSet::new();
        for fact in self.bench.facts() {
            let Event::StepTried { run, fid, step, rev, .. } = fact.event else { continue };
            let found = self.bench.store.found(run, &fid).unwrap().unwrap();
            if step == Step::Submit {
                submitted.insert((run, fid.clone()));
            }
            if found.rev != rev && !submitted.contains(&(run, fid.clone())) {
                return Err(format!("bill {fid} was called as {rev:?} but approved as {:?}", found.rev));
            }
        }
        Ok(())
    }

    /// What must be true at the end.
    fn judge(&self) -> Result<Sums, String> {
        let broken = self.bench.world.with(|s| s.broken_rules.clone());
        if !broken.is_empty() {
            return Err(format!("rules broken: {broken:#?}"));
        }
        let mut sums = Sums { bills: self.bills, ..Sums::default() };
        let audits = self.bench.world.with(|s| s.audits.clone());
        let once: HashSet<_> = audits.iter().map(|(fid, version, _)| (fid.clone(), *version)).collect();
        if once.len() != audits.len() {
            return Err("a bill was audited twice in one revision".to_owned());
        }
        for n in 1..=self.bills {
            let doc = self.bench.world.with(|s| s.docs[&fid(n)].clone());
            let key = RecordKey { env: EnvId::new("test"), form: FormId::new(FORM), fid: fid(n) };
            let key = key.under(&OpId::default());
            let entry = self.bench.store.ledger_entry(&key).unwrap();
            let waits_for_operator = entry.as_ref().is_some_and(|e| {
                e.deaths >= 3 || matches!(e.row.state.outcome(), Some(Outcome::Unknown(u)) if u.why.needs_operator())
            });
            sums.operator += u64::from(waits_for_operator);
            if doc.status == Status::Submitted && !doc.gone && !waits_for_operator {
                return Err(format!("bill {n} was missed: {doc:?}, ledger {entry:?}"));
            }
            // What is said happened: the last word on a bill never contradicts the world's journal.
            let row = self.bench.store.bill(&key).unwrap();
            let ours = audits.iter().any(|(f, ..)| *f == fid(n));
            if let Some(Outcome::Done { .. }) = row.as_ref().and_then(|r| r.state.outcome())
                && !ours
            {
                return Err(format!("bill {n} is said to be audited by us, and was not: {row:?}"));
            }
        }
        self.approvals()?;
        self.bench.check();
        sums.posts = self.bench.world.with(|s| s.posts.len() as u64);
        sums.audits = audits.len() as u64;
        sums.crashes = self.said.iter().filter(|s| s.ends_with("the process dies")).count() as u64;
        Ok(sums)
    }
}

async fn history(seed: u64, said: &std::sync::Mutex<Vec<String>>) -> Result<Sums, String> {
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let mut bench = Bench::new();
    bench.env.limits.concurrency = rng.u32(1..4);
    bench.env.limits.per_minute = if rng.bool() { 60 } else { 6000 };
    bench.env.limits.breaker_unknown = if rng.bool() { 3 } else { 0 };
    bench.env.limits.canary = if rng.u32(0..4) == 0 { 5 } else { 0 };
    let ordinary = rng.u32(0..3) == 0;
    bench.policy(|p| {
        p.submit = rng.u32(0..4) == 0;
        p.batch = if rng.u32(0..4) == 0 { 4 } else { 1 };
        p.page_size = rng.u32(2..12);
        if ordinary {
            p.sweep_hours = 1_000_000;
        }
    });
    bench.try_start().await?;
    let crashes = !ordinary && rng.u32(0..4) != 0;
    let steps = rng.u32(15..40);
    let mut story = Story { rng, bench, bills: 0, crashes, ordinary, said: Vec::new() };
    for _ in 0..story.rng.u32(4..20) {
        story.world_step();
    }
    for _ in 0..steps {
        match story.rng.u32(0..6) {
            0 | 1 => story.run_step().await,
            2 => {
                let wait = story.rng.u64(1..900);
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
            _ => story.world_step(),
        }
        said.lock().unwrap().clone_from(&story.said);
        story.bench.check();
    }
    for _ in 0..QUIET_DAYS {
        story.quiet_day().await;
        said.lock().unwrap().clone_from(&story.said);
    }
    story.judge()
}

fn run_one(seed: u64) -> Sums {
    let said = std::sync::Mutex::new(Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(history(seed, &said))));
    let wrong = match ended {
        Ok(Ok(sums)) => return sums,
        Ok(Err(wrong)) => wrong,
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "panicked".to_owned()),
    };
    let said = said.lock().map(|s| s.join("\n")).unwrap_or_default();
    panic!("SKYDECK_SEED={seed}\n{said}\n{wrong}");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn no_bill_is_missed_none_is_repeated_blindly_in_random_hostile_histories() {
    if let Some(seed) = number("SKYDECK_SEED") {
        run_one(seed);
        return;
    }
    let histories = number("SKYDECK_HISTORIES").unwrap_or(HISTORIES);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let total = std::sync::Mutex::new(Sums::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= histories {
                        return;
                    }
                    let sums = run_one(seed);
                    let mut total = total.lock().unwrap();
                    total.posts += sums.posts;
                    total.audits += sums.audits;
                    total.crashes += sums.crashes;
                    total.operator += sums.operator;
                    total.bills += sums.bills;
                }
            });
        }
    });
    let t = total.into_inner().unwrap();
    eprintln!(
        "{histories} histories: {} bills, {} calls, {} audits, {} crashes, {} left to the operator; 0 missed, 0 blind repeats",
        t.bills, t.posts, t.audits, t.crashes, t.operator
    );
    assert!(t.audits > histories && t.crashes > histories / 2, "the histories do too little to prove anything");
}
