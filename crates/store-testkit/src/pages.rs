//! What pages promise: both ways, from any row, under any filter, bounded.

use skydeck_core::domain::bill::{BillState, Failure, Outcome, Skip, Slot};
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::query::{Cursor, Page, PageRequest, Scope};
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::time::Ts;
use skydeck_store::StoreError;

use crate::facts::{
    T0, approved, audited, begun, collected, executing, failed, found, opened, run_id, settled, skipped,
};
use crate::{Bench, block};

pub(super) fn pages_go_both_ways_from_any_row(b: &Bench) {
    let fids: Vec<u64> = (1..=25).collect();
    b.ok(begun(1, "p", &fids));
    for fid in 1..=25 {
        let outcome = if fid % 5 == 0 { failed("stock") } else { audited() };
        b.ok(vec![settled(1, fid, Slot::Waiting, outcome)]);
    }
    let run = Scope::Run(run_id(1));
    for (scope, filter, want) in [
        (run, "", (1..=25).collect::<Vec<u64>>()),
        (run, "status:failed", vec![5, 10, 15, 20, 25]),
        (run, "status:audited,failed no:XSCKD00001*", (10..=19).collect()),
        (run, "cause:stock", vec![5, 10, 15, 20, 25]),
        // The status a bill has now, not the one it was found in.
        (run, "status:c -cause:stock fid:3,5,7", vec![3, 7]),
        (run, "status:b fid:3,5,7", vec![5]),
        (run, "org:101 ~存", vec![10, 25]),
        (Scope::History, "", (1..=25).rev().collect()),
        (Scope::History, "status:failed", vec![25, 20, 15, 10, 5]),
        (Scope::History, "no:xsckd000007", vec![7]),
        (Scope::History, "cause:*ock status:fail*", vec![25, 20, 15, 10, 5]),
        (Scope::History, "客户3", vec![24, 17, 10, 3]),
        (Scope::Ledger, "", vec![5, 10, 15, 20, 25]),
        (Scope::Ledger, "no:*20", vec![20]),
        (Scope::Ledger, "no:XSCKD000010,XSCKD000005", vec![5, 10]),
    ] {
        let parsed = Filter::parse(filter).unwrap();
        let page = |cursor: Option<Cursor>, back, limit| {
            block(b.store.bills(scope.asked(&parsed, &PageRequest { cursor, back, limit }, Ts(T0)))).unwrap()
        };
        let fids = |p: &Page<BillRow>| {
            p.rows.iter().map(|(_, r)| r.fid().as_str().parse::<u64>().unwrap()).collect::<Vec<_>>()
        };
        let what = format!("{} {scope:?} {filter}", b.name);
        let mut got = Vec::new();
        let mut at = None;
        loop {
            let p = page(at, false, 3);
            got.extend(fids(&p));
            assert_eq!(p.more, got.len() < want.len(), "{what}");
            at = p.rows.last().map(|(c, _)| c.clone());
            if !p.more {
                break;
            }
        }
        assert_eq!(got, want, "{what}");
        let mut got = Vec::new();
        let mut at = None;
        loop {
            let p = page(at, true, 4);
            got = [fids(&p), got].concat();
            at = p.rows.first().map(|(c, _)| c.clone());
            if !p.more {
                break;
            }
        }
        assert_eq!(got, want, "back {what}");
    }
    let ledger = block(b.store.bills(Scope::Ledger.asked(&Filter::default(), &PageRequest::first(1), Ts(T0)))).unwrap();
    let foreign = ledger.rows[0].0.clone();
    for cursor in ["", "zz", "6", "é"].map(|text| Cursor(text.into())).into_iter().chain([foreign]) {
        let bad = PageRequest { cursor: Some(cursor.clone()), back: false, limit: 1 };
        let refused = block(b.store.bills(run.asked(&Filter::default(), &bad, Ts(T0))));
        assert!(matches!(refused, Err(StoreError::Cursor(_))), "{cursor:?}");
    }
    assert!(b.fids(Scope::Run(run_id(9)), "").is_empty());
}

pub(super) fn a_scan_without_an_index_is_bounded_and_says_how_far_it_got(b: &Bench) {
    b.ok(vec![opened(1, "p")]);
    let fids: Vec<u64> = (1..=20_500).collect();
    for part in fids.chunks(100) {
        b.ok(vec![found(1, part)]);
    }
    let filter = Filter::parse("客户4 -status:audited \"XSCKD020500\"").unwrap();
    let run = Scope::Run(run_id(1));
    let mut request = PageRequest::first(5);
    // Texts that stand in the stored bytes are looked for there; ages are not, and the rows are decoded.
    for _ in 0..4 {
        let page = block(b.store.bills(run.asked(&filter, &request, Ts(T0)))).unwrap();
        assert_eq!((page.rows.len(), page.scanned, page.more), (0, 5_000, true), "{}", b.name);
        request.cursor = page.stopped_at;
    }
    let last = block(b.store.bills(run.asked(&filter, &request, Ts(T0)))).unwrap();
    assert_eq!((last.scanned, last.more, last.stopped_at.clone()), (500, false, None));
    assert_eq!(last.rows.len(), 1, "the last bill is of customer 4");
    let old = Filter::parse("age:>9d").unwrap();
    let page = block(b.store.bills(run.asked(&old, &PageRequest::first(5), Ts(T0)))).unwrap();
    assert_eq!((page.rows.len(), page.scanned, page.more), (0, 2_000, true), "{}", b.name);
}

pub(super) fn the_first_page_tells_how_many_there_are_where_the_sum_lines_know(b: &Bench) {
    b.ok(vec![opened(1, "p"), found(1, &[1, 2, 3])]);
    let total = |scope: Scope, filter: &str| {
        let filter = Filter::parse(filter).unwrap();
        block(b.store.bills(scope.asked(&filter, &PageRequest::first(1), Ts(T0)))).unwrap().total
    };
    let run = Scope::Run(run_id(1));
    assert_eq!((total(run, ""), total(Scope::History, "")), (Some(3), Some(3)), "{}", b.name);
    assert_eq!((total(run, "status:waiting"), total(Scope::History, "status:failed")), (Some(3), Some(0)));
    assert_eq!((total(run, "-status:failed"), total(Scope::History, "status:failed age:>1d")), (None, None));
}

pub(super) fn bills_are_found_by_the_words_of_their_operations(b: &Bench) {
    let filter = |text: &str| Filter::parse(text).unwrap();
    b.ok(begun(1, "p", &[1, 2]));
    b.ok(vec![settled(1, 1, Slot::Waiting, audited()), settled(1, 2, Slot::Waiting, skipped(Skip::NotReached))]);
    let only_audit =
        block(b.store.bills(Scope::History.asked(&filter("-operation:Audit"), &PageRequest::first(9), Ts(T0))));
    let only_audit = only_audit.unwrap();
    assert_eq!((only_audit.rows.len(), only_audit.scanned), (0, 0), "{}: no other operation, no scan", b.name);
    b.ok(vec![executing(2, "q", "BillClose"), found(2, &[1, 2, 3]), collected(2), approved(2)]);
    let already = Outcome::Already { by: None, on: None };
    b.ok(vec![settled(2, 1, Slot::Waiting, audited()), settled(2, 2, Slot::Waiting, already)]);
    b.ok(vec![settled(2, 3, Slot::Waiting, skipped(Skip::NotReached))]);
    let (of_audit, closing) = (Scope::Run(run_id(1)), Scope::Run(run_id(2)));
    for (scope, text, want) in [
        (of_audit, "status:audited", vec!["1"]),
        (of_audit, "status:done", vec!["1"]),
        (of_audit, "status:已审核", vec!["1"]),
        (of_audit, "status:closed", vec![]),
        (of_audit, "status:not_reached", vec!["2"]),
        (of_audit, "status:skipped", vec![]),
        (closing, "status:audited", vec!["1"]),
        (closing, "status:closed", vec!["1"]),
        (closing, "结果:已关闭", vec!["1"]),
        (closing, "status:已审核", vec![]),
        (closing, "status:already_audited", vec!["2"]),
        (closing, "status:already_closed", vec!["2"]),
        (closing, "-status:closed,not_reached", vec!["2"]),
        (closing, "cause:not_reached", vec!["3"]),
        (Scope::History, "status:done", vec!["1", "1"]),
        (Scope::History, "status:closed", vec!["1"]),
        (Scope::History, "status:not_reached", vec!["3", "2"]),
        (Scope::History, "cause:not_reached", vec!["3", "2"]),
        (Scope::History, "operation:BillClose", vec!["3", "2", "1"]),
        (Scope::History, "操作:audit", vec!["2", "1"]),
        (Scope::Ledger, "status:not_reached", vec!["2", "3"]),
        (Scope::Ledger, "-operation:Audit", vec!["3"]),
    ] {
        assert_eq!(b.fids(scope, text), want, "{} {scope:?} {text}", b.name);
    }
    let total = |scope: Scope, text: &str| {
        block(b.store.bills(scope.asked(&filter(text), &PageRequest::first(1), Ts(T0)))).unwrap().total
    };
    assert_eq!((total(Scope::History, "status:done"), total(of_audit, "status:not_reached")), (Some(2), Some(1)));
    assert_eq!(total(Scope::History, "status:closed"), None, "the sum lines do not tell them apart");
    // `s*` is also what Submit calls its own: the sum of the skipped is not all of it.
    assert_eq!(total(Scope::History, "status:s*"), None);
    let page =
        block(b.store.bills(Scope::History.asked(&filter("status:not_reached"), &PageRequest::first(9), Ts(T0))))
            .unwrap();
    assert_eq!(page.scanned, 2, "{}: bills that had no turn have a list of their own", b.name);
}

pub(super) fn a_page_is_closed_by_bytes_too_and_a_long_message_of_before_is_cut_when_it_is_read(bench: &Bench) {
    const BILLS: u64 = 700;
    let long = "中".repeat(4_000);
    let fids: Vec<u64> = (1..=BILLS).collect();
    bench.ok(begun(1, "p", &fids));
    for part in fids.chunks(100) {
        let Outcome::Failed(failure) = failed("stock") else { panic!() };
        let outcome = |_| Outcome::Failed(Failure { message: long.clone(), ..failure.clone() });
        bench.ok(part.iter().map(|fid| settled(1, *fid, Slot::Waiting, outcome(fid))).collect());
    }
    for scope in [Scope::Ledger, Scope::Run(run_id(1)), Scope::History] {
        let (mut rows, mut pages, mut request) = (Vec::new(), 0, PageRequest::first(5000));
        loop {
            let page = block(bench.store.bills(scope.asked(&Filter::default(), &request, Ts(T0)))).unwrap();
            assert!(page.rows.len() < 600, "{}: {}", bench.name, page.rows.len());
            request.cursor = page.rows.last().map(|(cursor, _)| cursor.clone());
            rows.extend(page.rows);
            pages += 1;
            if !page.more {
                break;
            }
        }
        assert_eq!((rows.len() as u64, pages), (BILLS, 2), "{} {scope:?}", bench.name);
        for (_, row) in rows {
            let BillState::Settled(Outcome::Failed(failure)) = row.state else { panic!() };
            assert!(failure.message.len() <= 8192 && failure.message.contains("bytes, sha256 "));
        }
    }
}
