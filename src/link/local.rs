//! The engine in this process, behind [`super::Link`].
