//! `backup` and `restore`: copies of a data directory, made while it is in use.
//!
//! Invariant: a directory or copy that does not verify ends the verb with its own exit code, also where a person wanted it.

use std::path::Path;

use serde_json::json;

use super::out::Out;
use crate::boot::{self, store_stop};
use crate::domain::language::Language;
use crate::domain::time::Clock;
use crate::exit::{Exit, Stop};
use crate::store::StoreError;
use crate::store::backup::{self, Accept, Damage, Manifest, Restored, Wanted};
use crate::store::local::place::{Place, quoted};
use crate::text::{readable, show};

/// Copies the data directory and checks the copy. `damaged`: why a copy is wanted also where the directory does not verify.
pub fn make(out: &Out, data: &Path, to: &Path, damaged: Option<&str>, clock: &dyn Clock) -> Result<Exit, Stop> {
    if !data.exists() {
        return Err(out.nothing_in(data));
    }
    let by = boot::who().to_string();
    let accept = match damaged.map(readable) {
        None => Accept::Nothing,
        Some(Some(reason)) => Accept::Damage { reason, by: &by },
        Some(None) => {
            return Err(out.usage(
                "--damaged takes a reason that can be read: why you need a copy that does not verify",
                "--damaged 需要一条看得见的理由：为何需要未通过核对的副本",
            ));
        }
    };
    if lies_in(to, data) {
        return Err(out.usage(
            &format!(
                "{} lies in the data directory itself: a backup there is lost with it. Name another place",
                to.display()
            ),
            &format!("{} 在数据目录之内：备份会随它一起丢失。请写另一个位置", to.display()),
        ));
    }
    let progress = |n: u64| out.note(&out.colon("checked, facts", "已校验记录", &n.to_string()));
    let made = backup::backup(&Wanted { data, to, now: clock.now(), accept, progress: &progress });
    let manifest = made.map_err(|error| match error {
        StoreError::Unverified { dir, damage } => unverified(out, &dir, &damage, &no_backup(out, data, to, &damage)),
        error => store_stop(error),
    })?;
    said(out, &manifest, 0, to)
}

/// Whether a path, of which only the beginning may be there yet, leads into a directory.
fn lies_in(path: &Path, dir: &Path) -> bool {
    let Ok(dir) = dir.canonicalize() else { return false };
    let Ok(whole) = std::path::absolute(path) else { return false };
    let there = whole.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    there.is_some_and(|(part, real)| real.join(whole.strip_prefix(part).unwrap_or(part)).starts_with(&dir))
}

/// Copies a backup into a data directory that is not there yet, and reads the copy before it says so.
pub fn restore(out: &Out, from: &Path, data: &Path, damaged: bool) -> Result<Exit, Stop> {
    let progress = |n: u64| out.note(&out.colon("checked, facts", "已校验记录", &n.to_string()));
    let restored = backup::restore(from, data, damaged, &progress);
    let Restored { manifest, left_out } = restored.map_err(|error| match error {
        StoreError::Unverified { dir, damage } => unverified(out, &dir, &damage, &not_restored(out, from, data)),
        error => store_stop(error),
    })?;
    out.note(out.t(
        "the index is built at the next start; what was called after the backup is read back from the ERP, never repeated blindly",
        "索引在下次启动时重建；备份之后的调用会从 ERP 回查，不会盲目重发",
    ));
    if left_out > 0 {
        out.note(&format!(
            "{left_out} {}",
            out.t(
                "lines of the action log were written after this backup of 0.1.0 was begun: they are no part of it, and left out",
                "行操作日志写于这份 0.1.0 备份开始之后，不属于该备份，未恢复",
            )
        ));
    }
    said(out, &manifest, left_out, data)
}

fn unverified(out: &Out, dir: &str, damage: &Damage, next: &str) -> Stop {
    let what = if out.is_zh() { damage.zh() } else { damage.en() };
    let text = match out.lang {
        Language::En => format!("{dir} does not verify: {what}. {next}"),
        Language::Zh => format!("{dir} 未通过核对：{what}。{next}"),
    };
    Stop::new(Exit::Unsound, show(&text, 4000).into_string())
}

/// What to do where no backup was made.
fn no_backup(out: &Out, data: &Path, to: &Path, damage: &Damage) -> String {
    let place = Place::new(data);
    let anyway = place.command(&format!("backup {} --damaged REASON", quoted(to)));
    let (look, cure) = if damage.journal.is_empty() {
        (place.command("log verify"), place.command("log accept --reason REASON"))
    } else {
        (place.command("doctor"), format!("skydeck restore BACKUP --data {}", out.t("NEW", "新目录")))
    };
    match out.lang {
        Language::En => format!(
            "No backup was made: a restored one would pass for whole. `{look}` says more; once it is known why, `{cure}`. \
             `{anyway}` keeps a copy that is marked as damaged"
        ),
        Language::Zh => format!(
            "未作备份：恢复后会被误认为完整。详情见 `{look}`；查明原因后执行 `{cure}`。如仍需保留副本：`{anyway}`，\
             该副本会标为已损坏"
        ),
    }
}

fn not_restored(out: &Out, from: &Path, data: &Path) -> String {
    let anyway = Place::new(data).command(&format!("restore {} --damaged", quoted(from)));
    match out.lang {
        Language::En => format!(
            "Nothing was restored: take another backup. `{anyway}` restores it as damaged as it is, to look for what happened"
        ),
        Language::Zh => format!("未恢复任何内容：请改用其他备份。为查明原因可执行 `{anyway}`，按其损坏原样恢复"),
    }
}

/// Says of a copy that it is none of a whole directory.
pub(super) fn note_damaged(out: &Out, dir: &Path, damage: &Damage) {
    let reason = damage.reason.as_deref().unwrap_or("-");
    let text = match out.lang {
        Language::En => {
            format!("{}: marked as damaged, and no backup: {} (kept because: {reason})", dir.display(), damage.en())
        }
        Language::Zh => format!("{}：已标为损坏，不是备份：{}（保留理由：{reason}）", dir.display(), damage.zh()),
    };
    out.note(show(&text, 4000).as_str());
}

fn said(out: &Out, manifest: &Manifest, left_out: u64, to: &Path) -> Result<Exit, Stop> {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    if out.json {
        out.object(&json!({
            "type": "backup", "dir": to, "made": manifest.made, "facts": manifest.facts, "actions": manifest.actions,
            "files": manifest.files.len(), "bytes": bytes, "left_out": left_out, "damaged": manifest.damaged,
        }))?;
    } else {
        let comma = out.t(", ", "，");
        out.line(&format!(
            "{} {}{comma}{} {}{comma}{} {} → {}",
            manifest.facts,
            out.t("facts", "条记录"),
            manifest.actions - left_out,
            out.t("lines of the action log", "行操作日志"),
            bytes,
            out.t("bytes", "字节"),
            to.display()
        ))?;
    }
    let Some(damage) = &manifest.damaged else { return Ok(Exit::Ok) };
    note_damaged(out, to, damage);
    Ok(Exit::Unsound)
}
