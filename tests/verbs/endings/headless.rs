//! Runs of a verb with nobody there: each ending, by what is left of the set.

use std::time::Duration;

use super::{Heard, NEVER, Place, check, ended, row, until};
use crate::erp::{Erp, Said, answer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn refuses(service: &str, data: &Value, id: u64) -> bool {
    service == "Audit" && data["Ids"].as_str().is_some_and(|ids| ids == id.to_string())
}

#[test]
fn a_run_that_goes_through() {
    let place = Place::new(Erp::start(6, |_, _, _| Said::Good), "1s", "", "");
    check(
        &place,
        &["run", "p", "--yes"],
        "completed | - | found 6 audited 6 | exit 0 | json 0 | health 0",
        &["complete"],
    );
    assert_eq!(place.erp.audited(), 6);
    check(&place, &["run", "p", "--yes"], "empty | - | found 0 | exit 0 | json 0 | health 0", &["nothing found"]);
}

#[test]
fn successes_that_change_nothing() {
    let erp = Erp::start(30, |service, data, nth| match service {
        "Audit" if nth >= 12 => {
            let id: u64 = data["Ids"].as_str().unwrap().parse().unwrap();
            let done = serde_json::json!({"Id": id, "Number": format!("XSCKD{:06}", id - 100_000), "DIndex": 0});
            Said::Http(200, answer(true, &[], &[done], 0))
        }
        _ => Said::Good,
    });
    let place = Place::new(erp, "1s", "", "");
    let want = "stopped | success_without_effect | found 30 audited 12 unknown 18 | exit 3 | json 3 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["success was answered for"]);
    assert_eq!((place.erp.audited(), place.erp.count("Audit")), (12, 30));
    // The next run calls none of them by itself.
    place.verb(&["run", "p", "--yes"]);
    assert_eq!(place.erp.count("Audit"), 30);
}

#[test]
fn some_failed_some_unknown() {
    let erp = Erp::start(6, |service, data, _| match service {
        _ if refuses(service, data, 100_001) => Said::Http(200, answer(false, &["更新库存时库存不足"], &[], 11)),
        _ => Said::Good,
    });
    let place = Place::new(erp, "1s", "", "");
    let want = "completed | - | found 6 audited 5 failed 1 | exit 1 | json 1 | health 0";
    check(&place, &["run", "p", "--yes"], want, &["some failed"]);
    // A cause is found by its name, and by the words that are shown for it; what finds nothing says so.
    for filter in ["cause:stock", "原因:库存不足"] {
        assert!(place.zh(&["ledger", filter]).out.contains("XSCKD000001"), "{filter}");
    }
    for filter in ["cause:period", "原因:校验不通过"] {
        let none = place.verb(&["ledger", filter]);
        assert!(none.out.contains("no unresolved bill matches"), "{filter}: {}", none.out);
        let none = place.verb(&["--json", "retry", filter, "--yes"]);
        assert_eq!(none.code, 0);
        assert!(none.out.contains(r#""type":"nothing""#) && none.out.contains(r#""unresolved":1"#), "{}", none.out);
        assert!(none.err.contains(filter) && none.err.contains("the ledger holds 1"), "{}", none.err);
    }
    // What is no value of its key is a slip of the pen, whatever is asked for by it.
    for (args, said) in [
        (&["ledger", "cause:stok"][..], "did you mean `stock`?"),
        (&["ledger", "status:faild"], "did you mean `failed`?"),
        (&["retry", "原因:瞎写", "--yes"], "no cause is called `瞎写`"),
        (&["verify", "age:>1h -cause:bogus"], "no cause is called `bogus`"),
        (&["resolve", "outcome:nothing", "--reason", "x"], "no status is called `nothing`"),
        (&["ledger", "plan:q"], "no plan is called `q`"),
        (&["retry", "--plan", "nosuch", "--yes"], "no plan is called `nosuch`"),
        (&["export", "--filter", "cause:bogus*", "x.csv"], "no cause is called `bogus*`"),
        (&["ledger", "--groups", "cause:stok"], "did you mean `stock`?"),
        (&["ledger", "custmer:K1"], "did you mean `customer`?"),
        (&["retry", "颜色:红", "--yes"], "no key and no column of a plan is called `颜色`"),
        (&["resolve", "who:nobody", "--reason", "x"], "no who is called `nobody`"),
        (&["history", "--filter", "env:prdo"], "no env is called `prdo`"),
        (&["verify", "operation:Adit"], "did you mean `Audit`?"),
        (&["ledger", "date:2026-02-29"], "there is no 2026-02-29: that month has 28 days"),
        (&["ledger", "ran:今天..昨天"], "ends before it begins"),
        (&["export", "--filter", "since:..", "x.csv"], "is not a date"),
    ] {
        let slip = place.verb(args);
        assert_eq!((slip.code, slip.err.contains(said)), (2, true), "{args:?}: {}", slip.err);
    }
    assert!(place.zh(&["ledger", "cause:stok"]).err.contains("是不是 `stock`"));
    // Groups are counted by the same filter as the list and the order.
    let counted = |filter: &str| place.verb(&["--json", "ledger", "--groups", filter]);
    assert_eq!((counted("cause:stock").code, &counted("cause:stock").last()["count"]), (1, &1.into()));
    assert_eq!(
        (counted("结果:失败 操作:审核 ran:今天").code, &counted("status:failed").last()["count"]),
        (1, &1.into())
    );
    let none = place.verb(&["ledger", "--groups", "cause:period"]);
    assert_eq!((none.code, none.out.contains("no unresolved bill matches")), (0, true), "{}", none.out);
    saved_views_stand_for_their_filters(&place);
    assert_eq!(place.zh(&["retry", "原因:库存不足", "--yes"]).code, 1, "it is called, and refused again");
    // No usable answer for one, and no read-back ever works: unknown is left.
    let erp = Erp::start(3, |service, data, _| match service {
        _ if refuses(service, data, 100_001) => Said::Http(502, "<html>bad gateway</html>".into()),
        "ExecuteBillQuery"
            if data["FilterString"].as_str().is_some_and(|f| !f.contains("100000") && f.contains("100001")) =>
        {
            Said::Http(200, answer(false, &["没有该功能的操作权限"], &[], 2))
        }
        _ => Said::Good,
    });
    let place = Place::new(erp, "1s", "", "");
    let want = "completed | - | found 3 audited 2 unknown 1 | exit 3 | json 3 | health 3";
    check(&place, &["run", "p", "--yes"], want, &["unknown left"]);
}

/// What the console saved by a name is meant by `@name` in every verb that takes a filter.
fn saved_views_stand_for_their_filters(place: &Place) {
    let none = place.verb(&["ledger", "@stock"]);
    assert_eq!((none.code, none.err.contains("no saved view is called `stock`")), (2, true), "{}", none.err);
    let views = "[[filter]]\nname = \"stock\"\ntext = \"原因:库存不足\"\nkey = \"s\"\n[[filter]]\nname = \"gone\"\ntext = \"plan:q\"\n";
    std::fs::write(place.data().join("filters.toml"), views).unwrap();
    assert!(place.verb(&["ledger", "@stock -no:nope"]).out.contains("XSCKD000001"));
    assert!(place.verb(&["history", "--filter", "@stock"]).out.contains("XSCKD000001"));
    for (args, said) in
        [(&["ledger", "@stok"][..], "did you mean `@stock`?"), (&["retry", "@gone", "--yes"], "no plan is called `q`")]
    {
        let slip = place.verb(args);
        assert_eq!((slip.code, slip.err.contains(said)), (2, true), "{args:?}: {}", slip.err);
    }
}

#[test]
fn every_audit_answers_502() {
    let erp = Erp::start(6, |service, _, _| match service {
        "Audit" => Said::Http(502, "<html><head><title>502 Bad Gateway</title></head></html>".into()),
        _ => Said::Good,
    });
    let place = Place::new(erp, "1s", "", "");
    let want = "stopped | breaker_unknown | found 6 failed 3 not_reached 3 | exit 6 | json 6 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["3 calls in a row without a usable answer"]);
    let health: Value = place.verb(&["--json", "health"]).last();
    assert_eq!((&health["ok"], &health["runs"][0]["state"]), (&false.into(), &"stopped".into()), "{health}");
    assert_eq!(health["runs"][0]["reason_args"]["n"], 3, "{health}");
    // It stays so over a run that is not gone on with, and is well again once one went through.
    place.verb(&["run", "p"]);
    assert_eq!(place.verb(&["health"]).code, 1);
    place.erp.answer_with(|_, _, _| Said::Good);
    let again = place.verb(&["--json", "run", "p", "--yes"]);
    assert_eq!((again.code, &again.last()["audited"]), (0, &6.into()), "what was not reached is taken up again");
    assert_eq!(place.verb(&["health"]).code, 0);
    assert_eq!(place.erp.audited(), 6);
}

#[test]
fn every_call_is_answered_401() {
    // From the first Audit on; the server's limit is not waited out, because it tells nothing any more.
    let from = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let erp = Erp::start(6, move |service, _, _| {
        let now = from.fetch_or(service == "Audit", std::sync::atomic::Ordering::SeqCst) || service == "Audit";
        if now { Said::Http(401, "unauthorized".into()) } else { Said::Good }
    });
    let place = Place::new(erp, NEVER, "", "");
    let want = "stopped | sign_in_refused | found 6 unknown 1 not_reached 5 | exit 3 | json 3 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["the sign-in was refused"]);
    // From the beginning: nothing can be collected.
    let place = Place::new(Erp::start(6, |_, _, _| Said::Http(401, "unauthorized".into())), NEVER, "", "");
    let want = "collect_failed | sign_in_refused | found 0 | exit 6 | json 6 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["the watermark did not move", "query failed"]);
}

#[test]
fn the_erp_is_gone_after_collecting() {
    let erp = Erp::start(6, |service, data, _| match service {
        "ExecuteBillQuery" if data["FilterString"].as_str().is_some_and(|f| f.contains("100000")) => Said::Gone,
        _ => Said::Good,
    });
    let place = Place::new(erp, NEVER, "", "");
    let want = "stopped | unreachable | found 6 not_reached 6 | exit 6 | json 6 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["the server cannot be reached"]);
    // And before.
    let want = "collect_failed | unreachable | found 0 | exit 6 | json 6 | health 1";
    let run = place.verb(&["--json", "run", "p", "--yes"]);
    assert_eq!(row(&run.last(), run.code, place.verb(&["health"]).code), want, "{}", run.err);
    // What stands is told with since when, and how often it came to nothing in a row.
    let health = place.verb(&["--json", "health"]).last();
    let stands = &health["runs"][0];
    assert_eq!((&stands["state"], &stands["times"]), (&"collect_failed".into(), &2.into()), "{health}");
    let ends: Vec<Value> = place
        .verb(&["--json", "history"])
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["closed_ms"].clone())
        .collect();
    assert!(
        ends.len() == 2 && ends.iter().min_by_key(|ms| ms.as_i64()) == Some(&stands["since_ms"]),
        "{ends:?} {health}"
    );
    assert!(place.verb(&["health"]).out.contains("2 runs in a row came to nothing, since 20"));
}

#[test]
fn the_query_is_refused_as_a_fault_of_the_plan() {
    let refused = |code, words: &'static str| {
        let said = Value::from(vec![vec![serde_json::from_str::<Value>(&answer(false, &[words], &[], code)).unwrap()]]);
        Place::new(Erp::start(3, move |_, _, _| Said::Http(200, said.to_string())), "1s", "", "")
    };
    let place = refused(9, "元数据中标识为FNoSuch的字段不存在");
    let want = "collect_failed | query_refused | found 0 | exit 2 | json 2 | health 1";
    let last = check(&place, &["run", "p", "--yes"], want, &["FNoSuch"]);
    assert_eq!(last["reason_args"]["failure"]["k"], 9, "{last}");
    let preview = place.verb(&["plan", "preview", "p"]);
    assert_eq!(preview.code, 2, "{}", preview.err);
    let place = refused(2, "没有该功能的操作权限");
    let want = "collect_failed | query_refused | found 0 | exit 6 | json 6 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["没有该功能的操作权限"]);
}

#[test]
fn a_first_ctrl_c_stops_and_what_was_not_reached_says_so() {
    let slow = |service: &str, _: &Value, _: usize| match service {
        "Audit" => Said::Slow(Duration::from_millis(400)),
        _ => Said::Good,
    };
    let place = Place::new(Erp::start(12, slow), "1s", "", "");
    let child = place.start(&["--json", "run", "p", "--yes"]);
    until("an audit", || place.erp.audited() >= 2);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let run = Heard::of(ended(child));
    let last = run.last();
    assert_eq!((run.code, &last["state"], &last["exit"]), (6, &"cancelled".into(), &6.into()), "{}", run.err);
    assert_eq!(last["audited"], place.erp.audited());
    assert!(last["not_reached"].as_u64().unwrap() > 0 && last["unknown"] == 0, "{last}");
    assert_eq!(place.verb(&["health"]).code, 0, "a person stopped it");
    // Before the approval: everything waits, nothing is told of it.
    let reads = |service: &str, _: &Value, nth: usize| match service {
        "ExecuteBillQuery" if nth > 0 => Said::Slow(Duration::from_secs(3)),
        _ => Said::Good,
    };
    let place = Place::new(Erp::start(12, reads), "1s", "", "");
    let child = place.start(&["--json", "run", "p", "--yes"]);
    until("the second page", || place.erp.count("ExecuteBillQuery") >= 2);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let run = Heard::of(ended(child));
    let last = run.last();
    assert_eq!((run.code, &last["state"], &last["not_reached"]), (6, &"cancelled".into(), &0.into()), "{}", run.err);
    assert!(place.verb(&["ledger"]).out.contains("empty"));
}

#[test]
fn a_preview_leaves_no_trace() {
    let place = Place::new(Erp::start(6, |_, _, _| Said::Good), "1s", "", "");
    let preview = place.verb(&["--json", "plan", "preview", "p"]);
    let seen = preview.last();
    assert_eq!((preview.code, &seen["found"], &seen["callable"]), (0, &6.into(), &6.into()), "{}", preview.err);
    assert_eq!(seen["by_status"]["B"], 6);
    assert_eq!(place.verb(&["history"]).code, 2, "there is no directory of that name");
    assert!(!place.data().exists(), "not even a data directory");
    let run = place.verb(&["--json", "run", "p", "--yes"]);
    assert_eq!(run.last()["set_hash"], seen["set_hash"], "the set it would have frozen");
    let last_run = run.last()["run"].as_str().unwrap().to_owned();
    // Nor in a directory that is there: no fact about a run, no line in the action log.
    let traces = || {
        let facts = place.dir.path().join("facts.jsonl");
        place.verb(&["doctor", "--export", &facts.display().to_string()]);
        let facts = std::fs::read_to_string(&facts).unwrap();
        std::fs::remove_file(place.dir.path().join("facts.jsonl")).unwrap();
        let runs = facts.matches(last_run.as_str()).count();
        assert!(runs > 0, "{facts}");
        (runs, std::fs::read_to_string(place.data().join("actions.log")).unwrap())
    };
    let before = traces();
    assert_eq!(place.verb(&["plan", "preview", "p"]).code, 0);
    assert_eq!(traces(), before);
}
