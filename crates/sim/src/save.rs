//! Save, BatchSave and Draft (docs/design/wire.md#saving): create bills and base data, change those that are not submitted.
//!
//! Invariant: every model is its own transaction; only Z, A and D bills are changed; a save gives A, a draft gives Z.

use serde_json::{Map, Value as Json, json};

use super::body::Data;
use super::convert::missing;
use super::doc::Doc;
use super::form::{self, Col, FORMS, Form};
use super::kind::Kind;
use super::masters::Master;
use super::model::{Filler, Options, materialised, text};
use super::operate::{Caller, Operation, Ordered};
use super::record::Applied;
use super::reply::{Refusal, failure, status_envelope};
use super::settings::{FormSettings, Numbering};
use super::state::State;
use super::table::{Bill, NO_PARTNER, NOBODY};
use super::texts;
use super::world::World;

/// A row to be written, with its document. Without a number it keeps the one it has, or has the next; a blank one is none.
#[derive(Debug)]
pub(super) struct Row {
    /// Position of its form.
    pub form: usize,
    /// Its columns.
    pub bill: Bill,
    /// The rest.
    pub doc: Doc,
    /// Its number.
    pub number: Option<String>,
    /// Name of a row of base data.
    pub name: Option<String>,
}

/// A saving call.
#[derive(Debug)]
pub(super) struct Saving {
    verb: &'static str,
    form: usize,
    def: &'static Form,
    options: Options,
    settings: FormSettings,
    /// Submit and audit go with it.
    on: bool,
    data: Data,
    caller: Caller,
}

impl World {
    /// Saves one model (`Save`, `Draft`) or several (`BatchSave`).
    pub(super) fn save(&mut self, verb: &'static str, form_id: &str, data: &Data, caller: Caller) -> Json {
        match self.try_save(verb, (form_id, data), caller) {
            Ok(json) => json,
            Err(refusal) => failure(&refusal),
        }
    }

    fn try_save(
        &mut self,
        verb: &'static str,
        (form_id, data): (&str, &Data),
        caller: Caller,
    ) -> Result<Json, Refusal> {
        let form = form::find(form_id).ok_or_else(|| texts::no_form(form_id))?;
        let def = FORMS.get(form).ok_or_else(|| texts::no_form(form_id))?;
        if !self.config.users.get(caller.user).is_some_and(|u| u.may_write) {
            return Err(texts::no_permission(&def.name, "保存"));
        }
        let mut models = models(data)?;
        if models.len() > self.config.settings.max_models {
            return Err(texts::too_many_models(self.config.settings.max_models));
        }
        let packet = super::made::digest(&format!("{verb}{form}{}", data.text("Model")));
        if data.flag("ValidateRepeatJson", false) && self.is_repeated(packet) {
            return Err(texts::repeated());
        }
        if caller.half {
            models.truncate(models.len().div_ceil(2));
        }
        let options = Options {
            delete_missing: data.flag("IsDeleteEntry", true),
            verify: data.flag("IsVerifyBaseDataField", false),
            validate: data.flag("ValidateFlag", true),
            by_number: data.flag("NumberSearch", true),
            adjust: data.flag("IsAutoAdjustField", false),
            only: data.list("NeedUpDateFields"),
            max_lines: self.config.settings.max_lines,
        };
        let settings = self.config.settings.of(&def.id);
        let on = verb != "Draft" && data.flag("IsAutoSubmitAndAudit", false);
        let call = Saving { verb, form, def, options, settings, on, data: data.clone(), caller };
        let (mut errors, mut done, mut returned, mut said) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut code = 0;
        for (index, model) in threads(&models, data.number("BatchCount")) {
            let saved = self.save_one(&call, model);
            match saved.and_then(|id| self.carried_on(&call, id).map(|beside| (id, beside))) {
                Ok((id, beside)) => {
                    let beside = beside.into_iter();
                    said.extend(beside.map(|text| json!({"FieldName": null, "Message": text, "DIndex": index})));
                    done.push(json!({"Id": id, "Number": self.number(form, id), "DIndex": index}));
                    returned.push(self.returned(form, id, &data.list("NeedReturnFields")));
                }
                Err(refusals) => errors.extend(refusals.iter().map(|refusal| {
                    code = refusal.code;
                    json!({"FieldName": refusal.field, "Message": refusal.message, "DIndex": index})
                })),
            }
        }
        if !done.is_empty() {
            self.remember(packet);
        }
        let mut reply = status_envelope(&errors, &done, &said, if done.is_empty() { code } else { 0 });
        if let (Some(Json::Object(result)), Some(first)) = (reply.get_mut("Result"), done.first()) {
            if verb != "BatchSave" {
                result.insert("Id".to_owned(), first.get("Id").cloned().unwrap_or(Json::Null));
                result.insert("Number".to_owned(), first.get("Number").cloned().unwrap_or(Json::Null));
            }
            result.insert("NeedReturnData".to_owned(), json!(returned));
        }
        Ok(reply)
    }

    /// One model, recorded whether saved or refused.
    fn save_one(&mut self, call: &Saving, model: &Map<String, Json>) -> Result<u32, Vec<Refusal>> {
        let key = self.key_of(call.form, &Json::Object(model.clone()));
        let saved = self.saved(call, model);
        let refused = match &saved {
            // Nothing is recorded: nothing happened.
            Ok(_) if call.caller.hollow => return saved.map(|(id, _)| id),
            Ok((_, before)) if *before != '-' => None,
            Ok(_) => {
                self.keys.outcome(call.form, &key, true);
                None
            }
            Err(refusals) => {
                self.keys.outcome(call.form, &key, false);
                Some(refusals.iter().map(|refusal| refusal.message.as_str()).collect::<Vec<_>>().join(" "))
            }
        };
        let (id, before) = *saved.as_ref().unwrap_or(&(0, '-'));
        let number = if id == 0 { key } else { self.number(call.form, id) };
        let user = self.config.users.get(call.caller.user).map(|u| u.name.clone()).unwrap_or_default();
        self.note(Applied {
            seq: 0,
            at_ms: self.now_ms,
            call: call.caller.call,
            verb: call.verb,
            form: call.form,
            id,
            number: number.into(),
            state: State::Document,
            before,
            after: if id == 0 { before } else { char::from(self.letter(call.form, id, State::Document)) },
            user: user.into(),
            refused: refused.map(Into::into),
        });
        saved.map(|(id, _)| id)
    }

    /// The id and the status before of what a model was saved as.
    fn saved(&mut self, call: &Saving, model: &Map<String, Json>) -> Result<(u32, char), Vec<Refusal>> {
        let old = self.old(call, model).map_err(one)?;
        let now = self.local_seconds();
        let user = self.config.users.get(call.caller.user).map(|u| u.name.clone()).unwrap_or_default();
        let who = self.masters.position(Kind::User, &user).map_or(NOBODY, |p| p as u8);
        let limit = self.config.settings.max_mb << 20;
        if self.tables.iter().map(super::table::Table::doc_bytes).sum::<usize>() >= limit {
            return Err(one(texts::full()));
        }
        let masters = &self.masters;
        let table = self.tables.get_mut(call.form).ok_or_else(|| one(texts::no_form("")))?;
        let mut bill = old.clone().unwrap_or_else(|| unwritten(table.next_id(), call.form, who, now));
        let doc = match &old {
            Some(old) => table.doc(old.id).cloned().unwrap_or_else(|| materialised(table, old, masters)),
            None => Doc::empty(call.def.entities.len()),
        };
        (bill.modified, bill.modifier) = (now, who);
        bill.status = match &old {
            Some(old) if call.verb == "Draft" || old.status == b'D' => old.status,
            None if call.verb == "Draft" => b'Z',
            _ => b'A',
        };
        let update = old.is_some();
        let mut filler = Filler { table, masters, options: &call.options, bill, doc, name: None, update };
        filler.fill(model).map_err(one)?;
        let Filler { bill, doc, name, .. } = filler;
        let named = update || name.as_ref().is_some_and(|name| !name.trim().is_empty());
        Self::checked(call, (&bill, &doc), named)?;
        let number = self.numbered(call, model, &bill).map_err(one)?;
        let before = old.map_or('-', |old| char::from(old.status));
        if call.caller.hollow {
            return Ok((bill.id, before));
        }
        let id = bill.id;
        self.put(Row { form: call.form, bill, doc, number, name });
        Ok((id, before))
    }

    /// The bill a model changes; `None` for a new one.
    fn old(&self, call: &Saving, model: &Map<String, Json>) -> Result<Option<Bill>, Refusal> {
        let given = Data::from_json(&Json::Object(model.clone()));
        let ids = call.def.fields.iter().filter(|def| def.col == Col::Id);
        let Some(id) = ids.map(|def| given.number(&def.key)).find(|id| *id > 0) else { return Ok(None) };
        let table = self.tables.get(call.form).ok_or_else(|| texts::no_form(""))?;
        let old = table.get(id).ok_or_else(|| texts::no_id(&id.to_string()))?;
        if !self.may_touch(call.caller.user, old) {
            return Err(texts::no_permission(&call.def.name, "修改"));
        }
        let number = table.number(old, &self.masters);
        if call.caller.stale {
            return Err(texts::stale(&number, &call.def.name));
        }
        if !matches!(old.status, b'Z' | b'A' | b'D') {
            return Err(texts::wrong_status(&number, &call.def.name, "只有暂存、创建和重新审核的数据才允许修改"));
        }
        let lock = self.troubles.get(&(call.form, old.id)).and_then(|trouble| trouble.lock.as_ref());
        match lock.filter(|lock| lock.until_ms.is_none_or(|until| self.now_ms < until) && lock.tries != Some(0)) {
            Some(lock) => Err(texts::locked(&lock.user, &call.def.name)),
            None => Ok(Some(old.clone())),
        }
    }

    /// Required fields, each with a refusal of its own. Drafts need none.
    fn checked(call: &Saving, (bill, doc): (&Bill, &Doc), named: bool) -> Result<(), Vec<Refusal>> {
        if call.verb == "Draft" || !call.options.validate || !call.settings.required {
            return Ok(());
        }
        let missing = missing(call.def, bill, doc, named);
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }

    /// The number a bill gets: `None` keeps the one it has, a blank one is none.
    fn numbered(&self, call: &Saving, model: &Map<String, Json>, bill: &Bill) -> Result<Option<String>, Refusal> {
        let key = call.def.key_of(Col::Number).unwrap_or_default();
        let sent = Data::from_json(&Json::Object(model.clone())).get(key).map(text).unwrap_or_default();
        let sent = sent.trim().to_owned();
        let table = self.tables.get(call.form).ok_or_else(|| texts::no_form(""))?;
        let update = table.ever(bill.id).is_some();
        let has = if update { table.number(bill, &self.masters).into_owned() } else { String::new() };
        if call.verb == "Draft" && has.is_empty() {
            return Ok(Some(String::new()));
        }
        let next = || Some(free(call, bill, || table.free_number(&self.masters)));
        let names =
            |wanted: Col| call.def.key_of(wanted).is_some_and(|key| model.keys().any(|k| k.eq_ignore_ascii_case(key)));
        let adjusted = call.options.adjust
            && call.settings.adjust_renumbers
            && !update
            && (names(Col::Org) || names(Col::BillType));
        if key.is_empty() {
            return Ok(if update { None } else { next() });
        }
        match call.settings.numbering {
            _ if update && (sent.is_empty() || sent == has) && !has.is_empty() => return Ok(None),
            Numbering::Replace => return Ok(if has.is_empty() { next() } else { None }),
            Numbering::Honour if sent.is_empty() || adjusted => return Ok(next()),
            Numbering::Sent if sent.is_empty() => return Err(texts::required(key, "单据编号", None)),
            _ => {}
        }
        let taken = table.by_number(&sent, &self.masters).is_some_and(|id| id != bill.id);
        if taken && call.settings.unique && call.options.validate {
            return Err(texts::not_unique(key, &sent));
        }
        Ok(Some(sent))
    }

    /// Writes a bill with its document; base data joins its list.
    pub(super) fn put(&mut self, row: Row) {
        let Row { form, mut bill, doc, number, name } = row;
        let (Some(def), Some(table)) = (FORMS.get(form), self.tables.get(form)) else { return };
        let (id, update, number) = (bill.id, table.ever(bill.id).is_some(), number.as_deref());
        if def.base_data && update {
            if let (Some(row), Some(name)) = (self.masters.get_mut(def.partner, bill.partner as usize), name) {
                row.name = name;
            }
        } else if def.base_data {
            let number = number.unwrap_or_default().to_owned();
            let row = Master { id: i64::from(id), number, name: name.unwrap_or_default(), code: String::new() };
            bill.partner = self.masters.push(def.partner, row) as u32;
        }
        let Some(table) = self.tables.get_mut(form) else { return };
        if update {
            if let Some(slot) = table.get_mut(i64::from(id)) {
                *slot = bill;
            }
            if let Some(number) = number.filter(|_| !def.base_data) {
                table.give(id, number);
            }
        } else {
            table.push(bill, number.filter(|_| !def.base_data));
        }
        table.keep(id, doc);
    }

    /// Submit and audit of a bill that was just saved, where the call asks for them.
    fn carried_on(&mut self, call: &Saving, id: u32) -> Result<Vec<String>, Vec<Refusal>> {
        let mut said = Vec::new();
        if !call.on || call.caller.hollow {
            return Ok(said);
        }
        // The bill stays saved whatever comes of these; the answer does not tell which step refused.
        for operation in [Operation::Submit, Operation::Audit] {
            let ordered = Ordered { operation, data: &call.data, caller: call.caller };
            let side = self.apply(ordered, call.form, id).map_err(one)?;
            said.extend(side);
        }
        Ok(said)
    }

    /// The fields a call wants back: `FBillNo`, `FEntity.FEntryID`.
    fn returned(&self, form: usize, id: u32, wanted: &[String]) -> Json {
        let mut object = Map::new();
        let Some(table) = self.tables.get(form) else { return Json::Object(object) };
        let Some(bill) = table.get(i64::from(id)) else { return Json::Object(object) };
        let cell = |path: &str, at| {
            table.field(path).map(|field| super::view::to_json(&table.value(bill, at, field, &self.masters)))
        };
        for path in wanted {
            let entity = path.split_once('.').and_then(|(entity, key)| Some((table.form().entity(entity)?, key)));
            let Some(((place, entity), key)) = entity else {
                object.extend(cell(path, None).map(|value| (path.clone(), value)));
                continue;
            };
            let inner = match key.to_ascii_lowercase().as_str() {
                "fentryid" | "fseq" => format!("{}_{key}", entity.key),
                _ => key.to_owned(),
            };
            let lines = object.entry(entity.key.clone()).or_insert_with(|| json!([]));
            let Json::Array(lines) = lines else { continue };
            for at in 0..table.line_count(bill, place) {
                if lines.len() <= at {
                    lines.push(json!({}));
                }
                let value = cell(&inner, Some(table.line(bill, place, at)));
                if let (Some(Json::Object(line)), Some(value)) = (lines.get_mut(at), value) {
                    line.insert(key.to_owned(), value);
                }
            }
        }
        Json::Object(object)
    }
}

/// The models of a call, each an object; a text of one is read too.
pub(super) fn models(data: &Data) -> Result<Vec<Map<String, Json>>, Refusal> {
    let bad = || texts::bad_parameter("Model");
    let read;
    let model = match data.get("Model") {
        Some(Json::String(text)) => {
            read = serde_json::from_str::<Json>(text).map_err(|_| bad())?;
            &read
        }
        Some(model) => model,
        None => return Err(bad()),
    };
    match model {
        Json::Object(model) => Ok(vec![model.clone()]),
        Json::Array(list) => list.iter().map(|model| model.as_object().cloned().ok_or_else(bad)).collect(),
        _ => Err(bad()),
    }
}

/// The models in the order they are saved, each with the index its answer has. With several threads every thread counts its own,
/// and the answers come one of each in turn.
fn threads(models: &[Map<String, Json>], count: i64) -> Vec<(usize, &Map<String, Json>)> {
    let count = usize::try_from(count).unwrap_or(0).clamp(1, 32);
    let share = models.len().div_ceil(count).max(1);
    // invented: how threads divide a batch, and that each counts from 0
    let mut order: Vec<(usize, usize, &Map<String, Json>)> = models
        .chunks(share)
        .enumerate()
        .flat_map(|(thread, part)| part.iter().enumerate().map(move |(index, model)| (index, thread, model)))
        .collect();
    order.sort_by_key(|(index, thread, _)| (*index, std::cmp::Reverse(*thread)));
    order.into_iter().map(|(index, _, model)| (index, model)).collect()
}

fn free(call: &Saving, bill: &Bill, next: impl Fn() -> String) -> String {
    if call.def.base_data { bill.id.to_string() } else { next() }
}

fn one(refusal: Refusal) -> Vec<Refusal> {
    vec![refusal]
}

/// A bill that nobody has filled in yet, made now by a user.
pub(super) fn unwritten(id: u32, form: usize, who: u8, now: i64) -> Bill {
    Bill {
        id,
        status: b'A',
        kind: (form * 2) as u8,
        org: 0,
        stock_org: 0,
        partner: NO_PARTNER,
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
