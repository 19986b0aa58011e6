//! Several machines that would tell the same: one of them does.
//!
//! Invariant: what nobody was told stays until it was, or is too old; where a machine dies over it, another one tells it, perhaps
//! a second time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::time::Ts;

/// What others tell is looked at again so often.
pub const AGAIN: Duration = Duration::from_secs(20);
/// What nobody could be told for so long is told no more.
const TOO_OLD: Duration = Duration::from_secs(3600);
/// Things that wait, at most.
const MOST: usize = 500;

/// Whose it is to tell something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Ours.
    Ours,
    /// Another machine's, which has not told it yet; or that is not known.
    Others,
    /// Nobody's: it was told.
    Nobodys,
}

/// The machines that would tell the same.
#[async_trait]
pub trait Tellers: Send + Sync {
    /// Whose it is to tell each of these.
    async fn whose(&self, keys: &[String]) -> Vec<Whose>;

    /// We told these.
    async fn told(&self, keys: &[String]);
}

/// What is to be told, and may be another machine's to tell.
pub struct Waiting<T> {
    tellers: Option<Arc<dyn Tellers>>,
    key: fn(&T) -> String,
    all: Vec<(T, Ts)>,
}

impl<T> Waiting<T> {
    /// Nothing yet. Without `tellers` this machine tells everything.
    pub fn new(tellers: Option<Arc<dyn Tellers>>, key: fn(&T) -> String) -> Self {
        Self { tellers, key, all: Vec::new() }
    }

    /// When it is to be looked again; `None`: nothing waits.
    pub fn idle_for(&self) -> Option<Duration> {
        (!self.all.is_empty()).then_some(AGAIN)
    }

    /// Takes what is new; gives what this machine tells now, with its keys.
    pub async fn ours(&mut self, new: Vec<T>, now: Ts) -> (Vec<T>, Vec<String>) {
        let Some(tellers) = &self.tellers else { return (new, Vec::new()) };
        self.all.retain(|(_, since)| now.since(*since) < TOO_OLD);
        self.all.extend(new.into_iter().map(|one| (one, now)));
        let over = self.all.len().saturating_sub(MOST);
        self.all.drain(..over);
        if self.all.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let keys: Vec<String> = self.all.iter().map(|(one, _)| (self.key)(one)).collect();
        let mut whose = tellers.whose(&keys).await.into_iter();
        let (mut ours, mut told, mut keys) = (Vec::new(), Vec::new(), keys.into_iter());
        for (one, since) in std::mem::take(&mut self.all) {
            match (whose.next().unwrap_or(Whose::Others), keys.next()) {
                (Whose::Ours, key) => {
                    ours.push(one);
                    told.extend(key);
                }
                (Whose::Others, _) => self.all.push((one, since)),
                (Whose::Nobodys, _) => {}
            }
        }
        (ours, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// One machine of several, over what all of them know: key → (teller, told).
    struct Machine(u32, Arc<Mutex<std::collections::HashMap<String, (u32, bool)>>>);

    #[async_trait]
    impl Tellers for Machine {
        async fn whose(&self, keys: &[String]) -> Vec<Whose> {
            let mut known = self.1.lock().unwrap();
            let whose = |key: &String| match known.entry(key.clone()).or_insert((self.0, false)) {
                (_, true) => Whose::Nobodys,
                (by, false) if *by == self.0 => Whose::Ours,
                (_, false) => Whose::Others,
            };
            keys.iter().map(whose).collect()
        }

        async fn told(&self, keys: &[String]) {
            let mut known = self.1.lock().unwrap();
            for key in keys {
                known.get_mut(key).unwrap().1 = true;
            }
        }
    }

    #[tokio::test]
    async fn of_what_two_would_tell_each_is_told_by_one_and_by_the_other_where_that_one_dies() {
        let known = Arc::new(Mutex::default());
        let machine = |n| -> Arc<dyn Tellers> { Arc::new(Machine(n, Arc::clone(&known))) };
        let waiting = |n| Waiting::new(Some(machine(n)), |text: &String| text.clone());
        let (mut one, mut two) = (waiting(1), waiting(2));
        let (ours, keys) = one.ours(vec!["a".to_owned(), "b".to_owned()], Ts(0)).await;
        assert_eq!((ours.len(), one.idle_for()), (2, None));
        let (theirs, _) = two.ours(vec!["b".to_owned(), "c".to_owned()], Ts(0)).await;
        assert_eq!((theirs, two.idle_for()), (vec!["c".to_owned()], Some(AGAIN)), "the first one is at b");
        machine(1).told(&keys[..1]).await;
        // It died over b: after a while that is the other one's.
        known.lock().unwrap().get_mut("b").unwrap().0 = 2;
        let (late, _) = two.ours(Vec::new(), Ts(60_000)).await;
        assert_eq!((late, two.idle_for()), (vec!["b".to_owned()], None));
        // What nobody could say for an hour is said no more.
        known.lock().unwrap().insert("d".to_owned(), (1, false));
        assert!(two.ours(vec!["d".to_owned()], Ts(60_000)).await.0.is_empty() && two.idle_for().is_some());
        two.ours(Vec::new(), Ts(2 * 3_600_000)).await;
        assert_eq!(two.idle_for(), None);
        // Alone everything is told at once.
        let mut alone = Waiting::new(None, |text: &String| text.clone());
        assert_eq!(alone.ours(vec!["a".to_owned()], Ts(0)).await.0.len(), 1);
    }
}
