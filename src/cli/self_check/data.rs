//! Configuration, data directory, the engine that holds it, and what is written where.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::denied::{self, Barred};
use super::{Check, Out, Write, room};
use crate::boot::owner::holder;
use crate::boot::{self, Booted, Paths, SOCKET, store_stop};
use crate::config::Config;
use crate::domain::query::{Answer, PageRequest, Query};
use crate::exit::Stop;
use crate::store::StoreError;
use crate::store::local::place::{Place, VERSION, bytes_for_people, quoted};
use crate::text::show;

/// Without so much nothing is begun: the reserve, a segment of the journal, the index of a small history.
const ROOM_LEAST: u64 = 64 * 1024 * 1024;
/// A year of a busy site fits into this.
const ROOM: u64 = 1024 * 1024 * 1024;
/// Longest path of a socket.
const SOCKET_PATH: usize = 107;
/// How long an engine may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Seconds that the server's clock may be off before it is worth a word.
const OFF: i64 = 60;
/// The example that a package brings.
const EXAMPLE: &str = "/usr/share/skydeck/config.toml";

/// The configuration, as far as it can be looked at without a secret.
pub fn config(out: &Out, paths: &Paths, read: &Result<Config, Stop>) -> Check {
    let at = show(&paths.config.display().to_string(), 400).into_string();
    let config = match read {
        Ok(config) => config,
        Err(_) if denied::is_read_denied(&paths.config) => return denied::check(out, "config", &paths.config),
        Err(stop) => {
            let said = stop.zh.as_ref().filter(|_| out.is_zh()).unwrap_or(&stop.message);
            let next = out.t("correct it; `skydeck demo` needs none", "请改正；`skydeck demo` 不需要配置");
            return Check::bars("config", said, next);
        }
    };
    if config.environments.is_empty() {
        let words = out.t(": no environment yet", "：尚未配置环境");
        let next = if Path::new(EXAMPLE).is_file() {
            out.t(
                "begin with a copy of /usr/share/skydeck/config.toml; `skydeck demo` needs none",
                "可复制 /usr/share/skydeck/config.toml 后修改；`skydeck demo` 不需要配置",
            )
        } else {
            out.t(
                "README: Connect your data centre; `skydeck demo` needs none",
                "见 README“连接数据中心”；`skydeck demo` 不需要配置",
            )
        };
        return Check::lacks("config", format!("{at}{words}"), next);
    }
    let plans = paths.config_dir().join(config.plans.clone().unwrap_or_else(|| "plans".into()));
    if let Some(loose) = boot::writable_by_others([paths.config.clone(), paths.config_dir(), plans]).first() {
        let loose = show(&loose.display().to_string(), 400).into_string();
        let next = format!("chmod go-w {}", quoted(Path::new(&loose)));
        let words = out.t("others can change it, and decide what is called", "其他用户可以修改，从而决定调用什么");
        return Check::lacks("config", out.colon(&loose, &loose, words), next);
    }
    let (n, words) = (config.environments.len(), out.t("environments", "环境"));
    Check::good("config", format!("{at}{}{words} {n}", out.t(", ", "，")))
}

/// The data directory, there or not yet, and whoever holds it.
pub async fn data(out: &Out, paths: &Paths) -> Vec<Check> {
    let dir = &paths.data;
    let mut checks = vec![directory(out, dir)];
    match holder(dir) {
        Ok(Some(pid)) => checks.push(engine(out, dir, pid).await),
        Ok(None) => {}
        Err(stop) => checks.push(Check::lacks("engine", stop.spoken(out.lang).message, "skydeck serve --end")),
    }
    checks
}

/// The directory, or the nearest one above it that is there.
fn directory(out: &Out, dir: &Path) -> Check {
    let at = show(&dir.display().to_string(), 400).into_string();
    let elsewhere = out.t(
        "name a directory on a local disk that is yours: --data DIR, or export XDG_STATE_HOME=DIR",
        "指定本机磁盘上属于当前用户的目录：--data 目录，或 export XDG_STATE_HOME=目录",
    );
    let place = Place::new(dir);
    let is_there = std::fs::symlink_metadata(dir).is_ok();
    let base = if is_there { dir.to_path_buf() } else { above(dir) };
    if is_there && let Some(check) = unusable(out, &place, &at, elsewhere) {
        return check;
    }
    match denied::makes_files(&base) {
        Ok(()) => {}
        Err(Barred::Host) => return denied::check(out, "data", &base),
        Err(Barred::Mode) => {
            let base = show(&base.display().to_string(), 400).into_string();
            let (en, zh) = (
                format!(
                    "{at}: nothing can be written in {base} (read-only, another user's, immutable, or no directory)"
                ),
                format!("{at}：无法写入 {base}（只读、属于其他用户、不可更改，或不是目录）"),
            );
            return Check::bars("data", out.t(&en, &zh), elsewhere);
        }
    }
    let free = room(&base).map_or(u64::MAX, |room| room.free);
    let said = format!("{at}{} {}", out.t(", free", "，可用"), bytes_for_people(free));
    let space = out.t("make room, or name another disk: --data DIR", "腾出空间，或换一块磁盘：--data 目录");
    if free < ROOM_LEAST && !place.has_ballast() {
        return Check::bars("data", said, space);
    }
    if free < ROOM {
        return Check::lacks("data", said, space);
    }
    if dir.join(SOCKET).as_os_str().len() > SOCKET_PATH {
        let words = out.t(
            "; its path is too long for a socket: one console alone",
            "；路径过长，无法建立套接字：只能有一个控制台",
        );
        return Check::lacks("data", format!("{said}{words}"), elsewhere);
    }
    let there = if is_there { "" } else { out.t(" (not there yet)", "（尚未建立）") };
    Check::good("data", format!("{said}{there}"))
}

/// A directory that is there and cannot be opened as it is.
fn unusable(out: &Out, place: &Place, at: &str, elsewhere: &str) -> Option<Check> {
    let error = match place.check().and_then(|()| place.version()) {
        Ok(version) if version.is_some_and(|version| version < VERSION) => {
            let words = out.t(": of an earlier version", "：属于较早的版本");
            return Some(Check::lacks("data", format!("{at}{words}"), place.command("upgrade")));
        }
        Ok(_) => return None,
        Err(error) => error,
    };
    let version = place.version_file();
    if denied::is_read_denied(&version) {
        return Some(denied::check(out, "data", &version));
    }
    let next = match error {
        StoreError::TooNew { .. } => out.t(
            "`type -a skydeck` names every program of the name: use the newer one, or another directory: --data DIR",
            "`type -a skydeck` 列出所有同名程序：请使用较新的程序，或指定其他目录：--data 目录",
        ),
        _ => elsewhere,
    };
    Some(Check::bars("data", store_stop(error).spoken(out.lang).message, next))
}

/// The nearest thing above a path that is there.
fn above(path: &Path) -> PathBuf {
    let there = |at: &&Path| !at.as_os_str().is_empty() && std::fs::symlink_metadata(at).is_ok();
    path.ancestors().skip(1).find(there).unwrap_or(Path::new("/")).to_path_buf()
}

/// The process that holds the directory: whether it is the program that lies here now, and what it knows of the server's clock.
async fn engine(out: &Out, dir: &Path, pid: u32) -> Check {
    let said = format!("{} {pid}", out.t("process", "进程"));
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    if program.to_string_lossy().ends_with(" (deleted)") {
        let words = out.t(": still the program from before an upgrade", "：仍是升级之前的程序");
        return Check::lacks("engine", format!("{said}{words}"), Place::new(dir).command("serve --end"));
    }
    if is_another(pid) {
        let other = show(&program.display().to_string(), 400);
        let other = other.as_str();
        let (en, zh) = (format!("{said}: another program, {other}"), format!("{said}：是另一个程序 {other}"));
        return Check::lacks("engine", out.t(&en, &zh), Place::new(dir).command("serve --end"));
    }
    let ahead = tokio::time::timeout(ANSWER, ahead(&dir.join(SOCKET))).await;
    match ahead {
        Err(_) => Check::lacks(
            "engine",
            format!("{said}{}", out.t(": does not answer", "：没有响应")),
            Place::new(dir).command("serve --end"),
        ),
        Ok(Err(stop)) => {
            let why = stop.spoken(out.lang).message;
            Check::lacks("engine", out.colon(&said, &said, &why), Place::new(dir).command("serve --end"))
        }
        Ok(Ok(None)) => Check::good("engine", said),
        Ok(Ok(Some(ahead))) => {
            let words = out.t(
                "; the server's clock minus this machine's, at the last run, s",
                "；最近一次运行时服务器时钟偏差（秒）",
            );
            let said = format!("{said}{words} {ahead}");
            if ahead.abs() > OFF {
                Check::lacks("engine", said, "timedatectl set-ntp true")
            } else {
                Check::good("engine", said)
            }
        }
    }
}

/// Whether a process runs another file than this one does; of another user's process the kernel does not tell.
fn is_another(pid: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let file = |of: &str| std::fs::metadata(format!("/proc/{of}/exe")).ok().map(|file| (file.dev(), file.ino()));
    match (file("self"), file(&pid.to_string())) {
        (Some(own), Some(its)) => own != its,
        _ => false,
    }
}

/// Seconds that the server's clock was ahead at the newest run that asked it.
async fn ahead(socket: &Path) -> Result<Option<i64>, Stop> {
    let booted = Booted::at(socket, None).await?;
    let answer = booted.link.ask(Query::Runs(PageRequest::first(20))).await?;
    let Answer::Runs(page) = answer else { return Err(Stop::odd_answer()) };
    Ok(page.rows.iter().find_map(|(_, row)| row.collected.as_ref()?.clock.as_ref()).map(|clock| clock.ahead))
}

/// All that is written without a file being named.
pub fn writes(out: &Out, paths: &Paths, config: Option<&Config>) -> Vec<Write> {
    let shown = |path: &Path| show(&path.display().to_string(), 400).into_string();
    let data = &paths.data;
    let mut writes = vec![
        Write {
            what: out.t(
                "journal, index, action log, own log, lock and socket, 16 MiB of reserve, what the console remembers",
                "流水、索引、操作日志、服务日志、锁和套接字、16 MiB 预留空间、控制台记住的设置",
            ),
            path: shown(data),
        },
        Write {
            what: out.t("a backup, before a directory of an earlier version is upgraded", "升级旧版本目录之前的备份"),
            path: shown(data.parent().unwrap_or(data)),
        },
        Write {
            what: out.t("what a verb needs for a moment", "命令临时所需"), path: shown(&std::env::temp_dir())
        },
    ];
    if let Some(store) = config.and_then(|config| config.store.as_ref()) {
        writes.push(Write { what: out.t("the facts", "记录"), path: show(&store.url, 400).into_string() });
    }
    if let Ok(state) = boot::base("XDG_STATE_HOME", ".local/state") {
        writes.push(Write { what: out.t("the demo", "演示"), path: shown(&state.join("skydeck-demo")) });
    }
    if let Some(socket) = config.and_then(|config| config.access.socket.as_ref()) {
        writes.push(Write { what: out.t("the socket of [access]", "[access] 的套接字"), path: shown(socket) });
    }
    if let Some(file) = config.and_then(|config| config.metrics.textfile.as_ref()) {
        writes.push(Write { what: out.t("figures", "指标"), path: shown(&paths.config_dir().join(file)) });
    }
    writes
}
