//! A saved row as JSON and back, for the record file: what a simulator that starts again on it has to make anew.
//!
//! Invariant: a row that is read back is the row that was written, with its entry ids and what it was pushed from.

use serde_json::{Map, Value as Json, json};

use super::convert::RULES;
use super::dec::Dec;
use super::doc::{Cell, Cells, Doc, Line, Origin};
use super::form::{CUSTOM, FORMS};
use super::record::Applied;
use super::save::Row;
use super::table::{Bill, Table};
use super::world::World;

/// Verbs whose lines carry the row they made.
pub const MAKING: [&str; 4] = ["Save", "BatchSave", "Draft", "Push"];

impl World {
    /// A line of the record as its file keeps it: with the row, where one was saved.
    pub fn line_json(&self, line: &Applied) -> Json {
        let mut json = line.json();
        if line.refused.is_none()
            && MAKING.contains(&line.verb)
            && let (Some(row), Some(json)) = (self.row_json(line.form, line.id), json.as_object_mut())
        {
            json.insert("row".to_owned(), row);
        }
        json
    }

    fn row_json(&self, form: usize, id: u32) -> Option<Json> {
        let table = self.tables.get(form)?;
        let (bill, doc) = (table.ever(id)?, table.doc(id)?);
        let name = table.form().base_data.then(|| self.masters.get(table.form().partner, bill.partner as usize));
        Some(json!({
            "bill": [bill.status, bill.kind, bill.org, bill.stock_org, bill.partner, bill.creator, bill.modifier, bill.approver,
                bill.date, bill.created, bill.modified, bill.approved],
            "note": bill.note, "number": table.number(bill, &self.masters), "name": name.flatten().map(|row| &row.name),
            "head": cells_json(table, &doc.head),
            "lists": doc.lists.iter().map(|lines| lines_json(table, lines)).collect::<Vec<_>>(),
        }))
    }

    /// Makes a row anew, and tells what it was pushed from. Nothing of it is believed that its form has not.
    pub(super) fn put_row(&mut self, form: usize, id: u32, row: &Json) -> Option<Vec<Origin>> {
        let of = FORMS.get(form)?;
        let table = self.tables.get_mut(form)?;
        let old = table.get(i64::from(id)).cloned();
        if old.is_none() && id < table.next_id() {
            return None;
        }
        let n = |at: usize| row.pointer(&format!("/bill/{at}")).and_then(Json::as_i64).unwrap_or_default();
        let bill = Bill {
            id,
            status: n(0) as u8,
            kind: n(1) as u8,
            org: n(2) as u8,
            stock_org: n(3) as u8,
            partner: n(4) as u32,
            creator: n(5) as u8,
            modifier: n(6) as u8,
            approver: n(7) as u8,
            marks: old.as_ref().map_or(0, |old| old.marks),
            date: n(8),
            created: n(9),
            modified: n(10),
            approved: n(11),
            note: row.get("note").and_then(Json::as_str).map(Into::into),
        };
        let head = row.get("head").map(|cells| table.cells_of(0, cells)).unwrap_or_default();
        let mut doc = Doc { head, ..Doc::empty(of.entities.len()) };
        for (place, lines) in (1..).zip(row.get("lists").and_then(Json::as_array).into_iter().flatten()) {
            let lines = lines.as_array().into_iter().flatten().map(|line| table.line_of(place, line));
            let lines: Vec<Line> = lines.collect();
            if let Some(list) = doc.list_mut(place) {
                *list = lines;
            }
        }
        let pushed: Vec<Origin> = doc.lists.iter().flatten().filter_map(|line| line.origin).collect();
        let text = |key: &str| row.get(key).and_then(Json::as_str).map(str::to_owned);
        self.put(Row { form, bill, doc, number: text("number"), name: text("name") });
        for origin in &pushed {
            let targets = self.links.entry((origin.rule, origin.bill)).or_default();
            if !targets.contains(&id) {
                targets.push(id);
            }
        }
        Some(pushed)
    }
}

impl Table {
    fn cells_of(&mut self, place: u8, json: &Json) -> Cells {
        let mut cells = Cells::default();
        for (path, value) in json.as_object().into_iter().flatten() {
            let Some((entity, key)) = path.split_once('.') else { continue };
            let entity = entity.parse().unwrap_or(place);
            let def = self.form().member(key, entity).map(|(def, _)| def).or_else(|| self.custom(key, entity));
            if let (Some(def), Some(cell)) = (def, cell_of(value)) {
                cells.set(def, cell);
            }
        }
        cells
    }

    fn line_of(&mut self, place: u8, json: &Json) -> Line {
        let n = |path: &str| json.pointer(path).and_then(Json::as_i64);
        let origin = n("/from/3").and_then(|rule| usize::try_from(rule).ok()).filter(|rule| *rule < RULES.len());
        let origin = origin.map(|rule| Origin {
            form: n("/from/0").unwrap_or_default() as usize,
            bill: n("/from/1").unwrap_or_default() as u32,
            line: n("/from/2").unwrap_or_default(),
            rule,
        });
        let cells = json.get("cells").map(|cells| self.cells_of(place, cells)).unwrap_or_default();
        Line { id: n("/id").unwrap_or_default(), cells, origin }
    }
}

/// Fields by key, the customer's own with their entity.
fn cells_json(table: &Table, cells: &Cells) -> Json {
    let named = cells.iter().filter_map(|(def, cell)| {
        let key = match table.form().fields.get(usize::from(def)) {
            Some(of) if def < CUSTOM => format!("{}.{}", of.entity, of.key),
            _ => table.custom_key(def).map(|(key, entity)| format!("{entity}.{key}"))?,
        };
        Some((key, cell_json(cell)))
    });
    Json::Object(named.collect::<Map<_, _>>())
}

fn lines_json(table: &Table, lines: &[Line]) -> Json {
    let line = |line: &Line| {
        let origin = line.origin.map(|of| json!([of.form, of.bill, of.line, of.rule]));
        json!({"id": line.id, "from": origin, "cells": cells_json(table, &line.cells)})
    };
    lines.iter().map(line).collect()
}

fn cell_json(cell: &Cell) -> Json {
    match cell {
        Cell::Null => Json::Null,
        Cell::Text(text) => json!({"text": text}),
        Cell::Dec(number) => json!({"dec": number.text()}),
        Cell::Int(number) => json!({"int": number}),
        Cell::Time(at) => json!({"time": at}),
        Cell::Flag(flag) => json!({"flag": flag}),
        Cell::Row(position) => json!({"row": position}),
        Cell::Named(number) => json!({"named": number}),
    }
}

fn cell_of(json: &Json) -> Option<Cell> {
    let Some((kind, value)) = json.as_object().and_then(|object| object.iter().next()) else {
        return json.is_null().then_some(Cell::Null);
    };
    Some(match kind.as_str() {
        "text" => Cell::Text(value.as_str()?.into()),
        "dec" => Cell::Dec(Dec::parse(value.as_str()?)?),
        "int" => Cell::Int(value.as_i64()?),
        "time" => Cell::Time(value.as_i64()?),
        "flag" => Cell::Flag(value.as_bool()?),
        "row" => Cell::Row(u32::try_from(value.as_u64()?).ok()?),
        "named" => Cell::Named(value.as_str()?.into()),
        _ => return None,
    })
}
