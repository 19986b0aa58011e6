//! What is known of what is usual, between whoever follows the facts and whoever asks.
//!
//! Invariant: held for a moment only, never over a wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;
use skydeck_core::domain::filter::{About, day_and_org, fold_label};
use skydeck_core::domain::forecast::{Found, Named, PlanForecast};
use skydeck_core::domain::ids::{EnvId, FormId, PlanId, Seq};
use skydeck_core::domain::plan::Column;
use skydeck_core::domain::time::Ts;
use skydeck_forecast::Folder;
use skydeck_store::{Store, StoreError};

/// What is hidden at once, at most.
const HIDDEN: usize = 64;

/// What is followed; nothing before somebody began to follow.
#[derive(Default)]
pub struct Watched {
    at: Mutex<Option<Following>>,
    /// What people said is no alarm, since when it stood: it goes at once, though the facts that say so are read a moment later.
    hidden: Mutex<Vec<(Named, Ts)>>,
}

/// What was made of the facts so far.
pub struct Following {
    /// The forecasters.
    pub folder: Folder,
    /// The last fact in it.
    pub place: Seq,
    /// How far the past is read, as long as it is not.
    pub behind: Option<(u64, u64)>,
    /// Begun without what was kept: that goes when this is kept.
    pub anew: bool,
    /// What stood out when somebody was told last.
    pub told: Vec<(Named, Ts)>,
}

impl Following {
    /// Whether other things stand out than when this was asked last.
    pub fn is_news(&mut self) -> bool {
        if self.behind.is_some() {
            return false;
        }
        let said = self.folder.state.plans.keys().filter_map(|plan| self.folder.say(plan, None));
        let names = |said: PlanForecast| {
            let plan = said.plan;
            said.found.into_iter().map(move |found| (Named::of(&plan, &found.finding), found.finding.since()))
        };
        let now: Vec<(Named, Ts)> = said.flat_map(names).collect();
        let is_news = now != self.told;
        self.told = now;
        is_news
    }
}

/// Periods of one form in one environment that were refused as closed, by organisation.
#[derive(Debug, Default)]
pub struct Periods(Vec<(String, NaiveDate)>);

impl Periods {
    /// Up to which day the period of a bill is closed, where it is. `columns`: what the plan reads of it; `values`: that.
    pub fn closes(&self, columns: &[Column], values: &[String]) -> Option<NaiveDate> {
        if self.0.is_empty() {
            return None;
        }
        let names: Vec<String> = columns.iter().map(|column| column.key.clone()).collect();
        let labels: Vec<String> = columns.iter().map(|column| fold_label(&column.label)).collect();
        let (day, org) = day_and_org(values, &About::columns(&names, &labels))?;
        self.0.iter().find(|(of, upto)| *of == org && day <= *upto).map(|(_, upto)| *upto)
    }
}

impl Watched {
    /// The closed periods of a form in an environment; none as long as the past is being read.
    pub fn periods(&self, env: &EnvId, form: &FormId) -> Periods {
        let at = self.at();
        let following = at.as_ref().filter(|following| following.behind.is_none());
        Periods(following.map(|following| following.folder.closed_periods(env, form)).unwrap_or_default())
    }

    fn at(&self) -> MutexGuard<'_, Option<Following>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins.
    pub fn begin(&self, following: Following) {
        *self.at() = Some(following);
    }

    /// What is said of plans, as far as anything is.
    pub fn say(&self, plan: &PlanId, next: Option<Ts>) -> Option<PlanForecast> {
        let at = self.at();
        let following = at.as_ref().filter(|following| following.behind.is_none())?;
        let mut said = following.folder.say(plan, next)?;
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        let is_hidden = |found: &Found| {
            let mut all = hidden.iter().filter(|(name, since)| name.plan == *plan && *since == found.finding.since());
            all.any(|(name, _)| name.is(&found.finding))
        };
        said.found.retain(|found| !is_hidden(found));
        Some(said)
    }

    /// Says no more of something that stands since a moment.
    pub fn hide(&self, name: Named, since: Ts) {
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        if hidden.len() >= HIDDEN {
            hidden.remove(0);
        }
        hidden.push((name, since));
    }

    /// How far the past is read; `None` where all of it is.
    pub async fn behind(&self, store: &dyn Store) -> Result<Option<(u64, u64)>, StoreError> {
        match self.with(|following| following.behind) {
            Some(behind) => Ok(behind),
            None => Ok(Some((0, store.last_seq().await?.0))),
        }
    }

    /// Looks at it, or changes it; `None` where nothing is followed.
    pub fn with<T>(&self, look: impl FnOnce(&mut Following) -> T) -> Option<T> {
        self.at().as_mut().map(look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_of_a_closed_period_is_known_by_its_only_date_and_its_organisation() {
        let column = |key: &str, label: &str| Column { key: key.into(), path: key.into(), label: label.into() };
        let columns = [column("FBillNo", ""), column("FDate", "日期"), column("FStockOrgId", "库存组织")];
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let periods = Periods(vec![("100".into(), day("2026-10-31")), ("200".into(), day("2026-09-30"))]);
        let closes = |date: &str, org: &str| periods.closes(&columns, &["N1".into(), date.into(), org.into()]);
        assert_eq!(closes("2026-10-31T00:00:00", "100"), Some(day("2026-10-31")));
        assert_eq!(closes("2026-11-01", "100"), None, "later");
        assert_eq!(closes("2026-10-12", "200"), None, "of another organisation");
        assert_eq!(closes("", "100"), None, "nobody knows when");
        let two = [column("FBillDate", ""), column("FOutDate", "")];
        let of_two =
            |a: &str, b: &str| Periods(vec![(String::new(), day("2026-10-31"))]).closes(&two, &[a.into(), b.into()]);
        assert_eq!(
            (of_two("2026-10-01", "2026-10-02"), of_two("2026-10-01", "2026-10-01")),
            (None, Some(day("2026-10-31")))
        );
    }
}
