//! What is wrong with a plan whose records another system lists. English and Chinese side by side.

use super::{Problem, Words};

/// What is wrong at one place of such a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant and field is named after what the file holds there; the table says the rest"
)]
pub enum FeedProblem {
    NoList { api: String },
    Missing { key: &'static str, example: &'static str },
    Number { number: String, id: String },
    Control { field: String },
    Hole { name: String, known: String },
    NoTurnHole { by: &'static str, hole: &'static str },
    By { value: String },
    NotOfTurn { key: String, by: &'static str },
    NoKeyHole,
    MarkPath { value: String },
    Acts,
}

const LIST: &str = "\"list\": {\"record\": \"order\", \"ok\": [[\"code\", \"eq\", \"0\"]], \"rows\": \"$.data.list\"}";

use FeedProblem as P;

impl FeedProblem {
    /// What is wrong and what to do.
    pub fn words(&self, zh: bool) -> Words {
        let (message, hint) = if zh { self.zh() } else { self.en() };
        Words { message, hint }
    }

    fn en(&self) -> (String, String) {
        match self {
            P::NoList { api } => {
                (format!("`{api}` is a path of another system, and nothing says how it lists records"), LIST.to_owned())
            }
            P::Missing { key, example } => (
                format!("a plan that reads the list of another system needs skydeck.list.{key}"),
                (*example).to_owned(),
            ),
            P::Number { number, id } => (
                format!("records of a list are known by their id `{id}` alone, not by `{number}`"),
                "leave `number` out".to_owned(),
            ),
            P::Control { field } => (
                format!("`{field}` shapes a query of Kingdee's, and this plan reads a list"),
                "leave it out: what is asked for stands in skydeck.list".to_owned(),
            ),
            P::Hole { name, known } => {
                (format!("nothing fills the hole `{{{{{name}}}}}` here"), format!("known: {known}"))
            }
            P::NoTurnHole { by, hole } => (
                format!("pages are turned by {by}, and the request has no {hole}: each page would be the first"),
                format!("\"query\": {{\"{by}\": \"{hole}\"}}"),
            ),
            P::By { value } => {
                (format!("{value} is no way to turn pages"), "\"by\": \"page\", \"offset\" or \"cursor\"".to_owned())
            }
            P::NotOfTurn { key, by } => {
                (format!("`{key}` says nothing where pages are turned by {by}"), "leave it out".to_owned())
            }
            P::NoKeyHole => (
                "the request for one record names none: it has no {{key}}".to_owned(),
                "\"one\": {\"path\": \"/orders/{{key}}\", \"rows\": \"$.data\"}".to_owned(),
            ),
            P::MarkPath { value } => (
                format!("{value} is no path of a record's date"),
                "\"mark\": \"updated_at\", names between dots".to_owned(),
            ),
            P::Acts => (
                "the records of a list are none of the ERP's: the target can only make something of them".to_owned(),
                "a target with save or a path, or no target and \"collect\": true".to_owned(),
            ),
        }
    }

    fn zh(&self) -> (String, String) {
        match self {
            P::NoList { api } => (format!("`{api}` 是其他系统的路径，而没有说明如何列出记录"), format!("例如 {LIST}")),
            P::Missing { key, example } => {
                (format!("读取其他系统列表的方案须写 skydeck.list.{key}"), format!("例如 {example}"))
            }
            P::Number { number, id } => {
                (format!("列表中的记录只按标识 `{id}` 识别，不按 `{number}`"), "请去掉 `number`".to_owned())
            }
            P::Control { field } => {
                (format!("`{field}` 用于金蝶查询，而本方案读取列表"), "请去掉：查询内容写在 skydeck.list".to_owned())
            }
            P::Hole { name, known } => (format!("此处没有内容可填入 `{{{{{name}}}}}`"), format!("可用：{known}")),
            P::NoTurnHole { by, hole } => (
                format!("按 {by} 翻页，而请求中没有 {hole}：每次读到的都是第一页"),
                format!("例如 \"query\": {{\"{by}\": \"{hole}\"}}"),
            ),
            P::By { value } => {
                (format!("{value} 不是翻页方式"), "应为 \"by\": \"page\"、\"offset\" 或 \"cursor\"".to_owned())
            }
            P::NotOfTurn { key, by } => (format!("按 {by} 翻页时 `{key}` 没有意义"), "请去掉".to_owned()),
            P::NoKeyHole => (
                "读取单条记录的请求没有指明记录：缺少 {{key}}".to_owned(),
                "例如 \"one\": {\"path\": \"/orders/{{key}}\", \"rows\": \"$.data\"}".to_owned(),
            ),
            P::MarkPath { value } => {
                (format!("{value} 不是记录中日期的路径"), "应为 \"mark\": \"updated_at\"，名称以点相连".to_owned())
            }
            P::Acts => (
                "列表中的记录不是 ERP 的单据：目标只能据此新建".to_owned(),
                "请使用保存类目标或路径，或不写目标并写 \"collect\": true".to_owned(),
            ),
        }
    }
}

impl From<FeedProblem> for Problem {
    fn from(problem: FeedProblem) -> Self {
        Self::Feed(problem)
    }
}
