//! Systems of kind `http`, by the real program: private authorities, certificates of ours, proxies, redirects with a token at
//! hand, answers without an end, tokens that are not given any more, clocks that are apart.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;

use super::both::{Both, SENDS};
use super::place::PROGRAM;
use super::ways::{authority, proxy, signed, tls};
use super::{said, write};

/// What the simulator's tokens and signatures are made with.
const SECRET: &str = "not-a-real-secret";

/// An environment that fetches a token.
const TOKEN: &str = "sign_in = \"token\"\nsecret = { file = \"wms-secret\" }\n[environment.wms.token]\npath = \"/token\"\n\
    send = { app_key = \"{{app}}\", app_secret = \"{{secret}}\" }\nat = \"data.access_token\"\nexpires = \"data.expires_in\"\n\
    ok = [[\"code\", \"eq\", \"0\"]]\nlost = [[\"code\", \"in\", \"40100\", \"40101\"]]\n";

/// A system that gives tokens; `more`: further settings of it.
fn with_token(more: &str) -> Both {
    let both = Both::new(40, &format!("auth = \"token\"\n{more}"), TOKEN, |_| {});
    write(&both.place, "wms-secret", SECRET, 0o600);
    both
}

/// Adds lines to the environment.
fn add(both: &Both, lines: &str) {
    both.configure(&[("allow_operations = [\"Send\"]", &format!("allow_operations = [\"Send\"]\n{lines}"))]);
}

/// The environment is at another address.
fn at(both: &Both, address: &str) {
    let url = format!("url = \"{}\"", both.there.url());
    both.configure(&[(&url, &format!("url = \"{address}\""))]);
}

fn check(both: &Both) -> (i32, String, String) {
    said(&both.place.verb(&["env", "check", "wms"]))
}

/// A whole run, approved: its exit, the last line that closes, and all that was said.
fn run(both: &Both) -> (i32, Value, String) {
    let (code, text, err) = said(&both.place.verb(&["run", SENDS, "--yes", "--sweep", "--json"]));
    let sum = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let sum = sum.into_iter().find(|line| line.get("sum_closes").is_some()).unwrap_or_else(|| panic!("{text}{err}"));
    (code, sum, format!("{text}{err}"))
}

/// Each of the eight records was sent once, and the run says so.
fn all_once(both: &Both, (code, sum, said): &(i32, Value, String)) {
    let made = both.made();
    assert_eq!((*code, made.len()), (0, 8), "{said}");
    assert!(made.values().all(|n| *n == 1), "{made:?} {sum}");
    assert_eq!(sum["sum_closes"], true, "{sum}");
}

#[test]
fn a_private_authority_is_believed_where_it_is_named_and_for_the_name_it_signed() {
    let both = with_token("");
    let (ours, other) = (authority(), authority());
    let server = signed("127.0.0.1", &ours);
    let port = tls(&both.place, both.addr(), &server, None);
    at(&both, &format!("https://127.0.0.1:{port}/api/"));
    let (code, _, err) = check(&both);
    assert_eq!((code, both.there.stats().tokens_given), (1, 0), "{err}");
    assert!(err.contains("certificate"), "{err}");
    write(&both.place, "ca.pem", &other.pem(), 0o644);
    add(&both, "ca_file = \"ca.pem\"");
    assert_eq!((check(&both).0, both.there.stats().tokens_given), (1, 0));
    write(&both.place, "ca.pem", &ours.pem(), 0o644);
    let (code, text, err) = check(&both);
    assert_eq!((code, text.contains("app token")), (0, true), "{text}{err}");
    all_once(&both, &run(&both));
    // The same authority, another machine's certificate: no secret reaches it.
    let elsewhere = tls(&both.place, both.addr(), &signed("wms-host.invalid", &ours), None);
    both.configure(&[(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{elsewhere}"))]);
    let given = both.there.stats().tokens_given;
    let (code, _, err) = check(&both);
    assert_eq!((code, both.there.stats().tokens_given), (1, given), "{err}");
}

#[test]
fn a_system_that_asks_for_a_certificate_is_shown_ours_and_pinned() {
    let both = with_token("");
    let ours = authority();
    let server = signed("wms-host.invalid", &ours);
    let port = tls(&both.place, both.addr(), &server, Some(&ours));
    at(&both, &format!("https://127.0.0.1:{port}/api/"));
    write(&both.place, "server.pem", &server.pem, 0o644);
    add(&both, "pinned_certificate = \"server.pem\"");
    assert_eq!((check(&both).0, both.there.stats().tokens_given), (1, 0), "without ours");
    let client = signed("skydeck", &ours);
    write(&both.place, "client.pem", &client.pem, 0o644);
    write(&both.place, "client.key", &client.key.serialize_pem(), 0o600);
    add(&both, "client_certificate = \"client.pem\"\nclient_key = { file = \"client.key\" }");
    let (code, _, err) = check(&both);
    assert_eq!(code, 0, "{err}");
    all_once(&both, &run(&both));
}

#[test]
fn records_go_through_the_proxy_that_is_named_and_a_tunnel_that_fails_sent_nothing() {
    let both = with_token("");
    let ours = authority();
    let port = tls(&both.place, both.addr(), &signed("wms-host.invalid", &ours), None);
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let through = proxy(&both.place, to, Some("skydeck:canary-proxy-4711"));
    write(&both.place, "ca.pem", &ours.pem(), 0o644);
    write(&both.place, "proxy-secret", "canary-proxy-4711", 0o600);
    at(&both, "https://wms-host.invalid/api/");
    add(&both, &format!("ca_file = \"ca.pem\"\nproxy = \"http://127.0.0.1:{}\"", through.port));
    assert_eq!(check(&both).0, 1, "without a login");
    let (_, sum, said) = run(&both);
    assert_eq!((both.made().len(), sum["unknown"].as_u64()), (0, Some(0)), "{said}");
    add(&both, "proxy_user = \"skydeck\"\nproxy_secret = { file = \"proxy-secret\" }");
    let all = run(&both);
    all_once(&both, &all);
    let heads = through.heads.lock().unwrap();
    assert!(heads.iter().all(|head| head.starts_with("CONNECT wms-host.invalid:443 ")), "{heads:?}");
    let log = std::fs::read_to_string(both.place.data().join("skydeck.log")).unwrap();
    assert!(!format!("{}{log}", all.2).contains("4711"));
}

/// A listener that nobody should come to.
fn trap(both: &Both) -> (u16, Arc<AtomicU32>) {
    let listener = both.place.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let (port, came) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&came);
    both.place.runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    (port, came)
}

#[test]
fn a_redirect_is_never_followed_whatever_is_asked_and_whatever_is_at_hand() {
    for (on, when) in [("token", "before"), ("list", "before"), ("create", "before"), ("create", "after")] {
        let both = with_token("");
        let (port, came) = trap(&both);
        both.faults(&format!(
            "[[fault]]\nkind = \"redirect\"\ntext = \"http://127.0.0.1:{port}/api/orders\"\nwhen = \"{when}\"\non = [\"{on}\"]\n\
             skip = 1\ntimes = 1\n[[fault]]\nkind = \"session_expiry\"\non = [\"create\"]\nskip = 3\ntimes = 1\n"
        ));
        let mut last = run(&both);
        for _ in 0..3 {
            if last.0 == 0 {
                break;
            }
            last = run(&both);
        }
        all_once(&both, &last);
        assert_eq!(came.load(Ordering::SeqCst), 0, "{on} {when}");
        assert_eq!(both.there.stats().faults.get("redirect"), Some(&1), "{on} {when}");
    }
}

/// A run that is watched: its exit, and the most memory it held, in bytes.
fn watched(both: &Both) -> (i32, u64) {
    let mut run = Command::new(PROGRAM);
    run.args(["run", SENDS, "--yes", "--sweep"]).args(both.place.options());
    let mut child = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        if let Ok(status) = std::fs::read_to_string(&path) {
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kb = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
            most = most.max(kb.unwrap_or(0) * 1024);
        }
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code().unwrap(), most);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_body_of_a_hundred_megabytes_is_not_held_and_is_no_answer() {
    let plain = watched(&Both::open(40));
    assert_eq!(plain.0, 0);
    for (kind, on) in [("huge", "create"), ("gzip_bomb", "list")] {
        let both = Both::open(40);
        // The limit of a call leaves time to make such an answer.
        let own = "per_minute = 6000\nsettle = \"1s\"\ncall_timeout = ";
        both.configure(&[(&format!("{own}\"5s\""), &format!("{own}\"60s\""))]);
        both.faults(&format!(
            "[[fault]]\nkind = \"{kind}\"\nmb = 100\nwhen = \"after\"\non = [\"{on}\"]\nskip = 2\ntimes = 1\n"
        ));
        let (code, most) = watched(&both);
        assert!(most < plain.1 + (64 << 20), "{kind} {on}: {most} bytes, and {} without", plain.1);
        if code != 0 {
            // A look that tells nothing may leave a record to the next run.
            all_once(&both, &run(&both));
        }
        assert!(both.made().values().all(|n| *n == 1));
        assert_eq!(both.there.stats().faults.get(kind), Some(&1), "{kind} {on}");
    }
}

#[test]
fn a_token_that_is_not_given_any_more_ends_the_run_and_nothing_is_called_unknown_that_never_left() {
    let both = with_token("[token]\nseconds = 2\n");
    both.faults(
        "[[fault]]\nkind = \"error\"\ncode = 40107\ntext = \"app_secret 已重置\"\non = [\"token\"]\nskip = 2\n\
         [[fault]]\nkind = \"delay\"\nms = 700\nwhen = \"before\"\non = [\"create\"]\n",
    );
    let (code, sum, said) = run(&both);
    let sent = both.made().len() as u64;
    assert!(sent > 0 && sent < 8, "{sent}: {said}");
    assert_eq!((sum["unknown"].as_u64(), sum["sum_closes"].as_bool()), (Some(0), Some(true)), "{said}");
    assert!(code != 0 && said.contains("app_secret 已重置") && !said.contains(SECRET), "{code} {said}");
    // Given again, the rest goes, and nothing of what went goes again.
    both.there.with_world(|world| {
        let passes = "[[fault]]\nkind = \"delay\"\nms = 1\nwhen = \"before\"\non = [\"token\", \"create\"]\n";
        world.add_faults(toml::from_str(passes).unwrap());
    });
    all_once(&both, &run(&both));
}

#[test]
fn clocks_further_apart_than_a_signature_allows_send_nothing_and_name_the_clock() {
    let sign = "sign_in = \"signed\"\nsecret = { file = \"wms-secret\" }\n[environment.wms.sign]\npreset = \"qimen\"\n\
        params = { format = \"\", sign_method = \"\", v = \"\" }\nclock = \"10m\"\n";
    let settings = "auth = \"signed\"\n[sign]\nstyle = \"top_md5\"\nallowed_seconds = 100000\n";
    let both = Both::new(40, settings, sign, |_| {});
    write(&both.place, "wms-secret", SECRET, 0o600);
    both.faults("[[fault]]\nkind = \"clock_skew\"\nms = 5000000\non = [\"list\"]\ntimes = 1\n");
    let (code, sum, said) = run(&both);
    assert!(code != 0 && said.contains("clock"), "{code} {said}");
    assert_eq!((both.made().len(), sum["unknown"].as_u64(), sum["failed"].as_u64()), (0, Some(0), Some(0)), "{said}");
    let fix = "[[fault]]\nkind = \"clock_skew\"\nms = -5000000\non = [\"list\"]\ntimes = 1\n";
    both.faults(fix);
    let mut last = run(&both);
    if last.0 != 0 {
        last = run(&both);
    }
    all_once(&both, &last);
}
