//! What is said of the configuration, in English and in Chinese, also through a parser that passes on one text.
//!
//! Invariant: no value that stands in the file is repeated, unless a sentence of ours names it.

use std::fmt;

/// Between the two languages where a parser carries both as one text.
const BETWEEN: char = '\u{1f}';

/// One sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

impl Said {
    /// A sentence.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    /// The sentence in one of the two.
    pub fn in_language(&self, zh: bool) -> &str {
        if zh { &self.zh } else { &self.en }
    }

    /// What a parser says: a sentence of ours, or its own.
    pub fn of_parser(message: &str) -> Self {
        if let Some((before, rest)) = message.split_once("unknown variant ") {
            let expected = rest.rsplit_once("expected ").map_or("another word", |(_, e)| e);
            return Self::new(
                format!("{before}not one of the words that can stand here; expected {expected}"),
                format!("此处不能写这个词，可用：{}", named(expected)),
            );
        }
        if let Some((before, rest)) = message.split_once("invalid type: ") {
            let (en, zh) = match rest.rsplit_once("expected ").map_or("another type", |(_, e)| e) {
                expected if expected.contains(BETWEEN) => expected.split_once(BETWEEN).unwrap_or((expected, expected)),
                expected => (expected, of_type(expected)),
            };
            return Self::new(
                format!("{before}wrong type of value; expected {en}"),
                format!("值的类型不对，应为 {zh}"),
            );
        }
        if let Some((en, zh)) = message.split_once(BETWEEN) {
            return Self::new(en.trim_end(), zh.trim_end());
        }
        let en = message.trim_end().replace('\n', "; ");
        let zh = if let Some((_, rest)) = message.split_once("unknown field `") {
            let (key, rest) = rest.split_once('`').unwrap_or((rest, ""));
            format!("未知的键 `{key}`，可用：{}", named(rest))
        } else if let Some((_, rest)) = message.split_once("missing field `") {
            format!("缺少 `{}`", rest.split('`').next().unwrap_or_default())
        } else if message.starts_with("duplicate key") {
            "同一个键写了两次：请只留一个".to_owned()
        } else {
            match named(message.rsplit_once("expected ").map_or("", |(_, expected)| expected)).as_str() {
                "无" if message.contains("must be quoted") => "不符合 TOML 语法：文本须加引号".to_owned(),
                "无" => "不符合 TOML 语法".to_owned(),
                names => format!("不符合 TOML 语法：此处应为 {names}"),
            }
        };
        Self { en, zh }
    }
}

impl fmt::Display for Said {
    /// Both, for a parser to pass on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{BETWEEN}{}", self.en, self.zh)
    }
}

/// The names that stand in backticks, as a list.
fn named(expected: &str) -> String {
    let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    if names.is_empty() { "无".to_owned() } else { names.join("、") }
}

/// What a parser calls a type.
fn of_type(expected: &str) -> &str {
    match expected {
        "a string" => "文本（加引号）",
        "a boolean" => "true 或 false",
        "a sequence" => "列表",
        "a map" => "表",
        number if number.starts_with(['u', 'i']) || number.contains("integer") => "整数",
        table if table.starts_with("struct") => "表",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsers_words_become_chinese_and_ours_come_back_as_they_were() {
        let ours = Said::new("write 90s", "请写 90s");
        assert_eq!(Said::of_parser(&ours.to_string()), ours);
        for (message, zh) in [
            ("unknown field `urll`, expected one of `url`, `user`", "未知的键 `urll`，可用：url、user"),
            ("missing field `url`", "缺少 `url`"),
            ("invalid type: string \"hunter2\", expected u32", "值的类型不对，应为 整数"),
            ("unknown variant `hunter2`, expected `a` or `b`", "此处不能写这个词，可用：a、b"),
            ("duplicate key", "同一个键写了两次：请只留一个"),
            ("expected `=`", "不符合 TOML 语法：此处应为 ="),
        ] {
            let said = Said::of_parser(message);
            assert_eq!(said.zh, zh);
            assert!(!format!("{}{}", said.en, said.zh).contains("hunter2"), "{said:?}");
        }
    }
}
