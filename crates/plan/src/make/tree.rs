//! The tree of a body: nested in `children`, or flat with `parent`.

use serde_json::{Map, Value};

use skydeck_core::domain::mapping::{Field, Kind, Parser};
use skydeck_core::domain::suggest::nearest;

use crate::problem::Suggest;
use crate::problem::make::MakeProblem;
use crate::reading::{Findings, text_at};
use crate::source::is_name;
use crate::vendor::Side;

/// Controls of the call; every other entry of `otherRequest` with a value is refused.
pub(super) const CONTROLS: [&str; 21] = [
    "FormId",
    "Operation",
    "IsAutoSubmitAndAudit",
    "IsDeleteEntry",
    "IsEntryBatchFill",
    "IsVerifyBaseDataField",
    "ValidateFlag",
    "NumberSearch",
    "ValidateRepeatJson",
    "IsAutoAdjustField",
    "NeedUpDateFields",
    "NeedReturnFields",
    "SubSystemId",
    "BatchCount",
    "InterationFlags",
    "IgnoreInterationFlag",
    "IsControlPrecision",
    "Creator",
    "Model",
    "NetworkCtrl",
    "IsVerifyProcInst",
];

/// Levels of a body at most.
const DEEPEST: usize = 8;

const TYPES: [&str; 9] = ["string", "int", "float", "number", "decimal", "bool", "boolean", "object", "array"];
const PARSERS: [&str; 6] = [
    "ConvertObjectParser",
    "ConvertTwoStageObjectParser",
    "StringToArray",
    "ArrayToString",
    "ConvertJson",
    "JsonParser",
];

/// One entry on its way into the tree.
struct Leaf {
    id: String,
    parent: Option<String>,
    field: Field,
}

/// The tree of the body.
///
/// `kingdee`: names at the root that say how the ERP is called, and where the form keeps its internal id; `None` where another system
/// is, which has neither.
pub(super) fn tree(side: &Side<'_>, kingdee: Option<(&[&str], &str)>, findings: &mut Findings) -> Vec<Field> {
    let at = side.path("request");
    let raw = side.raw.get("request").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let leaves = level(raw, (&at, kingdee.map_or(&[][..], |(controls, _)| controls)), 1, findings);
    let top = assemble(leaves, &at, findings);
    twice(&top, findings);
    shapes(&top, findings);
    let Some((_, id)) = kingdee else { return top };
    let is_id = |field: &Field| ["FID", "ID", id].iter().any(|name| field.name.eq_ignore_ascii_case(name));
    for field in top.iter().filter(|field| is_id(field)) {
        if !matches!(field.value.trim(), "" | "0") || !matches!(field.default.trim(), "" | "0") {
            findings.refuse(field.at.clone(), MakeProblem::Update { field: field.name.clone() });
        }
    }
    top.into_iter().filter(|field| !is_id(field)).collect()
}

fn level(raw: &[Value], (at, controls): (&str, &[&str]), depth: usize, findings: &mut Findings) -> Vec<Leaf> {
    if depth > DEEPEST {
        findings.refuse(at, MakeProblem::TooDeep { most: DEEPEST });
        return Vec::new();
    }
    let mut out = Vec::new();
    for (n, item) in raw.iter().enumerate() {
        // A shape that is no entry is refused where the entries are read.
        let Some(map) = item.as_object() else { continue };
        let Some(name) = text_at(map.get("field")) else { continue };
        if controls.iter().any(|c| c.eq_ignore_ascii_case(&name)) && depth == 1 {
            continue;
        }
        let at = format!("{at}[{n}]");
        if !is_name(&name) {
            findings.refuse(format!("{at}.field"), MakeProblem::FieldName { name });
            continue;
        }
        let inner = map.get("children").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let inner = level(inner, (&format!("{at}.children"), controls), depth + 1, findings);
        let children = assemble(inner, &at, findings);
        let parent = ["parent", "parent_id"].iter().find_map(|key| text_at(map.get(*key)));
        let id = text_at(map.get("id")).unwrap_or_else(|| name.clone());
        if let Some(field) = field((map, name), children, &at, findings) {
            out.push(Leaf { id, parent, field });
        }
    }
    out
}

/// Puts flat entries under the parents they name. One whose parent is the entry it already stands in stays there.
fn assemble(leaves: Vec<Leaf>, at: &str, findings: &mut Findings) -> Vec<Field> {
    let names: Vec<(String, String)> = leaves.iter().map(|l| (l.id.clone(), l.field.name.clone())).collect();
    let place = |parent: &str| names.iter().position(|(id, name)| id == parent || name == parent);
    let (mut fields, mut inside): (Vec<Option<Field>>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
    for (n, leaf) in leaves.into_iter().enumerate() {
        if let Some(parent) = &leaf.parent {
            match place(parent).filter(|p| *p != n) {
                Some(p) => inside.push((n, p)),
                // Nested entries name the entry they stand in.
                None if at.contains("children") || at.ends_with(']') => {}
                None => findings.refuse(leaf.field.at.clone(), MakeProblem::Parent { parent: parent.clone() }),
            }
        }
        fields.push(Some(leaf.field));
    }
    // Deepest first: children of children are in their parent before it moves into its own.
    for (n, p) in inside.iter().rev() {
        let child = fields.get_mut(*n).and_then(Option::take);
        if let (Some(child), Some(Some(parent))) = (child, fields.get_mut(*p)) {
            parent.children.insert(0, child);
            if !matches!(parent.kind, Kind::List | Kind::Object) {
                parent.kind = Kind::Object;
            }
        }
    }
    fields.into_iter().flatten().collect()
}

/// Refuses a field that stands twice. A list may: its rows are those of the first entry, then those of the next.
fn twice(fields: &[Field], findings: &mut Findings) {
    let is_list = |field: &Field| field.kind == Kind::List && !field.children.is_empty();
    for (n, field) in fields.iter().enumerate() {
        let same = |other: &&Field| other.name.eq_ignore_ascii_case(&field.name);
        if fields.iter().take(n).filter(same).any(|other| !(is_list(other) && is_list(field))) {
            findings.refuse(field.at.clone(), MakeProblem::FieldTwice { name: field.name.clone() });
        }
        twice(&field.children, findings);
    }
}

/// Refuses what is neither a value nor a list nor an object.
fn shapes(fields: &[Field], findings: &mut Findings) {
    for field in fields {
        let name = || field.name.clone();
        let problem = match (field.kind, field.children.is_empty(), &field.parser) {
            (Kind::Text | Kind::Whole | Kind::Decimal | Kind::Truth, false, _) => {
                Some(MakeProblem::ChildrenOfValue { name: name() })
            }
            (Kind::List, true, None | Some(Parser::Wrap(_) | Parser::WrapTwice(..) | Parser::Join(_))) => {
                Some(MakeProblem::NoChildren { name: name() })
            }
            (Kind::List, false, _) if !field.value.is_empty() && !is_name(list_name(&field.value)) => {
                Some(MakeProblem::ListName { name: field.value.clone() })
            }
            _ => None,
        };
        if let Some(problem) = problem {
            findings.refuse(field.at.clone(), problem);
        }
        shapes(&field.children, findings);
    }
}

/// One entry. `None`: refused.
fn field(
    (map, name): (&Map<String, Value>, String),
    children: Vec<Field>,
    at: &str,
    findings: &mut Findings,
) -> Option<Field> {
    let said = text_at(map.get("type")).unwrap_or_else(|| "string".to_owned());
    let kind = match said.to_ascii_lowercase().as_str() {
        "string" | "text" | "date" | "datetime" if children.is_empty() => Kind::Text,
        "int" | "integer" => Kind::Whole,
        "float" | "number" | "decimal" | "double" => Kind::Decimal,
        "bool" | "boolean" => Kind::Truth,
        "object" | "string" => Kind::Object,
        "array" => Kind::List,
        _ => {
            let suggest = Suggest { near: nearest(&said, &TYPES), known: &TYPES };
            findings.refuse(format!("{at}.type"), MakeProblem::Type { value: said, suggest });
            return None;
        }
    };
    let value = scalar(map.get("value"));
    let parser = parser(map, at, findings)?;
    Some(Field {
        kind,
        value,
        default: scalar(map.get("default")),
        parser,
        required: map
            .get("is_required")
            .or(map.get("required"))
            .is_some_and(|v| scalar(Some(v)).trim() == "true" || v == 1),
        children,
        at: format!("{at}.value"),
        name,
    })
}

/// The name of the list that a field's value gives: `details` or `{{details}}`.
pub(super) fn list_name(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix("{{").and_then(|v| v.strip_suffix("}}")).unwrap_or(value).trim()
}

/// The list that the children of a field stand in, where it is one that has a name.
pub(super) fn inner_list(field: &Field) -> Option<&str> {
    let is_list = field.kind == Kind::List && !field.children.is_empty();
    Some(list_name(&field.value)).filter(|name| is_list && !name.is_empty())
}

/// A value as plans print it: a number or a truth is its text.
fn scalar(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) => n.to_string(),
        Some(Value::Bool(b)) => b.to_string(),
        _ => String::new(),
    }
}

/// The parser of an entry. The outer `None`: refused.
#[expect(clippy::option_option, reason = "refused, without a parser, with one")]
fn parser(map: &Map<String, Value>, at: &str, findings: &mut Findings) -> Option<Option<Parser>> {
    let Some(raw) = map.get("parser").filter(|p| !p.is_null()) else { return Some(None) };
    let name = text_at(raw.get("name")).or_else(|| text_at(Some(raw))).unwrap_or_default();
    if name.is_empty() {
        return Some(None);
    }
    let numbered = || ["params1", "params2"].iter().filter_map(|key| text_at(raw.get(*key))).collect();
    let params: Vec<String> = match raw.get("params").or(raw.get("param")) {
        Some(Value::Array(all)) => all.iter().map(|p| scalar(Some(p))).collect(),
        Some(other) => scalar(Some(other)).split(',').map(|p| p.trim().to_owned()).collect(),
        None => numbered(),
    };
    let sign =
        || raw.get("params").map(|p| scalar(Some(p))).filter(|p| !p.is_empty()).unwrap_or_else(|| ",".to_owned());
    let at = format!("{at}.parser");
    let read = match (name.as_str(), params.as_slice()) {
        ("ConvertObjectParser", [inner]) if is_name(inner) => Parser::Wrap(inner.clone()),
        ("ConvertTwoStageObjectParser", [outer, inner]) if is_name(outer) && is_name(inner) => {
            Parser::WrapTwice(outer.clone(), inner.clone())
        }
        ("ConvertObjectParser" | "ConvertTwoStageObjectParser", _) => {
            findings.refuse(at, MakeProblem::ParserParams { name });
            return None;
        }
        ("StringToArray", _) => Parser::Split(sign()),
        ("ArrayToString", _) => Parser::Join(sign()),
        ("ConvertJson", _) => Parser::Pairs,
        ("JsonParser" | "JSON", _) => Parser::Json,
        _ => {
            let suggest = Suggest { near: nearest(&name, &PARSERS), known: &PARSERS };
            findings.refuse(at, MakeProblem::Parser { name, suggest });
            return None;
        }
    };
    Some(Some(read))
}
