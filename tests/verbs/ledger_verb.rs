//! What verbs say of unresolved bills and of people, through the real program: who had closed a bill before it changed, that a
//! list is cut, whose name counts, and tables and refusals in the reader's language.
use crate::erp::{Erp, Said, Site, answer};
use serde_json::Value;

const WORDS: &str = "字段“客户”是必填项";

/// A site whose first bills are refused, after one run.
fn site(bills: u64, refused: u64) -> Site {
    let erp = Erp::start(bills, move |service, data, _| match service {
        "Audit" if (0..refused).any(|n| data["Ids"].as_str() == Some(format!("{}", 100_000 + n).as_str())) => {
            Said::Http(200, answer(false, &[WORDS], &[], 11))
        }
        _ => Said::Good,
    });
    let site = Site::new(erp, "1s", "", "breaker_failed_percent = 100\n");
    assert_eq!(verb(&site, "en", &["run", "p", "--yes"]).0, Some(1));
    site
}

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

#[test]
fn the_ledger_says_who_had_closed_a_bill_that_changed_and_why() {
    let site = site(3, 2);
    let reason = "客户已停用，手工处理";
    assert_eq!(verb(&site, "zh", &["resolve", "--all", "--reason", reason]).0, Some(0));
    assert_eq!(verb(&site, "en", &["ledger"]).0, Some(0), "nothing is unresolved");
    site.erp.change(1);
    assert_eq!(verb(&site, "en", &["run", "p", "--sweep", "--yes"]).0, Some(1));
    for (lang, words) in [("en", "the bill changed; resolved before by "), ("zh", "此前已办结，由 ")] {
        let (code, list, _) = verb(&site, lang, &["ledger"]);
        assert_eq!(code, Some(1));
        let line = list.lines().find(|line| line.contains("XSCKD000001")).unwrap();
        assert!(line.contains(WORDS) && line.contains(words) && line.contains(reason), "{line}");
        assert!(!list.contains("XSCKD000000"), "unchanged, it stays closed: {list}");
    }
    let (_, list, _) = verb(&site, "en", &["--json", "ledger"]);
    let bills = objects(&list, "bill");
    assert_eq!((bills.len(), &bills[0]["resolved_before"]["reason"]), (1, &Value::from(reason)));
    assert!(bills[0]["resolved_before"]["by"].as_str().is_some_and(|by| !by.is_empty()));
}

#[test]
fn a_list_that_is_cut_says_so_to_people_and_programs() {
    let site = site(3, 3);
    let (_, list, _) = verb(&site, "en", &["--json", "ledger", "-n", "2"]);
    let cut = objects(&list, "list_cut");
    assert_eq!(objects(&list, "bill").len(), 2);
    assert_eq!((cut.len(), &cut[0]["listed"], &cut[0]["limit"]), (1, &Value::from(2), &Value::from(2)));
    let (_, list, _) = verb(&site, "en", &["--json", "ledger", "-n", "3"]);
    assert_eq!((objects(&list, "bill").len(), objects(&list, "list_cut").len()), (3, 0), "that is all there is");
    for (lang, words) in [("en", "… and more"), ("zh", "… 还有更多")] {
        assert!(verb(&site, lang, &["ledger", "-n", "2"]).2.contains(words));
        assert!(!verb(&site, lang, &["ledger", "-n", "3"]).2.contains(words));
    }
}

#[test]
fn a_table_that_is_exported_has_the_words_of_its_readers_language_and_the_names_for_scripts() {
    let site = site(2, 1);
    let csv = |lang: &str, name: &str| {
        let file = site.dir.path().join(name);
        let (code, _, said) = verb(&site, lang, &["export", file.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{said}");
        std::fs::read_to_string(file).unwrap()
    };
    let (zh, en) = (csv("zh", "zh.csv"), csv("en", "en.csv"));
    let row = |csv: &str| {
        let mut lines = csv.trim_start_matches('\u{feff}').lines().map(str::to_owned);
        (lines.next().unwrap(), lines.next().unwrap())
    };
    let ((head, line), (named, coded)) = (row(&zh), row(&en));
    assert!(
        head.starts_with("单据编号,内码,处理结果,原因,ERP 返回信息") && head.ends_with("处理结果代码,原因代码"),
        "{head}"
    );
    assert!(line.contains(",失败,校验不通过,") && line.ends_with(",failed,validation"), "{line}");
    assert!(named.starts_with("no,fid,outcome,cause,message") && named.ends_with("outcome_code,cause_code"), "{named}");
    assert!(coded.contains(",failed,validation failed,") && coded.ends_with(",failed,validation"), "{coded}");
}

#[test]
fn a_claimed_login_never_stands_without_the_name_that_the_system_knows() {
    let site = site(2, 1);
    let claimed = |args: &[&str]| {
        let mut verb = site.command("en", args);
        let out = verb.env("LOGNAME", "nobody-at-all").env("USER", "nobody-at-all").output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    claimed(&["run", "p", "--sweep", "--number", "XSCKD000000", "--yes"]);
    claimed(&["resolve", "--all", "--reason", "by hand"]);
    site.erp.change(0);
    claimed(&["run", "p", "--sweep", "--yes"]);
    let uid = rustix::process::getuid().as_raw();
    for args in [&["history"][..], &["log"], &["ledger"], &["bill", "XSCKD000000"], &["--json", "history"]] {
        let said = claimed(args);
        let marked = said.matches("(says nobody-at-all)").count();
        assert!(marked > 0, "{args:?}: {said}");
        assert_eq!(said.matches("nobody-at-all").count(), marked, "{args:?}: {said}");
    }
    let orders = claimed(&["--json", "log"]);
    for by in objects(&orders, "action").iter().map(|order| &order["by"]) {
        assert_eq!(by["uid"], uid, "{by}");
        assert!(by["name"].as_str().is_some_and(|name| name != "nobody-at-all"), "{by}");
    }
}

#[test]
fn what_a_verb_refuses_is_said_in_the_readers_language() {
    let site = site(1, 1);
    let page = site.dir.path().join("page.md");
    let nothing = site.dir.path().join("nothing.md");
    std::fs::write(
        &page,
        "| 字段 | 字段名称 | 值 |\n|--|--|--|\n| FormId | 表单 | |\n| FilterString | 条件 | FID>0 |\n",
    )
    .unwrap();
    std::fs::write(&nothing, "这里没有表格\n").unwrap();
    for (args, words) in [
        (&["resume"][..], "没有未结束的运行"),
        (&["history", "nosuch"], "没有运行 nosuch"),
        (&["history", "0"], "有多个运行符合 0"),
        (&["run", "q"], "现有：p"),
        (&["run", "p", "--unlock"], "--unlock 需要 --reason"),
        (&["plan", "render", "p", "--since", "x"], "--since x：请写"),
        (&["plan", "import", nothing.to_str().unwrap()], "第 1 行：没有找到表格"),
        (&["plan", "import", page.to_str().unwrap()], "没有找到目标：补上 `target` 后方案才能运行"),
        (&["plan", "import", page.to_str().unwrap()], "FormId 没有值"),
        (&["prune"], "全部保留"),
        (&["alerts", "test"], "不会通知任何人"),
    ] {
        if args[..] == ["history", "0"] {
            verb(&site, "zh", &["run", "p", "--sweep", "--yes"]);
        }
        let (code, _, said) = verb(&site, "zh", args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let empty = Site::new(Erp::start(0, |_, _, _| Said::Good), "1s", "", "");
    for args in [&["doctor"][..], &["log", "verify"], &["upgrade"]] {
        assert!(verb(&empty, "zh", args).2.contains("没有这个数据目录"), "{args:?}");
    }
}

#[test]
fn entries_are_closed_by_what_they_have_in_common_or_all_of_them_by_name() {
    let site = site(3, 3);
    let left = || objects(&verb(&site, "en", &["--json", "ledger"]).1, "bill").len();
    for (lang, words) in [("en", "--all for the whole ledger"), ("zh", "办结全部遗留请用 --all")] {
        let (code, _, said) = verb(&site, lang, &["resolve", "--reason", "by hand"]);
        assert!(code == Some(2) && said.contains(words), "{said}");
        assert_eq!(verb(&site, lang, &["resolve", " ", "--reason", "by hand"]).0, Some(2), "blanks say nothing");
    }
    let (code, _, said) = verb(&site, "en", &["resolve", "--all", "cause:validation", "--reason", "by hand"]);
    assert!(code == Some(2) && said.contains("leave it out"), "{said}");
    assert_eq!(left(), 3);
    assert_eq!(verb(&site, "en", &["resolve", "XSCKD000001", "--reason", "by hand"]).0, Some(0));
    assert_eq!(left(), 2);
    assert_eq!(verb(&site, "en", &["resolve", "--plan", "p", "--reason", "by hand"]).0, Some(0));
    assert_eq!(left(), 0);
}

#[test]
fn the_ledgers_exit_is_of_what_it_lists() {
    let site = site(3, 2);
    for (args, code) in [
        (&["ledger"][..], 1),
        (&["ledger", "cause:validation"], 1),
        (&["ledger", "XSCKD000001"], 1),
        (&["ledger", "XSCKD999999"], 0),
        (&["--json", "ledger", "age:>900d"], 0),
    ] {
        let (got, list, said) = verb(&site, "en", args);
        assert_eq!(got, Some(code), "{args:?}: {list}{said}");
        assert_eq!(list.contains("no unresolved bill matches"), code == 0 && args[0] != "--json", "{list}");
    }
}

#[test]
fn what_works_on_ones_own_directory_alone_refuses_the_owner_behind_a_socket() {
    let site = site(2, 1);
    let nowhere = site.dir.path().join("no.sock").display().to_string();
    let target = site.dir.path().join("copy").display().to_string();
    for own in [
        &["serve", "--end"][..],
        &["serve"],
        &["backup", &target],
        &["restore", &target],
        &["prune", "--yes"],
        &["doctor"],
        &["upgrade"],
        &["alerts", "test"],
        &["plan", "list"],
        &["env", "list"],
    ] {
        for (lang, words) in [("en", "leave --attach out"), ("zh", "请去掉 --attach")] {
            let (code, _, said) = verb(&site, lang, &[&["--attach", &nowhere], own].concat());
            assert!(code == Some(2) && said.contains(words) && said.contains(own[0]), "{own:?}: {said}");
        }
    }
    assert!(!std::path::Path::new(&target).exists());
    // What is asked of the owner is.
    let (code, _, said) = verb(&site, "en", &["--attach", &nowhere, "history"]);
    assert!(code != Some(0) && !said.contains("leave --attach out"), "{said}");
}
