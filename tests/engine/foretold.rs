//! What is certain of bills before they are called.

use crate::engine_support::*;
use skydeck::domain::bill::Will;
use skydeck::domain::command::Command;
use skydeck::domain::filter::Filter;
use skydeck::domain::query::{Answer, PageRequest, Query, Scope};
use skydeck::domain::run::Revision;

#[tokio::test(start_paused = true)]
async fn a_bill_that_did_not_change_since_it_was_refused_is_foretold_and_called_all_the_same() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=3);
    for (n, said) in [(1, "“客户”不能为空"), (2, "库存不足"), (3, "“客户”不能为空")] {
        bench.world.with(|s| s.trouble_of.entry(fid(n)).or_default().push_back(Trouble::Refused(11, said)));
    }
    let first = bench.whole_run().await;
    assert_eq!((first.tally.failed, first.collected.unwrap().will), (3, Vec::new()), "nothing was known of them");
    // Somebody corrected the third.
    bench.world.change(3, |_| {});
    let order = Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest };
    let run = bench.accepted(order).await.unwrap();
    let row = bench.awaiting(run).await;
    assert_eq!(row.collected.unwrap().will, [(cause("validation"), 1)], "stock may have come in since");
    let will = |bench: &Bench, n| bench.store.bill_of_run(run, &fid(n)).unwrap().unwrap().will;
    assert_eq!(will(&bench, 1).as_deref(), Some(&Will::Again(cause("validation"))));
    assert_eq!((will(&bench, 2), will(&bench, 3)), (None, None));
    for (text, many) in
        [("likely:fail", 1), ("可能:失败", 1), ("likely:validation", 1), ("likely:period", 0), ("-likely:fail", 2)]
    {
        let filter = Filter::parse(text).unwrap();
        let query = Query::Bills { scope: Scope::Run(run), filter, page: PageRequest::first(10) };
        let Answer::Bills(page) = bench.engine.as_ref().unwrap().ask(query).await.unwrap() else { panic!("{text}") };
        assert_eq!(page.rows.len(), many, "{text}");
    }
    let calls = bench.world.with(|s| s.posts.len());
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 3, "the ERP has the last word");
    assert_eq!(bench.world.with(|s| s.posts.len()) - calls, 3);
    assert_eq!(will(&bench, 1), None, "what became of it stands there now");
}
