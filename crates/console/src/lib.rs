//! The console: what it knows, shows and does at a key ([`ui`], pure), and the loop between it, the terminal and the engine
//! ([`shell`]).

pub mod shell;
pub mod ui;
