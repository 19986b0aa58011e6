//! A line of text being edited.

use tui_input::{Input, InputRequest};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::ui::cells::Pen;
use crate::ui::msg::{Code, Key};
use crate::ui::skin::Role;

/// Edits a line; `true` when the key was for it.
pub(crate) fn edit(input: &mut Input, key: Key) -> bool {
    let request = match (key.code, key.ctrl, key.alt) {
        (Code::Char('a'), true, _) | (Code::Home, ..) => InputRequest::GoToStart,
        (Code::Char('e'), true, _) | (Code::End, ..) => InputRequest::GoToEnd,
        (Code::Char('u'), true, _) => InputRequest::DeleteLine,
        (Code::Char('w'), true, _) => InputRequest::DeletePrevWord,
        (Code::Char('k'), true, _) => InputRequest::DeleteTillEnd,
        (Code::Char('h'), true, _) | (Code::Backspace, ..) => InputRequest::DeletePrevChar,
        (Code::Delete, ..) => InputRequest::DeleteNextChar,
        (Code::Left, true, _) => InputRequest::GoToPrevWord,
        (Code::Right, true, _) => InputRequest::GoToNextWord,
        (Code::Left, ..) => InputRequest::GoToPrevChar,
        (Code::Right, ..) => InputRequest::GoToNextChar,
        (Code::Char(c), false, false) => InputRequest::InsertChar(c),
        _ => return false,
    };
    input.handle(request);
    true
}

/// Pasted text as one line, without control characters.
pub(crate) fn insert(input: &mut Input, text: &str) {
    let blank = |c: char| if c.is_whitespace() { ' ' } else { c };
    let added: String = text.chars().map(blank).filter(|c| !c.is_control()).collect();
    // At once: a thousand numbers one character after the other would take seconds.
    let at = input.cursor();
    let mut value: String = input.value().chars().take(at).collect();
    value.push_str(&added);
    let at = at + added.chars().count();
    value.extend(input.value().chars().skip(input.cursor()));
    *input = Input::new(value).with_cursor(at);
}

/// A line of text being edited, scrolled so that the caret is in view; gives the caret.
pub(crate) fn draw_input(pen: &mut Pen<'_>, x: u16, y: u16, w: u16, input: &Input) -> Option<(u16, u16)> {
    if w < 2 {
        return None;
    }
    // A long text is drawn around the caret: no screen is wider than this.
    let from = input.cursor().saturating_sub(2_000);
    let near: String = input.value().chars().skip(from).take(4_000).collect();
    let shown = skydeck_core::text::show(&near, 4 * 4_000);
    // Where the caret stands, in this terminal's cells.
    let before: String = near.chars().take(input.cursor() - from).collect();
    let caret = pen.glyphs.width(&before);
    let skip = caret.saturating_sub(usize::from(w) - 1);
    let mut text = String::new();
    let mut at = 0;
    for g in shown.as_str().graphemes(true) {
        if at >= skip {
            text.push_str(g);
        }
        at += pen.glyphs.width(g);
    }
    let text = pen.glyphs.head(&text, usize::from(w));
    let used = pen.text(x, y, w, Role::Input, &text);
    for i in used..w {
        pen.text(x + i, y, 1, Role::Input, " ");
    }
    Some((x + (caret - skip) as u16, y))
}
