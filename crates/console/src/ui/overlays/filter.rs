//! The filter line: typed in the status line, checked at every key, with completion of keys and words.

use std::collections::BTreeSet;

use tui_input::{Input, InputRequest};

use crate::ui::cells::Pen;
use crate::ui::desk::Desk;
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::filter::{Filter, FilterError, FilterFault, KEYS};
use skydeck_core::domain::ids::OpId;
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::operation_words;

use super::dialog::draw_keys;
use super::line::{draw_input, edit, insert};
use super::overlay::{Next, Overlay};

/// The line.
pub(super) struct Line {
    input: Input,
    error: Option<FilterError>,
    /// The fault was asked for with Enter: it is said even where the line is only unfinished.
    insisted: bool,
    /// Name being given to the filter, after Ctrl-S.
    naming: Option<Input>,
}

/// Sets the filter of the present pane; its list begins anew, what was marked by `*` is no longer meant.
pub(crate) fn set(desk: &mut Desk, filter: Filter) {
    let (pane, shared) = desk.pane_mut();
    pane.set_filter(filter);
    shared.selection.not_all();
    shared.touch();
}

impl Line {
    pub fn new(desk: &Desk) -> Self {
        let text = desk.pane().filter().map(ToString::to_string).unwrap_or_default();
        let text = if text.is_empty() { text } else { format!("{text} ") };
        Self { input: Input::from(text), error: None, insisted: false, naming: None }
    }

    fn check(&mut self) {
        self.error = Filter::parse(self.input.value()).err();
        self.insisted = false;
    }

    /// A key while the filter gets its name.
    fn name(&mut self, mut name: Input, shared: &mut Shared, key: Key, effects: &mut Vec<Effect>) {
        match key.code {
            Code::Esc => {}
            Code::Enter => {
                let (name, filter) = (name.value().trim().to_owned(), self.input.value().trim().to_owned());
                if !name.is_empty() {
                    shared.filters.retain(|(n, _)| *n != name);
                    shared.filters.push((name, filter));
                    effects.push(Effect::SaveFilters(shared.filters.clone()));
                    let text = shared.t().filter_saved;
                    shared.note(false, text);
                }
            }
            _ => {
                edit(&mut name, key);
                self.naming = Some(name);
            }
        }
    }

    /// The next saved filter, round and round.
    fn recall(&mut self, shared: &Shared) {
        let now = self.input.value().trim();
        let at = shared.filters.iter().position(|(_, f)| f == now).map_or(0, |i| i + 1);
        let n = shared.filters.len().max(1);
        if let Some((_, filter)) = shared.filters.get(at % n) {
            self.input = Input::from(filter.as_str());
            self.check();
        }
    }

    /// Puts the first candidate in the place of the word before the caret.
    fn complete(&mut self, shared: &Shared) {
        let Some(candidate) = candidates(shared, &self.input).into_iter().next() else { return };
        let (start, word) = word(&self.input);
        let chars: Vec<char> = self.input.value().chars().collect();
        let after: String = chars.iter().skip(start + word.chars().count()).collect();
        let before: String = chars.iter().take(start).collect();
        let caret = start + candidate.chars().count();
        self.input = Input::from(format!("{before}{candidate}{after}"));
        self.input.handle(InputRequest::SetCursor(caret));
        self.check();
    }
}

impl Overlay for Line {
    fn key(&mut self, desk: &mut Desk, key: Key, effects: &mut Vec<Effect>) -> Next {
        if let Some(name) = self.naming.take() {
            self.name(name, &mut desk.shared, key, effects);
            return Next::Stay;
        }
        match key.code {
            Code::Esc => return Next::Close,
            Code::Enter => match read(&desk.shared, self.input.value()) {
                Ok(filter) => {
                    set(desk, filter);
                    return Next::Close;
                }
                Err(error) => {
                    // The caret goes to the fault.
                    self.input.handle(InputRequest::SetCursor(error.at));
                    self.error = Some(error);
                    self.insisted = true;
                }
            },
            Code::Tab => self.complete(&desk.shared),
            Code::Char('s') if key.ctrl && self.error.is_none() && !self.input.value().trim().is_empty() => {
                self.naming = Some(Input::default());
            }
            Code::Char('r') if key.ctrl => self.recall(&desk.shared),
            _ => {
                edit(&mut self.input, key);
                self.check();
            }
        }
        Next::Stay
    }

    fn is_line(&self) -> bool {
        true
    }

    fn takes_text(&self, _shared: &Shared) -> bool {
        true
    }

    fn paste(&mut self, _desk: &Desk, text: &str) -> bool {
        insert(&mut self.input, text);
        self.check();
        true
    }

    /// Draws the line over the status line and what can follow (or the fault, under its place) over the footer.
    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, parts: &Parts) -> Option<(u16, u16)> {
        let (y, w) = (parts.status.y, parts.status.width);
        let (shared, t) = (&desk.shared, desk.shared.t());
        for x in 0..w {
            pen.text(x, y, 1, Role::Text, " ");
        }
        if let Some(name) = &self.naming {
            let used = pen.text(0, y, w, Role::Accent, t.filter_name);
            return draw_input(pen, used + 1, y, w.saturating_sub(used + 2), name);
        }
        let used = pen.text(0, y, w, Role::Accent, "/ ");
        let caret = draw_input(pen, used, y, w.saturating_sub(used), &self.input);
        let list = candidates(shared, &self.input).join("  ");
        // A value that is still to be typed is no fault yet where there are values to choose from.
        let unfinished = !self.insisted && self.input.value().ends_with(':') && !list.is_empty();
        if let Some(error) = self.error.as_ref().filter(|_| !unfinished) {
            let before: String = self.input.value().chars().take(error.at).collect();
            let x = (used as usize + pen.glyphs.width(&before)).min(usize::from(w.saturating_sub(20))) as u16;
            let used = pen.text(x, parts.foot.y, 2, Role::Error, "^ ");
            pen.text(x + used, parts.foot.y, w.saturating_sub(x + used), Role::Error, &said(shared, &error.fault));
            return caret;
        }
        let used = pen.text(0, parts.foot.y, w, Role::Key, "Tab ");
        let used = used + pen.text(used, parts.foot.y, w.saturating_sub(used + 26), Role::Dim, &list) + 2;
        let keys = [
            ("Enter".to_owned(), t.filter_do),
            ("Ctrl-S".to_owned(), t.filter_save),
            ("Ctrl-R".to_owned(), t.filter_recall),
        ];
        draw_keys(pen, used, parts.foot.y, w.saturating_sub(used), &keys);
        caret
    }
}

/// Reads the line; a word that is no value of its key is a fault.
fn read(shared: &Shared, text: &str) -> Result<Filter, FilterError> {
    let filter = Filter::parse(text)?.naming_causes(|word| crate::ui::causes_shown_as(&shared.setup.causes, word));
    let values = |key| {
        let mut known = crate::ui::filter_values(&shared.setup.causes, key)?;
        known.extend(shared.groups.rows().iter().map(|group| group.group.clone()));
        Some(known)
    };
    match filter.strays(values).into_iter().next() {
        Some((_, stray)) => Err(stray.in_text(text)),
        None => Ok(filter),
    }
}

/// Operations of the plans there are, and of the run in view.
fn operations(shared: &Shared) -> BTreeSet<OpId> {
    let plans = shared.plans.rows().iter().filter_map(|row| row.plan.as_ref().ok());
    let mut ops: BTreeSet<OpId> = plans.map(|plan| Operation::id_of(&plan.target.verb)).collect();
    ops.extend(shared.run_row().map(|row| row.head.op.clone()));
    ops
}

/// The word before the caret, and where it begins (in characters).
fn word(input: &Input) -> (usize, String) {
    let before: Vec<char> = input.value().chars().take(input.cursor()).collect();
    let start = before.iter().rposition(|c| c.is_whitespace()).map_or(0, |i| i + 1);
    (start, before.iter().skip(start).collect())
}

/// What could stand where the caret is.
fn candidates(shared: &Shared, input: &Input) -> Vec<String> {
    let (_, word) = word(input);
    let body = word.strip_prefix('-').unwrap_or(&word);
    let minus = if word.starts_with('-') { "-" } else { "" };
    if let Some((key, value)) = body.split_once(':') {
        let last = value.rsplit(',').next().unwrap_or(value);
        let head = format!("{minus}{key}:{}", value.strip_suffix(last).unwrap_or_default());
        let words: Vec<String> = match key {
            "cause" | "原因" => shared
                .groups
                .rows()
                .iter()
                .map(|g| g.group.clone())
                .chain(shared.setup.causes.cause.iter().map(|c| c.cause.as_str().to_owned()))
                .collect(),
            "status" | "outcome" | "结果" => {
                let ops = operations(shared);
                Slot::ALL.iter().flat_map(|s| operation_words::offered(*s, &ops)).map(str::to_owned).collect()
            }
            "operation" | "操作" => {
                operations(shared).iter().map(|op| operation_words::name(op).to_owned()).collect()
            }
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

/// What is wrong with the filter, in the operator's language.
fn said(shared: &Shared, fault: &FilterFault) -> String {
    if shared.lang == crate::ui::Lang::En {
        return skydeck_core::text::show(&fault.to_string(), 400).as_str().to_owned();
    }
    skydeck_core::text::show(&fault.zh(), 400).as_str().to_owned()
}
