//! The `skydeck` object of a plan file: the policy that the vendor's form does not hold.
//!
//! Invariant: an unknown key is an error with a suggestion, because a misspelt limit would silently be none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use skydeck_core::domain::plan::{Approver, Missed, Policy, RetryUnchanged, Schedule};

use super::make::{MakePolicy, SendPolicy};
use super::problem::handed_in::HandedInProblem;
use super::problem::{Belongs, Problem, Suggest, Wanted};
use super::reading::Findings;
use super::source::{self, MAX_PAGE, is_path};
use super::{effect, schedule, vendor};
use skydeck_core::domain::suggest::nearest;

/// Keys of the object. The schema and the docs name the same ones.
pub const KEYS: [&str; 32] = [
    "env",
    "target_env",
    "page_size",
    "batch",
    "submit",
    "overlap",
    "sweep_hours",
    "max_attempts",
    "carry_over",
    "confirm_every",
    "retry_unchanged",
    "schedule",
    "labels",
    "id",
    "number",
    "done",
    "mine",
    "key",
    "steps",
    "link",
    "compare",
    "probe",
    "tables",
    "collect",
    "take",
    "list",
    "record",
    "call",
    "ok",
    "answer",
    "look",
    "token",
];

/// Keys of `skydeck.schedule`.
pub const SCHEDULE_KEYS: [&str; 5] = ["cron", "zone", "missed", "approve", "production"];

/// Bills a call at most: a batch whose answer is lost leaves this many bills unknown.
pub const MAX_BATCH: u32 = 100;

/// Automatic repeats at most.
pub const MAX_ATTEMPTS: u32 = 10;

/// Successes read back together at most: as many as one read asks for.
pub const MAX_CONFIRM_EVERY: u32 = 200;

/// Hours between sweeps at most: a year.
pub const MAX_SWEEP_HOURS: u32 = 8760;

/// Overlap at most: thirty days.
pub const MAX_OVERLAP: Duration = Duration::from_secs(30 * 24 * 3600);

/// Zone of a schedule that names none: where Kingdee servers stand as a rule.
pub const DEFAULT_ZONE: &str = "Asia/Shanghai";

/// The policy as far as the file gives it.
#[derive(Default)]
pub struct PolicyRead {
    pub policy: Policy,
    /// Given in the file; otherwise the source's own page size stands.
    pub page_size: Option<u32>,
    pub env: Option<String>,
    pub target_env: Option<String>,
    /// Column key → label for people.
    pub labels: BTreeMap<String, String>,
    pub id: Option<String>,
    pub number: Option<String>,
    /// `done` stands in the file, whether it could be read or not.
    pub declares_done: bool,
    /// What it says of a plan that makes bills.
    pub make: MakePolicy,
    /// What only plans that send records to another system say.
    pub send: SendPolicy,
    /// The plan calls nothing.
    pub collect: bool,
    /// The name of the records that are handed in.
    pub take: Option<String>,
    /// How the records are listed by another system.
    pub list: Option<Box<source::ListPolicy>>,
    /// Keys that the file gives.
    pub given: BTreeSet<String>,
}

/// Reads `skydeck` from the top of a plan file; absent means defaults.
pub fn read(top: &Map<String, Value>, findings: &mut Findings) -> PolicyRead {
    let mut out = PolicyRead::default();
    let map = match top.get("skydeck") {
        None | Some(Value::Null) => {
            if let Some(near) =
                top.keys().find(|k| k.eq_ignore_ascii_case("skydeck") || *k == "skydec" || *k == "skydesk")
            {
                findings.refuse(near.as_str(), Problem::PolicyMisspelt { key: near.clone() });
            }
            return out;
        }
        Some(Value::Object(map)) => map,
        Some(_) => {
            findings.refuse("skydeck", Problem::PolicyNotAnObject);
            return out;
        }
    };
    for (key, value) in map {
        out.given.insert(key.clone());
        let mut at = At { path: format!("skydeck.{key}"), findings };
        match key.as_str() {
            "env" => out.env = at.name(value),
            "target_env" => out.target_env = at.name(value),
            "page_size" => {
                out.page_size = at.count(value, 1, MAX_PAGE);
                out.policy.page_size = out.page_size.unwrap_or(out.policy.page_size);
            }
            "batch" => out.policy.batch = at.count(value, 1, MAX_BATCH).unwrap_or(out.policy.batch),
            "submit" => out.policy.submit = at.truth(value).unwrap_or(out.policy.submit),
            "overlap" => out.policy.overlap = at.duration(value).unwrap_or(out.policy.overlap),
            "sweep_hours" => {
                out.policy.sweep_hours = at.count(value, 0, MAX_SWEEP_HOURS).unwrap_or(out.policy.sweep_hours);
            }
            "max_attempts" => {
                out.policy.max_attempts = at.count(value, 0, MAX_ATTEMPTS).unwrap_or(out.policy.max_attempts);
            }
            "carry_over" => out.policy.carry_over = at.truth(value).unwrap_or(out.policy.carry_over),
            "confirm_every" => {
                out.policy.confirm_every = at.count(value, 1, MAX_CONFIRM_EVERY).unwrap_or(out.policy.confirm_every);
            }
            "retry_unchanged" => {
                out.policy.retry_unchanged = at.retry_unchanged(value).unwrap_or(out.policy.retry_unchanged);
            }
            "schedule" => out.policy.schedule = at.schedule(value),
            "collect" => out.collect = at.truth(value).unwrap_or_default(),
            "take" => match source::name_of(value) {
                Some(name) => out.take = Some(name),
                None => at.findings.refuse(at.path, HandedInProblem::Shape { value: value.to_string() }),
            },
            "list" => out.list = source::list_policy(value, &at.path, at.findings).map(Box::new),
            "labels" => out.labels = at.labels(value),
            "id" => out.id = at.path(value),
            "number" => out.number = at.path(value),
            "done" | "mine" if value.is_null() => {}
            "done" => {
                out.declares_done = true;
                out.policy.done = effect::done(value, &at.path, at.findings);
            }
            "mine" => out.policy.mine = effect::mine(value, &at.path, at.findings),
            other => {
                let made = out.make.take((other, value), &at.path, at.findings);
                if !made && !out.send.take((other, value), &at.path, at.findings) {
                    at.unknown(other, &KEYS);
                }
            }
        }
    }
    out
}

/// A value with its place, for saying what is wrong with it.
struct At<'a> {
    path: String,
    findings: &'a mut Findings,
}

impl At<'_> {
    fn refuse<T>(&mut self, value: &Value, want: Wanted) -> Option<T> {
        self.findings.refuse(self.path.clone(), Problem::CannotStand { value: value.to_string(), want });
        None
    }

    fn unknown(&mut self, key: &str, known: &'static [&'static str]) {
        let belongs = match key.to_ascii_lowercase().as_str() {
            "flags" | "interationflags" | "interaction_flags" => Belongs::Run,
            "concurrency" | "per_minute" | "timeout" | "settle" | "canary" => Belongs::Limits,
            "password" | "secret" | "user" | "url" | "app_secret" => Belongs::SignIn,
            _ => Belongs::Nowhere(Suggest { near: nearest(key, known), known }),
        };
        self.findings.refuse(self.path.clone(), Problem::UnknownKey { key: key.to_owned(), belongs });
    }

    fn name(&mut self, value: &Value) -> Option<String> {
        match value {
            Value::Null => None,
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => self.refuse(value, Wanted::Environment),
        }
    }

    fn path(&mut self, value: &Value) -> Option<String> {
        match value.as_str() {
            Some(text) if is_path(text) => Some(text.to_owned()),
            _ => self.refuse(value, Wanted::Path),
        }
    }

    fn count(&mut self, value: &Value, min: u32, max: u32) -> Option<u32> {
        let n = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (min..=max).contains(n));
        n.or_else(|| self.refuse(value, Wanted::Count { min, max }))
    }

    fn truth(&mut self, value: &Value) -> Option<bool> {
        let truth = value.as_bool().or_else(|| value.as_str().and_then(vendor::truth));
        truth.or_else(|| self.refuse(value, Wanted::Truth))
    }

    fn retry_unchanged(&mut self, value: &Value) -> Option<RetryUnchanged> {
        let known = [RetryUnchanged::Never, RetryUnchanged::Probe, RetryUnchanged::Always];
        let read = known.into_iter().find(|word| value.as_str() == Some(word.word()));
        read.or_else(|| self.refuse(value, Wanted::RetryUnchanged))
    }

    fn duration(&mut self, value: &Value) -> Option<Duration> {
        let read = value.as_str().and_then(duration).filter(|d| *d <= MAX_OVERLAP);
        read.or_else(|| self.refuse(value, Wanted::Span))
    }

    fn labels(&mut self, value: &Value) -> BTreeMap<String, String> {
        let read = value.as_object().map(|map| {
            map.iter().map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect::<Option<BTreeMap<_, _>>>()
        });
        read.flatten().or_else(|| self.refuse(value, Wanted::Labels)).unwrap_or_default()
    }

    fn schedule(&mut self, value: &Value) -> Option<Schedule> {
        let Some(map) = value.as_object() else {
            return if value.is_null() { None } else { self.refuse(value, Wanted::Schedule) };
        };
        let mut out = Schedule { zone: DEFAULT_ZONE.to_owned(), ..Schedule::default() };
        let before = self.findings.blocking.len();
        for (key, value) in map {
            let mut at = At { path: format!("{}.{key}", self.path), findings: self.findings };
            match (key.as_str(), value.as_str()) {
                ("cron", Some(cron)) => match schedule::check(cron) {
                    Ok(()) => cron.clone_into(&mut out.cron),
                    Err(fault) => at.findings.refuse(at.path, fault),
                },
                ("zone", Some(zone)) => match schedule::zone(zone) {
                    Ok(_) => zone.clone_into(&mut out.zone),
                    Err(fault) => at.findings.refuse(at.path, fault),
                },
                ("missed", Some("skip")) => out.missed = Missed::Skip,
                ("missed", Some("once")) => out.missed = Missed::Once,
                ("missed", Some("all")) => out.missed = Missed::All,
                ("missed", _) => drop(at.refuse::<()>(value, Wanted::Missed)),
                ("approve", Some("person")) => out.approve = Approver::Person,
                ("approve", Some("schedule")) => out.approve = Approver::Schedule,
                ("approve", _) => drop(at.refuse::<()>(value, Wanted::Approver)),
                ("production", _) => out.production = at.truth(value).unwrap_or_default(),
                ("cron" | "zone", _) => drop(at.refuse::<()>(value, Wanted::Text)),
                (other, _) => at.unknown(other, &SCHEDULE_KEYS),
            }
        }
        if self.findings.blocking.len() > before {
            return None;
        }
        if out.cron.is_empty() {
            self.findings.refuse(self.path.clone(), Problem::NoCron);
            return None;
        }
        Some(out)
    }
}

/// Reads `90s`, `10m`, `2h`, `1d`, `1h30m` and `0`.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = 0u64;
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    (digits.is_empty() && !text.is_empty()).then_some(Duration::from_secs(total))
}

/// Writes a duration as [`duration`] reads it.
pub fn duration_text(d: Duration) -> String {
    let seconds = d.as_secs();
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];
    match units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit)) {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_the_same() {
        for (text, seconds) in [("10m", 600), ("90s", 90), ("2h", 7200), ("1h30m", 5400), ("1d", 86_400), ("0", 0)] {
            let read = duration(text).unwrap();
            assert_eq!(read.as_secs(), seconds, "{text}");
            assert_eq!(duration(&duration_text(read)), Some(read), "{text}");
        }
        for bad in ["", "10", "m", "10 m", "-1m", "1w", "99999999999999999999s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
