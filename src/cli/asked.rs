//! What verbs ask the engine before they do or print anything: runs by the beginning of their ids, bills by their numbers.

use super::out::Out;
use crate::domain::bill::BillState;
use crate::domain::filter::Filter;
use crate::domain::ids::{EnvId, PlanId, RunId, WorkKey};
use crate::domain::query::{Answer, Page, PageRequest, Query, Scope};
use crate::domain::run::{BillRow, RunRow, RunState};
use crate::engine::api::Link;
use crate::exit::Stop;

/// Rows asked for at once.
pub(super) const PAGE: u32 = 200;

/// One run by id.
pub async fn run_row(link: &dyn Link, run: RunId) -> Result<Option<RunRow>, Stop> {
    match link.ask(Query::Run(run)).await? {
        Answer::Run(row) => Ok(row.map(|row| *row)),
        _ => Err(Stop::odd_answer()),
    }
}

/// The run whose id begins so; newest first.
pub async fn find_run(link: &dyn Link, out: &Out, beginning: &str) -> Result<RunRow, Stop> {
    let wanted = beginning.to_uppercase();
    let none = || {
        out.usage(
            &format!("no run {beginning}; `skydeck history` lists them"),
            &format!("没有运行 {beginning}；用 `skydeck history` 查看全部运行"),
        )
    };
    if let Ok(id) = wanted.parse::<RunId>() {
        return run_row(link, id).await?.ok_or_else(none);
    }
    let mut page = PageRequest::first(PAGE);
    let mut hits: Vec<RunRow> = Vec::new();
    loop {
        let rows = runs(link, page.clone()).await?;
        let last = rows.rows.last().map(|(cursor, _)| cursor.clone());
        hits.extend(
            rows.rows.into_iter().map(|(_, row)| row).filter(|row| row.head.id.to_string().starts_with(&wanted)),
        );
        match last {
            Some(cursor) if rows.more && hits.len() < 2 => page.cursor = Some(cursor),
            _ => break,
        }
    }
    match hits.len() {
        0 | 1 => hits.pop().ok_or_else(none),
        _ => Err(out.usage(
            &format!("several runs match {beginning}; give more of the id"),
            &format!("有多个运行符合 {beginning}；请多给几位编号"),
        )),
    }
}

pub(super) async fn runs(link: &dyn Link, page: PageRequest) -> Result<Page<RunRow>, Stop> {
    match link.ask(Query::Runs(page)).await? {
        Answer::Runs(page) => Ok(page),
        _ => Err(Stop::odd_answer()),
    }
}

pub(super) async fn bills(
    link: &dyn Link,
    scope: Scope,
    filter: &Filter,
    page: PageRequest,
) -> Result<Page<BillRow>, Stop> {
    match link.ask(Query::Bills { scope, filter: filter.clone(), page }).await? {
        Answer::Bills(page) => Ok(page),
        _ => Err(Stop::odd_answer()),
    }
}

/// The settled bills of a run.
pub async fn settled(link: &dyn Link, run: RunId) -> Result<Vec<BillRow>, Stop> {
    let (scope, filter) = (Scope::Run(run), Filter::default());
    let (mut rows, mut request) = (Vec::new(), PageRequest::first(PAGE));
    loop {
        let page = bills(link, scope, &filter, request.clone()).await?;
        let last = page.stopped_at.clone().or_else(|| page.rows.last().map(|(cursor, _)| cursor.clone()));
        let of_page = page.rows.into_iter().map(|(_, row)| row);
        rows.extend(of_page.filter(|row| matches!(row.state, BillState::Settled(_)) && !row.untold));
        match last {
            Some(cursor) if page.more => request.cursor = Some(cursor),
            _ => return Ok(rows),
        }
    }
}

/// Bills with one of these numbers, under every operation, of one plan where one is named.
pub async fn keys_of(link: &dyn Link, out: &Out, numbers: &[String], plan: Option<&str>) -> Result<Vec<WorkKey>, Stop> {
    let mut keys = Vec::new();
    for number in numbers {
        let Answer::Bills(page) = link.ask(Query::FindBill { number: number.clone(), limit: 20 }).await? else {
            return Err(Stop::odd_answer());
        };
        let (own, made): (Vec<BillRow>, Vec<BillRow>) =
            page.rows.into_iter().map(|(_, row)| row).partition(|row| row.no == *number);
        // A number of its own goes before that of a bill that was made of it.
        let made = made.into_iter().filter(|row| row.made_no() == Some(number.as_str())).collect();
        let found = if own.is_empty() { made } else { own }.into_iter();
        let of_plan = found.filter(|row| plan.is_none_or(|plan| row.plan.as_str() == plan)).map(|row| row.key);
        let before = keys.len();
        keys.extend(of_plan);
        if keys.len() == before {
            return Err(Stop::usage(no_bill(out, number)));
        }
    }
    Ok(keys)
}

/// The one open run, or the one named.
pub async fn open_run(link: &dyn Link, out: &Out, wanted: Option<&str>) -> Result<RunRow, Stop> {
    if let Some(beginning) = wanted {
        return find_run(link, out, beginning).await;
    }
    let page = runs(link, PageRequest::first(PAGE)).await?;
    let mut open: Vec<RunRow> =
        page.rows.into_iter().map(|(_, row)| row).filter(|row| !row.state.is_closed()).collect();
    match open.len() {
        0 | 1 => open.pop().ok_or_else(|| out.usage("no unfinished run", "没有未结束的运行")),
        _ => Err(out.usage(
            "several runs are open; name one (`skydeck history` lists them)",
            "有多个未结束的运行；请指明其中一个（用 `skydeck history` 查看）",
        )),
    }
}

/// Whether a resumed run still has something to wait for.
pub fn is_resumable(row: &RunRow) -> bool {
    matches!(row.state, RunState::Interrupted | RunState::Paused(_) | RunState::AwaitingApproval)
}

/// The environment a plan's bills are in, by what the owner knows.
pub async fn env_of(link: &dyn Link, out: &Out, plan: &PlanId) -> Result<EnvId, Stop> {
    let Answer::Plans(plans) = link.ask(Query::Plans).await? else { return Err(Stop::odd_answer()) };
    let named = plans.iter().filter_map(|row| row.plan.as_ref().ok()).find(|known| known.id == *plan);
    let named = named.ok_or_else(|| out.usage(&format!("there is no plan `{plan}`"), &format!("没有方案 `{plan}`")))?;
    if let Some(env) = named.target_env.as_ref().or(named.env.as_ref()) {
        return Ok(env.clone());
    }
    let Answer::Environments(envs) = link.ask(Query::Environments).await? else {
        return Err(Stop::odd_answer());
    };
    envs.first().map(|row| row.env.id.clone()).ok_or_else(|| out.usage("no environment is configured", "没有配置环境"))
}

pub(super) fn no_bill(out: &Out, number: &str) -> String {
    let (en, zh) = (format!("no bill {number} in the history"), format!("历史中没有单据 {number}"));
    out.t(&en, &zh).to_owned()
}
