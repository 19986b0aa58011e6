//! The forms: run with parameters, change the pace, resolve with a reason, unlock, jump to a date, export, flags.

use crate::ui::counter::Counter;
use crate::ui::desk::Desk;
use crate::ui::format::{self, fill};
use crate::ui::keymap::{Action, Scope as Place};
use crate::ui::lang::Texts;
use crate::ui::msg::{Effect, Export, ExportFormat, Report, ReportForm};
use crate::ui::panes::{Goto, Subject};
use crate::ui::possible::bills_meant;
use crate::ui::shared::Shared;
use crate::ui::shared::outbox::Sent;
use crate::ui::words;
use skydeck_core::domain::command::{Command, Selection, StartParams};
use skydeck_core::domain::ids::{EnvId, PlanId, RunId, WorkKey};
use skydeck_core::domain::listed;
use skydeck_core::domain::query::Scope;
use skydeck_core::domain::time::ErpDate;
use skydeck_core::text::readable;

use super::form::{Field, Form, Purpose, Values};
use super::overlay::Next;

/// What a list is written as.
#[derive(Clone, Copy)]
enum Written {
    /// As it is.
    List(ExportFormat),
    /// By cause, with who acts and what to do.
    Report(ReportForm),
}

/// Formats by the endings of their files.
const FORMATS: [(&str, Written); 7] = [
    ("csv", Written::List(ExportFormat::Csv)),
    ("jsonl", Written::List(ExportFormat::JsonLines)),
    ("md", Written::List(ExportFormat::Markdown)),
    ("html", Written::List(ExportFormat::Html)),
    ("md", Written::Report(ReportForm::Markdown)),
    ("html", Written::Report(ReportForm::Html)),
    ("xlsx", Written::Report(ReportForm::Xlsx)),
];

/// What the formats are called.
fn formats(t: &Texts) -> [String; 7] {
    FORMATS.map(|(ending, written)| match written {
        // There is no list of that form.
        Written::List(_) | Written::Report(ReportForm::Xlsx) => ending.to_owned(),
        Written::Report(_) => fill(t.format_report, &[ending]),
    })
}

/// The form an action asks for.
pub(super) fn of(desk: &Desk, action: Action) -> Option<Form> {
    match action {
        Action::RunWith => run_with(&desk.shared),
        Action::Pace => pace(desk),
        Action::Resolve => resolve(desk),
        Action::Reopen => reopen(desk),
        Action::Unlock => unlock(desk),
        Action::JumpDate => Some(jump(&desk.shared)),
        Action::Export => export(desk),
        Action::Handover => Some(super::handover::form(&desk.shared)),
        _ => None,
    }
}

fn reason_field(t: &Texts) -> Field {
    Field::text(t.reason, t.reason_hint, "")
}

/// The reason that was given; it is wanted.
fn reason(values: &Values<'_>, n: usize, t: &Texts) -> Result<String, String> {
    Some(values.text(n)).filter(|r| readable(r).is_some()).ok_or_else(|| t.reason_wanted.to_owned())
}

struct RunWith(PlanId);

fn run_with(shared: &Shared) -> Option<Form> {
    let t = shared.t();
    let plan = shared.plan.clone()?;
    let row = shared.plan_row().and_then(|row| row.plan.as_ref().ok());
    // Which dates are meant is the plan's word, not everybody's guess.
    let column = words::shown(row.and_then(|plan| plan.source.mark_column.as_deref()).unwrap_or("LAST_SYNC_TIME"));
    let mut fields = vec![
        Field::text(t.since, &fill(t.since_hint, &[&column]), ""),
        Field::text(t.until, &fill(t.until_hint, &[&column]), ""),
        Field::text(t.numbers, t.numbers_hint, ""),
        Field::toggle(t.sweep, t.sweep_hint, false),
    ];
    // Last, and only where the plan has one.
    if row.is_some_and(|plan| plan.policy.remedy.is_some()) {
        fields.push(Field::toggle(t.remedy, t.remedy_hint, false));
    }
    let name = row.map(|plan| words::plan_name(shared, &plan.id, &plan.name)).unwrap_or_default();
    Some(Form::new(RunWith(plan), (t.run_with_title, name), fields, 0, shared.now))
}

impl Purpose for RunWith {
    fn done(&mut self, desk: &mut Desk, values: &Values<'_>, effects: &mut Vec<Effect>) -> Result<Next, String> {
        let t = desk.shared.t();
        let numbers = values.text(2);
        let numbers = match numbers.trim() {
            "" => Vec::new(),
            list => listed::read(list).map_err(|fault| words::reason_words(&desk.shared, &fault.why))?,
        };
        let [since, until] = [0, 1].map(|n| Some(values.text(n)).filter(|s| !s.is_empty()));
        for text in since.iter().chain(&until) {
            if ErpDate::parse(text).is_none() {
                return Err(fill(t.bad_date, &[text]));
            }
        }
        let params = StartParams { sweep: values.is_on(3), numbers, since, until, remedy: values.is_on(4), due: None };
        if params.remedy && (params.since.is_some() || params.until.is_some() || params.sweep) {
            return Err(t.remedy_alone.to_owned());
        }
        desk.shared.submit(Command::Start { plan: self.0.clone(), params }, Sent::Opens, effects);
        Ok(Next::Close)
    }
}

struct Pace(EnvId);

fn pace(desk: &Desk) -> Option<Form> {
    let (shared, t, env) = (&desk.shared, desk.shared.t(), desk.env()?);
    let pulse = shared.pulse_of(&env.id);
    let minute = pulse.map_or(env.limits.per_minute, |p| p.per_minute).to_string();
    let flight = pulse.map_or(env.limits.concurrency, |p| p.concurrency).to_string();
    let fields = vec![Field::text(t.per_minute, "1-6000", &minute), Field::text(t.concurrency, "1-16", &flight)];
    let about = words::shown(env.id.as_str());
    Some(Form::new(Pace(env.id.clone()), (t.pace_title, about), fields, 0, shared.now))
}

/// A number from 1.
fn number(text: &str, most: u32, t: &Texts) -> Result<u32, String> {
    text.parse::<u32>()
        .ok()
        .filter(|n| (1..=most).contains(n))
        .ok_or_else(|| fill(t.bad_number, &[text, &most.to_string()]))
}

impl Purpose for Pace {
    fn done(&mut self, desk: &mut Desk, values: &Values<'_>, effects: &mut Vec<Effect>) -> Result<Next, String> {
        let t = desk.shared.t();
        let per_minute = Some(number(&values.text(0), 6000, t)?);
        let concurrency = Some(number(&values.text(1), 16, t)?);
        let command = Command::SetPace { env: self.0.clone(), per_minute, concurrency };
        desk.shared.submit(command, Sent::Said(t.pace_set), effects);
        Ok(Next::Close)
    }
}

struct Resolve(Selection, Counter);

fn resolve(desk: &Desk) -> Option<Form> {
    let (selection, said) = bills_meant(desk)?;
    let t = desk.shared.t();
    Some(Form::new(
        Resolve(selection.clone(), Counter::new(selection)),
        (t.resolve_title, said),
        vec![reason_field(t)],
        0,
        desk.shared.now,
    ))
}

impl Purpose for Resolve {
    fn counter(&mut self) -> Option<&mut Counter> {
        Some(&mut self.1)
    }

    fn done(&mut self, desk: &mut Desk, values: &Values<'_>, effects: &mut Vec<Effect>) -> Result<Next, String> {
        let t = desk.shared.t();
        let shared = &mut desk.shared;
        let reason = reason(values, 0, t)?;
        shared.own.resolves(&reason);
        let command = Command::Resolve { selection: self.0.clone(), reason };
        shared.selection.clear();
        shared.submit(command, Sent::NextOf(t.resolved, Action::Reopen), effects);
        Ok(Next::Close)
    }
}

struct Reopen(Vec<WorkKey>);

/// The bill under the cursor where a person closed it, else what this console closed last.
fn reopen(desk: &Desk) -> Option<Form> {
    let (shared, t) = (&desk.shared, desk.shared.t());
    let last = || {
        let keys = shared.own.to_reopen();
        let n = words::bills(shared.lang, &format::count(keys.len() as u64));
        (keys, fill(t.reopen_last, &[&n]))
    };
    let (keys, about) = desk.pane().resolved().map_or_else(last, |(key, no)| (vec![key], words::shown(&no)));
    let fields = vec![reason_field(t)];
    (!keys.is_empty()).then(|| Form::new(Reopen(keys), (t.reopen_title, about), fields, 0, shared.now))
}

impl Purpose for Reopen {
    fn done(&mut self, desk: &mut Desk, values: &Values<'_>, effects: &mut Vec<Effect>) -> Result<Next, String> {
        let t = desk.shared.t();
        let command = Command::Reopen { keys: std::mem::take(&mut self.0), reason: reason(values, 0, t)? };
        desk.shared.submit(command, Sent::Of(t.reopened), effects);
        Ok(Next::Close)
    }
}

struct Unlock(EnvId);

fn unlock(desk: &Desk) -> Option<Form> {
    let (env, t) = (desk.env()?.id.clone(), desk.shared.t());
    let about = fill(t.unlock_what, &[&words::shown(env.as_str())]);
    Some(Form::new(Unlock(env), (t.unlock_title, about), vec![reason_field(t)], 0, desk.shared.now))
}

impl Purpose for Unlock {
    fn warns(&self) -> bool {
        true
    }

    fn done(&mut self, desk: &mut Desk, values: &Values<'_>, effects: &mut Vec<Effect>) -> Result<Next, String> {
        let t = desk.shared.t();
        let command = Command::Unlock { env: self.0.clone(), reason: reason(values, 0, t)? };
        let stands = desk.shared.pulse_of(&self.0).and_then(|pulse| pulse.unlocked_until);
        desk.shared.own.asks_unlock(self.0.clone(), stands);
        desk.shared.submit(command, Sent::Next(t.unlocked, Action::Unlock), effects);
        Ok(Next::Close)
    }
}

struct Jump;

fn jump(shared: &Shared) -> Form {
    let t = shared.t();
    let fields = vec![Field::text(t.jump_date, "2026-11-23", "")];
    let (title, what) = match shared.nav.here() {
        Place::Today => (t.span_title, t.span_what),
        _ => (t.jump_title, t.jump_what),
    };
    Form::new(Jump, (title, what.to_owned()), fields, 0, shared.now)
}

impl Purpose for Jump {
    fn done(&mut self, desk: &mut Desk, values: &Values<'_>, _effects: &mut Vec<Effect>) -> Result<Next, String> {
        let text = values.text(0);
        let zone = desk.shared.setup.zone;
        let bad = || fill(desk.shared.t().bad_day, &[&text]);
        let (pane, at) = match desk.shared.nav.here() {
            Place::Today => {
                let begins = format::day_begin(&text, zone).ok_or_else(bad)?;
                // Nothing has happened on it: all numbers would be 0, as if all was well.
                if begins > desk.shared.now {
                    return Err(fill(desk.shared.t().day_ahead, &[&text]));
                }
                (Place::Today, begins)
            }
            _ => (Place::History, format::day_end(&text, zone).ok_or_else(bad)?),
        };
        desk.go(Goto { pane, what: Subject::Date(at) });
        Ok(Next::Close)
    }
}

struct ExportTo(Scope);

/// What a list holds that is exported.
fn held(shared: &Shared, scope: Scope) -> String {
    let t = shared.t();
    match scope {
        Scope::Run(id) => {
            let row = shared.run_row().filter(|row| row.head.id == id);
            let found = row.map_or_else(String::new, |row| format::count(row.tally.found));
            let plan = row.map_or_else(String::new, |row| words::plan_name(shared, &row.head.plan, &row.head.name));
            fill(t.export_run, &[&found, &plan, &id.to_string()])
        }
        Scope::Ledger => fill(t.export_ledger, &[&format::count(shared.unresolved())]),
        Scope::History => t.export_history.to_owned(),
    }
}

/// The name of a file about a run: its plan and when it began, without signs that a shell or another system takes amiss.
fn run_stem(shared: &Shared, run: RunId) -> String {
    let Some(row) = shared.run_row().filter(|row| row.head.id == run) else { return format!("run-{run}") };
    let plan = words::plan_name(shared, &row.head.plan, &row.head.name);
    let plain: String = plan.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { ' ' }).collect();
    let plan = plain.split_whitespace().collect::<Vec<_>>().join("-");
    let plan = plan.trim_start_matches(['.', '-']);
    format::dated(plan, row.head.opened, shared.setup.zone)
}

fn export(desk: &Desk) -> Option<Form> {
    let (shared, pane, t) = (&desk.shared, desk.pane(), desk.shared.t());
    let scope = pane.lists(shared)?;
    let filter = pane.filter().map(|filter| shared.said(filter)).unwrap_or_default();
    let stem = match scope {
        Scope::Run(run) => run_stem(shared, run),
        // What stands in them changes: the time keeps two files of a day apart.
        Scope::Ledger => format::dated(t.ledger_stem, shared.now, shared.setup.zone),
        Scope::History => format::dated(t.history_stem, shared.now, shared.setup.zone),
    };
    let held = held(shared, scope);
    let about = if filter.is_empty() { held } else { format!("{held}  {}", fill(t.export_filter, &[&filter])) };
    let formats = formats(t);
    let fields = vec![
        Field::choice(t.format, &formats.each_ref().map(String::as_str)),
        Field::text(t.path, t.path_hint, &format!("{stem}.csv")),
    ];
    Some(Form::new(ExportTo(scope), (t.export_title, about), fields, 1, shared.now))
}

impl Purpose for ExportTo {
    /// The path's ending follows the chosen format.
    fn changed(&self, values: &mut Values<'_>) {
        let Some((ending, _)) = FORMATS.get(values.chosen(0)) else { return };
        let path = values.text(1);
        if let Some((stem, old)) = path.rsplit_once('.')
            && FORMATS.iter().any(|(ending, _)| *ending == old)
            && old != *ending
        {
            values.set(1, &format!("{stem}.{ending}"));
        }
    }

    fn done(&mut self, desk: &mut Desk, values: &Values<'_>, effects: &mut Vec<Effect>) -> Result<Next, String> {
        let (path, t, scope) = (values.text(1), desk.shared.t(), self.0);
        if path.is_empty() {
            return Err(t.path_wanted.to_owned());
        }
        let pane = desk.pane();
        let filter = pane.filter().map(|filter| desk.shared.asked(filter)).unwrap_or_default();
        let typed = pane.filter().map(|filter| desk.shared.said(filter)).unwrap_or_default();
        let written = FORMATS.get(values.chosen(0)).map_or(Written::List(ExportFormat::Csv), |(_, written)| *written);
        effects.push(match written {
            Written::List(format) => Effect::Export(Export { scope, filter, format, path, force: false }),
            Written::Report(form) => {
                Effect::Report(Report { scope, filter, typed, form, path, force: false, codes: false })
            }
        });
        desk.shared.note(false, t.exporting);
        Ok(Next::Close)
    }
}
