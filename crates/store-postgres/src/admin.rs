//! Making a store, raising it, looking at it.
//!
//! Invariant: connecting never alters anything: only `init` and `migrate` do, each step in one transaction, under one lock.

use std::fmt::Write as _;

use tokio_postgres::Client;

use crate::connect::{Settings, connect};
use crate::fault::PgFault;

mod embedded {
    refinery::embed_migrations!("sql");
}

/// The version of the schema that this program makes and needs.
pub const VERSION: u32 = 6;
/// What this program is, for schemas that ask for newer ones.
pub const FORM: u32 = 1;
/// Table in which refinery notes what ran.
const NOTED: &str = "skydeck.migrations";

/// Roles and schema: what an administrator of the database makes once. Running it again changes nothing.
pub const ROLES: &str = "\
do $$ begin
  if not exists (select from pg_roles where rolname = 'skydeck_owner') then create role skydeck_owner nologin; end if;
  if not exists (select from pg_roles where rolname = 'skydeck_host') then create role skydeck_host login; end if;
  if not exists (select from pg_roles where rolname = 'skydeck_reader') then create role skydeck_reader login; end if;
end $$;
alter role skydeck_host set statement_timeout = '10s';
alter role skydeck_host set lock_timeout = '5s';
alter role skydeck_host set idle_in_transaction_session_timeout = '5s';
alter role skydeck_reader set statement_timeout = '10s';
alter role skydeck_reader set default_transaction_read_only = on;
create schema if not exists skydeck authorization skydeck_owner;
grant usage on schema skydeck to skydeck_host, skydeck_reader;
";

/// The whole as one text, for an administrator who runs it by hand; with what refinery would note.
pub fn script() -> String {
    let runner = embedded::migrations::runner();
    let mut text = format!(
        "-- As a superuser, in the database of the store. Give skydeck_host and skydeck_reader a password or a certificate.\n\
         begin;\n{ROLES}set local role skydeck_owner;\nset local search_path = skydeck;\n\
         create table {NOTED} (version int4 primary key, name varchar(255), applied_on varchar(255), checksum varchar(255));\n"
    );
    let mut migrations = runner.get_migrations().clone();
    migrations.sort();
    for step in &migrations {
        text.push_str(step.sql().unwrap_or_default());
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "insert into {NOTED} values ({}, '{}', to_char(now() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '{}');",
            step.version(),
            step.name(),
            step.checksum()
        );
    }
    text.push_str("commit;\n");
    text
}

/// Makes roles, schema and tables. `settings` are of an administrator.
pub async fn init(settings: &Settings) -> Result<u32, PgFault> {
    let mut client = connect(settings).await?;
    enough(&client).await?;
    client.batch_execute(ROLES).await?;
    raise(&mut client).await
}

/// Raises the schema to this program's version; gives the version it has then. `settings` are of its owner, or of an administrator.
pub async fn migrate(settings: &Settings) -> Result<u32, PgFault> {
    let mut client = connect(settings).await?;
    enough(&client).await?;
    if version(&client).await?.is_none() {
        return Err(PgFault::NoStore);
    }
    raise(&mut client).await
}

/// Says that users of machines are a person; one that was another's is this one's from now on. `settings` are of the schema's owner, or
/// of an administrator.
pub async fn add_person(settings: &Settings, name: &str, logins: &[(String, u32)]) -> Result<(), PgFault> {
    let client = connect(settings).await?;
    enough(&client).await?;
    let found = version(&client).await?.ok_or(PgFault::NoStore)?;
    if found < VERSION {
        return Err(PgFault::TooOld { found, needs: VERSION });
    }
    client.batch_execute("set role skydeck_owner").await?;
    let (hosts, uids): (Vec<&str>, Vec<i64>) =
        logins.iter().map(|(host, uid)| (host.as_str(), i64::from(*uid))).unzip();
    client.execute("select skydeck.add_person_v1($1, $2, $3)", &[&name, &hosts, &uids]).await?;
    Ok(())
}

/// The lock under which a schema is raised: two that raise it at once do so one after the other.
const LOCK: i64 = 0x0073_6b79_6465_636b;

async fn raise(client: &mut Client) -> Result<u32, PgFault> {
    client
        .batch_execute(&format!("select pg_advisory_lock({LOCK}); set role skydeck_owner; set search_path = skydeck"))
        .await?;
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(NOTED);
    let report = runner.run_async(client).await;
    let report = report.map_err(|e| PgFault::Migration(crate::fault::said(&chain(&e))))?;
    if !report.applied_migrations().is_empty() {
        let noted = "delete from skydeck.made_as; insert into skydeck.made_as (name, said) select name, said from skydeck.shapes_v1()";
        client.batch_execute(noted).await?;
    }
    client.batch_execute(&format!("reset role; select pg_advisory_unlock({LOCK})")).await?;
    Ok(VERSION)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Refuses a server that lacks what the functions use.
async fn enough(client: &Client) -> Result<(), PgFault> {
    let row = client
        .query_one("select current_setting('server_version_num')::int4, current_setting('server_version')", &[])
        .await?;
    let (number, text): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    if number < 140_000 { Err(PgFault::Server(crate::fault::said(&text))) } else { Ok(()) }
}

/// The version of the schema; `None` where there is none.
async fn version(client: &Client) -> Result<Option<u32>, PgFault> {
    let there = client.query_one("select to_regclass('skydeck.migrations') is not null", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let row = client.query_one("select coalesce(max(version), 0)::int4 from skydeck.migrations", &[]).await?;
    Ok(u32::try_from(row.try_get::<_, i32>(0)?).ok().filter(|version| *version > 0))
}
