//! What goes wrong on purpose, in the words of a JSON system.

use serde_json::json;
use skydeck_sim::Transport;
use skydeck_sim::faults::{Kind, Rule, When};
use skydeck_sim::json::preset;

use crate::bench::{Bench, json_of, keys, order};

fn struck(kind: Kind, when: When) -> (Bench, skydeck_sim::Reply) {
    let mut bench = Bench::plain();
    let rule = Rule { text: String::new(), ..Rule::new(kind, when).on(&["create"]).times(1) };
    bench.fault(rule);
    let reply = bench.raw("POST", "/api/orders", &order("A-1").to_string());
    (bench, reply)
}

#[test]
fn what_is_lost_after_it_was_done_is_done_and_before_it_is_not() {
    for (when, made) in [(When::Before, 0), (When::After, 1)] {
        for kind in [
            Kind::Reset,
            Kind::Html,
            Kind::Empty,
            Kind::Garbage,
            Kind::Redirect,
            Kind::Limit,
            Kind::Error,
            Kind::Gateway,
        ] {
            let (bench, reply) = struck(kind, when);
            assert_eq!(bench.made("A-1"), made, "{kind:?} {when:?}");
            assert!(kind != Kind::Reset || reply.transport == Transport::Reset);
        }
    }
}

#[test]
fn each_spoilt_answer_looks_as_it_should() {
    assert_eq!(json_of(&struck(Kind::Error, When::Before).1)["code"], 50_000);
    assert_eq!(json_of(&struck(Kind::Limit, When::Before).1)["code"], 42_900);
    assert_eq!(json_of(&struck(Kind::SessionLost, When::Before).1)["code"], 40_100);
    assert_eq!(struck(Kind::Gateway, When::Before).1.status, 502);
    assert_eq!(struck(Kind::Redirect, When::Before).1.header("location"), Some("/login"));
    assert!(serde_json::from_slice::<serde_json::Value>(&struck(Kind::Garbage, When::After).1.body).is_err());
    let bytes = struck(Kind::NotUtf8, When::After).1.body;
    assert!(std::str::from_utf8(&bytes).is_err());
    assert!(struck(Kind::Huge, When::After).1.body.len() > 1 << 20);
}

#[test]
fn an_answer_may_name_another_record_than_the_one_that_was_made() {
    let (bench, reply) = struck(Kind::OtherBill, When::After);
    assert_eq!(json_of(&reply)["data"], json!({"id": 99_999_999, "so_id": "OTHER-999999"}));
    assert_eq!(bench.made("A-1"), 1);
    let (bench, reply) = struck(Kind::OtherNumber, When::After);
    assert_eq!(json_of(&reply)["data"]["so_id"], "A-1-1");
    assert_eq!(bench.made("A-1"), 1);
}

#[test]
fn an_ok_answer_may_tell_of_what_was_never_done() {
    let (mut bench, reply) = struck(Kind::Hollow, When::Before);
    assert_eq!(json_of(&reply)["code"], 0);
    assert_eq!(json_of(&reply)["data"]["so_id"], "A-1");
    assert_eq!(bench.made("A-1"), 0);
    assert!(keys(&bench.get("/api/orders?so_id=A-1")).is_empty());
    let (bench, reply) = struck(Kind::Partial, When::Before);
    assert_eq!((&json_of(&reply)["code"], &json_of(&reply)["data"]), (&json!(0), &json!(null)));
    assert_eq!(bench.made("A-1"), 0);
}

#[test]
fn somebody_else_takes_back_what_was_done() {
    let (mut bench, reply) = struck(Kind::Unaudit, When::After);
    assert_eq!(json_of(&reply)["code"], 0);
    assert_eq!(bench.made("A-1"), 1, "it was made all the same");
    assert_eq!(bench.get("/api/orders/A-1")["code"], 40_400);
    let mut bench = Bench::plain();
    bench.fault(Rule::new(Kind::Unaudit, When::After).on(&["close"]));
    bench.post("/api/orders/SO00000001/close", &json!({}));
    assert_eq!(bench.world.status_of("orders", "SO00000001").unwrap(), "open");
}

#[test]
fn a_lock_and_somebody_elses_change_are_refused_in_words() {
    let mut bench = Bench::plain();
    bench.fault(Rule { seconds: 2, ..Rule::new(Kind::Lock, When::Before).on(&["close"]).times(1) });
    assert_eq!(bench.post("/api/orders/SO00000001/close", &json!({}))["code"], 40_901);
    bench.later(2_000);
    assert_eq!(bench.post("/api/orders/SO00000001/close", &json!({}))["code"], 0);
    assert_eq!(json_of(&struck(Kind::Stale, When::Before).1)["code"], 40_902);
}

#[test]
fn the_clock_of_the_system_jumps_and_is_told_in_every_answer() {
    let mut bench = Bench::plain();
    assert_eq!(bench.raw("GET", "/api/orders", "").header("date"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    bench.fault(Rule::new(Kind::ClockSkew, When::Before).ms(3_600_000).times(1));
    bench.get("/api/orders");
    assert_eq!(bench.raw("GET", "/api/orders", "").header("date"), Some("Tue, 14 Nov 2023 23:13:20 GMT"));
}

#[test]
fn a_storm_makes_no_record_twice_of_a_key_that_is_refused_the_second_time() {
    for seed in 0..4 {
        let mut bench = Bench::plain();
        bench.fault(Rule { rate: 0.2, ..Rule::new(Kind::Late, When::Before).on(&["create"]).ms(1_500 + seed) });
        bench.world.add_faults(preset("storm").unwrap());
        for n in 0..200 {
            bench.later(500);
            let key = format!("A-{}", n % 50);
            bench.raw("POST", "/api/orders", &order(&key).to_string());
        }
        bench.later(60_000);
        let stats = {
            bench.get("/admin/stats");
            bench.world.stats()
        };
        let undone = bench.world.record().after(0, usize::MAX).iter().filter(|line| line.after == "-").count() as u32;
        assert!(stats.most_made <= 1 + undone, "seed {seed}: {stats:?}");
        assert!(!stats.faults.is_empty());
    }
}
