//! The body of one record, and what a bill that is there already holds otherwise.
//!
//! Invariant: equal records and equal plans make equal bytes; whatever cannot be made is a fault with field and value.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use skydeck_core::domain::ids::{Fid, FormId};
use skydeck_core::domain::mapping::{Field, Kind, Parser};
use skydeck_core::domain::plan::{Conversion, Make, Source};
use skydeck_core::domain::time::ErpDate;

use super::find::Lookups;
use super::json::{Json, pairs};
use super::number::{is_decimal, number, total};
use super::push;
use super::template::{self, Names, Piece, Template};
use super::tree::{inner_list, list_name};
use crate::function;
use crate::problem::body::BodyFault;
use crate::render::RenderContext;
use crate::template::Format;

/// Bytes of one body at most.
pub const MOST_BYTES: usize = 256 << 10;
/// Rows of one list at most.
pub const MOST_ROWS: usize = 5_000;
/// Characters of a key at most: longer ones cannot stand in a filter of a page of keys.
const MOST_KEY: usize = 80;
/// Digits of a number at most: the ERP keeps 23.
const MOST_DIGITS: usize = 28;

/// A body that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The value of the key field.
    pub key: String,
    /// The bill, JSON.
    pub text: String,
    /// Hex SHA-256 of it.
    pub hash: String,
    /// What the record holds together of what a conversion takes.
    pub quantity: Option<String>,
}

/// Makes bodies by the mapping of one plan: its templates are read once.
pub struct Bodies<'a> {
    make: &'a Make,
    form: &'a FormId,
    fields: Vec<Node<'a>>,
    context: RenderContext,
    lookups: &'a Lookups,
}

/// A field with its templates read.
struct Node<'a> {
    field: &'a Field,
    value: Template,
    default: Template,
    children: Vec<Self>,
}

/// What the templates are filled from: all rows of the record, and the one at hand.
#[derive(Clone, Copy)]
struct Record<'r> {
    rows: &'r [Vec<String>],
    row: usize,
    columns: &'r [String],
}

fn nodes<'a>(fields: &'a [Field], list: Option<&str>, names: Names<'_>) -> Vec<Node<'a>> {
    // A plan whose templates cannot be read is refused when it is read; here such a template is empty.
    let read = |text: &str| template::compile(text, list, names).unwrap_or_default();
    fields
        .iter()
        .map(|field| {
            let is_list = field.kind == Kind::List && !field.children.is_empty();
            let inner = inner_list(field).or(list);
            Node {
                field,
                value: if is_list { Template::default() } else { read(&field.value) },
                default: read(&field.default),
                children: nodes(&field.children, inner, names),
            }
        })
        .collect()
}

impl<'a> Bodies<'a> {
    /// For the records of one run. `lookups`: what its look-ups find.
    pub fn new(
        make: &'a Make,
        (source, form): (&'a Source, &'a FormId),
        context: RenderContext,
        lookups: &'a Lookups,
    ) -> Self {
        let names = Names { source, tables: &make.mapping.tables };
        Self { make, form, fields: nodes(&make.mapping.fields, None, names), context, lookups }
    }

    /// The body of a record: its id and number, and its rows, each with the columns of the source in order.
    ///
    /// # Errors
    /// What cannot be made, with field and value.
    pub fn of(&self, (fid, no): (&Fid, &str), rows: &[Vec<String>], columns: &[String]) -> Result<Body, BodyFault> {
        match &self.make.push {
            Some(conversion) => self.pushed(conversion, (fid, no), rows, columns),
            None => self.saved(rows, columns),
        }
    }

    fn pushed(
        &self,
        conversion: &Conversion,
        (fid, no): (&Fid, &str),
        rows: &[Vec<String>],
        columns: &[String],
    ) -> Result<Body, BodyFault> {
        let key = self.checked_key(no.trim().to_owned())?;
        if !fid.is_callable() {
            return Err(BodyFault::OddId { id: fid.to_string() });
        }
        let mut quantity = None;
        if let Some(asked) = &conversion.quantity {
            let at = columns.iter().position(|column| *column == asked.source).unwrap_or(usize::MAX);
            let sum = total(rows.iter().map(|row| row.get(at).map_or("", String::as_str)));
            let of = |value| BodyFault::NotDecimal { field: asked.source.clone(), value };
            quantity = Some(sum.map_err(of)?);
        }
        Ok(Body { quantity, ..finished(key, push::data(conversion, self.form, fid)) })
    }

    fn saved(&self, rows: &[Vec<String>], columns: &[String]) -> Result<Body, BodyFault> {
        let record = Record { rows, row: 0, columns };
        let mut fields = Vec::with_capacity(self.fields.len());
        for node in &self.fields {
            if let Some(value) = self.value(node, record)? {
                put(&mut fields, &node.field.name, value);
            }
        }
        let key = match fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(&self.make.key)) {
            Some((_, Json::Text(key))) => self.checked_key(key.trim().to_owned())?,
            _ => return Err(BodyFault::NoKey { field: self.make.key.clone() }),
        };
        let mut text = String::new();
        Json::Object(fields).write(&mut text);
        if text.len() > MOST_BYTES {
            return Err(BodyFault::TooLarge { bytes: text.len(), most: MOST_BYTES });
        }
        Ok(finished(key, text))
    }

    /// A key that can be looked for.
    fn checked_key(&self, key: String) -> Result<String, BodyFault> {
        if key.is_empty() {
            return Err(BodyFault::NoKey { field: self.make.key.clone() });
        }
        if key.chars().count() > MOST_KEY {
            let (field, n) = (self.make.key.clone(), key.chars().count());
            return Err(BodyFault::KeyTooLong { field, n, most: MOST_KEY });
        }
        if crate::render::quote(&key).is_err() {
            return Err(BodyFault::KeySign { field: self.make.key.clone(), value: key });
        }
        Ok(key)
    }

    fn value(&self, node: &Node<'_>, record: Record<'_>) -> Result<Option<Json>, BodyFault> {
        let field = node.field;
        match field.kind {
            Kind::List if !node.children.is_empty() => self.list(node, record).map(Some),
            Kind::Object if !node.children.is_empty() => {
                let mut fields = Vec::with_capacity(node.children.len());
                for child in &node.children {
                    if let Some(value) = self.value(child, record)? {
                        put(&mut fields, &child.field.name, value);
                    }
                }
                Ok((!fields.is_empty()).then_some(Json::Object(fields)))
            }
            Kind::Text | Kind::Whole | Kind::Decimal | Kind::Truth | Kind::Object | Kind::List => {
                let mut text = self.text(field, &node.value, record)?;
                if text.is_empty() {
                    text = self.text(field, &node.default, record)?;
                }
                if text.is_empty() {
                    return if field.required {
                        Err(BodyFault::Missing { field: field.name.clone() })
                    } else {
                        Ok(None)
                    };
                }
                leaf(field, text).map(Some)
            }
        }
    }

    fn list(&self, node: &Node<'_>, record: Record<'_>) -> Result<Json, BodyFault> {
        let n = record.rows.len();
        if n > MOST_ROWS {
            return Err(BodyFault::TooManyRows { field: node.field.name.clone(), n, most: MOST_ROWS });
        }
        // A list without a name is one row of its own, in a line of another list it is that line's.
        let rows = match list_name(&node.field.value) {
            "" => record.row..n.min(record.row + 1),
            _ => 0..n,
        };
        let mut items = Vec::new();
        for row in rows {
            let record = Record { row, ..record };
            let mut fields = Vec::with_capacity(node.children.len());
            for child in &node.children {
                if let Some(value) = self.value(child, record)? {
                    put(&mut fields, &child.field.name, value);
                }
            }
            items.push(Json::Object(fields));
        }
        Ok(Json::List(items))
    }

    /// The text of a template for a record.
    fn text(&self, field: &Field, template: &Template, record: Record<'_>) -> Result<String, BodyFault> {
        let mut out = String::new();
        for piece in &template.pieces {
            if let Piece::Text(text) = piece {
                out.push_str(text);
                continue;
            }
            let value = self.piece(field, piece, record)?;
            if template.is_expression {
                put_in_expression(field, &value, &mut out)?;
            } else {
                out.push_str(&value);
            }
        }
        if !template.is_expression {
            return Ok(out.trim().to_owned());
        }
        match function::compute(&out, self.context.zone_minutes) {
            Ok(value) => Ok(value.unwrap_or_default().trim().to_owned()),
            Err(why) => Err(BodyFault::Function { field: field.name.clone(), value: out, why }),
        }
    }
}

impl Bodies<'_> {
    /// What a part of a template is for a record.
    fn piece<'v>(&'v self, field: &Field, piece: &'v Piece, record: Record<'v>) -> Result<Cow<'v, str>, BodyFault> {
        Ok(match piece {
            Piece::Text(text) => text.into(),
            Piece::Variable(variable, format) => self.context.value(*variable, *format).into(),
            Piece::Column { at, of_row, format } => dated(cell(field, record, *at, *of_row)?, *format),
            Piece::Find(find) => {
                let mut by = Vec::with_capacity(find.values.len());
                for pieces in &find.values {
                    let parts = pieces.iter().map(|piece| self.piece(field, piece, record));
                    by.push(parts.collect::<Result<String, BodyFault>>()?.trim().to_owned());
                }
                self.lookups.find(&field.name, &find.wanted, &by)?.into()
            }
        })
    }
}

/// Puts a value behind the others; the rows of a list that is there already stand behind its rows.
fn put(fields: &mut Vec<(String, Json)>, name: &str, value: Json) {
    let there = fields.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, there)| there);
    match (there, value) {
        (Some(Json::List(rows)), Json::List(more)) => rows.extend(more),
        (_, value) => fields.push((name.to_owned(), value)),
    }
}

fn finished(key: String, text: String) -> Body {
    let mut hash = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        let _ = write!(hash, "{byte:02x}");
    }
    Body { key, text, hash, quantity: None }
}

/// The value of a column, of the row at hand or of the record, whose rows must then agree.
fn cell<'r>(field: &Field, record: Record<'r>, at: usize, of_row: bool) -> Result<&'r str, BodyFault> {
    let of = |row: &'r Vec<String>| row.get(at).map_or("", String::as_str);
    if of_row {
        return Ok(record.rows.get(record.row).map_or("", of));
    }
    let first = record.rows.first().map_or("", of);
    if record.rows.iter().any(|row| of(row) != first) {
        let (column, n) = (record.columns.get(at).cloned().unwrap_or_default(), record.rows.len());
        return Err(BodyFault::NotOneValue { field: field.name.clone(), column, n });
    }
    Ok(first)
}

/// A value under a format: a date in the form that is asked for, anything else as it stands.
fn dated(value: &str, format: Format) -> Cow<'_, str> {
    let form = match format {
        Format::DateTime => "%Y-%m-%d %H:%M:%S",
        Format::Date => "%Y-%m-%d",
        Format::Plain | Format::Timestamp | Format::TimestampMs => return value.into(),
    };
    let at = ErpDate::parse(value.trim()).as_ref().and_then(ErpDate::naive);
    at.map_or_else(|| value.into(), |at| at.format(form).to_string().into())
}

/// Puts a value into an expression: between quotation marks it cannot leave them, and without them it must be a number.
fn put_in_expression(field: &Field, value: &str, out: &mut String) -> Result<(), BodyFault> {
    let single = out.matches('\'').count() % 2 == 1;
    let double = !single && out.matches('"').count() % 2 == 1;
    if single || double {
        let (mark, twice) = if single { ("'", "''") } else { ("\"", "\"\"") };
        // A backslash would be read as an escape by one MySQL and not by another.
        out.push_str(&value.replace(mark, twice));
        return Ok(());
    }
    let value = value.trim();
    if value.is_empty() {
        out.push_str("NULL");
    } else if is_decimal(value) {
        out.push_str(value);
    } else {
        return Err(BodyFault::Unquoted { field: field.name.clone(), value: value.to_owned() });
    }
    Ok(())
}

fn leaf(field: &Field, text: String) -> Result<Json, BodyFault> {
    let name = || field.name.clone();
    let plain = match (&field.parser, field.kind) {
        (Some(Parser::Json), _) => {
            let json: Result<&RawValue, _> = serde_json::from_str(&text);
            return json.map(|raw| Json::Raw(raw.get().to_owned())).map_err(|_| BodyFault::NotJson { field: name() });
        }
        (Some(Parser::Pairs), _) => return pairs(&text).ok_or_else(|| BodyFault::NotPairs { field: name() }),
        (Some(Parser::Split(sign)), _) => {
            let items = text.split(sign.as_str()).map(str::trim).filter(|item| !item.is_empty());
            return Ok(Json::List(items.map(|item| Json::Text(item.to_owned())).collect()));
        }
        (_, Kind::Whole | Kind::Decimal) => {
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            let whole = field.kind == Kind::Whole;
            // `3.000` is a whole number that the ERP wrote as a decimal.
            let read = if whole {
                text.split_once('.').filter(|(_, f)| f.bytes().all(|b| b == b'0')).map_or(text.as_str(), |(w, _)| w)
            } else {
                text.as_str()
            };
            if !is_decimal(read) || (whole && read.contains('.')) {
                return Err(if whole {
                    BodyFault::NotWhole { field: name(), value: text }
                } else {
                    BodyFault::NotDecimal { field: name(), value: text }
                });
            }
            if digits > MOST_DIGITS {
                return Err(BodyFault::Digits { field: name(), n: digits });
            }
            Json::Raw(number(read))
        }
        (_, Kind::Truth) => match crate::vendor::truth(&text) {
            Some(yes) => Json::Raw(yes.to_string()),
            None => return Err(BodyFault::NotTruth { field: name(), value: text }),
        },
        (_, Kind::Text | Kind::Object | Kind::List) => Json::Text(text),
    };
    Ok(match &field.parser {
        Some(Parser::Wrap(inner)) => Json::Object(vec![(inner.clone(), plain)]),
        Some(Parser::WrapTwice(outer, inner)) => {
            Json::Object(vec![(outer.clone(), Json::Object(vec![(inner.clone(), plain)]))])
        }
        Some(Parser::Split(_) | Parser::Join(_) | Parser::Json | Parser::Pairs) | None => plain,
    })
}
