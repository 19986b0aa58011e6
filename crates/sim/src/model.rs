//! A model (docs/design/wire.md#models) → the columns of a row and its document.
//!
//! Invariant: members are taken in the order they stand, because one may overwrite what another gave; keys that the form
//! has not are passed over.

use serde_json::{Map, Value as Json};

use super::body::Data;
use super::dec::Dec;
use super::doc::{Cell, Cells, Doc, Line};
use super::form::{Col, FieldDef, Form, Type};
use super::kind::Kind;
use super::masters::Masters;
use super::reply::Refusal;
use super::table::{At, Bill, NO_PARTNER, Table};
use super::texts;
use super::value::{Value, parse_time};

/// What a save call asks for beside its models.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Lines of an existing bill that the model does not name are deleted.
    pub delete_missing: bool,
    /// Unknown base data is refused; otherwise the field stays empty.
    pub verify: bool,
    /// Required fields and unique numbers are checked.
    pub validate: bool,
    /// Base data is found by its number.
    pub by_number: bool,
    /// Members are taken in the form's order rather than the model's.
    pub adjust: bool,
    /// Of an existing bill only these fields are written.
    pub only: Vec<String>,
    /// Lines an entity may have.
    pub max_lines: usize,
}

/// A bill that is being filled in.
#[derive(Debug)]
pub struct Filler<'a> {
    /// Its table, which learns the customer's own fields.
    pub table: &'a mut Table,
    /// Base data.
    pub masters: &'a Masters,
    /// The call.
    pub options: &'a Options,
    /// The columns every row has.
    pub bill: Bill,
    /// The rest.
    pub doc: Doc,
    /// Name of a row of base data, where the model gives one.
    pub name: Option<String>,
    /// The bill exists already.
    pub update: bool,
}

impl Filler<'_> {
    /// Takes a whole model.
    pub fn fill(&mut self, model: &Map<String, Json>) -> Result<(), Refusal> {
        let form = self.table.form();
        for (key, value) in self.ordered(form, model, 0) {
            match form.entity(key) {
                Some((place, entity)) if entity.one => {
                    let Json::Object(part) = value else { continue };
                    let head = std::mem::take(&mut self.doc.head);
                    self.doc.head = self.cells(part, place, head)?;
                }
                Some((place, _)) => self.list(form, place, value)?,
                None => {
                    for (def, cell) in self.member((key, value), 0)? {
                        self.doc.head.set(def, cell);
                    }
                }
            }
        }
        Ok(())
    }

    fn ordered<'m>(&self, form: &Form, model: &'m Map<String, Json>, entity: u8) -> Vec<(&'m str, &'m Json)> {
        let mut members: Vec<_> = model.iter().map(|(key, value)| (key.as_str(), value)).collect();
        if self.options.adjust {
            members.sort_by_key(|(key, _)| form.member(key, entity).map_or(u16::MAX, |(at, _)| at));
        }
        members
    }

    /// The fields of a line, or of a part of the head, with what the members write.
    fn cells(&mut self, part: &Map<String, Json>, entity: u8, mut cells: Cells) -> Result<Cells, Refusal> {
        for member in self.ordered(self.table.form(), part, entity) {
            for (def, cell) in self.member(member, entity)? {
                cells.set(def, cell);
            }
        }
        Ok(cells)
    }

    fn list(&mut self, form: &Form, place: u8, value: &Json) -> Result<(), Refusal> {
        let rows: Vec<&Map<String, Json>> = match value {
            Json::Array(rows) => rows.iter().filter_map(Json::as_object).collect(),
            Json::Object(row) => vec![row],
            _ => return Ok(()),
        };
        let mut old = self.doc.list_mut(place).map(std::mem::take).unwrap_or_default();
        if rows.len() + old.len() > self.options.max_lines {
            return Err(texts::too_many_lines(self.options.max_lines));
        }
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let id = Data::from_json(&Json::Object(row.clone())).number("FEntryID");
            let known = old.iter().position(|line| id > 0 && line.id == id);
            let mut line = known.map_or_else(Line::default, |at| old.remove(at));
            if id > 0 && known.is_none() {
                return Err(texts::no_line(id));
            }
            line.cells = self.cells(row, place, std::mem::take(&mut line.cells))?;
            if let Some((def, amount)) = amount(form, place, &line.cells) {
                line.cells.set(def, amount);
            }
            lines.push(line);
        }
        if !self.options.delete_missing {
            // Those that were not named stay before the others, in the order they had.
            old.append(&mut lines);
            lines = old;
        }
        if let Some(list) = self.doc.list_mut(place) {
            *list = lines;
        }
        Ok(())
    }

    /// What a member writes, in order; columns every row has are written at once.
    fn member(&mut self, (key, value): (&str, &Json), entity: u8) -> Result<Vec<(u16, Cell)>, Refusal> {
        let form = self.table.form();
        let kept_out = self.update && !self.options.only.is_empty();
        if kept_out && !self.options.only.iter().any(|only| only.eq_ignore_ascii_case(key)) {
            return Ok(Vec::new());
        }
        let mut written = Vec::new();
        let Some((at, def)) = form.member(key, entity) else {
            written.extend(self.table.custom(key, entity).map(|own| (own, guessed(value))));
            return Ok(written);
        };
        match def.col {
            Col::Date => self.bill.date = time(def, value)?.unwrap_or(self.bill.date),
            Col::Note => self.bill.note = Some(text(value).into()),
            Col::Name => self.name = Some(text(value)),
            Col::Org => self.bill.org = self.position(def, value)?.map_or(self.bill.org, |p| p as u8),
            Col::StockOrg => self.bill.stock_org = self.position(def, value)?.map_or(self.bill.stock_org, |p| p as u8),
            Col::BillType => self.bill.kind = self.position(def, value)?.map_or(self.bill.kind, |p| p as u8),
            Col::Partner => {
                self.bill.partner = self.position(def, value)?.map_or(NO_PARTNER, |p| p as u32);
                // Customer or supplier bring their currency, over one that was there before.
                written.extend(first_of(form, Col::Currency, entity).map(|def| (def, Cell::Row(0))));
            }
            Col::Material => {
                let position = self.position(def, value)?;
                written.push((at, position.map_or(Cell::Null, |p| Cell::Row(p as u32))));
                // A material brings its unit, over one that was there before.
                if let Some(position) = position {
                    let unit = Cell::Row(position as u32 % 4);
                    written.extend(first_of(form, Col::Unit, entity).map(|def| (def, unit)));
                }
            }
            Col::Amount
            | Col::Currency
            | Col::Group
            | Col::Unit
            | Col::Stock
            | Col::Qty
            | Col::Price
            | Col::EntryAmount
            | Col::Code
            | Col::Spec
            | Col::Data => written.push((at, self.cell(def, value)?)),
            // The server's own: numbers are looked at by the caller, all others nobody can set.
            _ => {}
        }
        Ok(written)
    }

    fn cell(&self, def: &FieldDef, value: &Json) -> Result<Cell, Refusal> {
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let bad = || texts::bad_value(&def.key, &def.name, &text(value));
        Ok(match def.ty {
            Type::Text => Cell::Text(text(value).into()),
            Type::Decimal | Type::Int if text(value).trim().is_empty() => Cell::Null,
            Type::Decimal => Cell::Dec(Dec::parse(&text(value)).ok_or_else(bad)?),
            Type::Int => Cell::Int(text(value).trim().parse().map_err(|_| bad())?),
            Type::Date => time(def, value)?.map_or(Cell::Null, Cell::Time),
            Type::Flag => match text(value).trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Cell::Flag(true),
                "false" | "0" | "" => Cell::Flag(false),
                _ => return Err(bad()),
            },
            Type::Base(Kind::Any) => match named(value) {
                Some(number) if !number.trim().is_empty() => Cell::Named(number.trim().into()),
                _ => Cell::Null,
            },
            Type::Base(_) => self.position(def, value)?.map_or(Cell::Null, |p| Cell::Row(p as u32)),
        })
    }

    /// Position of the base data a member names; `None` for an empty one, and for one there is not when that is not verified.
    fn position(&self, def: &FieldDef, value: &Json) -> Result<Option<usize>, Refusal> {
        let Type::Base(kind) = def.ty else { return Ok(None) };
        let (found, shown) = match named(value) {
            Some(number) if number.trim().is_empty() => return Ok(None),
            Some(number) if self.options.by_number => (self.masters.position(kind, &number), number),
            Some(number) => (None, number),
            // Without the object a member is an internal id.
            None => match text(value).trim() {
                "" | "0" => return Ok(None),
                id => (id.parse().ok().and_then(|id| self.masters.by_id(kind, id)), id.to_owned()),
            },
        };
        match found {
            None if self.options.verify => Err(texts::no_base(&def.key, &def.name, &shown)),
            found => Ok(found),
        }
    }
}

/// The document of a generated bill, so that it can be changed: its lines as they are read.
pub fn materialised(table: &Table, bill: &Bill, masters: &Masters) -> Doc {
    let form = table.form();
    let mut doc = Doc::empty(form.entities.len());
    let main = form.main();
    if main == 0 {
        return doc;
    }
    let lines = (0..table.line_count(bill, main)).filter_map(|at| match table.line(bill, main, at) {
        At::Made(entry) => {
            let mut cells = Cells::default();
            for (def, of) in (0..).zip(&form.fields) {
                if of.entity != main {
                    continue;
                }
                match of.col {
                    Col::Material => cells.set(def, Cell::Row(u32::from(entry.material))),
                    Col::Unit => cells.set(def, Cell::Row(u32::from(entry.unit))),
                    Col::Stock => cells.set(def, Cell::Row(u32::from(entry.stock))),
                    Col::Qty => cells.set(def, Cell::Dec(Dec::of(entry.qty))),
                    Col::Price => cells.set(def, Cell::Dec(Dec::of(entry.price()))),
                    Col::EntryAmount => cells.set(def, Cell::Dec(Dec::of(entry.amount()))),
                    Col::Data => {
                        if let Some(cell) = kept_base(table, (bill, At::Made(entry)), of, masters) {
                            cells.set(def, cell);
                        }
                    }
                    _ => {}
                }
            }
            Some(Line { id: entry.id, cells, origin: None })
        }
        _ => None,
    });
    let lines: Vec<Line> = lines.collect();
    if let Some(list) = doc.list_mut(main) {
        *list = lines;
    }
    doc
}

/// Base data that a generated line is read with.
fn kept_base(table: &Table, (bill, at): (&Bill, At<'_>), of: &FieldDef, masters: &Masters) -> Option<Cell> {
    let Type::Base(kind) = of.ty else { return None };
    let field = table.field(&format!("{}.FNumber", of.key))?;
    let Value::Text(number) = table.value(bill, Some(at), field, masters) else { return None };
    masters.position(kind, &number).map(|position| Cell::Row(position as u32))
}

/// Quantity times price, where the model gives no amount.
fn amount(form: &Form, place: u8, cells: &Cells) -> Option<(u16, Cell)> {
    let first = |wanted: Col| {
        let mut defs = (0..).zip(&form.fields).filter(|(_, def)| def.entity == place && def.col == wanted);
        defs.find_map(|(at, _)| match cells.get(at) {
            Some(Cell::Dec(number)) => Some(*number),
            _ => None,
        })
    };
    let at = form.fields.iter().position(|def| def.entity == place && def.col == Col::EntryAmount)? as u16;
    let amount = first(Col::Qty)?.amount(first(Col::Price)?)?;
    cells.get(at).is_none().then_some((at, Cell::Dec(amount)))
}

/// The first field of a column where an entity's members can write it.
fn first_of(form: &Form, wanted: Col, entity: u8) -> Option<u16> {
    let here = |def: &FieldDef| def.col == wanted && (def.entity == entity || form.lines_of(entity) == 0);
    form.fields.iter().position(here).map(|at| at as u16)
}

/// The number in `{"FNumber": …}`, in any case; employees also go by `FStaffNumber`. `None` for anything else.
fn named(value: &Json) -> Option<String> {
    let object = value.as_object()?;
    let wanted = ["FNumber", "FStaffNumber", "Number"];
    let found = object.iter().find(|(key, _)| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(key)));
    Some(found.map(|(_, number)| text(number)).unwrap_or_default())
}

fn time(def: &FieldDef, value: &Json) -> Result<Option<i64>, Refusal> {
    let text = text(value);
    if text.trim().is_empty() {
        return Ok(None);
    }
    parse_time(&text).map(Some).ok_or_else(|| texts::bad_value(&def.key, &def.name, &text))
}

/// A customer's own field holds what it was given.
fn guessed(value: &Json) -> Cell {
    match value {
        Json::Null => Cell::Null,
        Json::Bool(flag) => Cell::Flag(*flag),
        Json::Number(number) => {
            Dec::parse(&number.to_string()).map_or_else(|| Cell::Text(text(value).into()), Cell::Dec)
        }
        Json::Object(_) => named(value).filter(|n| !n.is_empty()).map_or(Cell::Null, |n| Cell::Named(n.into())),
        other => Cell::Text(text(other).into()),
    }
}

/// A member as text. A text in several languages (`[{"Key":2052,"Value":"…"}]`) is its Chinese one.
pub fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        Json::Array(texts) => {
            let of = |wanted: Option<i64>| {
                let mut texts =
                    texts.iter().filter(|t| wanted.is_none() || t.get("Key").and_then(Json::as_i64) == wanted);
                texts.find_map(|t| t.get("Value").and_then(Json::as_str)).map(str::to_owned)
            };
            of(Some(2052)).or_else(|| of(None)).unwrap_or_default()
        }
        other => other.to_string(),
    }
}
