//! How things stand while a run works.
//!
//! Invariant: decided before the run begins.

use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;

use super::bill::Trouble;

/// How things stand while a run works.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// The ERP cannot be reached.
    pub is_away: bool,
    /// Nearly every bill is refused for this.
    pub refuses: Option<Trouble>,
    /// The process dies in the middle; it is there again then, and this person goes on with the run.
    pub dies: Option<(Ts, Who)>,
    /// Somebody pauses the run in the middle for a while.
    pub pauses: Option<Who>,
    /// Somebody stops it in the middle.
    pub cancels: Option<Who>,
}
