//! The columns of a list of bills: sorts by one, shows, hides and moves those of the plan.

use ratatui::layout::Rect;
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::sort::By;

use crate::ui::cells::Pen;
use crate::ui::columns::Columns;
use crate::ui::desk::Desk;
use crate::ui::keymap::Action;
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::targets::Target;

use super::dialog::{draw_keys, middle};
use super::overlay::{Next, Overlay, picked};

/// One line of it.
struct Line {
    label: String,
    by: By,
    /// It is one of the plan's, and may be left out.
    planned: bool,
}

/// The page.
pub(super) struct Chooser {
    lines: Vec<Line>,
    at: usize,
}

impl Chooser {
    /// The columns of the list that is shown.
    pub fn open(desk: &Desk) -> Option<Self> {
        let (shared, t) = (&desk.shared, desk.shared.t());
        let rows: Vec<&BillRow> = desk.pane().bills().collect();
        let own = [
            (t.col_outcome, By::Outcome),
            (t.col_no, By::Number),
            (t.col_reason, By::Cause),
            (t.col_attempts, By::Tries),
            (t.col_age, By::Age),
        ];
        let own = own.map(|(label, by)| Line { label: label.to_owned(), by, planned: false });
        let planned = Columns::choices(shared, &rows).into_iter();
        let planned = planned.map(|(label, names)| Line { label, by: By::Column(names), planned: true });
        let lines = own.into_iter().chain(planned).collect();
        (!rows.is_empty()).then_some(Self { lines, at: 0 })
    }

    /// Moves the plan's column under the cursor, further left (up here) or right.
    fn shift(&mut self, shared: &mut Shared, right: bool) {
        let to = self.at.wrapping_add_signed(if right { 1 } else { -1 });
        let planned = |at: usize| self.lines.get(at).is_some_and(|line| line.planned);
        if !planned(self.at) || !planned(to) {
            let text = if planned(self.at) { shared.t().column_at_end } else { shared.t().column_fixed };
            return shared.note(true, text);
        }
        self.lines.swap(self.at, to);
        self.at = to;
        let labels = self.lines.iter().filter(|line| line.planned).map(|line| line.label.clone());
        shared.nav.views.here_mut().order = labels.collect();
    }

    fn row(shared: &Shared, line: &Line) -> (&'static str, String) {
        let view = shared.nav.views.here();
        let shown = if line.planned && view.hidden.contains(&line.label) { "  " } else { "* " };
        let sort = view.sort.filter(|sort| sort.by == line.by);
        let order = sort.map_or("", |sort| if sort.descending { shared.t().sort_down } else { shared.t().sort_up });
        (shown, format!("{}  {order}", line.label).trim_end().to_owned())
    }
}

/// Whether a key moves a column to the right, or to the left: those that look sideways in the list.
fn sideways(shared: &Shared, key: Key) -> Option<bool> {
    match shared.setup.keymap.action(shared.nav.here(), key) {
        Some(Action::ColumnsLeft) => Some(false),
        Some(Action::ColumnsRight) => Some(true),
        _ => None,
    }
}

impl Overlay for Chooser {
    fn key(&mut self, desk: &mut Desk, key: Key, _effects: &mut Vec<Effect>) -> Next {
        let last = self.lines.len().saturating_sub(1);
        if let Some(right) = sideways(&desk.shared, key) {
            self.shift(&mut desk.shared, right);
            return Next::Stay;
        }
        match key.code {
            Code::Char('j') | Code::Down => self.at = (self.at + 1).min(last),
            Code::Char('k') | Code::Up => self.at = self.at.saturating_sub(1),
            Code::Char('g') | Code::Home => self.at = 0,
            Code::Char('G') | Code::End => self.at = last,
            Code::Enter => {
                if let Some(line) = self.lines.get(self.at) {
                    desk.shared.nav.views.here_mut().turn(&line.by);
                    desk.read_anew();
                }
            }
            Code::Char(' ') => {
                if let Some(line) = self.lines.get(self.at).filter(|line| line.planned) {
                    let hidden = &mut desk.shared.nav.views.here_mut().hidden;
                    if !hidden.remove(&line.label) {
                        hidden.insert(line.label.clone());
                    }
                }
            }
            _ => return Next::Close,
        }
        Next::Stay
    }

    fn pick(&mut self, row: usize) -> Option<Key> {
        picked(&mut self.at, row)
    }

    fn scroll(&mut self, rows: i64) {
        let to = (self.at as i64 + rows).clamp(0, self.lines.len().saturating_sub(1) as i64);
        self.at = usize::try_from(to).unwrap_or(0);
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let (shared, t) = (&desk.shared, desk.shared.t());
        let h = (self.lines.len() as u16 + 4).min(shared.size.1.saturating_sub(2));
        let area = middle(pen, 52.min(shared.size.0.saturating_sub(2)), h);
        let inside = pen.window(area, Role::Accent, t.columns_title);
        let rows = usize::from(inside.height.saturating_sub(2));
        let top = self.at.saturating_sub(rows.saturating_sub(1));
        for (i, line) in self.lines.iter().enumerate().skip(top).take(rows) {
            let y = inside.y + (i - top) as u16;
            let here = i == self.at;
            if here {
                pen.text(inside.x - 1, y, 1, Role::Marker, pen.glyphs.marker);
            }
            pen.targets.offer(Rect { y, height: 1, ..inside }, &Target::Row(i));
            let (shown, text) = Self::row(shared, line);
            let used = pen.text(inside.x, y, inside.width, Role::Marked, shown);
            let role = if here { Role::Accent } else { Role::Text };
            pen.text(inside.x + used, y, inside.width.saturating_sub(used), role, &text);
        }
        if inside.height > 1 {
            let moves = [Action::ColumnsLeft, Action::ColumnsRight].map(|action| shared.setup.keymap.key(action));
            let keys =
                [("Enter".to_owned(), t.sort_by), ("Space".to_owned(), t.show_hide), (moves.join(" "), t.move_column)];
            draw_keys(pen, inside.x, inside.bottom() - 1, inside.width, &keys);
        }
        None
    }
}
