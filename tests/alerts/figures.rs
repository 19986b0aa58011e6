//! Figures and health on loopback: they agree with the run, and count what happened while their reader was behind.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::place::{self, PROGRAM, Place, until};
use crate::store_kit::{self, closed, failed, found, opened, run_id, settled};
use skydeck::domain::bill::Slot;
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::ids::Seq;
use skydeck::domain::live::Live;
use skydeck::domain::time::Ts;

/// What a GET on loopback says.
fn get(port: u16, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn figures_and_health_are_served_on_loopback_and_agree_with_the_run() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tables = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\ntextfile = \"skydeck.prom\"\n");
    let place = Place::with(20, "", &tables);
    let submit =
        include_str!("../../plans/sal_outstock_audit.json").replace("\"api\": \"Audit\"", "\"api\": \"Submit\"");
    std::fs::write(place.dir.path().join("plans/submit.json"), submit).unwrap();
    let mut owner = Command::new(PROGRAM)
        .arg("serve")
        .args(place.options())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the page", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let out = place.verb(&["run", "sal_outstock_audit", "--yes", "--json"]);
    let audits = place.audits().len();
    place::ended_as_it_says(&out);
    let line = format!("outcome=\"audited\"}} {audits}");
    until("the figures", || get(port, "/metrics").1.contains(&line));
    // Another operation has series of its own; those of Audit stay what they are.
    let out = place.verb(&["run", "submit", "--yes", "--json"]);
    let said = String::from_utf8(out.stdout).unwrap();
    let run: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(run["done"].as_u64().unwrap() > 0, "{said}");
    let submitted = format!("plan=\"submit\",outcome=\"done\",operation=\"Submit\"}} {}", run["done"]);
    until("the figures of the other plan", || get(port, "/metrics").1.contains(&submitted));
    let (status, page) = get(port, "/metrics");
    assert!(status.contains("200") && page.ends_with("# EOF\n"), "{page}");
    for words in [
        "skydeck_runs_total{env=\"test\",plan=\"sal_outstock_audit\",end=\"completed\"} 1",
        &format!("skydeck_call_seconds_count{{env=\"test\",step=\"audit\"}} {audits}"),
        "skydeck_unresolved_bills{outcome=\"skipped\"",
        "skydeck_breaker_open{env=\"test\"} 0",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (status, health) = get(port, "/health");
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert!(status.contains("200") && health["ok"] == true && health["unknown"] == 0, "{health}");
    assert!(get(port, "/else").0.contains("404"));
    let out = place.verb(&["health", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((out.status.code(), &told["owner"]), (Some(0), &true.into()), "{told}");
    assert_eq!(told["unresolved"], health["unresolved"]);
    let file = place.dir.path().join("skydeck.prom");
    assert!(std::fs::read_to_string(&file).unwrap().ends_with("# EOF\n"), "whole from the beginning");
    rustix::process::kill_process(rustix::process::Pid::from_child(&owner), rustix::process::Signal::TERM).unwrap();
    owner.wait().unwrap();
    // Nobody serves: the directory itself is asked.
    let out = place.verb(&["health"]);
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("engine not running"));
    // The network is no place for them.
    let config = place.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("127.0.0.1:", "0.0.0.0:");
    std::fs::write(&config, text).unwrap();
    let out = place.verb(&["health"]);
    assert!(out.status.code() == Some(2) && String::from_utf8_lossy(&out.stderr).contains("this machine alone"));
}

/// An engine that answers what a reader that fell behind asks for.
struct Behind {
    notices: Mutex<Option<tokio::sync::mpsc::Receiver<skydeck::engine::api::Notice>>>,
    ended: Vec<skydeck::domain::run::RunRow>,
}

#[async_trait::async_trait]
impl skydeck::engine::api::Link for Behind {
    async fn submit(
        &self,
        _: skydeck::domain::command::Order,
    ) -> Result<skydeck::domain::command::Receipt, skydeck::engine::api::LinkError> {
        panic!("a reader gives no order")
    }

    async fn ask(
        &self,
        query: skydeck::domain::query::Query,
    ) -> Result<skydeck::domain::query::Answer, skydeck::engine::api::LinkError> {
        use skydeck::domain::query::{Answer, Cursor, Page, Query};
        Ok(match query {
            Query::Runs(_) => {
                let rows = self.ended.iter().map(|row| (Cursor(row.head.id.to_string()), row.clone())).collect();
                Answer::Runs(Page { rows, more: false, scanned: 0, stopped_at: None, total: None })
            }
            Query::Stopped => Answer::Stopped(Vec::new()),
            _ => Answer::LedgerGroups(Vec::new()),
        })
    }

    async fn watch(&self) -> Result<skydeck::engine::api::Watch, skydeck::engine::api::LinkError> {
        let notices = self.notices.lock().unwrap().take().unwrap();
        Ok(skydeck::engine::api::Watch { live: state(&[opened(1, "p"), found(1, &[1, 2, 3]), audited(1, 1)]), notices })
    }
}

fn audited(run: u64, fid: u64) -> Event {
    settled(run, fid, Slot::Waiting, store_kit::audited())
}

fn state(events: &[Event]) -> Live {
    let mut live = Live::default();
    for (i, event) in events.iter().enumerate() {
        live.apply(&Fact { seq: Seq(i as u64 + 1), at: Ts(0), event: event.clone() });
    }
    live
}

#[test]
fn figures_count_what_happened_while_their_reader_was_behind() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("skydeck.prom");
    let gone = state(&[opened(2, "q"), found(2, &[7]), settled(2, 7, Slot::Waiting, failed("stock")), closed(2)]);
    let now = state(&[opened(1, "p"), found(1, &[1, 2, 3]), audited(1, 1), audited(1, 2), audited(1, 3), closed(1)]);
    let (send, notices) = tokio::sync::mpsc::channel(4);
    let ended = vec![gone.runs[&run_id(2)].row.clone()];
    let link = Arc::new(Behind { notices: Mutex::new(Some(notices)), ended });
    let metrics = skydeck::host::metrics::Metrics { listen: None, textfile: Some(file.clone()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    let (_stay, end) = tokio::sync::watch::channel(false);
    let reader = runtime.spawn(metrics.run(link, end));
    send.blocking_send(skydeck::engine::api::Notice::Resync(Box::new(now))).unwrap();
    let page = || std::fs::read_to_string(&file).unwrap_or_default();
    until("the figures", || page().contains("skydeck_runs_total"));
    drop(send);
    runtime.block_on(reader).unwrap();
    for line in [
        r#"skydeck_bills_total{env="demo",plan="p",outcome="audited"} 2"#,
        r#"skydeck_bills_total{env="demo",plan="q",outcome="failed"} 1"#,
        r#"skydeck_runs_total{env="demo",plan="p",end="completed"} 1"#,
        r#"skydeck_runs_total{env="demo",plan="q",end="completed"} 1"#,
    ] {
        assert!(page().contains(line), "{line}: {}", page());
    }
}
