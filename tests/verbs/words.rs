//! The real binary in a Chinese and in an English locale: what it says at standard error is in that language.
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::english::sentences;
use crate::erp::{Erp, Said, Site, answer};
use crate::style;
use clap::CommandFactory;
use skydeck::cli::args::Cli;

const CONFIG: &str = r#"
[environment.north]
url = "http://127.0.0.1:9/k3cloud/"
account_set = "60bb0000000000"
user = "clerk"
sign_in = "password"
secret = { file = "secret" }
"#;

/// What a configuration is spoilt by, each once.
const SPOILT: [(&str, &str); 22] = [
    ("user = \"clerk\"", "usr = \"clerk\""),
    ("user = \"clerk\"\n", ""),
    ("user = \"clerk\"", "user = 7"),
    ("user = \"clerk\"", "user = clerk"),
    ("user = \"clerk\"", "user = \"a\"\nuser = \"b\""),
    ("sign_in = \"password\"", "sign_in = \"magic\""),
    ("sign_in = \"password\"", "sign_in = \"signed\""),
    ("secret = { file = \"secret\" }", "secret = \"opensesame\""),
    ("secret = { file = \"secret\" }", "secret = { command = [] }"),
    ("secret = { file = \"secret\" }", "secret = { vault = \"x\" }"),
    ("secret = { file", "read_only = \"sometimes\"\nsecret = { file"),
    ("secret = { file", "server_zone = \"Asia/Peking\"\nsecret = { file"),
    ("secret = { file", "org = \"1,2\"\nsecret = { file"),
    ("secret = { file", "proxy_user = \"p\"\nsecret = { file"),
    ("secret = { file", "client_certificate = \"c.pem\"\nsecret = { file"),
    ("[environment.north]", "default_environment = \"south\"\n[environment.north]"),
    ("[environment.north]", "[console]\nambiguous_width = 3\n[environment.north]"),
    ("[environment.north]", "[metrics]\nlisten = \"0.0.0.0:9464\"\n[environment.north]"),
    ("[environment.north]", "[retention]\naudited = \"soon\"\n[environment.north]"),
    ("[environment.north]", "[[alerts.to]]\nname = \"a\"\nkind = \"webhook\"\n[environment.north]"),
    ("[environment.north]", "[[alerts.to]]\nname = \"a\"\nkind = \"dingtalk\"\n[environment.north]"),
    ("[environment.north]", "[log]\nlevel = \"loud\"\n[environment.north]"),
];

/// Orders that come to nothing, each in another way.
const ORDERS: [&[&str]; 57] = [
    &["fly"],
    &["rnu", "x"],
    &["run"],
    &["run", "--quick", "x"],
    &["run", "nowhere"],
    &["run", "absent.json"],
    &["run", "good", "--remedy", "--sweep"],
    &["run", "bad"],
    &["run", "worse"],
    &["run", "good", "--since", "yesterday"],
    &["run", "good", "--until", "2026-13-01"],
    &["run", "good", "--since", "2026-11-02", "--until", "2026-11-01"],
    &["run", "good", "--numbers", "a;b"],
    &["run", "good", "--numbers", "a--b", "--yes"],
    &["retry"],
    &["retry", "cuase:stock"],
    &["retry", "--plan", "nowhere"],
    &["retry", "--revision", "old"],
    &["verify", "age:>soon"],
    &["verify", "--run", "01ZZ"],
    &["approve"],
    &["resume"],
    &["cancel", "01ZZ"],
    &["resolve", "cause:stock"],
    &["resolve", "--reason", "x", "colour:red"],
    &["reopen", "--reason", "x"],
    &["reopen", "XSCKD1", "--reason", "x"],
    &["history", "01ZZ"],
    &["history", "-n", "many"],
    &["bill"],
    &["bill", "XSCKD404"],
    &["export", "--format", "pdf", "x.pdf"],
    &["report", "x.pdf"],
    &["handover", "x.pdf"],
    &["handover", "--since", "soon"],
    &["report", "--filter", "@first", "x.md"],
    &["export", "--run", "a", "--all", "x.csv"],
    &["log", "export", "--since", "today", "-"],
    &["log", "accept"],
    &["log", "accept", "--reason", "x"],
    &["plan", "show", "nowhere"],
    &["plan", "lint", "worse"],
    &["plan", "lint", "absent.json"],
    &["plan", "render", "bad"],
    &["plan", "render", "good", "--since", "noon"],
    &["plan", "import", "absent.txt"],
    &["plan", "import", "prose.txt"],
    &["plan", "new", "--form", "SAL_OUTSTOCK", "--operation", "UnAudit"],
    &["plan", "new", "--form", "a b"],
    &["plan", "fly"],
    &["env", "check", "south"],
    &["env", "check"],
    &["--config", "absent.toml", "env", "list"],
    &["demo", "--headless", "--data", "plans"],
    &["plan", "new", "--form", "STK_InStock", "--submit", "--operation", "BillClose"],
    &["prune"],
    &["serve", "--end", "--detached"],
];

fn han(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

struct Place(tempfile::TempDir);

impl Place {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        fs::create_dir(dir.path().join("plans")).unwrap();
        write("config.toml", config);
        write("secret", "opensesame");
        fs::set_permissions(dir.path().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        let good =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/sal_outstock_audit.json")).unwrap();
        write("plans/good.json", &good);
        write("plans/bad.json", "{\"source\": {\"api\": \"View\"}, \"target\": {\"api\": \"UnAudit\"}}");
        write("plans/worse.json", "{\"source\": ");
        write("prose.txt", "no plan at all");
        Self(dir)
    }

    /// The lines at standard error, and whether it ended well.
    fn said(&self, locale: &str, args: &[&str]) -> (Vec<String>, Option<i32>) {
        let output = Command::new(env!("CARGO_BIN_EXE_skydeck"))
            .arg("--config")
            .arg(self.0.path().join("config.toml"))
            .arg("--data")
            .arg(self.0.path().join("data"))
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .env_remove("LC_MESSAGES")
            .env("LC_ALL", locale)
            .env("LANG", locale)
            .env_remove("CREDENTIALS_DIRECTORY")
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        (err.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(), output.status.code())
    }

    fn check(&self, args: &[&str]) -> Vec<String> {
        let mut faults = Vec::new();
        let (zh, code) = self.said("zh_CN.UTF-8", args);
        if zh.is_empty() {
            faults.push(format!("{args:?}: says nothing and ends {code:?}"));
        }
        let english = |line: &&String| !han(line) || !sentences(line).is_empty();
        faults.extend(zh.iter().filter(english).map(|line| format!("{args:?} zh: {line}")));
        let (en, same) = self.said("C", args);
        if code != same {
            faults.push(format!("{args:?}: {code:?} and {same:?}"));
        }
        let dropped = |line: &&String| han(line) || !style::dropped_en(line).is_empty();
        faults.extend(en.iter().filter(dropped).map(|line| format!("{args:?} en: {line}")));
        faults
    }
}

#[test]
fn every_order_that_comes_to_nothing_says_so_in_the_language_of_the_locale() {
    let place = Place::new(CONFIG);
    let faults: Vec<String> = ORDERS.iter().flat_map(|args| place.check(args)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_configuration_that_cannot_be_used_names_its_line_in_the_language_of_the_locale() {
    for (from, to) in SPOILT {
        assert!(CONFIG.contains(from), "{from}");
        let place = Place::new(&CONFIG.replacen(from, to, 1));
        let faults = place.check(&["env", "list"]);
        assert!(faults.is_empty(), "{to}: {}", faults.join("\n"));
        let (zh, code) = place.said("zh_CN.UTF-8", &["env", "list"]);
        assert_eq!(code, Some(2), "{to}: {zh:?}");
        assert!(zh.concat().contains(" 行：") && !zh.concat().contains("opensesame"), "{zh:?}");
    }
}

#[test]
fn a_run_of_english_words_is_noticed_and_names_are_none() {
    for (text, found) in [
        ("未执行：the store cannot write", &["the store cannot write"][..]),
        ("`is no date` 不是日期", &[]),
        ("无法读取：“No such file or directory (os error 2)”", &["No such file or directory"]),
        ("用法：skydeck plan new --form <FORM>", &[]),
        ("数据目录 held by process（某人）", &["held by process"]),
        ("JSON Lines：每行一个对象", &[]),
    ] {
        assert_eq!(sentences(text), found, "{text}");
    }
}

/// The paths of all verbs that people see.
fn paths(command: &clap::Command, path: &[String], into: &mut Vec<Vec<String>>) {
    into.push(path.to_vec());
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        paths(verb, &[path, &[verb.get_name().to_owned()]].concat(), into);
    }
}

/// Everything that a verb of a site says in Chinese.
fn all_said(site: &Site, args: &[&str]) -> String {
    // What it writes is written there.
    let out = site.command("zh", args).current_dir(site.dir.path()).output().unwrap();
    format!("{}\n{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// English sentences of a line in Chinese, words that another one stands for, and narrow signs.
fn wrong(line: &str) -> Vec<String> {
    // Requests and answers, and what another program takes, are as they are.
    let as_it_is = line.contains(['{', '|']) || line.contains("age:>2h");
    let signs = if as_it_is { Vec::new() } else { style::signs(line) };
    sentences(line).into_iter().chain(style::dropped_zh(line)).chain(signs).collect()
}

fn faults(site: &Site, args: &[&str]) -> Vec<String> {
    let said = all_said(site, args);
    said.lines()
        .flat_map(|line| wrong(line).into_iter().map(move |fault| format!("{args:?}: {fault}: {line}")))
        .collect()
}

#[test]
fn no_page_of_help_has_an_english_sentence_in_chinese() {
    let site = Site::new(Erp::start(0, |_, _, _| Said::Good), "1s", "", "");
    let mut verbs = Vec::new();
    paths(&Cli::command(), &[], &mut verbs);
    assert!(verbs.len() > 40, "{}", verbs.len());
    let mut found = Vec::new();
    for verb in &verbs {
        let args: Vec<&str> = verb.iter().map(String::as_str).chain(["--help"]).collect();
        found.extend(faults(&site, &args));
    }
    // The first lines of a manual page are the formatter's.
    let words = |args: &[&str]| all_said(&site, args).lines().skip(3).collect::<Vec<_>>().join("\n");
    found.extend(sentences(&words(&["man"])));
    // A script's own code has words, too; what Bash, zsh and fish are given is asked word by word: tests/completion.rs.
    for shell in ["elvish", "powershell"] {
        let script = words(&["completions", shell]);
        assert!(han(&script), "{script}");
        let left =
            ["as it is now", "a detached one", "byte order mark"].into_iter().filter(|left| script.contains(left));
        found.extend(left.map(|left| format!("{shell}: {left}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

/// Verbs, in the order of a day: some bills are refused, some are never answered.
const DAY: [&[&str]; 47] = [
    &["env", "list"],
    &["env", "check"],
    &["plan", "list"],
    &["plan", "check"],
    &["plan", "show", "p"],
    &["plan", "show", "p", "--effective"],
    &["plan", "lint", "p"],
    &["plan", "render", "p"],
    &["plan", "preview", "p"],
    &["plan", "diff", "p", "p"],
    &["plan", "new", "--form", "SAL_OUTSTOCK"],
    &["health"],
    &["run", "p"],
    &["approve", "--yes"],
    &["history"],
    &["run", "p", "--yes"],
    &["ledger"],
    &["ledger", "--groups"],
    &["bill", "XSCKD000000"],
    &["bill", "XSCKD000001", "--evidence"],
    &["bill", "XSCKD000002"],
    &["history", "--filter", "outcome:failed"],
    &["verify"],
    &["retry", "--yes"],
    &["retry", "cause:stock", "--yes"],
    &["export", "ledger.csv"],
    &["export", "--all", "all.md"],
    &["export", "--all", "all.html"],
    &["evidence", "01", "evidence.jsonl"],
    &["handover"],
    &["handover", "--since", "昨天", "--format", "md"],
    &["handover", "handover.html"],
    &["report", "report.xlsx"],
    &["report", "--all", "report.md"],
    &["report", "--since", "昨天", "report.html"],
    &["resolve", "--all", "--reason", "盘点"],
    &["reopen", "XSCKD000001", "--reason", "盘点"],
    &["resume"],
    &["cancel"],
    &["log"],
    &["log", "verify"],
    &["log", "head"],
    &["doctor"],
    &["doctor", "--rebuild"],
    &["backup", "copy"],
    &["health"],
    &["prune"],
];

/// A plan whose columns, filter and call have what lint names, as a vendor's page prints it.
const PAGE: &str = "# 方案\n\n接口：executeBillQuery\n\n| 字段 | 接口字段 | 值 |\n|---|---|---|\n| FormId | FormId | SAL_OUTSTOCK |\n| \
    FilterString | FilterString | FDocumentStatus in ('A','B') or FModifyDate>='{{LAST_SYNC_TIME}}' |\n| FieldKeys | FieldKeys | FID,FBillNo,\
    FEntity_FSeq |\n\n接口：Audit\n\n| 字段 | 接口字段 | 值 |\n|---|---|---|\n| FormId | FormId | SAL_OUTSTOCK |\n| InterationFlags | \
    InterationFlags | STK_InvCheckResult |\n| Ids | Ids | {{FBillNo}} |\n| Extra | Extra | 1 |\n";

#[test]
fn what_is_beside_the_verbs_of_a_day_is_chinese_too() {
    let site = Site::new(Erp::start(2, |_, _, _| Said::Good), "1s", "", "");
    fs::write(site.dir.path().join("page.md"), PAGE).unwrap();
    let mut found = Vec::new();
    for args in [
        &["plan", "import", "page.md", "-o", "imported.json"][..],
        &["plan", "lint", "imported.json"],
        &["plan", "check"],
        &["demo", "--headless", "--bills", "12", "--per-minute", "60000", "--data", "demo"],
        &["demo", "--headless", "--faults", "nothing"],
        &["sim", "--faults", "nothing"],
        &["sim", "--bind", "192.0.2.1", "--port", "0"],
        &["sim", "--port", "seven"],
        &["serve", "--end"],
        &["alerts", "test"],
        &["run", "p", "--flag", "X", "--yes"],
        &["run", "p", "--unlock", "--yes"],
        &["export", "--filter", "age:>2y", "x.csv"],
    ] {
        found.extend(faults(&site, args));
    }
    assert!(fs::read_to_string(site.dir.path().join("imported.json")).is_ok_and(|plan| plan.contains("Audit")));
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

/// A line without what stands in quotation marks.
fn unquoted(line: &str) -> String {
    let after = |part: &str| part.split_once('”').map_or_else(String::new, |(_, after)| after.to_owned());
    line.split('“').enumerate().map(|(i, part)| if i == 0 { part.to_owned() } else { after(part) }).collect()
}

/// Puts a directory that 0.1.0 left in the place of a site's.
fn unpack(packed: &Path, data: &Path) {
    let inner = data.with_extension("packed");
    fs::create_dir(&inner).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(packed).arg("-C").arg(&inner).status().unwrap().success());
    let mut at = inner;
    while !at.join("journal").is_dir() {
        at = fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    }
    fs::rename(at, data).unwrap();
    fs::set_permissions(data, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn the_simulator_says_where_it_listens_in_chinese() {
    let site = Site::new(Erp::start(0, |_, _, _| Said::Good), "1s", "", "");
    let mut sim = site
        .command("zh", &["sim", "--port", "0", "--bills", "3"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    for line in BufReader::new(sim.stderr.take().unwrap()).lines() {
        said += &(line.unwrap()
            + "
");
        if said.contains("Ctrl-C") {
            break;
        }
    }
    sim.kill().unwrap();
    sim.wait().unwrap();
    let found: Vec<String> = said.lines().flat_map(wrong).collect();
    assert!(found.is_empty() && said.contains("按 Ctrl-C 停止"), "{said}{found:?}");
}

#[test]
fn an_upgrade_says_what_it_does_in_chinese() {
    let earlier = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data-0.1.0");
    let mut found = Vec::new();
    for name in ["closed", "paused"] {
        let site = Site::new(Erp::start(0, |_, _, _| Said::Good), "1s", "", "");
        unpack(&earlier.join(format!("{name}.tar.gz")), &site.data());
        for args in
            [&["health"][..], &["history"], &["doctor"], &["upgrade"], &["upgrade"], &["doctor"], &["log", "verify"]]
        {
            // Sentences that 0.1.0 wrote down are quoted as they are.
            let said = all_said(&site, args);
            let ours: Vec<String> = said.lines().map(unquoted).collect();
            found.extend(
                ours.iter()
                    .flat_map(|line| wrong(line).into_iter().map(move |fault| format!("{args:?}: {fault}: {line}"))),
            );
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

#[test]
fn no_verb_of_a_day_says_an_english_sentence_in_chinese() {
    let erp = Erp::start(6, |service, data, nth| match (service, data["Ids"].as_str()) {
        ("Audit", Some(ids)) if ids.contains("100001") => Said::Http(200, answer(false, &["库存不足"], &[], 11)),
        ("Audit", Some(ids)) if ids.contains("100002") && nth < 20 => Said::Http(502, "<html>坏网关</html>".into()),
        _ => Said::Good,
    });
    let site = Site::new(erp, "1s", "", "");
    let mut found = Vec::new();
    for args in DAY {
        found.extend(faults(&site, args));
        if args == ["ledger"] {
            let left = all_said(&site, args);
            assert!(left.contains("XSCKD000001") && left.contains("库存不足"), "{left}");
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

/// What befalls a data directory, and a verb that meets it.
type Mishap = (&'static str, fn(&Path), &'static [&'static [&'static str]]);

const MISHAPS: [Mishap; 9] = [
    ("newer", |data| fs::write(data.join("version"), "skydeck store 99\n").unwrap(), LOOK),
    ("no version", |data| fs::remove_file(data.join("version")).unwrap(), LOOK),
    ("open to others", |data| fs::set_permissions(data, fs::Permissions::from_mode(0o755)).unwrap(), LOOK),
    (
        "a file in its place",
        |data| {
            fs::rename(data, data.with_extension("old")).unwrap();
            fs::write(data, "x").unwrap();
        },
        LOOK,
    ),
    (
        "a link in its place",
        |data| {
            fs::rename(data, data.with_extension("old")).unwrap();
            std::os::unix::fs::symlink(data.with_extension("old"), data).unwrap();
        },
        LOOK,
    ),
    ("a damaged journal", |data| spoil(&data.join("journal/00000001.log"), 60), LOOK),
    ("a damaged log", |data| spoil(&data.join("actions.log"), 30), LOOK),
    ("no journal", |data| fs::rename(data.join("journal"), data.join("elsewhere")).unwrap(), LOOK),
    (
        "a pipe in the place of a file",
        |data| {
            fs::remove_file(data.join("owner.lock")).unwrap();
            fs::create_dir(data.join("owner.lock")).unwrap();
        },
        LOOK,
    ),
];

const LOOK: &[&[&str]] = &[
    &["health"],
    &["history"],
    &["doctor"],
    &["doctor", "--rebuild"],
    &["log", "verify"],
    &["backup", "copy"],
    &["run", "p", "--yes"],
    &["upgrade"],
    &["prune", "--yes"],
    &["restore", "nowhere"],
    &["restore", "plans"],
    &["--snapshot", "nowhere", "history"],
    &["serve", "--end"],
];

/// Turns a byte of a file round.
fn spoil(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    let byte = bytes.get_mut(at).unwrap();
    *byte ^= 0x55;
    fs::write(file, bytes).unwrap();
}

#[test]
fn nothing_that_is_wrong_with_a_data_directory_is_told_in_english_in_chinese() {
    let mut found = Vec::new();
    for (what, mishap, verbs) in MISHAPS {
        let site = Site::new(Erp::start(3, |_, _, _| Said::Good), "1s", "", "[retention]\naudited = \"1d\"");
        assert!(all_said(&site, &["run", "p", "--yes"]).contains("共 3"));
        assert!(site.data().join("actions.log").exists() && site.data().join("owner.lock").exists());
        mishap(&site.data());
        for args in verbs {
            found.extend(faults(&site, args).into_iter().map(|fault| format!("{what}: {fault}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}
