//! Records that are handed in: the newest body of each, in the order in which they came.

use skydeck_core::domain::event::Event;
use skydeck_core::domain::handed_in::HandedIn as Record;
use skydeck_core::domain::ids::{EnvId, Fid, FormId, PlanId, RecordKey, Seq};
use skydeck_store::HandedIn;

use crate::{Again, Bench, block};

fn event(plan: &str, env: &str, form: &str, id: &str, body: &str) -> Event {
    let key = RecordKey { env: EnvId::new(env), form: FormId::new(form), fid: Fid::new(id) };
    Event::HandedIn(Box::new(Record::new(PlanId::new(plan), key, body.to_owned())))
}

fn of(plan: &str, env: &str, form: &str) -> HandedIn {
    HandedIn { plan: PlanId::new(plan), env: EnvId::new(env), form: FormId::new(form) }
}

/// Ids and bodies after a place.
fn told(b: &Bench, of: &HandedIn, after: u64, limit: usize) -> Vec<(String, String)> {
    let all = block(b.store.handed_in(of, Seq(after), limit)).unwrap();
    assert!(all.windows(2).all(|two| two[0].seq < two[1].seq), "{}", b.name);
    all.into_iter().map(|taken| (taken.record.key.fid.as_str().to_owned(), taken.record.body)).collect()
}

fn pair(id: &str, body: &str) -> (String, String) {
    (id.to_owned(), body.to_owned())
}

fn fill(b: &Bench) {
    b.ok(vec![event("p", "e", "order", "9", "{\"a\":1}"), event("p", "e", "order", "10", "{\"a\":2}")]);
    b.ok(vec![event("p", "e", "order", "a\u{0}b", "{}"), event("q", "e", "order", "9", "{\"q\":1}")]);
    b.ok(vec![event("p", "f", "order", "9", "{\"f\":1}"), event("p", "e", "orders", "9", "{\"s\":1}")]);
    b.ok(vec![event("p", "e", "order", "9", "{\"a\":3}")]);
}

fn holds(b: &Bench) {
    let mine = of("p", "e", "order");
    let all = [pair("10", "{\"a\":2}"), pair("a\u{0}b", "{}"), pair("9", "{\"a\":3}")];
    assert_eq!(told(b, &mine, 0, 9), all, "{}", b.name);
    assert_eq!(told(b, &mine, 0, 2), all[..2], "{}", b.name);
    let two = block(b.store.handed_in(&mine, Seq(0), 2)).unwrap();
    assert_eq!(told(b, &mine, two[1].seq.0, 9), all[2..], "{}", b.name);
    assert!(told(b, &mine, u64::MAX, 9).is_empty(), "{}", b.name);
    assert_eq!(told(b, &of("p", "f", "order"), 0, 9), [pair("9", "{\"f\":1}")], "{}", b.name);
    assert_eq!(told(b, &of("p", "e", "orders"), 0, 9), [pair("9", "{\"s\":1}")], "{}", b.name);
    assert!(told(b, &of("nobody", "e", "order"), 0, 9).is_empty(), "{}", b.name);
    let key = |id: &str| RecordKey { env: EnvId::new("e"), form: FormId::new("order"), fid: Fid::new(id) };
    let newest = block(b.store.handed_in_of(&PlanId::new("p"), &key("9"))).unwrap().unwrap();
    assert_eq!((newest.record.body.as_str(), newest.record.hash.len()), ("{\"a\":3}", 64), "{}", b.name);
    assert_eq!(block(b.store.handed_in_of(&PlanId::new("p"), &key("11"))).unwrap(), None, "{}", b.name);
    // Both bodies stay facts.
    let facts = block(b.store.facts_after(Seq(0), 99)).unwrap();
    let nines = facts
        .iter()
        .filter(|f| matches!(&f.event, Event::HandedIn(r) if r.plan.as_str() == "p" && r.key == key("9")))
        .count();
    assert_eq!(nines, 2, "{}", b.name);
}

pub(super) fn the_newest_body_of_each_record_is_told_in_the_order_in_which_they_came(b: &Bench) {
    fill(b);
    holds(b);
}

pub(super) fn records_that_were_handed_in_are_there_after_a_start(b: Bench) {
    fill(&b);
    let Some(b) = b.again(Again::AsItWas) else { return };
    holds(&b);
    let Some(b) = b.again(Again::FromFacts) else { return };
    holds(&b);
}
