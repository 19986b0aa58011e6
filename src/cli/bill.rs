//! The verb `bill`: one bill by its number, and its whole life.

use super::args::BillArgs;
use super::asked::no_bill;
use super::json;
use super::out::Out;
use super::unread;
use crate::domain::bill::{Status, UnknownWhy};
use crate::domain::cause::known;
use crate::domain::erp_status::After;
use crate::domain::event::{Event, Fact};
use crate::domain::ids::{FormId, WorkKey};
use crate::domain::language::Language;
use crate::domain::operation_words;
use crate::domain::query::{Answer, Query};
use crate::domain::run::BillRow;
use crate::domain::step::{Body, Made, Verdict};
use crate::domain::story::{self, Resolution, RunOfBill};
use crate::domain::time::Ts;
use crate::domain::who::Who;
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};
use crate::text::show;

/// Longest body printed, bytes.
const BODY: usize = 64 * 1024;

/// A work on a record, the record's number, and that of the bill that was made of it.
type Numbered = (WorkKey, String, Option<String>);

/// Whether records of a form are meant by a name: the form's own, with or without the environment that they are read in.
fn is_of(form: &FormId, named: &str) -> bool {
    let own = form.as_str().rsplit('/').next().unwrap_or_default();
    form.as_str().eq_ignore_ascii_case(named) || own.eq_ignore_ascii_case(named)
}

/// `bill`.
pub async fn bill(link: &dyn Link, out: &Out, args: &BillArgs) -> Result<Exit, Stop> {
    let Answer::Bills(page) = link.ask(Query::FindBill { number: args.number.clone(), limit: 20 }).await? else {
        return Err(Stop::odd_answer());
    };
    let meant = |row: &BillRow| {
        args.env.as_ref().is_none_or(|env| row.record().env.as_str() == env)
            && args.form.as_ref().is_none_or(|form| is_of(&row.record().form, form))
    };
    let rows = page.rows.iter().map(|(_, row)| row).filter(|row| meant(row));
    let named = |row: &BillRow| {
        let made = row.made_no().map(str::to_owned).filter(|_| row.no != args.number);
        (row.key.clone(), row.no.clone(), made)
    };
    let mut keys: Vec<Numbered> = rows.map(named).collect();
    keys.dedup();
    // A number of its own goes before that of a bill that was made of it.
    let mut exact: Vec<Numbered> = keys.iter().filter(|(_, no, _)| *no == args.number).cloned().collect();
    let made_of = keys.iter().filter(|(_, _, made)| made.as_ref() == Some(&args.number));
    let made_of: Vec<Numbered> = made_of.cloned().collect();
    if exact.is_empty() {
        exact = made_of;
    } else if let Some((_, no, _)) = made_of.first() {
        let words = out.colon("a bill of this number was made of", "此单号的单据由以下单据生成", no);
        out.note(show(&words, 400).as_str());
    }
    let meant = if exact.is_empty() { &keys } else { &exact };
    let Some((first, ..)) = meant.first() else {
        if args.ask {
            return unread::ask(link, out, &args.number).await;
        }
        return Err(Stop::usage(no_bill(out, &args.number)));
    };
    // One record may stand there under several operations: each has a life of its own.
    if meant.iter().any(|(key, ..)| key.record != first.record) {
        for (WorkKey { record, op }, no, _) in meant {
            let op = if op.is_audit() { String::new() } else { format!(" {}", out.named(op)) };
            out.note(&format!("{} ({} {} {}{op})", show(no, 200).as_str(), record.env, record.form, record.fid));
        }
        return Err(if exact.is_empty() {
            out.usage("several bills match; give the whole number", "有多张单据符合：请给出完整单号")
        } else if exact.iter().all(|(key, ..)| key.record.env == first.record.env) {
            out.usage(
                "several bills have this number; choose one with --form FORM",
                "有多张单据为此单号：请用 --form 业务对象 选定",
            )
        } else {
            out.usage(
                "several bills have this number; choose one with --env ENV (and --form FORM)",
                "有多张单据为此单号：请用 --env 环境（及 --form 业务对象）选定",
            )
        });
    }
    for (key, ..) in meant {
        life(link, out, args, key).await?;
    }
    Ok(Exit::Ok)
}

/// A bill's life under one operation.
async fn life(link: &dyn Link, out: &Out, args: &BillArgs, key: &WorkKey) -> Result<(), Stop> {
    let Answer::Bill { row, facts, cut, runs } = link.ask(Query::Bill(key.clone())).await? else {
        return Err(Stop::odd_answer());
    };
    let resolution = story::resolution(&facts);
    if out.json {
        if let Some(row) = &row {
            let mut bill = json::bill(row, &[]);
            if let Some(resolution) = &resolution {
                let key = if resolution.stands { "resolved" } else { "resolved_before" };
                let said = json::closing(resolution.by, resolution.reason, resolution.at);
                json::merge(&mut bill, serde_json::json!({key: said}));
            }
            out.object(&bill)?;
        }
        for fact in &facts {
            let value = serde_json::to_value(fact).map_err(|e| Stop::usage(e.to_string()))?;
            let operation = operation_words::name(&key.op);
            out.object(&serde_json::json!({
                "type": "fact", "seq": fact.seq, "at_ms": fact.at.0, "operation": operation, "fact": value,
            }))?;
        }
        return Ok(());
    }
    if let Some(row) = &row {
        stands(out, row, resolution.as_ref())?;
    }
    if cut {
        out.line(out.t("… older facts left out", "… 更早的记录未显示"))?;
    }
    let mut told = None;
    for (i, fact) in facts.iter().enumerate() {
        if fact.event.run() != told {
            told = fact.event.run();
            if let Some(run) = runs.iter().find(|run| Some(run.row.head.id) == told) {
                out.line(&ordered(out, run))?;
            }
        }
        let refused = story::took_though_refused(&facts, i);
        let refused =
            if refused { out.t("; the ERP had refused the call in words", "；ERP 曾返回拒绝") } else { "" };
        out.line(&format!("{}  {}{refused}", out.time(fact.at), sentence(out, key, fact)))?;
        if args.evidence
            && let Event::StepAnswered { evidence: Some(evidence), .. } = &fact.event
        {
            out.line(&format!("    > {}", sent(out, &evidence.request)))?;
            if let Some(answer) = &evidence.response {
                out.line(&format!("    < {} {}", evidence.http.unwrap_or_default(), text_of(answer)))?;
            }
        }
    }
    Ok(())
}

/// Which bill it is and where it stands; of one that is made how the made one is, and apart from it its source.
fn stands(out: &Out, row: &BillRow, resolution: Option<&Resolution<'_>>) -> Result<(), Stop> {
    let (state, reason) = out.bill(row);
    let op = if row.key.op.is_audit() { String::new() } else { format!(" {}", out.named(&row.key.op)) };
    out.line(&format!(
        "{}  {} {}  {} {}{op}  {state}  {}",
        show(&row.no, 200).as_str(),
        out.t("FID", "内码"),
        row.record().fid,
        row.record().form,
        row.record().env,
        show(&reason, 1024).as_str()
    ))?;
    let after = crate::ui::after_words(out.console(), &After::of(row), |at| out.time(at));
    let before = crate::ui::before_words(out.console(), row.before());
    if let Some(resolution) = resolution {
        out.line(&resolved(out, resolution))?;
    }
    if let Some(form) = operation_words::made_form(&row.key.op) {
        let told = |made: &Made| format!(" {} {} {}", made.no, out.t("FID", "内码"), made.id);
        let made = row.made.as_deref().map(told).unwrap_or_default();
        let label = format!("{} {form}{made}", out.t("made bill", "新单"));
        let label = show(&label, 400).as_str().to_owned();
        out.line(&out.colon(&label, &label, &after))?;
        out.line(&out.colon("source bill when read", "源单查询时", &before))?;
    } else {
        out.line(&format!("{} {after}", out.t("ERP status after", "处理后单据状态")))?;
        out.line(&format!("{} {before}", out.t("before", "处理前单据状态")))?;
    }
    Ok(())
}

/// Who ordered a run that met the bill, and who approved it.
fn ordered(out: &Out, run: &RunOfBill) -> String {
    let head = &run.row.head;
    let by = head.by.said(out.lang);
    let started = match out.lang {
        Language::En => format!("{by} started the run {} of {}", head.id, head.plan),
        Language::Zh => format!("{by} 启动运行 {}，方案 {}", head.id, head.plan),
    };
    let approved = run.approved.as_ref().map(|(by, at)| {
        let (by, at) = (by.said(out.lang), out.time(*at));
        match out.lang {
            Language::En => format!("; approved by {by} {at}"),
            Language::Zh => format!("；{by} 于 {at} 批准"),
        }
    });
    let text = format!("{}  {started}{}", out.time(head.opened), approved.unwrap_or_default());
    show(&text, 4096).as_str().to_owned()
}

/// Who resolved a bill, when and why, and whether that stands.
fn resolved(out: &Out, resolution: &Resolution<'_>) -> String {
    let Resolution { by, at, reason, stands } = *resolution;
    if !stands {
        return resolved_before(out, by, at, reason);
    }
    let by = format!("{} {}", by.said(out.lang), out.time(at));
    let words = out.colon(&format!("resolved by {by}"), &format!("已办结，由 {by}"), reason);
    show(&words, 4096).as_str().to_owned()
}

/// Who had resolved a bill that changed since, when and why.
pub(super) fn resolved_before(out: &Out, by: &Who, at: Ts, reason: &str) -> String {
    let by = format!("{} {}", by.said(out.lang), out.time(at));
    let words = out.colon(
        &format!("an entry again because the bill changed; resolved before by {by}"),
        &format!("单据有变化，重新列入遗留；此前已办结，由 {by}"),
        reason,
    );
    show(&words, 4096).as_str().to_owned()
}

/// What was sent, or what is left of it.
fn sent(out: &Out, body: &Body) -> String {
    match &body.sha256 {
        Some(hash) if body.is_forgotten() => {
            let words = out.t("kept no longer ([retention] bodies)", "已过保留期清除（[retention] bodies）");
            out.colon(words, words, &format!("{} {}, SHA-256 {hash}", body.len, out.t("bytes", "字节")))
        }
        _ => text_of(body),
    }
}

fn text_of(body: &Body) -> String {
    show(&String::from_utf8_lossy(&body.bytes.0), BODY).as_str().to_owned()
}

/// A status that a read found; some records have none.
fn found_as(out: &Out, status: Option<&Status>) -> String {
    match status {
        Some(status) if status.code().is_empty() => out.t("found", "读到").to_owned(),
        status => format!("{} {}", out.t("found in status", "读到，状态"), told(out, status, "?")),
    }
}

/// A status in words and code; what stands where there is none.
fn told(out: &Out, status: Option<&Status>, none: &str) -> String {
    status.map_or_else(|| none.to_owned(), |status| show(&status.told(out.lang), 200).into_string())
}

/// The same of a read that came after a call.
fn read_as(out: &Out, status: Option<&Status>) -> String {
    match status {
        Some(status) if status.code().is_empty() => out.t("read back: it is there", "回查：已存在").to_owned(),
        status => format!("{} {}", out.t("read back: status", "回查：状态"), told(out, status, "-")),
    }
}

fn sentence(out: &Out, key: &WorkKey, fact: &Fact) -> String {
    let text = match &fact.event {
        Event::BillsFound { run, bills } => {
            let bill = bills.iter().find(|b| b.fid == key.record.fid);
            let found = found_as(out, bill.map(|bill| &bill.rev.status));
            let probe = bills.iter().find_map(|bill| bill.probe.as_ref());
            let probe = probe.map_or(String::new(), |cause| {
                out.colon(
                    "  tried although unchanged, one bill a day, to see whether the cause is gone",
                    "  未变化仍调用，每天试一张，看原因是否已消除",
                    &out.cause(cause.as_str()),
                )
            });
            format!("{found}  {run}{probe}")
        }
        Event::StepTried { step, attempt, .. } => {
            format!("{} {}", out.t("sending", "发出"), out.tried(&key.op, *step, u64::from(*attempt)))
        }
        Event::StepAnswered { step, ms, verdict, side, .. } => {
            let said = match verdict {
                Verdict::Done => out.t("done", "成功").to_owned(),
                Verdict::Rejected(f) => {
                    let refused = format!("{}{}", out.t("refused, ", "被拒绝，"), out.cause(f.cause.as_str()));
                    out.noting(&refused, &f.message)
                }
                Verdict::NotSent(why) => out.on_the_way(out.t("not sent", "未发出"), why),
                Verdict::Unknown(why, detail) => {
                    let about = out.colon("no usable response", "无可用响应", &out.cause(why.word()));
                    match why {
                        UnknownWhy::Broken => out.on_the_way(&about, detail),
                        _ if detail.is_empty() => about,
                        _ => out.noting(&about, detail),
                    }
                }
            };
            let side = if side.is_empty() { String::new() } else { format!("  [{}]", side.join("; ")) };
            format!("{} {ms} ms{}{said}{side}", out.step(&key.op, *step), out.t(", ", "，"))
        }
        Event::BillRead { rev, approver, fields, .. } => {
            let mut said = vec![read_as(out, rev.as_ref().map(|rev| &rev.status))];
            said.extend(fields.iter().map(|(path, value)| format!("{path}={value}")));
            said.extend(approver.clone());
            said.join(" ")
        }
        Event::BillDeferred { cause, .. } if matches!(cause.as_str(), known::SAVED | known::SUBMITTED) => {
            out.t("the step took, the next one follows", "此步已完成，接着下一步").to_owned()
        }
        Event::BillDeferred { until, cause, .. } => {
            format!("{} {} {}", out.t("retries at", "待重试"), out.time(*until), out.cause(cause.as_str()))
        }
        Event::BillSettled { outcome, .. } => {
            format!("= {} {}", out.slot(&key.op, outcome.slot()), out.reason(&key.op, outcome))
        }
        Event::LedgerResolved { by, reason, .. } => {
            out.quoting(&format!("{} {}", out.t("resolved by", "已办结，由"), by.said(out.lang)), reason)
        }
        Event::LedgerReopened { by, reason, .. } => {
            out.quoting(&format!("{} {}", out.t("re-opened by", "撤销办结，由"), by.said(out.lang)), reason)
        }
        other => other.run().map(|r| r.to_string()).unwrap_or_default(),
    };
    show(&text, 4096).as_str().to_owned()
}
