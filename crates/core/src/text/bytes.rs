//! Bytes that may not be text: shown with each invalid byte spelled, or as a hex dump.
//!
//! Invariant: every byte of the input is visible in the output or counted in its end mark.

use std::fmt::Write as _;

use super::show::{Shown, show};

/// Bytes a line of the hex dump holds: 76 columns, so that it fits 80.
const ROW: usize = 16;

/// As [`show`] for bytes: valid UTF-8 passes through it, any other byte becomes `⟨xB5⟩` (GBK text, cut characters).
pub fn show_bytes(raw: &[u8], max: usize) -> Shown {
    let kept = raw.get(..max).unwrap_or(raw);
    let cut = raw.len() - kept.len();
    let mut text = String::with_capacity(kept.len() + 16);
    let mut changed = cut > 0;
    for chunk in kept.utf8_chunks() {
        let valid = show(chunk.valid(), chunk.valid().len());
        changed |= valid.changed();
        text.push_str(valid.as_str());
        for b in chunk.invalid() {
            changed = true;
            let _ = write!(text, "⟨x{b:02X}⟩");
        }
    }
    if cut > 0 {
        let _ = write!(text, "…⟨+{cut} bytes⟩");
    }
    Shown::assemble(text, changed, cut)
}

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)));
    text
}

/// Lines of offset, sixteen bytes in hex, and their ASCII; at most `max` bytes, then a line that counts the rest.
pub fn hexdump(raw: &[u8], max: usize) -> Vec<String> {
    let kept = raw.get(..max).unwrap_or(raw);
    let mut lines: Vec<String> = kept.chunks(ROW).enumerate().map(|(i, row)| hex_line(i * ROW, row)).collect();
    let cut = raw.len() - kept.len();
    if cut > 0 {
        lines.push(format!("…⟨+{cut} bytes⟩"));
    }
    lines
}

fn hex_line(at: usize, row: &[u8]) -> String {
    let mut line = format!("{at:08x} ");
    for i in 0..ROW {
        if i == ROW / 2 {
            line.push(' ');
        }
        let _ = match row.get(i) {
            Some(b) => write!(line, " {b:02x}"),
            None => write!(line, "   "),
        };
    }
    line.push_str("  ");
    line.extend(row.iter().map(|b| if *b == b' ' || b.is_ascii_graphic() { char::from(*b) } else { '.' }));
    line
}
