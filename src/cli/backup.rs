//! `backup` and `restore`: copies of a data directory, made while it is in use.

use std::path::Path;

use super::exit::{Exit, Stop};
use super::out::Out;
use crate::boot::store_stop;
use crate::domain::time::Clock;
use crate::store::backup::{self, Manifest};

/// Copies the data directory and checks the copy.
pub fn make(out: &Out, data: &Path, to: &Path, clock: &dyn Clock) -> Result<Exit, Stop> {
    if !data.exists() {
        return Err(out.nothing_in(data));
    }
    let progress = |n: u64| out.note(&format!("{} {n}", out.t("checked, facts:", "已校验事实：")));
    let manifest = backup::backup(data, to, clock.now(), &progress).map_err(store_stop)?;
    said(out, &manifest, to)
}

/// Copies a backup into a data directory that is not there yet, and reads the copy before it says so.
pub fn restore(out: &Out, from: &Path, data: &Path) -> Result<Exit, Stop> {
    let progress = |n: u64| out.note(&format!("{} {n}", out.t("checked, facts:", "已校验事实：")));
    let manifest = backup::restore(from, data, &progress).map_err(store_stop)?;
    out.note(out.t(
        "the index is built at the next start; what was called after the backup is read back from the ERP, never repeated blindly",
        "索引在下次启动时重建；备份之后的调用会从 ERP 回读核实，不会盲目重复",
    ));
    said(out, &manifest, data)
}

fn said(out: &Out, manifest: &Manifest, to: &Path) -> Result<Exit, Stop> {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    if out.json {
        out.object(&serde_json::json!({
            "type": "backup", "dir": to, "made": manifest.made, "facts": manifest.facts, "actions": manifest.actions,
            "files": manifest.files.len(), "bytes": bytes,
        }))?;
    } else {
        out.line(&format!(
            "{} {}, {} {}, {} {} → {}",
            manifest.facts,
            out.t("facts", "条事实"),
            manifest.actions,
            out.t("lines of the action log", "行操作日志"),
            bytes,
            out.t("bytes", "字节"),
            to.display()
        ))?;
    }
    Ok(Exit::Ok)
}
