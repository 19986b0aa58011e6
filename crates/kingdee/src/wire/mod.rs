//! Kingdee's JSON, read strictly: typed structs in which a duplicate key is an error, ids and amounts kept as text.
//!
//! Invariant: a body that is not valid UTF-8, not one whole JSON value, or not of the expected shape never becomes a value here.

mod envelope;
mod login;
mod request;
mod rows;
mod scalar;

pub use envelope::{Entity, Envelope, Reason, Status};
pub(crate) use login::LONGEST_ID;
pub use login::{LoginReply, login_body};
pub use request::{BillQuery, Operation, push_body, query_body, save_body, write_body};
pub use rows::{QueryAnswer, read_rows};
pub use scalar::{cell_text, date_of};

/// Names that answers are read by. They are the protocol's own, whatever else they may be.
pub(super) const NAMES: [&str; 23] = [
    "Context",
    "DBid",
    "DIndex",
    "DataCenterName",
    "DisplayVersion",
    "ErrorCode",
    "Errors",
    "FieldName",
    "GDCID",
    "Id",
    "IsSuccess",
    "IsSuccessByAPI",
    "KDSVCSessionId",
    "LoginResultType",
    "Message",
    "MessageCode",
    "MsgCode",
    "Number",
    "ResponseStatus",
    "Result",
    "SuccessEntitys",
    "SuccessMessages",
    "UserName",
];

/// The body as text: UTF-8 checked as a whole (serde would not look into what it skips), a BOM dropped.
pub fn text_of(body: &[u8]) -> Result<&str, WireError> {
    let text = std::str::from_utf8(body).map_err(|e| WireError(format!("not UTF-8 at byte {}", e.valid_up_to())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() { Err(WireError("empty".to_owned())) } else { Ok(text) }
}

/// Why a body cannot be read, in words for an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WireError(pub String);

impl WireError {
    /// From a parser's error: where, and what was expected; never the offending text.
    pub(super) fn json(text: &str, error: &serde_json::Error) -> Self {
        let head = text.trim_start();
        if head.starts_with('<') {
            return Self("a web page, not JSON".to_owned());
        }
        if head.starts_with("response_error:") {
            return Self("`response_error:` in place of an answer".to_owned());
        }
        let what = match error.classify() {
            serde_json::error::Category::Eof => "the JSON is cut short",
            serde_json::error::Category::Syntax => "not JSON",
            serde_json::error::Category::Data | serde_json::error::Category::Io => "JSON of another shape",
        };
        Self(format!("{what} (line {}, column {})", error.line(), error.column()))
    }
}
