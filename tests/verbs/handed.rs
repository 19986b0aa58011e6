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
    let (_, later, _) = verb(&site, "en", &["handover", "--since", "2999-01-01"]);
    assert!(later.contains("nothing was decided by hand") && later.contains("0 runs, 0 bills found"), "{later}");
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
