//! What is usual, asked of the real binary: it is kept, made anew to the same, and survives a prune.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use skydeck::annals::{Wish, plans, write};
use skydeck::domain::ids::{EnvId, PlanId};
use skydeck::domain::query::PageRequest;
use skydeck::domain::server::Server;
use skydeck::domain::time::{Clock, Ts};
use skydeck::domain::zone::Zone;
use skydeck::store::Reads;
use skydeck::store::local::LocalStore;

const CONFIG: &str = r#"
plans = "plans"
[environment.demo]
url = "http://127.0.0.1:9/k3cloud/"
account_set = "60aa0000000000"
user = "demo"
sign_in = "password"
secret = { file = "secret" }
[retention]
audited = "5d"
already_audited = "5d"
skipped = "5d"
failed = "9d"
"#;

struct Real(Instant);

impl Clock for Real {
    fn now(&self) -> Ts {
        Ts::of(std::time::SystemTime::now())
    }
    fn mono(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A directory with a past of four weeks.
fn past(dir: &Path) {
    fs::create_dir(dir.join("plans")).unwrap();
    fs::write(dir.join("config.toml"), CONFIG).unwrap();
    fs::write(dir.join("secret"), "canary-secret").unwrap();
    fs::set_permissions(dir.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let all = plans::demo(2);
    for (id, text) in &all {
        fs::write(dir.join("plans").join(format!("{id}.json")), text).unwrap();
    }
    let read = |(id, text): (String, String)| skydeck::plan::read(PlanId::new(id), &text).unwrap().plan;
    let named = |no: &str| vec![(no.to_owned(), "宁波恒远".to_owned())];
    let wish = Wish {
        seed: 7,
        days: 28,
        now: Ts::of(std::time::SystemTime::now()),
        plans: all.into_iter().map(read).collect(),
        bills: Some(1500),
        silent: 1,
        quiet: 0,
        stuck: false,
        env: EnvId::new("demo"),
        production: false,
        server: Server::default(),
        owner: 0,
        customers: named("CUST0001"),
        suppliers: named("VEN00001"),
        users: named("lina"),
        keeps: false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(write(&dir.join("data"), &wish, Arc::new(Real(Instant::now())), |_| {})).unwrap();
}

fn verb(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
    command.args(["--lang", "en", "--config"]).arg(dir.join("config.toml")).arg("--data").arg(dir.join("data"));
    let out = command.args(args).stdin(Stdio::null()).env_remove("CREDENTIALS_DIRECTORY").output().unwrap();
    // The past leaves a bill unknown, and that is what `doctor` ends with.
    let ended = matches!(out.status.code(), Some(0 | 3));
    assert!(ended, "{args:?}: {:?} {}", out.status, String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// What is said, without what the present moment makes of it.
fn said(dir: &Path) -> Vec<serde_json::Value> {
    let lines = verb(dir, &["--json", "forecast"]);
    let without = |line: &str| {
        let mut plan: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in ["due", "next", "missed"] {
            plan.as_object_mut().unwrap().remove(key);
        }
        assert!(plan.get("behind").is_none(), "all of the past was read: {line}");
        plan
    };
    lines.lines().map(without).collect()
}

/// What came into the plans' ledgers and left them, by cause, as the index counts it, up to the day on which the last run began.
fn counted(dir: &Path) -> Ledgers {
    let clock = Arc::new(Real(Instant::now()));
    let store = LocalStore::open(&dir.join("data"), clock, "test", &|_| {}).unwrap();
    let mut all = Ledgers::new();
    for (id, text) in plans::demo(2) {
        let plan = skydeck::plan::read(PlanId::new(&id), &text).unwrap().plan;
        let zone = plan.policy.schedule.map_or(Zone::utc(), |schedule| schedule.zone.parse().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let hours = runtime.block_on(async {
            let last = Reads::runs(&store, Some(&plan.id), &PageRequest::first(1)).await.unwrap();
            let opened = last.rows[0].1.head.opened.0;
            let shown = opened + 1000 * i64::from(zone.ahead_of_utc(opened / 1000));
            let midnight = Ts(opened - shown.rem_euclid(86_400_000));
            Reads::hourly(&store, &plan.id, Ts(0)..midnight).await.unwrap()
        });
        for hour in hours {
            for (list, comes) in [(&hour.counts.entered, true), (&hour.counts.left, false)] {
                for told in list {
                    let sum = all.entry((id.clone(), told.group.clone())).or_default();
                    *(if comes { &mut sum.0 } else { &mut sum.1 }) += told.bills;
                }
            }
        }
    }
    all
}

/// By plan and cause: what came, and what left.
type Ledgers = BTreeMap<(String, String), (u64, u64)>;

#[test]
fn a_replay_tells_of_the_ledger_what_the_index_counts() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    past(dir);
    let lines = verb(dir, &["--json", "forecast", "backtest"]);
    let mut replayed = Ledgers::new();
    for line in lines.lines() {
        let plan: serde_json::Value = serde_json::from_str(line).unwrap();
        for cause in plan["ledger"].as_array().unwrap() {
            let number = |name: &str| cause[name].as_u64().unwrap();
            let key = (plan["plan"].as_str().unwrap().to_owned(), cause["group"].as_str().unwrap().to_owned());
            assert!(number("alarms") <= 28 && number("baseline_alarms") <= 28, "{cause}");
            replayed.insert(key, (number("entered"), number("left")));
        }
    }
    assert!(replayed.values().any(|(entered, left)| *entered > 0 && *left > 0), "{replayed:?}");
    assert_eq!(replayed, counted(dir));
    let text = verb(dir, &["forecast", "backtest"]);
    assert!(text.contains("GROWTH TOLD") && text.contains("A WEEK AGO"), "{text}");
}

#[test]
fn what_is_usual_is_the_same_when_it_is_made_anew_and_after_a_prune() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    past(dir);
    let first = said(dir);
    assert_eq!(first.len(), 2);
    assert!(first.iter().all(|plan| plan["lines"].as_array().unwrap().len() == 6), "{first:?}");
    let asked = |plan: &serde_json::Value| plan["lines"][0]["record"]["asked"].as_u64().unwrap();
    assert!(first.iter().any(|plan| asked(plan) > 20), "runs were scored: {first:?}");
    assert_eq!(said(dir), first, "kept");
    verb(dir, &["doctor", "--rebuild"]);
    assert_eq!(said(dir), first, "made anew from the journal");
    let pruned = verb(dir, &["prune", "-y"]);
    assert!(pruned.contains("forgotten"), "{pruned}");
    assert_eq!(said(dir), first, "what was learned from forgotten bills is not lost with them");
    assert!(verb(dir, &["doctor"]).contains("wrong 0"), "and no fault of the index");
    let text = verb(dir, &["forecast"]);
    assert!(text.contains("did not run: due") && text.contains("learning: "), "{text}");
    let tested = verb(dir, &["forecast", "backtest"]);
    assert!(tested.contains("RUNS SCORED"), "{tested}");
}
