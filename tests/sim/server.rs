//! The simulator over real sockets: faults on the wire, keep-alive, gzip, hang-ups.
use std::time::Duration;

use serde_json::{Value, json};
use skydeck::sim::faults::{FaultPlan, Kind, Rule, When};
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

/// Signs in, puts one rule on Audit, sends one Audit of a submitted bill; what came back, and whether it was executed.
async fn audit_under(rule: Rule) -> (std::io::Result<Vec<u8>>, bool) {
    let sim = sim().await;
    let session = login(&sim).await;
    sim.with_world(|world| world.add_faults(FaultPlan { rules: vec![rule.on(&["Audit"])] }));
    let body = json!({"formid": "SAL_OUTSTOCK", "data": {"Numbers": ["XSCKD000004"]}}).to_string();
    assert_eq!(sim.with_world(|world| world.status_of("SAL_OUTSTOCK", "XSCKD000004")), Some("B"));
    let answer = raw(&sim, "POST", &service("Audit"), &session, &body).await;
    let done = sim.with_world(|world| world.status_of("SAL_OUTSTOCK", "XSCKD000004")) == Some("C");
    sim.shutdown().await;
    (answer, done)
}

#[tokio::test]
async fn the_wire_does_what_the_fault_says() {
    let reset =
        |answer: std::io::Result<Vec<u8>>| answer.expect_err("a reset").kind() == std::io::ErrorKind::ConnectionReset;
    let (answer, done) = audit_under(Rule::new(Kind::Reset, When::Before)).await;
    assert!(reset(answer) && !done);
    let (answer, done) = audit_under(Rule::new(Kind::Reset, When::After)).await;
    assert!(reset(answer) && done);

    let (answer, done) = audit_under(Rule { at: 17, ..Rule::new(Kind::Truncate, When::After) }).await;
    let cut = split(&answer.unwrap());
    let length: usize = cut.head.split("Content-Length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!(cut.body.len() == 17 && length > 100 && done, "{}", cut.head);

    let (answer, _) = audit_under(Rule::new(Kind::NoLength, When::After)).await;
    let whole = split(&answer.unwrap());
    assert!(!whole.head.to_lowercase().contains("content-length") && whole.json()["Result"].is_object());

    let (answer, _) = audit_under(Rule::new(Kind::Twice, When::After)).await;
    let bytes = answer.unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes).matches("HTTP/1.1 200").count(), 2);

    let (answer, _) = audit_under(Rule { at: 16, ..Rule::new(Kind::SlowBody, When::After).ms(1) }).await;
    assert!(split(&answer.unwrap()).json()["Result"].is_object());

    let (answer, _) = audit_under(Rule { status: 519, ..Rule::new(Kind::Status, When::Before) }).await;
    assert_eq!(split(&answer.unwrap()).status, 519);
}

#[tokio::test]
async fn a_call_whose_client_hung_up_is_executed_all_the_same() {
    let sim = sim().await;
    let session = login(&sim).await;
    let rule = Rule::new(Kind::Delay, When::Before).on(&["Audit"]).ms(300);
    sim.with_world(|world| world.add_faults(FaultPlan { rules: vec![rule] }));
    let body = json!({"formid": "SAL_OUTSTOCK", "data": {"Numbers": ["XSCKD000004"]}}).to_string();
    let path = service("Audit");
    let request = raw(&sim, "POST", &path, &session, &body);
    assert!(tokio::time::timeout(Duration::from_millis(100), request).await.is_err(), "gave up waiting");
    assert_eq!(sim.with_world(|world| world.status_of("SAL_OUTSTOCK", "XSCKD000004")), Some("B"));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while sim.with_world(|world| world.status_of("SAL_OUTSTOCK", "XSCKD000004")) != Some("C") {
        assert!(tokio::time::Instant::now() < deadline, "never executed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    sim.shutdown().await;
}

#[tokio::test]
async fn keep_alive_gzip_and_admin() {
    let sim = sim().await;
    let session = login(&sim).await;
    let query = json!({"data": {"FormId": "SAL_OUTSTOCK", "FieldKeys": "FID,FBillNo,FCustomerID.FName"}}).to_string();
    // Two requests on one connection, the first packed.
    let mut socket = TcpStream::connect(sim.addr()).await.unwrap();
    for (extra, close) in [("Accept-Encoding: gzip, deflate\r\n", false), ("Connection: close\r\n", true)] {
        let path = service("ExecuteBillQuery");
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: s\r\n{session}{extra}Content-Length: {}\r\n\r\n", query.len());
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(query.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        if close {
            socket.read_to_end(&mut bytes).await.unwrap();
            assert_eq!(split(&bytes).json().as_array().unwrap().len(), 60);
        } else {
            let mut chunk = [0; 4096];
            let answer = loop {
                let n = socket.read(&mut chunk).await.unwrap();
                assert!(n > 0);
                bytes.extend_from_slice(&chunk[..n]);
                let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
                let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
                let length: usize =
                    head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
                if bytes.len() >= at + 4 + length {
                    break split(&bytes);
                }
            };
            assert!(answer.head.to_lowercase().contains("content-encoding: gzip"), "{}", answer.head);
            let mut text = String::new();
            std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&answer.body[..]), &mut text).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().len(), 60);
        }
    }
    let stats = split(&raw(&sim, "GET", "/admin/stats", "", "").await.unwrap()).json();
    assert_eq!((&stats["calls"]["ExecuteBillQuery"], &stats["calls"]["ValidateUser"]), (&json!(2), &json!(1)));
    let lost = split(&raw(&sim, "GET", "/k3cloud/index.aspx", "", "").await.unwrap());
    assert_eq!((lost.status, lost.body.starts_with(b"<!DOCTYPE html>")), (404, true));
    let faults = split(&raw(&sim, "POST", "/admin/faults", "", r#"{"preset":"nope"}"#).await.unwrap());
    assert_eq!(faults.status, 400);
    sim.shutdown().await;
}

#[tokio::test]
async fn the_record_is_written_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.jsonl");
    let world = WorldConfig { bills: 60, ..WorldConfig::default() };
    let sim = start(SimConfig { world, record: Some(path.clone()), ..SimConfig::default() }).await.unwrap();
    let session = login(&sim).await;
    for verb in ["Audit", "Audit", "UnAudit"] {
        let body = json!({"formid": "SAL_OUTSTOCK", "data": {"Numbers": ["XSCKD000004"]}}).to_string();
        raw(&sim, "POST", &service(verb), &session, &body).await.unwrap();
    }
    let admin = split(&raw(&sim, "GET", "/admin/record?all=1", "", "").await.unwrap()).json()["lines"].clone();
    let lines: Vec<Value> =
        std::fs::read_to_string(&path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let (head, file) = lines.split_first().unwrap();
    assert_eq!((&head["seed"], &head["bills"]), (&json!(1), &json!(60)));
    assert_eq!(json!(file), admin);
    let own: Vec<_> = file
        .iter()
        .filter(|l| l["form"] == "SAL_OUTSTOCK")
        .map(|l| (l["verb"].clone(), l["applied"].clone()))
        .collect();
    assert_eq!(own, [(json!("Audit"), json!(true)), (json!("Audit"), json!(false)), (json!("UnAudit"), json!(true))]);
    sim.shutdown().await;
    // Started again on the file, the world goes on where it stood.
    let world = WorldConfig { bills: 60, ..WorldConfig::default() };
    let again = start(SimConfig { world, record: Some(path), ..SimConfig::default() }).await.unwrap();
    assert_eq!(again.with_world(|world| world.status_of("SAL_OUTSTOCK", "XSCKD000004")), Some("D"));
    again.shutdown().await;
}

/// Serves for a load tool; see docs/simulator.md for the commands. Prints address and session, ends after a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "for a load tool, by hand"]
async fn serve_for_a_load_tool() {
    let bills = std::env::var("SKYDECK_SIM_BILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let world = WorldConfig { bills, ..WorldConfig::default() };
    let sim =
        start(SimConfig { bind: "127.0.0.1:18765".parse().unwrap(), world, ..SimConfig::default() }).await.unwrap();
    println!("{} {}", sim.url(), login(&sim).await.trim());
    tokio::time::sleep(Duration::from_secs(60)).await;
    println!("{}", serde_json::to_string(&sim.stats()).unwrap());
    sim.shutdown().await;
}
