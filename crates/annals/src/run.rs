//! One run as the engine tells it: from the order that opens it to the last line of the action log.
//!
//! Invariant: the sum of the run closes at every step, and its steps never go back in time.

use fastrand::Rng;
use sha2::{Digest, Sha256};
use ulid::Ulid;

use skydeck_core::domain::bill::{Failure, Found, Outcome, Rev, Slot, Status};
use skydeck_core::domain::event::{ActionEntry, Event};
use skydeck_core::domain::ids::{CallId, CommandId, EnvId, Fid, RunId, SetHash};
use skydeck_core::domain::operation_words;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{Collected, Mark, RunEnd, RunHead, RunKind, Tally};
use skydeck_core::domain::server::Server;
use skydeck_core::domain::step::{Blob, Body, Evidence, Intent, Step as Call, Verdict};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;
use skydeck_store::actions::{Deed, IDS, Phase};

use super::pen::Step;

/// Facts of one moment.
const TOGETHER: usize = 120;
/// Time in which facts count as of one moment, milliseconds.
const MOMENT: i64 = 4_000;
/// Bills in one fact of what was found.
const FOUND: usize = 100;

/// Where all of it happened.
#[derive(Clone, Debug)]
pub struct House {
    /// Environment.
    pub env: EnvId,
    /// Whether it is marked production: then a person approves what the clock started.
    pub production: bool,
    /// Its server.
    pub server: Server,
    /// User id of the process.
    pub owner: u32,
    /// From here on every call's request and answer are kept; of before only those of refusals.
    pub evidence_from: Ts,
}

/// A run that is being told.
pub struct Telling<'a> {
    house: &'a House,
    rng: &'a mut Rng,
    pub head: RunHead,
    pub now: Ts,
    pub tally: Tally,
    hash: Sha256,
    set: Option<SetHash>,
    steps: Vec<Step>,
}

impl<'a> Telling<'a> {
    /// Opens a run by an order.
    pub fn open(house: &'a House, rng: &'a mut Rng, head: &RunHead, bills: u64, note: &str) -> Self {
        let (now, text) = (head.opened, head.text.clone());
        let verb = match head.kind {
            RunKind::Fresh => "start",
            RunKind::Retry => "retry",
            RunKind::Verify => "verify",
        };
        let by = head.by.clone();
        let head = head.without_text();
        let mut told =
            Self { house, rng, head, now, tally: Tally::default(), hash: Sha256::new(), set: None, steps: Vec::new() };
        let opened = Event::RunOpened(Box::new(RunHead { text, ..told.head.clone() }));
        told.order(Said { note, ..Said::new(verb, &by, bills) }, vec![opened]);
        told
    }

    fn order(&mut self, said: Said<'_>, events: Vec<Event>) {
        let order = CommandId(self.ulid());
        let (env, head, set) = (&self.house.env, Some(&self.head), self.set.as_ref());
        let about = About { at: self.now, order, env, head, set };
        self.steps.push(ordered(said, &about, events));
    }

    fn ulid(&mut self) -> Ulid {
        ulid_at(self.now, self.rng)
    }

    fn tell(&mut self, event: Event) {
        match self.steps.last_mut() {
            Some(step)
                if step.order.is_none()
                    && step.after.is_none()
                    && step.events.len() < TOGETHER
                    && self.now.0 - step.at.0 < MOMENT =>
            {
                step.events.push(event);
            }
            _ => self.steps.push(Step { at: self.now, events: vec![event], ..Step::default() }),
        }
    }

    /// Bills come into the run, ascending by id.
    pub fn find(&mut self, bills: &[Found]) {
        for part in bills.chunks(FOUND) {
            self.wait(300, 1_500);
            for bill in part {
                // As an approval is bound to it (docs/design/reliability.md#approval): whoever checks evidence derives it again.
                let modified = bill.rev.modified.as_ref().map_or("", |at| at.as_str());
                for field in [bill.fid.as_str(), bill.rev.status.code(), modified] {
                    self.hash.update((field.len() as u64).to_be_bytes());
                    self.hash.update(field);
                }
            }
            self.tally.add_found(part.len() as u64);
            self.tell(Event::BillsFound { run: self.head.id, bills: part.to_vec() });
        }
    }

    /// The set as it was collected; `collected` without its hash.
    pub fn freeze(&mut self, collected: Collected) {
        self.wait(200, 900);
        let hash = SetHash::new(hex(&std::mem::take(&mut self.hash).finalize()));
        self.set = Some(hash.clone());
        self.tell(Event::RunCollected { run: self.head.id, collected: Collected { hash, ..collected } });
    }

    /// Somebody, or the clock, approves the set.
    pub fn approve(&mut self, by: &Who, callable: u64, found: &[Found], mark: Option<Mark>) {
        let hash = self.set.clone().unwrap_or_else(|| SetHash::new(""));
        let run = self.head.id;
        let approved = Event::RunApproved { run, by: by.clone(), hash, flags: Vec::new(), reason: None, boot: None };
        let moved = mark.map(|to| self.mark(to));
        let ids = found.iter().take(IDS).map(|bill| bill.fid.to_string()).collect();
        self.order(Said { ids, ..Said::new("approve", by, callable) }, [approved].into_iter().chain(moved).collect());
    }

    /// An order about the run that changes nothing by itself: decline, cancel, pause.
    pub fn ordered(&mut self, verb: &str, by: &Who, events: Vec<Event>) {
        let waiting = self.tally.waiting;
        self.order(Said::new(verb, by, waiting), events);
    }

    /// The plan's mark moves.
    pub fn mark(&self, to: Mark) -> Event {
        Event::MarkMoved { plan: self.head.plan.clone(), env: self.house.env.clone(), to }
    }

    /// Time passes.
    pub fn wait(&mut self, from: i64, to: i64) {
        self.now = Ts(self.now.0 + self.rng.i64(from..to.max(from + 1)));
    }

    /// A status was read.
    pub fn read(&mut self, fid: &Fid, rev: &Rev, approver: Option<&str>) {
        self.tell(Event::BillRead {
            run: self.head.id,
            fid: fid.clone(),
            rev: Some(rev.clone()),
            approver: approver.map(str::to_owned),
            fields: Vec::new(),
            made: None,
        });
    }

    /// A call leaves and is answered.
    pub fn call(&mut self, bill: &Found, step: Call, attempt: u32, verdict: Verdict, ms: u32) {
        let (run, call) = (self.head.id, CallId(self.ulid()));
        let (fid, no, rev) = (bill.fid.clone(), bill.no.clone(), bill.rev.clone());
        self.tell(Event::StepTried { run, fid: fid.clone(), no, step, attempt, call, rev, intent: Intent::default() });
        self.now = Ts(self.now.0 + i64::from(ms));
        let kept = match &verdict {
            Verdict::Done => self.now >= self.house.evidence_from,
            Verdict::Rejected(_) | Verdict::Unknown(..) | Verdict::NotSent(_) => true,
        };
        let evidence = kept.then(|| Box::new(evidence(&self.head, bill, step, &verdict)));
        self.tell(Event::StepAnswered {
            run,
            fid,
            step,
            attempt,
            call,
            ms,
            verdict,
            side: Vec::new(),
            evidence,
            made: None,
        });
    }

    /// An intent that no answer follows: the process died.
    pub fn tried(&mut self, bill: &Found, step: Call) {
        let (run, call) = (self.head.id, CallId(self.ulid()));
        let (fid, no, rev) = (bill.fid.clone(), bill.no.clone(), bill.rev.clone());
        self.tell(Event::StepTried { run, fid, no, step, attempt: 1, call, rev, intent: Intent::default() });
    }

    /// A bill waits to be tried again.
    pub fn defer(&mut self, bill: &Found, failure: &Failure, until: Ts) {
        self.tell(Event::BillDeferred {
            run: self.head.id,
            fid: bill.fid.clone(),
            no: bill.no.clone(),
            until,
            cause: failure.cause.clone(),
            was: Slot::Waiting,
            failure: Some(Box::new(failure.clone())),
        });
    }

    /// A bill has an outcome.
    pub fn settle(&mut self, bill: &Found, was: Slot, outcome: Outcome) {
        // Both columns are known to hold it: it was found, and it is settled from where it stands.
        let _ = self.tally.shift(was, outcome.slot());
        let (fid, no) = (bill.fid.clone(), bill.no.clone());
        self.tell(Event::BillSettled { run: self.head.id, fid, no, was, outcome });
    }

    /// A fact of the run.
    pub fn fact(&mut self, event: Event) {
        self.tell(event);
    }

    /// The run ends. `told`: facts that go with it.
    pub fn close(mut self, told: Vec<Event>, end: RunEnd) -> Vec<Step> {
        self.wait(50, 400);
        let result = format!("{}; {}", how_it_ended(&end), self.sum(&end));
        let args = serde_json::json!({
            "reason": end.reason().map(Reason::code), "reason_args": end.reason().map(Reason::args), "sum": self.tally,
        });
        let deed = Deed {
            phase: Phase::End,
            order: None,
            by: self.head.by.clone(),
            action: "run".to_owned(),
            env: Some(self.house.env.to_string()),
            plan: Some(self.head.plan.to_string()),
            plan_rev: Some(self.head.rev.to_string()),
            run: Some(self.head.id.to_string()),
            set_hash: self.set.as_ref().map(ToString::to_string),
            n: self.tally.found,
            ids: Vec::new(),
            reason: None,
            code: Some(end.word().to_owned()),
            args: Some(args),
            result,
        };
        let closed = Event::RunClosed { run: self.head.id, end };
        let events = told.into_iter().chain([closed]).collect();
        self.steps.push(Step { at: self.now, order: None, events, after: Some(deed) });
        // The result of an order follows it in the log.
        self.steps
    }

    fn sum(&self, end: &RunEnd) -> String {
        match end {
            RunEnd::Collected | RunEnd::Declined | RunEnd::CollectFailed(_) => format!("found {}", self.tally.found),
            RunEnd::Completed | RunEnd::Empty | RunEnd::Cancelled | RunEnd::Stopped(_) => {
                operation_words::sum_en(&self.head.op, &self.tally)
            }
        }
    }
}

fn how_it_ended(end: &RunEnd) -> String {
    match end {
        RunEnd::Completed => "completed".to_owned(),
        RunEnd::Empty => "nothing was found".to_owned(),
        RunEnd::Collected => "collected; nothing was called".to_owned(),
        RunEnd::Cancelled => "cancelled".to_owned(),
        RunEnd::Declined => "declined; nothing was written".to_owned(),
        RunEnd::CollectFailed(why) => format!("the query failed, nothing was written: {why}"),
        RunEnd::Stopped(why) => format!("stopped by itself: {why}"),
    }
}

/// What somebody orders.
pub struct Said<'a> {
    pub verb: &'a str,
    pub by: &'a Who,
    /// Bills it is about.
    pub n: u64,
    /// The first of them.
    pub ids: Vec<String>,
    pub reason: Option<&'a str>,
    /// What is noted beside its being accepted.
    pub note: &'a str,
}

impl<'a> Said<'a> {
    /// An order that names no bill and gives no reason.
    pub fn new(verb: &'a str, by: &'a Who, n: u64) -> Self {
        Self { verb, by, n, ids: Vec::new(), reason: None, note: "" }
    }
}

/// Which order it is, when it was given, and what about.
pub struct About<'a> {
    pub at: Ts,
    pub order: CommandId,
    pub env: &'a EnvId,
    pub head: Option<&'a RunHead>,
    pub set: Option<&'a SetHash>,
}

/// An order that was carried out, as a step: the line before, the entry with the facts, the line after.
pub fn ordered(said: Said<'_>, about: &About<'_>, events: Vec<Event>) -> Step {
    let Said { verb, by, n, ids, reason, note } = said;
    let &About { at, order, head, .. } = about;
    let result = if note.is_empty() { "accepted".to_owned() } else { format!("accepted; {note}") };
    let deed = Deed {
        phase: Phase::Before,
        order: Some(order.to_string()),
        by: by.clone(),
        action: verb.to_owned(),
        env: Some(about.env.to_string()),
        plan: head.map(|head| head.plan.to_string()),
        plan_rev: head.map(|head| head.rev.to_string()),
        run: head.map(|head| head.id.to_string()),
        set_hash: about.set.map(ToString::to_string),
        n,
        ids,
        reason: reason.map(str::to_owned),
        code: None,
        args: None,
        result: String::new(),
    };
    let entry = ActionEntry {
        by: by.clone(),
        verb: verb.to_owned(),
        order: Some(order),
        run: head.map(|head| head.id),
        plan: head.map(|head| head.plan.clone()),
        bills: n,
        reason: reason.map(str::to_owned),
        result: result.clone(),
        line: None,
        why: None,
    };
    let after = Deed { phase: Phase::After, ids: Vec::new(), result, ..deed.clone() };
    Step { at, order: Some((deed, entry)), events, after: Some(after) }
}

/// How a run begins: of which kind, by whom, and when.
#[derive(Clone, Copy)]
pub struct Begun<'a> {
    pub kind: RunKind,
    pub by: &'a Who,
    pub at: Ts,
}

/// What a run of a plan is.
pub fn head(house: &House, plan: &Plan, begun: Begun<'_>, rng: &mut Rng) -> RunHead {
    let Begun { kind, by, at: opened } = begun;
    RunHead {
        id: RunId(ulid_at(opened, rng)),
        kind,
        plan: plan.id.clone(),
        name: plan.name.clone(),
        rev: plan.rev.clone(),
        env: house.env.clone(),
        production: house.production,
        form: plan.source.form.clone(),
        columns: plan.source.columns.iter().map(|column| column.key.clone()).collect(),
        by: by.clone(),
        opened,
        of: None,
        filter: String::new(),
        revision: skydeck_core::domain::run::Revision::Newest,
        op: skydeck_core::domain::operation::Operation::id_of(&plan.target),
        server: Some(house.server.clone()),
        range: None,
        headless: false,
        due: None,
        text: None,
    }
}

/// An id of a moment.
pub fn ulid_at(at: Ts, rng: &mut Rng) -> Ulid {
    Ulid::from_parts(u64::try_from(at.0).unwrap_or_default(), rng.u128(..))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|d| char::from_digit(u32::from(d), 16)).collect()
}

/// Request and answer of a call, as they are on the wire.
fn evidence(head: &RunHead, bill: &Found, step: Call, verdict: &Verdict) -> Evidence {
    let body = |text: String| Body { len: text.len() as u64, bytes: Blob(text.into_bytes()), sha256: None };
    let (fid, form) = (&bill.fid, &head.form);
    let flags = if step == Call::Submit { "" } else { r#","InterationFlags":"","IgnoreInterationFlag":false"# };
    let request = format!(r#"{{"formid":"{form}","data":{{"Numbers":[],"Ids":"{fid}"{flags},"NetworkCtrl":true}}}}"#);
    let status = |success: bool, errors: String, done: String, code: i64| {
        format!(
            r#"{{"Result":{{"ResponseStatus":{{"IsSuccess":{success},"Errors":[{errors}],"SuccessEntitys":[{done}],"SuccessMessages":[],"MsgCode":{code}}}}}}}"#
        )
    };
    let response = match verdict {
        Verdict::Done => {
            let done = format!(r#"{{"Id":{fid},"Number":"{}","DIndex":0}}"#, bill.no);
            Some(status(true, String::new(), done, 0))
        }
        Verdict::Rejected(failure) => {
            let error = serde_json::json!({"FieldName": failure.field, "Message": failure.message, "DIndex": 0});
            Some(status(false, error.to_string(), String::new(), failure.msg_code.unwrap_or_default()))
        }
        Verdict::NotSent(_) | Verdict::Unknown(..) => None,
    };
    let error = response.is_none().then(|| "operation timed out".to_owned());
    Evidence { request: body(request), http: response.is_some().then_some(200), response: response.map(body), error }
}

/// How many bills stand in which status.
pub fn by_status(found: &[Found]) -> Vec<(Status, u64)> {
    let mut all = std::collections::BTreeMap::new();
    for bill in found {
        *all.entry(bill.rev.status.clone()).or_insert(0) += 1;
    }
    all.into_iter().collect()
}
