//! The sentences of [`Problem`], English and Chinese side by side: what is wrong, and what to do or an example of what to write.
//!
//! Invariant: both languages are made from one table without a wildcard; a hint that is the same in both is an example.

use super::{Belongs, CronFault, JsonFault, Key, Problem, Wanted, Words};
use skydeck_core::domain::operation::{declaration, shown_by};

/// Makes the two functions of the table: `pattern => (English, what to do), (Chinese, what to do);`.
macro_rules! sentences {
    ($($pattern:pat => ($en:expr, $do:expr), ($zh:expr, $do_zh:expr);)*) => {
        /// In English.
        pub(super) fn en(problem: &Problem) -> Words {
            match problem { $($pattern => Words { message: $en.into(), hint: $do.into() },)* }
        }

        /// In Chinese.
        pub(super) fn zh(problem: &Problem) -> Words {
            match problem { $($pattern => Words { message: $zh.into(), hint: $do_zh.into() },)* }
        }
    };
}

const DONE: &str = "\"done\": [[\"FCloseStatus\", \"in\", \"B\"]]";
const FORM_ID: &str = "{\"field\": \"FormId\", \"value\": \"SAL_OUTSTOCK\"}";

use Problem as P;

sentences! {
    // The file.
    P::NotJson { said, why } => (format!("not JSON: {said}"), why.en()), (format!("不是 JSON：{}", parser_zh(said)), why.zh());
    P::KeyTwice { key, first } =>
        (format!("the key `{key}` stands twice, first in line {first}"),
            "keep one of the two: readers of JSON take the last and drop the first"),
        (format!("键 `{key}` 出现两次，首次在第 {first} 行"), "请只留一个：读取 JSON 时只取后一个");
    P::NotAnObject =>
        ("a plan is a JSON object with `source` and `target`", "`skydeck plan new` prints one to start from"),
        ("方案应为带有 `source` 和 `target` 的 JSON 对象", "可从 `skydeck plan new` 的输出开始");
    P::SideNotAnObject { side } =>
        (format!("`{side}` is not an object"), "write { … } with `api` and `request` in it"),
        (format!("`{side}` 不是对象"), "请写 { … }，其中含 `api` 和 `request`");
    P::NoSource =>
        ("the plan has no source: add the query", "{\"source\": {\"api\": \"executeBillQuery\", …}}"),
        ("方案没有来源：请添加查询", "{\"source\": {\"api\": \"executeBillQuery\", …}}");
    P::NoTarget =>
        ("the plan has no target: add the call", "{\"target\": {\"api\": \"Audit\", …}}"),
        ("方案没有目标：请添加调用", "{\"target\": {\"api\": \"Audit\", …}}");

    // The policy.
    P::PolicyMisspelt { key } =>
        (format!("unknown key `{key}`"), "did you mean `skydeck`?"),
        (format!("未知的键 `{key}`"), "是不是 `skydeck`？");
    P::PolicyNotAnObject =>
        ("`skydeck` is not an object", "write { \"batch\": 1, … }; `skydeck plan schema` prints all keys"),
        ("`skydeck` 不是对象", "请写 { \"batch\": 1, … }；`skydeck plan schema` 列出全部键");
    P::CannotStand { value, want } =>
        (format!("{value} cannot stand here"), want.en()),
        (format!("此处不能写 {value}"), want.zh());
    P::UnknownKey { key, belongs } =>
        (format!("unknown key `{key}`"), belongs.en()),
        (format!("未知的键 `{key}`"), belongs.zh());
    P::NoCron =>
        ("the schedule has no `cron`", "write \"cron\": \"3 2 * * *\""),
        ("定时缺少 `cron`", "请写 \"cron\": \"3 2 * * *\"");
    P::Cron(fault @ CronFault::Zone { .. }) =>
        (fault.said(false), "names are those of the IANA time zone database"),
        (fault.said(true), "名称以 IANA 时区数据库为准");
    P::Cron(fault) =>
        (fault.said(false), "five fields (minute first) or six (second first), e.g. `3 2 * * *`"),
        (fault.said(true), "应为五个字段（首位为分）或六个字段（首位为秒），例如 `3 2 * * *`");

    // A side and its entries.
    P::NewerForm { key } =>
        (format!("`{key}` belongs to a newer form that is not supported"),
            "export the plan's metadata with `request` and `otherRequest`"),
        (format!("`{key}` 属于尚不支持的新格式"), "请导出含 `request` 和 `otherRequest` 的方案元数据");
    P::GivenTwice { name } =>
        (format!("`{name}` is given twice with different values"), "keep the one that is meant"),
        (format!("`{name}` 写了两次且值不同"), "请只留正确的一个");
    P::NoEntryList =>
        ("not a list of field entries", "write [ {\"field\": …, \"value\": …}, … ]"),
        ("不是字段列表", "请写 [ {\"field\": …, \"value\": …}, … ]");
    P::TooManyEntries { most } =>
        (format!("more than {most} field entries"), "take out what the query does not need"),
        (format!("字段超过 {most} 个"), "请去掉查询不需要的字段");
    P::NoEntry =>
        ("not a field entry", "write {\"field\": …, \"label\": …, \"value\": …}"),
        ("不是字段", "请写 {\"field\": …, \"label\": …, \"value\": …}");
    P::EntryWithoutField =>
        ("a field entry without `field`", "name the field, or take the entry out"),
        ("字段缺少 `field`", "请写字段名，或去掉这一项");

    // The query.
    P::SourceApi { api } =>
        (format!("the source calls `{api}`, which is not a Kingdee bill query"),
            "only executeBillQuery can feed a plan here"),
        (format!("来源调用 `{api}`，它不是金蝶的单据查询"), "来源只能用 executeBillQuery（单据查询）");
    P::SourceWithoutApi =>
        ("the source names no `api`", "write \"api\": \"executeBillQuery\""),
        ("来源缺少 `api`", "请写 \"api\": \"executeBillQuery\"");
    P::Parser { parser, field } =>
        (format!("the parser `{parser}` on `{field}` is not supported"),
            "write the finished value; ArrayToString and StringToArray are understood"),
        (format!("不支持 `{field}` 上的解析器 `{parser}`"), "请直接写最终的值；可用 ArrayToString 和 StringToArray");
    P::NoFormId =>
        ("FormId is missing: add it to otherRequest", FORM_ID),
        ("缺少 FormId：请加到 otherRequest", FORM_ID);
    P::EmptyFormId => ("FormId has no value", FORM_ID), ("FormId 没有值", FORM_ID);
    P::FormId { text } =>
        (format!("`{text}` is no form id"), "a form id is a name like SAL_OUTSTOCK"),
        (format!("`{text}` 不是业务对象标识"), "应为 SAL_OUTSTOCK 这样的名称");
    P::NoControl { field, suggest } =>
        (match suggest.near {
            Some(near) => format!("`{field}` is no control of a bill query (did you mean `{near}`?)"),
            None => format!("`{field}` is no control of a bill query"),
        }, format!("known: {}", suggest.known.join(", "))),
        (match suggest.near {
            Some(near) => format!("`{field}` 不是单据查询的参数（是不是 `{near}`？）"),
            None => format!("`{field}` 不是单据查询的参数"),
        }, format!("可用：{}", suggest.known.join("、")));
    P::ColumnTwice { key, one, other } =>
        (format!("the column `{key}` stands twice, once as {one} and once as {other}"),
            "give one of the two another `field`"),
        (format!("字段 `{key}` 出现两次，分别为 {one} 和 {other}"), "请为其中一个换一个 `field`");
    P::TooManyPaths { most } =>
        (format!("more than {most} paths in FieldKeys"), "take out what is not needed"),
        (format!("FieldKeys 中的字段超过 {most} 个"), "请去掉不需要的字段");
    P::NoPath { path } =>
        (format!("`{path}` in FieldKeys is not a field path"), "a path is like FCustomerID.FNumber"),
        (format!("FieldKeys 中的 `{path}` 不是字段路径"), "应为 FCustomerID.FNumber 这样的路径");
    P::ColumnWithoutPath { field, text } =>
        (format!("the column `{field}` asks for `{text}`, which is not a field path"),
            "a column's value is a Kingdee path like FCustomerID.FNumber; templates belong into FilterString"),
        (format!("字段 `{field}` 的值 `{text}` 不是字段路径"),
            "应为 FCustomerID.FNumber 这样的路径；模板请写到 FilterString");
    P::FilterTooLong { bytes, most } =>
        (format!("the filter has {bytes} bytes, and {most} at most are read"),
            "name the bills by a condition, not one by one"),
        (format!("过滤条件有 {bytes} 字节，上限为 {most} 字节"), "请用条件选择单据，不要逐张列出");
    P::FilterList { text } =>
        ("FilterString is a list of conditions: write it as text, because conditions are added to it",
            text.as_deref().unwrap_or("FDocumentStatus='B' and FDate>='2025-01-01'")),
        ("FilterString 是条件列表：请写成文本，因为还要在其后追加条件",
            text.as_deref().unwrap_or("FDocumentStatus='B' and FDate>='2025-01-01'"));
    P::Filter { why, sign } =>
        (format!("{why} (sign {sign} of the filter)"),
            "conditions are added to the filter: it must be whole by itself"),
        (format!("{}（过滤条件的第 {sign} 个字符）", why.said(true)), "还要在其后追加条件，过滤条件本身必须完整");
    P::Template(fault) =>
        (fault.words(false).message, fault.words(false).hint),
        (fault.words(true).message, fault.words(true).hint);
    P::Unevaluated(fault) =>
        (fault.said(false), "docs/plans.md names what can be evaluated"),
        (fault.said(true), "可计算的内容见 docs/plans.md");
    P::UpperBound { field, op } =>
        (format!("LAST_SYNC_TIME is not a lower bound: `{field} {op} …`"),
            "write `column >= '{{LAST_SYNC_TIME|datetime}}'`; for an upper bound use CURRENT_TIME"),
        (format!("LAST_SYNC_TIME 应作下限：`{field} {op} …`"),
            "请写 `字段 >= '{{LAST_SYNC_TIME|datetime}}'`；上限请用 CURRENT_TIME");
    P::MarkWithNot =>
        ("LAST_SYNC_TIME in a filter with `not`", "write the condition without `not`"),
        ("过滤条件中 LAST_SYNC_TIME 与 `not` 并用", "请改写为不含 `not` 的条件");
    P::PageSize =>
        ("pageSize is not a number", "write a whole number from 1 to 2000"),
        ("pageSize 不是数字", "请写 1 到 2000 的整数");
    P::Limit { text } =>
        (format!("Limit `{text}` is not a number"), "write {{PAGINATION_PAGE_SIZE}} or a whole number"),
        (format!("Limit `{text}` 不是数字"), "请写 {{PAGINATION_PAGE_SIZE}} 或整数");
    P::TopRows { text } =>
        (format!("TopRowCount `{text}` is not a number"), "leave it empty for no cap"),
        (format!("TopRowCount `{text}` 不是数字"), "不限行数请留空");
    P::StartRow { text } =>
        (format!("StartRow `{text}` would leave bills out"),
            "write {{PAGINATION_START_ROW}}; Skydeck pages by id and leaves none out"),
        (format!("StartRow `{text}` 会漏掉单据"), "请写 {{PAGINATION_START_ROW}}；Skydeck 按内码翻页，不会遗漏");
    P::NoConditionList =>
        ("`condition` is not a list", "write [[{…} and {…}] or [{…}]]: outer or, inner and"),
        ("`condition` 不是列表", "请写 [[{…}, {…}], [{…}]]：外层为或，内层为且");
    P::TooManyComparisons { n, most } =>
        (format!("{n} comparisons, and {most} at most"), "write them into the filter"),
        (format!("有 {n} 个比较，最多 {most} 个"), "请写到过滤条件中");
    P::NoComparisonList =>
        ("not a list of comparisons", "write [[{…}, {…}], [{…}]]: outer or, inner and"),
        ("不是比较的列表", "请写 [[{…}, {…}], [{…}]]：外层为或，内层为且");
    P::NoColumn { field, near } =>
        (format!("the query has no column `{field}`"), near.as_ref().map_or_else(
            || "a condition can only look at a column that the query asks for".to_owned(),
            |near| format!("did you mean `{near}`?"),
        )),
        (format!("查询中没有字段 `{field}`"), near.as_ref().map_or_else(
            || "条件只能用查询所取的字段".to_owned(),
            |near| format!("是不是 `{near}`？"),
        ));
    P::NoOperator { word, suggest } =>
        (format!("unknown operator `{word}`"), suggest.en()),
        (format!("未知的比较符 `{word}`"), suggest.zh());
    P::ValueCount { word, wanted, n } =>
        (format!("`{word}` takes {wanted} value(s), not {n}"), "give it as text, for between as a list of two"),
        (format!("`{word}` 需要 {wanted} 个值，这里有 {n} 个"), "请写成文本；between 写成两个值的列表");
    P::TemplateInCondition { text } =>
        (format!("`{text}`: templates are not filled in a condition"), "put the window into FilterString"),
        (format!("`{text}`：条件中的模板不会替换"), "请把时间范围写到 FilterString");
    P::NoDate { text } =>
        (format!("`{text}` is not a date"), "write timestamp:YYYY-MM-DD HH:MM:SS"),
        (format!("`{text}` 不是日期"), "请写 timestamp:YYYY-MM-DD HH:MM:SS");
    P::RemedyWithoutCron =>
        ("the compensation has no crontab", "add one, or take omissionRemedy out"),
        ("补偿查询缺少 crontab", "请补上，或去掉 omissionRemedy");
    P::RemedyReplaces { field } =>
        (format!("the compensation replaces `{field}`, which a bill query cannot take over"),
            "only FilterString can be replaced"),
        (format!("补偿查询替换 `{field}`，单据查询无法采用"), "只能替换 FilterString");

    // The call.
    P::FunctionInTarget =>
        ("`_function` and `_findCollection` are not evaluated in a target", "write the value itself"),
        ("目标中不计算 `_function` 和 `_findCollection`", "请直接写值");
    P::NotSent { field } =>
        (format!("`{field}` is not sent by Skydeck"), "leave it empty if the call is right without it"),
        (format!("Skydeck 不发送 `{field}`"), "若不影响调用，请留空");
    P::UnknownField { field, suggest } =>
        (format!("`{field}` has a value but is not sent by Skydeck"), suggest.en()),
        (format!("`{field}` 有值，但 Skydeck 不发送"), suggest.zh());
    P::OtherForm { text, source } =>
        (format!("the target's form `{text}` is not the source's `{source}`"),
            "ids of one form mean other bills in another: use one form on both sides"),
        (format!("目标的业务对象 `{text}` 与来源的 `{source}` 不同"),
            "同一内码在不同业务对象中是不同的单据，两侧请用同一业务对象");
    P::TargetWithoutApi =>
        ("the target names no `api`", "write \"api\": \"Audit\""),
        ("目标缺少 `api`", "请写 \"api\": \"Audit\"");
    P::TargetApi { api } =>
        (format!("the target calls `{api}`, which Skydeck cannot"), "a target is Audit, Submit or excuteOperation"),
        (format!("目标调用 `{api}`，Skydeck 不支持"), "目标可用 Audit（审核）、Submit（提交）或 excuteOperation");
    P::NoOperationNamed =>
        ("excuteOperation without an `Operation`",
            "name the operation, e.g. {\"field\": \"Operation\", \"value\": \"BillClose\"}"),
        ("excuteOperation 缺少 `Operation`", "请写操作编码，例如 {\"field\": \"Operation\", \"value\": \"BillClose\"}");
    P::OperationName { name } =>
        (format!("`{name}` is no operation name"), "write it as the form's designer shows it"),
        (format!("`{name}` 不是操作编码"), "请按 BOS 设计器中的操作编码填写");
    P::TakesBack { name } =>
        (format!("`{name}` takes back what was done"),
            "Skydeck offers nothing that un-does: do this in the ERP, where it is asked for bill by bill"),
        (format!("`{name}` 是撤回类操作"), "Skydeck 不提供反审核等撤回操作，请在 ERP 中逐张处理");
    P::NotTheBill { text, key, want } =>
        (format!("`{text}` is not the bill's {}", key.en()), format!("write {{{{{want}}}}} or leave it empty")),
        (format!("`{text}` 不是单据的{}", key.zh()), format!("请写 {{{{{want}}}}} 或留空"));
    P::NotTheColumn { hole, key, want } =>
        (format!("`{{{{{hole}}}}}` is not the bill's {}, which is {want}", key.en()),
            format!("write {{{{{want}}}}} or leave it empty")),
        (format!("`{{{{{hole}}}}}` 不是单据的{}（{want}）", key.zh()), format!("请写 {{{{{want}}}}} 或留空"));
    P::NoTruth { text } =>
        (format!("`{text}` is neither true nor false"), "write true or false, or leave it empty"),
        (format!("`{text}` 既不是 true 也不是 false"), "请写 true 或 false，或留空");
    P::FlagName { name } =>
        (format!("`{name}` is no interaction flag"), "flags are names joined with ;"),
        (format!("`{name}` 不是交互标志"), "多个标志用 ; 连接");
    P::OrganisationId { text } =>
        (format!("`{text}` is no organisation id"), "write the numeric id, or leave it empty"),
        (format!("`{text}` 不是组织内码"), "请写数字内码，或留空");

    // What is made.
    P::HandedIn(problem) =>
        (problem.words(false).message, problem.words(false).hint),
        (problem.words(true).message, problem.words(true).hint);
    P::Feed(problem) =>
        (problem.words(false).message, problem.words(false).hint),
        (problem.words(true).message, problem.words(true).hint);
    P::Make(problem) =>
        (problem.words(false).message, problem.words(false).hint),
        (problem.words(true).message, problem.words(true).hint);
    P::Send(problem) =>
        (problem.words(false).message, problem.words(false).hint),
        (problem.words(true).message, problem.words(true).hint);

    // What shows that the operation is done.
    P::NoDoneList => ("not a list of conditions", DONE), ("不是条件列表", DONE);
    P::OneDone =>
        ("one condition where a list of conditions is read: put it into brackets of its own", DONE),
        ("这里应是条件列表，而不是单个条件：请再加一层方括号", DONE);
    P::TooManyDone { n, most } =>
        (format!("{n} conditions: 1 to {most} can be given"), DONE),
        (format!("有 {n} 个条件：可以写 1 到 {most} 个"), DONE);
    P::NeverDone { path } =>
        (format!("no value of {path} passes this condition and the one before it: no bill would ever be done"), DONE),
        (format!("没有哪个 {path} 的值能同时满足此条件和前面的条件：单据永远不会算完成"), DONE);
    P::DoneExists =>
        ("`exists` shows nothing: an operation acts on a bill that is there before and after", DONE),
        ("`exists` 什么也说明不了：操作前后单据都存在", DONE);
    P::NoDone =>
        ("not a condition: a field, `in` or `eq`, and what the field holds afterwards", DONE),
        ("不是条件：应为字段、`in` 或 `eq`、以及操作后字段的值", DONE);
    P::DonePath { field } => (format!("{field} is not a field path"), DONE), (format!("{field} 不是字段路径"), DONE);
    P::DoneInEntry { path } =>
        (format!("{path} looks like a field of the entries: a look shows the first line alone, and the whole bill would be \
                  told done by it"), DONE),
        (format!("{path} 像是分录字段：回查只看得到第一行，整张单据会因此被说成已完成"), DONE);
    P::DoneOperator { logic, near: Some(near) } =>
        (format!("{logic} cannot show that a bill is done: known are `in` and `eq`; did you mean `{near}`?"), DONE),
        (format!("{logic} 不能说明单据已完成：可用 `in` 和 `eq`；是不是 `{near}`？"), DONE);
    P::DoneOperator { logic, near: None } =>
        (format!("{logic} cannot show that a bill is done: known are `in` and `eq`"), DONE),
        (format!("{logic} 不能说明单据已完成：可用 `in` 和 `eq`"), DONE);
    P::DoneValue { value } =>
        (format!("{value} is no value of a field: write a text such as \"B\""), DONE),
        (format!("{value} 不是字段的值：请写文本，如 \"B\""), DONE);
    P::DoneWithoutValue =>
        ("the condition names no value that the field holds afterwards", DONE),
        ("条件没有写出操作后字段的值", DONE);
    P::DoneEqSeveral { n } =>
        (format!("`eq` takes one value, not {n}: write `in`"), DONE),
        (format!("`eq` 只取一个值，这里有 {n} 个：请写 `in`"), DONE);
    P::TooManyDoneValues { n, most } =>
        (format!("{n} values: at most {most} can be given"), DONE),
        (format!("有 {n} 个值：最多可以写 {most} 个"), DONE);
    P::DoneEmpty =>
        ("an empty value: a field that cannot be read is empty, too", DONE),
        ("值为空：读不到的字段也是空的", DONE);
    P::DoneTooLong { most } =>
        (format!("a value of more than {most} characters"), DONE),
        (format!("值超过 {most} 个字符"), DONE);
    P::DoneTemplate =>
        ("a value is compared as it is written: no template, no function, no control character", DONE),
        ("值按原样比较：不能写模板、函数或控制字符", DONE);
    P::Mine { value } =>
        (format!("{value} is not the path of a field that names who did it"), "\"mine\": \"FCloserId.FName\""),
        (format!("{value} 不是表示操作人的字段路径"), "\"mine\": \"FCloserId.FName\"");
    P::KnownResult { key, call, leads_to } =>
        (format!("`{key}` is for excuteOperation; what {call} leads to is known ({leads_to}): leave `{key}` out"), ""),
        (format!("`{key}` 只用于 excuteOperation；{call} 的结果是已知的（{leads_to}）：请去掉 `{key}`"), "");
    P::Undeclared { operation, .. } =>
        (format!("`{operation}` is executed and nothing says how a bill shows that it is done, so that a call whose answer \
                  is lost could never be settled: add it{}", match shown_by(operation) {
            Some(_) => "",
            None => " (the field that it changes, and what it leaves there)",
        }), declaration(operation)),
        (format!("执行 `{operation}`，但没有说明怎样看出单据已完成，响应丢失的调用将无法核实：请添加{}",
            if shown_by(operation).is_some() { "" } else { "（写它所改的字段和改后的值）" }), declaration(operation));
}

/// What the parser of JSON says.
fn parser_zh(said: &str) -> String {
    const KNOWN: [(&str, &str); 10] = [
        ("EOF", "文本提前结束"),
        ("expected value", "此处应为值"),
        ("expected ident", "此处应为 true、false 或 null"),
        ("trailing comma", "多余的逗号"),
        ("trailing characters", "结束之后还有内容"),
        ("key must be a string", "键须加引号"),
        ("invalid escape", "无效的转义"),
        ("control character", "文本中有未转义的控制字符"),
        ("invalid number", "无效的数字"),
        ("recursion limit", "嵌套过深"),
    ];
    match KNOWN.iter().find(|(part, _)| said.contains(part)) {
        Some((_, zh)) => (*zh).to_owned(),
        None => said
            .strip_prefix("expected ")
            .map_or_else(|| format!("“{said}”"), |wanted| format!("此处应为 {}", wanted.replace(" or ", " 或 "))),
    }
}

impl JsonFault {
    fn en(self) -> &'static str {
        match self {
            Self::Empty => "the file is empty: `skydeck plan new` prints a plan to start from",
            Self::EndsEarly => "the text ends too early: a closing } or ] or quotation mark is missing",
            Self::FullWidth => "a full-width sign stands where JSON needs an ASCII one (\" , :)",
            Self::Comma => "the comma before this bracket is one too many",
            Self::Table => "this looks like a table: `skydeck plan import` reads those",
            Self::Other => "fix the JSON at this place; the file was left as it is",
        }
    }

    fn zh(self) -> &'static str {
        match self {
            Self::Empty => "文件为空：可从 `skydeck plan new` 的输出开始",
            Self::EndsEarly => "文本不完整：缺少 }、] 或引号",
            Self::FullWidth => "此处是全角符号，JSON 需要半角的 \" , :",
            Self::Comma => "此括号前多了一个逗号",
            Self::Table => "看起来是表格：请用 `skydeck plan import` 导入",
            Self::Other => "请改正此处的 JSON；文件未作更改",
        }
    }
}

impl Wanted {
    fn en(self) -> String {
        match self {
            Self::Environment => "write the name of an environment of config.toml".into(),
            Self::Path => "write a Kingdee field path such as FID".into(),
            Self::Count { min, max } => format!("write a whole number from {min} to {max}"),
            Self::Truth => "write true or false".into(),
            Self::RetryUnchanged => "write \"never\", \"probe\" or \"always\"".into(),
            Self::Span => "write a time such as \"90s\", \"10m\", \"2h\" or \"1d\", at most \"30d\"".into(),
            Self::Labels => "write {\"FBillNo\": \"bill number\", …}".into(),
            Self::Schedule => "write {\"cron\": \"3 2 * * *\", \"zone\": \"Asia/Shanghai\"}".into(),
            Self::Missed => "write \"skip\", \"once\" or \"all\"".into(),
            Self::Approver => "write \"person\" or \"schedule\"".into(),
            Self::Text => "write a text".into(),
        }
    }

    fn zh(self) -> String {
        match self {
            Self::Environment => "请写 config.toml 中的环境名".into(),
            Self::Path => "请写金蝶字段路径，如 FID".into(),
            Self::Count { min, max } => format!("请写 {min} 到 {max} 的整数"),
            Self::Truth => "请写 true 或 false".into(),
            Self::RetryUnchanged => "请写 \"never\"、\"probe\" 或 \"always\"".into(),
            Self::Span => "请写时长，如 \"90s\"、\"10m\"、\"2h\" 或 \"1d\"，最长 \"30d\"".into(),
            Self::Labels => "请写 {\"FBillNo\": \"单据编号\", …}".into(),
            Self::Schedule => "请写 {\"cron\": \"3 2 * * *\", \"zone\": \"Asia/Shanghai\"}".into(),
            Self::Missed => "请写 \"skip\"、\"once\" 或 \"all\"".into(),
            Self::Approver => "请写 \"person\" 或 \"schedule\"".into(),
            Self::Text => "请写文本".into(),
        }
    }
}

impl Belongs {
    fn en(self) -> String {
        match self {
            Self::Run => "rule-changing flags are chosen by the operator for one run, with a reason".into(),
            Self::Limits => "pace and time limits belong to the environment in config.toml".into(),
            Self::SignIn => "address and sign-in belong to the environment in config.toml".into(),
            Self::Nowhere(suggest) => suggest.en(),
        }
    }

    fn zh(self) -> String {
        match self {
            Self::Run => "忽略 ERP 提示的标志由操作员在单次运行中说明理由后选用".into(),
            Self::Limits => "速率和时限请写在 config.toml 的环境中".into(),
            Self::SignIn => "地址和登录信息请写在 config.toml 的环境中".into(),
            Self::Nowhere(suggest) => suggest.zh(),
        }
    }
}

impl Key {
    fn en(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Number => "number",
        }
    }

    fn zh(self) -> &'static str {
        match self {
            Self::Id => "内码",
            Self::Number => "编号",
        }
    }
}
