//! Arguments of verbs about plans and environments.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::SignInKind;

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
    /// A new plan; with --form, with the fields that the ERP says the form has.
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
        /// Only these bill numbers: separated by commas, the file they stand in, or `-` for standard input.
        #[arg(long, value_name = "NO|FILE|-", value_delimiter = ',', allow_hyphen_values = true)]
        numbers: Vec<String>,
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
    /// Describe an environment, try it, and write it into the configuration; at a terminal it asks for what is missing.
    Add(EnvAdd),
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

/// `config …`.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Whether everything that the configuration names is there and can be used; nothing is called.
    Check,
}

/// What `env add` is told.
#[derive(Debug, Args)]
pub struct EnvAdd {
    /// Name of the environment, e.g. test.
    pub name: Option<String>,
    /// Address of the server, e.g. https://erp.example.com/k3cloud/.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Id of the data centre (account set).
    #[arg(long, value_name = "ID")]
    pub account_set: Option<String>,
    /// User of the ERP.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Way of signing in.
    #[arg(long, value_enum, value_name = "WAY")]
    pub sign_in: Option<SignInArg>,
    /// Application id; of every way but password.
    #[arg(long, value_name = "ID")]
    pub app_id: Option<String>,
    /// The secret is on the first line of this file, of mode 0600.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["secret_command", "secret_stdin"])]
    pub secret_file: Option<PathBuf>,
    /// The secret is what this program prints: program and arguments, separated by commas.
    #[arg(long, value_name = "PROGRAM", value_delimiter = ',', conflicts_with = "secret_stdin")]
    pub secret_command: Option<Vec<String>>,
    /// The secret is the first line of standard input; it is kept in a file beside the configuration.
    #[arg(long)]
    pub secret_stdin: bool,
    /// It is production: read-only until somebody unlocks it.
    #[arg(long)]
    pub production: bool,
    /// Allow http:// to another machine.
    #[arg(long)]
    pub allow_plain_http: bool,
    /// Write it without trying it.
    #[arg(long)]
    pub no_check: bool,
}

/// Ways of signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum SignInArg {
    /// Signed calls, with application id and secret.
    Signed,
    /// A session, with application id and secret.
    AppSecret,
    /// A session by signature: the secret does not cross the wire.
    AppSign,
    /// A session, with the user's password.
    Password,
}

impl From<SignInArg> for SignInKind {
    fn from(way: SignInArg) -> Self {
        match way {
            SignInArg::Signed => Self::Signed,
            SignInArg::AppSecret => Self::AppSecret,
            SignInArg::AppSign => Self::AppSign,
            SignInArg::Password => Self::Password,
        }
    }
}

/// What `plan new` is asked for.
#[derive(Debug, Args)]
pub struct NewPlan {
    /// Business object, e.g. STK_InStock; the ERP is not asked.
    #[arg(required_unless_present = "described")]
    pub form: Option<String>,
    /// Business object whose fields are read from the ERP; at a terminal it asks which to take.
    #[arg(id = "described", long = "form", value_name = "FORM", conflicts_with = "form")]
    pub described: Option<String>,
    /// Environment to ask; absent = the default one.
    #[arg(long, value_name = "ENV")]
    pub env: Option<String>,
    /// Fields to take, e.g. FDate,FCustomerID.FName.
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// Where to write; absent = standard output.
    #[arg(long, short, value_name = "FILE", conflicts_with = "keep")]
    pub output: Option<PathBuf>,
    /// Write it into the plan directory, under a name made of form and operation.
    #[arg(long)]
    pub keep: bool,
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
