//! What may follow in the filter line: keys, then the values of a key.
//!
//! Invariant: bounded by what is known here and by one answer of the store; nothing is read while a key is handled.

use tui_input::Input;

use crate::ui::Names;
use crate::ui::filter_words::cause_said;
use crate::ui::keymap::Scope;
use crate::ui::shared::Shared;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::cause::{Cause, known};
use skydeck_core::domain::filter::{Ask, Key, Moment, NAMED, Named, Word, fold_label, key_called, runs};
use skydeck_core::domain::ids::OpId;
use skydeck_core::domain::language::Language;
use skydeck_core::domain::operation_words;
use skydeck_core::domain::query::FilterValues;
use skydeck_core::domain::who::{Origin, Who};

/// Values offered at once.
const MOST: usize = 60;

/// One candidate.
#[derive(Debug)]
pub(super) struct Offer {
    /// What is put in the place of the whole word.
    pub word: String,
    /// What is shown of it.
    pub shown: String,
}

/// What could stand where the caret is.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// The likely ones first.
    pub all: Vec<Offer>,
    /// Rows of the history that the values come from.
    pub looked: Option<u64>,
    /// The values are on their way.
    pub is_reading: bool,
}

/// The word before the caret, and where it begins (in characters). Blanks between quotes are no ends.
pub(super) fn word(input: &Input) -> (usize, String) {
    let before: Vec<char> = input.value().chars().take(input.cursor()).collect();
    let (mut start, mut quoted) = (0, false);
    for (at, c) in before.iter().enumerate() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => start = at + 1,
            _ => {}
        }
    }
    (start, before.iter().skip(start).collect())
}

/// A word in its parts.
struct Parts<'a> {
    minus: &'a str,
    /// What stands before the colon, and the colon; none where the key is still being typed.
    key: Option<(&'a str, &'a str)>,
    /// Values before the last one, each with its comma.
    before: &'a str,
    /// What was typed of the last one, or of the key.
    typed: &'a str,
}

fn parts(word: &str) -> Parts<'_> {
    let (minus, body) = match word.strip_prefix('-') {
        Some(body) => ("-", body),
        None => ("", word),
    };
    let Some(at) = body.find([':', '：']) else { return Parts { minus, key: None, before: "", typed: body } };
    let (name, rest) = body.split_at(at);
    let colon = rest.chars().next().map_or(0, char::len_utf8);
    let (colon, value) = rest.split_at(colon);
    let cut = value.rfind([',', '，']).map_or(0, |at| at + value.get(at..).map_or(0, first_len));
    let (before, typed) = value.split_at(cut);
    Parts { minus, key: Some((name, colon)), before, typed }
}

fn first_len(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// The column whose values are wanted for this word.
pub(super) fn column_of(names: &Names, word: &str) -> Option<String> {
    let label = fold_label(parts(word).key?.0);
    let is_column = match key_called(&label) {
        Some(Ask::Words(Key::Customer | Key::Org)) => true,
        Some(Ask::Words(_) | Ask::Date(_) | Ask::Age | Ask::Attempts) => false,
        None => names.columns.contains(&label),
    };
    is_column.then_some(label)
}

/// What could stand in the place of a word. `column`: the column that was asked for, and what came.
pub(super) fn offers(
    shared: &Shared,
    (names, told_names): (&Names, Option<&FilterValues>),
    column: Option<(&str, &FilterValues)>,
    word: &str,
) -> Offers {
    let parts = parts(word);
    let Some((name, colon)) = parts.key else {
        return Offers { all: keys(shared, names, &parts), ..Offers::default() };
    };
    let label = fold_label(name);
    let mut offers = Offers::default();
    let values = match key_called(&label) {
        Some(Ask::Words(Key::Customer | Key::Org)) | None => {
            let told = column.filter(|(asked, _)| *asked == label).map(|(_, told)| told);
            offers.looked = told.map(|told| told.looked);
            offers.is_reading = told.is_none() && column_of(names, word).is_some();
            told.map(|told| told.values.iter().map(|(value, _)| value.clone()).collect()).unwrap_or_default()
        }
        Some(Ask::Words(key)) => values(shared, (names, told_names), key, tongue(shared, parts.typed)),
        Some(Ask::Date(_)) => dates(tongue(shared, parts.typed)),
        Some(Ask::Age) => shared
            .lang
            .language()
            .t([">1h", ">1d", ">2d", "<1h"], [">1时", ">1天", ">2天", "<1时"])
            .map(str::to_owned)
            .to_vec(),
        Some(Ask::Attempts) => [">1", ">2"].map(str::to_owned).to_vec(),
    };
    let head = format!("{}{name}{colon}{}", parts.minus, parts.before);
    let typed = parts.typed.trim_start_matches('"').to_lowercase();
    let quoted = parts.before.contains('"') || parts.before.contains(char::is_whitespace);
    let put = |value: &String| {
        let blank = value.contains(char::is_whitespace) && !quoted;
        let word = if blank { format!("{head}\"{value}\"") } else { format!("{head}{value}") };
        Offer { word, shown: value.clone() }
    };
    let is_plain = |value: &&String| !value.contains([',', '，', '"']);
    let fits = |value: &&String, begins: bool| {
        let value = value.to_lowercase();
        value != typed
            && if begins { value.starts_with(&typed) } else { !value.starts_with(&typed) && value.contains(&typed) }
    };
    let begin = values.iter().filter(|value| fits(value, true));
    let hold = values.iter().filter(|value| fits(value, false));
    let mut seen = std::collections::BTreeSet::new();
    let all = begin.chain(hold).filter(is_plain).filter(|value| seen.insert((*value).clone()));
    offers.all = all.map(put).take(MOST).collect();
    offers
}

/// The language that is typed; before anything is, the operator's.
fn tongue(shared: &Shared, typed: &str) -> Language {
    let letters: String = typed.chars().filter(|c| c.is_alphabetic()).collect();
    match (letters.is_empty(), letters.is_ascii()) {
        (true, _) => shared.lang.language(),
        (false, true) => Language::En,
        (false, false) => Language::Zh,
    }
}

/// Keys and columns that begin so, in the language that is typed.
fn keys(shared: &Shared, names: &Names, parts: &Parts<'_>) -> Vec<Offer> {
    let typed = parts.typed.to_lowercase();
    let lang = tongue(shared, &typed);
    let all = |lang: Language| {
        NAMED.iter().flat_map(move |named| lang.t(named.en, named.zh).iter().map(|name| (*name).to_owned()))
    };
    // Before anything is typed each key once, by its first name; where runs are listed, those about runs first.
    let of_runs = |ask: Ask| match ask {
        Ask::Words(key) => key.is_about_runs(),
        Ask::Date(of) => of == Moment::Run,
        Ask::Age | Ask::Attempts => false,
    };
    let lists_runs = shared.nav.here() == Scope::History;
    let (before, after): (Vec<&Named>, Vec<&Named>) = NAMED.iter().partition(|named| lists_runs && of_runs(named.ask));
    let first = before.into_iter().chain(after).map(|named| named.name(lang).to_owned());
    let keys: Vec<String> = if typed.is_empty() { first.collect() } else { all(lang).collect() };
    let columns = names.columns.iter().filter(|_| !typed.is_empty()).cloned();
    let mut seen = std::collections::BTreeSet::new();
    let begin = keys.into_iter().chain(columns).filter(|name| name.starts_with(&typed));
    let new = begin.filter(|name| seen.insert(name.clone()));
    let offer = |name: String| Offer { word: format!("{}{name}:", parts.minus), shown: format!("{name}:") };
    new.map(offer).take(MOST).collect()
}

/// Words of the calendar, and how a stretch is written.
fn dates(lang: Language) -> Vec<String> {
    let words = Word::offered(lang).map(str::to_owned);
    let signed = Word::offered(lang).map(|word| format!(">={word}"));
    words.chain(signed).collect()
}

/// Values of a key, the likely ones first.
fn values(
    shared: &Shared,
    (names, told_names): (&Names, Option<&FilterValues>),
    key: Key,
    lang: Language,
) -> Vec<String> {
    let at_hand = |op: &&OpId| is_at_hand(shared, told_names, op);
    match key {
        Key::Cause => {
            let unresolved = shared.groups.rows().iter().map(|group| group.group.clone());
            let table = shared.setup.causes.cause.iter().map(|info| info.cause.as_str().to_owned());
            let all = unresolved.chain(table).chain(names.causes.iter().cloned());
            all.map(|name| cause_said(&shared.setup.causes, lang, &name).unwrap_or(name)).collect()
        }
        Key::Status => {
            let ops = &names.operations;
            let told = ops.iter().filter(at_hand);
            match lang {
                Language::En => {
                    let told: Vec<_> = told.collect();
                    Slot::ALL
                        .iter()
                        .flat_map(|slot| operation_words::offered(*slot, told.iter().copied()))
                        .map(str::to_owned)
                        .collect()
                }
                Language::Zh => {
                    let own = told.map(operation_words::words).collect::<Vec<_>>();
                    let of =
                        |slot: &Slot| own.iter().map(|words| words.column(lang, *slot).to_owned()).collect::<Vec<_>>();
                    Slot::ALL.iter().flat_map(of).collect()
                }
            }
        }
        Key::Operation => {
            let told = names.operations.iter().filter(at_hand);
            told.map(|op| lang.t(operation_words::name(op), operation_words::call_zh_short(op)).to_owned()).collect()
        }
        Key::Plan => names.plans.iter().map(|(id, _)| id.to_string()).collect(),
        Key::Who => names.people.iter().flatten().map(|who| person(who, lang)).collect(),
        Key::Env => names.environments.iter().map(ToString::to_string).collect(),
        Key::State => runs::states(lang).map(str::to_owned).collect(),
        Key::Kind => runs::kinds(lang).map(str::to_owned).collect(),
        Key::Likely => {
            let causes = &shared.setup.causes;
            let unresolved = shared.groups.rows().iter().map(|group| group.group.clone());
            let table = causes.cause.iter().map(|info| info.cause.as_str().to_owned());
            let foretold = |name: &String| name == known::PERIOD || causes.refuses_again(&Cause::new(name.as_str()));
            let all = unresolved
                .filter(|name| causes.info(&Cause::new(name.as_str())).is_some())
                .chain(table)
                .filter(foretold);
            let said = all.map(|name| cause_said(causes, lang, &name).unwrap_or(name));
            std::iter::once(lang.t("fail", "失败").to_owned()).chain(said).collect()
        }
        // Any: the bills of which one was made.
        Key::Made => vec!["*".to_owned()],
        Key::No | Key::Fid | Key::Org | Key::Customer | Key::Run | Key::Code => Vec::new(),
    }
}

/// Whether an operation is one of the plans, of the run in view, or one that the store knows.
fn is_at_hand(shared: &Shared, told: Option<&FilterValues>, op: &OpId) -> bool {
    use skydeck_core::domain::operation::Operation;
    let mut plans = shared.plans.rows().iter().filter_map(|row| row.plan.as_ref().ok());
    plans.any(|plan| Operation::id_of(&plan.target) == *op)
        || shared.run_row().is_some_and(|row| row.head.op == *op)
        || told.is_some_and(|told| told.operations.contains(op))
}

/// What somebody is asked by.
fn person(who: &Who, lang: Language) -> String {
    match who.origin() {
        Origin::Person => who.name.as_ref().unwrap_or(&who.login).clone(),
        Origin::Schedule | Origin::Engine => who.said(lang),
    }
}
