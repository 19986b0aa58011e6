//! The network between a client and a simulated system: passes requests on, loses some, brings some late; and what was sent
//! over it, by which every history is held against the rules of repeating.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use skydeck::erp::transport::{CallKind, HttpReply, TransportFault};
use skydeck::sim::{self, Backend, RequestParts};

use super::oracle::{Found, Wrong};
use crate::engine_support::{CLOSE, TokioClock};

/// The driver's time at the beginning, Unix milliseconds; the engine's wall clock may be stepped, this one never is.
pub const BEGAN: i64 = 1_790_000_000_000;
/// Answers larger than this are given up (the client's own limit, smaller here to save time).
const LARGE: usize = 4 << 20;
/// The server's own limit of a request, after which it applies nothing.
const LIMIT: Duration = Duration::from_secs(120);

/// What the client sent, and whether a whole answer came back.
pub struct Sent {
    /// What names the records it is about.
    pub text: String,
    pub kind: CallKind,
    pub op: &'static str,
    pub at: Duration,
    pub answered: bool,
    /// It asks for all records there are, and names none.
    pub of_all: bool,
    /// Lines that the record had when it left.
    pub record: usize,
}

impl Sent {
    /// Whether it is about a record that has one of these names.
    fn is_about(&self, names: &[String]) -> bool {
        self.of_all || names.iter().any(|name| self.text.contains(name))
    }
}

/// A request as it is noted.
pub struct Note {
    pub text: String,
    pub kind: CallKind,
    pub op: &'static str,
    pub of_all: bool,
}

/// The network, and the system behind it.
pub struct Road<B> {
    world: Mutex<B>,
    pub clock: Arc<TokioClock>,
    rng: Mutex<Rng>,
    /// Calls in a hundred that the network spoils.
    pub trouble: AtomicU64,
    /// How much later than others a request that makes something may arrive, milliseconds.
    pub later: AtomicU64,
    sent: Mutex<Vec<Sent>>,
    /// Requests on their way, when they arrive, and whether that is after the server's own limit.
    late: Mutex<Vec<(Duration, bool, RequestParts)>>,
    /// True time of each line of the record.
    stamps: Mutex<Vec<Duration>>,
    /// Lines of the record, counted from 1, that a request made which arrived after the server's own limit.
    overdue: Mutex<HashSet<usize>>,
}

impl<B: Backend> Road<B> {
    /// A system that begins now.
    pub fn new(config: &B::Config, clock: &Arc<TokioClock>, rng: Rng) -> Self {
        Self {
            world: Mutex::new(B::begin(config, BEGAN)),
            clock: Arc::clone(clock),
            rng: Mutex::new(rng),
            trouble: AtomicU64::new(0),
            later: AtomicU64::new(0),
            sent: Mutex::default(),
            late: Mutex::default(),
            stamps: Mutex::default(),
            overdue: Mutex::default(),
        }
    }

    pub fn now_ms(&self) -> i64 {
        BEGAN + self.clock.start_elapsed().as_millis() as i64
    }

    /// Lets the world do something, after what has come late.
    pub fn with<T>(&self, f: impl FnOnce(&mut B, i64) -> T) -> T {
        let now = self.clock.start_elapsed();
        let mut world = self.world.lock().unwrap();
        let mut stamps = self.stamps.lock().unwrap();
        let mut late = self.late.lock().unwrap();
        late.sort_by_key(|(due, ..)| *due);
        let due = late.partition_point(|(due, ..)| *due <= now);
        for (due, overdue, request) in late.drain(..due) {
            let before = world.recorded() as usize;
            drop(world.answer(request, BEGAN + due.as_millis() as i64));
            stamps.resize(world.recorded() as usize, due);
            if overdue {
                self.overdue.lock().unwrap().extend(before + 1..=stamps.len());
            }
        }
        let done = f(&mut world, BEGAN + now.as_millis() as i64);
        stamps.resize(world.recorded() as usize, now);
        done
    }

    /// True time of each line of the record.
    pub fn stamps(&self) -> Vec<Duration> {
        self.stamps.lock().unwrap().clone()
    }

    pub fn admin(&self, path: &str, body: &Value) -> Value {
        let method = if body.is_null() { "GET" } else { "POST" };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request =
            RequestParts { method: method.into(), path: format!("/admin/{path}"), headers: vec![], body: body.into() };
        let reply = self.with(|world, now| world.answer(request, now));
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, 200, "{path}: {answer}");
        answer
    }

    /// What the network does to this call: nothing, lose the request, lose the answer, bring the request late.
    fn mishap(&self) -> u32 {
        let mut rng = self.rng.lock().unwrap();
        if rng.u64(0..100) < self.trouble.load(Ordering::SeqCst) { rng.u32(1..6) } else { 0 }
    }

    /// Carries a request there and its answer back. `makes`: it makes something, and may come later than others.
    async fn carry(&self, request: RequestParts, makes: bool) -> Result<HttpReply, TransportFault> {
        let broken = || Err(TransportFault::Broken("connection reset".to_owned()));
        let mishap = self.mishap();
        match mishap {
            1 => return Err(TransportFault::NotSent("connection refused".to_owned())),
            2 => return broken(),
            5 => {
                let later = if makes { self.later.load(Ordering::SeqCst) } else { 0 };
                let span = Duration::from_millis(self.rng.lock().unwrap().u64(0..110_000 + later));
                self.late.lock().unwrap().push((self.clock.start_elapsed() + span, span > LIMIT, request));
                return broken();
            }
            _ => {}
        }
        let mut reply = self.with(|world, now| world.answer(request, now));
        while let sim::Transport::Parked { ticket, due_ms } = reply.transport {
            let wait = u64::try_from(due_ms - self.now_ms()).unwrap_or(0).max(1);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            reply = self.with(|world, now| world.answer_parked(ticket, now));
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

    /// The same, noted, with whether an answer came back that its client can use.
    pub async fn exchange(
        &self,
        note: Note,
        request: RequestParts,
        makes: bool,
        usable: impl Fn(&HttpReply) -> bool,
    ) -> Result<HttpReply, TransportFault> {
        let Note { text, kind, op, of_all } = note;
        let record = self.with(|world, _| world.recorded() as usize);
        let at = {
            let mut sent = self.sent.lock().unwrap();
            sent.push(Sent { text, kind, op, at: self.clock.start_elapsed(), answered: false, of_all, record });
            sent.len() - 1
        };
        let answer = self.carry(request, makes).await;
        let mut sent = self.sent.lock().unwrap();
        sent[at].answered = answer.as_ref().is_ok_and(usable);
        if matches!(answer, Err(TransportFault::NotSent(_))) {
            (sent[at].text, sent[at].of_all) = (String::new(), false);
        }
        drop(sent);
        answer
    }
}

impl<B> Road<B> {
    /// Whether the call that a line of the record tells of arrived after the server's own limit.
    pub fn is_overdue(&self, line: u64) -> bool {
        self.overdue.lock().unwrap().contains(&(line as usize))
    }

    /// All that was sent so far.
    pub fn sent(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.sent.lock().unwrap()
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.sent().len() as u64
    }

    /// The writing calls, in words.
    pub fn writes(&self) -> Vec<String> {
        let words = |call: &Sent| format!("called elsewhere: {}", call.text);
        self.sent().iter().filter(|call| call.kind == CallKind::Write).map(words).collect()
    }

    /// How long the record was when the last call that names one of these left, where an answer to it came.
    pub fn answered_last(&self, names: &[String]) -> Option<usize> {
        let sent = self.sent();
        let of = |call: &&Sent| call.kind == CallKind::Write && call.is_about(names);
        sent.iter().rev().find(of).filter(|call| call.answered).map(|call| call.record)
    }

    /// The answer to the last call that names one of these was not durable when the process died.
    pub fn unanswered_of(&self, names: &[String]) {
        let mut sent = self.sent();
        let of = |call: &&mut Sent| call.kind == CallKind::Write && call.is_about(names);
        if let Some(call) = sent.iter_mut().rev().find(of) {
            call.answered = false;
        }
    }

    /// Calls on one record: none while another is unsettled and within the server's limit; none repeated unless it was looked
    /// at after that.
    pub fn beside_each_other(&self, names: &[String]) -> Found {
        let id = names.first().map_or("", String::as_str);
        let sent = self.sent();
        let mut broken = Vec::new();
        let mut open: HashMap<&'static str, (Duration, bool)> = HashMap::new();
        for call in sent.iter().filter(|call| call.is_about(names)) {
            match call.kind {
                CallKind::Write => {
                    for (op, (at, read)) in &open {
                        let words =
                            format!("bill {id}: {op:?} at {at:?}, {:?} at {:?}: {}", call.op, call.at, call.text);
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
}
