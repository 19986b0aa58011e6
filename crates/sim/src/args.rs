//! `skydeck sim`: its options, and running until told to stop.
//!
//! Invariant: listens on this machine only, unless `--bind` says otherwise, and then says so.

use std::future::Future;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};

use super::config::{AuthMode, WorldConfig};
use super::faults::FaultPlan;
use super::server::{SimConfig, start};

/// Options of `skydeck sim`.
#[derive(Clone, Debug, clap::Args)]
pub struct SimArgs {
    /// Port to listen on; 0 takes a free one and prints it.
    #[arg(long, default_value_t = 8765)]
    pub port: u16,
    /// How many sales outstock bills there are.
    #[arg(long, default_value_t = 300)]
    pub bills: usize,
    /// Seed of data and faults: the same seed gives the same bills.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Preset (none, demo, storm) or a fault file in TOML. With a preset other than none some bills have troubles of their own.
    #[arg(long, default_value = "demo", value_name = "PRESET|FILE")]
    pub faults: String,
    /// Ways of signing in that are open.
    #[arg(long, value_enum, default_value_t = AuthMode::Any)]
    pub auth: AuthMode,
    /// Time every answer takes.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub delay: u64,
    /// Address to listen on. Anything but this machine is warned about.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub bind: IpAddr,
    /// Append everything done to a bill to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Put control characters and escape sequences into some notes.
    #[arg(long)]
    pub hostile: bool,
    /// Check the X-Api headers as the vendor's gateway does.
    #[arg(long)]
    pub gateway: bool,
}

impl SimArgs {
    /// The configuration these options describe.
    ///
    /// # Errors
    /// `--faults` is neither a preset nor a readable fault file.
    pub fn config(&self) -> anyhow::Result<SimConfig> {
        let faults = if let Some(plan) = FaultPlan::preset(&self.faults) {
            plan
        } else {
            let text = std::fs::read_to_string(&self.faults).with_context(|| {
                format!("--faults {}: no preset (none, demo, storm) and not readable as a file", self.faults)
            })?;
            FaultPlan::from_toml(&text).with_context(|| format!("fault file {}", self.faults))?
        };
        Ok(SimConfig {
            bind: SocketAddr::new(self.bind, self.port),
            world: WorldConfig {
                seed: self.seed,
                bills: self.bills,
                trouble: self.faults != "none",
                hostile: self.hostile,
                auth: self.auth,
                gateway: self.gateway,
                delay_ms: self.delay,
                faults,
                ..WorldConfig::default()
            },
            record: self.record.clone(),
        })
    }
}

/// Runs the simulator until `stop` is done, then prints the final counts as one JSON line. What nobody can read any more is
/// no reason to end it.
///
/// # Errors
/// Bad options, an address that cannot be bound, a record file that cannot be opened.
pub async fn run(args: SimArgs, mut out: impl Write, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let config = args.config()?;
    let bind = config.bind;
    let known = config.world.credentials.clone();
    let sim = start(config).await.map_err(|e| match e.kind() {
        ErrorKind::AddrInUse => anyhow!("something else listens at {bind} already: end it, or name another --port"),
        _ => anyhow!("{bind}: {e}"),
    })?;
    let mut err = std::io::stderr();
    if !args.bind.is_loopback() {
        let _ = writeln!(
            err,
            "warning: {bind} can be reached from other machines; credentials and data of the simulator are public"
        );
    }
    let _ = writeln!(out, "{}", sim.url());
    let _ = writeln!(
        err,
        "account set {} · user {} · password {} · app {} · secret {}\nstop with Ctrl-C; counts at http://{}/admin/stats",
        known.account,
        known.user,
        known.password,
        known.app_id,
        known.app_secret,
        sim.addr()
    );
    stop.await;
    let stats = serde_json::to_string(&sim.stats())?;
    sim.shutdown().await;
    let _ = writeln!(out, "{stats}");
    Ok(())
}
