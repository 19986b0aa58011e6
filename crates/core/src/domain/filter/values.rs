//! Words of a filter that are no value of their key, where all values are known: a slip of the pen, not an empty list.
//!
//! Invariant: a word that means a value at all is never a fault.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::keys::{Ask, NAMED, labels_of, name_of};
use super::{Filter, FilterError, FilterFault, Key, Moment, Span, Test, Wanted, fold_label, like};
use crate::domain::ids::{EnvId, OpId, PlanId};
use crate::domain::language::Language;
use crate::domain::operation_words;
use crate::domain::plan::Plan;
use crate::domain::suggest::nearest;
use crate::domain::time::Ts;
use crate::domain::who::Who;
use crate::domain::zone::Zone;

/// Codes of the ERP's own status; a site may have others, as short as these.
const STATUSES: [&str; 5] = ["Z", "A", "B", "C", "D"];
/// Letters of the longest code of a status that is taken without being known.
const CODE: usize = 2;

/// What the keys of a filter may be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterValues {
    /// Causes, skips and ways of not knowing that the ledger ever held.
    pub causes: Vec<String>,
    /// Plans that had runs.
    pub plans: Vec<PlanId>,
    /// Environments that had runs.
    pub environments: Vec<EnvId>,
    /// Operations that runs were opened under.
    pub operations: Vec<OpId>,
    /// Who started the newest runs.
    pub people: Vec<Who>,
    /// Labels and names of columns of the revisions that are kept, as filters compare them.
    pub columns: Vec<String>,
    /// Values of the column asked for in the newest rows, the most frequent first.
    pub values: Vec<(String, u64)>,
    /// Rows looked at for them.
    pub looked: u64,
}

/// A word that is no value of its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// The key, as it is written back.
    pub key: String,
    /// The word.
    pub word: String,
    /// The value that may be meant.
    pub near: Option<String>,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} is called `{}`", self.key, self.word)?;
        match &self.near {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None => Ok(()),
        }
    }
}

impl Stray {
    /// A word, with the nearest of the values there are.
    pub fn of(key: Key, word: &str, values: &[String]) -> Self {
        let names: Vec<&str> = values.iter().map(String::as_str).collect();
        let near = nearest(word, &names).map(str::to_owned).or_else(|| holding(word, &names));
        Self { key: key.name().to_owned(), word: word.to_owned(), near }
    }

    /// The same in Chinese.
    pub fn zh(&self) -> String {
        let named = NAMED.iter().find(|named| named.name(Language::En) == self.key);
        let key = match named.map(|named| (named.ask, named.name(Language::Zh))) {
            Some((Ask::Words(Key::Status), _)) => "处理结果",
            Some((Ask::Words(Key::Likely), _)) => "将被拒绝的原因",
            Some((_, name)) => name,
            None => &self.key,
        };
        match &self.near {
            Some(near) => format!("没有名为 `{}` 的{key}；是不是 `{near}`？", self.word),
            None => format!("没有名为 `{}` 的{key}", self.word),
        }
    }

    /// As a fault of the filter it was typed in.
    pub fn in_text(self, text: &str) -> FilterError {
        FilterFault::NoValueOf(self).in_text(text)
    }
}

/// What is meant by a part of a name: the one that holds it, or all that do.
fn holding(word: &str, names: &[&str]) -> Option<String> {
    const LEAST: usize = 2;
    let part = word.to_lowercase();
    if word.contains('*') || part.chars().count() < LEAST {
        return None;
    }
    let mut held = names.iter().filter(|name| name.to_lowercase().contains(&part));
    let first = held.next()?;
    Some(if held.next().is_some() { format!("*{word}*") } else { (*first).to_owned() })
}

/// The names of all keys.
fn keys_of(lang: Language, between: &str) -> String {
    NAMED.iter().map(|named| named.name(lang)).collect::<Vec<_>>().join(between)
}

/// What follows where a key is none: the one that may be meant, else those that there are.
pub(super) fn keys_en(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", keys_of(Language::En, ", ")),
    }
}

impl FilterFault {
    /// As a fault of the filter it was typed in: where its word stands.
    pub fn in_text(self, text: &str) -> FilterError {
        let word = match &self {
            Self::NoKey { key, .. } => key.as_str(),
            Self::NoYear(span) | Self::Reversed(span) | Self::NoBound(span) | Self::LargerFirst(span) => span.as_str(),
            Self::NoValueOf(stray) => stray.word.as_str(),
            Self::OpenQuote
            | Self::NoText
            | Self::NoValue(_)
            | Self::NoAge(_)
            | Self::NoNumber(_)
            | Self::NoDate(_)
            | Self::NoDay { .. } => "",
        };
        let at = text.find(word).map_or(0, |at| text.get(..at).unwrap_or_default().chars().count());
        FilterError { at, fault: self }
    }

    /// What is wrong, in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::OpenQuote => "引号没有结束".to_owned(),
            Self::NoText => "`~` 后面要写 ERP 返回信息中的文字".to_owned(),
            Self::NoValue(key) => format!("`{key}:` 后面要写值"),
            Self::NoAge(value) => format!("`{value}` 不是时长；写 >2d、<30m、>1h"),
            Self::NoNumber(value) => format!("`{value}` 不是数字；写 3、>1、<5"),
            Self::NoValueOf(stray) => stray.zh(),
            Self::NoDate(value) => {
                format!("`{value}` 不是日期；写 2026-11-23、2026-11、>=2026-11-01、2026-11-01..2026-11-10、昨天、上周")
            }
            Self::NoYear(date) => format!("`{date}` 超出范围：年份应为 1900 至 2999"),
            Self::NoBound(value) => {
                format!("`{value}` 比较的既不是数字也不是日期；写 >1000、100..200、>=2026-11-01，或直接写文字")
            }
            Self::LargerFirst(value) => format!("没有数字在 `{value}` 之内；请把较小的写在前面"),
            Self::NoDay { date, days } => format!("没有 {date} 这一天：该月只有 {days} 天"),
            Self::Reversed(span) => {
                // Words of the calendar are kept in one language; a stretch of dates alone is not read as one that ends early.
                let said = Span::parse(span, Moment::Run).map(|span| span.said(Language::Zh));
                let said = said.unwrap_or_else(|_| span.clone());
                format!("`{said}` 的结束早于开始；请把较早的日期写在前面")
            }
            Self::NoKey { key, near: Some(near) } => {
                format!("没有名为 `{key}` 的过滤条件，也没有方案有此列；是不是 `{near}`？")
            }
            Self::NoKey { key, near: None } => {
                format!("没有名为 `{key}` 的过滤条件，也没有方案有此列；可用 {}", keys_of(Language::Zh, " "))
            }
        }
    }
}

impl Filter {
    /// The words of a key, excluded or not.
    pub fn words_of(&self, key: Key) -> impl Iterator<Item = &str> {
        let of_key = move |test: &Test| matches!(test, Test::Is(of, _) if *of == key);
        let tests = self.terms.iter().map(|term| &term.test).filter(move |test| of_key(test));
        tests.flat_map(|test| if let Test::Is(_, words) = test { words.as_slice() } else { &[] }).map(String::as_str)
    }

    /// Columns by labels that no plan gives. `labels`: all that there are, and the names of their columns, folded.
    pub fn check_columns(&self, labels: &[String]) -> Result<(), FilterFault> {
        let asked = self.terms.iter().filter_map(|term| match &term.test {
            Test::Column(label, _) => Some(label),
            _ => None,
        });
        match asked.into_iter().find(|label| !labels.contains(label)) {
            None => Ok(()),
            Some(label) => {
                let named = NAMED.iter().flat_map(|named| named.en.iter().chain(named.zh).copied());
                let all: Vec<&str> = named.chain(labels.iter().map(String::as_str)).collect();
                let near = nearest(label, &all).map(str::to_owned);
                Err(FilterFault::NoKey { key: label.clone(), near })
            }
        }
    }

    /// The first column this asks for that none of the plans it means reads now: it finds only what was read before, by a
    /// revision that still had the column. `None` where no plan can tell.
    pub fn lost_column<'a>(&self, plans: impl IntoIterator<Item = &'a Plan>, lang: Language) -> Option<String> {
        let is_meant = |plan: &Plan| {
            self.terms.iter().all(|term| match &term.test {
                Test::Is(Key::Plan, words) => words.iter().any(|word| like(plan.id.as_str(), word)) != term.not,
                _ => true,
            })
        };
        let plans: Vec<&Plan> = plans.into_iter().filter(|plan| is_meant(plan)).collect();
        if plans.is_empty() {
            return None;
        }
        let is_lost = |asked: &AskedColumn<'_>| !plans.iter().any(|plan| asked.is_read_by(plan));
        let asked = self.terms.iter().filter_map(|term| AskedColumn::of(&term.test));
        asked.into_iter().find(is_lost).map(|asked| asked.name(lang).to_owned())
    }

    /// Stretches that end before they begin, once the words of the calendar are days.
    pub fn check_dates(&self, zone: &Zone, now: Ts) -> Result<(), FilterFault> {
        for term in &self.terms {
            let spans: Vec<&Span> = match &term.test {
                Test::When(_, spans) => spans.iter().collect(),
                Test::Column(_, words) => words
                    .iter()
                    .filter_map(|word| if let Wanted::Date(span) = word { Some(span) } else { None })
                    .collect(),
                Test::Is(..) | Test::Age { .. } | Test::Attempts(..) | Test::Message(_) | Test::Text(_) => continue,
            };
            if let Some(span) = spans.into_iter().find(|span| span.is_reversed_now(zone, now)) {
                return Err(FilterFault::Reversed(span.to_string()));
            }
        }
        Ok(())
    }

    /// Puts the ids of plans in the place of the names that people read for them, where no plan has such an id.
    #[must_use]
    pub fn naming_plans(mut self, plans: &[(PlanId, String)]) -> Self {
        let is_id = |word: &str| plans.iter().any(|(id, _)| like(id.as_str(), word));
        let named = |word: &str| -> Vec<String> {
            plans.iter().filter(|(_, name)| like(name, word)).map(|(id, _)| id.to_string()).collect()
        };
        for term in &mut self.terms {
            let Test::Is(Key::Plan, words) = &mut term.test else { continue };
            let read = std::mem::take(words).into_iter().map(|word| match named(&word) {
                ids if ids.is_empty() || is_id(&word) => vec![word],
                ids => ids,
            });
            *words = read.flatten().collect();
        }
        self
    }

    /// Words that mean no value of their key. `values`: all values of a key, `None` where it may have any.
    pub fn strays(&self, values: impl Fn(Key) -> Option<Vec<String>>) -> Vec<(Key, Stray)> {
        let mut out = Vec::new();
        for term in &self.terms {
            let Test::Is(key, words) = &term.test else { continue };
            let Some(known) = values(*key) else { continue };
            let is_one = |word: &str| {
                let code = *key == Key::Status && word.len() <= CODE;
                code || known.iter().any(|value| like(value, word))
            };
            let strays = words.iter().filter(|word| !is_one(word));
            out.extend(strays.map(|word| (*key, Stray::of(*key, word, &known))));
        }
        out
    }
}

/// A column of the plan that a test asks for.
enum AskedColumn<'a> {
    /// By its label or name.
    Called(&'a str),
    /// By a key that stands for it: the column labelled so, else one whose name holds a part.
    Of(Key, &'static str),
}

impl<'a> AskedColumn<'a> {
    fn of(test: &'a Test) -> Option<Self> {
        match test {
            Test::Column(label, _) => Some(Self::Called(label)),
            Test::Is(Key::Customer, _) => Some(Self::Of(Key::Customer, "cust")),
            Test::Is(Key::Org, _) => Some(Self::Of(Key::Org, "org")),
            Test::Is(..)
            | Test::When(..)
            | Test::Age { .. }
            | Test::Attempts(..)
            | Test::Message(_)
            | Test::Text(_) => None,
        }
    }

    fn name(&self, lang: Language) -> &'a str {
        match self {
            Self::Called(label) => label,
            Self::Of(key, _) => name_of(Ask::Words(*key), lang),
        }
    }

    fn is_read_by(&self, plan: &Plan) -> bool {
        columns_of(plan).any(|name| match self {
            Self::Called(label) => name == *label,
            Self::Of(key, part) => labels_of(*key).contains(&name.as_str()) || name.contains(part),
        })
    }
}

/// All that a status may be called.
pub fn statuses() -> Vec<String> {
    let of_states = operation_words::TRYING.iter().chain(operation_words::RETRY_AT).copied();
    operation_words::every_name().into_iter().chain(of_states).chain(STATUSES).map(str::to_owned).collect()
}

/// What the columns of a plan may be asked by: their labels and their names.
pub fn columns_of(plan: &Plan) -> impl Iterator<Item = String> {
    plan.source.columns.iter().flat_map(|column| [fold_label(&column.label), fold_label(&column.key)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strays(text: &str) -> Vec<(String, Option<String>)> {
        let values = |key| match key {
            Key::Cause => Some(["stock", "period", "not_applied"].map(str::to_owned).to_vec()),
            Key::Status => Some(statuses()),
            _ => None,
        };
        let found = Filter::parse(text).unwrap().strays(values);
        found.into_iter().map(|(_, stray)| (stray.word, stray.near)).collect()
    }

    #[test]
    fn a_word_that_is_no_value_is_named_with_the_nearest_one() {
        let near = |word: &str, near: &str| vec![(word.to_owned(), Some(near.to_owned()))];
        for (text, want) in [
            ("", vec![]),
            ("cause:stock,PERIOD -cause:not_* 原因:*app*", vec![]),
            ("status:failed,已审核,closed,此前已审核,C,E1 结果:未轮到", vec![]),
            ("org:100 no:X* plan:p run:01 code:11", vec![]),
            ("cause:stok", near("stok", "stock")),
            ("cause:stock,pereod", near("pereod", "period")),
            ("-原因:瞎写", vec![("瞎写".to_owned(), None)]),
            ("cause:bogus*", vec![("bogus*".to_owned(), None)]),
            ("status:faild", near("faild", "failed")),
            ("outcome:没有的", vec![("没有的".to_owned(), None)]),
        ] {
            assert_eq!(strays(text), want, "{text}");
        }
    }

    #[test]
    fn a_part_of_a_name_is_told_as_the_name_or_as_the_pattern_that_means_it() {
        let plans = ["采购入库单审核（华东）", "采购入库单审核（华南）", "Outstock audit"].map(str::to_owned);
        let near = |word: &str| Stray::of(Key::Plan, word, &plans).near;
        assert_eq!(near("采购").as_deref(), Some("*采购*"));
        assert_eq!(near("华南").as_deref(), Some("采购入库单审核（华南）"));
        assert_eq!(near("OUTST").as_deref(), Some("Outstock audit"));
        assert_eq!([near("o"), near("审*核"), near("别的")], [None, None, None]);
        for word in ["采购", "华南"] {
            assert!(plans.iter().any(|name| like(name, &near(word).unwrap())), "{word}");
        }
    }

    #[test]
    fn a_stretch_that_ends_before_it_begins_is_told_in_the_language_it_is_told_in() {
        let now = Ts(1_795_682_400_000);
        let zone: Zone = "Asia/Shanghai".parse().unwrap();
        let fault = |text: &str| {
            Filter::parse(text).and_then(|filter| filter.check_dates(&zone, now).map_err(|fault| fault.in_text(text)))
        };
        let fault = |text: &str| fault(text).unwrap_err().fault;
        assert!(fault("日期:本月..上月").zh().starts_with("`本月..上月` "), "{}", fault("日期:本月..上月").zh());
        assert!(fault("date:today..yesterday").to_string().contains("`today..yesterday`"));
        assert!(fault("日期:2026-02..2026-01").zh().starts_with("`2026-02..2026-01` 的结束早于开始"));
    }

    #[test]
    fn the_fault_stands_where_the_word_does() {
        let text = "原因:库存 cause:bogus";
        let stray = Stray::of(Key::Cause, "bogus", &[]);
        assert_eq!(stray.clone().in_text(text).at, 12);
        assert_eq!(
            (stray.to_string().as_str(), stray.zh().as_str()),
            ("no cause is called `bogus`", "没有名为 `bogus` 的原因")
        );
    }
}
