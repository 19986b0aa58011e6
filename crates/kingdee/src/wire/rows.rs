//! The answer of ExecuteBillQuery: a list of rows, or an error in one of the shapes of
//! docs/design/wire.md#refused-queries.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{Envelope, Reason, Status};
use super::scalar::cell_text;
use super::{WireError, text_of};

/// What a query was answered with.
#[derive(Clone, Debug)]
pub enum QueryAnswer {
    /// Rows of cells as text.
    Rows(Vec<Vec<String>>),
    /// The server said no.
    Refused(Status),
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Raw<'a>(#[serde(borrow)] &'a RawValue);

/// Reads the body of a query's answer; every row must have `width` cells.
pub fn read_rows(body: &[u8], width: usize) -> Result<QueryAnswer, WireError> {
    let text = text_of(body)?;
    let shape = |e| WireError::json(text, &e);
    if text.trim_start().starts_with('{') {
        return Envelope::read(body).map(QueryAnswer::Refused);
    }
    let outer: Vec<Raw<'_>> = serde_json::from_str(text).map_err(shape)?;
    let mut rows = Vec::with_capacity(outer.len());
    for (at, Raw(row)) in outer.iter().enumerate() {
        if row.get().starts_with('{') {
            return refusal(&outer, row).map(QueryAnswer::Refused);
        }
        let cells: Vec<Raw<'_>> = serde_json::from_str(row.get()).map_err(shape)?;
        if let Some(Raw(first)) = cells.first()
            && first.get().starts_with('{')
        {
            return Envelope::read(first.get().as_bytes()).map(QueryAnswer::Refused);
        }
        if cells.len() != width {
            return Err(WireError(format!("row {} has {} cells where {width} were asked for", at + 1, cells.len())));
        }
        let cells: Option<Vec<String>> = cells.iter().map(|Raw(cell)| cell_text(cell)).collect();
        rows.push(cells.ok_or_else(|| WireError(format!("row {} holds a cell that is no scalar", at + 1)))?);
    }
    Ok(QueryAnswer::Rows(rows))
}

/// `[{"Result":…}]`, or a list of bare error objects.
fn refusal(all: &[Raw<'_>], first: &RawValue) -> Result<Status, WireError> {
    if let Ok(status) = Envelope::read(first.get().as_bytes()) {
        return Ok(status);
    }
    let errors: Result<Vec<Reason>, _> = all.iter().map(|Raw(one)| serde_json::from_str(one.get())).collect();
    match errors {
        Ok(errors) if errors.iter().all(|e| !e.message().is_empty()) => Ok(Status::bare(errors)),
        _ => Err(WireError("objects where rows were asked for".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_text_with_their_digits() {
        let body = r#"[["XSCKD07_SYS",9007199254740993,"N1","2025-01-02T00:00:00",12345678901234567890.12,null,true]]"#;
        let QueryAnswer::Rows(rows) = read_rows(body.as_bytes(), 7).unwrap() else { panic!("refused") };
        assert_eq!(
            rows,
            [["XSCKD07_SYS", "9007199254740993", "N1", "2025-01-02T00:00:00", "12345678901234567890.12", "", "true"]]
        );
        assert!(matches!(read_rows(b"[]", 7), Ok(QueryAnswer::Rows(rows)) if rows.is_empty()));
    }

    #[test]
    fn every_known_error_shape_is_a_refusal() {
        let status = r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":null,"Message":"m","DIndex":0}],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":9}}}"#;
        for (body, code) in [
            (format!("[[{status}]]"), Some(9)),
            (format!("[[{status},null,null]]"), Some(9)),
            (format!("[{status}]"), Some(9)),
            (status.to_owned(), Some(9)),
            (r#"[{"FieldName":null,"Message":"m","DIndex":0}]"#.to_owned(), None),
        ] {
            let QueryAnswer::Refused(status) = read_rows(body.as_bytes(), 3).unwrap() else { panic!("{body}") };
            assert_eq!(status.msg_code(), code, "{body}");
            assert_eq!(status.errors.first().map(Reason::message), Some("m"), "{body}");
        }
    }

    #[test]
    fn other_shapes_are_errors() {
        for body in
            ["[[1,2]]", "[[1,[2],3]]", "[1,2]", "[[1,2,3]", "\"401 Forbidden\"", "[{\"a\":1}]", "<html>", "", "null"]
        {
            assert!(read_rows(body.as_bytes(), 3).is_err(), "{body}");
        }
        assert!(read_rows(&b"[".repeat(100_000), 3).is_err());
    }
}
