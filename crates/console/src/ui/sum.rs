//! The sum line and the progress bar: how many bills stand where, in as many words as there is room for.
//!
//! Invariant: every column that holds a bill is named or has its sign; none is left out for want of room.

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::ids::OpId;
use skydeck_core::domain::operation_words::{self as names, Tongue};
use skydeck_core::domain::run::{RunRow, Tally};

use super::cells::Glyphs;
use super::config::Lang;
use super::format;
use super::shared::Shared;
use super::skin::Role;
use super::words::{column, glyph, role, tongue};

/// The sum line in at most `max` cells: with words, with short words, with signs alone when even that is too wide.
pub(crate) fn sum(shared: &Shared, row: &RunRow, max: u16) -> Vec<(Role, String)> {
    let (t, tally) = (shared.t(), &row.tally);
    let words = tongue(shared.lang, names::in_sum(&row.head.op));
    let mut last = Vec::new();
    // Words as long as they fit: long, short, short and close together, then abbreviated; signs alone only where no
    // word fits.
    for form in 0..6 {
        let mut out: Vec<(Role, String)> = Vec::new();
        let found = format::count(tally.found);
        out.push((Role::Title, if form < 2 { format!("{} {found}", t.found) } else { found }));
        out.push((Role::Dim, if matches!(form, 3 | 5) { "=" } else { " = " }.to_owned()));
        let shown = Slot::ALL.into_iter().filter(|s| match s {
            Slot::Waiting | Slot::NotReached => tally.get(*s) > 0,
            Slot::Done | Slot::Already | Slot::Skipped | Slot::Failed | Slot::Unknown => true,
        });
        for (i, s) in shown.enumerate() {
            if i > 0 {
                out.push((Role::Dim, if form >= 3 { "+" } else { " + " }.to_owned()));
            }
            let n = tally.get(s);
            // A zero is quiet: what calls for somebody must stand out.
            let r = if n == 0 { Role::Dim } else { role(s) };
            let n = format::count(n);
            out.push((
                r,
                match form {
                    0 => format!("{} {n}", whole(shared.lang, &row.head.op, words, s)),
                    1..=3 => format!("{} {n}", short(shared.lang, words, s)),
                    4 => format!("{} {n}", least(shared.lang, words, s)),
                    _ => format!("{}{n}", glyph(s, shared.setup.glyphs)),
                },
            ));
        }
        if row.op_unknown {
            out.push((Role::Dim, t.said_by_0_1_0.to_owned()));
        }
        let width: usize = out.iter().map(|(_, s)| shared.setup.glyphs.width(s)).sum();
        last = out;
        if width <= usize::from(max) {
            break;
        }
    }
    last
}

/// A column of the sum line in full.
fn whole(lang: Lang, op: &OpId, words: &'static Tongue, s: Slot) -> &'static str {
    if s == Slot::Already && !op.is_audit() { words.already } else { column(lang, words, s) }
}

fn short(lang: Lang, words: &'static Tongue, s: Slot) -> &'static str {
    let t = lang.texts();
    match s {
        Slot::Waiting => t.waiting_short,
        Slot::Done => words.done_short,
        Slot::Already => words.already_short,
        Slot::Skipped => t.skipped_short,
        Slot::Failed => t.failed_short,
        Slot::Unknown => t.unknown_short,
        Slot::NotReached => t.not_reached_short,
    }
}

/// The shortest words that still say which outcome is meant.
fn least(lang: Lang, words: &'static Tongue, s: Slot) -> &'static str {
    match (lang, s) {
        (_, Slot::Done) => words.done_least,
        (_, Slot::Already) => words.already_least,
        (Lang::Zh, _) => short(lang, words, s),
        (_, Slot::Waiting) => "wait",
        (_, Slot::Skipped) => "skip",
        (_, Slot::Failed) => "fail",
        (_, Slot::Unknown) => "unk",
        (_, Slot::NotReached) => "left",
    }
}

/// The progress bar of a tally, by what became of the bills.
pub(crate) fn bar(tally: &Tally, width: u16, glyphs: &Glyphs) -> Vec<(Role, String)> {
    let total = tally.found.max(1);
    let parts = [
        (Role::Ok, tally.audited + tally.already),
        (Role::Skipped, tally.skipped),
        (Role::Failed, tally.failed),
        (Role::Unknown, tally.unknown),
        (Role::Dim, if tally.found == 0 { 1 } else { tally.waiting + tally.not_reached }),
    ];
    let mut out = Vec::new();
    let (mut seen, mut used) = (0u64, 0u64);
    for ((role, n), sign) in parts.into_iter().zip(glyphs.bar) {
        seen += n;
        // Nothing that is there may vanish: a share of one bill has at least a cell while there is room.
        let mut to = (seen.min(total) * u64::from(width)).div_ceil(total).min(u64::from(width));
        if n == 0 {
            to = used;
        }
        let cells = to.saturating_sub(used);
        used = used.max(to);
        out.push((role, sign.repeat(cells as usize)));
    }
    out
}
