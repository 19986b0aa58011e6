//! Alerts when nobody watches: a reader of the engine's facts that tells people elsewhere.
//!
//! Invariant: it only reads; a target that is slow or gone costs the engine nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch as signal};

pub mod ahead;
pub mod send;
pub mod tellers;
pub mod watch;
pub mod words;

use self::ahead::{Also, Lookout, Names, Unusual};
use self::send::Sender;
use self::tellers::{Tellers, Waiting};
use self::watch::{Item, Times, Watchman};
use self::words::Message;
use crate::domain::ids::PlanId;
use crate::domain::language::Language;
use crate::domain::query::{Answer, LedgerGroup, Query};
use crate::domain::time::{Clock, Ts};
use crate::engine::api::{Link, Notice, Watch};
use crate::host::missed;

/// Messages waiting to be sent, at most; more are said in the log and lost.
const QUEUE: usize = 16;

/// Name → label, in the language of the messages.
pub type Label = Box<dyn Fn(&str) -> String + Send + Sync>;

/// What an owner needs to tell people.
pub struct Alerts {
    /// Who is told.
    pub sender: Sender,
    /// When.
    pub times: Times,
    /// What of what is only likely, besides what always is told.
    pub also: Also,
    /// In which language.
    pub tongue: Language,
    /// What a cause, a skip or a way of not knowing is called.
    pub label: Label,
    /// Other machines that would tell the same.
    pub tellers: Option<Arc<dyn Tellers>>,
}

impl Alerts {
    /// Reads until the link ends or `end` says so; then sends what is left.
    pub async fn run(self, link: Arc<dyn Link>, clock: Arc<dyn Clock>, mut end: signal::Receiver<bool>) {
        let Self { sender, times, also, tongue, label, tellers } = self;
        let (queue, waiting) = mpsc::channel::<(Message, Vec<String>)>(QUEUE);
        let sending = tokio::spawn(deliver(sender, Arc::clone(&clock), waiting, tellers.clone()));
        let Ok(Watch { live, mut notices }) = link.watch().await else { return };
        // A clock that is set back must hold back no alert: the watchman waits by time that only goes on.
        let (begun, start) = (clock.now(), clock.mono());
        let now = || begun.plus(clock.mono().saturating_sub(start));
        let mut watchman = Watchman::new(times, live, now());
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let mut lookout = Lookout::new(now(), also);
        let (mut of_runs, mut of_plans) =
            (Waiting::new(tellers.clone(), Item::key), Waiting::new(tellers, Unusual::text));
        let send = |message: Message, items: usize, keys: Vec<String>| {
            if queue.try_send((message, keys)).is_err() {
                tracing::error!(items, "too many alerts wait; these are lost");
            }
        };
        let tell = async |(mut items, keys): (Vec<Item>, Vec<String>)| {
            if items.is_empty() {
                return;
            }
            since_when(&*link, &mut items).await;
            let groups = groups(&*link, &items).await;
            send(words::message(tongue, &items, &groups, &*label, &host), items.len(), keys);
        };
        loop {
            tell(of_runs.ours(watchman.due(now()), now()).await).await;
            let unusual = ask(&*link, &mut lookout, now()).await;
            let (unusual, keys) = of_plans.ours(unusual, now()).await;
            if !unusual.is_empty() {
                let names = names(&*link).await;
                send(ahead::message(tongue, &unusual, (&names, &*label), &host), unusual.len(), keys);
            }
            let naps = [watchman.idle_for(now()), lookout.idle_for(now()), of_runs.idle_for(), of_plans.idle_for()];
            let nap = naps.into_iter().flatten().min();
            let slept = async {
                match nap {
                    Some(nap) => tokio::time::sleep(nap.max(Duration::from_millis(10))).await,
                    None => std::future::pending().await,
                }
            };
            let notice = tokio::select! {
                () = slept => continue,
                _ = end.wait_for(|end| *end) => break,
                notice = notices.recv() => notice,
            };
            match notice {
                Some(Notice::Facts(facts)) => watchman.facts(&facts, now()),
                Some(Notice::Resync(live)) => {
                    let ended = missed::ended(&*link, watchman.live(), &live).await;
                    watchman.resync(*live, &ended, now());
                }
                Some(Notice::PlansReloaded | Notice::Unusual) => lookout.look_at(now()),
                Some(Notice::Pulse(_)) => {}
                None => break,
            }
        }
        // What happened while everything came to an end is told too.
        while let Ok(notice) = notices.try_recv() {
            if let Notice::Facts(facts) = notice {
                watchman.facts(&facts, now());
            }
        }
        tell(of_runs.ours(watchman.rest(), now()).await).await;
        drop(queue);
        let _ = sending.await;
    }
}

/// Sends what waits, one after the other.
async fn deliver(
    sender: Sender,
    wall: Arc<dyn Clock>,
    mut waiting: mpsc::Receiver<(Message, Vec<String>)>,
    tellers: Option<Arc<dyn Tellers>>,
) {
    while let Some((message, keys)) = waiting.recv().await {
        for (name, result) in sender.send(&message, || wall.now().0).await {
            match result {
                Ok(()) => tracing::info!(target = %name, "told"),
                Err(why) => tracing::error!(target = %name, %why, "nobody was told"),
            }
        }
        if let Some(tellers) = &tellers {
            tellers.told(&keys).await;
        }
    }
}

/// What is unusual and nobody was told yet, where it is time to ask.
async fn ask(link: &dyn Link, lookout: &mut Lookout, now: Ts) -> Vec<Unusual> {
    if !lookout.is_due(now) {
        return Vec::new();
    }
    if let Ok(Answer::Forecast(said)) = link.ask(Query::Forecast(None)).await {
        return lookout.see(&said, now);
    }
    lookout.unanswered(now);
    Vec::new()
}

/// What the plans are called.
async fn names(link: &dyn Link) -> Names {
    let Ok(Answer::Plans(rows)) = link.ask(Query::Plans).await else { return Names::new() };
    rows.into_iter().filter_map(|row| row.plan.ok()).map(|plan| (plan.id, plan.name)).collect()
}

/// Adds since when the plans' runs have ended by themselves, and how many in a row.
async fn since_when(link: &dyn Link, items: &mut [Item]) {
    if !items.iter().any(|item| item.unseen) {
        return;
    }
    let Ok(Answer::Stopped(runs)) = link.ask(Query::Stopped).await else { return };
    for item in items.iter_mut().filter(|item| item.unseen) {
        if let Some(run) = runs.iter().find(|run| run.row.head.plan == item.plan) {
            (item.since, item.times) = (Some(run.since), run.times);
        }
    }
}

/// The ledger's groups of the plans named.
async fn groups(link: &dyn Link, items: &[Item]) -> Vec<(PlanId, Vec<LedgerGroup>)> {
    let mut all: Vec<(PlanId, Vec<LedgerGroup>)> = Vec::new();
    for item in items {
        if all.iter().any(|(plan, _)| *plan == item.plan) {
            continue;
        }
        if let Ok(Answer::LedgerGroups(mut groups)) =
            link.ask(Query::LedgerGroups { plan: Some(item.plan.clone()) }).await
        {
            LedgerGroup::sort(&mut groups);
            all.push((item.plan.clone(), groups));
        }
    }
    all
}
