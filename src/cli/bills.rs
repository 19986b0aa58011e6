//! The verb `ledger`, and the lists of bills that other verbs print.

use super::args::LedgerArgs;
use super::asked::{PAGE, bills, run_row};
use super::bill::resolved_before;
use super::json;
use super::out::Out;
use super::select::{Matching, matching};
use crate::domain::bill::Slot;
use crate::domain::command::Selection;
use crate::domain::erp_status::After;
use crate::domain::filter::{Filter, Key, Term, Test};
use crate::domain::ids::OpId;
use crate::domain::query::{Answer, LedgerCounts, LedgerGroup, PageRequest, Query, Scope};
use crate::domain::run::BillRow;
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};

/// Prints up to `limit` bills and gives how many; says when there are more. A bounded scan is continued until enough were found.
pub async fn print(link: &dyn Link, out: &Out, scope: Scope, filter: &Filter, limit: u32) -> Result<usize, Stop> {
    let mut rows: Vec<BillRow> = Vec::new();
    let mut request = PageRequest::first(limit.min(PAGE));
    let more = loop {
        let page = bills(link, scope, filter, request.clone()).await?;
        let last = page.stopped_at.clone().or_else(|| page.rows.last().map(|(cursor, _)| cursor.clone()));
        rows.extend(page.rows.into_iter().map(|(_, row)| row));
        let enough = rows.len() >= limit as usize;
        match last {
            Some(cursor) if page.more && !enough => request.cursor = Some(cursor),
            _ => break page.more || rows.len() > limit as usize,
        }
    };
    rows.truncate(limit as usize);
    if more {
        let at = match scope {
            Scope::Run(id) => format!("`skydeck history {id} -n N`"),
            Scope::Ledger | Scope::History => out.t("raise -n or narrow the filter", "加大 -n 或收窄过滤").to_owned(),
        };
        out.note(&format!("{}{at}", out.t("… and more: ", "… 还有更多：")));
    }
    if out.json {
        let columns = match scope {
            Scope::Run(id) => run_row(link, id).await?.map(|row| row.head.columns).unwrap_or_default(),
            Scope::Ledger | Scope::History => Vec::new(),
        };
        for row in &rows {
            out.object(&json::bill(row, &columns))?;
        }
        if more {
            out.object(&serde_json::json!({"type": "list_cut", "listed": rows.len(), "limit": limit}))?;
        }
        return Ok(rows.len());
    }
    if rows.is_empty() {
        return Ok(0);
    }
    let mut head = vec![out.t("bill", "单据编号"), out.t("fid", "内码"), out.t("outcome", "处理结果")];
    head.push(out.t("ERP status", "单据状态"));
    head.extend([out.t("tries", "次数"), out.t("cause", "原因")]);
    // Bills of one run are of one operation, and its sum names it.
    let made = rows.iter().any(|row| row.made.is_some());
    head.extend(made.then(|| out.t("made", "新单")));
    let several = !matches!(scope, Scope::Run(_)) && rows.iter().any(|row| !row.key.op.is_audit());
    head.extend(several.then(|| out.t("operation", "操作")));
    let cells = rows.iter().map(|row| {
        let (state, mut reason) = out.bill(row);
        if let Some(closing) = &row.resolved_before {
            let before = resolved_before(out, &closing.by, closing.at, &closing.reason);
            reason = [reason, before].join(out.t("; ", "；"));
        }
        let status = After::of(row).status.map_or_else(|| "-".to_owned(), |status| status.told(out.lang));
        let mut cells = vec![row.no.clone(), row.fid().to_string(), state, status, row.attempts.to_string(), reason];
        cells.extend(made.then(|| row.made_no().unwrap_or_default().to_owned()));
        cells.extend(several.then(|| out.named(&row.key.op)));
        cells
    });
    out.table(&head, cells.collect())?;
    Ok(rows.len())
}

/// Whether a bill that is unknown is among the entries that a filter leaves.
async fn has_unknown(link: &dyn Link, mut filter: Filter) -> Result<bool, Stop> {
    let unknown = Filter::parse("status:unknown").map_err(|e| Stop::usage(e.to_string()))?;
    filter.terms.extend(unknown.terms);
    let mut page = PageRequest::first(1);
    loop {
        let found = bills(link, Scope::Ledger, &filter, page.clone()).await?;
        match found.stopped_at {
            _ if !found.rows.is_empty() => return Ok(true),
            Some(cursor) if found.more => page.cursor = Some(cursor),
            _ => return Ok(false),
        }
    }
}

/// `ledger`. Of what it lists: exit 3 while unknown bills are in it, 1 while others are.
pub async fn ledger(link: &dyn Link, out: &Out, args: &LedgerArgs) -> Result<Exit, Stop> {
    let Matching { plan, run, filter } = matching(link, out, &args.select).await?;
    let narrowed = !filter.is_empty() || run.is_some();
    let groups = if narrowed && args.groups {
        let selection = Selection::Matching { plan: plan.clone(), run, filter: filter.clone() };
        counted(link, selection).await?
    } else {
        let Answer::LedgerGroups(groups) = link.ask(Query::LedgerGroups { plan: plan.clone() }).await? else {
            return Err(Stop::odd_answer());
        };
        groups
    };
    if !narrowed || args.groups {
        print_groups(out, &groups, narrowed)?;
    }
    let mut matched = None;
    if !args.groups && !groups.is_empty() {
        let is = |key, word: String| Term { not: false, test: Test::Is(key, vec![word]) };
        let mut filter = filter;
        filter.terms.extend(plan.map(|plan| is(Key::Plan, plan.to_string())));
        filter.terms.extend(run.map(|run| is(Key::Run, run.to_string())));
        if !out.json && !narrowed {
            out.line("")?;
        }
        let shown = print(link, out, Scope::Ledger, &filter, args.limit).await?;
        if shown == 0 && !out.json {
            out.line(out.t("no unresolved bill matches", "没有符合条件的遗留单据"))?;
            whole_values(out, &filter);
        }
        matched = Some((shown, filter));
    }
    let (mut unknown, mut nothing) = (groups.iter().any(|g| g.slot == Slot::Unknown), groups.is_empty());
    if let Some((shown, filter)) = matched.filter(|_| narrowed) {
        nothing = shown == 0;
        unknown = unknown && !nothing && has_unknown(link, filter).await?;
    }
    Ok(if unknown {
        Exit::Unknown
    } else if nothing {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

/// Groups of what a selection means, the biggest first.
async fn counted(link: &dyn Link, selection: Selection) -> Result<Vec<LedgerGroup>, Stop> {
    let (mut counts, mut after) = (LedgerCounts::default(), None);
    loop {
        let Answer::LedgerCounts(more) = link.ask(Query::LedgerCounts { selection: selection.clone(), after }).await?
        else {
            return Err(Stop::odd_answer());
        };
        counts.append(more);
        match counts.next.take() {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let mut groups = counts.groups;
    groups.sort_by(|a, b| b.count.cmp(&a.count).then(a.oldest.cmp(&b.oldest)).then_with(|| a.group.cmp(&b.group)));
    Ok(groups)
}

/// That a column is compared whole, where a filter found nothing by a part of it, it may be.
fn whole_values(out: &Out, filter: &Filter) {
    if filter.words_of(Key::Likely).next().is_some() {
        out.note(out.t(
            "`likely:` is told of bills that wait in a set: `skydeck history RUN --filter likely:fail`",
            "“可能”只对清单中待处理的单据有效：`skydeck history 运行 --filter 可能:失败`",
        ));
    }
    let Some(word) = filter.whole_words().next() else { return };
    let word = crate::text::show(word, 200);
    let (en, zh) = (
        format!("a column is compared whole: `*{word}*` is any value with `{word}` in it", word = word.as_str()),
        format!("列按整个值比较：`*{word}*` 表示含有“{word}”的值", word = word.as_str()),
    );
    out.note(out.t(&en, &zh));
}

fn print_groups(out: &Out, groups: &[LedgerGroup], narrowed: bool) -> Result<(), Stop> {
    if out.json {
        for group in groups {
            out.object(&json::group(group))?;
        }
        return Ok(());
    }
    if groups.is_empty() {
        let (en, zh) = if narrowed {
            ("no unresolved bill matches", "没有符合条件的遗留单据")
        } else {
            ("the ledger is empty: nothing is unresolved", "遗留清单为空")
        };
        return Ok(out.line(out.t(en, zh))?);
    }
    let head = [out.t("outcome", "处理结果"), out.t("cause", "原因"), out.t("bills", "张数"), out.t("oldest", "最早")];
    // Programs have the order they always had: by number.
    let mut urgent = groups.to_vec();
    LedgerGroup::sort(&mut urgent);
    let cells = urgent.iter().map(|g| {
        vec![
            out.slot(&OpId::default(), g.slot).to_owned(),
            out.cause(&g.group),
            g.count.to_string(),
            g.oldest.map(|at| out.time(at)).unwrap_or_default(),
        ]
    });
    Ok(out.table(&head, cells.collect())?)
}
