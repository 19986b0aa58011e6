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
                    let mut cells = std::mem::take(&mut self.doc.head);
                    let filled = self.cells(form, part, place, &mut cells);
                    self.doc.head = cells;
                    filled?;
                }
                Some((place, _)) => self.list(form, place, value)?,
                None => {
                    let mut cells = std::mem::take(&mut self.doc.head);
                    let filled = self.member(form, key, value, 0, &mut cells);
                    self.doc.head = cells;
                    filled?;
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

    fn cells(&mut self, form: &Form, part: &Map<String, Json>, entity: u8, cells: &mut Cells) -> Result<(), Refusal> {
        for (key, value) in self.ordered(form, part, entity) {
            self.member(form, key, value, entity, cells)?;
        }
        Ok(())
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
            let mut cells = std::mem::take(&mut line.cells);
            self.cells(form, row, place, &mut cells)?;
            amount(form, place, &mut cells);
            line.cells = cells;
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

    fn member(&mut self, form: &Form, key: &str, value: &Json, entity: u8, cells: &mut Cells) -> Result<(), Refusal> {
        let kept_out = self.update && !self.options.only.is_empty();
        if kept_out && !self.options.only.iter().any(|only| only.eq_ignore_ascii_case(key)) {
            return Ok(());
        }
        let Some((at, def)) = form.member(key, entity) else {
            if let Some(own) = self.table.custom(key, entity) {
                cells.set(own, guessed(value));
            }
            return Ok(());
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
                overwrite(form, Col::Currency, entity, cells, 0);
            }
            Col::Material => {
                let position = self.position(def, value)?;
                cells.set(at, position.map_or(Cell::Null, |p| Cell::Row(p as u32)));
                // A material brings its unit, over one that was there before.
                if let Some(position) = position {
                    overwrite(form, Col::Unit, entity, cells, position as u32 % 4);
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
            | Col::Data => cells.set(at, self.cell(def, value)?),
            // The server's own: numbers are looked at by the caller, all others nobody can set.
            _ => {}
        }
        Ok(())
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
                    Col::Data => keep_base(table, bill, At::Made(entry), of, def, masters, &mut cells),
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

/// Base data that a generated line is read with, by its number.
fn keep_base(table: &Table, bill: &Bill, at: At<'_>, of: &FieldDef, def: u16, masters: &Masters, cells: &mut Cells) {
    let Type::Base(kind) = of.ty else { return };
    let Some(field) = table.field(&format!("{}.FNumber", of.key)) else { return };
    if let Value::Text(number) = table.value(bill, Some(at), field, masters)
        && let Some(position) = masters.position(kind, &number)
    {
        cells.set(def, Cell::Row(position as u32));
    }
}

/// Quantity times price, where the model gives no amount.
fn amount(form: &Form, place: u8, cells: &mut Cells) {
    let first = |wanted: Col| {
        let mut defs = (0..).zip(&form.fields).filter(|(_, def)| def.entity == place && def.col == wanted);
        defs.find_map(|(at, _)| match cells.get(at) {
            Some(Cell::Dec(number)) => Some(*number),
            _ => None,
        })
    };
    let at = form.fields.iter().position(|def| def.entity == place && def.col == Col::EntryAmount);
    if let (Some(at), Some(qty), Some(price)) = (at, first(Col::Qty), first(Col::Price))
        && cells.get(at as u16).is_none()
        && let Some(amount) = qty.amount(price)
    {
        cells.set(at as u16, Cell::Dec(amount));
    }
}

/// Sets the first field of a column to a row, whatever it held.
fn overwrite(form: &Form, wanted: Col, entity: u8, cells: &mut Cells, position: u32) {
    let at =
        form.fields.iter().position(|def| def.col == wanted && (def.entity == entity || form.lines_of(entity) == 0));
    if let Some(at) = at {
        cells.set(at as u16, Cell::Row(position));
    }
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
