//! Templates of a body: holes that name a column of the source or a moment, and the vendor's look-ups,
//! `_findCollection find F from NAME where A={{x}} B={{y}}`.

use skydeck_core::domain::mapping::Table;
use skydeck_core::domain::plan::Source;
use skydeck_core::domain::suggest::{self, nearest};

use crate::problem::make::MakeProblem;
use crate::template::{self, Format, Part, Variable};

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text as it stands.
    Text(String),
    /// A column: its place in the source, of the row at hand or of the record as a whole.
    Column { at: usize, of_row: bool, format: Format },
    /// A moment or another variable.
    Variable(Variable, Format),
    /// What a look-up gives.
    Find(Box<Find>),
}

/// A template whose every hole is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub pieces: Vec<Piece>,
    /// An expression: evaluated once the holes are filled.
    pub is_expression: bool,
}

/// What the holes of a template can name.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// The columns of the source.
    pub source: &'a Source,
    /// The mapping tables of the plan.
    pub tables: &'a [Table],
}

/// Reads a template. `list`: the name of the list it stands in.
pub(super) fn compile(text: &str, list: Option<&str>, names: Names<'_>) -> Result<Template, MakeProblem> {
    let body = text.trim_start();
    let (is_expression, body) = match body.strip_prefix("_function ") {
        Some(expression) => (true, expression),
        None => (false, text),
    };
    let (mut pieces, mut rest) = (Vec::new(), body);
    while let Some((before, after)) = rest.split_once(BEGINS) {
        pieces.extend(plain(before, list, names)?);
        let (inner, behind) = after.split_once(ENDS).unwrap_or((after, ""));
        pieces.push(Piece::Find(Box::new(find(inner, list, names)?)));
        rest = behind;
    }
    pieces.extend(plain(rest, list, names)?);
    Ok(Template { pieces, is_expression })
}

/// The parts of a text that has no look-up in it.
fn plain(text: &str, list: Option<&str>, names: Names<'_>) -> Result<Vec<Piece>, MakeProblem> {
    let mut pieces = Vec::new();
    for part in template::parts(text).map_err(|e| MakeProblem::Template(e.fault))? {
        pieces.push(match part {
            Part::Text(text) => Piece::Text(text.to_owned()),
            Part::Hole(hole) => of_hole(hole.name, hole.format, list, names.source)?,
        });
    }
    Ok(pieces)
}

fn of_hole(name: &str, format: Option<&str>, list: Option<&str>, source: &Source) -> Result<Piece, MakeProblem> {
    let format = match format {
        None => Format::Plain,
        Some(word) => {
            Format::named(word).ok_or_else(|| MakeProblem::Hole { name: format!("{name}|{word}"), near: None })?
        }
    };
    if let Some(variable) = Variable::named(name) {
        return Ok(Piece::Variable(variable, format));
    }
    let prefix = name.split_once('.');
    if let (Some((of, inner)), Some(list)) = (prefix, list)
        && of == list
    {
        return match column(inner, source) {
            Some(at) => Ok(Piece::Column { at, of_row: true, format }),
            None => Err(unknown(inner, source)),
        };
    }
    match column(name, source) {
        Some(at) => Ok(Piece::Column { at, of_row: false, format }),
        None => match prefix.and_then(|(of, inner)| Some((of, column(inner, source)?))) {
            Some((of, _)) => Err(MakeProblem::ListOutside { name: name.to_owned(), list: of.to_owned() }),
            None => Err(unknown(name, source)),
        },
    }
}

fn unknown(name: &str, source: &Source) -> MakeProblem {
    let keys: Vec<&str> = source.columns.iter().map(|c| c.key.as_str()).collect();
    MakeProblem::Hole { name: name.to_owned(), near: suggest::nearest(name, &keys).map(str::to_owned) }
}

/// The place of a column, by its key or its path.
fn column(name: &str, source: &Source) -> Option<usize> {
    let key = source.columns.iter().position(|c| c.key == name);
    key.or_else(|| source.columns.iter().position(|c| c.path == name))
        .or_else(|| source.columns.iter().position(|c| c.key == name.replace('.', "_")))
}

/// What a look-up begins with.
pub(super) const BEGINS: &str = "_findCollection ";
/// What ends it, where something follows.
pub(super) const ENDS: &str = "_endFind";
/// Conditions of one look-up at most.
const MOST_CONDITIONS: usize = 8;

/// A column, found by others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    /// The table, or the plan that collected the records.
    pub from: String,
    /// The column whose value is given.
    pub column: String,
    /// The columns it is found by.
    pub by: Vec<String>,
}

impl Wanted {
    /// The columns that are looked at.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.by.iter().map(String::as_str).chain([self.column.as_str()])
    }
}

/// A look-up, with what its columns have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Find {
    pub wanted: Wanted,
    /// For each column of `wanted.by`.
    pub values: Vec<Vec<Piece>>,
}

/// Reads what stands behind [`BEGINS`].
fn find(text: &str, list: Option<&str>, names: Names<'_>) -> Result<Find, MakeProblem> {
    let shape = || MakeProblem::FindShape { text: text.trim().to_owned() };
    let words = words(text);
    let [find, column, from, name, r#where, conditions @ ..] = words.as_slice() else { return Err(shape()) };
    let keywords = [(*find, "find"), (*from, "from"), (*r#where, "where")];
    if keywords.iter().any(|(word, wanted)| !word.eq_ignore_ascii_case(wanted)) {
        return Err(shape());
    }
    let (mut by, mut values) = (Vec::new(), Vec::new());
    for condition in conditions.iter().filter(|word| !word.eq_ignore_ascii_case("and")) {
        let Some((column, value)) = condition.split_once('=').filter(|(column, _)| !column.is_empty()) else {
            return Err(shape());
        };
        let bare = ['\'', '"'].iter().find_map(|mark| value.strip_prefix(*mark)?.strip_suffix(*mark));
        by.push(column.to_owned());
        values.push(plain(bare.unwrap_or(value), list, names)?);
    }
    if by.is_empty() || by.len() > MOST_CONDITIONS {
        return Err(shape());
    }
    let wanted = Wanted { from: (*name).to_owned(), column: (*column).to_owned(), by };
    let Some(table) = names.tables.iter().find(|table| table.name == *name) else {
        // What is like a table's name is meant to be one; any other name is that of a plan.
        let known: Vec<&str> = names.tables.iter().map(|table| table.name.as_str()).collect();
        return match nearest(name, &known) {
            Some(near) => Err(MakeProblem::NoTable { name: (*name).to_owned(), near: near.to_owned() }),
            None => Ok(Find { wanted, values }),
        };
    };
    for asked in wanted.columns() {
        if !table.columns.iter().any(|known| known == asked) {
            let known: Vec<&str> = table.columns.iter().map(String::as_str).collect();
            let near = nearest(asked, &known).map(str::to_owned);
            let (file, column) = (table.file.clone(), asked.to_owned());
            return Err(MakeProblem::NoTableColumn { file, column, near, known: table.columns.join(", ") });
        }
    }
    Ok(Find { wanted, values })
}

/// A text cut at blanks that stand outside of holes.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut begun, mut inside) = (Vec::new(), None, false);
    for (at, sign) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        inside = if rest.starts_with("{{") { true } else { inside && !rest.starts_with("}}") };
        match (sign.is_whitespace() && !inside, begun) {
            (true, Some(from)) => {
                words.extend(text.get(from..at));
                begun = None;
            }
            (false, None) => begun = Some(at),
            (true, None) | (false, Some(_)) => {}
        }
    }
    words.extend(begun.and_then(|from| text.get(from..)));
    words
}
