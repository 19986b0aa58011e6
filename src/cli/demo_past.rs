//! `demo --history`: a made-up past for a demo, before its engine opens the directory.
//!
//! Invariant: a past that was cut off half-way is begun anew; one that is there is left as it is.

use std::path::Path;
use std::sync::Arc;

use super::args::DemoArgs;
use crate::annals::{self, Entered, Wish, Written};
use crate::boot::{self, SystemClock, plan_files};
use crate::domain::env::Environment;
use crate::domain::language::Language;
use crate::domain::plan::Plan;
use crate::domain::system_words;
use crate::domain::time::Clock as _;
use crate::exit::{Exit, Stop};
use crate::sim;

/// Largest past whose bills the simulator gets: they are all in its memory.
const KEPT: u64 = 500_000;
/// Days between two words about progress.
const EVERY: u32 = 30;

/// What past is made.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// How many days.
    pub days: u32,
    /// Plans beside the shipped ones.
    pub plans: usize,
    /// Of those that the clock starts, so many do not run any more.
    pub silent: usize,
    /// Of the others, so many find nothing any more.
    pub quiet: usize,
    /// Whether the newest night went wrong: plans have ended by themselves.
    pub stuck: bool,
    /// About so many bills; `None`: as many as some offices have.
    pub bills: Option<u64>,
    /// Equal seeds give equal facts.
    pub seed: u64,
}

impl Past {
    /// What `--history` asks for, if it does.
    pub(super) fn asked(args: &DemoArgs) -> Option<Self> {
        Some(Self { days: args.history?, plans: 13, silent: 2, quiet: 1, stuck: false, bills: None, seed: args.seed })
    }
}

/// Writes a past into a data directory, its plans into theirs and its bills into a file for the simulator, unless something
/// is there already.
pub async fn write(
    past: Option<Past>,
    (data, plan_dir, bills): (&Path, &Path, &Path),
    env: &Environment,
    lang: Language,
    note: &impl Fn(&str),
) -> Result<Written, Stop> {
    let Some(past) = past else { return Ok(Written::default()) };
    if data.join("journal").exists() {
        note(lang.t(
            "--history is left out: this demo has a past already; --fresh begins anew",
            "未使用 --history：此演示已有历史数据；--fresh 可重新开始",
        ));
        return Ok(Written::default());
    }
    for (id, text) in annals::plans::demo(past.plans) {
        let file = plan_dir.join(format!("{id}.json"));
        std::fs::write(&file, text).map_err(|e| Stop::system(Exit::Usage, file.display(), file.display(), &e))?;
    }
    let half = data.with_file_name("data-half");
    let (wish, days) = (wish(past, env, plans(plan_dir)?), past.days);
    let said = |done: u32| {
        if done.is_multiple_of(EVERY) {
            note(&match lang {
                Language::En => format!("making up a past: {done} of {days} days"),
                Language::Zh => format!("正在生成历史数据：{done} / {days} 天"),
            });
        }
    };
    clear(&half)?;
    let written = annals::write(&half, &wish, Arc::new(SystemClock::default()), said).await;
    let written = written.map_err(boot::store_stop)?;
    let lines: String = adopted(&written.entered).map(|bill| bill.line()).collect();
    std::fs::write(bills, lines).map_err(|e| Stop::system(Exit::Usage, bills.display(), bills.display(), &e))?;
    clear(data)?;
    std::fs::rename(&half, data).map_err(|e| Stop::system(Exit::Usage, data.display(), data.display(), &e))?;
    Ok(written)
}

/// The past of an office that has these plans.
fn wish(past: Past, env: &Environment, plans: Vec<Plan>) -> Wish {
    let sim::BaseData { customers, suppliers, users } = sim::base_data();
    Wish {
        seed: past.seed,
        days: past.days,
        now: SystemClock::default().now(),
        plans,
        bills: past.bills,
        silent: past.silent,
        quiet: past.quiet,
        stuck: past.stuck,
        env: env.id.clone(),
        production: env.production,
        server: env.server.clone(),
        owner: boot::who().uid,
        customers,
        suppliers,
        users,
        keeps: past.bills.is_none_or(|bills| bills <= KEPT),
    }
}

/// The bills of a made-up past as the simulator takes them.
fn adopted(entered: &[Entered]) -> impl Iterator<Item = sim::Adopted> {
    entered.iter().filter_map(|bill| {
        Some(sim::Adopted {
            form: bill.form.clone(),
            id: u32::try_from(bill.fid).ok()?,
            number: bill.no.clone(),
            status: bill.status.code().chars().next()?,
            kind: bill.kind.clone(),
            org: bill.org.clone(),
            partner: bill.partner.clone(),
            created_ms: bill.created.0,
            modified_ms: bill.modified.0,
            date_ms: bill.date.0,
        })
    })
}

/// The bills that the simulator has of a past, as they were when it was made; none where there is none.
pub fn bills(file: &Path) -> Result<Arc<[sim::Adopted]>, Stop> {
    let read = match std::fs::File::open(file) {
        Ok(file) => sim::Adopted::read(file),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Arc::default()),
        Err(e) => Err(e),
    };
    read.map(Arc::from).map_err(|e| {
        let at = file.display();
        let (en, zh) = (
            format!("{at}: the bills of the made-up past cannot be read ({e}): `--fresh` begins anew"),
            format!("{at}：无法读取历史数据的单据（{}）：用 `--fresh` 重新开始", system_words::chinese(&e.to_string())),
        );
        Stop::both(Exit::Usage, en, zh)
    })
}

/// The plans of a directory.
fn plans(dir: &Path) -> Result<Vec<Plan>, Stop> {
    let read = |path: &std::path::PathBuf| {
        boot::read_plan(path).map(|(file, _)| file.plan).map_err(|problem| {
            let zh = problem.zh.unwrap_or_else(|| problem.message.clone());
            Stop::both(Exit::Usage, problem.message, zh)
        })
    };
    plan_files::listed(dir).iter().map(read).collect()
}

fn clear(dir: &Path) -> Result<(), Stop> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Stop::system(Exit::Usage, dir.display(), dir.display(), &e))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
