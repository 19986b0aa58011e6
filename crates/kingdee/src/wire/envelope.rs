//! `{"Result":{"ResponseStatus":…}}`: the answer to every operation (docs/design/wire.md#answers).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::scalar::{Code, Loose, Truth, list_or_null};
use super::{WireError, text_of};

/// The answer to an operation.
#[derive(Clone, Debug, Deserialize)]
pub struct Envelope {
    #[serde(rename = "Result")]
    result: ResultPart,
}

#[derive(Clone, Debug, Deserialize)]
struct ResultPart {
    #[serde(rename = "ResponseStatus")]
    status: Status,
    /// What the conversion of a push said. Its shape is documented by its name alone: one that cannot be read says nothing.
    #[serde(rename = "ConvertResponseStatus", default)]
    convert: Option<Box<RawValue>>,
}

/// `ResponseStatus`.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// `IsSuccess`; a body without it is no answer.
    #[serde(rename = "IsSuccess")]
    success: Truth,
    /// `MsgCode`.
    #[serde(rename = "MsgCode", default)]
    code: Code,
    /// `ErrorCode`: 500 for any refusal; newer servers name a lost login in it.
    #[serde(rename = "ErrorCode", default)]
    error_code: Code,
    /// `Errors`.
    #[serde(rename = "Errors", default, deserialize_with = "list_or_null")]
    pub errors: Vec<Reason>,
    /// `SuccessEntitys` (the vendor's spelling).
    #[serde(rename = "SuccessEntitys", default, deserialize_with = "list_or_null")]
    pub entities: Vec<Entity>,
    /// `SuccessMessages`.
    #[serde(rename = "SuccessMessages", default, deserialize_with = "list_or_null")]
    pub messages: Vec<Reason>,
}

impl Status {
    /// Whether the server calls it a success.
    pub fn is_success(&self) -> bool {
        self.success.0
    }

    /// `MsgCode`, however it was printed.
    pub fn msg_code(&self) -> Option<i64> {
        self.code.0
    }

    /// `ErrorCode`, however it was printed.
    pub fn error_code(&self) -> Option<i64> {
        self.error_code.0
    }

    /// A refusal told by bare error objects, without an envelope around them.
    pub(super) fn bare(errors: Vec<Reason>) -> Self {
        Self {
            success: Truth(false),
            code: Code(None),
            error_code: Code(None),
            errors,
            entities: Vec::new(),
            messages: Vec::new(),
        }
    }
}

/// One of `Errors` or `SuccessMessages`.
#[derive(Clone, Debug, Deserialize)]
pub struct Reason {
    /// `FieldName`.
    #[serde(rename = "FieldName", default)]
    field: Loose,
    /// `Message`, word for word.
    #[serde(rename = "Message", default)]
    message: Loose,
    /// `DIndex`: place in the server's own order, not in ours.
    #[serde(rename = "DIndex", default)]
    index: Code,
}

impl Reason {
    /// `FieldName`, when it says anything.
    pub fn field(&self) -> Option<&str> {
        self.field.0.as_deref().filter(|field| !field.trim().is_empty())
    }

    /// `Message`.
    pub fn message(&self) -> &str {
        self.message.0.as_deref().unwrap_or_default()
    }

    /// `DIndex`.
    pub fn index(&self) -> Option<i64> {
        self.index.0
    }
}

/// One of `SuccessEntitys`.
#[derive(Clone, Debug, Deserialize)]
pub struct Entity {
    #[serde(rename = "Id", default)]
    id: Loose,
    #[serde(rename = "Number", default)]
    number: Loose,
}

impl Entity {
    /// `Id` as text; absent, empty and `0` name nothing.
    pub fn id(&self) -> Option<&str> {
        self.id.0.as_deref().map(str::trim).filter(|id| !id.is_empty() && *id != "0")
    }

    /// `Number`; absent and blank name nothing.
    pub fn number(&self) -> Option<&str> {
        self.number.0.as_deref().map(str::trim).filter(|number| !number.is_empty())
    }
}

impl Envelope {
    /// Reads the body of an operation's answer.
    pub fn read(body: &[u8]) -> Result<Status, WireError> {
        let text = text_of(body)?;
        let envelope: Self = serde_json::from_str(text).map_err(|e| WireError::json(text, &e))?;
        let ResultPart { mut status, convert } = envelope.result;
        let convert: Option<Status> = convert.and_then(|raw| serde_json::from_str(raw.get()).ok());
        if let Some(convert) = convert.filter(|_| status.errors.is_empty()) {
            status.errors = convert.errors;
        }
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &str = r#"{"Result":{"ResponseStatus":{"IsSuccess":true,"Errors":[],"SuccessEntitys":[{"Id":1,"Number":"N","DIndex":0}],"SuccessMessages":null,"MsgCode":0}}}"#;

    #[test]
    fn a_bom_is_dropped_and_ids_are_text() {
        let status = Envelope::read(format!("\u{feff}{OK}").as_bytes()).unwrap();
        assert!(status.is_success());
        assert_eq!(status.msg_code(), Some(0));
        assert_eq!(status.entities.first().and_then(Entity::id), Some("1"));
    }

    #[test]
    fn duplicate_keys_trailing_text_and_bad_bytes_are_errors() {
        let with = |from: &str, to: &str| OK.replace(from, to).into_bytes();
        for (name, body) in [
            ("IsSuccess twice", with("\"IsSuccess\":true", "\"IsSuccess\":false,\"IsSuccess\":true")),
            ("Id twice", with("\"Id\":1", "\"Id\":2,\"Id\":1")),
            (
                "ResponseStatus twice",
                with("{\"ResponseStatus\"", "{\"ResponseStatus\":{\"IsSuccess\":false},\"ResponseStatus\""),
            ),
            ("trailing", [OK.as_bytes(), b"{}"].concat()),
            ("cut", OK.as_bytes().split_at(OK.len() - 3).0.to_vec()),
            ("GBK inside a skipped field", [b"{\"x\":\"\xc9\xf3\",".as_slice(), OK.as_bytes().split_at(1).1].concat()),
            ("no IsSuccess", with("\"IsSuccess\":true,", "")),
            ("IsSuccess null", with("\"IsSuccess\":true", "\"IsSuccess\":null")),
            ("Id an object", with("\"Id\":1", "\"Id\":{}")),
            ("a list around it", format!("[[{OK}]]").into_bytes()),
            ("empty", Vec::new()),
            ("deep", vec![b'['; 100_000]),
        ] {
            assert!(Envelope::read(&body).is_err(), "{name}");
        }
    }

    #[test]
    fn the_reason_never_echoes_the_body() {
        let said = Envelope::read(b"{\"Result\":\"canary-4711\"}").unwrap_err().to_string();
        assert!(!said.contains("canary"), "{said}");
        assert_eq!(Envelope::read(b"<html>").unwrap_err().to_string(), "a web page, not JSON");
    }
}
