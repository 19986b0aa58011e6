//! Of what kind a verb is: what it reads, what it changes, and whose it is.
//!
//! Invariant: every question is answered here, so that a new verb is thought of once.

use super::args::{ConfigVerb, EnvVerb, LogVerb, PlanVerb, SelfVerb, Verb};

/// Whether a verb reads runs, bills or the log and writes nothing of them.
pub(super) fn reads(verb: &Verb) -> bool {
    match verb {
        Verb::Ledger(_)
        | Verb::History(_)
        | Verb::Bill(_)
        | Verb::Export(_)
        | Verb::Report(_)
        | Verb::Handover(_)
        | Verb::Evidence(_)
        | Verb::Health => true,
        Verb::Log(args) => args.verb.is_none(),
        Verb::Forecast(args) => args.verb.is_none(),
        Verb::Plan(verb) => matches!(verb, PlanVerb::Preview { .. }),
        _ => false,
    }
}

/// Whether a verb gives an order about runs or bills that are there already.
pub(super) fn orders(verb: &Verb) -> bool {
    matches!(
        verb,
        Verb::Retry(_)
            | Verb::Approve(_)
            | Verb::Verify(_)
            | Verb::Resume(_)
            | Verb::Cancel(_)
            | Verb::Resolve(_)
            | Verb::Reopen(_)
    )
}

/// Whether a verb is of no use without a data directory that is there: one that was mistyped is said, never made.
pub(super) fn needs_data(verb: &Verb) -> bool {
    let of_directory = matches!(
        verb,
        Verb::Log(_)
            | Verb::Forecast(_)
            | Verb::Doctor(_)
            | Verb::Backup { .. }
            | Verb::Prune { .. }
            | Verb::Upgrade(_)
            | Verb::Env(EnvVerb::Adopt { .. })
    );
    // A preview asks the ERP, before a first run as well.
    let asks_erp = matches!(verb, Verb::Plan(PlanVerb::Preview { .. }));
    of_directory || (reads(verb) && !asks_erp) || orders(verb)
}

/// The name of a verb that orders something or changes a data directory: a copy takes none of them.
pub(super) fn changes(verb: &Verb) -> Option<&'static str> {
    match verb {
        Verb::Run(_) => Some("run"),
        Verb::Retry(_) => Some("retry"),
        Verb::Approve(_) => Some("approve"),
        Verb::Verify(_) => Some("verify"),
        Verb::Resume(_) => Some("resume"),
        Verb::Cancel(_) => Some("cancel"),
        Verb::Resolve(_) => Some("resolve"),
        Verb::Reopen(_) => Some("reopen"),
        Verb::Take(_) => Some("take"),
        Verb::Serve(_) => Some("serve"),
        Verb::Prune { .. } => Some("prune"),
        Verb::Upgrade(_) => Some("upgrade"),
        Verb::Store(_) => Some("store"),
        Verb::Restore { .. } => Some("restore"),
        Verb::Env(EnvVerb::Adopt { .. }) => Some("env adopt"),
        Verb::Env(EnvVerb::Add(_)) => Some("env add"),
        Verb::Log(args) => matches!(args.verb, Some(LogVerb::Accept { .. })).then_some("log accept"),
        _ => None,
    }
}

/// The name of a verb that only ever works on what is this user's own.
pub(super) fn here_only(verb: &Verb) -> Option<&'static str> {
    match verb {
        Verb::Demo(_) => Some("demo"),
        Verb::Serve(_) => Some("serve"),
        Verb::Doctor(_) => Some("doctor"),
        Verb::Own(SelfVerb::Check) => Some("self check"),
        Verb::Upgrade(_) => Some("upgrade"),
        Verb::Backup { .. } => Some("backup"),
        Verb::Restore { .. } => Some("restore"),
        Verb::Prune { .. } => Some("prune"),
        Verb::Store(_) => Some("store"),
        Verb::Alerts(_) => Some("alerts"),
        Verb::Plan(PlanVerb::List) => Some("plan list"),
        Verb::Plan(PlanVerb::Check) => Some("plan check"),
        Verb::Env(EnvVerb::List) => Some("env list"),
        Verb::Env(EnvVerb::Add(_)) => Some("env add"),
        Verb::Config(ConfigVerb::Check) => Some("config check"),
        Verb::Evidence(_) => Some("evidence"),
        // Asked of the owner; or about a file that is named, or nothing but this program.
        Verb::Run(_)
        | Verb::Retry(_)
        | Verb::Approve(_)
        | Verb::Verify(_)
        | Verb::Resume(_)
        | Verb::Cancel(_)
        | Verb::Ledger(_)
        | Verb::Resolve(_)
        | Verb::Reopen(_)
        | Verb::Take(_)
        | Verb::History(_)
        | Verb::Bill(_)
        | Verb::Export(_)
        | Verb::Report(_)
        | Verb::Handover(_)
        | Verb::Log(_)
        | Verb::Forecast(_)
        | Verb::Plan(_)
        | Verb::Env(_)
        | Verb::Health
        | Verb::Sim(_)
        | Verb::Keys
        | Verb::Completions { .. }
        | Verb::Man => None,
    }
}
