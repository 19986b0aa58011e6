//! What every verb stands on: options, paths, configuration, causes, clock; and the engine they boot.
//!
//! Invariant: nothing is opened before a verb asks for it.

use std::io::IsTerminal;
use std::sync::Arc;

use super::args::{Approval, Global, Looks};
use super::console::Console;
use super::drive::Driver;
use super::out::Out;
use super::output::Charset;
use crate::boot::{self, Booted, Logging, Paths, PlanFiles, Setup};
use crate::config::{Config, EnvironmentConfig, Rules};
use crate::domain::cause::CauseTable;
use crate::domain::ids::{EnvId, PlanId};
use crate::domain::language::Language;
use crate::domain::reason::Reason;
use crate::domain::time::Clock;
use crate::erp::config::is_in_clear;
use crate::exit::Stop;
use crate::host::metrics::Metrics;
use crate::secret::Known;
use crate::store::backup::SnapshotDir;
use crate::store::local::Raise;

/// The language of what verbs say to people.
pub(super) fn language(option: Option<Language>, configured: Option<&str>) -> Language {
    match boot::language(option, configured) {
        // Chinese on a terminal that cannot show it would be a wall of question marks.
        Language::Zh if std::io::stderr().is_terminal() && !Charset::detect().has_chinese() => Language::En,
        lang => lang,
    }
}

/// What every verb needs.
pub(super) struct Context {
    pub global: Global,
    pub paths: Paths,
    pub config: Config,
    pub causes: Arc<CauseTable>,
    pub clock: Arc<dyn Clock>,
    /// Secrets fetched so far.
    pub known: Arc<Known>,
    /// The copy of a backup that is looked at.
    pub snapshot: Option<SnapshotDir>,
}

impl Context {
    pub fn out(&self) -> Out {
        let lang = language(self.global.lang, self.config.console.language.as_deref());
        let views = self.paths.data.join("filters.toml");
        Out { json: self.global.json, lang, views, causes: self.causes.clone(), beside: false }
    }

    /// An environment by its name, or the default one.
    pub fn environment(&self, name: Option<&str>) -> Result<&EnvironmentConfig, Stop> {
        let all = &self.config.environments;
        let Some(first) = all.first() else { return Err(self.out().no_environment(&self.paths.config)) };
        let Some(name) = name else { return Ok(first) };
        all.iter().find(|env| env.environment.id.as_str() == name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|env| env.environment.id.as_str()).collect();
            let file = self.paths.config.display();
            self.out().usage(
                &format!("no environment {name}; {file} has: {}", names.join(", ")),
                &format!("没有环境 {name}；{file} 中有：{}", names.join("、")),
            )
        })
    }

    /// The same with the configuration as it is now.
    pub fn read_again(&self) -> Result<Self, Stop> {
        let lang = self.out().lang;
        let config = boot::config(&self.paths, false, lang)?;
        let causes = Arc::new(boot::causes(&config, &self.paths.config_dir(), lang)?);
        let (global, paths, clock, known) =
            (self.global.clone(), self.paths.clone(), Arc::clone(&self.clock), Arc::clone(&self.known));
        Ok(Self { global, paths, config, causes, clock, known, snapshot: None })
    }

    pub fn plan_dir(&self) -> std::path::PathBuf {
        let base = self.paths.config_dir();
        base.join(self.config.plans.clone().unwrap_or_else(|| "plans".into()))
    }

    /// The engine with every environment of the configuration.
    pub async fn boot(&self, extra: Vec<std::path::PathBuf>, connect: bool) -> Result<Booted, Stop> {
        if let Some(socket) = &self.global.attach {
            return Booted::at(socket, self.global.owner).await;
        }
        let out = self.out();
        for why in self.twins() {
            out.note(&out.reason_of(&why));
        }
        Booted::start(self.setup(extra, connect, false)?, move |text| out.note(text)).await
    }

    /// What keeps environments of this configuration from writing: each pair, said once.
    pub fn twins(&self) -> Vec<Reason> {
        let same = |(env, other): (&EnvId, &EnvId)| Reason::SameServer { env: env.clone(), other: other.clone() };
        self.config.twins().into_iter().map(same).collect()
    }

    /// What an engine needs. Fetches the secrets, which may ask at the terminal.
    pub fn setup(&self, extra: Vec<std::path::PathBuf>, connect: bool, schedules: bool) -> Result<Setup, Stop> {
        let base = self.paths.config_dir();
        if connect && self.snapshot.is_none() {
            self.warn_of_writable();
        }
        let (mut envs, refusals) = (Vec::new(), Arc::default());
        for config in &self.config.environments {
            let erp = if connect && self.snapshot.is_none() {
                self.warn_of_clear_text(config);
                boot::client(config, &base, &self.causes, &self.clock, &self.known, &refusals)?
            } else {
                // Verbs that only read the history need no secret.
                Arc::new(boot::Offline(config.environment.id.clone())) as Arc<dyn crate::engine::ports::Erp>
            };
            envs.push((config.environment.clone(), erp));
        }
        Ok(Setup {
            data: self.paths.data.clone(),
            // A copy is a directory; and a verb that only reads never takes the turn to write.
            database: if self.snapshot.is_some() {
                None
            } else {
                boot::database(&self.config, &base, &self.known)?.map(|found| found.looking(!connect))
            },
            envs,
            plans: PlanFiles::new(self.plan_dir(), extra),
            causes: self.causes.clone(),
            clock: self.clock.clone(),
            ahead: (boot::calendar(&self.config, &base, self.out().lang)?, self.config.forecast.borne()),
            schedules,
            metrics: if schedules {
                let config = &self.config.metrics;
                Metrics {
                    listen: config.listen.map(|at| at.0),
                    textfile: config.textfile.as_ref().map(|file| base.join(file)),
                }
            } else {
                Metrics::default()
            },
            alerts: if schedules { boot::alerts(&self.config.alerts, &base, &self.causes, &self.known)? } else { None },
            logging: Logging::new(self.config.log, Arc::clone(&self.known)),
            raise: match (&self.snapshot, connect) {
                (Some(_), _) => Raise::Plain,
                (None, true) => Raise::Backup(None),
                // A verb that only reads raises nothing.
                (None, false) => Raise::Never,
            },
            lang: self.out().lang,
            access: if self.snapshot.is_some() {
                Rules::looking()
            } else {
                let file = self.paths.config.display();
                let zh = self.out().is_zh();
                let colon = if zh { "：" } else { ": " };
                let rules = self.config.access.rules();
                rules.map_err(|said| Stop::usage(format!("{file}{colon}{}", said.in_language(zh))))?
            },
        })
    }

    /// Names a configuration or plans that somebody else can change: he would decide what is called.
    pub fn warn_of_writable(&self) {
        let (plans, config, out) = (self.plan_dir(), &self.paths.config, self.out());
        for path in boot::writable_by_others([config.clone(), self.paths.config_dir(), plans]) {
            let at = path.display();
            let en = format!(
                "others can change {at} (say `chmod go-w` or give it to its owner): they decide what is called"
            );
            let zh = format!("其他用户可以修改 {at}，从而决定调用什么：请执行 `chmod go-w` 或改正其属主");
            out.note(out.t(&en, &zh));
        }
    }

    /// Says that an environment's calls can be read on the network.
    pub fn warn_of_clear_text(&self, config: &EnvironmentConfig) {
        let (env, out) = (&config.environment, self.out());
        // Without the key nothing is sent, and the refusal says so.
        if config.connection.allow_plain_http && is_in_clear(&env.address) {
            let (en, zh) = (
                format!(
                    "environment {}: http:// is not encrypted, credentials and bills cross the network in clear \
                     (allow_plain_http)",
                    env.id
                ),
                format!("环境 {}：http:// 未加密，凭据和单据会在网络上明文传输（allow_plain_http）", env.id),
            );
            out.note(out.t(&en, &zh));
        }
    }

    pub fn driver(&self, booted: &Booted, approval: Approval) -> Driver {
        Driver { link: booted.link.clone(), out: self.out(), by: boot::who(), approval, trusting: false }
    }
}

pub(super) fn screen<'a>(
    context: &'a Context,
    looks: &'a Looks,
    data: &std::path::Path,
    select: Option<PlanId>,
    label: &'a str,
) -> Console<'a> {
    Console {
        global: &context.global,
        looks,
        config: &context.config,
        base: context.paths.config_dir(),
        causes: context.causes.clone(),
        clock: context.clock.clone(),
        known: Arc::clone(&context.known),
        data: data.to_path_buf(),
        select,
        label,
        detachable: false,
    }
}
