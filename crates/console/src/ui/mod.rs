//! The console's pure part: messages in, effects out, a buffer painted. No I/O, no clock.
//!
//! `update(&mut Model, Msg) -> Vec<Effect>` and `view(&Model, &mut Buffer) -> Drawn` are the whole interface to the shell;
//! [`Model::new`] starts it, [`Model::wants_tick`] and [`Model::needs_draw`] let an idle console cost nothing.

mod act;
mod bill_rows;
pub mod cells;
mod columns;
mod config;
mod counter;
mod desk;
mod erp_status;
mod filter_words;
mod format;
pub mod keymap;
mod lang;
mod layout;
mod list;
pub mod lists;
pub mod looked;
mod model;
pub mod msg;
mod obstacle;
mod overlays;
mod panes;
mod possible;
mod run_notes;
mod run_words;
mod scroll;
mod shared;
pub mod skin;
mod sum;
mod sum_line;
mod tabs;
pub mod targets;
pub mod theme_fault;
mod tick;
mod update;
mod usual;
mod view;
mod views;
mod window;
mod words;

pub use config::{Digits, Lang, Start, UiConfig};
pub use erp_status::{after_words, before_words};
pub use filter_words::{Names, lost_column, read_filter};
pub use model::Model;
pub use run_words::{probes, run_word};
pub use skin::Skin;
pub use update::update;
pub use view::view;
pub use views::{UnknownView, View, with_view};
pub use words::reach_words;
pub use words::step as step_word;
