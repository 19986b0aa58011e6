//! What no run reports: a plan that was due and did not run, one that has been quiet for too long.
//!
//! Invariant: each is told once, as long as it stands; nothing is asked while nothing happens and nothing is due.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::words::Message;
use crate::domain::forecast::{Finding, Forecasts, Found};
use crate::domain::forecast_words::{self, Says};
use crate::domain::ids::PlanId;
use crate::domain::language::Language;
use crate::domain::time::Ts;
use crate::domain::today::Silent;
use crate::text::{markdown_safe, show};

/// Longest sentence quoted, bytes.
const LONGEST: usize = 300;
/// What is asked first is asked so long after the start: who follows the facts reads them meanwhile.
const SOON: Duration = Duration::from_secs(3);
/// A run that begins so long after its due time is late.
const LATE: Duration = Duration::from_secs(10 * 60 + 5);
/// As long as the past is still being read, it is asked again so often.
const AGAIN: Duration = Duration::from_secs(60);
/// Looks lie so far apart at least, in milliseconds: of a schedule that is due every second none is owed more.
const STEP: i64 = 5_000;

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusual {
    /// It was due and did not run.
    Missed(PlanId, Silent),
    /// Something stands out from what is usual.
    Found(PlanId, Found),
}

impl Unusual {
    fn plan(&self) -> &PlanId {
        match self {
            Self::Missed(plan, _) | Self::Found(plan, _) => plan,
        }
    }

    /// What the same thing is called on every machine.
    pub fn text(&self) -> String {
        let (plan, what, since) = self.key();
        format!("{what} {plan} {}", since.0)
    }

    fn key(&self) -> (PlanId, &'static str, Ts) {
        match self {
            Self::Missed(plan, missed) => (plan.clone(), "missed", missed.since),
            Self::Found(plan, found) => (plan.clone(), found.finding.alert(), found.finding.since()),
        }
    }
}

/// What is told besides runs that are missed and plans that are quiet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Also {
    /// More bills than usual, more refusals, slower calls.
    pub drift: bool,
    /// Unresolved bills that become more.
    pub growing: bool,
}

impl Also {
    fn tells(self, found: &Found) -> bool {
        match found.finding.alert() {
            "drift" => self.drift,
            "growing" => self.growing,
            _ => true,
        }
    }
}

/// Whoever looks ahead for people elsewhere.
#[derive(Debug)]
pub struct Lookout {
    also: Also,
    told: HashSet<(PlanId, &'static str, Ts)>,
    /// When to look. One that was planned stays, whatever is looked at before it.
    looks: BTreeSet<Ts>,
}

impl Lookout {
    /// What stands at the beginning is told, too.
    pub fn new(now: Ts, also: Also) -> Self {
        Self { also, told: HashSet::new(), looks: BTreeSet::from([now.plus(SOON)]) }
    }

    /// Looks at a moment.
    pub fn look_at(&mut self, at: Ts) {
        self.looks.insert(at);
    }

    /// Looks a moment later than this.
    fn look_after(&mut self, at: Ts) {
        self.looks.insert(Ts(at.0.saturating_add(STEP - 1).div_euclid(STEP) * STEP));
    }

    /// How long nothing is to be asked; `None`: for ever.
    pub fn idle_for(&self, now: Ts) -> Option<Duration> {
        self.looks.first().map(|look| look.since(now))
    }

    /// Whether it is time to ask.
    pub fn is_due(&self, now: Ts) -> bool {
        self.looks.first().is_some_and(|look| *look <= now)
    }

    /// It was looked at this moment.
    fn looked(&mut self, now: Ts) {
        self.looks.retain(|look| *look > now);
    }

    /// The engine did not answer: later.
    pub fn unanswered(&mut self, now: Ts) {
        self.looked(now);
        self.look_at(now.plus(AGAIN));
    }

    /// Takes what stands; gives what nobody was told yet.
    pub fn see(&mut self, said: &Forecasts, now: Ts) -> Vec<Unusual> {
        self.looked(now);
        for due in said.plans.iter().filter_map(|plan| plan.due) {
            self.look_after(due.plus(LATE));
            // Of a plan that is due before that once more the time after this one is asked for.
            if due < now.plus(LATE) {
                self.look_after(due.plus(SOON));
            }
        }
        if said.behind.is_some() {
            self.look_at(now.plus(AGAIN));
        }
        let mut stands: Vec<Unusual> = Vec::new();
        for plan in &said.plans {
            stands.extend(plan.missed.map(|missed| Unusual::Missed(plan.plan.clone(), missed)));
            let told = plan.found.iter().filter(|found| self.also.tells(found));
            stands.extend(told.map(|found| Unusual::Found(plan.plan.clone(), found.clone())));
        }
        let keys: HashSet<_> = stands.iter().map(Unusual::key).collect();
        self.told.retain(|key| keys.contains(key));
        stands.retain(|one| self.told.insert(one.key()));
        stands
    }
}

/// What plans are called, where their files can be read.
pub type Names = BTreeMap<PlanId, String>;

/// A message of what nobody was told yet.
pub fn message(
    tongue: Language,
    items: &[Unusual],
    (names, label): (&Names, &dyn Fn(&str) -> String),
    host: &str,
) -> Message {
    let title = match (tongue, items.len()) {
        (Language::En, 1) => "Skydeck: 1 plan is unusual".to_owned(),
        (Language::En, n) => format!("Skydeck: {n} plans are unusual"),
        (Language::Zh, n) => format!("Skydeck：{n} 个方案与平常不同"),
    };
    let (mut text, mut markdown) = (format!("{title}\n"), format!("### {title}\n"));
    for item in items {
        let (line, advice) = said(tongue, item, (names, label));
        let _ = writeln!(text, "\n{line}\n  {advice}");
        let _ = writeln!(markdown, "\n**{}**\n\n- {}", markdown_safe(&line), markdown_safe(advice));
    }
    let _ = writeln!(text, "\n{} {host}", tongue.t("host", "主机"));
    let _ = writeln!(markdown, "\n{} {}", tongue.t("host", "主机"), markdown_safe(host));
    // In the text of a chat `<at …>` calls people: words from outside call nobody.
    let text = text.replace('<', "＜");
    let list: Vec<Value> = items.iter().map(|item| as_json(item, names)).collect();
    let json = json!({"version": 1, "product": "skydeck", "host": host, "title": title, "text": text, "items": list});
    Message { title, text, markdown, json }
}

fn as_json(item: &Unusual, names: &Names) -> Value {
    let name = called(item.plan(), names);
    match item {
        Unusual::Missed(plan, missed) => {
            json!({"what": "missed", "plan": plan, "name": name, "since_ms": missed.since, "times": missed.times})
        }
        Unusual::Found(plan, found) => {
            json!({"what": found.finding.alert(), "plan": plan, "name": name, "since_ms": found.finding.since(),
                "by": found.by.word(), "finding": found.finding, "alarms": found.alarms, "denied": found.denied})
        }
    }
}

/// What people call a plan; its id where its file cannot be read.
fn called<'a>(plan: &'a PlanId, names: &'a Names) -> &'a str {
    names.get(plan).map_or(plan.as_str(), String::as_str)
}

/// The line of one item, and what to do about it.
fn said(tongue: Language, item: &Unusual, (names, label): (&Names, &dyn Fn(&str) -> String)) -> (String, &'static str) {
    let plan = show(called(item.plan(), names), LONGEST);
    let colon = tongue.t(": ", "：");
    match item {
        Unusual::Missed(_, missed) => {
            let (since, times) = (local(missed.since), tongue.times(missed.times));
            let what = match tongue {
                Language::En => format!("did not run, due {times} since {since}"),
                Language::Zh => format!("未按时运行，自 {since} 起到期 {times}"),
            };
            let advice = tongue.t(
                "See whether the engine runs, and the plan's schedule in skydeck",
                "请查看引擎是否在运行，以及 skydeck 中该方案的定时设置",
            );
            (format!("{}{colon}{what}", plan.as_str()), advice)
        }
        Unusual::Found(_, found) => {
            let says = Says { lang: tongue, time: &local, cause: label };
            let words = forecast_words::found(&says, found);
            let sentence = show(&words, LONGEST);
            let alert = forecast_words::alert(tongue, &found.finding);
            let advice = advice(tongue, &found.finding);
            (format!("{}{colon}{alert} · {}", plan.as_str(), sentence.as_str()), advice)
        }
    }
}

/// What to do about a finding.
fn advice(tongue: Language, finding: &Finding) -> &'static str {
    match finding {
        Finding::Quiet { .. } => tongue.t(
            "Likely, not certain: see whether bills are still entered and whether the plan's filter still finds them",
            "仅为推测：请查看业务是否仍在录单，以及方案的过滤条件是否仍能读到单据",
        ),
        Finding::Busy { .. } => tongue.t(
            "Likely, not certain: see whether the plan's filter finds bills that it should not",
            "仅为推测：请查看方案的过滤条件是否读到了不该读的单据",
        ),
        Finding::Failing { .. } => tongue.t(
            "Likely, not certain: the ledger in skydeck says which causes became more",
            "仅为推测：请在 skydeck 的遗留清单中查看哪些原因变多",
        ),
        Finding::Slow { .. } => {
            tongue.t("Likely, not certain: see how busy the ERP's server is", "仅为推测：请查看 ERP 服务器的负载")
        }
        Finding::Growing { .. } => tongue.t(
            "Likely, not certain: the ledger in skydeck says who can cure this cause",
            "仅为推测：请在 skydeck 的遗留清单中查看该原因由谁处理",
        ),
    }
}

/// A moment on the clock of this machine, with its zone: the message is read elsewhere.
fn local(at: Ts) -> String {
    let local = chrono::DateTime::from_timestamp_millis(at.0).map(|utc| utc.with_timezone(&chrono::Local));
    local.map(|at| at.format("%m-%d %H:%M %:z").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::forecast::{Forecaster, PlanForecast};

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    /// Follows plans that are due every so many minutes, and at which of them nobody runs, for a day; something else happens
    /// every so many minutes, too. Gives how long after its time each first miss was told.
    fn told_after(every: &[i64], missed: &dyn Fn(usize, i64) -> bool, news: i64) -> Vec<i64> {
        let (mut lookout, mut after) = (Lookout::new(Ts(0), Also::default()), Vec::new());
        let mut asked = 0;
        for now in (0..24 * HOUR).step_by(1000) {
            if now % (news * MINUTE) == 0 {
                lookout.look_at(Ts(now));
            }
            if !lookout.is_due(Ts(now)) {
                continue;
            }
            asked += 1;
            let plan = |(n, minutes): (usize, &i64)| {
                let step = minutes * MINUTE;
                let is_late = |due: &i64| due + 10 * MINUTE <= now;
                // The first one after the last that ran.
                let ran = (1..=now / step).map(|n| n * step).rfind(|due| !missed(n, *due));
                let since = ran.unwrap_or(0) + step;
                let silent = is_late(&since).then_some(Silent { since: Ts(since), times: 1 });
                let due = Some(Ts((now / step + 1) * step));
                PlanForecast { plan: PlanId::new(n.to_string()), missed: silent, due, ..PlanForecast::default() }
            };
            let plans = every.iter().enumerate().map(plan).collect();
            for told in lookout.see(&Forecasts { plans, ..Forecasts::default() }, Ts(now)) {
                let Unusual::Missed(_, silent) = told else { panic!("{told:?}") };
                after.push(now - silent.since.0);
            }
        }
        assert!(asked < 24 * 60, "{asked} questions a day");
        after
    }

    #[test]
    fn a_missed_run_is_told_as_soon_as_it_is_late_whatever_else_is_looked_at() {
        let most = i64::try_from(LATE.as_millis()).unwrap() + STEP;
        // Two plans whose times lie apart; news in between; one that is due more often than a run may be late.
        let day_off = |n: usize, due: i64| n == 0 && (8 * HOUR..11 * HOUR).contains(&due);
        for (every, news) in [(vec![60, 47], 1440), (vec![60], 7), (vec![5], 1440), (vec![60, 5, 11], 13)] {
            let after = told_after(&every, &day_off, news);
            assert!(!after.is_empty() && after.iter().all(|ms| *ms <= most), "{every:?}, news every {news}: {after:?}");
            assert_eq!(after.len(), 1, "{every:?}: once");
        }
    }

    fn quiet(since: i64) -> Found {
        let finding = Finding::Quiet { since: Ts(since), found: 0, expected: 41, runs: 2 };
        Found { by: Forecaster::Silence, finding, denied: 0, alarms: 1 }
    }

    fn said_of(found: Vec<Found>, missed: Option<Silent>) -> Forecasts {
        let plan =
            PlanForecast { plan: PlanId::new("p"), found, missed, due: Some(Ts(HOUR)), ..PlanForecast::default() };
        Forecasts { plans: vec![plan], ..Forecasts::default() }
    }

    #[test]
    fn each_is_told_once_and_again_when_it_began_anew() {
        let mut lookout = Lookout::new(Ts(0), Also::default());
        assert!(!lookout.is_due(Ts(0)) && lookout.is_due(Ts(3_000)), "a moment after the start");
        let missed = Some(Silent { since: Ts(5), times: 1 });
        assert_eq!(lookout.see(&said_of(vec![quiet(7)], missed), Ts(3_000)).len(), 2);
        assert_eq!(lookout.idle_for(Ts(HOUR)), Some(LATE), "next when the next run would be late");
        let still = Some(Silent { since: Ts(5), times: 2 });
        assert_eq!(lookout.see(&said_of(vec![quiet(7)], still), Ts(4_000)), []);
        assert_eq!(lookout.see(&said_of(Vec::new(), None), Ts(5_000)), []);
        assert_eq!(lookout.see(&said_of(vec![quiet(9)], None), Ts(6_000)).len(), 1);
        let drift = Finding::Slow { since: Ts(1), ms: 9, usual: 3 };
        let drift = Found { by: Forecaster::CallTime, finding: drift, denied: 0, alarms: 0 };
        assert_eq!(lookout.see(&said_of(vec![drift.clone()], None), Ts(7_000)), [], "that is for the screen");
        let mut lookout = Lookout::new(Ts(0), Also { drift: true, growing: false });
        let grows = Finding::Growing { since: Ts(2), group: "stock".into(), entered: 9, left: 1 };
        let grows = Found { by: Forecaster::Ledger, finding: grows, denied: 0, alarms: 0 };
        let told = lookout.see(&said_of(vec![drift.clone(), grows], None), Ts(8_000));
        assert_eq!(told, [Unusual::Found(PlanId::new("p"), drift)], "what is wished for, and no more");
    }

    #[test]
    fn words_say_plan_numbers_and_what_to_do() {
        let items = [
            Unusual::Missed(PlanId::new("p"), Silent { since: Ts(5), times: 3 }),
            Unusual::Found(PlanId::new("q<"), quiet(7)),
        ];
        for (tongue, words) in [
            (Language::En, ["did not run, due 3 times", "0 found since", "about 41 expected", "said to be none: 0"]),
            (Language::Zh, ["未按时运行", "到期 3 次", "预计约 41 张", "误报 0 次"]),
        ] {
            let names = Names::from([(PlanId::new("p"), "出库审核<华东>".to_owned())]);
            let message = message(tongue, &items, (&names, &|name| name.to_owned()), "h");
            assert!(message.text.contains("\n出库审核＜华东>") && message.text.contains("\nq＜"), "{}", message.text);
            assert_eq!(
                (&message.json["items"][0]["name"], &message.json["items"][1]["name"]),
                (&json!("出库审核<华东>"), &json!("q<"))
            );
            for word in words {
                assert!(message.text.contains(word), "{word}: {}", message.text);
            }
            assert!(!message.text.contains('<'));
            assert_eq!(message.json["items"][1]["finding"]["expected"], 41);
        }
    }
}
