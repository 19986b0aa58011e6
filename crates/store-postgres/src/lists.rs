//! Stretches of the index as questions to the tables, with what their readers will ask for next.
//!
//! Invariant: a list brings the rows that it names with it, so that a page is a question or two, however many rows it has.

use std::ops::Bound;

use skydeck_core::domain::ids::{OpId, RunId};
use skydeck_core::domain::time::Ts;
use skydeck_store::StoreError;
use skydeck_store::index::entries::run_id_key;
use skydeck_store::index::key::{self, Dict, Key, ts_bits};
use skydeck_store::index::kv::{Entry, Stretch};
use skydeck_store::index::names::family_text;
use tokio_postgres::Row;
use ulid::Ulid;

use crate::io::Value;
use crate::span::{Question, Span, moment, number, place, small};
use crate::tables::{Tables, bill_key, column, group_of, known_key, live_key, name_bytes, run_key};

/// A stretch of keys.
pub(crate) fn scan(tables: &Tables, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
    let Stretch { low, high, back, max } = stretch;
    let (Bound::Included(from) | Bound::Excluded(from)) = low else {
        return Err(StoreError::Read("the whole index is asked for".to_owned()));
    };
    let ask = Ask { tables, back, max };
    let cut = |n| Span::cut(low, high, n);
    match from.first().copied().unwrap_or_default() {
        key::RUN | key::RUN_LIVE | key::OPEN => ask.runs(&cut(1)?),
        key::RUN_OF_PLAN => ask.runs(&cut(3)?),
        key::RUN_SORT => ask.sorts(&cut(1)?),
        key::RUN_ID => ask.ids(&cut(1)?),
        key::BILL | key::TRYING => ask.bills(&cut(5)?),
        key::SLOT => ask.bills(&cut(6)?),
        key::HISTORY => ask.history(&cut(1)?),
        key::HISTORY_SLOT => ask.history(&cut(2)?),
        key::LEDGER => ask.ledger(&cut(1)?),
        key::GROUP => {
            let (_, named) = from
                .get(4..)
                .and_then(group_of)
                .ok_or_else(|| StoreError::Read("a group of the ledger without a name is asked for".to_owned()))?;
            ask.ledger(&cut(4 + named)?)
        }
        key::HANDED_IN_ORDER => {
            let (form, named) = from.get(5..).and_then(group_of).ok_or_else(|| {
                StoreError::Read("records that were handed in are asked for without a name".to_owned())
            })?;
            ask.handed_in(&cut(5 + named)?, &form)
        }
        key::NUMBER => ask.numbers(&cut(1)?),
        key::ACTION => ask.actions(&cut(1)?),
        key::HOUR => ask.hours(&cut(3)?),
        key::DICT => ask.names(&cut(2)?),
        key::GROUP_COUNT => ask.counts(&cut(3)?),
        key::STOPPED | key::PLAN => ask.few(&cut(1)?),
        _ => Err(StoreError::Read("a list of the index that no table answers".to_owned())),
    }
}

struct Ask<'t> {
    tables: &'t Tables,
    back: bool,
    max: usize,
}

impl Ask<'_> {
    fn rows(&self, question: Question, order: &[&str]) -> Result<Vec<Row>, StoreError> {
        let (sql, values) = question.in_order(order, self.back, self.max);
        self.tables.rows(sql, values)
    }

    /// Entries of a short list that is read whole.
    fn of_all(&self, span: &Span<'_>, mut all: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<Entry> {
        all.retain(|(rest, _)| span.has(rest));
        all.sort();
        if self.back {
            all.reverse();
        }
        all.truncate(self.max);
        all.into_iter().map(|(rest, value)| (Key::default().raw(span.prefix).raw(&rest).done(), value)).collect()
    }

    /// Runs: all, those of a plan, those that are open.
    fn runs(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let space = span.prefix.first().copied().unwrap_or_default();
        let mut question = if space == key::RUN_LIVE {
            Question::new("select r.no, r.live from skydeck.run r")
        } else {
            Question::new("select r.no, r.live, h.rec from skydeck.run r join skydeck.run_head h on h.no = r.no")
        };
        match space {
            key::RUN_OF_PLAN => question = question.is("r.plan", Box::new(small(span.prefix, 1)?)),
            key::OPEN => question = question.only("r.closed is null"),
            _ => {}
        }
        for (edge, sign) in span.edges() {
            question = question.edge(&["r.no"], sign, vec![Box::new(number(edge, 0)?)]);
        }
        let mut entries = Vec::new();
        for row in self.rows(question, &["r.no"])? {
            let (no, live): (i32, Vec<u8>) = (column(&row, 0)?, column(&row, 1)?);
            let at = Key::default().raw(span.prefix).raw(&no.to_be_bytes()).done();
            if space == key::RUN_LIVE {
                entries.push((at, live));
                continue;
            }
            let head: Vec<u8> = column(&row, 2)?;
            entries.push((at, if space == key::RUN { head.clone() } else { Vec::new() }));
            Tables::bring(run_key(no), Some(head));
            Tables::bring(live_key(no), Some(live));
        }
        Ok(entries)
    }

    /// Bills of a run: all, those of a column, those with a call in flight.
    fn bills(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let (space, run) = (span.prefix.first().copied().unwrap_or_default(), number(span.prefix, 1)?);
        let mut question = Question::new("select fk, rec from skydeck.bill_row").is("run", Box::new(run));
        match space {
            key::SLOT => {
                let slot = span.prefix.get(5).copied().unwrap_or_default();
                question = question.is("slot", Box::new(i16::from(slot)));
            }
            key::TRYING => question = question.only("trying"),
            _ => {}
        }
        for (edge, sign) in span.edges() {
            question = question.edge(&["fk"], sign, vec![Box::new(edge.to_vec())]);
        }
        let mut entries = Vec::new();
        for row in self.rows(question, &["fk"])? {
            let (fk, rec): (Vec<u8>, Vec<u8>) = (column(&row, 0)?, column(&row, 1)?);
            let at = Key::default().raw(span.prefix).raw(&fk).done();
            if space == key::BILL {
                entries.push((at, rec));
            } else {
                Tables::bring(bill_key(run, &fk), Some(rec));
                entries.push((at, Vec::new()));
            }
        }
        Ok(entries)
    }

    /// Bills of all runs in the order of their last change.
    fn history(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let select = "select b.h_seq, b.h_place, b.run, b.fk, b.rec, r.live from skydeck.bill_row b \
                      join skydeck.run r on r.no = b.run";
        let mut question = Question::new(select);
        if let Some(slot) = span.prefix.get(1) {
            // As the index for it says.
            question = question.only("b.slot >= 2").is("b.slot", Box::new(i16::from(*slot)));
        }
        let columns = ["b.h_seq", "b.h_place"];
        for (edge, sign) in span.edges() {
            question = question.edge(&columns, sign, vec![Box::new(place(edge, 0)?), Box::new(small(edge, 8)?)]);
        }
        let mut entries = Vec::new();
        for row in self.rows(question, &columns)? {
            let (seq, within, run): (i64, i32, i32) = (column(&row, 0)?, column(&row, 1)?, column(&row, 2)?);
            let fk: Vec<u8> = column(&row, 3)?;
            let at = Key::default().raw(span.prefix).raw(&seq.to_be_bytes()).raw(&name_bytes(within));
            entries.push((at.done(), Key::default().raw(&run.to_be_bytes()).raw(&fk).done()));
            Tables::bring(bill_key(run, &fk), Some(column(&row, 4)?));
            Tables::bring(live_key(run), Some(column(&row, 5)?));
        }
        Ok(entries)
    }

    /// What is unresolved, the oldest first: all of it, or a group.
    fn ledger(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let select = "select b.since, b.family, b.fk, b.rec, b.open_run, w.rec, r.live from skydeck.bill b \
                      join skydeck.bill_row w on w.run = b.open_run and w.fk = b.fk \
                      join skydeck.run r on r.no = b.open_run";
        let mut question = Question::new(select).only("b.since is not null");
        if span.prefix.first() == Some(&key::GROUP) {
            let (plan, slot) = (small(span.prefix, 1)?, span.prefix.get(3).copied().unwrap_or_default());
            let group = span.prefix.get(4..).and_then(group_of).map(|(name, _)| name).unwrap_or_default();
            if plan != 0 {
                question = question.is("b.open_plan", Box::new(plan));
            }
            question = question.is("b.open_slot", Box::new(i16::from(slot)));
            question = question.is("b.open_group", Box::new(crate::tables::plain(&group)));
        }
        let columns = ["b.since", "b.family", "b.fk"];
        for (edge, sign) in span.edges() {
            let fk = edge.get(10..).unwrap_or_default().to_vec();
            let values: Vec<Value> = vec![Box::new(moment(edge, 0)?), Box::new(small(edge, 8)?), Box::new(fk)];
            question = question.edge(&columns, sign, values);
        }
        let mut entries = Vec::new();
        for row in self.rows(question, &columns)? {
            let (since, family, fk): (i64, i32, Vec<u8>) = (column(&row, 0)?, column(&row, 1)?, column(&row, 2)?);
            let run: i32 = column(&row, 4)?;
            let at = Key::default().raw(span.prefix).ts(Ts(since)).raw(&name_bytes(family)).raw(&fk);
            entries.push((at.done(), Vec::new()));
            Tables::bring(known_key(family, &fk), Some(column(&row, 3)?));
            Tables::bring(bill_key(run, &fk), Some(column(&row, 5)?));
            Tables::bring(live_key(run), Some(column(&row, 6)?));
        }
        Ok(entries)
    }

    /// Places of records that were handed in, in the order in which they came.
    fn handed_in(&self, span: &Span<'_>, form: &str) -> Result<Vec<Entry>, StoreError> {
        let (plan, env) = (small(span.prefix, 1)?, small(span.prefix, 3)?);
        let question = Question::new("select seq from skydeck.handed_in").is("plan", Box::new(plan));
        let mut question = question.is("env", Box::new(env)).is("form", Box::new(crate::tables::plain(form)));
        for (edge, sign) in span.edges() {
            question = question.edge(&["seq"], sign, vec![Box::new(place(edge, 0)?)]);
        }
        let rows = self.rows(question, &["seq"])?;
        let at = |seq: i64| Key::default().raw(span.prefix).raw(&seq.to_be_bytes()).done();
        rows.iter().map(|row| Ok((at(column(row, 0)?), Vec::new()))).collect()
    }

    /// Runs by their ids, which sort as texts as they do as bytes.
    fn ids(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let odd = || StoreError::Read("runs between what are no ids are asked for".to_owned());
        let mut question = Question::new("select id, no from skydeck.run");
        for (edge, sign) in span.edges() {
            let edge: [u8; 16] = edge.try_into().map_err(|_| odd())?;
            question = question.edge(&["id"], sign, vec![Box::new(Ulid::from_bytes(edge).to_string())]);
        }
        let mut entries = Vec::new();
        for row in self.rows(question, &["id"])? {
            let (id, no): (String, i32) = (column(&row, 0)?, column(&row, 1)?);
            let id: RunId = id.parse().map_err(StoreError::Read)?;
            entries.push((run_id_key(id), no.to_be_bytes().to_vec()));
        }
        Ok(entries)
    }

    /// Closed runs by what filters ask of them.
    fn sorts(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let mut question = Question::new("select sort from skydeck.run").only("sort is not null");
        for (edge, sign) in span.edges() {
            question = question.edge(&["sort"], sign, vec![Box::new(edge.to_vec())]);
        }
        let mut entries = Vec::new();
        for row in self.rows(question, &["sort"])? {
            let sort: Vec<u8> = column(&row, 0)?;
            entries.push((Key::default().raw(span.prefix).raw(&sort).done(), Vec::new()));
        }
        Ok(entries)
    }

    fn numbers(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let mut question = Question::new("select k, made from skydeck.number");
        for (edge, sign) in span.edges() {
            question = question.edge(&["k"], sign, vec![Box::new(edge.to_vec())]);
        }
        let mut entries = Vec::new();
        for row in self.rows(question, &["k"])? {
            let (k, made): (Vec<u8>, bool) = (column(&row, 0)?, column(&row, 1)?);
            let value = if made { key::MADE.to_vec() } else { Vec::new() };
            entries.push((Key::default().raw(span.prefix).raw(&k).done(), value));
        }
        Ok(entries)
    }

    fn actions(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let mut question = Question::new("select seq, rec from skydeck.action");
        for (edge, sign) in span.edges() {
            question = question.edge(&["seq"], sign, vec![Box::new(place(edge, 0)?)]);
        }
        let mut entries = Vec::new();
        for row in self.rows(question, &["seq"])? {
            let seq: i64 = column(&row, 0)?;
            entries.push((Key::default().raw(span.prefix).raw(&seq.to_be_bytes()).done(), column(&row, 1)?));
        }
        Ok(entries)
    }

    fn hours(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let question = Question::new("select begins, kind, rec from skydeck.hour");
        let mut question = question.is("plan", Box::new(small(span.prefix, 1)?));
        let columns = ["begins", "kind"];
        for (edge, sign) in span.edges() {
            let kind = edge.get(8).copied().map_or(-1, i16::from);
            question = question.edge(&columns, sign, vec![Box::new(moment(edge, 0)?), Box::new(kind)]);
        }
        let mut entries = Vec::new();
        for row in self.rows(question, &columns)? {
            let (begins, kind): (i64, i16) = (column(&row, 0)?, column(&row, 1)?);
            let at = Key::default().raw(span.prefix).u64(ts_bits(Ts(begins))).byte(u8::try_from(kind).unwrap_or(0xff));
            entries.push((at.done(), column(&row, 2)?));
        }
        Ok(entries)
    }

    /// Names that have numbers, of one kind.
    fn names(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let kind = span.prefix.get(1).copied().unwrap_or_default();
        let sql = match kind {
            kind if kind == Dict::Plan as u8 => "select no, name from skydeck.plan",
            kind if kind == Dict::Env as u8 => "select no, name from skydeck.env",
            _ => "select no, env, form, op from skydeck.family",
        };
        let text = |row: &Row| -> Result<Vec<u8>, StoreError> {
            if row.len() == 2 {
                return column::<String>(row, 1).map(String::into_bytes);
            }
            let (env, form, op): (String, String, String) = (column(row, 1)?, column(row, 2)?, column(row, 3)?);
            Ok(family_text(&env, &form, &OpId::new(op)).into_bytes())
        };
        let rows = self.tables.rows(sql, Vec::new())?;
        let all: Result<Vec<_>, StoreError> =
            rows.iter().map(|row| Ok((text(row)?, name_bytes(column(row, 0)?)))).collect();
        Ok(self.of_all(span, all?))
    }

    fn counts(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let (sql, plan) = ("select slot, grp, n from skydeck.ledger_count where plan = $1", small(span.prefix, 1)?);
        let mut all = Vec::new();
        for row in self.tables.rows(sql, vec![Box::new(plan)])? {
            let (slot, group, n): (i16, String, i64) = (column(&row, 0)?, column(&row, 1)?, column(&row, 2)?);
            let rest = Key::default().byte(u8::try_from(slot).unwrap_or(0xff)).raw(group.as_bytes()).done();
            all.push((rest, n.to_be_bytes().to_vec()));
        }
        Ok(self.of_all(span, all))
    }

    /// Runs that ended by themselves, and revisions of plans.
    fn few(&self, span: &Span<'_>) -> Result<Vec<Entry>, StoreError> {
        let mut all = Vec::new();
        if span.prefix.first() == Some(&key::STOPPED) {
            for row in self.tables.rows("select plan, rec from skydeck.stopped", Vec::new())? {
                all.push((name_bytes(column(&row, 0)?), column(&row, 1)?));
            }
            return Ok(self.of_all(span, all));
        }
        let mut question = Question::new("select rev, body from skydeck.plan_rev");
        for (edge, sign) in span.edges() {
            let rev = String::from_utf8_lossy(edge).into_owned();
            question = question.edge(&["rev"], sign, vec![Box::new(rev)]);
        }
        let mut entries = Vec::new();
        for row in self.rows(question, &["rev"])? {
            let rev: String = column(&row, 0)?;
            entries.push((Key::default().raw(span.prefix).raw(rev.as_bytes()).done(), column(&row, 1)?));
        }
        Ok(entries)
    }
}
