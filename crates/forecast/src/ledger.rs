//! Whether unresolved bills of a cause become more from day to day.
//!
//! Invariant: a day is judged once, when it is over; no more causes are followed than a ledger shows.

use serde::{Deserialize, Serialize};

use crate::bars::{Episode, Sum};

/// Causes that are followed, at most: the one that was still longest makes room.
const MOST: usize = 16;
/// Days before a cause is judged.
const RIPE: u32 = 10;
/// What is learned keeps this weight from day to day.
const KEEP: f64 = 0.96;
const SLACK: f64 = 0.5;
/// Fewer bills more than this in all are no growth.
const FEW: f64 = 4.0;

/// One cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Column and cause.
    pub name: String,
    /// Mean square of what a day adds.
    square: f64,
    days: u32,
    up: Sum,
    /// Days since anything happened.
    still: u32,
    pub episode: Option<Episode>,
    /// Bills that left since the episode began.
    pub left: f64,
}

/// The causes of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    pub groups: Vec<Group>,
    days: u32,
}

/// What came and went of one cause on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Column and cause.
    pub group: String,
    /// Came.
    pub entered: u64,
    /// Left.
    pub left: u64,
}

impl Ledger {
    /// Takes a day that is over; `at` is its end. Gives how many alarms begin.
    pub fn day(&mut self, moved: &[Moved], at: i64, target: f64) -> u32 {
        self.days = self.days.saturating_add(1);
        for one in moved {
            if !self.groups.iter().any(|group| group.name == one.group) {
                self.make_room();
                self.groups.push(Group::new(&one.group));
            }
        }
        let days = self.days;
        let of =
            |group: &Group| moved.iter().find(|one| one.group == group.name).map_or((0, 0), |m| (m.entered, m.left));
        let mut alarms = 0;
        for group in &mut self.groups {
            let (entered, left) = of(group);
            alarms += u32::from(group.day((entered as f64, left as f64), (at, days >= RIPE, target)));
        }
        alarms
    }

    fn make_room(&mut self) {
        if self.groups.len() >= MOST {
            let longest = (0..).zip(&self.groups).max_by_key(|(_, group)| group.still).map(|(at, _)| at);
            if let Some(at) = longest {
                self.groups.remove(at);
            }
        }
    }

    /// Days seen, of those wanted.
    pub fn ripe(&self) -> (u32, u32) {
        (self.days, RIPE)
    }

    /// A person said that the growth of a cause is no alarm; gives whether it stood.
    pub fn deny(&mut self, name: &str) -> bool {
        let Some(group) = self.groups.iter_mut().find(|group| group.name == name) else { return false };
        let Some(open) = group.episode.as_mut().filter(|open| open.told && !open.denied) else { return false };
        open.denied = true;
        group.up.raise();
        true
    }
}

impl Group {
    fn new(name: &str) -> Self {
        let (name, up) = (name.to_owned(), Sum::new(7.0));
        Self { name, square: 4.0, days: 0, up, still: 0, episode: None, left: 0.0 }
    }

    fn day(&mut self, (entered, left): (f64, f64), (at, ripe, target): (i64, bool, f64)) -> bool {
        let more = entered - left;
        self.still = if entered + left > 0.0 { 0 } else { self.still.saturating_add(1) };
        let sd = self.square.sqrt().max(1.0);
        let over = self.up.add((more / sd).clamp(-4.0, 4.0), SLACK);
        if self.up.is_zero() {
            (self.episode, self.left) = (None, 0.0);
        } else {
            let episode = self.episode.get_or_insert_with(|| Episode::new(at - crate::spans::DAY));
            episode.add(entered, 0.0);
            self.left += left;
        }
        let grown = self.episode.map_or(0.0, |episode| episode.seen - self.left);
        let alarms = ripe && over && grown >= FEW && self.episode.is_some_and(|episode| !episode.told);
        if alarms && let Some(episode) = &mut self.episode {
            episode.told = true;
        }
        self.up.turn(target, alarms);
        let cut = more.clamp(-3.0 * sd, 3.0 * sd);
        self.days = self.days.saturating_add(1);
        let share = (1.0 - KEEP).max(1.0 / f64::from(self.days + 3));
        self.square += share * (cut * cut - self.square);
        alarms
    }
}
