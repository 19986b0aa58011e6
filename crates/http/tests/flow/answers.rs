//! What an API page promises and an answer does not hold: records that are not named, keys that are missing, paths that match
//! nothing or several, looks that show several. An outcome is one of five words, and never a guess.

use std::time::Duration;

use serde_json::{Value, json};
use skydeck_core::domain::bill::{Outcome, UnknownWhy};
use skydeck_sim::RequestParts;

use super::bench::{Bench, Settings};

fn system(json: &str) -> Settings {
    Settings { json: format!("auth = \"none\"\n{json}"), ..Settings::default() }
}

/// Looks are read by tests of their own, so that those of calls can be spoilt alone.
fn own_look(plan: &mut Value) {
    plan["skydeck"]["look"]["ok"] = json!([["code", "eq", "0"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_that_names_no_record_is_what_a_look_shows() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 9] = [
        ("echo = \"nothing\"\n", |_| {}),
        ("echo = \"id\"\n", |_| {}),
        ("echo = \"whole\"\n", |_| {}),
        ("numbers_as_text = true\n", |_| {}),
        ("", |plan| plan["skydeck"]["answer"]["rows"] = json!("$.no_such")),
        ("", |plan| plan["skydeck"]["answer"]["rows"] = json!("$..*")),
        ("", |plan| plan["skydeck"]["answer"]["key"] = json!("no_such")),
        ("", |plan| plan["skydeck"]["answer"]["id"] = json!("no_such")),
        ("echo = \"whole\"\n", |plan| plan["skydeck"]["answer"]["key"] = json!("$.lines[*].sku")),
    ];
    for (json, change) in cases {
        let bench = Bench::start(system(json), change).await;
        let end = bench.run().await;
        bench.agrees(&end);
        assert_eq!((end.done, end.unknown, bench.made().len(), bench.calls()), (8, 0, 8, 8), "{json}: {end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_success_that_finds_nothing_or_several_is_neither_success_nor_refusal() {
    for path in ["no_such", "$..code", "$.data", "$.data[*]"] {
        let bench = Bench::start(system(""), |plan| {
            own_look(plan);
            plan["skydeck"]["ok"] = json!([[path, "eq", "0"]]);
        })
        .await;
        // What the system refuses is refused all the same, as far as can be read.
        let end = bench.run().await;
        bench.agrees(&end);
        assert_eq!((end.done, end.failed, bench.made().len()), (8, 0, 8), "{path}: {end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_whose_paths_match_nothing_or_several_stops_the_run_before_a_call() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 5] = [
        (|plan| plan["skydeck"]["look"]["rows"] = json!("$.data.orders"), "no list of records at $.data.orders"),
        (|plan| plan["skydeck"]["look"]["rows"] = json!("$..no_such"), "no list of records"),
        (|plan| plan["skydeck"]["look"]["key"] = json!("no_such"), "nothing, or several"),
        (|plan| plan["skydeck"]["look"]["key"] = json!("$.lines[*].sku"), "nothing, or several"),
        (|plan| plan["skydeck"]["look"]["ok"] = json!([["no_such", "eq", "0"]]), "nothing, or several"),
    ];
    for (change, words) in cases {
        let bench = Bench::start(system(""), change).await;
        let end = bench.run().await;
        assert!(end.how.contains(words) && end.done == 0, "{words}: {end:?}");
        assert_eq!((bench.calls(), bench.made().len()), (0, 0), "{words}: {end:?}");
    }
}

/// Somebody makes an order there.
fn by_hand(bench: &Bench, key: &str) {
    let body = json!({"so_id": key, "customer": "C0001"}).to_string().into();
    let request = RequestParts { method: "POST".into(), path: "/api/orders".into(), headers: vec![], body };
    let said: Value = serde_json::from_slice(&bench.wms.ask(request).body).unwrap();
    assert_eq!(said["code"], 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_finds_several_records_is_for_a_person_and_one_is_there_already() {
    let accepts = "[collection.orders]\nduplicates = \"accept\"\n";
    for source in [true, false] {
        let bench = Bench::start(system(accepts), |plan| {
            if source {
                plan["skydeck"]["key"] = json!({"source": "so_id"});
            }
        })
        .await;
        let records = bench.records();
        let [twice, once] = [&records[0], &records[1]];
        by_hand(&bench, twice);
        by_hand(&bench, twice);
        by_hand(&bench, once);
        let before = bench.calls();
        let end = bench.run().await;
        assert_eq!((end.done, end.already, end.unknown), (6, 1, 1), "{end:?}");
        let Some(Outcome::Unknown(unknown)) = end.outcomes.get(twice) else { panic!("{end:?}") };
        assert_eq!(unknown.why, UnknownWhy::Many);
        assert_eq!(bench.calls() - before, 6, "nothing is sent for either");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_and_is_shown_only_later_is_neither_sent_again_nor_told_as_failed() {
    // Found within what the plan says: whatever is lost or refused meanwhile is told as it is.
    for key in ["number", "source"] {
        for faults in [
            "[[fault]]\nkind = \"reset\"\nwhen = \"after\"\non = [\"create\"]\nfirst = 1\n",
            "[[fault]]\nkind = \"error\"\ncode = 50000\ntext = \"系统繁忙\"\nwhen = \"after\"\non = [\"create\"]\nfirst = 1\n",
        ] {
            let accepts = if key == "source" { "[collection.orders]\nduplicates = \"accept\"\n" } else { "" };
            let bench = Bench::start(system(&format!("visible_ms = 1500\n{accepts}")), |plan| {
                plan["skydeck"]["look"]["lag"] = json!("2s");
                if key == "source" {
                    plan["skydeck"]["key"] = json!({"source": "so_id"});
                }
            })
            .await;
            bench.faults(faults);
            let end = bench.run().await;
            tokio::time::sleep(Duration::from_millis(2000)).await;
            bench.agrees(&end);
            assert_eq!((end.failed, bench.made().len(), bench.calls()), (0, 8, 8), "{key} {faults}: {end:?}");
            assert_eq!((end.done + end.already, end.unknown), (8, 0), "{key} {faults}: {end:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_taken_a_moment_ago_and_is_shown_only_later_is_not_told_as_failed() {
    let bench = Bench::start(system("visible_ms = 4000\n"), |plan| {
        plan["skydeck"]["look"]["lag"] = json!("4s");
    })
    .await;
    let records = bench.records();
    by_hand(&bench, &records[0]);
    let end = bench.run().await;
    // It was there when it was called, and the system said so: it is there already.
    assert_eq!((end.done, end.already, end.failed, end.unknown), (7, 1, 0, 0), "{end:?}");
    assert!(matches!(end.outcomes.get(&records[0]), Some(Outcome::Already { .. })), "{end:?}");
}
