//! What readers get: every fact in order, and answers about plans and environments.

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::ids::Fid;
use skydeck::domain::plan::Schedule;
use skydeck::domain::query::{Answer, Query};
use skydeck::domain::time::Clock;
use skydeck::engine::api::Notice;

#[tokio::test(start_paused = true)]
async fn a_watcher_gets_every_fact_in_order_and_is_told_to_start_again_when_it_lags() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=400);
    let mut watch = bench.engine.as_ref().unwrap().watch();
    let mut lazy = bench.engine.as_ref().unwrap().watch();
    let reader = tokio::spawn(async move {
        let mut live = std::mem::take(&mut watch.live);
        while let Some(notice) = watch.notices.recv().await {
            match notice {
                Notice::Facts(facts) => {
                    for fact in facts.iter() {
                        assert_eq!(fact.seq.0, live.seq.0 + 1, "no holes");
                        live.apply(fact);
                    }
                }
                Notice::Resync(_) => panic!("this reader keeps up"),
                Notice::Pulse(_) | Notice::PlansReloaded | Notice::Unusual => {}
            }
            let done = live.runs.values().any(|r| r.row.state.is_closed());
            if done {
                break;
            }
        }
        live
    });
    let row = bench.whole_run().await;
    let live = reader.await.unwrap();
    assert_eq!(live.runs[&row.head.id].row.tally, row.tally);
    assert_eq!(live.faults, Vec::<String>::new());
    let mut resynced = false;
    while let Ok(Some(notice)) = tokio::time::timeout(Duration::from_secs(5), lazy.notices.recv()).await {
        if let Notice::Resync(live) = notice {
            resynced = true;
            assert_eq!(live.runs[&row.head.id].row.tally, row.tally);
        }
    }
    assert!(resynced, "a reader that let its queue fill up gets the state instead");
}

#[tokio::test(start_paused = true)]
async fn plans_and_environments_are_answered() {
    let mut bench = Bench::new();
    bench.policy(|p| {
        let (cron, zone) = ("0 3 * * *".to_owned(), "Asia/Shanghai".to_owned());
        p.schedule = Some(Schedule { cron, zone, ..Schedule::default() });
    });
    bench.try_start().await.unwrap();
    bench.world.add(1, "A");
    bench.whole_run().await;
    let engine = bench.engine.as_ref().unwrap();
    let Answer::Plans(plans) = engine.ask(Query::Plans).await.unwrap() else { panic!() };
    assert_eq!((plans.len(), plans[0].last.len(), plans[0].unresolved), (1, 1, 1));
    assert!(plans[0].mark.is_some());
    let next = plans[0].next.unwrap().0;
    assert_eq!(next % 86_400_000, 19 * 3_600_000, "three o'clock in Shanghai");
    assert!(next > bench.clock.now().0);
    let Answer::Environments(envs) = engine.ask(Query::Environments).await.unwrap() else { panic!() };
    assert_eq!(envs[0].unlocked_until, None);
    let Answer::Bills(page) = engine.ask(Query::FindBill { number: "XSCKD1".into(), limit: 5 }).await.unwrap() else {
        panic!()
    };
    assert_eq!(page.rows[0].1.fid(), &Fid::from(1));
}
