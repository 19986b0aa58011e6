//! Random hostile histories of plans that send records to a JSON system: the real engine, both real clients and both simulators
//! in one process, on a virtual clock. Requests are lost before and after they took effect, arrive late, are answered with
//! success and an error in it, with a page of a proxy, with 429; the process dies anywhere; people make, change and delete
//! records there; two plans may send the same ones; what was made is found only a while later, and pages move while they are
//! read; the system is found on another server meanwhile.
//!
//! The oracle is the JSON simulator's own record. One seed is one history; a quarter of them each have a number that the system
//! lets stand once, a field that it does not, and such a field with a token that it keeps for long, or for a short time.
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

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use engine_support::*;
use fastrand::Rng;
use histories::harness::{self, Sums};
use histories::json_wire::{JsonWire, THERE, json_client, our_user};
use histories::oracle::{self, Real, Truth, Witness, Wrong};
use histories::records::{Moved, Records, doubles};
use histories::wire::{Wire, client};
use histories::{Around, Mix, Story};
use serde_json::{Value, json};
use skydeck::domain::env::{Environment, Limits};
use skydeck::domain::ids::{EnvId, Fid, OpId, PlanId, PlanRev};
use skydeck::domain::plan::Plan;
use skydeck::domain::run::BillRow;
use skydeck::engine::ports::Erp;
use skydeck::sim::WorldConfig;
use skydeck::sim::json::{Done, JsonConfig};

/// Histories in an ordinary test run.
const HISTORIES: u64 = 16;
/// Histories that a control has to make something go wrong.
const CONTROLS: u64 = 200;
/// A record that is there from the beginning, by which a plan knows that its looks can find something.
const PROBE: &str = "SO00000001";

/// How what is sent is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A number that the system lets stand once.
    Number,
    /// A field that nothing keeps from standing twice.
    Source,
    /// The same, with a token that the system keeps longer than anything is late.
    Token,
    /// The same, with a token that it soon forgets.
    ShortToken,
    /// A control: declared as standing once, and it does not.
    Lied,
    /// A control: a token is declared, and the system keeps none.
    Forgotten,
    /// A control: what was made is found later than the plan says.
    Unseen,
}

impl Kind {
    fn of(seed: u64) -> Self {
        [Self::Number, Self::Source, Self::Token, Self::ShortToken][(seed % 4) as usize]
    }

    /// A person may order that what is unresolved is sent again: the system, or its token, keeps it from standing twice.
    fn retries(self) -> bool {
        matches!(self, Self::Number | Self::Lied | Self::Unseen)
    }

    /// A guard is taken out: what is said of the system is not so.
    fn is_control(self) -> bool {
        matches!(self, Self::Lied | Self::Forgotten | Self::Unseen)
    }

    /// The system keeps a key from standing twice.
    fn is_unique(self) -> bool {
        matches!(self, Self::Number | Self::Unseen)
    }
}

/// What the dice say of the system, beside its kind.
struct Dice {
    /// It tells the refused by a status, and not by a code alone.
    statuses: bool,
    /// Its numbers are texts.
    texts: bool,
    /// Calls need a token that is fetched and goes out of date.
    signs_in: bool,
    /// Looks list all records, page by page.
    by_pages: bool,
    /// What was made is found so many seconds later at the latest.
    lag: u64,
    /// How long it keeps the token of a call, in seconds.
    keeps: u64,
}

impl Dice {
    fn roll(rng: &mut Rng, kind: Kind) -> Self {
        Self {
            statuses: rng.bool(),
            texts: rng.bool(),
            signs_in: rng.bool(),
            by_pages: rng.u32(0..4) == 0,
            lag: match kind {
                // Later than a lost call is looked for.
                Kind::Unseen => rng.u64(200..900),
                _ if rng.u32(0..3) == 0 => rng.u64(1..60),
                _ => 0,
            },
            keeps: if kind == Kind::ShortToken { [60, 100, 300, 600][rng.usize(0..4)] } else { 86_400 },
        }
    }

    /// What the system decides.
    fn settings(&self, kind: Kind) -> Value {
        let duplicates = if kind.is_unique() { "refuse" } else { "accept" };
        let token = if kind == Kind::Forgotten { "X-Other" } else { "Idempotency-Key" };
        json!({
            "collection": {"orders": {"duplicates": duplicates}},
            "auth": if self.signs_in { "token" } else { "none" },
            "token": {"seconds": 900},
            "repeat": {"header": token, "keeps_seconds": self.keeps},
            "answers": if self.statuses { "status" } else { "code" },
            "numbers_as_text": self.texts,
            "visible_ms": self.lag * 1000,
        })
    }

    /// A plan that sends an order of each record, for a customer of the system.
    fn plan(&self, kind: Kind, customer: &str) -> Plan {
        let text = std::fs::read_to_string("plans/outstock_to_order.json").unwrap();
        let mut plan: Value = serde_json::from_str(&text).unwrap();
        plan["target"]["request"][1]["value"] = json!(customer);
        let own = &mut plan["skydeck"];
        (own["env"], own["target_env"], own["probe"]) = (json!("test"), json!(THERE), json!(PROBE));
        if !matches!(kind, Kind::Number | Kind::Lied | Kind::Unseen) {
            own["key"] = json!({"source": "so_id"});
        }
        if matches!(kind, Kind::Token | Kind::ShortToken | Kind::Forgotten) {
            own["token"] = json!({"header": "Idempotency-Key", "keeps": format!("{}s", self.keeps)});
        }
        if self.by_pages {
            own["look"]["query"] = json!({"page": "{{page}}", "page_size": "25"});
            own["look"]["pages"] = json!({"first": 1, "size": 25, "most": 40});
        }
        if self.lag > 0 && kind != Kind::Unseen {
            own["look"]["lag"] = json!(format!("{}s", self.lag));
        }
        skydeck::plan::read(PlanId::new("send"), &plan.to_string()).unwrap().runnable().unwrap().clone()
    }
}

/// What the JSON simulator's record says of the orders of each record.
struct Orders {
    there: Arc<JsonWire>,
    source: Arc<Wire>,
    /// Source record → the key of its order.
    keys: BTreeMap<u64, String>,
}

impl Orders {
    fn key(&self, id: u64) -> String {
        self.keys.get(&id).cloned().unwrap_or_else(|| panic!("a record with the id {id} is told of"))
    }

    /// Calls of ours that made an order while one stood there under the same key.
    fn doubles(&self, key: &str) -> Vec<String> {
        let lines = self.there.lines(key).into_iter().filter(|line| line.refused.is_none());
        let moved = |line: Done| match (line.verb, line.after.as_str()) {
            ("create", _) => (line.id, Moved::Made { ours: line.user == our_user() }, format!("{line:?}")),
            (_, "-") => (line.id, Moved::Gone, String::new()),
            // Whatever somebody else does to it, it is there.
            (_, _) => (line.id, Moved::Made { ours: false }, String::new()),
        };
        doubles(key, lines.map(moved))
    }
}

impl Real for Orders {
    fn truth(&self, op: &OpId, fid: &Fid) -> Truth {
        assert_eq!(op.as_str(), SEND);
        let id = fid.as_str().parse().unwrap();
        let key = self.key(id);
        let call = self.there.answered_last(std::slice::from_ref(&key));
        let mut truth = Truth { hollow: call.is_some(), ..Truth::default() };
        let (mut standing, lines) = (HashSet::new(), self.there.lines(&key));
        for line in &lines {
            let ours = line.verb == "create" && line.user == our_user();
            // The record tells of all that was done or refused: answered, and not in it, is hollow.
            truth.hollow &= !(ours && call.is_some_and(|at| line.seq as usize > at));
            if ours {
                truth.refused_as_done =
                    line.refused.as_ref().is_some_and(|said| said.contains("已存在")) && truth.there;
            }
            if line.refused.is_none() && line.after == "-" {
                standing.remove(&line.id);
            } else if line.refused.is_none() && standing.insert(line.id) {
                (truth.came, truth.by_us) = (truth.came + 1, ours);
                truth.ours += u64::from(ours);
                truth.overdue += u64::from(ours && self.there.is_overdue(line.seq));
            }
            truth.there = !standing.is_empty();
        }
        truth.gone = self.source.state(id).0 == "-" || (truth.came > 0 && !truth.there);
        truth.by_us &= truth.there;
        truth
    }
}

/// Both systems, and the people around them.
struct People {
    orders: Arc<Orders>,
    records: Records,
    kind: Kind,
    limits: Limits,
    /// Its server may answer success where nothing happened.
    lies: bool,
    by_pages: bool,
    /// What the system was made of, and the other servers on which it stood meanwhile.
    config: JsonConfig,
    elsewhere: Vec<Arc<JsonWire>>,
}

impl People {
    /// Somebody changes or deletes an order that was made.
    fn with_the_made(&self, rng: &mut Rng, key: &str) -> Option<String> {
        let (id, status) = self.orders.there.there(key).into_iter().next()?;
        let change = match rng.u32(0..8) {
            0..=2 => json!({"touch": true}),
            3 => json!({"status": "closed"}),
            4 => json!({"lock": {"seconds": 20}}),
            5 => json!({"delete": true}),
            _ => return None,
        };
        let mut body = change.clone();
        (body["form"], body["id"]) = (json!("orders"), json!(id.to_string()));
        self.orders.there.admin("bill", &body);
        Some(format!("others: {key}, made as {id}: {change} (it was {status})"))
    }

    /// What goes wrong at the other system from now on, and in words.
    fn faults(&self, rng: &mut Rng) -> (String, Vec<Value>) {
        // Some refuse, some lie: 20 to 60 in a hundred calls.
        let share = rng.f64() * 0.4 + 0.2;
        let when = if rng.bool() { "before" } else { "after" };
        let of = |kind: &str, more: Value| {
            let mut rule = json!({"kind": kind, "on": ["create"], "rate": share});
            rule.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
            vec![rule]
        };
        let rules = match rng.u32(0..9) {
            // Later than anything is waited for: only what the guard is about keeps such a call from making a second record.
            _ if matches!(self.kind, Kind::Lied | Kind::Forgotten) => {
                of("late", json!({"ms": rng.i64(150_000..900_000)}))
            }
            0 if self.lies => of("hollow", json!({})),
            1 => {
                let text = ["字段“customer”是必填项", "系统繁忙，请稍后再试", "服务器内部错误"][rng.usize(0..3)];
                of("error", json!({"code": 50_000, "text": text, "when": when}))
            }
            2 => {
                let status = if rng.bool() { 200 } else { 502 };
                of("html", json!({"status": status, "when": when}))
            }
            3 => {
                let seconds = [0, 1, 40][rng.usize(0..3)];
                of("status", json!({"status": 429, "seconds": seconds, "when": when}))
            }
            4 => of("late", json!({"ms": rng.i64(1_000..100_000)})),
            5 => of(["session_lost", "session_expiry"][rng.usize(0..2)], json!({"when": when})),
            6 => {
                of(["other_bill", "other_number", "partial", "stale_answer"][rng.usize(0..4)], json!({"when": "after"}))
            }
            7 => return ("a storm".to_owned(), Vec::new()),
            _ => return ("none".to_owned(), of("reset", json!({"rate": 0.0}))),
        };
        let words = rules.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        (words, rules)
    }
}

impl Around for People {
    fn others(&mut self, rng: &mut Rng, _: &Mix) -> Option<String> {
        let what = rng.u32(0..14);
        if what <= 3 && !self.records.coming.is_empty() {
            return self.records.enter(rng);
        }
        let id = *rng.choice(&self.records.ids)?;
        let key = self.orders.key(id);
        match what {
            10 if self.kind.is_unique() && self.records.is_meant(id) && rng.u32(0..3) == 0 => {
                let there = !self.orders.there.there(&key).is_empty();
                (!there).then(|| {
                    self.orders.there.insert(&key);
                    format!("somebody makes {key} by hand")
                })
            }
            11.. => self.with_the_made(rng, &key),
            _ => self.records.change(rng, what, id),
        }
    }

    fn trouble(&mut self, rng: &mut Rng, _: &Mix) -> Vec<String> {
        if !self.kind.is_control() && rng.u32(0..3) > 0 {
            return Vec::new();
        }
        let network = if self.kind.is_control() || rng.bool() { 0 } else { rng.u64(1..40) };
        let there = &self.orders.there;
        there.trouble.store(network, Ordering::SeqCst);
        let source = if rng.u32(0..4) == 0 { rng.u64(1..20) } else { 0 };
        self.records.wire.trouble.store(source, Ordering::SeqCst);
        let (words, rules) = self.faults(rng);
        match rules.as_slice() {
            [] => there.admin("faults", &json!({"replace": true, "preset": "storm"})),
            rules => there.admin("faults", &json!({"replace": true, "fault": rules})),
        };
        let touched = if self.by_pages && rng.u32(0..3) == 0 { rng.u64(1..4) } else { 0 };
        there.decide(|settings| settings["touched_per_page"] = json!(touched));
        vec![format!(
            "weather: {network} % of calls there and {source} % here spoilt by the network; {touched} records touched a page; \
             faults of the system: {words}"
        )]
    }

    fn calm(&mut self) {
        let there = &self.orders.there;
        there.trouble.store(0, Ordering::SeqCst);
        self.records.wire.trouble.store(0, Ordering::SeqCst);
        there.admin("faults", &json!({"replace": true}));
        there.decide(|settings| settings["touched_per_page"] = json!(0));
    }

    fn client(&mut self) -> Option<Arc<dyn Erp>> {
        Some(client(&self.records.wire))
    }

    fn beside(&mut self) -> Vec<(Environment, Arc<dyn Erp>)> {
        vec![(JsonWire::environment(self.limits.clone()), json_client(&self.orders.there))]
    }

    fn moving(&self) -> EnvId {
        EnvId::new(THERE)
    }

    fn client_elsewhere(&mut self) -> Arc<dyn Erp> {
        let here = &self.orders.there;
        let there = JsonWire::new(&self.config, &here.clock, Rng::with_seed(7), here.signs_in);
        self.elsewhere.push(Arc::clone(&there));
        json_client(&there)
    }

    fn unanswered(&mut self, rows: &[BillRow]) {
        for row in rows {
            let key = self.orders.key(row.fid().as_str().parse().unwrap());
            self.orders.there.unanswered_of(&[key]);
        }
    }

    fn bills(&self) -> Vec<Fid> {
        self.records.fids()
    }
}

/// What must be true at the end.
fn judge(story: &Story<People>, witness: &Mutex<Witness>) -> Sums {
    let people = &story.around;
    let (orders, there) = (&people.orders, &people.orders.there);
    let ids = &people.records.ids;
    let mut sums = Sums { bills: ids.len() as u64, happened: story.happened, ..Sums::default() };
    sums.calls = there.calls();
    for id in ids {
        let key = orders.key(*id);
        *sums.done.entry(harness::deed(SEND)).or_default() += u64::from(there.made_under(&key));
        sums.wrong.extend(orders.doubles(&key).into_iter().map(|what| (Wrong::Twice, format!("bill {id}: {what}"))));
        let beside = there.beside_each_other(&[key]).into_iter();
        sums.wrong.extend(beside.map(|(kind, what)| (kind, format!("bill {id}, as {what}"))));
    }
    let is_done = |id: u64| !there.there(&orders.key(id)).is_empty();
    for there in &people.elsewhere {
        sums.wrong.extend(there.writes().into_iter().map(|call| (Wrong::Elsewhere, call)));
    }
    let missed = people.records.missed(story, (&OpId::new(SEND), orders.as_ref()), is_done, &mut sums);
    sums.wrong.extend(missed);
    let mut witness = witness.lock().unwrap();
    witness.end();
    sums.wrong.append(&mut witness.found);
    story.check();
    sums
}

/// Both simulators; of the records half, the others come later.
fn people(seed: u64, kind: Kind, dice: &Dice, rng: &mut Rng, bench: &Bench) -> People {
    let config = WorldConfig { seed, bills: 24, ..WorldConfig::default() };
    let source = Wire::new(&config, &bench.clock, rng.fork());
    let (records, numbers) = Records::half(&source, Some(THERE), rng);
    let settings = serde_json::from_value(dice.settings(kind)).unwrap();
    let config = JsonConfig { seed, orders: 30, delay_ms: rng.u64(0..3) * 40, settings, ..JsonConfig::default() };
    let there = JsonWire::new(&config, &bench.clock, rng.fork(), dice.signs_in);
    there.by_pages.store(dice.by_pages, Ordering::SeqCst);
    // A person's call is not bound by the limit of ours: where nothing repeats a call by itself, or a token proves what it is, it
    // may come at any time.
    there.later.store(if kind.is_unique() { 0 } else { 300_000 }, Ordering::SeqCst);
    let orders = Arc::new(Orders { there, source, keys: numbers });
    let limits = bench.env.limits.clone();
    let (lies, by_pages) = (rng.bool(), dice.by_pages);
    People { orders, records, kind, limits, lies, by_pages, config, elsewhere: Vec::new() }
}

async fn history(seed: u64, kind: Kind, said: &Mutex<Vec<String>>) -> Sums {
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let mut bench = histories::any_bench(&mut rng);
    bench.env.user = skydeck::sim::demo_credentials().user;
    let dice = Dice::roll(&mut rng, kind);
    let mut plan = dice.plan(kind, "C0001");
    // A page takes all lines of a record.
    plan.policy.page_size = rng.u32(8..30);
    // The other plan may make another body of a record.
    let other = if rng.bool() { dice.plan(kind, "C0002") } else { plan.clone() };
    let again = Plan { id: PlanId::new("again"), rev: PlanRev::new("a9a1a9a1a9a1a9a1"), ..other };
    let plans = if rng.u32(0..4) == 0 { vec![plan, again] } else { vec![plan] };
    let moves = !kind.is_control() && rng.u32(0..3) == 0;
    let mix = Mix { plans, crashes: true, ordinary: false, moves, retries: kind.retries() };
    let people = people(seed, kind, &dice, &mut rng, &bench);
    let witness = Witness::new(Arc::clone(&people.orders) as Arc<dyn Real>, HashSet::from([OpId::new(SEND)]));
    Witness::listen(&witness, &bench);
    let mut story = Story::begin(rng, bench, mix, people).await.unwrap();
    story.hostile_days(10..24, said).await;
    let sums = judge(&story, &witness);
    story.said.extend(oracle::trails(&story.bench, &sums.wrong));
    said.lock().unwrap().clone_from(&story.said);
    sums
}

#[test]
fn nothing_is_sent_twice_and_nothing_is_told_that_did_not_happen_in_random_hostile_histories() {
    harness::run(|seed, said| harness::in_virtual_time(history(seed, Kind::of(seed), said)), HISTORIES);
}

/// Histories that once went wrong: a second plan sent a record whose call was refused and not believed; a call came after the
/// system's own limit.
#[test]
fn what_once_went_wrong_does_not() {
    for seed in [879, 1322, 1890, 3366] {
        let sums = harness::in_virtual_time(history(seed, Kind::of(seed), &Mutex::default()));
        assert!(sums.wrong.is_empty(), "seed {seed}: {:?}", sums.wrong);
    }
}

/// The first history from one on in which something of this sort goes wrong; `None`: in none of them.
fn first_wrong(kind: Kind, wrong: Wrong, first: u64) -> Option<u64> {
    let goes_wrong = |seed: &u64| {
        // A plan that says what is not so may also keep its runs from ever ending.
        let ends = std::panic::AssertUnwindSafe(|| harness::in_virtual_time(history(*seed, kind, &Mutex::default())));
        std::panic::catch_unwind(ends).is_ok_and(|sums| sums.wrong.iter().any(|(found, _)| *found == wrong))
    };
    let found = (first..first + CONTROLS).find(goes_wrong);
    eprintln!("{kind:?}: {wrong:?} from {first} on in {found:?}");
    found
}

/// The control: the system takes a key twice, and the plan says that it does not.
#[test]
fn where_a_key_is_said_to_stand_once_and_does_not_records_are_sent_twice() {
    assert!(first_wrong(Kind::Lied, Wrong::Twice, 0).is_some(), "these histories show nothing");
}

/// The control: the system keeps no token, and the plan says that it does.
#[test]
fn where_a_token_is_said_to_be_kept_and_is_not_records_are_sent_twice() {
    assert!(first_wrong(Kind::Forgotten, Wrong::Twice, 0).is_some(), "these histories show nothing");
}

/// The control: what was made is found later than the plan says, so that an empty look is believed too early.
#[test]
fn where_an_empty_look_is_believed_too_early_what_is_there_is_told_as_failed() {
    assert!(first_wrong(Kind::Unseen, Wrong::FailedAndIsDone, 0).is_some(), "these histories show nothing");
}
