//! What stands out of a plan, over the real engine on a virtual clock: it is told, a person says that it is no alarm, and that
//! holds for whoever follows the facts later.

use std::time::Duration;

use crate::engine_support::{Bench, cause};
use skydeck::domain::command::{Command, Receipt, Refusal};
use skydeck::domain::forecast::{Forecasts, Named, PlanForecast, What};
use skydeck::domain::ids::PlanId;
use skydeck::domain::query::{Answer, Query};
use skydeck::domain::reason::Reason;
use skydeck::engine::Calendar;
use skydeck::engine::api::Notice;

fn look_ahead(bench: &Bench) {
    bench.engine.as_ref().unwrap().look_ahead(Calendar::china().clone(), 1.0);
}

async fn said(bench: &Bench) -> PlanForecast {
    for _ in 0..1000 {
        let Answer::Forecast(all) = bench.engine.as_ref().unwrap().ask(Query::Forecast(None)).await.unwrap() else {
            panic!("another answer")
        };
        let Forecasts { behind, mut plans, .. } = *all;
        if behind.is_none() {
            return plans.remove(0);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("the past was never read")
}

#[tokio::test(start_paused = true)]
async fn a_quiet_plan_is_told_and_a_person_says_that_it_is_no_alarm() {
    let mut bench = Bench::started().await;
    look_ahead(&bench);
    let hours = |n: u64| tokio::time::sleep(Duration::from_secs(3600 * n));
    let mut next = 1;
    for n in 0..90 {
        let some = 5 + n % 4;
        bench.world.submitted(next..=next + some);
        next += some + 1;
        bench.whole_run().await;
        hours(3).await;
    }
    assert_eq!(said(&bench).await.found, [], "as usual");
    let mut watch = bench.engine.as_ref().unwrap().watch();
    for _ in 0..8 {
        bench.whole_run().await;
        hours(3).await;
    }
    let quiet = said(&bench).await;
    let [found] = &quiet.found[..] else { panic!("{quiet:?}") };
    assert_eq!(found.finding.what(), What::Quiet, "{found:?}");
    let mut told = 0;
    while let Ok(notice) = watch.notices.try_recv() {
        told += u32::from(matches!(notice, Notice::Unusual));
    }
    assert_eq!(told, 1, "whoever shows it is told once to ask again");
    let alarm = Named::of(&PlanId::new("p"), &found.finding);
    let other = Named { what: What::Growing, group: Some(cause("stock").to_string()), ..alarm.clone() };
    let nothing = Refusal::Nothing(Reason::NoSuchAlarm { plan: PlanId::new("p") });
    assert_eq!(bench.refused(Command::Deny { alarm: other }).await, nothing, "nobody said that");
    assert!(matches!(bench.order(Command::Deny { alarm: alarm.clone() }).await, Receipt::Accepted { .. }));
    assert_eq!(said(&bench).await.found, [], "at once");
    assert_eq!(bench.refused(Command::Deny { alarm: alarm.clone() }).await, nothing, "once");
    assert!(bench.last_said("deny").starts_with("nothing to do: nothing stands out of plan p"), "in the journal, too");
    hours(1).await;
    let kept = said(&bench).await;
    let denied: u32 = kept.lines.iter().map(|line| line.record.denied).sum();
    assert_eq!((&kept.found[..], denied), (&[][..], 1), "{kept:?}");
    // Whoever reads the facts anew comes to the same.
    bench.crash().await;
    bench.try_start().await.unwrap();
    look_ahead(&bench);
    let anew = said(&bench).await;
    assert_eq!((anew.found, anew.lines), (kept.found, kept.lines));
}
