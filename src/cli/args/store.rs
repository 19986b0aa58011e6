//! Arguments of verbs about a store in a database.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `store`.
#[derive(Debug, Subcommand)]
pub enum StoreVerb {
    /// Make roles, schema and tables in the database; twice is once.
    Init {
        /// Only print the SQL, for an administrator to run.
        #[arg(long, conflicts_with_all = ["admin_url", "admin_password"])]
        print: bool,
        /// Who makes them.
        #[command(flatten)]
        admin: Admin,
    },
    /// Raise the database's schema to the version of this program.
    Migrate {
        /// Who raises it.
        #[command(flatten)]
        admin: Admin,
    },
    /// Look whether the store can be used, and whether it verifies; changes nothing.
    Check {
        /// Read the whole chain, not only its newest part.
        #[arg(long)]
        all: bool,
    },
    /// The machines that write to it together (`writers = "several"`): version, when each was heard of, runs in its hands.
    Hosts,
    /// Show a machine out that will not come back, or must not: nothing more is stored for it, and the others take its runs over.
    Evict {
        /// Its number or its name, as `store hosts` shows them.
        host: String,
        /// Why; kept in the action log.
        #[arg(long)]
        reason: String,
    },
    /// The people behind the users of the machines: who has which; with a name, that these users are this person.
    Person {
        /// What the person is called; without, all are listed.
        name: Option<String>,
        /// A user of a machine: its name in the store, and the number of the user there.
        #[arg(long = "login", value_name = "HOST:UID", requires = "name")]
        logins: Vec<String>,
        /// Who says so.
        #[command(flatten)]
        admin: Admin,
    },
    /// Copy the facts of a data directory into the database, which must hold none, and compare both.
    Import {
        /// Data directory; afterwards it is for looking only.
        dir: PathBuf,
    },
    /// Copy the facts of the database into a new data directory, and compare both.
    Export {
        /// Directory; not there yet.
        dir: PathBuf,
    },
}

/// An administrator of the database.
#[derive(Debug, Args)]
pub struct Admin {
    /// Address with the administrator's role; without, that of `[store] url`.
    #[arg(long, value_name = "URL")]
    pub admin_url: Option<String>,
    /// File with the administrator's password.
    #[arg(long, value_name = "FILE", requires = "admin_url")]
    pub admin_password: Option<PathBuf>,
}
