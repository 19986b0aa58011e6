//! Plans for people: render table, effective values, diff, new, write-back, import's refusals.
use serde_json::json;

use skydeck::domain::ids::{EnvId, FormId, PlanId};
use skydeck::domain::step::Verb;
use skydeck::domain::time::ErpDate;
use skydeck::plan::lint::{Severity, urgent};
use skydeck::plan::render::{self, RenderContext};
use skydeck::plan::{self, PlanFile};

const SEED: &str = include_str!("../../plans/sal_outstock_audit.json");
const INSTOCK: &str = include_str!("../../plans/stk_instock_submit_audit.json");

fn read(text: &str) -> PlanFile {
    plan::read(PlanId::new("p"), text).unwrap()
}

fn context() -> RenderContext {
    RenderContext {
        last_sync: ErpDate::parse("2025-03-01"),
        now: "2025-06-15T12:30:00".parse().unwrap(),
        zone_minutes: 480,
        page_size: 1000,
        open: false,
    }
}

#[test]
fn the_seed_renders_template_beside_value() {
    let rows = render::table(&read(SEED), &context()).unwrap();
    let row = |field: &str| {
        let r = rows.iter().find(|r| r.field == field).unwrap_or_else(|| panic!("{field}"));
        (r.template.as_str(), r.value.as_deref())
    };
    let tail = "and FDOCUMENTSTATUS<>'C' and FBillTypeID.fnumber='XSCKD07_SYS'";
    assert_eq!(
        row("source.FilterString"),
        (
            format!("FCreateDate>='{{{{LAST_SYNC_TIME|dateTime}}}}' {tail}").as_str(),
            Some(format!("FCreateDate>='2025-03-01 00:00:00' {tail}").as_str())
        )
    );
    assert_eq!(row("source.Limit"), ("{{PAGINATION_PAGE_SIZE}}", Some("1000")));
    assert_eq!(row("source.StartRow"), ("{{PAGINATION_START_ROW}}", Some("0")));
    assert_eq!(
        row("source.FieldKeys"),
        (
            "",
            Some(
                "FBillTypeID.FNumber,FID,FBillNo,FDate,FSaleOrgId.FNumber,FCustomerID.FNumber,FStockOrgId.FNumber,FApproveDate"
            )
        )
    );
    assert_eq!(row("source.column.FCustomerID_FNumber"), ("FCustomerID.FNumber", Some("FCustomerID.FNumber")));
    assert_eq!(row("target.Ids"), ("", Some("<FID>")));
    assert_eq!(row("target.InterationFlags"), ("", None));
    assert_eq!(row("target.NetworkCtrl"), ("", None));
}

#[test]
fn the_compensation_has_its_own_filter() {
    let file = read(include_str!("../golden/plans/condition_and_remedy.json"));
    assert_eq!(file.plan.policy.remedy.as_ref().unwrap().cron, "0 0 4 * * ?");
    assert_eq!(
        render::remedy_filter(&file.plan, &context()).unwrap().unwrap(),
        "FModifyDate>='2025-06-13 12:30:00' and FModifyDate<'2025-06-15 12:30:00'"
    );
    assert_eq!(render::remedy_filter(&read(SEED).plan, &context()).unwrap(), None);
}

#[test]
fn effective_values_show_the_defaults() {
    let value = plan::effective(&read(SEED).plan);
    for (pointer, want) in [
        ("/policy/batch", json!(1)),
        ("/policy/page_size", json!(1000)),
        ("/policy/overlap", json!("10m")),
        ("/policy/submit", json!(false)),
        ("/source/form", json!("SAL_OUTSTOCK")),
        ("/source/columns/FCustomerID_FNumber", json!("FCustomerID.FNumber")),
        ("/target/call", json!("Audit")),
        ("/target/IsVerifyProcInst", json!(null)),
        ("/labels/FApproveDate", json!("审核时间")),
    ] {
        assert_eq!(value.pointer(pointer), Some(&want), "{pointer}");
    }
}

#[test]
fn a_difference_is_one_of_meaning() {
    let old = read(SEED);
    assert_eq!(plan::diff(&old, &read(&SEED.replace("\"label\": \"客户\"", "\"label\": \"客户编码\""))), []);
    let mended = SEED
        .replace("FCreateDate>=", "FModifyDate>=")
        .replace("{\"field\": \"FDate\", \"label\": \"日期\", \"type\": \"string\", \"value\": \"FDate\"},", "");
    let new = read(&mended);
    let changes = plan::diff(&old, &new);
    let fields: Vec<&str> = changes.iter().map(|c| c.field.as_str()).collect();
    assert_eq!(fields, ["source.columns.FDate", "source.filter", "source.mark_column"]);
    assert_eq!((changes[0].before.clone(), changes[0].after.clone()), (Some(json!("FDate")), None));
    assert_ne!(old.plan.rev, new.plan.rev);
}

#[test]
fn new_plans_run_and_lint_without_a_warning() {
    let env = EnvId::new("demo");
    for (form, verb, submit, in_env) in [
        ("STK_InStock", Verb::Audit, false, None),
        ("STK_InStock", Verb::Audit, true, Some(&env)),
        ("SAL_OUTSTOCK", Verb::Submit, false, Some(&env)),
        ("PUR_PurchaseOrder", Verb::Operation("BillClose".into()), false, None),
    ] {
        let text = plan::new_plan(&FormId::new(form), in_env, &verb, submit);
        let file = read(&text);
        assert_eq!((file.plan.source.form.as_str(), &file.plan.target.verb), (form, &verb));
        assert_eq!(file.plan.policy.submit, submit);
        assert_eq!(file.plan.env.as_ref(), in_env);
        let hazards = plan::lint(&file);
        assert_eq!(urgent(&hazards), 0, "{form} {verb:?}: {hazards:?}");
        assert_eq!(plan::write_back(&file), text);
    }
}

#[test]
fn a_file_is_written_back_as_it_was_or_with_its_keys_in_order() {
    for text in [SEED, INSTOCK] {
        let mut file = read(text);
        assert_eq!(plan::write_back(&file), text, "byte for byte");
        file.raw["skydeck"]["batch"] = json!(5);
        file.raw["buildModel"] = json!({"b": 1, "a": 2});
        let again = read(&plan::write_back(&file));
        assert_eq!(again.plan.policy.batch, 5);
        assert_eq!(again.raw.to_string(), file.raw.to_string());
    }
}

#[test]
fn lint_counts_what_asks_for_somebody() {
    let hazards = plan::lint(&read(SEED));
    let numbers: Vec<u8> = hazards.iter().map(|h| h.number).collect();
    for wanted in [1, 2, 3, 4, 7, 8, 9, 11] {
        assert!(numbers.contains(&wanted), "hazard {wanted}: {numbers:?}");
    }
    assert_eq!(urgent(&hazards), 2, "1 and 2 of the seed are for its owner; the rest Skydeck deals with");
    let filter_line = SEED.lines().position(|l| l.contains("FilterString")).unwrap() + 1;
    for h in hazards.iter().filter(|h| h.severity == Severity::Warning) {
        assert_eq!(h.line, filter_line);
        assert!(h.mend.is_some());
    }
    assert_eq!(urgent(&plan::lint(&read(INSTOCK))), 0);
}

#[test]
fn import_says_why_it_cannot() {
    for (text, word) in [
        ("", "no table"),
        ("just words", "no table"),
        (SEED, "JSON already"),
        ("| 字段 | 值 |\n|--|--|\n| Ids | {{FID}} |", "no table of a bill query"),
    ] {
        let e = plan::import(text).unwrap_err();
        assert!(e.to_string().contains(word), "{e}");
        assert!(!e.en.is_empty() && !e.zh.is_empty());
    }
}
