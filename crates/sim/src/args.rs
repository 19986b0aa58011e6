//! `skydeck sim`: its options, and running until told to stop.
//!
//! Invariant: listens on this machine only, unless `--bind` says otherwise, and then says so.

use std::fmt::Display;
use std::future::Future;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::backend::Backend;
use super::config::{AuthMode, WorldConfig};
use super::faults::FaultPlan;
use super::json::settings::JsonSettings;
use super::json::{self, JsonConfig, JsonWorld};
use super::restore::NotOurs;
use super::server::{OfRecord, SimConfig, SimHandle, start_as};
use super::settings::Settings;
use super::world::World;

/// Which system is simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SimKind {
    /// Kingdee K/3Cloud.
    #[default]
    Kingdee,
    /// A generic JSON system: orders, customers, forms.
    Json,
}

/// Bills that a simulator is made with, at most: they are held in memory, some 1.5 KB each.
const MOST_BILLS: u64 = 2_000_000;

/// Reads how many bills there are.
pub fn bills_parser() -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(0..=MOST_BILLS)
}

/// Time an answer may take: nobody waits longer.
const MOST_DELAY_MS: u64 = 3_600_000;

/// Reads how long every answer takes, in milliseconds.
pub fn delay_parser() -> clap::builder::RangedU64ValueParser<u64> {
    clap::builder::RangedU64ValueParser::new().range(0..=MOST_DELAY_MS)
}

/// Options of `skydeck sim`.
#[derive(Clone, Debug, clap::Args)]
pub struct SimArgs {
    /// System to simulate: kingdee, or json (orders, customers and forms of an OA, CRM, WMS or shop).
    #[arg(long, value_enum, default_value_t = SimKind::Kingdee)]
    pub kind: SimKind,
    /// Port to listen on; 0 takes a free one and prints it.
    #[arg(long, default_value_t = 8765)]
    pub port: u16,
    /// How many sales outstock bills there are; with --kind json how many orders.
    #[arg(long, default_value_t = 300, value_parser = bills_parser())]
    pub bills: usize,
    /// Seed of data and faults: the same seed gives the same bills.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Preset (none, demo, storm) or a fault file in TOML. With a preset other than none some bills have troubles of their own.
    #[arg(long, default_value = "demo", value_name = "PRESET|FILE")]
    pub faults: String,
    /// What the system decides, in TOML: unique numbers, numbering rules, required fields, conversions; tokens, signatures, paging (docs/simulator.md).
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Ways of signing in to Kingdee that are open. For --kind json the settings say it.
    #[arg(long, value_enum, default_value_t = AuthMode::Any)]
    pub auth: AuthMode,
    /// Time every answer takes.
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = delay_parser())]
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
    /// Check the X-Api headers as Kingdee's gateway does.
    #[arg(long)]
    pub gateway: bool,
}

/// Why a simulator does not start, in both languages, and what the system or a parser says of it.
#[derive(Debug)]
pub struct NotStarted {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
    /// The cause, as it was said.
    pub why: Option<String>,
}

impl NotStarted {
    fn new(en: impl Into<String>, zh: impl Into<String>, why: Option<&dyn Display>) -> Self {
        Self { en: en.into(), zh: zh.into(), why: why.map(ToString::to_string) }
    }
}

impl NotStarted {
    /// Of a simulator that was to listen there and to go on with this record file.
    pub fn at(bind: SocketAddr, record: Option<&Path>, error: &std::io::Error) -> Self {
        if error.kind() == ErrorKind::AddrInUse {
            return Self::new(
                format!("something else listens at {bind} already: end it, or choose another --port"),
                format!("{bind} 已被其他程序占用：请先结束它，或换一个 --port"),
                None,
            );
        }
        let Some(OfRecord(error)) = error.get_ref().and_then(|inner| inner.downcast_ref()) else {
            return Self::new(bind.to_string(), bind.to_string(), Some(error));
        };
        let path = record.map(|path| path.display().to_string()).unwrap_or_default();
        let (en, zh) = (format!("record file {path}"), format!("记录文件 {path}"));
        match error.get_ref().and_then(|inner| inner.downcast_ref::<NotOurs>()) {
            Some(why) => Self::new(format!("{en}: {}", why.said().0), format!("{zh}：{}", why.said().1), None),
            None => Self::new(en, zh, Some(error)),
        }
    }
}

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.why {
            Some(why) => write!(f, "{}: {why}", self.en),
            None => f.write_str(&self.en),
        }
    }
}

impl std::error::Error for NotStarted {}

impl SimArgs {
    /// The configuration of a Kingdee server that these options describe.
    ///
    /// # Errors
    /// `--faults` is neither a preset nor a readable fault file; the settings cannot be read.
    pub fn config(&self) -> Result<SimConfig, NotStarted> {
        let settings = self.read_settings(Settings::from_toml)?;
        Ok(self.at(WorldConfig {
            seed: self.seed,
            bills: self.bills,
            trouble: self.faults != "none",
            hostile: self.hostile,
            auth: self.auth,
            gateway: self.gateway,
            delay_ms: self.delay,
            faults: self.fault_plan(FaultPlan::preset)?,
            settings,
            ..WorldConfig::default()
        }))
    }

    /// The configuration of a JSON system that these options describe.
    ///
    /// # Errors
    /// As [`SimArgs::config`].
    pub fn json_config(&self) -> Result<SimConfig<JsonConfig>, NotStarted> {
        let settings = self.read_settings(JsonSettings::from_toml)?;
        Ok(self.at(JsonConfig {
            seed: self.seed,
            orders: self.bills,
            hostile: self.hostile,
            delay_ms: self.delay,
            faults: self.fault_plan(json::preset)?,
            settings,
            ..JsonConfig::default()
        }))
    }

    fn at<C>(&self, world: C) -> SimConfig<C> {
        SimConfig { bind: SocketAddr::new(self.bind, self.port), world, record: self.record.clone() }
    }

    fn fault_plan(&self, preset: fn(&str) -> Option<FaultPlan>) -> Result<FaultPlan, NotStarted> {
        let named = &self.faults;
        if let Some(plan) = preset(named) {
            return Ok(plan);
        }
        let text = std::fs::read_to_string(named).map_err(|e| {
            let en = format!("--faults {named}: not a preset (none, demo, storm), and not readable as a file");
            let zh = format!("--faults {named}：不是预设（none、demo、storm），也不是可读的文件");
            NotStarted::new(en, zh, Some(&e))
        })?;
        let of = |e| NotStarted::new(format!("fault file {named}"), format!("故障文件 {named}"), Some(&e));
        FaultPlan::from_toml(&text).map_err(of)
    }

    fn read_settings<S: Default>(&self, read: fn(&str) -> Result<S, toml::de::Error>) -> Result<S, NotStarted> {
        let Some(path) = &self.settings else { return Ok(S::default()) };
        let shown = path.display();
        let of = |e: &dyn Display| {
            NotStarted::new(format!("--settings {shown}"), format!("设置文件 --settings {shown}"), Some(e))
        };
        let text = std::fs::read_to_string(path).map_err(|e| of(&e))?;
        read(&text).map_err(|e| of(&e))
    }
}

/// Runs the simulator until `stop` is done, then prints the final counts as one JSON line. What nobody can read any more is
/// no reason to end it. `chinese`: what it says of itself is in Chinese.
///
/// # Errors
/// Bad options, an address that cannot be bound, a record file that cannot be opened.
pub async fn run(
    args: SimArgs,
    chinese: bool,
    out: impl Write,
    stop: impl Future<Output = ()>,
) -> Result<(), NotStarted> {
    match args.kind {
        SimKind::Kingdee => {
            let config = args.config()?;
            let known = config.world.credentials.clone();
            let (account, user, password) = (&known.account, &known.user, &known.password);
            let (app, secret) = (&known.app_id, &known.app_secret);
            let en = format!("data centre {account} · user {user} · password {password} · app {app} · secret {secret}");
            let zh = format!("数据中心 {account} · 用户 {user} · 密码 {password} · 应用 {app} · 密钥 {secret}");
            serve::<World>(config, if chinese { zh } else { en }, chinese, out, stop).await
        }
        SimKind::Json => {
            let config = args.json_config()?;
            let known = config.world.credentials.clone();
            let (user, password) = (&known.user, &known.password);
            let (app, secret) = (&known.app_key, &known.app_secret);
            let en = format!("app key {app} · app secret {secret} · user {user} · password {password}");
            let zh = format!("应用 app_key {app} · 密钥 app_secret {secret} · 用户 {user} · 密码 {password}");
            serve::<JsonWorld>(config, if chinese { zh } else { en }, chinese, out, stop).await
        }
    }
}

async fn serve<W: Backend>(
    config: SimConfig<W::Config>,
    credentials: String,
    chinese: bool,
    mut out: impl Write,
    stop: impl Future<Output = ()>,
) -> Result<(), NotStarted> {
    let (bind, record) = (config.bind, config.record.clone());
    let started = start_as(config).await;
    let sim: SimHandle<W> = started.map_err(|e| NotStarted::at(bind, record.as_deref(), &e))?;
    let mut err = std::io::stderr();
    let said = |en: String, zh: String| if chinese { zh } else { en };
    if !bind.ip().is_loopback() {
        let words = said(
            format!(
                "warning: {bind} can be reached from other machines; credentials and data of the simulator are public"
            ),
            format!("警告：其他机器可以访问 {bind}；模拟器的凭据和数据是公开的"),
        );
        let _ = writeln!(err, "{words}");
    }
    let _ = writeln!(out, "{}", sim.url());
    let stats = format!("http://{}/admin/stats", sim.addr());
    let words = said(
        format!("{credentials}\nStop with Ctrl-C; counts at {stats}"),
        format!("{credentials}\n按 Ctrl-C 停止；统计见 {stats}"),
    );
    let _ = writeln!(err, "{words}");
    stop.await;
    let stats = serde_json::to_string(&sim.stats()).unwrap_or_default();
    sim.shutdown().await;
    let _ = writeln!(out, "{stats}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_file_that_is_not_taken_is_named_with_what_to_do_in_both_languages() {
        let bind: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let config = SimConfig { bind, world: WorldConfig::default(), record: None };
        let other = super::super::restore::header::<World>(&WorldConfig { seed: 2, ..WorldConfig::default() }, 1);
        for (text, en, zh) in [
            (other.as_str(), "--seed and --bills as then", "请使用当时的"),
            ("{}\nx", "another place", "换一个位置"),
            ("garbage\n", "it is no record of a simulator", "不是模拟器的记录文件"),
        ] {
            let error = super::super::restore::from::<World>(text.as_bytes(), &config.world).expect_err(text);
            let error = std::io::Error::new(error.kind(), OfRecord(error));
            let told = NotStarted::at(bind, Some(Path::new("/d/simulator.jsonl")), &error);
            assert!(told.why.is_none() && told.en.contains(en) && told.zh.contains(zh), "{told:?}");
            assert!(told.en.contains("/d/simulator.jsonl") && told.zh.contains("/d/simulator.jsonl"), "{told:?}");
        }
        let full = std::io::Error::new(ErrorKind::StorageFull, OfRecord(std::io::Error::from_raw_os_error(28)));
        let told = NotStarted::at(bind, Some(Path::new("/d/s")), &full);
        assert_eq!((told.zh.as_str(), told.why.is_some()), ("记录文件 /d/s", true));
    }
}
