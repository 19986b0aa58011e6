//! `forecast`: what is usual for the plans and what stands out from it; and how the forecasters would have done on this site's
//! own journal.
//!
//! Invariant: the journal is only read; no lock is taken for it, and nothing that is replayed is kept.

mod growth;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use self::growth::{Cause, Growth};
use super::args::{ForecastArgs, ForecastVerb};
use super::context::Context;
use super::out::Out;
use crate::domain::event::{Event, Fact};
use crate::domain::forecast::Finding;
use crate::domain::forecast::{Forecasts, PlanForecast};
use crate::domain::forecast_words::{self as words, Says};
use crate::domain::ids::PlanId;
use crate::domain::query::{Answer, Query};
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};
use crate::forecast::{Alarm, Folder, Scoring, State};
use crate::store::account;

/// How long the engine is asked again while it reads the past.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two questions.
const AGAIN: Duration = Duration::from_millis(200);
/// Days of what is borne of false alarms.
const DAYS: f64 = 30.0;
/// Milliseconds of a day.
const DAY: f64 = 86_400_000.0;

/// Says, or replays.
pub async fn run(context: &Context, args: ForecastArgs) -> Result<Exit, Stop> {
    let out = context.out();
    match args.verb {
        None => {
            let booted = context.boot(Vec::new(), false).await?;
            let said = say(&*booted.link, &out, args.plan.map(PlanId::new)).await;
            booted.end(None).await?;
            said
        }
        Some(ForecastVerb::Backtest { .. }) if context.global.attach.is_some() => Err(out.usage(
            "the journal belongs to the engine's user: replay it as that user, without --attach",
            "流水属于引擎的用户：请以该用户身份回放，不要用 --attach",
        )),
        Some(ForecastVerb::Backtest { plan }) => {
            let calendar = crate::boot::calendar(&context.config, &context.paths.config_dir(), out.lang)?;
            let folder = Folder::new(calendar, context.config.forecast.borne(), State::default()).scoring();
            let tested = backtest(&out, &context.paths.data, folder, plan.map(PlanId::new).as_ref())?;
            print(&out, &tested)
        }
    }
}

async fn say(link: &dyn Link, out: &Out, plan: Option<PlanId>) -> Result<Exit, Stop> {
    let until = tokio::time::Instant::now() + PATIENCE;
    let said = loop {
        let Answer::Forecast(said) = link.ask(Query::Forecast(plan.clone())).await? else {
            return Err(Stop::odd_answer());
        };
        match said.behind {
            Some(_) if tokio::time::Instant::now() < until => tokio::time::sleep(AGAIN).await,
            _ => break *said,
        }
    };
    if let Some(plan) = plan.filter(|_| said.plans.is_empty()) {
        return Err(out.usage(
            &format!("no plan {plan}; `skydeck plan list` names them"),
            &format!("没有方案 {plan}；用 `skydeck plan list` 查看全部方案"),
        ));
    }
    if out.json {
        for plan in &said.plans {
            out.object(&json(plan, &said)?)?;
        }
        return Ok(Exit::Ok);
    }
    if let Some((done, of)) = said.behind {
        out.note(&if out.is_zh() {
            format!("仍在读取历史记录（{done}/{of} 条）：请稍后再问")
        } else {
            format!("the past is still being read ({done} of {of} facts): ask again later")
        });
    }
    if let Some(year) = said.unknown_year {
        out.note(&words::unknown_year(out.lang, year));
    }
    for plan in &said.plans {
        show(out, plan)?;
    }
    if said.plans.is_empty() {
        out.note(out.t(
            "no plans: `skydeck plan new` or `skydeck plan import` makes one",
            "没有方案：用 `skydeck plan new` 新建，或用 `skydeck plan import` 导入",
        ));
    }
    Ok(Exit::Ok)
}

fn json(plan: &PlanForecast, said: &Forecasts) -> Result<serde_json::Value, Stop> {
    let mut value = serde_json::to_value(plan).map_err(|_| Stop::odd_answer())?;
    if let (Some(object), Some((done, of))) = (value.as_object_mut(), said.behind) {
        object.insert("behind".to_owned(), serde_json::json!({"facts": done, "of": of}));
    }
    if let (Some(object), Some(year)) = (value.as_object_mut(), said.unknown_year) {
        object.insert("holidays_unknown".to_owned(), serde_json::json!(year));
    }
    Ok(value)
}

fn show(out: &Out, plan: &PlanForecast) -> std::io::Result<()> {
    let time = |at| out.time(at);
    let cause = |name: &str| out.cause(name);
    let says = Says { lang: out.lang, time: &time, cause: &cause };
    let next = plan
        .next
        .as_ref()
        .map(|(at, usual)| format!("{} {} · {}", out.t("next", "下次"), out.time(*at), words::usual(out.lang, usual)));
    out.line(&[plan.plan.to_string()].into_iter().chain(next).collect::<Vec<_>>().join("  "))?;
    if let Some(missed) = plan.missed {
        let (since, times) = (out.time(missed.since), out.lang.times(missed.times));
        out.line(&if out.is_zh() {
            format!("  ! 未按时运行：自 {since} 起到期 {times}")
        } else {
            format!("  ! did not run: due {times} since {since}")
        })?;
    }
    for found in &plan.found {
        let alert = words::alert(out.lang, &found.finding);
        out.line(&format!("  ! {}", out.colon(alert, alert, &words::found(&says, found))))?;
    }
    if plan.lines.is_empty() {
        out.line(&format!("  {}", words::nothing_yet(out.lang)))?;
    }
    for line in &plan.lines {
        let (by, standing) = (words::forecaster(out.lang, line.by), words::standing(out.lang, line.standing));
        let did = words::record(out.lang, line.by, &line.record).map_or_else(String::new, |did| format!("  {did}"));
        out.line(&format!("  {by}{}{standing}{did}", out.t(": ", "：")))?;
    }
    Ok(())
}

/// What the forecasters would have said of one plan.
#[derive(Default)]
struct Tested {
    runs: u32,
    inside: u32,
    gain: f64,
    first: Option<i64>,
    last: i64,
    /// Alarms by kind.
    alarms: BTreeMap<&'static str, u32>,
    /// Runs in which nothing was found on a weekday, each time it began: what the alarms are compared with.
    empty: u32,
    was_empty: bool,
    /// By progress: errors, those of `waiting / rate of late`, and whether the range held.
    done: BTreeMap<u32, Vec<(f64, f64, Option<bool>)>>,
    /// The ledger by cause.
    ledger: BTreeMap<String, Cause>,
}

/// Folds the whole journal anew.
fn backtest(out: &Out, data: &Path, folder: Folder, only: Option<&PlanId>) -> Result<BTreeMap<PlanId, Tested>, Stop> {
    if !data.exists() {
        return Err(out.nothing_in(data));
    }
    let mut replay = Replay { folder, growth: Growth::default(), tested: BTreeMap::new() };
    account::each_fact(data, &mut |fact| replay.take(&fact)).map_err(crate::boot::store_stop)?;
    let mut tested = replay.tested;
    if let Some(only) = only {
        tested.retain(|plan, _| plan == only);
    }
    Ok(tested)
}

/// The journal, folded anew.
struct Replay {
    folder: Folder,
    growth: Growth,
    tested: BTreeMap<PlanId, Tested>,
}

impl Replay {
    fn take(&mut self, fact: &Fact) {
        let mut alarms = self.ledger_days(fact);
        self.growth.take(fact);
        alarms.extend(self.folder.take(fact));
        for alarm in alarms {
            let one = self.tested.entry(alarm.plan).or_default();
            *one.alarms.entry(alarm.finding.alert()).or_default() += 1;
            if let Finding::Growing { group, .. } = alarm.finding {
                one.ledger.entry(group).or_default().alarms += 1;
            }
        }
        for score in self.folder.take_scores() {
            self.tested.entry(score.plan).or_default().take(score.at.0, &score.what);
        }
    }

    /// Before a run begins: the days of its plan's ledger that are over by then.
    fn ledger_days(&mut self, fact: &Fact) -> Vec<Alarm> {
        let Event::RunOpened(head) = &fact.event else { return Vec::new() };
        let mut alarms = Vec::new();
        for day in self.folder.ledger_days(&head.plan, fact.at) {
            let moved = self.growth.day(&head.plan, &day);
            alarms.extend(self.folder.ledger_day(&head.plan, day.end, &moved));
            let ledger = &mut self.tested.entry(head.plan.clone()).or_default().ledger;
            for one in &moved {
                ledger.entry(one.group.clone()).or_default();
            }
            for (group, cause) in ledger.iter_mut() {
                let of_day = moved.iter().find(|one| one.group == *group);
                cause.day(of_day.map_or(0, |one| one.entered), of_day.map_or(0, |one| one.left));
            }
        }
        alarms
    }
}

impl Tested {
    fn take(&mut self, at: i64, what: &Scoring) {
        self.first = self.first.or(Some(at));
        self.last = at;
        match what {
            Scoring::Found { found, inside, gain, .. } => {
                self.runs += 1;
                self.inside += u32::from(*inside);
                self.gain += gain;
                // Monday is the fourth day of the epoch.
                let weekday = (at.div_euclid(DAY as i64) + 3).rem_euclid(7) < 5;
                let empty = *found == 0 && weekday;
                self.empty += u32::from(empty && !self.was_empty);
                self.was_empty = empty;
            }
            Scoring::Done(one) => {
                let off = |said: f64| (said - one.actual).abs() / one.actual.max(1.0);
                let held = one.range.map(|(low, high)| (low..=high).contains(&one.actual));
                let at = (one.at * 100.0).round() as u32;
                self.done.entry(at).or_default().push((off(one.predicted), off(one.baseline), held));
            }
        }
    }

    fn months(&self) -> f64 {
        (((self.last - self.first.unwrap_or(self.last)) as f64) / DAY / DAYS).max(1.0 / DAYS)
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn print(out: &Out, tested: &BTreeMap<PlanId, Tested>) -> Result<Exit, Stop> {
    if out.json {
        for (plan, one) in tested {
            out.object(&as_json(plan, one))?;
        }
        return Ok(Exit::Ok);
    }
    if tested.is_empty() {
        out.line(out.t("not enough runs to be scored", "运行次数不足，无法评估"))?;
        return Ok(Exit::Ok);
    }
    let head = [
        out.t("plan", "方案"),
        out.t("runs scored", "评估次数"),
        out.t("range held (90 %)", "范围成立（90 %）"),
        out.t("better by (nats)", "优于基准（nat）"),
        out.t("alarms / 30 days", "告警/30 天"),
        out.t("empty runs / 30 days", "空运行/30 天"),
    ];
    let row = |(plan, one): (&PlanId, &Tested)| {
        let per_month = |n: u32| format!("{:.2}", f64::from(n) / one.months());
        vec![
            plan.to_string(),
            one.runs.to_string(),
            format!("{:.3}", f64::from(one.inside) / f64::from(one.runs.max(1))),
            format!("{:+.3}", one.gain / f64::from(one.runs.max(1))),
            per_month(one.alarms.values().sum()),
            per_month(one.empty),
        ]
    };
    out.table(&head, tested.iter().map(row).collect())?;
    let head = [
        out.t("plan", "方案"),
        out.t("progress", "进度"),
        out.t("median error", "误差中位数"),
        out.t("of waiting / rate of late", "待处理/近期速率的误差"),
        out.t("range held (90 %)", "范围成立（90 %）"),
    ];
    let mut rows = Vec::new();
    for (plan, one) in tested {
        for (at, all) in &one.done {
            let held: Vec<bool> = all.iter().filter_map(|(_, _, held)| *held).collect();
            let share = held.iter().filter(|held| **held).count() as f64 / held.len().max(1) as f64;
            rows.push(vec![
                plan.to_string(),
                format!("{at} %"),
                format!("{:.3}", median(all.iter().map(|one| one.0))),
                format!("{:.3}", median(all.iter().map(|one| one.1))),
                if held.is_empty() { "–".to_owned() } else { format!("{share:.3} / {}", held.len()) },
            ]);
        }
    }
    if !rows.is_empty() {
        out.table(&head, rows)?;
    }
    print_ledger(out, tested)?;
    Ok(Exit::Ok)
}

/// The growth of the ledger by cause, where there ever was one.
fn print_ledger(out: &Out, tested: &BTreeMap<PlanId, Tested>) -> std::io::Result<()> {
    let head = [
        out.t("plan", "方案"),
        out.t("unresolved because of", "遗留原因"),
        out.t("came", "新增"),
        out.t("left", "减少"),
        out.t("growth told", "增长告警"),
        out.t("above 1.5 × a week ago", "超过一周前的 1.5 倍"),
    ];
    let mut rows = Vec::new();
    for (plan, one) in tested {
        for (group, cause) in &one.ledger {
            let counts = [cause.entered, cause.left, u64::from(cause.alarms), u64::from(cause.rule)];
            let names = [plan.to_string(), out.cause(group)];
            rows.push(names.into_iter().chain(counts.map(|n| n.to_string())).collect());
        }
    }
    if !rows.is_empty() {
        out.table(&head, rows)?;
    }
    Ok(())
}

fn as_json(plan: &PlanId, one: &Tested) -> serde_json::Value {
    let done: Vec<serde_json::Value> = one
        .done
        .iter()
        .map(|(at, all)| {
            let held: Vec<bool> = all.iter().filter_map(|(_, _, held)| *held).collect();
            serde_json::json!({
                "progress": at,
                "runs": all.len(),
                "median_error": median(all.iter().map(|one| one.0)),
                "baseline_median_error": median(all.iter().map(|one| one.1)),
                "ranges": held.len(),
                "held": held.iter().filter(|held| **held).count(),
            })
        })
        .collect();
    let ledger: Vec<serde_json::Value> = one
        .ledger
        .iter()
        .map(|(group, cause)| {
            serde_json::json!({
                "group": group,
                "entered": cause.entered,
                "left": cause.left,
                "alarms": cause.alarms,
                "baseline_alarms": cause.rule,
            })
        })
        .collect();
    serde_json::json!({
        "plan": plan.as_str(),
        "runs": one.runs,
        "inside": one.inside,
        "gain_nats": one.gain / f64::from(one.runs.max(1)),
        "months": one.months(),
        "alarms": one.alarms,
        "empty_runs": one.empty,
        "done": done,
        "ledger": ledger,
    })
}
