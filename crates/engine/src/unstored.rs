//! Rows of runs whose state the store could not take: a pause of a full disk, the death that a start could not write down.
//!
//! Invariant: no answer tells of a run at work that the present state shows as resting.

use skydeck_core::domain::live::Live;
use skydeck_core::domain::query::Answer;
use skydeck_core::domain::run::{PauseWhy, RunRow, RunState};
use skydeck_core::domain::run_list::RunLine;

use super::control::Shared;

/// Whether somebody works on a run that stands so.
pub(super) fn is_at_work(row: &RunRow) -> bool {
    matches!(row.state, RunState::Collecting | RunState::Working | RunState::Settling)
}

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
    let stale: Vec<&mut RunRow> = rows.into_iter().filter(|row| is_at_work(row)).collect();
    if !stale.is_empty() {
        shared.ledger.live(|live| stale.into_iter().for_each(|row| stand(live, row)));
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

fn stand(live: &Live, row: &mut RunRow) {
    let shown = live.runs.get(&row.head.id).map(|run| &run.row);
    if let Some(shown) = shown.filter(|shown| matches!(shown.state, RunState::Paused(PauseWhy::Store(_)))) {
        *row = shown.clone();
    }
}
