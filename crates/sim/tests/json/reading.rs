//! Lists by page, offset and cursor, windows, and reads that come late.

use serde_json::json;

use crate::bench::{Bench, keys, order};

/// Every key of a list, page by page.
fn walk(bench: &mut Bench, path: impl Fn(usize, &str) -> String) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    for page in 0..100 {
        let answer = bench.get(&path(page, &cursor));
        assert_eq!(answer["code"], 0, "{answer}");
        all.extend(keys(&answer));
        answer["data"]["next_cursor"].as_str().unwrap_or_default().clone_into(&mut cursor);
        if answer["data"]["has_next"] == json!(false) {
            return all;
        }
    }
    panic!("no end");
}

fn sorted(mut keys: Vec<String>) -> Vec<String> {
    keys.sort();
    keys
}

#[test]
fn each_way_of_paging_reads_every_record_once_while_nothing_moves() {
    let mut bench = Bench::plain();
    let all: Vec<String> = (1..=60).map(|n| format!("SO{n:08}")).collect();
    let by_page = walk(&mut bench, |page, _| format!("/api/orders?page={}&page_size=7", page + 1));
    let by_offset = walk(&mut bench, |page, _| format!("/api/orders?offset={}&limit=7", page * 7));
    let by_cursor = walk(&mut bench, |_, cursor| format!("/api/orders?cursor={cursor}&limit=7"));
    assert_eq!(sorted(by_page.clone()), all);
    assert_eq!(by_offset, by_page);
    assert_eq!(by_cursor, all, "the oldest change first");
    assert_eq!(bench.get("/api/orders?page=1&page_size=5000")["data"]["list"].as_array().unwrap().len(), 60);
    let cut = Bench::with("most_page = 10").get("/api/orders?page=1&page_size=5000");
    assert_eq!(cut["data"]["list"].as_array().unwrap().len(), 10);
}

#[test]
fn pages_that_move_lose_and_double_records_and_a_cursor_loses_none() {
    let mut bench = Bench::with("touched_per_page = 5");
    let mut by_page = Vec::new();
    for page in 1..=9 {
        bench.later(1_000);
        by_page.extend(keys(&bench.get(&format!("/api/orders?page={page}&page_size=7"))));
    }
    let once = sorted(by_page.clone());
    let mut unique = once.clone();
    unique.dedup();
    assert!(unique.len() < once.len(), "a record comes twice when others move before it");

    let mut bench = Bench::with("touched_per_page = 1");
    let (mut seen, mut cursor) = (std::collections::BTreeSet::new(), String::new());
    for _ in 0..40 {
        bench.later(1_000);
        let page = bench.get(&format!("/api/orders?cursor={cursor}&limit=7"));
        seen.extend(keys(&page));
        match page["data"]["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen.len(), 60);
}

#[test]
fn a_window_takes_its_beginning_and_leaves_its_end() {
    let mut bench = Bench::plain();
    bench.post("/api/orders", &order("A-1"));
    // 2023-11-14 22:13:20 UTC is six in the morning of the next day in UTC+8.
    let at = "2023-11-15%2006:13:20";
    let from = bench.get(&format!("/api/orders?modified_from={at}"));
    assert_eq!(keys(&from), ["A-1"]);
    let to = bench.post(
        "/api/orders/query",
        &json!({"modified_from": "2023-11-15 06:13:00", "modified_to": "2023-11-15 06:13:20"}),
    );
    assert!(keys(&to).is_empty());
    assert_eq!(keys(&bench.get("/api/orders?modified_from=1700000000")), ["A-1"]);
    assert_eq!(bench.get("/api/orders?modified_from=yesterday")["code"], 42_200);
    assert_eq!(bench.get("/api/orders?page=0")["code"], 42_200);
    assert_eq!(bench.get("/api/orders?cursor=made-up")["code"], 42_200);
}

#[test]
fn records_are_looked_up_by_one_key_by_many_and_by_any_field() {
    let mut bench = Bench::plain();
    bench.post("/api/orders", &order("A-1"));
    let many = bench.post("/api/orders/query", &json!({"so_ids": ["A-1", "SO00000003", "NOBODY"]}));
    assert_eq!(sorted(keys(&many)), ["A-1", "SO00000003"]);
    assert_eq!(keys(&bench.get("/api/orders?so_ids=A-1,NOBODY")), ["A-1"]);
    bench.post("/admin/bill", &json!({"number": "A-1", "set": {"shop": "别处"}}));
    assert_eq!(keys(&bench.post("/api/orders/query", &json!({"shop": "别处"}))), ["A-1"]);
    bench.post("/api/orders/A-1/close", &json!({}));
    assert_eq!(keys(&bench.get("/api/orders?status=closed")), ["A-1"]);
}

#[test]
fn what_was_written_shows_up_later() {
    let mut bench = Bench::with("visible_ms = 5000");
    bench.post("/api/orders", &order("A-1"));
    assert!(keys(&bench.get("/api/orders?so_id=A-1")).is_empty());
    assert_eq!(bench.get("/api/orders/A-1")["code"], 40_400);
    assert_eq!(bench.post("/api/orders", &order("A-1"))["code"], 40_900, "it is there, though it is not seen");
    bench.later(5_000);
    assert_eq!(keys(&bench.get("/api/orders?so_id=A-1")), ["A-1"]);
    bench.post("/api/orders/A-1/close", &json!({}));
    assert_eq!(bench.get("/api/orders/A-1")["data"]["status"], "open");
    bench.later(5_000);
    assert_eq!(bench.get("/api/orders/A-1")["data"]["status"], "closed");
}

#[test]
fn a_cursor_that_was_kept_too_long_is_refused() {
    let mut bench = Bench::with("cursor_seconds = 10");
    let next = bench.get("/api/orders?cursor=&limit=7")["data"]["next_cursor"].as_str().unwrap().to_owned();
    bench.later(10_000);
    assert_eq!(bench.get(&format!("/api/orders?cursor={next}&limit=7"))["code"], 0);
    bench.later(1_000);
    assert_eq!(bench.get(&format!("/api/orders?cursor={next}&limit=7"))["code"], 41_000);
}

#[test]
fn a_read_without_pages_in_mind_changes_nothing() {
    let mut bench = Bench::plain();
    bench.get("/api/orders");
    bench.get("/api/orders/SO00000001");
    assert!(bench.world.record().is_empty());
}
