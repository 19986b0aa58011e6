//! Opening: a store is there as it was, belongs to one owner, and leaves alone what it may not or cannot read.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{events, fill, fill_at, in_memory, open, open_small, open_telling, place};
use crate::store_kit::*;
use skydeck::domain::step::{Step, Verdict};
use skydeck::store::local::disk::{Disk, Op};
use skydeck::store::local::{LocalStore, Progress};
use skydeck::store::{AppendError, Reads, Store, StoreError, doctor};

#[test]
fn a_reopened_store_answers_as_before_and_goes_on() {
    let p = place();
    let store = open(&p.dir).unwrap();
    fill(&store);
    let before = everything(&store);
    store.close().unwrap();
    assert_eq!(everything(&store), before, "reads go on after closing");
    assert!(matches!(block(store.append(vec![action("late")].into())), Err(AppendError::Write(_))));
    drop(store);
    let (store, told) = open_telling(&p.dir);
    let store = store.unwrap();
    assert_eq!(told, [Progress::OpeningIndex, Progress::ReadingJournal, Progress::Ready]);
    assert_eq!(everything(&store), before);
    block(store.append(vec![action("next")].into())).unwrap();
    assert!(store.trouble().is_none());
}

#[test]
fn a_plan_is_kept_by_its_revision_through_reopening_and_a_lost_index() {
    use skydeck::domain::event::Event;
    use skydeck::domain::ids::PlanRev;
    use skydeck::domain::run::RunKind;
    let p = place();
    let store = open(&p.dir).unwrap();
    let text = include_str!("../../../plans/sal_outstock_audit.json");
    let plan = skydeck::plan::read(skydeck::domain::ids::PlanId::new("sales"), text).unwrap().plan;
    let mut head = head(1, "sales", RunKind::Fresh);
    head.rev = plan.rev.clone();
    head.text = Some(Box::new(plan.clone()));
    block(store.append(vec![Event::RunOpened(Box::new(head.clone()))].into())).unwrap();
    let check = |store: &LocalStore| {
        assert_eq!(block(store.plan_of(&plan.rev)).unwrap().as_ref(), Some(&plan));
        assert_eq!(block(store.plan_of(&PlanRev::new("another"))).unwrap(), None);
        assert_eq!(
            block(store.run(run_id(1))).unwrap().unwrap().head,
            head.without_text(),
            "a row is not heavier for it"
        );
    };
    check(&store);
    store.close().unwrap();
    drop(store);
    check(&open(&p.dir).unwrap());
    std::fs::remove_dir_all(p.dir.join("sled")).unwrap();
    check(&open(&p.dir).unwrap());
}

#[test]
fn a_store_dropped_without_closing_loses_nothing_it_answered_for() {
    let p = place();
    {
        let store = open(&p.dir).unwrap();
        fill(&store);
    }
    assert_eq!(events(&open(&p.dir).unwrap()), events(&in_memory()));
}

#[test]
fn a_second_owner_is_told_who_has_it() {
    let p = place();
    let first = open(&p.dir).unwrap();
    match open(&p.dir).err().unwrap() {
        StoreError::Held { pid, who, since, .. } => {
            assert_eq!((pid, who.as_str()), (std::process::id(), "op"));
            assert!(since.len() == 19, "{since}");
        }
        other => panic!("{other}"),
    }
    assert!(matches!(doctor::check(&p.dir, TestClock::new().as_ref(), &|_| {}), Err(StoreError::Held { .. })));
    drop(first);
    open(&p.dir).unwrap();
}

#[test]
fn a_directory_that_others_could_use_is_refused_untouched() {
    let p = place();
    std::fs::create_dir(&p.dir).unwrap();
    for mode in [0o755, 0o770, 0o701, 0o704] {
        std::fs::set_permissions(&p.dir, std::fs::Permissions::from_mode(mode)).unwrap();
        let e = open(&p.dir).err().unwrap();
        assert!(matches!(&e, StoreError::Directory(what) if what.contains("chmod 700")), "{mode:o}: {e}");
    }
    std::fs::set_permissions(&p.dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    let link = p.dir.with_extension("link");
    std::os::unix::fs::symlink(&p.dir, &link).unwrap();
    assert!(open(&link).err().unwrap().to_string().contains("symbolic link"));
    let file = p.dir.with_extension("file");
    std::fs::write(&file, "x").unwrap();
    assert!(open(&file).err().unwrap().to_string().contains("no directory"));
    assert_eq!(std::fs::read_dir(&p.dir).unwrap().count(), 0, "nothing was written");
    let store = open(&p.dir.join("deeper/still")).unwrap();
    drop(store);
    let mode = std::fs::metadata(p.dir.join("deeper/still")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_newer_version_is_refused_and_left_alone() {
    let p = place();
    fill_at(&p.dir);
    std::fs::write(p.dir.join("version"), "skydeck store 3\n").unwrap();
    assert!(matches!(open(&p.dir), Err(StoreError::TooNew { found: 3, known: 2, .. })));
    for senseless in ["something else\n", "skydeck store 0\n", ""] {
        std::fs::write(p.dir.join("version"), senseless).unwrap();
        let refused = open(&p.dir).err().unwrap();
        assert!(
            matches!(&refused, StoreError::NoVersion { said: Some(said), .. } if said == senseless.trim()),
            "{refused}"
        );
    }
    // Without one a journal is nobody knows whose: it is no new directory.
    std::fs::remove_file(p.dir.join("version")).unwrap();
    assert!(matches!(open(&p.dir), Err(StoreError::NoVersion { said: None, .. })));
    assert!(!p.dir.join("version").exists());
    std::fs::write(p.dir.join("version"), "skydeck store 2\n").unwrap();
    assert_eq!(events(&open(&p.dir).unwrap()), events(&in_memory()));
}

#[test]
fn many_callers_share_a_flush_and_the_places_have_no_holes() {
    struct Counting(std::sync::atomic::AtomicU64);
    impl Disk for Counting {
        fn before(&self, op: Op) -> std::io::Result<()> {
            if op == Op::Sync {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        }
    }
    let p = place();
    let disk = Arc::new(Counting(0.into()));
    let store = Arc::new(open_small(&p.dir, u64::MAX, Arc::clone(&disk) as Arc<dyn Disk>).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut seqs: Vec<u64> = runtime.block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|i| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let mut seqs = Vec::new();
                    for j in 0..10 {
                        let done =
                            store.append(vec![action(&format!("{i}-{j}")), action("second")].into()).await.unwrap();
                        assert_eq!(done.facts[1].seq.0, done.facts[0].seq.0 + 1);
                        seqs.extend(done.facts.iter().map(|f| f.seq.0));
                    }
                    seqs
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=1280).collect::<Vec<u64>>());
    let flushes = disk.0.load(Ordering::SeqCst);
    assert!(flushes < 320, "{flushes} flushes for 640 appends of 64 callers");
}

#[test]
fn bodies_are_kept_up_to_their_limit_and_known_beyond() {
    use skydeck::domain::event::Event;
    let p = place();
    let store = open(&p.dir).unwrap();
    block(store.append(begun(1, "p", &[1]).into())).unwrap();
    let mut event = answered(1, 1, Step::Audit, Verdict::Done);
    if let Event::StepAnswered { evidence: Some(e), .. } = &mut event {
        let body = e.response.as_mut().unwrap();
        body.bytes.0 = (0..skydeck::store::BODY_LIMIT + 9).map(|i| (i % 251) as u8).collect();
        body.len = body.bytes.0.len() as u64;
    }
    let done = block(store.append(vec![event].into())).unwrap();
    let (facts, _) = block(store.facts_of(&key(1), 9)).unwrap();
    assert_eq!(facts.last(), done.facts.last());
    let Event::StepAnswered { evidence: Some(e), .. } = &facts.last().unwrap().event else { panic!() };
    let body = e.response.as_ref().unwrap();
    assert_eq!((body.bytes.0.len(), body.len), (skydeck::store::BODY_LIMIT, skydeck::store::BODY_LIMIT as u64 + 9));
    assert_eq!(body.sha256.as_ref().unwrap().len(), 64);
}
