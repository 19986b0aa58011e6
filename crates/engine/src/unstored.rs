//! Rows of runs whose state the store could not take: a pause of a full disk, the death that a start could not write down.
//!
//! Invariant: no answer tells of a run at work that the present state shows as resting.

use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::live::Live;
use skydeck_core::domain::query::Answer;
use skydeck_core::domain::run::{PauseWhy, RunRow, RunState};
use skydeck_core::domain::run_list::RunLine;

use super::control::Shared;

/// An answer from the store, with its runs as they stand.
pub(super) fn as_they_stand(shared: &Shared, mut answer: Answer) -> Answer {
    let rows: Vec<&mut RunRow> = match &mut answer {
        Answer::Runs(page) => page.rows.iter_mut().map(|(_, row)| row).collect(),
        Answer::Run(row) => row.iter_mut().map(|row| &mut **row).collect(),
        Answer::RunLines(page) => page.rows.iter_mut().filter_map(|(_, line)| of_line(line)).collect(),
        Answer::Plans(plans) => plans.iter_mut().flat_map(|plan| &mut plan.last).collect(),
        Answer::Bill { runs, .. } => runs.iter_mut().map(|run| &mut run.row).collect(),
        // Nothing else names a run that may be open.
        _ => Vec::new(),
    };
    let stale: Vec<&mut RunRow> = rows.into_iter().filter(|row| row.state.is_at_work()).collect();
    if !stale.is_empty() {
        shared.ledger.live(|live| {
            for row in stale {
                if let Some(shown) = paused(live, row.head.id) {
                    *row = shown.clone();
                }
            }
        });
    }
    answer
}

/// The run of a line, where it is one that may be open: runs that found nothing have ended.
fn of_line(line: &mut RunLine) -> Option<&mut RunRow> {
    match line {
        RunLine::Run { row, .. } => Some(row),
        RunLine::Day(_) | RunLine::Nothing(_) => None,
    }
}

/// The run as readers are shown it, where its pause is none that could be stored.
fn paused(live: &Live, run: RunId) -> Option<&RunRow> {
    let shown = live.runs.get(&run).map(|run| &run.row);
    shown.filter(|shown| matches!(shown.state, RunState::Paused(PauseWhy::Store(_))))
}
