//! `history`: runs, the bills of one, or bills over all of them.
//!
//! Invariant: a filter lists runs where it asks nothing of bills, and means the same as in the console.

use super::args::HistoryArgs;
use super::asked::{PAGE, find_run};
use super::bills::print;
use super::json;
use super::out::Out;
use super::select::filter;
use crate::domain::filter::Filter;
use crate::domain::query::{Answer, PageRequest, Query, Scope};
use crate::domain::run::RunRow;
use crate::domain::run_list::{RunLine, RunsAsked};
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};

/// `history`.
pub async fn history(link: &dyn Link, out: &Out, args: &HistoryArgs) -> Result<Exit, Stop> {
    if let Some(run) = &args.run {
        return of_run(link, out, args, run).await;
    }
    let asked = filter(link, out, &args.filter).await?;
    if !asked.asks_runs() {
        if print(link, out, Scope::History, &asked, args.limit).await? == 0 && !out.json {
            out.line(out.t("no bill matches", "没有符合条件的单据"))?;
        }
        return Ok(Exit::Ok);
    }
    let (rows, more) = runs(link, &asked, args.limit).await?;
    if out.json {
        for row in &rows {
            out.object(&json::run(row))?;
        }
        return Ok(Exit::Ok);
    }
    // Of none that were asked for nothing is known.
    if rows.is_empty() && args.limit > 0 {
        let (en, zh) = if asked.is_empty() {
            ("no runs yet; `skydeck run PLAN` starts one", "还没有运行；用 `skydeck run 方案` 开始")
        } else {
            ("no run matches", "没有符合条件的运行")
        };
        out.line(out.t(en, zh))?;
        return Ok(Exit::Ok);
    }
    if more && !asked.is_empty() {
        out.note(out.t("… and more: raise -n or narrow the filter", "… 还有更多：加大 -n 或收窄过滤"));
    }
    table(out, &rows)
}

/// The bills of one run, and its sum.
async fn of_run(link: &dyn Link, out: &Out, args: &HistoryArgs, run: &str) -> Result<Exit, Stop> {
    let row = find_run(link, out, run).await?;
    let filter = filter(link, out, &args.filter).await?;
    print(link, out, Scope::Run(row.head.id), &filter, args.limit).await?;
    if out.json {
        out.object(&json::run(&row))?;
        return Ok(Exit::Ok);
    }
    out.line(&out.sum_of(&row))?;
    if row.pruned > 0 {
        let words = out.t("of them were pruned ([retention]); the totals remain", "张明细已过保留期清除，合计仍在");
        out.line(&format!("{} {words}", row.pruned))?;
    }
    Ok(Exit::Ok)
}

/// The newest runs that a filter leaves, and whether there are more.
async fn runs(link: &dyn Link, filter: &Filter, limit: u32) -> Result<(Vec<RunRow>, bool), Stop> {
    let asked = RunsAsked { filter: filter.clone(), folded: None };
    let mut rows = Vec::new();
    let mut page = PageRequest::first(limit.min(PAGE));
    let more = loop {
        let Answer::RunLines(found) = link.ask(Query::RunLines { asked: asked.clone(), page: page.clone() }).await?
        else {
            return Err(Stop::odd_answer());
        };
        let last = found.stopped_at.or_else(|| found.rows.last().map(|(cursor, _)| cursor.clone()));
        rows.extend(found.rows.into_iter().filter_map(|(_, line)| match line {
            RunLine::Run { row, .. } => Some(*row),
            RunLine::Day(_) | RunLine::Nothing(_) => None,
        }));
        match last {
            Some(cursor) if found.more && rows.len() < limit as usize => page.cursor = Some(cursor),
            _ => break found.more || rows.len() > limit as usize,
        }
    };
    rows.truncate(limit as usize);
    Ok((rows, more))
}

fn table(out: &Out, rows: &[RunRow]) -> Result<Exit, Stop> {
    let head = [
        out.t("run", "运行"),
        out.t("opened", "开始"),
        out.t("plan", "方案"),
        out.t("env", "环境"),
        out.t("by", "操作员"),
        out.t("state", "状态"),
        out.t("sum", "合计"),
    ];
    let cells = rows.iter().map(|row| {
        vec![
            row.head.id.to_string(),
            out.time(row.head.opened),
            match out.range(&row.head) {
                Some(range) => format!("{} [{range}]", row.head.plan),
                None => row.head.plan.to_string(),
            },
            row.head.env.to_string(),
            row.head.by.said(out.lang),
            out.run_state(row),
            out.sum_of(row),
        ]
    });
    out.table(&head, cells.collect())?;
    Ok(Exit::Ok)
}
