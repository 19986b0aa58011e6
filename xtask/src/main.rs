//! Chores of a maintainer, none of which an operator needs: `cargo xtask help`.

mod bench;
mod beside;
mod dist;
mod golden;
mod history;
mod jobs;
mod journals;
mod keys;
mod pictures;
#[path = "../../tests/support/pty.rs"]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "shared with the tests")]
mod pty;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use skydeck::boot;
use skydeck::cli::out::Out;
use skydeck::cli::output;
use skydeck::config::Config;
use skydeck::domain::language::Language;
use skydeck::exit::{Exit, Stop};

/// Chores of a maintainer.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Cli {
    /// One JSON object a line on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// What the program costs here, beside its limits; in a release build, whatever build this is.
    Bench(bench::BenchArgs),
    /// The benches of another commit and of this tree by turns, and what became slower; on a quiet machine.
    Beside(beside::BesideArgs),
    /// The simulator, as a process of its own beside `bench`.
    #[command(hide = true)]
    Sim(skydeck::sim::SimArgs),
    /// A demo's directory with a made-up past, of any size; `skydeck demo --data DIR` opens it.
    History(history::HistoryArgs),
    /// One hash over the journals of random histories: the same before and after a change that must not alter what is done.
    Journals(journals::JournalsArgs),
    /// Types an operator's everyday jobs into the real console over a made-up past, and counts the keys; of 5,000,000 bills
    /// with `--bills 5000000`, in a release build with `cargo run --release -p xtask -- jobs`.
    Jobs(jobs::JobsArgs),
    /// Writes the README's key table anew from the program's own.
    Keys,
    /// Writes the README's pictures anew, from the real console on a terminal.
    Pictures,
    /// Packages for operators: .deb, .rpm and .tar.gz of a release build that starts with glibc 2.17, checked; docs/packages.md.
    Dist(dist::DistArgs),
    /// Writes golden files anew; look at the difference before it is committed.
    Golden {
        /// Which.
        #[arg(value_enum)]
        which: golden::Golden,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match chore(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::note(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn chore(cli: Cli) -> anyhow::Result<u8> {
    match cli.chore {
        Chore::Bench(_) if cfg!(debug_assertions) => again_in_release(),
        Chore::Bench(args) => {
            let causes = boot::causes(&Config::default(), Path::new(""), Language::En).map_err(ended)?;
            let out = Out {
                json: cli.json,
                lang: Language::En,
                views: std::path::PathBuf::new(),
                causes: Arc::new(causes),
                beside: false,
            };
            let exit = runtime()?.block_on(Box::pin(bench::run(&out, &args))).map_err(ended)?;
            Ok(exit.code())
        }
        Chore::Beside(args) => beside::run(&args),
        Chore::Sim(args) => {
            let stop = async {
                let _ = tokio::signal::ctrl_c().await;
            };
            runtime()?.block_on(skydeck::sim::run(args, false, output::Stdout, stop))?;
            Ok(Exit::Ok.code())
        }
        Chore::History(args) => {
            let exit = runtime()?.block_on(Box::pin(history::write(&args))).map_err(ended)?;
            Ok(exit.code())
        }
        Chore::Journals(args) => journals::write(&args).map(|()| Exit::Ok.code()),
        Chore::Jobs(args) => jobs::write(&args).map(|()| Exit::Ok.code()),
        Chore::Dist(args) => dist::run(&args).map(|()| Exit::Ok.code()),
        Chore::Keys => keys::write().map(|()| Exit::Ok.code()),
        Chore::Pictures => pictures::write().map(|()| Exit::Ok.code()),
        Chore::Golden { which } => golden::write(which).map(|()| Exit::Ok.code()),
    }
}

/// One worker, as the program has.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build()?)
}

/// A verb's end as an error here.
fn ended(stop: Stop) -> anyhow::Error {
    anyhow::Error::msg(stop.message)
}

/// Figures of a debug build would say nothing.
fn again_in_release() -> anyhow::Result<u8> {
    let args = std::env::args_os().skip(1);
    let status = cargo().args(["run", "--release", "--locked", "--package", "xtask", "--"]).args(args).status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// The cargo that started this.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Ends with what went wrong where a command did.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// The repository.
fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}
