//! Verbs and options, as clap reads them; help, completions and the man page come from here.

mod house;
mod looks;
mod plans;
mod runs;
mod store;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use self::house::{
    AlertsVerb, DemoArgs, DoctorArgs, ForecastArgs, ForecastVerb, LogArgs, LogVerb, SelfVerb, ServeArgs, UpgradeArgs,
};
pub use self::looks::Looks;
use self::looks::language;
pub use self::plans::{ConfigVerb, EnvAdd, EnvVerb, NewPlan, PlanVerb};
pub use self::runs::{
    Approval, ApproveArgs, BillArgs, EvidenceArgs, ExportArgs, Format, HandoverArgs, HandoverFormat, HistoryArgs,
    LedgerArgs, ReopenArgs, ReportArgs, ReportFormat, ResolveArgs, RetryArgs, RevisionArg, RunArgs, RunIdArgs,
    SelectArgs, TakeArgs,
};
pub use self::store::{Admin, StoreVerb};
use crate::domain::language::Language;

/// Terminal operations console for Kingdee K/3Cloud integration plans.
///
/// Without a verb: the console. Exit codes: 0 all settled well, 1 some failed, 2 usage, configuration or plan,
/// 3 unknown left, 4 refused (read-only, not confirmed) or waiting for somebody, 5 terminal, 6 stopped by itself or
/// not all reached, 7 output lost, 8 store or log does not verify, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "skydeck", version, about, long_about, max_term_width = 100)]
pub struct Cli {
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do; nothing = the console.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Options of every verb.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Configuration file [default: $XDG_CONFIG_HOME/skydeck/config.toml].
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory: journal, index, log [default: $XDG_STATE_HOME/skydeck].
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Language of people's text [default: from LC_ALL, LC_MESSAGES, LANG].
    #[arg(long, global = true, value_name = "LANG", value_parser = language())]
    pub lang: Option<Language>,
    /// One JSON object a line on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Console: keep the engine in this process, instead of attaching to (or starting) one that outlives it.
    #[arg(long)]
    pub standalone: bool,
    /// Looks of the console, where no verb is given.
    #[command(flatten)]
    pub looks: Looks,
    /// Attach to the engine behind this socket (another user's, see [access] in its configuration).
    #[arg(long, global = true, value_name = "SOCKET")]
    pub attach: Option<PathBuf>,
    /// The user whose engine is expected behind --attach, by name or number; needed where others can put a socket there.
    #[arg(long, global = true, value_name = "USER", requires = "attach", value_parser = user)]
    pub owner: Option<u32>,
    /// Look at a backup: a copy of it is opened, and nothing can be ordered.
    #[arg(long, global = true, value_name = "DIR", conflicts_with_all = ["attach", "data"])]
    pub snapshot: Option<PathBuf>,
}

/// A user's id from his name or number.
fn user(text: &str) -> Result<u32, String> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    let found = nix::unistd::User::from_name(text).map_err(|e| e.to_string())?;
    found.map(|user| user.uid.as_raw()).ok_or_else(|| "there is no such user on this machine".to_owned())
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The console on the built-in Kingdee simulator with the shipped plan.
    Demo(DemoArgs),
    /// Run a plan: collect, approve, audit, settle.
    Run(RunArgs),
    /// Try unresolved bills again.
    Retry(RetryArgs),
    /// Read unknown and failed bills back from the ERP, and say what became of them; calls nothing that writes.
    Verify(SelectArgs),
    /// Approve a collected set that waits: one that was left, or one that needs a second person.
    Approve(ApproveArgs),
    /// Go on with an interrupted or paused run.
    Resume(RunIdArgs),
    /// Stop an interrupted or paused run; what was not reached goes to the ledger.
    Cancel(RunIdArgs),
    /// Unresolved bills over all runs, grouped by cause.
    Ledger(LedgerArgs),
    /// Take bills off the ledger with a written reason.
    Resolve(ResolveArgs),
    /// Put resolved bills back on the ledger, with a written reason.
    Reopen(ReopenArgs),
    /// Keep records from standard input (JSON) for a plan; its next run takes them up.
    Take(TakeArgs),
    /// Runs, newest first; with a run: its bills.
    History(HistoryArgs),
    /// One bill's whole life.
    Bill(BillArgs),
    /// Write bills to a file.
    Export(ExportArgs),
    /// Write a report: bills by cause, with who acts and what to do.
    Report(ReportArgs),
    /// What the next shift must know: what came and left, what waits for whom, what was decided.
    Handover(HandoverArgs),
    /// What an auditor is given of a run: what was approved by whom, every call, and how to check it without Skydeck.
    Evidence(EvidenceArgs),
    /// What is usual for each plan, what stands out from it, and what did not run.
    Forecast(ForecastArgs),
    /// The action log: who ordered what, why, and what came of it.
    Log(LogArgs),
    /// Plans: list, lint, render, preview, import, diff, …
    #[command(subcommand)]
    Plan(PlanVerb),
    /// Environments.
    #[command(subcommand)]
    Env(EnvVerb),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// The engine without a screen, for systemd: consoles attach to it.
    Serve(ServeArgs),
    /// Check the data directory: journal chain, index, reserve file.
    Doctor(DoctorArgs),
    /// The program and its host.
    #[command(name = "self", subcommand)]
    Own(SelfVerb),
    /// Raise a data directory of an earlier version to the one of this program, after a backup.
    Upgrade(UpgradeArgs),
    /// Copy the data directory, in use or not, into a new one, and check the copy.
    Backup {
        /// Directory; not there yet.
        to: PathBuf,
        /// Copy it also where it does not verify, for this reason; the copy is marked as damaged, and is no backup.
        #[arg(long, value_name = "REASON")]
        damaged: Option<String>,
    },
    /// Copy a backup into the data directory, which must not be there yet.
    Restore {
        /// Directory of the backup.
        from: PathBuf,
        /// Restore also a copy that is marked as damaged; what is restored is as damaged as it is.
        #[arg(long)]
        damaged: bool,
    },
    /// One word whether all is well; exit code 0 ok, 1 not ok, 3 unknown bills left.
    Health,
    /// Alerts when nobody watches.
    #[command(subcommand)]
    Alerts(AlertsVerb),
    /// Forget what [retention] says is old enough; never a bill that is unresolved.
    Prune {
        /// Do it; without, only say what would be forgotten.
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Facts in a database instead of the data directory ([store] in the configuration).
    #[command(subcommand)]
    Store(StoreVerb),
    /// A simulator on its own: Kingdee, or a generic JSON system.
    Sim(crate::sim::SimArgs),
    /// The key table as Markdown.
    #[command(hide = true)]
    Keys,
    /// Shell completions on standard output.
    Completions {
        /// Shell.
        shell: clap_complete::Shell,
    },
    /// Man page on standard output.
    Man,
}
