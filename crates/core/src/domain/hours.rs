//! What happened in an hour, counted from facts: for pages that show a day, and for whoever looks for what is usual.
//!
//! Invariant: the counts of disjoint facts add up, in any order; a day is the sum of its hours.

use serde::{Deserialize, Serialize};

use super::bill::Slot;
use super::run::{RunKind, Tally};
use super::time::Ts;
use super::transition::{BillChange, Change};
use super::zone::Zone;

/// Milliseconds of an hour.
pub const HOUR: i64 = 3_600_000;

/// How far the hours of a zone begin behind those of universal time, in seconds: most zones are whole hours ahead of it, some
/// are half an hour off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phase(pub u16);

impl Phase {
    /// Of a zone, as it is at a moment.
    pub fn of(zone: &Zone, at: Ts) -> Self {
        let ahead = i64::from(zone.ahead_of_utc(at.0.div_euclid(1000)));
        Self(u16::try_from((-ahead).rem_euclid(HOUR / 1000)).unwrap_or(0))
    }

    /// When the hour of a moment began.
    pub fn hour_of(self, at: Ts) -> Ts {
        let phase = i64::from(self.0) * 1000;
        Ts(at.0.saturating_sub(phase).div_euclid(HOUR).saturating_mul(HOUR).saturating_add(phase))
    }
}

/// One hour of the runs of one kind of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// When it began: a full hour in the plan's zone.
    pub begins: Ts,
    /// Which runs.
    pub kind: RunKind,
    /// What happened in them.
    pub counts: Counts,
}

/// What happened, counted. A bill that was unknown and then found audited counts in `told` twice, and once in `withdrawn`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Runs that began.
    pub runs: u64,
    /// Bills that came into runs.
    pub found: u64,
    /// Outcomes that were told, by column and group, in this order.
    pub told: Vec<Told>,
    /// Outcomes that hold no more, by the column they stood in: of unknown bills of which something became known, and of
    /// successes that reads contradict.
    pub withdrawn: Vec<Told>,
    /// Calls that change something which left.
    pub calls: u64,
    /// Calls that were answered.
    pub answers: u64,
    /// Milliseconds they took together.
    pub call_ms: u64,
    /// Entries that came into the ledger, or came there under another cause, by column and group.
    #[serde(default)]
    pub entered: Vec<Told>,
    /// Entries that left the ledger, or the cause they stood under, by column and group.
    #[serde(default)]
    pub left: Vec<Told>,
    /// How many of both only changed their cause.
    #[serde(default)]
    pub regrouped: u64,
}

/// An entry of the ledger as it is counted: its column and its group.
pub type LedgerPlace<'a> = (Slot, &'a str);

/// How many bills came into a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Column.
    pub slot: Slot,
    /// The cause of a failure, the reason of a skip, the way of not knowing; empty where there is none, or where the bills
    /// are kept no longer.
    pub group: String,
    /// So many.
    pub bills: u64,
}

fn add(list: &mut Vec<Told>, slot: Slot, group: &str, bills: u64) {
    match list.binary_search_by(|told| (told.slot, told.group.as_str()).cmp(&(slot, group))) {
        Ok(at) => {
            if let Some(told) = list.get_mut(at) {
                told.bills = told.bills.saturating_add(bills);
            }
        }
        Err(at) => list.insert(at, Told { slot, group: group.to_owned(), bills }),
    }
}

fn sum(list: &[Told]) -> u64 {
    list.iter().map(|told| told.bills).sum()
}

impl Counts {
    /// Counts what a fact changed.
    pub fn take(&mut self, change: &Change<'_>) {
        match change {
            Change::Opened(_) => self.runs = self.runs.saturating_add(1),
            Change::Found { bills, .. } => self.found = self.found.saturating_add(bills.len() as u64),
            Change::Bill { change, .. } => self.take_bill(change),
            Change::Gone { gone, .. } => self.take_gone(gone),
            Change::Nothing
            | Change::Run { .. }
            | Change::Resolved { .. }
            | Change::Reopened { .. }
            | Change::NotUnderstood(_) => {}
        }
    }

    fn take_bill(&mut self, change: &BillChange<'_>) {
        match change {
            BillChange::Tried { step, .. } => self.calls = self.calls.saturating_add(u64::from(step.writes())),
            BillChange::Answered { step, ms, .. } if step.writes() => {
                self.answers = self.answers.saturating_add(1);
                self.call_ms = self.call_ms.saturating_add(u64::from(*ms));
            }
            BillChange::Answered { .. }
            | BillChange::Read { .. }
            | BillChange::Deferred { .. }
            | BillChange::Settled { .. } => {}
        }
        let Some((from, to)) = change.moves() else { return };
        if from != Slot::Waiting {
            add(&mut self.withdrawn, from, "", 1);
        }
        if let BillChange::Settled { outcome, .. } = change {
            add(&mut self.told, to, &outcome.group().unwrap_or_default(), 1);
        }
    }

    /// The sum of bills that are kept no longer: nothing else is left of them.
    fn take_gone(&mut self, gone: &Tally) {
        self.found = self.found.saturating_add(gone.found);
        for slot in Slot::ALL {
            let bills = gone.get(slot);
            if slot != Slot::Waiting && bills > 0 {
                add(&mut self.told, slot, "", bills);
            }
        }
    }

    /// Counts that an entry came into the ledger.
    pub fn enters(&mut self, (slot, group): LedgerPlace<'_>) {
        add(&mut self.entered, slot, group, 1);
    }

    /// Counts that an entry left the ledger.
    pub fn leaves(&mut self, (slot, group): LedgerPlace<'_>) {
        add(&mut self.left, slot, group, 1);
    }

    /// Bills that became unresolved.
    pub fn gained(&self) -> u64 {
        sum(&self.entered).saturating_sub(self.regrouped)
    }

    /// Bills that were resolved: by an outcome, or by a person.
    pub fn solved(&self) -> u64 {
        sum(&self.left).saturating_sub(self.regrouped)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes away what was counted before: of one hour, what stood in it at an earlier moment.
    #[must_use]
    pub fn without(&self, before: &Self) -> Self {
        let less = |list: &[Told], before: &[Told]| {
            let was = |told: &Told| before.iter().find(|b| (b.slot, &b.group) == (told.slot, &told.group));
            let rest = list.iter().map(|told| Told {
                bills: told.bills.saturating_sub(was(told).map_or(0, |was| was.bills)),
                ..told.clone()
            });
            rest.filter(|told| told.bills > 0).collect()
        };
        Self {
            runs: self.runs.saturating_sub(before.runs),
            found: self.found.saturating_sub(before.found),
            told: less(&self.told, &before.told),
            withdrawn: less(&self.withdrawn, &before.withdrawn),
            calls: self.calls.saturating_sub(before.calls),
            answers: self.answers.saturating_sub(before.answers),
            call_ms: self.call_ms.saturating_sub(before.call_ms),
            entered: less(&self.entered, &before.entered),
            left: less(&self.left, &before.left),
            regrouped: self.regrouped.saturating_sub(before.regrouped),
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        for told in &other.entered {
            add(&mut self.entered, told.slot, &told.group, told.bills);
        }
        for told in &other.left {
            add(&mut self.left, told.slot, &told.group, told.bills);
        }
        self.regrouped = self.regrouped.saturating_add(other.regrouped);
        self.runs = self.runs.saturating_add(other.runs);
        self.found = self.found.saturating_add(other.found);
        self.calls = self.calls.saturating_add(other.calls);
        self.answers = self.answers.saturating_add(other.answers);
        self.call_ms = self.call_ms.saturating_add(other.call_ms);
        for told in &other.told {
            add(&mut self.told, told.slot, &told.group, told.bills);
        }
        for told in &other.withdrawn {
            add(&mut self.withdrawn, told.slot, &told.group, told.bills);
        }
    }

    /// Outcomes of a column that hold: those told, without those withdrawn.
    pub fn of(&self, slot: Slot) -> i64 {
        let of = |list: &[Told]| -> u64 { list.iter().filter(|told| told.slot == slot).map(|told| told.bills).sum() };
        of(&self.told).cast_signed().saturating_sub(of(&self.withdrawn).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Ts {
        Ts(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
    }

    #[test]
    fn an_hour_begins_when_the_clocks_of_the_zone_say_so() {
        for (zone, moment, begins) in [
            ("Asia/Shanghai", "2025-11-20T10:59:59.999+08:00", "2025-11-20T10:00:00+08:00"),
            ("Asia/Shanghai", "2025-11-20T11:00:00+08:00", "2025-11-20T11:00:00+08:00"),
            ("Asia/Kolkata", "2025-11-20T10:59:59+05:30", "2025-11-20T10:00:00+05:30"),
            ("Asia/Kathmandu", "2025-11-20T10:00:00+05:45", "2025-11-20T10:00:00+05:45"),
            ("America/St_Johns", "2025-11-20T10:29:00-03:30", "2025-11-20T10:00:00-03:30"),
            ("UTC", "1969-12-31T23:30:00+00:00", "1969-12-31T23:00:00+00:00"),
        ] {
            let phase = Phase::of(&zone.parse().unwrap(), at(moment));
            assert_eq!(phase.hour_of(at(moment)), at(begins), "{zone} {moment}");
        }
    }

    #[test]
    fn sums_do_not_ask_in_which_order_they_are_added() {
        let told = |slot, group: &str, bills| Told { slot, group: group.into(), bills };
        let counts = |n: u64, list: Vec<Told>| Counts { runs: n, told: list, ..Counts::default() };
        let one = counts(1, vec![told(Slot::Failed, "stock", 2), told(Slot::Unknown, "broken", 1)]);
        let two =
            counts(2, vec![told(Slot::Done, "", 5), told(Slot::Failed, "lock", 1), told(Slot::Failed, "stock", 1)]);
        let (mut a, mut b) = (one.clone(), two.clone());
        a.add(&two);
        b.add(&one);
        assert_eq!(a, b);
        let failed = a.told.iter().filter(|told| told.slot == Slot::Failed);
        assert_eq!(
            failed.map(|told| (told.group.as_str(), told.bills)).collect::<Vec<_>>(),
            [("lock", 1), ("stock", 3)]
        );
        assert_eq!((a.runs, a.of(Slot::Failed), a.of(Slot::Done), a.of(Slot::Skipped)), (3, 4, 5, 0));
    }
}
