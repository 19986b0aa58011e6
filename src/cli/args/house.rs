//! Arguments of verbs about the engine, its data directory and its log.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::looks::{Looks, language};
use crate::domain::env::Limits;
use crate::domain::language::Language;

/// `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// As a console starts it: a session of its own, gone when there is nothing left to do.
    #[arg(long, hide = true)]
    pub detached: bool,
    /// How long a detached one stays with nothing to do.
    #[arg(long, hide = true, default_value = "60s", value_name = "SPAN", value_parser = crate::domain::time::parse_span)]
    pub idle: std::time::Duration,
    /// Tell the process that holds the data directory to end, and wait until it has.
    #[arg(long, conflicts_with = "detached")]
    pub end: bool,
    /// The console was told to raise the data directory without a backup.
    #[arg(long, hide = true)]
    pub no_backup: bool,
    /// Language of the console that starts it, for what it shows of the start.
    #[arg(long, hide = true, value_name = "LANG", value_parser = language())]
    pub words: Option<Language>,
}

/// The plan that a demo is about unless another is named.
const DEMO_PLAN: &str = "sal_outstock_audit";
/// Its bills.
const DEMO_BILLS: usize = 300;
/// Its calls a minute.
const DEMO_PACE: u32 = 900;

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Run the plan without a terminal and print the summary.
    #[arg(long)]
    pub headless: bool,
    /// The shipped plan that the demo is about.
    #[arg(long, value_name = "NAME", default_value = DEMO_PLAN)]
    pub plan: String,
    /// Bills in the simulator.
    #[arg(long, default_value_t = DEMO_BILLS, value_name = "N", value_parser = crate::sim::bills_parser())]
    pub bills: usize,
    /// Seed of the simulator's data.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Faults: none, demo, storm, or a TOML file.
    #[arg(long, default_value = "demo", value_name = "FAULTS")]
    pub faults: String,
    /// Calls a minute.
    #[arg(long, default_value_t = DEMO_PACE, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(Limits::MOST_PER_MINUTE)))]
    pub per_minute: u32,
    /// Calls in flight.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(Limits::MOST_CONCURRENCY)))]
    pub concurrency: u32,
    /// How long an unknown bill waits before it is read back, e.g. 6s.
    #[arg(long, value_name = "SPAN", value_parser = crate::domain::time::parse_span)]
    pub settle: Option<std::time::Duration>,
    /// Time every answer of the simulator takes.
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = crate::sim::delay_parser())]
    pub delay: u64,
    /// Put control characters and escape sequences into some notes.
    #[arg(long)]
    pub hostile: bool,
    /// Start anew even where an interrupted demo is left.
    #[arg(long)]
    pub fresh: bool,
    /// Mark the environment as production.
    #[arg(long)]
    pub production: bool,
    /// Begin with a made-up past of so many days: more plans, runs of the clock and of people, bills that are stuck.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub history: Option<u32>,
    /// Looks.
    #[command(flatten)]
    pub looks: Looks,
}

impl Default for DemoArgs {
    /// What `skydeck demo` without an option means.
    fn default() -> Self {
        Self {
            headless: false,
            plan: DEMO_PLAN.to_owned(),
            bills: DEMO_BILLS,
            seed: 1,
            faults: "demo".to_owned(),
            per_minute: DEMO_PACE,
            concurrency: 4,
            settle: None,
            delay: 0,
            hostile: false,
            fresh: false,
            production: false,
            history: None,
            looks: Looks::default(),
        }
    }
}

/// `log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Show, verify or export; nothing = show.
    #[command(subcommand)]
    pub verb: Option<LogVerb>,
    /// At most so many lines.
    #[arg(long, short = 'n', default_value_t = 30, value_name = "N")]
    pub limit: u32,
}

/// `forecast`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ForecastArgs {
    /// Replay the journal; nothing = say what stands.
    #[command(subcommand)]
    pub verb: Option<ForecastVerb>,
    /// Only of this plan.
    #[arg(value_name = "PLAN")]
    pub plan: Option<String>,
}

/// `forecast …`.
#[derive(Debug, Subcommand)]
pub enum ForecastVerb {
    /// How the forecasters would have done on this site's own journal, beside what they are compared with.
    Backtest {
        /// Only of this plan.
        #[arg(value_name = "PLAN")]
        plan: Option<String>,
    },
}

/// `log …`.
#[derive(Debug, Subcommand)]
pub enum LogVerb {
    /// Check both chains, and that file and journal tell of the same lines.
    Verify {
        /// A head that was kept elsewhere (`log head`): both must still hold it.
        #[arg(long, value_name = "HEAD")]
        head: Option<crate::store::account::Head>,
    },
    /// Verify, and print the head of both, to be kept where nobody of this machine can change it.
    Head,
    /// Accept the log as it is, where it and the journal disagree: no run starts before (role approver).
    Accept {
        /// Why; it stands in the log.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Write the lines as they stand, after checking their chain.
    Export {
        /// Only from this day on (UTC, YYYY-MM-DD).
        #[arg(long, value_name = "DAY")]
        since: Option<chrono::NaiveDate>,
        /// CSV with a byte order mark, for spreadsheets; absent: the lines themselves.
        #[arg(long)]
        csv: bool,
        /// File, or - for standard output.
        file: PathBuf,
    },
}

/// `alerts …`.
#[derive(Debug, Subcommand)]
pub enum AlertsVerb {
    /// Send a trial message to every target, and say what became of it.
    Test,
}

/// `self …`.
#[derive(Debug, Subcommand)]
pub enum SelfVerb {
    /// What this host lacks, and what would be written where; changes nothing.
    Check,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Build the index anew from the journal.
    #[arg(long)]
    pub rebuild: bool,
    /// Copy the index into a smaller one.
    #[arg(long)]
    pub compact: bool,
    /// Write every fact as JSON lines.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
}

/// `upgrade`.
#[derive(Debug, Args)]
pub struct UpgradeArgs {
    /// Where the backup goes; not there yet [default: beside the data directory].
    #[arg(long, value_name = "DIR", conflicts_with = "no_backup")]
    pub backup: Option<PathBuf>,
    /// Make no backup.
    #[arg(long)]
    pub no_backup: bool,
}
