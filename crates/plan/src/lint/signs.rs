//! Hazards of how a filter is written: signs that word processors make of quotation marks, and times without any.

use super::super::filter_text::{Kind, Token};
use super::super::template::{Format, Template, Variable};
use super::{Found, Severity};

/// Signs that stand for others of ASCII on printed pages and from Chinese keyboards.
const TYPOGRAPHIC: &[char] = &[
    '‘', '’', '‚', '‛', '“', '”', '„', '′', '″', '´', '`', '＇', '＂', '「', '」', '（', '）', '，', '；', '＝', '＞',
    '＜', '\u{3000}',
];

/// 20, 21: signs outside the literals, and times without quotation marks.
pub(super) fn look(tokens: &[Token], filter: &str, at: &str, found: &mut Found<'_>) {
    let outside = outside_literals(filter);
    let odd: String = TYPOGRAPHIC.iter().filter(|sign| outside.contains(**sign)).collect();
    if !odd.is_empty() {
        let shown = odd.replace('\u{3000}', "U+3000");
        found
            .add(
                20,
                Severity::Warning,
                at,
                format!("typographic signs ({shown}) outside quotation marks: the server does not read them"),
                format!("引号之外有全角或印刷体符号（{shown}）：服务器无法识别"),
            )
            .mend("FBillTypeID.FNumber='XSCKD01_SYS'");
    }
    if outside.contains('"') {
        found
            .add(
                20,
                Severity::Warning,
                at,
                "double quotes: the server takes what is in them as the name of a column, not as a text",
                "使用了双引号：服务器会把其中的内容当作字段名，而不是文本",
            )
            .mend("FDocumentStatus='B'");
    }
    let bare: Vec<&str> = tokens.iter().filter_map(bare_time).collect();
    if let Some(first) = bare.first() {
        found
            .add(
                21,
                Severity::Warning,
                at,
                format!("the time {first} stands without quotation marks: the server reads a sum, or nothing at all"),
                format!("时间 {first} 没有引号：服务器会当作算式，或无法识别"),
            )
            .mend(format!("'{first}'"));
    }
}

/// The filter without its texts in quotation marks.
fn outside_literals(filter: &str) -> String {
    filter.split('\'').step_by(2).collect()
}

/// A word that is a time: a date, or a hole that gives one.
fn bare_time(token: &Token) -> Option<&str> {
    let Kind::Word(word) = &token.kind else { return None };
    let quoted = word.contains(|c| c == '"' || TYPOGRAPHIC.contains(&c));
    (!quoted && (is_date(word) || gives_date(word))).then_some(word.as_str())
}

/// `2025-01-02`, `2025/1/2`, `2025年1月2日`, whatever follows.
fn is_date(word: &str) -> bool {
    let mut chars = word.chars();
    let year = chars.by_ref().take(4).filter(char::is_ascii_digit).count() == 4;
    year && matches!(chars.next(), Some('-' | '/' | '.' | '年')) && chars.next().is_some_and(|c| c.is_ascii_digit())
}

fn gives_date(word: &str) -> bool {
    Template::parse(word).is_ok_and(|template| {
        template.variables().any(|(variable, format)| {
            let time = match variable {
                Variable::LastSyncTime | Variable::CurrentTime | Variable::DaysAgo(_) => true,
                Variable::PageSize | Variable::StartRow | Variable::StartPage => false,
            };
            time && matches!(format, Format::DateTime | Format::Date)
        })
    })
}
