//! Looking for a record by its key: the one read that comes before a call, after a refusal and when an answer was lost.
//!
//! Invariant: nothing is called absent unless the system said so, or showed all it has and that stood still meanwhile; an answer
//! about a record that was not asked for is a fault, because whoever does not hear the question has not answered it.

use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;

use skydeck_core::domain::bill::{Found, Rev, Status};
use skydeck_core::domain::sending::{KEY_HOLE, Names, Search, Sending};
use skydeck_engine::ports::{Fault, FaultKind, KeyLook, KeyRow};
use skydeck_kingdee::transport::CallKind;

use super::answer::Asking;
use super::client::HttpErp;
use super::judge::{is_key, made};
use super::outgoing::{Holes, asks};
use super::said::excerpt;
use super::tree::{One, one};

/// Looks at one key each that are under way at the same time.
const AT_ONCE: usize = 4;
/// How often a list of several pages is read at most, until it is the same twice.
const LISTINGS: usize = 5;

/// What a list of pages showed.
struct Listing {
    rows: Vec<Value>,
    /// Its first page was empty: nothing can have moved meanwhile.
    is_whole: bool,
}

impl HttpErp {
    pub(super) async fn by_key(&self, look: &KeyLook<'_>, keys: &[String]) -> Result<Vec<KeyRow>, Fault> {
        let Some(sending) = look.sending else {
            return Err(self.fault(FaultKind::Config, "look", "the plan does not say how a record is found here"));
        };
        let mut found = Vec::new();
        if sending.look.pages.is_some() && !asks(&sending.look.request, KEY_HOLE) {
            let all = self.all_pages(sending, "").await?;
            for row in &all {
                if !matches!(one(row, &sending.look.names.key), One::Value(_)) {
                    return Err(self.stranger(row, &sending.look, "a page"));
                }
            }
            for key in keys {
                found.extend(all.iter().filter_map(|row| key_row(row, &sending.look, look, key)));
            }
            return Ok(found);
        }
        // Each key by itself, a few at once; in the order asked, so that a fault is the same one each time.
        let asked = keys.iter().cloned().map(|key| self.one_key(sending, key));
        let mut answers = stream::iter(asked).buffered(AT_ONCE);
        while let Some((key, all)) = answers.next().await {
            for row in &all? {
                match key_row(row, &sending.look, look, &key) {
                    Some(row) => found.push(row),
                    None => return Err(self.stranger(row, &sending.look, &key)),
                }
            }
        }
        Ok(found)
    }

    /// What is there under one key.
    async fn one_key(&self, sending: &Sending, key: String) -> (String, Result<Vec<Value>, Fault>) {
        let rows = if sending.look.pages.is_some() {
            self.all_pages(sending, &key).await
        } else {
            self.page(sending, Holes { key: &key, ..Holes::default() }).await
        };
        (key, rows)
    }

    /// A row that has no key, or another one than was asked for.
    fn stranger(&self, row: &Value, search: &Search, asked: &str) -> Fault {
        let why = match one(row, &search.names.key) {
            One::Value(other) => format!("asked for {asked}, the system answered about {}", excerpt(&other)),
            One::None | One::Unclear => {
                format!(
                    "asked for {asked}, the system shows a record with nothing, or several values, at {}",
                    search.names.key
                )
            }
        };
        self.fault(FaultKind::Unreadable, "look", &why)
    }

    /// Every record that the pages of a look show. Pages move while they are read: a record that is touched, made or deleted
    /// meanwhile lets another slip over an edge that was read already. So several pages count when they were read twice with the
    /// same records, each of them once.
    async fn all_pages(&self, sending: &Sending, key: &str) -> Result<Vec<Value>, Fault> {
        let mut before = None;
        for _ in 0..LISTINGS {
            let Listing { rows, is_whole } = self.listing(sending, key).await?;
            if is_whole {
                return Ok(rows);
            }
            let mut names: Vec<String> = rows.iter().map(|row| identity(row, &sending.look.names)).collect();
            names.sort_unstable();
            let each_once = names.windows(2).all(|two| two.first() != two.last());
            if each_once && before.as_ref() == Some(&names) {
                return Ok(rows);
            }
            before = each_once.then_some(names);
        }
        let why = format!(
            "read {LISTINGS} times, the pages never showed the same records twice, each of them once: what is not among them may be there"
        );
        Err(self.fault(FaultKind::Unreadable, "look", &why))
    }

    /// The pages of a look, read once.
    async fn listing(&self, sending: &Sending, key: &str) -> Result<Listing, Fault> {
        let Some(pages) = &sending.look.pages else { return Ok(Listing { rows: Vec::new(), is_whole: true }) };
        let mut all = Vec::new();
        let mut was_full = false;
        // One page more than there may be: that it is empty shows that the others were all.
        for n in 0..=pages.most {
            let page = Some(pages.first.saturating_add(n));
            let rows = self.page(sending, Holes { key, page, ..Holes::default() }).await?;
            let is_full = rows.len() >= pages.size as usize;
            // A system may cut pages shorter than is asked for, without a word: until one was full, only an empty one is the last.
            if rows.is_empty() || (was_full && !is_full && n < pages.most) {
                let is_whole = all.is_empty() && rows.is_empty();
                all.extend(rows);
                return Ok(Listing { rows: all, is_whole });
            }
            was_full |= is_full;
            all.extend(rows);
        }
        let why = format!(
            "{} pages of {} records, and more follow: what is not among them may be there",
            pages.most, pages.size
        );
        Err(self.fault(FaultKind::TooLarge, "look", &why))
    }

    /// The records that one request shows.
    async fn page(&self, sending: &Sending, holes: Holes<'_>) -> Result<Vec<Value>, Fault> {
        let search = &sending.look;
        let asking = Asking {
            what: "look",
            request: &search.request,
            ok: &search.ok,
            said: sending.said.as_deref(),
            absent: &search.absent,
            absent_status: &search.absent_status,
            kind: if search.pages.is_some() { CallKind::Read } else { CallKind::Status },
        };
        match self.answer(&asking, holes).await? {
            Some(tree) => self.records(&asking, &tree, &search.names.rows),
            None => Ok(Vec::new()),
        }
    }
}

/// What tells a record of a page from every other.
fn identity(row: &Value, names: &Names) -> String {
    let of = |path: &String| match one(row, path) {
        One::Value(value) => value,
        One::None | One::Unclear => String::new(),
    };
    match &names.id {
        Some(id) => format!("{} {}", of(id), of(&names.key)),
        None => row.to_string(),
    }
}

/// A record as it was found by a key; `None` where it has another one.
fn key_row(row: &Value, search: &Search, look: &KeyLook<'_>, asked: &str) -> Option<KeyRow> {
    let One::Value(key) = one(row, &search.names.key) else { return None };
    if !is_key(&key, asked) {
        return None;
    }
    let (fid, no) = made(row, &search.names, &key);
    let field = |path: &String| {
        let value = match one(row, &dotted(path)) {
            One::Value(value) => value,
            One::None | One::Unclear => String::new(),
        };
        (path.clone(), value)
    };
    let found = Found {
        fid,
        no,
        rev: Rev::new(Status::Other(String::new()), None),
        approver: None,
        approved: None,
        marked: None,
        columns: Vec::new(),
        fields: look.fields.iter().map(field).collect(),
        probe: None,
        absent: false,
        outside: false,
        will: None,
        body: None,
        looked: None,
        lines: Vec::new(),
    };
    Some(KeyRow { key, found, lines: Vec::new() })
}

/// Names with dots as a path.
fn dotted(path: &str) -> String {
    format!("$.{path}")
}
