//! How long what was sent is kept: customer data goes by the rule, its hash stays, and what is unresolved loses nothing.

use std::time::Duration;

use super::{audited, faults, made, run, settings, with};

#[test]
fn what_was_sent_goes_by_the_rule_its_hash_stays_and_an_unresolved_record_keeps_its_own() {
    let place = with(|_| {});
    settings(&place, "receivable = \"none\"\n");
    faults(
        &place,
        "[[fault]]\nkind = \"error\"\ncode = 11\ntext = \"库存不足\"\nwhen = \"before\"\non = [\"Audit\"]\ntimes = 1\n",
    );
    let (_, sum) = run(&place);
    assert_eq!((sum["done"].as_u64(), sum["failed"].as_u64()), (Some(7), Some(1)), "{sum}");
    let config = place.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n[retention]\nbodies = \"1s\"\n")).unwrap();
    let said = |args: &[&str]| String::from_utf8_lossy(&place.verb(args).stdout).into_owned();
    let story = |no: &str| said(&["bill", no, "--evidence"]);
    let open = made(&place).into_keys().find(|no| said(&["bill", no]).contains("库存不足")).unwrap();
    let dealt_with = made(&place).into_keys().find(|no| *no != open).unwrap();
    for no in [&open, &dealt_with] {
        assert!(story(no).contains("FInStockEntry"), "{no}: {}", story(no));
    }
    std::thread::sleep(Duration::from_millis(1100));
    let planned = said(&["prune"]);
    assert!(planned.contains("bodies that would be dropped: 7"), "{planned}");
    let done = place.verb(&["prune", "--yes"]);
    assert!(String::from_utf8_lossy(&done.stdout).contains("their hashes stay: 7"), "{done:?}");
    let after = story(&dealt_with);
    assert!(
        !after.contains("FInStockEntry") && after.contains("kept no longer") && after.contains("SHA-256"),
        "{after}"
    );
    assert!(story(&open).contains("FInStockEntry"), "{}", story(&open));
    // A second time there is nothing to drop, and what is kept still serves.
    assert!(said(&["prune"]).contains("bodies that would be dropped: 0"));
    for verb in [&["log", "verify"][..], &["doctor"]] {
        let out = place.verb(verb);
        assert_eq!(out.status.code(), Some(0), "{verb:?}: {out:?}");
    }
    let retry = place.verb(&["retry", "--yes", "--json"]);
    assert_eq!((audited(&place), retry.status.code()), (8, Some(0)), "{retry:?}");
    assert!(made(&place).values().all(|n| *n == 1));
}
