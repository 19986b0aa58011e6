//! Signing in and staying so: once for all that wait, never again after a refusal, anew after a lost session.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{LOST, SECRET, audit, causes, client, config, data, page, password, says, signed, stub, token};
use crate::support::clock::TokioClock;
use crate::support::stub::{Answer, FIRST, Framing, How, header, is_login};
use skydeck::domain::bill::UnknownWhy;
use skydeck::domain::step::Verdict;
use skydeck::engine::ports::{Alarm, Erp, FaultKind};
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::ClientConfig;

#[tokio::test]
async fn twenty_calls_at_once_sign_in_once() {
    let stub = stub(|_, _| Answer::default()).await;
    let erp = Arc::new(client(&stub, password()));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let erp = erp.clone();
        calls.spawn(async move { erp.fetch_page(&page(None)).await.is_ok() });
    }
    assert!(calls.join_all().await.into_iter().all(|ok| ok));
    assert_eq!(stub.count(is_login), 1);
    for seen in stub.seen().iter().filter(|seen| !is_login(&seen.service)) {
        assert_eq!(header(&seen.head, "kdservice-sessionid"), Some("0f1e2d3c-4b5a"));
        assert_eq!(header(&seen.head, "cookie"), Some("kdservice-sessionid=0f1e2d3c-4b5a"));
    }
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again_until_somebody_signs_in() {
    let stub = stub(|seen, nth| match (is_login(&seen.service), nth) {
        (true, 0) => says(&format!(
            r#"{{"Message":"用户名或密码错误 {SECRET}","LoginResultType":0,"KDSVCSessionId":null,"IsSuccessByAPI":false}}"#
        )),
        _ => Answer::default(),
    })
    .await;
    let erp = Arc::new(client(&stub, password()));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let erp = erp.clone();
        calls.spawn(async move { erp.fetch_page(&page(None)).await.unwrap_err() });
    }
    for fault in calls.join_all().await {
        assert_eq!(fault.kind, FaultKind::Credentials);
        assert!(fault.message.contains("no further login is tried"), "{fault}");
        assert!(!fault.message.contains(SECRET), "{fault}");
    }
    let reply = erp.write(&token(), &audit(&[FIRST])).await;
    assert!(matches!(&reply.verdicts[0].1, Verdict::NotSent(_)), "{reply:?}");
    assert!(matches!(reply.alarm, Some(Alarm::Credentials(_))), "{reply:?}");
    assert_eq!((stub.count(is_login), stub.count(|s| !is_login(s))), (1, 0));
    assert!(erp.session().contains("refused"), "{}", erp.session());
    let greeting = erp.sign_in().await.unwrap();
    assert_eq!((greeting.user.as_deref(), greeting.account_set.as_deref()), (Some("demo"), Some("Demo DC")));
    erp.fetch_page(&page(None)).await.unwrap();
    assert_eq!(stub.count(is_login), 2);
}

#[tokio::test]
async fn a_refused_user_is_refused_for_every_client_of_the_server() {
    let closed = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let open = Arc::clone(&closed);
    let stub = stub(move |seen, _| match (is_login(&seen.service), open.load(std::sync::atomic::Ordering::SeqCst)) {
        (true, true) => says(r#"{"Message":"用户名或密码错误","LoginResultType":0,"IsSuccessByAPI":false}"#),
        _ => Answer::default(),
    })
    .await;
    let refusals = Arc::new(skydeck::erp::refusals::Refusals::default());
    let shared = |sign_in, user: &str, url: String| {
        let config = ClientConfig { user: user.to_owned(), ..config(&url, sign_in) };
        KingdeeErp::new(config, causes(), Arc::new(TokioClock::start())).unwrap().sharing(&refusals)
    };
    let (one, two) = (shared(password(), "demo", stub.url()), shared(password(), " DEMO", stub.url()));
    let by_signature = shared(signed(), "demo", stub.url());
    let other = shared(signed(), "robot", stub.url());
    let alive = shared(password(), "demo", stub.url());
    closed.store(false, std::sync::atomic::Ordering::SeqCst);
    alive.fetch_page(&page(None)).await.unwrap();
    closed.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(one.fetch_page(&page(None)).await.unwrap_err().kind, FaultKind::Credentials);
    let calls = stub.count(|_| true);
    for erp in [&two, &by_signature] {
        assert!(erp.refused());
        let fault = erp.fetch_page(&page(None)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Credentials);
        assert!(fault.message.contains("from another environment"), "{fault}");
        let reply = erp.write(&token(), &audit(&[FIRST])).await;
        assert!(matches!(reply.alarm, Some(Alarm::Credentials(_))), "{reply:?}");
    }
    assert_eq!(stub.count(|_| true), calls, "nothing was sent");
    assert!(!other.refused() && !alive.refused());
    other.fetch_page(&page(None)).await.unwrap();
    alive.fetch_page(&page(None)).await.unwrap();
    // Somebody signs in on purpose: taken, the user is good again where nobody was refused himself.
    closed.store(false, std::sync::atomic::Ordering::SeqCst);
    two.sign_in().await.unwrap();
    by_signature.fetch_page(&page(None)).await.unwrap();
    assert!(one.refused(), "who was refused himself waits for his own");
}

#[tokio::test]
async fn a_login_to_another_data_centre_is_none() {
    let told = Arc::new(Mutex::new("c-1"));
    let tells = Arc::clone(&told);
    let stub = stub(move |seen, _| if is_login(&seen.service) { says(&format!(
        r#"{{"LoginResultType":1,"Context":{{"DBid":"60aa0000000000","GDCID":"{}"}},"KDSVCSessionId":"0f1e","IsSuccessByAPI":true}}"#,
        tells.lock().unwrap()
    )) } else { Answer::default() })
    .await;
    let erp = client(&stub, password());
    assert_eq!(erp.centre(), None);
    erp.expect("c-2");
    let fault = erp.fetch_page(&page(None)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::AccountSet);
    assert!(fault.message.contains("data centre c-1 instead of c-2"), "{fault}");
    let reply = erp.write(&token(), &audit(&[FIRST])).await;
    assert!(matches!(&reply.verdicts[0].1, Verdict::NotSent(_)), "{reply:?}");
    assert_eq!((stub.count(is_login), stub.count(|s| !is_login(s))), (1, 0), "nothing was asked there");
    assert_eq!(erp.centre().as_deref(), Some("c-1"), "the engine sees where it would have been");
    *told.lock().unwrap() = "c-2";
    erp.sign_in().await.unwrap();
    erp.fetch_page(&page(None)).await.unwrap();
    // Nothing was expected: the first one told is, from then on.
    let erp = client(&stub, password());
    erp.sign_in().await.unwrap();
    assert_eq!(erp.centre().as_deref(), Some("c-2"));
    *told.lock().unwrap() = "c-1";
    assert_eq!(erp.sign_in().await.unwrap_err().kind, FaultKind::AccountSet);
}

#[tokio::test]
async fn those_who_wait_for_a_failing_login_share_its_end() {
    let stub =
        stub(|seen, _| Answer { status: Some(if is_login(&seen.service) { 503 } else { 200 }), ..Answer::default() })
            .await;
    let erp = Arc::new(client(&stub, password()));
    // All poll once before the first login can end, because `join_all` polls them in one task.
    let query = page(None);
    let calls: Vec<_> = (0..8).map(|_| erp.fetch_page(&query)).collect();
    for ended in futures_util::future::join_all(calls).await {
        assert_eq!(ended.unwrap_err().kind, FaultKind::Http(503));
    }
    assert_eq!(stub.count(is_login), 1);
    assert_eq!(erp.fetch_page(&query).await.unwrap_err().kind, FaultKind::Http(503));
    assert_eq!(stub.count(is_login), 2, "a later call may try again: nobody was refused");
}

#[tokio::test]
async fn a_session_lost_on_a_read_is_renewed_once() {
    let stub = stub(|seen, nth| match (seen.service.as_str(), nth) {
        ("ExecuteBillQuery", 1) => says(&format!("[[{LOST}]]")),
        _ => Answer::default(),
    })
    .await;
    let erp = client(&stub, password());
    for _ in 0..3 {
        erp.fetch_page(&page(None)).await.unwrap();
    }
    assert_eq!((stub.count(is_login), stub.count(|s| s == "ExecuteBillQuery")), (2, 4));
}

#[tokio::test]
async fn a_session_lost_right_after_signing_in_stops() {
    let stub =
        stub(|seen, _| if is_login(&seen.service) { Answer::default() } else { says(&format!("[[{LOST}]]")) }).await;
    let erp = client(&stub, password());
    for _ in 0..5 {
        assert_eq!(erp.fetch_page(&page(None)).await.unwrap_err().kind, FaultKind::SessionLost);
    }
    assert_eq!((stub.count(is_login), stub.count(|s| s == "ExecuteBillQuery")), (2, 2));
}

#[tokio::test]
async fn a_session_lost_on_a_write_is_unknown_and_the_next_read_signs_in() {
    let stub = stub(|seen, _| if seen.service == "Audit" { says(LOST) } else { Answer::default() }).await;
    let erp = client(&stub, password());
    let reply = erp.write(&token(), &audit(&[FIRST])).await;
    assert!(matches!(reply.verdicts[0].1, Verdict::Unknown(UnknownWhy::SessionLost, _)), "{reply:?}");
    assert_eq!(reply.alarm, Some(Alarm::SessionLost));
    assert_eq!((stub.count(is_login), stub.count(|s| s == "Audit")), (1, 1), "a write is never repeated");
    erp.fetch_page(&page(None)).await.unwrap();
    assert_eq!(stub.count(is_login), 2);
}

#[tokio::test]
async fn the_session_follows_set_cookie() {
    let stub = stub(|_, nth| Answer {
        headers: vec![(
            "Set-Cookie".to_owned(),
            format!("kdservice-sessionid=id-{nth}; expires=Thu, 28-Aug-2036 01:02:03 GMT; path=/, ASP.NET_SessionId=asp{nth}; path=/"),
        )],
        ..Answer::default()
    })
    .await;
    let erp = client(&stub, signed());
    for _ in 0..3 {
        erp.fetch_page(&page(None)).await.unwrap();
    }
    let cookies: Vec<Option<String>> =
        stub.seen().iter().map(|seen| header(&seen.head, "cookie").map(str::to_owned)).collect();
    assert_eq!(
        cookies,
        [
            None,
            Some("ASP.NET_SessionId=asp0; kdservice-sessionid=id-0".to_owned()),
            Some("ASP.NET_SessionId=asp1; kdservice-sessionid=id-1".to_owned()),
        ]
    );
}

#[tokio::test]
async fn signing_in_with_signed_headers_is_a_probe_without_a_session() {
    let stub = stub(|seen, _| Answer {
        headers: vec![
            ("Set-Cookie".to_owned(), "kdservice-sessionid=live; path=/".to_owned()),
            ("Date".to_owned(), "Thu, 02 Jan 2025 03:05:05 GMT".to_owned()),
        ],
        ..if data(seen)["FormId"] == "BD_Currency" { says(r#"[["CNY"]]"#) } else { Answer::default() }
    })
    .await;
    let erp = client(&stub, signed());
    erp.fetch_page(&page(None)).await.unwrap();
    let greeting = erp.sign_in().await.unwrap();
    assert_eq!(greeting.how, "signed headers");
    let skew = greeting.skew_seconds.unwrap();
    assert!((50..=60).contains(&skew), "our clock says 03:04:05 and a little: {skew}");
    // Nothing of it leaves this machine.
    assert!(!greeting.notes.iter().any(|note| note.contains("plain HTTP")), "{:?}", greeting.notes);
    assert_eq!(
        header(&stub.seen()[1].head, "kdservice-sessionid"),
        None,
        "a live session would hide wrong credentials"
    );
    assert!(erp.session().contains("signed in as demo"), "{}", erp.session());
}

#[tokio::test]
async fn wrong_signed_credentials_stop_every_further_call() {
    let stub = stub(|_, _| says(&format!("[[{LOST}]]"))).await;
    let erp = client(&stub, signed());
    assert_eq!(erp.sign_in().await.unwrap_err().kind, FaultKind::Credentials);
    assert_eq!(erp.fetch_page(&page(None)).await.unwrap_err().kind, FaultKind::Credentials);
    let reply = erp.write(&token(), &audit(&[FIRST])).await;
    assert!(matches!(reply.verdicts[0].1, Verdict::NotSent(_)), "{reply:?}");
    assert_eq!(stub.seen().len(), 1);
}

/// A call given up in the middle of a login leaves the next one free to sign in.
#[tokio::test]
async fn a_login_given_up_does_not_block() {
    let stub = stub(|seen, nth| Answer {
        how: if is_login(&seen.service) && nth == 0 { How::Silence } else { How::Reply },
        framing: Framing::Length,
        ..Answer::default()
    })
    .await;
    let erp = client(&stub, password());
    let query = page(None);
    let given_up = tokio::time::timeout(Duration::from_millis(300), erp.fetch_page(&query)).await;
    assert!(given_up.is_err());
    erp.fetch_page(&query).await.unwrap();
    assert_eq!(stub.count(is_login), 2);
}
