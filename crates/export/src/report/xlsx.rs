//! A report as a workbook: a summary, then a sheet for each cause with a filter row.
//!
//! Invariants: rows leave for the disk as they come; text is text, whatever it begins with, so that nothing is calculated and
//! no digit is lost; a list longer than a sheet goes on in the next one, and the summary says so.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::sync::Arc;

use chrono::{Datelike as _, NaiveDateTime, Timelike as _};
use rust_xlsxwriter::{ExcelDateTime, Format, FormatAlign, Url, Workbook, Worksheet, XlsxError};

use skydeck_core::text::show;

use super::Contents;
use super::columns::{Cell, Column, Columns};
use super::gather::{Gathered, Group};
use super::summary::Summary;
use crate::heads::Head;
use crate::row::Field;
use crate::style::Style;

/// Rows of a sheet, with the one of the headings.
const ROWS: u32 = 1_048_576;
/// Bytes of a cell; a sheet takes 32,767 characters.
const TEXT: usize = 32_000;
/// Characters of a sheet's name, as spreadsheets count them.
const NAME: usize = 31;

/// Writes the workbook.
pub(super) fn write(gathered: &mut Gathered, contents: &Contents<'_>, out: File) -> io::Result<()> {
    let Contents { summary, columns, style } = contents;
    let mut book = Book::begin(style, ROWS)?;
    let heads = gathered.heads.clone();
    for ((group, line), columns) in gathered.groups.iter_mut().zip(&summary.lines).zip(columns) {
        book.group(group, &line.label, (columns, &heads))?;
    }
    book.summary(summary)?;
    let mut out = BufWriter::new(out);
    book.workbook.save_to_writer(&mut out).map_err(fault)?;
    out.flush()
}

struct Book<'a> {
    workbook: Workbook,
    style: &'a Style,
    rows: u32,
    names: Names,
    /// Sheets of each group.
    sheets: Vec<Vec<String>>,
    head: Format,
    date: Format,
    text: Format,
}

impl<'a> Book<'a> {
    fn begin(style: &'a Style, rows: u32) -> io::Result<Self> {
        let mut workbook = Workbook::new();
        let mut names = Names::default();
        let first = names.take(style.lang.t("summary", "汇总"));
        workbook.add_worksheet().set_name(first).map_err(fault)?;
        let head = Format::new().set_bold().set_background_color(0x00E7_E6E6).set_align(FormatAlign::Top);
        Ok(Self {
            workbook,
            style,
            rows,
            names,
            sheets: Vec::new(),
            head: head.set_text_wrap(),
            date: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            // The format of text: a number that somebody types over it stays as it is typed.
            text: Format::new().set_num_format("@"),
        })
    }

    /// One cause: as many sheets as its bills need.
    fn group(&mut self, group: &mut Group, label: &str, (columns, heads): (&Columns, &[Arc<Head>])) -> io::Result<()> {
        let per_sheet = u64::from(self.rows - 1);
        let parts = group.count.div_ceil(per_sheet).max(1);
        let (mut names, mut at, mut left) = (Vec::new(), 0, group.count);
        let (style, last) = (self.style, self.rows - 1);
        group.each(|n, bill| {
            if at == 0 || at == last {
                let part = names.len() + 1;
                let name = if parts > 1 { format!("{label} {part}") } else { label.to_owned() };
                names.push(self.sheet(&name, columns, left.min(per_sheet))?);
                at = 0;
            }
            at += 1;
            left = left.saturating_sub(1);
            let Some(head) = heads.get(n) else { return Ok(()) };
            self.row(at, columns.cells(bill, (n, head), style))
        })?;
        self.sheets.push(names);
        Ok(())
    }

    /// Begins a sheet with the headings and their filter.
    fn sheet(&mut self, name: &str, columns: &Columns, rows: u64) -> io::Result<String> {
        let name = self.names.take(name);
        let headings = columns.headings(self.style.lang);
        let widths: Vec<f64> = columns.all().iter().map(width).collect();
        let last = u16::try_from(headings.len().saturating_sub(1)).unwrap_or(u16::MAX);
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let sheet = self.workbook.add_worksheet_with_constant_memory().map_err(fault)?;
        sheet.set_name(&name).map_err(fault)?;
        for (col, width) in (0..).zip(widths) {
            sheet.set_column_width(col, width).map_err(fault)?;
        }
        for (col, heading) in (0..).zip(&headings) {
            sheet.write_string_with_format(0, col, safe(heading), &self.head).map_err(fault)?;
        }
        sheet.set_freeze_panes(1, 1).map_err(fault)?;
        sheet.autofilter(0, 0, rows, last).map_err(fault)?;
        sheet.set_repeat_rows(0, 0).map_err(fault)?;
        sheet.set_landscape().set_print_fit_to_pages(1, 0);
        Ok(name)
    }

    fn row(&mut self, at: u32, cells: Vec<Cell>) -> io::Result<()> {
        let sheet = self.workbook.worksheets_mut().last_mut().ok_or_else(|| io::Error::other("no sheet"))?;
        for (col, cell) in (0..).zip(cells) {
            put(sheet, (at, col), &cell, (&self.text, &self.date)).map_err(fault)?;
        }
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let (lang, bold) = (self.style.lang, Format::new().set_bold());
        let (sheets, head, date) = (std::mem::take(&mut self.sheets), self.head.clone(), self.date.clone());
        let sheet = self.workbook.worksheet_from_index(0).map_err(fault)?;
        let wrapped = Format::new().set_text_wrap().set_align(FormatAlign::Top);
        let mut at = 0;
        sheet.write_string_with_format(at, 0, summary.title, &bold).map_err(fault)?;
        for (name, text) in &summary.about {
            at += 1;
            sheet.write_string(at, 0, *name).and_then(|sheet| sheet.write_string(at, 1, safe(text))).map_err(fault)?;
        }
        at += 1;
        sheet.write_string_with_format(at, 0, summary.total(lang), &bold).map_err(fault)?;
        if let Some(changed) = summary.changed(lang) {
            at += 1;
            sheet.write_string(at, 0, safe(&changed)).map_err(fault)?;
        }
        at += 2;
        for (col, heading) in (0..).zip(headings(summary, lang)) {
            sheet.write_string_with_format(at, col, heading, &head).map_err(fault)?;
        }
        for (line, names) in summary.lines.iter().zip(&sheets) {
            at += 1;
            let first = names.first().map_or("", String::as_str);
            let link = Url::new(format!("internal:'{}'!A1", first.replace('\'', "''"))).set_text(safe(&line.label));
            sheet.write_url(at, 0, link).map_err(fault)?;
            sheet.write_string(at, 1, line.outcome).map_err(fault)?;
            sheet.write_number(at, 2, line.count as f64).map_err(fault)?;
            if let Some(oldest) = line.oldest.and_then(excel) {
                sheet.write_datetime_with_format(at, 3, &oldest, &date).map_err(fault)?;
            }
            sheet.write_string_with_format(at, 4, line.who, &wrapped).map_err(fault)?;
            sheet.write_string_with_format(at, 5, safe(&line.advice), &wrapped).map_err(fault)?;
            sheet.write_string(at, 6, names.join(lang.t(", ", "、"))).map_err(fault)?;
            if let Some(change) = line.change {
                for (col, n) in [(7, change.was), (8, change.came), (9, change.left)] {
                    sheet.write_number(at, col, n as f64).map_err(fault)?;
                }
            }
        }
        for (col, width) in [(0, 24), (1, 22), (2, 9), (3, 20), (4, 12), (5, 60), (6, 26), (7, 12), (8, 9), (9, 9)] {
            sheet.set_column_width(col, width).map_err(fault)?;
        }
        sheet.set_landscape().set_print_fit_to_pages(1, 0);
        Ok(())
    }
}

fn headings(summary: &Summary, lang: skydeck_core::domain::language::Language) -> Vec<&'static str> {
    let mut all = lang.t(
        vec!["cause", "outcome", "bills", "oldest", "who acts", "what to do", "sheets"],
        vec!["原因", "处理结果", "张数", "最早", "由谁处理", "建议", "工作表"],
    );
    if summary.last.is_some() {
        all.extend(lang.t(["last report", "came", "left"], ["上次报告", "新增", "减少"]));
    }
    all
}

fn put(
    sheet: &mut Worksheet,
    (row, col): (u32, u16),
    cell: &Cell,
    (text, date): (&Format, &Format),
) -> Result<(), XlsxError> {
    match cell {
        Cell::Text(empty) if empty.is_empty() => return Ok(()),
        Cell::Text(raw) => sheet.write_string_with_format(row, col, safe(raw), text)?,
        Cell::Count(n) => sheet.write_number(row, col, *n as f64)?,
        Cell::Date(at) => match excel(*at) {
            Some(at) => sheet.write_datetime_with_format(row, col, &at, date)?,
            None => sheet.write_string_with_format(row, col, at.format("%Y-%m-%d %H:%M:%S").to_string(), text)?,
        },
    };
    Ok(())
}

/// A date that spreadsheets know: theirs begin with 1900.
fn excel(at: NaiveDateTime) -> Option<ExcelDateTime> {
    let year = u16::try_from(at.year()).ok().filter(|year| (1901..=9999).contains(year))?;
    let (month, day) = (u8::try_from(at.month()).ok()?, u8::try_from(at.day()).ok()?);
    let (hour, minute) = (u16::try_from(at.hour()).ok()?, u8::try_from(at.minute()).ok()?);
    let second = f64::from(at.second()) + f64::from(at.nanosecond() / 1_000_000) / 1000.0;
    ExcelDateTime::from_ymd(year, month, day).ok()?.and_hms(hour, minute, second).ok()
}

/// Text as a sheet takes it: nothing a terminal or a parser obeys, and no longer than it may be.
fn safe(raw: &str) -> String {
    show(raw, TEXT).into_string()
}

fn width(column: &Column) -> f64 {
    match column {
        Column::Own(Field::Message) => 60.0,
        Column::Own(Field::No | Field::At | Field::OpenSince | Field::Plan | Field::Cause) => 20.0,
        Column::Own(Field::Run) => 28.0,
        Column::Own(Field::Attempts) => 8.0,
        Column::Rest => 40.0,
        Column::Own(_) | Column::Plan(_) | Column::New => 16.0,
    }
}

fn fault(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

/// Names that sheets have: what is left of what people call them.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    /// A name that no sheet has yet, without signs that sheets may not have, at most 31 characters long.
    fn take(&mut self, wanted: &str) -> String {
        let clean: String = show(wanted, TEXT)
            .as_str()
            .chars()
            .map(|c| if matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\' | '：' | '？' | '＊') { ' ' } else { c })
            .collect();
        let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
        let clean = clean.trim_matches(['\'', '’']).trim();
        // A name that the program of spreadsheets keeps for itself.
        let clean = if clean.is_empty() || clean.eq_ignore_ascii_case("history") { "-" } else { clean };
        for n in 1_u32.. {
            let suffix = if n == 1 { String::new() } else { format!(" ({n})") };
            let name = format!("{}{suffix}", cut(clean, NAME - suffix.len()).trim_end_matches([' ', '\'']));
            if self.0.insert(name.to_lowercase()) {
                return name;
            }
        }
        clean.to_owned()
    }
}

/// The beginning of a text, counted as spreadsheets count: what is beyond the basic plane counts twice.
fn cut(text: &str, units: usize) -> &str {
    let mut left = units;
    let end = text.char_indices().find(|(_, c)| match left.checked_sub(c.len_utf16()) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    });
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader as _, Xlsx};
    use skydeck_core::domain::cause::CauseTable;
    use skydeck_core::domain::filter::Filter;
    use skydeck_core::domain::language::Language;
    use skydeck_core::domain::query::Scope;
    use skydeck_core::domain::run::BillRow;
    use skydeck_core::domain::time::Ts;

    use super::super::gather::How;
    use super::super::{About, Form, Report};
    use super::*;

    fn style() -> Style {
        let causes: CauseTable = toml::from_str(skydeck_core::domain::cause::BUILT_IN).unwrap();
        let zone = "Asia/Shanghai".parse().unwrap();
        Style { zone, lang: Language::Zh, causes: Arc::new(causes), codes: false, now: Ts(1_764_000_000_000) }
    }

    fn bill(n: usize) -> BillRow {
        serde_json::from_value(serde_json::json!({
            "r": "01M8DRDCQ9N62PJ7S0TF09BY24", "p": "p",
            "k": {"e": "demo", "f": "SAL", "i": n.to_string()},
            "n": format!("{:020}", n), "s": {"s": {"fa": {"c": "stock", "m": "=1+1"}}}, "v": {"s": "B"},
            "a": 1, "t": 1_764_000_000_000_i64, "c": ["=cmd|' /C calc'!A0"],
        }))
        .unwrap()
    }

    fn report() -> Report {
        Report {
            scope: Scope::Ledger,
            filter: Filter::default(),
            typed: String::new(),
            form: Form::Xlsx,
            path: String::new(),
            force: false,
            codes: false,
        }
    }

    /// A line of the kernel's account of this process, in KiB.
    fn memory(of: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(of)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The real limit of a sheet: minutes, with all rows and sheets in the temporary directory meanwhile.
    #[test]
    #[ignore = "minutes, by hand: cargo test -p skydeck-export --lib a_million -- --ignored --nocapture"]
    fn a_million_bills_go_on_in_a_second_sheet_and_memory_stays_flat() {
        let (style, mut gathered) = (style(), Gathered::default());
        let head = Arc::new(Head { plan: "方案".into(), names: vec!["FNote".into()], labels: vec!["备注".into()] });
        let how = How { by_cause: true, dir: std::env::temp_dir(), last: None };
        let all = ROWS as usize + 9;
        for n in 0..1000 {
            gathered.add(&head, &bill(n), &how).unwrap();
        }
        let begun = memory("VmRSS");
        for n in 1000..all {
            gathered.add(&head, &bill(n), &how).unwrap();
        }
        let report = report();
        let summary = Summary::of(&gathered, About { wanted: &report, run: None, last: None, style: &style });
        let columns = vec![Columns::of(Scope::Ledger, (&gathered.heads, &gathered.groups[0]), false, None)];
        let file = tempfile::NamedTempFile::new().unwrap();
        let contents = Contents { summary, columns, style: &style };
        write(&mut gathered, &contents, file.reopen().unwrap()).unwrap();
        let more = memory("VmHWM") - begun;
        eprintln!("{all} bills: {more} KiB more than for 1,000, {} bytes", file.as_file().metadata().unwrap().len());
        assert!(more < 64 * 1024, "{more} KiB");

        let mut read: Xlsx<_> = calamine::open_workbook(file.path()).unwrap();
        let names = read.sheet_names();
        let [summary, sheets @ ..] = names.as_slice() else { panic!("{names:?}") };
        let mut numbers = 0;
        for (sheet, rows) in sheets.iter().zip([ROWS, 11]) {
            let (mut cells, mut last) = (read.worksheet_cells_reader(sheet).unwrap(), 0);
            while let Some(cell) = cells.next_cell().unwrap() {
                last = last.max(cell.get_position().0);
                numbers += usize::from(cell.get_position().1 == 0);
            }
            assert_eq!(last + 1, rows, "{sheet}");
        }
        assert_eq!((sheets.len(), numbers), (2, all + 2), "each bill once, below two headings");
        let said = format!("{}、{}", sheets[0], sheets[1]);
        let summary = read.worksheet_range(summary).unwrap();
        assert!(summary.rows().flatten().any(|cell| *cell == Data::String(said.clone())), "{said}");
    }

    #[test]
    fn a_list_longer_than_a_sheet_goes_on_in_the_next_one_and_the_summary_says_so() {
        let (style, mut gathered) = (style(), Gathered::default());
        let head = Arc::new(Head { plan: "方案".into(), names: vec!["FNote".into()], labels: vec!["备注".into()] });
        let how = How { by_cause: true, dir: std::env::temp_dir(), last: None };
        for n in 0..11 {
            gathered.add(&head, &bill(n), &how).unwrap();
        }
        let report = report();
        let summary = Summary::of(&gathered, About { wanted: &report, run: None, last: None, style: &style });
        let columns = Columns::of(Scope::Ledger, (&gathered.heads, &gathered.groups[0]), false, None);
        let mut book = Book::begin(&style, 5).unwrap();
        let heads = gathered.heads.clone();
        book.group(&mut gathered.groups[0], "库存不足", (&columns, &heads)).unwrap();
        book.summary(&summary).unwrap();
        let mut read = Xlsx::new(Cursor::new(book.workbook.save_to_buffer().unwrap())).unwrap();
        assert_eq!(read.sheet_names(), ["汇总", "库存不足 1", "库存不足 2", "库存不足 3"]);
        let mut numbers = Vec::new();
        for (sheet, rows) in [("库存不足 1", 4), ("库存不足 2", 4), ("库存不足 3", 3)] {
            let range = read.worksheet_range(sheet).unwrap();
            assert_eq!(range.height(), rows + 1, "{sheet}");
            numbers.extend(range.rows().skip(1).map(|row| row[0].clone()));
            assert!(read.worksheet_formula(sheet).unwrap().is_empty(), "nothing is calculated");
        }
        let want: Vec<Data> = (0..11).map(|n| Data::String(format!("{n:020}"))).collect();
        assert_eq!(numbers, want);
        let summary = read.worksheet_range("汇总").unwrap();
        assert!(
            summary.rows().flatten().any(|cell| *cell == Data::String("库存不足 1、库存不足 2、库存不足 3".into()))
        );
    }

    #[test]
    fn names_of_sheets_are_what_spreadsheets_take() {
        let mut names = Names::default();
        let long = "很长的原因名称，".repeat(9);
        for (wanted, got) in [
            ("a/b:c*?[d]\\e", "a b c d e"),
            ("a b c d e", "a b c d e (2)"),
            ("A B C D E", "A B C D E (3)"),
            ("'quoted'", "quoted"),
            ("", "-"),
            ("History", "- (2)"),
            ("𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷", "𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷"),
        ] {
            assert_eq!(names.take(wanted), got);
        }
        for n in 0..200 {
            let name = names.take(&long);
            assert!(name.encode_utf16().count() <= 31, "{n}: {name}");
            let mut book = Workbook::new();
            book.add_worksheet().set_name(&name).unwrap();
        }
    }
}
