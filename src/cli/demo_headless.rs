//! `demo --headless`: a run of the demo's plan, and whether the simulator's own record tells the same at its end, bill by bill.
//!
//! Invariant: of what a run calls unknown nothing is claimed; everything else is compared.

use std::collections::{BTreeMap, BTreeSet};

use super::demo::Demo;
use super::demo_other::tables;
use super::drive::{Driver, Set};
use super::out::Out;
use crate::boot::{self, Booted};
use crate::domain::bill::{BillState, Outcome};
use crate::domain::command::{Command, StartParams};
use crate::domain::ids::PlanId;
use crate::domain::language::Language;
use crate::domain::operation::Operation;
use crate::domain::plan::Plan;
use crate::domain::query::{Answer, PageRequest, Query, Scope};
use crate::domain::run::{BillRow, PauseWhy, RunState};
use crate::domain::step::{Step, Verb};
use crate::exit::{Exit, Stop};

/// `demo --headless`: runs the plan (or goes on with the interrupted run), then compares with the simulator's own record.
pub async fn headless(demo: &Demo, driver: &Driver) -> Result<Exit, Stop> {
    let link = &*driver.link;
    let exit = match super::asked::open_run(link, &driver.out, None).await {
        Ok(row) if super::asked::is_resumable(&row) => {
            driver.out.note(&format!(
                "{} {}",
                driver.out.t("resuming the interrupted run", "继续被中断的运行"),
                row.head.id
            ));
            let watch = driver.link.watch().await?;
            if !matches!(row.state, RunState::AwaitingApproval) {
                driver.order(Command::Resume { run: row.head.id }).await?;
            }
            driver.follow(row.head.id, watch, Set::Ours).await?
        }
        _ => driver.run(Command::Start { plan: demo.plan.clone(), params: StartParams::default() }).await?,
    };
    let live = link.watch().await?.live;
    // What the store could not take is not told, so that there is nothing to compare.
    if !live.runs.values().any(|run| matches!(run.row.state, RunState::Paused(PauseWhy::Store(_)))) {
        agree(demo, driver).await?;
    }
    Ok(exit)
}

/// The driver of a headless demo: approves by itself what `y` or a typed count would approve.
pub fn driver(booted: &Booted, out: Out) -> Driver {
    Driver {
        link: booted.link.clone(),
        out,
        by: boot::who(),
        approval: super::args::Approval { yes: true, ..super::args::Approval::default() },
        trusting: true,
    }
}

/// One kind of call of a plan, as the simulator's record names it.
struct Deed {
    /// Its verb there.
    verb: String,
    /// What is said of a bill once.
    en: &'static str,
    zh: &'static str,
}

/// What a plan does to each bill, in its order.
fn deeds(plan: &Plan) -> Vec<Deed> {
    let deed = |verb: &str, en, zh| Deed { verb: verb.to_owned(), en, zh };
    let audit = || deed("Audit", "audited", "审核");
    match (&plan.target.verb, plan.target.make.as_deref()) {
        _ if plan.target.collects => Vec::new(),
        (Verb::Operation(name), _) => vec![deed(name, "closed", "关闭")],
        (Verb::Submit, _) => vec![deed("Submit", "submitted", "提交")],
        (Verb::Audit, _) => vec![audit()],
        (Verb::Send, _) => vec![deed("Send", "sent", "发送")],
        (Verb::Save | Verb::Push, make) => {
            let later = make.map(|make| make.then.clone()).unwrap_or_default();
            let pushes = plan.target.verb == Verb::Push;
            let mut all = vec![if pushes { deed("Push", "pushed", "下推") } else { deed("Save", "made", "新建") }];
            all.extend(later.contains(&Step::Submit).then(|| deed("Submit", "submitted", "提交")));
            all.extend(later.contains(&Step::Audit).then(audit));
            all
        }
    }
}

/// What we say of the bills, by their ids.
struct Said {
    /// Done by us.
    ours: BTreeSet<String>,
    /// Perhaps by us: unknown, or done and nobody is named.
    open: BTreeSet<String>,
}

/// What was said of one kind of call, and what the simulator did.
#[derive(Default)]
struct Compared {
    applied: usize,
    doubled: Vec<String>,
    missing: Vec<String>,
    unsaid: Vec<String>,
}

impl Compared {
    fn agrees(&self) -> bool {
        self.doubled.is_empty() && self.missing.is_empty() && self.unsaid.is_empty()
    }
}

/// Compares, bill by bill, what we say was done with what the simulator applied.
async fn agree(demo: &Demo, driver: &Driver) -> Result<(), Stop> {
    let (name, text) = super::demo::shipped(&driver.out, demo.plan.as_str())?;
    let file = crate::plan::read_beside(PlanId::new(name), text, &tables().as_slice())
        .map_err(|error| Stop::usage(error.to_string()))?;
    let plan = file.runnable().map_err(|error| Stop::usage(error.to_string()))?;
    let op = Operation::id_of(&plan.target);
    let rows = |status: &'static str| rows(driver, status, |row: &BillRow| row.key.op == op);
    let (ours, unknown) = (rows("status:done").await?, rows("status:unknown").await?);
    // Done, and nothing tells by whom: the simulator knows that it was by us.
    let nobodys = |row: &BillRow| matches!(row.state, BillState::Settled(Outcome::Already { by: None, .. }));
    let already: Vec<BillRow> = rows("status:already").await?.into_iter().filter(nobodys).collect();
    let is_made = plan.target.make.is_some();
    let ids = |rows: &[BillRow]| -> BTreeSet<String> {
        let id = |row: &BillRow| match &row.made {
            Some(made) if is_made => made.id.to_string(),
            _ => row.fid().to_string(),
        };
        rows.iter().map(id).collect()
    };
    let said = Said { ours: ids(&ours), open: ids(&unknown).into_iter().chain(ids(&already)).collect() };
    let deeds = deeds(plan);
    let mut all = Vec::with_capacity(deeds.len());
    for deed in &deeds {
        all.push(match &demo.other {
            // Nothing is there before, under a key that a plan chose.
            Some(other) if plan.target.verb == Verb::Send => compared(&other.made(), &BTreeSet::new(), &said),
            Some(_) | None => compare(demo, (&deed.verb, plan.target.form.as_str()), &said),
        });
    }
    say(driver, &deeds, &all, (said.ours.len(), unknown.len()))
}

/// One kind of call on the bills of a form. The simulator's own record, not its status column: what was applied and taken back
/// counts too.
fn compare(demo: &Demo, (verb, form): (&str, &str), said: &Said) -> Compared {
    let (theirs, before): (BTreeMap<String, u32>, BTreeSet<String>) = demo.sim.with_world(|world| {
        let mut applied = BTreeMap::new();
        for line in world.record().after(0, usize::MAX) {
            if line.verb == verb && line.refused.is_none() && line.form_id() == form {
                *applied.entry(line.id.to_string()).or_default() += 1;
            }
        }
        // What a made-up past says was done was so when the simulator began.
        (applied, world.config().adopted.iter().map(|bill| bill.id.to_string()).collect())
    });
    compared(&theirs, &before, said)
}

/// What a record of how often each was made, and what is said of them, come to. `before`: what was so when it began.
fn compared(theirs: &BTreeMap<String, u32>, before: &BTreeSet<String>, said: &Said) -> Compared {
    let of = |ids: Vec<&String>| ids.into_iter().cloned().collect();
    Compared {
        applied: theirs.len(),
        doubled: of(theirs.iter().filter(|(_, n)| **n > 1).map(|(id, _)| id).collect()),
        missing: of(said.ours.iter().filter(|id| !theirs.contains_key(*id) && !before.contains(*id)).collect()),
        unsaid: of(theirs.keys().filter(|id| !said.ours.contains(*id) && !said.open.contains(*id)).collect()),
    }
}

fn say(driver: &Driver, deeds: &[Deed], all: &[Compared], (ours, unknown): (usize, usize)) -> Result<(), Stop> {
    let out = &driver.out;
    let agrees = all.iter().all(Compared::agrees);
    for (deed, compared) in deeds.iter().zip(all).filter(|_| out.json) {
        let audit = deed.verb == "Audit";
        let mut object = serde_json::json!({
            "type": "simulator", "verb": deed.verb, "applied": compared.applied, "done_by_us": ours,
            "applied_twice": compared.doubled, "said_but_not_applied": compared.missing,
            "applied_but_not_said": compared.unsaid, "unknown_to_us": unknown, "agrees": compared.agrees(),
        });
        if let (true, Some(fields)) = (audit, object.as_object_mut()) {
            fields.insert("audits_applied".into(), compared.applied.into());
            fields.insert("audited_by_us".into(), ours.into());
        }
        out.object(&object)?;
    }
    if agrees && !out.json {
        let words = |of: fn(&Deed) -> &'static str, and: &str| deeds.iter().map(of).collect::<Vec<_>>().join(and);
        let en = format!("the simulator agrees, bill by bill, each {} once", words(|deed| deed.en, " and "));
        let zh = format!("与模拟器逐张一致，每张只{}一次", words(|deed| deed.zh, "、"));
        let applied = all.last().map_or(0, |compared| compared.applied);
        out.line(&out.colon(&en, &zh, &applied.to_string()))?;
    }
    let wrong = deeds.iter().zip(all).find(|(_, compared)| !compared.agrees());
    let Some((deed, Compared { doubled, missing, unsaid, .. })) = wrong else { return Ok(()) };
    Err(Stop::new(
        Exit::Unknown,
        match out.lang {
            Language::En => format!(
                "the simulator disagrees: {} twice {doubled:?}, said but not applied {missing:?}, applied but not said \
                 {unsaid:?}",
                deed.en
            ),
            Language::Zh => {
                let zh = deed.zh;
                format!("与模拟器不一致：{zh}两次 {doubled:?}，已报告但未生效 {missing:?}，已生效但未报告 {unsaid:?}")
            }
        },
    ))
}

/// Bills over all runs that pass a filter, of those that are meant.
async fn rows(driver: &Driver, filter: &str, is_meant: impl Fn(&BillRow) -> bool) -> Result<Vec<BillRow>, Stop> {
    let filter = super::select::filter(&*driver.link, &driver.out, filter).await?;
    let mut rows = Vec::new();
    let mut page = PageRequest::first(500);
    loop {
        let query = Query::Bills { scope: Scope::History, filter: filter.clone(), page: page.clone() };
        let Answer::Bills(answer) = driver.link.ask(query).await? else { break };
        let last = answer.stopped_at.clone().or_else(|| answer.rows.last().map(|(cursor, _)| cursor.clone()));
        rows.extend(answer.rows.into_iter().map(|(_, row)| row).filter(&is_meant));
        match last {
            Some(cursor) if answer.more => page.cursor = Some(cursor),
            _ => break,
        }
    }
    Ok(rows)
}
