//! Signing in: one login under a lock, or one probe where every call is signed.
//!
//! Invariant: no login is ever repeated by itself after the server refused it; too many lock the account.

use secrecy::ExposeSecret as _;

use super::classify::{Ask, Mode, transport_fault};
use super::client::KingdeeErp;
use super::session::{Generation, set_cookie};
use super::transport::{CallKind, HttpReply, Post};
use super::wire::{BillQuery, LoginReply, login_body};
use skydeck_core::domain::ids::FormId;
use skydeck_core::text::{REDACTED, SHORTEST_SECRET};
use skydeck_engine::ports::{Fault, FaultKind, Greeting};

const AUTH: &str = "Kingdee.BOS.WebApi.ServicesStub.AuthService.";

impl KingdeeErp {
    /// A session to call under; signs in when there is none. Fails at once while the server refuses us.
    pub(super) async fn ready(&self) -> Result<Generation, Fault> {
        if let Some(refused) = self.barred() {
            return Err(refused);
        }
        if self.mode() == Mode::Signed {
            return Ok(self.session.generation());
        }
        if let Some(generation) = self.session.live() {
            return Ok(generation);
        }
        let seen = self.session.ended();
        let _one = self.session.login.lock().await;
        // Whoever held the lock before us may have signed in, been refused, or failed for all who waited.
        if let Some(refused) = self.barred() {
            return Err(refused);
        }
        if let Some(generation) = self.session.live() {
            return Ok(generation);
        }
        if let Some(fault) = self.session.fault_since(seen) {
            return Err(fault);
        }
        self.log_in().await.map(|(generation, _)| generation)
    }

    /// Signs in anew, whatever was before.
    pub(super) async fn greet(&self) -> Result<Greeting, Fault> {
        let _one = self.session.login.lock().await;
        self.session.forget();
        let mut greeting = match self.mode() {
            Mode::Login => self.log_in().await?.1,
            Mode::Signed => self.probe().await?,
        };
        if self.address.is_plain() && !self.address.is_here() {
            greeting.notes.push("plain HTTP: credentials and bills cross the network unencrypted".to_owned());
        }
        if self.config.sign_in.secret().expose_secret().len() < SHORTEST_SECRET {
            greeting.notes.push(format!(
                "the secret has fewer than {SHORTEST_SECRET} characters: should the server repeat it, it cannot be told from \
                 ordinary words and stays in what is kept and shown; use a longer one"
            ));
        }
        Ok(greeting)
    }

    /// One login call. The lock is held by the caller.
    async fn log_in(&self) -> Result<(Generation, Greeting), Fault> {
        let server = self.address.shown();
        let ask = Ask { what: "sign-in", server: &server };
        let now = self.clock.now();
        let Some((service, body)) = login_body(&self.config, now.0 / 1000) else {
            return Err(ask.fault(FaultKind::Config, "calls are signed here", "No login is needed"));
        };
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let service = format!("{AUTH}{service}");
        let answer = self.post(Post { path: &service, headers, body: body.to_vec(), kind: CallKind::SignIn }).await;
        let outcome = match &answer {
            Err(fault) => Err(transport_fault(fault, ask)),
            Ok(reply) => self.welcome(reply, ask),
        };
        match outcome {
            Ok((id, greeting)) => {
                let generation = self.session.begin(Some(id));
                self.taken();
                if let Ok(reply) = &answer {
                    self.session.refresh(generation, reply);
                }
                Ok((generation, greeting))
            }
            Err(fault) => {
                match fault.kind {
                    FaultKind::Credentials | FaultKind::AccountSet => self.refuse(&fault),
                    FaultKind::NotConnected
                    | FaultKind::NoAnswer
                    | FaultKind::Http(_)
                    | FaultKind::Unreadable
                    | FaultKind::TooLarge
                    | FaultKind::Redirected
                    | FaultKind::SessionLost
                    | FaultKind::Refused { .. }
                    | FaultKind::Config => self.session.failed(&fault),
                }
                Err(fault)
            }
        }
    }

    /// Reads the answer to a login: the session id and what the server told.
    fn welcome(&self, reply: &HttpReply, ask: Ask<'_>) -> Result<(String, Greeting), Fault> {
        if reply.status != 200 {
            return Err(super::classify::http_fault(reply, Mode::Signed, ask));
        }
        let login = LoginReply::read(&reply.body).map_err(|why| {
            ask.fault(
                FaultKind::Unreadable,
                &format!("the answer cannot be read: {why}"),
                "Check that the address is the K/3Cloud server's (…/k3cloud/) and no proxy answers in its place",
            )
        })?;
        // Which database this is, and under which session, must not be read out of a text that was changed.
        if login.identity().into_iter().flatten().any(|id| id.contains(REDACTED)) {
            return Err(ask.fault(
                FaultKind::Config,
                "the answer holds our own secret in place of an id",
                "Check the server and its proxy, and change the secret to one that is part of no id",
            ));
        }
        if !login.holds() {
            let said = login.message().unwrap_or("no message");
            let code = login.code().map(|code| format!(", code {code}")).unwrap_or_default();
            let kind = login.kind().map_or_else(|| "none".to_owned(), |kind| kind.to_string());
            let why = format!("the server refused user {}: {said} (LoginResultType {kind}{code})", self.config.user);
            return Err(ask.fault(FaultKind::Credentials, &why, advice(login.kind(), said)));
        }
        if let Some(theirs) = login.account_set()
            && !theirs.eq_ignore_ascii_case(self.config.account_set.trim())
        {
            let why = format!("the server signed us in to account set {theirs} instead of {}", self.config.account_set);
            return Err(ask.fault(
                FaultKind::AccountSet,
                &why,
                "Nothing will be called there; correct the account set id",
            ));
        }
        if let Some(theirs) = login.centre()
            && let Some(ours) = self.session.other_than(&theirs)
        {
            let why = format!("the server signed us in to data centre {theirs} instead of {ours}");
            return Err(ask.fault(
                FaultKind::AccountSet,
                &why,
                "Nothing will be called there; a copy of the database is an environment of its own",
            ));
        }
        let id = login.session().map(str::to_owned).or_else(|| set_cookie(reply, "kdservice-sessionid"));
        let id = id.ok_or_else(|| {
            ask.fault(
                FaultKind::Unreadable,
                "the answer holds no session id",
                "Check the server's version and its proxy",
            )
        })?;
        let mut notes = Vec::new();
        if login.kind() != Some(1) || login.code().is_some() {
            let said = login.message().or(login.code()).unwrap_or("no message");
            notes.push(format!("the server warns at login (type {}): {said}", login.kind().unwrap_or(0)));
        }
        let greeting = Greeting {
            how: self.config.sign_in.how().to_owned(),
            user: login.user().map(str::to_owned),
            account_set: login.account_set_name().map(str::to_owned),
            version: login.version().map(str::to_owned),
            skew_seconds: self.skew(reply),
            notes,
        };
        Ok((id, greeting))
    }

    /// Proves the signature with the small query that the official SDK uses for it.
    async fn probe(&self) -> Result<Greeting, Fault> {
        let server = self.address.shown();
        let ask = Ask { what: "sign-in probe", server: &server };
        let columns = ["FCODE".to_owned()];
        let form = FormId::new("BD_Currency");
        let filter = "FNUMBER='PRE001'";
        let asked = BillQuery { form: &form, columns: &columns, filter, id_path: "FCODE", limit: 1 };
        let (reply, rows) = self.query(asked, CallKind::Status, ask).await;
        let mut notes = Vec::new();
        match rows {
            Ok(_) => {}
            // The signature was accepted; the user may simply not see currencies.
            Err(Fault { kind: FaultKind::Refused { .. }, message, .. }) => notes.push(message),
            Err(fault) => {
                if matches!(fault.kind, FaultKind::Credentials | FaultKind::AccountSet) {
                    self.refuse(&fault);
                }
                return Err(fault);
            }
        }
        self.session.begin(None);
        self.taken();
        Ok(Greeting {
            how: self.config.sign_in.how().to_owned(),
            user: Some(self.config.user.clone()),
            skew_seconds: reply.and_then(|reply| self.skew(&reply)),
            notes,
            ..Greeting::default()
        })
    }

    /// The server's clock minus ours, from its `Date`.
    pub(super) fn skew(&self, reply: &HttpReply) -> Option<i64> {
        let date = chrono::DateTime::parse_from_rfc2822(reply.header("date")?).ok()?;
        Some(date.timestamp() - self.clock.now().0.div_euclid(1000))
    }
}

/// What to do about a refused login (docs/design/wire.md#a-refused-sign-in).
fn advice(kind: Option<i64>, said: &str) -> &'static str {
    if said.contains("次数超限") {
        return "The account is locked for a while or until an administrator unlocks it; no further login is tried";
    }
    match kind {
        Some(0) => {
            "Correct user, password or secret; no further login is tried by itself, because repeated failures lock the account"
        }
        Some(-3) => "The password has expired or must be changed at first login: change it in the ERP",
        Some(-5) => "The server wants a dialog with this user: use an ordinary integration user",
        Some(-6) => "Bind the cloud passport of this user",
        Some(-7) => "The server must be activated",
        _ => "Check user, application, secret and account set; no further login is tried by itself",
    }
}
