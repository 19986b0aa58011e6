//! The business objects the simulator knows, and the columns each has. They are data: see `forms/*.toml`.
//!
//! Invariant: form ids, field keys and base-data properties are found in any letter case, as the real server does.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::kind::Kind;
use super::state::State;

/// What a column reads from a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Col {
    /// Internal id.
    Id,
    /// Number.
    Number,
    /// Document status, a code.
    Status,
    /// `A` not cancelled; nothing here cancels bills.
    Cancelled,
    /// Bill type.
    BillType,
    /// Sales, settlement or purchase organisation.
    Org,
    /// Stock organisation.
    StockOrg,
    /// Customer or supplier.
    Partner,
    /// Business date.
    Date,
    /// Created at.
    Created,
    /// Changed at.
    Modified,
    /// Audited at; null while not audited.
    Approved,
    /// Created by.
    Creator,
    /// Changed by.
    Modifier,
    /// Audited by.
    Approver,
    /// A mark: `A` not so, `B` so.
    Mark(State),
    /// When the mark was set; null while it is not.
    MarkedAt(State),
    /// Who set the mark.
    MarkedBy(State),
    /// Note.
    Note,
    /// Sum of the entry amounts.
    Amount,
    /// Currency of a bill: the first there is, unless it was saved with another.
    Currency,
    /// Group of a base-data row.
    Group,
    /// Entry id.
    EntryId,
    /// Entry number within the bill, from 1.
    EntrySeq,
    /// Entry material.
    Material,
    /// Entry unit.
    Unit,
    /// Entry warehouse.
    Stock,
    /// Entry quantity.
    Qty,
    /// Entry price.
    Price,
    /// Entry amount.
    EntryAmount,
    /// Name of a base-data row.
    Name,
    /// Code of a base-data row (`CNY`).
    Code,
    /// Specification of a material.
    Spec,
    /// Held by bills that were saved or pushed, and by nothing else.
    Data,
    /// A customer's own field (`F_…`) that nobody has saved yet.
    Unset,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Characters.
    Text,
    /// A number with up to ten decimals.
    Decimal,
    /// A whole number.
    Int,
    /// A day, or a day with a time.
    Date,
    /// Yes or no.
    Flag,
    /// A row of base data.
    Base(Kind),
}

/// Which property of a base-data column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prop {
    /// The column itself; for base data its id.
    Own,
    /// `.FNumber`
    Number,
    /// `.FName`
    Name,
    /// `.FSpecification`, of a material.
    Spec,
}

/// A column with its property, resolved for one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Column.
    pub col: Col,
    /// Property.
    pub prop: Prop,
    /// Its place among the form's fields, or among the customer's own from [`CUSTOM`] on.
    pub def: u16,
    /// The entries it makes one row a line of, from 1; 0 for one a bill.
    pub lines: u8,
}

/// Customer's own fields count from here.
pub const CUSTOM: u16 = 0x8000;

/// A field of a form.
#[derive(Clone, Debug)]
pub struct FieldDef {
    /// `FRealQty`.
    pub key: String,
    /// Name in messages.
    pub name: String,
    /// What it reads.
    pub col: Col,
    /// What it holds.
    pub ty: Type,
    /// A save without it is refused.
    pub must: bool,
    /// Where it stands: 0 for the head, else the place of its entity from 1.
    pub entity: u8,
}

/// Entries of a form, or a part of its head that has an object of its own in a model.
#[derive(Clone, Debug)]
pub struct Entity {
    /// `FEntity`.
    pub key: String,
    /// Name in messages.
    pub name: String,
    /// One a bill rather than a list.
    pub one: bool,
}

/// A business object.
#[derive(Debug)]
pub struct Form {
    /// `SAL_OUTSTOCK`.
    pub id: String,
    /// Name in messages.
    pub name: String,
    /// Numbers are this and at least `width` digits.
    pub prefix: String,
    /// Digits of a number.
    pub width: usize,
    /// First internal id.
    pub first_id: u32,
    /// Usual and other bill type.
    pub types: [String; 2],
    /// Whose names [`Col::Partner`] takes, and for base data whose rows these are.
    pub partner: Kind,
    /// Base data rather than bills: audited from the start, no entries.
    pub base_data: bool,
    /// Entities, in the order of their places.
    pub entities: Vec<Entity>,
    /// Fields.
    pub fields: Vec<FieldDef>,
    by_key: HashMap<String, u16>,
}

impl Form {
    /// Finds a field, `None` when the form has no such.
    pub fn field(&self, path: &str) -> Option<Field> {
        let (key, prop) = path.split_once('.').unwrap_or((path, ""));
        let def = *self.by_key.get(&key.to_ascii_lowercase())?;
        let found = self.fields.get(usize::from(def))?;
        let prop = prop_of(path, prop, found.ty)?;
        // What is kept once a bill makes no lines, wherever a model has it.
        let once = matches!(found.col, Col::Org | Col::StockOrg | Col::Partner);
        Some(Field { col: found.col, prop, def, lines: if once { 0 } else { self.lines_of(found.entity) } })
    }

    /// The field a model's member sets: `entity` 0 for the head.
    pub fn member(&self, key: &str, entity: u8) -> Option<(u16, &FieldDef)> {
        let found = self
            .fields
            .iter()
            .enumerate()
            .find(|(_, def)| def.entity == entity && def.key.eq_ignore_ascii_case(key))?;
        Some((found.0 as u16, found.1))
    }

    /// The entity of a key, with its place from 1.
    pub fn entity(&self, key: &str) -> Option<(u8, &Entity)> {
        let place = self.entities.iter().position(|entity| entity.key.eq_ignore_ascii_case(key))?;
        Some((place as u8 + 1, self.entities.get(place)?))
    }

    /// The entries an entity is, 0 for the head and its parts.
    pub fn lines_of(&self, entity: u8) -> u8 {
        let list = usize::from(entity).checked_sub(1).and_then(|place| self.entities.get(place));
        if list.is_some_and(|entity| !entity.one) { entity } else { 0 }
    }

    /// The entries whose lines bills have from the beginning: the first list; 0 for a form without one.
    pub fn main(&self) -> u8 {
        self.entities.iter().position(|entity| !entity.one).map_or(0, |place| place as u8 + 1)
    }

    /// The key of the first field that reads a column.
    pub fn key_of(&self, wanted: Col) -> Option<&str> {
        self.fields.iter().find(|def| def.col == wanted).map(|def| def.key.as_str())
    }

    /// Whether its rows have this state; an operation that moves a state its form has not is none of that form's.
    pub fn has(&self, state: State) -> bool {
        match state {
            State::Document => self.fields.iter().any(|def| def.col == Col::Status),
            mark => self.fields.iter().any(|def| def.col == Col::Mark(mark)),
        }
    }
}

/// The property a path names; `None` for one that the field has not.
pub fn prop_of(path: &str, prop: &str, ty: Type) -> Option<Prop> {
    let base = matches!(ty, Type::Base(_));
    match prop.to_ascii_lowercase().as_str() {
        "" if !path.contains('.') => Some(Prop::Own),
        "fnumber" if base => Some(Prop::Number),
        "fname" if base => Some(Prop::Name),
        "fspecification" if ty == Type::Base(Kind::Material) => Some(Prop::Spec),
        _ => None,
    }
}

/// Position of a form in [`FORMS`].
pub fn find(id: &str) -> Option<usize> {
    FORMS.iter().position(|form| form.id.eq_ignore_ascii_case(id.trim()))
}

const FILES: [&str; 3] =
    [include_str!("forms/bills.toml"), include_str!("forms/base.toml"), include_str!("forms/more.toml")];

/// Every form.
pub static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    // A file of ours that cannot be read is found by the test below; nothing else could be done about it here.
    let read = |text| toml::from_str::<File>(text).map(|file| file.form).unwrap_or_default();
    FILES.into_iter().flat_map(read).map(made).collect()
});

#[derive(Debug, Deserialize)]
struct File {
    form: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    name: String,
    #[serde(default)]
    number: (String, usize),
    first_id: u32,
    #[serde(default)]
    types: [String; 2],
    partner: Kind,
    #[serde(default)]
    base_data: bool,
    uses: Vec<String>,
    fields: String,
    #[serde(default)]
    entry: Vec<WrittenEntity>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntity {
    key: String,
    name: String,
    #[serde(default)]
    one: bool,
    fields: String,
}

const BILL: &str = "FID id 内码\nFBillNo number 单据编号\nFCancelStatus cancelled 作废状态";
const MADE: &str = "FDocumentStatus status 数据状态\nFCreateDate created 创建日期\nFModifyDate modified 修改日期\n\
    FApproveDate approved 审核日期\nFCreatorId creator 创建人\nFModifierId modifier 修改人\nFApproverId approver 审核人";
const CLOSE: &str = "FCloseStatus close 关闭状态\nFCloseDate close_at 关闭日期\nFCloserId close_by 关闭人";
const FORBID: &str = "FForbidStatus forbid 禁用状态\nFForbidDate forbid_at 禁用日期\nFForbidderId forbid_by 禁用人";
const BASE: &str = "FID id 内码\nFNumber number 编码\nFName name! 名称\nFSpecification spec 规格型号\nFDescription note 描述\n\
    FCreateOrgId org 创建组织\nFUseOrgId stock_org 使用组织";

fn made(written: Written) -> Form {
    let mut fields = Vec::new();
    for used in &written.uses {
        let blocks: &[&str] = match used.as_str() {
            "bill" => &[BILL, MADE],
            "made" => &[MADE],
            "close" => &[CLOSE],
            "forbid" => &[FORBID],
            _ => &[BASE, MADE, FORBID],
        };
        for block in blocks {
            read_fields(block, 0, written.partner, &mut fields);
        }
    }
    read_fields(&written.fields, 0, written.partner, &mut fields);
    let mut entities = Vec::new();
    for (place, entry) in (1..).zip(written.entry) {
        if !entry.one {
            for (end, col, name) in [("FEntryID", Col::EntryId, "分录内码"), ("FSeq", Col::EntrySeq, "行号")] {
                let key = format!("{}_{end}", entry.key);
                fields.push(FieldDef { key, name: name.to_owned(), col, ty: Type::Int, must: false, entity: place });
            }
        }
        read_fields(&entry.fields, place, written.partner, &mut fields);
        entities.push(Entity { key: entry.key, name: entry.name, one: entry.one });
    }
    let mut by_key = HashMap::new();
    for (at, def) in fields.iter().enumerate() {
        by_key.entry(def.key.to_ascii_lowercase()).or_insert(at as u16);
    }
    Form {
        id: written.id,
        name: written.name,
        prefix: written.number.0,
        width: written.number.1,
        first_id: written.first_id,
        types: written.types,
        partner: written.partner,
        base_data: written.base_data,
        entities,
        fields,
        by_key,
    }
}

fn read_fields(text: &str, entity: u8, partner: Kind, fields: &mut Vec<FieldDef>) {
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(key), Some(kind)) = (words.next(), words.next()) else { continue };
        let Some((col, ty)) = typed(kind.trim_end_matches('!'), partner) else { continue };
        let name = words.collect::<Vec<_>>().join(" ");
        fields.push(FieldDef { key: key.to_owned(), name, col, ty, must: kind.ends_with('!'), entity });
    }
}

/// What a word of the files means; `None` for one that means nothing.
fn typed(word: &str, partner: Kind) -> Option<(Col, Type)> {
    let base = |col, kind| (col, Type::Base(kind));
    Some(match word {
        "id" => (Col::Id, Type::Int),
        "number" => (Col::Number, Type::Text),
        "status" => (Col::Status, Type::Text),
        "cancelled" => (Col::Cancelled, Type::Text),
        "bill_type" => base(Col::BillType, Kind::BillType),
        "org" => base(Col::Org, Kind::Org),
        "stock_org" => base(Col::StockOrg, Kind::Org),
        "partner" => base(Col::Partner, partner),
        "day" => (Col::Date, Type::Date),
        "created" => (Col::Created, Type::Date),
        "modified" => (Col::Modified, Type::Date),
        "approved" => (Col::Approved, Type::Date),
        "creator" => base(Col::Creator, Kind::User),
        "modifier" => base(Col::Modifier, Kind::User),
        "approver" => base(Col::Approver, Kind::User),
        "close" => (Col::Mark(State::Close), Type::Text),
        "close_at" => (Col::MarkedAt(State::Close), Type::Date),
        "close_by" => base(Col::MarkedBy(State::Close), Kind::User),
        "forbid" => (Col::Mark(State::Forbid), Type::Text),
        "forbid_at" => (Col::MarkedAt(State::Forbid), Type::Date),
        "forbid_by" => base(Col::MarkedBy(State::Forbid), Kind::User),
        "note" => (Col::Note, Type::Text),
        "amount" => (Col::Amount, Type::Decimal),
        "currency" => base(Col::Currency, Kind::Currency),
        "material" => base(Col::Material, Kind::Material),
        "unit" => base(Col::Unit, Kind::Unit),
        "stock" => base(Col::Stock, Kind::Stock),
        "qty" => (Col::Qty, Type::Decimal),
        "price" => (Col::Price, Type::Decimal),
        "entry_amount" => (Col::EntryAmount, Type::Decimal),
        "entry_id" => (Col::EntryId, Type::Int),
        "name" => (Col::Name, Type::Text),
        "code" => (Col::Code, Type::Text),
        "spec" => (Col::Spec, Type::Text),
        "text" => (Col::Data, Type::Text),
        "decimal" => (Col::Data, Type::Decimal),
        "int" => (Col::Data, Type::Int),
        "date" => (Col::Data, Type::Date),
        "flag" => (Col::Data, Type::Flag),
        other => match other.split_once(':')? {
            ("base", list) => base(Col::Data, Kind::by_name(list)?),
            ("group", list) => base(Col::Group, Kind::by_name(list)?),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_forms_is_understood() {
        let mut lines = 0;
        for text in FILES {
            for form in toml::from_str::<File>(text).unwrap().form {
                let parts = form.entry.iter().map(|entry| entry.fields.as_str()).chain([form.fields.as_str()]);
                for line in parts.flat_map(str::lines) {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    assert!(words.len() >= 3, "{}: {line}", form.id);
                    assert!(typed(words[1].trim_end_matches('!'), form.partner).is_some(), "{}: {line}", form.id);
                    lines += 1;
                }
                let known = ["bill", "made", "close", "forbid", "base"];
                assert!(form.uses.iter().all(|used| known.contains(&used.as_str())), "{}", form.id);
            }
        }
        assert!(lines > 400 && FORMS.len() >= 70, "{lines} lines, {} forms", FORMS.len());
        // Types are kept as one byte, and two a form.
        assert!(FORMS.len() <= 128);
        for form in FORMS.iter() {
            assert!(form.fields.iter().any(|def| def.col == Col::Id), "{}", form.id);
            assert!(form.fields.len() < usize::from(CUSTOM) && form.entities.len() < 250);
        }
    }
}
