//! The verbs about environments, by the real binary: where records are, who may say so, and two environments on one server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::process::Output;

use place::Place;
use serde_json::Value;

const PLAN: &str = "sal_outstock_audit";

fn said(out: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

fn json(out: &Output) -> Value {
    let (code, text, err) = said(out);
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

fn configure(place: &Place, change: impl FnOnce(String) -> String) {
    let file = place.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, change(text)).unwrap();
}

/// The simulator at another address, too.
fn moved(place: &Place) -> String {
    let to = place.sim.as_ref().unwrap().url().split('/').nth(2).unwrap().to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    // Ends with the process of the test.
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = std::net::TcpStream::connect(&to) else { continue };
            let (mut in_, mut out) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut in_, &mut out));
            let (mut in_, mut out) = (server, client);
            std::thread::spawn(move || std::io::copy(&mut in_, &mut out));
        }
    });
    at
}

fn audits(place: &Place) -> u32 {
    place.audits().values().sum()
}

#[test]
fn a_moved_server_is_adopted_by_a_verb_and_nothing_is_called_before() {
    let place = Place::new(30);
    let check = |lang: &str| {
        let mut options = place.options();
        *options.last_mut().unwrap() = lang.to_owned();
        said(&std::process::Command::new(place::PROGRAM).args(["env", "check"]).args(options).output().unwrap())
    };
    assert!(check("en").1.contains("bound to: not bound yet"), "{:?}", check("en"));
    assert!(!place.data().exists(), "a look makes no data directory");
    let (code, _, err) = said(&place.verb(&["run", PLAN, "-y", "--confirm", "test"]));
    assert_eq!(code, 0, "{err}");
    let before = audits(&place);
    assert!(before > 0);
    let was = place.sim.as_ref().unwrap().url();
    let was = was.split('/').nth(2).unwrap();
    // Another name of this machine is the same server.
    configure(&place, |text| text.replace("http://127.0.0.1:", "http://localhost:"));
    assert_eq!(said(&place.verb(&["run", PLAN, "-y", "--sweep"])).0, 0);
    let now = moved(&place);
    configure(&place, |text| text.replace(&was.replace("127.0.0.1", "localhost"), &now));
    let (code, _, err) = said(&place.verb(&["run", PLAN, "-y"]));
    assert_eq!(code, 4, "{err}");
    assert!(err.contains(&format!("http://{was}")) && err.contains("skydeck env adopt test --reason"), "{err}");
    let (_, text, _) = check("zh");
    assert!(text.contains("单据所属服务器：http://127.0.0.1:"), "{text}");
    assert!(text.contains(&format!("! 环境 test 现在是 http://{now}")), "{text}");
    let found = json(&place.verb(&["env", "check", "--json"]));
    assert!(found["home"]["address"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{found}");
    assert_eq!(found["held"][0]["code"], "wrong_server", "{found}");
    assert_eq!(said(&place.verb(&["env", "adopt", "test"])).0, 2, "a reason is asked for");
    assert_eq!(said(&place.verb(&["env", "adopt", "test", "--reason", " "])).0, 4);
    assert_eq!(said(&place.verb(&["env", "adopt", "nowhere", "--reason", "x"])).0, 2);
    let (code, text, err) = said(&place.verb(&["env", "adopt", "test", "--reason", "the host has a name now"]));
    assert_eq!(code, 0, "{err}");
    assert!(text.contains(&format!("environment test is bound to http://{now}")), "{text}");
    let (_, log, _) = said(&place.verb(&["log"]));
    assert!(log.contains("adopt_server") && log.contains("the host has a name now"), "{log}");
    assert_eq!(said(&place.verb(&["log", "verify"])).0, 0);
    let again = json(&place.verb(&["env", "check", "--json"]));
    assert_eq!(again["held"], serde_json::json!([]), "{again}");
    let (code, _, err) = said(&place.verb(&["run", PLAN, "-y", "--sweep"]));
    assert_eq!(code, 0, "{err}");
    assert_eq!(audits(&place), before, "all of it was audited before");
}

#[test]
fn another_account_set_is_an_environment_of_its_own() {
    let place = Place::new(10);
    assert_eq!(said(&place.verb(&["run", PLAN, "-y"])).0, 0);
    let before = audits(&place);
    configure(&place, |text| text.replace("60aa0000000000", "60aa0000000001"));
    for verb in [vec!["run", PLAN, "-y"], vec!["env", "adopt", "test", "--reason", "please"]] {
        let (code, _, err) = said(&place.verb(&verb));
        assert_eq!(code, 4, "{err}");
        assert!(err.contains("another data centre (account set): make it an environment of its own"), "{err}");
    }
    assert_eq!(audits(&place), before);
}

#[test]
fn two_environments_on_one_account_set_write_nothing_until_one_is_read_only_for_good() {
    let place = Place::new(20);
    let mut second = String::new();
    configure(&place, |text| {
        second = text.replace("environment.test", "environment.archive").replace("/k3cloud/", "/K3Cloud");
        format!("{text}{second}")
    });
    let file = place.dir.path().join("plans").join(format!("{PLAN}.json"));
    let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    plan["skydeck"]["env"] = "archive".into();
    std::fs::write(place.dir.path().join("plans/there.json"), plan.to_string()).unwrap();
    plan["skydeck"]["env"] = "test".into();
    std::fs::write(&file, plan.to_string()).unwrap();
    let named =
        |text: &str| text.contains("environments archive and test write to one server and data centre (account set)");
    for (plan, env) in [(PLAN, "test"), ("there", "archive")] {
        let (code, _, err) = said(&place.verb(&["run", plan, "-y"]));
        assert_eq!(code, 4, "{err}");
        assert!(named(&err), "named before anything is opened: {err}");
        assert!(err.matches("write to one server").count() >= 2, "and by the refusal: {err}");
        // The set waits for somebody who mends it.
        place.verb(&["cancel"]);
        let (code, text, err) = said(&place.verb(&["env", "check", env]));
        assert_eq!(code, 0, "{err}");
        assert!(named(&text), "{text}");
    }
    assert_eq!(audits(&place), 0);
    configure(&place, |text| {
        let always = second.replacen("server_zone", "read_only = \"always\"\nserver_zone", 1);
        text.replace(&second, &always)
    });
    let (code, _, err) = said(&place.verb(&["run", "there", "-y", "--unlock", "--reason", "just once"]));
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("read_only = \"always\"") && !named(&err), "{err}");
    place.verb(&["cancel"]);
    let list = said(&place.verb(&["env", "list"])).1;
    assert!(list.contains("read-only for good"), "{list}");
    assert_eq!(audits(&place), 0);
    let (code, _, err) = said(&place.verb(&["run", PLAN, "-y"]));
    assert_eq!(code, 0, "{err}");
    assert!(audits(&place) > 0);
}

/// `env check` tries what the plans need, and writes nothing.
#[test]
fn env_check_says_what_this_user_may_not_do() {
    let place = Place::new(20);
    let (code, text, err) = said(&place.verb(&["env", "check"]));
    assert_eq!(code, 0, "{err}");
    assert!(text.contains("SAL_OUTSTOCK query: bills are seen"), "{text}");
    assert!(text.contains("SAL_OUTSTOCK Audit: not refused"), "{text}");
    let file = place.dir.path().join("plans").join(format!("{PLAN}.json"));
    let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    plan["skydeck"]["submit"] = true.into();
    std::fs::write(place.dir.path().join("plans/both.json"), plan.to_string()).unwrap();
    plan["skydeck"] = serde_json::json!({"done": [["FCloseStatus", "in", "B"]]});
    plan["target"] =
        serde_json::json!({"api": "excuteOperation", "request": [{"field": "Operation", "value": "BillClose"}]});
    std::fs::write(place.dir.path().join("plans/close.json"), plan.to_string()).unwrap();
    // The simulator's own user that may look at everything and change nothing.
    let user = format!("user = \"{}\"", skydeck::sim::demo_credentials().user);
    configure(&place, |text| text.replace(&user, "user = \"reader\""));
    let (code, text, err) = said(&place.verb(&["env", "check"]));
    assert_eq!(code, 1, "{err}");
    for call in ["Submit", "Audit"] {
        assert!(text.contains(&format!("SAL_OUTSTOCK {call}: ! this user may not do it: 您没有")), "{call}: {text}");
    }
    assert!(text.contains("SAL_OUTSTOCK BillClose: ! not allowed by the configuration"), "{text}");
    let (_, text, _) = said(&place.verb(&["env", "check", "--json"]));
    let rights: Vec<Value> = text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let right = |call: &str| rights.iter().find(|r| r["call"] == call).map(|r| r["right"].clone());
    assert_eq!(right("Audit").unwrap(), "refused", "{text}");
    assert_eq!(right("ExecuteBillQuery").unwrap(), "rows", "{text}");
    assert_eq!(right("BillClose").unwrap(), "not_allowed", "{text}");
    assert_eq!(audits(&place), 0);
    assert!(!place.data().exists(), "a look makes no data directory");
}

#[test]
fn a_set_that_nobody_approved_is_cancelled_as_asked() {
    let place = Place::with(20, "second_person = true", "");
    for (json, lang, words) in
        [(false, "en", "stopped; nothing was approved"), (false, "zh", "已停止"), (true, "en", "")]
    {
        // One person has approved it: the set waits for another.
        let (code, text, err) = said(&place.verb(&["run", PLAN, "-y"]));
        assert!(code == 4 && err.contains("second approver"), "{text}{err}");
        let mut options = place.options();
        *options.last_mut().unwrap() = lang.to_owned();
        options.extend(json.then(|| "--json".to_owned()));
        let (code, text, err) =
            said(&std::process::Command::new(place::PROGRAM).arg("cancel").args(options).output().unwrap());
        assert_eq!(code, 0, "{text}{err}");
        assert!(err.contains(words) && !err.contains("--yes"), "{err}");
        if json {
            let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            assert_eq!(
                (&last["state"], &last["exit"], &last["sum_closes"]),
                (&"cancelled".into(), &0.into(), &true.into())
            );
        }
        assert!(!place.run()["closed_ms"].is_null());
    }
    assert_eq!(audits(&place), 0);
}

#[test]
fn a_number_that_two_environments_hold_is_chosen_by_a_flag() {
    let (other, place) = (Place::new(20), Place::new(20));
    let address = other.sim.as_ref().unwrap().url();
    configure(&place, |text| {
        let url = text.lines().find(|line| line.starts_with("url")).unwrap().to_owned();
        let second =
            text.replace("environment.test", "environment.branch").replace(&url, &format!("url = \"{address}\""));
        format!("{text}{second}")
    });
    let file = place.dir.path().join("plans").join(format!("{PLAN}.json"));
    let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for (name, env) in [(PLAN, "test"), ("branch", "branch")] {
        plan["skydeck"]["env"] = env.into();
        std::fs::write(place.dir.path().join(format!("plans/{name}.json")), plan.to_string()).unwrap();
        let (code, text, err) = said(&place.verb(&["run", name, "-y", "--confirm", "test"]));
        assert_eq!(code, 0, "{text}{err}");
    }
    let history = said(&place.verb(&["history", place.run()["run"].as_str().unwrap(), "--json"])).1;
    let bill: Value = serde_json::from_str(history.lines().next().unwrap()).unwrap();
    let number = bill["no"].as_str().unwrap();
    let (code, _, err) = said(&place.verb(&["bill", number]));
    assert_eq!(code, 2, "{err}");
    assert_eq!(err.matches(number).count(), 2, "{err}");
    assert!(
        err.contains("(test SAL_OUTSTOCK") && err.contains("(branch SAL_OUTSTOCK") && err.contains("--env ENV"),
        "{err}"
    );
    for env in ["test", "branch"] {
        let (code, text, err) = said(&place.verb(&["bill", number, "--env", env]));
        assert!(code == 0 && text.contains(&format!("SAL_OUTSTOCK {env} ")), "{text}{err}");
    }
    assert_eq!(said(&place.verb(&["bill", number, "--env", "nowhere"])).0, 2);
    let (code, _, err) = said(&place.verb(&["bill", &number[..8]]));
    assert!(code == 2 && err.contains("give the whole number"), "{err}");
}

/// A form whose description does not come, in every way: what to do is said, and what is named by hand is proven by the query.
#[test]
fn a_form_that_is_not_told_says_what_to_do_and_fields_named_by_hand_are_tried_by_the_query() {
    let place = Place::new(30);
    let strikes = |faults: &str| {
        place.sim.as_ref().unwrap().with_world(|world| world.add_faults(toml::from_str(faults).unwrap()));
    };
    let new = |lang: &str, more: &[&str]| {
        let mut options = place.options();
        *options.last_mut().unwrap() = lang.to_owned();
        let mut verb = std::process::Command::new(place::PROGRAM);
        said(&verb.args(["plan", "new", "--form", "SAL_OUTSTOCK"]).args(more).args(options).output().unwrap())
    };
    let named = ["--fields", "FDate,FCustomerID.FName"];
    for (fault, words) in [
        ("kind = \"garbage\"\ntimes = 4", "the answer cannot be read"),
        ("kind = \"html\"\nstatus = 200\ntimes = 4", "a web page"),
        ("kind = \"error\"\ncode = 2\ntext = \"您没有权限\"\ntimes = 4", "whether this user may see it"),
    ] {
        strikes(&format!("[[fault]]\non = [\"QueryBusinessInfo\"]\n{fault}"));
        let (code, out, err) = new("en", &[]);
        assert!(code == 1 && out.is_empty() && err.contains(words), "{fault}: {code} {err}");
        assert!(err.contains("--fields FDate,FCustomerID.FName") && !err.contains("causes.toml"), "{err}");
        let (code, out, err) = new("en", &named);
        assert!(code == 0 && err.contains("are not checked against the form"), "{fault}: {code} {err}");
        assert!(out.contains("\"FCustomerID.FName\"") && err.contains("query: bills are seen"), "{out}{err}");
        let (code, out, err) = new("zh", &["--fields", "FNope"]);
        assert!(code == 2 && out.is_empty() && err.contains("未能与业务对象核对"), "{fault}: {code} {err}");
        assert!(
            err.contains("未生成方案：ERP 拒绝其查询") && !err.contains(" failed: ") && !err.contains("重试"),
            "{err}"
        );
        assert_eq!(new("zh", &[]).0, 1, "{fault}");
    }
    // Seen by the form's description, and not by its query: no usage is wrong.
    strikes("[[fault]]\nkind = \"error\"\ncode = 2\ntext = \"您没有查看权限\"\non = [\"ExecuteBillQuery\"]");
    let (code, out, err) = new("en", &[]);
    assert!(code == 1 && out.is_empty() && err.contains("Have the right granted to this user"), "{code} {err}");
    assert!(err.contains("no plan was made") && !err.contains("paused"), "{err}");
}

#[test]
fn a_column_that_its_plan_has_lost_keeps_the_label_it_had_in_files() {
    let place = Place::new(30);
    assert!(matches!(said(&place.verb(&["run", PLAN, "-y", "--confirm", "test"])).0, 0 | 1));
    let file = place.dir.path().join(format!("plans/{PLAN}.json"));
    let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for list in ["request", "response"] {
        let columns = plan["source"][list].as_array_mut().unwrap();
        let before = columns.len();
        columns.retain(|column| column["label"] != "客户");
        assert_eq!(columns.len() + 1, before, "{list}");
    }
    std::fs::write(&file, plan.to_string()).unwrap();
    for (verb, name) in [(&["export", "--all"][..], "all.csv"), (&["report", "--filter", "no:*"], "all.html")] {
        let path = place.dir.path().join(name).display().to_string();
        let (code, _, err) = said(&place.verb(&[verb, &[&path]].concat()));
        assert_eq!(code, 0, "{err}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("客户") && !text.contains("FCustomerID_FNumber"), "{text:.900}");
    }
}
