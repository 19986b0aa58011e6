//! Collecting the records that another system lists, page by page.
//!
//! Invariant: a list is used only where it was read whole: where pages may move while they are read, two readings in a row have
//! to show the same records in the same order; else nothing is written, and the mark stays.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::ports::{ListAsk, ListPage, ListPlace};
use skydeck_core::domain::bill::Found;
use skydeck_core::domain::bounds;
use skydeck_core::domain::command::StartParams;
use skydeck_core::domain::feed::{Feed, MOST_BYTES, MOST_RECORDS, Paging, Turn};
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::listed::Listed;
use skydeck_core::domain::reason::{BadRecord, ListFault, Reason};
use skydeck_core::domain::sending::Request;
use skydeck_core::domain::zone::Zone;
use skydeck_plan::condition;
use skydeck_plan::record::{self, Whole};
use skydeck_plan::render::{RenderContext, feed};

use super::collect::Floor;
use super::dispatch::Dispatch;
use super::pages::Failed;
use super::records::JsonRecord;
use super::run_set::Set;
use super::runner::Runner;

/// Readings of a list before it counts as one that does not keep still.
const READINGS: u32 = 5;
/// Between two readings that were not the same.
const BREATH: Duration = Duration::from_secs(1);
/// Records that are made into something at once.
const GROUP: usize = 100;

/// One reading of a list.
#[derive(Default)]
struct Reading {
    records: BTreeMap<Fid, JsonRecord>,
    /// Of everything in the order in which it was shown.
    order: Sha256,
    bytes: usize,
    pages: u32,
    /// Records that were shown, each as often as it was.
    shown: u64,
    total: Option<u64>,
    /// What speaks against it, and may be gone when the list is read again.
    doubt: Option<ListFault>,
}

/// What follows a page.
enum Next<'a> {
    End,
    Page(Place<'a>),
}

/// Where a reading stands.
#[derive(Clone, PartialEq, Eq)]
enum Place<'a> {
    Whole,
    Page(u32),
    Offset(u64),
    Start(Option<&'a str>),
    Cursor(String),
}

impl Place<'_> {
    fn asked(&self) -> ListPlace<'_> {
        match self {
            Self::Whole => ListPlace::Whole,
            Self::Page(n) => ListPlace::Page(*n),
            Self::Offset(n) => ListPlace::Offset(*n),
            Self::Start(start) => ListPlace::Cursor(*start),
            Self::Cursor(cursor) => ListPlace::Cursor(Some(cursor)),
        }
    }
}

fn broken(why: ListFault) -> Failed {
    Failed::Erp(Reason::ListNotWhole { why })
}

fn beginning(pages: Option<&Paging>) -> Place<'_> {
    match pages.map(|pages| &pages.by) {
        None => Place::Whole,
        Some(Turn::Page { first }) => Place::Page(*first),
        Some(Turn::Offset) => Place::Offset(0),
        Some(Turn::Cursor { start, .. }) => Place::Start(start.as_deref()),
    }
}

impl Reading {
    /// Adds the records of a page. `by_place`: pages are told by their place, so that one that comes again has moved.
    fn add(&mut self, page: Vec<JsonRecord>, by_place: bool) -> Result<(), ListFault> {
        let mut here: HashMap<Fid, Option<u64>> = HashMap::new();
        for record in page {
            self.shown += 1;
            self.bytes += size(&record);
            self.order.update((record.fid.as_str().len() as u64).to_be_bytes());
            self.order.update(record.fid.as_str().as_bytes());
            self.order.update(record.state.unwrap_or_default().to_be_bytes());
            let id = record.fid.as_str().to_owned();
            if here.insert(record.fid.clone(), record.state).is_some_and(|was| was != record.state) {
                return Err(ListFault::Twice { id });
            }
            // What comes again by cursor was changed meanwhile: the later one is the newer.
            if let Some(was) = self.records.insert(record.fid.clone(), record)
                && by_place
            {
                let same = here.get(&was.fid) == Some(&was.state);
                self.doubt = Some(if same { ListFault::Moves { times: 1 } } else { ListFault::Twice { id } });
            }
        }
        if self.records.len() > MOST_RECORDS || self.bytes > MOST_BYTES {
            return Err(ListFault::TooMany { most: MOST_RECORDS as u64 });
        }
        Ok(())
    }

    /// Takes note of how many there are to be.
    fn told(&mut self, total: Option<u64>) {
        let Some(total) = total else { return };
        if self.total.replace(total).is_some_and(|was| was != total) {
            self.doubt = Some(ListFault::Moves { times: 1 });
        }
    }

    /// What follows a page of so many records.
    fn next<'a>(&self, pages: Option<&'a Paging>, at: &Place<'a>, page: &ListPage) -> Next<'a> {
        let Some(paging) = pages else { return Next::End };
        let n = page.records.len() as u64;
        if let Turn::Cursor { .. } = &paging.by {
            return match &page.next {
                Some(cursor) if page.more != Some(false) => Next::Page(Place::Cursor(cursor.clone())),
                Some(_) | None => Next::End,
            };
        }
        let ends = match (page.more, page.total) {
            (Some(more), _) => !more,
            (None, Some(total)) => self.shown >= total || n == 0,
            // A page that is not full may be all that the system gives at once.
            (None, None) => n == 0,
        };
        match at {
            _ if ends => Next::End,
            Place::Page(page) => Next::Page(Place::Page(page.saturating_add(1))),
            Place::Offset(offset) => Next::Page(Place::Offset(offset.saturating_add(n))),
            Place::Whole | Place::Start(_) | Place::Cursor(_) => Next::End,
        }
    }

    /// Whether one reading proves that nothing was passed over: one answer showed all, or each page began where the one before
    /// had ended.
    fn proves_itself(&self, pages: Option<&Paging>) -> bool {
        let by_place = pages.is_some_and(|pages| !matches!(pages.by, Turn::Cursor { .. }));
        !by_place || self.pages == 1
    }
}

/// About what a record takes.
fn size(record: &JsonRecord) -> usize {
    let cells = record.rows.as_ref().map_or(0, |rows| rows.iter().flatten().map(|cell| cell.len() + 24).sum());
    record.fid.as_str().len() + cells + 128
}

impl Runner {
    /// The records of the list since the mark, or those of these ids, and what the ledger has of earlier ones.
    pub(super) async fn query_listed(&mut self, floor: &Floor, params: &StartParams) -> Result<(Set, bool), Failed> {
        let env = self.run.source().map_err(Failed::Erp)?;
        let plan = Arc::clone(&self.run.plan);
        let mut set = Set::of(&env);
        let (mut carry, mut carried) = self.carry(params, floor.scope(&env), floor.until.is_some()).await?;
        let Some(context) = floor.scopes.first() else { return Ok((set, false)) };
        let since = RenderContext { last_sync: floor.since.clone(), ..context.clone() };
        let mut records = if params.numbers.is_empty() {
            let (records, pages) = self.whole_list(&env, &since).await?;
            set.pages = pages;
            records
        } else {
            let ids: Vec<Fid> = params.numbers.iter().map(|number| Fid::new(number.trim())).collect();
            let records = self.listed_of(&env, &ids, context).await?;
            let mut listed = Listed { asked: params.numbers.len() as u64, ..Listed::default() };
            for (number, id) in params.numbers.iter().zip(&ids).filter(|(_, id)| !records.contains_key(*id)) {
                tracing::debug!(%id, "not in the list");
                listed.misses(number, false);
            }
            set.listed = Some(listed);
            records
        };
        carry.shows = true;
        if floor.moves_mark {
            set.seen = records.values().filter_map(|record| record.marked.clone()).max();
        }
        let ids: Vec<Fid> =
            records.keys().chain(carried.keys()).cloned().collect::<BTreeSet<_>>().into_iter().collect();
        for group in ids.chunks(GROUP) {
            self.check_collecting()?;
            let of_list = group.iter().filter_map(|id| records.remove(id)).collect();
            let rows = self.as_found(of_list, Some(context)).await?;
            let passes = |row: &Found| floor.reaches(row) && condition::passes(&plan.source, &row.columns);
            let mut rows: BTreeMap<Fid, Found> =
                rows.into_iter().filter(passes).map(|row| (row.fid.clone(), row)).collect();
            let mut from_ledger = BTreeSet::new();
            for id in group {
                if let Some(row) = carried.remove(id)
                    && !rows.contains_key(id)
                {
                    from_ledger.insert(id.clone());
                    rows.insert(id.clone(), row);
                }
            }
            let changed = self.changed(carry, rows, &from_ledger).await?;
            set.take(&changed, |bill| self.may_call(bill));
            self.keep(changed.taken).await?;
            carry = changed.carry;
        }
        Ok((set, floor.sweep && floor.moves_mark))
    }

    /// Records of the ledger as the system shows them now; one that the plan's conditions leave out is no longer the plan's.
    pub(super) async fn read_listed(
        &mut self,
        env: &Arc<Dispatch>,
        wanted: &[Found],
        context: &RenderContext,
    ) -> Result<HashMap<Fid, Found>, Failed> {
        let plan = Arc::clone(&self.run.plan);
        let ids: Vec<Fid> = wanted.iter().map(|found| found.fid.clone()).collect();
        let records = self.listed_of(env, &ids, context).await?;
        let mut read = HashMap::with_capacity(records.len());
        let mut all = records.into_values();
        loop {
            let group: Vec<JsonRecord> = all.by_ref().take(GROUP).collect();
            if group.is_empty() {
                return Ok(read);
            }
            for found in self.as_found(group, Some(context)).await? {
                let outside = !condition::passes(&plan.source, &found.columns);
                read.insert(found.fid.clone(), Found { outside, ..found });
            }
        }
    }

    /// Records by their ids: each is asked for, or the whole list is read.
    async fn listed_of(
        &mut self,
        env: &Arc<Dispatch>,
        ids: &[Fid],
        context: &RenderContext,
    ) -> Result<BTreeMap<Fid, JsonRecord>, Failed> {
        let plan = Arc::clone(&self.run.plan);
        let Some(feed) = plan.source.origin.feed() else { return Ok(BTreeMap::new()) };
        let context = RenderContext { last_sync: None, ..context.clone() };
        let Some(request) = feed::one(feed, &context).map_err(|error| unasked(&error))? else {
            if ids.is_empty() {
                return Ok(BTreeMap::new());
            }
            let wanted: HashSet<&Fid> = ids.iter().collect();
            let (mut records, _) = self.whole_list(env, &context).await?;
            records.retain(|id, _| wanted.contains(id));
            return Ok(records);
        };
        let mut found = BTreeMap::new();
        for id in ids.iter().filter(|id| !id.as_str().is_empty()) {
            let ask = ListAsk { request: &request, feed, at: ListPlace::Key(id.as_str()) };
            let page = self.listed_page(env, &ask, found.is_empty()).await?;
            for record in self.cut_page(env, &page, 1)? {
                if record.fid != *id {
                    let (asked, shown) = (id.as_str().to_owned(), record.fid.as_str().to_owned());
                    return Err(broken(ListFault::Stranger { asked, shown }));
                }
                let state = record.state;
                if found.insert(id.clone(), record).is_some_and(|was| was.state != state) {
                    return Err(broken(ListFault::Twice { id: id.as_str().to_owned() }));
                }
            }
        }
        Ok(found)
    }

    /// Every record that the list shows, once it is known that it was read whole.
    async fn whole_list(
        &mut self,
        env: &Arc<Dispatch>,
        context: &RenderContext,
    ) -> Result<(BTreeMap<Fid, JsonRecord>, u32), Failed> {
        let plan = Arc::clone(&self.run.plan);
        let Some(feed) = plan.source.origin.feed() else { return Ok((BTreeMap::new(), 0)) };
        let request = feed::request(feed, context).map_err(|error| unasked(&error))?;
        let (mut before, mut doubts) = (None, Vec::new());
        for n in 0..READINGS {
            let reading = self.read_once(env, feed, &request).await?;
            let order = reading.order.clone().finalize();
            match reading.doubt {
                None if reading.proves_itself(feed.pages.as_ref()) || before == Some(order) => {
                    return Ok((reading.records, reading.pages));
                }
                None => before = Some(order),
                Some(doubt) => {
                    before = None;
                    doubts.push(doubt);
                }
            }
            tracing::info!(run = %self.run.head.id, reading = n + 1, "the list is read once more: its pages may have moved");
            if n > 0 || before.is_none() {
                self.breathe().await?;
            }
        }
        // What was so each time is so; what was not is what moving pages look like.
        let always = doubts
            .first()
            .filter(|first| doubts.len() as u32 == READINGS && doubts.iter().all(|doubt| doubt == *first));
        Err(broken(
            always
                .filter(|doubt| !matches!(doubt, ListFault::Moves { .. }))
                .cloned()
                .unwrap_or(ListFault::Moves { times: READINGS }),
        ))
    }

    async fn breathe(&mut self) -> Result<(), Failed> {
        tokio::select! {
            biased;
            _ = self.control.changed() => {}
            () = tokio::time::sleep(BREATH) => {}
        }
        self.check_collecting()
    }

    async fn read_once(&mut self, env: &Arc<Dispatch>, feed: &Feed, request: &Request) -> Result<Reading, Failed> {
        let paging = feed.pages.as_ref();
        let by_place = paging.is_some_and(|pages| !matches!(pages.by, Turn::Cursor { .. }));
        let (mut reading, mut at) = (Reading::default(), beginning(paging));
        let (mut cursors, mut last): (HashSet<String>, Vec<Fid>) = (HashSet::new(), Vec::new());
        loop {
            let page = self.listed_page(env, &ListAsk { request, feed, at: at.asked() }, reading.pages == 0).await?;
            reading.pages += 1;
            reading.told(page.total);
            let records = self.cut_page(env, &page, reading.pages)?;
            let ids: Vec<Fid> = records.iter().map(|record| record.fid.clone()).collect();
            if by_place && !ids.is_empty() && ids == last {
                reading.doubt = Some(ListFault::SamePage { page: reading.pages });
                return Ok(reading);
            }
            last = ids;
            reading.add(records, by_place).map_err(broken)?;
            match reading.next(paging, &at, &page) {
                Next::End => break,
                Next::Page(_) if paging.is_some_and(|pages| reading.pages >= pages.most) => {
                    return Err(broken(ListFault::Endless { pages: reading.pages }));
                }
                Next::Page(Place::Cursor(cursor))
                    if !cursors.insert(cursor.clone()) || at == Place::Start(Some(&cursor)) =>
                {
                    return Err(broken(ListFault::CursorAgain { page: reading.pages }));
                }
                Next::Page(place) => at = place,
            }
        }
        if let (Some(said), None) = (reading.total.filter(|said| *said != reading.shown), &reading.doubt) {
            reading.doubt = Some(ListFault::Total { said, shown: reading.shown });
        }
        Ok(reading)
    }

    /// One page, asked for again as long as that may help.
    async fn listed_page(&mut self, env: &Dispatch, ask: &ListAsk<'_>, first: bool) -> Result<ListPage, Failed> {
        let mut n = 0;
        loop {
            self.check_collecting()?;
            if let Some(why) = env.astray() {
                return Err(Failed::Erp(why));
            }
            match env.erp.list(ask).await {
                Ok(page) => return Ok(page),
                Err(fault) => self.again(&fault, n, first).await?,
            }
            n += 1;
        }
    }

    /// The records of a page, cut into the plan's columns.
    fn cut_page(&self, env: &Dispatch, page: &ListPage, of: u32) -> Result<Vec<JsonRecord>, Failed> {
        let zone: Option<Zone> = env.env.server_zone.parse().ok();
        let cut = |(nth, json): (u32, &String)| {
            self.cut_one(json, zone.as_ref()).map_err(|why| match why {
                Unusable::Record(why) => broken(ListFault::Record { page: of, nth, why }),
                Unusable::NoDate(id, path) => broken(ListFault::NoDate { id, path }),
            })
        };
        (1..).zip(&page.records).map(cut).collect()
    }

    fn cut_one(&self, json: &str, zone: Option<&Zone>) -> Result<JsonRecord, Unusable> {
        let source = &self.run.plan.source;
        record::whole(json).map_err(|why| {
            Unusable::Record(match why {
                Whole::TooLong => BadRecord::TooLong(record::MOST_BYTES as u64),
                Whole::NotJson | Whole::NotAnObject => BadRecord::NotAnObject,
            })
        })?;
        let id = record::cell(json, &source.id_path).map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Unusable::Record(BadRecord::NoId(source.id_path.clone())))?;
        if id.chars().nth(bounds::NUMBER).is_some() || id.chars().any(char::is_control) {
            return Err(Unusable::Record(BadRecord::BadId(bounds::NUMBER as u64)));
        }
        let mark = source.mark_column.as_ref().map(|path| {
            let text = record::cell(json, path).unwrap_or_default();
            record::date(&text, |at| zone.map_or(0, |zone| zone.ahead_of_utc(at)))
                .ok_or_else(|| Unusable::NoDate(id.clone(), path.clone()))
        });
        let paths: Vec<&str> = source.columns.iter().map(|column| column.path.as_str()).collect();
        let rows = record::rows(json, &paths);
        let mut hash = Sha256::new();
        match &rows {
            Ok(rows) => rows.iter().flatten().for_each(|cell| {
                hash.update((cell.len() as u64).to_be_bytes());
                hash.update(cell.as_bytes());
            }),
            Err(_) => hash.update(json.as_bytes()),
        }
        let marked = mark.transpose()?;
        hash.update(marked.as_ref().map_or("", |at| at.as_str()).as_bytes());
        let state = hash.finalize().first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        Ok(JsonRecord { fid: Fid::new(id), state, marked, rows })
    }
}

/// Why a record cannot be used.
enum Unusable {
    Record(BadRecord),
    NoDate(String, String),
}

fn unasked(error: &skydeck_plan::render::RenderError) -> Failed {
    Failed::Erp(Reason::BadNumber { said: error.to_string(), zh: Some(error.in_chinese()) })
}
