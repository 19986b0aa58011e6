//! A new plan for a form, with the fields that the ERP says it has.
//!
//! Invariant: a column that the ERP was not asked about, or does not know, is never taken silently.

use super::ask::Asker;
use crate::cli::out::Out;
use crate::domain::ids::{EnvId, FormId};
use crate::domain::language::Language;
use crate::domain::step::Verb;
use crate::domain::suggest::nearest;
use crate::engine::ports::{FormField, FormInfo};
use crate::exit::{Exit, Stop};
use crate::plan::{self, Known};
use crate::text::{pad, show};

/// Fields that most people want to see, in the order in which they are offered.
const USUAL: [&str; 14] = [
    "FDate",
    "FBillTypeID",
    "FSaleOrgId",
    "FPurchaseOrgId",
    "FStockOrgId",
    "FSettleOrgId",
    "FCustomerID",
    "FCustId",
    "FSupplierId",
    "FName",
    "FBillAllAmount",
    "FAmount",
    "FCreatorId",
    "FNote",
];
/// So many of them are taken where nobody chooses.
const TAKEN: usize = 8;
/// Lines of fields that are shown at once, where the terminal has so many.
const SHOWN: usize = 40;
/// Kept by every plan, whatever is chosen.
const KEPT: [&str; 4] = ["FBillNo", "FNumber", "FDocumentStatus", "FModifyDate"];

/// A column: its path and its label.
pub type Column = (String, String);

/// What a plan is to do.
pub struct Wanted<'a> {
    /// Business object.
    pub form: &'a FormId,
    /// The environment, where it is not the default one.
    pub env: Option<&'a EnvId>,
    /// What is called.
    pub verb: &'a Verb,
    /// Submitted before it is audited.
    pub submit: bool,
    /// What shows that it is done, where its name does not tell.
    pub shown: Option<(&'a str, &'a str)>,
}

/// The text of the plan.
pub fn text(wanted: &Wanted<'_>, info: Option<&FormInfo>, columns: Vec<Column>) -> String {
    let number = info.and_then(|info| ["FBillNo", "FNumber"].into_iter().find_map(|key| info.field(key)));
    let title = info.map(|info| show(&info.name, 80).into_string()).filter(|title| !title.is_empty());
    let known = Known {
        title,
        id: info.and_then(|info| info.id_path.clone()),
        number: number.map(|field| field.key.clone()),
        columns: Some(columns),
    };
    plan::new_plan_of(wanted.form, wanted.env, wanted.verb, wanted.submit, wanted.shown, &known)
}

/// What of a form speaks against a plan that calls something: it finds its bills by these fields.
pub fn lacks(info: &FormInfo) -> Vec<&'static str> {
    ["FDocumentStatus", "FModifyDate"].into_iter().filter(|key| info.field(key).is_none()).collect()
}

/// The path of a field in a query: of base data its name, which people can read.
fn path(field: &FormField) -> String {
    match field.list.as_deref() {
        None => field.key.clone(),
        Some(list) if list.to_ascii_uppercase().contains("ASSISTANT") => format!("{}.FDataValue", field.key),
        Some(_) => format!("{}.FName", field.key),
    }
}

fn column(field: &FormField) -> Column {
    let name = show(&field.name, 80).into_string();
    (path(field), if name.is_empty() { field.key.clone() } else { name })
}

/// Fields of the head that most people want.
fn usual(info: &FormInfo) -> Vec<&FormField> {
    USUAL.iter().filter_map(|key| info.field(key)).filter(|field| field.is_head).take(TAKEN).collect()
}

/// The columns where nobody chooses.
pub fn offered(info: &FormInfo) -> Vec<Column> {
    usual(info).into_iter().map(column).collect()
}

/// A column that was named by its key or path. A form that told nothing takes every path that a query can name.
///
/// # Errors
/// The form has no such field.
pub fn named(out: &Out, form: &FormId, info: Option<&FormInfo>, typed: &str) -> Result<Column, Stop> {
    let (key, rest) = typed.split_once('.').map_or((typed, None), |(key, rest)| (key, Some(rest)));
    let fits =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    let shown = show(typed, 80);
    if !fits(typed) {
        return Err(out.usage(
            &format!("`{}` is no field: write keys such as FDate or FCustomerID.FName", shown.as_str()),
            &format!("`{}` 不是字段：请写 FDate、FCustomerID.FName 这样的标识", shown.as_str()),
        ));
    }
    let Some(info) = info else { return Ok((typed.to_owned(), typed.to_owned())) };
    let Some(field) = info.field(key) else {
        let keys: Vec<&str> = info.fields.iter().map(|field| field.key.as_str()).collect();
        let near = nearest(key, &keys);
        let (en, zh) = near
            .map_or_else(Default::default, |near| (format!("; did you mean {near}?"), format!("；是不是 {near}？")));
        return Err(out.usage(
            &format!("form {form} has no field `{}`{en}", shown.as_str()),
            &format!("业务对象 {form} 没有字段 `{}`{zh}", shown.as_str()),
        ));
    };
    let (usual, label) = column(field);
    let path = rest.map_or(usual, |rest| format!("{}.{rest}", field.key));
    Ok((path, label))
}

/// Lets the person choose among the fields.
///
/// # Errors
/// The person left.
pub async fn chosen(asker: &mut Asker<'_>, form: &FormId, info: &FormInfo) -> Result<Vec<Column>, Stop> {
    let usual = usual(info);
    let rest = |field: &&FormField| {
        field.is_head
            && !usual.iter().any(|taken| taken.key == field.key)
            && !KEPT.iter().any(|key| field.key.eq_ignore_ascii_case(key))
            && info.id_path.as_deref() != Some(field.key.as_str())
    };
    let room = Asker::room(SHOWN);
    let mut listed: Vec<&FormField> = usual.clone();
    listed.extend(info.fields.iter().filter(rest).take(room.saturating_sub(usual.len())));
    show_fields(asker.out, &listed, usual.len());
    let all = info.fields.len();
    asker.say(
        &format!(
            "{all} fields in all. Enter takes those with *; or type the numbers or keys you want, with blanks between; \
             /word looks for a word"
        ),
        &format!("共 {all} 个字段。直接回车采用带 * 的；或输入所需的序号或字段标识，以空格分隔；/词 可查找"),
    );
    loop {
        let typed = asker.any(asker.out.t("columns", "列")).await?;
        if typed.is_empty() {
            return Ok(offered(info));
        }
        if let Some(word) = typed.strip_prefix('/') {
            let word = word.trim().to_lowercase();
            let has = |field: &&FormField| {
                field.key.to_lowercase().contains(&word) || field.name.to_lowercase().contains(&word)
            };
            let found = info.fields.iter().filter(has).count();
            listed = info.fields.iter().filter(has).take(room).collect();
            show_fields(asker.out, &listed, 0);
            if let Some(more) = found.checked_sub(listed.len()).filter(|more| *more > 0) {
                asker.say(
                    &format!("… {more} more: a longer word finds fewer"),
                    &format!("…… 还有 {more} 个：请用更长的词"),
                );
            }
            continue;
        }
        let words =
            typed.split(|c: char| c.is_whitespace() || matches!(c, ',' | '，' | '、')).filter(|w| !w.is_empty());
        let columns = words.map(|word| match word.parse::<usize>() {
            Ok(n) => n.checked_sub(1).and_then(|at| listed.get(at)).map(|field| column(field)).ok_or_else(|| {
                let most = listed.len();
                asker.out.usage(&format!("{n} is not among 1 to {most}"), &format!("{n} 不在 1 到 {most} 之间"))
            }),
            Err(_) => named(asker.out, form, Some(info), word),
        });
        match columns.collect::<Result<Vec<_>, Stop>>() {
            Ok(columns) => return Ok(columns),
            Err(stop) => asker.out.note(&stop.message),
        }
    }
}

fn show_fields(out: &Out, fields: &[&FormField], starred: usize) {
    if fields.is_empty() {
        out.note(out.t("no field has that", "没有这样的字段"));
    }
    for (at, field) in fields.iter().enumerate() {
        let star = if at < starred { "*" } else { " " };
        let lines = if field.is_head { "" } else { out.t(" (of the lines)", "（明细）") };
        let name = show(&field.name, 80);
        out.note(&format!("{star}{:>3}  {} {}{lines}", at + 1, pad(&field.key, 24), name.as_str()));
    }
}

/// That a plan cannot be made of a form.
pub fn unfit(out: &Out, form: &FormId, lacks: &[&str]) -> Stop {
    let fields = lacks.join(out.t(" and ", "、"));
    Stop::new(
        Exit::Usage,
        match out.lang {
            Language::En => format!(
                "form {form} has no {fields}: a plan finds by it which bills are to be audited. Write the plan by hand, or choose \
             another form"
            ),
            Language::Zh => {
                format!("业务对象 {form} 没有 {fields}：方案要据此查找待审核的单据。请手工编写方案，或换一个业务对象")
            }
        },
    )
}
