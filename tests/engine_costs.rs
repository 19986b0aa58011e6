//! Months of runs that the clock starts, beside bills that nobody mends: a run that finds nothing new costs the same after
//! 10,000 earlier ones, and every bill that somebody changes meanwhile is called in the next run, no other is.
//!
//! The real scheduler, engine, journal and index; time is virtual. Calls and bytes of the journal are asserted.
//! `SKYDECK_RUNS=10000 SKYDECK_UNRESOLVED=1000 cargo test --release --test engine_costs -- --nocapture` prints the processor
//! time of a hundred runs in the beginning and of the last hundred beside them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

mod engine_support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine_support::*;
use skydeck::domain::command::{Command, Selection};
use skydeck::domain::event::Event;
use skydeck::domain::ids::{EnvId, FormId, RecordKey, RunId};
use skydeck::domain::plan::{Approver, Missed, Schedule};
use skydeck::domain::query::PageRequest;
use skydeck::domain::run::{Revision, RunEnd, RunRow, RunState};
use skydeck::host::schedule;
use skydeck::link::local::LocalLink;
use skydeck::store::Store as _;
use tokio::sync::watch;

const MISSING: Trouble = Trouble::Refused(11, "字段“客户”是必填项");
const CLOSED: Trouble = Trouble::Refused(11, "单据所属会计期间已关账");

/// Time between two runs.
const EVERY: Duration = Duration::from_secs(30 * 60);
/// Hours between two sweeps: ten runs.
const SWEEP_HOURS: u32 = 5;
/// Every so many runs somebody does something before the next one.
const RHYTHM: u64 = 20;
/// Runs in which a closed period is opened again for certain: the probe of a day, that of the next, and the run after it.
const PERIOD: u64 = 100;

/// What some runs cost.
#[derive(Default)]
struct Cost {
    runs: u64,
    calls: u64,
    journal: u64,
    index: u64,
    spent: Duration,
}

impl Cost {
    fn words(&self) -> String {
        let Self { runs, calls, journal, index, spent } = self;
        format!(
            "{runs} runs: {calls} calls, {journal} bytes of journal, {index} of index, {spent:.3?} of processor time"
        )
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn close(one: u64, other: u64) -> bool {
    one.abs_diff(other) * 20 <= one.max(other)
}

/// Processor time of the process so far.
fn spent() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// Bytes of all files of a directory.
fn size(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    files.filter(std::fs::Metadata::is_file).map(|meta| meta.len()).sum()
}

/// What somebody does between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// A bill is changed, and refused again.
    Touched,
    /// A bill is mended.
    Mended,
    /// An operator has a bill called again as it is, and it goes through.
    Retried,
    /// An operator closes an entry by hand; the bill is changed afterwards, and is in the set of the next sweep: nothing
    /// keeps it in the sets of other runs.
    Resolved,
    /// Three bills are changed, and meet a closed period: the next probe is refused, the one after that is not.
    Period,
}

/// A plan at work for months.
struct Months {
    bench: Bench,
    dir: PathBuf,
    _temp: tempfile::TempDir,
    bills: u64,
    /// Bills that stand refused for a cause that only a person cures, the one left alone longest first.
    refused: Vec<u64>,
    /// The bills that the next run has to call.
    due: BTreeSet<u64>,
    /// Bills that a closed period keeps back.
    period: BTreeSet<u64>,
    /// Closed by an operator, and to be changed by somebody.
    resolved: Option<u64>,
    /// Those of them that were changed: the next sweep has to call them.
    of_the_sweep: BTreeSet<u64>,
    /// What was done, and the bills that should have been called then and were not.
    done: Vec<Deed>,
    missed: Vec<String>,
    last: Option<RunId>,
}

impl Months {
    async fn begin(unresolved: u64) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        let mut bench = Bench::new();
        bench.store = FlakyStore::on_disk(&bench.clock, &dir);
        bench.policy(|policy| {
            policy.schedule = Some(Schedule {
                cron: "*/30 * * * *".into(),
                zone: "UTC".into(),
                missed: Missed::Skip,
                approve: Approver::Schedule,
                production: false,
            });
            policy.sweep_hours = SWEEP_HOURS;
            policy.page_size = 500;
        });
        bench.env.limits.concurrency = 1;
        bench.try_start().await.unwrap();
        let link = Arc::new(LocalLink::new(bench.engine.clone().unwrap()));
        tokio::spawn(schedule::run(link, bench.clock.clone(), 1000, watch::channel(false).0));
        let (refused, due, period, of_the_sweep) = (Vec::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (done, missed) = (Vec::new(), Vec::new());
        let mut months = Self {
            bench,
            dir,
            _temp: temp,
            bills: 0,
            refused,
            due,
            period,
            resolved: None,
            of_the_sweep,
            done,
            missed,
            last: None,
        };
        for _ in 0..unresolved {
            months.new_bill();
        }
        months
    }

    /// A bill that is refused when it is called.
    fn new_bill(&mut self) {
        self.bills += 1;
        self.bench.world.add(self.bills, "B");
        self.meets(self.bills, [MISSING]);
        self.refused.push(self.bills);
        self.due.insert(self.bills);
    }

    /// What the next calls of a bill meet.
    fn meets<const N: usize>(&self, n: u64, troubles: [Trouble; N]) {
        self.bench.world.with(|s| s.trouble_of.insert(fid(n), troubles.into()));
    }

    fn change(&mut self, n: u64) {
        self.bench.world.change(n, |_| {});
        self.due.insert(n);
    }

    /// One of the refused ones; another takes its place.
    fn take(&mut self) -> u64 {
        let n = self.refused.remove(0);
        self.new_bill();
        n
    }

    fn selected(n: u64) -> Selection {
        let record = RecordKey { env: EnvId::new("test"), form: FormId::new(FORM), fid: fid(n) };
        Selection::Bills(vec![record.under(&skydeck::domain::ids::OpId::default())])
    }

    async fn does(&mut self, deed: Deed) {
        self.done.push(deed);
        match deed {
            Deed::Touched => {
                let n = self.refused.remove(0);
                self.refused.push(n);
                self.meets(n, [MISSING]);
                self.change(n);
            }
            Deed::Mended => {
                let n = self.take();
                self.change(n);
            }
            Deed::Retried => {
                let n = self.take();
                let retry = Command::Retry { selection: Self::selected(n), revision: Revision::Newest };
                let run = self.bench.accepted(retry).await.unwrap();
                self.bench.awaiting(run).await;
                let approve = self.bench.approval(run);
                self.bench.accepted(approve).await;
                assert_eq!(self.bench.closed(run).await.tally.audited, 1, "a retry by an operator calls bill {n}");
                self.last = Some(run);
            }
            Deed::Resolved => {
                let n = self.take();
                let reason = "written off".to_owned();
                self.bench.accepted(Command::Resolve { selection: Self::selected(n), reason }).await;
                self.resolved = Some(n);
            }
            Deed::Period => {
                let three: Vec<u64> = (0..3).map(|_| self.take()).collect();
                for n in &three {
                    self.meets(*n, [CLOSED, CLOSED]);
                    self.change(*n);
                }
                self.period = three.into_iter().collect();
            }
        }
    }

    /// The next run of the clock, to its end: it calls what it has to, and nothing else.
    async fn run(&mut self, n: u64) -> RunRow {
        let before = self.bench.world.with(|s| s.posts.len());
        tokio::time::sleep(EVERY).await;
        let row = self.bench.store.runs(None, &PageRequest::first(1)).unwrap().rows.remove(0).1;
        let ended = matches!(row.state, RunState::Closed(RunEnd::Completed | RunEnd::Empty));
        assert!(ended && row.head.by.is_schedule() && self.last != Some(row.head.id), "run {n}: {row:?}");
        self.last = Some(row.head.id);
        let posts = self.bench.world.with(|s| s.posts.split_off(before));
        let mut called = BTreeSet::new();
        for post in &posts {
            let bill: u64 = post.fid.as_str().parse().unwrap();
            assert!(called.insert(bill), "run {n}: bill {bill} is called twice");
        }
        self.bench.world.with(|s| s.posts.extend(posts));
        let mut due = std::mem::take(&mut self.due);
        if row.collected.as_ref().unwrap().sweep {
            due.append(&mut self.of_the_sweep);
        }
        self.missed.extend(due.difference(&called).map(|bill| format!("run {n}: bill {bill}")));
        let beside: Vec<u64> = called.difference(&due).copied().collect();
        match beside.as_slice() {
            [] => {}
            // A probe; where it is answered as done, the others follow in the next run.
            [probe] if self.period.contains(probe) => {
                if self.bench.world.status(*probe) == "C" {
                    self.due = std::mem::take(&mut self.period);
                    self.due.remove(probe);
                } else {
                    // After the first probe the period is opened again.
                    self.period.iter().for_each(|n| self.meets(*n, []));
                }
            }
            _ => panic!("run {n}: {beside:?} were called, and nothing about them had changed"),
        }
        row
    }

    /// Bytes of the journal, and of the index.
    fn sizes(&self) -> (u64, u64) {
        (size(&self.dir.join("journal")), size(&self.dir.join("sled")))
    }

    /// Runs, and what they cost.
    async fn window(&mut self, runs: std::ops::Range<u64>) -> Cost {
        let (calls, (journal, index)) = (self.bench.world.with(|s| s.posts.len()), self.sizes());
        let mut cost = Cost { runs: runs.end - runs.start, ..Cost::default() };
        for n in runs {
            if n % RHYTHM == RHYTHM / 2 {
                self.does(Deed::Touched).await;
            }
            // The world's own work and the looking on are counted with it; they are the same in each window.
            let began = spent();
            self.run(n).await;
            cost.spent += spent().saturating_sub(began);
        }
        cost.calls = (self.bench.world.with(|s| s.posts.len()) - calls) as u64;
        let (journal_now, index_now) = self.sizes();
        (cost.journal, cost.index) = (journal_now - journal, index_now.saturating_sub(index));
        cost
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_hundred_of_ten_thousand_runs_cost_what_the_first_did_and_no_change_is_missed() {
    let (runs, unresolved) = (number("SKYDECK_RUNS", 320), number("SKYDECK_UNRESOLVED", 30));
    // As many changes in each.
    let window = (runs / 8).min(100) / RHYTHM * RHYTHM;
    let mut months = Months::begin(unresolved).await;
    months.window(0..window).await;
    let first = months.window(window..2 * window).await;
    let (from, to) = (2 * window, runs - window);
    for n in from..to {
        if let Some(bill) = months.resolved.filter(|_| n % RHYTHM == 2) {
            months.resolved = None;
            months.bench.world.change(bill, |_| {});
            months.of_the_sweep.insert(bill);
        }
        if n % RHYTHM == RHYTHM / 2 {
            let deeds = [Deed::Period, Deed::Mended, Deed::Retried, Deed::Resolved, Deed::Touched];
            let deed = deeds[(n / RHYTHM % 5) as usize];
            let late = n + PERIOD > to && matches!(deed, Deed::Period | Deed::Resolved);
            months
                .does(if late || (deed == Deed::Period && !months.period.is_empty()) { Deed::Mended } else { deed })
                .await;
        }
        months.run(n).await;
        if n % 1000 == 0 {
            eprintln!("run {n}: {:.1?} of processor time", spent());
        }
    }
    let waiting = [&months.period, &months.due, &months.of_the_sweep];
    assert!(waiting.iter().all(|left| left.is_empty()), "{waiting:?}");
    let last = months.window(to..runs).await;

    eprintln!("first {}\nlast  {}", first.words(), last.words());
    eprintln!("processor time, last to first: {:.3}", last.spent.as_secs_f64() / first.spent.as_secs_f64());
    let kinds: BTreeSet<Deed> = months.done.iter().copied().collect();
    eprintln!("{} changes of {} kinds: {} missed", months.done.len(), kinds.len(), months.missed.len());
    assert_eq!(months.missed, Vec::<String>::new());
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    assert_eq!((first.calls, last.calls), (window / RHYTHM, window / RHYTHM));
    assert!(first.journal > 0 && close(first.journal, last.journal), "{} {}", first.journal, last.journal);
    let unresolved_now = months.bench.store.unresolved(None).unwrap();
    assert_eq!(unresolved_now, unresolved, "as many as in the beginning");
    // Of a run that finds nothing new no fact is about a bill.
    let before = months.bench.store.reads().last_seq().await.unwrap();
    let row = months.run(runs).await;
    let about_run = |event: &Event| {
        matches!(
            event,
            Event::RunOpened(_)
                | Event::RunCollected { .. }
                | Event::RunClosed { .. }
                | Event::MarkMoved { .. }
                | Event::ActionTaken(_)
        )
    };
    let facts = months.bench.store.facts_after(before, 100).unwrap();
    assert!(!facts.is_empty() && facts.iter().all(|fact| about_run(&fact.event)), "{row:?} {facts:?}");
    months.bench.check();
}
