//! What one column of one row reads: from the row itself, from its document, or computed.
//!
//! Invariant: of a saved bill nothing is computed that could have been saved.

use super::dec::Dec;
use super::doc::{Cell, Cells, Doc};
use super::form::{Col, Field, Prop, Type};
use super::kind::Kind;
use super::masters::{Master, Masters};
use super::rng::mix;
use super::table::{At, Bill, Entry, NOBODY, Table, status_text};
use super::value::Value;

impl Table {
    /// One cell.
    pub fn value<'a>(&'a self, bill: &'a Bill, at: Option<At<'a>>, field: Field, masters: &'a Masters) -> Value<'a> {
        if let Some(doc) = self.doc(bill.id)
            && let Some(value) = self.held((doc, at), field, masters)
        {
            return value;
        }
        let form = self.form();
        // An unset base-data column reads 0 as id and null as property.
        let user = |who: u8| match field.prop {
            Prop::Own if who == NOBODY => Value::Int(0),
            _ => base(masters, Kind::User, usize::from(who), field.prop),
        };
        let own = |pick: fn(&Master) -> &str| {
            masters.get(form.partner, bill.partner as usize).map_or(Value::Null, |row| Value::text(pick(row)))
        };
        match field.col {
            Col::Id => Value::Int(i64::from(bill.id)),
            Col::Number => Value::Text(self.number(bill, masters)),
            Col::Status => Value::text(status_text(bill.status)),
            Col::Cancelled => Value::text("A"),
            Col::BillType => base(masters, Kind::BillType, usize::from(bill.kind), field.prop),
            Col::Org => base(masters, Kind::Org, usize::from(bill.org), field.prop),
            Col::StockOrg => base(masters, Kind::Org, usize::from(bill.stock_org), field.prop),
            Col::Partner => base(masters, form.partner, bill.partner as usize, field.prop),
            Col::Date => Value::Time(bill.date),
            Col::Created => Value::Time(bill.created),
            Col::Modified => Value::Time(bill.modified),
            Col::Approved if bill.approved == 0 => Value::Null,
            Col::Approved => Value::Time(bill.approved),
            Col::Creator => base(masters, Kind::User, usize::from(bill.creator), field.prop),
            Col::Modifier => base(masters, Kind::User, usize::from(bill.modifier), field.prop),
            Col::Approver => user(bill.approver),
            Col::Mark(state) => Value::text(status_text(bill.letter(state))),
            Col::MarkedAt(state) => self.marked_at(bill, state).map_or(Value::Null, Value::Time),
            Col::MarkedBy(state) => user(self.marked_by(bill, state)),
            Col::Note => Value::text(bill.note.as_deref().unwrap_or(" ")),
            Col::Amount => Value::Num(self.amount(bill)),
            Col::Name => own(|row| &row.name),
            Col::Code | Col::Spec => own(|row| &row.code),
            Col::Currency => base(masters, Kind::Currency, 0, field.prop),
            Col::Group => match self.ty(field) {
                Some(Type::Base(kind)) => {
                    let groups = masters.rows(kind).len().max(1);
                    base(masters, kind, bill.partner as usize % groups, field.prop)
                }
                _ => Value::Null,
            },
            Col::Data => match self.ty(field) {
                Some(Type::Base(kind)) if !masters.rows(kind).is_empty() => {
                    let of = match at {
                        // What stands in the head is the bill's, whichever of its lines tells it.
                        Some(At::Made(entry)) if field.lines > 0 => entry.id as u64,
                        _ => u64::from(bill.id),
                    };
                    let position = mix(of ^ (u64::from(field.def) << 48)) % masters.rows(kind).len() as u64;
                    base(masters, kind, position as usize, field.prop)
                }
                ty => ty.map_or(Value::Null, |ty| blank(ty, field.prop)),
            },
            Col::Unset => Value::Null,
            _ => self.computed((bill, at), field, masters),
        }
    }

    fn ty(&self, field: Field) -> Option<Type> {
        self.form().fields.get(usize::from(field.def)).map(|def| def.ty)
    }

    /// A column of a generated line. Forms without entries read it of their only line.
    fn computed<'a>(&self, (bill, at): (&Bill, Option<At<'_>>), field: Field, masters: &'a Masters) -> Value<'a> {
        let entry: Option<Entry> = match at {
            Some(At::Made(entry)) => Some(entry),
            _ if field.lines == 0 => Some(self.entry(bill, 1)),
            _ => None,
        };
        let Some(e) = entry else { return Value::Null };
        match field.col {
            Col::EntryId => Value::Int(e.id),
            Col::EntrySeq => Value::Int(i64::from(e.seq)),
            Col::Material => base(masters, Kind::Material, usize::from(e.material), field.prop),
            Col::Unit => base(masters, Kind::Unit, usize::from(e.unit), field.prop),
            Col::Stock => base(masters, Kind::Stock, usize::from(e.stock), field.prop),
            Col::Qty => Value::Num(e.qty),
            Col::Price => Value::Num(e.price()),
            Col::EntryAmount => Value::Num(e.amount()),
            _ => Value::Null,
        }
    }

    /// A column that a document holds; `None` for those that stand in the row itself.
    fn held<'a>(
        &'a self,
        (doc, at): (&'a Doc, Option<At<'a>>),
        field: Field,
        masters: &'a Masters,
    ) -> Option<Value<'a>> {
        let cells: Option<&Cells> = match at {
            _ if field.lines == 0 => Some(&doc.head),
            Some(At::Saved(line, _)) => Some(&line.cells),
            _ => None,
        };
        let ty = self.ty(field);
        Some(match field.col {
            Col::EntryId => match at {
                Some(At::Saved(line, _)) => Value::Int(line.id),
                _ => Value::Null,
            },
            Col::EntrySeq => match at {
                Some(At::Saved(_, seq)) => Value::Int(i64::from(seq)),
                _ => Value::Null,
            },
            Col::Amount => match doc.head.get(field.def) {
                Some(Cell::Dec(amount)) => Value::Dec(*amount),
                _ => Value::Dec(self.sum(doc)),
            },
            Col::Material
            | Col::Unit
            | Col::Stock
            | Col::Qty
            | Col::Price
            | Col::EntryAmount
            | Col::Data
            | Col::Currency
            | Col::Group
            | Col::Code
            | Col::Spec => match (cells?.get(field.def), ty) {
                (Some(cell), _) => shown(cell, ty, field.prop, masters),
                (None, Some(ty)) => blank(ty, field.prop),
                (None, None) => Value::Null,
            },
            _ => return None,
        })
    }

    /// Sum of the entry amounts of a document.
    fn sum(&self, doc: &Doc) -> Dec {
        let form = self.form();
        let Some(def) = form.fields.iter().position(|def| def.col == Col::EntryAmount) else { return Dec::ZERO };
        let amount = |cells: &Cells| match cells.get(def as u16) {
            Some(Cell::Dec(amount)) => *amount,
            _ => Dec::ZERO,
        };
        doc.list(form.main()).iter().map(|line| amount(&line.cells)).fold(Dec::ZERO, Dec::plus)
    }
}

/// A property of a row of base data.
fn base(masters: &Masters, kind: Kind, position: usize, prop: Prop) -> Value<'_> {
    match (masters.get(kind, position), prop) {
        (None, _) => Value::Null,
        (Some(row), Prop::Own) => Value::Int(row.id),
        (Some(row), Prop::Number) => Value::text(&row.number),
        (Some(row), Prop::Name) => Value::text(&row.name),
        (Some(row), Prop::Spec) => Value::text(&row.code),
    }
}

/// What the database holds where nobody wrote.
fn blank<'a>(ty: Type, prop: Prop) -> Value<'a> {
    match ty {
        Type::Text => Value::text(" "),
        Type::Decimal => Value::Dec(Dec::ZERO),
        Type::Int => Value::Int(0),
        Type::Flag => Value::Flag(false),
        Type::Base(_) if prop == Prop::Own => Value::Int(0),
        Type::Date | Type::Base(_) => Value::Null,
    }
}

fn shown<'a>(cell: &'a Cell, ty: Option<Type>, prop: Prop, masters: &'a Masters) -> Value<'a> {
    match cell {
        Cell::Null => ty.map_or(Value::Null, |ty| blank(ty, prop)),
        Cell::Text(text) => Value::text(text),
        Cell::Dec(number) => Value::Dec(*number),
        Cell::Int(number) => Value::Int(*number),
        Cell::Time(at) => Value::Time(*at),
        Cell::Flag(flag) => Value::Flag(*flag),
        Cell::Row(position) => match ty {
            Some(Type::Base(kind)) => base(masters, kind, *position as usize, prop),
            _ => Value::Null,
        },
        // Its row is nowhere, so the id is made from the number.
        Cell::Named(number) if prop == Prop::Own => {
            Value::Int((number.bytes().fold(7, |id, byte| mix(id ^ u64::from(byte))) % 900_000_000) as i64 + 1)
        }
        Cell::Named(number) => Value::text(number),
    }
}
