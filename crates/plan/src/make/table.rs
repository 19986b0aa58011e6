//! Mapping tables: sheets beside the plan, one value for another. CSV and TSV, because they are kept by people who keep them in
//! a spreadsheet.
//!
//! Invariant: a table is read whole or refused by file and line; it never lacks a row that its file has.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Component, Path};

use serde_json::Value;
use sha2::{Digest, Sha256};

use skydeck_core::domain::mapping::Table;
use skydeck_core::text::show;

use super::template::Wanted;
use crate::problem::make::{MOST_TABLE, MakeProblem, NotRead, TableFault};
use crate::reading::Findings;

/// Rows of a table at most.
const MOST_LINES: usize = 20_000;
/// Columns of a table at most.
const MOST_COLUMNS: usize = 64;
/// Characters of a cell at most.
const MOST_CELL: usize = 1_000;
/// Tables of a plan at most.
const MOST_TABLES: usize = 8;

/// What stands beside a plan's file.
pub trait Beside {
    /// The bytes of a file, at most [`MOST_TABLE`]. `file`: as the plan names it, see [`is_beside`].
    ///
    /// # Errors
    /// Why it is not read.
    fn bytes(&self, file: &str) -> Result<Vec<u8>, NotRead>;
}

/// A plan of which only the text is there.
pub(crate) struct Alone;

impl Beside for Alone {
    fn bytes(&self, _: &str) -> Result<Vec<u8>, NotRead> {
        Err(NotRead::Alone)
    }
}

/// Files that came with the text of a plan, by the names it gives them.
impl Beside for &[(String, String)] {
    fn bytes(&self, file: &str) -> Result<Vec<u8>, NotRead> {
        let found = self.iter().find(|(name, _)| name == file);
        found.map(|(_, text)| text.clone().into_bytes()).ok_or(NotRead::Missing)
    }
}

/// Whether a name is that of a table in the plan's directory or below it.
pub fn is_beside(file: &str) -> bool {
    let path = Path::new(file);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    inside && separator(file).is_some() && !file.chars().any(char::is_control)
}

/// What cuts the cells of a file, by the end of its name.
fn separator(file: &str) -> Option<u8> {
    let end = Path::new(file).extension()?.to_str()?.to_ascii_lowercase();
    match end.as_str() {
        "csv" => Some(b','),
        "tsv" => Some(b'\t'),
        _ => None,
    }
}

/// A table as its file has it.
pub(super) struct Sheet {
    pub table: Table,
    /// The line of each row in the file.
    lines: Vec<usize>,
    /// Where the plan names it.
    at: String,
}

/// `{"stock": "tables/stock.csv"}`.
pub(super) fn named(value: &Value, at: &str, findings: &mut Findings) -> Vec<(String, String)> {
    let Some(map) = value.as_object() else {
        if !value.is_null() {
            findings.refuse(at, MakeProblem::TablesShape { value: value.to_string() });
        }
        return Vec::new();
    };
    if map.len() > MOST_TABLES {
        findings.refuse(at, MakeProblem::TooManyTables { n: map.len(), most: MOST_TABLES });
        return Vec::new();
    }
    let mut all = Vec::new();
    for (name, file) in map {
        let is_name = !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control());
        match file.as_str().filter(|file| is_name && is_beside(file)) {
            Some(file) => all.push((name.clone(), file.to_owned())),
            None => findings.refuse(format!("{at}.{name}"), MakeProblem::TablesShape { value: file.to_string() }),
        }
    }
    all
}

/// Reads the tables that a plan names.
pub(super) fn read(named: &[(String, String)], beside: &dyn Beside, findings: &mut Findings) -> Vec<Sheet> {
    let mut sheets = Vec::with_capacity(named.len());
    for (name, file) in named {
        let at = format!("skydeck.tables.{name}");
        let read = beside.bytes(file).map_err(|why| (None, TableFault::NotRead(why)));
        match read.and_then(|bytes| sheet(file, &bytes)) {
            Ok((table, lines)) => sheets.push(Sheet { table: Table { name: name.clone(), ..table }, lines, at }),
            Err((line, fault)) => findings.refuse(at, MakeProblem::Table { file: file.clone(), line, fault }),
        }
    }
    sheets
}

type Fault = (Option<usize>, TableFault);

fn sheet(file: &str, bytes: &[u8]) -> Result<(Table, Vec<usize>), Fault> {
    let line_of = |at: usize| 1 + bytes.iter().take(at).filter(|byte| **byte == b'\n').count();
    if bytes.len() as u64 > MOST_TABLE {
        return Err((None, TableFault::NotRead(NotRead::TooLarge(bytes.len() as u64))));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| (Some(line_of(e.valid_up_to())), TableFault::NotUtf8))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator(file).unwrap_or(b','))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut table = Table { file: file.to_owned(), ..Table::default() };
    let mut lines = Vec::new();
    for record in reader.records() {
        // The bytes are in memory and are text: nothing else can fail.
        let record = record.map_err(|_| (None, TableFault::NotUtf8))?;
        let line = record.position().map_or(0, |at| usize::try_from(at.line()).unwrap_or(usize::MAX));
        let cells: Vec<String> = record.iter().map(|cell| cell.trim().to_owned()).collect();
        // Spreadsheets leave lines of empty cells behind.
        if cells.iter().all(String::is_empty) {
            continue;
        }
        check(&table, &cells).map_err(|fault| (Some(line), fault))?;
        if table.columns.is_empty() {
            table.columns = cells;
        } else {
            table.rows.push(cells);
            lines.push(line);
        }
    }
    if table.rows.is_empty() {
        return Err((None, TableFault::NoRows));
    }
    table.hash = hash(&table);
    Ok((table, lines))
}

/// What is wrong with one line.
fn check(table: &Table, cells: &[String]) -> Result<(), TableFault> {
    if let Some(cell) = cells.iter().find(|cell| cell.chars().count() > MOST_CELL) {
        return Err(TableFault::LongCell { n: cell.chars().count(), most: MOST_CELL });
    }
    if let Some(cell) = cells.iter().find(|cell| cell.chars().any(char::is_control)) {
        return Err(TableFault::Control { cell: show(cell, 200).into_string() });
    }
    if !table.columns.is_empty() {
        let (n, wanted) = (cells.len(), table.columns.len());
        return match (n == wanted, table.rows.len() < MOST_LINES) {
            (false, _) => Err(TableFault::Cells { n, wanted }),
            (true, false) => Err(TableFault::TooManyRows { most: MOST_LINES }),
            (true, true) => Ok(()),
        };
    }
    if cells.len() > MOST_COLUMNS {
        return Err(TableFault::TooManyColumns { n: cells.len(), most: MOST_COLUMNS });
    }
    for (n, cell) in cells.iter().enumerate() {
        if cell.is_empty() || cell.contains(char::is_whitespace) || cell.contains('=') {
            return Err(TableFault::ColumnName { n: n + 1, name: cell.clone() });
        }
        if cells.iter().take(n).any(|before| before == cell) {
            return Err(TableFault::ColumnTwice { name: cell.clone() });
        }
    }
    Ok(())
}

/// How a table is named in a revision: by what it says, and not by how its file is written.
fn hash(table: &Table) -> String {
    let mut hasher = Sha256::new();
    for row in std::iter::once(&table.columns).chain(&table.rows) {
        hasher.update((row.len() as u64).to_be_bytes());
        for cell in row {
            hasher.update((cell.len() as u64).to_be_bytes());
            hasher.update(cell.as_bytes());
        }
    }
    let mut hex = String::with_capacity(64);
    for byte in hasher.finalize() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Checks that the rows can be told apart by what they are looked for, and keeps the columns that are.
pub(super) fn used(sheets: Vec<Sheet>, wanted: &[Wanted], findings: &mut Findings) -> Vec<Table> {
    let mut tables = Vec::with_capacity(sheets.len());
    for Sheet { table, lines, at } in sheets {
        let finds: Vec<&Wanted> = wanted.iter().filter(|wanted| wanted.from == table.name).collect();
        if finds.is_empty() {
            let message = format!("`{}` is looked in by no field: {} is not used", table.name, table.file);
            findings.note(at, message);
            continue;
        }
        for find in &finds {
            if let Some((line, fault)) = twice(&table, &lines, &find.by) {
                let file = table.file.clone();
                findings.refuse(at.clone(), MakeProblem::Table { file, line: Some(line), fault });
                break;
            }
        }
        tables.push(narrowed(table, &finds));
    }
    tables
}

/// The first row whose values in these columns stand in an earlier one.
fn twice(table: &Table, lines: &[usize], by: &[String]) -> Option<(usize, TableFault)> {
    let places: Vec<usize> = by.iter().filter_map(|name| table.columns.iter().position(|c| c == name)).collect();
    let mut first: HashMap<Vec<&str>, usize> = HashMap::with_capacity(table.rows.len());
    for (row, line) in table.rows.iter().zip(lines) {
        let key: Vec<&str> = places.iter().filter_map(|at| row.get(*at)).map(String::as_str).collect();
        let said = by.iter().zip(&key).map(|(column, value)| format!("{column}=`{value}`"));
        let said = said.collect::<Vec<_>>().join(", ");
        if let Some(first) = first.insert(key, *line) {
            return Some((*line, TableFault::Twice { by: said, first }));
        }
    }
    None
}

/// The columns that are looked at: the others are in the hash, and nothing else needs them.
fn narrowed(table: Table, finds: &[&Wanted]) -> Table {
    let is_used = |name: &String| finds.iter().any(|find| find.column == *name || find.by.contains(name));
    let places: Vec<usize> =
        (0..table.columns.len()).filter(|at| table.columns.get(*at).is_some_and(is_used)).collect();
    let of = |row: &Vec<String>| places.iter().filter_map(|at| row.get(*at).cloned()).collect::<Vec<_>>();
    Table { columns: of(&table.columns), rows: table.rows.iter().map(of).collect(), ..table }
}
