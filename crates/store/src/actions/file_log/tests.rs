//! What is written, what of it is known again, and what goes on behind a file that somebody changed.

use super::*;
use crate::account::read::Reading;
use crate::actions::line::LONGEST;
use crate::actions::{IDS, Line, MemoryLog, Phase, VERSION, line_hash};
use skydeck_core::domain::action_log::Flaw;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;

struct Still;

impl Clock for Still {
    fn now(&self) -> Ts {
        Ts(1_790_000_000_000)
    }
    fn mono(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

fn deed(phase: Phase, order: &str) -> Deed {
    Deed {
        phase,
        order: Some(order.into()),
        by: Who {
            uid: 1000,
            login: "li".into(),
            from: Some("10.0.3.7".into()),
            name: None,
            origin: None,
            person: None,
            host: None,
        },
        action: "approve".into(),
        env: Some("demo".into()),
        plan: Some("p".into()),
        plan_rev: None,
        run: None,
        set_hash: Some("ab".into()),
        n: 2,
        ids: vec!["100001".into(), "100002".into()],
        reason: Some("line one\nline \"two\",\"h\":\"".into()),
        code: Some("read_only".into()),
        args: Some(serde_json::json!({"env": "prod", "said": "\",\"h\":\""})),
        result: String::new(),
    }
}

fn store() -> crate::memory::MemoryStore {
    crate::memory::MemoryStore::new(Arc::new(Still))
}

/// On a thread of its own: some of these tests are on a runtime themselves.
fn block<F: Future<Output: Send> + Send>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    std::thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join().unwrap())
}

fn open(dir: &Path) -> FileLog {
    block(FileLog::open(dir, Arc::new(Still), &store())).unwrap()
}

fn written(dir: &Path) -> Vec<String> {
    std::fs::read_to_string(dir.join(FILE)).unwrap().lines().map(str::to_owned).collect()
}

fn check(dir: &Path) -> Reading {
    account::read::read(&dir.join(FILE), None, |_, _| Ok(())).unwrap()
}

#[test]
fn lines_chain_over_a_reopening_and_say_what_was_left_open() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).inner.write(deed(Phase::Before, "a")).unwrap();
    let log = open(dir.path());
    for (phase, order) in [(Phase::After, "a"), (Phase::Before, "b")] {
        log.inner.write(deed(phase, order)).unwrap();
    }
    let place = log.inner.write(deed(Phase::Refused, "c")).unwrap();
    let found = check(dir.path());
    assert_eq!((found.rows.len(), found.fault.clone(), found.unfinished.clone()), (4, None, vec![3]));
    assert_eq!(found.head(), place);
    block(log.close(&store())).unwrap();
    assert!(log.inner.write(deed(Phase::Refused, "d")).is_err(), "a line that came late would have no witness");
}

#[test]
fn a_change_a_missing_line_and_a_swapped_one_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for order in ["a", "b", "c", "d"] {
        log.inner.write(deed(Phase::Before, order)).unwrap();
    }
    let good = written(dir.path());
    let swapped = vec![good[0].clone(), good[2].clone(), good[1].clone(), good[3].clone()];
    let missing = vec![good[0].clone(), good[2].clone(), good[3].clone()];
    let mut changed = good.clone();
    changed[1] = changed[1].replace("100002", "100003");
    // Somebody who recomputes one line's hash still breaks the next one.
    let mut forged = good.clone();
    let body = forged[1].rsplit_once(",\"h\":\"").unwrap().0.replace("\"n\":2", "\"n\":1");
    forged[1] = format!("{body},\"h\":\"{}\"}}", line_hash(&body));
    for (lines, line, flaw) in
        [(changed, 2, Flaw::Hash), (missing, 2, Flaw::Place), (swapped, 2, Flaw::Place), (forged, 3, Flaw::Order)]
    {
        std::fs::write(dir.path().join(FILE), lines.join("\n") + "\n").unwrap();
        assert_eq!(check(dir.path()).fault, Some(LogFault::Broken { line, flaw }));
    }
}

#[test]
fn a_torn_line_is_cut_and_a_damaged_file_is_kept_and_gone_on_with_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.inner.write(deed(Phase::Before, "a")).unwrap();
    let path = dir.path().join(FILE);
    let first = std::fs::read(&path).unwrap().len();
    log.inner.write(deed(Phase::Refused, "b")).unwrap();
    drop(log);
    let whole = std::fs::read(&path).unwrap();
    for end in first..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        open(dir.path()).inner.write(deed(Phase::Before, "b")).unwrap();
        let found = check(dir.path());
        assert_eq!((found.fault, found.rows.len()), (None, 2), "cut at {end}");
    }
    // A line nobody wrote, without an end: nothing of it is lost, and nothing is written into it.
    let damaged = [&whole[..first], b"{\"v\":1,\"seq\":2}"].concat();
    std::fs::write(&path, [damaged.clone(), b"\nnonsense".to_vec()].concat()).unwrap();
    let log = open(dir.path());
    assert_eq!(log.faults(), [LogFault::Broken { line: 2, flaw: Flaw::Unreadable }]);
    log.inner.write(deed(Phase::Refused, "c")).unwrap();
    let now = std::fs::read(&path).unwrap();
    assert!(now.starts_with(&[damaged, b"\nnonsense\n{".to_vec()].concat()));
    assert_eq!(open(dir.path()).faults().len(), 1, "what was found stays found");
}

#[test]
fn a_line_is_bounded_whatever_the_order_names() {
    let dir = tempfile::tempdir().unwrap();
    let ids = (0..IDS).map(|n| format!("{n:0>600}")).collect();
    open(dir.path()).inner.write(Deed { ids, ..deed(Phase::Before, "a") }).unwrap();
    assert!(written(dir.path())[0].len() <= LONGEST + 100);
    assert_eq!(check(dir.path()).rows.len(), 1);
}

#[tokio::test]
async fn a_line_is_what_it_always_was() {
    assert_eq!((FILE, VERSION, IDS, LONGEST), ("actions.log", 1, 1000, 262_144));
    let log = MemoryLog::new(Arc::new(Still));
    let plain = Deed { reason: None, args: None, code: None, ..deed(Phase::Before, "a") };
    let first = log.write(plain.clone()).await.unwrap();
    let second = log.write(Deed { phase: Phase::After, result: "accepted".into(), ids: Vec::new(), ..plain }).await;
    let second = second.unwrap();
    let body = |seq: u64, phase: &str, ids: &str, result: &str, prev: &str| {
        format!(
            "{{\"v\":1,\"seq\":{seq},\"ts\":\"2026-09-21T14:13:20.000Z\",\"host\":\"memory\",\"phase\":\"{phase}\",\
             \"order\":\"{}\",\"by\":{{\"uid\":1000,\"login\":\"li\",\"from\":\"10.0.3.7\"}},\"action\":\"approve\",\
             \"env\":\"demo\",\"plan\":\"p\",\"set_hash\":\"ab\",\"n\":2{ids}{result},\"prev\":\"{prev}\"",
            "a"
        )
    };
    let ids = ",\"ids\":[\"100001\",\"100002\"]";
    let one = body(1, "before", ids, "", "");
    let two = body(2, "after", "", ",\"result\":\"accepted\"", &line_hash(&one));
    let whole = |body: &str| format!("{body},\"h\":\"{}\"}}", line_hash(body));
    assert_eq!(log.lines(), [whole(&one), whole(&two)]);
    assert_eq!((first.seq, first.hash, second.seq, second.hash), (1, line_hash(&one), 2, line_hash(&two)));
}

#[test]
fn of_a_line_that_is_too_long_half_of_the_ids_stay_until_it_fits() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let ids = |n: usize, length: usize| Deed {
        ids: (0..n).map(|i| "0".repeat(length - 4) + &format!("{i:0>4}")).collect(),
        ..deed(Phase::Before, "a")
    };
    // 400 of 600 bytes fit, 500 do not, and one that is longer than a line is left out.
    for (n, length, kept) in [(400, 600, 400), (500, 600, 250), (1000, 600, 250), (1, 300_000, 0)] {
        log.inner.write(ids(n, length)).unwrap();
        let line: Line = serde_json::from_str(written(dir.path()).last().unwrap()).unwrap();
        assert_eq!(line.deed.ids.len(), kept, "{n} of {length}");
        assert_eq!(line.deed.ids.first().map(String::len), (kept > 0).then_some(length));
    }
    assert_eq!(check(dir.path()).fault, None);
}

#[test]
fn the_bound_of_a_line_is_exact_and_what_names_nothing_is_written_however_long() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let last = |result: String| {
        log.inner.write(Deed { result, ..deed(Phase::After, "a") }).unwrap();
        let text = written(dir.path()).pop().unwrap();
        let line: Line = serde_json::from_str(&text).unwrap();
        // Without the hash, in whose place a brace stood.
        (text.rsplit_once(",\"h\":").unwrap().0.len() + 1, line.deed.ids.len())
    };
    last("x".to_owned());
    let (length, _) = last("x".to_owned());
    let of = |length_wanted: usize| "x".repeat(1 + length_wanted - length);
    assert_eq!(last(of(LONGEST)), (LONGEST, 2));
    assert_eq!(last(of(LONGEST + 1)).1, 1, "half of them");
    assert_eq!(last(of(2 * LONGEST)).1, 0);
    let none = Deed { ids: Vec::new(), result: "x".repeat(2 * LONGEST), ..deed(Phase::After, "a") };
    log.inner.write(none).unwrap();
    assert_eq!(check(dir.path()).rows.len(), 6);
}

#[test]
fn what_is_accepted_is_the_file_as_it_is_and_only_where_something_was_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    assert_eq!(log.begins().unwrap(), LogWitness { open: true, ..witness(0, "") }, "before the first line");
    assert_eq!(log.acceptable().unwrap(), None);
    let place = log.inner.write(deed(Phase::Before, "a")).unwrap();
    assert_eq!(log.begins(), None, "a line was written");
    let closed = block(log.close(&store())).unwrap().unwrap();
    assert_eq!(closed, LogWitness { loose: vec![1], ..witness(1, &place.hash) });
    drop(log);
    let path = dir.path().join(FILE);
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("nonsense\n");
    std::fs::write(&path, &text).unwrap();
    let log = open(dir.path());
    assert_eq!((log.faults().len(), log.begins()), (1, None), "no witness hides what is wrong");
    let accepted = Some(AcceptedFile { bytes: text.len() as u64, sha256: line_hash(&text) });
    assert_eq!(log.acceptable().unwrap(), Some(LogWitness { open: true, accepted, ..witness(1, &place.hash) }));
    assert_eq!(block(log.close(&store())).unwrap(), None, "nor at the end");
    log.accepted();
    assert_eq!((log.faults(), log.acceptable().unwrap()), (Vec::new(), None));
}

/// A log of so many refusals, and their places; the first place is the one before them.
fn refusals(n: usize) -> (tempfile::TempDir, Vec<LogPlace>) {
    let (dir, mut places) = (tempfile::tempdir().unwrap(), vec![LogPlace::default()]);
    let log = open(dir.path());
    places.extend((0..n).map(|i| log.inner.write(deed(Phase::Refused, &i.to_string())).unwrap()));
    (dir, places)
}

/// Opens it beside a journal with these witnesses.
fn beside(dir: &Path, witnesses: &[LogWitness]) -> FileLog {
    let store = store();
    for witness in witnesses {
        store.append_now(&vec![Event::LogWitnessed(Box::new(witness.clone()))].into()).unwrap();
    }
    block(FileLog::open(dir, Arc::new(Still), &store)).unwrap()
}

/// The place and the one before it of the line that is written now.
fn next(log: &FileLog, dir: &Path) -> (u64, String) {
    log.inner.write(deed(Phase::Refused, "next")).unwrap();
    let line: Line = serde_json::from_str(written(dir).last().unwrap()).unwrap();
    (line.seq, line.prev)
}

#[test]
fn what_the_journal_does_not_know_of_a_sound_file_is_adopted_when_it_is_opened() {
    let (dir, at) = refusals(3);
    let known =
        |n: usize, open: bool| LogWitness { at: at[n].clone(), open, loose: (1..=n as u64).collect(), accepted: None };
    let adopted = |loose: &[u64]| Some(LogWitness { loose: loose.to_vec(), ..witness(3, &at[3].hash) });
    for (witnesses, expected) in [
        (vec![known(3, false)], None),
        (vec![known(3, true)], adopted(&[])),
        (vec![known(2, true)], adopted(&[3])),
        (vec![known(3, true), known(3, false)], None),
        (vec![known(3, false), known(3, true)], adopted(&[])),
    ] {
        let log = beside(dir.path(), &witnesses);
        assert_eq!((log.faults(), &log.adopted), (vec![], &expected), "{witnesses:?}");
    }
    let (before, at) = refusals(1);
    let first = LogWitness { loose: vec![1], ..witness(1, &at[1].hash) };
    assert_eq!(beside(before.path(), &[]).adopted, Some(first), "of a program that told the journal of no line");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(beside(empty.path(), &[]).adopted, None, "a new one");
    let begun = LogWitness { open: true, ..witness(0, "") };
    assert_eq!(beside(empty.path(), &[begun]).adopted, Some(witness(0, "")));
}

#[test]
fn no_place_that_the_journal_tells_of_is_given_again_whatever_became_of_the_file() {
    let (dir, at) = refusals(3);
    let path = dir.path().join(FILE);
    let whole = std::fs::read_to_string(&path).unwrap();
    let first = format!("{}\n", whole.lines().next().unwrap());
    let closed = LogWitness { loose: vec![1, 2, 3], ..witness(3, &at[3].hash) };
    let other = LogWitness { at: LogPlace::new(3, "ff".into()), ..closed.clone() };
    for (name, text, told, prev, begins) in [
        ("cut", Some(first.as_str()), &closed, &at[3], format!("{first}{{")),
        ("emptied", Some(""), &closed, &at[3], "{".to_owned()),
        ("gone", None, &closed, &at[3], "{".to_owned()),
        ("one byte of it", Some("x"), &closed, &at[3], "x\n{".to_owned()),
        ("its end torn", Some(whole.trim_end()), &closed, &at[3], format!("{whole}{{")),
        ("another last line", Some(whole.as_str()), &other, &at[3], format!("{whole}{{")),
    ] {
        std::fs::remove_file(&path).unwrap();
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let log = beside(dir.path(), std::slice::from_ref(told));
        assert!(!log.faults().is_empty() && log.adopted.is_none(), "{name}: {:?}", log.adopted);
        assert_eq!(next(&log, dir.path()), (4, prev.hash.clone()), "{name}");
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(&begins), "{name}");
    }
}

#[test]
fn behind_what_a_person_accepted_the_next_place_follows_and_later_lines_count() {
    let (dir, at) = refusals(1);
    let path = dir.path().join(FILE);
    let text = std::fs::read_to_string(&path).unwrap() + "nonsense\n";
    std::fs::write(&path, &text).unwrap();
    let accepted = Some(AcceptedFile { bytes: text.len() as u64, sha256: line_hash(&text) });
    let witness = [LogWitness { open: true, accepted, ..witness(1, &at[1].hash) }];
    let mut newest = LogPlace::default();
    for seq in [2, 3] {
        let log = beside(dir.path(), &witness);
        assert_eq!(log.faults(), []);
        assert_eq!(next(&log, dir.path()).0, seq);
        newest = log.inner.lock().tip.place();
    }
    // What is told of them later counts, and not that they were accepted once.
    let [accepted] = witness;
    let closed = LogWitness { at: newest, open: false, loose: vec![2, 3], accepted: None };
    let log = beside(dir.path(), &[accepted, closed]);
    assert_eq!((log.faults(), &log.adopted), (vec![], &None));

    // A file that was cut, and accepted as it was: the places that are gone are not given again.
    let (dir, at) = refusals(3);
    let path = dir.path().join(FILE);
    let text = format!("{}\n", written(dir.path())[0]);
    std::fs::write(&path, &text).unwrap();
    let accepted = Some(AcceptedFile { bytes: text.len() as u64, sha256: line_hash(&text) });
    let accepted = LogWitness { open: true, accepted, loose: Vec::new(), at: at[3].clone() };
    let log = beside(dir.path(), &[accepted]);
    assert_eq!((log.faults(), next(&log, dir.path())), (vec![], (4, at[3].hash.clone())));
}

#[test]
fn a_line_that_could_not_be_written_is_said_and_takes_no_place() {
    let (dir, at) = refusals(1);
    let log = open(dir.path());
    let readable = File::open(dir.path().join(FILE)).unwrap();
    let good = std::mem::replace(&mut log.inner.lock().file, readable);
    assert!(matches!(log.inner.write(deed(Phase::Before, "b")), Err(StoreError::Write(_))));
    assert!(log.begins().is_some(), "none was written yet");
    log.inner.lock().file = good;
    assert_eq!(next(&log, dir.path()), (2, at[1].hash.clone()));
    assert_eq!(check(dir.path()).fault, None);
}

fn witness(seq: u64, hash: &str) -> LogWitness {
    let at = LogPlace::new(seq, hash.into());
    LogWitness { at, open: false, loose: Vec::new(), accepted: None }
}
