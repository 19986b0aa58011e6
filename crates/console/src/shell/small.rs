//! The picture of a terminal too small for the console: it says so and goes away when there is room again.
//!
//! Invariant: any size from 0x0 on works.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use crate::ui::msg::{Code, Drawn, Key, Msg};
use skydeck_core::text::{clip, width};

/// Fewest columns the console draws in.
pub const COLUMNS: u16 = 60;
/// Fewest rows the console draws in.
pub const ROWS: u16 = 15;

/// Whether there is too little room.
pub fn is_too_small(columns: u16, rows: u16) -> bool {
    columns < COLUMNS || rows < ROWS
}

/// Whether somebody who sees nothing of the console may mean this: going away, and back. A question that is not on the
/// screen is answered by nothing.
pub fn takes(msg: &Msg) -> bool {
    match msg {
        Msg::Key(key) => {
            *key == Key::plain(Code::Esc) || [Key::ctrl('c'), Key::ctrl('z'), Key::char('q')].contains(key)
        }
        Msg::Paste(_) | Msg::Unpasted(_) | Msg::Click { .. } | Msg::Wheel(_) => false,
        _ => true,
    }
}

/// Paints the picture.
pub fn paint(picture: &mut Buffer, chinese: bool) -> Drawn {
    let (columns, rows) = (picture.area.width, picture.area.height);
    let words = if chinese {
        [format!("终端太小：{columns}x{rows}"), format!("至少需要 {COLUMNS}x{ROWS}"), "运行不受影响".to_owned()]
    } else {
        [format!("too small: {columns}x{rows}"), format!("{COLUMNS}x{ROWS} at least"), "runs continue".to_owned()]
    };
    let top = rows.saturating_sub(words.len() as u16) / 2;
    for (line, y) in words.iter().zip(top..rows) {
        let line = clip(line, usize::from(columns));
        let x = columns.saturating_sub(width(&line) as u16) / 2;
        picture.set_stringn(x, y, &line, usize::from(columns), Style::new());
    }
    Drawn::default()
}
