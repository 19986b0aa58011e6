//! What a plan sends for a record: the tree of its request, as the plan's file has it.
//!
//! Invariant: order is the file's order, because the ERP reads the fields of a body in that order; nothing here is a number,
//! so that no amount ever passes through a float.

use serde::{Deserialize, Serialize};

/// The request tree of a plan that makes bills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Fields of the body, in the order of the file.
    pub fields: Vec<Field>,
    /// The mapping tables that the fields look in. They are part of the plan's revision, by their hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Table>,
}

/// A mapping table beside the plan's file, as far as the fields look in it: a run of an earlier revision looks in the table as it
/// was then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// What the plan calls it.
    pub name: String,
    /// Its file, from the plan's directory.
    pub file: String,
    /// Hex SHA-256 of its columns and rows.
    pub hash: String,
    /// The columns that are looked at.
    pub columns: Vec<String>,
    /// Their values, row by row.
    pub rows: Vec<Vec<String>>,
}

/// One field of the body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name in the body, e.g. `FDate`.
    pub name: String,
    /// What it becomes.
    #[serde(default)]
    pub kind: Kind,
    /// The value: a literal, a template, an expression; of a list, the name of the list of the source. Empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What stands in the place of a value that is empty for a record. Empty: the field is left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub default: String,
    /// How the value is wrapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<Parser>,
    /// The body cannot be made without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Fields inside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Field>,
    /// Where its value stands in the plan's file, for faults. Not part of the revision.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
}

/// What a field of the body becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A text.
    #[default]
    Text,
    /// A whole number.
    Whole,
    /// A decimal number, digit by digit as it stands.
    Decimal,
    /// A truth.
    Truth,
    /// An object of its children.
    Object,
    /// A list: its children once for each row of the source's list.
    List,
}

/// The vendor's parsers, as far as they are understood.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parser {
    /// `ConvertObjectParser`: `v` becomes `{"FNumber": v}`.
    Wrap(String),
    /// `ConvertTwoStageObjectParser`: `v` becomes `{"A": {"B": v}}`.
    WrapTwice(String, String),
    /// `StringToArray`: cut at this sign.
    Split(String),
    /// `ArrayToString`: joined by this sign.
    Join(String),
    /// `JsonParser`: the text is JSON.
    Json,
    /// `ConvertJson`: the members of a JSON object become a list of `{"Key": …, "Value": …}`, as texts of several languages are.
    Pairs,
}

/// What a look compares of a list of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The list's name in the body.
    pub list: String,
    /// Paths of its fields, as they stand in its lines and as the form is asked for them.
    pub columns: Vec<String>,
}

impl Lines {
    /// Whether a path, `LIST.PATH`, is one of them.
    pub fn has(&self, path: &str) -> bool {
        let of_list = path.split_once('.').filter(|(list, _)| list.eq_ignore_ascii_case(&self.list));
        of_list.is_some_and(|(_, column)| self.columns.iter().any(|known| known == column))
    }
}

/// Path of a field that a look can compare; `None` for one whose value is no plain one.
fn compared(field: &Field) -> Option<String> {
    if field.value.is_empty() && field.default.is_empty() {
        return None;
    }
    match (field.kind, &field.parser) {
        (Kind::Text | Kind::Whole | Kind::Decimal | Kind::Truth, None) => Some(field.name.clone()),
        (Kind::Text | Kind::Whole | Kind::Object, Some(Parser::Wrap(inner))) => Some(format!("{}.{inner}", field.name)),
        _ => None,
    }
}

impl Mapping {
    /// Head fields of the body that a look can compare: their path in the form, and where the value stands in the body.
    pub fn comparable(&self) -> Vec<String> {
        self.fields.iter().filter_map(compared).collect()
    }

    /// The lists of the body, and what a look can compare of their lines. A field that the head has, too, is left out: asked
    /// for by its name, the form would tell that of the head.
    pub fn comparable_lines(&self) -> Vec<Lines> {
        let in_head = |field: &&Field| !self.fields.iter().any(|head| head.name.eq_ignore_ascii_case(&field.name));
        let mut all: Vec<Lines> = Vec::new();
        for list in self.fields.iter().filter(|field| field.kind == Kind::List) {
            let columns = list.children.iter().filter(in_head).filter_map(compared);
            // A list may stand in several parts: its lines have the fields of all of them.
            match all.iter_mut().find(|lines| lines.list.eq_ignore_ascii_case(&list.name)) {
                Some(lines) => {
                    let more: Vec<String> = columns.filter(|column| !lines.columns.contains(column)).collect();
                    lines.columns.extend(more);
                }
                None => all.push(Lines { list: list.name.clone(), columns: columns.collect() }),
            }
        }
        all.retain(|lines| !lines.columns.is_empty());
        all
    }
}
