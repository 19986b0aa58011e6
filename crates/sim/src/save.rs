//! Save, BatchSave, Draft, View, QueryBusinessInfo: enough to create, change and look at bills.
//!
//! Invariant: only Z, A and D bills are changed; a save gives A, a draft gives Z.

use serde_json::{Map, Value as Json, json};

use super::body::Data;
use super::form::{self, Col, FORMS, Form};
use super::masters::Kind;
use super::operate::Caller;
use super::record::Applied;
use super::reply::{Refusal, failure, status_envelope};
use super::states::State;
use super::table::{Bill, NOBODY, Table};
use super::texts;
use super::value::{Value, parse_time};
use super::world::World;

impl World {
    /// Saves one model (`Save`, `Draft`) or several (`BatchSave`).
    pub(super) fn save(&mut self, verb: &'static str, form_id: &str, data: &Data, caller: Caller) -> Json {
        let Some(form) = form::find(form_id) else { return failure(&texts::no_form(form_id)) };
        let name = FORMS.get(form).map_or("", |f| f.name);
        if !self.config.users.get(caller.user).is_some_and(|u| u.may_write) {
            return failure(&texts::no_permission(name, "保存"));
        }
        let models = match data.get("Model") {
            Some(Json::Array(models)) => models.clone(),
            Some(model @ Json::Object(_)) => vec![model.clone()],
            _ => return failure(&texts::bad_parameter("Model")),
        };
        let (mut errors, mut done) = (Vec::new(), Vec::new());
        let mut code = 0;
        for (index, model) in models.iter().enumerate() {
            match self.save_one(verb, form, &Data::from_json(model), caller) {
                Ok(id) => done.push(json!({"Id": id, "Number": self.number(form, id), "DIndex": index})),
                Err(refusal) => {
                    code = refusal.code;
                    errors.push(json!({"FieldName": refusal.field, "Message": refusal.message, "DIndex": index}));
                }
            }
        }
        let mut reply = status_envelope(errors.is_empty(), &errors, &done, &[], if done.is_empty() { code } else { 0 });
        if let (Some(Json::Object(result)), Some(first)) = (reply.get_mut("Result"), done.first()) {
            result.insert("Id".to_owned(), first.get("Id").cloned().unwrap_or(Json::Null));
            result.insert("Number".to_owned(), first.get("Number").cloned().unwrap_or(Json::Null));
            result.insert("NeedReturnData".to_owned(), json!([{}]));
        }
        reply
    }

    fn save_one(&mut self, verb: &'static str, form: usize, model: &Data, caller: Caller) -> Result<u32, Refusal> {
        let now = self.local_seconds();
        let user = self.config.users.get(caller.user).map(|u| u.name.clone()).unwrap_or_default();
        let who = self.masters.position(Kind::User, &user).map_or(NOBODY, |p| p as u8);
        let table = self.tables.get(form).ok_or_else(|| texts::no_form(""))?;
        let def = table.form();
        let asked = def.fields.iter().find(|(_, col)| *col == Col::Id).map_or(0, |(key, _)| model.number(key));
        let old = if asked > 0 {
            Some(table.get(asked).cloned().ok_or_else(|| texts::no_id(&asked.to_string()))?)
        } else {
            None
        };
        let number = key_of(def, Col::Number).map(|key| model.text(key).trim().to_owned()).unwrap_or_default();
        if old.is_none() && !number.is_empty() && table.by_number(&number, &self.masters).is_some() {
            // invented: the text
            return Err(Refusal::new(11, format!("违反字段唯一性要求：编号唯一。{number}在当前系统中已经被使用。")));
        }
        let before = old.as_ref().map_or('-', |b| char::from(b.status));
        if let Some(old) = &old {
            if !self.may_touch(caller.user, old) {
                return Err(texts::no_permission(def.name, "修改"));
            }
            if !matches!(old.status, b'Z' | b'A' | b'D') {
                let number = table.number(old, &self.masters).into_owned();
                return Err(texts::wrong_status(&number, def.name, "只有暂存、创建和重新审核的数据才允许修改"));
            }
        }
        let status = match (verb, &old) {
            ("Draft", None) => b'Z',
            (_, Some(old)) if verb == "Draft" || old.status == b'D' => old.status,
            _ => b'A',
        };
        let mut bill = old.clone().unwrap_or_else(|| unwritten(table.next_id(), form, who, now));
        bill.status = status;
        bill.modified = now;
        bill.modifier = who;
        self.fill(def, model, &mut bill)?;
        let id = bill.id;
        if let Some(table) = self.tables.get_mut(form) {
            store(table, bill, old.is_some(), &number);
        }
        self.note(Applied {
            seq: 0,
            at_ms: self.now_ms,
            call: caller.call,
            verb,
            form,
            id,
            number: self.number(form, id).into(),
            state: State::Document,
            before,
            after: char::from(status),
            user: user.into(),
            refused: None,
        });
        Ok(id)
    }

    /// Takes the members of a model that the form has columns for; others are ignored.
    fn fill(&self, def: &Form, model: &Data, bill: &mut Bill) -> Result<(), Refusal> {
        for (key, col) in def.fields {
            let Some(given) = model.get(key) else { continue };
            let base = |kind: Kind| {
                let number = Data::from_json(given).text("FNumber");
                let number = if number.is_empty() { model.text(key) } else { number };
                self.masters.position(kind, &number).ok_or_else(|| texts::no_number(&number))
            };
            match col {
                Col::Date => {
                    let text = model.text(key);
                    bill.date = parse_time(&text).ok_or_else(|| texts::bad_parameter(&text))?;
                }
                Col::Note => bill.note = Some(model.text(key).into()),
                Col::Org => bill.org = base(Kind::Org)? as u8,
                Col::StockOrg => bill.stock_org = base(Kind::Org)? as u8,
                Col::BillType => bill.kind = base(Kind::BillType)? as u8,
                Col::Partner => bill.partner = base(def.partner)? as u16,
                _ => {}
            }
        }
        Ok(())
    }

    /// View: the bill as an object, property names without the leading `F`, base data as objects.
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
        self.members(table, bill, None, &mut object);
        if !table.form().base_data {
            let lines = (1..=table.entry_count(bill)).map(|seq| {
                let entry = table.entry(bill, seq);
                let mut line = Map::new();
                line.insert("Id".to_owned(), json!(entry.id));
                line.insert("Seq".to_owned(), json!(entry.seq));
                self.members(table, bill, Some(entry), &mut line);
                Json::Object(line)
            });
            object.insert(table.form().entry.to_owned(), lines.collect());
        }
        json!({"Result": {"ResponseStatus": null, "Result": object}})
    }

    fn members(&self, table: &Table, bill: &Bill, entry: Option<super::table::Entry>, out: &mut Map<String, Json>) {
        for (key, col) in table.form().fields {
            if col.is_entry() != entry.is_some() || matches!(col, Col::Id | Col::EntryId | Col::EntrySeq) {
                continue;
            }
            let name = key.strip_prefix('F').unwrap_or(key);
            let cell = |prop: &str| {
                let path = if prop.is_empty() { (*key).to_owned() } else { format!("{key}.{prop}") };
                table.form().field(&path).map_or(Json::Null, |f| to_json(&table.value(bill, entry, f, &self.masters)))
            };
            if col.base().is_none() {
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

fn key_of(form: &Form, wanted: Col) -> Option<&'static str> {
    form.fields.iter().find(|(_, col)| *col == wanted).map(|(key, _)| *key)
}

/// A bill that nobody has filled in yet, made now by a user.
fn unwritten(id: u32, form: usize, who: u8, now: i64) -> Bill {
    Bill {
        id,
        status: b'A',
        kind: (form * 2) as u8,
        org: 0,
        stock_org: 0,
        partner: 0,
        creator: who,
        modifier: who,
        approver: NOBODY,
        marks: 0,
        date: now - now.rem_euclid(86_400),
        created: now,
        modified: now,
        approved: 0,
        note: None,
    }
}

fn store(table: &mut Table, bill: Bill, exists: bool, number: &str) {
    if !exists {
        table.push(bill, (!number.is_empty()).then_some(number));
    } else if let Some(slot) = table.get_mut(i64::from(bill.id)) {
        *slot = bill;
    }
}

fn to_json(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int(n) => json!(n),
        Value::Num(n) => json!(n),
        Value::Text(text) => json!(text),
        Value::Time(t) => json!(super::value::time_text(*t)),
    }
}

/// QueryBusinessInfo: the form's fields. Far less than the real answer, in its outline.
pub(super) fn business_info(form_id: &str) -> Json {
    let Some(form) = form::find(form_id).and_then(|i| FORMS.get(i)) else { return failure(&texts::no_form(form_id)) };
    let fields = |entry: bool| -> Vec<Json> {
        let keys = form.fields.iter().filter(|(_, col)| col.is_entry() == entry);
        keys.map(|(key, _)| json!({"Key": key, "Name": [{"Key": 2052, "Value": key}]})).collect()
    };
    json!({"Result": {
        "ResponseStatus": {"IsSuccess": true, "Errors": [], "SuccessEntitys": [], "SuccessMessages": [], "MsgCode": 0},
        "NeedReturnData": {
            "Id": form.id, "Name": [{"Key": 2052, "Value": form.name}], "PkFieldName": "FID",
            "Entrys": [
                {"Key": "FBillHead", "Fields": fields(false)},
                {"Key": form.entry, "Fields": fields(true)},
            ],
        },
    }})
}
