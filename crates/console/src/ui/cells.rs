//! Painting text into cells: widths, clipping with a mark, padding, boxes.
//!
//! Invariant: nothing is painted outside its box, no wide character is cut in half, and no control or zero-width
//! character reaches a cell, whoever forgot to clean it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

mod cell;
mod named;

pub use cell::Cell;

use super::skin::{Role, Skin};
use super::targets::Targets;
use skydeck_core::text::{Measure, clusters};

/// One character of ASCII that needs no second look.
fn is_printable(grapheme: &str) -> bool {
    matches!(grapheme.as_bytes(), [b' '..=b'~'])
}

/// Clusters that no cell may hold, whoever forgot to clean them: terminals disagree about them or obey them.
fn is_hostile(grapheme: &str) -> bool {
    grapheme.len() > 32 || grapheme.width() > 2 || grapheme.chars().any(never_painted)
}

/// Signs that differ between a Unicode terminal and an ASCII one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say what they are")]
pub struct Glyphs {
    pub ascii: bool,
    /// How wide this terminal makes characters of ambiguous width.
    pub measure: Measure,
    pub cut: &'static str,
    pub marker: &'static str,
    pub marked: &'static str,
    pub horizontal: &'static str,
    pub heavy: &'static str,
    pub vertical: &'static str,
    pub corners: [&'static str; 4],
    /// Bar: settled well, skipped, failed, unknown, waiting.
    pub bar: [&'static str; 5],
    pub spark: [&'static str; 8],
    pub folded: &'static str,
    pub unfolded: &'static str,
    pub hazard: &'static str,
    pub arrow: &'static str,
    pub dot: &'static str,
    pub on: &'static str,
    pub off: &'static str,
}

/// For terminals that show Unicode with narrow ambiguous characters.
pub const UNICODE: Glyphs = Glyphs {
    ascii: false,
    measure: Measure::Narrow,
    cut: "…",
    marker: "▌",
    marked: "◆",
    horizontal: "─",
    heavy: "━",
    vertical: "│",
    corners: ["╭", "╮", "╰", "╯"],
    bar: ["█", "▒", "▓", "▚", "░"],
    spark: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    folded: "▸",
    unfolded: "▾",
    hazard: "⚠",
    arrow: "→",
    dot: "·",
    on: "●",
    off: "○",
};

/// For everything else.
pub const ASCII: Glyphs = Glyphs {
    ascii: true,
    measure: Measure::Narrow,
    cut: "~",
    marker: ">",
    marked: "*",
    horizontal: "-",
    heavy: "=",
    vertical: "|",
    corners: ["+", "+", "+", "+"],
    bar: ["#", "-", "x", "?", "."],
    spark: ["_", ".", ":", "-", "=", "+", "*", "#"],
    folded: "+",
    unfolded: "-",
    hazard: "!",
    arrow: "->",
    dot: "|",
    on: "x",
    off: "o",
};

/// For terminals that make characters of ambiguous width wide: frames and signs are ASCII, because most of the others
/// would take two cells; text is measured as such a terminal takes it.
pub const WIDE: Glyphs = Glyphs { measure: Measure::Wide, ..ASCII };

impl Glyphs {
    /// The signs for a terminal.
    pub fn of(ascii: bool, measure: Measure) -> &'static Self {
        match (measure, ascii) {
            (Measure::Wide, _) => &WIDE,
            (Measure::Narrow, true) => &ASCII,
            (Measure::Narrow, false) => &UNICODE,
        }
    }

    /// Cells a text takes.
    pub fn width(&self, text: &str) -> usize {
        if text.is_ascii() { text.len() } else { clusters(text).map(|g| self.cell_width(g)).sum() }
    }

    /// Cells a grapheme takes: 1 or 2; 0 for what is never painted; 1 for what is replaced.
    fn cell_width(&self, grapheme: &str) -> usize {
        let mut scalars = grapheme.chars();
        match (scalars.next(), scalars.next()) {
            (Some(c), None) if c.is_ascii() => return 1,
            // Most of a Chinese screen.
            (Some('\u{4e00}'..='\u{9fff}'), None) => return 2,
            _ => {}
        }
        match self.measure.cluster(grapheme) {
            0 => 0,
            _ if is_hostile(grapheme) => 1,
            n => n,
        }
    }

    /// The beginning of a text that fits into `max` cells.
    pub fn head(&self, text: &str, max: usize) -> String {
        let mut used = 0;
        let fitting = clusters(text).take_while(|g| {
            used += self.cell_width(g);
            used <= max
        });
        fitting.collect()
    }

    /// The text cut to `max` cells; a cut is marked.
    pub fn clip(&self, text: &str, max: usize) -> String {
        match max.checked_sub(1) {
            _ if self.width(text) <= max => text.to_owned(),
            Some(room) => self.head(text, room) + self.cut,
            None => String::new(),
        }
    }

    /// Short facts side by side on lines of at most `max` cells: a fact is broken only where it is wider than a line, so
    /// that no value is torn from its label.
    pub fn flow(&self, facts: &[String], max: usize, lines: usize) -> Vec<String> {
        const GAP: &str = "   ";
        let mut out: Vec<String> = Vec::new();
        for (i, fact) in facts.iter().enumerate() {
            let fits = |line: &String| self.width(line) + GAP.len() + self.width(fact) <= max;
            if let Some(line) = out.last_mut().filter(|line| fits(line)) {
                line.push_str(GAP);
                line.push_str(fact);
            } else if out.len() < lines && self.width(fact) <= max {
                out.push(fact.clone());
            } else if out.len() < lines {
                let left = lines - out.len();
                out.extend(self.wrap(fact, max, left));
            } else if let Some(line) = out.last_mut() {
                let rest = facts.get(i..).unwrap_or_default().join(GAP);
                *line = self.clip(&format!("{line}{GAP}{rest}"), max);
                break;
            }
        }
        out
    }

    /// Lines of at most `max` cells, broken at blanks where there are any and between wide characters otherwise.
    /// At most `lines` of them; the last is marked when more was there.
    pub fn wrap(&self, text: &str, max: usize, lines: usize) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        if max == 0 || lines == 0 {
            return out;
        }
        let (mut line, mut used) = (String::new(), 0);
        let mut words = text.split_word_bounds().peekable();
        while let Some(word) = words.next() {
            let w = self.width(word);
            if used + w <= max {
                line.push_str(word);
                used += w;
                continue;
            }
            if word.trim().is_empty() {
                continue;
            }
            if out.len() + 1 >= lines {
                line.push_str(word);
                line.extend(words.by_ref());
                out.push(self.clip(line.trim_end(), max));
                return out;
            }
            if w <= max && used > 0 {
                out.push(std::mem::take(&mut line).trim_end().to_owned());
                word.clone_into(&mut line);
                used = w;
                continue;
            }
            for g in word.graphemes(true) {
                let gw = self.cell_width(g);
                if used + gw > max {
                    if out.len() + 1 >= lines {
                        line.push_str(g);
                        out.push(self.clip(&format!("{line}{}", self.cut), max));
                        return out;
                    }
                    out.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push_str(g);
                used += gw;
            }
        }
        if !line.trim().is_empty() {
            out.push(line.trim_end().to_owned());
        }
        out
    }
}

/// A brush over a buffer: knows the skin and the signs.
pub struct Pen<'a> {
    buf: &'a mut Buffer,
    skin: &'a Skin,
    /// Signs.
    pub glyphs: &'static Glyphs,
    /// What a click on it means, where that is asked.
    pub targets: Targets,
}

impl<'a> Pen<'a> {
    /// A brush.
    pub fn new(buf: &'a mut Buffer, skin: &'a Skin, glyphs: &'static Glyphs) -> Self {
        Self { buf, skin, glyphs, targets: Targets::default() }
    }

    /// What may be painted on.
    pub fn area(&self) -> Rect {
        self.buf.area
    }

    /// Writes a text into at most `max` cells from (x, y), cut with a mark; gives the cells used.
    pub fn text(&mut self, x: u16, y: u16, max: u16, role: Role, text: &str) -> u16 {
        self.styled(x, y, max, self.skin.style(role), text)
    }

    fn styled(&mut self, x: u16, y: u16, max: u16, style: Style, text: &str) -> u16 {
        let area = self.buf.area;
        if y < area.y || y >= area.bottom() || x < area.x || x >= area.right() {
            return 0;
        }
        let max = max.min(area.right() - x);
        let clipped;
        let text = if self.glyphs.width(text) > usize::from(max) {
            clipped = self.glyphs.clip(text, usize::from(max));
            clipped.as_str()
        } else {
            text
        };
        let mut at = x;
        for g in clusters(text) {
            let w = self.glyphs.cell_width(g) as u16;
            if w == 0 || at + w > x + max {
                continue;
            }
            if let Some(cell) = self.buf.cell_mut((at, y)) {
                let hostile = !is_printable(g) && is_hostile(g);
                cell.set_symbol(if hostile { self.glyphs.measure.stand_in() } else { g }).set_style(style);
            }
            if w == 2
                && let Some(cell) = self.buf.cell_mut((at + 1, y))
            {
                cell.reset();
            }
            at += w;
        }
        at - x
    }

    /// Writes right-aligned so that the text ends before `right`; gives where it begins.
    pub fn text_right(&mut self, left: u16, right: u16, y: u16, role: Role, text: &str) -> u16 {
        let w = (self.glyphs.width(text) as u16).min(right.saturating_sub(left));
        let x = right.saturating_sub(w).max(left);
        self.text(x, y, w, role, text);
        x
    }

    /// Writes pieces one after the other; gives the cells used. What does not fit is marked once, also where a cut falls
    /// between two pieces.
    pub fn pieces(&mut self, x: u16, y: u16, max: u16, pieces: &[(Role, String)]) -> u16 {
        let whole: usize = pieces.iter().map(|(_, text)| self.glyphs.width(text.trim_end())).sum();
        if whole <= usize::from(max) {
            return pieces.iter().fold(0, |used, (role, text)| used + self.text(x + used, y, max - used, *role, text));
        }
        let room = max.saturating_sub(1);
        let mut used = 0;
        for (role, text) in pieces {
            let head = self.glyphs.head(text, usize::from(room - used));
            used += self.text(x + used, y, room - used, *role, &head);
            if head.len() < text.len() {
                used += self.text(x + used, y, max - used, *role, self.glyphs.cut);
                break;
            }
        }
        used
    }

    /// A horizontal line.
    pub fn rule(&mut self, x: u16, y: u16, w: u16, role: Role, heavy: bool) {
        let (sign, style) = (if heavy { self.glyphs.heavy } else { self.glyphs.horizontal }, self.skin.style(role));
        for at in x..x.saturating_add(w) {
            if let Some(cell) = self.buf.cell_mut((at, y)) {
                cell.set_symbol(sign).set_style(style);
            }
        }
    }

    /// A vertical line.
    pub fn bar(&mut self, x: u16, y: u16, h: u16, role: Role) {
        for i in 0..h {
            self.text(x, y.saturating_add(i), 1, role, self.glyphs.vertical);
        }
    }

    /// One table row over the width of `area` at line `y`; `selected` puts the marker before it and the selection
    /// style on its key cells, or on all of it.
    pub fn row(&mut self, area: Rect, y: u16, selected: bool, cells: &[Cell<'_>]) {
        let bar = selected && self.skin.has_bar();
        if bar {
            let row = Rect { y, height: 1, ..area }.intersection(self.buf.area);
            self.buf.set_style(row, self.skin.style(Role::Selection));
        }
        if selected {
            self.text(area.x, y, 1, Role::Marker, self.glyphs.marker);
        }
        let fixed: u16 = cells.iter().map(|c| if c.width == 0 { 1 } else { c.width + 1 }).sum();
        let rest = area.width.saturating_sub(fixed);
        let mut x = area.x + 1;
        for cell in cells {
            let w = if cell.width == 0 { rest } else { cell.width };
            let left = area.right().saturating_sub(x);
            let w = w.min(left);
            if w == 0 {
                continue;
            }
            // A bar is one: every colour in it would be a ground of its own.
            let mut style = self.skin.style(if bar { Role::Text } else { cell.role });
            if bar || (selected && cell.key) {
                style = style.patch(self.skin.style(Role::Selection));
            }
            if let Some(target) = &cell.target {
                self.targets.offer(Rect::new(x, y, w, 1), target);
            }
            let cut = cell.named.then(|| self.glyphs.clip_name(&cell.text, usize::from(w)));
            let text = cut.as_deref().unwrap_or(&cell.text);
            let used = (self.glyphs.width(text) as u16).min(w);
            let at = if cell.right { x + w - used } else { x };
            self.styled(at, y, w, style, text);
            x = x.saturating_add(w + 1);
        }
    }

    /// Empties a box and draws a border with a title around it; gives the inside.
    pub fn window(&mut self, area: Rect, role: Role, title: &str) -> Rect {
        let area = area.intersection(self.buf.area);
        if area.width < 4 || area.height < 3 {
            return Rect::new(area.x, area.y, 0, 0);
        }
        self.targets.cover();
        for y in area.top()..area.bottom() {
            // A wide character that would reach into the box loses its cell.
            if let Some(before) = area.x.checked_sub(1)
                && let Some(cell) = self.buf.cell_mut((before, y))
                && self.glyphs.measure.cluster(cell.symbol()) > 1
            {
                cell.set_symbol(" ");
            }
            for x in area.left()..area.right() {
                if let Some(cell) = self.buf.cell_mut((x, y)) {
                    cell.reset();
                }
            }
        }
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        self.rule(area.x, area.y, area.width, role, false);
        self.rule(area.x, bottom, area.width, role, false);
        self.bar(area.x, area.y, area.height, role);
        self.bar(right, area.y, area.height, role);
        let [tl, tr, bl, br] = self.glyphs.corners;
        for (x, y, sign) in [(area.x, area.y, tl), (right, area.y, tr), (area.x, bottom, bl), (right, bottom, br)] {
            self.text(x, y, 1, role, sign);
        }
        let title = self.glyphs.clip(&format!(" {title} "), usize::from(area.width.saturating_sub(4)));
        self.text(area.x + 2, area.y, area.width - 4, Role::Title, &title);
        Rect::new(area.x + 2, area.y + 1, area.width - 4, area.height - 2)
    }
}

/// Controls and format characters, which have no business in a cell.
fn never_painted(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}' | '\u{61c}' | '\u{2028}' | '\u{2029}')
        || (c.width().unwrap_or(0) == 0 && ('\u{e0000}'..='\u{e0fff}').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_marked_and_never_too_wide() {
        for (text, max, want) in [
            ("库存不足", 8, "库存不足"),
            ("库存不足", 7, "库存不…"),
            ("库存不足", 6, "库存…"),
            ("abc", 2, "a…"),
            ("abc", 0, ""),
            ("", 0, ""),
        ] {
            assert_eq!(UNICODE.clip(text, max), want, "{text} {max}");
        }
    }

    #[test]
    fn ambiguous_characters_take_the_terminals_own_width() {
        for (text, narrow, wide) in [("①②③", 3, 6), ("±5°", 3, 5), ("Ω", 1, 2), ("库存…", 5, 6), ("abc", 3, 3)]
        {
            assert_eq!((UNICODE.width(text), WIDE.width(text)), (narrow, wide), "{text}");
        }
        assert_eq!(WIDE.clip("①②③", 5), "①②~");
        assert_eq!(WIDE.clip("①②③", 4), "①~");
        assert_eq!(WIDE.wrap("“库存”不足", 6, 9), ["“库存", "”不足"]);
    }

    #[test]
    fn facts_stay_with_their_labels_and_a_cut_is_marked_once() {
        let facts = ["状态 审核中", "客户 42", "日期 2026"].map(str::to_owned);
        assert_eq!(UNICODE.flow(&facts, 21, 3), ["状态 审核中   客户 42", "日期 2026"]);
        assert_eq!(UNICODE.flow(&facts, 21, 1), ["状态 审核中   客户 4…"]);
        let mut buf = Buffer::empty(Rect::new(0, 0, 8, 1));
        let skin = Skin::of_roles();
        let mut pen = Pen::new(&mut buf, &skin, &UNICODE);
        let pieces = ["abcd", "efgh", "ij"].map(|text| (Role::Text, text.to_owned()));
        assert_eq!(pen.pieces(0, 0, 8, &pieces), 8);
        let row: String = buf.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(row, "abcdefg…");
    }

    #[test]
    fn text_wraps_at_blanks_and_between_wide_characters() {
        assert_eq!(UNICODE.wrap("one two three", 7, 9), ["one two", "three"]);
        assert_eq!(UNICODE.wrap("更新库存时出现异常", 8, 9), ["更新库存", "时出现异", "常"]);
        assert_eq!(UNICODE.wrap("更新库存时出现异常", 8, 2), ["更新库存", "时出现…"]);
        assert_eq!(UNICODE.wrap("abcdefghij", 4, 9), ["abcd", "efgh", "ij"]);
    }
}
