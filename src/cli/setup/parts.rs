//! The parts of an environment, each asked for or taken from an option.

use std::path::Path;

use super::ask::Asker;
use super::draft::{Draft, Kept, Part, WAYS, addressed, named};
use super::piped;
use crate::cli::args::EnvAdd;
use crate::cli::out::Out;
use crate::config::{Config, SecretSource, SignInKind};
use crate::engine::ports::FaultKind;
use crate::erp::{DataCentre, data_centres};
use crate::exit::{Exit, Stop};
use crate::text::show;

/// What the options say.
///
/// # Errors
/// A name or an address that cannot be used, or a secret that cannot be read.
pub fn of_args(out: &Out, args: EnvAdd) -> Result<Draft, Stop> {
    if let Some(name) = &args.name {
        named(name).map_err(|(en, zh)| out.usage(&en, &zh))?;
    }
    if let Some(url) = &args.url {
        addressed(url, args.allow_plain_http).map_err(|unfit| {
            let plain = if unfit.is_plain { " (--allow-plain-http)" } else { "" };
            out.usage(&format!("--url: {}{plain}", unfit.en), &format!("--url：{}{plain}", unfit.zh))
        })?;
    }
    let secret = match (args.secret_file, args.secret_command, args.secret_stdin) {
        (Some(file), _, _) => {
            let at = std::path::absolute(&file);
            let at = at.map_err(|e| Stop::system(Exit::Usage, file.display(), file.display(), &e))?;
            Some(Kept::There(SecretSource::File(at)))
        }
        (None, Some(argv), _) => Some(Kept::There(SecretSource::Command(argv))),
        (None, None, true) => Some(Kept::Typed(piped(out)?)),
        (None, None, false) => None,
    };
    Ok(Draft {
        name: args.name,
        url: args.url,
        account_set: args.account_set,
        user: args.user,
        sign_in: args.sign_in.map(Into::into),
        app_id: args.app_id,
        secret,
        production: args.production,
        allow_plain_http: args.allow_plain_http,
    })
}

/// What has to be said where nobody is asked.
pub fn needed(out: &Out, missing: &[Part]) -> Stop {
    let option = |part: &Part| match part {
        Part::Name => "NAME",
        Part::Url => "--url",
        Part::AccountSet => "--account-set",
        Part::User => "--user",
        Part::SignIn => "--sign-in",
        Part::AppId => "--app-id",
        Part::Secret => "--secret-file | --secret-command | --secret-stdin",
    };
    let options = missing.iter().map(option).collect::<Vec<_>>().join(", ");
    out.usage(
        &format!("there is no terminal to ask at (or --json or --no-check was given): add {options}"),
        &format!("没有终端可以询问（或用了 --json、--no-check）：请加上 {options}"),
    )
}

/// Names that a configuration has already.
///
/// # Errors
/// It cannot be read.
pub fn taken(file: &Path, text: &str) -> Result<Vec<String>, Stop> {
    let config = Config::parse(file, text).map_err(|e| Stop::both(Exit::Usage, e.to_string(), e.in_chinese()))?;
    Ok(config.environments.iter().map(|env| env.environment.id.to_string()).collect())
}

/// Asks for one part. What stands there already is taken with Enter.
///
/// # Errors
/// The person left.
pub async fn ask(asker: &mut Asker<'_>, draft: &mut Draft, part: Part, taken: &[String]) -> Result<(), Stop> {
    let out = asker.out;
    match part {
        Part::Name => draft.name = Some(name(asker, taken).await?),
        Part::Url => address(asker, draft).await?,
        Part::AccountSet => draft.account_set = Some(account_set(asker, draft).await?),
        Part::User => {
            let label =
                out.t("user: an integration user of the ERP, no administrator", "用户：ERP 的集成用户，不用管理员");
            draft.user = Some(asker.text(label, draft.user.as_deref()).await?);
        }
        Part::SignIn => {
            let question = out.t(
                "sign-in\n[1] signed calls, with application id and secret, as the official SDK does (default)\n\
                 [2] session, with application id and secret\n[3] session by signature: the secret does not cross the wire\n\
                 [4] session, with the user's password >",
                "登录方式\n[1] 签名调用：应用 ID 和密钥，与官方 SDK 相同（默认）\n[2] 会话：应用 ID 和密钥\n\
                 [3] 会话（签名登录）：密钥不经网络传输\n[4] 会话：用户密码 >",
            );
            let at = asker.choice(question, &['1', '2', '3', '4']).await?;
            let way = at.to_digit(10).and_then(|n| WAYS.get(n as usize - 1)).map(|(way, _)| *way);
            // A secret is of its way: an application's is no password.
            if draft.sign_in.is_some_and(|old| (old == SignInKind::Password) != (way == Some(SignInKind::Password))) {
                draft.secret = None;
            }
            draft.sign_in = way;
        }
        Part::AppId => {
            let label = out.t("application id", "应用 ID");
            draft.app_id = Some(asker.text(label, draft.app_id.as_deref()).await?);
        }
        Part::Secret => {
            let label = match draft.sign_in {
                Some(SignInKind::Password) => out.t("the user's password", "用户密码"),
                _ => out.t("application secret", "应用密钥"),
            };
            draft.secret = Some(Kept::Typed(asker.secret(label).await?));
        }
    }
    Ok(())
}

/// The data centre: of those that the server tells, by its place among them, or by its id.
async fn account_set(asker: &mut Asker<'_>, draft: &Draft) -> Result<String, Stop> {
    let out = asker.out;
    let url = draft.url.as_deref().unwrap_or_default();
    let there = asker.wait(data_centres(url, draft.allow_plain_http)).await?;
    if there.is_empty() {
        let label =
            out.t("data centre (account set): its id, e.g. 60aa0000000000", "数据中心（账套）标识，如 60aa0000000000");
        return asker.text(label, draft.account_set.as_deref()).await;
    }
    asker.say("The server has these data centres:", "服务器上的数据中心：");
    for (n, centre) in there.iter().enumerate() {
        let DataCentre { id, number, name } = centre;
        let words = [name, number, id].map(|word| show(word, 80).into_string());
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        out.note(&format!("[{}] {}", n + 1, words.join("  ")));
    }
    let label =
        out.t("data centre (account set): its number in the list, or its id", "数据中心（账套）标识，或上面的序号");
    // With several nobody takes the first one by pressing Enter once too often.
    let only = match there.as_slice() {
        [only] => Some(only.id.as_str()),
        _ => None,
    };
    let typed = asker.text(label, draft.account_set.as_deref().or(only)).await?;
    let is_id = there.iter().any(|centre| centre.id == typed);
    let chosen = typed.parse::<usize>().ok().and_then(|n| there.get(n.checked_sub(1)?)).filter(|_| !is_id);
    Ok(chosen.map_or(typed, |centre| centre.id.clone()))
}

async fn name(asker: &mut Asker<'_>, taken: &[String]) -> Result<String, Stop> {
    let free = ["test", "prod"].into_iter().find(|name| !taken.iter().any(|there| there == name));
    loop {
        let label = asker.out.t("name of the environment", "环境名称");
        let typed = asker.text(label, free).await?;
        if taken.contains(&typed) {
            asker.say(
                &format!("there is an environment {typed} already: choose another name"),
                &format!("已有环境 {typed}：请换一个名称"),
            );
            continue;
        }
        match named(&typed) {
            Ok(()) => return Ok(typed),
            Err((en, zh)) => asker.say(&en, &zh),
        }
    }
}

async fn address(asker: &mut Asker<'_>, draft: &mut Draft) -> Result<(), Stop> {
    loop {
        let label =
            asker.out.t("address, e.g. https://erp.example.com/k3cloud/", "地址，如 https://erp.example.com/k3cloud/");
        let typed = asker.text(label, draft.url.as_deref()).await?;
        match addressed(&typed, draft.allow_plain_http) {
            Ok(()) => {
                draft.url = Some(typed);
                return Ok(());
            }
            Err(unfit) if unfit.is_plain => {
                let question = asker.out.t(
                    "http:// is not encrypted: credentials and bills cross the network in clear. Use it all the same?",
                    "http:// 未加密：凭据和单据会在网络上明文传输。仍要使用？",
                );
                if asker.agrees(question).await? {
                    (draft.url, draft.allow_plain_http) = (Some(typed), true);
                    return Ok(());
                }
            }
            Err(unfit) => asker.say(&unfit.en, &unfit.zh),
        }
    }
}

/// Which part is to be changed; nothing where the same is to be tried again.
///
/// # Errors
/// The person left.
pub async fn choose(asker: &mut Asker<'_>, draft: &Draft, kind: &FaultKind, again: bool) -> Result<Option<Part>, Stop> {
    let out = asker.out;
    let app = draft.sign_in != Some(SignInKind::Password);
    let mut parts = vec![
        ('a', Part::Url, out.t("address", "地址")),
        ('d', Part::AccountSet, out.t("data centre", "数据中心")),
        ('u', Part::User, out.t("user", "用户")),
        ('w', Part::SignIn, out.t("way of signing in", "登录方式")),
        ('s', Part::Secret, out.t("secret", "密钥")),
    ];
    if app {
        parts.insert(4, ('i', Part::AppId, out.t("application id", "应用 ID")));
    }
    let likely = match kind {
        FaultKind::AccountSet => Part::AccountSet,
        FaultKind::Credentials => Part::Secret,
        FaultKind::SessionLost | FaultKind::Refused { .. } => Part::User,
        FaultKind::NotConnected
        | FaultKind::NoAnswer
        | FaultKind::Http(_)
        | FaultKind::Unreadable
        | FaultKind::TooLarge
        | FaultKind::Redirected
        | FaultKind::Config => Part::Url,
    };
    let first = parts.iter().position(|(_, part, _)| *part == likely).unwrap_or_default();
    let shown: Vec<String> = parts
        .iter()
        .enumerate()
        .map(|(at, (letter, _, word))| {
            let default = if at == first { out.t(" (default)", "（默认）") } else { "" };
            format!("[{letter}] {word}{default}")
        })
        .collect();
    let mut letters: Vec<char> = parts.iter().map(|(letter, ..)| *letter).collect();
    letters.swap(0, first);
    letters.push('q');
    let mut more = String::new();
    if again {
        letters.push('t');
        more = format!("   {}", out.t("[t] try again", "[t] 再试一次"));
    }
    let head = out.t("Change", "更改");
    // Two lines: one alone would be wider than a terminal.
    let (upper, lower) = shown.split_at(shown.len() / 2);
    let (upper, lower, quit) = (upper.join("   "), lower.join("   "), out.t("[q] quit", "[q] 退出"));
    let question = format!("{head}   {upper}\n{lower}{more}   {quit} >");
    match asker.choice(&question, &letters).await? {
        'q' => Err(asker.leaves()),
        't' => Ok(None),
        letter => Ok(parts.iter().find(|(known, ..)| *known == letter).map(|(_, part, _)| *part)),
    }
}
