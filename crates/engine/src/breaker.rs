//! The breaker of one environment: it opens when the answers of the ERP are no longer what they usually are.
//!
//! Invariant: one definition of "too many" for everybody; it closes only when a person says so, and what was usual is kept.

use std::collections::VecDeque;

use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::env::Limits;
use skydeck_core::domain::ids::CallId;
use skydeck_core::domain::reason::Reason;

/// Bills it looks at.
const WINDOW: usize = 20;
/// Bills before those that tell what is usual, at most.
const USUAL: usize = 200;
/// The same, at least; with fewer the configured percent decides.
const USUAL_LEAST: usize = 60;
/// Refusals of one cause in the window, at least, before they are a change.
const CHANGE_LEAST: usize = 5;
/// A change is what chance brings about more rarely than this.
const CHANCE: f64 = 0.001;

/// What came of a bill, as far as the breaker cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Done, or found done.
    Clean,
    /// Refused by the ERP.
    Refused(Cause),
    /// The call it was in had no usable answer.
    Unknown(CallId),
}

/// Opens after too many bad answers; closes only when an operator says so.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    open: Option<Reason>,
    /// Calls in a row without a usable answer, and the last of them: the bills of a batch share one.
    unknown: u32,
    unanswered: Option<CallId>,
    /// The last bills since it was closed: why each was refused, if it was.
    recent: VecDeque<Option<Cause>>,
    /// Those before.
    usual: VecDeque<Option<Cause>>,
}

impl Breaker {
    /// Why it is open, if it is.
    pub fn why(&self) -> Option<&Reason> {
        self.open.as_ref()
    }

    /// Opens it; the first reason stays.
    pub fn open(&mut self, why: Reason) {
        self.open.get_or_insert(why);
    }

    /// Closes it: what led there is usual from now on.
    pub fn close(&mut self) {
        self.open = None;
        (self.unknown, self.unanswered) = (0, None);
        while let Some(ended) = self.recent.pop_front() {
            self.is_usual(ended);
        }
    }

    /// Takes note of a bill.
    pub fn note(&mut self, ended: Ended, limits: &Limits) {
        (self.unknown, self.unanswered) = match ended {
            Ended::Unknown(call) if self.unanswered == Some(call) => (self.unknown, self.unanswered),
            Ended::Unknown(call) => (self.unknown.saturating_add(1), Some(call)),
            Ended::Clean | Ended::Refused(_) => (0, None),
        };
        self.recent.push_back(match ended {
            Ended::Refused(cause) => Some(cause),
            Ended::Clean | Ended::Unknown(_) => None,
        });
        if self.recent.len() > WINDOW
            && let Some(ended) = self.recent.pop_front()
        {
            self.is_usual(ended);
        }
        if limits.breaker_unknown > 0 && self.unknown >= limits.breaker_unknown {
            self.open(Reason::BreakerUnknown { n: self.unknown });
        }
        if let Some(why) = self.too_many_refused(limits) {
            self.open(why);
        }
    }

    fn is_usual(&mut self, ended: Option<Cause>) {
        self.usual.push_back(ended);
        if self.usual.len() > USUAL {
            self.usual.pop_front();
        }
    }

    /// The configured percent decides as long as too little is known of what is usual, and for good where the site set one
    /// itself; after that a change of one cause's share does.
    fn too_many_refused(&self, limits: &Limits) -> Option<Reason> {
        let percent = limits.breaker_failed_percent as usize;
        if percent == 0 {
            return None;
        }
        let known = self.usual.len() >= USUAL_LEAST;
        let refused = self.recent.iter().flatten().count();
        if (!known || limits.breaker_ceiling) && self.recent.len() == WINDOW && refused * 100 >= percent * WINDOW {
            return Some(Reason::Breaker { cause: None, n: refused as u32, of: WINDOW as u32 });
        }
        if !known {
            return None;
        }
        let cause = self.recent.iter().flatten().find(|cause| self.has_changed(cause))?;
        let n = count(&self.recent, cause) as u32;
        Some(Reason::Breaker { cause: Some(cause.clone()), n, of: self.recent.len() as u32 })
    }

    fn has_changed(&self, cause: &Cause) -> bool {
        let n = count(&self.recent, cause);
        let rate = (count(&self.usual, cause) + 1) as f64 / (self.usual.len() + 2) as f64;
        n >= CHANGE_LEAST && at_least(n, self.recent.len(), rate) < CHANCE
    }
}

fn count(ended: &VecDeque<Option<Cause>>, cause: &Cause) -> usize {
    ended.iter().flatten().filter(|known| *known == cause).count()
}

/// Chance of `k` or more of `n`, where each happens at this rate (binomial distribution). `rate` lies between 0 and 1.
fn at_least(k: usize, n: usize, rate: f64) -> f64 {
    let mut term = (1.0 - rate).powi(n as i32);
    let mut sum = 0.0;
    for i in 0..=n {
        if i >= k {
            sum += term;
        }
        term *= (n - i) as f64 / (i + 1) as f64 * rate / (1.0 - rate);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulid::Ulid;

    fn limits(percent: u32, ceiling: bool) -> Limits {
        Limits { breaker_unknown: 3, breaker_failed_percent: percent, breaker_ceiling: ceiling, ..Limits::default() }
    }

    fn refused(cause: &str) -> Ended {
        Ended::Refused(Cause::new(cause))
    }

    /// A bill alone in a call.
    fn unknown(call: u128) -> Ended {
        Ended::Unknown(CallId(Ulid::from(call)))
    }

    /// Notes bills; the place of the first that opened it.
    fn note(breaker: &mut Breaker, limits: &Limits, ended: impl Iterator<Item = Ended>) -> Option<usize> {
        for (i, ended) in ended.enumerate() {
            breaker.note(ended, limits);
            if breaker.why().is_some() {
                return Some(i);
            }
        }
        None
    }

    #[test]
    fn unknown_answers_count_in_a_row() {
        let mut breaker = Breaker::default();
        let limits = limits(20, false);
        let row = [unknown(1), unknown(2), Ended::Clean, unknown(3), unknown(4)];
        assert_eq!(note(&mut breaker, &limits, row.into_iter()), None);
        breaker.note(unknown(5), &limits);
        assert_eq!(breaker.why(), Some(&Reason::BreakerUnknown { n: 3 }));
        breaker.close();
        assert_eq!(note(&mut breaker, &limits, [unknown(6), unknown(7)].into_iter()), None, "counted anew");
    }

    #[test]
    fn the_bills_of_a_batch_without_an_answer_are_one_call() {
        let mut breaker = Breaker::default();
        let two = (0..40).map(|bill| unknown(bill / 20));
        assert_eq!(note(&mut breaker, &limits(20, false), two), None);
        assert_eq!(note(&mut breaker, &limits(20, false), (40..60).map(|bill| unknown(bill / 20))), Some(0));
        assert_eq!(breaker.why(), Some(&Reason::BreakerUnknown { n: 3 }));
    }

    #[test]
    fn the_percent_decides_while_little_is_known() {
        let every = |n: usize| (0..).map(move |i| if i % n == 0 { refused("stock") } else { Ended::Clean });
        let mut breaker = Breaker::default();
        assert_eq!(note(&mut breaker, &limits(20, false), every(5).take(20)), Some(19), "4 of 20 are 20 percent");
        assert_eq!(breaker.why(), Some(&Reason::Breaker { cause: None, n: 4, of: 20 }));
        let mut breaker = Breaker::default();
        assert_eq!(note(&mut breaker, &limits(25, false), every(5).take(60)), None);
        let mut breaker = Breaker::default();
        assert_eq!(note(&mut breaker, &limits(0, false), (0..400).map(|_| refused("stock"))), None, "0 is never");
    }

    #[test]
    fn a_change_of_one_cause_opens_it_and_what_is_usual_does_not() {
        // One in five is refused, which was usual before: no percent is asked any more.
        let mut usual = Breaker::default();
        let one_in_five = |i: usize| if i.is_multiple_of(5) { refused("stock") } else { Ended::Clean };
        assert_eq!(note(&mut usual, &limits(30, false), (0..300).map(one_in_five)), None);
        for (more, opens) in [(8, None), (20, Some(8))] {
            let mut breaker = usual.clone();
            // A run of refusals of the usual cause: chance allows some.
            let opened = note(&mut breaker, &limits(30, false), (0..more).map(|_| refused("stock")));
            assert_eq!(opened, opens, "{more}");
        }
        // Five of another cause are a change at once; four are none.
        assert_eq!(note(&mut usual.clone(), &limits(30, false), (0..4).map(|_| refused("period"))), None);
        let mut breaker = usual.clone();
        assert_eq!(note(&mut breaker, &limits(30, false), (0..5).map(|_| refused("period"))), Some(4));
        let cause = Some(Cause::new("period"));
        assert_eq!(breaker.why(), Some(&Reason::Breaker { cause, n: 5, of: 20 }));
        // The site's own percent stays a ceiling, however usual it is.
        let more = |i: usize| if i.is_multiple_of(3) { refused("stock") } else { Ended::Clean };
        assert!(note(&mut usual.clone(), &limits(30, true), (0..60).map(more)).is_some());
        assert_eq!(note(&mut usual.clone(), &limits(30, false), (0..60).map(more)), None);
    }

    #[test]
    fn a_usual_share_of_refusals_stops_a_long_run_rarely_and_an_outage_always() {
        let limits = limits(20, false);
        let (mut stops, mut worst, mut late) = (0, 0, 0);
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut breaker, mut here) = (Breaker::default(), 0);
            for i in 0..1000 {
                let ended = if rng.f64() < 0.22 { refused("stock") } else { Ended::Clean };
                breaker.note(ended, &limits);
                if breaker.why().is_some() {
                    here += 1;
                    late += u32::from(i >= 200);
                    breaker.close();
                }
            }
            stops += here;
            worst = worst.max(here);
            assert!(note(&mut breaker, &limits, (0..20).map(|_| refused("stock"))).is_some(), "seed {seed}");
        }
        // Before, each stop forgot what was usual: 1,000 bills were stopped 30 times and more.
        assert!(worst <= 6 && stops <= 200 * 4 && late <= 60, "{worst} {stops} {late}");
    }

    #[test]
    fn the_chance_is_that_of_the_binomial_distribution() {
        for (k, n, rate, p) in
            [(0, 20, 0.3, 1.0), (20, 20, 0.5, 9.536_743e-7), (5, 20, 0.1, 0.043_174_5), (9, 20, 0.2, 0.009_981_8)]
        {
            let is = at_least(k, n, rate);
            assert!((is - p).abs() < 1e-6, "{k} of {n} at {rate}: {is}");
        }
    }

    #[test]
    fn the_first_reason_stays_until_it_is_closed() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.why(), None);
        breaker.open(Reason::BreakerUnknown { n: 7 });
        breaker.open(Reason::BreakerUnknown { n: 9 });
        assert_eq!(breaker.why(), Some(&Reason::BreakerUnknown { n: 7 }));
        breaker.close();
        assert_eq!(breaker.why(), None);
    }

    #[test]
    fn no_number_of_unknown_answers_opens_it_where_the_limit_is_none() {
        let limits = Limits { breaker_unknown: 0, ..limits(0, false) };
        assert_eq!(note(&mut Breaker::default(), &limits, (0..50).map(unknown)), None);
        let limits = Limits { breaker_unknown: 1, ..limits };
        assert_eq!(note(&mut Breaker::default(), &limits, [Ended::Clean, unknown(1)].into_iter()), Some(1));
    }

    #[test]
    fn unknown_answers_are_no_refusals() {
        let limits = Limits { breaker_unknown: 0, ..limits(5, true) };
        let mut breaker = Breaker::default();
        assert_eq!(note(&mut breaker, &limits, (0..19).map(unknown)), None);
        assert_eq!(note(&mut breaker, &limits, std::iter::once(refused("stock"))), Some(0), "1 of 20 is five percent");
        assert_eq!(breaker.why(), Some(&Reason::Breaker { cause: None, n: 1, of: 20 }));
    }

    #[test]
    fn sixty_bills_before_the_last_twenty_tell_what_is_usual() {
        let four = |breaker: &mut Breaker, before: usize| {
            assert_eq!(note(breaker, &limits(20, false), (0..before).map(|_| Ended::Clean)), None);
            note(breaker, &limits(20, false), (0..4).map(|_| refused("stock")))
        };
        // The fourth refusal is the 79th bill, then the 80th: 59 and 60 before its twenty.
        assert_eq!(four(&mut Breaker::default(), 75), Some(3), "the percent decides");
        assert_eq!(four(&mut Breaker::default(), 76), None, "four are no change");
        // What led to a stop is usual after it.
        let mut closed = Breaker::default();
        assert_eq!(note(&mut closed, &limits(20, false), (0..60).map(|_| Ended::Clean)), None);
        closed.close();
        assert_eq!(note(&mut closed, &limits(20, false), (0..5).map(|_| refused("stock"))), Some(4));
        assert_eq!(closed.why(), Some(&Reason::Breaker { cause: Some(Cause::new("stock")), n: 5, of: 5 }));
    }

    #[test]
    fn what_was_usual_more_than_two_hundred_bills_ago_is_forgotten() {
        let opened = |clean: usize| {
            let mut breaker = Breaker::default();
            let never = limits(0, false);
            assert_eq!(note(&mut breaker, &never, (0..60).map(|_| refused("stock"))), None);
            assert_eq!(note(&mut breaker, &never, (0..clean).map(|_| Ended::Clean)), None);
            let opened = note(&mut breaker, &limits(100, false), (0..6).map(|_| refused("stock")));
            (opened, breaker.usual.len())
        };
        assert_eq!(opened(150), (None, 196), "60 of them were refused");
        assert_eq!(opened(220), (Some(4), 200), "none of them was");
    }

    #[test]
    fn a_change_is_measured_against_the_share_before_it() {
        let of = |n: usize, cause: usize| -> VecDeque<Option<Cause>> {
            (0..n).map(|i| (i < cause).then(|| Cause::new("stock"))).collect()
        };
        // Twenty bills after sixty; the chances lie just below one in a thousand, and just above it.
        for (before, now, changed) in [(6, 8, true), (10, 10, true), (8, 9, false), (20, 14, false), (0, 4, false)] {
            let breaker = Breaker { recent: of(20, now), usual: of(60, before), ..Breaker::default() };
            assert_eq!(breaker.has_changed(&Cause::new("stock")), changed, "{now} of 20 after {before} of 60");
        }
        // As long as less is known, the configured percent alone decides.
        let limits = limits(100, false);
        let mut breaker = Breaker::default();
        let bills = (0..79).map(|i| if i < 74 { Ended::Clean } else { refused("stock") });
        assert_eq!(note(&mut breaker, &limits, bills), None);
        assert_eq!(note(&mut breaker, &limits, std::iter::once(refused("stock"))), Some(0));
    }
}
