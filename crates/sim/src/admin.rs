//! `/admin`: what tests and people ask the simulator about itself, in JSON.
//!
//! Invariant: not part of the simulated protocol; nothing here counts as a call.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::body::Data;
use super::config::WorldConfig;
use super::data::Lock;
use super::faults::FaultPlan;
use super::form::{self, FORMS};
use super::reply::{Reply, RequestParts};
use super::state::State;
use super::states::Moved;
use super::table::{Bill, DELETED, status_text};
use super::value::{parse_time, time_text};
use super::world::{World, form_id};

/// Counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// The server's clock, Unix milliseconds.
    pub now_ms: i64,
    /// Bills by form and status.
    pub bills: BTreeMap<String, BTreeMap<String, u64>>,
    /// Calls by service.
    pub calls: BTreeMap<String, u64>,
    /// Bills changed, by verb.
    pub applied: BTreeMap<String, u64>,
    /// Bills refused, by verb.
    pub refused: BTreeMap<String, u64>,
    /// The most audits any one bill has seen. More than 1 without an un-audit in between is impossible here.
    pub max_audits_per_bill: u32,
    /// The most changes any one bill has seen, by verb.
    pub most_changes: BTreeMap<String, u32>,
    /// The most bills that were made of any one key.
    pub most_made: u32,
    /// The most calls that named any one bill, by verb.
    pub most_calls: BTreeMap<String, u32>,
    /// Closed bills by form.
    pub closed: BTreeMap<String, u64>,
    /// Forbidden rows by form.
    pub forbidden: BTreeMap<String, u64>,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Live sessions.
    pub sessions: usize,
    /// Lines in the record.
    pub record: usize,
}

/// The states of a bill, as requests and answers here name them.
const STATES: [(&str, State); 3] =
    [("status", State::Document), ("close_status", State::Close), ("forbid_status", State::Forbid)];

impl World {
    /// Counts of everything.
    pub fn stats(&self) -> Stats {
        let most_changes = self.tally.most(|counts| counts.changed);
        let mut stats = Stats {
            now_ms: self.now_ms,
            calls: self.calls.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect(),
            max_audits_per_bill: most_changes.get("Audit").copied().unwrap_or(0),
            most_changes,
            most_made: self.keys.most(),
            most_calls: self.tally.most(|counts| counts.calls),
            faults: self.faults.struck().clone(),
            sessions: self.sessions.live(),
            record: self.record.len(),
            ..Stats::default()
        };
        for table in &self.tables {
            let form = table.form();
            let counts = stats.bills.entry(form.id.clone()).or_default();
            let mut marked = [(State::Close, 0), (State::Forbid, 0)];
            for bill in table.rows().iter().filter(|bill| bill.status != DELETED) {
                *counts.entry(status_text(bill.status).to_owned()).or_default() += 1;
                for (state, n) in &mut marked {
                    *n += u64::from(bill.letter(*state) == b'B');
                }
            }
            for ((state, n), list) in marked.into_iter().zip([&mut stats.closed, &mut stats.forbidden]) {
                if form.has(state) {
                    list.insert(form.id.clone(), n);
                }
            }
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
        let answer = match (path.trim_end_matches('/'), post) {
            ("/admin" | "/admin/stats", false) => json!(self.stats()),
            ("/admin/record", false) => self.record.page(query),
            ("/admin/counts", false) => match self.tally.page(query, self) {
                Some(page) => page,
                None => return refuse(404, "no such form"),
            },
            ("/admin/keys", false) => match self.keys.page(query, self) {
                Some(page) => page,
                None => return refuse(404, "no such form"),
            },
            ("/admin/bills", false) => match self.bills_page(query) {
                Some(page) => page,
                None => return refuse(404, "no such form"),
            },
            ("/admin/settings", false) => json!(self.config.settings),
            ("/admin/settings", true) => match serde_json::from_value(body) {
                Ok(settings) => {
                    self.set_settings(settings);
                    json!(self.config.settings)
                }
                Err(e) => return refuse(400, &e.to_string()),
            },
            ("/admin/faults", false) => self.faults.page(),
            ("/admin/faults", true) => match self.faults.ordered(&body, FaultPlan::preset) {
                Ok(()) => self.faults.page(),
                Err(e) => return refuse(400, &e),
            },
            ("/admin/bill", true) => match self.change_bill(&body) {
                Ok(bill) => bill,
                Err(e) => return refuse(400, &e),
            },
            ("/admin/sessions", true) => {
                self.sessions.forget_all();
                json!({"ok": true})
            }
            ("/admin/clock", true) => {
                self.skew_ms = Data::from_json(&body).number("skew_ms");
                self.now_ms = now_ms + self.skew_ms;
                json!({"now_ms": self.now_ms, "skew_ms": self.skew_ms})
            }
            ("/admin/reset", true) => {
                let config: WorldConfig = self.config.clone();
                *self = Self::new(config, now_ms);
                json!({"ok": true})
            }
            _ => return refuse(404, "see docs/simulator.md for the endpoints"),
        };
        Reply::bytes(200, "application/json; charset=utf-8", answer.to_string())
    }

    /// `form`, `status`, `close_status`, `forbid_status`, `after` (id), `limit`.
    fn bills_page(&self, query: &str) -> Option<Json> {
        let form = form::find(argument(query, "form").unwrap_or("SAL_OUTSTOCK"))?;
        let table = self.tables.get(form)?;
        let wanted = STATES.map(|(name, state)| (state, argument(query, name)));
        let fits = |bill: &Bill| {
            wanted.iter().all(|(state, letter)| letter.is_none_or(|letter| letter == status_text(bill.letter(*state))))
        };
        let after = number(query, "after").unwrap_or(0);
        let from = table.lower_bound(i64::try_from(after).unwrap_or(i64::MAX).saturating_add(1));
        let rows = table.rows().get(from..).unwrap_or(&[]).iter();
        let bills: Vec<Json> = rows
            .filter(|bill| bill.status != DELETED && fits(bill))
            .take(number(query, "limit").unwrap_or(1_000) as usize)
            .map(|bill| self.bill_json(form, bill.id))
            .collect();
        Some(json!({"form": form_id(form), "bills": bills}))
    }

    fn bill_json(&self, form: usize, id: u32) -> Json {
        let Some(bill) = self.tables.get(form).and_then(|t| t.get(i64::from(id))) else {
            return json!({"form": form_id(form), "id": id, "status": "-"});
        };
        let mut json = json!({
            "form": form_id(form), "id": id, "number": self.number(form, id),
            "date": time_text(bill.date), "created": time_text(bill.created), "modified": time_text(bill.modified),
            "approved": (bill.approved != 0).then(|| time_text(bill.approved)), "note": bill.note.as_deref(),
            "audits": self.tally.of("Audit", form, id).changed, "counts": self.bill_counts(form, id),
        });
        for (name, state) in
            STATES.into_iter().filter(|(_, state)| FORMS.get(form).is_some_and(|form| form.has(*state)))
        {
            if let Some(json) = json.as_object_mut() {
                json.insert(name.to_owned(), json!(status_text(bill.letter(state))));
            }
        }
        if let (Some(trouble), Some(json)) = (self.troubles.get(&(form, id)), json.as_object_mut()) {
            let lock = trouble.lock.as_ref();
            json.insert(
                "trouble".to_owned(),
                json!({
                    "interaction": trouble.interaction, "closed": trouble.closed, "workflow": trouble.workflow,
                    "shortage": trouble.shortage, "credit": trouble.credit, "slow_ms": trouble.slow_ms,
                    "lock": lock.map(|l| json!({"user": l.user, "until_ms": l.until_ms, "tries": l.tries})),
                }),
            );
        }
        json
    }

    /// Changes one bill as somebody else would: `form`, `id` or `number`, then any of `status`, `close_status`, `forbid_status`,
    /// `as`, `note`, `date`, `delete`, `interaction`, `closed`, `workflow`, `shortage`, `credit`, `slow_ms`, `lock` (`user`, `seconds`, `tries`), `unlock`.
    /// `entered` gives a deleted bill (by `id`) a second life, created at that time: a transaction committed late.
    fn change_bill(&mut self, body: &Json) -> Result<Json, String> {
        let data = Data::from_json(body);
        let wanted = data.text("form");
        let form = form::find(if wanted.is_empty() { "SAL_OUTSTOCK" } else { &wanted }).ok_or("no such form")?;
        if let Some(entered) = data.get("entered") {
            let created = entered.as_str().and_then(parse_time).ok_or("entered")?;
            let now = self.local_seconds();
            let table = self.tables.get_mut(form).ok_or("no such form")?;
            if !table.enter_anew(data.number("id"), created, now) {
                return Err("only a deleted bill can be entered anew, by its id".to_owned());
            }
        }
        let table = self.tables.get(form).ok_or("no such form")?;
        let id = match data.number("id") {
            0 => table.by_number(&data.text("number"), &self.masters),
            id => table.get(id).map(|bill| bill.id),
        };
        let id = id.ok_or("no such bill")?;
        let who = match data.text("as").as_str() {
            "" => "王芳".to_owned(),
            name => name.to_owned(),
        };
        if let Some(date) = data.get("date") {
            let date = date.as_str().and_then(parse_time).ok_or("date")?;
            if let Some(bill) = self.tables.get_mut(form).and_then(|t| t.get_mut(i64::from(id))) {
                bill.date = date;
            }
        }
        if let Some(note) = data.get("note").and_then(Json::as_str) {
            let at = self.local_seconds();
            if let Some(bill) = self.tables.get_mut(form).and_then(|t| t.get_mut(i64::from(id))) {
                bill.note = Some(note.into());
                bill.modified = at;
            }
        }
        self.change_trouble(form, id, &data);
        for (name, state) in STATES {
            let text = data.text(name);
            let letters: &[u8] = if state == State::Document { b"ZABCD" } else { b"AB" };
            match text.as_bytes() {
                [] => {}
                [letter] if letters.contains(letter) && FORMS.get(form).is_some_and(|form| form.has(state)) => {
                    self.outside(form, id, Moved { state, to: *letter, by: &who });
                }
                _ => return Err(format!("unknown {name} {text:?}")),
            }
        }
        if data.flag("delete", false) {
            self.outside(form, id, Moved { state: State::Document, to: DELETED, by: &who });
        }
        Ok(self.bill_json(form, id))
    }

    fn change_trouble(&mut self, form: usize, id: u32, data: &Data) {
        let names = ["interaction", "closed", "workflow", "shortage", "credit", "slow_ms", "lock", "unlock"];
        if names.iter().all(|name| data.get(name).is_none()) {
            return;
        }
        let now_ms = self.now_ms;
        let trouble = self.troubles.entry((form, id)).or_default();
        trouble.interaction = data.flag("interaction", trouble.interaction);
        trouble.closed = data.flag("closed", trouble.closed);
        trouble.workflow = data.flag("workflow", trouble.workflow);
        trouble.shortage = data.flag("shortage", trouble.shortage);
        trouble.credit = data.flag("credit", trouble.credit);
        if data.get("slow_ms").is_some() {
            trouble.slow_ms = u32::try_from(data.number("slow_ms")).unwrap_or(0);
        }
        if let Some(lock) = data.get("lock") {
            let lock = Data::from_json(lock);
            let user = lock.text("user");
            let seconds = lock.number("seconds");
            let tries = u32::try_from(lock.number("tries")).ok().filter(|tries| *tries > 0);
            trouble.lock = Some(Lock {
                user: if user.is_empty() { "张伟".to_owned() } else { user },
                until_ms: (seconds > 0).then(|| now_ms + seconds * 1000),
                tries,
            });
        }
        if data.flag("unlock", false) {
            trouble.lock = None;
        }
    }
}

/// A parameter of a query.
pub fn argument<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name).map(|(_, value)| value)
}

/// A parameter of a query that is a number.
pub fn number(query: &str, name: &str) -> Option<u64> {
    argument(query, name)?.parse().ok()
}

fn refuse(status: u16, what: &str) -> Reply {
    let forms: Vec<&str> = FORMS.iter().map(|form| form.id.as_str()).collect();
    Reply::bytes(status, "application/json; charset=utf-8", json!({"error": what, "forms": forms}).to_string())
}
