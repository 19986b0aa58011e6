//! Why a list of another system was not read whole, in words.
//!
//! Invariant: each says what was wrong, and what to do.

use serde::{Deserialize, Serialize};

use super::BadRecord;

/// Why a list was not read whole: nothing of it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListFault {
    /// A record cannot be used: its page and place there, from 1.
    Record {
        /// Page.
        page: u32,
        /// Place.
        nth: u32,
        /// Why.
        why: BadRecord,
    },
    /// Two records of one answer have one id and are not the same.
    Twice {
        /// The id.
        id: String,
    },
    /// The list was another one each time it was read.
    Moves {
        /// So many times.
        times: u32,
    },
    /// The system says how many there are, and shows another number.
    Total {
        /// What it says.
        said: u64,
        /// What it shows.
        shown: u64,
    },
    /// The answer names a cursor that was used before.
    CursorAgain {
        /// The page.
        page: u32,
    },
    /// A page shows the records of the one before.
    SamePage {
        /// The page.
        page: u32,
    },
    /// More pages follow than the plan reads.
    Endless {
        /// What it reads.
        pages: u32,
    },
    /// More records than one reading takes.
    TooMany {
        /// What it takes.
        most: u64,
    },
    /// A record has no date where the plan says that one stands.
    NoDate {
        /// Its id.
        id: String,
        /// The path.
        path: String,
    },
    /// One record was asked for, and another one was shown.
    Stranger {
        /// Asked for.
        asked: String,
        /// Shown.
        shown: String,
    },
}

impl ListFault {
    /// What is wrong, and what to do.
    pub fn said(&self, zh: bool) -> String {
        if zh { self.zh() } else { self.en() }
    }

    fn en(&self) -> String {
        match self {
            Self::Record { page, nth, why } => format!("record {nth} of page {page} cannot be used: {}", why.en()),
            Self::Twice { id } => format!(
                "the list shows two records with id {id} that are not the same: name a field in source.id that stands once"
            ),
            Self::Moves { times } => format!(
                "the list was read {times} times and was another one each time: run when fewer records are changed, or read by cursor"
            ),
            Self::Total { said, shown } => {
                format!(
                    "the system says that the list has {said} records, and shows {shown}: compare list.pages.total with its answer"
                )
            }
            Self::CursorAgain { page } => {
                format!("page {page} names a cursor that was used before: compare list.pages.next")
            }
            Self::SamePage { page } => format!(
                "page {page} shows the records of the page before: compare the parameter of the page, or name list.pages.more"
            ),
            Self::Endless { pages } => {
                format!("more follows after {pages} pages: raise list.pages.most, or narrow what is asked for")
            }
            Self::TooMany { most } => {
                format!("the list has more than {most} records, or is too large: narrow what is asked for")
            }
            Self::NoDate { id, path } => format!(
                "record {id} has no date at `{path}`: name a field in list.mark that every record has, or leave it out"
            ),
            Self::Stranger { asked, shown } => format!("asked for {asked}, the system answered about {shown}"),
        }
    }

    fn zh(&self) -> String {
        match self {
            Self::Record { page, nth, why } => format!("第 {page} 页第 {nth} 条记录无法使用：{}", why.zh()),
            Self::Twice { id } => {
                format!("列表中有两条标识为 {id} 而内容不同的记录：请在 source.id 写不重复的字段")
            }
            Self::Moves { times } => {
                format!("列表读了 {times} 次，每次都不相同：请在改动较少时运行，或改用游标读取")
            }
            Self::Total { said, shown } => {
                format!("系统说列表有 {said} 条记录，却给出 {shown} 条：请核对 list.pages.total 与其响应")
            }
            Self::CursorAgain { page } => format!("第 {page} 页给出的游标已用过：请核对 list.pages.next"),
            Self::SamePage { page } => {
                format!("第 {page} 页与前一页的记录相同：请核对页码参数，或写上 list.pages.more")
            }
            Self::Endless { pages } => format!("读完 {pages} 页后仍有后续：请调大 list.pages.most，或缩小查询范围"),
            Self::TooMany { most } => format!("列表超过 {most} 条记录，或内容过大：请缩小查询范围"),
            Self::NoDate { id, path } => {
                format!("记录 {id} 在 `{path}` 处没有日期：请在 list.mark 写每条记录都有的字段，或去掉")
            }
            Self::Stranger { asked, shown } => format!("查询的是 {asked}，系统返回的是 {shown}"),
        }
    }
}
