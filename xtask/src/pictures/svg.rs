//! A terminal's screen as SVG: each sign at the place of its cell, whatever font the reader has.
//!
//! Invariant: a wide sign takes two cells and the sign after it begins where the terminal has it. Lines and blocks are drawn,
//! because the signs for them differ from font to font.

use std::fmt::Write;

/// Cell of the picture.
pub const CELL: (u32, u32) = (8, 17);

/// Margin around the screen.
pub const MARGIN: u32 = 10;

const BACK: &str = "#16181d";
const FORE: &str = "#d0d0d0";

/// The opening of a picture of so many cells, and its style.
pub fn head(columns: u16, rows: u32, style: &str) -> String {
    let (w, h) = (u32::from(columns) * CELL.0 + 2 * MARGIN, rows * CELL.1 + 2 * MARGIN);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">\n\
         <style>text{{font:13.3px ui-monospace,'DejaVu Sans Mono',Consolas,'Noto Sans Mono CJK SC','Noto Sans CJK SC',\
         'WenQuanYi Micro Hei Mono','Microsoft YaHei',monospace;white-space:pre}}.b{{font-weight:bold}}.d{{opacity:.6}}{style}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACK}\"/>\n"
    )
}

/// One screen as a picture of its own.
pub fn still(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let mut out = head(columns, rows.into(), "");
    for (at, row) in rows_of(screen).iter().enumerate().filter(|(_, row)| !row.is_empty()) {
        let _ = writeln!(out, "<g transform=\"translate({MARGIN},{})\">{row}</g>", MARGIN + at as u32 * CELL.1);
    }
    out + "</svg>\n"
}

fn colour(colour: vt100::Color, otherwise: &str) -> String {
    const BASE: [&str; 16] = [
        "#1c1c1c", "#d75f5f", "#5faf5f", "#d7af5f", "#5f87d7", "#af87d7", "#5fafaf", "#c6c6c6", "#767676", "#ff8787",
        "#87d787", "#ffd787", "#87afff", "#d7afff", "#87d7d7", "#ffffff",
    ];
    match colour {
        vt100::Color::Default => otherwise.to_owned(),
        vt100::Color::Idx(n) if let Some(base) = BASE.get(usize::from(n)) => (*base).to_owned(),
        vt100::Color::Idx(n @ ..=231) => {
            let level = |v: u8| if v == 0 { 0 } else { 55 + 40 * v };
            let n = n - 16;
            format!("#{:02x}{:02x}{:02x}", level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        vt100::Color::Idx(n) => {
            let v = 8 + 10 * (n - 232);
            format!("#{v:02x}{v:02x}{v:02x}")
        }
        vt100::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    }
}

/// How a cell looks, but for its sign.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    fore: String,
    back: String,
    bold: bool,
    dim: bool,
}

impl Look {
    fn of(cell: &vt100::Cell) -> Self {
        let (mut fore, mut back) = (colour(cell.fgcolor(), FORE), colour(cell.bgcolor(), BACK));
        if cell.inverse() {
            std::mem::swap(&mut fore, &mut back);
        }
        Self { fore, back, bold: cell.bold(), dim: cell.dim() }
    }

    fn attributes(&self) -> String {
        let class = match (self.bold, self.dim) {
            (true, true) => " class=\"b d\"",
            (true, false) => " class=\"b\"",
            (false, true) => " class=\"d\"",
            (false, false) => "",
        };
        format!("fill=\"{}\"{class}", self.fore)
    }
}

/// What is drawn of a run of equal looks: letters that stand in one piece, signs that stand each at their place.
#[derive(Default)]
struct Row {
    out: String,
    /// Where the letters begin, and the letters.
    letters: (u32, String),
    signs: Vec<(u32, String)>,
}

impl Row {
    fn letters_end(&mut self, look: &Look) {
        let (at, text) = std::mem::take(&mut self.letters);
        let plain = text.trim_end();
        if !plain.is_empty() {
            let (x, n) = (at * CELL.0, plain.chars().count() as u32);
            let fitted = if n > 1 {
                format!(" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"", n * CELL.0)
            } else {
                String::new()
            };
            let text = plain.replace('&', "&amp;").replace('<', "&lt;");
            let _ = write!(self.out, "<text x=\"{x}\" y=\"13\" {}{fitted}>{text}</text>", look.attributes());
        }
    }

    fn signs_end(&mut self, look: &Look) {
        let signs = std::mem::take(&mut self.signs);
        if !signs.is_empty() {
            let places: Vec<String> = signs.iter().map(|(at, _)| (at * CELL.0).to_string()).collect();
            let text: String = signs.into_iter().map(|(_, sign)| sign).collect();
            let _ = write!(self.out, "<text x=\"{}\" y=\"13\" {}>{text}</text>", places.join(" "), look.attributes());
        }
    }

    fn end(&mut self, look: &Look) {
        self.letters_end(look);
        self.signs_end(look);
    }

    fn put(&mut self, at: u32, sign: &str, look: &Look) {
        if sign.is_ascii() {
            // Three blanks part two texts: fewer places depend on the font.
            if self.letters.1.ends_with("   ") {
                self.letters_end(look);
            }
            if self.letters.1.is_empty() {
                self.letters.0 = at;
            }
            if !(sign.trim().is_empty() && self.letters.1.is_empty()) {
                self.letters.1.push_str(if sign.is_empty() { " " } else { sign });
            }
        } else {
            self.letters_end(look);
            self.signs.push((at, sign.to_owned()));
        }
    }
}

/// A line or block at a cell, so many of them beside each other.
fn drawn(sign: char, at: u32, beside: u32) -> Option<String> {
    let (wide, high) = CELL;
    let (x, y, half) = (at * wide, high / 2, wide / 2);
    let line =
        |d: String, width: u32| Some(format!("<path d=\"{d}\" fill=\"none\" stroke=\"@\" stroke-width=\"{width}\"/>"));
    let block = |width: u32, opacity: &str| {
        Some(format!("<rect x=\"{x}\" width=\"{width}\" height=\"{high}\" fill=\"@\"{opacity}/>"))
    };
    match sign {
        '─' => line(format!("M{x} {y}h{}", beside * wide), 1),
        '━' => line(format!("M{x} {y}h{}", beside * wide), 2),
        '│' => line(format!("M{} 0v{high}", x + half), 1),
        '╭' => line(format!("M{} {high}V{}q0-4 4-4h{}", x + half, y + 4, half.saturating_sub(4)), 1),
        '╮' => line(format!("M{x} {y}q4 0 4 4V{high}"), 1),
        '╰' => line(format!("M{} 0V{}q0 4 4 4h{}", x + half, y.saturating_sub(4), half.saturating_sub(4)), 1),
        '╯' => line(format!("M{x} {y}q4 0 4-4V0"), 1),
        '█' => block(beside * wide, ""),
        '▓' => block(beside * wide, " opacity=\".75\""),
        '▒' => block(beside * wide, " opacity=\".5\""),
        '░' => block(beside * wide, " opacity=\".25\""),
        '▌' => block(half, ""),
        _ => None,
    }
}

/// The rows of a screen, each with its top at 0; empty where there is nothing to be seen.
pub fn rows_of(screen: &vt100::Screen) -> Vec<String> {
    (0..screen.size().0).map(|row| row_of(screen, row)).collect()
}

fn row_of(screen: &vt100::Screen, row: u16) -> String {
    let columns = screen.size().1;
    let cells: Vec<(u16, &vt100::Cell, Look)> = (0..columns)
        .filter_map(|column| screen.cell(row, column).map(|cell| (column, cell)))
        .filter(|(_, cell)| !cell.is_wide_continuation())
        .map(|(column, cell)| (column, cell, Look::of(cell)))
        .collect();
    let mut out = Row::default();
    // Backgrounds first, so that no sign is cut by the next cell's.
    for run in cells.chunk_by(|a, b| a.2.back == b.2.back) {
        let [(first, _, look), ..] = run else { continue };
        let end = run.last().map_or(*first, |(column, cell, _)| column + if cell.is_wide() { 2 } else { 1 });
        if look.back != BACK {
            let (x, w) = (u32::from(*first) * CELL.0, u32::from(end - first) * CELL.0);
            let _ = write!(out.out, "<rect x=\"{x}\" width=\"{w}\" height=\"{}\" fill=\"{}\"/>", CELL.1, look.back);
        }
    }
    for run in cells.chunk_by(|a, b| a.2 == b.2) {
        let [(.., look), ..] = run else { continue };
        for same in run.chunk_by(|a, b| a.1.contents() == b.1.contents()) {
            let [(first, cell, _), ..] = same else { continue };
            let sign = cell.contents();
            let shape = sign.chars().next().filter(|_| sign.chars().count() == 1);
            if let Some(shape) = shape.and_then(|sign| drawn(sign, u32::from(*first), same.len() as u32)) {
                out.letters_end(look);
                let dim = if look.dim { format!("<g class=\"d\">{shape}</g>") } else { shape };
                out.out.push_str(&dim.replace('@', &look.fore));
                continue;
            }
            for (column, cell, _) in same {
                out.put(u32::from(*column), cell.contents(), look);
            }
        }
        out.end(look);
    }
    out.out
}
