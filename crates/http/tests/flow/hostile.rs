//! Answers that no honest system gives, on calls and on looks.

use serde_json::{Value, json};
use skydeck_sim::RequestParts;

use super::bench::{Bench, Settings};

/// Faults that spoil the answer of a call or of a look.
const SPOILT: [&str; 14] = [
    "reset",
    "truncate",
    "no_length",
    "twice",
    "html",
    "empty",
    "garbage",
    "not_utf8",
    "redirect",
    "huge",
    "partial",
    "other_bill",
    "stale_answer",
    "other_number",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_makes_a_record_that_is_not_there_done_or_one_twice() {
    for (when, on) in [("after", "create"), ("before", "create"), ("after", "list")] {
        for kind in SPOILT {
            let bench = Bench::start(Settings::default(), |_| {}).await;
            let mb = if kind == "huge" { "mb = 8\n" } else { "" };
            bench.faults(&format!(
                "[[fault]]\nkind = \"{kind}\"\nwhen = \"{when}\"\non = [\"{on}\"]\nskip = 2\ntimes = 3\n{mb}"
            ));
            let end = bench.run().await;
            bench.agrees(&end);
            assert!(!end.how.is_empty(), "{kind} {when} {on}: {end:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_often_is_heard_with_and_without_a_time() {
    for seconds in ["seconds = 1\n", ""] {
        let bench = Bench::start(Settings::default(), |_| {}).await;
        let text = "[[fault]]\nkind = \"status\"\nstatus = 429\non = [\"create\"]\nskip = 1\ntimes = 1\n";
        bench.faults(&format!("{text}{seconds}"));
        let end = bench.run().await;
        bench.agrees(&end);
        assert_eq!((end.done, bench.made().len()), (8, 8), "{end:?}");
    }
}

/// Every bill of the ERP has its record there already: somebody made them by hand.
fn made_by_hand(bench: &Bench) {
    for n in 1..=40 {
        let body = json!({"so_id": format!("XSCKD{n:06}"), "customer": "C0001"}).to_string().into();
        let request = RequestParts { method: "POST".into(), path: "/api/orders".into(), headers: vec![], body };
        let said: Value = serde_json::from_slice(&bench.wms.ask(request).body).unwrap();
        assert_eq!(said["code"], 0, "{said}");
    }
}

/// Looks that list all records, page by page.
fn by_pages(size: u32) -> impl Fn(&mut Value) {
    move |plan| {
        plan["skydeck"]["key"] = json!({"source": "so_id"});
        plan["skydeck"]["look"]["query"] = json!({"page": "{{page}}", "page_size": size.to_string()});
        plan["skydeck"]["look"]["pages"] = json!({"first": 1, "size": size, "most": 40});
        // The newest, which the first page shows.
        plan["skydeck"]["probe"] = json!("XSCKD000040");
    }
}

fn listing(json: &str) -> Settings {
    let json = format!("auth = \"none\"\n{json}\n[collection.orders]\nduplicates = \"accept\"\n");
    Settings { json, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_slips_over_the_edge_of_a_page_is_not_sent_again() {
    // Nothing moves: all are found, whatever the last page holds.
    for size in [7, 10, 100] {
        let bench = Bench::start(listing(""), by_pages(size)).await;
        made_by_hand(&bench);
        let end = bench.run().await;
        bench.agrees(&end);
        assert_eq!((end.already, end.done), (8, 0), "{size}: {end:?}");
    }
    // Somebody touches records after each page, and they stand in front then: no list is the same twice, and nothing is sent.
    let bench = Bench::start(listing("touched_per_page = 3"), by_pages(7)).await;
    made_by_hand(&bench);
    let end = bench.run().await;
    bench.agrees(&end);
    assert_eq!((end.done, bench.calls()), (0, 40), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_cut_without_a_word_is_not_the_last() {
    let bench = Bench::start(listing("most_page = 10"), by_pages(50)).await;
    made_by_hand(&bench);
    let end = bench.run().await;
    bench.agrees(&end);
    assert_eq!((end.already, end.done), (8, 0), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_may_ask_for_a_key_and_read_pages_and_names_each_record_of_a_list_by_a_path() {
    let bench = Bench::start(listing(""), |plan| {
        by_pages(3)(plan);
        plan["skydeck"]["look"]["query"]["so_ids"] = json!("{{key}}");
        plan["skydeck"]["look"]["rows"] = json!("$.data.list[*]");
        plan["skydeck"]["probe"] = json!("SO00000001");
    })
    .await;
    let end = bench.run().await;
    bench.agrees(&end);
    assert_eq!((end.done, bench.made().len()), (8, 8), "{end:?}");
    let again = bench.run().await;
    assert_eq!((again.done, bench.made().len()), (0, 8), "{again:?}");
}
