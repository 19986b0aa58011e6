//! The simulator in a process of its own, and clients that speak to it with the product's connection policy.
//!
//! Invariant: the simulator ends with the bench: told to when all went well, killed when not.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use skydeck::domain::cause::CauseTable;
use skydeck::domain::ids::EnvId;
use skydeck::domain::time::Clock;
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::{ClientConfig, SignIn};
use skydeck::exit::Stop;
use skydeck::sim;

/// The environment's name in every cell.
pub const ENV: &str = "bench";
/// How long the simulator may take to say its address, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running simulator.
pub struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Its address.
    pub url: String,
}

impl Server {
    /// Starts one with so many bills, every answer of which takes so many milliseconds.
    pub async fn start(bills: usize, delay: u64) -> Result<Self, Stop> {
        let exe = std::env::current_exe()?;
        let mut child = Command::new(exe)
            .args([
                "sim",
                "--port",
                "0",
                "--faults",
                "none",
                "--bills",
                &bills.to_string(),
                "--delay",
                &delay.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let gone = || Stop::usage("the simulator did not start");
        let mut lines = BufReader::new(child.stdout.take().ok_or_else(gone)?).lines();
        let url = tokio::time::timeout(PATIENCE, lines.next_line()).await.map_err(|_| gone())??.ok_or_else(gone)?;
        Ok(Self { child, lines, url })
    }

    /// Its process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it; gives the bills it audited, and the most audits any one bill saw.
    pub async fn end(mut self) -> Result<(u64, u64), Stop> {
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::INT).map_err(std::io::Error::from)?;
        }
        let gone = || Stop::usage("the simulator did not tell its counts");
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.map_err(|_| gone())??;
        let stats: serde_json::Value = serde_json::from_str(&line.ok_or_else(gone)?).map_err(|_| gone())?;
        let _ = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let number = |pointer| stats.pointer(pointer).and_then(serde_json::Value::as_u64).unwrap_or(0);
        Ok((number("/applied/Audit"), number("/max_audits_per_bill")))
    }
}

/// How clients reach it: signed, as the shipped plans' environments do.
pub fn client_config(url: &str) -> ClientConfig {
    let known = sim::demo_credentials();
    let sign_in = SignIn::Signed { app_id: known.app_id, app_secret: known.app_secret.into() };
    ClientConfig::new(EnvId::new(ENV), url, known.account, known.user, sign_in)
}

/// The product's client.
pub fn client(url: &str, causes: &Arc<CauseTable>, clock: &Arc<dyn Clock>) -> Result<KingdeeErp, Stop> {
    KingdeeErp::new(client_config(url), causes.clone(), clock.clone()).map_err(|e| Stop::usage(e.to_string()))
}
