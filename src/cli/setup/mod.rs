//! The way from nothing to a first plan: what `skydeck` offers where nothing is configured, and the same as `env add`.
//!
//! Invariants: nothing is written before the server took the sign-in (or the person was told that it did not and that it is
//! written all the same); what a server refused is not tried again unchanged; without a terminal nothing is asked.

mod ask;
mod checked;
mod draft;
mod files;
mod first_plan;
mod form;
mod new_plan;
mod parts;

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;

use self::ask::{Asker, is_attended};
use self::draft::{Draft, Kept};
use self::first_plan::Bench;
use super::args::EnvAdd;
use super::context::Context;
use super::environments::{greeted, not_signed_in};
use super::out::Out;
use super::rights;
use crate::boot::{self, store_stop};
use crate::config::EnvironmentConfig;
use crate::domain::ids::FormId;
use crate::domain::reason::fault_zh;
use crate::engine::ports::{Erp, Fault, FaultKind, Greeting, PageQuery};
use crate::exit::{Exit, Stop};
use crate::secret::{self, Of};
use crate::store::local::place::Place;
use crate::text::show;

pub(super) use self::checked::check;
pub(super) use self::new_plan::from_erp;

/// What follows the first question.
pub(super) enum Next {
    /// The demo.
    Demo,
    /// The console, on the configuration that is there now.
    Console(Box<Context>),
}

/// What `skydeck` does where nothing is configured.
///
/// # Errors
/// Nobody can be asked, or the person left.
pub(super) async fn offer(context: &Context) -> Result<Next, Stop> {
    let out = context.out();
    if !is_attended() {
        return Err(out.no_environment(&context.paths.config));
    }
    let mut asker = Asker::new(&out)?;
    asker.left = ("nothing was changed", "未作任何更改");
    let file = context.paths.config.display().to_string();
    out.note(&format!("Skydeck {}", env!("CARGO_PKG_VERSION")));
    out.note(&out.colon("No environment is configured yet", "尚未配置环境", &file));
    let question = out.t(
        "[d] demo: the built-in simulator, no ERP is called (default)\n\
         [s] set up: address, data centre, user and secret of your ERP; tried before anything is written\n\
         [q] quit >",
        "[d] 演示：使用内置模拟器，不连接任何 ERP（默认）\n\
         [s] 设置：填写 ERP 的地址、数据中心、用户和密钥；验证通过后才写入\n\
         [q] 退出 >",
    );
    match asker.choice(question, &['d', 's', 'q']).await? {
        'd' => return Ok(Next::Demo),
        's' => {}
        _ => return Err(asker.leaves()),
    }
    let (context, _) = described(context, &mut asker, Draft::default()).await?;
    let question = out.t("[c] open the console (default)   [q] quit >", "[c] 打开控制台（默认）   [q] 退出 >");
    match asker.choice(question, &['c', 'q']).await? {
        'c' => Ok(Next::Console(Box::new(context))),
        _ => Err(Stop::both(Exit::Ok, "run `skydeck` to begin", "执行 `skydeck` 即可开始")),
    }
}

/// `env add`.
///
/// # Errors
/// Something is missing or wrong; nothing is written then.
pub(super) async fn add(context: &Context, args: EnvAdd) -> Result<Exit, Stop> {
    let out = context.out();
    let tries = !args.no_check;
    let draft = parts::of_args(&out, args)?;
    let missing = draft.missing();
    if !missing.is_empty() && tries && !out.json && is_attended() {
        let mut asker = Asker::new(&out)?;
        let (_, exit) = described(context, &mut asker, draft).await?;
        return Ok(exit);
    }
    if !missing.is_empty() {
        return Err(parts::needed(&out, &missing));
    }
    let file = &context.paths.config;
    let before = files::configuration(file)?;
    let text = draft.added_to(file, &before)?;
    let config = draft.environment(file)?;
    context.warn_of_clear_text(&config);
    if tries {
        let erp = client(context, &draft, &config)?;
        let greeting = erp.sign_in().await.map_err(|fault| not_signed_in(&out, &config.environment, &fault))?;
        if !out.json {
            greeted(&out, &config.environment, &greeting, &*context.clock)?;
        }
        first_query(&out, &*erp).await?;
    }
    write(context, &draft, &before, &text)?;
    if !out.json {
        let name = config.environment.id.as_str();
        out.note(&out.colon("next", "下一步", &format!("skydeck plan new --form FORM --env {name} --keep")));
    }
    Ok(Exit::Ok)
}

/// Asks for an environment, tries it, writes it, and makes a first plan. Gives what is configured then.
async fn described(context: &Context, asker: &mut Asker<'_>, mut draft: Draft) -> Result<(Context, Exit), Stop> {
    let file = &context.paths.config;
    let before = files::configuration(file)?;
    let (config, erp, greeting) = signed_in(context, asker, &mut draft, &before).await?;
    let out = asker.out;
    greeted(out, &config.environment, &greeting, &*context.clock)?;
    for note in &greeting.notes {
        out.note(&format!("! {}", show(note, 1000).as_str()));
    }
    asker.wait(first_query(out, &*erp)).await??;
    draft.production = asker
        .agrees(out.t(
            "Is this production? It is read-only then until somebody unlocks it",
            "这是生产环境吗？若是则默认只读，解锁后才能写入",
        ))
        .await?;
    let text = draft.added_to(file, &before)?;
    let mut files = vec![file.display().to_string()];
    if matches!(draft.secret, Some(Kept::Typed(_))) {
        files.push(context.paths.config_dir().join(draft.secret_file()).display().to_string());
    }
    out.note(&out.colon(
        "to be written, for this user alone",
        "将写入（仅本用户可读）",
        &files.join(out.t(", ", "、")),
    ));
    let question = out.t("[w] write (default)   [q] quit, write nothing >", "[w] 写入（默认）   [q] 退出，不写入 >");
    if asker.choice(question, &['w', 'q']).await? == 'q' {
        return Err(asker.leaves());
    }
    write(context, &draft, &before, &text)?;
    asker.left = (
        "the environment is set up; `skydeck plan new --form FORM --keep` makes a plan",
        "环境已设置；可用 `skydeck plan new --form FORM --keep` 新建方案",
    );
    let context = context.read_again()?;
    for why in context.twins() {
        out.note(&out.reason_of(&why));
    }
    // As it is read from the file: production and its limits are in it.
    let found = context.config.environments.iter().find(|env| env.environment.id == config.environment.id);
    let config = found.cloned().unwrap_or(config);
    let bench = Bench { context: &context, environment: &config.environment, erp: &*erp };
    let made = first_plan::make(asker, &bench).await?;
    if made.is_empty() {
        asker.say(asker.left.0, asker.left.1);
    }
    Ok((context, Exit::Ok))
}

/// Asks for what is missing until the server takes the sign-in.
async fn signed_in(
    context: &Context,
    asker: &mut Asker<'_>,
    draft: &mut Draft,
    before: &str,
) -> Result<(EnvironmentConfig, Arc<dyn Erp>, Greeting), Stop> {
    let file = &context.paths.config;
    asker.say(
        "Enter takes what stands in [ ]; Ctrl-C leaves and writes nothing.",
        "直接回车采用 [ ] 中的值；按 Ctrl-C 退出，不写入任何内容。",
    );
    let taken = parts::taken(file, before)?;
    loop {
        while let Some(part) = draft.missing().first() {
            parts::ask(asker, draft, *part, &taken).await?;
        }
        let config = draft.environment(file)?;
        let seconds = config.environment.limits.call_timeout.as_secs();
        let address = show(&config.url, 200).into_string();
        asker.say(
            &format!("Signing in to {address} (up to {seconds} s; Ctrl-C ends it) …"),
            &format!("正在登录 {address}（最多 {seconds} 秒；Ctrl-C 结束）…"),
        );
        let tried = match client(context, draft, &config) {
            Ok(erp) => asker.wait(erp.sign_in()).await?.map(|greeting| (erp, greeting)),
            // Nothing was sent: a setting of the client, or a secret that cannot be had.
            Err(stop) => {
                let message = stop.spoken(asker.out.lang).message;
                Err(Fault { kind: FaultKind::Config, message, retry_after: None, evidence: None })
            }
        };
        let fault = match tried {
            Ok((erp, greeting)) => return Ok((config, erp, greeting)),
            Err(fault) => fault,
        };
        asker.out.note(&in_words(asker.out, &fault));
        changed(asker, draft, &fault, &taken).await?;
    }
}

/// A fault for the person.
fn in_words(out: &Out, fault: &Fault) -> String {
    let said = show(&fault.message, 2000);
    if out.is_zh() && fault.kind != FaultKind::Config { fault_zh(said.as_str()) } else { said.into_string() }
}

/// Lets the person change something. What a server refused is not tried again as it was: a few failures lock a user.
async fn changed(asker: &mut Asker<'_>, draft: &mut Draft, fault: &Fault, taken: &[String]) -> Result<(), Stop> {
    let refused = matches!(fault.kind, FaultKind::Credentials | FaultKind::AccountSet | FaultKind::Config);
    let before = draft.identity();
    loop {
        match parts::choose(asker, draft, &fault.kind, !refused).await? {
            Some(part) => parts::ask(asker, draft, part, taken).await?,
            None => return Ok(()),
        }
        if !refused || draft.identity() != before {
            return Ok(());
        }
        asker.say(
            "nothing was changed, so it is not tried again: repeated failures lock the user",
            "没有改动，因此不再尝试：多次失败会锁定用户",
        );
    }
}

/// A client for what is described.
fn client(context: &Context, draft: &Draft, config: &EnvironmentConfig) -> Result<Arc<dyn Erp>, Stop> {
    let base = context.paths.config_dir();
    let secret: SecretString = match &draft.secret {
        Some(Kept::Typed(secret)) => secret.clone(),
        Some(Kept::There(source)) => {
            let of = Of::Environment(config.environment.id.to_string(), None);
            secret::fetch(&of, source, &base).map_err(|e| Stop::both(Exit::Usage, e.en(), e.zh()))?
        }
        None => return Err(Stop::odd_answer()),
    };
    let (causes, clock, known) = (&context.causes, &context.clock, &context.known);
    boot::client_with(config, secret, &base, causes, clock, known, &Arc::default())
}

/// One row of the currencies, which every data centre has: whether queries are answered at all.
async fn first_query(out: &Out, erp: &dyn Erp) -> Result<(), Stop> {
    let text = |text: &str| text.to_owned();
    let query = PageQuery {
        form: FormId::new("BD_Currency"),
        columns: vec![text("FNumber")],
        id_path: text("FCURRENCYID"),
        number_path: text("FNumber"),
        mark_column: None,
        fields: Vec::new(),
        filter: String::new(),
        after: None,
        limit: 1,
        lines: false,
    };
    let (word, said) = match erp.fetch_page(&query).await {
        Ok(page) if page.raw_rows > 0 => ("rows", text(out.t("answered", "正常"))),
        Ok(_) => ("none", text(out.t("answered; this user is shown no currency", "正常；该用户看不到币别"))),
        Err(fault) => ("refused", format!("! {}", rights::failed(out, &fault))),
    };
    if out.json {
        out.object(&json!({"type": "first_query", "right": word, "text": said}))?;
    } else {
        out.line(&out.colon("first query", "首次查询", &said))?;
    }
    Ok(())
}

/// Writes secret and configuration, and says where.
fn write(context: &Context, draft: &Draft, before: &str, text: &str) -> Result<(), Stop> {
    let (out, file) = (context.out(), &context.paths.config);
    let secret = context.paths.config_dir().join(draft.secret_file());
    let typed = match &draft.secret {
        Some(Kept::Typed(typed)) => Some((secret.as_path(), typed)),
        Some(Kept::There(_)) | None => None,
    };
    let written = files::write(file, before, text, typed)?;
    // The directory that was named is there from now on, so that one which is mistyped later stands out.
    if context.global.data.is_some() {
        Place::new(&context.paths.data).prepare().map_err(store_stop)?;
    }
    if out.json {
        out.object(&json!({"type": "env_added", "env": draft.name, "written": written}))?;
    } else {
        for path in written {
            out.note(&out.colon("written", "已写入", &path.display().to_string()));
        }
    }
    Ok(())
}

/// The first line of standard input, as a secret.
fn piped(out: &Out) -> Result<SecretString, Stop> {
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Err(out.usage(
            "--secret-stdin reads a pipe or a file; at a terminal leave it out, and the secret is asked for",
            "--secret-stdin 用于管道或文件；在终端上请去掉它，程序会询问密钥",
        ));
    }
    let mut line = zeroize::Zeroizing::new(Vec::with_capacity(8192));
    let taken = std::io::Read::take(std::io::stdin().lock(), 8192);
    std::io::BufRead::read_until(&mut std::io::BufReader::new(taken), b'\n', &mut line)?;
    secret::typed(line.strip_suffix(b"\n").unwrap_or(&line)).map_err(|fault| {
        let (en, zh) = fault.of_typed();
        out.usage(&en, &zh)
    })
}
