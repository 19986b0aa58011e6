//! View and QueryBusinessInfo: a whole bill as an object, and what a form is made of.
//!
//! Invariant: property names are the field keys without their leading `F`, base data are objects.

use serde_json::{Map, Value as Json, json};

use super::body::Data;
use super::form::{self, CUSTOM, Col, FORMS, FieldDef, Form, Type};
use super::reply::failure;
use super::table::{At, Bill, Table};
use super::texts;
use super::value::Value;
use super::world::World;

impl World {
    /// View: the bill with its entries.
    pub(super) fn view(&self, form_id: &str, data: &Data, user: usize) -> Json {
        let Some(table) = form::find(form_id).and_then(|i| self.tables.get(i)) else {
            return failure(&texts::no_form(form_id));
        };
        let (id, number) = (data.text("Id"), data.text("Number"));
        let found = match (id.trim(), number.trim()) {
            ("" | "0", "") => return failure(&texts::nothing_given()),
            ("" | "0", number) => table.by_number(number, &self.masters).and_then(|id| table.get(i64::from(id))),
            (id, _) => id.parse().ok().and_then(|id| table.get(id)),
        };
        let Some(bill) = found.filter(|bill| self.may_touch(user, bill)) else {
            return failure(&if number.trim().is_empty() { texts::no_id(&id) } else { texts::no_number(&number) });
        };
        let mut object = Map::new();
        object.insert("Id".to_owned(), json!(bill.id));
        object.insert("FFormId".to_owned(), json!(table.form().id));
        self.members(table, bill, 0, None, &mut object);
        for (place, entity) in (1..).zip(&table.form().entities) {
            if entity.one {
                let mut part = Map::new();
                self.members(table, bill, place, None, &mut part);
                object.insert(entity.key.clone(), json!([part]));
                continue;
            }
            let lines = (0..table.line_count(bill, place)).filter_map(|at| {
                let line = table.line(bill, place, at);
                let mut object = Map::new();
                let (id, seq) = match line {
                    At::Made(entry) => (entry.id, entry.seq),
                    At::Saved(line, seq) => (line.id, seq),
                    At::Empty => return None,
                };
                object.insert("Id".to_owned(), json!(id));
                object.insert("Seq".to_owned(), json!(seq));
                self.members(table, bill, place, Some(line), &mut object);
                Some(Json::Object(object))
            });
            object.insert(entity.key.clone(), lines.collect());
        }
        json!({"Result": {"ResponseStatus": null, "Result": object}})
    }

    /// The fields of one entity of a bill, the customer's own among them.
    fn members(&self, table: &Table, bill: &Bill, place: u8, at: Option<At<'_>>, out: &mut Map<String, Json>) {
        let own: Vec<(&str, bool)> = (CUSTOM..)
            .map_while(|def| table.custom_key(def))
            .filter(|(_, entity)| *entity == place)
            .map(|(key, _)| (key, false))
            .collect();
        let fields = table.form().fields.iter().filter(|def| def.entity == place);
        let fields = fields.filter(|def| !matches!(def.col, Col::Id | Col::EntryId | Col::EntrySeq));
        let fields = fields.map(|def| (def.key.as_str(), matches!(def.ty, Type::Base(_))));
        for (key, base) in fields.chain(own) {
            let name = key.strip_prefix('F').unwrap_or(key);
            let cell = |prop: &str| {
                let path = if prop.is_empty() { key.to_owned() } else { format!("{key}.{prop}") };
                table.field(&path).map_or(Json::Null, |f| to_json(&table.value(bill, at, f, &self.masters)))
            };
            if !base {
                out.insert(name.to_owned(), cell(""));
                continue;
            }
            out.insert(format!("{name}_Id"), cell(""));
            let number = cell("FNumber");
            let object = if number.is_null() {
                Json::Null
            } else {
                json!({"Id": cell(""), "Number": number, "Name": [{"Key": 2052, "Value": cell("FName")}]})
            };
            out.insert(name.to_owned(), object);
        }
    }
}

pub(super) fn to_json(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int(n) => json!(n),
        Value::Num(n) => json!(n),
        // A float where it says the same, a text where it would not.
        Value::Dec(n) => {
            let text = n.text();
            match text.parse::<f64>() {
                Ok(float) if super::dec::Dec::of(float) == *n => json!(float),
                _ => json!(text),
            }
        }
        Value::Flag(flag) => json!(flag),
        Value::Text(text) => json!(text),
        Value::Time(t) => json!(super::value::time_text(*t)),
    }
}

/// QueryBusinessInfo: the form's fields with their types, by entity. Far less than the real answer, in its outline.
pub(super) fn business_info(form_id: &str) -> Json {
    let Some(form) = form::find(form_id).and_then(|i| FORMS.get(i)) else { return failure(&texts::no_form(form_id)) };
    let name = |name: &str| json!([{"Key": 2052, "Value": name}]);
    let fields = |place: u8| -> Vec<Json> {
        form.fields.iter().filter(|def| def.entity == place).map(|def| field_info(def, &name)).collect()
    };
    // invented: names of types and what stands beside the key and the name of a field
    let mut entities =
        vec![json!({"Key": "FBillHead", "Name": name("单据头"), "EntityType": "HeadEntity", "Fields": fields(0)})];
    for (place, entity) in (1..).zip(&form.entities) {
        let kind = if entity.one { "SubHeadEntity" } else { "EntryEntity" };
        entities.push(json!({
            "Key": entity.key, "EntryName": entity.key, "Name": name(&entity.name), "EntityType": kind,
            "EntryPkFieldName": if entity.one { "" } else { "FEntryID" }, "Fields": fields(place),
        }));
    }
    json!({"Result": {
        "ResponseStatus": {"IsSuccess": true, "Errors": [], "SuccessEntitys": [], "SuccessMessages": [], "MsgCode": 0},
        "NeedReturnData": {
            "Id": form.id, "Name": name(&form.name), "PkFieldName": form.key_of(Col::Id).unwrap_or("FID"),
            "PkFieldType": "INT", "ElementType": if form.base_data { 400 } else { 100 },
            "Operations": operations(form), "Entrys": entities,
        },
    }})
}

fn field_info(def: &FieldDef, name: &dyn Fn(&str) -> Json) -> Json {
    let property = def.key.strip_prefix('F').unwrap_or(&def.key);
    let (kind, list) = match def.ty {
        Type::Text => ("Text", None),
        Type::Decimal => ("Decimal", None),
        Type::Int => ("Integer", None),
        Type::Date => ("DateTime", None),
        Type::Flag => ("CheckBox", None),
        Type::Base(kind) => ("BaseData", Some(form_of(kind).unwrap_or_default())),
    };
    json!({
        "Key": def.key, "Name": name(&def.name), "PropertyName": property, "FieldType": kind,
        "MustInput": i32::from(def.must), "LookUpObjectFormId": list,
    })
}

/// The form whose rows a list is.
fn form_of(kind: super::kind::Kind) -> Option<&'static str> {
    FORMS.iter().find(|form| form.base_data && form.partner == kind).map(|form| form.id.as_str())
}

fn operations(form: &Form) -> Json {
    let names =
        ["Save", "Draft", "Submit", "Audit", "UnAudit", "CancelAssign", "Delete", "BillClose", "Forbid", "Enable"];
    let has = |name: &&str| match *name {
        "BillClose" => form.has(super::state::State::Close),
        "Forbid" | "Enable" => form.has(super::state::State::Forbid),
        _ => form.has(super::state::State::Document),
    };
    names.iter().filter(|name| has(name)).map(|name| json!({"OperationNumber": name})).collect()
}
