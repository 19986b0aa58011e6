//! Records that are handed in on standard input, kept, and taken up by the next run; the simulator's counts are the judge.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::place::{PROGRAM, Place};

const FORM: &str = "STK_InStock";

/// A plan that saves what a warehouse hands in.
fn plan() -> Value {
    let field = |field: &str, value: &str| json!({"field": field, "label": field, "type": "string", "value": value});
    let number = json!({"name": "ConvertObjectParser", "params": "FNumber"});
    let base = |name: &str, value: &str| json!({"field": name, "label": name, "type": "string", "value": value, "parser": number});
    let decimal = |name: &str, value: &str| json!({"field": name, "label": name, "type": "float", "value": value});
    json!({
        "name": "WMS → 采购入库",
        "source": {"id": "in_no", "request": [
            field("in_no", ""), field("date", ""), field("supplier", "supplier.code"),
            field("sku", "lines.sku"), field("qty", "lines.qty"), field("price", "lines.price"),
        ]},
        "target": {
            "api": "batchSave", "name": "采购入库单新增", "effect": "EXECUTE", "method": "POST",
            "request": [
                base("FBillTypeID", "RKD01_SYS"), field("FBillNo", "{{in_no}}"), field("FDate", "{{date|date}}"),
                base("FSupplierId", "{{supplier}}"),
                {"field": "FInStockEntry", "label": "明细", "type": "array", "value": "details", "children": [
                    base("FMaterialId", "{{details.sku}}"), decimal("FRealQty", "{{details.qty}}"),
                    decimal("FTaxPrice", "{{details.price}}"),
                ]},
            ],
            "otherRequest": [field("FormId", FORM)],
        },
        "skydeck": {"take": {"record": "wms_in"}, "key": {"number": "FBillNo", "unique": true}, "steps": ["save"]},
    })
}

fn place() -> Place {
    let place = Place::with(20, "allow_operations = [\"Save\"]", "");
    std::fs::write(place.dir.path().join("plans/wms_in.json"), plan().to_string()).unwrap();
    place
}

fn record(id: &str, qty: &str) -> String {
    format!(
        r#"{{"in_no": "{id}", "date": "2026-11-20", "supplier": {{"code": "VEN00003"}},
            "lines": [{{"sku": "MAT00001", "qty": {qty}, "price": 2.50}}, {{"sku": "MAT00002", "qty": 1, "price": 3}}]}}"#
    )
}

fn take(place: &Place, lang: &str, plan: &str, text: &[u8]) -> Output {
    let options = place.options();
    let options = options.iter().map(|option| if option == "en" { lang } else { option });
    let mut child = Command::new(PROGRAM)
        .args(["--json", "take", plan])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever refuses before it has read everything closes its end.
    let _ = child.stdin.take().unwrap().write_all(text);
    child.wait_with_output().unwrap()
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// How many were new, and how many known.
fn kept(out: &Output) -> (u64, u64) {
    assert_eq!(out.status.code(), Some(0), "{}", said(out));
    let line: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(line["type"], "taken");
    (line["new"].as_u64().unwrap(), line["known"].as_u64().unwrap())
}

/// The sum line of a run.
fn run(place: &Place) -> Value {
    let out = place.verb(&["--json", "run", "wms_in", "--yes"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let lines = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let sum = lines.into_iter().find(|line| line.get("sum_closes").is_some());
    sum.unwrap_or_else(|| panic!("no sum: {}", said(&out)))
}

fn made(place: &Place, key: &str) -> u32 {
    place.sim.as_ref().unwrap().with_world(|world| world.key_counts(FORM, key).changed)
}

#[test]
fn a_record_is_kept_once_and_taken_up_by_the_next_run() {
    let place = place();
    let two = format!("{}\n{}", record("W-1", "10"), record("W-2", "7.50"));
    assert_eq!(kept(&take(&place, "en", "wms_in", two.as_bytes())), (2, 0));
    // Blanks say nothing, and the same record again is the same record.
    let again = format!("[{},{}]", record("W-2", "7.50").replace('\n', " "), record("W-1", "10"));
    assert_eq!(kept(&take(&place, "en", "wms_in", again.as_bytes())), (0, 2));
    let sum = run(&place);
    assert_eq!((&sum["found"], &sum["audited"]), (&json!(2), &json!(2)), "{sum}");
    assert_eq!((made(&place, "W-1"), made(&place, "W-2")), (1, 1));
    let rows = place.sim.as_ref().unwrap().with_world(|world| world.rows_with(FORM, "FRealQty", "7.5"));
    assert_eq!(rows, 1, "numbers keep their digits");
    // Nothing new: nothing to do.
    assert_eq!(run(&place)["found"], json!(0));
    // What failed is taken up again beside what came since.
    let unknown = record("W-3", "1").replace("VEN00003", "NOBODY");
    assert_eq!(kept(&take(&place, "en", "wms_in", unknown.as_bytes())), (1, 0));
    assert_eq!(run(&place)["failed"], json!(1));
    assert_eq!(kept(&take(&place, "en", "wms_in", record("W-3", "1").as_bytes())), (1, 0));
    let sum = run(&place);
    assert_eq!((&sum["found"], &sum["audited"]), (&json!(1), &json!(1)), "{sum}");
    assert_eq!(made(&place, "W-3"), 1);
}

#[test]
fn another_body_is_the_newer_and_both_stay() {
    let place = place();
    let text = [record("W-1", "10"), record("W-1", "11"), record("W-1", "10"), record("W-1", "12.25")].join("\n");
    assert_eq!(kept(&take(&place, "en", "wms_in", text.as_bytes())), (4, 0), "what came between makes it newer again");
    let sum = run(&place);
    assert_eq!((&sum["found"], &sum["audited"]), (&json!(1), &json!(1)), "{sum}");
    assert_eq!(made(&place, "W-1"), 1);
    let with = |qty| place.sim.as_ref().unwrap().with_world(|world| world.rows_with(FORM, "FRealQty", qty));
    assert_eq!((with("12.25"), with("10")), (1, 0));
    // It was sent already: what is there is compared, and nothing is sent twice.
    assert_eq!(kept(&take(&place, "en", "wms_in", record("W-1", "13").as_bytes())), (1, 0));
    let sum = run(&place);
    assert_eq!((&sum["found"], &sum["skipped"]), (&json!(1), &json!(1)), "{sum}");
    assert_eq!(made(&place, "W-1"), 1);
}

#[test]
fn a_declined_set_is_read_again_and_numbers_name_single_records() {
    let place = place();
    let text = [record("W-1", "1"), record("W-2", "2")].join("\n");
    assert_eq!(kept(&take(&place, "en", "wms_in", text.as_bytes())), (2, 0));
    let out = place.verb(&["run", "wms_in"]);
    assert_eq!(out.status.code(), Some(4), "{}", said(&out));
    let out = place.verb(&["--json", "run", "wms_in", "--numbers", "W-2,W-9", "--yes"]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    assert_eq!((made(&place, "W-1"), made(&place, "W-2")), (0, 1));
    let sum = run(&place);
    assert_eq!((&sum["audited"], &sum["already_audited"]), (&json!(1), &json!(1)), "{sum}");
    assert_eq!((made(&place, "W-1"), made(&place, "W-2")), (1, 1));
}

#[test]
fn what_is_no_record_is_named_by_its_place_in_both_languages_and_nothing_is_kept() {
    let place = place();
    let good = record("W-1", "1").replace('\n', " ");
    let two_lists = r#"{"in_no": "W-2", "date": "2026-11-20", "supplier": [{"code": "V"}], "lines": [{"sku": "A"}]}"#;
    for (text, code, en, zh) in [
        (b"".to_vec(), 2, "holds no record", "没有记录"),
        (format!("{good}\n{{\"in_no\":").into_bytes(), 2, "line 2: is no JSON", "第 2 行：不是 JSON"),
        (format!("{good}\n\n7").into_bytes(), 2, "line 3: is no record", "第 3 行：不是记录"),
        (b"{\"in_no\": \"\xd6\xd0\"}".to_vec(), 2, "line 1: is no UTF-8", "第 1 行：不是 UTF-8"),
        (format!("{good}\n{{\"no\": 1}}").into_bytes(), 2, "record 2: its id is missing", "第 2 条记录：没有标识"),
        (br#"{"in_no": {"a": 1}}"#.to_vec(), 2, "record 1: its id is missing", "第 1 条记录：没有标识"),
        (format!("{{\"in_no\": \"{}\"}}", "x".repeat(257)).into_bytes(), 2, "longer than 256", "超过 256"),
        (two_lists.as_bytes().to_vec(), 2, "two lists", "两个列表"),
        (
            format!("{{\"in_no\": \"{}\"}}", "x".repeat(300_000)).into_bytes(),
            2,
            "one has 262144 at most",
            "最多 262144",
        ),
    ] {
        for (lang, words) in [("en", en), ("zh", zh)] {
            let out = take(&place, lang, "wms_in", &text);
            assert_eq!(out.status.code(), Some(code), "{}", said(&out));
            assert!(said(&out).contains(words), "{words}: {}", said(&out));
        }
    }
    let out = take(&place, "en", "sal_outstock_audit", good.as_bytes());
    assert_eq!((out.status.code(), said(&out).contains("skydeck.take")), (Some(2), true), "{}", said(&out));
    assert_eq!(take(&place, "en", "nobody", good.as_bytes()).status.code(), Some(2));
    assert_eq!(run(&place)["found"], json!(0));
}

#[test]
fn more_than_one_order_takes_is_given_by_several_and_each_is_in_the_action_log() {
    let place = place();
    let all: Vec<String> = (0..1_201).map(|n| record(&format!("W-{n}"), "1").replace('\n', "")).collect();
    assert_eq!(kept(&take(&place, "en", "wms_in", all.join("\n").as_bytes())), (1_201, 0));
    let log = place.verb(&["--json", "log"]);
    let text = String::from_utf8_lossy(&log.stdout).into_owned();
    let takes = text.lines().filter(|line| line.contains("\"take\"")).count();
    assert!(takes >= 3, "{text}");
    let out = place.verb(&["--json", "plan", "preview", "wms_in"]);
    assert!(said(&out).contains("1201"), "{}", said(&out));
}
