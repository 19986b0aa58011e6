//! The data centre that a sign-in tells belongs to the server: it is added once, and another one ends the run.

use std::time::Duration;

use super::{HOME, NEW_HOME, adopt, bound, denied, moved, rows, start};
use crate::engine_support::*;
use skydeck::domain::command::Command;
use skydeck::domain::ids::EnvId;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, RunEnd, RunState};
use skydeck::domain::server::Server;

#[tokio::test(start_paused = true)]
async fn the_first_sign_in_that_tells_a_data_centre_adds_it() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    bench.whole_run().await;
    bench.world.with(|s| s.centre = Some("c-1".into()));
    bench.world.submitted(3..=4);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let told = bound(&bench).pop().unwrap();
    assert_eq!(told.server.centre.as_deref(), Some("c-1"));
    assert_eq!(told.was, Some(server(HOME, "0")));
    assert_eq!(rows(&bench).await[0].home.as_ref().unwrap().centre.as_deref(), Some("c-1"));
    // Before the approval a sign-in tells another one, of this process or of the next: a copy of the database.
    let posts = bench.world.with(|s| s.posts.len());
    let approve = bench.approval(run);
    bench.world.with(|s| s.centre = Some("c-2".into()));
    assert!(matches!(denied(bench.order(approve.clone()).await), Reason::OtherAccountSet { .. }));
    bench.crash().await;
    bench.try_start().await.unwrap();
    let is = Server { centre: Some("c-2".into()), ..server(HOME, "0") };
    let wrong = Reason::OtherAccountSet { env: EnvId::new("test"), was: told.server, is };
    assert_eq!(denied(bench.order(approve.clone()).await), wrong);
    assert_eq!(denied(bench.order(adopt("a copy")).await), wrong);
    assert_eq!(bench.world.with(|s| s.posts.len()), posts);
    // Signed calls are told none: that decides nothing.
    bench.crash().await;
    bench.world.with(|s| s.centre = None);
    bench.try_start().await.unwrap();
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 2);
    bench.world.with(|s| s.centre = Some("c-1".into()));
    bench.world.submitted(5..=5);
    bench.whole_run().await;
    assert_eq!(bound(&bench).len(), 2, "told once");
    // A new address is adopted before it has told any: what is known of the data centre stays known.
    let other = moved(&mut bench, NEW_HOME, "0").await;
    bench.accepted(adopt("a new host")).await;
    assert_eq!(bound(&bench)[2].server, Server { centre: Some("c-1".into()), ..server(NEW_HOME, "0") });
    other.with(|s| s.centre = Some("c-2".into()));
    assert!(matches!(denied(bench.order(start("p")).await), Reason::OtherAccountSet { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_run_at_work_stops_when_a_sign_in_tells_another_data_centre() {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 1;
    bench.env.limits.per_minute = 60;
    bench.world.with(|s| s.centre = Some("c-1".into()));
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=20);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.world.with(|s| s.centre = Some("c-2".into()));
    let row = bench.paused(run).await;
    let RunState::Paused(PauseWhy::Stopped(Reason::OtherAccountSet { was, is, .. })) = row.state else {
        panic!("{:?}", row.state)
    };
    assert_eq!((was.centre.as_deref(), is.centre.as_deref()), (Some("c-1"), Some("c-2")));
    let (posts, done) = bench.world.with(|s| (s.posts.len(), s.audits.len()));
    assert!((1..19).contains(&posts) && posts == done, "{posts}");
    for n in 1..=20 {
        bench.world.change(n, |doc| doc.approver = Some("zhang".into()));
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    let row = bench.run(run);
    assert_eq!((row.tally.audited as usize, row.tally.already), (posts, 0), "nothing read there is believed");
    assert_eq!(bench.world.with(|s| s.posts.len()), posts);
    let fresh = denied(bench.order(Command::Resume { run }).await);
    assert!(matches!(fresh, Reason::OtherAccountSet { .. }));
    bench.accepted(Command::Cancel { run }).await;
    bench.closed(run).await;
    // Where the first sign-in of a run tells it, no set comes of it.
    bench.crash().await;
    bench.world.with(|s| s.centre = None);
    bench.try_start().await.unwrap();
    bench.world.with(|s| s.between = Some(Box::new(|s, _| s.centre = Some("c-2".into()))));
    let run = bench.start_plan().await;
    let row = bench.closed(run).await;
    assert!(
        matches!(&row.state, RunState::Closed(RunEnd::CollectFailed(Reason::OtherAccountSet { .. }))),
        "{:?}",
        row.state
    );
}
