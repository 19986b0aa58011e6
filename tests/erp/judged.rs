//! One answer, and all that is made of it: every verdict with its words, what is said beside it, and the alarm.
use std::time::Duration;

use serde_json::{Value, json};
use skydeck::domain::bill::{Failure, UnknownWhy};
use skydeck::domain::cause::{BUILT_IN, Cause, CauseTable};
use skydeck::domain::ids::Fid;
use skydeck::domain::step::Verdict;
use skydeck::engine::ports::Alarm;
use skydeck::erp::classify::{Judged, Mode, Names, judge_write};
use skydeck::erp::transport::{HttpReply, TransportFault};

const BOTH: [Mode; 2] = [Mode::Signed, Mode::Login];

fn causes() -> CauseTable {
    toml::from_str(BUILT_IN).unwrap()
}

fn number(i: usize) -> String {
    format!("XSCKD{i:06}")
}

fn asked(n: usize) -> Vec<(Fid, String)> {
    (1..=n).map(|i| (Fid::new(i.to_string()), number(i))).collect()
}

fn reply(status: u16, retry_after: Option<&str>, body: &str) -> HttpReply {
    let headers = retry_after.map(|wait| ("Retry-After".to_owned(), wait.to_owned()));
    HttpReply { status, headers: headers.into_iter().collect(), body: body.as_bytes().to_vec() }
}

fn judge(reply: HttpReply, n: usize, mode: Mode) -> Judged {
    judge_write(&Ok(reply), &asked(n), &causes(), (mode, Names::Asked))
}

fn answer(is_success: bool, code: &Value, errors: &[Value], entities: &[Value]) -> String {
    json!({"Result": {"ResponseStatus": {
        "IsSuccess": is_success, "Errors": errors, "SuccessEntitys": entities, "MsgCode": code, "ErrorCode": 500,
    }}})
    .to_string()
}

fn done(i: usize) -> Value {
    json!({"Id": i, "Number": number(i), "DIndex": 0})
}

fn error(message: &str) -> Value {
    json!({"FieldName": null, "Message": message, "DIndex": 0})
}

fn at_field(field: &str, message: &str) -> Value {
    json!({"FieldName": field, "Message": message, "DIndex": 0})
}

fn of_bill(i: usize, words: &str) -> String {
    format!("单据编号为“{}”的销售出库单，{words}", number(i))
}

fn unknown(why: UnknownWhy, words: &str) -> Verdict {
    Verdict::Unknown(why, words.to_owned())
}

fn unreadable(words: &str) -> Verdict {
    unknown(UnknownWhy::Unreadable, words)
}

fn not_named(words: &str) -> Verdict {
    unknown(UnknownWhy::NotNamed, words)
}

fn failed(cause: &str, code: Option<i64>, field: Option<&str>, message: &str) -> Verdict {
    let (cause, field) = (Cause::new(cause), field.map(str::to_owned));
    Verdict::Rejected(Failure { cause, msg_code: code, field, message: message.to_owned() })
}

fn told(verdicts: &[Verdict], alarm: Option<Alarm>) -> Judged {
    let verdicts = (1..).map(|i: usize| Fid::new(i.to_string())).zip(verdicts.iter().cloned()).collect();
    Judged { verdicts, side: Vec::new(), alarm, made: Vec::new() }
}

/// The same verdict for each of `n` bills.
fn all(n: usize, verdict: &Verdict, alarm: Option<Alarm>) -> Judged {
    told(&vec![verdict.clone(); n], alarm)
}

#[test]
fn a_call_without_an_answer_says_how_it_ended() {
    let elsewhere = TransportFault::Redirected { status: 302, to: "http://login.invalid/".into() };
    for (fault, verdict) in [
        (TransportFault::NotSent("connection refused".into()), Verdict::NotSent("connection refused".into())),
        (TransportFault::TimedOut(Duration::from_secs(60)), unknown(UnknownWhy::TimedOut, "no answer within 60 s")),
        (TransportFault::Broken("reset".into()), unknown(UnknownWhy::Broken, "reset")),
        (TransportFault::TooLarge { limit: 7 }, unknown(UnknownWhy::TooLarge, "the answer is larger than 7 bytes")),
        (elsewhere, unknown(UnknownWhy::Redirected, "the server answered 302 and points to http://login.invalid/")),
    ] {
        for mode in BOTH {
            let judged = judge_write(&Err(fault.clone()), &asked(3), &causes(), (mode, Names::Asked));
            assert_eq!(judged, all(3, &verdict, None), "{fault:?}");
        }
    }
}

#[test]
fn a_status_of_http_leaves_each_bill_unknown_and_says_what_concerns_the_server() {
    let slow = |seconds: Option<u64>| Some(Alarm::SlowDown(seconds.map(Duration::from_secs)));
    let refused = |words: &str| Some(Alarm::Credentials(words.to_owned()));
    let lost = Some(Alarm::SessionLost);
    let thirty = "HTTP 500: Fail to verify thirty passport";
    for (status, wait, body, words, signed, login) in [
        (429, Some("30"), "slow", "HTTP 429: slow", slow(Some(30)), slow(Some(30))),
        (429, None, "slow", "HTTP 429: slow", slow(None), slow(None)),
        (503, Some("5"), "busy", "HTTP 503: busy", slow(Some(5)), slow(Some(5))),
        (503, None, "busy", "HTTP 503: busy", None, None),
        (500, Some("5"), "busy", "HTTP 500: busy", None, None),
        (401, None, "who", "HTTP 401: who", refused("HTTP 401: who"), lost.clone()),
        (500, None, "Fail to verify thirty passport", thirty, refused(thirty), refused(thirty)),
        (502, None, "  <html>登录超时</html>", "HTTP 502: <html>登录超时</html>", None, None),
        (404, None, " \n ", "HTTP 404: ", None, None),
    ] {
        for (mode, alarm) in [(Mode::Signed, signed), (Mode::Login, login)] {
            let verdict = unknown(UnknownWhy::HttpStatus(status), words);
            assert_eq!(judge(reply(status, wait, body), 3, mode), all(3, &verdict, alarm), "{status} {body} {mode:?}");
        }
    }
    for mode in BOTH {
        let verdict = unknown(UnknownWhy::SessionLost, "HTTP 500: ctx == null");
        assert_eq!(judge(reply(500, None, "ctx == null"), 3, mode), all(3, &verdict, lost.clone()));
    }
    let long = format!("HTTP 500: {}…", "单".repeat(200));
    for (signs, words) in [(200, long.trim_end_matches('…')), (201, long.as_str())] {
        let judged = judge(reply(500, None, &format!(" {} ", "单".repeat(signs))), 1, Mode::Signed);
        assert_eq!(judged, all(1, &unknown(UnknownWhy::HttpStatus(500), words), None), "{signs}");
    }
}

#[test]
fn an_answer_of_another_shape_is_told_by_its_words() {
    let told_401 = "the answer is a text that begins with 401";
    for body in ["\"401 Forbidden ByRspRetStatusCode\"", "\u{feff} \"401 x\"", "401 Forbidden"] {
        for (mode, alarm) in [(Mode::Signed, Alarm::Credentials(told_401.into())), (Mode::Login, Alarm::SessionLost)] {
            let verdict = unknown(UnknownWhy::SessionLost, told_401);
            assert_eq!(judge(reply(200, None, body), 3, mode), all(3, &verdict, Some(alarm)), "{body}");
        }
    }
    let row = |code: &Value, errors: &[Value]| format!("[[{}]]", answer(false, code, errors, &[]));
    let other = |words: &str| unreadable(&format!("the answer cannot be read: {words}"));
    for (body, verdict) in [
        ("<html>请登录</html>".to_owned(), other("a web page, not JSON")),
        (String::new(), other("empty")),
        ("\"4010 rows\"".to_owned(), other("JSON of another shape (line 1, column 11): 4010 rows")),
        ("response_error:".to_owned(), other("`response_error:` in place of an answer")),
        ("response_error: 空引用".to_owned(), other("`response_error:` in place of an answer: 空引用")),
        (row(&json!(11), &[]), unreadable("the answer is that of a query")),
        (
            row(&json!(11), &[error("数量不符"), error(""), error("单价不符")]),
            unreadable("the answer is that of a query: 数量不符\n单价不符"),
        ),
        ("[]".to_owned(), other("JSON of another shape (line 1, column 2)")),
    ] {
        for mode in BOTH {
            assert_eq!(judge(reply(200, None, &body), 3, mode), all(3, &verdict, None), "{body}");
        }
    }
    let lost = unknown(UnknownWhy::SessionLost, "x");
    let body = row(&json!(1), &[error("x")]);
    let refused = Some(Alarm::Credentials("x".into()));
    assert_eq!(judge(reply(200, None, &body), 3, Mode::Signed), all(3, &lost, refused));
    assert_eq!(judge(reply(200, None, &body), 3, Mode::Login), all(3, &lost, Some(Alarm::SessionLost)));
}

#[test]
fn who_are_you_refuses_a_signed_call_and_leaves_one_of_a_login_open() {
    let errors = [error("会话信息已丢失，请重新登录"), error("x")];
    let words = "会话信息已丢失，请重新登录\nx";
    let lost = unknown(UnknownWhy::SessionLost, words);
    for (code, told) in [(json!(1), Some(1)), (json!(0), Some(0)), (json!(null), None)] {
        let body = answer(false, &code, &errors, &[]);
        for n in [1, 3] {
            let refused = failed("credentials", told, None, words);
            let alarm = Some(Alarm::Credentials(words.into()));
            assert_eq!(judge(reply(200, None, &body), n, Mode::Signed), all(n, &refused, alarm), "{code}");
            let login = all(n, &lost, Some(Alarm::SessionLost));
            assert_eq!(judge(reply(200, None, &body), n, Mode::Login), login, "{code}");
        }
    }
    // Words of it under another code are a hint: what they leave open is open in both modes.
    let hinted = answer(false, &json!(4), &errors, &[]);
    let coded = answer(false, &json!(11), &errors, &[]);
    for mode in BOTH {
        assert_eq!(judge(reply(200, None, &hinted), 3, mode), all(3, &lost, Some(Alarm::SessionLost)));
        assert_eq!(
            judge(reply(200, None, &coded), 3, mode),
            all(3, &lost, None),
            "no session is lost by a code of its own"
        );
    }
}

#[test]
fn what_no_honest_answer_says_is_believed_of_no_bill() {
    let three = [done(1), done(2), done(3)];
    for (is_success, code, errors, entities, words) in [
        (true, json!(0), vec![error("x"), error("y")], &three[..], "IsSuccess is true, yet there are errors: x\ny"),
        (true, json!(0), vec![error("")], &three[..], "IsSuccess is true, yet there are errors"),
        (true, json!(11), vec![], &three[..1], "IsSuccess is true, yet MsgCode names a failure"),
        (true, json!(1), vec![], &[], "IsSuccess is true, yet MsgCode names a failure"),
        (true, json!(1), vec![error("ctx == null")], &[], "IsSuccess is true, yet there are errors: ctx == null"),
        (false, json!(1), vec![error("x")], &three[..2], "the session is lost, yet there are successes: x"),
        (false, json!(0), vec![], &three[..], "IsSuccess is false, yet every bill stands among the successes"),
        (
            false,
            json!(0),
            vec![error("x")],
            &three[..],
            "IsSuccess is false, yet every bill stands among the successes: x",
        ),
    ] {
        let body = answer(is_success, &code, &errors, entities);
        for mode in BOTH {
            assert_eq!(judge(reply(200, None, &body), 3, mode), all(3, &unreadable(words), None), "{body}");
        }
    }
    for (entities, stranger) in [
        (vec![done(1), json!({"Id": 9, "Number": number(9)})], "bill 9"),
        (vec![json!({"Id": 0, "Number": "XSCKD000009"})], "bill XSCKD000009"),
        (vec![done(1), json!({"Id": 2, "Number": number(3)})], "bill 2 as XSCKD000003"),
    ] {
        let body = answer(false, &json!(11), &[error("x")], &entities);
        let words = format!("the answer names {stranger}, which was not asked: x");
        let expected = all(3, &unknown(UnknownWhy::WrongIds, &words), Some(Alarm::WrongIds));
        assert_eq!(judge(reply(200, None, &body), 3, Mode::Login), expected, "{body}");
    }
}

/// A batch: what is said of one bill is said of no other.
#[test]
fn each_bill_of_a_batch_has_its_own_words() {
    let silent = "the answer refuses without naming a bill or a reason";
    let omitted = "the answer does not name this bill";
    let (stock, closed) = (of_bill(2, "库存不足"), of_bill(3, "该期间已关账"));
    let stranger = of_bill(999, "数量不符");
    let beside = "单据编号为“AR00004867”的应收单，审核失败！";
    let twice = "the answer counts the bill both among the successes and among the errors";
    let also = |words: &str| not_named(&format!("{omitted}: {words}"));
    let other = "the answer counts the bill as done under another number: XSCKD000002-1";
    let licence = failed("licence", Some(7), None, "");
    for (is_success, code, errors, entities, expected) in [
        (true, 0, vec![], vec![done(3), done(1), done(2)], [Verdict::Done, Verdict::Done, Verdict::Done]),
        (
            false,
            11,
            vec![error(&closed), error(&stock)],
            vec![done(1)],
            [Verdict::Done, failed("stock", Some(11), None, &stock), failed("period", Some(11), None, &closed)],
        ),
        (true, 0, vec![], vec![done(1)], [Verdict::Done, not_named(omitted), not_named(omitted)]),
        (true, 0, vec![], vec![], [not_named(omitted), not_named(omitted), not_named(omitted)]),
        (
            true,
            0,
            vec![],
            vec![done(1), json!({"Id": 2, "Number": "XSCKD000002-1"}), done(3)],
            [Verdict::Done, not_named(other), Verdict::Done],
        ),
        (
            false,
            11,
            vec![error(&stock)],
            vec![done(1), done(2)],
            [Verdict::Done, unreadable(&format!("{twice}: {stock}")), not_named(omitted)],
        ),
        // Nobody is named: the refusal is of the call. Somebody is: the nameless words stand beside who is left.
        (
            false,
            11,
            vec![error(beside), error("x")],
            vec![],
            [(); 3].map(|()| failed("validation", Some(11), None, &format!("{beside}\nx"))),
        ),
        (false, 11, vec![error(beside)], vec![done(1), done(3)], [Verdict::Done, also(beside), Verdict::Done]),
        (
            false,
            11,
            vec![error("x"), error(&stock)],
            vec![],
            [also("x"), failed("stock", Some(11), None, &stock), also("x")],
        ),
        // A bill of the same series that was not asked: nothing says that the rest is about ours.
        (false, 11, vec![error("x"), error(&stranger)], vec![], [(); 3].map(|()| also(&format!("{stranger}\nx")))),
        // A code without a word is believed only where it says that nothing was tried.
        (false, 7, vec![], vec![], [(); 3].map(|()| licence.clone())),
        (false, 11, vec![], vec![], [(); 3].map(|()| not_named(silent))),
        (false, 4, vec![], vec![], [(); 3].map(|()| not_named(silent))),
        (false, 7, vec![], vec![json!({"Id": null, "Number": ""})], [(); 3].map(|()| not_named(omitted))),
        (false, 7, vec![], vec![done(2)], [not_named(omitted), Verdict::Done, not_named(omitted)]),
        (false, 7, vec![error("")], vec![], [(); 3].map(|()| licence.clone())),
    ] {
        let body = answer(is_success, &json!(code), &errors, &entities);
        for mode in BOTH {
            assert_eq!(judge(reply(200, None, &body), 3, mode), told(&expected, None), "{body}");
        }
    }
}

#[test]
fn one_bill_is_told_by_what_is_said_of_it_and_of_nobody_else() {
    let elsewhere = |at: i64| json!({"FieldName": null, "Message": "金额不符", "DIndex": at});
    let stranger = of_bill(999, "单据已经审核！");
    let omitted = "the answer does not name this bill";
    let also = |words: &str| not_named(&format!("{omitted}: {words}"));
    let refused = |message: &str| failed("validation", Some(11), None, message);
    for (code, errors, entities, expected) in [
        (11, vec![elsewhere(0)], vec![], refused("金额不符")),
        (11, vec![elsewhere(-1)], vec![], refused("金额不符")),
        (11, vec![json!({"Message": "金额不符"})], vec![], refused("金额不符")),
        (11, vec![elsewhere(1)], vec![], also("金额不符")),
        (7, vec![elsewhere(3)], vec![], also("金额不符")),
        (11, vec![elsewhere(3), error("数量不符")], vec![], refused("数量不符")),
        (11, vec![error(&stranger)], vec![], also(&stranger)),
        (
            11,
            vec![error(&stranger), error("审核失败")],
            vec![],
            failed("already_audited", Some(11), None, &format!("审核失败\n{stranger}")),
        ),
        (7, vec![], vec![json!({"Id": null, "Number": " "})], not_named(omitted)),
    ] {
        let body = answer(false, &json!(code), &errors, &entities);
        assert_eq!(judge(reply(200, None, &body), 1, Mode::Login), told(&[expected], None), "{body}");
    }
    // A bill without a number of ours has none to compare.
    for ours in ["", " ", " XSCKD000001 "] {
        let body = answer(true, &json!(0), &[], &[done(1)]);
        let judged = judge_write(
            &Ok(reply(200, None, &body)),
            &[(Fid::new("1"), ours.into())],
            &causes(),
            (Mode::Login, Names::Asked),
        );
        assert_eq!(judged, told(&[Verdict::Done], None), "{ours:?}");
    }
    let by_number = answer(true, &json!(0), &[], &[json!({"Id": 0, "Number": number(1)})]);
    let padded = [(Fid::new("1"), " XSCKD000001 ".to_owned())];
    let judged = judge_write(&Ok(reply(200, None, &by_number)), &padded, &causes(), (Mode::Login, Names::Asked));
    assert_eq!(judged, told(&[Verdict::Done], None));
}

/// Which of several errors gives the class and the field; every word is kept.
#[test]
fn the_most_telling_error_gives_class_and_field() {
    let prompt = "AbstractInteractionResult";
    let empty = at_field(prompt, "AbstractInteractionResult.InteractionContext is null");
    let asks = at_field(prompt, "信用超额，是否继续？");
    for (code, errors, cause, field) in [
        (json!(11), vec![at_field("FA", "a"), at_field("FB", "b")], "validation", Some("FA")),
        (json!(11), vec![error("a"), at_field("FB", "b")], "validation", Some("FB")),
        (json!(11), vec![asks.clone(), error("批号必录")], "validation", None),
        (json!(11), vec![asks.clone(), error("数量必填")], "validation", None),
        (json!(11), vec![asks.clone(), error("Field Batch is required")], "validation", None),
        (json!(11), vec![asks.clone(), error("数量不符")], "interaction", Some(prompt)),
        (json!(11), vec![error("数量不符"), asks.clone()], "interaction", Some(prompt)),
        (json!(11), vec![empty.clone(), error("数量不符")], "validation", None),
        (json!(11), vec![error("数量不符"), empty.clone()], "validation", None),
        (json!(11), vec![at_field("FX", "批号必录"), error("该期间已关账")], "period", None),
        (json!(11), vec![at_field("FX", "批号必录"), asks], "validation", Some("FX")),
        (json!(null), vec![error("别的"), error("数量不能为空")], "validation", None),
        (json!(null), vec![error("未将对象引用设置到对象的实例"), error("该期间已关账")], "period", None),
        (json!(null), vec![error("未将对象引用设置到对象的实例"), error("数量不能为空")], "validation", None),
        (json!(99), vec![error("a"), error("b")], "unclassified", None),
    ] {
        let said: Vec<&str> = errors.iter().map(|e| e["Message"].as_str().unwrap()).collect();
        let expected = failed(cause, code.as_i64(), field, &said.join("\n"));
        let body = answer(false, &code, &errors, &[]);
        assert_eq!(judge(reply(200, None, &body), 1, Mode::Login), told(&[expected], None), "{body}");
    }
    let open = answer(false, &json!(4), &[error("Transaction was deadlocked")], &[]);
    let fault = unknown(UnknownWhy::ServerFault, "Transaction was deadlocked");
    assert_eq!(judge(reply(200, None, &open), 3, Mode::Login), all(3, &fault, None));
}

#[test]
fn a_limit_of_calls_slows_the_server_down_whatever_becomes_of_the_bills() {
    let wait = |seconds: Option<u64>| Some(Alarm::SlowDown(seconds.map(Duration::from_secs)));
    let limit = failed("call_limit", Some(14), None, "x");
    let body = answer(false, &json!(14), &[error("x")], &[]);
    assert_eq!(judge(reply(200, Some("20"), &body), 3, Mode::Login), all(3, &limit, wait(Some(20))));
    assert_eq!(judge(reply(200, None, &body), 3, Mode::Login), all(3, &limit, wait(None)));
    let silent = answer(false, &json!(14), &[], &[]);
    let limit = failed("call_limit", Some(14), None, "");
    assert_eq!(judge(reply(200, None, &silent), 3, Mode::Login), all(3, &limit, wait(None)));
    // None of ours is refused, and the server is at its limit all the same.
    let stranger = of_bill(999, "x");
    let open = not_named(&format!("the answer does not name this bill: {stranger}"));
    let body = answer(false, &json!(14), &[error(&stranger)], &[]);
    assert_eq!(judge(reply(200, None, &body), 3, Mode::Login), all(3, &open, wait(None)));
    // Another code, and an operator's own rule: one bill of three is enough.
    let rule: CauseTable = toml::from_str("[[rule]]\ncause = 'call_limit'\ncontains = ['今日次数已满']\n").unwrap();
    let full = of_bill(2, "今日次数已满");
    let body = answer(false, &json!(15), &[error(&full)], &[done(1)]);
    let verdicts =
        [Verdict::Done, failed("call_limit", Some(15), None, &full), not_named("the answer does not name this bill")];
    let own = judge_write(
        &Ok(reply(200, None, &body)),
        &asked(3),
        &causes().overridden_by(rule),
        (Mode::Login, Names::Asked),
    );
    assert_eq!(own, told(&verdicts, wait(None)));
    let forbidden = failed("login_forbidden", Some(15), None, &full);
    let built_in = judge(reply(200, None, &body), 3, Mode::Login);
    assert_eq!(built_in, told(&[Verdict::Done, forbidden, verdicts[2].clone()], None), "15 is no limit");
}

#[test]
fn side_effects_are_told_word_for_word_and_blank_ones_are_not() {
    let body = json!({"Result": {"ResponseStatus": {
        "IsSuccess": true, "SuccessEntitys": [done(1), done(2), done(3)], "MsgCode": 0,
        "SuccessMessages": [{"Message": "单据编号为“AR00000001”的应收单，审核成功！"}, {"Message": ""}, {"Message": "已生成凭证"}],
    }}});
    let side = vec!["单据编号为“AR00000001”的应收单，审核成功！".to_owned(), "已生成凭证".to_owned()];
    let expected = Judged { side, ..all(3, &Verdict::Done, None) };
    assert_eq!(judge(reply(200, None, &body.to_string()), 3, Mode::Signed), expected);
}

/// The answer to a push of one bill, the first.
fn pushed(status: &Value, convert: &Value) -> Judged {
    let body = json!({"Result": {"ResponseStatus": status, "ConvertResponseStatus": convert}}).to_string();
    judge_write(&Ok(reply(200, None, &body)), &asked(1), &causes(), (Mode::Signed, Names::Pushed))
}

#[test]
fn a_push_is_done_where_one_bill_was_made_and_the_conversion_refused_nothing() {
    let of = |success: bool, errors: &[Value], made: &[Value]| json!({"IsSuccess": success, "Errors": errors, "SuccessEntitys": made, "MsgCode": if success { 0 } else { 11 }});
    let bill = |id: u32| json!({"Id": id, "Number": format!("AR{id:08}"), "DIndex": 0});
    let fine = of(true, &[], &[]);
    let made = pushed(&of(true, &[], &[bill(300_101)]), &fine);
    assert_eq!(made.verdicts, [(Fid::from(1), Verdict::Done)]);
    assert_eq!(made.made, [(Fid::from(1), Fid::from(300_101), "AR00300101".to_owned())]);
    // A shape that is documented by its name alone says nothing.
    for strange in [Value::Null, json!({}), json!([1, 2]), json!("ok"), json!({"IsSuccess": {}})] {
        assert_eq!(pushed(&of(true, &[], &[bill(300_101)]), &strange).verdicts, made.verdicts, "{strange}");
    }
    // Two bills, none, a draft, and a part that was refused: a look tells.
    let part = of(false, &[error("分录 2 累计关联数量已达订单数量")], &[]);
    for (status, convert) in [
        (of(true, &[], &[bill(300_101), bill(300_102)]), fine.clone()),
        (of(true, &[], &[]), fine.clone()),
        (of(true, &[], &[json!({"Id": 0, "Number": "", "DIndex": 0})]), fine.clone()),
        (of(true, &[], &[bill(300_101)]), part.clone()),
    ] {
        let judged = pushed(&status, &convert);
        assert!(matches!(&judged.verdicts[..], [(_, Verdict::Unknown(..))]), "{status}: {judged:?}");
    }
    // What the conversion says is why it was refused, where nothing else says so.
    let refused = pushed(&of(false, &[], &[]), &part);
    let [(_, Verdict::Rejected(failure))] = &refused.verdicts[..] else { panic!("{refused:?}") };
    assert!(failure.message.contains("累计关联数量"), "{failure:?}");
}
