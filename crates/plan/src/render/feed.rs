//! The requests of a plan whose records another system lists: system variables filled in, the holes of pages left open.
//!
//! Invariant: a text with a hole that nothing fills never becomes part of a plan.

use serde_json::Value;

use skydeck_core::domain::feed::{CURSOR_HOLE, Feed, OFFSET_HOLE};
use skydeck_core::domain::sending::{KEY_HOLE, PAGE_HOLE, Request};

use super::{RenderContext, RenderError};
use crate::problem::{RenderFault, TemplateFault};
use crate::template::{self, Format, Part, Variable};

/// What a page is asked for, and one record: everything filled in that is the same for all pages.
///
/// # Errors
/// A hole that nothing fills; a plan that was read has none.
pub fn request(feed: &Feed, context: &RenderContext) -> Result<Request, RenderError> {
    filled(&feed.request, feed.pages.as_ref().map(|pages| pages.size), context)
}

/// What one record is asked for by its id.
///
/// # Errors
/// As [`request`].
pub fn one(feed: &Feed, context: &RenderContext) -> Result<Option<Request>, RenderError> {
    feed.one.as_ref().map(|one| filled(&one.request, None, context)).transpose()
}

/// Whether a request asks for what was changed since the mark.
pub fn asks_since(request: &Request) -> bool {
    texts(request).iter().any(|text| text.contains("LAST_SYNC_TIME"))
}

/// The holes of a request that are no system variables, each once, and the first hole that nothing fills.
pub(crate) fn holes(request: &Request) -> Result<Vec<&'static str>, String> {
    let mut known = Vec::new();
    for text in texts(request) {
        let parts = template::parts(&text).map_err(|_| text.clone())?;
        for part in parts {
            let Part::Hole(hole) = part else { continue };
            match of_page(hole.name) {
                Some(own) if hole.format.is_none() => known.push(own),
                Some(_) => return Err(hole.name.to_owned()),
                None if hole.name == "size" && hole.format.is_none() => known.push("size"),
                None => {
                    written(&hole, 0, &RenderContext::probe()).ok_or_else(|| hole.name.to_owned())?;
                }
            }
        }
    }
    Ok(known)
}

/// Every text of a request that may have holes.
fn texts(request: &Request) -> Vec<String> {
    let pairs = request.query.iter().chain(&request.headers).map(|(_, value)| value.clone());
    let mut all: Vec<String> = pairs.chain([request.path.clone()]).collect();
    let mut waiting: Vec<Value> =
        request.body.as_ref().and_then(|body| serde_json::from_str(body).ok()).into_iter().collect();
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) => all.push(text),
            Value::Array(items) => waiting.extend(items),
            Value::Object(map) => waiting.extend(map.into_iter().map(|(_, value)| value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    all
}

/// The hole that a name is of those that differ from page to page, by its name here or the vendor's.
fn of_page(name: &str) -> Option<&'static str> {
    Some(match name {
        "page" | "PAGINATION_START_PAGE" => "page",
        "offset" | "PAGINATION_START_ROW" => "offset",
        "cursor" => "cursor",
        "key" => "key",
        _ => return None,
    })
}

fn open(name: &str) -> Option<&'static str> {
    Some(match of_page(name)? {
        "page" => PAGE_HOLE,
        "offset" => OFFSET_HOLE,
        "cursor" => CURSOR_HOLE,
        _ => KEY_HOLE,
    })
}

/// What a hole is filled with, and whether that is a number.
fn written(hole: &template::Hole<'_>, size: u32, context: &RenderContext) -> Option<(String, bool)> {
    if matches!(hole.name, "size" | "PAGINATION_PAGE_SIZE") {
        return hole.format.is_none().then(|| (size.to_string(), true));
    }
    let variable = Variable::named(hole.name).filter(|variable| variable.is_time())?;
    let format = hole.format.map_or(Some(Format::Plain), Format::named)?;
    let is_number = matches!(format, Format::Plain | Format::Timestamp | Format::TimestampMs);
    Some((context.value(variable, format), is_number))
}

/// A text with its holes filled, and whether it is one hole that is a number.
fn fill(text: &str, size: u32, context: &RenderContext) -> Result<(String, bool), RenderError> {
    let fail = |fault: RenderFault| RenderError { field: "skydeck.list".to_owned(), fault };
    let parts = template::parts(text).map_err(|error| fail(RenderFault::Template(error.fault)))?;
    let whole = parts.len() == 1;
    let (mut out, mut number) = (String::with_capacity(text.len()), false);
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Hole(hole) => {
                if let Some(open) = open(hole.name) {
                    out.push_str(open);
                    continue;
                }
                let unknown = || RenderFault::Template(TemplateFault::Nameless { inner: hole.name.to_owned() });
                let (value, is_number) = written(&hole, size, context).ok_or_else(|| fail(unknown()))?;
                out.push_str(&value);
                number = whole && is_number;
            }
        }
    }
    Ok((out, number))
}

fn filled(request: &Request, size: Option<u32>, context: &RenderContext) -> Result<Request, RenderError> {
    let size = size.unwrap_or_default();
    let text = |text: &str| fill(text, size, context).map(|(text, _)| text);
    let pairs = |all: &[(String, String)]| {
        all.iter().map(|(name, value)| Ok((name.clone(), text(value)?))).collect::<Result<Vec<_>, RenderError>>()
    };
    let body = match request.body.as_ref().and_then(|body| serde_json::from_str::<Value>(body).ok()) {
        Some(mut body) => {
            fill_json(&mut body, size, context)?;
            Some(body.to_string())
        }
        None => None,
    };
    Ok(Request {
        method: request.method.clone(),
        path: text(&request.path)?,
        query: pairs(&request.query)?,
        headers: pairs(&request.headers)?,
        body,
        form: request.form,
    })
}

/// In JSON a hole that is a whole text and a number is sent as a number.
fn fill_json(value: &mut Value, size: u32, context: &RenderContext) -> Result<(), RenderError> {
    match value {
        Value::String(text) => {
            let (filled, is_number) = fill(text, size, context)?;
            *value = match filled.parse::<i64>() {
                Ok(number) if is_number => Value::from(number),
                Ok(_) | Err(_) => Value::String(filled),
            };
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill_json(item, size, context))?,
        Value::Object(map) => map.values_mut().try_for_each(|value| fill_json(value, size, context))?,
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::feed::{Paging, Turn};
    use skydeck_core::domain::time::ErpDate;

    fn feed(body: &str) -> Feed {
        let request = Request {
            method: "POST".into(),
            path: "/orders/query".into(),
            query: vec![
                ("from".into(), "{{LAST_SYNC_TIME|datetime}}".into()),
                ("p".into(), "{{PAGINATION_START_PAGE}}".into()),
            ],
            headers: vec![("X-Day".into(), "{{CURRENT_TIME|date}}".into())],
            body: Some(body.into()),
            form: false,
        };
        let by = Turn::Page { first: 1 };
        Feed { request, pages: Some(Paging { by, size: 40, most: 9, more: None, total: None }), ..Feed::default() }
    }

    fn context() -> RenderContext {
        RenderContext { last_sync: ErpDate::parse("2026-11-27 08:00:00"), ..RenderContext::probe() }
    }

    #[test]
    fn what_all_pages_share_is_filled_in_and_the_holes_of_pages_stay() {
        let feed = feed(
            r#"{"a":{"since":"{{LAST_SYNC_TIME|timestamp_ms}}","n":["{{size}}","n{{size}}"]},"p":"{{page}}","o":"{{PAGINATION_START_ROW}}","c":"{{cursor}}","q":1.50}"#,
        );
        let is = request(&feed, &context()).unwrap();
        assert_eq!(is.query[0].1, "2026-11-27 08:00:00");
        assert_eq!((is.query[1].1.as_str(), is.headers[0].1.as_str()), ("{{page}}", "2000-01-01"));
        let want =
            r#"{"a":{"since":1795737600000,"n":[40,"n40"]},"p":"{{page}}","o":"{{offset}}","c":"{{cursor}}","q":1.5}"#;
        assert_eq!(is.body.as_deref(), Some(want));
        assert_eq!(is.shown(), format!("POST /orders/query?from=2026-11-27 08:00:00&p={{{{page}}}} {want}"));
        assert!(asks_since(&feed.request) && !asks_since(&is));
        let found = holes(&feed.request).unwrap();
        assert!(["page", "offset", "cursor", "size"].iter().all(|hole| found.contains(hole)), "{found:?}");
    }

    #[test]
    fn a_hole_that_nothing_fills_is_named() {
        for (body, name) in [
            (r#"{"a":"{{nothing}}"}"#, "nothing"),
            (r#"{"a":"{{LAST_SYNC_TIME|week}}"}"#, "LAST_SYNC_TIME"),
            (r#"{"a":"{{page|date}}"}"#, "page"),
            (r#"{"a":"{{body}}"}"#, "body"),
        ] {
            assert_eq!(holes(&feed(body).request), Err(name.to_owned()), "{body}");
            let renders = request(&feed(body), &context()).is_ok();
            assert_eq!(renders, name == "page", "{body}");
        }
    }
}
