//! A prompt of the ERP, from its refusal to the call that answers it: the plan carries the flag and does not send it, the approval
//! of one run chooses it, and that run's calls have it in them. The real engine and client against the simulator.

use crate::engine_support::*;
use crate::histories::wire::{Wire, client};
use fastrand::Rng;
use serde_json::{Value, json};
use skydeck::domain::bill::Outcome;
use skydeck::domain::command::{Command, Receipt, Refusal};
use skydeck::domain::ids::{Fid, PlanId};
use skydeck::domain::plan::{Column, Plan, Source};
use skydeck::domain::run::Revision;
use skydeck::sim::{WorldConfig, demo_credentials};

/// A plan's file, with two flags in its target.
fn plan_text() -> String {
    let mut plan: Value = serde_json::from_str(include_str!("../../plans/sal_outstock_audit.json")).unwrap();
    let fields = plan["target"]["request"].as_array_mut().unwrap();
    fields.retain(|field| field["field"] != "InterationFlags");
    fields.push(json!({"field": "InterationFlags", "value": "STK_InvCheckResult;SAL_DOWNPRICECHECK"}));
    plan.to_string()
}

#[tokio::test(start_paused = true)]
async fn the_flag_of_a_prompt_is_carried_by_the_plan_chosen_for_one_run_and_sent_in_its_calls() {
    let read = skydeck::plan::read(PlanId::new("p"), &plan_text()).unwrap().plan;
    let columns = vec![Column { key: "FBillTypeID".into(), path: "FBillTypeID.FNumber".into(), label: "type".into() }];
    let base = plan("p");
    let plan = Plan { target: read.target, source: Source { columns, ..base.source }, ..base };
    assert_eq!(plan.target.stripped_flags, [flag("STK_InvCheckResult"), flag("SAL_DOWNPRICECHECK")]);
    let offered = plan.target.stripped_flags[0].clone();
    let mut bench = Bench::new();
    bench.env.user = demo_credentials().user;
    let config = WorldConfig { bills: 12, ..WorldConfig::default() };
    let wire = Wire::new(&config, &bench.clock, Rng::with_seed(1));
    let bills = wire.admin(&format!("bills?form={FORM}"), &Value::Null);
    let ids: Vec<u64> = bills["bills"].as_array().unwrap().iter().map(|bill| bill["id"].as_u64().unwrap()).collect();
    for (n, id) in ids.iter().enumerate() {
        wire.admin("bill", &json!({"id": id, "status": if n < 2 { "B" } else { "C" }, "interaction": n == 1}));
    }
    *bench.plans.0.lock().unwrap() = vec![plan];
    bench.erp = Some(client(&wire));
    bench.try_start().await.unwrap();

    let row = bench.whole_run().await;
    assert_eq!((row.tally.audited, row.tally.failed), (1, 1), "{row:?}");
    let prompted = Fid::from(ids[1]);
    let state = bench.store.bill_of_run(row.head.id, &prompted).unwrap().unwrap().state;
    let Some(Outcome::Failed(failure)) = state.outcome() else { panic!("{state:?}") };
    assert_eq!(causes().flag(failure), Some(offered.0.as_str()), "{failure:?}");
    let sent = wire.writes();
    assert!(!sent.is_empty() && sent.iter().all(|call| !call.contains(&offered.0)), "not by itself: {sent:?}");

    let retry = Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest };
    let run = bench.accepted(retry).await.unwrap();
    bench.awaiting(run).await;
    let Command::Approve { hash, .. } = bench.approval(run) else { panic!() };
    let approve = |reason: Option<&str>| Command::Approve {
        run,
        hash: hash.clone(),
        typed: Some("1".into()),
        flags: vec![offered.clone()],
        reason: reason.map(str::to_owned),
    };
    let without = bench.order(approve(None)).await;
    assert!(matches!(without, Receipt::Refused(Refusal::NotConfirmed(_))), "it wants a reason: {without:?}");
    bench.accepted(approve(Some("counted this morning"))).await;
    let row = bench.closed(run).await;
    assert_eq!((row.tally.audited, row.flags.as_slice()), (1, [offered.clone()].as_slice()));
    assert_eq!(wire.state(ids[1]).0, "C");
    let after: Vec<String> = wire.writes().split_off(sent.len());
    let carried = |call: &String| call.contains(r#""InterationFlags":"STK_InvCheckResult""#);
    assert!(!after.is_empty() && after.iter().all(carried), "and no other flag: {after:?}");
    bench.check();
}
