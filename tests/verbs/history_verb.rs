//! `history` with a filter about runs, and `bill --ask` of bills that no run has read, through the real program.
use crate::erp::{Erp, Said, Site, answer};
use crate::place::Place;
use serde_json::Value;

fn verb(site: &Site, lang: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let out = site.command(lang, args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_filter_about_runs_lists_runs_and_one_about_bills_lists_bills() {
    let erp = Erp::start(3, move |service, data, _| match service {
        "Audit" if data["Ids"].as_str() == Some("100001") => {
            Said::Http(200, answer(false, &["字段“客户”是必填项"], &[], 11))
        }
        _ => Said::Good,
    });
    let site = Site::new(erp, "1s", "", "breaker_failed_percent = 100\n");
    site.empty_data();
    for filter in ["state:empty", "运行类型:定时"] {
        let (code, said, _) = verb(&site, "en", &["history", "--filter", filter]);
        assert!(code == Some(0) && said.contains("no run matches"), "an empty store: {said}");
    }
    assert_eq!(verb(&site, "en", &["run", "p", "--yes"]).0, Some(1));
    verb(&site, "en", &["retry", "--yes"]);
    let kinds = |filter: &str| -> Vec<(String, String)> {
        let (code, list, said) = verb(&site, "en", &["--json", "history", "--filter", filter]);
        assert_eq!(code, Some(0), "{filter}: {said}");
        let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
        lines(&list).iter().map(|line| (word(line, "type"), word(line, "kind"))).collect()
    };
    let run = |kind: &str| ("run".to_owned(), kind.to_owned());
    for (filter, want) in [
        ("plan:p", vec![run("retry"), run("fresh")]),
        ("plan:p kind:normal", vec![run("fresh")]),
        ("运行类型:重试 运行状态:有失败", vec![run("retry")]),
        ("kind:manual state:some_failed,paused", vec![run("retry"), run("fresh")]),
        ("-kind:retry ran:today", vec![run("fresh")]),
        ("kind:scheduled", vec![]),
        ("ran:<2020", vec![]),
    ] {
        assert_eq!(kinds(filter), want, "{filter}");
    }
    let bills = kinds("plan:p no:* kind:normal");
    assert!(bills.len() >= 2 && bills.iter().all(|(kind, _)| kind == "bill"), "{bills:?}");
    assert_eq!(kinds("state:some_failed kind:retry cause:validation").len(), 1, "of a run in that state");
    for (lang, filter, words) in [
        ("en", "state:emty", "no state is called `emty`; did you mean `empty`?"),
        ("zh", "运行类型:定是", "没有名为 `定是` 的运行类型；是不是 `定时`？"),
        ("en", "kind:red", "no kind is called `red`"),
    ] {
        for args in [&["history", "--filter", filter][..], &["retry", filter, "--yes"], &["ledger", filter]] {
            let (code, _, said) = verb(&site, lang, args);
            assert!(code == Some(2) && said.contains(words), "{args:?}: {said}");
        }
    }
    let (_, said, _) = verb(&site, "zh", &["history", "--filter", "运行状态:已暂停"]);
    assert!(said.contains("没有符合条件的运行"), "{said}");
}

#[test]
fn a_bill_that_no_run_has_read_is_asked_of_the_erp() {
    let place = Place::new(60);
    place.empty_data();
    let ask = |number: &str, more: &[&str]| {
        let out = place.verb(&[&["bill", number, "--ask"], more].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    let (code, said, _) = ask("NOBODY-1", &[]);
    assert!(code == Some(2) && said.contains("no run has read NOBODY-1"), "{said}");
    assert_eq!(place.verb(&["bill", "NOBODY-1"]).status.code(), Some(2), "without it the history alone is looked at");
    let sim = place.sim.as_ref().unwrap();
    let numbers = |status: &str| -> Vec<String> {
        let all = (1..=60).map(|n| format!("XSCKD{n:06}"));
        all.filter(|no| sim.with_world(|world| world.status_of("SAL_OUTSTOCK", no) == Some(status))).collect()
    };
    let audited = numbers("C").remove(0);
    let (code, list, said) = ask(&audited, &["--json"]);
    let told = lines(&list);
    assert_eq!(code, Some(0), "{list}{said}");
    assert_eq!((&told[0]["answer"], &told[0]["status"]), (&Value::from("leaves_out"), &Value::from("C")), "{list}");
    assert!(told[0]["filter"].as_str().is_some_and(|filter| filter.contains("FDOCUMENTSTATUS")), "{list}");
    let last = told.last().unwrap();
    assert_eq!((&last["type"], &last["read"], &last["exit"]), (&"asked".into(), &false.into(), &0.into()));
    let found = numbers("B").iter().take(12).any(|no| lines(&ask(no, &["--json"]).1)[0]["answer"] == "finds");
    assert!(found, "a submitted bill is found by the plan's filter");
    assert!(
        String::from_utf8_lossy(&place.verb(&["history"]).stdout).contains("no runs yet"),
        "nothing is left behind"
    );
    // One that was read is told from the history.
    assert!(matches!(place.verb(&["run", "sal_outstock_audit", "--yes"]).status.code(), Some(0 | 1)));
    let run = place.verb(&["history", "--json", "--filter", "plan:sal* no:*", "-n", "1"]);
    let bill = lines(&String::from_utf8_lossy(&run.stdout)).remove(0);
    let (code, life, _) = ask(bill["no"].as_str().unwrap(), &[]);
    assert!(code == Some(0) && life.contains("started the run") && life.contains("approved by"), "{life}");
}

#[test]
fn what_cannot_be_asked_says_why() {
    let place = Place::new(5);
    let copy = place.dir.path().join("copy");
    place.verb(&["run", "sal_outstock_audit", "--yes"]);
    assert_eq!(place.verb(&["backup", copy.to_str().unwrap()]).status.code(), Some(0));
    let config = place.dir.path().join("config.toml");
    let mut looks = std::process::Command::new(crate::place::PROGRAM);
    looks.args(["bill", "NOBODY-1", "--ask", "--lang", "en", "--snapshot", copy.to_str().unwrap(), "--config"]);
    let out = looks.arg(&config).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(2) && said.contains("leave --snapshot out"), "{said}");
    let plans = place.dir.path().join("plans");
    std::fs::remove_dir_all(&plans).unwrap();
    std::fs::create_dir(&plans).unwrap();
    let out = place.verb(&["bill", "NOBODY-1", "--ask"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(2) && said.contains("no plan that can be used"), "{said}");
    let mut place = place;
    std::fs::write(plans.join("p.json"), std::fs::read("plans/sal_outstock_audit.json").unwrap()).unwrap();
    if let Some(sim) = place.sim.take() {
        place.runtime.block_on(sim.shutdown());
    }
    let out = place.verb(&["bill", "NOBODY-1", "--ask"]);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.code() == Some(6) && said.contains("cannot be reached"), "the ERP is away: {said}");
}
