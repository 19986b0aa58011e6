//! Messages in, effects out.
//!
//! Invariant: what is on the screen follows from facts and answers alone; an order changes nothing until facts say so.

use std::time::Duration;

use skydeck_core::domain::command::Receipt;
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::live::Live;
use skydeck_core::domain::query::{Answer, EnvRow, LedgerGroup, Query};
use skydeck_core::domain::run::RunState;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::{BillChange, Change, transition};

use super::act;
use super::config::UiConfig;
use super::desk::Desk;
use super::format::{self, fill};
use super::keymap::Scope;
use super::model::Model;
use super::msg::{Effect, Key, Msg, Ticket};
use super::overlays::{Overlays, not_pasted};
use super::panes::{Asking, Pane};
use super::shared::outbox::{Asked, Sent};
use super::shared::{Shared, changes_ledger, plan_id};
use super::words;

impl Model {
    /// A console at its start, and the first questions.
    pub fn new(config: UiConfig) -> (Self, Vec<Effect>) {
        let mut model = Self { desk: Desk::new(config), overlays: Overlays::default() };
        let mut effects = Vec::new();
        model.desk.shared.ask(Query::Environments, Asked::Environments, &mut effects);
        model.desk.shared.ask(Query::Machines, Asked::Machines, &mut effects);
        notice_runs(&mut model.desk);
        finish(&mut model, None, &mut effects);
        (model, effects)
    }
}

/// Changes the model; the shell does what comes back, in order.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = Vec::new();
    let (title, here) = (model.desk.title(), model.desk.shared.nav.here());
    let shared = &mut model.desk.shared;
    match msg {
        Msg::Key(key) => take_key(model, key, &mut effects),
        Msg::Paste(text) => model.overlays.paste(&mut model.desk, &text),
        Msg::Unpasted(why) => not_pasted(shared, why),
        Msg::Click { x, y } => {
            shared.notes.seen();
            shared.touch();
            act::click(model, (x, y), &mut effects);
        }
        Msg::Wheel(rows) => act::wheel(model, rows),
        Msg::Resize(w, h) => {
            shared.size = (w, h);
            shared.touch();
        }
        Msg::Now(at) => take_time(model, at),
        Msg::Facts(facts) => take_facts(model, &facts, &mut effects),
        Msg::Pulse(pulse) => {
            let same = shared.pulse.envs == pulse.envs;
            shared.own.pulse(&pulse.envs);
            shared.pulse = pulse;
            shared.dirty |= !same;
        }
        Msg::Resync(live) => resync(model, *live, &mut effects),
        Msg::PlansReloaded => {
            shared.plans.spoil();
            shared.outbox.hurry();
            shared.ask(Query::Environments, Asked::Environments, &mut effects);
        }
        Msg::Unusual => {
            shared.plans.spoil();
            shared.outbox.hurry();
            model.desk.panes.at_mut(Scope::Today).spoil();
            model.overlays.spoil();
        }
        Msg::Answered(ticket, answer) => take_answer(model, ticket, answer),
        Msg::Receipt(ticket, receipt) => {
            take_receipt(&mut model.desk, ticket, receipt);
            model.overlays.spoil();
        }
        Msg::Done(Ok(text)) => shared.note(false, text),
        Msg::Done(Err(text)) => shared.note(true, text),
        Msg::EngineGone(why) => {
            let back = shared.connection.lost(why);
            shared.touch();
            if back {
                spoil_all(&mut model.desk);
            }
        }
        Msg::Opening(doing) => {
            shared.connection.opens(doing);
            shared.touch();
        }
    }
    finish(model, Some(&title), &mut effects);
    keep_look(model, here, &mut effects);
    if let Some(lists) = model.desk.shared.nav.views.changed() {
        let quits = effects.iter().position(|effect| *effect == Effect::Quit);
        effects.insert(quits.unwrap_or(effects.len()), Effect::SaveLists(lists));
    }
    effects
}

/// What is to be kept of a pane that somebody leaves for another one, or with the console.
fn keep_look(model: &mut Model, was: Scope, effects: &mut Vec<Effect>) {
    let quits = effects.iter().position(|effect| *effect == Effect::Quit);
    if model.desk.shared.nav.here() == was && quits.is_none() {
        return;
    }
    let Desk { shared, panes } = &mut model.desk;
    if let Some(look) = panes.at_mut(was).leaves(shared) {
        effects.insert(quits.unwrap_or(effects.len()), Effect::SaveLook(Box::new(look)));
    }
}

fn take_key(model: &mut Model, key: Key, effects: &mut Vec<Effect>) {
    model.desk.shared.notes.seen();
    model.desk.shared.touch();
    let key = if act::means_itself(model, key) { key } else { key.half_width() };
    act::key(model, key, effects);
}

fn take_time(model: &mut Model, at: Ts) {
    let now = model.desk.shared.now;
    let step = |every: Duration| i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    if model.wants_tick().map(step).is_some_and(|every| at.0 / every != now.0 / every) {
        model.desk.shared.touch();
    }
    model.desk.shared.now = at;
}

/// The present anew.
fn resync(model: &mut Model, live: Live, effects: &mut Vec<Effect>) {
    let shared = &mut model.desk.shared;
    let open = shared.present.live().open().map(|run| run.row.head.id);
    let ours: Vec<RunId> = open.filter(|id| shared.own.runs.contains(id)).collect();
    shared.present.replace(live);
    // What ended while this console was behind is said all the same.
    for run in ours {
        if shared.present.live().runs.get(&run).is_some_and(|run| run.row.state.is_closed()) {
            shared.run_closed(run, effects);
            model.overlays.close_moot(shared, run);
        }
    }
    shared.connection.opened();
    spoil_all(&mut model.desk);
    let shared = &mut model.desk.shared;
    shared.ask(Query::Environments, Asked::Environments, effects);
    shared.ask(Query::Machines, Asked::Machines, effects);
    shared.touch();
    notice_runs(&mut model.desk);
}

/// What every update ends with: dialogs that open by themselves, heights, questions, the window's title where it is
/// another than before.
fn finish(model: &mut Model, title: Option<&str>, effects: &mut Vec<Effect>) {
    if let Some(key) = model.overlays.late() {
        model.overlays.key(&mut model.desk, key, effects);
    }
    let desk = &mut model.desk;
    let run = desk.pane().run_followed(&desk.shared);
    desk.select_run(run);
    desk.look_at_list();
    model.overlays.open_waiting(desk);
    if let Some(parts) = desk.parts() {
        let (pane, shared) = desk.pane_mut();
        pane.arrange(shared, &parts);
    }
    questions(desk, effects);
    model.overlays.questions(&mut desk.shared, effects);
    let now = desk.title();
    if title != Some(&now) {
        effects.push(Effect::Title(now));
    }
}

fn spoil_all(desk: &mut Desk) {
    desk.shared.plans.spoil();
    desk.shared.groups.spoil();
    desk.shared.outbox.hurry();
    desk.panes.all_mut().for_each(Pane::spoil);
}

/// Finds the run to show at the start and after a resync.
fn notice_runs(desk: &mut Desk) {
    let live = desk.shared.present.live();
    if desk.shared.run.is_none_or(|id| !live.runs.contains_key(&id)) {
        let newest = live.open().next().map(|r| r.row.head.id);
        if newest.is_some() {
            desk.select_run(newest);
        }
    }
    desk.shared.runs_standing();
}

/// Asks for what is wanted and not there.
fn questions(desk: &mut Desk, effects: &mut Vec<Effect>) {
    let Desk { shared, panes } = desk;
    let quiet = shared.present.live().open().next().is_none() || shared.outbox.is_rested(shared.now);
    let before = effects.len();
    if shared.plans.wants(quiet) {
        shared.ask(Query::Plans, Asked::Plans, effects);
    }
    if shared.groups.wants(quiet) {
        shared.ask(Query::LedgerGroups { plan: None }, Asked::Groups, effects);
    }
    let here = shared.nav.here();
    for pane in panes.all_mut() {
        let next = shared.outbox.ticket();
        let asking = Asking { shown: pane.scope() == here, quiet, ticket: &mut || next };
        if let Some((ticket, query)) = pane.question(shared, asking) {
            effects.push(Effect::Ask(ticket, query));
        }
    }
    if effects.len() > before {
        shared.outbox.refreshed(shared.now);
    }
    if let Some(run) = shared.run.filter(|_| shared.run_row().is_none()) {
        effects.extend(shared.outbox.look_up(run));
    }
}

fn take_facts(model: &mut Model, facts: &[Fact], effects: &mut Vec<Effect>) {
    let mut visible = false;
    for fact in facts {
        let (desk, change) = (&mut model.desk, transition(&fact.event));
        desk.shared.present.apply(fact);
        visible |= !matches!(change, Change::Bill { change: BillChange::Read { .. }, .. });
        if let Change::Opened(head) = change
            && desk.shared.run_live().is_none_or(|run| run.row.state.is_closed())
        {
            desk.select_run(Some(head.id));
        }
        let shared = &mut desk.shared;
        // The plans tell a part of what the ledger tells: both are read again together.
        if changes_ledger(&change) {
            shared.groups.spoil();
            shared.plans.spoil();
        }
        match &change {
            Change::Opened(_) => shared.plans.spoil(),
            Change::Run { run, to: RunState::Closed(_), .. } => shared.run_closed(*run, effects),
            Change::Resolved { key, reason, .. } => {
                shared.selection.remove(key);
                shared.own.resolved(key, reason);
            }
            Change::Reopened { key, .. } => {
                shared.selection.remove(key);
                shared.own.reopened(key);
            }
            Change::Run { run, to, .. } => shared.run_takes(*run, to),
            _ => {}
        }
        // Whose a run is changes when it begins, is taken over, or is gone on with.
        if shared.present.machines.is_some() && matches!(change, Change::Opened(_) | Change::Run { .. }) {
            shared.ask(Query::Machines, Asked::Machines, effects);
        }
        match &fact.event {
            Event::MarkMoved { .. } => shared.plans.spoil(),
            Event::RunConsented { run, .. } => shared.run_consented(*run),
            Event::ServerBound(_) => shared.ask(Query::Environments, Asked::Environments, effects),
            _ => {}
        }
        model.overlays.outlived(shared, &fact.event);
        desk.panes.all_mut().for_each(|pane| pane.fact(shared, fact, &change));
    }
    model.desk.shared.dirty |= visible;
}

/// Environments as they stand; what keeps one from writing is said when it is new.
fn take_environments(shared: &mut Shared, rows: Vec<EnvRow>) {
    let known: Vec<_> = std::mem::replace(&mut shared.envs, rows).into_iter().filter_map(|row| row.held).collect();
    let new = shared.envs.iter().filter_map(|row| row.held.as_ref()).filter(|why| !known.contains(why));
    let texts: Vec<String> = new.map(|why| words::reason_words(shared, why)).collect();
    for text in texts {
        shared.note(true, text);
    }
}

/// Groups of unresolved bills as they are now.
fn take_groups(desk: &mut Desk, mut groups: Vec<LedgerGroup>) {
    groups.retain(|group| group.count > 0);
    LedgerGroup::sort(&mut groups);
    let was = desk.shared.groups.take(groups);
    let shared = &desk.shared;
    desk.panes.all_mut().for_each(|pane| pane.groups_changed(shared, &was));
}

fn take_answer(model: &mut Model, ticket: Ticket, answer: Result<Answer, String>) {
    let answer = answer.map_err(|error| skydeck_core::text::show(&error, 500).as_str().to_owned());
    let Desk { shared, panes } = &mut model.desk;
    let Some(what) = shared.outbox.answered(ticket) else {
        if let Some(pane) = panes.all_mut().find(|pane| pane.is_asked(ticket)) {
            pane.answer(shared, ticket, answer);
            shared.touch();
        }
        return;
    };
    shared.touch();
    match (what, answer) {
        (what, answer) if Asked::OF_OVERLAYS.contains(&what) => {
            model.overlays.answer(shared, what, answer);
        }
        (Asked::Plans, Ok(Answer::Plans(rows))) => {
            let at = shared.plan_index();
            shared.plans.take(rows);
            // The plan under the cursor is one of the list: where it is gone, the one that took its place.
            let rows = shared.plans.rows();
            if !rows.iter().any(|row| Some(plan_id(row)) == shared.plan.as_ref()) {
                let next = rows.get(at.min(rows.len().saturating_sub(1))).map(|row| plan_id(row).clone());
                shared.plan = next.or(shared.plan.take());
            }
            shared.drop_lost_columns();
        }
        (Asked::Environments, Ok(Answer::Environments(rows))) => take_environments(shared, rows),
        (Asked::Machines, Ok(Answer::Machines(machines))) => shared.present.machines = machines,
        (Asked::Groups, Ok(Answer::LedgerGroups(groups))) => take_groups(&mut model.desk, groups),
        (Asked::Run, Ok(Answer::Run(row))) => {
            // One that came late is not about the run in view, whose row may be here already.
            let in_view = row.filter(|row| Some(row.head.id) == shared.run);
            shared.stored = in_view.or(shared.stored.take());
        }
        (_, Ok(_)) => {
            let text = shared.t().odd_answer;
            shared.note(true, text);
        }
        (_, Err(error)) => shared.note(true, error),
    }
}

/// What is said of an order that was taken for so many bills.
fn taken(shared: &Shared, sent: &Sent, bills: u64) -> String {
    let (t, n) = (shared.t(), format::count(bills));
    match sent {
        Sent::Calls(op) => fill(t.approved, &[&words::doing(shared.lang, op, &n)]),
        Sent::Of(said) => fill(said, &[&words::bills(shared.lang, &n)]),
        Sent::Said(said) => (*said).to_owned(),
        Sent::Next(said, next) => fill(said, &[&shared.setup.keymap.key(*next)]),
        Sent::NextOf(said, next) => fill(said, &[&words::bills(shared.lang, &n), &shared.setup.keymap.key(*next)]),
        Sent::Opens => t.collecting_started.to_owned(),
    }
}

fn take_receipt(desk: &mut Desk, ticket: Ticket, receipt: Result<Receipt, String>) {
    let Some(sent) = desk.shared.outbox.receipt(ticket) else { return };
    match (receipt, sent) {
        (Ok(Receipt::Accepted { run: Some(run), .. }), Sent::Opens) => {
            desk.shared.own.runs.insert(run);
            if desk.pane().is_about_plan() {
                let shared = &mut desk.shared;
                if let Some(run) = shared.present.live().runs.get(&run) {
                    shared.plan = Some(run.row.head.plan.clone());
                }
            } else {
                desk.show(Scope::Queue);
            }
            desk.select_run(Some(run));
            let text = desk.shared.t().collecting_started;
            desk.shared.note(false, text);
        }
        (
            Ok(Receipt::Accepted { bills, .. }),
            sent @ (Sent::Calls(_) | Sent::Of(_) | Sent::Said(_) | Sent::Next(..) | Sent::NextOf(..)),
        ) => {
            let text = taken(&desk.shared, &sent, bills);
            desk.shared.note(false, text);
            desk.shared.plans.spoil();
        }
        (Ok(Receipt::Accepted { .. }), Sent::Opens) => {}
        (Ok(Receipt::Refused(why)), sent) => {
            if matches!(sent, Sent::Next(..)) {
                desk.shared.own.not_unlocked();
            }
            let text = words::refusal(&desk.shared, &why);
            desk.shared.note(true, skydeck_core::text::show(&text, 500).as_str());
        }
        (Err(e), _) => desk.shared.note(true, skydeck_core::text::show(&e, 500).as_str()),
    }
}
