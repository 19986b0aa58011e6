//! What is wrong with a plan whose records are handed in. English and Chinese side by side.

use super::{Problem, Words};

/// What is wrong at one place of such a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant and field is named after what the file holds there; the table says the rest"
)]
pub enum HandedInProblem {
    Shape { value: String },
    NoId,
    Number { number: String, id: String },
    NoColumns,
    Control { field: String },
    Acts,
}

const TAKE: &str = "\"take\": {\"record\": \"wms_order\"}";

use HandedInProblem as P;

impl HandedInProblem {
    /// What is wrong and what to do.
    pub fn words(&self, zh: bool) -> Words {
        let (en, in_chinese): ((String, String), (String, String)) = match self {
            P::Shape { value } => (
                (format!("{value} does not name the records that are handed in"), TAKE.to_owned()),
                (format!("{value} 没有写所接收记录的名称"), TAKE.to_owned()),
            ),
            P::NoId => (
                (
                    "nothing says which field of a record is its id: two bodies under one id are one record".to_owned(),
                    "\"id\": \"so_id\" in source".to_owned(),
                ),
                (
                    "没有说明记录的哪个字段是标识：标识相同即同一条记录".to_owned(),
                    "请在 source 中写 \"id\": \"so_id\"".to_owned(),
                ),
            ),
            P::Number { number, id } => (
                (
                    format!("records that are handed in are known by their id `{id}` alone, not by `{number}`"),
                    "leave `number` out".to_owned(),
                ),
                (format!("所接收的记录只按标识 `{id}` 识别，不按 `{number}`"), "请去掉 `number`".to_owned()),
            ),
            P::NoColumns => (
                (
                    "no field of the records is named".to_owned(),
                    "{\"field\": \"lines_sku\", \"value\": \"lines.sku\"} in source.request".to_owned(),
                ),
                (
                    "没有写记录的任何字段".to_owned(),
                    "请在 source.request 中写 {\"field\": \"lines_sku\", \"value\": \"lines.sku\"}".to_owned(),
                ),
            ),
            P::Control { field } => (
                (
                    format!("`{field}` shapes a query, and nothing is asked: records are handed in"),
                    "leave it out".to_owned(),
                ),
                (format!("`{field}` 用于查询，而本方案接收记录、不查询"), "请去掉".to_owned()),
            ),
            P::Acts => (
                (
                    "records that are handed in are none of the ERP's: the target can only make something of them"
                        .to_owned(),
                    "a target with save, or no target and \"collect\": true".to_owned(),
                ),
                (
                    "所接收的记录不是 ERP 的单据：目标只能据此新建".to_owned(),
                    "请使用保存类目标，或不写目标并写 \"collect\": true".to_owned(),
                ),
            ),
        };
        Words::from(if zh { in_chinese } else { en })
    }
}

impl From<HandedInProblem> for Problem {
    fn from(problem: HandedInProblem) -> Self {
        Self::HandedIn(problem)
    }
}
