//! The simulated account set: a pure, synchronous core. Requests go in with the time, answers come out; nothing is read or waited for.
//!
//! Invariant: the state changes only inside [`World::handle`], [`World::resume`] and the `/admin` calls, in the order they come.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::body::{self, BodyError, Data, Params};
use super::config::WorldConfig;
use super::data::{self, SERVER_OFFSET_S, Troubles};
use super::faults::{Faults, Kind, Rule, When};
use super::files::Files;
use super::form::{self, FORMS};
use super::made::Keys;
use super::masters::Masters;
use super::named::operands;
use super::operate::{Caller, Operation, Ordered};
use super::parking::{Parking, Progress};
use super::query::{self, Source};
use super::record::{Applied, Record};
use super::reply::{Refusal, Reply, RequestParts, failure};
use super::rng::mix;
use super::service::{Route, Service, route};
use super::session::{self, Gate, Ids, Sessions};
use super::settings::Settings;
use super::state::State;
use super::states::Moved;
use super::table::{DELETED, Table};
use super::tally::Tally;
use super::{login, parking, spoil, texts, view};

/// A polled task (docs/design/wire.md#polling) takes this long.
const TASK_MS: i64 = 1_500;

/// The account set with all that happened to it.
#[derive(Debug)]
pub struct World {
    pub(super) config: WorldConfig,
    pub(super) tables: Vec<Table>,
    pub(super) masters: Masters,
    pub(super) troubles: Troubles,
    pub(super) sessions: Sessions,
    pub(super) faults: Faults,
    pub(super) record: Record,
    /// The server's own clock: the driver's time plus [`World::skew_ms`].
    pub(super) now_ms: i64,
    pub(super) skew_ms: i64,
    pub(super) calls: BTreeMap<&'static str, u64>,
    pub(super) tally: Tally,
    pub(super) keys: Keys,
    pub(super) files: Files,
    /// What was pushed, by rule and source.
    pub(super) links: HashMap<(usize, u32), Vec<u32>>,
    /// Packets that were saved of late, with their time.
    repeats: VecDeque<(i64, u64)>,
    pub(super) call_count: u64,
    parking: Parking<Call>,
    tasks: HashMap<u64, u64>,
    last_answer: Option<Bytes>,
}

/// A call on its way to being executed.
#[derive(Debug)]
pub(super) struct Call {
    number: u64,
    request: RequestParts,
    pub(super) route: Route,
    pub(super) params: Result<Params, BodyError>,
    pub(super) fault: Option<Rule>,
    /// The time it takes has passed.
    slept: bool,
}

impl World {
    /// Makes a world whose bills were created in the weeks before `now_ms` (Unix milliseconds).
    pub fn new(config: WorldConfig, now_ms: i64) -> Self {
        let names: Vec<String> = config.users.iter().map(|u| u.name.clone()).collect();
        let masters = Masters::new(&names);
        let (tables, troubles) = data::generate(&config, &masters, now_ms);
        let mut world = Self {
            // Session ids differ from one start to the next, as they would on a server.
            sessions: Sessions::new(mix(config.seed ^ now_ms as u64)),
            faults: Faults::new(config.faults.clone(), mix(config.seed ^ 0x6661_756c)),
            tables,
            masters,
            troubles,
            record: Record::default(),
            now_ms,
            skew_ms: 0,
            calls: BTreeMap::new(),
            tally: Tally::default(),
            keys: Keys::default(),
            files: Files::default(),
            links: HashMap::new(),
            repeats: VecDeque::new(),
            call_count: 0,
            parking: Parking::default(),
            tasks: HashMap::new(),
            last_answer: None,
            config,
        };
        world.settle_in();
        world.adopt();
        world
    }

    /// Settings that tables have to know.
    fn settle_in(&mut self) {
        for table in &mut self.tables {
            let named = self.config.settings.of(&table.form().id).custom;
            table.name_customs(&named);
        }
    }

    /// Changes the settings of the account set. What was saved stays as it is.
    pub fn set_settings(&mut self, settings: Settings) {
        self.config.settings = settings;
        self.settle_in();
    }

    /// Answers a request that arrived at `now_ms`.
    ///
    /// The answer's [`Transport`](super::Transport) says what the wire does with it. [`Transport::Parked`](super::Transport::Parked) means that nothing was executed yet:
    /// call [`World::resume`] when its time has come, whether or not anybody still waits for the answer.
    pub fn handle(&mut self, request: RequestParts, now_ms: i64) -> Reply {
        self.advance(now_ms);
        if request.path.starts_with("/admin") {
            return self.admin(&request, now_ms);
        }
        let Some(route) = route(&request.path) else {
            return spoil::html(404, "404 - 找不到文件或目录。");
        };
        if !request.method.eq_ignore_ascii_case("POST") {
            return spoil::html(405, "405 - 不允许用于访问此页的 HTTP 谓词。");
        }
        self.call_count += 1;
        *self.calls.entry(route.service.name()).or_default() += 1;
        let params = body::parse(&request.body);
        let named = params.as_ref().map(|p| self.named(route.service, p)).unwrap_or_default();
        if let Some(form) = named.form {
            named.keys.iter().for_each(|key| self.keys.call(form, key));
        }
        let verb = named.operation.map(Operation::name).or((route.service == Service::Push).then_some("Push"));
        if let (Some(verb), Some(form)) = (verb, named.form) {
            for (id, _) in &named.bills {
                self.tally.call(verb, form, *id);
            }
        }
        let fault = self.draw(route, &named);
        let call = Call { number: self.call_count, request, route, params, fault, slept: false };
        let late = call.fault.as_ref().filter(|rule| rule.kind == Kind::Late).map(|rule| rule.ms.max(1));
        if let Some(ms) = late {
            self.park(call, ms);
            return parking::reset();
        }
        let delay = self.time_taken(&call);
        if delay > 0 { self.park(call, delay) } else { self.execute(call) }
    }

    /// The answer to a parked call, executing it if that was not done yet. Before its time: parked again. After it was fetched
    /// or dropped: a reset.
    pub fn resume(&mut self, ticket: u64, now_ms: i64) -> Reply {
        self.advance(now_ms);
        self.parking.fetch(ticket)
    }

    /// When the next parked call is due, for drivers with a clock of their own.
    pub fn next_due(&self) -> Option<i64> {
        self.parking.next_due()
    }

    /// The record of everything that was done or refused.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What it was made from.
    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// Puts fault rules to work before those already there.
    pub fn add_faults(&mut self, plan: super::faults::FaultPlan) {
        self.faults.add(plan);
    }

    /// Status of a bill by form and number; `None` when there is no such bill.
    pub fn status_of(&self, form_id: &str, number: &str) -> Option<&'static str> {
        let form = form::find(form_id)?;
        let id = self.tables.get(form)?.by_number(number, &self.masters)?;
        Some(self.status(form, id))
    }

    /// Moves the clock and executes what has come due meanwhile, in the order of its time.
    fn advance(&mut self, now_ms: i64) {
        while let Some((due_ms, ticket, call)) = self.parking.due(now_ms) {
            self.now_ms = due_ms + self.skew_ms;
            let reply = self.execute(call);
            self.parking.done(ticket, due_ms, reply);
        }
        self.now_ms = now_ms + self.skew_ms;
        self.parking.tidy(now_ms);
    }

    /// Server-local seconds since 1970.
    pub(super) fn local_seconds(&self) -> i64 {
        self.now_ms.div_euclid(1000) + SERVER_OFFSET_S
    }

    /// Whether a packet was saved within the time that packets are remembered.
    pub(super) fn is_repeated(&mut self, packet: u64) -> bool {
        let since = self.now_ms - self.config.settings.repeat_seconds * 1000;
        self.repeats.retain(|(at, _)| *at >= since);
        self.repeats.iter().any(|(_, known)| *known == packet)
    }

    /// Remembers a packet that was saved.
    pub(super) fn remember(&mut self, packet: u64) {
        if self.repeats.len() >= 10_000 {
            self.repeats.pop_front();
        }
        self.repeats.push_back((self.now_ms, packet));
    }

    /// Appends to the record and counts.
    pub(super) fn note(&mut self, line: Applied) {
        self.tally.outcome(line.verb, line.form, line.id, line.refused.is_none());
        self.record.push(line);
    }

    fn park(&mut self, mut call: Call, delay_ms: i64) -> Reply {
        call.slept = true;
        let due_ms = self.now_ms - self.skew_ms + delay_ms;
        Reply::parked(self.parking.park(call, due_ms), due_ms)
    }

    fn execute(&mut self, mut call: Call) -> Reply {
        let fault = call.fault.take();
        let mut reply = match &fault {
            Some(rule) => self.execute_with(&call, rule),
            None => self.serve(&call, None),
        };
        reply.wait_ms += self.config.delay_ms;
        self.last_answer = Some(reply.body.clone());
        reply
    }

    fn execute_with(&mut self, call: &Call, rule: &Rule) -> Reply {
        let service = call.route.service;
        match rule.kind {
            Kind::SessionExpiry => self.sessions.forget_all(),
            Kind::SessionLost if rule.when == When::Before => self.sessions.forget(&call.request),
            Kind::ClockSkew => {
                self.skew_ms += rule.ms;
                self.now_ms += rule.ms;
            }
            Kind::Lock => self.each_named(call, |world, form, id| {
                let user = if rule.user.is_empty() { "张伟" } else { rule.user.as_str() };
                let until_ms = Some(world.now_ms + rule.seconds.max(1) * 1000);
                let lock = data::Lock { user: user.to_owned(), until_ms, tries: None };
                world.troubles.entry((form, id)).or_default().lock = Some(lock);
            }),
            _ => {}
        }
        if rule.when == When::Before
            && let Some(reply) = spoil::instead(rule, &service)
        {
            return reply;
        }
        let before = self.last_answer.clone();
        let reply = self.serve(call, Some(rule));
        match rule.kind {
            Kind::Unaudit if service.makes() => self.unmake(call.number),
            Kind::Unaudit => {
                let params = call.params.as_ref().ok();
                let operation = params.and_then(|params| self.named(service, params).operation);
                self.each_named(call, |world, form, id| world.take_back(operation, form, id));
            }
            Kind::SessionLost if rule.when == When::After => self.sessions.forget(&call.request),
            _ => {}
        }
        spoil::after(rule, &service, reply, before)
    }

    /// Somebody else deletes what a call made.
    fn unmake(&mut self, number: u64) {
        let lines = self.record.after(0, usize::MAX).iter().rev().take_while(|line| line.call == number);
        let made = lines.filter(|line| line.refused.is_none() && line.before == '-');
        let made: Vec<(usize, u32)> = made.map(|line| (line.form, line.id)).collect();
        for (form, id) in made {
            self.outside(form, id, Moved { state: State::Document, to: DELETED, by: "王芳" });
        }
    }

    fn each_named(&mut self, call: &Call, mut act: impl FnMut(&mut Self, usize, u32)) {
        let Ok(params) = &call.params else { return };
        let (form_id, data) = operands(call.route.service, params);
        let (Some(form), Ok(data)) = (form::find(&form_id), data) else { return };
        for id in self.asked(form, &data).unwrap_or_default() {
            act(self, form, id);
        }
    }

    fn serve(&mut self, call: &Call, fault: Option<&Rule>) -> Reply {
        let service = call.route.service;
        if (call.route.gateway || self.config.gateway)
            && let Some(reply) = session::gateway(&call.request, &self.config, self.now_ms)
        {
            return reply;
        }
        let params = match &call.params {
            Ok(params) => params,
            Err(e) => return Reply::bytes(500, "text/html; charset=utf-8", e.0.clone()),
        };
        if service.is_login() {
            return login::sign_in(service, params, &mut self.sessions, &self.config, self.now_ms);
        }
        if service == Service::GetDataCenterList {
            // Needs no valid credentials [REAL].
            // invented: the shape of the reply
            return Reply::json(&json!({"ReturnValue": [
                {"Id": self.config.credentials.account, "Number": "001", "Name": "演示账套", "Type": 0},
            ]}));
        }
        match self.sessions.check(&call.request, &self.config, self.now_ms) {
            Gate::Reply(reply) => reply,
            Gate::Closed(refusal, ids) => cookies(refused(service, &refusal), &ids),
            Gate::Open(user, ids) => {
                let half = fault.is_some_and(|r| r.kind == Kind::Partial);
                let stale = fault.is_some_and(|r| r.kind == Kind::Stale);
                let hollow = fault.is_some_and(|r| r.kind == Kind::Hollow);
                let caller = Caller { user, call: call.number, half, stale, hollow };
                cookies(self.serve_as(call, params, caller), &ids)
            }
        }
    }

    fn serve_as(&mut self, call: &Call, params: &Params, caller: Caller) -> Reply {
        let service = call.route.service;
        if params.has("beginmethod") && !call.slept {
            let later = Call {
                number: call.number,
                request: call.request.clone(),
                route: call.route,
                params: call.params.clone(),
                fault: None,
                slept: true,
            };
            let due_ms = self.now_ms - self.skew_ms + TASK_MS;
            let task = self.parking.park(later, due_ms);
            self.tasks.insert(task, task);
            return Reply::json(&json!({"TaskId": task.to_string(), "Status": 0, "Result": null}));
        }
        let (form_id, data) = operands(service, params);
        let data = match data {
            Ok(data) => data,
            Err(e) => return refused(service, &texts::bad_parameter(&e)),
        };
        let json = match service {
            Service::ExecuteBillQuery | Service::BillQuery => {
                return match self.query(&data, caller.user, service == Service::BillQuery) {
                    Ok(rows) => Reply::bytes(200, "text/html; charset=utf-8", rows),
                    Err(refusal) => refused(service, &refusal),
                };
            }
            Service::Submit
            | Service::Audit
            | Service::UnAudit
            | Service::CancelAssign
            | Service::Delete
            | Service::ExecuteOperation
            | Service::WorkflowAudit => match Operation::of(service, params, &data) {
                Some(operation) => self.operate(Ordered { operation, data: &data, caller }, &form_id),
                None => failure(&texts::no_operation()),
            },
            Service::Save => self.save("Save", &form_id, &data, caller),
            Service::BatchSave => self.save("BatchSave", &form_id, &data, caller),
            Service::Draft => self.save("Draft", &form_id, &data, caller),
            Service::Push => self.push(&form_id, &data, caller),
            Service::View => self.view(&form_id, &data, caller.user),
            Service::QueryBusinessInfo => view::business_info(&data.text("FormId")),
            Service::QueryGroupInfo => self.groups(&data),
            Service::GetSysReportData => self.report(&form_id, &data),
            Service::SendMsg => self.send_message(&data),
            Service::AttachmentUpload => self.upload(&data, caller),
            Service::AttachmentDownload => self.download(&data),
            Service::Disassembly => self.disassemble(&form_id, &data, caller),
            Service::QueryAsyncResult => self.task(params),
            Service::Logout => {
                self.sessions.forget(&call.request);
                // invented: the reply of Logout is unknown
                json!(true)
            }
            // invented: a real server would do it
            _ => failure(&Refusal::new(4, "模拟器不支持此接口")),
        };
        Reply::json(&json)
    }

    fn query(&self, data: &Data, user: usize, objects: bool) -> Result<Vec<u8>, Refusal> {
        let user = self.config.users.get(user).ok_or_else(|| Refusal::new(1, texts::SESSION_LOST))?;
        let source = Source { tables: &self.tables, masters: &self.masters, user, cap: self.config.limit_cap };
        query::run(data, &source, objects)
    }

    /// QueryAsyncResult (docs/design/wire.md#polling): 1 running, 2 complete with the ordinary body as `Result`.
    fn task(&mut self, params: &Params) -> Json {
        let info: Json = serde_json::from_str(&params.text("queryinfo", 0)).unwrap_or(Json::Null);
        let id = Data::from_json(&info).text("TaskId");
        let ticket = id.parse().ok().and_then(|id: u64| self.tasks.get(&id).copied());
        match ticket.and_then(|ticket| self.parking.progress(ticket)) {
            Some(Progress::Waiting) => json!({"TaskId": id, "Status": 1, "Result": null}),
            Some(Progress::Done(reply)) => {
                let result: Json = serde_json::from_slice(&reply.body).unwrap_or(Json::Null);
                json!({"TaskId": id, "Status": 2, "Result": result})
            }
            // invented: the text
            None => failure(&Refusal::new(10, format!("任务[{id}]不存在"))),
        }
    }
}

/// A refusal in the shape of the service: `[[…]]` for ExecuteBillQuery (docs/design/wire.md#refused-queries).
pub(super) fn refused(service: Service, refusal: &Refusal) -> Reply {
    let body = failure(refusal);
    Reply::json(&if service == Service::ExecuteBillQuery { json!([[body]]) } else { body })
}

/// The session cookie goes out with every answer (docs/design/wire.md#the-session), the web session's when it is new.
fn cookies(reply: Reply, ids: &Ids) -> Reply {
    let reply = reply.with("Set-Cookie", login::kd_cookie(&ids.kd, ids.fresh));
    if ids.fresh { reply.with("Set-Cookie", login::asp_cookie(&ids.kd)) } else { reply }
}

/// The form at a position, by id.
pub(super) fn form_id(position: usize) -> &'static str {
    FORMS.get(position).map_or("", |form| form.id.as_str())
}
