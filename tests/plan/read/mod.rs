//! Reading plan files: the seed's plan, every printed variant, and what is refused with its place.

mod meant;
mod refused;

use serde_json::{Value, json};
use skydeck::domain::ids::PlanId;
use skydeck::plan::{self, PlanError, PlanFile};

fn read(text: &str) -> Result<PlanFile, PlanError> {
    plan::read(PlanId::new("p"), text)
}

/// A minimal plan that can run, as a value to bend.
fn base() -> Value {
    json!({
        "source": {
            "api": "executeBillQuery",
            "request": [
                {"field": "FID", "value": "FID"},
                {"field": "FBillNo", "value": "FBillNo"},
                {"field": "FDocumentStatus", "value": "FDocumentStatus"},
                {"field": "FAmount", "value": "FBillAllAmount"},
            ],
            "otherRequest": [
                {"field": "FormId", "value": "SAL_OUTSTOCK"},
                {"field": "FilterString", "value": "FModifyDate>='{{LAST_SYNC_TIME|datetime}}' and FDocumentStatus='B'"},
            ],
        },
        "target": {"api": "Audit", "request": [{"field": "FormId", "value": "SAL_OUTSTOCK"}]},
    })
}

/// `base()` with values put at JSON pointers; `null` takes a key out, `-` at the end appends.
fn bent(changes: &[(&str, Value)]) -> String {
    let mut plan = base();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match plan.pointer_mut(parent).unwrap_or_else(|| panic!("{parent}")) {
            Value::Object(map) if value.is_null() => drop(map.shift_remove(key)),
            Value::Object(map) => drop(map.insert(key.to_owned(), value.clone())),
            Value::Array(items) if key == "-" => items.push(value.clone()),
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("{parent}"),
        }
    }
    serde_json::to_string_pretty(&plan).unwrap()
}

fn filter_is(text: &str) -> (&'static str, Value) {
    ("/source/otherRequest/1/value", json!(text))
}

#[expect(clippy::needless_pass_by_value, reason = "reads well beside json!(…) in the tables below")]
fn target_field(field: &str, value: Value) -> (&'static str, Value) {
    ("/target/request/-", json!({"field": field, "value": value}))
}

/// `a.b[3].c` → `/a/b/3/c`.
fn pointer(field: &str) -> String {
    format!("/{}", field.replace('[', "/").replace(']', "").replace('.', "/"))
}
