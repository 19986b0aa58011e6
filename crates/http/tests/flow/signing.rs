//! Who we are: tokens that go out of date, signatures, clocks that are off.

use std::time::Duration;

use skydeck_core::domain::sending::{Check, Is, Place, Request};
use skydeck_engine::ports::Erp as _;
use skydeck_http::auth::{AppToken, Auth, Proof, Renewal, Sign};

use super::bench::{Bench, Settings, open};

const SECRET: &str = "not-a-real-secret";

fn app_token() -> AppToken {
    let body = r#"{"app_key":"{{app}}","app_secret":"{{secret}}"}"#;
    let request = Request {
        method: "POST".into(),
        path: "/token".into(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Some(body.into()),
        form: false,
    };
    let is = |values: &[&str]| Check {
        path: "$.code".into(),
        is: Is::In,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    AppToken {
        request,
        ok: vec![is(&["0"])],
        at: "$.data.access_token".into(),
        expires: Some("$.data.expires_in".into()),
        keeps: Duration::from_secs(3600),
        place: Place::Header("Authorization".into()),
        prefix: "Bearer ".into(),
        lost: vec![is(&["40100"])],
        signed: false,
        renewal: None,
    }
}

fn with_token(json: &str) -> Settings {
    let auth = Auth { proof: Proof::Token(Box::new(app_token())), ..open() };
    Settings { json: json.into(), auth, secret: Some(SECRET.into()), ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_fetched_once_for_all_and_anew_when_it_is_out_of_date() {
    let bench = Bench::start(with_token("auth = \"token\"\n"), |_| {}).await;
    let end = bench.run().await;
    assert_eq!((end.done, end.how.as_str()), (8, "Completed"), "{end:?}");
    bench.agrees(&end);
    assert_eq!(bench.wms.stats().tokens_given, 1, "one for all");
    assert!(bench.client.session().contains("a token is held"));
    // The system forgets it between two looks: fetched anew once, and the run goes on.
    bench.faults("[[fault]]\nkind = \"session_lost\"\non = [\"list\"]\ntimes = 1\n");
    let again = bench.run().await;
    assert_eq!((again.failed, again.unknown, bench.wms.stats().tokens_given), (0, 0, 2), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_good_for_a_moment_is_never_used_after_it() {
    let bench = Bench::start(with_token("auth = \"token\"\n[token]\nseconds = 2\n"), |_| {}).await;
    let end = bench.run().await;
    assert_eq!((end.done, end.unknown), (8, 0), "{end:?}");
    bench.agrees(&end);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_refused_is_tried_once_and_stands_nowhere() {
    let settings = Settings { secret: Some("wrong-secret-4711".into()), ..with_token("auth = \"token\"\n") };
    let bench = Bench::start(settings, |_| {}).await;
    let end = bench.run().await;
    assert!(end.how.contains("CollectFailed") && !end.how.contains("4711"), "{end:?}");
    assert!(bench.client.refused());
    let said = format!("{} {end:?}", bench.client.session());
    assert!(!said.contains("wrong-secret"), "{said}");
    assert_eq!(bench.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_requests_are_taken_and_a_wrong_secret_is_not() {
    let mut sign = Sign::qimen();
    sign.params.retain(|(name, _)| name == "app_key" || name == "timestamp");
    let auth = Auth { sign: Some(sign), ..open() };
    let json = "auth = \"signed\"\n[sign]\nstyle = \"top_md5\"\n";
    let settings = |secret: &str| Settings {
        json: json.into(),
        auth: auth.clone(),
        secret: Some(secret.to_owned().into()),
        ..Settings::default()
    };
    let bench = Bench::start(settings(SECRET), |_| {}).await;
    let end = bench.run().await;
    assert_eq!((end.done, end.how.as_str()), (8, "Completed"), "{end:?}");
    bench.agrees(&end);
    let bench = Bench::start(settings("another"), |_| {}).await;
    let end = bench.run().await;
    assert!(end.how.contains("CollectFailed"), "{end:?}");
    assert_eq!(bench.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_what_a_signature_allows_nothing_leaves() {
    let mut sign = Sign::qimen();
    sign.params.retain(|(name, _)| name == "app_key" || name == "timestamp");
    let auth = Auth { sign: Some(sign), ..open() };
    let json = "auth = \"signed\"\n[sign]\nstyle = \"top_md5\"\nallowed_seconds = 100000\n";
    let settings = Settings { json: json.into(), auth, secret: Some(SECRET.into()), ..Settings::default() };
    let bench = Bench::start(settings, |_| {}).await;
    bench.faults("[[fault]]\nkind = \"clock_skew\"\nms = 5000000\non = [\"list\"]\ntimes = 1\n");
    let run = tokio::time::timeout(Duration::from_secs(20), bench.run()).await;
    assert_eq!(bench.calls(), 0, "{run:?}");
}

fn renewed(json: &str) -> Settings {
    let request = Request {
        method: "POST".into(),
        path: "/token/refresh".into(),
        body: Some(r#"{"refresh_token":"{{refresh}}"}"#.into()),
        ..Request::default()
    };
    let renewal = Some(Renewal { request, at: "$.data.refresh_token".into() });
    let token = AppToken { renewal, ..app_token() };
    Settings { auth: Auth { proof: Proof::Token(Box::new(token)), ..open() }, ..with_token(json) }
}

/// No fact holds the secret, a token that was given, or what renews one.
fn nothing_secret(bench: &Bench) {
    let facts = bench.facts.lock().unwrap();
    assert!(facts.len() > 20, "there is something to look through");
    for fact in facts.iter() {
        assert!(!fact.contains(SECRET), "{fact}");
        // As the simulator makes them.
        let given = ["at-", "rt-"].iter().flat_map(|sign| fact.match_indices(sign));
        for (at, _) in given {
            let digits = fact[at + 3..].chars().take_while(char::is_ascii_hexdigit).count();
            assert!(digits < 16, "{fact}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_without_the_secret_and_fetched_where_it_is_not() {
    let bench = Bench::start(renewed("auth = \"token\"\n[token]\nseconds = 2\n"), |_| {}).await;
    let end = bench.run().await;
    assert_eq!((end.done, end.unknown), (8, 0), "{end:?}");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let again = bench.run().await;
    assert_eq!((again.failed, again.unknown), (0, 0), "{again:?}");
    let stats = bench.wms.stats();
    assert!(stats.tokens_given == 1 && stats.tokens_renewed > 0, "{stats:?}");
    // What renews it is not known any more: the secret gives another one.
    bench.faults("[[fault]]\nkind = \"status\"\nstatus = 400\non = [\"refresh\"]\ntimes = 1\n");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let third = bench.run().await;
    assert_eq!((third.failed, third.unknown, bench.wms.stats().tokens_given), (0, 0, 2), "{third:?}");
    bench.agrees(&end);
    nothing_secret(&bench);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_met_a_lost_token_is_settled_by_a_look_and_sent_once_under_a_new_one() {
    // Lost before the call was carried out, and, as far as the answer tells, after it.
    for when in ["before", "after"] {
        let bench = Bench::start(with_token("auth = \"token\"\n"), |_| {}).await;
        bench.faults(&format!(
            "[[fault]]\nkind = \"session_lost\"\nwhen = \"{when}\"\non = [\"create\"]\nskip = 1\ntimes = 1\n"
        ));
        bench.faults(&format!("[[fault]]\nkind = \"error\"\ncode = 50000\ntext = \"{SECRET} 不对\"\non = [\"create\"]\nskip = 4\ntimes = 1\n"));
        let end = bench.run().await;
        assert_eq!((end.done + end.failed, end.unknown, bench.made().len()), (8, 0, end.done), "{when} {end:?}");
        bench.agrees(&end);
        assert_eq!(bench.wms.stats().tokens_given, 2, "one more, for all");
        nothing_secret(&bench);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_given_for_good_stands_in_each_signed_request_and_nowhere_else() {
    let mut sign = Sign::jushuitan();
    sign.params.retain(|(name, _)| ["app_key", "access_token", "timestamp"].contains(&name.as_str()));
    let auth = Auth { sign: Some(sign), ..open() };
    let json = "auth = \"signed\"\n[sign]\nstyle = \"jst\"\n";
    let token = "given-for-good-4711";
    let settings = Settings {
        json: json.into(),
        auth,
        secret: Some(SECRET.into()),
        token: Some(token.into()),
        ..Settings::default()
    };
    let bench = Bench::start(settings, |plan| {
        plan["skydeck"]["look"] = serde_json::json!({"method": "POST", "path": "/orders/query", "as": "form",
            "body": {"so_ids": "{{key}}"}, "rows": "$.data.list", "key": "so_id", "id": "id"});
        plan["skydeck"]["call"] = serde_json::json!({"as": "form", "body": {"biz": "{{body}}"}});
    })
    .await;
    let end = bench.run().await;
    assert_eq!((end.done, end.how.as_str()), (8, "Completed"), "{end:?}");
    bench.agrees(&end);
    let facts = bench.facts.lock().unwrap();
    assert!(facts.iter().all(|fact| !fact.contains(token)), "{facts:?}");
}
