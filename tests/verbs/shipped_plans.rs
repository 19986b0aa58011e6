//! Every shipped plan: what its preview shows first, against a golden file, and a demo of it, which the simulator judges.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use skydeck::boot::{EXAMPLES, HANDED_IN, SHIPPED, TABLES};
use skydeck::sim::json::settings::JsonSettings;
use skydeck::sim::json::{JsonConfig, JsonWorld};
use skydeck::sim::{self, SimConfig, SimHandle};

use crate::place::{PROGRAM, Place};

fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    SHIPPED.iter().chain(EXAMPLES).copied()
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/previews/{name}.json"))
}

/// Hands in what a demo of the plan would.
fn hand_in(place: &Place, name: &str) {
    let Some((_, text)) = HANDED_IN.iter().find(|(plan, _)| *plan == name) else { return };
    let file = place.dir.path().join("records.jsonl");
    std::fs::write(&file, text).unwrap();
    let mut take = Command::new(PROGRAM);
    take.args(["take", name]).args(place.options()).stdin(std::fs::File::open(file).unwrap());
    assert!(take.output().unwrap().status.success(), "{name}");
}

/// Starts the other system that a plan names, and names both in the configuration as the plan does.
fn beside(place: &Place, text: &str) -> Option<SimHandle<JsonWorld>> {
    let plan: Value = serde_json::from_str(text).unwrap();
    let [env, target] = ["env", "target_env"].map(|key| plan["skydeck"][key].as_str());
    let lists = plan["skydeck"].get("list").is_some();
    let (erp, other) = if lists { (target?, env?) } else { (env?, target?) };
    let settings = JsonSettings::from_toml("auth = \"none\"\n").unwrap();
    let world = JsonConfig { orders: 30, settings, ..JsonConfig::default() };
    let config = SimConfig { bind: ([127, 0, 0, 1], 0).into(), world, record: None };
    let sim: SimHandle<JsonWorld> = place.runtime.block_on(sim::start_as(config)).unwrap();
    let file = place.dir.path().join("config.toml");
    let config = std::fs::read_to_string(&file).unwrap().replace("[environment.test", &format!("[environment.{erp}"));
    let there = format!(
        "[environment.{other}]\nkind = \"http\"\nurl = \"{}\"\naccount_set = \"there\"\nuser = \"demo\"\nsign_in = \"none\"\n\
         allow_operations = [\"Send\"]\n",
        sim.url()
    );
    std::fs::write(file, format!("{config}\n{there}")).unwrap();
    Some(sim)
}

/// The simulator's bills are dated from the day it starts: a date is a date, whichever.
fn undated(value: &mut Value) {
    match value {
        Value::String(text) if chrono::NaiveDate::parse_from_str(text.get(..10).unwrap_or(""), "%Y-%m-%d").is_ok() => {
            "DATE".clone_into(text);
        }
        Value::Array(all) => all.iter_mut().for_each(undated),
        Value::Object(all) => all.values_mut().for_each(undated),
        _ => {}
    }
}

#[test]
fn what_the_preview_of_each_shipped_plan_shows_is_what_the_golden_files_hold() {
    for (name, text) in all() {
        let place = Place::with(300, "allow_operations = [\"Save\", \"Push\", \"BillClose\"]", "");
        let plans = place.dir.path().join("plans");
        std::fs::write(plans.join(format!("{name}.json")), text).unwrap();
        std::fs::create_dir_all(plans.join("tables")).unwrap();
        for (file, table) in TABLES {
            std::fs::write(plans.join(file), table).unwrap();
        }
        let _there = beside(&place, text);
        hand_in(&place, name);
        let out = place.verb(&["plan", "preview", name, "--json"]);
        let said = String::from_utf8_lossy(&out.stdout);
        let line = said.lines().find(|line| line.contains("\"preview\""));
        let all: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{name}: {out:?}"))).unwrap();
        let mut shown = json!({});
        for field in ["plan", "found", "callable", "by_status", "sights", "operation", "done", "samples", "runnable"] {
            shown[field] = all[field].clone();
        }
        for sample in shown["samples"].as_array_mut().unwrap() {
            // A hash of what holds a date.
            sample.as_object_mut().unwrap().remove("body_hash");
        }
        undated(&mut shown);
        let shown = format!("{}\n", serde_json::to_string_pretty(&shown).unwrap());
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(golden(name).parent().unwrap()).unwrap();
            std::fs::write(golden(name), &shown).unwrap();
        }
        let held = std::fs::read_to_string(golden(name)).unwrap_or_default();
        assert_eq!(shown, held, "{name}: BLESS=1 writes it anew");
    }
}

#[test]
fn a_demo_of_each_shipped_plan_ends_as_the_simulator_says() {
    for (name, _) in all() {
        let dir = tempfile::tempdir().unwrap();
        let mut demo = Command::new(PROGRAM);
        demo.args(["demo", "--headless", "--json", "--plan", name, "--bills", "300", "--faults", "none"]);
        demo.args(["--per-minute", "6000", "--data"]).arg(dir.path()).stdin(Stdio::null());
        let out = demo.output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
        let (run, verdicts) = (of("run"), of("simulator"));
        assert!(!verdicts.is_empty() && verdicts.iter().all(|verdict| verdict["agrees"] == true), "{name}: {said}");
        assert!(verdicts.iter().all(|verdict| verdict["applied"] == run[0]["done"]), "{name}: {said}");
        assert!(run[0]["done"].as_u64().is_some_and(|n| n > 0) && out.status.code() == Some(0), "{name}: {said}");
    }
}

/// The other system refuses in words what it did all the same: it is there, nothing tells by whom, and that is what is said.
#[test]
fn what_was_refused_in_words_and_is_there_is_no_disagreement_with_the_simulator() {
    let dir = tempfile::tempdir().unwrap();
    let faults = dir.path().join("faults.toml");
    let fault = "[[fault]]\nkind = \"error\"\nwhen = \"after\"\ncode = 4\non = [\"write\"]\nskip = 3\ntimes = 2\n";
    std::fs::write(&faults, fault).unwrap();
    let mut demo = Command::new(PROGRAM);
    demo.args(["demo", "--headless", "--json", "--plan", "outstock_to_order", "--per-minute", "6000", "--faults"]);
    demo.arg(&faults).arg("--data").arg(dir.path().join("demo")).stdin(Stdio::null());
    let out = demo.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |kind: &str| lines.iter().find(|line| line["type"] == kind).unwrap();
    let (run, verdict) = (of("run"), of("simulator"));
    assert_eq!((run["done"].as_u64(), run["already"].as_u64()), (Some(46), Some(2)), "{said}");
    assert_eq!((verdict["applied"].as_u64(), &verdict["agrees"]), (Some(48), &Value::Bool(true)), "{said}");
    assert_eq!(out.status.code(), Some(0), "{said}");
}

#[test]
fn a_demo_of_a_plan_that_is_not_shipped_names_those_that_are() {
    for (lang, words) in [("en", "no such plan is shipped"), ("zh", "没有此内置方案")] {
        let dir = tempfile::tempdir().unwrap();
        let mut demo = Command::new(PROGRAM);
        demo.args(["demo", "--headless", "--plan", "sal_outstok_audit", "--lang", lang, "--data"]).arg(dir.path());
        let out = demo.output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains(words) && all().all(|(name, _)| said.contains(name)), "{said}");
    }
}
