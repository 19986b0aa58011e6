//! Plans that make bills, by the real program against the simulator, which counts what was made.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[path = "making_parts/bad_input.rs"]
mod bad_input;
#[path = "making_parts/batches.rs"]
mod batches;
#[path = "support/both.rs"]
mod both;
#[path = "making_parts/deaths.rs"]
mod deaths;
#[path = "making_parts/kept.rs"]
mod kept;
#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;
#[path = "making_parts/pushing.rs"]
mod pushing;
#[path = "making_parts/sending.rs"]
mod sending;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use deaths::{Deaths, number};
use place::{PROGRAM, Place};
use serde_json::{Value, json};
use skydeck::sim::faults::FaultPlan;
use skydeck::sim::settings::Settings;
use skydeck::sim::{self, RequestParts};

const FORM: &str = "STK_InStock";
const PLAN: &str = "sal_outstock_to_instock";
const SAVE: &str = "allow_operations = [\"Save\"]";

/// A place with the plan, changed as the test wants it.
fn with(change: impl Fn(&mut Value)) -> Place {
    with_bills(40, change)
}

/// A fifth of the bills are records of the plan.
fn with_bills(bills: usize, change: impl Fn(&mut Value)) -> Place {
    place_of(PLAN, bills, SAVE, change)
}

/// A place with a shipped plan alone, in an environment with these lines.
fn place_of(name: &str, bills: usize, environment: &str, change: impl Fn(&mut Value)) -> Place {
    let place = Place::with(bills, environment, "");
    let text = std::fs::read_to_string(format!("plans/{name}.json")).unwrap();
    let mut plan: Value = serde_json::from_str(&text).unwrap();
    change(&mut plan);
    let plans = place.dir.path().join("plans");
    std::fs::remove_file(plans.join("sal_outstock_audit.json")).unwrap();
    std::fs::write(plans.join(format!("{name}.json")), plan.to_string()).unwrap();
    place
}

fn faults(place: &Place, text: &str) {
    let plan: FaultPlan = toml::from_str(text).unwrap();
    place.sim.as_ref().unwrap().with_world(|world| world.add_faults(plan));
}

fn settings(place: &Place, text: &str) {
    let settings: Settings = toml::from_str(text).unwrap();
    place.sim.as_ref().unwrap().with_world(|world| world.set_settings(settings));
}

fn run(place: &Place) -> (Output, Value) {
    run_of(place, PLAN)
}

fn run_of(place: &Place, plan: &str) -> (Output, Value) {
    let out = place.verb(&["run", plan, "--yes", "--sweep", "--json"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let last = text.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    let last = last.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&out.stderr)));
    (out, last)
}

/// What the simulator answers at its back door; `null` asks, anything else is sent.
fn admin(place: &Place, path: &str, body: &Value) -> Value {
    place.sim.as_ref().unwrap().with_world(|world| {
        let method = if body.is_null() { "GET" } else { "POST" };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("/admin/{path}");
        let request = RequestParts { method: method.into(), path, headers: vec![], body: body.into() };
        let reply = world.handle(request, chrono::Utc::now().timestamp_millis());
        serde_json::from_slice(&reply.body).unwrap()
    })
}

/// Somebody calls the ERP with a client of his own, which does it.
fn by_hand(place: &Place, service: &str, body: Value) {
    let known = sim::demo_credentials();
    let post = |path: &str, headers: Vec<(String, String)>, body: Value| {
        let path = format!("/k3cloud/Kingdee.BOS.WebApi.ServicesStub.{path}.common.kdsvc");
        let request = RequestParts { method: "POST".into(), path, headers, body: body.to_string().into() };
        let now = chrono::Utc::now().timestamp_millis();
        let reply = place.sim.as_ref().unwrap().with_world(|world| world.handle(request, now));
        serde_json::from_slice::<Value>(&reply.body).unwrap_or_default()
    };
    let sign_in = json!({"acctid": known.account, "username": "演示用户", "password": known.password, "lcid": 2052});
    let welcome = post("AuthService.ValidateUser", vec![], sign_in);
    let session = welcome["KDSVCSessionId"].as_str().unwrap_or_else(|| panic!("{welcome}")).to_owned();
    let headers = vec![("kdservice-sessionid".into(), session)];
    let said = post(&format!("DynamicFormService.{service}"), headers, body);
    assert_eq!(said["Result"]["ResponseStatus"]["IsSuccess"], true, "{said}");
}

/// The bills that were made, by number, and how often each was.
fn made(place: &Place) -> BTreeMap<String, u64> {
    place.sim.as_ref().unwrap().with_world(|world| {
        let mut made = BTreeMap::new();
        for line in world.record().after(0, usize::MAX) {
            if matches!(line.verb, "Save" | "BatchSave") && line.refused.is_none() {
                *made.entry(line.number.to_string()).or_default() += 1;
            }
        }
        made
    })
}

fn audited(place: &Place) -> usize {
    place.audits().len()
}

#[test]
fn a_record_becomes_a_bill_with_its_lines_saved_submitted_and_audited_once() {
    let place = with(|_| {});
    let (out, sum) = run(&place);
    assert_eq!(out.status.code(), Some(0), "{sum}");
    assert_eq!((sum["found"].as_u64(), sum["done"].as_u64().or(sum["audited"].as_u64())), (Some(8), Some(8)), "{sum}");
    let all = made(&place);
    assert_eq!((all.len(), audited(&place)), (8, 8), "{all:?}");
    assert!(all.iter().all(|(no, n)| no.starts_with("IN-XSCKD") && *n == 1), "{all:?}");
    // Nothing is made again, whatever asks for it.
    let (again, sum) = run(&place);
    assert_eq!((again.status.code(), made(&place)), (Some(0), all), "{sum}");
}

fn lines(out: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {text}"))).collect()
}

#[test]
fn a_refused_audit_is_told_with_the_steps_that_took_and_found_by_the_made_number() {
    let place = with(|_| {});
    faults(
        &place,
        "[[fault]]\nkind = \"error\"\ncode = 11\ntext = \"库存不足\"\nwhen = \"before\"\non = [\"Audit\"]\nrate = 1.0\n",
    );
    let (_, sum) = run(&place);
    assert_eq!((made(&place).len(), audited(&place)), (8, 0), "{sum}");
    let ledger = lines(&place.verb(&["ledger", "made:in-xsckd000001,IN-none op:Save*", "--json"]));
    let row = ledger.iter().find(|line| line["type"] == "bill").unwrap_or_else(|| panic!("{ledger:?}"));
    assert_eq!((&row["no"], &row["made"]["no"]), (&json!("XSCKD000001"), &json!("IN-XSCKD000001")), "{row}");
    assert_eq!((&row["steps_reached"], &row["status_after"]), (&json!(["save", "submit"]), &json!("B")), "{row}");
    assert_eq!(ledger.iter().filter(|line| line["type"] == "bill").count(), 1, "{ledger:?}");
    for (lang, words, of) in [
        ("en", "saved, submitted, not audited: ", "source bill when read: audited C"),
        ("zh", "已保存，已提交，未审核：", "源单查询时：已审核 C"),
    ] {
        let text = |args: &[&str]| {
            let mut options = place.options();
            *options.last_mut().unwrap() = lang.into();
            let out = Command::new(PROGRAM).args(args).args(options).stdin(Stdio::null()).output().unwrap();
            String::from_utf8_lossy(&out.stdout).into_owned()
        };
        let bill = text(&["bill", "IN-XSCKD000001"]);
        assert!(bill.contains(words) && bill.contains(of) && bill.contains("IN-XSCKD000001"), "{bill}");
        let list = text(&["ledger", "新单:*"]);
        assert_eq!(list.matches("IN-XSCKD").count(), 8, "{list}");
    }
    let path = place.dir.path().join("all.jsonl");
    let out = place.verb(&["export", path.to_str().unwrap(), "--filter", "made:IN-*"]);
    assert!(out.status.success(), "{out:?}");
    let export = std::fs::read_to_string(&path).unwrap();
    assert!(export.lines().count() == 8 && export.contains("\"steps_reached\":[\"save\",\"submit\"]"), "{export}");
    for (name, heading, times) in [("report.md", "", 8), ("report.html", "made bill", 8)] {
        let path = place.dir.path().join(name);
        assert!(place.verb(&["report", "--all", path.to_str().unwrap()]).status.success());
        let report = std::fs::read_to_string(&path).unwrap();
        assert!(report.contains(heading) && report.matches("IN-XSCKD").count() == times, "{report}");
    }
    let list = place.verb(&["plan", "preview", PLAN, "--numbers", "XSCKD000001,XSCKD000002,NO-SUCH", "--json"]);
    let seen = lines(&list).pop().unwrap();
    // The second one is not audited.
    assert_eq!(seen["found"], 1, "{seen}");
    let listed = &seen["listed"];
    assert_eq!(
        (&listed["asked"], &listed["unknown_first"], &listed["outside_first"]),
        (&json!(3), &json!(["NO-SUCH"]), &json!(["XSCKD000002"]))
    );
    let list = place.verb(&["plan", "preview", PLAN, "--numbers", "XSCKD000001,NO-SUCH"]);
    assert!(String::from_utf8_lossy(&list.stdout).contains("1 not in the ERP: NO-SUCH"), "{list:?}");
    // Once the audit passes, the same bills go on where they stood.
    place.sim.as_ref().unwrap().with_world(|world| {
        let passes = "[[fault]]\nkind = \"delay\"\nms = 1\nwhen = \"before\"\non = [\"Audit\"]\nrate = 1.0\n";
        world.add_faults(toml::from_str(passes).unwrap());
    });
    let retry = place.verb(&["retry", "--plan", PLAN, "--yes", "--json"]);
    assert_eq!((made(&place).len(), audited(&place)), (8, 8), "{retry:?}");
    let done = lines(&place.verb(&["bill", "IN-XSCKD000001", "--json"]));
    assert_eq!(done[0]["steps_reached"], json!(["save", "submit", "audit"]), "{done:?}");
}

#[test]
fn an_answer_that_is_lost_makes_no_second_bill_and_is_told_as_what_happened() {
    let place = with(|_| {});
    faults(&place, "[[fault]]\nkind = \"reset\"\nwhen = \"after\"\non = [\"Save\"]\nskip = 1\nrate = 0.4\n");
    let runs: Vec<(Output, Value)> = (0..3).map(|_| run(&place)).collect();
    let all = made(&place);
    assert_eq!((all.len(), audited(&place)), (8, 8), "{runs:?}");
    assert!(all.values().all(|n| *n == 1), "{all:?}");
    assert_eq!(runs.last().unwrap().0.status.code(), Some(0), "{runs:?}");
    // What took is not told as a call that did nothing.
    for no in all.keys() {
        let story = place.verb(&["bill", no.trim_start_matches("IN-")]);
        let story = String::from_utf8_lossy(&story.stdout).into_owned();
        assert!(story.contains("save") && !story.contains("call without effect"), "{story}");
    }
}

#[test]
fn a_lost_answer_is_not_repeated_before_the_form_is_known_to_keep_numbers() {
    let place = with(|_| {});
    faults(&place, "[[fault]]\nkind = \"reset\"\nwhen = \"before\"\non = [\"Save\"]\ntimes = 1\n");
    settings(&place, "[form.STK_InStock]\nnumbering = \"replace\"\n");
    let (out, sum) = run(&place);
    assert_eq!(out.status.code(), Some(3), "{sum}");
    run(&place);
    // The first record was called once, and the second one told that the form keeps no number.
    let calls = |no: &str| place.sim.as_ref().unwrap().with_world(|world| world.key_counts(FORM, no).calls);
    assert_eq!((calls("IN-XSCKD000001"), made(&place).len()), (1, 1), "{sum}");
}

#[test]
fn a_form_that_numbers_by_a_rule_of_its_own_stops_the_plan_after_one_bill() {
    let place = with(|_| {});
    settings(&place, "[form.STK_InStock]\nnumbering = \"replace\"\n");
    let (out, sum) = run(&place);
    assert_eq!((out.status.code(), made(&place).len()), (Some(3), 1), "{sum}");
    // It stays so until a person has closed the entry.
    let (out, sum) = run(&place);
    assert_eq!(made(&place).len(), 1, "{sum}");
    assert_ne!(out.status.code(), Some(0), "{sum}");
}

#[test]
fn an_answer_about_another_bill_is_not_told_as_another_numbering() {
    for fault in ["kind = \"stale_answer\"\nwhen = \"after\"", "kind = \"other_number\"\nwhen = \"after\""] {
        let place = with(|_| {});
        faults(&place, &format!("[[fault]]\n{fault}\non = [\"Save\"]\nskip = 3\ntimes = 2\n"));
        let (out, sum) = run(&place);
        let all = made(&place);
        assert_eq!((out.status.code(), all.len(), audited(&place)), (Some(0), 8, 8), "{fault}: {sum}");
        assert!(all.values().all(|n| *n == 1), "{fault}: {all:?}");
    }
}

#[test]
fn two_records_with_one_number_are_both_refused_and_nothing_is_sent_for_either() {
    let place = with(|plan| plan["target"]["request"][1]["value"] = json!("IN-ONE"));
    let (out, sum) = run(&place);
    assert_eq!((out.status.code(), made(&place).len()), (Some(1), 0), "{sum}");
    assert_eq!(sum["failed"].as_u64(), Some(8), "{sum}");
}

#[test]
fn a_record_of_which_no_bill_can_be_made_fails_by_field_and_value_and_the_others_go_on() {
    let place = with(|plan| {
        plan["target"]["request"][2]["value"] = json!(
            "_function CASE '{{FBillNo}}' WHEN 'XSCKD000001' THEN DATE_FORMAT('soon', '%Y') ELSE '2026-01-02' END"
        );
    });
    let (out, sum) = run(&place);
    let failed = sum["failed"].as_u64().unwrap();
    assert!(failed > 0 && made(&place).len() as u64 + failed == 8, "{sum}");
    assert_eq!(out.status.code(), Some(1));
    let ledger = place.verb(&["ledger"]);
    let text = String::from_utf8_lossy(&ledger.stdout).into_owned();
    assert!(text.contains("FDate") && text.contains("soon"), "{text}");
}

#[test]
fn a_bill_that_is_there_with_other_content_is_left_as_it_is() {
    let place = with(|_| {});
    run(&place);
    let before = made(&place);
    // Another plan wants the same numbers with another supplier, under a data directory that knows nothing of the first.
    let text = std::fs::read_to_string(place.dir.path().join(format!("plans/{PLAN}.json"))).unwrap();
    std::fs::write(place.dir.path().join(format!("plans/{PLAN}.json")), text.replace("VEN00003", "VEN00004")).unwrap();
    std::fs::rename(place.data(), place.dir.path().join("data-of-before")).unwrap();
    let (_, sum) = run(&place);
    assert_eq!((made(&place), audited(&place)), (before, 8), "{sum}");
    assert_eq!(sum["skipped"].as_u64(), Some(8), "{sum}");
}

#[test]
fn a_bill_with_our_number_and_other_lines_is_neither_submitted_nor_audited() {
    let place = with(|plan| plan["skydeck"]["steps"] = json!(["save"]));
    run(&place);
    // Another installation wants the same bills with half the quantity of each line, and to audit them.
    let text = std::fs::read_to_string(place.dir.path().join(format!("plans/{PLAN}.json"))).unwrap();
    let mut plan: Value = serde_json::from_str(&text).unwrap();
    plan["target"]["request"][4]["children"][1]["value"] = json!("_function {{details.FRealQty}} / 2");
    plan["skydeck"]["steps"] = json!(["save", "submit", "audit"]);
    std::fs::write(place.dir.path().join(format!("plans/{PLAN}.json")), plan.to_string()).unwrap();
    std::fs::rename(place.data(), place.dir.path().join("data-of-before")).unwrap();
    let preview = place.verb(&["plan", "preview", PLAN]);
    let text = String::from_utf8_lossy(&preview.stdout).into_owned();
    assert!(text.contains("FInStockEntry"), "{text}");
    let (_, sum) = run(&place);
    assert_eq!((sum["skipped"].as_u64(), audited(&place)), (Some(8), 0), "{sum}");
}

#[test]
fn an_environment_that_does_not_allow_it_makes_nothing() {
    let place = with(|_| {});
    let config = place.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace(SAVE, "");
    std::fs::write(&config, text).unwrap();
    let out = place.verb(&["run", PLAN, "--yes"]);
    assert_ne!(out.status.code(), Some(0));
    assert!(made(&place).is_empty());
    assert!(String::from_utf8_lossy(&out.stderr).contains("Save"), "{out:?}");
}

#[test]
fn a_success_of_which_nothing_can_be_seen_is_not_believed_and_stops_the_run() {
    let place = with(|_| {});
    faults(&place, "[[fault]]\nkind = \"hollow\"\non = [\"Save\"]\nskip = 2\ntimes = 1\n");
    let (out, sum) = run(&place);
    assert_eq!((out.status.code(), sum["reason"].as_str()), (Some(3), Some("success_without_effect")), "{sum}");
    assert!(made(&place).values().all(|n| *n == 1), "{sum}");
    let text = String::from_utf8_lossy(&place.verb(&["ledger"]).stdout).into_owned();
    assert!(!text.contains("other number"), "{text}");
}

#[test]
fn another_number_in_an_answer_is_no_rule_of_the_form_where_nothing_could_be_read() {
    // How many reads there are before the first call is found by trying: the next one is the look after it.
    for reads in 0..60 {
        let place = with(|plan| plan["skydeck"]["steps"] = json!(["save"]));
        faults(
            &place,
            &format!(
                "[[fault]]\nkind = \"other_number\"\nwhen = \"after\"\non = [\"Save\"]\ntext = \"IN-XSCKD009999\"\ntimes = 1\n\
                 [[fault]]\nkind = \"redirect\"\non = [\"ExecuteBillQuery\"]\nskip = {reads}\ntimes = 2\n"
            ),
        );
        let (out, sum) = run(&place);
        if made(&place).is_empty() {
            continue;
        }
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert_eq!(sum["reason"].as_str(), Some("canary_unknown"), "{said}");
        assert!(out.status.code() != Some(0) && made(&place).len() == 1, "{sum}");
        // The bill stands under the number that was sent: the plan goes on.
        let (out, sum) = run(&place);
        assert_eq!(out.status.code(), Some(0), "{sum}");
        assert!(made(&place).len() == 8 && made(&place).values().all(|n| *n == 1), "{sum}");
        return;
    }
    panic!("nothing was made");
}

#[test]
fn a_death_at_each_point_of_the_way_makes_no_bill_twice_and_forgets_none() {
    let losses = "[[fault]]\nkind = \"reset\"\nwhen = \"after\"\non = [\"Save\", \"Submit\", \"Audit\"]\nrate = 0.05\nskip = 1\n";
    let place = |records: u64| {
        let place = with_bills(records as usize * 8, |_| {});
        deaths::leave(&place, records);
        // Some answers are lost, so that there is something to settle.
        faults(&place, losses);
        place
    };
    Deaths::each(
        (PLAN, 2),
        place,
        |place| place,
        |place, records, ended| {
            let (all, audits, at) = (made(place), place.audits(), &ended.at);
            let counts = (all.len() as u64, audits.len() as u64, ended.out.status.code());
            assert_eq!(counts, (records, records, Some(0)), "{at}");
            assert!(all.values().all(|n| *n == 1) && audits.values().all(|n| *n == 1), "{at}: {all:?} {audits:?}");
            assert_eq!(ended.sum["sum_closes"], true, "{at}");
        },
    );
}

/// `SKYDECK_KILLS`: how many such days.
#[test]
fn whatever_kills_the_process_each_bill_is_made_once_and_audited_once() {
    for seed in 1..=number("SKYDECK_KILLS", 2) {
        let place = with(|_| {});
        let ended = deaths::kills(&place, PLAN, seed);
        let (all, at) = (made(&place), &ended.at);
        assert_eq!((all.len(), audited(&place)), (8, 8), "{at}");
        assert!(all.values().all(|n| *n == 1), "{at}: {all:?}");
        assert!(place.audits().values().all(|n| *n == 1), "{at}");
        assert_eq!(ended.out.status.code(), Some(0), "{at}");
    }
}
