//! Random hostile histories through the whole client: the real engine, the real Kingdee client and the simulator in one
//! process, on a virtual clock. What the network may do to a call happens at the client's own transport seam, what the
//! server may do comes from the simulator's fault switches, what other people may do from its admin calls. One plan or
//! several work on the same bills.
//!
//! The oracle is the simulator's own record of what was applied. One seed is one history and is printed on failure.
//! `SKYDECK_HISTORIES=2000` runs more, `SKYDECK_SEED=7` runs one.

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

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use engine_support::*;
use fastrand::Rng;
use histories::harness::{self, Sums};
use histories::oracle::{self, Found, Real, Witness, Wrong};
use histories::wire::{Wire, client};
use histories::{Around, Mix, Story};
use serde_json::{Value, json};
use skydeck::domain::bill::Outcome;
use skydeck::domain::ids::{Fid, OpId};
use skydeck::domain::operation::Operation;
use skydeck::domain::plan::Column;
use skydeck::domain::run::BillRow;
use skydeck::domain::step::Verb;
use skydeck::engine::ports::Erp;
use skydeck::sim::{WorldConfig, demo_credentials};

/// Histories in an ordinary test run.
const HISTORIES: u64 = 60;

/// The simulator, the people around it, and another server.
struct People {
    wire: Arc<Wire>,
    /// Bills of the simulator: those that exist, those that do not yet.
    ids: Vec<u64>,
    coming: Vec<u64>,
    config: WorldConfig,
    elsewhere: Vec<Arc<Wire>>,
    /// Its server may answer success where nothing happened.
    lies: bool,
}

impl People {
    /// Server-local time (China), `seconds` ago.
    fn server_time(&self, seconds: i64) -> String {
        let at = self.wire.now_ms() / 1000 - seconds + 8 * 3600;
        chrono::DateTime::from_timestamp(at, 0).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string()
    }
}

impl Around for People {
    fn others(&mut self, rng: &mut Rng, mix: &Mix) -> Option<String> {
        let what = rng.u32(0..14);
        if what <= 3 && !self.coming.is_empty() {
            let id = self.coming.swap_remove(rng.usize(..self.coming.len()));
            let late = if rng.bool() { 0 } else { rng.i64(0..110) };
            let status = ["B", "B", "B", "A", "Z"][rng.usize(0..5)];
            let entered = self.server_time(late);
            self.wire.admin("bill", &json!({"id": id, "entered": entered, "status": status}));
            self.ids.push(id);
            return Some(format!("bill {id} is entered as {status}, committed {late} s after its creation"));
        }
        let id = *rng.choice(&self.ids)?;
        let (before, closed) = self.wire.state(id);
        let change = match (what, before.as_str()) {
            (4 | 5, "Z" | "A" | "D") => json!({"id": id, "status": "B"}),
            (6, "B") => json!({"id": id, "status": "C"}),
            (7, "C") => json!({"id": id, "status": "D"}),
            (8, "B" | "A" | "D") => json!({"id": id, "note": format!("edited {}", rng.u32(..))}),
            (9, "A" | "Z" | "D" | "B") if rng.u32(0..4) == 0 => json!({"id": id, "delete": true}),
            (10, _) => {
                let skew = rng.i64(-3_600_000..3_600_000);
                self.wire.admin("clock", &json!({"skew_ms": skew}));
                return Some(format!("the server's clock stands {skew} ms off"));
            }
            (11 | 12, "A" | "Z" | "D" | "B" | "C") if mix.has(CLOSE) && !closed => {
                json!({"id": id, "close_status": "B"})
            }
            (13, "A" | "Z" | "D" | "B" | "C") if closed => json!({"id": id, "close_status": "A"}),
            _ => return None,
        };
        self.wire.admin("bill", &change);
        Some(format!("others: {change} (it was {before})"))
    }

    fn trouble(&mut self, rng: &mut Rng, _: &Mix) -> Vec<String> {
        if rng.u32(0..3) > 0 {
            return Vec::new();
        }
        let network = if rng.bool() { 0 } else { rng.u64(1..40) };
        self.wire.trouble.store(network, Ordering::SeqCst);
        // Some servers lie, and some refuse: 20 to 60 in a hundred calls.
        let share = rng.f64() * 0.4 + 0.2;
        let on = ["Submit", "Audit", "ExecuteOperation"];
        let (words, faults) = match rng.u32(0..5) {
            0 => ("none".to_owned(), json!({"replace": true})),
            1 if self.lies => {
                let rule = json!({"kind": "hollow", "on": on, "rate": share});
                (format!("{:.0} % of successes hollow", share * 100.0), json!({"replace": true, "fault": [rule]}))
            }
            2 => {
                let text = ["字段“客户”是必填项", "单据所属会计期间已关账", "更新库存时出现异常：即时库存不足"];
                let text = text[rng.usize(0..3)];
                let rule = json!({"kind": "error", "on": on, "rate": share, "code": 11, "text": text});
                (format!("{:.0} % refused with {text}", share * 100.0), json!({"replace": true, "fault": [rule]}))
            }
            _ => ("a storm".to_owned(), json!({"replace": true, "preset": "storm"})),
        };
        self.wire.admin("faults", &faults);
        vec![format!("weather: {network} % of calls spoilt by the network; faults of the server: {words}")]
    }

    fn calm(&mut self) {
        self.wire.trouble.store(0, Ordering::SeqCst);
        self.wire.admin("faults", &json!({"replace": true}));
    }

    fn client(&mut self) -> Option<Arc<dyn Erp>> {
        Some(client(&self.wire))
    }

    fn client_elsewhere(&mut self) -> Arc<dyn Erp> {
        let there = Wire::new(&self.config, &self.wire.clock, Rng::with_seed(7));
        self.elsewhere.push(Arc::clone(&there));
        client(&there)
    }

    fn unanswered(&mut self, rows: &[BillRow]) {
        for row in rows {
            self.wire.unanswered(row.fid(), &called(row));
        }
    }

    fn bills(&self) -> Vec<Fid> {
        self.ids.iter().copied().map(Fid::from).collect()
    }
}

/// Bills that a plan still means, and that nobody but a person keeps it from.
fn missed(story: &Story<People>, sums: &mut Sums) -> Found {
    let wire = &story.around.wire;
    let mut wrong = Vec::new();
    for id in story.around.ids.iter().copied() {
        let (status, closed) = wire.state(id);
        let works = story.mix.ops().into_iter().map(|op| (op, oracle::record(&Fid::from(id)).under(&OpId::new(op))));
        let waits = works.clone().filter(|(_, key)| oracle::waits_for_operator(&story.bench, key)).count();
        sums.operator += waits as u64;
        if waits > 0 {
            continue;
        }
        for (op, key) in works {
            let meant = match op {
                CLOSE => !closed && matches!(status.as_str(), "B" | "C"),
                SUBMIT => matches!(status.as_str(), "Z" | "A" | "D"),
                _ => status == "B" || (story.mix.submits_first() && matches!(status.as_str(), "Z" | "A" | "D")),
            };
            let entry = story.bench.store.ledger_entry(&key).unwrap();
            let outcome = entry.as_ref().and_then(|e| e.row.state.outcome());
            // What an audit meets (stock, credit, a closed period) others must mend.
            let refused = op == AUDIT && matches!(outcome, Some(Outcome::Failed(_)));
            sums.operator += u64::from(refused);
            let carried = oracle::is_carried(&story.bench, &key, |rev| rev.status.code() == status);
            sums.operator += u64::from(carried && !refused);
            if meant && !refused && !carried {
                wrong.push((Wrong::Missed, format!("bill {id}, {op:?}, was missed as {status}: ledger {entry:?}")));
            }
        }
    }
    wrong
}

/// What must be true at the end.
fn judge(story: &Story<People>, witness: &Mutex<Witness>) -> Sums {
    let people = &story.around;
    let wire = &people.wire;
    let mut sums = Sums { bills: people.ids.len() as u64, happened: story.happened, ..Sums::default() };
    sums.calls = wire.calls();
    sums.wrong.extend(wire.broken_rules(&people.ids));
    for (op, n) in wire.done() {
        *sums.done.entry(harness::deed(op)).or_default() += n;
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
    for there in &people.elsewhere {
        sums.wrong.extend(there.writes().into_iter().map(|call| (Wrong::Elsewhere, call)));
    }
    story.check();
    sums
}

/// The simulator with half of its bills; the others come later.
fn people(seed: u64, rng: &mut Rng, bench: &Bench) -> People {
    let config = WorldConfig { seed, bills: 40, delay_ms: rng.u64(0..3) * 40, ..WorldConfig::default() };
    let wire = Wire::new(&config, &bench.clock, rng.fork());
    let bills = wire.admin(&format!("bills?form={FORM}"), &Value::Null);
    let all: Vec<u64> = bills["bills"].as_array().unwrap().iter().map(|b| b["id"].as_u64().unwrap()).collect();
    let (mut ids, mut coming) = (Vec::new(), Vec::new());
    for id in all {
        if rng.bool() {
            ids.push(id);
        } else {
            wire.admin("bill", &json!({"id": id, "delete": true}));
            coming.push(id);
        }
    }
    People { wire, ids, coming, config, elsewhere: Vec::new(), lies: rng.bool() }
}

async fn history(seed: u64, said: &Mutex<Vec<String>>) -> Sums {
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let mut bench = histories::any_bench(&mut rng);
    bench.env.user = demo_credentials().user;
    let mut mix = Mix::of(seed, &mut rng, false, true);
    for plan in &mut mix.plans {
        plan.source.columns =
            vec![Column { key: "FBillTypeID".into(), path: "FBillTypeID.FNumber".into(), label: "type".into() }];
    }
    let people = people(seed, &mut rng, &bench);
    let nobody = mix.plans.iter().filter(|p| p.target.verb != Verb::Audit && p.policy.mine.is_none());
    let nobody = nobody.map(|p| Operation::id_of(&p.target)).collect();
    let witness = Witness::new(Arc::clone(&people.wire) as Arc<dyn Real>, nobody);
    Witness::listen(&witness, &bench);
    let mut story = Story::begin(rng, bench, mix, people).await.unwrap();
    story.hostile_days(12..30, said).await;
    let sums = judge(&story, &witness);
    story.said.extend(oracle::trails(&story.bench, &sums.wrong));
    said.lock().unwrap().clone_from(&story.said);
    sums
}

#[test]
fn the_simulators_record_agrees_after_random_hostile_histories() {
    harness::run(|seed, said| harness::in_virtual_time(history(seed, said)), HISTORIES);
}
