//! The data centres of a server, as it tells them to anybody who asks (docs/design/wire.md#signing-in).
//!
//! Invariants: nothing that is secret is sent; an answer of another shape is no list, and a long one is cut.

use std::time::Duration;

use serde::Deserialize;

use super::http::HttpTransport;
use super::reach::Reach;
use super::transport::{CallKind, Post, Transport as _};
use super::wire::{LONGEST_ID, text_of};

const SERVICE: &str = "Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.GetDataCenterList";
/// Data centres that are taken of an answer.
const MOST: usize = 99;
/// The largest answer that is read, bytes.
const LARGEST: usize = 1 << 20;
/// How long a person waits for it, who could type what it says.
const PATIENCE: Duration = Duration::from_secs(8);

/// One data centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataCentre {
    /// What one signs in with.
    pub id: String,
    /// Its number; may be empty.
    pub number: String,
    /// Its name; may be empty.
    pub name: String,
}

/// The shapes in which the list was seen or may come: as every method of that service answers, and bare.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Returned {
        #[serde(rename = "ReturnValue", alias = "Result", alias = "Data")]
        list: Vec<Row>,
    },
    Bare(Vec<Row>),
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "Id", alias = "id", alias = "DBId", alias = "DBid")]
    id: String,
    #[serde(rename = "Number", alias = "number", default)]
    number: Option<String>,
    #[serde(rename = "Name", alias = "name", alias = "DataCenterName", default)]
    name: Option<String>,
}

/// Asks a server for its data centres, without credentials; none where it does not tell them, whatever the reason: then the
/// id has to be typed.
pub async fn data_centres(url: &str, allow_plain_http: bool) -> Vec<DataCentre> {
    let reach = Reach { timeout: PATIENCE, connect_timeout: PATIENCE / 2, allow_plain_http, ..Reach::new(url) };
    let transport = HttpTransport::new(&reach, LARGEST, LARGEST);
    let (Ok(address), Ok(transport)) = (reach.address(), transport) else { return Vec::new() };
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let path = address.service_path(SERVICE);
    let asked = transport.post(Post { path: &path, headers, body: b"{}".to_vec(), kind: CallKind::SignIn });
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(reply)) if reply.status == 200 => read(&reply.body),
        Ok(Ok(_) | Err(_)) | Err(_) => Vec::new(),
    }
}

fn read(body: &[u8]) -> Vec<DataCentre> {
    let answer = text_of(body).ok().and_then(|text| serde_json::from_str(text).ok());
    let rows = match answer {
        Some(Answer::Returned { list } | Answer::Bare(list)) => list,
        None => Vec::new(),
    };
    let is_id = |id: &str| !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_graphic());
    let centre = |row: Row| DataCentre {
        id: row.id.trim().to_owned(),
        number: row.number.unwrap_or_default(),
        name: row.name.unwrap_or_default(),
    };
    rows.into_iter().map(centre).filter(|centre| is_id(&centre.id)).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_in_each_of_its_shapes_and_anything_else_is_none() {
        let two = r#"[{"Id":"60aa","Number":"001","Name":"正式"},{"Id":" 60bb ","Name":null,"Type":0}]"#;
        let centre = |id: &str, number: &str, name: &str| DataCentre {
            id: id.to_owned(),
            number: number.to_owned(),
            name: name.to_owned(),
        };
        let want = vec![centre("60aa", "001", "正式"), centre("60bb", "", "")];
        for body in [format!("{{\"Context\":null,\"ReturnValue\":{two}}}"), two.to_owned(), format!("\u{feff}{two}")] {
            assert_eq!(read(body.as_bytes()), want, "{body}");
        }
        for body in [
            "",
            "null",
            "<html>",
            r#"{"ReturnValue":null}"#,
            r#"{"ReturnValue":[{"Name":"x"}]}"#,
            r#"[{"Id":""}]"#,
            r#"[{"Id":"two words"},{"Id":"控制"}]"#,
            r#"{"LoginResultType":-1,"Message":"x"}"#,
        ] {
            assert_eq!(read(body.as_bytes()), [], "{body}");
        }
        let long = format!("[{}]", vec![format!("{{\"Id\":\"{}\"}}", "9".repeat(64)); 500].join(","));
        assert_eq!(read(long.as_bytes()).len(), MOST);
    }
}
