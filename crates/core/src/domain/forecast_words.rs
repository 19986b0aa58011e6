//! What is said about what is usual, in words: for verbs, alerts and screens alike.
//!
//! Invariant: a range or a count stands in every sentence; times and causes are worded by whoever shows them.

use std::cmp::Ordering;

use super::forecast::{DayKind, Finding, Forecaster, Found, Record, Standing, Usual};
use super::language::Language;
use super::time::Ts;

/// How whoever shows a sentence words what stands in it.
pub struct Says<'a> {
    /// Language.
    pub lang: Language,
    /// A moment.
    pub time: &'a dyn Fn(Ts) -> String,
    /// A cause, a skip or a way of not knowing, by its name.
    pub cause: &'a dyn Fn(&str) -> String,
}

/// What a forecaster is called.
pub fn forecaster(lang: Language, by: Forecaster) -> &'static str {
    match by {
        Forecaster::Found => lang.t("bills found by a run", "每次读到的张数"),
        Forecaster::Silence => lang.t("silence", "久无新单"),
        Forecaster::Drift => lang.t("volume over days", "连日单量"),
        Forecaster::FailureRate => lang.t("failure rate", "失败比例"),
        Forecaster::CallTime => lang.t("call time", "调用耗时"),
        Forecaster::Ledger => lang.t("growth of the ledger", "遗留增长"),
        Forecaster::Done => lang.t("when calls are done", "调用完成时间"),
    }
}

/// What kind of day it is.
pub fn day(lang: Language, day: DayKind) -> &'static str {
    match day {
        DayKind::Working => lang.t("working day", "工作日"),
        DayKind::MonthStart => lang.t("start of the month", "月初"),
        DayKind::MonthEnd => lang.t("end of the month", "月末"),
        DayKind::AfterBreak => lang.t("first days after a holiday", "假后首日"),
        DayKind::Weekend => lang.t("weekend", "周末"),
        DayKind::Holiday => lang.t("holiday", "节假日"),
    }
}

/// What a run usually finds: `usually 60–110 (working day)`.
pub fn usual(lang: Language, usual: &Usual) -> String {
    let Usual { low, high, .. } = usual;
    let (day, blind) = (day(lang, usual.day), usual.blind);
    match lang {
        Language::En => {
            let blind = if blind { ", holidays of this year unknown" } else { "" };
            format!("usually {low}–{high} ({day}{blind})")
        }
        Language::Zh => {
            let blind = if blind { "，日历中没有本年节假日" } else { "" };
            format!("通常 {low}–{high}（{day}{blind}）")
        }
    }
}

/// What was found, in a sentence.
pub fn finding(says: &Says<'_>, finding: &Finding) -> String {
    let since = (says.time)(finding.since());
    let en = says.lang == Language::En;
    match finding {
        Finding::Quiet { found, expected, runs, .. } if en => {
            format!("{found} found since {since} in {runs} runs, about {expected} expected")
        }
        Finding::Quiet { found, expected, runs, .. } => {
            format!("自 {since} 起 {runs} 次运行共读到 {found} 张，预计约 {expected} 张")
        }
        Finding::Busy { found, expected, runs, .. } if en => {
            format!("{found} found since {since} in {runs} runs, only about {expected} expected")
        }
        Finding::Busy { found, expected, runs, .. } => {
            format!("自 {since} 起 {runs} 次运行共读到 {found} 张，多于预计的约 {expected} 张")
        }
        Finding::Failing { permille, usual, .. } => {
            let percent = |permille: &u32| format!("{}.{} %", permille / 10, permille % 10);
            let (now, usual) = (percent(permille), percent(usual));
            if en {
                format!("{now} of the calls refused since {since}, usually {usual}")
            } else {
                format!("自 {since} 起 {now} 的调用失败，通常 {usual}")
            }
        }
        Finding::Slow { ms, usual, .. } if en => format!("a call takes {ms} ms since {since}, usually {usual} ms"),
        Finding::Slow { ms, usual, .. } => format!("自 {since} 起每次调用 {ms} 毫秒，通常 {usual} 毫秒"),
        Finding::Growing { group, entered, left, .. } => {
            let cause = (says.cause)(group);
            if en {
                format!("{cause}: {entered} became unresolved since {since}, {left} were settled")
            } else {
                format!("{cause}：自 {since} 起新增遗留 {entered} 张，减少 {left} 张")
            }
        }
    }
}

/// What the alert of a finding is called.
pub fn alert(lang: Language, finding: &Finding) -> &'static str {
    match finding {
        Finding::Quiet { .. } => lang.t("quiet", "久无新单"),
        Finding::Busy { .. } => lang.t("more than usual", "多于平常"),
        Finding::Failing { .. } => lang.t("fails more than usual", "失败多于平常"),
        Finding::Slow { .. } => lang.t("slower than usual", "慢于平常"),
        Finding::Growing { .. } => lang.t("growing", "持续增加"),
    }
}

/// A finding with who says it, and how often that was wrong.
pub fn found(says: &Says<'_>, found: &Found) -> String {
    let (what, by) = (finding(says, &found.finding), forecaster(says.lang, found.by));
    let (alarms, denied) = (found.alarms, found.denied);
    match says.lang {
        Language::En => format!("{what} [{by}; alarms in 30 days: {alarms}, said to be none: {denied}]"),
        Language::Zh => format!("{what}〔{by}；近 30 天告警 {alarms} 次，其中误报 {denied} 次〕"),
    }
}

/// The simple rule that a range is compared with.
fn rule(lang: Language, by: Forecaster) -> &'static str {
    match by {
        Forecaster::Done => lang.t("waiting / rate of late", "“待处理/近期速率”"),
        _ => lang.t("the mean of the same hour of the week", "“每周同一小时的均值”"),
    }
}

/// That the holidays of a year are not known, and what to do.
pub fn unknown_year(lang: Language, year: i32) -> String {
    match lang {
        Language::En => format!(
            "the holidays of {year} are in no calendar, only its weekends are known: install a newer Skydeck, or write them down \
             (calendar under [forecast])"
        ),
        Language::Zh => format!(
            "日历中没有 {year} 年的节假日，只知道周末：请安装新版 Skydeck，或自备日历（[forecast] 的 calendar）"
        ),
    }
}

/// How a forecaster did in the last 30 days; `None` where there was nothing to be right or wrong about.
pub fn record(lang: Language, by: Forecaster, record: &Record) -> Option<String> {
    let Record { asked, inside, gain, alarms, denied } = *record;
    let en = lang == Language::En;
    let mut parts = Vec::new();
    if asked > 0 {
        let than = rule(lang, by);
        // Less than a hundredth is chance.
        let order = if gain.abs() < 10 { Ordering::Equal } else { gain.cmp(&0) };
        parts.push(match (order, lang) {
            (Ordering::Greater, Language::En) => format!("range held in {inside} of {asked}, closer than {than}"),
            (Ordering::Less, Language::En) => format!("range held in {inside} of {asked}, not as close as {than}"),
            (Ordering::Equal, Language::En) => format!("range held in {inside} of {asked}, as close as {than}"),
            (Ordering::Greater, Language::Zh) => format!("范围成立 {inside}/{asked}，比{than}更准"),
            (Ordering::Less, Language::Zh) => format!("范围成立 {inside}/{asked}，不如{than}准"),
            (Ordering::Equal, Language::Zh) => format!("范围成立 {inside}/{asked}，与{than}一样准"),
        });
    }
    if alarms > 0 {
        parts.push(if en {
            format!("alarms {alarms}, said to be none {denied}")
        } else {
            format!("告警 {alarms} 次，其中误报 {denied} 次")
        });
    }
    let days = lang.t("last 30 days: ", "近 30 天：");
    (!parts.is_empty()).then(|| format!("{days}{}", parts.join(lang.t("; ", "；"))))
}

/// Of a plan that never ran.
pub fn nothing_yet(lang: Language) -> &'static str {
    lang.t(
        "nothing is known yet: what is usual is learned from this plan's own runs",
        "尚无推测：通常情况从此方案自己的运行中学习",
    )
}

/// Whether a forecaster speaks, and why not.
pub fn standing(lang: Language, standing: Standing) -> String {
    match (standing, lang) {
        (Standing::Speaks, _) => lang.t("speaks", "已启用").to_owned(),
        (Standing::Learning { runs, of, days, of_days }, _) => {
            let part = |n, of, en: &str, zh: &str| match lang {
                Language::En => format!("{n} of {of} {en}"),
                Language::Zh => format!("{n}/{of} {zh}"),
            };
            let mut parts = Vec::new();
            if of > 0 {
                parts.push(part(runs, of, "runs", "次"));
            }
            if of_days > 0 {
                parts.push(part(days, of_days, "days", "天"));
            }
            format!("{}{}", lang.t("learning: ", "数据积累中："), parts.join(lang.t(", ", "，")))
        }
        (Standing::NotBetter, _) => lang
            .t(
                "silent: so far no better than the mean of the same hour of the week",
                "未启用：总体不优于“每周同一小时的均值”",
            )
            .to_owned(),
        (Standing::TooManyAlarms { said }, Language::En) => {
            format!("silent: {said} of its alarms in 30 days were said to be none")
        }
        (Standing::TooManyAlarms { said }, Language::Zh) => format!("未启用：近 30 天有 {said} 次告警被标为误报"),
        (Standing::OffRange { inside }, Language::En) => {
            format!("silent: its range held in {} % of the cases, 90 % are promised", inside / 10)
        }
        (Standing::OffRange { inside }, Language::Zh) => {
            format!("未启用：范围在 {} % 的情况下成立，应为 90 %", inside / 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_say_numbers_and_since_when_in_both_languages() {
        let time = |at: Ts| format!("T{}", at.0);
        let cause = |name: &str| name.to_uppercase();
        let all = [
            Finding::Quiet { since: Ts(7), found: 0, expected: 41, runs: 3 },
            Finding::Busy { since: Ts(7), found: 90, expected: 41, runs: 3 },
            Finding::Failing { since: Ts(7), permille: 241, usual: 60 },
            Finding::Slow { since: Ts(7), ms: 900, usual: 400 },
            Finding::Growing { since: Ts(7), group: "stock".into(), entered: 12, left: 2 },
        ];
        for one in &all {
            for lang in [Language::En, Language::Zh] {
                let says = Says { lang, time: &time, cause: &cause };
                let said = found(&says, &Found { by: Forecaster::Drift, finding: one.clone(), denied: 1, alarms: 4 });
                assert!(said.contains("T7") && said.contains('4') && !alert(lang, one).is_empty(), "{said}");
            }
        }
        let says = Says { lang: Language::En, time: &time, cause: &cause };
        assert_eq!(finding(&says, &all[0]), "0 found since T7 in 3 runs, about 41 expected");
        assert_eq!(finding(&says, &all[2]), "24.1 % of the calls refused since T7, usually 6.0 %");
        assert!(finding(&says, &all[4]).starts_with("STOCK: 12"));
        let learning = Standing::Learning { runs: 41, of: 60, days: 10, of_days: 10 };
        assert_eq!(standing(Language::En, learning), "learning: 41 of 60 runs, 10 of 10 days");
        assert_eq!(standing(Language::Zh, learning), "数据积累中：41/60 次，10/10 天");
        let did = Record { asked: 180, inside: 162, gain: -35, alarms: 2, denied: 1 };
        let said = record(Language::En, Forecaster::Found, &did).unwrap();
        assert_eq!(
            said,
            "last 30 days: range held in 162 of 180, not as close as the mean of the same hour of the week; alarms 2, said to be none 1"
        );
        let of = |lang, gain| record(lang, Forecaster::Done, &Record { gain, alarms: 0, ..did }).unwrap();
        assert_eq!(of(Language::En, 120), "last 30 days: range held in 162 of 180, closer than waiting / rate of late");
        assert_eq!(of(Language::En, -9), "last 30 days: range held in 162 of 180, as close as waiting / rate of late");
        assert_eq!(of(Language::Zh, -120), "近 30 天：范围成立 162/180，不如“待处理/近期速率”准");
        assert_eq!(of(Language::Zh, 10), "近 30 天：范围成立 162/180，比“待处理/近期速率”更准");
        assert_eq!(record(Language::En, Forecaster::Silence, &Record::default()), None, "nothing to say");
        for lang in [Language::En, Language::Zh] {
            assert!(unknown_year(lang, 2027).contains("2027") && unknown_year(lang, 2027).contains("[forecast]"));
        }
        let range = Usual { low: 60, mean: 85, high: 110, day: DayKind::MonthEnd, blind: true };
        assert_eq!(usual(Language::Zh, &range), "通常 60–110（月末，日历中没有本年节假日）");
    }
}
