//! What the kernel says about a process, what a flush costs, and where percentiles lie.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Ticks of `/proc/PID/stat` a second: 100 on every Linux.
const TICKS: u64 = 100;

/// Processor time a process has used; `None` is this one. Zero where `/proc` does not say.
pub fn cpu(pid: Option<u32>) -> Duration {
    let path = pid.map_or("/proc/self/stat".to_owned(), |pid| format!("/proc/{pid}/stat"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let after_name = text.rsplit(") ").next().unwrap_or_default();
    let ticks: u64 = after_name.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// A line of `/proc/self/status` in bytes: `VmHWM` is the peak, `VmRSS` the present.
pub fn memory(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Lets the peak start again from the present.
pub fn forget_peak() {
    // Where this is not allowed the peak is that of the process so far: too high, never too low.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Times of appending 400 bytes and making them durable: the floor under every durable append.
pub fn flushes(dir: &Path, n: usize) -> std::io::Result<Vec<Duration>> {
    let path = dir.join("flush");
    let mut file = std::fs::File::create(&path)?;
    let mut times = Vec::with_capacity(n);
    for _ in 0..n {
        let since = Instant::now();
        file.write_all(&[7; 400])?;
        file.sync_data()?;
        times.push(since.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(times)
}

/// Durations of one kind, for percentiles.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Notes one.
    pub fn note(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time below which this share (of 100) lies, in milliseconds; NaN when there is none.
    pub fn percentile(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len().saturating_sub(1)) * percent / 100;
        self.0.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    }
}

impl From<Vec<Duration>> for Times {
    fn from(times: Vec<Duration>) -> Self {
        Self(times)
    }
}

/// Bytes below a directory.
pub fn bytes_below(dir: &Path) -> u64 {
    skydeck::store::file::size_of(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_members_of_the_list() {
        let mut times = Times::from((1..=100).map(Duration::from_millis).collect::<Vec<_>>());
        assert!((times.percentile(50) - 50.0).abs() < 0.01);
        assert!((times.percentile(99) - 99.0).abs() < 0.01);
        assert!(Times::default().percentile(50).is_nan());
    }

    #[test]
    fn this_process_has_memory() {
        // Read in this order: the peak may only have grown since.
        let now = memory("VmRSS");
        assert!(now > 1 << 20 && memory("VmHWM") >= now);
    }
}
