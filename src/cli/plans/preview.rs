//! `plan preview`: what a run would collect, by status, without a run.

use std::collections::BTreeMap;

use super::said;
use crate::boot::Booted;
use crate::cli::json;
use crate::cli::out::Out;
use crate::cli::set_words;
use crate::domain::bill::laid_out;
use crate::domain::making_words;
use crate::domain::operation::{Operation, Test};
use crate::domain::operation_words::name;
use crate::domain::plan::Plan;
use crate::domain::query::{Answer, Look, Preview, Query, Sample};
use crate::domain::reason::Reason;
use crate::exit::{Exit, Stop};
use crate::plan::lint::{Hazard, ID_PASSED_OVER};
use crate::plan::{self};

/// A plan to be previewed.
pub(super) struct Asked<'a> {
    pub(super) plan: &'a Plan,
    pub(super) hazards: &'a [Hazard],
    /// Why no run of it would be opened, where the configuration keeps it from that.
    pub(super) objection: Option<Reason>,
}

/// Reads what a run would collect, and shows it by status. No run is opened, nothing is written, the mark stays.
pub(super) async fn preview(out: &Out, booted: &Booted, asked: Asked<'_>, query: Query) -> Result<Exit, Stop> {
    let Asked { plan, hazards, objection } = asked;
    let Answer::Preview(look) = booted.link.ask(query).await? else {
        return Err(out.usage("the engine answered another question", "引擎返回了意外内容：请重启 skydeck"));
    };
    let seen = match look {
        Look::Found(seen) => seen,
        Look::Refused(refusal) => return Err(Stop::new(Exit::of_refusal(&refusal), out.refusal(&refusal))),
        Look::Failed(why) => {
            let exit = if why.is_plan_fault() { Exit::Usage } else { Exit::Stopped };
            return Err(Stop::new(exit, out.colon("the query failed", "查询失败", &out.reason_of(&why))));
        }
    };
    let set = &seen.collected;
    let by_status: BTreeMap<String, u64> =
        set.by_status.iter().map(|(status, n)| (status.code().to_owned(), *n)).collect();
    let first = Operation::of(plan).submitted_first(&set.by_status);
    // What it shows can be looked at; that no run of it would be opened is what the exit says, as it does for `plan list`.
    let exit = if objection.is_some() { Exit::Usage } else { Exit::Ok };
    if out.json {
        let mut value = serde_json::json!({
            "type": "preview", "plan": seen.plan, "env": seen.env, "found": seen.found, "callable": set.callable,
            "by_status": by_status, "absent": set.absent,
            "unchanged": set.unchanged.as_ref().map_or(0, |left| left.bills), "set_hash": set.hash, "filter": seen.filter,
            "sights": set.sights.iter().map(|(sight, n)| (sight.word(), *n)).collect::<BTreeMap<_, _>>(), "unmade": set.unmade,
            "same_key": set.doubles, "not_compared": set.not_compared, "samples": seen.samples.iter().map(sample_json).collect::<Vec<_>>(),
            "operation": name(&Operation::id_of(&plan.target)), "submitted_first": first,
            "done": plan::done_as_written(&plan.policy.done), "mine": plan.policy.mine, "id": plan.source.id_path, "runnable": objection.is_none(),
            "reason": objection.as_ref().map(Reason::code), "reason_args": objection.as_ref().map(Reason::args),
        });
        if let (Some(list), Some(object)) = (&set.listed, value.as_object_mut()) {
            object.insert("listed".to_owned(), json::listed(list));
        }
        out.object(&value)?;
        return Ok(exit);
    }
    if let Some(why) = &objection {
        out.line(&format!("! {}", out.colon("no run of it is opened", "不会开始运行", &out.reason_of(why))))?;
    }
    for hazard in hazards.iter().filter(|hazard| hazard.number == ID_PASSED_OVER) {
        out.line(&format!("! {}", said(out, hazard)))?;
    }
    out.line(&out.colon("filter", "过滤条件", crate::text::show(&seen.filter, 4096).as_str()))?;
    if !plan.policy.done.is_empty() {
        let call = Operation::id_of(&plan.target);
        let shown = plan.policy.done.iter().map(Test::to_string).collect::<Vec<_>>().join(", ");
        let done = out.t("done is", "完成标志");
        let words = format!("{call}{}{done} {shown}", out.t("; ", "；"));
        out.line(&out.colon("call", "调用", &words))?;
    }
    for (status, n) in set.by_status.iter().filter(|(status, _)| !status.code().is_empty()) {
        out.line(&format!("  {}  {n}", status.told(out.lang)))?;
    }
    print_set(out, &seen)?;
    if let Some(n) = first {
        out.line(&set_words::submitted_first(out, n))?;
    }
    out.line(&format!(
        "{} {}{}{} {}{}{}",
        out.t("found", "共"),
        seen.found,
        out.t(", ", "，"),
        out.t("a call would be made for", "将处理"),
        set.callable,
        out.t("; ", "；"),
        out.t("nothing was written", "未写入任何内容")
    ))?;
    Ok(exit)
}

/// What is said of the set beside its statuses, and its first bodies.
fn print_set(out: &Out, seen: &Preview) -> Result<(), Stop> {
    let set = &seen.collected;
    let said = [
        set_words::listed(out, set),
        set_words::absent(out, set),
        set_words::unchanged(out, set),
        set_words::sights(out, set),
        set_words::unmade(out, set),
        set_words::doubles(out, set),
        set_words::not_compared(out, set),
    ];
    for words in said.into_iter().flatten() {
        out.line(&words)?;
    }
    seen.samples.iter().try_for_each(|sample| print_sample(out, sample))
}

/// One record as it would be sent, for programs.
fn sample_json(sample: &Sample) -> serde_json::Value {
    let made = &sample.made;
    let body: Option<Box<serde_json::value::RawValue>> =
        made.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
    serde_json::json!({
        "number": sample.no, "key": made.key, "sight": made.sight.word(), "body": body, "body_hash": made.hash,
        "fault": made.fault.as_ref().map(|fault| fault.message.clone()),
    })
}

/// The same for people: what is there already, and the body below it.
fn print_sample(out: &Out, sample: &Sample) -> Result<(), Stop> {
    let made = &sample.made;
    let shown = |text: &str| crate::text::show(text, 4096).as_str().to_owned();
    let what = match &made.fault {
        Some(fault) => shown(&making_words::ours(fault, out.lang).unwrap_or_else(|| fault.message.clone())),
        None => format!("{}  {}", shown(&made.key), made.sight.words(out.lang)),
    };
    out.line(&format!("- {}  {what}", shown(&sample.no)))?;
    let Some(body) = &made.body else { return Ok(()) };
    // Laid out for eyes alone: the numbers are those of the text.
    for line in laid_out(body).lines() {
        out.line(&format!("    {}", shown(line)))?;
    }
    Ok(())
}
