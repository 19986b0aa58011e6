//! Plans as people have them: an id that is not FID, filters from word processors, printed pages, files beside the directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::process::{Child, Command, Output, Stdio};

use place::Place;
use serde_json::{Value, json};
use skydeck::domain::ids::PlanId;
use skydeck::plan::lint::{ID_PASSED_OVER, Severity, lint};
use skydeck::plan::{self, PlanFile};

fn said(out: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

/// A plan that audits a form by a query with this filter.
fn plan_of(form: &str, id: Option<&str>, filter: &Value) -> Value {
    let mut plan = json!({
        "source": {
            "api": "executeBillQuery",
            "request": [{"field": "FDocumentStatus", "value": "FDocumentStatus"}],
            "otherRequest": [{"field": "FormId", "value": form}, {"field": "FilterString", "value": filter}],
        },
        "target": {"api": "Audit", "request": []},
    });
    if let Some(id) = id {
        plan["source"]["id"] = json!(id);
    }
    plan
}

fn inspect(plan: &Value) -> PlanFile {
    plan::inspect(PlanId::new("p"), &plan.to_string()).unwrap()
}

fn write(place: &Place, name: &str, text: &str) {
    std::fs::write(place.dir.path().join(name), text).unwrap();
}

#[test]
fn the_id_is_the_one_the_plan_names_or_lint_says_why_not() {
    let filter = json!("FDocumentStatus='B'");
    for (form, id, used, said) in [
        ("BD_MATERIAL", Some("FMATERIALID"), "FMATERIALID", ""),
        ("BD_MATERIAL", Some("{{response.FMaterialId}}"), "FMaterialId", ""),
        ("BD_STOCK", Some("FStockId"), "FStockId", ""),
        ("BD_UNIT", Some("FUNITID"), "FUNITID", ""),
        ("ORG_Organizations", Some("FOrgID"), "FOrgID", ""),
        ("SAL_OUTSTOCK", Some("FID"), "FID", ""),
        ("SAL_OUTSTOCK", None, "FID", ""),
        ("SAL_OUTSTOCK", Some("FMATERIALID"), "FID", "of an entry or of another record"),
        ("PUR_PurchaseOrder", Some("FPOOrderEntry_FEntryId"), "FID", "of an entry or of another record"),
        ("BD_UNIT", Some("FNumber"), "FID", "a number people see"),
        ("SAL_OUTSTOCK", Some("{{FID}}-{{FSeq}}"), "FID", "not one column"),
        ("BD_Customer", None, "FID", "names no id"),
    ] {
        let file = inspect(&plan_of(form, id, &filter));
        assert_eq!(file.plan.source.id_path, used, "{form} {id:?}");
        let hazards: Vec<_> = lint(&file).into_iter().filter(|h| h.number == ID_PASSED_OVER).collect();
        assert_eq!(hazards.len(), usize::from(!said.is_empty()), "{form} {id:?}: {hazards:?}");
        for hazard in hazards {
            assert_eq!(hazard.severity, Severity::Warning);
            assert!(hazard.message_en.contains(said) && hazard.message_en.contains(used), "{hazard:?}");
            assert!(hazard.mend.is_some() && !hazard.message_zh.is_empty(), "{hazard:?}");
        }
    }
    let mend = lint(&inspect(&plan_of("BD_Customer", None, &filter))).into_iter().find(|h| h.number == ID_PASSED_OVER);
    assert_eq!(mend.unwrap().mend.as_deref(), Some(r#""skydeck": {"id": "FCUSTID"}"#));
}

/// The id goes through the whole run: query, keyset, status reads and calls.
#[test]
fn base_data_is_audited_by_its_own_id() {
    let place = Place::new(5);
    let filter = json!("FNumber<>''");
    write(&place, "plans/materials.json", &plan_of("BD_MATERIAL", Some("FMATERIALID"), &filter).to_string());
    write(&place, "plans/blind.json", &plan_of("BD_MATERIAL", Some("FNumber"), &filter).to_string());
    let (code, text, err) = said(&place.verb(&["plan", "preview", "materials", "--json"]));
    assert_eq!(code, 0, "{err}");
    let preview: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(preview["id"], "FMATERIALID");
    let (_, text, _) = said(&place.verb(&["plan", "list"]));
    let line =
        |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("blind").contains("`FNumber` is a number people see"), "{text}");
    assert!(!line("materials").contains("people see"), "{text}");
    let (_, text, _) = said(&place.verb(&["plan", "preview", "blind"]));
    assert!(text.contains("! `FNumber` is a number people see"), "{text}");
    assert!(preview["found"].as_u64().unwrap() > 0);
    let (code, _, err) = said(&place.verb(&["run", "materials", "-y"]));
    assert_eq!(code, 0, "{err}");
    assert_eq!(place.run()["found"], preview["found"]);
}

#[test]
fn a_filter_that_is_a_list_is_refused_with_the_text_it_stands_for() {
    let row = |field: &str, compare: &str, value: &str, logic: &str| json!({"Left": "", "FieldName": field, "Compare": compare, "Value": value, "Right": "", "Logic": logic});
    let mut bracketed = row("FBillNo", "67", "o'x", "0");
    (bracketed["Left"], bracketed["Right"]) = (json!("(("), json!("))"));
    let known = json!([row("FDate", "39", "2025-01-01", "1"), bracketed]);
    let example = "FDocumentStatus='B' and FDate>='2025-01-01'";
    for (filter, text) in [
        (known.clone(), "FDate>='2025-01-01' or ((FBillNo='o''x'))"),
        (json!(known.to_string()), "FDate>='2025-01-01' or ((FBillNo='o''x'))"),
        (json!(["FDocumentStatus='B'", "FDate>'2025-01-01'"]), "FDocumentStatus='B' and FDate>'2025-01-01'"),
        // A comparison whose code is not known is not guessed.
        (json!([row("FDate", "21", "2025-01-01", "0")]), example),
        (json!([{"FieldName": "FDate; drop", "Compare": "17", "Value": "1"}]), example),
        (json!({"FieldName": "FDate"}), example),
        (json!("[ not json"), example),
    ] {
        let plan = plan_of("SAL_OUTSTOCK", None, &filter);
        let problem = plan::read(PlanId::new("p"), &plan.to_string()).unwrap_err();
        assert!(problem.message().contains("FilterString is a list of conditions"), "{filter}: {problem}");
        assert_eq!(problem.hint(), text, "{filter}");
        assert!(problem.in_chinese().contains("条件列表"));
        // What stands in the remedy's place of the filter would otherwise take every bill.
        let mut plan = plan_of("SAL_OUTSTOCK", None, &json!("FDocumentStatus='B'"));
        plan["source"]["omissionRemedy"] =
            json!({"crontab": "3 2 * * *", "takeOverRequest": [{"field": "FilterString", "value": filter}]});
        let problem = plan::read(PlanId::new("p"), &plan.to_string()).unwrap_err();
        assert!(problem.field.contains("takeOverRequest[0]") && problem.hint() == text, "{problem}");
    }
    let mut inside = plan_of("SAL_OUTSTOCK", None, &Value::Null);
    inside["source"]["otherRequest"][1]["children"] = json!([{"field": "FieldName", "value": "FDate"}]);
    let problem = plan::read(PlanId::new("p"), &inside.to_string()).unwrap_err();
    assert!(problem.message().contains("list of conditions"), "{problem}");
    for fine in ["{{LAST_SYNC_TIME}} < FX", "_function 'a'", "FNo='[x]'"] {
        let read = plan::inspect(PlanId::new("p"), &plan_of("SAL_OUTSTOCK", None, &json!(fine)).to_string()).unwrap();
        assert!(read.blocking.iter().all(|b| !b.message().contains("list of conditions")), "{fine}");
    }
}

#[test]
fn lint_names_the_signs_of_word_processors_and_times_without_quotation_marks() {
    for (filter, numbers, part) in [
        ("FBillTypeID.FNumber=‘XSCKD07_SYS’", &[20][..], "‘’"),
        ("FBillTypeID.FNumber=“XSCKD07_SYS”", &[20], "“”"),
        ("FDocumentStatus＝'B' and （FID>1）", &[20], "（）＝"),
        ("FDocumentStatus=\"B\"", &[20], "double quotes"),
        ("FModifyDate>=\"{{LAST_SYNC_TIME|datetime}}\"", &[20], "double quotes"),
        ("FModifyDate>={{LAST_SYNC_TIME|datetime}}", &[21], "{{LAST_SYNC_TIME|datetime}}"),
        ("FModifyDate>={{LAST_SYNC_TIME date}} and FDocumentStatus='B'", &[21], "without quotation marks"),
        ("FDate>=2025-01-01", &[21], "2025-01-01"),
        ("FDate in (2025/1/2, '2025-01-03')", &[21], "2025/1/2"),
        ("FDate>={{DAYS_AGO_3|date}} and FNo=“a”", &[20, 21], "{{DAYS_AGO_3|date}}"),
        ("FName='“甲”（乙）' and FNote='2025-01-01 \"x\"'", &[], ""),
        ("FModifyDate>='{{LAST_SYNC_TIME|datetime}}' and FID>20250101", &[], ""),
        ("FStamp>={{LAST_SYNC_TIME|timestamp}}", &[], ""),
    ] {
        let file = inspect(&plan_of("SAL_OUTSTOCK", None, &json!(filter)));
        let hazards: Vec<_> = lint(&file).into_iter().filter(|h| matches!(h.number, 20 | 21)).collect();
        assert_eq!(hazards.iter().map(|h| h.number).collect::<Vec<_>>(), numbers, "{filter}: {hazards:?}");
        assert!(hazards.iter().all(|h| h.severity == Severity::Warning && h.mend.is_some()), "{hazards:?}");
        assert!(hazards.is_empty() || hazards.iter().any(|h| h.message_en.contains(part)), "{filter}: {hazards:?}");
        assert!(hazards.iter().all(|h| !h.message_zh.is_empty() && h.field.contains("otherRequest[1]")), "{hazards:?}");
    }
}

/// The compensation's filter is looked at as the plan's own.
#[test]
fn lint_looks_at_the_compensations_filter_too() {
    let mut plan = plan_of("SAL_OUTSTOCK", None, &json!("FDocumentStatus='B'"));
    let taken =
        |filter: &str| json!({"crontab": "3 2 * * *", "takeOverRequest": [{"field": "FilterString", "value": filter}]});
    for (filter, numbers) in [
        ("FDate>={{DAYS_AGO_2|date}}", &[21][..]),
        ("FBillTypeID.FNumber=“XSCKD01_SYS”", &[20]),
        ("FDate>='{{DAYS_AGO_2|date}}'", &[]),
    ] {
        plan["source"]["omissionRemedy"] = taken(filter);
        let found: Vec<_> = lint(&inspect(&plan)).into_iter().filter(|h| matches!(h.number, 20 | 21)).collect();
        assert_eq!(found.iter().map(|h| h.number).collect::<Vec<_>>(), numbers, "{filter}");
        assert!(found.iter().all(|h| h.field == "source.omissionRemedy.takeOverRequest"), "{found:?}");
    }
}

/// A page as it is printed: bars behind the cells alone, facts as a list, a table of mere types at its end.
const PAGE: &str = "\
采购入库单自动审核
<image>data:image/x.invalid</image>
通过平台选择对应的executeBillQuery作为数据来源，再选择对应的Audit接口作为写入动作。
金蝶云星空接口明细
- API:executeBillQuery
- NAME:采购入库单查询
- METHOD:POST
请求参数
接口字段 | 名称 | 预设值 |
FID | FID | FID |
FBillNo | 单据编号 | FBillNo |
FSupplierId_FNumber | 供应商 | FSupplierId.FNumber |
Limit | 最大行数 | {{PAGINATION_PAGE_SIZE}} |
StartRow | 开始行索引 | {{PAGINATION_START_ROW}} |
TopRowCount | 返回总行数 | |
FilterString | 过滤条件 | FModifyDate>='{{LAST_SYNC_TIME dateTime}}' and FDocumentStatus='B' |
FieldKeys | 需查询的字段key集合 | |
FormId | 业务对象表单Id | STK_InStock |
响应参数
接口字段 | 名称 | 预设值 |
FID | FID | FID |
FBillNo | 单据编号 | FBillNo |
金蝶云星空接口明细
- 接口:Audit
- 接口名称:审核单据
- 接口方法:POST
请求参数
字段 | 名称 | 类型 |
FormId | 业务对象表单Id | string |
IsVerifyProcInst | 检验单据关联运行 | string |
Numbers | 编码集合 | string |
Ids | id集合 | string |
<image>data:image/y.invalid</image>请求参数
字段 | 名称 | 类型 |
FID | 实体主键 | string |
FDocumentStatus | 单据状态 | string |
FilterString | 过滤条件 | string |
FormId | 业务对象表单Id | string |
";

#[test]
fn a_printed_page_is_read_as_the_plan_it_describes() {
    let made = plan::import(PAGE).unwrap();
    assert_eq!(made.len(), 1);
    let file = plan::read(PlanId::new("p"), &made[0].json).unwrap();
    let source = &file.plan.source;
    let paths: Vec<&str> = source.columns.iter().map(|c| c.path.as_str()).collect();
    assert_eq!((source.form.as_str(), paths), ("STK_InStock", vec!["FID", "FBillNo", "FSupplierId.FNumber"]));
    assert_eq!(source.filter, "FModifyDate>='{{LAST_SYNC_TIME|dateTime}}' and FDocumentStatus='B'");
    let plan: Value = serde_json::from_str(&made[0].json).unwrap();
    assert_eq!((&plan["source"]["name"], &plan["target"]["name"]), (&json!("采购入库单查询"), &json!("审核单据")));
    assert_eq!(plan["source"]["response"].as_array().unwrap().len(), 2);
    assert!(made[0].guesses.iter().any(|guess| guess.en.contains("describes fields that have their values already")));
}

/// A second query named after a call begins a second plan.
#[test]
fn a_page_of_several_plans_gives_several() {
    let second = PAGE.replace("STK_InStock", "SAL_RETURNSTOCK").replace("采购入库单", "退货单");
    let made = plan::import(&format!("{PAGE}{second}")).unwrap();
    let forms: Vec<String> = made
        .iter()
        .map(|one| plan::read(PlanId::new("p"), &one.json).unwrap_or_else(|e| panic!("{e}\n{}", one.json)))
        .map(|file| file.plan.source.form.to_string())
        .collect();
    assert_eq!(forms, ["STK_InStock", "SAL_RETURNSTOCK"]);
    assert!(made[1].line > 40, "{}", made[1].line);
}

#[test]
fn json_in_prose_is_found_whole_in_two_halves_and_in_lists() {
    let one = plan_of("SAL_OUTSTOCK", None, &json!("FDocumentStatus='B'"));
    let other = plan_of("STK_InStock", None, &json!("FDocumentStatus='B'"));
    let (source, target) = (one["source"].to_string(), one["target"].to_string());
    let pretty = serde_json::to_string_pretty(&one).unwrap();
    for (text, forms) in [
        (format!("方案如下 [见图] {{x}}：\n```json\n{pretty}\n```\n完。"), vec!["SAL_OUTSTOCK"]),
        (format!("源平台：\n{source}\n\n目标平台：\n{target}\n"), vec!["SAL_OUTSTOCK"]),
        (json!([one, other]).to_string(), vec!["SAL_OUTSTOCK", "STK_InStock"]),
        (json!([one]).to_string(), vec!["SAL_OUTSTOCK"]),
        (json!({"plans": [one]}).to_string(), vec!["SAL_OUTSTOCK"]),
        (json!({"code": 0, "data": {"plans": [one, other]}}).to_string(), vec!["SAL_OUTSTOCK", "STK_InStock"]),
        (format!("第一个\n{pretty}\n第二个\n{other}"), vec!["SAL_OUTSTOCK", "STK_InStock"]),
    ] {
        let made = plan::import(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let found: Vec<String> = made
            .iter()
            .map(|one| plan::read(PlanId::new("p"), &one.json).unwrap().plan.source.form.to_string())
            .collect();
        assert_eq!(found, forms, "{text}");
    }
    assert!(plan::import(&pretty).unwrap_err().en.contains("JSON already"), "it runs as it is");
    assert!(plan::import("{\"a\": [1]}").unwrap_err().en.contains("holds no plan"));
    // One that would run but for the word of what its operation leads to.
    let mut close = one.clone();
    close["target"] = json!({"api": "excuteOperation", "request": [{"field": "Operation", "value": "BillClose"}]});
    let made = plan::import(&close.to_string()).unwrap();
    assert!(plan::read(PlanId::new("p"), &made[0].json).is_ok(), "{}", made[0].json);
    let alone = plan::import(&format!("只有查询：{source}")).unwrap();
    assert!(alone[0].guesses.iter().any(|guess| guess.en.contains("no target found")), "{:?}", alone[0].guesses);
}

#[test]
fn an_imported_operation_brings_what_shows_that_it_is_done() {
    let page = |name: &str| {
        PAGE.replace("- 接口:Audit", "- 接口:excuteOperation").replace(
            "Ids | id集合 | string |\n<image>",
            &format!("Ids | id集合 | string |\n\n字段 | 名称 | 值 |\nOperation | 操作 | {name} |\n<image>"),
        )
    };
    let made = plan::import(&page("BillClose")).unwrap();
    let file = plan::read(PlanId::new("p"), &made[0].json).unwrap_or_else(|e| panic!("{e}\n{}", made[0].json));
    assert_eq!(plan::done_as_written(&file.plan.policy.done), json!([["FCloseStatus", "in", "B"]]));
    assert!(made[0].guesses.iter().any(|guess| guess.en.contains("FCloseStatus is B")), "{:?}", made[0].guesses);
    let made = plan::import(&page("ReleaseMO")).unwrap();
    assert!(plan::read(PlanId::new("p"), &made[0].json).is_err());
    let word = made[0].guesses.iter().find(|guess| guess.en.contains("ReleaseMO")).expect("a word of what to add");
    assert!(word.en.contains("skydeck") && word.en.contains("done"), "{word:?}");
}

#[test]
fn import_never_ends_well_with_a_plan_that_lint_refuses() {
    let place = Place::new(1);
    let import = |name: &str, text: &str| {
        write(&place, "page.txt", text);
        let page = place.dir.path().join("page.txt").display().to_string();
        let to = place.dir.path().join("plans").join(name).display().to_string();
        said(&place.verb(&["plan", "import", &page, "-o", &to]))
    };
    let (code, _, err) = import("good.json", PAGE);
    assert_eq!(code, 0, "{err}");
    for (name, text, words) in [
        ("undo.json", PAGE.replace("- 接口:Audit", "- 接口:UnAudit"), "takes back what was done"),
        ("half.json", PAGE.split("- 接口:Audit").next().unwrap().to_owned(), "the plan has no target"),
        ("broken.json", PAGE.replace("FDocumentStatus='B' |", "FDocumentStatus='B |"), "is not closed"),
        ("variable.json", PAGE.replace("{{LAST_SYNC_TIME dateTime}}", "{{LAST_TIME}}"), "LAST_TIME"),
    ] {
        let (code, _, err) = import(name, &text);
        assert_eq!(code, 2, "{name}: {err}");
        assert!(err.contains(words) && err.contains("the plan does not run as it is"), "{name}: {err}");
        assert_eq!(said(&place.verb(&["plan", "lint", name.trim_end_matches(".json")])).0, 2, "{name}");
    }
    let one = plan_of("SAL_OUTSTOCK", None, &json!("FDocumentStatus='B'"));
    let (code, _, err) = import("list.json", &json!([one, one]).to_string());
    assert_eq!(code, 0, "{err}");
    let made = |n| place.dir.path().join(format!("plans/list_{n}.json")).exists();
    assert!(made(1) && made(2) && !made(3), "{err}");
    let (code, _, err) = import("list.json", &json!([one, one]).to_string());
    assert_eq!((code, err.contains("list_1.json is there already")), (2, true), "{err}");
}

/// The owner of a data directory, ended with the test.
struct Owner(Child);

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(place: &Place) -> Owner {
    let mut command = Command::new(place::PROGRAM);
    command.arg("serve").args(place.options()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let owner = Owner(command.spawn().unwrap());
    place::until("the owner's socket", || place.data().join("owner.sock").exists());
    owner
}

#[test]
fn a_plan_written_or_changed_a_moment_ago_runs_as_its_file_says() {
    let place = Place::new(40);
    let _owner = serve(&place);
    let none = plan_of("SAL_OUTSTOCK", None, &json!("FBillNo='nothing has this number'"));
    write(&place, "plans/fresh.json", &none.to_string());
    let (code, _, err) = said(&place.verb(&["run", "fresh", "-y"]));
    assert_eq!(code, 0, "an owner that runs already takes it: {err}");
    assert_eq!(place.run()["found"], 0);
    let some = plan_of("SAL_OUTSTOCK", None, &json!("FDocumentStatus='B'"));
    write(&place, "plans/fresh.json", &some.to_string());
    let (code, text, err) = said(&place.verb(&["plan", "preview", "fresh", "--json"]));
    assert_eq!(code, 0, "{err}");
    let found = serde_json::from_str::<Value>(&text).unwrap()["found"].as_u64().unwrap();
    assert!(found > 0, "{text}");
    let file = place.dir.path().join("plans/fresh.json").display().to_string();
    let (_, _, err) = said(&place.verb(&["run", &file, "-y"]));
    assert_eq!(place.run()["found"], found, "by its file: {err}");
    write(&place, "plans/fresh.json", "{");
    assert_eq!(said(&place.verb(&["run", "fresh", "-y"])).0, 2);
}

#[test]
fn a_file_beside_the_plan_directory_is_previewed_whoever_holds_the_data() {
    let place = Place::new(40);
    write(&place, "draft.json", &plan_of("SAL_OUTSTOCK", None, &json!("FDocumentStatus='B'")).to_string());
    let draft = place.dir.path().join("draft.json").display().to_string();
    let preview = || {
        let (code, text, err) = said(&place.verb(&["plan", "preview", &draft, "--json"]));
        assert_eq!(code, 0, "{err}");
        let seen: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(seen["plan"], "draft");
        seen["found"].as_u64().unwrap()
    };
    let alone = preview();
    assert!(alone > 0);
    let _owner = serve(&place);
    assert_eq!(preview(), alone, "the owner need not know the file");
    let (code, _, err) = said(&place.verb(&["run", &draft, "-y"]));
    assert_eq!(code, 4, "it is not run there: {err}");
    assert!(place.audits().is_empty());
}
