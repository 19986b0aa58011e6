//! Messages on their way: a program, a webhook, or one of the three robots, each in its own form and signed where it signs.
//!
//! Invariants: a token or secret is in no error and in no log; nothing is followed elsewhere; every wait is bounded.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::AsyncWriteExt;

use super::words::Message;
use crate::text::{json_safe, show};

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Before the second and the third try.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// Bytes of an answer that are read.
const ANSWER: usize = 64 * 1024;
/// WeCom takes no longer Markdown, bytes.
const WECOM: usize = 4096;

/// What a target is.
pub enum Kind {
    /// A program and its arguments; the message as JSON on its standard input.
    Command(Vec<String>),
    /// JSON by POST; success is a status of 2xx.
    Webhook,
    /// 钉钉.
    DingTalk,
    /// 企业微信.
    WeCom,
    /// 飞书.
    Feishu,
}

/// Somebody who is told.
pub struct Target {
    /// Name, for logs.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Address without its secret part.
    pub url: String,
    /// Secret part of the address, or bearer token.
    pub token: Option<SecretString>,
    /// What is signed with.
    pub secret: Option<SecretString>,
}

/// Sends to all targets; keeps one connection pool.
pub struct Sender {
    client: reqwest::Client,
    targets: Vec<Target>,
}

impl Sender {
    /// For these targets.
    pub fn new(targets: Vec<Target>) -> Result<Self, String> {
        // Fails only when some provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(LIMIT)
            .user_agent(concat!("skydeck/", env!("CARGO_PKG_VERSION")));
        if targets.iter().all(|target| !target.url.starts_with("https://")) {
            // No roots are needed, and a machine may have none.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self { client: builder.build().map_err(|e| e.without_url().to_string())?, targets })
    }

    /// Sends to each; gives what became of it, by name. `now`: wall time in milliseconds, for signatures.
    pub async fn send(&self, message: &Message, now: impl Fn() -> i64) -> Vec<(String, Result<(), String>)> {
        // All at once: one that is down keeps nobody else waiting.
        let now = &now;
        futures_util::future::join_all(self.targets.iter().map(|target| async move {
            let mut tries = PAUSES.iter();
            let result = loop {
                match self.once(target, message, now()).await {
                    Ok(()) => break Ok(()),
                    Err(why) => match tries.next() {
                        Some(pause) => tokio::time::sleep(*pause).await,
                        None => break Err(why),
                    },
                }
            };
            (target.name.clone(), result)
        }))
        .await
    }

    async fn once(&self, target: &Target, message: &Message, now: i64) -> Result<(), String> {
        let token = target.token.as_ref().map_or("", |token| token.expose_secret());
        let secret = target.secret.as_ref().map(ExposeSecret::expose_secret);
        match &target.kind {
            Kind::Command(argv) => command(argv, &message.json).await,
            Kind::Webhook => self.webhook(&target.url, token, secret, &message.json).await,
            Kind::DingTalk => {
                let mut url = format!("{}?access_token={}", target.url, encoded(token));
                if let Some(secret) = secret {
                    let sign = encoded(&STANDARD.encode(mac(secret.as_bytes(), &format!("{now}\n{secret}"))?));
                    url = format!("{url}&timestamp={now}&sign={sign}");
                }
                let body =
                    json!({"msgtype": "markdown", "markdown": {"title": message.title, "text": message.markdown}});
                self.robot(&url, &body, "errcode", "errmsg").await
            }
            Kind::WeCom => {
                let url = format!("{}?key={}", target.url, encoded(token));
                let mut content = message.markdown.clone();
                if content.len() > WECOM {
                    let cut = content.floor_char_boundary(WECOM - 4);
                    content.truncate(cut);
                    content.push('…');
                }
                let body = json!({"msgtype": "markdown", "markdown": {"content": content}});
                self.robot(&url, &body, "errcode", "errmsg").await
            }
            Kind::Feishu => {
                let url = format!("{}{}", target.url, encoded(token));
                let mut body = json!({"msg_type": "text", "content": {"text": message.text}});
                if let (Some(secret), Value::Object(fields)) = (secret, &mut body) {
                    let seconds = now / 1000;
                    let sign = STANDARD.encode(mac(format!("{seconds}\n{secret}").as_bytes(), "")?);
                    fields.insert("timestamp".to_owned(), seconds.to_string().into());
                    fields.insert("sign".to_owned(), sign.into());
                }
                self.robot(&url, &body, "code", "msg").await
            }
        }
    }

    async fn webhook(&self, url: &str, token: &str, secret: Option<&str>, body: &Value) -> Result<(), String> {
        let body = json_safe(&body.to_string()).into_owned();
        let mut request = self.client.post(url).header("content-type", "application/json");
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(secret) = secret {
            let hex: Vec<String> = mac(secret.as_bytes(), &body)?.iter().map(|b| format!("{b:02x}")).collect();
            request = request.header("x-skydeck-signature", format!("sha256={}", hex.concat()));
        }
        let answer = request.body(body).send().await.map_err(fault)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered HTTP {}", status.as_u16())),
        }
    }

    /// The robots answer 200 also when they refuse; the code in the body counts.
    async fn robot(&self, url: &str, body: &Value, code: &str, words: &str) -> Result<(), String> {
        let request = self.client.post(url).header("content-type", "application/json");
        let mut answer = request.body(body.to_string()).send().await.map_err(fault)?;
        let status = answer.status();
        let mut text = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(fault)? {
            text.extend_from_slice(&part);
            if text.len() > ANSWER {
                return Err("its answer is too long".to_owned());
            }
        }
        let said: Value =
            serde_json::from_slice(&text).map_err(|_| format!("it answered HTTP {} and no JSON", status.as_u16()))?;
        // Feishu's older form says StatusCode.
        let number = said.get(code).or_else(|| said.get("StatusCode")).and_then(Value::as_i64);
        match number {
            Some(0) if status.is_success() => Ok(()),
            Some(n) => {
                let why = said.get(words).and_then(Value::as_str).unwrap_or_default();
                Err(format!("it refused: {n} {}", show(why, 200).as_str()))
            }
            None => Err(format!("it answered HTTP {} without {code}", status.as_u16())),
        }
    }
}

/// A network error without the address, which holds the token.
#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
fn fault(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", LIMIT.as_secs());
    }
    let mut words = String::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(&error);
    while let Some(cause) = next {
        words = cause.to_string();
        next = cause.source();
    }
    let what = if error.is_connect() { "no connection" } else { "the connection broke" };
    format!("{what}: {}", show(&words, 200).as_str())
}

fn mac(key: &[u8], text: &str) -> Result<Vec<u8>, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|e| e.to_string())?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

/// A value of a URL's query.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Runs a program in a process group of its own; both are gone after the limit.
async fn command(argv: &[String], message: &Value) -> Result<(), String> {
    let (program, args) = argv.split_first().ok_or("no program is named")?;
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| format!("{program} cannot be started: {e}"))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    let input = child.stdin.take();
    let told = async {
        if let Some(mut input) = input {
            // One that does not read is not at fault.
            let _ = input.write_all(json_safe(&message.to_string()).as_bytes()).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(LIMIT, told).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("{program} ended with {status}")),
        Ok(Err(e)) => Err(format!("{program}: {e}")),
        Err(_) => {
            if let Some(group) = group {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            Err(format!("{program} did not end within {} s and was killed", LIMIT.as_secs()))
        }
    }
}
