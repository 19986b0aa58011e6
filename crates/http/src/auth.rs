//! How requests say who we are: data of the environment, so that a system's rules are written down and not programmed.
//!
//! Invariant: no secret is here; a preset is nothing but the same data, as the system publishes it.

use std::time::Duration;

use skydeck_core::domain::sending::{Check, Place, Request};

/// Who we are, and how that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The application's key, where the system gives one.
    pub app_id: String,
    /// The user, for people and for basic authentication.
    pub user: String,
    /// What shows it.
    pub proof: Proof,
    /// A signature beside it.
    pub sign: Option<Sign>,
}

/// What shows who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing but the signature, if there is one.
    Open,
    /// The secret itself, in this header behind this word.
    Bearer {
        /// The header.
        header: String,
        /// What stands before it, such as `Bearer `.
        prefix: String,
    },
    /// User and secret, as HTTP has it.
    Basic,
    /// A token that is fetched with the secret and goes out of date.
    Token(Box<AppToken>),
}

/// A token that is fetched, kept until it goes out of date, and fetched anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppToken {
    /// What fetches it. Holes: `{{app}}`, `{{secret}}`, `{{user}}`, and those of time.
    pub request: Request,
    /// All hold: it was given.
    pub ok: Vec<Check>,
    /// Where it stands in the answer.
    pub at: String,
    /// Where the answer tells for how many seconds it is good.
    pub expires: Option<String>,
    /// For how long it is good where the answer does not tell.
    pub keeps: Duration,
    /// Where it stands in requests.
    pub place: Place,
    /// What stands before it there.
    pub prefix: String,
    /// All hold in an answer: the system does not know the token any more.
    pub lost: Vec<Check>,
    /// The request that fetches it is signed, too.
    pub signed: bool,
    /// How it is renewed without the secret, where the system gives something to renew it by.
    pub renewal: Option<Renewal>,
}

/// How a token is renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// What renews it; `{{refresh}}` is what it is renewed by.
    pub request: Request,
    /// Where an answer that gives a token has that.
    pub at: String,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// Parameters that are added to each request, with holes: `{{app}}`, `{{user}}`, `{{token}}`, `{{time}}` (seconds),
    /// `{{time_ms}}`, `{{datetime}}`, `{{nonce}}`; `{{time-N}}` is the seconds since the moment N.
    pub params: Vec<(String, String)>,
    /// Where these and the signature stand.
    pub place: SignPlace,
    /// The name of the signature there.
    pub name: String,
    /// How a name and its value are written in what is signed.
    pub pair: Pair,
    /// What stands between two of them.
    pub between: String,
    /// In the order of their names, and not as they are sent.
    pub sorted: bool,
    /// Empty values are left out of what is signed.
    pub skips_empty: bool,
    /// What stands before them: `{{secret}}`, `{{method}}`, `{{path}}`, and the holes of `params`.
    pub before: String,
    /// What stands after them; `{{body}}` is the body, where it is no form.
    pub after: String,
    /// The hash.
    pub hash: Hash,
    /// How the hash is written.
    pub digits: Digits,
    /// How far the clocks may be apart: beyond it nothing is sent.
    pub clock: Option<Duration>,
    /// Minutes that `{{datetime}}` is ahead of UTC.
    pub zone_minutes: i32,
}

/// Where the parameters of a signature stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignPlace {
    /// In the query string.
    Query,
    /// In the form that is the body.
    Form,
    /// In headers.
    Header,
}

/// How a name and its value are written in what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// `namevalue`
    Joined,
    /// `name=value`
    Equals,
    /// `value`
    Value,
    /// `04-name:0005-value`, lengths in characters.
    Lengths,
}

/// The hash of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the hashes")]
pub enum Hash {
    Md5,
    Sha1,
    Sha256,
    HmacMd5,
    HmacSha1,
    HmacSha256,
}

/// How a hash is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    /// `0a`
    Lower,
    /// `0A`
    Upper,
    /// Base64.
    Base64,
}

impl Sign {
    /// A signature as most are: names in order, the secret before them.
    pub fn usual(place: SignPlace, params: &[(&str, &str)]) -> Self {
        Self {
            params: params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            place,
            name: "sign".to_owned(),
            pair: Pair::Joined,
            between: String::new(),
            sorted: true,
            skips_empty: false,
            before: "{{secret}}".to_owned(),
            after: String::new(),
            hash: Hash::Md5,
            digits: Digits::Lower,
            clock: Some(Duration::from_secs(600)),
            zone_minutes: 480,
        }
    }

    /// 奇门: parameters in the query string, signed with the body between the secret twice.
    pub fn qimen() -> Self {
        let params = [
            ("app_key", "{{app}}"),
            ("format", "json"),
            ("sign_method", "md5"),
            ("timestamp", "{{datetime}}"),
            ("v", "2.0"),
        ];
        Self { after: "{{body}}{{secret}}".to_owned(), digits: Digits::Upper, ..Self::usual(SignPlace::Query, &params) }
    }

    /// 聚水潭: parameters in the form, signed behind the secret.
    pub fn jushuitan() -> Self {
        let params = [
            ("app_key", "{{app}}"),
            ("access_token", "{{token}}"),
            ("timestamp", "{{time}}"),
            ("charset", "utf-8"),
            ("version", "2"),
        ];
        Self { skips_empty: true, ..Self::usual(SignPlace::Form, &params) }
    }

    /// 旺店通: parameters in the form, each with its lengths, the secret behind them.
    pub fn wangdiantong() -> Self {
        let params = [("sid", "{{user}}"), ("appkey", "{{app}}"), ("timestamp", "{{time}}")];
        Self {
            pair: Pair::Lengths,
            between: ";".to_owned(),
            before: String::new(),
            after: "{{secret}}".to_owned(),
            ..Self::usual(SignPlace::Form, &params)
        }
    }

    /// A preset by its name.
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "qimen" => Some(Self::qimen()),
            "jushuitan" => Some(Self::jushuitan()),
            "wangdiantong" => Some(Self::wangdiantong()),
            _ => None,
        }
    }
}
