//! How a server is reached, by the real binary and its configuration file: TLS with certificates made here, a proxy, the
//! identity that a signed call carries. Everything listens on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "support/both.rs"]
mod both;
#[path = "connections_parts/http.rs"]
mod http;
#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;
#[path = "connections_parts/ways.rs"]
mod ways;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use place::Place;
use rcgen::KeyPair;
use skydeck::erp::sign;
use ways::{authority, proxy, self_signed, signed, tls};

const SECRET: &str = "canary-proxy-4711";

fn said(out: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

/// `env check`, in English.
fn check(place: &Place) -> (i32, String, String) {
    said(&place.verb(&["env", "check"]))
}

/// Adds lines to the environment, and changes what stands there.
fn configure(place: &Place, changes: &[(&str, &str)], lines: &str) {
    let file = place.dir.path().join("config.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} in {text}");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(&file, text.replacen("server_zone", &format!("{lines}\nserver_zone"), 1)).unwrap();
}

fn write(place: &Place, name: &str, text: &str, mode: u32) {
    let path = place.dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

fn sim_url(place: &Place) -> String {
    place.sim.as_ref().unwrap().url().clone()
}

fn sim_addr(place: &Place) -> SocketAddr {
    let url = sim_url(place);
    url.trim_start_matches("http://").split('/').next().unwrap().parse().unwrap()
}

#[test]
fn plain_http_to_another_machine_needs_the_key_its_refusal_names() {
    let place = Place::new(5);
    let own = sim_url(&place);
    let through = proxy(&place, sim_addr(&place), None);
    let line = format!("proxy = \"http://127.0.0.1:{}\"", through.port);
    // Names go to the proxy as they are, and numbers of private networks are other machines, too.
    for (address, lines) in [
        ("http://10.20.30.40/k3cloud/", ""),
        ("http://[fd00::7]/k3cloud/", ""),
        ("http://erp.example.invalid/k3cloud/", line.as_str()),
        ("http://erp.local/k3cloud/", line.as_str()),
    ] {
        configure(&place, &[(&own, address)], lines);
        let (code, _, err) = check(&place);
        assert_eq!(code, 2, "{address}: {err}");
        assert!(err.contains("set allow_plain_http = true in this environment"), "{address}: {err}");
        let file = place.dir.path().join("config.toml");
        let text = std::fs::read_to_string(&file).unwrap().replacen(address, &own, 1).replacen(lines, "", 1);
        std::fs::write(&file, text).unwrap();
    }
    assert!(through.heads.lock().unwrap().is_empty(), "nothing left");
    let lines = format!("{line}\nallow_plain_http = true");
    configure(&place, &[(&own, "http://erp.example.invalid/k3cloud/")], &lines);
    let (code, text, err) = check(&place);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("environment test: http:// is not encrypted"), "{err}");
    assert!(text.contains("! plain HTTP"), "{text}");
    let (code, _, err) = said(&place.verb(&["run", "sal_outstock_audit", "-y"]));
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("credentials and bills cross the network in clear (allow_plain_http)"), "{err}");
    let log = std::fs::read_to_string(place.data().join("skydeck.log")).unwrap();
    assert!(log.contains("cross the network in clear"), "{log}");
}

#[test]
fn a_pinned_certificate_is_believed_alone() {
    let place = Place::new(5);
    let (server, other) = (self_signed("k3-host.invalid"), self_signed("k3-host.invalid"));
    let address = format!("https://127.0.0.1:{}/k3cloud/", tls(&place, sim_addr(&place), &server, None));
    configure(&place, &[(&sim_url(&place), &address)], "");
    let (code, _, err) = check(&place);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("or the server's own in pinned_certificate"), "{err}");
    write(&place, "server.pem", &other.pem, 0o644);
    configure(&place, &[], "pinned_certificate = \"server.pem\"");
    let (code, _, err) = check(&place);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("shows another certificate than the one in pinned_certificate"), "{err}");
    write(&place, "server.pem", &format!("{}{}", other.pem, server.pem), 0o644);
    let (code, text, err) = check(&place);
    assert_eq!((code, text.contains("account set")), (0, true), "{err}");
    let (code, _, err) = said(&place.verb(&["run", "sal_outstock_audit", "-y"]));
    assert_eq!(code, 0, "{err}");
    place.agree();
    write(&place, "server.pem", "no certificate", 0o644);
    let (code, _, err) = check(&place);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("pinned_certificate") && err.contains("BEGIN CERTIFICATE"), "{err}");
}

#[test]
fn a_server_that_asks_for_a_certificate_is_shown_ours() {
    let place = Place::new(5);
    let authority = authority();
    let server = self_signed("127.0.0.1");
    let address = format!("https://127.0.0.1:{}/k3cloud/", tls(&place, sim_addr(&place), &server, Some(&authority)));
    write(&place, "server.pem", &server.pem, 0o644);
    configure(&place, &[(&sim_url(&place), &address)], "pinned_certificate = \"server.pem\"");
    let (code, _, err) = check(&place);
    assert_eq!(code, 1, "without ours: {err}");
    let ours = signed("skydeck", &authority);
    write(&place, "client.pem", &ours.pem, 0o644);
    write(&place, "client.key", &ours.key.serialize_pem(), 0o644);
    configure(&place, &[], "client_certificate = \"client.pem\"\nclient_key = { file = \"client.key\" }");
    let (code, _, err) = check(&place);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("chmod 600") && err.contains("client_key"), "{err}");
    write(&place, "client.key", &ours.key.serialize_pem(), 0o600);
    assert_eq!(check(&place).0, 0, "{}", check(&place).2);
    // The same without a pin: the authority of the server is named instead.
    configure(&place, &[("pinned_certificate", "ca_file")], "");
    assert_eq!(check(&place).0, 0, "{}", check(&place).2);
    for (wrong, key) in [("another key", KeyPair::generate().unwrap().serialize_pem()), ("no key", SECRET.to_owned())] {
        write(&place, "client.key", &key, 0o600);
        let (code, text, err) = check(&place);
        assert_eq!(code, 2, "{wrong}: {err}");
        assert!(err.contains("environment test: client_certificate"), "{wrong}: {err}");
        assert!(!format!("{text}{err}").contains(SECRET), "{err}");
    }
}

#[test]
fn calls_go_through_the_proxy_that_is_named_and_no_other() {
    let place = Place::new(5);
    let server = self_signed("k3-host.invalid");
    let port = tls(&place, sim_addr(&place), &server, None);
    let through = proxy(&place, SocketAddr::from(([127, 0, 0, 1], port)), Some(&format!("skydeck:{SECRET}")));
    write(&place, "server.pem", &server.pem, 0o644);
    write(&place, "proxy-secret", SECRET, 0o600);
    let lines = format!("pinned_certificate = \"server.pem\"\nproxy = \"http://127.0.0.1:{}\"", through.port);
    configure(&place, &[(&sim_url(&place), "https://k3-host.invalid/k3cloud/")], &lines);
    let (code, _, err) = check(&place);
    assert_eq!(code, 1, "without a login: {err}");
    assert!(through.heads.lock().unwrap().iter().all(|head| head.starts_with("CONNECT k3-host.invalid:443 ")));
    configure(&place, &[], "proxy_user = \"skydeck\"\nproxy_secret = { file = \"proxy-secret\" }");
    let (code, text, err) = check(&place);
    assert_eq!(code, 0, "{err}");
    let (code, _, err2) = said(&place.verb(&["run", "sal_outstock_audit", "-y"]));
    assert_eq!(code, 0, "{err2}");
    place.agree();
    let log = std::fs::read_to_string(place.data().join("skydeck.log")).unwrap();
    assert!(!format!("{text}{err}{err2}{log}").contains(SECRET));
    // A failed tunnel proves that nothing was sent: the bill is not unknown.
    configure(&place, &[("proxy_user = \"skydeck\"", "proxy_user = \"nobody\"")], "");
    let (code, _, err) = check(&place);
    assert_eq!(code, 1, "{err}");
    for (line, words) in [
        ("proxy = \"socks5://127.0.0.1:1\"", "only http:// and https://"),
        ("proxy = \"http://demo:hunter2@127.0.0.1:1\"", "write proxy_user and proxy_secret"),
    ] {
        let own = format!("proxy = \"http://127.0.0.1:{}\"", through.port);
        configure(&place, &[(&own, line)], "");
        let (code, _, err) = check(&place);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(words) && !err.contains("hunter2"), "{err}");
        configure(&place, &[(line, &own)], "");
    }
}

/// The variables of the environment lead nowhere: a proxy is what the configuration names.
#[test]
fn a_proxy_of_the_environment_is_not_used() {
    let place = Place::new(5);
    let elsewhere = proxy(&place, sim_addr(&place), None);
    let url = format!("http://127.0.0.1:{}", elsewhere.port);
    let mut command = Command::new(place::PROGRAM);
    command.args(["env", "check"]).args(place.options()).stdin(Stdio::null());
    let out = command.env("http_proxy", &url).env("ALL_PROXY", &url).env("HTTPS_PROXY", &url).output().unwrap();
    assert_eq!(said(&out).0, 0, "{}", said(&out).2);
    assert!(elsewhere.heads.lock().unwrap().is_empty());
}

/// What a proxy sees of a signed call: organisation, language and second password, as the official SDK makes them.
#[test]
fn a_signed_call_carries_organisation_language_and_second_password() {
    const SECOND: &str = "abcdefghijklmnopqrstuvwxyz012345";
    const APP: &str = "123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWJj";
    let place = Place::new(5);
    let through = proxy(&place, sim_addr(&place), None);
    write(&place, "second", SECOND, 0o600);
    let url = sim_url(&place);
    let app = skydeck::sim::demo_credentials().app_id;
    let (account, user) = (skydeck::sim::demo_credentials().account, skydeck::sim::demo_credentials().user);
    let lines = format!(
        "proxy = \"http://127.0.0.1:{}\"\norg = \"101.2\"\nlcid = 1033\nsecond_password = {{ file = \"second\" }}",
        through.port
    );
    configure(&place, &[(&app, APP)], &lines);
    let _ = check(&place);
    let head = through.heads.lock().unwrap().first().expect("a call").clone();
    let value = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{}:", name.to_lowercase())));
        line.and_then(|line| line.split_once(": ")).map(|(_, v)| v.to_owned()).unwrap_or_default()
    };
    let data = String::from_utf8(STANDARD.decode(value("X-Kd-Appdata")).unwrap()).unwrap();
    assert_eq!(data, format!("{account},{user},1033,101.2"));
    let path = head.split(' ').nth(1).unwrap().trim_start_matches("http://");
    let service = format!("{url}{}", path.split_once("/k3cloud/").unwrap().1);
    let time = value("x-api-timestamp");
    let signed = |key: &sign::ClientKey| sign::api_signature(&key.secret, &service, &time, &time);
    assert_eq!(value("X-Api-Signature"), signed(&sign::ClientKey::under(APP, SECOND).unwrap()));
    assert_ne!(value("X-Api-Signature"), signed(&sign::ClientKey::of(APP)));
    write(&place, "second", "too short", 0o600);
    let (code, text, err) = check(&place);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("second_password: its first 24 characters"), "{err}");
    assert!(!format!("{text}{err}").contains("too short"));
}

#[test]
fn a_login_can_be_signed_so_that_the_secret_does_not_cross_the_wire() {
    let place = Place::new(5);
    let through = proxy(&place, sim_addr(&place), None);
    let lines = format!("proxy = \"http://127.0.0.1:{}\"\nlcid = 2052", through.port);
    configure(&place, &[("sign_in = \"signed\"", "sign_in = \"app_sign\"")], &lines);
    let (code, text, err) = check(&place);
    assert_eq!(code, 0, "{err}");
    assert!(text.contains("sign-in: app signature"), "{text}");
    assert!(through.heads.lock().unwrap()[0].contains("AuthService.LoginBySign."));
    let (code, _, err) = said(&place.verb(&["run", "sal_outstock_audit", "-y"]));
    assert_eq!(code, 0, "{err}");
    place.agree();
}

/// A server that takes connections and never speaks TLS: the limit of connecting ends it, which proves that nothing was sent.
#[test]
fn the_limit_of_connecting_is_the_configured_one() {
    let place = Place::new(5);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://127.0.0.1:{}/k3cloud/", silent.local_addr().unwrap().port());
    let limits = "call_timeout = \"3600s\"\nconnect_timeout = \"300ms\"";
    configure(&place, &[(&sim_url(&place), &address), ("call_timeout = \"5s\"", limits)], "");
    let (code, _, err) = check(&place);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("no connection in time, or no TLS answer"), "{err}");
    configure(&place, &[("3600s", "300ms")], "");
    let (code, _, err) = check(&place);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("limits.connect_timeout must be above 0 and below limits.call_timeout"), "{err}");
}

/// Settings that contradict each other are refused with the key that mends them, and never repeated.
#[test]
fn settings_of_a_connection_that_cannot_be_used_are_named() {
    let place = Place::new(1);
    let text = std::fs::read_to_string(place.dir.path().join("config.toml")).unwrap();
    for (lines, words) in [
        ("client_certificate = \"c.pem\"", "needs client_key"),
        ("client_key = { file = \"k\" }", "needs client_certificate"),
        ("client_certificate = \"c.pem\"\nclient_key = { prompt = true }", "cannot be typed"),
        ("ca_file = \"a.pem\"\npinned_certificate = \"b.pem\"", "trusted alone"),
        ("proxy_user = \"hunter2\"", "need proxy"),
        ("proxy = \"http://p.invalid\"\nproxy_user = \"u\"", "go together"),
        ("org = \"10,hunter2\"", "org is a code"),
        ("org = 1.5", "expected a code in quotes, or a whole number"),
        ("proxy_secret = \"hunter2\"", "must not stand in this file"),
    ] {
        std::fs::write(
            place.dir.path().join("config.toml"),
            text.replacen("server_zone", &format!("{lines}\nserver_zone"), 1),
        )
        .unwrap();
        let (code, _, err) = said(&place.verb(&["env", "list"]));
        assert_eq!(code, 2, "{lines}: {err}");
        assert!(err.contains(words) && !err.contains("hunter2"), "{lines}: {err}");
    }
    let typed = text.replace("sign_in = \"signed\"", "sign_in = \"password\"");
    let second = typed.replacen("server_zone", "second_password = { file = \"k\" }\nserver_zone", 1);
    std::fs::write(place.dir.path().join("config.toml"), second).unwrap();
    assert!(said(&place.verb(&["env", "list"])).2.contains("belongs to sign_in = \"signed\" alone"));
    assert!(Path::new(place::PROGRAM).exists());
}

/// Puts something under a name that is no ordinary file of a sensible size.
fn odd(path: &Path, what: &str) {
    let _ = std::fs::remove_file(path);
    let _ = std::fs::remove_dir(path);
    match what {
        "pipe" => {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        }
        "device" => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        "directory" => std::fs::create_dir(path).unwrap(),
        "endless" => std::fs::File::create(path).unwrap().set_len(1 << 40).unwrap(),
        other => panic!("{other}"),
    }
}

/// `env check`, which must end by itself.
fn check_that_ends(place: &Place, about: &str) -> (i32, String) {
    let mut child = Command::new(place::PROGRAM)
        .args(["env", "check"])
        .args(place.options())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let until = std::time::Instant::now() + pty::PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if std::time::Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{about}: it reads for ever");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let mut words = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut words).unwrap();
    (status.code().unwrap(), words)
}

#[test]
fn a_file_that_the_configuration_names_is_ordinary_and_bounded_or_refused_by_name() {
    for what in ["pipe", "device", "directory", "endless"] {
        let words = if what == "endless" { "is the most that is read" } else { "name an ordinary file" };
        for key in ["ca_file", "pinned_certificate", "client_certificate", "causes", "config.toml"] {
            let place = Place::new(1);
            let file = place.dir.path().join("config.toml");
            let other = place.dir.path().join("odd");
            let named = match key {
                "config.toml" => file.clone(),
                "causes" => {
                    let text = std::fs::read_to_string(&file).unwrap();
                    std::fs::write(&file, format!("causes = \"odd\"\n{text}")).unwrap();
                    other
                }
                "client_certificate" => {
                    write(&place, "key", "no key", 0o600);
                    configure(&place, &[], "client_certificate = \"odd\"\nclient_key = { file = \"key\" }");
                    other
                }
                _ => {
                    configure(&place, &[], &format!("{key} = \"odd\""));
                    other
                }
            };
            odd(&named, what);
            let (code, said) = check_that_ends(&place, &format!("{key} {what}"));
            assert_eq!(code, 2, "{key} {what}: {said}");
            assert!(said.contains(&named.display().to_string()) && said.contains(words), "{key} {what}: {said}");
            assert!(said.lines().count() <= 3, "{said}");
        }
    }
}
