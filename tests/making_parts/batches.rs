//! Bills that are saved several in one call: one verdict a bill, by the number that was sent, whatever the answer does to its indices.

use std::process::Output;

use serde_json::{Value, json};

use crate::place::Place;
use crate::{audited, faults, made, run, with_bills};

fn place(batch: u32) -> Place {
    with_bills(150, |plan| plan["skydeck"]["batch"] = json!(batch))
}

/// How many calls of the service for several bills arrived.
fn batches(place: &Place) -> u64 {
    place.sim.as_ref().unwrap().stats().calls.get("BatchSave").copied().unwrap_or_default()
}

/// Every record became one bill, and each is audited once.
fn each_once(place: &Place, (out, sum): &(Output, Value)) {
    let found = sum["found"].as_u64().unwrap();
    assert!(found > 20, "{sum}");
    assert_eq!((out.status.code(), sum["done"].as_u64()), (Some(0), Some(found)), "{sum}");
    let all = made(place);
    assert!(all.len() as u64 == found && all.values().all(|n| *n == 1), "{all:?}");
    assert_eq!(audited(place) as u64, found);
}

#[test]
fn the_first_bills_go_alone_and_the_others_together() {
    let place = place(8);
    each_once(&place, &run(&place));
    let stats = place.sim.as_ref().unwrap().stats();
    let (alone, together) = (stats.calls["Save"], batches(&place));
    assert!(alone >= 1 && (3..=5).contains(&together), "{alone} alone, {together} together");
}

#[test]
fn half_a_batch_that_took_is_told_apart_from_the_half_that_did_not() {
    let place = place(6);
    faults(&place, "[[fault]]\nkind = \"partial\"\non = [\"BatchSave\"]\ntimes = 2\n");
    each_once(&place, &run(&place));
    assert!(batches(&place) >= 2);
}

#[test]
fn indices_that_are_wrong_give_no_bill_the_answer_of_another() {
    let place = place(6);
    // One of them is refused by name, and every index of the answer is one too high.
    faults(&place, "[[fault]]\nkind = \"wrong_index\"\nwhen = \"after\"\non = [\"BatchSave\"]\nrate = 1.0\n");
    each_once(&place, &run(&place));
}

#[test]
fn a_batch_whose_answer_is_lost_is_looked_for_bill_by_bill() {
    let place = place(6);
    faults(
        &place,
        "[[fault]]\nkind = \"reset\"\nwhen = \"after\"\non = [\"BatchSave\"]\ntimes = 1\n\
         [[fault]]\nkind = \"reset\"\nwhen = \"before\"\non = [\"BatchSave\"]\nskip = 1\ntimes = 1\n",
    );
    each_once(&place, &run(&place));
}

#[test]
fn a_bill_of_a_batch_that_is_refused_keeps_no_other_back() {
    let place = place(6);
    // The ninth record names a partner that no ERP has.
    let path = place.dir.path().join("plans/sal_outstock_to_instock.json");
    let mut plan: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for field in plan["target"]["request"].as_array_mut().unwrap() {
        if field["field"] == "FSupplierId" {
            field["value"] = json!("_function IF('{{FBillNo}}' = 'XSCKD000033', 'NOBODY', 'VEN00003')");
        }
    }
    std::fs::write(&path, plan.to_string()).unwrap();
    let (out, sum) = run(&place);
    assert_eq!(out.status.code(), Some(1), "{sum}");
    let done = sum["found"].as_u64().unwrap() - 1;
    assert_eq!((sum["done"].as_u64(), sum["failed"].as_u64()), (Some(done), Some(1)), "{sum}");
    let all = made(&place);
    assert!(all.len() as u64 == done && all.values().all(|n| *n == 1), "{all:?}");
    let page = place.verb(&["bill", "XSCKD000033"]);
    assert!(String::from_utf8_lossy(&page.stdout).contains("NOBODY"), "{page:?}");
}
