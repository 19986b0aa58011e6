//! A list of bills of many runs: the columns of all their plans as columns, each label once.
//!
//! Invariant: the heading stands before the first bill, and is of all of them: they are read once, and put aside meanwhile.

use std::io::Write;
use std::sync::Arc;

use skydeck_core::domain::run::BillRow;
use skydeck_engine::api::Link;

use super::format::Writer;
use super::report::gather::{Gathered, How, gather};
use super::row::{Field, Others, Row};
use super::{ExportError, Listing, Sink, sink};

/// Writes the list.
pub(super) async fn write(
    link: Arc<dyn Link>,
    listing: Listing,
    (out, dir): Sink<'_>,
    mut progress: impl FnMut(u64) + Send,
) -> Result<u64, ExportError> {
    let how = How { by_cause: false, dir: dir.to_owned(), last: None };
    let gathered = gather(&link, (listing.scope, &listing.filter), how, sink).await?;
    progress(gathered.total);
    let writing = tokio::task::spawn_blocking(move || write_all(gathered, &listing, out));
    writing.await.map_err(std::io::Error::other).and_then(|written| written).map_err(sink)
}

fn write_all(mut gathered: Gathered, listing: &Listing, out: Box<dyn Write + Send>) -> std::io::Result<u64> {
    let (labels, places) = labels(&gathered);
    let operation = gathered.groups.iter().any(|group| group.others);
    let made = gathered.groups.iter().any(|group| group.made);
    let zone = &listing.style.zone;
    let mut writer = Writer::begin(listing, out, Field::all(listing.scope, &labels, Others { operation, made }))?;
    for group in &mut gathered.groups {
        group.each(|head, bill| {
            let place = places.get(head).map_or(&[][..], Vec::as_slice);
            let bill = BillRow { columns: placed(&bill.columns, place, labels.len()), ..bill.clone() };
            writer.row(&Row { bill, names: Vec::new(), zone: zone.clone() })
        })?;
    }
    writer.end()
}

/// All labels, and of each head the places of its columns among them. One that a plan gives twice is numbered.
fn labels(gathered: &Gathered) -> (Vec<String>, Vec<Vec<usize>>) {
    let mut labels: Vec<String> = Vec::new();
    let mut places = Vec::with_capacity(gathered.heads.len());
    for head in &gathered.heads {
        let mut seen = Vec::new();
        let place = head.labels.iter().map(|label| {
            let label = super::report::numbered(label, &mut seen);
            labels.iter().position(|known| *known == label).unwrap_or_else(|| {
                labels.push(label);
                labels.len() - 1
            })
        });
        places.push(place.collect());
    }
    (labels, places)
}

fn placed(columns: &[String], places: &[usize], all: usize) -> Vec<String> {
    let mut row = vec![String::new(); all];
    for (value, at) in columns.iter().zip(places) {
        if let Some(cell) = row.get_mut(*at) {
            cell.clone_from(value);
        }
    }
    row
}
