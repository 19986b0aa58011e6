//! The JSON Schema of a plan file: strict for the `skydeck` object, open for the vendor's keys.
//!
//! Invariant: it names exactly the keys that reading knows (a test compares them).

use serde_json::{Value, json};

use super::policy::{DEFAULT_ZONE, MAX_ATTEMPTS, MAX_BATCH, MAX_SWEEP_HOURS};
use super::source::MAX_PAGE;
use crate::domain::plan::Policy;

/// The schema, draft 2020-12.
pub fn schema() -> Value {
    let default = Policy::default();
    let entries = json!({"type": "array", "items": {"$ref": "#/$defs/entry"}});
    let path = json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*$"});
    let described = |mut base: Value, text: &str| {
        if let Value::Object(map) = &mut base {
            map.insert("description".to_owned(), json!(text));
        }
        base
    };
    let policy = json!({
        "type": "object",
        "description": "Policy that the vendor's form does not hold.",
        "additionalProperties": false,
        "properties": {
            "env": {"type": "string", "minLength": 1, "description": "Environment the plan runs in; absent: the default one."},
            "target_env": {"type": "string", "minLength": 1, "description": "Environment the target is called in, when it is another."},
            "page_size": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": default.page_size, "description": "Rows a page."},
            "batch": {"type": "integer", "minimum": 1, "maximum": MAX_BATCH, "default": default.batch, "description": "Bills a call. A call whose answer is lost leaves all of them unknown."},
            "submit": {"type": "boolean", "default": default.submit, "description": "Submit bills that are not submitted before the audit."},
            "overlap": {"type": "string", "pattern": "^(0|([0-9]+[smhd])+)$", "default": "10m", "description": "How far below the mark each query reads again."},
            "sweep_hours": {"type": "integer", "minimum": 0, "maximum": MAX_SWEEP_HOURS, "default": default.sweep_hours, "description": "Hours between sweeps without the mark; 0: every run is one."},
            "max_attempts": {"type": "integer", "minimum": 0, "maximum": MAX_ATTEMPTS, "default": default.max_attempts, "description": "Automatic repeats of a passing refusal."},
            "carry_over": {"type": "boolean", "default": default.carry_over, "description": "Take unresolved bills of earlier runs into each fresh one."},
            "schedule": {
                "type": "object",
                "description": "When the plan runs by itself.",
                "additionalProperties": false,
                "required": ["cron"],
                "properties": {
                    "cron": {"type": "string", "description": "Five fields (minute first) or six (second first); L and W are known."},
                    "zone": {"type": "string", "default": DEFAULT_ZONE, "description": "IANA time zone."},
                    "missed": {"enum": ["skip", "once", "all"], "default": "skip", "description": "What to do about runs missed during downtime."},
                    "approve": {"enum": ["person", "schedule"], "default": "person", "description": "Who approves what a scheduled run collected; in production always a person."},
                    "production": {"type": "boolean", "default": false, "description": "On in a production environment, too."},
                },
            },
            "labels": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Column key to label for people."},
            "id": described(path.clone(), "Path of the bill's internal id, where the source's own `id` is not it."),
            "number": described(path, "Path of the bill's number."),
        },
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Skydeck plan",
        "type": "object",
        "properties": {
            "source": {"$ref": "#/$defs/source"},
            "target": {"$ref": "#/$defs/target"},
            "skydeck": policy,
        },
        "required": ["source", "target"],
        "$defs": {
            "entry": {
                "type": "object",
                "required": ["field"],
                "properties": {
                    "field": {"type": "string"},
                    "label": {"type": ["string", "null"]},
                    "type": {"type": "string"},
                    "value": {},
                    "default": {},
                    "parser": {"type": ["object", "null"], "properties": {"name": {"type": "string"}, "params": {}}},
                    "children": entries.clone(),
                },
            },
            "source": {
                "type": "object",
                "required": ["api"],
                "properties": {
                    "api": {"type": "string", "pattern": "^[eE]xecuteBillQuery$"},
                    "request": entries.clone(),
                    "otherRequest": entries.clone(),
                    "response": entries.clone(),
                    "pagination": {"type": "object", "properties": {"pageSize": {"type": ["integer", "string"]}}},
                    "condition": {"type": "array", "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/comparison"}}},
                    "omissionRemedy": {"type": ["object", "null"], "required": ["crontab"]},
                },
            },
            "target": {
                "type": "object",
                "required": ["api"],
                "properties": {"api": {"enum": ["Audit", "Submit", "excuteOperation"]}, "request": entries},
            },
            "comparison": {
                "type": "object",
                "required": ["field", "logic"],
                "properties": {
                    "field": {"type": "string"},
                    "logic": {"enum": ["eq", "neq", "gt", "egt", "lt", "elt", "like", "notlike", "between", "notnull", "isnull"]},
                    "value": {},
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::policy::{KEYS, SCHEDULE_KEYS};
    use super::*;

    #[test]
    fn schema_and_reader_know_the_same_keys() {
        let schema = schema();
        for (pointer, known) in [
            ("/properties/skydeck/properties", KEYS.to_vec()),
            ("/properties/skydeck/properties/schedule/properties", SCHEDULE_KEYS.to_vec()),
        ] {
            let keys: Vec<&str> =
                schema.pointer(pointer).unwrap().as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys, known, "{pointer}");
        }
    }
}
