//! What stands before the bills of a report: what it is of, its sums by cause, who acts, and what changed since the last one.

use chrono::NaiveDateTime;

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::group_words;
use skydeck_core::domain::language::Language;
use skydeck_core::domain::operation_words;
use skydeck_core::domain::query::Scope;
use skydeck_core::domain::run::RunRow;

use super::columns::local;
use super::gather::Gathered;
use super::{About, Report};
use crate::row::date;
use crate::style::Style;

/// The beginning of a report.
pub(super) struct Summary {
    pub title: &'static str,
    /// What it is of, when and where it was made: names and texts.
    pub about: Vec<(&'static str, String)>,
    /// Bills.
    pub total: u64,
    /// When the last report of the same was made.
    pub last: Option<String>,
    /// By cause, in the order of the gathered groups.
    pub lines: Vec<Line>,
    /// Causes of the last report that have no bill any more, and how many they had.
    pub gone: Vec<(String, u64)>,
}

/// One cause.
pub(super) struct Line {
    pub label: String,
    pub outcome: &'static str,
    pub count: u64,
    pub oldest: Option<NaiveDateTime>,
    pub who: &'static str,
    pub advice: String,
    /// Since the last report.
    pub change: Option<Change>,
}

/// What became of a cause since the last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Bills it had then.
    pub was: u64,
    /// Bills that came since.
    pub came: u64,
    /// Bills that left since.
    pub left: u64,
}

impl Change {
    fn of(was: u64, came: u64, now: u64) -> Self {
        Self { was, came, left: (was + came).saturating_sub(now) }
    }
}

impl Summary {
    pub fn of(gathered: &Gathered, About { wanted, run, last, style }: About<'_>) -> Self {
        let lines = gathered.groups.iter().map(|group| {
            let (advice, who) = group.advice(style).unwrap_or_default();
            let was = last.map(|last| last.groups.get(&group.code()).copied().unwrap_or(0));
            Line {
                label: group.label(style),
                outcome: group.outcome(style.lang),
                count: group.count,
                oldest: group.oldest.and_then(|at| local(at, &style.zone)),
                who,
                advice,
                change: was.map(|was| Change::of(was, group.new, group.count)),
            }
        });
        let is_gone = |code: &str| gathered.groups.iter().all(|group| group.code() != code);
        let gone = last.iter().flat_map(|last| &last.groups).filter(|(code, _)| is_gone(code));
        Self {
            title: style.lang.t("Skydeck report", "Skydeck 运行报告"),
            about: about(wanted, run, style),
            total: gathered.total,
            last: last.map(|last| date(last.at, &style.zone)),
            lines: lines.collect(),
            gone: gone.map(|(code, n)| (label_of(code, style), *n)).collect(),
        }
    }

    /// `12 bills`.
    pub fn total(&self, lang: Language) -> String {
        lang.t(operation_words::bills_en(&self.total.to_string()), format!("共 {} 张", self.total))
    }

    /// What changed since the last report, in one sentence; none for the first one.
    pub fn changed(&self, lang: Language) -> Option<String> {
        let last = self.last.as_ref()?;
        let sum = |n: fn(&Change) -> u64| self.lines.iter().filter_map(|line| line.change.as_ref()).map(n).sum::<u64>();
        let (came, left) = (sum(|change| change.came), sum(|change| change.left));
        let left = left + self.gone.iter().map(|(_, n)| n).sum::<u64>();
        let mut text = match lang {
            Language::En => format!("since the last report ({last}): {came} came, {left} left"),
            Language::Zh => format!("自上次报告（{last}）：新增 {came} 张，减少 {left} 张"),
        };
        if !self.gone.is_empty() {
            let gone: Vec<String> = self.gone.iter().map(|(label, n)| format!("{label} {n}")).collect();
            text.push_str(lang.t("; no longer there: ", "；已清空："));
            text.push_str(&gone.join(lang.t(", ", "、")));
        }
        Some(text)
    }
}

impl Line {
    /// `库存不足` or `失败：库存不足`, where the one does not say the other.
    pub fn heading(&self, lang: Language) -> String {
        if self.label == self.outcome {
            return self.label.clone();
        }
        format!("{}{}{}", self.outcome, lang.t(": ", "："), self.label)
    }

    /// Who acts and what to do; empty where nothing is to be done.
    pub fn to_do(&self, lang: Language) -> String {
        match (self.who, lang) {
            ("", _) => String::new(),
            (who, Language::En) => format!("{who}: {}", self.advice),
            (who, Language::Zh) => format!("由{who}处理：{}", self.advice),
        }
    }
}

/// A cause of an earlier report, of which there is no bill to ask.
fn label_of(code: &str, style: &Style) -> String {
    let (slot, name) = code.split_once('/').unwrap_or((code, ""));
    let slot = Slot::ALL.into_iter().find(|known| known.code() == slot);
    match (slot, name) {
        (Some(slot), "") => operation_words::of_any().column(style.lang, slot).to_owned(),
        (Some(slot), name) => group_words::label(&style.causes, style.lang, slot, name),
        (None, _) => style.lang.t("not approved", "未批准").to_owned(),
    }
}

fn about(wanted: &Report, run: Option<&RunRow>, style: &Style) -> Vec<(&'static str, String)> {
    let lang = style.lang;
    let of = match (wanted.scope, run) {
        (Scope::Run(id), None) => format!("{} {id}", lang.t("run", "运行")),
        (Scope::Run(id), Some(row)) => format!("{} · {id}", row.head.name),
        (Scope::Ledger, _) => lang.t("unresolved bills", "遗留清单").to_owned(),
        (Scope::History, _) => lang.t("bills of all runs", "全部运行的单据").to_owned(),
    };
    let mut about = vec![(lang.t("of", "范围"), of)];
    if !wanted.typed.trim().is_empty() {
        about.push((lang.t("filter", "过滤"), wanted.typed.trim().to_owned()));
    }
    if let Some(row) = run {
        about.push((lang.t("environment", "环境"), row.head.env.to_string()));
        let started = format!("{} · {}", date(row.head.opened, &style.zone), row.head.by.said(lang));
        about.push((lang.t("started", "开始"), started));
        let ended = row.closed.map(|at| date(at, &style.zone));
        about.push((lang.t("ended", "结束"), ended.unwrap_or_else(|| lang.t("not yet", "尚未结束").to_owned())));
    }
    let made = format!("{}{}{}", date(style.now, &style.zone), lang.t(", zone ", "，时区 "), style.zone.name());
    about.push((lang.t("written", "生成时间"), made));
    about
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_left_is_what_was_there_and_what_came_without_what_is_there() {
        assert_eq!(Change::of(10, 3, 8), Change { was: 10, came: 3, left: 5 });
        assert_eq!(Change::of(0, 4, 4), Change { was: 0, came: 4, left: 0 });
        // Moved here from another cause, unresolved since before: nobody came, and nothing left.
        assert_eq!(Change::of(2, 0, 5), Change { was: 2, came: 0, left: 0 });
    }
}
