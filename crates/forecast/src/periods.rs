//! Periods that the ERP refused as closed, until a bill so early goes through again.
//!
//! Invariants: only what was refused and what went through counts; no more places are remembered than a site has.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use skydeck_core::domain::ids::{EnvId, FormId};

/// Places that are remembered, at most: the oldest makes room.
const MOST: usize = 64;

/// Where a bill belongs: environment, form and organisation.
pub type Place = (EnvId, FormId, String);

/// Up to which day periods are closed, the one that was heard of last behind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Periods(Vec<(Place, NaiveDate)>);

impl Periods {
    /// A bill of a day was refused as dated in a closed period, or went through.
    pub(crate) fn take(&mut self, place: Place, day: NaiveDate, refused: bool) {
        let at = self.0.iter().position(|(known, _)| *known == place);
        let was = at.map(|at| self.0.remove(at));
        match (was, refused) {
            (Some((place, upto)), true) => self.0.push((place, upto.max(day))),
            // So early nothing is closed any more.
            (Some((place, upto)), false) if day > upto => self.0.push((place, upto)),
            (_, false) => {}
            (None, true) => {
                if self.0.len() >= MOST {
                    self.0.remove(0);
                }
                self.0.push((place, day));
            }
        }
    }

    /// Organisations of a form in an environment with the day up to which they are closed.
    pub(crate) fn of(&self, env: &EnvId, form: &FormId) -> Vec<(String, NaiveDate)> {
        let here = self.0.iter().filter(|((of, what, _), _)| of == env && what == form);
        here.map(|((_, _, org), upto)| (org.clone(), *upto)).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_closed_up_to_what_was_refused_until_something_so_early_goes_through() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let place = |org: &str| (EnvId::new("e"), FormId::new("f"), org.to_owned());
        let mut periods = Periods::default();
        periods.take(place("100"), day("2026-10-30"), true);
        periods.take(place("100"), day("2026-10-31"), true);
        periods.take(place("100"), day("2026-10-12"), true);
        periods.take(place("200"), day("2026-09-30"), true);
        let of = |periods: &Periods| periods.of(&EnvId::new("e"), &FormId::new("f"));
        let both = [("100".to_owned(), day("2026-10-31")), ("200".to_owned(), day("2026-09-30"))];
        assert_eq!(of(&periods), both);
        periods.take(place("100"), day("2026-11-02"), false);
        assert_eq!(of(&periods).len(), 2, "what is later says nothing");
        periods.take(place("100"), day("2026-10-31"), false);
        assert_eq!(of(&periods), [("200".into(), day("2026-09-30"))], "it was opened again");
        assert_eq!(periods.of(&EnvId::new("e"), &FormId::new("g")), []);
        for n in 0..200 {
            periods.take(place(&n.to_string()), day("2026-09-30"), true);
        }
        assert_eq!(of(&periods).len(), MOST);
    }
}
