//! `beside`: the same benches of another commit and of this tree, by turns in the same hour, and what became slower.
//!
//! Invariant: figures are compared only where both programs told them in every round; the order of the two changes each round,
//! so that a machine that grows busier is neither's fault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use skydeck::cli::output;

/// `beside`.
#[derive(Debug, Args)]
pub struct BesideArgs {
    /// The commit before, as git knows it.
    pub commit: String,
    /// Times each program runs each bench; medians count.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rounds: usize,
    /// Bills of the bench of the store.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub rows: u64,
    /// Where the stores of the benches lie: the disk that is measured.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// More than so many percent worse is marked, and the exit code is 1.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub most: u32,
    /// A release build of the `xtask` of the commit before, in the place of building one.
    #[arg(long, value_name = "FILE")]
    pub before: Option<PathBuf>,
    /// A release build of the `xtask` of this tree, likewise.
    #[arg(long, value_name = "FILE")]
    pub now: Option<PathBuf>,
}

/// What the fields of a figure are called that say which figure it is.
const WHICH: [&str; 4] = ["type", "concurrency", "delay_ms", "batch"];
/// Fields that are the bench's own, or another's: nothing that the program could be better or worse in.
const NOT_OURS: [&str; 8] = [
    "bills",
    "facts",
    "ideal_per_s",
    "of_ideal",
    "journal_unsealed_bytes",
    "sim_cpu_ms_per_bill",
    "bare_per_s",
    "bare_cpu_ms_per_bill",
];

/// Figures of one program, by what each is of: one a round.
type Figures = BTreeMap<String, Vec<f64>>;

/// Builds both programs, runs them by turns, prints the table; gives the exit code.
pub fn run(args: &BesideArgs) -> anyhow::Result<u8> {
    let before = match &args.before {
        Some(program) => program.clone(),
        None => build_of(&args.commit)?,
    };
    let now = match &args.now {
        Some(program) => program.clone(),
        None => build(crate::root(), "now")?,
    };
    let (mut was, mut is) = (Figures::new(), Figures::new());
    for round in 0..args.rounds.max(1) {
        let mut turns = [("before", &before, &mut was), ("now", &now, &mut is)];
        if round % 2 == 1 {
            turns.reverse();
        }
        for (name, program, figures) in turns {
            output::note(&format!("round {} of {}: {name} …", round + 1, args.rounds));
            measure(program, args, figures)?;
        }
    }
    let rows = compare(&was, &is, args.rounds.max(1));
    let worse = rows.iter().filter(|row| row.worse_by() > f64::from(args.most)).count();
    for line in table(&rows, args) {
        output::line(&line)?;
    }
    output::line(&format!("{} figures, {worse} of them more than {} % worse", rows.len(), args.most))?;
    Ok(u8::from(worse > 0))
}

/// The release build of another commit, in a work tree of its own.
fn build_of(commit: &str) -> anyhow::Result<PathBuf> {
    let tree = tempfile::tempdir()?;
    let git = || {
        let mut git = Command::new("git");
        git.current_dir(crate::root());
        git
    };
    crate::run(git().args(["worktree", "add", "--quiet", "--detach"]).arg(tree.path()).arg(commit))?;
    let built = build(tree.path(), "before");
    crate::run(git().args(["worktree", "remove", "--force"]).arg(tree.path()))?;
    built
}

/// Builds `xtask` of a tree and puts the program aside. Both builds share what they use of others.
fn build(tree: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from);
    let target = target.join("beside");
    let mut cargo = crate::cargo();
    cargo.current_dir(tree).env("CARGO_TARGET_DIR", &target);
    crate::run(cargo.args(["build", "--release", "--locked", "--package", "xtask"]))?;
    let program = target.join(format!("xtask-{name}"));
    std::fs::copy(target.join("release").join("xtask"), &program).context("the program that was built")?;
    Ok(program)
}

/// Runs every bench of a program once, and adds what it told.
fn measure(program: &Path, args: &BesideArgs, figures: &mut Figures) -> anyhow::Result<()> {
    let room = tempfile::Builder::new().prefix("skydeck-beside-").tempdir_in(&args.dir)?;
    let (dir, rows) = (room.path(), args.rows.to_string());
    let mut told = ask(Command::new(program).args(["--json", "bench", "--quick", "--dir"]).arg(dir))?;
    let store = dir.join("store");
    told.push_str(&ask(Command::new(program).args(["--json", "bench", "store", "--rows", &rows, "--dir"]).arg(store))?);
    for (figure, value) in figures_of(&told)? {
        figures.entry(figure).or_default().push(value);
    }
    Ok(())
}

fn ask(command: &mut Command) -> anyhow::Result<String> {
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// The figures of a bench's lines. Of two in a list the first is the median, the other, a percentile of the tail, is left out: it
/// differs between two runs of one program. A step that is told several times has a number.
fn figures_of(told: &str) -> anyhow::Result<Vec<(String, f64)>> {
    let mut figures = Vec::new();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for line in told.lines().filter(|line| !line.trim().is_empty()) {
        let object: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let fields = object.as_object().with_context(|| line.to_owned())?;
        let which: Vec<String> = WHICH.iter().filter_map(|name| Some(which_of(name, fields.get(*name)?))).collect();
        let which = which.join(" ");
        let n = seen.entry(which.clone()).or_default();
        *n += 1;
        let which = if *n > 1 { format!("{which} ({n})") } else { which };
        for (name, value) in fields.iter().filter(|(name, _)| !WHICH.contains(&name.as_str())) {
            let value = value.as_f64().or_else(|| value.get(0)?.as_f64());
            if let Some(value) = value.filter(|_| !NOT_OURS.contains(&name.as_str()) && !name.contains("fdatasync")) {
                figures.push((format!("{which}: {name}"), value));
            }
        }
    }
    Ok(figures)
}

fn which_of(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.trim_start_matches("bench_").to_owned(),
        other => format!("{name} {other}"),
    }
}

/// One figure of both programs.
struct Row {
    figure: String,
    before: f64,
    now: f64,
    /// How far the rounds of the commit before lie apart, in percent of their median.
    spread: f64,
}

impl Row {
    /// Rates and shares are the better for being higher, times and sizes for being lower.
    fn is_better_higher(&self) -> bool {
        self.figure.ends_with("_per_s") || self.figure.ends_with(": ratio")
    }

    /// Percent of what was before that the program of now is worse by; below 0 it is better.
    fn worse_by(&self) -> f64 {
        if self.before.abs() < f64::EPSILON {
            return 0.0;
        }
        let more = (self.now / self.before - 1.0) * 100.0;
        if self.is_better_higher() { -more } else { more }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Figures that both told in every round.
fn compare(was: &Figures, is: &Figures, rounds: usize) -> Vec<Row> {
    let both = was.iter().filter_map(|(figure, before)| Some((figure, before, is.get(figure)?)));
    let whole = both.filter(|(_, before, now)| before.len() == rounds && now.len() == rounds);
    whole
        .map(|(figure, before, now)| {
            let most = before.iter().copied().fold(f64::MIN, f64::max);
            let least = before.iter().copied().fold(f64::MAX, f64::min);
            let middle = median(before);
            let spread = if middle.abs() < f64::EPSILON { 0.0 } else { (most - least) / middle * 100.0 };
            Row { figure: figure.clone(), before: middle, now: median(now), spread }
        })
        .collect()
}

/// A table for docs/measured.md; the worst first.
fn table(rows: &[Row], args: &BesideArgs) -> Vec<String> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|a, b| b.worse_by().total_cmp(&a.worse_by()));
    let head =
        format!("| figure, median of {} by turns | {} | now | worse by | spread before |", args.rounds, args.commit);
    let lines = rows.iter().map(|row| {
        let mark = if row.worse_by() > f64::from(args.most) { " **worse**" } else { "" };
        let Row { figure, before, now, spread } = row;
        format!("| {figure} | {before:.3} | {now:.3} | {:+.1} %{mark} | {spread:.1} % |", row.worse_by())
    });
    [head, "|---|---|---|---|---|".to_owned()].into_iter().chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: &str = r#"{"type":"bench_cell","concurrency":8,"delay_ms":5,"batch":1,"bills":200,"bills_per_s":1000.0,"ratio":0.9,"call_ms":[7.0,9.0],"bare_per_s":1100.0,"ideal_per_s":null}"#;

    #[test]
    fn a_figure_is_told_by_its_step_and_cell_and_steps_that_come_again_have_a_number() {
        let told = format!(
            "{{\"type\":\"bench_flush\",\"fdatasync_ms_p50\":0.1}}\n{CELL}\n{{\"type\":\"open\",\"open_ms\":95.0}}\n{{\"type\":\"open\",\"open_ms\":192.0}}\n"
        );
        let figures = figures_of(&told).unwrap();
        let cell = "cell concurrency 8 delay_ms 5 batch 1";
        let names: Vec<(&str, f64)> = figures.iter().map(|(figure, value)| (figure.as_str(), *value)).collect();
        assert_eq!(
            names,
            [
                (format!("{cell}: bills_per_s").as_str(), 1000.0),
                (format!("{cell}: ratio").as_str(), 0.9),
                (format!("{cell}: call_ms").as_str(), 7.0),
                ("open: open_ms", 95.0),
                ("open (2): open_ms", 192.0),
            ]
        );
        assert!(figures_of("12 bills\n").is_err(), "not a line for programs");
    }

    #[test]
    fn fewer_bills_a_second_and_more_milliseconds_are_worse() {
        let figures = |rate: [f64; 3], ms: [f64; 3]| {
            Figures::from([("c: bills_per_s".to_owned(), rate.to_vec()), ("c: call_ms".to_owned(), ms.to_vec())])
        };
        let was = figures([1000.0, 900.0, 1100.0], [10.0, 10.0, 90.0]);
        let is = figures([800.0, 805.0, 700.0], [9.0, 9.0, 11.0]);
        let rows = compare(&was, &is, 3);
        let worse: Vec<i64> = rows.iter().map(|row| row.worse_by().round() as i64).collect();
        assert_eq!(worse, [20, -10], "medians; one slow round is nobody's fault");
        assert!((rows[0].spread - 20.0).abs() < 1e-9);
        // What one of them did not tell each time is not compared.
        let mut short = is.clone();
        short.get_mut("c: call_ms").unwrap().pop();
        short.insert("c: new".to_owned(), vec![1.0; 3]);
        assert_eq!(compare(&was, &short, 3).len(), 1);
    }
}
