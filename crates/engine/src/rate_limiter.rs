//! The token bucket of one environment, as plain arithmetic over monotonic time.
//!
//! Invariant: never more calls than the configured rate; the server's wish to slow down is obeyed, but clamped, and counted
//! once for all calls that had left when it was taken. A wish now and then costs little: the rate is halved at most once in
//! so many answers, never far below what the server has just borne, and each good answer raises it again.

use std::collections::VecDeque;
use std::time::Duration;

/// Longest wait a server may ask for.
pub const LONGEST_HOLD: Duration = Duration::from_secs(15 * 60);
/// Wait when the server says slow down without saying how long; from the third in a row without a good answer on, twice as
/// long each.
const PLAIN_HOLD: Duration = Duration::from_millis(250);
/// Longest such wait.
const PLAIN_MOST: Duration = Duration::from_secs(30);
/// Calls that may go at once after a pause.
const BURST: f64 = 5.0;
/// Without a wish to slow down for so long, the rate rises by [`RISE`], whether anything is called or not.
const CLEAN: Duration = Duration::from_secs(30);
/// By what the rate rises then.
const RISE: f64 = 2.0;
/// Good answers that bring back a rate of [`USABLE`] times what was reached.
const STEPS: f64 = 30.0;
/// Answers between two halvings, at least.
const BETWEEN: u32 = 20;
/// Wishes without any good answer between them that halve the rate before that.
const DEAF: u32 = 4;
/// Part of the rate reached that is left, at least.
const LEFT: f64 = 0.125;
/// A rate that is so many times the one reached limits nothing.
const USABLE: f64 = 2.0;
/// The rate reached is the best of spans of this length.
const SPAN: Duration = Duration::from_secs(10);
/// Spans that are looked at.
const SPANS: u64 = 60;
/// Good answers in them before they tell a rate.
const TELLING: u32 = 20;

/// The bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    configured: u32,
    allowed: f64,
    tokens: f64,
    at: Duration,
    hold: Duration,
    clean_since: Duration,
    /// When a wish was counted last: what left before says nothing about the rate since.
    asked: Option<Duration>,
    /// Wishes counted since the last good answer.
    in_a_row: u32,
    /// Good answers, and wishes counted, since the rate was halved last.
    since: (u32, u32),
    /// Good answers by span.
    good: VecDeque<(u64, u32)>,
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
            asked: None,
            in_a_row: 0,
            since: (0, 0),
            good: VecDeque::new(),
        }
    }

    /// Changes the configured rate.
    pub fn set(&mut self, per_minute: u32, now: Duration) {
        self.refill(now);
        self.configured = per_minute.max(1);
        self.allowed = f64::from(self.configured);
    }

    /// Calls a minute allowed as of the last look at it.
    pub fn allowed(&self) -> u32 {
        self.allowed as u32
    }

    /// Calls a minute that are allowed while nobody asks to slow down.
    pub fn configured(&self) -> u32 {
        self.configured
    }

    /// How fast calls may go now: a minute, and at once after a pause.
    pub fn pace(&mut self, now: Duration) -> (f64, f64) {
        self.refill(now);
        (self.allowed, burst(self.allowed))
    }

    /// Whether the server's wish to slow down is still felt.
    pub fn is_slowed(&mut self, now: Duration) -> bool {
        self.refill(now);
        now < self.hold || self.allowed < f64::from(self.configured)
    }

    /// Until when no call leaves, and when the configured rate is back at the latest, where nobody asks again: good answers
    /// bring it back earlier.
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

    /// A call that left at `left` was answered, and the server did not ask to slow down.
    pub fn answered(&mut self, left: Duration, now: Duration) {
        self.refill(now);
        let span = now.as_secs() / SPAN.as_secs();
        match self.good.back_mut() {
            Some((last, n)) if *last == span => *n += 1,
            _ => self.good.push_back((span, 1)),
        }
        while self.good.front().is_some_and(|(first, _)| first + SPANS <= span) {
            self.good.pop_front();
        }
        if self.asked.is_none_or(|at| left > at) {
            self.in_a_row = 0;
            self.since.0 = self.since.0.saturating_add(1);
            self.allowed = (self.allowed + self.usable() / STEPS).min(f64::from(self.configured));
        }
    }

    /// The server asked to slow down, in the answer to a call that left at `left`: a pause, and half the rate, where that was
    /// not done for one of the last answers. A call that left before the last wish was counted can only make the pause longer,
    /// where the server says how long. Whether the rate was halved.
    pub fn slow_down(&mut self, wish: Option<Duration>, left: Duration, now: Duration) -> bool {
        self.refill(now);
        let counts = self.asked.is_none_or(|at| left > at);
        if counts {
            self.asked = Some(now);
            self.since.1 = self.since.1.saturating_add(1);
        }
        if counts || wish.is_some() {
            let plain = PLAIN_HOLD.saturating_mul(1 << self.in_a_row.saturating_sub(1).min(16)).min(PLAIN_MOST);
            self.hold = self.hold.max(now + wish.unwrap_or(plain).min(LONGEST_HOLD));
            self.clean_since = self.hold;
        }
        self.in_a_row += u32::from(counts);
        let (good, bad) = self.since;
        let is_whole = self.allowed >= f64::from(self.configured);
        let halves = counts && (is_whole || good + bad >= BETWEEN || (good == 0 && bad >= DEAF));
        if halves {
            self.since = (0, 0);
            let least = (self.reached().unwrap_or(0.0) * LEFT).max(1.0);
            self.allowed = (self.allowed.min(self.usable()) / 2.0).max(least).min(f64::from(self.configured));
        }
        halves
    }

    /// Good answers a minute in the best span of late, where there were enough to tell.
    fn reached(&self) -> Option<f64> {
        let oldest = (self.at.as_secs() / SPAN.as_secs()).saturating_sub(SPANS - 1);
        let spans = || self.good.iter().filter(|(span, _)| *span >= oldest).map(|(_, n)| *n);
        let best = f64::from(spans().max()?) * 60.0 / SPAN.as_secs_f64();
        (spans().sum::<u32>() >= TELLING).then_some(best)
    }

    /// The rate above which there is nothing to gain.
    fn usable(&self) -> f64 {
        let configured = f64::from(self.configured);
        self.reached().map_or(configured, |reached| (reached * USABLE).min(configured))
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
mod tests;
