//! The client: [`Erp`] over one HTTP system.
//!
//! Invariants: a writing call is one request, never repeated, on a fresh connection; secrets and tokens live here and nowhere
//! else; what was refused is not tried again before somebody orders it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use skydeck_core::domain::bill::Found;
use skydeck_core::domain::cause::CauseTable;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::sending::Sending;
use skydeck_core::domain::step::{Evidence, Verb};
use skydeck_core::domain::time::Clock;
use skydeck_core::text::{Redactor, hex};
use skydeck_engine::ports::{
    Alarm, Erp, Fault, FaultKind, FoundPage, Greeting, KeyLook, KeyRow, ListAsk, ListPage, Look, PageQuery, WriteCall,
    WriteReply, WriteToken,
};
use skydeck_kingdee::config::{Address, ConfigError};
use skydeck_kingdee::evidence;
use skydeck_kingdee::transport::{CallKind, HttpReply, TransportFault};

use super::auth::Proof;
use super::config::HttpConfig;
use super::judge::Asked;
use super::network::{Http, Network, Wired};
use super::outgoing::{Holes, Outgoing, Payload, form};
use super::said::ahead;
use super::token::{Access, Keeper};

/// An answer that took less than this is dated as it came.
const QUICK: Duration = Duration::from_secs(2);

/// A client of one system.
pub struct HttpErp {
    pub(super) config: HttpConfig,
    address: Address,
    pub(super) clock: Arc<dyn Clock>,
    causes: Arc<CauseTable>,
    network: Arc<dyn Network>,
    pub(super) tokens: Keeper,
    /// Knows our secrets, and the tokens that were given.
    pub(super) redactor: Mutex<Redactor>,
    pub(super) refused: Mutex<Option<Fault>>,
    /// Seconds that the system's clock is ahead of ours.
    ahead: Mutex<Option<i64>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpErp {
    /// A client over the network. Reads the certificates that are named; sends nothing.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn new(config: HttpConfig, causes: Arc<CauseTable>, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let network = Arc::new(Http::new(&config.reach, config.max_body)?);
        Self::over(config, causes, clock, network)
    }

    /// A client over something in the place of the network.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn over(
        config: HttpConfig,
        causes: Arc<CauseTable>,
        clock: Arc<dyn Clock>,
        network: Arc<dyn Network>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            address: config.reach.address()?,
            network,
            redactor: Mutex::new(config.redactor()),
            tokens: Keeper::default(),
            refused: Mutex::default(),
            ahead: Mutex::default(),
            config,
            clock,
            causes,
        })
    }

    /// What takes our secrets out of a text.
    pub(super) fn redactor(&self) -> Redactor {
        lock(&self.redactor).clone()
    }

    /// A fault with what was asked for and where.
    pub(super) fn fault(&self, kind: FaultKind, what: &str, why: &str) -> Fault {
        let message = format!("{what} at {}: {}", self.address.shown(), self.redactor().text(why));
        Fault { kind, message, retry_after: None, evidence: None }
    }

    /// A refusal in the system's words.
    pub(super) fn refusal(&self, what: &str, said: &str) -> Fault {
        let cause = self.causes.classify(None, None, said);
        self.fault(FaultKind::Refused { msg_code: None, cause }, what, said)
    }

    pub(super) fn transport_fault(&self, what: &str, fault: &TransportFault) -> Fault {
        let kind = match fault {
            TransportFault::NotSent(_) => FaultKind::NotConnected,
            TransportFault::TimedOut(_) | TransportFault::Broken(_) => FaultKind::NoAnswer,
            TransportFault::TooLarge { .. } => FaultKind::TooLarge,
            TransportFault::Redirected { .. } => FaultKind::Redirected,
        };
        self.fault(kind, what, &fault.to_string())
    }

    /// Nothing is tried any more until somebody orders it.
    pub(super) fn refuse(&self, fault: &Fault) {
        *lock(&self.refused) = Some(fault.clone());
    }

    /// One request with who we are. Gives its body as evidence may keep it.
    pub(super) async fn exchange(
        &self,
        out: Outgoing,
        access: &Access,
        kind: CallKind,
    ) -> (Vec<u8>, Result<HttpReply, TransportFault>) {
        match self.signed(out, access) {
            Ok(out) => self.send(out, kind).await,
            Err(why) => (Vec::new(), Err(TransportFault::NotSent(why))),
        }
    }

    /// One request as it stands.
    pub(super) async fn send(&self, out: Outgoing, kind: CallKind) -> (Vec<u8>, Result<HttpReply, TransportFault>) {
        let kept = self.kept(&out);
        let begun = self.clock.mono();
        let limit = self.config.reach.timeout;
        let exchange = self.network.exchange(wired(&out), kind);
        let answer = match tokio::time::timeout(limit, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(TransportFault::TimedOut(limit)),
        };
        if let (Ok(reply), true) = (&answer, self.clock.mono().saturating_sub(begun) < QUICK)
            && let Some(ahead) = ahead(reply, self.clock.now())
        {
            *lock(&self.ahead) = Some(ahead);
        }
        (kept, self.clean(answer))
    }

    /// The body of a request without signature and secrets.
    fn kept(&self, out: &Outgoing) -> Vec<u8> {
        let sign = self.config.auth.sign.as_ref().map(|sign| sign.name.as_str());
        let bytes = match &out.payload {
            Payload::Form(fields) => {
                let fields: Vec<(String, String)> =
                    fields.iter().filter(|(name, _)| Some(name.as_str()) != sign).cloned().collect();
                form(&fields).into_bytes()
            }
            Payload::None | Payload::Json(_) => out.bytes(),
        };
        self.redactor().bytes(&bytes).into_owned()
    }

    /// Words of faults without secrets; the body is read with them and kept without.
    fn clean(&self, answer: Result<HttpReply, TransportFault>) -> Result<HttpReply, TransportFault> {
        let redactor = self.redactor();
        let clean = |text: String| redactor.text(&text).into_owned();
        answer.map_err(|fault| match fault {
            TransportFault::NotSent(why) => TransportFault::NotSent(clean(why)),
            TransportFault::Broken(why) => TransportFault::Broken(clean(why)),
            TransportFault::Redirected { status, to } => {
                let to: String = clean(to).split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
                TransportFault::Redirected { status, to: if to.is_empty() { "nowhere".to_owned() } else { to } }
            }
            fault @ (TransportFault::TimedOut(_) | TransportFault::TooLarge { .. }) => fault,
        })
    }

    /// Why a writing call must not leave.
    fn objection(&self, token: &WriteToken, call: &WriteCall) -> Option<String> {
        if *token.env() != self.config.env {
            let (theirs, ours) = (token.env(), &self.config.env);
            return Some(format!("not sent: the permission is for environment {theirs}, this is {ours}"));
        }
        if call.verb != Verb::Send || call.sending.is_none() {
            return Some("not sent: this environment takes records that a plan sends, and nothing else".to_owned());
        }
        if call.bills.len() != 1 || call.bodies.len() != 1 {
            return Some("not sent: one record is sent a call".to_owned());
        }
        self.clock_is_off()
    }

    /// A signature with a time that the system does not take proves nothing about what it did with the call.
    fn clock_is_off(&self) -> Option<String> {
        let allowed = self.config.auth.sign.as_ref().and_then(|sign| sign.clock)?;
        let ahead = (*lock(&self.ahead))?;
        let off = ahead.unsigned_abs();
        (off > allowed.as_secs()).then(|| {
            let allowed = allowed.as_secs();
            format!("not sent: the system's clock is {ahead} s ahead of ours, and its signatures allow {allowed} s: set the machine's clock")
        })
    }

    /// What is sent for one record.
    fn outgoing(call: &WriteCall, sending: &Sending) -> Result<Outgoing, String> {
        let key = call.bills.first().map_or("", |(_, key)| key.as_str());
        let body = call.bodies.first().map(String::as_str);
        let mut out = Outgoing::of(&sending.call, Holes { key, body, ..Holes::default() })?;
        if let Some(token) = &sending.token {
            out.put(&token.place, token_of(call, key))?;
        }
        Ok(out)
    }
}

/// A request with its parameters in its path, and the headers of its body.
fn wired(out: &Outgoing) -> Wired {
    let query = if out.query.is_empty() { String::new() } else { format!("?{}", form(&out.query)) };
    let content = match &out.payload {
        Payload::None => None,
        Payload::Json(_) => Some("application/json; charset=utf-8"),
        Payload::Form(_) => Some("application/x-www-form-urlencoded; charset=utf-8"),
    };
    let own = [("Accept", Some("application/json")), ("Content-Type", content)];
    let given = |name: &str| out.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    let headers = own.filter(|(name, _)| !given(name)).chain(out.headers.iter().cloned()).collect();
    Wired { method: out.method.clone(), path: format!("{}{query}", out.path), headers, body: out.bytes() }
}

/// The token of a call: the same for the same record with the same content, and for no other.
fn token_of(call: &WriteCall, key: &str) -> String {
    let mut hash = Sha256::new();
    let body = call.bodies.first().map_or("", String::as_str);
    for part in ["skydeck send 1", call.form.as_str(), key, body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex(hash.finalize().get(..16).unwrap_or_default())
}

#[async_trait]
impl Erp for HttpErp {
    fn ahead(&self) -> Option<i64> {
        *lock(&self.ahead)
    }

    async fn sign_in(&self) -> Result<Greeting, Fault> {
        lock(&self.refused).take();
        let how = self.how().to_owned();
        let mut notes = Vec::new();
        if self.app_token().is_some() {
            if let Some(held) = self.tokens.live(self.clock.mono()) {
                self.tokens.lost(held.generation);
            }
            self.ready().await?;
        } else {
            notes.push("not proven before the first look: the system has nothing to sign in to".to_owned());
        }
        if self.address.is_plain() && !self.address.is_here() {
            notes.push("http:// to another machine: credentials and records cross the network in clear".to_owned());
        }
        Ok(Greeting { how, skew_seconds: self.ahead(), notes, ..Greeting::default() })
    }

    async fn fetch_page(&self, query: &PageQuery) -> Result<FoundPage, Fault> {
        let why = format!("records of {} are not queried here: the environment is of kind http", query.form);
        Err(self.fault(FaultKind::Config, "query", &why))
    }

    async fn read_bills(&self, look: &Look<'_>, _fids: &[Fid]) -> Result<Vec<Found>, Fault> {
        let why = format!("records of {} are not read by id here: the environment is of kind http", look.form);
        Err(self.fault(FaultKind::Config, "status query", &why))
    }

    async fn find_bills(&self, look: &KeyLook<'_>, keys: &[String]) -> Result<Vec<KeyRow>, Fault> {
        self.by_key(look, keys).await
    }

    async fn list(&self, ask: &ListAsk<'_>) -> Result<ListPage, Fault> {
        self.one_page(ask).await
    }

    async fn write(&self, token: &WriteToken, call: &WriteCall) -> WriteReply {
        let started = self.clock.mono();
        let not_sent = |why: String, alarm: Option<Alarm>| WriteReply {
            took: self.clock.mono().saturating_sub(started),
            alarm,
            ..WriteReply::not_sent(call, why)
        };
        if let Some(why) = self.objection(token, call) {
            return not_sent(why, None);
        }
        let (Some(sending), Some((fid, key))) = (call.sending.as_deref(), call.bills.first()) else {
            return not_sent("not sent: no record was given".to_owned(), None);
        };
        let access = match self.ready().await {
            Ok(access) => access,
            Err(fault) => {
                let refused = fault.kind == FaultKind::Credentials;
                let alarm = refused.then(|| Alarm::Credentials(fault.message.clone()));
                return not_sent(fault.message, alarm);
            }
        };
        // The answer that gave the token told the time.
        if let Some(why) = self.clock_is_off() {
            return not_sent(why, None);
        }
        let out = match Self::outgoing(call, sending) {
            Ok(out) => out,
            Err(why) => return not_sent(format!("not sent: {why}"), None),
        };
        let (sent, answer) = self.exchange(out, &access, CallKind::Write).await;
        let redactor = self.redactor();
        let lost = self.app_token().map(|token| token.lost.as_slice());
        let asked = Asked { sending, key, causes: &self.causes, redactor: &redactor, token: lost };
        let judged = asked.judge(&answer);
        match &judged.alarm {
            Some(Alarm::SessionLost) => self.token_lost(&access),
            Some(Alarm::Credentials(said)) => self.refuse(&self.fault(FaultKind::Credentials, "call", said)),
            Some(Alarm::SlowDown(_) | Alarm::WrongIds) | None => {}
        }
        WriteReply {
            verdicts: vec![(fid.clone(), judged.verdict)],
            evidence: self.evidence(&sent, &answer),
            took: self.clock.mono().saturating_sub(started),
            side: Vec::new(),
            alarm: judged.alarm,
            made: judged.made.map(|(id, no)| (fid.clone(), id, no)).into_iter().collect(),
        }
    }

    fn refused(&self) -> bool {
        lock(&self.refused).is_some()
    }

    fn session(&self) -> String {
        let how = self.how();
        if let Some(refused) = lock(&self.refused).as_ref() {
            return format!("{how}: refused: {}", refused.message);
        }
        match (self.app_token(), self.tokens.live(self.clock.mono())) {
            (Some(_), Some(_)) => format!("{how}: a token is held"),
            (Some(_), None) => format!("{how}: no token is held"),
            (None, _) => how.to_owned(),
        }
    }
}

impl HttpErp {
    fn how(&self) -> &'static str {
        match (&self.config.auth.proof, &self.config.auth.sign) {
            (Proof::Open, None) => "no sign-in",
            (Proof::Open, Some(_)) => "signed requests",
            (Proof::Bearer { .. }, _) => "bearer token",
            (Proof::Basic, _) => "basic",
            (Proof::Token(_), _) => "app token",
        }
    }

    /// Request and answer without secrets.
    fn evidence(&self, sent: &[u8], answer: &Result<HttpReply, TransportFault>) -> Evidence {
        let redactor = self.redactor();
        let clean =
            answer.as_ref().map(|reply| HttpReply { body: redactor.bytes(&reply.body).into_owned(), ..reply.clone() });
        evidence::of(sent, &clean.map_err(Clone::clone), evidence::KEPT)
    }
}
