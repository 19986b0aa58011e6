//! Records are made and moved on.
//!
//! Invariant: each record of a call is taken or refused on its own, and the record says which.

use serde_json::{Map, Value as Json, json};

use super::record::{Done, OUTSIDE};
use super::refusal::No;
use super::request::{Asked, Step, plain};
use super::rows::Row;
use super::settings::{Duplicates, Echo};
use super::{Caller, JsonWorld};

/// What the next record of a call is.
#[derive(Debug)]
struct Item {
    key: String,
    body: Map<String, Json>,
}

impl JsonWorld {
    /// Makes the records a call carries.
    pub(super) fn create(&mut self, at: usize, asked: &Asked, caller: &Caller) -> Result<Json, No> {
        let (items, is_list) = asked.items()?;
        if items.len() > self.settings.max_items {
            return Err(No::bad(format!("一次最多 {} 条", self.settings.max_items)));
        }
        let taken = if caller.half { items.len().div_ceil(2).min(items.len().saturating_sub(1)) } else { items.len() };
        if !is_list {
            let item = items.into_iter().next().ok_or_else(|| No::bad("请求体为空"))?;
            if taken == 0 {
                return Ok(Json::Null);
            }
            let id = self.create_one(at, item.clone(), caller)?;
            return Ok(self.echo(at, id, &item));
        }
        let mut list = Vec::new();
        for (index, item) in items.into_iter().take(taken).enumerate() {
            let key = self.key_of(at, &item);
            let mut line = match self.create_one(at, item.clone(), caller) {
                Ok(id) => match self.echo(at, id, &item) {
                    Json::Object(map) => map,
                    _ => Map::new(),
                },
                Err(no) => {
                    let name = self.collections.get(at).map(|of| of.settings.key.clone()).unwrap_or_default();
                    Map::from_iter([
                        (name, json!(key)),
                        ("code".to_owned(), json!(no.code)),
                        ("msg".to_owned(), json!(no.msg)),
                    ])
                }
            };
            line.insert("index".to_owned(), json!(index));
            line.entry("code").or_insert(json!(0));
            list.push(Json::Object(line));
        }
        Ok(json!({"list": list}))
    }

    fn create_one(&mut self, at: usize, body: Map<String, Json>, caller: &Caller) -> Result<u32, No> {
        let item = Item { key: self.key_of(at, &body), body };
        let key = item.key.clone();
        match self.made(at, item, caller) {
            Ok(id) => Ok(id),
            Err(no) => {
                self.keys.outcome(at, &key, false);
                let line = self.line("create", at, 0, &key, ("-", "-"), caller);
                self.record.push(Done { refused: Some(no.msg.clone()), ..line });
                Err(no)
            }
        }
    }

    fn made(&mut self, at: usize, item: Item, caller: &Caller) -> Result<u32, No> {
        let of = self.collections.get(at).ok_or_else(|| No::absent("collection"))?;
        let settings = &of.settings;
        for name in settings.required.iter().flatten() {
            if item.body.get(name).map(plain).unwrap_or_default().trim().is_empty() {
                return Err(No::bad(format!("字段“{name}”是必填项")));
            }
        }
        for (field, other) in settings.refers.iter().flatten() {
            let Some(value) = item.body.get(field).map(plain).filter(|value| !value.is_empty()) else { continue };
            let there = self.find(other).and_then(|at| self.collections.get(at));
            if there.is_some_and(|of| of.with_key(&value).is_empty()) {
                return Err(No::bad(format!("字段“{field}”：“{value}”不存在")));
            }
        }
        if caller.stale {
            return Err(No::stale(&item.key));
        }
        self.unlocked(at, &item.key)?;
        let known = if item.key.is_empty() { None } else { of.with_key(&item.key).first().copied() };
        match (known, settings.duplicates) {
            (Some(_), Duplicates::Refuse) => return Err(No::taken(&item.key)),
            (Some(id), Duplicates::Same) => return Ok(id),
            (Some(_), Duplicates::Accept) | (None, _) => {}
        }
        if self.collections.iter().map(|of| of.bytes).sum::<usize>() > self.settings.max_mb << 20 {
            return Err(No::new(50_700, "存储空间不足"));
        }
        let (id, status) = (of.next_id(), settings.status.clone());
        if caller.hollow {
            return Ok(id);
        }
        let row = Row {
            id,
            key: item.key.clone(),
            status: status.clone(),
            body: item.body,
            created_ms: self.now_ms,
            updated_ms: self.now_ms,
            seen_ms: self.now_ms + self.settings.visible_ms,
            before: None,
            by: caller.user.clone(),
        };
        self.put(at, row);
        self.keys.outcome(at, &item.key, true);
        let line = self.line("create", at, id, &item.key, ("-", &status), caller);
        self.record.push(line);
        Ok(id)
    }

    /// What the answer tells of a record that was made.
    fn echo(&self, at: usize, id: u32, item: &Map<String, Json>) -> Json {
        let Some(of) = self.collections.get(at) else { return Json::Null };
        let name = &of.settings.key;
        match self.settings.echo {
            Echo::Nothing => Json::Null,
            Echo::Id => json!({"id": id}),
            Echo::Key => json!({"id": id, name: item.get(name)}),
            Echo::Whole => {
                let mut whole = item.clone();
                whole.insert("id".to_owned(), json!(id));
                whole.insert("status".to_owned(), json!(of.settings.status));
                Json::Object(whole)
            }
        }
    }

    /// The key of a record that is sent.
    pub(super) fn key_of(&self, at: usize, item: &Map<String, Json>) -> String {
        let key = self.collections.get(at).and_then(|of| item.get(&of.settings.key));
        key.map(plain).unwrap_or_default().trim().to_owned()
    }

    /// Moves a record on.
    pub(super) fn step(&mut self, at: usize, step: Step, one: &str, caller: &Caller) -> Result<Json, No> {
        let named = self.collections.get(at).and_then(|of| of.named(one)).cloned();
        let Some(row) = named else { return Err(No::absent(one)) };
        let key_name = self.collections.get(at).map(|of| of.settings.key.clone()).unwrap_or_default();
        let done = self.may_step(at, step, &row, caller);
        if let Err(no) = done {
            self.tally.outcome(step.name(), at, row.id, false);
            let line = self.line(step.name(), at, row.id, &row.key, (&row.status, &row.status), caller);
            self.record.push(Done { refused: Some(no.msg.clone()), ..line });
            return Err(no);
        }
        if !caller.hollow && !caller.half {
            self.tally.outcome(step.name(), at, row.id, true);
            self.moved(step.name(), at, &row, step.to(), caller);
        }
        Ok(json!({"id": row.id, key_name: row.key, "status": step.to()}))
    }

    fn may_step(&self, at: usize, step: Step, row: &Row, caller: &Caller) -> Result<(), No> {
        self.unlocked(at, &row.key)?;
        if caller.stale {
            return Err(No::stale(&row.key));
        }
        if row.status == step.to() {
            return Err(No::new(40_910, format!("“{}”已是 {}", row.key, step.to())));
        }
        if !step.from().contains(&row.status.as_str()) {
            return Err(No::new(40_911, format!("“{}”状态为 {}，不能 {}", row.key, row.status, step.name())));
        }
        Ok(())
    }

    /// Puts a status on a record and writes it down.
    pub(super) fn moved(&mut self, verb: &'static str, at: usize, row: &Row, status: &str, caller: &Caller) {
        let after = Row {
            status: status.to_owned(),
            updated_ms: self.now_ms,
            seen_ms: self.now_ms + self.settings.visible_ms,
            before: Some((row.status.clone(), row.updated_ms)),
            ..row.clone()
        };
        let before = row.status.clone();
        self.put(at, after);
        let line = self.line(verb, at, row.id, &row.key, (&before, status), caller);
        self.record.push(line);
    }

    /// Somebody else changes a record, and nothing that a client sent.
    pub(super) fn touch(&mut self, at: usize, id: u32) {
        let Some(row) = self.collections.get(at).and_then(|of| of.get(id)).cloned() else { return };
        let status = row.status.clone();
        self.moved(OUTSIDE, at, &row, &status, &Caller::somebody());
    }

    /// Somebody else deletes a record.
    pub(super) fn unmade(&mut self, at: usize, id: u32) {
        let gone = self.collections.get_mut(at).and_then(|of| of.remove(id));
        if let Some(row) = gone {
            let line = self.line(OUTSIDE, at, id, &row.key, (&row.status, "-"), &Caller::somebody());
            self.record.push(line);
        }
    }

    /// Somebody else takes back a step.
    pub(super) fn undone(&mut self, at: usize, id: u32, step: Step) {
        let Some(row) = self.collections.get(at).and_then(|of| of.get(id)).cloned() else { return };
        let back = step.from().first().copied().unwrap_or("open");
        if row.status == step.to() {
            self.moved(OUTSIDE, at, &row, back, &Caller::somebody());
        }
    }

    fn put(&mut self, at: usize, row: Row) {
        if let Some(of) = self.collections.get_mut(at) {
            of.put(row);
        }
    }

    /// A line of the record; with the record as it is.
    fn line(
        &self,
        verb: &'static str,
        at: usize,
        id: u32,
        key: &str,
        (before, after): (&str, &str),
        caller: &Caller,
    ) -> Done {
        let of = self.collections.get(at);
        Done {
            seq: 0,
            at_ms: self.now_ms,
            call: caller.call,
            verb,
            form: of.map(|of| of.name.clone()).unwrap_or_default(),
            id,
            number: key.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
            user: caller.user.clone(),
            refused: None,
            row: of.and_then(|of| of.get(id)).map(Row::kept),
        }
    }
}
