//! Whether a store can be used, and by whom: what is looked at when one is opened, and what more `store check` looks at.
//!
//! Invariant: looking changes nothing, and everything that is found says what to do about it.

use std::sync::Arc;
use std::time::Duration;

use skydeck_store::StoreError;
use tokio_postgres::NoTls;

use crate::admin::{FORM, VERSION};
use crate::body::{digest, link};
use crate::connect::{Settings, connect, hear};
use crate::fault::{PgFault, said};
use crate::io::{Inner, Io, Value};
use crate::tables::column;

/// Facts of a chain that are read at once.
const PIECE: i64 = 2_000;
/// Until a notification is given up.
const HEARD: Duration = Duration::from_secs(1);

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Good,
    /// It works, and somebody should look at it.
    Look,
    /// The store cannot be used.
    Unusable,
    /// What is stored does not verify.
    Damaged,
}

/// One thing that was looked at, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

impl Finding {
    fn new(grade: Grade, en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { grade, en: en.into(), zh: zh.into() }
    }

    fn fault(grade: Grade, fault: &PgFault) -> Self {
        Self::new(grade, fault.en(), fault.zh())
    }
}

/// What stands in the way of using a store at all.
pub(crate) async fn usable(inner: Arc<Inner>) -> Result<(), PgFault> {
    let sql = "select current_setting('server_version_num')::int4, current_setting('server_version'), \
               to_regclass('skydeck.migrations') is not null";
    let rows = inner.rows(sql, &[]).await?;
    let row = rows.first().ok_or(PgFault::Slow)?;
    let odd = |e: StoreError| PgFault::Said(e.to_string());
    let (number, text, there): (i32, String, bool) =
        (column(row, 0).map_err(odd)?, column(row, 1).map_err(odd)?, column(row, 2).map_err(odd)?);
    if number < 140_000 {
        return Err(PgFault::Server(said(&text)));
    }
    if !there {
        return Err(PgFault::NoStore);
    }
    let sql = "select (select max(version) from skydeck.migrations)::int4, min_reader, min_writer from skydeck.store";
    let rows = inner.rows(sql, &[]).await?;
    let row = rows.first().ok_or(PgFault::NoStore)?;
    let (found, reader, writer): (Option<i32>, i32, i32) =
        (column(row, 0).map_err(odd)?, column(row, 1).map_err(odd)?, column(row, 2).map_err(odd)?);
    let found = found.and_then(|found| u32::try_from(found).ok()).unwrap_or_default();
    let asks = u32::try_from(reader.max(writer)).unwrap_or(u32::MAX);
    if asks > FORM {
        return Err(PgFault::TooNew { asks, is: FORM });
    }
    if found < VERSION {
        return Err(PgFault::TooOld { found, needs: VERSION });
    }
    Ok(())
}

/// What stands in the way of writing.
pub(crate) async fn writable(inner: Arc<Inner>) -> Result<(), PgFault> {
    let altered = altered(&inner).await?;
    if altered.is_empty() { Ok(()) } else { Err(PgFault::Altered(altered)) }
}

/// Tables and functions that are not as they were made.
async fn altered(inner: &Inner) -> Result<Vec<String>, PgFault> {
    let sql = "select coalesce(m.name, s.name) from skydeck.made_as m full join skydeck.shapes_v1() s on s.name = m.name \
               where s.said is distinct from m.said order by 1";
    let rows = inner.rows(sql, &[]).await?;
    Ok(rows.iter().filter_map(|row| column::<String>(row, 0).ok()).map(|name| said(&name)).collect())
}

/// Looks at everything; `newest`: how many facts of the chain are read, all of them where it is `None`.
pub fn check(settings: &Settings, newest: Option<u64>) -> Vec<Finding> {
    let io = match Io::start(settings.clone()) {
        Ok(io) => io,
        Err(fault) => return vec![Finding::fault(Grade::Unusable, &fault)],
    };
    if let Err(fault) = io.wait(usable) {
        return vec![Finding::fault(Grade::Unusable, &fault)];
    }
    let look = move |inner: Arc<Inner>| async move {
        let mut all = Vec::new();
        for found in [
            server(&inner).await,
            clock(&inner).await,
            rights(&inner).await,
            altered_finding(&inner).await,
            turn(&inner).await,
        ] {
            all.extend(found.unwrap_or_else(|fault| vec![Finding::fault(Grade::Unusable, &fault)]));
        }
        all.push(pooled(&inner.settings).await.unwrap_or_else(|fault| Finding::fault(Grade::Look, &fault)));
        for found in [sums(&inner).await, chain(&inner, newest).await] {
            all.push(found.unwrap_or_else(|fault| Finding::fault(Grade::Unusable, &fault)));
        }
        Ok(all)
    };
    io.wait(look).unwrap_or_else(|fault| vec![Finding::fault(Grade::Unusable, &fault)])
}

async fn texts<const N: usize>(inner: &Inner, sql: &str) -> Result<[String; N], PgFault> {
    let rows = inner.rows(sql, &[]).await?;
    let row = rows.first().ok_or(PgFault::Slow)?;
    let mut all = [const { String::new() }; N];
    for (at, text) in all.iter_mut().enumerate() {
        *text = column::<Option<String>>(row, at).map_err(|e| PgFault::Said(e.to_string()))?.unwrap_or_default();
        *text = said(text);
    }
    Ok(all)
}

async fn server(inner: &Inner) -> Result<Vec<Finding>, PgFault> {
    let [version, sync, standbys, id] = texts(
        inner,
        "select current_setting('server_version'), current_setting('synchronous_commit'), \
         current_setting('synchronous_standby_names'), (select id from skydeck.store)",
    )
    .await?;
    let mut all = vec![Finding::new(
        Grade::Good,
        format!("PostgreSQL {version}, schema of version {VERSION}, store {id}"),
        format!("PostgreSQL {version}，存储结构版本 {VERSION}，存储 {id}"),
    )];
    if sync != "on" && sync != "remote_apply" {
        all.push(Finding::new(
            Grade::Unusable,
            format!("synchronous_commit is {sync}: a fact that was told could be lost; set it to on for skydeck_host"),
            format!("synchronous_commit 为 {sync}：已告知的内容可能丢失；请对 skydeck_host 设为 on"),
        ));
    }
    if standbys.is_empty() {
        all.push(Finding::new(
            Grade::Look,
            "no synchronous standby: what is stored stands on one server; set synchronous_standby_names, or back it up",
            "没有同步备库：数据只在一台服务器上；请设置 synchronous_standby_names，或做好备份",
        ));
    }
    Ok(all)
}

/// Two clocks that lie further apart are said, milliseconds.
const APART: i64 = 2_000;

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// How far this machine's clock is from the database's, which alone says whose turn it is and how long something waits.
async fn clock(inner: &Inner) -> Result<Vec<Finding>, PgFault> {
    let before = now();
    let rows = inner.rows("select (extract(epoch from clock_timestamp()) * 1000)::int8", &[]).await?;
    let after = now();
    let theirs = rows.first().map_or(Ok(before), |row| column(row, 0));
    let theirs: i64 = theirs.map_err(|e| PgFault::Said(e.to_string()))?;
    // What the question itself took is nobody's fault.
    let apart = if theirs < before { theirs - before } else { (theirs - after).max(0) };
    if apart.abs() <= APART {
        return Ok(Vec::new());
    }
    let secs = apart.abs() / 1000;
    let (en, zh) = if apart > 0 { ("behind", "慢") } else { ("ahead of", "快") };
    Ok(vec![Finding::new(
        Grade::Look,
        format!(
            "this machine's clock is {secs} s {en} the database's: schedules start by it, and times are shown by it; let NTP set both"
        ),
        format!("本机时钟比数据库{zh} {secs} 秒：定时按本机时钟启动，时间按本机时钟显示；请用 NTP 校准两者"),
    )])
}

async fn rights(inner: &Inner) -> Result<Vec<Finding>, PgFault> {
    let [role, writes, appends, is_super] = texts(
        inner,
        "select current_user::text, \
         (select string_agg(c.relname::text, ', ' order by c.relname) from pg_class c \
            where c.relnamespace = 'skydeck'::regnamespace and c.relkind in ('r', 'p') \
            and (has_table_privilege(c.oid, 'insert') or has_table_privilege(c.oid, 'update') \
              or has_table_privilege(c.oid, 'delete') or has_table_privilege(c.oid, 'truncate'))), \
         (select bool_and(has_function_privilege(p.oid, 'execute'))::text from pg_proc p \
            where p.pronamespace = 'skydeck'::regnamespace and p.proname in ('append_v1', 'take_pen_v1', 'keep_pen_v1')), \
         (select rolsuper::text from pg_roles where rolname = current_user)",
    )
    .await?;
    let mut all = Vec::new();
    if is_super == "true" || !writes.is_empty() {
        all.push(Finding::new(
            Grade::Look,
            format!(
                "role {role} may write tables by itself, so it could change what is stored: sign in as skydeck_host"
            ),
            format!("角色 {role} 可以直接写表，因而能改动已存内容：请以 skydeck_host 登录"),
        ));
    }
    let (en, zh) =
        if appends == "true" { ("reads, and adds facts", "可读取并追加") } else { ("reads only", "只读") };
    all.push(Finding::new(Grade::Good, format!("role {role} {en}"), format!("角色 {role} {zh}")));
    Ok(all)
}

async fn altered_finding(inner: &Inner) -> Result<Vec<Finding>, PgFault> {
    let altered = altered(inner).await?;
    Ok(if altered.is_empty() {
        vec![Finding::new(Grade::Good, "tables and functions are as they were made", "表和函数与创建时一致")]
    } else {
        vec![Finding::fault(Grade::Unusable, &PgFault::Altered(altered))]
    })
}

async fn turn(inner: &Inner) -> Result<Vec<Finding>, PgFault> {
    let [seq, host, until] = texts(
        inner,
        "select seq::text, case when until > clock_timestamp() then host end, \
         case when until > clock_timestamp() then to_char(until, 'YYYY-MM-DD HH24:MI:SS TZ') end from skydeck.head where book = 1",
    )
    .await?;
    if host == crate::pen::TOGETHER {
        return together(inner, &seq).await;
    }
    Ok(vec![if host.is_empty() {
        Finding::new(Grade::Good, format!("{seq} facts; nobody writes now"), format!("{seq} 条记录；目前无人写入"))
    } else {
        Finding::new(
            Grade::Good,
            format!("{seq} facts; {host} writes, its turn lasts until {until} unless it is renewed"),
            format!("{seq} 条记录；{host} 正在写入，占用持续到 {until}，期满前会续期"),
        )
    }])
}

/// The machines that write together; one that is silent and has runs is looked after by another one.
async fn together(inner: &Inner, seq: &str) -> Result<Vec<Finding>, PgFault> {
    let machines = crate::hosts::machines(inner).await?;
    let (count, silent): (Vec<_>, Vec<_>) = machines.into_iter().partition(|host| host.silent_secs <= 0);
    let mut names = count.iter().map(|host| host.name.clone()).collect::<Vec<_>>();
    names.sort();
    let same = names.iter().zip(names.iter().skip(1)).find(|(one, next)| one == next).map(|(one, _)| one.clone());
    let mut found = vec![Finding::new(
        Grade::Good,
        format!("{seq} facts; written by {}", names.join(", ")),
        format!("{seq} 条记录；由 {} 共同写入", names.join("、")),
    )];
    if let Some(name) = same {
        found.push(Finding::new(
            Grade::Look,
            format!("two machines are called {name}: people cannot tell them apart, and a login of one counts as that of the other; give each its own `[store] host`"),
            format!("有两台主机都叫 {name}：无法区分，且一台的用户会被当作另一台的；请为每台写各自的 `[store] host`"),
        ));
    }
    found.extend(silent.into_iter().filter(|host| host.runs > 0).map(|host| {
        let (name, secs, runs) = (host.name, host.silent_secs, host.runs);
        Finding::new(
            Grade::Look,
            format!("{name} is silent for {secs} s and has {runs} open runs: a machine that has their environment takes them over"),
            format!("{name} 已 {secs} 秒未报到，手中有 {runs} 个未结束的运行：由配置了相应环境的主机接手"),
        )
    }));
    Ok(found)
}

/// Whether a connection keeps what belongs to it: behind a pooler by transactions it does not.
async fn pooled(settings: &Settings) -> Result<Finding, PgFault> {
    // Statements that are prepared are met by everything that was asked until here.
    if listens(settings).await? {
        return Ok(Finding::new(Grade::Good, "news are pushed", "新内容即时推送"));
    }
    Ok(Finding::new(
        Grade::Look,
        "news are not pushed (a pooler by transactions is between): readers ask again and again, and see them a moment later",
        "新内容无法推送（中间有按事务分配的连接池）：读取方定时查询，略有延迟",
    ))
}

/// Whether what one connection says is heard on another one.
async fn listens(settings: &Settings) -> Result<bool, PgFault> {
    let (heard, mut notes) = tokio::sync::mpsc::unbounded_channel::<()>();
    let config = settings.config()?;
    let ear = if config.get_ssl_mode() == tokio_postgres::config::SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await?;
        hear(connection, heard);
        client
    } else {
        let (client, connection) = config.connect(settings.tls()?).await?;
        hear(connection, heard);
        client
    };
    let channel = format!("skydeck_{}", ulid::Ulid::generate().to_string().to_lowercase());
    ear.batch_execute(&format!("listen {channel}")).await?;
    connect(settings).await?.batch_execute(&format!("notify {channel}")).await?;
    Ok(tokio::time::timeout(HEARD, notes.recv()).await.is_ok_and(|note| note.is_some()))
}

/// Whether the newest runs' sums are what their bills say.
async fn sums(inner: &Inner) -> Result<Finding, PgFault> {
    let sql = "with newest as (select * from skydeck.run order by no desc limit 100), \
               counted as (select b.run, count(*) as found, count(*) filter (where b.slot = 0) as waiting, \
                 count(*) filter (where b.slot = 1) as done, count(*) filter (where b.slot = 2) as already, \
                 count(*) filter (where b.slot = 3) as skipped, count(*) filter (where b.slot = 4) as failed, \
                 count(*) filter (where b.slot = 5) as unknown, count(*) filter (where b.slot = 6) as not_reached \
                 from skydeck.bill_row b join newest n on n.no = b.run group by b.run) \
               select n.id from newest n left join counted c on c.run = n.no where \
                 (n.found, n.waiting, n.done, n.already, n.skipped, n.failed, n.unknown, n.not_reached) is distinct from \
                 (coalesce(c.found, 0), coalesce(c.waiting, 0), coalesce(c.done, 0), coalesce(c.already, 0), \
                  coalesce(c.skipped, 0), coalesce(c.failed, 0), coalesce(c.unknown, 0), coalesce(c.not_reached, 0)) limit 5";
    let rows = inner.rows(sql, &[]).await?;
    let wrong: Vec<String> = rows.iter().filter_map(|row| column::<String>(row, 0).ok()).map(|id| said(&id)).collect();
    Ok(if wrong.is_empty() {
        Finding::new(
            Grade::Good,
            "the sums of the newest runs are those of their bills",
            "最近各次运行的合计与单据一致",
        )
    } else {
        Finding::new(
            Grade::Damaged,
            format!("rows were changed by hand: the sums of {} are not those of their bills", wrong.join(", ")),
            format!("有数据行被人工改动：{} 的合计与其单据不符", wrong.join("、")),
        )
    })
}

/// Reads the chain: each fact's hash is that of the one before, its place and its body.
async fn chain(inner: &Inner, newest: Option<u64>) -> Result<Finding, PgFault> {
    let odd = |e: StoreError| PgFault::Said(e.to_string());
    let rows = inner.rows("select seq, hash from skydeck.head where book = 1", &[]).await?;
    let row = rows.first().ok_or(PgFault::NoStore)?;
    let (end, end_hash): (i64, Vec<u8>) = (column(row, 0).map_err(odd)?, column(row, 1).map_err(odd)?);
    let newest = newest.map_or(i64::MAX, |n| i64::try_from(n).unwrap_or(i64::MAX));
    let from = end.saturating_sub(newest).max(0);
    let damaged = |seq: i64| {
        Ok(Finding::new(
            Grade::Damaged,
            format!("fact {seq} is not the one that was stored: it was changed, or one before it is missing"),
            format!("第 {seq} 条记录与存入时不同：该条被改动，或之前有记录缺失"),
        ))
    };
    let mut before: Option<Vec<u8>> = (from == 0).then(|| vec![0; 32]);
    let mut at = if from == 0 { 0 } else { from - 1 };
    while at < end {
        let values: [Value; 3] = [Box::new(at), Box::new(end), Box::new(PIECE)];
        let sql = "select seq, hash, body from skydeck.fact where seq > $1 and seq <= $2 order by seq limit $3";
        let rows = inner.rows(sql, &values).await?;
        if rows.is_empty() {
            return damaged(at + 1);
        }
        for row in &rows {
            let (seq, hash, body): (i64, Vec<u8>, Vec<u8>) =
                (column(row, 0).map_err(odd)?, column(row, 1).map_err(odd)?, column(row, 2).map_err(odd)?);
            let fits = before.as_ref().is_none_or(|before| link(before, seq, &digest(&body)) == hash);
            if seq != at + 1 || !fits {
                return damaged(at + 1);
            }
            (at, before) = (seq, Some(hash));
        }
    }
    if before.is_some_and(|last| last != end_hash) {
        return damaged(end);
    }
    let n = end - from;
    let (en, zh) = (format!("the chain of {n} facts verifies"), format!("{n} 条记录的链校验通过"));
    Ok(if from == 0 {
        Finding::new(Grade::Good, en, zh)
    } else {
        Finding::new(
            Grade::Good,
            format!("{en}; `--all` reads all {end}"),
            format!("{zh}；`--all` 会读取全部 {end} 条"),
        )
    })
}
