//! The network between the client and the simulator: passes calls on, loses some, brings some late; and what the
//! simulator's own record says of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use serde_json::Value;
use skydeck::domain::ids::{EnvId, Fid, OpId};
use skydeck::domain::step::Verb;
use skydeck::domain::time::Clock;
use skydeck::engine::ports::Erp;
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::{ClientConfig, SignIn};
use skydeck::erp::transport::{CallKind, HttpReply, Post, Transport, TransportFault};
use skydeck::sim::{self, RequestParts, WorldConfig, demo_credentials};

use super::oracle::{Found, Real, Truth, Wrong};
use crate::engine_support::rules::{OPS, op_of};
use crate::engine_support::{AUDIT, CLOSE, FORM, PUSH, SAVE, SUBMIT, TokioClock, causes};

/// The driver's time at the beginning, Unix milliseconds; the engine's wall clock may be stepped, this one never is.
const BEGAN: i64 = 1_790_000_000_000;
/// Answers larger than this are given up (the client's own limit, smaller here to save time).
const LARGE: usize = 4 << 20;
/// The server's own limit of a request, after which it applies nothing.
const LIMIT: Duration = Duration::from_secs(120);
/// A call may meet a bill that somebody changed after it was read: as old as a status may be, and as late as a call may come.
const RACE: Duration = Duration::from_secs(150);

/// What the client sent, and whether a whole answer came back.
struct Sent {
    body: String,
    kind: CallKind,
    op: &'static str,
    at: Duration,
    answered: bool,
    /// Lines that the record had when it left.
    record: usize,
}

/// The network, and the server behind it.
pub struct Wire {
    world: Mutex<sim::World>,
    pub clock: Arc<TokioClock>,
    rng: Mutex<Rng>,
    /// Calls in a hundred that the network spoils.
    pub trouble: AtomicU64,
    /// How much later than others a request that makes a bill may arrive, milliseconds.
    pub later: AtomicU64,
    sent: Mutex<Vec<Sent>>,
    /// Requests on their way, and when they arrive.
    late: Mutex<Vec<(Duration, RequestParts)>>,
    /// True time of each line of the record.
    stamps: Mutex<Vec<Duration>>,
    /// Status and close mark that bills had in the beginning.
    began: HashMap<u32, (char, char)>,
}

/// A new client, as a new process has it.
pub fn client(wire: &Arc<Wire>) -> Arc<dyn Erp> {
    let c = demo_credentials();
    let sign_in = SignIn::Signed { app_id: c.app_id.clone(), app_secret: c.app_secret.clone().into() };
    let config = ClientConfig::new(EnvId::new("test"), "http://127.0.0.1:9/k3cloud/", c.account, c.user, sign_in);
    let clock = Arc::clone(&wire.clock) as Arc<dyn Clock>;
    let transport = Arc::clone(wire) as Arc<dyn Transport>;
    Arc::new(KingdeeErp::over(config, Arc::new(causes()), clock, transport).unwrap())
}

/// Whether a request makes bills.
fn makes(path: &str) -> bool {
    path.contains(".Save.") || path.contains(".BatchSave.") || path.contains(".Push.")
}

/// The operation a request belongs to: what it calls, or what it looks at.
fn op_of_request(path: &str, body: &str) -> &'static str {
    if makes(path) {
        return if path.contains(".Push.") { PUSH } else { SAVE };
    }
    let closes = path.contains("ExecuteOperation") || body.contains("FCloseStatus");
    match (closes, path.contains(".Submit.")) {
        (true, _) => CLOSE,
        (false, true) => SUBMIT,
        (false, false) => AUDIT,
    }
}

impl Wire {
    pub fn new(config: WorldConfig, clock: &Arc<TokioClock>, rng: Rng) -> Arc<Self> {
        let mut wire = Self {
            world: Mutex::new(sim::World::new(config, BEGAN)),
            clock: Arc::clone(clock),
            rng: Mutex::new(rng),
            trouble: AtomicU64::new(0),
            later: AtomicU64::new(0),
            sent: Mutex::default(),
            late: Mutex::default(),
            stamps: Mutex::default(),
            began: HashMap::new(),
        };
        let list = wire.admin(&format!("bills?form={FORM}"), &Value::Null);
        let letter = |bill: &Value, key: &str| bill[key].as_str().and_then(|s| s.chars().next()).unwrap_or('-');
        let bills = list["bills"].as_array().unwrap().iter();
        let began = |b: &Value| (b["id"].as_u64().unwrap() as u32, (letter(b, "status"), letter(b, "close_status")));
        wire.began = bills.map(began).collect();
        Arc::new(wire)
    }

    pub fn now_ms(&self) -> i64 {
        BEGAN + self.clock.start_elapsed().as_millis() as i64
    }

    /// Lets the world do something, after what has come late.
    fn with<T>(&self, f: impl FnOnce(&mut sim::World, i64) -> T) -> T {
        let now = self.clock.start_elapsed();
        let mut world = self.world.lock().unwrap();
        let mut stamps = self.stamps.lock().unwrap();
        let mut late = self.late.lock().unwrap();
        late.sort_by_key(|(due, _)| *due);
        let due = late.partition_point(|(due, _)| *due <= now);
        for (due, request) in late.drain(..due) {
            drop(world.handle(request, BEGAN + due.as_millis() as i64));
            stamps.resize(world.record().len(), due);
        }
        let done = f(&mut world, BEGAN + now.as_millis() as i64);
        stamps.resize(world.record().len(), now);
        done
    }

    pub fn admin(&self, path: &str, body: &Value) -> Value {
        let method = if body.is_null() { "GET" } else { "POST" };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request =
            RequestParts { method: method.into(), path: format!("/admin/{path}"), headers: vec![], body: body.into() };
        let reply = self.with(|world, now| world.handle(request, now));
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, 200, "{path}: {answer}");
        answer
    }

    /// Status of a bill, `-` when it is gone; and whether it is closed.
    pub fn state(&self, id: u64) -> (String, bool) {
        let list = self.admin(&format!("bills?form={FORM}&after={}&limit=1", id - 1), &Value::Null);
        let bill = &list["bills"][0];
        let there = bill["id"] == id;
        let status = if there { bill["status"].as_str().unwrap() } else { "-" };
        (status.to_owned(), there && bill["close_status"] == "B")
    }

    /// What the network does to this call: nothing, lose the request, lose the answer, bring the request late.
    fn mishap(&self) -> u32 {
        let mut rng = self.rng.lock().unwrap();
        if rng.u64(0..100) < self.trouble.load(Ordering::SeqCst) { rng.u32(1..6) } else { 0 }
    }

    async fn answer(&self, request: RequestParts) -> Result<HttpReply, TransportFault> {
        let broken = || Err(TransportFault::Broken("connection reset".to_owned()));
        let mishap = self.mishap();
        match mishap {
            1 => return Err(TransportFault::NotSent("connection refused".to_owned())),
            2 => return broken(),
            5 => {
                let later = if makes(&request.path) { self.later.load(Ordering::SeqCst) } else { 0 };
                let span = Duration::from_millis(self.rng.lock().unwrap().u64(0..110_000 + later));
                self.late.lock().unwrap().push((self.clock.start_elapsed() + span, request));
                return broken();
            }
            _ => {}
        }
        let mut reply = self.with(|world, now| world.handle(request, now));
        while let sim::Transport::Parked { ticket, due_ms } = reply.transport {
            let wait = u64::try_from(due_ms - self.now_ms()).unwrap_or(0).max(1);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            reply = self.with(|world, now| world.resume(ticket, now));
        }
        tokio::time::sleep(Duration::from_millis(reply.wait_ms)).await;
        match mishap {
            3 => return broken(),
            // No answer: the client's own limit ends the wait.
            4 => std::future::pending::<()>().await,
            _ => {}
        }
        match reply.transport {
            sim::Transport::Reset | sim::Transport::Truncated(_) | sim::Transport::Parked { .. } => return broken(),
            sim::Transport::Slow { bytes, every_ms } => {
                let pieces = reply.body.len() as u64 / (bytes as u64).max(1);
                tokio::time::sleep(Duration::from_millis(pieces * every_ms)).await;
            }
            sim::Transport::Whole | sim::Transport::NoLength | sim::Transport::Twice => {}
        }
        if (300..400).contains(&reply.status) {
            let to = reply.header("location").unwrap_or_default().to_owned();
            return Err(TransportFault::Redirected { status: reply.status, to });
        }
        if reply.header("content-encoding").is_some() || reply.body.len() > LARGE {
            return Err(TransportFault::TooLarge { limit: LARGE });
        }
        Ok(HttpReply { status: reply.status, headers: reply.headers.clone(), body: reply.body.to_vec() })
    }
}

#[async_trait]
impl Transport for Wire {
    async fn post(&self, Post { path, headers, body, kind }: Post<'_>) -> Result<HttpReply, TransportFault> {
        let at = {
            let text = String::from_utf8_lossy(&body).into_owned();
            let op = op_of_request(path, &text);
            let record = self.with(|world, _| world.record().len());
            let mut sent = self.sent.lock().unwrap();
            sent.push(Sent { body: text, kind, op, at: self.clock.start_elapsed(), answered: false, record });
            sent.len() - 1
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let request = RequestParts { method: "POST".to_owned(), path, headers, body: body.into() };
        let answer = self.answer(request).await;
        let usable = |reply: &HttpReply| {
            let said = serde_json::from_slice::<Value>(&reply.body);
            let of_a_call = |said: Value| said["Result"]["ResponseStatus"]["IsSuccess"].is_boolean();
            reply.status == 200 && said.is_ok_and(|said| kind != CallKind::Write || of_a_call(said))
        };
        self.sent.lock().unwrap()[at].answered = answer.as_ref().is_ok_and(usable);
        if matches!(answer, Err(TransportFault::NotSent(_))) {
            self.sent.lock().unwrap()[at].body.clear();
        }
        answer
    }
}

/// The letter that an operation leads to, of the state it moves.
fn done_letters(op: &str) -> &'static [char] {
    match op {
        CLOSE => &['B'],
        SUBMIT => &['B', 'C'],
        _ => &['C'],
    }
}

fn moves_of(op: &str) -> sim::State {
    if op == CLOSE { sim::State::Close } else { sim::State::Document }
}

fn verb_of(op: &str) -> &'static str {
    match op {
        CLOSE => "BillClose",
        SUBMIT => "Submit",
        _ => "Audit",
    }
}

impl Real for Wire {
    fn truth(&self, op: &OpId, fid: &Fid) -> Truth {
        let id: u32 = fid.as_str().parse().unwrap_or_else(|_| panic!("the program told of a bill with the id {fid:?}"));
        let op = OPS.into_iter().find(|known| *known == op.as_str()).unwrap();
        let (done, user) = (done_letters(op), demo_credentials().user);
        let began = self.began.get(&id).copied().unwrap_or(('-', '-'));
        let began = if op == CLOSE { began.1 } else { began.0 };
        let call = self.last_call(op, fid);
        self.with(|world, _| {
            let mut truth = Truth {
                hollow: call.is_some(),
                there: done.contains(&began),
                came: u64::from(done.contains(&began)),
                ..Truth::default()
            };
            let lines = world.record().after(0, usize::MAX).iter();
            let mut gone = began == '-';
            for line in lines.filter(|line| line.form == 0 && line.id == id) {
                if line.state == sim::State::Document {
                    gone = line.after == '-';
                }
                let ours = line.verb == verb_of(op) && *line.user == *user;
                // The record tells of all that was done or refused: answered, and not in it, is hollow.
                truth.hollow &= !(ours && call.is_some_and(|at| line.seq as usize > at));
                if ours {
                    let says_so = op != AUDIT || line.refused.as_ref().is_some_and(|said| said.contains("已经审核"));
                    truth.refused_as_done = line.refused.is_some() && done.contains(&line.before) && says_so;
                }
                if line.state != moves_of(op) || line.refused.is_some() {
                    continue;
                }
                truth.ours += u64::from(ours);
                let (before, after) = (done.contains(&line.before), done.contains(&line.after));
                if after && !before {
                    truth.came += 1;
                    truth.by_us = ours;
                }
                truth.there = after;
            }
            truth.gone = gone;
            truth.there &= !gone;
            truth.by_us &= truth.there;
            truth
        })
    }
}

impl Wire {
    /// How long the record was when the last call of an operation for a bill left, where an answer to it came.
    fn last_call(&self, op: &str, fid: &Fid) -> Option<usize> {
        let sent = self.sent.lock().unwrap();
        let of = |call: &&Sent| call.kind == CallKind::Write && call.op == op && call.body.contains(fid.as_str());
        sent.iter().rev().find(of).filter(|call| call.answered).map(|call| call.record)
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.sent.lock().unwrap().len() as u64
    }

    /// The writing calls, in words.
    pub fn writes(&self) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        sent.iter()
            .filter(|call| call.kind == CallKind::Write)
            .map(|call| format!("called elsewhere: {}", call.body))
            .collect()
    }

    /// What our calls brought about, by operation.
    pub fn done(&self) -> BTreeMap<&'static str, u64> {
        let user = demo_credentials().user;
        let mut done = BTreeMap::new();
        self.with(|world, _| {
            for line in world.record().after(0, usize::MAX) {
                let op = OPS.into_iter().find(|op| verb_of(op) == line.verb);
                if let (Some(op), None, true) = (op, &line.refused, *line.user == *user) {
                    *done.entry(op).or_default() += 1;
                }
            }
        });
        done
    }

    /// What is true of the bills that were made of a record: `names` are its key and the ids of what was made, `lines` of the record tell of them.
    pub fn answered_last(&self, names: &[String]) -> Option<usize> {
        let sent = self.sent.lock().unwrap();
        let of = |call: &&Sent| call.kind == CallKind::Write && names.iter().any(|name| call.body.contains(name));
        sent.iter().rev().find(of).filter(|call| call.answered).map(|call| call.record)
    }

    /// The answer to the last call that names one of these was not durable when the process died.
    pub fn unanswered_of(&self, names: &[String]) {
        let mut sent = self.sent.lock().unwrap();
        let of = |call: &&mut Sent| call.kind == CallKind::Write && names.iter().any(|name| call.body.contains(name));
        if let Some(call) = sent.iter_mut().rev().find(of) {
            call.answered = false;
        }
    }

    /// Lines of the simulator's record that are asked for, in order.
    pub fn lines(&self, of: impl Fn(&sim::Applied) -> bool) -> Vec<sim::Applied> {
        self.with(|world, _| world.record().after(0, usize::MAX).iter().filter(|line| of(line)).cloned().collect())
    }

    /// How many bills of a form were made under a key.
    pub fn made_under(&self, form: &str, key: &str) -> u32 {
        self.with(|world, _| world.key_counts(form, key).changed)
    }

    /// The bills that were pushed from a record and took effect, also those that were deleted since.
    pub fn pushed_from(&self, source: u64, rule: &str) -> Vec<u32> {
        self.with(|world, _| world.pushed_from(FORM, source as u32, rule))
    }

    /// A request of somebody else, who signs in with a password.
    pub fn as_somebody(&self, user: &str, path: &str, body: &Value) -> Value {
        let c = demo_credentials();
        let post = |path: &str, headers: Vec<(String, String)>, body: &Value| {
            let path = format!("/k3cloud/Kingdee.BOS.WebApi.ServicesStub.{path}.common.kdsvc");
            let body = body.to_string().into();
            let request = RequestParts { method: "POST".to_owned(), path, headers, body };
            let reply = self.with(|world, now| world.handle(request, now));
            serde_json::from_slice::<Value>(&reply.body).unwrap_or_default()
        };
        let sign_in = serde_json::json!({"acctid": c.account, "username": user, "password": c.password, "lcid": 2052});
        let welcome = post("AuthService.ValidateUser", Vec::new(), &sign_in);
        let Some(session) = welcome["KDSVCSessionId"].as_str() else { return welcome };
        post(&format!("DynamicFormService.{path}"), vec![("kdservice-sessionid".to_owned(), session.to_owned())], body)
    }

    /// The answer to the last call for a bill was not durable when the process died.
    pub fn unanswered(&self, fid: &Fid, verb: &Verb) {
        let mut sent = self.sent.lock().unwrap();
        let last = |call: &&mut Sent| {
            call.kind == CallKind::Write && call.op == op_of(verb) && call.body.contains(fid.as_str())
        };
        if let Some(call) = sent.iter_mut().rev().find(last) {
            call.answered = false;
        }
    }

    /// Calls that the rules of the product forbid.
    pub fn broken_rules(&self, ids: &[u64]) -> Found {
        let mut broken = self.called_as_not_read();
        for id in ids {
            broken.extend(self.beside_each_other(&[id.to_string()]));
        }
        broken
    }

    /// Calls on one record: none while another is unsettled and within the server's limit; none repeated unless it was looked
    /// at after that.
    pub fn beside_each_other(&self, names: &[String]) -> Found {
        let id = names.first().map_or("", String::as_str);
        let sent = self.sent.lock().unwrap();
        let mut broken = Vec::new();
        let mut open: HashMap<&'static str, (Duration, bool)> = HashMap::new();
        for call in sent.iter().filter(|call| names.iter().any(|name| call.body.contains(name))) {
            match call.kind {
                CallKind::Write => {
                    for (op, (at, read)) in &open {
                        let words =
                            format!("bill {id}: {op:?} at {at:?}, {:?} at {:?}: {}", call.op, call.at, call.body);
                        if call.at < *at + LIMIT {
                            broken.push((Wrong::Overlapping, words));
                        } else if call.op == *op && !read {
                            broken.push((Wrong::Blind, words));
                        }
                    }
                    open.remove(call.op);
                    if !call.answered {
                        open.insert(call.op, (call.at, false));
                    }
                }
                CallKind::Status | CallKind::Read => {
                    for (op, (at, read)) in &mut open {
                        *read |= call.answered && (*op == CLOSE) == (call.op == CLOSE) && call.at >= *at + LIMIT;
                    }
                }
                CallKind::SignIn => {}
            }
        }
        broken
    }

    /// Calls that met a bill in another state than the one they are for, where nobody had just changed it.
    fn called_as_not_read(&self) -> Found {
        let user = demo_credentials().user;
        let mut changed: HashMap<u32, Duration> = HashMap::new();
        let mut broken = Vec::new();
        let stamps = self.stamps.lock().unwrap().clone();
        self.with(|world, _| {
            for (line, at) in world.record().after(0, usize::MAX).iter().zip(stamps) {
                if line.form != 0 {
                    continue;
                }
                if line.verb == "Outside" {
                    changed.insert(line.id, at);
                }
                let expected: &[char] = match line.verb {
                    "Audit" => &['B'],
                    "Submit" => &['Z', 'A', 'D'],
                    "BillClose" => &['A'],
                    _ => continue,
                };
                let raced = changed.get(&line.id).is_some_and(|then| at.saturating_sub(*then) <= RACE);
                if *line.user == *user && !expected.contains(&line.before) && !raced {
                    broken.push((Wrong::Unread, format!("called at {at:?} in another state: {line:?}")));
                }
            }
        });
        broken
    }
}
