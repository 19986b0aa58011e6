//! Templates of a body: holes that name a column of the source, or a moment.

use skydeck_core::domain::plan::Source;
use skydeck_core::domain::suggest;

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
}

/// A template whose every hole is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub pieces: Vec<Piece>,
    /// An expression: evaluated once the holes are filled.
    pub is_expression: bool,
}

/// Reads a template. `list`: the name of the list it stands in.
pub(super) fn compile(text: &str, list: Option<&str>, source: &Source) -> Result<Template, MakeProblem> {
    let body = text.trim_start();
    if body.starts_with("_findCollection ") || body.contains(" _findCollection ") {
        return Err(MakeProblem::FindCollection);
    }
    let (is_expression, body) = match body.strip_prefix("_function ") {
        Some(expression) => (true, expression),
        None => (false, text),
    };
    let mut pieces = Vec::new();
    for part in template::parts(body).map_err(|e| MakeProblem::Template(e.fault))? {
        pieces.push(match part {
            Part::Text(text) => Piece::Text(text.to_owned()),
            Part::Hole(hole) => of_hole(hole.name, hole.format, list, source)?,
        });
    }
    Ok(Template { pieces, is_expression })
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
