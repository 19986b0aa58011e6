//! The token bucket and the breaker of one environment, as plain arithmetic over monotonic time.
//!
//! Invariant: never more calls than the configured rate; the server's wish to slow down is obeyed, but clamped.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::env::Limits;
use crate::domain::reason::Reason;

/// Longest wait a server may ask for.
pub const LONGEST_HOLD: Duration = Duration::from_secs(15 * 60);
/// Wait when the server says slow down without saying how long.
const PLAIN_HOLD: Duration = Duration::from_secs(5);
/// Calls that may go at once after a pause.
const BURST: f64 = 5.0;
/// Answers the breaker looks at.
const WINDOW: usize = 20;

/// The bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    configured: u32,
    allowed: f64,
    tokens: f64,
    at: Duration,
    hold: Duration,
    clean_since: Duration,
}

impl Bucket {
    /// A full bucket of so many calls a minute.
    pub fn new(per_minute: u32, now: Duration) -> Self {
        let allowed = f64::from(per_minute.max(1));
        Self { configured: per_minute.max(1), allowed, tokens: burst(allowed), at: now, hold: now, clean_since: now }
    }

    /// Changes the configured rate.
    pub fn set(&mut self, per_minute: u32, now: Duration) {
        self.refill(now);
        self.configured = per_minute.max(1);
        self.allowed = f64::from(self.configured);
        self.tokens = self.tokens.min(burst(self.allowed));
    }

    /// Calls a minute allowed now.
    pub fn allowed(&self) -> u32 {
        self.allowed as u32
    }

    /// Takes one token, or says how long to wait for one.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.refill(now);
        if now < self.hold {
            return Err(self.hold.saturating_sub(now));
        }
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let seconds = (1.0 - self.tokens) * 60.0 / self.allowed;
        Err(Duration::from_secs_f64(seconds).max(Duration::from_millis(1)))
    }

    /// Puts an unused token back.
    pub fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(burst(self.allowed));
    }

    /// The server asked to slow down: half the rate, and a pause.
    pub fn slow_down(&mut self, wish: Option<Duration>, now: Duration) {
        self.refill(now);
        self.allowed = (self.allowed / 2.0).max(1.0);
        self.tokens = self.tokens.min(burst(self.allowed));
        self.hold = self.hold.max(now + wish.unwrap_or(PLAIN_HOLD).min(LONGEST_HOLD));
        self.clean_since = self.hold;
    }

    fn refill(&mut self, now: Duration) {
        let minute = Duration::from_secs(60);
        let ceiling = f64::from(self.configured);
        while self.allowed < ceiling && now.saturating_sub(self.clean_since) >= minute {
            self.clean_since += minute;
            self.allowed = (self.allowed * 1.1).min(ceiling);
        }
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed * self.allowed / 60.0).min(burst(self.allowed));
    }
}

fn burst(allowed: f64) -> f64 {
    (allowed / 12.0).clamp(1.0, BURST)
}

/// How a call ended, as far as the breaker cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Done, or found done.
    Clean,
    /// Refused by the ERP.
    Refused,
    /// No usable answer.
    Unknown,
}

/// Opens after too many bad answers; closes only when an operator says so.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    open: Option<Reason>,
    unknown: u32,
    recent: VecDeque<bool>,
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

    /// Closes it and forgets what led there.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// Takes note of an ended call.
    pub fn note(&mut self, ended: Ended, limits: &Limits) {
        self.unknown = if ended == Ended::Unknown { self.unknown.saturating_add(1) } else { 0 };
        self.recent.push_back(ended == Ended::Refused);
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
        if limits.breaker_unknown > 0 && self.unknown >= limits.breaker_unknown {
            self.open(Reason::BreakerUnknown { n: self.unknown });
        }
        let refused = self.recent.iter().filter(|r| **r).count();
        let percent = limits.breaker_failed_percent as usize;
        if percent > 0 && self.recent.len() == WINDOW && refused * 100 >= percent * WINDOW {
            self.open(Reason::Breaker { cause: None, n: refused as u32, of: WINDOW as u32 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn drain(bucket: &mut Bucket, now: Duration) -> u32 {
        let mut n = 0;
        while bucket.take(now).is_ok() {
            n += 1;
        }
        n
    }

    #[test]
    fn the_bucket_lets_through_its_rate_and_no_more() {
        let mut bucket = Bucket::new(60, s(0));
        assert_eq!(drain(&mut bucket, s(0)), 5);
        assert_eq!(drain(&mut bucket, s(1)), 1);
        assert_eq!(bucket.take(s(1)), Err(s(1)));
        let passed: u32 = (2..62).map(|at| drain(&mut bucket, s(at))).sum();
        assert_eq!(passed, 60);
        assert_eq!(drain(&mut bucket, s(3600)), 5, "an hour of idling saves up the burst only");
    }

    #[test]
    fn slowing_down_halves_and_heals_by_tenths() {
        let mut bucket = Bucket::new(60, s(0));
        bucket.slow_down(Some(s(999_999)), s(0));
        assert_eq!(bucket.allowed(), 30);
        assert_eq!(bucket.take(s(0)), Err(LONGEST_HOLD), "the wish is clamped");
        assert!(bucket.take(s(15 * 60)).is_ok());
        assert_eq!(bucket.allowed(), 30);
        let _ = bucket.take(s(16 * 60));
        assert_eq!(bucket.allowed(), 33);
        let _ = bucket.take(s(60 * 60));
        assert_eq!(bucket.allowed(), 60);
    }

    #[test]
    fn the_breaker_counts_unknown_in_a_row_and_the_share_of_refusals() {
        let limits = Limits { breaker_unknown: 3, breaker_failed_percent: 20, ..Limits::default() };
        let mut breaker = Breaker::default();
        for ended in [Ended::Unknown, Ended::Unknown, Ended::Clean, Ended::Unknown, Ended::Unknown] {
            breaker.note(ended, &limits);
        }
        assert_eq!(breaker.why(), None);
        breaker.note(Ended::Unknown, &limits);
        assert!(breaker.why().is_some());
        breaker.close();
        for i in 0..20 {
            assert_eq!(breaker.why(), None, "{i}");
            breaker.note(if i % 5 == 0 { Ended::Refused } else { Ended::Clean }, &limits);
        }
        assert!(breaker.why().is_some());
    }
}
