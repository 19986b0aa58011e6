//! The source of a plan whose records are handed in: nothing is asked, so it says only what stands where in a record.
//!
//! Invariant: what would shape a query is refused here, because nothing would obey it.

use super::{SourceRead, nothing};
use crate::policy::PolicyRead;
use crate::problem::Problem;
use crate::problem::handed_in::HandedInProblem;
use crate::reading::{Findings, text_at};
use crate::record::MOST_ID;
use crate::vendor::{Entry, List, Side};
use serde_json::Value;
use skydeck_core::domain::ids::FormId;
use skydeck_core::domain::plan::{Column, Origin, Target};
use skydeck_core::domain::step::Verb;

/// Keys of `skydeck` that shape a query, or the environment it is asked in.
const OF_QUERIES: [&str; 5] = ["target_env", "id", "number", "overlap", "sweep_hours"];

/// A path through JSON: names between dots, in any script.
pub(super) fn is_json_path(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MOST_ID
        && text
            .split('.')
            .all(|name| !name.is_empty() && !name.chars().any(|c| c.is_control() || "{}\"'[]".contains(c)))
}

/// Reads the source of a plan whose records are handed in under a name.
pub(super) fn read(side: &Side<'_>, name: &str, policy: &PolicyRead, findings: &mut Findings) -> SourceRead {
    let mut out = nothing();
    out.source.origin = Origin::HandedIn;
    out.source.form = FormId::new(name);
    for entry in side.asked.iter().filter(|entry| entry.list == List::OtherRequest && entry.value.is_some()) {
        findings.refuse(entry.at.clone(), HandedInProblem::Control { field: entry.field.clone() });
    }
    for key in ["omissionRemedy", "pagination", "crontab"] {
        if side.raw.get(key).is_some_and(|value| !value.is_null()) {
            findings.refuse(side.path(key), HandedInProblem::Control { field: key.to_owned() });
        }
    }
    out.source.columns = columns(side, policy, findings);
    let id = text_at(side.raw.get("id")).unwrap_or_default();
    if is_json_path(&id) {
        (out.source.id_path, out.source.number_path) = (id.clone(), id);
    } else {
        findings.refuse(side.path("id"), HandedInProblem::NoId);
    }
    if let Some(number) = text_at(side.raw.get("number")).filter(|number| *number != out.source.id_path) {
        findings.refuse(side.path("number"), HandedInProblem::Number { number, id: out.source.id_path.clone() });
    }
    out.source.condition = super::condition::condition(side, &out.source.columns, findings);
    out
}

/// The columns: paths of a record's JSON.
pub(super) fn columns(side: &Side<'_>, policy: &PolicyRead, findings: &mut Findings) -> Vec<Column> {
    let mut out: Vec<Column> = Vec::new();
    let asked: Vec<&Entry> =
        side.asked.iter().filter(|entry| entry.list == List::Request && !entry.container).collect();
    if asked.is_empty() {
        findings.refuse(side.path("request"), HandedInProblem::NoColumns);
    }
    for entry in asked {
        if let Some(parser) = &entry.parser {
            findings.refuse(entry.at.clone(), Problem::Parser { parser: parser.clone(), field: entry.field.clone() });
        }
        let path = entry.text().unwrap_or_else(|| entry.field.clone());
        if !is_json_path(&path) {
            findings.refuse(entry.at.clone(), Problem::NoPath { path });
            continue;
        }
        if let Some(other) = out.iter().find(|column| column.key == entry.field) {
            let (key, one) = (entry.field.clone(), other.path.clone());
            findings.refuse(entry.at.clone(), Problem::ColumnTwice { key, one, other: path });
            continue;
        }
        let label = policy.labels.get(&entry.field).unwrap_or(&entry.label).clone();
        out.push(Column { key: entry.field.clone(), path, label });
    }
    out
}

/// Refuses what a plan cannot do with records that are handed in: it makes something of them, or keeps them.
pub(crate) fn check(target: &Target, policy: &PolicyRead, findings: &mut Findings) {
    let acts = !target.collects && (target.make.is_none() || target.verb == Verb::Push);
    if acts {
        findings.refuse("target", HandedInProblem::Acts);
    }
    for key in OF_QUERIES.into_iter().filter(|key| policy.given.contains(*key)) {
        findings.refuse(format!("skydeck.{key}"), HandedInProblem::Control { field: key.to_owned() });
    }
}

/// The name of `skydeck.take`: `{"record": "wms_order"}`.
pub(crate) fn name_of(value: &Value) -> Option<String> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    let name = map.get("record")?.as_str()?.trim();
    super::is_name(name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::reading::inspect;
    use skydeck_core::domain::ids::PlanId;

    fn plan() -> Value {
        json!({
            "source": {"id": "订单.no", "request": [
                {"field": "no", "value": "订单.no"}, {"field": "sku", "label": "物料", "value": "lines.sku-code"},
                {"field": "date"},
            ]},
            "target": {"api": "save", "request": [{"field": "FBillNo", "type": "string", "value": "{{no}}"}],
                "otherRequest": [{"field": "FormId", "value": "STK_InStock"}]},
            "skydeck": {"take": {"record": "wms_in"}, "key": {"number": "FBillNo", "unique": true}},
        })
    }

    fn refused(change: impl Fn(&mut Value)) -> Vec<(String, Problem)> {
        let mut plan = plan();
        change(&mut plan);
        let file = inspect(PlanId::new("p"), &plan.to_string()).unwrap();
        file.blocking.into_iter().map(|error| (error.field, error.problem)).collect()
    }

    #[test]
    fn a_plan_whose_records_are_handed_in_names_their_fields_in_any_script() {
        let file = inspect(PlanId::new("p"), &plan().to_string()).unwrap();
        assert!(file.blocking.is_empty(), "{:?}", file.blocking);
        let source = &file.plan.source;
        assert_eq!((&source.origin, source.form.as_str()), (&Origin::HandedIn, "wms_in"));
        assert_eq!((source.id_path.as_str(), source.number_path.as_str()), ("订单.no", "订单.no"));
        let paths: Vec<&str> = source.columns.iter().map(|column| column.path.as_str()).collect();
        assert_eq!(paths, ["订单.no", "lines.sku-code", "date"]);
    }

    #[test]
    fn what_would_shape_a_query_is_refused_where_it_stands() {
        let control = |field: &str| Problem::HandedIn(HandedInProblem::Control { field: field.to_owned() });
        let at = |field: &str, problem| vec![(field.to_owned(), problem)];
        let filter = json!([{"field": "FilterString", "value": "FID>0"}]);
        assert_eq!(
            refused(|plan| plan["source"]["otherRequest"] = filter.clone()),
            at("source.otherRequest[0].value", control("FilterString"))
        );
        assert_eq!(
            refused(|plan| plan["skydeck"]["overlap"] = json!("10m")),
            at("skydeck.overlap", control("overlap"))
        );
        assert_eq!(
            refused(|plan| plan["source"]["pagination"] = json!({"pageSize": 10})),
            at("source.pagination", control("pagination"))
        );
        let without =
            |key: &'static str| move |plan: &mut Value| drop(plan["source"].as_object_mut().unwrap().remove(key));
        assert_eq!(refused(without("id")), at("source.id", Problem::HandedIn(HandedInProblem::NoId)));
        let number = HandedInProblem::Number { number: "date".into(), id: "订单.no".into() };
        assert_eq!(
            refused(|plan| plan["source"]["number"] = json!("date")),
            at("source.number", Problem::HandedIn(number))
        );
        for shape in [json!("wms"), json!({"record": "a b"}), json!({"record": "a", "more": 1}), json!(null)] {
            let found = refused(|plan| plan["skydeck"]["take"] = shape.clone());
            // Without it the plan is read as one that queries, and lacks what such a plan has: that is said, too.
            let is_shape = |problem: &Problem| matches!(problem, Problem::HandedIn(HandedInProblem::Shape { .. }));
            assert!(found.iter().any(|(at, problem)| at == "skydeck.take" && is_shape(problem)), "{found:?}");
        }
    }

    #[test]
    fn records_that_are_handed_in_are_made_into_something_or_kept_and_never_acted_on() {
        let audit = json!({"api": "Audit", "request": [], "otherRequest": []});
        let acts = |found: Vec<(String, Problem)>| {
            found.iter().any(|(_, problem)| *problem == Problem::HandedIn(HandedInProblem::Acts))
        };
        assert!(acts(refused(|plan| {
            plan["target"] = audit.clone();
            drop(plan["skydeck"].as_object_mut().unwrap().remove("key"));
        })));
        assert!(
            refused(|plan| {
                drop(plan.as_object_mut().unwrap().remove("target"));
                plan["skydeck"] = json!({"take": {"record": "customer"}, "collect": true});
            })
            .is_empty()
        );
    }
}
