//! What a filter asks of the runs of bills, asked once a run: a bill of a run that does not pass is never read.
//!
//! Invariant: a bill that the filter would let pass is never turned away by its run.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Index;
use super::key::RunNo;
use super::kv::Kv;
use super::run_span::RunSpan;
use crate::StoreError;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::time::Ts;

/// What is known of a run.
#[derive(Clone, Copy)]
struct Known {
    /// It tells nothing of its bills.
    untold: bool,
    /// Its bills may pass the filter.
    passes: bool,
}

/// The runs of one page's bills.
pub(super) struct RunGate<'a, K: Kv> {
    index: &'a Index<K>,
    filter: &'a Filter,
    now: Ts,
    /// Runs outside of it do not pass.
    pub span: Option<RunSpan>,
    known: RefCell<BTreeMap<RunNo, Known>>,
}

impl<'a, K: Kv> RunGate<'a, K> {
    /// For the bills that pass a filter.
    pub fn new(index: &'a Index<K>, filter: &'a Filter, now: Ts) -> Result<Self, StoreError> {
        Ok(Self { index, filter, now, span: index.run_span(filter, now)?, known: RefCell::default() })
    }

    /// Whether a bill of a run may pass.
    pub fn passes(&self, no: RunNo) -> Result<bool, StoreError> {
        Ok(self.is_within(no) && (!self.filter.asks_of_runs() || self.of(no)?.passes))
    }

    /// The same in a list in which a run that tells nothing of its bills stands with none of them.
    pub fn tells(&self, no: RunNo) -> Result<bool, StoreError> {
        Ok(self.passes(no)? && !self.of(no)?.untold)
    }

    fn is_within(&self, no: RunNo) -> bool {
        self.span.is_none_or(|span| (span.first..=span.last).contains(&no))
    }

    fn of(&self, no: RunNo) -> Result<Known, StoreError> {
        if let Some(known) = self.known.borrow().get(&no) {
            return Ok(*known);
        }
        let known = if self.filter.asks_of_runs() {
            let row = self.index.run_by_no(no)?;
            let passes = row.is_none_or(|row| self.filter.may_pass_bills_of(&row, self.now));
            Known { untold: self.index.is_untold(no)?, passes }
        } else {
            Known { untold: self.index.is_untold(no)?, passes: true }
        };
        self.known.borrow_mut().insert(no, known);
        Ok(known)
    }
}
