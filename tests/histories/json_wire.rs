//! The way to the JSON simulator, and what its own record says of what was sent there.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use serde_json::{Value, json};
use skydeck::domain::env::{Environment, Limits, System};
use skydeck::domain::ids::EnvId;
use skydeck::domain::sending::{Check, Is, Place, Request};
use skydeck::domain::time::Clock;
use skydeck::engine::ports::Erp;
use skydeck::erp::config::Reach;
use skydeck::erp::transport::{CallKind, HttpReply, TransportFault};
use skydeck::http::HttpErp;
use skydeck::http::auth::{AppToken, Auth, Proof};
use skydeck::http::config::HttpConfig;
use skydeck::http::network::{Network, Wired};
use skydeck::sim::RequestParts;
use skydeck::sim::json::{Done, JsonConfig, JsonCredentials, JsonWorld};

use super::road::{Note, Road};
use crate::engine_support::{SEND, TokioClock, causes, environment, server};

/// The environment of the JSON system.
pub const THERE: &str = "wms";
/// Where its client is told that it is.
const ADDRESS: &str = "http://127.0.0.1:9/api";
/// Codes by which it says that it does not know a token.
const SIGNED_OUT: [i64; 2] = [40_100, 40_101];
/// The answer to a write that is not carried out: too many calls.
const TOO_MANY: i64 = 42_900;

/// The network, and the JSON system behind it.
pub struct JsonWire {
    road: Road<JsonWorld>,
    /// Looks read whole pages, and name no record.
    pub by_pages: AtomicBool,
    /// Its calls need a token that is fetched.
    pub signs_in: bool,
}

impl Deref for JsonWire {
    type Target = Road<JsonWorld>;

    fn deref(&self) -> &Self::Target {
        &self.road
    }
}

/// What the system calls our user in its record.
pub fn our_user() -> String {
    JsonCredentials::default().app_key
}

impl JsonWire {
    pub fn new(config: &JsonConfig, clock: &Arc<TokioClock>, rng: Rng, signs_in: bool) -> Arc<Self> {
        let by_pages = AtomicBool::new(false);
        Arc::new(Self { road: Road::new(config, clock, rng), by_pages, signs_in })
    }

    /// The environment that it is, with these limits.
    pub fn environment(limits: Limits) -> Environment {
        Environment {
            id: EnvId::new(THERE),
            address: ADDRESS.to_owned(),
            server: server(ADDRESS, "wms-1"),
            system: System::Http,
            account_set: "wms-1".to_owned(),
            user: our_user(),
            allow_operations: vec!["Send".to_owned()],
            limits,
            ..environment()
        }
    }

    /// Lines of the record about orders with a key, in order.
    pub fn lines(&self, key: &str) -> Vec<Done> {
        let of = |line: &&Done| line.form == "orders" && line.number == key;
        self.with(|world, _| world.record().after(0, usize::MAX).iter().filter(of).cloned().collect())
    }

    /// Orders that are there now under a key: id and status.
    pub fn there(&self, key: &str) -> BTreeMap<u32, String> {
        let mut there = BTreeMap::new();
        for line in self.lines(key).into_iter().filter(|line| line.refused.is_none()) {
            there.insert(line.id, line.after);
        }
        there.retain(|_, status| status != "-");
        there
    }

    /// How often an order was made under a key.
    pub fn made_under(&self, key: &str) -> u32 {
        self.with(|world, _| world.key_counts("orders", key).changed)
    }

    /// Changes what the system decides.
    pub fn decide(&self, change: impl FnOnce(&mut Value)) {
        let mut settings = self.admin("settings", &Value::Null);
        change(&mut settings);
        self.admin("settings", &settings);
    }

    /// Somebody makes an order under a key.
    pub fn insert(&self, key: &str) {
        let lines = json!([{"sku": "MAT00001", "qty": 1}]);
        self.admin("bill", &json!({"form": "orders", "insert": {"so_id": key, "customer": "C0001", "lines": lines}}));
    }
}

/// A new client, as a new process has it.
pub fn json_client(wire: &Arc<JsonWire>) -> Arc<dyn Erp> {
    let known = JsonCredentials::default();
    let proof = if wire.signs_in { Proof::Token(Box::new(app_token())) } else { Proof::Open };
    let reach = Reach { timeout: Duration::from_secs(60), ..Reach::new(ADDRESS) };
    let config = HttpConfig {
        env: EnvId::new(THERE),
        reach,
        auth: Auth { app_id: known.app_key, user: known.user, proof, sign: None },
        secret: Some(known.app_secret.into()),
        token: None,
        max_body: 4 << 20,
    };
    let clock = Arc::clone(&wire.clock) as Arc<dyn Clock>;
    let network = Arc::clone(wire) as Arc<dyn Network>;
    Arc::new(HttpErp::over(config, Arc::new(causes()), clock, network).unwrap())
}

fn app_token() -> AppToken {
    let is = |values: Vec<String>| Check { path: "$.code".to_owned(), is: Is::In, values };
    AppToken {
        request: Request {
            method: "POST".to_owned(),
            path: "/token".to_owned(),
            body: Some(r#"{"app_key":"{{app}}","app_secret":"{{secret}}"}"#.to_owned()),
            ..Request::default()
        },
        ok: vec![is(vec!["0".to_owned()])],
        at: "$.data.access_token".to_owned(),
        expires: Some("$.data.expires_in".to_owned()),
        keeps: Duration::from_secs(3600),
        place: Place::Header("Authorization".to_owned()),
        prefix: "Bearer ".to_owned(),
        lost: vec![is(SIGNED_OUT.map(|code| code.to_string()).to_vec())],
        signed: false,
        renewal: None,
    }
}

/// The code of an answer, which may be a text.
fn code(reply: &HttpReply) -> Option<i64> {
    let said: Value = serde_json::from_slice(&reply.body).ok()?;
    said["code"].as_i64().or_else(|| said["code"].as_str()?.parse().ok())
}

#[async_trait]
impl Network for JsonWire {
    async fn exchange(&self, request: Wired, kind: CallKind) -> Result<HttpReply, TransportFault> {
        let is_look = matches!(kind, CallKind::Status | CallKind::Read);
        let of_all = is_look && self.by_pages.load(Ordering::SeqCst);
        let text = format!("{} {}", request.path, String::from_utf8_lossy(&request.body));
        let note = Note { text, kind, op: SEND, of_all };
        let Wired { method, path, headers, body } = request;
        let parts = RequestParts { method, path: format!("/api{path}"), headers, body: body.into() };
        // Who does not need a token is refused where one is asked for, and the system is done with the call.
        let lost = |code: i64| self.signs_in && SIGNED_OUT.contains(&code);
        let usable = |reply: &HttpReply| {
            let tells = |code: i64| code != TOO_MANY && !lost(code);
            !matches!(reply.status, 408 | 425 | 429 | 500..) && code(reply).is_some_and(tells)
        };
        self.road.exchange(note, parts, kind == CallKind::Write, usable).await
    }
}
