//! Saves and pushes that go wrong on purpose: what was answered, and what happened.

use serde_json::{Value, json};
use skydeck_sim::Transport;

use crate::bench::{Bench, order};

const FORM: &str = "PUR_PurchaseOrder";

#[test]
fn an_answer_is_lost_before_after_and_long_before_the_effect() {
    let mut bench = Bench::plain();
    let save = |number: &str| json!({"formid": FORM, "data": {"Model": order(number)}});
    bench.faults(json!({"kind": "reset", "on": ["Save"], "times": 1}));
    assert_eq!(bench.send("Save", save("L-1")).transport, Transport::Reset);
    assert_eq!(bench.made(FORM, "L-1"), (0, 0));
    bench.faults(json!({"kind": "reset", "when": "after", "on": ["Save"], "times": 1}));
    assert_eq!(bench.send("Save", save("L-2")).transport, Transport::Reset);
    assert_eq!(bench.made(FORM, "L-2"), (1, 1));
    bench.faults(json!({"kind": "late", "ms": 4000, "on": ["Save"], "times": 1}));
    assert_eq!(bench.send("Save", save("L-3")).transport, Transport::Reset);
    assert_eq!(bench.made(FORM, "L-3"), (0, 0));
    bench.now += 3_999;
    assert_eq!(bench.made(FORM, "L-3"), (0, 0));
    bench.now += 1;
    assert_eq!(bench.made(FORM, "L-3"), (1, 1));
    bench.faults(json!({"kind": "truncate", "when": "after", "at": 40, "on": ["Save"], "times": 1}));
    assert_eq!(bench.send("Save", save("L-4")).transport, Transport::Truncated(40));
    assert_eq!(bench.made(FORM, "L-4"), (1, 1));
    // A number that is repeated after a late effect is refused, and made once.
    bench.faults(json!({"kind": "late", "ms": 1000, "on": ["Save"], "times": 1}));
    bench.send("Save", save("L-5"));
    let second = bench.call("Save", save("L-5"));
    assert_eq!(second["Result"]["ResponseStatus"]["IsSuccess"], true);
    bench.now += 1_000;
    assert_eq!(bench.made(FORM, "L-5"), (1, 1));
    assert_eq!(bench.world.key_counts(FORM, "L-5").refused, 1);
    assert_eq!(bench.world.key_counts(FORM, "L-5").calls, 2);
}

#[test]
fn without_unique_numbers_the_same_seed_makes_two() {
    let mut bench = Bench::new(json!({"form": {"*": {"unique": false}}}));
    bench.faults(json!({"kind": "late", "ms": 1000, "on": ["Save"], "times": 1}));
    bench.send("Save", json!({"formid": FORM, "data": {"Model": order("L-5")}}));
    bench.save(FORM, order("L-5"));
    bench.now += 1_000;
    assert_eq!(bench.made(FORM, "L-5"), (2, 2));
    assert_eq!(bench.world.rows_with(FORM, "F_QEB_SrcNo", "S-L-5"), 2);
    assert_eq!(bench.admin("GET", "/admin/keys?doubles=1", json!({}))["keys"][0]["key"], "l-5");
    assert_eq!(bench.world.stats().most_made, 2);
}

#[test]
fn answers_that_are_not_true() {
    let mut bench = Bench::plain();
    let batch = |a: &str, b: &str| json!({"Model": [order(a), order(b)]});
    let of = |result: &Value, list: &str, key: &str| -> Vec<Value> {
        result["ResponseStatus"][list].as_array().unwrap().iter().map(|line| line[key].clone()).collect()
    };
    bench.faults(json!({"kind": "wrong_index", "when": "after", "on": ["BatchSave"], "times": 1}));
    let result = bench.write("BatchSave", FORM, batch("W-1", "W-2"));
    assert_eq!(of(&result, "SuccessEntitys", "DIndex"), [json!(1), json!(2)]);
    bench.faults(json!({"kind": "other_number", "when": "after", "text": "ELSE", "on": ["Save"], "times": 1}));
    let result = bench.save(FORM, order("W-3"));
    assert_eq!((&result["Number"], of(&result, "SuccessEntitys", "Number")), (&json!("ELSE"), vec![json!("ELSE")]));
    assert_eq!(bench.made(FORM, "W-3"), (1, 1));
    bench.faults(json!({"kind": "other_bill", "when": "after", "on": ["Save"], "times": 1}));
    assert_eq!(bench.save(FORM, order("W-4"))["Id"], 99_999_999);
    bench.faults(json!({"kind": "partial", "on": ["BatchSave"], "times": 1}));
    let result = bench.write("BatchSave", FORM, batch("W-5", "W-6"));
    assert_eq!(of(&result, "SuccessEntitys", "Number"), [json!("W-5")]);
    assert_eq!((bench.made(FORM, "W-5"), bench.made(FORM, "W-6")), ((1, 1), (0, 0)));
    bench.faults(json!({"kind": "hollow", "on": ["Save"], "bill": ["W-8"], "times": 1}));
    bench.saved(FORM, order("W-7"));
    bench.saved(FORM, order("W-8"));
    assert_eq!((bench.made(FORM, "W-7"), bench.made(FORM, "W-8")), ((1, 1), (0, 0)));
    bench.faults(json!({"kind": "undo", "when": "after", "on": ["Save"], "first": 1}));
    bench.saved(FORM, order("W-9"));
    assert_eq!(bench.made(FORM, "W-9"), (0, 1));
    bench.saved(FORM, order("W-9"));
    assert_eq!(bench.made(FORM, "W-9"), (1, 2));
}

#[test]
fn pushes_that_go_wrong() {
    let mut bench = Bench::plain();
    let (id, _) = bench.saved(FORM, order("P-1"));
    bench.audited(FORM, id);
    let push = json!({"formid": FORM, "data": {"Ids": id.to_string(), "RuleId": "PUR_PurchaseOrder-STK_InStock"}});
    let there = |bench: &mut Bench| bench.rows("STK_InStock", "FID", "FSRCBillNo='P-1'").as_array().unwrap().len() / 2;
    bench.faults(json!({"kind": "hollow", "on": ["Push"], "times": 1}));
    let hollow = bench.call("Push", push.clone());
    assert_eq!((&hollow["Result"]["ResponseStatus"]["IsSuccess"], there(&mut bench)), (&json!(true), 0));
    bench.faults(json!({"kind": "late", "ms": 2000, "on": ["Push"], "bill": ["P-1"], "times": 1}));
    assert_eq!(bench.send("Push", push.clone()).transport, Transport::Reset);
    assert_eq!(there(&mut bench), 0);
    // Repeated before the late one takes effect, there is one all the same: nothing is left for the other.
    assert_eq!(bench.call("Push", push.clone())["Result"]["ResponseStatus"]["IsSuccess"], true);
    bench.now += 2_000;
    assert_eq!(there(&mut bench), 1);
    let counts = bench.world.counts(FORM, id as u32, "Push");
    assert_eq!((counts.calls, counts.changed, counts.refused), (3, 2, 1), "the hollow one was said to be done");
    bench.admin("POST", "/admin/settings", json!({"rule": {"*": {"control": false}}}));
    bench.call("Push", push);
    assert_eq!(there(&mut bench), 2);
}
