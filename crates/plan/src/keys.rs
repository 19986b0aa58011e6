//! Which columns are a bill's id and number.
//!
//! Invariant: the id goes into write calls, so a number, or the id of an entry or of another record, never takes its place.

use super::policy::PolicyRead;
use super::source::{dotted, is_entry_level, is_path};
use super::template::{self, Part};
use super::vendor::Side;
use skydeck_core::domain::plan::Source;

/// The paths, and why the id that the file names is not the one.
pub struct Keys {
    pub id: String,
    pub number: String,
    pub passed_over: Option<PassedOver>,
}

/// An id that the file names and that is not used; or that none is named where one is needed.
pub enum PassedOver {
    /// It is what people see as the number.
    Number(String),
    /// It is an entry's, or another record's.
    Entry(String),
    /// It is no single column.
    NoColumn(String),
    /// Base data, which rarely keeps its id in FID, and no id is named.
    Unnamed,
}

impl PassedOver {
    /// Why, in English and in Chinese. `used`: the path in its place.
    pub fn words(&self, used: &str) -> (String, String) {
        match self {
            Self::Number(id) => (
                format!("`{id}` is a number people see, not the internal id that calls are made with: {used} is used"),
                format!("`{id}` 是给人看的编码，不是调用所用的内码：改用 {used}"),
            ),
            Self::Entry(id) => (
                format!("`{id}` is the id of an entry or of another record, not of the bill: {used} is used"),
                format!("`{id}` 是分录或其他资料的内码，不是单据的内码：改用 {used}"),
            ),
            Self::NoColumn(id) => {
                (format!("`{id}` is not one column: {used} is used"), format!("`{id}` 不是单个字段：改用 {used}"))
            }
            Self::Unnamed => (
                format!("base data rarely keeps its id in FID, and the plan names no id: {used} is used"),
                format!("基础资料的内码通常不在 FID，而方案未写 id：使用 {used}"),
            ),
        }
    }
}

/// Whether a form is one of base data: its own id is then in a field that elsewhere is one of the entries (`FMATERIALID`).
pub fn is_base_data(source: &Source) -> bool {
    source.form.as_str().to_ascii_uppercase().starts_with("BD_")
}

/// Reads the paths of id and number.
pub fn of(side: &Side<'_>, policy: &PolicyRead, source: &Source) -> Keys {
    let number = policy
        .number
        .clone()
        .or_else(|| named(side, "number", source).and_then(Result::ok))
        .unwrap_or_else(|| if is_base_data(source) { "FNumber" } else { "FBillNo" }.to_owned());
    let (id, passed_over) = match (&policy.id, named(side, "id", source)) {
        (Some(id), _) => (Some(id.clone()), None),
        (None, None) => (None, is_base_data(source).then_some(PassedOver::Unnamed)),
        (None, Some(Err(written))) => (None, Some(PassedOver::NoColumn(written))),
        (None, Some(Ok(id))) => match unfit(&id, &number, source) {
            Some(why) => (None, Some(why)),
            None => (Some(id), None),
        },
    };
    Keys { id: id.unwrap_or_else(|| "FID".to_owned()), number, passed_over }
}

/// The path that the file names; `Err` with what is written where that is no single column.
fn named(side: &Side<'_>, key: &str, source: &Source) -> Option<Result<String, String>> {
    let given = super::reading::text_at(side.raw.get(key))?;
    let inner = match template::parts(&given).as_deref() {
        Ok([Part::Text(name)]) => (*name).to_owned(),
        Ok([Part::Hole(hole)]) => hole.name.trim_start_matches("response.").to_owned(),
        _ => String::new(),
    };
    let path = source.columns.iter().find(|c| c.key == inner).map_or_else(|| dotted(&inner), |c| c.path.clone());
    Some(if is_path(&path) { Ok(path) } else { Err(given) })
}

fn unfit(id: &str, number: &str, source: &Source) -> Option<PassedOver> {
    let lower = id.to_ascii_lowercase();
    if lower == number.to_ascii_lowercase() || lower.ends_with("number") || lower.ends_with("billno") {
        return Some(PassedOver::Number(id.to_owned()));
    }
    let of_an_entry = if is_base_data(source) { lower.contains("entry") } else { is_entry_level(id) };
    of_an_entry.then(|| PassedOver::Entry(id.to_owned()))
}
