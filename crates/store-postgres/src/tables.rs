//! The index's entries as they stand in the tables: one of them, or a stretch.
//!
//! Invariant: an entry says what the table says; what a question brings along beside its answer is kept only until the next
//! question begins.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use skydeck_core::domain::ids::{Fid, RunId};
use skydeck_store::StoreError;
use skydeck_store::index::key::{self, Dict, Key, read_fid, read_text};
use skydeck_store::index::write_batch::applied_key;
use tokio_postgres::Row;
use ulid::Ulid;

use crate::io::{Io, Value};
use crate::span::{number, small};

/// Numbers of runs and names kept at hand; they never change.
const NUMBERS: usize = 8192;

thread_local! {
    /// What questions brought along, for whoever reads on this thread: a list names bills, and the bills come with it.
    static ALONG: RefCell<HashMap<Vec<u8>, Option<Vec<u8>>>> = RefCell::default();
}

/// The tables as the index reads them.
pub struct Tables {
    io: Arc<Io>,
    numbers: RwLock<HashMap<Vec<u8>, Vec<u8>>>,
}

/// An entry that came along: what stands there, or that nothing does.
pub(crate) struct Brought(pub Option<Vec<u8>>);

/// A column of a row.
pub(crate) fn column<'r, T: tokio_postgres::types::FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|e| StoreError::Read(format!("a row of the store's database: {e}")))
}

/// Text as a column takes it: the database holds no NUL.
pub(crate) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl Tables {
    /// Over a connection.
    pub(crate) fn new(io: Arc<Io>) -> Self {
        Self { io, numbers: RwLock::default() }
    }

    /// A question begins: what was brought along for the one before is of another moment.
    pub fn begin() {
        ALONG.with_borrow_mut(HashMap::clear);
    }

    /// What came along of an entry.
    pub(crate) fn brought(key: &[u8]) -> Option<Brought> {
        ALONG.with_borrow(|along| along.get(key).cloned().map(Brought))
    }

    /// Keeps an entry that came along.
    pub(crate) fn bring(key: Vec<u8>, value: Option<Vec<u8>>) {
        ALONG.with_borrow_mut(|along| along.insert(key, value));
    }

    /// Rows of a question.
    pub(crate) fn rows(&self, sql: impl Into<String>, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.io.rows(sql.into(), values).map_err(StoreError::from)
    }

    fn one(&self, sql: &str, values: Vec<Value>) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows(sql, values)?.first().map(|row| column(row, 0)).transpose()
    }

    fn known_number(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.numbers.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn note_number(&self, key: &[u8], value: &[u8]) {
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        if numbers.len() >= NUMBERS {
            numbers.clear();
        }
        numbers.insert(key.to_vec(), value.to_vec());
    }

    /// A number that was given once and never changes.
    fn number(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(known) = self.known_number(key) {
            return Ok(Some(known));
        }
        let found = match key.first() {
            Some(&key::RUN_ID) => self.run_no(key)?,
            _ => self.name_no(key)?,
        };
        if let Some(found) = &found {
            self.note_number(key, found);
        }
        Ok(found)
    }

    fn run_no(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(id) = key.get(1..).and_then(|id| <[u8; 16]>::try_from(id).ok()) else { return Ok(None) };
        let id = RunId(Ulid::from_bytes(id)).to_string();
        let sql =
            "select r.no, h.rec, r.live from skydeck.run r join skydeck.run_head h on h.no = r.no where r.id = $1";
        let rows = self.rows(sql, vec![Box::new(id)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let no: i32 = column(row, 0)?;
        Self::bring(run_key(no), Some(column(row, 1)?));
        Self::bring(live_key(no), Some(column(row, 2)?));
        Ok(Some(no.to_be_bytes().to_vec()))
    }

    fn name_no(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let text = String::from_utf8_lossy(key.get(2..).unwrap_or_default()).into_owned();
        let no = |row: &Row| column::<i32>(row, 0).map(name_bytes);
        let rows = match key.get(1) {
            Some(&kind) if kind == Dict::Plan as u8 => {
                self.rows("select no from skydeck.plan where name = $1", vec![Box::new(plain(&text))])?
            }
            Some(&kind) if kind == Dict::Env as u8 => {
                self.rows("select no from skydeck.env where name = $1", vec![Box::new(plain(&text))])?
            }
            _ => {
                let (env, form, op) = family_parts(&text);
                let values: Vec<Value> = vec![Box::new(plain(env)), Box::new(plain(form)), Box::new(plain(op))];
                self.rows("select no from skydeck.family where env = $1 and form = $2 and op = $3", values)?
            }
        };
        rows.first().map(no).transpose()
    }

    /// What is kept of a run, both parts at once.
    fn run(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let no = number(key, 1)?;
        let sql = "select h.rec, r.live from skydeck.run r join skydeck.run_head h on h.no = r.no where r.no = $1";
        let rows = self.rows(sql, vec![Box::new(no)])?;
        let (head, live) = match rows.first() {
            Some(row) => (Some(column(row, 0)?), Some(column(row, 1)?)),
            None => (None, None),
        };
        let wanted = if key.first() == Some(&key::RUN) { &head } else { &live }.clone();
        Self::bring(run_key(no), head);
        Self::bring(live_key(no), live);
        Ok(wanted)
    }

    /// A bill over all runs, and its rows in the runs that found and changed it last.
    fn known(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let (family, fk) = (small(key, 1)?, key.get(3..).unwrap_or_default().to_vec());
        let sql = "select b.rec, b.found_run, f.rec, b.changed_run, c.rec from skydeck.bill b \
                   left join skydeck.bill_row f on f.run = b.found_run and f.fk = b.fk \
                   left join skydeck.bill_row c on c.run = b.changed_run and c.fk = b.fk \
                   where b.family = $1 and b.fk = $2";
        let rows = self.rows(sql, vec![Box::new(family), Box::new(fk.clone())])?;
        let Some(row) = rows.first() else { return Ok(None) };
        for at in [1, 3] {
            Self::bring(bill_key(column(row, at)?, &fk), column(row, at + 1)?);
        }
        column(row, 0).map(Some)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if key == applied_key() {
            let rows = self.rows("select seq from skydeck.head where book = 1", Vec::new())?;
            return rows.first().map(|row| column::<i64>(row, 0).map(|seq| seq.to_be_bytes().to_vec())).transpose();
        }
        if let Some((env, form)) = made_parts(key) {
            let sql = "select rec from skydeck.made where env = $1 and form = $2";
            return self.one(sql, vec![Box::new(plain(&env)), Box::new(plain(&form))]);
        }
        self.one("select rec from skydeck.meta where k = $1", vec![Box::new(key.get(1..).unwrap_or_default().to_vec())])
    }

    fn count(&self, sql: &str, values: Vec<Value>) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.rows(sql, values)?;
        rows.first().map(|row| column::<i64>(row, 0).map(|n| n.to_be_bytes().to_vec())).transpose()
    }

    /// An entry, asked of its table.
    pub(crate) fn ask(&self, at: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let rest = |from: usize| at.get(from..).unwrap_or_default().to_vec();
        let text = |from: usize| plain(&String::from_utf8_lossy(at.get(from..).unwrap_or_default()));
        match at.first().copied().unwrap_or_default() {
            key::META => self.meta(at),
            key::DICT | key::RUN_ID => self.number(at),
            key::RUN | key::RUN_LIVE => self.run(at),
            key::KNOWN => self.known(at),
            key::BILL => {
                let sql = "select rec from skydeck.bill_row where run = $1 and fk = $2";
                self.one(sql, vec![Box::new(number(at, 1)?), Box::new(rest(5))])
            }
            key::FACTS => {
                let (run, end) = (number(at, 1)?, at.len().saturating_sub(4));
                let fk = at.get(5..end).unwrap_or_default().to_vec();
                let sql = "select rec from skydeck.bill_places where run = $1 and fk = $2 and chunk = $3";
                self.one(sql, vec![Box::new(run), Box::new(fk), Box::new(number(at, end)?)])
            }
            key::MARK => {
                let sql = "select rec from skydeck.mark where plan = $1 and env = $2";
                self.one(sql, vec![Box::new(small(at, 1)?), Box::new(small(at, 3)?)])
            }
            key::SERVER => self.one("select rec from skydeck.server where env = $1", vec![Box::new(small(at, 1)?)]),
            key::STOPPED => self.one("select rec from skydeck.stopped where plan = $1", vec![Box::new(small(at, 1)?)]),
            key::CURED => {
                let sql = "select rec from skydeck.cured where plan = $1 and cause = $2";
                self.one(sql, vec![Box::new(small(at, 1)?), Box::new(text(3))])
            }
            key::PLAN => self.one("select body from skydeck.plan_rev where rev = $1", vec![Box::new(text(1))]),
            key::GROUP_COUNT => {
                let slot = at.get(3).copied().unwrap_or_default();
                let sql = "select n from skydeck.ledger_count where plan = $1 and slot = $2 and grp = $3";
                self.count(sql, vec![Box::new(small(at, 1)?), Box::new(i16::from(slot)), Box::new(text(4))])
            }
            key::UNRESOLVED => {
                self.count("select n from skydeck.unresolved where plan = $1", vec![Box::new(small(at, 1)?)])
            }
            key::HANDED_IN => {
                let Some((form, named)) = at.get(5..).and_then(group_of) else { return Ok(None) };
                let sql = "select seq from skydeck.handed_in where plan = $1 and env = $2 and form = $3 and fk = $4";
                let (plan, env, fk) = (small(at, 1)?, small(at, 3)?, rest(5 + named));
                self.count(sql, vec![Box::new(plan), Box::new(env), Box::new(plain(&form)), Box::new(fk)])
            }
            key::HOUR => {
                let kind = i16::from(at.get(11).copied().unwrap_or_default());
                let sql = "select rec from skydeck.hour where plan = $1 and begins = $2 and kind = $3";
                let begins = crate::span::moment(at, 3)?;
                self.one(sql, vec![Box::new(small(at, 1)?), Box::new(begins), Box::new(kind)])
            }
            // Lists hold nothing that their tables do not.
            _ => Err(StoreError::Read("an entry of the index that no table answers".to_owned())),
        }
    }
}

/// Key of a run's head.
pub(crate) fn run_key(no: i32) -> Vec<u8> {
    Key::new(key::RUN).raw(&no.to_be_bytes()).done()
}

/// Key of a run's state.
pub(crate) fn live_key(no: i32) -> Vec<u8> {
    Key::new(key::RUN_LIVE).raw(&no.to_be_bytes()).done()
}

/// Key of a bill in a run.
pub(crate) fn bill_key(no: i32, fk: &[u8]) -> Vec<u8> {
    Key::new(key::BILL).raw(&no.to_be_bytes()).raw(fk).done()
}

/// Key of a bill over all runs.
pub(crate) fn known_key(family: i32, fk: &[u8]) -> Vec<u8> {
    Key::new(key::KNOWN).raw(&name_bytes(family)).raw(fk).done()
}

/// The number of a name as entries hold it.
pub(crate) fn name_bytes(no: i32) -> Vec<u8> {
    u16::try_from(no).unwrap_or_default().to_be_bytes().to_vec()
}

/// The id behind a sorting key, as people read it.
pub(crate) fn fid_text(fk: &[u8]) -> String {
    read_fid(fk).as_ref().map(Fid::as_str).map(plain).unwrap_or_default()
}

/// Environment, form and operation of a family.
pub(crate) fn family_parts(text: &str) -> (&str, &str, &str) {
    let mut parts = text.splitn(3, '\0');
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

/// Environment and form of the key of what was made last.
pub(crate) fn made_parts(key: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(key.get(1..)?.strip_prefix(b"made")?).ok()?;
    text.split_once('\0').map(|(env, form)| (env.to_owned(), form.to_owned()))
}

/// A group's name behind a key of the ledger by groups, and what follows it.
pub(crate) fn group_of(rest: &[u8]) -> Option<(String, usize)> {
    let (text, after) = read_text(rest)?;
    Some((text, rest.len() - after.len()))
}
