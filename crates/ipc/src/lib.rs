//! The engine of this process, or of another one behind a socket, as a [`skydeck_engine::api::Link`].

pub mod ended;
pub mod frame;
pub mod local;
pub mod peer;
pub mod pending;
pub mod remote;
pub mod serve;
mod slots;
pub mod version;
