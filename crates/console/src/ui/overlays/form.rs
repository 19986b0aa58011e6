//! A small form: fields of text, switches and choices, filled in and done with Enter.

use ratatui::layout::Rect;
use tui_input::Input;

use crate::ui::cells::Pen;
use crate::ui::counter::Counter;
use crate::ui::desk::Desk;
use crate::ui::format;
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::shared::Shared;
use crate::ui::shared::outbox::Asked;
use crate::ui::skin::Role;
use crate::ui::targets::Target;
use crate::ui::words;
use skydeck_core::domain::query::Answer;
use skydeck_core::domain::time::Ts;

use super::dialog::{UNREAD, draw_keys, middle};
use super::line::{draw_input, edit, insert};
use super::overlay::{Next, Overlay};

/// The value of a field.
pub(super) enum Value {
    Text(Input),
    Toggle(bool),
    Choice(usize, Vec<String>),
}

/// A field.
pub(super) struct Field {
    pub label: String,
    /// Shown while a text is empty, and beside a switch.
    pub hint: String,
    pub value: Value,
}

impl Field {
    pub fn text(label: &str, hint: &str, value: &str) -> Self {
        Self { label: label.to_owned(), hint: hint.to_owned(), value: Value::Text(Input::from(value)) }
    }

    pub fn toggle(label: &str, hint: &str, on: bool) -> Self {
        Self { label: label.to_owned(), hint: hint.to_owned(), value: Value::Toggle(on) }
    }

    pub fn choice(label: &str, options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self { label: label.to_owned(), hint: String::new(), value: Value::Choice(0, options) }
    }
}

/// What was filled in.
pub(super) struct Values<'a>(&'a mut [Field]);

impl Values<'_> {
    /// A text, without blanks around it, or the option chosen.
    pub fn text(&self, n: usize) -> String {
        match self.0.get(n).map(|field| &field.value) {
            Some(Value::Text(input)) => input.value().trim().to_owned(),
            Some(Value::Choice(at, options)) => options.get(*at).cloned().unwrap_or_default(),
            Some(Value::Toggle(_)) | None => String::new(),
        }
    }

    /// Which of its options a choice stands on.
    pub fn chosen(&self, n: usize) -> usize {
        match self.0.get(n).map(|field| &field.value) {
            Some(Value::Choice(at, _)) => *at,
            _ => 0,
        }
    }

    /// Whether a switch is on.
    pub fn is_on(&self, n: usize) -> bool {
        matches!(self.0.get(n).map(|field| &field.value), Some(Value::Toggle(true)))
    }

    /// Labels of the switches that are on.
    pub fn on(&self) -> Vec<&str> {
        let on = self.0.iter().filter(|field| matches!(field.value, Value::Toggle(true)));
        on.map(|field| field.label.as_str()).collect()
    }

    /// Fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes a text anew.
    pub fn set(&mut self, n: usize, text: &str) {
        if let Some(Field { value: Value::Text(input), .. }) = self.0.get_mut(n) {
            *input = Input::from(text);
        }
    }
}

/// What a form is for.
pub(super) trait Purpose {
    /// Its border is that of a warning.
    fn warns(&self) -> bool {
        false
    }

    /// A field was changed: others may follow it.
    fn changed(&self, _values: &mut Values<'_>) {}

    /// Does it, or says what is wrong.
    fn done(&mut self, desk: &mut Desk, values: &Values<'_>, effects: &mut Vec<Effect>) -> Result<Next, String>;

    /// What it counts before it is done, where it counts anything.
    fn counter(&mut self) -> Option<&mut Counter> {
        None
    }

    /// It is left with Esc.
    fn left(&mut self) -> Next {
        Next::Close
    }
}

/// A form.
pub(super) struct Form {
    kind: Box<dyn Purpose>,
    title: &'static str,
    about: String,
    fields: Vec<Field>,
    at: usize,
    error: Option<String>,
    /// How many bills it is about, once that was counted.
    counted: Option<String>,
    opened: Ts,
}

impl Form {
    /// The cursor stands in the field `at`.
    pub fn new(
        kind: impl Purpose + 'static,
        (title, about): (&'static str, String),
        fields: Vec<Field>,
        at: usize,
        opened: Ts,
    ) -> Self {
        Self { kind: Box::new(kind), title, about, fields, at, error: None, counted: None, opened }
    }

    /// A key that changes the field under the cursor.
    fn change(&mut self, key: Key) {
        match self.fields.get_mut(self.at).map(|field| &mut field.value) {
            Some(Value::Text(input)) => {
                edit(input, key);
            }
            Some(Value::Toggle(on)) if key.code == Code::Char(' ') => *on = !*on,
            Some(Value::Choice(at, options)) => {
                let n = options.len().max(1);
                match key.code {
                    Code::Char(' ' | 'l') | Code::Right => *at = (*at + 1) % n,
                    Code::Char('h') | Code::Left => *at = (*at + n - 1) % n,
                    _ => {}
                }
            }
            Some(Value::Toggle(_)) | None => {}
        }
        self.kind.changed(&mut Values(&mut self.fields));
    }

    /// The fields, one on every second line; gives where the caret stands.
    fn draw_fields(&self, pen: &mut Pen<'_>, inside: Rect) -> Option<(u16, u16)> {
        let label = self.fields.iter().map(|f| pen.glyphs.width(&f.label)).max().unwrap_or(0).min(40) as u16 + 1;
        let mut caret = None;
        for (i, field) in self.fields.iter().enumerate() {
            let y = inside.y + 2 + i as u16 * 2;
            if y + 1 >= inside.bottom() {
                break;
            }
            let here = i == self.at;
            pen.targets.offer(Rect { y, height: 1, ..inside }, &Target::Row(i));
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
        caret
    }
}

impl Overlay for Form {
    fn questions(&mut self, shared: &mut Shared, effects: &mut Vec<Effect>) {
        if let Some(query) = self.kind.counter().and_then(Counter::query) {
            shared.ask(query, Asked::Counting, effects);
        }
    }

    fn answer(&mut self, shared: &Shared, what: Asked, answer: Result<Answer, String>) -> bool {
        let Some(counter) = self.kind.counter().filter(|_| what == Asked::Counting) else { return true };
        match answer {
            Ok(Answer::LedgerCounts(more)) => {
                counter.take(more);
                let more = if counter.is_done() { "" } else { "+" };
                let n = format!("{}{more}", format::count(counter.counts().total()));
                self.counted = Some(words::bills(shared.lang, &n));
                true
            }
            Ok(_) => false,
            Err(error) => {
                self.error = Some(error);
                true
            }
        }
    }

    fn key(&mut self, desk: &mut Desk, key: Key, effects: &mut Vec<Effect>) -> Next {
        let n = self.fields.len().max(1);
        match key.code {
            Code::Esc => return self.kind.left(),
            Code::Tab | Code::Down => self.at = (self.at + 1) % n,
            Code::BackTab | Code::Up => self.at = (self.at + n - 1) % n,
            Code::Enter if desk.shared.now.since(self.opened) >= UNREAD => {
                match self.kind.done(desk, &Values(&mut self.fields), effects) {
                    Ok(next) => return next,
                    Err(error) => self.error = Some(error),
                }
            }
            _ => {
                self.error = None;
                self.change(key);
            }
        }
        Next::Stay
    }

    /// A switch is turned with it.
    fn pick(&mut self, row: usize) -> Option<Key> {
        self.at = row;
        let turns = self.fields.get(row).is_some_and(|field| !matches!(field.value, Value::Text(_)));
        turns.then_some(Key::char(' '))
    }

    fn takes_text(&self, _shared: &Shared) -> bool {
        matches!(self.fields.get(self.at).map(|field| &field.value), Some(Value::Text(_)))
    }

    /// Pasted text goes into the field that is being edited.
    fn paste(&mut self, _desk: &Desk, text: &str) -> bool {
        if let Some(Field { value: Value::Text(input), .. }) = self.fields.get_mut(self.at) {
            insert(input, text);
        }
        true
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let (shared, t) = (&desk.shared, desk.shared.t());
        let width = shared.size.0.saturating_sub(4).min(76);
        let height = self.fields.len() as u16 * 2 + 6;
        let role = if self.kind.warns() { Role::Warning } else { Role::Accent };
        let area = middle(pen, width, height);
        let inside = pen.window(area, role, self.title);
        if inside.height == 0 {
            return None;
        }
        let used = match &self.counted {
            Some(n) => pen.text(inside.x, inside.y, inside.width, Role::Title, n) + 2,
            None => 0,
        };
        let (x, left) = (inside.x + used, inside.width.saturating_sub(used));
        pen.text(x, inside.y, left, Role::Dim, &words::shown(&self.about));
        let caret = self.draw_fields(pen, inside);
        if let Some(error) = &self.error {
            pen.text(inside.x, inside.bottom().saturating_sub(2), inside.width, Role::Error, &words::shown(error));
        }
        let mut keys = vec![("Enter".to_owned(), t.form_do), ("Esc".to_owned(), t.form_cancel)];
        if self.fields.len() > 1 {
            keys.push(("Tab".to_owned(), t.form_next));
        }
        if self.fields.iter().any(|f| !matches!(f.value, Value::Text(_))) {
            keys.push(("Space".to_owned(), t.form_change));
        }
        draw_keys(pen, inside.x, inside.bottom() - 1, inside.width, &keys);
        caret
    }
}
