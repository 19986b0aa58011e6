//! What a shell is offered when Tab is pressed, asked as the shells ask: without an engine and with one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use place::{PROGRAM, Place, until};

const PLAN: &str = "sal_outstock_audit";

/// What a shell is given for the last of some words.
fn offered(shell: &str, lang: &str, words: &[&str]) -> Vec<String> {
    let mut command = Command::new(PROGRAM);
    command.env("SKYDECK_COMPLETE", shell).env("LANG", lang).env_remove("LC_ALL");
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string()).env("_CLAP_IFS", "\n");
    let out = command.args(["--", "skydeck"]).args(words).stdin(Stdio::null()).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn with<'a>(place: &'a [String], words: &[&'a str]) -> Vec<&'a str> {
    place.iter().map(String::as_str).chain(words.iter().copied()).collect()
}

/// Without options, which are offered as long as nothing is typed.
fn values(shell: &str, lang: &str, words: &[&str]) -> Vec<String> {
    let mut found = offered(shell, lang, words);
    found.retain(|word| !word.starts_with('-'));
    found
}

/// A place of which one run told, with a second plan and a view.
fn site() -> Place {
    let place = Place::new(40);
    let plans = place.dir.path().join("plans");
    std::fs::copy(plans.join(format!("{PLAN}.json")), plans.join("月末 \u{1b}[31m.json")).unwrap();
    std::fs::copy(plans.join(format!("{PLAN}.json")), plans.join("monthly.json")).unwrap();
    let out = place.verb(&["run", PLAN, "-y"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    std::fs::write(place.data().join("filters.toml"), "[[filter]]\nname = \"month-end\"\ntext = \"cause:period\"\n")
        .unwrap();
    place
}

fn serve(place: &Place) -> Child {
    let mut command = Command::new(PROGRAM);
    let child =
        command.arg("serve").args(place.options()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = child.spawn().unwrap();
    until("the engine's socket", || place.data().join("owner.sock").exists());
    child
}

#[test]
fn plans_environments_runs_bills_views_and_causes_are_offered_without_an_engine_and_with_one() {
    let place = site();
    let options = place.options();
    let run = place.run()["run"].as_str().unwrap().to_owned();
    let bill = place.verb(&["history", &run, "--json"]);
    let bill: serde_json::Value =
        serde_json::from_str(String::from_utf8(bill.stdout).unwrap().lines().next().unwrap()).unwrap();
    let number = bill["no"].as_str().unwrap();
    let before = std::fs::read_dir(place.data()).unwrap().count();
    let mut engine = None;
    for served in [false, true] {
        if served {
            engine = Some(serve(&place));
        }
        for shell in ["bash", "zsh", "fish"] {
            let get = |words: &[&str]| values(shell, "C.UTF-8", &with(&options, words));
            let has = |words: &[&str], wanted: &str| {
                let found = get(words);
                assert!(found.iter().any(|word| word.starts_with(wanted)), "{shell} {served} {words:?}: {found:?}");
                found
            };
            let plans = has(&["run", ""], PLAN);
            assert!(plans.iter().any(|plan| plan.starts_with("monthly")), "{plans:?}");
            assert!(!plans.iter().any(|plan| plan.contains('\u{1b}') || plan.starts_with("月末")), "{plans:?}");
            has(&["ledger", "--plan", "mon"], "monthly");
            has(&["env", "check", ""], "test");
            has(&["history", &run[..6]], &run);
            has(&["evidence", &run[..4]], &run);
            has(&["bill", &number[..5]], number);
            has(&["reopen", number], number);
            has(&["run", PLAN, "--numbers", &format!("X1,{}", &number[..5])], &format!("X1,{number}"));
            assert!(get(&["bill", "NO-SUCH"]).is_empty());
            has(&["report", "--filter", "@"], "@month-end");
            let causes = has(&["ledger", "cause:lo"], if shell == "zsh" { "cause" } else { "cause:lock" });
            assert!(!causes.iter().any(|cause| cause.contains("stock")), "{causes:?}");
            for (typed, whole) in [
                ("原因:库", "原因:库存不足"),
                ("结果:未轮", "结果:未轮到"),
                ("日期:上", "日期:上周"),
                ("status:not_r", "status:not_reached"),
            ] {
                let whole = if shell == "zsh" { whole.replace(':', "\\:") } else { whole.to_owned() };
                has(&["ledger", typed], &whole);
            }
            // zsh has a colon of a candidate quoted.
            let quoted = if shell == "zsh" { "age\\:>2h @month-end" } else { "age:>2h @month-end" };
            has(&["ledger", "age:>2h @mon"], quoted);
        }
    }
    let mut engine = engine.unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_child(&engine), rustix::process::Signal::TERM).unwrap();
    engine.wait().unwrap();
    let left = std::fs::read_dir(place.data()).unwrap().count();
    assert!(left <= before + 2, "a look makes no file but those of the engine: {before} {left}");
}

#[test]
fn where_nothing_is_there_nothing_is_offered_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let (data, config) = (dir.path().join("data"), dir.path().join("config.toml"));
    let at = |path: &Path| path.display().to_string();
    let options = ["--data".to_owned(), at(&data), format!("--config={}", at(&config))];
    for words in [["run", ""], ["bill", ""], ["history", ""], ["ledger", "@"]] {
        assert_eq!(values("fish", "C.UTF-8", &with(&options, &words)), Vec::<String>::new(), "{words:?}");
    }
    std::fs::create_dir_all(data.join("journal")).unwrap();
    std::fs::write(data.join("journal/00000001.log"), [b'x'; 9000]).unwrap();
    std::fs::write(data.join("journal/00000002.seal"), [0; 90]).unwrap();
    std::fs::write(data.join("filters.toml"), "[[filter").unwrap();
    std::fs::write(&config, "what is = this").unwrap();
    for words in [["run", ""], ["bill", ""], ["history", ""], ["ledger", "@"]] {
        assert_eq!(values("fish", "C.UTF-8", &with(&options, &words)), Vec::<String>::new(), "{words:?}");
    }
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 2);
}

#[test]
fn what_is_offered_is_told_in_the_language_of_the_terminal() {
    let zh = offered("fish", "zh_CN.UTF-8", &["re"]);
    assert!(zh.iter().any(|line| line.starts_with("report\t写运行报告")), "{zh:?}");
    let en = offered("fish", "C.UTF-8", &["re"]);
    assert!(en.iter().any(|line| line.starts_with("report\tWrite a report")), "{en:?}");
    let causes = offered("fish", "zh_CN.UTF-8", &["ledger", "原因:loc"]);
    assert_eq!(causes, ["原因:lock\t网控冲突"]);
}

/// The real Bash, which takes a colon for the end of a word.
#[test]
fn bash_completes_a_word_with_a_colon() {
    let place = site();
    let script = Command::new(PROGRAM).args(["completions", "bash"]).output().unwrap();
    let script = String::from_utf8(script.stdout).unwrap();
    let bin = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let data = place.data().display().to_string();
    for (words, at, current, wanted) in [
        ("skydeck ledger cause : lo", 4, "lo", "lock"),
        ("skydeck ledger cause :", 3, "", "period"),
        ("skydeck led", 1, "led", "ledger"),
    ] {
        let line = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={at}; COMP_TYPE=9\n_clap_complete_skydeck skydeck '{current}' x\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let out = Command::new("bash")
            .args(["--norc", "-c", &line])
            .env("PATH", format!("{bin}:/usr/bin:/bin"))
            .env("XDG_STATE_HOME", &data)
            .output()
            .unwrap();
        let found = String::from_utf8(out.stdout).unwrap();
        assert!(found.lines().any(|word| word == wanted), "{words}: {found} {}", String::from_utf8_lossy(&out.stderr));
    }
}
