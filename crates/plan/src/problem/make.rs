//! What is wrong with a plan that makes bills. English and Chinese side by side.

use super::{FunctionFault, Suggest, TemplateFault, Words};

/// Bytes of a mapping table at most.
pub const MOST_TABLE: u64 = 1 << 20;

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
    ListInList { name: String, list: String, inner: String },
    Template(TemplateFault),
    Function(FunctionFault),
    LinkShape { value: String },
    OnlyForPush,
    NotForPush { key: &'static str },
    PushedByNumber { number: String },
    NoRule,
    UnknownLink { rule: String, near: Option<String> },
    RuleOfOtherForm { rule: String, form: String },
    NoTargetForm,
    WholeBills,
    PartOfBills { field: String },
    PushedDraft,
    PushedAlone,
    NotTheRecord { text: String, want: String },
    FindShape { text: String },
    NotForCollecting { key: String },
    CollectsAndCalls { api: String },
    TablesShape { value: String },
    TooManyTables { n: usize, most: usize },
    NoTable { name: String, near: String },
    NoTableColumn { file: String, column: String, near: Option<String>, known: String },
    Table { file: String, line: Option<usize>, fault: TableFault },
}

/// What is wrong with a mapping table, at one line or as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant and field is named after what the file holds there; the table says the rest"
)]
pub enum TableFault {
    NotRead(NotRead),
    NotUtf8,
    NoRows,
    ColumnName { n: usize, name: String },
    ColumnTwice { name: String },
    TooManyColumns { n: usize, most: usize },
    TooManyRows { most: usize },
    Cells { n: usize, wanted: usize },
    LongCell { n: usize, most: usize },
    Control { cell: String },
    Twice { by: String, first: usize },
}

/// Why a file beside a plan is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRead {
    /// The plan was given without the directory it stands in.
    Alone,
    /// There is none.
    Missing,
    /// A directory, pipe, device or socket.
    NotOrdinary,
    /// More than [`MOST_TABLE`].
    TooLarge(u64),
    /// What the system says, English and Chinese.
    Other(String, String),
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

const LINK: &str = "\"link\": {\"field\": \"FSourceBillNo\", \"quantity\": [\"FRealQty\", \"FPriceQty\"]}";
const RULE: &str = "{\"field\": \"RuleId\", \"value\": \"AR_OutStockToReceivableMap\"}";
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
    P::ListInList { name, list, inner } => (
                format!("the list `{name}` stands in the list `{list}` and names rows of its own, `{inner}`; a record has one list of rows"),
                "leave its value empty: then it is one row of its line",
            ), (
                format!("列表 `{name}` 位于列表 `{list}` 之内，又指定了自己的行 `{inner}`；一条记录只有一组行"),
                "请把 value 留空：则每行带一行下级",
            );
    P::Template(fault) => fault.words(false), fault.words(true);
    P::Function(fault) =>
        (format!("_function: {fault}"), "correct the expression"),
        (format!("_function：{}", fault.said(true)), "请改正表达式");
    P::LinkShape { value } => (format!("{value} is no link"), LINK), (format!("{value} 不是有效的 link"), LINK);
    P::OnlyForPush => ("`link` is only for a plan that pushes (target api push)", "leave it out"), ("`link` 只用于下推方案（目标 api 为 push）", "请去掉");
    P::NotForPush { key } => (format!("`{key}` is not for a plan that pushes: what it makes is found by `link`"), "leave it out"), (format!("`{key}` 不用于下推方案：新单由 `link` 找回"), "请去掉");
    P::PushedByNumber { number } => (
                format!("what is pushed names its source by the bill number, and the plan's number is `{number}`"),
                "\"number\": \"FBillNo\"",
            ), (format!("下推的新单记录的是源单编号，而本方案的编号字段是 `{number}`"), "\"number\": \"FBillNo\"");
    P::NoRule => (
                "no conversion rule is named, and the server's default may be another one tomorrow",
                RULE,
            ), ("没有写单据转换规则，而服务器的默认规则可能会变", RULE);
    P::UnknownLink { rule, near } => (
                format!("nothing is known of where the bills of the rule `{rule}` name their source: a lost answer could not be settled"),
                near.as_ref().map_or_else(|| LINK.to_owned(), |near| format!("did you mean `{near}`? Otherwise {LINK}")),
            ), (
                format!("不知道规则 `{rule}` 生成的单据在哪个字段记录源单编号：响应丢失后无法找回"),
                near.as_ref().map_or_else(|| LINK.to_owned(), |near| format!("是不是 `{near}`？否则请写 {LINK}")),
            );
    P::RuleOfOtherForm { rule, form } => (format!("the rule `{rule}` is of {form}"), "name the rule of this form"), (format!("规则 `{rule}` 属于 {form}"), "请写本业务对象的转换规则");
    P::NoTargetForm => (
                "the target names no form that is made",
                "{\"field\": \"TargetFormId\", \"value\": \"AR_receivable\"} in target.otherRequest",
            ), (
                "目标没有写要生成的业务对象",
                "请在 target.otherRequest 中写 {\"field\": \"TargetFormId\", \"value\": \"AR_receivable\"}",
            );
    P::WholeBills => ("lines are not pushed one by one: only whole bills are", "leave `EntryIds` empty"), ("不按分录下推，只下推整单", "`EntryIds` 请留空");
    P::PartOfBills { field } => (
                format!("{field} looks like a field of the lines, and whole bills are pushed: also the lines that this leaves out"),
                "select whole bills, by fields of the head",
            ), (format!("{field} 像是分录字段，而下推的是整单，包括被它排除的分录"), "请按单据头字段选择整单");
    P::PushedDraft => (
                "a draft has no number and is found by nobody: what cannot be saved is refused instead",
                "\"value\": \"false\"",
            ), ("暂存单没有编号，谁也找不回：保存不了的应当报错", "\"value\": \"false\"");
    P::PushedAlone => ("one bill is pushed a call: of several nobody could tell which made which", "\"batch\": 1"), ("每次调用只下推一张：多张时无法分辨新单来自哪一张", "\"batch\": 1");
    P::NotTheRecord { text, want } => (
                format!("`{text}` is not the record itself"),
                format!("\"value\": \"{{{{{want}}}}}\": Skydeck pushes each record of the source by its own id"),
            ), (format!("`{text}` 不是记录本身"), format!("\"value\": \"{{{{{want}}}}}\"：Skydeck 按内码逐张下推"));
    P::FindShape { text } => (format!("`_findCollection {text}` cannot be read"), FIND), (format!("无法读取 `_findCollection {text}`"), FIND);
    P::NotForCollecting { key } => (format!("`{key}` is not for a plan that only collects"), "leave it out: nothing is called"), (format!("`{key}` 不用于只读取的方案"), "请去掉：不会调用任何操作");
    P::CollectsAndCalls { api } => (
                format!("the plan is to collect only, and its target calls {api}"),
                "leave out the target, or skydeck.collect",
            ), (format!("方案设为只读取，而目标调用 {api}"), "请去掉目标，或去掉 skydeck.collect");
    P::TablesShape { value } => (
                format!("{value} names no mapping table: a .csv or .tsv file in the plan's directory or below it"),
                TABLES,
            ), (format!("{value} 不是对照表：应为方案目录内的 .csv 或 .tsv 文件"), TABLES);
    P::TooManyTables { n, most } => (format!("{n} mapping tables; a plan has {most} at most"), "leave out those that no field looks in"), (format!("{n} 张对照表，一个方案最多 {most} 张"), "请去掉没有字段查找的");
    P::NoTable { name, near } => (format!("`{name}` is no mapping table of the plan"), format!("did you mean `{near}`?")), (format!("方案没有对照表 `{name}`"), format!("是不是 `{near}`？"));
    P::NoTableColumn { file, column, near, known } => (
                format!("{file} has no column `{column}`; it has {known}"),
                near.as_ref().map_or_else(|| "its first line names its columns".to_owned(), |near| format!("did you mean `{near}`?")),
            ), (
                format!("{file} 没有列 `{column}`，现有：{known}"),
                near.as_ref().map_or_else(|| "列名写在首行".to_owned(), |near| format!("是不是 `{near}`？")),
            );
    P::Table { file, line, fault } => fault.words(file, *line, false), fault.words(file, *line, true);
}

const TABLES: &str = "\"tables\": {\"stock\": \"tables/stock.csv\"}";
const FIND: &str = "_findCollection find ERP from stock where MES={{FStockId_FNumber}}";

impl TableFault {
    /// What is wrong and what to do, with file and line.
    fn words(&self, file: &str, line: Option<usize>, zh: bool) -> Words {
        let (message, hint) = if zh { self.zh() } else { self.en() };
        let message = match line {
            Some(line) if zh => format!("{file} 第 {line} 行：{message}"),
            None if zh => format!("{file}：{message}"),
            Some(line) => format!("{file} line {line}: {message}"),
            None => format!("{file}: {message}"),
        };
        Words { message, hint }
    }

    fn en(&self) -> (String, String) {
        let (message, hint) = match self {
            Self::NotRead(why) => return why.en(),
            Self::NotUtf8 => ("is no UTF-8".to_owned(), "save the sheet as `CSV UTF-8`"),
            Self::NoRows => {
                ("the table has no rows".to_owned(), "the first line names the columns, each further one is a row")
            }
            Self::ColumnName { n, name } if name.is_empty() => {
                (format!("column {n} has no name"), "name it, or delete the empty column")
            }
            Self::ColumnName { n, name } => {
                (format!("column {n} is called `{name}`"), "a name has neither blanks nor `=`")
            }
            Self::ColumnTwice { name } => (format!("the column `{name}` stands twice"), "keep the one that is meant"),
            Self::TooManyColumns { n, most } => {
                (format!("{n} columns; a table has {most} at most"), "keep those that are looked for")
            }
            Self::TooManyRows { most } => {
                (format!("a table has {most} rows at most"), "keep those that the plan's bills need")
            }
            Self::Cells { n, wanted } => (
                format!("{n} cells, and the first line names {wanted} columns"),
                "a value with a separator in it stands between double quotation marks",
            ),
            Self::LongCell { n, most } => (format!("a cell of {n} characters; at most {most} are read"), "shorten it"),
            Self::Control { cell } => (format!("`{cell}` holds a control character"), "one line a cell, without tabs"),
            Self::Twice { by, first } => (
                format!("{by} stands in line {first} already"),
                "keep the one that is meant: a look-up would have to guess",
            ),
        };
        (message, hint.to_owned())
    }

    fn zh(&self) -> (String, String) {
        let (message, hint) = match self {
            Self::NotRead(why) => return why.zh(),
            Self::NotUtf8 => ("不是 UTF-8 编码".to_owned(), "请另存为 `CSV UTF-8`"),
            Self::NoRows => ("表中没有数据行".to_owned(), "首行为列名，其后每行一条"),
            Self::ColumnName { n, name } if name.is_empty() => (format!("第 {n} 列没有列名"), "请写列名，或删除该空列"),
            Self::ColumnName { n, name } => (format!("第 {n} 列的列名为 `{name}`"), "列名不含空格和 `=`"),
            Self::ColumnTwice { name } => (format!("列 `{name}` 出现两次"), "请只留一个"),
            Self::TooManyColumns { n, most } => (format!("{n} 列，最多 {most} 列"), "请只留要查找的列"),
            Self::TooManyRows { most } => (format!("最多 {most} 行"), "请只留方案单据需要的行"),
            Self::Cells { n, wanted } => (format!("有 {n} 格，而首行有 {wanted} 列"), "值中有分隔符时请加英文双引号"),
            Self::LongCell { n, most } => (format!("单元格有 {n} 个字符，最多读取 {most} 个"), "请缩短"),
            Self::Control { cell } => (format!("`{cell}` 含有控制字符"), "每格一行，不含制表符"),
            Self::Twice { by, first } => (format!("{by} 已在第 {first} 行出现"), "请只留一行，否则无法确定取哪一行"),
        };
        (message, hint.to_owned())
    }
}

impl NotRead {
    fn en(&self) -> (String, String) {
        let (message, hint) = match self {
            Self::Alone => ("the plan was read without its directory".to_owned(), "put both into the plan directory"),
            Self::Missing => {
                ("no such file beside the plan".to_owned(), "put it there, or correct its name in skydeck.tables")
            }
            Self::NotOrdinary => ("is no ordinary file".to_owned(), "a mapping table is one"),
            Self::TooLarge(bytes) => (
                format!("has {bytes} bytes; at most {MOST_TABLE} are read"),
                "keep the rows and columns that are looked for",
            ),
            Self::Other(en, _) => (format!("cannot be read: {en}"), ""),
        };
        (message, hint.to_owned())
    }

    fn zh(&self) -> (String, String) {
        let (message, hint) = match self {
            Self::Alone => ("读取方案时没有其所在目录".to_owned(), "请将两者都放入方案目录"),
            Self::Missing => ("方案旁没有该文件".to_owned(), "请放入，或改正 skydeck.tables 中的文件名"),
            Self::NotOrdinary => ("不是普通文件".to_owned(), "对照表应为普通文件"),
            Self::TooLarge(bytes) => (format!("有 {bytes} 字节，最多读取 {MOST_TABLE} 字节"), "请只留要查找的行和列"),
            Self::Other(_, zh) => (format!("无法读取：{zh}"), ""),
        };
        (message, hint.to_owned())
    }
}
