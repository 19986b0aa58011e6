//! `[environment.…]` of kind `http`: how requests to a system that is none of Kingdee's say who we are.
//!
//! Invariant: rules of signatures and tokens are data here, and no secret is; what cannot be read is refused by its key.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::said::Said;
use super::span::Span;
use crate::domain::sending::{Check, Is, Place, Request};
use crate::http::auth::{AppToken, Auth, Digits, Hash, Pair, Proof, Renewal, Sign, SignPlace};
use crate::http::tree;

/// How an environment of kind `http` signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It does not, or by a signature alone.
    Open,
    /// The secret is a token that is for good.
    Bearer,
    /// User and password, as HTTP has it.
    Basic,
    /// A token that is fetched.
    Token,
}

/// `[environment.….token]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawToken {
    path: String,
    method: Option<String>,
    #[serde(default)]
    r#as: Form,
    #[serde(default)]
    send: BTreeMap<String, String>,
    at: String,
    expires: Option<String>,
    keeps: Option<Span>,
    #[serde(default)]
    ok: Vec<Vec<String>>,
    #[serde(default)]
    lost: Vec<Vec<String>>,
    header: Option<String>,
    query: Option<String>,
    field: Option<String>,
    prefix: Option<String>,
    #[serde(default)]
    signed: bool,
    refresh: Option<RawRenewal>,
}

/// `[environment.….token.refresh]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRenewal {
    path: String,
    #[serde(default)]
    r#as: Form,
    #[serde(default)]
    send: BTreeMap<String, String>,
    at: String,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    #[default]
    Json,
    Form,
}

/// `[environment.….sign]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSign {
    preset: Option<Preset>,
    params: Option<BTreeMap<String, String>>,
    place: Option<RawPlace>,
    name: Option<String>,
    pair: Option<RawPair>,
    between: Option<String>,
    sorted: Option<bool>,
    skip_empty: Option<bool>,
    before: Option<String>,
    after: Option<String>,
    hash: Option<RawHash>,
    digits: Option<RawDigits>,
    clock: Option<Span>,
    zone_minutes: Option<i32>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Preset {
    Qimen,
    Jushuitan,
    Wangdiantong,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawPlace {
    Query,
    Form,
    Header,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawPair {
    Joined,
    Equals,
    Value,
    Lengths,
}

#[derive(Clone, Copy, Deserialize)]
enum RawHash {
    #[serde(rename = "md5")]
    Md5,
    #[serde(rename = "sha1")]
    Sha1,
    #[serde(rename = "sha256")]
    Sha256,
    #[serde(rename = "hmac-md5")]
    HmacMd5,
    #[serde(rename = "hmac-sha1")]
    HmacSha1,
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawDigits {
    Lower,
    Upper,
    Base64,
}

impl RawSign {
    fn build(self) -> Sign {
        let base = match self.preset {
            Some(Preset::Qimen) => Sign::qimen(),
            Some(Preset::Jushuitan) => Sign::jushuitan(),
            Some(Preset::Wangdiantong) => Sign::wangdiantong(),
            None => Sign::usual(SignPlace::Query, &[]),
        };
        let mut params = base.params;
        for (name, value) in self.params.into_iter().flatten() {
            match params.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => params.push((name, value)),
            }
        }
        // An empty text takes a parameter of a preset out.
        params.retain(|(_, value)| !value.is_empty());
        Sign {
            params,
            place: self.place.map_or(base.place, |place| match place {
                RawPlace::Query => SignPlace::Query,
                RawPlace::Form => SignPlace::Form,
                RawPlace::Header => SignPlace::Header,
            }),
            name: self.name.unwrap_or(base.name),
            pair: self.pair.map_or(base.pair, |pair| match pair {
                RawPair::Joined => Pair::Joined,
                RawPair::Equals => Pair::Equals,
                RawPair::Value => Pair::Value,
                RawPair::Lengths => Pair::Lengths,
            }),
            between: self.between.unwrap_or(base.between),
            sorted: self.sorted.unwrap_or(base.sorted),
            skips_empty: self.skip_empty.unwrap_or(base.skips_empty),
            before: self.before.unwrap_or(base.before),
            after: self.after.unwrap_or(base.after),
            hash: self.hash.map_or(base.hash, |hash| match hash {
                RawHash::Md5 => Hash::Md5,
                RawHash::Sha1 => Hash::Sha1,
                RawHash::Sha256 => Hash::Sha256,
                RawHash::HmacMd5 => Hash::HmacMd5,
                RawHash::HmacSha1 => Hash::HmacSha1,
                RawHash::HmacSha256 => Hash::HmacSha256,
            }),
            digits: self.digits.map_or(base.digits, |digits| match digits {
                RawDigits::Lower => Digits::Lower,
                RawDigits::Upper => Digits::Upper,
                RawDigits::Base64 => Digits::Base64,
            }),
            clock: self.clock.map_or(base.clock, |span| Some(span.0)),
            zone_minutes: self.zone_minutes.unwrap_or(base.zone_minutes),
        }
    }
}

fn path(key: &str, written: &str) -> Result<String, Said> {
    tree::path(written).ok_or_else(|| {
        Said::new(
            format!("{key} is no path of an answer: write a name such as data.access_token, or a path of RFC 9535"),
            format!("{key} 不是响应中的路径：请写 data.access_token 这样的名称，或 RFC 9535 路径"),
        )
    })
}

fn checks(key: &str, written: Vec<Vec<String>>) -> Result<Vec<Check>, Said> {
    let wrong = || {
        Said::new(
            format!("{key} is a list of tests such as [[\"code\", \"eq\", \"0\"]]"),
            format!("{key} 应为判断列表，如 [[\"code\", \"eq\", \"0\"]]"),
        )
    };
    let mut all = Vec::with_capacity(written.len());
    for one in written {
        let [of, word, values @ ..] = one.as_slice() else { return Err(wrong()) };
        let is = match (word.as_str(), values.is_empty()) {
            ("eq" | "in", false) => Is::In,
            ("neq" | "notin", false) => Is::NotIn,
            ("exists", true) => Is::Exists,
            ("absent", true) => Is::Absent,
            _ => return Err(wrong()),
        };
        all.push(Check { path: path(key, of)?, is, values: values.to_vec() });
    }
    Ok(all)
}

/// A path below the environment's address.
fn below(key: &str, path: &str) -> Result<(), Said> {
    if path.starts_with('/') && !path.contains(['?', '#']) {
        return Ok(());
    }
    Err(Said::new(
        format!("{key} begins with / and has no ? and #: it is below the environment's url"),
        format!("{key} 以 / 开头，不含 ? 和 #：它位于环境的 url 之下"),
    ))
}

/// Fields as the object of a body.
fn body(pairs: &BTreeMap<String, String>) -> String {
    let map: serde_json::Map<String, serde_json::Value> =
        pairs.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    serde_json::Value::Object(map).to_string()
}

impl RawRenewal {
    fn build(self) -> Result<Renewal, Said> {
        below("token.refresh.path", &self.path)?;
        if !self.send.values().any(|value| value.contains("{{refresh}}")) {
            return Err(Said::new(
                "token.refresh.send has no {{refresh}}: nothing says which token is renewed",
                "token.refresh.send 中没有 {{refresh}}：没有说明续期哪个令牌",
            ));
        }
        let request = Request {
            method: "POST".to_owned(),
            path: self.path,
            body: Some(body(&self.send)),
            form: self.r#as == Form::Form,
            ..Request::default()
        };
        Ok(Renewal { request, at: path("token.refresh.at", &self.at)? })
    }
}

impl RawToken {
    fn build(self) -> Result<AppToken, Said> {
        below("token.path", &self.path)?;
        let method = self.method.unwrap_or_else(|| "POST".to_owned()).to_ascii_uppercase();
        if !["POST", "GET"].contains(&method.as_str()) {
            return Err(Said::new("token.method is POST or GET", "token.method 应为 POST 或 GET"));
        }
        let posts = method == "POST";
        let sent = posts.then(|| body(&self.send));
        let request = Request {
            path: self.path,
            query: if posts { Vec::new() } else { self.send.into_iter().collect() },
            headers: Vec::new(),
            body: sent,
            form: self.r#as == Form::Form,
            method,
        };
        let place = match (self.header, self.query, self.field) {
            (None, None, None) => Place::Header("Authorization".to_owned()),
            (Some(name), None, None) => Place::Header(name),
            (None, Some(name), None) => Place::Query(name),
            (None, None, Some(name)) => Place::Field(name),
            _ => {
                return Err(Said::new(
                    "a token stands in one place: token.header, token.query or token.field",
                    "令牌只放在一处：token.header、token.query 或 token.field",
                ));
            }
        };
        let usual = if place == Place::Header("Authorization".to_owned()) { "Bearer " } else { "" };
        Ok(AppToken {
            request,
            ok: checks("token.ok", self.ok)?,
            at: path("token.at", &self.at)?,
            expires: self.expires.map(|written| path("token.expires", &written)).transpose()?,
            keeps: self.keeps.map_or(Duration::from_secs(3600), |span| span.0),
            place,
            prefix: self.prefix.unwrap_or_else(|| usual.to_owned()),
            lost: checks("token.lost", self.lost)?,
            signed: self.signed,
            renewal: self.refresh.map(RawRenewal::build).transpose()?,
        })
    }
}

/// Who we are to a system, without the secret.
pub(super) fn auth(
    way: Way,
    (user, app_id): (&str, Option<&str>),
    (token, sign): (Option<RawToken>, Option<RawSign>),
) -> Result<Auth, Said> {
    let proof = match (way, token) {
        (Way::Token, Some(token)) => Proof::Token(Box::new(token.build()?)),
        (Way::Token, None) => {
            return Err(Said::new(
                "sign_in = \"token\" needs [environment.NAME.token] with path and at",
                "sign_in = \"token\" 时须写 [environment.名称.token]，含 path 和 at",
            ));
        }
        (_, Some(_)) => {
            return Err(Said::new(
                "token belongs to sign_in = \"token\": take it out",
                "token 只用于 sign_in = \"token\"：请去掉",
            ));
        }
        (Way::Open, None) => Proof::Open,
        (Way::Bearer, None) => Proof::Bearer { header: "Authorization".to_owned(), prefix: "Bearer ".to_owned() },
        (Way::Basic, None) => Proof::Basic,
    };
    Ok(Auth {
        app_id: app_id.unwrap_or_default().to_owned(),
        user: user.to_owned(),
        proof,
        sign: sign.map(RawSign::build),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, EnvironmentConfig};
    use super::*;
    use crate::domain::env::System;

    fn config(lines: &str, tables: &str) -> Result<EnvironmentConfig, String> {
        let text = format!(
            "[environment.wms]\nkind = \"http\"\nurl = \"https://wms.invalid/open\"\naccount_set = \"wms-1\"\nuser = \"u\"\n{lines}\n{tables}"
        );
        let read = Config::parse(Path::new("c.toml"), &text);
        read.map(|config| config.environments[0].clone()).map_err(|error| format!("{error} {}", error.in_chinese()))
    }

    const SECRET: &str = "secret = { file = \"s\" }\n";

    #[test]
    fn a_system_is_described_by_data_and_holds_no_secret() {
        let open = config("sign_in = \"none\"", "").unwrap();
        assert_eq!((open.environment.system, open.secret), (System::Http, None));
        let token = "[environment.wms.token]\npath = \"/token\"\nsend = { app_key = \"{{app}}\" }\nat = \"data.access_token\"\n";
        let read = config(&format!("sign_in = \"token\"\n{SECRET}"), token).unwrap();
        let Some(Proof::Token(read)) = read.http.map(|auth| auth.proof) else { panic!("a token") };
        assert_eq!((read.at.as_str(), read.prefix.as_str()), ("$.data.access_token", "Bearer "));
        assert_eq!(read.request.body.as_deref(), Some("{\"app_key\":\"{{app}}\"}"));
        let renewed = format!(
            "{token}refresh = {{ path = \"/token/refresh\", send = {{ t = \"{{{{refresh}}}}\" }}, at = \"data.refresh_token\" }}\n"
        );
        let renewal = |tables: &str| {
            let read = config(&format!("sign_in = \"token\"\n{SECRET}"), tables)?;
            match read.http.map(|auth| auth.proof) {
                Some(Proof::Token(token)) => Ok(token.renewal.unwrap()),
                _ => Err("no token".to_owned()),
            }
        };
        let is = renewal(&renewed).unwrap();
        assert_eq!(
            (is.at.as_str(), is.request.body.as_deref()),
            ("$.data.refresh_token", Some("{\"t\":\"{{refresh}}\"}"))
        );
        assert!(renewal(&renewed.replace("{{refresh}}", "x")).unwrap_err().contains("{{refresh}}"));
        let static_token = "access_token = { file = \"t\" }";
        let jst = "[environment.wms.sign]\npreset = \"jushuitan\"\n";
        let read = config(&format!("sign_in = \"signed\"\napp_id = \"a\"\n{SECRET}{static_token}"), jst).unwrap();
        assert!(read.connection.access_token.is_some() && !read.is_typed());
        let said = config(&format!("sign_in = \"bearer\"\n{SECRET}{static_token}"), "").unwrap_err();
        assert!(said.contains("access_token belongs to"), "{said}");
        let sign = "[environment.wms.sign]\npreset = \"qimen\"\nhash = \"hmac-sha256\"\nparams = { v = \"\", customerId = \"c1\" }\n";
        let read = config(&format!("sign_in = \"signed\"\napp_id = \"a\"\n{SECRET}"), sign).unwrap();
        let sign = read.http.and_then(|auth| auth.sign).unwrap();
        assert_eq!((sign.hash, sign.digits), (Hash::HmacSha256, Digits::Upper), "the rest of a preset stays");
        assert!(sign.params.iter().any(|(name, _)| name == "customerId"));
        assert!(sign.params.iter().all(|(name, _)| name != "v"), "an empty text takes one out");
    }

    #[test]
    fn what_does_not_belong_together_is_refused_in_both_languages() {
        let token = "[environment.wms.token]\npath = \"/t\"\nat = \"a\"\n";
        for (lines, tables, en, zh) in [
            ("sign_in = \"bearer\"", "", "missing field `secret`", "缺少 `secret`"),
            (
                "sign_in = \"signed\"\nsecret = { file = \"s\" }",
                "",
                "[environment.NAME.sign]",
                "须写 [environment.名称.sign]",
            ),
            (
                "sign_in = \"token\"\nsecret = { file = \"s\" }",
                "",
                "[environment.NAME.token]",
                "须写 [environment.名称.token]",
            ),
            ("sign_in = \"none\"", token, "belongs to sign_in = \"token\"", "只用于 sign_in = \"token\""),
            ("sign_in = \"password\"\nsecret = { file = \"s\" }", "", "one of Kingdee's", "用于金蝶"),
            ("sign_in = \"none\"\nlcid = 2052", "", "lcid is one of Kingdee's", "lcid 用于金蝶"),
            ("sign_in = \"bearer\"\nsecret = \"hunter2\"", "", "must not stand in this file", "不能写在此文件中"),
        ] {
            let said = config(lines, tables).unwrap_err();
            assert!(said.contains(en) && said.contains(zh) && !said.contains("hunter2"), "{said}");
        }
        let with = |change: &str| {
            let token = format!("[environment.wms.token]\npath = \"/t\"\nat = \"a\"\n{change}");
            config(&format!("sign_in = \"token\"\n{SECRET}"), &token).map(|_| ()).unwrap_err()
        };
        for (change, words) in [
            ("header = \"A\"\nquery = \"b\"", "one place"),
            ("expires = \"a[\"", "no path of an answer"),
            ("ok = [[\"code\", \"is\", \"0\"]]", "list of tests"),
            ("method = \"PUT\"", "POST or GET"),
        ] {
            assert!(with(change).contains(words), "{change}");
        }
        let kingdee = "[environment.e]\nurl = \"https://k.invalid/\"\naccount_set = \"1\"\nuser = \"u\"\nsign_in = \"basic\"\nsecret = { file = \"s\" }\n";
        let said = Config::parse(Path::new("c.toml"), kingdee).unwrap_err().to_string();
        assert!(said.contains("kind = \"http\""), "{said}");
    }
}
