//! The simulator over real sockets: faults on the wire, keep-alive, gzip, hang-ups.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

use std::time::Duration;

use serde_json::{Value, json};
use skydeck::sim::{SimConfig, SimHandle, WorldConfig, demo_credentials, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FORM: &str = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.";

async fn sim() -> SimHandle {
    start(SimConfig { world: WorldConfig { bills: 60, ..WorldConfig::default() }, ..SimConfig::default() })
        .await
        .unwrap()
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// One request on a connection of its own; everything until the server closes.
async fn raw(sim: &SimHandle, method: &str, path: &str, headers: &str, body: &str) -> std::io::Result<Vec<u8>> {
    let mut socket = TcpStream::connect(sim.addr()).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: sim.invalid\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut bytes)).await.expect("an answer in time")?;
    Ok(bytes)
}

fn split(bytes: &[u8]) -> Answer {
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[at..].to_vec() }
}

async fn login(sim: &SimHandle) -> String {
    let c = demo_credentials();
    let body = json!({"parameters": [c.account, c.user, c.password, 2052]}).to_string();
    let path = "/k3cloud/Kingdee.BOS.WebApi.ServicesStub.AuthService.ValidateUser.common.kdsvc";
    let answer = split(&raw(sim, "POST", path, "", &body).await.unwrap());
    let json = answer.json();
    assert_eq!(json["LoginResultType"], 1);
    format!("kdservice-sessionid: {}\r\n", json["KDSVCSessionId"].as_str().unwrap())
}

fn service(name: &str) -> String {
    format!("/K3Cloud/{FORM}{name}.common.kdsvc")
}

#[tokio::test]
async fn audits_over_http_and_the_bill_leaves_the_filter() {
    let sim = sim().await;
    let session = login(&sim).await;
    let query = json!({"data": {"FormId": "SAL_OUTSTOCK", "FieldKeys": "FID,FBillNo,FDocumentStatus,FApproveDate",
        "FilterString": "FDOCUMENTSTATUS='B'", "OrderString": "FID ASC", "Limit": 2000}})
    .to_string();
    let rows = split(&raw(&sim, "POST", &service("ExecuteBillQuery"), &session, &query).await.unwrap()).json();
    let first = rows[0].clone();
    assert_eq!(first[3], Value::Null);
    let audit = json!({"formid": "SAL_OUTSTOCK", "data": {"Ids": first[0].to_string()}}).to_string();
    let answer = split(&raw(&sim, "POST", &service("Audit"), &session, &audit).await.unwrap());
    assert!(answer.head.contains("charset=utf-8"), "{}", answer.head);
    let status = &answer.json()["Result"]["ResponseStatus"];
    assert_eq!(status["IsSuccess"], true, "{status}");
    assert_eq!(status["SuccessEntitys"][0]["Number"], first[1]);
    let again = split(&raw(&sim, "POST", &service("ExecuteBillQuery"), &session, &query).await.unwrap()).json();
    assert_eq!(again.as_array().unwrap().len(), rows.as_array().unwrap().len() - 1);
    let stats = sim.stats();
    assert_eq!((stats.applied["Audit"], stats.max_audits_per_bill), (1, 1));
    sim.shutdown().await;
}
