//! Lists of bills: the rows of Results, of an unfolded ledger group and of a search over the history; and the preview.

use std::time::Duration;

use ratatui::layout::Rect;

use super::cells::{Cell, Pen};
use super::columns::{self, Columns};
use super::erp_status::{after_words, before_words};
use super::format;
use super::keymap::Action;
use super::list::heading;
use super::shared::Shared;
use super::skin::Role;
use super::targets::Target;
use super::window::Window;
use super::words;
use skydeck_core::domain::bill::{BillState, Outcome, Slot};
use skydeck_core::domain::erp_status::{After, Ground};
use skydeck_core::domain::operation_words::made_form;
use skydeck_core::domain::reached;
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::sort::{By, SORTED_AT_MOST, Sort};

/// The finest age, of what counts down.
pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Ages of a minute and more are told in minutes at the finest.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Width of the column that says where bills stand, for rows of several runs.
pub(crate) fn state_width(shared: &Shared, window: &Window<BillRow>) -> u16 {
    let others = window.rows().any(|row| !row.key.op.is_audit());
    words::state_width(shared.lang, others, window.rows().any(|row| row.state.slot() == Slot::NotReached))
}

/// Rows tell their age in minutes, and count down to their next attempt in seconds: the finest step of those on the screen.
pub(crate) fn finest_age(window: &Window<BillRow>) -> Option<Duration> {
    let step = |row: &BillRow| if matches!(row.state, BillState::RetryAt { .. }) { SECOND } else { MINUTE };
    window.visible().map(|(_, row)| step(row)).min()
}

/// The columns of a list of bills on the screen.
pub(crate) struct Heads {
    /// Width of the column that says where they stand.
    state: u16,
    no: u16,
    reason: u16,
    plan: Columns,
    sort: Option<Sort>,
    /// Only the first rows of the list are in this order.
    partly: bool,
}

/// Widths of attempts and age.
const TAIL: (u16, u16) = (5, 4);

impl Heads {
    /// Those of a list of this width. `state`: how wide the column is that says where the bills stand.
    pub fn of(shared: &Shared, window: &Window<BillRow>, width: u16, state: u16) -> Self {
        let (no, reason) = if width >= 100 { (18, 18) } else { (14, 13) };
        // The marker's column, and one cell between two of the others.
        let fixed = 1 + [1, state, no, reason, TAIL.0, TAIL.1].iter().map(|w| w + 1).sum::<u16>();
        let rows: Vec<&BillRow> = window.rows().collect();
        let plan = Columns::of(shared, &rows, width.saturating_sub(fixed));
        let sort = shared.nav.views.here().sort;
        let partly = sort.is_some() && window.total().is_none() && window.scanned() >= SORTED_AT_MOST;
        Self { state, no, reason, plan, sort, partly }
    }
}

/// Column titles.
pub(crate) fn titles(shared: &Shared, pen: &mut Pen<'_>, area: Rect, heads: &Heads) {
    let t = shared.t();
    let cell = |w, text| Cell::new(w, Role::Dim, text);
    let (left, right) = heads.plan.hidden;
    let key = |action| shared.setup.keymap.key(action);
    let more = |n: usize, action| if n > 0 { format!("{}{n}", key(action)) } else { String::new() };
    let (up, down) = if pen.glyphs.arrow.is_ascii() { ("^", "v") } else { ("↑", "↓") };
    // The column the list is sorted by says which way.
    let told = |w: u16, text: &str, by: By| {
        let cell = match heads.sort.as_ref().filter(|sort| sort.by == by) {
            None => Cell::new(w, Role::Dim, text.to_owned()),
            Some(sort) => Cell::new(w, Role::Accent, format!("{}{text}", if sort.descending { down } else { up })),
        };
        cell.clicked(Target::Sort(by))
    };
    let mut cells = vec![cell(1, "")];
    cells.push(told(heads.state, t.col_outcome, By::Outcome));
    cells.push(told(heads.no, t.col_no, By::Number));
    cells.push(told(heads.reason, t.col_reason, By::Cause));
    for column in &heads.plan.shown {
        let names = heads.plan.names_of(&column.label);
        let cell = told(column.width, &column.label, By::Column(names));
        cells.push(if column.right { cell.right() } else { cell });
    }
    // How many there are to either side, with the key that leads there.
    let sides = [more(left, Action::ColumnsLeft), more(right, Action::ColumnsRight)];
    let sides: Vec<String> = sides.into_iter().filter(|side| !side.is_empty()).collect();
    let mut message = [&[t.col_message.to_owned()], &sides[..]].concat().join(" ");
    if pen.glyphs.width(&message) > usize::from(heads.plan.message) && !sides.is_empty() {
        message = sides.join(" ");
    }
    if heads.partly {
        message = format::fill(t.sorted_first, &[&format::count(SORTED_AT_MOST)]);
    }
    cells.push(Cell::new(0, if heads.partly { Role::Notice } else { Role::Dim }, message));
    cells.push(told(TAIL.0, t.col_attempts, By::Tries).right());
    cells.push(told(TAIL.1, t.col_age, By::Age).right());
    pen.row(area, area.y, false, &cells);
}

/// How a list's rows are shown.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// The cursor is in this list.
    pub focus: bool,
    /// All of it is marked.
    pub all: bool,
    /// Rows that lie above the screen.
    pub skip: usize,
    /// Its columns.
    pub heads: &'a Heads,
}

/// The visible rows.
pub(crate) fn rows(shared: &Shared, pen: &mut Pen<'_>, area: Rect, window: &Window<BillRow>, shown: Rows<'_>) {
    let heads = shown.heads;
    for (i, (here, row)) in window.visible().skip(shown.skip).enumerate().take(usize::from(area.height)) {
        let marked = shown.all || shared.selection.holds(&row.key);
        let (glyph, word, role) = words::row_state(shared, row);
        let mark = if marked { pen.glyphs.marked } else { "" };
        let message = match &row.state {
            BillState::RetryAt { at, .. } if *at <= shared.now => shared.t().due.to_owned(),
            BillState::RetryAt { at, .. } => format!("{} {}", shared.t().due_in, format::clock(at.since(shared.now))),
            // Nothing was said of it yet, and what will be is certain.
            BillState::Waiting if row.will.is_some() => words::will(shared, row).unwrap_or_default(),
            state => words::message_said(shared, state),
        };
        // Which bill stands for it and how far it came, before what was said of it: the cause has a column of its own.
        let message = match row.made_no() {
            Some(no) => {
                let steps = reached::words(row, shared.lang.language()).unwrap_or_default();
                format!("{} {}  {steps}  {message}", pen.glyphs.arrow, words::shown(no))
            }
            None => message,
        };
        let attempts = if row.attempts > 0 { row.attempts.to_string() } else { String::new() };
        // A minute is the finest step here: seconds would send every row anew with each key.
        let age = shared.now.since(row.open_since.unwrap_or(row.at));
        let age = if age.as_secs() < 60 { "<1m".to_owned() } else { format::age(age) };
        let mut cells = vec![
            Cell::new(1, Role::Marked, mark),
            Cell::new(heads.state, role, format!("{glyph} {word}")),
            Cell::new(heads.no, Role::Text, words::shown(&row.no)).key(),
            Cell::new(heads.reason, role, words::reason(&shared.setup.causes, shared.lang, &row.key.op, &row.state)),
        ];
        for column in &heads.plan.shown {
            let cell = Cell::new(column.width, Role::Text, heads.plan.value(row, column));
            cells.push(if column.right { cell.right() } else { cell });
        }
        cells.extend([
            Cell::new(0, Role::Dim, message),
            Cell::new(TAIL.0, Role::Dim, attempts).right(),
            Cell::new(TAIL.1, Role::Dim, age).right(),
        ]);
        pen.row(area, area.y + i as u16, here && shown.focus, &cells);
    }
}

/// What people call a column, as the plan says.
fn label<'a>(shared: &'a Shared, row: &BillRow, name: &'a str) -> &'a str {
    let plan = shared.plans.rows().iter().filter_map(|p| p.plan.as_ref().ok()).find(|p| p.id == row.plan);
    let column = plan.and_then(|p| p.source.columns.iter().find(|c| c.key == name));
    let shows = |label: &&str| !label.is_empty() && (shared.setup.unicode || label.is_ascii());
    column.map(|c| c.label.as_str()).filter(shows).unwrap_or(name)
}

/// The bill's status in the ERP after what was done, and the one before, where it is another or is known by the ERP's clock.
pub(crate) fn statuses(shared: &Shared, row: &BillRow) -> Vec<String> {
    let t = shared.t();
    let clock = |at| format::when_exactly(at, shared.now, shared.setup.zone);
    let after = After::of(row);
    if let Some(form) = made_form(&row.key.op) {
        let made = row.made_no().map_or_else(|| words::shown(form), |no| words::shown(&format!("{form} {no}")));
        let label = format::fill(t.status_made, &[&made]);
        let blank = if label.ends_with(':') { " " } else { "" };
        let of_made = format!("{label}{blank}{}", after_words(shared.lang, &after, clock));
        let blank = if t.status_source.ends_with(':') { " " } else { "" };
        return vec![of_made, format!("{}{blank}{}", t.status_source, before_words(shared.lang, row.before()))];
    }
    let mut text = vec![format!("{} {}", t.status, after_words(shared.lang, &after, clock))];
    if let Some(on) = &after.audited {
        text.push(format!("{} ERP {}", t.status_c, words::shown(&on.as_str().replace('T', " "))));
    }
    if after.ground != Ground::Found || row.before().modified.is_some() {
        text.push(format!("{} {}", t.status_before, before_words(shared.lang, row.before())));
    }
    text
}

/// The plan's own columns under the plan's labels; number and id stand elsewhere. `names`: of the columns, where more is known
/// than the rows at hand tell.
pub(crate) fn own_columns(shared: &Shared, row: &BillRow, names: Option<&[String]>) -> Vec<String> {
    let told = |value: &str| !value.is_empty() && *value != row.no && value != row.fid().as_str();
    let names = names.unwrap_or_else(|| columns::names(shared, row));
    let named = names.iter().zip(&row.columns).filter(|(_, value)| told(value));
    named.map(|(name, value)| format!("{} {}", words::shown(label(shared, row, name)), columns::shown(value))).collect()
}

/// Where a bill stands and why; of one that is unresolved who acts and what to do.
fn where_it_stands(shared: &Shared, pen: &Pen<'_>, row: &BillRow) -> Vec<(Role, String)> {
    let (texts, (glyph, word, role)) = (shared.t(), words::row_state(shared, row));
    let reason = words::row_reason(shared, row);
    let mut head = vec![(role, format!("{glyph} {word} {reason}"))];
    if let Some(outcome) = row.state.outcome()
        && let Some(group) = outcome.group()
        && !outcome.is_resolved()
    {
        let (advice, who) = words::advice(shared, outcome.slot(), &group);
        // Who first: where the line is cut, the advice still says whose it is.
        head.push((Role::Accent, format!("  [{who}]")));
        // And which flag the advice is about.
        if let Outcome::Failed(failure) = outcome
            && let Some(flag) = shared.setup.causes.flag(failure)
        {
            head.push((Role::Accent, format!(" {}", format::fill(texts.flag_answers, &[&words::shown(flag)]))));
        }
        head.push((Role::Text, format!(" {} {advice}", pen.glyphs.arrow)));
    }
    head
}

/// What there is to know about the bill under the cursor: reason and message in full, columns, advice.
pub(crate) fn preview(shared: &Shared, pen: &mut Pen<'_>, area: Rect, row: Option<&BillRow>) {
    let Some(row) = row.filter(|_| area.height >= 2) else { return };
    let texts = shared.t();
    let dot = pen.glyphs.dot;
    let op = &row.key.op;
    let op = if op.is_audit() { String::new() } else { format!(" {dot} {}", words::operation(op)) };
    heading(pen, area, &format!("{} {dot} FID {}{op}", words::numbers(shared, row), words::shown(row.fid().as_str())));
    let (x, w) = (area.x + 1, area.width.saturating_sub(2));
    let mut y = area.y + 1;
    pen.pieces(x, y, w, &where_it_stands(shared, pen, row));
    y += 1;
    if let Some(before) = &row.resolved_before
        && y < area.bottom()
    {
        let by = words::who(shared, &before.by);
        let text = format!("{} {by}{}{}", texts.resolved_before, texts.colon, words::shown(&before.reason));
        pen.text(x, y, w, Role::Notice, &text);
        y += 1;
    }
    if let Some(will) = words::will(shared, row).filter(|_| y < area.bottom()) {
        pen.text(x, y, w, Role::Dim, &will);
        y += 1;
    }
    let message = words::message(&row.state);
    let room = usize::from(area.bottom().saturating_sub(y));
    if !message.is_empty() && room > 0 {
        let code = match row.state.outcome() {
            Some(Outcome::Failed(f)) => f.msg_code.map_or_else(String::new, |c| format!("MsgCode {c} ")),
            _ => String::new(),
        };
        let lines = if room > 4 { room - 2 } else { room };
        let own = words::own_message(shared, &row.state).or_else(|| words::on_the_way(shared, &row.state));
        let text = own.unwrap_or_else(|| format!("{code}{}", words::quoted(shared, message)));
        for line in pen.glyphs.wrap(&text, usize::from(w), lines) {
            pen.text(x, y, w, Role::Text, &line);
            y += 1;
        }
    }
    if y < area.bottom() {
        let at = format::when_exactly(row.at, shared.now, shared.setup.zone);
        let mut text = statuses(shared, row);
        text.push(format!("{} {at}", texts.changed));
        // The plan's columns are of the query, and one of them may be the status.
        let mut when = format!("{} ", texts.status_when_read);
        text.extend(
            own_columns(shared, row, None).into_iter().map(|said| format!("{}{said}", std::mem::take(&mut when))),
        );
        let lines = usize::from(area.bottom() - y);
        for line in pen.glyphs.flow(&text, usize::from(w), lines) {
            pen.text(x, y, w, Role::Dim, &line);
            y += 1;
        }
    }
}
