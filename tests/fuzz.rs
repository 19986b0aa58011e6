//! What comes from outside as bytes, begun valid and then spoiled: frames of the socket and of the journal, manifests of
//! backups, themes, plans, requests to the simulator. Never a panic, never memory without bound, an error that says where.
//!
//! Bounded as it stands; `SKYDECK_FUZZ=1000000 cargo test --release --test fuzz` tries that many of each, and
//! `SKYDECK_FUZZ_SEED` begins elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::io::Cursor;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use skydeck::domain::action_log::LogPlace;
use skydeck::domain::command::{Command, Order, StartParams};
use skydeck::domain::event::{ActionEntry, Event, Fact};
use skydeck::domain::ids::{CommandId, PlanId, RunId, Seq};
use skydeck::domain::language::Language;
use skydeck::domain::run::RunEnd;
use skydeck::domain::time::Ts;
use skydeck::domain::who::Who;
use skydeck::link::frame::{self, REPLY_MAX, REQUEST_MAX, Reply, Request, VERSION};
use skydeck::plan;
use skydeck::sim::{RequestParts, SimConfig, WorldConfig, demo_credentials, start};
use skydeck::store::backup::{self, Kept, MANIFEST, Manifest};
use skydeck::store::journal::frame::{Frames, HEAD, Next, count, facts, head, write};
use skydeck::ui::skin::Skin;
use skydeck::ui::theme_fault::ThemeFault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Cases of each kind.
fn cases(bounded: u64) -> u64 {
    std::env::var("SKYDECK_FUZZ").map_or(bounded, |n| n.parse().expect("SKYDECK_FUZZ is a number"))
}

fn rng(kind: u64) -> fastrand::Rng {
    let seed: u64 = std::env::var("SKYDECK_FUZZ_SEED").map_or(1, |n| n.parse().expect("SKYDECK_FUZZ_SEED is a number"));
    fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(kind))
}

/// Most memory that this process ever held, MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |line| line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() / 1024)
}

/// All tests of this file together stay below this, MiB: nothing believes a length it was told.
const MOST: u64 = 700;

/// Bytes that mean something to one reader or another.
const TELLING: [&[u8]; 14] = [
    b"\xff\xff\xff\xff",
    b"\0",
    b"\xc1",
    b"\xdf\x7f\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"{",
    b"[",
    b"\"",
    b"\r\n",
    b"\x1b[2J",
    b"\xe2\x80\xae",
    b"-1",
    b"99999999999999999999",
];

/// Spoils some of the bytes.
fn spoil(rng: &mut fastrand::Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(..=bytes.len());
        let end = at + rng.usize(..=(bytes.len() - at).min(24));
        match rng.u8(..6) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => {
                let part = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, part.repeat(rng.usize(1..40))));
            }
            3 => drop(bytes.splice(at..at, TELLING[rng.usize(..TELLING.len())].to_vec())),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = if rng.bool() { rng.u8(..) } else { *byte ^ (1 << rng.u8(..8)) };
                }
            }
        }
    }
    bytes
}

fn who() -> Who {
    Who {
        uid: 1000,
        login: "li".into(),
        from: Some("10.0.0.7".into()),
        name: None,
        origin: None,
        person: None,
        host: None,
    }
}

#[tokio::test]
async fn frames_of_the_socket_that_begin_valid() {
    let start = Command::Start { plan: PlanId::new("p"), params: StartParams::default() };
    let id = CommandId(ulid::Ulid::from_parts(5, 1));
    let order = Order { id, by: who(), session: None, headless: false, command: start };
    let hello = Request::Hello { version: VERSION, login: "li".into(), from: None, console: true };
    let valid = [
        frame::encode(&hello).unwrap(),
        frame::encode(&Request::Submit(1, order)).unwrap(),
        frame::encode(&Request::Watch).unwrap(),
        frame::encode(&Reply::Refused("审核".repeat(20))).unwrap(),
        frame::encode(&Reply::Facts(some_facts())).unwrap(),
    ];
    let (mut rng, mut read, mut refused) = (rng(1), 0, 0);
    for _ in 0..cases(20_000) {
        let body = valid[rng.usize(..valid.len())][4..].to_vec();
        let body = spoil(&mut rng, body);
        let length = if rng.u8(..8) == 0 { rng.u32(..) } else { body.len() as u32 };
        let bytes = [length.to_be_bytes().to_vec(), body].concat();
        let one = frame::read::<Request>(&mut &bytes[..], REQUEST_MAX).await;
        let other = frame::read::<Reply>(&mut &bytes[..], REPLY_MAX).await;
        for error in [one.as_ref().err(), other.as_ref().err()].into_iter().flatten() {
            assert!(!error.to_string().is_empty());
            refused += 1;
        }
        // What is understood can be said again.
        read += u64::from(one.is_ok_and(|request| frame::encode(&request).is_ok()));
        read += u64::from(other.is_ok_and(|reply| frame::encode(&reply).is_ok()));
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused: nothing was tried");
    assert!(peak() < MOST, "{} MiB", peak());
}

fn some_facts() -> Vec<Fact> {
    let run = RunId(ulid::Ulid::from_parts(7, 7));
    let entry = ActionEntry {
        by: who(),
        verb: "start".into(),
        order: None,
        run: Some(run),
        plan: Some(PlanId::new("p")),
        bills: 3,
        reason: Some("月末".into()),
        result: "accepted".into(),
        line: Some(LogPlace::new(4, "ab".repeat(32))),
        why: Some(skydeck::domain::reason::Reason::NoPlan { plan: PlanId::new("p") }),
    };
    let events = [
        Event::ActionTaken(Box::new(entry.clone())),
        Event::RunClosed { run, end: RunEnd::Completed },
        Event::ActionTaken(Box::new(entry)),
    ];
    (1..).zip(events).map(|(seq, event)| Fact { seq: Seq(seq), at: Ts(1_790_000_000_000), event }).collect()
}

#[test]
fn frames_of_the_journal_that_begin_valid() {
    let facts_written = some_facts();
    let (mut whole, mut chain) = (Vec::new(), [0; 16]);
    for _ in 0..3 {
        chain = write(&facts_written, &chain, &mut whole).unwrap();
    }
    let payload = whole[HEAD..HEAD + head(&whole).unwrap().len].to_vec();
    let (mut rng, mut bad, mut odd) = (rng(2), 0, 0);
    for _ in 0..cases(20_000) {
        let bytes = spoil(&mut rng, whole.clone());
        let mut frames = Frames::new(Cursor::new(&bytes), 0);
        loop {
            match frames.take().unwrap() {
                Next::Frame(_, payload) => assert_eq!(facts(&payload).unwrap().len() as u64, count(&payload).unwrap()),
                Next::End | Next::Short => break,
                Next::Bad(what) => {
                    assert!(!what.is_empty());
                    bad += 1;
                    break;
                }
            }
        }
        assert!(frames.offset <= bytes.len() as u64);
        // As if the checksum had been forged along: read, or refused in words.
        let payload = spoil(&mut rng, payload.clone());
        let _ = count(&payload);
        if let Err(error) = facts(&payload) {
            assert!(!error.to_string().is_empty());
            odd += 1;
        }
    }
    assert!(bad > 0 && odd > 0, "{bad} bad frames, {odd} bad payloads: nothing was tried");
    assert!(peak() < MOST, "{} MiB", peak());
}

#[test]
fn manifests_that_lie() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("backup");
    std::fs::create_dir_all(from.join("journal")).unwrap();
    std::fs::write(from.join("version"), "2\n").unwrap();
    std::fs::write(from.join("journal/00000001.log"), b"SkyF").unwrap();
    let kept = |name: &str, bytes| Kept { name: name.to_owned(), bytes, sha256: "0".repeat(64) };
    let manifest = Manifest {
        version: 1,
        made: "2026-01-02T03:04:05Z".into(),
        facts: 3,
        last: 3,
        actions: 2,
        files: vec![kept("version", 2), kept("journal/00000001.log", 4), kept("actions.log", u64::MAX)],
        damaged: None,
    };
    let valid = serde_json::to_vec_pretty(&manifest).unwrap();
    let names =
        ["../x", "/etc/passwd", "journal/../../x", "journal/00000001.log\0", "version/", "index", "owner.lock", ""];
    let (mut rng, mut taken) = (rng(3), 0);
    for n in 0..cases(3_000) {
        let text = if rng.bool() {
            let mut lying: Value = serde_json::from_slice(&valid).unwrap();
            let at = rng.usize(..3);
            match rng.u8(..5) {
                4 => {
                    lying["damaged"] =
                        json!({"journal": ["\u{202e}\u{1b}".repeat(rng.usize(..400))], "durable": rng.u64(..)})
                }
                0 => lying["files"][at]["name"] = json!(names[rng.usize(..names.len())]),
                1 => lying["files"][at]["bytes"] = json!(rng.u64(..)),
                2 => lying["files"][at]["sha256"] = json!("\u{202e}\u{1b}".repeat(rng.usize(..400))),
                _ => lying[["version", "facts", "last", "actions"][rng.usize(..4)]] = json!(rng.u64(..)),
            }
            lying.to_string().into_bytes()
        } else {
            spoil(&mut rng, valid.clone())
        };
        std::fs::write(from.join(MANIFEST), &text).unwrap();
        let shown = || String::from_utf8_lossy(&text).into_owned();
        match backup::manifest(&from) {
            Ok(manifest) => {
                taken += 1;
                let is_inside = |kept: &Kept| !kept.name.contains("..") && !kept.name.starts_with('/');
                assert!(manifest.files.iter().all(is_inside), "{}", shown());
            }
            Err(error) => assert!(error.to_string().contains(MANIFEST), "{error}: {}", shown()),
        }
        if n % 8 == 0 {
            let data = dir.path().join("data");
            let error = backup::restore(&from, &data, false, &|_| ()).expect_err("no hash of it fits");
            assert!(!error.to_string().is_empty());
            let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, ["backup"], "something was half restored: {}", shown());
        }
    }
    assert!(taken > 0, "no manifest was read");
    assert!(peak() < MOST, "{} MiB", peak());
}

#[test]
fn themes_that_begin_valid() {
    let themes = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/themes")).unwrap();
    let texts: Vec<Vec<u8>> = themes.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
    assert!(texts.len() >= 7);
    let base = Skin::built_in("dark").unwrap();
    let (mut rng, mut warned) = (rng(4), 0);
    for _ in 0..cases(4_000) {
        let valid = texts[rng.usize(..texts.len())].clone();
        let text = String::from_utf8_lossy(&spoil(&mut rng, valid)).into_owned();
        let (skin, warnings) = Skin::read("mine", &text, &base);
        assert_eq!(skin.name(), "mine");
        let names_theme = |fault: &ThemeFault| fault.said("mine", Language::En).starts_with("theme `mine`: ");
        assert!(warnings.iter().all(names_theme), "{warnings:?}");
        assert!(warnings.len() <= text.lines().count() + text.matches(',').count() + 1, "{warnings:?}");
        warned += warnings.len();
    }
    assert!(warned > 0, "no fault was found in any");
    assert!(peak() < MOST, "{} MiB", peak());
}

/// A column as nobody would write it.
fn odd(rng: &mut fastrand::Rng) -> Value {
    match rng.u8(..9) {
        0 => Value::Null,
        1 => json!(rng.i64(..)),
        2 => json!(rng.bool()),
        3 => json!("F".repeat(rng.usize(..3_000))),
        4 => json!(["FID", {"a": "FBillNo"}]),
        5 => json!({"fieldName": {"x": 1}, "type": ["string"]}),
        6 => json!("FEntity.F\u{202e}No\u{0}.FName'--"),
        7 => json!(""),
        _ => json!((0..rng.usize(..20)).map(|_| char::from_u32(rng.u32(..0xd7ff)).unwrap()).collect::<String>()),
    }
}

/// Puts something else into one place of a document.
fn replace(rng: &mut fastrand::Rng, value: &mut Value, deep: u8) {
    let inner = match value {
        Value::Object(fields) if !fields.is_empty() => {
            let at = rng.usize(..fields.len());
            fields.values_mut().nth(at)
        }
        Value::Array(items) if !items.is_empty() => {
            if rng.u8(..4) == 0 {
                let copy = items[rng.usize(..items.len())].clone();
                items.extend(std::iter::repeat_n(copy, rng.usize(1..60)));
            }
            let at = rng.usize(..items.len());
            items.get_mut(at)
        }
        _ => None,
    };
    match inner {
        Some(inner) if deep > 0 && rng.u8(..6) > 0 => replace(rng, inner, deep - 1),
        _ => *value = odd(rng),
    }
}

#[test]
fn plans_whose_columns_are_odd() {
    let plans: [&str; 2] =
        [include_str!("../plans/sal_outstock_audit.json"), include_str!("../plans/stk_instock_submit_audit.json")];
    let (mut rng, mut read, mut refused) = (rng(5), 0, 0);
    for _ in 0..cases(3_000) {
        let valid = plans[rng.usize(..plans.len())];
        let text = if rng.bool() {
            let mut plan: Value = serde_json::from_str(valid).unwrap();
            for _ in 0..rng.usize(1..4) {
                replace(&mut rng, &mut plan, 8);
            }
            plan.to_string()
        } else {
            String::from_utf8_lossy(&spoil(&mut rng, valid.as_bytes().to_vec())).into_owned()
        };
        match plan::read(PlanId::new("p"), &text) {
            Ok(file) => {
                let columns = &file.plan.source.columns;
                assert!(columns.len() <= text.len() && columns.iter().all(|column| !column.path.is_empty()), "{text}");
                read += 1;
            }
            Err(error) => {
                assert!(!error.to_string().trim().is_empty(), "{text}");
                refused += 1;
            }
        }
        let _ = plan::inspect(PlanId::new("p"), &text);
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused: nothing was tried");
    assert!(peak() < MOST, "{} MiB", peak());
}

/// An answer takes no longer, however busy the machine is.
const LONG: Duration = Duration::from_secs(120);
/// Panics of any thread: a task of the simulator that panics ends alone.
static PANICS: AtomicU64 = AtomicU64::new(0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_to_the_simulator_that_begin_valid() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.location().is_some_and(|at| at.file().contains("crates/sim/src")) {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }
        before(info);
    }));
    let world = WorldConfig { bills: 20, ..WorldConfig::default() };
    let sim = start(SimConfig { world, ..SimConfig::default() }).await.unwrap();
    let known = demo_credentials();
    let login = RequestParts {
        method: "POST".to_owned(),
        path: "/k3cloud/Kingdee.BOS.WebApi.ServicesStub.AuthService.ValidateUser.common.kdsvc".to_owned(),
        body: json!({"parameters": [known.account, known.user, known.password, 2052]}).to_string().into(),
        ..RequestParts::default()
    };
    let reply = sim.with_world(|world| {
        let now_ms = world.stats().now_ms;
        world.handle(login, now_ms)
    });
    let reply: Value = serde_json::from_slice(&reply.body).unwrap();
    let session = reply["KDSVCSessionId"].as_str().unwrap().to_owned();
    let service = |name: &str, body: &str| {
        let service = format!("/k3cloud/Kingdee.BOS.WebApi.ServicesStub.{name}.common.kdsvc");
        format!(
            "POST {service} HTTP/1.1\r\nHost: sim.invalid\r\nContent-Type: application/json\r\nConnection: close\r\n\
             kdservice-sessionid: {session}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let query = r#"{"parameters":["{\"FormId\":\"SAL_OUTSTOCK\",\"FieldKeys\":\"FID,FBillNo\",\"Limit\":10}"]}"#;
    let valid = [
        service("DynamicFormService.ExecuteBillQuery", query),
        service("DynamicFormService.Audit", r#"{"parameters":["SAL_OUTSTOCK","{\"Ids\":\"100001\"}"]}"#),
        service(
            "DynamicFormService.BatchSave",
            r#"{"formid":"PUR_PurchaseOrder","data":{"Model":[{"FBillNo":"CG-1","FSupplierId":{"FNumber":"VEN00003"},"F_X":"s","FPOOrderEntry":[{"FMaterialId":{"FNumber":"MAT00001"},"FQty":1.5,"FDeliveryDate":"2026-11-01"}]}],"BatchCount":2}}"#,
        ),
        service(
            "DynamicFormService.Push",
            r#"{"formid":"SAL_OUTSTOCK","data":{"Ids":"100101,100102","EntryIds":"400405","RuleId":"AR_OutStockToReceivableMap","TargetOrgId":1}}"#,
        ),
        service("AuthService.ValidateUser", r#"{"acctID":"x","username":"u","password":"p","lcid":2052}"#),
        "GET /k3cloud/ HTTP/1.1\r\nHost: sim.invalid\r\nConnection: close\r\n\r\n".to_owned(),
    ];
    let send = async |bytes: &[u8], pause: Duration| {
        let mut stream = tokio::net::TcpStream::connect(sim.addr()).await.unwrap();
        // It may close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let (reader, mut writer) = stream.into_split();
        let (mut reader, mut answer) = (reader.take(8 << 20), Vec::new());
        // What was cut short is answered by nobody before it ends; ended at once, a whole one would not be answered either.
        if tokio::time::timeout(pause, reader.read_to_end(&mut answer)).await.is_err() {
            let _ = writer.shutdown().await;
            let rest = reader.read_to_end(&mut answer);
            let _ = tokio::time::timeout(LONG, rest).await.expect("an answer, or an end");
        }
        answer
    };
    let (mut rng, mut answered) = (rng(6), 0);
    // Side by side, because most of the time is the wait for an answer to what was cut short.
    let mut left = cases(400);
    while left > 0 {
        let at_once = left.min(64);
        left -= at_once;
        let spoilt: Vec<_> = (0..at_once)
            .map(|_| {
                let bytes = valid[rng.usize(..valid.len())].as_bytes().to_vec();
                spoil(&mut rng, bytes)
            })
            .collect();
        let answers = spoilt.iter().map(|bytes| send(bytes, Duration::from_millis(30)));
        answered += futures_util::future::join_all(answers).await.iter().filter(|answer| !answer.is_empty()).count();
    }
    assert!(answered > 0, "nothing was answered");
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
    for request in &valid {
        assert!(send(request.as_bytes(), LONG).await.starts_with(b"HTTP/1.1 "), "it serves no more: {request}");
    }
    assert!(peak() < MOST, "{} MiB", peak());
}
