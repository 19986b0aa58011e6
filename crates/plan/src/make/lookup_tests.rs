//! Look-ups in mapping tables: what is found, and what is refused.

use serde_json::{Value, json};

use super::{Bodies, Lookups, Record, looks_in, unresolved};
use crate::render::RenderContext;
use crate::{PlanFile, inspect_beside};
use skydeck_core::domain::ids::{Fid, PlanId};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::reason::Reason;

fn plan(value: &str) -> Value {
    json!({
        "source": {
            "api": "executeBillQuery", "id": "FID", "number": "FBillNo",
            "request": [
                {"field": "FID", "value": "FID"}, {"field": "FBillNo", "value": "FBillNo"}, {"field": "FNote", "value": "FNote"},
            ],
            "otherRequest": [{"field": "FormId", "value": "SAL_OUTSTOCK"}],
        },
        "target": {
            "api": "batchSave",
            "request": [
                {"field": "FBillNo", "type": "string", "value": "IN-{{FBillNo}}"},
                {"field": "FPlace", "type": "string", "value": value},
            ],
            "otherRequest": [{"field": "FormId", "value": "STK_InStock"}],
        },
        "skydeck": {"key": {"number": "FBillNo"}, "tables": {"places": "places.csv", "rates": "sub/rates.tsv"}},
    })
}

fn read(plan: &Value) -> PlanFile {
    let files = [
        (
            "places.csv".to_owned(),
            "mes,org,erp\n A-1 ,100,\"CK,01\"\nA-1,200,CK02\nO'Neil,100,CK03\n,100,\n".to_owned(),
        ),
        (
            "sub/rates.tsv".to_owned(),
            "kind\tfactor\n13%\t1.13\n40\t1234567890123456789012345678901234567890\n".to_owned(),
        ),
    ];
    inspect_beside(PlanId::new("p"), &plan.to_string(), &files.as_slice()).unwrap()
}

fn made(value: &str, note: &str) -> Result<String, String> {
    let file = read(&plan(value));
    assert!(file.blocking.is_empty(), "{:?}", file.blocking);
    let make = file.plan.target.make.as_deref().unwrap();
    let lookups = Lookups::of(make, &file.plan.source);
    let columns: Vec<String> = file.plan.source.columns.iter().map(|c| c.key.clone()).collect();
    let row = ["7", "X7", note].map(str::to_owned).to_vec();
    let plan = &file.plan;
    let bodies = Bodies::new(make, (&plan.source, &plan.target.form), RenderContext::probe(), &lookups);
    let body = bodies.of((&Fid::from(1), "N1"), &[row], &columns);
    body.map(|body| body.text).map_err(|fault| fault.to_string())
}

#[test]
fn a_look_up_gives_the_value_of_the_row_that_it_names() {
    let by_two = "_findCollection find erp from places where mes={{FNote}} org=100";
    for (value, note, wanted) in [
        (by_two, "A-1", r#""FPlace":"CK,01""#),
        ("_findCollection find erp from places where mes={{ FNote }} and org=200", " A-1", r#""FPlace":"CK02""#),
        ("_findCollection find erp from places where mes='{{FNote}}' org=100", "O'Neil", r#""FPlace":"CK03""#),
        (
            "K-_findCollection find erp from places where mes={{FNote}} org=200 _endFind-9",
            "A-1",
            r#""FPlace":"K-CK02-9""#,
        ),
        (
            "_function 2 * _findCollection find factor from rates where kind={{FNote}} _endFind",
            "13%",
            r#""FPlace":"2.26""#,
        ),
        (
            "_function CONCAT('<', '_findCollection find erp from places where mes={{FNote}} org=100 _endFind', '>')",
            "O'Neil",
            r#""FPlace":"<CK03>""#,
        ),
    ] {
        let body = made(value, note).unwrap_or_else(|e| panic!("{value}: {e}"));
        assert!(body.contains(wanted), "{value}: {body}");
    }
    // A row may say that nothing is sent: the field is left out.
    assert_eq!(made(by_two, "").unwrap(), r#"{"FBillNo":"IN-X7"}"#);
}

#[test]
fn a_row_that_is_not_there_refuses_the_record_with_field_table_and_values() {
    let by_two = "_findCollection find erp from places where mes={{FNote}} org=100";
    assert_eq!(made(by_two, "a-1").unwrap_err(), "FPlace: no row of `places` has mes=`a-1`, org=`100`: add it");
    assert_eq!(
        made("_findCollection find erp from places where mes={{FNote}} org=300", "A-1").unwrap_err(),
        "FPlace: no row of `places` has mes=`A-1`, org=`300`: add it"
    );
    // What the table gives is held to the same rules as any other value.
    let long =
        made("_function 1 * _findCollection find factor from rates where kind={{FNote}} _endFind", "40").unwrap_err();
    assert!(long.starts_with("FPlace: "), "{long}");
    let words = made("_function 1 * _findCollection find erp from places where mes={{FNote}} org=200 _endFind", "A-1");
    assert!(words.unwrap_err().contains("without quotation marks"));
}

#[test]
fn a_look_up_that_cannot_be_made_refuses_the_plan_at_its_place() {
    for (value, words) in [
        (
            "_findCollection find erp from places where mes={{FNote}}",
            "places.csv line 3: mes=`A-1` stands in line 2 already",
        ),
        ("_findCollection find erp from place where mes={{FNote}} org=1", "did you mean `places`?"),
        ("_findCollection find epr from places where mes={{FNote}} org=1", "did you mean `erp`?"),
        ("_findCollection find erp from places where mse={{FNote}} org=1", "did you mean `mes`?"),
        ("_findCollection find erp from places where mes={{FNotte}} org=1", "did you mean `FNote`?"),
        ("_findCollection find erp from places", "cannot be read"),
        ("_findCollection find erp from places where", "cannot be read"),
        ("_findCollection find erp from places where mes", "cannot be read"),
        ("_findCollection find erp from places where =1", "cannot be read"),
        ("_findCollection get erp from places where mes=1", "cannot be read"),
        ("_findCollection find erp from places where mes={{FNote}} org={{", "without `}}`"),
    ] {
        let file = read(&plan(value));
        let all: Vec<String> = file.blocking.iter().map(ToString::to_string).collect();
        assert!(all.iter().any(|said| said.contains(words)), "{value}: {all:?}");
        assert!(file.blocking.iter().all(|e| e.line > 0 && !e.in_chinese().is_empty()));
    }
    let mut unknown = plan("1");
    unknown["target"] = json!({"api": "Audit", "request": [{"field": "Ids", "value": "{{FID}}"}]});
    unknown["skydeck"] = json!({"tables": {"places": "places.csv"}});
    assert!(read(&unknown).blocking[0].to_string().contains("only for a plan that makes bills"));
    unknown["skydeck"] = json!({"tables": ["places.csv"]});
    assert!(read(&unknown).blocking[0].to_string().contains("names no mapping table"));
}

#[test]
fn a_table_is_kept_as_far_as_it_is_looked_in_and_named_by_all_that_it_says() {
    let file = read(&plan("_findCollection find erp from places where mes={{FNote}} org=100"));
    let tables = &file.plan.target.make.as_ref().unwrap().mapping.tables;
    assert_eq!(tables.len(), 1, "rates is looked in by no field");
    assert_eq!(tables[0].columns, ["mes", "org", "erp"]);
    assert_eq!(tables[0].rows[0], ["A-1", "100", "CK,01"]);
    assert!(file.notes.iter().any(|note| note.field == "skydeck.tables.rates" && note.message.contains("not used")));
    let alone = crate::inspect(PlanId::new("p"), &plan("1").to_string()).unwrap();
    assert!(alone.blocking[0].to_string().contains("without its directory"), "{:?}", alone.blocking);
}

#[test]
fn a_look_up_in_the_records_of_another_plan_gives_one_value_or_names_how_many_there_are() {
    let file = read(&plan("_findCollection find FStock.FNumber from parts where FNumber={{FNote}}"));
    assert!(file.blocking.is_empty(), "{:?}", file.blocking);
    assert_eq!(looks_in(&file.plan), [PlanId::new("parts")]);
    let make = file.plan.target.make.as_deref().unwrap();
    let mut lookups = Lookups::of(make, &file.plan.source);
    let asked = lookups.plans()[&PlanId::new("parts")].clone();
    assert_eq!(asked, ["FNumber", "FStock.FNumber"]);
    let row = |number: &str, stock: &str| vec![number.to_owned(), stock.to_owned()];
    let records: Vec<Record> = vec![
        // Two lines that agree are one; a value in two records is not, though it is the same.
        vec![row("M-1", "S1"), row("M-1", " S1 "), row("M-2", "S2")],
        vec![row("M-3", "S1"), row("M-3", "S2")],
        vec![row("M-4", "S4")],
        vec![row("M-4", "S4")],
        vec![],
    ];
    lookups.fill(&PlanId::new("parts"), &records);
    lookups.fill(&PlanId::new("another"), &records);
    let columns: Vec<String> = file.plan.source.columns.iter().map(|c| c.key.clone()).collect();
    let form = &file.plan.target.form;
    let maker = Bodies::new(make, (&file.plan.source, form), RenderContext::probe(), &lookups);
    let made = |note: &str| {
        let row = ["7", "X7", note].map(str::to_owned).to_vec();
        maker
            .of((&Fid::from(7_u64), "X7"), &[row], &columns)
            .map(|body| body.text)
            .map_err(|fault| (fault.to_string(), fault.said(true)))
    };
    assert_eq!(made("M-1").unwrap(), r#"{"FBillNo":"IN-X7","FPlace":"S1"}"#);
    for (note, en, zh) in [
        ("M-3", "FPlace: the plan `parts` collected 2 values for FNumber=`M-3`, where one is expected", "有 2 个值"),
        ("M-4", "FPlace: the plan `parts` collected 2 values for FNumber=`M-4`, where one is expected", "有 2 个值"),
        ("M-5\u{202e}", "FPlace: the plan `parts` collected no record with FNumber=`M-5⟨202E⟩`", "没有 FNumber=`M-5"),
        ("", "FPlace: the plan `parts` collected no record with FNumber=``", "没有 FNumber=``"),
    ] {
        let (said, said_zh) = made(note).unwrap_err();
        assert!(said.starts_with(en) && said_zh.contains(zh), "{said} {said_zh}");
    }
}

#[test]
fn plans_that_look_in_one_another_are_named_in_their_order() {
    let looking = |id: &str, other: &str| {
        let value = format!("_findCollection find FX from {other} where FNumber={{{{FNote}}}}");
        let mut file = read(&plan(&value));
        file.plan.id = PlanId::new(id);
        file.plan
    };
    let mut collects = looking("parts", "a");
    collects.target.make = None;
    collects.target.collects = true;
    let (a, b, own, good) = (looking("a", "b"), looking("b", "a"), looking("own", "own"), looking("good", "parts"));
    let all = [&a, &b, &own, &good, &collects];
    let others: Vec<(PlanId, Option<&Plan>)> = all.iter().map(|plan| (plan.id.clone(), Some(*plan))).collect();
    let ids = |ids: &[&str]| ids.iter().map(|id| PlanId::new(*id)).collect::<Vec<_>>();
    assert_eq!(unresolved(&a, &others), Some(Reason::LookupCircle { plans: ids(&["a", "b", "a"]) }));
    assert_eq!(unresolved(&own, &others), Some(Reason::LookupCircle { plans: ids(&["own", "own"]) }));
    assert_eq!(unresolved(&good, &others), None);
    // One that looks in a circle it is no part of is not in it.
    let beside = looking("beside", "a");
    let why = unresolved(&beside, &others);
    assert_eq!(why, Some(Reason::LookupCalls { plan: PlanId::new("beside"), other: PlanId::new("a") }));
    let lost = looking("lost", "party");
    let (plan, other) = (PlanId::new("lost"), PlanId::new("party"));
    let why = Reason::LookupUnknown { plan, other, near: Some(PlanId::new("parts")) };
    assert_eq!(unresolved(&lost, &others), Some(why));
    // What a plan that cannot be read does is told when its records are wanted.
    assert_eq!(unresolved(&lost, &[(PlanId::new("party"), None)]), None);
}
