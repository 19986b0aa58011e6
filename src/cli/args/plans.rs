//! Arguments of verbs about plans and environments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
        /// LAST_SYNC_TIME to render with (server time); absent = the plan's watermark.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Query and show what would be touched, touching nothing.
    Preview {
        /// Plan: name or file.
        plan: String,
        /// Full read: without the watermark.
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

/// What `plan new` is asked for.
#[derive(Debug, Args)]
pub struct NewPlan {
    /// Business object, e.g. STK_InStock.
    pub form: String,
    /// Submit before auditing.
    #[arg(long)]
    pub submit: bool,
    /// What to do: Audit, Submit, or an operation of the form such as BillClose, Forbid, Enable.
    #[arg(long, value_name = "NAME", default_value = "Audit")]
    pub operation: String,
    /// What shows that the operation is done, e.g. FCloseStatus=B; needed where its name does not tell.
    #[arg(long, value_name = "FIELD=VALUE")]
    pub done: Option<String>,
}
