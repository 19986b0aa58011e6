//! Every command that a page shows is run, in the order of the page, in a home of its own, against the simulator.
//!
//! A comment of the page before a block says what is not as usual: `<!-- exits: 1 0 -->` the exit code of each command
//! (0 where nothing is said), `<!-- serves -->` a program that stays, `<!-- unpacks -->` the way from a download on, `<!-- on a terminal -->` one that wants a terminal,
//! `<!-- not run: … -->` why it cannot be run here. The Chinese page has the same commands (`pairs`), and is not run again.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use skydeck::sim::json::settings::JsonSettings;
use skydeck::sim::json::{JsonConfig, JsonWorld};
use skydeck::sim::{self, AuthMode, SimArgs, SimConfig, SimHandle};

use crate::pages::{Block, Page, all, root, spans};
use crate::pty::{self, Pty, Start};

const PROGRAM: &str = env!("CARGO_BIN_EXE_skydeck");

/// Why a block is not run, and how many of the pages for operators say so at most.
const NOT_RUN: [(&str, usize); 4] = [
    // Installed, used and removed in a root of its own: `contrib/package/try.sh`.
    ("changes this machine", 8),
    ("takes half an hour", 1),
    ("builds the program", 4),
    ("wants what is not on every machine", 6),
];

/// A home, a simulator, and what pages take for granted.
struct World {
    dir: tempfile::TempDir,
    url: String,
    _sim: SimHandle,
    runtime: tokio::runtime::Runtime,
}

fn private(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let args = SimArgs {
            kind: skydeck::sim::SimKind::Kingdee,
            port: 0,
            bills: 60,
            seed: 1,
            faults: "demo".to_owned(),
            settings: None,
            auth: AuthMode::Any,
            delay: 0,
            bind: std::net::Ipv4Addr::LOCALHOST.into(),
            record: None,
            hostile: false,
            gateway: false,
        };
        let sim = runtime.block_on(sim::start(args.config().unwrap())).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let world =
            Self { url: format!("{}/k3cloud/", sim.url().trim_end_matches("/k3cloud/")), dir, _sim: sim, runtime };
        fs::create_dir_all(world.dir.path().join("bin")).unwrap();
        symlink(PROGRAM, world.dir.path().join("bin/skydeck")).unwrap();
        fs::create_dir(world.work()).unwrap();
        fs::create_dir(world.dir.path().join("backup")).unwrap();
        let page = root().join("tests/golden/plans/import/seed_page.md");
        fs::copy(page, world.work().join("page.md")).unwrap();
        fs::copy(root().join("contrib/check-evidence.py"), world.work().join("check-evidence.py")).unwrap();
        world
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// What a page says to write, with the simulator in the place of the reader's own server.
    fn here(&self, text: &str) -> String {
        let credentials = sim::demo_credentials();
        let ids =
            [("123456_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", credentials.app_id.as_str()), ("\"integration\"", "\"demo\"")];
        let text = ids.iter().fold(text.to_owned(), |text, (shown, here)| text.replace(shown, here));
        let backup = format!("{}/backup/", self.dir.path().display());
        text.replace("https://k3.example.invalid/k3cloud/", &self.url).replace("/backup/", &backup)
    }

    /// The configuration of the README with a quick server, a plan, one run of it, and two saved views.
    fn settle_in(&self) {
        let readme = all().into_iter().find(|page| page.name == "README.md").unwrap();
        let config = readme.blocks().into_iter().find(|block| block.kind == "toml").unwrap().text;
        let home = self.dir.path().join(".config/skydeck");
        let quick =
            "\n[environment.test.limits]\nper_minute = 6000\nconcurrency = 4\nsettle = \"1s\"\ncall_timeout = \"5s\"\n";
        private(&home.join("config.toml"), &(self.here(&config) + quick));
        private(&home.join("credentials.d/test"), &sim::demo_credentials().app_secret);
        let plan = fs::read_to_string(root().join("plans/sal_outstock_audit.json")).unwrap();
        private(&home.join("plans/my_plan.json"), &plan.replace("\"env\": \"demo\"", "\"env\": \"test\""));
        let ran = self.bash("skydeck run my_plan --yes >/dev/null 2>&1; [ $? = 1 ]");
        assert!(ran.status.success(), "the run that pages speak of: {}", said(&ran));
        let views = "[[filter]]\nname = \"月末\"\ntext = \"结果:失败\"\n\n[[filter]]\nname = \"month-end\"\ntext = \"status:failed\"\n";
        private(&self.dir.path().join(".local/state/skydeck/filters.toml"), views);
    }

    fn bash(&self, script: &str) -> Output {
        let file = self.dir.path().join("page.sh");
        fs::write(&file, script).unwrap();
        let mut bash = Command::new("bash");
        bash.arg(&file).current_dir(self.work()).env_clear().envs(self.variables());
        // What a reader would paste: the secret.
        let secret = self.dir.path().join("secret");
        fs::write(&secret, sim::demo_credentials().app_secret.clone() + "\n").unwrap();
        bash.stdin(fs::File::open(secret).unwrap()).output().unwrap()
    }

    fn variables(&self) -> Vec<(String, String)> {
        let path = format!("{}/bin:/usr/local/bin:/usr/bin:/bin", self.dir.path().display());
        let home = self.dir.path().display().to_string();
        [("HOME", home), ("PATH", path), ("LANG", "C.UTF-8".into()), ("TERM", "xterm-256color".into())]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // An engine that a command left behind: asked to end, in order.
        let _ = self.bash("skydeck serve --end");
    }
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

/// The commands of a block, each with the number of its line; a line that is indented or follows `\` belongs to the one before.
fn commands(block: &Block) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (at, line) in block.text.lines().enumerate() {
        let line = if block.kind == "console" {
            let Some(command) = line.strip_prefix("$ ") else { continue };
            command
        } else {
            line
        };
        let closes = ["esac", "fi", "done", "else", "}", ")"].iter().any(|word| line.split(' ').next() == Some(*word));
        match found.last_mut() {
            Some((_, last)) if closes || line.starts_with([' ', '\t']) || last.ends_with('\\') => {
                last.push('\n');
                last.push_str(line);
            }
            _ if line.trim().is_empty() || line.starts_with('#') => {}
            _ => found.push((block.line + 1 + at, line.to_owned())),
        }
    }
    found
}

fn codes(block: &Block) -> Option<Vec<u8>> {
    let listed = block.mark.as_deref()?.strip_prefix("exits: ")?;
    Some(listed.split(' ').map(|code| code.parse().unwrap()).collect())
}

fn is_commands(block: &Block) -> bool {
    ["sh", "console"].contains(&block.kind.as_str())
}

/// Whether a block is left out, for a reason that is known.
fn is_left_out(block: &Block) -> bool {
    match block.mark.as_deref() {
        Some("test-command" | "on a terminal" | "serves" | "unpacks") => true,
        Some(mark) => mark.strip_prefix("not run: ").is_some(),
        None => false,
    }
}

/// The script of a page: each command, and a word where it ends otherwise than the page lets expect.
fn script(page: &Page, world: &World) -> String {
    let mut script = "shopt -s expand_aliases\nbad=0\n".to_owned();
    for block in page.blocks().iter().filter(|block| !is_left_out(block)) {
        // The README's configuration is written where it says, when its turn comes.
        if block.kind == "toml" && page.name == "README.md" {
            let text = world.here(&block.text);
            write!(script, "cat > ~/.config/skydeck/config.toml <<'END' || bad=1\n{text}END\n").unwrap();
        }
        if !is_commands(block) {
            continue;
        }
        let commands = commands(block);
        let codes = codes(block).unwrap_or_else(|| vec![0; commands.len()]);
        assert_eq!(codes.len(), commands.len(), "{} line {}: an exit code for each command", page.name, block.line);
        for ((line, command), code) in commands.into_iter().zip(codes) {
            let at = format!("{}:{line}", page.name);
            let command = world.here(&command);
            let says = format!("echo \"{at} ends with $code, not {code}\" >&2; bad=1");
            writeln!(script, "{command}\ncode=$?; if [ $code != {code} ]; then {says}; fi").unwrap();
        }
    }
    script + "exit $bad\n"
}

fn page(name: &str) -> Page {
    all().into_iter().find(|page| page.name == name).unwrap()
}

fn runs(name: &str) {
    let world = World::new();
    let page = page(name);
    let mut before = String::new();
    if name != "README.md" {
        world.settle_in();
        before += "run=$(skydeck history --json -n 1 | head -n 1 | sed 's/.*\"run\":\"\\([^\"]*\\)\".*/\\1/')\n";
    }
    let out = world.bash(&(before + &script(&page, &world)));
    assert!(out.status.success(), "{}", said(&out));
}

#[test]
fn the_readme_is_followed_from_an_empty_home() {
    let world = World::new();
    let page = page("README.md");
    let out = world.bash(&script(&page, &world));
    assert!(out.status.success(), "{}", said(&out));
    let plan = world.dir.path().join(".config/skydeck/plans/my_plan.json");
    assert!(plan.is_file(), "the plan that the page imports");
    let secret = fs::metadata(world.dir.path().join(".config/skydeck/credentials.d/test")).unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
    // What it says next: a run that is approved, and its exit code.
    let limits = "cat >> ~/.config/skydeck/config.toml <<'END'\n[environment.test.limits]\nper_minute = 6000\nsettle = \"1s\"\nEND\n";
    let day = "skydeck run my_plan --yes --json >run.out 2>&1; [ $? = 1 ] && tail -n 1 run.out | grep -q '\"sum_closes\":true'";
    let out = world.bash(&format!("{limits}{day}"));
    assert!(out.status.success(), "{}", said(&out));
}

/// The README's way from a download to audited bills, in both languages, with this build in the archive's place;
/// `contrib/package/try.sh` goes the same way with a real one where there is no network.
#[test]
fn from_the_download_to_the_first_audited_bill_are_five_commands_at_most() {
    for (name, audited) in [("README.md", "audited"), ("README.zh.md", "已审核")] {
        let world = World::new();
        let block = page(name).blocks().into_iter().find(|block| block.mark.as_deref() == Some("unpacks")).unwrap();
        let commands = commands(&block);
        assert!((1..=5).contains(&commands.len()) && commands[0].1.starts_with("tar -x"), "{name}: {commands:?}");
        let top = concat!("skydeck-", env!("CARGO_PKG_VERSION"), "-x86_64-linux-glibc2.17");
        fs::create_dir_all(world.dir.path().join(top).join("bin")).unwrap();
        symlink(PROGRAM, world.dir.path().join(top).join("bin/skydeck")).unwrap();
        let pack = format!("tar -czf {top}.tar.gz -C .. {top}\n");
        let mut script = "export LANG=zh_CN.UTF-8\n".to_owned();
        if name == "README.md" {
            script = "export LANG=en_US.UTF-8\n".to_owned();
        }
        script += &pack;
        // Some of the demo's bills are refused, as they are meant to be: exit code 1.
        for (_, command) in commands {
            writeln!(script, "{command}\n[ $? -le 1 ] || exit 9").unwrap();
        }
        let out = world.bash(&script);
        let text = said(&out);
        assert!(out.status.code().is_some_and(|code| code <= 1), "{name}: {:?} {text}", out.status);
        // "= audited 128 + already audited 0 + …"
        let sum = text.lines().find_map(|line| line.split_once(&format!(" = {audited} ")).map(|(_, rest)| rest));
        assert!(sum.is_some_and(|rest| !rest.starts_with("0 ")), "{name}: {text}");
    }
}

/// What a run, an engine and a report leave in the data directory, and what "for IT" says stands there.
#[test]
fn every_file_of_a_data_directory_is_explained() {
    let world = World::new();
    world.settle_in();
    let engine = "skydeck serve 2>/dev/null &\nfor n in $(seq 100); do [ -S ~/.local/state/skydeck/owner.sock ] && break; sleep 0.2; done\n";
    let out = world.bash(&format!(
        "{engine}skydeck report r.md && skydeck history >/dev/null && ls ~/.local/state/skydeck; skydeck serve --end"
    ));
    let listed = said(&out);
    assert!(listed.contains("owner.sock") && listed.contains("reports.json"), "{listed}");
    for name in ["docs/for-it.md", "docs/for-it.zh.md"] {
        let page = page(name);
        let sections = page.sections();
        let files = sections.iter().find(|section| section.text.contains("`owner.sock`")).unwrap();
        let named: Vec<&str> = spans(&files.text).into_iter().map(|span| span.trim_end_matches('/')).collect();
        let entries = std::fs::read_dir(world.dir.path().join(".local/state/skydeck")).unwrap();
        for entry in entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()) {
            assert!(named.contains(&entry.as_str()), "{name} does not explain {entry}");
        }
    }
}

/// A page that is followed by a test of its own: with the environment that it shows, and the shipped plan it names.
const OTHER_SYSTEM: &str = "docs/connect-another-system.md";

#[test]
fn the_commands_that_connect_another_system() {
    let world = World::new();
    world.settle_in();
    let settings = JsonSettings::default();
    let config = JsonConfig { settings, ..JsonConfig::default() };
    let config = SimConfig { bind: ([127, 0, 0, 1], 0).into(), world: config, record: None };
    let there: SimHandle<JsonWorld> = world.runtime.block_on(sim::start_as(config)).unwrap();
    let page = page(OTHER_SYSTEM);
    let shown = page.blocks().into_iter().find(|block| block.kind == "toml").unwrap().text;
    let url = there.url();
    let changes = [
        ("https://wms.example.invalid/open/", url.as_str()),
        ("/oauth/token", "/token"),
        ("/oauth/refresh", "/token/refresh"),
    ];
    let shown = changes.iter().fold(shown, |text, (from, to)| {
        assert!(text.contains(from), "{from} in {text}");
        text.replace(from, to)
    });
    let home = world.dir.path().join(".config/skydeck");
    let own = fs::read_to_string(home.join("config.toml")).unwrap();
    private(&home.join("config.toml"), &format!("{own}\n{shown}"));
    private(&home.join("credentials.d/wms"), "not-a-real-secret");
    let plan = fs::read_to_string(root().join("plans/outstock_to_order.json")).unwrap();
    private(&home.join("plans/outstock_to_order.json"), &plan.replace("\"env\": \"erp\"", "\"env\": \"test\""));
    let out = world.bash(&script(&page, &world));
    assert!(out.status.success(), "{}", said(&out));
    // What stands behind the commands: one first, then the rest, each once.
    assert!(said(&out).contains("done 1 ") && said(&out).contains("already done 1 "), "{}", said(&out));
    let stats = there.stats();
    assert!(stats.applied["create"] > 1 && stats.most_made == 1, "{stats:?}");
}

macro_rules! pages_run {
    ($($test:ident: $page:literal,)*) => {
        /// Pages whose commands are run, each by a test of its own.
        const RUN: &[&str] = &[$($page,)*];
        $(#[test] fn $test() { runs($page); })*
    };
}

pages_run! {
    the_commands_of_alerts: "docs/alerts.md",
    the_commands_of_connections: "docs/connections.md",
    the_commands_of_filters: "docs/filters.md",
    the_commands_for_it: "docs/for-it.md",
    the_commands_of_handed_on: "docs/handed-on.md",
    the_commands_of_operations: "docs/operations.md",
    the_commands_of_plans: "docs/plans.md",
    the_commands_of_troubleshooting: "docs/troubleshooting.md",
    the_commands_of_verbs: "docs/verbs.md",
}

#[test]
fn every_page_with_commands_is_run_and_few_blocks_are_left_out() {
    let mut left = std::collections::BTreeMap::<String, usize>::new();
    for page in all().iter().filter(|page| !page.is_chinese()) {
        for block in page.blocks().iter().filter(|block| is_commands(block)) {
            let known = is_left_out(block)
                || page.name == "README.md"
                || page.name == OTHER_SYSTEM
                || RUN.contains(&page.name.as_str());
            assert!(known, "{} line {}: no test runs this page", page.name, block.line);
            if let Some(why) = block.mark.as_deref().and_then(|mark| mark.strip_prefix("not run: ")) {
                *left.entry(why.to_owned()).or_default() += 1;
            }
        }
    }
    for (why, times) in left {
        let most = NOT_RUN.iter().find(|(known, _)| *known == why).map(|(_, most)| *most);
        assert!(most.is_some_and(|most| times <= most), "`not run: {why}` stands {times} times");
    }
}

/// Types a key; a question is answered once it has been readable for a moment, and before that the key is not heard.
fn press(console: &mut Pty, key: &str) {
    let asks = |console: &Pty| ["y approve", "y 批准"].iter().any(|yes| console.text().contains(yes));
    let began = std::time::Instant::now();
    console.send(key.as_bytes());
    while key == "y" && asks(console) && began.elapsed() < pty::PATIENCE {
        std::thread::sleep(std::time::Duration::from_millis(100));
        console.send(key.as_bytes());
    }
}

/// The keys that the README names for the first two minutes, typed into the program that its first command starts.
#[test]
fn the_first_two_minutes_go_as_the_readme_says() {
    for name in ["README.md", "README.zh.md"] {
        let page = page(name);
        let block = page.blocks().into_iter().find(|block| block.mark.as_deref() == Some("on a terminal")).unwrap();
        let command = block.text.trim().strip_prefix("cargo run --release -- ").expect("one command").to_owned();
        let section = page.sections().into_iter().find(|section| section.text.contains("`r`")).unwrap();
        let keys: Vec<&str> = spans(&section.text).into_iter().filter(|span| span.chars().count() == 1).collect();
        assert_eq!(keys, ["1", "r", "y", "4", "R", "?", "q"], "{name}: the keys in the order of the text");
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("demo").display().to_string();
        // As the page has it, and quicker than a person would watch it.
        let args: Vec<&str> =
            command.split(' ').chain(["--data", &data, "--per-minute", "6000", "--settle", "1s"]).collect();
        let lang = if page.is_chinese() { "zh_CN.UTF-8" } else { "en_US.UTF-8" };
        // What stands on the screen once a key did what the text says of it: all words of one language.
        let waits: [&[&str]; 5] = [
            &["SAL_OUTSTOCK"],
            if page.is_chinese() { &["216", "167", "y 批准"] } else { &["216", "167", "y approve"] },
            &["100%"],
            if page.is_chinese() {
                &["库存不足", "期间已关账"]
            } else {
                &["insufficient stock", "closed period"]
            },
            if page.is_chinese() { &["─ 重试", "默认"] } else { &["─ Retry", "(default)"] },
        ];
        let mut console = Pty::start(&Start { program: PROGRAM, args: &args, env: &[("LANG", lang)], size: (110, 30) });
        console.wait_text("Skydeck");
        for (key, all) in keys.iter().zip(waits) {
            press(&mut console, key);
            console
                .wait_for(&format!("{name}: what `{key}` leads to"), |text| all.iter().all(|part| text.contains(part)));
        }
        let question = |text: &str| ["(default)", "默认"].iter().any(|default| text.contains(default));
        console.send(b"\x1b");
        console.wait_for("the question is gone", |text| !question(text));
        console.send(b"?");
        console.wait_for("the keys of the pane", |text| text.contains("PgDn"));
        console.send(b"\x1b");
        console.wait_for("the keys are gone", |text| !text.contains("PgDn"));
        console.send(b"q");
        console.wait_end();
    }
}

#[test]
fn what_serves_says_what_the_page_shows() {
    let mut served = 0;
    for page in all() {
        for block in page.blocks().iter().filter(|block| block.mark.as_deref() == Some("serves")) {
            let command = block.text.lines().next().unwrap().strip_prefix("$ skydeck ").expect("a command of ours");
            let shown = block.text.lines().nth(1).expect("what it says");
            // A port of its own: the one of the page may be taken here.
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
            let args: Vec<String> = command.split(' ').map(|part| part.replace("8765", &free)).collect();
            let mut child =
                Command::new(PROGRAM).args(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let mut said = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
            let _ = child.kill();
            let _ = child.wait();
            assert_eq!(said.trim().replace(&free, "8765"), shown, "{} line {}", page.name, block.line);
            served += 1;
        }
    }
    assert!(served > 0);
}

#[test]
fn a_command_that_ends_otherwise_would_be_noticed() {
    let world = World::new();
    let page = |text: &str| Page { name: "x.md".to_owned(), text: text.to_owned() };
    let run = |text: &str| world.bash(&script(&page(text), &world));
    assert!(
        run("```sh\ntrue\nx=1 \\\n  true\n```\n<!-- exits: 1 -->\n```sh\nfalse   # as it should\n```\n")
            .status
            .success()
    );
    let out = run("```sh\ntrue\nskydeck nonsense\n```\n");
    assert!(!out.status.success() && said(&out).contains("x.md:3 ends with 2, not 0"), "{}", said(&out));
    assert!(!run("<!-- exits: 3 -->\n```sh\ntrue\n```\n").status.success());
}
