//! Tokens that end, signatures, limits.

use serde_json::{Value as Json, json};

use crate::bench::{Bench, START, json_of, order};

fn token(bench: &mut Bench) -> Json {
    bench.post("/api/token", &json!({"app_key": "demo-app", "app_secret": "not-a-real-secret"}))["data"].clone()
}

fn carry(bench: &mut Bench, token: &Json) {
    bench.headers = vec![("Authorization".to_owned(), format!("Bearer {}", token.as_str().unwrap()))];
}

#[test]
fn a_token_ends_and_is_renewed_once() {
    let mut bench = Bench::with("auth = \"token\"\n[token]\nseconds = 60");
    assert_eq!(bench.get("/api/orders")["code"], 40_100);
    assert_eq!(bench.post("/api/token", &json!({"app_key": "demo-app", "app_secret": "wrong"}))["code"], 40_107);
    let given = token(&mut bench);
    assert_eq!(given["expires_in"], 60);
    carry(&mut bench, &given["access_token"]);
    assert_eq!(bench.get("/api/orders")["code"], 0);
    bench.later(60_000);
    assert_eq!(bench.get("/api/orders")["code"], 40_101);
    let renewing = json!({"refresh_token": given["refresh_token"]});
    let renewed = bench.post("/api/token/refresh", &renewing);
    assert_eq!(renewed["code"], 0);
    assert_eq!(bench.post("/api/token/refresh", &renewing)["code"], 40_102);
    carry(&mut bench, &renewed["data"]["access_token"]);
    assert_eq!(bench.get("/api/orders")["code"], 0);
    let stats = bench.world.stats();
    assert_eq!((stats.tokens_given, stats.tokens_renewed, stats.tokens), (1, 1, 1));
}

#[test]
fn a_token_is_taken_from_each_place() {
    let mut bench = Bench::with("auth = \"token\"");
    let given = token(&mut bench);
    let text = given["access_token"].as_str().unwrap();
    assert_eq!(bench.get(&format!("/api/orders?access_token={text}"))["code"], 0);
    bench.headers = vec![("X-Access-Token".to_owned(), text.to_owned())];
    assert_eq!(bench.get("/api/orders")["code"], 0);
    bench.headers.clear();
    let form = format!("access_token={text}&biz=%7B%22so_id%22%3A%22A-1%22%2C%22customer%22%3A%22C0001%22%7D");
    assert_eq!(json_of(&bench.raw("POST", "/api/orders", &form))["data"]["so_id"], "A-1");
}

#[test]
fn one_token_at_a_time_means_that_a_new_one_ends_the_old() {
    let mut bench = Bench::with("auth = \"token\"\n[token]\none = true");
    let first = token(&mut bench);
    let second = token(&mut bench);
    carry(&mut bench, &first["access_token"]);
    assert_eq!(bench.get("/api/orders")["code"], 40_100);
    carry(&mut bench, &second["access_token"]);
    assert_eq!(bench.get("/api/orders")["code"], 0);
    bench.post("/admin/sessions", &json!({}));
    assert_eq!(bench.get("/api/orders")["code"], 40_100);
}

/// `printf '%s' …| md5sum` of the texts in the comments, in upper case for the first.
#[test]
fn a_signed_call_is_let_in_and_one_with_another_body_is_not() {
    let mut bench = Bench::with("auth = \"signed\"");
    // not-a-real-secret app_key demo-app method order.create timestamp 2023-11-15 06:13:20 {"so_id":"A-1","customer":"C0001"} not-a-real-secret
    let path = "/api/orders?app_key=demo-app&method=order.create&timestamp=2023-11-15+06%3A13%3A20&sign=F53A662C758BDAAA203620E90497B3E2";
    let body = r#"{"so_id":"A-1","customer":"C0001"}"#;
    assert_eq!(json_of(&bench.raw("POST", path, body))["code"], 0);
    let other = r#"{"so_id":"A-2","customer":"C0001"}"#;
    assert_eq!(json_of(&bench.raw("POST", path, other))["code"], 40_104);
    assert_eq!(bench.get("/api/orders")["code"], 40_104);
    bench.later(600_000);
    assert_eq!(json_of(&bench.raw("POST", path, body))["code"], 40_900, "at the edge of the allowed time");
    bench.later(1);
    assert_eq!(json_of(&bench.raw("POST", path, body))["code"], 40_106);
    bench.post("/admin/clock", &json!({"skew_ms": -600_001}));
    assert_eq!(json_of(&bench.raw("POST", path, body))["code"], 40_900);
}

#[test]
fn a_nonce_is_good_once() {
    let mut bench = Bench::with("auth = \"signed\"\n[sign]\nstyle = \"header_sha256\"");
    bench.headers = [
        ("X-App-Key", "demo-app"),
        ("X-Timestamp", &START.to_string()),
        ("X-Nonce", "n-1"),
        ("X-Signature", "ef9e1f8566ad1d9f573f58196dfe138ee3fae1d7f921cdd0ee40f2a05917243a"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    assert_eq!(bench.get("/api/orders?page=1")["code"], 0);
    assert_eq!(bench.get("/api/orders?page=1")["code"], 40_105);
}

#[test]
fn basic_authentication_asks_for_user_and_password() {
    let mut bench = Bench::with("auth = \"basic\"");
    assert_eq!(bench.get("/api/orders")["code"], 40_103);
    // demo:not-a-real-password
    bench.headers = vec![("Authorization".to_owned(), "Basic ZGVtbzpub3QtYS1yZWFsLXBhc3N3b3Jk".to_owned())];
    assert_eq!(bench.get("/api/orders")["code"], 0);
}

#[test]
fn too_many_calls_a_second_are_429_with_or_without_a_time_to_wait() {
    for (line, wait) in [("retry_after = true", Some("1")), ("retry_after = false", None)] {
        let mut bench = Bench::with(&format!("calls_per_second = 2\n{line}"));
        bench.get("/api/orders");
        bench.get("/api/orders");
        let third = bench.raw("POST", "/api/orders", &order("A-1").to_string());
        assert_eq!((third.status, third.header("retry-after")), (429, wait));
        assert_eq!(bench.made("A-1"), 0);
        bench.later(1_000);
        assert_eq!(bench.get("/api/orders")["code"], 0);
    }
}
