//! What is built and packed with: of one version each, known by its hash, in a directory of its own.
//!
//! Invariant: nothing of the machine's own Python or linker is used, and nothing is put anywhere but below the build directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::{Job, hex};

/// Names, versions, hashes.
const WANTED: &str = include_str!("requirements.txt");

/// The tools, installed.
pub struct Tools {
    /// Their programs.
    bin: PathBuf,
    /// Where they keep what they make for themselves.
    cache: PathBuf,
}

impl Tools {
    /// Installs what is not there yet.
    pub fn ready(job: &Job<'_>) -> anyhow::Result<Self> {
        let home = job.build.join("dist-tools");
        // Another set of tools gets another directory.
        let short: String = hex(WANTED.as_bytes()).chars().take(12).collect();
        let venv = home.join(short);
        let tools = Self { bin: venv.join("bin"), cache: home.join("cache") };
        let done = venv.join("complete");
        if !done.exists() {
            let list = home.join("requirements.txt");
            std::fs::create_dir_all(&home).with_context(|| home.display().to_string())?;
            std::fs::write(&list, WANTED)?;
            let made = crate::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
            made.context("a Python environment for the tools: install python3 and python3-venv")?;
            let pip = tools.bin.join("pip");
            let install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r"];
            crate::run(Command::new(pip).args(install).arg(list))
                .context("the tools come from PyPI (or the mirror that pip is set to)")?;
            std::fs::write(done, WANTED)?;
        }
        Ok(tools)
    }

    /// A command that finds the tools before anything else.
    pub fn command(&self, program: &str) -> Command {
        let mut path = std::ffi::OsString::from(&self.bin);
        if let Some(own) = std::env::var_os("PATH") {
            path.push(":");
            path.push(own);
        }
        let mut command = Command::new(program);
        command
            .env("PATH", path)
            .env("XDG_CACHE_HOME", &self.cache)
            .env("ZIG_GLOBAL_CACHE_DIR", self.cache.join("zig"));
        command
    }

    /// Where they are: no trace of it may be in what they make.
    pub fn home(job: &Job<'_>) -> PathBuf {
        Path::new(&job.build).join("dist-tools")
    }
}
