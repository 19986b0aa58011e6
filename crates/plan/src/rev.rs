//! The revision of a plan: a hash over its meaning, to which approvals and runs are bound.
//!
//! Invariant: order of keys and columns, labels, names and unknown keys do not matter; anything that changes what is
//! asked, what is called, or when, gives another revision.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use skydeck_core::domain::ids::{COLLECT, PlanRev};
use skydeck_core::domain::mapping::Field;
use skydeck_core::domain::plan::{CONFIRM_EVERY, Condition, Keyed, Make, Plan, Policy};
use skydeck_core::domain::step::Verb;

use super::effect;
use super::policy::duration_text;
use super::template::canonical;

/// The revision of a plan.
pub fn of(plan: &Plan) -> PlanRev {
    let digest = Sha256::digest(sorted(&meaning(plan)).as_bytes());
    let digits = digest.iter().flat_map(|b| [b >> 4, b & 15]);
    PlanRev(digits.filter_map(|d| char::from_digit(u32::from(d), 16)).collect())
}

/// What a plan means, as a value: the base of revision, diff and `plan show --effective`.
pub fn meaning(plan: &Plan) -> Value {
    let columns: serde_json::Map<String, Value> =
        plan.source.columns.iter().map(|c| (c.key.clone(), Value::from(c.path.clone()))).collect();
    let condition = condition(plan);
    let verb = if plan.target.collects { COLLECT.to_owned() } else { call(&plan.target.verb) };
    let options = &plan.target.options;
    let mut flags: Vec<&str> = plan.target.stripped_flags.iter().map(|f| f.0.as_str()).collect();
    flags.sort_unstable();
    let policy = &plan.policy;
    let mut meaning = json!({
        "env": plan.env,
        "target_env": plan.target_env,
        "source": {
            "form": plan.source.form,
            "columns": columns,
            "filter": canonical(&plan.source.filter),
            "mark_column": plan.source.mark_column,
            "id": plan.source.id_path,
            "number": plan.source.number_path,
            "top_rows": plan.source.top_rows,
            "condition": condition,
        },
        "target": {
            "call": verb,
            "form": plan.target.form,
            "NetworkCtrl": options.network_ctrl,
            "IsVerifyProcInst": options.verify_proc_inst,
            "IgnoreInterationFlag": options.ignore_interaction,
            "CreateOrgId": options.create_org,
            "UseOrgId": options.use_org,
            "stripped_flags": flags,
        },
        "policy": {
            "page_size": policy.page_size,
            "batch": policy.batch,
            "submit": policy.submit,
            "overlap": duration_text(policy.overlap),
            "sweep_hours": policy.sweep_hours,
            "max_attempts": policy.max_attempts,
            "carry_over": policy.carry_over,
            "schedule": policy.schedule,
            "remedy": policy.remedy.as_ref().map(|r| json!({
                "cron": r.cron,
                "filter": r.filter.as_deref().map(canonical),
            })),
        },
    });
    if let (Some(make), Some(Value::Object(map))) = (&plan.target.make, meaning.get_mut("target")) {
        map.insert("make".to_owned(), made(make));
    }
    if !plan.source.origin.is_query()
        && let Some(Value::Object(map)) = meaning.get_mut("source")
    {
        map.insert("origin".to_owned(), json!(plan.source.origin));
    }
    if let Some(Value::Object(map)) = meaning.get_mut("policy") {
        map.extend(given(policy));
    }
    meaning
}

/// What a policy says only where it is given: a plan of before keeps the revision it had.
fn given(policy: &Policy) -> Map<String, Value> {
    let mut map = Map::new();
    if !policy.done.is_empty() {
        map.insert("done".to_owned(), effect::written_all(&policy.done));
    }
    if policy.confirm_every != CONFIRM_EVERY {
        map.insert("confirm_every".to_owned(), json!(policy.confirm_every));
    }
    if let Some(mine) = &policy.mine {
        map.insert("mine".to_owned(), json!(mine));
    }
    if !policy.retry_unchanged.is_probe() {
        map.insert("retry_unchanged".to_owned(), json!(policy.retry_unchanged.word()));
    }
    map
}

/// What is called.
fn call(verb: &Verb) -> String {
    match verb {
        Verb::Submit => "Submit".to_owned(),
        Verb::Audit => "Audit".to_owned(),
        Verb::Operation(name) => format!("excuteOperation {name}"),
        Verb::Save => "Save".to_owned(),
        Verb::Push => "Push".to_owned(),
        Verb::Send => "Send".to_owned(),
    }
}

/// What a plan makes. The order of its fields is the order in which the ERP takes them.
fn made(make: &Make) -> Value {
    let then: Vec<&str> = make.then.iter().map(|step| step.word()).collect();
    let mut made = json!({
        "fields": make.mapping.fields.iter().map(field).collect::<Vec<_>>(),
        "tables": make.mapping.tables.iter().map(|table| json!([table.name, table.hash])).collect::<Vec<_>>(),
        "key": make.key,
        "unique": make.keyed == Keyed::Unique,
        "then": then,
        "compare": make.compare,
        "probe": make.probe,
    });
    if let (Some(push), Value::Object(map)) = (&make.push, &mut made) {
        map.insert("push".to_owned(), json!(push));
    }
    if let (Some(send), Value::Object(map)) = (&make.send, &mut made) {
        map.insert("send".to_owned(), json!(send));
    }
    made
}

fn field(field: &Field) -> Value {
    json!({
        "name": field.name,
        "kind": field.kind,
        "value": field.value,
        "default": field.default,
        "parser": field.parser,
        "required": field.required,
        "children": field.children.iter().map(self::field).collect::<Vec<_>>(),
    })
}

/// The conditions in an order of their own: that of the file means nothing.
fn condition(plan: &Plan) -> Vec<Vec<String>> {
    let group = |group: &Vec<Condition>| {
        let mut all: Vec<String> =
            group.iter().map(|c| format!("{} {} {}", c.field, word(c.logic), json!(c.value))).collect();
        all.sort();
        all.dedup();
        all
    };
    let mut groups: Vec<Vec<String>> = plan.source.condition.iter().map(group).collect();
    groups.sort();
    groups.dedup();
    groups
}

fn word(logic: skydeck_core::domain::plan::Logic) -> String {
    format!("{logic:?}").to_lowercase()
}

/// JSON with the keys of every object in order.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let inner: Vec<String> =
                keys.iter().map(|k| format!("{}:{}", json!(k), sorted(map.get(*k).unwrap_or(&Value::Null)))).collect();
            format!("{{{}}}", inner.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}
