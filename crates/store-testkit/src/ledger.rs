//! What the ledger promises: an unresolved bill stays in it until something is known, however many runs come and go.

use skydeck_core::domain::bill::{BillState, Outcome, Skip, Slot, UnknownWhy};
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{Fid, PlanId, Seq};
use skydeck_core::domain::query::Scope;
use skydeck_core::domain::run::RunKind;
use skydeck_core::domain::step::Step;
use skydeck_core::domain::time::{ErpDate, Ts};

use crate::facts::{
    T0, approved, audited, begun, closed, collected, deferred, failed, found, found_bill, head, key, opened, resolved,
    run_id, settled, skipped, tried, unknown, who,
};
use crate::{Bench, block};

pub(super) fn the_ledger_keeps_what_is_unresolved_over_runs(b: &Bench) {
    b.ok(begun(1, "p", &[1, 2, 3, 4]));
    b.ok(vec![
        settled(1, 1, Slot::Waiting, failed("stock")),
        settled(1, 2, Slot::Waiting, unknown(UnknownWhy::TimedOut)),
        settled(1, 3, Slot::Waiting, failed("stock")),
        settled(1, 4, Slot::Waiting, audited()),
        closed(1),
    ]);
    assert_eq!(block(b.store.unresolved(None)).unwrap(), 3, "{}", b.name);
    assert_eq!(b.groups(None), [("stock".into(), 2), ("timed_out".into(), 1)]);
    assert_eq!(b.fids(Scope::Ledger, ""), ["1", "2", "3"]);
    assert_eq!(b.fids(Scope::Ledger, "cause:stock"), ["1", "3"]);
    assert_eq!(b.fids(Scope::Ledger, "cause:st*,timed_out -fid:1"), ["2", "3"]);
    assert_eq!(b.fids(Scope::Ledger, "status:unknown"), ["2"]);
    let since = block(b.store.ledger_entry(&key(1))).unwrap().unwrap().since;
    // A second run of another plan finds one again: the entry still tells the last outcome.
    b.ok(begun(2, "q", &[1, 2]));
    let entry = block(b.store.ledger_entry(&key(2))).unwrap().unwrap();
    assert_eq!(entry.row.state, BillState::Settled(unknown(UnknownWhy::TimedOut)));
    assert_eq!(block(b.store.bill(&key(2))).unwrap().unwrap().run, run_id(2));
    // It fails for another reason: group and plan move, the age stays.
    b.ok(vec![settled(2, 1, Slot::Waiting, failed("period"))]);
    let entry = block(b.store.ledger_entry(&key(1))).unwrap().unwrap();
    assert_eq!((entry.since, entry.row.open_since, entry.row.run), (since, Some(since), run_id(2)));
    assert_eq!(b.groups(Some("q")), [("period".into(), 1)]);
    assert_eq!(b.fids(Scope::Ledger, "plan:q"), ["1"]);
    // A run that did not get to an unknown bill does not make it known.
    b.ok(vec![settled(2, 2, Slot::Waiting, skipped(Skip::NotReached)), closed(2)]);
    assert_eq!(b.groups(Some("p")), [("stock".into(), 1), ("timed_out".into(), 1)]);
    // A retry ends one well, a person another.
    b.ok(begun(3, "p", &[3]));
    b.ok(vec![settled(3, 3, Slot::Waiting, audited()), closed(3), resolved(2)]);
    assert_eq!(b.fids(Scope::Ledger, ""), ["1"]);
    assert_eq!(
        (block(b.store.unresolved(Some(&PlanId::new("p")))).unwrap(), block(b.store.unresolved(None)).unwrap()),
        (0, 1)
    );
    assert_eq!(block(b.store.ledger_entry(&key(2))).unwrap(), None);
    b.ok(vec![resolved(2)]);
    assert_eq!(block(b.store.unresolved(Some(&PlanId::new("nobody")))).unwrap(), 0);
}

pub(super) fn a_group_is_as_old_as_the_oldest_bill_that_is_still_in_it(b: &Bench) {
    b.ok(begun(1, "p", &[1, 2]));
    b.ok(vec![settled(1, 1, Slot::Waiting, failed("stock"))]);
    std::thread::sleep(std::time::Duration::from_millis(5));
    b.ok(vec![settled(1, 2, Slot::Waiting, failed("stock")), closed(1)]);
    let since = |n| block(b.store.ledger_entry(&key(n))).unwrap().map(|entry| entry.since);
    let oldest = || block(b.store.ledger_groups(None)).unwrap()[0].oldest;
    let (first, second) = (since(1), since(2));
    assert!(first < second, "{}", b.name);
    assert_eq!(oldest(), first, "{}", b.name);
    b.ok(vec![resolved(1)]);
    assert_eq!((since(1), oldest()), (None, second), "{}", b.name);
}

pub(super) fn a_run_nobody_approved_leaves_the_ledger_alone_and_a_verify_run_does_not(b: &Bench) {
    b.ok(begun(1, "p", &[1]));
    b.ok(vec![settled(1, 1, Slot::Waiting, unknown(UnknownWhy::Broken)), closed(1)]);
    b.ok(vec![opened(2, "p"), found(2, &[1, 2]), settled(2, 1, Slot::Waiting, skipped(Skip::NotReached))]);
    b.ok(vec![settled(2, 2, Slot::Waiting, skipped(Skip::NotReached)), closed(2)]);
    assert_eq!(b.fids(Scope::Ledger, ""), ["1"], "{}", b.name);
    b.ok(vec![Event::RunOpened(Box::new(head(3, "p", RunKind::Verify))), found(3, &[1])]);
    b.ok(vec![settled(3, 1, Slot::Waiting, Outcome::Done { verified: true }), closed(3)]);
    assert!(b.fids(Scope::Ledger, "").is_empty());
}

pub(super) fn a_read_back_lets_a_later_skip_replace_the_unknown(b: &Bench) {
    b.ok(begun(1, "p", &[1]));
    b.ok(vec![settled(1, 1, Slot::Waiting, unknown(UnknownWhy::Broken)), deferred(1, 1, Slot::Unknown)]);
    assert_eq!(b.groups(None), [("broken".into(), 1)], "{}", b.name);
    b.ok(vec![settled(1, 1, Slot::Waiting, skipped(Skip::NotReached)), closed(1)]);
    assert_eq!(b.groups(None), [("not_reached".into(), 1)]);
}

pub(super) fn deaths_are_counted_once_a_call_and_forgotten_when_resolved(b: &Bench) {
    b.ok(begun(1, "p", &[1, 2]));
    for attempt in 1..=2 {
        b.ok(vec![tried(1, 1, Step::Audit, attempt)]);
        b.ok(vec![Event::RunInterrupted { run: run_id(1) }]);
        b.ok(vec![Event::RunInterrupted { run: run_id(1) }]);
        b.ok(vec![settled(1, 1, Slot::Waiting, unknown(UnknownWhy::ProcessDied))]);
        assert_eq!(block(b.store.ledger_entry(&key(1))).unwrap().unwrap().deaths, attempt, "{}", b.name);
        b.ok(vec![deferred(1, 1, Slot::Unknown)]);
    }
    b.ok(vec![tried(1, 1, Step::Audit, 3), settled(1, 1, Slot::Waiting, audited())]);
    b.ok(vec![settled(1, 2, Slot::Waiting, audited()), closed(1)]);
    b.ok(begun(2, "p", &[1]));
    b.ok(vec![settled(2, 1, Slot::Waiting, failed("stock"))]);
    assert_eq!(block(b.store.ledger_entry(&key(1))).unwrap().unwrap().deaths, 0);
    assert_eq!(block(b.store.bill_of_run(run_id(1), &Fid::from(1))).unwrap().unwrap().attempts, 3);
    // Also where the bill ended well before it was ever unknown.
    b.ok(vec![closed(2)]);
    b.ok(begun(3, "p", &[4]));
    b.ok(vec![tried(3, 4, Step::Audit, 1), Event::RunInterrupted { run: run_id(3) }]);
    b.ok(vec![settled(3, 4, Slot::Waiting, audited()), closed(3)]);
    b.ok(begun(4, "p", &[4]));
    b.ok(vec![settled(4, 4, Slot::Waiting, failed("stock")), closed(4)]);
    assert_eq!(block(b.store.ledger_entry(&key(4))).unwrap().unwrap().deaths, 0, "{}", b.name);
}

pub(super) fn an_unknown_bill_leaves_the_ledger_by_what_says_something_about_it_and_by_nothing_else(bench: &Bench) {
    // What is told; what the entry says then, where it was unknown before; and where it was known.
    let stays = Some("timed_out");
    let told = [
        (audited(), None, None),
        (Outcome::Already { by: None, on: None }, None, None),
        (unknown(UnknownWhy::Broken), Some("broken"), Some("broken")),
        (failed("period"), Some("period"), Some("period")),
        (failed("not_connected"), stays, Some("not_connected")),
        (failed("session"), stays, Some("session")),
        (failed("credentials"), stays, Some("credentials")),
        // Nothing was learnt: what it was refused for still keeps it back.
        (skipped(Skip::NotReached), stays, Some("stock")),
        (skipped(Skip::Outside), stays, Some("outside_filter")),
        (skipped(Skip::Missing), stays, Some("missing")),
        (skipped(Skip::UnknownElsewhere), stays, Some("unknown_elsewhere")),
        (skipped(Skip::Held("held".into())), stays, Some("held")),
        (skipped(Skip::Excluded), stays, None),
        (skipped(Skip::Quarantined), stays, Some("quarantined")),
        (skipped(Skip::Changed), Some("changed"), Some("changed")),
        (skipped(Skip::Gone), None, None),
        (skipped(Skip::Draft), Some("draft"), Some("draft")),
    ];
    // Each row is two bills, each of a plan of its own: one run tells what was, the next one what comes.
    let (mut events, mut want) = (Vec::new(), Vec::new());
    for (n, (then, was_unknown, was_known)) in (1..).zip(told) {
        for (fid, before, group) in
            [(n, unknown(UnknownWhy::TimedOut), was_unknown), (n + 100, failed("stock"), was_known)]
        {
            let plan = format!("p{fid}");
            for (run, outcome) in [(2 * fid, before), (2 * fid + 1, then.clone())] {
                events.extend(begun(run, &plan, &[fid]));
                events.extend([settled(run, fid, Slot::Waiting, outcome), closed(run)]);
            }
            want.push((plan, group, format!("{then:?}")));
        }
    }
    bench.ok(events.clone());
    for (plan, group, then) in &want {
        let groups: Vec<(String, u64)> = group.iter().map(|group| ((*group).to_owned(), 1)).collect();
        assert_eq!(bench.groups(Some(plan)), groups, "{}: {then}", bench.name);
        let open = block(bench.store.unresolved(Some(&PlanId::new(plan)))).unwrap();
        assert_eq!(open, groups.len() as u64, "{}: {then}", bench.name);
    }
}

pub(super) fn a_closed_entry_comes_back_as_it_was_unless_an_outcome_came_meanwhile(bench: &Bench) {
    let reopened = |fid, since| Event::LedgerReopened { key: key(fid), since, by: who(), reason: "not yet".into() };
    bench.ok(begun(1, "p", &[1, 2]));
    for _ in 0..2 {
        bench.ok(vec![tried(1, 1, Step::Audit, 1), Event::RunInterrupted { run: run_id(1) }]);
    }
    bench.ok(vec![settled(1, 1, Slot::Waiting, unknown(UnknownWhy::Broken))]);
    bench.ok(vec![settled(1, 2, Slot::Waiting, failed("stock")), closed(1)]);
    let entry = |fid| block(bench.store.ledger_entry(&key(fid))).unwrap();
    let (one, two) = (entry(1).unwrap(), entry(2).unwrap());
    let both = [("broken".to_owned(), 1), ("stock".to_owned(), 1)];
    // What is open is not put back.
    bench.ok(vec![reopened(1, Ts(T0 - 5))]);
    assert_eq!((entry(1).unwrap().since, bench.groups(None)), (one.since, both.to_vec()), "{}", bench.name);
    bench.ok(vec![resolved(1), resolved(2), resolved(2)]);
    assert_eq!((entry(1), entry(2), bench.groups(Some("p"))), (None, None, vec![]), "{}", bench.name);
    // Both reasons that were given belong to the bill's life.
    let (facts, cut) = block(bench.store.facts_of(&key(2), 100)).unwrap();
    let reasons = facts.iter().filter(|f| matches!(f.event, Event::LedgerResolved { .. })).count();
    assert_eq!((reasons, cut), (2, false), "{}: {facts:?}", bench.name);
    bench.ok(vec![reopened(1, one.since), reopened(1, one.since), reopened(2, two.since)]);
    assert_eq!(bench.groups(Some("p")), both, "{}", bench.name);
    let back = entry(1).unwrap();
    assert_eq!((back.since, back.row.state, back.deaths), (one.since, one.row.state, 0), "{}", bench.name);
    // Closed again, and audited by a run since: there is nothing to put back.
    bench.ok(vec![resolved(2)]);
    bench.ok(begun(2, "p", &[2]));
    bench.ok(vec![settled(2, 2, Slot::Waiting, audited()), closed(2), reopened(2, two.since)]);
    assert_eq!((entry(2), bench.groups(None)), (None, both[..1].to_vec()), "{}", bench.name);
    bench.refuses("an entry of a bill nobody found", vec![reopened(9, Ts(T0))]);
    bench.refuses("a reason for a bill nobody found", vec![resolved(9)]);
}

pub(super) fn a_refusal_is_cured_where_the_bill_went_through_as_it_was_refused(bench: &Bench) {
    let cured = |cause: &str| block(bench.store.cured(&PlanId::new("p"), &Cause::new(cause))).unwrap();
    let goes = |n: u64, outcome: Outcome, changed: bool| {
        bench.ok(vec![opened(n, "p")]);
        let mut bill = found_bill(1);
        if changed {
            bill.rev.modified = ErpDate::parse("2025-11-05T08:00:00");
        }
        bench.ok(vec![Event::BillsFound { run: run_id(n), bills: vec![bill] }, collected(n), approved(n)]);
        let seqs = bench.append(vec![settled(n, 1, Slot::Waiting, outcome), closed(n)]).unwrap();
        block(bench.store.facts_after(Seq(seqs[0].0 - 1), 1)).unwrap()[0].at
    };
    goes(1, failed("stock"), false);
    goes(2, Outcome::Already { by: None, on: None }, false);
    assert_eq!(cured("stock"), None, "{}: somebody else did it", bench.name);
    goes(3, failed("stock"), false);
    goes(4, audited(), true);
    assert_eq!(cured("stock"), None, "{}: the bill was changed", bench.name);
    goes(5, unknown(UnknownWhy::Broken), false);
    goes(6, audited(), false);
    goes(7, failed("stock"), false);
    let at = goes(8, audited(), false);
    assert_eq!((cured("stock"), cured("period")), (Some(at), None), "{}", bench.name);
}
