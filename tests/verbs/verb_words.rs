//! Whose words a Chinese session shows, through the real program: ours in Chinese, the server's quoted; and how the program
//! calls itself.
use std::path::{Path, PathBuf};

use crate::erp::{Erp, Said, Site};
use skydeck::domain::reason::NEXT;

/// Exit code, output and complaints of a verb.
fn verb(site: &Site, lang: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let out = site.command(lang, args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn the_action_log_says_in_chinese_what_a_run_was_given_and_why_an_order_was_refused() {
    let site = Site::new(Erp::start(2, |_, _, _| Said::Good), "1s", "", "");
    assert_eq!(verb(&site, "zh", &["run", "p", "--since", "2026-13-01", "--yes"]).0, Some(2));
    assert_eq!(verb(&site, "zh", &["run", "p", "--sweep", "--yes"]).0, Some(0));
    assert_eq!(verb(&site, "zh", &["run", "p", "--numbers", "XSCKD000000,XSCKD000001", "--yes"]).0, Some(0));
    assert_eq!(verb(&site, "zh", &["reopen", "XSCKD000000", "--reason", "x"]).0, Some(0));
    let (_, log, _) = verb(&site, "zh", &["log"]);
    for words in ["未执行：`2026-13-01` 不是日期", "已受理：全量读取", "已受理：2 个单号", "无事可做：所指单据均未办结"]
    {
        assert!(log.contains(words), "{words}: {log}");
    }
    for words in ["is not a date", "sweep", "numbers", "nothing to do", "resolved"] {
        assert!(!log.contains(words), "{words}: {log}");
    }
    // English readers, and programs, have the sentence as it stands in the file.
    let (_, log, _) = verb(&site, "en", &["--json", "log"]);
    assert!(log.contains("`2026-13-01` is not a date") && log.contains("accepted; sweep"), "{log}");
}

#[test]
fn what_the_client_says_of_a_server_that_is_away_is_not_quoted_as_if_the_server_had_said_it() {
    let site = Site::new(Erp::start(2, |_, _, _| Said::Gone), "1s", "", "");
    // The first request ends it; the second one finds nobody.
    for _ in 0..2 {
        assert_eq!(verb(&site, "zh", &["run", "p", "--yes"]).0, Some(6));
    }
    for args in [&["history", "-n", "1"][..], &["health"]] {
        let (_, said, _) = verb(&site, "zh", args);
        assert!(said.contains("没有发出任何请求：请检查地址、网络和证书"), "{args:?}: {said}");
        assert!(!said.contains("Nothing was sent") && !said.contains(" failed: "), "{args:?}: {said}");
    }
    assert!(verb(&site, "en", &["history", "-n", "1"]).1.contains("Nothing was sent; check address"));
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn texts(dirs: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for dir in dirs {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut found);
    }
    assert!(!found.is_empty());
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// A literal that goes on in the next line, in one.
fn joined(source: &str) -> String {
    let mut all = String::new();
    let mut parts = source.split("\\\n");
    all.push_str(parts.next().unwrap_or_default());
    parts.for_each(|part| all.push_str(part.trim_start()));
    all
}

#[test]
fn every_advice_that_the_client_ends_a_fault_with_is_known_in_chinese() {
    let all: String = texts(&["crates/kingdee/src"]).iter().map(|(_, text)| joined(text)).collect();
    for (en, _) in NEXT {
        assert!(all.contains(en), "no longer said: {en}");
    }
    // The last argument of each fault that is a literal.
    let (mut seen, mut rest) = (0, all.as_str());
    while let Some((_, after)) = rest.split_once("ask.fault(") {
        rest = after;
        let end = [after.find(");"), after.find(")\n")].into_iter().flatten().min().unwrap_or(after.len());
        let call = after.get(..end).unwrap().trim_end().trim_end_matches(',').trim_end();
        let Some(literal) = call.strip_suffix('"').and_then(|call| call.rsplit('"').next()) else { continue };
        seen += 1;
        assert!(NEXT.iter().any(|(en, _)| *en == literal), "not known in Chinese: {literal}");
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn nothing_of_ours_has_a_blank_after_a_wide_colon() {
    let mut wrong = Vec::new();
    for (path, text) in texts(&["src", "crates"]) {
        for (n, line) in text.lines().enumerate() {
            // A question is answered behind its blank.
            let apart = line.contains("\"{} ") && line.contains("：\")") && !line.contains("question(");
            if apart || line.contains("： ") && !line.trim_start().starts_with("//") {
                wrong.push(format!("{}:{}: {}", path.display(), n + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_usage_is_told_in_lines_where_nobody_sits_at_a_terminal() {
    let site = Site::new(Erp::start(0, |_, _, _| Said::Good), "1s", "", "");
    let (code, _, said) = verb(&site, "zh", &["history", "--nosuch"]);
    assert!(code == Some(2) && said.contains("未知的参数") && said.lines().count() > 1, "{said}");
    assert!(!said.contains('⏎'), "{said}");
}

#[test]
fn the_program_does_not_call_itself_as_the_one_whose_directories_it_upgrades() {
    let site = Site::new(Erp::start(0, |_, _, _| Said::Good), "1s", "", "");
    let version = env!("CARGO_PKG_VERSION");
    assert!(!version.starts_with("0.1."));
    site.empty_data();
    assert_eq!(verb(&site, "en", &["--version"]).1.trim(), format!("skydeck {version}"));
    let (_, health, _) = verb(&site, "en", &["--json", "health"]);
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert_eq!(health["version"], version);
}

#[test]
fn found_is_one_word_and_nothing_waits_in_a_sum_where_nothing_does() {
    let site = Site::new(Erp::start(3, |_, _, _| Said::Good), "1s", "", "");
    let (_, out, said) = verb(&site, "zh", &["run", "p", "--yes"]);
    assert!(out.contains("共 3 = ") && !format!("{out}{said}").contains("找到"), "{out}{said}");
    assert!(!out.contains("待处理"), "{out}");
}
