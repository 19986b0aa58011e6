//! The client as the engine sees it: sessions, keyset pages, optional columns, one POST a write.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::clock::TokioClock;
use crate::support::stub::{Answer, FIRST, Framing, How, Script, Seen, Stub, header, is_login, success};
use async_trait::async_trait;
use skydeck::domain::bill::UnknownWhy;
use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::ids::{EnvId, Fid, FormId};
use skydeck::domain::plan::WriteOptions;
use skydeck::domain::run::Flag;
use skydeck::domain::step::{Verb, Verdict};
use skydeck::engine::ports::{Alarm, Erp, FaultKind, PageQuery, WriteCall, WriteToken};
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::{ClientConfig, SignIn};
use skydeck::erp::transport::{CallKind, HttpReply, Transport, TransportFault};

const SECRET: &str = "canary-secret-4711";

fn causes() -> Arc<CauseTable> {
    Arc::new(toml::from_str(BUILT_IN).unwrap())
}

fn password() -> SignIn {
    SignIn::Password { password: SECRET.into() }
}

fn signed() -> SignIn {
    SignIn::Signed {
        app_id: "123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWJj".to_owned(),
        app_secret: "0123456789abcdef0123456789abcdef".into(),
    }
}

fn config(url: &str, sign_in: SignIn) -> ClientConfig {
    ClientConfig::new(EnvId::new("test"), url, "60aa0000000000", "demo", sign_in)
}

fn client(stub: &Stub, sign_in: SignIn) -> KingdeeErp {
    KingdeeErp::new(config(&stub.url(), sign_in), causes(), Arc::new(TokioClock::start())).unwrap()
}

async fn stub(script: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Stub {
    let script: Script = Arc::new(script);
    Stub::start(script).await
}

fn says(body: &str) -> Answer {
    Answer { body: Some(body.to_owned()), ..Answer::default() }
}

fn page(after: Option<&str>) -> PageQuery {
    PageQuery {
        form: FormId::new("SAL_OUTSTOCK"),
        columns: ["FBillTypeID.FNumber", "FID", "FBillNo", "FApproveDate"].map(str::to_owned).to_vec(),
        id_path: "FID".to_owned(),
        number_path: "FBillNo".to_owned(),
        mark_column: Some("FCreateDate".to_owned()),
        filter: "FCreateDate>='2025-01-01' or FNote=' '".to_owned(),
        after: after.map(Fid::new),
        limit: 9999,
        fields: Vec::new(),
    }
}

fn audit(bills: &[(&str, &str)]) -> WriteCall {
    WriteCall {
        verb: Verb::Audit,
        form: FormId::new("SAL_OUTSTOCK"),
        bills: bills.iter().map(|(fid, no)| (Fid::new(*fid), (*no).to_owned())).collect(),
        options: WriteOptions::default(),
        flags: Vec::new(),
    }
}

fn token() -> WriteToken {
    WriteToken::for_tests(EnvId::new("test"))
}

fn data(seen: &Seen) -> serde_json::Value {
    serde_json::from_slice::<serde_json::Value>(&seen.body).unwrap()["data"].clone()
}

const LOST: &str = r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":null,"Message":"会话信息已丢失，请重新登录","DIndex":0}],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":1}}}"#;

fn no_such_field(name: &str) -> String {
    format!(
        r#"[[{{"Result":{{"ResponseStatus":{{"IsSuccess":false,"Errors":[{{"Message":"元数据中标识为 {name} 的字段不存在"}}],"MsgCode":9}}}}}}]]"#
    )
}

#[tokio::test]
async fn a_page_is_asked_by_keyset_from_row_zero() {
    let stub = stub(|_, _| Answer::default()).await;
    let erp = client(&stub, signed());
    let found = erp.fetch_page(&page(Some("100122"))).await.unwrap();
    assert_eq!((found.raw_rows, found.bills.len()), (1, 1));
    let bill = &found.bills[0];
    assert_eq!((bill.fid.as_str(), bill.no.as_str(), bill.rev.status.code()), (FIRST.0, FIRST.1, "B"));
    assert_eq!(bill.rev.modified.as_ref().unwrap().as_str(), "2025-01-02T03:04:05");
    assert_eq!(bill.columns, ["", FIRST.0, FIRST.1, ""]);
    let asked = data(&stub.seen()[0]);
    assert_eq!(asked["FilterString"], "(FCreateDate>='2025-01-01' or FNote=' ') and FID > 100122");
    assert_eq!(
        asked["FieldKeys"],
        "FBillTypeID.FNumber,FID,FBillNo,FApproveDate,FDocumentStatus,FCreateDate,FModifyDate,FApproverId.FName"
    );
    assert_eq!(asked["OrderString"], "FID ASC");
    for (key, value) in [("StartRow", 0), ("TopRowCount", 0), ("Limit", 2000)] {
        assert_eq!(asked[key], value, "{key}");
    }
}

#[tokio::test]
async fn a_page_at_or_below_the_last_id_is_refused() {
    let stub = stub(|_, _| Answer::default()).await;
    let fault = client(&stub, signed()).fetch_page(&page(Some(FIRST.0))).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreadable);
    assert!(fault.message.contains("only ids above 100123"), "{fault}");
}

/// Row 13 of docs/design/faults.md: on a kept-alive connection a second copy of an answer waits for the next request.
#[tokio::test]
async fn a_late_copy_of_a_page_is_never_the_next_page() {
    let stub = stub(|_, nth| Answer { twice: nth == 0, ..Answer::default() }).await;
    let erp = client(&stub, signed());
    erp.fetch_page(&page(None)).await.unwrap();
    // The stub always has the same bill: whichever copy arrives, it is refused, not taken for a page behind 100123.
    for _ in 0..3 {
        assert_eq!(erp.fetch_page(&page(Some(FIRST.0))).await.unwrap_err().kind, FaultKind::Unreadable);
    }
}

/// Rows 11 and 13 of docs/design/faults.md: nothing of one write can reach another.
#[tokio::test]
async fn each_write_has_a_connection_of_its_own() {
    let stub = stub(|seen, nth| match (seen.service.as_str(), nth) {
        ("Audit", 0) => Answer { twice: true, ..says(&success(&[("1", "XSCKD000001")])) },
        ("Audit", _) => says(&success(&[("2", "XSCKD000002")])),
        _ => Answer::default(),
    })
    .await;
    let erp = client(&stub, signed());
    erp.fetch_page(&page(None)).await.unwrap();
    for (fid, no) in [("1", "XSCKD000001"), ("2", "XSCKD000002")] {
        let reply = erp.write(&token(), &audit(&[(fid, no)])).await;
        assert_eq!(reply.verdicts, [(Fid::new(fid), Verdict::Done)]);
        erp.read_bills(&skydeck::engine::ports::Look::of(&FormId::new("SAL_OUTSTOCK")), &[Fid::new(FIRST.0)])
            .await
            .unwrap();
    }
    let mut connections: Vec<usize> = stub.seen().iter().map(|seen| seen.connection).collect();
    connections.sort_unstable();
    connections.dedup();
    assert_eq!(connections.len(), 5, "a page, two audits and two status reads");
}

#[tokio::test]
async fn optional_columns_a_form_lacks_are_given_up_and_remembered() {
    let stub = stub(|seen, _| {
        let keys = data(seen)["FieldKeys"].as_str().unwrap_or_default().to_owned();
        ["FModifyDate", "FApproverId", "FApproveDate"]
            .into_iter()
            .find(|missing| keys.contains(missing))
            .map_or_else(Answer::default, |missing| says(&no_such_field(missing)))
    })
    .await;
    let erp = client(&stub, signed());
    let mut query = page(None);
    query.columns = vec!["FBillNo".to_owned()];
    let bills = erp.fetch_page(&query).await.unwrap().bills;
    assert_eq!(bills[0].rev.modified, None);
    assert_eq!(stub.seen().len(), 4, "three columns given up, one by one");
    erp.fetch_page(&query).await.unwrap();
    assert_eq!(stub.seen().len(), 5, "remembered");
    query.columns.push("FApproveDate".to_owned());
    let fault = erp.fetch_page(&query).await.unwrap_err();
    assert_eq!(stub.seen().len(), 6, "a column of the plan is never given up");
    assert!(fault.message.contains("FApproveDate") && fault.message.contains("Mend the plan"), "{fault}");
}

#[tokio::test]
async fn many_ids_are_read_two_hundred_at_a_time() {
    let stub = stub(|seen, _| {
        let filter = data(seen)["FilterString"].as_str().unwrap().to_owned();
        let ids = filter.trim_start_matches("FID in (").trim_end_matches(')').to_owned();
        let rows: Vec<String> = ids
            .split(',')
            .filter(|id| id.parse::<u32>().unwrap() % 2 == 0)
            .map(|id| format!(r#"[{id},"N{id}","C",null,"demo","2025-01-02"]"#))
            .collect();
        says(&format!("[{}]", rows.join(",")))
    })
    .await;
    let fids: Vec<Fid> = (1..=450_u64).map(Fid::from).collect();
    let found = client(&stub, signed())
        .read_bills(&skydeck::engine::ports::Look::of(&FormId::new("SAL_OUTSTOCK")), &fids)
        .await
        .unwrap();
    assert_eq!((found.len(), stub.seen().len()), (225, 3));
    assert_eq!(found[0].approver.as_deref(), Some("demo"));
    assert_eq!(found[0].approved.as_ref().unwrap().as_str(), "2025-01-02T00:00:00");
}

#[tokio::test]
async fn status_of_a_bill_that_was_not_asked_is_refused() {
    let stub = stub(|_, _| Answer::default()).await;
    let fault = client(&stub, signed())
        .read_bills(&skydeck::engine::ports::Look::of(&FormId::new("F")), &[Fid::new("7")])
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreadable);
    assert!(fault.message.contains("bill 100123, which was not asked"), "{fault}");
}

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

#[tokio::test]
async fn what_must_not_leave_does_not() {
    let stub = stub(|_, _| Answer::default()).await;
    let erp = client(&stub, signed());
    let other = WriteToken::for_tests(EnvId::new("production"));
    for (token, call, part) in [
        (other, audit(&[FIRST]), "the permission is for environment production, this is test"),
        (token(), audit(&[("1,2", "N")]), "cannot stand in a list of ids"),
        (token(), audit(&[("", "N")]), "cannot stand in a list of ids"),
    ] {
        let reply = erp.write(&token, &call).await;
        assert!(matches!(&reply.verdicts[0].1, Verdict::NotSent(why) if why.contains(part)), "{reply:?}");
    }
    assert_eq!(erp.write(&token(), &audit(&[])).await.verdicts, []);
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn a_bill_given_twice_is_sent_once_and_judged_twice() {
    let stub = stub(|_, _| Answer::default()).await;
    let mut call = audit(&[FIRST, FIRST]);
    call.flags = vec![Flag("STK_InvCheckResult".to_owned())];
    let reply = client(&stub, signed()).write(&token(), &call).await;
    assert_eq!(reply.verdicts.iter().filter(|(_, v)| *v == Verdict::Done).count(), 2);
    let sent = data(&stub.seen()[0]);
    assert_eq!((sent["Ids"].as_str(), sent["InterationFlags"].as_str()), (Some(FIRST.0), Some("STK_InvCheckResult")));
    assert_eq!(reply.evidence.http, Some(200));
    assert!(reply.evidence.request.bytes.0.starts_with(b"{\"formid\""));
}

#[tokio::test]
async fn an_allowed_operation_is_called_by_name() {
    let stub = stub(|_, _| Answer::default()).await;
    let mut call = audit(&[FIRST]);
    call.verb = Verb::Operation("BillClose".to_owned());
    let reply = client(&stub, signed()).write(&token(), &call).await;
    assert_eq!(reply.verdicts[0].1, Verdict::Done);
    assert_eq!(stub.seen()[0].service, "ExecuteOperation");
    let sent: serde_json::Value = serde_json::from_slice(&stub.seen()[0].body).unwrap();
    assert_eq!((&sent["formid"], &sent["opNumber"]), (&"SAL_OUTSTOCK".into(), &"BillClose".into()));
    assert_eq!((&sent["data"]["Ids"], stub.seen().len()), (&FIRST.0.into(), 1));
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

#[tokio::test]
async fn certificates_that_cannot_be_read_are_named() {
    let mut config = config("https://erp.example.invalid/k3cloud/", signed());
    let file = tempfile::NamedTempFile::new().unwrap();
    config.ca_file = Some(file.path().to_owned());
    let fault = KingdeeErp::new(config.clone(), causes(), Arc::new(TokioClock::start())).err().unwrap().to_string();
    assert!(fault.contains("no certificate in it"), "{fault}");
    config.ca_file = Some("/nonexistent/ca.pem".into());
    let fault = KingdeeErp::new(config, causes(), Arc::new(TokioClock::start())).err().unwrap().to_string();
    assert!(fault.contains("ca_file /nonexistent/ca.pem"), "{fault}");
}

/// A network that records calls and answers none.
#[derive(Default)]
struct Hole(Mutex<Vec<Vec<(String, String)>>>);

#[async_trait]
impl Transport for Hole {
    async fn post(
        &self,
        path: &str,
        headers: Vec<(String, String)>,
        _body: Vec<u8>,
        kind: CallKind,
    ) -> Result<HttpReply, TransportFault> {
        assert_eq!(kind, CallKind::Write);
        assert_eq!(path, "/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Audit.common.kdsvc");
        self.0.lock().unwrap().push(headers);
        std::future::pending().await
    }
}

/// The headers of the official SDK's captured Audit (`private_audit` of the fixture), and the limit of a call on a paused clock.
#[tokio::test(start_paused = true)]
async fn a_write_carries_the_official_headers_and_ends_after_its_limit() {
    let hole = Arc::new(Hole::default());
    let config = config("http://127.0.0.1:18731/k3cloud", signed());
    let erp = KingdeeErp::over(config, causes(), Arc::new(TokioClock::start()), hole.clone()).unwrap();
    let reply = erp.write(&token(), &audit(&[FIRST])).await;
    assert!(
        matches!(&reply.verdicts[0].1, Verdict::Unknown(UnknownWhy::TimedOut, why) if why.contains("60 s")),
        "{reply:?}"
    );
    assert_eq!(reply.took.as_secs(), 60);
    let sent = hole.0.lock().unwrap()[0].clone();
    let value = |name: &str| sent.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap_or_default();
    for (name, expected) in [
        ("X-Api-ClientID", "123456"),
        ("X-Api-Auth-Version", "2.0"),
        ("x-api-timestamp", "1735787045"),
        ("x-api-nonce", "1735787045"),
        ("x-api-signheaders", "x-api-timestamp,x-api-nonce"),
        ("X-Api-Signature", "OTMwMjk2ODhkMWYwNTA0NGM3NzM5MWU2YWE3OGUyZTQyYzc3ZThmOWIyMGYwYThmMWRhYjcyMDc5NGIwODVhMQ=="),
        ("X-Kd-Appkey", "123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWJj"),
        ("X-Kd-Appdata", "NjBhYTAwMDAwMDAwMDAsZGVtbywyMDUyLDA="),
        ("X-Kd-Signature", "NGY4NzZiMmY3MzZhNjIxYTA3ZDEzZDEzOWYxZTkwNTFlZmYwMTkzMTJjZTA0MzQyZmI4MzdmOTkwZDZhMGM2NQ=="),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
}
