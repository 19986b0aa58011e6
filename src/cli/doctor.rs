//! `doctor`: what is in the data directory and whether it holds together.

use std::path::Path;

use super::args::DoctorArgs;
use super::out::Out;
use crate::boot::{store_stop, told};
use crate::domain::time::Clock;
use crate::exit::{Exit, Stop};
use crate::store::doctor::{self, Report};
use crate::store::local::Progress;
use crate::store::local::place::{Place, VERSION};

/// Runs the checks, after the repair that was asked for.
pub fn run(out: &Out, data: &Path, clock: &dyn Clock, args: &DoctorArgs) -> Result<Exit, Stop> {
    if !data.exists() {
        return Err(out.nothing_in(data));
    }
    let progress = |p: Progress| told(&p, out.lang, &|text| out.note(text));
    if let Some(file) = &args.export {
        return export(out, data, file);
    }
    if args.rebuild {
        let n = doctor::rebuild(data, clock, &progress).map_err(store_stop)?;
        out.note(&out.colon("index rebuilt; facts", "索引已重建；记录", &n.to_string()));
    }
    if args.compact {
        let (before, after) = doctor::compact(data, clock).map_err(store_stop)?;
        out.note(&out.colon("bytes", "字节", &format!("{before} → {after}")));
    }
    let report = doctor::check(data, clock, &progress).map_err(store_stop)?;
    let next = next(&report, data, out);
    if out.json {
        out.object(&json(&report, &next))?;
    } else {
        print(out, &report)?;
        for Step { why, command } in &next {
            out.line(&out.colon("next", "下一步", &out.colon(why, why, &format!("`{command}`"))))?;
        }
    }
    Ok(match (report.is_sound(), report.unknown) {
        (false, _) => Exit::Unsound,
        (true, 1..) => Exit::Unknown,
        (true, 0) => Exit::Ok,
    })
}

fn export(out: &Out, data: &Path, file: &Path) -> Result<Exit, Stop> {
    let sink =
        std::fs::File::create_new(file).map_err(|e| Stop::system(Exit::Usage, file.display(), file.display(), &e))?;
    let mut sink = std::io::BufWriter::new(sink);
    let journal = doctor::export(data, &mut sink).map_err(store_stop)?;
    std::io::Write::flush(&mut sink)?;
    out.line(&format!("{} {} → {}", journal.facts, out.t("facts", "条记录"), file.display()))?;
    for damage in &journal.damage {
        out.note(&format!("! {}", out.of_store(damage)));
    }
    let Some(_) = journal.damage.first() else { return Ok(Exit::Ok) };
    let words =
        out.t("the journal is damaged: what could not be read is missing in it", "流水已损坏：读不出的部分未导出");
    let file = file.display().to_string();
    Err(Stop::new(Exit::Unsound, out.colon(&file, &file, words)))
}

/// What is to be done next, and the command that does it.
struct Step {
    why: &'static str,
    command: String,
}

fn next(report: &Report, data: &Path, out: &Out) -> Vec<Step> {
    let place = Place::new(data);
    let mut next = Vec::new();
    let mut step = |why: &'static str, command: String| next.push(Step { why, command });
    if report.version < VERSION {
        step(out.t("raise it, after a backup", "升级（会先备份）"), place.command("upgrade"));
    }
    if !report.journal.damage.is_empty() {
        let new = out.t("NEW", "新目录");
        step(
            out.t(
                "put the newest backup into a new directory, and continue there",
                "把最新备份恢复到新目录，在新目录继续",
            ),
            format!("skydeck restore {} --data {new}", out.t("BACKUP", "备份")),
        );
        step(
            out.t("every fact that can still be read, as JSON lines", "导出仍可读出的全部记录（JSON Lines）"),
            place.command("doctor --export FACTS.jsonl"),
        );
        step(
            out.t(
                "keep this directory as it is; a copy that is marked as damaged",
                "保留本目录原样；可另存标为已损坏的副本",
            ),
            place.command(&format!("backup {} --damaged {}", out.t("COPY", "副本"), out.t("REASON", "理由"))),
        );
    }
    if report.index.broken.is_some() || report.index.wrong > 0 {
        step(out.t("build the index anew from the journal", "由流水重建索引"), place.command("doctor --rebuild"));
    }
    if !report.log.is_empty() {
        step(out.t("what disagrees", "查看不一致之处"), place.command("log verify"));
        step(
            out.t("once it is known why; no run starts before", "查明原因之后（此前不会启动任何运行）"),
            place.command(&format!("log accept --reason {}", out.t("REASON", "理由"))),
        );
    }
    if report.unknown > 0 {
        step(out.t("read the unknown bills back from the ERP", "从 ERP 回查结果未知的单据"), place.command("verify"));
    }
    next
}

/// A number where it was counted at all.
fn counted(report: &Report, n: u64) -> serde_json::Value {
    if report.compared { n.into() } else { serde_json::Value::Null }
}

fn json(report: &Report, next: &[Step]) -> serde_json::Value {
    let (journal, index) = (&report.journal, &report.index);
    let n = |n| counted(report, n);
    serde_json::json!({
        "type": "doctor", "sound": report.is_sound(), "version": report.version, "segments": journal.segments, "sealed": journal.sealed, "facts": journal.facts,
        "last_seq": journal.last, "whole_up_to": journal.whole, "journal_bytes": journal.bytes, "damage": journal.damage, "torn": journal.torn,
        "index_broken": index.broken, "index_layout": index.layout, "index_behind": n(index.behind), "index_entries": n(index.entries), "index_wrong": n(index.wrong),
        "index_examples": index.examples, "index_bytes": index.bytes, "runs": n(report.runs), "open_runs": n(report.open_runs),
        "bills": n(report.bills), "unresolved": n(report.unresolved), "unknown": n(report.unknown), "in_flight": n(report.in_flight),
        "compared": report.compared, "log_lines": n(report.log_lines), "log_faults": report.log,
        "free_bytes": report.free, "ballast": report.ballast, "kept": report.kept,
        "next": next.iter().map(|step| step.command.as_str()).collect::<Vec<_>>(),
    })
}

fn print(out: &Out, report: &Report) -> Result<(), Stop> {
    print_journal(out, report)?;
    if report.compared {
        print_index(out, report)?;
        print_log(out, report)?;
        print_counts(out, report)?;
    } else {
        let words = out.t(
            "index, action log, runs and bills: not compared and not counted, because the journal is damaged",
            "索引、操作日志、运行与单据：流水已损坏，未比对、未计数",
        );
        out.line(words)?;
        if let Some(broken) = &report.index.broken {
            out.line(&format!("  ! {broken}"))?;
        }
    }
    let ballast = if report.ballast { out.t("present", "有") } else { out.t("none", "无") };
    out.line(&format!(
        "{} {} B · {} {ballast}",
        out.t("free", "可用空间"),
        report.free,
        out.t("reserve file", "预留空间")
    ))?;
    for kept in &report.kept {
        out.line(&format!("  {}", out.colon("kept", "保留", &kept.display().to_string())))?;
    }
    Ok(())
}

fn print_journal(out: &Out, report: &Report) -> Result<(), Stop> {
    let journal = &report.journal;
    if report.version < VERSION {
        out.line(&format!(
            "{} {}{}{}",
            out.t("version", "版本"),
            report.version,
            out.t("; ", "；"),
            out.t(
                "`skydeck upgrade` raises it, as the next console or writing verb does, after a backup",
                "`skydeck upgrade`、下一次打开控制台或执行写操作时会先备份再升级",
            ),
        ))?;
    }
    let whole = journal.damage.is_empty();
    out.line(&format!(
        "{} {} · {} {} · {} {}{}{} {}{} · {} B · {}",
        out.t("journal: facts", "流水：记录"),
        journal.facts,
        out.t("last", "末条"),
        journal.last,
        out.t("segments", "段"),
        journal.segments,
        out.t(" (", "（"),
        out.t("sealed", "已封存"),
        journal.sealed,
        out.t(")", "）"),
        journal.bytes,
        if whole { out.t("chain whole", "校验链完整") } else { out.t("DAMAGED", "已损坏") },
    ))?;
    for damage in &journal.damage {
        out.line(&format!("  ! {}", out.of_store(damage)))?;
    }
    if !whole {
        let (en, zh) = (
            format!("  whole up to fact {}; {} facts can still be read in all", journal.whole, journal.facts),
            format!("  到第 {} 条记录为止完整；总共仍可读出 {} 条", journal.whole, journal.facts),
        );
        out.line(out.t(&en, &zh))?;
    }
    if let Some(torn) = &journal.torn {
        out.line(&format!(
            "  {}",
            out.colon("torn end, cut at the next start", "末尾不完整，下次启动时截去", &out.of_store(torn))
        ))?;
    }
    Ok(())
}

fn print_index(out: &Out, report: &Report) -> Result<(), Stop> {
    let index = &report.index;
    out.line(&format!(
        "{} {} · {} {} · {} {} · {} B",
        out.t("index: entries", "索引：条目"),
        index.entries,
        out.t("behind", "落后"),
        index.behind,
        out.t("wrong", "不符"),
        index.wrong,
        index.bytes,
    ))?;
    if let Some(broken) = &index.broken {
        out.line(&format!(
            "  ! {broken}{}{}",
            out.t("; ", "；"),
            out.t("run `skydeck doctor --rebuild`", "执行 `skydeck doctor --rebuild`")
        ))?;
    }
    if let Some(layout) = index.layout {
        let (en, zh) = (
            format!("  of layout {layout}: built anew at the next opening, not compared"),
            format!("  布局 {layout} 较旧：下次打开时重建，未比对"),
        );
        out.line(out.t(&en, &zh))?;
    }
    for example in &index.examples {
        out.line(&format!("  ! {}", crate::text::show(example, 400).as_str()))?;
    }
    Ok(())
}

fn print_log(out: &Out, report: &Report) -> Result<(), Stop> {
    let agrees = if report.log.is_empty() {
        out.t("agrees with the journal", "与流水一致")
    } else {
        out.t("DISAGREES with the journal", "与流水不一致")
    };
    out.line(&format!("{} {} · {agrees}", out.t("action log: lines", "操作日志：行"), report.log_lines))?;
    for fault in &report.log {
        out.line(&format!("  ! {}", crate::text::show(out.t(&fault.en(), &fault.zh()), 1000).as_str()))?;
    }
    Ok(())
}

fn print_counts(out: &Out, report: &Report) -> Result<(), Stop> {
    out.line(&format!(
        "{} {}{}{} {}{} · {} {} · {} {} · {} {} · {} {}",
        out.t("runs", "运行"),
        report.runs,
        out.t(" (", "（"),
        out.t("unfinished", "未结束"),
        report.open_runs,
        out.t(")", "）"),
        out.t("bills", "单据"),
        report.bills,
        out.t("unresolved", "遗留"),
        report.unresolved,
        out.t("unknown", "未知"),
        report.unknown,
        out.t("in flight", "在途"),
        report.in_flight,
    ))?;
    Ok(())
}
