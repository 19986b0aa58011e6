//! The confirm ladder: the frozen set, and what must be given to let it be written.
//!
//! Invariant: the hash approved is the hash shown; `Enter` alone never approves.

use tui_input::Input;

use crate::ui::cells::Pen;
use crate::ui::format::{self, fill};
use crate::ui::keymap::Action;
use crate::ui::model::{Model, Sent};
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::skin::Role;
use crate::ui::update::submit;
use crate::ui::words;
use skydeck_core::domain::command::Command;
use skydeck_core::domain::confirm::{Rung, rung};
use skydeck_core::domain::ids::{RunId, SetHash};
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{Consent, Flag, Revision, RunKind, RunRow, RunState};
use skydeck_core::domain::time::Ts;
use skydeck_core::text::readable;

use super::{Overlay, answer, dialog, draw_input, edit, form};

/// The dialog.
#[derive(Clone)]
pub(crate) struct Confirm {
    pub run: RunId,
    pub hash: SetHash,
    pub input: Input,
    pub opened: Ts,
    /// Rules the operator chose to wave through, and why.
    pub flags: Vec<Flag>,
    pub reason: String,
    pub wrong: bool,
}

impl Confirm {
    /// For a run that waits for approval.
    pub fn new(model: &Model, run: RunId) -> Option<Self> {
        let live = model.live.runs.get(&run).filter(|r| r.row.state == RunState::AwaitingApproval)?;
        let first = consent(&live.row, model.now);
        Some(Self {
            run,
            hash: live.row.collected.as_ref()?.hash.clone(),
            input: Input::default(),
            opened: model.now,
            flags: first.map(|c| c.flags.clone()).unwrap_or_default(),
            reason: first.and_then(|c| c.reason.clone()).unwrap_or_default(),
            wrong: false,
        })
    }

    /// Whether something must be typed to say yes.
    pub fn takes_text(&self, model: &Model) -> bool {
        self.rung(model) != Rung::Yes
    }

    /// What must be given.
    pub fn rung(&self, model: &Model) -> Rung {
        let Some(run) = model.live.runs.get(&self.run) else { return Rung::Yes };
        let head = &run.row.head;
        let callable = run.row.collected.as_ref().map_or(0, |c| c.callable);
        rung(callable, head.production, head.env.as_str(), !self.flags.is_empty())
    }
}

/// The first of two approvals, while it stands for the set that is shown.
pub(crate) fn consent(row: &RunRow, now: Ts) -> Option<&Consent> {
    let hash = &row.collected.as_ref()?.hash;
    row.consent.as_ref().filter(|c| c.hash == *hash && c.stands_at(now))
}

/// Flags that this run's plan names and that were stripped.
pub(crate) fn offered(model: &Model, run: RunId) -> Vec<Flag> {
    let Some(plan) = model.live.runs.get(&run).map(|r| &r.row.head.plan) else { return Vec::new() };
    let row = model.plans.iter().find(|p| super::super::model::plan_id(p) == plan);
    row.and_then(|p| p.plan.as_ref().ok()).map(|p| p.target.stripped_flags.clone()).unwrap_or_default()
}

pub(crate) fn key(model: &mut Model, mut confirm: Confirm, key: Key, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let unread = model.now.since(confirm.opened) < super::UNREAD;
    let rung = confirm.rung(model);
    let typing = confirm.takes_text(model);
    let plain = matches!(key.code, Code::Char(_)) && !key.ctrl && !key.alt;
    if typing && plain {
        if !unread {
            edit(&mut confirm.input, key);
            confirm.wrong = false;
        }
        return Some(Overlay::Confirm(confirm));
    }
    if key.code == Code::Tab && !unread && !offered(model, confirm.run).is_empty() {
        return Some(Overlay::Form(form::Form::flags(model, confirm)));
    }
    match answer(model, confirm.opened, key) {
        Some(Action::Flags) if !typing && !offered(model, confirm.run).is_empty() => {
            return Some(Overlay::Form(form::Form::flags(model, confirm)));
        }
        Some(Action::Yes) if !typing => return approve(model, confirm, None, effects),
        Some(Action::No) if key.code == Code::Esc => {
            model.note(false, fill(model.t().left_waiting, &[&model.keymap.key(Action::Approve)]));
            return None;
        }
        Some(Action::No) if !typing => {
            submit(model, Command::Decline { run: confirm.run }, Sent::Said(model.t().declined.to_owned()), effects);
            return None;
        }
        _ => {}
    }
    if key.code == Code::Enter && !unread {
        if !typing {
            model.note(false, fill(model.t().left_waiting, &[&model.keymap.key(Action::Approve)]));
            return None;
        }
        let typed = confirm.input.value().to_owned();
        if rung.satisfied_by(Some(&typed)) {
            return approve(model, confirm, Some(typed), effects);
        }
        confirm.wrong = true;
    } else if typing && edit(&mut confirm.input, key) {
        confirm.wrong = false;
    }
    Some(Overlay::Confirm(confirm))
}

fn approve(model: &mut Model, confirm: Confirm, typed: Option<String>, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let reason = Some(confirm.reason).filter(|r| readable(r).is_some());
    let command = Command::Approve { run: confirm.run, hash: confirm.hash, typed, flags: confirm.flags, reason };
    let writes =
        model.live.runs.get(&confirm.run).and_then(|r| r.row.collected.as_ref()).is_some_and(|c| c.callable > 0);
    let said = if writes { model.t().approved } else { model.t().approved_reading };
    submit(model, command, Sent::Said(said.to_owned()), effects);
    super::super::act::go(model, super::super::model::Pane::Queue);
    None
}

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, confirm: &Confirm) -> Option<(u16, u16)> {
    let t = model.t();
    let run = model.live.runs.get(&confirm.run)?;
    let head = &run.row.head;
    let collected = run.row.collected.as_ref()?;
    let mut lines: Vec<Vec<(Role, String)>> = Vec::new();
    let env_role = if head.production { Role::Production } else { Role::Accent };
    let label = |s: &str| (Role::Dim, format!("{s} "));
    let mut plan = vec![label(t.plan), (Role::Title, words::plan_name(model, &head.plan, &head.name))];
    if head.revision == Revision::Original {
        let original = words::revision(model.lang, head.revision);
        plan.push((Role::Warning, format!("  {} {} ({original})", t.revision, head.rev.short())));
    }
    lines.push(plan);
    let range = words::range(model.lang, head);
    if !range.is_empty() {
        lines.push(vec![label(t.range_of), (Role::Warning, range)]);
    }
    let mut env = vec![label(t.environment), (env_role, words::shown(head.env.as_str()))];
    if head.production {
        env.push((Role::Production, format!("  {}", t.production)));
    }
    if let Some(row) = model.envs.iter().find(|e| e.env.id == head.env) {
        env.push((Role::Dim, format!("  {} {}", t.account_set, words::shown(&row.env.account_set))));
        if let Some(home) = &row.home {
            env.push((Role::Dim, format!("  {}", words::shown(&home.address))));
        }
    }
    lines.push(env);
    let callable = format::count(collected.callable);
    let does = match head.kind {
        RunKind::Verify => fill(t.will_verify, &[&callable]),
        RunKind::Fresh | RunKind::Retry => words::will_call(model.lang, &head.op, &callable),
    };
    lines.push(vec![
        label(t.set),
        (Role::Title, format::count(run.row.tally.found)),
        (Role::Text, format!(" {}  ", t.bills)),
        (Role::Accent, does),
    ]);
    let mut by: Vec<(Role, String)> = vec![label(t.by_status)];
    for (status, n) in &collected.by_status {
        let role = match status.code() {
            "B" => Role::Accent,
            "C" => Role::Already,
            _ => Role::Skipped,
        };
        by.push((role, format!("{} {} {}   ", words::status(model.lang, status), status.code(), format::count(*n))));
    }
    lines.push(by);
    let plan = model.plans.iter().filter_map(|row| row.plan.as_ref().ok());
    let plan = plan.filter(|_| head.op.is_audit()).find(|plan| plan.id == head.plan && plan.rev == head.rev);
    if let Some(n) = plan.and_then(|plan| Operation::of(plan).submitted_first(&collected.by_status)) {
        lines.push(vec![(Role::Text, fill(t.submitted_first, &[&format::count(n)]))]);
    }
    if collected.carried > 0 {
        lines.push(vec![label(t.carried), (Role::Text, format::count(collected.carried))]);
    }
    if let Some(left) = &collected.unchanged {
        let words = fill(t.unchanged, &[&format::count(left.bills)]);
        lines.push(vec![label(t.carried_over), (Role::Text, words)]);
    }
    if let Some(words) = words::probes(&model.causes, model.lang, collected) {
        lines.push(vec![(Role::Text, words)]);
    }
    if collected.absent > 0 {
        let numbers: Vec<_> = collected.absent_first.iter().map(|no| words::shown(no)).collect();
        let words = fill(t.absent, &[&format::count(collected.absent), &numbers.join(" ")]);
        lines.push(vec![(Role::Warning, words)]);
    }
    let frozen = fill(t.frozen_set, &[confirm.hash.short()]);
    lines.push(vec![label(t.hash), (Role::Text, confirm.hash.short().to_owned()), (Role::Dim, format!("  {frozen}"))]);
    if let Some(first) = consent(&run.row, model.now) {
        let at = format::local(first.at, model.zone, "%H:%M:%S");
        lines.push(vec![(Role::Warning, fill(t.consented, &[&words::shown(&first.by.to_string()), &at]))]);
    }
    for flag in &confirm.flags {
        lines.push(vec![(Role::Warning, fill(t.waved, &[&words::shown(&flag.0)]))]);
    }
    // Said before anything is typed, not by a refusal after it.
    let row = model.envs.iter().find(|e| e.env.id == head.env);
    let always = || row.filter(|e| e.env.always_read_only).map(|e| Reason::AlwaysReadOnly { env: e.env.id.clone() });
    if let Some(why) = row.and_then(|e| e.held.clone()).or_else(always).filter(|_| collected.callable > 0) {
        let said = words::reason_words(model, &why);
        let wide = usize::from(model.size.0.saturating_sub(8).min(100));
        lines.extend(pen.glyphs.wrap(&said, wide, 4).into_iter().map(|line| vec![(Role::Error, line)]));
    } else if collected.callable > 0 && row.is_some_and(|e| e.env.read_only) && model.unlocked_for(&head.env).is_none()
    {
        let unlock = model.keymap.key(Action::Unlock);
        lines.push(vec![(Role::Warning, fill(t.confirm_locked, &[&unlock]))]);
    }
    lines.push(Vec::new());
    let rung = confirm.rung(model);
    let reads = head.kind == RunKind::Verify;
    let (found, yes) = (format::count(run.row.tally.found), model.keymap.key(Action::Yes));
    let question = match &rung {
        Rung::Yes if reads => fill(t.confirm_read, &[&found, &yes]),
        Rung::Yes if collected.callable == 0 => {
            fill(t.confirm_nothing, &[&words::none_of(model.lang, &head.op, &found), &yes])
        }
        Rung::Yes => fill(t.confirm_yes, &[&words::deed(model.lang, &head.op, &callable), &yes]),
        Rung::TypeCount(n) => fill(t.confirm_count, &[&n.to_string()]),
        Rung::TypeEnvironment(name) => fill(t.confirm_env, &[&words::shown(name)]),
    };
    lines.push(vec![(if confirm.wrong { Role::Error } else { Role::Warning }, question)]);
    let typing = rung != Rung::Yes;
    let flags = !offered(model, confirm.run).is_empty();
    let mut keys: Vec<(String, &str)> = Vec::new();
    if typing {
        keys.push(("Enter".to_owned(), t.confirm_do));
        keys.push(("Esc".to_owned(), t.no_later));
    } else {
        let does = match (reads, collected.callable) {
            (true, _) => t.verify_do,
            (_, 0) => t.confirm_record,
            _ => t.confirm_do,
        };
        keys.push((yes, does));
        keys.push((model.keymap.key(Action::No), t.no_decline));
        keys.push(("Esc/Enter".to_owned(), t.no_later));
    }
    if flags {
        keys.push((if typing { "Tab".to_owned() } else { model.keymap.key(Action::Flags) }, t.flags_short));
    }
    let title = fill(t.confirm_title, &[words::kind_of(model.lang, head)]);
    let border = if head.production { Role::Production } else { Role::Warning };
    let inside = dialog(model, pen, border, &title, &lines, &keys, if typing { 2 } else { 1 });
    if typing && inside.height > 2 {
        return draw_input(pen, inside.x, inside.bottom() - 3, inside.width.min(32), &confirm.input);
    }
    None
}
