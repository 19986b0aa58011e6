//! What is to be made of a record: the body, the key it is found by, and what a look found there.

use serde::{Deserialize, Serialize};

use super::Failure;
use crate::domain::language::Language;

/// What was made of a plan's mapping for one record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// The value the record is found again by; empty where the body could not be made.
    #[serde(rename = "k", default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Hex SHA-256 of the body; empty where it could not be made.
    #[serde(rename = "h", default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// The body as it is sent, JSON. It is the customer's data: kept as long as the plan's environment says.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What the lines of the record hold together, where what is made of them is compared with it.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// Why it could not be made: no call is made for the record.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Box<Failure>>,
    /// What the look found before anybody approved.
    #[serde(rename = "s", default, skip_serializing_if = "Sight::is_not_looked")]
    pub sight: Sight,
    /// A call would be made for the record. Of the moment.
    #[serde(skip)]
    pub calls: bool,
}

/// What a look for a record that is to be made shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// Nobody looked.
    #[default]
    NotLooked,
    /// Nothing is there.
    Absent,
    /// It is there, with the content that would be sent.
    There,
    /// It is there with other content.
    Differs,
    /// Several are there.
    Several,
    /// A part of the record's quantity is there.
    Partly,
}

impl Sight {
    /// Every sight that a look gives.
    pub const ALL: [Self; 5] = [Self::Absent, Self::There, Self::Differs, Self::Several, Self::Partly];

    /// The word used in JSON and exports.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotLooked => "not_looked",
            Self::Absent => "absent",
            Self::There => "there",
            Self::Differs => "differs",
            Self::Several => "several",
            Self::Partly => "partly",
        }
    }

    /// The words people read.
    pub fn words(self, lang: Language) -> &'static str {
        match self {
            Self::NotLooked => lang.t("not looked for", "未查找"),
            Self::Absent => lang.t("not there yet", "尚不存在"),
            Self::There => lang.t("there already", "已存在"),
            Self::Differs => lang.t("there with other content", "已存在且内容不同"),
            Self::Several => lang.t("several are there", "已存在多张"),
            Self::Partly => lang.t("a part of the quantity is there", "已有部分数量"),
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_not_looked(&self) -> bool {
        *self == Self::NotLooked
    }
}
