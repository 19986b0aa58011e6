//! Retries: which bills they take, under which plan, and what they leave out with its reason.
use std::sync::Arc;

use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, Refusal, Selection};
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, FormId, PlanId, RunId};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::Revision;
use skydeck::engine::ports::Erp;
use skydeck::store::actions::Line;

fn env() -> EnvId {
    EnvId::new("test")
}

fn retry(selection: Selection) -> Command {
    Command::Retry { selection, revision: Revision::Newest }
}

#[tokio::test(start_paused = true)]
async fn a_retry_leaves_out_what_is_on_another_server_and_goes_on_with_the_rest() {
    let mut bench = Bench::new();
    let world = World::of(&bench.clock, "second");
    bench.behind.push((other_environment("second"), Arc::clone(&world) as Arc<dyn Erp>));
    let (mut p, mut q) = (plan("p"), plan("q"));
    (p.env, q.env) = (Some(env()), Some(EnvId::new("second")));
    *bench.plans.0.lock().unwrap() = vec![p, q];
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=1);
    world.submitted(1..=2);
    bench.refused_in("p", &[1]).await;
    world.with(|s| s.trouble.extend([Trouble::Refused(11, "库存不足"), Trouble::Refused(11, "库存不足")]));
    assert_eq!(bench.whole_run_of("q").await.tally.failed, 2);
    let receipt = bench.order(retry(Bench::all_matching())).await;
    let Receipt::Accepted { run: Some(run), more, .. } = receipt else { panic!("{receipt:?}") };
    let line: Line = serde_json::from_str(bench.actions.lines().last().unwrap()).unwrap();
    assert_eq!((line.deed.env, line.deed.run), (Some("test".into()), Some(run.to_string())), "that of the first");
    for run in [run, more[0]] {
        bench.awaiting(run).await;
        bench.accepted(Command::Cancel { run }).await;
        bench.closed(run).await;
    }
    bench.crash().await;
    bench.env.server = server("http://elsewhere.invalid/k3cloud", "0");
    bench.try_start().await.unwrap();
    let receipt = bench.order(retry(Bench::all_matching())).await;
    let Receipt::Accepted { run: Some(run), more, bills } = receipt else { panic!("{receipt:?}") };
    assert_eq!((bench.run(run).head.plan.as_str(), more, bills), ("q", Vec::new(), 2));
    assert_eq!(bench.last_said("retry"), "accepted; left out: 1 of an environment whose server is another one now");
    let line: Line = serde_json::from_str(bench.actions.lines().last().unwrap()).unwrap();
    assert_eq!((line.deed.env, line.deed.run), (Some("second".into()), Some(run.to_string())));
}

/// Plans p and q over one environment, each with bills of its own that were refused.
async fn two_plans() -> (Bench, RunId, RunId) {
    let mut bench = Bench::new();
    let q = plan("q");
    bench.plans.0.lock().unwrap().push(q);
    bench.policy(|policy| policy.carry_over = false);
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=1);
    let p = bench.refused_in("p", &[1]).await.head.id;
    bench.world.change(1, |doc| doc.status = "C".to_owned().into());
    bench.world.submitted(2..=3);
    let q = bench.refused_in("q", &[2, 3]).await.head.id;
    bench.world.change(1, |doc| doc.status = "B".to_owned().into());
    (bench, p, q)
}

#[tokio::test(start_paused = true)]
async fn a_retry_opens_a_run_a_plan_and_names_the_first() {
    let (mut bench, p, q) = two_plans().await;
    let before = bench.actions.lines().len();
    let receipt = bench.order(retry(Bench::all_matching())).await;
    let Receipt::Accepted { run: Some(first), more, bills } = receipt else { panic!("{receipt:?}") };
    assert_eq!((more.len(), bills), (1, 3));
    let heads = [first, more[0]].map(|run| bench.run(run).head);
    assert_eq!(
        heads.clone().map(|head| (head.plan.to_string(), head.of)),
        [("p".into(), Some(p)), ("q".into(), Some(q))]
    );
    assert_eq!(bench.last_said("retry"), "accepted");
    let line: Line = serde_json::from_str(&bench.actions.lines()[before]).unwrap();
    assert_eq!((line.deed.run, line.deed.plan, line.deed.n), (Some(first.to_string()), Some("p".into()), 3));
    assert_eq!(line.deed.ids, ["1", "2", "3"]);
    // A plan with an open run is not retried, alone or among others.
    for run in [first, more[0]] {
        bench.awaiting(run).await;
    }
    let of = |plan: &str| Selection::Matching { plan: Some(PlanId::new(plan)), run: None, filter: Filter::default() };
    let busy = Refusal::Busy(Reason::Busy { plan: PlanId::new("p"), run: first });
    assert_eq!(bench.refused(retry(of("p"))).await, busy);
    bench.accepted(Command::Cancel { run: more[0] }).await;
    bench.closed(more[0]).await;
    let receipt = bench.order(retry(Bench::all_matching())).await;
    let Receipt::Accepted { run: Some(again), more, bills } = receipt else { panic!("{receipt:?}") };
    assert_eq!((bench.run(again).head.plan.as_str(), more, bills), ("q", Vec::new(), 2));
    assert_eq!(bench.last_said("retry"), "accepted; left out: 1 of a plan that is busy or cannot be used");
}

#[tokio::test(start_paused = true)]
async fn bills_of_several_runs_are_retried_as_of_none() {
    let mut bench = Bench::new();
    bench.policy(|policy| policy.carry_over = false);
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=1);
    bench.refused_in("p", &[1]).await;
    bench.world.change(1, |doc| doc.status = "C".to_owned().into());
    bench.world.submitted(2..=2);
    bench.refused_in("p", &[2]).await;
    let run = bench.accepted(retry(Bench::all_matching())).await.unwrap();
    let row = bench.awaiting(run).await;
    assert_eq!((row.tally.found, row.head.of), (2, None));
}

#[tokio::test(start_paused = true)]
async fn bills_are_retried_only_where_and_as_their_plan_still_means_them() {
    for (changed, to_form) in [(false, false), (true, false), (false, true)] {
        let mut bench = Bench::new();
        let world = World::of(&bench.clock, "second");
        bench.behind.push((other_environment("second"), Arc::clone(&world) as Arc<dyn Erp>));
        bench.plans.0.lock().unwrap()[0].env = Some(env());
        bench.try_start().await.unwrap();
        bench.world.submitted(1..=1);
        bench.refused_in("p", &[1]).await;
        if changed {
            bench.plans.0.lock().unwrap()[0].env = Some(EnvId::new("second"));
        }
        if to_form {
            let form = FormId::new("SAL_RETURNSTOCK");
            let plan = &mut bench.plans.0.lock().unwrap()[0];
            (plan.source.form, plan.target.form) = (form.clone(), form);
        }
        bench.accepted(Command::ReloadPlans).await;
        let order = retry(Bench::all_matching());
        if changed || to_form {
            let (plan, form) = (PlanId::new("p"), FormId::new(FORM));
            let not_here = Refusal::BadPlan(Reason::NotHere { plan, form, env: env() });
            assert_eq!(bench.refused(order).await, not_here);
            assert_eq!(bench.store.open_runs().unwrap().len(), 0);
            if to_form {
                // Beside bills that it still means, they are left out.
                bench.world.submitted(2..=3);
                bench.refused_in("p", &[2, 3]).await;
                let run = bench.accepted(retry(Bench::all_matching())).await.unwrap();
                assert_eq!(bench.awaiting(run).await.tally.found, 2);
                assert_eq!(bench.last_said("retry"), "accepted; left out: 1 of a plan that is busy or cannot be used");
            }
        } else {
            bench.accepted(order).await;
        }
        assert_eq!(world.with(|s| s.calls), 0);
    }
}
