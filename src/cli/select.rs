//! Which bills a verb means: its filter, its plan and its run, read so that a slip of the pen shows.

use super::args::{ResolveArgs, SelectArgs};
use super::asked::{bills, find_run, runs};
use super::out::Out;
use crate::boot::{self, SystemClock};
use crate::domain::command::Selection;
use crate::domain::filter::values::Stray;
use crate::domain::filter::{Filter, FilterFault, Key, Term, Test, Wanted};
use crate::domain::ids::{PlanId, RunId};
use crate::domain::query::{Answer, PageRequest, PlanRow, Query, Scope};
use crate::domain::run::RunRow;
use crate::domain::time::Clock;
use crate::engine::api::Link;
use crate::exit::Stop;
use crate::text::show;
use crate::ui::Names;

/// Runs asked for at once.
const PAGE: u32 = 200;
/// Bounded searches of the history for a word that nothing is called by now.
const LOOKS_BACK: u32 = 20;

/// Reads a filter typed on the command line, by the words that lists show in either language; days are those of this machine's
/// zone. A word that is no value of its key, and a key that no plan has as a column, is an error, unless something of earlier
/// times is called so.
pub async fn filter(link: &dyn Link, out: &Out, text: &str) -> Result<Filter, Stop> {
    if text.trim().is_empty() {
        return Ok(Filter::default());
    }
    let text = &named_view(out, text)?;
    let wrong = |en: String, zh: String| {
        let (en, zh) = (format!("filter `{text}`: {en}"), format!("过滤 `{text}`：{zh}"));
        Stop::usage(out.t(&en, &zh))
    };
    let (zone, now) = (boot::zone(), SystemClock::default().now());
    let (names, plans) = names(link).await?;
    let read = crate::ui::read_filter(text, &out.causes, &names, (&zone, now));
    let read = read.map_err(|e| wrong(e.to_string(), e.fault.zh()))?;
    if let Some(fault) = &read.column
        && !had_column(link, fault).await?
    {
        return Err(wrong(fault.to_string(), fault.zh()));
    }
    for (key, stray) in &read.strays {
        let was = match key {
            Key::Plan => had_runs(link, |row| row.head.plan.as_str() == stray.word).await?,
            Key::Who => had_runs(link, |row| row.head.by.names().contains(&stray.word)).await?,
            key => was_told(link, Test::Is(*key, vec![stray.word.clone()])).await?,
        };
        if !was {
            return Err(wrong(stray.to_string(), stray.zh()));
        }
    }
    let usable = plans.iter().filter_map(|row| row.plan.as_ref().ok());
    if let Some(column) = read.filter.lost_column(usable, out.lang) {
        out.note(&crate::ui::lost_column(out.console(), &column));
    }
    Ok(read.filter.resolved(&zone, now))
}

/// The filter with that of a saved view in the place of its name.
fn named_view(out: &Out, text: &str) -> Result<String, Stop> {
    if !text.trim_start().starts_with(['@', '＠']) {
        return Ok(text.to_owned());
    }
    let views = crate::shell::filters::load(&out.views).map_err(Stop::usage)?;
    crate::ui::with_view(text, &views).map_err(|unknown| Stop::usage(out.t(&unknown.en(), &unknown.zh())))
}

/// What a filter may name, and the plans there are.
async fn names(link: &dyn Link) -> Result<(Names, Vec<PlanRow>), Stop> {
    let Answer::Plans(plans) = link.ask(Query::Plans).await? else { return Err(Stop::odd_answer()) };
    let Answer::Environments(envs) = link.ask(Query::Environments).await? else { return Err(Stop::odd_answer()) };
    let Answer::FilterValues(told) = link.ask(Query::FilterValues { column: None }).await? else {
        return Err(Stop::odd_answer());
    };
    Ok((Names::of(&plans, envs.iter().map(|row| &row.env.id), Some(&told)), plans))
}

/// The plan that `--plan` names: there now, or with runs of earlier times.
pub(super) async fn plan(link: &dyn Link, out: &Out, named: Option<&String>) -> Result<Option<PlanId>, Stop> {
    let Some(named) = named else { return Ok(None) };
    let plans = plans(link).await?;
    if plans.contains(named) || had_runs(link, |row| row.head.plan.as_str() == named).await? {
        return Ok(Some(PlanId::new(named)));
    }
    let stray = Stray::of(Key::Plan, named, &plans);
    Err(Stop::usage(out.t(&stray.to_string(), &stray.zh())))
}

async fn plans(link: &dyn Link) -> Result<Vec<String>, Stop> {
    let Answer::Plans(rows) = link.ask(Query::Plans).await? else {
        return Err(Stop::odd_answer());
    };
    Ok(rows.iter().map(|row| row.plan_id().to_string()).collect())
}

/// Whether there was a run of this kind.
async fn had_runs(link: &dyn Link, is: impl Fn(&RunRow) -> bool) -> Result<bool, Stop> {
    let mut page = PageRequest::first(PAGE);
    loop {
        let rows = runs(link, page.clone()).await?;
        if rows.rows.iter().any(|(_, row)| is(row)) {
            return Ok(true);
        }
        match rows.rows.last() {
            Some((cursor, _)) if rows.more => page.cursor = Some(cursor.clone()),
            _ => return Ok(false),
        }
    }
}

/// Whether any bill was ever told so; as far back as a bounded search sees.
async fn was_told(link: &dyn Link, test: Test) -> Result<bool, Stop> {
    let filter = Filter { terms: vec![Term { not: false, test }] };
    let mut page = PageRequest::first(1);
    for _ in 0..LOOKS_BACK {
        let found = bills(link, Scope::History, &filter, page.clone()).await?;
        match found.stopped_at {
            _ if !found.rows.is_empty() => return Ok(true),
            Some(cursor) if found.more => page.cursor = Some(cursor),
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// Whether any bill has the column that no plan has now.
async fn had_column(link: &dyn Link, fault: &FilterFault) -> Result<bool, Stop> {
    match fault {
        FilterFault::NoKey { key, .. } => {
            was_told(link, Test::Column(key.clone(), vec![Wanted::Text("*".to_owned())])).await
        }
        _ => Ok(false),
    }
}

/// Entries are closed by what they have in common, or all of them by name: never all because nothing was said.
pub fn meant(out: &Out, args: &ResolveArgs) -> Result<(), Stop> {
    let SelectArgs { filter, plan, run } = &args.select;
    let said = !filter.trim().is_empty() || plan.is_some() || run.is_some();
    match (said, args.all) {
        (true, false) | (false, true) => Ok(()),
        (false, false) => Err(out.usage(
            "which entries? give a filter (a bill's number is one), --plan or --run, or --all for the whole ledger",
            "未指明单据：请给出过滤条件（可为单号）、--plan 或 --run；办结全部遗留请用 --all",
        )),
        (true, true) => Err(out.usage(
            "--all means the whole ledger: leave it out, or the filter, --plan and --run",
            "--all 指全部遗留：请去掉它，或去掉过滤条件、--plan 和 --run",
        )),
    }
}

/// Entries that match.
pub struct Matching {
    /// Of a plan, or of all.
    pub plan: Option<PlanId>,
    /// Left over by a run, or by all.
    pub run: Option<RunId>,
    /// What a filter lets pass.
    pub filter: Filter,
}

/// What a filter, `--plan` and `--run` mean together.
pub async fn matching(link: &dyn Link, out: &Out, args: &SelectArgs) -> Result<Matching, Stop> {
    let run = match &args.run {
        Some(beginning) => Some(find_run(link, out, beginning).await?.head.id),
        None => None,
    };
    let plan = plan(link, out, args.plan.as_ref()).await?;
    Ok(Matching { plan, run, filter: filter(link, out, &args.filter).await? })
}

/// The selection of `retry`, `verify`, `resolve`.
pub async fn selection(link: &dyn Link, out: &Out, args: &SelectArgs) -> Result<Selection, Stop> {
    let Matching { plan, run, filter } = matching(link, out, args).await?;
    Ok(Selection::Matching { plan, run, filter })
}

/// Says what an order that found nothing to do was asked for, and how much there is: a slip of the pen shows.
pub async fn nothing(link: &dyn Link, out: &Out, args: &SelectArgs, stop: Stop) -> Result<Stop, Stop> {
    let Answer::LedgerGroups(groups) = link.ask(Query::LedgerGroups { plan: None }).await? else {
        return Err(Stop::odd_answer());
    };
    let unresolved: u64 = groups.iter().map(|group| group.count).sum();
    let asked = [
        Some(args.filter.clone()).filter(|filter| !filter.is_empty()),
        args.plan.as_ref().map(|plan| format!("--plan {plan}")),
        args.run.as_ref().map(|run| format!("--run {run}")),
    ];
    let asked = asked.into_iter().flatten().collect::<Vec<_>>().join(" ");
    if out.json {
        let line = serde_json::json!({
            "type": "nothing", "asked": asked, "unresolved": unresolved, "exit": stop.exit.code(),
        });
        out.object(&line)?;
    }
    let said = if asked.is_empty() {
        out.t("everything", "全部").to_owned()
    } else {
        format!("`{}`", show(&asked, 400).as_str())
    };
    let (en, zh) = (
        format!("; asked for {said}; the ledger holds {unresolved}"),
        format!("；所选：{said}；遗留清单共 {unresolved} 张"),
    );
    Ok(Stop { message: format!("{}{}", stop.message, out.t(&en, &zh)), ..stop })
}
