//! A PostgreSQL server of the tests' own: the distribution's program, in a directory that goes with it, on a socket there.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    clippy::expect_used
)]

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use skydeck_store_postgres::{Settings, admin};

/// A running server.
pub struct Server {
    dir: tempfile::TempDir,
    bin: PathBuf,
    child: Mutex<Option<Child>>,
    next: AtomicU32,
}

/// Where `initdb` is: `PG_BIN`, the distribution's place, `PATH`.
fn bin() -> Option<PathBuf> {
    let named = std::env::var_os("PG_BIN").map(PathBuf::from);
    let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|dir| dir.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    installed.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = named.into_iter().chain(installed.into_iter().rev()).chain(std::env::split_paths(&path));
    all.into_iter().find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|of| of.uid() == 0)
}

impl Server {
    /// The server of this test program, or a new one; `None` where there is no PostgreSQL, which the test says, or fails of.
    pub fn get() -> Option<Arc<Self>> {
        static SHARED: OnceLock<Mutex<Weak<Server>>> = OnceLock::new();
        let mut shared = SHARED.get_or_init(Mutex::default).lock().unwrap();
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::own()?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server of one test, which may end it.
    pub fn own() -> Option<Self> {
        let Some(bin) = bin() else {
            assert!(
                std::env::var("SKYDECK_REQUIRE_PG").as_deref() != Ok("1"),
                "skipped: no PostgreSQL, and it is required"
            );
            eprintln!("skipped: no PostgreSQL");
            return None;
        };
        Some(Self::start(bin))
    }

    /// PostgreSQL refuses root: then it runs as its own user.
    fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
            command.env("HOME", self.dir.path());
            command.current_dir(self.dir.path());
            command
        } else {
            Command::new(path)
        }
    }

    fn start(bin: PathBuf) -> Self {
        let dir = tempfile::Builder::new().prefix("skydeck-pg").tempdir_in("/tmp").unwrap();
        let server = Self { dir, bin, child: Mutex::default(), next: AtomicU32::new(1) };
        if is_root() {
            assert!(Command::new("chown").arg("postgres:postgres").arg(server.dir.path()).status().unwrap().success());
        }
        let made = server
            .command("initdb")
            .args(["-A", "trust", "-k", "--no-locale", "-E", "UTF8", "-N", "-U", "admin", "-D"])
            .arg(server.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        server.up();
        let done = block(async {
            let admin = server.settings("postgres", "admin");
            admin_sql(&admin, "create database skydeck_template").await;
            admin::init(&server.settings("skydeck_template", "admin")).await
        });
        assert_eq!(done, Ok(admin::VERSION));
        server
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts it; after a kill its children may still be ending.
    pub fn up(&self) {
        let socket = format!("-k{}", self.dir.path().display());
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
            let mut child = self
                .command("postgres")
                .arg("-D")
                .arg(self.data())
                .args([
                    socket.as_str(),
                    "-c",
                    "listen_addresses=",
                    "-c",
                    "shared_buffers=32MB",
                    "-c",
                    "max_connections=200",
                    "-c",
                    "fsync=off",
                ])
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            let up = Instant::now() + Duration::from_secs(10);
            while child.try_wait().unwrap().is_none() && Instant::now() < up {
                let ready = block(async {
                    tokio_postgres::connect(&self.url("postgres", "admin"), tokio_postgres::NoTls).await.is_ok()
                });
                if ready {
                    *self.child.lock().unwrap() = Some(child);
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
            let said = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "the server does not start: {said}");
        }
    }

    /// Ends it as a crash would.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
            let pid = pid.lines().next().unwrap().to_owned();
            assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
            let _ = child.wait();
        }
    }

    fn url(&self, database: &str, role: &str) -> String {
        format!("host={} user={role} dbname={database}", self.dir.path().display())
    }

    /// The way into a database.
    pub fn settings(&self, database: &str, role: &str) -> Settings {
        Settings::new(self.url(database, role))
    }

    /// A database with a store of its own; its name.
    pub fn database(&self) -> String {
        let name = format!("t{}", self.next.fetch_add(1, Ordering::SeqCst));
        let sql = format!("create database {name} template skydeck_template");
        block(admin_sql(&self.settings("postgres", "admin"), &sql));
        name
    }

    /// Says something to a database as its administrator.
    pub fn sql(&self, database: &str, sql: &str) {
        block(admin_sql(&self.settings(database, "admin"), sql));
    }

    /// The text that a role reads in a database; `Err`: the code of its refusal.
    pub fn asks(&self, database: &str, role: &str, sql: &str) -> Result<Vec<String>, String> {
        block(async {
            let (client, connection) =
                tokio_postgres::connect(&self.url(database, role), tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let rows = client
                .simple_query(sql)
                .await
                .map_err(|e| e.code().map_or_else(|| e.to_string(), |code| code.code().to_owned()))?;
            Ok(rows
                .iter()
                .filter_map(|row| match row {
                    tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("∅").to_owned()),
                    _ => None,
                })
                .collect())
        })
    }
}

async fn admin_sql(settings: &Settings, sql: &str) {
    let (client, connection) = tokio_postgres::connect(&settings.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
}

/// Waits for an answer, outside of any runtime.
pub fn block<F: Future>(f: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(f)
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            if let Some(pid) = pid.lines().next() {
                // At once: nobody needs what it holds.
                let _ = Command::new("kill").args(["-QUIT", pid]).status();
            }
            let _ = child.wait();
        }
        if is_root() {
            // What lies there is another user's.
            let _ = std::fs::remove_dir_all(self.data());
        }
    }
}
