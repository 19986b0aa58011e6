//! The thread of the connections: everything that is asked of the database is asked there, whoever waits for the answer.
//!
//! Invariant: no question outlives its limit, and none is asked on the runtime of whoever asks: a thread that may wait waits
//! for the answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType};
use tokio::sync::mpsc;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row};

use crate::connect::{LIMIT, Settings};
use crate::fault::PgFault;
use crate::line::Line;

/// Connections of readers.
const READERS: usize = 4;

/// First wait before a database that is away is asked again, and the longest one.
const AGAIN: Duration = Duration::from_millis(50);
const AGAIN_CAP: Duration = Duration::from_secs(2);
/// How long whoever looks waits for one that is away.
const MOMENT: Duration = Duration::from_secs(2);
/// How long whoever writes does: as long as the engine sends a batch again.
const OUTAGE: Duration = Duration::from_secs(120);

/// A value that is put into a question.
pub(crate) type Value = Box<dyn ToSql + Sync + Send>;
type Job = Box<dyn FnOnce(Arc<Inner>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What the thread has.
pub(crate) struct Inner {
    /// How to get in.
    pub settings: Settings,
    pool: Pool,
    /// The writer's own connection.
    pub line: Line,
    patient: AtomicBool,
}

/// A way to the thread that does not keep it.
#[derive(Clone)]
pub(crate) struct Way(mpsc::WeakUnboundedSender<Job>);

impl Way {
    /// Starts something there, unless the store is closed.
    pub fn begin<F>(&self, task: impl FnOnce(Arc<Inner>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let job: Job = Box::new(move |inner| Box::pin(task(inner)));
        if let Some(jobs) = self.0.upgrade() {
            let _ = jobs.send(job);
        }
    }
}

/// The way to the thread.
pub(crate) struct Io {
    jobs: Option<mpsc::UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Io {
    /// Starts the thread; asks nothing yet.
    pub fn start(settings: Settings) -> Result<Self, PgFault> {
        let pool = pool(&settings)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| PgFault::Said(e.to_string()))?;
        let (jobs, mut waiting) = mpsc::unbounded_channel::<Job>();
        let inner = Arc::new(Inner { settings, pool, line: Line::default(), patient: AtomicBool::new(false) });
        let work = move || {
            runtime.block_on(async {
                while let Some(job) = waiting.recv().await {
                    tokio::spawn(job(Arc::clone(&inner)));
                }
            });
        };
        let thread = std::thread::Builder::new().name("skydeck-pg".to_owned()).spawn(work);
        let thread = thread.map_err(|e| PgFault::Said(e.to_string()))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    fn send<F>(&self, ask: impl FnOnce(Arc<Inner>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let job: Job = Box::new(move |inner| Box::pin(ask(inner)));
        if let Some(jobs) = &self.jobs {
            // An ended thread drops the job, and whoever waits for its answer is told so.
            let _ = jobs.send(job);
        }
    }

    /// Asks from a thread that may wait.
    pub fn wait<T: Send + 'static, F>(&self, ask: impl FnOnce(Arc<Inner>) -> F + Send + 'static) -> Result<T, PgFault>
    where
        F: Future<Output = Result<T, PgFault>> + Send + 'static,
    {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.send(|inner| async move {
            let _ = reply.send(ask(inner).await);
        });
        answer.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// The same from a task.
    pub async fn ask<T: Send + 'static, F>(
        &self,
        ask: impl FnOnce(Arc<Inner>) -> F + Send + 'static,
    ) -> Result<T, PgFault>
    where
        F: Future<Output = Result<T, PgFault>> + Send + 'static,
    {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.send(|inner| async move {
            let _ = reply.send(ask(inner).await);
        });
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Starts something that goes on by itself until the store is closed.
    pub fn begin<F>(&self, task: impl FnOnce(Arc<Inner>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.send(task);
    }

    /// A way to the thread for what outlives whoever asked.
    pub fn way(&self) -> Option<Way> {
        self.jobs.as_ref().map(|jobs| Way(jobs.downgrade()))
    }

    /// Rows of a question, for a thread that may wait.
    pub fn rows(&self, sql: String, values: Vec<Value>) -> Result<Vec<Row>, PgFault> {
        self.wait(move |inner| async move { inner.rows(&sql, &values).await })
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn closed() -> PgFault {
    PgFault::Away("the store is closed".to_owned())
}

fn pool(settings: &Settings) -> Result<Pool, PgFault> {
    let config = settings.config()?;
    let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = if config.get_ssl_mode() == SslMode::Disable {
        Manager::from_config(config, NoTls, how)
    } else {
        Manager::from_config(config, settings.tls()?, how)
    };
    Pool::builder(manager)
        .max_size(READERS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(LIMIT))
        .create_timeout(Some(LIMIT))
        .build()
        .map_err(|e| PgFault::Said(e.to_string()))
}

fn pool_fault(error: PoolError) -> PgFault {
    match error {
        PoolError::Timeout(TimeoutType::Wait | TimeoutType::Create | TimeoutType::Recycle) => PgFault::Slow,
        PoolError::Backend(error) => error.into(),
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => closed(),
    }
}

impl Inner {
    /// From now on a question waits out an outage: runs rest on the answers of this process.
    pub fn be_patient(&self) {
        self.patient.store(true, Ordering::Relaxed);
    }

    /// Rows of a question. While the database is away it is asked again: for a moment by whoever looks, and as long as an append
    /// waits by whoever writes.
    pub async fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, PgFault> {
        let (since, mut wait) = (tokio::time::Instant::now(), AGAIN);
        loop {
            let answer = tokio::time::timeout(LIMIT, self.once(sql, values)).await.unwrap_or(Err(PgFault::Slow));
            let patience = if self.patient.load(Ordering::Relaxed) { OUTAGE } else { MOMENT };
            match answer {
                Err(PgFault::Away(_) | PgFault::ReadOnly) if since.elapsed() < patience => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(AGAIN_CAP);
                }
                answer => return answer,
            }
        }
    }

    /// Rows of a question that is asked once, for whoever asks again by a clock of his own: signs of life, and looks at those of others.
    pub async fn rows_now(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, PgFault> {
        tokio::time::timeout(LIMIT, self.once(sql, values)).await.unwrap_or(Err(PgFault::Slow))
    }

    async fn once(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, PgFault> {
        let client = self.pool.get().await.map_err(pool_fault)?;
        let asked = async {
            let prepared = client.prepare_cached(sql).await?;
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
            client.query(&prepared, &values).await
        };
        let answer = asked.await.map_err(PgFault::from);
        if matches!(answer, Err(PgFault::Away(_) | PgFault::ReadOnly | PgFault::Pooler(_))) {
            // One that ended, or whose server became a standby, goes to nobody else.
            drop(deadpool_postgres::Object::take(client));
        }
        answer
    }
}
