//! `bench`: what the whole program and its store cost here, each beside a limit taken in the same run.
//!
//! Invariant: works in a directory of its own; a run counts only when the simulator agrees that each bill was audited.

mod bare;
mod database;
mod fill;
mod flow;
mod ours;
mod probe;
mod reads;
mod server;
mod store;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use skydeck::cli::out::Out;
use skydeck::exit::{Exit, Stop};

/// `bench`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchArgs {
    /// A part of its own.
    #[command(subcommand)]
    pub part: Option<Part>,
    /// End to end.
    #[command(flatten)]
    pub flow: FlowArgs,
}

/// Parts with options of their own.
#[derive(Debug, Subcommand)]
pub enum Part {
    /// The store alone, with many bills.
    Store(store::StoreArgs),
}

/// `bench` end to end.
#[derive(Debug, Clone, Args)]
pub struct FlowArgs {
    /// Fewer bills a cell: half a minute instead of some.
    #[arg(long)]
    pub quick: bool,
    /// Calls in flight.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 8, 64])]
    pub concurrency: Vec<u32>,
    /// Time every answer of the simulator takes, in milliseconds.
    #[arg(long, value_name = "MS", value_delimiter = ',', default_values_t = [0, 5, 50])]
    pub delay: Vec<u64>,
    /// Bills a call; batches are measured at the middle concurrency only, unless one concurrency is given.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 20])]
    pub batch: Vec<u32>,
    /// Bills a cell, instead of as many as a few seconds take.
    #[arg(long, value_name = "N")]
    pub bills: Option<usize>,
    /// Times each cell is run; the median ratio counts.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub repeat: usize,
    /// A PostgreSQL server in the place of a directory, with an administrator's role (`host=/run/postgresql user=postgres`): each cell gets a
    /// database of its own, which is dropped.
    #[arg(long, value_name = "SERVER")]
    pub store: Option<String>,
    /// With --store: as one of several machines that write.
    #[arg(long, requires = "store")]
    pub together: bool,
    /// Where the stores of the cells lie: the disk that is measured.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Runs it.
pub async fn run(out: &Out, args: &BenchArgs) -> Result<Exit, Stop> {
    match &args.part {
        Some(Part::Store(args)) => store::run(out, args).await,
        None => flow::run(out, &args.flow).await,
    }
}

/// A directory of this bench's own, removed when it goes.
struct Room(PathBuf);

impl Room {
    fn new(beside: &Path, name: &str) -> Result<Self, Stop> {
        let dir = beside.join(format!("skydeck-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(|e| Stop::usage(format!("{}: {e}", dir.display())))?;
        Ok(Self(dir))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
