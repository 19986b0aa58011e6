//! `health`: one word whether all is well, for a monitoring system that runs programs.

use super::out::Out;
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};
use crate::host::metrics::{judge, log_faults, standing};

/// Asks the owner, or the directory itself where nobody holds it.
pub async fn run(link: &dyn Link, out: &Out, attached: bool) -> Result<Exit, Stop> {
    let watch = link.watch().await?;
    let (ended, groups) = standing(link).await?;
    let health = judge(&watch.live, &ended, &[], &groups, log_faults(link).await?);
    if out.json {
        let mut value = serde_json::to_value(&health).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("type".to_owned(), "health".into());
            fields.insert("owner".to_owned(), attached.into());
        }
        out.object(&value)?;
    } else {
        let word = if health.ok { out.t("ok", "正常") } else { out.t("not ok", "异常") };
        let owner = if attached {
            out.t("engine running", "引擎在运行")
        } else {
            out.t("engine not running", "引擎未运行")
        };
        let (semi, comma) = (out.t("; ", "；"), out.t(", ", "，"));
        out.line(&format!(
            "{word}{semi}{owner}{semi}{} {}{comma}{} {}{comma}{} {}",
            out.t("unfinished runs", "未结束的运行"),
            health.open_runs,
            out.t("unresolved", "遗留"),
            health.unresolved,
            out.t("unknown", "未知"),
            health.unknown
        ))?;
        for fault in &health.log {
            out.line(crate::text::show(out.t(&fault.en(), &fault.zh()), 1024).as_str())?;
        }
        for run in &health.runs {
            let name = format!("{} {}", run.run, run.plan);
            let mut words = out.colon(&name, &name, &out.run_state(&run.row));
            if let Some(since) = run.since {
                let row = match run.times {
                    ..=1 => String::new(),
                    // Of whatever kind they were: the one that is named is the last of them.
                    n => format!(
                        "{}{n}{}",
                        out.t("", "连续 "),
                        out.t(" runs in a row came to nothing, ", " 次运行没有成功，")
                    ),
                };
                let (open, close) = (out.t(" (", "（"), out.t(")", "）"));
                words = format!("{words}{open}{row}{} {}{close}", out.t("since", "自"), out.time(since));
            }
            if let Some(until) = run.until {
                let gone = out.t(
                    "its plan or environment is there no more, so it counts until",
                    "其方案或环境已不存在，计入健康状态至",
                );
                words = format!("{words}{}{gone} {}", out.t("; ", "；"), out.time(until));
            }
            out.line(crate::text::show(&words, 1024).as_str())?;
        }
    }
    Ok(match (health.ok, health.unknown) {
        (false, _) => Exit::Failed,
        (true, 1..) => Exit::Unknown,
        (true, 0) => Exit::Ok,
    })
}
