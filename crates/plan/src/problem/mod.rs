//! What is wrong with a plan file: one variant a fault, with what the file says as its data.
//!
//! Invariant: the reader of plans makes no sentence. Sentences are made from the tables of `words` and `parts`, in both
//! languages, so a new variant compiles only once it has them.

pub mod body;
pub mod feed;
pub mod handed_in;
pub mod make;
mod parts;
pub mod send;
mod words;

use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::reason::Reason;

/// What is wrong at one place of a plan file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant and field is named after what the file holds there; the tables say the rest"
)]
pub enum Problem {
    // The file.
    NotJson { said: String, why: JsonFault },
    KeyTwice { key: String, first: usize },
    NotAnObject,
    SideNotAnObject { side: &'static str },
    NoSource,
    NoTarget,
    // The policy.
    PolicyMisspelt { key: String },
    PolicyNotAnObject,
    CannotStand { value: String, want: Wanted },
    UnknownKey { key: String, belongs: Belongs },
    NoCron,
    Cron(CronFault),
    // A side and its entries.
    NewerForm { key: &'static str },
    GivenTwice { name: String },
    NoEntryList,
    TooManyEntries { most: usize },
    NoEntry,
    EntryWithoutField,
    // The query.
    SourceApi { api: String },
    SourceWithoutApi,
    Parser { parser: String, field: String },
    NoFormId,
    EmptyFormId,
    FormId { text: String },
    NoControl { field: String, suggest: Suggest },
    ColumnTwice { key: String, one: String, other: String },
    TooManyPaths { most: usize },
    NoPath { path: String },
    ColumnWithoutPath { field: String, text: String },
    FilterTooLong { bytes: usize, most: usize },
    FilterList { text: Option<String> },
    Filter { why: FilterFault, sign: usize },
    Template(TemplateFault),
    Unevaluated(RenderFault),
    UpperBound { field: String, op: String },
    MarkWithNot,
    PageSize,
    Limit { text: String },
    TopRows { text: String },
    StartRow { text: String },
    NoConditionList,
    TooManyComparisons { n: usize, most: usize },
    NoComparisonList,
    NoColumn { field: String, near: Option<String> },
    NoOperator { word: String, suggest: Suggest },
    ValueCount { word: String, wanted: usize, n: usize },
    TemplateInCondition { text: String },
    NoDate { text: String },
    RemedyWithoutCron,
    RemedyReplaces { field: String },
    // The call.
    FunctionInTarget,
    NotSent { field: String },
    UnknownField { field: String, suggest: Suggest },
    OtherForm { text: String, source: String },
    TargetWithoutApi,
    TargetApi { api: String },
    NoOperationNamed,
    OperationName { name: String },
    TakesBack { name: String },
    NotTheBill { text: String, key: Key, want: String },
    NotTheColumn { hole: String, key: Key, want: String },
    NoTruth { text: String },
    FlagName { name: String },
    OrganisationId { text: String },
    // What is handed in.
    HandedIn(handed_in::HandedInProblem),
    // What is listed.
    Feed(feed::FeedProblem),
    // What is made.
    Make(make::MakeProblem),
    Send(send::SendProblem),
    // What shows that the operation is done.
    NoDoneList,
    OneDone,
    TooManyDone { n: usize, most: usize },
    NeverDone { path: String },
    DoneExists,
    NoDone,
    DonePath { field: String },
    DoneInEntry { path: String },
    DoneOperator { logic: String, near: Option<&'static str> },
    DoneValue { value: String },
    DoneWithoutValue,
    DoneEqSeveral { n: usize },
    TooManyDoneValues { n: usize, most: usize },
    DoneEmpty,
    DoneTooLong { most: usize },
    DoneTemplate,
    Mine { value: String },
    KnownResult { key: &'static str, call: &'static str, leads_to: &'static str },
    Undeclared { plan: PlanId, operation: String },
}

/// Why a text is no JSON, as far as the place shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after what stands there; the table says the rest")]
pub enum JsonFault {
    Empty,
    EndsEarly,
    FullWidth,
    Comma,
    Table,
    Other,
}

/// What can stand where something else stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after what is wanted; the table says the rest")]
pub enum Wanted {
    Environment,
    Path,
    Count { min: u32, max: u32 },
    Truth,
    RetryUnchanged,
    Span,
    Labels,
    Schedule,
    Missed,
    Approver,
    Text,
}

/// Where an unknown key of the policy belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// Chosen by the operator for one run.
    Run,
    /// To the limits of an environment.
    Limits,
    /// To the sign-in of an environment.
    SignIn,
    /// Nowhere: it is misspelt.
    Nowhere(Suggest),
}

/// The known word that is nearest to a written one, and all of them where none is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suggest {
    /// The nearest.
    pub near: Option<&'static str>,
    /// All.
    pub known: &'static [&'static str],
}

/// What a bill is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Its internal id.
    Id,
    /// The number people see.
    Number,
}

/// Why a cron cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are named after what they hold")]
pub enum CronFault {
    /// Neither five fields nor six.
    Fields { cron: String, n: usize },
    /// A weekday number beside `?`, which dialects count differently.
    Weekday { cron: String, weekday: String },
    /// What its reader says, in English.
    Other { cron: String, said: String },
    /// The zone of the schedule is unknown.
    Zone { name: String },
}

/// Why a template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are named after what they hold")]
pub enum TemplateFault {
    /// `}}` alone.
    StrayClose,
    /// `${…}`.
    Dollar,
    /// `{{` alone.
    Unclosed,
    /// A hole that names nothing.
    Nameless { inner: String },
    /// The vendor's newer variables.
    NewerForm { name: String },
    /// An unknown variable.
    Variable { name: String, near: Option<&'static str> },
    /// An unknown format.
    Format { name: String, variable: String, suggest: Suggest },
    /// A format where a number stands.
    NumberFormat { variable: String },
}

/// What makes a filter unsafe to add conditions to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterFault {
    /// `'` is not closed.
    Quote,
    /// `--`.
    LineComment,
    /// `/*`.
    Comment,
    /// `;`.
    Statement,
    /// `)` alone.
    Close,
    /// `(` alone.
    Open,
}

/// Why a template cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are named after what they hold")]
pub enum RenderFault {
    /// It cannot be read.
    Template(TemplateFault),
    /// Its expression cannot be evaluated.
    Function(FunctionFault),
    /// `_function` somewhere else than at the beginning.
    FunctionInside,
    /// A value that holds what ends a statement or starts a comment.
    Sign { value: String, sign: &'static str },
    /// A value that holds a control character.
    Control { value: String },
    /// A bill number without anything in it.
    EmptyNumber,
    /// The rendered filter is not whole.
    Filter { why: FilterFault, sign: usize, text: String },
}

/// Why an expression of `_function` cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named after what stands in the expression; the table says the rest")]
pub enum FunctionFault {
    AfterTheEnd { sign: String },
    Null,
    Fraction,
    NumberTooLarge { digits: String },
    Sign { sign: char },
    Backslash,
    OpenQuote,
    Missing { op: String },
    TooDeep,
    EndsEarly,
    NoValue { op: String },
    NoThen,
    NoEnd,
    Unknown { name: String, near: Option<&'static str> },
    NoCondition { text: String },
    OutOfRange,
    Reckoning,
    Collation { a: String, b: String },
    TextOrder,
    MixedKinds,
    Locate,
    NoMoment { seconds: String },
    NoDate { text: String },
    Endless,
    Arguments { name: String, n: usize },
}

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// What is wrong.
    pub message: String,
    /// What to do, or an example of what to write; may be empty.
    pub hint: String,
}

impl Problem {
    /// What is wrong and what to do, in English or in Chinese. A hint that is the same in both is an example.
    pub fn words(&self, zh: bool) -> Words {
        if zh { words::zh(self) } else { words::en(self) }
    }

    /// The same for programs, where it is one of the engine's own reasons.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Undeclared { plan, operation } => {
                Some(Reason::NoEffect { plan: plan.clone(), operation: operation.clone(), rev: None })
            }
            _ => None,
        }
    }
}

impl From<send::SendProblem> for Problem {
    fn from(problem: send::SendProblem) -> Self {
        Self::Send(problem)
    }
}

impl From<make::MakeProblem> for Problem {
    fn from(problem: make::MakeProblem) -> Self {
        Self::Make(problem)
    }
}

impl From<CronFault> for Problem {
    fn from(fault: CronFault) -> Self {
        Self::Cron(fault)
    }
}

impl From<TemplateFault> for Problem {
    fn from(fault: TemplateFault) -> Self {
        Self::Template(fault)
    }
}
