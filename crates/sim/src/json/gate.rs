//! Who is calling a JSON system: tokens that end, and signatures over what was sent.
//!
//! Invariant: signatures are computed over what came in, by rules of this crate's own reading; a failed check carries nothing out.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::refusal::No;
use super::request::Asked;
use super::settings::{Auth, JsonSettings, Style, TokenSettings};
use crate::data::SERVER_OFFSET_S;
use crate::reply::RequestParts;
use crate::rng::Rng;
use crate::sign::hex;
use crate::value::parse_time;

/// What a client needs. Not secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonCredentials {
    /// Key of the application, in tokens and signatures.
    pub app_key: String,
    /// Its secret.
    pub app_secret: String,
    /// User for basic authentication.
    pub user: String,
    /// Password for it.
    pub password: String,
}

impl Default for JsonCredentials {
    fn default() -> Self {
        Self {
            app_key: "demo-app".to_owned(),
            app_secret: "not-a-real-secret".to_owned(),
            user: "demo".to_owned(),
            password: "not-a-real-password".to_owned(),
        }
    }
}

/// The tokens that are good, and what they were renewed by.
#[derive(Debug)]
pub struct Tokens {
    live: HashMap<String, i64>,
    renewing: HashMap<String, i64>,
    nonces: HashMap<String, i64>,
    rng: Rng,
    /// How many were given for key and secret, and how many for a token of before.
    pub given: [u64; 2],
}

/// A token with what renews it, and for how many seconds each is good.
#[derive(Debug)]
pub struct Given {
    /// The token.
    pub token: String,
    /// What renews it, once.
    pub renewing: Option<String>,
}

impl Tokens {
    /// None yet.
    pub fn new(seed: u64) -> Self {
        let empty = HashMap::new();
        Self { live: empty.clone(), renewing: empty.clone(), nonces: empty, rng: Rng::new(seed), given: [0; 2] }
    }

    /// How many are good.
    pub fn live(&self, now_ms: i64) -> usize {
        self.live.values().filter(|until| **until > now_ms).count()
    }

    /// Forgets all that is signed in. What renews a token stays.
    pub fn forget_all(&mut self) {
        self.live.clear();
    }

    /// Forgets what a request carries.
    pub fn forget(&mut self, request: &RequestParts, asked: &Asked) {
        if let Some(token) = carried(request, asked) {
            self.live.remove(&token);
        }
    }

    /// A token for key and secret.
    pub fn give(&mut self, settings: &TokenSettings, now_ms: i64) -> Given {
        if let Some(given) = self.given.first_mut() {
            *given += 1;
        }
        self.make(settings, now_ms)
    }

    /// A token for one that renews. It is good once.
    pub fn renew(&mut self, renewing: &str, settings: &TokenSettings, now_ms: i64) -> Result<Given, No> {
        let until = self.renewing.remove(renewing).filter(|until| settings.refresh && *until > now_ms);
        until.ok_or_else(|| No::new(40_102, "refresh_token 无效或已使用"))?;
        if let Some(given) = self.given.last_mut() {
            *given += 1;
        }
        Ok(self.make(settings, now_ms))
    }

    fn make(&mut self, settings: &TokenSettings, now_ms: i64) -> Given {
        if settings.one {
            self.live.clear();
            self.renewing.clear();
        }
        self.live.retain(|_, until| *until > now_ms - 86_400_000);
        let token = format!("at-{:016x}{:016x}", self.rng.next(), self.rng.next());
        self.live.insert(token.clone(), now_ms + settings.seconds * 1000);
        let renewing = settings.refresh.then(|| format!("rt-{:016x}{:016x}", self.rng.next(), self.rng.next()));
        if let Some(renewing) = &renewing {
            self.renewing.insert(renewing.clone(), now_ms + settings.refresh_seconds * 1000);
        }
        Given { token, renewing }
    }

    /// Whether a request may be carried out.
    pub fn check(
        &mut self,
        request: &RequestParts,
        asked: &Asked,
        settings: &JsonSettings,
        known: &JsonCredentials,
        now_ms: i64,
    ) -> Result<(), No> {
        let (token, signed) = match settings.auth {
            Auth::None => return Ok(()),
            Auth::Basic => return basic(request, known),
            Auth::Token => (true, false),
            Auth::Signed => (false, true),
            Auth::TokenAndSigned => (true, true),
        };
        if signed {
            let nonce = signature(request, asked, settings, known, now_ms)?;
            self.nonce(nonce, settings, now_ms)?;
        }
        if token {
            let token = carried(request, asked).ok_or_else(No::signed_out)?;
            let until = self.live.get(&token).ok_or_else(No::signed_out)?;
            if *until <= now_ms {
                return Err(No::expired());
            }
        }
        Ok(())
    }

    fn nonce(&mut self, nonce: Option<String>, settings: &JsonSettings, now_ms: i64) -> Result<(), No> {
        let Some(nonce) = nonce.filter(|_| settings.sign.nonce_once) else { return Ok(()) };
        self.nonces.retain(|_, until| *until > now_ms);
        let until = now_ms + settings.sign.allowed_seconds * 2_000;
        match self.nonces.insert(nonce, until) {
            Some(_) => Err(No::new(40_105, "nonce 已使用")),
            None => Ok(()),
        }
    }
}

fn carried(request: &RequestParts, asked: &Asked) -> Option<String> {
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let header = || request.header("x-access-token").map(str::to_owned);
    let param = || asked.params.iter().find(|(name, _)| name == "access_token").map(|(_, value)| value.clone());
    bearer.or_else(header).or_else(param)
}

fn basic(request: &RequestParts, known: &JsonCredentials) -> Result<(), No> {
    let given = request.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let given = given.and_then(|text| STANDARD.decode(text.trim()).ok());
    let wanted = format!("{}:{}", known.user, known.password);
    if given.as_deref() == Some(wanted.as_bytes()) { Ok(()) } else { Err(No::new(40_103, "用户名或密码错误")) }
}

/// Checks a signature; the nonce, where there is one.
fn signature(
    request: &RequestParts,
    asked: &Asked,
    settings: &JsonSettings,
    known: &JsonCredentials,
    now_ms: i64,
) -> Result<Option<String>, No> {
    let style = settings.sign.style;
    let in_headers = matches!(style, Style::HeaderSha256 | Style::HeaderSha1);
    let param = |name: &str, header: &str| {
        let param = || asked.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        if in_headers { request.header(header).map(str::to_owned) } else { param() }
    };
    let missing = |name: &str| No::new(40_104, format!("缺少签名参数 {name}"));
    let app = param("app_key", "x-app-key").or_else(|| param("appkey", "")).ok_or_else(|| missing("app_key"))?;
    let sign = param("sign", "x-signature").ok_or_else(|| missing("sign"))?;
    let stamp = param("timestamp", "x-timestamp").ok_or_else(|| missing("timestamp"))?;
    let nonce = param("nonce", "x-nonce");
    let wanted = expected(style, request, asked, &known.app_secret, (&stamp, nonce.as_deref().unwrap_or_default()));
    if app != known.app_key || sign != wanted {
        return Err(No::new(40_104, "签名错误"));
    }
    let at_ms = match style {
        Style::TopMd5 | Style::TopHmacMd5 | Style::TopHmacSha256 => {
            parse_time(&stamp).map(|seconds| (seconds - SERVER_OFFSET_S) * 1000)
        }
        Style::Jst | Style::Wdt => stamp.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000)),
        Style::HeaderSha256 | Style::HeaderSha1 => stamp.parse().ok(),
    };
    let off = at_ms.map(|at| at.abs_diff(now_ms));
    let allowed = settings.sign.allowed_seconds.unsigned_abs().saturating_mul(1000);
    if off.is_none_or(|off| off > allowed) {
        return Err(No::new(40_106, format!("时间戳超出允许范围，服务器时间 {}", now_ms.div_euclid(1000))));
    }
    Ok(nonce)
}

/// The signature a request should have.
fn expected(style: Style, request: &RequestParts, asked: &Asked, secret: &str, (stamp, nonce): (&str, &str)) -> String {
    let mut params: Vec<&(String, String)> = asked.params.iter().filter(|(name, _)| name != "sign").collect();
    params.sort();
    let flat = params.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect::<String>();
    // The body of a form is its parameters.
    let is_form = !matches!(request.body.trim_ascii_start().first(), Some(b'{' | b'['));
    let body = if is_form { &[][..] } else { &request.body[..] };
    match style {
        Style::TopMd5 => {
            let text = [secret.as_bytes(), flat.as_bytes(), body, secret.as_bytes()].concat();
            hex(&Md5::digest(text)).to_uppercase()
        }
        Style::TopHmacMd5 => hex(&keyed::<Hmac<Md5>>(secret, &[flat.as_bytes(), body].concat())).to_uppercase(),
        Style::TopHmacSha256 => hex(&keyed::<Hmac<Sha256>>(secret, &[flat.as_bytes(), body].concat())).to_uppercase(),
        Style::Jst => hex(&Md5::digest(format!("{secret}{flat}"))),
        Style::Wdt => {
            let one = |(name, value): &&(String, String)| {
                format!("{:02}-{name}:{:04}-{value}", name.chars().count(), value.chars().count())
            };
            let text = params.iter().map(one).collect::<Vec<_>>().join(";");
            hex(&Md5::digest(format!("{text}{secret}")))
        }
        Style::HeaderSha256 | Style::HeaderSha1 => {
            let head = format!("{}\n{}\n{stamp}\n{nonce}\n", request.method.to_uppercase(), request.path);
            let text = [head.as_bytes(), &request.body].concat();
            if style == Style::HeaderSha256 {
                hex(&keyed::<Hmac<Sha256>>(secret, &text))
            } else {
                STANDARD.encode(keyed::<Hmac<Sha1>>(secret, &text))
            }
        }
    }
}

fn keyed<M: Mac + KeyInit>(secret: &str, text: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length, so this never fails; an empty answer would match nothing.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(style: Style, path: &str, body: &str) -> String {
        let request = RequestParts {
            method: "POST".to_owned(),
            path: path.to_owned(),
            body: body.to_owned().into(),
            ..RequestParts::default()
        };
        let asked = Asked::of(&request).unwrap();
        expected(style, &request, &asked, "secret", ("1700000000000", "n1"))
    }

    /// The values were made with Python's hashlib and hmac.
    #[test]
    fn each_style_signs_as_its_platform_prints_it() {
        let query = "/api/orders?method=a.b&app_key=k&timestamp=2024-01-01+00%3A00%3A00&sign=x";
        let body = r#"{"so_id":"A"}"#;
        let form = "app_key=k&timestamp=1700000000&biz=%7B%22so_id%22%3A%22%E5%8D%95%22%7D";
        assert_eq!(signed(Style::TopMd5, query, body), TOP_MD5);
        assert_eq!(signed(Style::TopHmacMd5, query, body), TOP_HMAC_MD5);
        assert_eq!(signed(Style::TopHmacSha256, query, body), TOP_HMAC_SHA256);
        assert_eq!(signed(Style::Jst, "/api/orders", form), JST);
        assert_eq!(signed(Style::Wdt, "/api/orders", form), WDT);
        assert_eq!(signed(Style::HeaderSha256, "/api/orders?a=1", body), HEADER_SHA256);
        assert_eq!(signed(Style::HeaderSha1, "/api/orders?a=1", body), HEADER_SHA1);
    }

    const TOP_MD5: &str = "190C84CD4ADC16F8B0360F1395346DF8";
    const TOP_HMAC_MD5: &str = "86E17A902B8D687AA14156F7BF617DB5";
    const TOP_HMAC_SHA256: &str = "63F055CECA2C42B69203799E0550DEC1B856D76878942C5B5C00A88764D8083E";
    const JST: &str = "576d2d8842b2de1946b4f059da3cca40";
    const WDT: &str = "cdf0d6ab6cf7fe7b8d698bda604d292b";
    const HEADER_SHA256: &str = "cb18533cec19ab52524243799e57b2789df8d6f7f1c36e25422342307094b943";
    const HEADER_SHA1: &str = "dtaJh8jnG9+EN+c238wPET6UlV0=";
}
