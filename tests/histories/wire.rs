//! The way to the Kingdee simulator, and what its own record says of what was sent.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;
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
use super::road::{Note, Road, Sent};
use crate::engine_support::rules::{OPS, op_of};
use crate::engine_support::{AUDIT, CLOSE, FORM, PUSH, SAVE, SUBMIT, TokioClock, causes};

/// A call may meet a bill that somebody changed after it was read: as old as a status may be, and as late as a call may come.
const RACE: Duration = Duration::from_secs(150);

/// The network, and the Kingdee server behind it.
pub struct Wire {
    road: Road<sim::World>,
    /// Status and close mark that bills had in the beginning.
    began: HashMap<u32, (char, char)>,
}

impl Deref for Wire {
    type Target = Road<sim::World>;

    fn deref(&self) -> &Self::Target {
        &self.road
    }
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
    pub fn new(config: &WorldConfig, clock: &Arc<TokioClock>, rng: Rng) -> Arc<Self> {
        let road = Road::<sim::World>::new(config, clock, rng);
        let list = road.admin(&format!("bills?form={FORM}"), &Value::Null);
        let letter = |bill: &Value, key: &str| bill[key].as_str().and_then(|s| s.chars().next()).unwrap_or('-');
        let bills = list["bills"].as_array().unwrap().iter();
        let began = |b: &Value| (b["id"].as_u64().unwrap() as u32, (letter(b, "status"), letter(b, "close_status")));
        Arc::new(Self { began: bills.map(began).collect(), road })
    }

    /// Status of a bill, `-` when it is gone; and whether it is closed.
    pub fn state(&self, id: u64) -> (String, bool) {
        let list = self.admin(&format!("bills?form={FORM}&after={}&limit=1", id - 1), &Value::Null);
        let bill = &list["bills"][0];
        let there = bill["id"] == id;
        let status = if there { bill["status"].as_str().unwrap() } else { "-" };
        (status.to_owned(), there && bill["close_status"] == "B")
    }
}

#[async_trait]
impl Transport for Wire {
    async fn post(&self, Post { path, headers, body, kind }: Post<'_>) -> Result<HttpReply, TransportFault> {
        let text = String::from_utf8_lossy(&body).into_owned();
        let note = Note { op: op_of_request(path, &text), text, kind, of_all: false };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let makes = makes(&path);
        let request = RequestParts { method: "POST".to_owned(), path, headers, body: body.into() };
        let usable = |reply: &HttpReply| {
            let said = serde_json::from_slice::<Value>(&reply.body);
            let of_a_call = |said: Value| said["Result"]["ResponseStatus"]["IsSuccess"].is_boolean();
            reply.status == 200 && said.is_ok_and(|said| kind != CallKind::Write || of_a_call(said))
        };
        self.road.exchange(note, request, makes, usable).await
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
        let sent = self.sent();
        let of = |call: &&Sent| call.kind == CallKind::Write && call.op == op && call.text.contains(fid.as_str());
        sent.iter().rev().find(of).filter(|call| call.answered).map(|call| call.record)
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
        let mut sent = self.sent();
        let last = |call: &&mut Sent| {
            call.kind == CallKind::Write && call.op == op_of(verb) && call.text.contains(fid.as_str())
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

    /// Calls that met a bill in another state than the one they are for, where nobody had just changed it.
    fn called_as_not_read(&self) -> Found {
        let user = demo_credentials().user;
        let mut changed: HashMap<u32, Duration> = HashMap::new();
        let mut broken = Vec::new();
        let stamps = self.stamps();
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
