//! The vendor's own Python SDK, unchanged, against the simulator.
//!
//! Needs `python3` with `venv` and a package registry; without them the test prints `SKIPPED: …` and passes, unless
//! `SKYDECK_REQUIRE_OFFICIAL_CLIENT` is set, as the project's own checks do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use skydeck::sim::{SimConfig, WorldConfig, demo_credentials, start};
use tokio::process::Command;
use tokio::time::timeout;

const PACKAGE: &str = "kingdee.cdp.webapi.sdk==8.2.0";

/// Installing takes as long as the registry takes; the calls take seconds.
const INSTALL_LIMIT: Duration = Duration::from_secs(180);
const RUN_LIMIT: Duration = Duration::from_secs(120);

async fn run(program: &Path, args: &[&str], limit: Duration) -> Result<String, String> {
    let mut command = Command::new(program);
    // No proxy may stand between the client and a loopback address.
    command.args(args).env("NO_PROXY", "127.0.0.1").env("PYTHONIOENCODING", "utf-8");
    command.stdin(Stdio::null()).kill_on_drop(true);
    let shown = format!("{} {}", program.display(), args.first().unwrap_or(&""));
    match timeout(limit, command.output()).await {
        Err(_) => Err(format!("{shown}: not done after {} s", limit.as_secs())),
        Ok(Err(e)) => Err(format!("{shown}: {e}")),
        Ok(Ok(output)) => {
            let text =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            if output.status.success() { Ok(text) } else { Err(format!("{shown}: {}\n{text}", output.status)) }
        }
    }
}

/// The interpreter of a virtual environment that has the SDK.
async fn python_with_sdk() -> Result<PathBuf, String> {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("official-client-8.2.0");
    let python = venv.join("bin").join("python");
    if run(&python, &["-c", "import k3cloud_webapi_sdk.main"], RUN_LIMIT).await.is_ok() {
        return Ok(python);
    }
    let folder = venv.to_string_lossy().into_owned();
    run(Path::new("python3"), &["-m", "venv", "--clear", &folder], INSTALL_LIMIT).await?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
    run(&python, &install, INSTALL_LIMIT).await?;
    Ok(python)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_sdk_cannot_tell_it_from_the_server() {
    let python = match python_with_sdk().await {
        Ok(python) => python,
        Err(why) => {
            assert!(std::env::var_os("SKYDECK_REQUIRE_OFFICIAL_CLIENT").is_none(), "cannot install the SDK: {why}");
            println!("SKIPPED: official Kingdee SDK not installable here: {}", why.lines().next().unwrap_or(""));
            return;
        }
    };
    let world = WorldConfig { bills: 120, ..WorldConfig::default() };
    let sim = start(SimConfig { world, ..SimConfig::default() }).await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official_client/calls.py");
    let c = demo_credentials();
    let admin = format!("http://{}", sim.addr());
    let args = [&*script.to_string_lossy(), &sim.url(), &admin, &c.account, &c.user, &c.app_id, &c.app_secret];
    let output = run(&python, &args, RUN_LIMIT).await.unwrap_or_else(|e| panic!("{e}"));
    print!("{output}");
    assert!(output.trim_end().ends_with("ALL OK"), "{output}");
    // What the client believes and what the server did must agree: five bills audited by name, one by operation.
    let stats = sim.stats();
    assert_eq!((stats.applied["Audit"], stats.applied["UnAudit"], stats.applied["Delete"]), (6, 1, 1), "{stats:?}");
    assert_eq!(stats.max_audits_per_bill, 1);
    sim.shutdown().await;
}
