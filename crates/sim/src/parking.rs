//! Calls that are carried out later than they came, and answers that wait to be fetched: how an unknown outcome is made.
//!
//! Invariant: a parked call is carried out once, in the order of its time, whether or not anybody still waits for it.

use std::collections::BTreeMap;

use super::reply::{Reply, Transport};

/// A finished answer that nobody fetched is dropped after this long.
const KEEP_MS: i64 = 10 * 60_000;

/// Parked calls by ticket.
#[derive(Debug)]
pub struct Parking<C> {
    parked: BTreeMap<u64, Parked<C>>,
    next_ticket: u64,
}

#[derive(Debug)]
enum Parked<C> {
    Waiting { due_ms: i64, call: Box<C> },
    Done { at_ms: i64, reply: Reply },
}

/// How far a parked call is.
#[derive(Debug)]
pub enum Progress<'a> {
    /// Not carried out yet.
    Waiting,
    /// Its answer.
    Done(&'a Reply),
}

impl<C> Default for Parking<C> {
    fn default() -> Self {
        Self { parked: BTreeMap::new(), next_ticket: 1 }
    }
}

impl<C> Parking<C> {
    /// Parks a call until `due_ms`: its ticket.
    pub fn park(&mut self, call: C, due_ms: i64) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.parked.insert(ticket, Parked::Waiting { due_ms, call: Box::new(call) });
        ticket
    }

    /// The next call that is due at `now_ms`, with its time and ticket; [`Parking::done`] takes its answer.
    pub fn due(&mut self, now_ms: i64) -> Option<(i64, u64, C)> {
        let due = self.parked.iter().filter_map(|(ticket, parked)| match parked {
            Parked::Waiting { due_ms, .. } if *due_ms <= now_ms => Some((*due_ms, *ticket)),
            _ => None,
        });
        let (due_ms, ticket) = due.min()?;
        match self.parked.remove(&ticket)? {
            Parked::Waiting { call, .. } => Some((due_ms, ticket, *call)),
            Parked::Done { .. } => None,
        }
    }

    /// A call was carried out.
    pub fn done(&mut self, ticket: u64, at_ms: i64, reply: Reply) {
        self.parked.insert(ticket, Parked::Done { at_ms, reply });
    }

    /// Drops answers that nobody fetched in ten minutes.
    pub fn tidy(&mut self, now_ms: i64) {
        self.parked.retain(|_, p| !matches!(p, Parked::Done { at_ms, .. } if now_ms - *at_ms > KEEP_MS));
    }

    /// The answer of a ticket, once. Before its time: parked again. After it was fetched or dropped: a reset.
    pub fn fetch(&mut self, ticket: u64) -> Reply {
        match self.parked.remove(&ticket) {
            Some(Parked::Done { reply, .. }) => reply,
            Some(Parked::Waiting { due_ms, call }) => {
                self.parked.insert(ticket, Parked::Waiting { due_ms, call });
                Reply::parked(ticket, due_ms)
            }
            None => reset(),
        }
    }

    /// How far the call of a ticket is; `None` for one that was fetched, dropped, or never there.
    pub fn progress(&self, ticket: u64) -> Option<Progress<'_>> {
        Some(match self.parked.get(&ticket)? {
            Parked::Waiting { .. } => Progress::Waiting,
            Parked::Done { reply, .. } => Progress::Done(reply),
        })
    }

    /// When the next call is due.
    pub fn next_due(&self) -> Option<i64> {
        let due = |parked: &Parked<C>| match parked {
            Parked::Waiting { due_ms, .. } => Some(*due_ms),
            Parked::Done { .. } => None,
        };
        self.parked.values().filter_map(due).min()
    }
}

/// No answer, and the connection reset.
pub fn reset() -> Reply {
    Reply { transport: Transport::Reset, ..Reply::bytes(500, "text/plain; charset=utf-8", "") }
}
