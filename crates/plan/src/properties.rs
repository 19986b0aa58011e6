//! Properties over texts nobody wrote by hand: reading, import and lint never panic and never lose a key.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::template::Template;
use super::{import, inspect, lint, place, text, write_back};
use skydeck_core::domain::ids::PlanId;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z{}|_'\" \\\\单据]{0,12}".prop_map(Value::from),
        Just(json!("{{LAST_SYNC_TIME|datetime}}")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Keys that matter to reading, and keys that do not.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "source",
            "target",
            "skydeck",
            "api",
            "request",
            "otherRequest",
            "response",
            "field",
            "value",
            "condition",
            "done",
            "mine",
            "omissionRemedy",
            "crontab",
            "pagination",
            "pageSize",
            "children",
            "parser",
            "schedule",
            "batch",
            "logic",
        ])
        .prop_map(str::to_owned),
        "[a-z单\"\\\\.]{1,6}",
    ]
}

fn object() -> impl Strategy<Value = Value> {
    proptest::collection::vec((key(), value()), 0..8).prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
}

proptest! {
    #[test]
    fn any_object_is_inspected_and_written_back_with_keys_and_order(raw in object(), pretty in any::<bool>()) {
        let written = if pretty { serde_json::to_string_pretty(&raw).unwrap() } else { raw.to_string() };
        let mut file = inspect(PlanId::new("p"), &written).unwrap();
        prop_assert_eq!(write_back(&file), written);
        for hazard in lint(&file) {
            prop_assert!(hazard.line >= 1);
        }
        file.raw["zz_added"] = json!({"later": [1, {"x": null}]});
        let again = inspect(PlanId::new("p"), &write_back(&file)).unwrap();
        prop_assert_eq!(again.raw.to_string(), file.raw.to_string(), "unknown keys and their order survive");
    }

    #[test]
    fn the_layout_is_the_same_value(raw in value()) {
        let back: Value = serde_json::from_str(&text(&raw)).unwrap();
        prop_assert_eq!(back.to_string(), raw.to_string());
    }

    #[test]
    fn any_text_is_read_or_refused(written in "[{}\\[\\]\":,a1 \n单|\t#-]{0,60}") {
        if let Err(e) = inspect(PlanId::new("p"), &written) {
            prop_assert!(e.line >= 1 && e.column >= 1);
            prop_assert!(!e.hint().is_empty());
            prop_assert!(e.in_chinese().contains("第 "));
        }
        let _ = place::parse(&written);
    }

    #[test]
    fn any_table_is_imported_or_refused(rows in proptest::collection::vec(
        proptest::collection::vec(prop_oneof![
            proptest::sample::select(vec![
                "字段", "名称", "值", "FilterString", "FormId", "Ids", "api", "Audit", "---", "", "FID",
                "{{LAST_SYNC_TIME date}}", "接口：x", "{{", "}}", "\\|",
            ]).prop_map(str::to_owned),
            "[ -~单]{0,8}",
        ], 0..6), 0..12), tabs in any::<bool>())
    {
        let lines: Vec<String> =
            rows.iter().map(|r| if tabs { r.join("\t") } else { format!("| {} |", r.join(" | ")) }).collect();
        for imported in import(&lines.join("\n")).unwrap_or_default() {
            prop_assert!(inspect(PlanId::new("p"), &imported.json).is_ok(), "what is written can be read");
        }
    }

    #[test]
    fn the_canonical_template_is_its_own_canonical_form(written in "[a-z' {}|]{0,10}(\\{\\{(LAST_SYNC_TIME|DAYS_AGO_3)[| ](dateTime|DATE)\\}\\}[a-z']{0,5}){0,3}") {
        if let Ok(template) = Template::parse(&written) {
            let once = template.to_string();
            prop_assert_eq!(Template::parse(&once).unwrap(), template);
        }
    }
}
