//! Plans that push, by the real program against the simulator, which counts what was made of each bill.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use crate::place::{PROGRAM, Place};
use crate::{admin, by_hand, faults, place_of, run_of, settings};
use serde_json::{Value, json};

const FROM: &str = "SAL_OUTSTOCK";
const TO: &str = "AR_receivable";
const RULE: &str = "AR_OutStockToReceivableMap";
const PLAN: &str = "sal_outstock_to_receivable";
/// A fifth of the simulator's bills are audited, and so records of the plan.
const RECORDS: u64 = 8;

fn with(change: impl Fn(&mut Value)) -> Place {
    place_of(PLAN, 40, "allow_operations = [\"Push\"]", change)
}

/// Nothing but the program keeps a bill from being pushed again and again.
fn without_control(place: &Place, more: &str) {
    set_rule(place, &format!("control = false\n{more}"));
}

fn set_rule(place: &Place, text: &str) {
    settings(place, &format!("receivable = \"none\"\n[rule.{RULE}]\n{text}"));
}

fn run(place: &Place) -> (Output, Value) {
    run_of(place, PLAN)
}

/// How many bills were pushed from each record, by its id.
fn pushed(place: &Place) -> BTreeMap<u32, usize> {
    place.sim.as_ref().unwrap().with_world(|world| {
        let ids = world.record().after(0, usize::MAX).iter().filter(|line| line.verb == "Push").count();
        assert!(ids < 10_000);
        (100_001..=100_600).map(|id| (id, world.pushed_from(FROM, id, RULE).len())).filter(|(_, n)| *n > 0).collect()
    })
}

/// Ids of the records.
fn records(place: &Place) -> Vec<u64> {
    let all = admin(place, &format!("bills?form={FROM}"), &Value::Null);
    let audited = all["bills"].as_array().unwrap().iter().filter(|bill| bill["status"] == "C");
    audited.map(|bill| bill["id"].as_u64().unwrap()).collect()
}

#[test]
fn a_record_is_pushed_submitted_and_audited_once_and_found_by_the_number_of_either_bill() {
    let place = with(|_| {});
    without_control(&place, "");
    let (out, sum) = run(&place);
    assert_eq!(
        (out.status.code(), sum["found"].as_u64(), sum["done"].as_u64()),
        (Some(0), Some(RECORDS), Some(RECORDS)),
        "{sum}"
    );
    let all = pushed(&place);
    assert_eq!(all.len() as u64, RECORDS);
    assert!(all.values().all(|n| *n == 1), "{all:?}");
    assert_eq!(place.audits().len() as u64, RECORDS);
    let (again, sum) = run(&place);
    assert_eq!((again.status.code(), pushed(&place)), (Some(0), all), "{sum}");
    let bill = String::from_utf8_lossy(&place.verb(&["bill", "XSCKD000001", "--json"]).stdout).into_owned();
    let bill: Value = serde_json::from_str(bill.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&bill["made"]["form"], &bill["steps_reached"]),
        (&json!(TO), &json!(["push", "submit", "audit"])),
        "{bill}"
    );
    let made = bill["made"]["no"].as_str().unwrap();
    let found = String::from_utf8_lossy(&place.verb(&["bill", made]).stdout).into_owned();
    assert!(found.contains("XSCKD000001"), "{found}");
}

#[test]
fn a_lost_answer_is_not_repeated_and_what_took_is_told_as_what_took() {
    for when in ["before", "after"] {
        let place = with(|_| {});
        without_control(&place, "");
        faults(
            &place,
            &format!("[[fault]]\nkind = \"reset\"\nwhen = \"{when}\"\non = [\"Push\"]\nskip = 1\ntimes = 3\n"),
        );
        let runs: Vec<(Output, Value)> = (0..3).map(|_| run(&place)).collect();
        let all = pushed(&place);
        assert!(all.values().all(|n| *n == 1), "{when}: {all:?}");
        let (out, sum) = runs.last().unwrap();
        if when == "after" {
            assert_eq!((all.len() as u64, out.status.code()), (RECORDS, Some(0)), "{sum}");
            continue;
        }
        // Nothing tells that they were not pushed, so that a person is asked.
        let ledger = String::from_utf8_lossy(&place.verb(&["ledger"]).stdout).into_owned();
        assert_eq!((all.len() as u64, runs[0].0.status.code()), (RECORDS - 3, Some(3)), "{sum}");
        assert_eq!(ledger.matches(" unknown  XSCKD").count() + ledger.matches("unknown").count(), 4, "{ledger}");
        let retry = place.verb(&["retry", "--plan", PLAN, "--yes", "--json"]);
        let all = pushed(&place);
        assert_eq!(all.len() as u64, RECORDS, "{retry:?}");
        assert!(all.values().all(|n| *n == 1), "{all:?}");
    }
}

#[test]
fn a_part_of_the_quantity_that_is_there_is_left_to_a_person() {
    let place = with(|_| {});
    // Another installation pushes the half of each, and is done with it.
    without_control(&place, "share = 50\n");
    let (_, sum) = run(&place);
    assert_eq!(pushed(&place).len() as u64, RECORDS, "{sum}");
    std::fs::rename(place.data(), place.dir.path().join("data-of-before")).unwrap();
    without_control(&place, "");
    let preview = String::from_utf8_lossy(&place.verb(&["plan", "preview", PLAN]).stdout).into_owned();
    assert!(preview.contains("a part of the quantity is there"), "{preview}");
    let (_, sum) = run(&place);
    assert_eq!(sum["skipped"].as_u64(), Some(RECORDS), "{sum}");
    assert!(pushed(&place).values().all(|n| *n == 1));
    let ledger = String::from_utf8_lossy(&place.verb(&["ledger", "--json"]).stdout).into_owned();
    assert!(ledger.contains("\"partly\""), "{ledger}");
}

#[test]
fn what_several_bills_hold_together_is_the_whole_and_two_of_the_whole_are_a_question() {
    for (share, by_hand, told) in
        [(50, "share = 100\ncontrol = true\n", "already"), (100, "control = false\n", "unknown")]
    {
        let place = with(|plan| plan["skydeck"]["steps"] = json!(["push"]));
        set_rule(&place, &format!("control = false\nshare = {share}\n"));
        run(&place);
        std::fs::rename(place.data(), place.dir.path().join("data-of-before")).unwrap();
        // Somebody pushes what is left of each, or all of it once more.
        set_rule(&place, by_hand);
        for id in records(&place) {
            push_by_hand(&place, id);
        }
        assert!(pushed(&place).values().all(|n| *n == 2), "{share}: {:?}", pushed(&place));
        let (_, sum) = run(&place);
        let ledger = String::from_utf8_lossy(&place.verb(&["ledger"]).stdout).into_owned();
        assert_eq!(sum[told].as_u64(), Some(RECORDS), "{share}: {sum} {ledger}");
        assert!(pushed(&place).values().all(|n| *n == 2), "{share}");
    }
}

/// Somebody pushes a bill with a client of his own.
fn push_by_hand(place: &Place, id: u64) {
    by_hand(place, "Push", json!({"formid": FROM, "data": {"Ids": id.to_string(), "RuleId": RULE}}));
}

#[test]
fn a_record_that_was_changed_after_the_approval_is_not_pushed() {
    let place = with(|_| {});
    without_control(&place, "");
    // The process dies after the approval, before anything is called.
    let mut first = Command::new(PROGRAM);
    first.args(["run", PLAN, "--yes", "--sweep"]).args(place.options()).stdin(Stdio::null());
    assert_eq!(first.env("SKYDECK_FAULT", "before_intent:1").output().unwrap().status.code(), None);
    assert!(pushed(&place).is_empty());
    let all = records(&place);
    admin(&place, "bill", &json!({"id": all[0], "note": "changed meanwhile"}));
    admin(&place, "bill", &json!({"id": all[1], "delete": true}));
    let out = place.verb(&["resume", "--json"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let sum: Value = text.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    assert_eq!((sum["skipped"].as_u64(), sum["done"].as_u64()), (Some(2), Some(RECORDS - 2)), "{text}{out:?}");
    let made = pushed(&place);
    assert!(!made.contains_key(&(all[0] as u32)) && !made.contains_key(&(all[1] as u32)), "{made:?}");
}

#[test]
fn a_conversion_that_is_refused_is_told_in_the_words_of_the_erp_and_pushed_when_it_can_be() {
    let place = with(|_| {});
    without_control(&place, "");
    faults(
        &place,
        "[[fault]]\nkind = \"error\"\ncode = 11\ntext = \"单据所属会计期间已关账\"\nwhen = \"before\"\non = [\"Push\"]\ntimes = 8\n",
    );
    let (out, sum) = run(&place);
    assert_eq!((out.status.code(), pushed(&place).len()), (Some(1), 0), "{sum}");
    let retry = place.verb(&["retry", "--plan", PLAN, "--yes"]);
    assert_eq!(pushed(&place).len() as u64, RECORDS, "{retry:?}");
    assert!(pushed(&place).values().all(|n| *n == 1));
}

#[test]
fn an_environment_that_does_not_allow_it_pushes_nothing() {
    let place = with(|_| {});
    let config = place.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("allow_operations = [\"Push\"]", "");
    std::fs::write(&config, text).unwrap();
    let out = place.verb(&["run", PLAN, "--yes"]);
    assert!(out.status.code() != Some(0) && pushed(&place).is_empty());
    assert!(String::from_utf8_lossy(&out.stderr).contains("Push"), "{out:?}");
}
