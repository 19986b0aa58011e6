//! The four forms of an export.
//!
//! Invariant: CSV holds no formula, Markdown and HTML no live markup, JSON lines no raw control character; JSON alone
//! keeps the server's text to the letter.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::Listing;
use super::row::{Field, Row, date};
use super::style::{Format, Style};
use skydeck_core::domain::erp_status::After;
use skydeck_core::domain::language::Language;
use skydeck_core::domain::operation_words::Words;
use skydeck_core::domain::reached::reached;
use skydeck_core::domain::zone::Zone;
use skydeck_core::domain::{group_words, operation_words};
use skydeck_core::text::{csv_safe, hostile, html_safe, markdown_safe};

type Out = Box<dyn Write + Send>;

/// Tells spreadsheets that the file is UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Writes rows in one form.
pub struct Writer {
    form: Form,
    fields: Vec<Field>,
    style: Style,
    rows: u64,
    /// By the word for scripts: the word for people, and how many.
    sums: BTreeMap<&'static str, (&'static str, u64)>,
}

enum Form {
    Csv(Box<csv::Writer<Out>>),
    JsonLines(Out),
    Markdown(Out),
    Html(Out),
}

impl Writer {
    /// Writes what stands before the rows.
    pub fn begin(listing: &Listing, mut out: Out, mut fields: Vec<Field>) -> io::Result<Self> {
        let (format, style, filter) = (listing.format, &listing.style, &listing.filter.to_string());
        // A sheet has the words of the lists, and the codes for scripts at the end; or nothing but the codes.
        if format == Format::Csv && !style.codes {
            fields.extend([Field::OutcomeCode, Field::CauseCode]);
        }
        let form = match format {
            Format::Csv => {
                out.write_all(BOM)?;
                let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
                let heading = |f: &Field| csv_safe(if style.codes { f.key() } else { f.heading(style.lang) });
                csv.write_record(fields.iter().map(heading))?;
                Form::Csv(Box::new(csv))
            }
            Format::JsonLines => Form::JsonLines(out),
            Format::Markdown => {
                out.write_all(about(filter, style, markdown_safe).as_bytes())?;
                let headings: Vec<String> = fields.iter().map(|f| markdown_safe(f.heading(style.lang))).collect();
                writeln!(out, "\n| {} |\n|{}", headings.join(" | "), " --- |".repeat(fields.len()))?;
                Form::Markdown(out)
            }
            Format::Html => {
                out.write_all(html_head(&fields, filter, style).as_bytes())?;
                Form::Html(out)
            }
        };
        Ok(Self { form, fields, style: style.clone(), rows: 0, sums: BTreeMap::new() })
    }

    /// Zone of its dates.
    pub fn zone(&self) -> Zone {
        self.style.zone.clone()
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes one bill.
    pub fn row(&mut self, row: &Row) -> io::Result<()> {
        self.rows += 1;
        let word = outcome(row, self.style.lang, operation_words::in_sum(&row.bill.key.op));
        self.sums.entry(row.outcome()).or_insert((word, 0)).1 += 1;
        match &mut self.form {
            Form::Csv(csv) => {
                let style = &self.style;
                let value = |f: &Field| for_people(row, f, style);
                csv.write_record(self.fields.iter().map(|f| csv_safe(&value(f)))).map_err(Into::into)
            }
            Form::JsonLines(out) => writeln!(out, "{}", json_line(row, &self.fields)),
            Form::Markdown(out) => {
                let cells: Vec<String> =
                    self.fields.iter().map(|f| markdown_safe(&for_people(row, f, &self.style))).collect();
                writeln!(out, "| {} |", cells.join(" | "))
            }
            Form::Html(out) => {
                let cells: String = self.fields.iter().fold(String::new(), |mut all, f| {
                    let _ = write!(all, "<td>{}</td>", html_safe(&for_people(row, f, &self.style)));
                    all
                });
                writeln!(out, "<tr class=\"{}\">{cells}</tr>", row.outcome())
            }
        }
    }

    /// Writes what stands after the rows; returns how many there were.
    pub fn end(self) -> io::Result<u64> {
        let sums: Vec<String> = self.sums.values().map(|(word, n)| format!("{word} {n}")).collect();
        let total = self.style.lang.t(format!("{} bills", self.rows), format!("共 {} 张", self.rows));
        let colon = self.style.lang.t(": ", "：");
        match self.form {
            Form::Csv(csv) => csv.into_inner().map_err(|e| io::Error::other(e.to_string()))?.flush()?,
            Form::JsonLines(mut out) => out.flush()?,
            Form::Markdown(mut out) => {
                writeln!(out, "\n{total}{colon}{}", sums.join(" · "))?;
                out.flush()?;
            }
            Form::Html(mut out) => {
                writeln!(out, "</tbody></table><p class=\"sum\">{total}{colon}{}</p></body></html>", sums.join(" · "))?;
                out.flush()?;
            }
        }
        Ok(self.rows)
    }
}

/// A value as people read it: in the language of the list, and where an operation has a word of its own, that one.
fn for_people(row: &Row, field: &Field, style: &Style) -> String {
    if style.codes {
        return row.value(field);
    }
    let bill = &row.bill;
    match (field, style.lang) {
        (Field::Outcome, lang) => outcome(row, lang, operation_words::words(&bill.key.op)).to_owned(),
        (Field::Cause, lang) => match row.value(field) {
            none if none.is_empty() => none,
            group => group_words::label(&style.causes, lang, bill.state.slot(), &group),
        },
        (Field::Message, lang) => row.message(lang),
        (Field::Status | Field::StatusBefore, lang) => row.status(field, lang),
        (Field::StatusBy, Language::Zh) => After::of(bill).ground.zh().to_owned(),
        (field, _) => row.value(field),
    }
}

/// Where a bill stands.
fn outcome(row: &Row, lang: Language, words: &'static Words) -> &'static str {
    if row.bill.untold { lang.t("not approved", "未批准") } else { words.column(lang, row.bill.state.slot()) }
}

/// One object a line. Characters that could drive a terminal are escaped, which loses nothing.
fn json_line(row: &Row, fields: &[Field]) -> String {
    let mut object = Map::new();
    for field in fields {
        if matches!(field, Field::Column(..) | Field::Operation | Field::Made) {
            continue;
        }
        let value = row.value(field);
        let value = match field {
            Field::Attempts => Value::from(row.bill.attempts),
            Field::Code => value.parse::<i64>().map_or(Value::Null, Value::from),
            Field::Cause
            | Field::Message
            | Field::OpenSince
            | Field::Status
            | Field::StatusAt
            | Field::AuditedErp
            | Field::ModifiedErp
                if value.is_empty() =>
            {
                Value::Null
            }
            _ => Value::from(value),
        };
        object.insert(field.key().to_owned(), value);
    }
    object.insert("operation".to_owned(), Value::from(row.operation()));
    if row.word() != row.outcome() {
        object.insert("word".to_owned(), Value::from(row.word()));
    }
    if let Some(made) = &row.bill.made {
        let steps: Vec<&str> = reached(&row.bill).iter().map(|step| step.word()).collect();
        object.insert("made".to_owned(), json!({"form": made.form, "fid": made.id, "no": made.no}));
        object.insert("steps_reached".to_owned(), json!(steps));
    }
    let columns: Map<String, Value> = row.columns().map(|(name, value)| (name, Value::from(value))).collect();
    object.insert("columns".to_owned(), Value::Object(columns));
    escape_hostile(&Value::Object(object).to_string())
}

fn escape_hostile(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn about(filter: &str, style: &Style, safe: fn(&str) -> String) -> String {
    let when = date(style.now, &style.zone);
    let zone = style.zone.name();
    let filter = if filter.is_empty() { "-".to_owned() } else { safe(filter) };
    match style.lang {
        Language::Zh => format!("# Skydeck 单据清单\n\n生成时间 {when}（{zone}） · 过滤 {filter}\n"),
        Language::En => format!("# Skydeck bills\n\nwritten {when} ({zone}) · filter {filter}\n"),
    }
}

/// A page of its own: no script, nothing loaded, readable on paper.
const CSS: &str = "body{font:14px/1.5 system-ui,'Microsoft YaHei',sans-serif;margin:2em}table{border-collapse:collapse}\
th,td{border:1px solid #ccc;padding:.2em .6em;text-align:left;vertical-align:top}th{background:#eee;position:sticky;top:0}\
td{overflow-wrap:anywhere}.failed td:nth-child(3){color:#a00;font-weight:bold}.unknown td:nth-child(3){color:#850;font-weight:bold}\
.sum{font-weight:bold}";

fn html_head(fields: &[Field], filter: &str, style: &Style) -> String {
    let lang = style.lang.t("en", "zh-CN");
    let title = style.lang.t("Skydeck bills", "Skydeck 单据清单");
    let (written, filtered) = style.lang.t(("written", "filter"), ("生成时间", "过滤"));
    let when = date(style.now, &style.zone);
    let zone = style.zone.name();
    let filter = if filter.is_empty() { "-".to_owned() } else { html_safe(filter) };
    let headings: String = fields.iter().fold(String::new(), |mut all, f| {
        let _ = write!(all, "<th>{}</th>", html_safe(f.heading(style.lang)));
        all
    });
    format!(
        "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title}</title><style>{CSS}</style></head>\n<body><h1>{title}</h1>\
         <p>{written} {when} ({zone}) · {filtered} {filter}</p>\n\
         <table><thead><tr>{headings}</tr></thead><tbody>\n"
    )
}
