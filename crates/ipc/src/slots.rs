//! How many connections there are, and how many of one user.
//!
//! Invariant: one user takes his own places and nobody else's, and a place is given back when its connection ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Connections of one user at all doors together, beside the owner's own.
pub(super) const OF_ONE_USER: usize = 16;

/// Connections of each user at all doors together, and of all users.
#[derive(Clone)]
pub(super) struct Slots {
    taken: Arc<Mutex<HashMap<u32, usize>>>,
    pub(super) all: watch::Sender<usize>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { taken: Arc::default(), all: watch::Sender::new(0) }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self, uid: u32, most: usize) -> Option<Slot> {
        let mut taken = self.taken();
        if taken.get(&uid).is_some_and(|his| *his >= most) {
            return None;
        }
        *taken.entry(uid).or_default() += 1;
        drop(taken);
        self.all.send_modify(|n| *n += 1);
        Some(Slot { uid, slots: self.clone() })
    }
}

/// The place of one connection, given back when dropped.
pub(super) struct Slot {
    pub(super) uid: u32,
    slots: Slots,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        if let Some(his) = taken.get_mut(&self.uid) {
            *his = his.saturating_sub(1);
        }
        taken.retain(|_, his| *his > 0);
        drop(taken);
        self.slots.all.send_modify(|n| *n = n.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_takes_his_own_slots_and_nobody_elses() {
        let slots = Slots::new();
        let mut his: Vec<Slot> = (0..OF_ONE_USER).map(|_| slots.take(7, OF_ONE_USER).unwrap()).collect();
        assert!(slots.take(7, OF_ONE_USER).is_none());
        let other = slots.take(8, OF_ONE_USER).unwrap();
        assert_eq!(*slots.all.borrow(), OF_ONE_USER + 1);
        his.pop();
        assert!(slots.take(7, OF_ONE_USER).is_some(), "given back");
        drop((his, other));
        assert_eq!((*slots.all.borrow(), slots.taken().len()), (0, 0));
    }
}
