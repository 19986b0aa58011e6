//! The JSON system over a socket, and again from its record file.

use serde_json::{Value as Json, json};
use skydeck_sim::json::settings::JsonSettings;
use skydeck_sim::json::{JsonConfig, JsonWorld};
use skydeck_sim::{SimConfig, SimHandle, start_as};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::order;

async fn serve(record: Option<std::path::PathBuf>) -> SimHandle<JsonWorld> {
    let settings = JsonSettings::from_toml("auth = \"none\"").unwrap();
    let world = JsonConfig { orders: 30, settings, ..JsonConfig::default() };
    start_as(SimConfig { bind: ([127, 0, 0, 1], 0).into(), world, record }).await.unwrap()
}

async fn call(sim: &SimHandle<JsonWorld>, method: &str, path: &str, body: &str) -> (String, Json) {
    let mut socket = TcpStream::connect(sim.addr()).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: sim.invalid\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap_or(Json::Null))
}

#[tokio::test]
async fn an_order_and_a_form_and_a_customer_are_made_over_a_socket() {
    let sim = serve(None).await;
    assert!(sim.url().ends_with("/api/"), "{}", sim.url());
    let (head, made) = call(&sim, "POST", "/api/orders", &order("A-1").to_string()).await;
    assert!(
        head.starts_with("HTTP/1.1 200") && head.to_lowercase().contains("content-type: application/json"),
        "{head}"
    );
    assert_eq!(head.to_lowercase().matches("\r\ndate:").count(), 1, "{head}");
    assert_eq!(made["data"]["so_id"], "A-1");
    let form = json!({"form_no": "OA-1", "applicant": "王芳"}).to_string();
    assert_eq!(call(&sim, "POST", "/api/forms", &form).await.1["code"], 0);
    assert_eq!(call(&sim, "POST", "/api/forms/OA-1/submit", "").await.1["code"], 0);
    let customer = json!({"code": "K-1", "name": "新客户"}).to_string();
    assert_eq!(call(&sim, "POST", "/api/customers", &customer).await.1["code"], 0);
    assert_eq!(call(&sim, "GET", "/api/nowhere/at/all", "").await.0.split(' ').nth(1), Some("404"));
    assert_eq!(call(&sim, "DELETE", "/api/orders/A-1", "").await.0.split(' ').nth(1), Some("404"));
    assert_eq!(sim.stats().most_made, 1);
    sim.shutdown().await;
}

#[tokio::test]
async fn a_system_started_again_on_its_record_stands_where_it_stood() {
    let dir = std::env::temp_dir().join(format!("skydeck-sim-json-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("record.jsonl");
    let sim = serve(Some(file.clone())).await;
    call(&sim, "POST", "/api/orders", &order("A-1").to_string()).await;
    call(&sim, "POST", "/api/orders", &order("A-1").to_string()).await;
    call(&sim, "POST", "/api/orders/A-1/close", "").await;
    call(&sim, "POST", "/admin/bill", r#"{"number": "SO00000002", "delete": true}"#).await;
    let before = sim.stats();
    sim.shutdown().await;
    // A kill in the middle of a line.
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("{\"seq\":9,\"verb\":");
    std::fs::write(&file, text).unwrap();

    let sim = serve(Some(file.clone())).await;
    let after = sim.stats();
    assert_eq!((&after.records, &after.applied, &after.refused), (&before.records, &before.applied, &before.refused));
    assert_eq!((after.most_made, after.record), (1, 4));
    let (_, order) = call(&sim, "GET", "/api/orders/A-1", "").await;
    assert_eq!(order["data"]["status"], "closed");
    assert_eq!(order["data"]["lines"][0]["qty"], 2);
    sim.shutdown().await;
    let other = SimConfig {
        bind: ([127, 0, 0, 1], 0).into(),
        world: JsonConfig { orders: 31, ..JsonConfig::default() },
        record: Some(file),
    };
    assert!(start_as::<JsonWorld>(other).await.is_err());
    std::fs::remove_dir_all(dir).unwrap();
}
