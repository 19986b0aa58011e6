//! Keys of the filter language, what they are called in both languages, and what of a row each of them asks.
//!
//! Invariant: a name means one key; where a plan labels a column by a key's name, that column is meant.

use chrono::{NaiveDate, NaiveDateTime};

use super::when::{Moment, half_width};
use super::{About, like, runs};
use crate::domain::bill::{BillState, Outcome, Will};
use crate::domain::erp_status::After;
use crate::domain::language::Language;
use crate::domain::operation_words;
use crate::domain::run::BillRow;
use crate::domain::time::{ErpDate, Ts};

/// Keys that take words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Cause of a failure, reason of a skip, way of not knowing.
    Cause,
    /// Column of the sum line, or the operation's own word for it.
    Status,
    /// Operation, by its name or by what it does.
    Operation,
    /// Bill number.
    No,
    /// Number of the bill that was made of it.
    Made,
    /// Internal id.
    Fid,
    /// The column labelled so, else one whose name holds `Org`.
    Org,
    /// The column labelled so, else one whose name holds `Cust`.
    Customer,
    /// Plan.
    Plan,
    /// Run, by beginning of its id.
    Run,
    /// `MsgCode`.
    Code,
    /// Who started the run.
    Who,
    /// Environment of the bill.
    Env,
    /// Where the run stands, or how it ended.
    State,
    /// Of what kind the run is, and whether the clock started it.
    Kind,
    /// What is certain or likely of a bill that waits.
    Likely,
}

/// What a name of the language asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Words.
    Words(Key),
    /// A date.
    Date(Moment),
    /// `age:>2d`.
    Age,
    /// `attempts:>1`.
    Attempts,
}

/// A key with its names: the first of each language is the one written back.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// What it asks.
    pub ask: Ask,
    /// English.
    pub en: &'static [&'static str],
    /// 中文.
    pub zh: &'static [&'static str],
}

impl Named {
    /// The name that is written back.
    pub fn name(&self, lang: Language) -> &'static str {
        lang.t(self.en, self.zh).first().copied().unwrap_or_default()
    }
}

const fn named(ask: Ask, en: &'static [&'static str], zh: &'static [&'static str]) -> Named {
    Named { ask, en, zh }
}

/// All keys, in the order in which they are offered.
pub const NAMED: &[Named] = &[
    named(Ask::Words(Key::Cause), &["cause"], &["原因"]),
    named(Ask::Words(Key::Status), &["status", "outcome"], &["结果", "处理结果"]),
    named(Ask::Words(Key::Customer), &["customer"], &["客户"]),
    named(Ask::Date(Moment::Bill), &["date"], &["日期"]),
    named(Ask::Date(Moment::Run), &["ran"], &["运行时间"]),
    named(Ask::Date(Moment::Since), &["since"], &["首次"]),
    named(Ask::Words(Key::Plan), &["plan"], &["方案"]),
    named(Ask::Words(Key::Org), &["org"], &["组织"]),
    named(Ask::Words(Key::No), &["no", "number"], &["单号"]),
    named(Ask::Words(Key::Operation), &["operation", "op"], &["操作"]),
    named(Ask::Words(Key::Made), &["made"], &["新单"]),
    named(Ask::Words(Key::Who), &["who"], &["操作人"]),
    named(Ask::Words(Key::Env), &["env", "environment"], &["环境"]),
    named(Ask::Words(Key::Run), &["run"], &["运行"]),
    named(Ask::Age, &["age"], &["时长"]),
    named(Ask::Attempts, &["attempts"], &["次数"]),
    named(Ask::Words(Key::Fid), &["fid"], &["内码"]),
    named(Ask::Words(Key::Code), &["code"], &["错误码"]),
    named(Ask::Words(Key::State), &["state"], &["运行状态"]),
    named(Ask::Words(Key::Kind), &["kind"], &["运行类型", "类型"]),
    named(Ask::Words(Key::Likely), &["likely"], &["可能"]),
];

/// The key of a name, whatever its letter case.
pub fn key_called(name: &str) -> Option<Ask> {
    let name = name.to_lowercase();
    NAMED.iter().find(|key| key.en.iter().chain(key.zh).any(|known| *known == name)).map(|key| key.ask)
}

/// What a key is called.
pub(super) fn name_of(ask: Ask, lang: Language) -> &'static str {
    NAMED.iter().find(|key| key.ask == ask).map_or("?", |key| key.name(lang))
}

impl Key {
    /// The name written back.
    pub fn name(self) -> &'static str {
        name_of(Ask::Words(self), Language::En)
    }

    pub(super) fn holds(self, word: &str, row: &BillRow, about: &About<'_>) -> bool {
        match self {
            Self::Cause => {
                let group = row.state.outcome().filter(|_| !row.untold).and_then(Outcome::group);
                group.is_some_and(|g| like(&g, word))
            }
            Self::Status => {
                let means = |name: &str| like(name, word);
                let called = operation_words::is_called(&row.key.op, row.state.slot(), means);
                (!row.untold && (called || is_state(&row.state, means)))
                    || After::of(row).code().eq_ignore_ascii_case(word)
            }
            Self::Operation => operation_words::names_of_op(&row.key.op).any(|name| like(name, word)),
            Self::No => like(&row.no, word),
            Self::Made => row.made.as_ref().is_some_and(|made| like(&made.no, word)),
            Self::Fid => like(row.fid().as_str(), word),
            Self::Org => columns(&row.columns, about, &labels_of(self), "org").any(|value| like(value, word)),
            Self::Customer => columns(&row.columns, about, &labels_of(self), "cust").any(|value| like(value, word)),
            Self::Plan => like(row.plan.as_str(), word),
            Self::Run => begins_with(&row.run.to_string(), word),
            Self::Code => match row.state.outcome() {
                Some(Outcome::Failed(f)) => f.msg_code.is_some_and(|c| c.to_string() == word),
                _ => false,
            },
            Self::Who => about.by.is_some_and(|by| by.names().iter().any(|name| like(name, word))),
            Self::Env => like(row.record().env.as_str(), word),
            Self::State => about.state.is_some_and(|(state, tally)| runs::stands(state, tally, word)),
            Self::Likely => row.will.as_ref().is_some_and(|will| {
                Will::NAMES.iter().any(|name| like(name, word)) || like(will.cause().as_str(), word)
            }),
            Self::Kind => about.head.is_some_and(|head| runs::is_kind(head, word)),
        }
    }
}

/// Whether a run's id begins so.
pub(super) fn begins_with(id: &str, word: &str) -> bool {
    id.to_lowercase().starts_with(&word.to_lowercase())
}

/// Words for where a bill stands that is still being worked on.
fn is_state(state: &BillState, means: impl FnMut(&str) -> bool) -> bool {
    match state {
        BillState::Trying { .. } => operation_words::TRYING.iter().copied().any(means),
        BillState::RetryAt { .. } => operation_words::RETRY_AT.iter().copied().any(means),
        BillState::Waiting | BillState::Settled(_) => false,
    }
}

/// The labels that mean a key's column.
pub fn labels_of(key: Key) -> Vec<&'static str> {
    let of_key = NAMED.iter().filter(|named| named.ask == Ask::Words(key));
    of_key.flat_map(|named| named.en.iter().chain(named.zh).copied()).collect()
}

/// A label as it is compared: letter case, spaces and what ends a key aside.
pub fn fold_label(label: &str) -> String {
    let odd = |c: char| c.is_whitespace() || matches!(c, ':' | '：' | '"');
    let kept: String = half_width(label).chars().filter(|c| !odd(*c)).flat_map(char::to_lowercase).collect();
    kept.trim_start_matches(['-', '~']).to_owned()
}

/// Values of the columns labelled so; where the plan labels none so, of those whose name holds a part.
fn columns<'a>(
    all: &'a [String],
    about: &'a About<'_>,
    labels: &[&str],
    part: &'a str,
) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    let is_labelled = |at: usize| about.labels.get(at).is_some_and(|label| labels.contains(&label.as_str()));
    let labelled: Vec<usize> = (0..all.len()).filter(|at| is_labelled(*at)).collect();
    if labelled.is_empty() {
        let named = about.names.iter().zip(all).filter(move |(name, _)| holds_part(name, part));
        return Box::new(named.map(|(_, value)| value.as_str()));
    }
    Box::new(labelled.into_iter().filter_map(|at| all.get(at)).map(String::as_str))
}

/// Whether a name holds a part of lower-case ASCII.
fn holds_part(name: &str, part: &str) -> bool {
    name.as_bytes().windows(part.len()).any(|there| there.eq_ignore_ascii_case(part.as_bytes()))
}

/// Values of the columns that a plan labels so, or that are named so.
pub(super) fn labelled<'a>(row: &'a BillRow, about: &'a About<'_>, label: &'a str) -> impl Iterator<Item = &'a str> {
    row.columns.iter().enumerate().filter_map(move |(at, value)| {
        let own = about.labels.get(at).is_some_and(|own| own == label);
        let name = about.names.get(at).is_some_and(|name| name.eq_ignore_ascii_case(label));
        (own || name).then_some(value.as_str())
    })
}

/// Labels of the column that holds the bill's own date.
const DATE_LABELS: [&str; 4] = ["日期", "单据日期", "date", "billdate"];

/// The bill's own dates: of the column labelled so, else of `FDate`, else of all that are named a date.
pub(super) fn dates<'a>(all: &'a [String], about: &'a About<'_>) -> impl Iterator<Item = NaiveDateTime> + 'a {
    let own = about.names.iter().position(|name| name.eq_ignore_ascii_case("FDate"));
    let is_labelled = about.labels.iter().any(|label| DATE_LABELS.contains(&label.as_str()));
    let own = own.filter(|_| !is_labelled).and_then(|at| all.get(at)).map(String::as_str);
    let values: Box<dyn Iterator<Item = &str>> = match own {
        Some(value) => Box::new(std::iter::once(value)),
        None => columns(all, about, &DATE_LABELS, "date"),
    };
    values.filter_map(ErpDate::written)
}

/// The day and the organisation of a bill by its columns; none where several days are told.
pub fn day_and_org(all: &[String], about: &About<'_>) -> Option<(NaiveDate, String)> {
    let mut days = dates(all, about).map(|at| at.date());
    let day = days.next().filter(|day| days.all(|other| other == *day))?;
    let org = columns(all, about, &labels_of(Key::Org), "org").next().unwrap_or_default();
    Some((day, org.to_owned()))
}

/// When it was first seen unresolved: of an entry of the ledger the time it stands there since, elsewhere that of the outcome.
pub(super) fn since(row: &BillRow) -> Option<Ts> {
    row.open_since
        .or_else(|| row.state.outcome().filter(|outcome| !row.untold && !outcome.is_resolved()).map(|_| row.at))
}
