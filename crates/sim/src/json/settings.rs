//! What a JSON system decides for itself: who is let in, what a second key means, how long it remembers, how it answers.
//!
//! Invariant: every setting has a default, and can be changed while the server runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JsonSettings {
    /// By collection; `*` for those that have none of their own. A name of your own makes another collection.
    pub collection: BTreeMap<String, CollectionSettings>,
    /// Who is let in.
    pub auth: Auth,
    /// How tokens live.
    pub token: TokenSettings,
    /// How calls are signed.
    pub sign: SignSettings,
    /// What it remembers of calls, so that a repeated one makes nothing.
    pub repeat: RepeatSettings,
    /// How it says no.
    pub answers: Answers,
    /// What an answer tells of a record that was made.
    pub echo: Echo,
    /// Numbers in answers are texts.
    pub numbers_as_text: bool,
    /// What was written is read only so many milliseconds later.
    pub visible_ms: i64,
    /// After each page somebody else changes so many records, and pages move.
    pub touched_per_page: usize,
    /// Records a page has at most; more asked for is cut silently.
    pub most_page: usize,
    /// A cursor is good for so many seconds; 0: for ever.
    pub cursor_seconds: i64,
    /// Calls a second; more are answered with 429. 0: any number.
    pub calls_per_second: u32,
    /// Whether such an answer says how long to wait.
    pub retry_after: bool,
    /// Records one call may make.
    pub max_items: usize,
    /// Records take at most so many megabytes; then it is full.
    pub max_mb: usize,
}

impl Default for JsonSettings {
    fn default() -> Self {
        Self {
            collection: BTreeMap::new(),
            auth: Auth::default(),
            token: TokenSettings::default(),
            sign: SignSettings::default(),
            repeat: RepeatSettings::default(),
            answers: Answers::default(),
            echo: Echo::default(),
            numbers_as_text: false,
            visible_ms: 0,
            touched_per_page: 0,
            most_page: 100,
            cursor_seconds: 0,
            calls_per_second: 0,
            retry_after: true,
            max_items: 200,
            max_mb: 512,
        }
    }
}

/// What a collection decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CollectionSettings {
    /// The field that the client chooses and finds a record by.
    pub key: String,
    /// What a key that is there already means.
    pub duplicates: Duplicates,
    /// Fields that have to be there.
    pub required: Option<Vec<String>>,
    /// Fields that name a record of another collection by its key.
    pub refers: Option<BTreeMap<String, String>>,
    /// The status of a new record.
    pub status: String,
}

/// What a key that is there already means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// The call is refused.
    #[default]
    Refuse,
    /// There are two.
    Accept,
    /// The record there is, is answered as if it had been made.
    Same,
}

/// Who is let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// Everybody.
    None,
    /// Who has a token, in `Authorization`, in `X-Access-Token`, or as `access_token` in query or form.
    #[default]
    Token,
    /// User and password in every call.
    Basic,
    /// Whose calls are signed.
    Signed,
    /// Who has a token and signs.
    TokenAndSigned,
}

/// How tokens live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSettings {
    /// How long one is good.
    pub seconds: i64,
    /// How long it can be renewed.
    pub refresh_seconds: i64,
    /// A new one ends those before.
    pub one: bool,
    /// Whether it can be renewed at all.
    pub refresh: bool,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self { seconds: 7_200, refresh_seconds: 30 * 86_400, one: false, refresh: true }
    }
}

/// How calls are signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignSettings {
    /// The rule.
    pub style: Style,
    /// How far the call's clock may be off.
    pub allowed_seconds: i64,
    /// Whether a nonce is refused the second time.
    pub nonce_once: bool,
}

impl Default for SignSettings {
    fn default() -> Self {
        Self { style: Style::TopMd5, allowed_seconds: 600, nonce_once: true }
    }
}

/// How a call is signed; `…` is every parameter of query and form but `sign`, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// As 奇门: upper-case MD5 of secret, names and values `…`, body, secret; `timestamp` is a date of UTC+8.
    TopMd5,
    /// The same without the secrets around, HMAC-MD5 with it.
    TopHmacMd5,
    /// The same with HMAC-SHA-256.
    TopHmacSha256,
    /// As 聚水潭: lower-case MD5 of secret and names and values `…`; `timestamp` is in seconds.
    Jst,
    /// As 旺店通: lower-case MD5 of `02-name:0004-value` of each of `…`, joined by `;`, and the secret; `timestamp` is in seconds.
    Wdt,
    /// `X-App-Key`, `X-Timestamp` (milliseconds), `X-Nonce`, `X-Signature`: lower-case HMAC-SHA-256 of method, path with query,
    /// timestamp, nonce and body, one a line.
    HeaderSha256,
    /// The same with HMAC-SHA-1, in base64.
    HeaderSha1,
}

/// What it remembers of calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepeatSettings {
    /// Header that carries a call's token; empty: none is read.
    pub header: String,
    /// Field of a body that carries it; empty: none is read.
    pub field: String,
    /// How long a token is remembered.
    pub keeps_seconds: i64,
}

impl Default for RepeatSettings {
    fn default() -> Self {
        Self { header: "Idempotency-Key".to_owned(), field: String::new(), keeps_seconds: 86_400 }
    }
}

/// How it says no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// HTTP 200, and a `code` that is not 0.
    #[default]
    Code,
    /// An HTTP status that says so.
    Status,
}

/// What an answer tells of a record that was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Echo {
    /// Its id and its key.
    #[default]
    Key,
    /// Its id only.
    Id,
    /// That it went well.
    Nothing,
    /// All of it.
    Whole,
}

/// The collections there always are: name, key, required fields, references, status of a new record.
type BuiltIn =
    (&'static str, &'static str, &'static [&'static str], &'static [(&'static str, &'static str)], &'static str);

/// The collections there always are.
const BUILT_IN: [BuiltIn; 3] = [
    ("orders", "so_id", &["so_id", "customer"], &[("customer", "customers")], "open"),
    ("customers", "code", &["code", "name"], &[], "active"),
    ("forms", "form_no", &["form_no", "applicant"], &[], "draft"),
];

impl JsonSettings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// It is not TOML, or names a setting there is not.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Every collection, those that are always there first.
    pub fn collections(&self) -> Vec<String> {
        let own = self.collection.keys().filter(|name| *name != "*" && !BUILT_IN.iter().any(|b| b.0 == *name));
        BUILT_IN.iter().map(|b| b.0.to_owned()).chain(own.cloned()).collect()
    }

    /// What a collection decides.
    pub fn of(&self, name: &str) -> CollectionSettings {
        let mut of = self.collection.get(name).or_else(|| self.collection.get("*")).cloned().unwrap_or_default();
        let (key, required, refers, status) =
            BUILT_IN.iter().find(|b| b.0 == name).map_or(("key", &[][..], &[][..], "open"), |b| (b.1, b.2, b.3, b.4));
        if of.key.is_empty() {
            key.clone_into(&mut of.key);
        }
        if of.status.is_empty() {
            status.clone_into(&mut of.status);
        }
        of.required.get_or_insert_with(|| required.iter().map(|name| (*name).to_owned()).collect());
        of.refers.get_or_insert_with(|| refers.iter().map(|(f, c)| ((*f).to_owned(), (*c).to_owned())).collect());
        of
    }
}
