//! Arguments of verbs about runs and bills.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How a set is approved without a dialog.
#[derive(Debug, Clone, Default, Args)]
pub struct Approval {
    /// Approve the set where `y` would be enough.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// What the confirm ladder asks to be typed: the number of bills, or the environment's name.
    #[arg(long, value_name = "TEXT")]
    pub confirm: Option<String>,
    /// Ignore an ERP prompt in this run (e.g. STK_InvCheckResult: negative stock). Needs --reason.
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
    /// Full read: without the watermark.
    #[arg(long)]
    pub sweep: bool,
    /// Replace LAST_SYNC_TIME for this run (server time).
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only bills up to this date of the plan's date column (server time); a bare date is that whole day.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only these bill numbers: separated by commas, the file they stand in, or `-` for standard input.
    #[arg(long, value_name = "NO|FILE|-", value_delimiter = ',', allow_hyphen_values = true)]
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
    /// Run id, or its beginning; absent = the one unfinished run.
    pub run: Option<String>,
    /// Approval.
    #[command(flatten)]
    pub approval: Approval,
}

/// `resume`, `cancel`.
#[derive(Debug, Args)]
pub struct RunIdArgs {
    /// Run id, or its beginning; absent = the one unfinished run.
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
    #[arg(long, short = 'n', default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
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

/// `take`.
#[derive(Debug, Args)]
pub struct TakeArgs {
    /// Plan that the records are for: one with `skydeck.take`.
    pub plan: String,
}

/// `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// A run id (or its beginning): list its bills.
    pub run: Option<String>,
    /// Filter: of keys about runs alone (plan, state, kind, who, ran, env, run, operation) it lists runs, else bills.
    #[arg(long, default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub filter: String,
    /// At most so many rows.
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
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
    /// Show requests and responses.
    #[arg(long)]
    pub evidence: bool,
    /// Of a bill that no run has read, ask the ERP whether it is there and which plans' filters leave it out.
    #[arg(long, conflicts_with_all = ["env", "form"])]
    pub ask: bool,
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
    #[arg(long, default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub filter: String,
    /// Format; absent = from the file's ending.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Codes of programs in the place of words.
    #[arg(long)]
    pub codes: bool,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// File.
    pub file: PathBuf,
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Run id, or its beginning; absent = the ledger.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// All bills of all runs.
    #[arg(long, conflicts_with = "run")]
    pub all: bool,
    /// Only bills of this plan.
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<String>,
    /// Bills of runs that began at this time or later (2026-11-01, last-week); of all runs, not of the ledger alone.
    #[arg(long, value_name = "TIME", conflicts_with = "run")]
    pub since: Option<String>,
    /// Bills of runs that began by this time.
    #[arg(long, value_name = "TIME", conflicts_with = "run")]
    pub until: Option<String>,
    /// Filter, or a saved view: `@month-end`.
    #[arg(long, default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub filter: String,
    /// Form; absent = from the file's ending.
    #[arg(long, value_name = "FORM")]
    pub format: Option<ReportFormat>,
    /// With the codes of programs beside the words.
    #[arg(long)]
    pub codes: bool,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// File.
    pub file: PathBuf,
}

/// `evidence`.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// Run id, or its beginning.
    pub run: String,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// File.
    pub file: PathBuf,
}

/// `handover`.
#[derive(Debug, Args)]
pub struct HandoverArgs {
    /// Since when: 2026-11-23T18:00, yesterday [default: yesterday 18:00].
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Form; absent = from the file's ending, or text.
    #[arg(long, value_name = "FORM")]
    pub format: Option<HandoverFormat>,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// File; absent = standard output.
    pub file: Option<PathBuf>,
}

/// Forms of a hand-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HandoverFormat {
    /// For a terminal or a letter.
    Text,
    /// For a chat.
    Md,
    /// Page that prints.
    Html,
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Workbook: a sheet for each cause.
    Xlsx,
    /// Page that prints.
    Html,
    /// Text for a chat.
    Md,
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
