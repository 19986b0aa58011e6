//! What this program itself says of a record that nothing was made of, in the reader's language. Facts hold it in English.
//!
//! Invariant: it is never told as words of the ERP: no call left. `skydeck_plan` tests that each of its sentences has a row.

use super::bill::Failure;
use super::cause::known;
use super::language::Language;

/// The sentence that has one of [`EXPRESSIONS`] within it.
const OF_EXPRESSION: &str = "{}: {}, in `{}`";

/// English, with a place for each field, value or number; Chinese, where the places have numbers.
const SAID: [(&str, &str); 21] = [
    ("{} has no value and is required", "{0} 没有值，而它是必填的"),
    ("{}: `{}` is no whole number", "{0}：“{1}”不是整数"),
    ("{}: `{}` is not a number", "{0}：“{1}”不是数字"),
    ("{}: a number of {} digits, which no field of the ERP holds", "{0}：{1} 位的数字，ERP 的字段存不下"),
    ("{}: `{}` is neither true nor false", "{0}：“{1}”不是 true 或 false"),
    ("{}: the value is no JSON object", "{0}：值不是 JSON 对象"),
    ("{}: the value is no JSON", "{0}：值不是 JSON"),
    (
        "{}: the {} rows of the record hold different values of {} where one is expected: put the field into the list",
        "{0}：该记录的 {1} 行中 {2} 的值不同，而此处只能有一个：请把字段移入列表",
    ),
    (
        "{}: `{}` stands without quotation marks in an expression and is not a number: write '{{…}}'",
        "{0}：“{1}”在表达式中没有引号，又不是数字：请写 '{{…}}'",
    ),
    ("{}, by which the bill is found again, has no value", "{0} 没有值，而单据要靠它找回"),
    ("{} has {} characters; at most {} can be looked for", "{0} 有 {1} 个字符，最多可查找 {2} 个"),
    (
        "{}: `{}` holds `;`, `--`, `/*` or a control character and cannot be looked for",
        "{0}：“{1}”含有 `;`、`--`、`/*` 或控制字符，无法查找",
    ),
    ("the id `{}` cannot stand in a call", "内码“{0}”不能用于调用"),
    ("the body has {} bytes; at most {} are sent", "请求体有 {0} 字节，最多发送 {1} 字节"),
    ("{} has {} rows; at most {} are sent", "{0} 有 {1} 行，最多发送 {2} 行"),
    ("{}: no row of `{}` has {}: add it", "{0}：“{1}”中没有 {2} 的行：请补上"),
    (
        "{}: the plan `{}` collected no record with {}: run it again, or see why it leaves it out",
        "{0}：方案“{1}”读取的记录中没有 {2}：请重新运行该方案，或查明为何没有读到",
    ),
    (
        "{}: the plan `{}` collected {} values for {}, where one is expected",
        "{0}：方案“{1}”读取的记录中 {3} 有 {2} 个值，而只能有一个",
    ),
    ("{}: {} rows of `{}` have {}, where one is expected", "{0}：“{2}”中 {3} 有 {1} 行，而只能有一行"),
    (
        "the plan reads from two lists of it, `{}` and `{}`, whose lines do not belong together",
        "方案同时读取两个列表 `{0}` 和 `{1}`，其行之间没有对应关系",
    ),
    (OF_EXPRESSION, "{0}：{1}，见“{2}”"),
];

/// Why an expression has no value, as it stands within a sentence above.
const EXPRESSIONS: [(&str, &str); 27] = [
    ("`{}` cannot stand after a complete expression", "表达式已完整，其后不能再有 `{0}`"),
    (
        "the result is NULL (a division by zero gives it, too), which cannot be sent: put IFNULL(…, …) around it",
        "结果为 NULL（除以零的结果也是 NULL），无法发送：请在外层写 IFNULL(…, …)",
    ),
    // As it was said before.
    ("the result is NULL, which cannot be sent", "结果为 NULL，无法发送"),
    ("fractions are not evaluated: write a whole number or the value itself", "不计算小数：请写整数或直接写值"),
    ("the number {} is too large", "数字 {0} 过大"),
    (
        "`{}` is not evaluated here (did you mean `{}`?): write the value itself",
        "不支持 `{0}`（是不是 `{1}`？）：请直接写值",
    ),
    ("`{}` is not evaluated here: write the value itself", "不支持 `{0}`：请直接写值"),
    ("`{}` is not evaluated: write the value itself", "不支持 `{0}`：请直接写值"),
    ("a backslash in a text is not evaluated", "不支持文本中的反斜杠"),
    ("a quotation mark is not closed", "引号没有闭合"),
    ("`{}` is missing", "缺少 `{0}`"),
    ("the expression is nested too deeply", "表达式嵌套过深"),
    ("the expression ends too early", "表达式不完整"),
    ("`{}` stands where a value is expected", "`{0}` 处应为一个值"),
    ("CASE: THEN is missing", "CASE 缺少 THEN"),
    ("CASE: END is missing", "CASE 缺少 END"),
    ("the text '{}' is not a condition", "文本 '{0}' 不是条件"),
    ("a number leaves the range", "数字超出范围"),
    ("texts cannot be reckoned with", "文本不能参与算术"),
    ("whether '{}' equals '{}' depends on the collation", "'{0}' 是否等于 '{1}' 取决于排序规则"),
    ("the order of texts depends on the collation", "文本的先后取决于排序规则"),
    ("a number is compared with a text: write both as one kind", "数字与文本不能比较：请写成同一类型"),
    ("LOCATE: the answer depends on the collation", "LOCATE 的结果取决于排序规则"),
    ("FROM_UNIXTIME: {} is no moment in seconds", "FROM_UNIXTIME：{0} 不是以秒计的时间"),
    ("`{}` is not a date, or the format is not known", "“{0}”不是日期，或格式无法识别"),
    (
        "the result has more than ten digits behind the point: write ROUND(…, 2) around it",
        "结果的小数超过十位：请在外层写 ROUND(…, 2)",
    ),
    ("{} does not take these {} values", "{0} 不接受这 {1} 个值"),
];

/// Whether a failure is this program's own: no call left, and nobody else said a word of it.
pub fn is_ours(failure: &Failure) -> bool {
    [known::MAPPING, known::SAME_KEY, known::ODD_ID].contains(&failure.cause.as_str())
}

/// What this program says itself in a failure, in one language; `None` where there are words of somebody else, or none.
pub fn ours(failure: &Failure, lang: Language) -> Option<String> {
    if failure.message.is_empty() || !is_ours(failure) {
        return None;
    }
    Some(match lang {
        Language::En => failure.message.clone(),
        // What an earlier version said is ours, too; a number or an id is no sentence.
        Language::Zh if failure.cause.as_str() == known::MAPPING => {
            zh(&failure.message).unwrap_or_else(|| failure.message.clone())
        }
        Language::Zh => format!("“{}”", failure.message),
    })
}

/// The sentence in Chinese; `None` where it is none of these.
pub fn zh(said: &str) -> Option<String> {
    SAID.iter().find_map(|(en, zh)| {
        let mut values: Vec<String> = values(said, en)?.into_iter().map(str::to_owned).collect();
        if *en == OF_EXPRESSION {
            let why = values.get_mut(1)?;
            *why = expression(why)?;
        }
        Some(filled(zh, &values))
    })
}

fn expression(said: &str) -> Option<String> {
    EXPRESSIONS.iter().find_map(|(en, zh)| {
        let values: Vec<String> = values(said, en)?.into_iter().map(str::to_owned).collect();
        Some(filled(zh, &values))
    })
}

/// What stands at the places of a sentence.
fn values<'a>(said: &'a str, sentence: &str) -> Option<Vec<&'a str>> {
    let mut pieces = sentence.split("{}");
    let mut rest = said.strip_prefix(pieces.next()?)?;
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else { return rest.is_empty().then(Vec::new) };
    let mut out = Vec::new();
    rest = rest.strip_suffix(last)?;
    for piece in between {
        let (value, behind) = rest.split_once(piece)?;
        out.push(value);
        rest = behind;
    }
    out.push(rest);
    Some(out)
}

fn filled(sentence: &str, values: &[String]) -> String {
    let mut out = String::new();
    let mut rest = sentence;
    while let Some((before, behind)) = rest.split_once('{') {
        out.push_str(before);
        let at = behind.split_once('}').and_then(|(n, behind)| Some((values.get(n.parse::<usize>().ok()?)?, behind)));
        rest = if let Some((value, behind)) = at {
            out.push_str(value);
            behind
        } else {
            out.push('{');
            behind
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cause::Cause;

    fn failure(cause: &str, message: &str) -> Failure {
        Failure { cause: Cause::new(cause), msg_code: None, field: None, message: message.to_owned() }
    }

    #[test]
    fn what_is_ours_is_said_in_the_language_and_the_words_of_others_are_left_to_them() {
        for (said, want) in [
            (
                "FSupplierId: no row of `suppliers` has org=`101`: add it",
                Some("FSupplierId：“suppliers”中没有 org=`101` 的行：请补上"),
            ),
            ("F: 3 rows of `t` have a=`1`, where one is expected", Some("F：“t”中 a=`1` 有 3 行，而只能有一行")),
            ("F: `9: x` is not a number", Some("F：“9: x”不是数字")),
            ("FNote: texts cannot be reckoned with, in `'a'+1`", Some("FNote：文本不能参与算术，见“'a'+1”")),
            ("F: `x{0}y` is no whole number", Some("F：“x{0}y”不是整数")),
            ("F: somebody else said this, in `x`", None),
            ("库存不足", None),
        ] {
            assert_eq!(zh(said).as_deref(), want, "{said}");
        }
        let of_record = failure(known::MAPPING, "the body has 7 bytes; at most 5 are sent");
        assert_eq!(ours(&of_record, Language::Zh).as_deref(), Some("请求体有 7 字节，最多发送 5 字节"));
        assert_eq!(ours(&of_record, Language::En), Some(of_record.message.clone()));
        assert_eq!(ours(&failure(known::SAME_KEY, "RK-1"), Language::Zh).as_deref(), Some("“RK-1”"));
        // The ERP's own sentence, whatever it reads like.
        assert_eq!(ours(&failure(known::PARAMETER, "F: `x` is not a number"), Language::Zh), None);
    }
}
