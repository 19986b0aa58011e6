//! A hand-over written out: for a terminal, a chat, or a page that prints.
//!
//! Invariant: text passes on its way in what its reader needs: [`show`], [`markdown_safe`], [`html_safe`].

use skydeck_core::domain::language::Language;
use skydeck_core::text::{html_safe, markdown_safe, show};

use super::{Form, Handover, Section};

/// Bytes of a cell.
const CELL: usize = 2000;

const CSS: &str = "body{font:14px/1.5 system-ui,'Microsoft YaHei','Noto Sans CJK SC',sans-serif;margin:2em;color:#111}\
table{border-collapse:collapse;margin:.3em 0 1.5em}th,td{border:1px solid #bbb;padding:.2em .6em;text-align:left;vertical-align:top}\
th{background:#eee}@media print{@page{size:A4 landscape;margin:12mm}body{margin:0;font-size:10px}tr{break-inside:avoid}}";

/// Writes it out.
pub fn render(handover: &Handover, form: Form, lang: Language) -> String {
    match form {
        Form::Text => text(handover, lang),
        Form::Markdown => markdown(handover, lang),
        Form::Html => html(handover, lang),
    }
}

/// What is said where there are no rows, or not all of them.
fn beside(section: &Section, lang: Language) -> Option<String> {
    match section.more {
        0 => section.rows.is_empty().then(|| section.none.to_owned()),
        n => Some(
            lang.t(format!("… and {n} earlier ones: `skydeck log`"), format!("… 更早的还有 {n} 条：`skydeck log`")),
        ),
    }
}

fn whole(lines: &[String]) -> String {
    format!("{}\n", lines.join("\n"))
}

/// The cells of a row that say anything, each with what it is called where the cell alone does not say it.
fn told<'a>(section: &'a Section, row: &'a [String]) -> impl Iterator<Item = (usize, &'static str, &'a str)> {
    let cells = section.columns.iter().zip(row).enumerate();
    cells.filter(|(_, (_, cell))| !cell.is_empty()).map(|(n, (column, cell))| (n, *column, cell.as_str()))
}

fn line(section: &Section, row: &[String], safe: impl Fn(&str) -> String) -> String {
    let named = |(n, column, cell): (usize, &str, &str)| {
        let number = n > 0 && cell.starts_with(|c: char| c.is_ascii_digit() || c == '+');
        if number { format!("{column} {}", safe(cell)) } else { safe(cell) }
    };
    told(section, row).map(named).collect::<Vec<_>>().join(" · ")
}

fn text(handover: &Handover, lang: Language) -> String {
    let safe = |cell: &str| show(cell, CELL).into_string();
    let mut out = vec![handover.title.to_owned()];
    out.extend(handover.about.iter().map(|line| safe(line)));
    for section in &handover.sections {
        out.extend([String::new(), section.heading.to_owned()]);
        out.extend(section.rows.iter().map(|row| format!("  {}", line(section, row, safe))));
        out.extend(beside(section, lang).map(|line| format!("  {line}")));
    }
    whole(&out)
}

fn markdown(handover: &Handover, lang: Language) -> String {
    let safe = |cell: &str| markdown_safe(show(cell, CELL).as_str());
    let mut out = vec![format!("# {}", handover.title), String::new()];
    out.extend(handover.about.iter().map(|line| format!("- {}", safe(line))));
    for section in &handover.sections {
        out.extend([String::new(), format!("## {}", section.heading), String::new()]);
        out.extend(section.rows.iter().map(|row| format!("- {}", line(section, row, safe))));
        out.extend(beside(section, lang));
    }
    whole(&out)
}

fn html(handover: &Handover, lang: Language) -> String {
    let (title, code) = (handover.title, lang.t("en", "zh-CN"));
    let mut out = vec![format!(
        "<!doctype html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\
         <link rel=\"icon\" href=\"data:,\"><title>{title}</title><style>{CSS}</style></head>\n<body><h1>{title}</h1>"
    )];
    out.extend(handover.about.iter().map(|line| format!("<p>{}</p>", html_safe(line))));
    let cells = |tag: &str, row: &[String]| -> String {
        let cell = |cell: &String| format!("<{tag}>{}</{tag}>", html_safe(show(cell, CELL).as_str()));
        row.iter().map(cell).collect::<Vec<_>>().concat()
    };
    for section in &handover.sections {
        out.push(format!("<h2>{}</h2>", section.heading));
        if !section.rows.is_empty() {
            let head: Vec<String> = section.columns.iter().map(|column| (*column).to_owned()).collect();
            out.push(format!("<table><thead><tr>{}</tr></thead><tbody>", cells("th", &head)));
            out.extend(section.rows.iter().map(|row| format!("<tr>{}</tr>", cells("td", row))));
            out.push("</tbody></table>".to_owned());
        }
        out.extend(beside(section, lang).map(|line| format!("<p>{line}</p>")));
    }
    out.push("</body></html>".to_owned());
    whole(&out)
}
