//! Rendering of templates: variables in, text for the place it lands in out.
//!
//! Invariant: nothing substituted can leave the literal it stands in, and nothing is sent with a hole left in it.

pub mod feed;

use chrono::{Duration, NaiveDate, NaiveDateTime};

use skydeck_core::domain::feed::Feed;
use skydeck_core::domain::mapping::Field;
use skydeck_core::domain::plan::{Conversion, Make, Plan};
use skydeck_core::domain::step::Verb;
use skydeck_core::domain::time::ErpDate;

use super::PlanFile;
use super::function;
use super::problem::RenderFault;
use super::reading::{self, Findings};
use super::template::{Format, Piece, Template, Variable};
use super::vendor::{Entry, Side};

/// What variables stand for in one run. All dates are in the server's zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderContext {
    /// `LAST_SYNC_TIME`: mark minus overlap; `None` in a sweep, where it renders as the floor 2000-01-01.
    pub last_sync: Option<ErpDate>,
    /// `CURRENT_TIME`.
    pub now: NaiveDateTime,
    /// Minutes the server's zone is ahead of UTC, for `timestamp` formats.
    pub zone_minutes: i32,
    /// `PAGINATION_PAGE_SIZE`.
    pub page_size: u32,
    /// Periods that move with the clock (`DAYS_AGO_n`) begin at the floor, as a sweep does.
    pub open: bool,
}

/// A template that cannot be rendered: where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {fault}")]
pub struct RenderError {
    /// Field of the plan.
    pub field: String,
    /// What is wrong and what would be right.
    pub fault: RenderFault,
}

impl RenderError {
    /// The whole in Chinese.
    pub fn in_chinese(&self) -> String {
        format!("{}：{}", self.field, self.fault.said(true))
    }
}

const FILTER: &str = "FilterString";

impl RenderContext {
    /// A made-up context, for proving that a template can be rendered at all.
    pub(super) fn probe() -> Self {
        Self { last_sync: None, now: Self::floor(), zone_minutes: 480, page_size: 1, open: false }
    }

    /// The moment a sweep reads from: earlier than any bill.
    fn floor() -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default().and_hms_opt(0, 0, 0).unwrap_or_default()
    }

    fn moment(&self, variable: Variable) -> Option<NaiveDateTime> {
        match variable {
            Variable::LastSyncTime => {
                Some(self.last_sync.as_ref().and_then(ErpDate::naive).unwrap_or_else(Self::floor))
            }
            Variable::CurrentTime => Some(self.now),
            Variable::DaysAgo(_) if self.open => Some(Self::floor()),
            Variable::DaysAgo(n) => {
                Some(self.now.checked_sub_signed(Duration::days(i64::from(n))).unwrap_or_else(Self::floor))
            }
            Variable::PageSize | Variable::StartRow | Variable::StartPage => None,
        }
    }

    /// The text of a variable.
    pub fn value(&self, variable: Variable, format: Format) -> String {
        let Some(at) = self.moment(variable) else {
            return match variable {
                Variable::PageSize => self.page_size.to_string(),
                Variable::StartPage => "1".to_owned(),
                _ => "0".to_owned(),
            };
        };
        let unix = at.and_utc().timestamp() - i64::from(self.zone_minutes) * 60;
        match format {
            Format::DateTime => at.format("%Y-%m-%d %H:%M:%S").to_string(),
            Format::Date => at.format("%Y-%m-%d").to_string(),
            Format::Plain | Format::Timestamp => unix.to_string(),
            Format::TimestampMs => (unix * 1000 + i64::from(at.and_utc().timestamp_subsec_millis())).to_string(),
        }
    }
}

/// A filter as it can be looked at: of a `_function` only what it evaluates to.
pub fn visible(filter: &str) -> String {
    if filter.trim_start().starts_with("_function ") {
        text("FilterString", filter, &RenderContext::probe()).unwrap_or_default()
    } else {
        filter.to_owned()
    }
}

/// Renders any source-side value: holes first, then `_function`, which must stand at the beginning.
///
/// # Errors
/// A hole or a function that is not understood, with what would be right.
pub fn text(field: &str, template: &str, context: &RenderContext) -> Result<String, RenderError> {
    let fail = |fault: RenderFault| RenderError { field: field.to_owned(), fault };
    let parsed = Template::parse(template).map_err(|e| fail(RenderFault::Template(e.fault)))?;
    let mut out = String::with_capacity(template.len() + 16);
    let mut quoted = false;
    for piece in &parsed.pieces {
        match piece {
            Piece::Text(text) => {
                out.push_str(text);
                quoted ^= text.matches('\'').count() % 2 == 1;
            }
            Piece::Variable { variable, format } => {
                let value = context.value(*variable, *format);
                out.push_str(&if quoted { quote(&value).map_err(&fail)? } else { plain(&value).map_err(&fail)? });
            }
        }
    }
    match out.trim_start().strip_prefix("_function ") {
        Some(expression) => {
            function::evaluate(expression, context.zone_minutes).map_err(|e| fail(RenderFault::Function(e)))
        }
        None if out.contains("_findCollection ") || out.contains("_function ") => {
            Err(fail(RenderFault::FunctionInside))
        }
        None => Ok(out),
    }
}

/// The plan's FilterString with every variable replaced and quoted for the filter it lands in.
pub fn filter(plan: &Plan, context: &RenderContext) -> Result<String, RenderError> {
    let rendered = text(FILTER, &plan.source.filter, context)?;
    if let Err(broken) = super::filter_text::tokens(&rendered) {
        return Err(RenderError {
            field: FILTER.to_owned(),
            fault: RenderFault::Filter { why: broken.why, sign: broken.at + 1, text: rendered },
        });
    }
    Ok(rendered)
}

/// The filter, narrowed to bills of these numbers when any are given.
///
/// The plan's own filter goes into brackets, so that an `or` in it cannot let other bills through.
///
/// # Errors
/// As [`filter`]; also a number that is empty or holds control characters, `;`, `--` or `/*`.
pub fn filter_with(plan: &Plan, context: &RenderContext, numbers: &[String]) -> Result<String, RenderError> {
    let own = filter(plan, context)?;
    if numbers.is_empty() {
        return Ok(own);
    }
    let wanted = by_number(plan, numbers)?;
    Ok(if own.trim().is_empty() { wanted } else { format!("({own}) and {wanted}") })
}

/// What finds bills by these numbers alone, whatever the plan's own filter says.
///
/// # Errors
/// A number that is empty or holds control characters, `;`, `--` or `/*`.
pub fn by_number(plan: &Plan, numbers: &[String]) -> Result<String, RenderError> {
    let mut list = Vec::with_capacity(numbers.len());
    for number in numbers {
        let number = number.trim();
        let fail = |fault: RenderFault| RenderError { field: "numbers".to_owned(), fault };
        if number.is_empty() {
            return Err(fail(RenderFault::EmptyNumber));
        }
        list.push(format!("'{}'", quote(number).map_err(fail)?));
    }
    Ok(format!("{} in ({})", plan.source.number_path, list.join(",")))
}

/// The compensation query's filter (`omissionRemedy`), where the plan has one.
///
/// # Errors
/// As [`filter`].
pub fn remedy_filter(plan: &Plan, context: &RenderContext) -> Result<Option<String>, RenderError> {
    let Some(remedy) = &plan.policy.remedy else { return Ok(None) };
    let mut narrowed = plan.clone();
    if let Some(filter) = &remedy.filter {
        narrowed.source.filter.clone_from(filter);
    }
    filter(&narrowed, context).map(Some)
}

/// Refuses what could end a statement or start a comment wherever it lands.
fn plain(value: &str) -> Result<String, RenderFault> {
    let sign = [";", "--", "/*", "*/"].into_iter().find(|sign| value.contains(sign));
    if let Some(sign) = sign {
        return Err(RenderFault::Sign { value: value.to_owned(), sign });
    }
    if value.chars().any(char::is_control) {
        return Err(RenderFault::Control { value: value.to_owned() });
    }
    Ok(value.to_owned())
}

/// A value as it stands between quotation marks of a filter.
///
/// # Errors
/// The value holds what may not stand in a filter; the words say what.
pub fn quote(value: &str) -> Result<String, RenderFault> {
    plain(value).map(|v| v.replace('\'', "''"))
}

/// One field of a call as the file has it and as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Path such as `source.FilterString` or `target.Ids`.
    pub field: String,
    /// What the file says; empty where it says nothing.
    pub template: String,
    /// What is sent; `None` = nothing is.
    pub value: Option<String>,
}

/// Every field of the query and of the call: template beside value.
///
/// # Errors
/// As [`filter`].
pub fn table(file: &PlanFile, context: &RenderContext) -> Result<Vec<Rendered>, RenderError> {
    let plan = &file.plan;
    let mut out = Vec::new();
    let mut unheard = Findings::deaf();
    let (source, target) = file.raw.as_object().map_or((None, None), reading::sides);
    let source = source.map(|(raw, at)| Side::read(raw, at, &mut unheard));
    let target = target.map(|(raw, at)| Side::read(raw, at, &mut unheard));
    let template = |side: &Option<Side<'_>>, name: &str| {
        side.as_ref().and_then(|s| s.control(name)).and_then(Entry::text).unwrap_or_default()
    };
    if let Some(asked) = plan.source.origin.feed() {
        out.extend(listed(asked, plan, context)?);
        return Ok(called(file, target.as_ref(), out));
    }
    let columns: Vec<&str> = plan.source.columns.iter().map(|c| c.path.as_str()).collect();
    for (name, value) in [
        ("FormId", plan.source.form.to_string()),
        ("FieldKeys", columns.join(",")),
        ("FilterString", filter(plan, context)?),
        ("OrderString", format!("{} ASC", plan.source.id_path)),
        ("Limit", plan.policy.page_size.to_string()),
        ("StartRow", "0".to_owned()),
        ("TopRowCount", plan.source.top_rows.to_string()),
    ] {
        out.push(Rendered { field: format!("source.{name}"), template: template(&source, name), value: Some(value) });
    }
    for column in &plan.source.columns {
        let field = format!("source.column.{}", column.key);
        out.push(Rendered { field, template: column.path.clone(), value: Some(column.path.clone()) });
    }
    Ok(called(file, target.as_ref(), out))
}

/// What is asked for a page of a list: parameters, headers and body, then the fields that are read.
fn listed(list: &Feed, plan: &Plan, context: &RenderContext) -> Result<Vec<Rendered>, RenderError> {
    let filled = feed::request(list, context)?;
    let asked = &list.request;
    let row = |field: String, template: &str, value: &str| Rendered {
        field,
        template: template.to_owned(),
        value: Some(value.to_owned()),
    };
    let mut out = vec![
        row("source.record".to_owned(), "", plan.source.form.as_str()),
        row("source.call".to_owned(), "", &format!("{} {}", filled.method, filled.path)),
    ];
    for (kind, templates, values) in
        [("query", &asked.query, &filled.query), ("header", &asked.headers, &filled.headers)]
    {
        let both = templates.iter().zip(values);
        out.extend(both.map(|((name, t), (_, value))| row(format!("source.{kind}.{name}"), t, value)));
    }
    if let (Some(template), Some(body)) = (&asked.body, &filled.body) {
        out.push(row("source.body".to_owned(), template, body));
    }
    out.extend(plan.source.columns.iter().map(|c| row(format!("source.column.{}", c.key), &c.path, &c.path)));
    Ok(out)
}

/// The fields of the call behind those of the query.
fn called(file: &PlanFile, target: Option<&Side<'_>>, mut out: Vec<Rendered>) -> Vec<Rendered> {
    if file.plan.target.collects {
        return out;
    }
    for (name, value) in call(&file.plan) {
        let control = target.and_then(|side| side.control(&name));
        let template = control.and_then(Entry::text).unwrap_or_default();
        if control.is_some() || value.is_some() {
            out.push(Rendered { field: format!("target.{name}"), template, value });
        }
    }
    out.extend(declared(file));
    out
}

/// What the first call of a plan carries: names of the wire, and values; a value that is of a record stands as its template.
fn call(plan: &Plan) -> Vec<(String, Option<String>)> {
    let make = plan.target.make.as_deref();
    let rows = match (make, make.and_then(|make| make.push.as_ref())) {
        (Some(_), Some(conversion)) => return pushed(plan, conversion),
        (Some(make), None) => return saved(plan, make),
        (None, _) => acted_on(plan),
    };
    rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn acted_on(plan: &Plan) -> Vec<(&'static str, Option<String>)> {
    let options = &plan.target.options;
    let truth = |b: Option<bool>| b.map(|b| b.to_string());
    let mut call = vec![("FormId", Some(plan.target.form.to_string()))];
    if let Verb::Operation(name) = &plan.target.verb {
        call.push(("Operation", Some(name.clone())));
    }
    call.extend([
        ("Ids", Some(format!("<{}>", plan.source.id_path))),
        ("Numbers", None),
        ("IgnoreInterationFlag", truth(options.ignore_interaction)),
        ("IsVerifyProcInst", truth(options.verify_proc_inst)),
        ("InterationFlags", None),
        ("NetworkCtrl", truth(options.network_ctrl)),
        ("CreateOrgId", options.create_org.map(|n| n.to_string())),
        ("UseOrgId", options.use_org.map(|n| n.to_string())),
    ]);
    call
}

/// The fields of the body, those inside others by their path, after what is said beside it.
fn saved(plan: &Plan, make: &Make) -> Vec<(String, Option<String>)> {
    if let Some(send) = &make.send {
        let head =
            [("record", plan.target.form.to_string()), ("call", format!("{} {}", send.call.method, send.call.path))];
        let head = head.map(|(name, value)| (name.to_owned(), Some(value)));
        return head.into_iter().chain(fields_of(make)).collect();
    }
    let always = [
        ("FormId", plan.target.form.to_string()),
        ("IsDeleteEntry", "false".to_owned()),
        ("IsVerifyBaseDataField", "true".to_owned()),
        ("ValidateFlag", "true".to_owned()),
    ];
    let always = always.into_iter().map(|(name, value)| (name.to_owned(), Some(value)));
    always.chain(fields_of(make)).collect()
}

/// The fields of a body, those inside others by their path.
fn fields_of(make: &Make) -> Vec<(String, Option<String>)> {
    let mut call = Vec::new();
    let mut waiting: Vec<(String, &Field)> =
        make.mapping.fields.iter().rev().map(|field| (field.name.clone(), field)).collect();
    while let Some((path, field)) = waiting.pop() {
        waiting.extend(field.children.iter().rev().map(|child| (format!("{path}.{}", child.name), child)));
        let value = if field.value.is_empty() { &field.default } else { &field.value };
        call.push((path, Some(value.clone())));
    }
    call
}

fn pushed(plan: &Plan, conversion: &Conversion) -> Vec<(String, Option<String>)> {
    let call = [
        ("FormId", plan.source.form.to_string()),
        ("Ids", format!("<{}>", plan.source.id_path)),
        ("RuleId", conversion.rule.clone()),
        ("TargetFormId", plan.target.form.to_string()),
        ("TargetOrgId", conversion.org.unwrap_or(0).to_string()),
        ("TargetBillTypeId", conversion.bill_type.clone().unwrap_or_default()),
        ("IsEnableDefaultRule", "false".to_owned()),
        ("IsDraftWhenSaveFail", "false".to_owned()),
    ];
    call.into_iter().map(|(name, value)| (name.to_owned(), Some(value))).collect()
}

/// What the plan declares of its operation: as the file has it, and as it is read.
fn declared(file: &PlanFile) -> Vec<Rendered> {
    let policy = &file.plan.policy;
    let raw = |key: &str| file.raw.pointer(&format!("/skydeck/{key}")).map(ToString::to_string).unwrap_or_default();
    let mut out = Vec::new();
    if !policy.done.is_empty() {
        let value = Some(super::effect::written_all(&policy.done).to_string());
        out.push(Rendered { field: "skydeck.done".to_owned(), template: raw("done"), value });
    }
    if policy.mine.is_some() {
        out.push(Rendered { field: "skydeck.mine".to_owned(), template: raw("mine"), value: policy.mine.clone() });
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::filter_text;
    use super::*;
    use skydeck_core::domain::ids::PlanId;

    fn context() -> RenderContext {
        RenderContext {
            last_sync: ErpDate::parse("2025-03-01 08:30:15.250"),
            now: "2025-06-15T12:30:00".parse().unwrap(),
            zone_minutes: 480,
            page_size: 500,
            open: false,
        }
    }

    #[test]
    fn each_variable_and_format_has_its_text() {
        for (template, want) in [
            ("{{LAST_SYNC_TIME|dateTime}}", "2025-03-01 08:30:15"),
            ("{{LAST_SYNC_TIME DATE}}", "2025-03-01"),
            ("{{LAST_SYNC_TIME}}", "1740789015"),
            ("{{LAST_SYNC_TIME}}000", "1740789015000"),
            ("{{LAST_SYNC_TIME|timestamp}}", "1740789015"),
            ("{{LAST_SYNC_TIME|timestamp_ms}}", "1740789015250"),
            ("{{CURRENT_TIME|datetime}}", "2025-06-15 12:30:00"),
            ("{{DAYS_AGO_2|datetime}}", "2025-06-13 12:30:00"),
            ("{{DAYS_AGO_0|date}}", "2025-06-15"),
            ("{{DAYS_AGO_99999|date}}", "1751-09-01"),
            ("{{PAGINATION_PAGE_SIZE}}/{{PAGINATION_START_ROW}}/{{PAGINATION_START_PAGE}}", "500/0/1"),
            ("_function CONCAT(LEFT('{{CURRENT_TIME|date}}', 7), '-01')", "2025-06-01"),
            ("_function {{CURRENT_TIME}} - 3600", "1749958200"),
            ("plain", "plain"),
        ] {
            assert_eq!(text("f", template, &context()).unwrap(), want, "{template}");
        }
        let sweep = RenderContext { last_sync: None, ..context() };
        assert_eq!(text("f", "{{LAST_SYNC_TIME|datetime}}", &sweep).unwrap(), "2000-01-01 00:00:00");
        assert_eq!(text("f", "{{LAST_SYNC_TIME}}", &sweep).unwrap(), "946656000", "the floor in the server's zone");
    }

    fn seed() -> Plan {
        let text = include_str!("../../../plans/sal_outstock_audit.json");
        super::super::read(PlanId::new("p"), text).unwrap().plan
    }

    #[test]
    fn narrowing_to_numbers_cannot_be_talked_out_of() {
        let mut plan = seed();
        plan.source.filter = "FA='1' or FB='2'".into();
        let got = filter_with(&plan, &context(), &["X'1".into(), " Y ".into()]).unwrap();
        assert_eq!(got, "(FA='1' or FB='2') and FBillNo in ('X''1','Y')");
        plan.source.filter = String::new();
        assert_eq!(filter_with(&plan, &context(), &["X".into()]).unwrap(), "FBillNo in ('X')");
        assert_eq!(filter_with(&plan, &context(), &[]).unwrap(), "");
        for bad in ["", "  ", "a;b", "a--b", "a/*b", "a\nb", "a\0b"] {
            assert!(filter_with(&plan, &context(), &[bad.to_owned()]).is_err(), "{bad:?}");
        }
    }

    proptest! {
        /// Numbers put into a filter and read back from it are the same numbers, whatever is in them.
        #[test]
        fn numbers_survive_the_filter(numbers in proptest::collection::vec("[ -~单据']{1,12}", 1..6)) {
            let plan = seed();
            if let Ok(filter) = filter_with(&plan, &context(), &numbers) {
                let tokens = filter_text::tokens(&filter).unwrap();
                let found = filter_text::predicates(&tokens);
                let last = found.last().unwrap();
                let want: Vec<&str> = numbers.iter().map(|n| n.trim()).collect();
                prop_assert_eq!(last.op.as_str(), "in");
                prop_assert_eq!(last.field.as_str(), "FBillNo");
                prop_assert_eq!(&last.values, &want);
                prop_assert_eq!(found.len(), 4, "the plan's own three and ours, nothing slipped in");
            } else {
                let signs = [";", "--", "/*", "*/"];
                let refusable = numbers.iter().any(|n| n.trim().is_empty() || signs.iter().any(|s| n.contains(s)));
                prop_assert!(refusable, "refused without a reason");
            }
        }

        /// A rendered filter differs from its template only inside the holes.
        #[test]
        fn a_filter_keeps_everything_but_its_holes(before in "[ -z|~单]{0,20}", after in "[ -z|~单]{0,20}") {
            prop_assume!(!before.contains("${") && !after.contains("${") && !before.trim_start().starts_with('_'));
            let template = format!("{before}{{{{LAST_SYNC_TIME|date}}}}{after}");
            let rendered = text("f", &template, &context());
            prop_assert_eq!(rendered, Ok(format!("{before}2025-03-01{after}")));
        }
    }
}
