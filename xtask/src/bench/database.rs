//! A database for one cell: made, and dropped afterwards.
//!
//! Invariant: only databases of this bench, which bear its name, are dropped.

use std::path::Path;
use std::process::Command;

use skydeck::boot::{self, Database};
use skydeck::config::Config;
use skydeck::exit::Stop;
use skydeck::postgres::{Settings, admin};
use skydeck::secret::Known;

/// How the databases of this bench begin.
const NAMES: &str = "skydeck_bench_";

/// A database of a server.
pub struct Made {
    server: String,
    name: String,
}

fn psql(server: &str, sql: &str) -> Result<(), Stop> {
    let out = Command::new("psql").args(["-q", "-d", &format!("{server} dbname=postgres"), "-c", sql]).output();
    let out = out.map_err(|e| Stop::usage(format!("psql: {e}")))?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    if out.status.success() { Ok(()) } else { Err(Stop::usage(format!("psql: {said}"))) }
}

impl Made {
    /// Makes one with everything that a store needs.
    pub async fn new(server: &str) -> Result<Self, Stop> {
        let made = Self { server: server.to_owned(), name: format!("{NAMES}{}", std::process::id()) };
        psql(server, &format!("drop database if exists {}", made.name))?;
        psql(server, &format!("create database {}", made.name))?;
        let settings = Settings::new(format!("{server} dbname={}", made.name));
        admin::init(&settings).await.map_err(|fault| Stop::usage(fault.en()))?;
        Ok(made)
    }

    /// The way in, as a configuration gives it.
    pub fn database(&self, together: bool) -> Result<Database, Stop> {
        let words = self.server.split_whitespace().filter(|word| !word.starts_with("user="));
        let way: Vec<&str> = words.chain(["user=skydeck_host"]).collect();
        let writers = if together { "several" } else { "one" };
        let text = format!("[store]\nurl = \"{} dbname={}\"\nwriters = \"{writers}\"\n", way.join(" "), self.name);
        let config = Config::parse(Path::new("bench.toml"), &text).map_err(|e| Stop::usage(e.to_string()))?;
        let database = boot::database(&config, Path::new("."), &Known::default())?;
        database.ok_or_else(|| Stop::usage("the configuration names no store"))
    }
}

impl Drop for Made {
    #[expect(clippy::print_stderr, reason = "a database that is left is said to whoever measures")]
    fn drop(&mut self) {
        if let Err(stop) = psql(&self.server, &format!("drop database if exists {} with (force)", self.name)) {
            eprintln!("{}: {stop:?}", self.name);
        }
    }
}
