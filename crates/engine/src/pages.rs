//! Reading a query page by page: the page itself, asked for again as long as that may help, and how it goes on to the next.
//!
//! Invariant: no row is dropped that an earlier page did not have, and a query whose pages bring nothing new is refused.

use std::collections::{BTreeMap, HashSet};

use crate::ports::{Fault, FaultKind, FoundPage, PageQuery};
use skydeck_core::domain::bill::Found;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::reason::Reason;

use super::control::Stop;
use super::dispatch::Dispatch;
use super::runner::Runner;
use super::status_reads::{self, ReadFault};

/// Why collecting ended early.
pub(super) enum Failed {
    Stop(Stop),
    Erp(Reason),
}

impl<E: Into<Stop>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Stop(error.into())
    }
}

/// Times a page is asked for before the run gives up.
const PAGE_TRIES: u32 = 4;

/// Where a query stands among its pages.
#[derive(Default)]
pub(super) struct Pages {
    /// The last id of the page before.
    last: Option<Fid>,
    /// Ids that are words: only the server knows their order (letter case, signs), so that they are told by themselves.
    words: HashSet<Fid>,
}

impl Pages {
    /// The bills of a page that no page before had; the query goes on behind its last row. `None`: there is no more.
    pub fn next(&mut self, page: FoundPage, query: &mut PageQuery) -> Result<Option<Vec<Found>>, Failed> {
        let Some(last) = page.bills.last().map(|bill| bill.fid.clone()) else { return Ok(None) };
        let is_new = |fid: &Fid, words: &mut HashSet<Fid>| {
            if fid.is_number() {
                self.last.as_ref().is_none_or(|before| *fid > *before)
            } else {
                words.insert(fid.clone())
            }
        };
        let words = &mut self.words;
        let bills: Vec<Found> = page.bills.into_iter().filter(|bill| is_new(&bill.fid, words)).collect();
        if bills.is_empty() {
            return Err(Failed::Erp(Reason::PagesOutOfOrder {}));
        }
        self.last = Some(last.clone());
        query.after = Some(last);
        Ok(Some(bills))
    }

    /// Takes out of the bills of the ledger those whose place the pages have passed.
    pub fn take_passed(&self, carried: &mut BTreeMap<Fid, Found>) -> BTreeMap<Fid, Found> {
        let Some(last) = &self.last else { return BTreeMap::new() };
        if last.is_number() {
            let mut above = carried.split_off(last);
            let at = above.remove_entry(last);
            let mut passed = std::mem::replace(carried, above);
            passed.extend(at);
            return passed;
        }
        let (passed, left) = std::mem::take(carried).into_iter().partition(|(fid, _)| self.words.contains(fid));
        *carried = left;
        passed
    }
}

impl Runner {
    /// The first page of the plan's query.
    pub(super) fn page_query(&self) -> PageQuery {
        let source = &self.run.plan.source;
        PageQuery {
            form: source.form.clone(),
            columns: source.columns.iter().map(|c| c.path.clone()).collect(),
            id_path: source.id_path.clone(),
            number_path: source.number_path.clone(),
            mark_column: source.mark_column.clone(),
            // Of what is made the fields are those of another form.
            fields: if self.run.op.key.makes() { Vec::new() } else { self.run.op.looked_at() },
            filter: self.run.head.filter.clone(),
            after: None,
            limit: self.run.plan.policy.page_size.clamp(1, 2000),
            lines: self.run.plan.target.make.is_some() || self.run.plan.target.collects,
        }
    }

    /// One page, asked for again as long as that may help.
    pub(super) async fn fetch(&mut self, from: &Dispatch, query: &PageQuery) -> Result<FoundPage, Failed> {
        let mut n = 0;
        loop {
            self.check_collecting()?;
            match from.erp.fetch_page(query).await {
                Ok(mut page) => {
                    if let Some(why) = from.astray() {
                        return Err(Failed::Erp(why));
                    }
                    page.bills = page.bills.into_iter().map(|bill| self.run.op.with_state(bill)).collect();
                    return Ok(page);
                }
                Err(fault) => self.again(&fault, n, query.after.is_none()).await?,
            }
            n += 1;
        }
    }

    /// Waits before a repeat, or says that there is none. `first`: nothing was gained yet, so a server that cannot
    /// be reached at all is said at once.
    pub(super) async fn again(&mut self, fault: &Fault, n: u32, first: bool) -> Result<(), Failed> {
        let may = status_reads::on_fault(fault, &self.run.shared.causes) == ReadFault::Again;
        let unreachable = first && fault.kind == FaultKind::NotConnected;
        if !may || unreachable || n + 1 >= PAGE_TRIES {
            return Err(Failed::Erp(status_reads::why_not_collected(fault)));
        }
        let span = status_reads::pause_before(fault, n);
        tokio::select! {
            biased;
            _ = self.control.changed() => {}
            () = tokio::time::sleep(span) => {}
        }
        self.check_collecting()
    }

    /// The breaker does not stop reading.
    pub(super) fn check_collecting(&self) -> Result<(), Failed> {
        match self.check() {
            Ok(()) | Err(Stop::Pause(..)) => Ok(()),
            Err(stop) => Err(Failed::Stop(stop)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::bill::{Rev, Status};
    use skydeck_core::domain::ids::FormId;

    fn found(id: &str) -> Found {
        Found {
            probe: None,
            absent: false,
            outside: false,
            will: None,
            body: None,
            looked: None,
            lines: Vec::new(),
            fid: Fid::new(id),
            no: format!("N{id}"),
            rev: Rev::new(Status::Submitted, None),
            approver: None,
            approved: None,
            marked: None,
            columns: Vec::new(),
            fields: Vec::new(),
        }
    }

    fn query() -> PageQuery {
        PageQuery {
            form: FormId::new("F"),
            columns: Vec::new(),
            id_path: "FID".to_owned(),
            number_path: "FBillNo".to_owned(),
            mark_column: None,
            fields: Vec::new(),
            filter: String::new(),
            after: None,
            limit: 2,
            lines: false,
        }
    }

    /// What a server with this order of its ids gives from page to page, and what comes of it.
    fn read(ids: &[&str], key: impl Fn(&str) -> String, overlap: bool) -> Result<Vec<String>, Failed> {
        let mut ordered = ids.to_vec();
        ordered.sort_by_key(|id| key(id));
        let (mut query, mut pages, mut all) = (query(), Pages::default(), Vec::new());
        loop {
            let above = |id: &&&str| match &query.after {
                Some(after) if overlap => key(id) >= key(after.as_str()),
                Some(after) => key(id) > key(after.as_str()),
                None => true,
            };
            let bills: Vec<Found> = ordered.iter().filter(above).take(2).map(|id| found(id)).collect();
            let page = FoundPage { raw_rows: bills.len() as u32, bills, rows: Vec::new() };
            let Some(page) = pages.next(page, &mut query)? else { return Ok(all) };
            all.extend(page.into_iter().map(|bill| bill.fid.as_str().to_owned()));
        }
    }

    #[test]
    fn no_bill_is_passed_over_whatever_order_the_server_has() {
        let ids = ["a", "B", "c", "D", "e", "F", "g", "_h"];
        let without_case = |id: &str| id.to_lowercase();
        let by_bytes = |id: &str| id.to_owned();
        let signs_last = |id: &str| id.replace('_', "~").to_uppercase();
        for (what, key) in [
            ("letter case does not count", &without_case as &dyn Fn(&str) -> String),
            ("bytes", &by_bytes),
            ("signs last", &signs_last),
        ] {
            let mut got = read(&ids, key, false).unwrap_or_else(|_| panic!("{what}"));
            got.sort_unstable();
            let mut want: Vec<String> = ids.map(str::to_owned).to_vec();
            want.sort_unstable();
            assert_eq!(got, want, "{what}");
        }
    }

    #[test]
    fn a_page_that_brings_nothing_new_ends_the_query_in_words() {
        for ids in [["a", "b", "c"].as_slice(), &["1", "2", "3"]] {
            // The server takes `>` for `>=`: the row before comes again, and at last nothing else.
            let ended = read(ids, str::to_owned, true);
            assert!(matches!(ended, Err(Failed::Erp(Reason::PagesOutOfOrder {}))), "{ids:?}");
        }
    }

    #[test]
    fn a_bill_of_the_ledger_is_taken_with_the_page_it_belongs_to() {
        let mut pages = Pages::default();
        let page =
            |ids: &[&str]| FoundPage { raw_rows: 2, bills: ids.iter().map(|id| found(id)).collect(), rows: Vec::new() };
        let mut carried: BTreeMap<Fid, Found> = ["2", "3", "7"].map(|id| (Fid::new(id), found(id))).into();
        assert!(pages.next(page(&["1", "3"]), &mut query()).is_ok());
        let ids = |all: &BTreeMap<Fid, Found>| all.keys().map(|fid| fid.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(
            (ids(&pages.take_passed(&mut carried)), ids(&carried)),
            (vec!["2".into(), "3".into()], vec!["7".into()])
        );
        // Of words nobody but the server can tell which it has passed: those it showed.
        let mut pages = Pages::default();
        let mut carried: BTreeMap<Fid, Found> = ["B", "D", "a"].map(|id| (Fid::new(id), found(id))).into();
        assert!(pages.next(page(&["a", "C"]), &mut query()).is_ok());
        assert_eq!(
            (ids(&pages.take_passed(&mut carried)), ids(&carried)),
            (vec!["a".into()], vec!["B".into(), "D".into()])
        );
    }
}
