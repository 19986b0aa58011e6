//! Signing: what is signed is put together as the environment's data says, and hashed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use skydeck_core::domain::time::Ts;
use skydeck_core::text::hex;

use super::auth::{Digits, Hash, Pair, Sign, SignPlace};
use super::outgoing::{Outgoing, Payload};

/// What the holes of a signature are filled with.
#[derive(Clone, Copy)]
pub struct Holes<'a> {
    /// The application's key.
    pub app: &'a str,
    /// The user.
    pub user: &'a str,
    /// The secret.
    pub secret: &'a str,
    /// The token, where one was fetched.
    pub token: &'a str,
    /// What renews it, where one was given.
    pub renewing: &'a str,
    /// Now.
    pub now: Ts,
    /// A value that comes once.
    pub nonce: &'a str,
    /// Minutes that dates are ahead of UTC.
    pub zone_minutes: i32,
}

impl Holes<'_> {
    /// A text with its holes filled. The secret only where `secret` says so.
    pub fn fill(&self, text: &str, secret: bool) -> String {
        let seconds = self.now.0.div_euclid(1000);
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            out.push_str(before);
            let (name, behind) = after.split_once("}}").unwrap_or((after, ""));
            match name {
                "app" => out.push_str(self.app),
                "user" => out.push_str(self.user),
                "token" => out.push_str(self.token),
                "nonce" => out.push_str(self.nonce),
                "time" => out.push_str(&seconds.to_string()),
                "time_ms" => out.push_str(&self.now.0.to_string()),
                "datetime" => out.push_str(&self.datetime()),
                "secret" if secret => out.push_str(self.secret),
                "refresh" if secret => out.push_str(self.renewing),
                other => {
                    let since = other.strip_prefix("time-").and_then(|since| since.parse::<i64>().ok());
                    out.extend(since.map(|since| seconds.saturating_sub(since).to_string()));
                }
            }
            rest = behind;
        }
        out.push_str(rest);
        out
    }

    fn datetime(&self) -> String {
        let at = self.now.0.saturating_add(i64::from(self.zone_minutes) * 60_000);
        let at = chrono::DateTime::from_timestamp_millis(at).unwrap_or_default();
        at.format("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// Adds parameters and signature to a request.
///
/// # Errors
/// The parameters are to stand in a form, and the body is none.
pub fn sign(out: &mut Outgoing, sign: &Sign, holes: &Holes<'_>) -> Result<(), String> {
    let holes = Holes { zone_minutes: sign.zone_minutes, ..*holes };
    let params = sign.params.iter().map(|(name, value)| (name.clone(), holes.fill(value, false)));
    let params: Vec<(String, String)> = params.collect();
    place(out, sign.place, params.clone())?;
    let mut signed = out.query.clone();
    if let Payload::Form(fields) = &out.payload {
        signed.extend(fields.iter().cloned());
    }
    if sign.place == SignPlace::Header {
        signed.extend(params);
    }
    let text = text(out, sign, signed, &holes);
    let signature = (sign.name.clone(), hashed(sign, holes.secret, &text));
    place(out, sign.place, vec![signature])
}

fn place(out: &mut Outgoing, place: SignPlace, pairs: Vec<(String, String)>) -> Result<(), String> {
    match (place, &mut out.payload) {
        (SignPlace::Query, _) => out.query.extend(pairs),
        (SignPlace::Header, _) => out.headers.extend(pairs),
        (SignPlace::Form, Payload::Form(fields)) => fields.extend(pairs),
        (SignPlace::Form, payload @ Payload::None) => *payload = Payload::Form(pairs),
        (SignPlace::Form, Payload::Json(_)) => {
            return Err(
                "the signature stands in a form, and the body is JSON: write \"as\": \"form\" in the plan".into()
            );
        }
    }
    Ok(())
}

/// What is signed.
fn text(out: &Outgoing, sign: &Sign, mut pairs: Vec<(String, String)>, holes: &Holes<'_>) -> String {
    if sign.skips_empty {
        pairs.retain(|(_, value)| !value.is_empty());
    }
    if sign.sorted {
        pairs.sort();
    }
    let pair = |(name, value): &(String, String)| match sign.pair {
        Pair::Joined => format!("{name}{value}"),
        Pair::Equals => format!("{name}={value}"),
        Pair::Value => value.clone(),
        Pair::Lengths => {
            format!("{:02}-{name}:{:04}-{value}", name.chars().count(), value.chars().count())
        }
    };
    let middle = pairs.iter().map(pair).collect::<Vec<_>>().join(&sign.between);
    let body = match &out.payload {
        Payload::Json(json) => json.as_str(),
        Payload::None | Payload::Form(_) => "",
    };
    // The body is put in last: what it holds is no hole.
    let around = |text: &str| {
        let parts = text.split("{{body}}").map(|part| {
            let part = part.replace("{{method}}", &out.method).replace("{{path}}", &out.path);
            holes.fill(&part, true)
        });
        parts.collect::<Vec<_>>().join(body)
    };
    format!("{}{middle}{}", around(&sign.before), around(&sign.after))
}

fn hashed(sign: &Sign, secret: &str, text: &str) -> String {
    let (key, text) = (secret.as_bytes(), text.as_bytes());
    // A key of any length is one.
    macro_rules! mac {
        ($hash:ty) => {
            Hmac::<$hash>::new_from_slice(key)
                .map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        };
    }
    let bytes: Vec<u8> = match sign.hash {
        Hash::Md5 => Md5::digest(text).to_vec(),
        Hash::Sha1 => Sha1::digest(text).to_vec(),
        Hash::Sha256 => Sha256::digest(text).to_vec(),
        Hash::HmacMd5 => mac!(Md5),
        Hash::HmacSha1 => mac!(Sha1),
        Hash::HmacSha256 => mac!(Sha256),
    };
    match sign.digits {
        Digits::Lower => hex(&bytes),
        Digits::Upper => hex(&bytes).to_ascii_uppercase(),
        Digits::Base64 => STANDARD.encode(&bytes),
    }
}

#[cfg(test)]
mod tests;
