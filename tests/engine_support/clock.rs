//! A clock on tokio's (paused) time: the true time, the monotonic clock of the process at work, a wall clock that can be
//! stepped, and the clock of a machine that can be started anew.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skydeck::domain::time::{Clock, Ts};
use tokio::time::Instant;

/// Which start of a machine, and how long it had run when the true time began; negative for one that began later.
struct Machine {
    start: u64,
    ahead_ms: i64,
}

pub struct TokioClock {
    start: Instant,
    base: i64,
    pub step: AtomicI64,
    /// The true time at which the process at work began.
    process: Mutex<Duration>,
    /// `None`: of an operating system that tells nothing of the kind.
    machine: Mutex<Option<Machine>>,
    /// How many starts there were: no two are named alike.
    starts: AtomicU64,
}

impl TokioClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            base: 1_790_000_000_000,
            step: AtomicI64::new(0),
            process: Mutex::default(),
            machine: Mutex::new(Some(Machine { start: 1, ahead_ms: 77_000 })),
            starts: AtomicU64::new(1),
        })
    }

    /// The true time, which nothing steps or starts anew.
    pub fn start_elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn elapsed_ms(&self) -> i64 {
        self.start.elapsed().as_millis() as i64
    }

    /// Another process counts its monotonic time from its own beginning.
    pub fn new_process(&self) {
        *self.process.lock().unwrap() = self.start.elapsed();
    }

    /// The machine starts anew: another start, which has run for so many milliseconds now. A large number is another machine.
    pub fn reboot(&self, ran_ms: u64) {
        let start = self.starts.fetch_add(1, Ordering::SeqCst) + 1;
        *self.machine.lock().unwrap() = Some(Machine { start, ahead_ms: ran_ms as i64 - self.elapsed_ms() });
    }

    /// Nothing is known of the machine's start any more.
    pub fn forget_boot(&self) {
        *self.machine.lock().unwrap() = None;
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Ts {
        Ts(self.base + self.elapsed_ms() + self.step.load(Ordering::SeqCst))
    }
    fn mono(&self) -> Duration {
        self.start.elapsed().saturating_sub(*self.process.lock().unwrap())
    }
    fn boot(&self) -> Option<(String, u64)> {
        let machine = self.machine.lock().unwrap();
        machine.as_ref().map(|m| (format!("start-{}", m.start), (self.elapsed_ms() + m.ahead_ms).max(0) as u64))
    }
}
