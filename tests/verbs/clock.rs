//! Clocks that are wrong: ours that was set back, and the ERP's that is another one or went back, through the real program.
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::erp::{Erp, Said, Site};
use serde_json::Value;
use skydeck::boot::SystemClock;
use skydeck::domain::event::{ActionEntry, Event};
use skydeck::domain::time::{Clock, Ts};
use skydeck::domain::who::Who;
use skydeck::store::Store;
use skydeck::store::actions::{ActionLog, Deed, FileLog, Phase};
use skydeck::store::local::LocalStore;

struct Place(Site);

impl Place {
    fn new() -> Self {
        Self(Site::new(Erp::start(2, |_, _, _| Said::Good), "1s", "", ""))
    }

    /// Exit code and standard output of a verb.
    fn verb(&self, lang: &str, args: &[&str]) -> (i32, String) {
        let out = self.0.command(lang, &[&["--standalone"], args].concat()).output().unwrap();
        (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap())
    }
}

#[test]
fn an_erp_whose_clock_went_back_is_read_from_the_beginning_by_the_next_run() {
    let place = Place::new();
    place.0.erp.dated(3600);
    assert_eq!(place.verb("en", &["run", "p", "--yes"]).0, 0);
    // The same clock: the next run begins at the mark.
    place.0.erp.add(7);
    assert_eq!(place.verb("en", &["run", "p", "--yes"]).0, 0);
    // It was set back by an hour. This run cannot know before its first answer, and finds nothing; the next one reads all.
    place.0.erp.dated(0);
    assert_eq!(place.verb("en", &["run", "p", "--yes"]).0, 0);
    assert_eq!(place.verb("en", &["run", "p", "--yes"]).0, 0);
    let filters = place.0.erp.filters();
    let began = |filter: &String| filter.split('\'').nth(1).unwrap()[..10].to_owned();
    let began: Vec<String> = filters.iter().map(began).collect();
    let first = began.first().unwrap().clone();
    assert_eq!(began.last(), Some(&first), "the last run is a sweep like the first: {began:?}");
    assert!(began.contains(&"2026-01-02".to_owned()), "those between begin at the mark: {began:?}");
    assert!(first.as_str() < "2026-01-02", "{began:?}");
}

#[test]
fn env_check_shows_the_clock_of_the_erp_and_its_zone() {
    let place = Place::new();
    place.0.erp.dated(-7200);
    let (code, said) = place.verb("zh", &["env", "check", "demo"]);
    assert_eq!(code, 0, "{said}");
    let line = said.lines().find(|line| line.contains("服务器时钟偏差")).unwrap();
    assert!((line.contains("-7200 s") || line.contains("-7201 s")) && line.contains("(Asia/Shanghai)"), "{line}");
}

/// A clock that somebody sets.
struct Set(AtomicI64);

impl Clock for Set {
    fn now(&self) -> Ts {
        Ts(self.0.load(Ordering::SeqCst))
    }
    fn mono(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn log_verify_says_where_the_clock_was_set_back_and_takes_the_chain_for_whole() {
    let place = Place::new();
    std::fs::create_dir(place.0.data()).unwrap();
    std::fs::set_permissions(place.0.data(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let clock = Arc::new(Set(AtomicI64::new(1_790_000_000_000)));
    let own: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let store = LocalStore::open(&place.0.data(), own, "li", &|_| {}).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let log = runtime.block_on(FileLog::open(&place.0.data(), clock.clone(), &store)).unwrap();
    for step in [0, 60_000, -3_600_000, 1_000, -200] {
        clock.0.fetch_add(step, Ordering::SeqCst);
        let deed = Deed {
            phase: Phase::Refused,
            order: None,
            by: Who::of_person(7, "wang", None),
            action: "approve".into(),
            env: None,
            plan: None,
            plan_rev: None,
            run: None,
            set_hash: None,
            n: 0,
            ids: Vec::new(),
            reason: None,
            code: None,
            args: None,
            result: String::new(),
        };
        let line = runtime.block_on(log.write(deed.clone())).unwrap();
        let entry = ActionEntry {
            order: None,
            by: deed.by,
            verb: deed.action,
            run: None,
            plan: None,
            bills: 0,
            reason: None,
            result: String::new(),
            line: Some(line),
            why: None,
        };
        runtime.block_on(store.append(vec![Event::ActionTaken(Box::new(entry))].into())).unwrap();
    }
    store.close().unwrap();
    drop((log, store));
    let (code, said) = place.verb("en", &["--json", "log", "verify"]);
    let value: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!((code, &value["sound"]), (0, &Value::Bool(true)), "{said}");
    let back = value["times_back"].as_array().unwrap();
    assert_eq!(back.len(), 1, "200 ms are the network's own correction: {said}");
    assert_eq!((&back[0]["what"], &back[0]["at"]), (&Value::from("line"), &Value::from(3)));
    let (_, said) = place.verb("zh", &["log", "verify"]);
    assert!(said.contains("本机时钟曾被调回，见 行 3："), "{said}");
}
