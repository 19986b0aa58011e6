//! The console's pure part: messages in, effects out, a buffer painted. No I/O, no clock.
//!
//! `update(&mut Model, Msg) -> Vec<Effect>` and `view(&Model, &mut Buffer) -> Drawn` are the whole interface to the shell;
//! [`Model::new`] starts it, [`Model::wants_tick`] and [`Model::needs_draw`] let an idle console cost nothing.

mod act;
pub mod cells;
pub mod config;
mod erp_status;
mod filter_words;
mod format;
pub mod keymap;
mod lang;
mod layout;
mod model;
pub mod msg;
mod overlays;
mod panes;
pub mod skin;
mod sum;
mod tick;
mod update;
mod view;
mod window;
mod words;

pub use config::{Digits, Lang, UiConfig};
pub use erp_status::{after_words, before_words};
pub use filter_words::{causes_shown_as, filter_values};
pub use model::{Model, Pane};
pub use skin::Skin;
pub use update::update;
pub use view::view;
pub use words::{probes, run_word, step as step_word};

/// The word in the footer: what the key would do now.
fn act_label(model: &Model, action: keymap::Action) -> &'static str {
    use keymap::Action;
    use skydeck_core::domain::run::RunState;
    let t = model.t();
    let state = model.run_live().map(|r| &r.row.state);
    match (action, state) {
        (Action::Pause, Some(RunState::Paused(_) | RunState::Interrupted)) => t.resume_short,
        (Action::Stop, Some(RunState::AwaitingApproval)) => t.decline_short,
        (Action::Freeze, _) if model.frozen.is_some() => t.thaw_short,
        (Action::Unlock, _) if model.env().is_some_and(|e| model.unlocked_for(&e.id).is_some()) => t.lock_short,
        _ => model.lang.action(action).0,
    }
}
