//! How a call ended: all that the run which made it has to take note of.
//!
//! Invariant: parts of it are only put together, and nothing of a part is lost, whatever the part after it ends with.

use std::time::Duration;

use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::run::PauseWhy;
use skydeck_store::StoreError;

use super::unconfirmed::Success;

/// How a call ended, for the run that made it.
#[derive(Clone, Debug, Default)]
pub struct CallEnd {
    /// Bills of the call, in the order asked.
    pub fids: Vec<Fid>,
    /// Why the run must stop, if it must.
    pub stop: Option<PauseWhy>,
    /// The store failed.
    pub store: Option<StoreError>,
    /// Bills due again, with monotonic time.
    pub due: Vec<(Fid, Duration)>,
    /// Bills left unknown.
    pub unknown: Vec<Fid>,
    /// Bills that must go alone from now on.
    pub singly: Vec<Fid>,
    /// Bills we submitted, their new revision adopted: ready for their audit.
    pub submitted: Vec<Fid>,
    /// Bills whose operation was answered as done: not read back yet.
    pub succeeded: Vec<Success>,
    /// No call was made: facts were added about each of its bills since they were read.
    pub unmade: bool,
    /// Nothing was sent.
    pub unsent: Option<String>,
    /// Causes of refusals.
    pub refused: Vec<Cause>,
}

impl CallEnd {
    /// The run must stop.
    pub fn stopped(why: PauseWhy) -> Self {
        Self { stop: Some(why), ..Self::default() }
    }

    /// The store did not take something.
    pub fn unstored(error: StoreError) -> Self {
        Self { store: Some(error), ..Self::default() }
    }

    /// This, and what came after it. The first reason to stop stays.
    pub fn and(mut self, later: Self) -> Self {
        let Self { fids, stop, store, due, unknown, singly, submitted, succeeded, unmade, unsent, refused } = later;
        self.fids.extend(fids);
        self.due.extend(due);
        self.unknown.extend(unknown);
        self.singly.extend(singly);
        self.submitted.extend(submitted);
        self.succeeded.extend(succeeded);
        self.refused.extend(refused);
        Self {
            stop: self.stop.or(stop),
            store: self.store.or(store),
            unsent: unsent.or(self.unsent),
            unmade: self.unmade || unmade,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::bill::{Rev, Status};
    use skydeck_core::domain::reason::Reason;
    use skydeck_core::domain::step::Step;
    use skydeck_core::domain::time::Ts;

    #[test]
    fn nothing_of_a_part_is_lost_when_the_next_one_fails() {
        let fid = |n: u64| Fid::from(n);
        let rev = Rev::new(Status::Submitted, None);
        let success = Success { fid: fid(5), no: "N5".into(), step: Step::Audit, rev, sent: Ts(1) };
        let first = CallEnd {
            fids: vec![fid(1)],
            due: vec![(fid(1), Duration::from_secs(1))],
            unknown: vec![fid(2)],
            singly: vec![fid(3)],
            submitted: vec![fid(4)],
            succeeded: vec![success.clone()],
            refused: vec![Cause::new("stock")],
            unsent: Some("no route".into()),
            ..CallEnd::default()
        };
        let why = |n| PauseWhy::Stopped(Reason::SuccessWithoutEffect { no: format!("N{n}") });
        let end = first
            .and(CallEnd::stopped(why(1)))
            .and(CallEnd::stopped(why(2)))
            .and(CallEnd { due: vec![(fid(6), Duration::ZERO)], ..CallEnd::unstored(StoreError::Read("gone".into())) });
        assert_eq!(end.fids, [fid(1)]);
        assert_eq!(
            end.due,
            [(fid(1), Duration::from_secs(1)), (fid(6), Duration::ZERO)],
            "in the order they were found"
        );
        assert_eq!((end.unknown, end.singly, end.submitted), (vec![fid(2)], vec![fid(3)], vec![fid(4)]));
        assert_eq!((end.succeeded, end.refused), (vec![success], vec![Cause::new("stock")]));
        assert_eq!((end.stop, end.unsent), (Some(why(1)), Some("no route".into())), "the first reason stays");
        assert!(end.store.is_some() && !end.unmade);
    }
}
