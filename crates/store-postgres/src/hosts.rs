//! One of several machines that write: its signs of life, and the runs that others left.
//!
//! Invariant: for how long this machine counts is reckoned from before a sign of life was sent, by a clock that goes on while the
//! machine sleeps; for the others only the database's clock counts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustix::time::{ClockId, clock_gettime};
use skydeck_core::domain::access::Role;
use skydeck_core::domain::command::{Order, Receipt};
use skydeck_core::domain::ids::{CommandId, EnvId, PlanId, RunId, Seq};
use skydeck_core::domain::run::DueTime;
use skydeck_store::StoreError;
use skydeck_store::hosts::{CallTurn, Forwarded, FromAfar, Host, Hosts, Pace, Teller};
use tokio::sync::{Notify, watch};

use crate::fault::{PgFault, said};
use crate::io::{Inner, Io, Value};
use crate::pen::Pen;
use crate::tables::column;

/// Kept from a lease for what is on its way when it is looked at.
const LAG: Duration = Duration::from_secs(2);

/// Between two looks for what a machine says to an order.
const ASKS: Duration = Duration::from_millis(50);
/// How long an order waits to be taken before it is taken back.
const TAKES: Duration = Duration::from_secs(5);
/// How long whoever gave an order waits to hear what became of it.
const ANSWERS: Duration = Duration::from_secs(30);

/// Time since the machine started, sleep included.
fn boot_time() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// When this machine was heard of last, in milliseconds of [`boot_time`].
#[derive(Default)]
pub(crate) struct Heard(AtomicU64);

impl Heard {
    fn at(&self, when: Duration) {
        self.0.store(u64::try_from(when.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    fn counts_for(&self, lease: Duration) -> Duration {
        let until = Duration::from_millis(self.0.load(Ordering::SeqCst)) + lease.saturating_sub(LAG.min(lease / 4));
        until.saturating_sub(boot_time())
    }
}

/// What whoever gives signs of life shares with those who rest on them.
#[derive(Clone, Default)]
pub(crate) struct Signs {
    /// When this machine was heard of.
    pub heard: Arc<Heard>,
    /// It does not count any more: others may have its runs.
    pub lost: Arc<AtomicBool>,
    /// It leaves, or has left.
    pub left: Arc<AtomicBool>,
}

fn secs(lease: Duration) -> i32 {
    i32::try_from(lease.as_secs().max(1)).unwrap_or(i32::MAX)
}

/// Joins those that write; `Err(Taken)`: one machine writes alone.
pub(crate) async fn join(inner: Arc<Inner>, boot: String, heard: Arc<Heard>) -> Result<Pen, PgFault> {
    let before = boot_time();
    let (name, lease) = (inner.settings.host.clone(), secs(inner.settings.lease));
    let values: Vec<Value> =
        vec![Box::new(name), Box::new(boot), Box::new(env!("CARGO_PKG_VERSION").to_owned()), Box::new(lease)];
    let rows = inner.rows("select host, fence, seq from skydeck.join_v1($1, $2, $3, $4)", &values).await?;
    let Some(row) = rows.first() else { return Err(crate::pen::holder(&inner).await?) };
    let odd = |e: StoreError| PgFault::Said(e.to_string());
    let (host, fence, seq): (i32, i64, i64) =
        (column(row, 0).map_err(odd)?, column(row, 1).map_err(odd)?, column(row, 2).map_err(odd)?);
    heard.at(before);
    Ok(Pen { host: Some(host), fence, seq })
}

/// Gives signs of life until the machine leaves, or is told that it does not count any more.
pub(crate) async fn stay(inner: Arc<Inner>, pen: Pen, signs: Signs) {
    let Signs { heard, lost, left } = signs;
    let (lease, host) = (inner.settings.lease, pen.host.unwrap_or_default());
    loop {
        tokio::time::sleep(lease / 3).await;
        if left.load(Ordering::SeqCst) {
            return;
        }
        let before = boot_time();
        let values: Vec<Value> = vec![Box::new(host), Box::new(pen.fence), Box::new(secs(lease))];
        match inner.rows_now("select skydeck.stay_v1($1, $2, $3)", &values).await {
            Ok(rows) if rows.first().is_some_and(|row| column(row, 0).unwrap_or(false)) => heard.at(before),
            Ok(_) => {
                lost.store(true, Ordering::SeqCst);
                heard.at(Duration::ZERO);
                tracing::error!(host, "this machine does not count any more in the store");
                return;
            }
            Err(fault) => tracing::warn!(%fault, "the store's database does not answer a sign of life"),
        }
    }
}

/// Leaves in order: nobody has to wait for the end of the lease.
pub(crate) async fn part(inner: Arc<Inner>, host: i32) -> Result<(), PgFault> {
    inner.rows("select skydeck.part_v1($1)", &[Box::new(host) as Value]).await.map(drop)
}

/// A machine that was silent at a look: until when it was to be heard of, and when that was seen first.
type Silent = (i64, Duration);

/// The machines of a store, as one of them sees them.
pub(crate) struct Members {
    pub io: Arc<Io>,
    pub host: i32,
    pub lease: Duration,
    pub heard: Arc<Heard>,
    name: String,
    silent: Mutex<HashMap<i32, Silent>>,
    /// Orders of other machines wait.
    orders: Arc<Notify>,
}

/// An open run in other hands: its id, its machine, until when that is to be heard of (microseconds), whether it is silent.
struct Left {
    run: String,
    holder: Option<i32>,
    until: Option<i64>,
    is_over: bool,
    has_gone: bool,
}

impl Members {
    pub fn new(io: Arc<Io>, (host, name): (i32, String), lease: Duration, heard: Arc<Heard>) -> Self {
        Self { io, host, lease, heard, name, silent: Mutex::default(), orders: Arc::default() }
    }

    /// What became of an order so far: whether it was taken, and its receipt.
    async fn heard_of(&self, id: &str) -> Result<(bool, Option<Vec<u8>>), StoreError> {
        let sql = "select taken is not null, receipt from skydeck.forwarded_order where id = $1";
        let rows = self.ask(sql, vec![Box::new(id.to_owned())]).await?;
        rows.first().map_or(Ok((false, None)), |row| Ok((column(row, 0)?, column(row, 1)?)))
    }

    /// Takes an order back; whether that could be done.
    async fn withdraw(&self, id: &str) -> Result<bool, StoreError> {
        let sql = "select skydeck.withdraw_order_v1($1, $2)";
        let rows = self.ask(sql, vec![Box::new(self.host), Box::new(id.to_owned())]).await?;
        rows.first().map_or(Ok(false), |row| column(row, 0))
    }

    /// Waits for what a machine says to an order.
    async fn answered(&self, id: &str, host: String) -> Forwarded {
        let since = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(ASKS).await;
            let waited = since.elapsed();
            match self.heard_of(id).await {
                Ok((_, Some(receipt))) => match serde_json::from_slice(&receipt) {
                    Ok(receipt) => return Forwarded::Answered { host, receipt },
                    Err(_) => return Forwarded::Unanswered { host },
                },
                Ok((false, None)) if waited > TAKES => {
                    if self.withdraw(id).await.unwrap_or(false) {
                        return Forwarded::NotTaken { host };
                    }
                }
                Ok(_) | Err(_) => {}
            }
            if waited > ANSWERS {
                return Forwarded::Unanswered { host };
            }
        }
    }

    pub(crate) async fn ask(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        Ok(self.io.ask(move |inner| async move { inner.rows_now(sql, &values).await }).await?)
    }

    async fn left(&self, envs: &[EnvId]) -> Result<Vec<Left>, StoreError> {
        let sql = "select r.id, r.holder, (extract(epoch from h.until) * 1000000)::int8, coalesce(h.until < clock_timestamp(), false), \
                   h.gone is not null from skydeck.run r join skydeck.family f on f.no = r.family \
                   left join skydeck.host h on h.no = r.holder \
                   where r.closed is null and r.holder is distinct from $1 and f.env = any($2) order by r.no";
        let envs: Vec<String> = envs.iter().map(|env| env.as_str().to_owned()).collect();
        let rows = self.ask(sql, vec![Box::new(self.host), Box::new(envs)]).await?;
        let left = |row: &tokio_postgres::Row| {
            Ok(Left {
                run: column(row, 0)?,
                holder: column(row, 1)?,
                until: column(row, 2)?,
                is_over: column(row, 3)?,
                has_gone: column(row, 4)?,
            })
        };
        rows.iter().map(left).collect()
    }

    /// Whether what a machine left may be taken now: it has gone, or was silent before, a lease ago, and was not heard of since.
    fn may_take(&self, left: &Left, now: Duration) -> bool {
        let (Some(holder), false) = (left.holder, left.has_gone) else { return true };
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = left.until.filter(|_| left.is_over) else {
            silent.remove(&holder);
            return false;
        };
        let first = silent.entry(holder).or_insert((until, now));
        if first.0 != until {
            *first = (until, now);
        }
        now.saturating_sub(first.1) >= self.lease
    }

    async fn take(&self, left: &Left) -> Result<bool, StoreError> {
        let sql = "select skydeck.take_run_v1($1, $2, $3, $4)";
        let until = left.until.unwrap_or_default();
        let values: Vec<Value> =
            vec![Box::new(self.host), Box::new(left.run.clone()), Box::new(left.holder), Box::new(until)];
        let rows = self.ask(sql, values).await?;
        rows.first().map_or(Ok(false), |row| column(row, 0))
    }
}

fn run_id(text: &str) -> Result<RunId, StoreError> {
    text.parse().map(RunId).map_err(|_| StoreError::Damaged(format!("`{text}` is no run's id")))
}

#[async_trait]
impl Hosts for Members {
    fn may_send_for(&self) -> Duration {
        self.heard.counts_for(self.lease)
    }

    fn looks_every(&self) -> Duration {
        self.lease / 3
    }

    fn follow(&self) -> watch::Receiver<Seq> {
        let (told, seen) = watch::channel(Seq(0));
        let of = (self.host, Arc::clone(&self.orders));
        self.io.begin(move |inner| crate::feed::follow(inner, told, Some(of)));
        seen
    }

    fn name(&self) -> &str {
        &self.name
    }

    async fn person(&self, uid: u32) -> Result<Option<u32>, StoreError> {
        let sql = "select person from skydeck.login where host = $1 and uid = $2";
        let rows = self.ask(sql, vec![Box::new(self.name.clone()), Box::new(i64::from(uid))]).await?;
        rows.first().map(|row| column::<i32>(row, 0).map(i32::cast_unsigned)).transpose()
    }

    async fn forward(&self, run: RunId, order: &Order, role: Role) -> Result<Forwarded, StoreError> {
        let id = order.id.to_string();
        let body = serde_json::to_vec(&(order, role))
            .map_err(|e| StoreError::Write(format!("an order cannot be written: {e}")))?;
        let sql = "select skydeck.forward_v1($1, $2, $3, $4)";
        let values: Vec<Value> =
            vec![Box::new(self.host), Box::new(id.clone()), Box::new(run.to_string()), Box::new(body)];
        let host = match self.ask(sql, values).await {
            Ok(rows) => rows.first().map_or(Ok(None), |row| column::<Option<String>>(row, 0))?,
            // It may be given all the same, unless it can be taken back.
            Err(error) => {
                return if self.withdraw(&id).await? {
                    Err(error)
                } else {
                    Ok(Forwarded::Unanswered { host: String::new() })
                };
            }
        };
        match host {
            Some(host) => Ok(self.answered(&id, said(&host)).await),
            None => Ok(Forwarded::Nobody),
        }
    }

    async fn orders(&self) -> Result<Vec<FromAfar>, StoreError> {
        self.orders.notified().await;
        let rows =
            self.ask("select id, sender, body from skydeck.take_orders_v1($1)", vec![Box::new(self.host)]).await?;
        let order = |row: &tokio_postgres::Row| {
            let (id, sender, body) = (column::<String>(row, 0)?, column::<String>(row, 1)?, column::<Vec<u8>>(row, 2)?);
            let id = id.parse().map(CommandId).map_err(|_| StoreError::Damaged(format!("`{id}` is no order's id")))?;
            let mut order: Option<(Order, Role)> = serde_json::from_slice(&body).ok();
            if let Some((order, _)) = &mut order {
                // Which machine it comes from is said by the database.
                order.by.host = Some(said(&sender));
            }
            Ok(FromAfar { id, order })
        };
        rows.iter().map(order).collect()
    }

    async fn answer(&self, order: CommandId, receipt: &Receipt) -> Result<(), StoreError> {
        let body =
            serde_json::to_vec(receipt).map_err(|e| StoreError::Write(format!("a receipt cannot be written: {e}")))?;
        let sql = "select skydeck.answer_order_v1($1, $2, $3)";
        self.ask(sql, vec![Box::new(self.host), Box::new(order.to_string()), Box::new(body)]).await.map(drop)
    }

    async fn elsewhere(&self) -> Result<Vec<(RunId, String)>, StoreError> {
        let sql = "select r.id, coalesce(h.name, '') from skydeck.run r left join skydeck.host h on h.no = r.holder and h.gone is null \
                   where r.closed is null and r.holder is distinct from $1 order by r.no";
        let rows = self.ask(sql, vec![Box::new(self.host)]).await?;
        rows.iter().map(|row| Ok((run_id(&column::<String>(row, 0)?)?, said(&column::<String>(row, 1)?)))).collect()
    }

    async fn take_over(&self, envs: &[EnvId]) -> Result<Vec<RunId>, StoreError> {
        let (left, now) = match self.left(envs).await {
            Ok(left) => (left, boot_time()),
            Err(error) => {
                // A look that was not answered proves nothing of the machines, and they cannot be heard of either.
                self.silent.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return Err(error);
            }
        };
        let mut taken = Vec::new();
        for left in left.iter().filter(|left| self.may_take(left, now)) {
            if self.take(left).await? {
                taken.push(run_id(&left.run)?);
            }
        }
        Ok(taken)
    }

    async fn call_turn(&self, env: &EnvId, pace: Pace) -> Result<CallTurn, StoreError> {
        self.turn(env, pace).await
    }

    fn pause_calls(&self, env: &EnvId, span: Duration) {
        self.pause(env, span);
    }

    fn hold_calls(&self, env: &EnvId, why: String) {
        self.hold(env, why);
    }

    async fn held_calls(&self, env: &EnvId) -> Result<Option<String>, StoreError> {
        self.held(env).await
    }

    async fn let_calls(&self, env: &EnvId) -> Result<(), StoreError> {
        self.let_go_on(env).await
    }

    async fn claim_alerts(&self, keys: &[String], fresh: Duration) -> Result<Vec<Teller>, StoreError> {
        let sql = "select key, state from skydeck.claim_alerts_v1($1, $2, $3)";
        let rows = self.ask(sql, vec![Box::new(self.host), Box::new(keys.to_vec()), Box::new(secs(fresh))]).await?;
        let mut states = HashMap::new();
        for row in &rows {
            states.insert(column::<String>(row, 0)?, column::<String>(row, 1)?);
        }
        let teller = |key: &String| match states.get(key).map(String::as_str) {
            Some("mine") => Teller::This,
            Some("sent") => Teller::Told,
            _ => Teller::Another,
        };
        Ok(keys.iter().map(teller).collect())
    }

    async fn sent_alerts(&self, keys: &[String]) -> Result<(), StoreError> {
        let sql = "select skydeck.sent_alerts_v1($1, $2)";
        self.ask(sql, vec![Box::new(self.host), Box::new(keys.to_vec())]).await.map(drop)
    }

    fn number(&self) -> i32 {
        self.host
    }

    async fn machines(&self) -> Result<Vec<Host>, StoreError> {
        Ok(self.io.ask(|inner| async move { machines(&inner).await }).await?)
    }

    async fn evict(&self, host: i32) -> Result<(), StoreError> {
        self.ask("select skydeck.evict_v1($1)", vec![Box::new(host)]).await.map(drop)
    }

    async fn is_started(&self, plan: &PlanId, due: DueTime) -> Result<bool, StoreError> {
        let sql = "select exists (select from skydeck.slot where plan = $1 and remedy = $2 and due = $3)";
        let values: Vec<Value> = vec![Box::new(plan.as_str().to_owned()), Box::new(due.remedy), Box::new(due.at.0)];
        let rows = self.ask(sql, values).await?;
        rows.first().map_or(Ok(false), |row| column(row, 0))
    }
}

/// The machines that count, and those that still have runs.
pub(crate) async fn machines(inner: &Inner) -> Result<Vec<Host>, PgFault> {
    let sql = "select h.no, h.name, h.version, extract(epoch from clock_timestamp() - h.until)::int8, \
               (select count(*) from skydeck.run r where r.holder = h.no and r.closed is null), h.gone is null from skydeck.host h \
               where h.gone is null or exists (select from skydeck.run r where r.holder = h.no and r.closed is null) order by h.no";
    let host = |row: &tokio_postgres::Row| {
        let (no, runs): (i32, i64) = (column(row, 0)?, column(row, 4)?);
        Ok(Host {
            no,
            name: said(&column::<String>(row, 1)?),
            version: said(&column::<String>(row, 2)?),
            silent_secs: column(row, 3)?,
            runs: runs.unsigned_abs(),
            counts: column(row, 5)?,
        })
    };
    let rows = inner.rows(sql, &[]).await?;
    rows.iter().map(host).collect::<Result<_, StoreError>>().map_err(|e| PgFault::Said(e.to_string()))
}

/// The people behind the users of the machines.
pub(crate) async fn people(inner: &Inner) -> Result<Vec<(String, String, u32)>, PgFault> {
    let sql = "select p.name, l.host, l.uid from skydeck.person p join skydeck.login l on l.person = p.no order by p.name, l.host, l.uid";
    let login = |row: &tokio_postgres::Row| {
        let uid: i64 = column(row, 2)?;
        let uid = u32::try_from(uid).map_err(|_| StoreError::Damaged(format!("{uid} is no user's number")))?;
        Ok((said(&column::<String>(row, 0)?), said(&column::<String>(row, 1)?), uid))
    };
    let rows = inner.rows(sql, &[]).await?;
    rows.iter().map(login).collect::<Result<_, StoreError>>().map_err(|e| PgFault::Said(e.to_string()))
}
