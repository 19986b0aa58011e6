//! Deaths of the process at the numbered points of its way, and wherever the clock hits; then the way to the end.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::place::{PROGRAM, Place};
use super::{admin, run_of};

/// A number of the environment.
pub fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// Leaves so many audited bills for a plan, and takes the others away.
pub fn leave(place: &Place, records: u64) {
    let all = admin(place, "bills?form=SAL_OUTSTOCK&status=C&limit=1000000", &Value::Null);
    for bill in all["bills"].as_array().unwrap().iter().skip(records as usize) {
        admin(place, "bill", &json!({"id": bill["id"], "delete": true}));
    }
    let config = place.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("per_minute = 900", "per_minute = 6000");
    std::fs::write(&config, text).unwrap();
}

/// What came of a death and of the way on.
pub struct Ended {
    /// Seed, point and sum, for messages.
    pub at: String,
    pub out: Output,
    pub sum: Value,
}

/// How many deaths there were, and how often a person was asked.
#[derive(Default)]
pub struct Deaths {
    died: u64,
    asked: u64,
    days: u64,
}

impl Deaths {
    /// The process ends itself at each numbered point, at another call by seed, and is led to the end: `place` of a seed and
    /// `steps` that each record takes, and what is held of it there. `SKYDECK_SEEDS`, `SKYDECK_RECORDS`: how many.
    pub fn each<P>(
        (plan, steps): (&str, u64),
        place: impl Fn(u64) -> P,
        of: impl Fn(&P) -> &Place,
        holds: impl Fn(&P, u64, &Ended),
    ) {
        let (seeds, records) = (number("SKYDECK_SEEDS", 1), number("SKYDECK_RECORDS", 8));
        let mut all = Self::default();
        for seed in 1..=seeds {
            for (at, point) in skydeck::store::fault::CALL.iter().enumerate() {
                let place = place(records);
                let late = if point.contains("settle") { 1 } else { records * steps };
                let nth = 1 + (seed * 7919 + at as u64 * 104_729) % late;
                let ended = all.die(of(&place), plan, (seed, &format!("{point}:{nth}")));
                holds(&place, records, &ended);
            }
        }
        // Points of settling are passed only where something is unknown.
        assert!(all.died >= seeds * 3, "{} deaths are too few", all.died);
        println!(
            "{plan}: {} deaths in {} days at {} points, {seeds} seeds, {records} records each; a person was asked {} times",
            all.died,
            all.days,
            skydeck::store::fault::CALL.len(),
            all.asked
        );
    }

    fn die(&mut self, place: &Place, plan: &str, (seed, fault): (u64, &str)) -> Ended {
        let mut first = Command::new(PROGRAM);
        first.args(["run", plan, "--yes", "--sweep"]).args(place.options()).stdin(Stdio::null());
        let first = first.env("SKYDECK_FAULT", fault).output().unwrap();
        self.days += 1;
        self.died += u64::from(first.status.code().is_none());
        place.verb(&["resume"]);
        // The first call of all tells whether our keys are kept: lost, a person says that nothing was made.
        if run_of(place, plan).1["skipped"] != 0 {
            self.asked += 1;
            place.verb(&["retry", "--yes"]);
        }
        let (out, sum) = run_of(place, plan);
        let ledger = String::from_utf8_lossy(&place.verb(&["ledger"]).stdout).into_owned();
        Ended { at: format!("seed {seed}, {fault}: {sum}\n{ledger}"), out, sum }
    }
}

/// A verb that is killed after a while, unless it ended before.
fn killed(place: &Place, verb: &[&str], after: Duration) {
    let mut child = Command::new(PROGRAM)
        .args(verb)
        .args(place.options())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    // It may have ended: there is nothing to kill then.
    let _ = child.kill();
    child.wait().unwrap();
}

/// Kill -9 wherever the clock hits, again and again; then to the end.
pub fn kills(place: &Place, plan: &str, seed: u64) -> Ended {
    let mut left = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut moment = || {
        left ^= left << 13;
        left ^= left >> 7;
        left ^= left << 17;
        Duration::from_millis(60 + left % 500)
    };
    killed(place, &["run", plan, "--yes", "--sweep"], moment());
    for _ in 0..4 {
        killed(place, &["resume"], moment());
    }
    let resumed = place.verb(&["resume"]);
    // Killed before it was approved, the set waits for its approval.
    let approved = place.verb(&["approve", "--yes"]);
    let ledger = || String::from_utf8_lossy(&place.verb(&["ledger", "--json"]).stdout).into_owned();
    let before = run_of(place, plan).1;
    // A record on which the process died three times is left to a person, who has it sent.
    let left = ledger();
    if before["skipped"] != 0 {
        assert!(left.contains("quarantined"), "seed {seed}: {before}\n{left}");
        place.verb(&["retry", "--yes"]);
    }
    let (out, sum) = run_of(place, plan);
    Ended { at: format!("seed {seed}: {resumed:?} {approved:?} {before} {sum}\n{left}"), out, sum }
}
