//! Where a query begins.

use super::*;
use skydeck_core::domain::ids::{FormId, PlanId, PlanRev, RunId};
use skydeck_core::domain::plan::{Policy, Source, Target, WriteOptions};
use skydeck_core::domain::step::Verb;

fn plan(sweep_hours: u32) -> Plan {
    let form = FormId::new("SAL_OUTSTOCK");
    Plan {
        id: PlanId::new("p"),
        name: "p".into(),
        rev: PlanRev::new("r"),
        env: None,
        target_env: None,
        source: Source {
            form: form.clone(),
            columns: Vec::new(),
            filter: String::new(),
            mark_column: Some("FCreateDate".into()),
            id_path: "FID".into(),
            number_path: "FBillNo".into(),
            top_rows: 0,
            origin: skydeck_core::domain::plan::Origin::Query,
            condition: Vec::new(),
        },
        target: Target {
            verb: Verb::Audit,
            form,
            options: WriteOptions::default(),
            stripped_flags: Vec::new(),
            make: None,
            collects: false,
        },
        policy: Policy { sweep_hours, ..Policy::default() },
    }
}

#[test]
fn the_mark_is_used_only_while_a_sweep_is_not_due() {
    let hour = 3_600_000;
    let now = Ts(100 * hour);
    let mark = |swept: Option<i64>| Mark {
        seen: ErpDate::parse("2026-11-01 08:00:00").unwrap(),
        run: RunId(ulid::Ulid::nil()),
        swept: swept.map(Ts),
        clock: None,
        upto: None,
    };
    let params = StartParams::default();
    let below = ErpDate::parse("2026-11-01 07:50:00");
    let asked = StartParams { sweep: true, ..params.clone() };
    for (hours, mark, params, since, sweep) in [
        (24, None, &params, None, true),
        (24, Some(mark(None)), &params, None, true),
        (24, Some(mark(Some(90 * hour))), &params, below.clone(), false),
        (24, Some(mark(Some(70 * hour))), &params, None, true),
        (24, Some(mark(Some(200 * hour))), &params, None, true),
        (0, Some(mark(Some(99 * hour))), &params, None, true),
        (24, Some(mark(Some(90 * hour))), &asked, None, true),
    ] {
        let got = floor(&plan(hours), mark.as_ref(), params, now, None).unwrap();
        assert_eq!((got.since, got.sweep, got.moves_mark), (since, sweep, true), "{hours} {mark:?}");
    }
    let numbers = StartParams { numbers: vec!["X".into()], ..params.clone() };
    let cut = floor(&plan(24), None, &numbers, now, None).unwrap();
    assert!(!cut.sweep && !cut.moves_mark, "a run over some numbers proves nothing about the rest");
    let since = StartParams { since: Some("2026-11-02".into()), ..params };
    assert!(!floor(&plan(24), None, &since, now, None).unwrap().moves_mark);
    let day = StartParams { until: Some("2026-11-30".into()), ..StartParams::default() };
    let day = floor(&plan(24), None, &day, now, None).unwrap();
    assert!(!day.sweep && !day.moves_mark, "what lies after the range must be found by the next run");
    let row = |marked: Option<&str>| Found {
        probe: None,
        absent: false,
        outside: false,
        will: None,
        body: None,
        looked: None,
        lines: Vec::new(),
        fid: Fid::from(1),
        no: "X".into(),
        rev: skydeck_core::domain::bill::Rev {
            status: skydeck_core::domain::bill::Status::Submitted,
            modified: None,
            state: None,
        },
        approver: None,
        approved: None,
        marked: marked.and_then(ErpDate::parse),
        columns: Vec::new(),
        fields: Vec::new(),
    };
    for (marked, want) in [
        (Some("2026-11-30 23:59:59.5"), true),
        (Some("2026-11-01"), true),
        (Some("2026-12-01 00:00:00"), false),
        (None, false),
    ] {
        assert_eq!(day.reaches(&row(marked)), want, "{marked:?}");
    }
    for (since, until) in
        [(Some("yesterday"), None), (None, Some("tomorrow")), (Some("2026-11-02"), Some("2026-11-01"))]
    {
        let params =
            StartParams { since: since.map(str::to_owned), until: until.map(str::to_owned), ..StartParams::default() };
        assert!(floor(&plan(24), None, &params, now, None).is_err(), "{since:?} {until:?}");
    }
}
