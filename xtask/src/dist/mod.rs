//! `dist`: what is handed to operators: a program that starts on hosts of 2014, as .deb, .rpm and .tar.gz, with everything
//! that has to lie beside it.
//!
//! Invariant: the same commit gives the same bytes, on whichever machine, in whichever directory, at whatever time; and what
//! does not start on an old host, or tells of the machine it was built on, is never packed.

mod build;
mod check;
mod metadata;
mod notices;
mod packages;
mod sbom;
mod symbols;
mod target;
mod tools;
mod tree;
#[cfg(test)]
mod units;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use sha2::{Digest as _, Sha256};
use skydeck::cli::output;

use target::Target;

/// `dist`.
#[derive(Debug, Args)]
pub struct DistArgs {
    /// For which machines; absent: x86_64 with glibc 2.17 alone.
    #[arg(long, value_enum, value_name = "TARGET")]
    target: Vec<Target>,
    /// For all of them.
    #[arg(long, conflicts_with = "target")]
    all: bool,
    /// Where the packages go; absent: `dist` in the build directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only look at a program that was built elsewhere: its symbols, libraries, and paths of this machine.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["target", "all", "out"])]
    check: Option<PathBuf>,
}

/// What every step knows.
struct Job<'a> {
    /// The repository.
    root: &'a Path,
    /// Where the build lies.
    build: PathBuf,
    /// When the commit was made, seconds since 1970.
    epoch: u64,
    /// Version of the product.
    version: &'static str,
}

/// Builds, checks and packs.
pub fn run(args: &DistArgs) -> anyhow::Result<()> {
    let job = Job {
        root: crate::root(),
        build: std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from),
        epoch: epoch()?,
        version: env!("CARGO_PKG_VERSION"),
    };
    if let Some(program) = &args.check {
        return report(&check::program(&job, program)?);
    }
    let started = Instant::now();
    let out = args.out.clone().unwrap_or_else(|| job.build.join("dist"));
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let tools = tools::Tools::ready(&job)?;
    let targets = match (args.all, args.target.as_slice()) {
        (true, _) => Target::ALL.to_vec(),
        (false, []) => vec![Target::X86Gnu],
        (false, some) => some.to_vec(),
    };
    let mut made = Vec::new();
    for target in targets {
        let program = build::program(&job, &tools, target)?;
        output::note(&format!("{}: built, {} s since the start", target.triple(), started.elapsed().as_secs()));
        report(&check::program(&job, &program)?)?;
        let tree = tree::stage(&job, target, &program)?;
        made.extend(packages::make(&job, &tools, target, &tree, &out)?);
    }
    let sums = sums(&out, &made)?;
    std::fs::write(out.join("SHA256SUMS"), &sums).context("SHA256SUMS")?;
    for line in sums.lines() {
        output::line(line)?;
    }
    output::note(&format!("{} files in {}, {} s", made.len(), out.display(), started.elapsed().as_secs()));
    Ok(())
}

fn report(found: &check::Found) -> anyhow::Result<()> {
    for line in found.lines() {
        output::line(&line)?;
    }
    found.refuse()
}

/// When the commit was made: the one time that everything in the packages bears.
fn epoch() -> anyhow::Result<u64> {
    if let Ok(said) = std::env::var("SOURCE_DATE_EPOCH") {
        return said.parse().with_context(|| format!("SOURCE_DATE_EPOCH is no number of seconds: {said}"));
    }
    let told = told(Command::new("git").args(["log", "-1", "--format=%ct"]))?;
    told.parse().with_context(|| format!("git told no time of the commit: {told}; set SOURCE_DATE_EPOCH"))
}

/// What a command prints, without the end of its last line.
fn told(command: &mut Command) -> anyhow::Result<String> {
    let output = command.current_dir(crate::root()).output().with_context(|| format!("{command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?}: {}: {errors}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// A line a file, as `sha256sum -c` reads them; of all that lies there, those of an earlier call among it.
fn sums(out: &Path, made: &[PathBuf]) -> anyhow::Result<String> {
    let mut lines = String::new();
    let mut made = made.to_vec();
    made.sort();
    for file in made {
        let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let name = file.strip_prefix(out).unwrap_or(&file).display().to_string();
        lines.extend([&hex(&bytes), "  ", &name, "\n"]);
    }
    Ok(lines)
}

/// SHA-256 as it is written.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
