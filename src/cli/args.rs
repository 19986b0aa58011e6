//! Verbs and options, as clap reads them; help, completions and the man page come from here.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::fresh::NewPlan;
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
    /// Attach to the owner behind this socket (another user's, see [access] in its configuration).
    #[arg(long, global = true, value_name = "SOCKET")]
    pub attach: Option<PathBuf>,
    /// The user whose owner is expected behind --attach, by name or number; needed where others can put a socket there.
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

/// Reads a language's name.
fn language() -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(Language::ALL.map(|(name, _)| name)).map(|name| {
        let known = Language::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, lang)| lang).unwrap_or_default()
    })
}

/// Looks of the console.
#[derive(Debug, Clone, Default, Args)]
pub struct Looks {
    /// Theme: a built-in name or a file.
    #[arg(long, value_name = "THEME")]
    pub theme: Option<String>,
    /// ASCII borders and glyphs.
    #[arg(long)]
    pub ascii: bool,
    /// Take mouse clicks and the wheel (text selection then needs Shift).
    #[arg(long)]
    pub mouse: bool,
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
    /// End an interrupted or paused run; what was not reached goes to the ledger.
    Cancel(RunIdArgs),
    /// Unresolved bills over all runs, grouped by cause.
    Ledger(LedgerArgs),
    /// Close ledger entries with a written reason.
    Resolve(ResolveArgs),
    /// Put back ledger entries that were closed with a written reason.
    Reopen(ReopenArgs),
    /// Runs, newest first; with a run: its bills.
    History(HistoryArgs),
    /// One bill's whole life.
    Bill(BillArgs),
    /// Write bills to a file.
    Export(ExportArgs),
    /// The action log: who ordered what, why, and what came of it.
    Log(LogArgs),
    /// Plans: list, lint, render, preview, import, diff, …
    #[command(subcommand)]
    Plan(PlanVerb),
    /// Environments.
    #[command(subcommand)]
    Env(EnvVerb),
    /// The engine without a screen, for systemd: consoles attach to it.
    Serve(ServeArgs),
    /// Check the data directory: journal chain, index, headroom.
    Doctor(super::doctor::DoctorArgs),
    /// Raise a data directory of an earlier version to the one of this program, after a backup.
    Upgrade(super::upgrade::UpgradeArgs),
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
    /// One word whether all is well; exit code 0 well, 1 not well, 3 unknown bills left.
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
    /// The Kingdee simulator on its own.
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

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Run the plan without a terminal and print the summary.
    #[arg(long)]
    pub headless: bool,
    /// Bills in the simulator.
    #[arg(long, default_value_t = 300, value_name = "N")]
    pub bills: usize,
    /// Seed of the simulator's data.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Faults: none, demo, storm, or a TOML file.
    #[arg(long, default_value = "demo", value_name = "FAULTS")]
    pub faults: String,
    /// Calls a minute.
    #[arg(long, default_value_t = 900, value_name = "N")]
    pub per_minute: u32,
    /// Calls in flight.
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub concurrency: u32,
    /// How long an unknown bill waits before it is read back, e.g. 6s.
    #[arg(long, value_name = "SPAN", value_parser = crate::domain::time::parse_span)]
    pub settle: Option<std::time::Duration>,
    /// Time every answer of the simulator takes.
    #[arg(long, default_value_t = 0, value_name = "MS")]
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
    /// Looks.
    #[command(flatten)]
    pub looks: Looks,
}

/// How a set is approved without a dialog.
#[derive(Debug, Clone, Default, Args)]
pub struct Approval {
    /// Approve the collected set where `y` would be enough.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// What the confirm ladder asks to be typed: the number of bills, or the environment's name.
    #[arg(long, value_name = "TEXT")]
    pub confirm: Option<String>,
    /// Wave a rule of the ERP through for this run (e.g. STK_InvCheckResult: negative stock). Needs --reason.
    #[arg(long = "flag", value_name = "FLAG")]
    pub flags: Vec<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Unlock a read-only environment for this run. Needs --reason.
    #[arg(long)]
    pub unlock: bool,
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Plan: its name in the plan directory, or a file.
    pub plan: String,
    /// Approval.
    #[command(flatten)]
    pub approval: Approval,
    /// Read without the mark.
    #[arg(long)]
    pub sweep: bool,
    /// Replace LAST_SYNC_TIME for this run (server time).
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only bills up to this date of the plan's date column (server time); a bare date is that whole day.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only these bill numbers.
    #[arg(long, value_name = "NO", value_delimiter = ',')]
    pub numbers: Vec<String>,
    /// The plan's compensation query (omissionRemedy) in place of its own.
    #[arg(long, conflicts_with_all = ["sweep", "since", "until", "numbers"])]
    pub remedy: bool,
}

/// Which ledger entries.
#[derive(Debug, Clone, Default, Args)]
pub struct SelectArgs {
    /// Filter, e.g. `cause:lock -org:100 age:>2h`.
    #[arg(default_value = "", hide_default_value = true)]
    pub filter: String,
    /// Only this plan.
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<String>,
    /// Only bills left over by this run.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

/// A revision of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RevisionArg {
    /// The plan as it is now.
    Newest,
    /// The plan as it was when the bills were last tried.
    Original,
}

/// `retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Which.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Under which revision of the plan: as it is now, or as it was when the bills were last tried.
    #[arg(long, value_enum, default_value_t = RevisionArg::Newest)]
    pub revision: RevisionArg,
    /// Approval.
    #[command(flatten)]
    pub approval: Approval,
}

/// `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// Run id, or its beginning; absent = the one open run.
    pub run: Option<String>,
    /// Approval.
    #[command(flatten)]
    pub approval: Approval,
}

/// `resume`, `cancel`.
#[derive(Debug, Args)]
pub struct RunIdArgs {
    /// Run id, or its beginning; absent = the one open run.
    pub run: Option<String>,
}

/// `ledger`.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    /// Which.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Groups with counts only.
    #[arg(long)]
    pub groups: bool,
    /// At most so many bills.
    #[arg(long, short = 'n', default_value_t = 50, value_name = "N")]
    pub limit: u32,
}

/// `resolve`.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// Which.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Every entry of the ledger.
    #[arg(long)]
    pub all: bool,
    /// Why; kept in the history.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `reopen`.
#[derive(Debug, Args)]
pub struct ReopenArgs {
    /// Whole bill numbers.
    #[arg(required = true, value_name = "NUMBER")]
    pub numbers: Vec<String>,
    /// Only entries of this plan.
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<String>,
    /// Why; kept in the history.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// A run id (or its beginning): list its bills.
    pub run: Option<String>,
    /// Filter for bills.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub filter: String,
    /// At most so many rows.
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    pub limit: u32,
}

/// `bill`.
#[derive(Debug, Args)]
pub struct BillArgs {
    /// Bill number.
    pub number: String,
    /// Only in this environment.
    #[arg(long, value_name = "ENV")]
    pub env: Option<String>,
    /// Only of this form.
    #[arg(long, value_name = "FORM")]
    pub form: Option<String>,
    /// Show requests and answers.
    #[arg(long)]
    pub evidence: bool,
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

/// `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Run id; absent = the ledger.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// All bills of all runs.
    #[arg(long, conflicts_with = "run")]
    pub all: bool,
    /// Filter.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub filter: String,
    /// Format; absent = from the file's ending.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// File.
    pub file: PathBuf,
}

/// Export formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// CSV with a byte order mark, for spreadsheets.
    Csv,
    /// JSON lines.
    Jsonl,
    /// Markdown table.
    Md,
    /// HTML report.
    Html,
}

/// `plan …`.
#[derive(Debug, Subcommand)]
pub enum PlanVerb {
    /// All plans with their state.
    List,
    /// A plan as the engine understands it.
    Show {
        /// Plan.
        plan: String,
        /// With every default filled in.
        #[arg(long)]
        effective: bool,
    },
    /// A new plan on standard output.
    New(NewPlan),
    /// Known hazards of a plan.
    Lint {
        /// Plan: name or file.
        plan: String,
    },
    /// Template beside value.
    Render {
        /// Plan: name or file.
        plan: String,
        /// LAST_SYNC_TIME to render with (server time); absent = the plan's mark.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Query and show what would be touched, touching nothing.
    Preview {
        /// Plan: name or file.
        plan: String,
        /// Read without the mark.
        #[arg(long)]
        sweep: bool,
    },
    /// Turn a printed table (Markdown or tabs) into a plan file.
    Import {
        /// File, or - for standard input.
        file: String,
        /// Where to write; absent = standard output.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Compare two plans by meaning.
    Diff {
        /// One.
        old: String,
        /// Other.
        new: String,
    },
    /// Read every plan of the directory and say whether it can run.
    Check,
    /// JSON Schema of the `skydeck` object.
    Schema,
}

/// `env …`.
#[derive(Debug, Subcommand)]
pub enum EnvVerb {
    /// All environments.
    List,
    /// Sign in and say what was found.
    Check {
        /// Environment; absent = the default one.
        name: Option<String>,
    },
    /// Say that an environment's records are on the server it is configured with now.
    Adopt {
        /// Environment.
        name: String,
        /// Why; kept in the action log.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}
