//! The program, built for a target with nothing of this machine in it.
//!
//! Invariant: flags of the environment, which differ from machine to machine, take no part.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::target::Target;
use super::tools::Tools;
use super::{Job, told};

/// What begins like this would alter the build.
const OTHERS: [&str; 13] = [
    "RUSTFLAGS",
    "CARGO_BUILD_",
    "CARGO_ENCODED_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_X86",
    "CARGO_TARGET_AARCH",
    "CARGO_INCREMENTAL",
    "CFLAGS",
    "CC_",
    "RUSTC_",
    "CPATH",
    "C_INCLUDE_PATH",
    "LIBRARY_PATH",
];

/// Builds the program and gives its place.
pub fn program(job: &Job<'_>, tools: &Tools, target: Target) -> anyhow::Result<PathBuf> {
    std_of(target)?;
    let build = job.build.join("dist-build");
    let places = places(job, &build)?;
    let remap = |flag: &str, sep: &str| {
        let flags: Vec<String> = places.iter().map(|(from, to)| format!("{flag}={}={to}", from.display())).collect();
        flags.join(sep)
    };
    let mut cargo = tools.command("cargo");
    for (name, _) in std::env::vars_os() {
        let named = name.to_string_lossy().into_owned();
        if OTHERS.iter().any(|other| named.starts_with(other)) {
            cargo.env_remove(name);
        }
    }
    cargo
        .current_dir(job.root)
        .args(["zigbuild", "--release", "--locked", "--package", "skydeck", "--bin", "skydeck", "--target"])
        .arg(target.for_zig())
        .env("CARGO_TARGET_DIR", &build)
        .env("CARGO_ENCODED_RUSTFLAGS", remap("--remap-path-prefix", "\u{1f}"))
        .env("CFLAGS", remap("-ffile-prefix-map", " "))
        .env("SOURCE_DATE_EPOCH", job.epoch.to_string())
        .env("CARGO_INCREMENTAL", "0")
        .env("LC_ALL", "C")
        .env("TZ", "UTC");
    crate::run(&mut cargo)?;
    Ok(build.join(target.triple()).join("release").join("skydeck"))
}

/// The target's own part of the compiler.
fn std_of(target: Target) -> anyhow::Result<()> {
    let at = told(Command::new("rustc").args(["--print", "target-libdir", "--target", target.triple()]))?;
    if Path::new(&at).exists() {
        return Ok(());
    }
    crate::run(Command::new("rustup").current_dir(crate::root()).args(["target", "add", target.triple()]))
        .with_context(|| format!("the standard library of {} is not installed", target.triple()))
}

/// Directories of this machine and what stands for each in the program; of two that fit, the last one counts.
pub fn places(job: &Job<'_>, build: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let sysroot = PathBuf::from(told(Command::new("rustc").args(["--print", "sysroot"]))?);
    let version = told(Command::new("rustc").arg("-vV"))?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let source = sysroot.join("lib/rustlib/src/rust");
    Ok(vec![
        (cargo_home()?, "/cargo".to_owned()),
        (sysroot, "/rustc".to_owned()),
        // Where the library's source is installed the compiler names it in the place of what it was built from.
        (source, format!("/rustc/{commit}")),
        (job.root.to_path_buf(), "/skydeck".to_owned()),
        (build.to_path_buf(), "/build".to_owned()),
    ])
}

/// Where cargo keeps what it fetched.
pub fn cargo_home() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    named.or_else(home).context("neither CARGO_HOME nor HOME is set")
}
