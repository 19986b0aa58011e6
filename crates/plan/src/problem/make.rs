//! What is wrong with a plan that makes bills, and why a body cannot be made for a record. English and Chinese side by side.

use std::fmt;

use super::{FunctionFault, Suggest, TemplateFault, Words};

/// What is wrong at one place of a plan that makes bills.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant and field is named after what the file holds there; the table says the rest"
)]
pub enum MakeProblem {
    NoKey,
    KeyShape { value: String },
    KeyNotSent { key: String },
    KeyInList { key: String },
    ProbeShape { value: String },
    StepName { value: String },
    StepOrder,
    NotForMaking { key: &'static str },
    OnlyForMaking { key: String },
    NoForm,
    NoFields,
    Draft,
    Update { field: String },
    Control { field: String, value: String, why: Control },
    Type { value: String, suggest: Suggest },
    Parser { name: String, suggest: Suggest },
    ParserParams { name: String },
    Parent { parent: String },
    TooDeep { most: usize },
    FieldTwice { name: String },
    FieldName { name: String },
    ChildrenOfValue { name: String },
    NoChildren { name: String },
    ListName { name: String },
    Hole { name: String, near: Option<String> },
    ListOutside { name: String, list: String },
    Template(TemplateFault),
    Function(FunctionFault),
    FindCollection,
}

/// Why a control of the call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It would turn checks of the ERP off.
    Unchecked,
    /// It would change bills that are there.
    Changes,
    /// The server would save several at once, in an order of its own.
    Threads,
    /// Nothing is known of it.
    Unknown,
}

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
    NotOneValue { field: String, column: String, n: usize },
    Unquoted { field: String, value: String },
    Function { field: String, value: String, why: FunctionFault },
    NoKey { field: String },
    KeyTooLong { field: String, n: usize, most: usize },
    KeySign { field: String, value: String },
    TooLarge { bytes: usize, most: usize },
    TooManyRows { field: String, n: usize, most: usize },
}

impl Control {
    fn en(self) -> &'static str {
        match self {
            Self::Unchecked => "the ERP would not check what is sent: leave it out",
            Self::Changes => "bills that are there would be changed: Skydeck only makes new ones, leave it out",
            Self::Threads => {
                "the server would save several bills at once and answer in an order of its own: leave it out"
            }
            Self::Unknown => "it is not known here, and what is not understood is not sent: leave it out",
        }
    }

    fn zh(self) -> &'static str {
        match self {
            Self::Unchecked => "ERP 将不校验所发内容：请去掉",
            Self::Changes => "会改动已有单据，Skydeck 只新建：请去掉",
            Self::Threads => "服务器会同时保存多张并自行排序返回：请去掉",
            Self::Unknown => "此处不认识该参数，不理解的内容不会发送：请去掉",
        }
    }
}

const KEY: &str = "\"key\": {\"number\": \"FBillNo\", \"unique\": true}";

use MakeProblem as P;

/// Makes the function of a table: `pattern => (English, what to do), (Chinese, what to do);`.
macro_rules! sentences {
    ($($pattern:pat => $en:expr, $zh:expr;)*) => {
        impl MakeProblem {
            /// What is wrong and what to do.
            pub fn words(&self, zh: bool) -> Words {
                if zh {
                    match self { $($pattern => Words::from($zh),)* }
                } else {
                    match self { $($pattern => Words::from($en),)* }
                }
            }
        }
    };
}

impl<M: Into<String>, H: Into<String>> From<(M, H)> for Words {
    fn from((message, hint): (M, H)) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

sentences! {
    P::NoKey => ("nothing says how a bill is found again whose answer was lost: give skydeck.key", KEY), ("没有说明响应丢失的单据怎样找回：请写 skydeck.key", KEY);
    P::KeyShape { value } => (format!("{value} is no key"), KEY), (format!("{value} 不是有效的 key"), KEY);
    P::KeyNotSent { key } => (
                format!("the key `{key}` is not among the fields of the body"),
                format!("add {{\"field\": \"{key}\", \"value\": \"{{{{FBillNo}}}}\"}} to target.request"),
            ), (
                format!("所发字段中没有键字段 `{key}`"),
                format!("请在 target.request 中加上 {{\"field\": \"{key}\", \"value\": \"{{{{FBillNo}}}}\"}}"),
            );
    P::KeyInList { key } => (format!("the key `{key}` is not a plain field of the head"), KEY), (format!("键字段 `{key}` 不是表头的普通字段"), KEY);
    P::ProbeShape { value } => (format!("{value} is not the number of a bill"), "\"probe\": \"CGRK000001\""), (format!("{value} 不是单据编号"), "\"probe\": \"CGRK000001\"");
    P::StepName { value } => (format!("{value} is no step"), "\"steps\": [\"save\", \"submit\", \"audit\"]"), (format!("{value} 不是步骤"), "\"steps\": [\"save\", \"submit\", \"audit\"]");
    P::StepOrder => ("steps are save, then submit, then audit", "\"steps\": [\"save\", \"submit\", \"audit\"]"), ("步骤依次为 save、submit、audit", "\"steps\": [\"save\", \"submit\", \"audit\"]");
    P::NotForMaking { key } => (format!("`{key}` is not for a plan that makes bills"), "leave it out"), (format!("`{key}` 不用于新建单据的方案"), "请去掉");
    P::OnlyForMaking { key } => (format!("`{key}` is only for a plan that makes bills (target api batchSave)"), "leave it out"), (format!("`{key}` 只用于新建单据的方案（目标 api 为 batchSave）"), "请去掉");
    P::NoForm => (
                "the target names no form to make",
                "{\"field\": \"FormId\", \"value\": \"SAL_OUTSTOCK\"} in target.otherRequest",
            ), (
                "目标没有写要新建的业务对象",
                "请在 target.otherRequest 中写 {\"field\": \"FormId\", \"value\": \"SAL_OUTSTOCK\"}",
            );
    P::NoFields => ("the body has no field", "add the fields of the bill to target.request"), ("没有要发送的字段", "请把单据字段写入 target.request");
    P::Draft => (
                "a draft has no number, so that one whose answer was lost could not be found again",
                "\"api\": \"batchSave\"",
            ), ("暂存单没有编号，响应丢失后无法找回", "\"api\": \"batchSave\"");
    P::Update { field } => (
                format!("`{field}` would save over a bill that is there"),
                "Skydeck only makes new bills: leave it out",
            ), (format!("`{field}` 会覆盖已有单据"), "Skydeck 只新建：请去掉");
    P::Control { field, value, why } => (format!("`{field}` {value} is not sent"), why.en()), (format!("`{field}` {value} 不会发送"), why.zh());
    P::Type { value, suggest } => (format!("unknown type `{value}`"), suggest.en()), (format!("未知的类型 `{value}`"), suggest.zh());
    P::Parser { name, suggest } => (format!("unknown parser `{name}`"), suggest.en()), (format!("未知的解析器 `{name}`"), suggest.zh());
    P::ParserParams { name } => (
                format!("the parser `{name}` lacks its params"),
                "{\"name\": \"ConvertObjectParser\", \"params\": \"FNumber\"}",
            ), (
                format!("解析器 `{name}` 缺少 params"),
                "{\"name\": \"ConvertObjectParser\", \"params\": \"FNumber\"}",
            );
    P::Parent { parent } => (format!("no entry is called `{parent}`"), "`parent` names the id or the field of another entry"), (format!("没有名为 `{parent}` 的字段"), "`parent` 应为另一字段的 id 或 field");
    P::TooDeep { most } => (format!("more than {most} levels"), "no bill is nested that deeply"), (format!("嵌套超过 {most} 层"), "单据不会嵌套这么深");
    P::FieldTwice { name } => (format!("the field `{name}` stands twice at one level"), "keep the one that is meant"), (format!("同一层中字段 `{name}` 出现两次"), "请只留一个");
    P::FieldName { name } => (format!("`{name}` is no name of a field"), "letters, digits and `_`, such as FDate"), (format!("`{name}` 不是字段名"), "由字母、数字和 `_` 组成，如 FDate");
    P::ChildrenOfValue { name } => (
                format!("`{name}` has children and a type of a single value"),
                "\"type\": \"object\" or \"array\"",
            ), (format!("`{name}` 有下级字段，类型却是单个值"), "\"type\": \"object\" 或 \"array\"");
    P::NoChildren { name } => (
                format!("the list `{name}` has neither children nor a parser"),
                "give it children, or StringToArray",
            ), (format!("列表 `{name}` 既无下级字段也无解析器"), "请写 children，或用 StringToArray");
    P::ListName { name } => (
                format!("`{name}` is no name of a list"),
                "a name such as \"details\"; children then write {{details.FQty}}",
            ), (format!("`{name}` 不是列表名"), "应为 \"details\" 这样的名称，下级字段写 {{details.FQty}}");
    P::Hole { name, near } => (
                format!("`{name}` is no column of the source"),
                near.as_ref()
                    .map_or_else(|| "add it to source.request".to_owned(), |near| format!("did you mean `{near}`?")),
            ), (
                format!("来源没有列 `{name}`"),
                near.as_ref().map_or_else(|| "请加到 source.request".to_owned(), |near| format!("是不是 `{near}`？")),
            );
    P::ListOutside { name, list } => (
                format!("`{name}` is a value of every row of `{list}` and stands outside of it"),
                "write the column without the list's name, or move the field into the list",
            ), (format!("`{name}` 是 `{list}` 每一行的值，却写在列表之外"), "请去掉列表名，或把字段移入列表");
    P::Template(fault) => fault.words(false), fault.words(true);
    P::Function(fault) =>
        (format!("_function: {fault}"), "correct the expression"),
        (format!("_function：{}", fault.said(true)), "请改正表达式");
    P::FindCollection => ("`_findCollection` is not evaluated here", "write the value itself"), ("此处不支持 `_findCollection`", "请直接写值");
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
            | Self::NotOneValue { field, .. }
            | Self::Unquoted { field, .. }
            | Self::Function { field, .. }
            | Self::NoKey { field }
            | Self::KeyTooLong { field, .. }
            | Self::KeySign { field, .. }
            | Self::TooManyRows { field, .. } => Some(field),
            Self::TooLarge { .. } => None,
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
                    value.escape_debug()
                ),
                format!("{field}：“{}”含有 `;`、`--`、`/*` 或控制字符，无法查找", value.escape_debug()),
            ),
            Self::TooLarge { bytes, most } => pick(
                format!("the body has {bytes} bytes; at most {most} are sent"),
                format!("请求体有 {bytes} 字节，最多发送 {most} 字节"),
            ),
            Self::TooManyRows { field, n, most } => pick(
                format!("{field} has {n} rows; at most {most} are sent"),
                format!("{field} 有 {n} 行，最多发送 {most} 行"),
            ),
        }
    }
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said(false))
    }
}

impl std::error::Error for BodyFault {}
