//! How the console was set up at its start. None of it changes while it runs.

use skydeck_core::domain::cause::CauseTable;

use crate::ui::cells::Glyphs;
use crate::ui::keymap::Keymap;
use crate::ui::skin::Skin;
use skydeck_core::domain::zone::Zone;

/// The set-up.
pub(crate) struct Setup {
    pub skin: Skin,
    /// Whether the terminal shows more than ASCII.
    pub unicode: bool,
    pub glyphs: &'static Glyphs,
    pub keymap: Keymap,
    pub causes: CauseTable,
    /// Offset of local time from UTC in minutes.
    pub zone: i32,
    /// The zone by which days and words of the calendar in filters are meant.
    pub site: Zone,
    pub version: String,
    pub user: String,
    /// Name of the data store's place; empty for none.
    pub label: String,
    /// The engine outlives the console.
    pub detachable: bool,
    pub bell: bool,
}
