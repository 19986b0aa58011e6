//! A data directory of an earlier version: the verb that raises it, what a console asks before it does, and how a verb
//! that only reads looks at it.
//!
//! Invariant: a person at a terminal is asked before anything is changed, and nothing is changed when the answer is no; a
//! verb that only reads raises nothing.

use std::cell::RefCell;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::{UpgradeArgs, Verb};
use super::console::Console;
use super::context::Context;
use super::out::Out;
use super::{output, serve};
use crate::boot::owner::holder;
use crate::boot::{self, store_stop, told};
use crate::domain::language::Language;
use crate::engine::api::{Gone, LinkError, OtherVersion};
use crate::exit::{Exit, Stop};
use crate::link::remote::RemoteLink;
use crate::store::backup::SnapshotDir;
use crate::store::local::place::{Place, VERSION, bytes_for_people};
use crate::store::local::{LocalStore, Options, Outlook, Progress, Raise};
use crate::store::{account, actions};
use crate::text::show;

/// How long the process that holds the directory may take to say which version it is of, before the first picture.
const GREETING: Duration = Duration::from_millis(500);

/// `upgrade`: raises the directory and builds its index, and says where the backup is.
pub(super) async fn run(context: &Context, args: UpgradeArgs) -> Result<Exit, Stop> {
    let (out, data) = (context.out(), &context.paths.data);
    if !data.exists() {
        return Err(out.nothing_in(data));
    }
    let place = Place::new(data);
    let from = place.known_version().map_err(store_stop)?;
    let raise = if args.no_backup { Raise::Plain } else { Raise::Backup(args.backup) };
    let backup = RefCell::new(None);
    let progress = |progress: Progress| {
        told(&progress, out.lang, &|text: &str| out.note(text));
        if let Progress::Raised { backup: Some(at), .. } = progress {
            backup.replace(Some(at));
        }
    };
    let (clock, who) = (Arc::clone(&context.clock), boot::who().to_string());
    let opened = LocalStore::open_with(data, clock, &who, &progress, Options::raising(raise));
    let store = opened.map_err(store_stop)?;
    let compared = account::of_store(&data.join(actions::FILE), &store, None).await.map(|(_, _, found)| found.faults);
    store.close().map_err(store_stop)?;
    said(&out, data, from, backup.into_inner().as_deref())?;
    // It is raised as it was: what does not verify still does not.
    match compared.map_err(store_stop)?.first() {
        None => Ok(Exit::Ok),
        Some(fault) => {
            let command = place.command("log verify");
            let command = format!("`{command}`");
            let next = out.colon("no run starts before that is settled", "处理之前不会启动任何运行", &command);
            let text = format!("{}{}{next}", out.t(&fault.en(), &fault.zh()), out.t("; ", "；"));
            Err(Stop::new(Exit::Unsound, show(&text, 1024).into_string()))
        }
    }
}

fn said(out: &Out, data: &Path, from: u32, backup: Option<&Path>) -> Result<(), Stop> {
    if out.json {
        out.object(&serde_json::json!({
            "type": "upgrade", "dir": data, "from": from, "to": VERSION, "backup": backup,
        }))?;
    } else if from == VERSION {
        out.line(&format!("{}{}{} {VERSION}", data.display(), out.t(": ", "："), out.t("is of version", "已是版本")))?;
    } else {
        let kept = match backup {
            Some(at) => out.colon("backup", "备份", &at.display().to_string()),
            None => out.t("no backup", "无备份").to_owned(),
        };
        let (colon, comma) = (out.t(": ", "："), out.t(", ", "，"));
        out.line(&format!("{}{colon}{} {from} → {VERSION}{comma}{kept}", data.display(), out.t("version", "版本")))?;
    }
    Ok(())
}

/// What a verb that only reads looks at: a picture of a directory of an earlier version that nobody serves. `None` where
/// it opens the directory itself, or asks whoever serves it.
pub(super) fn look(context: &Context, verb: Option<&Verb>) -> Result<Option<SnapshotDir>, Stop> {
    let reads = matches!(
        verb,
        Some(
            Verb::Ledger(_)
                | Verb::History(_)
                | Verb::Bill(_)
                | Verb::Export(_)
                | Verb::Log(_)
                | Verb::Forecast(_)
                | Verb::Health
        )
    );
    let elsewhere = context.global.attach.is_some() || context.snapshot.is_some();
    let data = &context.paths.data;
    // What is wrong with a directory is said by its opening.
    let earlier = Place::new(data).version().ok().flatten().filter(|version| *version < VERSION);
    let Some(version) = earlier.filter(|_| reads && !elsewhere) else { return Ok(None) };
    if holder(data).ok().flatten().is_some() {
        return Ok(None);
    }
    let (out, command) = (context.out(), Place::new(data).command("upgrade"));
    out.note(&match out.lang {
        Language::En => format!(
            "the data directory is of version {version} and only looked at: it is not raised, and its index is built for \
             this look alone. `{command}` raises it once and for all"
        ),
        Language::Zh => format!(
            "数据目录属于版本 {version}，此处只查看：不会升级，索引仅为本次查看而建。执行 `{command}` 可一次性升级"
        ),
    });
    SnapshotDir::beside(data, context.clock.now()).map(Some).map_err(store_stop)
}

/// Settles, before the screen is taken and before an owner is started, what becomes of a directory of an earlier version.
pub(super) async fn before_console(context: &Context) -> Result<Raise, Stop> {
    let ask_nothing = Raise::Backup(None);
    let outlook = || Outlook::of(&context.paths.data, context.clock.now()).ok().flatten();
    let Some(found) = outlook() else { return Ok(ask_nothing) };
    let out = Out { lang: Console::language(&context.global, &context.config), ..context.out() };
    if let Ok(Some(_)) = holder(&found.dir) {
        let Some(older) = owner_of_before(&found.dir).await else { return Ok(ask_nothing) };
        end_owner(&out, &found.dir, &older).await?;
    }
    match outlook() {
        Some(outlook) => ask(&out, &outlook),
        None => Ok(ask_nothing),
    }
}

/// The process that holds the directory, where it speaks an older version of the socket's protocol.
async fn owner_of_before(data: &Path) -> Option<OtherVersion> {
    let link = RemoteLink::new(&data.join(boot::SOCKET), boot::who(), None);
    match tokio::time::timeout(GREETING, link.is_owned()).await {
        Ok(Err(LinkError::Gone(Gone::Version(version)))) => Some(version).filter(OtherVersion::is_older),
        _ => None,
    }
}

/// Ends an older owner when the person says so.
async fn end_owner(out: &Out, data: &Path, older: &OtherVersion) -> Result<(), Stop> {
    out.note(&match out.lang {
        Language::En => older.to_string(),
        Language::Zh => older.zh(),
    });
    let choices =
        out.t("[e] end it in order and continue   [q] quit (default) >", "[e] 让它按序结束并继续   [q] 退出（默认） >");
    match answer(choices)? {
        Some('e') => serve::end(data, out).await.map(drop),
        _ => Err(unchanged(out)),
    }
}

fn unchanged(out: &Out) -> Stop {
    Stop::new(Exit::Refused, out.t("nothing was changed", "未作任何更改"))
}

/// Says what raising the directory does, and asks whether to do it.
fn ask(out: &Out, outlook: &Outlook) -> Result<Raise, Stop> {
    let (bytes, free) = (bytes_for_people(outlook.bytes), bytes_for_people(outlook.free));
    let dir = outlook.dir.display().to_string();
    let backup = format!("{bytes} → {}", outlook.backup.display());
    let said = format!(
        "{}\n{}\n  {}\n  {}",
        out.colon("The data directory was written by Skydeck 0.1.0", "数据目录由 Skydeck 0.1.0 写成", &dir),
        out.t(
            "It has to be upgraded before this program can use it. The history stays as it is, the index is built anew.\n\
             Afterwards Skydeck 0.1.0 refuses the directory and asks for the newer program.",
            "本程序使用前需要升级：历史记录保持不变，索引将重建。\n升级之后，Skydeck 0.1.0 将拒绝打开该目录，并提示使用较新的程序。",
        ),
        out.colon("backup", "备份", &backup),
        out.colon("free", "可用", &free),
    );
    said.lines().for_each(|line| out.note(line));
    let with = out.t(
        "[b] make the backup, then upgrade (default)   [w] upgrade without a backup   [q] quit, change nothing >",
        "[b] 先备份再升级（默认）   [w] 不备份，直接升级   [q] 退出，不作任何更改 >",
    );
    let without = out.t(
        "There is not enough room for the backup.\n[w] upgrade without a backup   [q] quit, change nothing (default) >",
        "空间不足，无法备份。\n[w] 不备份，直接升级   [q] 退出，不作任何更改（默认） >",
    );
    loop {
        match (answer(if outlook.has_room() { with } else { without })?, outlook.has_room()) {
            (Some('b' | '\n'), true) => return Ok(Raise::Backup(None)),
            (Some('w'), _) => return Ok(Raise::Plain),
            (Some('q') | None, _) | (Some('\n'), false) => return Err(unchanged(out)),
            _ => {}
        }
    }
}

/// The first character of what is typed, a line's end for an empty line, nothing where the terminal is gone.
fn answer(question: &str) -> Result<Option<char>, Stop> {
    output::question(question)?;
    let mut line = String::new();
    // A terminal that is gone answers as an empty one does.
    if std::io::stdin().lock().read_line(&mut line).unwrap_or(0) == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim().chars().next().map_or('\n', |c| c.to_ascii_lowercase())))
}
