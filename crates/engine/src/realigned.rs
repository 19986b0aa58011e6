//! What an earlier run read of a record, with each value in the place that its column has in this run.
//!
//! Invariant: a value never stands under the name of another column; of a run whose names are not known no value is taken.

use std::collections::HashMap;

use skydeck_core::domain::bill::Found;
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::run::RunHead;
use skydeck_store::{Store, StoreError};

/// Where the columns of a run's plan stand in what earlier runs read.
pub(super) struct Realigned<'a> {
    store: &'a dyn Store,
    names: &'a [String],
    /// By run: the place of each column there; `None` where that run had the very same ones.
    places: HashMap<RunId, Option<Vec<Option<usize>>>>,
}

impl<'a> Realigned<'a> {
    /// For the run that takes the records up again.
    pub fn new(store: &'a dyn Store, head: &'a RunHead) -> Self {
        Self { store, names: &head.columns, places: HashMap::new() }
    }

    /// Values that a run read, as this one names them; a column that it did not read is empty.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn values(&mut self, run: RunId, values: &[String]) -> Result<Vec<String>, StoreError> {
        let Some(places) = self.places_in(run).await? else { return Ok(values.to_vec()) };
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let value = |at: &Option<usize>| at.and_then(|at| values.get(at)).cloned().unwrap_or_default();
        Ok(places.iter().map(value).collect())
    }

    /// A record that a run found, with all its rows.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn found(&mut self, run: RunId, mut found: Found) -> Result<Found, StoreError> {
        found.columns = self.values(run, &found.columns).await?;
        let mut lines = Vec::with_capacity(found.lines.len());
        for line in &found.lines {
            lines.push(self.values(run, line).await?);
        }
        found.lines = lines;
        Ok(found)
    }

    async fn places_in(&mut self, run: RunId) -> Result<Option<&[Option<usize>]>, StoreError> {
        if !self.places.contains_key(&run) {
            let row = self.store.run(run).await?;
            let there = row.map(|row| row.head.columns).unwrap_or_default();
            let place = |name: &String| there.iter().position(|other| other == name);
            let places = (there != self.names).then(|| self.names.iter().map(place).collect());
            self.places.insert(run, places);
        }
        Ok(self.places.get(&run).and_then(|places| places.as_deref()))
    }
}
