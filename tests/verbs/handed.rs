//! What is handed to others, through the real program: hand-overs and evidence.
use crate::erp::{Erp, Said, Site, answer};

fn site() -> Site {
    let erp = Erp::start(6, |service, _, nth| match (service, nth) {
        ("Audit", 1..=3) => Said::Http(200, answer(false, &["期间已关账"], &[], 0)),
        _ => Said::Good,
    });
    Site::new(erp, "900s", "", "")
}

fn verb(site: &Site, lang: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let out = site.command(lang, args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn a_hand_over_says_what_came_and_left_what_waits_for_whom_and_what_was_decided() {
    let site = site();
    verb(&site, "zh", &["run", "p", "--yes"]);
    let (_, ledger, _) = verb(&site, "zh", &["--json", "ledger", "-n", "1"]);
    let bill = ledger.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let no = bill.into_iter().find_map(|line| Some(line["no"].as_str()?.to_owned())).unwrap();
    let (code, _, err) = verb(&site, "zh", &["resolve", &format!("no:{no}"), "--reason", "已由财务手工处理"]);
    assert_eq!(code, Some(0), "{err}");
    let (code, said, err) = verb(&site, "zh", &["handover"]);
    assert_eq!(code, Some(0), "{err}");
    for has in [
        "Skydeck 交接",
        "运行 1 次，读到 6 张，完成 3，失败 3，结果未知 0",
        "遗留清单：新增 3 张，减少 1 张，现有 2 张",
        "财务 · 期间已关账 · 张数 2 · 变化 +3 −1",
        "办结 · 张数 1 · 已由财务手工处理",
        "没有等待处理的运行或方案",
    ] {
        assert!(said.contains(has), "{has}: {said}");
    }
    // Nothing of before the time that is named.
    let second = || chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let done = second();
    while second() == done {
        std::thread::yield_now();
    }
    let (_, later, _) = verb(&site, "en", &["handover", "--since", &second()]);
    assert!(later.contains("nothing was decided by hand"), "{later}");
    // Counts begin with the hour; a new one may have begun meanwhile.
    let counts = ["1 runs, 6 bills found", "0 runs, 0 bills found"];
    assert!(counts.iter().any(|counted| later.contains(counted)), "{later}");
    for (lang, has) in [("en", "`2999-01-01` is not here yet"), ("zh", "`2999-01-01` 还没有到")] {
        let (code, said, err) = verb(&site, lang, &["handover", "--since", "2999-01-01"]);
        assert!(code == Some(2) && said.is_empty() && err.contains(has), "{code:?} {said} {err}");
    }
    for (name, has) in [("h.md", "# Skydeck hand-over"), ("h.html", "<!doctype html>"), ("h.txt", "Skydeck hand-over")]
    {
        let path = site.dir.path().join(name);
        let (code, said, err) = verb(&site, "en", &["handover", path.to_str().unwrap()]);
        assert!(code == Some(0) && said.contains(name), "{said}{err}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(has) && text.contains("closed period") && text.contains("已由财务手工处理"), "{text}");
        assert_eq!(verb(&site, "en", &["handover", path.to_str().unwrap()]).0, Some(2), "it is there already");
    }
}

/// What the script says of a file; `None` where this machine has no Python.
fn checked(file: &std::path::Path, seal: Option<&str>) -> Option<(bool, String)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/check-evidence.py");
    let out = std::process::Command::new("python3").arg(script).arg(file).args(seal).output().ok()?;
    let said = [out.stdout, out.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(!said.contains("Traceback"), "{said}");
    Some((out.status.success(), said))
}

#[test]
fn evidence_is_checked_without_skydeck_and_whatever_is_changed_in_it_is_found() {
    let site = site();
    verb(&site, "en", &["run", "p", "--yes"]);
    verb(&site, "en", &["run", "p", "--sweep", "--yes"]);
    let (_, runs, _) = verb(&site, "en", &["--json", "history"]);
    let runs: Vec<String> = runs
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["run"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(runs.len(), 2);
    for (n, run) in runs.iter().enumerate() {
        let file = site.dir.path().join(format!("e{n}.jsonl"));
        let (code, said, err) = verb(&site, "en", &["--json", "evidence", run, file.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{err}");
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let seal = said["seal"].as_str().unwrap();
        let Some((whole, words)) = checked(&file, Some(seal)) else {
            eprintln!("skipped: no python3 here");
            return;
        };
        assert!(whole && words.contains(run.as_str()) && words.contains(seal), "{words}");
        assert_eq!(
            said["calls"],
            words.split(" calls").next().unwrap().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
        );
        assert!(!checked(&file, Some("00")).unwrap().0, "another seal");
        let (whole, words) = checked(&site.dir.path().join("gone.jsonl"), None).unwrap();
        assert!(!whole && words.starts_with("NOT CHECKED: "), "{words}");
        assert_eq!(verb(&site, "en", &["evidence", run, file.to_str().unwrap()]).0, Some(2), "it is there already");

        let good = std::fs::read(&file).unwrap();
        let mut rng = fastrand::Rng::with_seed(n as u64 + 7);
        let bad = site.dir.path().join("bad.jsonl");
        for change in 0..40 {
            let mut bytes = good.clone();
            match change {
                // A byte anywhere; a line taken out, doubled, moved; the end cut off.
                0..=33 => {
                    let at = rng.usize(..bytes.len());
                    bytes[at] ^= 1 << rng.u8(..7);
                }
                34 => bytes.truncate(bytes.len() - 1),
                35 => bytes.extend_from_slice(b"\n"),
                _ => {
                    let mut lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
                    let at = rng.usize(1..lines.len() - 1);
                    match change {
                        36 => drop(lines.remove(at)),
                        37 => lines.insert(at, lines[at]),
                        38 => lines.swap(at, at - 1),
                        _ => drop(lines.pop()),
                    }
                    bytes = lines.concat();
                }
            }
            std::fs::write(&bad, &bytes).unwrap();
            assert!(!checked(&bad, None).unwrap().0, "change {change} of run {n} was not found");
        }
    }
}

/// Who writes all hashes of the lines anew is found by what the appends themselves hold.
#[test]
fn evidence_that_tells_another_story_than_its_appends_is_found_though_its_lines_hold_together() {
    use sha2::Digest as _;
    let site = site();
    verb(&site, "en", &["run", "p", "--yes"]);
    let file = site.dir.path().join("e.jsonl");
    let (_, runs, _) = verb(&site, "en", &["--json", "history"]);
    let run = serde_json::from_str::<serde_json::Value>(runs.lines().next().unwrap()).unwrap()["run"]
        .as_str()
        .unwrap()
        .to_owned();
    verb(&site, "en", &["evidence", &run, file.to_str().unwrap()]);
    let Some((whole, said)) = checked(&file, None) else {
        eprintln!("skipped: no python3 here");
        return;
    };
    assert!(whole, "{said}");
    let good = std::fs::read_to_string(&file).unwrap();
    let sealed_anew = |change: &dyn Fn(&mut serde_json::Value) -> bool| {
        let (mut before, mut out, mut changed) = (String::new(), Vec::new(), false);
        for line in good.lines() {
            let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
            value.as_object_mut().unwrap().remove("h");
            changed |= !changed && change(&mut value);
            let body = value.to_string().strip_suffix('}').unwrap().to_owned();
            let hash = sha2::Sha256::digest(format!("{before}{body}"));
            before = hash.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
            out.push(format!("{body},\"h\":\"{before}\"}}\n"));
        }
        assert!(changed);
        std::fs::write(&file, out.concat()).unwrap();
        checked(&file, None).unwrap()
    };
    assert!(sealed_anew(&|value| value["type"] == "evidence").0, "nothing was changed");
    let set = |kind: &'static str, field: &'static str, to: serde_json::Value| {
        move |value: &mut serde_json::Value| {
            let is = value["type"] == kind && value[field] != to;
            if is {
                value[field] = to.clone();
            }
            is
        }
    };
    for (kind, field, to) in [
        ("call", "answer_sha256", "00".into()),
        ("call", "request_sha256", "00".into()),
        ("call", "at_ms", 1.into()),
        ("call", "fid", "1".into()),
        ("set", "hash", "00".into()),
        ("approved", "hash", "00".into()),
        ("approved", "reason", "somebody else".into()),
        ("outcome", "no", "XSCKD999999".into()),
        ("append", "before", "00".repeat(16).into()),
        ("append", "chain", "00".repeat(16).into()),
        ("append", "place", 9_999.into()),
        ("log", "line", "{\"v\":1,\"h\":\"00\"}".into()),
        ("end", "calls", 99.into()),
    ] {
        let (whole, said) = sealed_anew(&set(kind, field, to));
        assert!(!whole && said.contains("NOT WHOLE"), "{kind}.{field}: {said}");
    }
}
