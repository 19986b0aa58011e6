//! Messages in, effects out.
//!
//! Invariant: what is on the screen follows from facts and answers alone; an order changes nothing until facts say so.

use std::time::Duration;

use skydeck_core::domain::bill::{BillState, Slot};
use skydeck_core::domain::command::{Command, Receipt};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::query::{Answer, EnvRow, Query, Scope};
use skydeck_core::domain::run::{BillRow, RunState};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::{Change, transition};

use super::act;
use super::format::fill;
use super::layout;
use super::model::{Asked, Model, Pane, Sent};
use super::msg::{Effect, Msg, Ticket};
use super::overlays::{self, Overlay};
use super::panes::ledger::LedgerPane;
use super::window::{Record, Seek, Window};
use super::words;

/// How often lists that facts made stale are read again while something runs.
pub(super) const REFRESH: Duration = Duration::from_secs(1);

/// Changes the model; the shell does what comes back, in order.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = Vec::new();
    match msg {
        Msg::Key(key) => {
            model.note_shown = false;
            model.touch();
            let key = if act::means_itself(model, key) { key } else { key.half_width() };
            act::key(model, key, &mut effects);
        }
        Msg::Paste(text) => overlays::paste(model, &text),
        Msg::Unpasted(why) => overlays::not_pasted(model, why),
        Msg::Click { x, y } => act::click(model, x, y, &mut effects),
        Msg::Wheel(rows) => act::wheel(model, rows),
        Msg::Resize(w, h) => {
            model.size = (w, h);
            model.touch();
        }
        Msg::Now(at) => {
            let step = |every: Duration| i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
            if model.wants_tick().map(step).is_some_and(|every| at.0 / every != model.now.0 / every) {
                model.touch();
            }
            model.now = at;
        }
        Msg::Facts(facts) => take_facts(model, &facts, &mut effects),
        Msg::Pulse(pulse) => {
            let same = model.pulse.envs == pulse.envs;
            model.pulse = pulse;
            if !same {
                model.touch();
            }
        }
        Msg::Resync(live) => {
            let ours: Vec<RunId> =
                model.live.open().map(|run| run.row.head.id).filter(|id| model.mine.contains(id)).collect();
            model.live = *live;
            // What ended while this console was behind is said all the same.
            for run in ours {
                if model.live.runs.get(&run).is_some_and(|run| run.row.state.is_closed()) {
                    closed(model, run, &mut effects);
                }
            }
            model.opening = None;
            spoil_all(model);
            model.ask(Query::Environments, Asked::Environments, &mut effects);
            notice_runs(model);
            model.touch();
        }
        Msg::PlansReloaded => {
            model.plans_stale = true;
            model.refreshed = Ts(0);
            model.ask(Query::Environments, Asked::Environments, &mut effects);
        }
        Msg::Answered(ticket, answer) => take_answer(model, ticket, answer),
        Msg::Receipt(ticket, receipt) => take_receipt(model, ticket, receipt),
        Msg::Done(Ok(text)) => model.note(false, text),
        Msg::Done(Err(text)) => model.note(true, text),
        Msg::EngineGone(why) => {
            if why.is_none() && model.gone.is_some() {
                spoil_all(model);
            }
            model.gone = why;
            model.touch();
        }
        Msg::Opening(doing) => {
            model.opening = Some(doing);
            model.touch();
        }
    }
    finish(model, &mut effects);
    effects
}

/// What every update ends with: dialogs that open by themselves, heights, questions.
pub(crate) fn finish(model: &mut Model, effects: &mut Vec<Effect>) {
    follow_plan(model);
    overlays::open_waiting(model);
    arrange(model);
    seek(model);
    questions(model, effects);
    overlays::compare::questions(model, effects);
    let title = model.title();
    if title != model.titled {
        effects.push(Effect::Title(title.clone()));
        model.titled = title;
    }
}

fn spoil_all(model: &mut Model) {
    model.plans_stale = true;
    model.ledger.stale = true;
    model.ledger.spoil();
    model.results.spoil();
    model.history.spoil();
    model.found.spoil();
    model.bill.spoil();
    model.log.spoil();
    model.refreshed = Ts(0);
}

/// On the Plans pane the sum line is that of the plan under the cursor.
fn follow_plan(model: &mut Model) {
    if model.pane != Pane::Plans {
        return;
    }
    let Some(row) = model.plan_row() else { return };
    let id = super::model::plan_id(row).clone();
    let open = model.live.open_run_of(&id).map(|r| r.row.head.id);
    let live = || model.live.runs.values().rev().find(|r| r.row.head.plan == id).map(|r| r.row.head.id);
    let newest = || model.live.open().next().map(|r| r.row.head.id);
    let run = open.or_else(|| live().max(row.last.first().map(|r| r.head.id))).or_else(newest);
    select_run(model, run);
}

/// Makes a run the one whose sum line and results are shown.
pub(crate) fn select_run(model: &mut Model, run: Option<RunId>) {
    if model.run != run {
        model.run = run;
        model.queue_at = None;
        model.queue_top = 0;
        model.touch();
    }
    if model.results_run != run {
        model.results_run = run;
        model.results.reset();
        model.all_marked = false;
    }
}

/// Finds the run to show at the start and after a resync.
pub(crate) fn notice_runs(model: &mut Model) {
    if model.run.is_none_or(|id| !model.live.runs.contains_key(&id)) {
        let newest = model.live.open().next().map(|r| r.row.head.id);
        if newest.is_some() {
            select_run(model, newest);
        }
    }
}

fn arrange(model: &mut Model) {
    let Some(parts) = layout::parts(model) else { return };
    let rows = usize::from(parts.list.height.saturating_sub(1));
    match model.pane {
        Pane::Plans => {
            model.plan_top = scrolled(model.plan_top, model.plan_index(), rows);
        }
        Pane::Queue => {
            let rows = rows.saturating_sub(usize::from(super::panes::queue::health_rows(&parts)));
            let at = super::panes::queue::index(model);
            model.queue_top = at.map_or(0, |at| scrolled(model.queue_top, at, rows));
        }
        Pane::Results => model.results.set_height(rows),
        Pane::Ledger => {
            let lines = model.ledger.lines(rows);
            for (group, height) in model.ledger.groups.iter().zip(&lines) {
                if let Some(window) = model.ledger.unfolded.get_mut(&LedgerPane::group_id(group)) {
                    window.set_height(*height);
                }
            }
            let all = lines.iter().map(|n| n + 1).sum::<usize>();
            let top = model.ledger.top.min(all.saturating_sub(rows));
            model.ledger.top = scrolled(top, model.ledger.line(&lines), rows);
        }
        Pane::History => {
            model.history.set_height(rows);
            model.found.set_height(rows);
        }
        Pane::Bill => model.bill.set_height(rows),
        Pane::Log => model.log.set_height(rows),
    }
}

/// Goes on towards the date that History looks for, page by page.
fn seek(model: &mut Model) {
    let Some(until) = model.history_goal.filter(|_| model.pane == Pane::History) else { return };
    match model.history.seek(|run| run.head.opened <= until) {
        Seek::Waiting => return,
        Seek::Found => {}
        Seek::End => {
            let text = model.t().jump_oldest;
            model.note(false, text);
        }
    }
    model.history_goal = None;
    model.touch();
}

fn scrolled(top: usize, at: usize, height: usize) -> usize {
    let height = height.max(1);
    if at < top {
        at
    } else if at >= top + height {
        at + 1 - height
    } else {
        top
    }
}

fn questions(model: &mut Model, effects: &mut Vec<Effect>) {
    let quiet = model.live.open().next().is_none() || model.now.since(model.refreshed) >= REFRESH;
    let mut asked = false;
    if model.plans_stale && (quiet || !model.plans_loaded) {
        model.plans_stale = false;
        model.ask(Query::Plans, Asked::Plans, effects);
        asked = true;
    }
    if model.ledger.stale && (quiet || !model.ledger.loaded) {
        model.ledger.stale = false;
        model.ask(Query::LedgerGroups { plan: None }, Asked::Groups, effects);
        asked = true;
    }
    if let Some(key) = model.bill.wants(quiet) {
        model.ask(Query::Bill(key), Asked::Bill, effects);
        asked = true;
    }
    let known = model.run_row().is_some();
    if let Some(run) = model.run
        && !known
        && !model.asks.values().any(|a| *a == Asked::Run)
        && model.stored.is_none()
    {
        model.ask(Query::Run(run), Asked::Run, effects);
    }
    // One pane, one list: at most one page is asked for at a time.
    let next = model.ticket();
    let mut ticket = || next;
    let ask = match model.pane {
        Pane::Results => model.results_run.filter(|_| model.frozen.is_none()).and_then(|run| {
            let (scope, filter) = (Scope::Run(run), model.results_filter.clone());
            page(&mut model.results, quiet, &mut ticket).map(|(t, page)| (t, Query::Bills { scope, filter, page }))
        }),
        Pane::Ledger => {
            let asked = model
                .ledger
                .unfolded
                .iter_mut()
                .find_map(|(id, window)| page(window, quiet, &mut ticket).map(|(t, page)| (t, page, id.clone())));
            asked.map(|(t, page, id)| {
                let filter = act::group_filter(model, &id);
                (t, Query::Bills { scope: Scope::Ledger, filter, page })
            })
        }
        Pane::History if model.history_filter.is_empty() => {
            page(&mut model.history, quiet, &mut ticket).map(|(t, page)| (t, Query::Runs(page)))
        }
        Pane::History => {
            let filter = model.history_filter.clone();
            page(&mut model.found, quiet, &mut ticket)
                .map(|(t, page)| (t, Query::Bills { scope: Scope::History, filter, page }))
        }
        Pane::Log => page(&mut model.log, quiet, &mut ticket).map(|(t, page)| (t, Query::Actions(page))),
        _ => None,
    };
    if let Some((ticket, query)) = ask {
        effects.push(Effect::Ask(ticket, query));
        asked = true;
    }
    if asked {
        model.refreshed = model.now;
    }
}

fn page<T: Record>(
    window: &mut Window<T>,
    quiet: bool,
    ticket: &mut dyn FnMut() -> Ticket,
) -> Option<(Ticket, skydeck_core::domain::query::PageRequest)> {
    if window.is_stale() && window.is_loaded() && !quiet { None } else { window.question(ticket) }
}

fn take_facts(model: &mut Model, facts: &[Fact], effects: &mut Vec<Effect>) {
    let mut visible = false;
    for fact in facts {
        model.live.apply(fact);
        visible |= !matches!(fact.event, Event::BillRead { .. });
        match &fact.event {
            Event::RunOpened(head) => {
                model.plans_stale = true;
                model.history.spoil();
                if model.run.is_none_or(|id| model.live.runs.get(&id).is_none_or(|r| r.row.state.is_closed())) {
                    select_run(model, Some(head.id));
                }
            }
            Event::RunClosed { run, .. } => {
                model.plans_stale = true;
                model.ledger.stale = true;
                model.ledger.spoil();
                model.history.spoil();
                if Some(*run) == model.results_run {
                    model.results.spoil();
                }
                closed(model, *run, effects);
            }
            Event::BillsFound { run, .. } if Some(*run) == model.results_run => model.results.spoil(),
            // The plans tell a part of what the ledger tells: both are read again together.
            Event::BillSettled { outcome, was, .. } if !outcome.is_resolved() || *was == Slot::Unknown => {
                model.plans_stale = true;
                model.ledger.stale = true;
                model.ledger.spoil();
            }
            Event::LedgerResolved { key, .. } | Event::LedgerReopened { key, .. } => {
                model.plans_stale = true;
                model.ledger.stale = true;
                model.ledger.spoil();
                model.marks.remove(key);
            }
            Event::MarkMoved { .. } => model.plans_stale = true,
            Event::ServerBound(_) => model.ask(Query::Environments, Asked::Environments, effects),
            Event::ActionTaken(_) => model.log.spoil(),
            _ => {}
        }
        overlays::outlived(model, &fact.event);
        if model.concerns_bill(fact) {
            model.bill.spoil();
        }
        if model.frozen.is_none() {
            patch(model, fact);
        }
    }
    if visible {
        model.touch();
    }
}

/// Environments as they stand; what keeps one from writing is said when it is new.
fn take_environments(model: &mut Model, rows: Vec<EnvRow>) {
    let known: Vec<_> = std::mem::replace(&mut model.envs, rows).into_iter().filter_map(|row| row.held).collect();
    let new: Vec<_> = model.envs.iter().filter_map(|row| row.held.clone()).filter(|why| !known.contains(why)).collect();
    for why in new {
        model.note(true, words::reason_words(model, &why));
    }
}

/// A bill in the list of results changed: its row changes in place.
fn patch(model: &mut Model, fact: &Fact) {
    let Change::Bill { run, fid, change: what } = transition(&fact.event) else { return };
    if Some(run) != model.results_run {
        return;
    }
    let Some(state) = what.state(fact.at) else { return };
    let Some(row) = model.results.rows_mut().find(|row| row.fid() == fid) else { return };
    change(row, state, fact.at);
    if !model.results_filter.is_empty() {
        model.results.spoil();
    }
}

fn change(row: &mut BillRow, state: BillState, at: Ts) {
    if let BillState::Trying { step, .. } = &state
        && step.writes()
    {
        row.attempts = row.attempts.saturating_add(1);
    }
    row.state = state;
    row.at = at;
}

/// The closing summary of a run, and the bell when it was ours.
fn closed(model: &mut Model, run: RunId, effects: &mut Vec<Effect>) {
    let Some(live) = model.live.runs.get(&run) else { return };
    let (row, t) = (&live.row, live.row.tally);
    let name = super::words::plan_name(model, &row.head.plan, &row.head.name);
    let sum: String = super::words::sum_of(model, row, u16::MAX).into_iter().map(|(_, text)| text).collect();
    let colon = if model.lang == super::Lang::Zh { "：" } else { ": " };
    let text = match super::words::run_state(model, &row.state, &t) {
        (_, word, _, why) if !why.is_empty() => format!("{name}{colon}{word}{colon}{why}  {sum}"),
        _ => format!("{name}{colon}{sum}"),
    };
    let text = match super::words::carried_over(model.lang, row) {
        // Nothing but zeros would be in the way of the one thing there is to say.
        Some(carried) if t.found == 0 => format!("{name}{colon}{carried}"),
        Some(carried) => format!("{text}  {carried}"),
        None => text,
    };
    if model.mine.contains(&run) {
        model.note(t.failed + t.unknown + t.not_reached > 0, text);
        if model.bell {
            effects.push(Effect::Bell);
        }
    }
    if let Some(Overlay::Confirm(c)) = &model.overlay
        && c.run == run
    {
        model.overlay = None;
    }
}

fn take_answer(model: &mut Model, ticket: Ticket, answer: Result<Answer, String>) {
    let shown = |e: &String| skydeck_core::text::show(e, 500).as_str().to_owned();
    if let Some(what) = model.asks.remove(&ticket) {
        model.touch();
        match (what, answer) {
            (Asked::Plans, Ok(Answer::Plans(rows))) => {
                model.plans = rows;
                model.plans_loaded = true;
                if model.plan.is_none() {
                    model.plan = model.plans.first().map(|p| super::model::plan_id(p).clone());
                }
            }
            (Asked::Environments, Ok(Answer::Environments(rows))) => take_environments(model, rows),
            (Asked::Groups, Ok(Answer::LedgerGroups(groups))) => {
                model.ledger.take(groups);
            }
            (Asked::Bill, Ok(Answer::Bill { row, facts, cut })) => {
                let words = super::panes::bill::Words { lang: model.lang, causes: &model.causes, zone: model.zone };
                model.bill.take(row, facts, cut, &words);
            }
            (Asked::CompareOld | Asked::CompareNew, Ok(Answer::Bills(page))) => {
                overlays::compare::take(model, what == Asked::CompareOld, Ok(page));
            }
            (Asked::CompareOld | Asked::CompareNew, Err(e)) => {
                overlays::compare::take(model, what == Asked::CompareOld, Err(shown(&e)));
            }
            (Asked::Run, Ok(Answer::Run(row))) => model.stored = row,
            (Asked::Counting, Ok(Answer::Bills(page))) => overlays::retry::count(model, &page),
            (Asked::Revisions, Ok(Answer::Revisions(rows))) => overlays::retry::revisions(model, rows),
            // Without an answer there is no choice: the newest is taken, and nothing is said about revisions.
            (Asked::Revisions, Err(_)) => {}
            (Asked::Counting, Err(e)) => {
                let text = shown(&e);
                overlays::retry::failed(model, text);
            }
            (_, Err(e)) => {
                let text = shown(&e);
                model.note(true, text);
            }
            (_, Ok(_)) => model.note(true, model.t().odd_answer),
        }
        return;
    }
    let error = match &answer {
        Err(e) => shown(e),
        Ok(_) => String::new(),
    };
    let bills = |a: &Result<Answer, String>| match a {
        Ok(Answer::Bills(page)) => Ok(page.clone()),
        _ => Err(error.clone()),
    };
    let taken = match &answer {
        Ok(Answer::Bills(_)) | Err(_) => {
            model.results.answer(ticket, bills(&answer))
                || model.ledger.unfolded.values_mut().any(|w| w.answer(ticket, bills(&answer)))
                || model.found.answer(ticket, bills(&answer))
                || (answer.is_err()
                    && (model.history.answer(ticket, Err(error.clone()))
                        || model.log.answer(ticket, Err(error.clone()))))
        }
        Ok(Answer::Runs(page)) => model.history.answer(ticket, Ok(page.clone())),
        Ok(Answer::Actions(page)) => model.log.answer(ticket, Ok(page.clone())),
        Ok(_) => false,
    };
    if taken {
        model.touch();
    }
}

fn take_receipt(model: &mut Model, ticket: Ticket, receipt: Result<Receipt, String>) {
    let Some(sent) = model.orders.remove(&ticket) else { return };
    match (receipt, sent) {
        (Ok(Receipt::Accepted { run: Some(run), .. }), Sent::Opens) => {
            model.mine.insert(run);
            if model.pane == Pane::Plans {
                if let Some(plan) = model.live.runs.get(&run).map(|r| r.row.head.plan.clone()) {
                    model.plan = Some(plan);
                }
            } else {
                act::go(model, Pane::Queue);
            }
            select_run(model, Some(run));
            model.note(false, model.t().collecting_started);
        }
        (Ok(Receipt::Accepted { bills, .. }), Sent::Said(what)) => {
            let text = if bills > 0 { format!("{what}: {bills}") } else { what };
            model.note(false, text);
            model.plans_stale = true;
        }
        (Ok(Receipt::Accepted { .. }), Sent::Opens) => {}
        (Ok(Receipt::Refused(why)), _) => {
            let text = super::words::refusal(model, &why);
            model.note(true, skydeck_core::text::show(&text, 500).as_str());
        }
        (Err(e), _) => model.note(true, skydeck_core::text::show(&e, 500).as_str()),
    }
}

/// Gives an order.
pub(crate) fn submit(model: &mut Model, command: Command, sent: Sent, effects: &mut Vec<Effect>) {
    if let Some(why) = &model.gone {
        let text = fill(model.t().engine_gone, &[skydeck_core::text::show(why, 200).as_str()]);
        model.note(true, text);
        return;
    }
    let ticket = model.ticket();
    model.orders.insert(ticket, sent);
    effects.push(Effect::Submit(ticket, command));
}

/// Whether a run is being written by this process now.
pub(crate) fn at_work(model: &Model) -> bool {
    model.live.open().any(|r| {
        matches!(r.row.state, RunState::Collecting | RunState::Working | RunState::Settling) || !r.in_flight.is_empty()
    })
}
