//! `log`: the action log shown, verified, exported, and accepted where it and the journal disagree.
//!
//! Invariant: nothing is exported of which the chain was not checked; the file is only ever read here.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::args::{Approval, LogArgs, LogVerb};
use super::context::Context;
use super::out::Out;
use crate::boot::{self, store_stop};
use crate::domain::action_log::{LogFault, LogWitness};
use crate::domain::action_words;
use crate::domain::command::Command;
use crate::domain::event::ActionEntry;
use crate::domain::ids::Seq;
use crate::domain::query::{Answer, PageRequest, Query};
use crate::domain::time::Ts;
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};
use crate::store::account::read::{self, Reading};
use crate::store::account::{self, Head, Told, Verified};
use crate::store::actions::{self, Line};
use crate::store::local::place::Place;
use crate::text::show;

/// Differences named.
const NAMED: usize = 10;

/// A place where the time went back. The order of what happened is that of the places; the times beside it are not to be
/// trusted there.
struct Back {
    what: &'static str,
    at: u64,
    from: String,
    to: String,
}

impl Back {
    fn fact(out: &Out, seq: Seq, from: Ts, to: Ts) -> Self {
        Self { what: "fact", at: seq.0, from: out.time(from), to: out.time(to) }
    }

    fn json(&self) -> serde_json::Value {
        json!({"what": self.what, "at": self.at, "from": self.from, "to": self.to})
    }

    fn words(&self, out: &Out) -> String {
        let Self { what, at, from, to } = self;
        let place = match *what {
            "fact" => out.t("fact", "流水记录"),
            _ => out.t("line", "行"),
        };
        let words = out.t("the machine's clock was set back before", "本机时钟曾被调回，见");
        let trust = out.t("the order is that of the places", "先后以序号为准");
        let (colon, then) = (out.t(": ", "："), out.t("; ", "；"));
        format!("! {words} {place} {at}{colon}{from} → {to}{then}{trust}")
    }
}

/// Shows, verifies, exports or accepts.
pub(super) async fn run(context: &Context, args: LogArgs) -> Result<Exit, Stop> {
    let out = context.out();
    let data = || match &context.global.attach {
        None => Ok(context.paths.data.as_path()),
        Some(_) => Err(out.usage(
            "the file belongs to the engine's user: verify and export it as that user, without --attach",
            "操作日志属于引擎的用户：请以该用户身份核对或导出，不要用 --attach",
        )),
    };
    match args.verb {
        None => {
            let booted = context.boot(Vec::new(), false).await?;
            let shown = show_page(&*booted.link, &out, args.limit).await;
            booted.end(None).await?;
            shown
        }
        Some(LogVerb::Verify { head }) => verify(&out, &found(context, data()?, head.as_ref()).await?, &named(context)),
        Some(LogVerb::Head) => head(&out, found(context, data()?, None).await?, &named(context)),
        Some(LogVerb::Export { since, csv, file }) => {
            let data = data()?;
            export(&out, &named(context), since, csv, &file)?;
            // The lines are written as they stand; whether they are all, and the ones that were written, is another thing.
            let faults = found(context, data, None).await?.account.faults;
            if faults.is_empty() { Ok(Exit::Ok) } else { Err(unsound(&out, &named(context), &faults)) }
        }
        Some(LogVerb::Accept { reason }) => {
            let booted = context.boot(Vec::new(), false).await?;
            let driver = context.driver(&booted, Approval::default());
            let done = driver.order(Command::AcceptLog { reason }).await;
            booted.end(None).await?;
            done?;
            if out.json {
                out.object(&json!({"type": "log_accepted"}))?;
            } else {
                out.line(
                    out.t("accepted; it stands in the log, and runs may start", "已接受并记入日志，可以启动运行"),
                )?;
            }
            Ok(Exit::Ok)
        }
    }
}

/// The file itself, also where a copy of the directory is looked at; the copy's where there is none yet.
fn named(context: &Context) -> std::path::PathBuf {
    let original = context.snapshot.as_ref().map(|snapshot| snapshot.of.join(actions::FILE));
    original.filter(|file| file.exists()).unwrap_or_else(|| context.paths.data.join(actions::FILE))
}

async fn show_page(link: &dyn Link, out: &Out, limit: u32) -> Result<Exit, Stop> {
    let Answer::Actions(page) = link.ask(Query::Actions(PageRequest::first(limit))).await? else {
        return Err(
            out.usage("unexpected reply from the engine: restart skydeck", "引擎返回了意外内容：请重启 skydeck")
        );
    };
    let rows: Vec<_> = page.rows.into_iter().map(|(_, row)| row).collect();
    if out.json {
        for (seq, at, entry) in rows {
            out.object(&json!({
                "type": "action", "seq": seq.0, "at": out.time(at), "by": entry.by, "verb": entry.verb, "run": entry.run,
                "plan": entry.plan, "bills": entry.bills, "reason": entry.reason, "result": entry.result, "line": entry.line,
            }))?;
        }
        return Ok(Exit::Ok);
    }
    let head = [
        out.t("when", "时间"),
        out.t("who", "操作员"),
        out.t("what", "操作"),
        out.t("plan", "方案"),
        out.t("bills", "张数"),
        out.t("reason", "理由"),
        out.t("result", "结果"),
    ];
    let row = |(_, at, entry): (Seq, Ts, ActionEntry)| {
        let result = if out.is_zh() {
            action_words::zh(&entry, &|cause| out.cause(cause.as_str()))
        } else {
            entry.result.clone()
        };
        vec![
            out.time(at),
            entry.by.said(out.lang),
            out.console().verb(&entry.verb).map_or(entry.verb, str::to_owned),
            entry.plan.map(|plan| plan.to_string()).unwrap_or_default(),
            entry.bills.to_string(),
            entry.reason.unwrap_or_default(),
            result,
        ]
    };
    out.table(&head, rows.into_iter().map(row).collect())?;
    Ok(Exit::Ok)
}

/// The journal, wherever it is, compared with this machine's file.
async fn found(context: &Context, data: &Path, head: Option<&Head>) -> Result<Verified, Stop> {
    if !data.exists() {
        return Err(context.out().nothing_in(data));
    }
    let database = boot::database(&context.config, &context.paths.config_dir(), &context.known)?;
    match database.filter(|_| context.snapshot.is_none()) {
        Some(database) => in_database(database, data, head).await,
        None => account::of_directory(data, head).map_err(store_stop),
    }
}

/// The same of a store in a database, whose own chain is verified by `store check`.
#[cfg(feature = "postgres")]
async fn in_database(database: boot::Database, data: &Path, head: Option<&Head>) -> Result<Verified, Stop> {
    let settings = database.settings().clone();
    let looked = tokio::task::spawn_blocking(move || crate::postgres::PgStore::look(settings)).await;
    let looked = looked.map_err(|e| Stop::system(Exit::Refused, "the store", "存储", &e))?;
    let store = Arc::new(looked.map_err(store_stop)?);
    let name = Place::new(data).name().map_err(store_stop)?;
    let hash_of = async |seq| store.chained(seq).await;
    let verified = account::of_database(&data.join(actions::FILE), (&*store, &name), head, hash_of).await;
    let _ = tokio::task::spawn_blocking(move || drop(store)).await;
    verified.map_err(store_stop)
}

/// This program was built without databases.
#[cfg(not(feature = "postgres"))]
async fn in_database(_: boot::Database, _: &Path, _: Option<&Head>) -> Result<Verified, Stop> {
    Err(boot::without_database())
}

/// Where the log and the journal disagree, as an end of the verb.
fn unsound(out: &Out, file: &Path, faults: &[LogFault]) -> Stop {
    let words: Vec<String> =
        faults.iter().take(NAMED).map(|fault| out.t(&fault.en(), &fault.zh()).to_owned()).collect();
    let advice = out.t(
        "Somebody changed one of them, an older copy of one was put back, or the disk did it: keep both, compare with a backup, \
         a head kept elsewhere or the system's journal; `skydeck log accept --reason …` once that is known. No run starts \
         before",
        "有人改动过其中之一，或放回了旧副本，或磁盘出错：请保留两者，与备份、另行保存的链首或系统日志比对；查明后执行 \
         `skydeck log accept --reason …`。此前不会启动任何运行",
    );
    let (colon, then, stop) = (out.t(": ", "："), out.t("; ", "；"), out.t(". ", "。"));
    let said = show(&words.join(then), 4000).into_string();
    Stop::new(Exit::Unsound, format!("{}{colon}{said}{stop}{advice}", file.display()))
}

fn head(out: &Out, verified: Verified, file: &Path) -> Result<Exit, Stop> {
    let Verified { head, account, .. } = verified;
    if !account.faults.is_empty() {
        return Err(unsound(out, file, &account.faults));
    }
    if out.json {
        out.object(&json!({
            "type": "log_head", "head": head.to_string(), "line": head.line, "fact": head.fact, "chain": head.chain,
        }))?;
    } else {
        out.line(&head.to_string())?;
    }
    Ok(Exit::Ok)
}

fn verify(out: &Out, verified: &Verified, file: &Path) -> Result<Exit, Stop> {
    let (log, told, faults) = (&verified.log, &verified.told, &verified.account.faults);
    let mut back: Vec<Back> = told.back.iter().map(|(seq, from, to)| Back::fact(out, *seq, *from, *to)).collect();
    back.extend(log.back.iter().map(|(line, from, to)| Back {
        what: "line",
        at: *line,
        from: from.clone(),
        to: to.clone(),
    }));
    if out.json {
        let accepted = told.accepted().map(|witness| witness.at.seq);
        out.object(&json!({
            "type": "log_verify", "sound": faults.is_empty(), "lines": log.rows.len(), "head": log.head(),
            "fault": faults.first().map(LogFault::en), "faults": faults, "unfinished": log.unfinished,
            "journal_entries": told.entries.len(), "journal_newest_line": told.newest_line().seq,
            "before_the_file": told.silent, "without_entry": verified.account.loose, "torn_bytes": log.torn,
            "accepted_up_to": accepted, "last_fact": told.last, "kept_head": verified.head.to_string(),
            "pruned_since": verified.pruned.as_ref().map(|pruned| pruned.old_last),
            "times_back": back.iter().map(Back::json).collect::<Vec<_>>(),
        }))?;
    } else {
        said(out, file, verified)?;
        for step in back.iter().take(NAMED) {
            out.line(&step.words(out))?;
        }
        if back.len() > NAMED {
            out.line(&format!("… {} {}", back.len() - NAMED, out.t("more", "处")))?;
        }
    }
    if faults.is_empty() { Ok(Exit::Ok) } else { Err(unsound(out, file, faults)) }
}

fn said(out: &Out, file: &Path, verified: &Verified) -> Result<(), Stop> {
    let Verified { told, log, account, head, pruned } = verified;
    let broken = log.fault.is_some();
    let chain =
        if broken { out.t("whole lines", "行完整") } else { out.t("lines in chain", "行，校验链完整") };
    out.line(&format!("{}{}{} {chain}", file.display(), out.t(": ", "："), log.rows.len()))?;
    out.line(&format!("{} {}", out.t("head", "链首"), head.line.hash))?;
    let agree = out.t("entries of the journal were compared", "条流水记录已比对");
    out.line(&format!("{} {agree}", told.entries.len()))?;
    if !log.unfinished.is_empty() {
        let words = out.t("begun and cut short by a crash, lines", "因崩溃中断的操作，行号");
        out.line(&format!("{words} {}", listed(&log.unfinished)))?;
    }
    if !account.loose.is_empty() {
        let words =
            out.t("written when a process was killed, without an entry, lines", "进程被终止时写入、没有对应记录，行号");
        out.line(&format!("{words} {}", listed(&account.loose)))?;
    }
    if log.torn > 0 {
        let words =
            out.t("bytes torn by a crash at the end; the next start cuts them", "字节在崩溃时不完整，下次启动时截去");
        out.line(&format!("{} {words}", log.torn))?;
    }
    if let Some(LogWitness { at, .. }) = told.accepted() {
        let words = out.t("accepted by a person as it was, up to line", "已由人接受，到此行为止：");
        out.line(&format!("{words} {}", at.seq))?;
    }
    if let Some(pruned) = pruned {
        let words = out.t(
            "the journal was pruned since that head was kept: its part of the head cannot be compared; the file was",
            "保存该链首之后流水做过清除：链首中流水部分无法比对，操作日志部分已比对",
        );
        out.line(
            &show(
                &format!(
                    "{words}{}{}{}{}{}",
                    out.t(" (", "（"),
                    pruned.by.said(out.lang),
                    out.t(", ", "，"),
                    pruned.rule,
                    out.t(")", "）")
                ),
                1000,
            )
            .into_string(),
        )?;
    }
    Ok(())
}

fn listed(lines: &[u64]) -> String {
    let some: Vec<String> = lines.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if lines.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", some.join(", "))
}

/// Reads the file for an export, from where the journal says that a person accepted it.
fn read_file(file: &Path, each: impl FnMut(&str, &Line) -> std::io::Result<()>) -> Result<Reading, Stop> {
    let mut told = Told::default();
    if let Some(data) = file.parent() {
        // A journal that cannot be read keeps no line of the file from being exported.
        told = account::told_by(data).unwrap_or_default();
    }
    let read = read::read(file, told.accepted(), each);
    let at = file.display();
    read.map_err(|e| Stop::system(Exit::Usage, &at, &at, &e))
}

/// Headings of the sheet.
const HEADINGS: [&str; 17] = [
    "seq",
    "ts",
    "host",
    "phase",
    "uid",
    "login",
    "from",
    "action",
    "env",
    "plan",
    "run",
    "n",
    "reason",
    "result",
    "hash_before",
    "name",
    "code",
];

/// The cells of a line under these headings.
fn cells(line: &Line) -> [String; 17] {
    let deed = &line.deed;
    let phase = serde_json::to_value(deed.phase).ok();
    let cells = [
        line.seq.to_string(),
        line.ts.clone(),
        line.host.clone(),
        phase.as_ref().and_then(|phase| phase.as_str()).unwrap_or_default().to_owned(),
        deed.by.uid.to_string(),
        deed.by.login.clone(),
        deed.by.from.clone().unwrap_or_default(),
        deed.action.clone(),
        deed.env.clone().unwrap_or_default(),
        deed.plan.clone().unwrap_or_default(),
        deed.run.clone().unwrap_or_default(),
        deed.n.to_string(),
        deed.reason.clone().unwrap_or_default(),
        deed.result.clone(),
        line.prev.clone(),
        deed.by.name.clone().unwrap_or_default(),
        deed.code.clone().unwrap_or_default(),
    ];
    // A cell that a spreadsheet would take for a formula is made text.
    cells.map(|cell| crate::text::csv_safe(&cell))
}

fn export(out: &Out, file: &Path, since: Option<chrono::NaiveDate>, csv: bool, to: &Path) -> Result<(), Stop> {
    let said = |e: &dyn std::fmt::Display| out.failed(&to.display().to_string(), "cannot be written", "无法写入", e);
    let mut sink: Box<dyn Write> = if to == Path::new("-") {
        Box::new(std::io::BufWriter::new(super::output::Stdout))
    } else {
        let created = std::fs::OpenOptions::new().write(true).create_new(true).open(to);
        Box::new(std::io::BufWriter::new(created.map_err(|e| said(&e))?))
    };
    let since = since.map(|day| day.to_string()).unwrap_or_default();
    let mut rows = 0_u64;
    let mut sheet = csv.then(|| csv::Writer::from_writer(Vec::new()));
    if let Some(sheet) = &mut sheet {
        sink.write_all("\u{feff}".as_bytes())?;
        sheet.write_record(HEADINGS).map_err(|e| said(&e))?;
    }
    let mut lost = None;
    let found = read_file(file, |text, line| {
        if line.ts.as_str() < since.as_str() {
            return Ok(());
        }
        rows += 1;
        let Some(sheet) = &mut sheet else {
            return writeln!(sink, "{}", if to == Path::new("-") { crate::text::json_safe(text) } else { text.into() })
                .map_err(|error| {
                    let again = std::io::Error::new(error.kind(), error.to_string());
                    lost = Some(error);
                    again
                });
        };
        sheet.write_record(cells(line)).map_err(std::io::Error::other)
    });
    // It is not the log that could not be read.
    if let Some(error) = lost {
        return Err(Stop::from(error));
    }
    let found = found?;
    if let Some(sheet) = sheet {
        sink.write_all(&sheet.into_inner().map_err(|e| said(&e))?)?;
    }
    sink.flush()?;
    if !found.exists {
        let words = out.t(": there is no action log", "：没有操作日志");
        return Err(Stop::usage(format!("{}{words}", file.display())));
    }
    if let Some(fault) = found.fault {
        let only = out.t("only the lines before it were written", "只写出了它之前的行");
        let words = out.t(&fault.en(), &fault.zh()).to_owned();
        let (colon, then) = (out.t(": ", "："), out.t("; ", "；"));
        return Err(Stop::new(Exit::Unsound, format!("{}{colon}{words}{then}{only}", file.display())));
    }
    if to != Path::new("-") {
        out.line(&format!("{rows} {} → {}", out.t("lines", "行"), to.display()))?;
    }
    Ok(())
}
