//! What no run reports: a plan that was due and did not run, one that has been quiet for too long.
//!
//! Invariant: each is told once, as long as it stands; nothing is asked while nothing happens and nothing is due.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::words::Message;
use crate::domain::event::Fact;
use crate::domain::forecast::{Finding, Forecasts, Found};
use crate::domain::forecast_words::{self, Says};
use crate::domain::ids::PlanId;
use crate::domain::language::Language;
use crate::domain::run::RunState;
use crate::domain::time::Ts;
use crate::domain::today::Silent;
use crate::domain::transition::{Change, transition};
use crate::text::{markdown_safe, show};

/// Longest sentence quoted, bytes.
const LONGEST: usize = 300;
/// What is known of a run is asked so long after it was told: who follows the facts reads them a moment later.
const SOON: Duration = Duration::from_secs(3);
/// A run that begins so long after its due time is late.
const LATE: Duration = Duration::from_secs(10 * 60 + 5);
/// As long as the past is still being read, it is asked again so often.
const AGAIN: Duration = Duration::from_secs(60);

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

    fn key(&self) -> (PlanId, &'static str, Ts) {
        match self {
            Self::Missed(plan, missed) => (plan.clone(), "missed", missed.since),
            Self::Found(plan, found) => (plan.clone(), found.finding.alert(), found.finding.since()),
        }
    }
}

/// Whoever looks ahead for people elsewhere.
#[derive(Debug)]
pub struct Lookout {
    told: HashSet<(PlanId, &'static str, Ts)>,
    look: Option<Ts>,
}

impl Lookout {
    /// What stands at the beginning is told, too.
    pub fn new(now: Ts) -> Self {
        Self { told: HashSet::new(), look: Some(now.plus(SOON)) }
    }

    /// Takes facts in: after a run read or ended there may be something to tell.
    pub fn facts(&mut self, facts: &[Fact], now: Ts) {
        let is_news = |fact: &Fact| {
            let change = transition(&fact.event);
            matches!(change, Change::Run { to: RunState::AwaitingApproval | RunState::Closed(_), .. })
        };
        if facts.iter().any(is_news) {
            self.look_at(now.plus(SOON));
        }
    }

    fn look_at(&mut self, at: Ts) {
        self.look = Some(self.look.map_or(at, |look| look.min(at)));
    }

    /// How long nothing is to be asked; `None`: for ever.
    pub fn idle_for(&self, now: Ts) -> Option<Duration> {
        self.look.map(|look| look.since(now))
    }

    /// Whether it is time to ask.
    pub fn is_due(&self, now: Ts) -> bool {
        self.look.is_some_and(|look| look <= now)
    }

    /// The engine did not answer: later.
    pub fn unanswered(&mut self, now: Ts) {
        self.look = Some(now.plus(AGAIN));
    }

    /// Takes what stands; gives what nobody was told yet.
    pub fn see(&mut self, said: &Forecasts, now: Ts) -> Vec<Unusual> {
        self.look = said.plans.iter().filter_map(|plan| plan.due).min().map(|due| due.plus(LATE));
        if said.behind.is_some() {
            self.look_at(now.plus(AGAIN));
        }
        let mut stands: Vec<Unusual> = Vec::new();
        for plan in &said.plans {
            stands.extend(plan.missed.map(|missed| Unusual::Missed(plan.plan.clone(), missed)));
            let quiet = plan.found.iter().filter(|found| matches!(found.finding, Finding::Quiet { .. }));
            stands.extend(quiet.map(|found| Unusual::Found(plan.plan.clone(), found.clone())));
        }
        let keys: HashSet<_> = stands.iter().map(Unusual::key).collect();
        self.told.retain(|key| keys.contains(key));
        stands.retain(|one| self.told.insert(one.key()));
        stands
    }
}

/// A message of what nobody was told yet.
pub fn message(tongue: Language, items: &[Unusual], label: &dyn Fn(&str) -> String, host: &str) -> Message {
    let title = match (tongue, items.len()) {
        (Language::En, 1) => "Skydeck: 1 plan is unusual".to_owned(),
        (Language::En, n) => format!("Skydeck: {n} plans are unusual"),
        (Language::Zh, n) => format!("Skydeck：{n} 个方案与平常不同"),
    };
    let (mut text, mut markdown) = (format!("{title}\n"), format!("### {title}\n"));
    for item in items {
        let (line, advice) = said(tongue, item, label);
        let _ = writeln!(text, "\n{line}\n  {advice}");
        let _ = writeln!(markdown, "\n**{}**\n\n- {}", markdown_safe(&line), markdown_safe(advice));
    }
    let _ = writeln!(text, "\n{} {host}", tongue.t("host", "主机"));
    let _ = writeln!(markdown, "\n{} {}", tongue.t("host", "主机"), markdown_safe(host));
    // In the text of a chat `<at …>` calls people: words from outside call nobody.
    let text = text.replace('<', "＜");
    let list: Vec<Value> = items.iter().map(as_json).collect();
    let json = json!({"version": 1, "product": "skydeck", "host": host, "title": title, "text": text, "items": list});
    Message { title, text, markdown, json }
}

fn as_json(item: &Unusual) -> Value {
    match item {
        Unusual::Missed(plan, missed) => {
            json!({"what": "missed", "plan": plan, "since_ms": missed.since, "times": missed.times})
        }
        Unusual::Found(plan, found) => {
            json!({"what": found.finding.alert(), "plan": plan, "since_ms": found.finding.since(),
                "by": found.by.word(), "finding": found.finding, "alarms": found.alarms, "denied": found.denied})
        }
    }
}

/// The line of one item, and what to do about it.
fn said(tongue: Language, item: &Unusual, label: &dyn Fn(&str) -> String) -> (String, &'static str) {
    let plan = show(item.plan().as_str(), LONGEST);
    let colon = tongue.t(": ", "：");
    match item {
        Unusual::Missed(_, missed) => {
            let (since, times) = (local(missed.since), missed.times);
            let what = match tongue {
                Language::En => format!("did not run, due {times} times since {since}"),
                Language::Zh => format!("未按时运行，自 {since} 起到期 {times} 次"),
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
            let advice = tongue.t(
                "Likely, not certain: see whether bills are still entered and whether the plan's filter still finds them",
                "仅为推测：请查看业务是否仍在录单，以及方案的过滤条件是否仍能读到单据",
            );
            (format!("{}{colon}{alert} · {}", plan.as_str(), sentence.as_str()), advice)
        }
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

    fn quiet(since: i64) -> Found {
        let finding = Finding::Quiet { since: Ts(since), found: 0, expected: 41, runs: 2 };
        Found { by: Forecaster::Silence, finding, denied: 0, alarms: 1 }
    }

    fn said_of(found: Vec<Found>, missed: Option<Silent>) -> Forecasts {
        let plan =
            PlanForecast { plan: PlanId::new("p"), found, missed, due: Some(Ts(60_000)), ..PlanForecast::default() };
        Forecasts { behind: None, plans: vec![plan] }
    }

    #[test]
    fn each_is_told_once_and_again_when_it_began_anew() {
        let mut lookout = Lookout::new(Ts(0));
        assert!(!lookout.is_due(Ts(0)) && lookout.is_due(Ts(3_000)), "a moment after the start");
        let missed = Some(Silent { since: Ts(5), times: 1 });
        assert_eq!(lookout.see(&said_of(vec![quiet(7)], missed), Ts(3_000)).len(), 2);
        assert_eq!(lookout.idle_for(Ts(60_000)), Some(LATE), "next when the next run would be late");
        let still = Some(Silent { since: Ts(5), times: 2 });
        assert_eq!(lookout.see(&said_of(vec![quiet(7)], still), Ts(4_000)), []);
        assert_eq!(lookout.see(&said_of(Vec::new(), None), Ts(5_000)), []);
        assert_eq!(lookout.see(&said_of(vec![quiet(9)], None), Ts(6_000)).len(), 1);
        let drift = Finding::Slow { since: Ts(1), ms: 9, usual: 3 };
        let drift = Found { by: Forecaster::CallTime, finding: drift, denied: 0, alarms: 0 };
        assert_eq!(lookout.see(&said_of(vec![drift], None), Ts(7_000)), [], "that is for the screen");
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
            let message = message(tongue, &items, &|name| name.to_owned(), "h");
            for word in words {
                assert!(message.text.contains(word), "{word}: {}", message.text);
            }
            assert!(!message.text.contains('<'));
            assert_eq!(message.json["items"][1]["finding"]["expected"], 41);
        }
    }
}
