//! What goes wrong on purpose: rules by service, operation, form, bill, rate and count; TOML and JSON forms.
//!
//! Invariant: the seed decides which calls are hit, so a storm can be repeated; at most one rule strikes a call.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::body::Data;
use super::rng::Rng;

/// A list of rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// Rules; the first that strikes wins.
    #[serde(default, rename = "fault")]
    pub rules: Vec<Rule>,
}

/// Whether the call is executed before the fault shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Not executed.
    #[default]
    Before,
    /// Executed, and the answer is spoilt.
    After,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Executed (or answered) late by `ms`.
    Delay,
    /// Connection reset.
    Reset,
    /// Answer cut after `at` bytes of body.
    Truncate,
    /// No Content-Length, closed at the end.
    NoLength,
    /// Answer twice on the wire.
    Twice,
    /// Answer in drops: `at` bytes every `ms`.
    SlowBody,
    /// HTML page with HTTP `status` (200: a proxy's login page).
    Html,
    /// HTTP `status` with `text`; `seconds` becomes Retry-After.
    Status,
    /// `response_error:` and `text`, HTTP 200.
    ResponseError,
    /// Empty body, HTTP 200.
    Empty,
    /// Bytes that are no JSON, HTTP 200.
    Garbage,
    /// The answer with bytes in it that are no UTF-8, HTTP 200.
    NotUtf8,
    /// 302 to `text`.
    Redirect,
    /// Small on the wire, `mb` megabytes unpacked.
    GzipBomb,
    /// A body of `mb` megabytes.
    Huge,
    /// Answered with the vendor's MsgCode 1; the session is gone.
    SessionLost,
    /// All sessions are forgotten, then the call goes on.
    SessionExpiry,
    /// The bills named get an edit lock for `seconds`, held by `user`.
    Lock,
    /// After the call, somebody else takes back what it did to the bills named: un-audits, opens again, enables, forbids.
    #[serde(alias = "undo")]
    Unaudit,
    /// Before the call, somebody else changes the bills named: they refuse with `已被其他用户修改`.
    Stale,
    /// The server's clock jumps by `ms` (may be negative).
    ClockSkew,
    /// MsgCode 14.
    Limit,
    /// An error with `code` and `text`.
    Error,
    /// The gateway's 519.
    Gateway,
    /// Only the first half of the bills named is executed; the rest is not mentioned.
    Partial,
    /// What a call that is allowed would do is answered as done, and is not done.
    Hollow,
    /// The answer names a bill that was not asked.
    OtherBill,
    /// The answer of the call before.
    StaleAnswer,
    /// Reset at once, and executed `ms` later all the same.
    Late,
    /// Every index in the answer is one too high.
    WrongIndex,
    /// The numbers in the answer are not those of the bills that were made: `text`, or the number with a tail.
    OtherNumber,
}

impl Kind {
    /// Its name in fault files.
    fn code(self) -> String {
        serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// One rule. Only `kind` is required.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What.
    pub kind: Kind,
    /// Executed or not.
    #[serde(default)]
    pub when: When,
    /// What it strikes: services (`ExecuteOperation`), operations (`BillClose`), or the groups `login`, `read`, `write`; empty
    /// for all.
    #[serde(default)]
    pub on: Vec<String>,
    /// Form it strikes; empty for all.
    #[serde(default)]
    pub form: String,
    /// Bills it strikes, by number or id; empty for all.
    #[serde(default)]
    pub bill: Vec<String>,
    /// Chance of striking a call that matches.
    #[serde(default = "always")]
    pub rate: f64,
    /// Strikes at most this often.
    #[serde(default)]
    pub times: Option<u32>,
    /// Lets this many matching calls pass first.
    #[serde(default)]
    pub skip: u32,
    /// Strikes only the first so many matching calls of each bill, and no call that names none; 0 for every call.
    #[serde(default)]
    pub first: u32,
    /// Milliseconds.
    #[serde(default)]
    pub ms: i64,
    /// Bytes.
    #[serde(default)]
    pub at: usize,
    /// HTTP status.
    #[serde(default)]
    pub status: u16,
    /// Text.
    #[serde(default)]
    pub text: String,
    /// Megabytes.
    #[serde(default)]
    pub mb: usize,
    /// Seconds.
    #[serde(default)]
    pub seconds: i64,
    /// MsgCode.
    #[serde(default)]
    pub code: i64,
    /// Somebody.
    #[serde(default)]
    pub user: String,
}

fn always() -> f64 {
    1.0
}

impl Rule {
    /// A rule of this kind that always strikes everything.
    pub fn new(kind: Kind, when: When) -> Self {
        Self {
            kind,
            when,
            on: Vec::new(),
            form: String::new(),
            bill: Vec::new(),
            rate: 1.0,
            times: None,
            skip: 0,
            first: 0,
            ms: 0,
            at: 0,
            status: 0,
            text: String::new(),
            mb: 0,
            seconds: 0,
            code: 0,
            user: String::new(),
        }
    }

    /// On these services, operations or groups only.
    #[must_use]
    pub fn on(mut self, services: &[&str]) -> Self {
        self.on = services.iter().map(|s| (*s).to_owned()).collect();
        self
    }

    /// On these bills only.
    #[must_use]
    pub fn bill(mut self, bill: &str) -> Self {
        self.bill.push(bill.to_owned());
        self
    }

    /// At most so often.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Only the first so many calls of each bill.
    #[must_use]
    pub fn first(mut self, calls: u32) -> Self {
        self.first = calls;
        self
    }

    /// Milliseconds.
    #[must_use]
    pub fn ms(mut self, ms: i64) -> Self {
        self.ms = ms;
        self
    }

    pub(super) fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }
}

impl FaultPlan {
    /// Reads a fault file.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

/// The rules at work.
#[derive(Debug)]
pub struct Faults {
    rules: Vec<Armed>,
    rng: Rng,
    /// How often each kind has struck.
    struck: BTreeMap<String, u64>,
}

/// A rule, and what it has seen.
#[derive(Debug)]
struct Armed {
    rule: Rule,
    /// Calls that matched, up to [`Rule::times`].
    matched: u32,
    struck: u32,
    /// Matching calls by form and bill or key; kept for [`Rule::first`] only.
    seen: HashMap<String, HashMap<String, u32>>,
}

/// What a rule is matched against.
#[derive(Debug)]
pub struct Target<'a> {
    /// Service name.
    pub service: &'a str,
    /// Operation as the record names it; empty for none.
    pub operation: &'a str,
    /// `login`, `read` or `write`.
    pub group: &'a str,
    /// Form id.
    pub form: &'a str,
    /// Ids and numbers as the call writes them.
    pub asked: &'a [String],
    /// The bills there are of these, by id and number.
    pub bills: &'a [(u32, String)],
    /// The keys of the models it carries.
    pub keys: &'a [String],
}

impl Faults {
    /// Puts a plan to work.
    pub fn new(plan: FaultPlan, seed: u64) -> Self {
        Self { rules: plan.rules.into_iter().map(Armed::new).collect(), rng: Rng::new(seed), struck: BTreeMap::new() }
    }

    /// Adds rules before the others.
    pub fn add(&mut self, plan: FaultPlan) {
        self.rules.splice(0..0, plan.rules.into_iter().map(Armed::new));
    }

    /// Drops all rules.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// How often each kind has struck, by its code.
    pub fn struck(&self) -> &BTreeMap<String, u64> {
        &self.struck
    }

    /// Rules with how often each has struck, for `/admin/faults`.
    pub(crate) fn page(&self) -> Json {
        let rule = |armed: &Armed| json!({"rule": armed.rule, "struck": armed.struck});
        json!({"rules": self.rules.iter().map(rule).collect::<Vec<_>>(), "struck": self.struck})
    }

    /// Changes the rules as `/admin/faults` is told to: `{"preset":"storm"}`, `{"fault":[…]}`, with `"replace":true` to drop
    /// the rules there are.
    pub(crate) fn ordered(&mut self, body: &Json, preset: fn(&str) -> Option<FaultPlan>) -> Result<(), String> {
        let data = Data::from_json(body);
        let mut plan = match data.text("preset").as_str() {
            "" => FaultPlan::default(),
            name => preset(name).ok_or_else(|| format!("unknown preset {name:?}"))?,
        };
        if let Some(rules) = data.get("fault") {
            let more: FaultPlan = serde_json::from_value(json!({"fault": rules})).map_err(|e| e.to_string())?;
            plan.rules.extend(more.rules);
        }
        if data.flag("replace", false) {
            self.clear();
        }
        self.add(plan);
        Ok(())
    }

    /// The rule that strikes this call, if any.
    pub fn draw(&mut self, target: &Target<'_>) -> Option<Rule> {
        for armed in &mut self.rules {
            let spent = armed.rule.times.is_some_and(|times| armed.struck >= times);
            if spent || !armed.rule.strikes(target) || !armed.is_early(target) {
                continue;
            }
            armed.matched += 1;
            let rule = &armed.rule;
            if armed.matched <= rule.skip || (rule.rate < 1.0 && self.rng.unit() >= rule.rate) {
                continue;
            }
            armed.struck += 1;
            *self.struck.entry(rule.kind.code()).or_default() += 1;
            return Some(rule.clone());
        }
        None
    }
}

impl Armed {
    fn new(rule: Rule) -> Self {
        Self { rule, matched: 0, struck: 0, seen: HashMap::new() }
    }

    /// Counts the call for each of its bills; whether it is among the first of one of them.
    fn is_early(&mut self, target: &Target<'_>) -> bool {
        if self.rule.first == 0 {
            return true;
        }
        let seen = self.seen.entry(target.form.to_ascii_lowercase()).or_default();
        let mut early = false;
        let bills = target.bills.iter().filter(|(id, number)| self.rule.is_about(*id, number));
        let keys = target.keys.iter().filter(|key| self.rule.is_about(0, key)).map(|key| key.to_lowercase());
        for of in bills.map(|(id, _)| id.to_string()).chain(keys) {
            let calls = seen.entry(of).or_default();
            *calls += 1;
            early |= *calls <= self.rule.first;
        }
        early
    }
}

impl Rule {
    fn strikes(&self, target: &Target<'_>) -> bool {
        let on = |on: &String| {
            on.eq_ignore_ascii_case(target.service) || on.eq_ignore_ascii_case(target.operation) || on == target.group
        };
        let bill = || {
            let asked = |bill: &String| target.asked.iter().any(|asked| asked.eq_ignore_ascii_case(bill));
            self.bill.iter().any(asked) || target.bills.iter().any(|(id, number)| self.is_about(*id, number))
        };
        (self.on.is_empty() || self.on.iter().any(on))
            && (self.form.is_empty() || self.form.eq_ignore_ascii_case(target.form))
            && (self.bill.is_empty() || bill())
    }

    fn is_about(&self, id: u32, number: &str) -> bool {
        let named = |bill: &String| bill.eq_ignore_ascii_case(number) || bill.parse() == Ok(id);
        self.bill.is_empty() || self.bill.iter().any(named)
    }
}
