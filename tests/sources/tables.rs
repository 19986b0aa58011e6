//! Mapping tables beside the plans.

use serde_json::{Value, json};

use super::{PLAN, in_chinese, lines, made, making, place, put, said, served};

/// The plan with a supplier that is looked for by the outstock's customer.
fn with_table(file: &str) -> Value {
    let mut plan = making();
    plan["skydeck"]["tables"] = json!({"partners": file});
    let request = plan["target"]["request"].as_array_mut().unwrap();
    let supplier = request.iter_mut().find(|entry| entry["field"] == "FSupplierId").unwrap();
    supplier["value"] = json!("_findCollection find supplier from partners where customer={{FCustomerID_FNumber}}");
    plan
}

/// The customers of the records, as a preview without the table shows them.
fn customers(place: &super::Place) -> Vec<String> {
    let mut plan = making();
    let request = plan["target"]["request"].as_array_mut().unwrap();
    request.push(json!({"field": "FNote", "type": "string", "value": "{{FCustomerID_FNumber}}"}));
    put(place, "seen.json", &plan.to_string());
    let preview = lines(&place.verb(&["plan", "preview", "seen", "--json"])).remove(0);
    std::fs::remove_file(place.dir.path().join("plans/seen.json")).unwrap();
    let samples = preview["samples"].as_array().unwrap();
    samples.iter().map(|sample| sample["body"]["FNote"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_missing_row_refuses_its_records_by_table_key_and_value_and_a_changed_table_is_another_revision() {
    let place = place();
    let first = customers(&place).remove(0);
    put(&place, &format!("{PLAN}.json"), &with_table("tables/partners.csv").to_string());
    put(&place, "tables/partners.csv", "\u{feff}customer,supplier,remark\r\nnobody,VEN00003,x\r\n");
    let revision = |place: &super::Place| lines(&place.verb(&["plan", "list", "--json"]))[0]["revision"].clone();
    let of_none = revision(&place);
    // People read it in their language, and nobody is told that the ERP said it.
    let in_chinese = |verb: &[&str]| {
        let options = place.options().into_iter().map(|option| if option == "en" { "zh".to_owned() } else { option });
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_skydeck")).args(verb).args(options).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let preview = in_chinese(&["plan", "preview", PLAN]);
    // Nothing can be made of any record, and no call leaves.
    let out = place.verb(&["run", PLAN, "--yes", "--sweep", "--json"]);
    let sum = lines(&out).pop().unwrap();
    assert_eq!((out.status.code(), &sum["failed"], made(&place).len()), (Some(1), &json!(8), 0), "{sum}");
    let ledger = lines(&place.verb(&["ledger", "--json", "-n", "50"]));
    let words = format!("FSupplierId: no row of `partners` has customer=`{first}`: add it");
    assert!(ledger.iter().any(|row| row.to_string().contains(&words)), "{words}: {ledger:?}");
    let words = format!("FSupplierId：“partners”中没有 customer=`{first}` 的行：请补上");
    let list = in_chinese(&["ledger"]);
    assert!(list.contains(&format!("无法生成单据：{words}")) && preview.contains(&words), "{list}{preview}");
    for (file, escaped) in [("l.csv", words.clone()), ("l.html", words.replace('`', "&#96;"))] {
        let file = place.dir.path().join(file);
        in_chinese(&["export", file.to_str().unwrap()]);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(&format!("Skydeck：{escaped}")) || text.contains(&format!("Skydeck：{words}")), "{text}");
    }
    // With its row the record goes on; another row that nobody asks for changes the revision all the same.
    put(&place, "tables/partners.csv", &format!("customer,supplier,remark\n{first},VEN00003,\n"));
    let of_one = revision(&place);
    put(&place, "tables/partners.csv", &format!("customer,supplier,remark\n\"{first}\",VEN00003,\n\n"));
    assert_eq!(revision(&place), of_one, "the same rows written otherwise are the same table");
    assert_ne!(of_none, of_one);
    let out = place.verb(&["run", PLAN, "--yes", "--sweep", "--json"]);
    let sum = lines(&out).pop().unwrap();
    assert!(sum["audited"].as_u64().unwrap() >= 1 && !made(&place).is_empty(), "{sum}");
}

#[test]
fn a_table_that_changes_between_the_read_and_the_approval_is_not_approved() {
    let place = place();
    let known = customers(&place);
    let known: std::collections::BTreeSet<&String> = known.iter().collect();
    let rows = known.into_iter().fold(String::new(), |rows, customer| rows + customer + ",VEN00003\n");
    let mut plan = with_table("partners.tsv");
    plan["skydeck"]["schedule"] = json!({"cron": "*/2 * * * * *", "zone": "Asia/Shanghai"});
    put(&place, &format!("{PLAN}.json"), &plan.to_string());
    put(&place, "partners.tsv", &format!("customer\tsupplier\n{}", rows.replace(',', "\t")));
    let mut owner = served(&place);
    super::place::until("a set that waits", || {
        lines(&place.verb(&["history", "--json"])).first().is_some_and(|run| run["state"] == "awaiting_approval")
    });
    place.verb(&["serve", "--end"]);
    owner.wait().unwrap();
    put(&place, "partners.tsv", "customer\tsupplier\nother\tVEN00003\n");
    let out = place.verb(&["approve", "--yes", "--json"]);
    assert_eq!((out.status.code(), made(&place).len()), (Some(4), 0), "{}", said(&out));
    assert!(said(&out).contains("changed"), "{}", said(&out));
}

#[test]
fn a_table_that_cannot_be_used_is_named_by_file_and_line_in_both_languages() {
    let place = place();
    for (file, bytes, en, zh) in [
        (
            "p.csv",
            &b"customer,supplier\nA,1\nB,2\nA,3\n"[..],
            "p.csv line 4: customer=`A` stands in line 2",
            "p.csv 第 4 行",
        ),
        ("p.csv", b"customer,supplier\nA,1\nB,\xd6\xd0\n", "p.csv line 3: is no UTF-8", "p.csv 第 3 行：不是 UTF-8"),
        ("p.csv", b"customer,supplier\nA,1\nB\n", "p.csv line 3: 1 cells, and the first line names 2", "有 1 格"),
        ("p.csv", b"customer,supplier\n", "p.csv: the table has no rows", "没有数据行"),
        ("p.csv", b"", "p.csv: the table has no rows", "没有数据行"),
        ("p.csv", b"customer,customer\nA,1\n", "line 1: the column `customer` stands twice", "出现两次"),
        ("p.csv", b"customer,supplier,\nA,1,\n", "line 1: column 3 has no name", "第 3 列没有列名"),
        ("p.csv", b"customer,suplier\nA,1\n", "did you mean `suplier`?", "是不是 `suplier`"),
        ("p.csv", b"customer,supplier\n\"A\nB\",1\n", "line 2: `A⏎B` holds a control character", "控制字符"),
        ("missing.csv", b"", "missing.csv: no such file beside the plan", "方案旁没有该文件"),
    ] {
        put(&place, &format!("{PLAN}.json"), &with_table(file).to_string());
        if file == "p.csv" {
            std::fs::write(place.dir.path().join("plans/p.csv"), bytes).unwrap();
        }
        let out = place.verb(&["plan", "lint", PLAN]);
        assert!(said(&out).contains(en), "{en}: {}", said(&out));
        let out = place.verb(&["run", PLAN, "--yes"]);
        assert_eq!(out.status.code(), Some(2), "{}", said(&out));
        let out = in_chinese(&place, &["plan", "lint", PLAN]);
        assert!(said(&out).contains(zh), "{zh}: {}", said(&out));
    }
    let large = format!("customer,supplier\n{}", "A,1234567890\n".repeat(90_000));
    put(&place, &format!("{PLAN}.json"), &with_table("p.csv").to_string());
    put(&place, "p.csv", &large);
    let out = place.verb(&["plan", "lint", PLAN]);
    assert!(
        said(&out).contains(&format!("p.csv: has {} bytes; at most 1048576 are read", large.len())),
        "{}",
        said(&out)
    );
    for file in ["../p.csv", "/etc/p.csv", "p.txt", ""] {
        put(&place, &format!("{PLAN}.json"), &with_table(file).to_string());
        let out = place.verb(&["plan", "lint", PLAN]);
        assert!(said(&out).contains("names no mapping table"), "{file}: {}", said(&out));
    }
    assert!(made(&place).is_empty());
}

#[test]
fn a_plan_outside_of_the_directory_is_previewed_with_the_tables_beside_it() {
    let place = place();
    let away = place.dir.path().join("away");
    std::fs::create_dir_all(&away).unwrap();
    std::fs::write(away.join("own.json"), with_table("p.csv").to_string()).unwrap();
    std::fs::write(away.join("p.csv"), "customer,supplier\nnobody,VEN00003\n").unwrap();
    let out = place.verb(&["plan", "preview", away.join("own.json").to_str().unwrap(), "--json"]);
    let preview = lines(&out).pop().unwrap_or_else(|| panic!("{}", said(&out)));
    assert_eq!((&preview["found"], &preview["unmade"]), (&json!(8), &json!(8)), "{preview}");
    assert!(preview["samples"][0]["fault"].as_str().unwrap().contains("no row of `partners`"), "{preview}");
}
