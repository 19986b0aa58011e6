//! Lists of bills: the rows of Results, of an unfolded ledger group and of a search over the history; and the preview.

use std::time::Duration;

use ratatui::layout::Rect;

use super::cells::{Cell, Pen};
use super::erp_status::{after_words, before_words};
use super::format;
use super::list::heading;
use super::shared::Shared;
use super::skin::Role;
use super::window::Window;
use super::words;
use skydeck_core::domain::bill::{BillState, Outcome, Slot};
use skydeck_core::domain::erp_status::{After, Ground};
use skydeck_core::domain::run::BillRow;

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

struct Widths {
    no: u16,
    reason: u16,
    org: u16,
}

fn widths(w: u16) -> Widths {
    Widths {
        no: if w >= 100 { 18 } else { 14 },
        reason: if w >= 100 { 18 } else { 13 },
        org: if w >= 110 { 10 } else { 0 },
    }
}

/// Column titles; `state`: how wide the column is that says where the bills stand.
pub(crate) fn titles(shared: &Shared, pen: &mut Pen<'_>, area: Rect, state: u16) {
    let t = shared.t();
    let widths = widths(area.width);
    let cell = |w, text| Cell::new(w, Role::Dim, text);
    let mut cells = vec![cell(1, ""), cell(state, t.col_outcome), cell(widths.no, t.col_no)];
    if widths.org > 0 {
        cells.push(cell(widths.org, t.col_org));
    }
    cells.extend([cell(widths.reason, t.col_reason), cell(0, t.col_message), cell(5, t.col_attempts).right()]);
    cells.push(cell(4, t.col_age).right());
    pen.row(area, area.y, false, &cells);
}

/// How a list's rows are shown.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    /// The cursor is in this list.
    pub focus: bool,
    /// All of it is marked.
    pub all: bool,
    /// Rows that lie above the screen.
    pub skip: usize,
    /// Width of the column that says where they stand.
    pub state: u16,
}

/// The visible rows.
pub(crate) fn rows(shared: &Shared, pen: &mut Pen<'_>, area: Rect, window: &Window<BillRow>, shown: Rows) {
    let widths = widths(area.width);
    for (i, (here, row)) in window.visible().skip(shown.skip).enumerate().take(usize::from(area.height)) {
        let marked = shown.all || shared.selection.holds(&row.key);
        let (glyph, word, role) = words::row_state(shared, row);
        let mark = if marked { pen.glyphs.marked } else { "" };
        let message = match &row.state {
            BillState::RetryAt { at, .. } if *at <= shared.now => shared.t().due.to_owned(),
            BillState::RetryAt { at, .. } => format!("{} {}", shared.t().due_in, format::clock(at.since(shared.now))),
            state => words::message_said(shared, state),
        };
        let attempts = if row.attempts > 0 { row.attempts.to_string() } else { String::new() };
        // A minute is the finest step here: seconds would send every row anew with each key.
        let age = shared.now.since(row.open_since.unwrap_or(row.at));
        let age = if age.as_secs() < 60 { "<1m".to_owned() } else { format::age(age) };
        let mut cells = vec![
            Cell::new(1, Role::Marked, mark),
            Cell::new(shown.state, role, format!("{glyph} {word}")),
            Cell::new(widths.no, Role::Text, words::shown(&row.no)).key(),
        ];
        if widths.org > 0 {
            cells.push(Cell::new(widths.org, Role::Dim, words::shown(&org(shared, row))));
        }
        cells.extend([
            Cell::new(widths.reason, role, words::reason(&shared.setup.causes, shared.lang, &row.key.op, &row.state)),
            Cell::new(0, Role::Dim, message),
            Cell::new(5, Role::Dim, attempts).right(),
            Cell::new(4, Role::Dim, age).right(),
        ]);
        pen.row(area, area.y + i as u16, here && shown.focus, &cells);
    }
}

/// Names of a row's columns.
pub(crate) fn columns<'a>(shared: &'a Shared, row: &BillRow) -> &'a [String] {
    let live = shared.present.live().runs.get(&row.run).map(|r| &r.row);
    let found = live
        .or_else(|| shared.stored.as_deref().filter(|r| r.head.id == row.run))
        .or_else(|| shared.plans.rows().iter().flat_map(|p| &p.last).find(|r| r.head.id == row.run));
    found.map_or(&[], |r| r.head.columns.as_slice())
}

/// What people call a column, as the plan says.
fn label<'a>(shared: &'a Shared, row: &BillRow, name: &'a str) -> &'a str {
    let plan = shared.plans.rows().iter().filter_map(|p| p.plan.as_ref().ok()).find(|p| p.id == row.plan);
    let column = plan.and_then(|p| p.source.columns.iter().find(|c| c.key == name));
    let shows = |label: &&str| !label.is_empty() && (shared.setup.unicode || label.is_ascii());
    column.map(|c| c.label.as_str()).filter(shows).unwrap_or(name)
}

fn org(shared: &Shared, row: &BillRow) -> String {
    let names = columns(shared, row);
    let holds = |part: &str| names.iter().position(|n| n.to_lowercase().contains(part));
    let at = holds("cust").or_else(|| holds("org"));
    at.and_then(|i| row.columns.get(i)).cloned().unwrap_or_default()
}

/// The bill's status in the ERP after what was done, and the one before, where it is another or is known by the ERP's clock.
pub(crate) fn statuses(shared: &Shared, row: &BillRow) -> Vec<String> {
    let t = shared.t();
    let clock = |at| format::local(at, shared.setup.zone, "%m-%d %H:%M:%S");
    let after = After::of(row);
    let mut text = vec![format!("{} {}", t.status, after_words(shared.lang, &after, clock))];
    if let Some(on) = &after.audited {
        text.push(format!("{} ERP {}", t.status_c, words::shown(&on.as_str().replace('T', " "))));
    }
    if after.ground != Ground::Found || row.before().modified.is_some() {
        text.push(format!("{} {}", t.status_before, before_words(shared.lang, row.before())));
    }
    text
}

/// Where a bill stands and why; of one that is unresolved who acts and what to do.
fn where_it_stands(shared: &Shared, pen: &Pen<'_>, row: &BillRow) -> Vec<(Role, String)> {
    let (texts, (glyph, word, role)) = (shared.t(), words::row_state(shared, row));
    let reason = words::reason(&shared.setup.causes, shared.lang, &row.key.op, &row.state);
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
    heading(pen, area, &format!("{} {dot} FID {}{op}", words::shown(&row.no), words::shown(row.fid().as_str())));
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
    let message = words::message(&row.state);
    let room = usize::from(area.bottom().saturating_sub(y));
    if !message.is_empty() && room > 0 {
        let code = match row.state.outcome() {
            Some(Outcome::Failed(f)) => f.msg_code.map_or_else(String::new, |c| format!("MsgCode {c} ")),
            _ => String::new(),
        };
        let lines = if room > 4 { room - 2 } else { room };
        let text = format!("{code}{}", words::quoted(shared, message));
        for line in pen.glyphs.wrap(&text, usize::from(w), lines) {
            pen.text(x, y, w, Role::Text, &line);
            y += 1;
        }
    }
    if y < area.bottom() {
        let at = format::local(row.at, shared.setup.zone, "%m-%d %H:%M:%S");
        let mut text = statuses(shared, row);
        text.push(format!("{} {at}", texts.changed));
        // Number and id stand in the heading.
        let told = |value: &str| !value.is_empty() && *value != row.no && value != row.fid().as_str();
        let named = columns(shared, row).iter().zip(&row.columns).filter(|(_, value)| told(value));
        // The plan's columns are of the query, and one of them may be the status.
        let mut when = format!("{} ", texts.status_when_read);
        for (name, value) in named {
            let label = words::shown(label(shared, row, name));
            text.push(format!("{}{label} {}", std::mem::take(&mut when), words::shown(value)));
        }
        let lines = usize::from(area.bottom() - y);
        for line in pen.glyphs.flow(&text, usize::from(w), lines) {
            pen.text(x, y, w, Role::Dim, &line);
            y += 1;
        }
    }
}
