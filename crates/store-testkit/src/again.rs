//! What survives: a store that lasts answers alike when it is opened again, and when all but its facts was made anew.

use crate::answers::everything;
use crate::facts::{begun, history};
use crate::{Again, Bench};

pub(super) fn what_was_stored_is_answered_alike_when_the_store_is_opened_again(bench: Bench) {
    let (first, rest) = (history(), begun(77, "odd", &[71, 72]));
    for events in first {
        bench.ok(events);
    }
    let before = everything(&*bench.store);
    let Some(bench) = bench.again(Again::AsItWas) else { return };
    same(&bench, &before);
    let Some(bench) = bench.again(Again::FromFacts) else { return };
    same(&bench, &before);
    // And it goes on from there.
    bench.ok(rest);
    let before = everything(&*bench.store);
    let Some(bench) = bench.again(Again::FromFacts) else { return };
    same(&bench, &before);
}

fn same(bench: &Bench, before: &[String]) {
    let now = everything(&*bench.store);
    let other = now.iter().zip(before).find(|(now, before)| now != before);
    assert!(other.is_none() && now.len() == before.len(), "{}: {other:?}", bench.name);
}
