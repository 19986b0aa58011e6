//! Reads a filter as people type it: the names that are stored and the words that lists show for them, in both languages.
//!
//! Invariant: one reading for the console and the verbs; a word that is no value of its key is a fault, with the nearest one.

use std::collections::BTreeSet;

use super::config::Lang;
use super::format::fill;
use skydeck_core::domain::bill::Will;
use skydeck_core::domain::cause::{CauseInfo, CauseTable};
use skydeck_core::domain::filter::values::{self, Stray, columns_of};
use skydeck_core::domain::filter::{Filter, FilterError, FilterFault, Key, runs};
use skydeck_core::domain::ids::{EnvId, OpId, PlanId};
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::query::{FilterValues, PlanRow};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;
use skydeck_core::domain::zone::Zone;
use skydeck_core::domain::{group_words, language::Language, operation_words};

/// Names of causes, skips and ways of not knowing that people read this word for, in either language, or did before.
fn causes_shown_as(causes: &CauseTable, word: &str) -> Vec<String> {
    let word = word.trim();
    let same = |shown: &str| shown.eq_ignore_ascii_case(word);
    let labelled = |info: &&CauseInfo| [&info.zh, &info.en].into_iter().chain(&info.was).any(|label| same(label));
    let of_table = causes.cause.iter().filter(labelled);
    let shows = |name: &&str| group_words::words(name).into_iter().any(same);
    let of_groups = group_words::names().filter(shows).map(str::to_owned);
    of_table.map(|info| info.cause.as_str().to_owned()).chain(of_groups).collect()
}

/// What people read for the name of a cause, where typing it means that name alone.
pub(crate) fn cause_said(causes: &CauseTable, lang: Language, name: &str) -> Option<String> {
    // In English the names that scripts use are read as well.
    if lang == Language::En {
        return None;
    }
    let word = group_words::word(lang, name).map(str::to_owned);
    let label = || {
        let info = causes.cause.iter().find(|info| info.cause.as_str() == name)?;
        Some(lang.t(&info.en, &info.zh).clone())
    };
    let word = word.or_else(label)?;
    let plain = !word.contains([',', '，', '"', '*']);
    (plain && causes_shown_as(causes, &word) == [name]).then_some(word)
}

/// The names that a filter may hold, beside those that never change.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Plans, with what people call them.
    pub plans: Vec<(PlanId, String)>,
    /// Labels and names of columns, folded.
    pub columns: Vec<String>,
    /// Operations.
    pub operations: BTreeSet<OpId>,
    /// Causes beside those of the table.
    pub causes: Vec<String>,
    /// People; none where nobody told them yet.
    pub people: Option<Vec<Who>>,
    /// Environments.
    pub environments: BTreeSet<EnvId>,
}

impl Names {
    /// Of the plans and environments there are, and of what the store told.
    pub fn of<'a>(plans: &[PlanRow], envs: impl IntoIterator<Item = &'a EnvId>, told: Option<&FilterValues>) -> Self {
        let mut names = Self { environments: envs.into_iter().cloned().collect(), ..Self::default() };
        for row in plans {
            match &row.plan {
                Ok(plan) => {
                    names.plans.push((plan.id.clone(), plan.name.clone()));
                    names.columns.extend(columns_of(plan));
                    names.operations.insert(Operation::id_of(&plan.target));
                }
                Err(problem) => names.plans.push((problem.id.clone(), String::new())),
            }
        }
        names.operations.extend(operation_words::known_ops());
        if let Some(told) = told {
            let older = told.plans.iter().filter(|id| !plans.iter().any(|row| row.plan_id() == *id));
            names.plans.extend(older.map(|id| (id.clone(), String::new())));
            names.columns.extend(told.columns.iter().cloned());
            names.operations.extend(told.operations.iter().cloned());
            names.environments.extend(told.environments.iter().cloned());
            names.causes.clone_from(&told.causes);
            names.people = Some(told.people.clone());
        }
        names
    }

    /// All values that a key may have; `None` where it may have any.
    pub fn values(&self, causes: &CauseTable, key: Key) -> Option<Vec<String>> {
        match key {
            Key::Cause => {
                let of_table =
                    causes.cause.iter().flat_map(|info| [info.cause.0.clone(), info.zh.clone(), info.en.clone()]);
                let of_groups = group_words::names().map(str::to_owned).chain(self.causes.iter().cloned());
                Some(of_table.chain(of_groups).collect())
            }
            Key::Status => Some(values::statuses()),
            Key::Operation => {
                let names = |op: &OpId| operation_words::names_of_op(op).map(str::to_owned).collect::<Vec<_>>();
                Some(self.operations.iter().flat_map(names).collect())
            }
            Key::Plan => {
                let names = self.plans.iter().flat_map(|(id, name)| [id.to_string(), name.clone()]);
                Some(names.filter(|name| !name.is_empty()).collect())
            }
            Key::Who => Some(self.people.as_ref()?.iter().flat_map(Who::names).collect()),
            Key::Env => Some(self.environments.iter().map(ToString::to_string).collect()),
            Key::State => Some(runs::every_state().map(str::to_owned).collect()),
            Key::Kind => Some(runs::every_kind().map(str::to_owned).collect()),
            Key::Likely => {
                let causes = self.values(causes, Key::Cause).unwrap_or_default();
                Some(Will::NAMES.iter().map(|name| (*name).to_owned()).chain(causes).collect())
            }
            Key::No | Key::Made | Key::Fid | Key::Org | Key::Customer | Key::Run | Key::Code => None,
        }
    }
}

/// That a filter asks for a column which no plan reads now, and what to do: for lists and verbs.
pub fn lost_column(lang: Lang, column: &str) -> String {
    fill(lang.texts().filter_column_lost, &[skydeck_core::text::show(column, 200).as_str()])
}

/// A filter that was read, and what of it is a slip of the pen unless something of earlier times is called so.
pub struct Read {
    /// With names where people typed words; words of the calendar are left.
    pub filter: Filter,
    /// Words that no value has.
    pub strays: Vec<(Key, Stray)>,
    /// A column that no plan has.
    pub column: Option<FilterFault>,
}

/// Reads a filter.
///
/// # Errors
/// When it is none, or when a stretch of time ends before it begins.
pub fn read_filter(
    text: &str,
    causes: &CauseTable,
    names: &Names,
    (zone, now): (&Zone, Ts),
) -> Result<Read, FilterError> {
    let filter = Filter::parse(text)?;
    filter.check_dates(zone, now).map_err(|fault| fault.in_text(text))?;
    let filter = filter.naming_causes(|word| causes_shown_as(causes, word)).naming_plans(&names.plans);
    let strays = filter.strays(|key| names.values(causes, key));
    let column = filter.check_columns(&names.columns).err();
    Ok(Read { filter, strays, column })
}

impl Read {
    /// The filter, where nothing of it is a slip of the pen.
    ///
    /// # Errors
    /// The first word that no value has, or the column that no plan has.
    pub fn checked(self, text: &str) -> Result<Filter, FilterError> {
        if let Some(fault) = self.column {
            return Err(fault.in_text(text));
        }
        match self.strays.into_iter().next() {
            Some((_, stray)) => Err(stray.in_text(text)),
            None => Ok(self.filter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::cause::{BUILT_IN, Cause};
    use skydeck_core::domain::filter::Test;

    #[test]
    fn what_will_be_refused_is_asked_for_by_the_words_of_its_cause() {
        let causes: CauseTable = toml::from_str(BUILT_IN).unwrap();
        let zone: Zone = "Asia/Shanghai".parse().unwrap();
        let label = causes.info(&Cause::new("validation")).unwrap().zh.clone();
        for (typed, want) in [
            (format!("可能:{label}"), vec!["validation".to_owned()]),
            ("可能:失败".to_owned(), vec!["失败".to_owned()]),
            (format!("likely:fail,{label}"), vec!["fail".to_owned(), "validation".to_owned()]),
        ] {
            let read = read_filter(&typed, &causes, &Names::default(), (&zone, Ts(0))).unwrap();
            let words = match &read.filter.terms[0].test {
                Test::Is(Key::Likely, words) => words.clone(),
                other => panic!("{other:?}"),
            };
            assert_eq!((words, read.strays.len()), (want, 0), "{typed}");
            let said = read.filter.said(Language::Zh, |_, name| cause_said(&causes, Language::Zh, name));
            assert!(said.starts_with("可能:") && !said.contains("validation"), "{said}");
        }
    }
}
