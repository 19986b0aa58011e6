//! Where things stand on the screen: a pure function of size, zoom and what the pane makes of its room, used by `update` (heights) and `view`.

use ratatui::layout::Rect;

/// Below this nothing but a hint is drawn.
pub const LEAST: (u16, u16) = (30, 9);
/// From this width on panes may stand side by side.
pub const WIDE: u16 = 120;

/// The parts of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Frame line with environment and permission.
    pub head: Rect,
    /// Tab line; empty when zoomed.
    pub tabs: Rect,
    /// Sum line and progress line.
    pub sum: Rect,
    /// The pane's list, with its title row.
    pub list: Rect,
    /// Preview of what is under the cursor.
    pub detail: Rect,
    /// Frame line with position, filter, notice.
    pub status: Rect,
    /// Keys.
    pub foot: Rect,
}

impl Parts {
    /// Rows of the list below its titles.
    pub fn rows(&self) -> usize {
        usize::from(self.list.height.saturating_sub(1))
    }

    /// Their room.
    pub fn body(&self) -> Rect {
        Rect { y: self.list.y + 1, height: self.list.height.saturating_sub(1), ..self.list }
    }
}

/// The parts; `None` when the terminal is too small. `split` gives the pane's list and preview of the room for both.
pub fn parts((w, h): (u16, u16), zoom: bool, split: impl FnOnce(Rect) -> (Rect, Rect)) -> Option<Parts> {
    if w < LEAST.0 || h < LEAST.1 {
        return None;
    }
    let line = |y: u16, height: u16| Rect::new(0, y, w, height);
    let tabs = u16::from(!zoom);
    let sum = if h < 12 { 1 } else { 2 };
    let top = 1 + tabs + sum;
    let body = line(top, h - top - 2);
    let (list, detail) = if zoom || body.height < 8 { whole(body) } else { split(body) };
    Some(Parts {
        head: line(0, 1),
        tabs: line(1, tabs),
        sum: line(1 + tabs, sum),
        list,
        detail,
        status: line(h - 2, 1),
        foot: line(h - 1, 1),
    })
}

/// A list without a preview.
pub fn whole(body: Rect) -> (Rect, Rect) {
    (body, Rect::new(body.x, body.bottom(), body.width, 0))
}

/// A preview of so many rows below the list, of half of them at most.
pub fn below(body: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(body.height / 2);
    (Rect { height: body.height - rows, ..body }, Rect::new(body.x, body.bottom() - rows, body.width, rows))
}

/// A list of so many columns, the preview right of it.
pub fn beside(body: Rect, left: u16) -> (Rect, Rect) {
    (Rect { width: left, ..body }, Rect::new(body.x + left, body.y, body.width - left, body.height))
}

/// The preview of a bill or run below its list: in full where there is room, else the most important of it.
pub fn preview_below(body: Rect) -> (Rect, Rect) {
    match body.height {
        22.. => below(body, 8),
        14.. => below(body, 4),
        _ => whole(body),
    }
}
