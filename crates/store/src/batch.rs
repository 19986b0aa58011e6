//! What is appended together, under which conditions, and what can come of it.
//!
//! Invariant: a batch is stored whole or not at all, and once however often it is sent.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use ulid::Ulid;

use super::StoreError;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{RecordKey, RunId, Seq};

/// Name of a batch. A store keeps it for a while: the same batch sent again is not stored again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(pub Ulid);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Events that are stored together, under conditions that are looked at in the same breath.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its name.
    pub id: BatchId,
    /// The events, in order.
    pub events: Arc<[Event]>,
    /// Records with the place of the newest fact that is known about each, whatever was done to it ([`Seq`] zero: none).
    /// Where one of them has a newer fact, nothing is stored.
    pub unmoved: Vec<(RecordKey, Seq)>,
}

impl Batch {
    /// Events without a condition.
    pub fn new(events: Vec<Event>) -> Self {
        Self { id: BatchId(Ulid::generate()), events: events.into(), unmoved: Vec::new() }
    }

    /// Only if nothing was added to what is known about these records.
    #[must_use]
    pub fn if_unmoved(self, unmoved: Vec<(RecordKey, Seq)>) -> Self {
        Self { unmoved, ..self }
    }
}

impl From<Vec<Event>> for Batch {
    fn from(events: Vec<Event>) -> Self {
        Self::new(events)
    }
}

/// Why a batch was not stored, or is not known to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Facts were added about these records. Nothing was stored: leave out what rests on them, and send the rest once.
    #[error("{} of the records went on meanwhile", .0.len())]
    Moved(Vec<RecordKey>),
    /// Facts of runs that another machine has taken over. Nothing was stored: what is known of them is that machine's to tell.
    #[error("another machine has taken over {} of the runs", .0.len())]
    Fenced(Vec<RunId>),
    /// Facts that contradict what is stored; nothing was.
    #[error("refused to store a contradiction: {0}")]
    Contradiction(String),
    /// Nearly full: outcomes of calls that were made are still taken, nothing that leads to a call is.
    #[error("the store takes no new work: {0}")]
    Full(String),
    /// It was sent, and no answer came: whether it is stored is not known. Send the same batch again before anything else.
    #[error("it is not known whether batch {0} was stored")]
    Unsure(BatchId),
    /// The store cannot be reached; nothing was sent. Send the same batch again.
    #[error("the store cannot be reached: {0}")]
    Away(String),
    /// A write or flush failed. No further one is taken until the store is reopened.
    #[error("the store cannot write: {0}")]
    Write(String),
}

impl From<StoreError> for AppendError {
    /// What a deeper part of a store said of an append.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Contradiction(what) => Self::Contradiction(what),
            StoreError::Full(why) => Self::Full(why),
            StoreError::Write(why) => Self::Write(why),
            StoreError::Fenced(runs) => Self::Fenced(runs),
            other => Self::Write(other.to_string()),
        }
    }
}

impl From<AppendError> for StoreError {
    /// For whoever neither sends again nor leaves anything out.
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Contradiction(what) => Self::Contradiction(what),
            AppendError::Full(why) => Self::Full(why),
            AppendError::Write(why) => Self::Write(why),
            AppendError::Moved(_) => Self::Contradiction(error.to_string()),
            AppendError::Fenced(runs) => Self::Fenced(runs),
            AppendError::Unsure(_) | AppendError::Away(_) => Self::Write(error.to_string()),
        }
    }
}

/// Batches a store without a durable place for their names remembers.
const REMEMBERED: usize = 256;

/// The batches stored last, for one that comes twice.
#[derive(Default)]
pub(crate) struct Stored {
    order: VecDeque<BatchId>,
    places: HashMap<BatchId, (Seq, usize)>,
}

impl Stored {
    /// The place before a batch's first fact, and how many it has, where it was stored.
    pub fn find(&self, id: BatchId) -> Option<(Seq, usize)> {
        self.places.get(&id).copied()
    }

    /// Remembers a batch.
    pub fn note(&mut self, id: BatchId, before: Seq, facts: usize) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
        self.order.push_back(id);
        self.places.insert(id, (before, facts));
    }
}
