//! Words of a filter that are no value of their key, where all values are known: a slip of the pen, not an empty list.
//!
//! Invariant: a word that means a value at all is never a fault.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::filter::{Filter, FilterError, FilterFault, Key, Test, like};
use super::operation_words;
use super::suggest::nearest;

/// Codes of the ERP's own status; a site may have others, as short as these.
const STATUSES: [&str; 5] = ["Z", "A", "B", "C", "D"];
/// Letters of the longest code of a status that is taken without being known.
const CODE: usize = 2;

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
        let near = nearest(word, &names).map(str::to_owned);
        Self { key: key.name().to_owned(), word: word.to_owned(), near }
    }

    /// The same in Chinese.
    pub fn zh(&self) -> String {
        let key = match self.key.as_str() {
            "cause" => "原因",
            "status" => "处理结果",
            "plan" => "方案",
            other => other,
        };
        match &self.near {
            Some(near) => format!("没有名为 `{}` 的{key}；是不是 `{near}`？", self.word),
            None => format!("没有名为 `{}` 的{key}", self.word),
        }
    }

    /// As a fault of the filter it was typed in.
    pub fn in_text(self, text: &str) -> FilterError {
        let at = text.find(&self.word).map_or(0, |at| text.get(..at).unwrap_or_default().chars().count());
        FilterError { at, fault: FilterFault::NoValueOf(self) }
    }
}

impl FilterFault {
    /// What is wrong, in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::OpenQuote => "引号没有结束".to_owned(),
            Self::NoText => "`~` 后面要写 ERP 返回信息中的文字".to_owned(),
            Self::NoValue(key) => format!("`{key}:` 后面要写值"),
            Self::NoAge(value) => format!("`{value}` 不是时长；写 >2d、<30m、>1h"),
            Self::NoNumber(value) => format!("`{value}` 不是数字；写 3、>1、<5"),
            Self::NoValueOf(stray) => stray.zh(),
            Self::NoKey(key) => {
                format!("没有 `{key}`；可用 原因 结果 操作 单号 内码 组织 客户 日期 时长 次数 方案 运行 错误码")
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

/// All that a status may be called.
pub fn statuses() -> Vec<String> {
    operation_words::every_name().into_iter().chain(STATUSES).map(str::to_owned).collect()
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
