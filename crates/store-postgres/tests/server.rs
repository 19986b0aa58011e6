//! What only a store in a database has to do: turns, rights, servers that end, tables that somebody changed.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod kit;

use std::sync::Arc;
use std::time::Duration;

use kit::Server;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::step::Step;
use skydeck_store::local::LocalStore;
use skydeck_store::{AppendError, Batch, Reads, Store, StoreError, doctor};
use skydeck_store_postgres::check::{Finding, Grade, check};
use skydeck_store_postgres::{PgFault, PgStore, Settings, admin, copy};
use skydeck_store_testkit::answers::everything;
use skydeck_store_testkit::block;
use skydeck_store_testkit::facts::{TestClock, action, audited, begun, history, key, settled, tried};

fn open(server: &Server, database: &str) -> Result<PgStore, StoreError> {
    PgStore::open(server.settings(database, "skydeck_host"), TestClock::new())
}

fn of_host(server: &Server, database: &str, host: &str) -> Settings {
    Settings { host: host.into(), ..server.settings(database, "skydeck_host") }
}

fn fill(store: &PgStore) {
    for events in history() {
        block(store.append(events.into())).unwrap();
    }
}

fn says(error: &StoreError, en: &str, zh: &str) {
    assert!(error.to_string().contains(en) && error.zh().contains(zh), "{error}\n{}", error.zh());
}

fn worst(found: &[Finding]) -> Grade {
    found.iter().map(|finding| finding.grade).max().unwrap()
}

#[test]
fn a_role_does_what_it_is_for_and_nothing_else() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    fill(&open(&server, &database).unwrap());
    let tables =
        "select relname from pg_class where relnamespace = 'skydeck'::regnamespace and relkind = 'r' order by 1";
    let tables = server.asks(&database, "admin", tables).unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    for role in ["skydeck_host", "skydeck_reader"] {
        for table in &tables {
            let refused = |sql: &str| server.asks(&database, role, sql).unwrap_err();
            for sql in ["delete from", "truncate", "drop table", "insert into"] {
                let rest = if sql == "insert into" { "default values" } else { "" };
                let code = refused(&format!("{sql} skydeck.{table} {rest}"));
                assert!(["42501", "25006"].contains(&code.as_str()), "{role} {sql} {table}: {code}");
            }
            let column =
                format!("select attname from pg_attribute where attrelid = 'skydeck.{table}'::regclass and attnum = 1");
            let column = server.asks(&database, "admin", &column).unwrap().remove(0);
            let code = refused(&format!("update skydeck.{table} set {column} = {column}"));
            assert!(["42501", "25006"].contains(&code.as_str()), "{role} update {table}: {code}");
            assert!(server.asks(&database, role, &format!("select count(*) from skydeck.{table}")).is_ok());
        }
        for sql in
            ["create table skydeck.x (a int)", "create function skydeck.x() returns int language sql as 'select 1'"]
        {
            let code = server.asks(&database, role, sql).unwrap_err();
            assert!(["42501", "25006"].contains(&code.as_str()), "{role} {sql}: {code}");
        }
    }
    let code = server.asks(&database, "skydeck_reader", "select skydeck.take_pen_v1('x', 'x', 15)").unwrap_err();
    assert_eq!(code, "42501");
    // Whoever only reads is told so, and reads.
    let error = PgStore::open(server.settings(&database, "skydeck_reader"), TestClock::new()).err().unwrap();
    says(&error, "lacks a right", "权限不足");
    let reader = PgStore::look(server.settings(&database, "skydeck_reader")).unwrap();
    assert!(block(reader.last_seq()).unwrap() > Seq(0));
    assert!(matches!(block(reader.append(vec![action("x")].into())), Err(AppendError::Write(_))));
}

#[test]
fn one_machine_writes_and_one_that_was_taken_over_writes_nothing_more() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let first = PgStore::open(of_host(&server, &database, "bastion1"), TestClock::new()).unwrap();
    block(first.append(begun(1, "p", &[1, 2]).into())).unwrap();
    let second = || PgStore::open(of_host(&server, &database, "bastion2"), TestClock::new());
    let error = second().err().unwrap();
    says(&error, "bastion1 writes to this store", "bastion1 正在写入该存储");
    // A consoles's reader on the other machine sees it meanwhile.
    let reader = PgStore::look(of_host(&server, &database, "bastion2")).unwrap();
    assert_eq!(block(reader.last_seq()).unwrap(), Seq(4));
    // Its turn is over before it says so itself, as when it stood still.
    server.sql(&database, "update skydeck.head set until = clock_timestamp() - interval '1 second'");
    let second = second().unwrap();
    block(second.append(vec![tried(1, 1, Step::Audit, 1)].into())).unwrap();
    for _ in 0..2 {
        let refused = block(first.append(vec![tried(1, 2, Step::Audit, 1)].into()));
        assert!(matches!(refused, Err(AppendError::Write(_))), "{refused:?}");
    }
    assert_eq!(block(reader.last_seq()).unwrap(), Seq(5), "nothing of the first came through");
    // Laid down in order it is free at once.
    drop(second);
    drop(first);
    let third = PgStore::open(of_host(&server, &database, "bastion3"), TestClock::new()).unwrap();
    block(third.append(vec![settled(1, 1, Slot::Waiting, audited())].into())).unwrap();
}

#[test]
fn a_batch_is_stored_once_however_often_the_store_was_opened_between() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let batch = Batch::new(vec![tried(1, 1, Step::Audit, 1), action("go")]).if_unmoved(vec![(key(1).record, Seq(2))]);
    let first = {
        let store = open(&server, &database).unwrap();
        block(store.append(begun(1, "p", &[1]).into())).unwrap();
        block(store.append(batch.clone())).unwrap().facts
    };
    let store = open(&server, &database).unwrap();
    block(store.append(vec![action("between")].into())).unwrap();
    let again = block(store.append(batch)).unwrap().facts;
    assert_eq!((first, block(store.last_seq()).unwrap()), (again, Seq(7)));
}

#[test]
fn a_server_that_is_killed_again_and_again_loses_nothing_that_was_told_and_stores_nothing_twice() {
    let Some(server) = Server::own() else { return };
    let database = server.database();
    let store = Arc::new(open(&server, &database).unwrap());
    block(store.append(begun(1, "p", &(1..=400).collect::<Vec<_>>()).into())).unwrap();
    let writes = std::thread::spawn({
        let store = Arc::clone(&store);
        move || {
            let mut unsure = 0;
            for fid in 1..=400 {
                let batch = Batch::new(vec![tried(1, fid, Step::Audit, 1), settled(1, fid, Slot::Waiting, audited())]);
                loop {
                    match block(store.append(batch.clone())) {
                        Ok(_) => break,
                        Err(AppendError::Unsure(_)) => unsure += 1,
                        Err(AppendError::Away(_)) => {}
                        Err(other) => panic!("{fid}: {other:?}"),
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                // Slow enough that a quick machine is not done before the third kill.
                std::thread::sleep(Duration::from_millis(10));
            }
            unsure
        }
    });
    let mut kills = 0;
    while !writes.is_finished() && kills < 8 {
        std::thread::sleep(Duration::from_millis(150));
        server.kill();
        server.up();
        kills += 1;
    }
    let unsure = writes.join().unwrap();
    assert!(kills >= 3, "{kills} kills, {unsure} appends of which nobody knew");
    let facts = block(store.facts_after(Seq(4), usize::MAX)).unwrap();
    assert_eq!(facts.len(), 800, "each once");
    assert!(
        facts.chunks(2).all(|two| matches!(&two[0].event, Event::StepTried { .. })
            && matches!(&two[1].event, Event::BillSettled { .. }))
    );
    let found = check(&server.settings(&database, "skydeck_host"), None);
    assert_eq!(worst(&found), Grade::Look, "{found:?}");
}

#[test]
fn what_is_held_of_the_tables_is_asked_for_anew_after_a_connection_was_cut() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let store = open(&server, &database).unwrap();
    block(store.append(begun(1, "p", &(1..=12).collect::<Vec<_>>()).into())).unwrap();
    for fid in 1..=12 {
        server.sql(&database, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'skydeck_host' and datname = current_database()");
        let batch = Batch::new(vec![tried(1, fid, Step::Audit, 1), settled(1, fid, Slot::Waiting, audited())]);
        while let Err(error) = block(store.append(batch.clone())) {
            assert!(matches!(error, AppendError::Unsure(_) | AppendError::Away(_)), "{fid}: {error:?}");
        }
    }
    assert_eq!(block(store.last_seq()).unwrap(), Seq(4 + 24));
    let found = check(&server.settings(&database, "skydeck_host"), None);
    assert_eq!(worst(&found), Grade::Look, "{found:?}");
}

#[test]
fn whoever_follows_is_told_of_facts_that_another_machine_added() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let store = open(&server, &database).unwrap();
    let reader = PgStore::look(server.settings(&database, "skydeck_reader")).unwrap();
    let mut far = reader.follow();
    for n in 1..=20 {
        block(store.append(vec![action("x")].into())).unwrap();
        block(async {
            while far.borrow_and_update().0 < n {
                far.changed().await.unwrap();
            }
        });
        assert_eq!(block(reader.facts_after(Seq(n - 1), 10)).unwrap().len(), 1);
    }
}

#[test]
fn what_somebody_changed_by_hand_is_named() {
    let Some(server) = Server::get() else { return };
    let found = |database: &str| check(&server.settings(database, "skydeck_host"), None);
    let filled = || {
        let database = server.database();
        fill(&open(&server, &database).unwrap());
        database
    };
    let database = filled();
    let good = found(&database);
    // One server without a standby is said, and works.
    assert_eq!(worst(&good), Grade::Look, "{good:?}");
    assert_eq!(good.iter().filter(|finding| finding.grade == Grade::Look).count(), 1, "{good:?}");
    for (sql, grade, en) in [
        ("alter table skydeck.run add column mine text", Grade::Unusable, "altered by hand since they were made: run"),
        ("drop index skydeck.bill_ledger", Grade::Unusable, "altered by hand since they were made: bill"),
        ("alter table skydeck.run drop constraint the_sum_closes", Grade::Unusable, "made: run"),
        (
            "create or replace function skydeck.keep_pen_v1(p_fence int8, p_lease int4) returns boolean language sql as 'select true'",
            Grade::Unusable,
            "keep_pen_v1()",
        ),
        ("update skydeck.fact set body = body || '\\x00' where seq = 7", Grade::Damaged, "fact 7 is not the one"),
        ("delete from skydeck.fact where seq = 9", Grade::Damaged, "fact 9 is not the one"),
        (
            "delete from skydeck.fact where seq > (select max(seq) - 10 from skydeck.fact)",
            Grade::Damaged,
            "is not the one that was stored",
        ),
        ("update skydeck.bill_row set slot = 1 where slot = 4", Grade::Damaged, "rows were changed by hand"),
    ] {
        let database = filled();
        server.sql(&database, sql);
        let found = found(&database);
        assert_eq!(worst(&found), grade, "{sql}: {found:?}");
        assert!(found.iter().any(|finding| finding.grade == grade && finding.en.contains(en)), "{sql}: {found:?}");
        if grade == Grade::Unusable {
            says(&open(&server, &database).err().unwrap(), "altered by hand", "人工改动");
            PgStore::look(server.settings(&database, "skydeck_reader")).unwrap();
        }
    }
    let refused = server.asks(&filled(), "admin", "update skydeck.run set failed = failed + 1").unwrap_err();
    assert_eq!(refused, "23514", "a sum that does not close is refused, whoever writes it");
}

#[test]
fn what_is_wrong_with_a_database_is_said_with_what_to_do() {
    let Some(server) = Server::get() else { return };
    let look = |settings: Settings| PgStore::look(settings).err().unwrap();
    let here = server.database();
    says(
        &look(server.settings("nowhere", "skydeck_host")),
        "create the database, then `skydeck store init`",
        "请先创建数据库",
    );
    says(&look(server.settings("postgres", "skydeck_host")), "there is no store in this database", "没有存储");
    says(&look(server.settings(&here, "nobody_at_all")), "refuses the sign-in", "拒绝登录");
    says(&look(Settings::new("host=127.0.0.1 port=1 user=x dbname=y")), "cannot be reached", "无法连接");
    says(&look(Settings::new("postgresql://x:secret@127.0.0.1/y")), "holds a password", "含有密码");
    let newer = server.database();
    server.sql(&newer, "update skydeck.store set min_writer = 99");
    says(&look(server.settings(&newer, "skydeck_host")), "asks for a program of form 99", "程序形式 99");
    let older = server.database();
    server.sql(&older, "delete from skydeck.migrations where version = (select max(version) from skydeck.migrations)");
    says(
        &look(server.settings(&older, "skydeck_host")),
        "`skydeck store migrate` raises it",
        "请执行 `skydeck store migrate`",
    );
    let odd = server.database();
    server.sql(&odd, "update skydeck.migrations set checksum = '7' where version = 1");
    let fault = block(admin::migrate(&server.settings(&odd, "admin"))).unwrap_err();
    assert!(matches!(fault, PgFault::Migration(_)), "{fault:?}");
    assert_eq!(block(admin::migrate(&server.settings("postgres", "admin"))), Err(PgFault::NoStore));
    // Twice is once.
    assert_eq!(block(admin::init(&server.settings(&here, "admin"))), Ok(admin::VERSION));
}

#[test]
fn what_an_administrator_runs_by_hand_makes_the_same_store() {
    let Some(server) = Server::get() else { return };
    server.sql("postgres", "create database by_hand");
    server.sql("by_hand", &admin::script());
    assert_eq!(block(admin::migrate(&server.settings("by_hand", "admin"))), Ok(admin::VERSION));
    let store = open(&server, "by_hand").unwrap();
    fill(&store);
    let found = check(&server.settings("by_hand", "skydeck_host"), None);
    assert_eq!(worst(&found), Grade::Look, "{found:?}");
}

#[test]
fn a_store_of_an_earlier_schema_is_raised_with_what_it_holds() {
    let Some(server) = Server::get() else { return };
    server.sql("postgres", "create database earlier");
    // As the steps before the last one left it.
    let script = admin::script();
    let last = format!("insert into skydeck.migrations values ({}", admin::VERSION - 1);
    let end = script.find(&last).unwrap();
    let end = end + script[end..].find('\n').unwrap() + 1;
    server.sql("earlier", &format!("{}commit;\n", &script[..end]));
    let error = open(&server, "earlier").err().unwrap();
    says(&error, "`skydeck store migrate` raises it", "请执行 `skydeck store migrate`");
    // A run that an earlier program left open, which knew of no other machine.
    server.sql(
        "earlier",
        "insert into skydeck.plan values (1, 'old'); insert into skydeck.family values (1, 'old', 'f', ''); \
         insert into skydeck.run (no, id, plan, family, kind, state, counts, opened, found, done, already, skipped, failed, unknown, \
           waiting, not_reached, live) values (1, '01K742SG01000000000000000Z', 1, 1, 'fresh', 'paused', true, 0, 0, 0, 0, 0, 0, 0, 0, 0, ''); \
         insert into skydeck.batch_seen values ('x', 0, 1)",
    );
    assert_eq!(block(admin::migrate(&server.settings("earlier", "admin"))), Ok(admin::VERSION));
    let kept =
        server.asks("earlier", "skydeck_host", "select id || ' ' || coalesce(holder::text, 'nobody') from skydeck.run");
    assert_eq!(kept.unwrap(), ["01K742SG01000000000000000Z nobody"]);
    let found = check(&server.settings("earlier", "skydeck_host"), None);
    assert!(worst(&found) <= Grade::Look, "{found:?}");
}

#[test]
fn a_directory_goes_into_a_database_and_back_and_says_the_same() {
    let Some(server) = Server::get() else { return };
    let (database, dir) = (server.database(), tempfile::tempdir().unwrap());
    let from = LocalStore::open(&dir.path().join("from"), TestClock::new(), "op", &|_| {}).unwrap();
    for events in history() {
        block(from.append(events.into())).unwrap();
    }
    let to = open(&server, &database).unwrap();
    let copied = block(copy::import(&from, &to, &|_| {})).unwrap();
    assert_eq!((copied.facts, copied.runs), (from.last().0, 5));
    assert_eq!(everything(&from), everything(&to));
    says(&block(copy::import(&from, &to, &|_| {})).unwrap_err(), "without facts", "没有记录的存储");
    let back = dir.path().join("back");
    let again = block(copy::export(&to, &back, "op", &|_| {})).unwrap();
    assert_eq!(again, copied);
    let back = LocalStore::open(&back, TestClock::new(), "op", &|_| {}).unwrap();
    assert_eq!(everything(&back), everything(&from));
    drop(back);
    let report = doctor::check(&dir.path().join("back"), &*TestClock::new(), &|_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
}
