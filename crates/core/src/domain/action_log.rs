//! What the action log's file and the journal say of each other: how far the file reached, and where the two disagree.
//!
//! Invariant: a disagreement is data, worded where people read; a person accepts it with a reason, and nothing hides it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::ids::Seq;

/// A place in the action log's file, with the hash of the line there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlace {
    /// Place, from 1.
    pub seq: u64,
    /// SHA-256 as hex digits.
    pub hash: String,
    /// Which file, where the journal is one for several machines, each of which has a file of its own; absent: the only one.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl LogPlace {
    /// A place of the only file, or of the one that is spoken of.
    pub fn new(seq: u64, hash: String) -> Self {
        Self { seq, hash, file: None }
    }
}

/// How far the file reached when a process began or ended to write lines into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogWitness {
    /// Its newest line.
    #[serde(rename = "a")]
    pub at: LogPlace,
    /// Lines may follow without a witness: the process that writes them can be killed. Unset: none follows before the next
    /// witness.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Lines of actions that a crash kept from the journal.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub loose: Vec<u64>,
    /// A person accepted what is in the file up to here, whatever the journal tells of it.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<AcceptedFile>,
}

/// The part of a file that a person accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedFile {
    /// Its length.
    #[serde(rename = "b")]
    pub bytes: u64,
    /// SHA-256 of its bytes as hex digits.
    #[serde(rename = "h")]
    pub sha256: String,
}

/// What is wrong with one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// It is no line of the log.
    Unreadable,
    /// Its hash does not fit its words.
    Hash,
    /// It is of a version that is not known here.
    Version,
    /// It says another place than the one that was to come.
    Place,
    /// It does not follow the line before.
    Order,
    /// It is longer than any line.
    TooLong,
}

/// Where the action log's file and the journal disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub enum LogFault {
    /// The file is not there.
    Missing {
        /// Newest line the journal tells of.
        told: u64,
    },
    /// Lines at the end of the file are not there.
    Cut {
        /// Newest line that is there.
        last: u64,
        /// Newest line the journal tells of.
        told: u64,
    },
    /// A line is not as it was written.
    Broken {
        /// Its number in the file.
        line: u64,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// Another line stands there than the one that was written.
    Replaced {
        /// Its place.
        line: u64,
    },
    /// The part of the file that a person had accepted is not the same any more.
    AcceptedPart {
        /// Its last line.
        line: u64,
    },
    /// No entry of the journal tells of a line, and later ones are told.
    Untold {
        /// Its place.
        line: u64,
        /// What it is about.
        action: String,
    },
    /// From a line on the journal tells of nothing that stands there.
    JournalOlder {
        /// The first such line.
        line: u64,
        /// What it is about.
        action: String,
        /// Last fact of the journal.
        last: Seq,
    },
    /// There is no fact at all.
    JournalEmpty {
        /// Lines in the file.
        lines: u64,
    },
    /// The journal ends before a head that was kept elsewhere.
    JournalCut {
        /// Its last fact.
        last: Seq,
        /// The fact of the head.
        head: Seq,
    },
    /// The journal has another hash at a head that was kept elsewhere.
    JournalReplaced {
        /// The fact of the head.
        head: Seq,
    },
}

impl Flaw {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreadable => ("it is no line of the log", "不是操作日志的行"),
            Self::Hash => ("its hash does not fit its words", "哈希与内容不符"),
            Self::Version => ("its version is not known here", "版本不认识"),
            Self::Place => ("it says another place than the one that was to come", "序号不是应有的序号"),
            Self::Order => ("it does not follow the line before", "与前一行不衔接"),
            Self::TooLong => ("it is longer than any line", "超过任何一行的长度"),
        }
    }
}

impl LogFault {
    /// In English.
    pub fn en(&self) -> String {
        self.words().0.into_owned()
    }

    /// In Chinese.
    pub fn zh(&self) -> String {
        self.words().1.into_owned()
    }

    fn words(&self) -> (Cow<'static, str>, Cow<'static, str>) {
        let both = |en: String, zh: String| (en.into(), zh.into());
        match self {
            Self::Missing { told } => both(
                format!("actions.log is not there, and the journal tells of {told} lines in it"),
                format!("actions.log 不存在，而流水记有其中 {told} 行"),
            ),
            Self::Cut { last, told } => both(
                format!("actions.log ends at line {last}, and the journal tells of line {told}"),
                format!("actions.log 止于第 {last} 行，而流水记有第 {told} 行"),
            ),
            Self::Broken { line, flaw } => both(
                format!("actions.log:{line}: {}", flaw.words().0),
                format!("actions.log 第 {line} 行：{}", flaw.words().1),
            ),
            Self::Replaced { line } => both(
                format!("line {line} of actions.log is not the one the journal tells of"),
                format!("actions.log 第 {line} 行不是流水所记的那一行"),
            ),
            Self::AcceptedPart { line } => both(
                format!("actions.log was changed before line {line}, in the part that a person had accepted"),
                format!("actions.log 第 {line} 行之前、已由人接受的部分又被改动"),
            ),
            Self::Untold { line, action } => both(
                format!("line {line} of actions.log (`{action}`): no entry of the journal tells of it"),
                format!("actions.log 第 {line} 行（`{action}`）：流水中没有对应的记录"),
            ),
            Self::JournalOlder { line, action, last } => both(
                format!(
                    "the journal is older than actions.log: it ends at fact {last}, and line {line} (`{action}`) and what \
                     follows is not in it"
                ),
                format!("流水比 actions.log 旧：流水止于第 {last} 条记录，没有第 {line} 行（`{action}`）及其后的内容"),
            ),
            Self::JournalEmpty { lines } => both(
                format!("the journal is empty beside an actions.log of {lines} lines"),
                format!("流水是空的，而 actions.log 有 {lines} 行"),
            ),
            Self::JournalCut { last, head } => both(
                format!("the journal ends at fact {last}, before fact {head} of the head that was kept"),
                format!("流水止于第 {last} 条记录，早于所保存链首的第 {head} 条"),
            ),
            Self::JournalReplaced { head } => both(
                format!("the journal up to fact {head} is not the one of the head that was kept"),
                format!("到第 {head} 条记录为止的流水不是所保存链首的那一份"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_says_where_it_is_in_both_languages() {
        let action = || "start".to_owned();
        let flaws = [Flaw::Unreadable, Flaw::Hash, Flaw::Version, Flaw::Place, Flaw::Order, Flaw::TooLong]
            .map(|flaw| (flaw, 31));
        let broken = flaws.map(|(flaw, line)| (LogFault::Broken { line, flaw }, vec!["31"]));
        let others = [
            (LogFault::Missing { told: 41 }, vec!["41"]),
            (LogFault::Cut { last: 37, told: 41 }, vec!["37", "41"]),
            (LogFault::Replaced { line: 31 }, vec!["31"]),
            (LogFault::AcceptedPart { line: 31 }, vec!["31"]),
            (LogFault::Untold { line: 31, action: action() }, vec!["31", "`start`"]),
            (LogFault::JournalOlder { line: 31, action: action(), last: Seq(59) }, vec!["31", "`start`", "59"]),
            (LogFault::JournalEmpty { lines: 41 }, vec!["41"]),
            (LogFault::JournalCut { last: Seq(59), head: Seq(61) }, vec!["59", "61"]),
            (LogFault::JournalReplaced { head: Seq(61) }, vec!["61"]),
        ];
        let mut said = std::collections::BTreeSet::new();
        for (fault, named) in broken.into_iter().chain(others) {
            let (en, zh) = (fault.en(), fault.zh());
            for name in named {
                assert!(en.contains(name) && zh.contains(name), "{name}: {en} {zh}");
            }
            assert!(en.is_ascii() && !zh.is_ascii(), "{en} {zh}");
            assert!(said.insert(en) && said.insert(zh), "{fault:?} has words of its own");
        }
    }
}
