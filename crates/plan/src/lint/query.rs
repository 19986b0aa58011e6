//! Hazards of the query side.

use super::super::filter_text::{self, Kind, Predicate};
use super::super::reading::Findings;
use super::super::source::{is_entry_level, mark_predicates};
use super::super::template::{Format, Template, Variable};
use super::super::vendor::Side;
use super::super::{fresh, keys, policy, render};
use super::effect::{self, Asked};
use super::{Found, ID_PASSED_OVER, Severity, place, signs};
use skydeck_core::domain::operation::Test;
use skydeck_core::domain::step::Verb;

const STATUS: &str = "FDocumentStatus";

pub(super) fn look(side: &Side<'_>, found: &mut Found<'_>) {
    let at = place(side, "FilterString", "otherRequest");
    let broken = found.file.blocking.iter().any(|e| e.field == at);
    let filter = if broken { String::new() } else { render::visible(&found.file.plan.source.filter) };
    let tokens = filter_text::tokens(&filter).unwrap_or_default();
    let predicates = filter_text::predicates(&tokens);
    signs::look(&tokens, &filter, &at, found);
    let remedy =
        found.file.plan.policy.remedy.as_ref().and_then(|remedy| remedy.filter.as_deref()).map(render::visible);
    if let Some(filter) = remedy {
        let tokens = filter_text::tokens(&filter).unwrap_or_default();
        signs::look(&tokens, &filter, &side.path("omissionRemedy.takeOverRequest"), found);
    }
    if !broken {
        let nothing = effect::look(&Asked::new(&found.file.plan.source.filter, &tokens, &predicates), &at, found);
        if found.file.plan.target.verb == Verb::Audit && !nothing {
            status(&predicates, &at, found);
        }
        mark(side, &filter, &at, found);
    }
    id(side, found);
    paging(side, &predicates, found);
    columns(&predicates, side, &at, found);
    found.add(
        8,
        Severity::Info,
        &side.path("api"),
        "an empty answer can also mean that this user may not see the bills: Kingdee leaves rows out without a word",
        "查询结果为空也可能是该用户没有数据权限：金蝶会不作提示地过滤掉无权查看的单据",
    );
    brackets(&tokens, &at, found);
}

/// 19: the id that the plan names is not the one that is used, or none is named where FID will hardly do.
fn id(side: &Side<'_>, found: &mut Found<'_>) {
    let Some(top) = found.file.raw.as_object() else { return };
    let policy = policy::read(top, &mut Findings::deaf());
    let source = &found.file.plan.source;
    let Some(why) = keys::of(side, &policy, source).passed_over else { return };
    let (en, zh) = why.words(&source.id_path);
    let known = fresh::id_of(source.form.as_str()).unwrap_or("FMATERIALID");
    let example = if keys::is_base_data(source) { known } else { "FID" };
    let mend = format!("\"skydeck\": {{\"id\": \"{example}\"}}");
    found.add(ID_PASSED_OVER, Severity::Warning, &side.path("id"), en, zh).mend(mend);
}

/// 1: which statuses the filter lets through.
fn status(predicates: &[Predicate], at: &str, found: &mut Found<'_>) {
    let on: Vec<&Predicate> = predicates.iter().filter(|p| p.is_on(STATUS)).collect();
    let through: Vec<&str> =
        ["Z", "A", "D", "C"].into_iter().filter(|code| on.iter().all(|p| p.admits(code))).collect();
    if through.is_empty() {
        return;
    }
    let codes = through.join(", ");
    if found.file.plan.policy.submit {
        let risky: Vec<&str> = through.iter().copied().filter(|c| matches!(*c, "Z" | "D")).collect();
        if !risky.is_empty() {
            let codes = risky.join(", ");
            found
                .add(
                    1,
                    Severity::Warning,
                    at,
                    format!(
                        "the plan submits first, and the filter lets through {codes}: Z is a draft somebody may still be \
                         typing, D was taken back by a person"
                    ),
                    format!("方案会先提交，而过滤条件允许 {codes}：Z 为尚在录入的暂存单，D 为被人撤回的单据"),
                )
                .mend("FDocumentStatus in ('A','B')");
        }
        return;
    }
    let selected = found.file.plan.source.columns.iter().any(|c| c.path.eq_ignore_ascii_case(STATUS));
    let blind =
        if selected { "" } else { "; the status is not among the columns, so the plan itself cannot tell them apart" };
    let blind_zh = if selected { "" } else { "；且未查询单据状态字段，方案自身无法区分" };
    found
        .add(
            1,
            Severity::Warning,
            at,
            format!(
                "the filter lets through {codes} beside B, and only B waits for audit: Skydeck skips the others{blind}"
            ),
            format!("过滤条件除 B（审核中）外还允许 {codes}，只有 B 可以审核：其余由 Skydeck 跳过{blind_zh}"),
        )
        .mend_in_both(
            "FDocumentStatus='B' — or \"skydeck\": {\"submit\": true} with FDocumentStatus in ('A','B')",
            "FDocumentStatus='B'；或 \"skydeck\": {\"submit\": true} 并用 FDocumentStatus in ('A','B')",
        );
}

/// 2, 7, 9, 12, 13: what the mark is compared with.
fn mark(side: &Side<'_>, filter: &str, at: &str, found: &mut Found<'_>) {
    if filter.trim().is_empty() {
        found
            .add(
                12,
                Severity::Warning,
                at,
                "no FilterString: the plan takes every bill of the form",
                "没有 FilterString：方案会取该业务对象的全部单据",
            )
            .mend("FModifyDate>='{{LAST_SYNC_TIME|datetime}}' and FDocumentStatus='B'");
        return;
    }
    if compares_with_number(filter) {
        found
            .add(
                13,
                Severity::Warning,
                at,
                "LAST_SYNC_TIME without a date format stands beside a date column: the server compares a date with a number",
                "LAST_SYNC_TIME 未带日期格式却与日期字段比较：服务器会拿日期和数字比较",
            )
            .mend("'{{LAST_SYNC_TIME|datetime}}'");
    }
    let Some(column) = found.file.plan.source.mark_column.clone() else {
        found.add(
            12,
            Severity::Info,
            at,
            "no single column is compared with LAST_SYNC_TIME: every run reads everything the filter lets through",
            "没有唯一的字段与 LAST_SYNC_TIME 比较：每次运行都会读取符合过滤条件的全部单据",
        );
        return;
    };
    mark_column(side, &column, at, found);
    overlap(&column, at, found);
}

/// Whether the mark stands in the filter as a number, in the place of a date.
fn compares_with_number(filter: &str) -> bool {
    let is_number = |(variable, format): (Variable, Format)| {
        variable == Variable::LastSyncTime && !matches!(format, Format::DateTime | Format::Date)
    };
    let mut values = mark_predicates(filter).into_iter().flat_map(|predicate| predicate.values);
    values.any(|value| Template::parse(&value).is_ok_and(|template| template.variables().any(is_number)))
}

/// 2, 9: columns along which a mark passes bills over.
fn mark_column(side: &Side<'_>, column: &str, at: &str, found: &mut Found<'_>) {
    let target = &found.file.plan.target;
    let of_audit = column.eq_ignore_ascii_case("FApproveDate") || column.eq_ignore_ascii_case("FAuditDate");
    // What makes bills of audited ones, or keeps them, follows just that date.
    if of_audit && (target.make.is_some() || target.collects) {
        return;
    }
    if of_audit {
        found
            .add(
                9,
                Severity::Warning,
                at,
                format!("{column} is empty until a bill is audited: this filter finds none that waits for audit"),
                format!("{column} 在审核之前为空：此过滤条件查不到待审核的单据"),
            )
            .mend("FModifyDate>='{{LAST_SYNC_TIME|datetime}}'");
    } else if !column.eq_ignore_ascii_case("FModifyDate") {
        let sweep = found.file.plan.policy.sweep_hours;
        let id_check = side.raw.get("idCheck").is_none_or(|v| v != &serde_json::Value::Bool(false) && v != "false");
        let dropped = if id_check { "; at the vendor's, idCheck would even drop it if it were" } else { "" };
        let (severity, net) = if sweep == 0 {
            (Severity::Info, "every run reads without the watermark, so none is lost".to_owned())
        } else {
            (Severity::Warning, format!("Skydeck's ledger and the full read every {sweep} h catch it, later"))
        };
        found
            .add(
                2,
                severity,
                at,
                format!(
                    "the watermark moves along {column}: a bill that was a draft when it was read is not read again once it \
                     is submitted{dropped}. {net}"
                ),
                format!("水位按 {column} 推进：读取时还是暂存的单据，提交后不会再被读到；由 Skydeck 的遗留清单和定期全量读取兜底"),
            )
            .mend_in_both(format!("FModifyDate instead of {column}"), format!("用 FModifyDate 代替 {column}"));
    }
}

/// 7: what is read again, because the ERP may write a date late.
fn overlap(column: &str, at: &str, found: &mut Found<'_>) {
    let overlap = found.file.plan.policy.overlap;
    if overlap.is_zero() {
        found
            .add(
                7,
                Severity::Warning,
                at,
                "no overlap: a bill that the ERP commits late, or with an earlier date, falls below the watermark",
                "没有回看窗口：ERP 延迟落库或日期较早的单据会落在水位之下",
            )
            .mend("\"skydeck\": {\"overlap\": \"10m\"}");
    } else {
        found.add(
            7,
            Severity::Info,
            at,
            format!(
                "two clocks: {column} is the ERP's. Skydeck takes the watermark from the ERP's own dates and re-reads {}",
                policy::duration_text(overlap)
            ),
            format!("两个时钟：{column} 来自 ERP。Skydeck 的水位取自 ERP 的日期，并回看一段时间"),
        );
    }
}

/// 3, 4, 5: paging.
fn paging(side: &Side<'_>, predicates: &[Predicate], found: &mut Found<'_>) {
    let moved: Vec<&str> = match found.file.plan.target.verb {
        Verb::Audit | Verb::Submit => vec![STATUS],
        Verb::Operation(_) => found.file.plan.policy.done.iter().filter_map(Test::path).collect(),
        // What is made is of another form than what is asked for.
        Verb::Save | Verb::Push | Verb::Send => Vec::new(),
    };
    let place_of_paging = place(side, "StartRow", "otherRequest");
    if moved.iter().any(|field| predicates.iter().any(|p| p.is_on(field))) {
        let (en, zh) = match found.file.plan.target.verb {
            Verb::Audit => (
                "paging by offset over a filter that the audits change skips bills; Skydeck reads all pages by id before the \
                 first call",
                "审核会改变过滤结果，按行号翻页会漏单；Skydeck 在第一次审核前按内码读完所有页",
            ),
            Verb::Submit | Verb::Operation(_) | Verb::Save | Verb::Push | Verb::Send => (
                "paging by offset over a filter that the calls change skips bills; Skydeck reads all pages by id before the \
                 first call",
                "调用会改变过滤结果，按行号翻页会漏单；Skydeck 在第一次调用前按内码读完所有页",
            ),
        };
        found.add(3, Severity::Info, &place_of_paging, en, zh);
    }
    if side.control("OrderString").is_none_or(|e| e.value.is_none()) {
        found
            .add(
                4,
                Severity::Info,
                &place(side, "OrderString", "otherRequest"),
                "no OrderString: the server promises no order across pages; Skydeck orders by id",
                "没有 OrderString：服务器不保证跨页顺序；Skydeck 按内码排序",
            )
            .mend("{\"field\": \"OrderString\", \"value\": \"FID ASC\"}");
    }
    if !found.file.plan.source.condition.is_empty() {
        found.add(
            5,
            Severity::Info,
            &side.path("condition"),
            "with a condition, the last page must be known by the rows received, not by the rows kept; Skydeck reads until \
             a page is empty",
            "有 condition 时，末页要按收到的行数判断；Skydeck 一直读到空页为止",
        );
    }
}

/// 6, 9: columns.
fn columns(predicates: &[Predicate], side: &Side<'_>, at: &str, found: &mut Found<'_>) {
    let excludes_audited = predicates.iter().any(|p| p.is_on(STATUS) && !p.admits("C"));
    let list = [(&side.asked, "FieldKeys"), (&side.response, "FieldKeys")];
    // A plan that makes bills or only collects takes every line of a record.
    let makes = found.file.plan.target.make.is_some() || found.file.plan.target.collects;
    for column in found.file.plan.source.columns.clone().into_iter().filter(|_| !makes) {
        let entry = list.iter().find_map(|(l, _)| l.iter().find(|e| e.field == column.key));
        let at = entry.map_or(at, |e| e.at.as_str()).to_owned();
        // Base data may keep its own id in a field that elsewhere is one of the entries: FMATERIALID.
        if is_entry_level(&column.path) && !column.path.eq_ignore_ascii_case(&found.file.plan.source.id_path) {
            found
                .add(
                    6,
                    Severity::Info,
                    &at,
                    format!(
                        "{} looks like a field of the entries: one row a line, so one bill many times. Skydeck keeps one \
                         row a bill and shows the first line's value",
                        column.path
                    ),
                    format!("{} 像是分录字段：一行分录一行数据，同一单据会重复。Skydeck 每单只留一行，显示第一行的值", column.path),
                )
                .mend_in_both("leave the column out", "去掉此字段");
        }
        if column.path.eq_ignore_ascii_case("FApproveDate") && excludes_audited {
            found
                .add(
                    9,
                    Severity::Info,
                    &at,
                    "FApproveDate is empty for every bill that this filter lets through",
                    "符合此过滤条件的单据，FApproveDate 一定为空",
                )
                .mend_in_both("leave the column out, or ask for FModifyDate", "去掉此字段，或改查 FModifyDate");
        }
    }
}

/// 14: `or` beside `and` without brackets.
fn brackets(tokens: &[filter_text::Token], at: &str, found: &mut Found<'_>) {
    let has_and = tokens.iter().any(|t| matches!(&t.kind, Kind::Word(w) if w.eq_ignore_ascii_case("and")));
    let has_open = tokens.iter().any(|t| t.kind == Kind::Open);
    if filter_text::has_or(tokens) && has_and && !has_open {
        found
            .add(
                14,
                Severity::Warning,
                at,
                "`or` beside `and` without brackets: `and` binds first, which lets through more than one reads",
                "or 与 and 并列而没有括号：and 先结合，符合的单据可能比看上去多",
            )
            .mend_in_both("put the `or` into brackets", "给 or 部分加上括号");
    }
}
