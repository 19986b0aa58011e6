//! A page of a list of bills in the order of one of its columns: the list is read once a page, and of what was read only the
//! page is kept.
//!
//! Invariants: at most [`SORTED_AT_MOST`] rows are looked at, and memory is that of a page; two pages that meet leave no row out
//! and tell none twice as long as nothing changes between them.

use std::cmp::Ordering;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BinaryHeap};

use super::{Store, StoreError};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::query::{BillsAsked, Cursor, Page, PageRequest};
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::sort::{By, Place, SORTED_AT_MOST, Sort};

/// Rows read at once.
const READ: u32 = 500;

/// A row of the page, in the direction that is asked for.
struct Kept<'a> {
    sort: &'a Sort,
    back: bool,
    place: Place,
    row: BillRow,
}

impl Kept<'_> {
    fn order(&self, other: &Place) -> Ordering {
        let order = self.sort.compare(&self.place, other);
        if self.back { order.reverse() } else { order }
    }
}

impl Ord for Kept<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(&other.place)
    }
}

impl PartialOrd for Kept<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kept<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Kept<'_> {}

/// One page.
///
/// # Errors
/// The store cannot be read, or the cursor is one of another list.
pub async fn page(store: &dyn Store, asked: BillsAsked<'_>, sort: &Sort) -> Result<Page<BillRow>, StoreError> {
    let request = asked.page;
    let after: Option<Place> = request.cursor.as_ref().map(read_cursor).transpose()?;
    let limit = request.limit as usize;
    let mut heap: BinaryHeap<Kept<'_>> = BinaryHeap::with_capacity(limit.min(1000) + 2);
    let (mut passed, mut more, mut all) = (0_u64, false, 0_u64);
    let mut names: BTreeMap<RunId, Vec<String>> = BTreeMap::new();
    let mut next = Some(PageRequest::first(READ));
    let mut is_cut = false;
    while let Some(part) = next.take() {
        let read = store.bills(BillsAsked { page: &part, ..asked }).await?;
        let last = read.stopped_at.or_else(|| read.rows.last().map(|(cursor, _)| cursor.clone()));
        passed += read.scanned.max(read.rows.len() as u64);
        all += read.rows.len() as u64;
        for (_, row) in read.rows {
            let place = sort.place(&row, names_of(store, sort, row.run, &mut names).await?);
            let kept = Kept { sort, back: request.back, place, row };
            if after.as_ref().is_some_and(|after| kept.order(after) != Ordering::Greater) {
                continue;
            }
            heap.push(kept);
            if heap.len() > limit {
                more = true;
                heap.pop();
            }
        }
        let goes_on = read.more && last.is_some();
        is_cut = goes_on && passed.max(all) >= SORTED_AT_MOST;
        next = last
            .filter(|_| goes_on && !is_cut)
            .map(|cursor| PageRequest { cursor: Some(cursor), ..PageRequest::first(READ) });
    }
    let mut rows: Vec<Kept<'_>> = heap.into_sorted_vec();
    if request.back {
        rows.reverse();
    }
    let rows = rows.into_iter().map(|kept| (cursor(&kept.place), kept.row)).collect();
    Ok(Page { rows, more, scanned: passed, stopped_at: None, total: (!is_cut).then_some(all) })
}

/// Names of a run's columns, where the order asks for one.
async fn names_of<'a>(
    store: &dyn Store,
    sort: &Sort,
    run: RunId,
    known: &'a mut BTreeMap<RunId, Vec<String>>,
) -> Result<&'a [String], StoreError> {
    if !matches!(sort.by, By::Column(_)) {
        return Ok(&[]);
    }
    Ok(match known.entry(run) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => {
            let row = store.run(run).await?;
            place.insert(row.map(|row| row.head.columns).unwrap_or_default())
        }
    })
}

fn cursor(place: &Place) -> Cursor {
    Cursor(serde_json::to_string(place).unwrap_or_default())
}

fn read_cursor(cursor: &Cursor) -> Result<Place, StoreError> {
    serde_json::from_str(&cursor.0)
        .map_err(|_| StoreError::Cursor("its cursor belongs to another list; start from the beginning".to_owned()))
}
