//! Plans that stand in a text as JSON: whole ones, lists of them, or a query and a call as two objects.
//!
//! Invariant: nothing of a block is changed; what does not look like a plan or a side of one is passed over.

use serde_json::{Map, Value};

use super::super::source::is_query;

/// A JSON object that is a plan or a side of one, with the line it begins on.
pub struct Block {
    pub line: usize,
    pub kind: Kind,
    pub object: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plan,
    Source,
    Target,
}

/// Brackets that begin no JSON, at most: each costs a look at the rest of the text.
const MOST_MISSES: usize = 500;

/// Deepest nesting in which plans are looked for.
const DEEPEST: usize = 6;

/// The blocks of a text, in order.
pub fn find(text: &str) -> Vec<Block> {
    let mut out = Vec::new();
    let (mut at, mut line, mut misses) = (0, 1, 0);
    while misses < MOST_MISSES
        && let Some(begin) = text.get(at..).and_then(|rest| rest.find(['{', '['])).map(|i| at + i)
    {
        line += newlines(text.get(at..begin));
        let rest = text.get(begin..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let read = values.next();
        let taken = match read {
            Some(Ok(value)) if value.is_object() || value.is_array() => {
                look_into(value, line, DEEPEST, &mut out);
                values.byte_offset()
            }
            // A template or a bracket of the prose.
            _ => {
                misses += 1;
                rest.chars().take_while(|c| matches!(c, '{' | '[')).map(char::len_utf8).sum()
            }
        };
        line += newlines(text.get(begin..begin + taken));
        at = begin + taken;
    }
    out
}

fn newlines(text: Option<&str>) -> usize {
    text.unwrap_or_default().matches('\n').count()
}

/// Takes what is a plan or a side; looks into everything else.
fn look_into(value: Value, line: usize, deep: usize, out: &mut Vec<Block>) {
    match value {
        Value::Array(items) if deep > 0 => items.into_iter().for_each(|item| look_into(item, line, deep - 1, out)),
        Value::Object(object) => match kind_of(&object) {
            Some(kind) => out.push(Block { line, kind, object }),
            None if deep > 0 => object.into_iter().for_each(|(_, inner)| look_into(inner, line, deep - 1, out)),
            None => {}
        },
        _ => {}
    }
}

fn kind_of(object: &Map<String, Value>) -> Option<Kind> {
    let holds = |key: &str| object.get(key).is_some_and(Value::is_object);
    if holds("source") || holds("target") {
        return Some(Kind::Plan);
    }
    let is_side = object.get("api").is_some_and(Value::is_string)
        && ["request", "otherRequest"].iter().any(|key| object.get(*key).is_some_and(Value::is_array));
    is_side.then(|| if is_query(object) { Kind::Source } else { Kind::Target })
}

/// Plans from blocks: a query goes with the call after it. Each with the line it begins on.
pub fn plans(blocks: Vec<Block>) -> Vec<(usize, Map<String, Value>)> {
    let mut out: Vec<(usize, Map<String, Value>)> = Vec::new();
    let mut open = false;
    for Block { line, kind, object } in blocks {
        let pair = |key: &str, side: Map<String, Value>| {
            let mut plan = Map::new();
            plan.insert(key.to_owned(), Value::Object(side));
            plan
        };
        match (kind, out.last_mut().filter(|_| open)) {
            (Kind::Plan, _) => {
                open = false;
                out.push((line, object));
            }
            (Kind::Target, Some((_, plan))) => {
                open = false;
                plan.insert("target".to_owned(), Value::Object(object));
            }
            (Kind::Target, None) => out.push((line, pair("target", object))),
            (Kind::Source, _) => {
                open = true;
                out.push((line, pair("source", object)));
            }
        }
    }
    out
}
