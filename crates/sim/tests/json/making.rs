//! Records are made and moved on, and what a second call does.

use serde_json::{Value as Json, json};
use skydeck_sim::faults::{Kind, Rule, When};

use crate::bench::{Bench, json_of, order};

#[test]
fn an_order_is_made_once_and_its_key_refused_the_second_time() {
    let mut bench = Bench::plain();
    let made = bench.post("/api/orders", &order("A-1"));
    assert_eq!((&made["code"], &made["data"]["so_id"]), (&json!(0), &json!("A-1")), "{made}");
    let again = bench.post("/api/orders", &order("A-1"));
    assert_eq!(again["code"], 40_900, "{again}");
    let counts = bench.world.key_counts("orders", "a-1");
    assert_eq!((counts.calls, counts.changed, counts.refused), (2, 1, 1));
    assert_eq!(bench.get("/api/orders/A-1")["data"]["status"], "open");
    assert_eq!(bench.get("/api/orders/nobody")["code"], 40_400);
}

#[test]
fn a_second_key_is_what_the_settings_make_of_it() {
    let mut two = Bench::with("[collection.orders]\nduplicates = \"accept\"");
    two.post("/api/orders", &order("A-1"));
    assert_eq!(two.post("/api/orders", &order("A-1"))["code"], 0);
    assert_eq!(two.made("A-1"), 2);
    assert_eq!(two.get("/api/orders?so_id=A-1")["data"]["total"], 2);
    assert_eq!(two.get("/admin/keys?doubles=1")["keys"][0]["made"], 2);
    assert_eq!(two.world.stats().most_made, 2);

    let mut same = Bench::with("[collection.orders]\nduplicates = \"same\"");
    let first = same.post("/api/orders", &order("A-1"));
    let second = same.post("/api/orders", &order("A-1"));
    assert_eq!(first["data"]["id"], second["data"]["id"]);
    assert_eq!(same.made("A-1"), 1);
}

#[test]
fn what_is_missing_or_unknown_is_refused_in_words() {
    let mut bench = Bench::plain();
    for (body, says) in [
        (json!({"customer": "C0001"}), "so_id"),
        (json!({"so_id": "A-1", "customer": "NOBODY"}), "NOBODY"),
        (json!("text"), "JSON 对象"),
        (json!([{"so_id": "A-1"}, 7]), "JSON 对象"),
    ] {
        let text = if body.is_string() { "[\"text\"]".to_owned() } else { body.to_string() };
        let no = json_of(&bench.raw("POST", "/api/orders", &text));
        assert_eq!(no["code"], 42_200, "{no}");
        assert!(no["msg"].as_str().unwrap().contains(says), "{no}");
    }
    let torn = json_of(&bench.raw("POST", "/api/orders", "{\"so_id\":"));
    assert_eq!(torn["code"], 42_200);
    assert_eq!(bench.world.record().len(), 2, "what was no record left no line");
}

#[test]
fn the_records_of_one_call_are_taken_one_by_one() {
    let mut bench = Bench::plain();
    bench.post("/api/orders", &order("A-1"));
    let mixed = bench.post("/api/orders", &json!({"records": [order("A-1"), order("A-2")]}));
    let list = mixed["data"]["list"].as_array().unwrap();
    assert_eq!((&list[0]["code"], &list[0]["so_id"]), (&json!(40_900), &json!("A-1")));
    assert_eq!((&list[1]["code"], &list[1]["so_id"], &list[1]["index"]), (&json!(0), &json!("A-2"), &json!(1)));
    let many: Vec<Json> = (0..201).map(|n| order(&format!("B-{n}"))).collect();
    assert_eq!(bench.post("/api/orders", &json!(many))["code"], 42_200);
}

#[test]
fn a_token_makes_a_repeated_call_one_as_long_as_it_is_kept() {
    let mut bench = Bench::with("[collection.orders]\nduplicates = \"accept\"\n[repeat]\nkeeps_seconds = 60");
    let first = bench.post_as("t-1", "/api/orders", &order("A-1"));
    bench.later(59_000);
    assert_eq!(bench.post_as("t-1", "/api/orders", &order("A-1")), first);
    assert_eq!(bench.made("A-1"), 1);
    assert_eq!(bench.world.stats().replayed, 1);
    let other = bench.post_as("t-1", "/api/orders", &order("A-2"));
    assert_eq!(other["code"], 42_201, "a token is good for one body");
    bench.later(2_000);
    assert_eq!(bench.post_as("t-1", "/api/orders", &order("A-1"))["code"], 0);
    assert_eq!(bench.made("A-1"), 2, "past its time it is a call like any other");
}

#[test]
fn a_refusal_is_not_remembered_under_a_token() {
    let mut bench = Bench::plain();
    let unknown = json!({"so_id": "A-1", "customer": "NEW"});
    assert_eq!(bench.post_as("t-1", "/api/orders", &unknown)["code"], 42_200);
    bench.post("/api/customers", &json!({"code": "NEW", "name": "新客户"}));
    assert_eq!(bench.post_as("t-1", "/api/orders", &unknown)["code"], 0);
}

#[test]
fn a_form_goes_from_draft_to_approved_and_no_step_twice() {
    let mut bench = Bench::plain();
    let form = json!({"form_no": "OA-1", "applicant": "张伟", "amount": "10.00"});
    assert_eq!(bench.post("/api/forms", &form)["code"], 0);
    assert_eq!(bench.post("/api/forms/OA-1/approve", &json!({}))["code"], 40_911);
    assert_eq!(bench.post("/api/forms/OA-1/submit", &json!({}))["data"]["status"], "submitted");
    assert_eq!(bench.post("/api/forms/OA-1/approve", &json!({}))["data"]["status"], "approved");
    assert_eq!(bench.post("/api/forms/OA-1/approve", &json!({}))["code"], 40_910);
    let counts = bench.get("/admin/counts?form=forms&number=OA-1&verb=approve");
    let counts = &counts["counts"][0];
    assert_eq!((&counts["calls"], &counts["changed"], &counts["refused"]), (&json!(3), &json!(1), &json!(2)));
    let lines = bench.get("/admin/record?all=1");
    let line = &lines["lines"][1];
    assert_eq!((&line["verb"], &line["before"], &line["applied"]), (&json!("approve"), &json!("draft"), &json!(false)));
}

#[test]
fn an_answer_tells_as_much_as_the_settings_say() {
    for (echo, data) in
        [("nothing", json!(null)), ("id", json!({"id": 100_061})), ("key", json!({"id": 100_061, "so_id": "A-1"}))]
    {
        let mut bench = Bench::with(&format!("echo = \"{echo}\""));
        assert_eq!(bench.post("/api/orders", &order("A-1"))["data"], data);
    }
    let mut texts = Bench::with("numbers_as_text = true\nanswers = \"status\"");
    let made = texts.post("/api/orders", &order("A-1"));
    assert_eq!((&made["code"], &made["data"]["id"]), (&json!("0"), &json!("100061")));
    let no = texts.raw("POST", "/api/orders", &order("A-1").to_string());
    assert_eq!(no.status, 409);
}

#[test]
fn a_collection_of_ones_own_has_its_own_key() {
    let mut bench = Bench::with("[collection.tickets]\nkey = \"no\"\nrequired = [\"no\", \"title\"]");
    assert_eq!(bench.post("/api/tickets", &json!({"no": 7}))["code"], 42_200);
    assert_eq!(bench.post("/api/tickets", &json!({"no": 7, "title": "坏了"}))["data"]["no"], 7);
    assert_eq!(bench.get("/api/tickets/7")["data"]["title"], "坏了");
    assert_eq!(bench.post("/api/tickets", &json!({"no": "7", "title": "又坏了"}))["code"], 40_900);
    assert_eq!(bench.raw("GET", "/api/nothing", "").status, 404);
}

#[test]
fn a_call_that_came_late_is_carried_out_once_all_the_same() {
    let mut bench = Bench::plain();
    bench.fault(Rule::new(Kind::Late, When::Before).on(&["create"]).first(1).ms(3_000));
    let reply = bench.raw("POST", "/api/orders", &order("A-1").to_string());
    assert_eq!(reply.transport, skydeck_sim::Transport::Reset);
    assert_eq!(bench.made("A-1"), 0);
    assert_eq!(bench.world.next_due(), Some(bench.now_ms + 3_000));
    bench.later(3_000);
    assert_eq!(bench.get("/api/orders/A-1")["code"], 0);
    assert_eq!(bench.post("/api/orders", &order("A-1"))["code"], 40_900);
    assert_eq!(bench.made("A-1"), 1);
}
