//! Records of Kingdee's that are sent to a JSON system, by the real engine, over the network, against the simulator's two
//! systems; the JSON one counts what was made.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod bench;
mod hostile;
mod listing;
mod signing;

use std::time::Duration;

use bench::{Bench, Settings};
use serde_json::{Value, json};
use skydeck_core::domain::bill::{Outcome, UnknownWhy};

const ACCEPTS: &str = "auth = \"none\"\n[collection.orders]\nduplicates = \"accept\"\n";

fn accepting() -> Settings {
    Settings { json: ACCEPTS.into(), ..Settings::default() }
}

fn source_key(plan: &mut Value) {
    plan["skydeck"]["key"] = json!({"source": "so_id"});
}

fn token(keeps: &str) -> impl Fn(&mut Value) {
    move |plan| {
        source_key(plan);
        plan["skydeck"]["token"] = json!({"header": "Idempotency-Key", "keeps": keeps});
    }
}

/// The first answer about each record is lost, before or after the call was carried out.
fn lost(when: &str) -> String {
    format!("[[fault]]\nkind = \"reset\"\nwhen = \"{when}\"\non = [\"create\"]\nfirst = 1\n")
}

fn whys(end: &bench::End) -> Vec<UnknownWhy> {
    let why = |outcome: &Outcome| match outcome {
        Outcome::Unknown(unknown) => Some(unknown.why.clone()),
        Outcome::Done { .. } | Outcome::Already { .. } | Outcome::Skipped(_) | Outcome::Failed(_) => None,
    };
    end.outcomes.values().filter_map(why).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_sent_once_with_their_lines_and_never_again() {
    let bench = Bench::start(Settings::default(), |_| {}).await;
    let end = bench.run().await;
    assert_eq!((end.found, end.done, end.how.as_str()), (8, 8, "Completed"), "{end:?}");
    bench.agrees(&end);
    assert_eq!(bench.made().len(), 8);
    // Found again by the query, nothing is left to do.
    let again = bench.run().await;
    assert_eq!((again.done, again.failed, again.unknown), (0, 0, 0), "{again:?}");
    assert_eq!(bench.calls(), 8, "nothing is sent a second time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_settled_by_a_look_whatever_the_key() {
    for change in [(|_: &mut Value| {}) as fn(&mut Value), source_key] {
        let bench = Bench::start(Settings::default(), change).await;
        bench.faults(&lost("after"));
        let end = bench.run().await;
        assert_eq!((end.done, end.unknown, end.how.as_str()), (8, 0, "Completed"), "{end:?}");
        bench.agrees(&end);
        assert_eq!(bench.calls(), 8, "what is there is not sent again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_no_trace_is_repeated_once_where_a_key_stands_once() {
    let bench = Bench::start(Settings::default(), |_| {}).await;
    bench.faults(&lost("before"));
    let end = bench.run().await;
    assert_eq!((end.done, end.unknown, end.how.as_str()), (8, 0, "Completed"), "{end:?}");
    bench.agrees(&end);
    assert_eq!(bench.calls(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_and_without_uniqueness_a_person_decides() {
    let bench = Bench::start(accepting(), source_key).await;
    bench.faults(&lost("before"));
    let end = bench.run().await;
    assert_eq!((end.done, end.unknown), (0, 8), "{end:?}");
    assert!(whys(&end).iter().all(|why| *why == UnknownWhy::Absent), "{end:?}");
    bench.agrees(&end);
    // Another run of the plan leaves them to the person.
    let again = bench.run().await;
    assert_eq!((again.done, bench.calls()), (0, 8), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_token_in_its_time_a_call_is_repeated_and_makes_nothing_twice() {
    // The first call of each is carried out after the limit, so that the look shows nothing and the repeat finds the token known.
    let late = "[[fault]]\nkind = \"late\"\nms = 6000\non = [\"create\"]\nfirst = 1\n";
    for faults in [lost("before"), lost("after"), late.to_owned()] {
        let bench = Bench::start(accepting(), token("24h")).await;
        bench.faults(&faults);
        let end = bench.run().await;
        // What is late is there once more than it was sent, or is answered as the first time.
        tokio::time::sleep(Duration::from_millis(6500)).await;
        bench.agrees(&end);
        assert_eq!((bench.made().len(), end.unknown + end.failed), (8, 0), "{faults} {end:?}");
    }
}

/// A token is of one body: under another one the system would not know the call that was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_changed_since_its_call_was_lost_is_not_sent_again_under_another_token() {
    let settings = Settings { settle: Duration::from_secs(3), ..accepting() };
    let bench = Bench::start(settings, token("24h")).await;
    bench.faults("[[fault]]\nkind = \"late\"\nms = 9000\non = [\"create\"]\nfirst = 1\n");
    let end = bench.run_cancelled().await;
    assert!(end.unknown > 0, "{end:?}");
    // Somebody changes every record meanwhile, so that other bodies are made of them.
    bench.change_records(&json!({"date": "2026-03-07"}));
    let again = bench.run().await;
    tokio::time::sleep(Duration::from_millis(9500)).await;
    bench.agrees(&again);
    assert!(again.unknown > 0 && whys(&again).iter().all(|why| *why == UnknownWhy::Absent), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_time_a_token_is_no_reason_to_repeat() {
    // Two minutes may pass from a judgement to the request: a token that is kept for less proves nothing.
    let bench = Bench::start(accepting(), token("100s")).await;
    bench.faults(&lost("before"));
    let end = bench.run().await;
    assert_eq!((end.done, end.unknown, bench.calls()), (0, 8, 8), "{end:?}");
    assert!(whys(&end).iter().all(|why| *why == UnknownWhy::Absent), "{end:?}");
    bench.agrees(&end);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_guard_of_the_token_the_same_faults_make_doubles() {
    // The system keeps no token, and the plan says that it does: what the guard is for.
    let forgets = format!("{ACCEPTS}[repeat]\nheader = \"X-Other\"\n");
    let bench = Bench::start(Settings { json: forgets, ..Settings::default() }, token("24h")).await;
    bench.faults("[[fault]]\nkind = \"late\"\nms = 6000\non = [\"create\"]\nfirst = 1\n");
    let end = bench.run().await;
    tokio::time::sleep(Duration::from_millis(6500)).await;
    assert!(bench.made().values().any(|n| *n > 1), "{:?} {} {end:?}", bench.made(), bench.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_in_the_systems_words_and_nothing_is_there() {
    let bench = Bench::start(Settings::default(), |plan| plan["target"]["request"][1]["value"] = json!("C9999")).await;
    let end = bench.run().await;
    assert_eq!((end.done, end.failed), (0, 8), "{end:?}");
    let words =
        end.outcomes.values().all(|outcome| matches!(outcome, Outcome::Failed(f) if f.message.contains("C9999")));
    assert!(words, "{end:?}");
    bench.agrees(&end);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_can_find_nothing_stops_the_run_before_a_call() {
    for (change, words) in [
        ((|plan: &mut Value| plan["skydeck"]["probe"] = json!("SO99999999")) as fn(&mut Value), "SO99999999"),
        (|plan| drop(plan["skydeck"].as_object_mut().unwrap().remove("probe")), "order"),
        // The system does not know the parameter and shows other records.
        (|plan| plan["skydeck"]["look"]["query"] = json!({"order_no": "{{key}}"}), "answered about"),
    ] {
        let bench = Bench::start(Settings::default(), change).await;
        let end = bench.run().await;
        assert!(end.how.contains(words) && end.found == 0, "{words}: {end:?}");
        assert_eq!(bench.calls(), 0);
    }
}
