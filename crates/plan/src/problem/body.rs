//! Why a body cannot be made for a record. English and Chinese side by side.

use skydeck_core::domain::spelled::spelled;

use std::fmt;

use super::FunctionFault;

/// Why the body cannot be made for one record: said with the field and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant and field is named after what the record holds; the table says the rest")]
pub enum BodyFault {
    Missing { field: String },
    NotWhole { field: String, value: String },
    NotDecimal { field: String, value: String },
    Digits { field: String, n: usize },
    NotTruth { field: String, value: String },
    NotJson { field: String },
    NotPairs { field: String },
    NotOneValue { field: String, column: String, n: usize },
    Unquoted { field: String, value: String },
    Function { field: String, value: String, why: FunctionFault },
    NoKey { field: String },
    KeyTooLong { field: String, n: usize, most: usize },
    KeySign { field: String, value: String },
    TooLarge { bytes: usize, most: usize },
    TooManyRows { field: String, n: usize, most: usize },
    NoRow { field: String, table: String, by: String },
    SeveralRows { field: String, table: String, by: String, n: usize },
    NoRecord { field: String, plan: String, by: String },
    SeveralRecords { field: String, plan: String, by: String, n: usize },
    OddId { id: String },
}

impl BodyFault {
    /// The field of the body it is about.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Missing { field }
            | Self::NotWhole { field, .. }
            | Self::NotDecimal { field, .. }
            | Self::Digits { field, .. }
            | Self::NotTruth { field, .. }
            | Self::NotJson { field }
            | Self::NotPairs { field }
            | Self::NotOneValue { field, .. }
            | Self::Unquoted { field, .. }
            | Self::Function { field, .. }
            | Self::NoKey { field }
            | Self::KeyTooLong { field, .. }
            | Self::KeySign { field, .. }
            | Self::TooManyRows { field, .. }
            | Self::NoRow { field, .. }
            | Self::SeveralRows { field, .. }
            | Self::NoRecord { field, .. }
            | Self::SeveralRecords { field, .. } => Some(field),
            Self::TooLarge { .. } | Self::OddId { .. } => None,
        }
    }

    /// In one sentence, English or Chinese.
    pub fn said(&self, zh: bool) -> String {
        let pick = |en: String, cn: String| if zh { cn } else { en };
        match self {
            Self::Missing { field } => {
                pick(format!("{field} has no value and is required"), format!("{field} 没有值，而它是必填的"))
            }
            Self::NotWhole { field, value } => {
                pick(format!("{field}: `{value}` is no whole number"), format!("{field}：“{value}”不是整数"))
            }
            Self::NotDecimal { field, value } => {
                pick(format!("{field}: `{value}` is not a number"), format!("{field}：“{value}”不是数字"))
            }
            Self::Digits { field, n } => pick(
                format!("{field}: a number of {n} digits, which no field of the ERP holds"),
                format!("{field}：{n} 位的数字，ERP 的字段存不下"),
            ),
            Self::NotTruth { field, value } => pick(
                format!("{field}: `{value}` is neither true nor false"),
                format!("{field}：“{value}”不是 true 或 false"),
            ),
            Self::NotJson { field } => pick(format!("{field}: the value is no JSON"), format!("{field}：值不是 JSON")),
            Self::NotPairs { field } => {
                pick(format!("{field}: the value is no JSON object"), format!("{field}：值不是 JSON 对象"))
            }
            Self::NotOneValue { field, column, n } => pick(
                format!(
                    "{field}: the {n} rows of the record hold different values of {column} where one is expected: put the field into the list"
                ),
                format!("{field}：该记录的 {n} 行中 {column} 的值不同，而此处只能有一个：请把字段移入列表"),
            ),
            Self::Unquoted { field, value } => pick(
                format!(
                    "{field}: `{value}` stands without quotation marks in an expression and is not a number: write '{{{{…}}}}'"
                ),
                format!("{field}：“{value}”在表达式中没有引号，又不是数字：请写 '{{{{…}}}}'"),
            ),
            Self::Function { field, value, why } => {
                pick(format!("{field}: {why}, in `{value}`"), format!("{field}：{}，见“{value}”", why.said(true)))
            }
            Self::NoKey { .. }
            | Self::KeyTooLong { .. }
            | Self::KeySign { .. }
            | Self::OddId { .. }
            | Self::TooLarge { .. }
            | Self::TooManyRows { .. }
            | Self::NoRow { .. }
            | Self::SeveralRows { .. }
            | Self::NoRecord { .. }
            | Self::SeveralRecords { .. } => self.of_the_whole(zh),
        }
    }

    /// What is said of a body as a whole, and of what it is found by.
    fn of_the_whole(&self, zh: bool) -> String {
        let pick = |en: String, cn: String| if zh { cn } else { en };
        match self {
            Self::NoKey { field } => pick(
                format!("{field}, by which the bill is found again, has no value"),
                format!("{field} 没有值，而单据要靠它找回"),
            ),
            Self::KeyTooLong { field, n, most } => pick(
                format!("{field} has {n} characters; at most {most} can be looked for"),
                format!("{field} 有 {n} 个字符，最多可查找 {most} 个"),
            ),
            Self::KeySign { field, value } => pick(
                format!(
                    "{field}: `{}` holds `;`, `--`, `/*` or a control character and cannot be looked for",
                    spelled(value)
                ),
                format!("{field}：“{}”含有 `;`、`--`、`/*` 或控制字符，无法查找", spelled(value)),
            ),
            Self::OddId { id } => pick(
                format!("the id `{}` cannot stand in a call", spelled(id)),
                format!("内码“{}”不能用于调用", spelled(id)),
            ),
            Self::TooLarge { bytes, most } => pick(
                format!("the body has {bytes} bytes; at most {most} are sent"),
                format!("请求体有 {bytes} 字节，最多发送 {most} 字节"),
            ),
            Self::TooManyRows { field, n, most } => pick(
                format!("{field} has {n} rows; at most {most} are sent"),
                format!("{field} 有 {n} 行，最多发送 {most} 行"),
            ),
            Self::NoRow { field, table, by } => pick(
                format!("{field}: no row of `{table}` has {by}: add it"),
                format!("{field}：“{table}”中没有 {by} 的行：请补上"),
            ),
            Self::NoRecord { field, plan, by } => pick(
                format!(
                    "{field}: the plan `{plan}` collected no record with {by}: run it again, or see why it leaves it out"
                ),
                format!("{field}：方案“{plan}”读取的记录中没有 {by}：请重新运行该方案，或查明为何没有读到"),
            ),
            Self::SeveralRecords { field, plan, by, n } => pick(
                format!("{field}: the plan `{plan}` collected {n} values for {by}, where one is expected"),
                format!("{field}：方案“{plan}”读取的记录中 {by} 有 {n} 个值，而只能有一个"),
            ),
            Self::SeveralRows { field, table, by, n } => pick(
                format!("{field}: {n} rows of `{table}` have {by}, where one is expected"),
                format!("{field}：“{table}”中 {by} 有 {n} 行，而只能有一行"),
            ),
            // Said above.
            Self::Missing { .. }
            | Self::NotWhole { .. }
            | Self::NotDecimal { .. }
            | Self::Digits { .. }
            | Self::NotTruth { .. }
            | Self::NotJson { .. }
            | Self::NotPairs { .. }
            | Self::NotOneValue { .. }
            | Self::Unquoted { .. }
            | Self::Function { .. } => String::new(),
        }
    }
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said(false))
    }
}

impl std::error::Error for BodyFault {}

#[cfg(test)]
mod tests {
    use skydeck_core::domain::making_words;
    use skydeck_core::domain::reason::BadRecord;

    use super::*;

    /// One of each kind; a new one compiles only once it stands in the list below.
    fn is_listed(fault: &BodyFault) -> bool {
        use BodyFault as B;
        match fault {
            B::Missing { .. }
            | B::NotWhole { .. }
            | B::NotDecimal { .. }
            | B::Digits { .. }
            | B::NotTruth { .. }
            | B::NotJson { .. }
            | B::NotPairs { .. }
            | B::NotOneValue { .. }
            | B::Unquoted { .. }
            | B::NoKey { .. }
            | B::KeyTooLong { .. }
            | B::KeySign { .. }
            | B::TooLarge { .. }
            | B::TooManyRows { .. }
            | B::NoRow { .. }
            | B::SeveralRows { .. }
            | B::NoRecord { .. }
            | B::SeveralRecords { .. }
            | B::OddId { .. } => true,
            B::Function { why, .. } => {
                use FunctionFault as F;
                match why {
                    F::AfterTheEnd { .. }
                    | F::Null
                    | F::Fraction
                    | F::NumberTooLarge { .. }
                    | F::Sign { .. }
                    | F::Backslash
                    | F::OpenQuote
                    | F::Missing { .. }
                    | F::TooDeep
                    | F::EndsEarly
                    | F::NoValue { .. }
                    | F::NoThen
                    | F::NoEnd
                    | F::Unknown { .. }
                    | F::NoCondition { .. }
                    | F::OutOfRange
                    | F::Reckoning
                    | F::Collation { .. }
                    | F::TextOrder
                    | F::MixedKinds
                    | F::Locate
                    | F::NoMoment { .. }
                    | F::NoDate { .. }
                    | F::Endless
                    | F::Arguments { .. } => true,
                }
            }
        }
    }

    fn every_fault() -> Vec<BodyFault> {
        use BodyFault as B;
        use FunctionFault as F;
        let field = || "FNote".to_owned();
        let value = || "A: `1`, 2;".to_owned();
        let text = || "x".to_owned();
        let functions = [
            F::AfterTheEnd { sign: text() },
            F::Null,
            F::Fraction,
            F::NumberTooLarge { digits: "99".to_owned() },
            F::Sign { sign: '/' },
            F::Backslash,
            F::OpenQuote,
            F::Missing { op: text() },
            F::TooDeep,
            F::EndsEarly,
            F::NoValue { op: text() },
            F::NoThen,
            F::NoEnd,
            F::Unknown { name: text(), near: Some("LEFT") },
            F::Unknown { name: text(), near: None },
            F::NoCondition { text: text() },
            F::OutOfRange,
            F::Reckoning,
            F::Collation { a: text(), b: "y".to_owned() },
            F::TextOrder,
            F::MixedKinds,
            F::Locate,
            F::NoMoment { seconds: text() },
            F::NoDate { text: text() },
            F::Endless,
            F::Arguments { name: text(), n: 3 },
        ];
        let mut all = vec![
            B::Missing { field: field() },
            B::NotWhole { field: field(), value: value() },
            B::NotDecimal { field: field(), value: value() },
            B::Digits { field: field(), n: 40 },
            B::NotTruth { field: field(), value: value() },
            B::NotJson { field: field() },
            B::NotPairs { field: field() },
            B::NotOneValue { field: field(), column: text(), n: 3 },
            B::Unquoted { field: field(), value: value() },
            B::NoKey { field: field() },
            B::KeyTooLong { field: field(), n: 314, most: 80 },
            B::KeySign { field: field(), value: value() },
            B::TooLarge { bytes: 7, most: 5 },
            B::TooManyRows { field: field(), n: 7, most: 5 },
            B::NoRow { field: field(), table: text(), by: value() },
            B::SeveralRows { field: field(), table: text(), by: value(), n: 2 },
            B::NoRecord { field: field(), plan: text(), by: value() },
            B::SeveralRecords { field: field(), plan: text(), by: value(), n: 2 },
            B::OddId { id: text() },
        ];
        all.extend(functions.map(|why| B::Function { field: field(), value: value(), why }));
        all
    }

    #[test]
    fn what_a_fact_holds_in_english_is_said_in_chinese_as_the_preview_says_it() {
        for fault in every_fault() {
            assert!(is_listed(&fault));
            assert_eq!(making_words::zh(&fault.said(false)), Some(fault.said(true)), "{fault}");
        }
        let of_lists = BadRecord::TwoLists { one: "a".to_owned(), other: "b".to_owned() };
        let zh = "方案同时读取两个列表 `a` 和 `b`，其行之间没有对应关系";
        assert_eq!(making_words::zh(&of_lists.en()).as_deref(), Some(zh));
    }
}
