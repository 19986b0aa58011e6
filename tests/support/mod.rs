//! Things several tests of the Kingdee client share.

pub mod clock;
pub mod stub;
