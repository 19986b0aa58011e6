//! A plan as the engine runs it: what to ask, what to call, under which policy. Read from the vendor's JSON
//! by the `plan` layer; templates stay text here and are rendered there.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::feed::Feed;
use super::ids::{EnvId, FormId, PlanId, PlanRev};
use super::mapping::{Lines, Mapping};
use super::operation::Test;
use super::run::Flag;
use super::sending::Sending;
use super::step::{Step, Verb};

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// File name without `.json`.
    pub id: PlanId,
    /// Label for people.
    pub name: String,
    /// Hash of its meaning.
    pub rev: PlanRev,
    /// Environment it runs in; `None` = the default one.
    pub env: Option<EnvId>,
    /// Environment the target is called in, when it is not the same.
    pub target_env: Option<EnvId>,
    /// The query.
    pub source: Source,
    /// The call.
    pub target: Target,
    /// What the vendor's form does not hold.
    pub policy: Policy,
}

/// The query side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Business object.
    pub form: FormId,
    /// Columns asked for, in order.
    pub columns: Vec<Column>,
    /// FilterString template, e.g. `FCreateDate>='{{LAST_SYNC_TIME|dateTime}}' and …`.
    pub filter: String,
    /// Column in the filter that LAST_SYNC_TIME is compared with, e.g. `FCreateDate`.
    pub mark_column: Option<String>,
    /// Path of the bill's internal id, `FID` for most forms.
    pub id_path: String,
    /// Path of the bill's number, `FBillNo` for most forms.
    pub number_path: String,
    /// TopRowCount; 0 = no cap.
    pub top_rows: u64,
    /// Where the records come from.
    #[serde(default, skip_serializing_if = "Origin::is_query")]
    pub origin: Origin,
    /// The vendor's `condition`: outer OR, inner AND; rows that match none are dropped after reading.
    #[serde(default)]
    pub condition: Vec<Vec<Condition>>,
}

/// Where the records of a plan come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A bill query of the ERP.
    #[default]
    Query,
    /// They are handed in (`skydeck take`), and nothing is asked: the form is the name that the plan gives them, and the paths
    /// are those of their JSON.
    HandedIn,
    /// They are listed by a system that speaks JSON over HTTP: form and paths as those of records that are handed in.
    List(Box<Feed>),
}

impl Origin {
    /// The default, which is not written down: older revisions keep their hash.
    pub fn is_query(&self) -> bool {
        *self == Self::Query
    }

    /// How the records are listed, where they are.
    pub fn feed(&self) -> Option<&Feed> {
        match self {
            Self::List(feed) => Some(feed),
            Self::Query | Self::HandedIn => None,
        }
    }
}

impl Source {
    /// Whether the number is the form's own: the one that answers and messages of the ERP name. A plan may show another
    /// column in its place.
    pub fn has_own_number(&self) -> bool {
        ["FBillNo", "FNumber"].iter().any(|own| self.number_path.trim().eq_ignore_ascii_case(own))
    }
}

/// One column of the query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Output key, e.g. `FCustomerID_FNumber`.
    pub key: String,
    /// Kingdee path, e.g. `FCustomerID.FNumber`.
    pub path: String,
    /// Label for people.
    pub label: String,
}

/// One predicate of the vendor's `condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Column key.
    pub field: String,
    /// Operator.
    pub logic: Logic,
    /// Value as printed; a list for `between`.
    pub value: Vec<String>,
}

/// Operators of the vendor's `condition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the vendor's own")]
pub enum Logic {
    Eq,
    Neq,
    Gt,
    Egt,
    Lt,
    Elt,
    Like,
    NotLike,
    Between,
    NotNull,
    IsNull,
}

/// The call side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// What is called for a submitted bill.
    pub verb: Verb,
    /// Business object, as a rule the source's.
    pub form: FormId,
    /// Options of the call as the plan gives them.
    pub options: WriteOptions,
    /// Interaction flags the plan names; never sent by themselves, lint names them, an operator may choose them for one run.
    pub stripped_flags: Vec<Flag>,
    /// What is made, where the call makes a bill instead of acting on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub make: Option<Box<Make>>,
    /// Nothing is called: runs read records and keep them, all their rows, for the look-ups of other plans.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub collects: bool,
}

/// What a plan makes of a record of its source, and how it is found again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Make {
    /// The body.
    pub mapping: Mapping,
    /// Field of the body by whose value what was made is found again.
    pub key: String,
    /// What the form does about two bills with one value there.
    pub keyed: Keyed,
    /// Steps after the making: Submit, Audit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Step>,
    /// Paths of the target form that are compared where something is there already; as a rule every plain field of the body and of
    /// its lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compare: Vec<String>,
    /// Path of the made bill's internal id.
    pub id_path: String,
    /// Path of the made bill's number.
    pub number_path: String,
    /// A value of the key field that is known to be there: a look that does not find it proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// The conversion that makes it, where it is made of the record by the ERP: then the mapping is empty, and the key is the
    /// field of what is made that holds the record's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Conversion>,
    /// How it is sent to another system and found there, where it is made in none that speaks as the ERP does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<Box<Sending>>,
}

/// A conversion of the ERP (`Push`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// `RuleId`.
    pub rule: String,
    /// What is compared of a bill that is there already; `None`: whether it is there is all that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// `TargetOrgId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<i64>,
    /// `TargetBillTypeId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill_type: Option<String>,
}

/// The quantity of a conversion: what the lines of the record hold, and what the lines made of them do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantity {
    /// Key of a column of the source.
    pub source: String,
    /// Path in the form that is made.
    pub made: String,
}

impl Make {
    /// The head fields that are compared where a bill with the key is there already.
    pub fn compared(&self) -> Vec<String> {
        if self.compare.is_empty() {
            // What another system answers is named as it likes: only what the plan names is compared.
            return if self.send.is_some() { Vec::new() } else { self.mapping.comparable() };
        }
        let of_lines = |path: &&String| self.mapping.comparable_lines().iter().any(|lines| lines.has(path));
        self.compare.iter().filter(|path| !of_lines(path)).cloned().collect()
    }

    /// What is compared of its lines. Where the plan names what is compared, `LIST.PATH` is a field of a list.
    pub fn compared_lines(&self) -> Vec<Lines> {
        if self.send.is_some() {
            return Vec::new();
        }
        let mut all = self.mapping.comparable_lines();
        if !self.compare.is_empty() {
            for lines in &mut all {
                let list = lines.list.clone();
                lines.columns.retain(|column| self.compare.contains(&format!("{list}.{column}")));
            }
            all.retain(|lines| !lines.columns.is_empty());
        }
        all
    }

    /// Whether the key is the form's own number: the answer to a call tells then whether it was honoured.
    pub fn is_own_number(&self) -> bool {
        self.key.eq_ignore_ascii_case(&self.number_path)
    }
}

/// What is known of a field as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keyed {
    /// The form lets a value stand there once: the plan says so.
    Unique,
    /// Nothing says that a value stands there once.
    Open,
}

/// Options of Submit and Audit (docs/design/wire.md#what-a-call-carries). `None` = not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOptions {
    /// `NetworkCtrl`: take the edit lock.
    pub network_ctrl: Option<bool>,
    /// `IsVerifyProcInst`: refuse while a workflow owns the bill.
    pub verify_proc_inst: Option<bool>,
    /// `IgnoreInterationFlag` (the vendor's spelling).
    pub ignore_interaction: Option<bool>,
    /// `CreateOrgId`.
    pub create_org: Option<i64>,
    /// `UseOrgId`.
    pub use_org: Option<i64>,
}

/// Policy of a plan: the optional `skydeck` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Rows a page, at most 2000.
    pub page_size: u32,
    /// Bills a call; 1 unless opted in.
    pub batch: u32,
    /// Submit Z, A and D first.
    pub submit: bool,
    /// How far below the mark each query reads again.
    pub overlap: Duration,
    /// Hours between sweeps without the mark; 0 = every run is a sweep.
    pub sweep_hours: u32,
    /// Automatic repeats of a passing refusal.
    pub max_attempts: u32,
    /// Ledger entries of this plan carried into each fresh run.
    pub carry_over: bool,
    /// After how many successes they are read back: a success that nothing confirms is not believed.
    #[serde(default = "confirm_every", skip_serializing_if = "is_confirm_every")]
    pub confirm_every: u32,
    /// Schedule.
    #[serde(default)]
    pub schedule: Option<Schedule>,
    /// The vendor's compensation query (`omissionRemedy`), where the plan has one.
    #[serde(default)]
    pub remedy: Option<Remedy>,
    /// What shows that an executed operation is done (`skydeck.done`): all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<Test>,
    /// Path of who did it (`skydeck.mine`), for executed operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mine: Option<String>,
    /// Whether unresolved bills that only a person can cure are called again as they are (`skydeck.retry_unchanged`).
    #[serde(default, skip_serializing_if = "RetryUnchanged::is_probe")]
    pub retry_unchanged: RetryUnchanged,
}

/// What a fresh run does with unresolved bills that nothing changed about, where only a person can cure the cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryUnchanged {
    /// Leaves them.
    Never,
    /// Leaves them; of each cause that lies in the environment (a closed period, a permission) one is tried a day, and when
    /// it goes through, the others follow.
    #[default]
    Probe,
    /// Calls them in each run.
    Always,
}

impl RetryUnchanged {
    /// The default, which is not written down: older revisions keep their hash.
    pub fn is_probe(&self) -> bool {
        *self == Self::Probe
    }

    /// The word of the plan file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Probe => "probe",
            Self::Always => "always",
        }
    }
}

/// Successes that are read back together, unless a plan says otherwise.
pub const CONFIRM_EVERY: u32 = 50;

fn confirm_every() -> u32 {
    CONFIRM_EVERY
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_confirm_every(n: &u32) -> bool {
    *n == CONFIRM_EVERY
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            page_size: 1000,
            batch: 1,
            submit: false,
            overlap: Duration::from_secs(600),
            sweep_hours: 24,
            max_attempts: 3,
            carry_over: true,
            confirm_every: CONFIRM_EVERY,
            schedule: None,
            remedy: None,
            done: Vec::new(),
            mine: None,
            retry_unchanged: RetryUnchanged::default(),
        }
    }
}

/// The vendor's `omissionRemedy`: on its own cron, the same query with its own window (docs/plans.md#the-source).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// Cron expression, five or six fields, in the zone of the plan's schedule.
    pub cron: String,
    /// FilterString template that stands in for the plan's own; `None` = the plan's own.
    pub filter: Option<String>,
}

/// When a plan runs by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Cron expression, five or six fields.
    pub cron: String,
    /// Time zone name.
    pub zone: String,
    /// After downtime.
    pub missed: Missed,
    /// Who approves what a scheduled run collected.
    #[serde(default, skip_serializing_if = "Approver::is_person")]
    pub approve: Approver,
    /// Whether it is on in a production environment, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub production: bool,
}

/// Who approves the set of a scheduled run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// The run collects, then waits for a person.
    #[default]
    Person,
    /// The schedule itself; never in production.
    Schedule,
}

impl Approver {
    /// The default, which is not written down: older revisions keep their hash.
    pub fn is_person(&self) -> bool {
        *self == Self::Person
    }
}

/// What to do about runs missed while nobody was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Forget them.
    #[default]
    Skip,
    /// Run once.
    Once,
    /// Run as many times as were missed, one after the other.
    All,
}
