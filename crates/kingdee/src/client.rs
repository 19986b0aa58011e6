//! The Kingdee client: [`Erp`] over a [`Transport`].
//!
//! Invariants: a writing call is one POST, never repeated; a read is repeated once, and only after a lost session was
//! renewed; the session id lives here and nowhere else.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use super::classify::{Ask, Judged, Mode, Names, Reading, judge_write, query_fault, read_query, transport_fault};
use super::columns::{Layout, fold, keyset, literal};
use super::config::{Address, ClientConfig, ConfigError, SignIn};
use super::http::HttpTransport;
use super::refusals::Refusals;
use super::request::{MAX_LIMIT, Query, request};
use super::session::Session;
use super::transport::{CallKind, HttpReply, Post, Transport, TransportFault};
use super::wire::{BillQuery, query_body};
use super::{evidence, redact, sign};
use skydeck_core::domain::bill::Found;
use skydeck_core::domain::cause::CauseTable;
use skydeck_core::domain::ids::{Fid, FormId};
use skydeck_core::domain::step::{Evidence, Verb, Verdict};
use skydeck_core::domain::time::Clock;
use skydeck_core::text::Redactor;
use skydeck_engine::ports::{
    Alarm, Erp, Fault, FaultKind, FormInfo, FoundPage, Greeting, KeyLook, KeyRow, Look, PageQuery, Right, WriteCall,
    WriteReply, WriteToken,
};

const FORMS: &str = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.";

/// An answer that took less than this is dated as it came.
const QUICK: Duration = Duration::from_secs(2);

/// Bills one status query may ask for.
const MAX_IDS: usize = 200;

/// A client of one Kingdee server, account set and user.
pub struct KingdeeErp {
    pub(super) config: ClientConfig,
    pub(super) address: Address,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) session: Session,
    /// Users refused in any environment of this process.
    refusals: Arc<Refusals>,
    /// The server in the one form in which two are compared.
    server: String,
    pub(super) causes: Arc<CauseTable>,
    transport: Arc<dyn Transport>,
    /// Knows our secrets.
    redactor: Redactor,
    /// Technical columns that a form was found not to have.
    missing: Mutex<HashMap<FormId, BTreeSet<String>>>,
    /// Whether a query was answered: the signature is accepted.
    proven: AtomicBool,
    /// Seconds that the server's clock is ahead of ours.
    ahead: Mutex<Option<i64>>,
}

impl KingdeeErp {
    /// A client over the network. Reads `ca_file`; sends nothing.
    pub fn new(config: ClientConfig, causes: Arc<CauseTable>, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let transport = Arc::new(HttpTransport::new(&config.reach, config.max_body, config.max_query_body)?);
        Self::over(config, causes, clock, transport)
    }

    /// A client over another transport, e.g. a simulator in the same process.
    pub fn over(
        config: ClientConfig,
        causes: Arc<CauseTable>,
        clock: Arc<dyn Clock>,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, ConfigError> {
        let address = config.address()?;
        if let Some(second) = &config.second_password
            && sign::ClientKey::under("", second.expose_secret()).is_none()
        {
            return Err(ConfigError::SecondPassword);
        }
        Ok(Self {
            server: address.canonical(),
            redactor: config.redactor(),
            config,
            address,
            clock,
            session: Session::default(),
            refusals: Arc::default(),
            causes,
            transport,
            missing: Mutex::default(),
            proven: AtomicBool::new(false),
            ahead: Mutex::default(),
        })
    }

    /// Shares what is known of refused users with the other clients of the process.
    #[must_use]
    pub fn sharing(self, refusals: &Arc<Refusals>) -> Self {
        Self { refusals: Arc::clone(refusals), ..self }
    }

    /// The server refuses us: nothing is tried any more. A refused user is refused in every environment of the server; a
    /// wrong account set is this environment's own.
    pub(super) fn refuse(&self, fault: &Fault) {
        self.session.refuse(fault);
        if fault.kind == FaultKind::Credentials {
            self.refusals.refuse(&self.server, &self.config.user, fault);
        }
    }

    /// The server took our user.
    pub(super) fn taken(&self) {
        self.refusals.took(&self.server, &self.config.user);
    }

    /// Why this user may not be tried: it was refused, here or from another environment. A session that lives, or a
    /// signature that was accepted, is no try.
    pub(super) fn barred(&self) -> Option<Fault> {
        if let Some(refused) = self.session.refusal() {
            return Some(refused);
        }
        if self.session.live().is_some() || self.proven.load(Ordering::Relaxed) && self.mode() == Mode::Signed {
            return None;
        }
        let fault = self.refusals.of(&self.server, &self.config.user)?;
        let message =
            format!("not tried: the server refused this user from another environment. There: {}", fault.message);
        Some(Fault { message, ..fault })
    }

    pub(super) fn mode(&self) -> Mode {
        if self.config.sign_in.is_signed() { Mode::Signed } else { Mode::Login }
    }

    /// How an answer to this client is read.
    pub(super) fn reading<'a>(&'a self, ask: Ask<'a>) -> Reading<'a> {
        Reading { causes: &self.causes, mode: self.mode(), ask }
    }

    /// One POST to a service within the limit of a call.
    pub(super) async fn post(&self, post: Post<'_>) -> Result<HttpReply, TransportFault> {
        let path = self.address.service_path(post.path);
        let limit = self.config.reach.timeout;
        let begun = self.clock.mono();
        let redactor = redact::for_call(&self.redactor, &post.headers);
        match tokio::time::timeout(limit, self.transport.post(Post { path: &path, ..post })).await {
            Ok(answer) => {
                let answer = redact::answer(&redactor, answer);
                // A slow answer may have been dated when the server began with it.
                if let (Ok(reply), true) = (&answer, self.clock.mono().saturating_sub(begun) < QUICK)
                    && let Some(ahead) = self.skew(reply)
                {
                    *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
                }
                answer
            }
            Err(_) => Err(TransportFault::TimedOut(limit)),
        }
    }

    /// One POST of the form service with signature and session headers.
    pub(super) async fn call(&self, service: &str, body: Vec<u8>, kind: CallKind) -> Result<HttpReply, TransportFault> {
        let service = format!("{FORMS}{service}");
        let generation = self.session.generation();
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Accept-Charset".to_owned(), "utf-8".to_owned()),
        ];
        headers.extend(self.signature(&service));
        headers.extend(self.session.headers());
        let answer = self.post(Post { path: &service, headers, body, kind }).await;
        if let Ok(reply) = &answer {
            self.session.refresh(generation, reply);
        }
        answer
    }

    /// The signature headers of one call, where calls are signed (docs/design/wire.md#signatures).
    fn signature(&self, service: &str) -> Vec<(String, String)> {
        let SignIn::Signed { app_id, app_secret } = &self.config.sign_in else { return Vec::new() };
        // Checked when the client was made: a second password that cannot be used makes none.
        let second = self.config.second_password.as_ref();
        let key = second
            .and_then(|second| sign::ClientKey::under(app_id, second.expose_secret()))
            .unwrap_or_else(|| sign::ClientKey::of(app_id));
        let time = self.clock.now().0.div_euclid(1000).to_string();
        let data = sign::app_data(&self.config.account_set, &self.config.user, self.config.lcid, &self.config.org);
        let api = sign::api_signature(&key.secret, &self.address.service_url(service), &time, &time);
        let kd = sign::kd_signature(app_id, app_secret.expose_secret(), &data);
        [
            ("X-Api-ClientID", key.id),
            ("X-Api-Auth-Version", "2.0".to_owned()),
            ("x-api-timestamp", time.clone()),
            ("x-api-nonce", time),
            ("x-api-signheaders", "x-api-timestamp,x-api-nonce".to_owned()),
            ("X-Api-Signature", api),
            ("X-Kd-Appkey", app_id.clone()),
            ("X-Kd-Appdata", sign::encoded_app_data(&data)),
            ("X-Kd-Signature", kd),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// One ExecuteBillQuery, as it is; the reply too, where one came.
    pub(super) async fn query(
        &self,
        query: BillQuery<'_>,
        kind: CallKind,
        ask: Ask<'_>,
    ) -> (Option<HttpReply>, Result<Vec<Vec<String>>, Fault>) {
        let body = query_body(query);
        let answer = self.call("ExecuteBillQuery", body.clone(), kind).await;
        let rows = match &answer {
            Ok(reply) => read_query(reply, query.columns.len(), self.reading(ask)),
            Err(fault) => Err(transport_fault(fault, ask)),
        };
        let rows = rows.map_err(|fault| {
            let evidence = evidence::of(&body, &answer, evidence::KEPT_OF_READS);
            Fault { evidence: Some(Box::new(evidence)), ..fault }
        });
        (answer.ok(), rows)
    }

    /// A query under a session; a lost one is renewed once, and the query repeated once.
    async fn query_signed_in(&self, query: &Query<'_>, layout: &Layout) -> Result<Vec<Vec<String>>, Fault> {
        let server = self.address.shown();
        let what = format!("{} of {}", query.what, query.form);
        let ask = Ask { what: &what, server: &server };
        let once = || async {
            let &Query { form, id_path, limit, .. } = query;
            let asked = BillQuery { form, columns: layout.columns(), filter: &query.filter, id_path, limit };
            self.query(asked, query.kind, ask).await.1
        };
        let generation = self.ready().await?;
        let first = match once().await {
            Err(fault) if fault.kind == FaultKind::SessionLost => {
                self.session.lost(generation);
                self.ready().await?;
                once().await
            }
            other => other,
        };
        match first {
            Err(fault) if fault.kind == FaultKind::SessionLost => {
                let why = "the session was lost again right after signing in";
                let next =
                    "No further login is tried by itself; check the user's rights and other logins of the same user";
                let fault = Fault { evidence: fault.evidence, ..ask.fault(FaultKind::SessionLost, why, next) };
                self.refuse(&fault);
                Err(fault)
            }
            Err(fault) => {
                if matches!(fault.kind, FaultKind::Credentials | FaultKind::AccountSet) {
                    self.refuse(&fault);
                }
                Err(fault)
            }
            Ok(rows) => Ok(rows),
        }
    }

    /// A query whose optional columns are given up one by one where the form has them not; remembered per form.
    pub(super) async fn bills(&self, query: &Query<'_>) -> Result<FoundPage, Fault> {
        loop {
            let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner).get(query.form).cloned();
            let missing = missing.unwrap_or_default();
            let layout =
                Layout::new(query.columns, query.id_path, query.number_path, query.mark, query.fields, &missing);
            match self.query_signed_in(query, &layout).await {
                Ok(rows) => {
                    self.proven.store(true, Ordering::Relaxed);
                    let server = self.address.shown();
                    let ask = Ask { what: query.what, server: &server };
                    let raw_rows = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                    // Every page of lines but the last is full, and its last bill may go on on the next.
                    let whole = || {
                        if query.kind == CallKind::Status {
                            return Ok(layout.uncut(&rows).unwrap_or_default());
                        }
                        let why = format!(
                            "one bill has {raw_rows} lines or more, as many as a page takes: raise skydeck.page_size"
                        );
                        layout.uncut(&rows).ok_or_else(|| query_fault(ask, &why))
                    };
                    let rows = if query.lines && raw_rows >= query.limit { whole()? } else { rows.as_slice() };
                    let bills = fold(&layout, rows, query.after, self.config.zone_minutes)
                        .map_err(|why| query_fault(ask, &why))?;
                    if let Some(why) = bills.iter().find_map(|bill| redact::hidden(&self.redactor, bill)) {
                        let next = "Nothing read in this call is used; change the secret to one that is part of no id or number";
                        return Err(ask.fault(FaultKind::Config, &why, next));
                    }
                    let lines = if query.lines { layout.lines(rows, &bills) } else { Vec::new() };
                    return Ok(FoundPage { bills, raw_rows, rows: lines });
                }
                // Ends: each round takes one of three columns away.
                Err(fault) => match missing_column(&fault, &layout) {
                    Some(column) => {
                        let mut all = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
                        all.entry(query.form.clone()).or_default().insert(column.to_owned());
                    }
                    None => return Err(fault),
                },
            }
        }
    }

    /// Why a writing call must not leave.
    fn objection(&self, token: &WriteToken, call: &WriteCall) -> Option<String> {
        if *token.env() != self.config.env {
            let (theirs, ours) = (token.env(), &self.config.env);
            return Some(format!("not sent: the permission is for environment {theirs}, this is {ours}"));
        }
        if call.verb == Verb::Send {
            return Some("not sent: records go to environments of kind http, and this is none".to_owned());
        }
        let odd = call.bills.iter().find(|(fid, _)| !fid.is_callable());
        odd.map(|(fid, _)| format!("not sent: `{fid}` cannot stand in a list of ids"))
    }
}

/// The optional column that a refusal names as not existing (MsgCode 9, docs/design/wire.md#refused-queries).
fn missing_column(fault: &Fault, layout: &Layout) -> Option<&'static str> {
    match &fault.kind {
        FaultKind::Refused { msg_code: Some(9), .. } => layout.missing_in(&fault.message),
        _ => None,
    }
}

#[async_trait]
impl Erp for KingdeeErp {
    fn ahead(&self) -> Option<i64> {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sign_in(&self) -> Result<Greeting, Fault> {
        self.greet().await
    }

    async fn fetch_page(&self, query: &PageQuery) -> Result<FoundPage, Fault> {
        self.bills(&Query {
            what: "query",
            form: &query.form,
            columns: &query.columns,
            id_path: &query.id_path,
            number_path: &query.number_path,
            mark: query.mark_column.as_deref(),
            fields: &query.fields,
            filter: keyset(&query.filter, &query.id_path, query.after.as_ref()),
            after: query.after.as_ref(),
            limit: query.limit.clamp(1, MAX_LIMIT),
            lines: query.lines,
            kind: CallKind::Read,
        })
        .await
    }

    async fn read_bills(&self, look: &Look<'_>, fids: &[Fid]) -> Result<Vec<Found>, Fault> {
        let Look { form, id_path, number_path, fields } = *look;
        let mut found = Vec::with_capacity(fids.len());
        for asked in fids.chunks(MAX_IDS) {
            let ids: Vec<String> = asked.iter().map(literal).collect();
            let query = Query {
                what: "status query",
                form,
                columns: &[],
                id_path,
                number_path,
                mark: None,
                fields,
                filter: format!("{id_path} in ({})", ids.join(",")),
                after: None,
                limit: MAX_LIMIT,
                lines: false,
                kind: CallKind::Status,
            };
            let bills = self.bills(&query).await?.bills;
            if let Some(stranger) = bills.iter().find(|bill| !asked.contains(&bill.fid)) {
                let server = self.address.shown();
                let why = format!("the server answered about bill {}, which was not asked", stranger.fid);
                return Err(query_fault(Ask { what: query.what, server: &server }, &why));
            }
            found.extend(bills);
        }
        Ok(found)
    }

    async fn find_bills(&self, look: &KeyLook<'_>, keys: &[String]) -> Result<Vec<KeyRow>, Fault> {
        self.by_key(look, keys).await
    }

    async fn describe(&self, form: &FormId) -> Result<FormInfo, Fault> {
        self.form_info(form).await
    }

    async fn write(&self, token: &WriteToken, call: &WriteCall) -> WriteReply {
        let started = self.clock.mono();
        let not_sent = |why: String, alarm| WriteReply {
            verdicts: call.bills.iter().map(|(fid, _)| (fid.clone(), Verdict::NotSent(why.clone()))).collect(),
            evidence: Evidence { error: Some(why.clone()), ..Evidence::default() },
            took: self.clock.mono().saturating_sub(started),
            side: Vec::new(),
            alarm,
            made: Vec::new(),
        };
        if let Some(why) = self.objection(token, call) {
            return not_sent(why, None);
        }
        let generation = match self.ready().await {
            Ok(generation) => generation,
            Err(fault) => {
                let refused = matches!(fault.kind, FaultKind::Credentials | FaultKind::AccountSet);
                let alarm = refused.then(|| Alarm::Credentials(fault.message.clone()));
                return not_sent(fault.message, alarm);
            }
        };
        let mut seen = BTreeSet::new();
        let bills: Vec<(Fid, String)> = call.bills.iter().filter(|(fid, _)| seen.insert(fid)).cloned().collect();
        if bills.is_empty() {
            return not_sent("not sent: no bill was given".to_owned(), None);
        }
        let names = match &call.verb {
            Verb::Save => Names::Saved,
            Verb::Push => Names::Pushed,
            Verb::Submit | Verb::Audit | Verb::Operation(_) | Verb::Send => Names::Asked,
        };
        let Some((service, body)) = request(call, &bills) else {
            return not_sent(
                "not sent: what is to be made cannot be read, or is not one for each bill".to_owned(),
                None,
            );
        };
        let answer = self.call(service, body.clone(), CallKind::Write).await;
        let Judged { verdicts, side, alarm, made } = judge_write(&answer, &bills, &self.causes, (self.mode(), names));
        let of: HashMap<&Fid, &Verdict> = verdicts.iter().map(|(fid, verdict)| (fid, verdict)).collect();
        let verdicts = call
            .bills
            .iter()
            .filter_map(|(fid, _)| of.get(fid).map(|verdict| (fid.clone(), (*verdict).clone())))
            .collect();
        match &alarm {
            Some(Alarm::SessionLost) => self.session.lost(generation),
            Some(Alarm::Credentials(said)) => {
                let server = self.address.shown();
                let ask = Ask { what: "call", server: &server };
                let next =
                    "Check user, application, secret and account set; nothing is called until somebody signs in again";
                self.refuse(&ask.fault(FaultKind::Credentials, said, next));
            }
            Some(Alarm::SlowDown(_) | Alarm::WrongIds) | None => {}
        }
        WriteReply {
            verdicts,
            evidence: evidence::of(&body, &answer, evidence::KEPT),
            took: self.clock.mono().saturating_sub(started),
            side,
            alarm,
            made,
        }
    }

    async fn may_call(&self, form: &FormId, verb: &Verb) -> Right {
        self.ask_right(form, verb).await
    }

    fn refused(&self) -> bool {
        self.barred().is_some()
    }

    fn centre(&self) -> Option<String> {
        self.session.centre()
    }

    fn expect(&self, centre: &str) {
        self.session.expect(centre);
    }

    fn session(&self) -> String {
        let how = self.config.sign_in.how();
        match (self.barred(), self.session.live()) {
            (Some(refused), _) => format!("{how}: refused: {}", refused.message),
            (None, Some(_)) => format!("{how}: signed in as {}", self.config.user),
            (None, None) if self.mode() == Mode::Signed => {
                let proven = if self.proven.load(Ordering::Relaxed) { "accepted" } else { "not proven yet" };
                format!("{how}: {proven}")
            }
            (None, None) => format!("{how}: not signed in"),
        }
    }
}
