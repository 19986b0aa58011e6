//! `log`: the action log shown, verified and exported.
//!
//! Invariant: nothing is exported of which the chain was not checked; the file is only ever read here.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::args::{LogArgs, LogVerb};
use super::exit::{Exit, Stop};
use super::out::Out;
use crate::domain::event::ActionEntry;
use crate::domain::ids::Seq;
use crate::domain::query::{Answer, PageRequest, Query};
use crate::domain::time::Ts;
use crate::link::Link;
use crate::store::actions::{self, Line, Verified};

/// Entries of the journal asked for at once.
const PAGE: u32 = 500;
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
    fn json(&self) -> serde_json::Value {
        json!({"what": self.what, "at": self.at, "from": self.from, "to": self.to})
    }

    fn words(&self, out: &Out) -> String {
        let Self { what, at, from, to } = self;
        let place = match *what {
            "fact" => out.t("fact", "日志（journal）记录"),
            _ => out.t("line", "行"),
        };
        let words = out.t("the machine's clock was set back before", "本机时钟曾被调回，见");
        let trust = out.t("the order is that of the places", "先后以序号为准");
        let (colon, then) = (out.t(": ", "："), out.t("; ", "；"));
        format!("! {words} {place} {at}{colon}{from} → {to}{then}{trust}")
    }
}

/// Shows, verifies or exports. `data`: where the file lies; `None` where the owner is another user.
pub async fn run(link: &dyn Link, out: &Out, data: Option<&Path>, args: LogArgs) -> Result<Exit, Stop> {
    let file = || {
        data.map(|dir| dir.join(actions::FILE))
            .ok_or_else(|| Stop::usage("the file is the owner's: verify and export it as that user, without --attach"))
    };
    match args.verb {
        None => show(link, out, args.limit).await,
        Some(LogVerb::Verify) => verify(link, out, &file()?).await,
        Some(LogVerb::Export { since, csv, file: to }) => export(out, &file()?, since, csv, &to),
    }
}

async fn page(
    link: &dyn Link,
    request: PageRequest,
) -> Result<(Vec<(Seq, Ts, ActionEntry)>, Option<PageRequest>), Stop> {
    let limit = request.limit;
    let Answer::Actions(page) = link.ask(Query::Actions(request)).await? else {
        return Err(Stop::usage("the owner answered another question"));
    };
    let cursor = page.rows.last().map(|(cursor, _)| cursor.clone()).filter(|_| page.more);
    let next = cursor.map(|cursor| PageRequest { cursor: Some(cursor), back: false, limit });
    Ok((page.rows.into_iter().map(|(_, row)| row).collect(), next))
}

async fn show(link: &dyn Link, out: &Out, limit: u32) -> Result<Exit, Stop> {
    let (rows, _) = page(link, PageRequest::first(limit)).await?;
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
        out.t("who", "何人"),
        out.t("what", "操作"),
        out.t("plan", "方案"),
        out.t("bills", "单据"),
        out.t("reason", "理由"),
        out.t("result", "结果"),
    ];
    let row = |(_, at, entry): (Seq, Ts, ActionEntry)| {
        vec![
            out.time(at),
            entry.by.to_string(),
            entry.verb,
            entry.plan.map(|plan| plan.to_string()).unwrap_or_default(),
            entry.bills.to_string(),
            entry.reason.unwrap_or_default(),
            entry.result,
        ]
    };
    out.table(&head, rows.into_iter().map(row).collect())?;
    Ok(Exit::Ok)
}

fn read(file: &Path, each: impl FnMut(&str, &Line) -> std::io::Result<()>) -> Result<Verified, Stop> {
    actions::verify(file, each).map_err(|e| Stop::usage(format!("{}: {e}", file.display())))
}

async fn verify(link: &dyn Link, out: &Out, file: &Path) -> Result<Exit, Stop> {
    // The journal first: every entry it tells of has its line by now, whatever is ordered meanwhile.
    let (mut told, mut silent, mut next) = (Vec::new(), 0_u64, Some(PageRequest::first(PAGE)));
    let (mut back, mut later) = (Vec::new(), None::<(Seq, Ts)>);
    while let Some(request) = next {
        let (rows, more) = page(link, request).await?;
        for (seq, at, entry) in rows {
            // The newest come first.
            if let Some((after, is)) = later.replace((seq, at)).filter(|(_, is)| at.since(*is) > actions::CLOCK_STEP) {
                back.push(Back { what: "fact", at: after.0, from: out.time(at), to: out.time(is) });
            }
            match entry.line {
                Some(line) => told.push((seq, line)),
                None => silent += 1,
            }
        }
        next = more;
    }
    let found = read(file, |_, _| Ok(()))?;
    let mut wrong: Vec<String> = Vec::new();
    back.extend(found.back.iter().map(|(line, from, to)| Back {
        what: "line",
        at: *line,
        from: from.clone(),
        to: to.clone(),
    }));
    let newest = told.first().map_or(0, |(_, line)| line.seq);
    for (seq, line) in &told {
        let at = usize::try_from(line.seq.saturating_sub(1)).ok().and_then(|at| found.hashes.get(at));
        if at != Some(&line.hash) && found.fault.is_none() {
            wrong.push(format!("fact {} tells of line {} with another hash", seq.0, line.seq));
        }
    }
    let sound = found.fault.is_none() && wrong.is_empty();
    if out.json {
        out.object(&json!({
            "type": "log_verify", "sound": sound, "lines": found.lines, "head": found.head, "fault": found.fault,
            "unfinished": found.unfinished, "journal_entries": told.len(), "journal_newest_line": newest,
            "before_the_file": silent, "wrong": wrong,
            "times_back": back.iter().map(Back::json).collect::<Vec<_>>(),
        }))?;
    } else {
        out.line(&format!("{}: {} {}", file.display(), found.lines, out.t("lines in chain", "行，链完整")))?;
        out.line(&format!("{} {}", out.t("head", "链头"), found.head.hash))?;
        out.line(&format!("{} {}", told.len(), out.t("entries of the journal agree", "条日志（journal）记录一致")))?;
        if !found.unfinished.is_empty() {
            let lines: Vec<String> = found.unfinished.iter().map(ToString::to_string).collect();
            let words = out.t("begun and cut short by a crash, lines", "因崩溃中断的操作，行号");
            out.line(&format!("{words} {}", lines.join(", ")))?;
        }
        for step in back.iter().take(NAMED) {
            out.line(&step.words(out))?;
        }
        if back.len() > NAMED {
            out.line(&format!("… {} {}", back.len() - NAMED, out.t("more", "处")))?;
        }
    }
    if let Some((line, why)) = &found.fault {
        return Err(Stop::new(
            Exit::Failed,
            format!(
                "{}:{line}: {why}; the {} lines before it are whole. Somebody changed the file, or the disk did: keep it, \
                 and compare with a backup or the system's journal",
                file.display(),
                found.lines
            ),
        ));
    }
    if !wrong.is_empty() {
        wrong.truncate(NAMED);
        return Err(Stop::new(
            Exit::Failed,
            format!(
                "{} is whole in itself and yet not the file the journal tells of: {}",
                file.display(),
                wrong.join("; ")
            ),
        ));
    }
    Ok(Exit::Ok)
}

fn export(out: &Out, file: &Path, since: Option<chrono::NaiveDate>, csv: bool, to: &Path) -> Result<Exit, Stop> {
    let said = |e: &dyn std::fmt::Display| Stop::usage(format!("{}: {e}", to.display()));
    let mut sink: Box<dyn Write> = if to == Path::new("-") {
        Box::new(std::io::stdout().lock())
    } else {
        let created = std::fs::OpenOptions::new().write(true).create_new(true).open(to);
        Box::new(std::io::BufWriter::new(created.map_err(|e| said(&e))?))
    };
    let since = since.map(|day| day.to_string()).unwrap_or_default();
    let mut rows = 0_u64;
    let mut sheet = csv.then(|| csv::Writer::from_writer(Vec::new()));
    if let Some(sheet) = &mut sheet {
        sink.write_all("\u{feff}".as_bytes())?;
        sheet
            .write_record([
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
            ])
            .map_err(|e| said(&e))?;
    }
    let mut lost = None;
    let found = read(file, |text, line| {
        if line.ts.as_str() < since.as_str() {
            return Ok(());
        }
        rows += 1;
        let Some(sheet) = &mut sheet else {
            return writeln!(sink, "{text}").map_err(|error| {
                let again = std::io::Error::new(error.kind(), error.to_string());
                lost = Some(error);
                again
            });
        };
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
        let cells = cells.map(|cell| crate::text::csv_safe(&cell));
        sheet.write_record(cells).map_err(std::io::Error::other)
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
    if let Some((line, why)) = found.fault {
        return Err(Stop::new(
            Exit::Failed,
            format!("{}:{line}: {why}; only the lines before it were written", file.display()),
        ));
    }
    if to != Path::new("-") {
        out.line(&format!("{rows} {} → {}", out.t("lines", "行"), to.display()))?;
    }
    Ok(Exit::Ok)
}
