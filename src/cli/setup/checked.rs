//! `config check`: whether everything that the configuration names is there and can be used. Nothing is called.

use std::path::PathBuf;

use serde_json::json;

use crate::boot;
use crate::cli::context::Context;
use crate::cli::plans;
use crate::config::{EnvironmentConfig, SecretSource};
use crate::erp::config::Address;
use crate::exit::{Exit, Stop};
use crate::secret::{self, Of};

/// A finding: what it is about, and what is wrong with it, if anything is.
struct Finding {
    about: String,
    said: String,
    is_well: bool,
}

/// Says what stands, and what does not. That the file itself can be read was seen before.
///
/// # Errors
/// Output is lost, or nothing is configured.
pub(in crate::cli) fn check(context: &Context) -> Result<Exit, Stop> {
    let (out, config) = (context.out(), &context.config);
    if config.environments.is_empty() {
        return Err(out.no_environment(&context.paths.config));
    }
    let well = |about: String, said: String| Finding { about, said, is_well: true };
    let mut found = vec![well(context.paths.config.display().to_string(), out.t("read", "已读取").to_owned())];
    for env in &config.environments {
        found.extend(of_environment(context, env));
    }
    for why in context.twins() {
        found.push(Finding {
            about: out.t("environments", "环境").to_owned(),
            said: out.reason_of(&why),
            is_well: false,
        });
    }
    if let Err(said) = config.access.rules() {
        let said = said.in_language(out.is_zh()).to_string();
        found.push(Finding { about: "[access]".to_owned(), said, is_well: false });
    }
    found.push(of_plans(context));
    let loose =
        boot::writable_by_others([context.paths.config.clone(), context.paths.config_dir(), context.plan_dir()]);
    for path in loose {
        let said = out.t("others can change it: chmod go-w", "其他用户可以修改：请执行 chmod go-w").to_owned();
        found.push(Finding { about: path.display().to_string(), said, is_well: false });
    }
    for Finding { about, said, is_well } in &found {
        if out.json {
            out.object(&json!({"type": "config", "about": about, "ok": is_well, "text": said}))?;
        } else {
            let mark = if *is_well { "" } else { "! " };
            out.line(&format!("{mark}{}", out.colon(about, about, said)))?;
        }
    }
    Ok(if found.iter().all(|finding| finding.is_well) { Exit::Ok } else { Exit::Usage })
}

fn of_environment(context: &Context, env: &EnvironmentConfig) -> Vec<Finding> {
    let out = context.out();
    let name = out.colon("environment", "环境", env.environment.id.as_str());
    let address = match Address::parse(&env.url, env.connection.allow_plain_http) {
        Ok(_) => (crate::text::show(&env.url, 400).into_string(), true),
        Err(e) => (out.t(&e.to_string(), &e.zh()).to_owned(), false),
    };
    let base = context.paths.config_dir();
    let of = Of::Environment(env.environment.id.to_string(), None);
    let secret = match &env.secret {
        None => (out.t("no secret is needed", "不需要密钥").to_owned(), true),
        Some(SecretSource::Prompt) => {
            (out.t("the secret is asked for at the terminal", "密钥在终端输入").to_owned(), true)
        }
        Some(source) => match secret::fetch(&of, source, &base) {
            Ok(_) => (out.t("the secret can be read", "密钥可读取").to_owned(), true),
            Err(e) => (out.t(&e.en(), &e.zh()).to_owned(), false),
        },
    };
    let connection = &env.connection;
    let certificate = connection.client_certificate.as_ref().map(|(file, _)| file);
    let files = [connection.ca_file.as_ref(), connection.pinned_certificate.as_ref(), certificate];
    let lost = |file: &PathBuf| !base.join(file).is_file();
    let files = files
        .into_iter()
        .flatten()
        .filter(|file| lost(file))
        .map(|file| (out.colon("no such file", "没有这个文件", &base.join(file).display().to_string()), false));
    let all = [address, secret].into_iter().chain(files);
    all.map(|(said, is_well)| Finding { about: name.clone(), said, is_well }).collect()
}

fn of_plans(context: &Context) -> Finding {
    let (out, dir) = (context.out(), context.plan_dir());
    let names = plans::names(&dir);
    let bad: Vec<&String> =
        names.iter().filter(|name| boot::read_plan(&dir.join(format!("{name}.json"))).is_err()).collect();
    let about = out.colon("plans", "方案", &dir.display().to_string());
    if let Some(first) = bad.first() {
        let (n, all) = (bad.len(), names.len());
        let en = format!("{n} of {all} cannot run, {first} first: `skydeck plan check` says why");
        let zh = format!("{all} 个中有 {n} 个不能运行，如 {first}：用 `skydeck plan check` 查看原因");
        return Finding { about, said: out.t(&en, &zh).to_owned(), is_well: false };
    }
    let said = match names.len() {
        0 => out
            .t("none yet: `skydeck plan new --form FORM --keep`", "还没有：`skydeck plan new --form FORM --keep`")
            .to_owned(),
        n => out.t(&format!("{n} can run"), &format!("{n} 个可以运行")).to_owned(),
    };
    Finding { about, said, is_well: true }
}
