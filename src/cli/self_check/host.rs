//! The host itself: program, kernel, locale, terminal, clock, limits, temporary files, certificates.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use rustix::process::Resource;

use super::denied::{self, Barred};
use super::{Check, Out, State, room};
use crate::boot;
use crate::cli::output::Charset;
use crate::domain::time::Clock;
use crate::store::local::place::bytes_for_people;

/// The oldest kernel it was tried on (that of CentOS 7).
const KERNEL: [u32; 2] = [3, 10];
/// Files that may be open at once: the index, the journal, connections of sixteen users.
const FILES: u64 = 1024;
/// With fewer nothing opens.
const FILES_LEAST: u64 = 64;
/// The largest file that is written: a segment of the journal, with what one append may add.
const FILE_SIZE: u64 = 96 * 1024 * 1024;
/// Before this program was made, in seconds since 1970: a clock that shows less was never set.
const MADE: i64 = 1_735_689_600;
/// Where the system keeps its time zones.
const ZONES: &str = "/usr/share/zoneinfo";
/// Where the authorities that vouch for servers are kept, by distribution.
const BUNDLES: [&str; 5] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// All of them.
pub fn checks(out: &Out) -> Vec<Check> {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    vec![
        program(out, std::env::current_exe().ok(), var("PATH").as_deref()),
        system(out),
        locale(out),
        terminal(out),
        clock(out),
        limits(out),
        temporary(out, &std::env::temp_dir()),
        certificates(out, var("SSL_CERT_FILE"), var("SSL_CERT_DIR")),
    ]
}

/// Which program this is, and whether another one of its name is found first or beside it.
fn program(out: &Out, own: Option<PathBuf>, path: Option<&OsStr>) -> Check {
    let version = concat!("skydeck ", env!("CARGO_PKG_VERSION"));
    let Some(own) = own.map(|own| own.canonicalize().unwrap_or(own)) else { return Check::good("program", version) };
    let said = format!("{version}{}{}", out.t(", ", "，"), own.display());
    let dirs: Vec<PathBuf> = path.map(std::env::split_paths).into_iter().flatten().collect();
    let mut found: Vec<PathBuf> = Vec::new();
    for other in dirs.iter().map(|dir| dir.join("skydeck")).filter(|file| file.is_file()) {
        let other = other.canonicalize().unwrap_or(other);
        if !found.contains(&other) {
            found.push(other);
        }
    }
    let others: Vec<String> = found.iter().filter(|other| **other != own).map(|o| o.display().to_string()).collect();
    if others.is_empty() {
        return Check::good("program", said);
    }
    let list = others.join(out.t(", ", "、"));
    let first = found.first().is_some_and(|first| *first != own);
    let (en, zh) = if first {
        (format!("{said}; `skydeck` means another one: {list}"), format!("{said}；`skydeck` 指的是另一个：{list}"))
    } else {
        (format!("{said}; another one: {list}"), format!("{said}；另有：{list}"))
    };
    let next = out.t(
        "keep one of them; an older one refuses what a newer one has written",
        "只保留其中一个；旧版本会拒绝新版本写过的数据目录",
    );
    Check::lacks("program", out.t(&en, &zh), next)
}

fn system(out: &Out) -> Check {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    let machine = name.machine().to_string_lossy().into_owned();
    let selinux = std::fs::read_to_string("/sys/fs/selinux/enforce").is_ok_and(|on| on.trim() == "1");
    let mut said = format!("Linux {release} {machine}");
    if selinux {
        said.push_str(out.t(
            "; SELinux enforces: what it denies stands in `ausearch -m avc -c skydeck`",
            "；SELinux 为强制模式：被拒绝的操作见 `ausearch -m avc -c skydeck`",
        ));
    }
    if is_older(&release, KERNEL) {
        let next =
            out.t("this kernel is older than 3.10, which is the oldest it was tried on", "内核早于 3.10，未经测试");
        return Check::lacks("system", said, next);
    }
    Check::good("system", said)
}

/// Whether a kernel's release is older than two numbers; one that is none is not.
fn is_older(release: &str, than: [u32; 2]) -> bool {
    let numbers: Vec<u32> =
        release.split(|c: char| !c.is_ascii_digit()).map_while(|n| n.parse().ok()).take(2).collect();
    numbers.len() == 2 && numbers.as_slice() < than.as_slice()
}

fn locale(out: &Out) -> Check {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| Some(format!("{name}={}", set(name)?)));
    let none = out.t("LC_ALL, LC_CTYPE and LANG are not set", "LC_ALL、LC_CTYPE、LANG 都未设置").to_owned();
    let said = crate::text::show(&named.unwrap_or(none), 200).into_string();
    match Charset::detect() {
        Charset::Utf8 => Check::good("locale", said),
        Charset::Of(encoding) => {
            let (en, zh) = (
                format!(
                    "{said}: verbs write {}; the console needs UTF-8 and is in English without it",
                    encoding.name()
                ),
                format!("{said}：命令输出为 {}；控制台需要 UTF-8，否则为英文", encoding.name()),
            );
            Check::lacks("locale", out.t(&en, &zh), lang_next(out))
        }
        Charset::Ascii => {
            let words = out.t(": no Chinese on a terminal, frames in ASCII", "：终端上无法显示中文，边框为 ASCII");
            Check::lacks("locale", format!("{said}{words}"), lang_next(out))
        }
    }
}

fn lang_next(out: &Out) -> &'static str {
    out.t(
        "export LANG=zh_CN.UTF-8 (or en_US.UTF-8), and set the terminal program to UTF-8",
        "export LANG=zh_CN.UTF-8，并把终端软件的编码设为 UTF-8",
    )
}

fn terminal(out: &Out) -> Check {
    let term = std::env::var("TERM").unwrap_or_default();
    let name = crate::text::show(&term, 80).into_string();
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        let words = out.t("none here: verbs work, the console does not", "此处没有终端：命令可用，控制台不可用");
        return Check::good("terminal", words);
    }
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    let (width, height) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
    let said = format!("TERM={name}{}{width}x{height}", out.t(", ", "，"));
    if term.is_empty() || term == "dumb" {
        let next = out.t("export TERM=xterm-256color", "export TERM=xterm-256color");
        return Check::lacks("terminal", said, next);
    }
    if width < 80 || height < 24 {
        let next = out.t("make the window at least 80x24 for the console", "控制台需要至少 80x24 的窗口");
        return Check::lacks("terminal", said, next);
    }
    Check::good("terminal", said)
}

fn clock(out: &Out) -> Check {
    let clock = boot::SystemClock::default();
    if let Err(stop) = boot::settable(&clock, out.is_zh()) {
        return Check::bars("clock", stop.message, "timedatectl set-ntp true");
    }
    let now = out.time(clock.now());
    if clock.now().0 / 1000 < MADE {
        let words = out.t(": before this program was made", "：早于本程序的发布时间");
        return Check::lacks("clock", format!("{now}{words}"), "timedatectl set-ntp true");
    }
    if let Some((name, zone)) = boot::odd_zone() {
        let (name, zone) = (crate::text::show(&name, 80).into_string(), zone.name());
        let (en, zh) = (
            format!("{now}; TZ={name} names no time zone, days are those of {zone}"),
            format!("{now}；TZ={name} 不是时区名称，日期按 {zone}"),
        );
        return Check::lacks("clock", out.t(&en, &zh), "export TZ=Asia/Shanghai");
    }
    let named = std::env::var("TZ").ok().filter(|name| !is_kept(name, Path::new(ZONES)));
    if let Some(name) = named {
        let name = crate::text::show(&name, 80).into_string();
        let words = out.t(
            ": this host keeps no file of that zone, times are shown in UTC",
            "：本机没有该时区的文件，时间按 UTC 显示",
        );
        let next = out.t("install tzdata, the files of time zones", "安装 tzdata（时区文件）");
        return Check::lacks("clock", format!("{now}; TZ={name}{words}"), next);
    }
    let named = std::env::var_os("TZ").is_some_and(|set| !set.is_empty());
    let zone = if named { Some(crate::boot::zone().name().to_owned()) } else { iana_time_zone::get_timezone().ok() };
    let Some(zone) = zone else {
        let words = out.t("; the time zone has no name, dates are in UTC", "；没有时区名称，日期按 UTC");
        let next = out.t(
            "export TZ=Asia/Shanghai; for every user: timedatectl set-timezone Asia/Shanghai",
            "export TZ=Asia/Shanghai；对所有用户：timedatectl set-timezone Asia/Shanghai",
        );
        return Check::lacks("clock", format!("{now}{words}"), next);
    };
    let words =
        out.t("; how far the server's is off: `skydeck env check`", "；与服务器时钟的偏差见 `skydeck env check`");
    Check::good("clock", format!("{now} {zone}{words}"))
}

/// Whether this host keeps a file of the zone that `TZ` names; without one it shows times in UTC.
fn is_kept(name: &str, zones: &Path) -> bool {
    let name = name.trim_start_matches(':');
    // A name within the files of zones stays within.
    name.is_empty() || !name.split('/').any(|part| part == "..") && zones.join(name).is_file()
}

fn limits(out: &Out) -> Check {
    let soft = |resource| rustix::process::getrlimit(resource).current;
    judged(out, soft(Resource::Nofile), soft(Resource::Fsize))
}

/// `None`: without a limit.
fn judged(out: &Out, files: Option<u64>, size: Option<u64>) -> Check {
    let endless = || out.t("unlimited", "不限").to_owned();
    let said = format!(
        "{} {}{}{} {}",
        out.t("open files", "打开文件数"),
        files.map_or_else(endless, |n| n.to_string()),
        out.t(", ", "，"),
        out.t("size of a file", "文件大小"),
        size.map_or_else(endless, bytes_for_people)
    );
    let sized = out.t(
        "ulimit -f unlimited (under systemd: LimitFSIZE=infinity)",
        "ulimit -f unlimited（systemd：LimitFSIZE=infinity）",
    );
    let filed =
        out.t("ulimit -n 4096 (under systemd: LimitNOFILE=4096)", "ulimit -n 4096（systemd：LimitNOFILE=4096）");
    match (files, size) {
        (_, Some(..FILE_SIZE)) => Check::bars("limits", said, sized),
        (Some(..FILES_LEAST), _) => Check::bars("limits", said, filed),
        (Some(..FILES), _) => Check::lacks("limits", said, filed),
        (_, Some(_)) => Check::lacks("limits", said, sized),
        (_, None) => Check::good("limits", said),
    }
}

fn temporary(out: &Out, dir: &Path) -> Check {
    let at = crate::text::show(&dir.display().to_string(), 400).into_string();
    match denied::makes_files(dir) {
        Ok(()) => {}
        // Only a look at a backup needs them.
        Err(Barred::Host) => return Check { state: State::Lacks, ..denied::check(out, "temporary", dir) },
        Err(Barred::Mode) => {
            let words = out.t(": no file can be made there", "：无法在其中建立文件");
            let next = out.t(
                "name a directory that you may write to: export TMPDIR=DIR",
                "指定一个可写的目录：export TMPDIR=目录",
            );
            return Check::lacks("temporary", format!("{at}{words}"), next);
        }
    }
    if room(dir).is_some_and(|room| room.no_exec) {
        let words = out.t(" (noexec: no harm, nothing is executed there)", "（noexec：无妨，不在其中执行任何程序）");
        return Check::good("temporary", format!("{at}{words}"));
    }
    Check::good("temporary", at)
}

/// Where the TLS library looks, in its order.
fn certificates(out: &Out, file: Option<OsString>, dir: Option<OsString>) -> Check {
    let named: Vec<PathBuf> = file.into_iter().chain(dir).map(PathBuf::from).collect();
    let usual = || BUNDLES.iter().map(PathBuf::from).collect();
    let all: Vec<PathBuf> = if named.is_empty() { usual() } else { named };
    let full = |path: &PathBuf| {
        let entries = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        entries || std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() > 0)
    };
    if let Some(found) = all.iter().find(|path| full(path)) {
        return Check::good("certificates", crate::text::show(&found.display().to_string(), 400).into_string());
    }
    let list: Vec<String> = all.iter().map(|path| path.display().to_string()).collect();
    let list = list.join(out.t(", ", "、"));
    let said = format!("{}{list}", out.t("no authorities are known: nothing at ", "没有受信任的根证书："));
    let next = out.t(
        "install ca-certificates, or name the server's own with `ca_file` or `pinned_certificate`; http:// needs none",
        "安装 ca-certificates，或用 `ca_file`、`pinned_certificate` 指定服务器的证书；http:// 不需要",
    );
    Check::lacks("certificates", crate::text::show(&said, 1000).into_string(), next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::Language;

    fn out(lang: Language) -> Out {
        let causes = boot::causes(&crate::config::Config::default(), Path::new(""), lang).unwrap();
        Out { json: false, lang, views: PathBuf::new(), causes: std::sync::Arc::new(causes), beside: false }
    }

    #[test]
    fn a_kernel_is_older_by_its_numbers_and_not_by_its_letters() {
        for (release, older) in [
            ("2.6.32-754.el6", true),
            ("3.9.0", true),
            ("3.10.0-1160.el7.x86_64", false),
            ("4.19.90-23.ky10", false),
            ("10.1", false),
            ("", false),
            ("custom", false),
        ] {
            assert_eq!(is_older(release, KERNEL), older, "{release}");
        }
    }

    #[test]
    fn a_zone_is_kept_as_a_file_of_zones() {
        let zones = tempfile::tempdir().unwrap();
        std::fs::create_dir(zones.path().join("Asia")).unwrap();
        std::fs::write(zones.path().join("Asia/Shanghai"), "TZif").unwrap();
        for name in ["", "Asia/Shanghai", ":Asia/Shanghai"] {
            assert!(is_kept(name, zones.path()), "{name}");
        }
        for name in ["Nope/Nope", "Asia", "../zones", "Europe/Paris"] {
            assert!(!is_kept(name, zones.path()), "{name}");
        }
    }

    #[test]
    fn a_limit_bars_where_nothing_would_open_and_is_a_note_where_it_gets_tight() {
        let mib = 1024 * 1024;
        for (files, size, state) in [
            (Some(1024), None, State::Good),
            (None, None, State::Good),
            (Some(1023), None, State::Lacks),
            (Some(64), None, State::Lacks),
            (Some(63), None, State::Bars),
            (Some(65536), Some(4 * 1024 * mib), State::Lacks),
            (Some(65536), Some(95 * mib), State::Bars),
            (Some(3), Some(0), State::Bars),
        ] {
            let check = judged(&out(Language::Zh), files, size);
            assert_eq!(check.state, state, "{files:?} {size:?}: {}", check.found);
            assert_eq!(check.next.is_some(), state != State::Good);
        }
    }

    #[test]
    fn another_program_of_the_name_is_named_and_links_to_this_one_are_not() {
        let temp = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| temp.path().join(name));
        for dir in [&a, &b, &c] {
            std::fs::create_dir(dir).unwrap();
        }
        let own = a.join("skydeck");
        std::fs::write(&own, "one").unwrap();
        std::fs::write(b.join("skydeck"), "two").unwrap();
        std::os::unix::fs::symlink(&own, c.join("skydeck")).unwrap();
        let check = |dirs: &[&PathBuf]| {
            let path = std::env::join_paths(dirs).unwrap();
            program(&out(Language::En), Some(own.clone()), Some(path.as_os_str()))
        };
        assert_eq!(check(&[&a, &c, &a]).state, State::Good);
        let after = check(&[&a, &b]);
        assert!(after.state == State::Lacks && after.found.contains("another one: "), "{}", after.found);
        let before = check(&[&b, &c]);
        assert!(before.found.contains("`skydeck` means another one: ") && before.found.ends_with("b/skydeck"));
    }
}
