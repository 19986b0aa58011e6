//! What is usual, followed beside the engine: a reader of the stored facts that is asked like the store.
//!
//! Invariants: nothing the engine does rests on it; it reads facts in their order from where its kept state stopped, and says
//! nothing of what is usual before it has read them all. Where nothing is stored it does nothing.

use std::sync::Arc;
use std::time::Duration;

use chrono::{Datelike, NaiveDate};
use skydeck_core::domain::bill::Outcome;
use skydeck_core::domain::cause::known;
use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::filter::{About, day_and_org, fold_label};
use skydeck_core::domain::forecast::{Forecasts, Named, PlanForecast};
use skydeck_core::domain::hours::Counts;
use skydeck_core::domain::ids::{EnvId, FormId, PlanId, Seq};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::{BillChange, Change, transition};
use skydeck_core::domain::who::Who;
use skydeck_forecast::{Calendar, FORM, Folder, Moved, State};
use skydeck_store::{Kept, Store, StoreError};

use super::Inner;
use super::api::Notice;
use super::command_outcome::{CommandOutcome, OnCommit};
use super::control::{PlanEntry, Shared};
use super::today::{self, in_force, next_run};
use super::watched::Following;

/// Facts read at once.
const CHUNK: usize = 1000;
/// How long what is stored is left to gather before it is read.
const GATHER: Duration = Duration::from_secs(1);
/// How often a state that changed is kept, at most: after a crash so much is read again.
const KEEP: Duration = Duration::from_secs(300);
/// Facts after which it is kept while a long past is read.
const KEEP_FACTS: u64 = 200_000;
/// A store that does not answer is asked again after so long.
const AGAIN: Duration = Duration::from_secs(30);

/// Answers [`skydeck_core::domain::query::Query::Forecast`].
pub(super) async fn answer(
    shared: &Shared,
    plans: &[PlanEntry],
    envs: &[(EnvId, bool)],
    only: Option<&PlanId>,
) -> Result<Forecasts, StoreError> {
    let now = shared.clock.now();
    let behind = shared.watched.behind(shared.store.as_ref()).await?;
    let unknown_year =
        shared.watched.with(|following| unknown_year(following.folder.calendar(), day_of(now))).flatten();
    let mut said = Forecasts { behind, unknown_year, plans: Vec::new() };
    for (entry, _) in plans {
        let Ok(plan) = entry else { continue };
        if only.is_some_and(|only| *only != plan.id) {
            continue;
        }
        let schedule = in_force(plan, envs);
        let next = schedule.and_then(|schedule| next_run(schedule, now));
        let known = shared.watched.say(&plan.id, next);
        let missed = match schedule {
            Some(schedule) => today::silent_now(shared.store.as_ref(), plan, schedule, (shared.awake, now)).await?,
            None => None,
        };
        let known = known.unwrap_or_else(|| PlanForecast { plan: plan.id.clone(), ..PlanForecast::default() });
        said.plans.push(PlanForecast { missed, due: next, ..known });
    }
    Ok(said)
}

/// The year whose holidays a calendar does not name: that of a day, or in its last month the next one. What is announced in
/// November is to be in the calendar before January needs it.
pub fn unknown_year(calendar: &Calendar, day: NaiveDate) -> Option<i32> {
    let soon = (day.month() == 12).then_some(day.year() + 1);
    [Some(day.year()), soon].into_iter().flatten().find(|year| !calendar.knows(*year))
}

fn day_of(now: Ts) -> NaiveDate {
    chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default().date_naive()
}

impl Inner {
    /// A person says that what stands out of a plan is no alarm.
    pub(super) fn deny(&self, alarm: &Named, by: &Who) -> Result<CommandOutcome, Refusal> {
        let said = self.shared.watched.say(&alarm.plan, None);
        let stands = said.iter().flat_map(|said| &said.found).find(|found| alarm.is(&found.finding));
        let Some(since) = stands.map(|found| found.finding.since()) else {
            return Err(Refusal::Nothing(Reason::NoSuchAlarm { plan: alarm.plan.clone() }));
        };
        let (denied, hides) = (alarm.clone(), alarm.clone());
        let on_commit: OnCommit = Box::new(move |inner| inner.shared.watched.hide(hides, since));
        Ok(CommandOutcome {
            events: vec![Event::AlarmDenied { alarm: denied, by: by.clone() }],
            plan: Some(alarm.plan.clone()),
            note: alarm.words(),
            on_commit: Some(on_commit),
            ..CommandOutcome::default()
        })
    }
}

/// Follows the stored facts for as long as the engine lives. `budget`: false alarms that are borne, a plan and 30 days.
pub(super) async fn follow(shared: Arc<Shared>, calendar: Calendar, budget: f64) {
    // Whoever only asks something is gone before there is anything to read.
    tokio::time::sleep(GATHER).await;
    loop {
        let begun = begin(&shared, &calendar, budget).await;
        let Err(error) = (match begun {
            Ok(()) => read_on(&shared).await,
            Err(error) => Err(error),
        }) else {
            return;
        };
        tracing::warn!(%error, "what is usual cannot be followed; tried again");
        tokio::time::sleep(AGAIN).await;
    }
}

async fn begin(shared: &Shared, calendar: &Calendar, budget: f64) -> Result<(), StoreError> {
    if shared.watched.with(|_| ()).is_some() {
        return Ok(());
    }
    let last = shared.store.last_seq().await?;
    let kept = shared.store.kept(FORM).await?.filter(|kept| kept.place <= last);
    let known = kept.and_then(|kept| State::of_rows(&kept.rows).map(|state| (state, kept.place)));
    let anew = known.is_none();
    let (state, place) = known.unwrap_or_default();
    let behind = (place < last).then_some((place.0, last.0));
    let folder = Folder::new(calendar.clone(), budget, state);
    shared.watched.begin(Following { folder, place, behind, anew, told: Vec::new() });
    Ok(())
}

async fn read_on(shared: &Shared) -> Result<(), StoreError> {
    let (mut since_kept, mut kept_at) = (0, shared.clock.mono());
    loop {
        let Some(place) = shared.watched.with(|following| following.place) else { return Ok(()) };
        let facts = shared.store.facts_after(place, CHUNK).await?;
        let read = facts.len() as u64;
        for fact in facts {
            fold(shared, &fact).await?;
        }
        since_kept += read;
        let last = shared.store.last_seq().await?;
        let is_up = shared.watched.with(|following| {
            let is_up = following.place >= last;
            // Once it was up with the facts, those of the last moment do not make it silent.
            following.behind = following.behind.filter(|_| !is_up).map(|_| (following.place.0, last.0));
            is_up
        });
        if shared.watched.with(Following::is_news) == Some(true) {
            shared.ledger.tell(&Notice::Unusual);
        }
        let due = shared.clock.mono().saturating_sub(kept_at) >= KEEP;
        if since_kept > 0 && (due || since_kept >= KEEP_FACTS) {
            keep(shared).await?;
            (since_kept, kept_at) = (0, shared.clock.mono());
        }
        if read > 0 && is_up != Some(true) {
            // A long past is read beside the work, never before it.
            tokio::task::yield_now().await;
            continue;
        }
        let stored = shared.ledger.stored();
        if since_kept > 0 {
            let _ = tokio::time::timeout(KEEP, stored).await;
        } else {
            stored.await;
        }
        tokio::time::sleep(GATHER).await;
    }
}

/// Takes one fact in, and before it the days of the ledger that are over by then.
async fn fold(shared: &Shared, fact: &Fact) -> Result<(), StoreError> {
    if let Change::Opened(head) = transition(&fact.event) {
        let days = shared.watched.with(|following| following.folder.ledger_days(&head.plan, fact.at));
        for day in days.unwrap_or_default() {
            let ended = day.end;
            let moved = moved(shared.store.as_ref(), &head.plan, day).await?;
            shared.watched.with(|following| following.folder.ledger_day(&head.plan, ended, &moved));
        }
    }
    let dated = dated(shared, fact).await?;
    shared.watched.with(|following| {
        if let Some((place, day, refused)) = dated {
            following.folder.dated(place, day, refused);
        }
        following.folder.take(fact);
        following.place = fact.seq;
    });
    Ok(())
}

/// Where a bill belongs, its day, and whether the ERP refused it as dated in a closed period.
type Dated = ((EnvId, FormId, String), NaiveDate, bool);

/// The date of a bill that was refused because of its period, or that went through while a period counts as closed.
async fn dated(shared: &Shared, fact: &Fact) -> Result<Option<Dated>, StoreError> {
    let Change::Bill { run, fid, change: BillChange::Settled { outcome, .. } } = transition(&fact.event) else {
        return Ok(None);
    };
    let refused = match outcome {
        Outcome::Failed(failure) => failure.cause.as_str() == known::PERIOD,
        Outcome::Done { .. } => false,
        Outcome::Already { .. } | Outcome::Skipped(_) | Outcome::Unknown(_) => return Ok(None),
    };
    let closed = shared.watched.with(|following| following.folder.any_closed()) == Some(true);
    if matches!(outcome, Outcome::Failed(_)) != refused || !(refused || closed) {
        return Ok(None);
    }
    let store = shared.store.as_ref();
    let Some(head) = store.run(run).await?.map(|row| row.head) else { return Ok(None) };
    let Some(row) = store.bill_of_run(run, fid).await? else { return Ok(None) };
    let plan = store.plan_of(&head.rev).await?;
    let label = |name: &String| {
        let column = plan.iter().flat_map(|plan| &plan.source.columns).find(|column| column.key == *name);
        column.map(|column| fold_label(&column.label)).unwrap_or_default()
    };
    let labels: Vec<String> = head.columns.iter().map(label).collect();
    let of = day_and_org(&row.columns, &About::columns(&head.columns, &labels));
    Ok(of.map(|(day, org)| ((head.env.clone(), head.form.clone(), org), day, refused)))
}

/// What came into a plan's ledger on a day, and what left it, by cause.
async fn moved(store: &dyn Store, plan: &PlanId, day: std::ops::Range<Ts>) -> Result<Vec<Moved>, StoreError> {
    let mut sum = Counts::default();
    for hour in store.hourly(plan, day).await? {
        sum.add(&hour.counts);
    }
    let mut moved: Vec<Moved> = Vec::new();
    let lists = sum.entered.iter().map(|told| (told, true)).chain(sum.left.iter().map(|told| (told, false)));
    for (told, enters) in lists {
        let at = moved.iter().position(|one| one.group == told.group).unwrap_or(moved.len());
        if at == moved.len() {
            moved.push(Moved { group: told.group.clone(), entered: 0, left: 0 });
        }
        if let Some(one) = moved.get_mut(at) {
            *(if enters { &mut one.entered } else { &mut one.left }) += told.bills;
        }
    }
    Ok(moved)
}

/// Keeps what changed.
async fn keep(shared: &Shared) -> Result<(), StoreError> {
    let kept = shared.watched.with(|following| {
        let (rows, place) = (following.folder.take_rows(), following.place);
        Kept { form: FORM, place, rows, whole: std::mem::take(&mut following.anew) }
    });
    match kept {
        Some(kept) if kept.place > Seq(0) => shared.store.keep(kept).await,
        _ => Ok(()),
    }
}

/// Keeps what there is before the engine ends.
pub(super) async fn keep_last(shared: &Shared) {
    if let Err(error) = keep(shared).await {
        tracing::debug!(%error, "what is usual was not kept; it is read again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_without_holidays_is_named_from_december_before_it() {
        let asked = |calendar: &Calendar, day: &str| unknown_year(calendar, day.parse().unwrap());
        let upto_2026 = Calendar::parse("[2025]\n[2026]\noff = [\"10-01..10-07\"]").unwrap();
        assert_eq!(asked(&upto_2026, "2026-11-30"), None);
        assert_eq!(asked(&upto_2026, "2026-12-01"), Some(2027), "a month is left");
        assert_eq!(asked(&upto_2026, "2027-06-01"), Some(2027), "it goes on until somebody writes it down");
        let with_2027 = upto_2026.overridden_by(Calendar::parse("[2027]").unwrap());
        assert_eq!((asked(&with_2027, "2026-12-01"), asked(&with_2027, "2027-12-01")), (None, Some(2028)));
    }
}
