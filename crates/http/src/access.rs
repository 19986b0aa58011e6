//! Who we are in each request: the secret, a signature, or a token that is fetched once for all.
//!
//! Invariant: one fetch at a time, and none after a refusal before somebody orders it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use skydeck_core::domain::sending::Request;
use skydeck_core::text::{Redactor, hex};
use skydeck_engine::ports::{Fault, FaultKind};
use skydeck_kingdee::transport::{CallKind, HttpReply};

use super::auth::{AppToken, Proof};
use super::client::{HttpErp, lock};
use super::outgoing::{Holes, Outgoing, Payload};
use super::said::{excerpt, words};
use super::sign::{self, sign};
use super::token::{Access, Held};
use super::tree::{Checked, One, check, one, read};

impl HttpErp {
    pub(super) fn app_token(&self) -> Option<&AppToken> {
        match &self.config.auth.proof {
            Proof::Token(token) => Some(token),
            Proof::Open | Proof::Bearer { .. } | Proof::Basic => None,
        }
    }

    /// Whether an answer says that the token is not known any more.
    pub(super) fn is_lost(&self, status: u16, tree: Option<&Value>) -> bool {
        let Some(token) = self.app_token() else { return false };
        let told = !token.lost.is_empty() && tree.is_some_and(|tree| check(tree, &token.lost) == Checked::Holds);
        status == 401 || told
    }

    pub(super) fn token_lost(&self, access: &Access) {
        if let Some(held) = &access.token {
            self.tokens.lost(held.generation);
        }
    }

    /// What requests are made with: a token that is good now, where one is needed.
    pub(super) async fn ready(&self) -> Result<Access, Fault> {
        if let Some(refused) = lock(&self.refused).clone() {
            return Err(refused);
        }
        let Some(token) = self.app_token() else { return Ok(Access::default()) };
        if let Some(held) = self.tokens.live(self.clock.mono()) {
            return Ok(Access { token: Some(held) });
        }
        let _one = self.tokens.fetching.lock().await;
        if let Some(held) = self.tokens.live(self.clock.mono()) {
            return Ok(Access { token: Some(held) });
        }
        if let Some(refused) = lock(&self.refused).clone() {
            return Err(refused);
        }
        let held = self.new_token(token).await.inspect_err(|fault| {
            if fault.kind == FaultKind::Credentials {
                self.refuse(fault);
            }
        })?;
        Ok(Access { token: Some(held) })
    }

    /// A new token: by what renews the last one, else by the secret. What the system does not renew is fetched.
    async fn new_token(&self, token: &AppToken) -> Result<Held, Fault> {
        if let (Some(renewal), Some(by)) = (&token.renewal, self.tokens.renewal()) {
            match self.fetch_token(token, &renewal.request, by.expose_secret()).await {
                // It is not renewed any more: the secret gives another one.
                Err(fault) if fault.kind == FaultKind::Credentials => {}
                other => return other,
            }
        }
        self.fetch_token(token, &token.request, "").await
    }

    /// Fetches a token: one request.
    async fn fetch_token(&self, token: &AppToken, request: &Request, renewing: &str) -> Result<Held, Fault> {
        let what = "token";
        let began = self.clock.mono();
        let holes = sign::Holes { renewing, ..self.holes("", "") };
        let fill = |text: &str| holes.fill(text, true);
        let mut out =
            Outgoing::of(request, Holes::default()).map_err(|why| self.fault(FaultKind::Config, what, &why))?;
        for (_, value) in out.query.iter_mut().chain(out.headers.iter_mut()) {
            *value = fill(value);
        }
        match &mut out.payload {
            Payload::None => {}
            // The secret stays within the text that it stands in.
            Payload::Json(json) => *json = filled_json(json, &fill),
            Payload::Form(fields) => fields.iter_mut().for_each(|(_, value)| *value = fill(value)),
        }
        let answer = if token.signed {
            self.exchange(out, &Access::default(), CallKind::SignIn).await.1
        } else {
            self.send(out, CallKind::SignIn).await.1
        };
        let reply = answer.map_err(|fault| self.transport_fault(what, &fault))?;
        self.given(token, &reply, began)
    }

    /// The token that an answer gives.
    fn given(&self, token: &AppToken, reply: &HttpReply, began: Duration) -> Result<Held, Fault> {
        let what = "token";
        let redactor = self.redactor();
        let text = excerpt(&redactor.text(&String::from_utf8_lossy(&reply.body)));
        match reply.status {
            200..=299 => {}
            400..=403 => {
                return Err(self.fault(FaultKind::Credentials, what, &format!("HTTP {}: {text}", reply.status)));
            }
            status => {
                let fault = self.fault(FaultKind::Http(status), what, &format!("HTTP {status}: {text}"));
                return Err(Fault { retry_after: reply.retry_after(), ..fault });
            }
        }
        // Read without taking anything out: what is looked for is a secret.
        let tree = read(&reply.body, &Redactor::default());
        let tree = tree.map_err(|why| self.fault(FaultKind::Unreadable, what, &why.to_string()))?;
        if let Checked::Fails(..) = check(&tree, &token.ok) {
            return Err(self.fault(FaultKind::Credentials, what, &words(&tree, None)));
        }
        let One::Value(value) = one(&tree, &token.at) else {
            let why = format!("the answer has no token at {}", token.at);
            return Err(self.fault(FaultKind::Unreadable, what, &why));
        };
        let told = token.expires.as_ref().and_then(|path| match one(&tree, path) {
            One::Value(seconds) => seconds.parse().ok().map(Duration::from_secs),
            One::None | One::Unclear => None,
        });
        let renewing = token.renewal.as_ref().and_then(|renewal| match one(&tree, &renewal.at) {
            One::Value(text) => Some(text),
            One::None | One::Unclear => None,
        });
        lock(&self.redactor).add(&value);
        if let Some(renewing) = &renewing {
            lock(&self.redactor).add(renewing);
        }
        let (value, renewing) = (SecretString::from(value), renewing.map(SecretString::from));
        // Counted from before the request: the system may have begun to count then.
        Ok(self.tokens.take(value, renewing, began, told.unwrap_or(token.keeps)))
    }

    fn holes<'a>(&'a self, token: &'a str, nonce: &'a str) -> sign::Holes<'a> {
        let auth = &self.config.auth;
        sign::Holes {
            app: &auth.app_id,
            user: &auth.user,
            secret: self.config.secret.as_ref().map_or("", |secret| secret.expose_secret()),
            token,
            renewing: "",
            now: self.clock.now(),
            nonce,
            zone_minutes: 480,
        }
    }

    /// Adds who we are to a request.
    pub(super) fn signed(&self, mut out: Outgoing, access: &Access) -> Result<Outgoing, String> {
        let auth = &self.config.auth;
        let secret = self.config.secret.as_ref().map_or("", |secret| secret.expose_secret());
        let given = self.config.token.as_ref().map_or("", |token| token.expose_secret());
        let token = access.token.as_ref().map_or(given, |held| held.value.expose_secret());
        match &auth.proof {
            Proof::Bearer { header, prefix } => out.headers.push((header.clone(), format!("{prefix}{secret}"))),
            Proof::Basic => {
                let both = STANDARD.encode(format!("{}:{secret}", auth.user));
                out.headers.push(("Authorization".to_owned(), format!("Basic {both}")));
            }
            // One that fetches the token has none yet.
            Proof::Token(app) if !token.is_empty() => {
                if !(auth
                    .sign
                    .as_ref()
                    .is_some_and(|sign| sign.params.iter().any(|(_, value)| value.contains("{{token}}"))))
                {
                    out.put(&app.place, format!("{}{token}", app.prefix))?;
                }
            }
            Proof::Open | Proof::Token(_) => {}
        }
        if let Some(by) = &auth.sign {
            let nonce = nonce();
            sign(&mut out, by, &self.holes(token, &nonce))?;
        }
        Ok(out)
    }
}

/// A value that comes once.
fn nonce() -> String {
    hex(&fastrand::u128(..).to_be_bytes())
}

/// JSON whose texts have their holes filled.
fn filled_json(json: &str, fill: &impl Fn(&str) -> String) -> String {
    fn walk(value: &mut Value, fill: &impl Fn(&str) -> String) {
        match value {
            Value::String(text) => *text = fill(text),
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, fill)),
            Value::Object(map) => map.values_mut().for_each(|value| walk(value, fill)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let Ok(mut tree) = serde_json::from_str::<Value>(json) else { return json.to_owned() };
    walk(&mut tree, fill);
    tree.to_string()
}
