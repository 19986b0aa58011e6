//! What a hand-over holds, asked of the engine.

use skydeck_core::domain::action_words;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::event::ActionEntry;
use skydeck_core::domain::group_words;
use skydeck_core::domain::hours::Counts;
use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::language::Language;
use skydeck_core::domain::query::{Answer, EnvRow, PageRequest, Query};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{RunRow, RunState};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::today::{PlanDay, Span, Today};
use skydeck_engine::api::Link;

use super::{Handover, Section};
use crate::ExportError;
use crate::report::local;
use crate::style::Style;

/// Orders asked for at a time.
const PAGE: u32 = 200;
/// Decisions that are listed.
const DECISIONS: usize = 200;

/// Asks for it.
///
/// # Errors
/// The engine or the store cannot answer.
pub async fn gather(link: &dyn Link, since: Ts, style: &Style) -> Result<Handover, ExportError> {
    let lang = style.lang;
    let span = Span { since, until: None, days: Vec::new() };
    let Answer::Today(day) = link.ask(Query::Today(span)).await? else { return Err(ExportError::WrongAnswer) };
    let Answer::Environments(envs) = link.ask(Query::Environments).await? else { return Err(ExportError::WrongAnswer) };
    let live = link.watch().await?.live;
    let open: Vec<&RunRow> = live.open().map(|run| &run.row).collect();
    let (decided, more) = decisions(link, &day, since, style).await?;
    let told =
        lang.t(["when", "who", "what", "plan", "bills", "reason"], ["时间", "操作员", "操作", "方案", "张数", "理由"]);
    Ok(Handover {
        title: lang.t("Skydeck hand-over", "Skydeck 交接"),
        about: about(&day, since, style),
        sections: vec![
            waiting(&day, &open, &envs, style),
            stuck(&day, style),
            Section {
                heading: lang.t("Decided", "已作决定"),
                columns: told.to_vec(),
                rows: decided,
                none: lang.t("nothing was decided by hand", "没有人工决定"),
                more,
            },
            plans(&day, style),
        ],
    })
}

/// A moment as a person reads it: the day is told where it is another one than that of the writing.
fn clock(at: Ts, style: &Style) -> String {
    let day = |at| local(at, &style.zone).map(|at| at.date());
    let form = match () {
        () if day(at) == day(style.now) => "%H:%M",
        // Within so many days a month and a day are of one year alone.
        () if style.now.0.abs_diff(at.0) > 300 * 86_400_000 => "%Y-%m-%d %H:%M",
        () => "%m-%d %H:%M",
    };
    local(at, &style.zone).map(|at| at.format(form).to_string()).unwrap_or_default()
}

fn about(day: &Today, since: Ts, style: &Style) -> Vec<String> {
    let mut sum = Counts::default();
    day.plans.iter().for_each(|plan| sum.add(&plan.span));
    let unresolved: u64 = day.groups.iter().map(|group| group.group.count).sum();
    let whole = |at| local(at, &style.zone).map(|at| at.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
    let (from, to, zone) = (whole(since), whole(day.at), style.zone.name());
    let (runs, found, done) = (sum.runs, sum.found, sum.of(Slot::Done));
    let (failed, unknown) = (sum.of(Slot::Failed), sum.of(Slot::Unknown));
    let (gained, solved) = (sum.gained(), sum.solved());
    match style.lang {
        Language::En => vec![
            format!("{from} to {to} ({zone})"),
            format!("{runs} runs, {found} bills found, {done} done, {failed} failed, {unknown} unknown"),
            format!("ledger: {gained} came, {solved} left, {unresolved} unresolved now"),
        ],
        Language::Zh => vec![
            format!("{from} 至 {to}（{zone}）"),
            format!("运行 {runs} 次，读到 {found} 张，完成 {done}，失败 {failed}，结果未知 {unknown}"),
            format!("遗留清单：新增 {gained} 张，减少 {solved} 张，现有 {unresolved} 张"),
        ],
    }
}

fn reason(why: &Reason, style: &Style) -> String {
    let label = |cause: &Cause| group_words::label(&style.causes, style.lang, Slot::Failed, cause.as_str());
    style.lang.t(why.en_with(&label), why.zh_with(&label))
}

/// What waits for a person before it goes on.
fn waiting(day: &Today, open: &[&RunRow], envs: &[EnvRow], style: &Style) -> Section {
    let lang = style.lang;
    let mut rows = Vec::new();
    for row in open {
        let (what, why) = match &row.state {
            RunState::AwaitingApproval => (lang.t("to approve", "待批准"), None),
            RunState::Paused(why) => (lang.t("paused", "已暂停"), why.reason()),
            RunState::Interrupted => (lang.t("interrupted", "被中断"), None),
            RunState::Collecting | RunState::Working | RunState::Settling => (lang.t("at work", "正在执行"), None),
            RunState::Closed(_) => continue,
        };
        let why = why.map(|why| reason(why, style)).unwrap_or_default();
        let n = row.tally.waiting.to_string();
        rows.push(vec![what.to_owned(), row.head.name.clone(), clock(row.head.opened, style), n, why]);
    }
    for stopped in &day.stopped {
        let why = match &stopped.row.state {
            RunState::Closed(end) => end.reason().map(|why| reason(why, style)).unwrap_or_default(),
            _ => String::new(),
        };
        let what = lang.t("stopped by itself", "已自动停止").to_owned();
        let name = stopped.row.head.name.clone();
        rows.push(vec![what, name, clock(stopped.since, style), stopped.row.tally.not_reached.to_string(), why]);
    }
    for plan in &day.plans {
        if let Some(silent) = plan.silent {
            let times = lang.times(silent.times);
            let due = lang.t(format!("due {times} since then"), format!("自此到期 {times}"));
            let what = lang.t("did not run", "未按时运行").to_owned();
            rows.push(vec![what, name(plan), clock(silent.since, style), String::new(), due]);
        }
        if let Some(problem) = &plan.problem {
            let what = lang.t("plan cannot be used", "方案不可用").to_owned();
            let said = problem.said(lang == Language::Zh).to_owned();
            rows.push(vec![what, name(plan), String::new(), String::new(), said]);
        }
    }
    for env in envs {
        if let Some(until) = env.unlocked_until.filter(|until| *until > style.now) {
            let what = lang.t("writing unlocked", "已解锁写入").to_owned();
            let by = env.unlocked_by.as_ref().map(|who| who.said(lang)).unwrap_or_default();
            let until = lang.t(format!("until {}", clock(until, style)), format!("至 {}", clock(until, style)));
            rows.push(vec![what, env.env.id.to_string(), until, String::new(), by]);
        }
        if let Some(held) = &env.held {
            let what = lang.t("environment held", "环境暂不写入").to_owned();
            rows.push(vec![what, env.env.id.to_string(), String::new(), String::new(), reason(held, style)]);
        }
    }
    Section {
        heading: lang.t("Waits for somebody", "等待处理"),
        columns: lang
            .t(["what", "plan or environment", "since", "bills", "why"], ["事项", "方案或环境", "自", "张数", "原因"])
            .to_vec(),
        rows,
        none: lang.t("no run and no plan waits for anybody", "没有等待处理的运行或方案"),
        more: 0,
    }
}

fn name(plan: &PlanDay) -> String {
    if plan.name.is_empty() { plan.plan.to_string() } else { plan.name.clone() }
}

/// Unresolved bills, by who acts.
fn stuck(day: &Today, style: &Style) -> Section {
    let lang = style.lang;
    let mut rows: Vec<(&'static str, u64, Vec<String>)> = Vec::new();
    for of in &day.groups {
        let group = &of.group;
        let (advice, who) = group_words::advice(&style.causes, lang, group.slot, &group.group);
        let cause = group_words::label(&style.causes, lang, group.slot, &group.group);
        let oldest = group.oldest.map(|at| clock(at, style)).unwrap_or_default();
        let change = format!("+{} −{}", of.entered, of.left);
        rows.push((who, group.count, vec![who.to_owned(), cause, group.count.to_string(), change, oldest, advice]));
    }
    // Who has most to do comes first, each with all that is his.
    let load = |who: &str| -> u64 { rows.iter().filter(|row| row.0 == who).map(|row| row.1).sum() };
    let loads: Vec<u64> = rows.iter().map(|row| load(row.0)).collect();
    let mut loaded: Vec<_> = rows.into_iter().zip(loads).collect();
    loaded.sort_by(|(a, a_load), (b, b_load)| b_load.cmp(a_load).then(a.0.cmp(b.0)).then(b.1.cmp(&a.1)));
    Section {
        heading: lang.t("Unresolved, by who acts", "遗留单据，由谁处理"),
        columns: lang
            .t(
                ["who acts", "cause", "bills", "change", "oldest", "what to do"],
                ["由谁处理", "原因", "张数", "变化", "最早", "建议"],
            )
            .to_vec(),
        rows: loaded.into_iter().map(|((_, _, row), _)| row).collect(),
        none: lang.t("no bill is unresolved", "没有遗留单据"),
        more: 0,
    }
}

/// What each plan did; those that did nothing and have nothing unresolved are left out.
fn plans(day: &Today, style: &Style) -> Section {
    let lang = style.lang;
    let busy = day.plans.iter().filter(|plan| !plan.span.is_empty() || plan.unresolved > 0);
    let rows = busy.map(|plan| {
        let n = |slot| plan.span.of(slot).to_string();
        let change = format!("+{} −{}", plan.span.gained(), plan.span.solved());
        let next = plan.next.map(|at| clock(at, style)).unwrap_or_default();
        let runs = plan.span.runs.to_string();
        let counts = [n(Slot::Done), n(Slot::Failed), n(Slot::Unknown), change, plan.unresolved.to_string(), next];
        [name(plan), runs].into_iter().chain(counts).collect()
    });
    Section {
        heading: lang.t("Plans", "集成方案"),
        columns: lang
            .t(
                ["plan", "runs", "done", "failed", "unknown", "ledger", "unresolved", "next"],
                ["方案", "运行", "完成", "失败", "未知", "遗留变化", "遗留", "下次"],
            )
            .to_vec(),
        rows: rows.collect(),
        none: lang.t("no plan ran", "没有方案运行"),
        more: 0,
    }
}

/// Whether an order is a decision: that a run began is none, that what the ERP asks was ignored in it is.
fn is_decision(entry: &ActionEntry) -> bool {
    let decides = match entry.verb.as_str() {
        "resolve" | "reopen" | "decline" | "cancel" | "pause" | "resume" | "set_pace" | "unlock" | "adopt_server"
        | "accept_log" => true,
        "approve" => entry.reason.is_some(),
        _ => false,
    };
    decides && entry.result.starts_with("accepted")
}

/// What was decided since a time, oldest first, and how many are left out.
async fn decisions(
    link: &dyn Link,
    day: &Today,
    since: Ts,
    style: &Style,
) -> Result<(Vec<Vec<String>>, usize), ExportError> {
    let lang = style.lang;
    // As every other section calls it; the id where no run and no plan has a name for it.
    let called = |id: &PlanId| day.plans.iter().find(|plan| plan.plan == *id).map_or_else(|| id.to_string(), name);
    let (mut rows, mut more, mut page) = (Vec::new(), 0, PageRequest::first(PAGE));
    loop {
        let Answer::Actions(found) = link.ask(Query::Actions(page.clone())).await? else {
            return Err(ExportError::WrongAnswer);
        };
        let last = found.rows.last().map(|(cursor, (_, at, _))| (cursor.clone(), *at));
        let decided = found.rows.into_iter().filter(|(_, (_, at, entry))| *at >= since && is_decision(entry));
        for (_, (_, at, entry)) in decided {
            if rows.len() == DECISIONS {
                more += 1;
                continue;
            }
            let verb = action_words::verb(&entry.verb).map(|verb| lang.t(verb.en, verb.zh));
            let noted = match lang {
                Language::En => {
                    entry.result.strip_prefix("accepted").unwrap_or_default().trim_start_matches("; ").to_owned()
                }
                Language::Zh => noted_zh(&entry, style),
            };
            let why = [entry.reason.clone().unwrap_or_default(), noted];
            let why: Vec<String> = why.into_iter().filter(|text| !text.is_empty()).collect();
            rows.push(vec![
                clock(at, style),
                entry.by.said(lang),
                verb.map_or(entry.verb, str::to_owned),
                entry.plan.as_ref().map(called).unwrap_or_default(),
                if entry.bills == 0 { String::new() } else { entry.bills.to_string() },
                why.join(lang.t("; ", "；")),
            ]);
        }
        match last {
            Some((cursor, at)) if found.more && at >= since => page.cursor = Some(cursor),
            _ => break,
        }
    }
    rows.reverse();
    Ok((rows, more))
}

fn noted_zh(entry: &ActionEntry, style: &Style) -> String {
    let label = |cause: &Cause| group_words::label(&style.causes, style.lang, Slot::Failed, cause.as_str());
    let said = action_words::zh(entry, &label);
    said.strip_prefix("已受理").unwrap_or(&said).trim_start_matches('：').to_owned()
}
