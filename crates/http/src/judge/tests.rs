//! Every answer leads to one verdict, and none is better than what was said.

use std::time::Duration;

use skydeck_core::domain::cause::{BUILT_IN, CauseTable};
use skydeck_core::domain::sending::{Is, Search};

use super::*;

fn is(path: &str, value: &str) -> Check {
    Check { path: path.into(), is: Is::In, values: vec![value.into()] }
}

fn sending(own: bool) -> Sending {
    let names = Names {
        rows: "$.data".into(),
        key: "$.so_id".into(),
        id: Some("$.o_id".into()),
        no: own.then(|| "$.so_id".into()),
    };
    Sending {
        ok: vec![is("$.code", "0")],
        said: Some("$.msg".into()),
        answer: names,
        look: Search::default(),
        ..Sending::default()
    }
}

fn judge_as(sending: &Sending, token: Option<&[Check]>, status: u16, body: &[u8]) -> Judged {
    let causes: CauseTable = toml_of(BUILT_IN);
    let redactor = Redactor::default();
    let asked = Asked { sending, key: "SO-7", causes: &causes, redactor: &redactor, token };
    let headers = vec![("Retry-After".to_owned(), "9".to_owned())];
    asked.judge(&Ok(HttpReply { status, headers, body: body.to_vec() }))
}

fn toml_of(text: &str) -> CauseTable {
    toml::from_str(text).unwrap()
}

/// What a verdict is, in a word.
fn word(judged: &Judged) -> String {
    match &judged.verdict {
        Verdict::Done => "done".to_owned(),
        Verdict::Rejected(failure) => format!("refused {}", failure.message),
        Verdict::NotSent(_) => "not sent".to_owned(),
        Verdict::Unknown(why, _) => format!("unknown {why:?}"),
    }
}

#[test]
fn an_answer_is_done_only_where_it_took_and_names_the_key() {
    for (status, body, want) in [
        (200, r#"{"code":0,"data":{"so_id":"SO-7","o_id":55}}"#, "done"),
        (201, r#"{"code":"0","data":[{"so_id":"so-7 ","o_id":"55"}]}"#, "done"),
        (200, r#"{"code":0,"data":[{"so_id":"SO-6"},{"so_id":"SO-7"}]}"#, "done"),
        (200, r#"{"code":0,"data":[{"so_id":"SO-7"},{"so_id":"SO-7"}]}"#, "unknown NotNamed"),
        (200, r#"{"code":0,"data":[]}"#, "unknown NotNamed"),
        (200, r#"{"code":0,"data":null}"#, "unknown NotNamed"),
        (200, r#"{"code":0}"#, "unknown NotNamed"),
        (200, r#"{"code":0,"data":{"o_id":55}}"#, "unknown NotNamed"),
        (200, r#"{"code":0,"data":{"so_id":["SO-7"]}}"#, "unknown NotNamed"),
        (200, r#"{"code":0,"data":{"so_id":"SO-8"}}"#, "unknown NotNamed"),
        (200, r#"{"code":0,"data":"SO-7"}"#, "unknown NotNamed"),
        (200, r#"{"code":17,"msg":"库存不足"}"#, "refused 库存不足"),
        (200, r#"{"msg":"ok","data":{"so_id":"SO-7"}}"#, "unknown Unreadable"),
        (200, r#"{"code":[0],"data":{"so_id":"SO-7"}}"#, "unknown Unreadable"),
        (200, "<html>login</html>", "unknown Unreadable"),
        (200, r#"{"code":0,"data":{"so_id":"SO-7""#, "unknown Unreadable"),
        (200, "", "unknown NotNamed"),
        (204, "", "unknown NotNamed"),
        (400, r#"{"code":0,"msg":"so_id is missing"}"#, "refused so_id is missing"),
        (409, r#"{"code":1,"msg":"exists"}"#, "refused exists"),
        (404, "<html>nginx</html>", "unknown HttpStatus(404)"),
        (408, r#"{"code":1,"msg":"late"}"#, "unknown HttpStatus(408)"),
        (429, r#"{"code":1,"msg":"slow"}"#, "unknown HttpStatus(429)"),
        (500, r#"{"code":0,"data":{"so_id":"SO-7"}}"#, "unknown HttpStatus(500)"),
        (502, "<html>", "unknown HttpStatus(502)"),
        (302, "", "unknown HttpStatus(302)"),
        (100, "", "unknown HttpStatus(100)"),
    ] {
        let judged = judge_as(&sending(false), None, status, body.as_bytes());
        assert_eq!(word(&judged), want, "{status} {body}");
        assert_eq!(judged.made.is_some(), want == "done", "{status} {body}");
    }
    let done = judge_as(&sending(false), None, 200, br#"{"code":0,"data":{"so_id":"SO-7","o_id":55}}"#);
    assert_eq!(done.made, Some((Fid::new("55"), "SO-7".to_owned())));
    assert_eq!(word(&judge_as(&sending(false), None, 200, b"{\"code\":0,\"x\":\"\xff\"}")), "unknown Unreadable");
}

#[test]
fn a_number_of_ours_that_was_replaced_is_told_as_such() {
    let judged = judge_as(&sending(true), None, 200, br#"{"code":0,"data":{"so_id":"AUTO-1"}}"#);
    assert_eq!(judged.verdict, Verdict::Unknown(UnknownWhy::KeyNotHonoured, "AUTO-1".into()));
}

#[test]
fn who_is_not_known_any_more_has_not_been_told_no() {
    let lost = [is("$.code", "40101")];
    for (status, body) in [(401, "{}"), (401, "<html>"), (200, r#"{"code":40101,"msg":"token expired"}"#)] {
        let judged = judge_as(&sending(false), Some(&lost), status, body.as_bytes());
        assert_eq!(word(&judged), "unknown SessionLost", "{status} {body}");
        assert_eq!(judged.alarm, Some(Alarm::SessionLost));
    }
    // A secret that is for good is refused for good.
    let judged = judge_as(&sending(false), None, 401, br#"{"msg":"no such key"}"#);
    assert_eq!(
        (word(&judged).as_str(), judged.alarm),
        ("refused no such key", Some(Alarm::Credentials("no such key".into())))
    );
    let other = judge_as(&sending(false), Some(&lost), 200, br#"{"code":40102,"msg":"no"}"#);
    assert_eq!((word(&other).as_str(), other.alarm), ("refused no", None));
}

#[test]
fn a_wish_to_slow_down_is_heard() {
    let slow = judge_as(&sending(false), None, 429, b"");
    assert_eq!(slow.alarm, Some(Alarm::SlowDown(Some(Duration::from_secs(9)))));
    assert_eq!(judge_as(&sending(false), None, 500, b"").alarm, None);
}

#[test]
fn only_what_never_left_was_not_sent() {
    let causes: CauseTable = toml_of(BUILT_IN);
    let (sending, redactor) = (sending(false), Redactor::default());
    let asked = Asked { sending: &sending, key: "SO-7", causes: &causes, redactor: &redactor, token: None };
    for (fault, want) in [
        (TransportFault::NotSent("refused".into()), "not sent"),
        (TransportFault::TimedOut(Duration::from_secs(1)), "unknown TimedOut"),
        (TransportFault::Broken("reset".into()), "unknown Broken"),
        (TransportFault::TooLarge { limit: 9 }, "unknown TooLarge"),
        (TransportFault::Redirected { status: 302, to: "x".into() }, "unknown Redirected"),
    ] {
        assert_eq!(word(&asked.judge(&Err(fault))), want);
    }
}
