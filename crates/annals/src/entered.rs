//! A bill as the server of the made-up past has it at the end.

use skydeck_core::domain::bill::Status;
use skydeck_core::domain::time::Ts;

/// A bill of the past as it stands at its end, for a server that is to have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Form.
    pub form: String,
    /// Internal id.
    pub fid: u64,
    /// Number.
    pub no: String,
    /// Status.
    pub status: Status,
    /// Number of its type.
    pub kind: String,
    /// Number of its organisation.
    pub org: String,
    /// Number of its customer or supplier.
    pub partner: String,
    /// Created.
    pub created: Ts,
    /// Changed.
    pub modified: Ts,
    /// Midnight of its business date.
    pub date: Ts,
}
