//! `jobs`: an operator's everyday jobs typed into the real console on a terminal of 80x24 in Chinese, from a cold start, over a
//! made-up past; every key is counted, and what stands on the screen is checked.
//!
//! Invariant: a job that takes more keys than it may, or does not show what it is for, fails.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::history::{self, HistoryArgs};
use crate::pty::{Pty, Start};
use crate::{cargo, ended, run, runtime};
use skydeck::cli::output;
use skydeck::text::{Measure, clusters};

/// `jobs`.
#[derive(Debug, Args)]
pub struct JobsArgs {
    /// Where the made-up past is, or is made; absent: in a directory that is gone afterwards.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// About so many bills.
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    bills: u64,
    /// How many days back.
    #[arg(long, value_name = "N", default_value_t = 60)]
    days: u32,
    /// Plans, the two shipped ones among them.
    #[arg(long, value_name = "N", default_value_t = 30)]
    plans: u16,
    /// Of those that the clock starts, so many do not run any more.
    #[arg(long, value_name = "N", default_value_t = 3)]
    silent: usize,
    /// The newest night went wrong: runs have ended by themselves, and bills wait behind them.
    #[arg(long)]
    stuck: bool,
    /// Equal seeds give equal pasts.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// The letter of the view that a job uses.
const VIEW: &str = "w";
/// What stands in Today once it was read.
const READ: &str = "最近 14 天";

/// A console that somebody types into.
struct Typed {
    pty: Pty,
    keys: usize,
}

impl Typed {
    fn start(program: &str, dir: &Path, size: (u16, u16)) -> anyhow::Result<Self> {
        let dir = dir.to_str().context("the directory's path is not text")?;
        // What is written goes into the directory of the past, not where the last one left a file of that name.
        let args = ["-C", dir, program, "demo", "--data", dir];
        let pty = Pty::start(&Start { program: "env", args: &args, env: &[("LANG", "zh_CN.UTF-8")], size });
        pty.wait_text(READ);
        Ok(Self { pty, keys: 0 })
    }

    /// Keys that count, one by one.
    fn press(&mut self, keys: &[&str]) {
        for key in keys {
            self.pty.send(key.as_bytes());
            self.keys += 1;
        }
    }

    /// A number or a name: what the job is about, not a part of its keys.
    fn name(&mut self, text: &str) {
        self.pty.send(text.as_bytes());
    }

    fn wait(&self, what: &str, test: impl Fn(&str) -> bool) -> String {
        self.pty.wait_for(what, test)
    }

    fn end(mut self) {
        self.pty.send(b"\x03");
        self.pty.try_send(b"\x03");
        let _ = self.pty.wait_end();
    }
}

/// What is asked about: a bill of a cause, and a customer whose bills failed last week.
struct About {
    bill: String,
    cause: String,
    customer: String,
}

/// Runs the jobs, and says how many keys each took.
pub fn write(args: &JobsArgs) -> anyhow::Result<()> {
    let release: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
    run(cargo().args(["build", "--locked", "--package", "skydeck"]).args(release))?;
    let program = std::env::current_exe()?.with_file_name("skydeck");
    let program = program.to_str().context("the program's path is not text")?;
    let gone_afterwards = tempfile::tempdir()?;
    let dir = args.dir.clone().unwrap_or_else(|| gone_afterwards.path().join("demo"));
    if !dir.join("data/journal").exists() {
        let past = HistoryArgs {
            dir: dir.clone(),
            days: args.days,
            plans: args.plans,
            silent: args.silent,
            quiet: 0,
            stuck: args.stuck,
            bills: Some(args.bills),
            seed: args.seed,
        };
        runtime()?.block_on(Box::pin(history::write(&past))).map_err(ended)?;
    }
    let about = prepare(program, &dir)?;
    let _ = std::fs::remove_file(dir.join("data/looked.json"));
    output::note(&format!("about bill {}, cause {}, customer {}", about.bill, about.cause, about.customer));
    overnight(Typed::start(program, &dir, (80, 24))?, args.silent)?;
    why_not_audited(Typed::start(program, &dir, (80, 24))?, &about)?;
    failures_of(Typed::start(program, &dir, (80, 24))?, &about)?;
    as_a_file(Typed::start(program, &dir, (80, 24))?, &about, &dir)?;
    hand_over(Typed::start(program, &dir, (80, 24))?, &dir)?;
    retry(Typed::start(program, &dir, (80, 24))?)
}

fn counted(job: &str, typed: &Typed, most: usize) -> anyhow::Result<()> {
    output::note(&format!("{job}: {} keys, at most {most}", typed.keys));
    ensure!(typed.keys <= most, "{job} takes {} keys, and may take {most}", typed.keys);
    Ok(())
}

/// As long as a person takes at least: a dialog hears nothing before it was there to be read.
fn read() {
    std::thread::sleep(std::time::Duration::from_millis(500));
}

/// Looks up, on a large screen, what the jobs are about, and saves the view that one of them uses.
fn prepare(program: &str, dir: &Path) -> anyhow::Result<About> {
    let mut console = Typed::start(program, dir, (200, 60))?;
    console.press(&["4"]);
    let screen = console.wait("the ledger's groups", |text| text.contains("张数") && text.contains("失败"));
    let below = groups(&screen).iter().position(|row| row.contains("失败")).context("nothing failed")?;
    console.press(&vec!["j"; below]);
    console.press(&["\r"]);
    let screen = console.wait("the bills of a cause", |text| value(text, "单据编号").is_some());
    let cause = groups(&screen).iter().find_map(|row| row.split("失败").nth(1).map(first_words)).unwrap_or_default();
    let bill = value(&screen, "单据编号").context("no bill number is seen")?;
    console.press(&["5", "/"]);
    console.name("结果:失败 运行时间:上周");
    console.press(&["\x13"]);
    console.name("上周失败");
    console.press(&["\x1bw", "\r", "\r"]);
    let screen = console.wait("last week's failures", |text| value(text, "客户").is_some());
    let customer = value(&screen, "客户").context("no customer is seen")?;
    ensure!(!bill.is_empty() && !cause.is_empty(), "{bill} {cause}\n{screen}");
    console.end();
    Ok(About { bill, cause, customer })
}

/// The lines of the ledger's groups.
fn groups(screen: &str) -> Vec<&str> {
    screen.lines().filter(|line| line.contains(['▸', '▾'])).filter(|line| !line.contains("写入中")).collect()
}

fn first_words(text: &str) -> String {
    text.trim().split("  ").next().unwrap_or_default().split_whitespace().next().unwrap_or_default().to_owned()
}

/// What the first row under a column's title has in it.
fn value(screen: &str, title: &str) -> Option<String> {
    // The filter's line names columns, too.
    let is_head = |line: &str| line.contains("单据编号") && line.contains(title);
    let mut lines = screen.lines().skip_while(|line| !is_head(line));
    let head = lines.next()?;
    let wide = |text: &str| clusters(text).map(|cluster| Measure::Narrow.cluster(cluster)).sum::<usize>();
    let at = wide(head.get(..head.find(title)?)?);
    let row = lines.next()?;
    let mut column = 0;
    let rest: String = clusters(row)
        .skip_while(|cluster| {
            let before = column < at;
            column += Measure::Narrow.cluster(cluster);
            before
        })
        .collect();
    let value = rest.split_whitespace().next()?;
    // What the width cut off is not typed.
    let whole = value.trim_end_matches('…');
    (rest.starts_with(value) && whole.chars().count() > 1).then(|| whole.to_owned())
}

/// What happened overnight: the first picture, and no key.
fn overnight(console: Typed, silent: usize) -> anyhow::Result<()> {
    let screen = console.wait("the day", |text| text.contains(READ));
    let alarms: Vec<&str> =
        screen.lines().filter(|line| line.trim_start_matches(['▌', ' ']).starts_with('!')).collect();
    let named = |kind: &str| alarms.iter().filter(|line| line.contains(kind)).count();
    ensure!(named("未按时运行") == silent, "each plan that did not run is named: {silent}\n{screen}");
    // The tab counts what calls for somebody: all of it is on the picture, with its reason.
    let badge = screen.split('!').nth(1).and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    ensure!(badge == Some(alarms.len()), "{badge:?} of {} are seen\n{screen}", alarms.len());
    let told = |line: &&str| line.split_whitespace().count() >= 4;
    ensure!(alarms.iter().all(told), "one has no reason\n{screen}");
    output::note(&format!("overnight: {} plans did not run, {} runs stopped or wait", silent, alarms.len() - silent));
    counted("overnight", &console, 0)?;
    console.end();
    Ok(())
}

/// Why a bill is not audited: its number, and three keys at most.
fn why_not_audited(mut console: Typed, about: &About) -> anyhow::Result<()> {
    console.press(&["b"]);
    console.name(&about.bill);
    console.wait("the bill is found", |text| text.matches(about.bill.as_str()).count() > 1);
    console.press(&["\r"]);
    let (bill, cause) = (about.bill.clone(), about.cause.clone());
    let screen = console.wait("its page", |text| text.contains("▌6") && text.contains(&bill) && text.contains("FID"));
    ensure!(screen.contains(&cause), "the page says why: {cause}\n{screen}");
    counted("why is a bill not audited", &console, 3)?;
    console.end();
    Ok(())
}

/// Last week's failures of a customer: the saved view, narrowed to the name.
fn failures_of(mut console: Typed, about: &About) -> anyhow::Result<()> {
    console.press(&["5", &format!("\x1b{VIEW}"), "/", " "]);
    console.name(&about.customer);
    console.press(&["\r"]);
    console
        .wait("the failures", |text| text.contains("结果:失败") && text.contains("MsgCode") || text.contains("✗ 失败"));
    counted("last week's failures of a customer", &console, 6)?;
    // That they are his is looked up, uncounted: his column is one of the plan's, further right.
    let customer: String = about.customer.chars().take(4).collect();
    let his = |text: &str| {
        let rows: Vec<&str> = text.lines().filter(|line| line.contains("✗ 失败") && !line.contains('[')).collect();
        !rows.is_empty() && rows.iter().all(|row| row.contains(&customer))
    };
    for _ in 0..9 {
        let before = console.pty.text();
        if his(&before) {
            break;
        }
        console.name(">");
        console.wait("columns further right", |text| text != before);
    }
    let screen = console.pty.text();
    ensure!(his(&screen), "each row is of {customer}\n{screen}");
    console.end();
    Ok(())
}

/// The same as a workbook: where the console runs.
fn as_a_file(mut console: Typed, about: &About, dir: &Path) -> anyhow::Result<()> {
    console.press(&["5", &format!("\x1b{VIEW}"), "/", " "]);
    console.name(&about.customer);
    console.press(&["\r"]);
    console.wait("the failures", |text| text.contains("✗ 失败"));
    console.press(&["e"]);
    console.wait("what is written, and where to", |text| text.contains("[csv]"));
    // The last of the formats, from the first one.
    console.press(&["\t", "\x1b[D"]);
    let screen = console.wait("the name of the file", |text| text.contains(".xlsx"));
    read();
    console.press(&["\r"]);
    let file = dir.join(named(&screen, ".xlsx").context("no file is named")?);
    console.wait("that it is written", |text| text.contains("已导出"));
    counted("last week's failures of a customer as a file", &console, 12)?;
    let begins = std::fs::read(&file).with_context(|| file.display().to_string())?;
    ensure!(begins.starts_with(b"PK"), "{} is a workbook", file.display());
    std::fs::remove_file(file)?;
    console.end();
    Ok(())
}

/// The hand-over, from the first picture.
fn hand_over(mut console: Typed, dir: &Path) -> anyhow::Result<()> {
    console.press(&["e"]);
    let screen = console.wait("what is handed over", |text| text.contains("[md]"));
    let file = dir.join(named(&screen, ".md").context("no file is named")?);
    read();
    console.press(&["\r"]);
    console.wait("that it is written", |text| text.contains("已写入"));
    counted("hand-over", &console, 4)?;
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    ensure!(text.contains("遗留") && text.lines().count() > 10, "{text}");
    std::fs::remove_file(file)?;
    console.end();
    Ok(())
}

/// The name of a file that stands on the screen, by its ending.
fn named(screen: &str, ending: &str) -> Option<String> {
    screen.split_whitespace().find(|word| word.ends_with(ending)).map(str::to_owned)
}

/// Bills of one cause once more: until their run is open.
fn retry(mut console: Typed) -> anyhow::Result<()> {
    console.press(&["4"]);
    let screen = console.wait("the ledger's groups", |text| text.contains("张数") && text.contains("失败"));
    let below = groups(&screen).iter().position(|row| row.contains("失败")).context("nothing failed")?;
    console.press(&vec!["j"; below]);
    console.press(&["R"]);
    console.wait("what will be tried again", |text| text.contains("重试") && text.contains(" y "));
    read();
    console.press(&["y"]);
    console.wait("the run is open", |text| text.contains("正在读取；批准前不写入") || text.contains("批准本批清单"));
    counted("retry one cause", &console, 4)?;
    console.end();
    Ok(())
}
