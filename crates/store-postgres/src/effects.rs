//! What an append changes in the index, as rows of the tables.
//!
//! Invariant: rows are made of the fold's own changes, so that no table ever says something else than the index of a data
//! directory would; lists of the index have no rows of their own: their tables' keys are the lists.

use std::collections::{BTreeMap, HashMap};

use skydeck_core::domain::bill::{BillState, Slot};
use skydeck_core::domain::event::{ActionEntry, Fact};
use skydeck_core::domain::hours::Counts;
use skydeck_core::domain::ids::RecordKey;
use skydeck_core::domain::language::Language;
use skydeck_core::domain::run::{Mark, RunKind, RunState};
use skydeck_core::domain::server::ServerBound;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::{Change, transition};
use skydeck_store::index::entries::sort_key;
use skydeck_store::index::key::{self, Dict, read_text, slot_byte, u64_at};
use skydeck_store::index::kv::Batch;
use skydeck_store::index::row::{BillRec, KnownRec, RunLiveRec, RunRec, places};
use skydeck_store::{StoreError, codec};

use crate::rows::{
    ActionIn, BillIn, BillRowIn, HourIn, KeptIn, NameIn, NumberIn, PlacesIn, RecordIn, RevIn, Rows, RunHeadIn, RunIn,
};
use crate::span::{moment, number, place, small};
use crate::tables::{family_parts, fid_text, group_of, made_parts, plain, run_key};

/// Environment and form of a family, by its number.
pub(crate) type Families = HashMap<i32, (String, String)>;

/// Looks up entries that an append does not change.
pub(crate) trait LookUp {
    /// An entry as it was before.
    fn entry(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
}

/// In whose hand a record is after an append.
#[derive(Clone, Copy, Debug, Default)]
enum Hand {
    /// In the same as before.
    #[default]
    Stays,
    /// In that of a run whose call leaves.
    Of(i32),
    /// In nobody's: it has an outcome that is known, or a person settled it.
    Nobody,
}

/// Works out the rows of an append.
pub(crate) struct Effects<'a> {
    changes: &'a Batch,
    before: &'a dyn LookUp,
    families: &'a mut Families,
    /// By record: place of its newest fact, and in whose hand it is.
    records: BTreeMap<RecordRow, (i64, Hand)>,
    rows: Rows,
}

/// Environment, form and sorting id: the key of a record's row.
pub(crate) type RecordRow = (String, String, Vec<u8>);

/// The key of a record's row.
pub(crate) fn record_row(record: &RecordKey) -> RecordRow {
    let fk = key::Key::default().fid(&record.fid).done();
    (plain(record.env.as_str()), plain(record.form.as_str()), fk)
}

/// Rows of what was changed; `facts` are those by which it was.
pub(crate) fn rows_of(
    changes: &Batch,
    facts: &[Fact],
    before: &dyn LookUp,
    families: &mut Families,
) -> Result<Rows, StoreError> {
    let mut effects = Effects { changes, before, families, records: BTreeMap::new(), rows: Rows::default() };
    // Names come first: rows of bills name their family.
    for (at, value) in changes.iter().filter(|(at, _)| at.first() == Some(&key::DICT)) {
        effects.name(at, value.as_deref().unwrap_or_default())?;
    }
    let mut bills: Vec<(&[u8], BillRec)> = Vec::new();
    for (at, value) in changes {
        if at.first() == Some(&key::BILL) {
            let value = value.as_deref().unwrap_or_default();
            bills.push((at, effects.bill_row(at, value)?));
        } else {
            effects.entry(at, value.as_deref())?;
        }
    }
    // Of two runs that changed one record the later one says in whose hand it is.
    bills.sort_by_key(|(_, rec)| rec.h);
    for (at, rec) in &bills {
        effects.record(at, rec)?;
    }
    for fact in facts {
        if let Change::Resolved { key, .. } = transition(&fact.event)
            && let Some((_, hand)) = effects.records.get_mut(&record_row(&key.record))
        {
            match hand {
                Hand::Stays => *hand = Hand::Nobody,
                Hand::Of(_) | Hand::Nobody => {}
            }
        }
    }
    for ((env, form, fk), (last, hand)) in std::mem::take(&mut effects.records) {
        let fid = fid_text(&fk);
        let (hand, keeps) = match hand {
            Hand::Stays => (None, true),
            Hand::Of(run) => (Some(run), false),
            Hand::Nobody => (None, false),
        };
        let record = RecordIn { env, form, fk, fid, hand, keeps, last };
        effects.rows.records.push(record);
    }
    Ok(effects.rows)
}

fn lost(what: &str) -> StoreError {
    StoreError::Read(format!("{what} is not in the store's database"))
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Effects<'_> {
    /// An entry as it is with the changes.
    fn now(&self, at: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.changes.get(at) {
            Some(value) => Ok(value.clone()),
            None => self.before.entry(at),
        }
    }

    fn name(&mut self, at: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let (kind, no) = (at.get(1).copied().unwrap_or_default(), small(value, 0)?);
        let text = String::from_utf8_lossy(at.get(2..).unwrap_or_default()).into_owned();
        let (a, b, c) = if kind == Dict::Family as u8 { family_parts(&text) } else { (text.as_str(), "", "") };
        if kind == Dict::Family as u8 {
            self.families.insert(no, (plain(a), plain(b)));
        }
        self.rows.names.push(NameIn { kind: i16::from(kind), no, a: plain(a), b: plain(b), c: plain(c) });
        Ok(())
    }

    fn bill_row(&mut self, at: &[u8], value: &[u8]) -> Result<BillRec, StoreError> {
        let rec: BillRec = codec::unpack(value)?;
        let fk = at.get(5..).unwrap_or_default().to_vec();
        self.rows.in_runs.push(BillRowIn {
            run: number(at, 1)?,
            fid: fid_text(&fk),
            fk,
            no: plain(&rec.n),
            slot: i16::from(slot_byte(rec.s.slot())),
            trying: matches!(rec.s, BillState::Trying { .. }),
            cause: cause(&rec.s).map(|cause| plain(&cause)),
            attempts: i32::try_from(rec.a).unwrap_or(i32::MAX),
            at: rec.t.0,
            h_seq: signed(rec.h.0),
            h_place: i32::from(rec.h.1),
            rec: value.to_vec(),
        });
        Ok(rec)
    }

    /// What a bill's change says of its record.
    fn record(&mut self, at: &[u8], rec: &BillRec) -> Result<(), StoreError> {
        let run = number(at, 1)?;
        let live = self.now(&crate::tables::live_key(run))?.ok_or_else(|| lost("a run"))?;
        let live: RunLiveRec = codec::unpack(&live)?;
        let family = self.families.get(&i32::from(live.f)).cloned().ok_or_else(|| lost("a form"))?;
        let last = places(&rec.f).max().unwrap_or_default();
        let hand = match &rec.s {
            BillState::Trying { .. } => Hand::Of(run),
            BillState::Settled(outcome) if outcome.slot() != Slot::Unknown => Hand::Nobody,
            BillState::Settled(_) | BillState::Waiting | BillState::RetryAt { .. } => Hand::Stays,
        };
        let fk = at.get(5..).unwrap_or_default().to_vec();
        let record = self.records.entry((family.0, family.1, fk)).or_default();
        record.0 = record.0.max(signed(last));
        if !matches!(hand, Hand::Stays) {
            record.1 = hand;
        }
        Ok(())
    }

    fn known(&mut self, at: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let rec: KnownRec = codec::unpack(value)?;
        let fk = at.get(3..).unwrap_or_default().to_vec();
        let open = rec.l.as_ref();
        let run = |no: u32| i32::try_from(no).unwrap_or(i32::MAX);
        self.rows.bills.push(BillIn {
            family: small(at, 1)?,
            fid: fid_text(&fk),
            fk,
            found_run: run(rec.r),
            changed_run: run(rec.c),
            deaths: i32::try_from(rec.d).unwrap_or(i32::MAX),
            since: open.map(|open| open.s.0),
            open_run: open.map(|open| run(open.r)),
            open_plan: open.map(|open| i32::from(open.p)),
            open_slot: open.map(|open| i16::from(slot_byte(open.o.slot()))),
            open_group: open.map(|open| plain(&open.o.group().unwrap_or_default())),
            rec: value.to_vec(),
        });
        Ok(())
    }

    fn run(&mut self, at: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let no = number(at, 1)?;
        let head = self.now(&run_key(no))?.ok_or_else(|| lost("the head of a run"))?;
        let (head, live): (RunRec, RunLiveRec) = (codec::unpack(&head)?, codec::unpack(value)?);
        let tally = live.tally();
        self.rows.runs.push(RunIn {
            no,
            id: head.h.id.to_string(),
            plan: i32::from(live.p),
            family: i32::from(live.f),
            kind: match head.h.kind {
                RunKind::Fresh => "fresh",
                RunKind::Retry => "retry",
                RunKind::Verify => "verify",
            }
            .to_owned(),
            state: state(&live.s).to_owned(),
            counts: live.a,
            opened: head.h.opened.0,
            closed: live.x.map(|at| at.0),
            found: signed(tally.found),
            done: signed(tally.audited),
            already: signed(tally.already),
            skipped: signed(tally.skipped),
            failed: signed(tally.failed),
            unknown: signed(tally.unknown),
            waiting: signed(tally.waiting),
            not_reached: signed(tally.not_reached),
            live: value.to_vec(),
            sort: live.s.is_closed().then(|| sort_key(no.cast_unsigned(), head, &live).split_off(1)),
        });
        Ok(())
    }

    fn hour(&mut self, at: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let counts: Counts = skydeck_store::index::hour_rows::unpack(value)?;
        self.rows.hours.push(HourIn {
            plan: small(at, 1)?,
            begins: moment(at, 3)?,
            kind: i16::from(at.get(11).copied().unwrap_or_default()),
            runs: signed(counts.runs),
            found: signed(counts.found),
            calls: signed(counts.calls),
            answers: signed(counts.answers),
            call_ms: signed(counts.call_ms),
            rec: value.to_vec(),
        });
        Ok(())
    }

    fn action(&mut self, at: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let (when, entry): (Ts, ActionEntry) = codec::unpack(value)?;
        self.rows.actions.push(ActionIn {
            seq: place(at, 1)?,
            at: when.0,
            verb: plain(&entry.verb),
            who: plain(&entry.by.said(Language::En)),
            run: entry.run.map(|run| run.to_string()),
            result: plain(&entry.result),
            rec: value.to_vec(),
        });
        Ok(())
    }

    fn number(&mut self, at: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let k = at.get(1..).unwrap_or_default();
        let Some((text, after)) = read_text(k) else { return Err(lost("a number")) };
        let made = value == key::MADE;
        self.rows.numbers.push(NumberIn { k: k.to_vec(), number: plain(&text), family: small(after, 0)?, made });
        Ok(())
    }

    /// An entry that is neither a name nor a bill of a run.
    fn entry(&mut self, at: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let text = |from: usize| plain(&String::from_utf8_lossy(at.get(from..).unwrap_or_default()));
        match (at.first().copied().unwrap_or_default(), value) {
            (key::RUN, Some(rec)) => self.rows.heads.push(RunHeadIn { no: number(at, 1)?, rec: rec.to_vec() }),
            (key::RUN_LIVE, Some(live)) => self.run(at, live)?,
            (key::KNOWN, Some(rec)) => self.known(at, rec)?,
            (key::PLAN, Some(body)) => self.rows.revs.push(RevIn { rev: text(1), body: body.to_vec() }),
            (key::NUMBER, Some(value)) => self.number(at, value)?,
            (key::HOUR, Some(rec)) => self.hour(at, rec)?,
            (key::ACTION, Some(rec)) => self.action(at, rec)?,
            (key::FACTS, Some(rec)) => {
                let end = at.len().saturating_sub(4);
                let fk = at.get(5..end).unwrap_or_default().to_vec();
                let (run, chunk) = (number(at, 1)?, number(at, end)?);
                self.rows.places.push(PlacesIn { run, fk, chunk, rec: rec.to_vec() });
            }
            // A run has its number and a bill its place in every list by its row.
            (
                key::DICT
                | key::RUN_ID
                | key::OPEN
                | key::RUN_OF_PLAN
                | key::RUN_SORT
                | key::SLOT
                | key::TRYING
                | key::HISTORY
                | key::HISTORY_SLOT
                | key::LEDGER
                | key::GROUP
                | key::HANDED_IN_ORDER,
                _,
            ) => {}
            (space, value) => {
                if let Some(kept) = kept(space, at, value)? {
                    self.rows.kept.push(kept);
                }
            }
        }
        Ok(())
    }
}

/// A row of a small table.
fn kept(space: u8, at: &[u8], value: Option<&[u8]>) -> Result<Option<KeptIn>, StoreError> {
    let text = |from: usize| Some(plain(&String::from_utf8_lossy(at.get(from..).unwrap_or_default())));
    let count = value.and_then(|value| u64_at(value, 0)).map(signed);
    let rec = value.map(<[u8]>::to_vec);
    let kind = |kind: &str| kind.to_owned();
    let missing = || lost("a value");
    Ok(Some(match space {
        key::MARK => {
            let mark: Mark = codec::unpack(value.ok_or_else(missing)?)?;
            let (plan, env) = (Some(small(at, 1)?), Some(small(at, 3)?));
            KeptIn { kind: kind("mark"), plan, env, a: Some(plain(mark.seen.as_str())), rec, ..KeptIn::default() }
        }
        key::SERVER => {
            let bound: ServerBound = codec::unpack(value.ok_or_else(missing)?)?;
            let (a, b) = (Some(plain(&bound.server.address)), Some(plain(&bound.server.account_set)));
            KeptIn { kind: kind("server"), env: Some(small(at, 1)?), a, b, rec, ..KeptIn::default() }
        }
        key::STOPPED => {
            let run = value.map(|value| number(value, 0)).transpose()?.map(i64::from);
            KeptIn { kind: kind("stopped"), plan: Some(small(at, 1)?), n: run, rec, ..KeptIn::default() }
        }
        key::CURED => {
            let when: Ts = codec::unpack(value.ok_or_else(missing)?)?;
            let plan = Some(small(at, 1)?);
            KeptIn { kind: kind("cured"), plan, a: text(3), n: Some(when.0), rec, ..KeptIn::default() }
        }
        key::HANDED_IN => {
            let (form, named) = at.get(5..).and_then(group_of).ok_or_else(missing)?;
            let (plan, env) = (Some(small(at, 1)?), Some(small(at, 3)?));
            let fk = at.get(5 + named..).unwrap_or_default().to_vec();
            let (a, b) = (Some(plain(&form)), Some(fid_text(&fk)));
            KeptIn { kind: kind("handed_in"), plan, env, a, b, k: Some(fk), n: count, ..KeptIn::default() }
        }
        key::GROUP_COUNT => {
            let (plan, slot) = (Some(small(at, 1)?), at.get(3).copied().map(i16::from));
            KeptIn { kind: kind("count"), plan, slot, a: text(4), n: count, ..KeptIn::default() }
        }
        key::UNRESOLVED => {
            KeptIn { kind: kind("unresolved"), plan: Some(small(at, 1)?), n: count, ..KeptIn::default() }
        }
        key::META => match made_parts(at) {
            Some((env, form)) => {
                KeptIn { kind: kind("made"), a: Some(plain(&env)), b: Some(plain(&form)), rec, ..KeptIn::default() }
            }
            // Up to which fact the tables go says the head of the chain.
            None if at == skydeck_store::index::write_batch::applied_key() || is_hours(at) => return Ok(None),
            None => KeptIn { kind: kind("meta"), k: at.get(1..).map(<[u8]>::to_vec), rec, ..KeptIn::default() },
        },
        _ => return Err(StoreError::Write("an entry of the index that no table holds".to_owned())),
    }))
}

fn is_hours(at: &[u8]) -> bool {
    at.get(1..) == Some(b"hours")
}

fn cause(state: &BillState) -> Option<String> {
    match state {
        BillState::RetryAt { cause, .. } => Some(cause.as_str().to_owned()),
        BillState::Settled(outcome) => outcome.group(),
        BillState::Waiting | BillState::Trying { .. } => None,
    }
}

fn state(state: &RunState) -> &'static str {
    match state {
        RunState::Collecting => "collecting",
        RunState::AwaitingApproval => "awaiting approval",
        RunState::Working => "working",
        RunState::Settling => "settling",
        RunState::Paused(_) => "paused",
        RunState::Interrupted => "interrupted",
        RunState::Closed(_) => "closed",
    }
}
