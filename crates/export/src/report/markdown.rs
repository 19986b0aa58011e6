//! A report as a text for a chat: the sums, and the first bills of each cause.
//!
//! Invariant: it stays short whatever the list is, and says of each cause how many bills it does not name.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use chrono::NaiveTime;

use skydeck_core::domain::bill::Slot;
use skydeck_core::text::markdown_safe;

use super::Contents;
use super::columns::Cell;
use super::gather::Gathered;

/// Bills of a cause that are named.
const NAMED: u64 = 20;

/// Writes the text.
pub(super) fn write(gathered: &mut Gathered, contents: &Contents<'_>, out: File) -> io::Result<()> {
    let Contents { summary, columns, style } = contents;
    let (lang, mut out) = (style.lang, BufWriter::new(out));
    writeln!(out, "# {}\n", summary.title)?;
    let about: Vec<String> = summary
        .about
        .iter()
        .map(|(name, text)| format!("{name}{}{}", lang.t(": ", "："), markdown_safe(text)))
        .collect();
    writeln!(out, "{}\n", about.join(" · "))?;
    writeln!(out, "**{}**", summary.total(lang))?;
    if let Some(changed) = summary.changed(lang) {
        writeln!(out, "\n{}", markdown_safe(&changed))?;
    }
    let heads = gathered.heads.clone();
    for ((group, line), columns) in gathered.groups.iter_mut().zip(&summary.lines).zip(columns) {
        writeln!(out, "\n## {} · {}\n", markdown_safe(&line.heading(lang)), line.count)?;
        let to_do = line.to_do(lang);
        if !to_do.is_empty() {
            writeln!(out, "{}\n", markdown_safe(&to_do))?;
        }
        // What is done needs nobody.
        if matches!(group.slot, Slot::Done | Slot::Already) {
            continue;
        }
        let mut named = 0;
        group.each(|n, bill| {
            named += 1;
            let Some(head) = heads.get(n).filter(|_| named <= NAMED) else { return Ok(()) };
            let cells = columns.cells(bill, (n, head), style);
            writeln!(out, "- {}", of(&columns.in_short(&cells)))
        })?;
        if group.count > NAMED {
            let more = group.count - NAMED;
            let more = lang.t(format!("… and {more} more, in the workbook"), format!("… 另有 {more} 张，见 xlsx"));
            writeln!(out, "- {more}")?;
        }
    }
    out.flush()
}

fn of(cells: &[&Cell]) -> String {
    let texts = cells.iter().map(|cell| match cell {
        Cell::Text(text) => markdown_safe(text),
        // A day that the ERP wrote as one.
        Cell::Date(at) if at.time() == NaiveTime::MIN => at.format("%Y-%m-%d").to_string(),
        Cell::Date(at) => at.format("%Y-%m-%d %H:%M").to_string(),
        Cell::Count(n) => n.to_string(),
    });
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ")
}
