//! The part of an absurdly large terminal that is drawn in, and the line that says so.
//!
//! Invariant: the memory of a picture does not grow with what a terminal says of its size; a real one is not cut: the
//! largest screen in the smallest letters has fewer cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::small;
use crate::ui::msg::Drawn;
use skydeck_core::text::clip;

/// Most columns that are drawn in.
pub const COLUMNS: u16 = 1000;
/// Most rows.
pub const ROWS: u16 = 400;

/// The part of a terminal of this size that is drawn in.
pub fn drawn((columns, rows): (u16, u16)) -> (u16, u16) {
    (columns.min(COLUMNS), rows.min(ROWS))
}

/// Columns and rows of it that are the console's: the last row says that there is more, where there is.
pub fn room(said: (u16, u16)) -> (u16, u16) {
    let (columns, rows) = drawn(said);
    let cut = (columns, rows) != said && !small::is_too_small(columns, rows);
    (columns, if cut { rows - 1 } else { rows })
}

/// Paints what `view` paints, and the line where there is one.
pub fn paint(picture: &mut Buffer, said: (u16, u16), chinese: bool, view: impl FnOnce(&mut Buffer) -> Drawn) -> Drawn {
    let whole = picture.area;
    let (columns, rows) = room(said);
    if rows == whole.height {
        return view(picture);
    }
    picture.resize(Rect::new(0, 0, columns, rows));
    let drawn = view(picture);
    picture.resize(whole);
    let (wide, high) = said;
    let words = if chinese {
        format!("终端报告的大小为 {wide}x{high}：仅在 {COLUMNS}x{ROWS} 以内绘制")
    } else {
        format!("the terminal says that it has {wide}x{high}: at most {COLUMNS}x{ROWS} of it are drawn in")
    };
    let style = Style::new().add_modifier(Modifier::REVERSED);
    picture.set_stringn(0, rows, clip(&words, usize::from(columns)), usize::from(columns), style);
    drawn
}
