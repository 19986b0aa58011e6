//! What a reading call came to: rows, or a fault with its class, all its words, and the server's wish.
use std::time::Duration;

use skydeck::domain::cause::{BUILT_IN, Cause, CauseTable};
use skydeck::engine::ports::{Fault, FaultKind};
use skydeck::erp::classify::{Ask, Mode, Reading, http_fault, query_fault, read_query, transport_fault};
use skydeck::erp::transport::{HttpReply, TransportFault};

const ASK: Ask<'static> = Ask { what: "query of SAL_OUTSTOCK", server: "http://erp.invalid/k3cloud/" };
const SIGN_IN: &str = "Sign in again";
const SIGNED: &str = "Calls are signed, so this means that user, application, secret or language id is refused: check them; \
                      repeating cannot help";
const WRONG_PLACE: &str = "Check that the address is the K/3Cloud server's (…/k3cloud/) and no proxy or login page answers in \
                           its place";

fn reply(status: u16, body: &str) -> HttpReply {
    HttpReply { status, headers: vec![("retry-after".to_owned(), "9".to_owned())], body: body.as_bytes().to_vec() }
}

fn read(reply: &HttpReply, mode: Mode) -> Result<Vec<Vec<String>>, Fault> {
    let causes: CauseTable = toml::from_str(BUILT_IN).unwrap();
    read_query(reply, 2, Reading { causes: &causes, mode, ask: ASK })
}

/// A fault as it is told; the server's wish is kept where the answer is a refusal of its own.
fn fault(kind: FaultKind, why: &str, next: &str, waits: bool) -> Fault {
    let message = format!("query of SAL_OUTSTOCK at http://erp.invalid/k3cloud/ failed: {why}. {next}");
    Fault { kind, message, retry_after: waits.then_some(Duration::from_secs(9)), evidence: None }
}

fn refused(code: Option<i64>, cause: &str, why: &str, next: &str, waits: bool) -> Fault {
    fault(FaultKind::Refused { msg_code: code, cause: Cause::new(cause) }, why, next, waits)
}

fn row(code: &str, message: &str) -> String {
    format!(
        r#"[[{{"Result":{{"ResponseStatus":{{"IsSuccess":false,"Errors":[{{"Message":""}},{{"Message":"{message}"}}],"MsgCode":{code}}}}}}}]]"#
    )
}

#[test]
fn a_page_is_rows_of_the_width_asked() {
    assert_eq!(read(&reply(200, r#"[["1","a"],["2","b"]]"#), Mode::Signed).unwrap(), [["1", "a"], ["2", "b"]]);
    assert_eq!(read(&reply(200, "[]"), Mode::Signed).unwrap(), Vec::<Vec<String>>::new());
}

#[test]
fn a_call_without_an_answer_says_whether_anything_was_sent() {
    let elsewhere = TransportFault::Redirected { status: 302, to: "http://login.invalid/".into() };
    for (said, kind, why, next) in [
        (
            TransportFault::NotSent("refused".into()),
            FaultKind::NotConnected,
            "refused",
            "Nothing was sent; check address, network and certificate",
        ),
        (
            TransportFault::TimedOut(Duration::from_secs(60)),
            FaultKind::NoAnswer,
            "no answer within 60 s",
            "Reading is safe to repeat; ask for smaller pages or raise the timeout",
        ),
        (TransportFault::Broken("reset".into()), FaultKind::NoAnswer, "reset", "Reading is safe to repeat"),
        (
            TransportFault::TooLarge { limit: 7 },
            FaultKind::TooLarge,
            "the answer is larger than 7 bytes",
            "Ask for smaller pages or fewer columns",
        ),
        (
            elsewhere,
            FaultKind::Redirected,
            "the server answered 302 and points to http://login.invalid/",
            "Put the address it points to into the environment, if it is the right one",
        ),
    ] {
        assert_eq!(transport_fault(&said, ASK), fault(kind, why, next, false));
    }
    let next = "Nothing read in this call is used; if it happens again, the server or a proxy mixes up answers";
    assert_eq!(query_fault(ASK, "the order is wrong"), fault(FaultKind::Unreadable, "the order is wrong", next, false));
}

#[test]
fn a_status_of_http_is_told_with_what_to_do() {
    let again = "Reading is safe to repeat once the server is well";
    let path = "Check the path of the address; it ends with /k3cloud/ as a rule";
    let fewer = "The server asks for fewer calls; lower the environment's pace";
    let gateway = "Kingdee's gateway refused the call; check application, secret and our clock";
    let account = "Check the account set id (账套) of this environment";
    let mend = "Correct the plan, retry with the new revision";
    let thirty = "Fail to verify thirty passport";
    let filter = "Incorrect syntax near 'x'";
    let page = "<html>请登录 Invalid column name</html>";
    for (status, body, mode, expected) in [
        (401, "who", Mode::Signed, fault(FaultKind::Credentials, "HTTP 401: who", SIGNED, true)),
        (401, "who", Mode::Login, fault(FaultKind::SessionLost, "HTTP 401: who", SIGN_IN, true)),
        (404, "x", Mode::Login, fault(FaultKind::Http(404), "HTTP 404: x", path, true)),
        (429, "x", Mode::Login, fault(FaultKind::Http(429), "HTTP 429: x", fewer, true)),
        (519, "x", Mode::Login, fault(FaultKind::Http(519), "HTTP 519: x", gateway, true)),
        (500, "x", Mode::Login, fault(FaultKind::Http(500), "HTTP 500: x", again, true)),
        (500, thirty, Mode::Signed, fault(FaultKind::AccountSet, &format!("HTTP 500: {thirty}"), account, false)),
        (500, page, Mode::Login, fault(FaultKind::Http(500), &format!("HTTP 500: {page}"), again, true)),
        (500, "ctx == null", Mode::Signed, fault(FaultKind::SessionLost, "ctx == null", SIGN_IN, false)),
        (500, filter, Mode::Login, refused(None, "parameter", &format!("{filter} (no MsgCode)"), mend, false)),
    ] {
        assert_eq!(read(&reply(status, body), mode).unwrap_err(), expected, "{status} {body}");
    }
    assert_eq!(
        http_fault(&reply(502, "ctx == null"), Mode::Login, ASK),
        fault(FaultKind::Http(502), "HTTP 502: ctx == null", again, true)
    );
}

#[test]
fn a_refused_query_is_told_by_its_first_words_and_their_class() {
    let mend = "Correct the plan, retry with the new revision";
    let lost = "会话信息已丢失，请重新登录";
    for (code, message, mode, expected) in [
        ("9", "字段不存在", Mode::Login, refused(Some(9), "parameter", "字段不存在 (MsgCode 9)", mend, true)),
        ("11", "过滤条件有误", Mode::Login, refused(Some(11), "parameter", "过滤条件有误 (MsgCode 11)", mend, true)),
        (
            "2",
            "x",
            Mode::Login,
            refused(
                Some(2),
                "permission",
                "x (MsgCode 2)",
                "Have it granted; the run is paused, resume it with p then",
                true,
            ),
        ),
        (
            "null",
            "",
            Mode::Login,
            refused(
                None,
                "unclassified",
                "refused without a word (no MsgCode)",
                "Read the ERP message; a rule can be added in causes.toml",
                true,
            ),
        ),
        ("1", lost, Mode::Signed, fault(FaultKind::Credentials, lost, SIGNED, false)),
        ("1", lost, Mode::Login, fault(FaultKind::SessionLost, lost, SIGN_IN, false)),
        ("4", lost, Mode::Signed, fault(FaultKind::SessionLost, lost, SIGN_IN, false)),
    ] {
        assert_eq!(read(&reply(200, &row(code, message)), mode).unwrap_err(), expected, "{code} {message}");
    }
    let bare = "An operator's table that describes nothing: read the words";
    let described = CauseTable::default();
    let said = read_query(&reply(200, &row("9", "x")), 2, Reading { causes: &described, mode: Mode::Login, ask: ASK })
        .unwrap_err();
    assert_eq!(said, refused(Some(9), "unclassified", "x (MsgCode 9)", "Read the message", true), "{bare}");
}

#[test]
fn an_answer_that_is_no_page_is_told_by_how_it_begins() {
    let success = r#"{"Result":{"ResponseStatus":{"IsSuccess":true,"Errors":[],"SuccessEntitys":[],"MsgCode":0}}}"#;
    let operation = format!("the answer is that of an operation, not rows; it begins with: {success}");
    let page = "the answer cannot be read: a web page, not JSON; it begins with: <html>请登录</html>";
    let unreadable = |why: &str| fault(FaultKind::Unreadable, why, WRONG_PLACE, false);
    let told = "the answer is a text that begins with 401";
    let filter = "response_error: 过滤条件解析出错";
    let mend = "Correct the plan, retry with the new revision";
    for (body, mode, expected) in [
        (success, Mode::Login, unreadable(&operation)),
        ("<html>请登录</html>", Mode::Login, unreadable(page)),
        (" ", Mode::Login, unreadable("the answer cannot be read: empty")),
        ("\"401 Forbidden\"", Mode::Signed, fault(FaultKind::Credentials, told, SIGNED, false)),
        ("\"401 Forbidden\"", Mode::Login, fault(FaultKind::SessionLost, told, SIGN_IN, false)),
        ("\"登录失效\"", Mode::Login, fault(FaultKind::SessionLost, "登录失效", SIGN_IN, false)),
        (filter, Mode::Login, refused(None, "parameter", "过滤条件解析出错 (no MsgCode)", mend, false)),
    ] {
        assert_eq!(read(&reply(200, body), mode).unwrap_err(), expected, "{body}");
    }
    // What is shown of it ends after two hundred signs.
    let shown = |signs: usize| {
        read(&reply(200, &format!("<{}", "单".repeat(signs - 1))), Mode::Login).unwrap_err().message.contains('单')
            && read(&reply(200, &format!("<{}", "单".repeat(signs - 1))), Mode::Login)
                .unwrap_err()
                .message
                .contains("单….")
    };
    assert!(!shown(200) && shown(201));
    let words = |signs: usize| {
        read(&reply(500, &format!("ctx == null{}", "单".repeat(signs - 11))), Mode::Login).unwrap_err().message
    };
    assert!(!words(200).contains('…') && words(201).contains('…'));
}
