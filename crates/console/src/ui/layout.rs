//! Where things stand on the screen: a pure function of size, pane and zoom, used by `update` (heights) and `view`.

use ratatui::layout::Rect;

use super::model::{Model, Pane};

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

/// The parts for a model; `None` when the terminal is too small.
pub fn parts(model: &Model) -> Option<Parts> {
    let (w, h) = model.size;
    if w < LEAST.0 || h < LEAST.1 {
        return None;
    }
    let line = |y: u16, height: u16| Rect::new(0, y, w, height);
    let tabs = u16::from(!model.zoom);
    let sum = if h < 12 { 1 } else { 2 };
    let top = 1 + tabs + sum;
    let body = line(top, h - top - 2);
    let (list, detail) = split(model, body);
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

fn split(model: &Model, body: Rect) -> (Rect, Rect) {
    let none = Rect::new(body.x, body.bottom(), body.width, 0);
    if model.zoom || body.height < 8 {
        return (body, none);
    }
    let below = |rows: u16| {
        let rows = rows.min(body.height / 2);
        (Rect { height: body.height - rows, ..body }, Rect::new(body.x, body.bottom() - rows, body.width, rows))
    };
    let beside =
        |left: u16| (Rect { width: left, ..body }, Rect::new(body.x + left, body.y, body.width - left, body.height));
    match model.pane {
        Pane::Plans if body.width >= WIDE => beside(body.width * 11 / 20),
        Pane::Plans => {
            let need = (model.plans.len() as u16).saturating_add(2).max(4);
            below(body.height.saturating_sub(need).max(6))
        }
        // The reasons need the whole width; health goes under the list.
        Pane::Queue if body.width >= WIDE && body.height >= 20 => below(7),
        Pane::Results | Pane::Ledger | Pane::History if body.height >= 22 => below(8),
        Pane::Results | Pane::Ledger | Pane::History | Pane::Log if body.height >= 14 => below(4),
        _ => (body, none),
    }
}
