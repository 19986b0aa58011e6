//! The query side: from the vendor's entries to [`Source`].
//!
//! Invariant: what would be asked of the ERP is what the file says, or the plan refuses to run; paging is Skydeck's own.

mod condition;
mod feed;
mod handed_in;

use serde_json::{Map, Value};

use super::filter_text::{self, Predicate};
use super::policy::PolicyRead;
use super::problem::feed::FeedProblem;
use super::problem::{Problem, Suggest};
use super::reading::{Findings, text_at};
use super::render::{self, RenderContext};
use super::template::{self, Template, Variable};
use super::vendor::{Entry, List, MOST, Side};
use super::{filter_array, keys, schedule};
use condition::condition;
pub(crate) use feed::{ListPolicy, check as check_list, policy as list_policy};
pub(crate) use handed_in::{check as check_handed_in, name_of};
use skydeck_core::domain::ids::FormId;
use skydeck_core::domain::plan::{Column, Remedy, Source};
use skydeck_core::domain::suggest::nearest;

/// The query controls of executeBillQuery (docs/design/wire.md#queries).
pub const CONTROLS: [&str; 8] =
    ["FormId", "FilterString", "Limit", "StartRow", "TopRowCount", "FieldKeys", "OrderString", "SubSystemId"];

/// Rows a page at most: older servers cut there (docs/design/wire.md#queries).
pub const MAX_PAGE: u32 = 2000;

/// Longest FilterString, bytes: some ten thousand bill numbers.
pub const LONGEST_FILTER: usize = 256 << 10;

/// The query with what belongs to the policy.
pub struct SourceRead {
    pub source: Source,
    pub page_size: Option<u32>,
    pub remedy: Option<Remedy>,
}

/// What stands for a source that is not there.
pub fn nothing() -> SourceRead {
    let source = Source {
        form: FormId::new(""),
        columns: Vec::new(),
        filter: String::new(),
        mark_column: None,
        id_path: "FID".to_owned(),
        number_path: "FBillNo".to_owned(),
        top_rows: 0,
        origin: skydeck_core::domain::plan::Origin::Query,
        condition: Vec::new(),
    };
    SourceRead { source, page_size: None, remedy: None }
}

/// Whether a bare object is a query.
pub fn is_query(raw: &Map<String, Value>) -> bool {
    let says = |key: &str, word: &str| text_at(raw.get(key)).is_some_and(|t| t.eq_ignore_ascii_case(word));
    says("api", "executeBillQuery") || says("effect", "QUERY") || says("type", "QUERY")
}

/// Reads the query side.
pub fn read(side: &Side<'_>, (policy, views): (&PolicyRead, bool), findings: &mut Findings) -> SourceRead {
    if let Some(name) = &policy.take {
        return handed_in::read(side, name, policy, findings);
    }
    if let Some(list) = &policy.list {
        return feed::read(side, list, policy, findings);
    }
    let mut out = nothing();
    match side.api.as_deref() {
        Some(api) if api.eq_ignore_ascii_case("executeBillQuery") => {}
        Some(api) if api.starts_with('/') => {
            findings.refuse(side.path("api"), FeedProblem::NoList { api: api.to_owned() });
        }
        Some(api) => findings.refuse(side.path("api"), Problem::SourceApi { api: api.to_owned() }),
        None => findings.refuse(side.path("api"), Problem::SourceWithoutApi),
    }
    side.refuse_contradictions(&CONTROLS, findings);
    for entry in side.asked.iter().filter(|e| e.value.is_some()) {
        refuse_parser(entry, findings);
    }

    out.source.form = form(side, findings);
    out.source.columns = columns(side, (policy, views), findings);
    let keys = keys::of(side, policy, &out.source);
    (out.source.id_path, out.source.number_path) = (keys.id, keys.number);
    if let Some(why) = keys.passed_over {
        findings.note(side.path("id"), why.words(&out.source.id_path).0);
    }
    filter_array::refuse_in(side, findings);
    if let Some(entry) = side.control("FilterString").filter(|entry| !filter_array::is_list(entry.value.as_ref())) {
        out.source.filter = entry.text().unwrap_or_default();
        if check_filter(&out.source.filter, &entry.at, findings) {
            out.source.mark_column = mark_column(&out.source.filter, &entry.at, findings);
        }
    }
    out.page_size = page_size(side, findings);
    out.source.top_rows = top_rows(side, findings);
    other_controls(side, &out.source.id_path, findings);
    out.source.condition = condition(side, &out.source.columns, findings);
    out.remedy = remedy(side, findings);
    if let Some(cron) = text_at(side.raw.get("crontab")) {
        check_cron(&side.path("crontab"), &cron, findings);
        findings.note(side.path("crontab"), "kept, not obeyed: a plan runs by itself only with skydeck.schedule");
    }
    out
}

fn refuse_parser(entry: &Entry, findings: &mut Findings) {
    if let Some(parser) = entry.parser.as_deref().filter(|p| !matches!(*p, "ArrayToString" | "StringToArray")) {
        findings.refuse(entry.at.clone(), Problem::Parser { parser: parser.to_owned(), field: entry.field.clone() });
    }
}

fn form(side: &Side<'_>, findings: &mut Findings) -> FormId {
    let Some(entry) = side.control("FormId") else {
        findings.refuse(side.path("otherRequest"), Problem::NoFormId);
        return FormId::new("");
    };
    match entry.text() {
        None => findings.refuse(entry.at.clone(), Problem::EmptyFormId),
        Some(text) if is_name(&text) => return FormId::new(text),
        Some(text) => findings.refuse(entry.at.clone(), Problem::FormId { text }),
    }
    FormId::new("")
}

/// Letters, digits and underscores, not beginning with a digit.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A Kingdee field path: names joined with dots.
pub fn is_path(text: &str) -> bool {
    text.split('.').all(is_name)
}

/// Refuses controls of a query that there are none of.
fn refuse_strays<'a>(others: impl Iterator<Item = &'a Entry>, findings: &mut Findings) {
    for stray in others.filter(|e| e.list == List::OtherRequest && !e.container && e.value.is_some()) {
        let suggest = Suggest { near: nearest(&stray.field, &CONTROLS), known: &CONTROLS };
        findings.refuse(stray.at.clone(), Problem::NoControl { field: stray.field.clone(), suggest });
    }
}

fn columns(side: &Side<'_>, (policy, views): (&PolicyRead, bool), findings: &mut Findings) -> Vec<Column> {
    let is_control = |e: &&Entry| CONTROLS.iter().any(|c| e.field.eq_ignore_ascii_case(c));
    let asked: Vec<&Entry> =
        side.asked.iter().filter(|e| e.list == List::Request && !e.container && !is_control(e)).collect();
    let response: Vec<&Entry> = side.response.iter().filter(|e| !e.container).collect();
    refuse_strays(side.asked.iter().filter(|e| !is_control(e)), findings);

    let mut out: Vec<Column> = Vec::new();
    let label = |key: &str, own: &str| policy.labels.get(key).cloned().unwrap_or_else(|| own.to_owned());
    let mut add = |key: &str, path: &str, own: &str, at: &str, findings: &mut Findings| match out
        .iter()
        .find(|c| c.key == key)
    {
        Some(same) if same.path == path => {}
        Some(other) => findings
            .refuse(at, Problem::ColumnTwice { key: key.to_owned(), one: other.path.clone(), other: path.to_owned() }),
        None => out.push(Column { key: key.to_owned(), path: path.to_owned(), label: label(key, own) }),
    };

    let explicit = side.control("FieldKeys").and_then(|e| e.text().map(|t| (e.at.clone(), t)));
    if let Some((at, keys)) = explicit {
        let paths = || keys.split(',').map(str::trim).filter(|p| !p.is_empty());
        if paths().nth(MOST).is_some() {
            findings.refuse(&at, Problem::TooManyPaths { most: MOST });
        }
        for path in paths().take(MOST) {
            if !is_path(path) {
                findings.refuse(&at, Problem::NoPath { path: path.to_owned() });
                continue;
            }
            let known = asked.iter().chain(&response).find(|e| e.text().as_deref() == Some(path) || e.field == path);
            match known {
                Some(entry) => add(&entry.field, path, &entry.label, &at, findings),
                None => add(&path.replace('.', "_"), path, path, &at, findings),
            }
        }
        return out;
    }

    let from_request = !asked.is_empty();
    for entry in if from_request { asked } else { response } {
        match entry.text() {
            Some(path) if is_path(&path) => add(&entry.field, &path, &entry.label, &entry.at, findings),
            Some(text) if from_request => {
                findings.refuse(entry.at.clone(), Problem::ColumnWithoutPath { field: entry.field.clone(), text })
            }
            None if is_key(&entry.field) => {
                let path = dotted(&entry.field);
                findings.note(entry.at.clone(), format!("no value: asked for as {path}"));
                add(&entry.field, &path, &entry.label, &entry.at, findings);
            }
            None if views
                && !from_request
                && let Some(path) = viewed(&entry.field) =>
            {
                findings.note(entry.at.clone(), format!("a name as View gives it: asked for as {path}"));
                add(&entry.field, &path, &entry.label, &entry.at, findings);
            }
            _ => findings.note(
                entry.at.clone(),
                format!("`{}` names no Kingdee path: the column is not asked for", entry.field),
            ),
        }
    }
    out
}

/// Whether a name is that of a field in a query: `F` and no small letter behind it, which names of View may have (`ForbidStatus`).
fn is_key(name: &str) -> bool {
    let behind = name.strip_prefix('F').and_then(|rest| rest.chars().next());
    is_path(name) && behind.is_some_and(|c| !c.is_lowercase())
}

/// The path of a field that is named as View names it, as plans of 逐个单据查询 do: `BillNo` → `FBillNo`, `CreateOrgId_Number` →
/// `FCreateOrgId.FNumber`. `CreateOrgId_Id` is the internal id, which a query gives for the field itself.
fn viewed(name: &str) -> Option<String> {
    if !name.starts_with(|c: char| c.is_ascii_uppercase()) || !is_path(name) {
        return None;
    }
    let (base, property) = name.rsplit_once('_').unwrap_or((name, ""));
    Some(match property {
        "Id" => format!("F{base}"),
        "Number" | "Name" => format!("F{base}.F{property}"),
        _ => format!("F{name}"),
    })
}

/// `FSaleOrgId_FNumber` → `FSaleOrgId.FNumber`: how the vendor spells a property of base data as a key.
pub(super) fn dotted(key: &str) -> String {
    for property in ["_FNumber", "_FName"] {
        if let Some(base) = key.strip_suffix(property).filter(|b| b.starts_with('F') && !b.contains('_')) {
            return format!("{base}.{}", property.trim_start_matches('_'));
        }
    }
    key.to_owned()
}

/// Whether a path looks like one of an entry: such a column gives one row an entry line.
pub fn is_entry_level(path: &str) -> bool {
    const ENTRY_FIELDS: [&str; 14] = [
        "fmaterialid",
        "fmaterialname",
        "funitid",
        "fqty",
        "frealqty",
        "fmustqty",
        "fbaseqty",
        "fprice",
        "ftaxprice",
        "fstockid",
        "flot",
        "fentrynote",
        "fallamount",
        "fsoorderno",
    ];
    let lower = path.to_ascii_lowercase();
    let head = lower.split('.').next().unwrap_or_default();
    lower.contains("entry") || head.starts_with("fentity") || ENTRY_FIELDS.contains(&head)
}

/// Whether the filter can be rendered and conditions can be added to it.
fn check_filter(filter: &str, at: &str, findings: &mut Findings) -> bool {
    if filter.len() > LONGEST_FILTER {
        findings.refuse(at, Problem::FilterTooLong { bytes: filter.len(), most: LONGEST_FILTER });
        return false;
    }
    // A rendering with a made-up context proves that every hole and function is understood.
    if let Err(e) = Template::parse(filter) {
        findings.refuse(at, e.fault);
        return false;
    }
    match render::text("FilterString", filter, &RenderContext::probe()) {
        Err(e) => {
            findings.refuse(at, Problem::Unevaluated(e.fault));
            false
        }
        Ok(rendered) => match filter_text::tokens(&rendered) {
            Ok(_) => true,
            Err(broken) => {
                findings.refuse(at, Problem::Filter { why: broken.why, sign: broken.at + 1 });
                false
            }
        },
    }
}

fn names_mark(text: &str) -> bool {
    Template::parse(text).is_ok_and(|t| t.variables().any(|(v, _)| v == Variable::LastSyncTime))
}

/// The comparisons of a filter with LAST_SYNC_TIME.
pub fn mark_predicates(filter: &str) -> Vec<Predicate> {
    let tokens = filter_text::tokens(filter).unwrap_or_default();
    filter_text::predicates(&tokens).into_iter().filter(|p| p.values.iter().any(|v| names_mark(v))).collect()
}

/// The column the mark is taken from; `None` makes every run read without a mark, which is slow but never wrong.
fn mark_column(filter: &str, at: &str, findings: &mut Findings) -> Option<String> {
    if !names_mark(filter) {
        return None;
    }
    if filter.trim_start().starts_with("_function ") {
        findings.note(at, "LAST_SYNC_TIME inside _function: every run reads from 2000-01-01");
        return None;
    }
    let tokens = filter_text::tokens(filter).unwrap_or_default();
    let on = mark_predicates(filter);
    if let Some(bad) = on.iter().find(|p| !matches!(p.op.as_str(), ">" | ">=")) {
        findings.refuse(at, Problem::UpperBound { field: bad.field.clone(), op: bad.op.clone() });
        return None;
    }
    if filter_text::has_leading_not(&tokens) {
        findings.refuse(at, Problem::MarkWithNot);
        return None;
    }
    let first = on.first().map(|p| p.field.clone());
    match first {
        Some(field) if on.iter().all(|p| p.is_on(&field)) && is_path(&field) => Some(field),
        Some(_) => {
            findings.note(at, "LAST_SYNC_TIME is compared with several columns: every run reads from 2000-01-01");
            None
        }
        None => {
            findings.note(at, "no column is compared with LAST_SYNC_TIME: every run reads from 2000-01-01");
            None
        }
    }
}

fn page_size(side: &Side<'_>, findings: &mut Findings) -> Option<u32> {
    let pagination = side.raw.get("pagination").and_then(|p| p.get("pageSize"));
    let mut given = pagination.and_then(|v| v.as_u64().or_else(|| v.as_str()?.trim().parse().ok()));
    let mut at = side.path("pagination.pageSize");
    if pagination.is_some_and(|v| !v.is_null()) && given.is_none() {
        findings.refuse(at.clone(), Problem::PageSize);
    }
    if let Some(entry) = side.control("Limit") {
        match entry.text().as_deref().map(str::trim) {
            None => {}
            Some(text) if only(text, Variable::PageSize) => {}
            Some(text) => match text.parse::<u64>() {
                Ok(0) => {}
                Ok(n) => {
                    given = Some(n);
                    at.clone_from(&entry.at);
                }
                Err(_) => findings.refuse(entry.at.clone(), Problem::Limit { text: text.to_owned() }),
            },
        }
    }
    let given = given.filter(|n| *n > 0)?;
    if given > u64::from(MAX_PAGE) {
        findings.note(at, format!("{given} rows a page: {MAX_PAGE} are asked for, because older servers cut there"));
    }
    Some(u32::try_from(given).unwrap_or(MAX_PAGE).min(MAX_PAGE))
}

/// Whether a text is nothing but this variable.
fn only(text: &str, variable: Variable) -> bool {
    Template::parse(text)
        .is_ok_and(|t| matches!(t.pieces.as_slice(), [template::Piece::Variable { variable: v, .. }] if *v == variable))
}

fn top_rows(side: &Side<'_>, findings: &mut Findings) -> u64 {
    let Some(entry) = side.control("TopRowCount") else { return 0 };
    let text = entry.text().unwrap_or_default();
    text.trim().parse().unwrap_or_else(|_| {
        if !text.trim().is_empty() {
            findings.refuse(entry.at.clone(), Problem::TopRows { text: text.clone() });
        }
        0
    })
}

fn other_controls(side: &Side<'_>, id: &str, findings: &mut Findings) {
    if let Some((entry, text)) = side.control("StartRow").and_then(|e| Some((e, e.text()?))) {
        let paging = only(&text, Variable::StartRow) || only(&text, Variable::StartPage);
        if !paging && text.trim().parse() != Ok(0u64) {
            findings.refuse(entry.at.clone(), Problem::StartRow { text });
        }
    }
    if let Some((entry, text)) = side.control("OrderString").and_then(|e| Some((e, e.text()?)))
        && !text.trim_start().to_ascii_uppercase().starts_with("FID")
        && !text.split([',', ' ']).find(|word| !word.is_empty()).is_some_and(|first| first.eq_ignore_ascii_case(id))
    {
        findings.note(entry.at.clone(), format!("the order `{text}` is not sent: pages are cut by id"));
    }
    if let Some(entry) = side.control("SubSystemId").filter(|e| e.value.is_some()) {
        findings.note(entry.at.clone(), "SubSystemId is a module hint and is not sent");
    }
    if side.raw.get("beatFlat").and_then(Value::as_array).is_some_and(|a| !a.is_empty()) {
        findings.note(side.path("beatFlat"), "a bill query has no arrays to flatten: not used");
    }
}

fn remedy(side: &Side<'_>, findings: &mut Findings) -> Option<Remedy> {
    let raw = side.raw.get("omissionRemedy").filter(|v| !v.is_null())?;
    let at = side.path("omissionRemedy");
    let Some(cron) = text_at(raw.get("crontab")) else {
        findings.refuse(format!("{at}.crontab"), Problem::RemedyWithoutCron);
        return None;
    };
    check_cron(&format!("{at}.crontab"), &cron, findings);
    let mut filter = None;
    let taken = raw.get("takeOverRequest").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (i, item) in taken.iter().enumerate() {
        let at = format!("{at}.takeOverRequest[{i}].value");
        let field = text_at(item.get("field")).unwrap_or_default();
        if field.eq_ignore_ascii_case("FilterString") && filter_array::is_list(item.get("value")) {
            filter_array::refuse(&at, item.get("value"), findings);
        } else if field.eq_ignore_ascii_case("FilterString") {
            let text = text_at(item.get("value")).unwrap_or_default();
            if check_filter(&text, &at, findings) {
                filter = Some(text);
            }
        } else {
            findings.refuse(at, Problem::RemedyReplaces { field });
        }
    }
    Some(Remedy { cron, filter })
}

fn check_cron(at: &str, cron: &str, findings: &mut Findings) {
    if let Err(fault) = schedule::check(cron) {
        findings.refuse(at, fault);
    }
}
