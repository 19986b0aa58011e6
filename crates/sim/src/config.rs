//! What a world is made from: size, seed, accounts, faults.
//!
//! Invariant: the same configuration and the same start time give the same world.

use super::faults::FaultPlan;
use super::settings::Settings;

/// Which ways of signing in are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum AuthMode {
    /// Signed headers only, as the vendor's SDK does it.
    Signed,
    /// `LoginByAppSecret` and `LoginBySign` only.
    Secret,
    /// `ValidateUser` only.
    Password,
    /// All of them.
    #[default]
    Any,
}

/// What a client needs to sign in. The demo's are in [`demo_credentials`]; they are no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Account set id (`acctID`, `dcid`).
    pub account: String,
    /// User name.
    pub user: String,
    /// Password for `ValidateUser`.
    pub password: String,
    /// App id, with the hidden client secret behind `_`.
    pub app_id: String,
    /// App secret.
    pub app_secret: String,
    /// Language: 2052 is zh-CN.
    pub lcid: u32,
    /// Organisation number for the signed Appdata; 0 is the user's own.
    pub org: u32,
}

/// The account every world accepts unless told otherwise: that of the recorded signature vectors.
pub fn demo_credentials() -> Credentials {
    Credentials {
        account: "60aa0000000000".to_owned(),
        user: "demo".to_owned(),
        password: "not-a-real-password".to_owned(),
        app_id: "123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWJj".to_owned(),
        app_secret: "0123456789abcdef0123456789abcdef".to_owned(),
        lcid: 2052,
        org: 0,
    }
}

/// A user of the account set. All share app and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name at sign-in.
    pub name: String,
    /// Organisation numbers whose bills this user sees; empty for all. Others are left out silently, as the real server does.
    pub orgs: Vec<String>,
    /// May call writing services.
    pub may_write: bool,
    /// Refused at sign-in (MsgCode 15, LoginResultType -5).
    pub administrator: bool,
}

/// A world.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Seed of data, session ids and faults.
    pub seed: u64,
    /// How many sales outstock bills. Other forms get a tenth, at most 2,000 each.
    pub bills: usize,
    /// Some bills have stock interaction, a closed period, an edit lock, a workflow or slow answers.
    pub trouble: bool,
    /// Some notes hold control characters, escape sequences and formulas.
    pub hostile: bool,
    /// Ways of signing in.
    pub auth: AuthMode,
    /// Also check the X-Api headers, as the vendor's gateway does; always so under `/galaxyapi/`.
    pub gateway: bool,
    /// Time every answer takes, in milliseconds.
    pub delay_ms: u64,
    /// Faults.
    pub faults: FaultPlan,
    /// How forms save and conversions push.
    pub settings: Settings,
    /// Account set, app, password.
    pub credentials: Credentials,
    /// Users.
    pub users: Vec<User>,
    /// A session unused for this long is forgotten.
    pub idle_ms: i64,
    /// Rows a query gives at most; larger limits are cut silently (the real behaviour above the limit is unknown).
    pub limit_cap: usize,
    /// Failed sign-ins in a row after which a user is locked, and for how long.
    pub lock_after: u32,
    /// Length of the lock.
    pub lock_ms: i64,
    /// Bills that are there beside those of the seed.
    pub adopted: std::sync::Arc<[super::Adopted]>,
}

impl Default for WorldConfig {
    fn default() -> Self {
        let user = |name: &str| User { name: name.to_owned(), orgs: Vec::new(), may_write: true, administrator: false };
        Self {
            seed: 1,
            bills: 300,
            trouble: false,
            hostile: false,
            auth: AuthMode::Any,
            gateway: false,
            delay_ms: 0,
            faults: FaultPlan::default(),
            settings: Settings::default(),
            credentials: demo_credentials(),
            users: vec![
                user("demo"),
                user("演示用户"),
                User { orgs: vec!["100".to_owned()], ..user("demo100") },
                User { may_write: false, ..user("reader") },
                User { administrator: true, ..user("Administrator") },
            ],
            idle_ms: 20 * 60_000,
            limit_cap: 10_000,
            lock_after: 5,
            lock_ms: 30 * 60_000,
            adopted: std::sync::Arc::default(),
        }
    }
}
