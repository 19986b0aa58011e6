//! Lists of bill numbers: from a file, from standard input, typed.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::place::{PROGRAM, Place};
use super::{PLAN, in_chinese, lines, made, making, place, put, said};

/// A place with a plan that audits what waits for it, and bills older than its watermark.
fn auditing() -> Place {
    let place = place();
    let plan = json!({
        "source": {
            "api": "executeBillQuery",
            "request": [{"field": "FID", "value": "FID"}, {"field": "FBillNo", "value": "FBillNo"}],
            "otherRequest": [
                {"field": "FormId", "value": "SAL_OUTSTOCK"},
                {"field": "FilterString", "value": "FModifyDate>='{{LAST_SYNC_TIME|datetime}}' and FDocumentStatus='B' or FBillNo='no-such'"},
            ],
        },
        "target": {"api": "Audit", "request": [{"field": "Ids", "value": "{{FID}}"}]},
        "skydeck": {"overlap": "0"},
    });
    put(&place, "p.json", &plan.to_string());
    place
}

/// The numbers of bills in a status.
fn in_status(place: &Place, status: &str) -> Vec<String> {
    place.sim.as_ref().unwrap().with_world(|world| {
        let all = (0..60).map(|n| format!("XSCKD{n:06}"));
        all.filter(|no| world.status_of("SAL_OUTSTOCK", no) == Some(status)).collect()
    })
}

fn piped(place: &Place, verb: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(verb).args(place.options()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that refuses the list before its end has no ear for the rest.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn sum(out: &Output) -> Value {
    lines(out).pop().unwrap_or_else(|| panic!("{}", said(out)))
}

#[test]
fn only_the_bills_of_a_list_are_read_and_approved_and_the_others_are_named() {
    let place = auditing();
    let (waits, done) = (in_status(&place, "B"), in_status(&place, "C"));
    assert!(waits.len() > 3 && !done.is_empty());
    let file = place.dir.path().join("list.txt");
    let text =
        format!("\u{feff}{}\r\n{}\r\n{}\r\nNOBODY-1\r\n{}\r\n", waits[0], waits[1], waits[0].to_lowercase(), done[0]);
    std::fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap();
    // Without an approval nothing is done, and what would be is said.
    let out = place.verb(&["run", "p", "--numbers", name]);
    assert_eq!((out.status.code(), place.audits().len()), (Some(4), 0), "{}", said(&out));
    for words in [
        "range: a list of 4 numbers",
        "of the 4 numbers of the list 2 were found",
        "1 not in the ERP: NOBODY-1",
        &format!("1 left out by the plan's filter: {}", done[0]),
    ] {
        assert!(said(&out).contains(words), "{words}: {}", said(&out));
    }
    let out = in_chinese(&place, &["run", "p", "--numbers", name]);
    for words in ["清单中的 4 个单号", "1 个在 ERP 中不存在：NOBODY-1", "1 个不符合方案的过滤条件"]
    {
        assert!(said(&out).contains(words), "{words}: {}", said(&out));
    }
    let out = place.verb(&["run", "p", "--numbers", name, "--yes", "--json"]);
    let run = sum(&out);
    assert_eq!((out.status.code(), &run["found"], &run["audited"]), (Some(0), &json!(2), &json!(2)), "{run}");
    assert_eq!(run["range"]["numbers"], json!(4));
    assert_eq!(
        run["listed"],
        json!({"asked": 4, "unknown": 1, "unknown_first": ["NOBODY-1"], "outside": 1, "outside_first": [done[0]]})
    );
    assert_eq!(place.audits().len(), 2);
    // The others still wait: the watermark did not move, and the next run finds them.
    let all = sum(&place.verb(&["run", "p", "--yes", "--json"]));
    assert_eq!(all["audited"], json!(waits.len() - 2), "{all}");
    // Now they are older than the watermark, and asking for one by its number finds it nevertheless: as one left out.
    let again = sum(&place.verb(&["run", "p", "--numbers", &waits[0], "--yes", "--json"]));
    assert_eq!((&again["found"], &again["listed"]["outside_first"]), (&json!(0), &json!([waits[0]])), "{again}");
}

#[test]
fn a_list_comes_from_standard_input_and_a_plan_that_makes_bills_makes_those_alone() {
    let place = place();
    put(&place, &format!("{PLAN}.json"), &making().to_string());
    let done = in_status(&place, "C");
    let text = format!("{}，{}\n{}\n", done[2], done[0], done[0]);
    let out = piped(&place, &["run", PLAN, "--numbers", "-", "--yes", "--json"], text.as_bytes());
    let run = sum(&out);
    assert_eq!((out.status.code(), &run["found"], &run["listed"]["asked"]), (Some(0), &json!(2), &json!(2)), "{run}");
    let numbers: Vec<String> = made(&place).into_keys().collect();
    assert_eq!(numbers, [format!("IN-{}", done[0]), format!("IN-{}", done[2])]);
    // A record whose bill is there already is told as that, and nothing is made twice.
    let out = piped(&place, &["run", PLAN, "--numbers", "-", "--yes", "--json"], text.as_bytes());
    assert_eq!((out.status.code(), made(&place).values().sum::<u64>()), (Some(0), 2), "{}", said(&out));
}

#[test]
fn a_list_of_which_nothing_is_found_ends_empty_and_names_what_was_asked_for() {
    let place = auditing();
    let forty = "9".repeat(40);
    let out = place.verb(&["run", "p", "--numbers", &format!("NOBODY-1,{forty}"), "--yes"]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    assert!(said(&out).contains(&format!("2 not in the ERP: NOBODY-1 {forty}")), "{}", said(&out));
    let kept = place.run();
    assert_eq!((&kept["state"], &kept["listed"]["unknown"]), (&json!("empty"), &json!(2)), "{kept}");
    assert!(place.audits().is_empty());
}

#[test]
fn a_list_that_cannot_be_taken_is_named_by_file_and_line_and_nothing_is_opened() {
    let place = auditing();
    let file = place.dir.path().join("list.csv");
    let name = file.to_str().unwrap().to_owned();
    let long = "9".repeat(81);
    let many = (0..10_001).fold(String::new(), |text, n| text + &format!("N{n}\n"));
    for (bytes, en, zh) in [
        (&b"\n , \n"[..], "list.csv: the list has no bill number in it", "清单中没有单号"),
        (b"XSCKD000001\nA\tB\n", "list.csv line 2: 2 cells in one line", "第 2 行"),
        (b"XSCKD000001\nA--B\n", "list.csv line 2: the bill number \u{201c}A--B\u{201d}", "无法查询"),
        (b"XSCKD000001\nO'Neil\n", "list.csv line 2: the bill number \u{201c}O'Neil\u{201d}", "引号"),
        (format!("A\n{long}").as_bytes(), "list.csv line 2: the bill number 999", "81 个字符"),
        (many.as_bytes(), "10001", "10001"),
        (b"A\n\xd6\xd0\n", "is no UTF-8", "UTF-8"),
        (&vec![b'9'; 800_000], "786432 is the most that is read", "超过上限 786432"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let out = place.verb(&["run", "p", "--numbers", &name, "--yes"]);
        assert!(out.status.code() == Some(2) && said(&out).contains(en), "{en}: {}", said(&out));
        let out = in_chinese(&place, &["run", "p", "--numbers", &name, "--yes"]);
        assert!(out.status.code() == Some(2) && said(&out).contains(zh), "{zh}: {}", said(&out));
    }
    let out = place.verb(&["run", "p", "--numbers", "no/such/list", "--yes"]);
    assert!(out.status.code() == Some(2) && said(&out).contains("no/such/list"), "{}", said(&out));
    let out = piped(&place, &["run", "p", "--numbers", "-", "--yes"], b"A\n\xff");
    assert!(out.status.code() == Some(2) && said(&out).contains("standard input line 2"), "{}", said(&out));
    let out = piped(&place, &["run", "p", "--numbers", "-", "--yes"], b"");
    assert!(out.status.code() == Some(2) && said(&out).contains("no bill number"), "{}", said(&out));
    assert!(lines(&place.verb(&["history", "--json"])).is_empty(), "no run was opened");
}
