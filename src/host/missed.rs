//! Runs that ended while a reader was behind: the state it is given anew keeps only the last few of them.

use crate::domain::live::Live;
use crate::domain::query::{Answer, PageRequest, Query};
use crate::domain::run::RunRow;
use crate::engine::api::Link;

/// Runs asked for at once.
const PAGE: u32 = 100;

/// The runs that ended since `before` and are not in `now`, oldest first. Where the store does not answer there are none:
/// the log says so.
pub async fn ended(link: &dyn Link, before: &Live, now: &Live) -> Vec<RunRow> {
    // Runs are listed newest first, by ids that grow with time: an older one than the oldest that was open cannot have ended.
    let newest = before.runs.keys().next_back().copied();
    let Some(oldest) = before.open().map(|run| run.row.head.id).min().or(newest) else { return Vec::new() };
    let was_closed = |row: &RunRow| before.runs.get(&row.head.id).is_some_and(|run| run.row.state.is_closed());
    let (mut missed, mut page) = (Vec::new(), PageRequest::first(PAGE));
    loop {
        let runs = match link.ask(Query::Runs(page.clone())).await {
            Ok(Answer::Runs(runs)) => runs,
            Ok(_) => break,
            Err(error) => {
                tracing::error!(%error, "runs that ended meanwhile cannot be read");
                break;
            }
        };
        let last = runs.rows.last().map(|(cursor, row)| (cursor.clone(), row.head.id));
        let rows = runs.rows.into_iter().map(|(_, row)| row).filter(|row| row.head.id >= oldest);
        missed.extend(
            rows.filter(|row| row.state.is_closed() && !now.runs.contains_key(&row.head.id) && !was_closed(row)),
        );
        match last {
            Some((cursor, id)) if runs.more && id >= oldest => page.cursor = Some(cursor),
            _ => break,
        }
    }
    missed.reverse();
    missed
}
