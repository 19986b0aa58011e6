//! What the user of an environment may do there, by the plans that would ask it of him: one row of each query, and a call
//! of each verb that names a bill which no server has.
//!
//! Invariant: nothing is written anywhere.

use std::collections::BTreeMap;

use serde_json::json;

use super::context::Context;
use super::out::Out;
use super::plans;
use crate::boot;
use crate::domain::env::Environment;
use crate::domain::feed::{Feed, Turn};
use crate::domain::operation::{Operation, shown_by};
use crate::domain::plan::{Origin, Plan};
use crate::domain::reason::fault_zh;
use crate::domain::step::Verb;
use crate::engine::ports::{Erp, Fault, FaultKind, ListAsk, ListPlace, PageQuery, Right};
use crate::exit::{Exit, Stop};
use crate::plan::render::RenderContext;
use crate::text::show;

/// What was found of one plan's query.
enum Reads {
    /// Bills are seen.
    Rows,
    /// None is there, or none is shown to this user.
    None,
    /// The server refused it, or gave no answer.
    Fault(Fault),
}

/// What was found of one verb.
enum Writes {
    Tried(Right),
    /// The configuration does not allow the operation.
    NotAllowed,
    /// It could do something without a bill.
    NotTried,
    /// Nothing is ever called in this environment.
    ReadOnly,
}

/// Tries what the plans of an environment need, and says what this user may not do. Exit 1 where that is something.
pub(super) async fn check(context: &Context, environment: &Environment, erp: &dyn Erp) -> Result<Exit, Stop> {
    let out = &context.out();
    let (reading, writing) = plans_of(context, environment);
    let mut exit = Exit::Ok;
    if reading.is_empty() && writing.is_empty() && !out.json {
        out.line(out.t("rights: not tried, no plan of this environment", "权限：未检查，没有此环境的方案"))?;
    }
    for (form, plan) in &reading {
        let found = reads(erp, plan).await;
        if matches!(found, Reads::Fault(_)) {
            exit = Exit::Failed;
        }
        say_reads(out, form, plan, &found)?;
    }
    for ((form, name), (verb, plan)) in &writing {
        let found = writes(environment, erp, plan, verb).await;
        if matches!(found, Writes::Tried(Right::Refused(_)) | Writes::NotAllowed) {
            exit = Exit::Failed;
        }
        say_writes(out, form, name, &found)?;
    }
    Ok(exit)
}

/// What came of trying what one plan needs.
pub(super) struct Tried {
    /// Why its query failed.
    pub query: Option<Fault>,
    /// Nothing of it was refused.
    pub is_well: bool,
}

/// Tries what one plan needs, and says it line by line. Nothing is called for one whose query failed.
pub(super) async fn of_plan(out: &Out, environment: &Environment, erp: &dyn Erp, plan: &Plan) -> Result<Tried, Stop> {
    let form = plan.source.form.to_string();
    let found = reads(erp, plan).await;
    say_reads(out, &form, plan, &found)?;
    if let Reads::Fault(why) = found {
        return Ok(Tried { query: Some(why), is_well: false });
    }
    let mut is_well = true;
    for step in Operation::of(plan).steps {
        let found = writes(environment, erp, plan, &step.verb).await;
        is_well &= !matches!(found, Writes::Tried(Right::Refused(_)) | Writes::NotAllowed);
        say_writes(out, &form, called(&step.verb), &found)?;
    }
    Ok(Tried { query: None, is_well })
}

/// What a verb is called on the wire.
fn called(verb: &Verb) -> &str {
    match verb {
        Verb::Audit => "Audit",
        Verb::Submit => "Submit",
        Verb::Operation(name) => name,
        Verb::Save => "Save",
        Verb::Push => "Push",
        Verb::Send => "Send",
    }
}

type Reading = BTreeMap<String, Plan>;
type Writing = BTreeMap<(String, String), (Verb, Plan)>;

/// The plans that query in this environment by their form, and those that call something in it.
fn plans_of(context: &Context, environment: &Environment) -> (Reading, Writing) {
    let dir = context.plan_dir();
    let first = context.config.environments.first().map(|e| &e.environment.id);
    let (mut reading, mut writing) = (Reading::new(), Writing::new());
    for name in plans::names(&dir) {
        let Ok((file, _)) = boot::read_plan(&dir.join(format!("{name}.json"))) else { continue };
        let plan = file.plan;
        let form = plan.source.form.to_string();
        let asks = plan.source.origin != Origin::HandedIn;
        if asks && plan.env.as_ref().or(first) == Some(&environment.id) {
            reading.entry(form.clone()).or_insert_with(|| plan.clone());
        }
        if plan.target_env.as_ref().or(plan.env.as_ref()).or(first) == Some(&environment.id) {
            for step in Operation::of(&plan).steps {
                writing
                    .entry((form.clone(), called(&step.verb).to_owned()))
                    .or_insert((step.verb.clone(), plan.clone()));
            }
        }
    }
    (reading, writing)
}

async fn reads(erp: &dyn Erp, plan: &Plan) -> Reads {
    let source = &plan.source;
    if let Some(feed) = source.origin.feed() {
        return listed(erp, feed).await;
    }
    let query = PageQuery {
        form: source.form.clone(),
        columns: source.columns.iter().map(|c| c.path.clone()).collect(),
        id_path: source.id_path.clone(),
        number_path: source.number_path.clone(),
        mark_column: source.mark_column.clone(),
        fields: if plan.target.make.is_some() { Vec::new() } else { Operation::of(plan).looked_at() },
        filter: String::new(),
        after: None,
        limit: 1,
        lines: false,
    };
    match erp.fetch_page(&query).await {
        Ok(page) if page.raw_rows > 0 => Reads::Rows,
        Ok(_) => Reads::None,
        Err(fault) => Reads::Fault(fault),
    }
}

/// Reads the first page of a list.
async fn listed(erp: &dyn Erp, feed: &Feed) -> Reads {
    let now = chrono::Local::now().naive_local();
    let context = RenderContext { last_sync: None, now, zone_minutes: 480, page_size: 1, open: false };
    let request = match crate::plan::render::feed::request(feed, &context) {
        Ok(request) => request,
        Err(error) => {
            let message = error.to_string();
            return Reads::Fault(Fault { kind: FaultKind::Config, message, retry_after: None, evidence: None });
        }
    };
    let at = match feed.pages.as_ref().map(|pages| &pages.by) {
        None => ListPlace::Whole,
        Some(Turn::Page { first }) => ListPlace::Page(*first),
        Some(Turn::Offset) => ListPlace::Offset(0),
        Some(Turn::Cursor { start, .. }) => ListPlace::Cursor(start.as_deref()),
    };
    match erp.list(&ListAsk { request: &request, feed, at }).await {
        Ok(page) if page.records.is_empty() => Reads::None,
        Ok(_) => Reads::Rows,
        Err(fault) => Reads::Fault(fault),
    }
}

async fn writes(environment: &Environment, erp: &dyn Erp, plan: &Plan, verb: &Verb) -> Writes {
    match verb {
        _ if environment.always_read_only => Writes::ReadOnly,
        Verb::Operation(name) if !environment.allow_operations.iter().any(|allowed| allowed == name) => {
            Writes::NotAllowed
        }
        Verb::Save | Verb::Push | Verb::Send if environment.allows(verb).is_err() => Writes::NotAllowed,
        // A trial call could make a bill.
        Verb::Save | Verb::Push | Verb::Send => Writes::NotTried,
        Verb::Operation(name) if shown_by(name).is_none() => Writes::NotTried,
        Verb::Audit | Verb::Submit | Verb::Operation(_) => Writes::Tried(erp.may_call(&plan.target.form, verb).await),
    }
}

/// What is said of a query that failed. The advice of a cause speaks of a run and of its plan: here is neither.
pub(super) fn failed(out: &Out, fault: &Fault) -> String {
    let FaultKind::Refused { cause, .. } = &fault.kind else { return in_words(out, &fault.message) };
    let advice = out.causes.info(cause).map_or("", |info| info.advice_en.as_str());
    let end = fault.message.len().checked_sub(advice.len());
    let cut = end.and_then(|end| fault.message.split_at_checked(end));
    let said = cut.filter(|(_, end)| end.eq_ignore_ascii_case(advice)).map_or(fault.message.as_str(), |(said, _)| said);
    let said = in_words(out, said.trim_end_matches(". "));
    if !is_of_the_user(fault) {
        return said;
    }
    format!("{said}{}", out.t(". Have the right granted to this user", "；请管理员为该用户授权"))
}

/// Whether the ERP refuses the user, whatever is asked for.
pub(super) fn is_of_the_user(fault: &Fault) -> bool {
    matches!(&fault.kind, FaultKind::Refused { cause, .. } if matches!(cause.as_str(), "permission" | "licence"))
}

/// What the client says of a call that failed, in the reader's language.
fn in_words(out: &Out, why: &str) -> String {
    let why = show(why, 1000);
    if out.is_zh() { fault_zh(why.as_str()) } else { why.into_string() }
}

fn say_reads(out: &Out, form: &str, plan: &Plan, found: &Reads) -> Result<(), Stop> {
    let (word, text) = match found {
        Reads::Rows => ("rows", out.t("bills are seen", "可以看到单据").to_owned()),
        Reads::None => (
            "none",
            out.t(
                "answered without a bill: there is none, or this user is shown none (data permission)",
                "查询无单据：没有单据，或该用户没有数据权限",
            )
            .to_owned(),
        ),
        Reads::Fault(fault) => ("refused", format!("! {}", out.colon("fails", "失败", &failed(out, fault)))),
    };
    if out.json {
        out.object(&json!({
            "type": "env_right", "form": form, "plan": plan.id, "call": if plan.source.origin.is_query() { "ExecuteBillQuery" } else { "list" }, "right": word, "text": text,
        }))?;
    } else {
        out.line(&out.colon(&format!("{form} query"), &format!("{form} 查询"), &text))?;
    }
    Ok(())
}

fn say_writes(out: &Out, form: &str, name: &str, found: &Writes) -> Result<(), Stop> {
    let (word, text) = match found {
        Writes::Tried(Right::NotRefused) => (
            "not_refused",
            out.t(
                "not refused (tried on a bill that does not exist; nothing was written)",
                "未被拒绝（用不存在的单据试探，未写入任何内容）",
            )
            .to_owned(),
        ),
        Writes::Tried(Right::Refused(said)) => {
            let words = out.colon("! this user may not do it", "! 该用户无权执行", show(said, 1000).as_str());
            ("refused", words)
        }
        Writes::Tried(Right::Unclear(why)) => {
            ("unclear", out.colon("cannot be decided", "无法判断", &in_words(out, why)))
        }
        Writes::NotAllowed => {
            let (en, zh) = (
                format!("! not allowed by the configuration: allow_operations = [\"{name}\"]"),
                format!("! 配置未允许：allow_operations = [\"{name}\"]"),
            );
            ("not_allowed", out.t(&en, &zh).to_owned())
        }
        Writes::ReadOnly => ("not_tried", out.t("not tried: read-only for good", "未试探：永久只读").to_owned()),
        Writes::NotTried => (
            "not_tried",
            out.t(
                "not tried: what this operation does without a bill is not known",
                "未试探：不清楚此操作在没有单据时会做什么",
            )
            .to_owned(),
        ),
    };
    if out.json {
        out.object(&json!({"type": "env_right", "form": form, "call": name, "right": word, "text": text}))?;
    } else {
        let what = format!("{form} {name}");
        out.line(&out.colon(&what, &what, &text))?;
    }
    Ok(())
}
