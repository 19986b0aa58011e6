//! What a server says is told as it said it: refusals keep their words, and a look decides what they only claim.
use crate::engine_support::*;
use skydeck::domain::bill::Outcome;
use skydeck::domain::command::Command;
use skydeck::domain::event::Event;
use skydeck::domain::ids::RunId;
use skydeck::domain::run::{Revision, RunEnd, RunState};
use skydeck::engine::ports::FaultKind;

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

/// What a run has come to, once it rests.
async fn rested(bench: &mut Bench) -> RunId {
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.until(run, "at rest", |s| s.is_closed() || matches!(s, RunState::Paused(_))).await;
    run
}

/// Looks of a run at a bill that are on record.
fn looks(bench: &Bench, run: RunId, n: u64) -> usize {
    let is = |event: &Event| matches!(event, Event::BillRead { run: of, fid: f, .. } if *of == run && *f == fid(n));
    bench.facts().iter().filter(|fact| is(&fact.event)).count()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_took_and_was_refused_is_told_done_by_the_run_that_made_it() {
    for (code, words, else_failed) in [
        // Stops the plan: the other bills would be refused, too.
        (8, "后续服务插件未注册", "failed:parameter"),
        (9, "字段不存在", "failed:parameter"),
        (2, "您没有该功能的操作权限", "failed:permission"),
        // Words that prove nothing.
        (11, "审核后生成应收单失败", "failed:validation"),
        (500, "Object has no value", "failed:unclassified"),
    ] {
        for took in [true, false] {
            let mut bench = Bench::started().await;
            bench.world.submitted(1..=3);
            let trouble = if took { Trouble::RefusedAfter(code, words) } else { Trouble::Refused(code, words) };
            bench.world.with(|s| s.trouble_of.entry(fid(2)).or_default().push_back(trouble));
            let run = rested(&mut bench).await;
            let want = if took { "audited:verified" } else { else_failed };
            assert_eq!(bench.word(run, 2), want, "{code} {words}");
            assert_eq!(looks(&bench, run, 2), 1, "{code}: one look");
            if !took {
                assert_eq!(message(&bench, run, 2), words);
            }
            bench.check();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn members_of_a_batch_that_were_refused_are_looked_at_in_one_read() {
    let mut bench = Bench::started().await;
    bench.policy(|p| p.batch = 4);
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=13);
    // The first go alone; then batches of four, the second of which takes and is refused in words that stop the plan.
    bench.world.with(|s| {
        s.trouble.extend([const { Trouble::None }; 6]);
        s.trouble.push_back(Trouble::RefusedAfter(8, "后续服务插件未注册"));
    });
    let run = rested(&mut bench).await;
    let verified = (1..=13).filter(|n| bench.world.status(*n) == "C" && looks(&bench, run, *n) > 0).count();
    assert_eq!(verified, 4);
    assert_eq!(bench.run(run).tally.failed, 0, "{:?}", bench.run(run).tally);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_believed_by_its_words_is_put_right_by_a_verify_or_by_the_next_run() {
    for verify in [true, false] {
        let mut bench = Bench::started().await;
        bench.world.submitted(1..=2);
        bench.world.with(|s| {
            s.trouble_of.entry(fid(1)).or_default().push_back(Trouble::RefusedAfter(11, "库存不足"));
            s.trouble_of.entry(fid(2)).or_default().push_back(Trouble::Refused(11, "库存不足"));
        });
        let run = rested(&mut bench).await;
        assert_eq!([bench.word(run, 1), bench.word(run, 2)], ["failed:stock", "failed:stock"]);
        assert_eq!([looks(&bench, run, 1), looks(&bench, run, 2)], [0, 0], "such words are believed");
        let selection = Bench::all_matching();
        let order = if verify {
            Command::Verify { selection }
        } else {
            Command::Retry { selection, revision: Revision::Newest }
        };
        let next = bench.accepted(order).await.unwrap();
        if !verify {
            bench.awaiting(next).await;
            let approve = bench.approval(next);
            bench.accepted(approve).await;
        }
        bench.closed(next).await;
        assert_eq!(bench.word(next, 1), "audited:verified", "verify: {verify}");
        assert_eq!(bench.world.posts_of(1), 1, "no second call");
        assert_eq!(bench.word(next, 2), if verify { "failed:stock" } else { "audited" });
        if verify {
            assert_eq!(message(&bench, next, 2), "库存不足");
        }
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_audited_after_our_refused_call_is_not_ours() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    bench.world.with(|s| s.trouble.extend([const { Trouble::Refused(11, "库存不足") }; 2]));
    rested(&mut bench).await;
    bench.world.change(1, |d| (d.status, d.approver) = ("C".to_owned().into(), Some("zhang".into())));
    bench.world.change(2, |d| (d.status, d.approver) = ("C".to_owned().into(), None));
    let next = bench.accepted(Command::Verify { selection: Bench::all_matching() }).await.unwrap();
    bench.closed(next).await;
    // Neither is what nobody is named for, long after.
    assert_eq!([bench.word(next, 1), bench.word(next, 2)], ["already_audited:zhang", "already_audited"]);
    bench.check();
}

/// Two installations sign in as one ERP user: a name proves nothing of a bill that was done when our first call came.
#[tokio::test(start_paused = true)]
async fn what_another_installation_did_before_our_first_call_is_not_told_as_ours() {
    for (mine, readable) in [(false, true), (false, false), (true, true), (true, false)] {
        let mut bench = Bench::new();
        if mine {
            *bench.plans.0.lock().unwrap() = vec![close_plan("p", true)];
            bench.env.allow_operations = vec![CLOSE.into()];
        }
        bench.try_start().await.unwrap();
        bench.world.submitted(1..=1);
        bench.world.with(|s| s.trouble.push_back(Trouble::Twin));
        let run = bench.start_plan().await;
        bench.awaiting(run).await;
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        while bench.world.posts_of(1) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        if !readable {
            // The look that follows the refusal is not answered; the bill is read back once the server's limit has passed.
            bench.world.with(|s| s.read_faults.extend(std::iter::repeat_n(FaultKind::NoAnswer, 3)));
        }
        let row = bench.closed(run).await;
        assert_eq!(bench.word(run, 1), format!("already_audited:{US}"), "{mine} {readable}");
        assert_eq!((row.tally.already, row.tally.audited, bench.world.posts_of(1)), (1, 0, 1));
        assert_eq!(bench.world.with(|s| s.read_faults.len()), 0);
        bench.check();
    }
}

/// The answer to our first call was lost, so that it may be ours that the second one met.
#[tokio::test(start_paused = true)]
async fn what_our_lost_call_may_have_done_stays_ours_where_the_repeat_is_refused_as_done_before() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=1);
    let late = Trouble::Late(bench.env.limits.settle + std::time::Duration::from_secs(1));
    bench.world.with(|s| s.trouble.extend([late, Trouble::Slow(std::time::Duration::from_secs(2))]));
    let row = bench.whole_run().await;
    assert_eq!((bench.word(row.head.id, 1).as_str(), bench.world.posts_of(1)), ("audited:verified", 2));
    assert!(row.tally.closes());
    // The server was at work beyond its own limit, so that the two calls were there at a time: that is its doing.
    let broken = bench.world.with(|s| std::mem::take(&mut s.broken_rules));
    assert!(broken.len() == 1 && broken[0].contains("overlapping calls"), "{broken:?}");
    bench.check();
}
