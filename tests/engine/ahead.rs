//! The page that is read ahead: a status asked for before the server's limit had passed never decides after it.
use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::command::Command;
use skydeck::domain::run::RunState;

/// The server is at work on a lost call for almost as long as it may be; another run reaches that bill at every moment
/// around the limit, its status read while the page before was being called.
#[tokio::test(start_paused = true)]
async fn a_status_read_ahead_of_the_limit_never_repeats_a_call_after_it() {
    let (mut around, limit) = (0, Duration::from_secs(300));
    for start in 90..120 {
        let mut bench = Bench::new();
        bench.env.limits.settle = limit;
        bench.env.limits.per_minute = 60;
        bench.env.limits.concurrency = 1;
        bench.try_start().await.unwrap();
        bench.world.add(1000, "B");
        bench.world.with(|s| s.trouble.push_back(Trouble::Late(Duration::from_secs(298))));
        let first = bench.start_plan().await;
        bench.awaiting(first).await;
        let approve = bench.approval(first);
        bench.accepted(approve).await;
        bench.until(first, "settling", |s| *s == RunState::Settling).await;
        let sent = bench.world.with(|s| s.posts[0].at);
        bench.crash().await;
        bench.try_start().await.unwrap();
        bench.accepted(Command::Cancel { run: first }).await;
        bench.closed(first).await;
        // One page of bills before it, a call a second, so that the page with it is read ahead.
        bench.world.submitted(1..=200);
        let begin = sent + Duration::from_secs(start);
        tokio::time::sleep(begin.saturating_sub(bench.clock.start_elapsed())).await;
        let second = bench.start_plan().await;
        bench.awaiting(second).await;
        let approve = bench.approval(second);
        bench.accepted(approve).await;
        let row = bench.closed(second).await;
        assert_eq!(bench.world.posts_of(1000), 1, "started {start} s after the lost call");
        assert_eq!(row.tally.unknown + row.tally.waiting, 0, "{:?}", row.tally);
        assert_eq!(bench.world.with(|s| s.audits.len()), 201);
        let last = bench.world.with(|s| s.posts.iter().map(|p| p.at).max().unwrap());
        around += u32::from(last.abs_diff(sent + limit) < Duration::from_secs(5));
        bench.check();
    }
    assert!(around > 2, "no start came near the limit: {around}");
}
