//! The console's imperative part: terminal guard, input, signals, loop, drawing, effects.
//!
//! Invariants: the terminal is restored before anything is printed, on panic and hang-up too; nothing is sent while
//! nothing changes; at most one frame is on its way; input is never held up by a slow terminal or a slow engine.

mod app;
mod caps;
mod console;
pub mod crash;
mod effects;
mod engine;
pub mod filters;
mod input;
mod large;
pub mod looks;
mod options;
pub mod screen;
mod signals;
mod small;
mod tty;
mod words;

pub use app::App;
pub use caps::{Caps, Colors, Through};
pub use console::run;
pub use options::{Ended, Notify, ShellError, ShellOptions, require_terminal};
pub use small::{COLUMNS, ROWS};
