//! Small forms: run with parameters, change the pace, resolve with a reason, unlock, flags, export, saved filter.

use tui_input::Input;

use crate::ui::act;
use crate::ui::cells::Pen;
use crate::ui::format::{self, fill};
use crate::ui::keymap::Action;
use crate::ui::model::{Model, Sent};
use crate::ui::msg::{Code, Effect, Export, ExportFormat, Key};
use crate::ui::skin::Role;
use crate::ui::update::submit;
use crate::ui::words;
use skydeck_core::domain::command::{Command, Selection, StartParams};
use skydeck_core::domain::ids::{EnvId, PlanId};
use skydeck_core::domain::query::Scope;
use skydeck_core::domain::run::Flag;
use skydeck_core::domain::time::Ts;
use skydeck_core::text::readable;

use super::{Overlay, confirm::Confirm, draw_input, draw_keys, edit, insert, middle};

/// What a form is for.
#[derive(Clone)]
pub(crate) enum Kind {
    RunWith(PlanId),
    Pace(EnvId),
    Resolve(Selection),
    Unlock(EnvId),
    Export(Scope),
    Flags(Box<Confirm>),
    JumpDate,
}

/// The value of a field.
#[derive(Clone)]
pub(crate) enum Value {
    Text(Input),
    Toggle(bool),
    Choice(usize, Vec<String>),
}

/// A field.
#[derive(Clone)]
pub(crate) struct Field {
    pub label: String,
    pub hint: String,
    pub value: Value,
}

/// A form.
#[derive(Clone)]
pub(crate) struct Form {
    pub kind: Kind,
    pub title: String,
    pub about: String,
    pub fields: Vec<Field>,
    pub at: usize,
    pub error: Option<String>,
    pub opened: Ts,
}

fn text(label: &str, hint: &str, value: &str) -> Field {
    Field { label: label.to_owned(), hint: hint.to_owned(), value: Value::Text(Input::from(value)) }
}

/// What a list holds that is exported.
fn held(model: &Model, scope: Scope) -> String {
    let t = model.t();
    match scope {
        Scope::Run(id) => {
            let row = model.run_row().filter(|row| row.head.id == id);
            let found = row.map_or_else(String::new, |row| format::count(row.tally.found));
            let plan = row.map_or_else(String::new, |row| words::plan_name(model, &row.head.plan, &row.head.name));
            fill(t.export_run, &[&found, &plan, &id.to_string()])
        }
        Scope::Ledger => fill(t.export_ledger, &[&format::count(model.ledger.groups.iter().map(|g| g.count).sum())]),
        Scope::History => t.export_history.to_owned(),
    }
}

impl Form {
    /// The form an action asks for.
    pub fn new(model: &Model, action: Action) -> Option<Self> {
        let t = model.t();
        let (kind, title, about, fields) = match action {
            Action::RunWith => {
                let plan = model.plan.clone()?;
                let row = model.plan_row().and_then(|p| p.plan.as_ref().ok());
                // Which dates are meant is the plan's word, not everybody's guess.
                let column = row.and_then(|p| p.source.mark_column.as_deref()).unwrap_or("LAST_SYNC_TIME");
                let column = words::shown(column);
                let toggle = |label: &str, hint: &str| Field {
                    label: label.to_owned(),
                    hint: hint.to_owned(),
                    value: Value::Toggle(false),
                };
                let mut fields = vec![
                    text(t.since, &fill(t.since_hint, &[&column]), ""),
                    text(t.until, &fill(t.until_hint, &[&column]), ""),
                    text(t.numbers, t.numbers_hint, ""),
                    toggle(t.sweep, t.sweep_hint),
                ];
                // Last, and only where the plan has one.
                if row.is_some_and(|p| p.policy.remedy.is_some()) {
                    fields.push(toggle(t.remedy, t.remedy_hint));
                }
                let name = row.map(|p| words::plan_name(model, &p.id, &p.name));
                (Kind::RunWith(plan), t.run_with_title, name.unwrap_or_default(), fields)
            }
            Action::Pace => {
                let env = model.env()?;
                let pulse = model.pulse_of(&env.id);
                let minute = pulse.map_or(env.limits.per_minute, |p| p.per_minute).to_string();
                let flight = pulse.map_or(env.limits.concurrency, |p| p.concurrency).to_string();
                let fields = vec![text(t.per_minute, "1-6000", &minute), text(t.concurrency, "1-16", &flight)];
                (Kind::Pace(env.id.clone()), t.pace_title, words::shown(env.id.as_str()), fields)
            }
            Action::Resolve => {
                let (selection, said) = act::selection(model)?;
                (Kind::Resolve(selection), t.resolve_title, said, vec![text(t.reason, t.reason_hint, "")])
            }
            Action::Unlock => {
                let env = model.env()?.id.clone();
                let about = fill(t.unlock_what, &[&words::shown(env.as_str())]);
                (Kind::Unlock(env), t.unlock_title, about, vec![text(t.reason, t.reason_hint, "")])
            }
            Action::JumpDate => {
                (Kind::JumpDate, t.jump_title, t.jump_what.to_owned(), vec![text(t.jump_date, "2026-11-23", "")])
            }
            Action::Export => {
                let scope = model.list_scope()?;
                let filter = model.filter().map(ToString::to_string).unwrap_or_default();
                let stem = match scope {
                    Scope::Run(run) => format!("run-{run}"),
                    Scope::Ledger => "ledger".to_owned(),
                    Scope::History => "history".to_owned(),
                };
                let formats = ["csv", "jsonl", "md", "html"].map(str::to_owned).to_vec();
                let format =
                    Field { label: t.format.to_owned(), hint: String::new(), value: Value::Choice(0, formats) };
                let held = held(model, scope);
                let about =
                    if filter.is_empty() { held } else { format!("{held}  {}", fill(t.export_filter, &[&filter])) };
                (
                    Kind::Export(scope),
                    t.export_title,
                    about,
                    vec![format, text(t.path, t.path_hint, &format!("{stem}.csv"))],
                )
            }
            _ => return None,
        };
        let at = fields.iter().position(|f| matches!(f.value, Value::Text(_))).unwrap_or(0);
        Some(Self { kind, title: title.to_owned(), about, fields, at, error: None, opened: model.now })
    }

    /// The rules a plan names, to be chosen for one run, with a reason.
    pub fn flags(model: &Model, confirm: Confirm) -> Self {
        let t = model.t();
        let mut fields: Vec<Field> = super::confirm::offered(model, confirm.run)
            .into_iter()
            .map(|flag| Field {
                label: words::shown(&flag.0),
                hint: t.flag_hint.to_owned(),
                value: Value::Toggle(confirm.flags.contains(&flag)),
            })
            .collect();
        fields.push(text(t.reason, t.reason_hint, &confirm.reason));
        Self {
            kind: Kind::Flags(Box::new(confirm)),
            title: t.flags_title.to_owned(),
            about: t.flags_what.to_owned(),
            fields,
            at: 0,
            error: None,
            opened: model.now,
        }
    }

    /// Pasted text goes into the field that is being edited.
    /// Whether the field under the cursor is one of text.
    pub fn takes_text(&self) -> bool {
        matches!(self.fields.get(self.at).map(|f| &f.value), Some(Value::Text(_)))
    }

    pub fn paste(&mut self, pasted: &str) {
        if let Some(Field { value: Value::Text(input), .. }) = self.fields.get_mut(self.at) {
            insert(input, pasted);
        }
    }

    fn value(&self, n: usize) -> String {
        match self.fields.get(n).map(|f| &f.value) {
            Some(Value::Text(input)) => input.value().trim().to_owned(),
            Some(Value::Choice(i, options)) => options.get(*i).cloned().unwrap_or_default(),
            _ => String::new(),
        }
    }

    fn is_on(&self, n: usize) -> bool {
        matches!(self.fields.get(n).map(|f| &f.value), Some(Value::Toggle(true)))
    }
}

pub(crate) fn key(model: &mut Model, mut form: Form, key: Key, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let n = form.fields.len().max(1);
    match key.code {
        Code::Esc => {
            return match form.kind {
                Kind::Flags(confirm) => Some(Overlay::Confirm(*confirm)),
                _ => None,
            };
        }
        Code::Tab | Code::Down => form.at = (form.at + 1) % n,
        Code::BackTab | Code::Up => form.at = (form.at + n - 1) % n,
        Code::Enter if model.now.since(form.opened) >= super::UNREAD => {
            return match done(model, &form, effects) {
                Ok(next) => next,
                Err(error) => {
                    form.error = Some(error);
                    Some(Overlay::Form(form))
                }
            };
        }
        _ => {
            form.error = None;
            match form.fields.get_mut(form.at).map(|f| &mut f.value) {
                Some(Value::Text(input)) => {
                    edit(input, key);
                }
                Some(Value::Toggle(on)) if key.code == Code::Char(' ') => *on = !*on,
                Some(Value::Choice(i, options)) => {
                    let m = options.len().max(1);
                    match key.code {
                        Code::Char(' ' | 'l') | Code::Right => *i = (*i + 1) % m,
                        Code::Char('h') | Code::Left => *i = (*i + m - 1) % m,
                        _ => {}
                    }
                }
                _ => {}
            }
            follow_format(&mut form);
        }
    }
    Some(Overlay::Form(form))
}

/// The path's ending follows the chosen format.
fn follow_format(form: &mut Form) {
    if !matches!(form.kind, Kind::Export(_)) {
        return;
    }
    let ending = form.value(0);
    let Some(Field { value: Value::Text(input), .. }) = form.fields.get_mut(1) else { return };
    let path = input.value().to_owned();
    if let Some((stem, old)) = path.rsplit_once('.')
        && ["csv", "jsonl", "md", "html"].contains(&old)
        && old != ending
    {
        *input = Input::from(format!("{stem}.{ending}"));
    }
}

fn number(text: &str, most: u32, t: &crate::ui::lang::Texts) -> Result<u32, String> {
    text.parse::<u32>()
        .ok()
        .filter(|n| (1..=most).contains(n))
        .ok_or_else(|| fill(t.bad_number, &[text, &most.to_string()]))
}

fn done(model: &mut Model, form: &Form, effects: &mut Vec<Effect>) -> Result<Option<Overlay>, String> {
    let t = model.t();
    let reason =
        |n: usize| Some(form.value(n)).filter(|r| readable(r).is_some()).ok_or_else(|| t.reason_wanted.to_owned());
    match &form.kind {
        Kind::RunWith(plan) => {
            let numbers = form.value(2);
            let numbers: Vec<String> =
                numbers.split([' ', ',', ';', '，', '；', '、']).filter(|n| !n.is_empty()).map(str::to_owned).collect();
            let [since, until] = [0, 1].map(|n| Some(form.value(n)).filter(|s| !s.is_empty()));
            for text in since.iter().chain(&until) {
                if skydeck_core::domain::time::ErpDate::parse(text).is_none() {
                    return Err(fill(t.bad_date, &[text]));
                }
            }
            let params = StartParams { sweep: form.is_on(3), numbers, since, until, remedy: form.is_on(4) };
            if params.remedy && (params.since.is_some() || params.until.is_some() || params.sweep) {
                return Err(t.remedy_alone.to_owned());
            }
            submit(model, Command::Start { plan: plan.clone(), params }, Sent::Opens, effects);
        }
        Kind::Pace(env) => {
            let per_minute = Some(number(&form.value(0), 6000, t)?);
            let concurrency = Some(number(&form.value(1), 16, t)?);
            let command = Command::SetPace { env: env.clone(), per_minute, concurrency };
            submit(model, command, Sent::Said(t.pace_set.to_owned()), effects);
        }
        Kind::Resolve(selection) => {
            let command = Command::Resolve { selection: selection.clone(), reason: reason(0)? };
            model.marks.clear();
            model.all_marked = false;
            submit(model, command, Sent::Said(t.resolved.to_owned()), effects);
        }
        Kind::Unlock(env) => {
            let command = Command::Unlock { env: env.clone(), reason: reason(0)? };
            submit(model, command, Sent::Said(t.unlocked.to_owned()), effects);
        }
        Kind::JumpDate => {
            let text = form.value(0);
            model.history_goal = Some(format::day_end(&text, model.zone).ok_or_else(|| fill(t.bad_day, &[&text]))?);
        }
        Kind::Export(scope) => {
            let path = form.value(1);
            if path.is_empty() {
                return Err(t.path_wanted.to_owned());
            }
            let format = match form.value(0).as_str() {
                "jsonl" => ExportFormat::JsonLines,
                "md" => ExportFormat::Markdown,
                "html" => ExportFormat::Html,
                _ => ExportFormat::Csv,
            };
            let filter = model.filter().cloned().unwrap_or_default();
            effects.push(Effect::Export(Export { scope: *scope, filter, format, path }));
            model.note(false, t.exporting);
        }
        Kind::Flags(confirm) => {
            let mut confirm = (**confirm).clone();
            let chosen = form.fields.iter().filter(|f| matches!(f.value, Value::Toggle(true)));
            let offered = super::confirm::offered(model, confirm.run);
            confirm.flags = chosen
                .filter_map(|f| offered.iter().find(|flag| words::shown(&flag.0) == f.label))
                .cloned()
                .collect::<Vec<Flag>>();
            let why = form.value(form.fields.len().saturating_sub(1));
            if !confirm.flags.is_empty() && readable(&why).is_none() {
                return Err(t.reason_wanted.to_owned());
            }
            confirm.reason = why;
            confirm.opened = model.now;
            return Ok(Some(Overlay::Confirm(confirm)));
        }
    }
    Ok(None)
}

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, form: &Form) -> Option<(u16, u16)> {
    let t = model.t();
    let width = model.size.0.saturating_sub(4).min(76);
    let height = form.fields.len() as u16 * 2 + 6;
    let role = if matches!(form.kind, Kind::Flags(_) | Kind::Unlock(_)) { Role::Warning } else { Role::Accent };
    let area = middle(pen, width, height);
    let inside = pen.window(area, role, &form.title);
    if inside.height == 0 {
        return None;
    }
    pen.text(inside.x, inside.y, inside.width, Role::Dim, &words::shown(&form.about));
    let label = form.fields.iter().map(|f| pen.glyphs.width(&f.label)).max().unwrap_or(0).min(40) as u16 + 1;
    let mut caret = None;
    for (i, field) in form.fields.iter().enumerate() {
        let y = inside.y + 2 + i as u16 * 2;
        if y + 1 >= inside.bottom() {
            break;
        }
        let here = i == form.at;
        if here {
            pen.text(inside.x.saturating_sub(1), y, 1, Role::Marker, pen.glyphs.marker);
        }
        let role = if here { Role::Title } else { Role::Text };
        pen.text(inside.x, y, label, role, &field.label);
        let (x, width) = (inside.x + label, inside.width.saturating_sub(label));
        match &field.value {
            Value::Text(input) => {
                let at = draw_input(pen, x, y, width, input);
                if here {
                    caret = at;
                }
                if input.value().is_empty() {
                    pen.text(x + 1, y, width.saturating_sub(1), Role::Dim, &field.hint);
                }
            }
            Value::Toggle(on) => {
                let sign = if *on { "[x] " } else { "[ ] " };
                let used = pen.text(x, y, width, Role::Accent, sign);
                pen.text(x + used, y, width.saturating_sub(used), Role::Dim, &field.hint);
            }
            Value::Choice(at, options) => {
                let mut used = 0;
                for (j, option) in options.iter().enumerate() {
                    let role = if j == *at { Role::Accent } else { Role::Dim };
                    let text = if j == *at { format!("[{option}] ") } else { format!(" {option}  ") };
                    used += pen.text(x + used, y, width.saturating_sub(used), role, &text);
                }
            }
        }
    }
    if let Some(error) = &form.error {
        pen.text(inside.x, inside.bottom().saturating_sub(2), inside.width, Role::Error, &words::shown(error));
    }
    let mut keys = vec![("Enter".to_owned(), t.form_do), ("Esc".to_owned(), t.form_cancel)];
    if form.fields.len() > 1 {
        keys.push(("Tab".to_owned(), t.form_next));
    }
    if form.fields.iter().any(|f| !matches!(f.value, Value::Text(_))) {
        keys.push(("Space".to_owned(), t.form_change));
    }
    draw_keys(pen, inside.x, inside.bottom() - 1, inside.width, &keys);
    caret
}
