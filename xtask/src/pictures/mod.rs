//! Pictures of the real console for README and pages, as SVG: `cargo xtask pictures`.

mod film;
mod svg;

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

use self::film::Film;
use crate::pty::{Pty, Start};
use crate::{cargo, root, run};

/// Columns and rows of the terminal that is pictured.
const SIZE: (u16, u16) = (104, 28);

/// All pictures together have at most so many bytes: they are loaded with the page.
const MOST: usize = 1_500_000;

/// One language: its locale, the ending of its files, and the words below the pictures.
struct Tongue {
    locale: &'static str,
    name: &'static str,
    /// What stands on the screen when a question is open, when the ledger shows its causes, and when a bill is shown.
    question: &'static str,
    cause: &'static str,
    life: &'static str,
    /// What stands over the bodies that are to be sent, and beside a bill that was made.
    bodies: &'static str,
    made: &'static str,
    /// What stands beside a record whose answer was lost, and beside one that was read back.
    unknown: &'static str,
    verified: &'static str,
    /// What is said of bills that will be refused, and of a plan that finds less than usual.
    refused: &'static str,
    quiet: &'static str,
    captions: [&'static str; 9],
}

const TONGUES: [Tongue; 2] = [
    Tongue {
        locale: "en_US.UTF-8",
        name: "en",
        question: "(default)",
        cause: "closed period",
        life: "found",
        bodies: "What would be sent ·",
        made: "created",
        unknown: "? unknown",
        verified: "read back",
        refused: "will be refused",
        quiet: "? quiet",
        captions: [
            "1  plans: what is asked of the ERP, and what is called",
            "r  read the bills; nothing is written yet",
            "y  approve exactly what was read",
            "each bill is called once, and what came of it is on disk before the next",
            "the sum closes: every bill has an outcome",
            "4  what is left, by cause: who acts, and what to do",
            "R  retry exactly these bills",
            "b  one bill by its number: its whole life",
            "0  today: what needs somebody",
        ],
    },
    Tongue {
        locale: "zh_CN.UTF-8",
        name: "zh",
        question: "默认",
        cause: "期间已关账",
        life: "读到",
        bodies: "将发送的内容 ·",
        made: "已新建",
        unknown: "? 未知",
        verified: "回查证实",
        refused: "将被拒绝",
        quiet: "? 久无新单",
        captions: [
            "1  方案：向 ERP 查询什么，调用什么",
            "r  读取单据；此时还没有写入",
            "y  批准的就是读到的",
            "每张单据只调用一次，结果先落盘，再做下一张",
            "合计相等：每张单据都有结果",
            "4  按原因看遗留：由谁处理，怎么处理",
            "R  只重试这一组",
            "b  按单号查一张单据：全过程",
            "0  今日：什么需要人处理",
        ],
    },
];

/// A key is heard; a question, once it has been readable for a moment.
fn answer(console: &mut Pty, key: &str, question: &str) {
    while console.text().contains(question) {
        console.send(key.as_bytes());
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// Waits until nothing more is drawn: what is pictured is a whole screen.
fn rest(console: &Pty) {
    let mut before = usize::MAX;
    while before != console.written() {
        before = console.written();
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// Two minutes of use, as the README tells them, and the queue of a run on the way.
fn tour(program: &str, tongue: &Tongue) -> anyhow::Result<(String, String)> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("demo").display().to_string();
    let args = ["demo", "--data", &data, "--per-minute", "2400", "--settle", "2s"];
    let mut console = Pty::start(&Start { program, args: &args, env: &[("LANG", tongue.locale)], size: SIZE });
    let mut film = Film::new(SIZE);
    console.wait_text("Skydeck");
    console.send(b"1");
    console.wait_text("SAL_OUTSTOCK");
    rest(&console);
    console.screen(|screen| film.take(screen, 2500, tongue.captions[0]));
    console.send(b"r");
    console.wait_for("the set that is asked for", |text| text.contains("167") && text.contains(tongue.question));
    rest(&console);
    console.screen(|screen| film.take(screen, 1200, tongue.captions[1]));
    console.screen(|screen| film.take(screen, 2800, tongue.captions[2]));
    answer(&mut console, "y", tongue.question);
    console.send(b"2");
    let mut still = String::new();
    let done = |text: &str| text.contains("100%");
    for shot in 0.. {
        console.wait_for("the run under way", |text| text.contains('%'));
        if done(&console.text()) {
            break;
        }
        if shot < 16 {
            console.screen(|screen| film.take(screen, 380, tongue.captions[3]));
        }
        // The one that is kept: the last one before three quarters.
        let text = console.text();
        let percent = text.split('%').next().and_then(|before| before.rsplit(' ').next()?.parse::<u32>().ok());
        if still.is_empty() || percent.is_some_and(|percent| percent < 75) {
            still = console.screen(svg::still);
        }
        std::thread::sleep(Duration::from_millis(330));
    }
    rest(&console);
    console.screen(|screen| film.take(screen, 2500, tongue.captions[4]));
    console.send(b"4");
    console.wait_text(tongue.cause);
    rest(&console);
    console.screen(|screen| film.take(screen, 3500, tongue.captions[5]));
    console.send(b"R");
    console.wait_text(tongue.question);
    rest(&console);
    console.screen(|screen| film.take(screen, 2800, tongue.captions[6]));
    console.send(b"\x1b");
    console.wait_for("the question is gone", |text| !text.contains(tongue.question));
    console.send(b"b");
    for key in "XSCKD000121".chars() {
        console.send(key.to_string().as_bytes());
    }
    // In the line, and found below it.
    console.wait_for("the bill that is found", |text| text.matches("XSCKD000121").count() > 1);
    rest(&console);
    console.screen(|screen| film.take(screen, 1200, tongue.captions[7]));
    console.send(b"\r");
    console.wait_for("the bill", |text| text.contains("100334") && text.contains(tongue.life));
    rest(&console);
    console.screen(|screen| film.take(screen, 3500, tongue.captions[7]));
    console.send(b"0");
    console.wait_for("today", |text| text.contains("88"));
    rest(&console);
    console.screen(|screen| film.take(screen, 3000, tongue.captions[8]));
    console.send(b"\x03");
    anyhow::ensure!(!still.is_empty(), "the run went by before it could be pictured");
    Ok((film.svg(), still))
}

/// A run that makes a bill of each record: what is to be sent, the bills it made, and the page of one of them.
fn making(program: &str, tongue: &Tongue) -> anyhow::Result<Vec<(&'static str, String)>> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("demo").display().to_string();
    let args = ["demo", "--plan", "sal_outstock_to_instock", "--data", &data, "--per-minute", "2400", "--settle", "2s"];
    let mut console = Pty::start(&Start { program, args: &args, env: &[("LANG", tongue.locale)], size: SIZE });
    let mut stills = Vec::new();
    console.wait_text("Skydeck");
    console.send(b"1");
    console.wait_text("SAL_OUTSTOCK");
    console.send(b"r");
    console.wait_for("the set that is asked for", |text| text.contains("48") && text.contains(tongue.question));
    // A key is heard once the question has been readable for a moment.
    while !console.text().contains(tongue.bodies) {
        console.send(b"\x1b[B");
        std::thread::sleep(Duration::from_millis(400));
    }
    rest(&console);
    stills.push(("bodies", console.screen(svg::still)));
    console.send(b"\x1b");
    console.wait_for("the bodies are put away", |text| !text.contains("RKD01_SYS"));
    if !console.text().contains(tongue.question) {
        console.send(b"a");
        console.wait_text(tongue.question);
    }
    answer(&mut console, "y", tongue.question);
    console.send(b"3");
    console.wait_for("all are made", |text| text.contains("100%") && text.matches(tongue.made).count() > 9);
    rest(&console);
    stills.push(("made", console.screen(svg::still)));
    console.send(b"\r");
    console.wait_for("the page of one", |text| text.matches("IN-XSCKD").count() < 9 && text.contains(tongue.life));
    rest(&console);
    stills.push(("made-bill", console.screen(svg::still)));
    console.send(b"\x03");
    Ok(stills)
}

/// A run that sends records to another system and loses an answer: the record that is unknown, and its page once it was read back.
fn sending(program: &str, tongue: &Tongue) -> anyhow::Result<Vec<(&'static str, String)>> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("demo").display().to_string();
    let args = ["demo", "--plan", "outstock_to_order", "--data", &data, "--per-minute", "2400", "--settle", "12s"];
    let mut console = Pty::start(&Start { program, args: &args, env: &[("LANG", tongue.locale)], size: SIZE });
    let mut stills = Vec::new();
    console.wait_text("Skydeck");
    console.send(b"1");
    console.wait_text("SAL_OUTSTOCK");
    console.send(b"r");
    console.wait_for("the set that is asked for", |text| text.contains("48") && text.contains(tongue.question));
    rest(&console);
    answer(&mut console, "y", tongue.question);
    console.send(b"4");
    console.wait_for("all are sent but one", |text| text.contains("100%") && text.contains(tongue.unknown));
    console.send(b"\r");
    console.wait_text("XSCKD");
    rest(&console);
    stills.push(("lost", console.screen(svg::still)));
    let text = console.text();
    let number: String = text
        .split_once("XSCKD")
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect())
        .unwrap_or_default();
    console.wait_for("it was read back", |text| !text.contains("XSCKD"));
    console.send(b"b");
    console.send(format!("XSCKD{number}").as_bytes());
    console.wait_for("the record that is found", |text| text.matches(&number).count() > 1);
    rest(&console);
    console.send(b"\r");
    console.wait_for("its page", |text| text.contains(tongue.life) && text.contains(tongue.verified));
    rest(&console);
    stills.push(("lost-settled", console.screen(svg::still)));
    console.send(b"\x03");
    Ok(stills)
}

/// What is said ahead: bills that will be refused, in the approval of a retry, and a plan that has been quiet, on Today.
fn ahead(program: &str, tongue: &Tongue) -> anyhow::Result<Vec<(&'static str, String)>> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("demo").display().to_string();
    let args = ["demo", "--data", &data, "--per-minute", "2400", "--settle", "2s"];
    let mut console = Pty::start(&Start { program, args: &args, env: &[("LANG", tongue.locale)], size: SIZE });
    let mut stills = Vec::new();
    console.wait_text("Skydeck");
    console.send(b"1");
    console.wait_text("SAL_OUTSTOCK");
    console.send(b"r");
    console.wait_for("the set that is asked for", |text| text.contains(tongue.question));
    answer(&mut console, "y", tongue.question);
    console.send(b"4");
    console.wait_for("the causes of a run that ended", |text| text.contains("100%") && text.contains(tongue.cause));
    rest(&console);
    let is_there = |text: &str| text.lines().any(|line| line.starts_with('▌') && line.contains(tongue.cause));
    while !is_there(&console.text()) {
        console.send(b"j");
        rest(&console);
    }
    console.send(b"R");
    console.wait_text(tongue.question);
    // The approval asks likewise: it is not answered.
    while !console.text().contains(tongue.refused) {
        if console.text().contains(tongue.question) {
            console.send(b"y");
        }
        std::thread::sleep(Duration::from_millis(150));
    }
    rest(&console);
    stills.push(("likely", console.screen(svg::still)));
    console.send(b"\x03");
    let data = dir.path().join("past").display().to_string();
    let args = ["demo", "--data", &data, "--history", "90"];
    let console = Pty::start(&Start { program, args: &args, env: &[("LANG", tongue.locale)], size: SIZE });
    console.wait_text(tongue.quiet);
    rest(&console);
    stills.push(("quiet", console.screen(svg::still)));
    Ok(stills)
}

/// Builds the program, lets it audit the demo's bills in both languages, and draws what it shows on the way.
pub fn write() -> anyhow::Result<()> {
    run(cargo().args(["build", "--locked", "--package", "skydeck"]))?;
    let program = std::env::current_exe()?.with_file_name("skydeck");
    let program = program.to_str().context("the program's path is not text")?;
    let mut bytes = 0;
    for tongue in &TONGUES {
        let (tour, queue) = tour(program, tongue)?;
        let mut all = vec![("tour", tour), ("queue", queue)];
        all.extend(making(program, tongue)?);
        all.extend(sending(program, tongue)?);
        all.extend(ahead(program, tongue)?);
        for (name, text) in all {
            bytes += text.len();
            fs::write(root().join(format!("docs/screens/{name}-{}.svg", tongue.name)), text)?;
        }
    }
    anyhow::ensure!(bytes <= MOST, "the pictures have {bytes} bytes, more than {MOST}");
    Ok(())
}
