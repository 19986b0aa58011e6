//! The records of a collection, and what of them can be read at a time.
//!
//! Invariant: every record that is not deleted stands in the order of its last change and under its key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value as Json, json};

use super::request::plain;
use super::settings::CollectionSettings;
use crate::data::SERVER_OFFSET_S;
use crate::value::time_text;

/// Fields that the system keeps itself; a client's are left out.
const OWN: [&str; 5] = ["id", "status", "created_at", "updated_at", "created_by"];

/// Fields that lists can be filtered by, at most.
const MOST_FIELDS: usize = 1_000;

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Internal id.
    pub id: u32,
    /// What the client chose.
    pub key: String,
    /// Where it stands.
    pub status: String,
    /// What was sent.
    pub body: Map<String, Json>,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds.
    pub updated_ms: i64,
    /// Before this time, reads show [`Row::before`].
    pub seen_ms: i64,
    /// Status and time of the change before; `None`: it was not there.
    pub before: Option<(String, i64)>,
    /// Who made it.
    pub by: String,
}

impl Row {
    /// Status and time of the last change as reads at this time show them; `None`: it is not to be seen yet.
    fn seen(&self, now_ms: i64) -> Option<(&str, i64)> {
        if self.seen_ms <= now_ms {
            return Some((&self.status, self.updated_ms));
        }
        self.before.as_ref().map(|(status, at)| (status.as_str(), *at))
    }

    /// As reads show it; `None`: not to be seen yet.
    pub fn shown(&self, now_ms: i64) -> Option<Json> {
        let (status, updated_ms) = self.seen(now_ms)?;
        let mut map = Map::new();
        map.insert("id".to_owned(), json!(self.id));
        map.extend(self.body.clone());
        map.insert("status".to_owned(), json!(status));
        map.insert("created_at".to_owned(), json!(moment(self.created_ms)));
        map.insert("updated_at".to_owned(), json!(moment(updated_ms)));
        map.insert("created_by".to_owned(), json!(self.by));
        Some(Json::Object(map))
    }

    /// As the record file keeps it.
    pub fn kept(&self) -> Json {
        json!({"key": self.key, "status": self.status, "body": self.body, "created_ms": self.created_ms,
            "updated_ms": self.updated_ms, "seen_ms": self.seen_ms, "by": self.by})
    }

    /// From the record file. What was to be seen later by then is to be seen.
    pub fn from_kept(id: u32, row: &Json) -> Option<Self> {
        let text = |name: &str| row.get(name).and_then(Json::as_str).map(str::to_owned);
        let whole = |name: &str| row.get(name).and_then(Json::as_i64);
        Some(Self {
            id,
            key: text("key")?,
            status: text("status")?,
            body: row.get("body")?.as_object()?.clone(),
            created_ms: whole("created_ms")?,
            updated_ms: whole("updated_ms")?,
            seen_ms: whole("seen_ms")?,
            before: None,
            by: text("by")?,
        })
    }
}

/// A time as answers write it, of UTC+8.
pub fn moment(ms: i64) -> String {
    time_text(ms.div_euclid(1000) + SERVER_OFFSET_S).replace('T', " ")
}

/// A collection.
#[derive(Debug)]
pub struct Collection {
    /// Its name.
    pub name: String,
    /// What it decides.
    pub settings: CollectionSettings,
    rows: BTreeMap<u32, Row>,
    by_key: HashMap<String, Vec<u32>>,
    by_change: BTreeSet<(i64, u32)>,
    next_id: u32,
    /// Top-level fields that records have had: lists can be filtered by them.
    fields: BTreeSet<String>,
    /// What the records take, about.
    pub bytes: usize,
}

impl Collection {
    /// An empty one, whose ids begin at `first`.
    pub fn new(name: String, settings: CollectionSettings, first: u32) -> Self {
        Self {
            name,
            settings,
            rows: BTreeMap::new(),
            by_key: HashMap::new(),
            by_change: BTreeSet::new(),
            next_id: first,
            fields: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// The id the next record gets.
    pub fn next_id(&self) -> u32 {
        self.next_id
    }

    /// A record by id.
    pub fn get(&self, id: u32) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// Every record, in the order of ids.
    pub fn all(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// The ids of a key.
    pub fn with_key(&self, key: &str) -> &[u32] {
        self.by_key.get(&key.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// A record that a path names, by id or by key.
    pub fn named(&self, one: &str) -> Option<&Row> {
        let by_id = one.parse().ok().and_then(|id| self.rows.get(&id));
        by_id.or_else(|| self.with_key(one).first().and_then(|id| self.rows.get(id)))
    }

    /// Puts a record in, or another in its place.
    pub fn put(&mut self, mut row: Row) {
        row.body.retain(|name, _| !OWN.contains(&name.as_str()));
        self.remove(row.id);
        self.next_id = self.next_id.max(row.id + 1);
        self.by_change.insert((row.updated_ms, row.id));
        self.by_key.entry(row.key.to_lowercase()).or_default().push(row.id);
        for name in row.body.keys() {
            if self.fields.len() < MOST_FIELDS && !self.fields.contains(name) {
                self.fields.insert(name.clone());
            }
        }
        self.bytes += size(&row);
        self.rows.insert(row.id, row);
    }

    /// Takes a record out.
    pub fn remove(&mut self, id: u32) -> Option<Row> {
        let row = self.rows.remove(&id)?;
        self.by_change.remove(&(row.updated_ms, id));
        if let Some(ids) = self.by_key.get_mut(&row.key.to_lowercase()) {
            ids.retain(|known| *known != id);
        }
        self.bytes = self.bytes.saturating_sub(size(&row));
        Some(row)
    }

    /// Whether lists can be filtered by a field.
    pub fn has(&self, field: &str) -> bool {
        field == "status" || field == self.settings.key || self.fields.contains(field)
    }

    /// The records of the order of changes that a read at this time sees, oldest change first, after `after`.
    pub fn seen(&self, now_ms: i64, after: Option<(i64, u32)>) -> impl DoubleEndedIterator<Item = &Row> {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let rows = self.by_change.range((from, std::ops::Bound::Unbounded));
        rows.filter_map(|(_, id)| self.rows.get(id)).filter(move |row| row.seen(now_ms).is_some())
    }
}

/// Whether a record has a value in a field, as text.
pub fn has_value(row: &Row, key: &str, field: &str, wanted: &str) -> bool {
    match field {
        "status" => row.status == wanted,
        _ if field == key => row.key.eq_ignore_ascii_case(wanted),
        _ => row.body.get(field).is_some_and(|value| plain(value) == wanted),
    }
}

/// About what a record takes.
fn size(row: &Row) -> usize {
    fn of(value: &Json) -> usize {
        match value {
            Json::String(text) => text.len() + 32,
            Json::Array(list) => 32 + list.iter().map(of).sum::<usize>(),
            Json::Object(map) => 64 + map.iter().map(|(name, value)| name.len() + 48 + of(value)).sum::<usize>(),
            _ => 32,
        }
    }
    256 + row.body.iter().map(|(name, value)| name.len() + 48 + of(value)).sum::<usize>()
}
