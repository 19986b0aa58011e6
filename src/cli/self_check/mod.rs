//! `self check`: what this host lacks, and what the program would write where. It works where nothing else does: without a
//! home, with a configuration that cannot be read, over a data directory of a later program.
//!
//! Invariant: it changes nothing, and what keeps the program from working decides the exit code.

mod calendar;
mod data;
mod denied;
mod host;
mod service;
#[cfg(feature = "postgres")]
mod store;

use std::path::Path;

use super::args::Global;
use super::context;
use super::out::Out;
use crate::boot::{self, Paths};
use crate::config::Config;
use crate::domain::language::Language;
use crate::exit::{Exit, Stop};

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As it should be.
    Good,
    /// The program works, and something of it does not.
    Lacks,
    /// The program does not work like this.
    Bars,
}

impl State {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Lacks => "note",
            Self::Bars => "fault",
        }
    }

    /// The word at the line's begin, of one width each.
    fn word(self, out: &Out) -> &'static str {
        match (self, out.is_zh()) {
            (Self::Good, false) => "ok   ",
            (Self::Lacks, false) => "note ",
            (Self::Bars, false) => "FAULT",
            (Self::Good, true) => "正常",
            (Self::Lacks, true) => "注意",
            (Self::Bars, true) => "不行",
        }
    }
}

/// One thing that was looked at.
struct Check {
    /// What, for programs.
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to do.
    next: Option<String>,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Good, found: found.into(), next: None }
    }

    fn lacks(name: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name, state: State::Lacks, found: found.into(), next: Some(next.into()) }
    }

    fn bars(name: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name, state: State::Bars, found: found.into(), next: Some(next.into()) }
    }

    fn title(&self, out: &Out) -> &'static str {
        let (en, zh) = match self.name {
            "program" => ("program", "程序"),
            "system" => ("system", "系统"),
            "locale" => ("locale", "语言环境"),
            "terminal" => ("terminal", "终端"),
            "clock" => ("clock", "时钟"),
            "limits" => ("limits", "资源限制"),
            "temporary" => ("temporary files", "临时文件"),
            "certificates" => ("certificates", "证书"),
            "config" => ("configuration", "配置"),
            "calendar" => ("calendar", "日历"),
            "data" => ("data directory", "数据目录"),
            "store" => ("store", "存储"),
            "engine" => ("engine", "引擎"),
            _ => ("service", "服务"),
        };
        if out.is_zh() { zh } else { en }
    }
}

/// What is written, and where.
struct Write {
    what: &'static str,
    path: String,
}

/// Looks at everything and says it.
pub async fn run(global: &Global) -> Result<Exit, Stop> {
    let lang = boot::language(global.lang, None);
    let paths = Paths::find(global.config.as_deref(), global.data.as_deref());
    let config = paths.as_ref().ok().map(|paths| boot::config(paths, global.config.is_some(), lang));
    let known = config.as_ref().and_then(|config| config.as_ref().ok());
    let out = Out {
        json: global.json,
        lang: context::language(global.lang, known.and_then(|config| config.console.language.as_deref())),
        views: std::path::PathBuf::new(),
        causes: std::sync::Arc::new(boot::causes(&Config::default(), Path::new(""), lang)?),
        beside: false,
    };
    let mut checks = host::checks(&out);
    let mut writes = Vec::new();
    match paths {
        Ok(paths) => {
            // Not read before where there was no place to read it from.
            let config = config.unwrap_or_else(|| Ok(Config::default()));
            checks.push(data::config(&out, &paths, &config));
            if let Ok(config) = &config {
                checks.push(calendar::check(&out, &paths, config, chrono::Local::now().date_naive()));
            }
            checks.extend(data::data(&out, &paths).await);
            #[cfg(feature = "postgres")]
            if let Ok(config) = &config {
                checks.extend(store::checks(&out, config, &paths).await);
            }
            writes = data::writes(&out, &paths, config.as_ref().ok());
        }
        Err(stop) => {
            let next = out.t("set HOME, or give --config and --data", "请设置 HOME，或同时给出 --config 和 --data");
            checks.push(Check::bars("config", stop.spoken(out.lang).message, next));
        }
    }
    checks.extend(service::checks(&out));
    say(&out, &checks, &writes)?;
    let barred = checks.iter().any(|check| check.state == State::Bars);
    Ok(if barred { Exit::Usage } else { Exit::Ok })
}

fn say(out: &Out, checks: &[Check], writes: &[Write]) -> Result<(), Stop> {
    if out.json {
        let all: Vec<_> = checks
            .iter()
            .map(|check| {
                serde_json::json!({
                    "name": check.name, "state": check.state.code(), "found": check.found, "next": check.next,
                })
            })
            .collect();
        let writes: Vec<_> =
            writes.iter().map(|write| serde_json::json!({ "what": write.what, "path": write.path })).collect();
        let ok = checks.iter().all(|check| check.state != State::Bars);
        out.object(&serde_json::json!({ "type": "self_check", "ok": ok, "checks": all, "writes": writes }))?;
        return Ok(());
    }
    for check in checks {
        let title = check.title(out);
        out.line(&format!("{} {}", check.state.word(out), out.colon(title, title, &check.found)))?;
        if let Some(next) = &check.next {
            out.line(&format!("      {}", out.colon("next", "下一步", next)))?;
        }
    }
    if !writes.is_empty() {
        out.line(out.t("what is written, and where:", "写入什么，写在哪里："))?;
        for Write { what, path } in writes {
            out.line(&format!("      {}", out.colon(what, what, path)))?;
        }
    }
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let (lacks, bars) = (count(State::Lacks), count(State::Bars));
    let (en, zh) = match (lacks, bars) {
        (0, 0) => ("nothing is missing".to_owned(), "没有缺少什么".to_owned()),
        (n, 0) => (format!("it works here; notes: {n}"), format!("可以使用；注意 {n} 项")),
        (n, m) => (
            format!("it does not work like this; faults: {m}, notes: {n}"),
            format!("现在不能使用：不行 {m} 项，注意 {n} 项"),
        ),
    };
    out.line(match out.lang {
        Language::En => &en,
        Language::Zh => &zh,
    })?;
    Ok(())
}

/// What a directory's file system can give.
struct Room {
    free: u64,
    read_only: bool,
    no_exec: bool,
}

/// The file system that a path lies on, or will.
fn room(path: &Path) -> Option<Room> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(Room {
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
        read_only: stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
        no_exec: stat.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC),
    })
}
