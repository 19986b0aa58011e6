//! Who is calling: sessions, signed headers, and the measured order in which the real server looks at them
//! (docs/design/wire.md#who-is-calling).
//!
//! Invariant: a live session is never checked again; a failed check never executes anything.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::config::{AuthMode, WorldConfig};
use super::reply::{Refusal, Reply, RequestParts};
use super::rng::Rng;
use super::sign;
use super::texts;

/// The open sessions.
#[derive(Debug)]
pub struct Sessions {
    open: HashMap<String, Session>,
    sweep_above: usize,
    failures: HashMap<String, Failures>,
    rng: Rng,
}

#[derive(Debug)]
struct Session {
    /// Position of the user; `None` for the "shell" id that a failed check hands out.
    user: Option<usize>,
    last_ms: i64,
}

#[derive(Debug, Default)]
struct Failures {
    in_a_row: u32,
    locked_until_ms: i64,
}

/// A session's ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// `kdservice-sessionid`, a GUID.
    pub kd: String,
    /// Handed out just now rather than known before.
    pub fresh: bool,
}

/// What the check said.
#[derive(Debug)]
pub enum Gate {
    /// Go on as this user.
    Open(usize, Ids),
    /// MsgCode 1 or 15, with an id that may come to life later.
    Closed(Refusal, Ids),
    /// Another HTTP answer altogether.
    Reply(Reply),
}

/// More sessions than this and the idle ones are swept.
const SWEEP_ABOVE: usize = 10_000;

impl Sessions {
    /// None yet.
    pub fn new(seed: u64) -> Self {
        Self { open: HashMap::new(), sweep_above: SWEEP_ABOVE, failures: HashMap::new(), rng: Rng::new(seed) }
    }

    /// How many are live.
    pub fn live(&self) -> usize {
        self.open.values().filter(|s| s.user.is_some()).count()
    }

    /// Forgets all.
    pub fn forget_all(&mut self) {
        self.open.clear();
    }

    /// Forgets the one a request carries.
    pub fn forget(&mut self, request: &RequestParts) {
        if let Some(id) = carried(request) {
            self.open.remove(&id);
        }
    }

    /// Opens a session for a user.
    pub fn open(&mut self, user: Option<usize>, now_ms: i64, idle_ms: i64) -> Ids {
        if self.open.len() > self.sweep_above {
            self.open.retain(|_, s| s.user.is_some() && now_ms - s.last_ms <= idle_ms);
            // Those that are live stay: the next look comes when there are twice as many, not at the next call.
            self.sweep_above = SWEEP_ABOVE.max(self.open.len() * 2);
        }
        let (a, b) = (self.rng.next(), self.rng.next());
        let kd = format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | (b >> 50),
            b & 0xffff_ffff_ffff
        );
        self.open.insert(kd.clone(), Session { user, last_ms: now_ms });
        Ids { kd, fresh: true }
    }

    /// Checks a call (docs/design/wire.md#who-is-calling).
    pub fn check(&mut self, request: &RequestParts, config: &WorldConfig, now_ms: i64) -> Gate {
        let carried = carried(request);
        if let Some(id) = &carried
            && let Some(session) = self.open.get_mut(id)
            && let Some(user) = session.user
        {
            if now_ms - session.last_ms <= config.idle_ms {
                session.last_ms = now_ms;
                return Gate::Open(user, Ids { kd: id.clone(), fresh: false });
            }
            self.open.remove(id);
        }
        match signed_user(request, config) {
            Signed::WrongAccount => Gate::Reply(Reply::bytes(
                // invented: the status; only "not 200" is known
                500,
                "text/plain; charset=utf-8",
                texts::WRONG_ACCOUNT,
            )),
            Signed::User(user) if config.users.get(user).is_some_and(|u| u.administrator) => {
                let ids = self.open(None, now_ms, config.idle_ms);
                // invented: the text; the code is documented
                Gate::Closed(Refusal::new(15, "不允许管理员用户调用接口"), ids)
            }
            Signed::User(user) => {
                // A shell id that the client still carries comes to life once the credentials are right.
                if let Some(id) = carried
                    && let Some(session) = self.open.get_mut(&id)
                {
                    *session = Session { user: Some(user), last_ms: now_ms };
                    return Gate::Open(user, Ids { kd: id, fresh: false });
                }
                let ids = self.open(Some(user), now_ms, config.idle_ms);
                Gate::Open(user, ids)
            }
            Signed::No => {
                let known = carried.filter(|id| self.open.contains_key(id));
                let ids = match known {
                    Some(kd) => Ids { kd, fresh: false },
                    None => self.open(None, now_ms, config.idle_ms),
                };
                Gate::Closed(Refusal::new(1, texts::SESSION_LOST), ids)
            }
        }
    }

    /// Whether a user's sign-ins are locked.
    pub fn locked(&self, user: &str, now_ms: i64) -> bool {
        self.failures.get(user).is_some_and(|f| now_ms < f.locked_until_ms)
    }

    /// Counts a sign-in.
    pub fn count(&mut self, user: &str, ok: bool, config: &WorldConfig, now_ms: i64) {
        if ok {
            self.failures.remove(user);
            return;
        }
        if self.failures.len() > SWEEP_ABOVE {
            self.failures.clear();
        }
        let failures = self.failures.entry(user.to_owned()).or_default();
        failures.in_a_row += 1;
        if failures.in_a_row >= config.lock_after {
            failures.locked_until_ms = now_ms + config.lock_ms;
            failures.in_a_row = 0;
        }
    }
}

/// The id a request carries: header `kdservice-sessionid`, header `SID`, or the cookie among odd tokens
/// (docs/design/wire.md#the-session).
fn carried(request: &RequestParts) -> Option<String> {
    for name in ["kdservice-sessionid", "sid"] {
        if let Some(id) = request.header(name).map(str::trim).filter(|id| !id.is_empty()) {
            return Some(id.to_owned());
        }
    }
    request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie")).find_map(|(_, cookie)| {
        cookie.split([';', ',']).find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (name.trim().eq_ignore_ascii_case("kdservice-sessionid") && !value.trim().is_empty())
                .then(|| value.trim().to_owned())
        })
    })
}

enum Signed {
    User(usize),
    WrongAccount,
    No,
}

/// Languages the server has.
const LANGUAGES: [&str; 3] = ["2052", "1033", "3076"];

fn signed_user(request: &RequestParts, config: &WorldConfig) -> Signed {
    if !matches!(config.auth, AuthMode::Signed | AuthMode::Any) {
        return Signed::No;
    }
    let (Some(key), Some(data), Some(signature)) =
        (request.header("x-kd-appkey"), request.header("x-kd-appdata"), request.header("x-kd-signature"))
    else {
        return Signed::No;
    };
    let Ok(data) = STANDARD.decode(data) else { return Signed::No };
    let text = String::from_utf8_lossy(&data);
    let mut parts = text.split(',');
    let (account, user, language) = (parts.next(), parts.next(), parts.next());
    if account != Some(config.credentials.account.as_str()) {
        return Signed::WrongAccount;
    }
    let known = config.users.iter().position(|u| Some(u.name.as_str()) == user);
    let fits = key == config.credentials.app_id
        && language.is_some_and(|l| LANGUAGES.contains(&l))
        && sign::kd_signature(&config.credentials.app_secret, key, &data) == signature;
    match known {
        Some(user) if fits => Signed::User(user),
        _ => Signed::No,
    }
}

/// Oldest timestamp the gateway takes. [REAL]: 13 minutes is too old; the window itself is invented.
const GATEWAY_WINDOW_MS: i64 = 10 * 60_000;

/// The gateway's own check of the X-Api headers (docs/design/wire.md#the-gateway): `None` when it lets the call
/// through.
pub fn gateway(request: &RequestParts, config: &WorldConfig, now_ms: i64) -> Option<Reply> {
    let header = |name| request.header(name).unwrap_or_default();
    let (client, secret) = sign::client_secret(&config.credentials.app_id);
    if header("x-api-clientid").is_empty() {
        return Some(gateway_error(4002, "APP_ID is empty", "APP_ID为空"));
    }
    let stamp = header("x-api-timestamp");
    // The Python client sends seconds, the Java client milliseconds.
    let at = stamp.parse::<i64>().map(|t| if t < 100_000_000_000 { t * 1000 } else { t });
    if !at.is_ok_and(|at| (now_ms - at).abs() <= GATEWAY_WINDOW_MS) {
        return Some(gateway_error(4006, "X-Api-TimeStamp invalid", "X-Api-TimeStamp无效"));
    }
    let path = request.path.split('?').next().unwrap_or_default();
    let expected = sign::api_signature(&secret, path, header("x-api-nonce"), stamp);
    if header("x-api-clientid") != client || header("x-api-signature") != expected {
        return Some(gateway_error(4002, "Unauthorized", "未授权"));
    }
    None
}

/// The gateway's answer: HTTP 519 with its own JSON.
pub fn gateway_error(code: i64, text: &str, text_cn: &str) -> Reply {
    let body = serde_json::json!({
        "errcode": code, "description": format!("{text}[GW]"), "description_cn": format!("{text_cn}[GW]"),
    });
    Reply::bytes(519, "application/json; charset=utf-8", body.to_string())
        .with("X-Api-Requestid", "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f")
}
