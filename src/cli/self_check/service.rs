//! systemd: whether this user can have a service here, and whether its unit names a program that is there.

use std::path::{Path, PathBuf};

use super::{Check, Out};
use crate::text::show;

/// What is looked for, and where packages and administrators put it.
const SYSTEM: [&str; 3] = [
    "/etc/systemd/system/skydeck@.service",
    "/usr/lib/systemd/system/skydeck@.service",
    "/lib/systemd/system/skydeck@.service",
];
const USER: [&str; 2] = ["/etc/systemd/user/skydeck.service", "/usr/lib/systemd/user/skydeck.service"];

/// The service, and each unit that is broken.
pub fn checks(out: &Out) -> Vec<Check> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| Some(home.clone()?.join(".config")));
    let own = config.map(|config| config.join("systemd/user/skydeck.service"));
    let units: Vec<PathBuf> =
        own.into_iter().chain(USER.iter().chain(&SYSTEM).map(PathBuf::from)).filter(|unit| unit.is_file()).collect();
    let mut checks: Vec<Check> = units.iter().filter_map(|unit| broken(out, unit, home.as_deref())).collect();
    checks.push(session(out, &units));
    checks
}

/// A unit whose program is not there.
fn broken(out: &Out, unit: &Path, home: Option<&Path>) -> Option<Check> {
    let text = std::fs::read_to_string(unit).ok()?;
    let starts = text.lines().find_map(|line| line.trim().strip_prefix("ExecStart="))?;
    let program = starts.trim_start_matches(['-', '+', '!', '@', ':']).split_whitespace().next()?;
    let program = home.map_or_else(|| program.to_owned(), |home| program.replace("%h", &home.display().to_string()));
    if Path::new(&program).is_file() {
        return None;
    }
    let (unit, program) = (show(&unit.display().to_string(), 400), show(&program, 400));
    let (unit, program) = (unit.as_str(), program.as_str());
    let (en, zh) =
        (format!("{unit} starts {program}, which is not there"), format!("{unit} 启动 {program}，该程序不存在"));
    let next = out.t(
        "name the program in ExecStart=, then `systemctl daemon-reload`",
        "在 ExecStart= 中写明程序，再执行 `systemctl daemon-reload`",
    );
    Some(Check::lacks("service", out.t(&en, &zh), next))
}

/// Whether this session has a service manager of its own.
fn session(out: &Out, units: &[PathBuf]) -> Check {
    if !Path::new("/run/systemd/system").is_dir() {
        let words = out.t(
            "no systemd here: a console starts the engine, `skydeck serve` keeps it",
            "此处没有 systemd：控制台会启动引擎，`skydeck serve` 让它常驻",
        );
        return Check::good("service", words);
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let uid = rustix::process::getuid().as_raw();
    let runtime = runtime.unwrap_or_else(|| PathBuf::from(format!("/run/user/{uid}")));
    if !runtime.is_dir() {
        let at = show(&runtime.display().to_string(), 400);
        let words = out.t(": not there, so this session has no user services", "：不存在，本会话没有用户级服务");
        let next = out.t(
            "`loginctl enable-linger` and a new login; on CentOS 7 a system service: `systemctl enable --now skydeck@USER`",
            "执行 `loginctl enable-linger` 后重新登录；CentOS 7 请用系统服务：`systemctl enable --now skydeck@用户`",
        );
        return Check::lacks("service", format!("{}{words}", at.as_str()), next);
    }
    let list: Vec<String> = units.iter().map(|unit| show(&unit.display().to_string(), 400).into_string()).collect();
    if list.is_empty() {
        let words = out.t(
            "no unit is installed: a console starts the engine; plans by the clock need `skydeck serve`",
            "没有安装单元：控制台会启动引擎；定时方案需要 `skydeck serve`",
        );
        return Check::good("service", words);
    }
    Check::good("service", list.join(out.t(", ", "、")))
}
