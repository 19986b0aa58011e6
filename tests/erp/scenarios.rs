//! One file of `tests/scenarios` is one fault: the server's answer, and what the real client must make of it in a query,
//! a status read, a submit and an audit. Adding a fault is adding a file.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::support::clock::TokioClock;
use crate::support::stub::{Answer, FIRST, How, Stub, is_login};
use serde::Deserialize;
use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::ids::{EnvId, Fid, FormId};
use skydeck::domain::plan::WriteOptions;
use skydeck::domain::step::{Verb, Verdict};
use skydeck::engine::ports::{Alarm, Erp, Fault, FaultKind, PageQuery, WriteCall, WriteReply, WriteToken};
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::{ClientConfig, SignIn};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What happens, in words.
    about: String,
    /// Rows of docs/design/faults.md it stands for.
    rows: Vec<u32>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    scheme: Scheme,
    #[serde(default = "five_seconds")]
    timeout_ms: u64,
    #[serde(default = "two_seconds")]
    connect_ms: u64,
    max_body: Option<usize>,
    #[serde(default)]
    bills: Vec<(String, String)>,
    /// The answer to every call but logins, unless the call has its own below.
    #[serde(default)]
    answer: Answer,
    #[serde(default)]
    calls: BTreeMap<String, Answer>,
    expect: Expect,
    /// Requests that must have reached the server, where it is not one.
    #[serde(default)]
    posts: BTreeMap<String, usize>,
    /// Logins that must have reached the server.
    #[serde(default)]
    logins: BTreeMap<String, usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Signed,
    Password,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scheme {
    #[default]
    Http,
    Https,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    query: String,
    read: String,
    submit: String,
    audit: String,
}

fn five_seconds() -> u64 {
    5000
}

fn two_seconds() -> u64 {
    2000
}

fn scenarios() -> Vec<(String, Scenario)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let scenario = toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, scenario)
        })
        .collect()
}

fn word_of_fault(fault: &Fault) -> String {
    let word = match &fault.kind {
        FaultKind::NotConnected => "not_connected".to_owned(),
        FaultKind::NoAnswer => "no_answer".to_owned(),
        FaultKind::Http(status) => format!("http {status}"),
        FaultKind::Unreadable => "unreadable".to_owned(),
        FaultKind::TooLarge => "too_large".to_owned(),
        FaultKind::Redirected => "redirected".to_owned(),
        FaultKind::Credentials => "credentials".to_owned(),
        FaultKind::AccountSet => "account_set".to_owned(),
        FaultKind::SessionLost => "session_lost".to_owned(),
        FaultKind::Refused { cause, .. } => format!("refused {cause}"),
        FaultKind::Config => "config".to_owned(),
    };
    let wait = fault.retry_after.map(|wait| format!(" wait {}", wait.as_secs())).unwrap_or_default();
    format!("fault {word}{wait}")
}

fn words_of_reply(reply: &WriteReply) -> String {
    let verdicts: Vec<String> = reply
        .verdicts
        .iter()
        .map(|(_, verdict)| match verdict {
            Verdict::Done => "done".to_owned(),
            Verdict::Rejected(failure) => format!("rejected {}", failure.cause),
            Verdict::NotSent(_) => "not_sent".to_owned(),
            Verdict::Unknown(why, _) => format!("unknown {}", why.word()),
        })
        .collect();
    let alarm = match &reply.alarm {
        None => String::new(),
        Some(Alarm::SessionLost) => " + session_lost".to_owned(),
        Some(Alarm::Credentials(_)) => " + credentials".to_owned(),
        Some(Alarm::WrongIds) => " + wrong_ids".to_owned(),
        Some(Alarm::SlowDown(None)) => " + slow_down".to_owned(),
        Some(Alarm::SlowDown(Some(wait))) => format!(" + slow_down {}", wait.as_secs()),
    };
    format!("{}{alarm}", verdicts.join(", "))
}

const SECRET: &str = "canary-secret-4711";

/// Runs one call of a scenario against a server of its own and says what came of it.
async fn run(scenario: &Arc<Scenario>, op: &'static str) -> (String, String, usize, usize) {
    let script = {
        let scenario = scenario.clone();
        move |seen: &crate::support::stub::Seen, _nth: usize| {
            if is_login(&seen.service) {
                return scenario.calls.get("login").cloned().unwrap_or_default();
            }
            scenario.calls.get(op).unwrap_or(&scenario.answer).clone()
        }
    };
    let how = scenario.calls.get(op).unwrap_or(&scenario.answer).how;
    let stub = match how {
        How::Refuse => Stub::refusing().await,
        _ => Stub::start_with(Arc::new(script), how == How::ResetBeforeBody).await,
    };
    let sign_in = match scenario.mode {
        Mode::Signed => {
            SignIn::Signed { app_id: "123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWJj".to_owned(), app_secret: SECRET.into() }
        }
        Mode::Password => SignIn::Password { password: SECRET.into() },
    };
    let mut config = ClientConfig::new(EnvId::new("test"), stub.url(), "60aa0000000000", "demo", sign_in);
    if scenario.scheme == Scheme::Https {
        config.reach.base_url = config.reach.base_url.replace("http://", "https://");
        config.reach.ca_only = true;
    }
    config.reach.timeout = Duration::from_millis(scenario.timeout_ms);
    config.reach.connect_timeout = Duration::from_millis(scenario.connect_ms.min(scenario.timeout_ms - 1));
    if let Some(limit) = scenario.max_body {
        config.max_body = limit;
        config.max_query_body = limit;
    }
    let causes: CauseTable = toml::from_str(BUILT_IN).unwrap();
    let erp = KingdeeErp::new(config, Arc::new(causes), Arc::new(TokioClock::start())).unwrap();
    let form = FormId::new("SAL_OUTSTOCK");
    let bills: Vec<(Fid, String)> = if scenario.bills.is_empty() {
        vec![(Fid::new(FIRST.0), FIRST.1.to_owned())]
    } else {
        scenario.bills.iter().map(|(fid, no)| (Fid::new(fid.as_str()), no.clone())).collect()
    };
    let write = |verb| WriteCall {
        verb,
        form: form.clone(),
        bills: bills.clone(),
        options: WriteOptions::default(),
        flags: Vec::new(),
        bodies: Vec::new(),
        sending: None,
    };
    let token = WriteToken::for_tests(EnvId::new("test"));
    let of_write = |reply: WriteReply| (words_of_reply(&reply), format!("{reply:?}"));
    let (word, said) = match op {
        "query" => {
            let query = PageQuery {
                form: form.clone(),
                columns: vec!["FID".to_owned(), "FBillNo".to_owned(), "FDate".to_owned()],
                id_path: "FID".to_owned(),
                number_path: "FBillNo".to_owned(),
                mark_column: Some("FCreateDate".to_owned()),
                filter: "FDocumentStatus='B'".to_owned(),
                after: None,
                limit: 1000,
                lines: false,
                fields: Vec::new(),
            };
            match erp.fetch_page(&query).await {
                Ok(page) => (format!("rows {}", page.raw_rows), String::new()),
                Err(fault) => (word_of_fault(&fault), format!("{fault} {fault:?}")),
            }
        }
        "read" => {
            let fids: Vec<Fid> = bills.iter().map(|(fid, _)| fid.clone()).collect();
            match erp.read_bills(&skydeck::engine::ports::Look::of(&form), &fids).await {
                Ok(found) => (format!("rows {}", found.len()), String::new()),
                Err(fault) => (word_of_fault(&fault), format!("{fault} {fault:?}")),
            }
        }
        "submit" => of_write(erp.write(&token, &write(Verb::Submit)).await),
        _ => of_write(erp.write(&token, &write(Verb::Audit)).await),
    };
    (word, format!("{said} {}", erp.session()), stub.count(|s| !is_login(s)), stub.count(is_login))
}

#[tokio::test]
async fn every_scenario_ends_as_its_file_says() {
    let mut wrong = Vec::new();
    let mut calls = 0;
    for (name, scenario) in scenarios() {
        let scenario = Arc::new(scenario);
        let e = &scenario.expect;
        for (op, expected) in [("query", &e.query), ("read", &e.read), ("submit", &e.submit), ("audit", &e.audit)] {
            calls += 1;
            let limit = Duration::from_millis(scenario.timeout_ms * 4 + 5000);
            let ended = tokio::time::timeout(limit, run(&scenario, op)).await;
            let (word, said, posts, logins) = ended.unwrap_or_else(|_| panic!("{name}: {op} did not end in {limit:?}"));
            let refused = scenario.answer.how == How::Refuse || scenario.scheme == Scheme::Https;
            let posts_expected = scenario.posts.get(op).copied().unwrap_or(usize::from(!refused));
            let logins_expected =
                scenario.logins.get(op).copied().unwrap_or(usize::from(scenario.mode == Mode::Password));
            if word != *expected || posts != posts_expected || logins != logins_expected {
                wrong.push(format!(
                    "{name} ({}): {op} gave `{word}` after {posts} posts and {logins} logins, \
                     expected `{expected}`, {posts_expected}, {logins_expected}\n    {said}",
                    scenario.about
                ));
            }
            assert!(!said.contains(SECRET), "{name}: {op} shows the secret: {said}");
        }
    }
    assert!(calls >= 120, "only {calls} calls were made: are the scenario files there?");
    assert!(wrong.is_empty(), "{} of {calls} calls:\n{}", wrong.len(), wrong.join("\n"));
}

/// Rows of docs/design/faults.md that are about the client.
#[test]
fn every_row_of_the_fault_matrix_that_is_the_clients_has_a_file() {
    let covered: BTreeSet<u32> = scenarios().into_iter().flat_map(|(_, s)| s.rows).collect();
    let missing: Vec<u32> = (1..=32).chain([44, 45]).filter(|row| !covered.contains(row)).collect();
    assert!(missing.is_empty(), "no scenario for rows {missing:?}");
}
