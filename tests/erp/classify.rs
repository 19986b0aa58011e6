//! The judge of writing calls: total, and never kinder than the answer.
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use skydeck::domain::bill::UnknownWhy;
use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::ids::Fid;
use skydeck::domain::step::Verdict;
use skydeck::engine::ports::Alarm;
use skydeck::erp::classify::{Judged, Mode, Names, judge_write};
use skydeck::erp::transport::{HttpReply, TransportFault};

fn causes() -> &'static CauseTable {
    static CAUSES: LazyLock<CauseTable> = LazyLock::new(|| toml::from_str(BUILT_IN).unwrap());
    &CAUSES
}

fn asked(n: usize) -> Vec<(Fid, String)> {
    (1..=n).map(|i| (Fid::new(i.to_string()), number(i))).collect()
}

fn number(i: usize) -> String {
    format!("XSCKD{i:06}")
}

#[expect(clippy::unnecessary_wraps, reason = "the judge takes what a transport gives")]
fn reply(body: impl Into<Vec<u8>>) -> Result<HttpReply, TransportFault> {
    Ok(HttpReply { status: 200, headers: Vec::new(), body: body.into() })
}

/// What an answer says about one bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Success,
    Error,
    Omitted,
    Both,
}

/// How a success names its bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    IdAndNumber,
    IdAsText,
    NumberAlone,
}

fn envelope(said: &[(Said, By)], is_success: bool, code: &Value) -> Value {
    let mut entities = Vec::new();
    let mut errors = Vec::new();
    // The server's own order is not ours.
    for (at, (said, by)) in said.iter().enumerate().rev() {
        let (id, no) = (at + 1, number(at + 1));
        if matches!(said, Said::Success | Said::Both) {
            entities.push(match by {
                By::IdAndNumber => json!({"Id": id, "Number": no, "DIndex": entities.len()}),
                By::IdAsText => json!({"Id": id.to_string(), "DIndex": 0}),
                By::NumberAlone => json!({"Id": 0, "Number": no, "DIndex": 0}),
            });
        }
        if matches!(said, Said::Error | Said::Both) {
            let message = format!("单据编号为“{no}”的销售出库单，库存不足");
            errors.push(json!({"FieldName": "", "Message": message, "DIndex": errors.len()}));
        }
    }
    json!({"Result": {"ResponseStatus": {
        "IsSuccess": is_success, "Errors": errors, "SuccessEntitys": entities, "SuccessMessages": [], "MsgCode": code,
    }}})
}

fn said() -> impl Strategy<Value = (Said, By)> {
    let said = prop_oneof![
        4 => Just(Said::Success),
        2 => Just(Said::Error),
        2 => Just(Said::Omitted),
        1 => Just(Said::Both),
    ];
    let by = prop_oneof![Just(By::IdAndNumber), Just(By::IdAsText), Just(By::NumberAlone)];
    (said, by)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// Row 44 of docs/design/faults.md over all subsets: each bill gets what the answer says about it, and silence is unknown.
    #[test]
    fn a_batch_is_judged_bill_by_bill(said in proptest::collection::vec(said(), 1..8)) {
        let is_success = said.iter().all(|(s, _)| matches!(s, Said::Success | Said::Omitted));
        let body = envelope(&said, is_success, &json!(0)).to_string();
        let judged = judge_write(&reply(body), &asked(said.len()), causes(), (Mode::Signed, Names::Asked));
        prop_assert_eq!(judged.verdicts.len(), said.len());
        for (at, ((fid, verdict), (said, _))) in judged.verdicts.iter().zip(&said).enumerate() {
            prop_assert_eq!(fid.as_str(), (at + 1).to_string());
            let right = match said {
                Said::Success => matches!(verdict, Verdict::Done),
                Said::Error => matches!(verdict, Verdict::Rejected(f) if f.cause.as_str() == "stock" && f.message.contains(&number(at + 1))),
                Said::Omitted => matches!(verdict, Verdict::Unknown(UnknownWhy::NotNamed, _)),
                Said::Both => matches!(verdict, Verdict::Unknown(UnknownWhy::Unreadable, _)),
            };
            prop_assert!(right, "{:?} was judged {:?}", said, verdict);
        }
        prop_assert_eq!(judged.alarm, None);
    }

    /// One stranger among the answers, and nothing of the call counts.
    #[test]
    fn a_stranger_spoils_the_whole_call(said in proptest::collection::vec(said(), 1..6), stranger in 100_u32..999) {
        let mut body = envelope(&said, false, &json!(0));
        let entities = body["Result"]["ResponseStatus"]["SuccessEntitys"].as_array_mut().unwrap();
        entities.insert(entities.len() / 2, json!({"Id": stranger, "Number": "XSCKD999999", "DIndex": 0}));
        let judged = judge_write(&reply(body.to_string()), &asked(said.len()), causes(), (Mode::Login, Names::Asked));
        prop_assert_eq!(judged.alarm, Some(Alarm::WrongIds));
        for (_, verdict) in judged.verdicts {
            prop_assert!(matches!(verdict, Verdict::Unknown(UnknownWhy::WrongIds, _)), "{:?}", verdict);
        }
    }

    /// Total, and one verdict a bill in the order asked, whatever comes.
    #[test]
    fn every_body_leads_to_one_verdict_a_bill(
        status in prop_oneof![Just(200_u16), 100_u16..600],
        body in proptest::collection::vec(any::<u8>(), 0..200),
        n in 1_usize..5,
        signed in any::<bool>(),
    ) {
        let answer = Ok(HttpReply { status, headers: Vec::new(), body });
        let judged = judge_write(&answer, &asked(n), causes(), (if signed { Mode::Signed } else { Mode::Login }, Names::Asked));
        check_total(&judged, n);
        prop_assert!(no_done(&judged), "noise was taken for a success");
    }

    /// A perfect success, changed in any one place, is never a success for a bill it does not name in full.
    #[test]
    fn a_damaged_success_is_done_only_if_it_still_says_so(
        n in 1_usize..4, at in 0_usize..400, byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let whole = envelope(&vec![(Said::Success, By::IdAndNumber); n], true, &json!(0)).to_string().into_bytes();
        let at = at % whole.len();
        let mut damaged = whole.clone();
        if cut { damaged.truncate(at) } else { damaged[at] = byte }
        let judged = judge_write(&reply(damaged.clone()), &asked(n), causes(), (Mode::Signed, Names::Asked));
        check_total(&judged, n);
        let done: BTreeSet<String> = done_of(&judged);
        if !done.is_empty() {
            let read: Value = serde_json::from_slice(&damaged).expect("done from a body that is no JSON");
            let status = &read["Result"]["ResponseStatus"];
            prop_assert!(status["IsSuccess"] == json!(true) || status["IsSuccess"] == json!(false));
            let named: BTreeSet<String> = status["SuccessEntitys"].as_array().unwrap().iter().map(|e| {
                let by_id = e["Id"].to_string().trim_matches('"').to_owned();
                if by_id != "null" && by_id != "0" { by_id } else {
                    let no = e["Number"].as_str().unwrap_or_default().trim().trim_start_matches("XSCKD").trim_start_matches('0');
                    no.to_owned()
                }
            }).collect();
            prop_assert!(done.is_subset(&named), "{:?} done, {:?} named", done, named);
        }
    }

    /// Only a connect error is "not sent".
    #[test]
    fn only_a_connect_error_is_not_sent(which in 0_usize..5, n in 1_usize..4) {
        let fault = [
            TransportFault::NotSent("refused".to_owned()),
            TransportFault::TimedOut(Duration::from_secs(60)),
            TransportFault::Broken("reset".to_owned()),
            TransportFault::TooLarge { limit: 1 },
            TransportFault::Redirected { status: 302, to: "x".to_owned() },
        ][which].clone();
        let judged = judge_write(&Err(fault), &asked(n), causes(), (Mode::Login, Names::Asked));
        check_total(&judged, n);
        for (_, verdict) in &judged.verdicts {
            prop_assert_eq!(matches!(verdict, Verdict::NotSent(_)), which == 0);
            prop_assert_eq!(matches!(verdict, Verdict::Unknown(..)), which != 0);
        }
    }
}

fn check_total(judged: &Judged, n: usize) {
    let fids: Vec<&str> = judged.verdicts.iter().map(|(fid, _)| fid.as_str()).collect();
    let expected: Vec<String> = (1..=n).map(|i| i.to_string()).collect();
    assert_eq!(fids, expected);
}

fn done_of(judged: &Judged) -> BTreeSet<String> {
    judged.verdicts.iter().filter(|(_, v)| *v == Verdict::Done).map(|(fid, _)| fid.as_str().to_owned()).collect()
}

fn no_done(judged: &Judged) -> bool {
    done_of(judged).is_empty()
}

/// Contradictions and half-truths of a single call, beyond the scenario files.
#[test]
fn half_truths_of_a_single_call() {
    let success = r#"{"Id":1,"Number":"XSCKD000001"}"#;
    let error = |message: &str, index: i64| format!(r#"{{"FieldName":null,"Message":"{message}","DIndex":{index}}}"#);
    let body = |is_success: &str, errors: &str, entities: &str, code: &str| {
        format!(
            r#"{{"Result":{{"ResponseStatus":{{"IsSuccess":{is_success},"Errors":[{errors}],"SuccessEntitys":[{entities}],"MsgCode":{code}}}}}}}"#
        )
    };
    for (about, body, expected) in [
        ("perfect", body("true", "", success, "0"), "done"),
        ("vendor's text form", body("\"true\"", "", success, "\"\""), "done"),
        ("success with a failure's code", body("true", "", success, "11"), "unreadable"),
        ("success with errors", body("true", &error("x", 0), success, "0"), "unreadable"),
        ("false, yet named as done", body("false", "", success, "0"), "unreadable"),
        ("false, done, and an error without a name", body("false", &error("x", 0), success, "0"), "unreadable"),
        (
            "id of ours under another number",
            body("true", "", r#"{"Id":1,"Number":"XSCKD000001-CX"}"#, "0"),
            "not_named",
        ),
        ("a success without a name", body("true", "", r#"{"Id":null,"Number":"","DIndex":0}"#, "0"), "not_named"),
        ("false and nothing", body("false", "", "", "0"), "not_named"),
        ("validation without a word", body("false", "", "", "11"), "not_named"),
        ("licence without a word", body("false", "", "", "7"), "rejected licence"),
        ("session lost with successes", body("false", "", success, "1"), "unreadable"),
        ("an error without a name", body("false", &error("金额不符", 0), "", "11"), "rejected validation"),
        ("an error with the index of another", body("false", &error("金额不符", 3), "", "11"), "not_named"),
        ("IsSuccess as a number", body("1", "", success, "0"), "unreadable"),
        (
            "two errors, the second telling",
            body("false", &[error("审核失败", 0), error("该期间已关账", 0)].join(","), "", "11"),
            "rejected period",
        ),
        ("exception", body("false", &error("未将对象引用设置到对象的实例", 0), "", "4"), "server_fault"),
        (
            "unknown form",
            body("false", &error("标识为“X”的业务对象不存在，或者被删除", 0), "", "4"),
            "rejected parameter",
        ),
    ] {
        let judged = judge_write(&reply(body.clone()), &asked(1), causes(), (Mode::Login, Names::Asked));
        let word = match &judged.verdicts[0].1 {
            Verdict::Done => "done".to_owned(),
            Verdict::Rejected(failure) => format!("rejected {}", failure.cause),
            Verdict::NotSent(_) => "not_sent".to_owned(),
            Verdict::Unknown(why, _) => why.word().to_owned(),
        };
        assert_eq!(word, expected, "{about}: {body}");
    }
}

#[test]
fn every_word_of_a_refusal_is_kept() {
    let body = r#"{"Result":{"ResponseStatus":{"IsSuccess":false,"Errors":[{"FieldName":"FQty","Message":"  第一行\n错误 "},{"Message":"第二"}],"SuccessEntitys":[],"MsgCode":"11"}}}"#;
    let judged = judge_write(&reply(body), &asked(1), causes(), (Mode::Signed, Names::Asked));
    let Verdict::Rejected(failure) = &judged.verdicts[0].1 else { panic!("{judged:?}") };
    assert_eq!(failure.message, "  第一行\n错误 \n第二");
    assert_eq!((failure.msg_code, failure.field.as_deref()), (Some(11), Some("FQty")));
}

#[test]
fn side_effects_are_told() {
    let body = r#"{"Result":{"ResponseStatus":{"IsSuccess":true,"SuccessEntitys":[{"Id":1}],"SuccessMessages":[{"Message":"单据编号为“AR00000001”的应收单，审核成功！"}],"MsgCode":0}}}"#;
    let judged = judge_write(&reply(body), &asked(1), causes(), (Mode::Signed, Names::Asked));
    assert_eq!(judged.verdicts[0].1, Verdict::Done);
    assert_eq!(judged.side, ["单据编号为“AR00000001”的应收单，审核成功！"]);
    assert_eq!(judged.alarm, None);
}

fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Done => "done".to_owned(),
        Verdict::Rejected(failure) => format!("rejected {}", failure.cause),
        Verdict::NotSent(_) => "not_sent".to_owned(),
        Verdict::Unknown(why, _) => why.word().to_owned(),
    }
}

fn words_kept(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Done => "",
        Verdict::Rejected(failure) => &failure.message,
        Verdict::NotSent(words) | Verdict::Unknown(_, words) => words,
    }
}

fn status(is_success: bool, errors: &Value, entities: &Value, code: &Value) -> String {
    json!({"Result": {"ResponseStatus": {
        "IsSuccess": is_success, "Errors": errors, "SuccessEntitys": entities, "MsgCode": code, "ErrorCode": 500,
    }}})
    .to_string()
}

/// What one answer means for three bills asked at once.
#[test]
fn a_batch_is_never_told_more_than_the_answer_says() {
    let done = |i: usize| json!({"Id": i, "Number": number(i)});
    let error = |message: &str| json!({"FieldName": null, "Message": message, "DIndex": 0});
    let ar = "单据编号为“AR00004867”的应收单，审核失败！";
    let unread = ["unreadable"; 3];
    for (about, body, expected) in [
        ("all done", status(true, &json!([]), &json!([done(3), done(1), done(2)]), &json!(0)), ["done"; 3]),
        (
            "success, yet errors",
            status(true, &json!([error("x")]), &json!([done(1), done(2), done(3)]), &json!(0)),
            unread,
        ),
        ("success, yet a failure's code", status(true, &json!([]), &json!([done(1), done(2)]), &json!(11)), unread),
        ("lost, yet successes", status(false, &json!([error("x")]), &json!([done(1), done(2)]), &json!(1)), unread),
        (
            "not lost, and successes",
            status(false, &json!([error("x")]), &json!([done(1), done(2)]), &json!(2)),
            ["done", "done", "not_named"],
        ),
        ("a licence without a word", status(false, &json!([]), &json!([]), &json!(7)), ["rejected licence"; 3]),
        ("a receivable beside", status(false, &json!([error(ar)]), &json!([]), &json!(11)), ["rejected validation"; 3]),
        (
            "a receivable beside some done",
            status(false, &json!([error(ar)]), &json!([done(1), done(3)]), &json!(11)),
            ["done", "not_named", "done"],
        ),
        (
            "a bill of the same series that was not asked",
            status(false, &json!([error("单据编号为“XSCKD000999”的销售出库单，数量不符")]), &json!([]), &json!(11)),
            ["not_named"; 3],
        ),
        (
            "one under another number",
            status(true, &json!([]), &json!([done(1), {"Id": 2, "Number": "XSCKD000002-1"}, done(3)]), &json!(0)),
            ["done", "not_named", "done"],
        ),
        (
            "one under the number of another",
            status(true, &json!([]), &json!([done(1), {"Id": 2, "Number": number(3)}]), &json!(0)),
            ["wrong_ids"; 3],
        ),
    ] {
        let judged = judge_write(&reply(body.clone()), &asked(3), causes(), (Mode::Login, Names::Asked));
        let words: Vec<String> = judged.verdicts.iter().map(|(_, v)| word(v)).collect();
        assert_eq!(words, expected, "{about}: {body}");
        if body.contains("AR00004867") || body.contains("XSCKD000999") {
            let kept = judged
                .verdicts
                .iter()
                .filter(|(_, v)| *v != Verdict::Done)
                .all(|(_, v)| words_kept(v).contains("单据编号为"));
            assert!(kept, "{about}: {judged:?}");
        }
        assert_eq!(judged.alarm.is_some(), expected == ["wrong_ids"; 3], "{about}");
    }
}

/// A refusal of one bill that names other documents, or more than one trouble.
#[test]
fn a_refusal_is_that_of_the_bill_asked_and_of_its_most_telling_words() {
    let error = |field: Option<&str>, message: &str| json!({"FieldName": field, "Message": message, "DIndex": 0});
    let prompt = Some("AbstractInteractionResult");
    let empty = "AbstractInteractionResult.InteractionContext is null";
    for (errors, code, expected, field) in [
        (json!([error(None, "单据编号为“AR00004867”的应收单，审核失败！")]), json!(11), "validation", None),
        (json!([error(None, "单据编号为“XSDD001”的销售订单未审核")]), json!(11), "validation", None),
        (
            json!([error(Some("FStockId"), "字段“仓库”是必填项"), error(prompt, empty)]),
            Value::Null,
            "validation",
            Some("FStockId"),
        ),
        (json!([error(prompt, empty), error(None, "批号必录")]), Value::Null, "validation", None),
        (
            json!([error(prompt, "信用超额，是否继续？"), error(Some("FQty"), "数量是必填项")]),
            json!(11),
            "validation",
            Some("FQty"),
        ),
        (json!([error(None, "审核失败"), error(prompt, "信用超额，是否继续？")]), json!(11), "interaction", prompt),
        (json!([error(prompt, "信用超额，是否继续？"), error(None, "该期间已关账")]), json!(11), "period", None),
        (json!([error(prompt, empty)]), json!(11), "interaction", prompt),
        (json!([error(None, "a"), error(Some("FX"), "b")]), json!(11), "validation", Some("FX")),
        (json!([error(None, "a"), error(None, "b")]), json!(99), "unclassified", None),
    ] {
        let body = status(false, &errors, &json!([]), &code);
        let judged = judge_write(&reply(body.clone()), &asked(1), causes(), (Mode::Signed, Names::Asked));
        let Verdict::Rejected(failure) = &judged.verdicts[0].1 else { panic!("{body}: {judged:?}") };
        assert_eq!((failure.cause.as_str(), failure.field.as_deref()), (expected, field), "{body}");
        for said in errors.as_array().unwrap() {
            assert!(failure.message.contains(said["Message"].as_str().unwrap()), "{body}");
        }
        assert_eq!(judged.alarm, None);
    }
}

/// Answers of another shape keep their words, and a lost session is one however it is told; of a write nothing follows.
#[test]
fn words_outside_an_answer_are_kept_and_a_lost_session_is_found_in_them() {
    let refused = |message: &str| {
        format!(r#"{{"Result":{{"ResponseStatus":{{"IsSuccess":false,"Errors":[{{"Message":"{message}"}}]}}}}}}"#)
    };
    for (body, expected, kept) in [
        ("response_error: 错误信息: 未将对象引用设置到对象的实例。".to_owned(), "unreadable", "未将对象引用"),
        (r#"response_error:{"Message":"外","InnerExWrapper":{"Message":"内"}}"#.to_owned(), "unreadable", "外: 内"),
        (format!("[[{}]]", refused("数量不符")), "unreadable", "数量不符"),
        (format!("[[{}]]", refused("ctx == null")), "session_lost", "ctx == null"),
        (refused("ctx == null"), "session_lost", "ctx == null"),
        (refused("用户未登录"), "session_lost", "用户未登录"),
        (r#""登录失效，请重新登录""#.to_owned(), "session_lost", "登录失效"),
        (r#"{"ErrorCode":-10001,"Message":"用户未登录"}"#.to_owned(), "session_lost", "用户未登录"),
        ("response_error: Session has expired".to_owned(), "session_lost", "Session has expired"),
    ] {
        for (n, mode) in [(1, Mode::Login), (3, Mode::Login), (1, Mode::Signed), (3, Mode::Signed)] {
            let judged = judge_write(&reply(body.clone()), &asked(n), causes(), (mode, Names::Asked));
            check_total(&judged, n);
            for (_, verdict) in &judged.verdicts {
                assert_eq!(word(verdict), expected, "{body}");
                assert!(words_kept(verdict).contains(kept), "{body}: {verdict:?}");
            }
            let alarm = (expected == "session_lost").then_some(Alarm::SessionLost);
            assert_eq!(judged.alarm, alarm, "{body}");
        }
    }
    for (http, alarm) in [(500, Some(Alarm::SessionLost)), (200, None)] {
        let body = if http == 500 { "ctx == null" } else { "<html>请登录</html>" };
        let answer = Ok(HttpReply { status: http, headers: Vec::new(), body: body.into() });
        assert_eq!(judge_write(&answer, &asked(2), causes(), (Mode::Login, Names::Asked)).alarm, alarm, "{body}");
    }
}
