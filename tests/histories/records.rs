//! The records that plans make something of, the people who enter and change them, and what is held against the truth of what
//! was made of them, whatever system it was made in.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use fastrand::Rng;
use serde_json::{Value, json};
use skydeck::domain::bill::Outcome;
use skydeck::domain::ids::{EnvId, Fid, FormId, OpId, RecordKey};

use super::harness::Sums;
use super::oracle::{Found, Real, Wrong};
use super::wire::Wire;
use super::{Around, Story};
use crate::engine_support::FORM;

/// Records of the simulator: those that exist, those that do not yet.
pub struct Records {
    pub wire: Arc<Wire>,
    /// The environment and the form that they are known under.
    pub known: (EnvId, FormId),
    pub ids: Vec<u64>,
    pub coming: Vec<u64>,
}

impl Records {
    /// Half of what there is, most of it audited; the others come later. With the number of each. `made_in`: the environment that
    /// something is made of them in, where it is another one.
    pub fn half(wire: &Arc<Wire>, made_in: Option<&str>, rng: &mut Rng) -> (Self, BTreeMap<u64, String>) {
        let all = wire.admin(&format!("bills?form={FORM}"), &Value::Null);
        let (mut ids, mut coming, mut numbers) = (Vec::new(), Vec::new(), BTreeMap::new());
        for bill in all["bills"].as_array().unwrap() {
            let id = bill["id"].as_u64().unwrap();
            numbers.insert(id, bill["number"].as_str().unwrap().to_owned());
            if rng.bool() {
                if rng.u32(0..3) > 0 {
                    wire.admin("bill", &json!({"id": id, "status": "C"}));
                }
                ids.push(id);
            } else {
                wire.admin("bill", &json!({"id": id, "delete": true}));
                coming.push(id);
            }
        }
        let (here, form) = (EnvId::new("test"), FormId::new(FORM));
        let known = made_in.map_or((here.clone(), form.clone()), |there| (EnvId::new(there), form.read_in(&here)));
        (Self { wire: Arc::clone(wire), known, ids, coming }, numbers)
    }

    /// Somebody enters one of those that are to come, which may be read only a while after its date.
    pub fn enter(&mut self, rng: &mut Rng) -> Option<String> {
        if self.coming.is_empty() {
            return None;
        }
        let id = self.coming.swap_remove(rng.usize(..self.coming.len()));
        let status = ["C", "C", "C", "B"][rng.usize(0..4)];
        let at = self.wire.now_ms() / 1000 - rng.i64(0..110) + 8 * 3600;
        let entered = chrono::DateTime::from_timestamp(at, 0).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string();
        self.wire.admin("bill", &json!({"id": id, "entered": entered, "status": status}));
        self.ids.push(id);
        Some(format!("record {id} is entered as {status}"))
    }

    /// Somebody audits, changes or deletes one, or sets the server's clock: `what` of 4 to 9.
    pub fn change(&self, rng: &mut Rng, what: u32, id: u64) -> Option<String> {
        let (before, _) = self.wire.state(id);
        let change = match (what, before.as_str()) {
            (4 | 5, "B") => json!({"id": id, "status": "C"}),
            (6, "C") => json!({"id": id, "note": format!("edited {}", rng.u32(..))}),
            (7, "C") if rng.u32(0..3) == 0 => json!({"id": id, "date": format!("2026-03-{:02}", rng.u32(1..28))}),
            (8, "B" | "C") if rng.u32(0..6) == 0 => json!({"id": id, "delete": true}),
            (9, _) => {
                let skew = rng.i64(-3_600_000..3_600_000);
                self.wire.admin("clock", &json!({"skew_ms": skew}));
                return Some(format!("the server's clock stands {skew} ms off"));
            }
            _ => return None,
        };
        self.wire.admin("bill", &change);
        Some(format!("others: {change} (it was {before})"))
    }

    /// Whether a plan that makes something of audited records means it.
    pub fn is_meant(&self, id: u64) -> bool {
        self.wire.state(id).0 == "C"
    }

    pub fn fids(&self) -> Vec<Fid> {
        self.ids.iter().copied().map(Fid::from).collect()
    }

    /// Records that the plan means, and of which nothing was made, without a word about it. `real`: what was made under `op`;
    /// `is_done`: whether what is there now is all that was to be made.
    pub fn missed<A: Around>(
        &self,
        story: &Story<A>,
        (op, real): (&OpId, &dyn Real),
        is_done: impl Fn(u64) -> bool,
        sums: &mut Sums,
    ) -> Found {
        let mut wrong = Vec::new();
        for id in self.ids.iter().copied().filter(|id| self.is_meant(*id) && !is_done(*id)) {
            let (env, form) = self.known.clone();
            let record = RecordKey { env, form, fid: Fid::from(id) };
            let work = record.under(op);
            let entry = story.bench.store.ledger_entry(&work).unwrap();
            let outcome = entry.as_ref().and_then(|e| e.row.state.outcome());
            // A person took back what had been done, or deleted it: nothing is done a second time by itself.
            let undone = real.truth(op, &Fid::from(id)).came > 0;
            // Nor where a person looked at it, and closed its entry.
            let closed = story.bench.store.resolved_entry(&work).unwrap().is_some();
            let told =
                closed || matches!(outcome, Some(Outcome::Failed(_) | Outcome::Unknown(_) | Outcome::Skipped(_)));
            sums.operator += u64::from(undone || told);
            if !undone && !told {
                wrong.push((Wrong::Missed, format!("record {id}: nothing was made of it, ledger {entry:?}")));
            }
        }
        wrong
    }
}

/// What one line of a system's record says of something that is made.
pub enum Moved {
    /// It was made; by us, or by somebody else.
    Made { ours: bool },
    /// It is there no more.
    Gone,
}

/// Calls of ours that made something while something stood there under the same key: `moves` of that key, in order.
pub fn doubles(key: &str, moves: impl Iterator<Item = (u32, Moved, String)>) -> Vec<String> {
    let mut there: HashSet<u32> = HashSet::new();
    let mut doubles = Vec::new();
    for (id, moved, line) in moves {
        match moved {
            Moved::Made { ours } => {
                if ours && !there.is_empty() {
                    doubles.push(format!("{key}: applied twice: {line}"));
                }
                there.insert(id);
            }
            Moved::Gone => {
                there.remove(&id);
            }
        }
    }
    doubles
}
