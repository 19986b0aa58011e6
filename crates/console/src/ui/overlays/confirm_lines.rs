//! What the confirm ladder says of the set: plan, environment, bills by status, what is left out, what stands in the way.

use crate::ui::cells::Pen;
use crate::ui::format::{self, fill};
use crate::ui::keymap::Action;
use crate::ui::run_words;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::bill::{Sight, Slot};
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::ids::SetHash;
use skydeck_core::domain::listed::Listed;
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{Collected, Flag, Revision, RunKind, RunRow};

pub(super) type Line = Vec<(Role, String)>;

fn label(text: &str) -> (Role, String) {
    (Role::Dim, format!("{text} "))
}

/// The lines above the question.
pub(super) fn of(shared: &Shared, row: &RunRow, set: &Collected, hash: &SetHash) -> Vec<Line> {
    let t = shared.t();
    let mut lines = place(shared, row);
    lines.extend(bills(shared, row, set));
    let frozen = fill(t.frozen_set, &[hash.short()]);
    lines.push(vec![label(t.hash), (Role::Text, hash.short().to_owned()), (Role::Dim, format!("  {frozen}"))]);
    if let Some(first) = run_words::consent(row, shared.now) {
        let at = format::local(first.at, shared.setup.zone, "%H:%M:%S");
        lines.push(vec![(Role::Warning, fill(t.consented, &[&words::who(shared, &first.by), &at]))]);
    }
    lines
}

/// Which plan, what it was cut to, where it writes.
fn place(shared: &Shared, row: &RunRow) -> Vec<Line> {
    let (t, head) = (shared.t(), &row.head);
    let mut plan = vec![label(t.plan), (Role::Title, words::plan_name(shared, &head.plan, &head.name))];
    if head.revision == Revision::Original {
        let original = run_words::revision(shared.lang, head.revision);
        plan.push((Role::Warning, format!("  {} {} ({original})", t.revision, head.rev.short())));
    }
    let mut lines = vec![plan];
    let range = run_words::range(shared.lang, head);
    if !range.is_empty() {
        lines.push(vec![label(t.range_of), (Role::Warning, range)]);
    }
    let env_role = if head.production { Role::Production } else { Role::Accent };
    let mut env = vec![label(t.environment), (env_role, words::shown(head.env.as_str()))];
    if head.production {
        env.push((Role::Production, format!("  {}", t.production)));
    }
    if let Some(row) = shared.envs.iter().find(|e| e.env.id == head.env) {
        env.push((Role::Dim, format!("  {} {}", t.account_set, words::shown(&row.env.account_set))));
        if let Some(home) = &row.home {
            env.push((Role::Dim, format!("  {}", words::shown(&home.address))));
        }
    }
    lines.push(env);
    lines
}

/// How many bills, where they stand, what will be done to them, and which of them not.
fn bills(shared: &Shared, row: &RunRow, set: &Collected) -> Vec<Line> {
    let (t, head) = (shared.t(), &row.head);
    let callable = format::count(set.callable);
    let does = match head.kind {
        RunKind::Verify => fill(t.will_verify, &[&callable]),
        RunKind::Fresh | RunKind::Retry => words::will_call(shared.lang, &head.op, &callable),
    };
    let mut lines = vec![vec![
        label(t.set),
        (Role::Title, format::count(row.tally.found)),
        (Role::Text, format!(" {}  ", t.bills)),
        (Role::Accent, does),
    ]];
    let mut by = vec![label(t.by_status)];
    for (status, n) in set.by_status.iter().filter(|(status, _)| !status.code().is_empty()) {
        let role = match status.code() {
            "B" => Role::Accent,
            "C" => Role::Already,
            _ => Role::Skipped,
        };
        by.push((role, format!("{} {} {}   ", words::status(shared.lang, status), status.code(), format::count(*n))));
    }
    // Records of other systems, and those that were handed in, have no status of the ERP's.
    if by.len() > 1 {
        lines.push(by);
    }
    let plan = shared.plans.rows().iter().filter_map(|row| row.plan.as_ref().ok());
    let plan = plan.filter(|_| head.op.is_audit()).find(|plan| plan.id == head.plan && plan.rev == head.rev);
    if let Some(n) = plan.and_then(|plan| Operation::of(plan).submitted_first(&set.by_status)) {
        lines.push(vec![(Role::Text, fill(t.submitted_first, &[&format::count(n)]))]);
    }
    lines.extend(refused(shared, set));
    lines.extend(to_make(shared, set));
    if set.carried > 0 {
        lines.push(vec![label(t.carried), (Role::Text, format::count(set.carried))]);
    }
    if let Some(left) = &set.unchanged {
        lines.push(vec![label(t.carried_over), (Role::Text, fill(t.unchanged, &[&format::count(left.bills)]))]);
    }
    if let Some(words) = run_words::probes(&shared.setup.causes, shared.lang, set) {
        lines.push(vec![(Role::Text, words)]);
    }
    lines.extend(set.listed.iter().flat_map(|list| listed(shared, list)));
    if set.absent > 0 {
        let numbers: Vec<_> = set.absent_first.iter().map(|no| words::shown(no)).collect();
        let words = fill(t.absent, &[&format::count(set.absent), &numbers.join(" ")]);
        lines.push(vec![(Role::Warning, words)]);
    }
    lines
}

/// Which of them will be refused, where that is certain, by the cause: dim, as all that is still to come.
fn refused(shared: &Shared, set: &Collected) -> Option<Line> {
    let n: u64 = set.will.iter().map(|(_, n)| n).sum();
    let cause = |(cause, n): &(Cause, u64)| {
        format!(
            "{} {}",
            words::group(&shared.setup.causes, shared.lang, Slot::Failed, cause.as_str()),
            format::count(*n)
        )
    };
    let causes: Vec<String> = set.will.iter().map(cause).collect();
    let dot = format!(" {} ", shared.setup.glyphs.dot);
    (n > 0).then(|| vec![(Role::Dim, fill(shared.t().will_fail, &[&format::count(n), &causes.join(&dot)]))])
}

/// Lines that the names of one kind may take; the verb and the run's JSON have all that are kept.
const NAMES: usize = 3;

/// Of a list of bill numbers: how many were found, and which were not.
fn listed(shared: &Shared, list: &Listed) -> Vec<Line> {
    let t = shared.t();
    let found = list.asked.saturating_sub(list.unknown + list.outside);
    let mut lines = vec![vec![(Role::Text, fill(t.listed, &[&format::count(list.asked), &format::count(found)]))]];
    let missed =
        [(t.listed_unknown, list.unknown, &list.unknown_first), (t.listed_outside, list.outside, &list.outside_first)];
    let width = usize::from(shared.size.0.saturating_sub(6).min(100));
    for (words, n, first) in missed.into_iter().filter(|(_, n, _)| *n > 0) {
        let names: Vec<_> = first.iter().map(|no| words::shown(no)).collect();
        let text = fill(words, &[&format::count(n), &names.join(" ")]);
        let wrapped = shared.setup.glyphs.wrap(&text, width, NAMES);
        lines.extend(wrapped.into_iter().map(|line| vec![(Role::Warning, line)]));
    }
    lines
}

/// Of a plan that makes bills: what the looks found of them, and which records nothing is sent for.
fn to_make(shared: &Shared, set: &Collected) -> Vec<Line> {
    let t = shared.t();
    let mut lines = Vec::new();
    if !set.sights.is_empty() {
        let role = |sight: Sight| if sight == Sight::Absent { Role::Text } else { Role::Warning };
        let each = |(sight, n): &(Sight, u64)| {
            (role(*sight), format!("{} {}   ", sight.words(shared.lang.language()), format::count(*n)))
        };
        lines.push([label(t.by_key)].into_iter().chain(set.sights.iter().map(each)).collect());
    }
    if set.unmade > 0 {
        lines.push(vec![(Role::Warning, fill(t.unmade, &[&format::count(set.unmade)]))]);
    }
    if !set.doubles.is_empty() {
        let keys: Vec<String> = set.doubles.iter().map(|key| words::shown(key)).collect();
        lines.push(vec![(Role::Warning, fill(t.same_key, &[&keys.join(" ")]))]);
    }
    if !set.not_compared.is_empty() {
        let fields: Vec<String> = set.not_compared.iter().map(|field| words::shown(field)).collect();
        let text = fill(t.not_compared, &[&fields.join(" ")]);
        let width = usize::from(shared.size.0.saturating_sub(6).min(100));
        let wrapped = shared.setup.glyphs.wrap(&text, width, NAMES);
        lines.extend(wrapped.into_iter().map(|line| vec![(Role::Warning, line)]));
    }
    lines
}

/// What keeps the environment from being written: said before anything is typed, not by a refusal after it.
pub(super) fn locked(shared: &Shared, pen: &Pen<'_>, row: &RunRow, set: &Collected) -> Vec<Line> {
    if set.callable == 0 {
        return Vec::new();
    }
    let env = shared.envs.iter().find(|e| e.env.id == row.head.env);
    let always = || env.filter(|e| e.env.always_read_only).map(|e| Reason::AlwaysReadOnly { env: e.env.id.clone() });
    if let Some(why) = env.and_then(|e| e.held.clone()).or_else(always) {
        let said = words::reason_words(shared, &why);
        let wide = usize::from(shared.size.0.saturating_sub(8).min(100));
        return pen.glyphs.wrap(&said, wide, 4).into_iter().map(|line| vec![(Role::Error, line)]).collect();
    }
    if env.is_some_and(|e| e.env.read_only) && shared.unlocked_for(&row.head.env).is_none() {
        let unlock = shared.setup.keymap.key(Action::Unlock);
        return vec![vec![(Role::Warning, fill(shared.t().confirm_locked, &[&unlock]))]];
    }
    let left = shared.unlocked_for(&row.head.env).zip(shared.unlocked_by_another(&row.head.env));
    left.map_or_else(Vec::new, |(left, by)| {
        let said =
            fill(shared.t().unlocked_by_other, &[&words::who(shared, by), &format::age_words(shared.lang, left)]);
        vec![vec![(Role::Warning, said)]]
    })
}

/// What the key for ERP prompts can do for this set, and why not where it can do nothing.
pub(super) fn ignorable(shared: &Shared, flags: &[Flag], key: &str) -> Line {
    let names: Vec<String> = flags.iter().map(|flag| words::shown(&flag.0)).collect();
    let said = if names.is_empty() {
        fill(shared.t().flags_none, &[key])
    } else {
        fill(shared.t().flags_can, &[key, &names.join(" ")])
    };
    vec![(Role::Dim, said)]
}
