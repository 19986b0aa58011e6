//! The one key table: it feeds dispatch, footer, help, palette and the README.
//!
//! Invariant: within what can be pressed at one place a key means one thing; configuration that breaks this is refused.

use std::collections::BTreeMap;

use super::config::{Digits, Lang};
use super::msg::{Code, Key};

/// What an operator can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is described to people in both languages by `lang`")]
pub enum Action {
    Help,
    Palette,
    Plans,
    Queue,
    Results,
    Ledger,
    History,
    Bill,
    Log,
    NextPane,
    PrevPane,
    Back,
    NextRun,
    PrevRun,
    Zoom,
    Freeze,
    Notices,
    Unlock,
    Language,
    Redraw,
    Suspend,
    Quit,
    Down,
    Up,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    First,
    Last,
    Count,
    Open,
    Mark,
    MarkAll,
    Unmark,
    Filter,
    ClearFilter,
    Copy,
    Export,
    Handover,
    Compare,
    JumpDate,
    Fold,
    Columns,
    ColumnsLeft,
    ColumnsRight,
    Run,
    RunWith,
    Approve,
    Reload,
    Pause,
    Stop,
    Pace,
    Retry,
    Verify,
    Resolve,
    Reopen,
    Raw,
    Yes,
    No,
    Flags,
    Today,
    Find,
    Span,
    Into,
    NumberLeft,
    NumberRight,
    Deny,
    Forecast,
    Revision,
}

/// Where a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are places of the screen")]
pub enum Scope {
    Global,
    /// Every pane with a list.
    List,
    Today,
    Plans,
    Queue,
    Results,
    Ledger,
    History,
    Bill,
    Log,
    /// A dialog with a question.
    Dialog,
}

/// Panes' own scopes.
pub const PANES: [Scope; 8] =
    [Scope::Today, Scope::Plans, Scope::Queue, Scope::Results, Scope::Ledger, Scope::History, Scope::Bill, Scope::Log];

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What.
    pub action: Action,
    /// Name in configuration.
    pub name: &'static str,
    /// Keys out of the box.
    pub keys: &'static [&'static str],
    /// Where.
    pub scopes: &'static [Scope],
    /// Rank in the footer, small first; 0 = not there.
    pub footer: u8,
}

const fn row(
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    scopes: &'static [Scope],
    footer: u8,
) -> Row {
    Row { action, name, keys, scopes, footer }
}

use Scope as S;
/// What begins a count out of the box. `#` is read "number" and was free on every pane; a digit begins with itself.
const COUNT: &[&str] = &["#", "alt-1", "alt-2", "alt-3", "alt-4", "alt-5", "alt-6", "alt-7", "alt-8", "alt-9"];

/// What is bound otherwise where plain digits are counts: digits and Alt with digits change places.
const DIGITS_COUNT: &[(Action, &[&str])] = &[
    (Action::Count, &["#", "1", "2", "3", "4", "5", "6", "7", "8", "9"]),
    (Action::Today, &["alt-0"]),
    (Action::Plans, &["alt-1"]),
    (Action::Queue, &["alt-2"]),
    (Action::Results, &["alt-3"]),
    (Action::Ledger, &["alt-4"]),
    (Action::History, &["alt-5"]),
    (Action::Bill, &["alt-6"]),
    (Action::Log, &["alt-7"]),
];

/// Panes in which left and right lead into a row and out of it: in Today they lead from number to number.
const NOT_TODAY: &[Scope] = &[S::Plans, S::Queue, S::Results, S::Ledger, S::History, S::Bill, S::Log];

/// The table.
pub const TABLE: &[Row] = &[
    row(Action::Down, "down", &["j", "down"], &[S::List], 0),
    row(Action::Up, "up", &["k", "up"], &[S::List], 0),
    row(Action::HalfDown, "half-down", &["ctrl-d"], &[S::List], 0),
    row(Action::HalfUp, "half-up", &["ctrl-u"], &[S::List], 0),
    row(Action::PageDown, "page-down", &["pagedown", "ctrl-f"], &[S::List], 0),
    row(Action::PageUp, "page-up", &["pageup", "ctrl-b"], &[S::List], 0),
    row(Action::First, "first", &["g", "home"], &[S::List], 0),
    row(Action::Last, "last", &["G", "end"], &[S::List], 0),
    row(Action::Count, "count", COUNT, &[S::List], 22),
    row(Action::Open, "open", &["enter"], &[S::List], 9),
    row(Action::NumberRight, "number-right", &["l", "right"], &[S::Today], 10),
    row(Action::NumberLeft, "number-left", &["h", "left"], &[S::Today], 0),
    row(Action::Span, "span", &["t"], &[S::Today], 4),
    row(Action::Deny, "no-alarm", &["!"], &[S::Today], 0),
    row(Action::Forecast, "forecast", &["F"], &[S::Plans, S::Today], 0),
    row(Action::Run, "run", &["r"], &[S::Plans, S::Today], 1),
    row(Action::RunWith, "run-with", &["o"], &[S::Plans], 4),
    row(Action::Reload, "reload", &["f5"], &[S::Plans], 20),
    row(Action::Approve, "approve", &["a"], &[S::Plans, S::Queue, S::Results, S::Today], 2),
    row(Action::Pause, "pause", &["p"], &[S::Plans, S::Queue, S::Results, S::Today], 3),
    row(Action::Stop, "stop", &["x", "s"], &[S::Plans, S::Queue, S::Results, S::Today], 5),
    row(Action::Pace, "pace", &["P"], &[S::Plans, S::Queue], 6),
    row(Action::Retry, "retry", &["R"], &[S::Queue, S::Results, S::Ledger, S::Bill, S::Today], 1),
    row(Action::Verify, "verify", &["v"], &[S::Results, S::Ledger, S::Bill, S::Today], 2),
    row(Action::Resolve, "resolve", &["c"], &[S::Results, S::Ledger, S::Bill, S::Today], 7),
    row(Action::Reopen, "reopen", &["C"], &[S::Results, S::Ledger, S::Bill, S::Today], 0),
    row(Action::Mark, "mark", &["space"], &[S::Queue, S::Results, S::Ledger, S::History], 7),
    row(Action::MarkAll, "mark-all", &["*"], &[S::Results, S::Ledger], 8),
    row(Action::Unmark, "unmark", &["u"], &[S::Queue, S::Results, S::Ledger, S::History], 0),
    row(Action::Filter, "filter", &["/"], &[S::Results, S::Ledger, S::History], 6),
    row(Action::ClearFilter, "clear-filter", &["\\"], &[S::Results, S::Ledger, S::History], 0),
    row(Action::Columns, "columns", &["|"], &[S::Results, S::Ledger, S::History], 0),
    row(Action::ColumnsLeft, "columns-left", &["<"], &[S::Results, S::Ledger, S::History], 0),
    row(Action::ColumnsRight, "columns-right", &[">"], &[S::Results, S::Ledger, S::History], 0),
    row(Action::Raw, "raw", &["t"], &[S::Bill], 3),
    row(Action::Copy, "copy", &["y"], &[S::List], 12),
    row(Action::Export, "export", &["e"], &[S::Results, S::Ledger, S::History], 11),
    row(Action::Handover, "hand-over", &["e"], &[S::Today], 11),
    row(Action::Compare, "compare", &["="], &[S::History], 3),
    row(Action::JumpDate, "jump-date", &["d"], &[S::History, S::Today], 5),
    row(Action::NextRun, "next-run", &["]"], &[S::Queue, S::Results], 0),
    row(Action::PrevRun, "prev-run", &["["], &[S::Queue, S::Results], 0),
    row(Action::Freeze, "freeze", &["f"], &[S::Queue, S::Results], 10),
    row(Action::Into, "into", &["l", "right"], NOT_TODAY, 0),
    row(Action::Fold, "fold", &["h", "left"], NOT_TODAY, 0),
    row(Action::Find, "find", &["b"], &[S::Global], 12),
    row(Action::Zoom, "zoom", &["z"], &[S::Global], 0),
    row(Action::Today, "today", &["0"], &[S::Global], 0),
    row(Action::Plans, "plans", &["1"], &[S::Global], 0),
    row(Action::Queue, "queue", &["2"], &[S::Global], 0),
    row(Action::Results, "results", &["3"], &[S::Global], 0),
    row(Action::Ledger, "ledger", &["4"], &[S::Global], 0),
    row(Action::History, "history", &["5"], &[S::Global], 0),
    row(Action::Bill, "bill", &["6"], &[S::Global], 0),
    row(Action::Log, "log", &["7"], &[S::Global], 0),
    row(Action::NextPane, "next-pane", &["tab"], &[S::Global], 0),
    row(Action::PrevPane, "prev-pane", &["backtab"], &[S::Global], 0),
    row(Action::Back, "back", &["esc"], &[S::Global], 0),
    row(Action::Unlock, "unlock", &["w"], &[S::Global], 13),
    row(Action::Notices, "notices", &["n"], &[S::Global], 0),
    row(Action::Language, "language", &["L"], &[S::Global], 0),
    row(Action::Palette, "palette", &[":"], &[S::Global], 21),
    row(Action::Help, "help", &["?", "f1"], &[S::Global], 0),
    row(Action::Redraw, "redraw", &["ctrl-l"], &[S::Global], 0),
    row(Action::Suspend, "suspend", &["ctrl-z"], &[S::Global], 0),
    row(Action::Quit, "quit", &["q", "ctrl-c"], &[S::Global], 0),
    row(Action::Yes, "yes", &["y"], &[S::Dialog], 1),
    row(Action::No, "no", &["n", "esc"], &[S::Dialog], 2),
    row(Action::Flags, "flags", &["i"], &[S::Dialog], 3),
    row(Action::Revision, "revision", &["o"], &[S::Dialog], 4),
];

/// The keys in force.
#[derive(Clone, Debug)]
pub struct Keymap {
    keys: BTreeMap<Action, Vec<Key>>,
    lookup: BTreeMap<(Scope, Key), Action>,
}

/// Why a key configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No such action.
    #[error("keys: no action `{0}`; `skydeck keys` lists them")]
    NoAction(String),
    /// Not a key.
    #[error(
        "keys: `{action}`: `{key}` is no key; write a letter, enter, esc, tab, space, up, pagedown, f5, ctrl-x, alt-x"
    )]
    NoKey {
        /// Action.
        action: String,
        /// What was written.
        key: String,
    },
    /// Nothing was bound.
    #[error("keys: `{0}` would have no key")]
    Unbound(String),
    /// One key, two meanings.
    #[error("keys: `{key}` would mean both `{first}` and `{second}`")]
    Conflict {
        /// Key.
        key: String,
        /// One meaning.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

impl Keymap {
    /// The table with an operator's changes: (action name, keys), which replace the action's keys.
    pub fn new(overrides: &[(String, Vec<String>)]) -> Result<Self, KeymapError> {
        Self::with(Digits::Panes, overrides)
    }

    /// The same, with plain digits as the operator wants them.
    pub fn with(digits: Digits, overrides: &[(String, Vec<String>)]) -> Result<Self, KeymapError> {
        for (name, _) in overrides {
            if !TABLE.iter().any(|r| r.name == name) {
                return Err(KeymapError::NoAction(name.clone()));
            }
        }
        let mut map = Self { keys: BTreeMap::new(), lookup: BTreeMap::new() };
        for row in TABLE {
            let own = overrides.iter().find(|(name, _)| name == row.name);
            let texts: Vec<&str> = own.map_or_else(
                || standard_keys(row, digits).to_vec(),
                |(_, keys)| keys.iter().map(String::as_str).collect(),
            );
            if texts.is_empty() {
                return Err(KeymapError::Unbound(row.name.to_owned()));
            }
            for text in texts {
                let key = read_key(text)
                    .ok_or_else(|| KeymapError::NoKey { action: row.name.to_owned(), key: text.to_owned() })?;
                map.bind(row, key)?;
            }
        }
        Ok(map)
    }

    /// The table as it is.
    pub fn standard() -> Self {
        Self::new(&[]).unwrap_or_else(|_| Self { keys: BTreeMap::new(), lookup: BTreeMap::new() })
    }

    fn bind(&mut self, row: &Row, key: Key) -> Result<(), KeymapError> {
        for place in row.scopes.iter().flat_map(|scope| places(*scope)) {
            if let Some(other) = self.lookup.insert((place, key), row.action)
                && other != row.action
            {
                return Err(KeymapError::Conflict { key: key_name(key), first: name_of(other), second: row.name });
            }
        }
        self.keys.entry(row.action).or_default().push(key);
        Ok(())
    }

    /// What a key means in a pane (or in [`Scope::Dialog`]).
    pub fn action(&self, place: Scope, key: Key) -> Option<Action> {
        self.lookup.get(&(place, key)).copied()
    }

    /// What a key means in other panes than this one, in the order of the panes: the action and where it has this key.
    pub fn elsewhere(&self, place: Scope, key: Key) -> Option<(Action, Vec<Scope>)> {
        let there = |pane: &Scope| *pane != place;
        let action = PANES.iter().filter(|pane| there(pane)).find_map(|pane| self.action(*pane, key))?;
        let panes = PANES.into_iter().filter(|pane| there(pane) && self.action(*pane, key) == Some(action));
        Some((action, panes.collect()))
    }

    /// The keys of an action.
    pub fn keys(&self, action: Action) -> &[Key] {
        self.keys.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The first key of an action as text.
    pub fn key(&self, action: Action) -> String {
        self.keys(action).first().map(|k| key_name(*k)).unwrap_or_default()
    }

    /// All keys of an action as text.
    pub fn all_keys(&self, action: Action) -> String {
        key_names(self.keys(action)).join(" ")
    }
}

/// An action's keys before an operator's own.
fn standard_keys(row: &Row, digits: Digits) -> &'static [&'static str] {
    let other = DIGITS_COUNT.iter().find(|(action, _)| digits == Digits::Counts && *action == row.action);
    other.map_or(row.keys, |(_, keys)| keys)
}

/// What a count before it means something to: moves, which it repeats or aims, and marking. In the footer's order while
/// a count is typed.
pub const COUNTED: [Action; 11] = [
    Action::Down,
    Action::Up,
    Action::Last,
    Action::Mark,
    Action::HalfDown,
    Action::HalfUp,
    Action::PageDown,
    Action::PageUp,
    Action::First,
    Action::NextRun,
    Action::PrevRun,
];

/// Keys as people read them; three and more digits in a row as `1..9`.
fn key_names(keys: &[Key]) -> Vec<String> {
    let digit = |key: &Key| match key.code {
        Code::Char(c) => c.to_digit(10),
        _ => None,
    };
    let follows = |a: &Key, b: &Key| {
        (a.ctrl, a.alt) == (b.ctrl, b.alt) && digit(a).zip(digit(b)).is_some_and(|(a, b)| a + 1 == b)
    };
    let mut names = Vec::new();
    for run in keys.chunk_by(follows) {
        match run {
            [first, .., Key { code: Code::Char(last), .. }] if run.len() > 2 => {
                names.push(format!("{}..{last}", key_name(*first)));
            }
            _ => names.extend(run.iter().map(|key| key_name(*key))),
        }
    }
    names
}

/// The places a scope reaches.
fn places(scope: Scope) -> Vec<Scope> {
    match scope {
        Scope::Global | Scope::List => PANES.to_vec(),
        other => vec![other],
    }
}

/// Whether an action can be meant at a place at all.
pub fn reaches(row: &Row, place: Scope) -> bool {
    row.scopes.iter().any(|s| places(*s).contains(&place))
}

/// An action's name in configuration.
pub fn name_of(action: Action) -> &'static str {
    TABLE.iter().find(|r| r.action == action).map_or("?", |r| r.name)
}

/// Reads `j`, `G`, `enter`, `ctrl-d`, `alt-x`, `f5`.
pub fn read_key(text: &str) -> Option<Key> {
    let (mut ctrl, mut alt, mut rest) = (false, false, text);
    loop {
        if let Some(r) = rest.strip_prefix("ctrl-").filter(|r| !r.is_empty()) {
            (ctrl, rest) = (true, r);
        } else if let Some(r) = rest.strip_prefix("alt-").filter(|r| !r.is_empty()) {
            (alt, rest) = (true, r);
        } else {
            break;
        }
    }
    let mut chars = rest.chars();
    let code = match (chars.next(), chars.next()) {
        (Some(c), None) => Code::Char(c),
        _ => match rest {
            "space" => Code::Char(' '),
            "enter" => Code::Enter,
            "esc" => Code::Esc,
            "tab" => Code::Tab,
            "backtab" => Code::BackTab,
            "backspace" => Code::Backspace,
            "delete" => Code::Delete,
            "left" => Code::Left,
            "right" => Code::Right,
            "up" => Code::Up,
            "down" => Code::Down,
            "home" => Code::Home,
            "end" => Code::End,
            "pageup" => Code::PageUp,
            "pagedown" => Code::PageDown,
            _ => Code::F(rest.strip_prefix('f')?.parse().ok().filter(|n| (1..=24).contains(n))?),
        },
    };
    Some(Key { code, ctrl, alt })
}

/// Reads a key as people do ([`key_name`]).
pub fn pressed(name: &str) -> Option<Key> {
    let (mut name, mut ctrl, mut alt) = (name, false, false);
    while let Some(rest) = name.strip_prefix("Ctrl-").or_else(|| name.strip_prefix("Alt-")).filter(|r| !r.is_empty()) {
        (ctrl, alt) = (ctrl || name.starts_with('C'), alt || name.starts_with('A'));
        name = rest;
    }
    let word = match name {
        _ if name.chars().nth(1).is_none() => name.to_owned(),
        "Shift-Tab" => "backtab".to_owned(),
        "Del" => "delete".to_owned(),
        "PgUp" => "pageup".to_owned(),
        "PgDn" => "pagedown".to_owned(),
        _ => name.to_lowercase(),
    };
    let key = read_key(&word).filter(|key| !key.ctrl && !key.alt)?;
    Some(Key { ctrl, alt, ..key })
}

/// A key as people read it.
pub fn key_name(key: Key) -> String {
    let base = match key.code {
        Code::Char(' ') => "Space".to_owned(),
        Code::Char(c) => c.to_string(),
        Code::Enter => "Enter".to_owned(),
        Code::Esc => "Esc".to_owned(),
        Code::Tab => "Tab".to_owned(),
        Code::BackTab => "Shift-Tab".to_owned(),
        Code::Backspace => "Backspace".to_owned(),
        Code::Delete => "Del".to_owned(),
        Code::Left => "Left".to_owned(),
        Code::Right => "Right".to_owned(),
        Code::Up => "Up".to_owned(),
        Code::Down => "Down".to_owned(),
        Code::Home => "Home".to_owned(),
        Code::End => "End".to_owned(),
        Code::PageUp => "PgUp".to_owned(),
        Code::PageDown => "PgDn".to_owned(),
        Code::F(n) => format!("F{n}"),
    };
    format!("{}{}{base}", if key.ctrl { "Ctrl-" } else { "" }, if key.alt { "Alt-" } else { "" })
}

/// The table as Markdown, for the README and the manual.
pub fn markdown(lang: Lang) -> String {
    use std::fmt::Write;
    let map = Keymap::standard();
    let texts = lang.texts();
    let mut out =
        format!("| {} | {} | {} | {} |\n|---|---|---|---|\n", texts.keys, texts.meaning, texts.place, texts.name);
    for row in TABLE {
        let keys: Vec<String> = key_names(map.keys(row.action)).iter().map(|k| format!("`{k}`")).collect();
        let places: Vec<&str> = row.scopes.iter().map(|s| lang.scope(*s)).collect();
        let (keys, places) =
            (keys.join(" ").replace('|', "\\|"), places.join(if lang == Lang::Zh { "、" } else { ", " }));
        let _ = writeln!(out, "| {keys} | {} | {places} | `{}` |", lang.action(row.action).1, row.name);
    }
    out
}
