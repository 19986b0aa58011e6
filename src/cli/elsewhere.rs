//! Verbs of a data directory, where the facts are in a database.

use super::args::Verb;
use super::context::Context;
use crate::exit::Stop;

/// Refuses a verb of a data directory where the facts are in a database, and names what does that there.
pub(super) fn of_a_directory(context: &Context, verb: &Verb) -> Result<(), Stop> {
    if context.config.store.is_none() || context.paths.data.join("journal").exists() {
        return Ok(());
    }
    let (verb, instead) = match verb {
        Verb::Doctor(_) => ("doctor", "`skydeck store check`"),
        Verb::Backup { .. } => ("backup", "`skydeck store export`, pg_basebackup"),
        Verb::Restore { .. } => ("restore", "`skydeck store import`"),
        Verb::Prune { .. } => ("prune", "–"),
        Verb::Upgrade(_) => ("upgrade", "`skydeck store migrate`"),
        _ => return Ok(()),
    };
    Err(context.out().usage(
        &format!("`{verb}` is about a data directory, and the facts are in the database of [store]; there: {instead}"),
        &format!("`{verb}` 用于数据目录，而记录在 [store] 所写的数据库中；在那里可用：{instead}"),
    ))
}
