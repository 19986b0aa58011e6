//! Many histories beside each other: each is one seed, each is counted, and the first one that went wrong is told.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use skydeck::domain::event::Fact;

use super::Happened;
use super::oracle::{Found, Wrong};

/// What one history, or all of them, came to.
#[derive(Default)]
pub struct Sums {
    pub bills: u64,
    pub calls: u64,
    /// What our calls brought about, by operation.
    pub done: BTreeMap<&'static str, u64>,
    pub happened: Happened,
    pub operator: u64,
    pub wrong: Found,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.bills += other.bills;
        self.calls += other.calls;
        for (op, n) in &other.done {
            *self.done.entry(op).or_default() += n;
        }
        self.happened.crashes += other.happened.crashes;
        self.happened.reboots += other.happened.reboots;
        self.happened.steps += other.happened.steps;
        self.happened.moves += other.happened.moves;
        self.operator += other.operator;
    }

    fn words(&self) -> String {
        let done: Vec<String> = self.done.iter().map(|(op, n)| format!("{n} {op}")).collect();
        let h = self.happened;
        format!(
            "{} bills, {} calls, {}, {} crashes ({} starts of a machine, {} steps of the clock, {} moves to another server), \
             {} left to the operator",
            self.bills,
            self.calls,
            done.join(", "),
            h.crashes,
            h.reboots,
            h.steps,
            h.moves,
            self.operator
        )
    }
}

/// The number in an environment variable.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Writes down what a history's journal came to, where `SKYDECK_JOURNALS` names a file: seed, number of facts, SHA-256 over
/// them. Two programs that behave alike write the same lines, in whatever order the threads come to them.
pub fn note_journal(seed: u64, facts: &[Fact]) {
    let Some(path) = std::env::var_os("SKYDECK_JOURNALS") else { return };
    let hash = Sha256::digest(serde_json::to_vec(facts).unwrap());
    let hex: String = hash.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(format!("{seed} {} {hex}\n", facts.len()).as_bytes()).unwrap();
}

/// One history, by its seed; it writes what happens into the list as it goes on.
pub type History = fn(u64, &Mutex<Vec<String>>) -> Sums;

fn run_one(history: History, seed: u64) -> (Sums, String) {
    let said = Mutex::new(Vec::new());
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history(seed, &said)));
    let sums = ended.unwrap_or_else(|panic| {
        let words = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "panicked".to_owned());
        Sums { wrong: vec![(Wrong::Other, words)], ..Sums::default() }
    });
    let said = said.lock().map(|s| s.join("\n")).unwrap_or_default();
    (sums, said)
}

/// Runs all seeds and prints what they came to.
pub fn run(history: History, histories: u64) {
    let one = number("SKYDECK_SEED");
    let many = number("SKYDECK_HISTORIES").unwrap_or(if one.is_some() { 1 } else { histories });
    let first = one.unwrap_or(0);
    let after = first + many;
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let total = Mutex::new(Sums::default());
    let counts = Mutex::new(BTreeMap::<Wrong, u64>::new());
    let bad = Mutex::new(BTreeMap::<u64, (String, String)>::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= after {
                        return;
                    }
                    let (sums, said) = run_one(history, seed);
                    total.lock().unwrap().add(&sums);
                    if sums.wrong.is_empty() {
                        continue;
                    }
                    for (kind, _) in &sums.wrong {
                        *counts.lock().unwrap().entry(*kind).or_default() += 1;
                    }
                    let what: Vec<&str> = sums.wrong.iter().map(|(_, what)| what.as_str()).collect();
                    let story = format!("SKYDECK_SEED={seed}\n{said}\n{}", what.join("\n"));
                    eprintln!("WRONG seed {seed}: {}", what[0]);
                    bad.lock().unwrap().insert(seed, (story, what[0].to_owned()));
                }
            });
        }
    });
    let (total, counts, bad) = (total.into_inner().unwrap(), counts.into_inner().unwrap(), bad.into_inner().unwrap());
    let words = |kind: &Wrong| format!("{} {}", counts.get(kind).copied().unwrap_or(0), kind.words());
    let wrong: Vec<String> = Wrong::ALL.iter().map(words).collect();
    eprintln!("{} histories: {}; {}", after - first, total.words(), wrong.join(", "));
    if let Some((_, (story, _))) = bad.first_key_value() {
        let first: Vec<String> = bad.iter().take(20).map(|(seed, (_, what))| format!("seed {seed}: {what}")).collect();
        panic!("{story}\n{} histories went wrong, the first of them:\n{}", bad.len(), first.join("\n"));
    }
    let enough = total.done.values().sum::<u64>() > after - first;
    assert!(one.is_some() || (enough && total.happened.crashes * 2 > after - first), "the histories do too little");
}

/// What an operation's effects are counted as.
pub fn deed(op: &str) -> &'static str {
    match op {
        crate::engine_support::CLOSE => "closes",
        crate::engine_support::SUBMIT => "submits",
        crate::engine_support::SAVE => "bills made",
        crate::engine_support::PUSH => "bills pushed",
        crate::engine_support::SEND => "records sent",
        _ => "audits",
    }
}

/// A history on a clock of its own, which stands while something is done.
pub fn in_virtual_time(history: impl Future<Output = Sums>) -> Sums {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(history)
}
