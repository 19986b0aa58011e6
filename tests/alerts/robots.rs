//! How an alert arrives: each robot gets its own form, signed as it signs, and no word from outside is markup.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::place::{PROGRAM, Place, until};
use crate::store_kit::run_id;
use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use skydeck::domain::reason::Reason;
use skydeck::domain::time::Ts;
use skydeck::host::alerts::watch::{Item, What};

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
