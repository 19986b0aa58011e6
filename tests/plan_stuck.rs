//! Plan files that are none, and a directory that does not answer: nothing else waits for it.
//!
//! A plan file whose `open` does not return is made by a small library that is preloaded into the engine's process; where
//! there is no C compiler, that is said and the test ends.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use place::{PROGRAM, Place, until};
use skydeck::domain::command::{Command, Order, Receipt, StartParams};
use skydeck::domain::ids::{CommandId, EnvId, PlanId, RunId};
use skydeck::domain::run::RunState;
use skydeck::domain::who::Who;
use skydeck::engine::api::{Link, Notice};
use skydeck::link::remote::RemoteLink;
use ulid::Ulid;

/// A request that waits for the file is answered after 5 s; what does not wait is answered long before that.
const AT_ONCE: Duration = Duration::from_secs(3);

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void hold(const char *path) {
    const char *flag = getenv("STUCK_WHILE");
    while (flag && path && strstr(path, "stuck.json") && access(flag, F_OK) == 0) usleep(10000);
}
#define OPEN(name) \
int name(const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
    hold(path); \
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name))(path, flags, mode); \
}
#define OPENAT(name) \
int name(int at, const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
    hold(path); \
    return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #name))(at, path, flags, mode); \
}
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)
"#;

/// The preloaded library, where it can be made.
fn shim(dir: &Path) -> Option<PathBuf> {
    let (source, library) = (dir.join("stuck.c"), dir.join("stuck.so"));
    std::fs::write(&source, SHIM).unwrap();
    let made = Process::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    made.is_ok_and(|status| status.success()).then_some(library)
}

fn order(command: Command) -> Order {
    let by = Who::of_person(rustix::process::getuid().as_raw(), "li".to_owned(), None);
    Order { id: CommandId(Ulid::generate()), by, session: None, headless: false, command }
}

fn start(plan: &str) -> Order {
    order(Command::Start { plan: PlanId::new(plan), params: StartParams::default() })
}

fn link(place: &Place) -> Arc<RemoteLink> {
    let who = Who::of_person(rustix::process::getuid().as_raw(), "li".to_owned(), None);
    Arc::new(RemoteLink::new(&place.data().join("owner.sock"), who, None))
}

/// Runs the shipped plan until it calls.
async fn at_work(link: &RemoteLink) -> RunId {
    let mut watch = link.watch().await.unwrap();
    let Receipt::Accepted { run: Some(run), .. } = link.submit(start("sal_outstock_audit")).await.unwrap() else {
        panic!("not taken")
    };
    loop {
        match watch.live.runs.get(&run).map(|live| (live.row.state.clone(), live.row.collected.clone())) {
            Some((RunState::AwaitingApproval, Some(collected))) => {
                let hash = collected.hash;
                let approve = Command::Approve { run, hash, typed: None, flags: vec![], reason: None };
                let receipt = link.submit(order(approve)).await.unwrap();
                assert!(matches!(receipt, Receipt::Accepted { .. }), "{receipt:?}");
                return run;
            }
            _ => match watch.notices.recv().await.unwrap() {
                Notice::Facts(facts) => facts.iter().for_each(|fact| watch.live.apply(fact)),
                Notice::Resync(live) => watch.live = *live,
                _ => {}
            },
        }
    }
}

#[test]
fn a_plan_file_that_does_not_answer_holds_up_nothing_but_its_own_plan() {
    let place = Place::new(90);
    let Some(shim) = shim(place.dir.path()) else {
        eprintln!("there is no C compiler: a file that does not answer cannot be made here, and nothing was tested");
        return;
    };
    let flag = place.dir.path().join("away");
    let plans = place.dir.path().join("plans");
    std::fs::copy(plans.join("sal_outstock_audit.json"), plans.join("stuck.json")).unwrap();
    let mut owner = Process::new(PROGRAM)
        .arg("serve")
        .args(place.options())
        .env("LD_PRELOAD", &shim)
        .env("STUCK_WHILE", &flag)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it serves", || place.data().join("owner.sock").exists());
    place.runtime.block_on(async {
        let ours = link(&place);
        let run = at_work(&ours).await;
        std::fs::write(&flag, "").unwrap();
        // Four of the same person's console, and four of others.
        let stuck: Vec<_> = (0..8)
            .map(|n| {
                let link = if n < 4 { Arc::clone(&ours) } else { link(&place) };
                tokio::spawn(async move { link.submit(start("stuck")).await.unwrap() })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut worst = Duration::ZERO;
        for n in 0..100 {
            let command = match n % 4 {
                0 => Command::Pause { run },
                1 => Command::Lock { env: EnvId::new("test") },
                2 => Command::Resume { run },
                _ => Command::Cancel { run: RunId(Ulid::generate()) },
            };
            let verb = command.verb();
            let began = Instant::now();
            let receipt = tokio::time::timeout(AT_ONCE, ours.submit(order(command))).await;
            assert!(receipt.is_ok_and(|receipt| receipt.is_ok()), "{verb} was held up, try {n}");
            worst = worst.max(began.elapsed());
        }
        eprintln!("worst of 100 with 8 requests stuck: {worst:?}");
        let cancelled = tokio::time::timeout(AT_ONCE, ours.submit(order(Command::Cancel { run }))).await.unwrap();
        assert!(matches!(cancelled, Ok(Receipt::Accepted { .. })), "{cancelled:?}");
        for one in stuck {
            let receipt = one.await.unwrap();
            let Receipt::Refused(why) = &receipt else { panic!("{receipt:?}") };
            assert!(why.to_string().contains("does not answer"), "{why}");
        }
        // Another plan is started meanwhile, and this one once its file answers.
        let live = link(&place).watch().await.unwrap().live;
        assert!(live.runs.values().all(|run| run.row.head.plan == PlanId::new("sal_outstock_audit")));
        std::fs::remove_file(&flag).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let receipt = ours.submit(start("stuck")).await.unwrap();
        assert!(matches!(receipt, Receipt::Accepted { .. }), "{receipt:?}");
    });
    rustix::process::kill_process(rustix::process::Pid::from_child(&owner), rustix::process::Signal::TERM).unwrap();
    owner.wait().unwrap();
}

#[test]
fn an_engine_starts_although_a_plan_file_does_not_answer() {
    let place = Place::new(5);
    let Some(shim) = shim(place.dir.path()) else {
        eprintln!("there is no C compiler: nothing was tested");
        return;
    };
    let flag = place.dir.path().join("away");
    std::fs::write(&flag, "").unwrap();
    let plans = place.dir.path().join("plans");
    std::fs::copy(plans.join("sal_outstock_audit.json"), plans.join("stuck.json")).unwrap();
    let run = Process::new(PROGRAM)
        .args(["run", "sal_outstock_audit", "--yes"])
        .args(place.options())
        .env("LD_PRELOAD", &shim)
        .env("STUCK_WHILE", &flag)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(!place.audits().is_empty());
}

#[test]
fn only_ordinary_files_of_a_sensible_size_are_plans() {
    let place = Place::new(5);
    let plans = place.dir.path().join("plans");
    rustix::fs::mknodat(rustix::fs::CWD, plans.join("fifo.json"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(plans.join("socket.json")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", plans.join("device.json")).unwrap();
    std::fs::create_dir(plans.join("folder.json")).unwrap();
    std::fs::write(plans.join("large.json"), vec![b' '; (4 << 20) + 1]).unwrap();
    std::fs::write(plans.join("._sal_outstock_audit.json"), b"\0\x05\x16\x07").unwrap();
    std::fs::write(plans.join(".hidden.json"), b"{}").unwrap();
    std::os::unix::fs::symlink("sal_outstock_audit.json", plans.join("linked.json")).unwrap();
    let listed = place.verb(&["plan", "list"]);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned() + &String::from_utf8_lossy(&listed.stderr);
    for (name, words) in [
        ("fifo", "is no ordinary file"),
        ("socket", "is no ordinary file"),
        ("device", "is no ordinary file"),
        ("folder", "is no ordinary file"),
        ("large", "has 4194305 bytes"),
    ] {
        let run = place.verb(&["run", name, "--yes"]);
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(words), "{name}: {said}");
        assert!(text.contains(name), "{text}");
    }
    assert!(!text.contains("._sal") && !text.contains(".hidden"), "{text}");
    // A link to a plan is as good as the plan.
    let linked = place.verb(&["plan", "preview", "linked"]);
    assert_eq!(linked.status.code(), Some(0), "{}", String::from_utf8_lossy(&linked.stderr));
    assert_eq!(place.verb(&["run", "sal_outstock_audit", "--yes"]).status.code(), Some(0));
}
