//! Verbs that write files: a list of bills as it is, and a report of them.

use std::path::Path;

use super::args::{EvidenceArgs, ExportArgs, Format, HandoverArgs, HandoverFormat, ReportArgs, ReportFormat};
use super::context::Context;
use super::out::Out;
use super::{asked, output, select};
use crate::boot::{self, Booted};
use crate::domain::filter::{self, Filter, Key, Term, Test};
use crate::domain::query::Scope;
use crate::domain::time::{Clock, Ts};
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};
use crate::export::file::Part;
use crate::export::handover::{self, Handover};
use crate::export::report::{self, Form, Kept, Report};
use crate::export::{self, Export, ExportError};
use crate::store::evidence;
use crate::text::show;

/// `export`.
pub(super) async fn export(booted: &Booted, out: &Out, args: &ExportArgs) -> Result<Exit, Stop> {
    let scope = match (&args.run, args.all) {
        (Some(run), _) => Scope::Run(asked::find_run(&*booted.link, out, run).await?.head.id),
        (None, true) => Scope::History,
        (None, false) => Scope::Ledger,
    };
    let ending = ending(&args.file);
    let format = match (args.format, ending.as_str()) {
        (Some(Format::Csv), _) | (None, "csv") => export::Format::Csv,
        (Some(Format::Jsonl), _) | (None, "jsonl" | "json") => export::Format::JsonLines,
        (Some(Format::Md), _) | (None, "md") => export::Format::Markdown,
        (Some(Format::Html), _) | (None, "html" | "htm") => export::Format::Html,
        (None, _) => {
            let (en, zh) = (
                "which format? give --format, or a file ending in .csv, .jsonl, .json, .md or .html",
                "未导出：不知道格式。请加 --format，或用以 .csv、.jsonl、.json、.md、.html 结尾的文件名",
            );
            return Err(Stop::usage(out.t(en, zh)));
        }
    };
    let filter = select::filter(&*booted.link, out, &args.filter).await?;
    let wanted = Export { scope, filter, format, path: args.file.display().to_string(), force: args.force };
    let style = export::Style { codes: args.codes, ..style(out) };
    let written =
        export::to_file(booted.link.clone(), &wanted, style, |_| {}).await.map_err(|error| not_written(out, &error))?;
    let form = match format {
        export::Format::Csv => "CSV",
        export::Format::JsonLines => out.t("JSON lines: one object a line", "JSON Lines：每行一个对象"),
        export::Format::Markdown => "Markdown",
        export::Format::Html => "HTML",
    };
    let path = written.path.display();
    let (en, zh) =
        (format!("{} bills → {path} ({form})", written.rows), format!("{} 张 → {path}（{form}）", written.rows));
    out.line(out.t(&en, &zh))?;
    Ok(Exit::Ok)
}

/// `report`.
pub(super) async fn report(booted: &Booted, out: &Out, args: &ReportArgs) -> Result<Exit, Stop> {
    let form = form(out, args)?;
    let (scope, filter, typed) = wanted(&*booted.link, out, args).await?;
    let (codes, force) = (args.codes, args.force);
    let wanted = Report { scope, filter, typed, form, path: args.file.display().to_string(), force, codes };
    let kept = out.views.with_file_name(report::KEPT);
    let last = Kept::load(&kept).last(&wanted.name()).cloned();
    let written = report::to_file(booted.link.clone(), &wanted, style(out), last).await;
    let written = written.map_err(|error| not_written(out, &error))?;
    // A verb that only reads makes no data directory.
    if kept.parent().is_some_and(Path::is_dir)
        && let Err(error) = Kept::keep(&kept, &wanted.name(), written.seen)
    {
        let en = "the next report will not say what changed since this one";
        let lost = Stop::system(Exit::Output, en, "下一份报告将不能说明与本次相比的变化", &error);
        out.note(&lost.spoken(out.lang).message);
    }
    if out.json {
        let path = written.path.display().to_string();
        out.object(
            &serde_json::json!({"type": "report", "bills": written.bills, "groups": written.groups, "path": path}),
        )?;
        return Ok(Exit::Ok);
    }
    let path = written.path.display();
    let (en, zh) = (
        format!("{} bills of {} causes and outcomes → {path}", written.bills, written.groups),
        format!("{} 张，{} 种原因和结果 → {path}", written.bills, written.groups),
    );
    out.line(out.t(&en, &zh))?;
    Ok(Exit::Ok)
}

fn form(out: &Out, args: &ReportArgs) -> Result<Form, Stop> {
    match (args.format, ending(&args.file).as_str()) {
        (Some(ReportFormat::Xlsx), _) | (None, "xlsx") => Ok(Form::Xlsx),
        (Some(ReportFormat::Html), _) | (None, "html" | "htm") => Ok(Form::Html),
        (Some(ReportFormat::Md), _) | (None, "md") => Ok(Form::Markdown),
        (None, _) => Err(out.usage(
            "which form? give --format, or a file ending in .xlsx, .html or .md",
            "未写报告：不知道格式。请加 --format，或用以 .xlsx、.html、.md 结尾的文件名",
        )),
    }
}

/// Of what, which bills, and how that is called.
async fn wanted(link: &dyn Link, out: &Out, args: &ReportArgs) -> Result<(Scope, Filter, String), Stop> {
    let span = span(args);
    let scope = match (&args.run, args.all || !span.is_empty()) {
        (Some(run), _) => Scope::Run(asked::find_run(link, out, run).await?.head.id),
        (None, true) => Scope::History,
        (None, false) => Scope::Ledger,
    };
    let text = format!("{} {span}", args.filter.trim());
    let mut filter = select::filter(link, out, text.trim()).await?;
    let mut typed = text.trim().to_owned();
    if let Some(plan) = select::plan(link, out, args.plan.as_ref()).await? {
        typed = [&typed, " plan:", plan.as_str()].concat();
        filter.terms.push(Term { not: false, test: Test::Is(Key::Plan, vec![plan.to_string()]) });
    }
    Ok((scope, filter, typed.trim().to_owned()))
}

/// The span as a filter says it; a time of the day stands behind a `T` there.
fn span(args: &ReportArgs) -> String {
    let word = |time: &String| time.trim().replace(' ', "T");
    match (&args.since, &args.until) {
        (Some(since), Some(until)) => format!("ran:{}..{}", word(since), word(until)),
        (Some(since), None) => format!("ran:>={}", word(since)),
        (None, Some(until)) => format!("ran:<={}", word(until)),
        (None, None) => String::new(),
    }
}

/// `handover`.
pub(super) async fn handover(booted: &Booted, out: &Out, args: &HandoverArgs) -> Result<Exit, Stop> {
    let style = style(out);
    let since = match &args.since {
        None => evening(&style),
        Some(text) => filter::first_moment(text, &style.zone, style.now)
            .map_err(|e| out.usage(&format!("--since: {}", e.fault), &format!("--since：{}", e.fault.zh())))?,
    };
    if since > style.now {
        let text = show(args.since.as_deref().unwrap_or_default(), 200);
        return Err(out.usage(
            &format!("--since: `{text}` is not here yet; expected a time up to now"),
            &format!("--since：`{text}` 还没有到；请写现在以前的时间"),
        ));
    }
    let form = match (args.format, args.file.as_deref().map(ending).as_deref()) {
        (Some(HandoverFormat::Md), _) | (None, Some("md")) => handover::Form::Markdown,
        (Some(HandoverFormat::Html), _) | (None, Some("html" | "htm")) => handover::Form::Html,
        (Some(HandoverFormat::Text), _) | (None, Some("txt") | None) => handover::Form::Text,
        (None, Some(_)) => {
            return Err(out.usage(
                "which form? give --format, or a file ending in .md, .html or .txt",
                "未写交接：不知道格式。请加 --format，或用以 .md、.html、.txt 结尾的文件名",
            ));
        }
    };
    if let Some(file) = &args.file {
        let wanted = handover::Wanted { since, form, path: file.display().to_string(), force: args.force };
        let path = handover::to_file(booted.link.clone(), &wanted, &style).await;
        let path = path.map_err(|error| not_written(out, &error))?.display().to_string();
        if out.json {
            out.object(&serde_json::json!({"type": "handover", "path": path}))?;
        } else {
            out.line(&format!("→ {path}"))?;
        }
        return Ok(Exit::Ok);
    }
    let gathered = handover::gather(&*booted.link, since, &style).await.map_err(|error| not_written(out, &error))?;
    if out.json {
        out.object(&json(&gathered))?;
    } else {
        output::lines(handover::render(&gathered, form, style.lang).lines())?;
    }
    Ok(Exit::Ok)
}

/// `evidence`. Of what the directory holds: it is read as it stands, in use or not.
pub(super) async fn evidence(context: &Context, args: &EvidenceArgs) -> Result<Exit, Stop> {
    let out = context.out();
    let booted = context.boot(Vec::new(), false).await?;
    let row = asked::find_run(&*booted.link, &out, &args.run).await;
    booted.end(None).await?;
    let run = row?.head.id;
    let part = Part::begin(&args.file.display().to_string(), args.force).map_err(|error| not_written(&out, &error))?;
    let mut file = std::io::BufWriter::new(part.file().map_err(|error| not_written(&out, &error))?);
    let made =
        serde_json::json!({"at": out.time(context.clock.now()), "by": concat!("skydeck ", env!("CARGO_PKG_VERSION"))});
    let sealed = evidence::write(&context.paths.data, run, &made, &mut file).map_err(|why| match why {
        evidence::Unwritten::Store(error) => boot::store_stop(error),
        evidence::Unwritten::File(error) => not_written(&out, &part.fault(&error)),
    })?;
    std::io::Write::flush(&mut file).map_err(|error| not_written(&out, &part.fault(&error)))?;
    drop(file);
    let path = part.keep().map_err(|error| not_written(&out, &error))?.display().to_string();
    let evidence::Sealed { appends, calls, lines, seal } = sealed;
    if out.json {
        out.object(&serde_json::json!({
            "type": "evidence", "run": run, "path": path, "appends": appends, "calls": calls, "log": lines, "seal": seal,
        }))?;
        return Ok(Exit::Ok);
    }
    let (en, zh) = (
        format!("{appends} appends, {calls} calls, {lines} lines of the action log → {path}"),
        format!("流水 {appends} 次写入，调用 {calls} 次，操作日志 {lines} 行 → {path}"),
    );
    out.line(out.t(&en, &zh))?;
    out.line(&out.colon("seal, to be kept apart from the file", "封印，请与文件分开保存", &seal))?;
    Ok(Exit::Ok)
}

fn json(handover: &Handover) -> serde_json::Value {
    let sections = handover.sections.iter().map(|section| {
        serde_json::json!({"heading": section.heading, "columns": section.columns, "rows": section.rows, "more": section.more})
    });
    serde_json::json!({"type": "handover", "about": handover.about, "sections": sections.collect::<Vec<_>>()})
}

/// The evening before: 18:00 of yesterday, by the clock of this machine.
fn evening(style: &export::Style) -> Ts {
    let yesterday = filter::first_moment("yesterday", &style.zone, style.now).unwrap_or(style.now);
    yesterday.plus(std::time::Duration::from_secs(18 * 60 * 60))
}

fn ending(file: &Path) -> String {
    file.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn style(out: &Out) -> export::Style {
    let (zone, now) = (boot::zone(), boot::SystemClock::default().now());
    export::Style { zone, lang: out.lang, causes: out.causes.clone(), codes: false, now }
}

/// A name that is taken is a matter of usage; a disk that takes no more is output that is lost.
fn not_written(out: &Out, error: &ExportError) -> Stop {
    let said = error.said(out.lang);
    match error {
        ExportError::Link(error) => Stop::from(error.clone()),
        ExportError::WrongAnswer => Stop::odd_answer(),
        ExportError::Exists(_) => {
            Stop::usage(format!("{said}{}", out.t(", or add --force to replace it", "，或加 --force 替换它")))
        }
        ExportError::Directory(_) | ExportError::NoDirectory(_) => Stop::usage(said),
        ExportError::File { .. } => Stop::new(Exit::Output, said),
    }
}
