//! Answers that no honest system gives, on calls and on looks.

use super::bench::{Bench, Settings};

/// Faults that spoil the answer of a call or of a look.
const SPOILT: [&str; 14] = [
    "reset",
    "truncate",
    "no_length",
    "twice",
    "html",
    "empty",
    "garbage",
    "not_utf8",
    "redirect",
    "huge",
    "partial",
    "other_bill",
    "stale_answer",
    "other_number",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_makes_a_record_that_is_not_there_done_or_one_twice() {
    for (when, on) in [("after", "create"), ("before", "create"), ("after", "list")] {
        for kind in SPOILT {
            let bench = Bench::start(Settings::default(), |_| {}).await;
            let mb = if kind == "huge" { "mb = 8\n" } else { "" };
            bench.faults(&format!(
                "[[fault]]\nkind = \"{kind}\"\nwhen = \"{when}\"\non = [\"{on}\"]\nskip = 2\ntimes = 3\n{mb}"
            ));
            let end = bench.run().await;
            bench.agrees(&end);
            assert!(!end.how.is_empty(), "{kind} {when} {on}: {end:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_often_is_heard_with_and_without_a_time() {
    for seconds in ["seconds = 1\n", ""] {
        let bench = Bench::start(Settings::default(), |_| {}).await;
        let text = "[[fault]]\nkind = \"status\"\nstatus = 429\non = [\"create\"]\nskip = 1\ntimes = 1\n";
        bench.faults(&format!("{text}{seconds}"));
        let end = bench.run().await;
        bench.agrees(&end);
        assert_eq!((end.done, bench.made().len()), (8, 8), "{end:?}");
    }
}
