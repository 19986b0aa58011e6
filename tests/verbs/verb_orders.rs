//! Orders of verbs that cannot be carried out, through the real program: what is refused before anything is read, what a verb
//! leaves behind, and what it says of it.
use std::process::{Command, Stdio};

use crate::erp::{Erp, Said, Site, answer};
use serde_json::Value;

const STOCK: &str = "更新库存时库存不足";

/// Exit code, output and complaints of a verb.
fn verb(site: &Site, lang: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let out = site.command(lang, args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

fn objects(text: &str, kind: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["type"] == kind).collect()
}

/// Whether this request is about this bill alone.
fn about(data: &Value, id: &str) -> bool {
    data["Ids"].as_str() == Some(id)
}

/// Whether this is a read of the bill that cannot be read alone.
fn reads_the_unknown(service: &str, data: &Value) -> bool {
    let filter = data["FilterString"].as_str().unwrap_or_default();
    service == "ExecuteBillQuery" && filter.contains("100001") && !filter.contains("100000")
}

/// Three bills after one run: one refused for its stock, one unknown because neither the call nor the read was answered.
fn left_over() -> Site {
    let erp = Erp::start(3, |service, data, _| match service {
        "Audit" if about(data, "100000") => Said::Http(200, answer(false, &[STOCK], &[], 11)),
        "Audit" if about(data, "100001") => Said::Http(502, "<html>bad gateway</html>".into()),
        _ if reads_the_unknown(service, data) => Said::Http(200, answer(false, &["没有该功能的操作权限"], &[], 2)),
        _ => Said::Good,
    });
    let site = Site::new(erp, "1s", "", "breaker_failed_percent = 0");
    assert_eq!(verb(&site, "en", &["run", "p", "--yes"]).0, Some(3));
    site
}

#[test]
fn what_an_approval_lacks_is_said_before_anything_is_read_and_nothing_is_left_in_the_way() {
    let site = left_over();
    let queries = site.erp.count("ExecuteBillQuery");
    let runs = || objects(&verb(&site, "en", &["--json", "history"]).1, "run").len();
    let before = runs();
    let flag = &["--flag", "STK_InvCheckResult"][..];
    for (more, words, zh) in [
        (&["--confirm", "1"][..], "--flag needs --reason", "--flag 需要 --reason"),
        (&["--yes"], "--flag needs --reason and --confirm", "--flag 需要 --reason 和 --confirm"),
        (&["--reason", "month end"], "--flag needs --confirm", "--flag 需要 --confirm"),
        (&["--confirm", "1", "--reason", "\u{200b} \u{2060}"], "a --reason that can be read", "能看见文字的 --reason"),
        (&["--unlock", "--confirm", "1"], "--reason", "--reason"),
    ] {
        for start in [&["retry", "XSCKD000000"][..], &["run", "p"], &["approve"]] {
            let args = [start, flag, more].concat();
            for (lang, words) in [("en", words), ("zh", zh)] {
                let (code, _, said) = verb(&site, lang, &args);
                assert!(code == Some(2) && said.contains(words), "{args:?}: {code:?} {said}");
            }
        }
    }
    let (code, _, said) = verb(&site, "en", &["run", "p", "--yes", "--unlock"]);
    assert!(code == Some(2) && said.contains("--unlock needs --reason"), "{said}");
    assert_eq!((site.erp.count("ExecuteBillQuery"), runs()), (queries, before), "nothing was read, nothing opened");
    // With all of it, it is called.
    let all = [&["retry", "XSCKD000000", "--reason", "month end", "--confirm", "1"][..], flag].concat();
    assert_eq!(verb(&site, "en", &all).0, Some(1), "and refused again");
}

#[test]
fn a_set_whose_approval_is_refused_is_declined_and_the_next_run_is_not_in_its_way() {
    let site = left_over();
    let retry = &["retry", "XSCKD000000", "--flag", "STK_InvCheckResult", "--reason", "month end", "--confirm", "2"];
    let (code, _, said) = verb(&site, "en", retry);
    assert!(code == Some(4) && said.contains("type the number of bills, 1"), "{said}");
    assert!(said.contains("not approved; nothing was written"), "{said}");
    assert_eq!(objects(&verb(&site, "en", &["--json", "history", "-n", "1"]).1, "run")[0]["state"], "declined");
    site.erp.answer_with(|_, _, _| Said::Good);
    assert_eq!(verb(&site, "en", &["run", "p", "--yes"]).0, Some(0), "nothing new, and nobody in the way");
}

#[test]
fn a_verify_that_reads_nothing_ends_as_what_is_left_and_says_so() {
    let site = left_over();
    site.erp.answer_with(|_, _, _| Said::Http(401, "unauthorized".into()));
    let (code, out, said) = verb(&site, "en", &["verify"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("nothing was read back") && out.contains("nothing was read back"), "{out}{said}");
    assert!(!said.contains("mark") && !out.contains("found 0"), "{out}{said}");
    let (_, out, _) = verb(&site, "en", &["--json", "verify"]);
    let last = &objects(&out, "run")[0];
    assert_eq!((&last["exit"], &last["state"]), (&3.into(), &"collect_failed".into()), "{last}");
    let told = &objects(&verb(&site, "en", &["--json", "history", "-n", "1"]).1, "run")[0];
    assert_eq!((&told["exit"], &told["run"]), (&last["exit"], &last["run"]), "whichever door it is asked through");
    let (_, history, _) = verb(&site, "zh", &["history"]);
    assert!(history.contains("没有回查任何单据"), "{history}");
}

#[test]
fn what_stopped_a_plan_is_told_until_it_writes_again_whatever_a_verify_could_not_read() {
    let from = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let erp = Erp::start(6, move |service, _, _| {
        let now = from.fetch_or(service == "Audit", std::sync::atomic::Ordering::SeqCst) || service == "Audit";
        if now { Said::Http(401, "unauthorized".into()) } else { Said::Good }
    });
    let site = Site::new(erp, "900s", "", "");
    assert_eq!(verb(&site, "en", &["run", "p", "--yes"]).0, Some(3));
    let stopped = objects(&verb(&site, "en", &["--json", "health"]).1, "health")[0]["runs"][0].clone();
    assert_eq!(stopped["state"], "stopped");
    for _ in 0..2 {
        assert_eq!(verb(&site, "en", &["verify"]).0, Some(3));
    }
    let still = &objects(&verb(&site, "en", &["--json", "health"]).1, "health")[0]["runs"][0];
    assert_eq!((still, &still["times"]), (&stopped, &1.into()));
}

#[test]
fn the_ledger_names_first_what_nobody_can_say_anything_about() {
    let site = left_over();
    // The refused ones are more.
    site.erp.answer_with(|service, data, _| match service {
        "Audit" => Said::Http(200, answer(false, &[STOCK], &[], 11)),
        _ if reads_the_unknown(service, data) => Said::Http(200, answer(false, &["没有该功能的操作权限"], &[], 2)),
        _ => Said::Good,
    });
    site.erp.add(7);
    site.erp.add(8);
    verb(&site, "en", &["run", "p", "--yes"]);
    let (_, out, _) = verb(&site, "en", &["--json", "ledger", "--groups"]);
    let groups = objects(&out, "group");
    let count = |outcome: &str| groups.iter().find(|group| group["outcome"] == outcome).unwrap()["count"].as_u64();
    assert!(count("failed") > count("unknown"), "{out}");
    let (_, table, _) = verb(&site, "en", &["ledger", "--groups"]);
    let first = table.lines().nth(1).unwrap();
    assert!(first.trim_start().starts_with("unknown"), "{table}");
}

#[test]
fn a_verb_that_needs_what_is_there_makes_no_data_directory_and_a_backup_can_be_restored_after_it() {
    let site = left_over();
    let backup = site.dir.path().join("bk").display().to_string();
    assert_eq!(verb(&site, "en", &["backup", &backup]).0, Some(0));
    let other = Site::new(Erp::start(2, |_, _, _| Said::Good), "1s", "", "");
    let list = other.dir.path().join("list.csv").display().to_string();
    let state = other.dir.path().join("state");
    for (args, code, words) in [
        (&["history"][..], 0, "no runs yet"),
        (&["ledger"], 0, "empty"),
        (&["health"], 0, "ok; engine not running"),
        (&["bill", "XSCKD000000"], 2, "no bill XSCKD000000"),
        (&["export", "--all", &list], 0, "0 bills"),
        (&["log"], 0, ""),
        (&["plan", "preview", "p"], 0, "found 2"),
        (&["verify"], 0, ""),
        (&["retry", "--yes"], 0, ""),
    ] {
        // The directory that nobody named: nothing was ever done there.
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        command.env("XDG_STATE_HOME", &state).arg("--config").arg(other.dir.path().join("config.toml"));
        let out = command.args(["--lang", "en"]).args(args).stdin(Stdio::null()).output().unwrap();
        let said = [out.stdout, out.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert_eq!(out.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
        assert!(!state.exists(), "{args:?} made a directory");
    }
    assert_eq!(
        verb(&other, "en", &["plan", "preview", "p"]).0,
        Some(0),
        "a preview asks the ERP, before a first run too"
    );
    assert!(!other.data().exists());
    assert_eq!(verb(&other, "en", &["restore", &backup]).0, Some(0));
    assert!(verb(&other, "en", &["history"]).1.contains("found 3"));
}

#[test]
fn a_data_directory_that_was_mistyped_is_said_by_every_verb_that_needs_it_and_never_made() {
    let site = left_over();
    let typed = site.dir.path().join("dta");
    let run = |lang: &str, data: &std::path::Path, args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        command.arg("--config").arg(site.dir.path().join("config.toml")).arg("--data").arg(data);
        let out = command.args(["--lang", lang]).args(args).stdin(Stdio::null()).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (copy, report) = (site.dir.path().join("bk"), site.dir.path().join("r.md"));
    let (copy, report) = (copy.display().to_string(), report.display().to_string());
    for args in [
        &["history"][..],
        &["ledger"],
        &["ledger", "--groups"],
        &["bill", "XSCKD100001"],
        &["health"],
        &["export", &report],
        &["report", &report],
        &["handover"],
        &["evidence", "0", &report],
        &["log"],
        &["log", "verify"],
        &["log", "head"],
        &["forecast"],
        &["verify"],
        &["retry", "--yes"],
        &["resume"],
        &["cancel", "0"],
        &["approve"],
        &["resolve", "--reason", "x"],
        &["reopen", "--reason", "x", "N"],
        &["doctor"],
        &["backup", &copy],
        &["prune"],
        &["upgrade"],
        &["env", "adopt", "demo", "--reason", "x"],
    ] {
        for (lang, what, meant) in
            [("en", "there is no such data directory", "did you mean"), ("zh", "没有这个数据目录", "是不是")]
        {
            let (code, said) = run(lang, &typed, args);
            let meant = format!("{meant} {}", site.data().display());
            assert_eq!(code, Some(2), "{args:?}: {said}");
            assert!(said.contains(what) && said.contains(&meant) && said.lines().count() == 1, "{args:?}: {said}");
            assert!(!typed.exists(), "{args:?} made a directory");
        }
    }
    assert!(!std::path::Path::new(&report).exists() && !std::path::Path::new(&copy).exists());
    // The directory above it is none, either, and keeps what it has.
    let (code, said) = run("zh", site.dir.path(), &["health"]);
    assert!(code == Some(2) && said.contains("没有流水") && said.contains("/data？"), "{said}");
    assert!(!site.dir.path().join("journal").exists());
}

#[test]
fn a_run_is_named_by_the_beginning_of_its_id_and_a_list_of_no_lines_is_refused() {
    let site = left_over();
    let (_, out, _) = verb(&site, "en", &["--json", "history"]);
    let run: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    let id = run["run"].as_str().unwrap();
    assert_eq!(verb(&site, "en", &["history", &id[..12].to_lowercase()]).0, Some(0));
    for part in [&id[1..], &id[20..], "ZZZ"] {
        let (code, out, said) = verb(&site, "en", &["history", part]);
        assert!(code == Some(2) && out.is_empty() && said.contains(&format!("no run {part}")), "{part}: {out}{said}");
        assert_eq!(verb(&site, "en", &["ledger", "--run", part]).0, Some(2), "{part}");
    }
    for args in [&["ledger", "-n", "0"][..], &["ledger", "status:failed", "-n", "0"], &["history", "-n", "0"]] {
        let (code, out, said) = verb(&site, "zh", args);
        let told = said.contains("--limit <N> 的值：应为不小于 1 的整数");
        assert!(code == Some(2) && out.is_empty() && told, "{args:?}: {out}{said}");
    }
}

#[test]
fn times_and_days_are_of_one_zone_and_a_tz_that_names_none_is_said() {
    let site = left_over();
    let at = |tz: &str, args: &[&str]| {
        let out = site.command("en", args).env("TZ", tz).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&out.stdout), text(&out.stderr))
    };
    for (tz, ahead, named) in
        [("Asia/Kathmandu", "+05:45", "Asia/Kathmandu"), (":Pacific/Kiritimati", "+14:00", "Pacific/Kiritimati")]
    {
        let (list, said) = at(tz, &["history"]);
        let (handed, _) = at(tz, &["handover"]);
        assert!(list.contains(ahead) && said.is_empty(), "{list}{said}");
        assert!(handed.lines().nth(1).unwrap().ends_with(&format!("({named})")), "{handed}");
    }
    let (_, said) = at("Nope/No\u{202e}pe", &["history"]);
    assert!(said.contains("names no time zone: days are those of") && !said.contains('\u{202e}'), "{said}");
}

#[test]
fn a_copy_that_is_only_looked_at_takes_no_order_and_says_so() {
    let site = left_over();
    let backup = site.dir.path().join("bk").display().to_string();
    assert_eq!(verb(&site, "en", &["backup", &backup]).0, Some(0));
    let config = site.dir.path().join("config.toml").display().to_string();
    let of_copy = |lang: &str, args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_skydeck"));
        command.args(["--config", &config, "--lang", lang, "--snapshot", &backup]).args(args);
        let out = command.stdin(std::process::Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    for order in [
        &["run", "p", "--yes"][..],
        &["verify"],
        &["resolve", "--all", "--reason", "x"],
        &["reopen", "XSCKD000000", "--reason", "x"],
        &["env", "adopt", "demo", "--reason", "x"],
        &["prune", "--yes"],
    ] {
        for (lang, words) in [("en", "only looked at"), ("zh", "只供查看")] {
            let (code, _, said) = of_copy(lang, order);
            assert!(code == Some(4) && said.contains(words) && !said.contains("[access]"), "{order:?}: {said}");
        }
    }
    assert_eq!(of_copy("en", &["ledger"]).0, Some(3), "it is looked at");
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let site = left_over();
    for (lang, words) in [("en", "none of these bills is resolved"), ("zh", "所指单据均未办结")] {
        let (code, _, said) = verb(&site, lang, &["reopen", "XSCKD000000", "--reason", "x"]);
        assert!(code == Some(0) && said.contains(words) && !said.contains("unresolved bill matches"), "{said}");
    }
    let bare = tempfile::tempdir().unwrap();
    let at = |lang: &str, args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_skydeck"));
        command.env_clear().env("HOME", bare.path()).args(["--lang", lang]).args(args);
        let out = command.stdin(std::process::Stdio::null()).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    for (lang, no_env, no_plan) in
        [("en", "no environment is configured: write", "nor any other"), ("zh", "没有配置环境", "现有：无")]
    {
        for check in [&["env", "check"][..], &["env", "check", "demo"]] {
            let (code, said) = at(lang, check);
            assert!(code == Some(2) && said.contains(no_env) && said.contains("config.toml"), "{said}");
        }
        for named in [&["run", "x", "--yes"][..], &["plan", "show", "x"]] {
            let (code, said) = at(lang, named);
            assert!(code == Some(2) && said.contains(no_plan) && !said.contains("there are: "), "{said}");
        }
    }
}
