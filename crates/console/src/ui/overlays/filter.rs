//! The filter line: typed in the status line, checked at every key, with completion of keys and words.

use tui_input::{Input, InputRequest};

use crate::ui::Names;
use crate::ui::cells::Pen;
use crate::ui::desk::Desk;
use crate::ui::format::{self, fill};
use crate::ui::keymap::Scope;
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::shared::Shared;
use crate::ui::shared::outbox::Asked;
use crate::ui::skin::Role;
use crate::ui::views::View;
use crate::ui::words;
use skydeck_core::domain::filter::{Filter, FilterError, FilterFault};
use skydeck_core::domain::query::{Answer, FilterValues, Query};

use super::dialog::draw_keys;
use super::filter_offers::{self as offers, Offer, Offers, word};
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
    /// The letter that is to show it, with Alt.
    key: Option<char>,
    /// The candidate that Tab takes.
    at: usize,
    /// The names that a filter may hold were asked for; and what the store told of them.
    asked: bool,
    told: Option<FilterValues>,
    /// The column whose values were asked for, and what the store told of it.
    column: Option<(String, Option<FilterValues>)>,
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
        let text = desk.pane().filter().map(|filter| desk.shared.said(filter)).unwrap_or_default();
        let text = if text.is_empty() { text } else { format!("{text} ") };
        Self {
            input: Input::from(text),
            error: None,
            insisted: false,
            naming: None,
            key: None,
            at: 0,
            asked: false,
            told: None,
            column: None,
        }
    }

    fn check(&mut self) {
        self.error = Filter::parse(self.input.value()).err();
        self.insisted = false;
        self.at = 0;
    }

    /// A key while the filter gets its name.
    fn name(&mut self, mut name: Input, shared: &mut Shared, key: Key, effects: &mut Vec<Effect>) {
        match key.code {
            Code::Esc => {}
            Code::Enter => {
                let (name, filter) = (name.value().trim().to_owned(), self.input.value().trim().to_owned());
                if !name.is_empty() {
                    let letter = self.key.take();
                    shared.filters.retain(|view| view.name != name);
                    // A letter shows one view: the one that got it last.
                    for view in shared.filters.iter_mut().filter(|view| letter.is_some() && view.key == letter) {
                        view.key = None;
                    }
                    shared.filters.push(View { name, key: letter, text: filter });
                    effects.push(Effect::SaveFilters(shared.filters.clone()));
                    let text = shared.t().filter_saved;
                    shared.note(false, text);
                }
            }
            _ => {
                match key.code {
                    Code::Char(letter) if key.alt && letter.is_ascii_lowercase() => self.key = Some(letter),
                    _ => {
                        edit(&mut name, key);
                    }
                }
                self.naming = Some(name);
            }
        }
    }

    /// The next saved filter, round and round.
    fn recall(&mut self, shared: &Shared) {
        let now = self.input.value().trim();
        let at = shared.filters.iter().position(|view| view.text == now).map_or(0, |i| i + 1);
        let n = shared.filters.len().max(1);
        if let Some(view) = shared.filters.get(at % n) {
            self.input = Input::from(view.text.as_str());
            self.check();
        }
    }

    /// Puts the chosen candidate in the place of the word before the caret.
    fn complete(&mut self, shared: &Shared) {
        let offers = self.offers(shared);
        let Some(offer) = offers.all.get(self.at.min(offers.all.len().saturating_sub(1))) else { return };
        let (start, word) = word(&self.input);
        let chars: Vec<char> = self.input.value().chars().collect();
        let after: String = chars.iter().skip(start + word.chars().count()).collect();
        let before: String = chars.iter().take(start).collect();
        let caret = start + offer.word.chars().count();
        self.input = Input::from(format!("{before}{}{after}", offer.word));
        self.input.handle(InputRequest::SetCursor(caret));
        self.check();
    }

    /// Forgets the saved view whose filter stands in the line.
    fn forget(&mut self, shared: &mut Shared, effects: &mut Vec<Effect>) {
        let now = self.input.value().trim();
        let Some(at) = shared.filters.iter().position(|view| view.text == now) else { return };
        let view = shared.filters.remove(at);
        effects.push(Effect::SaveFilters(shared.filters.clone()));
        let text = fill(shared.t().filter_forgotten, &[&words::shown(&view.name)]);
        shared.note(false, text);
    }

    /// Reads the line; a word that is no value of its key is a fault, and so is a key that no plan has as a column.
    fn read(&self, shared: &Shared) -> Result<Filter, FilterError> {
        checked(shared, &self.names(shared), self.input.value())
    }

    /// The names that a filter may hold, as far as they are known here.
    fn names(&self, shared: &Shared) -> Names {
        names_here(shared, self.told.as_ref())
    }

    /// What could stand where the caret is.
    fn offers(&self, shared: &Shared) -> Offers {
        let column = self.column.as_ref().and_then(|(name, told)| Some((name.as_str(), told.as_ref()?)));
        offers::offers(shared, (&self.names(shared), self.told.as_ref()), column, &word(&self.input).1)
    }

    /// Draws what could follow, from the chosen one on where not all fit; then the keys.
    fn draw_offers(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts, offers: &Offers) {
        let (t, y, w) = (shared.t(), parts.foot.y, parts.foot.width);
        let keys = [
            ("Enter".to_owned(), t.filter_do),
            ("Ctrl-S".to_owned(), t.filter_save),
            ("Ctrl-R".to_owned(), t.filter_recall),
        ];
        for x in 0..w {
            pen.text(x, y, 1, Role::Text, " ");
        }
        let mut x = pen.text(0, y, w, Role::Key, "Tab ");
        let note = match offers.looked {
            _ if offers.is_reading => t.reading.to_owned(),
            Some(rows) => fill(t.filter_looked, &[&format::count(rows)]),
            None => String::new(),
        };
        let end = w.saturating_sub(26).saturating_sub(pen.glyphs.width(&note) as u16 + 2);
        let at = self.at.min(offers.all.len().saturating_sub(1));
        // As many before the chosen one as fit with it.
        let width = |offer: &Offer| pen.glyphs.width(&words::shown(&offer.shown)) + 2;
        let room = usize::from(end.saturating_sub(x));
        let mut first = at;
        let mut used = offers.all.get(at).map_or(0, width);
        while first > 0 && used + offers.all.get(first - 1).map_or(0, width) <= room {
            first -= 1;
            used += offers.all.get(first).map_or(0, width);
        }
        for (i, offer) in offers.all.iter().enumerate().skip(first) {
            let role = if i == at { Role::Accent } else { Role::Dim };
            let left = end.saturating_sub(x);
            if left == 0 {
                break;
            }
            x += pen.text(x, y, left, role, &words::shown(&offer.shown)) + 2;
        }
        if !note.is_empty() {
            x += pen.text(x, y, w.saturating_sub(x), Role::Notice, &note) + 2;
        }
        draw_keys(pen, x, y, w.saturating_sub(x), &keys);
    }

    /// The column whose values are to be read for the word before the caret.
    fn wanted(&self, shared: &Shared) -> Option<String> {
        offers::column_of(&self.names(shared), &word(&self.input).1)
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
            Code::Enter => match self.read(&desk.shared) {
                Ok(filter) => {
                    let lost = lost(&desk.shared, &filter);
                    set(desk, filter);
                    if let Some(text) = lost {
                        desk.shared.note(true, text);
                    }
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
            Code::Down => self.at = (self.at + 1).min(self.offers(&desk.shared).all.len().saturating_sub(1)),
            Code::Up | Code::BackTab => self.at = self.at.saturating_sub(1),
            Code::Right if !key.ctrl && self.input.cursor() == self.input.value().chars().count() => {
                self.complete(&desk.shared);
            }
            Code::Char('s') if key.ctrl && self.error.is_none() && !self.input.value().trim().is_empty() => {
                self.naming = Some(Input::default());
            }
            Code::Char('r') if key.ctrl => self.recall(&desk.shared),
            Code::Char('x') if key.ctrl => self.forget(&mut desk.shared, effects),
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

    fn questions(&mut self, shared: &mut Shared, effects: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.asked, true) {
            shared.ask(Query::FilterValues { column: None }, Asked::FilterNames, effects);
        }
        // One that was read stands as long as the line is open.
        let wanted = self.wanted(shared);
        if let Some(column) = wanted.filter(|name| self.column.as_ref().is_none_or(|(known, _)| known != name)) {
            shared.ask(Query::FilterValues { column: Some(column.clone()) }, Asked::FilterColumn, effects);
            self.column = Some((column, None));
        }
    }

    fn answer(&mut self, _shared: &Shared, what: Asked, answer: Result<Answer, String>) -> bool {
        match (what, answer) {
            (Asked::FilterNames, Ok(Answer::FilterValues(values))) => self.told = Some(values),
            (Asked::FilterColumn, Ok(Answer::FilterValues(values))) => {
                if let Some((_, told)) = &mut self.column {
                    *told = Some(values);
                }
            }
            // Without an answer nothing is offered, and what is known here is checked.
            _ => {}
        }
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
            let key = self.key.map(|letter| format!(" [Alt-{letter}]")).unwrap_or_default();
            let used = pen.text(0, y, w, Role::Accent, &format!("{}{key}", t.filter_name));
            return draw_input(pen, used + 1, y, w.saturating_sub(used + 2), name);
        }
        let used = pen.text(0, y, w, Role::Accent, "/ ");
        let caret = draw_input(pen, used, y, w.saturating_sub(used), &self.input);
        let offers = self.offers(shared);
        // A value that is still to be typed is no fault yet where there are values to choose from.
        let unfinished = !self.insisted && self.input.value().ends_with([':', '：']) && !offers.all.is_empty();
        if let Some(error) = self.error.as_ref().filter(|_| !unfinished) {
            let before: String = self.input.value().chars().take(error.at).collect();
            let x = (used as usize + pen.glyphs.width(&before)).min(usize::from(w.saturating_sub(20))) as u16;
            let used = pen.text(x, parts.foot.y, 2, Role::Error, "^ ");
            pen.text(x + used, parts.foot.y, w.saturating_sub(x + used), Role::Error, &said(shared, &error.fault));
            return caret;
        }
        self.draw_offers(shared, pen, parts, &offers);
        caret
    }
}

fn names_here(shared: &Shared, told: Option<&FilterValues>) -> Names {
    let envs = shared.envs.iter().map(|row| &row.env.id);
    let mut names = Names::of(shared.plans.rows(), envs, told);
    names.causes.extend(shared.groups.rows().iter().map(|group| group.group.clone()));
    names.operations.extend(shared.run_row().map(|row| row.head.op.clone()));
    names
}

fn checked(shared: &Shared, names: &Names, text: &str) -> Result<Filter, FilterError> {
    crate::ui::read_filter(text, &shared.setup.causes, names, (&shared.setup.site, shared.now))?.checked(text)
}

/// What is to be said of a filter that asks for a column which no plan reads now.
fn lost(shared: &Shared, filter: &Filter) -> Option<String> {
    let usable = shared.plans.rows().iter().filter_map(|row| row.plan.as_ref().ok());
    filter.lost_column(usable, shared.lang.language()).map(|column| crate::ui::lost_column(shared.lang, &column))
}

/// Shows the view of a letter: on the list here, on the ledger where there is none. `false` where no view has the letter.
pub(crate) fn show_view(desk: &mut Desk, letter: char) -> bool {
    let Some(view) = desk.shared.filters.iter().find(|view| view.key == Some(letter)).cloned() else { return false };
    let name = words::shown(&view.name);
    match checked(&desk.shared, &names_here(&desk.shared, None), &view.text) {
        Ok(filter) => {
            if desk.pane().filter().is_none() {
                desk.show(Scope::Ledger);
            }
            let lost = lost(&desk.shared, &filter);
            set(desk, filter);
            let is_lost = lost.is_some();
            let text = lost.unwrap_or_else(|| fill(desk.shared.t().view_shown, &[&name]));
            desk.shared.note(is_lost, text);
        }
        Err(error) => {
            let why = said(&desk.shared, &error.fault);
            let text = fill(desk.shared.t().view_gone, &[&name, &why]);
            desk.shared.note(true, text);
        }
    }
    true
}

/// What is wrong with the filter, in the operator's language.
fn said(shared: &Shared, fault: &FilterFault) -> String {
    if shared.lang == crate::ui::Lang::En {
        return skydeck_core::text::show(&fault.to_string(), 400).as_str().to_owned();
    }
    skydeck_core::text::show(&fault.zh(), 400).as_str().to_owned()
}
