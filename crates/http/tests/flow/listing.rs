//! Orders that a JSON system lists, saved in the ERP: read page by page while they move, spoilt, or lied about.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bench::{Bench, End, Settings};
use serde_json::{Value, json};
use skydeck_core::domain::command::{Command, StartParams};
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::run::Revision;
use skydeck_sim::RequestParts;
use skydeck_sim::json::settings::JsonSettings;

const PLAN: &str = include_str!("../../../../plans/orders_to_saleorder.json");
const ALL: u64 = 30;

fn settings(json: &str) -> Settings {
    Settings { json: format!("auth = \"none\"\n{json}"), ..Settings::default() }
}

async fn bench(json: &str, change: impl Fn(&mut Value)) -> Bench {
    bench_as(settings(json), change).await
}

async fn bench_as(settings: Settings, change: impl Fn(&mut Value)) -> Bench {
    Bench::start_of(PLAN, settings, |plan| {
        plan["skydeck"]["target_env"] = json!("erp");
        plan["skydeck"]["env"] = json!("wms");
        plan["skydeck"]["list"]["pages"]["size"] = json!(7);
        change(plan);
    })
    .await
}

/// How often each order was saved, by its number.
fn saved(bench: &Bench) -> BTreeMap<String, u32> {
    bench.erp.with_world(|world| {
        let mut all = BTreeMap::new();
        let saves =
            world.record().after(0, usize::MAX).iter().filter(|line| line.verb == "Save" && line.refused.is_none());
        saves.for_each(|line| *all.entry(line.number.to_string()).or_default() += 1);
        all
    })
}

fn all_once(bench: &Bench, end: &End) {
    let saved = saved(bench);
    assert_eq!((end.found, end.done, end.how.as_str()), (ALL, ALL as usize, "Completed"), "{end:?}");
    assert_eq!((saved.len() as u64, saved.values().max()), (ALL, Some(&1)), "{saved:?}");
}

/// Nothing was written, and the mark did not move.
async fn nothing(bench: &Bench, end: &End, words: &str) {
    assert!(end.how.contains(words) && end.found == 0, "{words}: {end:?}");
    assert!(saved(bench).is_empty(), "{words}");
    // Whatever was read is read again.
    bench.wms.with_world(|world| world.set_settings(JsonSettings::from_toml("auth = \"none\"\n").unwrap()));
    let again = start(bench, StartParams::default()).await;
    let floor = ["=2000-01-01 00:00:00", "=946656000000"].iter().any(|floor| again.filter.contains(floor));
    assert!(floor || !again.filter.contains("modified_from"), "{again:?}");
}

async fn start(bench: &Bench, params: StartParams) -> End {
    bench.run_as(Command::Start { plan: PlanId::new("p"), params }).await
}

fn admin(bench: &Bench, path: &str, body: &Value) {
    let body = body.to_string().into_bytes();
    let ask = RequestParts { method: "POST".into(), path: path.into(), headers: Vec::new(), body: body.into() };
    drop(bench.wms.ask(ask));
}

fn by_offset(plan: &mut Value) {
    let list = &mut plan["skydeck"]["list"];
    list["query"] = json!({"offset": "{{offset}}", "limit": "{{size}}"});
    list["pages"] = json!({"by": "offset", "size": 7});
}

fn by_cursor(plan: &mut Value) {
    let list = &mut plan["skydeck"]["list"];
    list["query"] =
        json!({"modified_from": "{{LAST_SYNC_TIME|timestamp_ms}}", "cursor": "{{cursor}}", "limit": "{{size}}"});
    list["pages"] =
        json!({"by": "cursor", "size": 7, "next": "$.data.next_cursor", "more": "$.data.has_next", "start": ""});
}

fn bare_pages(plan: &mut Value) {
    plan["skydeck"]["list"]["pages"] = json!({"by": "page", "size": 7});
}

fn posted(plan: &mut Value) {
    let list = &mut plan["skydeck"]["list"];
    list["path"] = json!("/orders/query");
    list["method"] = json!("POST");
    list["body"] = list["query"].take();
    drop(list.as_object_mut().unwrap().remove("query"));
}

fn in_one(plan: &mut Value) {
    let list = &mut plan["skydeck"]["list"];
    list["query"] = json!({"page_size": "100"});
    drop(list.as_object_mut().unwrap().remove("pages"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_read_once_however_its_pages_are_turned() {
    for change in [(|_: &mut Value| {}) as fn(&mut Value), by_offset, by_cursor, bare_pages, posted, in_one] {
        let bench = bench("", change).await;
        let end = start(&bench, StartParams::default()).await;
        all_once(&bench, &end);
        let again = bench.run().await;
        assert_eq!((again.done, saved(&bench).values().max()), (0, Some(&1)), "{again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_gives_less_at_once_than_it_is_asked_for_is_read_to_its_end() {
    for change in [by_offset as fn(&mut Value), bare_pages] {
        let bench = bench("most_page = 4\n", change).await;
        let end = start(&bench, StartParams::default()).await;
        all_once(&bench, &end);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_asks_for_what_was_changed_since_with_an_overlap() {
    let bench = bench("", |_| {}).await;
    let first = start(&bench, StartParams::default()).await;
    all_once(&bench, &first);
    assert!(first.filter.contains("modified_from=2000-01-01 00:00:00"), "{}", first.filter);
    let seen = first.seen.clone().unwrap();
    let new = json!({"form": "orders", "insert": {"so_id": "SO77000001", "customer": "C0001",
        "lines": [{"sku": "MAT00001", "qty": 2, "price": "1.10"}]}});
    admin(&bench, "/admin/bill", &new);
    let second = start(&bench, StartParams::default()).await;
    let since = seen.minus(Duration::from_secs(600)).to_string().replace('T', " ");
    assert!(second.filter.contains(&format!("modified_from={since}")), "{} {since}", second.filter);
    assert_eq!((second.done, saved(&bench).get("SO77000001")), (1, Some(&1)), "{second:?}");
    assert!(second.seen > first.seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_never_keep_still_write_nothing_and_a_cursor_reads_them() {
    for change in [(|_: &mut Value| {}) as fn(&mut Value), by_offset, bare_pages] {
        let bench = bench("touched_per_page = 1\n", change).await;
        let end = start(&bench, StartParams::default()).await;
        nothing(&bench, &end, "Moves").await;
    }
    let bench = bench("touched_per_page = 1\n", by_cursor).await;
    let end = start(&bench, StartParams::default()).await;
    all_once(&bench, &end);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_moved_for_a_while_are_read_until_they_keep_still() {
    let bench = bench("touched_per_page = 1\n", |_| {}).await;
    let run = start(&bench, StartParams::default());
    let calm = async {
        while bench.wms.stats().calls.get("list").copied().unwrap_or_default() < 7 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bench.wms.with_world(|world| world.set_settings(JsonSettings::from_toml("auth = \"none\"\n").unwrap()));
    };
    let (end, ()) = tokio::join!(run, calm);
    all_once(&bench, &end);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_comes_again_and_a_page_that_does_are_no_end() {
    let stale = "[[fault]]\nkind = \"stale_answer\"\nwhen = \"after\"\non = [\"list\"]\nskip = 2\ntimes = 1\n";
    let bench_of = bench("", by_cursor).await;
    bench_of.faults(stale);
    let end = start(&bench_of, StartParams::default()).await;
    nothing(&bench_of, &end, "CursorAgain").await;
    // By its number a page is asked for once more.
    let bench_of = bench("", |_| {}).await;
    bench_of.faults(stale);
    let end = start(&bench_of, StartParams::default()).await;
    all_once(&bench_of, &end);
    // A system that does not know the parameter shows the first page for ever.
    let bench_of = bench("", |plan| {
        plan["skydeck"]["list"]["query"] = json!({"page_no": "{{page}}", "page_size": "7"});
    })
    .await;
    let end = start(&bench_of, StartParams::default()).await;
    nothing(&bench_of, &end, "SamePage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_spoilt_answer_is_asked_for_again_and_many_write_nothing() {
    let spoilt = [
        "kind = \"reset\"",
        "kind = \"truncate\"\nat = 40",
        "kind = \"html\"\nstatus = 200",
        "kind = \"empty\"",
        "kind = \"garbage\"",
        "kind = \"not_utf8\"",
        "kind = \"status\"\nstatus = 503",
        "kind = \"status\"\nstatus = 429\nseconds = 1",
        "kind = \"status\"\nstatus = 429",
    ];
    for kind in spoilt {
        let bench_of = bench("", |_| {}).await;
        bench_of.faults(&format!("[[fault]]\n{kind}\nwhen = \"after\"\non = [\"list\"]\nskip = 1\ntimes = 1\n"));
        let end = start(&bench_of, StartParams::default()).await;
        all_once(&bench_of, &end);
    }
    for kind in ["kind = \"html\"\nstatus = 200", "kind = \"not_utf8\"", "kind = \"status\"\nstatus = 429\nseconds = 1"]
    {
        let bench_of = bench("", |_| {}).await;
        bench_of.faults(&format!("[[fault]]\n{kind}\nwhen = \"after\"\non = [\"list\"]\nskip = 3\n"));
        let end = start(&bench_of, StartParams::default()).await;
        nothing(&bench_of, &end, "CollectFailed").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_a_body_without_end_is_not_read() {
    for (kind, words) in [
        ("kind = \"redirect\"\ntext = \"http://127.0.0.1:9/x\"", "302"),
        ("kind = \"huge\"\nmb = 100", "larger"),
        ("kind = \"gzip_bomb\"\nmb = 100", "larger"),
        ("kind = \"error\"\ncode = 40300\ntext = \"无权查看订单\"", "无权查看订单"),
    ] {
        // A body of that size takes a while to be made.
        let patient = Settings { timeout: Duration::from_secs(60), ..settings("answers = \"code\"\n") };
        let bench_of = bench_as(patient, |_| {}).await;
        bench_of.faults(&format!("[[fault]]\n{kind}\nwhen = \"after\"\non = [\"list\"]\nskip = 2\n"));
        let end = start(&bench_of, StartParams::default()).await;
        assert!(end.how.contains("CollectFailed") && end.how.to_lowercase().contains(words), "{words}: {end:?}");
        nothing(&bench_of, &end, "CollectFailed").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_are_texts_are_the_same_numbers() {
    let bench_of = bench("numbers_as_text = true\n", |_| {}).await;
    let end = start(&bench_of, StartParams::default()).await;
    all_once(&bench_of, &end);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_answer_does_not_show_is_never_guessed() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 9] = [
        (|p| p["skydeck"]["list"]["rows"] = json!("$.data.orders"), "no list of records at $.data.orders"),
        (|p| p["skydeck"]["list"]["rows"] = json!("$..*"), "no list of records"),
        (|p| p["skydeck"]["list"]["pages"]["more"] = json!("$.data.more"), "no truth at $.data.more"),
        (|p| p["skydeck"]["list"]["pages"]["more"] = json!("$.data.list"), "no truth"),
        (|p| p["skydeck"]["list"]["pages"]["total"] = json!("$.data.list[*].id"), "no number of records"),
        (|p| p["skydeck"]["list"]["pages"]["total"] = json!("code"), "Total"),
        (|p| p["skydeck"]["list"]["mark"] = json!("modified"), "NoDate"),
        (|p| p["source"]["id"] = json!("order_id"), "NoId"),
        (|p| p["source"]["id"] = json!("shop"), "Twice"),
    ];
    for (change, words) in cases {
        let bench_of = bench("", change).await;
        let end = start(&bench_of, StartParams::default()).await;
        nothing(&bench_of, &end, words).await;
    }
    // More pages than the plan reads.
    let bench_of = bench("", |p| p["skydeck"]["list"]["pages"]["most"] = json!(3)).await;
    let end = start(&bench_of, StartParams::default()).await;
    nothing(&bench_of, &end, "Endless").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_refused_is_read_again_by_its_id_or_from_the_whole_list() {
    for change in [(|_: &mut Value| {}) as fn(&mut Value), |plan| {
        drop(plan["skydeck"]["list"].as_object_mut().unwrap().remove("one"));
    }] {
        let bench = bench("", change).await;
        let order = |sku: &str| json!({"form": "orders", "number": "SO00000003", "set": {"lines": [{"sku": sku, "qty": 1, "price": "2.00"}]}});
        admin(&bench, "/admin/bill", &order("MAT99999"));
        let end = start(&bench, StartParams::default()).await;
        assert_eq!((end.done, end.failed), (29, 1), "{end:?}");
        admin(&bench, "/admin/bill", &order("MAT00003"));
        let selection =
            skydeck_core::domain::command::Selection::Matching { plan: None, run: None, filter: Filter::default() };
        let end = bench.run_as(Command::Retry { selection, revision: Revision::Newest }).await;
        assert_eq!((end.done, saved(&bench).get("SO00000003")), (1, Some(&1)), "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_numbers_reads_these_records_alone() {
    let bench_of = bench("", |_| {}).await;
    let params = StartParams { numbers: vec!["SO00000003".into(), "SO99999999".into()], ..StartParams::default() };
    let end = start(&bench_of, params.clone()).await;
    assert_eq!((end.found, end.done, end.seen.clone()), (1, 1, None), "{end:?}");
    assert_eq!(saved(&bench_of).keys().collect::<Vec<_>>(), ["SO00000003"]);
    // A system that does not hear which record is meant has not answered.
    let bench_of = bench("", |plan| plan["skydeck"]["list"]["one"]["query"] = json!({"order_no": "{{key}}"})).await;
    let end = start(&bench_of, params).await;
    nothing(&bench_of, &end, "Stranger").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_and_an_environment_of_two_kinds_do_not_meet() {
    let bench_of = bench("", |plan| {
        plan["skydeck"]["env"] = json!("erp");
        plan["skydeck"]["target_env"] = json!("erp");
    })
    .await;
    let params = StartParams::default();
    let refused = bench_of.order(Command::Start { plan: PlanId::new("p"), params }).await.unwrap_err();
    assert!(refused.contains("kind http"), "{refused}");
}
