//! Keyset pages of bills, runs and actions: by index where one fits the filter, else a bounded scan.
//!
//! Invariant: what a list is asked for decides by which keys it is read, and never which rows are in it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Index;
use super::asked::{Word, is_whole, means, plain, slots};
use super::entries::bill_key;
use super::key::{self, Dict, DictNo, Key, RunNo, read_fid, u16_at, u32_at, u64_at};
use super::kv::{Entry, Kv, ReadCache, Walk};
use super::list::{List, Looked, Source, Stretch};
use super::prefilter::Prefilter;
use super::read::after_number;
use super::row::{BillRec, RunLiveRec};
use super::run_gate::RunGate;
use super::run_span::RunSpan;
use crate::{StoreError, codec};
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::event::ActionEntry;
use skydeck_core::domain::filter::{About, Filter, Key as Asked, Term, Test};
use skydeck_core::domain::ids::{Fid, PlanId, Seq};
use skydeck_core::domain::query::{BillsAsked, Page, PageRequest, Scope};
use skydeck_core::domain::run::{BillRow, RunRow, RunState, Tally};
use skydeck_core::domain::time::Ts;

/// Bills a filter may name and still be answered by their numbers, one by one.
const NAMED: u64 = 20_000;

/// Where runs stand, by their number.
type States = BTreeMap<RunNo, Option<(RunState, Tally)>>;

/// A run whose bills are read, and whether it tells nothing of them.
#[derive(Clone, Copy)]
struct RowsOf {
    no: RunNo,
    untold: bool,
}

/// The bills of a page, read one by one unless their stored bytes say already that they are not asked for.
struct Rows<'a, K: Kv> {
    index: &'a Index<K>,
    prefilter: Prefilter,
    cache: &'a RefCell<ReadCache>,
}

impl<K: Kv> Rows<'_, K> {
    /// The bill of a run under its id's bytes.
    fn under(&self, of: RowsOf, fid: &[u8]) -> Result<Looked<BillRow>, StoreError> {
        let key = Key::new(key::BILL).u32(of.no).raw(fid).done();
        let mut cache = self.cache.borrow_mut();
        match self.index.kv.get_cached(&key, &mut cache)? {
            Some(stored) if self.prefilter.may_match(stored) => self.read(of, fid, stored),
            _ => Ok(Looked::Nothing),
        }
    }

    /// The bill from its stored bytes.
    fn read(&self, of: RowsOf, fid: &[u8], stored: &[u8]) -> Result<Looked<BillRow>, StoreError> {
        let Some(fid) = read_fid(fid) else { return Ok(Looked::Nothing) };
        let rec: BillRec = codec::unpack(stored)?;
        Ok(Looked::Row(rec.row(self.index.head(of.no)?.as_ref(), fid, of.untold)))
    }
}

impl<K: Kv> Index<K> {
    /// Runs, newest first.
    pub fn runs(&self, plan: Option<&PlanId>, request: &PageRequest) -> Result<Page<RunRow>, StoreError> {
        let prefix = match plan {
            None => vec![key::RUN],
            Some(plan) => match self.dict(Dict::Plan, plan.as_str())? {
                Some(no) => Key::new(key::RUN_OF_PLAN).u16(no).done(),
                None => return Ok(Page::default()),
            },
        };
        let cache = RefCell::default();
        let sources = vec![Source::all(&self.kv, prefix)];
        let list = List { tag: vec![b'r'], newest_first: true, sources, cache: &cache };
        let read =
            |place: &[u8], _: &[u8]| u32_at(place, 0).map_or(Ok(None), |no| self.run_by_no(no)).map(Looked::from);
        list.page(request, read, |_| Ok(true))
    }

    /// The action log, newest first.
    pub fn actions(&self, request: &PageRequest) -> Result<Page<(Seq, Ts, ActionEntry)>, StoreError> {
        let cache = RefCell::default();
        let sources = vec![Source::all(&self.kv, vec![key::ACTION])];
        let list = List { tag: vec![b'a'], newest_first: true, sources, cache: &cache };
        let read = |place: &[u8], value: &[u8]| {
            let (at, entry): (Ts, ActionEntry) = codec::unpack(value)?;
            Ok(u64_at(place, 0).map(|seq| (Seq(seq), at, entry)).into())
        };
        list.page(request, read, |_| Ok(true))
    }

    /// A page of bills.
    pub fn bills(&self, asked: BillsAsked<'_>) -> Result<Page<BillRow>, StoreError> {
        let BillsAsked { scope, filter, page: request, now } = asked;
        let (asks_labels, asks_state) = (filter.asks_labels(), filter.asks_state());
        let states = RefCell::default();
        let runs = RunGate::new(self, filter, now)?;
        let passes = |row: &BillRow| {
            if filter.is_empty() {
                return Ok(true);
            }
            let no = self.run_no(row.run)?.ok_or_else(|| StoreError::Read(format!("run {} is lost", row.run)))?;
            let head = self.head(no)?;
            let labels = if asks_labels { self.labels(&head)? } else { Arc::default() };
            let state = if asks_state { self.state_once(no, &states)? } else { None };
            let state = state.as_ref().map(|(state, tally)| (state, tally));
            Ok(filter.matches(row, &About { state, ..About::run(&head, &labels) }, now))
        };
        if filter.terms.iter().any(Term::leaves_out_audit) && !self.knows_operations()? {
            return Ok(Page::default());
        }
        let cache = RefCell::new(ReadCache::default());
        let rows = Rows { index: self, prefilter: Prefilter::of(filter), cache: &cache };
        let total = if request.cursor.is_none() { self.total(scope, filter)? } else { None };
        let page = match scope {
            Scope::Run(run) => {
                let Some(no) = self.run_no(run)? else { return Ok(Page::default()) };
                let of = RowsOf { no, untold: self.is_untold(no)? };
                let tag = Key::default().byte(b'b').run_id(run).done();
                let list = List { tag, newest_first: false, sources: self.run_sources(no, filter)?, cache: &cache };
                let read = |place: &[u8], stored: &[u8]| {
                    // The list of all bills of a run holds them; the others only name them.
                    if stored.is_empty() {
                        rows.under(of, place)
                    } else if rows.prefilter.may_match(stored) {
                        rows.read(of, place, stored)
                    } else {
                        Ok(Looked::Nothing)
                    }
                };
                list.page(request, read, passes)
            }
            Scope::Ledger => {
                let sources = self.ledger_sources(filter, now)?;
                let list = List { tag: vec![b'l'], newest_first: false, sources, cache: &cache };
                list.page(request, |place, _| self.ledger_row(place, &runs).map(Looked::from), passes)
            }
            Scope::History => {
                let sources = self.history_sources(filter, runs.span)?;
                let list = List { tag: vec![b'h'], newest_first: true, sources, cache: &cache };
                let read = |_: &[u8], value: &[u8]| match u32_at(value, 0).zip(value.get(4..)) {
                    Some((no, fid)) if runs.tells(no)? => rows.under(RowsOf { no, untold: false }, fid),
                    _ => Ok(Looked::Nothing),
                };
                list.page(request, read, passes)
            }
        };
        page.map(|page| Page { total, ..page })
    }

    /// Where a run stands, and its sum; read once for each run of a page.
    fn state_once(&self, no: RunNo, known: &RefCell<States>) -> Result<Option<(RunState, Tally)>, StoreError> {
        if let Some(state) = known.borrow().get(&no) {
            return Ok(state.clone());
        }
        let state = self.run_by_no(no)?.map(|row| (row.state, row.tally));
        known.borrow_mut().insert(no, state.clone());
        Ok(state)
    }

    /// How many rows a list has, where the sum lines say it: all, or those of some columns.
    fn total(&self, scope: Scope, filter: &Filter) -> Result<Option<u64>, StoreError> {
        let asked = match filter.terms.as_slice() {
            [] => None,
            [Term { not: false, test: Test::Is(Asked::Status, words) }] => match slots(filter) {
                Some(slots) if slots.iter().all(|slot| is_whole(*slot, words)) => Some(slots),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let count = |live: &RunLiveRec| {
            let tally = live.tally();
            // Where nothing is told of its bills they stand in no column, and in the list of that run alone.
            if live.is_untold() && (asked.is_some() || scope == Scope::History) {
                return 0;
            }
            asked.as_ref().map_or(tally.found, |slots| slots.iter().map(|slot| tally.get(*slot)).sum())
        };
        match scope {
            Scope::Run(run) => {
                let Some(no) = self.run_no(run)? else { return Ok(Some(0)) };
                let live = self.value::<RunLiveRec>(&super::entries::live_key(no))?;
                Ok(live.map(|live| count(&live)))
            }
            Scope::Ledger if asked.is_none() => self.unresolved(None).map(Some),
            Scope::Ledger => Ok(None),
            Scope::History => {
                let mut sum = 0_u64;
                for entry in Walk::prefix(&self.kv, vec![key::RUN_LIVE], false) {
                    sum = sum.saturating_add(count(&codec::unpack(&entry?.1)?));
                }
                Ok(Some(sum))
            }
        }
    }

    fn ledger_row(&self, place: &[u8], runs: &RunGate<'_, K>) -> Result<Option<BillRow>, StoreError> {
        let (Some(family), Some(fid)) = (u16_at(place, 8), place.get(10..).and_then(read_fid)) else {
            return Ok(None);
        };
        match self.known(family, &fid)?.and_then(|known| known.l) {
            Some(open) if runs.passes(open.r)? => self.open_row(open, fid),
            Some(_) | None => Ok(None),
        }
    }

    fn run_sources(&self, no: RunNo, filter: &Filter) -> Result<Vec<Source<'_, K>>, StoreError> {
        if let Some(bills) = self.named_bills(filter)? {
            let family = self.value::<RunLiveRec>(&super::entries::live_key(no))?.map(|live| live.f);
            let mut places = BTreeMap::new();
            for (of, fid) in bills {
                if Some(of) == family && self.kv.get(&bill_key(no, &fid))?.is_some() {
                    places.insert(Key::default().fid(&fid).done(), Vec::new());
                }
            }
            return Ok(vec![Source::Places(places.into_iter().collect())]);
        }
        let prefix = |slot: Slot| Key::new(key::SLOT).u32(no).slot(slot).done();
        Ok(match slots(filter) {
            Some(slots) => slots.into_iter().map(|slot| Source::all(&self.kv, prefix(slot))).collect(),
            None => vec![Source::all(&self.kv, Key::new(key::BILL).u32(no).done())],
        })
    }

    fn history_sources(&self, filter: &Filter, span: Option<RunSpan>) -> Result<Vec<Source<'_, K>>, StoreError> {
        if let Some(bills) = self.named_bills(filter)?
            && let Some(places) = self.places_in_history(&bills)?
        {
            return Ok(vec![Source::Places(places)]);
        }
        let edge = |place: u64| Key::default().u64(place).u16(0).done();
        let stretch = Stretch { from: span.map(|span| edge(span.from)), to: span.and_then(|span| span.to).map(edge) };
        let of = |prefix: Key| Source::within(&self.kv, prefix.done(), &stretch);
        Ok(match slots(filter) {
            Some(slots) if slots.iter().all(|slot| super::bills::listed(*slot)) => {
                slots.into_iter().map(|slot| of(Key::new(key::HISTORY_SLOT).slot(slot))).collect()
            }
            _ => vec![of(Key::new(key::HISTORY))],
        })
    }

    fn places_in_history(&self, bills: &[(DictNo, Fid)]) -> Result<Option<Vec<Entry>>, StoreError> {
        let mut places = BTreeMap::new();
        for (family, fid) in bills {
            let mut next = self.known(*family, fid)?.map(|known| known.r);
            while let Some(no) = next {
                let Some(rec): Option<BillRec> = self.bill_rec(no, fid)? else { break };
                places.insert(Key::default().u64(rec.h.0).u16(rec.h.1).done(), super::entries::history_value(no, fid));
                if places.len() as u64 > NAMED {
                    return Ok(None);
                }
                next = rec.p;
            }
        }
        Ok(Some(places.into_iter().collect()))
    }

    fn ledger_sources(&self, filter: &Filter, now: Ts) -> Result<Vec<Source<'_, K>>, StoreError> {
        if let Some(bills) = self.named_bills(filter)? {
            let mut places = BTreeMap::new();
            for (family, fid) in bills {
                if let Some(open) = self.known(family, &fid)?.and_then(|known| known.l) {
                    places.insert(Key::default().ts(open.s).u16(family).fid(&fid).done(), Vec::new());
                }
            }
            return Ok(vec![Source::Places(places.into_iter().collect())]);
        }
        let (from, to) = filter.since_between(now);
        let edge = |at: Ts| Key::default().ts(at).u16(0).done();
        let stretch = Stretch { from: from.map(edge), to: to.map(|to| edge(Ts(to.0.saturating_add(1)))) };
        let of = |prefix: Key| Source::within(&self.kv, prefix.done(), &stretch);
        let plan = self.plan_asked(filter)?;
        let causes = filter.words(Asked::Cause).filter(|words| words.iter().all(|w| plain(w).is_some()));
        let slots = slots(filter);
        if plan == 0 && causes.is_none() && slots.is_none() {
            return Ok(vec![of(Key::new(key::LEDGER))]);
        }
        let prefix = Key::new(key::GROUP_COUNT).u16(plan).done();
        let mut sources = Vec::new();
        for entry in Walk::prefix(&self.kv, prefix.clone(), false) {
            let (at, _) = entry?;
            let Some((slot, group)) = at.get(prefix.len()..).and_then(|rest| rest.split_first()) else { continue };
            let (Some(slot), Ok(group)) = (key::slot_of(*slot), std::str::from_utf8(group)) else { continue };
            let wanted = slots.as_ref().is_none_or(|slots| slots.contains(&slot))
                && causes.is_none_or(|words| words.iter().any(|word| means(word, group)));
            if wanted {
                sources.push(of(Key::new(key::GROUP).u16(plan).slot(slot).text(group)));
            }
        }
        Ok(sources)
    }

    /// Number of the one plan the filter asks for; 0 when it asks for all, or for several.
    pub(super) fn plan_asked(&self, filter: &Filter) -> Result<DictNo, StoreError> {
        let Some([word]) = filter.words(Asked::Plan) else { return Ok(0) };
        if plain(word).is_none() {
            return Ok(0);
        }
        let mut named = self.dict_all(Dict::Plan)?.into_iter().filter(|(text, _)| means(word, text));
        Ok(match (named.next(), named.next()) {
            (Some((_, no)), None) => no,
            _ => 0,
        })
    }

    /// Bills the filter names by number or id; `None` when it names none, or too many.
    fn named_bills(&self, filter: &Filter) -> Result<Option<Vec<(DictNo, Fid)>>, StoreError> {
        if let Some(words) = filter.words(Asked::Fid)
            && words.iter().all(|word| Fid::new(word.as_str()).is_number())
        {
            let families = self.dict_all(Dict::Family)?;
            let pairs = words.iter().flat_map(|w| families.iter().map(|(_, no)| (*no, Fid::new(w.as_str()))));
            return Ok(Some(pairs.collect()));
        }
        let Some(words) = filter.words(Asked::No) else { return Ok(None) };
        let mut bills = Vec::new();
        for word in words {
            let prefix = match plain(word) {
                Some(Word::Exactly(text)) => Key::new(key::NUMBER).text(&text),
                Some(Word::Begins(text)) => Key::new(key::NUMBER).text_prefix(&text),
                None => return Ok(None),
            };
            for entry in Walk::prefix(&self.kv, prefix.done(), false) {
                bills.extend(after_number(&entry?.0));
                if bills.len() as u64 > NAMED {
                    return Ok(None);
                }
            }
        }
        Ok(Some(bills))
    }
}
