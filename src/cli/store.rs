//! `store`: a store in a database is made, raised, looked at, filled from a data directory and copied back into one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::args::{Admin, Approval, StoreVerb};
use super::context::Context;
use super::out::Out;
use crate::boot::{self, store_stop};
use crate::config::SecretSource;
use crate::domain::command::Command;
use crate::exit::{Exit, Stop};
use crate::postgres::check::{Finding, Grade, check};
use crate::postgres::copy::{self, Copied};
use crate::postgres::{PgFault, PgStore, Settings, Turn, admin};
use crate::secret::{self, Of};
use crate::store::actions::FILE;
use crate::store::hosts::Host;
use crate::store::local::place::quoted;
use crate::store::local::{LocalStore, Options, Raise};
use crate::store::{Store as _, doctor};
use crate::text::{readable, show};

/// Facts of the chain that are read where not all are asked for.
const NEWEST: u64 = 100_000;
/// How long it is waited for that a machine is shown out, and between two looks.
const SHOWN_OUT: Duration = Duration::from_secs(10);
const LOOKS: Duration = Duration::from_millis(100);

/// Does one of them.
pub async fn run(context: &Context, verb: StoreVerb) -> Result<Exit, Stop> {
    let out = context.out();
    match verb {
        StoreVerb::Init { print: true, .. } => {
            out.line(&admin::script())?;
            Ok(Exit::Ok)
        }
        StoreVerb::Init { admin, .. } => {
            let version = admin::init(&administrator(context, &admin)?).await.map_err(stop)?;
            raised(&out, version)
        }
        StoreVerb::Migrate { admin } => {
            let version = admin::migrate(&administrator(context, &admin)?).await.map_err(stop)?;
            raised(&out, version)
        }
        StoreVerb::Check { all } => {
            let settings = settings(context)?;
            let found = blocking(move || Ok(check(&settings, (!all).then_some(NEWEST)))).await?;
            told(&out, &found)
        }
        StoreVerb::Hosts => hosts(context).await,
        StoreVerb::Evict { host, reason } => evict(context, &host, reason).await,
        StoreVerb::Person { name: None, .. } => people(context).await,
        StoreVerb::Person { name: Some(name), logins, admin } => person(context, &name, &logins, &admin).await,
        StoreVerb::Import { dir } => import(context, dir).await,
        StoreVerb::Export { dir } => export(context, &dir).await,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
fn stop(fault: PgFault) -> Stop {
    Stop::both(Exit::Usage, fault.en(), fault.zh())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Stop> + Send + 'static) -> Result<T, Stop> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Stop::system(Exit::Refused, "the store", "存储", &e))?
}

/// How one gets into the store that the configuration names.
fn settings(context: &Context) -> Result<Settings, Stop> {
    let found = boot::database(&context.config, &context.paths.config_dir(), &context.known)?;
    found.map(|database| database.settings().clone()).ok_or_else(|| {
        let file = context.paths.config.display();
        context.out().usage(
            &format!("{file} names no store: write [store] with url = \"postgresql://skydeck_host@HOST/DATABASE\""),
            &format!("{file} 中没有存储：请写 [store]，并写 url = \"postgresql://skydeck_host@主机/数据库\""),
        )
    })
}

/// How an administrator gets in.
fn administrator(context: &Context, admin: &Admin) -> Result<Settings, Stop> {
    let Some(url) = &admin.admin_url else { return settings(context) };
    let configured = context.config.store.as_ref().and_then(|store| store.ca_file.clone());
    let mut settings = Settings::new(url.clone());
    settings.ca_file = configured.map(|file| context.paths.config_dir().join(file));
    if let Some(file) = &admin.admin_password {
        let source = SecretSource::File(file.clone());
        let here = std::env::current_dir()?;
        let password = secret::fetch(&Of::Store("admin_password"), &source, &here).map_err(boot::secret_stop)?;
        context.known.add(&password);
        settings.password = Some(password);
    }
    Ok(settings)
}

fn raised(out: &Out, version: u32) -> Result<Exit, Stop> {
    if out.json {
        out.object(&serde_json::json!({ "type": "store", "version": version }))?;
    } else {
        out.line(&format!("{} {version}", out.t("the store's schema is of version", "存储结构版本")))?;
    }
    Ok(Exit::Ok)
}

fn told(out: &Out, found: &[Finding]) -> Result<Exit, Stop> {
    let worst = found.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Good);
    let word = |grade: Grade| match grade {
        Grade::Good => "good",
        Grade::Look => "look",
        Grade::Unusable => "unusable",
        Grade::Damaged => "damaged",
    };
    if out.json {
        let all: Vec<_> = found
            .iter()
            .map(|finding| serde_json::json!({ "grade": word(finding.grade), "text": out.t(&finding.en, &finding.zh) }))
            .collect();
        out.object(&serde_json::json!({ "type": "store_check", "grade": word(worst), "found": all }))?;
    } else {
        for finding in found {
            let sign = match finding.grade {
                Grade::Good => "✓",
                Grade::Look => "!",
                Grade::Unusable | Grade::Damaged => "✗",
            };
            out.line(&format!("{sign} {}", out.t(&finding.en, &finding.zh)))?;
        }
    }
    Ok(match worst {
        Grade::Good | Grade::Look => Exit::Ok,
        Grade::Unusable => Exit::Usage,
        Grade::Damaged => Exit::Unsound,
    })
}

/// The machines that write together.
async fn hosts(context: &Context) -> Result<Exit, Stop> {
    let (out, settings) = (context.out(), settings(context)?);
    let store = blocking(move || PgStore::look(settings).map_err(store_stop)).await?;
    let hosts = store.machines().await.map_err(store_stop)?;
    if out.json {
        for host in &hosts {
            out.object(&serde_json::json!({
                "type": "store_host", "no": host.no, "name": host.name, "version": host.version, "silent_secs": host.silent_secs, "counts": host.counts,
                "runs": host.runs,
            }))?;
        }
        return Ok(Exit::Ok);
    }
    if hosts.is_empty() {
        out.line(out.t("no machine writes to it together with others", "没有主机以共同写入方式使用"))?;
        return Ok(Exit::Ok);
    }
    let counts = |host: &Host| match host.silent_secs {
        _ if !host.counts => out.t("shown out, or left", "已移出或已离开").to_owned(),
        ..=0 => out.t("counts", "在线").to_owned(),
        secs => out.t(&format!("silent for {secs} s"), &format!("已 {secs} 秒未报到")).to_owned(),
    };
    let row = |host: &Host| {
        vec![host.no.to_string(), host.name.clone(), host.version.clone(), counts(host), host.runs.to_string()]
    };
    let head = [
        out.t("no.", "号"),
        out.t("host", "主机"),
        out.t("version", "版本"),
        out.t("heard of", "报到"),
        out.t("runs", "运行"),
    ];
    out.table(&head, hosts.iter().map(row).collect())?;
    Ok(Exit::Ok)
}

/// Shows a machine out, named by its number or its name.
async fn evict(context: &Context, named: &str, reason: String) -> Result<Exit, Stop> {
    let (out, settings) = (context.out(), settings(context)?);
    let store = blocking(move || PgStore::look(settings).map_err(store_stop)).await?;
    let hosts = store.machines().await.map_err(store_stop)?;
    let all: Vec<&Host> = hosts.iter().filter(|host| host.no.to_string() == named || host.name == named).collect();
    let [host] = all.as_slice() else {
        let (en, zh) = if all.is_empty() {
            (format!("no machine is called {named}"), format!("没有名为 {named} 的主机"))
        } else {
            (
                format!("{} machines are called {named}: name its number", all.len()),
                format!("有 {} 台主机名为 {named}：请写编号", all.len()),
            )
        };
        let (en, zh) =
            (format!("{en}: `skydeck store hosts` lists them"), format!("{zh}：`skydeck store hosts` 可列出"));
        return Err(out.usage(&en, &zh));
    };
    let booted = context.boot(Vec::new(), false).await?;
    let driver = context.driver(&booted, Approval::default());
    let done = driver.order(Command::Evict { host: host.no, reason }).await;
    booted.end(None).await?;
    done?;
    let gone = async {
        loop {
            let hosts = store.machines().await.map_err(store_stop)?;
            if !hosts.iter().any(|other| other.no == host.no && other.counts) {
                return Ok(());
            }
            tokio::time::sleep(LOOKS).await;
        }
    };
    let waited = tokio::time::timeout(SHOWN_OUT, gone).await;
    waited.unwrap_or_else(|_| {
        let name = &host.name;
        Err(Stop::both(
            Exit::Refused,
            format!("{name} still counts: see `skydeck store hosts`, and try again"),
            format!("{name} 仍在线：请查看 `skydeck store hosts` 后再试"),
        ))
    })?;
    if out.json {
        out.object(
            &serde_json::json!({ "type": "store_evicted", "no": host.no, "name": host.name, "runs": host.runs }),
        )?;
    } else {
        let (name, runs) = (&host.name, host.runs);
        out.line(out.t(
            &format!("{name} does not count any more; its runs ({runs}) are taken over"),
            &format!("{name} 已移出，它的运行（{runs}）由其他主机接手"),
        ))?;
    }
    Ok(Exit::Ok)
}

/// The people behind the users of the machines.
async fn people(context: &Context) -> Result<Exit, Stop> {
    let (out, settings) = (context.out(), settings(context)?);
    let store = blocking(move || PgStore::look(settings).map_err(store_stop)).await?;
    let people = store.people().await.map_err(store_stop)?;
    if out.json {
        for (name, host, uid) in &people {
            out.object(&serde_json::json!({ "type": "store_person", "name": name, "host": host, "uid": uid }))?;
        }
        return Ok(Exit::Ok);
    }
    if people.is_empty() {
        out.line(out.t(
            "nobody is named: `skydeck store person NAME --login HOST:UID` says that users are one person",
            "尚未登记：`skydeck store person 姓名 --login 主机:用户号` 可登记各主机上的用户是谁",
        ))?;
        return Ok(Exit::Ok);
    }
    let head = [out.t("person", "人员"), out.t("host", "主机"), out.t("user", "用户号")];
    out.table(&head, people.into_iter().map(|(name, host, uid)| vec![name, host, uid.to_string()]).collect())?;
    Ok(Exit::Ok)
}

/// Says that users of machines are one person.
async fn person(context: &Context, name: &str, logins: &[String], admin: &Admin) -> Result<Exit, Stop> {
    let out = context.out();
    let Some(name) = readable(name) else {
        return Err(out.usage("write the person's name", "请写人员姓名"));
    };
    if logins.is_empty() {
        return Err(out.usage(
            "which users is that? `--login HOST:UID`, once for each machine",
            "是哪些用户？请写 `--login 主机:用户号`，每台主机一个",
        ));
    }
    let login = |text: &String| {
        let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        let login = parts.and_then(|(host, uid)| Some((host.to_owned(), uid.parse::<u32>().ok()?)));
        login.ok_or_else(|| {
            let text = show(text, 200);
            out.usage(
                &format!("--login {text}: write HOST:UID, the machine's name in the store and the user's number there, for example bastion1:1004"),
                &format!("--login {text}：请写 `HOST:UID`，即主机在存储中的名称和该处的用户号，例如 bastion1:1004"),
            )
        })
    };
    let logins = logins.iter().map(login).collect::<Result<Vec<_>, _>>()?;
    admin::add_person(&administrator(context, admin)?, name, &logins).await.map_err(stop)?;
    people(context).await
}

fn copied(out: &Out, done: Copied, to: &str) -> Result<Exit, Stop> {
    if out.json {
        out.object(&serde_json::json!({
            "type": "store_copy", "facts": done.facts, "runs": done.runs, "unresolved": done.unresolved, "rows": done.rows,
        }))?;
    } else {
        let Copied { facts, runs, unresolved, rows } = done;
        let en = format!(
            "{facts} facts of {runs} runs → {to}; compared: sums, ledger ({unresolved}), watermarks, {rows} bills"
        );
        let zh =
            format!("{runs} 次运行的 {facts} 条记录 → {to}；已比对：合计、遗留（{unresolved}）、水位、{rows} 张单据");
        out.line(out.t(&en, &zh))?;
    }
    Ok(Exit::Ok)
}

/// Opens the database to write; another machine must not.
async fn ours(context: &Context) -> Result<PgStore, Stop> {
    let (settings, clock) = (settings(context)?, Arc::clone(&context.clock));
    blocking(move || match PgStore::take_turn(settings, clock).map_err(store_stop)? {
        Turn::Ours(store) => Ok(store),
        Turn::Theirs(fault) => Err(Stop::both(Exit::Refused, fault.en(), fault.zh())),
    })
    .await
}

async fn import(context: &Context, dir: PathBuf) -> Result<Exit, Stop> {
    let out = context.out();
    if !dir.exists() {
        return Err(out.nothing_in(&dir));
    }
    let (clock, place, by) = (Arc::clone(&context.clock), dir.clone(), boot::who().to_string());
    let from = blocking(move || {
        let report = doctor::check(&place, &*clock, &|_| {}).map_err(store_stop)?;
        if !report.is_sound() {
            let at = quoted(&place);
            return Err(Stop::both(
                Exit::Unsound,
                format!(
                    "{} does not verify: `skydeck --data {at} doctor` says more; nothing was copied",
                    place.display()
                ),
                format!("{} 未通过核对：详情见 `skydeck --data {at} doctor`；未复制任何内容", place.display()),
            ));
        }
        LocalStore::open_with(&place, clock, &by, &|_| {}, Options::raising(Raise::Never)).map_err(store_stop)
    })
    .await?;
    nothing_in_flight(&from, &out).await?;
    let to = ours(context).await?;
    let tick = |n: u64| out.note(&out.colon("facts copied", "已复制记录", &n.to_string()));
    let done = copy::import(from.reads(), &to, &tick).await.map_err(store_stop)?;
    let named = context.config.store.as_ref().map(|store| store.url.clone()).unwrap_or_default();
    from.mark_moved(&named).map_err(store_stop)?;
    blocking(move || {
        // Whatever was in the way of writing before is none here.
        let _ = from.close();
        to.close();
        Ok(())
    })
    .await?;
    copied(&out, done, &named)
}

/// Refuses a directory in which calls have no answer: what became of them is found out by its own engine first.
async fn nothing_in_flight(store: &LocalStore, out: &Out) -> Result<(), Stop> {
    for run in store.reads().open_runs().await.map_err(store_stop)? {
        let bills = store.reads().in_flight(run.head.id).await.map_err(store_stop)?;
        if !bills.is_empty() {
            let n = bills.len();
            return Err(out.usage(
                &format!(
                    "{n} calls of run {} have no answer: start the engine here once, it reads the bills back",
                    run.head.id
                ),
                &format!("运行 {} 有 {n} 次调用无响应：请先在此启动一次引擎，它会回查这些单据", run.head.id),
            ));
        }
    }
    Ok(())
}

async fn export(context: &Context, dir: &Path) -> Result<Exit, Stop> {
    let out = context.out();
    if dir.exists() {
        return Err(out.usage(
            &format!("{} is there already: name a directory that is not", dir.display()),
            &format!("{} 已存在：请写尚不存在的目录", dir.display()),
        ));
    }
    let settings = settings(context)?;
    let from = blocking(move || PgStore::look(settings).map_err(store_stop)).await?;
    let tick = |n: u64| out.note(&out.colon("facts copied", "已复制记录", &n.to_string()));
    let by = boot::who().to_string();
    let done = copy::export(from.reads(), dir, &by, &tick).await.map_err(store_stop)?;
    // The action log is this machine's file; where it is kept elsewhere the copy says so when it is opened.
    let log = context.paths.data.join(FILE);
    if log.exists() {
        std::fs::copy(&log, dir.join(FILE))?;
    } else if !from.reads().log_witnesses(None).await.map_err(store_stop)?.is_empty() {
        let at = dir.display();
        let en = format!(
            "the action log is kept by the machine that writes: copy its {FILE} into {at}, or `log verify` there misses it"
        );
        let zh = format!("操作日志在写入的那台主机上：请把它的 {FILE} 复制到 {at}，否则在那里 `log verify` 会缺少它");
        out.note(out.t(&en, &zh));
    }
    blocking(move || {
        drop(from);
        Ok(())
    })
    .await?;
    copied(&out, done, &dir.display().to_string())
}
