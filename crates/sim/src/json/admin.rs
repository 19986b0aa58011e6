//! `/admin` of a JSON system.
//!
//! Invariant: not part of the simulated protocol; nothing here counts as a call.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::refusal::json_reply;
use super::request::plain;
use super::rows::Row;
use super::{Caller, JsonWorld, preset};
use crate::admin::{argument, number};
use crate::body::Data;
use crate::data::Lock;
use crate::record::Line as _;
use crate::reply::{Reply, RequestParts};

/// Counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JsonStats {
    /// The system's clock, Unix milliseconds.
    pub now_ms: i64,
    /// Records by collection and status.
    pub records: BTreeMap<String, BTreeMap<String, u64>>,
    /// Calls by act.
    pub calls: BTreeMap<String, u64>,
    /// Records made or changed, by verb.
    pub applied: BTreeMap<String, u64>,
    /// Records refused, by verb.
    pub refused: BTreeMap<String, u64>,
    /// The most records that were made of any one key.
    pub most_made: u32,
    /// The most changes any one record has seen, by verb.
    pub most_changes: BTreeMap<String, u32>,
    /// The most calls that named any one record, by verb.
    pub most_calls: BTreeMap<String, u32>,
    /// Calls that came again under their token, and were answered as the first time.
    pub replayed: u64,
    /// Tokens that are good.
    pub tokens: usize,
    /// Tokens given for key and secret.
    pub tokens_given: u64,
    /// Tokens given for one of before.
    pub tokens_renewed: u64,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Lines in the record.
    pub record: usize,
}

impl JsonWorld {
    /// Counts of everything.
    pub fn stats(&self) -> JsonStats {
        let mut stats = JsonStats {
            now_ms: self.now_ms,
            calls: self.calls.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect(),
            most_made: self.keys.most(),
            most_changes: self.tally.most(|counts| counts.changed),
            most_calls: self.tally.most(|counts| counts.calls),
            replayed: self.replayed,
            tokens: self.tokens.live(self.now_ms),
            tokens_given: self.tokens.given.first().copied().unwrap_or_default(),
            tokens_renewed: self.tokens.given.last().copied().unwrap_or_default(),
            faults: self.faults.struck().clone(),
            record: self.record.len(),
            ..JsonStats::default()
        };
        for of in &self.collections {
            let counts = stats.records.entry(of.name.clone()).or_default();
            of.all().for_each(|row| *counts.entry(row.status.clone()).or_default() += 1);
        }
        [stats.applied, stats.refused] = self.record.counts();
        stats
    }

    pub(super) fn admin(&mut self, request: &RequestParts, now_ms: i64) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let body: Json = if request.body.iter().all(u8::is_ascii_whitespace) {
            json!({})
        } else {
            match serde_json::from_slice(&request.body) {
                Ok(body) => body,
                Err(e) => return refuse(400, &format!("body: {e}")),
            }
        };
        let post = request.method.eq_ignore_ascii_case("POST");
        let no_form = || "no such collection".to_owned();
        let answer = match (path.trim_end_matches('/'), post) {
            ("/admin" | "/admin/stats", false) => Ok(json!(self.stats())),
            ("/admin/record", false) => Ok(self.record.page(query)),
            ("/admin/counts", false) => self.tally.page(query, self).ok_or_else(no_form),
            ("/admin/keys", false) => self.keys.page(query, self).ok_or_else(no_form),
            ("/admin/bills", false) => self.rows_page(query).ok_or_else(no_form),
            ("/admin/settings", false) => Ok(json!(self.settings)),
            ("/admin/settings", true) => serde_json::from_value(body).map_err(|e| e.to_string()).map(|settings| {
                self.set_settings(settings);
                json!(self.settings)
            }),
            ("/admin/faults", false) => Ok(self.faults.page()),
            ("/admin/faults", true) => self.faults.ordered(&body, preset).map(|()| self.faults.page()),
            ("/admin/bill", true) => self.change(&body),
            ("/admin/sessions", true) => {
                self.tokens.forget_all();
                Ok(json!({"ok": true}))
            }
            ("/admin/clock", true) => {
                self.skew_ms = Data::from_json(&body).number("skew_ms");
                self.now_ms = now_ms + self.skew_ms;
                Ok(json!({"now_ms": self.now_ms, "skew_ms": self.skew_ms}))
            }
            ("/admin/reset", true) => {
                *self = Self::new(self.config.clone(), now_ms);
                Ok(json!({"ok": true}))
            }
            _ => return refuse(404, "see docs/simulator.md for the endpoints"),
        };
        match answer {
            Ok(answer) => json_reply(200, &answer),
            Err(what) => refuse(400, &what),
        }
    }

    /// `form`, `status`, `after` (id), `limit`.
    fn rows_page(&self, query: &str) -> Option<Json> {
        let of = self.collections.get(self.find(argument(query, "form").unwrap_or("orders"))?)?;
        let (status, after) = (argument(query, "status"), number(query, "after").unwrap_or(0));
        let most = number(query, "limit").unwrap_or(1_000) as usize;
        let rows = of.all().filter(|row| u64::from(row.id) > after && status.is_none_or(|s| s == row.status));
        let rows: Vec<Json> = rows.take(most).map(|row| json!({"id": row.id, "row": row.kept()})).collect();
        Some(json!({"form": of.name, "bills": rows}))
    }

    /// Changes one record as somebody else would: `form`, `id` or `number`, then any of `status`, `set` (fields and their
    /// values), `touch`, `delete`, `lock` (`user`, `seconds`), `unlock`; `insert` (fields) makes one.
    fn change(&mut self, body: &Json) -> Result<Json, String> {
        let data = Data::from_json(body);
        let form = data.text("form");
        let at = self.find(if form.is_empty() { "orders" } else { &form }).ok_or("no such collection")?;
        let id = if let Some(fields) = data.get("insert").and_then(Json::as_object) {
            self.inserted(at, fields.clone())
        } else {
            let one = if data.text("id").is_empty() { data.text("number") } else { data.text("id") };
            self.collections.get(at).and_then(|of| of.named(&one)).ok_or("no such record")?.id
        };
        let Some(row) = self.collections.get(at).and_then(|of| of.get(id)).cloned() else {
            return Err("no such record".to_owned());
        };
        self.change_lock(at, &row.key, &data);
        let (status, set) = (data.text("status"), data.get("set").and_then(Json::as_object));
        if !status.is_empty() || set.is_some() || data.flag("touch", false) {
            let mut other = row.clone();
            other.body.extend(set.cloned().unwrap_or_default());
            let status = if status.is_empty() { row.status.clone() } else { status };
            self.moved(super::record::OUTSIDE, at, &other, &status, &Caller::somebody());
        }
        if data.flag("delete", false) {
            self.unmade(at, id);
        }
        Ok(self.record.after(self.record.len() as u64 - 1, 1).first().map_or(row.kept(), super::Done::json))
    }

    fn change_lock(&mut self, at: usize, key: &str, data: &Data) {
        let key = (at, key.to_lowercase());
        if let Some(lock) = data.get("lock").map(Data::from_json) {
            let (user, seconds) = (lock.text("user"), lock.number("seconds"));
            let user = if user.is_empty() { "张伟".to_owned() } else { user };
            let until_ms = (seconds > 0).then(|| self.now_ms + seconds * 1000);
            self.locks.insert(key.clone(), Lock { user, until_ms, tries: None });
        }
        if data.flag("unlock", false) {
            self.locks.remove(&key);
        }
    }

    /// Somebody else makes a record.
    fn inserted(&mut self, at: usize, body: serde_json::Map<String, Json>) -> u32 {
        let Some(of) = self.collections.get_mut(at) else { return 0 };
        let (id, status) = (of.next_id(), of.settings.status.clone());
        let key = body.get(&of.settings.key).map(plain).unwrap_or_default();
        let row = Row {
            id,
            key,
            status: status.clone(),
            body,
            created_ms: self.now_ms,
            updated_ms: self.now_ms,
            seen_ms: self.now_ms,
            before: None,
            by: Caller::somebody().user,
        };
        of.put(row.clone());
        self.moved(super::record::OUTSIDE, at, &row, &status, &Caller::somebody());
        id
    }
}

fn refuse(status: u16, what: &str) -> Reply {
    json_reply(status, &json!({"error": what}))
}
