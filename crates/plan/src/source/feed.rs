//! The source of a plan whose records another system lists: what is asked for a page, what an answer shows, how it goes on.
//!
//! Invariant: a list is read only where the plan says what an answer has to say, where its records stand, and which field of a
//! record is its id; a request that would show the first page again and again is refused here.

use serde_json::Value;

use super::handed_in::{columns, is_json_path};
use super::{SourceRead, nothing};
use crate::make::send::parts::{checks, method, number, object, path, text, url_path};
use crate::make::send::{REQUEST, RequestPolicy, absent_statuses};
use crate::policy::PolicyRead;
use crate::problem::feed::FeedProblem as P;
use crate::problem::send::SendProblem;
use crate::reading::{Findings, text_at};
use crate::render::feed::{asks_since, holes};
use crate::vendor::{List, Side};
use skydeck_core::domain::feed::{Feed, Paging, Single, Turn};
use skydeck_core::domain::ids::FormId;
use skydeck_core::domain::plan::{Origin, Target};
use skydeck_core::domain::sending::{Check, Request};
use skydeck_core::domain::step::Verb;

/// Keys of `skydeck` that shape a query of Kingdee's.
const OF_QUERIES: [&str; 4] = ["id", "number", "page_size", "take"];
/// Records of a page where nothing else is said.
const USUAL_PAGE: u32 = 50;
/// Pages of one reading where nothing else is said.
const USUAL_PAGES: u32 = 200;

/// What `skydeck.list` says.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListPolicy {
    record: Option<String>,
    request: RequestPolicy,
    ok: Option<Vec<Check>>,
    said: Option<String>,
    rows: Option<String>,
    mark: Option<String>,
    pages: Option<Paging>,
    /// The size of a page stands in the file.
    sized: bool,
    one: Option<OnePolicy>,
}

/// What it says of one record.
#[derive(Clone, Debug, Default)]
struct OnePolicy {
    request: RequestPolicy,
    rows: Option<String>,
    absent: Vec<Check>,
    absent_status: Vec<u16>,
}

const KEYS: [&str; 13] =
    ["method", "path", "query", "headers", "body", "as", "record", "ok", "said", "rows", "mark", "pages", "one"];
const PAGES: [&str; 8] = ["by", "first", "size", "most", "more", "total", "next", "start"];
const ONE: [&str; 9] = ["method", "path", "query", "headers", "body", "as", "rows", "absent", "absent_status"];
const EXAMPLE: &str =
    "\"list\": {\"record\": \"order\", \"ok\": [[\"code\", \"eq\", \"0\"]], \"rows\": \"$.data.list\"}";
const OF_PAGES: &str = "\"pages\": {\"by\": \"page\", \"size\": 50, \"more\": \"$.data.has_next\"}";
const OF_ONE: &str = "\"one\": {\"path\": \"/orders/{{key}}\", \"rows\": \"$.data\"}";

/// Reads `skydeck.list`.
pub(crate) fn policy(value: &Value, at: &str, findings: &mut Findings) -> Option<ListPolicy> {
    let mut out = ListPolicy::default();
    for (key, value) in object(value, (at, &KEYS, EXAMPLE), findings)? {
        let at = format!("{at}.{key}");
        match key.as_str() {
            "record" => match text(value).filter(|name| super::is_name(name)) {
                Some(name) => out.record = Some(name),
                None => findings
                    .refuse(at, SendProblem::Shape { value: value.to_string(), example: "\"record\": \"order\"" }),
            },
            "ok" => out.ok = checks(value, &at, findings),
            "said" => out.said = path(value, &at, findings),
            "rows" => out.rows = path(value, &at, findings),
            "mark" => match text(value).filter(|path| is_json_path(path)) {
                Some(path) => out.mark = Some(path),
                None => findings.refuse(at, P::MarkPath { value: value.to_string() }),
            },
            "pages" => {
                out.sized = value.get("size").is_some();
                out.pages = pages(value, &at, findings);
            }
            "one" => out.one = one(value, &at, findings),
            other => {
                let _known = REQUEST.contains(&other) && out.request.take(other, value, &at, findings);
            }
        }
    }
    Some(out)
}

fn pages(value: &Value, at: &str, findings: &mut Findings) -> Option<Paging> {
    let map = object(value, (at, &PAGES, OF_PAGES), findings)?;
    let whole = |key: &str, usual: u32, bounds: (u32, u32), findings: &mut Findings| match map.get(key) {
        None => Some(usual),
        Some(value) => number(value, bounds, &format!("{at}.{key}"), findings),
    };
    let place = |key: &str, findings: &mut Findings| {
        map.get(key).and_then(|value| path(value, &format!("{at}.{key}"), findings))
    };
    let (by, strays): (Turn, &[&str]) = match map.get("by").and_then(Value::as_str) {
        Some("page") => (Turn::Page { first: whole("first", 1, (0, 1), findings)? }, &["next", "start"]),
        Some("offset") => (Turn::Offset, &["first", "next", "start"]),
        Some("cursor") => {
            if !map.contains_key("next") {
                findings.refuse(at, P::Missing { key: "pages.next", example: "\"next\": \"$.data.next_cursor\"" });
            }
            let start = map.get("start").and_then(Value::as_str).map(str::to_owned);
            (Turn::Cursor { next: place("next", findings).unwrap_or_default(), start }, &["first", "total"])
        }
        Some(_) | None => {
            let value = map.get("by").map_or_else(|| "pages without \"by\"".to_owned(), Value::to_string);
            findings.refuse(format!("{at}.by"), P::By { value });
            return None;
        }
    };
    for key in strays.iter().filter(|key| map.contains_key(**key)) {
        findings.refuse(format!("{at}.{key}"), P::NotOfTurn { key: (*key).to_owned(), by: word(&by) });
    }
    Some(Paging {
        size: whole("size", USUAL_PAGE, (1, 2000), findings)?,
        most: whole("most", USUAL_PAGES, (1, 10_000), findings)?,
        more: place("more", findings),
        total: place("total", findings),
        by,
    })
}

/// How pages are turned, in a word.
fn word(by: &Turn) -> &'static str {
    match by {
        Turn::Page { .. } => "page",
        Turn::Offset => "offset",
        Turn::Cursor { .. } => "cursor",
    }
}

fn one(value: &Value, at: &str, findings: &mut Findings) -> Option<OnePolicy> {
    let mut out = OnePolicy::default();
    for (key, value) in object(value, (at, &ONE, OF_ONE), findings)? {
        let at = format!("{at}.{key}");
        match key.as_str() {
            "rows" => out.rows = path(value, &at, findings),
            "absent" => out.absent = checks(value, &at, findings).unwrap_or_default(),
            "absent_status" => out.absent_status = absent_statuses(value, &at, findings),
            other => {
                let _known = REQUEST.contains(&other) && out.request.take(other, value, &at, findings);
            }
        }
    }
    Some(out)
}

/// Reads the source of a plan whose records are listed.
pub(super) fn read(side: &Side<'_>, list: &ListPolicy, policy: &PolicyRead, findings: &mut Findings) -> SourceRead {
    let mut out = nothing();
    for entry in side.asked.iter().filter(|entry| entry.list == List::OtherRequest && entry.value.is_some()) {
        findings.refuse(entry.at.clone(), P::Control { field: entry.field.clone() });
    }
    if side.raw.get("omissionRemedy").is_some_and(|value| !value.is_null()) {
        findings.refuse(side.path("omissionRemedy"), P::Control { field: "omissionRemedy".to_owned() });
    }
    out.source.columns = columns(side, policy, findings);
    let id = text_at(side.raw.get("id")).unwrap_or_default();
    if is_json_path(&id) {
        (out.source.id_path, out.source.number_path) = (id.clone(), id);
    } else {
        findings.refuse(side.path("id"), P::Missing { key: "id", example: "\"id\": \"so_id\" in source" });
    }
    if let Some(number) = text_at(side.raw.get("number")).filter(|number| *number != out.source.id_path) {
        findings.refuse(side.path("number"), P::Number { number, id: out.source.id_path.clone() });
    }
    out.source.condition = super::condition::condition(side, &out.source.columns, findings);
    if list.record.is_none() {
        findings.refuse("skydeck.list", P::Missing { key: "record", example: "\"record\": \"order\"" });
    }
    out.source.form = FormId::new(list.record.clone().unwrap_or_default());
    out.source.mark_column.clone_from(&list.mark);
    out.source.origin = Origin::List(Box::new(feed(side, list, findings)));
    out
}

fn feed(side: &Side<'_>, list: &ListPolicy, findings: &mut Findings) -> Feed {
    for (key, given, example) in [
        ("ok", list.ok.is_some(), "\"ok\": [[\"code\", \"eq\", \"0\"]]"),
        ("rows", list.rows.is_some(), "\"rows\": \"$.data.list\""),
    ] {
        if !given {
            findings.refuse("skydeck.list", P::Missing { key, example });
        }
    }
    let api = side.api.clone().unwrap_or_default();
    let path = list.request.path.clone().or_else(|| url_path(&api, &side.path("api"), findings)).unwrap_or_default();
    let written = text_at(side.raw.get("method"));
    let written = written.and_then(|written| method(&written, &side.path("method"), findings));
    let method = list.request.method.clone().or(written).unwrap_or_else(|| "GET".to_owned());
    let request = request(&list.request, method, path, "skydeck.list", findings);
    let mut pages = list.pages.clone();
    let given = side.raw.get("pagination").and_then(|p| p.get("pageSize"));
    if let (Some(pages), Some(size), false) = (&mut pages, given, list.sized) {
        pages.size = number(size, (1, 2000), &side.path("pagination.pageSize"), findings).unwrap_or(pages.size);
    }
    turns(&request, pages.as_ref(), findings);
    notes(&request, list, findings);
    let rows = list.rows.clone().unwrap_or_default();
    let one = list.one.as_ref().map(|one| single(one, (&request, &rows), findings));
    Feed { request, ok: list.ok.clone().unwrap_or_default(), said: list.said.clone(), rows, pages, one }
}

fn request(given: &RequestPolicy, method: String, path: String, at: &str, findings: &mut Findings) -> Request {
    let RequestPolicy { query, headers, body, form, .. } = given.clone();
    if method == "GET" && body.is_some() {
        findings.refuse(format!("{at}.body"), SendProblem::GetWithBody);
    }
    Request { method, path, query, headers, body, form }
}

/// Refuses holes that nothing fills, and pages that nothing turns.
fn turns(request: &Request, pages: Option<&Paging>, findings: &mut Findings) {
    let turn = pages.map(|pages| word(&pages.by));
    let known =
        [turn, turn.and(Some("size")), Some("LAST_SYNC_TIME|datetime"), Some("CURRENT_TIME"), Some("DAYS_AGO_1")];
    let known = || known.iter().flatten().map(|hole| format!("{{{{{hole}}}}}")).collect::<Vec<_>>().join(", ");
    let found = match holes(request) {
        Ok(found) => found,
        Err(name) => return findings.refuse("skydeck.list", P::Hole { name, known: known() }),
    };
    for name in found.iter().filter(|hole| !(Some(**hole) == turn || (**hole == "size" && turn.is_some()))) {
        findings.refuse("skydeck.list", P::Hole { name: (*name).to_owned(), known: known() });
    }
    let hole = match pages.map(|pages| &pages.by) {
        Some(Turn::Page { .. }) => "{{page}}",
        Some(Turn::Offset) => "{{offset}}",
        Some(Turn::Cursor { .. }) => "{{cursor}}",
        None => return,
    };
    if let Some(by) = turn.filter(|by| !found.contains(by)) {
        findings.refuse("skydeck.list.pages", P::NoTurnHole { by, hole });
    }
}

/// What is read otherwise than one may think.
fn notes(request: &Request, list: &ListPolicy, findings: &mut Findings) {
    match (asks_since(request), &list.mark) {
        (true, None) => {
            findings.note("skydeck.list", "no date of a record is named in list.mark: every run reads from 2000-01-01")
        }
        (false, _) => {
            findings.note("skydeck.list", "the request has no {{LAST_SYNC_TIME}}: every run reads the whole list");
        }
        (true, Some(_)) => {}
    }
    if list.pages.is_none() {
        findings.note("skydeck.list", "no pages are turned: what the first answer does not show is not read");
    }
    if list.one.is_none() {
        findings.note("skydeck.list", "nothing asks for one record: a retry reads the whole list to find it");
    }
}

fn single(one: &OnePolicy, (list, rows): (&Request, &str), findings: &mut Findings) -> Single {
    let at = "skydeck.list.one";
    let path = one.request.path.clone().unwrap_or_else(|| list.path.clone());
    let method = one.request.method.clone().unwrap_or_else(|| list.method.clone());
    let request = request(&one.request, method, path, at, findings);
    match holes(&request) {
        Err(name) => findings.refuse(at, P::Hole { name, known: "{{key}}".to_owned() }),
        Ok(found) => {
            for name in found.iter().filter(|hole| **hole != "key") {
                findings.refuse(at, P::Hole { name: (*name).to_owned(), known: "{{key}}".to_owned() });
            }
            if !found.contains(&"key") {
                findings.refuse(at, P::NoKeyHole);
            }
        }
    }
    let rows = one.rows.clone().unwrap_or_else(|| rows.to_owned());
    Single { request, rows, absent: one.absent.clone(), absent_status: one.absent_status.clone() }
}

/// Refuses what a plan cannot do with the records of a list: it makes something of them, or keeps them.
pub(crate) fn check(target: &Target, policy: &PolicyRead, findings: &mut Findings) {
    let acts = !target.collects && (target.make.is_none() || target.verb == Verb::Push);
    if acts {
        findings.refuse("target", P::Acts);
    }
    for key in OF_QUERIES.into_iter().filter(|key| policy.given.contains(*key)) {
        findings.refuse(format!("skydeck.{key}"), P::Control { field: key.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::problem::Problem;
    use crate::reading::inspect;
    use skydeck_core::domain::ids::PlanId;

    fn plan() -> Value {
        json!({
            "source": {"api": "/orders", "method": "GET", "id": "so_id", "request": [
                {"field": "so_id"}, {"field": "sku", "value": "lines.sku"},
            ]},
            "target": {"api": "save", "request": [{"field": "FBillNo", "type": "string", "value": "{{so_id}}"}],
                "otherRequest": [{"field": "FormId", "value": "SAL_SaleOrder"}]},
            "skydeck": {"env": "wms", "target_env": "erp", "key": {"number": "FBillNo", "unique": true}, "list": {
                "record": "order", "query": {"from": "{{LAST_SYNC_TIME|datetime}}", "page": "{{page}}", "n": "{{size}}"},
                "ok": [["code", "eq", "0"]], "rows": "$.data.list", "said": "msg", "mark": "updated_at",
                "pages": {"by": "page", "size": 20, "more": "data.has_next"},
                "one": {"path": "/orders/{{key}}", "rows": "$.data", "absent_status": [404]},
            }},
        })
    }

    fn refused(change: impl Fn(&mut Value)) -> Vec<(String, String)> {
        let mut plan = plan();
        change(&mut plan);
        let file = inspect(PlanId::new("p"), &plan.to_string()).unwrap();
        let words = |problem: Problem| {
            assert_ne!(problem.words(false), problem.words(true));
            problem.words(false).message
        };
        file.blocking.into_iter().map(|error| (error.field, words(error.problem))).collect()
    }

    #[test]
    fn a_list_is_read_with_its_pages_its_mark_and_one_record() {
        let file = inspect(PlanId::new("p"), &plan().to_string()).unwrap();
        assert!(file.blocking.is_empty() && file.notes.is_empty(), "{:?} {:?}", file.blocking, file.notes);
        let source = &file.plan.source;
        let feed = source.origin.feed().unwrap();
        assert_eq!((source.form.as_str(), source.mark_column.as_deref()), ("order", Some("updated_at")));
        assert_eq!((feed.request.method.as_str(), feed.request.path.as_str()), ("GET", "/orders"));
        let pages = feed.pages.as_ref().unwrap();
        assert_eq!((pages.size, pages.most, &pages.by), (20, 200, &Turn::Page { first: 1 }));
        assert_eq!(pages.more.as_deref(), Some("$.data.has_next"));
        let one = feed.one.as_ref().unwrap();
        assert_eq!((one.request.path.as_str(), one.rows.as_str()), ("/orders/{{key}}", "$.data"));
        // Data of the plan, and part of its revision.
        let mut other = plan();
        other["skydeck"]["list"]["pages"]["size"] = json!(21);
        let other = inspect(PlanId::new("p"), &other.to_string()).unwrap();
        assert_ne!(file.plan.rev, other.plan.rev);
        let kept: skydeck_core::domain::plan::Plan =
            serde_json::from_str(&serde_json::to_string(&file.plan).unwrap()).unwrap();
        assert_eq!(kept, file.plan);
    }

    #[test]
    fn what_would_read_a_list_by_guess_is_refused_where_it_stands() {
        type Change = fn(&mut Value);
        let cases: [(Change, &str, &str); 15] = [
            (|p| drop(p["skydeck"]["list"].as_object_mut().unwrap().remove("ok")), "skydeck.list", "list.ok"),
            (|p| drop(p["skydeck"]["list"].as_object_mut().unwrap().remove("rows")), "skydeck.list", "list.rows"),
            (|p| drop(p["skydeck"]["list"].as_object_mut().unwrap().remove("record")), "skydeck.list", "list.record"),
            (|p| drop(p["source"].as_object_mut().unwrap().remove("id")), "source.id", "id"),
            (|p| p["source"]["number"] = json!("no"), "source.number", "so_id"),
            (|p| p["skydeck"]["list"]["query"]["page"] = json!("1"), "skydeck.list.pages", "{{page}}"),
            (|p| p["skydeck"]["list"]["query"]["x"] = json!("{{cursor}}"), "skydeck.list", "cursor"),
            (|p| p["skydeck"]["list"]["query"]["x"] = json!("{{LAST_SYNC}}"), "skydeck.list", "LAST_SYNC"),
            (|p| p["skydeck"]["list"]["pages"]["by"] = json!("scroll"), "skydeck.list.pages.by", "scroll"),
            (|p| p["skydeck"]["list"]["pages"]["next"] = json!("x"), "skydeck.list.pages.next", "next"),
            (|p| p["skydeck"]["list"]["one"]["path"] = json!("/orders/1"), "skydeck.list.one", "names none"),
            (|p| p["skydeck"]["list"]["body"] = json!({}), "skydeck.list.body", "GET"),
            (|p| p["skydeck"]["list"]["mark"] = json!("$..x"), "skydeck.list.mark", "date"),
            (|p| p["skydeck"]["page_size"] = json!(10), "skydeck.page_size", "page_size"),
            (
                |p| p["source"]["otherRequest"] = json!([{"field": "FormId", "value": "X"}]),
                "source.otherRequest[0].value",
                "FormId",
            ),
        ];
        for (change, at, word) in cases {
            let found = refused(change);
            assert!(found.iter().any(|(place, said)| place == at && said.contains(word)), "{at} {word}: {found:?}");
        }
        let without = refused(|p| drop(p["skydeck"].as_object_mut().unwrap().remove("list")));
        assert!(without.iter().any(|(at, said)| at == "source.api" && said.contains("/orders")), "{without:?}");
    }

    #[test]
    fn records_of_a_list_are_made_into_something_or_kept_and_never_acted_on() {
        let audit = refused(|p| {
            p["target"] = json!({"api": "Audit", "request": [], "otherRequest": []});
            drop(p["skydeck"].as_object_mut().unwrap().remove("key"));
        });
        assert!(audit.iter().any(|(at, said)| at == "target" && said.contains("make something")), "{audit:?}");
        let kept = refused(|p| {
            drop(p.as_object_mut().unwrap().remove("target"));
            let policy = p["skydeck"].as_object_mut().unwrap();
            policy.retain(|key, _| key == "env" || key == "list");
            policy.insert("collect".into(), json!(true));
        });
        assert!(kept.is_empty(), "{kept:?}");
    }
}
