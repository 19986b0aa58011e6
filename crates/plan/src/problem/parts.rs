//! The sentences of what a fault of a plan is made of: templates, expressions, filters, crons. English and Chinese side by side.

use std::borrow::Cow;
use std::fmt;

use skydeck_core::domain::spelled::spelled;

use super::{CronFault, FilterFault, FunctionFault, RenderFault, Suggest, TemplateFault, Words};

/// Makes the function of a table: `pattern => English, Chinese;`.
macro_rules! said {
    ($kind:ty; $($pattern:pat => $en:expr, $zh:expr;)*) => {
        impl $kind {
            /// In English or in Chinese.
            pub fn said(&self, zh: bool) -> String {
                let said: Cow<'_, str> = if zh {
                    match self { $($pattern => $zh.into(),)* }
                } else {
                    match self { $($pattern => $en.into(),)* }
                };
                said.into_owned()
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.said(false))
            }
        }

        impl std::error::Error for $kind {}
    };
}

impl Suggest {
    /// `did you mean …?`, or all that is known.
    pub(super) fn en(self) -> String {
        match self.near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", self.known.join(", ")),
        }
    }

    /// The same in Chinese.
    pub(super) fn zh(self) -> String {
        match self.near {
            Some(near) => format!("是不是 `{near}`？"),
            None => format!("可用：{}", self.known.join("、")),
        }
    }
}

said! { CronFault;
    Self::Fields { cron, n } =>
        format!("cron `{cron}` has {n} fields, not five or six"),
        format!("cron `{cron}` 有 {n} 个字段，应为五个或六个");
    Self::Weekday { cron, weekday } =>
        format!("cron `{cron}`: weekday `{weekday}` beside `?` has two meanings: write MON, TUE, …"),
        format!("cron `{cron}`：与 `?` 并用的星期 `{weekday}` 有两种含义：请写 MON、TUE 等");
    Self::Other { cron, said } => format!("cron `{cron}`: {said}"), format!("cron `{cron}` 无法识别：“{said}”");
    Self::Zone { name } =>
        format!("unknown time zone `{name}`: write a name like Asia/Shanghai"),
        format!("未知的时区 `{name}`：请写 Asia/Shanghai 这样的名称");
}

said! { FilterFault;
    Self::Quote => "a quotation mark ' is not closed", "引号 ' 没有闭合";
    Self::LineComment => "`--` starts a comment in the server's SQL", "`--` 在服务器的 SQL 中是注释";
    Self::Comment => "`/*` starts a comment in the server's SQL", "`/*` 在服务器的 SQL 中是注释";
    Self::Statement => "`;` ends a statement in the server's SQL", "`;` 在服务器的 SQL 中会结束语句";
    Self::Close => "`)` without `(` before it", "`)` 之前没有 `(`";
    Self::Open => "`(` without `)` after it", "`(` 之后没有 `)`";
}

said! { FunctionFault;
    Self::AfterTheEnd { sign } =>
        format!("`{sign}` cannot stand after a complete expression"),
        format!("表达式已完整，其后不能再有 `{sign}`");
    Self::Null =>
        "the result is NULL (a division by zero gives it, too), which cannot be sent: put IFNULL(…, …) around it",
        "结果为 NULL（除以零的结果也是 NULL），无法发送：请在外层写 IFNULL(…, …)";
    Self::Fraction =>
        "fractions are not evaluated: write a whole number or the value itself",
        "不计算小数：请写整数或直接写值";
    Self::NumberTooLarge { digits } => format!("the number {digits} is too large"), format!("数字 {digits} 过大");
    Self::Sign { sign } =>
        format!("`{sign}` is not evaluated: write the value itself"),
        format!("不支持 `{sign}`：请直接写值");
    Self::Backslash => "a backslash in a text is not evaluated", "不支持文本中的反斜杠";
    Self::OpenQuote => "a quotation mark is not closed", "引号没有闭合";
    Self::Missing { op } => format!("`{op}` is missing"), format!("缺少 `{op}`");
    Self::TooDeep => "the expression is nested too deeply", "表达式嵌套过深";
    Self::EndsEarly => "the expression ends too early", "表达式不完整";
    Self::NoValue { op } => format!("`{op}` stands where a value is expected"), format!("`{op}` 处应为一个值");
    Self::NoThen => "CASE: THEN is missing", "CASE 缺少 THEN";
    Self::NoEnd => "CASE: END is missing", "CASE 缺少 END";
    Self::Unknown { name, near: Some(near) } =>
        format!("`{name}` is not evaluated here (did you mean `{near}`?): write the value itself"),
        format!("不支持 `{name}`（是不是 `{near}`？）：请直接写值");
    Self::Unknown { name, near: None } =>
        format!("`{name}` is not evaluated here: write the value itself"),
        format!("不支持 `{name}`：请直接写值");
    Self::NoCondition { text } => format!("the text '{text}' is not a condition"), format!("文本 '{text}' 不是条件");
    Self::OutOfRange => "a number leaves the range", "数字超出范围";
    Self::Reckoning => "texts cannot be reckoned with", "文本不能参与算术";
    Self::Collation { a, b } =>
        format!("whether '{a}' equals '{b}' depends on the collation"),
        format!("'{a}' 是否等于 '{b}' 取决于排序规则");
    Self::TextOrder => "the order of texts depends on the collation", "文本的先后取决于排序规则";
    Self::MixedKinds =>
        "a number is compared with a text: write both as one kind",
        "数字与文本不能比较：请写成同一类型";
    Self::Locate => "LOCATE: the answer depends on the collation", "LOCATE 的结果取决于排序规则";
    Self::NoMoment { seconds } =>
        format!("FROM_UNIXTIME: {seconds} is no moment in seconds"),
        format!("FROM_UNIXTIME：{seconds} 不是以秒计的时间");
    Self::NoDate { text } =>
        format!("`{text}` is not a date, or the format is not known"),
        format!("“{text}”不是日期，或格式无法识别");
    Self::Endless =>
        "the result has more than ten digits behind the point: write ROUND(…, 2) around it",
        "结果的小数超过十位：请在外层写 ROUND(…, 2)";
    Self::Arguments { name, n } =>
        format!("{name} does not take these {n} values"),
        format!("{name} 不接受这 {n} 个值");
}

said! { RenderFault;
    Self::Template(fault) => fault.to_string(), fault.said(true);
    Self::Function(fault) => format!("_function: {fault}"), format!("_function：{}", fault.said(true));
    Self::FunctionInside =>
        "`_function` and `_findCollection` cannot stand here: write the value itself",
        "此处不能写 `_function` 和 `_findCollection`：请直接写值";
    Self::Sign { value, sign } =>
        format!("`{value}` holds `{sign}`, which may not go into a filter"),
        format!("`{value}` 含有 `{sign}`，不能写入过滤条件");
    Self::Control { value } =>
        format!("`{}` holds a control character, which may not go into a filter", spelled(value)),
        format!("`{}` 含有控制字符，不能写入过滤条件", spelled(value));
    Self::EmptyNumber => "an empty bill number", "单据编号为空";
    Self::Filter { why, sign, text } =>
        format!("{why} (sign {sign} of `{text}`)"),
        format!("{}（`{text}` 的第 {sign} 个字符）", why.said(true));
}

impl TemplateFault {
    /// What is wrong and what would be right.
    pub fn words(&self, zh: bool) -> Words {
        let (message, hint) = if zh { self.zh() } else { self.en() };
        Words { message, hint }
    }

    /// In one sentence.
    pub fn said(&self, zh: bool) -> String {
        let Words { message, hint } = self.words(zh);
        format!("{message}{}{hint}", if zh { "，" } else { " — " })
    }

    fn en(&self) -> (String, String) {
        let write = "write {{NAME}} or {{NAME|format}}";
        let (message, hint) = match self {
            Self::StrayClose => ("`}}` without `{{` before it".into(), write.into()),
            Self::Dollar => ("`${…}` is not supported".into(), "write {{LAST_SYNC_TIME|datetime}} and the like".into()),
            Self::Unclosed => ("`{{` without `}}` after it".into(), "close it: {{NAME}}".into()),
            Self::Nameless { inner } => (format!("`{{{{{inner}}}}}` names nothing"), write.into()),
            Self::NewerForm { name } => (
                format!("unknown template variable `{name}`"),
                "this is the newer form of the vendor's docs: write {{LAST_SYNC_TIME|datetime}} and the like".into(),
            ),
            Self::Variable { name, near } => (
                format!("unknown template variable `{name}`"),
                near.map_or_else(|| format!("known here: {KNOWN}"), |near| format!("did you mean `{near}`?")),
            ),
            Self::Format { name, variable, suggest } => {
                let hint = suggest.near.map_or_else(
                    || format!("known here: {}", suggest.known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                (format!("unknown format `{name}` of `{variable}`"), hint)
            }
            Self::NumberFormat { variable } => {
                (format!("`{variable}` is a number and takes no format"), format!("write {{{{{variable}}}}}"))
            }
        };
        (message, hint)
    }

    fn zh(&self) -> (String, String) {
        let write = "请写 {{NAME}} 或 {{NAME|format}}";
        match self {
            Self::StrayClose => ("`}}` 之前没有 `{{`".into(), write.into()),
            Self::Dollar => ("不支持 `${…}`".into(), "请写 {{LAST_SYNC_TIME|datetime}} 等".into()),
            Self::Unclosed => ("`{{` 之后没有 `}}`".into(), "请补上：{{NAME}}".into()),
            Self::Nameless { inner } => (format!("`{{{{{inner}}}}}` 没有写变量名"), write.into()),
            Self::NewerForm { name } => {
                (format!("未知的模板变量 `{name}`"), "这是较新的写法，请改写为 {{LAST_SYNC_TIME|datetime}} 等".into())
            }
            Self::Variable { name, near } => (
                format!("未知的模板变量 `{name}`"),
                near.map_or_else(|| format!("可用：{KNOWN}"), |near| format!("是不是 `{near}`？")),
            ),
            Self::Format { name, variable, suggest } => (format!("`{variable}` 的格式 `{name}` 未知"), suggest.zh()),
            Self::NumberFormat { variable } => {
                (format!("`{variable}` 是数字，不能带格式"), format!("请写 {{{{{variable}}}}}"))
            }
        }
    }
}

/// Variables that can be written.
const KNOWN: &str =
    "LAST_SYNC_TIME, CURRENT_TIME, DAYS_AGO_n, PAGINATION_PAGE_SIZE, PAGINATION_START_ROW, PAGINATION_START_PAGE";

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said(false))
    }
}

impl std::error::Error for TemplateFault {}
