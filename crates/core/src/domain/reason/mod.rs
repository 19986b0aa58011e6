//! Why something stopped, ended or was refused: one variant a sentence, its arguments as data.
//!
//! Invariant: nothing stores or sends a sentence of ours. Sentences are made where people read, in their language
//! ([`Reason::en`], [`Reason::zh`]); what 0.1.0 stored as a sentence reads as [`Reason::Legacy`].

mod fault_words;
mod list_fault;
mod words;

pub use fault_words::{NEXT, zh as fault_zh};
pub use list_fault::ListFault;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::access::Role;
use super::action_log::LogFault;
use super::bill::Failure;
use super::cause::{Cause, known};
use super::ids::{EnvId, FormId, OpId, PlanId, PlanRev, RunId, SetHash};
use super::server::Server;
use super::who::Who;

/// Why a record that is handed in cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadRecord {
    /// It is not one JSON object.
    NotAnObject,
    /// It is longer than so many bytes.
    TooLong(u64),
    /// The field of the id is missing, empty, or no plain value.
    NoId(String),
    /// Its id is longer than so many characters, or has signs that are none.
    BadId(u64),
    /// The plan's columns lead through two lists of it.
    TwoLists {
        /// One.
        one: String,
        /// The other.
        other: String,
    },
}

impl BadRecord {
    /// What is wrong with the record, in English.
    pub fn en(&self) -> String {
        words::bad_record(self, false)
    }

    /// The same in Chinese.
    pub fn zh(&self) -> String {
        words::bad_record(self, true)
    }
}

/// A reason. `said` is always the words of somebody else (the ERP, the system), raw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case", remote = "Self")]
#[expect(missing_docs, reason = "each field is named after what it holds; the sentences in words.rs say the rest")]
pub enum Reason {
    /// A sentence of 0.1.0.
    Legacy { said: String },
    /// Too many of the last bills were refused.
    Breaker { cause: Option<Cause>, n: u32, of: u32 },
    /// Too many calls in a row without a usable answer.
    BreakerUnknown { n: u32 },
    /// An answer named bills that were not asked.
    WrongIds {},
    /// The server cannot be reached.
    Unreachable { said: String },
    /// User, secret, application or account set refused.
    SignInRefused { said: String },
    /// The session was lost again and again.
    SessionLost { times: u32, minutes: u32 },
    /// A read failed in a way that repeating cannot cure.
    ReadFailed { said: String },
    /// A refusal that every other bill of the plan would meet, too.
    PlanWide { failure: Failure },
    /// The ERP said success, and nothing changed.
    SuccessWithoutEffect { no: String },
    /// The ERP gave a made bill another key than the one sent. Written once bills are made.
    KeyNotHonoured { sent: String, got: String },
    /// What the plan calls is of another kind of system than the environment is.
    OtherSystem { env: EnvId, sends: bool },
    /// The plan's records are read from another kind of system than the environment is.
    OtherSource { env: EnvId, lists: bool },
    /// A look for bills of a form finds none at all, so that it does not prove that one is not there.
    LookProvesNothing { env: EnvId, form: FormId, key: Option<String> },
    /// The first calls of the run were refused.
    Canary { cause: Cause, n: u32 },
    /// One of the first calls had no usable answer.
    CanaryUnknown {},
    /// The plan's query failed.
    QueryFailed { said: String },
    /// The ERP refused the plan's query.
    QueryRefused { failure: Failure },
    /// Pages out of order of the id.
    PagesOutOfOrder {},
    /// The list of a system that speaks JSON over HTTP was not read whole.
    ListNotWhole { why: ListFault },
    /// The target holds none of the source's numbers.
    NoCounterpart { source: EnvId, target: EnvId, found: u64, first: Vec<String> },
    /// More bills between two environments than one run takes.
    TooManyAcross { most: u64 },
    /// A bill number of the source cannot be asked for.
    BadNumber {
        said: String,
        /// The same in Chinese, where it is said in both languages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zh: Option<String>,
    },
    /// The process ended while the run collected.
    Interrupted {},
    /// A task of ours died.
    TaskDied { said: Option<String> },
    /// The store does not take or give.
    Disk {
        said: String,
        /// The same in Chinese; facts of before have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zh: Option<String>,
    },
    /// Nobody came back to a paused run that the clock had started.
    Unattended { minutes: u32, why: Option<Box<Reason>> },
    /// The environment is another server than the one the run was read from.
    WrongServer { env: EnvId, was: Server, is: Server },
    /// Nobody has said yet which server the open work of an environment belongs to.
    ServerUnknown { env: EnvId, is: Server },
    /// The server to be adopted is another account set.
    OtherAccountSet { env: EnvId, was: Server, is: Server },
    /// The environment is bound to this server already.
    ServerKnown { env: EnvId, is: Server },
    /// Two environments write to one server and account set.
    SameServer { env: EnvId, other: EnvId },
    /// The environment is read-only.
    ReadOnly { env: EnvId },
    /// The environment is read-only for good, by its configuration.
    AlwaysReadOnly { env: EnvId },
    /// The sender's role does not reach.
    NotAllowed { verb: String, role: Role, needed: Role },
    /// The first of two persons approved.
    SecondPerson { run: RunId, hash: String },
    /// The plan has an open run.
    Busy { plan: PlanId, run: RunId },
    /// No such run.
    NoRun { run: RunId },
    /// No such plan.
    NoPlan { plan: PlanId },
    /// No such environment.
    NoEnvironment { env: EnvId },
    /// A plan names an environment that is not there.
    PlanNamesNoEnvironment { plan: PlanId, env: EnvId },
    /// There is no environment at all.
    NothingConfigured {},
    /// The set is another one than the one that was seen.
    SetChanged { run: RunId, is: SetHash, seen: SetHash },
    /// The number of bills must be typed.
    TypeCount { n: u64 },
    /// The environment's name must be typed.
    TypeEnvironment { env: EnvId },
    /// What was ordered needs a written reason.
    NeedsReason { verb: String },
    /// Flags that ignore an ERP rule need a written reason.
    FlagsNeedReason {},
    /// A schedule does not approve in production.
    ScheduleApproves {},
    /// The first approver chose other flags.
    OtherFlags { first: Who },
    /// The plan changed since the run was collected.
    PlanChanged { plan: PlanId, run: RunId, was: PlanRev, is: PlanRev },
    /// The breaker is open, and only a person closes it.
    BreakerOpen { env: EnvId, why: Box<Reason> },
    /// The run does not wait for an approval.
    NotAwaiting { run: RunId },
    /// The run is not writing.
    NotWriting { run: RunId },
    /// The run is not paused.
    NotPaused { run: RunId },
    /// The run only reads.
    OnlyReads { run: RunId },
    /// The run is being closed.
    Closing { run: RunId },
    /// The run is closed.
    Closed { run: RunId },
    /// A pace of 0.
    PaceZero {},
    /// A pace that nothing could keep; the most that can be asked for.
    PaceBeyond { per_minute: u32, concurrency: u32 },
    /// The engine ends.
    EngineEnds {},
    /// Another machine writes to the store, and this engine only looks.
    WritesElsewhere { host: String },
    /// The run is in another machine's hands; none: which is not known, or one takes it over in a moment.
    RunElsewhere { run: RunId, host: Option<String> },
    /// The machine that has the run did not take the order, which was taken back: nothing is done.
    OrderNotTaken { run: RunId, host: String },
    /// The machine that has the run took the order, and what became of it is not known.
    OrderUnanswered { run: RunId, host: String },
    /// The machine that has the run cannot read the order: its program is an older one.
    OlderProgram { host: String },
    /// Another machine, which has the run, refuses the order.
    OnHost { host: String, why: Box<Reason> },
    /// Whether the second approver is another person than the first is not known: this one is of another machine.
    UnknownPerson { who: Who },
    /// No machine of this number writes to the store now.
    NoHost { host: i32 },
    /// The machine to be shown out is the one that is asked.
    OwnHost {},
    /// Another machine has started what was due.
    StartedElsewhere { plan: PlanId },
    /// The plan cannot be used: what the reader of plans says.
    PlanProblem {
        said: String,
        /// The same in Chinese, where it is said in both languages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zh: Option<String>,
    },
    /// A date of an order that is none.
    NoDate { given: String },
    /// A range is to end at a date, and the plan compares none.
    NothingToEndBy { plan: PlanId },
    /// A range that ends before it begins.
    RangeEndsFirst {},
    /// The plan executes an operation and does not say how it is seen to be done.
    NoEffect {
        plan: PlanId,
        operation: String,
        /// Where it is an older revision that does not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rev: Option<PlanRev>,
    },
    /// The plan does something else now than what was to be done to these bills.
    OtherOperation { plan: PlanId, was: OpId, is: OpId },
    /// The operation is not among those the environment's owner allows.
    OperationNotAllowed { env: EnvId, operation: String },
    /// A revision is not kept.
    RevisionNotKept { plan: PlanId, rev: PlanRev, newest: PlanRev },
    /// A schedule is off in production.
    OffInProduction { plan: PlanId },
    /// The plan has no compensation query.
    NoRemedy { plan: PlanId },
    /// A list of bill numbers has none.
    NumbersNone {},
    /// A list of bill numbers has a line with several cells.
    NumbersTable { cells: u64 },
    /// A list of bill numbers is larger than an order.
    NumbersTooLarge { bytes: u64, most: u64 },
    /// A bill number is longer than any is.
    NumberTooLong { no: String, n: u64, most: u64 },
    /// A bill number holds what no query can ask for.
    NumberSign { no: String },
    /// Plans look in one another's records.
    LookupCircle { plans: Vec<PlanId> },
    /// A plan looks in the records of one that is not there.
    LookupUnknown { plan: PlanId, other: PlanId, near: Option<PlanId> },
    /// A plan looks in the records of one that calls something.
    LookupCalls { plan: PlanId, other: PlanId },
    /// No full read of a plan that is looked in is kept.
    LookupNotRead { plan: PlanId, other: PlanId },
    /// A plan that is looked in was read without a column that is asked for.
    LookupColumn { plan: PlanId, other: PlanId, column: String },
    /// A plan that is looked in read more records than one run takes.
    LookupTooMany { plan: PlanId, other: PlanId, most: u64 },
    /// The plan's bills are elsewhere now.
    NotHere { plan: PlanId, form: FormId, env: EnvId },
    /// Source and target are of two forms.
    FormsDiffer { plan: PlanId, source: FormId, target: FormId },
    /// A zone nobody knows.
    UnknownZone { env: EnvId, zone: String },
    /// The action log and the journal disagree; how many places there are beside this one.
    LogDisagrees { fault: LogFault, more: u64 },
    /// The action log and the journal agree: there is nothing to accept.
    LogAgrees {},
    /// A text of an order is longer than any may be.
    TextTooLong { most: u64 },
    /// A list of an order is longer than any may be.
    ListTooLong { most: u64, n: u64 },
    /// More records than one order takes, or longer ones.
    HandedInTooMuch { records: u64, bytes: u64 },
    /// Records are handed in for a plan that asks for its own.
    TakesNothing { plan: PlanId },
    /// A record that is handed in cannot be kept: which of them, counted from 1, and why.
    HandedInBad { nth: u64, why: BadRecord },
    /// None of the bills of an order that re-opens was resolved.
    NotResolved {},
    /// Nothing stands out of a plan that could be said to be no alarm.
    NoSuchAlarm {
        /// Plan.
        plan: PlanId,
    },
    /// Nothing matched; what was left out, counted.
    NothingMatches { left_out: Vec<(LeftOut, u64)> },
}

/// Why an order leaves entries of the ledger out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// Nothing is left to do for them.
    ResolvedMeanwhile,
    /// The process died on them three times.
    Quarantined,
    /// One run takes no more.
    TooMany,
    /// Only bills that a call left for are verified: unknown and failed ones.
    NotUnknown,
    /// The run that left them is not known.
    RunUnknown,
    /// They belong to another revision of the same plan.
    OtherRevision,
    /// Their plan has an open run, or cannot be used.
    PlanBusy,
    /// Their environment is another server now than the one they were read from.
    OtherServer,
}

impl LeftOut {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ResolvedMeanwhile,
        Self::Quarantined,
        Self::TooMany,
        Self::NotUnknown,
        Self::RunUnknown,
        Self::OtherRevision,
        Self::PlanBusy,
        Self::OtherServer,
    ];

    /// In English, after their number.
    pub fn en(self) -> &'static str {
        words::left_en(self)
    }

    /// In Chinese, after their number.
    pub fn zh(self) -> &'static str {
        words::left_zh(self)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Legacy { said } => s.serialize_str(said),
            other => Self::serialize(other, s),
        }
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> serde::de::Visitor<'de> for V {
            type Value = Reason;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a reason, or a sentence of an older version")
            }
            fn visit_str<E>(self, said: &str) -> Result<Reason, E> {
                Ok(Reason::Legacy { said: said.to_owned() })
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Reason, A::Error> {
                Reason::deserialize(MapAccessDeserializer::new(map))
            }
        }
        d.deserialize_any(V)
    }
}

impl Reason {
    /// A sentence of an older version.
    pub fn legacy(said: impl Into<String>) -> Self {
        Self::Legacy { said: said.into() }
    }

    /// The word scripts read: the variant's name.
    pub fn code(&self) -> String {
        let tagged = serde_json::to_value(self).ok();
        let code = tagged.as_ref().and_then(|v| v.get("k")).and_then(serde_json::Value::as_str);
        code.unwrap_or("legacy").to_owned()
    }

    /// The arguments, for scripts and the action log.
    pub fn args(&self) -> serde_json::Value {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(mut map)) => {
                map.remove("k");
                serde_json::Value::Object(map)
            }
            Ok(serde_json::Value::String(said)) => serde_json::json!({ "said": said }),
            Ok(_) | Err(_) => serde_json::Value::Null,
        }
    }

    /// Whether the plan itself must be corrected before its query can be answered.
    pub fn is_plan_fault(&self) -> bool {
        match self {
            Self::QueryRefused { failure } => failure.cause.as_str() == known::PARAMETER,
            _ => false,
        }
    }

    /// The sentence in English, causes by their names.
    pub fn en(&self) -> String {
        words::en(self, &|cause| cause.as_str().to_owned())
    }

    /// The sentence in Chinese, causes by their names.
    pub fn zh(&self) -> String {
        words::zh(self, &|cause| cause.as_str().to_owned())
    }

    /// The sentence in English, with what people call a cause.
    pub fn en_with(&self, label: &dyn Fn(&Cause) -> String) -> String {
        words::en(self, label)
    }

    /// The sentence in Chinese, with what people call a cause.
    pub fn zh_with(&self, label: &dyn Fn(&Cause) -> String) -> String {
        words::zh(self, label)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.en())
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod stored {
    use super::*;
    use rmp_serde::from_slice as read;

    #[test]
    fn a_sentence_of_before_is_legacy_and_everything_else_keeps_its_arguments() {
        let packed = rmp_serde::to_vec_named("interrupted while collecting").unwrap();
        let legacy: Reason = read(&packed).unwrap();
        assert_eq!(legacy, Reason::Legacy { said: "interrupted while collecting".into() });
        assert_eq!(rmp_serde::to_vec_named(&legacy).unwrap(), packed, "and is written as it was");
        for reason in tests::examples() {
            assert_eq!(read::<Reason>(&rmp_serde::to_vec_named(&reason).unwrap()).unwrap(), reason);
        }
        let tomorrow = rmp_serde::to_vec_named(&serde_json::json!({"k": "of_tomorrow"})).unwrap();
        assert!(read::<Reason>(&tomorrow).is_err());
    }
}
