//! `alerts test`: a trial message to everybody who would be told.

use super::context::Context;
use crate::boot;
use crate::exit::{Exit, Stop};
use crate::host::alerts::words;

/// Sends it and says what became of it.
pub async fn test(context: &Context) -> Result<Exit, Stop> {
    let out = context.out();
    let alerts = boot::alerts(&context.config.alerts, &context.paths.config_dir(), &context.causes, &context.known)?;
    let Some(alerts) = alerts else {
        let words = out.t(
            " has no [[alerts.to]]: no alert is sent (docs/alerts.md shows examples)",
            " 中没有 [[alerts.to]]：不会通知任何人（docs/alerts.md 中有示例）",
        );
        return Err(Stop::usage(format!("{}{words}", context.paths.config.display())));
    };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let message = words::trial(alerts.tongue, &host);
    let mut worst = Exit::Ok;
    for (name, result) in alerts.sender.send(&message, || context.clock.now().0).await {
        // A receiver may say back what it was sent.
        let result = result.map_err(|why| context.known.redact(&why));
        if result.is_err() {
            worst = Exit::Failed;
        }
        if out.json {
            out.object(
                &serde_json::json!({"type": "alert_test", "target": name, "ok": result.is_ok(), "why": result.err()}),
            )?;
            continue;
        }
        match result {
            Ok(()) => out.line(&out.colon(&name, &name, out.t("arrived", "已送达")))?,
            Err(why) => out.line(&out.colon(&name, &name, &out.quoting(out.t("not delivered", "未送达"), &why)))?,
        }
    }
    Ok(worst)
}
