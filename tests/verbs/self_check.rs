//! `self check` on hosts that each lack one thing, made of variables, limits and directories.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::place::{PROGRAM, Place};

/// A host with everything, as far as variables can make one.
struct Host {
    home: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("certs")).unwrap();
        std::fs::write(home.path().join("certs/ca.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).env_clear().env("HOME", self.home.path());
        command.env("PATH", "/usr/bin:/bin").env("LANG", "zh_CN.UTF-8").env("SSL_CERT_DIR", self.path("certs"));
        command
    }

    /// Its own JSON line and exit code.
    fn check(&self, alter: impl FnOnce(&mut Command)) -> (Value, Option<i32>) {
        let mut command = self.command(PROGRAM, &["self", "check", "--json"]);
        alter(&mut command);
        read(&command.output().unwrap())
    }
}

fn read(out: &Output) -> (Value, Option<i32>) {
    let said = String::from_utf8_lossy(&out.stdout);
    let line =
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}{}", String::from_utf8_lossy(&out.stderr)));
    (line, out.status.code())
}

/// What is looked at, how it stands, the variables that make it so, and a word of what is said.
type Lack<'a> = (&'a str, &'a str, Vec<(&'a str, String)>, &'a str);

fn state<'a>(said: &'a Value, name: &str) -> (&'a str, &'a str) {
    let check = said["checks"].as_array().unwrap().iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("no {name}: {said}"));
    (check["state"].as_str().unwrap(), check["found"].as_str().unwrap())
}

#[test]
fn a_host_with_everything_lacks_a_configuration_and_nothing_is_changed() {
    let host = Host::new();
    let (said, code) = host.check(|_| {});
    assert_eq!((code, said["ok"].as_bool()), (Some(0), Some(true)), "{said}");
    for good in ["program", "system", "locale", "terminal", "certificates", "data"] {
        assert_eq!(state(&said, good).0, "ok", "{good}: {said}");
    }
    assert_eq!(state(&said, "config").0, "note");
    let left: Vec<_> = std::fs::read_dir(host.home.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["certs"], "it made something");
    let writes: Vec<&str> = said["writes"].as_array().unwrap().iter().map(|w| w["path"].as_str().unwrap()).collect();
    assert!(writes.contains(&host.path(".local/state/skydeck").as_str()), "{writes:?}");
}

#[test]
fn each_thing_that_is_missing_is_named_with_what_to_do() {
    let host = Host::new();
    std::fs::write(host.home.path().join("file"), "").unwrap();
    let deep = format!("{}/{}", host.path("deep"), "x".repeat(120));
    let vars: [Lack<'_>; 9] = [
        ("clock", "note", vec![("TZ", "CST-8".into())], "CST-8"),
        ("locale", "note", vec![("LANG", "C".into())], "LANG=C"),
        ("locale", "note", vec![("LC_ALL", "zh_CN.GBK".into())], "GBK"),
        ("certificates", "note", vec![("SSL_CERT_DIR", host.path("nothing"))], "nothing"),
        ("certificates", "note", vec![("SSL_CERT_FILE", host.path("file")), ("SSL_CERT_DIR", String::new())], "file"),
        ("temporary", "note", vec![("TMPDIR", host.path("nothing"))], "nothing"),
        ("data", "fault", vec![("XDG_STATE_HOME", host.path("file"))], "file"),
        ("data", "note", vec![("XDG_STATE_HOME", deep)], "xxx"),
        ("config", "fault", vec![("XDG_CONFIG_HOME", host.path("broken"))], "config.toml"),
    ];
    std::fs::create_dir_all(host.home.path().join("broken/skydeck")).unwrap();
    std::fs::write(host.home.path().join("broken/skydeck/config.toml"), "[environment.test\n").unwrap();
    for (name, wanted, vars, words) in vars {
        for lang in ["zh", "en"] {
            let (said, code) = host.check(|command| {
                command.args(["--lang", lang]).envs(vars.clone());
            });
            let (state, found) = state(&said, name);
            assert_eq!(state, wanted, "{name} {vars:?}: {said}");
            assert!(found.contains(words), "{name}: {found}");
            assert_eq!(code, Some(if wanted == "fault" { 2 } else { 0 }), "{said}");
            let next = said["checks"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap()["next"].as_str();
            assert!(next.is_some_and(|next| !next.is_empty()), "{said}");
        }
    }
}

#[test]
fn without_a_home_it_still_says_what_is_missing() {
    let host = Host::new();
    let (said, code) = host.check(|command| {
        command.env_remove("HOME");
    });
    assert_eq!((code, state(&said, "config").0), (Some(2), "fault"), "{said}");
    assert_eq!(state(&said, "locale").0, "ok");
    let (said, code) = host.check(|command| {
        command.env_remove("HOME").args(["--config", &host.path("none.toml"), "--data", &host.path("data")]);
    });
    // A configuration that is named has to be there.
    assert_eq!((code, state(&said, "config").0, state(&said, "data").0), (Some(2), "fault", "ok"), "{said}");
}

#[test]
fn limits_are_those_of_the_process() {
    let host = Host::new();
    for (limit, wanted, exit) in [("-n 48", "fault", 2), ("-n 512", "note", 0), ("-f 1000", "fault", 2)] {
        let script = format!("ulimit {limit}; exec \"$0\" self check --json");
        let out = host.command("/bin/sh", &["-c", &script, PROGRAM]).output().unwrap();
        let (said, code) = read(&out);
        assert_eq!((state(&said, "limits").0, code), (wanted, Some(exit)), "{limit}: {said}");
    }
}

#[test]
fn a_data_directory_that_cannot_be_used_is_said_before_anything_is_opened() {
    let host = Host::new();
    let data = host.home.path().join("data");
    let check = |wanted: &str, words: &str, exit: i32| {
        let (said, code) = host.check(|command| {
            command.args(["--lang", "en", "--data", &host.path("data")]);
        });
        let (state, found) = state(&said, "data");
        assert_eq!((state, code), (wanted, Some(exit)), "{said}");
        assert!(found.contains(words), "{found}");
    };
    std::fs::create_dir(&data).unwrap();
    let mode = |mode| std::fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    mode(0o755);
    check("fault", "others may use it", 2);
    mode(0o700);
    check("ok", "free", 0);
    std::fs::write(data.join("version"), "skydeck store 1\n").unwrap();
    check("note", "earlier version", 0);
    std::fs::write(data.join("version"), "skydeck store 99\n").unwrap();
    check("fault", "99", 2);
    std::fs::write(data.join("version"), "nonsense\n").unwrap();
    check("fault", "nonsense", 2);
    let all: Vec<_> = std::fs::read_dir(&data).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(all, ["version"]);
}

fn next(said: &Value, name: &str) -> String {
    let check = said["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
    check["next"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_directory_of_a_newer_program_is_left_to_the_newer_program() {
    let host = Host::new();
    let data = host.home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(data.join("version"), "skydeck store 99\n").unwrap();
    for (lang, words) in [("zh", "较新的程序"), ("en", "the newer one")] {
        let (said, code) = host.check(|command| {
            command.args(["--lang", lang, "--data", &host.path("data")]);
        });
        assert_eq!((state(&said, "data").0, code), ("fault", Some(2)), "{said}");
        assert!(next(&said, "data").contains("`type -a skydeck`") && next(&said, "data").contains(words), "{said}");
    }
}

/// A verb on a host that lets nothing below a directory be read or written, whatever its mode says; `None` where this
/// machine's kernel knows no such thing.
fn denied(host: &Host, below: &str, verb: &[&str]) -> Option<Output> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/denies.py");
    let (below, data) = (host.path(below), host.path("data"));
    let args: Vec<&str> =
        [script, &below, PROGRAM].into_iter().chain(verb.iter().copied()).chain(["--data", &data]).collect();
    let out = host.command("python3", &args).output().ok()?;
    (out.status.code() != Some(99)).then_some(out)
}

#[test]
fn what_the_host_denies_is_told_from_a_wrong_mode_with_the_label_where_there_is_one() {
    let host = Host::new();
    let (data, config) = (host.home.path().join("data"), host.home.path().join(".config/skydeck/config.toml"));
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::fs::write(&config, "").unwrap();
    let check = |below: &str, lang: &str| denied(&host, below, &["self", "check", "--json", "--lang", lang]);
    let Some(out) = check("data", "zh") else {
        println!("skipped: there is no python3, or no Landlock");
        return;
    };
    let (said, code) = read(&out);
    assert_eq!((state(&said, "data").0, code), ("fault", Some(2)), "{said}");
    assert!(state(&said, "data").1.contains("属主和权限允许，但被主机拒绝"), "{said}");
    assert!(next(&said, "data").contains("journalctl -k"), "{said}");
    // A verb that works there says where to look.
    let out = denied(&host, "data", &["history", "--lang", "zh"]).unwrap();
    let words = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() != Some(0) && words.contains("skydeck self check"), "{words}");
    // The configuration is there, and cannot be read.
    let (said, code) = read(&check(".config", "en").unwrap());
    assert_eq!((state(&said, "config").0, code), ("fault", Some(2)), "{said}");
    assert!(state(&said, "config").1.contains("owner and mode permit it"), "{said}");
    let label = b"unconfined_u:object_r:user_home_t:s0\0";
    if rustix::fs::setxattr(&data, "security.selinux", label, rustix::fs::XattrFlags::empty()).is_err() {
        println!("skipped: this user can give no label");
        return;
    }
    let (said, _) = read(&check("data", "en").unwrap());
    assert!(state(&said, "data").1.ends_with("its SELinux label is unconfined_u:object_r:user_home_t:s0"), "{said}");
    let next = next(&said, "data");
    assert!(
        next.contains("ausearch -m avc -c skydeck") && next.contains(&format!("restorecon -Rv {}", data.display()))
    );
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0, "nothing was made");
}

#[test]
fn where_nothing_may_be_executed_in_tmp_or_home_it_works_and_says_so() {
    let host = Host::new();
    let script = "mkdir \"$HOME/n\" && mount -t tmpfs -o noexec tmpfs \"$HOME/n\" || exit 99; export HOME=\"$HOME/n\" TMPDIR=\"$HOME/n\"
        \"$0\" self check --json && exec \"$0\" demo --headless --bills 12 --faults none --fresh 2>&1";
    let ran = host.command("/usr/bin/unshare", &["-m", "/bin/sh", "-c", script, PROGRAM]).output();
    let Some(out) = ran.ok().filter(|out| ![Some(1), Some(99)].contains(&out.status.code())) else {
        println!("skipped: this user can mount nothing");
        return;
    };
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let (check, demo) = said.split_once('\n').unwrap();
    let check: Value = serde_json::from_str(check).unwrap_or_else(|e| panic!("{e}: {said}"));
    let (state, found) = state(&check, "temporary");
    assert!(state == "ok" && found.contains("noexec"), "{check}");
    assert!(out.status.code() == Some(0) && demo.contains("与模拟器逐张一致"), "{demo}");
}

/// A home whose disk is mounted read-only, in a mount space of the test's own; `None` where none can be made.
fn on_a_read_only_home(host: &Host) -> Option<Output> {
    let script = "mount --bind \"$HOME\" \"$HOME\" && mount -o remount,ro,bind \"$HOME\" || exit 99; exec \"$0\" self check --json";
    let out = host.command("/usr/bin/unshare", &["-m", "/bin/sh", "-c", script, PROGRAM]).output().ok()?;
    (out.status.code() != Some(99) && out.status.success() || out.status.code() == Some(2)).then_some(out)
}

#[test]
fn a_home_that_is_read_only_is_said_with_the_way_out() {
    let host = Host::new();
    let Some(out) = on_a_read_only_home(&host) else {
        println!("skipped: this user can mount nothing");
        return;
    };
    let (said, code) = read(&out);
    assert_eq!((state(&said, "data").0, code), ("fault", Some(2)), "{said}");
    let next = said["checks"].as_array().unwrap().iter().find(|c| c["name"] == "data").unwrap()["next"].to_string();
    assert!(next.contains("XDG_STATE_HOME"), "{next}");
}

#[test]
fn an_engine_that_runs_another_program_than_this_one_is_named() {
    let (place, dir) = (Place::new(1), tempfile::tempdir().unwrap());
    let other = dir.path().join("skydeck");
    std::fs::copy(PROGRAM, &other).unwrap();
    let serve = |program: &Path| {
        let mut engine = Command::new(program)
            .args(["serve", "--detached"])
            .args(place.options())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(engine.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line == "ready")), "it serves");
        engine
    };
    let check =
        || read(&Command::new(PROGRAM).args(["self", "check", "--json"]).args(place.options()).output().unwrap()).0;
    for (program, wanted) in [(Path::new(PROGRAM), "ok"), (&other, "note")] {
        let mut engine = serve(program);
        let said = check();
        let (state, found) = state(&said, "engine");
        assert_eq!(state, wanted, "{said}");
        assert_eq!(found.contains(other.to_str().unwrap()), wanted == "note", "{said}");
        assert_eq!(next(&said, "engine").contains("serve --end"), wanted == "note", "{said}");
        engine.kill().unwrap();
        engine.wait().unwrap();
    }
}

#[test]
fn a_demo_that_may_write_nowhere_says_why_and_where_to_go_in_both_languages() {
    let host = Host::new();
    std::fs::write(host.home.path().join("file"), "").unwrap();
    for (lang, words) in [
        ("zh", "不是目录（系统错误 20）；请指定其他目录：`--data 目录`，或 XDG_STATE_HOME"),
        ("en", "Not a directory (os error 20); name another directory: `--data DIR`, or XDG_STATE_HOME"),
    ] {
        let mut demo = host.command(PROGRAM, &["demo", "--headless", "--bills", "12", "--lang", lang]);
        let out = demo.env("XDG_STATE_HOME", host.path("file")).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(2) && said.contains(words), "{said}");
        assert!(said.contains("`skydeck self check`"), "{said}");
    }
}

#[test]
fn a_host_without_random_numbers_is_told_instead_of_ending_in_the_middle() {
    let host = Host::new();
    let filter = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/old_kernel.py");
    // The kernel is older than its call for random numbers; of the files that were before it none is there, or not the one that
    // is waited at.
    let run = |files: &str, lang: &str, verb: &str| {
        let script = format!("mount -t tmpfs tmpfs /dev && {files} || exit 99; exec python3 {filter} \"$0\" {verb}");
        let mut command = host.command("/usr/bin/unshare", &["-m", "/bin/sh", "-c", &script, PROGRAM]);
        command.env("LANG", lang).output().ok().filter(|out| ![Some(1), Some(99)].contains(&out.status.code()))
    };
    for files in ["true", "mknod -m 666 /dev/urandom c 1 9"] {
        for (lang, words) in
            [("zh_CN.UTF-8", "本机无法提供随机数"), ("en_US.UTF-8", "this host gives no random numbers")]
        {
            for verb in ["self check", "demo --headless --bills 12", "history"] {
                let Some(out) = run(files, lang, verb) else {
                    println!("skipped: this user can mount nothing, or there is no python3 or no filter");
                    return;
                };
                let said = String::from_utf8_lossy(&out.stderr).into_owned();
                assert!(
                    out.status.code() == Some(2) && said.contains(words),
                    "{files} {verb}: {:?}: {said}",
                    out.status
                );
            }
        }
    }
}

#[test]
fn another_program_of_the_name_and_a_unit_without_its_program_are_named() {
    let host = Host::new();
    let dir = |name: &str| {
        let dir = host.home.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    };
    let other = dir("bin").join("skydeck");
    std::fs::write(&other, "#!/bin/sh\n").unwrap();
    let unit = dir(".config/systemd/user").join("skydeck.service");
    std::fs::write(&unit, "[Service]\nExecStart=%h/.cargo/bin/skydeck serve\n").unwrap();
    let (said, code) = host.check(|command| {
        command.env("PATH", host.path("bin"));
    });
    let (found, program) = state(&said, "program");
    assert!(found == "note" && program.contains(other.to_str().unwrap()), "{said}");
    let (found, service) = state(&said, "service");
    assert!(found == "note" && service.contains(&host.path(".cargo/bin/skydeck")), "{said}");
    assert_eq!(code, Some(0));
    // The program is there now.
    std::fs::write(dir(".cargo/bin").join("skydeck"), "").unwrap();
    let (said, _) = host.check(|_| {});
    assert!(!state(&said, "service").1.contains(".cargo"), "{said}");
}

#[test]
fn a_person_reads_it_in_his_language_and_a_program_one_line() {
    let host = Host::new();
    for (lang, words) in [
        ("zh", ["语言环境：", "数据目录：", "下一步：", "写入什么，写在哪里：", "可以使用；注意"]),
        ("en", ["locale: ", "data directory: ", "next: ", "what is written, and where:", "it works here; notes:"]),
    ] {
        let out = host.command(PROGRAM, &["self", "check", "--lang", lang]).output().unwrap();
        let said = String::from_utf8(out.stdout).unwrap();
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert_eq!(out.status.code(), Some(0));
    }
    assert!(Path::new(PROGRAM).is_file());
}
