//! The token bucket of one environment, as plain arithmetic over monotonic time.
//!
//! Invariant: never more calls than the configured rate; the server's wish to slow down is obeyed, but clamped, and counted
//! once for all calls that had left when it was taken.

use std::time::Duration;

/// Longest wait a server may ask for.
pub const LONGEST_HOLD: Duration = Duration::from_secs(15 * 60);
/// Wait when the server says slow down without saying how long.
const PLAIN_HOLD: Duration = Duration::from_secs(5);
/// Calls that may go at once after a pause.
const BURST: f64 = 5.0;
/// Without a wish to slow down for so long, the rate rises by [`RISE`].
const CLEAN: Duration = Duration::from_secs(60);
/// By what the rate rises again.
const RISE: f64 = 1.1;

/// The bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    configured: u32,
    allowed: f64,
    tokens: f64,
    at: Duration,
    hold: Duration,
    clean_since: Duration,
    /// When the rate was halved last: what left before says nothing about the rate since.
    slowed: Option<Duration>,
}

impl Bucket {
    /// A full bucket of so many calls a minute.
    pub fn new(per_minute: u32, now: Duration) -> Self {
        let allowed = f64::from(per_minute.max(1));
        Self {
            configured: per_minute.max(1),
            allowed,
            tokens: burst(allowed),
            at: now,
            hold: now,
            clean_since: now,
            slowed: None,
        }
    }

    /// Changes the configured rate.
    pub fn set(&mut self, per_minute: u32, now: Duration) {
        self.refill(now);
        self.configured = per_minute.max(1);
        self.allowed = f64::from(self.configured);
        self.tokens = self.tokens.min(burst(self.allowed));
    }

    /// Calls a minute allowed as of the last look at it.
    pub fn allowed(&self) -> u32 {
        self.allowed as u32
    }

    /// Calls a minute that are allowed while nobody asks to slow down.
    pub fn configured(&self) -> u32 {
        self.configured
    }

    /// Whether the server's wish to slow down is still felt.
    pub fn is_slowed(&mut self, now: Duration) -> bool {
        self.refill(now);
        self.slowed.is_some() && (now < self.hold || self.allowed < f64::from(self.configured))
    }

    /// Until when no call leaves, and when the configured rate is back where nobody asks again.
    pub fn ends(&self) -> (Duration, Duration) {
        let (mut rate, mut full) = (self.allowed, self.clean_since);
        while rate < f64::from(self.configured) {
            rate *= RISE;
            full += CLEAN;
        }
        (self.hold, full.max(self.hold))
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

    /// The server asked to slow down, in the answer to a call that left at `left`: half the rate, and a pause. A call that
    /// left before the rate was halved last can only make the pause longer, where the server says how long. Whether the rate
    /// was halved.
    pub fn slow_down(&mut self, wish: Option<Duration>, left: Duration, now: Duration) -> bool {
        self.refill(now);
        let counts = self.slowed.is_none_or(|at| left > at);
        if counts || wish.is_some() {
            self.hold = self.hold.max(now + wish.unwrap_or(PLAIN_HOLD).min(LONGEST_HOLD));
            self.clean_since = self.hold;
        }
        if counts {
            self.slowed = Some(now);
            self.allowed = (self.allowed / 2.0).max(1.0);
            self.tokens = self.tokens.min(burst(self.allowed));
        }
        counts
    }

    fn refill(&mut self, now: Duration) {
        let ceiling = f64::from(self.configured);
        while self.allowed < ceiling && now.saturating_sub(self.clean_since) >= CLEAN {
            self.clean_since += CLEAN;
            self.allowed = (self.allowed * RISE).min(ceiling);
        }
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed * self.allowed / 60.0).min(burst(self.allowed));
    }
}

fn burst(allowed: f64) -> f64 {
    (allowed / 12.0).clamp(1.0, BURST)
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
        assert!(bucket.slow_down(Some(s(999_999)), s(0), s(0)));
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
    fn answers_of_calls_that_left_before_a_slow_down_are_one_wish() {
        let mut bucket = Bucket::new(600, s(0));
        // Eight calls in flight, all refused with a wait, one after the other.
        assert!(bucket.slow_down(Some(s(7)), s(0), s(1)));
        for at in 2..9 {
            assert!(!bucket.slow_down(Some(s(3)), s(0), s(at)), "{at}");
        }
        assert_eq!(bucket.allowed(), 300);
        assert_eq!(bucket.take(s(8)), Err(s(3)), "the last of them asked for three seconds more");
        assert_eq!(bucket.ends(), (s(11), s(11 + 8 * 60)), "half the rate is made good within eight minutes");
        // One that names no time makes nothing longer.
        assert!(!bucket.slow_down(None, s(1), s(10)));
        assert!(bucket.take(s(11)).is_ok());
        // A call that left since is another wish.
        assert!(bucket.slow_down(None, s(11), s(12)));
        assert_eq!((bucket.allowed(), bucket.take(s(12))), (150, Err(s(5))));
        assert!(bucket.is_slowed(s(600)));
        assert!(!bucket.is_slowed(s(3600)));
        bucket.set(60, s(3600));
        assert_eq!((bucket.allowed(), bucket.configured()), (60, 60));
    }

    #[test]
    fn a_slow_pace_has_a_small_burst() {
        let mut bucket = Bucket::new(6, s(0));
        assert_eq!(drain(&mut bucket, s(0)), 1);
        assert_eq!(bucket.take(s(0)), Err(s(10)));
        let mut bucket = Bucket::new(60, s(0));
        bucket.set(6, s(0));
        assert_eq!(drain(&mut bucket, s(0)), 1, "what was saved up under a faster pace is gone");
        let mut bucket = Bucket::new(24, s(0));
        bucket.slow_down(Some(s(1)), s(0), s(0));
        assert_eq!(drain(&mut bucket, s(1)), 1);
    }
}
