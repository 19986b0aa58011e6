//! A generic JSON system: orders, customers, forms over HTTP, with keys that clients choose, tokens, signatures, and faults on
//! order. What an OA, CRM, WMS or a shop looks like to an integration plan.
//!
//! Invariant: the state changes only inside [`JsonWorld::handle`], [`JsonWorld::resume`] and the `/admin` calls, in the order they
//! come; faults, record, counts, parked calls and the wire are those of the Kingdee simulator.

mod admin;
mod config;
mod gate;
mod read;
mod record;
mod refusal;
mod request;
mod restart;
mod rows;
mod seed;
pub mod settings;
mod write;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use chrono::DateTime;
use serde_json::{Value as Json, json};

pub use self::admin::JsonStats;
pub use self::config::{JsonConfig, preset};
pub use self::gate::JsonCredentials;
use self::gate::{Given, Tokens};
pub use self::record::Done;
use self::refusal::{No, Voice, as_texts, json_reply};
use self::request::{Act, Asked};
use self::rows::Collection;
use self::settings::{Answers, JsonSettings};
use super::data::Lock;
use super::faults::{FaultPlan, Faults, Kind, Rule, Target, When};
use super::made::{Keys, digest};
use super::parking::{self, Parking};
use super::record::Record;
use super::reply::{Reply, RequestParts};
use super::rng::{Rng, mix};
use super::spoil;
use super::tally::{Counts, Tally};

/// The system with all that happened to it.
#[derive(Debug)]
pub struct JsonWorld {
    config: JsonConfig,
    settings: JsonSettings,
    collections: Vec<Collection>,
    tokens: Tokens,
    faults: Faults,
    record: Record<Done>,
    tally: Tally,
    keys: Keys,
    locks: HashMap<(usize, String), Lock>,
    /// Answers to calls with a token of their own, by collection and token.
    repeats: HashMap<(usize, String), Answered>,
    replayed: u64,
    calls: BTreeMap<&'static str, u64>,
    call_count: u64,
    /// Calls in the second they came in.
    second: (i64, u32),
    parking: Parking<Call>,
    rng: Rng,
    now_ms: i64,
    skew_ms: i64,
    last_answer: Option<Bytes>,
}

/// A call that was answered under a token of its own.
#[derive(Debug)]
struct Answered {
    packet: u64,
    data: Json,
    until_ms: i64,
}

/// A call on its way to being carried out.
#[derive(Debug)]
struct Call {
    number: u64,
    request: RequestParts,
    asked: Asked,
    /// Position of its collection.
    at: Option<usize>,
    /// The records it names that there are.
    named: Vec<(u32, String)>,
    /// The keys of the records it carries.
    keys: Vec<String>,
    fault: Option<Rule>,
}

/// Who calls, and what a fault makes of the call.
#[derive(Debug)]
struct Caller {
    user: String,
    call: u64,
    half: bool,
    stale: bool,
    hollow: bool,
}

impl Caller {
    fn somebody() -> Self {
        Self { user: "王芳".to_owned(), call: 0, half: false, stale: false, hollow: false }
    }
}

impl JsonWorld {
    /// Makes a system whose records were created in the weeks before `now_ms` (Unix milliseconds).
    pub fn new(config: JsonConfig, now_ms: i64) -> Self {
        let settings = config.settings.clone();
        let mut world = Self {
            collections: Vec::new(),
            // Tokens differ from one start to the next, as they would on a server.
            tokens: Tokens::new(mix(config.seed ^ now_ms as u64)),
            faults: Faults::new(config.faults.clone(), mix(config.seed ^ 0x6661_756c)),
            record: Record::default(),
            tally: Tally::default(),
            keys: Keys::default(),
            locks: HashMap::new(),
            repeats: HashMap::new(),
            replayed: 0,
            calls: BTreeMap::new(),
            call_count: 0,
            second: (0, 0),
            parking: Parking::default(),
            rng: Rng::new(mix(config.seed ^ 0x6a73_6f6e)),
            now_ms,
            skew_ms: 0,
            last_answer: None,
            settings: JsonSettings::default(),
            config,
        };
        world.set_settings(settings);
        let (seed, orders, hostile) = (world.config.seed, world.config.orders, world.config.hostile);
        seed::fill(&mut world.collections, seed, orders, hostile, now_ms);
        world
    }

    /// Changes what it decides. What was made stays as it is, under the keys it had.
    pub fn set_settings(&mut self, settings: JsonSettings) {
        for name in settings.collections() {
            let of = settings.of(&name);
            if let Some(known) = self.collections.iter_mut().find(|known| known.name == name) {
                known.settings = of;
            } else {
                let first = (self.collections.len() as u32 + 1) * 100_000 + 1;
                self.collections.push(Collection::new(name, of, first));
            }
        }
        self.settings = settings;
    }

    /// Answers a request that arrived at `now_ms`; as [`World::handle`](super::World::handle).
    pub fn handle(&mut self, request: RequestParts, now_ms: i64) -> Reply {
        self.advance(now_ms);
        if request.path.starts_with("/admin") {
            return self.admin(&request, now_ms);
        }
        let Some(asked) = Asked::of(&request) else { return spoil::html(404, "404 Not Found") };
        let at = self.find(&asked.collection);
        if at.is_none() && asked.act.group() != "login" {
            return No::absent(&asked.collection).reply(Answers::Status);
        }
        self.call_count += 1;
        *self.calls.entry(asked.act.name()).or_default() += 1;
        let mut call =
            Call { number: self.call_count, request, asked, at, named: Vec::new(), keys: Vec::new(), fault: None };
        self.count(&mut call);
        call.fault = self.draw(&call);
        let late = call.fault.as_ref().filter(|rule| rule.kind == Kind::Late).map(|rule| rule.ms.max(1));
        let delay = call.fault.as_ref().filter(|rule| rule.kind == Kind::Delay && rule.when == When::Before);
        let delay = delay.map_or(0, |rule| rule.ms);
        if let Some(ms) = late {
            self.park(call, ms);
            return parking::reset();
        }
        if delay > 0 { self.park(call, delay) } else { self.execute(call) }
    }

    /// The answer to a parked call; as [`World::resume`](super::World::resume).
    pub fn resume(&mut self, ticket: u64, now_ms: i64) -> Reply {
        self.advance(now_ms);
        self.parking.fetch(ticket)
    }

    /// When the next parked call is due, for drivers with a clock of their own.
    pub fn next_due(&self) -> Option<i64> {
        self.parking.next_due()
    }

    /// Puts fault rules to work before those already there.
    pub fn add_faults(&mut self, plan: FaultPlan) {
        self.faults.add(plan);
    }

    /// What it decides.
    pub fn settings(&self) -> &JsonSettings {
        &self.settings
    }

    /// The record of everything that was done or refused.
    pub fn record(&self) -> &Record<Done> {
        &self.record
    }

    /// Calls that carried a key of a collection, records made of it, refusals.
    pub fn key_counts(&self, collection: &str, key: &str) -> Counts {
        self.find(collection).map(|at| self.keys.of(at, key)).unwrap_or_default()
    }

    /// The status of a record, by its key.
    pub fn status_of(&self, collection: &str, key: &str) -> Option<String> {
        let of = self.collections.get(self.find(collection)?)?;
        Some(of.named(key)?.status.clone())
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.collections.iter().position(|of| of.name == name)
    }

    fn advance(&mut self, now_ms: i64) {
        while let Some((due_ms, ticket, call)) = self.parking.due(now_ms) {
            self.now_ms = due_ms + self.skew_ms;
            let reply = self.execute(call);
            self.parking.done(ticket, due_ms, reply);
        }
        self.now_ms = now_ms + self.skew_ms;
        self.parking.tidy(now_ms);
    }

    fn park(&mut self, call: Call, delay_ms: i64) -> Reply {
        let due_ms = self.now_ms - self.skew_ms + delay_ms;
        Reply::parked(self.parking.park(call, due_ms), due_ms)
    }

    /// Finds out what a call names, and counts it.
    fn count(&mut self, call: &mut Call) {
        let Some(at) = call.at else { return };
        if call.asked.act == Act::Create {
            let items = call.asked.items().map(|(items, _)| items).unwrap_or_default();
            call.keys = items.iter().map(|item| self.key_of(at, item)).collect();
            call.keys.iter().for_each(|key| self.keys.call(at, key));
        }
        let Some(row) = self.collections.get(at).filter(|_| !call.asked.one.is_empty()) else { return };
        let row = row.named(&call.asked.one).map(|row| (row.id, row.key.clone()));
        if let (Act::Move(step), Some((id, _))) = (call.asked.act, &row) {
            self.tally.call(step.name(), at, *id);
        }
        call.named.extend(row);
    }

    fn draw(&mut self, call: &Call) -> Option<Rule> {
        let asked: &[String] = std::slice::from_ref(&call.asked.one);
        self.faults.draw(&Target {
            service: call.asked.act.name(),
            operation: "",
            group: call.asked.act.group(),
            form: &call.asked.collection,
            asked: if call.asked.one.is_empty() { &[] } else { asked },
            bills: &call.named,
            keys: &call.keys,
        })
    }

    fn voice(&self) -> Voice {
        let keys = self.collections.iter().map(|of| of.settings.key.clone()).collect();
        Voice { answers: self.settings.answers, keys }
    }

    fn execute(&mut self, mut call: Call) -> Reply {
        let fault = call.fault.take();
        let mut reply = match &fault {
            Some(rule) => self.execute_with(&call, rule),
            None => self.serve(&call, None),
        };
        reply.wait_ms += self.config.delay_ms;
        self.last_answer = Some(reply.body.clone());
        match DateTime::from_timestamp_millis(self.now_ms) {
            Some(now) => reply.with("Date", now.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
            None => reply,
        }
    }

    fn execute_with(&mut self, call: &Call, rule: &Rule) -> Reply {
        match rule.kind {
            Kind::SessionExpiry => self.tokens.forget_all(),
            Kind::SessionLost => self.tokens.forget(&call.request, &call.asked),
            Kind::ClockSkew => {
                self.skew_ms += rule.ms;
                self.now_ms += rule.ms;
            }
            Kind::Lock => self.lock(call, rule),
            _ => {}
        }
        let voice = self.voice();
        if rule.when == When::Before
            && let Some(reply) = spoil::instead(rule, &voice)
        {
            return reply;
        }
        let before = self.last_answer.clone();
        let reply = self.serve(call, Some(rule));
        if let (Kind::Unaudit, Some(at)) = (rule.kind, call.at) {
            self.taken_back(call, at);
        }
        spoil::after(rule, &voice, reply, before)
    }

    /// Somebody locks what a call names.
    fn lock(&mut self, call: &Call, rule: &Rule) {
        let Some(at) = call.at else { return };
        let user = if rule.user.is_empty() { "张伟" } else { rule.user.as_str() };
        let until_ms = Some(self.now_ms + rule.seconds.max(1) * 1000);
        for key in call.keys.iter().chain(call.named.iter().map(|(_, key)| key)) {
            self.locks.insert((at, key.to_lowercase()), Lock { user: user.to_owned(), until_ms, tries: None });
        }
    }

    /// Whether nobody holds a record.
    fn unlocked(&self, at: usize, key: &str) -> Result<(), No> {
        match self.locks.get(&(at, key.to_lowercase())) {
            Some(lock) if lock.until_ms.is_none_or(|until| until > self.now_ms) => Err(No::locked(&lock.user)),
            _ => Ok(()),
        }
    }

    /// Somebody else takes back what a call did.
    fn taken_back(&mut self, call: &Call, at: usize) {
        let lines = self.record.after(0, usize::MAX).iter().rev().take_while(|line| line.call == call.number);
        let ids: Vec<u32> = lines.filter(|line| line.refused.is_none()).map(|line| line.id).collect();
        for id in ids {
            match call.asked.act {
                Act::Create => self.unmade(at, id),
                Act::Move(step) => self.undone(at, id, step),
                _ => {}
            }
        }
    }

    fn serve(&mut self, call: &Call, fault: Option<&Rule>) -> Reply {
        if let Some(reply) = self.too_many() {
            return reply;
        }
        match self.data(call, fault) {
            Ok(data) => {
                let mut body = json!({"code": 0, "msg": "ok", "data": data});
                if self.settings.numbers_as_text {
                    as_texts(&mut body);
                }
                json_reply(200, &body)
            }
            Err(no) => no.reply(self.settings.answers),
        }
    }

    /// 429, where more calls came in this second than are allowed.
    fn too_many(&mut self) -> Option<Reply> {
        let second = self.now_ms.div_euclid(1000);
        self.second = if self.second.0 == second { (second, self.second.1 + 1) } else { (second, 1) };
        let most = self.settings.calls_per_second;
        if most == 0 || self.second.1 <= most {
            return None;
        }
        let reply = No::limit().reply(Answers::Status);
        Some(if self.settings.retry_after { reply.with("Retry-After", "1") } else { reply })
    }

    fn data(&mut self, call: &Call, fault: Option<&Rule>) -> Result<Json, No> {
        let asked = &call.asked;
        match asked.act {
            Act::Token => return self.token(asked),
            Act::Refresh => {
                let old = asked.text("refresh_token").unwrap_or_default();
                let given = self.tokens.renew(&old, &self.settings.token, self.now_ms)?;
                return Ok(self.told(&given));
            }
            Act::List | Act::Read | Act::Create | Act::Move(_) => {}
        }
        self.tokens.check(&call.request, asked, &self.settings, &self.config.credentials, self.now_ms)?;
        let at = call.at.ok_or_else(|| No::absent(&asked.collection))?;
        let is = |kind: Kind| fault.is_some_and(|rule| rule.kind == kind);
        let caller = Caller {
            user: self.config.credentials.app_key.clone(),
            call: call.number,
            half: is(Kind::Partial),
            stale: is(Kind::Stale),
            hollow: is(Kind::Hollow),
        };
        match asked.act {
            Act::List => {
                let page = self.list(at, asked)?;
                self.move_pages(at);
                Ok(page)
            }
            Act::Read => self.read(at, &asked.one),
            Act::Create => self.once(at, call, |world| world.create(at, asked, &caller)),
            Act::Move(step) => self.once(at, call, |world| world.step(at, step, &asked.one, &caller)),
            Act::Token | Act::Refresh => Ok(Json::Null),
        }
    }

    fn token(&mut self, asked: &Asked) -> Result<Json, No> {
        let known = &self.config.credentials;
        let given = (asked.text("app_key").unwrap_or_default(), asked.text("app_secret").unwrap_or_default());
        if given != (known.app_key.clone(), known.app_secret.clone()) {
            return Err(No::new(40_107, "app_key 或 app_secret 错误"));
        }
        let given = self.tokens.give(&self.settings.token, self.now_ms);
        Ok(self.told(&given))
    }

    fn told(&self, given: &Given) -> Json {
        let settings = &self.settings.token;
        let mut json = json!({"access_token": given.token, "expires_in": settings.seconds, "token_type": "Bearer"});
        if let (Some(renewing), Some(json)) = (&given.renewing, json.as_object_mut()) {
            json.insert("refresh_token".to_owned(), json!(renewing));
            json.insert("refresh_expires_in".to_owned(), json!(settings.refresh_seconds));
        }
        json
    }

    /// Carries a call out once for each token of its own; one without any, always.
    fn once(&mut self, at: usize, call: &Call, act: impl FnOnce(&mut Self) -> Result<Json, No>) -> Result<Json, No> {
        let repeat = &self.settings.repeat;
        let header = call.request.header(&repeat.header).filter(|_| !repeat.header.is_empty()).map(str::to_owned);
        let field = || call.asked.text(&repeat.field).filter(|_| !repeat.field.is_empty());
        let Some(token) = header.or_else(field).filter(|token| !token.is_empty()) else { return act(self) };
        let keeps_ms = repeat.keeps_seconds.saturating_mul(1000);
        // What is sent under a token may only be sent again as it was.
        let what = format!("{:?} {:?}", call.asked.act, call.asked.body);
        let (packet, now_ms) = (digest(&what), self.now_ms);
        self.repeats.retain(|_, known| known.until_ms > now_ms);
        if let Some(known) = self.repeats.get(&(at, token.clone())) {
            if known.packet != packet {
                return Err(No::new(42_201, "幂等键已用于其他请求"));
            }
            self.replayed += 1;
            return Ok(known.data.clone());
        }
        let data = act(self)?;
        self.repeats.insert((at, token), Answered { packet, data: data.clone(), until_ms: now_ms + keeps_ms });
        Ok(data)
    }
}
