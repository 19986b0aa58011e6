//! A world with bills in it, as the ERP has them: what our calls and other people do to them, at once or late.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skydeck::domain::bill::{Found, Rev, Status};
use skydeck::domain::ids::{EnvId, Fid};
use skydeck::domain::step::Verb;
use skydeck::domain::time::ErpDate;
use skydeck::engine::ports::{Fault, FaultKind};

use super::US;
use super::clock::TokioClock;
use super::rules::{CLOSE, Effect, OPS, SUBMIT, is_done, is_ready, op_of};

#[derive(Clone, Debug)]
pub struct Doc {
    pub status: Status,
    /// Server seconds; any change of the bill sets it anew.
    pub modified: i64,
    pub created: i64,
    pub approver: Option<String>,
    /// `FCloseStatus` is B.
    pub closed: bool,
    pub closer: Option<String>,
    /// Server seconds before which nobody else sees it (a transaction that commits late).
    pub visible: i64,
    pub gone: bool,
    /// Somebody changed what the plan's filter asks for: it finds the bill no more.
    pub elsewhere: bool,
    pub version: u64,
    /// Changes by others.
    pub edition: u64,
}

/// What happens to one writing call.
#[derive(Clone, Debug)]
pub enum Trouble {
    None,
    NotSent,
    /// The answer is lost, the call was not applied.
    LostBefore,
    /// The answer is lost, the call was applied.
    LostAfter,
    /// The answer is lost now, the call is applied after a while.
    Late(Duration),
    /// Refused with this message code and text.
    Refused(i64, &'static str),
    /// The same, though the call was applied: what followed it on the server failed.
    RefusedAfter(i64, &'static str),
    /// Answered only after a while.
    Slow(Duration),
    SessionLost,
    SlowDown,
    Credentials,
    WrongIds,
    /// The answer does not name the bill, though it was applied.
    NotNamed,
    /// Answered as done, and nothing happens.
    Hollow,
    /// Another person does the same just before our call arrives.
    Overtaken,
    /// The same, under our own user: another installation signs in as we do.
    Twin,
    /// Another person submits it just before our call arrives; without leaving a date of change, or with one.
    Submitted(bool),
    Panic,
}

impl Trouble {
    /// An answer arrives, usable or not.
    pub fn is_heard(&self) -> bool {
        !self.loses_the_answer() || matches!(self, Self::NotNamed | Self::WrongIds)
    }

    /// The client gets no answer that it could use.
    pub fn loses_the_answer(&self) -> bool {
        match self {
            Self::LostBefore
            | Self::LostAfter
            | Self::Late(_)
            | Self::NotNamed
            | Self::WrongIds
            | Self::SessionLost
            | Self::Credentials
            | Self::Panic => true,
            Self::None
            | Self::NotSent
            | Self::Refused(..)
            | Self::RefusedAfter(..)
            | Self::Slow(_)
            | Self::SlowDown
            | Self::Hollow
            | Self::Submitted(_)
            | Self::Twin
            | Self::Overtaken => false,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Post {
    pub fid: Fid,
    pub verb: Verb,
    pub at: Duration,
    /// Status the bill had when the request arrived.
    pub status: Status,
    pub version: u64,
    /// The client got a usable answer.
    pub answered: bool,
    /// An answer arrived, usable or not: the server is done with it.
    pub heard: bool,
    /// When the server is done with it.
    pub done: Duration,
    pub batch: usize,
    /// It was refused because what it asks for was done.
    pub was_done: bool,
    /// It was answered as done, and nothing happened.
    pub hollow: bool,
}

/// A call whose answer is lost, and which is applied later.
#[derive(Clone, Debug)]
pub struct Late {
    pub due: Duration,
    pub fid: Fid,
    pub verb: Verb,
    pub version: u64,
}

/// What a look showed: the revision, and whether it was closed.
pub type Glance = Option<(Rev, bool)>;

/// Something that happens after a page, given its number.
pub type Between = Box<dyn FnMut(&mut State, u32) + Send>;

#[derive(Default)]
pub struct State {
    pub docs: BTreeMap<Fid, Doc>,
    pub posts: Vec<Post>,
    /// Numbers that stood beside the ids of the calls.
    pub numbers: Vec<String>,
    /// Applied audits: bill, version it was applied to, by whom.
    pub audits: Vec<(Fid, u64, String)>,
    /// What our calls brought about.
    pub effects: Vec<Effect>,
    /// How often what an operation leads to came about, whoever did it; and whether we were the last.
    pub came: HashMap<(Fid, &'static str), (u64, bool)>,
    pub trouble: VecDeque<Trouble>,
    pub trouble_of: HashMap<Fid, VecDeque<Trouble>>,
    /// Faults of the next reading calls, once as many calls have been answered.
    pub faults_after: u32,
    pub read_faults: VecDeque<FaultKind>,
    pub reads_down: bool,
    /// How long a server that does not answer a read asks to be left alone.
    pub asks_to_wait: Option<Duration>,
    /// How much longer a look at bills takes.
    pub slow_looks: Duration,
    /// The next look does not show bills whose number this divides: a stale answer, or with 1 an empty one.
    pub blind: Option<u64>,
    pub late: Vec<Late>,
    /// Last look of the client at a bill: at its status alone, and at the fields an operation is judged by.
    pub reads: HashMap<(Fid, bool), (Duration, Glance)>,
    pub skew: i64,
    pub sign_ins: u32,
    /// The data centre that sign-ins and reads are told to be in.
    pub centre: Option<String>,
    /// The client knows that its user is refused.
    pub refused: bool,
    pub pages: u32,
    pub broken_rules: Vec<String>,
    /// Called after each page, with its number; changes between pages.
    pub between: Option<Between>,
    /// From this writing call on, counted from 1, successes are answered and nothing happens.
    pub hollow_from: Option<usize>,
    /// Refuse a whole batch when one member is refused.
    pub sink_batches: bool,
    /// Bills of any status can be closed; else those that were submitted.
    pub closes_any: bool,
    /// Closing a closed bill is no error to the server.
    pub closes_again: bool,
    /// Where it asks to slow down, it does not say for how long.
    pub plain_slow_down: bool,
    /// A submit leaves the date of the last change.
    pub submit_keeps_date: bool,
    pub fail_call: Option<(u32, bool)>,
    pub calls: u32,
    pub in_flight: u32,
    pub most_in_flight: u32,
    pub versions: u64,
}

/// The server.
pub struct World {
    pub clock: Arc<TokioClock>,
    /// The environment it is called from.
    pub env: EnvId,
    pub state: Mutex<State>,
    pub settle: Duration,
    pub server_limit: Duration,
}

pub fn fid(n: u64) -> Fid {
    Fid::from(n)
}

pub fn date(seconds: i64) -> ErpDate {
    ErpDate::from_naive(chrono::DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap().naive_utc())
}

/// Whether a plan's query means a bill: by the few conditions that the tests' plans have.
pub fn matches(filter: &str, doc: &Doc) -> bool {
    if filter.contains("FCloseStatus='A'") {
        let submitted = matches!(doc.status, Status::Submitted | Status::Audited);
        !doc.closed && (submitted || !filter.contains("FDocumentStatus in ('B','C')"))
    } else if filter.contains("FDocumentStatus in ('Z','A','D')") {
        matches!(doc.status, Status::Draft | Status::Created | Status::Reaudit)
    } else {
        doc.status != Status::Audited
    }
}

impl World {
    pub fn new(clock: &Arc<TokioClock>) -> Arc<Self> {
        Self::of(clock, "test")
    }

    pub fn of(clock: &Arc<TokioClock>, env: &str) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            env: EnvId::new(env),
            state: Mutex::default(),
            settle: Duration::from_secs(130),
            server_limit: Duration::from_secs(120),
        })
    }

    /// Another server on which a copy of this one's bills stands: nothing of what comes after is in both.
    pub fn copied(&self) -> Arc<Self> {
        let copy = Self::new(&self.clock);
        self.with(|s| copy.with(|c| (c.docs, c.versions, c.closes_any) = (s.docs.clone(), s.versions, s.closes_any)));
        copy
    }

    pub fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap())
    }

    /// The true time: the world's clock is none of the program's.
    pub fn now(&self) -> Duration {
        self.clock.start_elapsed()
    }

    pub fn server_now(&self) -> i64 {
        let skew = self.with(|s| s.skew);
        self.now().as_secs() as i64 + skew
    }

    pub fn add(&self, n: u64, status: &str) {
        self.add_late(n, status, 0);
    }

    /// Adds submitted bills.
    pub fn submitted(&self, bills: impl Iterator<Item = u64>) {
        for n in bills {
            self.add(n, "B");
        }
    }

    pub fn add_late(&self, n: u64, status: &str, commit: i64) {
        let now = self.server_now();
        let real = self.now().as_secs() as i64;
        self.with(|s| {
            s.versions += 1;
            let doc = Doc {
                status: Status::from(status.to_owned()),
                modified: now,
                created: now,
                approver: None,
                closed: false,
                closer: None,
                visible: real + commit,
                gone: false,
                elsewhere: false,
                version: s.versions,
                edition: 0,
            };
            s.came_about(&fid(n), None, &doc, false);
            s.docs.insert(fid(n), doc);
        });
    }

    /// Somebody else changes a bill.
    pub fn change(&self, n: u64, f: impl FnOnce(&mut Doc)) {
        let now = self.server_now();
        self.with(|s| s.others(&fid(n), now, f));
    }

    pub fn status(&self, n: u64) -> String {
        self.with(|s| s.docs[&fid(n)].status.code().to_owned())
    }

    pub fn closed(&self, n: u64) -> bool {
        self.with(|s| s.docs[&fid(n)].closed)
    }

    pub fn posts_of(&self, n: u64) -> usize {
        self.with(|s| s.posts.iter().filter(|p| p.fid == fid(n)).count())
    }

    /// Lets late effects happen whose time has come.
    pub fn catch_up(&self) {
        let now = self.now();
        let at = self.server_now();
        self.with(|s| {
            let (due, rest): (Vec<Late>, Vec<Late>) = s.late.drain(..).partition(|late| late.due <= now);
            s.late = rest;
            for late in due {
                let Some(doc) = s.docs.get(&late.fid).filter(|doc| !doc.gone) else { continue };
                // What audits or submits is bound to what it found; what closes finds the bill as it is then.
                let same = doc.version == late.version || op_of(&late.verb) == CLOSE;
                if same && is_ready(&late.verb, &doc.status, doc.closed, s.closes_any) {
                    s.apply(&late.fid, &late.verb, at);
                }
            }
        });
    }

    pub fn read_fault(&self) -> Option<Fault> {
        self.with(|s| {
            s.calls += 1;
            let nth = s.fail_call.is_some_and(|(n, from_then)| s.calls == n || (from_then && s.calls > n));
            let kind = match (s.reads_down || nth, s.calls > s.faults_after) {
                (true, _) => Some(FaultKind::NoAnswer),
                (false, true) => s.read_faults.pop_front(),
                (false, false) => None,
            };
            let (message, retry_after) = ("the read failed".to_owned(), s.asks_to_wait);
            kind.map(|kind| Fault { kind, message, retry_after, evidence: None })
        })
    }

    pub fn found(fid: &Fid, doc: &Doc, fields: &[String]) -> Found {
        let value = |path: &String| match path.as_str() {
            "FCloseStatus" => if doc.closed { "B" } else { "A" }.to_owned(),
            "FCloserId.FName" => doc.closer.clone().unwrap_or_default(),
            other => panic!("no field {other}"),
        };
        Found {
            probe: None,
            absent: false,
            outside: false,
            will: None,
            body: None,
            looked: None,
            lines: Vec::new(),
            fid: fid.clone(),
            no: format!("XSCKD{fid}"),
            rev: Rev { status: doc.status.clone(), modified: Some(date(doc.modified)), state: None },
            approver: doc.approver.clone(),
            approved: None,
            marked: Some(date(doc.created)),
            columns: vec!["100".into()],
            fields: fields.iter().map(|path| (path.clone(), value(path))).collect(),
        }
    }
}

impl State {
    /// Notes what a change of a bill brought about.
    pub fn came_about(&mut self, fid: &Fid, before: Option<&Doc>, after: &Doc, ours: bool) {
        for op in OPS {
            if is_done(op, after) && before.is_none_or(|before| !is_done(op, before)) {
                let came = self.came.entry((fid.clone(), op)).or_default();
                *came = (came.0 + 1, ours);
            }
        }
    }

    /// Somebody else changes a bill.
    pub fn others(&mut self, fid: &Fid, now: i64, f: impl FnOnce(&mut Doc)) {
        self.versions += 1;
        let version = self.versions;
        let Some(doc) = self.docs.get_mut(fid) else { return };
        let before = doc.clone();
        f(doc);
        doc.modified = now.max(doc.modified + 1);
        doc.version = version;
        doc.edition += 1;
        let after = doc.clone();
        self.came_about(fid, Some(&before), &after, false);
    }

    /// Our call takes.
    pub fn apply(&mut self, fid: &Fid, verb: &Verb, at: i64) {
        self.versions += 1;
        let version = self.versions;
        let keeps_date = *verb == Verb::Submit && self.submit_keeps_date;
        let Some(doc) = self.docs.get_mut(fid) else { return };
        let before = doc.clone();
        match op_of(verb) {
            SUBMIT => doc.status = Status::Submitted,
            CLOSE => (doc.closed, doc.closer) = (true, Some(US.into())),
            _ => {
                self.audits.push((fid.clone(), doc.version, US.into()));
                (doc.status, doc.approver) = (Status::Audited, Some(US.into()));
            }
        }
        if !keeps_date {
            doc.modified = at.max(doc.modified + 1);
        }
        doc.version = version;
        let after = doc.clone();
        let effect = Effect { fid: fid.clone(), op: op_of(verb), edition: after.edition };
        if self.effects.contains(&effect) {
            self.broken_rules.push(format!("{fid}: {verb:?} applied twice in one revision"));
        }
        self.effects.push(effect);
        self.came_about(fid, Some(&before), &after, true);
    }
}
