//! `env list` and `env check`.

use super::exit::{Exit, Stop};
use super::out::Out;
use crate::domain::env::Environment;
use crate::erp::{Erp, FaultKind};
use crate::text::show;

/// `env list`.
pub fn list(out: &Out, environments: &[Environment]) -> Result<Exit, Stop> {
    if out.json {
        for e in environments {
            out.object(&serde_json::json!({
                "type": "environment", "env": e.id, "address": e.address, "account_set": e.account_set, "user": e.user,
                "production": e.production, "read_only": e.read_only, "server_zone": e.server_zone,
                "per_minute": e.limits.per_minute, "concurrency": e.limits.concurrency,
            }))?;
        }
        return Ok(Exit::Ok);
    }
    let head = [
        out.t("env", "环境"),
        out.t("address", "地址"),
        out.t("account set", "账套"),
        out.t("user", "用户"),
        out.t("mode", "模式"),
        out.t("pace", "速率"),
    ];
    let rows = environments.iter().map(|e| {
        let production = if e.production { out.t("PRODUCTION ", "生产 ") } else { "" };
        let mode = if e.read_only { out.t("read-only", "只读") } else { out.t("read-write", "读写") };
        let pace = format!("{}/min × {}", e.limits.per_minute, e.limits.concurrency);
        vec![
            e.id.to_string(),
            e.address.clone(),
            e.account_set.clone(),
            e.user.clone(),
            format!("{production}{mode}"),
            pace,
        ]
    });
    out.table(&head, rows.collect())?;
    Ok(Exit::Ok)
}

/// `env check`: signs in and says what was found.
pub async fn check(out: &Out, environment: &Environment, erp: &dyn Erp) -> Result<Exit, Stop> {
    match erp.sign_in().await {
        Ok(greeting) => {
            if out.json {
                out.object(&serde_json::json!({
                    "type": "env_check", "env": environment.id, "ok": true, "how": greeting.how, "user": greeting.user,
                    "account_set": greeting.account_set, "version": greeting.version,
                    "skew_seconds": greeting.skew_seconds, "notes": greeting.notes,
                }))?;
                return Ok(Exit::Ok);
            }
            let unsaid = out.t("the server does not say", "服务器未说明").to_owned();
            let or_unsaid = |text: Option<String>| text.unwrap_or_else(|| unsaid.clone());
            let skew = greeting.skew_seconds.map(|s| format!("{s:+} s"));
            let rows = [
                (out.t("environment", "环境"), environment.id.to_string()),
                (out.t("address", "地址"), environment.address.clone()),
                (out.t("sign-in", "登录方式"), greeting.how),
                (out.t("user", "用户"), or_unsaid(greeting.user)),
                (out.t("account set", "账套"), or_unsaid(greeting.account_set)),
                (out.t("version", "版本"), or_unsaid(greeting.version)),
                (out.t("server clock minus ours", "服务器时钟偏差"), or_unsaid(skew)),
            ];
            for (label, value) in rows {
                out.line(&format!("{label}: {}", show(&value, 400).as_str()))?;
            }
            for note in greeting.notes {
                out.line(&format!("! {}", show(&note, 400).as_str()))?;
            }
            Ok(Exit::Ok)
        }
        Err(fault) => {
            let exit = match fault.kind {
                FaultKind::Credentials | FaultKind::AccountSet | FaultKind::Config => Exit::Usage,
                _ => Exit::Failed,
            };
            Err(Stop::new(exit, format!("environment {}: {}", environment.id, show(&fault.message, 2000).as_str())))
        }
    }
}
