//! A list of the index, read a page at a time: its sources side by side, in the order of their keys.
//!
//! Invariant: a call looks at no more than [`SCAN`] rows, decodes at most [`SLICE`] in vain and reads at most [`LOADS`]
//! blocks for single rows, so it takes milliseconds; a cursor names a place, not an offset, so rows that come or go
//! elsewhere never shift a page.

use std::cell::RefCell;
use std::ops::Bound;

use super::key::{self, Key};
use super::kv::{Entry, Kv, ReadCache, Walk};
use crate::StoreError;
use skydeck_core::domain::bill::{BillState, Outcome};
use skydeck_core::domain::bounds;
use skydeck_core::domain::event::ActionEntry;
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::query::{Cursor, Page, PageRequest};
use skydeck_core::domain::run::{BillRow, RunRow};
use skydeck_core::domain::time::Ts;

/// Rows one call looks at, at most. A few milliseconds: the first hits and the progress come early, and whoever gives the
/// search up waits for no more than that.
const SCAN: u64 = 5_000;
/// Rows one call decodes, at most, where they are turned away only then.
const SLICE: u64 = 2_000;
/// Blocks one call reads for rows that lie far apart, at most: each may be a page of the disk.
const LOADS: u64 = 500;
/// What a list is made of.
pub(super) struct List<'k, K: Kv> {
    /// What its cursors begin with.
    pub tag: Vec<u8>,
    /// Whether the list runs from the highest place down.
    pub newest_first: bool,
    /// Where its rows come from, each in the list's order.
    pub sources: Vec<Source<'k, K>>,
    /// What reading its rows has taken so far.
    pub cache: &'k RefCell<ReadCache>,
}

/// Where rows of a list come from.
pub(super) enum Source<'k, K: Kv> {
    /// What stands in the index behind a prefix, between two places.
    Keys(&'k K, Vec<u8>, Stretch),
    /// Places worked out beforehand, ascending.
    Places(Vec<Entry>),
}

/// Between which places of a list something is looked for: from the first on, and before the second.
#[derive(Clone, Debug, Default)]
pub(super) struct Stretch {
    /// Absent: from the beginning.
    pub from: Option<Vec<u8>>,
    /// Absent: to the end.
    pub to: Option<Vec<u8>>,
}

type Stream<'k> = std::iter::Peekable<Box<dyn Iterator<Item = Result<Entry, StoreError>> + 'k>>;

impl<'k, K: Kv> Source<'k, K> {
    /// Everything behind a prefix.
    pub fn all(kv: &'k K, prefix: Vec<u8>) -> Self {
        Self::Keys(kv, prefix, Stretch::default())
    }

    /// What stands behind a prefix between two places.
    pub fn within(kv: &'k K, prefix: Vec<u8>, stretch: &Stretch) -> Self {
        Self::Keys(kv, prefix, stretch.clone())
    }

    /// Entries as (place, value) beyond `from`.
    fn stream(self, from: Option<&[u8]>, down: bool) -> Stream<'k> {
        let iter: Box<dyn Iterator<Item = Result<Entry, StoreError>> + 'k> = match self {
            Self::Keys(kv, prefix, stretch) => {
                let at = |place: &[u8]| Key::default().raw(&prefix).raw(place).done();
                let mut low = Bound::Included(at(stretch.from.as_deref().unwrap_or_default()));
                let mut high = match &stretch.to {
                    Some(to) => Bound::Excluded(at(to)),
                    None => key::after_prefix(&prefix).map_or(Bound::Unbounded, Bound::Excluded),
                };
                // A cursor that lies outside of the stretch, of a filter that has moved on since, narrows nothing.
                if let Some(from) = from {
                    let edge = Bound::Excluded(at(from));
                    if down && stretch.to.as_deref().is_none_or(|to| from < to) {
                        high = edge;
                    } else if !down && stretch.from.as_deref().is_none_or(|low| from >= low) {
                        low = edge;
                    }
                }
                let cut = prefix.len();
                Box::new(Walk::new(kv, low, high, down).map(move |entry| {
                    entry.map(|(mut key, value)| {
                        key.drain(..cut.min(key.len()));
                        (key, value)
                    })
                }))
            }
            Self::Places(mut places) => {
                if let Some(from) = from {
                    places.retain(|(at, _)| if down { at.as_slice() < from } else { at.as_slice() > from });
                }
                if down {
                    places.reverse();
                }
                Box::new(places.into_iter().map(Ok))
            }
        };
        iter.peekable()
    }
}

/// How much of a page a row takes.
pub(super) trait Weigh {
    /// Bytes of its texts; `stored` is how long its value in the index is.
    fn weight(&self, stored: usize) -> usize;
}

impl Weigh for BillRow {
    /// As it is given: the stored message may be longer.
    fn weight(&self, _: usize) -> usize {
        let columns: usize = self.columns.iter().map(String::len).sum();
        let said = match &self.state {
            BillState::Settled(Outcome::Failed(failure)) => failure.message.len(),
            BillState::Settled(Outcome::Unknown(unknown)) => unknown.detail.len(),
            BillState::Settled(Outcome::Done { .. } | Outcome::Already { .. } | Outcome::Skipped(_))
            | BillState::Waiting
            | BillState::Trying { .. }
            | BillState::RetryAt { .. } => 0,
        };
        columns + said
    }
}

impl Weigh for RunRow {
    fn weight(&self, stored: usize) -> usize {
        stored + self.head.filter.len()
    }
}

impl Weigh for (Seq, Ts, ActionEntry) {
    fn weight(&self, stored: usize) -> usize {
        stored
    }
}

/// What stands at a place of a list.
pub(super) enum Looked<T> {
    /// This.
    Row(T),
    /// Nothing, or something that was turned away at sight.
    Nothing,
}

impl<T> From<Option<T>> for Looked<T> {
    fn from(row: Option<T>) -> Self {
        row.map_or(Self::Nothing, Self::Row)
    }
}

/// Takes the next entry over all streams.
fn take_next(streams: &mut [Stream<'_>], down: bool) -> Result<Option<Entry>, StoreError> {
    if let [only] = streams {
        return only.next().transpose();
    }
    let mut best: Option<(usize, Vec<u8>)> = None;
    for (i, stream) in streams.iter_mut().enumerate() {
        let place = match stream.peek() {
            Some(Ok((place, _))) => place,
            Some(Err(e)) => return Err(e.clone()),
            None => continue,
        };
        let better = best.as_ref().is_none_or(|(_, held)| if down { place > held } else { place < held });
        if better {
            best = Some((i, place.clone()));
        }
    }
    let Some((i, _)) = best else { return Ok(None) };
    streams.get_mut(i).and_then(Iterator::next).transpose()
}

impl<'k, K: Kv> List<'k, K> {
    /// A page: from the cursor on, as many rows as are asked for and pass.
    pub fn page<T: Weigh>(
        self,
        request: &PageRequest,
        read: impl Fn(&[u8], &[u8]) -> Result<Looked<T>, StoreError>,
        passes: impl Fn(&T) -> Result<bool, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let from = request.cursor.as_ref().map(|c| open_cursor(c, &self.tag)).transpose()?;
        let down = self.newest_first != request.back;
        let limit = (request.limit as usize).min(SCAN as usize);
        let mut streams: Vec<Stream<'k>> =
            self.sources.into_iter().map(|source| source.stream(from.as_deref(), down)).collect();
        let mut page = Page::default();
        let (mut last, mut refused, mut bytes): (Option<Vec<u8>>, u64, usize) = (None, 0, 0);
        while let Some((place, value)) = take_next(&mut streams, down)? {
            if page.scanned >= SCAN || refused >= SLICE || self.cache.borrow().loads >= LOADS {
                page.more = true;
                if page.rows.len() < limit {
                    page.stopped_at = last.map(|place| cursor(&self.tag, &place));
                }
                break;
            }
            page.scanned += 1;
            if let Looked::Row(row) = read(&place, &value)? {
                if !passes(&row)? {
                    refused += 1;
                } else if page.rows.len() >= limit || bytes >= bounds::PAGE {
                    page.more = true;
                    break;
                } else {
                    bytes = bytes.saturating_add(row.weight(value.len()));
                    page.rows.push((cursor(&self.tag, &place), row));
                }
            }
            last = Some(place);
        }
        if request.back {
            page.rows.reverse();
        }
        Ok(page)
    }
}

pub(super) fn cursor(tag: &[u8], place: &[u8]) -> Cursor {
    Cursor(crate::hex(tag) + &crate::hex(place))
}

pub(super) fn open_cursor(cursor: &Cursor, tag: &[u8]) -> Result<Vec<u8>, StoreError> {
    let wrong = || StoreError::Cursor("its cursor belongs to another list; start from the beginning".to_owned());
    let text = cursor.0.as_str();
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for at in (0..text.len()).step_by(2) {
        let pair = text.get(at..at + 2).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(pair, 16).map_err(|_| wrong())?);
    }
    bytes.strip_prefix(tag).filter(|place| !place.is_empty()).map(<[u8]>::to_vec).ok_or_else(wrong)
}
