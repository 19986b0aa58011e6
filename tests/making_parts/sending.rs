//! Plans that send records to a JSON system, by the real program: deaths at each point of the way, and wherever the clock hits.

use super::both::{Both, SENDS};
use super::deaths::{self, Deaths, Ended, number};
use super::place::Place;

/// Each record was sent once, and the last run says so.
fn once(both: &Both, records: u64, ended: &Ended) {
    let made = both.made();
    assert_eq!((made.len() as u64, ended.out.status.code()), (records, Some(0)), "{}", ended.at);
    assert!(made.values().all(|n| *n == 1), "{}: {made:?}", ended.at);
    assert_eq!(ended.sum["sum_closes"], true, "{}", ended.at);
}

/// A place with so many records to send, of whose answers some are lost, so that there is something to settle.
fn with_losses(records: u64, both: Both) -> Both {
    deaths::leave(&both.place, records);
    both.faults("[[fault]]\nkind = \"reset\"\nwhen = \"after\"\non = [\"create\"]\nrate = 0.1\nskip = 1\n");
    both
}

fn place_of(both: &Both) -> &Place {
    &both.place
}

#[test]
fn a_death_at_each_point_of_the_way_sends_no_record_twice_and_forgets_none() {
    let place = |records: u64| with_losses(records, Both::open(records as usize * 8));
    Deaths::each((SENDS, 1), place, place_of, once);
}

/// The system takes a key twice, and knows a call that it had by its token.
#[test]
fn a_death_at_each_point_of_the_way_under_a_token_sends_no_record_twice() {
    let settings = "auth = \"none\"\n[collection.orders]\nduplicates = \"accept\"\n";
    let place = |records: u64| {
        let both = Both::new(records as usize * 8, settings, "sign_in = \"none\"", |plan| {
            plan["skydeck"]["key"] = serde_json::json!({"source": "so_id"});
            plan["skydeck"]["token"] = serde_json::json!({"header": "Idempotency-Key", "keeps": "24h"});
        });
        with_losses(records, both)
    };
    Deaths::each((SENDS, 1), place, place_of, once);
}

/// `SKYDECK_KILLS`: how many such days.
#[test]
fn whatever_kills_the_process_each_record_is_sent_once() {
    for seed in 1..=number("SKYDECK_KILLS", 2) {
        let both = Both::open(40);
        let ended = deaths::kills(&both.place, SENDS, seed);
        once(&both, 8, &ended);
    }
}
