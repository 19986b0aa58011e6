//! `env list`, `env check` and `env adopt`.

use serde_json::json;

use super::args::Approval;
use super::context::Context;
use super::out::Out;
use crate::boot::{self, Booted, Home};
use crate::domain::command::Command;
use crate::domain::env::{Environment, Limits};
use crate::domain::erp_clock::ErpClock;
use crate::domain::ids::EnvId;
use crate::domain::language::Language;
use crate::domain::query::{Answer, Query};
use crate::domain::reason::{Reason, fault_zh};
use crate::domain::server::{Same, Server};
use crate::domain::time::Clock;
use crate::engine::api::Link;
use crate::engine::ports::{Erp, Fault, FaultKind, Greeting};
use crate::exit::{Exit, Stop};
use crate::text::show;

/// `env list`.
pub fn list(out: &Out, environments: &[Environment]) -> Result<Exit, Stop> {
    if out.json {
        for e in environments {
            out.object(&json!({
                "type": "environment", "env": e.id, "address": e.address, "account_set": e.account_set, "user": e.user,
                "production": e.production, "read_only": e.read_only, "always_read_only": e.always_read_only, "server_zone": e.server_zone,
                "per_minute": e.limits.per_minute, "concurrency": e.limits.concurrency, "canary": e.limits.canary,
                "breaker_unknown": e.limits.breaker_unknown, "breaker_failed_percent": e.limits.breaker_failed_percent,
                "breaker_ceiling": e.limits.breaker_ceiling,
            }))?;
        }
        return Ok(Exit::Ok);
    }
    let head = [
        out.t("env", "环境"),
        out.t("address", "地址"),
        out.t("data centre", "数据中心（账套）"),
        out.t("user", "用户"),
        out.t("mode", "模式"),
        out.t("pace", "速率"),
        out.t("pauses at", "自动暂停"),
    ];
    let rows = environments.iter().map(|e| {
        let production = if e.production { out.t("PRODUCTION ", "生产 ") } else { "" };
        let mode = match (e.always_read_only, e.read_only) {
            (true, _) => out.t("read-only for good", "永久只读"),
            (false, true) => out.t("read-only", "只读"),
            (false, false) => out.t("writable", "可写"),
        };
        let pace = format!("{}/min × {}", e.limits.per_minute, e.limits.concurrency);
        vec![
            e.id.to_string(),
            e.address.clone(),
            e.account_set.clone(),
            e.user.clone(),
            format!("{production}{mode}"),
            pace,
            stops(out, &e.limits),
        ]
    });
    out.table(&head, rows.collect())?;
    Ok(Exit::Ok)
}

/// When runs of an environment stop by themselves.
fn stops(out: &Out, limits: &Limits) -> String {
    let (unknown, percent) = (limits.breaker_unknown, limits.breaker_failed_percent);
    let mut said = Vec::new();
    if unknown > 0 {
        said.push(out.t(&format!("{unknown} unknown in a row"), &format!("连续 {unknown} 次未知")).to_owned());
    }
    if percent > 0 {
        let zh = format!("最近 20 张被拒绝满 {percent}%");
        said.push(out.t(&format!("{percent}% of 20 refused"), &zh).to_owned());
        if !limits.breaker_ceiling {
            said.push(out.t("or a change of the usual share", "或比例突变").to_owned());
        }
    }
    if said.is_empty() { out.t("never", "从不").to_owned() } else { said.join(out.t(", ", "，")) }
}

/// How an environment stands towards the server that its records are on.
struct Place {
    home: Option<Server>,
    held: Vec<Reason>,
}

/// Compares what the data directory (or its owner) says with the server that was just signed in to.
async fn place(context: &Context, environment: &Environment, erp: &dyn Erp) -> Place {
    let attach = context.global.attach.as_deref().map(|socket| (socket, context.global.owner));
    let known = boot::home_of(&context.paths.data, attach, context.clock.clone(), &environment.id).await;
    // The sign-in is what was asked for; that the directory cannot be read is said beside it.
    let known = known.unwrap_or_else(|stop| {
        let out = context.out();
        out.note(&stop.spoken(out.lang).message);
        Home::default()
    });
    let is = Server { centre: erp.centre(), ..environment.server.clone() };
    let env = environment.id.clone();
    let strayed = match &known.home {
        Some(was) => match was.same(&is) {
            Same::Yes => None,
            Same::Moved => Some(Reason::WrongServer { env, was: was.clone(), is }),
            Same::Other => Some(Reason::OtherAccountSet { env, was: was.clone(), is }),
        },
        // Pairs come from the configuration that was read now.
        None => known.held.filter(|why| !matches!(why, Reason::SameServer { .. })),
    };
    let twins = context.twins().into_iter().filter(|why| match why {
        Reason::SameServer { env, other } => [env, other].contains(&&environment.id),
        _ => false,
    });
    Place { home: known.home, held: strayed.into_iter().chain(twins).collect() }
}

/// `env check`: signs in and says what was found, and what this user may do.
pub(super) async fn check(context: &Context, environment: &Environment, erp: &dyn Erp) -> Result<Exit, Stop> {
    let out = &context.out();
    match erp.sign_in().await {
        Ok(greeting) => {
            let Place { home, held } = place(context, environment, erp).await;
            if out.json {
                let home =
                    home.map(|s| json!({"address": s.address, "account_set": s.account_set, "centre": s.centre}));
                let reasons: Vec<_> = held
                    .iter()
                    .map(|why| json!({"code": why.code(), "args": why.args(), "text": out.reason_of(why)}))
                    .collect();
                out.object(&json!({
                    "type": "env_check", "env": environment.id, "ok": true, "how": greeting.how, "user": greeting.user,
                    "account_set": greeting.account_set, "version": greeting.version,
                    "skew_seconds": greeting.skew_seconds, "server_zone": environment.server_zone,
                    "notes": greeting.notes, "centre": erp.centre(), "home": home, "held": reasons,
                }))?;
                return tried(context, environment, erp, &held).await;
            }
            let home = home.map(|server| server.to_string());
            let free = || {
                out.t(
                    "not bound yet: its next run binds it, or `env adopt`",
                    "尚未绑定：下次运行时绑定，或用 `env adopt`",
                )
                .to_owned()
            };
            greeted(out, environment, &greeting, &*context.clock)?;
            out.line(&out.colon("bound to", "单据所属服务器", show(&home.unwrap_or_else(free), 400).as_str()))?;
            for note in greeting.notes.into_iter().chain(held.iter().map(|why| out.reason_of(why))) {
                out.line(&format!("! {}", show(&note, 1000).as_str()))?;
            }
            tried(context, environment, erp, &held).await
        }
        Err(fault) => Err(not_signed_in(out, environment, &fault)),
    }
}

/// What a sign-in told, a line each.
pub(super) fn greeted(
    out: &Out,
    environment: &Environment,
    greeting: &Greeting,
    clock: &dyn Clock,
) -> Result<(), Stop> {
    let unsaid = out.t("the server does not say", "服务器未说明");
    let or_unsaid = |text: Option<&str>| text.unwrap_or(unsaid).to_owned();
    let zone = &environment.server_zone;
    let shows = greeting.skew_seconds.zip(zone.parse().ok());
    let shows = shows.map(|(ahead, zone)| ErpClock::at(clock.now(), ahead, &zone).shows);
    let skew = greeting
        .skew_seconds
        .zip(shows)
        .map(|(ahead, shows)| format!("{ahead:+} s; {} ({zone})", shows.as_str().replace('T', " ")));
    let rows = [
        (out.t("environment", "环境"), environment.id.to_string()),
        (out.t("address", "地址"), environment.address.clone()),
        (out.t("sign-in", "登录方式"), out.console().sign_in(&greeting.how)),
        (out.t("user", "用户"), or_unsaid(greeting.user.as_deref())),
        (out.t("data centre (account set)", "数据中心（账套）"), or_unsaid(greeting.account_set.as_deref())),
        (out.t("version", "版本"), or_unsaid(greeting.version.as_deref())),
        (
            out.t("server clock minus this machine's; it shows", "服务器时钟偏差；服务器时间"),
            or_unsaid(skew.as_deref()),
        ),
    ];
    for (label, value) in rows {
        out.line(&out.colon(label, label, show(&value, 400).as_str()))?;
    }
    Ok(())
}

/// That a sign-in failed.
pub(super) fn not_signed_in(out: &Out, environment: &Environment, fault: &Fault) -> Stop {
    failed(out, environment, fault, "登录失败：")
}

/// That something was read of the ERP in vain.
pub(super) fn not_read(out: &Out, environment: &Environment, fault: &Fault) -> Stop {
    failed(out, environment, fault, "")
}

/// `what`: what failed, in Chinese, where the fault does not say it.
fn failed(out: &Out, environment: &Environment, fault: &Fault, what: &str) -> Stop {
    let exit = match fault.kind {
        FaultKind::Credentials | FaultKind::AccountSet | FaultKind::Config => Exit::Usage,
        _ => Exit::Failed,
    };
    let said = show(&fault.message, 2000);
    Stop::new(
        exit,
        match out.lang {
            Language::En => format!("environment {}: {}", environment.id, said.as_str()),
            Language::Zh => format!("环境 {}：{what}{}", environment.id, fault_zh(said.as_str())),
        },
    )
}

/// The rights, where the server is the one that the records are on: elsewhere nothing is asked or called.
async fn tried(context: &Context, environment: &Environment, erp: &dyn Erp, held: &[Reason]) -> Result<Exit, Stop> {
    let strayed = |why: &Reason| matches!(why, Reason::WrongServer { .. } | Reason::OtherAccountSet { .. });
    if held.iter().any(strayed) { Ok(Exit::Ok) } else { super::rights::check(context, environment, erp).await }
}

/// `env adopt`: a person says that the environment's records are on the server it is configured with now.
pub(super) async fn adopt(context: &Context, env: &EnvId, reason: String) -> Result<Exit, Stop> {
    let booted = context.boot(Vec::new(), true).await?;
    let done = adopt_there(context, &booted, env, reason).await;
    booted.end(None).await?;
    done
}

async fn adopt_there(context: &Context, booted: &Booted, env: &EnvId, reason: String) -> Result<Exit, Stop> {
    let driver = context.driver(booted, Approval::default());
    let is = server_in(&*booted.link, env).await?;
    // An engine that was started before the configuration was changed would adopt what it knows.
    let ours = context.config.environments.iter().find(|e| e.environment.id == *env).map(|e| &e.environment.server);
    if let (true, None, Some(ours), Some(is)) = (booted.is_attached(), &context.global.attach, ours, &is)
        && ours.same(is) != Same::Yes
    {
        let words = driver.out.t(
            "the engine that is running was started with another address; end it (skydeck serve --end), then adopt",
            "正在运行的引擎以另一个地址启动；请先结束它（skydeck serve --end），再确认",
        );
        let [before, after] = driver.out.lang.t([" (", ")"], ["（", "）"]);
        let said = format!("{words}{before}{is}{after}");
        let env = env.to_string();
        return Err(Stop::new(Exit::Refused, driver.out.colon(&env, &env, &said)));
    }
    driver.order(Command::AdoptServer { env: env.clone(), reason }).await?;
    let server = is.unwrap_or_default();
    if driver.out.json {
        driver.out.object(&json!({
            "type": "adopted", "env": env, "address": server.address, "account_set": server.account_set,
        }))?;
    } else {
        let server = show(&server.to_string(), 400).as_str().to_owned();
        let en = format!("environment {env} is bound to {server}");
        let zh = format!("环境 {env} 的单据属于 {server}");
        driver.out.line(driver.out.t(&en, &zh))?;
    }
    Ok(Exit::Ok)
}

/// The server that the engine has for an environment.
async fn server_in(link: &dyn Link, env: &EnvId) -> Result<Option<Server>, Stop> {
    let Answer::Environments(rows) = link.ask(Query::Environments).await? else { return Ok(None) };
    Ok(rows.into_iter().find(|row| row.env.id == *env).map(|row| row.env.server))
}
