//! What a store answers: everything at once, so that two stores, or two openings of one, can be compared.

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{EnvId, Fid, PlanId, Seq};
use skydeck_core::domain::query::{PageRequest, RunColumn, Scope};
use skydeck_core::domain::time::Ts;

use crate::block;
use crate::facts::{T0, key, number};

/// Everything a store answers, as text, so that two stores or two openings can be compared.
pub fn everything(store: &dyn skydeck_store::Store) -> Vec<String> {
    let mut out = Vec::new();
    let page = PageRequest::first(1000);
    let mut say = |what: String| out.push(what);
    say(format!("{:?} {:?}", block(store.last_seq()).unwrap(), block(store.facts_after(Seq(0), usize::MAX)).unwrap()));
    let runs = block(store.runs(None, &page)).unwrap();
    say(format!("{runs:?}"));
    for plan in ["odd", "even", "none"].map(PlanId::new) {
        say(format!("{:?}", block(store.runs(Some(&plan), &page)).unwrap()));
        say(format!(
            "{:?} {:?}",
            block(store.ledger_groups(Some(&plan))).unwrap(),
            block(store.unresolved(Some(&plan))).unwrap()
        ));
        say(format!("{:?}", block(store.mark(&plan, &EnvId::new("demo"))).unwrap()));
    }
    say(format!("{:?} {:?}", block(store.ledger_groups(None)).unwrap(), block(store.unresolved(None)).unwrap()));
    say(format!("{:?} {:?}", block(store.open_runs()).unwrap(), block(store.actions(&page)).unwrap()));
    for plan in ["odd", "even"].map(PlanId::new) {
        say(format!("{:?}", block(store.hourly(&plan, Ts(0)..Ts(i64::MAX))).unwrap()));
    }
    let mut scopes = vec![Scope::Ledger, Scope::History];
    for (_, run) in &runs.rows {
        let id = run.head.id;
        scopes.push(Scope::Run(id));
        say(format!("{:?}", block(store.in_flight(id)).unwrap()));
        for slot in Slot::ALL {
            say(format!("{slot:?} {:?}", block(store.bills_in(RunColumn { run: id, slot }, None, 100)).unwrap()));
        }
        for fid in 1..30 {
            say(format!("{:?}", block(store.found(id, &Fid::from(fid))).unwrap()));
        }
    }
    for scope in scopes {
        for filter in ["", "status:failed", "cause:stock,timed_out", "no:XSCKD00001*", "客户3", "plan:odd -cause:stock"]
        {
            let filter = Filter::parse(filter).unwrap();
            say(format!("{scope:?} {filter} {:?}", block(store.bills(scope.asked(&filter, &page, Ts(T0)))).unwrap()));
        }
    }
    for fid in 1..30 {
        let key = key(fid);
        say(format!("{:?} {:?}", block(store.bill(&key)).unwrap(), block(store.ledger_entry(&key)).unwrap()));
        say(format!("{:?}", block(store.facts_of(&key, 7)).unwrap()));
        say(format!(
            "{:?} {:?}",
            block(store.deeds_of(&key, 7)).unwrap(),
            block(store.newest_of(&key.record)).unwrap()
        ));
        say(format!("{:?}", block(store.find_number(&number(fid), 5)).unwrap()));
    }
    out
}
