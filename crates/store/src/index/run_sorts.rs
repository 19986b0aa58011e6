//! Closed runs by what filters ask of them: runs that answer every filter alike, but for when they began and which they are,
//! are of one sort and stand together. So a filter that no run passes reads one run of each sort, however many there are.
//!
//! Invariant: every closed run stands in exactly one sort, and an open one in none: those are few, and read one by one.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Bound;

use super::Index;
use super::entries::{live_key, run_id_key};
use super::key::{self, DictNo, Key, RunNo, u32_at};
use super::kv::{Kv, Stretch, Walk};
use super::row::{RunLiveRec, run_row};
use crate::StoreError;
use skydeck_core::domain::filter::{Filter, Key as Asked};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::time::Ts;

/// Runs whose ids begin alike that are named one by one, at most; where there are more, all are walked over.
const MOST_NAMED: usize = 4_000;
/// Characters of a run's id.
const ID: usize = 26;

/// Which runs may pass a filter.
pub(super) enum Source {
    /// All behind a prefix: those of a plan, or every run.
    All(Vec<u8>),
    /// These, and those behind each of the prefixes.
    Some {
        /// In order.
        named: Vec<RunNo>,
        /// Sorts.
        sorts: Vec<Vec<u8>>,
    },
}

impl Source {
    /// All runs of a plan; of 0 all of all plans.
    fn of_plan(plan: DictNo) -> Self {
        Self::All(match plan {
            0 => vec![key::RUN],
            plan => Key::new(key::RUN_OF_PLAN).u16(plan).done(),
        })
    }

    /// Whether every run of a plan is among them.
    pub fn is_all(&self) -> bool {
        matches!(self, Self::All(_))
    }

    /// Whether it takes many walks to find the next one.
    pub fn is_wide(&self) -> bool {
        matches!(self, Self::Some { sorts, .. } if sorts.len() > 64)
    }
}

impl<K: Kv> Index<K> {
    /// Runs that may pass a filter: of one plan, of certain sorts, of an id, or all.
    pub(super) fn runs_asked(&self, filter: &Filter, now: Ts) -> Result<Source, StoreError> {
        let plan = self.plan_asked(filter)?;
        if let Some(named) = self.runs_named(filter)? {
            return Ok(Source::Some { named, sorts: Vec::new() });
        }
        if filter.asks_sorts(plan != 0) {
            // The open ones first: one that is closed meanwhile stands in its sort afterwards.
            let named: Result<_, StoreError> = self.run_numbers(&[key::OPEN], None, false).collect();
            return Ok(Source::Some { named: named?, sorts: self.sorts_asked(filter, plan, now)? });
        }
        Ok(Source::of_plan(plan))
    }

    /// Every run, or those of one plan, to be walked over without a look at their sorts.
    pub(super) fn runs_of_plan_asked(&self, filter: &Filter) -> Result<Source, StoreError> {
        Ok(Source::of_plan(self.plan_asked(filter)?))
    }

    /// Sorts of which a run may pass.
    fn sorts_asked(&self, filter: &Filter, plan: DictNo, now: Ts) -> Result<Vec<Vec<u8>>, StoreError> {
        let prefix = match plan {
            0 => vec![key::RUN_SORT],
            plan => Key::new(key::RUN_SORT).u16(plan).done(),
        };
        let high = key::after_prefix(&prefix);
        let high = high.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let (mut low, mut sorts) = (Some(prefix), Vec::new());
        while let Some(from) = low {
            let mut next = self.kv.scan(Stretch::first(Bound::Included(&from), high))?;
            let Some((mut at, _)) = next.pop() else { break };
            let Some(cut) = at.len().checked_sub(size_of::<RunNo>()) else { break };
            let no = u32_at(&at, cut).unwrap_or_default();
            at.truncate(cut);
            low = key::after_prefix(&at);
            let live: Option<RunLiveRec> = self.value(&live_key(no))?;
            if let (Some(rec), Some(live)) = (self.run_rec(no)?, live)
                && filter.may_pass_run_like(&run_row(rec, &live), now)
            {
                sorts.push(at);
            }
        }
        Ok(sorts)
    }

    /// Runs whose ids begin as the filter asks, in order; `None` where it asks for none, or too many are called so.
    pub(super) fn runs_named(&self, filter: &Filter) -> Result<Option<Vec<RunNo>>, StoreError> {
        let Some(words) = filter.words(Asked::Run) else { return Ok(None) };
        let mut named = Vec::new();
        for word in words {
            if word.is_empty() {
                return Ok(None);
            }
            let Some((low, high)) = ids_that_begin(word) else { continue };
            let (low, high) = (Bound::Included(run_id_key(low)), Bound::Included(run_id_key(high)));
            for entry in Walk::new(&self.kv, low, high, false) {
                named.extend(u32_at(&entry?.1, 0));
                if named.len() > MOST_NAMED {
                    return Ok(None);
                }
            }
        }
        named.sort_unstable();
        named.dedup();
        Ok(Some(named))
    }

    /// Numbers of runs behind a prefix beyond one of them.
    pub(super) fn run_numbers(
        &self,
        prefix: &[u8],
        beyond: Option<(RunNo, bool)>,
        down: bool,
    ) -> impl Iterator<Item = Result<RunNo, StoreError>> + use<'_, K> {
        numbers(self.run_walk(prefix, beyond, down), prefix.len())
    }

    fn run_walk(&self, prefix: &[u8], beyond: Option<(RunNo, bool)>, down: bool) -> Walk<'_, K> {
        let mut low = Bound::Included(prefix.to_vec());
        let mut high = key::after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        if let Some((no, with)) = beyond {
            let at = Key::default().raw(prefix).u32(no).done();
            let edge = if with { Bound::Included(at) } else { Bound::Excluded(at) };
            if down { high = edge } else { low = edge }
        }
        Walk::new(&self.kv, low, high, down)
    }

    /// Numbers of the runs of a source beyond one of them.
    pub(super) fn run_stream<'k>(&'k self, source: &Source, beyond: (RunNo, bool), down: bool) -> Stream<'k> {
        let ways: Vec<Numbers<'k>> = match source {
            Source::All(prefix) => vec![Box::new(self.run_numbers(prefix, Some(beyond), down))],
            Source::Some { named, sorts } => {
                let (no, with) = beyond;
                let is_beyond = |other: &RunNo| match other.cmp(&no) {
                    Ordering::Equal => with,
                    Ordering::Less => down,
                    Ordering::Greater => !down,
                };
                let mut named: Vec<RunNo> = named.iter().copied().filter(is_beyond).collect();
                if down {
                    named.reverse();
                }
                let sorts = sorts.iter().map(|sort| -> Numbers<'k> {
                    Box::new(numbers(self.run_walk(sort, Some(beyond), down).few(), sort.len()))
                });
                std::iter::once::<Numbers<'k>>(Box::new(named.into_iter().map(Ok))).chain(sorts).collect()
            }
        };
        Stream { ways, heads: BinaryHeap::new(), down, begun: false, last: None, ahead: VecDeque::new() }
    }
}

/// Numbers of runs, in order.
type Numbers<'k> = Box<dyn Iterator<Item = Result<RunNo, StoreError>> + 'k>;

fn numbers<K: Kv>(walk: Walk<'_, K>, cut: usize) -> impl Iterator<Item = Result<RunNo, StoreError>> {
    walk.filter_map(move |entry| match entry {
        Ok((key, _)) => u32_at(&key, cut).map(Ok),
        Err(error) => Some(Err(error)),
    })
}

/// Numbers of the runs of a source in order, each once; some may be looked at before they are taken.
pub(super) struct Stream<'k> {
    ways: Vec<Numbers<'k>>,
    /// The next number of each way, the one that comes first on top.
    heads: BinaryHeap<(i64, usize)>,
    down: bool,
    begun: bool,
    last: Option<RunNo>,
    ahead: VecDeque<RunNo>,
}

impl Stream<'_> {
    /// The next one.
    pub fn take(&mut self) -> Result<Option<RunNo>, StoreError> {
        match self.ahead.pop_front() {
            Some(no) => Ok(Some(no)),
            None => self.merged(),
        }
    }

    /// The one that comes `n` places later, which stays where it is.
    pub fn peek(&mut self, n: usize) -> Result<Option<RunNo>, StoreError> {
        while self.ahead.len() <= n {
            match self.merged()? {
                Some(no) => self.ahead.push_back(no),
                None => break,
            }
        }
        Ok(self.ahead.get(n).copied())
    }

    fn merged(&mut self) -> Result<Option<RunNo>, StoreError> {
        if !self.begun {
            self.begun = true;
            for way in 0..self.ways.len() {
                self.advance(way)?;
            }
        }
        while let Some((rank, way)) = self.heads.pop() {
            self.advance(way)?;
            let no = RunNo::try_from(rank.abs()).unwrap_or_default();
            // One that was closed while this was read stands in two of them.
            if self.last != Some(no) {
                self.last = Some(no);
                return Ok(Some(no));
            }
        }
        Ok(None)
    }

    fn advance(&mut self, way: usize) -> Result<(), StoreError> {
        if let Some(no) = self.ways.get_mut(way).and_then(Iterator::next) {
            let no = i64::from(no?);
            self.heads.push((if self.down { no } else { -no }, way));
        }
        Ok(())
    }
}

/// The first and the last id that begin so; `None` where no id does.
fn ids_that_begin(word: &str) -> Option<(RunId, RunId)> {
    let word = word.to_lowercase().to_ascii_uppercase();
    // Ids are read more generously than they are written: a letter for a digit, and more than 128 bits.
    let is_meant = |id: &RunId| id.to_string().starts_with(&word);
    let filled =
        |with: &str| format!("{word}{}", with.repeat(ID.checked_sub(word.len())?)).parse().ok().filter(is_meant);
    Some((filled("0")?, filled("Z")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_begin_so_lie_between_the_first_and_the_last_of_them() {
        let id: RunId = "01J9ZQ4T6MQTFR8EJ016KR1XN5".parse().unwrap();
        for word in ["0", "01j9zq", "01J9ZQ4T6MQTFR8EJ016KR1XN5"] {
            let (first, last) = ids_that_begin(word).unwrap();
            assert!(first <= id && id <= last, "{word}");
        }
        assert!(ids_that_begin("01J9ZR").unwrap().0 > id && ids_that_begin("01J9ZP").unwrap().1 < id);
        for word in ["8", "u", "01J9*", "中", "01J9ZQ4T6MQTFR8EJ016KR1XN55"] {
            assert_eq!(ids_that_begin(word), None, "{word}");
        }
    }
}
