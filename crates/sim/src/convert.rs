//! One bill made of another by a conversion rule: what is left of the source, and what the target holds.
//!
//! Invariant: what is left of a line is its quantity less what its targets hold now; a target that was deleted holds nothing.

use std::sync::LazyLock;

use serde::Deserialize;

use super::dec::Dec;
use super::doc::{Cell, Cells, Doc, Line, Origin};
use super::form::{self, Col, FORMS, Form, Type};
use super::reply::Refusal;
use super::save::unwritten;
use super::table::{At, Bill, NO_PARTNER, Table};
use super::texts;
use super::value::Value;
use super::world::World;

/// A conversion rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What a call names it by.
    pub id: String,
    /// Form of its sources.
    pub from: String,
    /// Form of its targets.
    pub to: String,
    /// Taken by `IsEnableDefaultRule`.
    #[serde(default)]
    pub usual: bool,
    /// What is counted: `qty` or `amount`.
    #[serde(default)]
    by: String,
    /// Fields of the target that carry the source's number.
    number: Vec<String>,
    /// The one that carries the source's form.
    kind: String,
    #[serde(default)]
    carry: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Written {
    rule: Vec<Rule>,
}

/// Every rule.
pub static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    // A file of ours that cannot be read is found by the test below.
    toml::from_str::<Written>(include_str!("forms/rules.toml")).unwrap_or_default().rule
});

impl Rule {
    fn counted(&self) -> Col {
        if self.by == "amount" { Col::EntryAmount } else { Col::Qty }
    }
}

/// A target that was not saved yet.
#[derive(Debug)]
pub struct Converted {
    /// Its columns.
    pub bill: Bill,
    /// Its lines.
    pub doc: Doc,
    /// Position of its form.
    pub form: usize,
}

/// What is read of a source: its head, or one of its lines.
type Read<'a> = (&'a Table, &'a Bill, Option<At<'a>>);

/// A line of a source: its id, and what is taken of it.
struct Part<'a> {
    at: At<'a>,
    id: i64,
    take: Dec,
}

impl World {
    /// What becomes of a source when a rule is applied to it; only these of its lines, if any are named.
    pub(super) fn converted(&self, (rule, source): (usize, u32), lines: &[i64], who: u8) -> Result<Converted, Refusal> {
        let no_rule = || texts::no_rule("");
        let of = RULES.get(rule).ok_or_else(no_rule)?;
        let (from, to) = (form::find(&of.from).ok_or_else(no_rule)?, form::find(&of.to).ok_or_else(no_rule)?);
        let (table, target) = (self.tables.get(from).ok_or_else(no_rule)?, FORMS.get(to).ok_or_else(no_rule)?);
        let bill = table.get(i64::from(source)).ok_or_else(|| texts::no_id(&source.to_string()))?;
        let number = table.number(bill, &self.masters).into_owned();
        let parts = self.parts(rule, (table, bill), lines);
        if parts.is_empty() {
            return Err(texts::used_up(&number, &table.form().name));
        }
        let next = self.tables.get(to).map_or(1, Table::next_id);
        let mut made = unwritten(next, to, who, self.local_seconds());
        (made.org, made.stock_org) = (bill.org, bill.stock_org);
        if table.form().partner == target.partner {
            made.partner = bill.partner;
        }
        let mut doc = Doc::empty(target.entities.len());
        doc.head = traced(of, (target, 0), &number, self.carried(of, (table, bill, None), (target, 0)));
        let main = target.main();
        for part in parts {
            let cells = self.carried(of, (table, bill, Some(part.at)), (target, main));
            let cells = counted(of, (target, main), part.take, cells);
            let cells = traced(of, (target, main), &number, cells);
            let origin = Origin { form: from, bill: source, line: part.id, rule };
            if let Some(list) = doc.list_mut(main) {
                list.push(Line { id: 0, cells, origin: Some(origin) });
            }
        }
        Ok(Converted { bill: made, doc, form: to })
    }

    /// The lines of a source with something left, and what one push takes of them.
    fn parts<'a>(&self, rule: usize, (table, bill): (&'a Table, &'a Bill), lines: &[i64]) -> Vec<Part<'a>> {
        let Some(of) = RULES.get(rule) else { return Vec::new() };
        let settings = self.config.settings.of_rule(&of.id);
        let main = table.form().main();
        let counted = field_of(table, of.counted(), main);
        let targets = self.links.get(&(rule, bill.id)).map_or(&[][..], Vec::as_slice);
        let parts = (0..table.line_count(bill, main)).filter_map(|at| {
            let at = table.line(bill, main, at);
            let id = match at {
                At::Made(entry) => entry.id,
                At::Saved(line, _) => line.id,
                At::Empty => return None,
            };
            if !lines.is_empty() && !lines.contains(&id) {
                return None;
            }
            let all = counted.map_or(Dec::ZERO, |field| number(&table.value(bill, Some(at), field, &self.masters)));
            let pushed = if settings.control { self.pushed(of, targets, (bill.id, id)) } else { Dec::ZERO };
            let left = all.minus(pushed);
            let take = left.share(settings.share);
            (take > Dec::ZERO).then_some(Part { at, id, take })
        });
        parts.collect()
    }

    /// What the targets of a line hold of it.
    fn pushed(&self, rule: &Rule, targets: &[u32], (bill, line): (u32, i64)) -> Dec {
        let Some(table) = form::find(&rule.to).and_then(|form| self.tables.get(form)) else { return Dec::ZERO };
        let main = table.form().main();
        let Some(field) = field_of(table, rule.counted(), main) else { return Dec::ZERO };
        let mut sum = Dec::ZERO;
        for target in targets {
            // A deleted bill is not found any more.
            let (Some(_), Some(doc)) = (table.get(i64::from(*target)), table.doc(*target)) else { continue };
            let of = |origin: &Origin| origin.bill == bill && origin.line == line;
            for line in doc.list(main).iter().filter(|line| line.origin.as_ref().is_some_and(of)) {
                if let Some(Cell::Dec(number)) = line.cells.get(field.def) {
                    sum = sum.plus(*number);
                }
            }
        }
        sum
    }

    /// Takes along what both forms have: by column, and by the fields the rule names.
    fn carried(&self, rule: &Rule, read: Read<'_>, (target, place): (&Form, u8)) -> Cells {
        let (table, _, at) = read;
        let mut cells = Cells::default();
        let wanted: &[Col] =
            if at.is_some() { &[Col::Material, Col::Unit, Col::Stock, Col::Price] } else { &[Col::Currency] };
        for (def, of) in (0..).zip(&target.fields) {
            let here = target.lines_of(of.entity) == target.lines_of(place) && wanted.contains(&of.col);
            let Some(key) = table.form().key_of(of.col).filter(|_| here) else { continue };
            let cell = self.cell(read, key, of.ty);
            if cell != Cell::Null {
                cells.set(def, cell);
            }
        }
        for pair in &rule.carry {
            let Some((from, to)) = pair.split_once('>') else { continue };
            if let Some((def, of)) = target.member(to, place) {
                cells.set(def, self.cell(read, from, of.ty));
            }
        }
        cells
    }

    fn cell(&self, (table, bill, at): Read<'_>, key: &str, ty: Type) -> Cell {
        let path = if matches!(ty, Type::Base(_)) { format!("{key}.FNumber") } else { key.to_owned() };
        let Some(field) = table.field(&path) else { return Cell::Null };
        match (table.value(bill, at, field, &self.masters), ty) {
            (Value::Text(number), Type::Base(kind)) => {
                self.masters.position(kind, &number).map_or(Cell::Null, |p| Cell::Row(p as u32))
            }
            (Value::Text(text), _) => Cell::Text((*text).into()),
            (value @ (Value::Num(_) | Value::Dec(_)), _) => Cell::Dec(number(&value)),
            (Value::Int(n), _) => Cell::Int(n),
            (Value::Time(t), _) => Cell::Time(t),
            _ => Cell::Null,
        }
    }
}

/// The first field of a column among the lines of an entity.
fn field_of(table: &Table, wanted: Col, main: u8) -> Option<form::Field> {
    let def = table.form().fields.iter().find(|def| def.col == wanted && def.entity == main)?;
    table.field(&def.key)
}

/// Every quantity of a target's line is what was taken, and its amount follows; money is taken as it is.
fn counted(rule: &Rule, (target, main): (&Form, u8), take: Dec, mut cells: Cells) -> Cells {
    let mut price = None;
    for (def, of) in (0..).zip(&target.fields).filter(|(_, of)| of.entity == main) {
        match of.col {
            Col::Qty => cells.set(def, Cell::Dec(take)),
            Col::Price => {
                if let Some(Cell::Dec(found)) = cells.get(def) {
                    price = Some(*found);
                }
            }
            Col::EntryAmount if rule.by == "amount" => cells.set(def, Cell::Dec(take)),
            Col::EntryAmount => {
                if let Some(amount) = price.and_then(|price| take.amount(price)) {
                    cells.set(def, Cell::Dec(amount));
                }
            }
            _ => {}
        }
    }
    cells
}

/// The source's number and form, where the target has fields for them.
fn traced(rule: &Rule, (target, place): (&Form, u8), number: &str, mut cells: Cells) -> Cells {
    let mut set = |key: &str, text: &str| {
        if let Some((def, _)) = target.member(key, place) {
            cells.set(def, Cell::Text(text.into()));
        }
    };
    rule.number.iter().for_each(|key| set(key, number));
    set(&rule.kind, &rule.from);
    cells
}

fn number(value: &Value<'_>) -> Dec {
    match value {
        Value::Dec(number) => *number,
        Value::Num(number) => Dec::of(*number),
        _ => Dec::ZERO,
    }
}

/// Whether a bill lacks nothing that its form requires; the fields that it lacks.
pub(super) fn missing(def: &Form, bill: &Bill, doc: &Doc, name: bool) -> Vec<Refusal> {
    let filled = |cells: &Cells, at: u16| cells.get(at).is_some_and(|cell| !cell.is_blank());
    let mut missing = Vec::new();
    for (at, of) in (0..).zip(&def.fields).filter(|(_, of)| of.must && def.lines_of(of.entity) == 0) {
        let there = match of.col {
            Col::Partner => bill.partner != NO_PARTNER,
            Col::Name => name,
            _ => filled(&doc.head, at),
        };
        if !there {
            missing.push(texts::required(&of.key, &of.name, None));
        }
    }
    for (place, entity) in (1..).zip(&def.entities).filter(|(_, entity)| !entity.one) {
        let must = (0..).zip(&def.fields).filter(|(_, of)| of.must && of.entity == place);
        let must: Vec<(u16, _)> = must.collect();
        if doc.list(place).is_empty() && !must.is_empty() {
            missing.push(texts::no_lines(&entity.key, &entity.name));
        }
        for (seq, line) in (1..).zip(doc.list(place)) {
            let empty = must.iter().filter(|(at, _)| !filled(&line.cells, *at));
            missing.extend(empty.map(|(_, of)| texts::required(&of.key, &of.name, Some((&entity.name, seq)))));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_leads_from_a_form_to_a_form_with_the_fields_it_names() {
        let written: Written = toml::from_str(include_str!("forms/rules.toml")).unwrap();
        assert!(written.rule.len() >= 13);
        for rule in written.rule {
            let of = |id: &str| FORMS.get(form::find(id).unwrap_or(usize::MAX)).unwrap_or_else(|| panic!("{id}"));
            let (from, to) = (of(&rule.from), of(&rule.to));
            for key in rule.number.iter().chain([&rule.kind]) {
                assert!(to.member(key, to.main()).is_some() || to.member(key, 0).is_some(), "{}: {key}", rule.id);
            }
            for pair in &rule.carry {
                let (source, target) = pair.split_once('>').unwrap();
                assert!(from.field(source).is_some() && to.field(target).is_some(), "{}: {pair}", rule.id);
            }
            for form in [from, to] {
                let counted = form.fields.iter().any(|def| def.col == rule.counted() && def.entity == form.main());
                assert!(counted, "{}: {}", rule.id, form.id);
            }
        }
    }
}
