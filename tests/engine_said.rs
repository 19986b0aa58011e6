//! What a server says is told as it said it: refusals keep their words, and a look decides what they only claim.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod engine_support;

use engine_support::*;
use skydeck::domain::bill::Outcome;
use skydeck::domain::ids::RunId;
use skydeck::domain::run::{RunEnd, RunState};

fn message(bench: &Bench, run: RunId, n: u64) -> String {
    match bench.outcome(run, n) {
        Outcome::Failed(failure) => failure.message,
        other => panic!("{n}: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_submit_is_read_back_and_the_audit_follows_where_the_content_is_the_approved_one() {
    let mut bench = Bench::started().await;
    bench.policy(|p| p.submit = true);
    bench.try_start().await.unwrap();
    let words = "单据编号为“XSCKD3”的销售出库单，只有暂存、创建和重新审核的数据才允许提交！";
    let troubles = [
        (1, Trouble::Submitted(false)),
        (2, Trouble::Submitted(true)),
        (3, Trouble::Refused(11, words)),
        (4, Trouble::Overtaken),
        (5, Trouble::Refused(11, "字段“客户”是必填项")),
    ];
    for (n, trouble) in troubles {
        bench.world.add(n, "A");
        bench.world.with(|s| s.trouble_of.entry(fid(n)).or_default().push_back(trouble));
    }
    let row = bench.whole_run().await;
    let word = |n| bench.word(row.head.id, n);
    assert_eq!((word(1).as_str(), bench.world.posts_of(1)), ("audited", 2));
    assert_eq!((word(2).as_str(), bench.world.posts_of(2)), ("skipped:changed", 1));
    assert_eq!((word(3).as_str(), bench.world.posts_of(3)), ("failed:wrong_status", 1));
    assert_eq!(message(&bench, row.head.id, 3), words);
    assert_eq!((word(4).as_str(), bench.world.posts_of(4)), ("already_audited:zhang", 1));
    assert_eq!((word(5).as_str(), bench.world.status(5).as_str()), ("failed:validation", "A"));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn done_already_is_believed_after_a_look_and_contradicted_by_one_with_the_words_kept() {
    for (words, want) in [
        ("单据编号为“XSCKD1”的销售出库单，单据已经审核！", "failed:says_done"),
        ("單據已審核", "failed:says_done"),
        ("The document has been audited!", "failed:says_done"),
        ("单据已审核，所在期间已关账", "failed:period"),
        ("单据编号为“XSCKD1”的销售出库单，关联的销售发票已审核，不允许执行该操作！", "failed:validation"),
    ] {
        let mut bench = Bench::started().await;
        bench.world.submitted(1..=1);
        bench.world.with(|s| s.trouble.push_back(Trouble::Refused(11, words)));
        let row = bench.whole_run().await;
        assert_eq!(bench.word(row.head.id, 1), want, "{words}");
        assert_eq!(message(&bench, row.head.id, 1), words);
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_the_bill_is_proven_by_a_look_at_once() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=1);
    bench.world.with(|s| s.trouble.push_back(Trouble::NotNamed));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let (approve, before) = (bench.approval(run), bench.world.now());
    bench.accepted(approve).await;
    bench.closed(run).await;
    assert_eq!(bench.word(run, 1), "audited:verified");
    // On the world's own clock: no wait for the server's limit of open calls.
    let took = bench.world.now().saturating_sub(before);
    assert!(took < bench.world.server_limit, "{took:?}");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn what_was_not_applied_keeps_the_servers_words() {
    let words = "事务(进程 ID 1)与另一个进程被死锁在锁资源上";
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=1);
    bench.world.with(|s| s.trouble.extend([Trouble::Refused(4, words), Trouble::Refused(4, words)]));
    let row = bench.whole_run().await;
    assert_eq!(bench.word(row.head.id, 1), "failed:not_applied");
    assert_eq!(message(&bench, row.head.id, 1), words);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_session_lost_now_and_then_is_renewed_each_time_as_long_as_calls_are_done_between() {
    let mut bench = Bench::started().await;
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=9);
    for n in [1, 3, 5, 7] {
        bench.world.with(|s| s.trouble_of.entry(fid(n)).or_default().push_back(Trouble::SessionLost));
    }
    let row = bench.whole_run().await;
    assert_eq!((&row.state, row.tally.audited), (&RunState::Closed(RunEnd::Completed), 9));
    assert_eq!(bench.world.with(|s| (s.sign_ins, s.posts.len())), (4, 13));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn another_column_than_the_forms_number_stands_beside_no_call() {
    for (path, want) in [("FBillNo", "XSCKD1"), ("fnumber", "XSCKD1"), ("F_PAEZ_OrderNo", "")] {
        let mut bench = Bench::started().await;
        bench.plans.0.lock().unwrap()[0].source.number_path = path.into();
        bench.try_start().await.unwrap();
        bench.world.submitted(1..=1);
        let row = bench.whole_run().await;
        assert_eq!(bench.word(row.head.id, 1), "audited", "{path}");
        assert_eq!(bench.world.with(|s| s.numbers.clone()), [want], "{path}");
        bench.check();
    }
}
