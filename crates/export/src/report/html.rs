//! A report as a page of its own: no script, nothing loaded from anywhere, and on paper every row with its headings.
//!
//! Invariant: text passes [`html_safe`] on its way in.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use skydeck_core::text::html_safe;

use super::Contents;
use super::columns::Cell;
use super::gather::Gathered;
use super::summary::Summary;
use crate::style::Style;

const CSS: &str = "body{font:14px/1.5 system-ui,'Microsoft YaHei','Noto Sans CJK SC',sans-serif;margin:2em;color:#111}\
table{border-collapse:collapse;margin:.5em 0 2em}th,td{border:1px solid #bbb;padding:.2em .6em;text-align:left;vertical-align:top}\
th{background:#eee}td{overflow-wrap:anywhere}td.n{text-align:right}td.d{white-space:nowrap}h2{margin:1.5em 0 .2em}\
.todo{font-weight:bold}dl{display:grid;grid-template-columns:max-content auto;gap:.1em 1em}dd{margin:0}\
@media print{@page{size:A4 landscape;margin:12mm}body{margin:0;font-size:9px}thead{display:table-header-group}\
tr{break-inside:avoid}h2{break-after:avoid}a{color:inherit;text-decoration:none}}";

/// Writes the page.
pub(super) fn write(gathered: &mut Gathered, contents: &Contents<'_>, out: File) -> io::Result<()> {
    let Contents { summary, columns, style } = contents;
    let mut out = BufWriter::new(out);
    begin(&mut out, summary, style)?;
    let heads = gathered.heads.clone();
    for (n, ((group, line), columns)) in gathered.groups.iter_mut().zip(&summary.lines).zip(columns).enumerate() {
        let headings = columns.headings(style.lang);
        let headings =
            headings.iter().map(|heading| format!("<th>{}</th>", html_safe(heading))).collect::<Vec<_>>().concat();
        let heading = html_safe(&line.heading(style.lang));
        writeln!(out, "<h2 id=\"g{n}\">{heading} · {}</h2>", line.count)?;
        let to_do = line.to_do(style.lang);
        if !to_do.is_empty() {
            writeln!(out, "<p class=\"todo\">{}</p>", html_safe(&to_do))?;
        }
        writeln!(out, "<table class=\"bills\"><thead><tr>{headings}</tr></thead><tbody>")?;
        group.each(|head_at, bill| {
            let Some(head) = heads.get(head_at) else { return Ok(()) };
            let cells = columns.cells(bill, (head_at, head), style);
            out.write_all(b"<tr>")?;
            cells.iter().try_for_each(|one| cell(&mut out, one))?;
            out.write_all(b"</tr>\n")
        })?;
        writeln!(out, "</tbody></table>")?;
    }
    writeln!(out, "</body></html>")?;
    out.flush()
}

fn cell(out: &mut impl Write, cell: &Cell) -> io::Result<()> {
    match cell {
        Cell::Text(text) => write!(out, "<td>{}</td>", html_safe(text)),
        Cell::Date(at) => write!(out, "<td class=\"d\">{}</td>", at.format("%Y-%m-%d %H:%M:%S")),
        Cell::Count(n) => write!(out, "<td class=\"n\">{n}</td>"),
    }
}

fn begin(out: &mut impl Write, summary: &Summary, style: &Style) -> io::Result<()> {
    let lang = style.lang;
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">\
         <title>{title}</title><style>{CSS}</style></head>\n<body><h1>{title}</h1>",
        lang.t("en", "zh-CN"),
        title = summary.title,
    )?;
    write!(out, "<dl>")?;
    for (name, text) in &summary.about {
        write!(out, "<dt>{name}</dt><dd>{}</dd>", html_safe(text))?;
    }
    writeln!(out, "</dl><p class=\"todo\">{}</p>", html_safe(&summary.total(lang)))?;
    if let Some(changed) = summary.changed(lang) {
        writeln!(out, "<p>{}</p>", html_safe(&changed))?;
    }
    let mut names = lang.t(
        vec!["cause", "bills", "oldest", "who acts", "what to do"],
        vec!["原因", "张数", "最早", "由谁处理", "建议"],
    );
    if summary.last.is_some() {
        names.extend(lang.t(["last report", "came", "left"], ["上次报告", "新增", "减少"]));
    }
    let names = names.iter().map(|name| format!("<th>{name}</th>")).collect::<Vec<_>>().concat();
    writeln!(out, "<table class=\"sums\"><thead><tr>{names}</tr></thead><tbody>")?;
    for (n, line) in summary.lines.iter().enumerate() {
        let oldest = line.oldest.map(|at| at.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
        write!(
            out,
            "<tr><td><a href=\"#g{n}\">{}</a></td><td class=\"n\">{}</td><td class=\"d\">{oldest}</td><td>{}</td><td>{}</td>",
            html_safe(&line.heading(lang)),
            line.count,
            line.who,
            html_safe(&line.advice)
        )?;
        if let Some(change) = line.change {
            write!(
                out,
                "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
                change.was, change.came, change.left
            )?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table>")
}
