//! The filter line: typed in the status line, checked at every key, with completion of keys and words.

use std::collections::BTreeSet;

use tui_input::{Input, InputRequest};

use crate::ui::cells::Pen;
use crate::ui::layout::Parts;
use crate::ui::model::{Model, Pane};
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::skin::Role;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::filter::{Filter, FilterError, FilterFault, KEYS};
use skydeck_core::domain::ids::OpId;
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::operation_words;

use super::{Overlay, draw_input, edit};

/// The line.
pub(crate) struct Line {
    pub input: Input,
    pub error: Option<FilterError>,
    /// The fault was asked for with Enter: it is said even where the line is only unfinished.
    insisted: bool,
    /// Name being given to the filter, after Ctrl-S.
    pub naming: Option<Input>,
}

impl Line {
    pub fn new(model: &Model) -> Self {
        let text = model.filter().map(ToString::to_string).unwrap_or_default();
        let text = if text.is_empty() { text } else { format!("{text} ") };
        Self { input: Input::from(text), error: None, insisted: false, naming: None }
    }

    pub fn check(&mut self) {
        self.error = Filter::parse(self.input.value()).err();
        self.insisted = false;
    }
}

/// Sets the filter of the present pane; its list begins anew, what was marked by `*` is no longer meant.
pub(crate) fn set(model: &mut Model, filter: Filter) {
    model.all_marked = false;
    match model.pane {
        Pane::Results => {
            model.results_filter = filter;
            model.results.reset();
        }
        Pane::Ledger => {
            model.ledger_filter = filter;
            model.ledger.reset();
        }
        Pane::History => {
            model.history_filter = filter;
            model.found.reset();
        }
        _ => {}
    }
    model.touch();
}

pub(crate) fn key(model: &mut Model, mut line: Line, key: Key, effects: &mut Vec<Effect>) -> Option<Overlay> {
    if let Some(mut name) = line.naming.take() {
        match key.code {
            Code::Esc => {}
            Code::Enter => {
                let (name, filter) = (name.value().trim().to_owned(), line.input.value().trim().to_owned());
                if !name.is_empty() {
                    model.filters.retain(|(n, _)| *n != name);
                    model.filters.push((name, filter));
                    effects.push(Effect::SaveFilters(model.filters.clone()));
                    model.note(false, model.t().filter_saved);
                }
            }
            _ => {
                edit(&mut name, key);
                line.naming = Some(name);
            }
        }
        return Some(Overlay::Filter(line));
    }
    match key.code {
        Code::Esc => return None,
        Code::Enter => match read(model, line.input.value()) {
            Ok(filter) => {
                set(model, filter);
                return None;
            }
            Err(error) => {
                // The caret goes to the fault.
                line.input.handle(InputRequest::SetCursor(error.at));
                line.error = Some(error);
                line.insisted = true;
            }
        },
        Code::Tab => complete(model, &mut line),
        Code::Char('s') if key.ctrl && line.error.is_none() && !line.input.value().trim().is_empty() => {
            line.naming = Some(Input::default());
        }
        Code::Char('r') if key.ctrl => recall(model, &mut line),
        _ => {
            edit(&mut line.input, key);
            line.check();
        }
    }
    Some(Overlay::Filter(line))
}

/// Reads the line; a word that is no value of its key is a fault.
fn read(model: &Model, text: &str) -> Result<Filter, FilterError> {
    let filter = Filter::parse(text)?.naming_causes(|word| crate::ui::causes_shown_as(&model.causes, word));
    let values = |key| {
        let mut known = crate::ui::filter_values(&model.causes, key)?;
        known.extend(model.ledger.groups.iter().map(|group| group.group.clone()));
        Some(known)
    };
    match filter.strays(values).into_iter().next() {
        Some((_, stray)) => Err(stray.in_text(text)),
        None => Ok(filter),
    }
}

/// The next saved filter, round and round.
fn recall(model: &Model, line: &mut Line) {
    let now = line.input.value().trim();
    let at = model.filters.iter().position(|(_, f)| f == now).map_or(0, |i| i + 1);
    let n = model.filters.len().max(1);
    if let Some((_, filter)) = model.filters.get(at % n) {
        line.input = Input::from(filter.as_str());
        line.check();
    }
}

/// Operations of the plans there are, and of the run in view.
fn operations(model: &Model) -> BTreeSet<OpId> {
    let plans = model.plans.iter().filter_map(|row| row.plan.as_ref().ok());
    let mut ops: BTreeSet<OpId> = plans.map(|plan| Operation::id_of(&plan.target.verb)).collect();
    ops.extend(model.run_row().map(|row| row.head.op.clone()));
    ops
}

/// The word before the caret, and where it begins (in characters).
fn word(line: &Line) -> (usize, String) {
    let before: Vec<char> = line.input.value().chars().take(line.input.cursor()).collect();
    let start = before.iter().rposition(|c| c.is_whitespace()).map_or(0, |i| i + 1);
    (start, before.iter().skip(start).collect())
}

/// What could stand where the caret is.
pub(crate) fn candidates(model: &Model, line: &Line) -> Vec<String> {
    let (_, word) = word(line);
    let body = word.strip_prefix('-').unwrap_or(&word);
    let minus = if word.starts_with('-') { "-" } else { "" };
    if let Some((key, value)) = body.split_once(':') {
        let last = value.rsplit(',').next().unwrap_or(value);
        let head = format!("{minus}{key}:{}", value.strip_suffix(last).unwrap_or_default());
        let words: Vec<String> = match key {
            "cause" | "原因" => model
                .ledger
                .groups
                .iter()
                .map(|g| g.group.clone())
                .chain(model.causes.cause.iter().map(|c| c.cause.as_str().to_owned()))
                .collect(),
            "status" | "outcome" | "结果" => {
                let ops = operations(model);
                Slot::ALL.iter().flat_map(|s| operation_words::offered(*s, &ops)).map(str::to_owned).collect()
            }
            "operation" | "操作" => operations(model).iter().map(|op| operation_words::name(op).to_owned()).collect(),
            "age" | "时长" => [">1h", ">1d", ">2d", "<1h"].map(str::to_owned).to_vec(),
            "attempts" | "次数" => [">1", ">2"].map(str::to_owned).to_vec(),
            _ => Vec::new(),
        };
        let mut out: Vec<String> =
            words.into_iter().filter(|w| w.starts_with(last) && w != last).map(|w| format!("{head}{w}")).collect();
        out.dedup();
        return out;
    }
    let zh = !body.is_ascii();
    KEYS.iter()
        .map(|(name, _)| *name)
        .chain(["age", "attempts", "时长", "次数"])
        .filter(|name| name.starts_with(body) && (zh || name.is_ascii()))
        .map(|name| format!("{minus}{name}:"))
        .collect()
}

fn complete(model: &Model, line: &mut Line) {
    let Some(candidate) = candidates(model, line).into_iter().next() else { return };
    let (start, word) = word(line);
    let chars: Vec<char> = line.input.value().chars().collect();
    let after: String = chars.iter().skip(start + word.chars().count()).collect();
    let before: String = chars.iter().take(start).collect();
    let caret = start + candidate.chars().count();
    line.input = Input::from(format!("{before}{candidate}{after}"));
    line.input.handle(InputRequest::SetCursor(caret));
    line.check();
}

/// Draws the line over the status line and what can follow (or the fault, under its place) over the footer.
pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, parts: &Parts) -> Option<(u16, u16)> {
    let Some(Overlay::Filter(line)) = &model.overlay else { return None };
    let (y, w) = (parts.status.y, parts.status.width);
    let t = model.t();
    for x in 0..w {
        pen.text(x, y, 1, Role::Text, " ");
    }
    if let Some(name) = &line.naming {
        let used = pen.text(0, y, w, Role::Accent, t.filter_name);
        return draw_input(pen, used + 1, y, w.saturating_sub(used + 2), name);
    }
    let used = pen.text(0, y, w, Role::Accent, "/ ");
    let caret = draw_input(pen, used, y, w.saturating_sub(used), &line.input);
    let list = candidates(model, line).join("  ");
    // A value that is still to be typed is no fault yet where there are values to choose from.
    let unfinished = !line.insisted && line.input.value().ends_with(':') && !list.is_empty();
    if let Some(error) = line.error.as_ref().filter(|_| !unfinished) {
        let before: String = line.input.value().chars().take(error.at).collect();
        let x = (used as usize + pen.glyphs.width(&before)).min(usize::from(w.saturating_sub(20))) as u16;
        let used = pen.text(x, parts.foot.y, 2, Role::Error, "^ ");
        pen.text(x + used, parts.foot.y, w.saturating_sub(x + used), Role::Error, &said(model, &error.fault));
        return caret;
    }
    let used = pen.text(0, parts.foot.y, w, Role::Key, "Tab ");
    let used = used + pen.text(used, parts.foot.y, w.saturating_sub(used + 26), Role::Dim, &list) + 2;
    let keys = [
        ("Enter".to_owned(), t.filter_do),
        ("Ctrl-S".to_owned(), t.filter_save),
        ("Ctrl-R".to_owned(), t.filter_recall),
    ];
    super::draw_keys(pen, used, parts.foot.y, w.saturating_sub(used), &keys);
    caret
}

/// What is wrong with the filter, in the operator's language.
fn said(model: &Model, fault: &FilterFault) -> String {
    if model.lang == crate::ui::Lang::En {
        return skydeck_core::text::show(&fault.to_string(), 400).as_str().to_owned();
    }
    skydeck_core::text::show(&fault.zh(), 400).as_str().to_owned()
}
