//! What a pane is to the rest of the console.

use std::time::Duration;

use ratatui::layout::Rect;

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::command::Command;
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{PlanId, RunId, WorkKey};
use skydeck_core::domain::query::{Answer, LedgerGroup, PageRequest, Query, Scope as ListScope};
use skydeck_core::domain::run::{BillRow, RunRow};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::Change;

use crate::ui::cells::Pen;
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::{self, Parts};
use crate::ui::list::List;
use crate::ui::looked::Looked;
use crate::ui::msg::Ticket;
use crate::ui::obstacle::Obstacle;
use crate::ui::shared::Shared;
use crate::ui::shared::outbox::Sent;
use crate::ui::skin::Role;
use crate::ui::window::{Record, Window};

/// Another pane, and what is to be seen there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Goto {
    /// The pane, by its place in the key table.
    pub pane: Scope,
    pub what: Subject,
}

/// What somebody goes to a pane for. A pane that shows no such thing stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Subject {
    /// What is there.
    AsItIs,
    Bill(WorkKey),
    Run(Box<RunRow>),
    /// The first run at or before this moment.
    Date(Ts),
    /// An open run.
    Open(RunId),
    /// Unresolved bills of one cause.
    Group(Slot, String),
    /// Bills that match.
    Filtered(Filter),
}

/// What came of an action of a pane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Done {
    /// The pane knows no such action.
    NotMine,
    /// All there was to do.
    Here,
    Go(Goto),
    Order(Command, Sent),
}

/// What came of a click on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Click {
    /// There is nothing.
    Missed,
    /// The cursor stands there now.
    Moved,
    /// The cursor stood there already.
    Again,
}

impl Click {
    /// Of a list: whether its cursor stood there already, `None` where there is no such row.
    pub fn of(hit: Option<bool>) -> Self {
        match hit {
            None => Self::Missed,
            Some(false) => Self::Moved,
            Some(true) => Self::Again,
        }
    }
}

/// When a pane may ask the store.
pub(crate) struct Asking<'a> {
    /// It is on the screen.
    pub shown: bool,
    /// There is time to read again what facts made stale.
    pub quiet: bool,
    pub ticket: &'a mut dyn FnMut() -> Ticket,
}

impl Asking<'_> {
    /// The page that a list on the screen wants now.
    pub fn page<T: Record>(&mut self, window: &mut Window<T>) -> Option<(Ticket, PageRequest)> {
        let later = window.waits() && !self.quiet;
        if self.shown && !later { window.question(&mut *self.ticket) } else { None }
    }
}

/// A pane: a list with a cursor, what can be done in it, and what is drawn.
pub(crate) trait Pane {
    /// Its place in the key table; its name is that place's.
    fn scope(&self) -> Scope;

    /// The action that shows it.
    fn shown_by(&self) -> Action;

    /// The list it shows, where that is read page by page: it moves, is spoiled and asked for as such.
    fn list(&self) -> Option<&dyn List> {
        None
    }

    /// The same, to be moved in.
    fn list_mut(&mut self) -> Option<&mut dyn List> {
        None
    }

    // What is seen of it.

    /// A count beside its tab.
    fn badge(&self, _shared: &Shared) -> Option<(Role, String)> {
        None
    }

    /// The room for list and preview of what lies between the frames.
    fn split(&self, _shared: &Shared, body: Rect) -> (Rect, Rect) {
        layout::whole(body)
    }

    /// Takes the room it has on the screen now.
    fn arrange(&mut self, _shared: &Shared, parts: &Parts) {
        if let Some(list) = self.list_mut() {
            list.set_height(parts.rows());
        }
    }

    /// Draws its list into `parts.list` and a preview into `parts.detail`; gives the position of the list's first row when
    /// its rows fill whole screen rows.
    fn draw(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64>;

    /// `12/345` for the lower frame.
    fn position(&self, _shared: &Shared) -> String {
        self.list().map(List::position).unwrap_or_default()
    }

    /// Counts new beginnings of the list.
    fn epoch(&self) -> u64 {
        self.list().map_or(0, List::epoch)
    }

    // The cursor.

    /// Moves it by rows.
    fn step(&mut self, _shared: &mut Shared, by: i64) {
        if let Some(list) = self.list_mut() {
            list.step(by);
        }
    }

    /// To the first or the last row.
    fn ends(&mut self, shared: &mut Shared, last: bool) {
        match self.list_mut() {
            Some(list) => list.go_to_end(last),
            None => self.step(shared, if last { FAR } else { -FAR }),
        }
    }

    /// To the row with this number, from 1; to the last one where there are fewer.
    fn go_to(&mut self, _shared: &mut Shared, n: u64) {
        if let Some(list) = self.list_mut() {
            list.go_to(n);
        }
    }

    /// A click on a row of the list.
    fn click(&mut self, _shared: &mut Shared, row: usize, _parts: &Parts) -> Click {
        Click::of(self.list_mut().and_then(|list| list.click(row)))
    }

    // What it is about.

    /// The environment that matters here is that of the plan under the cursor, not that of the run in view.
    fn is_about_plan(&self) -> bool {
        false
    }

    /// What it lists, where that can be asked for and exported.
    fn lists(&self, _shared: &Shared) -> Option<ListScope> {
        None
    }

    fn filter(&self) -> Option<&Filter> {
        None
    }

    /// Another filter: its list begins anew.
    fn set_filter(&mut self, _filter: Filter) {}

    /// How many rows its filter leaves, as people read it, where that is counted.
    fn matched(&self, _shared: &Shared) -> Option<String> {
        None
    }

    /// What is meant by all that match.
    fn matching(&self) -> Option<Filter> {
        self.filter().cloned()
    }

    /// The bill under the cursor, where its row is known.
    fn bill_row(&self) -> Option<&BillRow> {
        None
    }

    /// Key and number of the bill under the cursor.
    fn bill(&self, _shared: &Shared) -> Option<(WorkKey, String)> {
        self.bill_row().map(|row| (row.key.clone(), row.no.clone()))
    }

    /// The bill under the cursor, where a person took it off the ledger and that stands.
    fn resolved(&self) -> Option<(WorkKey, String)> {
        None
    }

    /// The run under the cursor of a list of runs.
    fn run(&self) -> Option<&RunRow> {
        None
    }

    /// The group of bills under the cursor: which they are, and how that is said.
    fn group(&self, _shared: &Shared) -> Option<(Filter, String)> {
        None
    }

    /// What is copied: the numbers of the selected bills, or of the one under the cursor.
    fn copy(&self, shared: &Shared) -> Option<String> {
        numbers(shared, self.bill(shared))
    }

    /// Rows of bills in memory.
    fn bills(&self) -> Box<dyn Iterator<Item = &BillRow> + '_> {
        Box::new(std::iter::empty())
    }

    /// Rows of runs in memory, newest first.
    fn runs(&self) -> Box<dyn Iterator<Item = &RunRow> + '_> {
        Box::new(std::iter::empty())
    }

    // Its keys.

    /// Whether one of its own actions can be done now.
    fn possible(&self, shared: &Shared, action: Action) -> bool {
        match action {
            Action::Open => self.bill(shared).is_some(),
            Action::Fold => false,
            _ => true,
        }
    }

    /// What is in the way of one of its own actions, where it is not [`Self::possible`].
    fn obstacle(&self, shared: &Shared, action: Action) -> Obstacle {
        let empty = self.bills().next().is_none() && self.runs().next().is_none();
        match action {
            Action::Run | Action::RunWith => run_obstacle(shared),
            Action::Compare | Action::JumpDate if self.filter().is_some_and(|filter| !filter.is_empty()) => {
                Obstacle::NoRunHere
            }
            Action::Compare | Action::JumpDate if empty => Obstacle::NothingHere,
            Action::NumberLeft | Action::NumberRight => Obstacle::NotAPlan,
            Action::Raw => Obstacle::NoBillOpen,
            Action::Fold => Obstacle::NothingUnfolded,
            _ => Obstacle::NothingHere,
        }
    }

    /// Does one of its own actions.
    fn perform(&mut self, shared: &mut Shared, action: Action) -> Done {
        match action {
            Action::Open => open_bill(self.bill(shared)),
            Action::Fold => Done::Here,
            _ => Done::NotMine,
        }
    }

    /// Stops what goes on by itself; `false` where nothing did.
    fn halt(&mut self) -> bool {
        self.list_mut().is_some_and(List::halt_if_busy)
    }

    /// Folds what is unfolded, before one goes back; `false` where nothing was.
    fn fold_back(&mut self, _shared: &mut Shared) -> bool {
        false
    }

    // Coming and going.

    /// The run in view once somebody comes here; `newest` of all that are known.
    fn run_on_arrival(&self, shared: &Shared, _newest: Option<RunId>) -> Option<RunId> {
        shared.run
    }

    /// Shows what somebody came for.
    fn show(&mut self, _what: &Subject) {}

    /// The console begins: when somebody looked here last, as far as that was kept, and the plan it is to stand on.
    fn begins(&mut self, _looked: Option<Looked>, _plan: Option<&PlanId>) {}

    /// Somebody goes elsewhere, or ends the console; what is to be kept of this look.
    fn leaves(&mut self, _shared: &Shared) -> Option<Looked> {
        None
    }

    /// The run in view as long as one is here.
    fn run_followed(&self, shared: &Shared) -> Option<RunId> {
        shared.run
    }

    /// Another run is in view.
    fn run_changed(&mut self) {}

    // Questions, answers, facts.

    /// What it asks the store now, if anything. At most one question: a list wants one page at a time.
    fn question(&mut self, _shared: &mut Shared, _asking: Asking<'_>) -> Option<(Ticket, Query)> {
        None
    }

    /// Whether it waits for the answer to this question.
    fn is_asked(&self, ticket: Ticket) -> bool {
        self.list().is_some_and(|list| list.is_asked(ticket))
    }

    /// Takes an answer that it waits for.
    fn answer(&mut self, _shared: &mut Shared, _ticket: Ticket, _answer: Result<Answer, String>) {}

    /// A fact and what it changes, after it was applied to the present.
    fn fact(&mut self, _shared: &Shared, _fact: &Fact, _change: &Change<'_>) {}

    /// Everything may have changed: it is read again when somebody looks.
    fn spoil(&mut self) {
        if let Some(list) = self.list_mut() {
            list.spoil();
        }
    }

    /// The groups of unresolved bills were read again; `was` are those before.
    fn groups_changed(&mut self, _shared: &Shared, _was: &[LedgerGroup]) {}

    /// Facts of the time in which the picture stood still were not shown.
    fn thawed(&mut self) {}

    /// The language is another.
    fn reword(&mut self, _shared: &Shared) {}

    // Time.

    /// Whether something was read, and waits to be read again.
    fn waits(&self, _shared: &Shared, shown: bool) -> bool {
        shown && self.list().is_some_and(List::waits)
    }

    /// The finest step in which an age in its list grows.
    fn ages(&self, _shared: &Shared) -> Option<Duration> {
        None
    }
}

/// Further than any list reaches.
pub(super) const FAR: i64 = i32::MAX as i64;

/// The numbers of the selected bills, else of the one under the cursor.
pub(super) fn numbers(shared: &Shared, here: Option<(WorkKey, String)>) -> Option<String> {
    let selected = shared.selection.bills().map(|bills| bills.values().cloned().collect::<Vec<_>>().join(" "));
    selected.or(here.map(|(_, no)| no))
}

/// What keeps the plan under the cursor from being run.
pub(super) fn run_obstacle(shared: &Shared) -> Obstacle {
    match shared.plan_row() {
        Some(row) if row.plan.is_err() => Obstacle::PlanUnusable,
        Some(row) if shared.present.live().open_run_of(row.plan_id()).is_some() => Obstacle::PlanRuns,
        Some(_) | None => Obstacle::NoPlan,
    }
}

/// Leads to a bill.
pub(super) fn open_bill(bill: Option<(WorkKey, String)>) -> Done {
    bill.map_or(Done::Here, |(key, _)| Done::Go(Goto { pane: Scope::Bill, what: Subject::Bill(key) }))
}
