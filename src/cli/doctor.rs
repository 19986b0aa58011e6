//! `doctor`: what is in the data directory and whether it holds together.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Stop};
use super::out::Out;
use crate::boot::{store_stop, told};
use crate::domain::time::Clock;
use crate::store::doctor::{self, Report};
use crate::store::local::Progress;
use crate::store::local::place::VERSION;

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Build the index anew from the journal.
    #[arg(long)]
    pub rebuild: bool,
    /// Copy the index into a smaller one.
    #[arg(long)]
    pub compact: bool,
    /// Write every fact as JSON lines.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
}

/// Runs the checks, after the repair that was asked for.
pub fn run(out: &Out, data: &Path, clock: &dyn Clock, args: &DoctorArgs) -> Result<Exit, Stop> {
    if !data.exists() {
        return Err(out.nothing_in(data));
    }
    let progress = |p: Progress| told(&p, out.lang, &|text| out.note(text));
    if let Some(file) = &args.export {
        let sink = std::fs::File::create_new(file).map_err(|e| Stop::usage(format!("{}: {e}", file.display())))?;
        let mut sink = std::io::BufWriter::new(sink);
        let journal = doctor::export(data, &mut sink).map_err(store_stop)?;
        std::io::Write::flush(&mut sink)?;
        out.line(&format!("{} {} → {}", journal.facts, out.t("facts", "条事实"), file.display()))?;
        return Ok(if journal.damage.is_empty() { Exit::Ok } else { Exit::Unsound });
    }
    if args.rebuild {
        let n = doctor::rebuild(data, clock, &progress).map_err(store_stop)?;
        out.note(&format!("{} {n}", out.t("index rebuilt; facts:", "索引已重建；事实：")));
    }
    if args.compact {
        let (before, after) = doctor::compact(data, clock).map_err(store_stop)?;
        out.note(&format!("{} {} → {}", out.t("bytes:", "字节："), before, after));
    }
    let report = doctor::check(data, clock, &progress).map_err(store_stop)?;
    if out.json {
        out.object(&json(&report))?
    } else {
        print(out, &report)?
    }
    Ok(match (report.is_sound(), report.unknown) {
        (false, _) => Exit::Unsound,
        (true, 1..) => Exit::Unknown,
        (true, 0) => Exit::Ok,
    })
}

fn json(report: &Report) -> serde_json::Value {
    let (journal, index) = (&report.journal, &report.index);
    serde_json::json!({
        "type": "doctor", "sound": report.is_sound(), "version": report.version, "segments": journal.segments, "sealed": journal.sealed, "facts": journal.facts,
        "last_seq": journal.last, "journal_bytes": journal.bytes, "damage": journal.damage, "torn": journal.torn,
        "index_broken": index.broken, "index_layout": index.layout, "index_behind": index.behind, "index_entries": index.entries, "index_wrong": index.wrong,
        "index_examples": index.examples, "index_bytes": index.bytes, "runs": report.runs, "open_runs": report.open_runs,
        "bills": report.bills, "unresolved": report.unresolved, "unknown": report.unknown, "in_flight": report.in_flight,
        "log_lines": report.log_lines, "log_faults": report.log,
        "free_bytes": report.free, "ballast": report.ballast, "kept": report.kept,
    })
}

fn print(out: &Out, report: &Report) -> Result<(), Stop> {
    let (journal, index) = (&report.journal, &report.index);
    if report.version < VERSION {
        out.line(&format!(
            "{} {}; {}",
            out.t("version", "版本"),
            report.version,
            out.t(
                "`skydeck upgrade` raises it, as the next console or writing verb does, after a backup",
                "`skydeck upgrade`、下一次打开控制台或执行写操作时会先备份再升级",
            ),
        ))?;
    }
    let whole = journal.damage.is_empty();
    out.line(&format!(
        "{} {} · {} {} · {} {} ({} {}) · {} B · {}",
        out.t("journal: facts", "日志：事实"),
        journal.facts,
        out.t("last", "末条"),
        journal.last,
        out.t("segments", "段"),
        journal.segments,
        out.t("sealed", "已封存"),
        journal.sealed,
        journal.bytes,
        if whole { out.t("chain whole", "链完整") } else { out.t("DAMAGED", "已损坏") },
    ))?;
    for damage in &journal.damage {
        out.line(&format!("  ! {damage}"))?;
    }
    if let Some(torn) = &journal.torn {
        out.line(&format!("  {} {torn}", out.t("torn end, cut at the next start:", "末尾不完整，下次启动时截去：")))?;
    }
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
        out.line(&format!("  ! {broken}; {}", out.t("run doctor --rebuild", "请运行 doctor --rebuild")))?;
    }
    if let Some(layout) = index.layout {
        let words =
            out.t("of layout, built anew at the next opening, not compared:", "布局较旧，下次打开时重建，未比对：");
        out.line(&format!("  {words} {layout}"))?;
    }
    for example in &index.examples {
        out.line(&format!("  ! {}", crate::text::show(example, 400).as_str()))?;
    }
    let agrees = if report.log.is_empty() {
        out.t("agrees with the journal", "与流水一致")
    } else {
        out.t("DISAGREES with the journal", "与流水不一致")
    };
    out.line(&format!("{} {} · {agrees}", out.t("action log: lines", "操作日志：行"), report.log_lines))?;
    for fault in &report.log {
        out.line(&format!("  ! {}", crate::text::show(out.t(&fault.en(), &fault.zh()), 1000).as_str()))?;
    }
    out.line(&format!(
        "{} {} ({} {}) · {} {} · {} {} · {} {} · {} {}",
        out.t("runs", "运行"),
        report.runs,
        out.t("open", "未关闭"),
        report.open_runs,
        out.t("bills", "单据"),
        report.bills,
        out.t("unresolved", "未结清"),
        report.unresolved,
        out.t("unknown", "未知"),
        report.unknown,
        out.t("in flight", "在途"),
        report.in_flight,
    ))?;
    let ballast = if report.ballast { out.t("set aside", "已预留") } else { out.t("none", "无") };
    out.line(&format!("{} {} B · {} {ballast}", out.t("free", "可用空间"), report.free, out.t("ballast", "压舱文件")))?;
    for kept in &report.kept {
        out.line(&format!("  {} {}", out.t("kept:", "保留："), kept.display()))?;
    }
    Ok(())
}
