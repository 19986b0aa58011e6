//! Alerts as they are configured: secrets fetched, targets named.

use std::path::Path;
use std::sync::Arc;

use crate::config::alerts::{AlertsConfig, TargetConfig, TargetKind};
use crate::domain::cause::CauseTable;
use crate::domain::group_words;
use crate::exit::{Exit, Stop};
use crate::host::alerts::Alerts;
use crate::host::alerts::ahead::Also;
use crate::host::alerts::send::{Kind, Sender, Target};
use crate::host::alerts::watch::Times;
use crate::secret::{self, Known, Of};

/// The alerts of a configuration; `None` where nobody is to be told.
pub fn alerts(
    config: &AlertsConfig,
    base: &Path,
    causes: &Arc<CauseTable>,
    known: &Known,
) -> Result<Option<Alerts>, Stop> {
    if config.to.is_empty() {
        return Ok(None);
    }
    let targets = config.to.iter().map(|to| target(to, base, known)).collect::<Result<Vec<_>, _>>()?;
    let sender =
        Sender::new(targets).map_err(|why| Stop::system(Exit::Usage, "alerts cannot be sent", "告警无法发送", &why))?;
    let times = Times { merge: config.merge, quiet: config.quiet, unknown_after: config.unknown_after };
    let (causes, tongue) = (Arc::clone(causes), config.language);
    let label = move |name: &str| {
        let known = causes.cause.iter().find(|info| info.cause.as_str() == name);
        match known {
            Some(info) => tongue.t(&info.en, &info.zh).clone(),
            None => group_words::word(tongue, name).unwrap_or(name).to_owned(),
        }
    };
    let also = Also { drift: config.drift, growing: config.growing };
    Ok(Some(Alerts { sender, times, also, tongue, label: Box::new(label), tellers: None }))
}

/// A program that is named by a relative path is the one beside the configuration, or where this process was started: the
/// engine works elsewhere.
fn program(argv: &[String], base: &Path) -> Vec<String> {
    let mut argv = argv.to_vec();
    if let Some(name) = argv.first_mut().filter(|name| name.contains('/')) {
        let beside = base.join(&*name);
        let found = if beside.exists() { Ok(beside) } else { std::path::absolute(&*name) };
        *name = found.map_or_else(|_| name.clone(), |path| path.display().to_string());
    }
    argv
}

fn target(config: &TargetConfig, base: &Path, known: &Known) -> Result<Target, Stop> {
    let fetch = |what: &'static str, source: Option<&crate::config::SecretSource>| {
        let Some(source) = source else { return Ok(None) };
        let secret =
            secret::fetch(&Of::Alerts(config.name.clone(), what), source, base).map_err(super::stops::secret_stop)?;
        known.add(&secret);
        Ok::<_, Stop>(Some(secret))
    };
    Ok(Target {
        name: config.name.clone(),
        kind: match config.kind {
            TargetKind::Command => Kind::Command(program(&config.command, base)),
            TargetKind::Webhook => Kind::Webhook,
            TargetKind::DingTalk => Kind::DingTalk,
            TargetKind::WeCom => Kind::WeCom,
            TargetKind::Feishu => Kind::Feishu,
        },
        url: config.url.clone().or_else(|| config.kind.address().map(str::to_owned)).unwrap_or_default(),
        token: fetch("token", config.token.as_ref())?,
        secret: fetch("secret", config.secret.as_ref())?,
    })
}
