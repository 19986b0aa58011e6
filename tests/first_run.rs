//! From nothing to a first plan, by the real binary: at a real terminal, and without one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use place::{PROGRAM, Place};
use pty::{Pty, Start};
use serde_json::Value;
use skydeck::sim;

const CTRL_C: &[u8] = b"\x03";
const CTRL_D: &[u8] = b"\x04";

/// A home without anything, and a simulator.
struct Home {
    dir: tempfile::TempDir,
    place: Place,
}

impl Home {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), place: Place::new(30) }
    }

    fn url(&self) -> String {
        self.place.sim.as_ref().unwrap().url()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn config(&self) -> PathBuf {
        self.at(".config/skydeck/config.toml")
    }

    fn fails(&self, faults: &str) {
        self.place.sim.as_ref().unwrap().with_world(|world| world.add_faults(toml::from_str(faults).unwrap()));
    }

    fn at_a_terminal(&self, lang: &str, args: &[&str]) -> Pty {
        let home = self.dir.path().display().to_string();
        let none = ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"].map(|name| (name, ""));
        let mut env = vec![("HOME", home.as_str()), ("LANG", lang)];
        env.extend(none);
        Pty::start(&Start { program: PROGRAM, args, env: &env, size: (100, 50) })
    }

    fn verb(&self, lang: &str, args: &[&str], input: &str) -> (Option<i32>, String, String) {
        let mut command = Command::new(PROGRAM);
        command.env_clear().env("HOME", self.dir.path()).args(["--lang", lang]).args(args);
        said(&fed(command, input))
    }

    /// Files of the home, but for what the engine keeps.
    fn files(&self) -> Vec<String> {
        fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                if entry.path().is_dir() { walk(&entry.path(), into) } else { into.push(entry.path()) }
            }
        }
        let mut all = Vec::new();
        walk(self.dir.path(), &mut all);
        let name = |path: &PathBuf| path.strip_prefix(self.dir.path()).unwrap().display().to_string();
        let mut all: Vec<String> = all.iter().map(name).filter(|name| !name.contains(".local/")).collect();
        all.sort();
        all
    }

    fn audits(&self) -> usize {
        self.place.audits().len()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // The engine that a console started.
        let mut command = Command::new(PROGRAM);
        command.env_clear().env("HOME", self.dir.path()).args(["serve", "--end"]);
        let _ = fed(command, "");
    }
}

fn fed(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(out: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Waits for a question: the last line of the screen.
fn asked(pty: &Pty, question: &str) {
    pty.wait_for(question, |screen| screen.trim_end().lines().last().is_some_and(|line| line.contains(question)));
}

/// Answers questions in their order.
fn answer(pty: &mut Pty, steps: &[(&str, &str)]) {
    for (question, answer) in steps {
        asked(pty, question);
        pty.send(format!("{answer}\r").as_bytes());
    }
}

/// An address at which nobody listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/k3cloud/", listener.local_addr().unwrap())
}

/// What is asked for up to the sign-in, answered well.
fn described(home: &Home, words: &Words) -> Vec<(String, String)> {
    let known = sim::demo_credentials();
    [
        ("[q]", "s"),
        (words.name, ""),
        (words.address, home.url().as_str()),
        (words.centre, &known.account),
        (words.user, &known.user),
        ("[4]", "1"),
        (words.app, &known.app_id),
        (words.secret, &known.app_secret),
        ("[y/N]", ""),
        ("[w]", ""),
    ]
    .map(|(question, answer)| (question.to_owned(), answer.to_owned()))
    .to_vec()
}

fn walk(pty: &mut Pty, steps: &[(String, String)]) {
    for (question, answer) in steps {
        asked(pty, question);
        pty.send(format!("{answer}\r").as_bytes());
    }
}

struct Words {
    locale: &'static str,
    name: &'static str,
    address: &'static str,
    centre: &'static str,
    user: &'static str,
    app: &'static str,
    secret: &'static str,
    form: &'static str,
    columns: &'static str,
    plan: &'static str,
}

const ZH: Words = Words {
    locale: "zh_CN.UTF-8",
    name: "环境名称",
    address: "地址，如",
    centre: "数据中心（账套）标识",
    user: "集成用户",
    app: "应用 ID",
    secret: "应用密钥（不显示）",
    form: "业务对象标识",
    columns: "列 >",
    plan: "方案名称",
};

const EN: Words = Words {
    locale: "en_US.UTF-8",
    name: "name of the environment",
    address: "address, e.g.",
    centre: "data centre (account set)",
    user: "an integration user",
    app: "application id",
    secret: "application secret (not shown)",
    form: "business object, e.g.",
    columns: "columns >",
    plan: "name of the plan",
};

/// Address, data centre, user and secret are wrong one after the other; each is said, and asked for again.
#[test]
fn a_set_up_asks_again_for_what_is_wrong_and_ends_in_a_console_with_a_plan() {
    for (words, said) in [
        (
            &ZH,
            [
                "没有发出任何请求",
                "数据中心（账套）标识",
                "重复无用",
                "没有改动",
                "不存在",
                "没有字段 `FNoSuch`",
                "今日",
            ],
        ),
        (
            &EN,
            [
                "Nothing was sent",
                "account set id",
                "repeating cannot help",
                "nothing was changed",
                "does not exist",
                "no field `FNoSuch`",
                "Today",
            ],
        ),
    ] {
        let home = Home::new();
        let known = sim::demo_credentials();
        let mut pty = home.at_a_terminal(words.locale, &[]);
        answer(
            &mut pty,
            &[
                ("[q]", "s"),
                (words.name, "../x"),
                (words.name, "first"),
                (words.address, "not an address"),
                (words.address, &nowhere()),
                (words.centre, "60aa00000000ff"),
                (words.user, "nobody"),
                ("[4]", ""),
                (words.app, &known.app_id),
                (words.secret, "a-wrong-secret"),
                ("[q]", "a"),
            ],
        );
        pty.wait_text(said[0]);
        answer(&mut pty, &[(words.address, &home.url()), ("[q]", "")]);
        pty.wait_text(said[1]);
        // The server tells its data centres: one is taken by its place.
        pty.wait_text(&format!("[1] 演示账套  001  {}", known.account));
        answer(&mut pty, &[(words.centre, "1"), ("[q]", "s")]);
        pty.wait_text(said[2]);
        answer(&mut pty, &[(words.secret, "a-wrong-secret")]);
        pty.wait_text(said[3]);
        answer(&mut pty, &[("[q]", "s"), (words.secret, &known.app_secret)]);
        // The secret is right, and the user is not yet.
        answer(&mut pty, &[("[q]", "u"), (words.user, &known.user), ("[y/N]", "")]);
        assert!(home.files().is_empty(), "nothing is written before the person says so: {:?}", home.files());
        answer(&mut pty, &[("[w]", ""), ("[l]", ""), (words.form, "NO_SUCH_FORM"), ("[h]", "")]);
        answer(&mut pty, &[(words.form, "sal_outstock"), ("[s]", ""), (words.columns, "FDate FNoSuch")]);
        pty.wait_text(said[5]);
        answer(&mut pty, &[(words.columns, "FDate FCustomerID"), (words.plan, ""), ("[c]", "")]);
        pty.wait_text(said[6]);
        pty.send(b"q");
        assert_eq!(pty.wait_end().0, 0);
        pty.assert_restored();
        let bytes = pty.bytes();
        for secret in ["a-wrong-secret", &known.app_secret] {
            let shown = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!shown, "a secret is never shown");
        }
        let (secret, plan) = (home.at(".config/skydeck/credentials.d/first"), home.at(".config/skydeck/plans"));
        assert_eq!((mode(&home.config()), mode(&secret), mode(&plan)), (0o600, 0o600, 0o700));
        assert_eq!(mode(&home.at(".config/skydeck/credentials.d")), 0o700);
        assert_eq!(std::fs::read_to_string(&secret).unwrap().trim(), known.app_secret);
        assert!(!std::fs::read_to_string(home.config()).unwrap().contains(&known.app_secret));
        let plan = std::fs::read_to_string(plan.join("sal_outstock_audit.json")).unwrap();
        assert!(plan.contains("\"FCustomerID.FName\"") && plan.contains("客户"), "{plan}");
        assert_eq!(home.audits(), 0, "a set-up writes nothing in the ERP");
        let (code, out, err) = home.verb("en", &["run", "sal_outstock_audit", "--yes", "--confirm", "first"], "");
        assert_eq!(code, Some(0), "{out}{err}");
        assert!(home.audits() > 0, "{out}");
    }
}

#[test]
fn ctrl_c_and_ctrl_d_at_any_question_leave_nothing_and_the_terminal_as_it_was() {
    let home = Home::new();
    for words in [&EN, &ZH] {
        let steps = described(&home, words);
        for at in 0..steps.len() {
            // The address of the tests is of this run alone; one key is enough to tell them apart.
            for (key, code) in [(CTRL_C, 130), (CTRL_D, 4)] {
                if key == CTRL_D && at % 3 != 0 {
                    continue;
                }
                let mut pty = home.at_a_terminal(words.locale, &[]);
                walk(&mut pty, &steps[..at]);
                asked(&pty, &steps[at].0);
                pty.send(key);
                assert_eq!(pty.wait_end().0, code, "{} {}", steps[at].0, pty.text());
                assert_eq!(pty.modes(), pty.modes_before(), "{}", steps[at].0);
                assert!(home.files().is_empty(), "{} {:?}", steps[at].0, home.files());
            }
        }
    }
}

#[test]
fn a_sign_in_that_takes_long_is_left_at_once() {
    let home = Home::new();
    home.fails("[[fault]]\nkind = \"delay\"\non = [\"read\"]\nms = 30000");
    let mut pty = home.at_a_terminal(EN.locale, &[]);
    walk(&mut pty, &described(&home, &EN)[..8]);
    pty.wait_text("Signing in to");
    pty.send(CTRL_C);
    assert_eq!(pty.wait_end().0, 130);
    assert!(pty.text().contains("interrupted; nothing was changed"), "{}", pty.text());
    assert!(home.files().is_empty(), "{:?}", home.files());
}

/// The environment is kept whole when the plan is not made.
#[test]
fn what_is_written_stays_when_the_plan_is_left_and_a_form_that_is_not_told_can_be_taken_all_the_same() {
    for fault in
        ["kind = \"html\"\nstatus = 200", "kind = \"garbage\"", "kind = \"empty\"", "kind = \"status\"\nstatus = 500"]
    {
        let home = Home::new();
        home.fails(&format!("[[fault]]\non = [\"QueryBusinessInfo\"]\n{fault}"));
        let mut pty = home.at_a_terminal(EN.locale, &[]);
        walk(&mut pty, &described(&home, &EN));
        answer(&mut pty, &[("[l]", "n"), (EN.form, "SAL_OUTSTOCK")]);
        asked(&pty, "[h]");
        pty.wait_text("form description of SAL_OUTSTOCK at");
        pty.send(b"h\r");
        answer(&mut pty, &[("[s]", "b")]);
        pty.wait_text("SAL_OUTSTOCK query: bills are seen");
        asked(&pty, EN.plan);
        pty.send(CTRL_C);
        assert_eq!(pty.wait_end().0, 130, "{fault}");
        assert!(pty.text().contains("the environment is set up"), "{}", pty.text());
        assert_eq!(home.files(), [".config/skydeck/config.toml", ".config/skydeck/credentials.d/test"], "{fault}");
        let (code, out, err) = home.verb("en", &["config", "check"], "");
        assert_eq!(code, Some(0), "{out}{err}");
        assert!(out.contains("the secret can be read") && out.contains("none yet"), "{out}");
        assert!(home.verb("en", &["env", "check"], "").1.contains("rights: not tried"));
    }
}

#[test]
fn what_this_user_may_not_do_is_said_and_a_plan_of_the_platform_is_imported() {
    let home = Home::new();
    let vendor = home.at("vendor.json");
    std::fs::write(&vendor, boot_plan()).unwrap();
    let mut steps = described(&home, &EN);
    steps[4].1 = "reader".to_owned();
    let mut pty = home.at_a_terminal(EN.locale, &["env", "add"]);
    walk(&mut pty, &steps[1..]);
    answer(&mut pty, &[("[l]", "i"), ("file >", "/no/such/file.json"), ("[l]", "i"), ("file >", "~/vendor.json")]);
    pty.wait_text("Audit: ! this user may not do it");
    pty.wait_text("have the right granted");
    answer(&mut pty, &[(EN.plan, "../out"), (EN.plan, "")]);
    assert_eq!(pty.wait_end().0, 0, "{}", pty.text());
    assert_eq!(std::fs::read_to_string(home.at(".config/skydeck/plans/vendor.json")).unwrap(), boot_plan());
    assert_eq!(home.audits(), 0);
}

fn boot_plan() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/sal_outstock_audit.json");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_demo_is_one_key_away() {
    let home = Home::new();
    let mut pty = home.at_a_terminal(EN.locale, &[]);
    asked(&pty, "[q]");
    pty.send(b"d\r");
    pty.wait_for("the demo's console", |screen| screen.contains("━ demo") && screen.contains("Plans"));
    pty.send(b"q");
    assert_eq!(pty.wait_end().0, 0, "{}", pty.text());
    pty.assert_restored();
    assert!(!home.config().exists());
}

#[test]
fn without_a_terminal_nothing_is_asked_and_what_to_do_is_said() {
    let home = Home::new();
    for (lang, words) in [("en", ["skydeck env add", "demo --headless"]), ("zh", ["尚未配置环境", "demo --headless"])]
    {
        let (code, out, err) = home.verb(lang, &[], "");
        assert_eq!(code, Some(5), "{out}{err}");
        assert!(words.iter().all(|word| err.contains(word)) && err.contains("config.toml"), "{err}");
    }
    let (code, _, err) = home.verb("en", &["env", "add", "test", "--url", &home.url()], "");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--account-set, --user, --sign-in, --app-id, --secret-file"), "{err}");
    for (args, words) in [
        (&["--url", "ftp://x"][..], "only https:// and http://"),
        (&["--url", "http://192.0.2.1/k3cloud/"], "--allow-plain-http"),
        (&["--sign-in", "magic"], "magic"),
        (&["--secret-file", "a", "--secret-stdin"], "secret-stdin"),
    ] {
        let mut all = vec!["env", "add", "test"];
        all.extend(args);
        let (code, _, err) = home.verb("en", &all, "");
        assert!(code == Some(2) && err.contains(words), "{err}");
    }
    assert!(home.files().is_empty());
}

#[test]
fn an_environment_is_added_by_a_script_and_only_when_the_server_takes_it() {
    let home = Home::new();
    let known = sim::demo_credentials();
    let url = home.url();
    let add = |name: &str, more: &[&str], secret: &str| {
        let mut args =
            vec!["--json", "env", "add", name, "--url", &url, "--account-set", &known.account, "--user", &known.user];
        args.extend(more);
        home.verb("en", &args, secret)
    };
    let app = ["--sign-in", "app_secret", "--app-id", &known.app_id, "--secret-stdin"];
    let (code, _, err) = add("zeta", &app, "wrong\n");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("应用密钥不匹配") && !err.contains("wrong"), "{err}");
    let (code, _, err) = add("zeta", &app, "\u{feff}x\n");
    assert!(code == Some(2) && err.contains("byte order mark"), "{err}");
    assert!(home.files().is_empty(), "{:?}", home.files());
    let (code, out, err) = add("zeta", &app, &format!("{}\n", known.app_secret));
    assert_eq!(code, Some(0), "{err}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["type"], &lines[0]["right"]), (&"first_query".into(), &"rows".into()), "{out}");
    assert_eq!((&lines[1]["type"], &lines[1]["env"]), (&"env_added".into(), &"zeta".into()), "{out}");
    let (code, _, err) = add("zeta", &app, &format!("{}\n", known.app_secret));
    assert!(code == Some(2) && err.contains("has an environment zeta already"), "{err}");
    // A second one, by a file that others could read, then by one that they cannot; the first stays the default.
    let file = home.at("secret");
    std::fs::write(&file, &known.password).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let path = file.display().to_string();
    let password = ["--sign-in", "password", "--production", "--secret-file", &path];
    let (code, _, err) = add("alpha", &password, "");
    assert!(code == Some(2) && err.contains("chmod 600"), "{err}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (code, _, err) = add("alpha", &password, "");
    assert_eq!(code, Some(0), "{err}");
    let (_, list, _) = home.verb("en", &["--json", "env", "list"], "");
    let names: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&names[0]["env"], &names[1]["env"]), (&"zeta".into(), &"alpha".into()), "{list}");
    assert_eq!((&names[1]["production"], &names[1]["read_only"]), (&true.into(), &true.into()));
    // Both write to one account set: said, and not well.
    let (code, out, _) = home.verb("en", &["config", "check"], "");
    assert!(code == Some(2) && out.contains("! environments: "), "{out}");
    std::fs::remove_file(&file).unwrap();
    let (code, out, _) = home.verb("zh", &["config", "check"], "");
    assert!(code == Some(2) && out.contains("! 环境：alpha：环境 alpha 的密钥"), "{out}");
}

#[test]
fn a_plan_is_made_of_what_the_erp_says_of_a_form() {
    let place = Place::new(30);
    let new = |more: &[&str]| {
        let mut args = vec!["plan", "new", "--form", "SAL_OUTSTOCK"];
        args.extend(more);
        said(&place.verb(&args))
    };
    let (code, out, err) = new(&[]);
    assert_eq!(code, Some(0), "{err}");
    let plan: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(plan["source"]["name"], "销售出库单查询");
    assert!(out.contains("FCustomerID.FName") && err.contains("query: bills are seen"), "{out}{err}");
    let keep = ["--fields", "FDate,FRealQty,FSaleDeptID.FNumber", "--keep"];
    let file = place.dir.path().join("plans/sal_outstock_audit.json");
    let before = std::fs::read(&file).unwrap();
    let (code, _, err) = new(&keep);
    assert!(code == Some(2) && err.contains("is there already"), "{err}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    std::fs::remove_file(&file).unwrap();
    let (code, out, err) = new(&keep);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("\"FSaleDeptID.FNumber\"") && kept.contains("实发数量"), "{kept}");
    for (more, code, words) in [
        (&["--fields", "FCustomrID"][..], 2, "did you mean FCustomerID?"),
        (&["--fields", "F;drop"], 2, "is no field"),
        (&["--env", "nowhere"], 2, "no environment nowhere"),
        (&["--operation", "UnAudit"], 2, "not offered"),
        (&["--operation", "BillClose"], 1, "not allowed by the configuration"),
    ] {
        let (got, _, err) = new(more);
        assert!(got == Some(code) && err.contains(words), "{more:?}: {got:?} {err}");
    }
    let other = said(&place.verb(&["plan", "new", "--form", "NO_SUCH"]));
    assert!(other.0 == Some(1) && other.2.contains("Check the id of the business object"), "{other:?}");
    assert!(said(&place.verb(&["plan", "new", "SAL_OUTSTOCK", "--keep"])).2.contains("belong to --form"));
    assert_eq!(place.audits().len(), 0);
}
