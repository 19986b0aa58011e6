//! The ERP as the engine sees it: what a client of one implements, and what goes in and out.
//!
//! Invariant: a write takes a [`WriteToken`], and only the engine makes one.

use std::time::Duration;

use async_trait::async_trait;

use skydeck_core::domain::bill::Found;
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::feed::Feed;
use skydeck_core::domain::ids::{EnvId, Fid, FormId};
use skydeck_core::domain::plan::WriteOptions;
use skydeck_core::domain::run::Flag;
use skydeck_core::domain::sending::{Request, Sending};
use skydeck_core::domain::step::{Evidence, Verb, Verdict};

/// Proof that the engine allowed a write. Only its permission check makes one; it names what was allowed, so that a token
/// for one environment cannot be used in another.
#[derive(Clone, Debug)]
pub struct WriteToken {
    env: EnvId,
}

impl WriteToken {
    /// Issues a token. To be called by the permission check alone.
    pub(crate) fn issue(env: EnvId) -> Self {
        Self { env }
    }

    /// A token for the tests of a client, which have no engine.
    #[cfg(feature = "testkit")]
    pub fn for_tests(env: EnvId) -> Self {
        Self::issue(env)
    }

    /// The environment it is good for.
    pub fn env(&self) -> &EnvId {
        &self.env
    }
}

/// One page of a plan's query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// Business object.
    pub form: FormId,
    /// The plan's columns, as Kingdee paths; [`Found::columns`] has their values in this order.
    pub columns: Vec<String>,
    /// Path of the internal id (`FID`).
    pub id_path: String,
    /// Path of the number (`FBillNo`).
    pub number_path: String,
    /// Column whose value becomes [`Found::marked`].
    pub mark_column: Option<String>,
    /// Fields that the operation looks at, which become [`Found::fields`].
    pub fields: Vec<String>,
    /// The rendered FilterString; the client adds the keyset condition.
    pub filter: String,
    /// Keyset: only ids above this one.
    pub after: Option<Fid>,
    /// Rows a page.
    pub limit: u32,
    /// Every row of a bill is wanted, not the first alone: [`FoundPage::rows`]. No bill is cut by the end of a page.
    pub lines: bool,
}

/// What a look at bills asks for.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Business object.
    pub form: &'a FormId,
    /// Path of the internal id.
    pub id_path: &'a str,
    /// Path of the number.
    pub number_path: &'a str,
    /// Fields beside status, modification and audit, which become [`Found::fields`].
    pub fields: &'a [String],
}

impl<'a> Look<'a> {
    /// A look at the status alone, of a form whose bills are named as most are.
    pub fn of(form: &'a FormId) -> Self {
        Look { form, id_path: "FID", number_path: "FBillNo", fields: &[] }
    }
}

/// One page of rows. The page after the last has no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPage {
    /// One entry a bill, ascending by id; entry-level columns that multiply rows are folded to the first.
    pub bills: Vec<Found>,
    /// Raw rows the server sent, before folding.
    pub raw_rows: u32,
    /// Where they were asked for: all rows of each bill, in the order of [`FoundPage::bills`], with the plan's columns whole.
    pub rows: Vec<Vec<Vec<String>>>,
}

/// What a look by key asks for.
#[derive(Clone, Copy, Debug)]
pub struct KeyLook<'a> {
    /// Business object.
    pub form: &'a FormId,
    /// Path of the internal id.
    pub id_path: &'a str,
    /// Path of the number.
    pub number_path: &'a str,
    /// The field whose values are looked for.
    pub key: &'a str,
    /// The field is one of the lines: a bill is found once for each value that its lines hold, with the lines that hold it.
    pub in_lines: bool,
    /// Fields beside it, which become [`Found::fields`].
    pub fields: &'a [String],
    /// Fields of the lines of one list of it, which become [`KeyRow::lines`].
    pub lines: &'a [String],
    /// How it is looked for in a system that is not told by a form alone.
    pub sending: Option<&'a Sending>,
}

/// A bill that a look by key found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The value it was found by, as the ERP has it.
    pub key: String,
    /// The bill.
    pub found: Found,
    /// Its lines, each with the fields asked for; none where none were asked for.
    pub lines: Vec<Vec<String>>,
}

/// A part of a list that another system is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ListAsk<'a> {
    /// What is asked; only the holes of the place are open.
    pub request: &'a Request,
    /// How the answer is read.
    pub feed: &'a Feed,
    /// Which part.
    pub at: ListPlace<'a>,
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListPlace<'a> {
    /// All that one answer shows.
    Whole,
    /// The page of this number.
    Page(u32),
    /// The page behind so many records.
    Offset(u64),
    /// The page that an answer before named.
    Cursor(Option<&'a str>),
    /// The record with this id.
    Key(&'a str),
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Its records, JSON objects, in its order.
    pub records: Vec<String>,
    /// What the next page is asked for by, where the list is read by cursor and there is one.
    pub next: Option<String>,
    /// Whether another page follows, where the answer tells.
    pub more: Option<bool>,
    /// How many records the list has, where the answer tells.
    pub total: Option<u64>,
}

/// A writing call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteCall {
    /// What.
    pub verb: Verb,
    /// Business object.
    pub form: FormId,
    /// Bills with id and number, without duplicates; ids are sent, numbers serve matching.
    pub bills: Vec<(Fid, String)>,
    /// The plan's options.
    pub options: WriteOptions,
    /// Rule-changing flags chosen for this run.
    pub flags: Vec<Flag>,
    /// What is to be made, one a bill: JSON, sent as it stands. Empty for calls that act on a bill that is there.
    pub bodies: Vec<String>,
    /// How they are sent to a system that is not told by a form alone.
    pub sending: Option<Box<Sending>>,
}

/// What came of a writing call: one verdict for each bill asked, in the order asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteReply {
    /// Verdicts.
    pub verdicts: Vec<(Fid, Verdict)>,
    /// Request and answer.
    pub evidence: Evidence,
    /// How long it took.
    pub took: Duration,
    /// Words of the ERP about side effects.
    pub side: Vec<String>,
    /// The whole call met something that concerns the session or the server, not the bill.
    pub alarm: Option<Alarm>,
    /// What the call made, as its answer names it: internal id and number.
    pub made: Vec<(Fid, Fid, String)>,
}

impl WriteReply {
    /// Nothing left: the words say why.
    pub fn not_sent(call: &WriteCall, why: String) -> Self {
        let verdicts = call.bills.iter().map(|(fid, _)| (fid.clone(), Verdict::NotSent(why.clone()))).collect();
        let evidence = Evidence { error: Some(why), ..Evidence::default() };
        Self { verdicts, evidence, took: Duration::ZERO, side: Vec::new(), alarm: None, made: Vec::new() }
    }
}

/// What concerns more than one bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The session is gone (login mode): sign in once, read, then decide.
    SessionLost,
    /// Credentials, app or account set refused (signed mode: MsgCode 1 means this): stop.
    Credentials(String),
    /// Slow down: MsgCode 14 or HTTP 429, with the server's wish, clamped to 15 minutes.
    SlowDown(Option<Duration>),
    /// The answer named bills that were not asked.
    WrongIds,
}

/// A reading call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Class.
    pub kind: FaultKind,
    /// What happened and what to do next, in words; no URL with credentials, no secret.
    pub message: String,
    /// The server's wish, clamped.
    pub retry_after: Option<Duration>,
    /// Request and answer, where there was one.
    pub evidence: Option<Box<Evidence>>,
}

/// Classes of a reading call's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing was sent: refused, no route, no such host, no TLS answer.
    NotConnected,
    /// Time-out or break after sending.
    NoAnswer,
    /// HTTP status that is no success.
    Http(u16),
    /// HTML, empty, cut or wrong shape.
    Unreadable,
    /// Over the limit.
    TooLarge,
    /// A redirect, not followed.
    Redirected,
    /// User, password, app or secret refused.
    Credentials,
    /// The account set does not exist or is not allowed, or it is another one than the environment's.
    AccountSet,
    /// The session is gone and signing in again did not help.
    SessionLost,
    /// The ERP said no: MsgCode, cause.
    Refused {
        /// MsgCode.
        msg_code: Option<i64>,
        /// Our class.
        cause: Cause,
    },
    /// The address or another setting cannot be used.
    Config,
}

/// What a sign-in told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// How: signed headers, app secret, password.
    pub how: String,
    /// User name as the server says.
    pub user: Option<String>,
    /// Account set's name as the server says.
    pub account_set: Option<String>,
    /// Server version.
    pub version: Option<String>,
    /// Server's clock minus ours, from the HTTP Date header.
    pub skew_seconds: Option<i64>,
    /// Warnings worth showing (password policy, plain HTTP).
    pub notes: Vec<String>,
}

/// What a server says of a user's right to call something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// It looked for the bill and had nothing against the user.
    NotRefused,
    /// It refuses the user: its words.
    Refused(String),
    /// That cannot be told: why.
    Unclear(String),
}

/// What a form is made of, as the ERP tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormInfo {
    /// Its name for people.
    pub name: String,
    /// Path of the internal id, where it is told.
    pub id_path: Option<String>,
    /// Its fields, those of the head first.
    pub fields: Vec<FormField>,
    /// Operations it has, by their codes.
    pub operations: Vec<String>,
}

impl FormInfo {
    /// The field of this key, in any letter case.
    pub fn field(&self, key: &str) -> Option<&FormField> {
        self.fields.iter().find(|field| field.key.eq_ignore_ascii_case(key))
    }
}

/// A field of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormField {
    /// Its key: what a query names.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// The form whose rows it refers to, of base data.
    pub list: Option<String>,
    /// Stands once in a bill; a field of lines stands in each of them.
    pub is_head: bool,
}

/// Values that one look by key asks for, at most.
pub const MOST_KEYS: usize = 50;

/// The ERP.
#[async_trait]
pub trait Erp: Send + Sync {
    /// Signs in (or proves the signature with a probe query) and says what it found.
    async fn sign_in(&self) -> Result<Greeting, Fault>;
    /// One page of a query, ordered by id.
    async fn fetch_page(&self, query: &PageQuery) -> Result<FoundPage, Fault>;
    /// Status and revision of bills by id, at most 200, with the fields asked for beside them; a bill that is gone is not in
    /// the answer. Columns stay empty.
    async fn read_bills(&self, look: &Look<'_>, fids: &[Fid]) -> Result<Vec<Found>, Fault>;
    /// Bills by the value of a field, at most [`MOST_KEYS`] values: each bill with the value it has, several where
    /// several have it. A value that no bill has is not in the answer.
    /// A client of a system whose records are not made by plans need not find any.
    async fn find_bills(&self, look: &KeyLook<'_>, _keys: &[String]) -> Result<Vec<KeyRow>, Fault> {
        let message = format!("this client does not look for {} by {}", look.form, look.key);
        Err(Fault { kind: FaultKind::Config, message, retry_after: None, evidence: None })
    }
    /// A part of the list that another system shows.
    /// A client of a system that lists none in this way need not.
    async fn list(&self, ask: &ListAsk<'_>) -> Result<ListPage, Fault> {
        let message = format!("this client reads no list such as {}", ask.request.path);
        Err(Fault { kind: FaultKind::Config, message, retry_after: None, evidence: None })
    }
    /// What a form is made of.
    /// A client of a system that cannot tell need not.
    async fn describe(&self, form: &FormId) -> Result<FormInfo, Fault> {
        let message = format!("this client does not tell what {form} is made of");
        Err(Fault { kind: FaultKind::Config, message, retry_after: None, evidence: None })
    }
    /// A writing call: one POST, never repeated by the client.
    async fn write(&self, token: &WriteToken, call: &WriteCall) -> WriteReply;
    /// Whether this user may call a verb on a form. Nothing is changed by asking: the one call names a bill that no server
    /// has.
    async fn may_call(&self, _form: &FormId, _verb: &Verb) -> Right {
        Right::Unclear("not asked".to_owned())
    }
    /// The session in words, for the screen.
    fn session(&self) -> String;
    /// Id of the data centre as the last sign-in told it; calls with signed headers are told none.
    fn centre(&self) -> Option<String> {
        None
    }
    /// The data centre that the environment's records are on: a sign-in that tells another one is refused from now on, so
    /// that nothing is read or written there.
    fn expect(&self, _centre: &str) {}
    /// Seconds that the server's clock is ahead of ours, by the `Date` of its last quick answer.
    fn ahead(&self) -> Option<i64> {
        None
    }
    /// Whether the server refused us, so that nothing is called before [`Erp::sign_in`] on somebody's order.
    fn refused(&self) -> bool {
        false
    }
}
