//! Alerts: what is worth one, and how it arrives, at a receiver on loopback that speaks as the robots do.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;
mod store_kit;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use place::{PROGRAM, Place, until};
use skydeck::domain::bill::{Slot, UnknownWhy};
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::ids::Seq;
use skydeck::domain::live::Live;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, RunEnd};
use skydeck::domain::time::Ts;
use skydeck::domain::who::Who;
use skydeck::host::alerts::watch::{Item, Times, Watchman, What};
use store_kit::{closed, failed, found, opened, run_id, settled, unknown};

const MINUTE: i64 = 60_000;

struct World {
    watchman: Watchman,
    seq: u64,
    now: i64,
}

impl World {
    fn new() -> Self {
        let times = Times {
            merge: Duration::from_secs(60),
            quiet: Duration::from_secs(1800),
            unknown_after: Duration::from_secs(1800),
        };
        Self { watchman: Watchman::new(times, Live::default(), Ts(0)), seq: 0, now: 0 }
    }

    fn facts(&mut self, events: Vec<Event>) {
        let facts: Vec<Fact> = events
            .into_iter()
            .map(|event| {
                self.seq += 1;
                Fact { seq: Seq(self.seq), at: Ts(self.now), event }
            })
            .collect();
        self.watchman.facts(&facts, Ts(self.now));
    }

    /// A run that ends with these outcomes.
    fn run(&mut self, n: u64, plan: &str, outcomes: Vec<skydeck::domain::bill::Outcome>) {
        let fids: Vec<u64> = (1..=outcomes.len() as u64).collect();
        let mut events = vec![opened(n, plan), found(n, &fids)];
        events.extend(fids.iter().zip(outcomes).map(|(fid, outcome)| settled(n, *fid, Slot::Waiting, outcome)));
        events.push(closed(n));
        self.facts(events);
    }

    /// Everything told until then, with its minute: the clock goes only where something can become due.
    fn until(&mut self, minutes: i64) -> Vec<(i64, Vec<(What, u32)>)> {
        let mut told = Vec::new();
        let end = minutes * MINUTE;
        loop {
            let items = self.watchman.due(Ts(self.now));
            if !items.is_empty() {
                told.push((self.now / MINUTE, items.iter().map(|item| (item.what, item.times)).collect()));
                continue;
            }
            match self.watchman.idle_for(Ts(self.now)) {
                Some(nap) if self.now + nap.as_millis() as i64 <= end => self.now += (nap.as_millis() as i64).max(1),
                _ => break,
            }
        }
        self.now = end;
        told
    }
}

#[test]
fn failures_left_over_are_told_once_and_again_only_when_the_quiet_time_is_over() {
    let mut world = World::new();
    world.run(1, "p", vec![failed("stock"), failed("period")]);
    world.run(2, "q", vec![failed("stock")]);
    assert_eq!(world.until(10), [(1, vec![(What::Left, 1), (What::Left, 1)])], "one message for both, after a minute");
    world.run(3, "p", vec![failed("stock")]);
    world.run(4, "p", vec![failed("stock")]);
    assert_eq!(world.until(30), [], "held back");
    assert_eq!(world.until(40), [(31, vec![(What::Left, 2)])], "and told at the end, with how often");
    world.run(5, "p", vec![failed("stock"), unknown(UnknownWhy::TimedOut)]);
    assert_eq!(world.until(60), [(41, vec![(What::Left, 1)])], "an unknown bill is something else than a failed one");
}

#[test]
fn a_run_that_ended_by_itself_is_told_with_its_reason_and_what_to_do() {
    use skydeck::domain::language::Language;
    use skydeck::host::alerts::words::message;
    let mut world = World::new();
    world.facts(vec![opened(1, "p"), found(1, &[1, 2])]);
    world.facts(vec![store_kit::collected(1), store_kit::approved(1)]);
    let rest = store_kit::skipped(skydeck::domain::bill::Skip::NotReached);
    world.facts(vec![settled(1, 1, Slot::Waiting, rest.clone()), settled(1, 2, Slot::Waiting, rest)]);
    let end = RunEnd::Stopped(Reason::Canary { cause: skydeck::domain::cause::Cause::new("stock"), n: 2 });
    world.facts(vec![Event::RunClosed { run: run_id(1), end }]);
    world.now += 2 * MINUTE;
    let items = world.watchman.due(Ts(world.now));
    assert_eq!(items.iter().map(|item| (item.what, item.ended)).collect::<Vec<_>>(), [(What::Stopped, true)]);
    let label = |name: &str| if name == "stock" { "库存不足".to_owned() } else { name.to_owned() };
    let zh = message(Language::Zh, &items, &[], &label, "host");
    assert!(zh.text.contains("自行停止") && zh.text.contains("首批试审中 2 张被 ERP 拒绝：库存不足"), "{}", zh.text);
    assert!(zh.text.contains("未轮到 2") && !zh.text.contains("按 p 继续"), "it cannot be resumed: {}", zh.text);
    let item = &message(Language::En, &items, &[], &label, "host").json["items"][0];
    assert_eq!(
        (&item["what"], &item["reason"], &item["reason_args"]["n"]),
        (&"stopped".into(), &"canary".into(), &2.into())
    );
    assert_eq!(item["detail"], "among the first bills, 2 refused by the ERP: stock");
}

#[test]
fn what_is_well_or_in_hand_is_not_told() {
    let mut world = World::new();
    world.run(1, "p", vec![store_kit::audited(), store_kit::skipped(skydeck::domain::bill::Skip::Draft)]);
    world.facts(vec![opened(2, "p"), Event::RunClosed { run: run_id(2), end: RunEnd::Declined }]);
    world.facts(vec![opened(3, "p"), Event::RunPaused { run: run_id(3), why: PauseWhy::Operator, by: None }]);
    assert_eq!(world.until(500), []);
    assert_eq!(world.watchman.idle_for(Ts(world.now)), None, "and nothing wakes up for it");
    // Stopped by itself, and somebody was quicker than the alert.
    world.facts(vec![Event::RunPaused {
        run: run_id(3),
        why: PauseWhy::Breaker(Reason::legacy("3 unknown")),
        by: None,
    }]);
    world.facts(vec![Event::RunResumed { run: run_id(3), by: store_kit::who(), boot: None }]);
    assert_eq!(world.until(600), []);
}

#[test]
fn a_run_that_stops_fails_to_read_waits_for_a_person_or_stays_unknown_is_told() {
    let mut world = World::new();
    world.facts(vec![
        opened(1, "p"),
        Event::RunPaused { run: run_id(1), why: PauseWhy::Breaker(Reason::legacy("x")), by: None },
    ]);
    assert_eq!(world.until(5), [(1, vec![(What::Stopped, 1)])]);
    world.facts(vec![
        opened(2, "q"),
        Event::RunClosed { run: run_id(2), end: RunEnd::CollectFailed(Reason::legacy("503")) },
    ]);
    assert_eq!(world.until(10), [(6, vec![(What::CollectFailed, 1)])]);
    let Event::RunOpened(mut head) = opened(3, "r") else { panic!() };
    head.by = Who::schedule(1);
    world.facts(vec![Event::RunOpened(head), found(3, &[1]), store_kit::collected(3)]);
    assert_eq!(world.until(15), [(11, vec![(What::Waits, 1)])], "started by the clock");
    world.facts(vec![opened(4, "s"), found(4, &[1]), store_kit::collected(4)]);
    assert_eq!(world.until(20), [], "started by a person, who sits there");
    world.facts(vec![settled(4, 1, Slot::Waiting, unknown(UnknownWhy::TimedOut))]);
    assert_eq!(world.until(100), [(51, vec![(What::UnknownLong, 1)])]);
}

#[test]
fn a_night_without_the_server_is_told_once_and_again_when_it_is_another_night() {
    let mut world = World::new();
    let unread = |world: &mut World, n: u64, why: Reason| {
        let Event::RunOpened(mut head) = opened(n, "p") else { panic!() };
        head.by = Who::schedule(1);
        world.facts(vec![Event::RunOpened(head), Event::RunClosed { run: run_id(n), end: RunEnd::CollectFailed(why) }]);
    };
    let gone = || Reason::Unreachable { said: "connection refused".into() };
    let mut told = Vec::new();
    // Every quarter of an hour, for ten hours.
    for n in 1..=40 {
        unread(&mut world, n, gone());
        let until = world.now / MINUTE + 15;
        told.extend(world.until(until));
    }
    assert_eq!(told, [(1, vec![(What::CollectFailed, 1)])]);
    // Another reason is another thing to tell.
    unread(&mut world, 41, Reason::SignInRefused { said: "password".into() });
    assert_eq!(world.until(700), [(601, vec![(What::CollectFailed, 1)])]);
    // It went through, and the next night begins.
    let Event::RunOpened(mut head) = opened(42, "p") else { panic!() };
    head.by = Who::schedule(1);
    world.facts(vec![Event::RunOpened(head), Event::RunClosed { run: run_id(42), end: RunEnd::Empty }]);
    assert_eq!(world.until(710), []);
    unread(&mut world, 43, Reason::SignInRefused { said: "password".into() });
    unread(&mut world, 44, Reason::SignInRefused { said: "password".into() });
    assert_eq!(world.until(720), [(711, vec![(What::CollectFailed, 2)])]);
    // A person at a console knows of it: what comes to nothing after that is told.
    world.facts(vec![opened(45, "p"), closed(45)]);
    unread(&mut world, 46, gone());
    assert_eq!(world.until(800), [(741, vec![(What::CollectFailed, 1)])], "not sooner than the quiet time");
}

#[test]
fn falling_behind_loses_no_alert_and_repeats_none() {
    let mut world = World::new();
    world.facts(vec![
        opened(1, "p"),
        Event::RunPaused { run: run_id(1), why: PauseWhy::Breaker(Reason::legacy("x")), by: None },
    ]);
    assert_eq!(world.until(5), [(1, vec![(What::Stopped, 1)])]);
    // Unseen: another run of another plan opened and ended with a failure.
    let mut live = Live::default();
    let missed = [
        opened(1, "p"),
        Event::RunPaused { run: run_id(1), why: PauseWhy::Breaker(Reason::legacy("x")), by: None },
        opened(2, "q"),
        found(2, &[1]),
        settled(2, 1, Slot::Waiting, failed("stock")),
        closed(2),
    ];
    for (i, event) in missed.into_iter().enumerate() {
        live.apply(&Fact { seq: Seq(i as u64 + 1), at: Ts(world.now), event });
    }
    // And one that ended so long ago that the state does not have it any more.
    let mut gone = Live::default();
    let events = [opened(3, "r"), found(3, &[1]), settled(3, 1, Slot::Waiting, failed("stock")), closed(3)];
    for (i, event) in events.into_iter().enumerate() {
        gone.apply(&Fact { seq: Seq(i as u64 + 1), at: Ts(world.now), event });
    }
    let ended = [gone.runs[&run_id(3)].row.clone()];
    world.watchman.resync(live, &ended, Ts(world.now));
    let told = vec![(What::Left, 1), (What::Left, 1)];
    assert_eq!(world.until(120), [(6, told)], "the ended ones, and the stopped one not again");
}

/// A receiver that keeps what it was told and answers what it was told to.
struct Receiver {
    port: u16,
    heard: Arc<Mutex<Vec<(String, String, String)>>>,
}

impl Receiver {
    fn start(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<(String, String, String)>>> = Arc::default();
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(request) = hear(&stream) {
                    kept.lock().unwrap().push(request);
                }
                let text =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let _ = (&stream).write_all(text.as_bytes());
            }
        });
        Self { port, heard }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn heard(&self) -> Vec<(String, String, String)> {
        self.heard.lock().unwrap().clone()
    }
}

/// Path, headers and body of a request.
fn hear(stream: &TcpStream) -> Option<(String, String, String)> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let (mut headers, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().ok()?;
        }
        headers.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, headers, String::from_utf8(body).ok()?))
}

fn hmac(key: &str, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

const TOKEN: &str = "token-5d1c/+=";
const SECRET: &str = "SEC-9a8b7c";

/// A configuration with one target, and what `alerts test` says.
fn trial(target: &str) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("token", TOKEN), ("secret", SECRET)] {
        std::fs::write(dir.path().join(name), text).unwrap();
        std::fs::set_permissions(dir.path().join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let config = dir.path().join("config.toml");
    std::fs::write(&config, format!("[[alerts.to]]\nname = \"t\"\n{target}\n")).unwrap();
    let out = Command::new(PROGRAM)
        .args(["alerts", "test", "--lang", "en", "--config"])
        .arg(&config)
        .arg("--data")
        .arg(dir.path().join("data"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    for secret in [TOKEN, "token-5d1c", SECRET] {
        assert!(!said.contains(secret), "{said}");
    }
    (out.status.code().unwrap(), said)
}

fn query(path: &str) -> std::collections::BTreeMap<String, String> {
    let pairs = path.split_once('?').map_or("", |(_, q)| q).split('&').filter_map(|p| p.split_once('='));
    pairs.map(|(k, v)| (k.to_owned(), decoded(v))).collect()
}

fn decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            out.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(out).unwrap()
}

const FILES: &str = "token = { file = \"token\" }\nsecret = { file = \"secret\" }";

#[test]
fn each_robot_gets_its_own_form_signed_as_it_signs() {
    let base64 = |bytes: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
    let now =
        i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap();

    let robot = Receiver::start("200 OK", r#"{"errcode":0,"errmsg":"ok"}"#);
    let (code, said) = trial(&format!("kind = \"dingtalk\"\nurl = \"{}\"\n{FILES}", robot.url("/robot/send")));
    assert_eq!((code, said.contains("t: arrived")), (0, true), "{said}");
    let (path, _, body) = robot.heard().remove(0);
    let q = query(&path);
    let at: i64 = q["timestamp"].parse().unwrap();
    assert!((at - now).abs() < 60_000, "DingTalk takes no signature older than an hour");
    assert_eq!(q["access_token"], TOKEN);
    assert_eq!(q["sign"], base64(hmac(SECRET, &format!("{at}\n{SECRET}"))));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["msgtype"], "markdown");
    assert!(body["markdown"]["title"].is_string() && body["markdown"]["text"].is_string(), "{body}");

    let robot = Receiver::start("200 OK", r#"{"errcode":0,"errmsg":"ok"}"#);
    let (code, said) = trial(&format!("kind = \"wecom\"\nurl = \"{}\"\n{FILES}", robot.url("/cgi-bin/webhook/send")));
    assert_eq!(code, 0, "{said}");
    let (path, _, body) = robot.heard().remove(0);
    assert_eq!(query(&path)["key"], TOKEN);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(body["msgtype"] == "markdown" && body["markdown"]["content"].is_string(), "{body}");

    let robot = Receiver::start("200 OK", r#"{"code":0,"msg":"success","data":{}}"#);
    let (code, said) =
        trial(&format!("kind = \"feishu\"\nurl = \"{}\"\n{FILES}", robot.url("/open-apis/bot/v2/hook/")));
    assert_eq!(code, 0, "{said}");
    let (path, _, body) = robot.heard().remove(0);
    assert_eq!(decoded(path.rsplit('/').next().unwrap()), TOKEN, "one part of the path, whatever stands in it");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let at = body["timestamp"].as_str().unwrap();
    assert_eq!(body["sign"], base64(hmac(&format!("{at}\n{SECRET}"), "")));
    assert!(body["msg_type"] == "text" && body["content"]["text"].is_string(), "{body}");

    let hook = Receiver::start("204 No Content", "");
    let (code, said) = trial(&format!("kind = \"webhook\"\nurl = \"{}\"\n{FILES}", hook.url("/x?y=1")));
    assert_eq!(code, 0, "{said}");
    let (path, headers, body) = hook.heard().remove(0);
    assert_eq!(path, "/x?y=1");
    let hex: Vec<String> = hmac(SECRET, &body).iter().map(|b| format!("{b:02x}")).collect();
    assert!(headers.contains(&format!("x-skydeck-signature: sha256={}", hex.concat())), "{headers}");
    assert!(headers.contains(&format!("authorization: Bearer {TOKEN}")), "{headers}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["version"], &body["product"]), (&1.into(), &"skydeck".into()));
}

#[test]
fn a_refusal_an_error_and_nobody_there_are_said_without_the_token() {
    let robot = Receiver::start("200 OK", r#"{"errcode":310000,"errmsg":"sign not match \u001b[2J"}"#);
    let (code, said) = trial(&format!("kind = \"dingtalk\"\nurl = \"{}\"\n{FILES}", robot.url("/robot/send")));
    assert_eq!((code, robot.heard().len()), (1, 3), "tried three times: {said}");
    assert!(said.contains("310000 sign not match") && !said.contains('\u{1b}'), "{said:?}");
    let robot = Receiver::start("500 Internal Server Error", "<html>");
    let (code, said) = trial(&format!("kind = \"feishu\"\nurl = \"{}\"\n{FILES}", robot.url("/hook/")));
    assert!(code == 1 && said.contains("HTTP 500 and no JSON"), "{said}");
    let away = Receiver::start("302 Found\r\nlocation: http://127.0.0.1:9/", "");
    let (code, said) = trial(&format!("kind = \"webhook\"\nurl = \"{}\"\n{FILES}", away.url("/")));
    assert!(code == 1 && said.contains("HTTP 302"), "it is not followed: {said}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (code, said) = trial(&format!("kind = \"wecom\"\nurl = \"http://127.0.0.1:{free}/send\"\n{FILES}"));
    assert!(code == 1 && said.contains("no connection"), "{said}");
}

#[test]
fn a_wrong_configuration_says_what_would_be_right() {
    for (target, words) in [
        ("kind = \"dingtalk\"", "it needs token"),
        ("kind = \"webhook\"", "it needs url"),
        ("kind = \"command\"", "it needs command"),
        ("kind = \"webhook\"\nurl = \"ftp://x\"", "begins with https://"),
        (
            "kind = \"wecom\"\ntoken = { file = \"token\" }\nurl = \"https://x.invalid/?key=abc\"",
            "must not stand in the url",
        ),
        (
            "kind = \"wecom\"\ntoken = { file = \"token\" }\nurl = \"http://127.0.0.1.evil.invalid/\"",
            "does not go over",
        ),
        ("kind = \"carrier-pigeon\"", "expected one of"),
        ("kind = \"webhook\"\nurl = \"https://x.invalid\"\ntoken = \"token-5d1c/+=\"", "must not stand in this file"),
    ] {
        let (code, said) = trial(target);
        assert!(code == 2 && said.contains(words) && said.contains("config.toml:"), "{target}: {said}");
    }
}

#[test]
fn a_program_gets_the_message_and_one_that_fails_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("got");
    let (code, said) = trial(&format!("kind = \"command\"\ncommand = [\"sh\", \"-c\", \"cat > {}\"]", file.display()));
    assert_eq!(code, 0, "{said}");
    let got: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(got["title"].as_str().unwrap().contains("测试消息"), "Chinese unless said otherwise: {got}");
    let (code, said) = trial("kind = \"command\"\ncommand = [\"sh\", \"-c\", \"exit 7\"]");
    assert!(code == 1 && said.contains("exit status: 7"), "{said}");
    let (code, said) = trial("kind = \"command\"\ncommand = [\"/no/such/program\"]");
    assert!(code == 1 && said.contains("cannot be started"), "{said}");
}

#[test]
fn an_owner_tells_of_a_run_that_fails_when_nobody_watches() {
    let hook = Receiver::start("200 OK", "");
    let tables = format!(
        "[alerts]\nlanguage = \"en\"\nmerge = \"1s\"\n[[alerts.to]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\n",
        hook.url("/")
    );
    let mut place = Place::with(10, "", &tables);
    let mut owner = Command::new(PROGRAM)
        .arg("serve")
        .args(place.options())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the owner", || place.data().join("owner.sock").exists());
    let sim = place.sim.take().unwrap();
    place.runtime.block_on(sim.shutdown());
    let out = place.verb(&["run", "sal_outstock_audit", "--yes"]);
    assert!(!out.status.success());
    until("the alert", || !hook.heard().is_empty());
    let (_, _, body) = hook.heard().remove(0);
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["items"][0]["what"], "collect_failed", "{told}");
    assert!(told["text"].as_str().unwrap().contains("the query failed, nothing was written"), "{told}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&owner), rustix::process::Signal::TERM).unwrap();
    owner.wait().unwrap();
    assert_eq!(hook.heard().len(), 1, "once");
}

const HOSTILE: &str = "库存不足 \u{1b}[2J\u{202e} <at user_id=\"all\"></at> <@all> @all @li";

fn hostile_item() -> Item {
    Item {
        what: What::Stopped,
        plan: skydeck::domain::ids::PlanId::new("p"),
        name: "方案 **[x](http://evil.invalid)**".into(),
        env: skydeck::domain::ids::EnvId::new("prod"),
        production: true,
        run: run_id(1),
        sum: skydeck::domain::run::Tally::default(),
        op: skydeck::domain::ids::OpId::default(),
        detail: HOSTILE.into(),
        reason: Some("legacy".into()),
        reason_args: None,
        ended: true,
        untold: false,
        unseen: false,
        since: None,
        why: Some(Reason::legacy(HOSTILE)),
        at: Ts(0),
        times: 3,
    }
}

#[test]
fn words_from_outside_are_no_markup_and_no_escape() {
    use skydeck::domain::language::Language;
    use skydeck::host::alerts::words::message;
    let item = hostile_item();
    for tongue in [Language::Zh, Language::En] {
        let told = message(tongue, std::slice::from_ref(&item), &[], &str::to_owned, "host");
        for text in [told.text.as_str(), told.markdown.as_str(), told.json["text"].as_str().unwrap()] {
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
            // What calls people is a tag; the words around it stay.
            assert!(!text.contains('<') && text.contains("@all @li"), "{text:?}");
        }
        assert!(!told.markdown.contains("](http"), "{}", told.markdown);
        assert!(told.title.contains(if tongue == Language::Zh { "生产" } else { "PRODUCTION" }));
        assert!(told.text.contains("×3"), "{}", told.text);
    }
}

/// `@all` in words calls nobody: robots call whoever stands in a list beside the words, and a body holds nothing but those.
#[tokio::test]
async fn a_robot_is_sent_the_words_alone_and_no_list_of_people_to_call() {
    use skydeck::domain::language::Language;
    use skydeck::host::alerts::send::{Kind, Sender, Target};
    use skydeck::host::alerts::words::message;
    let told = message(Language::Zh, &[hostile_item()], &[], &str::to_owned, "host");
    let markdown = told.markdown.as_str();
    for (kind, body) in [
        (
            Kind::DingTalk,
            serde_json::json!({"msgtype": "markdown", "markdown": {"title": told.title, "text": markdown}}),
        ),
        (Kind::WeCom, serde_json::json!({"msgtype": "markdown", "markdown": {"content": markdown}})),
        (Kind::Feishu, serde_json::json!({"msg_type": "text", "content": {"text": told.text}})),
    ] {
        let robot = Receiver::start("200 OK", r#"{"errcode":0,"code":0}"#);
        let target = Target { name: "t".into(), kind, url: robot.url("/"), token: None, secret: None };
        let sent = Sender::new(vec![target]).unwrap().send(&told, || 0).await;
        assert_eq!(sent, [("t".to_owned(), Ok(()))]);
        let (_, _, heard) = robot.heard().remove(0);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&heard).unwrap(), body);
        assert!(heard.contains("@all") && !heard.contains('<'), "{heard}");
    }
}

#[test]
fn a_run_of_another_operation_is_told_by_its_name_and_in_general_words() {
    use skydeck::domain::ids::OpId;
    use skydeck::domain::language::Language;
    use skydeck::domain::run::{RunHead, RunKind};
    use skydeck::host::alerts::words::message;
    let mut world = World::new();
    let head = RunHead { op: OpId::new("BillClose"), ..store_kit::head(1, "p", RunKind::Fresh) };
    let begun = store_kit::begun(1, "p", &[1, 2, 3, 4]).split_off(1);
    world.facts(vec![Event::RunOpened(Box::new(head))]);
    world.facts(begun);
    let outcomes = [store_kit::audited(), failed("stock"), store_kit::skipped(skydeck::domain::bill::Skip::NotReached)];
    for (fid, outcome) in (1..).zip(outcomes) {
        world.facts(vec![store_kit::settled(1, fid, skydeck::domain::bill::Slot::Waiting, outcome)]);
    }
    world.facts(vec![Event::RunClosed { run: run_id(1), end: RunEnd::Completed }]);
    world.now += 2 * 60_000;
    let items = world.watchman.due(Ts(world.now));
    for (tongue, said) in [
        (
            Language::En,
            "BillClose found 4 = done 1 + already done 0 + skipped 0 + failed 1 + unknown 0 + not reached 1 + waiting 1",
        ),
        (Language::Zh, "BillClose 共 4 = 已完成 1 + 此前已完成 0 + 跳过 0 + 失败 1 + 未知 0 + 未轮到 1 + 等待 1"),
    ] {
        let told = message(tongue, &items, &[], &str::to_owned, "host");
        assert!(told.text.contains(said), "{}", told.text);
        assert_eq!(told.json["items"][0]["operation"], "BillClose");
    }
}

/// What a GET on loopback says.
fn get(port: u16, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn figures_and_health_are_served_on_loopback_and_agree_with_the_run() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tables = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\ntextfile = \"skydeck.prom\"\n");
    let place = Place::with(20, "", &tables);
    let submit = include_str!("../plans/sal_outstock_audit.json").replace("\"api\": \"Audit\"", "\"api\": \"Submit\"");
    std::fs::write(place.dir.path().join("plans/submit.json"), submit).unwrap();
    let mut owner = Command::new(PROGRAM)
        .arg("serve")
        .args(place.options())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the page", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let out = place.verb(&["run", "sal_outstock_audit", "--yes", "--json"]);
    let audits = place.audits().len();
    place::ended_as_it_says(&out);
    let line = format!("outcome=\"audited\"}} {audits}");
    until("the figures", || get(port, "/metrics").1.contains(&line));
    // Another operation has series of its own; those of Audit stay what they are.
    let out = place.verb(&["run", "submit", "--yes", "--json"]);
    let said = String::from_utf8(out.stdout).unwrap();
    let run: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(run["done"].as_u64().unwrap() > 0, "{said}");
    let submitted = format!("plan=\"submit\",outcome=\"done\",operation=\"Submit\"}} {}", run["done"]);
    until("the figures of the other plan", || get(port, "/metrics").1.contains(&submitted));
    let (status, page) = get(port, "/metrics");
    assert!(status.contains("200") && page.ends_with("# EOF\n"), "{page}");
    for words in [
        "skydeck_runs_total{env=\"test\",plan=\"sal_outstock_audit\",end=\"completed\"} 1",
        &format!("skydeck_call_seconds_count{{env=\"test\",step=\"audit\"}} {audits}"),
        "skydeck_unresolved_bills{outcome=\"skipped\"",
        "skydeck_breaker_open{env=\"test\"} 0",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (status, health) = get(port, "/health");
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert!(status.contains("200") && health["ok"] == true && health["unknown"] == 0, "{health}");
    assert!(get(port, "/else").0.contains("404"));
    let out = place.verb(&["health", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((out.status.code(), &told["owner"]), (Some(0), &true.into()), "{told}");
    assert_eq!(told["unresolved"], health["unresolved"]);
    let file = place.dir.path().join("skydeck.prom");
    assert!(std::fs::read_to_string(&file).unwrap().ends_with("# EOF\n"), "whole from the beginning");
    rustix::process::kill_process(rustix::process::Pid::from_child(&owner), rustix::process::Signal::TERM).unwrap();
    owner.wait().unwrap();
    // Nobody serves: the directory itself is asked.
    let out = place.verb(&["health"]);
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("no owner serves"));
    // The network is no place for them.
    let config = place.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("127.0.0.1:", "0.0.0.0:");
    std::fs::write(&config, text).unwrap();
    let out = place.verb(&["health"]);
    assert!(out.status.code() == Some(2) && String::from_utf8_lossy(&out.stderr).contains("this machine alone"));
}

/// An engine that answers what a reader that fell behind asks for.
struct Behind {
    notices: Mutex<Option<tokio::sync::mpsc::Receiver<skydeck::engine::api::Notice>>>,
    ended: Vec<skydeck::domain::run::RunRow>,
}

#[async_trait::async_trait]
impl skydeck::engine::api::Link for Behind {
    async fn submit(
        &self,
        _: skydeck::domain::command::Order,
    ) -> Result<skydeck::domain::command::Receipt, skydeck::engine::api::LinkError> {
        panic!("a reader gives no order")
    }

    async fn ask(
        &self,
        query: skydeck::domain::query::Query,
    ) -> Result<skydeck::domain::query::Answer, skydeck::engine::api::LinkError> {
        use skydeck::domain::query::{Answer, Cursor, Page, Query};
        Ok(match query {
            Query::Runs(_) => {
                let rows = self.ended.iter().map(|row| (Cursor(row.head.id.to_string()), row.clone())).collect();
                Answer::Runs(Page { rows, more: false, scanned: 0, stopped_at: None, total: None })
            }
            Query::Stopped => Answer::Stopped(Vec::new()),
            _ => Answer::LedgerGroups(Vec::new()),
        })
    }

    async fn watch(&self) -> Result<skydeck::engine::api::Watch, skydeck::engine::api::LinkError> {
        let notices = self.notices.lock().unwrap().take().unwrap();
        Ok(skydeck::engine::api::Watch { live: state(&[opened(1, "p"), found(1, &[1, 2, 3]), audited(1, 1)]), notices })
    }
}

fn audited(run: u64, fid: u64) -> Event {
    settled(run, fid, Slot::Waiting, store_kit::audited())
}

fn state(events: &[Event]) -> Live {
    let mut live = Live::default();
    for (i, event) in events.iter().enumerate() {
        live.apply(&Fact { seq: Seq(i as u64 + 1), at: Ts(0), event: event.clone() });
    }
    live
}

#[test]
fn figures_count_what_happened_while_their_reader_was_behind() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("skydeck.prom");
    let gone = state(&[opened(2, "q"), found(2, &[7]), settled(2, 7, Slot::Waiting, failed("stock")), closed(2)]);
    let now = state(&[opened(1, "p"), found(1, &[1, 2, 3]), audited(1, 1), audited(1, 2), audited(1, 3), closed(1)]);
    let (send, notices) = tokio::sync::mpsc::channel(4);
    let ended = vec![gone.runs[&run_id(2)].row.clone()];
    let link = Arc::new(Behind { notices: Mutex::new(Some(notices)), ended });
    let metrics = skydeck::host::metrics::Metrics { listen: None, textfile: Some(file.clone()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    let (_stay, end) = tokio::sync::watch::channel(false);
    let reader = runtime.spawn(metrics.run(link, end));
    send.blocking_send(skydeck::engine::api::Notice::Resync(Box::new(now))).unwrap();
    let page = || std::fs::read_to_string(&file).unwrap_or_default();
    until("the figures", || page().contains("skydeck_runs_total"));
    drop(send);
    runtime.block_on(reader).unwrap();
    for line in [
        r#"skydeck_bills_total{env="demo",plan="p",outcome="audited"} 2"#,
        r#"skydeck_bills_total{env="demo",plan="q",outcome="failed"} 1"#,
        r#"skydeck_runs_total{env="demo",plan="p",end="completed"} 1"#,
        r#"skydeck_runs_total{env="demo",plan="q",end="completed"} 1"#,
    ] {
        assert!(page().contains(line), "{line}: {}", page());
    }
}
