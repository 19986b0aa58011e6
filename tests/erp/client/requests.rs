//! Reads and writes: keyset pages, optional columns, one POST a write, and what must not leave.

use std::sync::{Arc, Mutex};

use super::{audit, causes, client, config, data, page, says, signed, stub, token};
use crate::support::clock::TokioClock;
use crate::support::stub::{Answer, FIRST, success};
use async_trait::async_trait;
use skydeck::domain::bill::UnknownWhy;
use skydeck::domain::ids::{EnvId, Fid, FormId};
use skydeck::domain::run::Flag;
use skydeck::domain::step::{Verb, Verdict};
use skydeck::engine::ports::{Erp, FaultKind, WriteToken};
use skydeck::erp::KingdeeErp;
use skydeck::erp::transport::{CallKind, HttpReply, Post, Transport, TransportFault};

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
    assert!(fault.message.contains("FApproveDate") && fault.message.contains("Correct the plan"), "{fault}");
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

#[tokio::test]
async fn certificates_that_cannot_be_read_are_named() {
    let mut config = config("https://erp.example.invalid/k3cloud/", signed());
    let file = tempfile::NamedTempFile::new().unwrap();
    config.reach.ca_file = Some(file.path().to_owned());
    let fault = KingdeeErp::new(config.clone(), causes(), Arc::new(TokioClock::start())).err().unwrap().to_string();
    assert!(fault.contains("no certificate in it"), "{fault}");
    config.reach.ca_file = Some("/nonexistent/ca.pem".into());
    let fault = KingdeeErp::new(config, causes(), Arc::new(TokioClock::start())).err().unwrap().to_string();
    assert!(fault.contains("ca_file /nonexistent/ca.pem"), "{fault}");
}

/// A network that records calls and answers none.
#[derive(Default)]
struct Hole(Mutex<Vec<Vec<(String, String)>>>);

#[async_trait]
impl Transport for Hole {
    async fn post(&self, Post { path, headers, kind, .. }: Post<'_>) -> Result<HttpReply, TransportFault> {
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
