//! What the shell tells the console at its start.

use skydeck_core::domain::cause::CauseTable;
use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::live::Live;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::zone::Zone;

use super::lists::KeptList;
use super::views::View;
use skydeck_core::text::Measure;

use super::looked::Looked;
use super::skin::Skin;

/// Language of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// 中文.
    #[default]
    Zh,
    /// English.
    En,
}

/// What a plain digit means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Digits {
    /// A pane; a count begins with `#` or with Alt.
    #[default]
    Panes,
    /// A count, as in vi; a pane is Alt with its digit.
    Counts,
}

/// The pane a console begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// What happened since the last look.
    #[default]
    Today,
    /// The plans.
    Plans,
}

/// Everything the console is told at its start.
#[derive(Clone, Debug)]
pub struct UiConfig {
    /// Language.
    pub lang: Lang,
    /// Theme, already chosen for the terminal ([`Skin::choose`]).
    pub skin: Skin,
    /// Whether the terminal shows more than ASCII; where it does not, names are shown by their ids.
    pub unicode: bool,
    /// ASCII signs and borders: no Unicode locale, or because the operator likes them.
    pub ascii: bool,
    /// How wide the terminal makes characters of ambiguous width.
    pub measure: Measure,
    /// Wall time.
    pub now: Ts,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Offset of local time from UTC in minutes.
    pub zone_minutes: i32,
    /// The zone by which days and words of the calendar in filters are meant.
    pub site: Zone,
    /// Version, for help.
    pub version: String,
    /// Who sits here, for the frame.
    pub user: String,
    /// Labels and advice of causes.
    pub causes: CauseTable,
    /// What a plain digit means.
    pub digits: Digits,
    /// Own keys: (action name, keys).
    pub keys: Vec<(String, Vec<String>)>,
    /// Saved views.
    pub filters: Vec<View>,
    /// How lists are shown, as it was kept.
    pub lists: Vec<KeptList>,
    /// State at the moment of watching.
    pub live: Live,
    /// Plan under the cursor at first.
    pub select: Option<PlanId>,
    /// The pane it begins with.
    pub start: Start,
    /// When this operator last looked at Today.
    pub looked: Option<Looked>,
    /// What went wrong on the way here (theme, config), shown as notices.
    pub warnings: Vec<String>,
    /// Ring the bell when a run of this console ends.
    pub bell: bool,
    /// Name of the data store's place, e.g. for `demo`; empty for none.
    pub label: String,
    /// The engine outlives the console: quitting ends no run and asks nothing.
    pub detachable: bool,
}

impl Default for UiConfig {
    fn default() -> Self {
        Self {
            lang: Lang::Zh,
            skin: Skin::choose("dark", None, super::skin::Depth::True).0,
            unicode: true,
            ascii: false,
            measure: Measure::Narrow,
            now: Ts(0),
            size: (80, 24),
            zone_minutes: 0,
            site: Zone::utc(),
            version: String::new(),
            user: String::new(),
            causes: CauseTable::default(),
            digits: Digits::Panes,
            keys: Vec::new(),
            filters: Vec::new(),
            lists: Vec::new(),
            live: Live::default(),
            select: None,
            start: Start::Plans,
            looked: None,
            warnings: Vec::new(),
            bell: false,
            label: String::new(),
            detachable: false,
        }
    }
}
