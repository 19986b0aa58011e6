//! The store in a database, where the configuration names one; the data directory is then this machine's own: its lock, its
//! socket, its action log.
//!
//! Invariant: a password comes from where secrets are kept; a directory whose own facts were not moved is never passed over.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;
use crate::domain::ids::Seq;
use crate::domain::time::Clock;
use crate::exit::{Exit, Stop};
use crate::secret::Known;
use crate::store::local::place::Place;
use crate::store::{Store, StoreError};

/// How one gets into the database.
#[derive(Clone)]
pub struct Database {
    way: Way,
    /// Never to write.
    looking: bool,
    /// Beside other machines that write.
    together: bool,
}

#[cfg(feature = "postgres")]
type Way = crate::postgres::Settings;
#[cfg(not(feature = "postgres"))]
type Way = std::convert::Infallible;

/// How far a store is that another machine writes to, and what whoever orders something is told.
pub type Looks = (watch::Receiver<Seq>, StoreError);

/// A store that was opened: to write, or to look at what another machine writes.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Ends it in order.
    pub closing: Closing,
    /// Where it is only looked at.
    pub looks: Option<Looks>,
}

/// What ends a store in a database.
pub struct Closing {
    #[cfg(feature = "postgres")]
    store: Arc<crate::postgres::PgStore>,
    /// Of the data directory.
    _lock: File,
}

impl Closing {
    /// Lets go of the database, and of the directory.
    pub fn close(self) {
        #[cfg(feature = "postgres")]
        self.store.close();
    }
}

/// The database that the configuration names, if it names one. Fetches the password.
#[cfg(feature = "postgres")]
pub fn database(config: &Config, base: &Path, known: &Known) -> Result<Option<Database>, Stop> {
    use super::stops::secret_stop;
    use crate::config::Writers;
    use crate::secret::{self, Of};

    let Some(store) = &config.store else { return Ok(None) };
    let mut settings = Way::new(store.url.clone());
    let kept = |secret: Result<secrecy::SecretString, _>| {
        let secret = secret.map_err(secret_stop)?;
        known.add(&secret);
        Ok::<_, Stop>(secret)
    };
    if let Some(source) = &store.password {
        settings.password = Some(kept(secret::fetch(&Of::Store("password"), source, base))?);
    }
    settings.ca_file = store.ca_file.as_ref().map(|file| base.join(file));
    if let (Some(certificate), Some(key)) = (&store.certificate, &store.key) {
        let key = kept(secret::fetch_key(&Of::Store("key"), key, base))?;
        settings.certificate = Some((base.join(certificate), key));
    }
    let name = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    settings.host = store.host.clone().unwrap_or_else(name);
    if let Some(lease) = store.lease {
        settings.lease = lease;
    }
    let together = store.writers == Writers::Several;
    Ok(Some(Database { way: settings, looking: false, together }))
}

/// The database that the configuration names: this program was built without.
#[cfg(not(feature = "postgres"))]
pub fn database(config: &Config, _: &Path, _: &Known) -> Result<Option<Database>, Stop> {
    match &config.store {
        None => Ok(None),
        Some(_) => Err(without_database()),
    }
}

/// This program was built without it.
#[cfg(not(feature = "postgres"))]
pub fn without_database() -> Stop {
    Stop::both(
        Exit::Usage,
        "this program was built without stores in a database: use one built with the feature `postgres`",
        "本程序构建时未包含数据库存储：请使用启用 `postgres` 特性的程序",
    )
}

/// Refuses a data directory that holds facts of its own: with a database they would be seen no more.
fn is_free(data: &Path) -> Result<(), Stop> {
    let place = Place::new(data);
    let moved = place.moved().map_err(super::store_stop)?.is_some();
    if moved || !place.journal().exists() {
        return Ok(());
    }
    let at = data.display();
    Err(Stop::both(
        Exit::Usage,
        format!(
            "[store] names a database, and {at} holds facts of its own: copy them with `skydeck store import {at}`, or name \
             another directory with --data"
        ),
        format!(
            "[store] 写了数据库，而 {at} 中另有记录：请用 `skydeck store import {at}` 复制进去，或用 --data 指定其他目录"
        ),
    ))
}

impl Database {
    /// Opens it for the engine of a data directory. `Err` inside: somebody else holds the directory.
    pub async fn open(
        &self,
        data: &Path,
        clock: Arc<dyn Clock>,
        who: String,
    ) -> Result<Result<Opened, StoreError>, Stop> {
        let place = Place::new(data);
        if let Err(error) = place.prepare() {
            return Ok(Err(error));
        }
        let lock = match place.take(clock.now(), &who) {
            Ok(lock) => lock,
            Err(error) => return Ok(Err(error)),
        };
        is_free(data)?;
        Ok(self.open_locked(lock, clock).await)
    }

    /// The same, only to look where `looking`.
    #[must_use]
    pub fn looking(self, looking: bool) -> Self {
        Self { looking, ..self }
    }

    #[cfg(feature = "postgres")]
    async fn open_locked(&self, lock: File, clock: Arc<dyn Clock>) -> Result<Opened, StoreError> {
        use crate::postgres::{PgFault, PgStore, Turn};

        let (settings, looking, together) = (self.way.clone(), self.looking, self.together);
        let work = move || {
            if looking {
                let fault = PgFault::Looking;
                Ok((Arc::new(PgStore::look(settings)?), Some(fault)))
            } else {
                let turn = if together {
                    PgStore::join(settings.clone(), clock)
                } else {
                    PgStore::take_turn(settings.clone(), clock)
                };
                match turn {
                    Ok(Turn::Ours(store)) => Ok((Arc::new(store), None)),
                    // Another machine writes: here is looked.
                    Ok(Turn::Theirs(fault)) => Ok((Arc::new(PgStore::look(settings)?), Some(fault))),
                    Err(error) => Err(error),
                }
            }
        };
        let opened = tokio::task::spawn_blocking(work).await;
        let (store, others) = opened.map_err(|e| StoreError::Read(format!("the opening thread ended: {e}")))??;
        let looks = others.map(|fault| (store.follow(), StoreError::from(fault)));
        let closing = Closing { store: Arc::clone(&store), _lock: lock };
        Ok(Opened { store, closing, looks })
    }

    #[cfg(not(feature = "postgres"))]
    async fn open_locked(&self, _: File, _: Arc<dyn Clock>) -> Result<Opened, StoreError> {
        match self.way {}
    }

    /// How one gets in.
    #[cfg(feature = "postgres")]
    pub fn settings(&self) -> &crate::postgres::Settings {
        &self.way
    }
}
