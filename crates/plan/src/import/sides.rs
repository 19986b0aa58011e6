//! Which table belongs to the query and which to the call, and what its columns mean.
//!
//! Invariant: a table is assigned by its own fields first, by the words above it second, and by its position last; only
//! the first needs no guess.

use super::Draft;
use super::Guess;
use super::cells::Table;

/// A field row of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub field: String,
    pub label: Option<String>,
    pub kind: Option<String>,
    pub value: Option<String>,
    pub default: Option<String>,
    pub describe: Option<String>,
    pub required: Option<bool>,
}

/// What a table column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Field,
    Label,
    Kind,
    Value,
    Default,
    Describe,
    Required,
    Ignored,
}

impl Role {
    /// As it is told to the reader.
    fn name(self, zh: bool) -> &'static str {
        let (en, in_chinese) = match self {
            Self::Field => ("field", "字段"),
            Self::Label => ("label", "名称"),
            Self::Kind => ("type", "类型"),
            Self::Value => ("value", "值"),
            Self::Default => ("default", "默认值"),
            Self::Describe => ("description", "描述"),
            Self::Required => ("required", "必填"),
            Self::Ignored => ("not used", "不采用"),
        };
        if zh { in_chinese } else { en }
    }
}

/// The two sides of one plan.
#[derive(Debug, Default)]
pub struct Parts {
    pub source: Option<Draft>,
    pub target: Option<Draft>,
    /// Line of its first table.
    pub line: usize,
}

fn role(header: &str) -> Option<Role> {
    let name: String = header.to_lowercase().chars().filter(|c| !c.is_whitespace() && *c != '_').collect();
    Some(match name.as_str() {
        "字段" | "接口字段" | "请求字段" | "响应字段" | "字段编码" | "字段标识" | "字段key" | "字段id" | "参数"
        | "参数名" | "field" | "fieldname" | "key" | "参数编码" => Role::Field,
        "字段名称" | "字段名" | "名称" | "标签" | "中文名" | "中文名称" | "字段描述" | "参数名称" | "label"
        | "name" | "显示名称" => Role::Label,
        "类型" | "字段类型" | "数据类型" | "参数类型" | "type" => Role::Kind,
        "配置值" | "值" | "预设值" | "固定值" | "字段值" | "参数值" | "映射值" | "取值" | "传值" | "value" | "映射" => {
            Role::Value
        }
        "默认值" | "缺省值" | "default" => Role::Default,
        "描述" | "备注" | "说明" | "注释" | "describe" | "description" | "remark" => Role::Describe,
        "必填" | "是否必填" | "必须" | "必传" | "是否必须" | "isrequired" | "required" => Role::Required,
        "序号" | "#" | "no" | "no." | "示例" | "解析器" => Role::Ignored,
        _ => return None,
    })
}

/// The fact a word names, e.g. 接口 → api.
fn fact_key(word: &str) -> Option<&'static str> {
    let name: String = word
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '#' | '-' | '*' | '`'))
        .collect();
    Some(match name.as_str() {
        "api" | "接口" | "接口地址" | "接口标识" | "接口编码" | "api接口" | "调用接口" | "api地址" => {
            "api"
        }
        "name" | "接口名称" | "方法名称" | "接口名" | "api名称" => "name",
        "method" | "接口方法" | "请求方式" | "请求方法" | "http方法" => "method",
        "platform" | "平台" | "源平台" | "目标平台" | "系统" => "platform",
        "id" | "主键" | "主键字段" | "唯一键" => "id",
        "number" | "编码字段" | "单号字段" | "编号字段" => "number",
        "idcheck" | "id检查" | "重复检查" => "idCheck",
        _ => return None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    SourceRequest,
    SourceResponse,
    Target,
}

const QUERY_FIELDS: [&str; 5] = ["FilterString", "FieldKeys", "StartRow", "TopRowCount", "Limit"];
const CALL_FIELDS: [&str; 8] = [
    "Numbers",
    "Ids",
    "IsVerifyProcInst",
    "InterationFlags",
    "IgnoreInterationFlag",
    "NetworkCtrl",
    "Operation",
    "PkEntryIds",
];

/// Sorts the tables of a text into the two sides of each plan. A query that is named after a call begins another plan.
pub fn sort(tables: &[Table], guesses: &mut Vec<Guess>) -> Vec<Parts> {
    let mut whole: Vec<Parts> = Vec::new();
    let mut parts = Parts { line: tables.first().map_or(1, |t| t.line.max(1)), ..Parts::default() };
    let mut pending: Vec<(&'static str, String)> = Vec::new();
    for table in tables {
        pending.extend(table.above.iter().filter_map(|line| fact_line(line)));
        for word in table.above.iter().flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric())) {
            let known = ["executeBillQuery", "Audit", "Submit", "excuteOperation"].iter().find(|k| **k == word);
            if let Some(known) = known.filter(|_| !pending.iter().any(|(k, _)| *k == "api")) {
                guesses.push(Guess::at(
                    table.line,
                    format_args!("`{known}` in the text above the table taken as its api"),
                    format_args!("表格上方文字中的 `{known}` 视为其接口"),
                ));
                pending.push(("api", (*known).to_owned()));
            }
        }
        if let Some(facts) = fact_table(table) {
            pending.extend(facts);
            continue;
        }
        let rows = rows(table, guesses);
        if rows.is_empty() {
            continue;
        }
        let place = place(table, &rows, &pending, &parts, guesses);
        let named_query =
            pending.iter().any(|(key, api)| *key == "api" && api.eq_ignore_ascii_case("executeBillQuery"));
        if place == Place::SourceRequest && named_query && parts.source.is_some() && parts.target.is_some() {
            whole.push(std::mem::replace(&mut parts, Parts { line: table.line, ..Parts::default() }));
        } else if place == Place::SourceRequest && is_description(&rows, &parts) {
            guesses.push(Guess::at(
                table.line,
                "the table describes fields that have their values already, left out",
                "此表只是说明已有值的字段，未采用",
            ));
            continue;
        }
        let draft = match place {
            Place::Target => parts.target.get_or_insert_default(),
            Place::SourceRequest | Place::SourceResponse => parts.source.get_or_insert_default(),
        };
        for (key, value) in pending.drain(..) {
            if draft.fact(key).is_none() {
                draft.facts.push((key, value));
            }
        }
        let list = if place == Place::SourceResponse { &mut draft.response } else { &mut draft.request };
        list.extend(rows);
    }
    whole.push(parts);
    whole
}

/// Whether rows say nothing but names and types, of a query whose controls are known: a page prints them below the plan.
fn is_description(rows: &[Row], parts: &Parts) -> bool {
    let known = |field: &str| parts.source.iter().flat_map(|draft| &draft.request).any(|row| row.field == field);
    let bare = rows.iter().all(|row| row.value.is_none() && row.default.is_none());
    bare && known("FormId") && rows.iter().any(|row| row.field == "FormId")
}

/// `接口：executeBillQuery`, `- **api**: Audit`.
fn fact_line(line: &str) -> Option<(&'static str, String)> {
    let (key, value) = line.split_once(['：', ':'])?;
    let value = value.trim().trim_matches(['*', '`']).trim();
    let key = fact_key(key.trim().trim_start_matches(['-', '*', '>', '#', ' ']))?;
    (!value.is_empty()).then(|| (key, value.to_owned()))
}

/// A table that holds facts and no fields: two columns of names and values, or a header of fact names over one row.
fn fact_table(table: &Table) -> Option<Vec<(&'static str, String)>> {
    let (first, rest) = table.rows.split_first()?;
    let by_row = |rows: &[Vec<String>]| {
        rows.iter()
            .map(|row| match row.as_slice() {
                [key, value] => fact_key(key).map(|k| (k, value.clone())),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
    };
    let found = by_row(&table.rows).or_else(|| if rest.is_empty() { None } else { by_row(rest) }).or_else(|| {
        let [row] = rest else { return None };
        let keys: Option<Vec<&'static str>> = first.iter().map(|c| fact_key(c)).collect();
        (row.len() == first.len()).then(|| keys.map(|k| k.into_iter().zip(row.iter().cloned()).collect()))?
    })?;
    let kept: Vec<(&'static str, String)> = found.into_iter().filter(|(_, v)| !v.is_empty()).collect();
    (!kept.is_empty()).then_some(kept)
}

fn rows(table: &Table, guesses: &mut Vec<Guess>) -> Vec<Row> {
    let Some(first) = table.rows.first() else { return Vec::new() };
    let named: Vec<Option<Role>> = first.iter().map(|c| role(c)).collect();
    let known = named.iter().flatten().filter(|r| **r != Role::Ignored).count();
    let (roles, skip) = if known >= 2 || (known == 1 && first.len() <= 2) {
        for (cell, role) in first.iter().zip(&named) {
            if role.is_none() && !cell.is_empty() {
                guesses.push(Guess::at(
                    table.line,
                    format_args!("the table column `{cell}` is not known and is left out"),
                    format_args!("不认识表格列 `{cell}`，未采用"),
                ));
            }
        }
        let mut roles: Vec<Role> = named.into_iter().map(|r| r.unwrap_or(Role::Ignored)).collect();
        // 字段名 is the field itself where no other column is.
        if !roles.contains(&Role::Field)
            && let Some(label) = roles.iter_mut().find(|r| **r == Role::Label)
        {
            *label = Role::Field;
            guesses.push(Guess::at(
                table.line,
                "the names in the first named column are taken as fields",
                "第一个名称列视为字段",
            ));
        }
        (roles, 1)
    } else {
        let roles = match first.len() {
            2 => vec![Role::Field, Role::Value],
            3 => vec![Role::Field, Role::Label, Role::Value],
            4 => vec![Role::Field, Role::Label, Role::Kind, Role::Value],
            5 => vec![Role::Field, Role::Label, Role::Kind, Role::Value, Role::Describe],
            _ => return Vec::new(),
        };
        if !first.first().is_some_and(|c| super::super::source::is_name(c)) {
            return Vec::new();
        }
        let names = |zh| roles.iter().map(|role| role.name(zh)).collect::<Vec<_>>().join(", ");
        guesses.push(Guess::at(
            table.line,
            format_args!("the table has no known header, its columns are taken as {}", names(false)),
            format_args!("表格没有认识的表头，各列依次视为 {}", names(true)),
        ));
        (roles, 0)
    };
    table
        .rows
        .iter()
        .zip(&table.lines)
        .skip(skip)
        .filter_map(|(cells, line)| read_row(&roles, cells, *line, guesses))
        .collect()
}

fn read_row(roles: &[Role], cells: &[String], line: usize, guesses: &mut Vec<Guess>) -> Option<Row> {
    let mut row = Row::default();
    for (role, cell) in roles.iter().zip(cells) {
        let text = || Some(cell.clone()).filter(|c| !c.is_empty());
        match role {
            Role::Field => row.field.clone_from(cell),
            Role::Label => row.label = text(),
            Role::Kind => row.kind = text().map(|k| k.to_lowercase()),
            Role::Value => row.value = Some(cell.clone()).filter(|c| !matches!(c.as_str(), "-" | "—" | "无" | "空")),
            Role::Default => row.default = text(),
            Role::Describe => row.describe = text(),
            Role::Required => {
                row.required = match cell.as_str() {
                    "是" | "true" | "Y" | "√" | "✓" | "1" | "必填" => Some(true),
                    "否" | "false" | "N" | "0" | "×" | "✗" => Some(false),
                    _ => None,
                }
            }
            Role::Ignored => {}
        }
    }
    if row.field.is_empty() {
        return None;
    }
    // One value column under the name 默认值 is the value.
    if row.value.is_none() && !roles.contains(&Role::Value) {
        row.value = row.default.take();
    }
    for text in [&mut row.value, &mut row.default].into_iter().flatten() {
        repair(&row.field, text, line, guesses);
    }
    Some(row)
}

/// Undoes what pages do to a value: the lost pipe, typographic quotes in a filter.
fn repair(field: &str, text: &mut String, line: usize, guesses: &mut Vec<Guess>) {
    let before = text.clone();
    if let Ok(parts) = super::super::template::parts(&before) {
        let mut out = String::new();
        for part in parts {
            match part {
                super::super::template::Part::Text(t) => out.push_str(t),
                super::super::template::Part::Hole(hole) => match hole.format {
                    Some(format) => out.extend(["{{", hole.name, "|", format, "}}"]),
                    None => out.extend(["{{", hole.name, "}}"]),
                },
            }
        }
        if out != before {
            guesses.push(Guess::at(
                line,
                format_args!("{field}: the pipe lost in the table is put back: {out}"),
                format_args!("{field}：已补回表格中丢失的竖线：{out}"),
            ));
            *text = out;
        }
    }
    if field.eq_ignore_ascii_case("FilterString") && text.contains(['‘', '’']) {
        *text = text.replace(['‘', '’'], "'");
        guesses.push(Guess::at(
            line,
            format_args!("{field}: typographic quotation marks made plain: {text}"),
            format_args!("{field}：弯引号已改为直引号：{text}"),
        ));
    }
}

fn place(table: &Table, rows: &[Row], facts: &[(&str, String)], parts: &Parts, guesses: &mut Vec<Guess>) -> Place {
    let has = |names: &[&str]| rows.iter().any(|r| names.iter().any(|n| r.field.eq_ignore_ascii_case(n)));
    if has(&QUERY_FIELDS) {
        return Place::SourceRequest;
    }
    if has(&CALL_FIELDS) {
        return Place::Target;
    }
    let api = facts.iter().find(|(k, _)| *k == "api").map(|(_, v)| v.to_lowercase());
    let above = table.above.join(" ").to_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| above.contains(w));
    let fields = |rows: &[Row]| rows.iter().map(|r| r.field.clone()).collect::<Vec<_>>();
    let source = parts.source.as_ref();
    let (place, why) = if api.as_deref().is_some_and(|a| a != "executebillquery") {
        (Place::Target, ("because of the api printed above it", "因为上方写有接口"))
    } else if says(&["响应", "返回", "response", "出参"]) {
        (Place::SourceResponse, ("because of the words above it", "依据上方的文字"))
    } else if source.is_some_and(|s| fields(rows).iter().all(|f| s.request.iter().any(|r| r.field == *f))) {
        (Place::SourceResponse, ("because it repeats the columns of the query", "因为它重复了查询的字段"))
    } else if says(&["目标", "写入", "target"]) {
        (Place::Target, ("because of the words above it", "依据上方的文字"))
    } else {
        (
            Place::SourceRequest,
            ("because it holds columns and nothing says otherwise", "因为它列出字段，且没有相反的说明"),
        )
    };
    let name = match place {
        Place::SourceRequest => ("the query's columns", "查询的字段"),
        Place::SourceResponse => ("the query's response", "查询的响应"),
        Place::Target => ("the target's fields", "目标的字段"),
    };
    guesses.push(Guess::at(
        table.line,
        format_args!("the table is taken as {}, {}", name.0, why.0),
        format_args!("此表视为{}，{}", name.1, why.1),
    ));
    place
}
