//! One plan: all its forecasters, and the order in which they are asked and taught.
//!
//! Invariant: its size does not grow with its history.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use skydeck_core::domain::forecast::{Finding, Forecaster, Named, Standing, What};
use skydeck_core::domain::run::{RunEnd, RunKind};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::zone::Zone;

use crate::baseline::Baseline;
use crate::calendar::Calendar;
use crate::drain::{Drain, Scored};
use crate::ledger::{Ledger, Moved};
use crate::rates::{self, Drift};
use crate::record::Record;
use crate::run::Run;
use crate::spans::{DAY, local};
use crate::volume::Volume;
use crate::watch::{Seen, Watch};
use crate::{Scoring, drain};

/// Runs and days before anything is said of volume.
const RIPE: (u32, u32) = (60, 10);
/// Parts of the budget of one detector.
const PART: f64 = 0.15;
/// Gains and losses of one prediction beyond this do not count.
const MOST_GAIN: f64 = 3.0;

/// A plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Zone of its schedule.
    pub(crate) zone: Option<String>,
    /// Where the query of the next run looks back to, and that of the last one did.
    pub(crate) since: Option<Ts>,
    before: Option<Ts>,
    pub(crate) volume: Volume,
    baseline: Baseline,
    pub(crate) watch: Watch,
    pub(crate) failures: Drift,
    pub(crate) ledger: Ledger,
    /// When its calls are done.
    pub drain: Drain,
    records: Vec<Record>,
    /// When the last one of its runs closed that calls were made in.
    worked: Option<Ts>,
    /// Until when days of its ledger were judged.
    pub(crate) judged: Option<Ts>,
}

/// What follows from a run's set.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub alarms: Vec<(Forecaster, Finding)>,
    pub score: Option<Scoring>,
}

fn number(day: NaiveDate) -> i32 {
    day.num_days_from_ce()
}

impl Plan {
    pub(crate) fn record(&self, by: Forecaster) -> skydeck_core::domain::forecast::Record {
        self.records.get(by as usize).map(Record::sum).unwrap_or_default()
    }

    fn note(&mut self, by: Forecaster) -> Option<&mut Record> {
        self.records.resize(Forecaster::Done as usize + 1, Record::default());
        self.records.get_mut(by as usize)
    }

    /// A run's query came back with so many new bills.
    pub(crate) fn collected(
        &mut self,
        calendar: &Calendar,
        zone: &Zone,
        budget: f64,
        (opened, found): (Ts, u64),
    ) -> Judged {
        let mut judged = Judged::default();
        self.before = self.since;
        let Some(since) = self.since.replace(opened) else { return judged };
        if since >= opened {
            return judged;
        }
        let expected = self.volume.expect(calendar, zone, since, opened);
        let spread = *expected.spread();
        let (day, over) = local(zone, opened);
        let of_week =
            day.weekday().num_days_from_monday() as usize * 24 + usize::try_from(over * 24 / DAY).unwrap_or(0);
        let trusted = self.standing(Forecaster::Found).speaks();
        let ripe = self.standing(Forecaster::Silence).speaks();
        if self.volume.days >= 3
            && let Some(base) = self.baseline.expect(of_week)
        {
            let gain = (spread.ln_point(found) - base.ln_point(found)).clamp(-MOST_GAIN, MOST_GAIN);
            let inside = (spread.quantile(0.05)..=spread.quantile(0.95)).contains(&found);
            if let Some(record) = self.note(Forecaster::Found) {
                record.scored(number(day), inside, gain);
            }
            judged.score = trusted.then(|| Scoring::Found { found, mean: spread.mean(), inside, gain });
        }
        let target = budget * PART * (opened.0 - since.0) as f64 / (30.0 * DAY as f64);
        let told = self.watch.see(&Seen { at: opened.0, found, spread: &spread, target, ripe, trusted });
        for by in told.alarms {
            if let Some(record) = self.note(by) {
                record.alarmed(number(day));
            }
            judged.alarms.extend(self.volume_finding(by).map(|finding| (by, finding)));
        }
        self.volume.learn(expected, found);
        self.baseline.learn(of_week, found);
        if told.adopt {
            self.volume.adopt();
        }
        judged
    }

    /// What was found is not known any more, only until when was looked.
    pub(crate) fn passed_over(&mut self, opened: Ts) {
        self.before = self.since.replace(opened);
    }

    /// What stands of those two that a forecaster told last.
    fn volume_finding(&self, by: Forecaster) -> Option<Finding> {
        let (quiet, busy) = self.volume_findings();
        let (quiet_by, _) = self.watch.tellers();
        if quiet_by == by { quiet.or(busy) } else { busy.or(quiet) }
    }

    /// What stands of volume: too little, too much.
    pub(crate) fn volume_findings(&self) -> (Option<Finding>, Option<Finding>) {
        let told = |e: &Option<crate::bars::Episode>| e.filter(|e| e.told && !e.denied);
        let quiet = told(&self.watch.quiet).map(|e| Finding::Quiet {
            since: Ts(e.since),
            found: e.seen as u64,
            expected: e.expected.round() as u64,
            runs: e.runs,
        });
        let busy = told(&self.watch.busy).map(|e| Finding::Busy {
            since: Ts(e.since),
            found: e.seen as u64,
            expected: e.expected.round() as u64,
            runs: e.runs,
        });
        (quiet, busy)
    }

    /// A run is over.
    pub(crate) fn closed(
        &mut self,
        zone: &Zone,
        budget: f64,
        run: &Run,
        end: &RunEnd,
        at: Ts,
    ) -> (Vec<(Forecaster, Finding)>, Vec<Scored>) {
        // Its mark did not move: the next run looks back to where this one did.
        if matches!(end, RunEnd::Declined) && run.judged {
            self.since = self.before.or(self.since);
        }
        if run.kind == RunKind::Verify || run.gap {
            return (Vec::new(), Vec::new());
        }
        let (day, _) = local(zone, at);
        let mut alarms = Vec::new();
        let past = self.worked.map_or(DAY / 6, |last| (at.0 - last.0).clamp(0, 30 * DAY));
        let target = budget * PART * past as f64 / (30.0 * DAY as f64);
        let of = run.done + run.failed;
        if run.kind == RunKind::Fresh && of > 0 {
            self.worked = Some(at);
            let (value, chance) = rates::arc(run.failed, of);
            let shown = f64::from(run.failed) / f64::from(of);
            if self.failures.see(value, chance, run.opened.0, target, shown) {
                alarms.push(Forecaster::FailureRate);
            }
        }
        let scored = match (&run.drained, end) {
            (Some(drained), RunEnd::Completed) => self.drain.learn(drained),
            _ => Vec::new(),
        };
        for one in &scored {
            let error = |middle: f64| (one.actual / middle.max(1.0)).ln().abs();
            let gain = (error(one.baseline) - error(one.predicted)).clamp(-MOST_GAIN, MOST_GAIN);
            if let (Some((low, high)), Some(record)) = (one.range, self.note(Forecaster::Done)) {
                record.scored(number(day), (low..=high).contains(&one.actual), gain);
            }
        }
        let mut told = Vec::new();
        for by in alarms {
            if let Some(record) = self.note(by) {
                record.alarmed(number(day));
            }
            told.extend(self.failing().map(|finding| (by, finding)));
        }
        (told, scored)
    }

    /// What stands of the share of refusals.
    pub(crate) fn failing(&self) -> Option<Finding> {
        let episode = self.failures.episode.filter(|e| e.told && !e.denied)?;
        let mean = episode.seen / f64::from(episode.runs.max(1));
        let since = Ts(episode.since);
        let permille = |share: f64| (1000.0 * share).round() as u32;
        Some(Finding::Failing { since, permille: permille(mean), usual: permille(rates::share(self.failures.usual())) })
    }

    pub(crate) fn ledger_day(
        &mut self,
        zone: &Zone,
        budget: f64,
        ended: Ts,
        moved: &[Moved],
    ) -> Vec<(Forecaster, Finding)> {
        let before: Vec<Ts> = self.growing().iter().map(Finding::since).collect();
        let alarms = self.ledger.day(moved, ended.0, budget * PART / 30.0);
        let (day, _) = local(zone, Ts(ended.0 - 1));
        for _ in 0..alarms {
            if let Some(record) = self.note(Forecaster::Ledger) {
                record.alarmed(number(day));
            }
        }
        let grown = self.growing();
        let begins = grown.into_iter().filter(|finding| alarms > 0 && !before.contains(&finding.since()));
        begins.map(|finding| (Forecaster::Ledger, finding)).collect()
    }

    /// Causes of which unresolved bills become more.
    pub(crate) fn growing(&self) -> Vec<Finding> {
        let groups = self.ledger.groups.iter();
        let told = groups.filter_map(|group| group.episode.filter(|e| e.told && !e.denied).map(|e| (group, e)));
        told.map(|(group, e)| Finding::Growing {
            since: Ts(e.since),
            group: group.name.clone(),
            entered: e.seen as u64,
            left: group.left as u64,
        })
        .collect()
    }

    /// Whether a forecaster speaks, and why not.
    pub fn standing(&self, by: Forecaster) -> Standing {
        let (runs, of, days, of_days) = match by {
            Forecaster::Found | Forecaster::Silence | Forecaster::Drift => {
                (self.volume.runs, RIPE.0, self.volume.days, RIPE.1)
            }
            Forecaster::FailureRate => (self.failures.ripe().0, self.failures.ripe().1, 0, 0),
            Forecaster::CallTime => return Standing::NotBetter,
            Forecaster::Ledger => (0, 0, self.ledger.ripe().0, self.ledger.ripe().1),
            Forecaster::Done => (self.drain.runs, drain::RIPE, 0, 0),
        };
        if runs < of || days < of_days {
            return Standing::Learning { runs: runs.min(of), of, days: days.min(of_days), of_days };
        }
        let record = self.record(by);
        if record.denied > 2 {
            return Standing::TooManyAlarms { said: record.denied };
        }
        let volume = matches!(by, Forecaster::Found | Forecaster::Drift);
        if volume && !self.records.get(Forecaster::Found as usize).is_some_and(Record::beats) {
            return Standing::NotBetter;
        }
        if by == Forecaster::Done && record.asked >= 100 {
            let inside = record.inside * 1000 / record.asked.max(1);
            if !(850..=950).contains(&inside) {
                return Standing::OffRange { inside };
            }
        }
        Standing::Speaks
    }

    /// A person said that what stands is no alarm; gives whether it stood.
    pub(crate) fn deny(&mut self, zone: &Zone, alarm: &Named, at: Ts) -> bool {
        let (day, _) = local(zone, at);
        let by = match alarm.what {
            What::Quiet => self.watch.deny(true),
            What::Busy => self.watch.deny(false),
            What::Failing => self.failures.deny().then_some(Forecaster::FailureRate),
            // A fact of before: it stands no more.
            What::Slow => None,
            What::Growing => {
                let group = alarm.group.as_deref();
                group.is_some_and(|group| self.ledger.deny(group)).then_some(Forecaster::Ledger)
            }
        };
        if let Some(record) = by.and_then(|by| self.note(by)) {
            record.denied(number(day));
        }
        by.is_some()
    }
}
